/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim: the parts of the step helper. It is a static program that uses libc only, has one thread, allocates little and
 * never frees: every process of it but the server lives for one step.
 */
#ifndef TIDEGATE_ENGINE_SHIM_SHIM_H
#define TIDEGATE_ENGINE_SHIM_SHIM_H

#include <stdarg.h>
#include <sys/types.h>

#include "engine/shim/task.h"

/* What the server was told once; every monitor inherits it. */
struct setup {
	int tasks_fd;            /* the directory of all tasks */
	char tasks_path[4096];   /* the same as an absolute path: mounts need one */
	const void *seccomp;     /* BPF instructions, or NULL */
	size_t seccomp_bytes;
	uid_t uid;               /* the daemon's, as seen outside of any user namespace */
	gid_t gid;
	bool nested;             /* in a user namespace already: no device nodes, perhaps no groups */
};

/* A task, read from its records; everything points into them. */
struct task {
	const char *records, *records_end;
	enum task_sandbox sandbox;
	const char *dir, *hostname, *cwd, *script, *root, *root_size, *hold, *progress;
	size_t script_n;
	const char **argv, **envp;   /* NULL-terminated; argv has room for the script's path */
	size_t argc;
	bool has_user, capture;
	uid_t uid;
	gid_t gid;
	int64_t deadline_ns, grace_s, log_max;
};

/* Text that says why something failed: the first reason stays. Returns -1. */
struct why {
	char text[512];
};
int why_set(struct why *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* With ": strerror(errno)". */
int why_errno(struct why *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reads the records into `t`. */
int task_read(struct task *t, const char *records, size_t n, struct why *w);
/* Makes the folders on the way to `path` below `tasks_fd`. -1 with errno. */
int task_make_parents(int tasks_fd, const char *path);
/* Makes a folder below `tasks_fd`, with its parents, and opens it. -1 with errno. */
int task_open_dir(int tasks_fd, const char *dir);

/* monitor.c: one step from release to end. Does not return. */
_Noreturn void monitor_run(const struct setup *s, enum task_sandbox sandbox, const char *records, size_t n, int socket);

/* sandbox.c: the server looks at the host's folders and files before it forks, so that the monitors need not. */
void sandbox_look(void);
/* Whether this is another user namespace than the first: there, root makes no device nodes. */
bool sandbox_nested(void);
/* Builds the root file system and enters it; the namespaces are new already. */
int sandbox_build(const struct setup *s, const struct task *t, struct why *w);
/* Gives up every capability and the way back to them; called last before exec. Async-signal-safe. */
int sandbox_drop(const struct task *t, const struct setup *s, const char **what);

/* cgroup.c: the step's control groups, if it has limits. */
int cgroup_make(const struct task *t, struct why *w);
/* The calling process, a child of the monitor's, joins them. -1 with errno. */
int cgroup_join(void);
/* Whether the kernel killed something in them for want of memory. */
bool cgroup_oom(void);
/* Raises `u` to what they counted. */
void cgroup_usage(struct task_usage *u);
void cgroup_remove(void);

/* command.c: finds and starts the command. `in`, `out`, `err` become its standard streams. */
struct command {
	const struct setup *setup;
	const struct task *task;
	int in, out, err;
};
/* The pid, or -1 with the text that Argo's emissary would print (exit code 64) in `w`. */
pid_t command_start(const struct command *c, struct why *w);

/* relay.c: output of the step to its log and to the kept result. */
struct relay_stream {
	int fd;
	bool keep;                   /* for the result */
	char *line;                  /* the line that is not complete yet */
	size_t n;
};
struct relay {
	int log_fd;
	int64_t log_left;
	bool log_cut;
	char *tail;                  /* ring of the last TASK_RESULT_MAX bytes; allocated when needed */
	size_t tail_n, tail_cap;     /* bytes ever kept */
	struct relay_stream stream[2];
};
/* Reads what is there and writes complete lines. False at the end of the stream (its fd is closed then, and -1). */
bool relay_read(struct relay *r, struct relay_stream *s);
/* A line of our own in the log. */
void relay_say(struct relay *r, const char *text);
/* The line that makes a log a claim, and the one that closes it. -1 if it could not be written whole. */
int relay_started(int log_fd);
int relay_end(int log_fd, const char *records, size_t n);

/* progress.c: the progress file while the step runs. */
struct progress {
	int dir;                     /* its folder; -1: none */
	const char *name;
	int64_t look_at, looked;     /* monotonic; 0: not due, never */
	char said[TASK_PROGRESS_MAX];
};
/* Before the command starts: afterwards the path may mean something else. */
void progress_open(struct progress *p, const struct task *t);
/* SIGIO came: looks now, or soon. */
void progress_changed(struct progress *p);
/* Looks if it is time to, and tells the daemon of a change. */
void progress_look(struct progress *p, const struct setup *s, const struct task *t, int socket);

/* output.c: files the step left, taken through its own root without following anything out of it. */
struct exit_buf {
	char *p;
	size_t n, cap;
};
void exit_put(struct exit_buf *b, uint32_t type, const void *p, size_t n);
void exit_put_i32(struct exit_buf *b, uint32_t type, int32_t v);
void exit_put_i64(struct exit_buf *b, uint32_t type, int64_t v);
void output_collect(const struct task *t, const char *path, struct exit_buf *b);
/* The progress file's last line and the termination message, if there are any. */
void output_small(const struct task *t, const char *path, size_t max, uint32_t type, struct exit_buf *b);

int64_t now_real(void);
int64_t now_mono(void);

#endif
