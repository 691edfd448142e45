/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit: resources.limits of a container and of its pod. Memory, CPU and the number of processes become control groups,
 * where the daemon may make them (cgroup.c); a step without such a limit has none, because making one costs about as much
 * as starting a process. ephemeral-storage is the size of the layer that the step writes to.
 */
#include "core/log.h"
#include "engine/exec/exec.h"

#define CPU_PERIOD_US 100000

/* What the limits are called in a group, by version of the interface. */
static const char *const files[LIMIT_KINDS][2] = {
	[LIMIT_MEMORY] = { "memory.limit_in_bytes", "memory.max" },
	[LIMIT_CPU] = { "cpu.cfs_quota_us", "cpu.max" },
	[LIMIT_PIDS] = { "pids.max", "pids.max" },
};

int
quantity_milli(str text, int64_t *out, struct err *e)
{
	bool milli = str_ends(text, S("m"));
	double v;
	if (!str_to_double(milli ? str_slice(text, 0, text.n - 1) : text, &v) || v < 0 || v > 1e6)
		return err_set(
			e, ERR_INVALID, "\"%.*s\" is not a quantity of CPUs: write it like 500m or 1.5", STR_ARG(text));
	*out = (int64_t)(milli ? v : v * 1000);
	return 0;
}

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

/* The group of this step under `base`; one record for all its limits in version 2. */
static void
add_group(struct task *t, const char *base)
{
	str last = t->dir;
	for (size_t at; (at = str_find_char(last, '/', 0)) != SIZE_MAX;)
		last = str_slice(last, at + 1, last.n);
	record_add(&t->records, TASK_CGROUP,
		arena_fmt(t->arena, "%s/%.*s-%08x%s%.*s", base, STR_ARG(last), str_fnv32a(t->dir), t->member.n ? "-" : "",
			STR_ARG(t->member)));
}

static void
add_limit(struct task *t, enum limit_kind kind, int64_t value, bool *group)
{
	const char *base = value > 0 ? cgroup_base(t->x, kind) : NULL;
	bool unified = t->x->cgroups.unified;
	if (!base)
		return;
	if (!*group || !unified)
		add_group(t, base);
	*group = true;
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

int
limits_write(struct task *t, const struct task_spec *spec, const struct container *c, struct err *e)
{
	const struct val *const of[] = { c->resources, spec->pod_resources };
	int64_t bytes = 0, milli = 0, storage = 0;
	bool group = false;
	for (size_t i = 0; i < ARRAY_LEN(of); i++)
		if (lower(of[i], "memory", quantity_bytes, &bytes, e) < 0 || lower(of[i], "cpu", quantity_milli, &milli, e) < 0 ||
			lower(of[i], "ephemeral-storage", quantity_bytes, &storage, e) < 0)
			return -1;
	add_limit(t, LIMIT_MEMORY, bytes, &group);
	add_limit(t, LIMIT_CPU, milli, &group);
	add_limit(t, LIMIT_PIDS, t->x->settings->pids_limit, &group);
	if (storage > 0 && t->x->sandbox == TASK_SANDBOX_OFF)
		warn_storage(t->x);
	else if (storage > 0)
		record_add(&t->records, TASK_ROOT_SIZE, arena_fmt(t->arena, "%lld", (long long)storage));
	return 0;
}
