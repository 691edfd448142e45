/* SPDX-License-Identifier: Apache-2.0 */
/*
 * baseline: the durations of the last successful run of each template, which estimates go by. One row a template, replaced when
 * a run of it succeeds: nothing is looked through, and deleting that run does not take the estimate away.
 */
#include "engine/shell.h"

#include "core/log.h"

enum { CACHED_MAX = 1000 };

const char baseline_schema_sql[] =
	"CREATE TABLE baseline (template TEXT PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;";

struct baseline {
	struct arena *arena;
	struct val durations; /* null: there is none */
};

/* "default/workflow-template/build"; absent: it is made from no template. */
static str
template_of(const struct run *r, struct arena *a)
{
	static const char *const kinds[] = { "workflow-template", "cluster-workflow-template", "cron-workflow" };
	const struct val *labels = val_get(run_metadata(r, a), S("labels"));
	for (size_t i = 0; labels && i < ARRAY_LEN(kinds); i++) {
		str name = val_get_str(labels, arena_fmt(a, "workflows.argoproj.io/%s", kinds[i]).p);
		if (name.n)
			return arena_fmt(a, "%.*s/%s/%.*s", STR_ARG(run_ns(r)), kinds[i], STR_ARG(name));
	}
	return STR_NONE;
}

static void
forget_all(struct engine *g)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&g->baselines, &i));)
		arena_free(((struct baseline *)slot->value)->arena); /* it lies in it, as its key does */
	map_free(&g->baselines);
}

static struct baseline *
cached(struct engine *g, str template)
{
	struct arena *a = arena_new();
	struct baseline *b = ARENA_NEW(a, struct baseline), *old = map_del(&g->baselines, template);
	if (old)
		arena_free(old->arena);
	if (g->baselines.n >= CACHED_MAX)
		forget_all(g);
	b->arena = a;
	map_put(&g->baselines, arena_dup(a, template), b);
	return b;
}

/* ---- looking up ---------------------------------------------------------------------------------------------- */

struct lookup {
	str template;
	struct baseline *out;
};

static int
read_row(sqlite3 *db, void *arg, struct err *e)
{
	const struct lookup *l = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT data, crc FROM baseline WHERE template = ?", e);
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, l->template.p, (int)l->template.n, SQLITE_TRANSIENT);
	int rc = 0;
	if (sqlite3_step(q) == SQLITE_ROW) {
		str text = arena_dup(l->out->arena, store_text(q, 0));
		if ((int64_t)store_crc32c(0, text) != sqlite3_column_int64(q, 1))
			rc = err_set(e, ERR_IO, "stored durations of %.*s are damaged", STR_ARG(l->template));
		else
			rc = json_read(l->out->arena, text, &l->out->durations, e);
	}
	sqlite3_reset(q);
	return rc;
}

/* An index look-up on this thread, once a template: the nodes that begin now carry their estimates from the start. */
const struct val *
baseline_find(void *arg, const struct run *r)
{
	struct engine *g = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e;
	str template = template_of(r, a);
	if (!template.n)
		return NULL;
	struct baseline *b = map_get(&g->baselines, template);
	if (!b) {
		struct lookup l = { template, cached(g, template) };
		if (store_read_now(g->store, read_row, &l, &e))
			log_warn("no estimate of durations", "template", template.p, "error", e.msg, NULL);
		b = l.out;
	}
	return val_is(&b->durations, VAL_MAP) ? &b->durations : NULL;
}

/* ---- learning ------------------------------------------------------------------------------------------------ */

struct row {
	struct arena *arena;
	str template, data;
};

static int
write_row(sqlite3 *db, void *arg, struct err *e)
{
	const struct row *w = arg;
	return store_exec(db, e, "INSERT OR REPLACE INTO baseline (template, data, crc) VALUES (?, ?, ?)", "sbi", w->template, w->data,
	                  (int64_t)store_crc32c(0, w->data));
}

static void
row_written(void *arg)
{
	struct row *w = arg;
	arena_free(w->arena);
}

void
baseline_learn(struct engine *g, const struct run *r)
{
	struct arena *a = arena_new();
	str template = template_of(r, a);
	if (run_phase(r) != PHASE_SUCCEEDED || !template.n) {
		arena_free(a);
		return;
	}
	struct val durations = run_baseline(r, a);
	struct row *w = ARENA_NEW(a, struct row);
	*w = (struct row){ a, template, json_write(a, &durations) };
	struct baseline *b = cached(g, template);
	b->durations = val_copy(b->arena, &durations);
	store_write(g->store, write_row, w, row_written);
}

void
baseline_free(struct engine *g)
{
	forget_all(g);
}
