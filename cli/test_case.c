/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/test_case.h"

#include "cli/files.h"
#include "cli/kinds.h"
#include "cli/match.h"
#include "cli/test_play.h"
#include "cli/tryout.h"
#include "core/lang/gjson.h"
#include "triggers/firing.h"
#include "triggers/submit.h"

/* A firing as it was. */
struct seen {
	str sensor, trigger, payload, sends;
	int64_t at;
	const struct val *settings, *resource;
	const struct val *workflow; /* what is submitted; NULL: nothing */
	struct strs events;
};

struct trial {
	struct arena *arena;
	const struct test_file *file;
	const struct test_case *c;
	struct objects *objects;
	VEC(struct object *) workflows; /* among the manifests; one reference each */
	struct tryout *tryout;
	VEC(struct seen) firings;
	struct decisions decisions;
	int64_t began, now;
	struct buf *out;
};

/* ---- what is wrong ----------------------------------------------------------------------------------------------------------- */

static void differ(struct trial *t, const struct val *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void
differ(struct trial *t, const struct val *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	str text = arena_vfmt(t->arena, fmt, ap);
	va_end(ap);
	buf_addf(t->out, "%.*s:%u: %.*s: %.*s\n", STR_ARG(t->file->path), at && at->line ? at->line : t->c->src->line, STR_ARG(t->c->name), STR_ARG(text));
}

static void
differ_by(struct trial *t, const char *where, const struct mismatch *x)
{
	differ(t, x->at, "%s%s%.*s: expected %.*s, got %.*s", where, *where && x->path.n && x->path.p[0] != '[' ? "." : "", STR_ARG(x->path),
	       STR_ARG(x->want), STR_ARG(x->got));
}

static void
match(struct trial *t, const char *where, const struct val *want, const struct val *is, bool exactly)
{
	struct mismatch x;
	if (want && !val_matches(t->arena, want, is, exactly, &x))
		differ_by(t, where, &x);
}

/* A member of `in` that is a text; nothing is expected if it is not given. */
static void
match_text(struct trial *t, const char *where, const struct val *in, const char *member, str want, str is)
{
	if (want.n && !str_eq(want, is))
		differ(t, val_get(in, str_c(member)), "%s.%s: expected %.*s, got %.*s", where, member, STR_ARG(want), STR_ARG(is.n ? is : S("nothing")));
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
		differ(t, at, "%.*s%s: %.*s%s%.*s", STR_ARG(x->file), place(t, x), STR_ARG(x->path), x->path.n ? ": " : "", STR_ARG(x->text));
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
		differ(t, doc, "manifests: no object that Tidegate knows");
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
static int
time_at(const struct trial *t, str text, int64_t *out, struct err *e)
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
	differ(t, at, "%s", e->msg);
	return false;
}

static bool
take(struct trial *t, const struct test_event *x, size_t i)
{
	struct err e;
	int64_t at = t->now;
	if (x->at.n && time_at(t, x->at, &at, &e) < 0)
		return wrong(t, val_get(x->src, S("at")), &e);
	if (at < t->now) {
		differ(t, val_get(x->src, S("at")), "events[%zu].at: before the event above it", i);
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
	if (t->c->until.n && time_at(t, t->c->until, &t->now, &e) < 0)
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
fired(void *arg, struct firing *f)
{
	struct trial *t = arg;
	struct arena *a = t->arena;
	struct event **events;
	size_t n = firing_events(f, &events);
	struct seen *s = VEC_PUSH(&t->firings);
	*s = (struct seen){ .sensor = arena_dup(a, firing_sensor(f)), .trigger = arena_dup(a, firing_trigger(f)), .payload = arena_dup(a, firing_payload(f)),
		            .sends = firing_sends(f, a), .at = loop_now(firing_env(f)->loop), .settings = copy(a, firing_spec(f)),
		            .resource = copy(a, firing_source(f)), .workflow = copy(a, trigger_submits(f)) };
	s->events.p = ARENA_ARRAY(a, str, n);
	for (size_t i = 0; i < n; i++)
		s->events.p[s->events.n++] = arena_dup(a, events[i]->id);
}

static void
decided(void *arg, str ns, str sensor, enum rows_how how, const struct decision *d)
{
	decisions_add(&((struct trial *)arg)->decisions, ns, sensor, how, d);
}

/* ---- firings --------------------------------------------------------------------------------------------------------------------- */

/* Values by path of what it would send. */
static void
match_parameters(struct trial *t, const char *where, const struct val *want, const struct seen *s)
{
	for (uint32_t i = 0; want && i < want->n; i++) {
		str path = val_key(&want->members[i]), raw = s->sends;
		struct gjson g;
		struct val is;
		struct err e;
		struct mismatch x;
		const char *at = arena_fmt(t->arena, "%s.parameters.%.*s", where, STR_ARG(path)).p;
		if (path.n)
			raw = gjson_get(t->arena, s->sends, path, &g) ? g.raw : STR_NONE;
		bool there = raw.n && json_read(t->arena, raw, &is, &e) == 0;
		if (!val_matches(t->arena, &want->members[i].value, there ? &is : NULL, true, &x))
			differ(t, &want->members[i].key, "%s: expected %.*s, got %.*s in %.*s", at, STR_ARG(x.want), STR_ARG(x.got),
			       STR_ARG(str_slice(s->sends, 0, 300)));
	}
}

static void
match_payload(struct trial *t, const char *where, const struct expected_firing *x, const struct seen *s)
{
	struct val json, text = val_str(s->payload);
	struct err e;
	bool is_json = s->payload.p && json_read(t->arena, s->payload, &json, &e) == 0;
	match(t, arena_fmt(t->arena, "%s.payload", where).p, x->payload, is_json ? &json : s->payload.p ? &text : NULL, x->exactly);
}

static void
match_events(struct trial *t, const char *where, const struct expected_firing *x, const struct seen *s)
{
	struct buf want CLEANUP(free_buf) = { 0 }, got CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < x->events.n; i++)
		buf_addf(&want, "%s%.*s", i ? ", " : "", STR_ARG(x->events.p[i]));
	for (size_t i = 0; i < s->events.n; i++)
		buf_addf(&got, "%s%.*s", i ? ", " : "", STR_ARG(s->events.p[i]));
	match_text(t, where, x->src, "events", buf_str(&want), buf_str(&got));
}

static void
match_time(struct trial *t, const char *where, const struct expected_firing *x, const struct seen *s)
{
	struct err e;
	int64_t want;
	const struct val *at = val_get(x->src, S("at"));
	if (!x->at.n)
		return;
	if (time_at(t, x->at, &want, &e) < 0)
		(void)wrong(t, at, &e);
	else if (want != s->at)
		differ(t, at, "%s.at: expected %.*s, got %.*s (%.*s after clock)", where, STR_ARG(x->at), STR_ARG(time_rfc3339_nano(t->arena, s->at)),
		       STR_ARG(dur_fmt(t->arena, (dur){ s->at - t->began })));
}

static void
match_firing(struct trial *t, size_t i)
{
	const struct expected_firing *x = &t->c->expect->firings.p[i];
	const struct seen *s = &t->firings.p[i];
	const char *where = arena_fmt(t->arena, "firings[%zu]", i).p;
	match_text(t, where, x->src, "sensor", x->sensor, s->sensor);
	match_text(t, where, x->src, "trigger", x->trigger, s->trigger);
	if (val_get(x->src, S("events")))
		match_events(t, where, x, s);
	match_time(t, where, x, s);
	match_parameters(t, where, x->parameters, s);
	match(t, arena_fmt(t->arena, "%s.resource", where).p, x->resource, s->resource, x->exactly);
	match(t, arena_fmt(t->arena, "%s.settings", where).p, x->settings, s->settings, x->exactly);
	match_payload(t, where, x, s);
}

/* What became of the events, for who expected something else. */
static str
story(const struct trial *t)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < t->decisions.v.n && b.n < 1000; i++) {
		const struct decided *d = &t->decisions.v.p[i];
		buf_addf(&b, "%s%.*s at %.*s: %.*s%s%.*s", b.n ? "; " : "", STR_ARG(d->event), STR_ARG(d->trigger.n ? d->trigger : d->dependency),
		         STR_ARG(d->verdict), d->reason.n ? ": " : "", STR_ARG(d->reason));
	}
	return arena_dup(t->arena, b.n ? buf_str(&b) : S("no sensor depends on the events"));
}

