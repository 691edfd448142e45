/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: one step's life. It prepares everything while the daemon's commit is under way, waits for its release,
 * claims the task, runs the command, relays its output, ends it when asked or at the deadline, sees that nothing of it
 * stays behind, and closes the log with what came of it. In a sandbox it is process 1 of the step's namespace; without
 * one it adopts the step's orphans as a subreaper. It needs neither the server nor the daemon once it was released.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/shim/shim.h"

struct monitor {
	const struct setup *setup;
	struct task task;
	int socket, log_fd, signals, null;
	int server;         /* to be closed when the command has been started; -1 */
	int end_fd;         /* in a pod: the file that gets the end; -1 */
	struct relay relay;
	int out[2], err[2]; /* the pipes for the command's output; [0] is ours; -1: not made */
	struct why error;   /* why the step could not be prepared: reported after the release, as its end */
	struct why message; /* why the command could not be started */
	pid_t pid;
	bool ended; /* the command, not yet all of the step */
	int status;
	struct task_usage usage;
	enum task_cause cause;
	int64_t started, finished; /* wall clock */
	int64_t term_at, kill_at;  /* monotonic; 0: not set */
	int64_t grace_ns;
	struct progress progress;
	struct looks looks;
	bool stopping;      /* a hook runs before SIGTERM is sent */
	bool claimed;       /* by us, and the daemon need be told */
	int64_t attempts;   /* made */
	int *artifacts;     /* files for those it leaves */
	unsigned artifacts_n;
};

/* Without a sandbox every step has a folder of its own, to work in and for its progress file. */
static int
enter_work(struct monitor *m)
{
	const struct task *t = &m->task;
	if (t->sandbox != TASK_SANDBOX_OFF || (t->cwd && !t->progress))
		return 0;
	char dir[4096];
	snprintf(dir, sizeof dir, "%s%s%s", t->dir, t->container ? "/@" : "", t->container ? t->container : "");
	ahead_enter(m->setup, dir);
	int fd = task_open_dir(m->setup->tasks_fd, dir);
	if (fd >= 0 && t->has_user)
		(void)!fchown(fd, t->uid, t->gid); /* then it cannot write there: its own message says so */
	if (fd < 0 || (!t->cwd && fchdir(fd) < 0))
		return why_errno(&m->error, "enter the working directory");
	close(fd);
	return 0;
}

/* Whoever removes the image sees that it is in use. The descriptor stays open until we end. */
static int
hold_image(const struct task *t, struct why *w)
{
	if (!t->hold)
		return 0;
	int fd = open(t->hold, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0)
		return why_errno(w, "the image in %s is being removed", t->hold);
	return 0;
}

static void
prepare(struct monitor *m, const char *records, size_t n, enum task_sandbox sandbox)
{
	m->task.sandbox = sandbox;
	if (task_read(&m->task, records, n, &m->error) < 0 || looks_read(&m->looks, &m->task, &m->error) < 0)
		return;
	if (hold_image(&m->task, &m->error) < 0)
		return;
	if (cgroup_make(&m->task, &m->error) < 0)
		return;
	if (sandbox == TASK_SANDBOX_OFF)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	else
		sandbox_build(m->setup, &m->task, &m->error);
	/* Making a folder is slow: now, and not between the commit and the command. Should the release never come it stays, empty:
	 * another helper of this task may be in it already. */
	if (!m->error.text[0])
		(void)enter_work(m); /* what failed is in m->error */
	progress_open(&m->progress, &m->task);
	/* The step runs as the same user: it must not trace us or read our descriptors. */
	prctl(PR_SET_DUMPABLE, 0);
}

/* In a pod: waits until the pod says that it is our turn, or that it never will be. */
static void
wait_turn(struct monitor *m)
{
	char text[600];
	ssize_t n;
	do
		n = recv(m->socket, text, sizeof text - 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 1) {
		cgroup_remove();
		_exit(0);
	}
	text[n] = 0;
	if (text[0] == 'd')
		why_set(&m->message, "Error: %s", text + 1);
}

