/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field_scalar: what a single text, number, boolean or duration of a manifest means to the row that asks for it, and
 * what to write where it means nothing.
 */
#include <math.h>
#include <strings.h>

#include "core/field_kinds.h"

str
field_format_float(struct arena *a, double f)
{
	char text[64];
	int precision = 1;
	for (; precision < 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision - 1, f);
		if (strtod(text, NULL) == f)
			break;
	}
	snprintf(text, sizeof text, "%.*e", precision - 1, f);
	int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	int decimals = precision - 1 - exponent;
	if (decimals >= 0)
		return arena_fmt(a, "%.*f", decimals, f);
	/* printf would show digits that the shortest form doesn't have: pad that with zeros instead */
	struct buf b CLEANUP(free_buf) = { 0 };
	for (const char *p = text; *p != 'e'; p++)
		if (*p != '.')
			buf_addc(&b, *p);
	while (decimals++)
		buf_addc(&b, '0');
	return arena_dup(a, buf_str(&b));
}

/* Argo's AnyString: a number or boolean is text as Go prints it. */
str
field_any_string(struct arena *a, const struct val *v)
{
	double f;
	if (v->kind == VAL_BOOL)
		return v->b ? S("true") : S("false");
	if (v->kind == VAL_INT)
		return arena_fmt(a, "%lld", (long long)v->i);
	return val_to_double(v, &f) && isfinite(f) ? field_format_float(a, f) : STR_NONE;
}

static void
unknown_choice(struct decode *c, const struct field *f, const struct val *v)
{
	size_t n = 0;
	struct buf all CLEANUP(free_buf) = { 0 };
	for (; f->choices[n]; n++)
		if (*f->choices[n])
			buf_addf(&all, "%s%s", all.n ? ", " : "", f->choices[n]);
	struct diag *d = field_wrong(c, v, "unknown value \"%.*s\"", STR_ARG(field_excerpt(v)));
	const char *near = diag_nearest(val_text(v), f->choices, n);
	for (size_t i = 0; i < n; i++)
		if (str_eq_nocase(val_text(v), str_c(f->choices[i])))
			near = f->choices[i];
	if (near && *near)
		field_hint(c, d, "did you mean \"%s\"?", near);
	else
		field_hint(c, d, "known are: %s", buf_str(&all).p);
}

static bool
find_choice(const struct field *f, str s, int *out)
{
	for (int i = 0; f->choices[i]; i++)
		if (str_eq(s, str_c(f->choices[i]))) {
			*out = i;
			return true;
		}
	return false;
}

bool
field_decode_string(struct decode *c, const struct field *f, const struct val *v, str *out)
{
	struct val r = val_resolve(v);
	if (r.kind == VAL_STR) {
		*out = val_text(&r);
		return true;
	}
	if (f->flags & ANYSTR && r.kind != VAL_LIST && r.kind != VAL_MAP && r.kind != VAL_NULL) {
		*out = field_any_string(c->arena, &r);
		if (out->p)
			return true;
	}
	struct diag *d = field_wrong(c, v, "expected a string, not %s", val_kind_name(v));
	if (v->kind == VAL_STR || v->kind == VAL_NUM)
		field_hint(c, d, "put it in quotes: \"%.*s\"", STR_ARG(field_excerpt(v)));
	else if (v->kind == VAL_MAP && v->n == 1 && v->members[0].value.kind == VAL_MAP)
		field_hint(c, d, "put \"{{...}}\" in quotes");
	return false;
}

static void
decode_str(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	str s;
	int i;
	if (!field_decode_string(c, f, v, &s))
		return;
	if (f->choices && !find_choice(f, s, &i))
		unknown_choice(c, f, v);
	else if (f->max && s.n > (size_t)f->max)
		field_wrong(c, v, "%zu bytes long: at most %lld are allowed", s.n, (long long)f->max);
	*(str *)to = s;
}

static void
decode_enum(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	str s;
	if (field_decode_string(c, f, v, &s) && !find_choice(f, s, to))
		unknown_choice(c, f, v);
}

/*
 * YAML 1.1's further words for booleans, which Argo's reader takes; only unquoted and only where a boolean is asked
 * for.
 */
bool
field_to_bool(const struct val *v, bool *out)
{
	static const struct {
		const char *word;
		bool means;
	} words[] = {
		{ "yes", true }, { "on", true }, { "y", true }, { "no", false }, { "off", false }, { "n", false },
	};
	struct val r = val_resolve(v);
	if (r.kind == VAL_BOOL) {
		*out = r.b;
		return true;
	}
	if (v->kind != VAL_STR || !(v->flags & VAL_PLAIN))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq_nocase(val_text(v), str_c(words[i].word))) {
			*out = words[i].means;
			return true;
		}
	return false;
}

static bool
decode_boolean(struct decode *c, const struct field *f, const struct val *v, bool *out)
{
	if (field_to_bool(v, out))
		return true;
	struct diag *d = field_wrong_type(c, f, v);
	if (v->kind == VAL_STR && (str_eq(val_text(v), S("true")) || str_eq(val_text(v), S("false"))))
		field_hint(c, d, "remove the quotes");
	return false;
}

