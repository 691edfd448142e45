/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of a claim gets its name when it is sure to be there after a power cut, with all folders above it: before the first step that writes to it
 * begins. The daemon, which must not wait for a disk, makes it under that name with a dot before it; a monitor may wait. Of several monitors the first
 * gives the name. If the power goes between that and the disk's knowing it, the folder has its first name again, with what is in it, and gets the other anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/shim/shim.h"

static int
force(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = fd < 0 ? -1 : fsync(fd);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* `path` and as many folders above it. */
static int
force_all(const char *path, long above)
{
	char at[PATH_MAX];
	snprintf(at, sizeof at, "%s", path);
	for (char *slash; force(at) == 0; above--) {
		if (above <= 0)
			return 0;
		slash = strrchr(at, '/');
		if (!slash || slash == at)
			return 0;
		*slash = 0;
	}
	return -1;
}

static int
give_name(const char *path, long above)
{
	char fresh[PATH_MAX];
	const char *name = strrchr(path, '/') + 1;
	if ((size_t)snprintf(fresh, sizeof fresh, "%.*s.%s", (int)(name - path), path, name) >= sizeof fresh)
		return errno = ENAMETOOLONG, -1;
	int rc = force_all(fresh, above);
	if (rc == 0)
		rc = (int)syscall(SYS_renameat2, AT_FDCWD, fresh, AT_FDCWD, path, 1 /* RENAME_NOREPLACE */);
	if (rc < 0 && errno != EEXIST && errno != ENOENT) /* those: another monitor was first */
		return -1;
	return rc < 0 ? 0 : force_all(path, 1);
}

int
claim_volume_open(const char *record)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	char *path;
	long above = strtol(record, &path, 10);
	if (*path != ' ' || path[1] != '/')
		return errno = EINVAL, -1;
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, ++path, &how, sizeof how);
	if (fd >= 0 || errno != ENOENT || give_name(path, above) < 0)
		return fd;
	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}
