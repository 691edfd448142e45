/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which workflows are a CronWorkflow's: those with its label, whoever made them. That one begins, ends and goes is
 * written in the transaction of that, and so is what its end counts. Beyond the history limits the oldest ended ones
 * are deleted.
 */
#include "engine/cron.h"

#include "core/log.h"

enum { STATE_OPEN, STATE_SUCCEEDED, STATE_FAILED, TRIM_AT_ONCE = 200 }; /* states are stored: the numbers stay */

/* ---- rows ---------------------------------------------------------------------------------------------------- */

void
cron_child_note(struct save_job *j, const struct run *r)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	if (!j->insert && !j->ended && !j->untag)
		return;
	const struct val *label = val_get(val_get(run_metadata(r, a), S("labels")), S(CRON_LABEL));
	if (!val_is(label, VAL_STR) || !label->n)
		return;
	j->cron = arena_dup(j->arena, val_text(label));
	j->uid = arena_dup(j->arena, run_uid(r));
}

static int64_t
state_of(const struct save_job *j)
{
	return !j->finished ? STATE_OPEN : str_eq(j->phase, S("Succeeded")) ? STATE_SUCCEEDED : STATE_FAILED;
}

int
cron_child_write(sqlite3 *db, const struct save_job *j, struct err *e)
{
	int64_t state = state_of(j);
	if (!j->cron.n)
		return 0;
	if (store_exec(db, e,
		    "INSERT OR REPLACE INTO cron_child (id, ns, cron, state, finished, name, uid) VALUES "
		    "(?,?,?,?,?,?,?)",
		    "issiiss", j->id, j->ns, j->cron, state, j->finished, j->name, j->uid))
		return -1;
	if (!j->ended)
		return 0;
	return store_exec(db, e,
		"UPDATE cron SET succeeded = succeeded + ?, failed = failed + ? WHERE ns = ? AND name = ?", "iiss",
		(int64_t)(state == STATE_SUCCEEDED), (int64_t)(state == STATE_FAILED), j->ns, j->cron);
}

int
cron_child_delete(sqlite3 *db, int64_t id, struct err *e)
{
	return store_exec(db, e, "DELETE FROM cron_child WHERE id = ?", "i", id);
}

/* ---- in memory ----------------------------------------------------------------------------------------------- */

void
cron_active_free(struct cron_active *c)
{
	list_del(&c->link);
	map_del(&c->entry->clock->active, c->key);
	str_disown(c->key);
	str_disown(c->uid);
	free(c);
}

void
cron_active_add(struct cron_entry *x, str name, str uid)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str key = arena_fmt(a, "%.*s/%.*s", STR_ARG(x->ns), STR_ARG(name));
	struct cron_active *c = map_get(&x->clock->active, key);
	if (c)
		return;
	c = MEM_NEW(struct cron_active);
	*c = (struct cron_active){ .entry = x, .key = str_own(key), .uid = str_own(uid) };
	c->name = str_slice(c->key, x->ns.n + 1, c->key.n);
	list_add_tail(&x->active, &c->link);
	map_put(&x->clock->active, c->key, c);
}

void
cron_child_gone(struct engine *g, str ns, str name)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct cron_active *c = map_get(&g->cron->active, arena_fmt(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name)));
	if (!c)
		return;
	struct cron_entry *x = c->entry;
	cron_active_free(c);
	cron_put_back(x);
}

/* One of its workflows has ended. */
static void
count(struct cron_entry *x, bool good)
{
	struct err e;
	if (good)
		x->row.succeeded++;
	else
		x->row.failed++;
	if (!x->row.stopped && cron_check_stop(x, &e)) {
		cron_set(&x->row.spec_error, str_c(e.msg));
		cron_write(x, 0);
	} else if (x->row.stopped) {
		cron_write(x, 0);
		cron_rearm(x);
	}
	cron_trim(x);
}

void
cron_child_saving(struct engine *g, const struct save_job *j)
{
	if (j->remove || j->ended)
		cron_child_gone(g, j->ns, j->name);
	if (!j->cron.n)
		return;
	struct cron_entry *x = j->ended ? cron_find(g, j->ns, j->cron) : cron_get(g, j->ns, j->cron);
	if (!j->finished)
		cron_active_add(x, j->name, j->uid);
	else if (j->ended && x && x->object)
		count(x, state_of(j) == STATE_SUCCEEDED);
}

/* ---- how many stay ------------------------------------------------------------------------------------------- */

