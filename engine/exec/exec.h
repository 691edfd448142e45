/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: what the files of the process executor share. executor.c keeps the tasks and their order, process.c talks to
 * the step helper, task_write.c (with env.c, volume.c, image.c) says what to run, result.c reads what came of it,
 * confine.c finds the sandbox that works here and compiles the system call filter.
 */
#ifndef TIDEGATE_ENGINE_EXEC_H
#define TIDEGATE_ENGINE_EXEC_H

#include "core/child.h"
#include "core/map.h"
#include "core/meter.h"
#include <sys/stat.h>

#include "engine/exec/executor.h"
#include "engine/exec/image_store.h"
#include "engine/shim/task.h"

#define TASK_PATH_MAX 4096
/* The most that a task's records may have: what execve takes is less. */
#define TASK_BYTES_MAX (8u << 20)

/* A parameter whose file the helper is to keep. */
struct task_output {
	str name, path;
	bool has_default;
};

/* An output artifact. */
struct task_artifact {
	str name, path;
	struct val place;
	enum artifact_packing packing;
	int64_t level;
	bool as_is; /* the helper kept a regular file, not a tar */
};

enum task_state {
	TASK_QUEUED,   /* not with the helper yet */
	TASK_SPAWNED,  /* a monitor prepares, or waits for its release */
	TASK_RUNNING,  /* claimed: by our monitor, or by one of an earlier daemon */
	TASK_ENDED,    /* its news are due */
};

/* A container of a pod. */
struct task_member {
	const struct container *c; /* while its records are written; NULL afterwards */
	str name;
	enum task_role role;
};

struct task {
	struct executor *x;
	struct arena *arena;       /* of everything below */
	struct task_id id;
	str key, pod;              /* key: of executor.tasks */
	str claim;                 /* TASK_CLAIM: of this attempt */
	str dir;                   /* TASK_DIR of engine/shim/task.h */
	enum task_state state;
	bool released, capture;
	bool adopted;              /* a daemon before us may have started it */
	bool superseded;           /* a later attempt of its node was decided: it is to end, and is no news any more */
	bool respawned;            /* its helper died once before it claimed */
	unsigned helper;           /* serial of the helper it was given to */
	bool kill_asked;
	int64_t kill_grace, grace; /* seconds; of the kill that was asked for, and its own */
	int64_t deadline_ns;
	struct buf records;        /* until the helper has them */
	LIST_OF(struct task_output) outputs;
	LIST_OF(struct task_artifact) artifacts, logs; /* logs: its name is that of the container, its path is behind TASK_DIR */
	bool owned;                /* inputs are to be those of uid and gid: main runs as that */
	uint32_t uid, gid;
	const struct val *fetch;   /* its input artifacts, as items of a job; NULL: it has none */
	bool fetched;
	struct transfer *transfer; /* under way; it forgets us when we are freed */
	struct artifact_result *saves; /* of `artifacts`, in their order */
	size_t kept;               /* of them, what the helper has said something of */
	int socket, pidfd;         /* to our monitor; of one of an earlier daemon. -1: none */
	pid_t monitor;             /* of ours, once it has claimed; 0 */
	uv_poll_t *poll;           /* on one of them; freed when libuv has closed it */
	struct progress_watch *watch; /* of an adopted one; likewise */
	struct link link;          /* in executor.queue, .running or .ended */
	LIST_OF(struct task_member) members; /* of a pod; none: a task of one container, without more */
	str member;                /* the container whose records are written; absent in such a task */
	bool daemon, own_network;
	unsigned pod_groups;       /* bits of enum limit_kind: the pod has a control group of that kind */
	bool idle;                 /* a daemon that is ready: it takes no place in the line */
	struct pod_watch *pod_watch; /* of an adopted pod; freed when libuv has closed it */
	bool start_due;            /* adopted while it runs: the news of that are due */
	struct task_result result; /* of an ended task */
};

/* The helper that forks the monitors. Started with the first task, and again should it die. */
struct helper {
	int socket;                /* -1: not running */
	unsigned serial;           /* of this one, from 1 */
	pid_t pid;
};

