/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the git program, without a shell and in the process group of the helper, so that it ends with it. Waits for the end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "core/files.h"
#include "core/spawn.h"
#include "engine/artifact/git.h"

#define ERRORS_MAX 8192u /* bytes of what it complains about that are kept: the last */

struct running {
	pid_t pid;
	int out, err; /* -1: at their end */
	struct buf said;
	const struct git_taker *taker;
};

static int
spawn(struct running *r, const struct git *g, int dir, const char *const *argv, int out, int err, struct err *e)
{
	const struct spawn s = { .argv = argv, .env = (const char *const *)g->list, .dir = dir, .in = -1, .out = out, .err = err };
	int rc = spawn_start(&s, &r->pid);
	if (rc == ENOENT)
		return err_set(e, ERR_UNSUPPORTED, "git artifacts need the program git, and it is not installed (or not in the daemon's PATH)");
	return rc ? err_set(e, ERR_UNAVAILABLE, "start git: %s", strerror(rc)) : 0;
}

/* What is there; 0: the end of it. */
static int
take_output(struct running *r, struct err *e)
{
	char piece[65536];
	ssize_t n = read(r->out, piece, sizeof piece);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		close_fd(&r->out), r->out = -1;
	return n > 0 && r->taker ? r->taker->take(r->taker->arg, (str){ piece, (size_t)n }, e) : 0;
}

static void
take_errors(struct running *r)
{
	ssize_t n = read(r->err, buf_room(&r->said, 4096), 4096);
	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		close_fd(&r->err);
		r->err = -1;
		return;
	}
	r->said.n += (size_t)n;
	if (r->said.n <= ERRORS_MAX)
		return;
	memmove(r->said.p, r->said.p + r->said.n - ERRORS_MAX, ERRORS_MAX);
	r->said.n = ERRORS_MAX;
}

static int
listen_to(struct running *r, struct err *e)
{
	int rc = 0;
	while (rc == 0 && (r->out >= 0 || r->err >= 0)) {
		struct pollfd fds[2] = { { .fd = r->out, .events = POLLIN }, { .fd = r->err, .events = POLLIN } };
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return err_errno(e, "wait for git");
		if (fds[0].revents)
			rc = take_output(r, e);
		if (fds[1].revents)
			take_errors(r);
	}
	return rc;
}

/* `status`: how it ended. An error: it did not come that far. */
static int
run(struct git *g, int dir, const char *const *argv, const struct git_taker *taker, struct running *r, int *status, struct err *e)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	*r = (struct running){ .taker = taker };
	int rc = spawn_pipe(out, e) < 0 || spawn_pipe(err, e) < 0 ? -1 : spawn(r, g, dir, argv, out[1], err[1], e);
	close_fd(&out[1]);
	close_fd(&err[1]);
	r->out = out[0];
	r->err = err[0];
	if (rc == 0) {
		rc = listen_to(r, e);
		if (rc < 0)
			kill(r->pid, SIGKILL);
		*status = spawn_wait(r->pid);
	}
	close_fd(&r->out);
	close_fd(&r->err);
	return rc;
}

/* What it does here alone goes wrong again. */
static bool
asks_others(const char *command)
{
	return strcmp(command, "clone") == 0 || strcmp(command, "fetch") == 0;
}

int
git_run(struct git *g, int dir, const char *const *argv, const struct git_taker *out, struct err *e)
{
	struct running r;
	int status = 0;
	str why;
	int rc = run(g, dir, argv, out, &r, &status, e);
	if (rc == 0 && status) {
		enum err_code code = git_complaint(g->site->arena, buf_str(&r.said), &why);
		if (code == ERR_UNAVAILABLE && !asks_others(argv[1]))
			code = ERR_INVALID;
		rc = err_set(e, code, "%.*s: git: %.*s", STR_ARG(g->name), STR_ARG(why));
	}
	buf_free(&r.said);
	return rc;
}

struct answer {
	struct buf text;
	size_t max;
};

static int
take_answer(void *arg, str bytes, struct err *e)
{
	struct answer *x = arg;
	buf_add(&x->text, bytes);
	return x->text.n > x->max ? err_set(e, ERR_LIMIT, "git: more than %zu bytes of answer", x->max) : 0;
}

int
git_ask(struct git *g, int dir, const char *const *argv, size_t max, bool *ok, str *out, struct err *e)
{
	struct answer x = { .max = max };
	const struct git_taker taker = { take_answer, &x };
	struct running r;
	int status = 0, rc;
	if (ok) {
		rc = run(g, dir, argv, &taker, &r, &status, e);
		buf_free(&r.said);
		*ok = status == 0;
	} else {
		rc = git_run(g, dir, argv, &taker, e);
	}
	*out = rc < 0 ? STR_NONE : arena_dup(g->site->arena, buf_str(&x.text));
	buf_free(&x.text);
	return rc;
}
