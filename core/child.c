/* SPDX-License-Identifier: Apache-2.0 */
/* See child.h. The end of a process is seen by its pidfd, so nobody else's children are waited for. */
#include "core/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "core/files.h"
#include "core/spawn.h"

enum { ERRORS_MAX = 4096 /* bytes of standard error that are kept */ };

/* One end of a pipe that is read. */
struct reader {
	struct child *child;
	uv_poll_t *poll; /* NULL: at its end */
	int fd;
	struct buf in;
	size_t max;
	bool keep_last; /* what is too much goes at the front; else it is an error */
};

struct child {
	struct link link;
	struct children *set;
	struct arena *arena; /* it lies in it */
	char **argv, **env;
	int64_t timeout_ms;
	str in;
	int fds[CHILD_FDS]; /* 0: none */
	void (*done)(void *arg, const struct child_end *end, const struct err *e);
	void *arg;
	pid_t pid;
	int pidfd;
	uv_poll_t *poll;
	uv_timer_t *timer;
	struct reader out, err;
	struct err error; /* why it was killed */
};

struct children {
	struct loop *loop;
	size_t at_once, running_n;
	struct link running, waiting;
	bool deferred, closed;
};

/* ---- ends ------------------------------------------------------------------------------------------------------------- */

static void
free_handle(uv_handle_t *h)
{
	free(h);
}

static void
close_handle(uv_handle_t *h)
{
	if (h)
		uv_close(h, free_handle);
}

static void
close_reader(struct reader *r)
{
	close_handle((uv_handle_t *)r->poll);
	r->poll = NULL;
	close_fd(&r->fd);
	r->fd = -1;
}

static void
close_given(struct child *c)
{
	for (size_t i = 0; i < CHILD_FDS; i++) {
		if (c->fds[i])
			close(c->fds[i]);
		c->fds[i] = 0;
	}
}

static void
finish(struct child *c, const struct child_end *end)
{
	list_del(&c->link);
	c->done(c->arg, c->error.code ? NULL : end, c->error.code ? &c->error : NULL);
	buf_free(&c->out.in);
	buf_free(&c->err.in);
	close_given(c);
	arena_free(c->arena);
}

/* What is there now. False: nothing more will come. */
static bool
drain(struct reader *r)
{
	for (;;) {
		ssize_t got = read(r->fd, buf_room(&r->in, 16384), 16384);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 && errno == EAGAIN;
		r->in.n += (size_t)got;
		if (r->in.n <= r->max)
			continue;
		if (!r->keep_last) {
			r->in.n = r->max;
			if (!r->child->error.code)
				err_set(&r->child->error, ERR_LIMIT, "it wrote more than %zu bytes", r->max);
			kill(-r->child->pid, SIGKILL);
			return false;
		}
		memmove(r->in.p, r->in.p + r->in.n - r->max, r->max);
		r->in.n = r->max;
	}
}

/* Ends its session, while its own number cannot be another's yet; its status as a shell gives it. */
static int
bury(struct child *c)
{
	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL); /* it may not have come to its session */
	int status = spawn_wait(c->pid);
	close_handle((uv_handle_t *)c->poll);
	close_handle((uv_handle_t *)c->timer);
	close_fd(&c->pidfd);
	c->set->running_n--;
	return status;
}

static void pump(struct children *set);

static void
ended(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct child *c = poll->data;
	struct children *set = c->set;
	if (c->out.poll)
		(void)drain(&c->out); /* the rest, and no more */
	if (c->err.poll)
		(void)drain(&c->err);
	close_reader(&c->out);
	close_reader(&c->err);
	struct child_end end = { bury(c), buf_str(&c->out.in), buf_str(&c->err.in) };
	finish(c, &end);
	pump(set);
}

static void
on_output(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
	struct reader *r = poll->data;
	if (!drain(r))
		close_reader(r);
}

static void
too_late(uv_timer_t *timer)
{
	struct child *c = timer->data;
	if (!c->error.code)
		err_set(&c->error, ERR_TIMEOUT, "it did not end within %lld s", (long long)(c->timeout_ms / 1000));
	kill(-c->pid, SIGKILL);
}

/* ---- starts ----------------------------------------------------------------------------------------------------------- */

static int
spawn(struct child *c, int in, int out, int err, struct err *e)
{
	const struct spawn s = { .argv = (const char *const *)c->argv, .env = (const char *const *)c->env, .dir = -1, .in = in, .out = out, .err = err,
		.more = { c->fds[0], c->fds[1] }, .session = true };
	int rc = spawn_start(&s, &c->pid);
	errno = rc;
	return rc ? err_set(e, ERR_UNAVAILABLE, "starting %s: %s", c->argv[0], strerror(rc)) : 0;
}

static int
make_pipe(int fds[2], struct err *e)
{
	if (spawn_pipe(fds, e) < 0)
		return -1;
	return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? err_errno(e, "making a pipe") : 0;
}

static void
watch(struct reader *r, int fd)
{
	r->fd = fd;
	r->poll = MEM_NEW(uv_poll_t);
	r->poll->data = r;
	uv_poll_init(loop_uv(r->child->set->loop), r->poll, fd);
	uv_poll_start(r->poll, UV_READABLE, on_output);
}

static void
watch_all(struct child *c, int out, int err)
{
	uv_loop_t *uv = loop_uv(c->set->loop);
	c->poll = MEM_NEW(uv_poll_t);
	c->timer = MEM_NEW(uv_timer_t);
	c->poll->data = c->timer->data = c;
	uv_poll_init(uv, c->poll, c->pidfd);
	uv_poll_start(c->poll, UV_READABLE, ended);
	uv_timer_init(uv, c->timer);
	uv_timer_start(c->timer, too_late, (uint64_t)c->timeout_ms, 0);
	watch(&c->out, out);
	watch(&c->err, err);
}

