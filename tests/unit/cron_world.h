/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron_world: CronWorkflows on a real engine and store, by a clock that the test sets. Their workflows wait for somebody (suspend), so that the test
 * says when and how each ends. A restart closes everything and opens the same state file again.
 */
#ifndef TIDEGATE_TESTS_CRON_WORLD_H
#define TIDEGATE_TESTS_CRON_WORLD_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <ftw.h>
#include <unistd.h>

#include "core/log.h"
#include "engine/cron.h"
#include "tests/unit/times.h"

static const struct kind *const kinds[] = { &kind_cronworkflow, &kind_workflowtemplate, &kind_clusterworkflowtemplate, &kind_configmap, &kind_secret };

#define SUSPENDED "  workflowSpec: {entrypoint: main, templates: [{name: main, suspend: {}}]}\n"

/* ---- the world ------------------------------------------------------------------------------------------------- */

struct world {
	char dir[64];
	struct arena *arena;
	struct loop *loop;
	struct store *store;
	struct objects *objects;
	struct settings settings;
	struct engine *engine;
	struct executor *executor;
	int64_t now;
	str manifests[8]; /* in force */
	size_t n;
	bool done;
	str answer;
};

static struct store_migration history[11];

static inline size_t
migrations(void)
{
	const char *const sql[] = { engine_schema_sql, archive_schema_sql, queue_schema_sql, expiry_schema_sql, cache_schema_sql, sync_limit_schema_sql,
		baseline_schema_sql, kill_schema_sql, tags_schema_sql, cron_schema_sql, collect_schema_sql };
	for (size_t i = 0; i < ARRAY_LEN(sql); i++)
		history[i] = (struct store_migration){ (int)i + 1, sql[i] };
	return ARRAY_LEN(sql);
}

static inline void
settle(struct world *w)
{
	int idle = 0;
	while (idle < 3) {
		loop_turn(w->loop, 0);
		idle = store_pending(w->store) || store_reading(w->store) ? 0 : idle + 1;
		if (!idle)
			loop_turn(w->loop, 1);
	}
}

static inline void
take(struct world *w, str text)
{
	struct diags d;
	struct val *docs;
	size_t n;
	diags_init(&d);
	if (yaml_read_all(w->arena, S("test.yaml"), text, NULL, &docs, &n, &d) < 0)
		fail_msg("%.*s", STR_ARG(d.v.p[0].text));
	for (size_t i = 0; i < n; i++) {
		struct object *o = objects_decode(w->objects, &docs[i], S("test.yaml"), S("default"), &d);
		str why = d.v.n ? d.v.p[0].text : S("not decoded");
		if (!o)
			fail_msg("%.*s", STR_ARG(why));
		(void)objects_put(w->objects, o);
		object_unref(o);
	}
	diags_free(&d);
}

static inline void
open_world(struct world *w)
{
	struct err e = { 0 };
	size_t n = migrations();
	w->loop = loop_new();
	loop_set_clock(w->loop, w->now);
	if (store_open(w->loop, str_c(w->dir), history, n, &w->store, &e) < 0)
		fail_msg("%s", e.msg);
	w->objects = objects_new(kinds, ARRAY_LEN(kinds));
	for (size_t i = 0; i < w->n; i++)
		take(w, w->manifests[i]);
	w->engine = engine_new(w->loop, w->store, w->objects, &w->settings);
	if (executor_new(w->loop, &w->settings, w->objects, str_c(w->dir), engine_task_news, w->engine, &w->executor, &e) < 0)
		fail_msg("%s", e.msg);
	engine_set_executor(w->engine, w->executor);
	if (engine_recover(w->engine, &e) < 0 || engine_cron_start(w->engine, &e) < 0)
		fail_msg("%s", e.msg);
	settle(w);
}

static inline void
close_world(struct world *w)
{
	while (store_reading(w->store))
		loop_turn(w->loop, 10);
	store_flush(w->store);
	engine_free(w->engine);
	executor_free(w->executor);
	loop_turn(w->loop, 0);
	store_close(w->store);
	objects_free(w->objects);
	loop_free(w->loop);
}

static inline int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path);
}

