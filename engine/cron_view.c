/* SPDX-License-Identifier: Apache-2.0 */
/* CronWorkflows for those who look at them, and what is done to them by hand: suspend, resume, backfill. */
#include "engine/cron.h"

#define COMPLETED_LABEL "cronworkflows.argoproj.io/completed"

/* ---- what is shown ------------------------------------------------------------------------------------------- */

static struct val
seconds_text(int64_t s, struct arena *a)
{
	return val_str(time_rfc3339(a, s * NS_PER_SEC));
}

static struct val
active_of(const struct cron_entry *x, struct arena *a)
{
	struct val_list list = { 0 };
	LIST_EACH(&x->active, struct cron_active, link, c) {
		struct val_map m = { 0 };
		val_map_add(&m, S("apiVersion"), val_cstr("argoproj.io/v1alpha1"));
		val_map_add(&m, S("kind"), val_cstr("Workflow"));
		val_map_add(&m, S("name"), val_str(arena_dup(a, c->name)));
		val_map_add(&m, S("namespace"), val_str(arena_dup(a, x->ns)));
		val_map_add(&m, S("uid"), val_str(arena_dup(a, c->uid)));
		val_list_add(&list, val_map_end(&m, a));
	}
	struct val v = val_list_end(&list, a);
	return v.n ? v : val_null(); /* as Go writes an empty list */
}

static void
add_condition(struct val_list *list, const char *type, str message, struct arena *a)
{
	struct val_map m = { 0 };
	if (!message.p)
		return;
	val_map_add(&m, S("type"), val_cstr(type));
	val_map_add(&m, S("status"), val_cstr("True"));
	val_map_add(&m, S("message"), val_str(arena_dup(a, message)));
	val_list_add(list, val_map_end(&m, a));
}

static struct val
conditions_of(const struct cron_row *r, struct arena *a)
{
	struct val_list list = { 0 };
	add_condition(&list, "SpecError", r->spec_error, a);
	add_condition(&list, "SubmissionError", r->submission_error, a);
	struct val v = val_list_end(&list, a);
	return v.n ? v : val_null();
}

static bool
waits(const struct cron_entry *x)
{
	return x->due.at != 0;
}

static struct val
status_of(const struct cron_entry *x, struct arena *a)
{
	const struct cron_row *r = &x->row;
	struct val_map m = { 0 }, ours = { 0 };
	val_map_add(&m, S("active"), active_of(x, a));
	val_map_add(&m, S("conditions"), conditions_of(r, a));
	val_map_add(&m, S("failed"), val_int(r->failed));
	val_map_add(&m, S("lastScheduledTime"), r->scheduled ? seconds_text(r->scheduled, a) : val_null());
	val_map_add(&m, S("phase"), val_cstr(r->stopped ? "Stopped" : r->scheduled ? "Active" : ""));
	val_map_add(&m, S("succeeded"), val_int(r->succeeded));
	if (waits(x)) {
		val_map_add(&ours, S("nextScheduledTime"), val_str(time_rfc3339(a, x->next)));
		val_map_add(&m, S("tidegate"), val_map_end(&ours, a));
	}
	return val_map_end(&m, a);
}

static const struct val *
put_text(struct arena *a, const struct val *meta, const char *map, const char *key, str text)
{
	const struct val v = val_str(arena_dup(a, text));
	return val_set(a, meta, str_c(map), val_set(a, val_get(meta, str_c(map)), str_c(key), &v));
}

/* The label of one that has stopped. One that goes on may have it in its manifest: who changes one sends what he got. */
static const struct val *
with_completed(const struct cron_entry *x, const struct val *meta, struct arena *a)
{
	const struct val *labels = val_get(meta, S("labels"));
	if (x->row.stopped)
		return put_text(a, meta, "labels", COMPLETED_LABEL, S("true"));
	return val_get(labels, S(COMPLETED_LABEL)) ? val_set(a, meta, S("labels"), val_unset(a, labels, S(COMPLETED_LABEL))) : meta;
}

static const struct val *
meta_of(const struct cron_entry *x, struct arena *a)
{
	const struct val *meta = val_get(x->object->manifest, S("metadata"));
	const struct val made = seconds_text(x->row.created, a), ns = val_str(arena_dup(a, x->ns));
	if (!val_get(meta, S("creationTimestamp")))
		meta = val_set(a, meta, S("creationTimestamp"), &made);
	if (!val_get_str(meta, "namespace").n)
		meta = val_set(a, meta, S("namespace"), &ns);
	meta = put_text(a, meta, "annotations", "cronworkflows.argoproj.io/last-used-schedule", x->row.schedules);
	return with_completed(x, meta, a);
}

/* In force already, in a turn in which the clock has not been told yet: it has begun nothing. */
static struct val
no_status(struct arena *a)
{
	struct cron_entry none = { .row = { 0 } };
	list_init(&none.active);
	return status_of(&none, a);
}

