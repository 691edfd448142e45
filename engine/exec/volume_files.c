/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume_files: volumes of files that are made of other objects: ConfigMap, Secret, downwardAPI, projected. The helper gets their bytes and writes them
 * to memory that only the step sees. What changes later is not followed: a step sees its files as they were when it began.
 */
#include "engine/exec/exec.h"

#define DEFAULT_MODE 0644
#define PATH_LONGEST 2048 /* of a file inside a volume, in bytes: the helper has its own path before it */

/* A path of a file inside a volume: relative, without a way out. */
bool
volume_path(str path)
{
	if (!path.n || path.p[0] == '/' || memchr(path.p, 0, path.n))
		return false;
	for (str rest = path; rest.n;)
		if (str_eq(str_cut(&rest, '/'), S("..")))
			return false;
	return true;
}

static int
write_file(struct task *t, str path, str data, int64_t mode, struct err *e)
{
	if (!volume_path(path))
		return err_set(
			e, ERR_INVALID, "path \"%.*s\" in a volume: must be relative and without ..", STR_ARG(path));
	if (path.n > PATH_LONGEST)
		return err_set(e, ERR_INVALID, "path \"%.*s...\" in a volume: longer than %d bytes", STR_ARG(str_slice(path, 0, 80)), PATH_LONGEST);
	record_add(&t->records, TASK_FILE, arena_fmt(t->arena, "%llo %.*s", (unsigned long long)mode, STR_ARG(path)));
	record_add(&t->records, TASK_FILE_DATA, data);
	return 0;
}

static const str *
object_data(const struct config_map *m, str key)
{
	const str *s = env_get(&m->data, key);
	return s ? s : env_get(&m->binary_data, key);
}

static int64_t
mode_of(const struct opt_int *given)
{
	return given->set ? given->v : DEFAULT_MODE;
}

/* The keys of an object that may be missing, or all of it. */
static int
write_keys(struct task *t, const char *kind, const struct object_volume *v, const struct config_map *m, int64_t mode, struct err *e)
{
	for (size_t i = 0; i < v->items.n; i++) {
		const struct key_to_path *item = &v->items.p[i];
		const str *data = object_data(m, item->key);
		if (!data && !v->optional)
			return err_set(e, ERR_NOT_FOUND, "%s \"%.*s\" has no key \"%.*s\"", kind, STR_ARG(v->name), STR_ARG(item->key));
		if (data && write_file(t, item->path, *data, item->mode.set ? item->mode.v : mode, e) < 0)
			return -1;
	}
	for (size_t i = 0; !v->items.n && i < m->data.n; i++)
		if (write_file(t, m->data.p[i].key, m->data.p[i].value, mode, e) < 0)
			return -1;
	for (size_t i = 0; !v->items.n && i < m->binary_data.n; i++)
		if (write_file(t, m->binary_data.p[i].key, m->binary_data.p[i].value, mode, e) < 0)
			return -1;
	return 0;
}

static int
write_object(struct task *t, str ns, const char *kind, const struct object_volume *v, int64_t mode, struct err *e)
{
	const struct object *o = objects_find_named(t->x->objects, kind, ns, v->name);
	if (o)
		return write_keys(t, kind, v, o->spec, mode, e);
	return v->optional ? 0 : err_set(e, ERR_NOT_FOUND, "there is no %s \"%.*s\" in namespace %.*s", kind, STR_ARG(v->name), STR_ARG(ns));
}

/* ---- fields of the pod ------------------------------------------------------------------------------------------- */

static const struct container *
find_in(const struct container *list, size_t n, str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].name, name))
			return &list[i];
	return NULL;
}

/* NULL: the pod has no container of that name. */
static const struct container *
container_of_pod(const struct template *t, str name)
{
	const struct container_set *set = t->container_set;
	const struct container *c = find_in(t->init_containers.p, t->init_containers.n, name);
	if (!c)
		c = find_in(t->sidecars.p, t->sidecars.n, name);
	if (!c && set)
		return find_in(set->containers.p, set->containers.n, name);
	return c || !str_eq(name, S("main")) ? c : t->script ? t->script : t->container;
}

static int
resource_text(struct task *t, const struct task_spec *spec, const struct val *ref, str *out, struct err *e)
{
	str name = val_get_str(ref, "containerName");
	const struct container *c = container_of_pod(spec->tmpl, name);
	if (!c)
		return err_set(e, ERR_NOT_FOUND, "resourceFieldRef: the pod has no container \"%.*s\"", STR_ARG(name));
	return resource_field(t->arena, c, name, ref, out, e);
}

static int
write_downward(struct task *t, const struct task_spec *spec, const struct downward_volume *v, int64_t mode, struct err *e)
{
	for (size_t i = 0; i < v->items.n; i++) {
		const struct downward_file *f = &v->items.p[i];
		str text;
		int rc = f->field_ref ? pod_field(t->arena, spec, f->field_ref, &text, e) : resource_text(t, spec, f->resource_field_ref, &text, e);
		if (rc < 0 || write_file(t, f->path, text, f->mode.set ? f->mode.v : mode, e) < 0)
			return -1;
	}
	return 0;
}

static int
write_projected(struct task *t, const struct task_spec *spec, const struct projected_volume *v, struct err *e)
{
	int64_t mode = mode_of(&v->default_mode);
	for (size_t i = 0; i < v->sources.n; i++) {
		const struct projection *p = &v->sources.p[i];
		int rc = p->config_map ? write_object(t, spec->ns, "ConfigMap", p->config_map, mode, e)
			 : p->secret   ? write_object(t, spec->ns, "Secret", p->secret, mode, e)
			 : p->downward ? write_downward(t, spec, p->downward, mode, e)
				       : err_set(e, ERR_UNSUPPORTED, "sources[%zu]: only configMap, secret and downwardAPI are served", i);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ---- a volume ---------------------------------------------------------------------------------------------------- */

bool
volume_is_files(const struct volume *v)
{
	return v->config_map || v->secret || v->downward || v->projected;
}

int
volume_files_write(struct task *t, const struct task_spec *spec, const struct volume *v, struct err *e)
{
	record_add(&t->records, TASK_VOLUME_FILES, S(""));
	if (v->config_map)
		return write_object(t, spec->ns, "ConfigMap", v->config_map, mode_of(&v->config_map->default_mode), e);
	if (v->secret)
		return write_object(t, spec->ns, "Secret", v->secret, mode_of(&v->secret->default_mode), e);
	if (v->downward)
		return write_downward(t, spec, v->downward, mode_of(&v->downward->default_mode), e);
	return write_projected(t, spec, v->projected, e);
}
