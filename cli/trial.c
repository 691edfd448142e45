/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trial.h"

#include "cli/files.h"
#include "cli/kinds.h"
#include "triggers/firing.h"

void
trial_differs(struct trial *t, const struct val *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	str text = arena_vfmt(t->arena, fmt, ap);
	va_end(ap);
	buf_addf(t->out, "%.*s:%u: %.*s: %.*s\n", STR_ARG(t->file->path), at && at->line ? at->line : t->c->src->line, STR_ARG(t->c->name), STR_ARG(text));
}

/* ---- manifests ------------------------------------------------------------------------------------------------------------------ */

static const char *
place(struct trial *t, const struct diag *x)
{
	return x->line ? arena_fmt(t->arena, ":%u:%u", x->line, x->col).p : "";
}

static bool
has_findings(struct trial *t, const struct val *at, const struct diags *d)
{
	for (size_t i = 0; i < d->v.n; i++) {
		const struct diag *x = &d->v.p[i];
		if (x->level != DIAG_ERROR && x->level != DIAG_LATER)
			continue;
		trial_differs(t, at, "%.*s%s: %.*s%s%.*s", STR_ARG(x->file), place(t, x), STR_ARG(x->path), x->path.n ? ": " : "", STR_ARG(x->text));
		return true;
	}
	return false;
}

static void
add_object(struct trial *t, struct object *o)
{
	if (o->kind->instance)
		*VEC_PUSH(&t->workflows) = object_ref(o);
	else
		objects_put(t->objects, o);
}

static bool
add_path(struct trial *t, const struct val *path, struct diags *d)
{
	const char *name = test_file_beside(t->file, val_text(path), t->arena).p;
	struct manifest_set set;
	bool ok = manifests_read(tidegate_kinds, tidegate_kinds_n, &name, 1, t->c->ns, NULL, &set, d) == 0 && !has_findings(t, path, d);
	for (size_t i = 0; ok && i < set.objects.n; i++)
		add_object(t, set.objects.p[i]);
	manifest_set_free(&set);
	return ok || (has_findings(t, path, d), false);
}

static bool
add_inline(struct trial *t, const struct val *doc, struct diags *d)
{
	d->file = t->file->path;
	struct object *o = object_decode(tidegate_kinds, tidegate_kinds_n, doc, t->file->path, t->c->ns, d);
	bool ok = o && !has_findings(t, doc, d);
	if (ok)
		add_object(t, o);
	else if (!o && !has_findings(t, doc, d))
		trial_differs(t, doc, "manifests: no object that Tidegate knows");
	object_unref(o);
	return ok;
}

static bool
add_manifests(struct trial *t, const struct val *list)
{
	bool ok = true;
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n && ok; i++) {
		struct diags d;
		diags_init(&d);
		ok = list->items[i].kind == VAL_STR ? add_path(t, &list->items[i], &d) : add_inline(t, &list->items[i], &d);
		diags_free(&d);
	}
	return ok;
}

/* Its own, over those of the documents before it that have nothing else. */
static bool
load(struct trial *t)
{
	for (const struct test_case *c = t->file->cases.p; c < t->c; c++)
		if (!c->expect && !add_manifests(t, c->manifests))
			return false;
	return add_manifests(t, t->c->manifests);
}

/* ---- events ----------------------------------------------------------------------------------------------------------------------- */

/* A duration after the beginning, or a time. */
int
trial_time(const struct trial *t, str text, int64_t *out, struct err *e)
{
	dur d;
	struct err ignored;
	if (dur_parse(text, &d, &ignored) == 0) {
		*out = t->began + d.ns;
		return 0;
	}
	return time_parse_rfc3339(text, out, e);
}

/* {"header": {"X": ["y"]}, "body": ...}: what webhook sources make of a request. */
static str
request_data(const struct test_event *x, const struct val *body, struct arena *a)
{
	struct val_map header = { 0 }, m = { 0 };
	for (size_t i = 0; i < x->headers.n; i++) {
		struct val_list values = { 0 };
		val_list_add(&values, val_str(x->headers.p[i].value));
		val_map_add(&header, x->headers.p[i].key, val_list_end(&values, a));
	}
	val_map_add(&m, S("header"), val_map_end(&header, a));
	val_map_add(&m, S("body"), *body);
	struct val v = val_map_end(&m, a);
	return json_write(a, &v);
}

static int
event_bytes(struct trial *t, const struct test_event *x, struct arena *a, str *out, struct err *e)
{
	struct val body;
	str text;
	*out = S("{}");
	if (x->text.p)
		*out = x->text;
	else if (x->data)
		*out = json_write(a, x->data);
	else if (x->body)
		*out = request_data(x, x->body, a);
	else if (x->file.n)
		return file_read(test_file_beside(t->file, x->file, a).p, a, out, e);
	else if (x->body_file.n) {
		const char *path = test_file_beside(t->file, x->body_file, a).p;
		if (file_read(path, a, &text, e) < 0)
			return -1;
		if (json_read(a, text, &body, e) < 0)
			return err_wrap(e, "%s", path);
		*out = request_data(x, &body, a);
	}
	return 0;
}

