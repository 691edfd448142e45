/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive: workflows and their nodes as rows. A workflow's row holds how far it is (state), another what it executes (spec), as
 * JSON; a node's row holds the node. They are apart because SQLite rewrites a row whole: a step's end must not write the
 * whole specification again. Every one carries a CRC-32C, since SQLite's pages here carry none: a row that does
 * not match is an error that names it, and never a crash.
 */
#include "engine/shell.h"

const char engine_schema_sql[] =
	"CREATE TABLE workflow ("
	" id INTEGER PRIMARY KEY,"
	" ns TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,"
	" key TEXT,"                  /* idempotency key of the submission */
	" created INTEGER NOT NULL,"  /* ns */
	" finished INTEGER,"          /* ns; NULL: not yet */
	" phase TEXT NOT NULL,"
	" state BLOB NOT NULL, state_crc INTEGER NOT NULL);"
	"CREATE TABLE workflow_spec (id INTEGER PRIMARY KEY, spec BLOB NOT NULL, spec_crc INTEGER NOT NULL);"
	"CREATE UNIQUE INDEX workflow_name ON workflow (ns, name);"
	"CREATE UNIQUE INDEX workflow_key ON workflow (key) WHERE key IS NOT NULL;"
	"CREATE INDEX workflow_open ON workflow (id) WHERE finished IS NULL;"
	"CREATE INDEX workflow_finished ON workflow (finished) WHERE finished IS NOT NULL;"
	"CREATE TABLE node ("
	" workflow INTEGER NOT NULL, ord INTEGER NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL,"
	" PRIMARY KEY (workflow, ord)) WITHOUT ROWID;";

/* queued: the priority of a workflow that waits to be let run; NULL: it does not. */
const char queue_schema_sql[] = "ALTER TABLE workflow ADD COLUMN queued INTEGER;"
				"CREATE INDEX workflow_queued ON workflow (id) WHERE queued IS NOT NULL;";

static const struct val *
no_template(void *arg, bool cluster, str ns, str name)
{
	(void)arg, (void)cluster, (void)ns, (void)name;
	return NULL;
}

static int
no_config_map(void *arg, str ns, str name, str key, str *out, struct err *e)
{
	(void)arg, (void)ns, (void)key, (void)out;
	return err_set(e, ERR_NOT_FOUND, "config map %.*s: not looked up", STR_ARG(name));
}

const struct run_world archive_no_world = { no_template, no_config_map, NULL };

/* ---- write -------------------------------------------------------------------------------------------------- */

static int
write_row(sqlite3 *db, const struct save_job *j, struct err *e)
{
	int64_t state_crc = store_crc32c(0, j->state);
	if (j->spec.p && store_exec(db, e, "INSERT OR REPLACE INTO workflow_spec (id, spec, spec_crc) VALUES (?,?,?)", "ibi", j->id, j->spec,
	                            (int64_t)store_crc32c(0, j->spec)))
		return -1;
	if (j->insert)
		return store_exec(db, e,
			"INSERT INTO workflow (id, ns, name, uid, key, created, started, finished, phase, state, state_crc, queued)"
			" VALUES (?,?,?,?,?,?,nullif(?, 0),nullif(?, 0),?,?,?,iif(?, ?, NULL))", "issssiiisbiii",
			j->id, j->ns, j->name, j->uid, j->key, j->created, j->started, j->finished, j->phase, j->state, state_crc,
			(int64_t)j->queued, j->priority);
	return store_exec(db, e,
		"UPDATE workflow SET phase = ?, state = ?, state_crc = ?, started = nullif(?, 0), finished = nullif(?, 0),"
		" queued = iif(?, ?, NULL) WHERE id = ?", "sbiiiiii", j->phase, j->state, state_crc, j->started, j->finished,
		(int64_t)j->queued, j->priority, j->id);
}

