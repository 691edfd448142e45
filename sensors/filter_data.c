/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data: a path into the event's data against values (events spec 3.3). Entries are ANDed unless dataLogicalOperator says or;
 * the values of one entry are ORed, also for !=. Strings are regular expressions, found anywhere in the text.
 */
#include "core/lang/gjson.h"
#include "core/lang/gofmt.h"
#include "core/lang/gotmpl.h"
#include "core/lang/regex.h"
#include "sensors/filter.h"

enum type { TYPE_BOOL, TYPE_NUMBER, TYPE_STRING };
enum comparator { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE };

static const char *const type_names[] = { "bool", "number", "string" };
static const char *const comparator_names[] = { "=", "!=", "<", "<=", ">", ">=" };

struct wanted {
	bool b;
	double n;
	struct regex *re;
};
struct entry {
	const struct data_filter *spec;
	enum type type;
	enum comparator cmp;
	struct gotmpl *template;
	struct wanted *wanted;
	size_t n;
	size_t check;
};
struct data {
	struct entry *entries;
	size_t n;
	bool any; /* dataLogicalOperator: or */
	size_t whole; /* the check of what concerns no entry */
};

static bool
present(const struct filters *s)
{
	return s->data.n > 0;
}

/* The place of `s` in a table of names; n if it is not there. */
static size_t
place_in(const char *const *names, size_t n, str s)
{
	size_t i = 0;
	while (i < n && !str_eq(s, str_c(names[i])))
		i++;
	return i;
}

static int
compile_value(struct entry *en, str value, struct wanted *w, struct err *e)
{
	switch (en->type) {
	case TYPE_BOOL:
		return go_parse_bool(value, &w->b) ? 0 : err_set(e, ERR_INVALID, "value %.*s: true or false is expected", STR_ARG(value));
	case TYPE_NUMBER:
		return go_parse_float(value, &w->n) ? 0 : err_set(e, ERR_INVALID, "value %.*s: a number is expected", STR_ARG(value));
	default:
		return regex_compile(value, &w->re, e);
	}
}

/* What the entry wants: every event that it stops has it in its reason, so it is put together once. */
static str
wanted_list(struct arena *a, const struct entry *en)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	if (en->cmp != CMP_EQ && en->type != TYPE_BOOL)
		buf_addf(&b, "%s ", comparator_names[en->cmp]);
	for (size_t i = 0; i < en->n && i < 5; i++) {
		if (i)
			buf_add(&b, S(" or "));
		if (en->type == TYPE_STRING)
			trace_show(&b, en->spec->value.p[i]);
		else
			buf_add(&b, en->spec->value.p[i]);
	}
	if (en->n > 5)
		buf_addf(&b, " or %zu more", en->n - 5);
	return arena_dup(a, buf_str(&b));
}

static int
compile_entry(const struct data_filter *s, struct checks *checks, struct entry *en, struct err *e)
{
	struct arena *a = checks->arena;
	en->spec = s;
	en->type = (enum type)place_in(type_names, ARRAY_LEN(type_names), s->type);
	en->cmp = s->comparator.n ? (enum comparator)place_in(comparator_names, ARRAY_LEN(comparator_names), s->comparator) : CMP_EQ;
	if (!s->path.n)
		return err_set(e, ERR_INVALID, "the path must not be empty");
	if (en->type == ARRAY_LEN(type_names))
		return err_set(e, ERR_INVALID, "type %.*s: must be bool, number or string", STR_ARG(s->type));
	if (en->cmp == ARRAY_LEN(comparator_names))
		return err_set(e, ERR_INVALID, "comparator %.*s: must be one of = != < <= > >=", STR_ARG(s->comparator));
	if (s->template.n && gotmpl_parse(a, s->template, &en->template, e) < 0)
		return -1;
	en->wanted = ARENA_ARRAY(a, struct wanted, s->value.n);
	for (; en->n < s->value.n; en->n++)
		if (compile_value(en, s->value.p[en->n], &en->wanted[en->n], e) < 0)
			return -1;
	en->check = checks_add(checks, "data", s->path, wanted_list(a, en), "", s->src);
	return 0;
}

static void
free_data(void *compiled)
{
	struct data *d = compiled;
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->entries[i].n; k++)
			regex_free(d->entries[i].wanted[k].re);
}

