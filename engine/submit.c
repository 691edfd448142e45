/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submit: from a manifest to a run. The manifest is completed as the API server and the controller would (name, uid, times,
 * overrides), decoded, validated as Argo validates on create (spec 6), and started, all in this turn.
 */
#include "core/event.h"
#include "core/random.h"
#include "engine/shell.h"

enum { NAME_TRIES = 8, SUFFIX = 5 };

static const struct kind *const workflow_kinds[] = { &kind_workflow };

/* ---- names --------------------------------------------------------------------------------------------------- */

/* Version 7: it begins with the time, so that the index over uids grows at its end. */
static str
new_uid(struct arena *a)
{
	str x = event_random_id(a);
	return arena_fmt(a, "%.8s-%.4s-%.4s-%.4s-%.12s", x.p, x.p + 8, x.p + 12, x.p + 16, x.p + 20);
}

struct lookup {
	str ns, name, key;
	struct arena *arena;
	int64_t id;
};

static int
find_name(sqlite3 *db, void *arg, struct err *e)
{
	struct lookup *q = arg;
	return archive_find(db, q->ns, q->name, &q->id, e);
}

static int
find_key(sqlite3 *db, void *arg, struct err *e)
{
	struct lookup *q = arg;
	return archive_find_key(db, q->key, q->arena, &q->ns, &q->name, e);
}

/* An index look-up on this thread: it takes microseconds, and the name must be known before the run exists. */
static int
name_taken(struct engine *g, str ns, str name, bool *taken, struct err *e)
{
	*taken = live_find(g, ns, name) != NULL;
	if (*taken)
		return 0;
	struct lookup q = { .ns = ns, .name = name };
	if (store_read_now(g->store, find_name, &q, e))
		return -1;
	*taken = q.id != 0;
	return 0;
}

static int
choose_name(struct engine *g, str ns, str name, str prefix, struct arena *a, str *out, struct err *e)
{
	bool taken;
	if (name.n) {
		*out = name;
		if (name_taken(g, ns, name, &taken, e))
			return -1;
		return taken ? err_set(e, ERR_EXISTS, "workflows.argoproj.io \"%.*s\" already exists", STR_ARG(name)) : 0;
	}
	prefix = str_slice(prefix, 0, kind_workflow.name_max - SUFFIX); /* apiserver/pkg/storage/names: the prefix gives way */
	for (int i = 0; i < NAME_TRIES; i++) {
		*out = arena_fmt(a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(random_suffix(a, SUFFIX)));
		if (name_taken(g, ns, *out, &taken, e))
			return -1;
		if (!taken)
			return 0;
	}
	return err_set(e, ERR_EXISTS, "no free name found for generateName \"%.*s\"", STR_ARG(prefix));
}

/* ---- completing the manifest ----------------------------------------------------------------------------------- */

static const struct val *
add_identity(struct engine *g, struct arena *a, const struct val *manifest, str name)
{
	const struct val *meta = val_get(manifest, S("metadata"));
	const struct val v[] = { val_str(arena_dup(a, name)), val_str(new_uid(a)), val_str(time_rfc3339(a, loop_now(g->loop))) };
	meta = val_set(a, meta, S("name"), &v[0]);
	meta = val_set(a, meta, S("uid"), &v[1]);
	meta = val_set(a, meta, S("creationTimestamp"), &v[2]);
	return val_set(a, manifest, S("metadata"), meta);
}

/* ---- validation ------------------------------------------------------------------------------------------------ */

static int
sum_up(const struct diags *d, struct err *e)
{
	bool refuse_later = d->errors == 0;
	for (size_t i = 0; i < d->v.n; i++) {
		const struct diag *x = &d->v.p[i];
		if (x->level != (refuse_later ? DIAG_LATER : DIAG_ERROR))
			continue;
		return err_set(e, refuse_later ? ERR_UNSUPPORTED : ERR_INVALID, "%.*s%s%.*s%s%.*s", STR_ARG(x->path), x->path.n ? ": " : "",
			STR_ARG(x->text), x->hint.n ? "; " : "", STR_ARG(x->hint));
	}
	return err_set(e, ERR_INTERNAL, "refused without a reason");
}

