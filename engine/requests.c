/* SPDX-License-Identifier: Apache-2.0 */
/*
 * requests: suspend, resume, stop, terminate, set, retry, resubmit, delete (spec 5). Most are a stimulus to a run in memory. A
 * finished workflow is first read back: retry takes it up again, resubmit copies it, delete removes its rows.
 */
#include "engine/shell.h"

struct request {
	struct engine *engine;
	struct arena *arena;
	enum verb verb;
	str ns, name;
	struct verb_options options;
	struct archived stored;
	struct val old, saved, state, frozen; /* of an exact resubmission */
	int64_t created;
	struct live *live;
	void (*done)(void *arg, const struct val *workflow, const struct err *e);
	void *arg;
	struct err error;
};

static void
end(struct request *q, const struct val *workflow, const struct err *e)
{
	q->done(q->arg, workflow, e);
	run_free(q->stored.run);
	arena_free(q->arena);
}

static void
end_with_error(void *arg)
{
	struct request *q = arg;
	end(q, NULL, &q->error);
}

/* The rows are on disk: the workflow as it is now. */
static void
end_with_workflow(void *arg)
{
	struct request *q = arg;
	struct live *l = live_find(q->engine, q->ns, q->name);
	if (!l) { /* deleted in the same turn */
		err_set(&q->error, ERR_NOT_FOUND, "workflows.argoproj.io \"%.*s\" not found", STR_ARG(q->name));
		end(q, NULL, &q->error);
		return;
	}
	struct val w = q->options.bare ? run_workflow_bare(l->run, q->arena) : run_workflow(l->run, q->arena);
	end(q, &w, NULL);
}

static void
end_deleted(void *arg)
{
	struct request *q = arg;
	end(q, NULL, NULL);
}

/* What the caller writes now is one transaction with what this turn saves of the workflow. */
static void
decided(struct request *q)
{
	if (q->options.decided)
		q->options.decided(q->arg, q->name);
}

/* ---- verbs on a run in memory ---------------------------------------------------------------------------------- */

static enum stimulus_kind
stimulus_of(enum verb v)
{
	static const enum stimulus_kind kinds[] = { [VERB_SUSPEND] = STIM_SUSPEND, [VERB_RESUME] = STIM_RESUME, [VERB_STOP] = STIM_STOP,
		[VERB_TERMINATE] = STIM_TERMINATE, [VERB_RETRY] = STIM_RETRY, [VERB_SET] = STIM_SET, [VERB_COLLECTED] = STIM_COLLECTED };
	return kinds[v];
}

/* Kills what runs and takes the rows away. */
static void
delete_live(struct request *q, struct live *l)
{
	struct stimulus s = { .kind = STIM_TERMINATE, .now = loop_now(q->engine->loop) };
	if (!run_finished(l->run))
		live_advance(l, &s);
	live_wait(l, end_deleted, q);
	l->deleted = true;
	decided(q);
}

static void
apply_to_live(struct request *q, struct live *l)
{
	if (q->verb == VERB_DELETE) {
		delete_live(q, l);
		return;
	}
	if (run_verb_check(l->run, stimulus_of(q->verb), &q->options, &q->error)) {
		loop_defer(q->engine->loop, end_with_error, q);
		return;
	}
	struct stimulus s = { .kind = stimulus_of(q->verb), .now = loop_now(q->engine->loop), .verb = &q->options };
	s.hold = q->verb == VERB_RETRY && !admission_enter(l);
	live_advance(l, &s);
	live_wait(l, end_with_workflow, q);
	decided(q);
}

/* ---- resubmit -------------------------------------------------------------------------------------------------- */

/* Labels that tell of the old run and must not be taken along (spec 5). */
static const struct val *
carried_labels(struct arena *a, const struct val *labels, str old_name)
{
	static const char *const dropped[] = { "workflows.argoproj.io/phase", "workflows.argoproj.io/completed",
		"workflows.argoproj.io/workflow-archiving-status", "workflows.argoproj.io/creator", "workflows.argoproj.io/creator-email",
		"workflows.argoproj.io/creator-preferred-username" };
	for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
		labels = val_unset(a, labels, str_c(dropped[i]));
	struct val v = val_str(old_name);
	return val_set(a, labels, S("workflows.argoproj.io/resubmitted-from-workflow"), &v);
}

