/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of triggers, and what sensors and kinds call. A firing is a row before anything leaves; from then on it is in exactly one of
 * its trigger's lists until it has ended (unwritten, queue, running, waiting, ended), or on disk alone (pages.c).
 */
#include "core/crypto.h"
#include "triggers/framework.h"

/* ---- what kinds see ---------------------------------------------------------------------------------------------- */

const struct val *firing_spec(const struct firing *f) { return f->spec; }
const struct val *firing_source(const struct firing *f) { return f->source; }
const void *firing_config(const struct firing *f) { return f->config; }
const struct trigger_ops *firing_kind(const struct firing *f) { return f->t->def.kind; }
str firing_payload(const struct firing *f) { return f->payload; }
str firing_id(const struct firing *f) { return str_c(f->id); }
str firing_ns(const struct firing *f) { return f->t->def.ns; }
str firing_sensor(const struct firing *f) { return f->t->def.sensor; }
str firing_trigger(const struct firing *f) { return f->t->def.name; }
struct arena *firing_arena(const struct firing *f) { return f->work; }
const struct trigger_env *firing_env(const struct firing *f) { return f->t->ts->env; }
bool firing_is_over(const struct firing *f) { return !f->t->ts; }
str firing_dependency(const struct firing *f, size_t i) { return f->dependencies[i]; }
const struct val *firing_allow(const struct firing *f) { return f->allow; }
const struct policy_labels *firing_policy(const struct firing *f) { return f->policy; }
unsigned firing_attempt_number(const struct firing *f) { return f->attempt; }

void **
firing_memory(const struct firing *f)
{
	const struct trigger_ops *kind = f->t->def.kind;
	for (struct memory *m = f->t->memory; m; m = m->next)
		if (m->kind == kind)
			return &m->p;
	struct memory *m = MEM_NEW(struct memory);
	*m = (struct memory){ .next = f->t->memory, .kind = kind };
	f->t->memory = m;
	return &m->p;
}

size_t
firing_events(const struct firing *f, struct event ***out)
{
	*out = f->events;
	return f->n;
}

str
firing_sends(const struct firing *f, struct arena *a)
{
	if (f->payload.p && !f->source)
		return arena_dup(a, f->payload);
	return json_write(a, f->source ? f->source : f->spec);
}

struct inputs
firing_inputs(const struct firing *f)
{
	return (struct inputs){ f->dependencies, f->events, f->n, f->created_ns, f->t->def.many };
}

/* ---- one firing --------------------------------------------------------------------------------------------------- */

void
firing_drop_events(struct firing *f)
{
	for (size_t i = 0; i < f->n; i++)
		event_unref(f->events[i]);
	f->n = 0;
	arena_free(f->arena);
	f->arena = NULL;
}

void
firing_end_work(struct firing *f)
{
	arena_free(f->work);
	object_unref(f->owner);
	f->work = NULL;
	f->owner = NULL;
}

void
firing_know(struct firing *f)
{
	struct triggers *ts = f->t->ts;
	f->stored = true;
	if (!map_get(&ts->known, str_c(f->id))) /* else the same events fired it before, and that is under way still */
		(void)map_put(&ts->known, str_c(f->id), f);
}

void
firing_free(struct firing *f)
{
	struct triggers *ts = f->t->ts;
	if (ts && f->stored && map_get(&ts->known, str_c(f->id)) == f)
		(void)map_del(&ts->known, str_c(f->id));
	timer_stop(&f->timer);
	list_del(&f->link);
	firing_end_work(f);
	firing_drop_events(f);
	free(f->mark);
	free(f->given_up);
	free(f);
}

static void
forget_memory(struct trigger *t)
{
	for (struct memory *m = t->memory, *next; m; m = next) {
		next = m->next;
		if (m->p)
			m->kind->forget(m->p);
		free(m);
	}
}

void
trigger_free_if_idle(struct trigger *t)
{
	if (t->ts || pages_busy(t) || !list_empty(&t->running) || !list_empty(&t->unwritten) || !list_empty(&t->ended))
		return;
	forget_memory(t);
	object_unref(t->owner);
	str_disown(t->key);
	free(t);
}

/* The same for the same events of the same trigger, whenever it is computed. */
void
firing_make_id(const struct trigger_def *def, const struct inputs *in, char out[33])
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
	firing_make_id(&t->def, in, f->id);
	return f;
}

/* ---- the set ----------------------------------------------------------------------------------------------------------- */

