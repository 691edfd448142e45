/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: what templates and workflows report under names of their own (spec 9; workflow/controller/operator.go,
 * computeMetrics, v4.1.2). A node reports once, when it completes; a gauge with `realtime` reports from when it begins, the
 * time since then. A report is an effect; who keeps the series is in custom_metrics.h.
 *
 * An error here fails nothing: it is kept for the condition MetricsError.
 */
#include "engine/run/run_impl.h"

#include "core/lang/gofmt.h"

enum { ERRORS_MAX = 4096 }; /* bytes of them in the condition */

/* Whose metrics: a node's, or the workflow's. */
struct measured {
	struct run *run;
	struct node *node; /* NULL: the workflow */
	bool ended;
	struct arena *a;
};

void
run_metrics_failed(struct run *r, str why)
{
	if (str_find(r->metrics_error, why, 0) != SIZE_MAX || r->metrics_error.n + why.n > ERRORS_MAX)
		return;
	r->metrics_error = r->metrics_error.n ? run_text(r, "%.*s, %.*s", STR_ARG(r->metrics_error), STR_ARG(why))
					      : arena_dup(r->arena, why);
}

/* ---- variables ------------------------------------------------------------------------------------------------- */

static int64_t
began(const struct measured *m)
{
	return m->node ? m->node->started : m->run->started;
}

static str
seconds(const struct measured *m)
{
	int64_t end = m->node ? m->node->finished : m->run->finished;
	int64_t length = began(m) ? (end ? end : m->run->now) - began(m) : 0;
	return arena_fmt(m->a, "%f", (double)length / 1e9);
}

static size_t
attempts(const struct node *n)
{
	size_t count = 0;
	for (size_t i = 0; i < n->children.n; i++)
		count += n->children.p[i]->retried;
	return count;
}

/* In whole units, as they are shown; 0 where nothing was counted. */
static str
used(struct usage u, str what, struct arena *a)
{
	int64_t v = 0;
	struct val shown;
	const struct val *x = usage_shown(u, a, &shown) ? val_get(&shown, what) : NULL;
	if (!str_eq(what, S("cpu")) && !str_eq(what, S("memory")))
		return STR_NONE;
	return x && val_to_i64(x, &v) ? arena_fmt(a, "%lld", (long long)v) : S("0");
}

static enum tag_found
look_node(const struct measured *m, str name, struct arena *a, str *out)
{
	struct node *n = m->node;
	*out = STR_NONE;
	if (str_eq(name, S("duration")))
		*out = seconds(m);
	else if (str_eq(name, S("status")))
		*out = str_c(phase_name(n->phase));
	else if (str_eq(name, S("retries")))
		*out = arena_fmt(a, "%zu", n->type == NODE_RETRY && attempts(n) ? attempts(n) - 1 : n->retried ? n->slot : 0);
	else if (str_starts(name, S("resourcesDuration.")))
		*out = used(n->usage, str_slice(name, strlen("resourcesDuration."), name.n), a);
	else if (str_starts(name, S("inputs.parameters.")))
		*out = output_parameter(n->inputs, str_slice(name, strlen("inputs.parameters."), name.n));
	else if (str_eq(name, S("exitCode")) || str_starts(name, S("outputs.")))
		return scope_of_node(m->run, n, name, a, out);
	return out->p ? TAG_FOUND : TAG_MISSING;
}

static enum tag_found
look(void *arg, str name, struct arena *a, str *out)
{
	const struct measured *m = arg;
	struct scope globals = { .run = m->run };
	if (m->node && look_node(m, name, a, out) == TAG_FOUND)
		return TAG_FOUND;
	*out = str_eq(name, S("workflow.status"))                ? str_c(phase_name(m->run->phase))
	       : !m->node && str_eq(name, S("workflow.duration")) ? seconds(m)
								  : STR_NONE;
	return out->p ? TAG_FOUND : scope_look(&globals, name, a, out);
}

/* ---- one metric ------------------------------------------------------------------------------------------------ */

static int
number(str text, const char *what, str name, double *out, struct err *e)
{
	if (go_parse_float(str_trim(text), out))
		return 0;
	return err_set(e, ERR_INVALID, "metric '%.*s': %s '%.*s' is no number", STR_ARG(name), what, STR_ARG(text));
}

static int
read_buckets(const struct measured *m, const struct val *list, struct custom_metric *out, struct err *e)
{
	size_t n = val_is(list, VAL_LIST) ? list->n : 0;
	double *b = ARENA_ARRAY(m->a, double, n);
	for (size_t i = 0; i < n; i++)
		if (number(any_text(m->run, &list->items[i]), "bucket", out->name, &b[i], e))
			return -1;
	out->buckets = b;
	out->buckets_n = n;
	return 0;
}

static int
read_value(const struct measured *m, const struct val *body, struct custom_metric *out, struct err *e)
{
	str operation = val_get_str(body, "operation");
	if (str_eq(operation, S("Add")))
		out->operation = CUSTOM_ADD;
	else if (str_eq(operation, S("Sub")))
		out->operation = CUSTOM_SUB;
	if (out->kind == CUSTOM_HISTOGRAM && read_buckets(m, val_get(body, S("buckets")), out, e))
		return -1;
	return number(any_text(m->run, val_get(body, S("value"))), "value", out->name, &out->value, e);
}

