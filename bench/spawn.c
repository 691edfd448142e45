/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the start of a step costs: the command alone by posix_spawn, through the step helper in each sandbox, and under
 * bubblewrap with about the same confinement (it gets no system call filter, ours has one). Rounds are interleaved, so
 * that a busy machine is equally unfair to all; the median of the rounds counts. The logs lie in memory: what a disk
 * adds is the other benches' subject. Run it as root for all columns.
 *
 *     spawn HELPER [STEPS [ROUNDS]]
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/exec/exec.h"

#define ROUNDS_MAX 64

extern char **environ;
static char tasks[] = "/dev/shm/spawn.XXXXXX";
static int control = -1;
static unsigned serial;

static double
now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void
die(const char *what)
{
	fprintf(stderr, "spawn: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* One message with up to two descriptors. */
static void
tell(enum task_verb verb, enum task_sandbox sandbox, const char *text, size_t n, int a, int b)
{
	struct task_message m = { verb, sandbox };
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} ctl = { { 0 } };
	struct iovec iov[2] = { { &m, sizeof m }, { (char *)(uintptr_t)text, n } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	size_t fds = (a >= 0) + (b >= 0);
	if (fds) {
		msg.msg_control = &ctl;
		msg.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		*c = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(fds * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS
		};
		memcpy(CMSG_DATA(c), (int[]){ a, b }, fds * sizeof(int));
	}
	if (sendmsg(control, &msg, 0) < 0)
		die("send to the helper");
}

static void
start_server(const char *helper)
{
	int pair[2];
	if (!mkdtemp(tasks) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("prepare");
	char fd[16];
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pair[1], 9);
	snprintf(fd, sizeof fd, "9");
	char *argv[] = { (char *)(uintptr_t)helper, fd, NULL };
	pid_t pid;
	if ((errno = posix_spawn(&pid, helper, &actions, NULL, argv, environ)))
		die(helper);
	posix_spawn_file_actions_destroy(&actions);
	close(pair[1]);
	control = pair[0];
	struct err e;
	int dir = open(tasks, O_RDONLY | O_DIRECTORY | O_CLOEXEC), filter = seccomp_program(&e);
	if (filter < 0)
		die(e.msg);
	tell(TASK_SETUP, 0, tasks, strlen(tasks), dir, filter);
	close(dir);
	close(filter);
}

static bool
can(enum task_sandbox sandbox)
{
	char answer[1024];
	tell(TASK_PROBE, sandbox, "", 0, -1, -1);
	ssize_t n = recv(control, answer, sizeof answer - 1, 0);
	answer[n > 0 ? n : 0] = 0;
	if (n > 1)
		fprintf(stderr, "spawn: no sandbox %d: %s\n", sandbox, answer + 1);
	return n == 1;
}

static int
begin(enum task_sandbox sandbox)
{
	char text[1024], dir[64];
	size_t n = 0;
	snprintf(dir, sizeof dir, "default/bench/step-%u", serial++);
	n += record_put(text + n, TASK_DIR, dir, strlen(dir));
	n += record_put(text + n, TASK_ARG, "/bin/true", 9);
	n += record_put(text + n, TASK_ENV, "PATH=/usr/bin", 13);
	n += record_put(text + n, TASK_HOSTNAME, "bench", 5);
	int64_t log_max = 1 << 20;
	n += record_put(text + n, TASK_LOG_MAX, &log_max, sizeof log_max);
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("task");
	tell(TASK_STEP, sandbox, text, n, pair[1], -1);
	close(pair[1]);
	if (send(pair[0], "r", 1, 0) != 1)
		die("release");
	return pair[0];
}

static void
finish(int step)
{
	char text[600];
	for (ssize_t n; (n = recv(step, text, sizeof text - 1, 0)) > 0;)
		if (text[0] == 'x') {
			text[n] = 0;
			fprintf(stderr, "spawn: %s\n", text + 1);
			exit(1);
		}
	close(step);
}

static void
by_helper(enum task_sandbox sandbox)
{
	finish(begin(sandbox));
}

static void
by_spawn(const char *const argv[])
{
	pid_t pid;
	int status;
	if ((errno = posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ)))
		die(argv[0]);
	if (waitpid(pid, &status, 0) < 0 || status)
		die(argv[0]);
}

enum { BARE, OFF, USER, PRIVILEGED, BWRAP, WAYS };
static const char *const names[] = { "bare posix_spawn", "helper, no sandbox", "helper, user namespaces",
	"helper, privileged", "bubblewrap" };

static void
once(int way)
{
	static const char *const bare[] = { "/bin/true", NULL };
	static const char *const bwrap[] = { "/usr/bin/bwrap", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin",
		"/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--ro-bind", "/etc", "/etc",
		"--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--unshare-pid", "--unshare-ipc",
		"--unshare-uts", "--cap-drop", "ALL", "--die-with-parent", "/bin/true", NULL };
	switch (way) {
	case BARE:
		by_spawn(bare);
		break;
	case OFF:
		by_helper(TASK_SANDBOX_OFF);
		break;
	case USER:
		by_helper(TASK_SANDBOX_USER);
		break;
	case PRIVILEGED:
		by_helper(TASK_SANDBOX_PRIVILEGED);
		break;
	case BWRAP:
		by_spawn(bwrap);
		break;
	}
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int
main(int argc, char **argv)
{
	int steps = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 100,
	    rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 7;
	if (argc < 2 || steps < 1 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: spawn HELPER [STEPS [ROUNDS]]\n");
		return 2;
	}
	static double ms[WAYS][ROUNDS_MAX];
	bool there[WAYS] = { [BARE] = true, [OFF] = true };
	start_server(argv[1]);
	there[USER] = can(TASK_SANDBOX_USER);
	there[PRIVILEGED] = can(TASK_SANDBOX_PRIVILEGED);
	there[BWRAP] = access("/usr/bin/bwrap", X_OK) == 0;
	for (int round = 0; round < rounds; round++)
		for (int way = 0; way < WAYS; way++) {
			double start = now_ms();
			for (int i = 0; i < steps && there[way]; i++)
				once(way);
			ms[way][round] = (now_ms() - start) / steps;
		}
	for (int way = 0; way < WAYS; way++)
		qsort(ms[way], (size_t)rounds, sizeof ms[way][0], by_value);
	printf("%-26s %10s %10s %12s\n", "one step after another", "ms a step", "x bare", "x bubblewrap");
	for (int way = 0; way < WAYS; way++) {
		double m = ms[way][rounds / 2];
		if (there[way])
			printf("%-26s %10.3f %10.2f %12.2f\n", names[way], m, m / ms[BARE][rounds / 2],
				there[BWRAP] ? m / ms[BWRAP][rounds / 2] : 0.0);
		else
			printf("%-26s %10s\n", names[way], "not here");
	}
	nftw(tasks, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
