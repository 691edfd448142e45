/* SPDX-License-Identifier: Apache-2.0 */
/* The wire of NSQ: frames, messages, names, and what nsqlookupd answers. Connections are tested by tests/integration/test_source_nsq.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/net/nsq.h"

/* Whatever is missing at the end is waited for; what is behind a frame is not looked at. */
static void
test_frames(void **state UNUSED)
{
	const str whole = S("\0\0\0\x06\0\0\0\0OK\0\0\0");
	struct nsq_frame f;
	struct err e;
	for (size_t n = 0; n < 10; n++)
		assert_int_equal(nsq_frame(str_slice(whole, 0, n), &f, &e), 0);
	assert_int_equal(nsq_frame(whole, &f, &e), 10);
	assert_int_equal(f.type, NSQ_RESPONSE);
	assert_true(str_eq(f.data, S("OK")));
	assert_int_equal(nsq_frame(S("\0\0\0\x04\xff\xff\xff\xff"), &f, &e), 8);
	assert_int_equal(f.type, -1);
	assert_int_equal(f.data.n, 0);
}

static void
test_frames_that_are_none(void **state UNUSED)
{
	const str bad[] = { S("\0\0\0\x03\0\0\0\0"), S("\xff\xff\xff\xff\0\0\0\0"), S("HTTP/1.1 400 Bad Request"), S("\x01\0\0\x05\0\0\0\0") };
	struct nsq_frame f;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = { 0 };
		assert_int_equal(nsq_frame(bad[i], &f, &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
	}
}

static void
test_messages(void **state UNUSED)
{
	struct nsq_message m;
	struct err e;
	assert_int_equal(nsq_message(S("\0\0\0\0\0\0\x01\x02\x01\x03" "0123456789abcdef" "the body"), &m, &e), 0);
	assert_int_equal(m.timestamp_ns, 0x102);
	assert_int_equal(m.attempts, 0x103);
	assert_true(str_eq(m.id, S("0123456789abcdef")));
	assert_true(str_eq(m.body, S("the body")));
	assert_int_equal(nsq_message(S("\0\0\0\0\0\0\0\0\0\0" "0123456789abcdef"), &m, &e), 0);
	assert_int_equal(m.body.n, 0);
	assert_int_equal(nsq_message(S("\0\0\0\0\0\0\0\0\0\0" "0123456789abcde"), &m, &e), -1);
}

static void
test_names(void **state UNUSED)
{
	static const char *const good[] = { "a", "A.b_c-9", "t#ephemeral", "1234567890123456789012345678901234567890123456789012345678901234" };
	static const char *const bad[] = { "", "#ephemeral", "a b", "a\nRDY 1", "a#other", "\xc3\xa4", "12345678901234567890123456789012345678901234567890123456789012345" };
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(nsq_name_is_valid(str_c(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(nsq_name_is_valid(str_c(bad[i])));
}

static void
test_lookup(void **state UNUSED)
{
	static const struct {
		const char *json, *want;
	} cases[] = {
		{ "{\"channels\":[],\"producers\":[{\"broadcast_address\":\"a\",\"tcp_port\":4150},{\"broadcast_address\":\"b\",\"tcp_port\":1}]}", "a:4150 b:1 " },
		{ "{\"status_code\":200,\"data\":{\"producers\":[{\"broadcast_address\":\"a\",\"tcp_port\":4150}]}}", "a:4150 " },
		{ "{\"producers\":[]}", "" }, { "{}", "" }, { "[]", "" }, { "1", "" }, { "{\"producers\":{\"a\":1}}", "" },
		{ "{\"producers\":[{\"broadcast_address\":\"a\"},{\"tcp_port\":1},1,{\"broadcast_address\":\"a\",\"tcp_port\":65536},"
		  "{\"broadcast_address\":\"a\",\"tcp_port\":\"x\"},{\"broadcast_address\":\"\",\"tcp_port\":1},{\"broadcast_address\":\"z\",\"tcp_port\":2}]}", "z:2 " },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		struct buf b CLEANUP(free_buf) = { 0 };
		struct nsq_addresses got;
		struct err e;
		assert_int_equal(nsq_lookup_read(a, str_c(cases[i].json), &got, &e), 0);
		for (size_t k = 0; k < got.n; k++)
			buf_addf(&b, "%.*s:%d ", STR_ARG(got.p[k].host), got.p[k].port);
		assert_string_equal(b.p ? b.p : "", cases[i].want);
	}
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct nsq_addresses got;
	struct err e = { 0 };
	assert_int_equal(nsq_lookup_read(a, S("<html>"), &got, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_frames), cmocka_unit_test(test_frames_that_are_none), cmocka_unit_test(test_messages),
		                            cmocka_unit_test(test_names), cmocka_unit_test(test_lookup) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
