/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: takes tasks from the daemon's control socket and forks a monitor for each, straight into its namespaces.
 * It knows nothing of the steps it started and ends with the daemon; they do not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
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

static struct setup setup = { .tasks_fd = -1, .gate_fd = -1 };

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

/* A step, or a pod: `verb` says which. */
static void
start(int control, const struct task_message *m, const char *text, size_t n, int fds[FDS_MAX])
{
	enum task_sandbox sandbox = (enum task_sandbox)m->sandbox;
	bool own_network = m->verb == TASK_POD_WITH_NETWORK;
	struct why w = { "" };
	if (sandbox != TASK_SANDBOX_OFF)
		sandbox_look();
	/* A socket belongs to the network it was made in, wherever it goes: this one is for the host's. */
	int netlink = own_network ? network_open(&w) : -1;
	pid_t pid = fork_into(step_namespaces(sandbox) | (own_network ? CLONE_NEWNET : 0), SIGCHLD);
	if (pid == 0) {
		close(control);
		const char *records = records_of(text, &n, fds[1]);
		if (m->verb == TASK_STEP)
			monitor_run(&setup, sandbox, records, records ? n : 0, fds[0], -1);
		pod_run(&setup, sandbox, records, records ? n : 0, fds[0], netlink);
	}
	if (netlink >= 0)
		close(netlink);
	if (pid < 0) {
		w.text[0] = 0;
		why_errno(&w, "xcannot start a process for the step%s", own_network ? " in a network of its own" : "");
		(void)!send(fds[0], w.text, strlen(w.text), MSG_NOSIGNAL); /* the daemon also sees the socket close */
	}
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
}

/* False at the end of the control socket. */
static bool
serve_one(int control)
{
	static struct {
		struct task_message m;
		char text[TASK_INLINE_MAX + 1];
	} in;
	union {
		char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} ctl;
	struct iovec iov = { &in, sizeof in - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof ctl };
	ssize_t n = recvmsg(control, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	int fds[FDS_MAX] = { -1, -1, -1 };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if ((size_t)n < sizeof in.m)
		return true;
	size_t text_n = (size_t)n - sizeof in.m;
	in.text[text_n] = 0;
	switch ((enum task_verb)in.m.verb) {
	case TASK_SETUP:
		take_setup(fds, in.text);
		break;
	case TASK_PROBE:
		probe(control, (enum task_sandbox)in.m.sandbox);
		break;
	case TASK_STEP:
	case TASK_POD:
	case TASK_POD_WITH_NETWORK:
		start(control, &in.m, in.text, text_n, fds);
		break;
	}
	return true;
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
		;
	return 0;
}
