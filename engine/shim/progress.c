/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress file while the step runs. Its folder is watched with dnotify: an inotify instance costs 12 ms when it is
 * closed, because the kernel waits for a grace period then, and every step would pay that. The kernel tells of one
 * change and no more until we ask again, which we do when we look; so a step that writes without end is looked at four
 * times a second.
 *
 * What is there goes to the daemon over the step's socket, and into TASK_DIR.progress, where a daemon that comes later
 * finds it and hears of changes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define INTERVAL_NS INT64_C(250000000)

static void
listen_once(const struct progress *p)
{
	(void)fcntl(p->dir, F_NOTIFY, DN_MODIFY | DN_CREATE | DN_RENAME); /* without: it is read at the end */
}

void
progress_open(struct progress *p, const struct task *t)
{
	char dir[4096];
	p->dir = -1;
	const char *slash = t->progress ? strrchr(t->progress, '/') : NULL;
	if (!slash || (size_t)snprintf(dir, sizeof dir, "%.*s", (int)(slash - t->progress), t->progress) >= sizeof dir)
		return;
	p->name = slash + 1;
	p->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir >= 0)
		listen_once(p);
}

void
progress_changed(struct progress *p)
{
	int64_t now = now_mono();
	if (!p->look_at)
		p->look_at = p->looked && now - p->looked < INTERVAL_NS ? p->looked + INTERVAL_NS : now;
}

/* "N/M" with 0 <= N <= M, M > 0 (spec 2.17). */
static bool
is_progress(const char *text)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	long long n = strtoll(text, &end, 10);
	if (*end != '/' || end[1] < '0' || end[1] > '9')
		return false;
	long long m = strtoll(end + 1, &end, 10);
	return !*end && n >= 0 && n <= m && m > 0;
}

/*
 * The last line of the file. The step is alive and may be hostile: only a regular file in the folder itself is read, and
 * only what looks like progress goes anywhere.
 */
static bool
read_last(const struct progress *p, char line[TASK_PROGRESS_MAX])
{
	const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	char text[256];
	struct stat st;
	int fd = (int)syscall(SYS_openat2, p->dir, p->name, &how, sizeof how);
	if (fd < 0)
		return false;
	ssize_t n = -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		off_t from = st.st_size > (off_t)sizeof text - 1 ? st.st_size - (off_t)sizeof text + 1 : 0;
		n = pread(fd, text, sizeof text - 1, from);
	}
	close(fd);
	while (n > 0 && strchr(" \t\r\n", text[n - 1]))
		n--;
	if (n <= 0)
		return false;
	text[n] = 0;
	const char *last = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
	if (strlen(last) >= TASK_PROGRESS_MAX || !is_progress(last))
		return false;
	memcpy(line, last, strlen(last) + 1);
	return true;
}

/* For a daemon that comes later. Always as many bytes, in one write: who reads it sees one state or the other. */
static void
leave_mirror(const struct progress *p, const struct setup *s, const struct task *t)
{
	char path[4096], text[TASK_PROGRESS_MAX + 1];
	int n = snprintf(text, sizeof text, "%-*s\n", TASK_PROGRESS_MAX - 1, p->said);
	if ((size_t)snprintf(path, sizeof path, "%s.progress", t->dir) >= sizeof path)
		return;
	int fd = openat(s->tasks_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return; /* it is read at the end, at the latest */
	(void)!pwrite(fd, text, (size_t)n, 0);
	close(fd);
}

void
progress_look(struct progress *p, const struct setup *s, const struct task *t, int socket)
{
	char line[TASK_PROGRESS_MAX], message[TASK_PROGRESS_MAX + 1];
	if (!p->look_at || now_mono() < p->look_at)
		return;
	p->look_at = 0;
	p->looked = now_mono();
	listen_once(p); /* before the reading: what is written from now on is news */
	if (!read_last(p, line) || !strcmp(line, p->said))
		return;
	memcpy(p->said, line, sizeof line);
	leave_mirror(p, s, t);
	int n = snprintf(message, sizeof message, "p%s", line);
	(void)!send(socket, message, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT); /* the daemon may be gone */
}
