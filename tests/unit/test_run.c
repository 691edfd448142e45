/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run where scenarios do not reach: ids that collide, chains as long as a workflow may be, what is saved and how
 * often, rows that are damaged. The rules of the language are in tests/scenario.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "engine/run/run.h"

static const int64_t T0 = INT64_C(1767225600) * NS_PER_SEC;
static const struct run_world no_world;

struct play {
	struct arena *arena, *tmp;
	struct run *run;
	VEC(str) started;
	VEC(str) rows;
	size_t at, saves, largest_row, twice;
};

static void
advance(struct play *p, struct stimulus s)
{
	struct effect *effects;
	s.now = T0;
	run_advance(p->run, &s, p->tmp, &effects);
	for (const struct effect *x = effects; x; x = x->next) {
		if (x->kind == EFFECT_START)
			*VEC_PUSH(&p->started) = arena_dup(p->arena, x->node_id);
		if (x->kind != EFFECT_SAVE)
			continue;
		for (const struct effect *y = p->rows.n < 100 ? x->next : NULL; y; y = y->next)
			p->twice += y->kind == EFFECT_SAVE && y->node == x->node;
		struct val v = node_save(x->node, p->tmp);
		str row = json_write(p->arena, &v);
		while (p->rows.n <= node_order(x->node))
			*VEC_PUSH(&p->rows) = STR_NONE;
		p->rows.p[node_order(x->node)] = row;
		p->saves++;
		if (row.n > p->largest_row)
			p->largest_row = row.n;
	}
	arena_reset(p->tmp);
}

static struct play
begin(str manifest)
{
	struct play p = { .arena = arena_new(), .tmp = arena_new() };
	struct val v;
	struct err e;
	if (json_read(p.arena, manifest, &v, &e))
		fail_msg("%s", e.msg);
	if (run_new(&p.run, &v, &no_world, &e))
		fail_msg("%s", e.msg);
	advance(&p, (struct stimulus){ .kind = STIM_START });
	return p;
}

static void
finish_tasks(struct play *p)
{
	static const struct task_result good = { .phase = PHASE_SUCCEEDED };
	for (; p->at < p->started.n; p->at++)
		advance(p,
			(struct stimulus){ .kind = STIM_TASK_DONE, .node_id = p->started.p[p->at], .result = &good });
}

static void
end(struct play *p)
{
	run_free(p->run);
	VEC_FREE(&p->started);
	VEC_FREE(&p->rows);
	arena_free(p->arena);
	arena_free(p->tmp);
}

#define HEAD                                                                                                           \
	"{\"metadata\":{\"name\":\"wf\",\"namespace\":\"default\",\"uid\":\"u\",\"creationTimestamp\":\"2026-01-"      \
	"01T00:00:00Z\"},"                                                                                             \
	"\"spec\":{\"entrypoint\":\"main\",\"templates\":[{\"name\":\"noop\",\"container\":{\"image\":\"x\","          \
	"\"command\":[\"true\"]}},"

static str
loop(struct arena *a, size_t n)
{
	return arena_fmt(a,
		HEAD "{\"name\":\"main\",\"steps\":[[{\"name\":\"fan\",\"template\":\"noop\",\"withSequence\":{"
		     "\"count\":\"%zu\"}}],"
		     "[{\"name\":\"last\",\"template\":\"noop\"}]]}]}}",
		n);
}

/* Tasks 0 to n-1, each depending on the one before. */
static str
chain(struct arena *a, size_t n)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, S(HEAD "{\"name\":\"main\",\"dag\":{\"tasks\":["));
	for (size_t i = 0; i < n; i++)
		buf_addf(&b,
			i ? ",{\"name\":\"t%zu\",\"template\":\"noop\",\"dependencies\":[\"t%zu\"]}"
			  : "{\"name\":\"t%zu\",\"template\":\"noop\"}",
			i, i - 1);
	buf_add(&b, S("]}}]}}"));
	return arena_dup(a, buf_str(&b));
}

static void
ids(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	/* FNV-1a of "wf[0].fan(0:0)", worked out by hand */
	uint32_t h = 2166136261u;
	for (const char *c = "wf[0].fan(0:0)"; *c; c++)
		h = (h ^ (unsigned char)*c) * 16777619u;
	struct play p = begin(loop(a, 1));
	struct node *n = run_node(p.run, arena_fmt(a, "wf-%u", h));
	assert_non_null(n);
	struct val v = node_status(n, a);
	assert_string_equal(val_get_str(&v, "name").p, "wf[0].fan(0:0)");
	assert_non_null(run_node(p.run, S("wf")));
	end(&p);
	arena_free(a);
}

/* Among 100,000 names some hashes of 32 bits meet; every node has an id of its own all the same. */
static void
collisions(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct play p = begin(loop(a, 100000));
	size_t n = 0;
	struct node *x;
	for (size_t i = 0; (x = run_node_next(p.run, &i)); n++)
		assert_ptr_equal(run_node(p.run, node_id(x)), x);
	assert_int_equal(n, 100002);
	end(&p);
	arena_free(a);
}

