/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand: loops. withItems, withParam and withSequence give a list; every element gives a step of its own with {{item}}
 * put in, named A(0:x) (spec 2.1, 2.7; expandStep and processItem in workflow/controller, v4.1.2).
 */
#include "engine/run/run_impl.h"

#include <ctype.h>

/* ---- withSequence ---------------------------------------------------------------------------------------------- */

static uint64_t
magnitude(int64_t v)
{
	return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

/* One verb of Go's fmt for integers with its flags and width: what `format` can sensibly hold. -1: none. */
static int
put_formatted(struct buf *b, const char *at, const char *end, int64_t v)
{
	const char *p = at + 1;
	while (p < end && strchr("-+ #0", *p))
		p++;
	while (p < end && isdigit((unsigned char)*p) && p - at < 6)
		p++;
	if (p == end || !strchr("dvxXob", *p))
		return -1;
	if (*p == 'b') {
		char bits[65];
		int n = 0;
		for (uint64_t u = magnitude(v); n == 0 || u; u >>= 1)
			bits[n++] = (char)('0' + (u & 1));
		if (v < 0)
			buf_addc(b, '-');
		while (n)
			buf_addc(b, bits[--n]);
		return (int)(p - at + 1);
	}
	char format[16], text[64];
	size_t n = (size_t)(p - at);
	memcpy(format, at, n);
	bool negative = v < 0 && *p != 'd' && *p != 'v'; /* Go writes -ff where C would write the two's complement */
	snprintf(format + n, sizeof format - n, "ll%c", *p == 'v' ? 'd' : *p);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	int len = snprintf(text, sizeof text, format, (long long)(negative ? magnitude(v) : (uint64_t)v));
#pragma GCC diagnostic pop
	if (negative)
		buf_addc(b, '-');
	buf_add(b, (str){ text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1 });
	return (int)n + 1;
}

static int
sequence_text(struct run *r, str format, int64_t v, str *out, struct err *e)
{
	if (!format.n) {
		*out = run_text(r, "%lld", (long long)v);
		return 0;
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < format.n;) {
		if (format.p[i] != '%') {
			buf_addc(&b, format.p[i++]);
			continue;
		}
		if (i + 1 < format.n && format.p[i + 1] == '%') {
			buf_addc(&b, '%');
			i += 2;
			continue;
		}
		int n = put_formatted(&b, format.p + i, format.p + format.n, v);
		if (n < 0)
			return err_set(e, ERR_INVALID,
				"withSequence.format '%.*s': %% takes d, x, X, o or b here, like %%02d",
				STR_ARG(format));
		i += (size_t)n;
	}
	*out = arena_dup(r->arena, buf_str(&b));
	return 0;
}

static int
number(const struct intstr *v, const char *what, int64_t dflt, int64_t *out, struct err *e)
{
	*out = dflt;
	if (!v->text.p || str_to_i64(str_trim(v->text), out))
		return 0;
	return err_set(e, ERR_INVALID, "withSequence.%s '%.*s' is not an integer", what, STR_ARG(v->text));
}

static int
sequence(struct run *r, const struct sequence *q, struct val_list *out, struct err *e)
{
	int64_t start, end, count;
	if (number(&q->start, "start", 0, &start, e) || number(&q->end, "end", 0, &end, e) ||
		number(&q->count, "count", 0, &count, e))
		return -1;
	if (q->count.text.p) {
		if (count <= 0)
			return 0;
		if (__builtin_add_overflow(start, count - 1, &end))
			return err_set(e, ERR_LIMIT, "withSequence: start %lld and count %lld are too large",
				(long long)start, (long long)count);
	}
	if (!q->count.text.p && !q->end.text.p)
		return err_set(e, ERR_INVALID, "neither end nor count was specified in withSequence");
	/* Unsigned, as the distance of two int64 may be no int64; less one, as their number may be no uint64. */
	uint64_t last = start <= end ? (uint64_t)end - (uint64_t)start : (uint64_t)start - (uint64_t)end;
	if (last >= ITEMS_MAX)
		return err_set(e, ERR_LIMIT, "withSequence: more than %d items", ITEMS_MAX);
	for (uint64_t i = 0; i <= last; i++) {
		str text;
		if (sequence_text(r, q->format, start <= end ? start + (int64_t)i : start - (int64_t)i, &text, e))
			return -1;
		val_list_add(out, val_str(text));
	}
	return 0;
}

/* ---- the list -------------------------------------------------------------------------------------------------- */

static int
json_list(struct run *r, const char *what, str text, const struct val **out, struct err *e)
{
	struct err why;
	struct val *v = ARENA_NEW(r->arena, struct val);
	if (json_read(r->arena, text, v, &why) || v->kind != VAL_LIST)
		return err_set(e, ERR_INVALID, "%s value could not be parsed as a JSON list: %.*s", what,
			(int)(text.n < 200 ? text.n : 200), text.p);
	if (v->n > ITEMS_MAX)
		return err_set(e, ERR_LIMIT, "%s: more than %d items", what, ITEMS_MAX);
	*out = v;
	return 0;
}

static const struct step *
without_loop(struct run *r, const struct step *s)
{
	struct step *copy = ARENA_NEW(r->arena, struct step);
	*copy = *s;
	copy->src = val_unset(r->arena, s->src, S("withItems"));
	copy->src = val_unset(r->arena, copy->src, S("withParam"));
	copy->src = val_unset(r->arena, copy->src, S("withSequence"));
	copy->src = val_unset(r->arena, copy->src, S("hooks"));
	copy->with_items = NULL;
	copy->with_param = STR_NONE;
	copy->with_sequence = NULL;
	return copy;
}

int
expand_items(struct run *r, const struct step *s, bool skip, const struct val **items, const struct step **body,
	struct err *e)
{
	*body = without_loop(r, s);
	int rc;
	if (s->with_items && s->with_items->kind == VAL_LIST) {
		*items = s->with_items;
		return s->with_items->n > ITEMS_MAX ? err_set(e, ERR_LIMIT, "withItems: more than %d items", ITEMS_MAX)
						    : 0;
	}
	if (s->with_items) {
		struct val v = *s->with_items;
		rc = json_list(r, "withItems", v.kind == VAL_STR ? val_text(&v) : S(""), items, e);
	} else if (s->with_param.p) {
		rc = json_list(r, "withParam", s->with_param, items, e);
	} else {
		struct val_list list = { 0 };
		struct val *v = ARENA_NEW(r->arena, struct val);
		rc = sequence(r, s->with_sequence, &list, e);
		*v = val_list_end(&list, r->arena);
		*items = v;
	}
	return rc && skip ? 1 : rc;
}

/* ---- one element ----------------------------------------------------------------------------------------------- */

static int
by_text(const void *a, const void *b)
{
	const str *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
	return order ? order : (x->n > y->n) - (x->n < y->n);
}

static void
describe(struct run *r, const struct val *item, struct buf *b)
{
	struct buf text CLEANUP(free_buf) = { 0 };
	if (item->kind == VAL_MAP) {
		str *pairs = ARENA_ARRAY(r->tmp, str, item->n);
		for (uint32_t i = 0; i < item->n; i++)
			pairs[i] = arena_fmt(r->tmp, "%.*s:%.*s", STR_ARG(val_key(&item->members[i])),
				STR_ARG(item_text(r->tmp, &item->members[i].value)));
		qsort(pairs, item->n, sizeof *pairs, by_text);
		for (uint32_t i = 0; i < item->n; i++) {
			buf_add(&text, i ? S(",") : S(""));
			buf_add(&text, pairs[i]);
		}
	} else if (item->kind == VAL_LIST) {
		for (uint32_t i = 0; i < item->n; i++) {
			buf_addc(&text, i ? ' ' : '[');
			buf_add(&text, item_text(r->tmp, &item->items[i]));
		}
		buf_add(&text, item->n ? S("]") : S("[]"));
	} else {
		buf_add(&text, item_text(r->tmp, item));
	}
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '(' && text.p[i] != ')')
			buf_addc(b, text.p[i]);
}

