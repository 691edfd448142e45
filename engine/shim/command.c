/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the command: in a child that shares our memory until it execs (no page tables are copied), with its streams,
 * process group, user and confinement. What goes wrong is written into that shared memory, in the words of Argo's
 * emissary, because people match on them.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define STACK_SIZE (256 * 1024)
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct child {
	const struct command *c;
	struct why *w;
};

/* 0, or -1 with errno, as Go's exec.findExecutable. */
static int
executable(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return -1;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return -1;
	}
	if (!(st.st_mode & 0111)) {
		errno = EACCES;
		return -1;
	}
	return 0;
}

/* strerror as Go spells it: in lower case. */
static const char *
go_error(int code)
{
	/* clang-format off */
	switch (code) {
	case ENOENT: return "no such file or directory";
	case ENOTDIR: return "not a directory";
	case EISDIR: return "is a directory";
	case EACCES: return "permission denied";
	case ENOEXEC: return "exec format error";
	case E2BIG: return "argument list too long";
	default: return strerror(code);
	}
	/* clang-format on */
}

static const char *
env_path(const struct task *t)
{
	for (const char **e = t->envp; *e; e++)
		if (!strncmp(*e, "PATH=", 5))
			return *e + 5;
	return DEFAULT_PATH;
}

/* Go's exec.LookPath: the path to execute in `to`, or the message. */
static int
find_program(const struct task *t, const char *name, char to[4096], struct why *w)
{
	if (strchr(name, '/')) {
		if (executable(name) < 0 && (errno == EACCES || errno == EISDIR))
			return why_set(
				w, "Error: failed to find name in PATH: exec: \"%s\": %s", name, go_error(errno));
		if (executable(name) < 0)
			return why_set(w, "Error: failed to find name in PATH: exec: \"%s\": stat %s: %s", name, name,
				go_error(errno));
		snprintf(to, 4096, "%s", name);
		return 0;
	}
	for (const char *dir = env_path(t); *name && dir;) {
		const char *colon = strchr(dir, ':');
		int n = colon ? (int)(colon - dir) : (int)strlen(dir);
		if (snprintf(to, 4096, "%.*s/%s", n ? n : 1, n ? dir : ".", name) < 4096 && executable(to) == 0)
			return 0;
		dir = colon ? colon + 1 : NULL;
	}
	return why_set(w, "Error: failed to find name in PATH: exec: \"%s\": executable file not found in $PATH", name);
}

static int
set_user(const struct task *t)
{
	if (!t->has_user || t->sandbox == TASK_SANDBOX_USER)
		return 0; /* a user namespace has the one user that is mapped */
	if (t->uid == geteuid() && t->gid == getegid())
		return 0;
	/* The bare system calls: libc's would want to tell other threads, and this child borrows its parent's memory.
	 */
	return syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, t->gid, t->gid, t->gid) < 0 ||
			       syscall(SYS_setresuid, t->uid, t->uid, t->uid) < 0
		       ? -1
		       : 0;
}

static int
prepare(const struct command *c, const char **what)
{
	const struct task *t = c->task;
	setpgid(0, 0); /* a session of its own would cost a scheduling group: 50 us */
	*what = "control group";
	if (cgroup_join() < 0)
		return -1;
	*what = "standard streams";
	if (dup2(c->in, 0) < 0 || dup2(c->out, 1) < 0 || dup2(c->err, 2) < 0)
		return -1;
	(void)syscall(
		SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */); /* all of ours have the flag: a second lock */
	const struct rlimit none = { 0, 0 };
	(void)setrlimit(RLIMIT_CORE, &none); /* may already be lower */
	*what = "working directory";
	if (t->cwd && chdir(t->cwd) < 0)
		return -1;
	if (t->sandbox == TASK_SANDBOX_OFF) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* there is no namespace that would end with the monitor */
		*what = "user";
		return set_user(t);
	}
	return 0;
}

static int
child_main(void *arg)
{
	struct child *ch = arg;
	const struct command *c = ch->c;
	const char *what = "";
	char program[4096];
	if (prepare(c, &what) < 0) {
		why_set(ch->w, "Error: %s: %s", what, go_error(errno));
		_exit(127);
	}
	if (find_program(c->task, c->task->argv[0], program, ch->w) < 0)
		_exit(127);
	if (c->task->sandbox != TASK_SANDBOX_OFF && sandbox_drop(c->task, c->setup, &what) < 0) {
		why_set(ch->w, "Error: sandbox: %s: %s", what, go_error(errno));
		_exit(127);
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* execve's prototype lacks const for historical reasons; it changes nothing. */
	execve(program, (char *const *)(uintptr_t)c->task->argv, (char *const *)(uintptr_t)c->task->envp);
	why_set(ch->w, "Error: fork/exec %s: %s", program, go_error(errno));
	_exit(127);
}

static char stack[STACK_SIZE] __attribute__((aligned(16)));

void
command_ahead(void)
{
	for (size_t at = STACK_SIZE - 4096; at >= STACK_SIZE - 16384; at -= 4096)
		*(volatile char *)(stack + at) = 0;
}

pid_t
command_start(const struct command *c, struct why *w)
{
	struct child ch = { c, w };
	pid_t pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &ch);
	if (pid < 0)
		return why_errno(w, "Error: fork/exec %s", c->task->argv[0]);
	return w->text[0] ? -1 : pid;
}
