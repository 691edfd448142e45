/* SPDX-License-Identifier: Apache-2.0 */
/* compare: see compare.h. */
#include "tests/scenario/compare.h"

/* Ids as names, the workflow's name as @. */
static str
plain(struct sim *x, str s)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	str wf = run_name(x->run);
	for (size_t i = 0; i < s.n;) {
		if (!str_starts(str_slice(s, i, s.n), wf)) {
			buf_addc(&b, s.p[i++]);
			continue;
		}
		size_t end = i + wf.n;
		if (end < s.n && s.p[end] == '-')
			for (end++; end < s.n && s.p[end] >= '0' && s.p[end] <= '9'; end++)
				;
		struct node *n = end > i + wf.n + 1 ? run_node(x->run, str_slice(s, i, end)) : NULL;
		if (n) {
			struct val v = node_status(n, x->arena);
			buf_add(&b, plain(x, val_get_str(&v, "name")));
			i = end;
		} else {
			buf_addc(&b, '@');
			i += wf.n;
		}
	}
	return arena_dup(x->arena, buf_str(&b));
}

static void
differ(struct sim *x, str where, const char *what, str want, str is)
{
	if (str_eq(want, is) || (!want.n && !is.n))
		return;
	buf_addf(&x->why, "  %.*s: %s: expected %.*s, is %.*s\n", STR_ARG(where), what, STR_ARG(want), STR_ARG(is));
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(((const str *)a)->p, ((const str *)b)->p);
}

static str
joined(struct sim *x, const struct val *list, bool ids)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t n = val_is(list, VAL_LIST) ? list->n : 0;
	str *names = ARENA_ARRAY(x->arena, str, n);
	for (size_t i = 0; i < n; i++)
		names[i] =
			ids ? plain(x, val_text(&list->items[i])) : arena_dup(x->arena, sim_text(x, &list->items[i]));
	qsort(names, n, sizeof *names, by_text);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%.*s", i ? ", " : "", STR_ARG(names[i]));
	return arena_dup(x->arena, buf_str(&b));
}

static void
compare_values(struct sim *x, str name, const char *what, const struct val *want, const struct val *is)
{
	const struct val *list = val_get(is, S("parameters"));
	for (uint32_t i = 0; val_is(want, VAL_MAP) && i < want->n; i++) {
		str key = val_key(&want->members[i]), got = STR_NONE;
		for (uint32_t k = 0; val_is(list, VAL_LIST) && k < list->n; k++)
			if (str_eq(val_get_str(&list->items[k], "name"), key))
				got = val_get_str(&list->items[k], "value");
		if (!got.p)
			got = val_get_str(is, str_z(x->arena, key));
		differ(x, name, arena_fmt(x->arena, "%s.%.*s", what, STR_ARG(key)).p,
			sim_text(x, &want->members[i].value), plain(x, got.p ? got : S("(absent)")));
	}
}

static void
compare_used(struct sim *x, str name, const struct val *want, const struct val *is)
{
	const struct val *used = val_get(is, S("resourcesDuration"));
	if (val_get(want, S("used")))
		differ(x, name, "resourcesDuration", sim_field(x, want, "used"),
			used ? arena_fmt(x->arena, "%.*s/%.*s", STR_ARG(sim_field(x, used, "cpu")),
				       STR_ARG(sim_field(x, used, "memory")))
			     : STR_NONE);
}

static void
compare_memo(struct sim *x, str name, const struct val *want, const struct val *is)
{
	struct val none = { .kind = VAL_NULL };
	differ(x, name, "memoizationStatus", json_write(x->arena, val_resolve_all(x->arena, want)),
		json_write(x->arena, is ? is : &none));
}

static str
flags(struct sim *x, const struct val *node)
{
	const struct val *f = val_get(node, S("nodeFlag"));
	bool hooked = val_is_true(val_get(f, S("hooked"))), retried = val_is_true(val_get(f, S("retried")));
	return arena_fmt(x->arena, "%s%s%s", hooked ? "hooked" : "", hooked && retried ? ", " : "", retried ? "retried" : "");
}

/* In seconds after the workflow was made; "" where there is none yet. */
static void
compare_time(struct sim *x, str name, const struct val *want, const char *what, str is)
{
	int64_t at;
	struct err e;
	if (!val_get(want, str_c(what)))
		return;
	if (is.n && !time_parse_rfc3339(is, &at, &e))
		is = arena_fmt(x->arena, "%lld", (long long)((at - x->began) / NS_PER_SEC));
	differ(x, name, what, sim_field(x, want, what), is);
}

