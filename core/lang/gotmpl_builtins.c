/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that text/template itself has. */
#include "core/lang/sprig.h"

FN(fn_not)
{
	*out = val_bool(!go_truth(&v[0]));
	return true;
}

FN(fn_len)
{
	struct val x = go_norm(&v[0]);
	if (x.kind != VAL_STR && x.kind != VAL_LIST && x.kind != VAL_MAP)
		return go_fail(r, "error calling len: len of type %s", go_type(&x));
	*out = val_int((int64_t)x.n);
	return true;
}

/* One step of index: a key of a map, a place in a list or a string. */
static bool
index_step(struct run *r, struct val *x, const struct val *key)
{
	struct val c = go_norm(x), k = go_norm(key);
	if (c.kind == VAL_MAP) {
		if (k.kind != VAL_STR)
			return go_fail(r, "error calling index: value has type %s; should be string", go_type(&k));
		const struct val *m = val_get(&c, val_text(&k));
		*x = m ? *m : c.pad == GO_STRING_MAP ? val_str(S("")) : val_null();
		return true;
	}
	if (c.kind == VAL_NULL)
		return go_fail(r, "error calling index: index of untyped nil");
	if (c.kind != VAL_LIST && c.kind != VAL_STR)
		return go_fail(r, "error calling index: can't index item of type %s", go_type(&c));
	if (k.kind != VAL_INT)
		return go_fail(r, "error calling index: cannot index slice/array with type %s", go_type(&k));
	if (k.i < 0 || k.i >= (int64_t)c.n)
		return go_fail(r, "error calling index: index out of range: %lld", (long long)k.i);
	*x = c.kind == VAL_LIST ? c.items[k.i] : val_int((unsigned char)c.p[k.i]);
	return true;
}

FN(fn_index)
{
	*out = v[0];
	for (size_t i = 1; i < n; i++)
		if (!index_step(r, out, &v[i]))
			return false;
	return true;
}

/* ---- comparison ------------------------------------------------------------------------------------------------------- */

/* Kinds that compare with each other: int and int64 are one. */
static bool
comparable(const struct val *a, const struct val *b)
{
	return a->kind == b->kind && a->kind != VAL_LIST && a->kind != VAL_MAP && (a->pad == GO_TIME) == (b->pad == GO_TIME);
}

static int
compare(const struct val *a, const struct val *b)
{
	switch (a->kind) {
	case VAL_INT: return a->i < b->i ? -1 : a->i > b->i;
	case VAL_FLOAT: return a->f < b->f ? -1 : a->f > b->f;
	case VAL_BOOL: return (int)a->b - (int)b->b;
	case VAL_STR: {
		str x = val_text(a), y = val_text(b);
		size_t least = x.n < y.n ? x.n : y.n;
		int c = least ? memcmp(x.p, y.p, least) : 0;
		return c ? c : x.n < y.n ? -1 : x.n > y.n;
	}
	default: return 0;
	}
}

static bool
equal(struct run *r, const char *name, const struct val *a, const struct val *b, bool *out)
{
	struct val x = go_norm(a), y = go_norm(b);
	if (x.kind == VAL_NULL || y.kind == VAL_NULL) {
		*out = x.kind == y.kind;
		return true;
	}
	if (!comparable(&x, &y))
		return go_fail(r, "error calling %s: %s", name, x.kind == y.kind ? "non-comparable type" : "incompatible types for comparison");
	*out = compare(&x, &y) == 0 && !(x.kind == VAL_FLOAT && x.f != y.f);
	return true;
}

FN(fn_eq)
{
	bool same = false;
	if (n < 2)
		return go_fail(r, "error calling eq: missing argument for comparison");
	for (size_t i = 1; i < n && !same; i++)
		if (!equal(r, "eq", &v[0], &v[i], &same))
			return false;
	*out = val_bool(same);
	return true;
}

FN(fn_ne)
{
	bool same;
	if (!equal(r, "ne", &v[0], &v[1], &same))
		return false;
	*out = val_bool(!same);
	return true;
}

