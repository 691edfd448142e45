/* SPDX-License-Identifier: Apache-2.0 */
/* k8s: creates an object. A Workflow runs on the built-in engine; other kinds are not served yet. */
#include "triggers/manifest_source.h"
#include "triggers/parameter.h"
#include "triggers/submit.h"

struct k8s_trigger {
	str operation, patch_strategy;
	bool live_object;
	struct manifest_source *source;
	LIST_OF(struct trigger_parameter) parameters;
	const struct val *src;
};

static const char *const operations[] = { "", "create", "update", "patch", "delete", NULL };

/* R8, R9 of spec events 5.4. */
static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct k8s_trigger *t = obj;
	if (!t->source)
		decode_error(c, in, "source", "source must be specified: {resource: ...}");
	if (t->operation.n && !str_eq(t->operation, S("create")))
		decode_later(c, in, "operation", "operation %.*s is not served yet, only create is", STR_ARG(t->operation));
	str kind = val_get_str(t->source ? t->source->resource : NULL, "kind");
	if (kind.n && !str_eq(kind, S("Workflow")))
		decode_later(c, t->source->resource, "kind", "creating a %.*s is not served yet, only a Workflow is", STR_ARG(kind));
}

static const struct schema k8s_schema = { "StandardK8STrigger", "Creates an object: a Workflow, which the built-in engine runs.",
	sizeof(struct k8s_trigger), (const struct field[]){
	FIELD(struct k8s_trigger, live_object, "liveObject", LATER, .doc = "With update: apply parameters to the object as it is."),
	FIELD(struct k8s_trigger, operation, "operation", 0, .choices = operations, .doc = "What to do; create is served, and the default."),
	FIELD_LIST(struct k8s_trigger, parameters, "parameters", 0, &trigger_parameter_schema, .doc = "Values from events to put into the object."),
	FIELD(struct k8s_trigger, patch_strategy, "patchStrategy", LATER, .doc = "With patch: how to patch."),
	FIELD_PTR(struct k8s_trigger, source, "source", 0, &manifest_source_schema, .doc = "The object."),
	FIELD_SRC(struct k8s_trigger, src),
	{ 0 } }, check };

static int
is_served(struct firing *f, struct err *e)
{
	const struct k8s_trigger *t = firing_config(f);
	str kind = val_get_str(firing_source(f), "kind");
	if (t->operation.n && !str_eq(t->operation, S("create")))
		return err_set(e, ERR_UNSUPPORTED, "k8s operation %.*s is not served yet", STR_ARG(t->operation));
	if (!str_eq(kind, S("Workflow")))
		return err_set(e, ERR_UNSUPPORTED, "creating an object of kind %.*s is not served yet, only a Workflow is", STR_ARG(kind));
	return 0;
}

static void
fire(struct firing *f)
{
	struct err e = { 0 };
	if (is_served(f, &e) < 0)
		firing_done(f, &e, NULL);
	else
		trigger_submit(f);
}

const struct trigger_ops trigger_k8s = { .kind = "k8s", .doc = "Creates an object.", .schema = &k8s_schema, .fire = fire, .inside = true };
