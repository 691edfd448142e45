/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes and lifecycle hooks of a container, as far as they mean something here: a startup probe holds the others back,
 * a readiness probe says once that the container is ready, a startup or liveness probe that fails ends it (a pod of a
 * workflow is never restarted), and so does a postStart hook that fails. Each look is a child process, so that none can
 * hold the monitor up; its exit code is the answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define SECOND INT64_C(1000000000)

int
looks_read(struct looks *x, const struct task *t, struct why *w)
{
	struct look *l = NULL;
	struct record r;
	size_t args = 0, used = 0;
	for (const char *at = t->records; record_next(&at, t->records_end, &r);)
		args += r.type == TASK_LOOK_ARG;
	const char **argv = calloc(args + TASK_LOOKS, sizeof *argv);
	if (!argv)
		return why_set(w, "out of memory");
	for (const char *at = t->records; record_next(&at, t->records_end, &r);) {
		struct task_look spec;
		if (r.type == TASK_LOOK && r.n == sizeof spec) {
			memcpy(&spec, r.p, sizeof spec);
			if (spec.kind < 0 || spec.kind >= TASK_LOOKS)
				return why_set(w, "a probe of an unknown kind");
			used += l && l->argv; /* the NULL behind the last */
			l = &x->look[spec.kind];
			*l = (struct look){ .spec = spec, .given = true };
		} else if (l && r.type == TASK_LOOK_ARG) {
			if (!l->argv)
				l->argv = argv + used;
			argv[used++] = r.p;
		} else if (l && r.type == TASK_LOOK_HOST) {
			l->host = r.p;
		} else if (l && r.type == TASK_LOOK_REQUEST) {
			l->request = r.p;
		}
	}
	return 0;
}

static bool
waits(const struct look *l)
{
	return l->given && !l->done;
}

static void
plan(struct look *l, int64_t after_s)
{
	l->at = now_mono() + after_s * SECOND;
}

/* The startup probe is over, or there is none: the others begin. */
static void
begin_rest(struct looks *x)
{
	for (int i = TASK_LOOK_READY; i <= TASK_LOOK_ALIVE; i++)
		if (x->look[i].given)
			plan(&x->look[i], x->look[i].spec.delay_s);
}

void
looks_begin(struct looks *x)
{
	x->running = true;
	x->ready = x->failed = false;
	for (int i = 0; i < TASK_LOOKS; i++) {
		x->look[i].done = false;
		x->look[i].at = x->look[i].until = 0;
		x->look[i].good = x->look[i].bad = 0;
	}
	if (x->look[TASK_HOOK_STARTED].given)
		plan(&x->look[TASK_HOOK_STARTED], 0);
	if (x->look[TASK_LOOK_STARTUP].given)
		plan(&x->look[TASK_LOOK_STARTUP], x->look[TASK_LOOK_STARTUP].spec.delay_s);
	else
		begin_rest(x);
}

int64_t
looks_next(const struct looks *x)
{
	int64_t next = 0;
	for (int i = 0; i < TASK_LOOKS; i++) {
		const struct look *l = &x->look[i];
		int64_t at = l->pid ? l->until : l->at;
		if (at && (!next || at < next))
			next = at;
	}
	return next;
}

/* ---- a look, in a child ------------------------------------------------------------------------------------------ */

