/* SPDX-License-Identifier: Apache-2.0 */
/* grpc: messages and frames, by the examples of protobuf's "Encoding", and what is none. The calls are tested against a real server. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/net/grpc.h"

static void
fields_are_written_and_read(void **state UNUSED)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct proto_field f;
	struct err e;
	proto_add(&b, 2, S("testing"));
	proto_add(&b, 3, S(""));
	str rest = buf_str(&b);
	assert_true(str_eq(rest, S("\x12\x07testing")));
	assert_int_equal(proto_next(&rest, &f, &e), 1);
	assert_int_equal(f.number, 2);
	assert_true(str_eq(f.bytes, S("testing")));
	assert_int_equal(proto_next(&rest, &f, &e), 0);

	rest = S("\x08\x96\x01\x15\x01\x00\x00\x00\x19\x02\x00\x00\x00\x00\x00\x00\x00");
	const uint64_t want[] = { 150, 1, 2 };
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(proto_next(&rest, &f, &e), 1);
		assert_int_equal(f.number, i + 1);
		assert_int_equal(f.integer, want[i]);
	}
	assert_int_equal(proto_next(&rest, &f, &e), 0);
}

static void
a_long_field_has_a_long_length(void **state UNUSED)
{
	struct buf b CLEANUP(free_buf) = { 0 }, text CLEANUP(free_buf) = { 0 };
	struct proto_field f;
	struct err e;
	for (int i = 0; i < 100000; i++)
		buf_addc(&text, 'x');
	proto_add(&b, 1, buf_str(&text));
	str rest = buf_str(&b);
	assert_int_equal(proto_next(&rest, &f, &e), 1);
	assert_true(str_eq(f.bytes, buf_str(&text)) && !rest.n);
}

static void
what_is_no_message_is_refused(void **state UNUSED)
{
	static const str wrong[] = { S("\x12"), S("\x12\x05" "abc"), S("\x08"), S("\x08\x80"), S("\x00\x01"), S("\x0B"), S("\x0D\x01\x02"),
		                     S("\x09\x01"), S("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), S("\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01") };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		str rest = wrong[i];
		struct proto_field f;
		struct err e;
		if (proto_next(&rest, &f, &e) != -1)
			fail_msg("%zu was read", i);
		assert_int_equal(e.code, ERR_INVALID);
	}
}

static void
frames(void **state UNUSED)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e;
	str message;
	assert_true(str_eq(grpc_frame(a, S("abc")), S("\0\0\0\0\3abc")));
	assert_int_equal(grpc_unframe(S("\0\0\0\0\3abc"), &message, &e), 0);
	assert_true(str_eq(message, S("abc")));
	assert_int_equal(grpc_unframe(S("\0\0\0\0\0"), &message, &e), 0);
	assert_int_equal(message.n, 0);
	static const str wrong[] = { S(""), S("\0\0\0\0"), S("\0\0\0\0\4abc"), S("\0\0\0\0\2abc"), S("\1\0\0\0\3abc") };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(grpc_unframe(wrong[i], &message, &e), -1);
}

static void
messages_of_a_stream_come_in_any_pieces(void **state UNUSED)
{
	struct arena *a = arena_new();
	struct buf all = { 0 };
	static const char *const texts[] = { "first", "", "a third one" };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		buf_add(&all, grpc_frame(a, str_c(texts[i])));
	/* Whatever the place where it is cut, the same messages come out. */
	for (size_t cut = 0; cut <= all.n; cut++) {
		size_t found = 0, at = 0, used;
		str message;
		struct err e;
		for (size_t end = cut;; end = all.n) {
			int rc;
			while ((rc = grpc_next((str){ all.p + at, end - at }, &message, &used, &e)) > 0) {
				assert_true(str_eq(message, str_c(texts[found++])));
				at += used;
			}
			assert_int_equal(rc, 0);
			if (end == all.n)
				break;
		}
		assert_int_equal(found, ARRAY_LEN(texts));
	}
	size_t used;
	str message;
	struct err e;
	assert_int_equal(grpc_next((str){ "\1", 1 }, &message, &used, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	assert_int_equal(grpc_next((str){ "\0\x7f\0\0\0", 5 }, &message, &used, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_free(&all);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_written_and_read),
		cmocka_unit_test(a_long_field_has_a_long_length),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(frames),
		cmocka_unit_test(messages_of_a_stream_come_in_any_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
