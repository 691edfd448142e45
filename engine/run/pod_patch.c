/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod_patch: what a pod gets from the workflow (hostAliases, securityContext) and from podSpecPatch, that of the workflow
 * and then the template's (spec 1.1; ApplyPodSpecPatch in workflow/util, v4.1.2). As much of a PodSpec as means something
 * here is made from the template, patched as Kubernetes patches (lists of containers and the like by their keys), and put
 * back into the template: so all that follows sees one template, and it is saved with the node.
 */
#include "core/field_kinds.h"
#include "engine/run/run_impl.h"

/* ---- Kubernetes' strategic merge --------------------------------------------------------------------------------- */

static const struct {
	const char *list, *key;
} merge_keys[] = { { "containers", "name" }, { "initContainers", "name" }, { "ephemeralContainers", "name" },
	{ "env", "name" }, { "volumes", "name" }, { "volumeMounts", "mountPath" }, { "volumeDevices", "devicePath" },
	{ "ports", "containerPort" }, { "hostAliases", "ip" }, { "imagePullSecrets", "name" } };

static const char *
merge_key(str list)
{
	for (size_t i = 0; i < ARRAY_LEN(merge_keys); i++)
		if (str_eq(list, str_c(merge_keys[i].list)))
			return merge_keys[i].key;
	return NULL;
}

static str
key_text(struct run *r, const struct val *item, const char *key)
{
	str text = any_text(r, val_get(item, str_c(key)));
	return text.p ? text : S("");
}

static bool
directs(const struct val *v, str what)
{
	return str_eq(val_get_str(v, "$patch"), what);
}

static const struct val *merge(struct run *r, const struct val *base, const struct val *patch);

static bool
is_named(struct run *r, const struct val *list, uint32_t n, const char *key, str name)
{
	for (uint32_t i = 0; i < n; i++)
		if (str_eq(key_text(r, &list->items[i], key), name))
			return true;
	return false;
}

static const struct val *
merge_list(struct run *r, const struct val *base, const struct val *patch, const char *key)
{
	struct val_list out = { 0 };
	for (uint32_t i = 0; val_is(base, VAL_LIST) && i < base->n; i++) {
		const struct val *item = &base->items[i];
		str name = key_text(r, item, key);
		bool gone = false;
		for (uint32_t k = 0; k < patch->n && !gone; k++) {
			if (!str_eq(key_text(r, &patch->items[k], key), name))
				continue;
			gone = directs(&patch->items[k], S("delete"));
			item = merge(r, item, &patch->items[k]);
		}
		if (!gone)
			val_list_add(&out, *item);
	}
	for (uint32_t k = 0; k < patch->n; k++) {
		const struct val *item = &patch->items[k];
		bool known = val_is(base, VAL_LIST) && is_named(r, base, base->n, key, key_text(r, item, key));
		if (!known && !directs(item, S("delete")))
			val_list_add(&out, *val_unset(r->arena, item, S("$patch")));
	}
	struct val *v = ARENA_NEW(r->arena, struct val);
	*v = val_list_end(&out, r->arena);
	return v;
}

static const struct val *
merge(struct run *r, const struct val *base, const struct val *patch)
{
	static const struct val empty = { .kind = VAL_MAP };
	const struct val *out = val_is(base, VAL_MAP) && !directs(patch, S("replace")) ? base : &empty;
	for (uint32_t i = 0; i < patch->n; i++) {
		str name = val_key(&patch->members[i]);
		const struct val *v = &patch->members[i].value, *old = val_get(out, name);
		const char *key = merge_key(name);
		if (str_eq(name, S("$patch")))
			continue;
		if (v->kind == VAL_NULL)
			out = val_unset(r->arena, out, name);
		else if (v->kind == VAL_MAP)
			out = val_set(r->arena, out, name, merge(r, old, v));
		else
			out = val_set(r->arena, out, name, v->kind == VAL_LIST && key ? merge_list(r, old, v, key) : v);
	}
	return out;
}

