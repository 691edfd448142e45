/* SPDX-License-Identifier: Apache-2.0 */
/* Validation: whatever decodes as a Workflow, WorkflowTemplate or CronWorkflow can be validated, and each finding has a text. */
#include "engine/engine.h"
#include "engine/run/run.h"
#include "engine/spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct kind *const kinds[] = { &kind_workflow, &kind_workflowtemplate, &kind_clusterworkflowtemplate, &kind_cronworkflow,
	&kind_workfloweventbinding };

/* Every template that is asked for is the document's own spec: references lead back to themselves. */
static const struct val *
template_spec(void *arg, bool cluster, str ns, str name)
{
	(void)ns;
	return cluster || str_eq(name, S("gone")) ? NULL : arg;
}

static void
validate(const struct val *doc, enum validate_mode mode)
{
	const struct val *spec = val_get(doc, S("spec"));
	union {
		const struct val *in;
		void *out;
	} arg = { .in = spec };
	const struct run_world world = { .template_spec = template_spec, .arg = arg.out };
	struct diags d;

	diags_init(&d);
	workflow_validate(doc, mode, &world, S("default"), &d);
	for (size_t i = 0; i < d.v.n; i++)
		assert(d.v.p[i].text.n);
	diags_free(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct val_limits limits = { .depth = 40, .nodes = 3000, .bytes = 50000 };
	struct arena *a = arena_new();
	struct val *docs;
	struct diags d;
	size_t n;

	diags_init(&d);
	if (yaml_read_all(a, S("f.yaml"), (str){ (const char *)data, size }, &limits, &docs, &n, &d) == 0)
		for (size_t i = 0; i < n; i++) {
			struct object *o = object_decode(kinds, ARRAY_LEN(kinds), &docs[i], S("f.yaml"), S("default"), &d);

			for (int mode = VALIDATE_SUBMIT; o && mode <= VALIDATE_TEMPLATE; mode++)
				validate(o->manifest, (enum validate_mode)mode);
			object_unref(o);
		}
	diags_free(&d);
	arena_free(a);
	return 0;
}