static bool
order(struct run *r, const char *name, const struct val *v, int *out)
{
	struct val x = go_norm(&v[0]), y = go_norm(&v[1]);
	if (!comparable(&x, &y) || x.kind == VAL_BOOL || x.kind == VAL_NULL || x.pad == GO_TIME)
		return go_fail(r, "error calling %s: %s", name, x.kind != y.kind ? "incompatible types for comparison" : "invalid type for comparison");
	*out = compare(&x, &y);
	return true;
}

#define ORDER(fn, name, test) \
	FN(fn) \
	{ \
		int c; \
		if (!order(r, name, v, &c)) \
			return false; \
		*out = val_bool(c test 0); \
		return true; \
	}
ORDER(fn_lt, "lt", <)
ORDER(fn_le, "le", <=)
ORDER(fn_gt, "gt", >)
ORDER(fn_ge, "ge", >=)

/* ---- text ---------------------------------------------------------------------------------------------------------------- */

/* fmt.Sprint puts a space between operands of which neither is a string. */
FN(fn_print)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < n; i++) {
		if (i && go_norm(&v[i]).kind != VAL_STR && go_norm(&v[i - 1]).kind != VAL_STR)
			buf_addc(&b, ' ');
		go_print(&b, &v[i]);
	}
	return go_made(r, &b, out);
}

FN(fn_println)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(&b, ' ');
		go_print(&b, &v[i]);
	}
	buf_addc(&b, '\n');
	return go_made(r, &b, out);
}

FN(fn_printf)
{
	struct buf b = { 0 };
	if (!go_printf(r, TEXT(0), v + 1, n - 1, &b)) {
		buf_free(&b);
		return false;
	}
	return go_made(r, &b, out);
}

/* All arguments as one text, as the escapers take them. */
static str
joined(struct run *r, const struct val *v, size_t n)
{
	struct val s;
	if (n == 1 && go_norm(&v[0]).kind == VAL_STR)
		return go_string(r, &v[0]);
	return fn_print(r, v, n, &s) ? val_text(&s) : STR_NONE;
}

FN(fn_html)
{
	static const char *const rows[] = { "&&amp;", "<&lt;", ">&gt;", "\"&#34;", "'&#39;" };
	struct buf b = { 0 };
	str s = joined(r, v, n);
	for (size_t i = 0; i < s.n; i++) {
		size_t k = 0;
		while (k < ARRAY_LEN(rows) && rows[k][0] != s.p[i])
			k++;
		if (k < ARRAY_LEN(rows))
			buf_add(&b, str_c(rows[k] + 1));
		else if (!s.p[i])
			buf_add(&b, S("\xef\xbf\xbd"));
		else
			buf_addc(&b, s.p[i]);
	}
	return go_made(r, &b, out);
}

FN(fn_urlquery)
{
	struct buf b = { 0 };
	str s = joined(r, v, n);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr("-_.~", c);
		if (c && plain)
			buf_addc(&b, c);
		else if (c == ' ')
			buf_addc(&b, '+');
		else
			buf_addf(&b, "%%%02X", (unsigned char)c);
	}
	return go_made(r, &b, out);
}

const struct gofn go_builtins[] = {
	{ "and", "a*" }, { "or", "a*" }, /* no function: they look at one argument after the other */
	{ "not", "a", fn_not },
	{ "eq", "a*", fn_eq }, { "ne", "aa", fn_ne }, { "lt", "aa", fn_lt }, { "le", "aa", fn_le }, { "gt", "aa", fn_gt }, { "ge", "aa", fn_ge },
	{ "len", "a", fn_len }, { "index", "aa*", fn_index },
	{ "print", "a*", fn_print }, { "println", "a*", fn_println }, { "printf", "sa*", fn_printf },
	{ "html", "a*", fn_html }, { "urlquery", "a*", fn_urlquery },
	{ "js", "a*", .why = "not served yet" }, { "call", "a*", .why = "there are no function values" },
	{ 0 },
};