/* A container's own log is no claim: the pod has that. */
static void
open_log(struct monitor *m)
{
	char path[4096];
	snprintf(path, sizeof path, "%s@%s.log", m->task.dir, m->task.container);
	m->log_fd = openat(m->setup->tasks_fd, path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (m->log_fd < 0 || relay_started(m->log_fd, NULL) < 0)
		why_errno(&m->error, "open the log %s", path);
	(void)!send(m->socket, "c", 1, MSG_NOSIGNAL); /* if the pod is gone we shall see it */
}

static void
take_claim(struct monitor *m)
{
	if (m->end_fd >= 0) {
		wait_turn(m);
		open_log(m);
		return;
	}
	if (!claim_wait(m->socket)) {
		cgroup_remove();
		ahead_drop(m->setup);
		_exit(0);
	}
	if (!m->task.dir)
		_exit(1); /* not even its directory is known */
	m->log_fd = claim_take(m->setup, m->task.dir, m->task.claim, m->socket);
	m->claimed = true;
}

static int
write_script(struct monitor *m)
{
	struct task *t = &m->task;
	char name[4096], *path = NULL;
	if (!t->script)
		return 0;
	if (t->sandbox != TASK_SANDBOX_OFF) {
		t->argv[t->argc] = "/argo/staging/script"; /* sandbox_build has written it */
		return 0;
	}
	snprintf(name, sizeof name, "%s%s%s.script", t->dir, t->container ? "@" : "", t->container ? t->container : "");
	if (asprintf(&path, "%s/%s", m->setup->tasks_path, name) < 0)
		return why_set(&m->error, "out of memory");
	int fd = openat(m->setup->tasks_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (fd < 0 || write(fd, t->script, t->script_n) != (ssize_t)t->script_n)
		return why_errno(&m->error, "write the script");
	fchmod(fd, 0755);
	close(fd); /* before exec: a file that is open for writing cannot be executed */
	t->argv[t->argc] = path;
	return 0;
}

/* Made while the commit is under way; a further attempt makes its own. */
static int
open_pipes(struct monitor *m)
{
	if (m->out[0] >= 0)
		return 0;
	if (pipe2(m->out, O_CLOEXEC) < 0 || pipe2(m->err, O_CLOEXEC) < 0)
		return why_errno(&m->error, "make the pipes for its output");
	if (fcntl(m->out[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(m->err[0], F_SETFL, O_NONBLOCK) < 0)
		return why_errno(&m->error, "make the pipes for its output");
	return 0;
}

static void
not_started(struct monitor *m)
{
	relay_say(&m->relay, m->message.text);
	m->status = W_EXITCODE(TASK_EXIT_NOT_STARTED, 0);
	m->ended = true;
}

static struct command
command_of(const struct monitor *m, int out, int err)
{
	return (struct command){ m->setup, &m->task, m->null, out, err };
}

static void
start_command(struct monitor *m)
{
	if (m->error.text[0] || write_script(m) < 0)
		return;
	if (m->message.text[0]) { /* it is not to be */
		not_started(m);
		return;
	}
	if (open_pipes(m) < 0)
		return;
	const struct command c = command_of(m, m->out[1], m->err[1]);
	m->pid = command_start(&c, &m->message);
	close(m->out[1]);
	close(m->err[1]);
	m->relay.stream[0] = (struct relay_stream){ .fd = m->out[0], .keep = m->task.capture };
	m->relay.stream[1] = (struct relay_stream){ .fd = m->err[0] };
	m->out[0] = -1;
	m->attempts++;
	if (m->pid < 0)
		not_started(m);
	else
		looks_begin(&m->looks);
}

/* The hook before the end, if there is one, then SIGTERM to the step's group; the rest follows at kill_at. */
static void
end_step(struct monitor *m, enum task_cause cause, int64_t grace_ns)
{
	const struct command c = command_of(m, m->null, m->null);
	if (m->ended)
		return;
	if (m->cause == TASK_CAUSE_ITSELF)
		m->cause = cause;
	m->term_at = 0;
	int64_t kill_at = now_mono() + grace_ns;
	if (!m->kill_at || kill_at < m->kill_at) /* asked again, it has no more time than it had */
		m->kill_at = kill_at;
	if (!m->stopping && grace_ns > 0)
		m->stopping = looks_stop(&m->looks, &c);
	if (!m->stopping || grace_ns == 0)
		kill(-m->pid, SIGTERM);
}

/* What probes and hooks came to. */
static void
turn_looks(struct monitor *m)
{
	const struct command c = command_of(m, m->null, m->null);
	if (m->stopping && m->looks.look[TASK_HOOK_STOP].done) {
		m->stopping = false;
		kill(-m->pid, SIGTERM);
	}
	if (m->ended || m->cause != TASK_CAUSE_ITSELF)
		return;
	switch (looks_turn(&m->looks, &c)) {
	case LOOK_READY:
		if (m->end_fd >= 0)
			(void)!send(m->socket, "y", 1, MSG_NOSIGNAL);
		break;
	case LOOK_FAILED:
		end_step(m, TASK_CAUSE_ASKED, m->grace_ns);
		break;
	case LOOK_NOTHING:
		break;
	}
}

static void
reap(struct monitor *m)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		if (pid == m->pid && !m->ended) {
			m->ended = true;
			m->status = status;
		} else {
			(void)looks_reap(&m->looks, pid, status); /* else an orphan */
		}
	}
}

static void
take_signals(struct monitor *m)
{
	struct signalfd_siginfo si;
	while (read(m->signals, &si, sizeof si) == sizeof si) {
		/* A step can signal process 1 of its namespace too: then it ends itself, which it may. */
		if (si.ssi_signo == SIGTERM)
			end_step(m, TASK_CAUSE_ASKED, (si.ssi_int > 0 ? si.ssi_int : 0) * INT64_C(1000000000));
		else if (si.ssi_signo == SIGIO)
			progress_changed(&m->progress);
	}
	reap(m);
}

/* Milliseconds until the next thing to do, at least `least`; -1 if there is none. */
static int
wait_ms(const struct monitor *m)
{
	int64_t at = m->kill_at ? m->kill_at : m->term_at, look = m->progress.look_at;
	if (look && (!at || look < at))
		at = look;
	look = looks_next(&m->looks);
	if (look && (!at || look < at))
		at = look;
	if (!at)
		return -1;
	int64_t ms = (at - now_mono() + 999999) / 1000000;
	return ms < 0 ? 0 : ms > 3600000 ? 3600000 : (int)ms;
}

static void
timers(struct monitor *m)
{
	if (m->ended)
		return;
	int64_t now = now_mono();
	if (m->kill_at && now >= m->kill_at) {
		kill(-m->pid, SIGKILL);
		kill(m->pid, SIGKILL); /* it may have left its group */
		m->kill_at = now + INT64_C(1000000000);
	} else if (m->term_at && now >= m->term_at) {
		end_step(m, TASK_CAUSE_DEADLINE, m->grace_ns);
	}
}

/* Kills our children: those of the step whose parents are gone have become ours. */
static void
kill_children(void)
{
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	char text[4096];
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	for (char *p = text, *end; *p; p = end) {
		long pid = strtol(p, &end, 10);
		if (end == p)
			break;
		if (pid > 1 && (*end == ' ' || !*end))
			kill((pid_t)pid, SIGKILL);
	}
}

/*
 * Ends everything that the step left behind. In a namespace of its own one call reaches all; without, every orphan
 * comes to us, so killing our children until there are none does it, whatever session they fled to.
 */
static void
kill_rest(struct monitor *m)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid < 0 && errno == ECHILD)
			return;
		if (pid > 0)
			continue;
		if (m->task.sandbox != TASK_SANDBOX_OFF) {
			kill(-1, SIGKILL);
		} else {
			kill(-m->pid, SIGKILL);
			kill_children();
		}
		struct pollfd child = { m->signals, POLLIN, 0 };
		struct signalfd_siginfo si;
		if (poll(&child, 1, 10) > 0)
			(void)!read(m->signals, &si, sizeof si); /* SIGCHLD: look again */
	}
}

