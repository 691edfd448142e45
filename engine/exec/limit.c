/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit: resources.limits of a container and of its pod. Memory, CPU and the number of processes become control groups,
 * where the daemon may make them (cgroup.c); a step without such a limit has none, because making one costs about as much
 * as starting a process. ephemeral-storage is the size of the layer that the step writes to.
 */
#include "core/log.h"
#include "core/quantity.h"
#include "engine/exec/exec.h"

#define CPU_PERIOD_US 100000

/* What the limits are called in a group, by version of the interface. */
static const char *const files[LIMIT_KINDS][2] = {
	[LIMIT_MEMORY] = { "memory.limit_in_bytes", "memory.max" },
	[LIMIT_CPU] = { "cpu.cfs_quota_us", "cpu.max" },
	[LIMIT_PIDS] = { "pids.max", "pids.max" },
};

/* Lowers `least` (0: no limit yet) to the quantity `name` of the limits. */
static int
lower(const struct val *resources, const char *name, int (*read)(str text, int64_t *out, struct err *e), int64_t *least,
	struct err *e)
{
	const struct val *v = val_get(val_get(resources, S("limits")), str_c(name));
	int64_t n;
	if (!val_is(v, VAL_STR) && !val_is_number(v))
		return 0;
	struct arena *a CLEANUP(free_arena) = arena_new();
	if (read(v->kind == VAL_STR || v->kind == VAL_NUM ? val_text(v) : json_write(a, v), &n, e) < 0)
		return err_wrap(e, "resources.limits");
	if (n > 0 && (!*least || n < *least))
		*least = n;
	return 0;
}

/* Whether the pod has a group of this kind, in which those of its containers are; in version 2 all kinds have the same. */
static bool
pod_has_group(const struct task *t, enum limit_kind kind)
{
	return t->x->cgroups.unified ? t->pod_groups != 0 : t->pod_groups & 1u << kind;
}

/* The group of this step, of its pod or of a container, under `base`; one record for all its limits in version 2. */
static void
add_group(struct task *t, const char *base, enum limit_kind kind)
{
	str last = t->dir;
	for (size_t at; (at = str_find_char(last, '/', 0)) != SIZE_MAX;)
		last = str_slice(last, at + 1, last.n);
	record_add(&t->records, TASK_CGROUP,
		arena_fmt(t->arena, "%s/%.*s-%08x%s%.*s", base, STR_ARG(last), str_fnv32a(t->dir),
			!t->member.n ? "" : pod_has_group(t, kind) ? "/" : "-", STR_ARG(t->member)));
}

/* A container without a limit of its own is in a group all the same if its pod has one. */
static void
add_limit(struct task *t, enum limit_kind kind, int64_t value, bool *group)
{
	bool below = t->member.n && t->pod_groups & 1u << kind;
	const char *base = value > 0 || below ? cgroup_base(t->x, kind) : NULL;
	bool unified = t->x->cgroups.unified;
	if (!base)
		return;
	if (!*group || !unified)
		add_group(t, base, kind);
	*group = true;
	if (value <= 0)
		return;
	if (kind == LIMIT_CPU)
		value = value * CPU_PERIOD_US / 1000 < 1000 ? 1000 : value * CPU_PERIOD_US / 1000; /* the kernel's least */
	if (kind == LIMIT_CPU && unified)
		record_add(&t->records, TASK_LIMIT,
			arena_fmt(t->arena, "%s %lld %d", files[kind][1], (long long)value, CPU_PERIOD_US));
	else
		record_add(&t->records, TASK_LIMIT,
			arena_fmt(t->arena, "%s %lld", files[kind][unified], (long long)value));
}

/* Without a sandbox a step writes where the daemon can. */
static void
warn_storage(struct executor *x)
{
	if (!x->storage_warned)
		log_warn("limits of ephemeral-storage are not enforced: steps run without a sandbox", NULL);
	x->storage_warned = true;
}

/* In version 2 a group hands on a controller to those below it only if it was told to. */
static void
hand_on(struct task *t, enum limit_kind kind)
{
	static const char *const names[LIMIT_KINDS] = { [LIMIT_MEMORY] = "memory", [LIMIT_CPU] = "cpu", [LIMIT_PIDS] = "pids" };
	if (t->x->cgroups.unified && cgroup_base(t->x, kind))
		record_add(&t->records, TASK_LIMIT, arena_fmt(t->arena, "cgroup.subtree_control +%s", names[kind]));
}

/* What the pod's containers may have together (KEP-2837, pod-level resources): one group around theirs. */
int
limits_write_pod(struct task *t, const struct task_spec *spec, struct err *e)
{
	int64_t pod[LIMIT_KINDS] = { 0 }, any[LIMIT_KINDS] = { [LIMIT_PIDS] = t->x->settings->pids_limit };
	bool group = false;
	if (lower(spec->pod_resources, "memory", quantity_bytes, &pod[LIMIT_MEMORY], e) < 0 ||
		lower(spec->pod_resources, "cpu", quantity_milli, &pod[LIMIT_CPU], e) < 0)
		return -1;
	for (size_t i = 0; i < t->members.n; i++)
		if (lower(t->members.p[i].c->resources, "memory", quantity_bytes, &any[LIMIT_MEMORY], e) < 0 ||
			lower(t->members.p[i].c->resources, "cpu", quantity_milli, &any[LIMIT_CPU], e) < 0)
			return -1;
	for (int kind = 0; kind < LIMIT_KINDS; kind++) {
		add_limit(t, (enum limit_kind)kind, pod[kind], &group);
		if (pod[kind] > 0 && cgroup_base(t->x, (enum limit_kind)kind))
			t->pod_groups |= 1u << kind;
	}
	for (int kind = 0; group && kind < LIMIT_KINDS; kind++)
		if (pod[kind] > 0 || any[kind] > 0)
			hand_on(t, (enum limit_kind)kind);
	return 0;
}

int
limits_write(struct task *t, const struct task_spec *spec, const struct container *c, struct err *e)
{
	const struct val *const of[] = { c->resources, spec->pod_resources };
	int64_t bytes = 0, milli = 0, storage = 0;
	bool group = false;
	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		bool pods = of[i] == spec->pod_resources && t->member.n; /* then it is that of all containers together */
		if ((!pods && (lower(of[i], "memory", quantity_bytes, &bytes, e) < 0 || lower(of[i], "cpu", quantity_milli, &milli, e) < 0)) ||
			lower(of[i], "ephemeral-storage", quantity_bytes, &storage, e) < 0)
			return -1;
	}
	add_limit(t, LIMIT_MEMORY, bytes, &group);
	add_limit(t, LIMIT_CPU, milli, &group);
	add_limit(t, LIMIT_PIDS, t->x->settings->pids_limit, &group);
	if (storage > 0 && t->x->sandbox == TASK_SANDBOX_OFF)
		warn_storage(t->x);
	else if (storage > 0)
		record_add(&t->records, TASK_ROOT_SIZE, arena_fmt(t->arena, "%lld", (long long)storage));
	return 0;
}
