/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trigger has a queue of firings that are on disk and wait for their turn. `pump` takes from its head while the window
 * has room; each attempt runs in an arena of its own and ends with exactly one firing_done, which writes what became
 * of it and makes room again. A firing that waits for its next attempt sits on a timer; of a serial trigger it keeps its
 * place in the window, so that nothing overtakes it.
 *
 * Events of firings far down the queue are not kept in memory; they are read back when their turn comes, exactly as after
 * a restart.
 */

#include "core/log.h"
#include "core/crypto.h"
#include "core/map.h"
#include "core/metrics.h"
#include "core/store.h"
#include "triggers/firing.h"
#include "triggers/resource.h"

enum { KEEP_EVENTS = 256 /* firings per trigger whose events stay in memory while they wait */ };

struct triggers {
	const struct trigger_env *env;
	void (*report)(void *arg, const struct trigger_def *def, const struct firing_outcome *o);
	void *arg;
	struct map by_name; /* "ns/sensor/name" -> struct trigger */
};

struct trigger {
	struct triggers *ts; /* NULL: freed, waits for what runs */
	str key;
	struct trigger_def def;
	struct object *owner;
	struct link queue;   /* on disk, ready, in order */
	struct link waiting; /* between two attempts */
	struct link running; /* in an attempt, or being read back */
	struct link unwritten; /* its insertion is under way */
	size_t queued, in_window;
	bool retired, pumping;
};

struct firing {
	struct link link;
	struct trigger *t;
	char id[33];
	unsigned attempt; /* of the one that runs, or ran last; from 1 */
	int64_t next_ns, created_ns;
	bool stored;      /* it has a row */
	bool holds_slot;
	struct timer timer;
	struct arena *arena; /* of the events' bookkeeping */
	size_t n;            /* events; 0: not in memory */
	str *dependencies;
	struct event **events;
	/* the attempt */
	struct arena *work;
	struct object *owner;
	const struct val *spec, *source, *allow;
	void *config;
	str payload;
	bool busy;           /* between fire and firing_done */
	struct firing_outcome *sync; /* the caller of trigger_fire waits for it */
	struct arena *sync_arena;
};

static void pump(struct trigger *t);

/* ---- what kinds see ---------------------------------------------------------------------------------------------- */

const struct val *firing_spec(const struct firing *f) { return f->spec; }
const struct val *firing_source(const struct firing *f) { return f->source; }
const void *firing_config(const struct firing *f) { return f->config; }
str firing_payload(const struct firing *f) { return f->payload; }
str firing_id(const struct firing *f) { return str_c(f->id); }
str firing_ns(const struct firing *f) { return f->t->def.ns; }
str firing_sensor(const struct firing *f) { return f->t->def.sensor; }
str firing_trigger(const struct firing *f) { return f->t->def.name; }
struct arena *firing_arena(const struct firing *f) { return f->work; }
const struct trigger_env *firing_env(const struct firing *f) { return f->t->ts->env; }
str firing_dependency(const struct firing *f, size_t i) { return f->dependencies[i]; }
const struct val *firing_allow(const struct firing *f) { return f->allow; }

size_t
firing_events(const struct firing *f, struct event ***out)
{
	*out = f->events;
	return f->n;
}

struct inputs
firing_inputs(const struct firing *f)
{
	return (struct inputs){ f->dependencies, f->events, f->n, f->created_ns };
}

/* ---- one firing --------------------------------------------------------------------------------------------------- */

static void
drop_events(struct firing *f)
{
	for (size_t i = 0; i < f->n; i++)
		event_unref(f->events[i]);
	f->n = 0;
	arena_free(f->arena);
	f->arena = NULL;
}

static void
end_work(struct firing *f)
{
	arena_free(f->work);
	object_unref(f->owner);
	f->work = NULL;
	f->owner = NULL;
}

static void
free_firing(struct firing *f)
{
	timer_stop(&f->timer);
	list_del(&f->link);
	end_work(f);
	drop_events(f);
	free(f);
}

static void
leave_window(struct firing *f)
{
	if (f->holds_slot)
		f->t->in_window--;
	f->holds_slot = false;
}

static void
free_trigger_if_idle(struct trigger *t)
{
	if (t->ts || !list_empty(&t->running) || !list_empty(&t->unwritten))
		return;
	object_unref(t->owner);
	free(t);
}

