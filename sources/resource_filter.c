/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource_filter: which objects a source of kind resource tells of. Labels are Kubernetes' requirements; fields are gjson paths with
 * regular expressions, as in Argo (spec events 1.C18). An operation that Argo does not know for a field lets everything pass that has it.
 */
#include "core/lang/gjson.h"
#include "core/lang/regex.h"
#include "core/log.h"
#include "sources/check.h"
#include "sources/resource.h"

struct resource_match {
	const struct resource_filter *filter; /* may be NULL */
	struct regex **fields;
	size_t fields_n;
	int64_t created_by; /* ns; INT64_MAX: any time */
};

enum label_op { LABEL_IN, LABEL_NOT_IN, LABEL_EXISTS, LABEL_MISSING, LABEL_ABOVE, LABEL_BELOW };
static const struct {
	const char *name;
	enum label_op op;
	bool list;
	const char *before, *between, *after; /* key and value in a selector of Kubernetes */
} label_ops[] = {
	{ "", LABEL_IN, false, "", "=", "" },          { "=", LABEL_IN, false, "", "=", "" },         { "==", LABEL_IN, false, "", "=", "" },
	{ "in", LABEL_IN, true, "", " in (", ")" },    { "!=", LABEL_NOT_IN, false, "", "!=", "" },   { "notin", LABEL_NOT_IN, true, "", " notin (", ")" },
	{ "exists", LABEL_EXISTS, false, "", "", "" }, { "!", LABEL_MISSING, false, "!", "", "" },    { "gt", LABEL_ABOVE, false, "", ">", "" },
	{ "lt", LABEL_BELOW, false, "", "<", "" },
};

static int
label_op(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(label_ops); i++)
		if (str_eq(name, str_c(label_ops[i].name)))
			return (int)i;
	return -1;
}

static bool
is_field_op(str name)
{
	return str_eq(name, S("=")) || str_eq(name, S("==")) || str_eq(name, S("!="));
}

void
resource_filter_check(const struct resource_filter *f, const struct val *in, struct decode *c)
{
	struct err e;
	int64_t t;
	if (f->created_by.n && time_parse_rfc3339(f->created_by, &t, &e) < 0)
		decode_error(c, f->src ? f->src : in, "createdBy", "%s", e.msg);
	for (size_t i = 0; i < f->labels.n; i++) {
		const struct resource_selector *s = &f->labels.p[i];
		if (label_op(s->operation) < 0)
			decode_error(c, s->src, "operation", "operation \"%.*s\": must be one of = == != in notin exists ! gt lt", STR_ARG(s->operation));
	}
	for (size_t i = 0; i < f->fields.n; i++) {
		const struct resource_selector *s = &f->fields.p[i];
		struct regex *re;
		if (!is_field_op(s->operation))
			decode_warn(c, s->src, "operation", "operation \"%.*s\" of a field: is not =, == or !=, so the value is not looked at",
				STR_ARG(s->operation));
		if (regex_compile(s->value, &re, &e) < 0)
			decode_error(c, s->src, "value", "%s", e.msg);
		else
			regex_free(re);
	}
}

int
resource_match_new(const struct resource_filter *f, struct resource_match **out, struct err *e)
{
	struct resource_match *m = MEM_NEW(struct resource_match);
	m->filter = f;
	m->created_by = INT64_MAX;
	if (f && f->created_by.n && time_parse_rfc3339(f->created_by, &m->created_by, e) < 0)
		goto failed;
	if (f && f->fields.n)
		m->fields = mem_alloc(f->fields.n * sizeof *m->fields);
	for (; f && m->fields_n < f->fields.n; m->fields_n++)
		if (regex_compile(f->fields.p[m->fields_n].value, &m->fields[m->fields_n], e) < 0)
			goto failed;
	*out = m;
	return 0;
failed:
	resource_match_free(m);
	return -1;
}

void
resource_match_free(struct resource_match *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->fields_n; i++)
		regex_free(m->fields[i]);
	free(m->fields);
	free(m);
}

/* ---- labels --------------------------------------------------------------------------------------------------------- */

