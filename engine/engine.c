/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's life: made, what the store has of unfinished workflows taken up, and freed. */
#include "core/log.h"
#include "engine/custom_metrics.h"
#include "engine/shell.h"

/* ---- life --------------------------------------------------------------------------------------------------------- */

struct engine *
engine_new(struct loop *l, struct store *s, struct objects *objects, const struct settings *settings)
{
	quiet_prepare();
	struct engine *g = MEM_NEW(struct engine);
	g->loop = l;
	g->store = s;
	g->objects = objects;
	g->settings = settings;
	g->world = engine_world(g);
	struct err e;
	if (settings->transient_errors.n && regex_compile(settings->transient_errors, &g->transient, &e))
		g->transient = NULL; /* the settings were checked when they were read */
	g->cache = cache_new(g);
	g->cron = cron_new(g);
	g->sync_limits = sync_limits_new();
	g->scratch = arena_new();
	g->metrics = custom_metrics_new(settings->metrics_ttl.ns);
	g->grants = grants_new(g);
	g->agent = tasks_agent(g);
	g->admission = admission_new(g);
	g->next_id = 1;
	g->tags_new = 1; /* an earlier daemon's, perhaps */
	list_init(&g->watches);
	list_init(&g->line);
	return g;
}

void
engine_free(struct engine *g)
{
	if (!g)
		return;
	g->closing = true;
	expiry_stop(g);
	collect_stop(g);
	cron_free(g->cron);
	baseline_free(g);
	timer_stop(&g->quiet);
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&g->lives, &i));)
		live_forget(slot->value);
	map_free(&g->lives);
	map_free(&g->keys);
	watches_free(g);
	VEC_FREE(&g->changed);
	kills_free(g);
	regex_free(g->transient);
	arena_free(g->scratch);
	custom_metrics_free(g->metrics);
	grants_free(g->grants);
	agent_free(g->agent);
	admission_free(g->admission);
	cache_free(g->cache);
	sync_limits_free(g->sync_limits);
	free(g);
}

void
engine_objects_changed(struct engine *g)
{
	grants_refresh(g);
	cron_apply(g);
}

size_t
engine_active(const struct engine *g)
{
	return g->lives.n;
}

size_t
engine_waiting(const struct engine *g)
{
	return admission_waiting(g);
}

/* ---- recovery ------------------------------------------------------------------------------------------------------ */

struct recovery {
	struct engine *engine;
	VEC(struct live *) runs;
};

static void
take_up(struct recovery *rec, struct archived *x)
{
	struct live *l = live_read(rec->engine, x);
	grants_recover(l);
	admission_recover(l);
	*VEC_PUSH(&rec->runs) = l;
}

/* A workflow whose rows are damaged is left alone and named; the others go on. */
static int
read_open(sqlite3 *db, void *arg, struct err *e)
{
	struct recovery *rec = arg;
	struct engine *g = rec->engine;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct open_row *rows;
	int64_t largest;
	size_t n;
	if (archive_open(db, a, &rows, &n, &largest, e))
		return -1;
	g->next_id = largest + 1;
	for (size_t i = 0; i < n; i++) {
		struct archived x;
		struct err why;
		if (rows[i].queued)
			admission_recover_row(g, &rows[i]);
		else if (archive_load_row(db, rows[i].id, true, &g->world, &x, &why))
			log_error("workflow not resumed", "error", why.msg, NULL);
		else
			take_up(rec, &x);
	}
	return 0;
}

/* Nobody goes on before all locks that were held are held again, nor gets one before all have asked who wait. */
static void
resume_all(struct recovery *rec)
{
	grants_close(rec->engine);
	for (size_t i = 0; i < rec->runs.n; i++) {
		struct stimulus s = { .kind = STIM_START, .now = loop_now(rec->engine->loop) };
		live_advance(rec->runs.p[i], &s);
	}
	grants_open(rec->engine);
	admission_serve(rec->engine);
}

int
engine_recover(struct engine *g, struct err *e)
{
	struct recovery rec = { .engine = g };
	int rc = kills_recover(g, e) || expiry_start(g, e) || sync_limits_read(g, e) || store_read_now(g->store, read_open, &rec, e) ? -1 : 0;
	if (!rc) {
		resume_all(&rec);
		collect_start(g);
	}
	if (rec.runs.n) {
		char n[24];
		snprintf(n, sizeof n, "%zu", rec.runs.n);
		log_info("workflows resumed", "count", n, NULL);
	}
	VEC_FREE(&rec.runs);
	return rc ? err_wrap(e, "resuming workflows") : 0;
}
