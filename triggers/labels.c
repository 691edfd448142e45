/* SPDX-License-Identifier: Apache-2.0 */
/*
 * labels: policy.k8s, the labels that an object must get before its firing has succeeded (pkg/sensors/policy/resource-labels.go of Argo
 * Events). It looks as often as the backoff says; of a Workflow also when that has ended, for what it lacks then will hardly come.
 */
#include <stdlib.h>

#include "triggers/submit.h"

struct labels_wait {
	struct firing *f; /* NULL: the daemon ends */
	const char *kind; /* in the firing's arena, or for good */
	str ns, name;     /* owned */
	unsigned looks;
	bool asking, ended;
	struct timer timer;
	struct watch *watch;
	const struct val *result;
};

static const struct backoff backoff_default = { .steps = 5 }; /* a second apart, as backoff_wait_ns has it without a duration */

static void look(void *arg);

/* ---- ends ----------------------------------------------------------------------------------------------------------------- */

static void
free_wait(struct labels_wait *w)
{
	timer_stop(&w->timer);
	engine_unwatch(w->watch);
	w->watch = NULL;
	if (w->asking)
		return; /* the engine has it, and answers */
	str_disown(w->ns);
	str_disown(w->name);
	free(w);
}

static void
end(struct labels_wait *w, const struct err *e)
{
	struct firing *f = w->f;
	const struct val *result = w->result;
	w->f = NULL;
	firing_on_over(f, NULL, NULL);
	free_wait(w);
	firing_done(f, e, e ? NULL : result);
}

static void
over(void *arg)
{
	end(arg, NULL);
}

/* ---- looking -------------------------------------------------------------------------------------------------------------- */

/* "label=value" of what is not as it must be; absent: all is. */
static str
lacking(struct labels_wait *w, const struct val *object)
{
	const struct val *labels = val_path(object, "metadata.labels");
	const struct kvs *wanted = &firing_policy(w->f)->labels;
	for (size_t i = 0; i < wanted->n; i++) {
		const struct val *v = val_get(labels, wanted->p[i].key);
		if (!val_is(v, VAL_STR) || !str_eq(val_text(v), wanted->p[i].value))
			return arena_fmt(firing_arena(w->f), "%.*s=%.*s, not %.*s", STR_ARG(wanted->p[i].key),
			                 STR_ARG(val_is(v, VAL_STR) ? val_text(v) : S("none")), STR_ARG(wanted->p[i].value));
	}
	return STR_NONE;
}

static void
give_up(struct labels_wait *w, str what)
{
	struct err e = { 0 };
	if (!firing_policy(w->f)->error_on_timeout) {
		end(w, NULL);
		return;
	}
	firing_alone(w->f);
	err_set(&e, ERR_UNAVAILABLE, "policy.k8s: %s %.*s %s: %.*s", w->kind, STR_ARG(w->name),
	        w->ended ? "has ended without its labels" : "did not get its labels in time", STR_ARG(what));
	end(w, &e);
}

static void
judge(struct labels_wait *w, const struct val *object, const struct err *e)
{
	const struct policy_labels *p = firing_policy(w->f);
	const struct backoff *b = p->backoff ? p->backoff : &backoff_default;
	if (e) {
		end(w, e);
		return;
	}
	str what = lacking(w, object);
	if (!what.n)
		end(w, NULL);
	else if (w->ended || w->looks >= (uint64_t)backoff_steps(b))
		give_up(w, what);
	else
		timer_start(firing_env(w->f)->loop, &w->timer,
		            loop_now(firing_env(w->f)->loop) + backoff_wait_ns(b, w->looks, (double)arc4random() / 4294967296.0), look, w);
}

static bool
has_ended(const struct val *workflow)
{
	const struct val *labels = val_path(workflow, "metadata.labels");
	return str_eq(val_get_str(labels, "workflows.argoproj.io/completed"), S("true"));
}

static void
workflow_came(void *arg, const struct val *workflow, const struct err *e)
{
	struct labels_wait *w = arg;
	w->asking = false;
	if (!w->f) {
		free_wait(w);
		return;
	}
	w->ended = workflow && has_ended(workflow);
	judge(w, workflow, e);
}

static void
look(void *arg)
{
	struct labels_wait *w = arg;
	const struct trigger_env *env = firing_env(w->f);
	struct err e = { 0 };
	timer_stop(&w->timer);
	if (w->asking)
		return;
	w->looks++;
	if (strcmp(w->kind, "Workflow") == 0) {
		w->asking = true;
		engine_get(env->engine, w->ns, w->name, false, workflow_came, w);
		return;
	}
	const struct object *o = objects_find_named(env->objects, w->kind, w->ns, w->name);
	if (!o)
		err_set(&e, ERR_NOT_FOUND, "policy.k8s: %s %.*s is gone", w->kind, STR_ARG(w->name));
	judge(w, o ? o->manifest : NULL, o ? NULL : &e);
}

static void
changed(void *arg, str ns UNUSED, str name UNUSED, bool finished, bool deleted)
{
	struct labels_wait *w = arg;
	if (finished || deleted)
		timer_start(firing_env(w->f)->loop, &w->timer, 0, look, w); /* in the next turn: it is being saved */
}

/* ---- the start -------------------------------------------------------------------------------------------------------------- */

/* {"workflow": name}, {"kind": "ConfigMap", "name": name} */
static const struct val *
result_of(struct firing *f, const char *kind, str name)
{
	struct arena *a = firing_arena(f);
	struct val k = val_cstr(kind), n = val_str(name);
	if (strcmp(kind, "Workflow") == 0)
		return val_set(a, NULL, S("workflow"), &n);
	return val_set(a, val_set(a, NULL, S("kind"), &k), S("name"), &n);
}

static void
wait_for_labels(struct firing *f, const char *kind, str ns, str name)
{
	struct labels_wait *w = MEM_NEW(struct labels_wait);
	*w = (struct labels_wait){ .f = f, .kind = kind, .ns = str_own(ns), .name = str_own(name), .result = result_of(f, kind, arena_dup(firing_arena(f), name)) };
	if (strcmp(kind, "Workflow") == 0)
		w->watch = engine_watch(firing_env(f)->engine, ns, name, changed, w);
	firing_on_over(f, over, w);
	timer_start(firing_env(f)->loop, &w->timer, 0, look, w);
}

void
trigger_done_with(struct firing *f, const char *kind, str ns, str name)
{
	if (!firing_policy(f)) {
		firing_done(f, NULL, result_of(f, kind, arena_dup(firing_arena(f), name)));
		return;
	}
	firing_mark(f, arena_fmt(firing_arena(f), "the labels of %s %.*s/%.*s", kind, STR_ARG(ns), STR_ARG(name)));
	wait_for_labels(f, kind, ns, name);
}

void
trigger_resume(struct firing *f, str mark)
{
	str rest = mark, ns, kind;
	for (int i = 0; i < 3; i++)
		(void)str_cut(&rest, ' '); /* the labels of */
	kind = str_cut(&rest, ' ');
	ns = str_cut(&rest, '/');
	if (firing_policy(f))
		wait_for_labels(f, str_z(firing_arena(f), kind), ns, rest);
	else /* the manifest of now has none: it was done */
		firing_done(f, NULL, result_of(f, str_z(firing_arena(f), kind), rest));
}
