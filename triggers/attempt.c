/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt: parameters are applied, the kind is called, and its one firing_done says how it ended: well, to be tried again, or
 * given up: then the firing goes to the trigger's dlqTrigger, or to the dead letters.
 */
#include "core/log.h"
#include "core/metrics.h"
#include "triggers/framework.h"
#include "triggers/resource.h"

/* Without a retryStrategy. An outage may last a day; a failure of one firing alone gets five attempts. */
enum { ATTEMPTS = 5, WAIT_MAX_S = 60, PATIENCE_S = 86400, RETRY_AFTER_MAX_S = 3600 };

/* ---- before ---------------------------------------------------------------------------------------------------------- */

struct body_lists {
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
};
/* What all kinds have in common, picked out of the kind's object. */
static const struct schema body_schema = { "TriggerBody", "What every kind of trigger has.", sizeof(struct body_lists),
	(const struct field[]){
	FIELD_LIST(struct body_lists, parameters, "parameters", 0, &trigger_parameter_schema, .doc = "Values from events."),
	FIELD_LIST(struct body_lists, payload, "payload", 0, &trigger_payload_schema, .doc = "What makes up the body."),
	{ 0 } }, .open = true };

static int
decode(const struct schema *sc, struct arena *a, const struct val *in, str path, void *out, struct err *e)
{
	struct diags d;
	diags_init(&d);
	d.lenient = true; /* as the Sensor was read */
	int rc = schema_decode(sc, a, in, path, out, &d);
	for (size_t i = 0; rc < 0 && i < d.v.n; i++) {
		if (d.v.p[i].level != DIAG_ERROR)
			continue;
		err_set(e, ERR_INVALID, "%.*s: %.*s", STR_ARG(d.v.p[i].path), STR_ARG(d.v.p[i].text));
		break;
	}
	diags_free(&d);
	return rc;
}

/* Whether a parameter of the template may make the source another one; what it does to `source.resource` does not. */
static bool
may_move_source(const struct trigger_def *d)
{
	for (size_t i = 0; i < d->parameters_n; i++) {
		str dest = d->parameters[i].dest;
		if (str_eq(dest, str_c(d->kind->kind)))
			return true;
		if (str_find(dest, S("source"), 0) != SIZE_MAX && str_find(dest, S("source.resource"), 0) == SIZE_MAX)
			return true;
	}
	return false;
}

bool
attempt_is_inside(const struct trigger_def *d)
{
	const struct val *source = val_get(val_get(d->template, str_c(d->kind->kind)), S("source"));
	return d->kind->inside && !(source && (resource_is_elsewhere(source) || may_move_source(d)));
}

/* Parameters of the template applied. */
static int
prepare(struct firing *f, struct err *e)
{
	const struct trigger_def *d = &f->t->def;
	struct inputs in = firing_inputs(f);
	str path = str_c(d->kind->kind);
	const struct val *template = parameters_apply(d->parameters, d->parameters_n, d->template, &in, f->work, e);
	if (!template)
		return err_wrap(e, "template");
	f->spec = val_get(template, path);
	if (!f->spec)
		return err_set(e, ERR_INVALID, "the template has no %s any more", d->kind->kind);
	f->lists = ARENA_NEW(f->work, struct body_lists);
	return decode(&body_schema, f->work, f->spec, path, f->lists, e);
}

/*
 * Parameters of the object applied, payload built, the kind's own object decoded. `object`: what `source` has; NULL: the kind has none, or
 * it was not read.
 */
static int
complete(struct firing *f, const struct val *object, struct err *e)
{
	const struct trigger_ops *kind = f->t->def.kind;
	struct inputs in = firing_inputs(f);
	const struct val *patched = object ? object : f->spec;
	if (object && kind->object && !(patched = kind->object(f, object, e)))
		return -1;
	if (!kind->own_parameters && (object || !val_get(f->spec, S("source"))))
		patched = parameters_apply(f->lists->parameters.p, f->lists->parameters.n, patched, &in, f->work, e);
	if (!patched)
		return -1;
	*(object ? &f->source : &f->spec) = patched;
	if (payload_build(f->lists->payload.p, f->lists->payload.n, &in, f->work, &f->payload, e) < 0)
		return -1;
	f->config = arena_alloc(f->work, kind->schema->size, _Alignof(max_align_t));
	return decode(kind->schema, f->work, f->spec, str_c(kind->kind), f->config, e);
}

static void
act(struct firing *f, const struct val *object)
{
	const struct trigger_env *env = firing_env(f);
	struct err e = { 0 };
	if (complete(f, object, &e) < 0)
		firing_done(f, &e, NULL);
	else if (env->instead)
		env->instead(env->arg, f);
	else
		f->t->def.kind->fire(f);
}

static void
fetched(struct firing *f, const struct val *object, const struct err *e)
{
	if (e || firing_is_over(f))
		firing_done(f, e, NULL);
	else
		act(f, object);
}

