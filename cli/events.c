/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate events, emit: what came in and what became of it; and putting something in by hand. */
#include "cli/again.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/workflows.h"
#include "core/clock.h"

struct events_opts {
	struct cli_common common;
	const char *source, *event, *since, *output;
	struct cli_int limit;
	const char *id;
	bool watch, all_namespaces, data;
};

static const char *const event_outputs[] = { "json", "wide", NULL };

/* Whence it came once more. */
static void
print_trace(const struct val *ev)
{
	static const char *const traces[][2] = { { "replayOf", "replay of" }, { "likeOf", "like" }, { "replayFor", "for sensor" } };
	for (size_t i = 0; i < ARRAY_LEN(traces); i++)
		if (val_get(ev, str_c(traces[i][0])))
			printf("  %s %.*s", traces[i][1], STR_ARG(val_get_str(ev, traces[i][0])));
}

/* What it carries, if that was asked for. */
static void
print_data(const struct val *ev, struct arena *a)
{
	const struct val *data = val_get(ev, S("data")), *bytes = val_get(ev, S("data_base64"));
	if (data)
		printf("    data: %.*s\n", STR_ARG(json_write(a, data)));
	else if (bytes)
		printf("    data, base64: %.*s\n", STR_ARG(val_text(bytes)));
}

/* The event itself in a line, each decision indented below it: sensor/trigger, verdict, and the reason. */
static void
print_event(const struct val *ev, struct arena *a)
{
	bool colors = out_colors(stdout);
	const struct val *decisions = val_get(ev, S("decisions"));
	int64_t size = 0;
	(void)val_to_i64(val_get(ev, S("size")), &size);
	printf("%.*s  %.*s  %.*s/%.*s  %lldB", STR_ARG(time_rfc3339(a, time_member(ev, "time"))), STR_ARG(val_get_str(ev, "id")),
	       STR_ARG(val_get_str(ev, "source")), STR_ARG(val_get_str(ev, "subject")), (long long)size);
	print_trace(ev);
	putchar('\n');
	if (!val_is(decisions, VAL_LIST) || decisions->n == 0)
		printf("    no sensor depends on it\n");
	for (uint32_t i = 0; val_is(decisions, VAL_LIST) && i < decisions->n; i++) {
		const struct val *d = &decisions->items[i];
		str verdict = val_get_str(d, "verdict"), trigger = val_get_str(d, "trigger"), reason = val_get_str(d, "reason");
		const struct val *result = val_get(d, S("result"));
		const char *color = colors ? phase_color(verdict) : "";
		printf("    %s%s%s%s %.*s%s  %.*s%s%.*s", *color ? "\033[" : "", color, *color ? "m" : "", phase_sign(verdict, S(""), true), STR_ARG(verdict),
		       *color ? "\033[0m" : "", STR_ARG(val_get_str(d, "sensor")), trigger.n ? "/" : "", STR_ARG(trigger));
		if (reason.n)
			printf(": %.*s", STR_ARG(reason));
		if (val_is(result, VAL_MAP) && result->n)
			printf(" -> %.*s", STR_ARG(json_write(a, result)));
		putchar('\n');
	}
	print_data(ev, a);
	fflush(stdout);
}

struct events_print {
	const char *output;
	int64_t left; /* -1: no end */
};

static bool
events_line(void *arg, const struct val *v, struct arena *tmp)
{
	struct events_print *p = arg;
	const struct val *ev = val_get(v, S("result"));
	if (!ev)
		return true;
	if (p->output && strcmp(p->output, "json") == 0)
		printf("%.*s\n", STR_ARG(json_write(tmp, ev)));
	else
		print_event(ev, tmp);
	fflush(stdout);
	return p->left < 0 || --p->left > 0;
}

static int
run_events(const void *opts, char **args, int n)
{
	const struct events_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct buf path CLEANUP(free_buf) = { 0 };
	struct err e = { 0 };
	client_init(&c, &o->common);
	str event = n ? str_c(args[0]) : STR_NONE, source = str_cut(&event, '/');
	buf_add(&path, S("/tidegate/v1/events/"));
	if (!o->all_namespaces)
		url_escape(&path, c.ns);
	url_query(&path, "source", source);
	url_query(&path, "event", event);
	url_query(&path, "limit", o->limit.set && !o->watch ? arena_fmt(c.arena, "%lld", (long long)o->limit.v) : STR_NONE);
	url_query(&path, "id", o->id ? str_c(o->id) : STR_NONE);
	url_query(&path, "data", o->data ? S("true") : STR_NONE);
	url_query(&path, "watch", o->watch ? S("true") : STR_NONE);
	if (o->since) {
		dur d;
		if (dur_parse(str_c(o->since), &d, &e))
			return cli_usage(&command_events, "--since: %s", e.msg);
		url_query(&path, "since", time_rfc3339(c.arena, clock_wall_ns() - d.ns));
	}
	struct events_print p = { o->output, o->watch && o->limit.set ? o->limit.v : -1 };
	if (client_stream(&c, buf_str(&path), events_line, &p, &e))
		return cli_fail(&e);
	return EXIT_DONE;
}

