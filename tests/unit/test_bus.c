/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log on a real store in a temporary directory: restart, deliveries, catching up, retention, damage, and kill -9 in
 * the middle of publishing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/bus.h"
#include "bus/dedup.h"

#define HOUR (3600 * NS_PER_SEC)
static const int64_t start_of_time = 1784109600 * NS_PER_SEC;

struct world {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct bus *bus;
	struct bus_limits limits;
	struct stored {
		unsigned stored, duplicates;
	} stored;
};

static void
must(int rc, const struct err *e)
{
	if (rc < 0)
		fail_msg("%s", e->msg);
}

static void
world_open(struct world *w)
{
	struct err e;
	const struct store_migration history[] = { { 1, bus_schema_sql } };
	w->loop = loop_new();
	loop_set_clock(w->loop, start_of_time);
	must(store_open(w->loop, str_c(w->dir), history, 1, &w->store, &e), &e);
	must(bus_open(w->store, w->loop, S("default"), S("default"), &w->limits, &w->bus, &e), &e);
}

static void
world_close(struct world *w)
{
	bus_close(w->bus);
	loop_turn(w->loop, 0);
	store_flush(w->store);
	loop_turn(w->loop, 0);
	store_close(w->store);
	loop_free(w->loop);
	w->bus = NULL;
	w->store = NULL;
	w->loop = NULL;
}

