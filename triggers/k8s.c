/* SPDX-License-Identifier: Apache-2.0 */
/*
 * k8s: creates, updates, patches and deletes objects (pkg/sensors/triggers/standard-k8s of Argo Events): those that are kept here
 * (ConfigMap, Secret, WorkflowTemplate, Sensor, ...), and Workflows, which the engine runs. Each is exactly once: what it does and the end
 * of the firing are one transaction.
 */
#include "config/kept.h"
#include "config/revisions.h"
#include "core/json_patch.h"
#include "triggers/manifest_source.h"
#include "triggers/parameter.h"
#include "triggers/submit.h"

enum { OBJECTS_MAX = 100000 /* kept at a time: beyond it triggers make no more */, OBJECT_BYTES_MAX = 3 << 19 /* 1.5 MiB, what etcd takes */ };

struct k8s_trigger {
	str operation, patch_strategy;
	bool live_object;
	struct manifest_source *source;
	LIST_OF(struct trigger_parameter) parameters;
	const struct val *src;
};

#define MERGE_PATCH "application/merge-patch+json"
#define JSON_PATCH "application/json-patch+json"
#define STRATEGIC_PATCH "application/strategic-merge-patch+json"
#define APPLY_PATCH "application/apply-patch+yaml"

static const char *const operations[] = { "", "create", "update", "patch", "delete", NULL };
static const char *const strategies[] = { "", MERGE_PATCH, JSON_PATCH, STRATEGIC_PATCH, APPLY_PATCH, NULL };

/* R8, R9 of spec events 5.4. */
static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct k8s_trigger *t = obj;
	if (!t->source)
		decode_error(c, in, "source", "source must be specified: {resource: ...}");
	if (str_eq(t->patch_strategy, S(APPLY_PATCH)))
		decode_later(c, in, "patchStrategy", APPLY_PATCH " is not served: nobody owns fields here; " MERGE_PATCH " does what it does with one owner");
	if (t->live_object && !str_eq(t->operation, S("update")))
		decode_warn(c, in, "liveObject", "has no effect without operation: update");
}

static const struct schema k8s_schema = { "StandardK8STrigger", "Creates or changes an object: one that is kept here, or a Workflow, which the built-in "
	"engine runs.",
	sizeof(struct k8s_trigger), (const struct field[]){
	FIELD(struct k8s_trigger, live_object, "liveObject", 0, .doc = "With update: apply parameters to the object as it is."),
	FIELD(struct k8s_trigger, operation, "operation", 0, .choices = operations, .doc = "What to do; create is the default. update merges the source over "
		"the object as it is; update and patch of what there is not create it; delete of what there is not is well. Of a Workflow, patch takes "
		"spec.suspend and spec.shutdown."),
	FIELD_LIST(struct k8s_trigger, parameters, "parameters", 0, &trigger_parameter_schema, .doc = "Values from events to put into the object."),
	FIELD(struct k8s_trigger, patch_strategy, "patchStrategy", 0, .choices = strategies, .doc = "With patch: how the source is put over the object; "
		MERGE_PATCH " is the default. With " JSON_PATCH " the operations stand in the source as the list `patch`, beside apiVersion, kind and metadata."),
	FIELD_PTR(struct k8s_trigger, source, "source", 0, &manifest_source_schema, .doc = "The object."),
	FIELD_SRC(struct k8s_trigger, src),
	{ 0 } }, check };

/* ---- what it is about ----------------------------------------------------------------------------------------------------- */

struct subject {
	struct firing *f;
	const struct k8s_trigger *t;
	const struct kind *kind;
	str ns, name;
	const struct val *object;
	struct object *now; /* as it is; NULL: there is none. Of a Workflow always */
};

