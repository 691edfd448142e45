/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate list, get: what the daemon has. Without a daemon's kind in front these are about workflows, as argo's are. */
#include "cli/output.h"
#include "cli/tree.h"
#include "cli/workflows.h"

struct list_opts {
	struct cli_common common;
	struct workflow_choice choice;
	const char *since, *output;
	bool running, no_headers;
	struct cli_int limit;
};

static const char *const list_outputs[] = { "name", "json", "yaml", "wide", NULL };

static int
fetch_list(struct client *c, const struct list_opts *o, struct val *out, struct err *e)
{
	struct buf path CLEANUP(free_buf) = { 0 }, query CLEANUP(free_buf) = { 0 };
	buf_add(&path, S("/api/v1/workflows/"));
	if (!o->choice.all_namespaces)
		url_escape(&path, c->ns);
	/* For the table neither templates nor nodes are needed, but suspended nodes show in the STATUS column. */
	struct workflow_choice ch = o->choice;
	if (ch.selector)
		buf_addf(&query, "%s", ch.selector);
	if (ch.completed || o->running)
		buf_addf(&query, "%sworkflows.argoproj.io/completed=%s", query.n ? "," : "", ch.completed ? "true" : "false");
	if (ch.resubmitted)
		buf_addf(&query, "%sworkflows.argoproj.io/resubmitted-from-workflow", query.n ? "," : "");
	buf_add(&path, S("?listOptions.labelSelector="));
	url_escape(&path, buf_str(&query));
	if (ch.field_selector) {
		buf_add(&path, S("&listOptions.fieldSelector="));
		url_escape(&path, str_c(ch.field_selector));
	}
	return client_call(c, "GET", buf_str(&path), NULL, out, e);
}

static str
parameters_text(struct arena *a, const struct val *workflow)
{
	const struct val *list = val_path(workflow, "spec.arguments.parameters");
	struct buf b CLEANUP(free_buf) = { 0 };
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		buf_addf(&b, "%s%.*s=%.*s", i ? "," : "", STR_ARG(val_get_str(&list->items[i], "name")),
		         STR_ARG(str_slice(val_get_str(&list->items[i], "value"), 0, 60)));
	return arena_dup(a, buf_str(&b));
}

static bool
wanted(const struct list_opts *o, const struct val *workflow)
{
	dur since;
	struct err e;
	int64_t made = time_member(val_get(workflow, S("metadata")), "creationTimestamp");
	if (o->since && dur_parse(str_c(o->since), &since, &e) == 0 && wall_clock() - made > since.ns)
		return false;
	return choice_matches(&o->choice, workflow);
}

static void
list_row(struct table *t, const struct list_opts *o, struct arena *a, const struct val *w)
{
	const struct val *meta = val_get(w, S("metadata")), *status = val_get(w, S("status"));
	int64_t start = time_member(status, "startedAt"), end = time_member(status, "finishedAt"), now = wall_clock(), priority = 0;
	(void)val_to_i64(val_path(w, "spec.priority"), &priority); /* 0 is what absent means */
	str cells[9];
	size_t n = 0;
	if (o->choice.all_namespaces)
		cells[n++] = val_get_str(meta, "namespace");
	cells[n++] = val_get_str(meta, "name");
	cells[n++] = workflow_status(a, w);
	cells[n++] = age_text(a, now - time_member(meta, "creationTimestamp"));
	cells[n++] = start ? duration_text(a, (end ? end : now) - start) : S("");
	cells[n++] = arena_fmt(a, "%lld", (long long)priority);
	cells[n++] = val_get_str(status, "message");
	if (o->output && strcmp(o->output, "wide") == 0) {
		cells[n++] = val_get_str(status, "progress");
		cells[n++] = parameters_text(a, w);
	}
	table_row(t, cells);
}

static void
list_table(const struct list_opts *o, struct arena *a, const struct val *const *items, size_t n)
{
	struct table t = { .colors = out_colors(stdout) };
	const str heads[] = { S("NAMESPACE"), S("NAME"), S("STATUS"), S("AGE"), S("DURATION"), S("PRIORITY"), S("MESSAGE"), S("PROGRESS"), S("PARAMETERS") };
	bool wide = o->output && strcmp(o->output, "wide") == 0;
	t.columns = 6 + (wide ? 2 : 0) + (o->choice.all_namespaces ? 1 : 0);
	if (!o->no_headers)
		table_row(&t, heads + (o->choice.all_namespaces ? 0 : 1));
	for (size_t i = 0; i < n; i++)
		list_row(&t, o, a, items[i]);
	table_print(&t, stdout);
}

