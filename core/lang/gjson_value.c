/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values within a JSON text: finding where one starts and ends, and what it is worth as text, number and truth. Strings and
 * numbers are decoded only when somebody looks at them.
 */
#include "core/lang/gjson_impl.h"

#include "core/lang/gofmt.h"
#include "core/lang/jsonskip.h"

/* ---- budgets ------------------------------------------------------------------------------------------------- */

bool
gjson_spend(struct gjson_run *run, size_t n)
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
	if (!gjson_spend(run, n + 1))
		return false;
	run->depth++;
	return true;
}

str
gjson_take(struct gjson_run *run, struct buf *b)
{
	str s = STR_NONE;
	if (gjson_spend(run, b->n))
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

enum gjson_starts
gjson_starts(str json, size_t i)
{
	switch (json.p[i]) {
	case '"': return STARTS_STRING;
	case '{': return STARTS_OBJECT;
	case '[': return STARTS_ARRAY;
	case ']': return STARTS_END_ARRAY;
	case 't': case 'f': return STARTS_LITERAL;
	case 'n': return i + 1 < json.n && json.p[i + 1] != 'u' ? STARTS_NUMBER : STARTS_LITERAL;
	case '+': case '-': case '0' ... '9': case 'i': case 'I': case 'N': return STARTS_NUMBER;
	default: return STARTS_NOTHING;
	}
}

/* Reads the value of that sort at *i, containers whole. False: a string without end. */
bool
gjson_read(str json, size_t *i, enum gjson_starts sort, struct gjson *out)
{
	*out = (struct gjson){ 0 };
	switch (sort) {
	case STARTS_STRING:
		return read_string(json, i, out);
	case STARTS_OBJECT:
	case STARTS_ARRAY: {
		size_t start = *i;
		*i = jsonskip_container(json.p, start, json.n);
		out->kind = GJSON_JSON;
		out->raw = str_slice(json, start, *i);
		out->at = start;
		return true;
	}
	case STARTS_LITERAL:
		read_literal(json, i, out);
		return true;
	default:
		read_number(json, i, out);
		return true;
	}
}

/* A value that is an answer, or that a query looks at: now its number and text are worth computing. */
struct gjson
gjson_taken(struct gjson_run *run, struct gjson v)
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
		enum gjson_starts sort = gjson_starts(json, *i);
		if (sort == STARTS_NOTHING || sort == STARTS_END_ARRAY)
			continue;
		if (!gjson_read(json, i, sort, out))
			return false;
		*out = gjson_taken(run, *out);
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
	enum gjson_starts sort = gjson_starts(json, i);
	size_t start = i;
	if (sort == STARTS_OBJECT || sort == STARTS_ARRAY)
		return (struct gjson){ .kind = GJSON_JSON, .raw = str_slice(json, i, json.n), .at = i };
	if (sort == STARTS_NOTHING || sort == STARTS_END_ARRAY)
		return v;
	if (!gjson_read(json, &i, sort, &v)) /* no closing quote: the rest is the string */
		v = (struct gjson){ .kind = GJSON_STR, .raw = str_slice(json, start, json.n), .escaped = v.escaped,
			            .text = str_slice(json, start + 1, json.n), .at = start };
	return gjson_taken(run, v);
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

/* ---- what a value is worth ------------------------------------------------------------------------------------ */

/* Text as a truth value, whatever its case. */
bool
gjson_parses_as(const struct gjson *v, bool want)
{
	bool b;
	struct buf lower CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < v->text.n && i < 8; i++)
		buf_addc(&lower, (char)(v->text.p[i] >= 'A' && v->text.p[i] <= 'Z' ? v->text.p[i] | 0x20 : v->text.p[i]));
	return go_parse_bool(buf_str(&lower), &b) && b == want;
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
	case GJSON_STR: return gjson_parses_as(g, true);
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