enum limit_kind { LIMIT_MEMORY, LIMIT_CPU, LIMIT_PIDS, LIMIT_KINDS };
/* Where steps have control groups. */
struct cgroups {
	const char *root, *self;   /* /sys/fs/cgroup, /proc/self/cgroup */
	bool looked[LIMIT_KINDS], unified;
	char *base[LIMIT_KINDS];   /* NULL: none can be made */
};

/* What is known of imported images, until the index is another one. */
struct images {
	const char *path;       /* the folder, owned */
	struct arena *arena;
	struct image_store store;
	struct map found;       /* "pinned name" -> struct image_match */
	struct stat seen;       /* the index when it was read */
};

struct executor {
	struct loop *loop;
	const struct settings *settings;
	struct objects *objects;
	task_news *news;
	void (*room)(void *arg);
	task_progress *progress;   /* may be NULL */
	void *arg;
	struct map tasks;          /* key -> struct task */
	struct link queue, running, ended;
	struct link held;          /* tasks that wait for the end of an earlier attempt of their pod */
	size_t spawned, limit;     /* tasks with the helper; most at once */
	size_t superseded;         /* tasks that are */
	size_t idle;               /* daemons among the tasks that are ready, which do not count */
	struct timer news_timer;   /* delivers the news that came up within a call of the engine */
	unsigned inside;           /* such calls under way */
	bool will_serve, freed;    /* what waits is started at the end of this turn; and this struct is freed then */
	struct images images;
	char *tasks_path;
	int tasks_fd, gate_fd;     /* the gate: that of our monitors (engine/shim/task.h) */
	char *helper_path, *transfer_path; /* of tidegate-step, tidegate-artifact */
	struct children *transfers, *givers; /* of steps; for who looks from outside */
	struct link moving;        /* transfers under way */
	uint64_t moved[2];         /* bytes of those that have ended: in, out */
	char *repository;          /* the local one */
	char *claims_path;         /* the folder of claims */
	struct helper helper;
	int seccomp_fd;
	enum task_sandbox sandbox;
	bool settled;              /* the sandbox was tried; until then it is what will probably work */
	struct timer settle_timer;
	struct cgroups cgroups;
	bool storage_warned;
	char why_not[512];         /* why there is no better sandbox */
};

/* Closes and forgets; fine if there is none. */
static inline void
drop_fd(int *fd)
{
	close_fd(fd);
	*fd = -1;
}

/* ---- gate.c */
/* After this no monitor of an earlier daemon claims a step that it has not claimed yet. Before any log is looked at. */
int gate_open(struct executor *x, struct err *e) MUST_CHECK;

/* ---- remove.c */
/* Makes the folder that removed ones go through, and goes on with what is left in it. */
int removed_open(struct executor *x, struct err *e) MUST_CHECK;
/* The folder that a step's input artifacts were mounted from, on a pool thread. */
void inputs_remove(struct executor *x, str path);

/* ---- executor.c */
/* TASK_DIR of a step. */
str task_dir(struct arena *a, const struct task_spec *s);
/* The end of a task: its news, now or in the next turn; `t` may be gone afterwards. `r` lies in the task's arena. */
void task_end(struct task *t, const struct task_result *r);
void task_fail(struct task *t, enum phase phase, str message);
#define TASK_LOST "the step was lost: " /* begins what task_fail is told of one whose end nobody knows */
/* It takes a place among those that run. */
void task_occupies(struct task *t);
/* The helper has claimed the task. */
void task_started(struct task *t);
/* It is a daemon, and ready: it takes no place in the line any more. */
void task_idles(struct task *t);
/* The same, found out when it was adopted: the news follow in the next turn. */
void task_adopted(struct task *t);
/* An earlier attempt of its pod runs still: it leaves the line. That has ended: it looks once more. */
void task_held(struct task *t);
void task_let_go(struct task *t);

