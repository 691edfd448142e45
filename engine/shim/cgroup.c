/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The step's own control groups, for its limits. They are made while the cgroup file systems are still in sight, joined
 * by the command's process alone (its children follow), and removed when everything of the step is dead. Only steps
 * with limits have them: making one costs about as much as starting a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define GROUPS_MAX 4

static struct group {
	int parent, dir, procs;
	const char *name;
} groups[GROUPS_MAX];
static size_t groups_n;

static int
make_group(const char *path, struct why *w)
{
	struct group *g = &groups[groups_n];
	const char *slash = strrchr(path, '/');
	char parent[4096];
	if (groups_n == GROUPS_MAX || !slash ||
		(size_t)snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path) >= sizeof parent)
		return why_set(w, "control group %s", path);
	g->name = slash + 1;
	g->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* One of that name is of a monitor that was killed; if something still lives in it, it is joined. */
	if (g->parent < 0 || (mkdirat(g->parent, g->name, 0755) < 0 && errno != EEXIST))
		return why_errno(w, "make the control group %s", path);
	g->dir = openat(g->parent, g->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g->procs = g->dir < 0 ? -1 : openat(g->dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (g->procs < 0)
		return why_errno(w, "open the control group %s", path);
	groups_n++;
	return 0;
}

/* "file value" in the group made last. */
static int
set_limit(const char *text, struct why *w)
{
	char file[64];
	size_t n = strcspn(text, " ");
	if (!groups_n || n >= sizeof file || !text[n])
		return why_set(w, "limit %s", text);
	memcpy(file, text, n);
	file[n] = 0;
	const char *value = text + n + 1;
	int fd = openat(groups[groups_n - 1].dir, file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return why_errno(w, "set the limit %s", text);
	close(fd);
	return 0;
}

int
cgroup_make(const struct task *t, struct why *w)
{
	struct record r;
	for (const char *at = t->records; record_next(&at, t->records_end, &r);)
		if ((r.type == TASK_CGROUP && make_group(r.p, w) < 0) ||
			(r.type == TASK_LIMIT && set_limit(r.p, w) < 0))
			return -1;
	return 0;
}

int
cgroup_join(void)
{
	for (size_t i = 0; i < groups_n; i++)
		if (write(groups[i].procs, "0", 1) != 1)
			return -1;
	return 0;
}

/* A small file of a group as text; false if there is none of that name. */
static bool
read_file(const struct group *g, const char *file, char *text, size_t size)
{
	int fd = openat(g->dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* The number in the line "key N" of a group's file, or in a file that is one number (`key` empty); -1: none. */
static int64_t
read_number(const struct group *g, const char *file, const char *key)
{
	char text[1024];
	if (!read_file(g, file, text, sizeof text))
		return -1;
	size_t n = strlen(key);
	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, key, n) && (!n || line[n] == ' '))
			return strtoll(line + n, NULL, 10);
	return -1;
}

/* Where the groups of either version have a number. */
struct counter {
	const char *file, *key;
};

static int64_t
largest(const struct counter *counters, size_t n)
{
	int64_t max = -1;
	for (size_t i = 0; i < groups_n; i++)
		for (size_t k = 0; k < n; k++) {
			int64_t v = read_number(&groups[i], counters[k].file, counters[k].key);
			max = v > max ? v : max;
		}
	return max;
}

bool
cgroup_oom(void)
{
	static const struct counter kills[] = { { "memory.oom_control", "oom_kill" }, { "memory.events", "oom_kill" } };
	return largest(kills, 2) > 0;
}

void
cgroup_usage(struct task_usage *u)
{
	static const struct counter cpu_us[] = { { "cpu.stat", "usage_usec" } };
	static const struct counter cpu_ns[] = { { "cpuacct.usage", "" } };
	static const struct counter bytes[] = { { "memory.max_usage_in_bytes", "" }, { "memory.peak", "" } };
	int64_t us = largest(cpu_us, 1), ns = largest(cpu_ns, 1), peak = largest(bytes, 2);
	us = ns / 1000 > us ? ns / 1000 : us;
	if (us > u->user_us + u->system_us)
		u->user_us = us - u->system_us;
	if (peak / 1024 > u->max_rss_kib)
		u->max_rss_kib = peak / 1024;
}

void
cgroup_forget(void)
{
	for (; groups_n; groups_n--) {
		const struct group *g = &groups[groups_n - 1];
		close(g->parent);
		close(g->dir);
		close(g->procs);
	}
}

void
cgroup_remove(void)
{
	for (; groups_n; groups_n--)
		(void)unlinkat(groups[groups_n - 1].parent, groups[groups_n - 1].name,
			AT_REMOVEDIR); /* busy only if a process was put there by others */
}
