/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins against a model that is plainly right: a list of what waits, looked through from the beginning every time. Random conditions,
 * policies, limits, windows, resets, events and restarts; what leaves, and why, must be the same in both, word for word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sensors/join.h"
#include "sensors/join_key.h"

#define START (INT64_C(1784109600) * NS_PER_SEC)
#define MINUTE (60 * NS_PER_SEC)

enum { DEPS = 6, WAITING_MAX = 4000 };
static const str names[DEPS] = { S("a"), S("b"), S("c"), S("d"), S("e"), S("f") };
static const char *const ends[] = { "superseded", "expired", "reset", "evicted" };

/* ---- chance ------------------------------------------------------------------------------------------------------------ */

static uint64_t seed;

static unsigned
chance(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % n;
}

/* ---- conditions as trees: written for the one, evaluated for the other -------------------------------------------------- */

struct tree {
	char op; /* 0: a dependency */
	unsigned dep;
	const struct tree *left, *right;
};

static const struct tree *
grow(struct arena *a, unsigned depth)
{
	struct tree *t = ARENA_NEW(a, struct tree);
	if (depth == 0 || chance(4) == 0) {
		t->dep = chance(DEPS);
		return t;
	}
	t->op = chance(3) ? '&' : '|';
	t->left = grow(a, depth - 1);
	t->right = grow(a, depth - 1);
	return t;
}

static void
write_tree(const struct tree *t, struct buf *b)
{
	if (!t->op) {
		buf_add(b, names[t->dep]);
		return;
	}
	buf_addc(b, '(');
	write_tree(t->left, b);
	buf_addf(b, " %c%c ", t->op, t->op);
	write_tree(t->right, b);
	buf_addc(b, ')');
}

static bool
tree_holds(const struct tree *t, unsigned have)
{
	if (!t->op)
		return have >> t->dep & 1;
	return t->op == '&' ? tree_holds(t->left, have) && tree_holds(t->right, have) : tree_holds(t->left, have) || tree_holds(t->right, have);
}

/* ---- the model ----------------------------------------------------------------------------------------------------------- */

struct model {
	const struct tree *tree;
	enum join_policy policy;
	size_t max;
	int64_t within;
	unsigned every; /* minutes between resets; 0: none */
	struct entry {
		unsigned dep, key, id;
		int64_t time;
	} list[WAITING_MAX];
	size_t n;
	struct buf *log;
};

static void
drop(struct model *m, size_t i, const char *why)
{
	buf_addf(m->log, "%s %u\n", why, m->list[i].id);
	memmove(&m->list[i], &m->list[i + 1], (--m->n - i) * sizeof *m->list);
}

static bool
ticked_between(const struct model *m, int64_t from, int64_t to)
{
	for (int64_t t = from / MINUTE * MINUTE; m->every && t <= to; t += MINUTE)
		if (t > from && t / MINUTE % 60 % m->every == 0)
			return true;
	return false;
}

static void
model_advance(struct model *m, int64_t now)
{
	for (size_t i = 0; i < m->n;) {
		if (ticked_between(m, m->list[i].time, now))
			drop(m, i, "reset");
		else
			i++;
	}
	for (size_t i = 0; i < m->n;) {
		if (m->within && m->list[i].time + m->within < now)
			drop(m, i, "expired");
		else
			i++;
	}
}

static bool
together(const struct model *m, unsigned key, const struct entry *e)
{
	return m->policy != JOIN_KEY || e->key == key;
}

static size_t
count_keys(const struct model *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->n; i++) {
		bool first = true;
		for (size_t k = 0; k < i; k++)
			first &= m->list[k].key != m->list[i].key;
		n += first;
	}
	return n;
}

static void
model_bound(struct model *m)
{
	while (m->policy == JOIN_FIFO && m->n > m->max)
		drop(m, 0, "evicted");
	while (m->policy == JOIN_KEY && count_keys(m) > m->max) {
		unsigned oldest = m->list[0].key;
		for (size_t i = 0; i < m->n;) {
			if (m->list[i].key == oldest)
				drop(m, i, "evicted");
			else
				i++;
		}
	}
}

