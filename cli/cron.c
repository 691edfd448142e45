/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate cron: CronWorkflows, as `argo cron` has them, and their next slots. create and update are in cron_put.c, delete
 * in template.c. */
#include "cli/cron.h"

#include "cli/output.h"
#include "cli/workflows.h"
#include "core/clock.h"
#include "core/tz.h"

struct cron_opts {
	struct cli_common common;
	const char *output, *selector;
	bool all_namespaces, no_headers;
	struct cli_int n;
};

static const char *const list_outputs[] = { "name", "wide", "json", "yaml", NULL };
const char *const cron_outputs[] = { "name", "wide", "json", "yaml", NULL };
enum { NEXT_DEFAULT = 20 };

str
cron_path(struct client *c, const char *prefix, str name, const char *suffix)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addf(&b, "%s/cron-workflows/", prefix);
	url_escape(&b, c->ns);
	if (name.n)
		buf_addc(&b, '/');
	url_escape(&b, name);
	buf_addf(&b, "%s", suffix);
	return arena_dup(c->arena, buf_str(&b));
}

int
cron_slots(struct client *c, str name, str from, str to, int64_t limit, struct val *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, cron_path(c, "/tidegate/v1", name, "/slots"));
	url_query(&b, "from", from);
	url_query(&b, "to", to);
	url_query(&b, "limit", arena_fmt(c->arena, "%lld", (long long)limit));
	return client_call(c, "GET", buf_str(&b), NULL, out, e);
}

/* ---- list ---------------------------------------------------------------------------------------------------- */

static str
joined(struct arena *a, const struct val *list)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		buf_addf(&b, "%s%.*s", i ? "," : "", STR_ARG(val_text(&list->items[i])));
	return arena_dup(a, buf_str(&b));
}

/* How long ago, or in how long; "N/A": never. */
static str
ago(struct arena *a, int64_t time, bool ahead)
{
	int64_t now = clock_wall_ns();
	return time ? age_text(a, ahead ? time - now : now - time) : S("N/A");
}

static int64_t
next_time(const struct val *v)
{
	return time_member(val_path(v, "status.tidegate"), "nextScheduledTime");
}

static void
list_row(struct table *t, const struct cron_opts *o, struct arena *a, const struct val *v)
{
	const struct val *meta = val_get(v, S("metadata")), *spec = val_get(v, S("spec"));
	const str cells[] = { val_get_str(meta, "namespace"), val_get_str(meta, "name"),
		ago(a, time_member(meta, "creationTimestamp"), false),
		ago(a, time_member(val_get(v, S("status")), "lastScheduledTime"), false), ago(a, next_time(v), true),
		joined(a, val_get(spec, S("schedules"))), val_get_str(spec, "timezone"),
		val_is_true(val_get(spec, S("suspend"))) ? S("true") : S("false") };
	table_row(t, cells + !o->all_namespaces);
}

static void
print_list(const struct cron_opts *o, struct arena *a, const struct val *items)
{
	const str heads[] = { S("NAMESPACE"), S("NAME"), S("AGE"), S("LAST RUN"), S("NEXT RUN"), S("SCHEDULES"),
		S("TIMEZONE"), S("SUSPENDED") };
	struct table t = { .columns = ARRAY_LEN(heads) - !o->all_namespaces, .colors = out_colors(stdout) };
	if (!o->no_headers)
		table_row(&t, heads + !o->all_namespaces);
	for (uint32_t i = 0; i < items->n; i++)
		list_row(&t, o, a, &items->items[i]);
	table_print(&t, stdout);
}

static bool
is(const char *output, const char *word)
{
	return output && strcmp(output, word) == 0;
}

static int
run_list(const void *opts, char **args UNUSED, int n UNUSED)
{
	const struct cron_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct buf path CLEANUP(free_buf) = { 0 };
	struct err e = { 0 };
	struct val list;
	client_init(&c, &o->common);
	if (o->all_namespaces)
		c.ns = S("");
	buf_add(&path, cron_path(&c, "/api/v1", S(""), ""));
	url_query(&path, "listOptions.labelSelector", str_c(o->selector));
	if (client_call(&c, "GET", buf_str(&path), NULL, &list, &e))
		return cli_fail(&e);
	const struct val *items = val_get(&list, S("items")), none = { .kind = VAL_LIST };
	items = val_is(items, VAL_LIST) ? items : &none;
	if (is(o->output, "json") || is(o->output, "yaml"))
		print_value(stdout, items, o->output);
	else if (is(o->output, "name"))
		for (uint32_t i = 0; i < items->n; i++)
			printf("%.*s\n", STR_ARG(val_get_str(val_get(&items->items[i], S("metadata")), "name")));
	else if (items->n)
		print_list(o, c.arena, items);
	else
		puts("No cron workflows found");
	return EXIT_DONE;
}

/* ---- get ----------------------------------------------------------------------------------------------------- */

static void
line(const char *what, str text)
{
	if (text.n)
		printf("%-30s %.*s\n", what, STR_ARG(text));
}

