/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a task's records; small things that every part needs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/shim/shim.h"

__attribute__((format(printf, 3, 0))) static int
why_vset(struct why *w, const char *suffix, const char *fmt, va_list ap)
{
	if (w->text[0])
		return -1;
	int n = vsnprintf(w->text, sizeof w->text, fmt, ap);
	if (suffix && n >= 0 && (size_t)n < sizeof w->text)
		snprintf(w->text + n, sizeof w->text - (size_t)n, ": %s", suffix);
	return -1;
}

int
why_set(struct why *w, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	why_vset(w, NULL, fmt, ap);
	va_end(ap);
	return -1;
}

int
why_errno(struct why *w, const char *fmt, ...)
{
	const char *reason = strerror(errno);
	va_list ap;
	va_start(ap, fmt);
	why_vset(w, reason, fmt, ap);
	va_end(ap);
	return -1;
}

static int64_t
clock_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

int64_t
now_real(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t
now_mono(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void
read_user(struct task *t, const char *text)
{
	char *end;
	t->uid = (uid_t)strtoul(text, &end, 10);
	t->gid = *end == ':' ? (gid_t)strtoul(end + 1, NULL, 10) : t->uid;
	t->has_user = true;
}

int
task_read(struct task *t, const char *records, size_t n, struct why *w)
{
	t->records = records;
	t->records_end = records + n;
	size_t args = 0, envs = 0;
	struct record r;
	for (const char *at = records; record_next(&at, t->records_end, &r);) {
		args += r.type == TASK_ARG;
		envs += r.type == TASK_ENV;
	}
	t->argv = calloc(args + 2, sizeof *t->argv);
	t->envp = calloc(envs + 1, sizeof *t->envp);
	if (!t->argv || !t->envp)
		return why_set(w, "out of memory");
	t->log_max = INT64_MAX;
	t->message_path = "/dev/termination-log";
	size_t env = 0;
	for (const char *at = records; record_next(&at, t->records_end, &r);) {
		/* clang-format off */
		switch ((enum task_record)r.type) {
		case TASK_DIR: t->dir = r.p; break;
		case TASK_CLAIM: t->claim = r.p; break;
		case TASK_HOSTNAME: t->hostname = r.p; break;
		case TASK_ARG: t->argv[t->argc++] = r.p; break;
		case TASK_ENV: t->envp[env++] = r.p; break;
		case TASK_CWD: t->cwd = r.p; break;
		case TASK_SCRIPT: t->script = r.p, t->script_n = r.n; break;
		case TASK_ROOT: t->root = r.p; break;
		case TASK_HOLD: t->hold = r.p; break;
		case TASK_ROOT_SIZE: t->root_size = r.p; break;
		case TASK_USER: read_user(t, r.p); break;
		case TASK_PROGRESS: t->progress = r.p; break;
		case TASK_CAPTURE: t->capture = true; break;
		case TASK_DEADLINE: t->deadline_ns = record_i64(&r); break;
		case TASK_GRACE: t->grace_s = record_i64(&r); break;
		case TASK_CONTAINER: t->container = r.p; break;
		case TASK_HOSTS: t->hosts = r.p; break;
		case TASK_READ_ONLY: t->read_only = true; break;
		case TASK_MESSAGE_PATH: t->message_path = r.p; break;
		case TASK_MESSAGE_LOG: t->message_log = true; break;
		case TASK_ATTEMPTS: t->attempts = record_i64(&r); break;
		case TASK_ATTEMPT_WAIT: t->attempt_wait_ns = record_i64(&r); break;
		case TASK_LOG_MAX: t->log_max = record_i64(&r); break;
		case TASK_ARTIFACT_BYTES: t->artifact_bytes = record_i64(&r); break;
		case TASK_ARTIFACT_FILES: t->artifact_files = record_i64(&r); break;
		default: break; /* volumes and mounts: walked by sandbox.c; the rest is of the end */
		}
		/* clang-format on */
	}
	if (!t->dir || !t->argc)
		return why_set(w, "the task has no directory or no command");
	return 0;
}

static int
make_dir(int tasks_fd, const char *path)
{
	return mkdirat(tasks_fd, path, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

/* From the last one up: mostly only that is missing. */
int
task_make_parents(int tasks_fd, const char *path)
{
	char parent[4096];
	const char *slash = strrchr(path, '/');
	if (!slash)
		return 0;
	if ((size_t)snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path) >= sizeof parent) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (make_dir(tasks_fd, parent) == 0)
		return 0;
	return errno != ENOENT || task_make_parents(tasks_fd, parent) < 0 ? -1 : make_dir(tasks_fd, parent);
}

int
task_open_dir(int tasks_fd, const char *dir)
{
	/* Mostly only the last one is missing. */
	if (mkdirat(tasks_fd, dir, 0755) < 0 && errno == ENOENT && (task_make_parents(tasks_fd, dir) < 0 || make_dir(tasks_fd, dir) < 0))
		return -1;
	return openat(tasks_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}
