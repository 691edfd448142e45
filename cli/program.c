/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/program.h"

#define SAID_MAX 65536

void
program_add(struct program *p, const char *word)
{
	assert(p->n + 1 < PROGRAM_ARGS_MAX);
	if (word)
		p->argv[p->n++] = word;
}

struct pipes {
	int out[2], said[2], failed[2]; /* `failed` closes when the program is there, or brings errno */
};

static _Noreturn void
become(const struct program *p, const struct pipes *io, pid_t parent)
{
	int code = 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (p->file_max) {
		const struct rlimit most = { p->file_max, p->file_max };
		(void)setrlimit(RLIMIT_FSIZE, &most);
		(void)signal(SIGXFSZ, SIG_IGN); /* it shall say what went wrong */
	}
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (getppid() == parent && dup2(null, 0) >= 0 && dup2(io->out[1], 1) >= 0 && dup2(io->said[1], 2) >= 0 &&
		(!p->cwd || chdir(p->cwd) == 0))
		execvp(p->argv[0], (char *const *)(uintptr_t)p->argv);
	code = errno;
	(void)!write(io->failed[1], &code, sizeof code);
	_exit(127);
}

static int
open_pipes(struct pipes *io, struct err *e)
{
	int *const all[] = { io->out, io->said, io->failed };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (pipe2(all[i], O_CLOEXEC) < 0) {
			err_errno(e, "start a program");
			while (i > 0)
				close(all[--i][0]), close(all[i][1]);
			return -1;
		}
	return 0;
}

/* False at the end of the stream. What is beyond `max` is read and forgotten. */
static bool
take(int fd, struct buf *to, size_t max, bool *more)
{
	char text[4096];
	ssize_t n = read(fd, text, sizeof text);
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	*more = *more || to->n + (size_t)n > max;
	if (to->n + (size_t)n <= max)
		buf_add(to, (str){ text, (size_t)n });
	return true;
}

static void
read_both(const struct pipes *io, struct buf *out, struct buf *said, size_t max, bool *more)
{
	struct pollfd fds[] = { { io->out[0], POLLIN, 0 }, { io->said[0], POLLIN, 0 } };
	bool ignored = false;
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents && !take(fds[0].fd, out, max, more))
			fds[0].fd = -1;
		if (fds[1].revents && !take(fds[1].fd, said, SAID_MAX, &ignored))
			fds[1].fd = -1;
	}
}

/* The last line that is not empty: where programs say what is wrong. */
static str
last_line(str text)
{
	text = str_trim(text);
	for (size_t at; (at = str_find_char(text, '\n', 0)) != SIZE_MAX;)
		text = str_slice(text, at + 1, text.n);
	return text.n > 300 ? str_slice(text, text.n - 300, text.n) : text;
}

static int
judge(const struct program *p, int failed, int status, str said, struct err *e)
{
	if (failed == ENOENT)
		return err_set(e, ERR_UNAVAILABLE, "%s is not installed; on Debian: apt-get install %s", p->argv[0], p->argv[0]);
	if (failed) {
		errno = failed;
		return err_errno(e, "run %s", p->argv[0]);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, ERR_IO, "%s: %.*s", p->argv[0], STR_ARG(said.n ? last_line(said) : S("it failed and did not say why")));
}

int
program_run(const struct program *p, struct buf *out, size_t max, struct err *e)
{
	struct buf nowhere CLEANUP(free_buf) = { 0 }, said CLEANUP(free_buf) = { 0 };
	struct pipes io;
	bool more = false;
	int failed = 0, status = 0;
	if (open_pipes(&io, e))
		return -1;
	pid_t self = getpid(), pid = fork();
	if (pid == 0)
		become(p, &io, self);
	int code = errno;
	close(io.out[1]);
	close(io.said[1]);
	close(io.failed[1]);
	if (pid > 0) {
		if (read(io.failed[0], &failed, sizeof failed) != sizeof failed)
			failed = 0;
		read_both(&io, out ? out : &nowhere, &said, max, &more);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(io.out[0]);
	close(io.said[0]);
	close(io.failed[0]);
	if (pid < 0) {
		errno = code;
		return err_errno(e, "start %s", p->argv[0]);
	}
	if (judge(p, failed, status, buf_str(&said), e))
		return -1;
	return out && more ? err_set(e, ERR_LIMIT, "%s says more than %zu bytes", p->argv[0], max) : 0;
}
