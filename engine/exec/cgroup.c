/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup: where steps can have control groups: below the daemon's own group. In version 1 each controller has a tree of
 * its own. In version 2 a group that has processes cannot hand controllers to its children, so where the daemon's group
 * was delegated to it (a unit with Delegate=yes, a container) the daemon moves into a leaf first; groups of steps are then
 * its neighbours.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "engine/exec/exec.h"

#define LEAF "tidegate-daemon"

/* The daemon's own group of a controller (NULL: of version 2) in /proc/self/cgroup: "4:memory:/path", "0::/path". */
static bool
own_group(const struct cgroups *c, const char *controller, char *to, size_t n)
{
	FILE *f = fopen(c->self, "re");
	char line[TASK_PATH_MAX];
	bool found = false;
	while (f && !found && fgets(line, sizeof line, f)) {
		str rest = str_trim(str_c(line)), number = str_cut(&rest, ':'), list = str_cut(&rest, ':');
		found = controller ? false : str_eq(number, S("0")) && !list.n;
		while (controller && list.n && !found)
			found = str_eq(str_cut(&list, ','), str_c(controller));
		if (found && str_ends(rest, S("/" LEAF)))
			rest = str_slice(rest, 0, rest.n - strlen("/" LEAF)); /* of a daemon that started us */
		if (found)
			snprintf(to, n, "%.*s", str_eq(rest, S("/")) ? 0 : (int)rest.n, rest.p);
	}
	if (f)
		fclose(f);
	return found;
}

/* Whether a file of a group names the controller. */
static bool
names(const char *group, const char *file, const char *controller)
{
	char path[TASK_PATH_MAX + 64], text[512];
	snprintf(path, sizeof path, "%s/%s", group, file);
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	for (str rest = str_trim((str){ text, n > 0 ? (size_t)n : 0 }); rest.n;)
		if (str_eq(str_trim(str_cut(&rest, ' ')), str_c(controller)))
			return true;
	return false;
}

static bool
put(const char *group, const char *file, const char *text)
{
	char path[TASK_PATH_MAX + 128];
	snprintf(path, sizeof path, "%s/%s", group, file);
	int fd CLEANUP(close_fd) = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Controllers are enabled for the children of a group by "+name"; not while it has processes, unless it is the first of all. */
bool
cgroup_delegate(const char *group, const char *controller)
{
	char plus[64], leaf[TASK_PATH_MAX + 64];
	if (names(group, "cgroup.subtree_control", controller))
		return true;
	if (!names(group, "cgroup.controllers", controller))
		return false;
	snprintf(plus, sizeof plus, "+%s", controller);
	if (put(group, "cgroup.subtree_control", plus))
		return true;
	snprintf(leaf, sizeof leaf, "%s/" LEAF, group);
	if (errno != EBUSY || (mkdir(leaf, 0755) < 0 && errno != EEXIST))
		return false;
	return put(leaf, "cgroup.procs", "0") && put(group, "cgroup.subtree_control", plus);
}

static char *
find_base(const struct executor *x, const struct cgroups *c, const char *controller)
{
	char own[TASK_PATH_MAX / 2], base[TASK_PATH_MAX], dir[TASK_PATH_MAX + 64];
	if (!own_group(c, c->unified ? NULL : controller, own, sizeof own))
		return NULL;
	snprintf(base, sizeof base, "%s%s%s%s", c->root, c->unified ? "" : "/", c->unified ? "" : controller, own);
	if (c->unified && !cgroup_delegate(base, controller))
		return NULL;
	/* Named after the state directory: a daemon that comes later finds what an earlier one left. */
	snprintf(dir, sizeof dir, "%s/tidegate-%08x", base, str_fnv32a(str_c(x->tasks_path)));
	if ((mkdir(dir, 0755) < 0 && errno != EEXIST) || (c->unified && !cgroup_delegate(dir, controller)))
		return NULL;
	return strdup(dir);
}

const char *
cgroup_base(struct executor *x, enum limit_kind kind)
{
	static const char *const controllers[LIMIT_KINDS] = { [LIMIT_MEMORY] = "memory", [LIMIT_CPU] = "cpu", [LIMIT_PIDS] = "pids" };
	struct cgroups *c = &x->cgroups;
	char path[TASK_PATH_MAX];
	if (c->looked[kind])
		return c->base[kind];
	c->looked[kind] = true;
	snprintf(path, sizeof path, "%s/cgroup.controllers", c->root);
	c->unified = access(path, F_OK) == 0;
	c->base[kind] = find_base(x, c, controllers[kind]);
	if (!c->base[kind])
		log_warn("a limit of steps is not enforced: the daemon cannot make control groups for them", "controller",
			controllers[kind], "advice", "run it as root, or as a systemd unit with Delegate=yes", NULL);
	return c->base[kind];
}

void
cgroups_free(struct cgroups *c)
{
	for (size_t i = 0; i < LIMIT_KINDS; i++) {
		if (c->base[i])
			(void)rmdir(c->base[i]); /* stays while steps run in it; the next daemon takes it up */
		free(c->base[i]);
	}
}
