/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lang/luapat.h"

#include <ctype.h>

#define OPEN ((size_t)-1) /* length of a capture that has no end yet */

static size_t
fail(struct luapat *m, const char *why)
{
	m->error = why;
	return SIZE_MAX;
}

static bool
stopped(const struct luapat *m)
{
	return m->error || m->spent;
}

/* ---- one character ---------------------------------------------------------------------------------------------- */

static bool
in_class(unsigned char c, char class)
{
	bool in;
	switch (class | 0x20) {
	case 'a': in = isalpha(c); break;
	case 'c': in = iscntrl(c); break;
	case 'd': in = isdigit(c); break;
	case 'l': in = islower(c); break;
	case 'p': in = ispunct(c); break;
	case 's': in = isspace(c); break;
	case 'u': in = isupper(c); break;
	case 'w': in = isalnum(c); break;
	case 'x': in = isxdigit(c); break;
	case 'z': in = c == 0; break;
	default: return (unsigned char)class == c;
	}
	return isupper((unsigned char)class) ? !in : in;
}

/* The offset behind the item at p: a character, a class or a set, without its repetition. */
static size_t
item_end(struct luapat *m, size_t p)
{
	str s = m->pattern;
	if (s.p[p] == '%')
		return p + 1 < s.n ? p + 2 : fail(m, "malformed pattern (ends with '%')");
	if (s.p[p++] != '[')
		return p;
	p += p < s.n && s.p[p] == '^';
	for (size_t first = p; p < s.n; p++) {
		if (s.p[p] == ']' && p > first)
			return p + 1;
		if (s.p[p] == '%')
			p++;
	}
	return fail(m, "malformed pattern (missing ']')");
}

/* The set from its '[' at p to its ']' at end. */
static bool
in_set(str s, unsigned char c, size_t p, size_t end)
{
	bool negated = s.p[++p] == '^';
	for (p += negated; p < end; p++) {
		if (s.p[p] == '%') {
			if (in_class(c, s.p[++p]))
				return !negated;
		} else if (p + 2 < end && s.p[p + 1] == '-') {
			if ((unsigned char)s.p[p] <= c && c <= (unsigned char)s.p[p + 2])
				return !negated;
			p += 2;
		} else if ((unsigned char)s.p[p] == c) {
			return !negated;
		}
	}
	return negated;
}

/* Whether the text's byte at `at` is one of the item [p, end). */
static bool
is_item(const struct luapat *m, size_t at, size_t p, size_t end)
{
	if (at >= m->text.n)
		return false;
	unsigned char c = (unsigned char)m->text.p[at];
	switch (m->pattern.p[p]) {
	case '.': return true;
	case '%': return in_class(c, m->pattern.p[p + 1]);
	case '[': return in_set(m->pattern, c, p, end - 1);
	default: return (unsigned char)m->pattern.p[p] == c;
	}
}

/* ---- items ------------------------------------------------------------------------------------------------------- */

/* Each gives the offset in the text behind the match of the pattern from p on; SIZE_MAX: none. */
static size_t match(struct luapat *m, size_t at, size_t p);

static size_t
deeper(struct luapat *m, size_t at, size_t p)
{
	if (m->depth >= LUAPAT_DEPTH)
		return fail(m, "pattern too complex");
	m->depth++;
	size_t end = match(m, at, p);
	m->depth--;
	return end;
}

/* "x*" and "x+": as many as there are, then fewer. */
static size_t
longest(struct luapat *m, size_t at, size_t p, size_t end, size_t least)
{
	size_t n = 0;
	while (is_item(m, at + n, p, end))
		n++;
	m->spent |= !m->spend(n);
	for (n++; n-- > least && !stopped(m);) {
		size_t found = deeper(m, at + n, end + 1);
		if (found != SIZE_MAX)
			return found;
	}
	return SIZE_MAX;
}

/* "x-": as few as will do. */
static size_t
shortest(struct luapat *m, size_t at, size_t p, size_t end)
{
	while (!stopped(m)) {
		size_t found = deeper(m, at, end + 1);
		if (found != SIZE_MAX)
			return found;
		if (!is_item(m, at, p, end))
			break;
		at++;
	}
	return SIZE_MAX;
}

static size_t
open_capture(struct luapat *m, size_t at, size_t p, size_t len)
{
	if (m->n >= LUAPAT_CAPTURES)
		return fail(m, "too many captures");
	m->captures[m->n].at = at;
	m->captures[m->n++].len = len;
	size_t found = deeper(m, at, p);
	if (found == SIZE_MAX)
		m->n--;
	return found;
}

static size_t
close_capture(struct luapat *m, size_t at, size_t p)
{
	size_t i = m->n;
	while (i > 0 && m->captures[i - 1].len != OPEN)
		i--;
	if (!i)
		return fail(m, "invalid pattern capture");
	m->captures[i - 1].len = at - m->captures[i - 1].at;
	size_t found = deeper(m, at, p);
	if (found == SIZE_MAX)
		m->captures[i - 1].len = OPEN;
	return found;
}

