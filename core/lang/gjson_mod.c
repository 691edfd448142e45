/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modifiers of gjson paths: functions from JSON text to JSON text, a row each. What they produce is charged to the
 * look-up's work budget, so that "@this|[@this,@this]|..." ends.
 */
#include "core/lang/gjson_impl.h"
#include "core/lang/gofmt.h"
#include "core/lang/jsonskip.h"
#include "core/map.h"
#include "core/val.h"

/* As gjson.AppendJSONString: like Go's encoder, with <, > and & escaped. */
void
gjson_quote(struct buf *b, str s)
{
	static const char named[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	buf_addc(b, '"');
	for (size_t i = 0, width; i < s.n; i += width) {
		uint32_t r = go_rune(s, i, &width);
		const char *p = named;
		while (*p && (uint32_t)*p != r)
			p += 2;
		if (*p)
			buf_addf(b, "\\%c", p[1]);
		else if (r < ' ' || r == '<' || r == '>' || r == '&' || r == 0x2028 || r == 0x2029)
			buf_addf(b, "\\u%04x", r);
		else if (r == 0xfffd && width == 1)
			go_add_rune(b, r);
		else
			buf_add(b, str_slice(s, i, i + width));
	}
	buf_addc(b, '"');
}

/* A boolean member of a modifier's argument, {"deep":true}. */
static bool
flag(struct gjson_run *run, str arg, const char *name)
{
	struct gjson args = gjson_parse(run, arg);
	bool on = false;
	for (struct gjson_iter it = gjson_iter(&args); gjson_next(run, &it);)
		if (str_eq(gjson_string(run->a, &it.key), str_c(name)))
			on = gjson_bool(&it.value);
	return on;
}

static void
add_item(struct buf *b, size_t n, str item)
{
	if (n)
		buf_addc(b, ',');
	buf_add(b, item);
}

static str
mod_this(struct gjson_run *run UNUSED, str json, str arg UNUSED)
{
	return json;
}

static str
mod_ugly(struct gjson_run *run, str json, str arg UNUSED)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < json.n; i++) {
		if ((unsigned char)json.p[i] <= ' ')
			continue;
		size_t end = i;
		bool escaped;
		if (json.p[i] == '"')
			end = jsonskip_string(json.p, i + 1, json.n, &escaped);
		buf_add(&b, str_slice(json, i, end + 1));
		i = end;
	}
	return gjson_take(run, &b);
}

static str
mod_valid(struct gjson_run *run UNUSED, str json, str arg UNUSED)
{
	return json_valid(json) ? json : STR_NONE;
}

static str
mod_fromstr(struct gjson_run *run, str json, str arg UNUSED)
{
	if (!json_valid(json))
		return STR_NONE;
	struct gjson v = gjson_parse(run, json);
	return gjson_string(run->a, &v);
}

static str
mod_tostr(struct gjson_run *run, str json, str arg UNUSED)
{
	struct buf b = { 0 };
	gjson_quote(&b, json);
	return gjson_take(run, &b);
}

struct pair {
	str key, value;
};

static str
mod_reverse(struct gjson_run *run, str json, str arg UNUSED)
{
	struct gjson v = gjson_parse(run, json);
	if (v.kind != GJSON_JSON)
		return json;
	VEC(struct pair) pairs = { 0 };
	struct gjson_iter it = gjson_iter(&v);
	while (gjson_next(run, &it))
		*VEC_PUSH(&pairs) = (struct pair){ it.object ? it.key.raw : STR_NONE, it.value.raw };
	struct buf b = { 0 };
	buf_addc(&b, v.raw.p[0]);
	for (size_t i = pairs.n; i-- > 0;) {
		add_item(&b, pairs.n - 1 - i, pairs.p[i].key);
		if (pairs.p[i].key.p)
			buf_addc(&b, ':');
		buf_add(&b, pairs.p[i].value);
	}
	buf_addc(&b, v.raw.p[0] == '{' ? '}' : ']');
	VEC_FREE(&pairs);
	return gjson_take(run, &b);
}

