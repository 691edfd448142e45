/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters: kept, counted, tried again, dropped. How many there are of each trigger is counted here, so that the store is only asked
 * to make room when there are too many.
 *
 * A letter with attempts behind it is a firing: it becomes pending again. One without was stopped before it became one: its event goes
 * to the sensor once more.
 */
#include "core/log.h"
#include "core/metrics.h"
#include "triggers/dead_impl.h"
#include "triggers/framework.h"

/* ---- how many ------------------------------------------------------------------------------------------------------- */

struct tally {
	char *key, *sensor, *trigger;
	int64_t n;
};

static void
show_tally(const struct tally *t)
{
	metric_set(METRIC_DEAD_LETTERS, (double)t->n, t->sensor, t->trigger, NULL);
}

static struct tally *
tally_of(struct triggers *ts, str ns, str sensor, str trigger)
{
	struct buf key CLEANUP(free_buf) = { 0 };
	buf_addf(&key, "%.*s/%.*s/%.*s", STR_ARG(ns), STR_ARG(sensor), STR_ARG(trigger));
	struct tally *t = map_get(&ts->dead, buf_str(&key));
	if (t)
		return t;
	t = MEM_NEW(struct tally);
	*t = (struct tally){ mem_text(buf_str(&key)), mem_text(sensor), mem_text(trigger), 0 };
	map_put(&ts->dead, str_c(t->key), t);
	return t;
}

static void
count_more(struct triggers *ts, str ns, str sensor, str trigger, int64_t by)
{
	struct tally *t = tally_of(ts, ns, sensor, trigger);
	t->n = t->n + by > 0 ? t->n + by : 0;
	show_tally(t);
}

static void
counted(void *arg, str ns, str sensor, str trigger, int64_t n)
{
	count_more(arg, ns, sensor, trigger, n);
}

static int
count_all(sqlite3 *db, void *arg, struct err *e)
{
	return dead_rows_count(db, counted, arg, e);
}

void
dead_open(struct triggers *ts)
{
	struct err e;
	if (store_read_now(ts->env->store, count_all, ts, &e) < 0)
		log_error("dead letters cannot be counted", "error", e.msg, NULL);
}

void
dead_close(struct triggers *ts)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&ts->dead, &i));) {
		struct tally *t = slot->value;
		free(t->key);
		free(t->sensor);
		free(t->trigger);
		free(t);
	}
	map_free(&ts->dead);
}

/* A sixteenth more than are kept may gather, so that room is not made for each. */
int64_t
dead_count(struct triggers *ts, str ns, str sensor, str trigger)
{
	int64_t keep = ts->env->dead_letters > 0 ? ts->env->dead_letters : DEAD_KEEP;
	struct tally *t = tally_of(ts, ns, sensor, trigger);
	bool full = ++t->n > keep + keep / 16;
	if (full)
		t->n = keep;
	show_tally(t);
	return full ? keep : 0;
}

/* ---- kept ----------------------------------------------------------------------------------------------------------- */

void
dead_letter_keep(struct triggers *ts, str ns, str sensor, str trigger, const struct inputs *in, str reason)
{
	const struct trigger_def def = { .ns = ns, .sensor = sensor, .name = trigger.p ? trigger : S("") };
	firing_insert_dead(ts, &def, in, reason);
}

void
dead_letters_on_again(struct triggers *ts, bool (*again)(void *arg, const struct dead_again *x), void *arg)
{
	ts->again = again;
	ts->again_arg = arg;
}

void
dead_letter_taken(struct triggers *ts, str id)
{
	firing_delete_row(ts, id);
}

/* ---- tried again, dropped --------------------------------------------------------------------------------------------- */

struct dead_job {
	struct arena *arena;
	struct triggers *ts;
	struct dead_choice choice;
	struct dead_row *rows;
	size_t rows_n;
	/* of rows without an attempt */
	struct unfired {
		str *dependencies;
		struct event **events;
		size_t n;
	} *unfired;
	VEC(struct dead_row) dropped; /* what goes, by trigger: the number is in `seq` */
	struct dead_done result;
	void (*done)(void *arg, const struct dead_done *d, const struct err *e);
	void *arg;
};