/* The same for the same events of the same trigger, whenever it is computed. */
static void
make_id(const struct trigger_def *def, const struct inputs *in, char out[33])
{
	struct buf b CLEANUP(free_buf) = { 0 };
	const str head[] = { def->ns, def->sensor, def->name };
	unsigned char hash[CRYPTO_HASH_MAX];
	for (size_t i = 0; i < ARRAY_LEN(head); i++)
		buf_addf(&b, "%zu:%.*s", head[i].n, STR_ARG(head[i]));
	for (size_t i = 0; i < in->n; i++)
		buf_addf(&b, "%zu:%.*s%zu:%.*s", in->dependencies[i].n, STR_ARG(in->dependencies[i]), in->events[i]->id.n, STR_ARG(in->events[i]->id));
	(void)crypto_hash("sha256", buf_str(&b), hash); /* its length is known */
	for (size_t i = 0; i < 16; i++)
		text_format(out + 2 * i, 3, "%02x", hash[i]);
}

static struct firing *
new_firing(struct trigger *t, const struct inputs *in)
{
	struct firing *f = MEM_NEW(struct firing);
	f->t = t;
	f->created_ns = in->now_ns;
	f->arena = arena_new();
	f->n = in->n;
	f->dependencies = ARENA_ARRAY(f->arena, str, in->n);
	f->events = ARENA_ARRAY(f->arena, struct event *, in->n);
	for (size_t i = 0; i < in->n; i++) {
		f->dependencies[i] = arena_dup(f->arena, in->dependencies[i]);
		f->events[i] = event_ref(in->events[i]);
	}
	make_id(&t->def, in, f->id);
	return f;
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

/* What the writer's thread gets: everything in it is its own. */
struct row_job {
	struct firing_row row;
	struct arena *arena;
	struct firing *firing; /* its insertion is waited for; NULL: nobody waits */
	int (*write)(sqlite3 *db, const struct firing_row *r, struct err *e);
};

static int
write_row(sqlite3 *db, void *arg, struct err *e)
{
	struct row_job *j = arg;
	return j->write(db, &j->row, e);
}

static int
delete_row(sqlite3 *db, const struct firing_row *r, struct err *e)
{
	return firing_row_delete(db, r->id, e);
}

static void
free_job(struct row_job *j)
{
	for (size_t i = 0; i < j->row.n; i++)
		event_unref(j->row.events[i]);
	arena_free(j->arena);
}

static void
enqueue(struct firing *f)
{
	struct trigger *t = f->t;
	list_del(&f->link);
	list_add_tail(&t->queue, &f->link);
	if (++t->queued > KEEP_EVENTS && f->stored)
		drop_events(f);
}

/* The insertion is on disk: the firing may leave. */
static void
row_written(void *arg)
{
	struct row_job *j = arg;
	struct firing *f = j->firing;
	free_job(j);
	if (!f)
		return;
	struct trigger *t = f->t;
	f->stored = true;
	if (t->ts && !t->retired) {
		enqueue(f);
		pump(t);
	} else {
		free_firing(f);
		free_trigger_if_idle(t);
	}
}

static struct row_job *
new_job(const struct firing *f, bool dead, str reason, bool with_events)
{
	struct arena *a = arena_new();
	struct row_job *j = ARENA_NEW(a, struct row_job);
	const struct trigger_def *d = &f->t->def;
	*j = (struct row_job){ .arena = a };
	j->row = (struct firing_row){ .attempt = f->attempt, .next_ns = f->next_ns, .created_ns = f->created_ns, .ns = arena_dup(a, d->ns),
		                      .sensor = arena_dup(a, d->sensor), .trigger = arena_dup(a, d->name), .dead = dead,
		                      .reason = arena_dup(a, reason) };
	memcpy(j->row.id, f->id, sizeof f->id);
	if (with_events && f->n) {
		str *deps = ARENA_ARRAY(a, str, f->n);
		struct event **events = ARENA_ARRAY(a, struct event *, f->n);
		for (size_t i = 0; i < f->n; i++) {
			deps[i] = arena_dup(a, f->dependencies[i]);
			events[i] = event_ref(f->events[i]);
		}
		j->row.n = f->n;
		j->row.dependencies = deps;
		j->row.events = events;
	}
	return j;
}

static void
queue_job(const struct trigger *t, struct row_job *j, int (*write)(sqlite3 *db, const struct firing_row *r, struct err *e))
{
	j->write = write;
	store_write(t->ts->env->store, write_row, j, row_written);
}

/* ---- an attempt ---------------------------------------------------------------------------------------------------- */

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

/* Parameters applied, the kind's object decoded, source read, payload built. */
static int
prepare(struct firing *f, struct err *e)
{
	const struct trigger_def *d = &f->t->def;
	struct inputs in = firing_inputs(f);
	struct body_lists lists;
	str path = str_c(d->kind->kind);
	const struct val *template = parameters_apply(d->parameters, d->parameters_n, d->template, &in, f->work, e);
	if (!template)
		return err_wrap(e, "template");
	f->spec = val_get(template, path);
	if (!f->spec)
		return err_set(e, ERR_INVALID, "the template has no %s any more", d->kind->kind);
	if (decode(&body_schema, f->work, f->spec, path, &lists, e) < 0)
		return -1;
	const struct val *source = val_get(f->spec, S("source"));
	const struct val *patched = source ? NULL : f->spec;
	if (source && resource_read(source, f->t->ts->env->objects, d->ns, f->work, &patched, e) < 0)
		return -1;
	patched = parameters_apply(lists.parameters.p, lists.parameters.n, patched, &in, f->work, e);
	if (!patched)
		return -1;
	*(source ? &f->source : &f->spec) = patched;
	if (payload_build(lists.payload.p, lists.payload.n, &in, f->work, &f->payload, e) < 0)
		return -1;
	f->config = arena_alloc(f->work, d->kind->schema->size, _Alignof(max_align_t));
	return decode(d->kind->schema, f->work, f->spec, path, f->config, e);
}

static void
attempt(struct firing *f)
{
	struct err e = { 0 };
	list_del(&f->link);
	list_add_tail(&f->t->running, &f->link);
	f->attempt++;
	f->busy = true;
	f->work = arena_new();
	f->owner = object_ref(f->t->owner);
	f->allow = f->t->def.allow;
	f->source = NULL;
	f->payload = STR_NONE;
	if (!f->t->def.kind->fire)
		err_set(&e, ERR_UNSUPPORTED, "triggers of kind %s are not served yet", f->t->def.kind->kind);
	else if (prepare(f, &e) == 0) {
		f->t->def.kind->fire(f);
		return;
	}
	firing_done(f, &e, NULL);
}

/* ---- reading events back -------------------------------------------------------------------------------------------- */

struct read_back {
	struct firing *f;
	struct arena *arena;
	char id[33];
	str *dependencies;
	struct event **events;
	size_t n;
};

static int
read_events(sqlite3 *db, void *arg, struct err *e)
{
	struct read_back *r = arg;
	return firing_row_events(db, r->id, r->arena, &r->dependencies, &r->events, &r->n, e);
}

static void
events_read(void *arg, const struct err *e)
{
	struct read_back *r = arg;
	struct firing *f = r->f;
	struct trigger *t = f->t;
	f->arena = r->arena;
	f->dependencies = r->dependencies;
	f->events = r->events;
	f->n = r->n;
	free(r);
	if (t->ts && !t->retired && !e) {
		attempt(f);
		return;
	}
	/* its row is pending, and is read again when the trigger is next defined: nothing is given up here */
	if (e)
		log_error("a firing's events cannot be read", "firing", f->id, "error", e->msg, NULL);
	leave_window(f);
	free_firing(f);
	if (t->ts)
		pump(t);
	free_trigger_if_idle(t);
}

static void
read_back(struct firing *f)
{
	struct read_back *r = MEM_NEW(struct read_back);
	r->f = f;
	r->arena = arena_new();
	memcpy(r->id, f->id, sizeof f->id);
	list_add_tail(&f->t->running, &f->link);
	store_read(f->t->ts->env->store, read_events, r, events_read);
}

static void
pump(struct trigger *t)
{
	if (t->pumping) /* a kind that ends its attempt at once comes back here */
		return;
	t->pumping = true;
	while (t->ts && !t->retired && !list_empty(&t->queue) && t->in_window < (t->def.serial ? 1u : FIRING_WINDOW)) {
		struct firing *f = LIST_FIRST(&t->queue, struct firing, link);
		list_del(&f->link);
		t->queued--;
		if (!f->holds_slot)
			t->in_window++;
		f->holds_slot = true;
		if (f->n)
			attempt(f);
		else
			read_back(f);
	}
	t->pumping = false;
}

/* ---- the end of an attempt -------------------------------------------------------------------------------------------- */

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
	metric_add(METRIC_ACTION_TRIGGERED, 1, str_z(f->work, t->def.sensor), str_z(f->work, t->def.name), NULL);
	tell(f, FIRING_FIRED, STR_NONE, result);
	if (f->stored)
		queue_job(t, new_job(f, false, STR_NONE, false), delete_row);
	leave_window(f);
	free_firing(f);
}

