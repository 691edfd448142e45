/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/test_case.h"

#include "cli/match.h"
#include "cli/test_play.h"
#include "cli/trial.h"
#include "core/lang/gjson.h"

static void
differ_by(struct trial *t, const char *where, const struct mismatch *x)
{
	trial_differs(t, x->at, "%s%s%.*s: expected %.*s, got %.*s", where, *where && x->path.n && x->path.p[0] != '[' ? "." : "", STR_ARG(x->path),
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
		trial_differs(t, val_get(in, str_c(member)), "%s.%s: expected %.*s, got %.*s", where, member, STR_ARG(want), STR_ARG(is.n ? is : S("nothing")));
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
			trial_differs(t, &want->members[i].key, "%s: expected %.*s, got %.*s in %.*s", at, STR_ARG(x.want), STR_ARG(x.got),
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
	if (trial_time(t, x->at, &want, &e) < 0)
		trial_differs(t, at, "%s", e.msg);
	else if (want != s->at)
		trial_differs(t, at, "%s.at: expected %.*s, got %.*s (%.*s after clock)", where, STR_ARG(x->at), STR_ARG(time_rfc3339_nano(t->arena, s->at)),
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
		trial_differs(t, n > got ? x->firings.p[got].src : list, "expected %zu firing%s, got %zu (%.*s)", n, n == 1 ? "" : "s", got, STR_ARG(story(t)));
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
		trial_differs(t, x->src, "decisions[%zu]: expected %s%.*s%s%.*s, got: %.*s", i, none ? "no decision" : "", STR_ARG(none ? S("") : x->verdict),
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
		trial_differs(t, s->src, "submit: there is no Workflow %.*s among the manifests", STR_ARG(s->workflow));
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
		trial_differs(t, x->src, "%s: %s", where, e.msg);
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
	for (size_t i = 0; i < t->firings.n; i++) {
		const struct seen *s = &t->firings.p[i];
		if (s->problem.p)
			trial_differs(t, list, "firings[%zu] of %.*s would fail: %.*s", i, STR_ARG(s->trigger), STR_ARG(s->problem));
		else if (s->workflow)
			*VEC_PUSH(&made) = (struct made){ s->workflow, s->at };
	}
	if (made.n != x->workflows.n)
		trial_differs(t, list, "expected %zu workflow%s, got %zu", x->workflows.n, x->workflows.n == 1 ? "" : "s", made.n);
	for (size_t i = 0; i < made.n && i < x->workflows.n; i++)
		play(t, made.p[i].workflow, made.p[i].at, i);
	VEC_FREE(&made);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------- */

bool
test_case_run(const struct test_file *f, size_t i, struct buf *out)
{
	struct trial t;
	size_t before = out->n;
	trial_init(&t, f, i, out);
	if (trial_play(&t)) {
		match_firings(&t);
		for (size_t k = 0; k < t.c->expect->decisions.n; k++)
			match_decision(&t, k);
		match_workflows(&t);
	}
	trial_free(&t);
	return out->n == before;
}