/* Hooks may speak of the element too, and of their own step, which is for later: what is not known yet stays. */
static int
put_into_hooks(struct run *r, const struct step *s, struct scope *x, struct step *out, struct err *e)
{
	struct tag_scope ts = scope_tags(x);
	struct hook *hooks = ARENA_ARRAY(r->arena, struct hook, s->hooks.n);
	for (size_t i = 0; i < s->hooks.n; i++) {
		hooks[i] = s->hooks.p[i];
		str condition = hooks[i].expression;
		if (tags_in(condition) && tags_put_text(r->arena, condition, &ts, &hooks[i].expression, e))
			return -1;
		const struct val *src = hooks[i].arguments.src, *put = src ? tags_put(r->arena, src, &ts, e) : NULL;
		if (src && !put)
			return -1;
		if (put == src)
			continue;
		const struct arguments *args = arguments_decode(r, put, e);
		if (!args)
			return -1;
		hooks[i].arguments = *args;
	}
	out->hooks.p = hooks;
	return 0;
}

/* Also those of an element that is skipped: a condition may wait for just that. */
static int
give_hooks(struct run *r, const struct step *of, const struct val *item, const struct step **step, struct err *e)
{
	struct scope own = { .run = r, .item = item };
	if (!of->hooks.n)
		return 0;
	struct step *copy = ARENA_NEW(r->arena, struct step);
	*copy = **step;
	*step = copy;
	return put_into_hooks(r, of, &own, copy, e);
}