static void
line_time(struct arena *a, const char *what, int64_t time, bool ahead)
{
	if (time)
		line(what, arena_fmt(a, "%.*s (%.*s %s)", STR_ARG(time_rfc3339(a, time)), STR_ARG(ago(a, time, ahead)),
				   ahead ? "from now" : "ago"));
}

static str
number_text(struct arena *a, const struct val *v)
{
	int64_t n;
	return v && val_to_i64(v, &n) ? arena_fmt(a, "%lld", (long long)n) : S("");
}

static str
names_of(struct arena *a, const struct val *active)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (uint32_t i = 0; val_is(active, VAL_LIST) && i < active->n; i++)
		buf_addf(&b, "%s%.*s", i ? ", " : "", STR_ARG(val_get_str(&active->items[i], "name")));
	return arena_dup(a, buf_str(&b));
}

static void
parameter_lines(struct arena *a, const struct val *list)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *v = val_get(val_at(list, i), S("value"));
		if (!i)
			puts("Workflow Parameters:");
		if (v)
			line(arena_fmt(a, "  %.*s:", STR_ARG(val_get_str(val_at(list, i), "name"))).p,
				v->kind == VAL_STR ? val_text(v) : json_write(a, v));
	}
}

static void
print_block(struct arena *a, const struct val *v)
{
	const struct val *meta = val_get(v, S("metadata")), *spec = val_get(v, S("spec")),
			 *status = val_get(v, S("status"));
	const struct val *conditions = val_get(status, S("conditions"));
	line("Name:", val_get_str(meta, "name"));
	line("Namespace:", val_get_str(meta, "namespace"));
	line_time(a, "Created:", time_member(meta, "creationTimestamp"), false);
	line("Schedules:", joined(a, val_get(spec, S("schedules"))));
	line("Timezone:", val_get_str(spec, "timezone"));
	line("Suspended:", val_is_true(val_get(spec, S("suspend"))) ? S("true") : S("false"));
	line("StartingDeadlineSeconds:", number_text(a, val_get(spec, S("startingDeadlineSeconds"))));
	line("ConcurrencyPolicy:", val_get_str(spec, "concurrencyPolicy"));
	line_time(a, "LastScheduledTime:", time_member(status, "lastScheduledTime"), false);
	line_time(a, "NextScheduledTime:", next_time(v), true);
	line("Phase:", val_get_str(status, "phase"));
	line("Succeeded:", number_text(a, val_get(status, S("succeeded"))));
	line("Failed:", number_text(a, val_get(status, S("failed"))));
	line("Active Workflows:", names_of(a, val_get(status, S("active"))));
	for (uint32_t i = 0; val_is(conditions, VAL_LIST) && i < conditions->n; i++)
		line(i ? "" : "Conditions:",
			arena_fmt(a, "%.*s: %.*s", STR_ARG(val_get_str(&conditions->items[i], "type")),
				STR_ARG(val_get_str(&conditions->items[i], "message"))));
	parameter_lines(a, val_path(spec, "workflowSpec.arguments.parameters"));
}

void
cron_print(const char *output, struct arena *a, const struct val *v, bool first)
{
	if (is(output, "json") || is(output, "yaml")) {
		if (!first && is(output, "yaml"))
			puts("---");
		print_value(stdout, v, output);
	} else if (is(output, "name")) {
		printf("%.*s\n", STR_ARG(val_get_str(val_get(v, S("metadata")), "name")));
	} else {
		if (!first)
			putchar('\n');
		print_block(a, v);
	}
}

static int
run_get(const void *opts, char **args, int n)
{
	const struct cron_opts *o = opts;
	struct client c CLEANUP(client_free);
	int worst = EXIT_DONE;
	client_init(&c, &o->common);
	for (int i = 0; i < n; i++) {
		struct err e = { 0 };
		struct val v;
		if (client_call(&c, "GET", cron_path(&c, "/api/v1", str_c(args[i]), ""), NULL, &v, &e))
			worst = cli_fail(&e);
		else
			cron_print(o->output, c.arena, &v, i == 0);
	}
	return worst;
}

/* ---- suspend, resume ----------------------------------------------------------------------------------------- */

static int
hold(const struct cron_opts *o, char **args, int n, bool on)
{
	struct client c CLEANUP(client_free);
	int worst = EXIT_DONE;
	client_init(&c, &o->common);
	for (int i = 0; i < n; i++) {
		struct err e = { 0 };
		struct val_map m = { 0 };
		struct val body = verb_body(&c, str_c(args[i]), &m);
		if (client_call(&c, "PUT", cron_path(&c, "/api/v1", str_c(args[i]), on ? "/suspend" : "/resume"), &body,
			    NULL, &e))
			worst = cli_fail(&e);
		else
			printf("CronWorkflow '%s' %s\n", args[i], on ? "suspended" : "resumed");
	}
	return worst;
}

static int
run_suspend(const void *opts, char **args, int n)
{
	return hold(opts, args, n, true);
}

static int
run_resume(const void *opts, char **args, int n)
{
	return hold(opts, args, n, false);
}

/* ---- next ---------------------------------------------------------------------------------------------------- */

