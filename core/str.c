/* SPDX-License-Identifier: Apache-2.0 */
/* Strings by value: views of bytes that somebody else owns. */
#include "core/base.h"

#include <errno.h>

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool
str_eq_nocase(str a, str b)
{
	size_t i = 0;
	while (i < a.n && i < b.n && lower(a.p[i]) == lower(b.p[i]))
		i++;
	return i == a.n && i == b.n;
}

int
str_cmp(str a, str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool
str_starts(str s, str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool
str_ends(str s, str suffix)
{
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

str
str_trim(str s)
{
	while (s.n && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

size_t
str_find(str s, str needle, size_t from)
{
	if (from > s.n)
		return SIZE_MAX;
	if (needle.n > s.n - from)
		return SIZE_MAX;
	if (needle.n == 0)
		return from;
	/* Mostly a needle of two bytes in a short text without its first: memmem would prepare itself for more. */
	for (size_t last = s.n - needle.n; from <= last; from++) {
		const char *hit = memchr(s.p + from, needle.p[0], last - from + 1);
		if (!hit)
			return SIZE_MAX;
		from = (size_t)(hit - s.p);
		if (memcmp(hit, needle.p, needle.n) == 0)
			return from;
	}
	return SIZE_MAX;
}

size_t
str_find_char(str s, char c, size_t from)
{
	if (from >= s.n)
		return SIZE_MAX;
	const char *hit = memchr(s.p + from, c, s.n - from);
	return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

str
str_slice(str s, size_t from, size_t to)
{
	if (to > s.n)
		to = s.n;
	if (from > to)
		from = to;
	return (str){ s.p ? s.p + from : NULL, to - from };
}

str
str_cut(str *rest, char sep)
{
	size_t at = str_find_char(*rest, sep, 0);
	if (at == SIZE_MAX) {
		str all = *rest;
		*rest = (str){ rest->p ? rest->p + rest->n : NULL, 0 };
		return all;
	}
	str head = str_slice(*rest, 0, at);
	*rest = str_slice(*rest, at + 1, rest->n);
	return head;
}

bool
str_to_i64(str s, int64_t *out)
{
	bool minus = s.n && s.p[0] == '-';
	size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
	if (i == s.n)
		return false;
	int64_t v = 0;
	for (; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		int d = s.p[i] - '0';
		/* Towards the negative side, so that INT64_MIN has a way. */
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, d, &v))
			return false;
	}
	if (!minus && __builtin_sub_overflow(0, v, &v))
		return false;
	*out = v;
	return true;
}

/* strtod in the C locale would also take hexadecimal, inf, nan and leading space: what may be there is checked first. */
bool
str_to_double(str s, double *out)
{
	char text[400];
	if (s.n == 0 || s.n >= sizeof text)
		return false;
	bool digit = false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= '0' && s.p[i] <= '9')
			digit = true;
		else if (!memchr("+-.eE", s.p[i], 5))
			return false;
	}
	if (!digit)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	char *end;
	double v = strtod(text, &end);
	if (end != text + s.n)
		return false;
	*out = v;
	return true;
}

uint32_t
str_fnv32a(str s)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h;
}

uint64_t
str_fnv64a(str s)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
	return h;
}

enum { DISTANCE_CAP = 8, DISTANCE_MAX_LEN = 64 };

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

/* Optimal string alignment: insert, delete, replace, swap of neighbours, each costs one. */
unsigned
str_distance(str a, str b)
{
	if (a.n > DISTANCE_MAX_LEN || b.n > DISTANCE_MAX_LEN)
		return DISTANCE_CAP;
	unsigned rows[3][DISTANCE_MAX_LEN + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b.n; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned cost = a.p[i - 1] != b.p[j - 1];
			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		unsigned *recycled = before;
		before = above;
		above = row;
		row = recycled;
	}
	return above[b.n] < DISTANCE_CAP ? above[b.n] : DISTANCE_CAP;
}
