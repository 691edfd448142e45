/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_write: from the template to the records that the step helper carries out. Everything is decided here, on the
 * loop, from memory: the helper only does what it is told.
 *
 * Without a sandbox there are no private paths: the script lies in the task's directory and its real path is the last
 * argument, the step begins in a folder of its own, output files are read at the paths as they are written (a relative
 * one in that folder), and a template that mounts volumes is refused.
 */
#include "engine/exec/exec.h"

#define LOG_MAX (INT64_C(64) << 20)
#define GRACE_SECONDS 30 /* Kubernetes' terminationGracePeriodSeconds */

void
record_add(struct buf *b, uint32_t type, str s)
{
	size_t n = record_size(s.n);
	record_put(buf_room(b, n), type, s.p, s.n);
	b->n += n;
}

void
record_add_i64(struct buf *b, uint32_t type, int64_t v)
{
	record_add(b, type, (str){ (const char *)&v, sizeof v });
}

/* Text that becomes a C string of the helper's. */
static int
add_text(struct buf *b, uint32_t type, const char *what, str s, struct err *e)
{
	if (s.n && memchr(s.p, 0, s.n))
		return err_set(e, ERR_INVALID, "%s: it holds a NUL character, which no argument or variable can", what);
	record_add(b, type, s);
	return 0;
}

static int
add_command(struct task *t, const struct container *c, const struct image *image, const struct kvs *env, struct err *e)
{
	struct strs argv;
	if (image_command(t->arena, t->x->settings, c, image, &argv, e) < 0)
		return -1;
	for (size_t i = 0; i < argv.n; i++)
		if (add_text(&t->records, TASK_ARG, "command", env_expand(t->arena, argv.p[i], env), e) < 0)
			return -1;
	if (c->source.n) /* an empty source appends nothing: as Argo */
		record_add(&t->records, TASK_SCRIPT, c->source);
	return 0;
}

static int
add_env(struct task *t, const struct kvs *env, struct err *e)
{
	for (size_t i = 0; i < env->n; i++) {
		const struct kv *v = &env->p[i];
		if (!v->key.n || memchr(v->key.p, '=', v->key.n))
			return err_set(e, ERR_INVALID, "env \"%.*s\": not a name of a variable", STR_ARG(v->key));
		if (add_text(&t->records, TASK_ENV, "env",
			    arena_fmt(t->arena, "%.*s=%.*s", STR_ARG(v->key), STR_ARG(v->value)), e) < 0)
			return -1;
	}
	return 0;
}

static int
add_image(struct task *t, const struct container *c, const struct image *image, str hold, struct err *e)
{
	bool off = t->x->sandbox == TASK_SANDBOX_OFF;
	str cwd = c->working_dir.n ? c->working_dir : image ? image->workdir : STR_NONE;
	if (cwd.n && add_text(&t->records, TASK_CWD, "workingDir", cwd, e) < 0)
		return -1;
	if (!image)
		return 0;
	if (image->root.n && off)
		return err_set(e, ERR_UNSUPPORTED, "image %.*s has a root file system, which needs the sandbox: %s",
			STR_ARG(c->image), t->x->why_not[0] ? t->x->why_not : "`sandbox: off` is set");
	if (image->root.n)
		record_add(&t->records, TASK_ROOT, image->root);
	if (hold.n)
		record_add(&t->records, TASK_HOLD, hold);
	for (size_t i = 0; !off && i < image->path.n; i++)
		record_add(&t->records, TASK_VISIBLE, image->path.p[i]);
	return 0;
}

static int
add_outputs(struct task *t, const struct task_spec *spec, const struct kvs *env, struct err *e)
{
	const struct outputs *o = &spec->tmpl->outputs;
	t->outputs.p = ARENA_ARRAY(t->arena, struct task_output, o->parameters.n);
	for (size_t i = 0; i < o->parameters.n; i++) {
		const struct parameter *p = &o->parameters.p[i];
		if (!p->value_from || !p->value_from->path.n)
			continue;
		t->outputs.p[t->outputs.n++] = (struct task_output){ arena_dup(t->arena, p->name),
			arena_dup(t->arena, p->value_from->path), p->value_from->dflt.p != NULL };
		if (add_text(&t->records, TASK_OUTPUT, "path of an output", p->value_from->path, e) < 0)
			return -1;
	}
	const str *progress = env_get(env, S("ARGO_PROGRESS_FILE"));
	if (progress)
		record_add(&t->records, TASK_PROGRESS, *progress);
	return 0;
}

static void
add_message(struct task *t, const struct container *c)
{
	if (c->termination_message_path.n)
		record_add(&t->records, TASK_MESSAGE_PATH, c->termination_message_path);
	if (str_eq(c->termination_message_policy, S("FallbackToLogsOnError")))
		record_add(&t->records, TASK_MESSAGE_LOG, S(""));
}

