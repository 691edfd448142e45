/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a slot decides, in Argo's order: whether it is too late, whether stopStrategy stops it, `when`,
 * concurrencyPolicy, and then the workflow. All of it is this turn's transaction: the workflow, the ends of those it
 * replaces, and that the slot is decided.
 */
#include "engine/cron.h"

#include "core/lang/when.h"
#include "core/log.h"
#include "core/metrics.h"

#define LATE_ANYHOW 60 /* s: a slot of the last minute is not late, where the manifest says nothing */

/* One slot being decided. */
struct decision {
	struct cron_entry *x;
	struct arena *arena;
	int64_t now, slot; /* s */
	str note;          /* why nothing is started; absent: nothing speaks against it */
	int64_t failures;
};

/* ---- variables ----------------------------------------------------------------------------------------------- */

static void
add_pairs(struct val_map *m, struct arena *a, const char *what, const struct val *map)
{
	static const struct val none = { .kind = VAL_MAP };
	map = val_is(map, VAL_MAP) ? map : &none;
	for (uint32_t i = 0; i < map->n; i++)
		val_map_add(m, arena_fmt(a, "cronworkflow.%s.%.*s", what, STR_ARG(val_key(&map->members[i]))),
			map->members[i].value);
	val_map_add(m, arena_fmt(a, "cronworkflow.%s.json", what), val_str(json_write(a, map)));
	if (!map->n)
		return;
	val_map_add(m, arena_fmt(a, "cronworkflow.%s", what), val_str(json_write(a, map)));
}

/* cronworkflow.*, by their dotted names. */
static struct val
variables_of(const struct cron_entry *x, struct arena *a)
{
	const struct val *meta = val_get(x->object->manifest, S("metadata"));
	struct val_map m = { 0 };
	val_map_add(&m, S("cronworkflow.name"), val_str(x->name));
	val_map_add(&m, S("cronworkflow.namespace"), val_str(x->ns));
	add_pairs(&m, a, "labels", val_get(meta, S("labels")));
	add_pairs(&m, a, "annotations", val_get(meta, S("annotations")));
	val_map_add(&m, S("cronworkflow.succeeded"), val_int(x->row.succeeded));
	val_map_add(&m, S("cronworkflow.failed"), val_int(x->row.failed));
	val_map_add(&m, S("cronworkflow.lastScheduledTime"),
		x->row.scheduled ? expr_time(x->row.scheduled * NS_PER_SEC) : val_null());
	return val_map_end(&m, a);
}

struct scope {
	struct val names;
	struct variables variables;
	struct evaluator *expressions;
};

static struct scope *
scope_of(const struct cron_entry *x, struct arena *a)
{
	struct scope *s = ARENA_NEW(a, struct scope);
	s->names = variables_of(x, a);
	s->variables = evaluate_map(&s->names);
	s->variables.when.now = loop_now(x->clock->engine->loop);
	s->expressions = x->clock->expressions;
	return s;
}

/* ---- stopStrategy, when -------------------------------------------------------------------------------------- */

int
cron_check_stop(struct cron_entry *x, struct err *e)
{
	str expression = val_get_str(cron_spec(x)->stop_strategy, "expression");
	struct arena *a CLEANUP(free_arena) = arena_new();
	bool stop;
	if (!expression.n)
		return 0;
	struct scope *s = scope_of(x, a);
	if (evaluate_bool(s->expressions, expression, &s->variables, &stop, e))
		return err_wrap(e, "failed to check CronWorkflow '%.*s' stopping condition", STR_ARG(x->name));
	if (!stop)
		return 0;
	x->row.stopped = true;
	cron_set(&x->row.stop, expression);
	log_info("a CronWorkflow has stopped", "namespace", x->ns.p, "cronworkflow", x->name.p, NULL);
	return 0;
}

static enum tag_found
look(void *arg, str name, struct arena *a, str *out)
{
	const struct scope *s = arg;
	const struct val *v = val_get(&s->names, name);
	struct buf b CLEANUP(free_buf) = { 0 };
	if (!v)
		return TAG_MISSING;
	expr_print(&b, v);
	*out = arena_dup(a, buf_str(&b));
	return TAG_FOUND;
}