/* ---- the template as a PodSpec and back --------------------------------------------------------------------------- */

static void
add_all(struct val_list *out, const struct val *list)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		val_list_add(out, list->items[i]);
}

static const struct val *
joined(struct run *r, const struct val *a, const struct val *b)
{
	struct val_list out = { 0 };
	struct val *v = ARENA_NEW(r->arena, struct val);
	add_all(&out, a);
	add_all(&out, b);
	*v = val_list_end(&out, r->arena);
	return v;
}

static const char *
body_key(const struct template *t)
{
	return t->script ? "script" : "container";
}

static const struct val *
containers_of(struct run *r, const struct template *t, const struct val *body)
{
	const struct val *sidecars = val_get(body, S("sidecars"));
	struct val name = val_str(S("main"));
	struct val_list one = { 0 };
	if (t->container_set)
		return joined(r, val_get(t->container_set->src, S("containers")), sidecars);
	val_list_add(&one, *val_set(r->arena, val_get(body, str_c(body_key(t))), S("name"), &name));
	struct val main = val_list_end(&one, r->arena);
	return joined(r, &main, sidecars);
}

static const struct val *
with(struct run *r, const struct val *map, const char *key, const struct val *v)
{
	bool none = !v || (v->kind == VAL_LIST && !v->n);
	return none ? val_unset(r->arena, map, str_c(key)) : val_set(r->arena, map, str_c(key), v);
}

static const struct val *
pod_of(struct run *r, const struct template *t, const struct val *body)
{
	static const struct val empty = { .kind = VAL_MAP };
	const struct val *own = val_get(body, S("securityContext"));
	const struct val *pod = with(r, &empty, "containers", containers_of(r, t, body));
	pod = with(r, pod, "initContainers", val_get(body, S("initContainers")));
	pod = with(r, pod, "volumes", joined(r, val_get(body, S("volumes")), val_get(r->spec, S("volumes"))));
	pod = with(r, pod, "hostAliases", joined(r, val_get(r->spec, S("hostAliases")), val_get(body, S("hostAliases"))));
	return with(r, pod, "securityContext", own ? own : val_get(r->spec, S("securityContext")));
}

/* What Argo adds to a pod by itself, to move artifacts and to watch over it: a patch may give it resources, but it is not here. */
static bool
is_of_argo(str name)
{
	return str_eq(name, S("init")) || str_eq(name, S("wait"));
}

static const struct val *
init_containers_of(struct run *r, const struct val *body, const struct val *pod)
{
	const struct val *list = val_get(pod, S("initContainers")), *own = val_get(body, S("initContainers"));
	struct val_list kept = { 0 };
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		str name = val_get_str(&list->items[i], "name");
		if (!is_of_argo(name) || (val_is(own, VAL_LIST) && is_named(r, own, own->n, "name", name)))
			val_list_add(&kept, list->items[i]);
	}
	struct val *v = ARENA_NEW(r->arena, struct val);
	*v = val_list_end(&kept, r->arena);
	return v;
}

/* A container that the patch adds runs beside the others. */
static const struct val *
template_of(struct run *r, const struct template *t, const struct val *body, const struct val *pod)
{
	const struct val *list = val_get(pod, S("containers")), *members = val_path(body, "containerSet.containers");
	struct val_list sides = { 0 }, set = { 0 };
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *c = &list->items[i];
		str name = val_get_str(c, "name");
		if (val_is(members, VAL_LIST) && is_named(r, members, members->n, "name", name))
			val_list_add(&set, *c);
		else if (!t->container_set && str_eq(name, S("main")))
			body = val_set(r->arena, body, str_c(body_key(t)), c);
		else if (!is_of_argo(name))
			val_list_add(&sides, *c);
	}
	struct val side_list = val_list_end(&sides, r->arena), set_list = val_list_end(&set, r->arena);
	body = with(r, body, "sidecars", val_is(&side_list, VAL_LIST) && side_list.n ? joined(r, &side_list, NULL) : NULL);
	if (t->container_set)
		body = val_set(r->arena, body, S("containerSet"),
			val_set(r->arena, val_get(body, S("containerSet")), S("containers"), joined(r, &set_list, NULL)));
	body = with(r, body, "initContainers", init_containers_of(r, body, pod));
	static const char *const same[] = { "volumes", "hostAliases", "securityContext" };
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		body = with(r, body, same[i], val_get(pod, str_c(same[i])));
	const struct val *deadline = val_get(pod, S("activeDeadlineSeconds"));
	return deadline ? val_set(r->arena, body, S("activeDeadlineSeconds"), deadline) : body;
}