static struct event *
make_event(struct trial *t, const struct test_event *x, size_t i, struct err *e)
{
	struct event *ev = event_bare();
	struct arena *a = ev->arena;
	ev->ns = arena_dup(a, t->c->ns);
	ev->id = x->id.n ? arena_dup(a, x->id) : arena_fmt(a, "event-%zu", i + 1);
	ev->source = arena_dup(a, x->source);
	ev->subject = arena_dup(a, x->subject.n ? x->subject : x->event);
	ev->type = arena_dup(a, x->type.n ? x->type : S("webhook"));
	if (x->content_type.n)
		ev->content_type = arena_dup(a, x->content_type);
	ev->time = t->now;
	if (event_bytes(t, x, a, &ev->data, e) == 0) {
		ev->data = arena_dup(a, ev->data);
		return ev;
	}
	event_unref(ev);
	return NULL;
}

static bool
wrong(struct trial *t, const struct val *at, const struct err *e)
{
	trial_differs(t, at, "%s", e->msg);
	return false;
}

static bool
take(struct trial *t, const struct test_event *x, size_t i)
{
	struct err e;
	int64_t at = t->now;
	if (x->at.n && trial_time(t, x->at, &at, &e) < 0)
		return wrong(t, val_get(x->src, S("at")), &e);
	if (at < t->now) {
		trial_differs(t, val_get(x->src, S("at")), "events[%zu].at: before the event above it", i);
		return false;
	}
	t->now = at;
	tryout_until(t->tryout, at);
	struct event *ev = make_event(t, x, i, &e);
	if (!ev)
		return wrong(t, x->src, &e);
	(void)tryout_take(t->tryout, ev);
	event_unref(ev);
	return true;
}

static bool
run_events(struct trial *t)
{
	struct err e;
	for (size_t i = 0; i < t->c->events.n; i++)
		if (!take(t, &t->c->events.p[i], i))
			return false;
	if (t->c->until.n && trial_time(t, t->c->until, &t->now, &e) < 0)
		return wrong(t, val_get(t->c->src, S("until")), &e);
	tryout_until(t->tryout, t->now);
	return true;
}

/* ---- what came of them ---------------------------------------------------------------------------------------------------------- */

static const struct val *
copy(struct arena *a, const struct val *v)
{
	struct val *out = ARENA_NEW(a, struct val);
	*out = v ? val_copy(a, val_resolve_all(a, v)) : val_null();
	return v ? out : NULL;
}

static void
submits(struct firing *f, struct seen *s, struct arena *a)
{
	const struct trigger_ops *kind = firing_kind(f);
	const struct val *workflow = NULL;
	struct err e;
	if (kind->submits && kind->submits(f, &workflow, &e) < 0)
		s->problem = arena_dup(a, str_c(e.msg));
	else
		s->workflow = copy(a, workflow);
}

static void
fired(void *arg, struct firing *f)
{
	struct trial *t = arg;
	struct arena *a = t->arena;
	struct event **events;
	size_t n = firing_events(f, &events);
	struct seen *s = VEC_PUSH(&t->firings);
	*s = (struct seen){ .sensor = arena_dup(a, firing_sensor(f)), .trigger = arena_dup(a, firing_trigger(f)), .payload = arena_dup(a, firing_payload(f)),
		            .sends = firing_sends(f, a), .at = loop_now(firing_env(f)->loop), .settings = copy(a, firing_spec(f)),
		            .resource = copy(a, firing_source(f)) };
	submits(f, s, a);
	s->events.p = ARENA_ARRAY(a, str, n);
	for (size_t i = 0; i < n; i++)
		s->events.p[s->events.n++] = arena_dup(a, events[i]->id);
}

static void
decided(void *arg, str ns, str sensor, enum rows_how how, const struct decision *d)
{
	decisions_add(&((struct trial *)arg)->decisions, ns, sensor, how, d);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------- */

void
trial_init(struct trial *t, const struct test_file *f, size_t i, struct buf *out)
{
	*t = (struct trial){ .arena = arena_new(), .file = f, .c = &f->cases.p[i], .objects = objects_new(tidegate_kinds, tidegate_kinds_n), .out = out };
	t->decisions.arena = t->arena;
}

bool
trial_play(struct trial *t)
{
	struct tryout_listener listener = { fired, decided, t };
	struct err e;
	if (time_parse_rfc3339(t->c->clock, &t->began, &e) < 0)
		return wrong(t, val_get(t->c->src, S("clock")), &e);
	t->now = t->began;
	if (!load(t))
		return false;
	if (tryout_new(t->objects, t->began, &listener, &t->tryout, &e) < 0)
		return wrong(t, t->c->src, &e);
	bool played = run_events(t);
	tryout_free(t->tryout);
	return played;
}

void
trial_free(struct trial *t)
{
	for (size_t i = 0; i < t->workflows.n; i++)
		object_unref(t->workflows.p[i]);
	VEC_FREE(&t->workflows);
	VEC_FREE(&t->firings);
	VEC_FREE(&t->decisions.v);
	objects_free(t->objects);
	arena_free(t->arena);
}
