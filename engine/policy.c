/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy: what the daemon's settings say of every workflow that is submitted: defaults below it (spec 1.9), and what it must be made from
 * (workflowRestrictions; config/config.go and workflow/controller/operator.go of v4.1.2).
 */
#include "engine/shell.h"

/* ---- defaults ------------------------------------------------------------------------------------------------ */

static const struct val *
under(struct arena *a, const struct val *meta, const struct val *defaults, const char *what)
{
	const struct val *base = val_get(defaults, str_c(what)), *own = val_get(meta, str_c(what));
	if (!val_is(base, VAL_MAP) || !base->n)
		return meta;
	for (uint32_t i = 0; val_is(own, VAL_MAP) && i < own->n; i++)
		base = val_set(a, base, val_key(&own->members[i]), &own->members[i].value);
	return val_set(a, meta, str_c(what), base);
}

/* Below a workflowTemplateRef the spec's defaults come under the template's: run_merged_spec. */
const struct val *
policy_defaults(const struct engine *g, struct arena *a, const struct val *manifest)
{
	const struct val *defaults = g->settings->workflow_defaults, *meta = val_get(defaults, S("metadata")), *spec = val_get(manifest, S("spec"));
	if (!defaults)
		return manifest;
	const struct val *own = under(a, under(a, val_get(manifest, S("metadata")), meta, "labels"), meta, "annotations");
	if (own)
		manifest = val_set(a, manifest, S("metadata"), own);
	if (!spec || val_get(spec, S("workflowTemplateRef")))
		return manifest;
	return val_set(a, manifest, S("spec"), run_joined_spec(a, val_get(defaults, S("spec")), spec));
}

/* ---- restrictions -------------------------------------------------------------------------------------------- */

static bool
is_allowed(str key)
{
	static const char *const allowed[] = { "arguments", "entrypoint", "shutdown", "suspend", "activeDeadlineSeconds", "priority", "ttlStrategy", "podGC",
		"volumeClaimGC", "archiveLogs", "workflowMetadata", "workflowTemplateRef", "metrics", "artifactGC" };
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (str_eq(key, str_c(allowed[i])))
			return true;
	return false;
}

int
policy_check(const struct engine *g, const struct val *manifest, struct err *e)
{
	const struct val *spec = val_get(manifest, S("spec"));
	if (!g->settings->restrictions.template_referencing)
		return 0;
	if (!val_get(spec, S("workflowTemplateRef")))
		return err_set(e, ERR_DENIED, "workflows must use workflowTemplateRef to be executed when the controller is in reference mode");
	for (uint32_t i = 0; val_is(spec, VAL_MAP) && i < spec->n; i++)
		if (!is_allowed(val_key(&spec->members[i])))
			return err_set(e, ERR_DENIED, "spec.%.*s: may not be set beside workflowTemplateRef when the controller is in reference mode",
				STR_ARG(val_key(&spec->members[i])));
	return 0;
}
