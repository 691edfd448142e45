/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync: the locks that a workflow and its templates ask for (spec 2.13). The run knows which it wants and whether it has
 * them; who gets them is the lock table's affair (locks.h). It asks by an effect and is told by a stimulus; until then
 * the node is Pending and its body not begun. What a node holds stands in its row: after a restart the table is filled
 * from there. A lock is given back when the node ends, whatever the reason.
 *
 * The Retry node has the lock, not its attempts; Steps and DAG nodes have theirs as long as they run.
 */
#include "engine/run/run_impl.h"

/* ---- which locks ------------------------------------------------------------------------------------------------- */

static int
semaphore_id(const struct run *r, const struct semaphore_ref *s, struct lock_id *out, struct err *e)
{
	const struct secret_ref *cm = s->config_map_key;
	str ns = s->ns.n ? s->ns : r->ns;
	if (cm && s->database)
		return err_set(e, ERR_INVALID,
			"requested configuration is invalid: invalid semaphore with both ConfigMapKeyRef and Database");
	if (!cm && !s->database)
		return err_set(e, ERR_INVALID,
			"requested configuration is invalid: cannot get LockName for a Semaphore without a "
			"ConfigMapRef or Database");
	*out = cm ? (struct lock_id){ LOCK_SEMAPHORE, ns, cm->name, cm->key }
		  : (struct lock_id){ LOCK_DATABASE_SEMAPHORE, ns, s->database->key, S("") };
	return out->name.n && (!cm || out->key.n)
		       ? 0
		       : err_set(e, ERR_INVALID, "requested configuration is invalid: a semaphore without a name or key");
}

/* In Argo's order: semaphores, then mutexes. */
static int
read_ids(struct run *r, const struct synchronization *s, struct locking *l, struct err *e)
{
	l->ids = ARENA_ARRAY(r->arena, struct lock_id, s->semaphores.n + s->mutexes.n);
	for (size_t i = 0; i < s->semaphores.n; i++)
		if (semaphore_id(r, &s->semaphores.p[i], &l->ids[l->n++], e))
			return -1;
	for (size_t i = 0; i < s->mutexes.n; i++) {
		const struct mutex_ref *m = &s->mutexes.p[i];
		if (!m->name.n)
			return err_set(e, ERR_INVALID, "requested configuration is invalid: a mutex without a name");
		l->ids[l->n++] = (struct lock_id){ m->database ? LOCK_DATABASE_MUTEX : LOCK_MUTEX,
			m->ns.n ? m->ns : r->ns, m->name, S("") };
	}
	return 0;
}

/* Who asks again after a restart still shows what it waited for when it began to. */
static struct locking *
locking_new(struct run *r, const struct locking *before)
{
	struct locking *l = ARENA_NEW(r->arena, struct locking);
	l->state = LOCK_WAITING;
	l->waiting = before ? before->waiting : STR_NONE;
	l->holders = before ? before->holders : NULL;
	return l;
}

static void
told(struct run *r, struct locking *l)
{
	if (!l || !l->asked)
		return;
	r->asks -= l->placed;
	l->asked = l->placed = false;
}

/* Who waited before a restart asks again, and had no place when it did. */
static void
ask(struct run *r, struct node *n, struct locking *l)
{
	run_effect(r, EFFECT_LOCK, n)->locks = l;
	if (!n || l->asked)
		return;
	l->asked = true;
	l->placed = !l->waiting.n;
	r->asks += l->placed;
}

/* ---- of a node --------------------------------------------------------------------------------------------------- */

/* Such a node would end before it could use them. */
static bool
is_over(const struct run *r, const struct call *c)
{
	return run_shut(r, c->exiting) || (r->deadline && r->now >= r->deadline && !c->exiting);
}

