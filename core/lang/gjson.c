/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look-up walks the text once. `in_object` and `in_array` each take the first step off the path, run over the members, and
 * either take the value (last step), go down into it (more steps), or skip it. What follows a `|`, or a `.` before a
 * modifier or multipath, is a look-up of its own in the answer so far.
 *
 * Where gjson is lenient we are too, because paths in the field depend on it: commas and colons are not checked, an
 * array may lack its end, a duplicate key is tried again if the first leads nowhere.
 */
#include "core/lang/gjson.h"

#include <strings.h>

#include "core/lang/gjson_impl.h"
#include "core/lang/gofmt.h"
#include "core/lang/jsonskip.h"
#include "core/lang/match.h"

/* ---- budgets ------------------------------------------------------------------------------------------------- */

static bool
spend(struct gjson_run *run, size_t n)
{
	if (run->work < n)
		run->limited = true;
	if (run->limited)
		return false;
	run->work -= n;
	return true;
}

bool
gjson_enter(struct gjson_run *run, size_t n)
{
	if (run->depth >= GJSON_DEPTH_MAX)
		run->limited = true;
	if (!spend(run, n + 1))
		return false;
	run->depth++;
	return true;
}

str
gjson_take(struct gjson_run *run, struct buf *b)
{
	str s = STR_NONE;
	if (spend(run, b->n))
		s = arena_dup(run->a, buf_str(b));
	buf_free(b);
	return s;
}

/* ---- values -------------------------------------------------------------------------------------------------- */

static unsigned
hex4(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		v = v << 4 | (unsigned)(c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : 0);
	}
	return v;
}

/* \uXXXX at s[i] (on the u), a pair of surrogates taken together. Returns how many bytes behind the u were used. */
static size_t
decode_u(struct buf *b, str s, size_t i)
{
	if (i + 5 > s.n)
		return 0;
	uint32_t r = hex4(s.p + i + 1);
	if (r >= 0xd800 && r < 0xdc00 && i + 11 <= s.n && s.p[i + 5] == '\\' && s.p[i + 6] == 'u') {
		uint32_t low = hex4(s.p + i + 7);
		if (low >= 0xdc00 && low < 0xe000) {
			go_add_rune(b, 0x10000 + ((r - 0xd800) << 10) + (low - 0xdc00));
			return 10;
		}
	}
	go_add_rune(b, r);
	return 4;
}

str
gjson_decode(struct arena *a, str s)
{
	static const char named[] = "\\\\//b\bf\fn\nr\rt\t\"\"";
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < s.n && (unsigned char)s.p[i] >= ' '; i++) {
		if (s.p[i] != '\\') {
			buf_addc(&b, s.p[i]);
			continue;
		}
		if (++i >= s.n)
			break;
		if (s.p[i] == 'u') {
			size_t used = decode_u(&b, s, i);
			if (!used)
				break;
			i += used;
			continue;
		}
		const char *p = named;
		while (*p && *p != s.p[i])
			p += 2;
		if (!*p)
			break;
		buf_addc(&b, p[1]);
	}
	return arena_dup(a, buf_str(&b));
}

/* The string whose opening quote is at *i. False if it has no end. The text is decoded by `taken`, if at all. */
static bool
read_string(str json, size_t *i, struct gjson *out)
{
	size_t start = *i;
	size_t end = jsonskip_string(json.p, start + 1, json.n, &out->escaped);
	if (end >= json.n) {
		*i = json.n;
		return false;
	}
	*i = end + 1;
	out->kind = GJSON_STR;
	out->raw = str_slice(json, start, end + 1);
	out->text = str_slice(json, start + 1, end);
	out->at = start;
	return true;
}

/* Makes a string's text what it says: called only for strings that somebody looks at. */
static void
decode_text(struct gjson_run *run, struct gjson *v)
{
	if (v->kind == GJSON_STR && v->escaped && v->text.p == v->raw.p + 1)
		v->text = gjson_decode(run->a, v->text);
}