/* The pod says nothing more to a container that runs, but its end is ours too. */
static void
pod_gone(struct monitor *m)
{
	char c;
	if (recv(m->socket, &c, 1, MSG_DONTWAIT) != 0)
		return;
	kill(m->task.sandbox == TASK_SANDBOX_OFF ? -m->pid : -1, SIGKILL);
	kill_rest(m);
	cgroup_remove();
	_exit(1);
}

/* Until the command has ended. */
static void
watch(struct monitor *m)
{
	m->term_at = m->kill_at = 0;
	if (m->task.deadline_ns) {
		int64_t left = m->task.deadline_ns - now_real();
		m->term_at = now_mono() + (left > 0 ? left : 0);
	}
	for (turn_looks(m); !m->ended; turn_looks(m)) {
		struct pollfd fds[] = { { m->signals, POLLIN, 0 }, { m->relay.stream[0].fd, POLLIN, 0 },
			{ m->relay.stream[1].fd, POLLIN, 0 }, { m->end_fd >= 0 ? m->socket : -1, POLLIN, 0 } };
		int n = poll(fds, 4, wait_ms(m));
		if (n < 0 && errno != EINTR)
			_exit(1);
		if (n > 0 && fds[1].revents)
			relay_read(&m->relay, &m->relay.stream[0]);
		if (n > 0 && fds[2].revents)
			relay_read(&m->relay, &m->relay.stream[1]);
		if (n > 0 && fds[0].revents)
			take_signals(m);
		if (n > 0 && fds[3].revents)
			pod_gone(m);
		timers(m);
		progress_look(&m->progress, m->setup, &m->task, m->socket);
	}
}