/* Whether all of `want` is there; what else there is does not matter. */
static void
compare_has(struct sim *x, str name, const char *path, const struct val *want, const struct val *is)
{
	struct val w = val_resolve(want);
	if (w.kind == VAL_MAP) {
		for (uint32_t i = 0; i < w.n; i++) {
			str key = val_key(&w.members[i]);
			compare_has(x, name, arena_fmt(x->arena, "%s.%.*s", path, STR_ARG(key)).p, &w.members[i].value,
				val_get(is, key));
		}
	} else if (w.kind == VAL_LIST && val_is(is, VAL_LIST) && is->n == w.n) {
		for (uint32_t i = 0; i < w.n; i++)
			compare_has(x, name, arena_fmt(x->arena, "%s[%u]", path, i).p, &w.items[i], &is->items[i]);
	} else {
		bool there = is && is->kind != VAL_NULL;
		differ(x, name, path, w.kind == VAL_NULL ? S("(absent)") : sim_text(x, &w),
			there ? plain(x, sim_text(x, is)) : S("(absent)"));
	}
}

/* Of a pod: what its log is found by. */
static void
compare_labels(struct sim *x, str name, const struct val *want, const struct node *n)
{
	for (uint32_t i = 0; val_is(want, VAL_MAP) && i < want->n; i++)
		differ(x, name, str_z(x->arena, val_key(&want->members[i])), sim_text(x, &want->members[i].value),
			node_label(n, val_key(&want->members[i])));
}

static void
compare_node(struct sim *x, const struct val *want, const struct val *is)
{
	str name = sim_field(x, want, "name");
	differ(x, name, "type", sim_field(x, want, "type"), val_get_str(is, "type"));
	differ(x, name, "phase", sim_field(x, want, "phase"), val_get_str(is, "phase"));
	differ(x, name, "message", sim_field(x, want, "message"), plain(x, val_get_str(is, "message")));
	if (val_get(want, S("display")))
		differ(x, name, "displayName", sim_field(x, want, "display"), plain(x, val_get_str(is, "displayName")));
	if (val_get(want, S("boundary")))
		differ(x, name, "boundary", sim_field(x, want, "boundary"), plain(x, val_get_str(is, "boundaryID")));
	if (val_get(want, S("template")))
		differ(x, name, "templateName", sim_field(x, want, "template"), val_get_str(is, "templateName"));
	if (val_get(want, S("scope")))
		differ(x, name, "templateScope", sim_field(x, want, "scope"),
			plain(x, val_get_str(is, "templateScope")));
	if (val_get(want, S("memo")))
		compare_memo(x, name, val_get(want, S("memo")), val_get(is, S("memoizationStatus")));
	if (val_get(want, S("id")))
		differ(x, name, "id", sim_field(x, want, "id"), val_get_str(is, "id"));
	compare_labels(x, name, val_get(want, S("labels")), run_node(x->run, val_get_str(is, "id")));
	if (val_get(want, S("flags")))
		differ(x, name, "nodeFlag", joined(x, val_get(want, S("flags")), false), flags(x, is));
	compare_time(x, name, want, "began", val_get_str(is, "startedAt"));
	compare_time(x, name, want, "ended", val_get_str(is, "finishedAt"));
	if (val_get(want, S("ip")))
		differ(x, name, "podIP", sim_field(x, want, "ip"), val_get_str(is, "podIP"));
	if (val_get(is, S("finishedAt")) && val_get(is, S("daemoned")))
		differ(x, name, "daemoned", S(""), S("true"));
	if (val_get(want, S("progress")))
		differ(x, name, "progress", sim_field(x, want, "progress"), val_get_str(is, "progress"));
	compare_used(x, name, want, is);
	if (val_get(want, S("has")))
		compare_has(x, name, "has", val_get(want, S("has")), is);
	if (val_get(want, S("children")))
		differ(x, name, "children", joined(x, val_get(want, S("children")), false),
			joined(x, val_get(is, S("children")), true));
	if (val_get(want, S("outbound")))
		differ(x, name, "outboundNodes", joined(x, val_get(want, S("outbound")), false),
			joined(x, val_get(is, S("outboundNodes")), true));
	compare_values(x, name, "inputs", val_get(want, S("inputs")), val_get(is, S("inputs")));
	compare_values(x, name, "outputs", val_get(want, S("outputs")), val_get(is, S("outputs")));
	if (!str_eq(val_get_str(is, "startedAt"), STR_NONE) && val_get_str(is, "finishedAt").p &&
		str_cmp(val_get_str(is, "startedAt"), val_get_str(is, "finishedAt")) > 0)
		buf_addf(&x->why, "  %.*s: ends before it starts\n", STR_ARG(name));
}

