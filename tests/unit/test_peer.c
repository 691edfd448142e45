/* SPDX-License-Identifier: Apache-2.0 */
/* peer: one connection a target, order, breaks, waits between attempts, idleness and the end; and the parts of an address. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/net/peer.h"

/* A broker that does what the test says. */
static atomic_int opened, closed, refuse_open, break_send, stuck, in_send;
static atomic_int sent_n, batch_max;

static void *
fake_open(const struct peer_target *t UNUSED, struct err *e)
{
	if (atomic_load(&refuse_open) > 0 && atomic_fetch_sub(&refuse_open, 1) > 0) {
		err_set(e, ERR_UNAVAILABLE, "fake: nobody there");
		return NULL;
	}
	atomic_fetch_add(&opened, 1);
	return mem_alloc(1);
}

static int
fake_send(void *conn UNUSED, struct peer_message *const *m, size_t n, struct err *e)
{
	atomic_store(&in_send, 1);
	while (atomic_load(&stuck))
		usleep(1000);
	if ((int)n > atomic_load(&batch_max))
		atomic_store(&batch_max, (int)n);
	for (size_t i = 0; i < n; i++) {
		if (atomic_load(&break_send) > 0 && atomic_fetch_sub(&break_send, 1) == 1)
			return err_set(e, ERR_UNAVAILABLE, "fake: the line broke");
		m[i]->settled = true;
		m[i]->number[0] = atomic_fetch_add(&sent_n, 1);
		if (str_eq(m[i]->to, S("nowhere")))
			err_set(&m[i]->err, ERR_NOT_FOUND, "fake: no such place");
	}
	return 0;
}

static void
fake_close(void *conn)
{
	atomic_fetch_add(&closed, 1);
	free(conn);
}

static const struct peer_ops fake = { "fake", fake_open, fake_send, fake_close };

struct world {
	struct loop *loop;
	struct peers *peers;
	int done, failed;
	int64_t numbers[300];
	struct err last;
};

static struct world
world_new(void)
{
	atomic_int *const all[] = { &opened, &closed, &refuse_open, &break_send, &stuck, &in_send, &sent_n, &batch_max };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		atomic_store(all[i], 0);
	struct world w = { .loop = loop_new() };
	w.peers = peers_new(w.loop);
	return w;
}

static void
world_end(struct world *w)
{
	peers_free(w->peers);
	loop_turn(w->loop, 0);
	loop_free(w->loop);
}

static void
done(void *arg, const struct peer_message *m)
{
	struct world *w = arg;
	w->numbers[w->done++] = m->number[0];
	w->failed += m->err.code != ERR_NONE;
	if (m->err.code)
		w->last = m->err;
}

static void
give(struct world *w, const char *address, const char *to)
{
	struct peer_target t = { .ops = &fake, .address = str_c(address) };
	struct peer_message m = { .to = str_c(to), .body = S("x"), .id = S("1") };
	peers_send(w->peers, &t, &m, done, w);
}

static void
wait_for(struct world *w, int n)
{
	while (w->done < n)
		loop_turn(w->loop, 1000);
}

static void
one_connection_for_each_target_and_in_order(void **state UNUSED)
{
	struct world w = world_new();
	for (int i = 0; i < 200; i++)
		give(&w, "a", "x");
	wait_for(&w, 200);
	for (int i = 0; i < 200; i++)
		assert_int_equal(w.numbers[i], i);
	assert_int_equal(atomic_load(&opened), 1);
	assert_true(atomic_load(&batch_max) <= PEER_BATCH);
	give(&w, "b", "x");
	wait_for(&w, 201);
	assert_int_equal(atomic_load(&opened), 2);
	assert_int_equal(peers_count(w.peers), 2);
	world_end(&w);
	assert_int_equal(atomic_load(&closed), 2);
}

static void
targets_that_differ_in_a_secret_share_nothing(void **state UNUSED)
{
	struct world w = world_new();
	struct peer_message m = { .to = S("x") };
	struct peer_target t = { .ops = &fake, .address = S("a"), .password = S("old") };
	peers_send(w.peers, &t, &m, done, &w);
	t.password = S("new");
	peers_send(w.peers, &t, &m, done, &w);
	t.password = STR_NONE;
	t.user = S("new");
	peers_send(w.peers, &t, &m, done, &w);
	wait_for(&w, 3);
	assert_int_equal(peers_count(w.peers), 3);
	world_end(&w);
}

static void
a_refused_message_does_not_touch_the_others(void **state UNUSED)
{
	struct world w = world_new();
	give(&w, "a", "x");
	give(&w, "a", "nowhere");
	give(&w, "a", "x");
	wait_for(&w, 3);
	assert_int_equal(w.failed, 1);
	assert_string_equal(w.last.msg, "fake: no such place");
	world_end(&w);
}

/* A connection that was there before may have died unseen: what it did not settle goes out once more. */
static void
an_old_connection_that_breaks_is_made_anew(void **state UNUSED)
{
	struct world w = world_new();
	give(&w, "a", "x");
	wait_for(&w, 1);
	atomic_store(&break_send, 1);
	give(&w, "a", "x");
	wait_for(&w, 2);
	assert_int_equal(w.failed, 0);
	assert_int_equal(atomic_load(&opened), 2);
	assert_int_equal(atomic_load(&closed), 1);
	world_end(&w);
}