/* Neither that it was stopped nor a deadline of 0, which is another way to stop it. */
static const struct val *
carried_spec(struct arena *a, const struct val *spec)
{
	const struct val *deadline = val_get(spec, S("activeDeadlineSeconds"));
	int64_t seconds;
	spec = val_unset(a, spec, S("shutdown"));
	return deadline && val_to_i64(deadline, &seconds) && !seconds ? val_unset(a, spec, S("activeDeadlineSeconds")) : spec;
}

static const struct val *
resubmission(struct arena *a, const struct val *old)
{
	const struct val *meta = val_get(old, S("metadata"));
	str name = val_get_str(meta, "name"), prefix = val_get_str(meta, "generateName");
	struct val_map m = { 0 };
	val_map_add_str(&m, S("generateName"), prefix.n ? prefix : arena_fmt(a, "%.*s-", STR_ARG(name)));
	val_map_add_str(&m, S("namespace"), val_get_str(meta, "namespace"));
	val_map_add(&m, S("labels"), *carried_labels(a, val_get(meta, S("labels")), name));
	if (val_get(meta, S("annotations")))
		val_map_add(&m, S("annotations"), *val_get(meta, S("annotations")));
	struct val_map w = { 0 };
	val_map_add(&w, S("apiVersion"), val_str(S("argoproj.io/v1alpha1")));
	val_map_add(&w, S("kind"), val_str(S("Workflow")));
	val_map_add(&w, S("metadata"), val_map_end(&m, a));
	val_map_add(&w, S("spec"), *carried_spec(a, val_get(old, S("spec"))));
	struct val *out = ARENA_NEW(a, struct val);
	*out = val_map_end(&w, a);
	return out;
}

static void
made(struct request *q, struct live *l)
{
	live_wait(l, end_with_workflow, q);
	decided(q);
}

static int
read_exact(sqlite3 *db, void *arg, struct err *e)
{
	struct request *q = arg;
	return exact_templates(db, &q->saved, q->ns, q->created, q->arena, &q->frozen, e);
}

static void
exact_read(void *arg, const struct err *e)
{
	struct request *q = arg;
	struct submit_options o = { .ns = q->ns, .priority = q->options.priority };
	struct live *l;
	if (e || submit_again(q->engine, resubmission(q->arena, &q->old), &o, &q->saved, &q->state, &q->frozen, q->arena, &q->name, &l, &q->error))
		end(q, NULL, e ? e : &q->error);
	else
		made(q, l);
}

/* Everything is taken from the old run here, as it may change or go while its templates are looked up. */
static int
resubmit_exactly(struct request *q, const struct run *r)
{
	if (q->options.memoized || q->options.parameters.n)
		return err_set(&q->error, ERR_INVALID, "exact means the same again: it takes neither parameters nor memoized");
	struct val old = run_workflow(r, q->arena), saved = run_save_spec(r, q->arena), state = run_save_state(r, q->arena);
	q->old = val_copy(q->arena, &old);
	q->saved = val_copy(q->arena, &saved);
	q->state = val_copy(q->arena, &state);
	store_read(q->engine->store, read_exact, q, exact_read);
	return 0;
}

static int
resubmit(struct request *q, const struct run *r)
{
	if (q->options.exact)
		return resubmit_exactly(q, r);
	struct val old = run_workflow(r, q->arena);
	struct submit_options o = { .ns = q->ns, .parameters = q->options.parameters, .priority = q->options.priority };
	struct diags d;
	diags_init(&d);
	struct live *l;
	int rc = submit_manifest(q->engine, resubmission(q->arena, &old), &o, q->options.memoized ? r : NULL, q->arena, &q->name, &l, &d,
		&q->error);
	diags_free(&d);
	if (rc)
		return -1;
	made(q, l);
	return 0;
}

