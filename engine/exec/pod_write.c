/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod_write: the containers of a pod in the order of their lives, with what they get from the pod: the mounts of a
 * container set, those that a side container mirrors (Argo's workflowpod.go, v4.1.2).
 */
#include "engine/exec/exec.h"

bool
pod_needed(const struct template *t)
{
	return t->container_set || t->init_containers.n || t->sidecars.n || t->daemon == TRI_TRUE;
}

static const struct container *
main_of(const struct template *t)
{
	return t->script ? t->script : t->container;
}

/* The container with further mounts, but for those at a place that it has something at. */
static struct container *
with_mounts(struct arena *a, const struct container *c, const struct volume_mount *more, size_t n)
{
	struct container *out = ARENA_NEW(a, struct container);
	*out = *c;
	out->volume_mounts.p = ARENA_ARRAY(a, struct volume_mount, c->volume_mounts.n + n);
	for (size_t i = 0; i < c->volume_mounts.n; i++)
		out->volume_mounts.p[i] = c->volume_mounts.p[i];
	for (size_t i = 0; i < n; i++) {
		bool taken = false;
		for (size_t k = 0; k < c->volume_mounts.n; k++)
			taken |= str_eq(c->volume_mounts.p[k].mount_path, more[i].mount_path);
		if (!taken)
			out->volume_mounts.p[out->volume_mounts.n++] = more[i];
	}
	return out;
}

static void
add(struct task *t, const struct container *c, str name, enum task_role role)
{
	t->members.p[t->members.n++] = (struct task_member){ c, arena_dup(t->arena, name), role };
}

static void
add_side(struct task *t, const struct template *tmpl, const struct container *list, size_t n, enum task_role role)
{
	const struct container *c = main_of(tmpl);
	for (size_t i = 0; i < n; i++)
		add(t, list[i].mirror_volume_mounts && c
			    ? with_mounts(t->arena, &list[i], c->volume_mounts.p, c->volume_mounts.n)
			    : &list[i],
			list[i].name, role);
}

/* Kubernetes refuses these. */
static int
check_members(const struct task *t, struct err *e)
{
	for (size_t i = 0; i < t->members.n; i++) {
		str name = t->members.p[i].name;
		if (!name.n || name.n > 63 || memchr(name.p, '/', name.n) || name.p[0] == '.' || memchr(name.p, 0, name.n))
			return err_set(e, ERR_INVALID, "\"%.*s\" cannot be the name of a container", STR_ARG(name));
		for (size_t k = 0; k < i; k++)
			if (str_eq(t->members.p[k].name, name))
				return err_set(e, ERR_INVALID, "spec.containers[%zu].name: Duplicate value: \"%.*s\"", i,
					STR_ARG(name));
	}
	return 0;
}

int
pod_members(struct task *t, const struct template *tmpl, struct err *e)
{
	const struct container_set *set = tmpl->container_set;
	size_t n = tmpl->init_containers.n + tmpl->sidecars.n + (set ? set->containers.n : 1);
	if (!set && !main_of(tmpl))
		return err_set(e, ERR_UNSUPPORTED, "the template has no container and no script");
	t->members.p = ARENA_ARRAY(t->arena, struct task_member, n);
	add_side(t, tmpl, tmpl->init_containers.p, tmpl->init_containers.n, TASK_ROLE_INIT);
	if (!set)
		add(t, main_of(tmpl), S("main"), TASK_ROLE_MAIN);
	for (size_t i = 0; set && i < set->containers.n; i++)
		add(t, with_mounts(t->arena, &set->containers.p[i], set->volume_mounts.p, set->volume_mounts.n),
			set->containers.p[i].name, TASK_ROLE_MAIN);
	add_side(t, tmpl, tmpl->sidecars.p, tmpl->sidecars.n, TASK_ROLE_SIDECAR);
	return check_members(t, e);
}

/*
 * Argo makes `retries` attempts in total, with a wait between them that does not grow (cmd/argoexec/commands/emissary.go;
 * GetRetryStrategy). None at all would be a container that succeeds without having run: then it runs once.
 */
int
pod_attempts(struct task *t, const struct template *tmpl, struct err *e)
{
	const struct container_set_retry *retry = tmpl->container_set ? tmpl->container_set->retry : NULL;
	int64_t retries;
	dur wait = { 0 };
	if (!retry || !retry->retries.text.n)
		return 0;
	if (!str_to_i64(str_trim(retry->retries.text), &retries))
		retries = 0; /* as IntValue reads what is no number */
	if (retry->duration.n && dur_parse(retry->duration, &wait, e) < 0)
		return err_wrap(e, "failed to get retry strategy");
	record_add_i64(&t->records, TASK_ATTEMPTS, retries);
	record_add_i64(&t->records, TASK_ATTEMPT_WAIT, wait.ns);
	return 0;
}

/* A network of its own is what gives a daemon its address. */
int
pod_network(struct task *t, const struct task_spec *spec, struct err *e)
{
	if (!t->daemon || spec->host_network)
		return 0;
	if (t->x->sandbox != TASK_SANDBOX_PRIVILEGED)
		return err_set(e, ERR_UNSUPPORTED,
			"daemon: an address of its own needs the sandbox `namespaces (privileged)` (%s); with `hostNetwork: true` in "
			"the workflow's spec it shares the host's ports at 127.0.0.1",
			t->x->why_not[0] ? t->x->why_not : "the settings say otherwise");
	t->own_network = true;
	record_add(&t->records, TASK_NETWORK, t->x->settings->pod_network.n ? t->x->settings->pod_network : S("10.214.0.0/16"));
	return 0;
}
