/* SPDX-License-Identifier: Apache-2.0 */
/*
 * executor: runs the steps. The process executor starts one step-shim per step: a libc-only helper that outlives the
 * daemon, builds the sandbox, runs the command, and leaves what came of it at the end of the step's log. After a
 * restart the daemon adopts it by that log.
 */
#ifndef TIDEGATE_ENGINE_EXECUTOR_H
#define TIDEGATE_ENGINE_EXECUTOR_H

#include "config/config.h"
#include "core/loop.h"
#include "engine/run/run.h"

struct executor;
struct task;

/*
 * Which attempt of which node a task is: a node's id may come again (a retry of the workflow, another workflow of the same
 * name), its `uid` and `order` together do not.
 */
struct task_id {
	str ns, workflow, node_id, uid;
	uint32_t order; /* node_order */
};

/* The task has started (`result` NULL), has changed (its phase is RUNNING: a pod with containers, a daemon), or has ended.
 * On the loop. After the end the task is gone. */
typedef void task_news(void *arg, const struct task_id *id, const struct task_result *result);

/* A running task says how far it is: "3/10". On the loop. */
typedef void task_progress(void *arg, const struct task_id *id, str text);

/* `state_dir`/tasks holds the tasks, of one executor at a time: what an earlier one released and nobody began yet does not begin any
 * more. Waits for those that are about to, a moment. the shim is found beside the program, or in libexec. */
int executor_new(struct loop *l, const struct settings *st, struct objects *objects, str state_dir, task_news *news,
	void *arg, struct executor **out, struct err *e) MUST_CHECK;
/* Who hears of progress; `arg` is that of executor_new. */
void executor_on_progress(struct executor *x, task_progress *progress);
/* What the host's commands are called where the digest of an image would be. */
#define IMAGE_HOST S("host")
/*
 * What the image of a step means here: a digest, IMAGE_HOST, or the path of a root file system; `pinned`: what this
 * workflow found before, so that all its steps use the same. *listed: somebody said what it means. The texts live until
 * the next call. False: the step cannot be started with it, and says why itself.
 */
bool executor_image(struct executor *x, str name, str pinned, str *digest, bool *listed);
/* Forgets its tasks; they run on. */
void executor_free(struct executor *x);
/*
 * Prepares it, and spawns the helper at the end of this turn, while the commit that decided it is under way; the command does not start before
 * executor_release. If nothing can be started (no such image, no claim), the news say so later: never from within.
 * Tasks beyond the limit of settings.parallelism wait in line. If an earlier attempt of the same pod runs still, the task waits for its
 * end; it is told to end, and nothing more is heard of it.
 */
void executor_start(struct executor *x, const struct task_spec *t);
/* The commit is on disk: lets the command start. */
void executor_release(struct executor *x, str ns, str workflow, str node_id);
/* Whether a task that is started now need not wait in line. */
bool executor_room(const struct executor *x);
/* Called, never from within a call, when tasks have ended and there is room. */
void executor_on_room(struct executor *x, void (*room)(void *arg));
/* What an earlier attempt of the same pod left, or still does, is put aside, lest it be taken for this one's; executor_start does it
 * too. */
void executor_set_aside(struct executor *x, const struct task_spec *t);
/* After a restart: whether a monitor has claimed the step, so that it runs or has ended. */
bool executor_claimed(const struct executor *x, const struct task_spec *t);
/* After a restart: takes up a task that was released (or not) before; if it has no claim it is started as new. */
void executor_adopt(struct executor *x, const struct task_spec *t);
/* Whether it has such a task, in line or under way. */
bool executor_has(struct executor *x, str ns, str workflow, str node_id);
/* SIGTERM now, SIGKILL after `grace_seconds`. The end is reported as news. False: there is no such task. */
bool executor_kill(struct executor *x, str ns, str workflow, str node_id, int64_t grace_seconds);
/* After a restart: the same for a step that no daemon watches any more, and that nobody will adopt. Fine if it does not run. */
int executor_end(const struct executor *x, str ns, str workflow, str pod, int64_t grace_seconds, struct err *e) MUST_CHECK;
/*
 * The folder with what the steps of a workflow left: <pod>.log for each, with the output of its main container in
 * lines "<RFC 3339 time with nanoseconds> <text>"; lines that begin with # are not output (engine/shim/task.h). Names
 * that begin with a dot are of earlier attempts. It may not exist (yet).
 */