static struct node *
wait_for(struct run *r, struct call *c, const struct processed *p, struct locking *l)
{
	struct err e;
	struct node *n = call_node(r, c, call_node_type(c, p->tmpl));
	if (!n)
		return NULL;
	bool first = !n->lock && n->phase == PHASE_PENDING, asked = n->lock && n->lock->asked;
	if (!asked)
		n->lock = l;
	if (first)
		limit_count_waits(n, true);
	n->inputs = p->inputs;
	node_changed(n);
	if (pod_read_limits(n, c, p->tmpl, &e)) {
		n->bubbles = true;
		node_set(n, PHASE_ERROR, run_text(r, "%s", e.msg));
		return n;
	}
	pod_set_timers(r, n);
	if (!asked && !is_over(r, c)) /* else it is about to be ended */
		ask(r, n, l);
	return n;
}

bool
sync_parks(struct run *r, struct call *c, const struct processed *p, struct node **out)
{
	struct node *n = node_named(r, c->name);
	const struct synchronization *s = p->tmpl->synchronization;
	struct err e;
	bool asked = n && n->lock;
	if (!s || c->retried || (n && n->daemoned) || (asked ? !sync_waits(n) : is_over(r, c)))
		return false;
	struct locking *l = locking_new(r, n ? n->lock : NULL);
	if (read_ids(r, s, l, &e)) {
		*out = call_failed(r, c, run_text(r, "%s", e.msg));
		return true;
	}
	if (!l->n)
		return false;
	*out = wait_for(r, c, p, l);
	return true;
}

void
sync_give_back(struct run *r, struct node *n)
{
	run_effect(r, EFFECT_UNLOCK, n);
	n->lock->state = LOCK_WAITING;
	n->lock->waiting = STR_NONE;
	node_changed(n);
}

void
sync_begins(struct node *n)
{
	if (n->lock && n->lock->state == LOCK_GRANTED)
		limit_count_waits(n, false);
}

void
sync_release(struct run *r, struct node *n)
{
	run_effect(r, EFFECT_UNLOCK, n);
	told(r, n->lock);
	n->lock = NULL;
	if (n->call)
		limit_leaves(n->call);
}

/* They are its own: the call goes on where it had to wait. */
static void
go_on(struct run *r, struct node *n)
{
	n->lock->state = LOCK_GRANTED;
	n->lock->waiting = STR_NONE;
	n->lock->holders = NULL;
	n->message = S("");
	node_changed(n);
	if (r->suspended || !n->call || (n->boundary && limit_frozen(n->boundary->frame))) {
		sync_give_back(r, n); /* it cannot use them */
		return;
	}
	(void)call_begin(r, n->call);
	steps_child_begun(r, n);
	if (n->lock && n->lock->state == LOCK_GRANTED)
		n->lock->state = LOCK_HELD;
}

static void
keep_waiting(struct run *r, struct locking *l, const struct lock_news *news)
{
	struct val *holders = news->holders ? ARENA_NEW(r->arena, struct val) : NULL;
	if (holders)
		*holders = val_copy(r->arena, news->holders);
	l->waiting = arena_dup(r->arena, news->lock);
	l->holders = holders;
}

/* What cannot even begin shows as Skipped and has no inputs (spec 2.3), unless it waited before. */
static void
cannot_begin(struct run *r, struct node *n, str why)
{
	if (!n->message.n) {
		limit_count(n, true, false);
		n->type = NODE_SKIPPED;
		n->inputs = NULL;
	}
	n->bubbles = true;
	node_set(n, PHASE_ERROR, arena_dup(r->arena, why));
	steps_child_begun(r, n);
}

bool
sync_tell_refusal(struct run *r)
{
	if (!r->refusals.n)
		return false;
	struct refusal x = r->refusals.p[0];
	memmove(r->refusals.p, r->refusals.p + 1, --r->refusals.n * sizeof x);
	if (sync_waits(x.node) && !node_fulfilled(x.node))
		cannot_begin(r, x.node, x.why);
	return true;
}

