/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing folders that strangers have filled. They may be deeper than a path can be long, and than there are descriptors: what lies deeper than DEPTH is
 * moved up to the top, as often as it takes. Nothing is followed: no link, and no mount.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/files.h"

#define DEPTH 32u

struct removal {
	int top;
	uint64_t serial; /* of names of what is moved up */
	bool more;       /* something was moved up, or removed: it is worth another look */
};

/* Opened for whoever owns it, whatever its mode says. */
static int
open_folder(int at, const char *name)
{
	const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	int fd = (int)syscall(SYS_openat2, at, name, &how, sizeof how);
	if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
		fd = (int)syscall(SYS_openat2, at, name, &how, sizeof how);
	if (fd >= 0 && geteuid() != 0)
		(void)!fchmod(fd, 0700); /* what is in it shows whether it helped */
	return fd;
}

static void
move_up(struct removal *r, int at, const char *name)
{
	char fresh[40];
	int rc;
	do {
		snprintf(fresh, sizeof fresh, ".removed-%llu", (unsigned long long)r->serial++);
		rc = (int)syscall(SYS_renameat2, at, name, r->top, fresh, RENAME_NOREPLACE);
	} while (rc < 0 && errno == EEXIST);
	r->more |= rc == 0;
}

static void remove_folder(struct removal *r, int at, const char *name, unsigned depth);

/* Takes `fd`. */
static void
empty_folder(struct removal *r, int fd, unsigned depth) /* NOLINT(misc-no-recursion): DEPTH bounds it */
{
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return;
	}
	for (struct dirent *one; (one = readdir(d));) {
		const char *name = one->d_name;
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		if (unlinkat(fd, name, 0) == 0 || unlinkat(fd, name, AT_REMOVEDIR) == 0)
			r->more = true;
		else if (errno == ENOTEMPTY || errno == EEXIST || errno == EACCES)
			remove_folder(r, fd, name, depth);
	}
	closedir(d);
}

static void
remove_folder(struct removal *r, int at, const char *name, unsigned depth) /* NOLINT(misc-no-recursion) */
{
	int fd = open_folder(at, name);
	if (fd >= 0 && depth == DEPTH) {
		close(fd);
		move_up(r, at, name);
	} else if (fd >= 0) {
		empty_folder(r, fd, depth + 1);
		r->more |= unlinkat(at, name, AT_REMOVEDIR) == 0;
	}
}

/* Until nothing more comes of it: what could not go then stays. */
static void
empty_top(const char *path)
{
	struct removal r = { .more = true };
	while (r.more) {
		int top CLEANUP(close_fd) = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		int fd = top < 0 ? -1 : fcntl(top, F_DUPFD_CLOEXEC, 3);
		r.top = top;
		r.more = false;
		if (fd >= 0)
			empty_folder(&r, fd, 0);
	}
}

static bool
is_gone(const char *path)
{
	return unlink(path) == 0 || errno == ENOENT || rmdir(path) == 0 || errno == ENOENT;
}

int
files_remove_all(const char *path, struct err *e)
{
	if (is_gone(path))
		return 0;
	if (geteuid() != 0)
		(void)!fchmodat(AT_FDCWD, path, 0700, AT_SYMLINK_NOFOLLOW);
	empty_top(path);
	return is_gone(path) ? 0 : err_errno(e, "remove %s", path);
}

void
files_remove(const char *path)
{
	struct err ignored;
	(void)!files_remove_all(path, &ignored);
}
