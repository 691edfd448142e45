/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_locks: the lock table of a scenario, with others that hold and want locks. The table is memory: a crash takes it,
 * and it is filled again from what the run's rows say and from the others, who do not crash.
 */
#include "engine/sim/sim.h"

struct other {
	str holder;
	struct lock_id id;
	struct lock_rank rank;
	bool wants, holds, held; /* held: at the last commit of the run */
};
struct answer {
	str node_id;
	struct lock_news news;
	bool open; /* it was asked while the table was closed */
};
struct sim_locks {
	struct sim *sim;
	struct locks *table;
	VEC(struct other *) others;
	VEC(struct answer) answers;
	size_t at;
	bool closed;
	struct map limits; /* "name/key" -> str *, where the scenario changed it */
};

static int
limit_of(void *arg, const struct lock_id *id, int64_t *limit, struct err *e)
{
	struct sim_locks *t = arg;
	struct sim *x = t->sim;
	str key = arena_fmt(x->arena, "%.*s/%.*s", STR_ARG(id->name), STR_ARG(id->key)), text;
	const str *changed = map_get(&t->limits, key);
	if (id->kind == LOCK_DATABASE_SEMAPHORE)
		text = sim_text(x, val_get(val_get(x->scenario, S("database")), id->name));
	else if (changed)
		text = *changed;
	else if (x->world.config_map(x->world.arg, id->ns, id->name, id->key, &text, e))
		return -1;
	return str_to_i64(text, limit) && *limit > 0 ? 0 : err_set(e, ERR_INVALID, "not a limit");
}

static str
holder_key(struct sim *x, str node_id)
{
	return arena_fmt(x->arena, "%.*s/%.*s%s%.*s", STR_ARG(run_ns(x->run)), STR_ARG(run_name(x->run)),
		node_id.n ? "/" : "", STR_ARG(node_id));
}

/* ---- the run's asks ------------------------------------------------------------------------------------------------ */

static void
ask(struct sim *x, const struct effect *ef)
{
	struct sim_locks *t = x->locks;
	struct answer *answer = VEC_PUSH(&t->answers);
	struct lock_rank rank = { run_priority(x->run), x->began, 1, ef->node ? node_order(ef->node) : 0 };
	struct locks_wait wait;
	struct err e;
	answer->node_id = arena_dup(x->arena, ef->node_id);
	answer->open = t->closed;
	int rc = locks_ask(t->table, holder_key(x, ef->node_id), &rank, ef->locks->ids, ef->locks->n, x->arena, &wait, &e);
	if (rc < 0)
		answer->news.error = arena_fmt(x->arena, "%s", e.msg);
	else if (rc == 0)
		answer->news = (struct lock_news){ .lock = wait.lock,
			.message = wait.message,
			.holders = locks_shown(t->table, ef->locks->ids, ef->locks->n, x->arena) };
	answer->news.granted = rc > 0;
}

bool
sim_locks_take(struct sim *x, const struct effect *ef)
{
	if (ef->kind == EFFECT_LOCK)
		ask(x, ef);
	else if (ef->kind == EFFECT_UNLOCK)
		(void)locks_release(x->locks->table, holder_key(x, ef->node_id));
	else
		return false;
	return true;
}

static struct other *
other_named(struct sim_locks *t, str holder)
{
	for (size_t i = 0; i < t->others.n; i++)
		if (str_eq(t->others.p[i]->holder, holder))
			return t->others.p[i];
	return NULL;
}

/* What an ask from the time of a restart has come to, as in grant.c. */
static void
look(struct sim *x, struct answer *of)
{
	struct locks_wait wait;
	const struct val *holders;
	int rc = of->open && !of->news.error.p ? locks_look(x->locks->table, holder_key(x, of->node_id), x->arena, &wait, &holders) : -1;
	if (rc == 0)
		of->news = (struct lock_news){ .lock = wait.lock, .message = wait.message, .holders = holders };
	else if (rc > 0)
		of->news = (struct lock_news){ .granted = true };
}

bool
sim_locks_news(struct sim *x, struct stimulus *s)
{
	struct sim_locks *t = x->locks;
	struct lock_news *news = ARENA_NEW(x->arena, struct lock_news);
	*s = (struct stimulus){ .kind = STIM_LOCK, .now = x->now, .lock = news };
	if (t->closed)
		locks_open(t->table);
	t->closed = false;
	if (t->at < t->answers.n) {
		struct answer *next = &t->answers.p[t->at++];
		look(x, next);
		s->node_id = next->node_id;
		*news = next->news;
		return true;
	}
	t->at = t->answers.n = 0;
	for (str holder; (holder = locks_granted(t->table)).p;) {
		struct other *o = other_named(t, holder);
		if (o) {
			o->holds = true;
			continue;
		}
		str rest = arena_dup(x->arena, holder);
		(void)str_cut(&rest, '/');
		(void)str_cut(&rest, '/');
		s->node_id = rest;
		news->granted = true;
		return true;
	}
	return false;
}