static void
read_number(str json, size_t *i, struct gjson *out)
{
	size_t start = (*i)++;
	while (*i < json.n && (unsigned char)json.p[*i] > ' ' && json.p[*i] != ',' && json.p[*i] != ']' && json.p[*i] != '}')
		++*i;
	out->kind = GJSON_NUM;
	out->raw = str_slice(json, start, *i);
	out->at = start;
}

static void
read_literal(str json, size_t *i, struct gjson *out)
{
	size_t start = (*i)++;
	while (*i < json.n && json.p[*i] >= 'a' && json.p[*i] <= 'z')
		++*i;
	char c = json.p[start];
	out->kind = c == 't' ? GJSON_TRUE : c == 'f' ? GJSON_FALSE : GJSON_NULL;
	out->raw = str_slice(json, start, *i);
	out->at = start;
}

enum starts { NOTHING, STRING, OBJECT, ARRAY, LITERAL, NUMBER, END_ARRAY };

static enum starts
starts_at(str json, size_t i)
{
	switch (json.p[i]) {
	case '"': return STRING;
	case '{': return OBJECT;
	case '[': return ARRAY;
	case ']': return END_ARRAY;
	case 't': case 'f': return LITERAL;
	case 'n': return i + 1 < json.n && json.p[i + 1] != 'u' ? NUMBER : LITERAL;
	case '+': case '-': case '0' ... '9': case 'i': case 'I': case 'N': return NUMBER;
	default: return NOTHING;
	}
}

/* Reads the value of that sort at *i, containers whole. False: a string without end. */
static bool
read_value(str json, size_t *i, enum starts sort, struct gjson *out)
{
	*out = (struct gjson){ 0 };
	switch (sort) {
	case STRING:
		return read_string(json, i, out);
	case OBJECT:
	case ARRAY: {
		size_t start = *i;
		*i = jsonskip_container(json.p, start, json.n);
		out->kind = GJSON_JSON;
		out->raw = str_slice(json, start, *i);
		out->at = start;
		return true;
	}
	case LITERAL:
		read_literal(json, i, out);
		return true;
	default:
		read_number(json, i, out);
		return true;
	}
}

/* A value that is an answer, or that a query looks at: now its number and text are worth computing. */
static struct gjson
taken(struct gjson_run *run, struct gjson v)
{
	decode_text(run, &v);
	if (v.kind == GJSON_NUM)
		(void)go_parse_float(v.raw, &v.num); /* what is no number counts as 0, as in gjson */
	return v;
}

bool
gjson_value(struct gjson_run *run, str json, size_t *i, struct gjson *out)
{
	for (; *i < json.n; ++*i) {
		enum starts sort = starts_at(json, *i);
		if (sort == NOTHING || sort == END_ARRAY)
			continue;
		if (!read_value(json, i, sort, out))
			return false;
		*out = taken(run, *out);
		return true;
	}
	return false;
}

struct gjson
gjson_parse(struct gjson_run *run, str json)
{
	size_t i = 0;
	while (i < json.n && (unsigned char)json.p[i] <= ' ')
		i++;
	struct gjson v = { 0 };
	if (i >= json.n)
		return v;
	enum starts sort = starts_at(json, i);
	size_t start = i;
	if (sort == OBJECT || sort == ARRAY)
		return (struct gjson){ .kind = GJSON_JSON, .raw = str_slice(json, i, json.n), .at = i };
	if (sort == NOTHING || sort == END_ARRAY)
		return v;
	if (!read_value(json, &i, sort, &v)) /* no closing quote: the rest is the string */
		v = (struct gjson){ .kind = GJSON_STR, .raw = str_slice(json, start, json.n), .escaped = v.escaped,
			            .text = str_slice(json, start + 1, json.n), .at = start };
	return taken(run, v);
}

/* Brackets of all three kinds are counted; strings are jumped over. For paths and arguments, which are short. */
str
gjson_squash(str s)
{
	size_t depth = s.n && s.p[0] != '"', i = depth;
	for (; i < s.n; i++) {
		switch (s.p[i]) {
		case '"': {
			bool escaped;
			i = jsonskip_string(s.p, i + 1, s.n, &escaped);
			if (depth == 0)
				return str_slice(s, 0, i + 1);
			break;
		}
		case '{': case '[': case '(':
			depth++;
			break;
		case '}': case ']': case ')':
			if (--depth == 0)
				return str_slice(s, 0, i + 1);
			break;
		}
	}
	return s;
}

