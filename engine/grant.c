/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grant: the lock table among the workflows. A run's asks go into the table, and what comes of them goes back as
 * stimuli, in the same turn: so "holds" and "gave back" of different workflows are one transaction, and nobody's command
 * starts before the end of who had the lock is on disk.
 *
 * The table is memory only. Before anything runs after a restart it is told what the rows say is held.
 */
#include "core/metrics.h"
#include "engine/locks.h"
#include "engine/shell.h"

struct answer {
	struct arena *arena;
	str holder;
	struct lock_news news;
	bool open; /* it was asked while the table was closed */
};
struct grants {
	struct engine *engine;
	struct locks *locks;
	VEC(struct answer) answers;  /* not told yet; from `at` on */
	size_t at;
	bool telling;
};

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static int
database_limit(const struct grants *t, const struct lock_id *id, int64_t *limit, struct err *e)
{
	*limit = engine_sync_limit(t->engine, id->ns, id->name);
	if (!*limit)
		return err_set(e, ERR_NOT_FOUND,
			"there is no limit \"%.*s\" in namespace \"%.*s\"; make one with `tidegate sync create`",
			STR_ARG(id->name), STR_ARG(id->ns));
	return 0;
}

static int
limit_of(void *arg, const struct lock_id *id, int64_t *limit, struct err *e)
{
	const struct grants *t = arg;
	str text;
	if (id->kind == LOCK_DATABASE_SEMAPHORE)
		return database_limit(t, id, limit, e);
	if (config_map_key(t->engine->objects, id->ns, id->name, id->key, &text, e))
		return -1;
	if (!str_to_i64(str_trim(text), limit) || *limit < 1)
		return err_set(e, ERR_INVALID, "key \"%.*s\" of ConfigMap \"%.*s\" must be a number above 0",
			STR_ARG(id->key), STR_ARG(id->name));
	return 0;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static str
holder_key(struct arena *a, const struct live *l, str node_id)
{
	return arena_fmt(a, "%.*s%s%.*s", STR_ARG(l->map_key), node_id.n ? "/" : "", STR_ARG(node_id));
}

void
grants_ask(struct live *l, const struct effect *x)
{
	struct grants *t = l->engine->grants;
	const struct locking *want = x->locks;
	struct answer *answer = VEC_PUSH(&t->answers);
	struct arena *a = answer->arena = arena_new();
	struct lock_rank rank = { run_priority(l->run), l->created, l->id, x->node ? node_order(x->node) : 0 };
	struct locks_wait wait;
	struct err e;
	answer->holder = holder_key(a, l, x->node_id);
	answer->open = locks_closed(t->locks);
	int rc = locks_ask(t->locks, answer->holder, &rank, want->ids, want->n, a, &wait, &e);
	if (rc < 0)
		answer->news = (struct lock_news){ .error = arena_fmt(a, "%s", e.msg) };
	else if (rc > 0)
		answer->news = (struct lock_news){ .granted = true };
	else
		answer->news = (struct lock_news){ .lock = wait.lock, .message = wait.message, .holders = locks_shown(t->locks, want->ids, want->n, a) };
}

void
grants_release(struct live *l, str node_id)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	(void)locks_release(l->engine->grants->locks, holder_key(a, l, node_id)); /* it may have had none */
}

void
grants_recover(struct live *l)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct locking *held;
	str node_id;
	for (size_t i = 0; (held = run_holds(l->run, &i, &node_id));)
		locks_hold(l->engine->grants->locks, holder_key(a, l, node_id), held->ids, held->n);
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

/* `holder`: "ns/workflow" or "ns/workflow/node". */
static void
tell(struct engine *g, str holder, const struct lock_news *news)
{
	str rest = holder, ns = str_cut(&rest, '/'), name = str_cut(&rest, '/');
	struct live *l = live_find(g, ns, name);
	struct stimulus s = { .kind = STIM_LOCK, .now = loop_now(g->loop), .node_id = rest, .lock = news };
	if (l)
		live_advance(l, &s);
	else
		(void)locks_release(g->grants->locks, holder); /* deleted meanwhile */
}