static const struct kind *
kind_of(const struct objects *os, const struct val *object, struct err *e)
{
	str name = val_get_str(object, "kind"), api = val_get_str(object, "apiVersion");
	const struct kind *k = objects_kind(os, name);
	if (k && str_eq(name, str_c(k->name)) && str_eq(api, str_c(k->api)))
		return k;
	if (k && str_eq(name, str_c(k->name)))
		err_set(e, ERR_INVALID, "wrong version for a %s: write apiVersion: %s", k->name, k->api);
	else
		err_set(e, ERR_UNSUPPORTED, "objects of kind \"%.*s\" (%.*s) are not served: there is no cluster; a Workflow can run what it would",
		        STR_ARG(str_slice(name, 0, 80)), STR_ARG(str_slice(api, 0, 80)));
	return NULL;
}

static str
namespace_of(struct firing *f, const struct kind *k, const struct val *object)
{
	str ns = val_get_str(val_get(object, S("metadata")), "namespace");
	return k->cluster ? S("") : ns.n ? ns : firing_ns(f);
}

static int
find_subject(struct firing *f, struct subject *s, struct err *e)
{
	const struct val *object = firing_source(f), *meta = val_get(object, S("metadata"));
	struct arena *a = firing_arena(f);
	*s = (struct subject){ .f = f, .t = firing_config(f), .kind = kind_of(firing_env(f)->objects, object, e), .object = object,
		               .name = val_get_str(meta, "name") };
	if (!s->kind)
		return -1;
	s->ns = namespace_of(f, s->kind, object);
	struct val ns = val_str(s->ns);
	if (!s->kind->cluster)
		s->object = val_set(a, object, S("metadata"), val_set(a, meta, S("namespace"), &ns));
	s->now = s->kind->instance || !s->name.n ? NULL : objects_find(firing_env(f)->objects, s->kind, s->ns, s->name);
	bool create = !s->t->operation.n || str_eq(s->t->operation, S("create"));
	if (!s->name.n && !(create && val_get_str(meta, "generateName").n))
		return err_set(e, ERR_INVALID, "k8s %.*s: metadata.name%s must be given", STR_ARG(create ? S("create") : s->t->operation),
		               create ? " or metadata.generateName" : "");
	return 0;
}

/* ops->object: with liveObject the parameters are for the object as it is. */
static const struct val *
live_object(struct firing *f, const struct val *object, struct err *e)
{
	const struct val *live = val_get(firing_spec(f), S("liveObject"));
	if (!val_is_true(live) || !str_eq(val_get_str(firing_spec(f), "operation"), S("update")))
		return object;
	const struct kind *k = kind_of(firing_env(f)->objects, object, e);
	str name = val_get_str(val_get(object, S("metadata")), "name");
	if (!k)
		return NULL;
	if (k->instance || !name.n) {
		err_set(e, ERR_INVALID, k->instance ? "liveObject: a %s cannot be updated" : "resource name must be specified for fetching live object", k->name);
		return NULL;
	}
	const struct object *o = objects_find(firing_env(f)->objects, k, namespace_of(f, k, object), name);
	if (!o)
		err_set(e, ERR_NOT_FOUND, "%.*s \"%.*s\" not found", STR_ARG(kept_resource_name(firing_arena(f), k)), STR_ARG(name));
	return o ? val_resolve_all(firing_arena(f), o->manifest) : NULL;
}

/* ---- objects that are kept -------------------------------------------------------------------------------------------------- */

static void
tell(struct firing *f)
{
	if (firing_env(f)->changed)
		firing_env(f)->changed(firing_env(f)->arg);
}

static int
refuse_file(const struct subject *s, struct err *e)
{
	return s->now && s->now->file.n ? err_set(e, ERR_EXISTS, "it comes from %.*s: change it there", STR_ARG(s->now->file)) : 0;
}

static int
sum_up(const struct diags *d, struct err *e)
{
	for (size_t i = 0; i < d->v.n; i++)
		if (d->v.p[i].level == DIAG_ERROR)
			return err_set(e, ERR_INVALID, "%.*s: %.*s", STR_ARG(d->v.p[i].path), STR_ARG(d->v.p[i].text));
	return err_set(e, ERR_INVALID, "the object is wrong");
}