static void
decode_bool(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	(void)decode_boolean(c, f, v, to); /* a finding says what is wrong */
}

static void
decode_tri(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	bool b;
	if (decode_boolean(c, f, v, &b))
		*(tri *)to = b ? TRI_TRUE : TRI_FALSE;
}

static struct diag *
out_of_range(struct decode *c, const struct val *v, int64_t min, int64_t max)
{
	return field_wrong(c, v, "%.*s is out of range: must be between %lld and %lld", STR_ARG(field_excerpt(v)), (long long)min,
		(long long)max);
}

/* Digits that no int64_t holds. */
static bool
is_huge(const struct val *v)
{
	const struct val r = val_resolve(v);
	int64_t i;
	double d;
	return val_to_double(&r, &d) && isfinite(d) && fabs(d) > 9e18 && !val_to_i64(&r, &i);
}

static bool
decode_integer(struct decode *c, const struct field *f, const struct val *v, int64_t *out)
{
	int64_t i;
	if (is_huge(v)) {
		out_of_range(c, v, f->min || f->max ? f->min : INT64_MIN, f->max ? f->max : INT64_MAX);
		return false;
	}
	if (!val_to_i64(v, &i)) {
		struct diag *d = field_wrong_type(c, f, v);
		if (v->kind == VAL_STR && str_to_i64(val_text(v), &i))
			field_hint(c, d, "remove the quotes");
		return false;
	}
	bool below = f->min && i < f->min, above = f->max && i > f->max;
	if (!f->min && f->max && i < 0)
		below = true;
	if (below && !f->max)
		field_wrong(c, v, "%lld is too small: must be at least %lld", (long long)i, (long long)f->min);
	else if (below || above)
		field_wrong(c, v, "%lld is out of range: must be between %lld and %lld", (long long)i,
			(long long)f->min,
			(long long)f->max);
	*out = i;
	return true;
}

static void
decode_int(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	(void)decode_integer(c, f, v, to); /* a finding says what is wrong */
}

static void
decode_opt_int(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	struct opt_int *o = to;
	o->set = decode_integer(c, f, v, &o->v);
}

static void
decode_float(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	double d;
	if (val_to_double(v, &d) && isfinite(d))
		*(double *)to = d;
	else
		field_wrong_type(c, f, v);
}

static void
decode_dur(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	struct val r = val_resolve(v);
	struct err e;
	int64_t seconds;
	str text = r.kind == VAL_STR || r.kind == VAL_NUM ? val_text(&r) : STR_NONE;
	if (f->flags & GO_DURATION && text.p && str_to_i64(text, &seconds)) {
		if (seconds > INT64_MAX / NS_PER_SEC || seconds < INT64_MIN / NS_PER_SEC)
			field_wrong(c, v, "%lld seconds are too long", (long long)seconds);
		else
			((dur *)to)->ns = seconds * NS_PER_SEC;
		return;
	}
	if (text.p && dur_parse(text, to, &e) == 0)
		return;
	struct diag *d = text.p ? field_wrong(c, v, "\"%.*s\" is not a duration", STR_ARG(str_slice(text, 0, 60)))
	                        : field_wrong_type(c, f, v);
	if (r.kind == VAL_NUM && str_to_i64(text, &seconds))
		field_hint(c, d, "say the unit: \"%llds\"", (long long)seconds);
	else
		field_hint(c, d, "write it like \"30s\", \"1h30m\" or \"500ms\"");
}

static void
decode_intstr(struct decode *c, const struct field *f, const struct val *v, void *to)
{
	struct val r = val_resolve(v);
	struct intstr *out = to;
	int64_t i;
	if (r.kind == VAL_STR) {
		out->text = val_text(&r);
		out->is_int = str_to_i64(out->text, &out->v);
	} else if (is_huge(&r) || (val_to_i64(&r, &i) && (i < INT32_MIN || i > INT32_MAX))) {
		out_of_range(c, v, INT32_MIN, INT32_MAX); /* as Kubernetes has it */
	} else if (val_to_i64(&r, &i)) {
		out->text = r.kind == VAL_NUM ? val_text(&r) : arena_fmt(c->arena, "%lld", (long long)i);
		out->is_int = true;
		out->v = i;
	} else {
		field_wrong_type(c, f, v);
	}
}

field_decoder *const field_scalars[FIELD_NONE_ + 1] = {
	[FIELD_STR] = decode_str, [FIELD_BOOL] = decode_bool, [FIELD_TRI] = decode_tri, [FIELD_INT] = decode_int,
	[FIELD_OPT_INT] = decode_opt_int, [FIELD_FLOAT] = decode_float, [FIELD_DUR] = decode_dur,
	[FIELD_INTSTR] = decode_intstr, [FIELD_ENUM_] = decode_enum,
};