struct gjson_iter
gjson_iter(const struct gjson *v)
{
	struct gjson_iter it = { .of = v, .json = v->raw, .base = v->at };
	if (!gjson_exists(v))
		it.json.n = 0;
	else if (v->kind != GJSON_JSON)
		it.single = true;
	while (it.i < it.json.n && (unsigned char)it.json.p[it.i] <= ' ')
		it.i++;
	it.object = it.i < it.json.n && it.json.p[it.i] == '{';
	it.i++;
	return it;
}

bool
gjson_next(struct gjson_run *run, struct gjson_iter *it)
{
	if (it->single) {
		it->single = false;
		it->json.n = 0;
		it->key = (struct gjson){ 0 };
		it->value = *it->of;
		return true;
	}
	if (run->limited)
		return false;
	if (it->object) {
		while (it->i < it->json.n && it->json.p[it->i] != '"')
			it->i++;
		it->key = (struct gjson){ 0 };
		if (it->i >= it->json.n || !read_string(it->json, &it->i, &it->key))
			return false;
		decode_text(run, &it->key);
	}
	if (it->i >= it->json.n || !gjson_value(run, it->json, &it->i, &it->value))
		return false;
	if (it->of->places)
		it->value.at = it->n < it->of->places_n ? it->of->places[it->n] : 0;
	else
		it->value.at += it->base;
	it->n++;
	return true;
}

/* ---- steps of a path ----------------------------------------------------------------------------------------- */

struct step {
	str part;    /* the key, pattern or index; unescaped */
	str path;    /* the steps behind it */
	str pipe;    /* or: what is looked up in the answer */
	bool more, piped, wild;
	/* arrays only */
	bool hash;   /* the step has a '#' */
	bool each;   /* "#.key": the key of every element */
	str each_key;
	bool query, all; /* "#(...)", "#(...)#" */
	str query_path, op, want;
};

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
end_step(struct step *s, str path, size_t i, bool may_pipe)
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