static void
model_take(struct model *m, const struct entry *e)
{
	unsigned have = 0;
	bool taken[DEPS] = { false };
	for (size_t i = 0; i < m->n && m->policy != JOIN_FIFO; i++)
		if (m->list[i].dep == e->dep && together(m, e->key, &m->list[i]))
			drop(m, i, "superseded");
	m->list[m->n++] = *e;
	for (size_t i = 0; i < m->n; i++)
		if (together(m, e->key, &m->list[i]))
			have |= 1u << m->list[i].dep;
	if (!tree_holds(m->tree, have)) {
		model_bound(m);
		return;
	}
	buf_addf(m->log, "fired");
	for (size_t i = 0; i < m->n;) {
		struct entry x = m->list[i];
		if (!together(m, e->key, &x) || taken[x.dep]) {
			i++;
			continue;
		}
		taken[x.dep] = true;
		buf_addf(m->log, " %u", x.id);
		memmove(&m->list[i], &m->list[i + 1], (--m->n - i) * sizeof *m->list);
	}
	buf_addc(m->log, '\n');
}

/* ---- the join ------------------------------------------------------------------------------------------------------------ */

static void
left(void *arg, const struct join_part *part, enum join_end why, int64_t at UNUSED)
{
	buf_addf(arg, "%s %lld\n", ends[why], (long long)part->place);
}

static struct event *
new_event(int64_t time)
{
	struct event *ev = event_new();
	ev->time = time;
	return ev;
}

static void
take(struct join *j, const struct entry *e, struct arena *a, struct buf *log)
{
	char key[16];
	snprintf(key, sizeof key, "k%u", e->key);
	struct event *ev = new_event(e->time);
	struct join_part *parts;
	size_t n = join_take(j, e->dep, str_c(key), ev, e->id, a, &parts, left, log);
	if (n)
		buf_addf(log, "fired");
	for (size_t i = 0; i < n; i++) {
		buf_addf(log, " %lld", (long long)parts[i].place);
		event_unref(parts[i].ev);
	}
	if (n)
		buf_addc(log, '\n');
	event_unref(ev);
}

static void
restore_one(void *arg, const struct join_part *part, str key)
{
	assert_true(join_restore(arg, part->dep, key, part->ev, part->place));
}

static struct join *
reborn(struct join *j, const struct join_rules *r)
{
	struct join *next = join_new(r);
	join_each(j, restore_one, next);
	assert_int_equal(join_waiting(j), join_waiting(next));
	assert_int_equal(join_rooms(j), join_rooms(next));
	join_free(j);
	return next;
}

/* ---- one world of chance ------------------------------------------------------------------------------------------------- */

static void
same_log(const struct buf *want, const struct buf *got, unsigned world, str condition)
{
	if (!str_eq(buf_str(want), buf_str(got)))
		fail_msg("world %u, condition %.*s\n--- the model\n%.*s--- the join\n%.*s", world, STR_ARG(condition), (int)want->n, want->p, (int)got->n,
		         got->p);
}

static void
run_world(unsigned world)
{
	struct arena *a = arena_new(), *tmp = arena_new();
	struct model *m = MEM_NEW(struct model);
	struct buf text CLEANUP(free_buf) = { 0 }, want CLEANUP(free_buf) = { 0 }, got CLEANUP(free_buf) = { 0 };
	struct condition cond;
	struct join_reset reset = { .zone = tz_utc() };
	struct err e;
	seed = world;
	unsigned keys = 1 + chance(5);
	m->log = &want;
	do
		m->tree = grow(a, 3);
	while (!m->tree->op);
	write_tree(m->tree, &text);
	m->policy = (enum join_policy)chance(3);
	m->max = 1 + chance(8);
	m->within = chance(2) ? (int64_t)(1 + chance(20)) * MINUTE : 0;
	m->every = chance(2) ? 2 + chance(20) : 0;
	assert_int_equal(condition_compile(a, buf_str(&text), names, DEPS, &cond, &e), 0);
	assert_int_equal(cron_parse(arena_fmt(a, "*/%u * * * *", m->every ? m->every : 1), 0, a, &reset.cron, &e), 0);
	struct join_rules r = { .cond = &cond, .deps_n = DEPS, .policy = m->policy, .max = m->max, .within_ns = m->within, .resets = &reset,
		                .resets_n = m->every > 0 };
	struct join *j = join_new(&r);
	struct entry x = { .time = START + (int64_t)chance(3600) * NS_PER_SEC };
	for (x.id = 1; x.id <= 120; x.id++) {
		x.time += chance(3) ? (int64_t)chance(60) * NS_PER_SEC : chance(4) ? MINUTE - x.time % MINUTE : 10 * MINUTE;
		x.dep = chance(DEPS);
		x.key = chance(keys);
		if (chance(10) == 0)
			j = reborn(j, &r);
		model_advance(m, x.time);
		join_advance(j, x.time, left, &got);
		if (condition_uses(&cond, x.dep) && chance(8)) {
			model_take(m, &x);
			take(j, &x, tmp, &got);
		}
		arena_reset(tmp);
		assert_int_equal(join_waiting(j), m->n);
		if (m->n && join_due(j) <= x.time)
			fail_msg("world %u: what is due was not done", world);
	}
	same_log(&want, &got, world, buf_str(&text));
	join_free(j);
	free(m);
	arena_free(tmp);
	arena_free(a);
}

