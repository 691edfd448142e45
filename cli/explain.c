/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate explain: why something did or did not happen. The daemon has the words (api/rest_explain.c); here they find their places. */
#include "cli/output.h"
#include "cli/workflows.h"
#include "core/clock.h"

struct explain_opts {
	struct cli_common common;
	const char *event, *since, *output;
};

static const char *const explain_outputs[] = { "json", "yaml", NULL };

static void
print_sign(str verdict)
{
	const char *color = out_colors(stdout) ? phase_color(verdict) : "";
	printf("%s%s%s%s%s", *color ? "\033[" : "", color, *color ? "m" : "", phase_sign(verdict, S(""), true), *color ? "\033[0m" : "");
}

static str
in_brackets(struct arena *a, str place)
{
	return place.n ? arena_fmt(a, " (%.*s)", STR_ARG(place)) : S("");
}

static int64_t
number(const struct val *map, const char *name)
{
	int64_t n = 0;
	(void)val_to_i64(val_get(map, str_c(name)), &n); /* absent is none */
	return n;
}

/* Each item of a list of maps or texts. */
#define EACH(list, item) \
	for (uint32_t each_##item = 0; val_is(list, VAL_LIST) && each_##item < (list)->n; each_##item++) \
		for (const struct val *item = &(list)->items[each_##item]; item; item = NULL)

static void
print_advice(const struct val *of, const char *indent)
{
	str advice = val_get_str(of, "advice");
	if (advice.n)
		printf("%swhat it takes: %.*s\n", indent, STR_ARG(advice));
}

/* ---- an event at a sensor -------------------------------------------------------------------------------------------- */

static void
print_decision(const struct val *d, struct arena *a)
{
	str trigger = val_get_str(d, "trigger"), place = in_brackets(a, val_get_str(d, "place")), held = val_get_str(d, "held");
	const struct val *tries = val_get(d, S("tries"));
	if (trigger.n)
		printf("  trigger %.*s%.*s\n", STR_ARG(trigger), STR_ARG(place));
	printf("  %s", trigger.n ? "  " : "");
	print_sign(val_get_str(d, "verdict"));
	printf(" %.*s\n", STR_ARG(val_get_str(d, "text")));
	if (held.n)
		printf("      it was held back at first: %.*s\n", STR_ARG(held));
	EACH(tries, t)
		printf("      %.*s attempt %u failed: %.*s\n", STR_ARG(time_rfc3339(a, time_member(t, "time"))), each_t + 1, STR_ARG(val_get_str(t, "error")));
	print_advice(d, trigger.n ? "      " : "    ");
}

static void
print_way(const struct val *w, struct arena *a)
{
	str place = in_brackets(a, val_get_str(w, "place"));
	const struct val *checks = val_get(w, S("checks")), *decisions = val_get(w, S("decisions"));
	printf("\ndependency %.*s%.*s\n", STR_ARG(val_get_str(w, "dependency")), STR_ARG(place));
	if (val_is_true(val_get(w, S("changedSince"))))
		printf("  by the manifest as it was then; it has changed since\n");
	EACH(checks, c) {
		printf("  ");
		print_sign(val_get_str(c, "verdict"));
		printf(" %.*s\n", STR_ARG(val_get_str(c, "text")));
	}
	str note = val_get_str(w, "note");
	if (note.n)
		printf("  %.*s\n", STR_ARG(note));
	EACH(decisions, d)
		print_decision(d, a);
}

static void
print_event(const struct val *v, struct arena *a)
{
	const struct val *ev = val_get(v, S("event")), *ways = val_get(v, S("ways"));
	str place = in_brackets(a, val_get_str(v, "place"));
	printf("sensor %.*s/%.*s%.*s\n", STR_ARG(val_get_str(v, "namespace")), STR_ARG(val_get_str(v, "sensor")), STR_ARG(place));
	printf("event %.*s", STR_ARG(val_get_str(ev, "id")));
	if (val_get(ev, S("source")))
		printf("  %.*s  %.*s/%.*s  %lldB", STR_ARG(time_rfc3339(a, time_member(ev, "time"))), STR_ARG(val_get_str(ev, "source")),
		       STR_ARG(val_get_str(ev, "subject")), (long long)number(ev, "size"));
	printf("\n");
	EACH(ways, w)
		print_way(w, a);
	str summary = val_get_str(v, "summary");
	bool told = val_at(val_get(val_at(ways, 0), S("decisions")), 0);
	if (!told)
		printf("\ndid not fire: %.*s\n", STR_ARG(summary));
	else if (val_at(ways, 1) || val_at(val_get(val_at(ways, 0), S("decisions")), 1))
		printf("\n%.*s\n", STR_ARG(summary));
}

/* 0: it fired. Of a sensor as a whole: the number of those that did. */
static int
code_of_sensor(const struct val *v)
{
	return val_is_true(val_get(v, S("fired"))) || number(v, "fired") ? EXIT_DONE : EXIT_NEGATIVE;
}

/* ---- a sensor --------------------------------------------------------------------------------------------------------- */

static void
print_reasons(const struct val *reasons, struct arena *a)
{
	struct table t = { .columns = 5, .colors = out_colors(stdout) };
	table_row(&t, (const str[]){ S("COUNT"), S("LAST"), S("VERDICT"), S("AT"), S("REASON OF THE LATEST") });
	EACH(reasons, r) {
		str trigger = val_get_str(r, "trigger"), at = trigger.n ? trigger : val_get_str(r, "dependency");
		table_row(&t, (const str[]){ arena_fmt(a, "%lld", (long long)number(r, "count")), age_text(a, clock_wall_ns() - time_member(r, "last")),
			val_get_str(r, "verdict"), at, val_get_str(r, "reason") });
	}
	putchar('\n');
	table_print(&t, stdout);
}

static void
print_sensor(const struct val *v, struct arena *a)
{
	const struct val *reasons = val_get(v, S("reasons")), *triggers = val_get(v, S("triggers")), *deps = val_get(v, S("dependencies"));
	str place = in_brackets(a, val_get_str(v, "place"));
	printf("sensor %.*s/%.*s%.*s  %.*s%s\n", STR_ARG(val_get_str(v, "namespace")), STR_ARG(val_get_str(v, "sensor")), STR_ARG(place),
	       STR_ARG(val_get_str(v, "state")), val_is_true(val_get(v, S("behind"))) ? ", has not read its bus to the end" : "");
	EACH(deps, d) {
		str at = in_brackets(a, val_get_str(d, "place")), problem = val_get_str(d, "problem");
		printf("dependency %.*s: %.*s/%.*s%.*s%s%.*s\n", STR_ARG(val_get_str(d, "name")), STR_ARG(val_get_str(d, "source")),
		       STR_ARG(val_get_str(d, "event")), STR_ARG(at), problem.n ? ": " : "", STR_ARG(problem));
	}
	EACH(triggers, t) {
		const struct val *lines = val_get(t, S("text"));
		str at = in_brackets(a, val_get_str(t, "place"));
		printf("trigger %.*s%.*s\n", STR_ARG(val_get_str(t, "name")), STR_ARG(at));
		EACH(lines, l)
			printf("    %.*s\n", STR_ARG(val_text(l)));
	}
	if (number(v, "deadLetters"))
		printf("dead letters: %lld, see tidegate dlq list --sensor %.*s\n", (long long)number(v, "deadLetters"), STR_ARG(val_get_str(v, "sensor")));
	if (number(v, "decisions"))
		print_reasons(reasons, a);
	else
		printf("\nno event has come that one of its dependencies names\n");
}

/* ---- a source, a schedule --------------------------------------------------------------------------------------------- */

static void
print_sources(const struct val *v, struct arena *a)
{
	const struct val *sources = val_get(v, S("sources"));
	EACH(sources, s) {
		const struct val *last = val_get(s, S("lastEvent"));
		str place = in_brackets(a, val_get_str(s, "place")), url = val_get_str(s, "url");
		printf("%.*s/%.*s/%.*s (%.*s)%.*s\n  ", STR_ARG(val_get_str(s, "namespace")), STR_ARG(val_get_str(s, "eventSource")),
		       STR_ARG(val_get_str(s, "event")), STR_ARG(val_get_str(s, "type")), STR_ARG(place));
		print_sign(str_eq(val_get_str(s, "state"), S("running")) ? S("fired") : S("error"));
		printf(" %.*s%s%.*s\n", STR_ARG(val_get_str(s, "text")), url.n ? ", at " : "", STR_ARG(url));
		str error = val_get_str(s, "lastError");
		if (error.n)
			printf("  last error, %.*s: %.*s\n", STR_ARG(val_get_str(s, "lastErrorTime")), STR_ARG(error));
		if (last)
			printf("  last event %.*s, %.*s ago\n", STR_ARG(val_get_str(last, "id")), STR_ARG(age_text(a, clock_wall_ns() - time_member(last, "time"))));
		else
			printf("  no event of it is in the log\n");
	}
}

static int
code_of_source(const struct val *v)
{
	return val_is_true(val_get(v, S("connected"))) ? EXIT_DONE : EXIT_NEGATIVE;
}

static void
print_schedules(const struct val *v, struct arena *a)
{
	const struct val *schedules = val_get(v, S("schedules"));
	EACH(schedules, s) {
		const struct val *next = val_get(s, S("next"));
		str event = val_get_str(s, "event"), name = event.n ? val_get_str(s, "eventSource") : val_get_str(s, "name"), text = val_get_str(s, "text");
		str place = in_brackets(a, val_get_str(s, "place")), last = val_get_str(s, "last"), fired = val_get_str(s, "lastTick");
		printf("%.*s%s%.*s%.*s  %.*s %.*s\n", STR_ARG(name), event.n ? "/" : "", STR_ARG(event), STR_ARG(place), STR_ARG(val_get_str(s, "schedule")),
		       STR_ARG(val_get_str(s, "timezone")));
		if (last.n)
			printf("  last slot %.*s\n", STR_ARG(last));
		if (fired.n)
			printf("  last fired %.*s\n", STR_ARG(fired));
		EACH(next, at)
			printf("  next slot %.*s\n", STR_ARG(val_text(at)));
		if (text.n)
			printf("  %.*s\n", STR_ARG(text));
	}
}

static int
code_of_schedule(const struct val *v)
{
	const struct val *schedules = val_get(v, S("schedules"));
	EACH(schedules, s)
		if (val_at(val_get(s, S("next")), 0) && !val_is_true(val_get(s, S("held"))))
			return EXIT_DONE;
	return EXIT_NEGATIVE;
}

/* ---- a workflow ------------------------------------------------------------------------------------------------------- */

static void
explain_workflow(const struct val *v, struct arena *a)
{
	const struct val *reasons = val_get(v, S("reasons"));
	str phase = val_get_str(v, "phase");
	printf("workflow %.*s/%.*s  %.*s\n%.*s\n", STR_ARG(val_get_str(v, "namespace")), STR_ARG(val_get_str(v, "name")),
	       STR_ARG(phase.n ? phase : S("Pending")), STR_ARG(val_get_str(v, "summary")));
	EACH(reasons, r) {
		str place = in_brackets(a, val_get_str(r, "place"));
		printf("  ");
		print_sign(val_get_str(r, "phase"));
		printf(" %.*s%.*s: %.*s\n", STR_ARG(val_get_str(r, "node")), STR_ARG(place), STR_ARG(val_get_str(r, "text")));
		print_advice(r, "      ");
	}
}

static int
code_of_workflow(const struct val *v)
{
	str phase = val_get_str(v, "phase");
	if (str_eq(phase, S("Failed")) || str_eq(phase, S("Error")))
		return EXIT_FAILED;
	return val_is_true(val_get(v, S("waits"))) ? EXIT_NEGATIVE : EXIT_DONE;
}

/* ---- the command ------------------------------------------------------------------------------------------------------- */

/* What can be explained, as it is called; the first is meant where no kind is named. */
static const struct explained {
	const char *names[4];
	const char *path;
	void (*print)(const struct val *v, struct arena *a);
	int (*code)(const struct val *v);
} kinds[] = {
	{ { "sensor", "sensors" }, "sensors", print_sensor, code_of_sensor },
	{ { "source", "sources", "eventsource" }, "sources", print_sources, code_of_source },
	{ { "schedule", "schedules", "cron" }, "schedules", print_schedules, code_of_schedule },
	{ { "workflow", "workflows", "wf" }, "workflows", explain_workflow, code_of_workflow },
};

static const struct explained *
kind_named(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (size_t k = 0; k < ARRAY_LEN(kinds[i].names) && kinds[i].names[k]; k++)
			if (strcmp(word, kinds[i].names[k]) == 0)
				return &kinds[i];
	return NULL;
}

static int
path_of(struct client *c, const struct explain_opts *o, const struct explained *kind, str name, struct buf *path, struct err *e)
{
	bool has_entry = strcmp(kind->path, "sources") == 0 || strcmp(kind->path, "schedules") == 0;
	str rest = name, head = has_entry ? str_cut(&rest, '/') : name;
	dur d;
	buf_addf(path, "/tidegate/v1/explain/%s/", kind->path);
	url_escape(path, c->ns);
	buf_addc(path, '/');
	url_escape(path, head);
	url_query(path, "event", o->event ? str_c(o->event) : has_entry ? rest : STR_NONE);
	if (!o->since)
		return 0;
	if (dur_parse(str_c(o->since), &d, e) < 0)
		return err_wrap(e, "--since");
	url_query(path, "since", time_rfc3339(c->arena, clock_wall_ns() - d.ns));
	return 0;
}

static int
run_explain(const void *opts, char **args, int n)
{
	const struct explain_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct buf path CLEANUP(free_buf) = { 0 };
	const struct explained *kind = n > 1 ? kind_named(args[0]) : &kinds[0];
	struct err e = { 0 };
	struct val v;
	client_init(&c, &o->common);
	if (!kind)
		return cli_usage(&command_explain, "%s: there is sensor, source, schedule and workflow", args[0]);
	if ((o->event || o->since) && kind != &kinds[0])
		return cli_usage(&command_explain, "--event and --since are for sensors");
	if (path_of(&c, o, kind, str_c(args[n - 1]), &path, &e) < 0)
		return cli_usage(&command_explain, "%s", e.msg);
	if (client_call(&c, "GET", buf_str(&path), NULL, &v, &e))
		return cli_fail(&e);
	if (o->output)
		print_value(stdout, &v, o->output);
	else if (o->event)
		print_event(&v, c.arena);
	else
		kind->print(&v, c.arena);
	return kind->code(&v);
}

const struct command command_explain = {
	.name = "explain",
	.args = "[sensor|source|schedule|workflow] NAME",
	.summary = "Why something did or did not happen.",
	.examples = "  tidegate explain deploy                  the sensor's last decisions, counted by reason, and what it waits for\n"
	            "  tidegate explain deploy --event ID       the way of that event, step by step, with the manifest's lines\n"
	            "  tidegate explain source github           whether it is connected, since when, its last event\n"
	            "  tidegate explain schedule nightly        last and next slots of a CronWorkflow or a calendar\n"
	            "  tidegate explain workflow build-x7k2f    why it waits, skipped or failed\n",
	.doc = "Exit code 0: it fired, is connected, has a next slot, or did not fail and does not wait; 3: it did not, is not, has none, or waits; "
	       "1: the workflow failed.",
	.options = (const struct cli_option[]){
		OPTION(struct explain_opts, event, "event", 0, "ID", "The event, as `tidegate events` shows it."),
		OPTION(struct explain_opts, since, "since", 0, "DURATION", "Count decisions since then, as 1h."),
		OPTION(struct explain_opts, output, "output", 'o', "FORMAT", "json or yaml.", .choices = explain_outputs),
		{ 0 },
	},
	.size = sizeof(struct explain_opts),
	.args_min = 1,
	.args_max = 2,
	.run = run_explain,
};