int
expand_one(struct run *r, const struct scope *siblings, const struct step *body, const struct schema *sc, size_t i,
	const struct val *item, bool skip, struct expanded *out, struct err *e)
{
	struct buf name CLEANUP(free_buf) = { 0 };
	buf_add(&name, body->name);
	buf_addf(&name, "(%zu:", i);
	describe(r, item, &name);
	buf_addc(&name, ')');
	out->name = arena_dup(r->work, buf_str(&name));
	out->step = body;
	if (skip || !(body->src->flags & VAL_TAGGED))
		return give_hooks(r, body, item, &out->step, e);
	struct scope x = *siblings;
	x.item = item;
	x.salt = out->name;
	struct tag_scope ts = scope_tags(&x);
	str when = body->when;
	bool proceed = true;
	if (tags_in(when) && tags_put_text(r->work, when, &ts, &when, e))
		return -1;
	struct err ignored;
	if (!tags_in(when) && !when_eval(when, &proceed, &ignored) && !proceed) {
		struct step *copy = ARENA_NEW(r->work, struct step);
		*copy = *body;
		copy->when = when;
		out->step = copy;
		return give_hooks(r, body, item, &out->step, e);
	}
	ts.strict = tags_strict_all;
	ts.artifacts_stay = true;
	const struct val *put = tags_put(r->work, body->src, &ts, e);
	if (!put)
		return -1;
	out->step = put == body->src ? body : step_decode(r, body, put, sc, e);
	return out->step ? give_hooks(r, body, item, &out->step, e) : -1;
}

bool
loop_in_passing(struct run *r, const struct frame *f, const struct step *body)
{
	struct err ignored;
	bool limits = r->parallelism >= 0 || f->tmpl->parallelism.set || f->tmpl->fail_fast == TRI_TRUE;
	bool fixed = !body->inline_template && !tags_in(body->tmpl) &&
		     !(body->template_ref && body->template_ref->src->flags & VAL_TAGGED);
	if (limits || !fixed || body->hooks.n || body->on_exit.n)
		return false;
	struct call c = { .library = f->def->library,
		.tmpl = body->tmpl,
		.ref = body->template_ref ? body->template_ref->src : NULL };
	const struct def *d = library_resolve(r, &c, &ignored);
	return d && !d->decoded->retry && !d->decoded->synchronization && !d->decoded->memoize &&
	       (d->decoded->type == TEMPLATE_CONTAINER || d->decoded->type == TEMPLATE_SCRIPT);
}