struct triggers *
triggers_new(const struct trigger_env *env, void (*report)(void *arg, const struct trigger_def *def, const struct firing_outcome *o), void *arg)
{
	struct triggers *ts = MEM_NEW(struct triggers);
	*ts = (struct triggers){ .env = env, .report = report, .arg = arg };
	dead_open(ts);
	return ts;
}

void
triggers_free_if_idle(struct triggers *ts)
{
	if (ts->closed && !ts->jobs)
		free(ts);
}

/* What waits inside ends; the trigger itself stays, as its caller goes on with it. */
static void
end_waits(struct trigger *t)
{
	bool reading = t->beyond.reading;
	t->beyond.reading = true;
	LIST_EACH(&t->running, struct firing, link, f)
		if (f->on_over)
			f->on_over(f->on_over_arg);
	t->beyond.reading = reading;
}

void
triggers_free(struct triggers *ts)
{
	if (!ts)
		return;
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&ts->by_name, &i));) {
		struct trigger *t = slot->value;
		turn_forget(t);
		t->ts = NULL;
		end_waits(t);
	}
	for (size_t i = 0; (slot = map_next(&ts->by_name, &i));)
		trigger_free_if_idle(slot->value);
	map_free(&ts->by_name);
	map_free(&ts->known);
	dead_close(ts);
	ts->closed = true;
	triggers_free_if_idle(ts);
}

/* What firing_mark wrote; NULL: nothing. Reasons of before, which may come from outside, stand in front of it. */
static char *
mark_of(const struct firing_row *r)
{
	size_t from = 0;
	for (size_t at; (at = str_find(r->reason, S(FIRING_WAITS), from)) != SIZE_MAX;)
		from = at + sizeof FIRING_WAITS - 1;
	return r->gathered == FIRING_MARKED && from ? mem_text(str_slice(r->reason, from, r->reason.n)) : NULL;
}

struct firing *
firing_of_row(struct trigger *t, const struct firing_row *r)
{
	if (map_get(&t->ts->known, str_c(r->id)))
		return NULL; /* what still ran when the trigger was retired goes on; and nothing may be started a second time */
	struct firing *f = MEM_NEW(struct firing);
	f->t = t;
	f->order = r->seq;
	memcpy(f->id, r->id, sizeof f->id);
	f->attempt = r->attempt;
	f->created_ns = r->created_ns;
	if (t->def.is_dlq)
		f->given_up = mem_text(str_slice(r->reason, 0, str_find(r->reason, S(FIRING_DLQ_REASON), 0)));
	f->mark = mark_of(r);
	firing_know(f);
	return f;
}

/* An attempt that was waited for is due at once: the daemon was away. */
void
firing_resume(void *arg, const struct firing_row *r)
{
	struct trigger *t = arg;
	struct firing *f = firing_of_row(t, r);
	t->beyond.last = r->seq;
	if (f && r->gathered > 0 && !t->open.firing)
		gather_resume(f, r);
	else if (f)
		turn_add(f);
}

static int
resume_rows(sqlite3 *db, void *arg, struct err *e)
{
	struct trigger *t = arg;
	int64_t mark;
	struct firing_page p = { .ns = t->def.ns, .sensor = t->def.sensor, .trigger = t->def.name, .limit = QUEUE_MAX };
	if (firing_rate_read(db, p.ns, p.sensor, p.trigger, &t->rate_next_ns, e) < 0 || firing_rows_mark(db, &p, &mark, e) < 0)
		return -1;
	p.aside = t->aside.generation = mark > t->aside.generation ? mark : t->aside.generation + 1;
	if (firing_rows_queue(db, &p, firing_resume, t, e) < 0)
		return -1;
	p.after = t->beyond.last;
	return p.n < QUEUE_MAX ? 0 : firing_rows_beyond(db, &p, &t->beyond.n, e);
}

static struct trigger *
new_trigger(struct triggers *ts, str key)
{
	struct trigger *t = MEM_NEW(struct trigger);
	t->ts = ts;
	t->key = str_own(key);
	t->retired = true;
	list_init(&t->queue);
	list_init(&t->waiting);
	list_init(&t->running);
	list_init(&t->unwritten);
	list_init(&t->ended);
	pages_forget(t);
	map_put(&ts->by_name, t->key, t);
	return t;
}

