/* SPDX-License-Identifier: Apache-2.0 */
/*
 * semverCompare: constraints over versions as github.com/Masterminds/semver v3 has them: "^1.2", "~1.2.3 || >=2 <3,
 * !=2.5", "1.2 - 1.4", "1.x". A pre-release fits only a constraint that names one.
 */
#include <ctype.h>

#include "core/lang/sprig.h"

struct version {
	uint64_t part[3];
	str pre;
};
struct constraint {
	str op;
	struct version v;
	bool dirty, minor_open, patch_open; /* parts that are x or left out */
};

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static bool
take(str *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	*s = str_slice(*s, 1, s->n);
	return true;
}

/* A number without a zero before it; at most 19 digits. */
static bool
read_number(str *s, uint64_t *out)
{
	size_t n = 0;
	*out = 0;
	for (; n < s->n && n < 19 && isdigit((unsigned char)s->p[n]); n++)
		*out = *out * 10 + (uint64_t)(s->p[n] - '0');
	bool good = n > 0 && (n == 1 || s->p[0] != '0') && !(n < s->n && isdigit((unsigned char)s->p[n]));
	*s = str_slice(*s, n, s->n);
	return good;
}

/* Dotted words of letters, digits and '-'; STR_NONE if one is empty. */
static str
read_words(str *s)
{
	size_t n = 0;
	while (n < s->n && (isalnum((unsigned char)s->p[n]) || s->p[n] == '-' || s->p[n] == '.'))
		n++;
	str words = str_slice(*s, 0, n);
	*s = str_slice(*s, n, s->n);
	bool empty = !n || words.p[0] == '.' || words.p[n - 1] == '.' || str_find(words, S(".."), 0) != SIZE_MAX;
	return empty ? STR_NONE : words;
}

static bool
is_number(str word)
{
	for (size_t i = 0; i < word.n; i++)
		if (!isdigit((unsigned char)word.p[i]))
			return false;
	return word.n > 0;
}

/* "-pre+build" at the front. */
static bool
read_tail(str *s, struct version *out)
{
	out->pre = S("");
	if (take(s, '-') && !(out->pre = read_words(s)).p)
		return false;
	for (str rest = out->pre; rest.n;) {
		str word = str_cut(&rest, '.');
		if (is_number(word) && word.n > 1 && word.p[0] == '0')
			return false;
	}
	return !take(s, '+') || read_words(s).p;
}

static bool
read_version(str s, struct version *out)
{
	*out = (struct version){ 0 };
	(void)take(&s, 'v');
	for (int i = 0; i < 3; i++)
		if ((i == 0 || take(&s, '.')) && !read_number(&s, &out->part[i]))
			return false;
	return read_tail(&s, out) && !s.n;
}

/* x, X, * or a number; *open if it is no number or not there. */
static bool
read_part(str *s, bool first, uint64_t *out, bool *open)
{
	*out = 0;
	*open = true;
	if (!first && !take(s, '.'))
		return true;
	if (take(s, 'x') || take(s, 'X') || take(s, '*'))
		return true;
	*open = false;
	return read_number(s, out);
}

static void
skip_space(str *s)
{
	while (s->n && isspace((unsigned char)s->p[0]))
		*s = str_slice(*s, 1, s->n);
}

static bool
read_constraint(str *s, struct constraint *out)
{
	static const char *const ops[] = { "!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~", "^", "" };
	bool open[3];
	*out = (struct constraint){ 0 };
	skip_space(s);
	for (size_t i = 0; i < ARRAY_LEN(ops) && !out->op.p; i++)
		if (str_starts(*s, str_c(ops[i])))
			out->op = str_c(ops[i]);
	*s = str_slice(*s, out->op.n, s->n);
	skip_space(s);
	(void)take(s, 'v');
	for (int i = 0; i < 3; i++)
		if (!read_part(s, i == 0, &out->v.part[i], &open[i]))
			return false;
	out->dirty = open[0] || open[1] || open[2];
	out->minor_open = !open[0] && open[1];
	out->patch_open = !open[0] && !open[1] && open[2];
	for (int i = 1; i < 3; i++) /* behind an open part nothing counts */
		if (open[i - 1]) {
			open[i] = true;
			out->v.part[i] = 0;
		}
	return read_tail(s, &out->v);
}

/* ---- comparing -------------------------------------------------------------------------------------------------- */

static int
compare_words(str a, str b)
{
	bool an = is_number(a), bn = is_number(b);
	if (an && bn && a.n != b.n)
		return a.n < b.n ? -1 : 1;
	if (an != bn)
		return an ? -1 : 1;
	return str_cmp(a, b);
}

static int
compare_pre(str a, str b)
{
	if (!a.n || !b.n)
		return !a.n - !b.n;
	while (a.n && b.n) {
		str x = str_cut(&a, '.'), y = str_cut(&b, '.');
		int c = compare_words(x, y);
		if (c)
			return c;
	}
	return (a.n > 0) - (b.n > 0);
}