static struct step
object_step(struct gjson_run *run, str path)
{
	struct step s = { .part = path };
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
query_step(struct gjson_run *run, str path, struct step *s)
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

static struct step
array_step(struct gjson_run *run, str path)
{
	struct step s = { .part = path };
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
static bool
split_pipe(str path, str *left, str *right)
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

/* ---- queries ------------------------------------------------------------------------------------------------- */

static bool
parses_as(const struct gjson *v, bool want)
{
	bool b;
	struct buf lower CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < v->text.n && i < 8; i++)
		buf_addc(&lower, (char)(v->text.p[i] >= 'A' && v->text.p[i] <= 'Z' ? v->text.p[i] | 0x20 : v->text.p[i]));
	return go_parse_bool(buf_str(&lower), &b) && b == want;
}

/* "~true" and its kin: what a value is worth as a truth value. */
static bool
is_ish(const struct gjson *v, str word, bool *known)
{
	*known = true;
	if (str_eq(word, S("*")))
		return gjson_exists(v);
	if (str_eq(word, S("null")))
		return v->kind == GJSON_NULL;
	bool want = str_eq(word, S("true"));
	if (!want && !str_eq(word, S("false"))) {
		*known = false;
		return false;
	}
	switch (v->kind) {
	case GJSON_STR: return parses_as(v, want);
	case GJSON_NUM: return (v->num != 0) == want;
	case GJSON_TRUE: return want;
	case GJSON_FALSE: case GJSON_NULL: return !want;
	default: return false;
	}
}

/* <0, 0, >0 against an operator */
static bool
ordered(int cmp, str op)
{
	bool eq = op.p[op.n - 1] == '=';
	switch (op.p[0]) {
	case '=': return cmp == 0;
	case '!': return cmp != 0;
	case '<': return cmp < 0 || (eq && cmp == 0);
	case '>': return cmp > 0 || (eq && cmp == 0);
	default: return false;
	}
}

static bool
query_holds(struct gjson_run *run, const struct step *s, const struct gjson *got)
{
	struct gjson v = *got;
	str want = s->want;
	if (want.n && want.p[0] == '~') {
		bool known, ish = is_ish(&v, str_slice(want, 1, want.n), &known);
		if (!known)
			return false;
		want = S("true");
		v = (struct gjson){ .kind = ish ? GJSON_TRUE : GJSON_FALSE };
	}
	if (!gjson_exists(&v))
		return false;
	if (!s->op.n)
		return true;
	bool glob = s->op.p[s->op.n - 1] == '%', negated = s->op.p[0] == '!';
	switch (v.kind) {
	case GJSON_STR:
		if (glob)
			return spend(run, v.text.n) && match_glob(v.text, want) != negated;
		return ordered(str_cmp(v.text, want), s->op);
	case GJSON_NUM: {
		double w;
		(void)go_parse_float(want, &w);
		if (glob)
			return false;
		return ordered(v.num < w ? -1 : v.num > w, s->op);
	}
	case GJSON_TRUE:
	case GJSON_FALSE: {
		/* the order is false < true; a word that is neither is unlike both */
		bool is = v.kind == GJSON_TRUE, same = str_eq(want, is ? S("true") : S("false"));
		bool other = str_eq(want, is ? S("false") : S("true"));
		if (glob)
			return false;
		switch (s->op.p[0]) {
		case '=': return same;
		case '!': return !same;
		case '>': return is && (s->op.n == 2 || other);
		default: return !is && (s->op.n == 2 || other);
		}
	}
	default:
		return false;
	}
}

/* ---- walking -------------------------------------------------------------------------------------------------- */

struct walk {
	struct gjson_run *run;
	str json;
	struct gjson value;
	str pipe;
	bool piped;
};

static bool in_object(struct walk *w, size_t *i, str path);
static bool in_array(struct walk *w, size_t *i, str path);

/* A member that the step names: takes it, or goes down into it. True: the answer is in w->value. */
static bool
visit(struct walk *w, size_t *i, enum starts sort, const struct step *s, bool *broken)
{
	bool down = s->more && (sort == OBJECT || sort == ARRAY);
	if (down) {
		++*i;
		return sort == OBJECT ? in_object(w, i, s->path) : in_array(w, i, s->path);
	}
	struct gjson v;
	*broken = !read_value(w->json, i, sort, &v);
	if (*broken || s->more)
		return false;
	w->value = taken(w->run, v);
	return true;
}

static bool
key_matches(struct gjson_run *run, const struct step *s, str key, bool escaped)
{
	if (escaped)
		key = gjson_decode(run->a, key);
	return s->wild ? spend(run, key.n) && match_glob(key, s->part) : str_eq(key, s->part);
}

/* From behind the '{' at *i. True: found; *i is then behind the value, else behind the object. */
static bool
in_object(struct walk *w, size_t *i, str path)
{
	if (!gjson_enter(w->run, path.n))
		return false;
	struct step s = object_step(w->run, path);
	if (s.piped) {
		w->pipe = s.pipe;
		w->piped = true;
	}
	str json = w->json;
	bool found = false, broken = false;
	while (*i < json.n && !found && !broken && !w->run->limited) {
		while (*i < json.n && json.p[*i] != '"' && json.p[*i] != '}')
			++*i;
		if (*i >= json.n || json.p[(*i)++] == '}')
			break;
		bool escaped;
		size_t end = jsonskip_string(json.p, *i, json.n, &escaped);
		if (end >= json.n) {
			*i = json.n;
			break;
		}
		str key = { json.p + *i, end - *i };
		*i = end + 1;
		bool hit = key_matches(w->run, &s, key, escaped);
		enum starts sort = NOTHING;
		while (*i < json.n && ((sort = starts_at(json, *i)) == NOTHING || sort == END_ARRAY))
			++*i;
		if (*i >= json.n)
			break;
		if (hit) {
			found = visit(w, i, sort, &s, &broken);
		} else if (sort == OBJECT || sort == ARRAY) {
			*i = jsonskip_container(json.p, *i, json.n);
		} else {
			struct gjson skipped;
			broken = !read_value(json, i, sort, &skipped);
		}
	}
	w->run->depth--;
	return found;
}

/* What an array collects for "#.key" and "#(...)#". */
struct collected {
	struct buf json;
	VEC(size_t) places;
};

static void
collect(struct gjson_run *run, struct collected *c, const struct gjson *v)
{
	str raw = v->raw.n ? v->raw : gjson_string(run->a, v);
	if (!raw.n || !spend(run, raw.n))
		return;
	buf_addc(&c->json, c->json.n ? ',' : '[');
	buf_add(&c->json, raw);
	*VEC_PUSH(&c->places) = v->at;
}

static struct gjson
collected_list(struct gjson_run *run, struct collected *c)
{
	if (!c->json.n)
		buf_addc(&c->json, '[');
	buf_addc(&c->json, ']');
	struct gjson v = { .kind = GJSON_JSON, .places_n = c->places.n };
	v.places = ARENA_ARRAY(run->a, size_t, c->places.n + 1); /* never NULL, so that no match is not "the whole" */
	if (c->places.n)
		memcpy(v.places, c->places.p, c->places.n * sizeof *v.places);
	VEC_FREE(&c->places);
	v.raw = gjson_take(run, &c->json);
	return v;
}

/* One element under a query. True: this one is the answer ("#(...)" without the second '#'). */
static bool
ask(struct walk *w, struct step *s, const struct gjson *element, struct collected *c)
{
	struct gjson got = *element;
	if (element->kind == GJSON_JSON)
		got = gjson_below(w->run, element, s->query_path);
	else if (s->query_path.n)
		return false;
	if (!query_holds(w->run, s, &got))
		return false;
	struct gjson answer = *element;
	if (s->more) {
		str left, right;
		if (split_pipe(s->path, &left, &right)) {
			s->path = left;
			w->pipe = right;
			w->piped = true;
		}
		answer = gjson_below(w->run, element, s->path);
	}
	if (!s->all) {
		w->value = answer;
		return true;
	}
	collect(w->run, c, &answer);
	return false;
}

static struct gjson
count_value(struct gjson_run *run, size_t n)
{
	return (struct gjson){ .kind = GJSON_NUM, .num = (double)n, .raw = arena_fmt(run->a, "%zu", n) };
}

/* "#.key" at the end of the array: the key of every element. */
static struct gjson
each_value(struct walk *w, struct step *s, struct gjson *elements, size_t n)
{
	str left, right;
	if (split_pipe(s->each_key, &left, &right)) {
		s->each_key = left;
		w->pipe = right;
		w->piped = true;
	}
	struct collected c = { 0 };
	for (size_t k = 0; k < n && !w->run->limited; k++) {
		struct gjson got = gjson_below(w->run, &elements[k], s->each_key);
		if (gjson_exists(&got))
			collect(w->run, &c, &got);
	}
	return collected_list(w->run, &c);
}

/* What a list says at its end, when no element was the answer. True: that is the answer. */
static bool
at_array_end(struct walk *w, struct step *s, size_t n, struct gjson *elements, struct collected *c)
{
	if (s->hash && str_eq(s->part, S("#"))) {
		w->value = s->each ? each_value(w, s, elements, n) : count_value(w->run, n);
		return true;
	}
	if (s->query && s->all && !gjson_exists(&w->value))
		w->value = collected_list(w->run, c);
	return false;
}

/* From behind the '[' at *i. */
static bool
in_array(struct walk *w, size_t *i, str path)
{
	if (!gjson_enter(w->run, path.n))
		return false;
	struct step s = array_step(w->run, path);
	int64_t index = -1;
	if (!s.hash && s.part.n && s.part.n < 18 && s.part.p[0] >= '0' && s.part.p[0] <= '9')
		(void)str_to_i64(s.part, &index); /* not a number: matches no index */
	if (s.piped) {
		w->pipe = s.pipe;
		w->piped = true;
	}
	str json = w->json;
	struct collected c = { 0 };
	VEC(struct gjson) elements = { 0 };
	bool found = false, broken = false;
	size_t n = 0;
	while (!found && !broken && !w->run->limited) {
		enum starts sort = END_ARRAY; /* the end of the text closes it too */
		while (*i < json.n && (sort = starts_at(json, *i)) == NOTHING)
			++*i;
		if (*i >= json.n)
			sort = END_ARRAY;
		if (sort == END_ARRAY) {
			++*i;
			found = at_array_end(w, &s, n, elements.p, &c);
			break;
		}
		if (!s.hash && (int64_t)n++ == index) {
			found = visit(w, i, sort, &s, &broken);
			continue;
		}
		struct gjson v;
		broken = !read_value(json, i, sort, &v);
		n += s.hash;
		if (broken || !s.hash)
			continue;
		if (s.each) {
			v.at = v.kind == GJSON_JSON ? v.at : 0; /* gjson does not say where a scalar of "#." was */
			*VEC_PUSH(&elements) = v;
		} else if (s.query) {
			v = taken(w->run, v);
			found = ask(w, &s, &v, &c);
		}
	}
	buf_free(&c.json);
	VEC_FREE(&c.places);
	VEC_FREE(&elements);
	w->run->depth--;
	return found;
}

/* ---- the path as a whole ------------------------------------------------------------------------------------- */

/* "!true", "![1,2]": a value of the path's own. False: no such. */
static bool
literal(str path, str *value, str *rest)
{
	static const char *const words[] = { "true", "false", "null", "nan", "inf" };
	str name = str_slice(path, 1, path.n);
	if (name.n && strchr("{[\"+-0123456789", name.p[0]) && name.p[0]) {
		/* numbers and strings run to the end of the path, as in gjson, which looks for a closing bracket */
		size_t n = name.p[0] == '{' || name.p[0] == '[' ? gjson_squash(name).n : name.n;
		*value = str_slice(name, 0, n);
		*rest = str_slice(name, n, name.n);
		return true;
	}
	size_t i = 0;
	while (i < name.n && name.p[i] != '|' && name.p[i] != '.')
		i++;
	*rest = str_slice(name, i, name.n);
	name = str_slice(name, 0, i);
	for (size_t k = 0; k < ARRAY_LEN(words); k++) {
		if (name.n == strlen(words[k]) && strncasecmp(name.p, words[k], name.n) == 0) {
			*value = name;
			return true;
		}
	}
	return false;
}

/* "@name", "@name:arg": runs it over `json`. False: no modifier of that name. */
static bool
modifier(struct gjson_run *run, str json, str path, str *value, str *rest)
{
	size_t i = 1;
	while (i < path.n && path.p[i] != ':' && path.p[i] != '|' && path.p[i] != '.')
		i++;
	gjson_modifier *fn = gjson_find_modifier(str_slice(path, 1, i));
	if (!fn)
		return false;
	bool args = i < path.n && path.p[i] == ':' && i + 1 < path.n;
	*rest = str_slice(path, i < path.n && path.p[i] == ':' ? i + 1 : i, path.n);
	str arg = STR_NONE;
	if (args && strchr("{[\"", rest->p[0])) {
		arg = gjson_squash(*rest);
	} else if (args) {
		size_t end = 0;
		for (; end < rest->n && rest->p[end] != '|'; end++)
			if (strchr("{[\"(", rest->p[end]) && rest->p[end])
				end += gjson_squash(str_slice(*rest, end, rest->n)).n - 1;
		arg = str_slice(*rest, 0, end);
	}
	*rest = str_slice(*rest, arg.n, rest->n);
	*value = gjson_enter(run, json.n) ? fn(run, json, arg) : STR_NONE;
	run->depth--;
	return true;
}

struct selector {
	str name, path;
};

/* The parts of "[a,b]" or "{\"x\":a,b}"; false if the bracket is not closed. */
static bool
selectors(str path, struct selector **out, size_t *n, str *rest)
{
	VEC(struct selector) sels = { 0 };
	size_t depth = 1, colon = 0, start = 1;
	bool in_modifier = false;
	for (size_t i = 1; i < path.n; i++) {
		bool ends = false;
		switch (path.p[i]) {
		case '\\':
			i++;
			break;
		case '@':
			in_modifier |= path.p[i - 1] == '.' || path.p[i - 1] == '|';
			break;
		case ':':
			if (!in_modifier && !colon && depth == 1)
				colon = i;
			break;
		case ',':
			ends = depth == 1;
			break;
		case '"': {
			bool escaped;
			i = jsonskip_string(path.p, i + 1, path.n, &escaped);
			break;
		}
		case '[': case '(': case '{':
			depth++;
			break;
		case ']': case ')': case '}':
			ends = --depth == 0;
			break;
		}
		if (!ends)
			continue;
		*VEC_PUSH(&sels) = (struct selector){ colon ? str_slice(path, start, colon) : STR_NONE,
			                              str_slice(path, colon ? colon + 1 : start, i) };
		colon = 0;
		in_modifier = false;
		start = i + 1;
		if (depth == 0) {
			*out = sels.p;
			*n = sels.n;
			*rest = str_slice(path, i + 1, path.n);
			return true;
		}
	}
	VEC_FREE(&sels);
	return false;
}

/* The name under which "{a.b}" puts its value: the last step if that is a plain one. */
static str
last_name(str path)
{
	str name = path;
	for (size_t i = path.n; i-- > 0;) {
		if ((path.p[i] == '|' || path.p[i] == '.') && !(i > 0 && path.p[i - 1] == '\\')) {
			name = str_slice(path, i + 1, path.n);
			break;
		}
	}
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || strchr("[]{}()#|!", name.p[i]))
			return S("_");
	return name;
}

