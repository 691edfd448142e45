/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/jq.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "sensors/jq/protocol.h"

#define LOOK_MS 100       /* how often a busy helper's time is looked at */
#define IDLE_LOOKS 600    /* after that many without work a helper ends */
#define REAL_TIMES 10     /* a program that waits for the processor may take that much longer */

struct jq_job {
	struct link link;    /* among those that wait */
	struct jq_pool *pool;
	str program;
	struct event *ev;
	void (*done)(void *arg, str out, const struct err *e); /* NULL: cancelled */
	void *arg;
	unsigned deaths;     /* helpers that died over it for no reason of ours */
};

struct helper {
	struct link link;
	struct jq_pool *pool;
	pid_t pid;
	int fd;
	uv_poll_t *poll;
	uv_timer_t *timer;
	struct jq_job *job;  /* NULL: idle */
	struct jq_request request;
	size_t sent;         /* of request, program and data */
	struct jq_reply reply;
	struct buf in;
	int64_t cpu_ns, real_ns; /* when the job began */
	unsigned idle;       /* looks */
};

struct jq_pool {
	struct loop *loop;
	struct jq_limits limits;
	struct link helpers, waiting;
	size_t helpers_n;
	char path[PATH_MAX + 64]; /* of the helper; "": not found yet */
	bool deferred, closing;
};

static struct jq_limits limits;

void
jq_set_limits(const struct jq_limits *l)
{
	limits = *l;
}

/* ---- ends ------------------------------------------------------------------------------------------------------------- */

static void
free_job(struct jq_job *j)
{
	event_unref(j->ev);
	str_disown(j->program);
	free(j);
}

static void
finish(struct jq_job *j, str out, const struct err *e)
{
	if (j->done)
		j->done(j->arg, out, e);
	free_job(j);
}

static void
free_handle(uv_handle_t *h)
{
	free(h);
}

/* Ends the helper, if it has not ended by itself; its status as waitpid gives it. */
static int
bury(struct helper *h)
{
	int status = 0;
	list_del(&h->link);
	h->pool->helpers_n--;
	uv_close((uv_handle_t *)h->poll, free_handle);
	uv_close((uv_handle_t *)h->timer, free_handle);
	kill(h->pid, SIGKILL);
	while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(h->fd);
	buf_free(&h->in);
	free(h);
	return status;
}

static void pump(struct jq_pool *p);

/* The helper is dead, though nobody here killed it. What the program did to it would happen again; a kill from outside would not. */
static void
died(struct helper *h)
{
	struct jq_pool *p = h->pool;
	struct jq_job *j = h->job;
	struct err e;
	int status = bury(h);
	if (!j)
		return;
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if ((sig == SIGKILL || !sig) && j->deaths++ == 0) {
		j->link.next = p->waiting.next; /* the first again */
		j->link.prev = &p->waiting;
		p->waiting.next->prev = &j->link;
		p->waiting.next = &j->link;
		return;
	}
	if (WIFEXITED(status))
		err_set(&e, ERR_UNAVAILABLE, "tidegate-jq ended with status %d: is libjq1 installed?", WEXITSTATUS(status));
	else if (sig == SIGKILL)
		err_set(&e, ERR_LIMIT, "tidegate-jq was killed twice while the program ran");
	else
		err_set(&e, ERR_LIMIT, "the program needs more than %lld MiB of memory (setting jqMemory), or nests too deep: tidegate-jq ended with signal %d",
		        (long long)(p->limits.memory >> 20), sig);
	finish(j, STR_NONE, &e);
}

/* ---- time ------------------------------------------------------------------------------------------------------------- */

static int64_t
cpu_of(const struct helper *h)
{
	clockid_t id;
	return clock_getcpuclockid(h->pid, &id) == 0 ? clock_ns(id) : 0;
}

static void
look_at_time(uv_timer_t *timer)
{
	struct helper *h = timer->data;
	struct jq_pool *p = h->pool;
	if (!h->job) {
		if (++h->idle > IDLE_LOOKS)
			bury(h);
		return;
	}
	bool cpu = cpu_of(h) - h->cpu_ns > p->limits.cpu_ns;
	if (!cpu && clock_monotonic_ns() - h->real_ns <= REAL_TIMES * p->limits.cpu_ns)
		return;
	struct jq_job *j = h->job;
	struct err e;
	err_set(&e, ERR_LIMIT, "the program did not end within %lld ms%s (setting jqTime)",
	        (long long)((cpu ? 1 : REAL_TIMES) * p->limits.cpu_ns / NS_PER_MS), cpu ? " of processor time" : "");
	bury(h);
	finish(j, STR_NONE, &e);
	pump(p);
}

