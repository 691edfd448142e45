/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a template before the step helper has it, and of what the helper leaves: without running anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/exec/exec.h"

/* ---- records -------------------------------------------------------------------------------------------------- */

static void
records_come_back_in_order(void **state)
{
	(void)state;
	struct buf b = { 0 };
	record_add(&b, TASK_ARG, S("one"));
	record_add(&b, TASK_ARG, S(""));
	record_add(&b, TASK_FILE_DATA, S("a\0b"));
	record_add_i64(&b, TASK_DEADLINE, INT64_C(-5));
	struct record r = { 0 };
	const char *at = b.p, *end = b.p + b.n;
	assert_true(record_next(&at, end, &r));
	assert_string_equal(r.p, "one");
	assert_true(record_next(&at, end, &r));
	assert_int_equal(r.n, 0);
	assert_string_equal(r.p, "");
	assert_true(record_next(&at, end, &r));
	assert_int_equal(r.n, 3);
	assert_memory_equal(r.p, "a\0b", 4);
	assert_true(record_next(&at, end, &r));
	assert_int_equal(record_i64(&r), -5);
	assert_false(record_next(&at, end, &r));
	buf_free(&b);
}

/* Cut off or overwritten anywhere, it is read without leaving the buffer, and never as more records than there were. */
static void
broken_records_end_the_reading(void **state)
{
	(void)state;
	struct buf b = { 0 };
	for (int i = 0; i < 8; i++)
		record_add(&b, TASK_ARG, S("some text"));
	for (size_t cut = 0; cut <= b.n; cut++) {
		char *copy = mem_alloc(cut + 1); /* its own allocation: a sanitizer sees a step outside */
		memcpy(copy, b.p, cut);
		size_t n = 0;
		struct record r;
		for (const char *at = copy; record_next(&at, copy + cut, &r);)
			n++;
		assert_int_equal(n, cut / record_size(9));
		free(copy);
	}
	for (size_t i = 0; i < b.n; i++)
		for (unsigned v = 0; v < 256; v += 51) {
			char *copy = mem_alloc(b.n);
			memcpy(copy, b.p, b.n);
			copy[i] = (char)v;
			struct record r;
			size_t n = 0;
			for (const char *at = copy; record_next(&at, copy + b.n, &r);)
				n += r.p[r.n] == 0;
			assert_true(n <= 16);
			free(copy);
		}
	buf_free(&b);
}

/* ---- environment ----------------------------------------------------------------------------------------------- */

static void
dollars_expand_as_in_kubernetes(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct kv vars[] = { { S("A"), S("1") }, { S("B_2"), S("$(A)") }, { S(""), S("empty") } };
	const struct kvs env = { vars, 3 };
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "$(A)", "1" },
		{ "x$(A)y$(A)", "x1y1" },
		{ "$$(A)", "$(A)" },
		{ "$$$(A)", "$1" },
		{ "$$$$", "$$" },
		{ "$(NONE)", "$(NONE)" },
		{ "$(A", "$(A" },
		{ "$A", "$A" },
		{ "$", "$" },
		{ "a$", "a$" },
		{ "$()", "empty" },
		{ "$(B_2)", "$(A)" },
		{ "$($(A))", "$($(A))" },
		{ "", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(str_z(a, env_expand(a, str_c(cases[i].in), &env)), cases[i].out);
	arena_free(a);
}

/* ---- images ----------------------------------------------------------------------------------------------------- */

static str entry[] = { { "/entry", 6 }, { "-e", 2 } }, cmd[] = { { "cmd", 3 } },
	   words[] = { { "run", 3 }, { "it", 2 } };

static void
the_first_row_that_matches_is_the_image(void **state)
{
	(void)state;
	struct image rows[] = { { .name = S("alpine:3.*") }, { .name = S("alpine") },
		{ .name = S("registry.io:5000/*/tool:*") }, { .name = S("*/any") } };
	struct settings st = { .images = { rows, 4 } };
	static const struct {
		const char *name;
		int row;
	} cases[] = { { "alpine:3.23", 0 }, { "alpine", 1 }, { "alpine:edge", 1 },
		{ "registry.io:5000/team/tool:v1", 2 }, { "registry.io:5000/team/tool", 2 }, { "team/any", 3 },
		{ "team/any:v2", 3 }, { "busybox", -1 }, { "", -1 } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct image *found = image_find(&st, str_c(cases[i].name));
		if (found != (cases[i].row < 0 ? NULL : &rows[cases[i].row]))
			fail_msg("%s", cases[i].name);
	}
}

