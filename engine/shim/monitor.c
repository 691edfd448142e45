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
	struct relay relay;
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
};

/* Without a sandbox every step has a folder of its own, to work in and for its progress file. */
static int
enter_work(struct monitor *m)
{
	const struct task *t = &m->task;
	if (t->sandbox != TASK_SANDBOX_OFF || (t->cwd && !t->progress))
		return 0;
	int fd = task_open_dir(m->setup->tasks_fd, t->dir);
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
	if (task_read(&m->task, records, n, &m->error) < 0)
		return;
	m->null = open("/dev/null", O_RDWR | O_CLOEXEC);
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

/* Waits for the release. Leaves if the daemon is gone or has changed its mind. */
static void
wait_release(const struct monitor *m)
{
	char c;
	ssize_t n;
	do
		n = recv(m->socket, &c, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1) {
		cgroup_remove();
		_exit(0);
	}
}

static _Noreturn void
give_up(const struct monitor *m, const char *what)
{
	int code = errno;
	cgroup_remove();
	errno = code;
	char text[600];
	int n = snprintf(text, sizeof text, "x%s: %s", what, strerror(errno));
	(void)!send(m->socket, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1, MSG_NOSIGNAL);
	_exit(1);
}

/*
 * Makes the task ours or leaves. Whoever finds the log without a lock and empty may remove it (we died here), so after
 * locking we look whether the file is still the one in the directory.
 */
static void
claim(struct monitor *m)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC;
	int tasks = m->setup->tasks_fd;
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s.log", m->task.dir) >= sizeof path) {
		errno = ENAMETOOLONG;
		give_up(m, "claim the task");
	}
	m->log_fd = openat(tasks, path, flags, 0644);
	if (m->log_fd < 0 && errno == ENOENT && task_make_parents(tasks, path) == 0)
		m->log_fd = openat(tasks, path, flags, 0644);
	if (m->log_fd < 0)
		give_up(m, "claim the task");
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;
	if (fcntl(m->log_fd, F_SETLK, &lock) < 0 || fstat(m->log_fd, &st) < 0 || st.st_nlink != 1)
		give_up(m, "lock the claim");
	if (relay_started(m->log_fd) < 0)
		give_up(m, "write the claim");
	/* The log stays open: closing it, or another descriptor of it, would give up the lock. */
	(void)!send(m->socket, "c", 1, MSG_NOSIGNAL); /* the daemon may be gone by now */
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
	snprintf(name, sizeof name, "%s.script", t->dir);
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