/* A file in memory with what it is to read; -1 if there is nothing. */
static int
make_input(str in, int *fd, struct err *e)
{
	*fd = -1;
	if (!in.p)
		return 0;
	int made CLEANUP(close_fd) = memfd_create("input", MFD_CLOEXEC);
	*fd = made < 0 || files_write(made, in) < 0 || lseek(made, 0, SEEK_SET) < 0 ? -1 : fcntl(made, F_DUPFD_CLOEXEC, 3); /* as with pipes */
	return *fd < 0 ? err_errno(e, "keeping the input") : 0;
}

static int
start(struct child *c, struct err *e)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	int in CLEANUP(close_fd) = -1;
	int rc = make_input(c->in, &in, e) < 0 || make_pipe(out, e) < 0 || make_pipe(err, e) < 0 ? -1 : spawn(c, in, out[1], err[1], e);
	close_fd(&out[1]);
	close_fd(&err[1]);
	c->pidfd = rc == 0 ? pidfd_open(c->pid, 0) : -1;
	if (rc == 0 && c->pidfd < 0) {
		rc = err_errno(e, "watching %s", c->argv[0]);
		kill(c->pid, SIGKILL);
		(void)spawn_wait(c->pid);
	}
	if (rc < 0) {
		close_fd(&out[0]);
		close_fd(&err[0]);
		return -1;
	}
	close_given(c);
	watch_all(c, out[0], err[0]);
	return 0;
}

static void
pump(struct children *set)
{
	while (!set->closed && set->running_n < set->at_once && !list_empty(&set->waiting)) {
		struct child *c = LIST_FIRST(&set->waiting, struct child, link);
		list_del(&c->link);
		if (start(c, &c->error) < 0) {
			finish(c, NULL);
			continue;
		}
		set->running_n++;
		list_add_tail(&set->running, &c->link);
	}
}

/* Those in line that were stopped. From the front each time: done() may stop others. */
static void
drop_stopped(struct children *set)
{
	for (bool again = true; again;) {
		again = false;
		LIST_EACH(&set->waiting, struct child, link, c)
			if (c->error.code) {
				finish(c, NULL);
				again = true;
				break;
			}
	}
}

static void
pump_later(void *arg)
{
	struct children *set = arg;
	set->deferred = false;
	if (set->closed) {
		free(set);
		return;
	}
	drop_stopped(set);
	pump(set);
}

static void
pump_soon(struct children *set)
{
	if (set->deferred)
		return;
	set->deferred = true;
	loop_defer(set->loop, pump_later, set);
}

/* ---- the set ----------------------------------------------------------------------------------------------------------- */

struct children *
children_new(struct loop *l, size_t at_once)
{
	struct children *set = MEM_NEW(struct children);
	set->loop = l;
	set->at_once = at_once;
	list_init(&set->running);
	list_init(&set->waiting);
	return set;
}

static void
end_unfinished(struct child *c)
{
	err_set(&c->error, ERR_UNAVAILABLE, "the daemon ends");
	finish(c, NULL);
}

void
children_free(struct children *set)
{
	if (!set)
		return;
	set->closed = true;
	while (!list_empty(&set->running)) {
		struct child *c = LIST_FIRST(&set->running, struct child, link);
		close_reader(&c->out);
		close_reader(&c->err);
		(void)bury(c); /* how it ended is of no interest any more */
		end_unfinished(c);
	}
	while (!list_empty(&set->waiting))
		end_unfinished(LIST_FIRST(&set->waiting, struct child, link));
	if (!set->deferred)
		free(set);
}

static char **
copy_texts(struct arena *a, const char *const *from)
{
	size_t n = 0;
	while (from[n])
		n++;
	char **to = ARENA_ARRAY(a, char *, n + 1);
	for (size_t i = 0; i < n; i++)
		to[i] = (char *)(uintptr_t)str_z(a, str_c(from[i]));
	to[n] = NULL;
	return to;
}

/* A copy above the numbers that a program gets its own at, where dup2 would leave close-on-exec set. */
static int
keep_fd(int fd, struct err *e)
{
	int kept = fd ? fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FD + CHILD_FDS) : 0;
	if (kept < 0)
		err_errno(e, "keeping an open file");
	return kept < 0 ? 0 : kept;
}

struct child *
child_run(struct children *set, const struct child_spec *s, void (*done)(void *arg, const struct child_end *end, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct child *c = ARENA_NEW(a, struct child);
	*c = (struct child){ .set = set, .arena = a, .timeout_ms = s->timeout_ms, .done = done, .arg = arg, .pidfd = -1 };
	c->argv = copy_texts(a, s->argv);
	c->env = copy_texts(a, s->env);
	c->out = (struct reader){ .child = c, .fd = -1, .max = s->out_max };
	c->err = (struct reader){ .child = c, .fd = -1, .max = ERRORS_MAX, .keep_last = true };
	c->in = s->in.p ? arena_dup(a, s->in) : STR_NONE;
	for (size_t i = 0; i < CHILD_FDS; i++)
		c->fds[i] = keep_fd(s->fds[i], &c->error);
	list_add_tail(&set->waiting, &c->link);
	pump_soon(set);
	return c;
}

bool
child_started(const struct child *c)
{
	return c->pid != 0;
}

void
child_stop(struct child *c)
{
	if (!c->error.code)
		err_set(&c->error, ERR_UNAVAILABLE, "it was stopped");
	if (c->pid) {
		kill(-c->pid, SIGKILL);
		kill(c->pid, SIGKILL); /* it may not have come to its session */
	} else {
		pump_soon(c->set);
	}
}