/*
 * What the step used: of all its processes, orphans too, for every one of them was waited for, here or by its parent.
 * Its control groups, if it has any, also know of children that a parent did not care to wait for, and what all of its
 * processes held together.
 */
static void
count_usage(struct monitor *m)
{
	struct rusage r;
	if (getrusage(RUSAGE_CHILDREN, &r) < 0)
		return;
	m->usage = (struct task_usage){ r.ru_utime.tv_sec * 1000000 + r.ru_utime.tv_usec,
		r.ru_stime.tv_sec * 1000000 + r.ru_stime.tv_usec, r.ru_maxrss };
	cgroup_usage(&m->usage);
}

/* What is still in the pipes. Nobody is left to write into them, unless a descriptor was passed out of the step. */
static void
drain(struct relay *r)
{
	for (int i = 0; i < 2; i++) {
		struct pollfd p = { r->stream[i].fd, POLLIN, 0 };
		while (p.fd >= 0 && poll(&p, 1, 0) > 0 && relay_read(r, &r->stream[i]))
			;
	}
}

static void
put_result(const struct monitor *m, struct exit_buf *b)
{
	const struct relay *r = &m->relay;
	size_t n = r->tail_n < TASK_RESULT_MAX ? r->tail_n : TASK_RESULT_MAX;
	size_t from = r->tail_n < TASK_RESULT_MAX ? 0 : r->tail_n % TASK_RESULT_MAX;
	char *text = malloc(n + 1);
	if (!text)
		_exit(1);
	memcpy(text, r->tail + from, r->tail ? n - from : 0);
	memcpy(text + n - from, r->tail, r->tail ? from : 0);
	exit_put(b, TASK_EXIT_RESULT, text, n);
	free(text);
}

/*
 * What a step left is read with the step's own rights: a path of the manifest must not open to us what was closed to
 * the command, be it in /proc.
 */
static int
lower_rights(struct monitor *m)
{
	static struct setup without_filter;
	const char *what = "";
	if (m->task.sandbox == TASK_SANDBOX_OFF)
		return 0;
	without_filter = *m->setup;
	without_filter.seccomp = NULL; /* it would cost more than the reading */
	if (sandbox_drop(&m->task, &without_filter, &what) == 0)
		return 0;
	return why_errno(&m->error, "read the outputs: %s", what);
}