static void
a_new_connection_that_breaks_is_told(void **state UNUSED)
{
	struct world w = world_new();
	atomic_store(&break_send, 1);
	give(&w, "a", "x");
	wait_for(&w, 1);
	assert_int_equal(w.failed, 1);
	assert_int_equal(w.last.code, ERR_UNAVAILABLE);
	assert_string_equal(w.last.msg, "fake: the line broke");
	give(&w, "a", "x");
	wait_for(&w, 2);
	assert_int_equal(w.failed, 1);
	world_end(&w);
}

static void
who_cannot_be_reached_is_asked_again_later(void **state UNUSED)
{
	struct world w = world_new();
	atomic_store(&refuse_open, 2);
	for (int i = 1; i <= 3; i++) {
		give(&w, "a", "x");
		wait_for(&w, i);
	}
	assert_int_equal(w.failed, 2);
	assert_string_equal(w.last.msg, "fake: nobody there");
	world_end(&w);
}

static void
who_is_not_used_is_closed(void **state UNUSED)
{
	struct world w = world_new();
	loop_set_clock(w.loop, 1000 * NS_PER_SEC);
	give(&w, "a", "x");
	wait_for(&w, 1);
	loop_set_clock(w.loop, (1000 + PEER_IDLE_S - 1) * NS_PER_SEC);
	loop_turn(w.loop, 0);
	assert_int_equal(peers_count(w.peers), 1);
	loop_set_clock(w.loop, (1000 + PEER_IDLE_S) * NS_PER_SEC);
	loop_turn(w.loop, 0);
	assert_int_equal(peers_count(w.peers), 0);
	while (!atomic_load(&closed))
		usleep(1000);
	give(&w, "a", "x"); /* and is there again when it is needed */
	wait_for(&w, 2);
	assert_int_equal(w.failed, 0);
	assert_int_equal(atomic_load(&opened), 2);
	world_end(&w);
}

static void
the_end_tells_what_was_under_way(void **state UNUSED)
{
	struct world w = world_new();
	atomic_store(&stuck, 1);
	for (int i = 0; i < 5; i++)
		give(&w, "a", "x");
	while (!atomic_load(&in_send))
		usleep(1000);
	peers_free(w.peers); /* the thread is left behind */
	assert_int_equal(w.done, 5);
	assert_int_equal(w.failed, 5);
	assert_string_equal(w.last.msg, "fake: the daemon ends");
	atomic_store(&stuck, 0);
	while (!atomic_load(&closed))
		usleep(1000);
	loop_turn(w.loop, 0);
	loop_free(w.loop);
}

static void
limits_are_told(void **state UNUSED)
{
	struct world w = world_new();
	struct peer_target t = { .ops = &fake, .address = S("a") };
	char *large = mem_alloc(PEER_MESSAGE_MAX + 1);
	struct peer_message m = { .to = S("x"), .body = { large, PEER_MESSAGE_MAX + 1 } };
	peers_send(w.peers, &t, &m, done, &w);
	assert_int_equal(w.done, 0); /* later, not within the call */
	wait_for(&w, 1);
	assert_int_equal(w.last.code, ERR_LIMIT);
	free(large);
	for (int i = 0; i < PEER_TARGETS_MAX + 1; i++) {
		char name[16];
		snprintf(name, sizeof name, "t%d", i);
		give(&w, name, "x");
	}
	wait_for(&w, PEER_TARGETS_MAX + 2);
	assert_int_equal(w.failed, 2);
	assert_int_equal(w.last.code, ERR_UNAVAILABLE);
	world_end(&w);
}

static void
an_address_has_parts(void **state UNUSED)
{
	static const struct {
		const char *url, *parts;
	} t[] = {
		{ "localhost", "||localhost|1|" },
		{ "localhost:6379", "||localhost|6379|" },
		{ "amqp://u:p:q@h:5/v%2F", "u|p:q|h|5|v%2F" },
		{ "amqp://a@b@h/", "a@b||h|1|" },
		{ "[::1]:7", "||::1|7|" },
		{ "[::1]", "||::1|1|" },
	};
	static const char *const bad[] = { "", "amqp://u:p@", "h:0", "h:65536", "h:x", "[::1", "[::1]x", "a:1:2" };
	struct peer_url u;
	struct err e;
	struct arena *a = arena_new();
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(peer_url_parse(str_c(t[i].url), 1, &u, &e), 0);
		assert_string_equal(arena_fmt(a, "%.*s|%.*s|%.*s|%d|%.*s", STR_ARG(u.user), STR_ARG(u.password), STR_ARG(u.host), u.port,
		                              STR_ARG(u.path)).p, t[i].parts);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(peer_url_parse(str_c(bad[i]), 1, &u, &e), -1);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_connection_for_each_target_and_in_order),
		cmocka_unit_test(targets_that_differ_in_a_secret_share_nothing),
		cmocka_unit_test(a_refused_message_does_not_touch_the_others),
		cmocka_unit_test(an_old_connection_that_breaks_is_made_anew),
		cmocka_unit_test(a_new_connection_that_breaks_is_told),
		cmocka_unit_test(who_cannot_be_reached_is_asked_again_later),
		cmocka_unit_test(who_is_not_used_is_closed),
		cmocka_unit_test(the_end_tells_what_was_under_way),
		cmocka_unit_test(limits_are_told),
		cmocka_unit_test(an_address_has_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
