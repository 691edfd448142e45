/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit: resources.limits of a container as control groups, where the daemon may make them: under its own group, in
 * version 1 per controller, in version 2 where the controllers are already enabled for the children of the group (a
 * unit with Delegate=, a container). Elsewhere limits are not enforced; the first step with limits says so once.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "engine/exec/exec.h"

#define ROOT "/sys/fs/cgroup"
#define CPU_PERIOD_US 100000

/* What the limits are called, by version of the interface. */
static const struct control {
	const char *controller, *file[2];
} controls[] = {
	[LIMIT_MEMORY] = { "memory", { "memory.limit_in_bytes", "memory.max" } },
	[LIMIT_CPU] = { "cpu", { "cpu.cfs_quota_us", "cpu.max" } },
};

/* The daemon's own group of a controller (NULL: of version 2) in /proc/self/cgroup: "4:memory:/path", "0::/path". */
static bool
own_group(const char *controller, char *to, size_t n)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[TASK_PATH_MAX];
	bool found = false;
	while (f && !found && fgets(line, sizeof line, f)) {
		str rest = str_trim(str_c(line)), number = str_cut(&rest, ':'), list = str_cut(&rest, ':');
		found = controller ? false : str_eq(number, S("0")) && !list.n;
		while (controller && list.n && !found)
			found = str_eq(str_cut(&list, ','), str_c(controller));
		if (found)
			snprintf(to, n, "%.*s", str_eq(rest, S("/")) ? 0 : (int)rest.n, rest.p);
	}
	if (f)
		fclose(f);
	return found;
}

/* Whether `path`/cgroup.subtree_control names the controller. */
static bool
delegated(const char *path, const char *controller)
{
	char file[TASK_PATH_MAX + 64], text[512];
	snprintf(file, sizeof file, "%s/cgroup.subtree_control", path);
	int fd CLEANUP(close_fd) = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	for (str rest = { text, n > 0 ? (size_t)n : 0 }; rest.n;)
		if (str_eq(str_trim(str_cut(&rest, ' ')), str_c(controller)))
			return true;
	return false;
}

static void
find_base(struct executor *x, enum limit_kind kind)
{
	char own[TASK_PATH_MAX / 2], base[TASK_PATH_MAX], dir[TASK_PATH_MAX + 64];
	const char *controller = controls[kind].controller;
	bool unified = access(ROOT "/cgroup.controllers", F_OK) == 0;
	if (!own_group(unified ? NULL : controller, own, sizeof own))
		return;
	snprintf(base, sizeof base, ROOT "%s%s%s", unified ? "" : "/", unified ? "" : controller, own);
	if (unified && !delegated(base, controller))
		return;
	/* Named after the state directory: a daemon that comes later finds what an earlier one left. */
	snprintf(dir, sizeof dir, "%s/tidegate-%08x", base, str_fnv32a(str_c(x->tasks_path)));
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return;
	if (unified) {
		char file[TASK_PATH_MAX + 128];
		snprintf(file, sizeof file, "%s/cgroup.subtree_control", dir);
		int fd CLEANUP(close_fd) = open(file, O_WRONLY | O_CLOEXEC);
		char word[32];
		int n = snprintf(word, sizeof word, "+%s", controller);
		if (fd < 0 || write(fd, word, (size_t)n) != n)
			return;
	}
	x->cgroups[kind] = strdup(dir);
	x->cgroups_unified = unified;
}

static void
find_bases(struct executor *x)
{
	if (x->cgroups_looked)
		return;
	x->cgroups_looked = true;
	for (unsigned i = 0; i < ARRAY_LEN(controls); i++)
		find_base(x, i);
	if (!x->cgroups[LIMIT_MEMORY])
		log_warn("resources.limits are not enforced: the daemon cannot make control groups for its steps",
			"advice", "run it as root, or as a systemd unit with Delegate=yes", NULL);
}

/* A quantity of CPUs ("500m", "1.5") in thousandths. */
static int
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

/* The group of this step under `base`; one record for both limits in version 2. */
static void
add_group(struct task *t, const char *base)
{
	str last = t->dir;
	for (size_t at; (at = str_find_char(last, '/', 0)) != SIZE_MAX;)
		last = str_slice(last, at + 1, last.n);
	record_add(
		&t->records, TASK_CGROUP, arena_fmt(t->arena, "%s/%.*s-%08x", base, STR_ARG(last), str_fnv32a(t->dir)));
}

static void
add_limit(struct task *t, enum limit_kind kind, int64_t value, bool *group)
{
	const struct executor *x = t->x;
	if (!x->cgroups[kind])
		return;
	if (!*group || !x->cgroups_unified)
		add_group(t, x->cgroups[kind]);
	*group = true;
	const char *file = controls[kind].file[x->cgroups_unified];
	if (kind == LIMIT_CPU && x->cgroups_unified)
		record_add(&t->records, TASK_LIMIT,
			arena_fmt(t->arena, "%s %lld %d", file, (long long)(value * CPU_PERIOD_US / 1000),
				CPU_PERIOD_US));
	else
		record_add(&t->records, TASK_LIMIT,
			arena_fmt(t->arena, "%s %lld", file,
				(long long)(kind == LIMIT_CPU ? value * CPU_PERIOD_US / 1000 : value)));
}

static str
quantity_text(const struct val *limits, str name)
{
	const struct val *v = val_get(limits, name);
	return val_is(v, VAL_STR) || val_is(v, VAL_NUM) ? val_text(v) : STR_NONE;
}

int
limits_write(struct task *t, const struct container *c, struct err *e)
{
	const struct val *limits = val_get(c->resources, S("limits"));
	str memory = quantity_text(limits, S("memory")), cpu = quantity_text(limits, S("cpu"));
	int64_t bytes = 0, milli = 0;
	bool group = false;
	if (!memory.n && !cpu.n)
		return 0;
	if ((memory.n && quantity_bytes(memory, &bytes, e) < 0) || (cpu.n && quantity_milli(cpu, &milli, e) < 0))
		return err_wrap(e, "resources.limits");
	find_bases(t->x);
	if (bytes > 0)
		add_limit(t, LIMIT_MEMORY, bytes, &group);
	if (milli > 0)
		add_limit(t, LIMIT_CPU, milli, &group);
	return 0;
}