static int
setup(void **state)
{
	struct world *w = MEM_NEW(struct world);
	snprintf(w->dir, sizeof w->dir, "/tmp/tidegate-bus-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	world_open(w);
	*state = w;
	return 0;
}

static void
remove_dir(const char *dir)
{
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static int
teardown(void **state)
{
	struct world *w = *state;
	if (w->bus)
		world_close(w);
	remove_dir(w->dir);
	free(w);
	return 0;
}

static void
reopen(struct world *w)
{
	world_close(w);
	world_open(w);
}

/* ---- what the tests do and see -------------------------------------------------------------------------------- */

static void
on_stored(void *arg, struct event *ev, enum bus_result how)
{
	struct stored *s = arg;
	(void)ev;
	if (how == BUS_STORED)
		s->stored++;
	else
		s->duplicates++;
}

static void
publish_sized(struct world *w, struct stored *s, const char *delivery, const char *data)
{
	struct event *ev = event_new();
	ev->ns = S("default");
	ev->source = S("hooks");
	ev->subject = S("push");
	ev->type = S("webhook");
	ev->time = loop_now(w->loop);
	ev->data = arena_dup(ev->arena, str_c(data));
	if (delivery)
		ev->dedup = arena_dup(ev->arena, str_c(delivery));
	bus_publish(w->bus, ev, s ? on_stored : NULL, s);
	event_unref(ev);
}

static void
publish(struct world *w, struct stored *s, const char *delivery)
{
	publish_sized(w, s, delivery, "{\"n\":1}");
}

struct listener {
	struct world *w;
	struct subscription *sub;
	int64_t last;
	unsigned seen;
	bool lazy;      /* does not consume by itself */
	bool out_of_order;
	unsigned leave_after;
};

static uint64_t calls; /* of all listeners */

static void
on_event(void *arg, struct event *ev)
{
	struct listener *l = arg;
	calls++;
	l->out_of_order |= ev->seq <= l->last || !str_eq(ev->source, S("hooks"));
	l->last = ev->seq;
	l->seen++;
	if (!l->lazy)
		bus_consumed(l->sub, ev->seq);
	if (l->leave_after == l->seen)
		bus_unsubscribe(l->sub);
}

static void
listen_as(struct listener *l, struct world *w, const char *group, bool from_start)
{
	struct err e;
	l->w = w;
	must(bus_subscribe(w->bus, str_c(group), from_start, on_event, l, &l->sub, &e), &e);
}

/* Turns until `*counter` has reached `n`. */
static void
turn_until(struct world *w, const unsigned *counter, unsigned n)
{
	for (int i = 0; i < 2000 && *counter < n; i++)
		loop_turn(w->loop, 20);
	assert_int_equal(*counter, n);
}

static int
count_rows(sqlite3 *db, void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT count(*) FROM bus_event", e);
	if (!q || sqlite3_step(q) != SQLITE_ROW)
		return -1;
	*(unsigned *)arg = (unsigned)sqlite3_column_int(q, 0);
	return 0;
}

static unsigned
rows(struct world *w)
{
	unsigned n;
	struct err e;
	must(store_read_now(w->store, count_rows, &n, &e), &e);
	return n;
}

/* ---- tests ---------------------------------------------------------------------------------------------------- */

static void
test_same_turn_delivery(void **state)
{
	struct world *w = *state;
	struct listener l = { 0 };
	listen_as(&l, w, "sensor", false);
	struct stored *s = &w->stored;
	publish(w, s, NULL);
	assert_int_equal(l.seen, 1); /* before any turn */
	assert_int_equal(s->stored, 0);
	turn_until(w, &s->stored, 1);
	assert_int_equal(rows(w), 1);
}

static void
test_restart_goes_on_behind_the_cursor(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	struct listener l = { .leave_after = 3 };
	listen_as(&l, w, "sensor", false);
	for (int i = 0; i < 10; i++)
		publish(w, s, NULL);
	turn_until(w, &s->stored, 10);
	assert_int_equal(l.seen, 3);
	reopen(w);
	assert_int_equal(bus_head(w->bus), 10);
	l = (struct listener){ .last = 3 };
	listen_as(&l, w, "sensor", false);
	turn_until(w, &l.seen, 7);
	assert_false(l.out_of_order);
	publish(w, s, NULL);
	assert_int_equal(l.last, 11);
}

static void
test_new_group_starts_at_the_end_or_the_beginning(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	for (int i = 0; i < 5; i++)
		publish(w, s, NULL);
	struct listener end = { 0 }, all = { 0 };
	listen_as(&end, w, "end", false);
	listen_as(&all, w, "all", true);
	publish(w, s, NULL);
	turn_until(w, &all.seen, 6);
	assert_int_equal(end.seen, 1);
	struct err e;
	struct subscription *again;
	assert_int_equal(bus_subscribe(w->bus, S("all"), true, on_event, &all, &again, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
}

static void
test_duplicate_is_the_same_event(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	struct listener l = { 0 };
	listen_as(&l, w, "sensor", false);
	publish(w, s, "delivery-1");
	publish(w, s, "delivery-1"); /* in the same turn: answered with the first one's commit */
	assert_int_equal(s->duplicates, 0);
	turn_until(w, &s->duplicates, 1);
	assert_int_equal(s->stored, 1);
	publish(w, s, "delivery-2");
	publish(w, s, NULL);
	publish(w, s, NULL);
	turn_until(w, &s->stored, 4);
	publish(w, s, "delivery-1");
	turn_until(w, &s->duplicates, 2);
	assert_int_equal(l.seen, 4);
	assert_int_equal(rows(w), 4);
	reopen(w); /* remembered over a restart */
	*s = (struct stored){ 0 };
	publish(w, s, "delivery-1");
	turn_until(w, &s->duplicates, 1);
	assert_int_equal(rows(w), 4);
	loop_set_clock(w->loop, start_of_time + 30 * HOUR); /* and forgotten after its window */
	publish(w, s, "delivery-1");
	turn_until(w, &s->stored, 1);
}

static int
first_id(sqlite3 *db, void *arg, struct err *e)
{
	struct event **events;
	size_t n;
	struct bus_query q = { .ns = S("default"), .limit = 1 };
	struct arena *a = arena_new();
	int rc = bus_read(db, &q, &events, &n, a, e);
	if (rc == 0 && n == 1) {
		snprintf(arg, 40, "%.*s", STR_ARG(events[0]->id));
		event_unref(events[0]);
	}
	arena_free(a);
	return rc;
}

struct find {
	str ns, id;
	char bus[40];
	bool found;
};

static int
find_one(sqlite3 *db, void *arg, struct err *e)
{
	struct find *f = arg;
	struct event *ev;
	struct arena *a = arena_new();
	str bus;
	int rc = bus_find(db, f->ns, f->id, a, &ev, &bus, e);
	f->found = rc == 0 && ev;
	snprintf(f->bus, sizeof f->bus, "%.*s", STR_ARG(bus));
	if (rc == 0 && ev)
		assert_true(str_eq(ev->id, f->id));
	if (rc == 0)
		event_unref(ev);
	arena_free(a);
	return rc;
}

static void
test_an_event_is_found_by_its_id(void **state)
{
	struct world *w = *state;
	char id[40];
	struct err e;
	publish(w, &w->stored, NULL);
	turn_until(w, &w->stored.stored, 1);
	must(store_read_now(w->store, first_id, id, &e), &e);
	struct find rows[] = { { S("default"), str_c(id), "", false }, { S("default"), S("none"), "", false }, { S("other"), str_c(id), "", false } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		must(store_read_now(w->store, find_one, &rows[i], &e), &e);
	assert_true(rows[0].found && !rows[1].found && !rows[2].found);
	assert_string_equal(rows[0].bus, "default");
}

static void
test_duplicate_has_the_first_id(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	publish(w, s, "d");
	turn_until(w, &s->stored, 1);
	char id[40];
	struct err e;
	must(store_read_now(w->store, first_id, id, &e), &e);
	struct event *ev = event_new();
	ev->source = S("hooks");
	ev->subject = S("push");
	ev->time = loop_now(w->loop);
	ev->dedup = S("d");
	bus_publish(w->bus, ev, on_stored, s);
	assert_true(str_eq(ev->id, str_c(id)));
	turn_until(w, &s->duplicates, 1);
	event_unref(ev);
}

static void
test_catch_up_waits_for_consumption(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	for (int i = 0; i < 3000; i++)
		publish(w, s, NULL);
	turn_until(w, &s->stored, 3000);
	struct listener l = { .lazy = true };
	listen_as(&l, w, "slow", true);
	turn_until(w, &l.seen, 1024);
	for (int i = 0; i < 5; i++)
		loop_turn(w->loop, 10);
	assert_int_equal(l.seen, 1024); /* no more before something is consumed */
	publish(w, s, NULL);
	assert_int_equal(l.seen, 1024);
	bus_consumed(l.sub, 500);
	turn_until(w, &l.seen, 1524);
	l.lazy = false;
	bus_consumed(l.sub, l.last);
	turn_until(w, &l.seen, 3001);
	assert_false(l.out_of_order);
	publish(w, s, NULL); /* and from here on in the same turn again */
	assert_int_equal(l.seen, 3002);
}

static void
test_window_counts_bytes(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	struct listener l = { .lazy = true };
	listen_as(&l, w, "slow", true);
	size_t n = 1 << 20;
	char *body = mem_alloc(n + 1);
	memset(body, 'x', n);
	for (int i = 0; i < 20; i++)
		publish_sized(w, s, NULL, body);
	free(body);
	assert_int_equal(l.seen, 16);
	turn_until(w, &s->stored, 20);
	bus_consumed(l.sub, 16);
	turn_until(w, &l.seen, 20);
}

static void
on_room(void *arg, bool full)
{
	unsigned *changes = arg;
	(*changes)++;
	assert_int_equal(full, *changes == 1);
}

static void
test_full(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	unsigned changes = 0;
	bus_set_limits(w->bus, &(struct bus_limits){ .max_pending = 10 });
	bus_on_room(w->bus, on_room, &changes);
	for (int i = 0; i < 9; i++)
		publish(w, s, NULL);
	assert_false(bus_is_full(w->bus));
	publish(w, s, NULL);
	assert_true(bus_is_full(w->bus));
	turn_until(w, &s->stored, 10);
	assert_false(bus_is_full(w->bus));
	assert_int_equal(changes, 2);
}

static void
retain(struct world *w, struct bus_limits lim)
{
	bus_set_limits(w->bus, &lim);
	loop_turn(w->loop, 0);
	loop_set_clock(w->loop, loop_now(w->loop) + 60 * NS_PER_SEC);
	for (int i = 0; i < 10; i++) {
		loop_turn(w->loop, 0);
		store_flush(w->store);
	}
}

static void
test_retention(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	struct listener l = { .lazy = true };
	listen_as(&l, w, "slow", false);
	for (int i = 0; i < 1000; i++)
		publish(w, s, i == 0 ? "old delivery" : NULL);
	turn_until(w, &s->stored, 1000);
	retain(w, (struct bus_limits){ .max_events = 100 });
	assert_int_equal(rows(w), 1000); /* nothing is consumed */
	bus_consumed(l.sub, 700);
	retain(w, (struct bus_limits){ .max_events = 100 });
	assert_int_equal(rows(w), 300);
	bus_consumed(l.sub, 1000);
	retain(w, (struct bus_limits){ .max_events = 100 });
	assert_int_equal(rows(w), 100);
	reopen(w); /* the delivery id outlives its event */
	publish(w, s, "old delivery");
	turn_until(w, &s->duplicates, 1);
	assert_int_equal(rows(w), 100);
	bus_forget(w->bus, S("slow"));
	retain(w, (struct bus_limits){ .max_bytes = 10 * (64 + 32 + 5 + 4 + 7 + 16 + 7) });
	assert_int_equal(rows(w), 10);
	loop_set_clock(w->loop, start_of_time + 2 * HOUR);
	retain(w, (struct bus_limits){ .max_age_ns = HOUR });
	assert_int_equal(rows(w), 1); /* the newest stays: the log's numbers go on */
	reopen(w);
	assert_int_equal(bus_head(w->bus), 1000);
}

static void
test_forgotten_group_holds_nothing_back(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	struct listener l = { 0 };
	listen_as(&l, w, "gone", false);
	bus_unsubscribe(l.sub);
	for (int i = 0; i < 10; i++)
		publish(w, s, NULL);
	turn_until(w, &s->stored, 10);
	reopen(w);
	bus_forget(w->bus, S("gone"));
	loop_turn(w->loop, 0);
	reopen(w);
	publish(w, s, NULL);
	turn_until(w, &s->stored, 11);
	retain(w, (struct bus_limits){ .max_events = 2 });
	assert_int_equal(rows(w), 2);
}

static int
damage(sqlite3 *db, void *arg, struct err *e)
{
	(void)arg;
	return store_exec(db, e, "UPDATE bus_event SET data = CAST('{\"n\":2}' AS BLOB) WHERE key & 0xffffffff = 3", "");
}

static void
test_damaged_row_is_passed_over(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	for (int i = 0; i < 5; i++)
		publish(w, s, NULL);
	store_write(w->store, damage, NULL, NULL);
	turn_until(w, &s->stored, 5);
	reopen(w);
	struct listener l = { 0 };
	listen_as(&l, w, "sensor", true);
	turn_until(w, &l.seen, 4);
	assert_int_equal(l.last, 5);
	publish(w, s, NULL);
	assert_int_equal(l.seen, 5);
}

static int
misplace(sqlite3 *db, void *arg, struct err *e)
{
	(void)arg;
	return store_exec(db, e, "UPDATE bus_cursor SET seq = 1000000", "");
}

static void
test_misplaced_cursor_does_not_swallow_events(void **state)
{
	struct world *w = *state;
	struct listener l = { 0 };
	listen_as(&l, w, "sensor", false);
	publish(w, &w->stored, NULL);
	loop_turn(w->loop, 0);
	store_write(w->store, misplace, NULL, NULL);
	turn_until(w, &w->stored.stored, 1);
	reopen(w);
	l = (struct listener){ 0 };
	listen_as(&l, w, "sensor", false);
	publish(w, &w->stored, NULL);
	assert_int_equal(l.seen, 1);
}

struct query {
	struct bus_query q;
	struct arena *a;
	struct event **events;
	size_t n;
};

static int
run_query(sqlite3 *db, void *arg, struct err *e)
{
	struct query *q = arg;
	return bus_read(db, &q->q, &q->events, &q->n, q->a, e);
}

static size_t
ask(struct world *w, struct query *q, struct bus_query what)
{
	struct err e;
	q->q = what;
	must(store_read_now(w->store, run_query, q, &e), &e);
	size_t n = q->n;
	for (size_t i = 0; i < n; i++)
		event_unref(q->events[i]);
	return n;
}

static void
test_queries(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	struct event *ev = event_new();
	ev->source = S("clock");
	ev->subject = S("tick");
	ev->type = S("calendar");
	ev->content_type = S("text/plain");
	ev->time = loop_now(w->loop) - 5;
	struct kvs_ext ext[] = { { S("traceparent"), S("00-\"x\"") } };
	ev->ext = ext;
	ev->ext_n = 1;
	bus_publish(w->bus, ev, on_stored, s);
	for (int i = 0; i < 5; i++)
		publish(w, s, NULL);
	turn_until(w, &s->stored, 6);
	struct query q = { .a = arena_new() };
	assert_int_equal(ask(w, &q, (struct bus_query){ 0 }), 6);
	assert_int_equal(ask(w, &q, (struct bus_query){ .ns = S("default"), .bus = S("default"), .after_seq = 4 }), 2);
	assert_int_equal(ask(w, &q, (struct bus_query){ .ns = S("other") }), 0);
	assert_int_equal(ask(w, &q, (struct bus_query){ .source = S("hooks"), .limit = 3, .newest_first = true }), 3);
	assert_int_equal(ask(w, &q, (struct bus_query){ .since_ns = loop_now(w->loop) }), 5);
	assert_int_equal(ask(w, &q, (struct bus_query){ .subject = S("nothing") }), 0);
	struct err e;
	q.q = (struct bus_query){ .id = ev->id };
	must(store_read_now(w->store, run_query, &q, &e), &e);
	assert_int_equal(q.n, 1);
	struct event *back = q.events[0];
	assert_true(str_eq(back->content_type, S("text/plain")) && str_eq(back->type, S("calendar")) && back->time == ev->time);
	assert_int_equal(back->ext_n, 1);
	assert_true(str_eq(back->ext[0].key, S("traceparent")) && str_eq(back->ext[0].value, S("00-\"x\"")));
	assert_true(str_eq(back->ns, S("default")) && back->seq == 1 && back->data.n == 0);
	event_unref(back);
	event_unref(ev);
	arena_free(q.a);
}

static void
test_logs_do_not_mix(void **state)
{
	struct world *w = *state;
	struct stored *s = &w->stored;
	struct bus *other;
	struct err e;
	must(bus_open(w->store, w->loop, S("team"), S("default"), &w->limits, &other, &e), &e);
	publish(w, s, "d");
	struct bus *first = w->bus;
	w->bus = other;
	struct listener l = { 0 };
	listen_as(&l, w, "sensor", true);
	publish(w, s, "d");
	publish(w, s, NULL);
	w->bus = first;
	turn_until(w, &s->stored, 3);
	assert_int_equal(l.seen, 2);
	struct query q = { .a = arena_new() };
	assert_int_equal(ask(w, &q, (struct bus_query){ .ns = S("team") }), 2);
	assert_int_equal(ask(w, &q, (struct bus_query){ 0 }), 3);
	arena_free(q.a);
	bus_close(other);
}

/* The number of acknowledged events, told through a pipe as it grows; the parent kills us somewhere in between. */
static void
told(void *arg, struct event *ev, enum bus_result how)
{
	(void)how;
	if (write(*(int *)arg, &ev->seq, sizeof ev->seq) != sizeof ev->seq)
		_exit(3);
}

static void
publish_until_killed(struct world *w, int out)
{
	struct listener l = { 0 };
	w->loop = NULL;
	world_open(w);
	listen_as(&l, w, "sensor", false);
	for (int64_t i = 0;; i++) {
		struct event *ev = event_new();
		ev->source = S("hooks");
		ev->subject = S("push");
		ev->time = loop_now(w->loop);
		ev->data = arena_fmt(ev->arena, "{\"seq\":%lld}", (long long)bus_head(w->bus) + 1);
		bus_publish(w->bus, ev, told, &out);
		event_unref(ev);
		if (i % 7 == 0)
			loop_turn(w->loop, 0);
	}
}

static void
test_kill(void **state)
{
	struct world *w = *state;
	int64_t last = 0;
#ifdef __SANITIZE_THREAD__
	skip(); /* ThreadSanitizer starts no threads in a child of a process that had some */
#endif
	world_close(w); /* the children hold the state by turns */
	for (int round = 0; round < 5; round++) {
		int fds[2];
		assert_int_equal(pipe(fds), 0);
		pid_t pid = fork();
		if (pid == 0) {
			close(fds[0]);
			publish_until_killed(w, fds[1]);
			_exit(0);
		}
		close(fds[1]);
		int64_t seq, want = last + 50 + round * 37;
		while (read(fds[0], &seq, sizeof seq) == sizeof seq) {
			if (seq == want)
				kill(pid, SIGKILL);
			last = seq;
		}
		close(fds[0]);
		int status;
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		world_open(w);
		assert_true(bus_head(w->bus) >= last); /* nothing that was acknowledged is gone */
		last = bus_head(w->bus);
		struct query q = { .a = arena_new() };
		struct err e;
		must(store_read_now(w->store, run_query, &q, &e), &e);
		assert_int_equal(q.n, last); /* no gap, nothing invented, nothing damaged */
		for (size_t i = 0; i < q.n; i++) {
			char want_data[40];
			snprintf(want_data, sizeof want_data, "{\"seq\":%zu}", i + 1);
			assert_true(str_eq(q.events[i]->data, str_c(want_data)));
			event_unref(q.events[i]);
		}
		arena_free(q.a);
		/* The cursor moved with the events it consumed: one transaction. */
		struct listener l = { .last = last };
		listen_as(&l, w, "sensor", true);
		for (int i = 0; i < 3; i++)
			loop_turn(w->loop, 10);
		assert_int_equal(l.seen, 0);
		world_close(w);
	}
	world_open(w);
}

static void
test_dedup_enters_once(void **state)
{
	(void)state;
	struct dedup d = { 0 };
	char text[600];
	dedup_init(&d, 8 * HOUR);
	memset(text, 'x', sizeof text);
	for (int64_t n = 200; n < 600; n++) { /* keys on both sides of what is common */
		str delivery = { text, (size_t)n };
		struct dedup_entry entry = { n, start_of_time, S("id") }, other = { 0, start_of_time, S("other") };
		assert_null(dedup_enter(&d, start_of_time, S("s"), S("e"), delivery, &entry));
		assert_int_equal(dedup_enter(&d, start_of_time, S("s"), S("e"), delivery, &other)->seq, n);
		dedup_add(&d, S("s"), S("e"), delivery, &other); /* the first stays */
		const struct dedup_entry *found = dedup_find(&d, start_of_time, S("s"), S("e"), delivery);
		assert_int_equal(found->seq, n);
		assert_true(str_eq(found->id, S("id")));
	}
	assert_int_equal(d.n, 400);
	dedup_free(&d);
}

static void
test_dedup_forgets(void **state)
{
	(void)state;
	struct dedup d = { 0 };
	dedup_init(&d, 8 * HOUR);
	struct dedup_entry entry = { 1, start_of_time, S("id") };
	dedup_add(&d, S("s"), S("e"), S("1"), &entry);
	entry.time -= 3 * HOUR; /* loading goes backwards */
	dedup_add(&d, S("s"), S("e"), S("2"), &entry);
	assert_non_null(dedup_find(&d, start_of_time, S("s"), S("e"), S("1")));
	assert_non_null(dedup_find(&d, start_of_time, S("s"), S("e"), S("2")));
	assert_null(dedup_find(&d, start_of_time, S("s"), S("e1"), S("")));
	assert_null(dedup_find(&d, start_of_time + 6 * HOUR, S("s"), S("e"), S("2")));
	assert_non_null(dedup_find(&d, start_of_time + 6 * HOUR, S("s"), S("e"), S("1")));
	assert_null(dedup_find(&d, start_of_time + 20 * HOUR, S("s"), S("e"), S("1")));
	assert_int_equal(d.n, 0);
	dedup_free(&d);
}

/* ---- topics ---------------------------------------------------------------------------------------------------------- */

static const char *const subjects[] = { "push", "tag", "issue" };

static void
publish_subject(struct world *w, const char *subject)
{
	struct event *ev = event_new();
	ev->ns = S("default");
	ev->source = S("hooks");
	ev->subject = str_c(subject);
	ev->type = S("webhook");
	ev->time = loop_now(w->loop);
	bus_publish(w->bus, ev, on_stored, &w->stored);
	event_unref(ev);
}

static int
places(sqlite3 *db, void *arg, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db, "SELECT group_concat(grp || '=' || seq, ' ') FROM (SELECT grp, seq FROM bus_cursor ORDER BY grp LIMIT 4)", e);
	if (!q || sqlite3_step(q) != SQLITE_ROW)
		return -1;
	str text = store_text(q, 0);
	snprintf(arg, 200, "%.*s", STR_ARG(text));
	sqlite3_reset(q);
	return 0;
}

static void
expect_places(struct world *w, const char *want)
{
	char got[200];
	struct err e;
	must(store_read_now(w->store, places, got, &e), &e);
	assert_string_equal(got, want);
}

static void
test_only_those_who_want_it_are_called(void **state)
{
	enum { MANY = 10000 };
	struct world *w = *state;
	struct listener *all = mem_alloc(MANY * sizeof *all);
	for (unsigned i = 0; i < MANY; i++) {
		char group[16];
		snprintf(group, sizeof group, "g%05u", i);
		all[i] = (struct listener){ 0 };
		listen_as(&all[i], w, group, false);
		bus_listen(all[i].sub, &(struct bus_topic){ S("hooks"), i == 7 ? S("push") : str_c(group) }, 1);
	}
	loop_turn(w->loop, 0);
	store_flush(w->store);
	expect_places(w, "g00000=-1 g00001=-1 g00002=-1 g00003=-1");
	uint64_t before = calls;
	for (unsigned i = 0; i < 200; i++)
		publish_subject(w, "push");
	turn_until(w, &w->stored.stored, 200);
	assert_int_equal(calls - before, 200);
	assert_int_equal(all[7].seen, 200);
	expect_places(w, "g00000=-1 g00001=-1 g00002=-1 g00003=-1"); /* nothing was written for them: they are at the end */
	reopen(w);
	all[0] = all[7] = (struct listener){ 0 };
	listen_as(&all[0], w, "g00000", false);
	listen_as(&all[7], w, "g00007", false);
	publish_subject(w, "push");
	turn_until(w, &w->stored.stored, 201);
	assert_int_equal(all[0].seen, 1); /* and wants everything now, but for what is past */
	assert_int_equal(all[0].last, 201);
	assert_int_equal(all[7].last, 201);
	/* nobody listened for the third one: it keeps its place, and gets what came since */
	all[3] = (struct listener){ 0 };
	listen_as(&all[3], w, "g00003", false);
	turn_until(w, &all[3].seen, 1);
	assert_int_equal(all[3].last, 201);
	free(all);
}

static void
test_a_place_is_written_while_an_event_is_under_way(void **state)
{
	struct world *w = *state;
	struct listener lazy = { .lazy = true }, other = { 0 };
	listen_as(&lazy, w, "a", false);
	listen_as(&other, w, "b", false);
	bus_listen(other.sub, &(struct bus_topic){ S("hooks"), S("tag") }, 1);
	publish_subject(w, "push");
	publish_subject(w, "push");
	turn_until(w, &w->stored.stored, 2);
	assert_true(bus_is_behind(lazy.sub));
	assert_false(bus_is_behind(other.sub));
	expect_places(w, "a=0 b=-1");
	bus_consumed(lazy.sub, 1);
	loop_turn(w->loop, 0);
	store_flush(w->store);
	expect_places(w, "a=1 b=-1");
	bus_consumed(lazy.sub, 2);
	loop_turn(w->loop, 0);
	store_flush(w->store);
	expect_places(w, "a=-1 b=-1");
	assert_false(bus_is_behind(lazy.sub));
}

/* A group of the random test: what it is to get, and how far it is. */
struct group {
	struct world *w;
	struct subscription *sub; /* NULL: nobody listens */
	unsigned wants;           /* bits of subjects; 0: everything */
	int64_t due[3000];
	size_t n, got, consumed;
};

static void
on_due(void *arg, struct event *ev)
{
	struct group *m = arg;
	assert_true(m->got < m->n);
	assert_int_equal(ev->seq, m->due[m->got]);
	m->got++;
}

static void
join_in(struct world *w, struct group *m, unsigned i)
{
	char group[8];
	struct bus_topic topics[3];
	struct err e;
	size_t n = 0;
	snprintf(group, sizeof group, "m%u", i);
	m->w = w;
	m->got = m->consumed;
	must(bus_subscribe(w->bus, str_c(group), false, on_due, m, &m->sub, &e), &e);
	for (unsigned k = 0; k < 3; k++)
		if (m->wants >> k & 1)
			topics[n++] = (struct bus_topic){ S("hooks"), str_c(subjects[k]) };
	bus_listen(m->sub, topics, n);
}

static void
test_groups_get_what_they_want_whatever_happens(void **state)
{
	enum { MEMBERS = 5, STEPS = 3000 };
	struct world *w = *state;
	struct group *all = mem_alloc(MEMBERS * sizeof *all);
	uint64_t seed = 1;
	memset(all, 0, MEMBERS * sizeof *all);
#define CHANCE(n) ((unsigned)((seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407)) >> 33) % (n))
	for (unsigned i = 0; i < MEMBERS; i++) {
		all[i].wants = i == 0 ? 0 : CHANCE(8);
		join_in(w, &all[i], i);
	}
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = CHANCE(MEMBERS), what = CHANCE(100);
		struct group *m = &all[i];
		if (what < 60) {
			unsigned subject = CHANCE(3);
			for (unsigned k = 0; k < MEMBERS; k++)
				if (all[k].wants == 0 || all[k].wants >> subject & 1)
					all[k].due[all[k].n++] = bus_head(w->bus) + 1;
			publish_subject(w, subjects[subject]);
		} else if (what < 85 && m->sub && m->got > m->consumed) {
			m->consumed += 1 + CHANCE((unsigned)(m->got - m->consumed));
			bus_consumed(m->sub, m->due[m->consumed - 1]);
		} else if (what < 90 && m->sub) {
			bus_unsubscribe(m->sub);
			m->sub = NULL;
		} else if (what < 96 && !m->sub) {
			join_in(w, m, i);
		} else if (what < 99) {
			loop_turn(w->loop, 0);
		} else {
			reopen(w);
			for (unsigned k = 0; k < MEMBERS; k++) {
				all[k].sub = NULL;
				if (CHANCE(4))
					join_in(w, &all[k], k);
			}
		}
	}
	for (unsigned i = 0; i < MEMBERS; i++) {
		if (!all[i].sub)
			join_in(w, &all[i], i);
		for (int turns = 0; turns < 5000 && all[i].consumed < all[i].n; turns++) {
			loop_turn(w->loop, 20);
			if (all[i].got > all[i].consumed)
				bus_consumed(all[i].sub, all[i].due[(all[i].consumed = all[i].got) - 1]);
		}
		assert_int_equal(all[i].consumed, all[i].n);
	}
	free(all);
#undef CHANCE
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_same_turn_delivery), T(test_restart_goes_on_behind_the_cursor), T(test_new_group_starts_at_the_end_or_the_beginning),
		T(test_duplicate_is_the_same_event), T(test_duplicate_has_the_first_id), T(test_catch_up_waits_for_consumption),
		T(test_an_event_is_found_by_its_id),
		T(test_window_counts_bytes), T(test_full), T(test_retention), T(test_forgotten_group_holds_nothing_back),
		T(test_damaged_row_is_passed_over), T(test_misplaced_cursor_does_not_swallow_events), T(test_queries), T(test_logs_do_not_mix), T(test_kill),
		T(test_only_those_who_want_it_are_called), T(test_a_place_is_written_while_an_event_is_under_way),
		T(test_groups_get_what_they_want_whatever_happens),
		cmocka_unit_test(test_dedup_enters_once),
		cmocka_unit_test(test_dedup_forgets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