int
archive_write(sqlite3 *db, void *save_job, struct err *e)
{
	struct save_job *j = save_job;
	if (kills_write(db, j, e) || collect_write(db, j, e))
		return -1;
	if (j->remove)
		return archive_delete(db, j->id, j->ns, j->name, &j->keeps, e);
	if (write_row(db, j, e) || (j->untag && (tags_remove(db, j->id, e) || due_cancel(db, j->id, e))) ||
	    tags_write(db, j->id, j->finished, &j->tags, e) || due_write(db, j->id, j->dues, j->dues_n, e) || cron_child_write(db, j, e))
		return -1;
	for (size_t i = 0; i < j->nodes_n; i++)
		if (store_exec(db, e, "INSERT OR REPLACE INTO node (workflow, ord, data, crc) VALUES (?,?,?,?)", "iibi", j->id, j->nodes[i].order,
		               j->nodes[i].data, (int64_t)store_crc32c(0, j->nodes[i].data)))
			return -1;
	return 0;
}

int
archive_delete(sqlite3 *db, int64_t id, str ns, str name, bool *keeps, struct err *e)
{
	if (store_exec(db, e, "DELETE FROM node WHERE workflow = ?", "i", id) ||
	    store_exec(db, e, "DELETE FROM workflow_spec WHERE id = ?", "i", id) || tags_remove(db, id, e) ||
	    collect_deleted(db, id, keeps, e) || due_deleted(db, id, ns, name, *keeps, e) || cron_child_delete(db, id, e))
		return -1;
	return store_exec(db, e, "DELETE FROM workflow WHERE id = ?", "i", id);
}

/* ---- read --------------------------------------------------------------------------------------------------- */

/* Steps a query: 1 a row, 0 the end, -1 an error. */
static int
step(sqlite3 *db, sqlite3_stmt *q, struct err *e)
{
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return err_set(e, ERR_IO, "reading workflows: %s", sqlite3_errmsg(db));
}

/* The JSON of a column, checked against its checksum in the next column. */
static int
read_json(sqlite3_stmt *q, int col, struct arena *a, const char *what, struct val *out, struct err *e)
{
	str text = store_text(q, col);
	if ((int64_t)store_crc32c(0, text) != sqlite3_column_int64(q, col + 1))
		return err_set(e, ERR_IO, "the stored %s of the workflow is damaged: its checksum differs", what);
	return json_read(a, arena_dup(a, text), out, e);
}

static int
read_nodes(sqlite3 *db, int64_t id, struct arena *a, const struct val ***out, size_t *n, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT data, crc FROM node WHERE workflow = ? ORDER BY ord", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	VEC(const struct val *) nodes = { 0 };
	int more;
	while ((more = step(db, q, e)) == 1) {
		struct val *v = ARENA_NEW(a, struct val);
		if ((more = read_json(q, 0, a, "node", v, e)))
			break;
		*VEC_PUSH(&nodes) = v;
	}
	sqlite3_reset(q);
	if (more == 0) {
		*out = ARENA_ARRAY(a, const struct val *, nodes.n);
		if (nodes.n)
			memcpy(*out, nodes.p, nodes.n * sizeof *nodes.p);
		*n = nodes.n;
	}
	VEC_FREE(&nodes);
	return more;
}

static int
rebuild(sqlite3 *db, sqlite3_stmt *q, bool with_nodes, const struct run_world *w, struct archived *out, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val spec, state;
	const struct val **nodes = NULL;
	size_t n = 0;
	int64_t id = sqlite3_column_int64(q, 0), created = sqlite3_column_int64(q, 1);
	if (read_json(q, 2, a, "specification", &spec, e) || read_json(q, 4, a, "state", &state, e) ||
	    (with_nodes && read_nodes(db, id, a, &nodes, &n, e)))
		return -1;
	struct run *r;
	if (run_load(&r, &spec, &state, nodes, n, w, e))
		return -1;
	*out = (struct archived){ id, created, run_ns(r), run_name(r), str_c(phase_name(run_phase(r))), r, n };
	return 0;
}

int
archive_load_row(sqlite3 *db, int64_t id, bool nodes, const struct run_world *w, struct archived *out, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT id, created, spec, spec_crc, state, state_crc, ns, name FROM workflow JOIN workflow_spec USING (id) WHERE id = ?", e);
	if (!q)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	int rc = step(db, q, e);
	if (rc == 1 && (rc = rebuild(db, q, nodes, w, out, e))) {
		str ns = store_text(q, 6), name = store_text(q, 7);
		err_wrap(e, "workflow %.*s/%.*s", STR_ARG(ns), STR_ARG(name));
	} else if (rc == 0 && !sqlite3_data_count(q)) {
		rc = err_set(e, ERR_NOT_FOUND, "workflow %lld not found", (long long)id);
	}
	sqlite3_reset(q);
	return rc;
}