static str
time_here(struct arena *a, int64_t time)
{
	const struct tz *z;
	struct err e;
	return tz_open(a, S("Local"), &z, &e) < 0 ? time_rfc3339(a, time) : tz_go_string(a, z, time);
}

/* That nothing will be started at these times. */
static void
say_held(const struct val *v)
{
	str held = val_get_str(v, "held");
	if (held.n)
		fprintf(stderr, "it would be started then, but %.*s\n", STR_ARG(held));
}

static int
print_slots(struct arena *a, const struct val *v, const char *output)
{
	const struct val *slots = val_get(v, S("slots"));
	str zone = val_get_str(v, "timezone");
	const str heads[] = { arena_fmt(a, "IN %.*s", STR_ARG(zone)), S("HERE"), S("IN") };
	struct table t = { .columns = ARRAY_LEN(heads) };
	if (output) {
		print_value(stdout, v, output);
		return EXIT_DONE;
	}
	if (!val_is(slots, VAL_LIST) || !slots->n) {
		puts("No slot within nine years");
		return EXIT_NEGATIVE;
	}
	table_row(&t, heads);
	for (uint32_t i = 0; i < slots->n; i++) {
		int64_t time = 0;
		struct err e;
		if (time_parse_rfc3339(val_text(&slots->items[i]), &time, &e) < 0)
			return cli_fail(&e);
		const str cells[] = { val_text(val_at(val_get(v, S("local")), i)), time_here(a, time), ago(a, time, true) };
		table_row(&t, cells);
	}
	table_print(&t, stdout);
	say_held(v);
	return EXIT_DONE;
}

static int
run_next(const void *opts, char **args, int n UNUSED)
{
	const struct cron_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	struct val v;
	client_init(&c, &o->common);
	if (cron_slots(&c, str_c(args[0]), S(""), S(""), o->n.set ? o->n.v : NEXT_DEFAULT, &v, &e))
		return cli_fail(&e);
	return print_slots(c.arena, &v, o->output);
}

/* ---- the tables ---------------------------------------------------------------------------------------------- */

#define T struct cron_opts
static const char *const next_outputs[] = { "json", "yaml", NULL };
static const struct cli_option list_options[] = { OPTION(T, all_namespaces, "all-namespaces", 'A', NULL,
							  "Of every namespace."),
	OPTION(T, selector, "selector", 'l', "LABELS", "Those with these labels, as a=b,c!=d."),
	OPTION(T, no_headers, "no-headers", 0, NULL, "No line with the names of the columns."),
	OPTION(T, output, "output", 'o', "FORMAT", "name, wide, json or yaml.", .choices = list_outputs), { 0 } };
static const struct cli_option get_options[] = {
	OPTION(T, output, "output", 'o', "FORMAT", "name, wide, json or yaml.", .choices = cron_outputs), { 0 }
};
static const struct cli_option next_options[] = { OPTION(T, n, "count", 'n', "N", "So many; 20 if not given."),
	OPTION(T, common.ns, "namespace", 0, "NAME", "Namespace; else $ARGO_NAMESPACE, else \"default\"."),
	OPTION(T, output, "output", 'o', "FORMAT", "json or yaml.", .choices = next_outputs), { 0 } };
static const struct cli_option no_options[] = { { 0 } };

#define FORM(verb, ar, what, ex, ops, least, most)                                                                     \
	static const struct command form_##verb = { .name = "cron " #verb,                                             \
		.args = ar,                                                                                            \
		.summary = what,                                                                                       \
		.examples = "  tidegate cron " ex "\n",                                                                \
		.options = ops,                                                                                        \
		.size = sizeof(T),                                                                                     \
		.args_min = least,                                                                                     \
		.args_max = most,                                                                                      \
		.run = run_##verb };
FORM(list, "", "List CronWorkflows.", "list -A", list_options, 0, 0)
FORM(get, "NAME...", "Show CronWorkflows with their status.", "get nightly", get_options, 1, -1)
FORM(suspend, "NAME...", "Have them start nothing for now.", "suspend nightly", no_options, 1, -1)
FORM(resume, "NAME...", "Let them go on; slots meanwhile are not made up for.", "resume nightly", no_options, 1, -1)
FORM(next, "NAME", "Show the next slots, in the zone of the schedule and here.", "next nightly -n 5", next_options, 1,
	1)

extern const struct command form_create_cron, form_update_cron, form_delete_cron, form_cron_lint, form_cron_backfill;

const struct command command_cron = {
	.name = "cron",
	.args = "FORM",
	.summary = "CronWorkflows: workflows that the clock starts.",
	.examples = "  tidegate cron list\n  tidegate cron next nightly\n  tidegate cron suspend nightly\n"
		    "  tidegate cron backfill nightly --from 2026-07-01 --to 2026-07-15 --parallel 2\n",
	.group = (const struct command *const[]){ &form_list, &form_get, &form_suspend, &form_resume, &form_next,
		&form_cron_backfill, &form_create_cron, &form_update_cron, &form_delete_cron, &form_cron_lint, NULL },
};