static bool
is_among(str values, str value)
{
	for (str rest = values; rest.p;) {
		size_t comma = str_find_char(rest, ',', 0);
		if (str_eq(str_trim(str_slice(rest, 0, comma)), value))
			return true;
		rest = comma == SIZE_MAX ? STR_NONE : str_slice(rest, comma + 1, rest.n);
	}
	return false;
}

static bool
is_beyond(str value, str bound, bool above)
{
	int64_t v, b;
	return str_to_i64(value, &v) && str_to_i64(bound, &b) && (above ? v > b : v < b);
}

static bool
label_holds(const struct resource_selector *s, bool there, str value)
{
	int row = label_op(s->operation);
	bool among = there && row >= 0 && (label_ops[row].list ? is_among(s->value, value) : str_eq(s->value, value));
	switch (row < 0 ? LABEL_MISSING : label_ops[row].op) {
	case LABEL_IN:
		return among;
	case LABEL_NOT_IN:
		return !among;
	case LABEL_EXISTS:
		return there;
	case LABEL_MISSING:
		return !there;
	case LABEL_ABOVE:
	case LABEL_BELOW:
		return there && is_beyond(value, s->value, label_ops[row].op == LABEL_ABOVE);
	}
	return false;
}

bool
resource_labels_match(const struct resource_match *m, str body)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	for (size_t i = 0; m->filter && i < m->filter->labels.n; i++) {
		const struct resource_selector *s = &m->filter->labels.p[i];
		str escaped = gjson_escape(a, s->key);
		struct gjson found;
		bool there = gjson_get(a, body, arena_fmt(a, "metadata.labels.%.*s", STR_ARG(escaped)), &found);
		if (!label_holds(s, there, there ? gjson_string(a, &found) : S("")))
			return false;
	}
	return true;
}

str
resource_label_selector(const struct resource_filter *f, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; f && i < f->labels.n; i++) {
		const struct resource_selector *s = &f->labels.p[i];
		int row = label_op(s->operation);
		if (row < 0)
			continue; /* an error of the manifest */
		bool valued = label_ops[row].op != LABEL_EXISTS && label_ops[row].op != LABEL_MISSING;
		buf_addf(&b, "%s%s%.*s%s%.*s%s", b.n ? "," : "", label_ops[row].before, STR_ARG(s->key), label_ops[row].between,
		         STR_ARG(valued && s->value.p ? s->value : S("")), label_ops[row].after);
	}
	return arena_dup(a, buf_str(&b));
}

/* ---- the rest ------------------------------------------------------------------------------------------------------- */

static bool
field_holds(const struct resource_selector *s, const struct regex *re, struct arena *a, str body)
{
	struct gjson found;
	struct err e;
	if (!gjson_get(a, body, s->key, &found))
		return false;
	if (!is_field_op(s->operation))
		return true;
	int matches = regex_matches(re, gjson_string(a, &found), &e);
	if (matches < 0)
		log_warn("a field's expression takes too much work: the object is passed over", "key", str_z(a, s->key), "error", e.msg, NULL);
	return matches >= 0 && (matches == 1) == !str_eq(s->operation, S("!="));
}

static bool
old_enough(const struct resource_match *m, struct arena *a, str body)
{
	struct gjson found;
	struct err e;
	int64_t created;
	if (m->created_by == INT64_MAX || !gjson_get(a, body, S("metadata.creationTimestamp"), &found) ||
	    time_parse_rfc3339(gjson_string(a, &found), &created, &e) < 0)
		return true;
	return created <= m->created_by;
}

bool
resource_fields_match(const struct resource_match *m, str name, str body)
{
	const struct resource_filter *f = m->filter;
	struct arena *a CLEANUP(free_arena) = arena_new();
	if (!f)
		return true;
	if (!str_starts(name, f->prefix) || !old_enough(m, a, body))
		return false;
	for (size_t i = 0; i < f->fields.n; i++)
		if (!field_holds(&f->fields.p[i], m->fields[i], a, body))
			return false;
	return true;
}