int
archive_load(sqlite3 *db, str ns, str name, bool nodes, const struct run_world *w, struct archived *out, struct err *e)
{
	int64_t id;
	if (archive_find(db, ns, name, &id, e))
		return -1;
	if (!id)
		return err_set(e, ERR_NOT_FOUND, "workflows.argoproj.io \"%.*s\" not found", STR_ARG(name));
	return archive_load_row(db, id, nodes, w, out, e);
}

static void
bind_text(sqlite3_stmt *q, int i, str s)
{
	sqlite3_bind_text(q, i, s.p ? s.p : "", (int)s.n, SQLITE_TRANSIENT);
}

int
archive_open(sqlite3 *db, struct arena *a, struct open_row **rows, size_t *n, int64_t *largest, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT coalesce(max(id), 0) FROM workflow", e);
	if (!q || step(db, q, e) != 1)
		return -1;
	*largest = sqlite3_column_int64(q, 0);
	sqlite3_reset(q);
	q = store_prepare(db, "SELECT id, created, queued, ns, name FROM workflow WHERE finished IS NULL ORDER BY id", e);
	if (!q)
		return -1;
	VEC(struct open_row) found = { 0 };
	int more;
	while ((more = step(db, q, e)) == 1) {
		bool queued = sqlite3_column_type(q, 2) != SQLITE_NULL;
		*VEC_PUSH(&found) = (struct open_row){ .id = sqlite3_column_int64(q, 0),
			.created = sqlite3_column_int64(q, 1),
			.queued = queued,
			.priority = sqlite3_column_int64(q, 2),
			.ns = queued ? arena_dup(a, store_text(q, 3)) : STR_NONE,
			.name = queued ? arena_dup(a, store_text(q, 4)) : STR_NONE };
	}
	sqlite3_reset(q);
	*n = found.n;
	*rows = ARENA_ARRAY(a, struct open_row, found.n);
	if (found.n)
		memcpy(*rows, found.p, found.n * sizeof *found.p);
	VEC_FREE(&found);
	return more;
}

int
archive_each_queued(sqlite3 *db, str ns, bool (*row)(void *arg, int64_t id), void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
		"SELECT id FROM workflow WHERE queued IS NOT NULL AND (?1 = '' OR ns = ?1) ORDER BY id DESC", e);
	if (!q)
		return -1;
	bind_text(q, 1, ns);
	int more;
	while ((more = step(db, q, e)) == 1 && row(arg, sqlite3_column_int64(q, 0)))
		;
	sqlite3_reset(q);
	return more < 0 ? -1 : 0;
}

/* The first column of the first row of a prepared query with its parameters bound; 0 if there is no row. */
static int
one_id(sqlite3 *db, sqlite3_stmt *q, int64_t *id, struct err *e)
{
	int rc = step(db, q, e);
	*id = rc == 1 ? sqlite3_column_int64(q, 0) : 0;
	sqlite3_reset(q);
	return rc < 0 ? -1 : 0;
}

int
archive_find(sqlite3 *db, str ns, str name, int64_t *id, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT id FROM workflow WHERE ns = ? AND name = ?", e);
	if (!q)
		return -1;
	bind_text(q, 1, ns);
	bind_text(q, 2, name);
	return one_id(db, q, id, e);
}

int
archive_latest(sqlite3 *db, str ns, int64_t *id, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT id FROM workflow WHERE ?1 = '' OR ns = ?1 ORDER BY id DESC LIMIT 1", e);
	if (!q)
		return -1;
	bind_text(q, 1, ns);
	return one_id(db, q, id, e);
}

int
archive_find_key(sqlite3 *db, str key, struct arena *a, str *ns, str *name, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT ns, name FROM workflow WHERE key = ?", e);
	if (!q)
		return -1;
	bind_text(q, 1, key);
	int rc = step(db, q, e);
	*ns = *name = STR_NONE;
	if (rc == 1) {
		*ns = arena_dup(a, store_text(q, 0));
		*name = arena_dup(a, store_text(q, 1));
	}
	sqlite3_reset(q);
	return rc < 0 ? -1 : 0;
}