/* Whether there is another attempt after this error. */
static bool
may_retry(const struct firing *f, const struct err *e)
{
	if (e->code == ERR_UNSUPPORTED)
		return false;
	const struct backoff *b = f->t->def.retry;
	return b ? f->attempt < (uint64_t)backoff_steps(b) : err_is_transient(e->code) && f->attempt < 5;
}

static int64_t
retry_wait(const struct firing *f)
{
	double random = (double)arc4random() / 4294967296.0;
	if (f->t->def.retry)
		return backoff_wait_ns(f->t->def.retry, f->attempt, random);
	return (int64_t)((double)(NS_PER_SEC << (f->attempt - 1)) * (1 + 0.1 * random));
}

static void
due(void *arg)
{
	struct firing *f = arg;
	struct trigger *t = f->t;
	list_del(&f->link);
	if (f->holds_slot) { /* a serial trigger's: it is next, whatever waits */
		attempt(f);
		return;
	}
	list_add_tail(t->queue.next, &f->link); /* at the head: it is the oldest */
	t->queued++;
	pump(t);
}

static void
wait_for_retry(struct firing *f)
{
	struct trigger *t = f->t;
	end_work(f);
	list_del(&f->link);
	list_add_tail(&t->waiting, &f->link);
	if (!t->def.serial)
		leave_window(f);
	timer_start(t->ts->env->loop, &f->timer, f->next_ns, due, f);
}