static int
run_list(const void *opts, char **args UNUSED, int n UNUSED)
{
	const struct list_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	struct val list;
	dur d;
	client_init(&c, &o->common);
	if ((o->since && dur_parse(str_c(o->since), &d, &e)) || (o->choice.older && dur_parse(str_c(o->choice.older), &d, &e)) ||
	    fetch_list(&c, o, &list, &e))
		return cli_fail(&e);
	const struct val *items = val_get(&list, S("items"));
	size_t total = val_is(items, VAL_LIST) ? items->n : 0, kept = 0;
	const struct val **keep = ARENA_ARRAY(c.arena, const struct val *, total + 1);
	for (size_t i = 0; i < total; i++)
		if (wanted(o, &items->items[i]) && (!o->limit.set || kept < (size_t)o->limit.v))
			keep[kept++] = &items->items[i];
	if (o->output && strcmp(o->output, "wide") != 0) {
		struct val_list out = { 0 };
		for (size_t i = 0; i < kept; i++)
			if (strcmp(o->output, "name") == 0)
				printf("%.*s\n", STR_ARG(val_get_str(val_get(keep[i], S("metadata")), "name")));
			else
				val_list_add(&out, *keep[i]);
		struct val v = val_list_end(&out, c.arena);
		if (strcmp(o->output, "name") != 0)
			print_value(stdout, &v, o->output);
		return EXIT_DONE;
	}
	if (kept == 0)
		puts("No workflows found");
	else
		list_table(o, c.arena, keep, kept);
	return EXIT_DONE;
}

const struct command command_list = {
	.name = "list",
	.args = "",
	.summary = "List workflows.",
	.examples = "  tidegate list\n  tidegate list --running\n  tidegate list -A --status Failed,Error --since 24h -o wide\n",
	.options = (const struct cli_option[]){
		OPTION(struct list_opts, choice.all_namespaces, "all-namespaces", 'A', NULL, "Of every namespace."),
		OPTION(struct list_opts, choice.selector, "selector", 'l', "LABELS", "Those with these labels, as a=b,c!=d."),
		OPTION(struct list_opts, choice.field_selector, "field-selector", 0, "FIELDS", "Those with these fields, as metadata.name=x."),
		OPTION(struct list_opts, choice.prefix, "prefix", 0, "TEXT", "Those whose name begins so."),
		OPTION(struct list_opts, choice.status, "status", 0, "PHASE,...", "Those in these phases."),
		OPTION(struct list_opts, choice.completed, "completed", 0, NULL, "Those that have ended."),
		OPTION(struct list_opts, running, "running", 0, NULL, "Those that have not."),
		OPTION(struct list_opts, choice.resubmitted, "resubmitted", 0, NULL, "Those that were made by resubmit."),
		OPTION(struct list_opts, since, "since", 0, "DURATION", "Those made since then, as 2h."),
		OPTION(struct list_opts, choice.older, "older", 0, "DURATION", "Those that ended longer ago."),
		OPTION(struct list_opts, limit, "limit", 0, "N", "At most so many."),
		OPTION(struct list_opts, no_headers, "no-headers", 0, NULL, "No line with the names of the columns."),
		OPTION(struct list_opts, output, "output", 'o', "FORMAT", "name, json, yaml or wide.", .choices = list_outputs),
		{ 0 },
	},
	.size = sizeof(struct list_opts),
	.run = run_list,
};

/* ---- get ---------------------------------------------------------------------------------------------------- */

struct get_opts {
	struct cli_common common;
	const char *output, *status, *node_field_selector;
	bool no_utf8;
};

static int
run_get(const void *opts, char **args, int n)
{
	const struct get_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	int worst = EXIT_DONE;
	client_init(&c, &o->common);
	for (int i = 0; i < n; i++) {
		struct val workflow;
		if (client_call(&c, "GET", workflow_path(&c, str_c(args[i]), ""), NULL, &workflow, &e)) {
			worst = cli_fail(&e);
			continue;
		}
		if (i && !o->output)
			putchar('\n');
		print_workflow(&workflow, o->output, str_c(o->status));
	}
	return worst;
}

const struct command command_get = {
	.name = "get",
	.args = "WORKFLOW...",
	.summary = "Show workflows with their steps.",
	.examples = "  tidegate get build-x7k2f\n  tidegate get @latest             the newest one\n  tidegate get @latest -o json\n",
	.options = (const struct cli_option[]){
		OPTION(struct get_opts, output, "output", 'o', "FORMAT", "name, json, yaml, wide or short.", .choices = workflow_outputs),
		OPTION(struct get_opts, status, "status", 0, "PHASE", "Only the steps in this phase."),
		{ 0 },
	},
	.size = sizeof(struct get_opts),
	.args_min = 1,
	.args_max = -1,
	.run = run_get,
};
