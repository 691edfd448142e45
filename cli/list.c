/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate list, get: what the daemon has. Without a daemon's kind in front these are about workflows, as argo's are. */
#include "cli/listeners.h"
#include "cli/output.h"
#include "cli/tree.h"
#include "cli/workflows.h"
#include "core/clock.h"

struct list_opts {
	struct cli_common common;
	struct workflow_choice choice;
	const char *output;
	bool no_headers;
};

static const char *const list_outputs[] = { "name", "json", "yaml", "wide", NULL };

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

static void
list_row(struct table *t, const struct list_opts *o, struct arena *a, const struct val *w)
{
	const struct val *meta = val_get(w, S("metadata")), *status = val_get(w, S("status"));
	int64_t start = time_member(status, "startedAt"), end = time_member(status, "finishedAt"), now = clock_wall_ns(), priority = 0;
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

struct kept {
	VEC(const struct val *) v;
	struct arena *arena;
};

static void
keep(void *arg, const struct val *workflow)
{
	struct kept *k = arg;
	struct val *v = ARENA_NEW(k->arena, struct val);
	*v = *workflow;
	*VEC_PUSH(&k->v) = v;
}

static void
print_list(const struct list_opts *o, struct arena *a, const struct kept *k)
{
	struct val_list out = { 0 };
	bool names = o->output && strcmp(o->output, "name") == 0;
	if (!o->output || strcmp(o->output, "wide") == 0) {
		if (k->v.n == 0)
			puts("No workflows found");
		else
			list_table(o, a, k->v.p, k->v.n);
		return;
	}
	for (size_t i = 0; i < k->v.n; i++)
		if (names)
			printf("%.*s\n", STR_ARG(val_get_str(val_get(k->v.p[i], S("metadata")), "name")));
		else
			val_list_add(&out, *k->v.p[i]);
	struct val v = val_list_end(&out, a);
	if (!names)
		print_value(stdout, &v, o->output);
}

/* For the table templates are not needed; nodes are, of those that run, because suspended ones show in the STATUS column. */
static const char *
fields_of(const struct list_opts *o)
{
	if (o->output && strcmp(o->output, "name") == 0)
		return "metadata,items.metadata.name";
	return o->output && strcmp(o->output, "wide") != 0 ? NULL : "-items.spec.templates,items.status.storedTemplates,items.status.storedWorkflowTemplateSpec";
}

static int
run_list(const void *opts, char **args UNUSED, int n UNUSED)
{
	const struct list_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	client_init(&c, &o->common);
	struct kept k = { .arena = c.arena };
	struct workflow_choice choice = o->choice;
	choice.open_nodes = !o->output || strcmp(o->output, "wide") == 0;
	int rc = choice_each(&c, &choice, fields_of(o), keep, &k, &e);
	if (rc == 0)
		print_list(o, c.arena, &k);
	VEC_FREE(&k.v);
	return rc ? cli_fail(&e) : EXIT_DONE;
}

static int
run_archive_list(const void *opts, char **args, int n)
{
	struct list_opts o = *(const struct list_opts *)opts;
	o.choice.completed = true;
	return run_list(&o, args, n);
}

const struct command form_archive_list = {
	.name = "archive list",
	.args = "",
	.summary = "List finished workflows.",
	.examples = "  tidegate archive list -l team=a\n",
	.options = (const struct cli_option[]){
		OPTION(struct list_opts, choice.all_namespaces, "all-namespaces", 'A', NULL, "Of every namespace."),
		OPTION(struct list_opts, choice.selector, "selector", 'l', "LABELS", "Those with these labels, as a=b,c!=d."),
		OPTION(struct list_opts, choice.prefix, "prefix", 0, "TEXT", "Those whose name begins so."),
		OPTION(struct list_opts, choice.chunk, "chunk-size", 0, "N", "Ask the daemon for so many at a time; 500 if not given."),
		OPTION(struct list_opts, no_headers, "no-headers", 0, NULL, "No line with the names of the columns."),
		OPTION(struct list_opts, output, "output", 'o', "FORMAT", "name, json, yaml or wide.", .choices = list_outputs),
		{ 0 },
	},
	.size = sizeof(struct list_opts),
	.run = run_archive_list,
};

const struct command command_list = {
	.name = "list",
	.args = "",
	.summary = "List workflows.",
	.examples = "  tidegate list\n  tidegate list --running\n  tidegate list -A --status Failed,Error --since 24h -o wide\n"
	            "  tidegate list -p branch=main --result version=1.4.2\n",
	.options = (const struct cli_option[]){
		OPTION(struct list_opts, choice.all_namespaces, "all-namespaces", 'A', NULL, "Of every namespace."),
		OPTION(struct list_opts, choice.selector, "selector", 'l', "LABELS", "Those with these labels, as a=b,c!=d."),
		OPTION(struct list_opts, choice.field_selector, "field-selector", 0, "FIELDS", "Those with these fields, as metadata.name=x."),
		OPTION(struct list_opts, choice.prefix, "prefix", 0, "TEXT", "Those whose name begins so."),
		OPTION(struct list_opts, choice.status, "status", 0, "PHASE,...", "Those in these phases."),
		OPTION(struct list_opts, choice.completed, "completed", 0, NULL, "Those that have ended."),
		OPTION(struct list_opts, choice.running, "running", 0, NULL, "Those that have not."),
		OPTION(struct list_opts, choice.resubmitted, "resubmitted", 0, NULL, "Those that were made by resubmit."),
		OPTION(struct list_opts, choice.since, "since", 0, "DURATION", "Those made since then, as 2h."),
		OPTION(struct list_opts, choice.older, "older", 0, "DURATION", "Those that ended longer ago."),
		OPTION(struct list_opts, choice.parameters, "parameter", 'p', "NAME=VALUE", "Those submitted with this parameter; may be repeated."),
		OPTION(struct list_opts, choice.results, "result", 0, "NAME=VALUE", "Those with this output parameter; `result` is the output itself."),
		OPTION(struct list_opts, choice.limit, "limit", 0, "N", "At most so many."),
		OPTION(struct list_opts, choice.chunk, "chunk-size", 0, "N", "Ask the daemon for so many at a time; 500 if not given."),
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
	if (is_listeners(args[0]))
		return get_listeners(&c, o->output, args, n);
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
	.args = "WORKFLOW...|eventsources [NAME...]|sensors [NAME...]",
	.summary = "Show workflows with their steps, event sources, or sensors.",
	.examples = "  tidegate get build-x7k2f\n  tidegate get @latest             the newest one\n  tidegate get @latest -o json\n"
	            "  tidegate get eventsources        whether each is connected, since when, and its last error\n",
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