static int
check_room(const struct subject *s, const struct val *manifest, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	if (!s->now && objects_count(firing_env(s->f)->objects) >= OBJECTS_MAX)
		return err_set(e, ERR_LIMIT, "%d objects are kept: no more can be made", OBJECTS_MAX);
	if (json_write(a, manifest).n > OBJECT_BYTES_MAX)
		return err_set(e, ERR_LIMIT, "the object is larger than %d bytes", OBJECT_BYTES_MAX);
	return 0;
}

/* The object, from now on. */
static int
keep(const struct subject *s, const struct val *manifest, struct err *e)
{
	const struct trigger_env *env = firing_env(s->f);
	struct arena *a = firing_arena(s->f);
	struct diags d;
	if (check_room(s, manifest, e) < 0)
		return -1;
	diags_init(&d);
	manifest = kept_identity(env->objects, a, manifest, s->now, loop_now(env->loop));
	struct object *o = kept_decode(env->objects, manifest, s->ns, &d);
	int rc = o ? 0 : sum_up(&d, e);
	diags_free(&d);
	if (!o)
		return rc;
	if (env->revisions)
		revisions_origin(env->revisions, arena_fmt(a, "sensor %.*s", STR_ARG(firing_sensor(s->f))));
	kept_put(env->store, env->objects, o, manifest, NULL, NULL);
	tell(s->f);
	trigger_done_with(s->f, s->kind->name, o->ns, o->name);
	object_unref(o);
	return 0;
}

static int
create(const struct subject *s, struct err *e)
{
	if (s->now)
		return err_set(e, ERR_EXISTS, "%.*s \"%.*s\" already exists", STR_ARG(kept_resource_name(firing_arena(s->f), s->kind)), STR_ARG(s->name));
	return keep(s, trigger_labelled(s->f, s->object), e);
}

/* The source over what there is: maps merge, everything else is replaced. */
static int
update(const struct subject *s, struct err *e)
{
	if (refuse_file(s, e) < 0)
		return -1;
	return keep(s, s->now ? val_merge_patch(firing_arena(s->f), s->now->manifest, s->object) : s->object, e);
}

static int
patch(const struct subject *s, struct err *e)
{
	struct arena *a = firing_arena(s->f);
	str how = s->t->patch_strategy;
	const struct val *list = val_get(s->object, S("patch")), *after;
	if (!s->now && str_eq(how, S(JSON_PATCH)))
		return err_set(e, ERR_NOT_FOUND, "%.*s \"%.*s\" not found", STR_ARG(kept_resource_name(a, s->kind)), STR_ARG(s->name));
	if (!s->now)
		return keep(s, s->object, e);
	if (str_eq(how, S(APPLY_PATCH)))
		return err_set(e, ERR_UNSUPPORTED, "patchStrategy " APPLY_PATCH " is not served");
	if (str_eq(how, S(JSON_PATCH)))
		after = json_patch(a, s->now->manifest, list, e);
	else if (str_eq(how, S(STRATEGIC_PATCH)))
		after = val_merge(a, s->now->manifest, s->object);
	else
		after = val_merge_patch(a, s->now->manifest, s->object);
	if (!after || refuse_file(s, e) < 0)
		return -1;
	return keep(s, after, e);
}

static int
take_away(const struct subject *s, struct err *e)
{
	const struct trigger_env *env = firing_env(s->f);
	if (refuse_file(s, e) < 0)
		return -1;
	if (s->now) {
		kept_del(env->store, env->objects, s->kind, s->ns, s->name, NULL, NULL);
		tell(s->f);
	}
	firing_done(s->f, NULL, NULL);
	return 0;
}

/* ---- Workflows -------------------------------------------------------------------------------------------------------------- */

/* Without labels, as in Argo. */
static void
submit_as_it_is(struct firing *f)
{
	trigger_submit(f, firing_source(f), NULL);
}

