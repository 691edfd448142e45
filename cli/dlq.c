/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate dlq: dead letters, which are what could not be processed: list, show, retry, drop. */
#include "cli/client.h"
#include "cli/output.h"
#include "core/clock.h"

struct dlq_opts {
	struct cli_common common;
	const char *sensor, *trigger, *reason, *since, *older, *output;
	struct cli_int limit;
	bool all_namespaces, all, no_headers;
};

static const char *const outputs[] = { "json", "yaml", "wide", NULL };

/* ---- what is meant --------------------------------------------------------------------------------------------------- */

static int
add_time(struct client *c, struct buf *path, const char *arg, const char *ago, struct err *e)
{
	dur d;
	if (!ago)
		return 0;
	if (dur_parse(str_c(ago), &d, e) < 0)
		return -1;
	url_query(path, arg, time_rfc3339(c->arena, clock_wall_ns() - d.ns));
	return 0;
}

static int
dlq_path(struct client *c, const struct dlq_opts *o, const char *what, struct buf *path, struct err *e)
{
	buf_add(path, S("/tidegate/v1/dead-letters/"));
	if (!o->all_namespaces)
		url_escape(path, c->ns);
	buf_add(path, str_c(what));
	url_query(path, "sensor", str_c(o->sensor ? o->sensor : ""));
	url_query(path, "trigger", str_c(o->trigger ? o->trigger : ""));
	url_query(path, "reason", str_c(o->reason ? o->reason : ""));
	return add_time(c, path, "since", o->since, e) < 0 ? -1 : add_time(c, path, "before", o->older, e);
}

/* Whether anything says which letters; else --all must. */
static bool
chooses(const struct dlq_opts *o, int n)
{
	return n || o->all || o->sensor || o->trigger || o->reason || o->since || o->older;
}

/* ---- list, show ------------------------------------------------------------------------------------------------------ */

static void
list_row(struct table *t, const struct dlq_opts *o, struct arena *a, const struct val *v)
{
	const struct val *events = val_get(v, S("events"));
	bool wide = o->output != NULL;
	str reason = val_get_str(v, "reason");
	struct buf ids CLEANUP(free_buf) = { 0 };
	for (uint32_t i = 0; val_is(events, VAL_LIST) && i < events->n && ids.n < 200; i++)
		buf_addf(&ids, "%s%.*s", i ? "," : "", STR_ARG(val_get_str(&events->items[i], "id")));
	str trigger = val_get_str(v, "trigger");
	str cells[7];
	size_t n = 0;
	if (o->all_namespaces)
		cells[n++] = val_get_str(v, "namespace");
	cells[n++] = val_get_str(v, "id");
	cells[n++] = age_text(a, clock_wall_ns() - time_member(v, "time"));
	cells[n++] = val_get_str(v, "sensor");
	cells[n++] = trigger.n ? trigger : S("-");
	if (wide)
		cells[n++] = arena_dup(a, buf_str(&ids));
	cells[n++] = wide || reason.n < 100 ? reason : arena_fmt(a, "%.*s...", 97, reason.p);
	table_row(t, cells);
}

static void
list_table(const struct dlq_opts *o, struct arena *a, const struct val *items)
{
	struct table t = { .columns = 5 + (size_t)(o->output != NULL) + (size_t)o->all_namespaces, .colors = out_colors(stdout) };
	str heads[7];
	size_t n = 0;
	const struct {
		const char *name;
		bool shown;
	} columns[] = { { "NAMESPACE", o->all_namespaces }, { "ID", true }, { "AGE", true }, { "SENSOR", true }, { "TRIGGER", true },
		        { "EVENTS", o->output != NULL }, { "REASON", true } };
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (columns[i].shown)
			heads[n++] = str_c(columns[i].name);
	if (!o->no_headers)
		table_row(&t, heads);
	for (uint32_t i = 0; i < items->n; i++)
		list_row(&t, o, a, &items->items[i]);
	table_print(&t, stdout);
}

