/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as Go compacts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sources/go_json.h"

/* What is compacted 64 bytes at a time, byte by byte. */
static void
compact_plainly(struct buf *b, str text)
{
	bool quoted = false;
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool line_end = c == 0xe2 && i + 2 < text.n && (unsigned char)text.p[i + 1] == 0x80 && ((unsigned char)text.p[i + 2] & 0xfe) == 0xa8;
		if (c == '\\') {
			buf_add(b, str_slice(text, i, i + 2));
			i++;
		} else if (c == '<' || c == '>' || c == '&') {
			buf_addf(b, "\\u%04x", c);
		} else if (line_end) {
			buf_addf(b, "\\u202%x", (unsigned char)text.p[i + 2] & 0xf);
			i += 2;
		} else if (quoted || !(c == ' ' || c == '\n' || c == '\t' || c == '\r')) {
			buf_addc(b, (char)c);
		}
		quoted ^= c == '"';
	}
}

static void
check(str text)
{
	struct buf fast = { 0 }, plain = { 0 };
	/* Where there is nothing behind its end, so that a look there is seen. */
	char *alone = mem_text(text);
	go_json_compact(&fast, (str){ alone, text.n });
	compact_plainly(&plain, text);
	assert_string_equal(fast.p, plain.p);
	assert_int_equal(fast.n, plain.n);
	free(alone);
	buf_free(&fast);
	buf_free(&plain);
}

static void
compacting_is_the_same_wherever_a_piece_stands(void **state UNUSED)
{
	static const char *const pieces[] = { "", " ", "\"a b\"", "\"\\\"\", \"", "\"\\\\\" , 1", "<", "\"<&>\"", "\"\xe2\x80\xa8 \xe2\x80\xa9\"",
		"\"\xe2\x82\xac\"", "\xe2", "\xe2\x80", "\"\\\\\\\\\\\\\\\" x\" y", "\r\n\t [ 1 , 2 ]", "\"\\u0020 \\t\"" };
	for (size_t before = 0; before < 140; before++)
		for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
			for (int quoted = 0; quoted < 2; quoted++) {
				struct buf b = { 0 };
				buf_addc(&b, quoted ? '"' : '[');
				for (size_t n = 0; n < before; n++)
					buf_addc(&b, 'x');
				buf_add(&b, quoted ? S("\",") : S(" ,"));
				buf_add(&b, str_c(pieces[i]));
				check(buf_str(&b));
				buf_add(&b, S("\n, \" tail \" ] "));
				check(buf_str(&b));
				buf_free(&b);
			}
}

static void
a_run_of_backslashes_ends_where_it_ends(void **state UNUSED)
{
	for (size_t at = 50; at < 70; at++)
		for (size_t n = 0; n < 80; n++) {
			struct buf b = { 0 };
			buf_addc(&b, '"');
			for (size_t i = 0; i < at; i++)
				buf_addc(&b, 'x');
			for (size_t i = 0; i < n; i++)
				buf_addc(&b, '\\');
			buf_add(&b, S("\" , \" y \""));
			check(buf_str(&b));
			buf_free(&b);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compacting_is_the_same_wherever_a_piece_stands),
		cmocka_unit_test(a_run_of_backslashes_ends_where_it_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
