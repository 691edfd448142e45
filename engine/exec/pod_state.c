/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod_state: how far a running pod is. Our own pods say it over their sockets; the claim of one that an earlier daemon
 * left has the same text, line by line, and the kernel says when there is another.
 */
#include <fcntl.h>
#include <unistd.h>

#include "engine/exec/exec.h"

#define CLAIM_MAX (256 << 10)

struct pod_watch {
	uv_fs_event_t handle;
	struct task *task; /* NULL: it is being closed */
};

static enum phase
phase_of_letter(char c)
{
	return c == 'r' ? PHASE_RUNNING : c == 'o' ? PHASE_SUCCEEDED : PHASE_PENDING; /* of a failure the end has more to say */
}

void
pod_state_tell(struct task *t, str text)
{
	struct task_result r = { .phase = PHASE_RUNNING, .exit_code = -1 };
	if (t->superseded)
		return;
	struct arena *a CLEANUP(free_arena) = arena_new();
	str letters = str_cut(&text, ' '), address = str_cut(&text, ' ');
	struct container_result *list = ARENA_ARRAY(a, struct container_result, t->members.n);
	for (size_t i = 0; i < t->members.n && i < letters.n; i++)
		if (t->members.p[i].role == TASK_ROLE_MAIN)
			list[r.containers_n++] = (struct container_result){ .name = t->members.p[i].name,
				.phase = phase_of_letter(letters.p[i]), .message = S(""), .exit_code = -1 };
	r.containers = list;
	r.ready = t->daemon && str_eq(str_trim(text), S("ready"));
	r.ip = str_eq(address, S("-")) ? S("127.0.0.1") : address;
	bool ready = r.ready;
	t->x->news(t->x->arg, &t->id, &r);
	if (ready)
		task_idles(t);
}

void
pod_state_read(struct task *t)
{
	char path[TASK_PATH_MAX];
	struct buf b CLEANUP(free_buf) = { 0 };
	snprintf(path, sizeof path, "%s.log", t->dir.p);
	int fd CLEANUP(close_fd) = openat(t->x->tasks_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : pread(fd, buf_room(&b, CLAIM_MAX), CLAIM_MAX, 0);
	str last = STR_NONE;
	for (str rest = { b.p, n > 0 ? (size_t)n : 0 }; rest.n;) {
		bool whole = memchr(rest.p, '\n', rest.n) != NULL;
		str line = str_cut(&rest, '\n');
		if (whole && str_starts(line, S(TASK_LOG_POD)))
			last = str_slice(line, sizeof TASK_LOG_POD - 1, line.n);
	}
	if (last.p)
		pod_state_tell(t, last);
}

static void
changed(uv_fs_event_t *h, const char *file UNUSED, int events UNUSED, int status UNUSED)
{
	struct pod_watch *w = h->data;
	if (w->task && w->task->state == TASK_RUNNING)
		pod_state_read(w->task);
}

static void
closed(uv_handle_t *h)
{
	free(h->data);
}

void
pod_state_watch(struct task *t)
{
	char path[TASK_PATH_MAX * 2];
	if (!t->members.n || t->pod_watch)
		return;
	struct pod_watch *w = MEM_NEW(struct pod_watch);
	snprintf(path, sizeof path, "%s/%s.log", t->x->tasks_path, t->dir.p);
	w->task = t;
	w->handle.data = w;
	uv_fs_event_init(loop_uv(t->x->loop), &w->handle);
	t->pod_watch = w;
	if (uv_fs_event_start(&w->handle, changed, path, 0) < 0)
		pod_state_forget(t); /* then only its end is heard of */
}

void
pod_state_forget(struct task *t)
{
	if (!t->pod_watch)
		return;
	t->pod_watch->task = NULL;
	uv_close((uv_handle_t *)&t->pod_watch->handle, closed);
	t->pod_watch = NULL;
}
