/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task: what the daemon and its step helper say to each other. Both are built from the same tree, so the format is
 * plain: a sequence of records, each a 32-bit type, a 32-bit length, the bytes, a NUL (so that text is a C string in
 * place) and padding to four bytes. It is used twice:
 *
 *   the task   daemon -> helper, in the message or a memfd: what to run. It may hold secrets, so never on disk.
 *   the end    helper -> daemon, in base64 as the last line of the step's log: what came of it.
 *
 * The control socket. The daemon starts one helper, the server (`tidegate-step FD`), and sends it messages of one
 * `struct task_message` with file descriptors. For each STEP the server forks a monitor, straight into the namespaces
 * of the sandbox; fork of a small static program costs a tenth of an exec, which is why there is a server at all. The
 * monitor outlives the server and the daemon.
 *
 * The step's socket, one per step, is between daemon and monitor:
 *
 *   daemon -> monitor   'r'        release: the commit that decided the step is on disk
 *   monitor -> daemon   'c'        claimed: the command starts
 *                       'p' + text the progress file says N/M now
 *                       'x' + text the step could not be claimed or begun; nothing ran and nothing was left
 *   end of file         from the daemon before 'r': leave without a trace. After it: run on, alone.
 *                       from the monitor: it is gone; the log says what came of the step.
 *
 * The log, TASK_DIR with ".log" behind it below the directory of all tasks, is the one file that every step has.
 * Creating a file is the dearest thing that a monitor does, so this one serves three ends:
 *
 *   #started 2006-01-02T15:04:05.000000000Z UID/7  the claim: which attempt of the pod this is
 *   2006-01-02T15:04:05.000000000Z text            output, both streams
 *   #end c29tZSByZWNvcmRz                          the end; a last line that is not complete is none
 *
 * The claim. Only who created the log with O_EXCL may run the command. The monitor holds a POSIX record lock on it as
 * long as it lives, so fcntl(F_GETLK) names the living monitor's pid, without a race against reuse of pids. Its first line
 * names the attempt (TASK_CLAIM): the same pod may be run again, and its log must not be taken for that of the next. The
 * folder TASK_DIR itself exists only for what needs one: emptyDir volumes, or the working directory of a step without a
 * sandbox. TASK_DIR.progress has the last progress of a step that reports any, in a line that is always as long.
 *
 * The gate. A monitor that was released, but has not claimed yet when its daemon dies, must not begin behind the back of
 * the next daemon, which has decided by then what becomes of the step. So each daemon has a gate of its own, the file
 * TASK_GATE, and all its monitors have it open. To claim is, in this order:
 *
 *   1. lock the gate, shared           2. leave if something is written in it
 *   3. create the log, lock it, write its first line        4. unlock the gate
 *
 * or, with a log that was made ahead (ahead.c): lock it, write its first line, and give it its name, unless that is taken.
 *
 * The next daemon, before it looks at any log: locks the old gate exclusively, waiting for those who are between 1 and 4;
 * writes into it; removes it; makes one of its own. The locks exclude each other, so each claim of an earlier daemon's
 * monitor is either whole before the gate is closed, or never comes to be, whoever is interrupted where: a lock goes with
 * the process that holds it, and what is written in the gate stays. Therefore the logs that a daemon finds are all that
 * there will ever be of earlier ones. One that is locked is of a living monitor. One that is not is of a step that ended,
 * or whose monitor died; if it is empty, that was before the command, and it may be removed. A step without a log did
 * not begin and will not: to start it anew, or not to, is the new daemon's decision alone.
 *
 * A pod. A task with several containers, or with an address of its own, has one more process: the pod's monitor, which
 * holds the claim, starts the containers' monitors, each in namespaces of its own below the pod's, and says when each
 * may begin. Its records come first; a TASK_CONTAINER begins those of each container. The claim TASK_DIR.log then has
 * no output, which is in TASK_DIR@NAME.log for each container, but tells how far the pod is, last line last:
 *
 *   #pod rr- 10.214.0.3 ready     a letter for each container in order: - waits, r runs, o ended well, x ended otherwise;
 *                                 the pod's address, - without; "ready" or "-": all run and their probes are content
 *
 * The same text goes to the daemon over the step's socket, behind an 's'.
 *
 * Signals to the monitor: SIGTERM with a sigqueue value of N asks it to end the step: SIGTERM to the step, SIGKILL
 * after N seconds. A second one may only shorten the time.
 */
