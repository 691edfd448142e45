/* SPDX-License-Identifier: Apache-2.0 */
/* search: what a list asks for, read once, and held against runs in memory. Against stored ones see search_sql.c. */
#include "engine/archive.h"

static const char completed_label[] = "workflows.argoproj.io/completed";
static const char phase_label[] = "workflows.argoproj.io/phase";

static void
want(struct search *f, enum tag_kind kind, struct requirement must)
{
	*VEC_PUSH(&f->wanted) = (struct wanted){ kind, must };
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* Finished ones are all "completed=true": it is no row of theirs. */
static bool
met_by_finished(const struct requirement *q)
{
	bool listed = false;
	for (size_t i = 0; i < q->values.n; i++)
		listed |= str_eq(q->values.p[i], S("true"));
	return q->op == SELECT_EXISTS || (q->op == SELECT_IN && listed) || (q->op == SELECT_NOT_IN && !listed);
}

static int
read_labels(struct search *f, str text, struct arena *a, struct err *e)
{
	struct selector s;
	if (selector_parse_labels(a, arena_dup(a, text), &s, e))
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		f->nothing |= str_eq(s.p[i].key, str_c(completed_label)) && !met_by_finished(&s.p[i]);
		want(f, TAG_LABEL, s.p[i]);
	}
	return 0;
}

/* "spec.startedAt>2026-01-01T00:00:00Z", as Argo's page of archived workflows asks. 1 if it was such a part. */
static int
read_started(struct search *f, str part, struct err *e)
{
	static const str key = { "spec.startedAt", 14 };
	if (!str_starts(part, key) || part.n <= key.n || (part.p[key.n] != '>' && part.p[key.n] != '<'))
		return 0;
	int64_t *to = part.p[key.n] == '>' ? &f->started_after : &f->started_before;
	return time_parse_rfc3339(str_trim(str_slice(part, key.n + 1, part.n)), to, e) ? -1 : 1;
}

static int
one_value(struct search *f, const struct requirement *q, str *out, struct err *e)
{
	if (q->op != SELECT_IN || q->values.n != 1)
		return err_set(e, ERR_INVALID, "field selector: %.*s must be compared by = with one value", STR_ARG(q->key));
	f->impossible |= out->p && !str_eq(*out, q->values.p[0]);
	*out = q->values.p[0];
	return 0;
}

static int
read_field(struct search *f, const struct requirement *q, struct err *e)
{
	if (str_eq(q->key, S("metadata.name"))) {
		if (q->op == SELECT_NOT_IN && q->values.n == 1) {
			f->name = q->values.p[0];
			f->name_match = NAME_NOT_EQUALS;
			return 0;
		}
		return one_value(f, q, &f->name, e);
	}
	if (str_eq(q->key, S("metadata.namespace")))
		return one_value(f, q, &f->ns, e);
	if (str_eq(q->key, S("metadata.uid")))
		return one_value(f, q, &f->uid, e);
	if (str_eq(q->key, S("status.phase"))) {
		want(f, TAG_LABEL, (struct requirement){ str_c(phase_label), q->op, q->values });
		return 0;
	}
	return err_set(e, ERR_INVALID, "field selector: \"%.*s\" is not known; there are metadata.name, metadata.namespace, metadata.uid, "
		"status.phase and spec.startedAt", STR_ARG(q->key));
}

static int
read_fields(struct search *f, str text, struct arena *a, struct err *e)
{
	struct buf rest CLEANUP(free_buf) = { 0 };
	struct selector s;
	while (text.n) {
		str part = str_cut(&text, ',');
		int started = read_started(f, str_trim(part), e);
		if (started < 0)
			return err_wrap(e, "field selector");
		if (!started && !str_eq(str_trim(part), S("ext.showRemainingItemCount=true")))
			buf_addf(&rest, "%s%.*s", rest.n ? "," : "", STR_ARG(part));
	}
	if (selector_parse(a, arena_dup(a, buf_str(&rest)), &s, e))
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (read_field(f, &s.p[i], e))
			return -1;
	return 0;
}