static int
run_list(const void *opts, char **args UNUSED, int n UNUSED)
{
	const struct dlq_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct buf path CLEANUP(free_buf) = { 0 };
	struct err e = { 0 };
	struct val out;
	client_init(&c, &o->common);
	if (dlq_path(&c, o, "", &path, &e) < 0)
		return cli_fail(&e);
	url_query(&path, "limit", o->limit.set ? arena_fmt(c.arena, "%lld", (long long)o->limit.v) : STR_NONE);
	if (client_call(&c, "GET", buf_str(&path), NULL, &out, &e))
		return cli_fail(&e);
	const struct val *items = val_get(&out, S("items"));
	if (o->output && strcmp(o->output, "wide") != 0)
		print_value(stdout, items, o->output);
	else if (!val_is(items, VAL_LIST) || !items->n)
		puts("No dead letters found");
	else
		list_table(o, c.arena, items);
	return EXIT_DONE;
}

static int
run_show(const void *opts, char **args, int n)
{
	const struct dlq_opts *o = opts;
	struct client c CLEANUP(client_free);
	int worst = EXIT_DONE;
	client_init(&c, &o->common);
	for (int i = 0; i < n; i++) {
		struct buf path CLEANUP(free_buf) = { 0 };
		struct err e = { 0 };
		struct val out;
		buf_add(&path, S("/tidegate/v1/dead-letters/"));
		url_escape(&path, c.ns);
		buf_addc(&path, '/');
		url_escape(&path, str_c(args[i]));
		if (client_call(&c, "GET", buf_str(&path), NULL, &out, &e))
			worst = cli_fail(&e);
		else
			print_value(stdout, &out, o->output ? o->output : "yaml");
	}
	return worst;
}

/* ---- retry, drop ------------------------------------------------------------------------------------------------------ */

struct totals {
	int64_t count, skipped;
};

static int64_t
number(const struct val *v, const char *name)
{
	int64_t n = 0;
	(void)val_to_i64(val_get(v, str_c(name)), &n); /* the daemon sends numbers */
	return n;
}

/* Page after page, up to the letter that was the newest at first: what fails again comes behind it. */
static int
change(struct client *c, const struct dlq_opts *o, bool retry, str id, struct totals *sum, struct err *e)
{
	int64_t after = 0, until = 0;
	for (;;) {
		struct buf path CLEANUP(free_buf) = { 0 };
		struct val out;
		if (dlq_path(c, o, retry ? "/retry" : "", &path, e) < 0)
			return -1;
		url_query(&path, "id", id);
		url_query(&path, "after", arena_fmt(c->arena, "%lld", (long long)after));
		url_query(&path, "until", arena_fmt(c->arena, "%lld", (long long)until));
		if (client_call(c, retry ? "POST" : "DELETE", buf_str(&path), NULL, &out, e))
			return -1;
		sum->count += number(&out, "count");
		sum->skipped += number(&out, "skipped");
		after = number(&out, "last");
		until = until ? until : number(&out, "newest");
		if (!retry || !after)
			return 0;
	}
}

static int
run_change(const struct command *command, bool retry, const void *opts, char **args, int n)
{
	const struct dlq_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct totals sum = { 0 };
	struct err e = { 0 };
	client_init(&c, &o->common);
	if (!chooses(o, n))
		return cli_usage(command, "which ones? Name ids, choose by --sensor, --trigger, --reason, --since or --older, or say --all");
	int rc = n ? 0 : change(&c, o, retry, STR_NONE, &sum, &e);
	for (int i = 0; i < n && rc == 0; i++)
		rc = change(&c, o, retry, str_c(args[i]), &sum, &e);
	if (rc < 0)
		return cli_fail(&e);
	printf(retry ? "%lld tried again\n" : "%lld dropped\n", (long long)sum.count);
	if (sum.skipped)
		fprintf(stderr, "tidegate: %lld stay: their sensor or trigger does not run now\n", (long long)sum.skipped);
	return sum.skipped || (n && sum.count < n) ? EXIT_NEGATIVE : EXIT_DONE;
}

static const struct command form_dlq_retry, form_dlq_drop;

static int
run_retry(const void *opts, char **args, int n)
{
	return run_change(&form_dlq_retry, true, opts, args, n);
}

