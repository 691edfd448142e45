/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate wait, watch, logs. */
#include "cli/output.h"
#include "cli/workflows.h"
#include "core/clock.h"

struct wait_opts {
	struct cli_common common;
	bool ignore_not_found;
};

static int
run_wait(const void *opts, char **args, int n)
{
	const struct wait_opts *o = opts;
	struct client c CLEANUP(client_free);
	int worst = EXIT_DONE;
	client_init(&c, &o->common);
	for (int i = 0; i < n; i++) {
		str phase = STR_NONE;
		struct val seen;
		struct err e = { 0 };
		if (o->ignore_not_found && client_call(&c, "GET", workflow_path(&c, str_c(args[i]), ""), NULL, &seen, &e) && e.code == ERR_NOT_FOUND)
			continue;
		int code = follow_workflow(&c, str_c(args[i]), false, &phase);
		if (phase.n)
			printf("%s %.*s at %.*s\n", args[i], STR_ARG(phase), STR_ARG(time_rfc3339(c.arena, clock_wall_ns())));
		worst = code > worst ? code : worst;
	}
	return worst;
}

const struct command command_wait = {
	.name = "wait",
	.args = "WORKFLOW...",
	.summary = "Wait until workflows have ended.",
	.examples = "  tidegate wait build-x7k2f && echo good\n  tidegate wait @latest\n",
	.doc = "Exits with 0 if all succeeded, with 1 if one did not.",
	.options = (const struct cli_option[]){
		OPTION(struct wait_opts, ignore_not_found, "ignore-not-found", 0, NULL, "A workflow that does not exist has ended."),
		{ 0 },
	},
	.size = sizeof(struct wait_opts),
	.args_min = 1,
	.args_max = -1,
	.run = run_wait,
};

static int
run_watch(const void *opts, char **args, int n UNUSED)
{
	const struct wait_opts *o = opts;
	struct client c CLEANUP(client_free);
	str phase;
	client_init(&c, &o->common);
	return follow_workflow(&c, str_c(args[0]), true, &phase);
}

const struct command command_watch = {
	.name = "watch",
	.args = "WORKFLOW",
	.summary = "Show a workflow while it runs.",
	.examples = "  tidegate watch build-x7k2f\n  tidegate watch @latest\n",
	.doc = "On a terminal the tree is painted over itself; elsewhere each change is a line.",
	.options = (const struct cli_option[]){ { 0 } },
	.size = sizeof(struct wait_opts),
	.args_min = 1,
	.args_max = 1,
	.run = run_watch,
};

/* ---- logs --------------------------------------------------------------------------------------------------- */

struct logs_opts {
	struct cli_common common;
	const char *container, *since, *since_time, *grep, *selector;
	struct cli_int tail;
	bool follow, previous, timestamps;
};

static int
logs_query(const struct logs_opts *o, struct arena *a, struct buf *q, struct err *e)
{
	url_query(q, "logOptions.container", str_c(o->container));
	url_query(q, "grep", str_c(o->grep));
	url_query(q, "selector", str_c(o->selector));
	url_query(q, "logOptions.follow", o->follow ? S("true") : S(""));
	url_query(q, "logOptions.previous", o->previous ? S("true") : S(""));
	url_query(q, "logOptions.timestamps", o->timestamps ? S("true") : S(""));
	if (o->tail.set)
		url_query(q, "logOptions.tailLines", arena_fmt(a, "%lld", (long long)o->tail.v));
	if (o->since) {
		dur d;
		if (dur_parse(str_c(o->since), &d, e))
			return err_wrap(e, "--since");
		url_query(q, "logOptions.sinceSeconds", arena_fmt(a, "%lld", (long long)(d.ns / NS_PER_SEC)));
	}
	if (o->since_time) {
		int64_t at;
		if (time_parse_rfc3339(str_c(o->since_time), &at, e))
			return err_wrap(e, "--since-time");
		url_query(q, "logOptions.sinceTime.seconds", arena_fmt(a, "%lld", (long long)(at / NS_PER_SEC)));
	}
	return 0;
}

static int
run_logs(const void *opts, char **args, int n)
{
	const struct logs_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct buf query CLEANUP(free_buf) = { 0 };
	struct err e = { 0 };
	client_init(&c, &o->common);
	if (logs_query(o, c.arena, &query, &e))
		return cli_usage(&command_logs, "%s", e.msg);
	return follow_logs(&c, str_c(args[0]), n > 1 ? args[1] : NULL, buf_str(&query), false);
}

const struct command command_logs = {
	.name = "logs",
	.args = "WORKFLOW [POD]",
	.summary = "Print what a workflow's steps wrote.",
	.examples = "  tidegate logs build-x7k2f\n  tidegate logs -f @latest\n  tidegate logs @latest --grep 'error|warning' --tail 100\n",
	.options = (const struct cli_option[]){
		OPTION(struct logs_opts, follow, "follow", 'f', NULL, "Go on until the workflow has ended."),
		OPTION(struct logs_opts, container, "container", 'c', "NAME", "Container; main if not given."),
		OPTION(struct logs_opts, grep, "grep", 0, "REGEXP", "Only lines that match."),
		OPTION(struct logs_opts, selector, "selector", 'l', "LABELS", "Only pods with these labels."),
		OPTION(struct logs_opts, tail, "tail", 0, "N", "Only the last lines."),
		OPTION(struct logs_opts, since, "since", 0, "DURATION", "Only lines newer than this, as 5m."),
		OPTION(struct logs_opts, since_time, "since-time", 0, "TIME", "Only lines after this time (RFC 3339)."),
		OPTION(struct logs_opts, timestamps, "timestamps", 0, NULL, "Begin each line with its time."),
		OPTION(struct logs_opts, previous, "previous", 'p', NULL, "Of the attempt before the last."),
		{ 0 },
	},
	.size = sizeof(struct logs_opts),
	.args_min = 1,
	.args_max = 2,
	.run = run_logs,
};