/* ---- verbs on a finished workflow ------------------------------------------------------------------------------ */

/* Takes a run back into memory: it is finished, or waits to be let run. */
static struct live *
revive(struct request *q)
{
	struct live *l = live_read(q->engine, &q->stored);
	admission_found(l);
	q->stored.run = NULL;
	return l;
}

static void
apply_to_stored(struct request *q)
{
	const struct run *r = q->stored.run;
	q->created = q->stored.created;
	if (q->verb == VERB_DELETE) {
		admission_forget(q->engine, q->ns, q->name);
		expiry_delete(q->engine, q->stored.id, q->ns, q->name, end_deleted, q);
		decided(q);
		return;
	}
	if (q->verb == VERB_RESUBMIT ? resubmit(q, r) : run_verb_check(r, stimulus_of(q->verb), &q->options, &q->error)) {
		end(q, NULL, &q->error);
	} else if (q->verb == VERB_RESUME) { /* it has ended: as it is */
		struct val w = q->options.bare ? run_workflow_bare(r, q->arena) : run_workflow(r, q->arena);
		end(q, &w, NULL);
	} else if (q->verb != VERB_RESUBMIT) {
		apply_to_live(q, revive(q));
	}
}

static int
load(sqlite3 *db, void *arg, struct err *e)
{
	struct request *q = arg;
	return archive_load(db, q->ns, q->name, q->verb != VERB_DELETE, &q->engine->world, &q->stored, e);
}

static void apply_now(void *arg);

/* While its rows were read it was called in, and has ended meanwhile; or the other way round. */
static bool
is_stale(const struct request *q)
{
	return run_queued(q->stored.run) != admission_waits(q->engine, q->ns, q->name);
}

static void
read_again(struct request *q)
{
	run_free(q->stored.run);
	q->stored.run = NULL;
	apply_now(q);
}

static void
loaded(void *arg, const struct err *e)
{
	struct request *q = arg;
	struct live *l = live_find(q->engine, q->ns, q->name); /* another request may have revived it meanwhile */
	if (e)
		end(q, NULL, e);
	else if (l)
		apply_to_live(q, l);
	else if (is_stale(q))
		read_again(q);
	else
		apply_to_stored(q);
}

static struct kvs
copy_pairs(struct arena *a, const struct kvs *from)
{
	struct kvs to = { ARENA_ARRAY(a, struct kv, from->n), from->n };
	for (size_t i = 0; i < from->n; i++)
		to.p[i] = (struct kv){ arena_dup(a, from->p[i].key), arena_dup(a, from->p[i].value) };
	return to;
}

static int
resubmit_live(struct request *q, const struct live *l)
{
	q->created = l->created;
	return resubmit(q, l->run);
}

static void
apply_now(void *arg)
{
	struct request *q = arg;
	struct live *l = live_find(q->engine, q->ns, q->name);
	if (!l)
		store_read(q->engine->store, load, q, loaded);
	else if (q->verb != VERB_RESUBMIT)
		apply_to_live(q, l);
	else if (resubmit_live(q, l))
		end(q, NULL, &q->error);
}

void
engine_verb(struct engine *g, enum verb v, str ns, str name, const struct verb_options *o,
            void (*done)(void *arg, const struct val *workflow, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct request *q = ARENA_NEW(a, struct request);
	*q = (struct request){ .engine = g, .arena = a, .verb = v, .ns = arena_dup(a, ns), .name = arena_dup(a, name), .done = done, .arg = arg };
	if (o) {
		q->options = *o;
		q->options.node_field_selector = arena_dup(a, o->node_field_selector);
		q->options.message = arena_dup(a, o->message);
		q->options.phase = arena_dup(a, o->phase);
		q->options.parameters = copy_pairs(a, &o->parameters);
		if (o->priority) {
			int64_t *priority = ARENA_NEW(a, int64_t);
			*priority = *o->priority;
			q->options.priority = priority;
		}
		q->options.output_parameters = copy_pairs(a, &o->output_parameters);
	}
	loop_defer(g->loop, apply_now, q);
}
