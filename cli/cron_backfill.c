/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate cron backfill: the workflows of slots of the past, oldest first, a few at a time. Each has the name that the
 * clock would have given it, so that a second call goes on where the first was broken off, and nothing the clock has
 * started is started again.
 */
#include "cli/cron.h"
#include "cli/output.h"
#include "cli/workflows.h"

enum { PAGE = 1000 };

struct backfill_opts {
	struct cli_common common;
	const char *from, *to;
	struct cli_int parallel;
	bool dry_run;
};

struct backfill {
	struct client c;
	const struct backfill_opts *o;
	str name;
	VEC(str) open; /* names of workflows that were started, oldest first, from `at` on */
	size_t at;
	size_t started, there, failed;
};

/* A time, a day (its beginning in UTC), or a duration before now. */
static int
read_time(const char *option, const char *text, str *out, int64_t *ns, struct arena *a, struct err *e)
{
	const char *whole = strlen(text) == 10 ? arena_fmt(a, "%sT00:00:00Z", text).p : text;
	if (time_before(whole, wall_clock(), ns, e) < 0)
		return err_wrap(e, "%s", option);
	*out = time_rfc3339(a, *ns);
	return 0;
}

static void
wait_for_one(struct backfill *b)
{
	str phase = STR_NONE, name = b->open.p[b->at++];
	bool good = follow_workflow(&b->c, name, false, &phase) == EXIT_DONE;
	b->failed += !good;
	printf("%.*s %.*s\n", STR_ARG(name), STR_ARG(phase.n ? phase : S("cannot be followed")));
	fflush(stdout);
}

static int
start(struct backfill *b, str slot, struct err *e)
{
	struct val_map m = { 0 };
	struct val workflow;
	val_map_add(&m, S("scheduledTime"), val_str(slot));
	struct val body = val_map_end(&m, b->c.arena);
	size_t most = b->o->parallel.set ? (size_t)b->o->parallel.v : 1;
	while (b->open.n - b->at >= most)
		wait_for_one(b);
	if (client_call(&b->c, "POST", cron_path(&b->c, "/tidegate/v1", b->name, "/backfill"), &body, &workflow, e)) {
		b->there += e->code == ERR_EXISTS;
		return e->code == ERR_EXISTS ? 0 : -1;
	}
	b->started++;
	*VEC_PUSH(&b->open) = val_get_str(val_get(&workflow, S("metadata")), "name");
	return 0;
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
			if (b->o->dry_run)
				printf("%.*s\n", STR_ARG(from));
			else if (start(b, from, e))
				return -1;
		}
	} while (val_is(slots, VAL_LIST) && slots->n == PAGE);
	return 0;
}

static int
backfill(struct backfill *b, int64_t from, str to)
{
	struct err e = { 0 };
	int rc = each_slot(b, time_rfc3339(b->c.arena, from - NS_PER_SEC), to, &e); /* `from` itself may be one */
	while (b->at < b->open.n)
		wait_for_one(b);
	if (!b->o->dry_run)
		printf("%zu started, %zu failed, %zu were there\n", b->started, b->failed, b->there);
	return rc ? cli_fail(&e) : b->failed ? EXIT_FAILED : EXIT_DONE;
}

static int run_backfill(const void *opts, char **args, int n UNUSED);

extern const struct command form_cron_backfill;
const struct command form_cron_backfill = {
	.name = "cron backfill",
	.args = "NAME",
	.summary = "Start the workflows of slots of the past, and wait for them.",
	.examples = "  tidegate cron backfill nightly --from 2026-07-01 --to 2026-07-15 --parallel 2\n"
		    "  tidegate cron backfill nightly --from 72h --to 1h --dry-run\n",
	.doc = "Oldest first. A slot that has a workflow, the clock's or of an earlier call, is passed over. They bear "
	       "the label\n"
	       "workflows.argoproj.io/cron-workflow-backfill and not the CronWorkflow's own: neither concurrencyPolicy "
	       "nor the history limits look at them.\n"
	       "Exits with 1 if one did not succeed.",
	.options =
		(const struct cli_option[]){
			OPTION(struct backfill_opts, from, "from", 0, "TIME",
				"The first slot: a time, a day (in UTC), or a duration before now."),
			OPTION(struct backfill_opts, from, "start", 0, "TIME", "The same, as the argo command has it."),
			OPTION(struct backfill_opts, to, "to", 0, "TIME", "The last one, likewise."),
			OPTION(struct backfill_opts, to, "end", 0, "TIME", "The same, as the argo command has it."),
			OPTION(struct backfill_opts, parallel, "parallel", 0, "N",
				"So many at a time; 1 if not given."),
			OPTION(struct backfill_opts, dry_run, "dry-run", 0, NULL,
				"Print the slots, and start nothing."),
			{ 0 },
		},
	.size = sizeof(struct backfill_opts),
	.args_min = 1,
	.args_max = 1,
	.run = run_backfill,
};

static int
run_backfill(const void *opts, char **args, int n UNUSED)
{
	const struct backfill_opts *o = opts;
	struct backfill b = { .o = o, .name = str_c(args[0]) };
	int64_t from, to;
	str from_text, to_text;
	struct err e = { 0 };
	if (!o->from || !o->to)
		return cli_usage(&form_cron_backfill, "--from and --to are needed");
	if (o->parallel.set && (o->parallel.v < 1 || o->parallel.v > 1000))
		return cli_usage(&form_cron_backfill, "--parallel: must be 1 to 1000");
	client_init(&b.c, &o->common);
	int rc = read_time("--from", o->from, &from_text, &from, b.c.arena, &e) ||
		 read_time("--to", o->to, &to_text, &to, b.c.arena, &e);
	int code = rc          ? cli_fail(&e)
		   : from > to ? cli_usage(&form_cron_backfill, "--from is later than --to")
			       : backfill(&b, from, to_text);
	VEC_FREE(&b.open);
	client_free(&b.c);
	return code;
}