/* The inside of a container's brackets, trimmed. */
static str
unwrap(str s)
{
	s = str_trim(s);
	if (s.n >= 2 && (s.p[0] == '[' || s.p[0] == '{'))
		s = str_slice(s, 1, s.n - 1);
	return s;
}

static str
flatten(struct gjson_run *run, str json, bool deep)
{
	struct gjson v = gjson_parse(run, json);
	if (!gjson_is(&v, '[') || !gjson_enter(run, json.n))
		return json;
	struct buf b = { 0 };
	size_t n = 0;
	buf_addc(&b, '[');
	for (struct gjson_iter it = gjson_iter(&v); gjson_next(run, &it);) {
		str raw = it.value.raw;
		if (gjson_is(&it.value, '['))
			raw = unwrap(deep ? flatten(run, raw, true) : raw);
		raw = str_trim(raw);
		if (raw.n)
			add_item(&b, n++, raw);
	}
	buf_addc(&b, ']');
	run->depth--;
	return gjson_take(run, &b);
}

static str
mod_flatten(struct gjson_run *run, str json, str arg)
{
	return flatten(run, json, arg.n && flag(run, arg, "deep"));
}

static str
mod_keys(struct gjson_run *run, str json, str arg UNUSED)
{
	struct gjson v = gjson_parse(run, json);
	struct buf b = { 0 };
	size_t n = 0;
	buf_addc(&b, '[');
	for (struct gjson_iter it = gjson_iter(&v); gjson_next(run, &it);)
		add_item(&b, n++, gjson_is(&v, '{') ? it.key.raw : S("null"));
	buf_addc(&b, ']');
	return gjson_take(run, &b);
}

static str
mod_values(struct gjson_run *run, str json, str arg UNUSED)
{
	struct gjson v = gjson_parse(run, json);
	if (gjson_is(&v, '['))
		return json;
	struct buf b = { 0 };
	size_t n = 0;
	buf_addc(&b, '[');
	for (struct gjson_iter it = gjson_iter(&v); gjson_next(run, &it);)
		add_item(&b, n++, it.value.raw);
	buf_addc(&b, ']');
	return gjson_take(run, &b);
}

/* Members of all objects of the list; the last value of a key wins, at the place of the first. */
static void
join_members(struct gjson_run *run, const struct gjson *list, struct buf *b)
{
	struct map index = { 0 };
	VEC(struct pair) pairs = { 0 };
	for (struct gjson_iter it = gjson_iter(list); gjson_next(run, &it);) {
		if (!gjson_is(&it.value, '{'))
			continue;
		for (struct gjson_iter in = gjson_iter(&it.value); gjson_next(run, &in);) {
			size_t at = (size_t)(uintptr_t)map_get(&index, in.key.text);
			if (!at) {
				*VEC_PUSH(&pairs) = (struct pair){ in.key.raw, STR_NONE };
				at = pairs.n;
				map_put(&index, in.key.text, (void *)(uintptr_t)at);
			}
			pairs.p[at - 1].value = in.value.raw;
		}
	}
	for (size_t i = 0; i < pairs.n; i++) {
		add_item(b, i, pairs.p[i].key);
		buf_addc(b, ':');
		buf_add(b, pairs.p[i].value);
	}
	map_free(&index);
	VEC_FREE(&pairs);
}

static str
mod_join(struct gjson_run *run, str json, str arg)
{
	struct gjson v = gjson_parse(run, json);
	if (!gjson_is(&v, '['))
		return json;
	struct buf b = { 0 };
	size_t n = 0;
	buf_addc(&b, '{');
	if (arg.n && flag(run, arg, "preserve")) {
		for (struct gjson_iter it = gjson_iter(&v); gjson_next(run, &it);)
			if (gjson_is(&it.value, '{'))
				add_item(&b, n++, unwrap(it.value.raw));
	} else {
		join_members(run, &v, &b);
	}
	buf_addc(&b, '}');
	return gjson_take(run, &b);
}

