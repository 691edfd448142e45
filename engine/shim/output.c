/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the files that a step leaves as outputs. The step is over and everything of it is dead, but what it left may be
 * hostile: a symbolic link, a device, a fifo, a file that never ends. Inside a sandbox the root is the step's own;
 * links are resolved within it and magic links of /proc, which would lead to the monitor's descriptors, not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/shim/shim.h"

static void
exit_room(struct exit_buf *b, size_t n)
{
	if (b->cap - b->n >= n)
		return;
	b->cap = (b->n + n) * 2 < 4096 ? 4096 : (b->n + n) * 2;
	b->p = realloc(b->p, b->cap);
	if (!b->p)
		_exit(1); /* the daemon then reports a helper that died */
}

void
exit_put(struct exit_buf *b, uint32_t type, const void *p, size_t n)
{
	exit_room(b, record_size(n));
	b->n += record_put(b->p + b->n, type, p, n);
}

void
exit_put_i32(struct exit_buf *b, uint32_t type, int32_t v)
{
	exit_put(b, type, &v, sizeof v);
}

void
exit_put_i64(struct exit_buf *b, uint32_t type, int64_t v)
{
	exit_put(b, type, &v, sizeof v);
}

/*
 * Opens a regular file for reading, -1 with errno. A relative path is one in the task's working directory, which is the
 * monitor's too. Without a sandbox the paths are the host's: the command could read them as well as we can.
 */
static int
open_output(const struct task *t, const char *path, off_t *size)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
	if (t->sandbox != TASK_SANDBOX_OFF)
		how.resolve = RESOLVE_NO_MAGICLINKS;
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
	if (fd < 0)
		return -1;
	struct stat st = { 0 };
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	*size = st.st_size;
	return fd;
}

/* Up to `max` bytes. */
static ssize_t
read_some(int fd, char *to, size_t max)
{
	size_t n = 0;
	while (n < max) {
		ssize_t got = read(fd, to + n, max - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static void
bad_output(struct exit_buf *b, const char *path, const char *why)
{
	char text[600];
	int n = snprintf(text, sizeof text, "%.400s: %s", path, why);
	exit_put(b, TASK_EXIT_BAD_OUTPUT, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

void
output_collect(const struct task *t, const char *path, struct exit_buf *b)
{
	off_t size;
	int fd = open_output(t, path, &size);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			exit_put(b, TASK_EXIT_NO_OUTPUT, NULL, 0);
		else if (errno == EINVAL)
			bad_output(b, path, "not a regular file");
		else
			bad_output(b, path, strerror(errno));
		return;
	}
	if (size > TASK_OUTPUT_MAX) {
		bad_output(b, path, "larger than 262144 bytes, the most a parameter may have");
		close(fd);
		return;
	}
	/* One byte more than allowed: files of /proc have no size. */
	char *text = malloc(TASK_OUTPUT_MAX + 1);
	ssize_t n = text ? read_some(fd, text, size ? (size_t)size : TASK_OUTPUT_MAX + 1) : -1;
	if (n < 0)
		bad_output(b, path, text ? strerror(errno) : "out of memory");
	else if (n > TASK_OUTPUT_MAX)
		bad_output(b, path, "larger than 262144 bytes, the most a parameter may have");
	else
		exit_put(b, TASK_EXIT_OUTPUT, text, (size_t)n);
	free(text);
	close(fd);
}

void
output_small(const struct task *t, const char *path, size_t max, uint32_t type, struct exit_buf *b)
{
	char text[TASK_MESSAGE_MAX];
	off_t size;
	int fd = open_output(t, path, &size);
	if (fd < 0)
		return;
	if (max > sizeof text)
		max = sizeof text;
	if (size > (off_t)max)
		lseek(fd, size - (off_t)max, SEEK_SET);
	ssize_t n = read_some(fd, text, max);
	if (n > 0)
		exit_put(b, type, text, (size_t)n);
	close(fd);
}
