/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate cron backfill: the workflows of slots of the past, oldest first, a few at a time. Each has the name that the
 * clock would have given it, or one of the backfill that --name names; so that a second call goes on where the first was
 * broken off, and nothing that was started is started again.
 */
#include "cli/cron.h"
#include "cli/cron_times.h"
#include "cli/output.h"
#include "cli/workflows.h"
#include "core/clock.h"

enum { PAGE = 1000, PARALLEL_MAX = 1000 };

struct backfill_opts {
	struct cli_common common;
	const char *from, *to, *parallel, *name, *argument, *format;
	struct cli_int most;
	bool dry_run;
};

struct backfill {
	struct client c;
	const struct backfill_opts *o;
	str name;
	size_t parallel;
	VEC(str) open; /* names of workflows that were started, oldest first, from `at` on */
	size_t at;
	size_t started, there, failed; /* started: or shown, with --dry-run */
	bool cut; /* --maxworkflowcount has been reached */
};

static void
wait_for_one(struct backfill *b)
{
	str phase = STR_NONE, name = b->open.p[b->at++];
	bool good = follow_workflow(&b->c, name, false, &phase) == EXIT_DONE;
	b->failed += !good;
	printf("%.*s %.*s\n", STR_ARG(name), STR_ARG(phase.n ? phase : S("cannot be followed")));
	fflush(stdout);
}

/* "cronScheduleTime=2026-07-01 02:30:00 +0200 CEST": the workflow is told which slot it is for, as argo does. */
static struct val
argument_of(const struct backfill *b, str local)
{
	struct val_list list = { 0 };
	str text = cron_time_text(local, b->o->format, b->c.arena);
	val_list_add(&list,
		val_str(arena_fmt(b->c.arena, "%s=%.*s", b->o->argument ? b->o->argument : "cronScheduleTime",
			STR_ARG(text))));
	return val_list_end(&list, b->c.arena);
}

static int
start(struct backfill *b, str slot, str local, struct err *e)
{
	struct val_map m = { 0 };
	struct val workflow;
	val_map_add(&m, S("scheduledTime"), val_str(slot));
	val_map_add_str(&m, S("name"), str_c(b->o->name));
	val_map_add(&m, S("parameters"), argument_of(b, local));
	struct val body = val_map_end(&m, b->c.arena);
	while (b->open.n - b->at >= b->parallel)
		wait_for_one(b);
	if (client_call(&b->c, "POST", cron_path(&b->c, "/tidegate/v1", b->name, "/backfill"), &body, &workflow, e)) {
		b->there += e->code == ERR_EXISTS;
		return e->code == ERR_EXISTS ? 0 : -1;
	}
	b->started++;
	*VEC_PUSH(&b->open) = val_get_str(val_get(&workflow, S("metadata")), "name");
	return 0;
}

static void
show(struct backfill *b, str slot)
{
	printf("%.*s\n", STR_ARG(slot));
	b->started++;
}

static bool
is_enough(struct backfill *b)
{
	b->cut = b->o->most.set && b->started >= (size_t)b->o->most.v;
	return b->cut;
}

static int
each_slot(struct backfill *b, str from, str to, struct err *e)
{
	struct val v;
	const struct val *slots;
	do {
		if (cron_slots(&b->c, b->name, from, to, PAGE, &v, e))
			return -1;
		slots = val_get(&v, S("slots"));
		for (uint32_t i = 0; val_is(slots, VAL_LIST) && i < slots->n; i++) {
			from = val_text(&slots->items[i]);
			if (is_enough(b))
				return 0;
			if (b->o->dry_run)
				show(b, from);
			else if (start(b, from, val_text(val_at(val_get(&v, S("local")), i)), e))
				return -1;
		}
	} while (val_is(slots, VAL_LIST) && slots->n == PAGE);
	return 0;
}

static int
backfill(struct backfill *b, int64_t from, int64_t to)
{
	struct err e = { 0 };
	struct arena *a = b->c.arena;
	int rc = each_slot(b, time_rfc3339(a, from - NS_PER_SEC), time_rfc3339(a, to), &e); /* `from` itself may be one */
	while (b->at < b->open.n)
		wait_for_one(b);
	if (!b->o->dry_run)
		printf("%zu started, %zu failed, %zu were there%s\n", b->started, b->failed, b->there,
			b->cut ? "; there are more: the same call again goes on" : "");
	return rc ? cli_fail(&e) : b->failed ? EXIT_FAILED : EXIT_DONE;
}