#ifndef TIDEGATE_ENGINE_SHIM_TASK_H
#define TIDEGATE_ENGINE_SHIM_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TASK_RESULT_MAX (256 * 1024)   /* of standard output, from its end: Argo keeps as much */
#define TASK_OUTPUT_MAX (256 * 1024)   /* of a file of outputs.parameters */
#define TASK_MESSAGE_MAX 4096          /* of a termination message: as Kubernetes */
#define TASK_ARTIFACT_FILE ".artifact.%u" /* behind TASK_DIR: the TASK_ARTIFACT of that number, from 0, as a tar or as TASK_ARTIFACT_AS_IS */
#define TASK_ARTIFACT_AS_IS "as it is"
#define TASK_PROGRESS_MAX 48           /* bytes of "N/M", with what ends it */
#define TASK_LOG_STARTED "#started "
#define TASK_CLAIM_MAX 96              /* bytes of a TASK_CLAIM */
#define TASK_AHEAD ".ahead"            /* beside it: folders that became no step's yet (ahead.c) */
#define TASK_GATE ".gate"              /* in the directory of all tasks; no namespace begins with a dot */
#define TASK_LOG_END "#end "
#define TASK_LOG_POD "#pod "            /* of a pod's monitor: how far it is */
#define TASK_INLINE_MAX (64 * 1024)    /* bytes of records that go with the message; more go into a memfd */
#define TASK_LOG_LINE_MAX (16 * 1024)  /* longer lines are broken, as Kubernetes' runtimes do */
#define TASK_EXIT_NOT_STARTED 64       /* exit code of a command that cannot be found or executed: Argo's emissary */

enum task_sandbox { TASK_SANDBOX_OFF, TASK_SANDBOX_USER, TASK_SANDBOX_PRIVILEGED };

/* To the server. */
enum task_verb {
	TASK_SETUP, /* fds: the directory of all tasks, the seccomp program (may be empty), the gate. Once, first */
	TASK_PROBE, /* can this sandbox be built here? The answer is text on the control socket: empty = yes */
	TASK_STEP,  /* records; fds: the step's socket, and a memfd with the records if they are not in the message */
	TASK_POD,   /* the same, of a pod */
	TASK_POD_WITH_NETWORK, /* ... with a network of its own */
};
struct task_message {
	uint32_t verb;
	uint32_t sandbox;
};

enum task_record {
	TASK_END,
	/* the task */
	TASK_DIR,          /* below the directory of all tasks: "namespace/workflow/pod"; its log is TASK_DIR.log */
	TASK_CLAIM,        /* "UID/N": this attempt among all others of the pod; no spaces */
	TASK_HOSTNAME,
	TASK_ARG,          /* argv, in order */
	TASK_ENV,          /* "NAME=value", in order */
	TASK_CWD,          /* absent: / in a sandbox, the task's directory without */
	TASK_SCRIPT,       /* source: becomes /argo/staging/script, or TASK_DIR.script, and the last argument */
	TASK_ROOT,         /* root file system of an image; absent: the host's folders */
	TASK_ROOT_SIZE,    /* bytes that the layer may have which the step writes to; absent: a quarter of memory */
	TASK_HOLD,         /* a folder to be locked (flock, shared) as long as the step runs: that of the image */
	TASK_USER,         /* "uid:gid", numbers; absent: as the daemon (root inside the sandbox) */
	TASK_VOLUME,       /* name: a folder for an emptyDir in the task's directory; the following records mount it */
	TASK_VOLUME_TMPFS, /* size limit in bytes, "0": none; an emptyDir in memory */
	TASK_VOLUME_HOST,  /* path on the host */
	TASK_VOLUME_INPUT, /* the same, an artifact: put into the volume that its path lies in, if there is one on its file system; not there: nothing is mounted */
	TASK_VOLUME_CLAIM, /* "N path": a folder that has its name when it is on disk with N folders above it; else .NAME */
	TASK_VOLUME_FILES, /* empty; TASK_FILE and TASK_FILE_DATA records follow */
	TASK_FILE,         /* "mode path" of the file in the volume, mode in octal */
	TASK_FILE_DATA,
	TASK_MOUNT,        /* mount the last volume here (absolute path) ... */
	TASK_MOUNT_RO,     /* ... read-only */
	TASK_SUB_PATH,     /* of the last mount: a folder (created) or file inside the volume */
	TASK_VISIBLE,      /* a folder of the host to show read-only at its own path */
	TASK_OUTPUT,       /* path of a file to keep, in order; TASK_EXIT_OUTPUT answers by position */
	TASK_ARTIFACT,     /* path of a file or folder to keep, in order; TASK_EXIT_ARTIFACT answers by position */
	TASK_CAPTURE,      /* keep the end of standard output */
	TASK_PROGRESS,     /* path of the progress file */
	TASK_DEADLINE,     /* int64: ns since the epoch */
	TASK_GRACE,        /* int64: seconds between SIGTERM and SIGKILL at the deadline */
	TASK_LOG_MAX,      /* int64: bytes of log kept; what is beyond is counted and dropped */
	TASK_CGROUP,       /* path of a control group to be made for the step */
	TASK_LIMIT,        /* "file value", to be written in the last one */
	TASK_HOSTS,        /* text for the end of /etc/hosts */
	TASK_READ_ONLY,    /* the root cannot be written to */
	TASK_MESSAGE_PATH, /* of the termination message; absent: /dev/termination-log */
	TASK_MESSAGE_LOG,  /* if that is empty and the container failed: the end of its log */
	TASK_ATTEMPTS,     /* int64: how often the command may be run */
	TASK_ATTEMPT_WAIT, /* int64: ns between two attempts */
	TASK_LOOK,         /* struct task_look: a probe or a hook; what it does follows */
	TASK_LOOK_ARG,     /* argv of a command, in order */
	TASK_LOOK_HOST,    /* an address; absent: the pod's own */
	TASK_LOOK_REQUEST, /* what an HTTP server is sent */
	/* a pod */
	TASK_CONTAINER,    /* name; the records of the container follow */
	TASK_ROLE,         /* int64: enum task_role of the last container */
	TASK_DEPENDS,      /* name of a container that must have ended well before the last one */
	TASK_SHARED,       /* "size name": an emptyDir in memory for the containers, who know it as TASK_VOLUME */
	TASK_NETWORK,      /* "10.214.0.0/16": where the pod's address is taken from */
	/* the end; these numbers stay: a step may end under a daemon that is newer than its monitor */
	TASK_EXIT_CODE = 100,  /* int32; 128 + signal for a signal */
	TASK_EXIT_STARTED,     /* int64: ns since the epoch */
	TASK_EXIT_FINISHED,    /* int64 */
	TASK_EXIT_CAUSE,       /* int32: enum task_cause */
	TASK_EXIT_USAGE,       /* struct task_usage */
	TASK_EXIT_ERROR,       /* why the step could not be run or its outputs not be read: the node is an Error */
	TASK_EXIT_MESSAGE,     /* termination message */
	TASK_EXIT_RESULT,      /* end of standard output */
	TASK_EXIT_OUTPUT,      /* contents of the next output file */
	TASK_EXIT_NO_OUTPUT,   /* the next output file does not exist */
	TASK_EXIT_BAD_OUTPUT,  /* the next output file cannot be taken: the reason */
	TASK_EXIT_PROGRESS,
	TASK_EXIT_CONTAINER,   /* of a pod: name; the end of that container follows */
	TASK_EXIT_ARTIFACT,    /* the next artifact was kept, in its TASK_ARTIFACT_FILE: empty, as a tar; or TASK_ARTIFACT_AS_IS, a regular file */
	TASK_EXIT_NO_ARTIFACT, /* it does not exist */
	TASK_EXIT_BAD_ARTIFACT, /* it cannot be kept: the reason */
	/* of tasks, before the first TASK_ARTIFACT; both int64 */
	TASK_ARTIFACT_BYTES, /* that one may have, not packed */
	TASK_ARTIFACT_FILES, /* files, folders and links */
	TASK_ARTIFACT_BARE,  /* the next TASK_ARTIFACT is to have no archive: if it is a regular file, it may be kept as it is */
};
enum task_role { TASK_ROLE_INIT, TASK_ROLE_MAIN, TASK_ROLE_SIDECAR };
enum task_look_kind { TASK_LOOK_STARTUP, TASK_LOOK_READY, TASK_LOOK_ALIVE, TASK_LOOK_KINDS,
	TASK_HOOK_STARTED = TASK_LOOK_KINDS, TASK_HOOK_STOP, TASK_LOOKS };