static void
does_what_the_model_does(void **state UNUSED)
{
	const char *worlds = getenv("JOIN_WORLDS");
	int64_t n = 2000;
	assert_true(!worlds || str_to_i64(str_c(worlds), &n));
	for (unsigned world = 1; world <= n; world++)
		run_world(world);
}

/* ---- rules one by one ---------------------------------------------------------------------------------------------------- */

struct fixture {
	struct arena *arena;
	struct condition cond;
	struct join *join;
	struct buf log;
	unsigned id;
};

static struct fixture
given(const char *text, struct join_rules r)
{
	struct fixture f = { .arena = arena_new() };
	struct err e;
	assert_int_equal(condition_compile(f.arena, str_c(text), names, DEPS, &f.cond, &e), 0);
	struct condition *cond = ARENA_NEW(f.arena, struct condition);
	*cond = f.cond;
	r.cond = cond;
	r.deps_n = DEPS;
	f.join = join_new(&r);
	return f;
}

static void
comes(struct fixture *f, unsigned dep, unsigned key, int64_t time)
{
	join_advance(f->join, time, left, &f->log);
	take(f->join, &(struct entry){ dep, key, ++f->id, time }, f->arena, &f->log);
}

static void
then(struct fixture *f, const char *log)
{
	assert_string_equal(str_z(f->arena, buf_str(&f->log)), log);
	free_buf(&f->log);
	join_free(f->join);
	arena_free(f->arena);
}

static void
latest_keeps_the_newest(void **state UNUSED)
{
	struct fixture f = given("a && b && (c || d)", (struct join_rules){ 0 });
	const unsigned deps[] = { 0, 3, 0, 2, 1, 1 };
	for (size_t i = 0; i < ARRAY_LEN(deps); i++)
		comes(&f, deps[i], 0, START);
	then(&f, "superseded 1\nfired 2 3 4 5\n");
}

static void
fifo_pairs_every_event_once_in_order(void **state UNUSED)
{
	struct fixture f = given("a && b", (struct join_rules){ .policy = JOIN_FIFO });
	const unsigned deps[] = { 0, 0, 0, 1, 1, 1, 1 };
	for (size_t i = 0; i < ARRAY_LEN(deps); i++)
		comes(&f, deps[i], 0, START);
	assert_int_equal(join_waiting(f.join), 1);
	then(&f, "fired 1 4\nfired 2 5\nfired 3 6\n");
}

static void
keys_pair_what_belongs_together(void **state UNUSED)
{
	struct fixture f = given("a && b", (struct join_rules){ .policy = JOIN_KEY, .max = 2 });
	comes(&f, 0, 1, START);
	comes(&f, 0, 2, START);
	comes(&f, 1, 2, START);
	comes(&f, 1, 3, START);
	assert_int_equal(join_rooms(f.join), 2);
	comes(&f, 0, 4, START); /* a third join: the oldest gives way */
	comes(&f, 1, 1, START);
	comes(&f, 0, 4, START);
	then(&f, "fired 2 3\nevicted 1\nevicted 4\nsuperseded 5\n");
}

