/* SPDX-License-Identifier: Apache-2.0 */
/* multipart: forms as browsers and curl send them, and those that are none. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/net/multipart.h"

static void
boundaries_are_named_by_the_type(void **state UNUSED)
{
	static const struct {
		const char *type, *boundary; /* NULL: refused */
	} rows[] = {
		{ "multipart/form-data; boundary=abc", "abc" },
		{ "Multipart/Form-Data;charset=utf-8 ; BOUNDARY=\"a b\"", "a b" },
		{ "multipart/form-data; boundary=----WebKitFormBoundary7MA4", "----WebKitFormBoundary7MA4" },
		{ "multipart/form-data; boundary=a; x=y", "a" },
		{ "multipart/form-data", NULL },
		{ "multipart/form-data; boundary=", NULL },
		{ "multipart/form-data; boundary=\"", NULL },
		{ "multipart/mixed; boundary=abc", NULL },
		{ "application/json", NULL },
		{ "", NULL },
		{ "multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789", "0123456789012345678901234567890123456789012345678901234567890123456789" },
		{ "multipart/form-data; boundary=01234567890123456789012345678901234567890123456789012345678901234567890", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		str out = STR_NONE;
		int rc = multipart_boundary(str_c(rows[i].type), &out, &e);
		if (!rows[i].boundary ? rc == 0 : rc || !str_eq(out, str_c(rows[i].boundary)))
			fail_msg("%s: %d <%.*s> %s", rows[i].type, rc, STR_ARG(out), e.msg);
		assert_true(rc == 0 || (e.code == ERR_INVALID && e.msg[0]));
	}
}

#define PART(name) "Content-Disposition: form-data; name=\"" name "\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n"

static void
a_part_is_found_by_its_field(void **state UNUSED)
{
	static const struct {
		const char *body, *found; /* NULL: refused */
	} rows[] = {
		{ "--b\r\n" PART("file") "hello\r\n--b--\r\n", "hello" },
		{ "--b\r\n" PART("other") "no\r\n--b\r\n" PART("file") "\r\nyes\r\n\r\n--b--", "\r\nyes\r\n" },
		{ "a preamble\r\n--b \t\r\n" PART("file") "x\r\n--b--\r\nafter", "x" },
		{ "--b\r\n" PART("file") "\r\n--b--\r\n", "" },
		{ "--b\r\ncontent-disposition:form-data;name=file\r\n\r\n--b\r\n\r\n--bX", NULL }, /* an empty part, then rubbish: found before that */
		{ "--b\r\n\r\nno header\r\n--b\r\n" PART("file") "x\r\n--b--", "x" },
		{ "--b\r\n" PART("file") "a --b is no delimiter\r\n-b\r\n--b--", "a --b is no delimiter\r\n-b" },
		{ "--b\r\nContent-Disposition: form-data; filename=\"; name=file\"; name=\"x\"\r\n\r\n1\r\n--b\r\n" PART("file") "2\r\n--b--", "2" },
		{ "--b\r\nContent-Disposition: form-data; filename=\"a\\\"; name=no\"; name=\"file\"\r\n\r\n1\r\n--b--", "1" },
		{ "--b--\r\n", NULL },
		{ "--b\r\n" PART("other") "hello\r\n--b--\r\n", NULL },
		{ "--b\r\n" PART("file") "hello", NULL },
		{ "--b\r\n" PART("file") "hello\r\n--", NULL },
		{ "--b\r\nContent-Disposition: form-data; name=\"file\"", NULL },
		{ "--bhello\r\n" PART("file") "x\r\n--b--", NULL },
		{ "--c\r\n" PART("file") "hello\r\n--c--\r\n", NULL },
		{ "--b", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		str out = STR_NONE;
		int rc = multipart_find(str_c(rows[i].body), S("b"), S("file"), &out, &e);
		if (i == 4) {
			assert_int_equal(rc, 0);
			assert_int_equal(out.n, 0);
		} else if (!rows[i].found ? rc == 0 : rc || !str_eq(out, str_c(rows[i].found)))
			fail_msg("row %zu: %d <%.*s> %s", i, rc, STR_ARG(out), e.msg);
		assert_true(rc == 0 || (e.code == ERR_INVALID && e.msg[0]));
	}
}

static void
a_header_has_an_end(void **state UNUSED)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct err e;
	str out;
	buf_add(&b, S("--b\r\nX: "));
	for (int i = 0; i < 70000; i++)
		buf_addc(&b, 'x');
	buf_add(&b, S("\r\n" PART("file") "x\r\n--b--"));
	assert_int_equal(multipart_find(buf_str(&b), S("b"), S("file"), &out, &e), -1);
	assert_non_null(strstr(e.msg, "header"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boundaries_are_named_by_the_type),
		cmocka_unit_test(a_part_is_found_by_its_field),
		cmocka_unit_test(a_header_has_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