static int
compare(const struct version *a, const struct version *b)
{
	for (int i = 0; i < 3; i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	return compare_pre(a->pre, b->pre);
}

static bool
is_op(const struct constraint *c, const char *a, const char *b)
{
	return str_eq(c->op, str_c(a)) || str_eq(c->op, str_c(b));
}

static bool
differs(const struct version *v, const struct constraint *c)
{
	if (!c->dirty)
		return compare(v, &c->v) != 0;
	if (c->v.part[0] != v->part[0])
		return true;
	if (c->minor_open)
		return false;
	if (c->v.part[1] != v->part[1])
		return true;
	return c->patch_open ? (v->pre.n || c->v.pre.n) && compare_pre(v->pre, c->v.pre) != 0 : compare(v, &c->v) != 0;
}

static bool
is_greater(const struct version *v, const struct constraint *c)
{
	if (!c->dirty || (v->part[0] == c->v.part[0] && !c->minor_open && !c->patch_open))
		return compare(v, &c->v) > 0;
	if (v->part[0] != c->v.part[0])
		return v->part[0] > c->v.part[0];
	return !c->minor_open && v->part[1] > c->v.part[1];
}

static bool
is_at_most(const struct version *v, const struct constraint *c)
{
	if (!c->dirty)
		return compare(v, &c->v) <= 0;
	if (v->part[0] > c->v.part[0])
		return false;
	return v->part[0] != c->v.part[0] || v->part[1] <= c->v.part[1] || c->minor_open;
}

static bool
fits_tilde(const struct version *v, const struct constraint *c)
{
	if (compare(v, &c->v) < 0)
		return false;
	if (!c->v.part[0] && !c->v.part[1] && !c->v.part[2] && !c->minor_open && !c->patch_open)
		return true;
	return v->part[0] == c->v.part[0] && (v->part[1] == c->v.part[1] || c->minor_open);
}

static bool
fits_caret(const struct version *v, const struct constraint *c)
{
	if (compare(v, &c->v) < 0 || v->part[0] != c->v.part[0])
		return false;
	if (c->v.part[0] || c->minor_open)
		return true;
	if (v->part[1] != c->v.part[1])
		return false;
	return c->v.part[1] || c->patch_open || v->part[2] == c->v.part[2];
}

static bool
fits(const struct version *v, const struct constraint *c)
{
	bool release_only = v->pre.n && !c->v.pre.n;
	if (is_op(c, "!=", "!="))
		return !(c->dirty && release_only) && differs(v, c);
	if (release_only)
		return false;
	if (is_op(c, ">", ">"))
		return is_greater(v, c);
	if (is_op(c, "<", "<"))
		return compare(v, &c->v) < 0;
	if (is_op(c, ">=", "=>"))
		return compare(v, &c->v) >= 0;
	if (is_op(c, "<=", "=<"))
		return is_at_most(v, c);
	if (is_op(c, "^", "^"))
		return fits_caret(v, c);
	return is_op(c, "~", "~>") || c->dirty ? fits_tilde(v, c) : compare(v, &c->v) == 0;
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

/* Constraints between "||", which all must hold. */
static bool
read_all(str s, const struct version *v, bool *holds)
{
	struct constraint c, to;
	*holds = true;
	do {
		if (!read_constraint(&s, &c))
			return false;
		str behind = s;
		skip_space(&behind);
		if (behind.p != s.p && !c.op.n && take(&behind, '-') && behind.n &&
			isspace((unsigned char)behind.p[0])) { /* "1.2 - 1.4" */
			if (!read_constraint(&behind, &to) || to.op.n)
				return false;
			c.op = S(">=");
			to.op = S("<=");
			*holds &= fits(v, &to);
			s = behind;
		}
		*holds &= fits(v, &c);
		bool space = s.n && isspace((unsigned char)s.p[0]);
		skip_space(&s);
		bool comma = take(&s, ',');
		if (s.n && !space && !comma)
			return false;
		if (comma && !s.n)
			return false;
	} while (s.n);
	return true;
}

FN(fn_semver_compare)
{
	struct version version;
	str rest = TEXT(0);
	bool any = false, good = read_version(TEXT(1), &version);
	if (!good)
		return go_fail(r, "error calling semverCompare: invalid semantic version");
	for (bool more = true; more && good;) {
		size_t at = str_find(rest, S("||"), 0);
		bool holds = false;
		more = at != SIZE_MAX;
		good = read_all(more ? str_slice(rest, 0, at) : rest, &version, &holds);
		any |= holds;
		rest = more ? str_slice(rest, at + 2, rest.n) : rest;
	}
	*out = val_bool(any);
	return good ? true
		    : go_fail(r, "error calling semverCompare: improper constraint: %.*s",
			      STR_ARG(str_slice(TEXT(0), 0, 100)));
}

const struct gofn sprig_semver[] = { { "semverCompare", "ss", fn_semver_compare }, { 0 } };
