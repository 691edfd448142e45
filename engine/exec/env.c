/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env: the environment of a step. Nothing of the daemon's own goes in. In order, later ones replacing earlier ones of
 * the same name: what every container has, the image's, envFrom, env (each may use those before it), Argo's own.
 */
#include <ctype.h>

#include "engine/exec/exec.h"

#define DEFAULT_PATH S("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")

/* Argo's zero time, for a step without a deadline. */
#define NO_DEADLINE S("0001-01-01T00:00:00Z")

const str *
env_get(const struct kvs *env, str name)
{
	for (size_t i = 0; i < env->n; i++)
		if (str_eq(env->p[i].key, name))
			return &env->p[i].value;
	return NULL;
}

static void
env_set(struct env *env, str name, str value)
{
	for (size_t i = 0; i < env->v.n; i++)
		if (str_eq(env->v.p[i].key, name)) {
			env->v.p[i].value = value;
			return;
		}
	*VEC_PUSH(&env->v) = (struct kv){ name, value };
}

/* Kubernetes, third_party/forked/golang/expansion/expand.go: "$(A)" is the variable, "$$" a dollar, anything else
 * itself. */
str
env_expand(struct arena *a, str text, const struct kvs *env)
{
	if (str_find_char(text, '$', 0) == SIZE_MAX)
		return text;
	struct buf out CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '$' || i + 1 == text.n) {
			buf_addc(&out, text.p[i]);
			continue;
		}
		size_t close = text.p[i + 1] == '(' ? str_find_char(text, ')', i + 2) : SIZE_MAX;
		if (text.p[i + 1] == '$') {
			buf_addc(&out, '$');
			i++;
		} else if (close != SIZE_MAX) {
			const str *value = env_get(env, str_slice(text, i + 2, close));
			buf_add(&out, value ? *value : str_slice(text, i, close + 1));
			i = close;
		} else {
			buf_addc(&out, '$');
		}
	}
	return arena_dup(a, buf_str(&out));
}

/* A name that a shell could use; Kubernetes leaves others out of envFrom. */
static bool
good_name(str name)
{
	if (!name.n || isdigit((unsigned char)name.p[0]))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!isalnum((unsigned char)name.p[i]) && !memchr("_-.", name.p[i], 3))
			return false;
	return true;
}

static int
add_from(struct env *env, struct arena *a, const struct executor *x, str ns, const struct env_from *from, struct err *e)
{
	const struct object_ref *ref = from->config_map ? from->config_map : from->secret;
	const char *kind = from->config_map ? "ConfigMap" : "Secret";
	if (!ref)
		return 0;
	const struct object *o = objects_find_named(x->objects, kind, ns, ref->name);
	if (!o)
		return ref->optional ? 0
				     : err_set(e, ERR_NOT_FOUND, "envFrom: there is no %s \"%.*s\" in namespace %.*s",
					       kind, STR_ARG(ref->name), STR_ARG(ns));
	const struct config_map *m = o->spec;
	for (size_t i = 0; i < m->data.n; i++)
		if (good_name(m->data.p[i].key))
			env_set(env, arena_fmt(a, "%.*s%.*s", STR_ARG(from->prefix), STR_ARG(m->data.p[i].key)),
				arena_dup(a, m->data.p[i].value));
	return 0;
}

/* 1: the variable has a value; 0: it has none and may; -1: it must have one. */
static int
value_from(struct arena *a, const struct executor *x, const struct task_spec *spec, const struct container *c, str name,
	const struct env_from_key *from, str *out, struct err *e)
{
	const struct secret_ref *ref = from->secret ? from->secret : from->config_map;
	if (ref) {
		int rc = from->secret ? secret_key(x->objects, spec->ns, ref->name, ref->key, out, e)
				      : config_map_key(x->objects, spec->ns, ref->name, ref->key, out, e);
		if (rc < 0)
			return ref->optional && e->code == ERR_NOT_FOUND ? 0 : -1;
		*out = arena_dup(a, *out);
		return 1;
	}
	if (from->field_ref)
		return pod_field(a, spec, from->field_ref, out, e) < 0 ? -1 : 1;
	if (from->resource_field_ref)
		return resource_field(a, c, name, from->resource_field_ref, out, e) < 0 ? -1 : 1;
	return err_set(e, ERR_UNSUPPORTED,
		"valueFrom: only secretKeyRef, configMapKeyRef, fieldRef and resourceFieldRef are served");
}