static int
expression(
	void *arg, str text, const char *const *strict, struct arena *a, enum tag_found *found, str *out, struct err *e)
{
	const struct scope *s = arg;
	return evaluate_tag(s->expressions, text, &s->variables, strict, a, found, out, e);
}

static bool
no_name(void *arg UNUSED, str name UNUSED, struct val *out UNUSED)
{
	return false;
}

/* Unlike a step's, bare words are names here, and there are none. */
static int
holds(str text, struct arena *a, bool *out, struct err *e)
{
	struct when *w;
	struct val v;
	if (when_compile(text, a, &w, e))
		return -1;
	int rc = when_value(w, no_name, NULL, a, &v, e);
	when_free(w);
	if (rc == 0 && v.kind != VAL_BOOL)
		return err_set(e, ERR_INVALID, "Expected boolean evaluation for '%.*s'. Got %s", STR_ARG(text),
			val_kind_name(&v));
	*out = rc == 0 && v.b;
	return rc;
}

static int
check_when(struct decision *d, struct err *e)
{
	str text = cron_spec(d->x)->when, put;
	struct tag_scope tags = {
		.look = look, .expression = expression, .arg = scope_of(d->x, d->arena), .strict = tags_strict_all
	};
	bool yes = false;
	if (!text.n)
		return 0;
	if (tags_put_text(d->arena, text, &tags, &put, e) || holds(put, d->arena, &yes, e))
		return err_wrap(e, "run policy error: `when`");
	if (!yes)
		d->note = arena_fmt(d->arena, "`when` did not hold: %.*s", STR_ARG(str_slice(put, 0, 200)));
	return 0;
}

/* ---- concurrencyPolicy --------------------------------------------------------------------------------------- */

static bool
is_open(const struct cron_active *c)
{
	const struct live *l = live_find(c->entry->clock->engine, c->entry->ns, c->name);
	return !l || !run_finished(l->run); /* one that has just ended leaves with its save */
}

static void
terminated(void *arg UNUSED, const struct val *workflow UNUSED, const struct err *e UNUSED)
{
}

static void
terminate(const struct cron_active *c)
{
	struct engine *g = c->entry->clock->engine;
	struct live *l = live_find(g, c->entry->ns, c->name);
	const struct verb_options o = { 0 };
	struct stimulus s = { .kind = STIM_TERMINATE, .now = loop_now(g->loop), .verb = &o };
	if (l)
		live_advance(l, &s);
	else /* it waits to be let run, out of memory */
		engine_verb(g, VERB_TERMINATE, c->entry->ns, c->name, &o, terminated, NULL);
}

static void
check_policy(struct decision *d)
{
	struct cron_entry *x = d->x;
	str policy = cron_spec(x)->concurrency_policy;
	bool forbid = str_eq(policy, S("Forbid")), any = false;
	if (!forbid && !str_eq(policy, S("Replace")))
		return;
	LIST_EACH(&x->active, struct cron_active, link, c) {
		if (!is_open(c))
			continue;
		any = true;
		if (forbid && !d->note.p)
			d->note =
				arena_fmt(d->arena, "concurrencyPolicy: Forbid: %.*s has not ended", STR_ARG(c->name));
		if (!forbid)
			terminate(c);
	}
	if (any)
		metric_add(METRIC_CRON_POLICY, 1, x->name.p, x->ns.p, forbid ? "Forbid" : "Replace", NULL);
}

/* ---- the workflow -------------------------------------------------------------------------------------------- */

static void
fail(struct decision *d, bool spec, const struct err *e)
{
	struct cron_entry *x = d->x;
	cron_set(spec ? &x->row.spec_error : &x->row.submission_error, str_c(e->msg));
	d->failures = !spec;
	d->note = arena_fmt(d->arena, "%s: %s", spec ? "SpecError" : "SubmissionError", e->msg);
	metric_add(METRIC_ERRORS, 1, spec ? "CronWorkflowSpecError" : "CronWorkflowSubmissionError", NULL);
	log_error("a CronWorkflow started nothing", "namespace", x->ns.p, "cronworkflow", x->name.p, "error", e->msg,
		NULL);
}