static void
node_told(struct run *r, struct node *n, const struct lock_news *news)
{
	told(r, n->lock);
	if (!n->lock || n->lock->state != LOCK_WAITING)
		return;
	if (news->granted) {
		go_on(r, n);
	} else if (news->error.p) {
		struct refusal x = { n, arena_dup(r->arena, news->error) };
		*VEC_PUSH(&r->refusals) = x;
		if (!run_busy(r))
			(void)sync_tell_refusal(r);
	} else if (!n->lock->waiting.n) {
		keep_waiting(r, n->lock, news);
		node_set(n, n->phase, news->message);
		node_changed(n);
	}
}

/* ---- of the workflow ------------------------------------------------------------------------------------------------ */

static void
cannot_lock(struct run *r, str why)
{
	r->lock = NULL;
	run_end(r, PHASE_FAILED,
		run_text(r, "Failed to acquire the synchronization lock. %.*s", STR_ARG(why)));
}

bool
sync_workflow_parks(struct run *r)
{
	const struct val *src = val_get(r->spec, S("synchronization"));
	struct synchronization s = { 0 };
	struct err e;
	if (!val_is(src, VAL_MAP) || (r->lock && r->lock->state == LOCK_HELD) || str_eq(r->shutdown, S("Terminate")))
		return false;
	r->lock = locking_new(r, r->lock);
	if (run_decode(r, &synchronization_schema, src, "synchronization", &s, &e) || read_ids(r, &s, r->lock, &e)) {
		cannot_lock(r, run_text(r, "%s", e.msg));
		return true;
	}
	if (!r->lock->n) {
		r->lock = NULL;
		return false;
	}
	r->phase = PHASE_PENDING;
	ask(r, NULL, r->lock);
	return true;
}

static void
workflow_told(struct run *r, const struct lock_news *news)
{
	if (!r->lock || r->lock->state != LOCK_WAITING)
		return;
	if (news->granted) {
		r->lock->state = LOCK_HELD;
		r->lock->waiting = STR_NONE;
		r->lock->holders = NULL;
		r->message = S("");
		run_start(r);
	} else if (news->error.p) {
		cannot_lock(r, news->error);
	} else if (!r->lock->waiting.n) {
		keep_waiting(r, r->lock, news);
		r->message = arena_dup(r->arena, news->message);
	}
}

/* Stopped, it still waits if it has an exit handler, which must not run before its time (so does Argo). */
bool
sync_workflow_shut(struct run *r)
{
	if (!r->queued && (!r->lock || r->lock->state != LOCK_WAITING))
		return false;
	if (str_eq(r->shutdown, S("Terminate")) || !on_exit_is_there(r))
		run_end(r, PHASE_FAILED, run_text(r, "Stopped with strategy '%.*s'", STR_ARG(r->shutdown)));
	return true;
}

/* ---- all -------------------------------------------------------------------------------------------------------------- */

void
sync_told(struct run *r, const struct stimulus *s)
{
	struct node *n = s->node_id.n ? run_node(r, s->node_id) : NULL;
	if (r->finished)
		return;
	if (!s->node_id.n)
		workflow_told(r, s->lock);
	else if (n && !node_fulfilled(n))
		node_told(r, n, s->lock);
	else if (n)
		told(r, n->lock);
}

static int
older_first(const void *a, const void *b)
{
	const struct node *x = ((const struct effect *)a)->node, *y = ((const struct effect *)b)->node;
	uint64_t of_x = x ? node_order(x) : 0, of_y = y ? node_order(y) : 0;
	return (of_x > of_y) - (of_x < of_y);
}

/*
 * Those who ask at the same time do so in the order in which their nodes were made: who asks again after it was suspended comes
 * before what begins then, also after a restart, when everything is called anew in the order of the templates.
 */
