/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: the daemon's side of engine/shim/task.h. Starting a step is two messages and no file, process or wait of our
 * own: the loop goes on while the helper works. Whether a task was claimed, by whom and whether that monitor is alive
 * is read from its log, so it makes no difference whose monitor it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files.h"
#include "core/log.h"
#include "engine/exec/exec.h"

#define PROBE_MS 30000 /* it takes a few, but a machine may be busy, and the answer holds for as long as we run */
#define HELPER_FD 3

/* ---- the helper ---------------------------------------------------------------------------------------------- */

struct fds {
	size_t n;
	int fd[3];
};

static int
tell_helper(struct executor *x, enum task_verb verb, enum task_sandbox sandbox, str text, const struct fds *f, struct err *e)
{
	struct task_message m = { verb, sandbox };
	union {
		char room[CMSG_SPACE(sizeof f->fd)];
		struct cmsghdr align;
	} ctl = { { 0 } };
	struct iovec iov[2] = { { &m, sizeof m }, { (char *)(uintptr_t)text.p, text.n } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	if (f->n) {
		msg.msg_control = &ctl;
		msg.msg_controllen = CMSG_SPACE(f->n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		*c = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(f->n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS
		};
		memcpy(CMSG_DATA(c), f->fd, f->n * sizeof(int));
	}
	if (sendmsg(x->helper.socket, &msg, MSG_NOSIGNAL) < 0)
		return err_errno(e, "talk to the step helper");
	return 0;
}

static void
free_handle(uv_handle_t *h)
{
	free(h);
}

/* posix_spawn, which shares our memory until the exec: a fork would copy the page tables of a daemon of any size. */
static int
helper_spawn(struct executor *x, int socket, struct err *e)
{
	char fd[8];
	snprintf(fd, sizeof fd, "%d", HELPER_FD);
	char *argv[] = { x->helper_path, fd, NULL }, *envp[] = { NULL };
	posix_spawn_file_actions_t files;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, 0, 1);
	posix_spawn_file_actions_adddup2(&files, socket, HELPER_FD);
	posix_spawn_file_actions_addclosefrom_np(&files, HELPER_FD + 1);
	int rc = posix_spawn(&x->helper.pid, x->helper_path, &files, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&files);
	if (rc) {
		errno = rc;
		x->helper.pid = 0;
		return err_errno(e, "start the step helper %s", x->helper_path);
	}
	return 0;
}

int
helper_start(struct executor *x, struct err *e)
{
	int pair[2];
	if (x->helper.socket >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, "start the step helper");
	x->helper.socket = pair[0];
	x->helper.serial++;
	int rc = helper_spawn(x, pair[1], e);
	close(pair[1]);
	int none CLEANUP(close_fd) = x->seccomp_fd < 0 ? memfd_create("none", MFD_CLOEXEC) : -1;
	const struct fds fds = { 3, { x->tasks_fd, x->seccomp_fd < 0 ? none : x->seccomp_fd, x->gate_fd } };
	if (rc == 0)
		rc = tell_helper(x, TASK_SETUP, 0, str_c(x->tasks_path), &fds, e);
	if (rc < 0)
		helper_stop(x);
	return rc;
}

void
helper_stop(struct executor *x)
{
	drop_fd(&x->helper.socket); /* its end of file: it leaves at once */
	if (x->helper.pid)
		(void)waitpid(x->helper.pid, NULL, 0); /* only reaps: if somebody else did, so be it */
	x->helper.pid = 0;
}

/* A step for the helper; `memfd` has the records if they are too many for a message. */
static int
tell_step_once(const struct task *t, int socket, int memfd, struct err *e)
{
	if (helper_start(t->x, e) < 0)
		return -1;
	enum task_verb verb = !t->members.n ? TASK_STEP : t->own_network ? TASK_POD_WITH_NETWORK : TASK_POD;
	const struct fds fds = { memfd < 0 ? 1 : 2, { socket, memfd } };
	return tell_helper(t->x, verb, t->x->sandbox, memfd < 0 ? buf_str(&t->records) : S(""), &fds, e);
}

/* A helper that has died is replaced: it kept nothing that is needed. */
static int
tell_step(const struct task *t, int socket, int memfd, struct err *e)
{
	if (tell_step_once(t, socket, memfd, e) == 0)
		return 0;
	log_warn("the step helper has ended: it is started again", "error", e->msg, NULL);
	helper_stop(t->x);
	return tell_step_once(t, socket, memfd, e);
}

bool
helper_probe(struct executor *x, enum task_sandbox sandbox, char *why, size_t n)
{
	struct err e;
	if (helper_start(x, &e) < 0 || tell_helper(x, TASK_PROBE, sandbox, S(""), &(struct fds){ 0 }, &e) < 0) {
		snprintf(why, n, "%s", e.msg);
		return false;
	}
	const struct timeval patience = { PROBE_MS / 1000, 0 };
	setsockopt(x->helper.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	char answer[600];
	ssize_t got = recv(x->helper.socket, answer, sizeof answer - 1, 0);
	if (got <= 0) {
		snprintf(why, n, "the step helper gave no answer");
		helper_stop(x); /* lest a late one be taken for the answer to the next question */
	} else {
		snprintf(why, n, "%.*s", (int)got - 1, answer + 1);
	}
	return got == 1;
}

/* ---- a monitor's end of the line ----------------------------------------------------------------------------- */

static void
stop_polling(struct task *t)
{
	if (t->poll) {
		t->poll->data = NULL;
		uv_close((uv_handle_t *)t->poll, free_handle);
	}
	t->poll = NULL;
	progress_forget(t);
	pod_state_forget(t);
	drop_fd(&t->socket);
	drop_fd(&t->pidfd);
}

void
process_forget(struct task *t)
{
	stop_polling(t);
}

static void
task_gone(struct task *t)
{
	struct err e;
	struct task_result r = { .exit_code = -1 };
	stop_polling(t);
	if (t->superseded) { /* its log may be that of the next attempt, and nobody asks */
		task_end(t, &r);
		return;
	}
	if (result_read(t, &r, &e) == 0) {
		artifacts_save(t, &r);
		return;
	}
	if (e.code == ERR_NOT_FOUND)
		err_set(&e, ERR_INTERNAL, TASK_LOST "its helper ended without saying how it went");
	task_fail(t, PHASE_ERROR, str_c(e.msg));
}

/* Nothing was claimed, so nothing ran: once more, with a new helper if that one died. */
static void
try_again(struct task *t, const char *reason)
{
	struct err e = { .code = ERR_INTERNAL };
	bool again = !t->respawned;
	stop_polling(t);
	if (t->helper == t->x->helper.serial)
		helper_stop(t->x); /* its own socket may outlive the task's by a moment */
	snprintf(e.msg, sizeof e.msg, "%s", reason);
	t->respawned = true;
	if (t->superseded) {
		task_fail(t, PHASE_FAILED, S("stopped before it started"));
		return;
	}
	int rc = t->released ? process_adopt(t, &e) : 0;
	if (rc > 0)
		return;
	if (rc == 0 && t->kill_asked) {
		task_fail(t, PHASE_FAILED, S("stopped before it started"));
		return;
	}
	if (rc < 0 || !again || process_spawn(t, &e) < 0)
		task_fail(t, PHASE_ERROR, str_c(e.msg));
}

/* With the pid of who sent it, as we see it: the monitor may be process 1 of a namespace. */
static ssize_t
hear(const struct task *t, char *text, size_t n, pid_t *sender)
{
	union {
		char room[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} ctl;
	struct iovec iov = { text, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof ctl };
	ssize_t got = recvmsg(t->socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	struct ucred who = { 0 };
	if (c && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(&who, CMSG_DATA(c), sizeof who);
	*sender = who.pid;
	return got;
}

static void
monitor_says(uv_poll_t *p, int status, int events)
{
	struct task *t = p->data;
	(void)status, (void)events; /* an error shows as the end of the socket */
	while (t->socket >= 0) {
		char text[1024];
		pid_t sender;
		ssize_t n = hear(t, text, sizeof text - 1, &sender);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n > 0 && text[0] == 'c') {
			t->monitor = sender;
			task_started(t);
		} else if (n > 0 && text[0] == 'p') {
			progress_tell(t, (str){ text + 1, (size_t)n - 1 });
		} else if (n > 0 && text[0] == 's') {
			pod_state_tell(t, (str){ text + 1, (size_t)n - 1 });
		} else if (n > 0) {
			text[n] = 0;
			try_again(t, text + 1);
			return;
		} else if (t->state == TASK_RUNNING) {
			task_gone(t);
			return;
		} else {
			try_again(t, "the step helper ended before the step began");
			return;
		}
	}
}

static void
monitor_ended(uv_poll_t *p, int status, int events)
{
	(void)status, (void)events;
	task_gone(p->data);
}

static int
start_polling(struct task *t, int fd, uv_poll_cb cb, struct err *e)
{
	uv_poll_t *p = MEM_NEW(uv_poll_t);
	int rc = uv_poll_init(loop_uv(t->x->loop), p, fd);
	if (rc < 0) {
		free(p);
		return err_set(e, ERR_IO, "watch the step: %s", uv_strerror(rc));
	}
	p->data = t;
	t->poll = p;
	uv_poll_start(p, UV_READABLE | UV_DISCONNECT, cb);
	return 0;
}

/* ---- starting ------------------------------------------------------------------------------------------------ */

static int
task_memfd(const struct task *t, struct err *e)
{
	int fd = memfd_create("tidegate-task", MFD_CLOEXEC);
	if (fd >= 0 && files_write(fd, buf_str(&t->records)) == 0)
		return fd;
	(void)err_errno(e, "describe the task");
	close_fd(&fd);
	return -1;
}

int
process_spawn(struct task *t, struct err *e)
{
	int pair[2];
	int memfd CLEANUP(close_fd) = -1;
	if (t->records.n > TASK_INLINE_MAX && (memfd = task_memfd(t, e)) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, "start a step");
	(void)setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)); /* it cannot fail; see hear */
	int rc = tell_step(t, pair[1], memfd, e);
	close(pair[1]);
	t->socket = pair[0];
	t->helper = t->x->helper.serial;
	if (rc < 0 || start_polling(t, t->socket, monitor_says, e) < 0) {
		drop_fd(&t->socket);
		return -1;
	}
	if (t->released)
		process_release(t);
	return 0;
}

void
process_release(struct task *t)
{
	/* If the monitor is gone already its end of file tells. */
	if (t->socket >= 0)
		(void)!send(t->socket, "r", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- the claim ----------------------------------------------------------------------------------------------- */

/* The pid of the living monitor that holds the claim; 0 if nobody does. */
static pid_t
claim_holder(int claim)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(claim, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}

/* A pidfd of it: certain, because the lock is asked for again once the pid cannot be reused any more. */
static int
claim_pidfd(int claim)
{
	for (pid_t pid; (pid = claim_holder(claim)) > 0;) {
		int fd = pidfd_open(pid, 0);
		if (fd >= 0 && claim_holder(claim) == pid)
			return fd;
		if (fd >= 0)
			close(fd);
		else if (errno != ESRCH)
			return -1;
	}
	return -1;
}

static int
open_claim(const struct executor *x, const char *dir)
{
	char path[TASK_PATH_MAX];
	snprintf(path, sizeof path, "%s.log", dir);
	return openat(x->tasks_fd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

/* Which attempt the log is of, as its first line says; absent: it does not. */
static str
claim_of(int claim, char line[256])
{
	ssize_t n = pread(claim, line, 256, 0);
	str rest = { line, n > 0 ? (size_t)n : 0 }, first = str_cut(&rest, '\n');
	(void)str_cut(&first, ' '); /* TASK_LOG_STARTED */
	(void)str_cut(&first, ' '); /* the time */
	return first.n ? first : STR_NONE;
}

bool
process_claimed(const struct executor *x, const char *dir, str id)
{
	char line[256];
	int claim CLEANUP(close_fd) = open_claim(x, dir);
	str said = claim < 0 ? STR_NONE : claim_of(claim, line);
	return claim >= 0 && (!said.p || str_eq(said, id));
}

void
process_set_aside(const struct executor *x, const char *dir)
{
	const char *name = strrchr(dir, '/') + 1;
	char from[TASK_PATH_MAX], to[TASK_PATH_MAX];
	snprintf(from, sizeof from, "%s.log", dir);
	int claim CLEANUP(close_fd) = open_claim(x, dir);
	if (claim < 0 || claim_holder(claim) > 0)
		return;
	for (unsigned i = 1; i < 1000; i++) {
		snprintf(to, sizeof to, "%.*s.%s~%u.log", (int)(name - dir), dir, name, i);
		int rc = (int)syscall(SYS_renameat2, x->tasks_fd, from, x->tasks_fd, to, 1 /* RENAME_NOREPLACE */);
		if (rc < 0 && errno == EEXIST)
			continue;
		snprintf(to, sizeof to, "%.*s.%s~%u", (int)(name - dir), dir, name, i);
		(void)renameat(x->tasks_fd, dir, x->tasks_fd, to); /* mostly there is none */
		snprintf(from, sizeof from, "%s.progress", dir);
		(void)unlinkat(x->tasks_fd, from, 0); /* likewise */
		return; /* a log that cannot be moved shows when the task is claimed */
	}
}

/* ---- adopting ------------------------------------------------------------------------------------------------ */

static int
tell_monitor(int pidfd, int64_t grace_seconds, struct err *e)
{
	siginfo_t si = { .si_signo = SIGTERM, .si_code = SI_QUEUE };
	si.si_pid = getpid();
	si.si_uid = getuid();
	si.si_value.sival_int = grace_seconds > 0 ? (int)(grace_seconds < 86400 ? grace_seconds : 86400) : 0;
	if (pidfd_send_signal(pidfd, SIGTERM, &si, 0) < 0)
		return err_errno(e, "signal the step");
	return 0;
}

static int
follow(struct task *t, struct err *e)
{
	if (start_polling(t, t->pidfd, monitor_ended, e) < 0)
		return -1;
	progress_follow(t);
	pod_state_watch(t);
	task_adopted(t);
	return 1;
}

static void
earlier_ended(uv_poll_t *p, int status, int events)
{
	struct task *t = p->data;
	(void)status, (void)events;
	stop_polling(t);
	task_let_go(t);
}

/* Two attempts of a pod share its folder. If the earlier one cannot be told, then it has ended in this moment. */
static int
wait_for_earlier(struct task *t, struct err *e)
{
	(void)!tell_monitor(t->pidfd, t->grace, e);
	if (start_polling(t, t->pidfd, earlier_ended, e) < 0)
		return -1;
	task_held(t);
	return 1;
}

/* Nobody holds it: the step has ended, or its monitor is dead. The log is closed before the lock goes. */
static int
adopt_ended(struct task *t, int claim, struct err *e)
{
	struct task_result r = { .exit_code = -1 };
	struct stat st;
	char path[TASK_PATH_MAX];
	if (result_read(t, &r, e) == 0) {
		artifacts_save(t, &r);
		return 1;
	}
	if (e->code != ERR_NOT_FOUND)
		return -1;
	if (fstat(claim, &st) < 0)
		return err_errno(e, "look at the step's claim");
	if (st.st_size > 0)
		return err_set(e, ERR_INTERNAL, TASK_LOST "the machine or its helper stopped while it ran");
	/* Dead before the command, and no other monitor is about to: the gate (engine/shim/task.h). */
	snprintf(path, sizeof path, "%s.log", t->dir.p);
	return unlinkat(t->x->tasks_fd, path, 0) < 0 ? err_errno(e, "remove the claim of a step that did not start") : 0;
}

int
process_adopt(struct task *t, struct err *e)
{
	char line[256];
	int claim CLEANUP(close_fd) = open_claim(t->x, t->dir.p);
	if (claim < 0)
		return errno == ENOENT ? 0 : err_errno(e, "look at the step's claim");
	t->pidfd = claim_pidfd(claim);
	str said = claim_of(claim, line);
	bool ours = said.p ? str_eq(said, t->claim) : t->adopted;
	if (t->pidfd >= 0)
		return ours ? follow(t, e) : wait_for_earlier(t, e);
	if (ours)
		return adopt_ended(t, claim, e);
	process_set_aside(t->x, t->dir.p);
	return 0;
}

int
process_end(const struct executor *x, const char *dir, int64_t grace_seconds, struct err *e)
{
	int claim CLEANUP(close_fd) = open_claim(x, dir);
	int pidfd CLEANUP(close_fd) = claim < 0 ? -1 : claim_pidfd(claim);
	if (pidfd < 0)
		return err_set(e, ERR_NOT_FOUND, "the step has ended");
	return tell_monitor(pidfd, grace_seconds, e);
}

/* A pidfd of our own monitor: certain, because it still lives, and so has its pid, when that cannot be reused any more. */
static int
own_pidfd(const struct task *t)
{
	char c;
	int fd = t->monitor > 0 ? pidfd_open(t->monitor, 0) : -1;
	if (fd >= 0 && recv(t->socket, &c, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		return fd;
	close_fd(&fd);
	return -1;
}

int
process_kill(struct task *t, int64_t grace_seconds, struct err *e)
{
	int own CLEANUP(close_fd) = t->pidfd < 0 ? own_pidfd(t) : -1;
	if (t->pidfd < 0 && own < 0)
		return err_set(e, ERR_NOT_FOUND, "the step has ended");
	return tell_monitor(t->pidfd < 0 ? own : t->pidfd, grace_seconds, e);
}