static void
match_firings(struct trial *t)
{
	const struct expectation *x = t->c->expect;
	const struct val *list = val_get(x->src, S("firings"));
	if (!list)
		return;
	size_t n = x->firings.n, got = t->firings.n;
	if (n != got)
		differ(t, n > got ? x->firings.p[got].src : list, "expected %zu firing%s, got %zu (%.*s)", n, n == 1 ? "" : "s", got, STR_ARG(story(t)));
	for (size_t i = 0; i < n && i < got; i++)
		match_firing(t, i);
}

/* ---- decisions ------------------------------------------------------------------------------------------------------------------- */

static bool
fits(const struct expected_decision *x, const struct decided *d)
{
	const str pairs[][2] = { { x->event, d->event }, { x->sensor, d->sensor }, { x->dependency, d->dependency }, { x->trigger, d->trigger } };
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (pairs[i][0].n && !str_eq(pairs[i][0], pairs[i][1]))
			return false;
	bool any = str_eq(x->verdict, S("none"));
	return (any || str_eq(x->verdict, d->verdict)) && str_find(d->reason, x->reason, 0) != SIZE_MAX;
}

static void
match_decision(struct trial *t, size_t i)
{
	const struct expected_decision *x = &t->c->expect->decisions.p[i];
	bool found = false, none = str_eq(x->verdict, S("none"));
	for (size_t k = 0; k < t->decisions.v.n && !found; k++)
		found = fits(x, &t->decisions.v.p[k]);
	if (found == none)
		differ(t, x->src, "decisions[%zu]: expected %s%.*s%s%.*s, got: %.*s", i, none ? "no decision" : "", STR_ARG(none ? S("") : x->verdict),
		       x->reason.n ? ": " : "", STR_ARG(x->reason), STR_ARG(story(t)));
}

