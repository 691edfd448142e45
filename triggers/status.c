/* SPDX-License-Identifier: Apache-2.0 */
/* What a trigger and a firing wait for, for those who ask why nothing has happened yet. */
#include "triggers/framework.h"

static void
add_time(struct val_map *m, const char *name, int64_t ns, struct arena *a)
{
	if (ns > 0 && ns < INT64_MAX)
		val_map_add(m, str_c(name), val_str(time_rfc3339_nano(a, ns)));
}

static size_t
before_it(const struct trigger *t)
{
	return t->queued + t->beyond.n + t->in_window;
}

static str
gathered(const struct trigger *t, struct arena *a)
{
	const struct gather_rule *g = &t->def.gather;
	str at = t->open.firing ? time_rfc3339(a, t->open.firing->next_ns) : S("once");
	if (g->quiet_ns)
		return arena_fmt(a, "debounce: fires at %.*s if nothing more comes", STR_ARG(at));
	if (!t->open.firing)
		return arena_fmt(a, "batch: full with this one");
	return arena_fmt(a, "batch: %lld of %lld gathered, fires at %.*s at the latest", (long long)t->open.occasions, (long long)g->size, STR_ARG(at));
}

str
trigger_held(const struct trigger *t, struct arena *a)
{
	int64_t now = loop_now(t->ts->env->loop), slot = turn_rate_slot(t, now);
	size_t n = before_it(t);
	if (gather_is_on(&t->def.gather))
		return gathered(t, a);
	if (t->away)
		return arena_fmt(a, "the target cannot be reached: %zu before it", n);
	if (slot > now)
		return arena_fmt(a, "rateLimit: not before %.*s, and %zu before it", STR_ARG(time_rfc3339_nano(a, slot)), n);
	if (t->beside >= BESIDE_MAX)
		return arena_fmt(a, "%zu wait for what they have made, as its policy says, and %zu before it", t->beside, n);
	if (t->def.serial && n)
		return arena_fmt(a, "atLeastOnce: one after the other, and %zu before it", n);
	return n > FIRING_WINDOW ? arena_fmt(a, "%zu before it", n) : STR_NONE;
}

static struct val
head_shown(const struct firing *f, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("id"), val_str(arena_dup(a, str_c(f->id))));
	val_map_add(&m, S("attempts"), val_int(f->attempt));
	add_time(&m, "next", f->attempt ? f->next_ns : 0, a);
	return val_map_end(&m, a);
}

static struct val
open_shown(const struct open_firing *o, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("id"), val_str(arena_dup(a, str_c(o->firing->id))));
	val_map_add(&m, S("occasions"), val_int(o->occasions));
	val_map_add(&m, S("events"), val_int(o->events));
	add_time(&m, "fires", o->firing->next_ns, a);
	return val_map_end(&m, a);
}

struct val
trigger_shown(const struct trigger *t, struct arena *a)
{
	struct val_map m = { 0 };
	int64_t now = loop_now(t->ts->env->loop), slot = turn_rate_slot(t, now);
	val_map_add(&m, S("pending"), val_int((int64_t)trigger_pending(t)));
	if (t->away)
		val_map_add(&m, S("away"), val_bool(true));
	if (t->beside >= BESIDE_MAX)
		val_map_add(&m, S("full"), val_int((int64_t)t->beside));
	if (slot > now)
		add_time(&m, "rateLimitUntil", slot, a);
	if (t->open.firing)
		val_map_add(&m, S("gathering"), open_shown(&t->open, a));
	if (!list_empty(&t->queue))
		val_map_add(&m, S("head"), head_shown(LIST_FIRST(&t->queue, struct firing, link), a));
	else if (!list_empty(&t->waiting))
		val_map_add(&m, S("head"), head_shown(LIST_FIRST(&t->waiting, struct firing, link), a));
	return val_map_end(&m, a);
}

/* ---- a firing, by its row ------------------------------------------------------------------------------------------- */

/* How many of its trigger are pending before it. */
static int
count_before(sqlite3 *db, str id, int64_t *n, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
	                                "SELECT count(*) FROM firing x JOIN firing f ON f.id = ? AND x.ns = f.ns AND x.sensor = f.sensor"
	                                " AND x.trigger = f.trigger AND x.state = 'pending' AND x.seq < f.seq", e);
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, id.p, (int)id.n, SQLITE_STATIC);
	int rc = sqlite3_step(q);
	*n = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	sqlite3_reset(q);
	return rc == SQLITE_ROW ? 0 : err_set(e, ERR_IO, "reading firings: %s", sqlite3_errmsg(db));
}

int
firing_shown(sqlite3 *db, str id, struct arena *a, struct val *out, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT state, attempt, next_ns, created_ns, reason, gathered, trigger FROM firing WHERE id = ?", e);
	struct val_map m = { 0 };
	int64_t before = 0;
	if (!q || count_before(db, id, &before, e) < 0)
		return -1;
	sqlite3_bind_text(q, 1, id.p, (int)id.n, SQLITE_STATIC);
	int rc = sqlite3_step(q);
	if (rc == SQLITE_ROW) {
		bool dead = str_eq(store_text(q, 0), S("dead"));
		val_map_add(&m, S("id"), val_str(arena_dup(a, id)));
		val_map_add(&m, S("state"), val_cstr(dead ? "dead" : "pending"));
		val_map_add(&m, S("trigger"), val_str(arena_dup(a, store_text(q, 6))));
		val_map_add(&m, S("attempts"), val_int(sqlite3_column_int64(q, 1)));
		add_time(&m, "next", dead ? 0 : sqlite3_column_int64(q, 2), a);
		add_time(&m, "since", sqlite3_column_int64(q, 3), a);
		val_map_add_str(&m, S("reason"), arena_dup(a, store_text(q, 4)));
		if (!dead && sqlite3_column_int64(q, 5))
			val_map_add(&m, S("gathered"), val_int(sqlite3_column_int64(q, 5)));
		if (!dead)
			val_map_add(&m, S("before"), val_int(before));
	}
	sqlite3_reset(q);
	*out = val_map_end(&m, a);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading firings: %s", sqlite3_errmsg(db));
}

/* The dead letters of the sensor are few, or it has other worries: its index leads to them, and each has its events beside it. */
int
dead_letter_of(sqlite3 *db, str ns, str sensor, str trigger, str event, struct arena *a, str *id, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
	                                "SELECT f.id FROM firing f JOIN firing_event x ON x.firing = f.id WHERE f.ns = ? AND f.sensor = ? AND f.trigger = ?"
	                                " AND f.state = 'dead' AND json_extract(x.attributes, '$.id') = ? ORDER BY f.seq DESC LIMIT 1", e);
	const str keys[] = { ns, sensor, trigger.n ? trigger : S(""), event };
	if (!q)
		return -1;
	for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
		sqlite3_bind_text(q, i + 1, keys[i].p, (int)keys[i].n, SQLITE_STATIC);
	int rc = sqlite3_step(q);
	*id = rc == SQLITE_ROW ? arena_dup(a, store_text(q, 0)) : STR_NONE;
	sqlite3_reset(q);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "reading dead letters: %s", sqlite3_errmsg(db));
}