/* The container with subPathExpr put in as subPath. */
static int
expand_mounts(struct arena *a, const struct container *c, const struct kvs *env, struct container *out, struct err *e)
{
	*out = *c;
	out->volume_mounts.p = ARENA_ARRAY(a, struct volume_mount, c->volume_mounts.n);
	for (size_t i = 0; i < c->volume_mounts.n; i++) {
		struct volume_mount *m = &out->volume_mounts.p[i];
		*m = c->volume_mounts.p[i];
		if (!m->sub_path_expr.n)
			continue;
		m->sub_path = env_expand(a, m->sub_path_expr, env);
		if (str_find(m->sub_path, S("$("), 0) != SIZE_MAX)
			return err_set(e, ERR_INVALID, "subPathExpr %.*s: there is no such variable in the container's env",
				STR_ARG(m->sub_path_expr));
	}
	return 0;
}

/* A container: of a task that has just one, or of a pod. Only `main` has outputs. */
static int
write_container(struct task *t, const struct task_spec *spec, const struct container *c, str name, struct err *e)
{
	struct kvs env;
	struct container mounts;
	const struct image_match *match = image_resolve(t->x, c->image, image_pinned(spec->images, c->image), e);
	if (!match)
		return -1;
	const struct image *image = match->listed ? &match->row : NULL;
	record_add(&t->records, TASK_DIR, t->dir);
	record_add(&t->records, TASK_HOSTNAME, spec->pod);
	if (env_build(t->arena, t->x, spec, c, name, image, &env, e) < 0 || add_command(t, c, image, &env, e) < 0 ||
		add_env(t, &env, e) < 0 || add_image(t, c, image, match->hold, e) < 0 || security_write(t, spec, c, image, e) < 0 ||
		hosts_write(t, spec, e) < 0 ||
		expand_mounts(t->arena, c, &env, &mounts, e) < 0 || volumes_write(t, spec, &mounts, e) < 0 || limits_write(t, spec, c, e) < 0 ||
		looks_write(t, c, e) < 0)
		return -1;
	add_message(t, c);
	if (str_eq(name, S("main")) && add_outputs(t, spec, &env, e) < 0)
		return -1;
	if (str_eq(name, S("main")) && artifacts_write(t, spec, e) < 0)
		return -1;
	if (str_eq(name, S("main")) && spec->capture_result)
		record_add(&t->records, TASK_CAPTURE, S(""));
	record_add_i64(&t->records, TASK_LOG_MAX, LOG_MAX);
	return 0;
}

static void
add_life(struct task *t, const struct task_spec *spec)
{
	if (t->deadline_ns)
		record_add_i64(&t->records, TASK_DEADLINE, t->deadline_ns);
	record_add_i64(&t->records, TASK_GRACE, spec->grace_seconds > 0 ? spec->grace_seconds : GRACE_SECONDS);
}

static int
write_member(struct task *t, const struct task_spec *spec, struct task_member *m, struct err *e)
{
	t->member = m->name;
	record_add(&t->records, TASK_CONTAINER, m->name);
	record_add_i64(&t->records, TASK_ROLE, m->role);
	for (size_t i = 0; i < m->c->dependencies.n; i++)
		record_add(&t->records, TASK_DEPENDS, m->c->dependencies.p[i]);
	if (m->role == TASK_ROLE_MAIN && pod_attempts(t, spec->tmpl, e) < 0)
		return -1;
	record_add_i64(&t->records, TASK_GRACE, spec->grace_seconds > 0 ? spec->grace_seconds : GRACE_SECONDS);
	if (write_container(t, spec, m->c, m->name, e) < 0)
		return err_wrap(e, "container %.*s", STR_ARG(m->name));
	m->c = NULL;
	return 0;
}

static int
write_pod(struct task *t, const struct task_spec *spec, struct err *e)
{
	t->daemon = spec->tmpl->daemon == TRI_TRUE;
	if (pod_members(t, spec->tmpl, e) < 0)
		return -1;
	record_add(&t->records, TASK_DIR, t->dir);
	record_add(&t->records, TASK_HOSTNAME, spec->pod);
	add_life(t, spec);
	if (pod_network(t, spec, e) < 0 || volumes_share(t, spec, e) < 0 || limits_write_pod(t, spec, e) < 0)
		return -1;
	for (size_t i = 0; i < t->members.n; i++)
		if (write_member(t, spec, &t->members.p[i], e) < 0)
			return -1;
	return 0;
}

static int
write_one(struct task *t, const struct task_spec *spec, struct err *e)
{
	const struct container *c = spec->tmpl->script ? spec->tmpl->script : spec->tmpl->container;
	if (!c)
		return err_set(e, ERR_UNSUPPORTED, "template %.*s has no container and no script",
			STR_ARG(spec->template_name));
	if (write_container(t, spec, c, S("main"), e) < 0)
		return -1;
	add_life(t, spec);
	return 0;
}

int
task_write(struct task *t, const struct task_spec *spec, struct err *e)
{
	t->capture = spec->capture_result;
	t->deadline_ns = spec->deadline_ns;
	record_add(&t->records, TASK_CLAIM, t->claim);
	if (pod_needed(spec->tmpl) ? write_pod(t, spec, e) < 0 : write_one(t, spec, e) < 0)
		return -1;
	artifacts_write_logs(t, spec);
	if (t->records.n > TASK_BYTES_MAX)
		return err_set(e, ERR_LIMIT,
			"the step's command, environment and files have %zu bytes together: at most %u are served",
			t->records.n, TASK_BYTES_MAX);
	return 0;
}