bool json_valid(str text); /* core/val.h */

static void
add_selector_name(struct buf *b, const struct selector *s)
{
	if (s->name.n && s->name.p[0] == '"' && json_valid(s->name))
		buf_add(b, s->name);
	else
		gjson_quote(b, s->name.n ? s->name : last_name(s->path));
	buf_addc(b, ':');
}

/* "[a,b]" and "{a,b}" at the start of a path. False: not one after all. */
static bool
multipath(struct gjson_run *run, str json, str path, struct gjson *out)
{
	struct selector *sels;
	size_t n, found = 0;
	str rest;
	if (!selectors(path, &sels, &n, &rest))
		return false;
	if (rest.n && rest.p[0] != '|' && rest.p[0] != '.') {
		free(sels);
		return false;
	}
	struct buf b = { 0 };
	buf_addc(&b, path.p[0]);
	for (size_t i = 0; i < n; i++) {
		struct gjson v = gjson_lookup(run, json, sels[i].path);
		if (!gjson_exists(&v) || !spend(run, v.raw.n))
			continue;
		if (found++)
			buf_addc(&b, ',');
		if (path.p[0] == '{')
			add_selector_name(&b, &sels[i]);
		str raw = v.raw.n ? v.raw : gjson_string(run->a, &v);
		buf_add(&b, raw.n ? raw : S("null"));
	}
	free(sels);
	buf_addc(&b, (char)(path.p[0] + 2));
	*out = (struct gjson){ .kind = GJSON_JSON, .raw = gjson_take(run, &b), .computed = true };
	if (rest.n) {
		*out = gjson_below(run, out, str_slice(rest, 1, rest.n));
		out->at = 0;
	}
	return true;
}

