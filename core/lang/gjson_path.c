/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step off a path. What a step may be depends on what it is taken in: in an object it is a key or a pattern, in an array
 * an index, "#" or a query. What follows is further steps, or a pipe: a look-up in the answer.
 */
#include "core/lang/gjson_impl.h"

#include "core/lang/jsonskip.h"

/* Whether the text behind a dot starts something that works on the answer so far: a modifier or a multipath. */
static bool
starts_pipe(str s)
{
	if (!s.n)
		return false;
	if (s.p[0] != '@')
		return s.p[0] == '[' || s.p[0] == '{';
	size_t i = 1;
	while (i < s.n && s.p[i] != '.' && s.p[i] != '|' && s.p[i] != ':')
		i++;
	return gjson_find_modifier(str_slice(s, 1, i)) != NULL;
}

/* The step ends at path[i], which is '.' or '|'. */
static void
end_step(struct gjson_step *s, str path, size_t i, bool may_pipe)
{
	str rest = str_slice(path, i + 1, path.n);
	if (path.p[i] == '|' || (may_pipe && starts_pipe(rest))) {
		s->pipe = rest;
		s->piped = true;
	} else {
		s->path = rest;
		s->more = true;
	}
}

struct gjson_step
gjson_object_step(struct gjson_run *run, str path)
{
	struct gjson_step s = { .part = path };
	size_t i = 0;
	for (; i < path.n; i++) {
		char c = path.p[i];
		if (c == '.' || c == '|') {
			s.part = str_slice(path, 0, i);
			end_step(&s, path, i, true);
			return s;
		}
		if (c == '*' || c == '?')
			s.wild = true;
		if (c == '\\')
			break;
	}
	if (i == path.n)
		return s;
	struct buf part CLEANUP(free_buf) = { 0 };
	buf_add(&part, str_slice(path, 0, i));
	for (; i < path.n; i++) {
		char c = path.p[i];
		if (c == '\\') {
			if (++i < path.n)
				buf_addc(&part, path.p[i]);
			continue;
		}
		if (c == '.' || c == '|') {
			end_step(&s, path, i, true);
			break;
		}
		if (c == '*' || c == '?')
			s.wild = true;
		buf_addc(&part, c);
	}
	s.part = arena_dup(run->a, buf_str(&part));
	return s;
}

/* Control characters and blanks off both ends. */
static str
trim_low(str s)
{
	while (s.n && (unsigned char)s.p[0] <= ' ')
		s = str_slice(s, 1, s.n);
	while (s.n && (unsigned char)s.p[s.n - 1] <= ' ')
		s.n--;
	return s;
}

/* "== \"x\"" into operator and operand. */
static void
split_operator(str value, str *op, str *want)
{
	static const char *const two[] = { "!=", "!%", "<=", ">=" };
	size_t n = value.n && strchr("<>=%", value.p[0]) ? 1 : 0;
	if (value.n == 1)
		n = 1;
	for (size_t i = 0; i < ARRAY_LEN(two) && value.n > 1; i++)
		if (str_starts(value, str_c(two[i])))
			n = 2;
	if (str_starts(value, S("==")))
		value = str_slice(value, 1, value.n);
	*op = str_slice(value, 0, n);
	*want = trim_low(str_slice(value, n, value.n));
}

/* "(path op value)" at path[1]; returns the offset behind the closing bracket, 0 if there is none. */
static size_t
query_step(struct gjson_run *run, str path, struct gjson_step *s)
{
	size_t i = 2, value_at = 0, depth = 1;
	bool escaped = false;
	for (; i < path.n; i++) {
		char c = path.p[i];
		if (depth == 1 && !value_at && strchr("!=<>%", c) && c) {
			value_at = i;
			continue;
		}
		if (c == '\\') {
			i++;
		} else if (c == '[' || c == '(') {
			depth++;
		} else if (c == ']' || c == ')') {
			if (--depth == 0)
				break;
		} else if (c == '"') {
			bool esc;
			i = jsonskip_string(path.p, i + 1, path.n, &esc);
			escaped |= esc;
		}
	}
	if (depth || i >= path.n)
		return 0;
	s->query = true;
	s->query_path = trim_low(str_slice(path, 2, value_at ? value_at : i));
	if (value_at)
		split_operator(trim_low(str_slice(path, value_at, i)), &s->op, &s->want);
	if (s->want.n >= 2 && s->want.p[0] == '"' && s->want.p[s->want.n - 1] == '"') {
		s->want = str_slice(s->want, 1, s->want.n - 1);
		if (escaped)
			s->want = gjson_decode(run->a, s->want);
	}
	return i + 1;
}

struct gjson_step
gjson_array_step(struct gjson_run *run, str path)
{
	struct gjson_step s = { .part = path };
	for (size_t i = 0; i < path.n; i++) {
		char c = path.p[i];
		if (c == '.' || c == '|') {
			s.part = str_slice(path, 0, i);
			str each = s.path;
			end_step(&s, path, i, !s.hash);
			if (s.piped)
				s.path = each;
			return s;
		}
		if (c != '#')
			continue;
		s.hash = true;
		if (i > 0 || path.n < 2)
			continue;
		if (path.p[1] == '.') {
			s.each = true;
			s.each_key = str_slice(path, 2, path.n);
		} else if (path.p[1] == '[' || path.p[1] == '(') {
			size_t end = query_step(run, path, &s);
			if (!end)
				break;
			i = end - 1;
			s.all = end < path.n && path.p[end] == '#';
		}
	}
	s.path = STR_NONE;
	return s;
}

/* The first '|' that stands outside of queries, or all of it on the left. */
bool
gjson_split_pipe(str path, str *left, str *right)
{
	if (str_find_char(path, '|', 0) == SIZE_MAX)
		return false;
	if (path.p[0] == '{') {
		size_t n = gjson_squash(path).n;
		if (n >= path.n || path.p[n] != '|')
			return false;
		*left = str_slice(path, 0, n);
		*right = str_slice(path, n + 1, path.n);
		return true;
	}
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '\\') {
			i++;
		} else if (path.p[i] == '|') {
			*left = str_slice(path, 0, i);
			*right = str_slice(path, i + 1, path.n);
			return true;
		} else if (path.p[i] == '.') {
			if (i + 1 >= path.n)
				return false;
			if (path.p[i + 1] != '#')
				continue;
			i += 2;
			if (i >= path.n)
				return false;
			if (path.p[i] == '[' || path.p[i] == '(')
				i += gjson_squash(str_slice(path, i, path.n)).n - 1;
		}
	}
	return false;
}