/* ---- process.c */
int helper_start(struct executor *x, struct err *e) MUST_CHECK;
void helper_stop(struct executor *x);
/* Asks the helper whether a sandbox can be built; blocks for some milliseconds. `why` gets the reason. */
bool helper_probe(struct executor *x, enum task_sandbox sandbox, char *why, size_t n);
/* Hands a task to the helper; if it was released, the command follows at once. */
int process_spawn(struct task *t, struct err *e) MUST_CHECK;
void process_release(struct task *t);
/* Looks at the pod's log. 1: the task was taken up, has ended, or waits for the end of an earlier attempt, which is told to end; 0:
 * nothing ran, start it (what an earlier attempt left is put aside); -1: neither can be said. */
int process_adopt(struct task *t, struct err *e) MUST_CHECK;
/* Tells the monitor of a step that runs to end it, wherever its log is by now. */
int process_kill(struct task *t, int64_t grace_seconds, struct err *e) MUST_CHECK;
/* The same for a step of which nothing but its TASK_DIR is known. ERR_NOT_FOUND: it does not run. */
int process_end(const struct executor *x, const char *dir, int64_t grace_seconds, struct err *e) MUST_CHECK;
/* Whether there is a log of this attempt (TASK_CLAIM), or, from an earlier version, one that does not say. */
bool process_claimed(const struct executor *x, const char *dir, str claim);
/* Forgets the monitor: it leaves if it was not released, and runs on if it was. */
void process_forget(struct task *t);
/* What an earlier attempt of the same pod left is put aside, unless it runs. */
void process_set_aside(const struct executor *x, const char *dir);

/* ---- task_write.c */
/* Fills t->records and t->outputs. ERR_INVALID, NOT_FOUND, UNSUPPORTED: the text is the node's message. */
int task_write(struct task *t, const struct task_spec *spec, struct err *e) MUST_CHECK;
void record_add(struct buf *b, uint32_t type, str s);
void record_add_i64(struct buf *b, uint32_t type, int64_t v);

/* ---- pod_write.c */
/* Whether it takes more than one container, or an address of its own. */
bool pod_needed(const struct template *t);
/* Fills t->members, in the order of their lives. */
int pod_members(struct task *t, const struct template *tmpl, struct err *e) MUST_CHECK;
int pod_attempts(struct task *t, const struct template *tmpl, struct err *e) MUST_CHECK;
int pod_network(struct task *t, const struct task_spec *spec, struct err *e) MUST_CHECK;

/* ---- pod_state.c */
/* News of a running pod: `text` is what stands behind TASK_LOG_POD. */
void pod_state_tell(struct task *t, str text);
/* The same, from the claim of a pod that was adopted; and whenever there is more. */
void pod_state_read(struct task *t);
void pod_state_watch(struct task *t);
void pod_state_forget(struct task *t);

/* ---- look_write.c */
/* Probes and lifecycle hooks. ERR_INVALID, ERR_UNSUPPORTED. */
int looks_write(struct task *t, const struct container *c, struct err *e) MUST_CHECK;

/* ---- security.c */
int security_write(struct task *t, const struct task_spec *spec, const struct container *c, const struct image *image,
	struct err *e) MUST_CHECK;
int hosts_write(struct task *t, const struct task_spec *spec, struct err *e) MUST_CHECK;

/* ---- env.c */
/* Expands $(NAME) as Kubernetes does: $$ is $, what is not defined stays. */
str env_expand(struct arena *a, str text, const struct kvs *env);
const str *env_get(const struct kvs *env, str name);
struct env {
	VEC(struct kv) v;
};
/* The environment of the container, in order, names unique. */
int env_build(struct arena *a, const struct executor *x, const struct task_spec *spec, const struct container *c,
	str name, const struct image *image, struct kvs *out, struct err *e) MUST_CHECK;