static void
read_labels(const struct measured *m, const struct val *list, struct custom_metric *out)
{
	size_t n = val_is(list, VAL_LIST) ? list->n : 0;
	out->labels.p = ARENA_ARRAY(m->a, struct kv, n);
	for (size_t i = 0; i < n; i++) {
		str value = any_text(m->run, val_get(&list->items[i], S("value")));
		out->labels.p[out->labels.n++] = (struct kv){ .key = val_get_str(&list->items[i], "key"),
			.value = value.p ? value : S("") };
	}
}

static const struct val *
body_of(const struct val *metric, enum custom_kind *kind)
{
	static const char *const keys[] = { [CUSTOM_COUNTER] = "counter", [CUSTOM_GAUGE] = "gauge", [CUSTOM_HISTOGRAM] = "histogram" };
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (val_is(val_get(metric, str_c(keys[i])), VAL_MAP)) {
			*kind = (enum custom_kind)i;
			return val_get(metric, str_c(keys[i]));
		}
	return NULL;
}

static bool
is_realtime(const struct val *metric)
{
	const struct val *v = val_path(metric, "gauge.realtime");
	struct val plain = v ? val_resolve(v) : val_null();
	return plain.kind == VAL_BOOL && plain.b;
}

/* What a realtime gauge may show: the time of what it belongs to. */
static int
check_realtime(const struct measured *m, const struct val *metric, struct err *e)
{
	str value = str_trim(val_get_str(val_get(metric, S("gauge")), "value")), name = value;
	if (str_starts(name, S("{{")) && str_ends(name, S("}}")))
		name = str_trim(str_slice(name, 2, name.n - 2));
	if (str_eq(name, m->node ? S("duration") : S("workflow.duration")))
		return 0;
	return err_set(e, ERR_INVALID, "'%.*s' is not available as a real time metric", STR_ARG(value));
}

/* 1: its `when` does not hold. */
static int
read_metric(struct measured *m, const struct val *metric, struct custom_metric *out, struct err *e)
{
	struct tag_scope ts = { .look = look, .arg = m, .strict = tags_strict_all };
	str name = val_get_str(metric, "name");
	bool holds;
	if (is_realtime(metric) && check_realtime(m, metric, e))
		return -1;
	const struct val *put = tags_put(m->a, metric, &ts, e);
	if (!put)
		return err_wrap(e, "unable to substitute parameters for metric '%.*s'", STR_ARG(name));
	str when = any_text(m->run, val_get(put, S("when")));
	if (when_eval(when.p ? when : S(""), &holds, e))
		return err_wrap(e, "unable to compute 'when' clause for metric '%.*s'", STR_ARG(name));
	if (!holds)
		return 1;
	*out = (struct custom_metric){ .name = val_get_str(put, "name"), .help = val_get_str(put, "help") };
	const struct val *body = body_of(put, &out->kind);
	if (!body || !out->name.n || !out->help.p)
		return err_set(e, ERR_INVALID, "metric '%.*s' must have a name, a help and one of counter, gauge, histogram",
			STR_ARG(name));
	read_labels(m, val_get(put, S("labels")), out);
	return read_value(m, body, out, e);
}

/* Those that run with the time while it has not ended; all of them when it has: a realtime gauge of a node then stands still. */
static void
report(struct measured *m, const struct val *metrics)
{
	const struct val *list = val_get(metrics, S("prometheus"));
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		struct err e;
		struct custom_metric *x = ARENA_NEW(m->a, struct custom_metric);
		bool realtime = is_realtime(&list->items[i]);
		if (m->ended ? realtime && !m->node : !realtime)
			continue; /* that of a workflow goes with it */
		int rc = read_metric(m, &list->items[i], x, &e);
		if (rc < 0)
			run_metrics_failed(m->run, str_c(e.msg));
		if (rc)
			continue;
		x->realtime = realtime;
		x->since = realtime && !m->ended ? began(m) : 0;
		run_effect(m->run, EFFECT_METRIC, NULL)->metric = x;
	}
}

/* ---- when ------------------------------------------------------------------------------------------------------ */

void
metrics_begin(struct run *r, struct node *n, const struct val *metrics)
{
	if (!metrics || n->metrics)
		return;
	n->metrics = metrics;
	struct measured m = { .run = r, .node = n, .a = r->tmp };
	if (phase_fulfilled(n->phase))
		metrics_end(r, n);
	else
		report(&m, metrics);
}

void
metrics_end(struct run *r, struct node *n)
{
	struct measured m = { .run = r, .node = n, .ended = true, .a = r->tmp };
	if (phase_completed(n->phase))
		report(&m, n->metrics);
}

void
metrics_of_workflow(struct run *r, bool ended)
{
	struct measured m = { .run = r, .ended = ended, .a = r->tmp };
	const struct val *metrics = val_get(r->merged, S("metrics"));
	if (metrics)
		report(&m, metrics);
}
