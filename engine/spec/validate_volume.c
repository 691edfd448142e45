/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate_volume: what is wrong with volumes and with who mounts them (spec 1.4), which otherwise shows when a step fails for it. Kubernetes refuses the pod
 * then, and Argo does not look: hence warnings.
 */
#include "core/quantity.h"
#include "engine/spec/validate.h"

static bool
leaves(str path)
{
	for (str rest = path; rest.n;)
		if (str_eq(str_cut(&rest, '/'), S("..")))
			return true;
	return path.n && path.p[0] == '/';
}

static void
warn_leaves(struct check *k, const struct val *at, str path)
{
	if (leaves(path) && !check_has_tag(path))
		check_warn(k, at, "\"%.*s\" must be relative and without ..: the step will fail", STR_ARG(path));
}

static void
warn_relative(struct check *k, const struct val *at, str path)
{
	if (path.n && path.p[0] != '/' && !check_has_tag(path))
		check_warn(k, at, "\"%.*s\" is not an absolute path: the step will fail", STR_ARG(path));
}

/* ---- mounts --------------------------------------------------------------------------------------------------- */

static bool
has_volume(const struct check *k, const struct template *t, str name)
{
	const struct workflow_spec *w = &k->owners->spec;
	const struct val *claims = val_get(w->src, S("volumeClaimTemplates"));

	for (size_t i = 0; i < t->volumes.n; i++)
		if (str_eq(t->volumes.p[i].name, name) || check_has_tag(t->volumes.p[i].name))
			return true;
	for (size_t i = 0; i < w->volumes.n; i++)
		if (str_eq(w->volumes.p[i].name, name) || check_has_tag(w->volumes.p[i].name))
			return true;
	for (uint32_t i = 0; val_is(claims, VAL_LIST) && i < claims->n; i++) {
		str claim = val_get_str(val_get(&claims->items[i], S("metadata")), "name");

		if (str_eq(claim, name) || check_has_tag(claim))
			return true;
	}
	return false;
}

void
check_volume_mount(struct check *k, const struct template *t, const struct volume_mount *m)
{
	warn_relative(k, val_get(m->src, S("mountPath")), m->mount_path);
	warn_leaves(k, val_get(m->src, S("subPath")), m->sub_path);
	if (k->mode == VALIDATE_TEMPLATE || k->owners->spec.template_defaults || !m->name.n || check_has_tag(m->name) || has_volume(k, t, m->name))
		return;
	diag_hint(k->diags, check_warn(k, val_get(m->src, S("name")), "no volume is called \"%.*s\": the step will fail", STR_ARG(m->name)),
		"add it to the volumes of the template or of the workflow");
}

/* ---- volumes -------------------------------------------------------------------------------------------------- */

static void
check_items(struct check *k, const struct val *items)
{
	for (uint32_t i = 0; val_is(items, VAL_LIST) && i < items->n; i++)
		warn_leaves(k, val_get(&items->items[i], S("path")), val_get_str(&items->items[i], "path"));
}

static void
check_size(struct check *k, const struct volume *v)
{
	str size = v->empty_dir ? v->empty_dir->size_limit.text : STR_NONE;
	int64_t bytes;
	struct err e;

	if (size.n && !check_has_tag(size) && quantity_bytes(size, &bytes, &e) < 0)
		check_warn(k, val_path(v->src, "emptyDir.sizeLimit"), "%s: the step will fail", e.msg);
}

void
check_volumes(struct check *k, const struct volume *list, size_t n)
{
	static const char *const with_items[] = { "configMap.items", "secret.items", "downwardAPI.items" };

	for (size_t i = 0; i < n; i++) {
		const struct val *v = list[i].src, *sources = val_path(v, "projected.sources");

		for (size_t j = 0; j < i; j++)
			if (list[i].name.n && str_eq(list[i].name, list[j].name)) {
				check_warn(k, val_get(v, S("name")), "a second volume \"%.*s\": the first one is mounted", STR_ARG(list[i].name));
				break;
			}
		if (list[i].host_path)
			warn_relative(k, val_path(v, "hostPath.path"), list[i].host_path->path);
		check_size(k, &list[i]);
		for (size_t j = 0; j < ARRAY_LEN(with_items); j++) {
			check_items(k, val_path(v, with_items[j]));
			for (uint32_t s = 0; val_is(sources, VAL_LIST) && s < sources->n; s++)
				check_items(k, val_path(&sources->items[s], with_items[j]));
		}
	}
}
