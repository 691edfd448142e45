/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/trace.h"

str
manifest_place(struct arena *a, str file, const struct val *at)
{
	if (!at || !at->line)
		return S("");
	return file.n ? arena_fmt(a, "%.*s:%u", STR_ARG(file), at->line) : arena_fmt(a, "line %u", at->line);
}

size_t
checks_add(struct checks *c, const char *kind, str what, str want, const char *otherwise, const struct val *at)
{
	*VEC_PUSH(&c->list) = (struct check){ kind, what, want, otherwise, manifest_place(c->arena, c->file, at) };
	return c->list.n - 1;
}

void
trace_clear(struct trace *t)
{
	t->n = t->left_out = 0;
	t->decided = false;
}

void
trace_add(struct trace *t, const struct trace_look *l)
{
	if (t->n < TRACE_MAX)
		t->looks[t->n++] = *l;
	else
		t->left_out++;
}

enum { SHOWN_MAX = 60 };

void
trace_show(struct buf *b, str s)
{
	json_quote(b, str_slice(s, 0, SHOWN_MAX), 0);
	if (s.n > SHOWN_MAX)
		buf_add(b, S("..."));
}

/* All of it can stand between quotes as it is. */
static bool
is_plain(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((signed char)s.p[i] < 0x20 || s.p[i] == '"' || s.p[i] == '\\')
			return false;
	return true;
}

str
trace_shown(struct arena *a, str s)
{
	if (s.n > SHOWN_MAX || !is_plain(s)) {
		struct buf b CLEANUP(free_buf) = { 0 };
		trace_show(&b, s);
		return arena_dup(a, buf_str(&b));
	}
	char *quoted = arena_alloc(a, s.n + 2, 1);
	quoted[0] = quoted[s.n + 1] = '"';
	if (s.n)
		memcpy(quoted + 1, s.p, s.n);
	return (str){ quoted, s.n + 2 };
}

/* ---- as text ------------------------------------------------------------------------------------------------------- */

static const char letters[] = { [FILTER_PASS] = 'p', [FILTER_MISS] = 'm', [FILTER_ERROR] = 'e' };

enum { NUMBER_MAX = 20, LOOK_MAX = 2 * NUMBER_MAX + 2 + TRACE_GOT_MAX };

static char *
write_number(char *to, size_t n)
{
	char digits[NUMBER_MAX];
	size_t at = sizeof digits;
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	memcpy(to, digits + at, sizeof digits - at);
	return to + sizeof digits - at;
}

static char *
write_look(char *to, const struct trace_look *l, bool decided)
{
	str got = str_slice(l->got, 0, TRACE_GOT_MAX);
	to = write_number(to, l->check);
	*to++ = (char)(decided ? letters[l->verdict] - 'a' + 'A' : letters[l->verdict]);
	to = write_number(to, got.n);
	*to++ = ':';
	if (got.n)
		memcpy(to, got.p, got.n);
	return to + got.n;
}

static bool
is_why(const struct trace *t, const struct trace_look *l)
{
	return t->decided && l->check == t->why.check && l->verdict == t->why.verdict;
}

str
trace_write(const struct trace *t, struct arena *a)
{
	size_t room = LOOK_MAX;
	for (size_t i = 0; i < t->n; i++)
		room += LOOK_MAX - TRACE_GOT_MAX + str_slice(t->looks[i].got, 0, TRACE_GOT_MAX).n;
	char *from = arena_alloc(a, room, 1), *to = from;
	bool told = !t->decided;
	for (size_t i = 0; i < t->n; i++) {
		bool why = is_why(t, &t->looks[i]);
		to = write_look(to, &t->looks[i], why);
		told |= why;
	}
	if (!told)
		to = write_look(to, &t->why, true);
	return (str){ from, (size_t)(to - from) };
}

static bool
read_number(str text, size_t *at, size_t *out)
{
	size_t from = *at;
	*out = 0;
	for (; *at < text.n && *at - from < 9 && text.p[*at] >= '0' && text.p[*at] <= '9'; ++*at)
		*out = *out * 10 + (size_t)(text.p[*at] - '0');
	return *at > from;
}

static bool
read_letter(char c, enum verdict *v, bool *why)
{
	*why = c >= 'A' && c <= 'Z';
	for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
		*v = (enum verdict)i;
		if ((*why ? c - 'A' + 'a' : c) == letters[i])
			return true;
	}
	return false;
}

static bool
read_look(str text, size_t *at, struct trace_look *l, bool *why)
{
	size_t n;
	if (!read_number(text, at, &l->check) || *at >= text.n || !read_letter(text.p[*at], &l->verdict, why))
		return false;
	++*at;
	if (!read_number(text, at, &n) || *at >= text.n || text.p[*at] != ':' || n > text.n - *at - 1)
		return false;
	l->got = str_slice(text, *at + 1, *at + 1 + n);
	*at += 1 + n;
	return true;
}

void
trace_read(str text, struct trace *t)
{
	struct trace_look l;
	bool why;
	trace_clear(t);
	for (size_t at = 0; at < text.n && read_look(text, &at, &l, &why);) {
		trace_add(t, &l);
		if (why) {
			t->decided = true;
			t->why = l;
		}
	}
}

/* ---- as a reason ---------------------------------------------------------------------------------------------------- */

str
trace_reason(struct arena *a, const struct check *c, const struct trace_look *l)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addf(&b, "%s%s%s%.*s: ", c->kind, strcmp(c->kind, "transform") ? " filter" : "", c->what.n ? " " : "", STR_ARG(c->what));
	if (l->verdict == FILTER_ERROR)
		buf_add(&b, l->got);
	else if (c->want.n)
		buf_addf(&b, "want %.*s, got %.*s", STR_ARG(c->want), STR_ARG(l->got));
	else
		buf_addf(&b, "%s%s%.*s", c->otherwise, l->got.n ? " with " : "", STR_ARG(l->got));
	if (c->place.n)
		buf_addf(&b, " (%.*s)", STR_ARG(c->place));
	return arena_dup(a, buf_str(&b));
}