static void
a_window_and_a_tick_have_exact_ends(void **state UNUSED)
{
	struct err e;
	struct join_reset reset = { .zone = tz_utc() };
	struct arena *a = arena_new();
	assert_int_equal(cron_parse(S("30 * * * *"), 0, a, &reset.cron, &e), 0);
	struct fixture f = given("a && b", (struct join_rules){ .within_ns = 10 * MINUTE });
	comes(&f, 0, 0, START);
	assert_true(join_due(f.join) == START + 10 * MINUTE + 1);
	comes(&f, 1, 0, START + 10 * MINUTE);
	comes(&f, 0, 0, START);
	comes(&f, 1, 0, START + 10 * MINUTE + 1);
	then(&f, "fired 1 2\nexpired 3\n");
	struct fixture g = given("a && b", (struct join_rules){ .resets = &reset, .resets_n = 1 });
	int64_t tick = START / (60 * MINUTE) * 60 * MINUTE + 90 * MINUTE;
	comes(&g, 0, 0, tick - 1);
	assert_true(join_due(g.join) == tick);
	comes(&g, 1, 0, tick);
	comes(&g, 0, 0, tick + 1); /* b came with the tick, not before it */
	then(&g, "reset 1\nfired 2 3\n");
	arena_free(a);
}

static void
bodies_that_wait_are_bounded(void **state UNUSED)
{
	struct fixture f = given("a && b", (struct join_rules){ .policy = JOIN_FIFO });
	struct event *ev = new_event(START);
	struct join_part *parts;
	static char body[20 << 20];
	ev->data = (str){ body, sizeof body };
	for (int i = 1; i <= 4; i++)
		assert_int_equal(join_take(f.join, 0, S(""), ev, i, f.arena, &parts, left, &f.log), 0);
	event_unref(ev);
	then(&f, "evicted 1\n");
}

/* The condition of eight dependencies, and a key: what an event costs does not grow with what waits. */
static void
a_thousand_open_joins_cost_as_one(void **state UNUSED)
{
	struct fixture f = given("a && b", (struct join_rules){ .policy = JOIN_KEY });
	for (unsigned key = 0; key < 1000; key++)
		comes(&f, 0, key, START);
	assert_int_equal(join_rooms(f.join), 1000);
	comes(&f, 1, 999, START);
	comes(&f, 1, 0, START);
	assert_int_equal(join_rooms(f.join), 998);
	then(&f, "fired 1000 1001\nfired 1 1002\n");
}

static str
key_of(const char *expression, const char *data, struct arena *a)
{
	struct expr *x;
	struct err e;
	str out = S("");
	struct event *ev = event_new();
	ev->source = S("hook");
	ev->data = arena_dup(ev->arena, str_c(data));
	assert_int_equal(join_key_compile(str_c(expression), &x, &e), 0);
	if (join_key_of(x, ev, S("build"), a, &out, &e) < 0)
		out = arena_fmt(a, "! %s", e.msg);
	out = arena_dup(a, out);
	expr_free(x);
	event_unref(ev);
	return out;
}

static void
a_key_is_the_value_of_an_expression(void **state UNUSED)
{
	static const char *const rows[][3] = {
		{ "data.body.commit", "{\"body\":{\"commit\":\"c1\"}}", "c1" },
		{ "data.n", "{\"n\":12}", "12" },
		{ "data.sha ?? data.commit", "{\"commit\":\"x\"}", "x" },
		{ "dependency == \"build\" ? data.a : data.b", "{\"a\":\"1\",\"b\":\"2\"}", "1" },
		{ "[context.source, data.n]", "{\"n\":true}", "[\"hook\",true]" },
		{ "data.missing", "{}", "! it is null for this event" },
	};
	struct arena *a = arena_new();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(str_z(a, key_of(rows[i][0], rows[i][1], a)), rows[i][2]);
	assert_int_equal(key_of("data.n", "oops", a).p[0], '!');
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(latest_keeps_the_newest),
		cmocka_unit_test(fifo_pairs_every_event_once_in_order),
		cmocka_unit_test(keys_pair_what_belongs_together),
		cmocka_unit_test(a_window_and_a_tick_have_exact_ends),
		cmocka_unit_test(bodies_that_wait_are_bounded),
		cmocka_unit_test(a_thousand_open_joins_cost_as_one),
		cmocka_unit_test(a_key_is_the_value_of_an_expression),
		cmocka_unit_test(does_what_the_model_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