/* Before our rights are the step's: the files that its artifacts go into. What could not be opened is -1. */
static void
open_artifacts(struct monitor *m)
{
	struct record r;
	for (const char *at = m->task.records; record_next(&at, m->task.records_end, &r);)
		m->artifacts_n += r.type == TASK_ARTIFACT;
	m->artifacts = m->artifacts_n ? calloc(m->artifacts_n, sizeof *m->artifacts) : NULL;
	if (m->artifacts_n && !m->artifacts)
		_exit(1); /* the daemon then reports a helper that died */
	for (unsigned i = 0; i < m->artifacts_n; i++)
		m->artifacts[i] = collect_open(m->setup, &m->task, i);
}

static void
put_artifacts(const struct monitor *m, struct exit_buf *b)
{
	struct record r;
	unsigned i = 0;
	bool bare = false;
	for (const char *at = m->task.records; record_next(&at, m->task.records_end, &r);) {
		bare |= r.type == TASK_ARTIFACT_BARE;
		if (r.type == TASK_ARTIFACT) {
			collect(&m->task, r.p, bare, m->artifacts[i], b);
			bare = false;
			i++;
		}
	}
}

static void
put_outputs(const struct monitor *m, struct exit_buf *b)
{
	struct record r;
	for (const char *at = m->task.records; record_next(&at, m->task.records_end, &r);)
		if (r.type == TASK_OUTPUT)
			output_collect(&m->task, r.p, b);
	put_artifacts(m, b);
	if (m->task.progress)
		output_small(&m->task, m->task.progress, 256, TASK_EXIT_PROGRESS, b);
	if (m->task.sandbox == TASK_SANDBOX_OFF || m->message.text[0])
		return;
	size_t before = b->n;
	output_small(&m->task, m->task.message_path, TASK_MESSAGE_MAX, TASK_EXIT_MESSAGE, b);
	if (b->n == before && m->task.message_log && m->status)
		relay_last(m->log_fd, TASK_MESSAGE_MAX / 2, b);
}

static int
exit_code(const struct monitor *m)
{
	return WIFEXITED(m->status) ? WEXITSTATUS(m->status) : 128 + WTERMSIG(m->status);
}

static bool
has_outputs(const struct monitor *m)
{
	struct record r;
	for (const char *at = m->task.records; record_next(&at, m->task.records_end, &r);)
		if (r.type == TASK_OUTPUT || r.type == TASK_ARTIFACT)
			return true;
	return false;
}

/* In a pod: what it leaves may lie in a volume that others still write to, so the pod says when they have ended. If the pod goes, so do we. */
static void
wait_others(struct monitor *m)
{
	char text[16];
	int n = snprintf(text, sizeof text, "e%d", exit_code(m));
	ssize_t got;
	if (m->end_fd < 0 || m->error.text[0] || !has_outputs(m) || send(m->socket, text, (size_t)n, MSG_NOSIGNAL) != n)
		return;
	do
		got = recv(m->socket, text, sizeof text, 0);
	while (got < 0 && errno == EINTR);
}

/* Closes the log. */
static void
leave_end(struct monitor *m)
{
	struct exit_buf b = { 0 };
	int code = exit_code(m);
	exit_put_i64(&b, TASK_EXIT_STARTED, m->started);
	exit_put_i64(&b, TASK_EXIT_FINISHED, m->finished);
	open_artifacts(m);
	if (m->error.text[0] || lower_rights(m) < 0) {
		exit_put(&b, TASK_EXIT_ERROR, m->error.text, strlen(m->error.text));
	} else {
		exit_put_i32(&b, TASK_EXIT_CODE, code);
		exit_put_i32(&b, TASK_EXIT_CAUSE, (int32_t)m->cause);
		exit_put(&b, TASK_EXIT_USAGE, &m->usage, sizeof m->usage);
		if (m->message.text[0])
			exit_put(&b, TASK_EXIT_MESSAGE, m->message.text, strlen(m->message.text));
		if (m->task.capture)
			put_result(m, &b);
		put_outputs(m, &b);
	}
	if (m->end_fd >= 0 ? write(m->end_fd, b.p, b.n) != (ssize_t)b.n : relay_end(m->log_fd, b.p, b.n) < 0)
		_exit(1); /* the daemon reports a step whose end is not known */
}