const struct val *
engine_cron_view(struct engine *g, const struct object *o, struct arena *a)
{
	const struct cron_entry *x = cron_find(g, o->ns, o->name);
	const struct val *v = o->manifest;
	if (!x || x->object != o) {
		const struct val status = no_status(a);
		return val_set(a, v, S("status"), &status);
	}
	const struct val held = val_bool(x->row.held), status = status_of(x, a), *spec = val_get(v, S("spec"));
	if (x->row.held || val_get(spec, S("suspend")))
		v = val_set(a, v, S("spec"), val_set(a, spec, S("suspend"), &held));
	return val_set(a, val_set(a, v, S("metadata"), meta_of(x, a)), S("status"), &status);
}

/* ---- by hand ------------------------------------------------------------------------------------------------- */

/* ERR_NOT_FOUND, with what it is near to. */
static struct cron_entry *
find(struct engine *g, str ns, str name, struct err *e)
{
	struct cron_entry *x = cron_find(g, ns, name);
	if (x && x->object)
		return x;
	const char *near = objects_nearest(g->objects, "CronWorkflow", ns, name);
	(void)err_set(e, ERR_NOT_FOUND, "cronworkflows.argoproj.io \"%.*s\" not found%s%s%s", STR_ARG(name),
		near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return NULL;
}

int
engine_cron_hold(struct engine *g, str ns, str name, bool on, void (*done)(void *arg), void *arg, struct err *e)
{
	struct cron_entry *x = find(g, ns, name, e);
	if (!x)
		return -1;
	cron_hold(x, on);
	store_after_commit(g->store, done, arg);
	return 0;
}

static struct cron_entry *
find_readable(struct engine *g, str ns, str name, struct err *e)
{
	struct cron_entry *x = find(g, ns, name, e);
	if (x && !x->readable) {
		(void)err_set(e, ERR_INVALID, "%.*s", STR_ARG(x->row.spec_error));
		return NULL;
	}
	return x;
}

int
engine_cron_slots(struct engine *g, str ns, str name, int64_t from, int64_t to, size_t limit, struct arena *a,
	struct val *out, struct err *e)
{
	struct cron_entry *x = find_readable(g, ns, name, e);
	struct val_map m = { 0 };
	struct val_list list = { 0 }, there = { 0 };
	if (!x)
		return -1;
	const struct tz *zone = slots_zone(&x->slots);
	for (int64_t t = from; list.v.n < limit && (t = slots_next(&x->slots, t)) <= to && t < INT64_MAX;) {
		val_list_add(&list, val_str(time_rfc3339(a, t)));
		val_list_add(&there, val_str(tz_go_string(a, zone, t)));
	}
	val_map_add(&m, S("timezone"), val_str(arena_dup(a, tz_name(zone))));
	val_map_add(&m, S("slots"), val_list_end(&list, a));
	val_map_add(&m, S("local"), val_list_end(&there, a));
	str held = cron_held_text(x, a);
	if (held.p)
		val_map_add(&m, S("held"), val_str(held));
	*out = val_map_end(&m, a);
	return 0;
}

static str
backfill_name(str cron, const struct cron_backfill *b, struct arena *a)
{
	const long long slot = b->slot / NS_PER_SEC;
	struct buf lower CLEANUP(free_buf) = { 0 };
	if (!b->name.n)
		return arena_fmt(a, "%.*s-%lld", STR_ARG(cron), slot);
	for (size_t i = 0; i < b->name.n; i++) /* as Argo does: names have no capitals */
		buf_addc(&lower, b->name.p[i] >= 'A' && b->name.p[i] <= 'Z' ? (char)(b->name.p[i] + 32) : b->name.p[i]);
	return arena_fmt(a, "%.*s-backfill-%.*s-%lld", STR_ARG(cron), STR_ARG(buf_str(&lower)), slot);
}

int
engine_cron_backfill(struct engine *g, str ns, str name, const struct cron_backfill *b, struct arena *a, str *workflow,
	void (*created)(void *arg), void *arg, struct diags *d, struct err *e)
{
	struct cron_entry *x = find_readable(g, ns, name, e);
	if (!x)
		return -1;
	if (slots_last(&x->slots, b->slot) != b->slot)
		return err_set(e, ERR_INVALID, "%.*s is no slot of CronWorkflow %.*s",
			STR_ARG(time_rfc3339_nano(a, b->slot)), STR_ARG(name));
	const struct submit_options o = { .ns = ns, .parameters = b->parameters };
	const str made = backfill_name(name, b, a);
	return engine_submit(g, workflow_from_cron(x->object, made, CRON_BACKFILL_LABEL, b->slot, a), &o, a, workflow,
		created, arg, d, e);
}