/* ---- talking ----------------------------------------------------------------------------------------------------------- */

static void on_ready(uv_poll_t *poll, int status, int events);

static void
watch(struct helper *h, bool writes)
{
	uv_poll_start(h->poll, UV_READABLE | (writes ? UV_WRITABLE : 0), on_ready);
}

/* What of the request is left goes out. False: the helper is dead. */
static bool
send_rest(struct helper *h)
{
	const str parts[] = { { (const char *)&h->request, sizeof h->request }, h->job->program, h->job->ev->data };
	size_t total = parts[0].n + parts[1].n + parts[2].n;
	while (h->sent < total) {
		struct iovec iov[3];
		size_t skip = h->sent;
		int n = 0;
		for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
			if (skip < parts[i].n)
				iov[n++] = (struct iovec){ (void *)(uintptr_t)(parts[i].p + skip), parts[i].n - skip };
			skip = skip > parts[i].n ? skip - parts[i].n : 0;
		}
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)n };
		ssize_t put = sendmsg(h->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return errno == EAGAIN;
		h->sent += (size_t)put;
	}
	watch(h, false);
	return true;
}

static void
begin(struct helper *h, struct jq_job *j)
{
	list_del(&j->link);
	h->job = j;
	h->sent = 0;
	h->idle = 0;
	h->request = (struct jq_request){ (uint32_t)j->program.n, (uint32_t)j->ev->data.n };
	h->cpu_ns = cpu_of(h);
	h->real_ns = clock_monotonic_ns();
	watch(h, true);
	if (!send_rest(h))
		died(h);
}

/* A whole answer is there. */
static void
answered(struct helper *h)
{
	struct jq_pool *p = h->pool;
	struct jq_job *j = h->job;
	struct jq_reply r;
	struct buf in = h->in;
	memcpy(&r, in.p, sizeof r);
	h->in = (struct buf){ 0 };
	h->job = NULL;
	str out = { in.p + sizeof r, r.n };
	struct err e;
	if (r.status == JQ_OK) {
		finish(j, out, NULL);
	} else {
		err_set(&e, ERR_INVALID, "%.*s", STR_ARG(out));
		finish(j, STR_NONE, &e);
	}
	buf_free(&in);
	pump(p);
}

/* How much of the answer is still to come; 0: none. SIZE_MAX: it makes no sense. */
static size_t
missing(const struct helper *h)
{
	struct jq_reply r;
	if (h->in.n < sizeof r)
		return sizeof r - h->in.n;
	memcpy(&r, h->in.p, sizeof r);
	return r.n > JQ_ANSWER_MAX ? SIZE_MAX : sizeof r + r.n - h->in.n;
}

static void
receive(struct helper *h)
{
	for (size_t want; (want = missing(h)) != 0;) {
		ssize_t got = want == SIZE_MAX ? 0 : recv(h->fd, buf_room(&h->in, want), want, MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0 || !h->job) {
			struct jq_pool *p = h->pool;
			died(h);
			pump(p);
			return;
		}
		h->in.n += (size_t)got;
	}
	answered(h);
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
	struct helper *h = poll->data;
	struct jq_pool *p = h->pool;
	if (status == 0 && (events & UV_WRITABLE) && h->job && !send_rest(h)) {
		died(h);
		pump(p);
		return;
	}
	if (status < 0 || (events & UV_READABLE))
		receive(h);
}

/* ---- helpers ------------------------------------------------------------------------------------------------------------- */

/* Beside the program, one above it (tests), or where `make install` puts it. */
static int
find_program(struct jq_pool *p, struct err *e)
{
	static const char *const places[] = { "", "/..", "/../libexec/tidegate", "/../lib/tidegate" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n < 0)
		return err_errno(e, "find tidegate-jq");
	self[n] = 0;
	*strrchr(self, '/') = 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		snprintf(p->path, sizeof p->path, "%s%s/tidegate-jq", self, places[i]);
		if (access(p->path, X_OK) == 0)
			return 0;
	}
	p->path[0] = 0;
	return err_set(e, ERR_UNAVAILABLE, "tidegate-jq is neither beside the program in %s nor in ../libexec/tidegate", self);
}