/* ---- volumes ------------------------------------------------------------------------------------------------------ */

int
volumes_put(struct run *r, struct arena *a, const struct def *d, struct processed *p, struct scope *x, struct err *e)
{
	const struct val *all = val_get(r->spec, S("volumes")), *put;
	struct scope caller = scope_of_caller(r, x->call);
	struct tag_scope outer = scope_tags(&caller), inner = scope_tags(x);
	if (!val_is(all, VAL_LIST) || !all->n)
		return 0;
	put = tags_put(a, all, &outer, e);
	put = put ? tags_put(a, put, &inner, e) : NULL;
	if (!put)
		return err_wrap(e, "volumes");
	if (put == all)
		return 0;
	p->body = with(r, p->body, "volumes", joined(r, val_get(p->body, S("volumes")), put));
	const struct template *t = template_decode(r, r->tmp, p->body, d->name, false, e);
	if (!t)
		return err_wrap(e, "volumes");
	p->tmpl = t;
	return 0;
}

/* ---- patches ------------------------------------------------------------------------------------------------------ */

static int
check_fields(const struct val *patch, struct err *e)
{
	for (uint32_t i = 0; i < patch->n; i++) {
		const str name = val_key(&patch->members[i]);
		if (!field_find(&pod_spec_schema, name) && !str_eq(name, S("$patch")))
			return err_set(e, ERR_INVALID, "unable to find api field in struct PodSpec for the json field \"%.*s\"",
				STR_ARG(name));
	}
	return 0;
}

static int
apply(struct run *r, str text, const struct val **pod, struct err *e)
{
	const struct val *patch;
	struct val *typed = ARENA_NEW(r->arena, struct val);
	if (!text.n)
		return 0;
	if (pod_spec_read(r->arena, text, &patch, e) || check_fields(patch, e))
		return err_wrap(e, "Error applying PodSpecPatch");
	*typed = val_typed(r->arena, patch);
	*pod = merge(r, *pod, typed);
	return 0;
}

int
pod_patch(struct run *r, const struct def *d, struct processed *p, struct scope *x, int64_t *grace, struct err *e)
{
	str general = val_get_str(r->spec, "podSpecPatch"), own = p->tmpl->pod_spec_patch;
	const struct val *seconds;
	struct tag_scope ts = { .look = scope_look, .arg = x };
	if (!general.n && !own.n && !val_get(r->spec, S("hostAliases")) && !val_get(r->spec, S("securityContext")))
		return 0;
	if (general.n && tags_in(general) && tags_put_text(r->arena, general, &ts, &general, e))
		return -1;
	const struct val *pod = pod_of(r, p->tmpl, p->body);
	if (apply(r, general, &pod, e) || apply(r, own, &pod, e))
		return -1;
	const struct val *body = template_of(r, p->tmpl, p->body, pod);
	const struct template *t = template_decode(r, r->tmp, body, d->name, false, e);
	if (!t)
		return err_wrap(e, "Error applying PodSpecPatch");
	p->body = body;
	p->tmpl = t;
	seconds = val_get(pod, S("terminationGracePeriodSeconds"));
	if (seconds && (!val_to_i64(seconds, grace) || *grace < 0))
		return err_set(e, ERR_INVALID, "Error applying PodSpecPatch: terminationGracePeriodSeconds must be a number from 0");
	return 0;
}