/* "%bxy": from an x to its y. */
static size_t
balanced(struct luapat *m, size_t at, size_t p)
{
	if (p + 1 >= m->pattern.n)
		return fail(m, "unbalanced pattern");
	char open = m->pattern.p[p], close = m->pattern.p[p + 1];
	if (at >= m->text.n || m->text.p[at] != open)
		return SIZE_MAX;
	size_t depth = 1;
	for (size_t i = at + 1; i < m->text.n; i++) {
		if (m->text.p[i] == close) {
			if (--depth == 0) {
				m->spent |= !m->spend(i - at);
				return i + 1;
			}
		} else if (m->text.p[i] == open) {
			depth++;
		}
	}
	m->spent |= !m->spend(m->text.n - at);
	return SIZE_MAX;
}

/* "%1": what the capture took. */
static size_t
again(struct luapat *m, size_t at, char digit)
{
	size_t i = (size_t)(digit - '1');
	if (i >= m->n || m->captures[i].len == OPEN)
		return fail(m, "invalid capture index");
	size_t len = m->captures[i].len == LUAPAT_POSITION ? 0 : m->captures[i].len;
	if (m->text.n - at < len || memcmp(m->text.p + m->captures[i].at, m->text.p + at, len) != 0)
		return SIZE_MAX;
	m->spent |= !m->spend(len / 16);
	return at + len;
}

/* "%f[set]": the border from what is not in the set to what is. */
static bool
frontier(const struct luapat *m, size_t at, size_t p, size_t end)
{
	unsigned char before = at ? (unsigned char)m->text.p[at - 1] : 0, here = at < m->text.n ? (unsigned char)m->text.p[at] : 0;
	return !in_set(m->pattern, before, p, end - 1) && in_set(m->pattern, here, p, end - 1);
}

/* "%b", "%f", "%1". 1: *at and *p are behind it, 0: no match, -1: it is none of them. */
static int
special(struct luapat *m, size_t *at, size_t *p)
{
	char c = *p + 1 < m->pattern.n ? m->pattern.p[*p + 1] : 0;
	if (c == 'f') {
		if (*p + 2 >= m->pattern.n || m->pattern.p[*p + 2] != '[') {
			fail(m, "missing '[' after '%f' in pattern");
			return 0;
		}
		size_t end = item_end(m, *p + 2);
		if (end == SIZE_MAX || !frontier(m, *at, *p + 2, end))
			return 0;
		*p = end;
		return 1;
	}
	if (c != 'b' && !(c >= '0' && c <= '9'))
		return -1;
	*at = c == 'b' ? balanced(m, *at, *p + 2) : again(m, *at, c);
	*p += c == 'b' ? 4 : 2;
	return *at != SIZE_MAX;
}

static size_t
match(struct luapat *m, size_t at, size_t p)
{
	while (p < m->pattern.n) {
		char c = m->pattern.p[p];
		if (!m->spend(1)) {
			m->spent = true;
			return SIZE_MAX;
		}
		if (c == '(' && p + 1 < m->pattern.n && m->pattern.p[p + 1] == ')')
			return open_capture(m, at, p + 2, LUAPAT_POSITION);
		if (c == '(')
			return open_capture(m, at, p + 1, OPEN);
		if (c == ')')
			return close_capture(m, at, p + 1);
		if (c == '$' && p + 1 == m->pattern.n)
			return at == m->text.n ? at : SIZE_MAX;
		int how = c == '%' ? special(m, &at, &p) : -1;
		if (how == 0 || stopped(m))
			return SIZE_MAX;
		if (how > 0)
			continue;
		size_t end = item_end(m, p);
		if (end == SIZE_MAX)
			return SIZE_MAX;
		char repeat = end < m->pattern.n ? m->pattern.p[end] : 0;
		if (repeat == '*' || repeat == '+')
			return longest(m, at, p, end, repeat == '+');
		if (repeat == '-')
			return shortest(m, at, p, end);
		bool is = is_item(m, at, p, end);
		if (repeat == '?') {
			size_t found = is ? deeper(m, at + 1, end + 1) : SIZE_MAX;
			if (found != SIZE_MAX || stopped(m))
				return found;
			p = end + 1;
			continue;
		}
		if (!is)
			return SIZE_MAX;
		at++;
		p = end;
	}
	return at;
}

bool
luapat_match(struct luapat *m, size_t at, size_t *end)
{
	m->n = 0;
	m->depth = 0;
	*end = match(m, at, 0);
	for (size_t i = 0; *end != SIZE_MAX && i < m->n; i++)
		if (m->captures[i].len == OPEN)
			*end = fail(m, "unfinished capture");
	return *end != SIZE_MAX;
}
