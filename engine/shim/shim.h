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
	int gate_fd;             /* of the daemon that we are of: closed by the next one */
	char tasks_path[4096];   /* the same as an absolute path: mounts need one */
	const void *seccomp;     /* BPF instructions, or NULL */
	size_t seccomp_bytes;
	uid_t uid;               /* the daemon's, as seen outside of any user namespace */
	gid_t gid;
	bool nested;             /* in a user namespace already: no device nodes, perhaps no groups */
	const char *address;     /* of the pod that we are in; NULL: it has none of its own */
};

/* A task, read from its records; everything points into them. */
struct task {
	const char *records, *records_end;
	enum task_sandbox sandbox;
	const char *dir, *claim, *hostname, *cwd, *script, *root, *root_size, *hold, *progress, *container, *hosts;
	const char *message_path;    /* of the termination message */
	bool message_log, read_only;
	int64_t attempts, attempt_wait_ns;
	size_t script_n;
	const char **argv, **envp;   /* NULL-terminated; argv has room for the script's path */
	size_t argc;
	bool has_user, capture;
	uid_t uid;
	gid_t gid;
	int64_t deadline_ns, grace_s, log_max;
	int64_t artifact_bytes, artifact_files; /* that one of its artifacts may have */
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

/* main.c: fork() into new namespaces. */
pid_t fork_into(uint64_t flags, int exit_signal);
/* The namespaces of a step in this sandbox. */
uint64_t step_namespaces(enum task_sandbox sandbox);

/* monitor.c: what a monitor can do before it has a step, so that nobody waits for it: by the spare; else the next one does it. */
void monitor_ahead(void);
/* It will close `fd` when its command has been started. */
void monitor_closes(int fd);
/*
 * One step from release to end. Does not return. `end_fd`: -1, or, in a container of a pod, a file that gets
 * its end; `socket` is then the pod's: 'r' begins it, 'd' and a text lets it end without having begun, and it says 'c'
 * when it has begun, 'y' when it is ready. One that leaves outputs says 'e' and its exit code when its command has ended, and waits for 'o' to read them.
 */
_Noreturn void monitor_run(const struct setup *s, enum task_sandbox sandbox, const char *records, size_t n, int socket,
	int end_fd);
/* What every monitor hears: SIGTERM, SIGCHLD, SIGIO as a descriptor. */
int monitor_signals(void);
/* pod.c: the same for a pod; `netlink` is a socket in the host's network, -1 if it needs none. */
_Noreturn void pod_run(const struct setup *s, enum task_sandbox sandbox, const char *records, size_t n, int socket,
	int netlink);

/* ahead.c: the files of a step that are made before it comes. */
void ahead_make(const struct setup *s);
/* Removes what became nothing. */
void ahead_drop(const struct setup *s);
/* Makes the folder `dir`, which a step works in, of what there is; if it is not there then, it has to be made. */
void ahead_enter(const struct setup *s, const char *dir);
/* The log, -1: there is none; and puts it at `path`: -1 with errno, EEXIST if there is one. */
int ahead_log(void);
int ahead_place_log(const struct setup *s, const char *path);

/* claim.c: waits for the release. False: the daemon is gone or has changed its mind. */
bool claim_wait(int socket);
/* Makes the task ours or leaves. `id`: its TASK_CLAIM. The log's descriptor: closing it, or another of the same file, gives up the
 * claim. */
int claim_take(const struct setup *s, const char *dir, const char *id, int socket);
/* Tells the daemon that the task is claimed. */
void claim_tell(int socket);

/* claim_volume.c: opens (O_PATH) the folder of TASK_VOLUME_CLAIM. -1 with errno. */
int claim_volume_open(const char *record);

/* network.c: a pod's own network: loopback, and a pair of interfaces with an address each. */
int network_open(struct why *w);
int network_make(int netlink, const char *range, char address[16], struct why *w);

/* look.c: probes and lifecycle hooks of a container. */
struct look {
	struct task_look spec;
	const char **argv;
	const char *host, *request;
	bool given, done;            /* done: there is nothing more to look at */
	pid_t pid;                   /* of the look under way */
	int64_t at, until;           /* monotonic: the next look; the end of the one under way. 0: none */
	int32_t good, bad;           /* in a row */
};
struct looks {
	struct look look[TASK_LOOKS];
	bool running, ready;         /* the command runs; the container counts as ready */
	bool failed;                 /* a look has ended with that, and nobody was told yet */
};
enum look_news { LOOK_NOTHING, LOOK_READY, LOOK_FAILED };
int looks_read(struct looks *x, const struct task *t, struct why *w);
/* The command has begun. */
void looks_begin(struct looks *x);
/* When looks_turn is to be called again, monotonic; 0: no need. */
int64_t looks_next(const struct looks *x);
struct command;
enum look_news looks_turn(struct looks *x, const struct command *c);
/* A child has ended: whether it was one of theirs. */
bool looks_reap(struct looks *x, pid_t pid, int status);
/* Starts the hook before the end: whether there is one. It is over when its `done` is set. */
bool looks_stop(struct looks *x, const struct command *c);

/* sandbox.c: the server looks at the host's folders and files before it forks, so that the monitors need not. */
void sandbox_look(void);
/* Whether this is another user namespace than the first: there, root makes no device nodes. */
bool sandbox_nested(void);
/* Our user becomes the task's, or root, in the user namespace that is ours already. */
int sandbox_map_user(const struct setup *s, const struct task *t, struct why *w);
/* Builds the root file system and enters it; the namespaces are new already. */
int sandbox_build(const struct setup *s, const struct task *t, struct why *w);
/* Gives up every capability and the way back to them; called last before exec. Async-signal-safe. */
int sandbox_drop(const struct task *t, const struct setup *s, const char **what);

/* cgroup.c: the step's control groups, if it has limits. */
int cgroup_make(const struct task *t, struct why *w);
/* In a container's monitor: those that the pod's process made are not ours. */
void cgroup_forget(void);
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
/* Has the memory at hand that a start takes: the first write to a page of it costs as much as a system call. */
void command_ahead(void);
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
struct exit_buf;
/* The last lines of the log, without their times, as the termination message. */
void relay_last(int log_fd, size_t max, struct exit_buf *b);
int relay_started(int log_fd, const char *claim); /* NULL: no claim, the log of a pod's container */
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

/* collect.c: artifacts the step left. The file for the i-th, opened while we have the rights to; -1 with errno. */
int collect_open(const struct setup *s, const struct task *t, unsigned i);
/* Keeps what lies at `path` in it, and says in `b` what came of it. `bare`: a regular file as it is, all else as a tar. */
void collect(const struct task *t, const char *path, bool bare, int to, struct exit_buf *b);

int64_t now_real(void);
int64_t now_mono(void);

#endif