/* A first attempt inside a turn has no row yet: the row is written with the event's transaction. */
static void
keep(struct firing *f, bool dead, str reason)
{
	struct row_job *j = new_job(f, dead, reason, !f->stored);
	queue_job(f->t, j, f->stored ? firing_row_update : firing_row_insert);
	f->stored = true;
}

static void
log_failure(const struct firing *f, const struct err *e, bool dead)
{
	const struct trigger_def *d = &f->t->def;
	char attempts[16];
	snprintf(attempts, sizeof attempts, "%u", f->attempt);
	log_line(dead ? LOG_ERROR : LOG_WARN, dead ? "trigger given up: kept as a dead letter" : "trigger failed: will be tried again", "namespace",
	         str_z(f->work, d->ns), "sensor", str_z(f->work, d->sensor), "trigger", str_z(f->work, d->name), "firing", f->id, "attempt", attempts,
	         "error", e->msg, NULL);
}

static void
failed(struct firing *f, const struct err *e)
{
	struct trigger *t = f->t;
	bool again = may_retry(f, e);
	const char *sensor = str_z(f->work, t->def.sensor), *name = str_z(f->work, t->def.name);
	metric_add(METRIC_ACTION_FAILED, 1, sensor, name, NULL);
	if (!again)
		metric_add(METRIC_ACTION_GAVE_UP, 1, sensor, name, NULL);
	log_failure(f, e, !again);
	tell(f, again ? FIRING_FAILED : FIRING_DEAD, str_c(e->msg), NULL);
	f->sync = NULL;
	if (again)
		f->next_ns = loop_now(t->ts->env->loop) + retry_wait(f);
	keep(f, !again, str_c(e->msg));
	if (again && !t->retired) {
		wait_for_retry(f);
		return;
	}
	leave_window(f);
	free_firing(f);
}

void
firing_done(struct firing *f, const struct err *e, const struct val *result)
{
	struct trigger *t = f->t;
	assert(f->busy);
	f->busy = false;
	if (!t->ts) { /* shut down meanwhile: the row is pending and the next daemon tries again */
		free_firing(f);
		free_trigger_if_idle(t);
		return;
	}
	bool sync = f->sync;
	if (!e || e->code == ERR_NONE)
		succeeded(f, result);
	else
		failed(f, e);
	if (!sync)
		pump(t);
}

/* ---- the set ----------------------------------------------------------------------------------------------------------- */

struct triggers *
triggers_new(const struct trigger_env *env, void (*report)(void *arg, const struct trigger_def *def, const struct firing_outcome *o), void *arg)
{
	struct triggers *ts = MEM_NEW(struct triggers);
	*ts = (struct triggers){ .env = env, .report = report, .arg = arg };
	return ts;
}