/* Argo's own configuration knows these two. */
static void
argos_own_images_are_known(void **state)
{
	(void)state;
	struct settings st = { 0 };
	struct executor x = { .settings = &st, .images.path = "/nonexistent" };
	struct err e;
	assert_string_equal(image_resolve(&x, S("argoproj/argosay:v2"), STR_NONE, &e)->row.cmd.p[0].p, "/argosay");
	assert_string_equal(image_resolve(&x, S("docker/whalesay"), STR_NONE, &e)->row.cmd.p[0].p, "/bin/bash");
	assert_false(image_resolve(&x, S("alpine"), STR_NONE, &e)->listed);
	images_free(&x.images);
}

static void
the_command_is_the_containers_or_the_images(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct settings st = { 0 };
	struct image both = { .entrypoint = { entry, 2 }, .cmd = { cmd, 1 } };
	const struct {
		bool command, args, empty_args;
		const struct image *image;
		const char *want;
	} cases[] = {
		{ true, false, false, &both, "run it" },
		{ true, true, false, &both, "run it cmd" },
		{ false, false, false, &both, "/entry -e cmd" },
		{ false, true, false, &both, "/entry -e cmd" },
		{ false, false, true, &both, "/entry -e" },
		{ true, false, false, NULL, "run it" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct container c = { .image = S("x"), .has_args = cases[i].args || cases[i].empty_args };
		struct strs argv;
		struct err e;
		if (cases[i].command)
			c.command = (struct strs){ words, 2 };
		if (cases[i].args)
			c.args = (struct strs){ cmd, 1 };
		assert_int_equal(image_command(a, &st, &c, cases[i].image, &argv, &e), 0);
		struct buf b = { 0 };
		for (size_t k = 0; k < argv.n; k++)
			buf_addf(&b, "%s%.*s", k ? " " : "", STR_ARG(argv.p[k]));
		assert_string_equal(b.p, cases[i].want);
		buf_free(&b);
	}
	struct container none = { .image = S("secret/image:v1") };
	struct strs argv;
	struct err e;
	assert_int_equal(image_command(a, &st, &none, NULL, &argv, &e), -1);
	assert_non_null(strstr(e.msg, "no entrypoint known for image secret/image:v1: give the container a `command`"));
	st.images_mode = 1;
	none.command = (struct strs){ words, 2 };
	assert_int_equal(image_command(a, &st, &none, NULL, &argv, &e), -1);
	assert_non_null(strstr(e.msg, "not in the image table"));
	arena_free(a);
}

static void
users_are_names_or_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *user;
		int64_t uid, gid;
		const char *error;
	} cases[] = { { "0", 0, 0, NULL }, { "1000", 1000, 1000, NULL }, { "1000:50", 1000, 50, NULL },
		{ "root", 0, 0, NULL }, { "nobody", 65534, 65534, NULL }, { "nobody:7", 65534, 7, NULL },
		{ "no-such-user", 0, 0, "not in /etc/passwd" }, { "-1", 0, 0, "out of range" },
		{ "1:daemon", 1, 1, NULL }, { "1:no-such-group", 0, 0, "the group is not in /etc/group" }, { "4294967295", 0, 0, "out of range" } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct image image = { .name = S("x"), .user = str_c(cases[i].user) };
		uint32_t uid, gid;
		struct err e;
		int rc = image_user(&image, &uid, &gid, &e);
		assert_int_equal(rc, cases[i].error ? -1 : 0);
		if (rc < 0)
			assert_non_null(strstr(e.msg, cases[i].error));
		else
			assert_true(uid == cases[i].uid && gid == cases[i].gid);
	}
}

/* ---- results ------------------------------------------------------------------------------------------------------
 */

struct ending {
	struct task t;
	struct task_output outputs[2];
	struct buf b;
};

static void
ending_init(struct ending *x, int code)
{
	*x = (struct ending){ .t.arena = arena_new(), .t.capture = true };
	x->outputs[0] = (struct task_output){ S("a"), S("/tmp/a"), false };
	x->outputs[1] = (struct task_output){ S("b"), S("/tmp/b"), true };
	x->t.outputs.p = x->outputs;
	x->t.outputs.n = 2;
	record_add(&x->b, TASK_EXIT_CODE, (str){ (const char *)&(int32_t){ code }, 4 });
}

static void
ending_cause(struct ending *x, enum task_cause cause)
{
	record_add(&x->b, TASK_EXIT_CAUSE, (str){ (const char *)&(int32_t){ (int32_t)cause }, 4 });
}

static struct task_result
ending_read(struct ending *x)
{
	struct task_result r;
	struct err e;
	assert_int_equal(result_parse(&x->t, x->b.p, x->b.n, &r, &e), 0);
	buf_free(&x->b);
	return r;
}