/* {"a":[1,2],"b":[3]} -> [{"a":1,"b":3},{"a":2}] */
static str
mod_group(struct gjson_run *run, str json, str arg UNUSED)
{
	struct gjson v = gjson_parse(run, json);
	if (!gjson_is(&v, '{'))
		return STR_NONE;
	VEC(struct buf) rows = { 0 };
	for (struct gjson_iter it = gjson_iter(&v); gjson_next(run, &it);) {
		if (!gjson_is(&it.value, '['))
			continue;
		size_t row = 0;
		for (struct gjson_iter in = gjson_iter(&it.value); gjson_next(run, &in); row++) {
			if (row == rows.n)
				(void)VEC_PUSH(&rows);
			add_item(&rows.p[row], rows.p[row].n, it.key.raw);
			buf_addc(&rows.p[row], ':');
			buf_add(&rows.p[row], in.value.raw);
		}
	}
	struct buf b = { 0 };
	buf_addc(&b, '[');
	for (size_t i = 0; i < rows.n; i++) {
		add_item(&b, i, S("{"));
		buf_add(&b, buf_str(&rows.p[i]));
		buf_addc(&b, '}');
		buf_free(&rows.p[i]);
	}
	VEC_FREE(&rows);
	buf_addc(&b, ']');
	return gjson_take(run, &b);
}

static void
dig(struct gjson_run *run, const struct gjson *v, str path, struct buf *out, size_t *n)
{
	if (!gjson_enter(run, v->raw.n))
		return;
	struct gjson hit = gjson_lookup(run, v->raw, path);
	if (gjson_exists(&hit) && gjson_enter(run, hit.raw.n)) {
		run->depth--;
		add_item(out, (*n)++, hit.raw);
	}
	if (v->kind == GJSON_JSON)
		for (struct gjson_iter it = gjson_iter(v); gjson_next(run, &it);)
			dig(run, &it.value, path, out, n);
	run->depth--;
}

static str
mod_dig(struct gjson_run *run, str json, str arg)
{
	struct gjson v = gjson_parse(run, json);
	struct buf b = { 0 };
	size_t n = 0;
	buf_addc(&b, '[');
	dig(run, &v, arg, &b, &n);
	buf_addc(&b, ']');
	return gjson_take(run, &b);
}

/* ---- @pretty --------------------------------------------------------------------------------------------------- */

/* Source: github.com/tidwall/pretty: a list goes on one line where it fits the width and holds no object. */
struct pretty {
	struct gjson_run *run;
	struct buf *b;
	str prefix, indent;
	int64_t width;
	bool sort;
	size_t line; /* offset in b at which the current line starts */
};

/* Which kinds of a JSON value sort before which. */
static int
kind_rank(const struct gjson *v)
{
	return v->kind; /* enum gjson_kind is in gjson's order, but for numbers and strings, which differ from keys anyway */
}

static int
by_key(const void *x, const void *y)
{
	const struct gjson_iter *a = x, *b = y;
	int c = str_cmp(a->key.text, b->key.text);
	if (!c)
		c = kind_rank(&a->value) - kind_rank(&b->value);
	return c ? c : str_cmp(a->value.raw, b->value.raw);
}

static bool
one_line(struct pretty *p, const struct gjson *v, struct buf *line, size_t max)
{
	if (gjson_is(v, '{') || line->n > max || !gjson_enter(p->run, 0))
		return false;
	bool fits = true;
	if (!gjson_is(v, '[')) {
		buf_add(line, v->raw);
	} else {
		size_t n = 0;
		buf_addc(line, '[');
		for (struct gjson_iter it = gjson_iter(v); fits && gjson_next(p->run, &it); n++) {
			if (n)
				buf_add(line, S(", "));
			fits = one_line(p, &it.value, line, max);
		}
		buf_addc(line, ']');
	}
	p->run->depth--;
	return fits && line->n <= max;
}