static int
run_drop(const void *opts, char **args, int n)
{
	return run_change(&form_dlq_drop, false, opts, args, n);
}

/* ---- tables ----------------------------------------------------------------------------------------------------------- */

#define CHOICE                                                                                                     \
	OPTION(struct dlq_opts, sensor, "sensor", 0, "NAME", "Those of this sensor."),                             \
	OPTION(struct dlq_opts, trigger, "trigger", 0, "NAME", "Those of this trigger."),                          \
	OPTION(struct dlq_opts, reason, "reason", 0, "TEXT", "Those with this text in their reason."),             \
	OPTION(struct dlq_opts, since, "since", 0, "DURATION", "Those that fired since then, as 2h."),             \
	OPTION(struct dlq_opts, older, "older", 0, "DURATION", "Those that fired longer ago.")

static const struct command form_dlq_list = {
	.name = "dlq list",
	.args = "",
	.summary = "List dead letters, oldest first.",
	.examples = "  tidegate dlq list\n  tidegate dlq list --sensor deploy --reason 'answered 404' -o wide\n",
	.options = (const struct cli_option[]){
		CHOICE,
		OPTION(struct dlq_opts, all_namespaces, "all-namespaces", 'A', NULL, "Of every namespace."),
		OPTION(struct dlq_opts, limit, "limit", 0, "N", "At most so many (100)."),
		OPTION(struct dlq_opts, no_headers, "no-headers", 0, NULL, "No line with the names of the columns."),
		OPTION(struct dlq_opts, output, "output", 'o', "FORMAT", "json, yaml or wide.", .choices = outputs),
		{ 0 },
	},
	.size = sizeof(struct dlq_opts),
	.run = run_list,
};

static const char *const show_outputs[] = { "json", "yaml", NULL };
static const struct command form_dlq_show = {
	.name = "dlq show",
	.args = "ID...",
	.summary = "Show dead letters with their events.",
	.examples = "  tidegate dlq show 5764f80be27611546f65c835fb5d61ad\n",
	.options = (const struct cli_option[]){
		OPTION(struct dlq_opts, output, "output", 'o', "FORMAT", "json or yaml.", .choices = show_outputs),
		{ 0 },
	},
	.size = sizeof(struct dlq_opts),
	.args_min = 1,
	.args_max = -1,
	.run = run_show,
};

static const struct command form_dlq_retry = {
	.name = "dlq retry",
	.args = "[ID...]",
	.summary = "Try dead letters again, from their first attempt on.",
	.examples = "  tidegate dlq retry --sensor deploy --reason 'answered 503'\n  tidegate dlq retry --all\n",
	.doc = "Under the manifests of now. What fails again is a dead letter again. Exit code 3 if some stay because their sensor or trigger "
	       "does not run.",
	.options = (const struct cli_option[]){
		CHOICE,
		OPTION(struct dlq_opts, all, "all", 0, NULL, "All of the namespace."),
		{ 0 },
	},
	.size = sizeof(struct dlq_opts),
	.args_max = -1,
	.run = run_retry,
};

static const struct command form_dlq_drop = {
	.name = "dlq drop",
	.args = "[ID...]",
	.summary = "Drop dead letters for good.",
	.examples = "  tidegate dlq drop --older 720h\n  tidegate dlq drop --all\n",
	.options = (const struct cli_option[]){
		CHOICE,
		OPTION(struct dlq_opts, all, "all", 0, NULL, "All of the namespace."),
		{ 0 },
	},
	.size = sizeof(struct dlq_opts),
	.args_max = -1,
	.run = run_drop,
};

const struct command command_dlq = {
	.name = "dlq",
	.args = "FORM",
	.summary = "Dead letters: what could not be processed, with the reason.",
	.examples = "  tidegate dlq list\n  tidegate dlq show ID\n  tidegate dlq retry --sensor deploy\n  tidegate dlq drop --older 720h\n",
	.group = (const struct command *const[]){ &form_dlq_list, &form_dlq_show, &form_dlq_retry, &form_dlq_drop, NULL },
};