/* What ends costs what it changed: no row grows with the number of siblings, and a step's end saves that step alone. */
static void
saves(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct play p = begin(loop(a, 2000));
	assert_int_equal(p.saves, 2002);
	assert_true(p.largest_row < 1000);
	p.saves = 0;
	static const struct task_result good = { .phase = PHASE_SUCCEEDED };
	for (size_t i = 0; i < 1999; i++, p.at++)
		advance(&p, (struct stimulus){ .kind = STIM_TASK_DONE, .node_id = p.started.p[i], .result = &good });
	assert_int_equal(p.saves, 1999);
	finish_tasks(&p);
	assert_int_equal(run_phase(p.run), PHASE_SUCCEEDED);
	assert_int_equal(p.twice, 0);
	end(&p);
	arena_free(a);
}

static void
long_chain(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct play p = begin(chain(a, 3000));
	finish_tasks(&p);
	assert_int_equal(run_phase(p.run), PHASE_SUCCEEDED);
	assert_int_equal(p.started.n, 3000);
	end(&p);
	/* the first fails: all others are omitted, one after the other and not one within the other */
	p = begin(chain(a, 20000));
	struct task_result bad = { .phase = PHASE_FAILED, .exit_code = 1, .message = S("no") };
	advance(&p, (struct stimulus){ .kind = STIM_TASK_DONE, .node_id = p.started.p[0], .result = &bad });
	assert_int_equal(run_phase(p.run), PHASE_FAILED);
	end(&p);
	arena_free(a);
}

/* News of nodes that are not there, that ended, or that are no pods change nothing. */
static void
stray_news(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct play p = begin(loop(a, 2));
	struct task_result bad = { .phase = PHASE_FAILED, .exit_code = 1, .message = S("no") };
	finish_tasks(&p);
	size_t before = p.saves;
	str late[] = { S("nosuch"), S(""), S("wf"), p.started.p[0] };
	for (size_t i = 0; i < ARRAY_LEN(late); i++) {
		advance(&p, (struct stimulus){ .kind = STIM_TASK_DONE, .node_id = late[i], .result = &bad });
		advance(&p, (struct stimulus){ .kind = STIM_TASK_STARTED, .node_id = late[i] });
		advance(&p, (struct stimulus){ .kind = STIM_TIMER, .node_id = late[i] });
	}
	assert_int_equal(p.saves, before);
	assert_int_equal(run_phase(p.run), PHASE_SUCCEEDED);
	end(&p);
	arena_free(a);
}

static int
load(struct arena *a, str spec, str state, str *rows, size_t n, struct run **out, struct err *e)
{
	struct val s, t, *nodes = ARENA_ARRAY(a, struct val, n);
	const struct val **list = ARENA_ARRAY(a, const struct val *, n);
	if (json_read(a, spec, &s, e) || json_read(a, state, &t, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (json_read(a, rows[i], &nodes[i], e))
			return -1;
		list[i] = &nodes[i];
	}
	return run_load(out, &s, &t, list, n, &no_world, e);
}

/* A damaged row is refused or makes a run that goes on somehow; it never brings the program down. */
static void
damaged_rows(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct play p = begin(loop(a, 3));
	advance(&p, (struct stimulus){ .kind = STIM_TASK_STARTED, .node_id = p.started.p[0] });
	struct val v = run_save_spec(p.run, a);
	str spec = json_write(a, &v);
	v = run_save_state(p.run, a);
	str saved = json_write(a, &v);
	size_t refused = 0, loaded = 0;
	for (size_t row = 0; row < p.rows.n; row++) {
		for (size_t at = 0; at < p.rows.p[row].n; at++) {
			struct arena *b = arena_new();
			str *rows = ARENA_ARRAY(b, str, p.rows.n);
			memcpy(rows, p.rows.p, p.rows.n * sizeof *rows);
			struct buf text CLEANUP(free_buf) = { 0 };
			buf_add(&text, rows[row]);
			text.p[at] = "1]{\"nxS"[at % 7];
			rows[row] = buf_str(&text);
			struct run *r;
			struct err e;
			if (load(b, spec, saved, rows, p.rows.n, &r, &e)) {
				refused++;
			} else {
				struct effect *effects;
				struct arena *tmp = arena_new();
				struct stimulus s = { .kind = STIM_START, .now = T0 };
				run_advance(r, &s, tmp, &effects);
				s.kind = STIM_TERMINATE;
				run_advance(r, &s, tmp, &effects);
				run_free(r);
				arena_free(tmp);
				loaded++;
			}
			arena_free(b);
		}
	}
	assert_true(refused > 100 && loaded > 100);
	end(&p);
	arena_free(a);
}

static void
finished_without_nodes(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct play p = begin(loop(a, 1));
	finish_tasks(&p);
	struct val spec = run_save_spec(p.run, a), st = run_save_state(p.run, a);
	struct run *r;
	struct err e;
	assert_int_equal(load(a, json_write(a, &spec), json_write(a, &st), NULL, 0, &r, &e), 0);
	assert_true(run_finished(r));
	struct val w = run_workflow(r, a);
	assert_string_equal(val_get_str(val_get(&w, S("status")), "progress").p, "2/2");
	assert_string_equal(val_get_str(val_path(&w, "metadata.labels"), "workflows.argoproj.io/phase").p, "Succeeded");
	run_free(r);
	end(&p);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(ids), cmocka_unit_test(collisions),
		cmocka_unit_test(saves), cmocka_unit_test(long_chain), cmocka_unit_test(stray_news),
		cmocka_unit_test(damaged_rows), cmocka_unit_test(finished_without_nodes) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
