/* SPDX-License-Identifier: Apache-2.0 */
/* The release of a task, and its claim: the log that only one monitor can create (task.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/shim/shim.h"

bool
claim_wait(int socket)
{
	char c;
	ssize_t n;
	do
		n = recv(socket, &c, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1;
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

/* The next daemon may have closed the gate; while we are in it, it cannot. */
static void
enter_gate(const struct setup *s, int socket)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	struct stat st;
	if (fcntl(s->gate_fd, F_SETLK, &lock) < 0 || fstat(s->gate_fd, &st) < 0)
		give_up(socket, "enter the gate");
	errno = ESTALE;
	if (st.st_size > 0)
		give_up(socket, "claim the task: another daemon has come");
}

static void
leave_gate(const struct setup *s)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
	(void)!fcntl(s->gate_fd, F_SETLK, &lock); /* giving a lock back does not fail */
}

/* Its lock, and its first line. */
static void
sign_log(int fd, const char *id, int socket)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(fd, F_SETLK, &lock) < 0)
		give_up(socket, "lock the claim");
	if (relay_started(fd, id) < 0)
		give_up(socket, "write the claim");
}

/* The log that was made ahead, signed and put where it belongs; -1: there is none, or it cannot be. */
static int
place_log(const struct setup *s, const char *path, const char *id, int socket)
{
	int fd = ahead_log();
	if (fd < 0)
		return -1;
	sign_log(fd, id, socket);
	if (ahead_place_log(s, path) == 0)
		return fd;
	if (errno == EEXIST)
		give_up(socket, "claim the task");
	return -1;
}

/* Whoever creates the log has the task. */
static int
create_log(const struct setup *s, const char *path, const char *id, int socket)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC;
	int fd = openat(s->tasks_fd, path, flags, 0644);
	if (fd < 0 && errno == ENOENT && task_make_parents(s->tasks_fd, path) == 0)
		fd = openat(s->tasks_fd, path, flags, 0644);
	if (fd < 0)
		give_up(socket, "claim the task");
	sign_log(fd, id, socket);
	return fd;
}

int
claim_take(const struct setup *s, const char *dir, const char *id, int socket)
{
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s.log", dir) >= sizeof path) {
		errno = ENAMETOOLONG;
		give_up(socket, "claim the task");
	}
	enter_gate(s, socket);
	int fd = place_log(s, path, id, socket);
	if (fd < 0)
		fd = create_log(s, path, id, socket);
	leave_gate(s);
	return fd;
}

void
claim_tell(int socket)
{
	(void)!send(socket, "c", 1, MSG_NOSIGNAL); /* the daemon may be gone by now */
}