static struct dead_job *
new_job(struct triggers *ts, const struct dead_choice *c, void (*done)(void *arg, const struct dead_done *d, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct dead_job *j = ARENA_NEW(a, struct dead_job);
	ts->jobs++;
	*j = (struct dead_job){ .arena = a, .ts = ts, .choice = *c, .done = done, .arg = arg };
	str *const texts[] = { &j->choice.id, &j->choice.ns, &j->choice.sensor, &j->choice.trigger, &j->choice.reason };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = arena_dup(a, *texts[i]);
	return j;
}

static void
end_with(struct dead_job *j, const struct err *e)
{
	struct triggers *ts = j->ts;
	j->done(j->arg, e ? NULL : &j->result, e);
	arena_free(j->arena);
	ts->jobs--;
	triggers_free_if_idle(ts);
}

static void
end_job(void *arg)
{
	end_with(arg, NULL);
}

static int
read_unfired(sqlite3 *db, struct dead_job *j, struct err *e)
{
	j->unfired = ARENA_ARRAY(j->arena, struct unfired, j->rows_n);
	for (size_t i = 0; i < j->rows_n; i++) {
		struct unfired *u = &j->unfired[i];
		if (!j->rows[i].attempt && firing_row_events(db, j->rows[i].id.p, j->arena, &u->dependencies, &u->events, &u->n, e) < 0)
			return -1;
	}
	return 0;
}

static int
read_chosen(sqlite3 *db, void *arg, struct err *e)
{
	struct dead_job *j = arg;
	if (dead_rows_newest(db, &j->result.newest, e) < 0 || dead_rows_read(db, &j->choice, j->arena, &j->rows, &j->rows_n, e) < 0)
		return -1;
	return read_unfired(db, j, e);
}

/* The name without what marks a dlqTrigger. */
static str
owner_name(str trigger)
{
	while (str_ends(trigger, S(FIRING_DLQ_NAME)))
		trigger.n -= strlen(FIRING_DLQ_NAME);
	return trigger;
}

static bool
fire_again(struct triggers *ts, const struct dead_row *r)
{
	struct buf key CLEANUP(free_buf) = { 0 };
	buf_addf(&key, "%.*s/%.*s/%.*s", STR_ARG(r->ns), STR_ARG(r->sensor), STR_ARG(owner_name(r->trigger)));
	struct trigger *t = map_get(&ts->by_name, buf_str(&key));
	return t && trigger_take_back(t, r->id, r->seq, r->created_ns);
}

static bool
give_again(struct triggers *ts, const struct dead_row *r, const struct unfired *u)
{
	if (!ts->again || u->n != 1)
		return false;
	return ts->again(ts->again_arg, &(struct dead_again){ r->id, r->ns, r->sensor, r->trigger, u->dependencies[0], u->events[0] });
}

static void
try_rows(struct dead_job *j)
{
	struct triggers *ts = j->ts;
	for (size_t i = 0; i < j->rows_n; i++) {
		const struct dead_row *r = &j->rows[i];
		count_more(ts, r->ns, r->sensor, r->trigger, -1); /* it may come back within the call */
		bool taken = r->attempt ? fire_again(ts, r) : give_again(ts, r, &j->unfired[i]);
		j->result.n += taken;
		j->result.skipped += !taken;
		j->result.last = r->seq;
		if (!taken)
			count_more(ts, r->ns, r->sensor, r->trigger, 1);
	}
}

static void
drop_events(struct dead_job *j)
{
	for (size_t i = 0; j->unfired && i < j->rows_n; i++)
		for (size_t k = 0; k < j->unfired[i].n; k++)
			event_unref(j->unfired[i].events[k]);
}

static void
retry_read(void *arg, const struct err *e)
{
	struct dead_job *j = arg;
	struct err closed;
	if (!e && j->ts->closed) {
		err_set(&closed, ERR_UNAVAILABLE, "the daemon is shutting down");
		e = &closed;
	}
	if (!e)
		try_rows(j);
	drop_events(j);
	if (e)
		end_with(j, e);
	else
		store_after_commit(j->ts->env->store, end_job, j);
}

void
dead_letters_retry(struct triggers *ts, const struct dead_choice *c, void (*done)(void *arg, const struct dead_done *d, const struct err *e), void *arg)
{
	struct dead_job *j = new_job(ts, c, done, arg);
	if (!j->choice.limit || j->choice.limit > DEAD_PAGE)
		j->choice.limit = DEAD_PAGE;
	store_read(ts->env->store, read_chosen, j, retry_read);
}

static void
going(void *arg, str ns, str sensor, str trigger, int64_t n)
{
	struct dead_job *j = arg;
	struct dead_row *r = VEC_PUSH(&j->dropped);
	*r = (struct dead_row){ .ns = arena_dup(j->arena, ns), .sensor = arena_dup(j->arena, sensor), .trigger = arena_dup(j->arena, trigger), .seq = n };
	j->result.n += (size_t)n;
}

static int
drop_chosen(sqlite3 *db, void *arg, struct err *e)
{
	struct dead_job *j = arg;
	if (dead_rows_count_chosen(db, &j->choice, going, j, e) < 0)
		return -1;
	return dead_rows_drop(db, &j->choice, e);
}

static void
dropped(void *arg)
{
	struct dead_job *j = arg;
	for (size_t i = 0; i < j->dropped.n && !j->ts->closed; i++)
		count_more(j->ts, j->dropped.p[i].ns, j->dropped.p[i].sensor, j->dropped.p[i].trigger, -j->dropped.p[i].seq);
	VEC_FREE(&j->dropped);
	end_job(j);
}

void
dead_letters_drop(struct triggers *ts, const struct dead_choice *c, void (*done)(void *arg, const struct dead_done *d, const struct err *e), void *arg)
{
	store_write(ts->env->store, drop_chosen, new_job(ts, c, done, arg), dropped);
}