static void
new_line(struct pretty *p, size_t tabs)
{
	p->line = p->b->n;
	buf_addc(p->b, '\n');
	buf_add(p->b, p->prefix);
	for (size_t i = 0; i < tabs; i++)
		buf_add(p->b, p->indent);
}

static void
pretty(struct pretty *p, const struct gjson *v, size_t tabs)
{
	if (v->kind != GJSON_JSON) {
		buf_add(p->b, v->raw);
		return;
	}
	int64_t room = p->width - (int64_t)(p->b->n - p->line);
	if (p->width > 0 && v->raw.p[0] == '[' && room > 3) {
		struct buf line CLEANUP(free_buf) = { 0 };
		if (one_line(p, v, &line, (size_t)room)) {
			buf_add(p->b, buf_str(&line));
			return;
		}
	}
	if (!gjson_enter(p->run, v->raw.n))
		return;
	VEC(struct gjson_iter) items = { 0 };
	for (struct gjson_iter it = gjson_iter(v); gjson_next(p->run, &it);)
		*VEC_PUSH(&items) = it;
	if (p->sort && v->raw.p[0] == '{' && items.n)
		qsort(items.p, items.n, sizeof *items.p, by_key);
	buf_addc(p->b, v->raw.p[0]);
	for (size_t i = 0; i < items.n; i++) {
		if (i)
			buf_addc(p->b, ',');
		new_line(p, tabs + 1);
		if (v->raw.p[0] == '{') {
			buf_add(p->b, items.p[i].key.raw);
			buf_add(p->b, S(": "));
		}
		pretty(p, &items.p[i].value, tabs + 1);
	}
	if (items.n)
		new_line(p, tabs);
	buf_addc(p->b, v->raw.p[0] == '{' ? '}' : ']');
	VEC_FREE(&items);
	p->run->depth--;
}

/* Only white space of an option counts, so that the result stays JSON. */
static str
white(struct arena *a, str s)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < s.n; i++)
		if (strchr(" \t\r\n", s.p[i]) && s.p[i])
			buf_addc(&b, s.p[i]);
	return arena_dup(a, buf_str(&b));
}

static str
mod_pretty(struct gjson_run *run, str json, str arg)
{
	struct buf b = { 0 };
	struct pretty p = { .run = run, .b = &b, .prefix = S(""), .indent = S("  "), .width = 80 };
	struct gjson args = gjson_parse(run, arg), v = gjson_parse(run, json);
	for (struct gjson_iter it = gjson_iter(&args); gjson_next(run, &it);) {
		str key = gjson_string(run->a, &it.key), value = gjson_string(run->a, &it.value);
		if (str_eq(key, S("sortKeys")))
			p.sort = gjson_bool(&it.value);
		else if (str_eq(key, S("indent")))
			p.indent = white(run->a, value);
		else if (str_eq(key, S("prefix")))
			p.prefix = white(run->a, value);
		else if (str_eq(key, S("width")))
			p.width = (int64_t)gjson_float(&it.value);
	}
	if (v.kind == GJSON_JSON)
		v.raw = str_slice(v.raw, 0, jsonskip_container(v.raw.p, 0, v.raw.n));
	buf_add(&b, p.prefix);
	pretty(&p, &v, 0);
	if (b.n)
		buf_addc(&b, '\n');
	return gjson_take(run, &b);
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	gjson_modifier *fn;
} modifiers[] = {
	{ "dig", mod_dig },         { "flatten", mod_flatten }, { "fromstr", mod_fromstr }, { "group", mod_group },
	{ "join", mod_join },       { "keys", mod_keys },       { "pretty", mod_pretty },   { "reverse", mod_reverse },
	{ "this", mod_this },       { "tostr", mod_tostr },     { "ugly", mod_ugly },       { "valid", mod_valid },
	{ "values", mod_values },
};

gjson_modifier *
gjson_find_modifier(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(modifiers); i++)
		if (str_eq(name, str_c(modifiers[i].name)))
			return modifiers[i].fn;
	return NULL;
}
