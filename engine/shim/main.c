/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: takes tasks from the daemon's control socket and forks a monitor for each, straight into its namespaces.
 * It knows nothing of the steps it started and ends with the daemon; they do not.
 *
 * To fork is the better part of what it does for a step, and somebody waits for it. So when there is nothing to do it forks one
 * ahead, the spare, which does what needs no step to be known, and gets the next step's message as it came. Not for a sandbox: its namespaces would have
 * the mounts of an earlier time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define FDS_MAX 3
#define SPARE_NS 300000 /* nothing to do for so long: time to fork ahead */
#define BEGUN_NS 5000000 /* ... or, if the last spare has a step, when that has begun: until then it needs the processor more */

/* A message, and what comes with it. */
struct message {
	struct task_message m;
	char text[TASK_INLINE_MAX + 1];
	size_t text_n;
	int fds[FDS_MAX];
};

static struct setup setup = { .tasks_fd = -1, .gate_fd = -1 };
static struct message in; /* the one under way */
static int spare = -1;    /* the socket of the monitor that waits for a step; its end is the monitor's */
static int taken = -1;    /* the socket of the one that has got one; its end closes when the command has been started */
static bool wants_spare;  /* steps without a sandbox are asked for */

uint64_t
step_namespaces(enum task_sandbox sandbox)
{
	switch (sandbox) {
	case TASK_SANDBOX_USER:
		return CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
	case TASK_SANDBOX_PRIVILEGED:
		return CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
	case TASK_SANDBOX_OFF:
		break;
	}
	return 0;
}

/* One system call, nothing of libc's to run after it in a program with one thread. */
pid_t
fork_into(uint64_t flags, int exit_signal)
{
	struct clone_args args = { .flags = flags, .exit_signal = (uint64_t)exit_signal };
	return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static void
take_setup(int fds[FDS_MAX], const char *path)
{
	setup.tasks_fd = fds[0];
	setup.gate_fd = fds[2];
	snprintf(setup.tasks_path, sizeof setup.tasks_path, "%s", path);
	struct stat st;
	if (fstat(fds[1], &st) == 0 && st.st_size > 0) {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fds[1], 0);
		if (p != MAP_FAILED) {
			setup.seccomp = p;
			setup.seccomp_bytes = (size_t)st.st_size;
		}
	}
	close(fds[1]);
}

/* Builds an empty sandbox in a child and sends the daemon what was in the way, or nothing. */
static void
probe(int control, enum task_sandbox sandbox)
{
	int report[2];
	if (pipe2(report, O_CLOEXEC) < 0)
		_exit(1);
	struct why w = { "" };
	sandbox_look();
	pid_t pid = fork_into(step_namespaces(sandbox), SIGCHLD);
	if (pid == 0) {
		const struct task t = { .sandbox = sandbox, .hostname = "probe" };
		const char *what = NULL;
		if (sandbox_build(&setup, &t, &w) == 0 && sandbox_drop(&t, &setup, &what) < 0)
			why_errno(&w, "%s", what);
		(void)!write(
			report[1], w.text, strlen(w.text)); /* the parent then reports success: the worst it can do */
		_exit(0);
	}
	if (pid < 0 && errno == ENOSPC) /* the kernel's odd choice */
		why_set(&w, "new namespaces: as many as /proc/sys/user/max_*_namespaces allows are in use");
	else if (pid < 0)
		why_errno(&w, "new namespaces");
	close(report[1]);
	ssize_t n = pid < 0 ? (ssize_t)strlen(w.text) : read(report[0], w.text, sizeof w.text - 1);
	close(report[0]);
	/* One byte in front: an empty message would look like the end of the socket. */
	char answer[sizeof w.text + 1] = " ";
	memcpy(answer + 1, w.text, n > 0 ? (size_t)n : 0);
	(void)!send(control, answer, 1 + (n > 0 ? (size_t)n : 0), MSG_NOSIGNAL);
}

/* The records come with the message, or in a memfd when they are many. */
static const char *
records_of(const char *text, size_t *n, int memfd)
{
	struct stat st;
	if (memfd < 0)
		return text;
	*n = fstat(memfd, &st) == 0 ? (size_t)st.st_size : 0;
	void *p = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, memfd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* 1; 0 at the end of the socket, -1 if there was none this time. */
static int
receive(int socket)
{
	union {
		char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} ctl;
	struct iovec iov = { &in, offsetof(struct message, text) + TASK_INLINE_MAX };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof ctl };
	ssize_t n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0 && errno == EINTR)
		return -1;
	if (n <= 0)
		return 0;
	for (size_t i = 0; i < FDS_MAX; i++)
		in.fds[i] = -1;
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(in.fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if ((size_t)n < offsetof(struct message, text))
		return -1;
	in.text_n = (size_t)n - offsetof(struct message, text);
	in.text[in.text_n] = 0;
	return 1;
}

static _Noreturn void
run_step(enum task_sandbox sandbox)
{
	size_t n = in.text_n;
	const char *records = records_of(in.text, &n, in.fds[1]);
	monitor_run(&setup, sandbox, records, records ? n : 0, in.fds[0], -1);
}