static void
fetch_now(void *arg)
{
	struct firing *f = arg;
	if (firing_is_over(f))
		firing_done(f, NULL, NULL);
	else
		resource_fetch(f, val_get(f->spec, S("source")), fetched);
}

/* Nothing leaves before the event is on disk, though attempt_is_inside could not know that something would. */
static void
fetch(struct firing *f, const struct val *source)
{
	if (f->sync)
		store_after_commit(firing_env(f)->store, fetch_now, f);
	else
		resource_fetch(f, source, fetched);
}

/* What it works with is read, then it acts. */
static int
begin(struct firing *f, struct err *e)
{
	const struct val *source, *object = NULL;
	if (prepare(f, e) < 0)
		return -1;
	source = val_get(f->spec, S("source"));
	bool elsewhere = source && resource_is_elsewhere(source);
	if (elsewhere && firing_env(f)->instead) {
		act(f, NULL);
		return 0;
	}
	if (elsewhere) {
		fetch(f, source);
		return 0;
	}
	if (source && resource_read(f, source, &object, e) < 0)
		return -1;
	act(f, object);
	return 0;
}

static void
reset(struct firing *f)
{
	f->work = arena_new();
	f->owner = object_ref(f->t->owner);
	f->allow = f->t->def.allow;
	f->policy = f->t->def.labels;
	f->spec = f->source = NULL;
	f->payload = STR_NONE;
	f->not_before_ns = 0;
	f->alone = false;
}

/* What was to be done was done by the daemon before, as it wrote down. */
static void
go_on(struct firing *f)
{
	str mark = arena_dup(f->work, str_c(f->mark));
	free(f->mark);
	f->mark = NULL;
	f->t->def.kind->resume(f, mark);
}

void
firing_attempt(struct firing *f)
{
	const struct trigger_ops *kind = f->t->def.kind;
	struct err e = { 0 };
	list_del(&f->link);
	list_add_tail(&f->t->running, &f->link);
	f->attempt++;
	f->busy = true;
	reset(f);
	if (f->mark && kind->resume) {
		go_on(f);
		return;
	}
	if (!kind->fire)
		err_set(&e, ERR_UNSUPPORTED, "triggers of kind %s are not served yet%s%s", kind->kind, kind->instead ? ": " : "",
		        kind->instead ? kind->instead : "");
	else if (begin(f, &e) == 0)
		return;
	firing_done(f, &e, NULL);
}

void firing_not_before(struct firing *f, int64_t at_ns) { f->not_before_ns = at_ns; }
void firing_alone(struct firing *f) { f->alone = true; }

void
firing_on_over(struct firing *f, void (*fn)(void *arg), void *arg)
{
	f->on_over = fn;
	f->on_over_arg = arg;
}

void
firing_mark(struct firing *f, str text)
{
	firing_keep_open(f, true, f->given_up ? arena_fmt(f->work, "%s" FIRING_DLQ_REASON FIRING_WAITS "%.*s", f->given_up, STR_ARG(text))
	                                      : arena_fmt(f->work, FIRING_WAITS "%.*s", STR_ARG(text)));
}

/* ---- behind ------------------------------------------------------------------------------------------------------------ */

static void
tell(struct firing *f, enum firing_verdict verdict, str reason, const struct val *result)
{
	struct firing_outcome o = { verdict, str_c(f->id), reason, result, f->attempt };
	if (f->sync) {
		struct arena *a = f->sync_arena;
		*f->sync = (struct firing_outcome){ verdict, arena_dup(a, o.id), arena_dup(a, reason), NULL, f->attempt };
		if (result) {
			struct val *copy = ARENA_NEW(a, struct val);
			*copy = val_copy(a, result);
			f->sync->result = copy;
		}
	} else {
		f->t->ts->report(f->t->ts->arg, &f->t->def, &o);
	}
}

static void
succeeded(struct firing *f, const struct val *result)
{
	struct trigger *t = f->t;
	t->away = false;
	metric_add(METRIC_ACTION_TRIGGERED, 1, str_z(f->work, t->def.sensor), str_z(f->work, t->def.name), NULL);
	if (f->given_up)
		tell(f, FIRING_HANDLED, arena_fmt(f->work, "%s; its dlqTrigger fired", f->given_up), result);
	else
		tell(f, FIRING_FIRED, STR_NONE, result);
	turn_leave(f);
	firing_delete(f);
}

/* The target cannot be reached: firings behind this one would fare no better. */
static bool
is_outage(const struct firing *f, const struct err *e)
{
	return e->code == ERR_UNAVAILABLE && !f->alone;
}

/* Whether there is another attempt after this error. */
static bool
may_retry(const struct firing *f, const struct err *e)
{
	int64_t age = loop_now(f->t->ts->env->loop) - f->created_ns;
	if (e->code == ERR_UNSUPPORTED)
		return false;
	if (f->t->def.retry)
		return f->attempt < (uint64_t)backoff_steps(f->t->def.retry);
	return err_is_transient(e->code) && (f->attempt < ATTEMPTS || (is_outage(f, e) && age < PATIENCE_S * NS_PER_SEC));
}