/* What an ask from the time of a restart has come to. */
static void
look(const struct grants *t, struct answer *x)
{
	struct locks_wait wait;
	const struct val *holders;
	int rc = x->open && !x->news.error.p ? locks_look(t->locks, x->holder, x->arena, &wait, &holders) : -1;
	if (rc == 0)
		x->news = (struct lock_news){ .lock = wait.lock, .message = wait.message, .holders = holders };
	else if (rc > 0)
		x->news = (struct lock_news){ .granted = true };
}

/* Until the table is open nobody is told anything: whoever is to wait would lose its place among those that run. */
void
grants_tell(struct engine *g)
{
	struct grants *t = g->grants;
	str holder;
	if (t->telling || locks_closed(t->locks))
		return;
	t->telling = true;
	for (;;) {
		if (t->at < t->answers.n) {
			struct answer answer = t->answers.p[t->at++];
			look(t, &answer);
			tell(g, answer.holder, &answer.news);
			arena_free(answer.arena);
			continue;
		}
		t->answers.n = t->at = 0;
		holder = locks_granted(t->locks);
		if (!holder.p)
			break;
		struct arena *a CLEANUP(free_arena) = arena_new();
		struct lock_news granted = { .granted = true };
		tell(g, arena_dup(a, holder), &granted);
	}
	t->telling = false;
}

void
grants_close(struct engine *g)
{
	locks_close(g->grants->locks);
}

void
grants_open(struct engine *g)
{
	locks_open(g->grants->locks);
	grants_tell(g);
}

void
grants_refresh(struct engine *g)
{
	locks_refresh(g->grants->locks);
	grants_tell(g);
}

/* ---- how they are used ------------------------------------------------------------------------------------------- */

struct lock_labels {
	const char *type, *storage, *name, *ns;
};

static struct lock_labels
labels_of(const struct lock_id *id, struct arena *a)
{
	const bool database = id->kind == LOCK_DATABASE_MUTEX || id->kind == LOCK_DATABASE_SEMAPHORE;
	return (struct lock_labels){ lock_is_semaphore(id) ? "semaphore" : "mutex", database ? "database" : "configmap",
		str_z(a, lock_text(a, id)), str_z(a, id->ns) };
}

static void
count_taken(const struct lock_id *id)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct lock_labels l = labels_of(id, a);
	metric_add(METRIC_LOCKS_TAKEN, 1, l.type, l.storage, l.name, l.ns, NULL);
}

static void
measure(void *arg, const struct lock_id *id, size_t held, size_t waiting)
{
	const struct lock_labels l = labels_of(id, arg);
	metric_set(METRIC_LOCKS_HELD, (double)held, l.type, l.storage, l.name, l.ns, NULL);
	metric_set(METRIC_LOCKS_PENDING, (double)waiting, l.type, l.storage, l.name, l.ns, NULL);
}

/* A lock that nobody wants any more has no series: names of locks may be made of variables. */
void
grants_measure(const struct grants *t)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	metric_clear(METRIC_LOCKS_HELD);
	metric_clear(METRIC_LOCKS_PENDING);
	locks_each(t->locks, measure, a);
}

/* ---- life cycle -------------------------------------------------------------------------------------------------- */

struct grants *
grants_new(struct engine *g)
{
	struct grants *t = MEM_NEW(struct grants);
	t->engine = g;
	t->locks = locks_new(limit_of, t);
	locks_on_taken(t->locks, count_taken);
	return t;
}

void
grants_free(struct grants *t)
{
	if (!t)
		return;
	for (size_t i = t->at; i < t->answers.n; i++)
		arena_free(t->answers.p[i].arena);
	VEC_FREE(&t->answers);
	locks_free(t->locks);
	free(t);
}