static void
forget(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* In a child: what is the server's. A spare would outlive it otherwise. */
static void
leave_server(int control)
{
	close(control);
	forget(&spare);
	forget(&taken);
}

static void
make_spare(int control)
{
	int pair[2];
	wants_spare = false; /* should it fail, after the next step again */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	pid_t pid = fork_into(0, SIGCHLD);
	if (pid == 0) {
		leave_server(control);
		close(pair[0]);
		monitor_ahead();
		ahead_make(&setup);
		in.text[0] = 0; /* a page of our own, as well */
		int got;
		while ((got = receive(pair[1])) < 0)
			continue;
		if (got == 0) { /* the server has ended */
			ahead_drop(&setup);
			_exit(0);
		}
		monitor_closes(pair[1]);
		run_step(TASK_SANDBOX_OFF);
	}
	close(pair[1]);
	if (pid > 0)
		spare = pair[0];
	else
		close(pair[0]);
}

/* Whether there was one to take the step. */
static bool
give_to_spare(void)
{
	union {
		char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} ctl = { { 0 } };
	struct iovec iov = { &in, offsetof(struct message, text) + in.text_n };
	size_t fds = in.fds[1] < 0 ? 1 : 2;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = CMSG_SPACE(fds * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(fds * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), in.fds, fds * sizeof(int));
	bool given = spare >= 0 && sendmsg(spare, &msg, MSG_NOSIGNAL) >= 0;
	forget(&taken);
	taken = spare;
	spare = -1;
	wants_spare = true;
	return given;
}

/* In a process of its own. */
static void
fork_for(int control, enum task_sandbox sandbox)
{
	bool own_network = in.m.verb == TASK_POD_WITH_NETWORK;
	struct why w = { "" };
	if (sandbox != TASK_SANDBOX_OFF)
		sandbox_look();
	/* A socket belongs to the network it was made in, wherever it goes: this one is for the host's. */
	int netlink = own_network ? network_open(&w) : -1;
	pid_t pid = fork_into(step_namespaces(sandbox) | (own_network ? CLONE_NEWNET : 0), SIGCHLD);
	if (pid == 0) {
		leave_server(control);
		if (in.m.verb == TASK_STEP)
			run_step(sandbox);
		size_t n = in.text_n;
		const char *records = records_of(in.text, &n, in.fds[1]);
		pod_run(&setup, sandbox, records, records ? n : 0, in.fds[0], netlink);
	}
	if (netlink >= 0)
		close(netlink);
	if (pid < 0) {
		w.text[0] = 0;
		why_errno(&w, "xcannot start a process for the step%s", own_network ? " in a network of its own" : "");
		(void)!send(in.fds[0], w.text, strlen(w.text), MSG_NOSIGNAL); /* the daemon also sees the socket close */
	}
}

/* A step, or a pod: the verb says which. */
static void
start(int control)
{
	enum task_sandbox sandbox = (enum task_sandbox)in.m.sandbox;
	bool plain = in.m.verb == TASK_STEP && sandbox == TASK_SANDBOX_OFF;
	if (!plain || !give_to_spare())
		fork_for(control, sandbox);
	close(in.fds[0]);
	if (in.fds[1] >= 0)
		close(in.fds[1]);
}

/* False at the end of the control socket. */
static bool
serve_one(int control)
{
	int got = receive(control);
	if (got <= 0)
		return got < 0;
	switch ((enum task_verb)in.m.verb) {
	case TASK_SETUP:
		take_setup(in.fds, in.text);
		break;
	case TASK_PROBE:
		probe(control, (enum task_sandbox)in.m.sandbox);
		break;
	case TASK_STEP:
	case TASK_POD:
	case TASK_POD_WITH_NETWORK:
		start(control);
		break;
	}
	return true;
}

/* Whether nothing comes for a moment. */
static bool
is_idle(int control)
{
	struct pollfd p[] = { { control, POLLIN, 0 }, { taken, POLLIN, 0 } };
	int n = ppoll(p, 2, &(struct timespec){ 0, taken < 0 ? SPARE_NS : BEGUN_NS }, NULL);
	forget(&taken);
	return n == 0 || (n > 0 && !p[0].revents);
}

int
main(int argc, char **argv)
{
	int control = argc == 2 ? (int)strtol(argv[1], NULL, 10) : 0;
	struct stat st;
	if (control < 3 || fstat(control, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		dprintf(2, "tidegate-step: runs the steps of tidegate, which starts it; it is of no use by hand\n");
		return 2;
	}
	/* Away from the terminal's signals, and from folders that somebody may want to unmount. */
	setsid();
	(void)!chdir("/");
	umask(022);
	prctl(PR_SET_NAME, "tidegate-step");
	setup.uid = geteuid();
	setup.gid = getegid();
	setup.nested = sandbox_nested();
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_IGN); /* nobody waits for a monitor: its socket says when it is gone */
	while (serve_one(control))
		if (wants_spare && is_idle(control))
			make_spare(control);
	return 0;
}