static inline int
setup(void **state)
{
	struct world *w = MEM_NEW(struct world);
	struct diags d;
	log_setup(LOG_ERROR, LOG_LOGFMT);
	setenv("TZ", "UTC", 1);
	w->arena = arena_new();
	diags_init(&d);
	assert_int_equal(settings_read(NULL, w->arena, &w->settings, &d), 0);
	diags_free(&d);
	w->settings.sandbox = SANDBOX_OFF;
	snprintf(w->dir, sizeof w->dir, "/tmp/tidegate-cron-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->now = at("2026-07-15T10:00:30Z");
	open_world(w);
	*state = w;
	return 0;
}

static inline int
teardown(void **state)
{
	struct world *w = *state;
	close_world(w);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	arena_free(w->arena);
	free(w);
	return 0;
}

/* ---- what a test does ------------------------------------------------------------------------------------------- */

static inline str
cron_text(struct world *w, const char *name, const char *spec)
{
	return arena_fmt(w->arena, "apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nmetadata: {name: %s, labels: {team: blue}}\nspec:\n%s%s", name, spec,
		strstr(spec, "workflowSpec") ? "" : SUSPENDED);
}

/* In force from now on; slot `i` of the manifests. */
static inline void
put_text(struct world *w, size_t i, str text)
{
	w->manifests[i] = text;
	w->n = i < w->n ? w->n : i + 1;
	take(w, text);
	engine_objects_changed(w->engine);
	settle(w);
}

static inline void
put(struct world *w, const char *name, const char *spec)
{
	put_text(w, 0, cron_text(w, name, spec));
}

static inline void
to(struct world *w, const char *time)
{
	w->now = at(time);
	loop_set_clock(w->loop, w->now);
	settle(w);
}

static inline void
restart(struct world *w, const char *time)
{
	close_world(w);
	w->now = at(time);
	open_world(w);
}

static inline int
read_names(sqlite3 *db, void *arg, struct err *e)
{
	struct buf *b = arg;
	sqlite3_stmt *q = store_prepare(db, "SELECT name, phase FROM workflow ORDER BY id", e);
	while (q && sqlite3_step(q) == SQLITE_ROW) {
		str name = store_text(q, 0), phase;
		size_t dash = name.n;
		int64_t slot;
		while (dash && name.p[dash - 1] != '-')
			dash--;
		struct arena *a CLEANUP(free_arena) = arena_new();
		assert_true(str_to_i64(str_slice(name, dash, name.n), &slot));
		str time = time_rfc3339(a, slot * NS_PER_SEC);
		phase = store_text(q, 1);
		buf_addf(b, "%s%.*s %.*s", b->n ? ", " : "", STR_ARG(str_slice(time, 11, 16)), STR_ARG(phase));
	}
	if (q)
		sqlite3_reset(q);
	return q ? 0 : -1;
}

/* "10:01 Running, 10:02 Succeeded": all workflows there are, by the slot in their names. */
static inline void
expect(struct world *w, const char *want)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct err e;
	settle(w);
	assert_int_equal(store_read_now(w->store, read_names, &b, &e), 0);
	assert_string_equal(b.n ? b.p : "", want);
}

static inline const struct val *
view(struct world *w, const char *name)
{
	const struct object *o = objects_find_named(w->objects, "CronWorkflow", S("default"), str_c(name));
	assert_non_null(o);
	return engine_cron_view(w->engine, o, w->arena);
}

static inline void
expect_at(struct world *w, const char *name, const char *path, const char *want)
{
	const struct val *v = val_path(view(w, name), path);
	assert_string_equal(v ? json_write(w->arena, v).p : "", want);
}

static inline const char *
explained(struct world *w, const char *name)
{
	struct val v;
	struct err e;
	assert_int_equal(engine_schedule(w->engine, S("default"), str_c(name), w->arena, &v, &e), 0);
	return str_z(w->arena, val_get_str(&v, "text"));
}

static inline void
answered(void *arg, const struct val *v, const struct err *e)
{
	struct world *w = arg;
	if (e)
		fail_msg("%s", e->msg);
	w->answer = v ? arena_dup(w->arena, json_write(w->arena, v)) : STR_NONE;
	w->done = true;
}

static inline void
finish(struct world *w, const char *cron, const char *slot, enum verb v)
{
	const struct verb_options o = { 0 };
	str name = arena_fmt(w->arena, "%s-%lld", cron, (long long)(at(slot) / NS_PER_SEC));
	w->done = false;
	engine_verb(w->engine, v, S("default"), name, &o, answered, w);
	while (!w->done)
		loop_turn(w->loop, 10);
	settle(w);
}

static inline const struct val *
workflow(struct world *w, const char *cron, const char *slot)
{
	struct val *v = ARENA_NEW(w->arena, struct val);
	struct err e;
	w->done = false;
	engine_get(w->engine, S("default"), arena_fmt(w->arena, "%s-%lld", cron, (long long)(at(slot) / NS_PER_SEC)), true, answered, w);
	while (!w->done)
		loop_turn(w->loop, 10);
	assert_int_equal(json_read(w->arena, w->answer, v, &e), 0);
	return v;
}

static inline void
on_disk(void *arg)
{
	struct world *w = arg;
	w->done = true;
}

static inline void
hold(struct world *w, const char *name, bool on)
{
	struct err e;
	w->done = false;
	if (engine_cron_hold(w->engine, S("default"), str_c(name), on, on_disk, w, &e) < 0)
		fail_msg("%s", e.msg);
	while (!w->done)
		loop_turn(w->loop, 10);
}

#endif
