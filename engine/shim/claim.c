/* SPDX-License-Identifier: Apache-2.0 */
/* The release of a task, and its claim: the log that only one monitor can create (task.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/shim/shim.h"

void
claim_wait(int socket)
{
	char c;
	ssize_t n;
	do
		n = recv(socket, &c, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1) {
		cgroup_remove();
		_exit(0);
	}
}

static _Noreturn void
give_up(int socket, const char *what)
{
	int code = errno;
	cgroup_remove();
	errno = code;
	char text[600];
	int n = snprintf(text, sizeof text, "x%s: %s", what, strerror(errno));
	(void)!send(socket, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1, MSG_NOSIGNAL);
	_exit(1);
}

/*
 * Whoever finds the log without a lock and empty may remove it (its monitor died here), so after locking we look whether
 * the file is still the one in the directory.
 */
int
claim_take(const struct setup *s, const char *dir, int socket)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC;
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s.log", dir) >= sizeof path) {
		errno = ENAMETOOLONG;
		give_up(socket, "claim the task");
	}
	int fd = openat(s->tasks_fd, path, flags, 0644);
	if (fd < 0 && errno == ENOENT && task_make_parents(s->tasks_fd, path) == 0)
		fd = openat(s->tasks_fd, path, flags, 0644);
	if (fd < 0)
		give_up(socket, "claim the task");
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;
	if (fcntl(fd, F_SETLK, &lock) < 0 || fstat(fd, &st) < 0 || st.st_nlink != 1)
		give_up(socket, "lock the claim");
	if (relay_started(fd) < 0)
		give_up(socket, "write the claim");
	(void)!send(socket, "c", 1, MSG_NOSIGNAL); /* the daemon may be gone by now */
	return fd;
}