static void
forget_waiting(struct trigger *t)
{
	while (!list_empty(&t->queue))
		free_firing(LIST_FIRST(&t->queue, struct firing, link));
	while (!list_empty(&t->waiting)) {
		struct firing *f = LIST_FIRST(&t->waiting, struct firing, link);
		leave_window(f);
		free_firing(f);
	}
	t->queued = 0;
}

void
triggers_free(struct triggers *ts)
{
	if (!ts)
		return;
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&ts->by_name, &i));) {
		struct trigger *t = slot->value;
		char *key = (char *)(uintptr_t)t->key.p;
		t->ts = NULL;
		forget_waiting(t);
		free_trigger_if_idle(t);
		free(key);
	}
	map_free(&ts->by_name);
	free(ts);
}

struct resume {
	struct trigger *t;
	str ns, sensor, name;
};

/* What still ran when the trigger was retired goes on, and must not be started a second time. */
static bool
is_known(struct trigger *t, const char *id)
{
	struct link *const heads[] = { &t->running, &t->unwritten };
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		for (struct link *l = heads[i]->next; l != heads[i]; l = l->next)
			if (strcmp(CONTAINER_OF(l, struct firing, link)->id, id) == 0)
				return true;
	return false;
}

static void
resume_one(void *arg, const struct firing_row *r)
{
	struct trigger *t = arg;
	if (is_known(t, r->id))
		return;
	struct firing *f = MEM_NEW(struct firing);
	f->t = t;
	f->stored = true;
	memcpy(f->id, r->id, sizeof f->id);
	f->attempt = r->attempt;
	f->next_ns = r->next_ns;
	f->created_ns = r->created_ns;
	enqueue(f); /* an attempt that was waited for is due at once: the daemon was away */
}

static int
resume_rows(sqlite3 *db, void *arg, struct err *e)
{
	struct resume *r = arg;
	return firing_rows_pending(db, r->ns, r->sensor, r->name, resume_one, r->t, e);
}

static void
pump_later(void *arg)
{
	struct trigger *t = arg;
	if (t->ts)
		pump(t);
}

static struct trigger *
new_trigger(struct triggers *ts, str key)
{
	struct trigger *t = MEM_NEW(struct trigger);
	char *copy = mem_alloc(key.n + 1);
	memcpy(copy, key.p, key.n);
	t->ts = ts;
	t->key = (str){ copy, key.n };
	t->retired = true;
	list_init(&t->queue);
	list_init(&t->waiting);
	list_init(&t->running);
	list_init(&t->unwritten);
	map_put(&ts->by_name, t->key, t);
	return t;
}

int
trigger_define(struct triggers *ts, const struct trigger_def *def, struct object *owner, struct trigger **out, struct err *e)
{
	struct arena *a = arena_new();
	str key = arena_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(def->ns), STR_ARG(def->sensor), STR_ARG(def->name));
	struct trigger *t = map_get(&ts->by_name, key);
	if (!t)
		t = new_trigger(ts, key);
	arena_free(a);
	struct object *old = t->owner;
	bool resume = t->retired;
	t->def = *def;
	t->owner = object_ref(owner);
	object_unref(old);
	t->retired = false;
	*out = t;
	if (!resume)
		return 0;
	struct resume r = { t, def->ns, def->sensor, def->name };
	if (store_read_now(ts->env->store, resume_rows, &r, e) < 0)
		return -1;
	if (t->queued)
		loop_defer(ts->env->loop, pump_later, t);
	return 0;
}

void
trigger_retire(struct trigger *t)
{
	t->retired = true;
	forget_waiting(t);
}

size_t
trigger_pending(const struct trigger *t)
{
	size_t n = t->queued;
	const struct link *heads[] = { &t->running, &t->unwritten, &t->waiting };
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		for (const struct link *l = heads[i]->next; l != heads[i]; l = l->next)
			n++;
	return n;
}

void
trigger_fire(struct trigger *t, const struct inputs *in, struct arena *a, struct firing_outcome *out)
{
	struct firing *f = new_firing(t, in);
	*out = (struct firing_outcome){ .verdict = FIRING_PENDING, .id = arena_dup(a, str_c(f->id)) };
	if (t->def.kind->inside) {
		f->sync = out;
		f->sync_arena = a;
		attempt(f);
		if (out->verdict == FIRING_PENDING) /* it ends later: the caller does not wait */
			f->sync = NULL;
		return;
	}
	list_add_tail(&t->unwritten, &f->link);
	struct row_job *j = new_job(f, false, STR_NONE, true);
	j->firing = f;
	queue_job(t, j, firing_row_insert);
}