struct trimmed {
	str ns, name;
	int64_t keep[STATE_FAILED + 1];
};
struct surplus {
	int64_t id;
	str ns, name;
};
/* What is being looked for, and what was found. */
struct trimming {
	struct cron_clock *clock; /* NULL: it has gone meanwhile */
	struct arena *arena;
	struct trimmed *list;
	size_t n;
	VEC(struct surplus) found;
	bool more;
};

static int
read_surplus(sqlite3 *db, struct trimming *t, const struct trimmed *of, int state, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
		"SELECT id, name FROM cron_child WHERE ns = ? AND cron = ? AND state = ? ORDER BY finished DESC, id "
		"DESC LIMIT 200 OFFSET ?",
		e);
	int rc;
	size_t n = 0;
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, of->ns.p, (int)of->ns.n, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, of->name.p, (int)of->name.n, SQLITE_STATIC);
	sqlite3_bind_int(q, 3, state);
	sqlite3_bind_int64(q, 4, of->keep[state]);
	for (; (rc = sqlite3_step(q)) == SQLITE_ROW; n++)
		*VEC_PUSH(&t->found) =
			(struct surplus){ sqlite3_column_int64(q, 0), of->ns, arena_dup(t->arena, store_text(q, 1)) };
	sqlite3_reset(q);
	t->more |= n == TRIM_AT_ONCE;
	return rc == SQLITE_DONE ? 0
				 : err_set(e, ERR_IO, "looking for workflows of CronWorkflows: %s", sqlite3_errmsg(db));
}

static int
read_trimming(sqlite3 *db, void *arg, struct err *e)
{
	struct trimming *t = arg;
	for (size_t i = 0; i < t->n; i++)
		if (read_surplus(db, t, &t->list[i], STATE_SUCCEEDED, e) ||
			read_surplus(db, t, &t->list[i], STATE_FAILED, e))
			return -1;
	return 0;
}

static void trim_begin(void *arg);

/* The next look waits until what was just decided is on disk, so that nothing is found twice. */
static void
trim_act(struct cron_clock *c, const struct trimming *t)
{
	c->reading = NULL;
	for (size_t i = 0; i < t->found.n; i++)
		expiry_forget(c->engine, t->found.p[i].id, t->found.p[i].ns, t->found.p[i].name);
	for (size_t i = 0; t->more && i < t->n; i++) {
		struct cron_entry *x = cron_find(c->engine, t->list[i].ns, t->list[i].name);
		if (x)
			cron_trim(x);
	}
	c->trimming = c->trim.n > 0;
	if (c->trimming)
		store_after_commit(c->engine->store, trim_begin, c->engine);
}

static void
trim_read(void *arg, const struct err *e)
{
	struct trimming *t = arg;
	if (t->clock && e)
		log_error("old workflows of CronWorkflows are not deleted", "error", e->msg, NULL);
	if (t->clock)
		trim_act(t->clock, t);
	VEC_FREE(&t->found);
	arena_free(t->arena);
}

static void
trim_begin(void *arg)
{
	struct engine *g = arg;
	struct cron_clock *c = g->cron;
	if (g->closing)
		return;
	struct arena *a = arena_new();
	struct trimming *t = ARENA_NEW(a, struct trimming);
	*t = (struct trimming){ .clock = c, .arena = a, .list = ARENA_ARRAY(a, struct trimmed, c->trim.n) };
	for (size_t i = 0; i < c->trim.n; i++) {
		struct cron_entry *x = c->trim.p[i];
		x->trim = false;
		if (!x->object)
			continue;
		const struct opt_int *good = &cron_spec(x)->successful_history, *bad = &cron_spec(x)->failed_history;
		t->list[t->n++] = (struct trimmed){ arena_dup(a, x->ns), arena_dup(a, x->name),
			{ [STATE_SUCCEEDED] = good->set ? good->v : 3, [STATE_FAILED] = bad->set ? bad->v : 1 } };
	}
	c->trim.n = 0;
	c->reading = t;
	store_read(g->store, read_trimming, t, trim_read);
}

void
cron_trim(struct cron_entry *x)
{
	struct cron_clock *c = x->clock;
	if (!x->trim)
		*VEC_PUSH(&c->trim) = x;
	x->trim = true;
	if (!c->trimming)
		store_after_commit(c->engine->store, trim_begin, c->engine);
	c->trimming = true;
}

void
cron_trim_stop(struct cron_clock *c)
{
	if (c->reading) /* its answer comes when nobody is there any more */
		c->reading->clock = NULL;
	VEC_FREE(&c->trim);
}