static struct gjson
computed(struct gjson v)
{
	v.at = 0;
	v.places = NULL;
	v.places_n = 0;
	return v;
}

/* What a path may begin with instead of a key. False: none of it. */
static bool
special(struct gjson_run *run, str json, str path, struct gjson *out)
{
	str value, rest;
	bool made = false;
	switch (path.p[0]) {
	case '@': made = modifier(run, json, path, &value, &rest); break;
	case '!': made = literal(path, &value, &rest); break;
	case '[': case '{': return multipath(run, json, path, out);
	}
	if (!made)
		return false;
	if (rest.n && (rest.p[0] == '|' || rest.p[0] == '.'))
		*out = computed(gjson_lookup(run, value, str_slice(rest, 1, rest.n)));
	else
		*out = gjson_parse(run, value);
	return true;
}

struct gjson
gjson_lookup(struct gjson_run *run, str json, str path)
{
	struct walk w = { .run = run, .json = json };
	if (!gjson_enter(run, json.n))
		return w.value;
	struct gjson out;
	size_t i = 0;
	if (path.n > 1 && special(run, json, path, &out)) {
		run->depth--;
		return out;
	}
	if (str_starts(path, S(".."))) { /* JSON lines: the text is an array without brackets */
		in_array(&w, &i, str_slice(path, 2, path.n));
	} else {
		while (i < json.n && json.p[i] != '{' && json.p[i] != '[')
			i++;
		if (i < json.n && json.p[i++] == '{')
			in_object(&w, &i, path);
		else if (i <= json.n && i > 0 && json.p[i - 1] == '[')
			in_array(&w, &i, path);
	}
	if (w.piped) {
		struct gjson below = gjson_below(run, &w.value, w.pipe);
		below.at = 0;
		w.value = below;
	}
	run->depth--;
	return run->limited ? (struct gjson){ 0 } : w.value;
}