static const struct val *
wanted(struct sim *x, const struct val *list, str name)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (str_eq(sim_field(x, &list->items[i], "name"), name))
			return &list->items[i];
	return NULL;
}

/* Every node that there is, where `all`; each one that is wanted. */
static void
compare_nodes(struct sim *x, const struct val *want, const struct val *nodes, bool all)
{
	struct map there CLEANUP(map_free) = { 0 };
	for (uint32_t i = 0; val_is(nodes, VAL_MAP) && i < nodes->n; i++) {
		const struct val *is = &nodes->members[i].value;
		str name = plain(x, val_get_str(is, "name"));
		const struct val *w = wanted(x, want, name);
		map_put(&there, name, x);
		if (w)
			compare_node(x, w, is);
		else if (all)
			buf_addf(&x->why, "  %.*s: is there, %.*s %.*s: %.*s\n", STR_ARG(name),
				STR_ARG(val_get_str(is, "type")), STR_ARG(val_get_str(is, "phase")),
				STR_ARG(val_get_str(is, "message")));
	}
	for (uint32_t i = 0; val_is(want, VAL_LIST) && i < want->n; i++) {
		str name = sim_field(x, &want->items[i], "name");
		if (!map_get(&there, name))
			buf_addf(&x->why, "  %.*s: is missing\n", STR_ARG(name));
	}
}

static void
compare_none(struct sim *x, const struct val *names, const struct val *nodes)
{
	for (uint32_t i = 0; val_is(names, VAL_LIST) && i < names->n; i++)
		for (uint32_t k = 0; val_is(nodes, VAL_MAP) && k < nodes->n; k++)
			if (str_eq(plain(x, val_get_str(&nodes->members[k].value, "name")), sim_text(x, &names->items[i])))
				buf_addf(&x->why, "  %.*s: is there\n", STR_ARG(sim_text(x, &names->items[i])));
}

/* Labels or annotations of the workflow; "" where there must be none. */
static void
compare_metadata(struct sim *x, const char *what, const struct val *want, const struct val *is)
{
	for (uint32_t i = 0; val_is(want, VAL_MAP) && i < want->n; i++)
		differ(x, str_c(what), str_z(x->arena, val_key(&want->members[i])), sim_text(x, &want->members[i].value),
			plain(x, sim_text(x, val_get(is, val_key(&want->members[i])))));
}

static void
compare_conditions(struct sim *x, const struct val *want, const struct val *list)
{
	for (uint32_t i = 0; val_is(want, VAL_MAP) && i < want->n; i++) {
		str type = val_key(&want->members[i]), got = S("(not True)");
		for (uint32_t k = 0; val_is(list, VAL_LIST) && k < list->n; k++)
			if (str_eq(val_get_str(&list->items[k], "type"), type) &&
				str_eq(val_get_str(&list->items[k], "status"), S("True")))
				got = plain(x, val_get_str(&list->items[k], "message"));
		differ(x, S("workflow"), str_z(x->arena, type), sim_text(x, &want->members[i].value), got);
	}
}

static void
compare_metrics(struct sim *x, const struct val *want)
{
	struct buf all CLEANUP(free_buf) = { 0 }, lines CLEANUP(free_buf) = { 0 }, wanted_lines CLEANUP(free_buf) = { 0 };
	if (!val_is(want, VAL_LIST) || x->crash != CRASH_NONE)
		return;
	custom_metrics_write(x->metrics, x->now, &all);
	for (str rest = buf_str(&all); rest.n;) {
		str line = str_cut(&rest, '\n');
		if (line.n && line.p[0] != '#')
			buf_addf(&lines, "%.*s; ", STR_ARG(plain(x, line)));
	}
	for (uint32_t i = 0; i < want->n; i++)
		buf_addf(&wanted_lines, "%.*s; ", STR_ARG(sim_text(x, &want->items[i])));
	differ(x, S("workflow"), "metrics", buf_str(&wanted_lines), buf_str(&lines));
}

/* In which order steps started, by the last part of their nodes' names. */
static void
compare_order(struct sim *x, const struct val *want)
{
	struct buf b CLEANUP(free_buf) = { 0 }, w CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; val_is(want, VAL_LIST) && i < x->notes.n; i++) {
		str name = x->notes.p[i].name;
		for (size_t at = str_find_char(name, '.', 0); at != SIZE_MAX; at = str_find_char(name, '.', 0))
			name = str_slice(name, at + 1, name.n);
		if (!strcmp(x->notes.p[i].what, "start"))
			buf_addf(&b, "%s%.*s", b.n ? ", " : "", STR_ARG(name));
	}
	for (uint32_t i = 0; val_is(want, VAL_LIST) && i < want->n; i++)
		buf_addf(&w, "%s%.*s", w.n ? ", " : "", STR_ARG(sim_text(x, &want->items[i])));
	differ(x, S("workflow"), "order of starts", buf_str(&w), buf_str(&b));
}