void
sync_order_asks(struct run *r)
{
	VEC(struct effect) asks = { 0 };
	size_t at = 0;
	for (const struct effect *x = r->first; x; x = x->next)
		if (x->kind == EFFECT_LOCK)
			*VEC_PUSH(&asks) = *x;
	if (asks.n > 1)
		qsort(asks.p, asks.n, sizeof *asks.p, older_first);
	for (struct effect *x = r->first; x && asks.n > 1; x = x->next)
		if (x->kind == EFFECT_LOCK) {
			struct effect *next = x->next;
			*x = asks.p[at++];
			x->next = next;
		}
	VEC_FREE(&asks);
}

/* A workflow that is suspended must not keep others from locks that it cannot use. */
void
sync_suspend(struct run *r)
{
	for (size_t i = 0; i < r->nodes.n; i++)
		if (sync_waits(r->nodes.p[i])) {
			run_effect(r, EFFECT_UNLOCK, r->nodes.p[i]);
			told(r, r->nodes.p[i]->lock);
		}
}

/*
 * They come into the line again, and show how it is then: before anything goes on that may give locks back, so that it makes no
 * difference whether somebody ended meanwhile. Who waits for a place in the workflow asks when he has it.
 */
void
sync_resume(struct run *r)
{
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		if (!sync_waits(n))
			continue;
		bool asks = sync_queued(n) || (r->entered && n->call && !n->call->line);
		n->lock->waiting = STR_NONE;
		if (asks)
			ask(r, n, n->lock);
	}
}

void
sync_finish(struct run *r)
{
	for (size_t i = 0; i < r->nodes.n; i++)
		if (r->nodes.p[i]->lock)
			sync_release(r, r->nodes.p[i]);
	if (r->lock)
		run_effect(r, EFFECT_UNLOCK, NULL);
	r->lock = NULL;
}

const struct locking *
run_holds(const struct run *r, size_t *i, str *node_id)
{
	if (*i == 0) {
		++*i;
		*node_id = S("");
		if (r->lock && r->lock->state == LOCK_HELD)
			return r->lock;
	}
	while (*i - 1 < r->nodes.n) {
		const struct node *n = r->nodes.p[(*i)++ - 1];
		if (n->gone || !n->lock || n->lock->state == LOCK_WAITING)
			continue;
		*node_id = n->id;
		return n->lock;
	}
	return NULL;
}

/* ---- rows and status ---------------------------------------------------------------------------------------------------- */

struct val
sync_save(const struct locking *l, struct arena *a)
{
	struct val_map m = { 0 };
	struct val_list ids = { 0 };
	for (size_t i = 0; i < l->n; i++) {
		struct val_list id = { 0 };
		val_list_add(&id, val_int(l->ids[i].kind));
		val_list_add(&id, val_str(l->ids[i].ns));
		val_list_add(&id, val_str(l->ids[i].name));
		val_list_add(&id, val_str(l->ids[i].key));
		val_list_add(&ids, val_list_end(&id, a));
	}
	val_map_add(&m, S("held"), val_bool(l->state != LOCK_WAITING));
	val_map_add(&m, S("ids"), val_list_end(&ids, a));
	val_map_add_str(&m, S("waiting"), l->waiting.p ? l->waiting : S(""));
	if (l->holders)
		val_map_add(&m, S("holders"), *l->holders);
	return val_map_end(&m, a);
}

/* A row that is damaged says nothing of locks. `v` is in the run's arena. */
struct locking *
sync_load(struct run *r, const struct val *v)
{
	const struct val *ids = val_get(v, S("ids")), *held = val_get(v, S("held"));
	if (!val_is(ids, VAL_LIST))
		return NULL;
	struct locking *l = ARENA_NEW(r->arena, struct locking);
	l->state = val_is(held, VAL_BOOL) && held->b ? LOCK_HELD : LOCK_WAITING;
	l->ids = ARENA_ARRAY(r->arena, struct lock_id, ids->n);
	l->waiting = val_get_str(v, "waiting");
	l->holders = val_get(v, S("holders"));
	for (uint32_t i = 0; i < ids->n; i++) {
		const struct val *id = &ids->items[i];
		int64_t kind;
		if (!val_is(id, VAL_LIST) || id->n != 4 || !val_to_i64(&id->items[0], &kind) || kind < LOCK_MUTEX ||
			kind > LOCK_DATABASE_SEMAPHORE || id->items[1].kind != VAL_STR ||
			id->items[2].kind != VAL_STR || id->items[3].kind != VAL_STR)
			continue;
		l->ids[l->n++] = (struct lock_id){ (enum lock_kind)kind, val_text(&id->items[1]),
			val_text(&id->items[2]), val_text(&id->items[3]) };
	}
	return l;
}