/* ---- others ---------------------------------------------------------------------------------------------------------- */

static void
let_ask(struct sim_locks *t, struct other *o)
{
	struct locks_wait wait;
	struct err e;
	o->wants = true;
	o->holds = locks_ask(t->table, o->holder, &o->rank, &o->id, 1, t->sim->arena, &wait, &e) == 1;
}

void
sim_locks_play(struct sim *x, const struct sim_lock_event *ev)
{
	struct sim_locks *t = x->locks;
	if (ev->limit.p) {
		str *v = ARENA_NEW(x->arena, str);
		*v = ev->limit;
		map_put(&t->limits, ev->key, v);
		locks_refresh(t->table);
	} else if (ev->asks) {
		let_ask(t, ev->other);
	} else {
		ev->other->wants = ev->other->holds = false;
		(void)locks_release(t->table, ev->other->holder);
	}
}

/* "ns/Mutex/name", "ns/ConfigMap/name/key", "ns/Database/name" */
static struct lock_id
id_of(str text)
{
	struct lock_id id = { .ns = str_cut(&text, '/') };
	str kind = str_cut(&text, '/');
	id.name = str_cut(&text, '/');
	id.key = text.p ? text : S("");
	id.kind = str_eq(kind, S("ConfigMap"))  ? LOCK_SEMAPHORE
		  : str_eq(kind, S("Database")) ? LOCK_DATABASE_SEMAPHORE
						: LOCK_MUTEX;
	return id;
}

static void
add_other(struct sim *x, const struct val *v)
{
	struct other *o = ARENA_NEW(x->arena, struct other);
	o->holder = sim_field(x, v, "holder");
	o->id = id_of(sim_field(x, v, "lock"));
	o->rank = (struct lock_rank){ sim_number(v, "priority", 0), x->began + sim_number(v, "created", -1) * NS_PER_SEC, 0, 0 };
	*VEC_PUSH(&x->locks->others) = o;
	if (sim_number(v, "from", 0) == 0)
		let_ask(x->locks, o);
	else
		sim_lock_at(x, sim_number(v, "from", 0), (struct sim_lock_event){ .other = o, .asks = true });
	if (val_get(v, S("until")))
		sim_lock_at(x, sim_number(v, "until", 0), (struct sim_lock_event){ .other = o });
}

void
sim_locks_init(struct sim *x)
{
	const struct val *others = val_get(x->scenario, S("locks")), *limits = val_get(x->scenario, S("limits"));
	x->locks = ARENA_NEW(x->arena, struct sim_locks);
	x->locks->sim = x;
	x->locks->table = locks_new(limit_of, x->locks);
	for (uint32_t i = 0; val_is(others, VAL_LIST) && i < others->n; i++)
		add_other(x, &others->items[i]);
	for (uint32_t i = 0; val_is(limits, VAL_LIST) && i < limits->n; i++)
		sim_lock_at(x, sim_number(&limits->items[i], "at", 0),
			(struct sim_lock_event){ .key = sim_field(x, &limits->items[i], "key"),
				.limit = sim_field(x, &limits->items[i], "value") });
}

/* A turn begins: what the others have got until now stays, whatever becomes of it. */
void
sim_locks_commit(struct sim *x)
{
	for (size_t i = 0; i < x->locks->others.n; i++)
		x->locks->others.p[i]->held = x->locks->others.p[i]->holds;
}

/* The turn is lost: who was let in by it never was. */
void
sim_locks_lose(struct sim *x)
{
	for (size_t i = 0; i < x->locks->others.n; i++)
		x->locks->others.p[i]->holds = x->locks->others.p[i]->held;
}

/* After a crash: holders first, of whatever kind. */
void
sim_locks_refill(struct sim *x)
{
	struct sim_locks *t = x->locks;
	const struct locking *held;
	str node_id;
	locks_free(t->table);
	t->table = locks_new(limit_of, t);
	t->at = t->answers.n = 0;
	t->closed = true;
	locks_close(t->table);
	for (size_t i = 0; i < t->others.n; i++)
		if (t->others.p[i]->holds)
			locks_hold(t->table, t->others.p[i]->holder, &t->others.p[i]->id, 1);
	for (size_t i = 0; (held = run_holds(x->run, &i, &node_id));)
		locks_hold(t->table, holder_key(x, node_id), held->ids, held->n);
	for (size_t i = 0; i < t->others.n; i++)
		if (t->others.p[i]->wants && !t->others.p[i]->holds)
			let_ask(t, t->others.p[i]);
}

void
sim_locks_free(struct sim *x)
{
	if (!x->locks)
		return;
	locks_free(x->locks->table);
	map_free(&x->locks->limits);
	VEC_FREE(&x->locks->others);
	VEC_FREE(&x->locks->answers);
}