/* Where a slice of `v` lies in the text that v->at counts in; 0 for what was computed, and for what is below such a value. */
static size_t
place_of(const struct gjson *v, const char *p, size_t at)
{
	bool inside = p >= v->raw.p && p < v->raw.p + v->raw.n;
	return inside && (v->at || !v->computed) ? v->at + at : 0;
}

struct gjson
gjson_below(struct gjson_run *run, const struct gjson *v, str path)
{
	struct gjson r = gjson_lookup(run, v->raw, path);
	bool placed = v->at || !v->computed;
	for (size_t i = 0; i < r.places_n; i++)
		r.places[i] = r.places[i] && placed ? r.places[i] + v->at : 0;
	if (!r.places)
		r.at = place_of(v, r.raw.p, r.at);
	return r;
}

/* ---- outside --------------------------------------------------------------------------------------------------- */

bool
gjson_get(struct arena *a, str json, str path, struct gjson *out)
{
	struct gjson_run run = { .a = a, .work = GJSON_WORK_BASE + 16 * (json.n < SIZE_MAX / 32 ? json.n : 0) };
	*out = (struct gjson){ 0 };
	if (path.n > GJSON_PATH_MAX)
		run.limited = true;
	else
		*out = gjson_lookup(&run, json, path);
	if (run.limited || !gjson_exists(out))
		*out = (struct gjson){ .limited = run.limited };
	return gjson_exists(out);
}