static int run_backfill(const void *opts, char **args, int n UNUSED);

extern const struct command form_cron_backfill;
const struct command form_cron_backfill = {
	.name = "cron backfill",
	.args = "NAME",
	.summary = "Start the workflows of slots of the past, and wait for them.",
	.examples = "  tidegate cron backfill nightly --from 2026-07-01 --to 2026-07-15 --parallel 2\n"
		    "  tidegate cron backfill nightly --from 72h --to 1h --dry-run\n"
		    "  tidegate cron backfill nightly --name fixed --start 2026-07-01 --argname day --format "
		    "2006-01-02\n",
	.doc = "Oldest first. A slot that has a workflow, the clock's or of an earlier call, is passed over; with --name "
	       "one of an earlier\n"
	       "call with that name. They bear the label\n"
	       "workflows.argoproj.io/cron-workflow-backfill and not the CronWorkflow's own: neither concurrencyPolicy "
	       "nor the history limits look at them.\n"
	       "Exits with 1 if one did not succeed.",
	.options =
		(const struct cli_option[]){
			OPTION(struct backfill_opts, from, "from", 0, "TIME",
				"The first slot: a time, a day (in UTC), or a duration before now."),
			OPTION(struct backfill_opts, from, "start", 0, "TIME", "The same, as the argo command has it."),
			OPTION(struct backfill_opts, to, "to", 0, "TIME", "The last one, likewise; now, if not given."),
			OPTION(struct backfill_opts, to, "end", 0, "TIME", "The same, as the argo command has it."),
			OPTION(struct backfill_opts, parallel, "parallel", 0, "[N]",
				"So many at a time, without a number all at once; 1 if not given.", .bare = "true"),
			OPTION(struct backfill_opts, name, "name", 0, "NAME",
				"A backfill of its own, whose workflows are NAME's and not the slots'."),
			OPTION(struct backfill_opts, argument, "argname", 0, "NAME",
				"The argument that tells a workflow its slot; cronScheduleTime."),
			OPTION(struct backfill_opts, format, "format", 0, "LAYOUT",
				"How --from, --to and that argument are written, as Go's layouts are: 2006-01-02T15:04."),
			OPTION(struct backfill_opts, most, "maxworkflowcount", 0, "N",
				"Start so many and no more; all, if not given."),
			OPTION(struct backfill_opts, dry_run, "dry-run", 0, NULL,
				"Print the slots, and start nothing."),
			{ 0 },
		},
	.size = sizeof(struct backfill_opts),
	.args_min = 1,
	.args_max = 1,
	.run = run_backfill,
};

/* A number, or what argo's flag says. */
static bool
read_parallel(const char *text, size_t *out)
{
	int64_t n = 1;
	if (text && strcmp(text, "true") == 0)
		n = PARALLEL_MAX;
	else if (text && strcmp(text, "false") != 0 && (!str_to_i64(str_c(text), &n) || n < 1 || n > PARALLEL_MAX))
		return false;
	*out = (size_t)n;
	return true;
}

static int
read_times(const struct backfill_opts *o, int64_t *from, int64_t *to, struct arena *a, struct err *e)
{
	const int64_t now = clock_wall_ns();
	*to = now;
	if (cron_time_read(o->from, o->format, now, from, a, e))
		return err_wrap(e, "--from");
	if (o->to && cron_time_read(o->to, o->format, now, to, a, e))
		return err_wrap(e, "--to");
	return 0;
}

static int
run_backfill(const void *opts, char **args, int n UNUSED)
{
	const struct backfill_opts *o = opts;
	struct backfill b = { .o = o, .name = str_c(args[0]) };
	int64_t from, to;
	struct err e = { 0 };
	if (!o->from)
		return cli_usage(&form_cron_backfill, "--from is needed");
	if (!read_parallel(o->parallel, &b.parallel))
		return cli_usage(&form_cron_backfill, "--parallel: must be 1 to %d", PARALLEL_MAX);
	if (o->most.set && o->most.v < 1)
		return cli_usage(&form_cron_backfill, "--maxworkflowcount: must be 1 at least");
	client_init(&b.c, &o->common);
	int code = read_times(o, &from, &to, b.c.arena, &e) ? cli_fail(&e)
		   : from > to ? cli_usage(&form_cron_backfill, "--from is later than --to")
			       : backfill(&b, from, to);
	VEC_FREE(&b.open);
	client_free(&b.c);
	return code;
}