/* The trigger of that name, whatever it was before, is what `def` says from now on. */
static struct trigger *
set_def(struct triggers *ts, const struct trigger_def *def, struct object *owner)
{
	struct arena *a = arena_new();
	str key = arena_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(def->ns), STR_ARG(def->sensor), STR_ARG(def->name));
	struct trigger *t = map_get(&ts->by_name, key);
	if (!t)
		t = new_trigger(ts, key);
	arena_free(a);
	struct object *old = t->owner;
	t->def = *def;
	t->def.name = str_slice(t->key, t->key.n - def->name.n, t->key.n); /* a dlqTrigger's name is made up: the owner has it not */
	t->def.dlq = NULL;
	t->owner = object_ref(owner);
	object_unref(old);
	return t;
}

static int
define_dlq(struct trigger *t, const struct trigger_def *dlq, struct object *owner, struct err *e)
{
	if (dlq)
		return trigger_define(t->ts, dlq, owner, &t->dlq, e);
	if (t->dlq)
		trigger_retire(t->dlq);
	t->dlq = NULL;
	return 0;
}

int
trigger_define(struct triggers *ts, const struct trigger_def *def, struct object *owner, struct trigger **out, struct err *e)
{
	struct trigger *t = set_def(ts, def, owner);
	bool resume = t->retired;
	t->retired = false;
	*out = t;
	if (define_dlq(t, def->dlq, owner, e) < 0)
		return -1;
	if (resume && store_read_now(ts->env->store, resume_rows, t, e) < 0)
		return -1;
	if (t->open.firing && !gather_is_on(&t->def.gather))
		gather_close(t);
	if (t->queued)
		turn_pump_soon(t);
	return 0;
}

void
trigger_retire(struct trigger *t)
{
	t->retired = true;
	turn_forget(t);
	if (t->dlq)
		trigger_retire(t->dlq);
}

static size_t
length(const struct link *list)
{
	size_t n = 0;
	for (const struct link *l = list->next; l != list; l = l->next)
		n++;
	return n;
}

size_t
triggers_under_way(const struct triggers *ts)
{
	const struct map_slot *slot;
	size_t n = ts->jobs;
	for (size_t i = 0; (slot = map_next(&ts->by_name, &i));) {
		const struct trigger *t = slot->value;
		n += length(&t->running) + length(&t->unwritten) + length(&t->ended) + pages_busy(t);
	}
	return n;
}

size_t
trigger_pending(const struct trigger *t)
{
	size_t n = t->queued + t->waits + t->beyond.n + t->aside.n + length(&t->running) + length(&t->unwritten);
	return n + (t->open.firing != NULL) + (t->dlq ? trigger_pending(t->dlq) : 0);
}

size_t
triggers_in_memory(const struct triggers *ts)
{
	return ts->known.n;
}

/* In the turn of the event, for kinds without an effect outside. One that ends later gets its row in the event's transaction, too. */
static void
fire_inside(struct firing *f, struct arena *a, struct firing_outcome *out)
{
	f->sync = out;
	f->sync_arena = a;
	turn_count(f->t);
	firing_attempt(f);
	if (out->verdict != FIRING_PENDING)
		return;
	f->sync = NULL;
	f->beside = true;
	f->t->beside++;
	if (!f->stored)
		firing_keep_open(f, false, STR_NONE);
}

void
trigger_fire(struct trigger *t, const struct inputs *in, struct arena *a, struct firing_outcome *out)
{
	struct firing *f = new_firing(t, in);
	*out = (struct firing_outcome){ .verdict = FIRING_PENDING, .id = arena_dup(a, str_c(f->id)) };
	if (gather_is_on(&t->def.gather)) {
		gather(f, in, a, out);
		out->held = trigger_held(t, a);
	} else if ((attempt_is_inside(&t->def) || t->ts->env->instead) && turn_is_open(t)) {
		fire_inside(f, a, out);
	} else {
		out->held = trigger_held(t, a);
		firing_insert(f);
	}
}

bool
trigger_take_back(struct trigger *t, str id, int64_t seq, int64_t created_ns)
{
	struct firing_row r = { .seq = seq, .created_ns = created_ns };
	struct firing_outcome o = { .verdict = FIRING_PENDING, .id = id };
	snprintf(r.id, sizeof r.id, "%.*s", STR_ARG(id));
	struct firing *before = map_get(&t->ts->known, id);
	if (before && before->buried)
		(void)map_del(&t->ts->known, id);
	struct firing *f = t->retired ? NULL : firing_of_row(t, &r);
	if (!f)
		return false;
	t->ts->report(t->ts->arg, &t->def, &o);
	firing_hand_over(f, STR_NONE);
	return true;
}