/* What status.synchronization has of mutexes or of semaphores. */
struct shown {
	const struct run *r;
	struct arena *a;
	bool semaphores;
	struct map holding; /* lock name -> struct val_list of holder keys */
	VEC(str) names;     /* in order of appearance */
	struct val_list waiting;
};

static struct val
holder_entry(const struct shown *x, str lock, struct val holders)
{
	struct val_map m = { 0 };
	val_map_add(&m, x->semaphores ? S("semaphore") : S("mutex"), val_str(lock));
	if (x->semaphores)
		val_map_add(&m, S("holders"), holders);
	else if (holders.n)
		val_map_add(&m, S("holder"), holders.items[0]);
	return val_map_end(&m, x->a);
}

static void
show(struct shown *x, const struct locking *l, str holder)
{
	for (size_t i = 0; l && i < l->n; i++) {
		if (lock_is_semaphore(&l->ids[i]) != x->semaphores)
			continue;
		str name = lock_text(x->a, &l->ids[i]);
		if (l->state == LOCK_WAITING) {
			const struct val *holders = val_at(l->holders, i);
			struct val none = { .kind = VAL_LIST };
			val_list_add(&x->waiting, holder_entry(x, name, holders ? *holders : none));
			continue;
		}
		struct val_list *list = map_get(&x->holding, name);
		if (!list) {
			list = ARENA_NEW(x->a, struct val_list);
			map_put(&x->holding, name, list);
			*VEC_PUSH(&x->names) = name;
		}
		val_list_add(list, val_str(holder));
	}
}

static struct val
shown_kind(const struct run *r, bool semaphores, struct arena *a)
{
	struct shown x = { .r = r, .a = a, .semaphores = semaphores };
	struct val_list holding = { 0 };
	struct val_map m = { 0 };
	str workflow = arena_fmt(a, "%.*s/%.*s", STR_ARG(r->ns), STR_ARG(r->name));
	show(&x, r->lock, workflow);
	for (size_t i = 0; i < r->nodes.n; i++)
		if (r->nodes.p[i]->lock && !r->nodes.p[i]->gone)
			show(&x, r->nodes.p[i]->lock,
				arena_fmt(a, "%.*s/%.*s", STR_ARG(workflow), STR_ARG(r->nodes.p[i]->id)));
	for (size_t i = 0; i < x.names.n; i++) {
		struct val_list *list = map_get(&x.holding, x.names.p[i]);
		val_list_add(&holding, holder_entry(&x, x.names.p[i], val_list_end(list, a)));
	}
	struct val held = val_list_end(&holding, a), waiting = val_list_end(&x.waiting, a);
	if (held.n)
		val_map_add(&m, S("holding"), held);
	if (waiting.n)
		val_map_add(&m, S("waiting"), waiting);
	map_free(&x.holding);
	VEC_FREE(&x.names);
	return val_map_end(&m, a);
}

struct val
sync_status(const struct run *r, struct arena *a)
{
	struct val_map m = { 0 };
	struct val mutexes = shown_kind(r, false, a), semaphores = shown_kind(r, true, a);
	if (mutexes.n)
		val_map_add(&m, S("mutex"), mutexes);
	if (semaphores.n)
		val_map_add(&m, S("semaphore"), semaphores);
	return val_map_end(&m, a);
}