/* What the image table says besides; its folders come first in PATH, whatever the manifest sets. */
static void
add_path(struct env *env, struct arena *a, const struct image *image)
{
	const struct kvs now = { env->v.p, env->v.n };
	const str *path = env_get(&now, S("PATH"));
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; image && i < image->path.n; i++)
		buf_addf(&b, "%.*s:", STR_ARG(image->path.p[i]));
	buf_add(&b, path ? *path : DEFAULT_PATH);
	env_set(env, S("PATH"), arena_dup(a, buf_str(&b)));
}

/* Variables that Argo's executor gives every user container (spec 1.3). */
static void
add_argo(struct env *env, struct arena *a, const struct executor *x, const struct task_spec *spec, str name)
{
	bool off = x->sandbox == TASK_SANDBOX_OFF;
	env_set(env, S("ARGO_CONTAINER_NAME"), name);
	env_set(env, S("ARGO_NODE_ID"), spec->node_id);
	env_set(env, S("ARGO_INCLUDE_SCRIPT_OUTPUT"), spec->capture_result ? S("true") : S("false"));
	env_set(env, S("ARGO_DEADLINE"), spec->deadline_ns ? time_rfc3339(a, spec->deadline_ns) : NO_DEADLINE);
	env_set(env, S("ARGO_WORKFLOW_NAME"), spec->workflow);
	env_set(env, S("ARGO_PROGRESS_FILE"),
		off ? arena_fmt(a, "%s/%.*s/.progress", x->tasks_path, STR_ARG(task_dir(a, spec)))
		    : S("/var/run/argo/progress"));
	/* How often Argo's executor would look at that file, and report: its defaults. */
	env_set(env, S("ARGO_PROGRESS_FILE_TICK_DURATION"), S("3s"));
	env_set(env, S("ARGO_PROGRESS_PATCH_TICK_DURATION"), S("1m0s"));
	if (spec->grace_seconds > 0)
		env_set(env, S("ARGO_TERMINATION_GRACE_PERIOD_SECONDS"),
			arena_fmt(a, "%lld", (long long)spec->grace_seconds));
}

static int
add_container(struct env *env, struct arena *a, const struct executor *x, const struct task_spec *spec,
	const struct container *c, str name, struct err *e)
{
	for (size_t i = 0; i < c->env_from.n; i++)
		if (add_from(env, a, x, spec->ns, &c->env_from.p[i], e) < 0)
			return -1;
	for (size_t i = 0; i < c->env.n; i++) {
		const struct env_var *v = &c->env.p[i];
		const struct kvs before = { env->v.p, env->v.n };
		str value = env_expand(a, v->value.p ? v->value : S(""), &before);
		int rc = v->value_from ? value_from(a, x, spec, c, name, v->value_from, &value, e) : 1;
		if (rc < 0)
			return err_wrap(e, "env %.*s", STR_ARG(v->name));
		if (rc > 0)
			env_set(env, v->name, value);
	}
	return 0;
}

int
env_build(struct arena *a, const struct executor *x, const struct task_spec *spec, const struct container *c,
	str name, const struct image *image, struct kvs *out, struct err *e)
{
	struct env env = { 0 };
	bool off = x->sandbox == TASK_SANDBOX_OFF;
	const char *home = off ? getenv("HOME") : "/root";
	str own = image ? image_home(a, image) : STR_NONE;
	env_set(&env, S("HOME"), own.n ? own : str_c(home ? home : "/"));
	env_set(&env, S("HOSTNAME"), spec->pod);
	for (size_t i = 0; image && i < image->env.n; i++)
		env_set(&env, image->env.p[i].key, image->env.p[i].value);
	int rc = add_container(&env, a, x, spec, c, name, e);
	add_path(&env, a, image);
	add_argo(&env, a, x, spec, name);
	if (rc == 0) {
		out->n = env.v.n;
		out->p = ARENA_ARRAY(a, struct kv, env.v.n);
		memcpy(out->p, env.v.p, env.v.n * sizeof *out->p);
	}
	VEC_FREE(&env.v);
	return rc;
}