static int
connect_to(const char *host, int port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	bool is_v4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
	if (!is_v4 && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
		return -1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct sockaddr *to = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
	if (fd < 0 || connect(fd, to, is_v4 ? sizeof v4 : sizeof v6) < 0)
		return -1;
	return fd;
}

/*
 * Reads on, as the kubelet does: closing with bytes unread would reset the connection under a server that still writes.
 * A server that says nothing more and keeps the connection is not waited for.
 */
static void
read_rest(int fd)
{
	enum { REST_MAX = 10 << 10, SILENCE_MS = 100 };
	char rest[1024];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	for (size_t n = 0; n < REST_MAX && poll(&p, 1, SILENCE_MS) > 0;) {
		ssize_t got = read(fd, rest, sizeof rest);
		if (got <= 0)
			return;
		n += (size_t)got;
	}
}

/* 2xx and 3xx are good, as for Kubernetes. */
static bool
answers_well(int fd, const char *request)
{
	char answer[16] = "";
	size_t n = 0, length = strlen(request);
	if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
		return false;
	while (n < sizeof answer - 1) {
		ssize_t got = read(fd, answer + n, sizeof answer - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	read_rest(fd);
	const char *space = strchr(answer, ' ');
	return !strncmp(answer, "HTTP/1.", 7) && space && (space[1] == '2' || space[1] == '3');
}

static _Noreturn void
look_now(const struct look *l, const struct command *c)
{
	const char *own = c->setup->address ? c->setup->address : "127.0.0.1";
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	if (l->spec.action == TASK_DO_SLEEP) {
		sleep((unsigned)l->spec.timeout_s);
		_exit(0);
	}
	int fd = connect_to(l->host ? l->host : own, l->spec.port);
	_exit(fd >= 0 && (l->spec.action == TASK_DO_CONNECT || answers_well(fd, l->request ? l->request : "")) ? 0 : 1);
}

/* The pid; -1: it could not even begin. */
static pid_t
start(const struct look *l, const struct command *c)
{
	if (l->spec.action != TASK_DO_EXEC) {
		pid_t pid = fork();
		if (pid == 0)
			look_now(l, c);
		return pid;
	}
	struct task task = *c->task;
	struct why ignored = { "" };
	const struct command exec = { c->setup, &task, c->in, c->in, c->in };
	task.argv = l->argv;
	return l->argv && l->argv[0] ? command_start(&exec, &ignored) : -1;
}

/* ---- what comes of them ------------------------------------------------------------------------------------------ */

static enum look_news
judge(struct looks *x, int kind, bool good)
{
	struct look *l = &x->look[kind];
	l->good = good ? l->good + 1 : 0;
	l->bad = good ? 0 : l->bad + 1;
	if (kind >= TASK_LOOK_KINDS) {
		l->done = true;
		return kind == TASK_HOOK_STARTED && !good ? LOOK_FAILED : LOOK_NOTHING;
	}
	if (good && l->good >= l->spec.successes && kind == TASK_LOOK_STARTUP) {
		l->done = true;
		begin_rest(x);
		return LOOK_NOTHING;
	}
	if (good && l->good >= l->spec.successes && kind == TASK_LOOK_READY) {
		l->done = true; /* once is enough: nobody is told when it changes its mind */
		return LOOK_NOTHING;
	}
	plan(l, l->spec.period_s);
	if (good || kind == TASK_LOOK_READY || l->bad < l->spec.failures)
		return LOOK_NOTHING;
	l->done = true;
	return LOOK_FAILED;
}

static enum look_news
turn_one(struct looks *x, int kind, const struct command *c)
{
	struct look *l = &x->look[kind];
	int64_t now = now_mono();
	if (l->pid && l->until && now >= l->until) {
		kill(-l->pid, SIGKILL);
		kill(l->pid, SIGKILL); /* it may not have a group of its own yet */
		l->until = 0; /* its end is its answer */
		return LOOK_NOTHING;
	}
	if (l->pid || !l->at || now < l->at || l->done)
		return LOOK_NOTHING;
	l->at = 0;
	l->pid = start(l, c);
	bool timed = kind < TASK_LOOK_KINDS; /* hooks may take their time */
	l->until = timed && l->pid > 0 ? now + l->spec.timeout_s * SECOND : 0;
	if (l->pid > 0)
		return LOOK_NOTHING;
	l->pid = 0;
	return judge(x, kind, false);
}

static bool
is_ready(const struct looks *x)
{
	return x->running && !waits(&x->look[TASK_LOOK_STARTUP]) && !waits(&x->look[TASK_LOOK_READY]) &&
	       !waits(&x->look[TASK_HOOK_STARTED]);
}

enum look_news
looks_turn(struct looks *x, const struct command *c)
{
	for (int i = 0; i < TASK_LOOKS; i++)
		x->failed |= turn_one(x, i, c) == LOOK_FAILED;
	if (x->failed) {
		x->failed = false;
		return LOOK_FAILED;
	}
	if (x->ready || !is_ready(x))
		return LOOK_NOTHING;
	x->ready = true;
	return LOOK_READY;
}

bool
looks_reap(struct looks *x, pid_t pid, int status)
{
	for (int i = 0; i < TASK_LOOKS; i++) {
		struct look *l = &x->look[i];
		if (l->pid != pid)
			continue;
		l->pid = 0;
		l->until = 0;
		x->failed |= judge(x, i, WIFEXITED(status) && WEXITSTATUS(status) == 0) == LOOK_FAILED;
		return true; /* what came of it is told with the next turn */
	}
	return false;
}

bool
looks_stop(struct looks *x, const struct command *c)
{
	struct look *l = &x->look[TASK_HOOK_STOP];
	x->running = false;
	if (!l->given || l->done || l->pid)
		return false;
	plan(l, 0);
	(void)turn_one(x, TASK_HOOK_STOP, c); /* a hook that fails changes nothing */
	return l->pid > 0;
}
