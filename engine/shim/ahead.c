/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahead: the files that every step without a sandbox has, made by the spare before there is a step: a folder for its workflow, in it one to
 * work in, and a log. To make a file is to look for a free inode, which takes a file system a hundred microseconds where many were freed a
 * moment ago; to rename one takes a few. What cannot be used is made as it is without us.
 *
 *     .ahead/PID/          becomes the workflow's folder if there is none yet; else it goes when the step has begun
 *     .ahead/PID/.dir/     becomes TASK_DIR
 *     .ahead/PID/.log      becomes TASK_DIR.log, which is the claim (claim.c): nothing is replaced
 *
 * What a dead spare leaves in .ahead goes at the next start of the daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define RENAME_KEEP 1 /* RENAME_NOREPLACE */

static struct {
	char base[4096]; /* where they are; "": there are none */
	bool own;        /* that is .ahead/PID still */
	int log_fd;
} made = { .log_fd = -1 };

static bool
below(char to[4096], const char *base, const char *name)
{
	return (size_t)snprintf(to, 4096, "%s/%s", base, name) < 4096;
}

/* Nothing that is there is replaced. */
static int
move(const struct setup *s, const char *from, const char *to)
{
	return (int)syscall(SYS_renameat2, s->tasks_fd, from, s->tasks_fd, to, RENAME_KEEP);
}

void
ahead_make(const struct setup *s)
{
	char path[4096];
	snprintf(made.base, sizeof made.base, TASK_AHEAD "/%d", (int)getpid());
	made.own = mkdirat(s->tasks_fd, made.base, 0755) == 0;
	if (!made.own)
		made.base[0] = 0; /* perhaps those of a dead spare that had our pid: not ours to use */
	if (made.own && below(path, made.base, ".dir") && mkdirat(s->tasks_fd, path, 0755) == 0 && below(path, made.base, ".log"))
		made.log_fd = openat(s->tasks_fd, path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (made.log_fd < 0)
		ahead_drop(s);
}

void
ahead_drop(const struct setup *s)
{
	char path[4096];
	if (!made.own)
		return;
	if (below(path, made.base, ".log"))
		(void)unlinkat(s->tasks_fd, path, 0); /* it may have become something; so may the folders */
	if (below(path, made.base, ".dir"))
		(void)unlinkat(s->tasks_fd, path, AT_REMOVEDIR);
	(void)unlinkat(s->tasks_fd, made.base, AT_REMOVEDIR);
	made.own = false;
	made.base[0] = 0;
}

/* Our folder becomes the one that `dir` is to be in. */
static int
become_parent(const struct setup *s, const char *dir)
{
	char parent[4096];
	const char *slash = strrchr(dir, '/');
	if (!slash || snprintf(parent, sizeof parent, "%.*s", (int)(slash - dir), dir) >= (int)sizeof parent)
		return -1;
	if (move(s, made.base, parent) < 0 && (errno != ENOENT || task_make_parents(s->tasks_fd, parent) < 0 || move(s, made.base, parent) < 0))
		return -1;
	memcpy(made.base, parent, sizeof made.base);
	made.own = false;
	return 0;
}

void
ahead_enter(const struct setup *s, const char *dir)
{
	char from[4096];
	if (!made.base[0] || !below(from, made.base, ".dir") || move(s, from, dir) == 0 || errno != ENOENT)
		return;
	(void)become_parent(s, dir); /* if somebody else was faster, it is there now */
	if (below(from, made.base, ".dir"))
		(void)move(s, from, dir); /* else it is made */
}

int
ahead_log(void)
{
	return made.base[0] ? made.log_fd : -1;
}

int
ahead_place_log(const struct setup *s, const char *path)
{
	char from[4096];
	if (!below(from, made.base, ".log"))
		return -1;
	int rc = move(s, from, path);
	if (rc < 0 && errno == ENOENT && task_make_parents(s->tasks_fd, path) == 0)
		rc = move(s, from, path);
	if (rc == 0)
		made.log_fd = -1;
	return rc;
}