static int
open_pipes(int out[2], int err[2])
{
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return -1;
	return fcntl(out[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(err[0], F_SETFL, O_NONBLOCK) < 0 ? -1 : 0;
}

static void
start_command(struct monitor *m)
{
	m->relay = (struct relay){ .log_fd = m->log_fd, .log_left = m->task.log_max, .stream = { { -1 }, { -1 } } };
	m->started = now_real();
	int out[2], err[2];
	if (m->error.text[0] || write_script(m) < 0)
		return;
	if (open_pipes(out, err) < 0) {
		why_errno(&m->error, "make the pipes for its output");
		return;
	}
	const struct command c = { m->setup, &m->task, m->null, out[1], err[1] };
	m->pid = command_start(&c, &m->message);
	close(out[1]);
	close(err[1]);
	m->relay.stream[0] = (struct relay_stream){ .fd = out[0], .keep = m->task.capture };
	m->relay.stream[1] = (struct relay_stream){ .fd = err[0] };
	if (m->pid < 0) {
		relay_say(&m->relay, m->message.text);
		m->status = W_EXITCODE(TASK_EXIT_NOT_STARTED, 0);
		m->ended = true;
	}
}

/* SIGTERM to the step's group; the rest follows at kill_at. */
static void
end_step(struct monitor *m, enum task_cause cause, int64_t grace_ns)
{
	if (m->ended)
		return;
	if (m->cause == TASK_CAUSE_ITSELF)
		m->cause = cause;
	m->term_at = 0;
	m->kill_at = now_mono() + grace_ns;
	kill(-m->pid, SIGTERM);
}

static void
reap(struct monitor *m)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		if (pid == m->pid && !m->ended) {
			m->ended = true;
			m->status = status;
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

/* Until the command has ended. */
static void
watch(struct monitor *m)
{
	if (m->task.deadline_ns) {
		int64_t left = m->task.deadline_ns - now_real();
		m->term_at = now_mono() + (left > 0 ? left : 0);
	}
	while (!m->ended) {
		struct pollfd fds[] = { { m->signals, POLLIN, 0 }, { m->relay.stream[0].fd, POLLIN, 0 },
			{ m->relay.stream[1].fd, POLLIN, 0 } };
		int n = poll(fds, 3, wait_ms(m));
		if (n < 0 && errno != EINTR)
			_exit(1);
		if (n > 0 && fds[1].revents)
			relay_read(&m->relay, &m->relay.stream[0]);
		if (n > 0 && fds[2].revents)
			relay_read(&m->relay, &m->relay.stream[1]);
		if (n > 0 && fds[0].revents)
			take_signals(m);
		timers(m);
		progress_look(&m->progress, m->setup, &m->task, m->socket);
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

static void
put_outputs(const struct monitor *m, struct exit_buf *b)
{
	struct record r;
	for (const char *at = m->task.records; record_next(&at, m->task.records_end, &r);)
		if (r.type == TASK_OUTPUT)
			output_collect(&m->task, r.p, b);
	if (m->task.progress)
		output_small(&m->task, m->task.progress, 256, TASK_EXIT_PROGRESS, b);
	if (m->task.sandbox != TASK_SANDBOX_OFF && !m->message.text[0])
		output_small(&m->task, "/dev/termination-log", TASK_MESSAGE_MAX, TASK_EXIT_MESSAGE, b);
}

/* Closes the log. */
static void
leave_end(struct monitor *m)
{
	struct exit_buf b = { 0 };
	int code = WIFEXITED(m->status) ? WEXITSTATUS(m->status) : 128 + WTERMSIG(m->status);
	exit_put_i64(&b, TASK_EXIT_STARTED, m->started);
	exit_put_i64(&b, TASK_EXIT_FINISHED, m->finished);
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
	if (relay_end(m->log_fd, b.p, b.n) < 0)
		_exit(1); /* the daemon reports a step whose end is not known */
}

_Noreturn void
monitor_run(const struct setup *s, enum task_sandbox sandbox, const char *records, size_t n, int socket)
{
	static struct monitor m;
	m.setup = s;
	m.socket = socket;
	setpgid(0, 0); /* in the server's session, which has no terminal */
	signal(SIGCHLD, SIG_DFL);
	sigset_t heard;
	sigemptyset(&heard);
	sigaddset(&heard, SIGTERM);
	sigaddset(&heard, SIGCHLD);
	sigaddset(&heard, SIGIO); /* of the progress file */
	m.signals = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
	prepare(&m, records, n, sandbox);
	wait_release(&m);
	if (!m.task.dir)
		_exit(1); /* not even its directory is known */
	claim(&m);
	start_command(&m);
	if (m.pid > 0 && !m.error.text[0]) {
		m.grace_ns = m.task.grace_s * INT64_C(1000000000);
		watch(&m);
	}
	kill_rest(&m);
	if (m.cause == TASK_CAUSE_ITSELF && WIFSIGNALED(m.status) && WTERMSIG(m.status) == SIGKILL && cgroup_oom())
		m.cause = TASK_CAUSE_OOM;
	count_usage(&m);
	cgroup_remove();
	m.finished = now_real();
	drain(&m.relay);
	leave_end(&m);
	_exit(0); /* closes the socket: the daemon's news. The namespace, if any, ends with us */
}