static int
compile(const struct filters *s, struct checks *checks, void **out, struct err *e)
{
	struct arena *a = checks->arena;
	struct data *d = ARENA_NEW(a, struct data);
	d->any = str_eq(s->data_operator, S("or"));
	d->whole = checks_add(checks, "data", S(""), S(""), "", val_get(s->src, S("data")));
	d->entries = ARENA_ARRAY(a, struct entry, s->data.n);
	for (; d->n < s->data.n; d->n++) {
		if (compile_entry(&s->data.p[d->n], checks, &d->entries[d->n], e) == 0)
			continue;
		err_wrap(e, "%.*s", STR_ARG(s->data.p[d->n].path));
		d->n++; /* what it has so far is freed too */
		free_data(d);
		return -1;
	}
	*out = d;
	return 0;
}

static bool
compares(enum comparator c, double got, double want)
{
	switch (c) {
	case CMP_EQ: return got == want;
	case CMP_NE: return got != want;
	case CMP_LT: return got < want;
	case CMP_LE: return got <= want;
	case CMP_GT: return got > want;
	default: return got >= want;
	}
}

/* 1 holds, 0 does not, -1 error */
static int
value_holds(const struct entry *en, const struct wanted *w, const struct gjson *got, str text, struct err *e)
{
	if (en->type == TYPE_BOOL)
		return gjson_bool(got) == w->b; /* whatever the comparator, as in Argo */
	if (en->type == TYPE_NUMBER)
		return compares(en->cmp, gjson_float(got), w->n);
	if (en->cmp != CMP_EQ && en->cmp != CMP_NE)
		return 0; /* texts have no order here: never */
	int found = regex_matches(w->re, text, e);
	return found < 0 ? -1 : found == (en->cmp == CMP_EQ);
}

/* The value at the path, through the template if there is one. 0, or -1 with `e`. */
static int
look_up(const struct entry *en, struct filtered *f, struct gjson *got, str *text, struct err *e)
{
	struct arena *a = f->tmp;
	if (!gjson_get(a, f->ev->data, en->spec->path, got))
		return err_set(e, ERR_NOT_FOUND, "path %.*s does not exist in the data", STR_ARG(en->spec->path));
	*text = gjson_string(a, got);
	if (!en->template)
		return 0;
	struct val input = val_str(*text);
	str out;
	if (gotmpl_run(en->template, &input, f->ev->time, a, &out, e) < 0)
		return -1;
	if (!out.n || str_eq(out, S("<no value>")))
		return err_set(e, ERR_INVALID, "the template gave nothing");
	*got = (struct gjson){ .kind = GJSON_STR, .raw = out, .text = out };
	*text = out;
	return 0;
}

static enum verdict
entry_eval(const struct entry *en, struct filtered *f)
{
	struct gjson got;
	struct err e; /* its half a kilobyte is not cleared for each event: it counts only where something failed */
	str text = STR_NONE;
	int holds = look_up(en, f, &got, &text, &e) < 0 ? -1 : 0;
	for (size_t i = 0; holds == 0 && i < en->n; i++)
		holds = value_holds(en, &en->wanted[i], &got, text, &e);
	if (holds < 0)
		return filter_look(f, en->check, FILTER_ERROR, arena_dup(f->tmp, str_c(e.msg)));
	return filter_look(f, en->check, holds ? FILTER_PASS : FILTER_MISS, trace_shown(f->tmp, text));
}

static enum verdict
eval(const void *compiled, struct filtered *f)
{
	const struct data *d = compiled;
	enum verdict worst = FILTER_MISS;
	struct trace_look why = { d->whole, FILTER_MISS, S("") };
	if (!f->ev->data.n)
		return filter_look(f, d->whole, FILTER_PASS, S("the event has no data")); /* as in Argo */
	if (!event_is_json(f->ev))
		return filter_look(f, d->whole, FILTER_ERROR, S("the event's data is no JSON"));
	for (size_t i = 0; i < d->n; i++) {
		enum verdict v = entry_eval(&d->entries[i], f);
		if ((v == FILTER_PASS) == d->any)
			return v;
		if (v == FILTER_PASS)
			continue;
		if (i == 0 || v == FILTER_ERROR)
			why = f->why;
		worst = v == FILTER_ERROR ? v : worst;
	}
	if (!d->any)
		return FILTER_PASS;
	f->why = why;
	return worst;
}

const struct filter_ops filter_data = { .kind = "data", .present = present, .compile = compile, .eval = eval, .free = free_data };