static void
endings_have_argos_words(void **state)
{
	(void)state;
	static const struct {
		int code;
		enum task_cause cause;
		const char *message, *want;
	} cases[] = {
		{ 1, TASK_CAUSE_ITSELF, NULL, "main: Error (exit code 1)" },
		{ 64, TASK_CAUSE_ITSELF, "Error: no\n", "main: Error (exit code 64): Error: no" },
		{ 137, TASK_CAUSE_OOM, NULL, "main: OOMKilled (exit code 137)" },
		{ 143, TASK_CAUSE_ASKED, NULL, "main: Error (exit code 143)" },
		{ 0, TASK_CAUSE_DEADLINE, NULL, "Pod was active on the node longer than the specified deadline" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ending x;
		ending_init(&x, cases[i].code);
		ending_cause(&x, cases[i].cause);
		if (cases[i].message)
			record_add(&x.b, TASK_EXIT_MESSAGE, str_c(cases[i].message));
		struct task_result r = ending_read(&x);
		assert_int_equal(r.phase, PHASE_FAILED);
		assert_int_equal(r.exit_code, cases[i].code);
		assert_string_equal(r.message.p, cases[i].want);
		arena_free(x.t.arena);
	}
}

static void
outputs_answer_by_position(void **state)
{
	(void)state;
	struct ending x;
	ending_init(&x, 0);
	record_add(&x.b, TASK_EXIT_RESULT, S("out\n\n"));
	record_add(&x.b, TASK_EXIT_OUTPUT, S("value\n"));
	record_add(&x.b, TASK_EXIT_NO_OUTPUT, S(""));
	record_add(&x.b, TASK_EXIT_OUTPUT, S("one too many"));
	record_add(&x.b, TASK_EXIT_PROGRESS, S("1/10\n3/10\n"));
	struct task_result r = ending_read(&x);
	assert_int_equal(r.phase, PHASE_SUCCEEDED);
	assert_string_equal(r.result.p, "out\n");
	assert_int_equal(r.parameters.n, 1);
	assert_string_equal(r.parameters.p[0].value.p, "value");
	assert_string_equal(r.progress.p, "3/10");
	arena_free(x.t.arena);

	ending_init(&x, 0);
	record_add(&x.b, TASK_EXIT_NO_OUTPUT, S(""));
	record_add(&x.b, TASK_EXIT_NO_OUTPUT, S(""));
	record_add(&x.b, TASK_EXIT_PROGRESS, S("11/10"));
	r = ending_read(&x);
	assert_int_equal(r.phase, PHASE_ERROR);
	assert_string_equal(r.message.p,
		"wait: Error (exit code 64): outputs.parameters.a: open /tmp/a: no such file or directory");
	assert_null(r.progress.p);
	arena_free(x.t.arena);
}

/* Argo's units in thousandths: seconds of a core, seconds of 100Mi as if the step had its peak all the time. */
static void
usage_is_in_argos_units(void **state)
{
	(void)state;
	struct ending x;
	const struct task_usage u = { 1200000, 300000, 51200 };
	ending_init(&x, 0);
	record_add_i64(&x.b, TASK_EXIT_STARTED, 1000 * NS_PER_SEC);
	record_add_i64(&x.b, TASK_EXIT_FINISHED, 1004 * NS_PER_SEC);
	record_add(&x.b, TASK_EXIT_USAGE, (str){ (const char *)&u, sizeof u });
	struct task_result r = ending_read(&x);
	assert_int_equal(r.usage.cpu, 1500);
	assert_int_equal(r.usage.memory, 2000);
	arena_free(x.t.arena);

	ending_init(&x, 0);
	record_add(&x.b, TASK_EXIT_USAGE, S("short")); /* of another version: not known */
	r = ending_read(&x);
	assert_int_equal(r.usage.cpu, 0);
	assert_int_equal(r.usage.memory, 0);
	arena_free(x.t.arena);
}

static void
an_unreadable_ending_is_an_error(void **state)
{
	(void)state;
	struct ending x;
	struct task_result r;
	struct err e;
	ending_init(&x, 0);
	assert_int_equal(result_parse(&x.t, x.b.p, 3, &r, &e), -1);
	assert_int_equal(result_parse(&x.t, "", 0, &r, &e), -1);
	buf_free(&x.b);
	arena_free(x.t.arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_back_in_order),
		cmocka_unit_test(broken_records_end_the_reading),
		cmocka_unit_test(dollars_expand_as_in_kubernetes),
		cmocka_unit_test(the_first_row_that_matches_is_the_image),
		cmocka_unit_test(argos_own_images_are_known),
		cmocka_unit_test(the_command_is_the_containers_or_the_images),
		cmocka_unit_test(users_are_names_or_numbers),
		cmocka_unit_test(endings_have_argos_words),
		cmocka_unit_test(outputs_answer_by_position),
		cmocka_unit_test(usage_is_in_argos_units),
		cmocka_unit_test(an_unreadable_ending_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