/* All findings go to `d`; -1 if one of them forbids to run it. */
static int
check(struct engine *g, const struct val *manifest, struct diags *d, struct err *e)
{
	struct object *o = object_decode(workflow_kinds, ARRAY_LEN(workflow_kinds), manifest, d->file, STR_NONE, d);
	object_unref(o);
	if (!o && d->errors == 0)
		return err_set(e, ERR_INVALID, "not a Workflow: kind is \"%.*s\"", STR_ARG(val_get_str(manifest, "kind")));
	if (d->errors)
		return sum_up(d, e);
	workflow_validate(manifest, VALIDATE_SUBMIT, &g->world, S("default"), d);
	return d->errors || d->later ? sum_up(d, e) : 0;
}

/* ---- submission ------------------------------------------------------------------------------------------------ */

/* The manifest with its options and its identity. */
static const struct val *
complete(struct engine *g, const struct val *manifest, struct arena *a, str *name, struct err *e)
{
	const struct val *meta = val_get(manifest, S("metadata"));
	if (choose_name(g, val_get_str(meta, "namespace"), val_get_str(meta, "name"), val_get_str(meta, "generateName"), a, name, e))
		return NULL;
	return add_identity(g, a, manifest, *name);
}

static struct live *
enter(struct engine *g, struct run *r, str key)
{
	struct live *l = live_new(g, r, g->next_id++, loop_now(g->loop), key);
	struct stimulus s = { .kind = admission_enter(l) ? STIM_START : STIM_QUEUE, .now = loop_now(g->loop) };
	live_advance(l, &s);
	return l;
}

int
submit_manifest(struct engine *g, const struct val *manifest, const struct submit_options *o, const struct run *memoized, struct arena *a,
                str *name, struct live **out, struct diags *d, struct err *e)
{
	struct run *r;
	manifest = engine_with_options(a, manifest, o);
	if (engine_with_artifacts(a, manifest, &g->world, &o->artifacts, &manifest, e) || policy_check(g, manifest, e))
		return -1;
	if (o->made)
		*o->made = manifest;
	manifest = policy_defaults(g, a, manifest);
	if (check(g, manifest, d, e) || !(manifest = complete(g, manifest, a, name, e)))
		return -1;
	if (memoized ? run_memoized(&r, memoized, manifest, &g->world, loop_now(g->loop), e) : run_new(&r, manifest, &g->world, e))
		return -1;
	if (o->dry_run) {
		run_free(r);
		*out = NULL;
		return 0;
	}
	*out = enter(g, r, o->key);
	return 0;
}

int
submit_again(struct engine *g, const struct val *manifest, const struct submit_options *o, const struct val *saved, const struct val *state,
             const struct val *frozen, struct arena *a, str *name, struct live **out, struct err *e)
{
	struct run *r;
	manifest = complete(g, engine_with_options(a, manifest, o), a, name, e);
	if (!manifest || run_again(&r, saved, state, frozen, manifest, &g->world, e))
		return -1;
	*out = enter(g, r, STR_NONE);
	return 0;
}

/* A submission with this key has been there: 1 with its name, 0 if not, -1. */
static int
seen_before(struct engine *g, str key, struct arena *a, str *name, struct live **l, struct err *e)
{
	*l = NULL;
	if (!key.p)
		return 0;
	*l = map_get(&g->keys, key);
	if (*l) {
		*name = arena_dup(a, run_name((*l)->run));
		return 1;
	}
	struct lookup q = { .key = key, .arena = a };
	if (store_read_now(g->store, find_key, &q, e))
		return -1;
	*name = q.name;
	return q.name.p != NULL;
}

int
engine_submit(struct engine *g, const struct val *manifest, const struct submit_options *o, struct arena *a, str *name,
              void (*created)(void *arg), void *arg, struct diags *d, struct err *e)
{
	struct live *l;
	int seen = seen_before(g, o->key, a, name, &l, e);
	if (seen < 0 || (seen == 0 && submit_manifest(g, manifest, o, NULL, a, name, &l, d, e)))
		return -1;
	if (!created)
		return 0;
	if (l)
		live_wait(l, created, arg);
	else
		store_after_commit(g->store, created, arg);
	return 0;
}