/* ---- artifact.c */
/* What one artifact may have, as members of a job for tidegate-artifact. */
void artifact_limits(const struct settings *settings, struct val_map *m);
/* What main takes and leaves: records for the helper, and jobs for tidegate-artifact. ERR_INVALID. */
int artifacts_write(struct task *t, const struct task_spec *spec, struct err *e) MUST_CHECK;
/* Which of its logs are kept as artifacts, when its members are known. */
void artifacts_write_logs(struct task *t, const struct task_spec *spec);
/* Brings its input artifacts, then spawns it, or it fails. */
void artifacts_fetch(struct task *t);
/* It has ended: saves what the helper kept of it, if anything, then task_end. `r` lies in the task's arena or is copied. */
void artifacts_save(struct task *t, const struct task_result *r);
/* The helper's word on the next artifact. */
void artifact_kept(struct task *t, uint32_t type, str text);
void artifacts_forget(struct task *t);
/* Ends what moves for it, if anything does: inputs at once, outputs after the grace period. */
void artifacts_stop(struct task *t, int64_t grace_seconds);

/* ---- moving.c: transfers under way, for who asks how far they are */
struct moving {
	struct link link;          /* in executor.moving */
	struct meter *meter;       /* NULL: it is not under way */
	int fd;                    /* of the meter, until its helper has it; -1 */
	bool out;                  /* to the place, else from it */
	unsigned killed;           /* helpers before this one */
	str ns, workflow, node_id; /* of a step; absent: for somebody outside */
	const struct val *items;   /* of the job: names, and places as manifests have them, without what secrets say */
	const struct child *child; /* its helper */
};
/* From now on it is told of; what it points to stays until moving_end. */
int moving_begin(struct executor *x, struct moving *m, struct err *e) MUST_CHECK;
/* Fine if it has not begun, or has ended. */
void moving_end(struct executor *x, struct moving *m);

/* ---- artifact.c */
/* Runs tidegate-artifact, a few at a time. `fd`: beside the job (core/child.h). `outside`: no step waits for it, and it stands in no step's way. `m`, NULL: nobody asks how far it is. */
struct child *transfer_run(struct executor *x, bool outside, str job, int fd, struct moving *m, size_t answer_max, int64_t ms, void (*done)(void *arg, const struct child_end *end, const struct err *e),
	void *arg);
/* What it said into *answer, in `a`, a list; or why it said nothing: absent, if it did. */
str transfer_answer(struct arena *a, const struct child_end *end, const struct err *e, struct val *answer);

/* ---- artifact_give.c */
#define GIVEN ".given" /* in the folder of tasks: what is brought for who looks from outside, and what he brings */
/* A job with one item, which no step waits for. `into`: a path for what it makes; its scratch folder is beside it. */
struct outside_job {
	const char *what, *into;
	struct val item;
	int fd; /* 0: none */
	struct moving *moving; /* NULL: nobody asks how far it is */
};
struct child *transfer_outside(struct executor *x, const struct outside_job *j, struct arena *a, void (*done)(void *arg, const struct child_end *end, const struct err *e), void *arg);
/* The answer to it, in `a`; or NULL, and why there is none. */
const struct val *transfer_one(struct arena *a, const struct child_end *end, const struct err *failure, struct err *e);

/* ---- artifact_place.c */
/* A place of a workflow in `ns` as its driver gets it, in `a`. ERR_NOT_FOUND: a secret or its key. */
int artifact_place_resolve(const struct executor *x, str ns, const struct val *place, struct arena *a, struct val *out, struct err *e) MUST_CHECK;

/* ---- image.c */
/* What a name was found to mean. */
struct image_match {
	struct image row;
	str digest;  /* "sha256:...", IMAGE_HOST, or the root file system of the settings: what the workflow remembers */
	str hold;    /* folder of an imported image, to be locked while the step runs; absent: none */
	bool listed; /* false: nobody said anything of it */
};
/* `pinned`: what the workflow found before (then it is that again), or absent. Lives until the next call. NULL: ERR_NOT_FOUND
 * if what was found before is gone, ERR_INVALID if the images are damaged. */
const struct image_match *image_resolve(struct executor *x, str name, str pinned, struct err *e);
void images_free(struct images *im);
/* The first row of the settings that matches; NULL if there is none. */
const struct image *image_find(const struct settings *st, str name);
/* Command and arguments of the container (spec 1.3), before $(VAR) expansion. */
int image_command(struct arena *a, const struct settings *st, const struct container *c, const struct image *image,
	struct strs *argv, struct err *e) MUST_CHECK;