/* Whether the command is to run once more: a container set's retryStrategy (spec 2.16). */
static bool
runs_again(const struct monitor *m)
{
	return m->pid > 0 && m->ended && m->status && m->cause == TASK_CAUSE_ITSELF && m->attempts < m->task.attempts;
}

/* Between two attempts. An end that is asked for meanwhile is one before the next attempt. */
static void
pause_before(struct monitor *m)
{
	int64_t until = now_mono() + m->task.attempt_wait_ns;
	for (int64_t left; (left = until - now_mono()) > 0 && m->cause == TASK_CAUSE_ITSELF;) {
		struct pollfd fds[] = { { m->signals, POLLIN, 0 }, { m->socket, POLLIN, 0 } };
		struct signalfd_siginfo si;
		(void)!poll(fds, 2, left > 3600 * INT64_C(1000000000) ? 3600000 : (int)(left / 1000000) + 1);
		while (read(m->signals, &si, sizeof si) == sizeof si)
			if (si.ssi_signo == SIGTERM)
				m->cause = TASK_CAUSE_ASKED;
		if (fds[1].revents)
			pod_gone(m);
		reap(m);
	}
}

static void
run_command(struct monitor *m)
{
	m->relay = (struct relay){ .log_fd = m->log_fd, .log_left = m->task.log_max, .stream = { { -1 }, { -1 } } };
	m->started = now_real();
	m->grace_ns = m->task.grace_s * INT64_C(1000000000);
	for (;;) {
		start_command(m);
		if (m->claimed) { /* now: nobody waits for it, and somebody does for the command */
			claim_tell(m->socket);
			if (m->server >= 0)
				close(m->server);
			ahead_drop(m->setup);
		}
		m->claimed = false;
		if (m->pid > 0 && !m->error.text[0])
			watch(m);
		if (!runs_again(m))
			return;
		drain(&m->relay);
		pause_before(m);
		if (m->cause != TASK_CAUSE_ITSELF)
			return;
		for (int i = 0; i < 2; i++)
			if (m->relay.stream[i].fd >= 0)
				close(m->relay.stream[i].fd);
		m->ended = false;
		m->status = 0;
	}
}

int
monitor_signals(void)
{
	sigset_t heard;
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&heard);
	sigaddset(&heard, SIGTERM);
	sigaddset(&heard, SIGCHLD);
	sigaddset(&heard, SIGIO); /* of the progress file */
	return signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
}

static struct monitor monitor = { .out = { -1, -1 }, .signals = -1, .server = -1, .end_fd = -1 };

void
monitor_ahead(void)
{
	struct monitor *m = &monitor;
	setpgid(0, 0); /* in the server's session, which has no terminal */
	m->signals = monitor_signals();
	m->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)open_pipes(m); /* what failed is in m->error */
	command_ahead();
}

void
monitor_closes(int fd)
{
	monitor.server = fd;
}

_Noreturn void
monitor_run(const struct setup *s, enum task_sandbox sandbox, const char *records, size_t n, int socket, int end_fd)
{
	struct monitor *m = &monitor;
	if (m->signals < 0)
		monitor_ahead();
	m->setup = s;
	m->socket = socket;
	m->end_fd = end_fd;
	prepare(m, records, n, sandbox);
	take_claim(m);
	run_command(m);
	kill_rest(m);
	if (m->cause == TASK_CAUSE_ITSELF && WIFSIGNALED(m->status) && WTERMSIG(m->status) == SIGKILL && cgroup_oom())
		m->cause = TASK_CAUSE_OOM;
	count_usage(m);
	cgroup_remove();
	m->finished = now_real();
	drain(&m->relay);
	wait_others(m);
	leave_end(m);
	_exit(0); /* closes the socket: the daemon's news. The namespace, if any, ends with us */
}
