/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill: steps that are to be ended. That a step is, is decided with its node, which often has failed by then; but its
 * monitor can be told only after the commit. So that no daemon that dies in between leaves a command behind that nobody
 * watches, the transaction that decided it writes a row, which goes when the step's end was seen. A daemon that comes back
 * ends what the rows name: that costs as much as was under way, whatever else lies on the disk.
 *
 * The grace period counts from the decision: a restart does not give a step more time.
 */
#include "engine/shell.h"

#include "core/log.h"

const char kill_schema_sql[] =
	"CREATE TABLE kill ("
	" ns TEXT NOT NULL, workflow TEXT NOT NULL, node TEXT NOT NULL," /* names, as the executor knows it */
	" pod TEXT NOT NULL, at INTEGER NOT NULL, grace INTEGER NOT NULL," /* ns, seconds */
	" PRIMARY KEY (ns, workflow, node)) WITHOUT ROWID;";

/* ---- which have a row ---------------------------------------------------------------------------------------- */

static void
key_of(struct buf *b, str ns, str workflow, str node_id)
{
	buf_addf(b, "%.*s/%.*s/%.*s", STR_ARG(ns), STR_ARG(workflow), STR_ARG(node_id));
}

/* Takes the buffer's memory. */
static void
keep(struct engine *g, struct buf *key)
{
	map_put(&g->kills, buf_str(key), key->p);
	*key = (struct buf){ 0 };
}

/* Whether there was a row. */
static bool
drop(struct engine *g, const struct buf *key)
{
	char *own = map_get(&g->kills, buf_str(key));
	if (own)
		map_del(&g->kills, buf_str(key));
	free(own);
	return own != NULL;
}

void
kills_free(struct engine *g)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&g->kills, &i));)
		free(slot->value);
	map_free(&g->kills);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

/* A step that waits in line, or a request, has no process: it needs no row. One that begins anew is not that to be ended. */
void
kills_note(struct engine *g, struct save_job *j, const struct run *r)
{
	for (size_t i = 0; i < j->actions_n; i++) {
		struct action *x = &j->actions[i];
		bool kill = x->kind == ACTION_KILL;
		const struct node *n = kill ? run_node(r, x->node_id) : NULL;
		struct buf key CLEANUP(free_buf) = { 0 };
		if (kill ? !n || !executor_has(g->executor, j->ns, j->name, x->node_id) : !g->kills.n)
			continue;
		key_of(&key, j->ns, j->name, x->node_id);
		if (!drop(g, &key) && !kill)
			continue;
		x->pod = n ? arena_dup(j->arena, node_pod(n)) : S("");
		if (kill)
			keep(g, &key);
	}
	j->now = loop_now(g->loop);
}

static int
delete_row(sqlite3 *db, str ns, str workflow, str node_id, struct err *e)
{
	return store_exec(db, e, "DELETE FROM kill WHERE ns = ? AND workflow = ? AND node = ?", "sss", ns, workflow, node_id);
}

int
kills_write(sqlite3 *db, const struct save_job *j, struct err *e)
{
	for (size_t i = 0; i < j->actions_n; i++) {
		const struct action *x = &j->actions[i];
		if (!x->pod.p)
			continue;
		if (x->kind == ACTION_KILL ? store_exec(db, e, "INSERT OR IGNORE INTO kill (ns, workflow, node, pod, at, grace) VALUES (?,?,?,?,?,?)",
						     "ssssii", j->ns, j->name, x->node_id, x->pod, j->now, x->grace_seconds)
					   : delete_row(db, j->ns, j->name, x->node_id, e))
			return -1;
	}
	return 0;
}

struct ended_kill {
	struct arena *arena;
	str ns, workflow, node_id;
};

static int
forget_one(sqlite3 *db, void *arg, struct err *e)
{
	const struct ended_kill *x = arg;
	return delete_row(db, x->ns, x->workflow, x->node_id, e);
}

static void
forgotten(void *arg)
{
	arena_free(((struct ended_kill *)arg)->arena);
}

void
kills_ended(struct engine *g, str ns, str workflow, str node_id)
{
	struct buf key CLEANUP(free_buf) = { 0 };
	if (!g->kills.n)
		return;
	key_of(&key, ns, workflow, node_id);
	if (!drop(g, &key))
		return;
	struct arena *a = arena_new();
	struct ended_kill *x = ARENA_NEW(a, struct ended_kill);
	*x = (struct ended_kill){ a, arena_dup(a, ns), arena_dup(a, workflow), arena_dup(a, node_id) };
	store_write(g->store, forget_one, x, forgotten);
}

/* ---- the start ----------------------------------------------------------------------------------------------- */

static void
end_one(struct engine *g, sqlite3_stmt *q)
{
	str ns = store_text(q, 0), workflow = store_text(q, 1), pod = store_text(q, 2);
	int64_t left = sqlite3_column_int64(q, 4) - (loop_now(g->loop) - sqlite3_column_int64(q, 3)) / NS_PER_SEC;
	struct err e;
	if (executor_end(g->executor, ns, workflow, pod, left > 0 ? left : 0, &e))
		log_warn("a step of an earlier daemon could not be ended", "workflow", workflow.p, "pod", pod.p, "error", e.msg, NULL);
}

struct left_over {
	struct engine *engine;
	size_t n;
};

static int
end_all(sqlite3 *db, void *arg, struct err *e)
{
	struct left_over *x = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT ns, workflow, pod, at, grace FROM kill", e);
	if (!q)
		return -1;
	int rc;
	for (; (rc = sqlite3_step(q)) == SQLITE_ROW; x->n++)
		end_one(x->engine, q);
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "looking for steps to end: %s", sqlite3_errmsg(db));
}

static int
forget_all(sqlite3 *db, void *arg UNUSED, struct err *e)
{
	return store_exec(db, e, "DELETE FROM kill", "");
}

int
kills_recover(struct engine *g, struct err *e)
{
	struct left_over x = { .engine = g };
	if (store_read_now(g->store, end_all, &x, e))
		return -1;
	if (x.n)
		store_write(g->store, forget_all, NULL, NULL);
	return 0;
}