str
gjson_string(struct arena *a, const struct gjson *g)
{
	switch (g->kind) {
	case GJSON_FALSE: return S("false");
	case GJSON_TRUE: return S("true");
	case GJSON_STR: return g->text;
	case GJSON_JSON: return g->raw;
	case GJSON_NULL: return S("");
	case GJSON_NUM: break;
	}
	size_t i = g->raw.n && g->raw.p[0] == '-';
	while (i < g->raw.n && g->raw.p[i] >= '0' && g->raw.p[i] <= '9')
		i++;
	if (g->raw.n && i == g->raw.n)
		return g->raw;
	struct buf b CLEANUP(free_buf) = { 0 };
	go_format_float(&b, g->num, 'f', -1);
	return arena_dup(a, buf_str(&b));
}

bool
gjson_bool(const struct gjson *g)
{
	switch (g->kind) {
	case GJSON_TRUE: return true;
	case GJSON_STR: return parses_as(g, true);
	case GJSON_NUM: return g->num != 0;
	default: return false;
	}
}

double
gjson_float(const struct gjson *g)
{
	double d = 0;
	switch (g->kind) {
	case GJSON_TRUE: return 1;
	case GJSON_NUM: return g->num;
	case GJSON_STR: (void)go_parse_float(g->text, &d); return d;
	default: return 0;
	}
}

bool
gjson_is_plain(str path)
{
	for (size_t i = 0; i < path.n; i++)
		if (strchr("*?#|@!\\[]{}()", path.p[i]) && path.p[i])
			return false;
	return path.n > 0;
}

str
gjson_escape(struct arena *a, str key)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < key.n; i++) {
		if ((unsigned char)key.p[i] > ' ' && strchr(".*?#|@!\\[]{}()\"<>=%~,:", key.p[i]) && key.p[i])
			buf_addc(&b, '\\');
		buf_addc(&b, key.p[i]);
	}
	return arena_dup(a, buf_str(&b));
}
