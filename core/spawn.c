/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

/* posix_spawn shares our memory until the exec. */
int
spawn_start(const struct spawn *s, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all;
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	if (s->dir >= 0)
		posix_spawn_file_actions_addfchdir_np(&files, s->dir);
	if (s->in >= 0)
		posix_spawn_file_actions_adddup2(&files, s->in, 0);
	else
		posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, s->out, 1);
	posix_spawn_file_actions_adddup2(&files, s->err, 2);
	for (int i = 0; i < (int)ARRAY_LEN(s->more); i++)
		if (s->more[i])
			posix_spawn_file_actions_adddup2(&files, s->more[i], 3 + i);
		else
			posix_spawn_file_actions_addclose(&files, 3 + i);
	posix_spawn_file_actions_addclosefrom_np(&files, 3 + (int)ARRAY_LEN(s->more));
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, (short)(POSIX_SPAWN_SETSIGDEF | (s->session ? POSIX_SPAWN_SETSID : 0)));
	int rc = posix_spawnp(pid, s->argv[0], &files, &attr, (char *const *)(uintptr_t)s->argv, (char *const *)(uintptr_t)s->env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

int
spawn_pipe(int fds[2], struct err *e)
{
	int made[2];
	fds[0] = fds[1] = -1;
	if (pipe2(made, O_CLOEXEC) < 0)
		return err_errno(e, "making a pipe");
	for (int i = 0; i < 2; i++) {
		fds[i] = fcntl(made[i], F_DUPFD_CLOEXEC, 3);
		close(made[i]);
	}
	if (fds[0] >= 0 && fds[1] >= 0)
		return 0;
	err_errno(e, "making a pipe");
	for (int i = 0; i < 2; i++) {
		close_fd(&fds[i]);
		fds[i] = -1;
	}
	return -1;
}

int
spawn_wait(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