static void
compare_synchronization(struct sim *x, const struct val *want, const struct val *is)
{
	struct val none = { .kind = VAL_MAP };
	if (!want)
		return;
	str got = json_write(x->arena, is ? is : &none);
	const struct val *w = val_resolve_all(x->arena, want);
	differ(x, S("workflow"), "synchronization", json_write(x->arena, w), plain(x, got));
}

/* What can be seen at any time. */
static void
compare_state(struct sim *x, const struct val *expect)
{
	struct val w = run_workflow(x->run, x->arena);
	const struct val *status = val_get(&w, S("status")), *meta = val_get(&w, S("metadata"));
	const struct val *nodes = val_get(status, S("nodes"));
	if (val_get(expect, S("nodes")))
		compare_nodes(x, val_get(expect, S("nodes")), nodes, true);
	compare_nodes(x, val_get(expect, S("some")), nodes, false);
	compare_none(x, val_get(expect, S("none")), nodes);
	if (val_get(expect, S("count")))
		differ(x, S("workflow"), "nodes", sim_field(x, expect, "count"),
			arena_fmt(x->arena, "%u", val_is(nodes, VAL_MAP) ? nodes->n : 0));
	compare_values(x, S("workflow"), "outputs", val_get(expect, S("outputs")), val_get(status, S("outputs")));
	compare_conditions(x, val_get(expect, S("conditions")), val_get(status, S("conditions")));
	compare_metadata(x, "labels", val_get(expect, S("labels")), val_get(meta, S("labels")));
	compare_metadata(x, "annotations", val_get(expect, S("annotations")), val_get(meta, S("annotations")));
	compare_used(x, S("workflow"), expect, status);
	if (val_get(expect, S("progress")))
		differ(x, S("workflow"), "progress", sim_field(x, expect, "progress"), val_get_str(status, "progress"));
	if (val_get(expect, S("has")))
		compare_has(x, S("workflow"), "has", val_get(expect, S("has")), &w);
	compare_synchronization(x, val_get(expect, S("synchronization")), val_get(status, S("synchronization")));
	if (val_get(expect, S("phase")))
		differ(x, S("workflow"), "phase", sim_field(x, expect, "phase"), val_get_str(status, "phase"));
	if (val_get(expect, S("phase")) || val_get(expect, S("message")))
		differ(x, S("workflow"), "message", sim_field(x, expect, "message"),
			plain(x, val_get_str(status, "message")));
}

void
compare_meanwhile(struct sim *x, const struct val *look)
{
	size_t before = x->why.n;
	buf_addf(&x->why, "  after %.*s seconds:\n", STR_ARG(sim_field(x, look, "at")));
	size_t head = x->why.n;
	compare_state(x, look);
	if (x->why.n == head)
		x->why.n = before;
}

void
compare_end(struct sim *x)
{
	const struct val *expect = val_get(x->scenario, S("expect")), *starts = val_get(expect, S("starts"));
	struct val w = run_workflow(x->run, x->arena);
	const struct val *status = val_get(&w, S("status"));
	if (!val_get(expect, S("phase")))
		buf_addf(&x->why, "  no phase is expected\n");
	compare_state(x, expect);
	compare_metrics(x, val_get(expect, S("metrics")));
	for (uint32_t i = 0; val_is(starts, VAL_MAP) && i < starts->n; i++)
		differ(x, val_key(&starts->members[i]), "starts", sim_text(x, &starts->members[i].value),
			arena_fmt(x->arena, "%zu", sim_count(x, &x->starts, val_key(&starts->members[i]), 0)));
	compare_order(x, val_get(expect, S("order")));
	if (val_get(expect, S("most")))
		differ(x, S("workflow"), "most side by side", sim_field(x, expect, "most"),
			arena_fmt(x->arena, "%zu", x->most));
	int64_t began = 0, ended = 0;
	struct err e;
	if (val_get(expect, S("seconds")) && !time_parse_rfc3339(val_get_str(status, "startedAt"), &began, &e) &&
		!time_parse_rfc3339(val_get_str(status, "finishedAt"), &ended, &e))
		differ(x, S("workflow"), "seconds", sim_field(x, expect, "seconds"),
			arena_fmt(x->arena, "%lld", (long long)((ended - began) / NS_PER_SEC)));
}