str executor_workflow_dir(const struct executor *x, struct arena *a, str ns, str workflow);
/* Takes the folder of a workflow away, at once; its contents go on a pool thread. */
void executor_remove(struct executor *x, str ns, str workflow);
/* The folders of its volumeClaimTemplates go likewise. */
void executor_remove_claims(struct executor *x, str ns, str workflow);
/* Its artifacts go: those that lie below its name in the local repository, on a pool thread. */
void executor_remove_artifacts(struct executor *x, str ns, str workflow);
/*
 * Removes objects, wherever they lie (`place`: as artifact_located gives it): of a folder all that is beneath. done(arg) runs later, on the loop: `problem` says why
 * one is still there, absent: it is not. All of it lives until then, what is made for it in `a`.
 */
struct lying {
	str ns, name;
	const struct val *place;
	str problem;
};
void executor_remove_objects(struct executor *x, struct lying *list, size_t n, struct arena *a, void (*done)(void *arg), void *arg);
/*
 * An object for who looks at it from outside: its bytes as they are, of a folder all of it in a tar with gzip (`packed` in the answer is true), as a file that has no
 * name any more; or, with `list`, the objects beneath (`names` and `more`, engine/artifact/helper/helper.h), and fd is -1. done(arg) runs later, on the loop, and owns fd. What is made
 * for it is in `a`. ERR_NOT_FOUND: there is none; ERR_UNAVAILABLE: its place says no. What is returned names it until done() has begun.
 */
struct object_wanted {
	str ns, name;
	const struct val *place;
	bool list;
	str prefix; /* present, with `list`: of what begins so behind the key of the place, which may be empty */
};
struct giving;
struct giving *executor_give_object(struct executor *x, const struct object_wanted *w, struct arena *a,
	void (*done)(void *arg, int fd, const struct val *answer, const struct err *e), void *arg);
/*
 * The bytes of an open file become an object, in place of one that is there; of `boundary` (may be absent) the file `field` of the form that it is the body of. Takes the file. done(arg) runs
 * later, on the loop: ERR_UNAVAILABLE, with what its place said. What is made for it is in `a`.
 */
struct object_put {
	str ns, name;
	const struct val *place;
	int fd;
	str boundary, field;
};
void executor_put_object(struct executor *x, const struct object_put *w, struct arena *a, void (*done)(void *arg, const struct err *e), void *arg);
/*
 * How far a transfer is that is under way, now, as its helper has it; in what it was called with, or in the arena. Of several artifacts of a step one is moved at a time.
 */
struct transfer_view {
	bool out;             /* to its place, when the step has ended; else from there, before it begins */
	bool waits;           /* for others: as many are moved as may be */
	bool done;            /* all are moved, and the helper is about to say so; nothing of the following is known */
	str artifact, place;  /* its name; where it lies, without what lets one in: "s3 minio:9000, box/key" */
	uint64_t bytes;       /* that came over */
	uint64_t total;       /* 0: that is not known */
	unsigned attempt;     /* from 1; requests that are made again count, too. 0: it waits */
	str reason;           /* how the one before ended; "" */
};
/* That of a step; false: there is none. */
bool executor_transfer(struct executor *x, str ns, str workflow, str node_id, struct arena *a, struct transfer_view *v);
/* Whether a workflow has any. */
bool executor_transfers(const struct executor *x, str ns, str workflow);
/* Sets the metrics of transfers. */
void executor_measure(const struct executor *x);
/* A folder for files that need no name, on the disk of the artifacts on this machine. In `a`. */
str executor_files_folder(const struct executor *x, struct arena *a);
/* Nobody wants it any more: its process ends; done() comes, later, with ERR_UNAVAILABLE. */
void executor_stop_giving(struct giving *g);
/*
 * The list that a data template makes: the keys of the objects at `place`, each beginning with `under` in place of its key, after the expressions (a list of texts) were
 * applied. done(arg) runs later, on the loop, with the list as JSON in `a`, or with why there is none; it can be ended by child_stop() until then. NULL: ERR_NOT_FOUND, a
 * secret of the place.
 */
struct data_wanted {
	str ns, under;
	const struct val *place, *expressions;
};
struct child *executor_make_data(struct executor *x, const struct data_wanted *w, struct arena *a, void (*done)(void *arg, str text, const struct err *e), void *arg,
	struct err *e);
/* Removes what the step of one pod left, its log too, on a pool thread. */
void executor_remove_pod(struct executor *x, str ns, str workflow, str pod);
size_t executor_running(const struct executor *x);
/*
 * How steps are confined here, for the start-up line and `doctor`: "namespaces (privileged)", "user namespaces",
 * "none". With `sandbox: auto` that is an expectation until it was tried, shortly after the start or with the first
 * step; should it prove wrong, one loud line says so.
 */
const char *executor_sandbox(const struct executor *x);

#endif