static void
read_pairs(struct search *f, enum tag_kind kind, const struct kvs *pairs, struct arena *a)
{
	for (size_t i = 0; i < pairs->n; i++) {
		str *value = ARENA_NEW(a, str);
		*value = tag_value(arena_dup(a, pairs->p[i].value));
		want(f, kind, (struct requirement){ arena_dup(a, pairs->p[i].key), SELECT_IN, { value, 1 } });
	}
}

int
search_read(const struct list_query *q, struct arena *a, struct search *out, struct err *e)
{
	*out = (struct search){ .created_after = q->created_after, .finished_before = q->finished_before, .only_finished = q->only_finished };
	if (q->ns.n)
		out->ns = arena_dup(a, q->ns);
	if (read_labels(out, q->label_selector, a, e) || read_fields(out, arena_dup(a, q->field_selector), a, e))
		return -1;
	if (q->name.n) {
		out->name = arena_dup(a, q->name);
		out->name_match = q->name_match;
	} else if (out->name_match == NAME_EXACT) {
		out->name_match = q->name_match;
	}
	if (q->uid.n)
		out->uid = arena_dup(a, q->uid);
	read_pairs(out, TAG_PARAMETER, &q->parameters, a);
	read_pairs(out, TAG_OUTPUT, &q->outputs, a);
	return 0;
}

void
search_free(struct search *f)
{
	VEC_FREE(&f->wanted);
}

/* ---- runs in memory ------------------------------------------------------------------------------------------ */

static bool
name_passes(const struct search *f, str name)
{
	if (!f->name.p)
		return true;
	switch (f->name_match) {
	case NAME_EXACT:
		return str_eq(name, f->name);
	case NAME_CONTAINS:
		return str_find(name, f->name, 0) != SIZE_MAX;
	case NAME_PREFIX:
		return str_starts(name, f->name);
	case NAME_NOT_EQUALS:
		return !str_eq(name, f->name);
	}
	return false;
}

static bool
times_pass(const struct search *f, const struct run *r, int64_t created)
{
	int64_t started = run_started(r), finished = run_finished_at(r);
	return (!f->created_after || created > f->created_after) && (!f->started_after || started > f->started_after) &&
	       (!f->started_before || (started && started < f->started_before)) &&
	       (!f->finished_before || (finished && finished < f->finished_before));
}

struct tag_look {
	const struct tag_list *tags;
	enum tag_kind kind;
	bool finished;
};

static str
look_tag(void *arg, str key)
{
	const struct tag_look *l = arg;
	if (l->kind == TAG_LABEL && str_eq(key, str_c(completed_label)))
		return l->finished ? S("true") : S("false");
	return tags_find(l->tags, l->kind, key);
}

static bool
tags_pass(const struct search *f, const struct run *r)
{
	if (!f->wanted.n)
		return true;
	struct arena *a CLEANUP(free_arena) = arena_new();
	unsigned kinds = 0;
	for (size_t i = 0; i < f->wanted.n; i++)
		kinds |= 1u << f->wanted.p[i].kind;
	struct tag_list tags = tags_of(r, kinds, a);
	for (size_t i = 0; i < f->wanted.n; i++) {
		struct tag_look l = { &tags, f->wanted.p[i].kind, run_finished(r) };
		struct selector one = { &f->wanted.p[i].must, 1 };
		if (!selector_match(&one, look_tag, &l))
			return false;
	}
	return true;
}

bool
search_match(const struct search *f, const struct run *r, int64_t created)
{
	if (f->impossible || (f->only_finished && !run_finished(r)) || (f->ns.p && !str_eq(run_ns(r), f->ns)) || (f->uid.p && !str_eq(run_uid(r), f->uid)))
		return false;
	return name_passes(f, run_name(r)) && times_pass(f, r, created) && tags_pass(f, r);
}