static void
is_well(struct firing *f)
{
	firing_done(f, NULL, NULL);
}

static int
create_workflow(const struct subject *s, struct err *e UNUSED)
{
	trigger_submit(s->f, trigger_labelled(s->f, s->object), NULL);
	return 0;
}

static void
updated(void *arg, const struct val *workflow, const struct err *failure)
{
	struct firing *f = arg;
	struct err e = { 0 };
	if (failure && failure->code == ERR_NOT_FOUND && !firing_is_over(f)) {
		submit_as_it_is(f);
		return;
	}
	if (failure)
		e = *failure;
	else
		err_set(&e, ERR_UNSUPPORTED, "workflow %.*s is there, and runs with what it began with: it cannot be updated; patch takes spec.suspend and "
		        "spec.shutdown, and argoWorkflow has the other operations", STR_ARG(val_get_str(val_get(workflow, S("metadata")), "name")));
	firing_done(f, &e, NULL);
}

static int
update_workflow(const struct subject *s, struct err *e UNUSED)
{
	engine_get(firing_env(s->f)->engine, s->ns, s->name, true, updated, s->f);
	return 0;
}

/* The two fields by which kubectl, and Argo's own server, suspend and stop. */
static int
patch_workflow(const struct subject *s, struct err *e)
{
	const struct val *spec = val_get(s->object, S("spec")), *suspend = val_get(spec, S("suspend"));
	str how = val_get_str(spec, "shutdown");
	bool stops = str_eq(how, S("Stop")), ends = str_eq(how, S("Terminate"));
	if (!val_is(spec, VAL_MAP) || spec->n != 1 || (!suspend && !stops && !ends))
		return err_set(e, ERR_UNSUPPORTED, "workflow %.*s: patch takes either spec.suspend or spec.shutdown (Stop, Terminate)", STR_ARG(s->name));
	enum verb v = stops ? VERB_STOP : ends ? VERB_TERMINATE : val_is_true(suspend) ? VERB_SUSPEND : VERB_RESUME;
	trigger_verb(s->f, v, s->ns, s->name, NULL, submit_as_it_is);
	return 0;
}

static int
delete_workflow(const struct subject *s, struct err *e UNUSED)
{
	trigger_verb(s->f, VERB_DELETE, s->ns, s->name, NULL, is_well);
	return 0;
}

/* ---- all of them -------------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*kept)(const struct subject *s, struct err *e);
	int (*workflow)(const struct subject *s, struct err *e);
} acts[] = {
	{ "create", create, create_workflow },
	{ "update", update, update_workflow },
	{ "patch", patch, patch_workflow },
	{ "delete", take_away, delete_workflow },
};

static void
fire(struct firing *f)
{
	struct subject s;
	struct err e = { 0 };
	int rc = find_subject(f, &s, &e);
	str operation = rc == 0 && s.t->operation.n ? s.t->operation : S("create");
	for (size_t i = 0; i < ARRAY_LEN(acts) && rc == 0; i++)
		if (str_eq(operation, str_c(acts[i].name))) {
			rc = s.kind->instance ? acts[i].workflow(&s, &e) : acts[i].kept(&s, &e);
			break;
		}
	if (rc < 0)
		firing_done(f, &e, NULL);
}

static int
submits(struct firing *f, const struct val **out, struct err *e)
{
	struct subject s;
	*out = NULL;
	if (!firing_source(f)) /* it lies elsewhere, and was not read */
		return 0;
	if (find_subject(f, &s, e) < 0)
		return -1;
	if (s.kind->instance && (!s.t->operation.n || str_eq(s.t->operation, S("create"))))
		*out = trigger_labelled(f, s.object);
	return 0;
}

const struct trigger_ops trigger_k8s = { .kind = "k8s", .doc = "Creates, updates, patches and deletes objects.", .schema = &k8s_schema, .fire = fire,
	.inside = true, .object = live_object, .submits = submits, .resume = trigger_resume };