static int64_t
retry_wait(const struct firing *f)
{
	/* Who tries out wants the same each time. */
	double random = firing_env(f)->instead ? 0 : (double)arc4random() / 4294967296.0;
	if (f->t->def.retry)
		return backoff_wait_ns(f->t->def.retry, f->attempt, random);
	int64_t s = f->attempt > 6 ? WAIT_MAX_S : INT64_C(1) << (f->attempt - 1);
	return (int64_t)((double)((s < WAIT_MAX_S ? s : WAIT_MAX_S) * NS_PER_SEC) * (1 + 0.1 * random));
}

/* By the strategy, but not before the target's own word. */
static int64_t
next_attempt(const struct firing *f)
{
	int64_t now = loop_now(f->t->ts->env->loop), wait = retry_wait(f), asked = f->not_before_ns - now;
	if (asked > RETRY_AFTER_MAX_S * NS_PER_SEC)
		asked = RETRY_AFTER_MAX_S * NS_PER_SEC;
	wait = wait > asked ? wait : asked;
	return wait > INT64_MAX - now ? INT64_MAX : now + wait;
}

static void
log_failure(const struct firing *f, const char *reason, enum firing_verdict verdict)
{
	static const char *const lines[] = { [FIRING_FAILED] = "trigger failed: will be tried again",
		                             [FIRING_DEAD] = "trigger given up: kept as a dead letter",
		                             [FIRING_HANDED] = "trigger given up: handed to its dlqTrigger" };
	const struct trigger_def *d = &f->t->def;
	char attempts[16];
	snprintf(attempts, sizeof attempts, "%u", f->attempt);
	log_line(verdict == FIRING_FAILED ? LOG_WARN : LOG_ERROR, lines[verdict], "namespace", str_z(f->work, d->ns), "sensor", str_z(f->work, d->sensor),
	         "trigger", str_z(f->work, d->name), "firing", f->id, "attempt", attempts, "error", reason, NULL);
}

static void
try_again(struct firing *f, const struct err *e, const char *reason)
{
	f->next_ns = next_attempt(f);
	turn_plan_retry(f, f->t->def.serial || is_outage(f, e));
	firing_retry(f, str_c(reason));
	firing_end_work(f);
}

/* The same events, once more from the first attempt on, by another trigger. */
static void
hand_over(struct firing *f, const char *reason)
{
	char *why = mem_text(str_c(reason));
	turn_leave(f);
	free(f->given_up);
	f->given_up = why;
	firing_end_work(f);
	f->t = f->t->dlq;
	f->attempt = 0;
	f->next_ns = 0;
	firing_hand_over(f, str_c(f->given_up));
}

static void
give_up(struct firing *f, const char *reason, enum firing_verdict verdict)
{
	const struct trigger_def *d = &f->t->def;
	metric_add(METRIC_ACTION_GAVE_UP, 1, str_z(f->work, d->sensor), str_z(f->work, d->name), NULL);
	if (verdict == FIRING_HANDED) {
		hand_over(f, reason);
		return;
	}
	turn_leave(f);
	firing_bury(f, str_c(reason));
	firing_end_work(f);
	firing_drop_events(f);
}

static void
failed(struct firing *f, const struct err *e)
{
	struct trigger *t = f->t;
	enum firing_verdict verdict = may_retry(f, e) ? FIRING_FAILED : t->dlq && !t->dlq->retired ? FIRING_HANDED : FIRING_DEAD;
	const char *reason = f->given_up ? arena_fmt(f->work, "%s" FIRING_DLQ_REASON "%s", f->given_up, e->msg).p : arena_dup(f->work, str_c(e->msg)).p;
	t->away = is_outage(f, e);
	metric_add(METRIC_ACTION_FAILED, 1, str_z(f->work, t->def.sensor), str_z(f->work, t->def.name), NULL);
	log_failure(f, reason, verdict);
	tell(f, verdict, str_c(reason), NULL);
	f->sync = NULL;
	if (verdict == FIRING_FAILED)
		try_again(f, e, reason);
	else
		give_up(f, reason, verdict);
}

void
firing_done(struct firing *f, const struct err *e, const struct val *result)
{
	struct trigger *t = f->t;
	assert(f->busy);
	f->busy = false;
	t->beside -= f->beside;
	f->beside = false;
	if (!t->ts) { /* shut down meanwhile: the row is pending and the next daemon tries again */
		firing_free(f);
		trigger_free_if_idle(t);
		return;
	}
	bool sync = f->sync;
	if (!e || e->code == ERR_NONE)
		succeeded(f, result);
	else
		failed(f, e);
	if (sync && t->queued)
		turn_pump_soon(t);
	else if (!sync)
		turn_pump(t);
}