enum task_look_action { TASK_DO_EXEC, TASK_DO_CONNECT, TASK_DO_HTTP, TASK_DO_SLEEP };
struct task_look {
	int32_t kind, action;
	int32_t delay_s, period_s, timeout_s, successes, failures; /* TASK_DO_SLEEP: timeout_s is its length */
	int32_t port;
};
enum task_cause { TASK_CAUSE_ITSELF, TASK_CAUSE_ASKED, TASK_CAUSE_DEADLINE, TASK_CAUSE_OOM };

/* Of all processes of the step. max_rss_kib: the most that the largest of them had, or, in a control group, all together. */
struct task_usage {
	int64_t user_us, system_us, max_rss_kib;
};

struct record {
	uint32_t type, n;
	const char *p; /* NUL behind it */
};

static inline size_t record_size(size_t n) { return 8 + ((n + 1 + 3) & ~(size_t)3); }

/* Takes the next record off [*at, end). False at the end or at anything that does not fit: the rest is then ignored. */
static inline bool
record_next(const char **at, const char *end, struct record *r)
{
	if (end - *at < 12)
		return false;
	uint32_t head[2];
	memcpy(head, *at, 8);
	if (head[0] == TASK_END || head[1] > (size_t)(end - *at) || record_size(head[1]) > (size_t)(end - *at))
		return false;
	*r = (struct record){ head[0], head[1], *at + 8 };
	*at += record_size(head[1]);
	return r->p[r->n] == 0;
}

/* Writes a record to `to`, which has record_size(n) bytes. Returns its size. */
static inline size_t
record_put(char *to, uint32_t type, const void *p, size_t n)
{
	uint32_t head[2] = { type, (uint32_t)n };
	size_t size = record_size(n);
	memcpy(to, head, 8);
	memset(to + size - 4, 0, 4);
	if (n)
		memcpy(to + 8, p, n);
	return size;
}

static inline int64_t
record_i64(const struct record *r)
{
	int64_t v = 0;
	if (r->n == sizeof v)
		memcpy(&v, r->p, sizeof v);
	return v;
}

static inline int32_t
record_i32(const struct record *r)
{
	int32_t v = 0;
	if (r->n == sizeof v)
		memcpy(&v, r->p, sizeof v);
	return v;
}

#endif
