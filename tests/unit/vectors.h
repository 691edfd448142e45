/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vectors: replays a file of JSON lines. Each line is read into a val and handed to a check, which returns NULL if the line
 * holds or a text saying what came instead. All lines are tried; the first failures are printed.
 */
#ifndef TIDEGATE_TESTS_VECTORS_H
#define TIDEGATE_TESTS_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/val.h"

static inline str
vectors_read_file(struct arena *a, const char *path)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	struct buf b = { 0 };
	size_t n;
	while ((n = fread(buf_room(&b, 65536), 1, 65536, f)) > 0)
		b.n += n;
	fclose(f);
	str s = arena_dup(a, buf_str(&b));
	buf_free(&b);
	return s;
}

/* A case in which the real one is not followed, and why. */
struct vectors_difference {
	const char *text, *why;
};
/* The reason, NULL if it is followed. */
static inline const char *
vectors_difference(const struct vectors_difference *list, size_t n, str text)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(text, str_c(list[i].text)))
			return list[i].why;
	return NULL;
}

static inline void
vectors_replay(const char *path, const char *(*check)(struct arena *a, const struct val *line))
{
	struct arena *file = arena_new(), *a = arena_new();
	str rest = vectors_read_file(file, path);
	size_t n = 0, failed = 0;
	while (rest.n) {
		str line = str_cut(&rest, '\n');
		if (!line.n)
			continue;
		struct val v;
		struct err e;
		n++;
		if (json_read(a, line, &v, &e) < 0)
			fail_msg("%s:%zu: %s", path, n, e.msg);
		const char *wrong = check(a, &v);
		if (wrong && ++failed <= 40)
			print_message("%s:%zu: %.*s\n  got %s\n", path, n, (int)line.n, line.p, wrong);
		arena_reset(a);
	}
	print_message("%s: %zu vectors, %zu failed\n", path, n, failed);
	assert_true(n > 0);
	assert_int_equal(failed, 0);
	arena_free(a);
	arena_free(file);
}

#endif