/* Of a specification that cannot be run, as opposed to a start that was refused. */
static bool
is_spec_error(const struct err *e)
{
	return e->code == ERR_INVALID || e->code == ERR_UNSUPPORTED || e->code == ERR_NOT_FOUND;
}

static void
submit(struct decision *d)
{
	struct cron_entry *x = d->x;
	struct arena *a = d->arena;
	str made, name = arena_fmt(a, "%.*s-%lld", STR_ARG(x->name), (long long)d->slot);
	struct submit_options o = { .ns = x->ns, .key = arena_fmt(a, "cron/%.*s/%.*s", STR_ARG(x->ns), STR_ARG(name)) };
	struct diags found;
	struct err e;
	metric_add(METRIC_CRON_TRIGGERED, 1, x->name.p, x->ns.p, NULL);
	diags_init(&found);
	int rc = engine_submit(x->clock->engine,
		workflow_from_cron(x->object, name, CRON_LABEL, d->slot * NS_PER_SEC, a), &o, a, &made, NULL, NULL,
		&found, &e);
	diags_free(&found);
	if (rc && e.code == ERR_EXISTS) {
		d->note = arena_fmt(a, "there is a workflow %.*s already", STR_ARG(name));
	} else if (rc) {
		(void)(is_spec_error(&e) ? 0 : err_wrap(&e, "Failed to submit Workflow"));
		fail(d, is_spec_error(&e), &e);
	} else {
		x->row.scheduled = d->slot;
		cron_set(&x->row.spec_error, STR_NONE);
		cron_set(&x->row.submission_error, STR_NONE);
	}
}

/* ---- the decision -------------------------------------------------------------------------------------------- */

/* How long after a slot it is decided still, in seconds: that of a daemon that runs is as late as its turns. */
static int64_t
patience(const struct cron_entry *x, int64_t slot)
{
	const struct opt_int *deadline = &cron_spec(x)->starting_deadline_seconds;
	bool missed = slot * NS_PER_SEC < x->clock->started;
	if (!deadline->set)
		return LATE_ANYHOW;
	return missed || deadline->v > LATE_ANYHOW ? deadline->v : LATE_ANYHOW;
}

static bool
is_too_late(struct decision *d)
{
	int64_t late = d->now - d->slot, most = patience(d->x, d->slot);
	if (late < most)
		return false;
	d->note = arena_fmt(d->arena,
		"it was missed: looked at %lld s late, and startingDeadlineSeconds allows less than %lld",
		(long long)late, (long long)most);
	log_warn("a slot of a CronWorkflow was missed", "namespace", d->x->ns.p, "cronworkflow", d->x->name.p, "slot",
		time_rfc3339(d->arena, d->slot * NS_PER_SEC).p, NULL);
	return true;
}

static void
decide(struct decision *d)
{
	struct cron_entry *x = d->x;
	struct err e;
	if (is_too_late(d))
		return;
	if (cron_check_stop(x, &e)) {
		fail(d, true, &e);
		return;
	}
	if (x->row.stopped) {
		d->note = S("stopStrategy.expression holds");
		return;
	}
	if (check_when(d, &e)) {
		fail(d, false, &e);
		return;
	}
	if (!d->note.p)
		check_policy(d);
	if (!d->note.p)
		submit(d);
}

/* Of several slots that nobody looked at in time the last one counts. */
static void
say_passed_over(const struct decision *d)
{
	if (d->x->next / NS_PER_SEC < d->slot)
		log_warn("slots of a CronWorkflow were passed over for a later one", "namespace", d->x->ns.p,
			"cronworkflow", d->x->name.p, "first", time_rfc3339(d->arena, d->x->next).p, "slot",
			time_rfc3339(d->arena, d->slot * NS_PER_SEC).p, NULL);
}

void
cron_decide(struct cron_entry *x, int64_t now)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct decision d = {
		.x = x, .arena = a, .now = now / NS_PER_SEC, .slot = slots_last(&x->slots, now) / NS_PER_SEC
	};
	say_passed_over(&d);
	decide(&d);
	x->row.decided = x->row.noted = d.slot;
	cron_set(&x->row.note, d.note);
	cron_write(x, d.failures);
}
