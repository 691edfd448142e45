/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress: what a running step says of itself. Our own monitors tell it over their sockets. Those of an earlier daemon
 * have nobody to talk to, but keep TASK_DIR.progress up to date (engine/shim/progress.c): that file is read when the
 * step is adopted, and again when the kernel says that it changed.
 */
#include <fcntl.h>
#include <unistd.h>

#include "engine/exec/exec.h"

struct progress_watch {
	uv_fs_event_t handle;
	struct task *task; /* NULL: it is being closed */
};

str
progress_text(str text)
{
	text = str_trim(text);
	for (size_t at; (at = str_find_char(text, '\n', 0)) != SIZE_MAX;)
		text = str_slice(text, at + 1, text.n);
	str rest = text, done = str_cut(&rest, '/');
	int64_t n, m;
	return str_to_i64(done, &n) && str_to_i64(rest, &m) && n >= 0 && n <= m && m > 0 ? text : STR_NONE;
}

void
progress_tell(struct task *t, str text)
{
	struct executor *x = t->x;
	text = progress_text(text);
	if (text.p && x->progress && !t->superseded)
		x->progress(x->arg, &t->id, text);
}

static int
open_mirror(const struct task *t, int flags)
{
	char path[TASK_PATH_MAX];
	snprintf(path, sizeof path, "%s.progress", t->dir.p);
	return openat(t->x->tasks_fd, path, flags | O_CLOEXEC | O_NOFOLLOW, 0644);
}

void
progress_read(struct task *t)
{
	char text[TASK_PROGRESS_MAX];
	int fd CLEANUP(close_fd) = open_mirror(t, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text, 0);
	if (n > 0)
		progress_tell(t, (str){ text, (size_t)n });
}

static void
changed(uv_fs_event_t *h, const char *file UNUSED, int events UNUSED, int status UNUSED)
{
	struct progress_watch *w = h->data;
	if (w->task && w->task->state == TASK_RUNNING)
		progress_read(w->task);
}

static void
closed(uv_handle_t *h)
{
	free(h->data);
}

void
progress_follow(struct task *t)
{
	char path[TASK_PATH_MAX];
	int fd CLEANUP(close_fd) = open_mirror(t, O_RDONLY | O_CREAT); /* a file can only be watched if it is there */
	if (fd < 0 || t->watch)
		return;
	struct progress_watch *w = MEM_NEW(struct progress_watch);
	w->task = t;
	w->handle.data = w;
	t->watch = w;
	uv_fs_event_init(loop_uv(t->x->loop), &w->handle);
	snprintf(path, sizeof path, "%s/%s.progress", t->x->tasks_path, t->dir.p);
	(void)uv_fs_event_start(&w->handle, changed, path, 0); /* else it is known at the end */
}

void
progress_forget(struct task *t)
{
	struct progress_watch *w = t->watch;
	if (!w)
		return;
	t->watch = NULL;
	w->task = NULL;
	uv_close((uv_handle_t *)&w->handle, closed);
}
