/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate_cron: when a CronWorkflow starts something, and the names that `when` and stopStrategy speak of (spec 4). Argo does not look at those before a
 * slot, and then starts nothing: hence warnings.
 */
#include "core/cron.h"
#include "core/tz.h"
#include "core/lang/when.h"
#include "engine/run/evaluate.h"
#include "engine/spec/validate.h"

#define FROM (INT64_C(1704067200) * NS_PER_SEC) /* 2024: what fires at all does so in the nine years from then on */

/* ---- schedules ------------------------------------------------------------------------------------------------ */

/* What is below a second, or nothing, or less: the parser makes a second of it, as Argo's does. */
static bool
is_below_a_second(str text)
{
	size_t at = str_find(text, S("@every "), 0);
	struct err e;
	dur d;

	return at != SIZE_MAX && dur_parse(str_slice(text, at + 7, text.n), &d, &e) == 0 && d.ns < NS_PER_SEC;
}

static void
check_schedule(struct check *k, const struct val *at, bool zone)
{
	struct cron cron;
	struct err e;
	str text = val_text(at);

	if (cron_parse(text, CRON_DESCRIPTORS, k->arena, &cron, &e) < 0) {
		check_fail(k, at, "cron schedule %.*s is malformed: %s", STR_ARG(text), e.msg);
		return;
	}
	if (!cron.every_ns && cron_next(&cron, NULL, FROM) == INT64_MAX)
		check_warn(k, at, "cron schedule %.*s never fires: no month that it names has such a day", STR_ARG(text));
	if (is_below_a_second(text))
		diag_hint(k->diags, check_warn(k, at, "cron schedule %.*s fires every second: there is nothing below", STR_ARG(text)), "write @every 1s");
	if (zone && cron.zone)
		diag_hint(k->diags, check_warn(k, at, "cron schedule %.*s has a zone of its own, which counts and not `timezone`; Argo refuses the two together",
			STR_ARG(text)), "write one of them");
}

static void
check_schedules(struct check *k, const struct val *spec)
{
	const struct val *schedules = val_get(spec, S("schedules")), *deadline = val_get(spec, S("startingDeadlineSeconds"));
	str zone_name = val_get_str(spec, "timezone");
	const struct tz *zone;
	struct err e;
	int64_t seconds;

	if (!val_is(schedules, VAL_LIST) || !schedules->n)
		check_fail(k, spec, "cron workflow must have at least one schedule");
	for (uint32_t i = 0; val_is(schedules, VAL_LIST) && i < schedules->n; i++)
		if (schedules->items[i].kind == VAL_STR)
			check_schedule(k, &schedules->items[i], zone_name.n > 0);
	if (zone_name.n && tz_open(k->arena, zone_name, &zone, &e) < 0)
		check_fail(k, val_get(spec, S("timezone")), "timezone \"%.*s\": %s", STR_ARG(zone_name), e.msg);
	if (deadline && val_to_i64(deadline, &seconds) && seconds < 0)
		check_fail(k, deadline, "startingDeadlineSeconds must be positive");
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

static const char *const variables[] = { "annotations", "failed", "labels", "lastScheduledTime", "name", "namespace", "succeeded" };

/* What is looked at: `when`, or the expression of stopStrategy. */
struct spoken {
	struct check *k;
	const struct val *at, *meta; /* of the CronWorkflow */
	bool warned;
};

static struct diag *
warn(struct spoken *s, str name, const char *what)
{
	s->warned = true;
	return check_warn(s->k, s->at, "%.*s: %s", STR_ARG(str_slice(name, 0, 60)), what);
}

/* "labels", "app": of cronworkflow.labels.app; nothing for `member` if there is no more. */
static void
check_variable(struct spoken *s, str name, str variable, str member)
{
	bool map = str_eq(variable, S("labels")) || str_eq(variable, S("annotations"));

	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (str_eq(variable, str_c(variables[i]))) {
			if (map && member.n && !str_eq(member, S("json")) && !val_get(val_get(s->meta, variable), member))
				warn(s, name, "this CronWorkflow has none of that name");
			return;
		}
	struct diag *x = warn(s, name, "there is no such variable: nothing will be started");
	const char *near = diag_nearest(variable, variables, ARRAY_LEN(variables));

	if (near)
		diag_hint(s->k->diags, x, "did you mean cronworkflow.%s?", near);
	else
		diag_hint(s->k->diags, x, "there are cronworkflow.name, namespace, labels, annotations, lastScheduledTime, succeeded and failed");
}

static void
check_first(struct spoken *s, str name)
{
	diag_hint(s->k->diags, warn(s, name, "there is no such variable: nothing will be started"), "the variables here begin with cronworkflow");
}

/* A name in an expression; what `??` or `?.` guards may be missing. */
static void
on_name(void *arg, const struct expr_name *n)
{
	struct spoken *s = arg;
	struct buf b CLEANUP(free_buf) = { 0 };

	for (uint32_t i = 0; i < n->n; i++)
		buf_addf(&b, "%s%.*s", i ? "." : "", STR_ARG(n->parts[i]));
	if (n->bound || !n->n || !n->needed)
		return;
	if (!str_eq(n->parts[0], S("cronworkflow")))
		check_first(s, buf_str(&b));
	else if (n->n > 1 && n->needed > 1)
		check_variable(s, buf_str(&b), n->parts[1], n->n > 2 && n->needed > 2 ? n->parts[2] : STR_NONE);
}

static enum tag_found
on_tag(void *arg, str name, struct arena *a UNUSED, str *out)
{
	struct spoken *s = arg;
	str rest = name, first = str_cut(&rest, '.'), variable = str_cut(&rest, '.');

	if (!str_eq(first, S("cronworkflow")) || !variable.n)
		check_first(s, name);
	else
		check_variable(s, name, variable, rest);
	*out = S("1");
	return TAG_FOUND;
}

static int
on_expression(void *arg, str text, const char *const *strict UNUSED, struct arena *a UNUSED, enum tag_found *found, str *out, struct err *e)
{
	*found = TAG_FOUND;
	*out = S("1");
	return evaluate_names(text, on_name, arg, e);
}

/* What its tags speak of, and whether it can be read when they have been put in. */
static void
check_condition(struct spoken *s, str text)
{
	struct tag_scope tags = { .look = on_tag, .expression = on_expression, .arg = s };
	struct when *w = NULL;
	struct err e;
	str put;

	if (tags_put_text(s->k->arena, text, &tags, &put, &e) < 0 || (!s->warned && when_compile(put, s->k->arena, &w, &e) < 0))
		check_warn(s->k, s->at, "%s: nothing will be started", e.msg);
	when_free(w);
}

void
check_cron(struct check *k, const struct val *spec)
{
	const struct val *when = val_get(spec, S("when")), *stop = val_path(spec, "stopStrategy.expression");
	const struct val *meta = val_get(k->root, S("metadata"));
	struct err e;

	check_schedules(k, spec);
	if (val_is(when, VAL_STR))
		check_condition(&(struct spoken){ .k = k, .at = when, .meta = meta }, val_text(when));
	if (val_is(stop, VAL_STR) && evaluate_names(val_text(stop), on_name, &(struct spoken){ .k = k, .at = stop, .meta = meta }, &e) < 0)
		return; /* cannot be read: that its table has said */
}