/* posix_spawn shares our memory until the exec; nothing of ours is inherited but the socket, and no environment. */
static int
spawn(const struct jq_pool *p, int socket, pid_t *pid, struct err *e)
{
	char name[] = "tidegate-jq", memory[24];
	char *argv[] = { name, memory, NULL }, *envp[] = { NULL };
	posix_spawn_file_actions_t files;
	snprintf(memory, sizeof memory, "%lld", (long long)(p->limits.memory >> 20));
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, 0, 1);
	posix_spawn_file_actions_adddup2(&files, 0, 2);
	posix_spawn_file_actions_adddup2(&files, socket, JQ_FD);
	posix_spawn_file_actions_addclosefrom_np(&files, JQ_FD + 1);
	int rc = posix_spawn(pid, p->path, &files, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&files);
	errno = rc;
	return rc ? err_errno(e, "starting %s", p->path) : 0;
}

static struct helper *
start_helper(struct jq_pool *p, struct err *e)
{
	int pair[2];
	if (!p->path[0] && find_program(p, e) < 0)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		err_errno(e, "making a socket for tidegate-jq");
		return NULL;
	}
	/* Not at the very number it is to get, where dup2 would leave close-on-exec set. */
	int far = fcntl(pair[1], F_DUPFD_CLOEXEC, JQ_FD + 1);
	close(pair[1]);
	struct helper *h = MEM_NEW(struct helper);
	if (far < 0 || spawn(p, far, &h->pid, e) < 0) {
		if (far < 0)
			err_errno(e, "making a socket for tidegate-jq");
		else
			close(far);
		close(pair[0]);
		free(h);
		return NULL;
	}
	close(far);
	h->pool = p;
	h->fd = pair[0];
	h->poll = MEM_NEW(uv_poll_t);
	h->timer = MEM_NEW(uv_timer_t);
	h->poll->data = h->timer->data = h;
	uv_poll_init(loop_uv(p->loop), h->poll, h->fd);
	uv_timer_init(loop_uv(p->loop), h->timer);
	uv_timer_start(h->timer, look_at_time, LOOK_MS, LOOK_MS);
	uv_unref((uv_handle_t *)h->timer);
	list_add_tail(&p->helpers, &h->link);
	p->helpers_n++;
	return h;
}

static struct helper *
idle_helper(struct jq_pool *p)
{
	LIST_EACH(&p->helpers, struct helper, link, h)
		if (!h->job)
			return h;
	return NULL;
}

/* Gives work to who is free, and starts who may be started. */
static void
pump(struct jq_pool *p)
{
	while (!p->closing && !list_empty(&p->waiting)) {
		struct err e;
		struct helper *h = idle_helper(p);
		if (!h && p->helpers_n >= (size_t)p->limits.helpers)
			return;
		if (!h)
			h = start_helper(p, &e);
		struct jq_job *j = LIST_FIRST(&p->waiting, struct jq_job, link);
		if (h) {
			begin(h, j);
			continue;
		}
		list_del(&j->link);
		finish(j, STR_NONE, &e);
	}
}

static void
pump_later(void *arg)
{
	struct jq_pool *p = arg;
	p->deferred = false;
	if (p->closing)
		free(p);
	else
		pump(p);
}

/* ---- the pool --------------------------------------------------------------------------------------------------------------- */

struct jq_pool *
jq_pool_new(struct loop *l)
{
	struct jq_pool *p = MEM_NEW(struct jq_pool);
	p->loop = l;
	p->limits = JQ_LIMITS_DEFAULT;
	p->limits.memory = limits.memory ? limits.memory : p->limits.memory;
	p->limits.cpu_ns = limits.cpu_ns ? limits.cpu_ns : p->limits.cpu_ns;
	p->limits.helpers = limits.helpers ? limits.helpers : p->limits.helpers;
	list_init(&p->helpers);
	list_init(&p->waiting);
	return p;
}

void
jq_pool_free(struct jq_pool *p)
{
	if (!p)
		return;
	p->closing = true;
	LIST_EACH(&p->waiting, struct jq_job, link, j) {
		list_del(&j->link);
		free_job(j);
	}
	LIST_EACH(&p->helpers, struct helper, link, h) {
		if (h->job)
			free_job(h->job);
		bury(h);
	}
	if (!p->deferred)
		free(p);
}

struct jq_job *
jq_run(struct jq_pool *p, str program, struct event *ev, void (*done)(void *arg, str out, const struct err *e), void *arg)
{
	struct jq_job *j = MEM_NEW(struct jq_job);
	*j = (struct jq_job){ .pool = p, .program = str_own(program), .ev = event_ref(ev), .done = done, .arg = arg };
	list_add_tail(&p->waiting, &j->link);
	if (!p->deferred) {
		p->deferred = true;
		loop_defer(p->loop, pump_later, p);
	}
	return j;
}

void
jq_cancel(struct jq_job *j)
{
	j->done = NULL;
	if (!j->link.next)
		return; /* a helper has it, and frees it with its answer */
	list_del(&j->link);
	free_job(j);
}