/* ---- workflows ------------------------------------------------------------------------------------------------------------------- */

/* The one that is named; with one alone it need not be. */
static struct object *
workflow_named(const struct trial *t, str name)
{
	for (size_t i = 0; i < t->workflows.n; i++) {
		struct object *o = t->workflows.p[i];
		str generate = val_get_str(val_get(o->manifest, S("metadata")), "generateName");
		if (str_eq(o->name, name) || (generate.n && str_eq(generate, name)) || (!name.n && t->workflows.n == 1))
			return o;
	}
	return NULL;
}

static const struct val *
submitted(struct trial *t)
{
	const struct submission *s = t->c->submit;
	struct arena *a = t->arena;
	const struct object *o = s->template.n ? NULL : workflow_named(t, s->workflow);
	if (s->template.n)
		return play_with_parameters(a, play_of_template(a, s->template), s->parameters);
	if (!o)
		differ(t, s->src, "submit: there is no Workflow %.*s among the manifests", STR_ARG(s->workflow));
	return o ? play_with_parameters(a, o->manifest, s->parameters) : NULL;
}

static void
play(struct trial *t, const struct val *workflow, int64_t at, size_t i)
{
	struct play p = { .objects = t->objects, .steps = t->c->steps, .verbs = t->c->verbs, .at = at, .number = i + 1 };
	const struct expected_workflow *x = &t->c->expect->workflows.p[i];
	const struct val *is;
	struct mismatch m;
	struct err e;
	const char *where = arena_fmt(t->arena, "workflows[%zu]", i).p;
	if (play_workflow(&p, workflow, t->arena, &is, &e) < 0) {
		differ(t, x->src, "%s: %s", where, e.msg);
		return;
	}
	str message = val_get_str(val_get(is, S("status")), "message");
	match_text(t, where, x->src, "phase", x->phase, val_get_str(val_get(is, S("status")), "phase"));
	if (x->message.n && str_find(message, x->message, 0) == SIZE_MAX)
		match_text(t, where, x->src, "message", x->message, message);
	match(t, arena_fmt(t->arena, "%s.outputs", where).p, x->outputs, play_outputs(t->arena, is), false);
	if (x->nodes && !play_nodes_match(t->arena, x->nodes, is, &m))
		differ_by(t, arena_fmt(t->arena, "%s.nodes", where).p, &m);
	match(t, arena_fmt(t->arena, "%s.resource", where).p, x->resource, is, false);
}

struct made {
	const struct val *workflow;
	int64_t at;
};

static void
match_workflows(struct trial *t)
{
	const struct expectation *x = t->c->expect;
	const struct val *list = val_get(x->src, S("workflows"));
	VEC(struct made) made = { 0 };
	if (!list)
		return;
	const struct val *first = t->c->submit ? submitted(t) : NULL;
	if (first)
		*VEC_PUSH(&made) = (struct made){ first, t->began };
	for (size_t i = 0; i < t->firings.n; i++)
		if (t->firings.p[i].workflow)
			*VEC_PUSH(&made) = (struct made){ t->firings.p[i].workflow, t->firings.p[i].at };
	if (made.n != x->workflows.n)
		differ(t, list, "expected %zu workflow%s, got %zu", x->workflows.n, x->workflows.n == 1 ? "" : "s", made.n);
	for (size_t i = 0; i < made.n && i < x->workflows.n; i++)
		play(t, made.p[i].workflow, made.p[i].at, i);
	VEC_FREE(&made);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------- */

static void
judge(struct trial *t)
{
	match_firings(t);
	for (size_t i = 0; i < t->c->expect->decisions.n; i++)
		match_decision(t, i);
	match_workflows(t);
}

static void
run(struct trial *t)
{
	struct tryout_listener listener = { fired, decided, t };
	struct err e;
	if (time_parse_rfc3339(t->c->clock, &t->began, &e) < 0) {
		(void)wrong(t, val_get(t->c->src, S("clock")), &e);
		return;
	}
	t->now = t->began;
	if (!load(t))
		return;
	if (tryout_new(t->objects, t->began, &listener, &t->tryout, &e) < 0)
		(void)wrong(t, t->c->src, &e);
	else if (run_events(t))
		judge(t);
	tryout_free(t->tryout);
}

bool
test_case_run(const struct test_file *f, size_t i, struct buf *out)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct trial t = { .arena = a, .file = f, .c = &f->cases.p[i], .objects = objects_new(tidegate_kinds, tidegate_kinds_n),
		           .decisions = { .arena = a }, .out = out };
	size_t before = out->n;
	run(&t);
	for (size_t k = 0; k < t.workflows.n; k++)
		object_unref(t.workflows.p[k]);
	VEC_FREE(&t.workflows);
	VEC_FREE(&t.firings);
	VEC_FREE(&t.decisions.v);
	objects_free(t.objects);
	return out->n == before;
}