/* The `user` of the row: "name", "uid", "name:group" or "uid:group"; names are those of its /etc/passwd and /etc/group, or the host's. */
int image_user(const struct image *image, uint32_t *uid, uint32_t *gid, struct err *e) MUST_CHECK;
/* The home of that user in the image's /etc/passwd; absent: none. In `a`. */
str image_home(struct arena *a, const struct image *image);

/* ---- volume_files.c */
/* A path of a file or folder inside a volume: relative, without a way out. */
bool volume_path(str path);
bool volume_is_files(const struct volume *v);
int volume_files_write(struct task *t, const struct task_spec *spec, const struct volume *v, struct err *e) MUST_CHECK;

/* ---- claim.c */
/* The volume that is a claim of this name, made if it may be. ERR_NOT_FOUND: nobody made it, and says what to do. */
int claim_write(struct task *t, const struct task_spec *spec, str claim, struct err *e) MUST_CHECK;
/* The volume that the workflow's volumeClaimTemplates have under this name; NULL: none. In the task's arena. */
const struct volume *claim_of_template(struct task *t, const struct task_spec *spec, str name);

/* ---- field.c */
/* What `ref` (a fieldRef) says of the pod, in `a` or the spec. ERR_UNSUPPORTED: not of pods here. */
int pod_field(struct arena *a, const struct task_spec *spec, const struct val *ref, str *out, struct err *e) MUST_CHECK;

/* ---- remove.c */
/* Renames a folder out of the way at once and takes it apart on a pool thread. */
void folder_remove(struct executor *x, const char *path);

/* ---- volume.c */
int volumes_write(struct task *t, const struct task_spec *spec, const struct container *c, struct err *e) MUST_CHECK;
/* Of a pod: the volumes in memory that its containers share. */
int volumes_share(struct task *t, const struct task_spec *spec, struct err *e) MUST_CHECK;

/* ---- resource.c */
/* What `ref` (a resourceFieldRef) says of the container called `container`. ERR_INVALID, ERR_UNSUPPORTED. */
int resource_field(struct arena *a, const struct container *c, str container, const struct val *ref, str *out, struct err *e) MUST_CHECK;

/* ---- limit.c */
/* What the containers of a pod may use together; before those of each. */
int limits_write_pod(struct task *t, const struct task_spec *spec, struct err *e) MUST_CHECK;
/* What the container may use; of a task of one container also what its pod may. */
int limits_write(struct task *t, const struct task_spec *spec, const struct container *c, struct err *e) MUST_CHECK;

/* ---- cgroup.c */
/* The folder below which steps have groups with this controller; NULL, said once: there is none. */
const char *cgroup_base(struct executor *x, enum limit_kind kind);
/* Enables a controller for the children of a group of version 2; moves this process into a child if it must. */
bool cgroup_delegate(const char *group, const char *controller);
void cgroups_free(struct cgroups *c);

/* ---- progress.c */
/* The last line of the text if it is progress, "N/M" with 0 <= N <= M, M > 0 (spec 2.17); else absent. */
str progress_text(str text);
/* The step says this. */
void progress_tell(struct task *t, str text);
/* The progress of an adopted step, now and whenever it changes, until it is forgotten. */
void progress_read(struct task *t);
void progress_follow(struct task *t);
void progress_forget(struct task *t);

/* ---- result.c */
/* Reads the end of the step's log. ERR_NOT_FOUND if it has none. */
int result_read(struct task *t, struct task_result *out, struct err *e) MUST_CHECK;
/* From its records. */
int result_parse(struct task *t, const char *p, size_t n, struct task_result *out, struct err *e) MUST_CHECK;

/* ---- confine.c */
/* The system call filter for steps as BPF in a memfd; -1 without one. */
int seccomp_program(struct err *e) MUST_CHECK;
/* A sandbox by the settings and what probably works; with `sandbox: require` what does. */
int confine_choose(struct executor *x, struct err *e) MUST_CHECK;
/* Tries it, if that was not done yet: before the first step, or after the start. Blocks for some milliseconds. */
void confine_settle(struct executor *x);

#endif