const struct command command_events = {
	.name = "events",
	.args = "[SOURCE[/EVENT]]",
	.summary = "What came in, and what became of it.",
	.examples = "  tidegate events                  the last ones, oldest first, with what each sensor decided and why\n"
	            "  tidegate events -w               and those to come\n"
	            "  tidegate events github/push --since 1h\n"
	            "  tidegate events --id 01a218fdb73d714ca1dc7950cb864e75 --data\n",
	.options = (const struct cli_option[]){
		OPTION(struct events_opts, watch, "watch", 'w', NULL, "Go on with those to come."),
		OPTION(struct events_opts, limit, "limit", 0, "N", "At most so many (20); with --watch: end after so many."),
		OPTION(struct events_opts, since, "since", 0, "DURATION", "Those that came since, as 1h."),
		OPTION(struct events_opts, id, "id", 0, "ID", "The one with that id."),
		OPTION(struct events_opts, data, "data", 'd', NULL, "With what they carry."),
		OPTION(struct events_opts, all_namespaces, "all-namespaces", 'A', NULL, "Of every namespace."),
		OPTION(struct events_opts, output, "output", 'o', "FORMAT", "json: one object a line.", .choices = event_outputs),
		{ 0 },
	},
	.size = sizeof(struct events_opts),
	.args_max = 1,
	.run = run_events,
};

/* ---- emit --------------------------------------------------------------------------------------------------- */

struct emit_opts {
	struct cli_common common;
	const char *file, *data, *like;
	struct cli_texts sets;
};

static int
run_like(struct client *c, const struct emit_opts *o)
{
	struct err e = { 0 };
	str made;
	if (emit_like(c, o->like, &o->sets, &made, &e) < 0)
		return cli_fail(&e);
	printf("%.*s\n", STR_ARG(made));
	return EXIT_DONE;
}

static int
run_emit(const void *opts, char **args, int n)
{
	const struct emit_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct buf path CLEANUP(free_buf) = { 0 };
	struct err e = { 0 };
	struct val answer;
	str body = STR_NONE;
	client_init(&c, &o->common);
	if (o->like && (n || o->data || o->file))
		return cli_usage(&command_emit, "--like takes source and data of the event that it names");
	if (o->like)
		return run_like(&c, o);
	if (!n || o->sets.n)
		return cli_usage(&command_emit, n ? "--set changes the data of an event: name it by --like" : "which event? SOURCE/EVENT, or --like ID");
	str event = str_c(args[0]), source = str_cut(&event, '/');
	if (!source.n || !event.n)
		return cli_usage(&command_emit, "%s: write it as SOURCE/EVENT", args[0]);
	if (o->data && o->file)
		return cli_usage(&command_emit, "--data and --file exclude each other");
	if (o->file && file_read(o->file, c.arena, &body, &e))
		return cli_fail(&e);
	buf_add(&path, S("/tidegate/v1/emit/"));
	url_escape(&path, c.ns);
	buf_addc(&path, '/');
	url_escape(&path, source);
	buf_addc(&path, '/');
	url_escape(&path, event);
	str text, data = o->data ? str_c(o->data) : o->file ? body : S("{}");
	if (client_raw(&c, "POST", buf_str(&path), data, &text, &e) || json_read(c.arena, text, &answer, &e))
		return cli_fail(&e);
	printf("%.*s\n", STR_ARG(val_get_str(&answer, "id")));
	return EXIT_DONE;
}

const struct command command_emit = {
	.name = "emit",
	.args = "[SOURCE/EVENT]",
	.summary = "Put an event in, as if its source had received it.",
	.examples = "  tidegate emit webhook/example -d '{\"message\":\"hi\"}'\n  tidegate emit github/push -f payload.json\n"
		    "  tidegate emit --like 019c0b2a8d2f7a64b1c1a5f3f0f0a4d1 --set body.ref=refs/heads/main\n",
	.doc = "Prints the event's id once it is stored. The event goes the way of any other: filters, sensors, triggers.\n"
	       "--like makes one like an event that is stored, also if its source is gone by now; --set changes its data: the path is that of a parameter's\n"
	       "dest, the value is JSON if it is any, and else a text. `tidegate replay` hands in the same event again.",
	.options = (const struct cli_option[]){
		OPTION(struct emit_opts, file, "file", 'f', "FILE", "The event's data; - is standard input."),
		OPTION(struct emit_opts, data, "data", 'd', "TEXT", "The event's data as given; {} if there is none."),
		OPTION(struct emit_opts, like, "like", 0, "ID", "Like the stored event of that id."),
		OPTION(struct emit_opts, sets, "set", 0, "PATH=VALUE", "With --like: change that in its data; may be repeated."),
		{ 0 },
	},
	.size = sizeof(struct emit_opts),
	.args_max = 1,
	.run = run_emit,
};
