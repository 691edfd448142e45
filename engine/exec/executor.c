/* SPDX-License-Identifier: Apache-2.0 */
/*
 * executor: the tasks, by id and in order. A task is written down as records at once, waits in line if too many are
 * under way, goes to the helper, is released after its commit, and ends with news. News never come from within a call
 * of the engine: they are delivered in the next turn.
 */
#include "engine/exec/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "engine/exec/exec.h"

/* ---- tasks --------------------------------------------------------------------------------------------------- */

static void
task_free(struct task *t)
{
	artifacts_forget(t);
	process_forget(t);
	list_del(&t->link);
	if (map_get(&t->x->tasks, t->key) == t)
		map_del(&t->x->tasks, t->key);
	buf_free(&t->records);
	arena_free(t->arena);
	free(t);
}

/* The place of the node in the map of tasks, which only its latest attempt has. */
static void
key_of(struct buf *b, str ns, str workflow, str node_id)
{
	buf_addf(b, "%.*s/%.*s/%.*s", STR_ARG(ns), STR_ARG(workflow), STR_ARG(node_id));
}

static struct task *
find(struct executor *x, str ns, str workflow, str node_id)
{
	struct buf key CLEANUP(free_buf) = { 0 };
	key_of(&key, ns, workflow, node_id);
	return map_get(&x->tasks, buf_str(&key));
}

/* A file's name has 255 bytes at most, with what is put behind a pod's. */
#define POD_NAME_MAX 230

str
task_dir(struct arena *a, const struct task_spec *s)
{
	if (s->pod.n <= POD_NAME_MAX)
		return arena_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(s->ns), STR_ARG(s->workflow), STR_ARG(s->pod));
	return arena_fmt(a, "%.*s/%.*s/%.*s~%08x", STR_ARG(s->ns), STR_ARG(s->workflow), POD_NAME_MAX - 9, s->pod.p,
		str_fnv32a(s->pod));
}

/* TASK_CLAIM of a step. */
static str
task_claim(struct arena *a, const struct task_spec *s)
{
	return arena_fmt(a, "%.*s/%u", STR_ARG(str_slice(s->uid, 0, TASK_CLAIM_MAX - 12)), s->order);
}

static struct task *
task_new(struct executor *x, const struct task_spec *s)
{
	struct task *t = MEM_NEW(struct task);
	t->x = x;
	t->arena = arena_new();
	t->id = (struct task_id){ arena_dup(t->arena, s->ns), arena_dup(t->arena, s->workflow), arena_dup(t->arena, s->node_id),
		arena_dup(t->arena, s->uid), s->order };
	t->pod = arena_dup(t->arena, s->pod);
	struct buf key CLEANUP(free_buf) = { 0 };
	key_of(&key, s->ns, s->workflow, s->node_id);
	t->key = arena_dup(t->arena, buf_str(&key));
	t->dir = task_dir(t->arena, s);
	t->claim = task_claim(t->arena, s);
	t->grace = s->grace_seconds;
	t->socket = t->pidfd = -1;
	map_put(&x->tasks, t->key, t);
	list_add_tail(&x->queue, &t->link);
	return t;
}

/* Names that make a path below the directory of all tasks, and nowhere else. */
static int
check_names(str ns, str workflow, str pod, struct err *e)
{
	const str names[] = { ns, workflow, pod };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!names[i].n || names[i].n > NAME_MAX || names[i].p[0] == '.' ||
			memchr(names[i].p, '/', names[i].n) || memchr(names[i].p, 0, names[i].n))
			return err_set(e, ERR_INVALID, "\"%.*s\" cannot be the name of a folder", STR_ARG(names[i]));
	return 0;
}

/* ---- the line ------------------------------------------------------------------------------------------------ */

static void
leave_state(struct task *t)
{
	if (t->idle)
		t->x->idle--;
	else if (t->state == TASK_SPAWNED || t->state == TASK_RUNNING)
		t->x->spawned--;
	t->idle = false;
	list_del(&t->link);
}

void
task_occupies(struct task *t)
{
	list_del(&t->link);
	list_add_tail(&t->x->running, &t->link);
	if (t->state == TASK_QUEUED)
		t->x->spawned++;
	t->state = TASK_SPAWNED;
}

/* Starts what waits, as far as the limit allows. */
static void
serve_line(struct executor *x)
{
	x->inside++;
	while (x->spawned < x->limit && !list_empty(&x->queue)) {
		struct task *t = LIST_FIRST(&x->queue, struct task, link);
		struct err e;
		if (t->deadline_ns && t->deadline_ns <= loop_now(x->loop)) {
			task_fail(t, PHASE_FAILED, S(POD_TOO_LONG));
			continue;
		}
		task_occupies(t);
		if (t->fetch && !t->fetched)
			artifacts_fetch(t);
		else if (process_spawn(t, &e) < 0)
			task_fail(t, PHASE_ERROR, str_c(e.msg));
	}
	x->inside--;
}

/* ---- earlier attempts of a pod: waiting for them --------------------------------------------------------------- */

void
task_held(struct task *t)
{
	list_del(&t->link);
	list_add_tail(&t->x->held, &t->link);
}

/* An earlier attempt of the pod that was released, and may be about to claim at this moment. */
static bool
about_to_begin(const struct executor *x, const char *dir)
{
	if (x->superseded)
		LIST_EACH(&x->running, struct task, link, it)
			if (it->superseded && it->state == TASK_SPAWNED && !strcmp(it->dir.p, dir))
				return true;
	return false;
}

/* What the pod's log says counts only once nobody is about to claim it. True: nothing of this attempt has run, nor runs of another. */
static bool
may_start(struct task *t)
{
	struct err e;
	if (about_to_begin(t->x, t->dir.p)) {
		task_held(t);
		return false;
	}
	int rc = process_adopt(t, &e);
	if (rc < 0)
		task_fail(t, PHASE_ERROR, str_c(e.msg));
	return rc == 0;
}

static void
adopt(struct task *t)
{
	if (may_start(t))
		serve_line(t->x);
}

void
task_let_go(struct task *t)
{
	struct executor *x = t->x;
	list_del(&t->link);
	list_add_tail(&x->queue, &t->link);
	x->inside++;
	adopt(t);
	x->inside--;
}

/* It has begun or ended: those who could not look at its log can now. */
static void
let_go_behind(const struct task *superseded)
{
	struct executor *x = superseded->x;
	for (bool again = !about_to_begin(x, superseded->dir.p); again;) {
		again = false;
		LIST_EACH(&x->held, struct task, link, it)
		{
			if (it->poll || strcmp(it->dir.p, superseded->dir.p))
				continue;
			task_let_go(it);
			again = true;
			break; /* the list is another one now */
		}
	}
}

bool
executor_room(const struct executor *x)
{
	return x->tasks.n - x->idle < x->limit;
}

void
executor_on_room(struct executor *x, void (*room)(void *arg))
{
	x->room = room;
}

/* Tasks have ended: those in line here come first, then those that the engine holds back. */
static void
fill(struct executor *x)
{
	serve_line(x);
	if (x->room && executor_room(x))
		x->room(x->arg);
}

/* A daemon that serves others must not keep them from starting. */
void
task_idles(struct task *t)
{
	if (t->idle || t->state != TASK_RUNNING)
		return;
	t->idle = true;
	t->x->idle++;
	t->x->spawned--;
	fill(t->x);
}

/* The news of an ended task; it is gone then. */
static void
tell_end(struct task *t)
{
	struct executor *x = t->x;
	list_del(&t->link);
	map_del(&x->tasks, t->key); /* the news may start the same node again */
	x->news(x->arg, &t->id, &t->result);
	task_free(t);
}

/* From the front each time: the news may take others off the list. */
static struct task *
first_start_due(struct executor *x)
{
	LIST_EACH(&x->running, struct task, link, it)
	if (it->start_due)
		return it;
	return NULL;
}

static void
deliver(void *arg)
{
	struct executor *x = arg;
	for (struct task *t; (t = first_start_due(x));) {
		t->start_due = false;
		if (t->superseded)
			continue;
		x->news(x->arg, &t->id, NULL);
		progress_read(t);
		if (t->members.n)
			pod_state_read(t);
	}
	/* Only what has ended by now: the news may start others that end at once. */
	struct link due;
	list_init(&due);
	LIST_EACH(&x->ended, struct task, link, it)
	{
		/* Not before its commit: the engine does not expect news of what it has not decided yet. */
		if (!it->released)
			continue;
		list_del(&it->link);
		list_add_tail(&due, &it->link);
	}
	while (!list_empty(&due))
		tell_end(LIST_FIRST(&due, struct task, link));
	fill(x);
}

static void
deliver_soon(struct executor *x)
{
	timer_start(x->loop, &x->news_timer, loop_now(x->loop), deliver, x);
}

/* Places have become free, perhaps within a call of the engine. */
static void
fill_soon(struct executor *x)
{
	if (x->inside)
		deliver_soon(x);
	else
		fill(x);
}

void
task_end(struct task *t, const struct task_result *r)
{
	struct executor *x = t->x;
	leave_state(t);
	if (t->superseded) {
		x->superseded--;
		t->state = TASK_ENDED;
		let_go_behind(t);
		task_free(t);
		fill_soon(x);
		return;
	}
	t->state = TASK_ENDED;
	t->result = *r;
	list_add_tail(&x->ended, &t->link);
	if (x->inside || !t->released || t->start_due) {
		deliver_soon(x);
		return;
	}
	tell_end(t);
	fill(x);
}

void
task_fail(struct task *t, enum phase phase, str message)
{
	process_forget(t);
	task_end(t, &(struct task_result){ .phase = phase, .message = arena_dup(t->arena, message), .exit_code = -1,
		.lost = str_starts(message, S(TASK_LOST)) });
}

static void
kill_now(struct task *t)
{
	struct err e;
	if (process_kill(t, t->kill_grace, &e) < 0 && e.code != ERR_NOT_FOUND)
		log_warn("a step could not be ended", "workflow", t->id.workflow.p, "node", t->id.node_id.p, "error", e.msg,
			NULL);
}

void
task_started(struct task *t)
{
	if (t->state == TASK_QUEUED)
		task_occupies(t); /* adopted: counted, whatever the limit */
	t->state = TASK_RUNNING;
	buf_free(&t->records);
	if (t->kill_asked)
		kill_now(t);
	if (t->superseded)
		let_go_behind(t);
	else if (!t->start_due)
		t->x->news(t->x->arg, &t->id, NULL);
}

void
task_adopted(struct task *t)
{
	t->start_due = true;
	task_started(t);
	deliver_soon(t->x);
}

/* ---- earlier attempts of a pod: their end ------------------------------------------------------------------------ */

/* Off the map, but not out of sight: a monitor that was released and has not claimed yet is told to end once it has. */
static void
step_aside(struct task *t)
{
	map_del(&t->x->tasks, t->key);
	t->key = arena_fmt(t->arena, "%.*s %.*s", STR_ARG(t->key), STR_ARG(t->claim)); /* no node's id has a space */
	map_put(&t->x->tasks, t->key, t);
	if (t->idle) {
		t->idle = false;
		t->x->idle--;
		t->x->spawned++;
	}
	t->superseded = true;
	t->x->superseded++;
	artifacts_stop(t, 0);
	if (t->kill_asked)
		return;
	t->kill_asked = true;
	t->kill_grace = t->grace;
	if (t->state == TASK_RUNNING)
		kill_now(t);
}

/* A later attempt of its node was decided, so this one, which has failed for the run, is nobody's any more. */
static void
supersede(struct task *t)
{
	bool begins = t->state == TASK_RUNNING || (t->state == TASK_SPAWNED && t->released);
	if (begins) {
		step_aside(t);
		return;
	}
	if (t->state != TASK_ENDED)
		leave_state(t);
	task_free(t); /* an unreleased monitor sees that nobody is there */
}

/* ---- what the engine calls ----------------------------------------------------------------------------------- */

static bool
is_attempt(const struct task *t, const struct task_spec *s)
{
	return t->id.order == s->order && str_eq(t->id.uid, s->uid);
}

static struct task *
prepare(struct executor *x, const struct task_spec *s)
{
	struct err e;
	assert(x->inside); /* or a task that fails at once would be gone when we return it */
	struct task *t = find(x, s->ns, s->workflow, s->node_id);
	if (t && is_attempt(t, s))
		return NULL; /* it is under way */
	if (t)
		supersede(t);
	confine_settle(x);
	t = task_new(x, s);
	if (check_names(s->ns, s->workflow, s->pod, &e) < 0 || task_write(t, s, &e) < 0)
		task_fail(t, PHASE_ERROR, str_c(e.msg));
	return t;
}

static void
serve_started(void *arg)
{
	struct executor *x = arg;
	x->will_serve = false;
	if (x->freed)
		free(x);
	else
		serve_line(x);
}

/* The helper is told when the store has the turn: it takes a processor, and the commit is what the step waits for. */
void
executor_start(struct executor *x, const struct task_spec *s)
{
	x->inside++;
	struct task *t = prepare(x, s);
	if (t && t->state == TASK_QUEUED && may_start(t)) {
		if (!x->will_serve)
			loop_after_turn(x->loop, serve_started, x);
		x->will_serve = true;
	}
	x->inside--;
}

void
executor_release(struct executor *x, str ns, str workflow, str node_id)
{
	struct task *t = find(x, ns, workflow, node_id);
	if (!t || t->released)
		return;
	t->released = true;
	if (t->state == TASK_ENDED)
		deliver_soon(x);
	else
		process_release(t);
}

bool
executor_claimed(const struct executor *x, const struct task_spec *s)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	return process_claimed(x, task_dir(a, s).p, task_claim(a, s));
}

void
executor_set_aside(struct executor *x, const struct task_spec *s)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct task *t = find(x, s->ns, s->workflow, s->node_id);
	str dir = task_dir(a, s);
	if (t && is_attempt(t, s))
		return;
	if (t)
		supersede(t);
	if (!about_to_begin(x, dir.p))
		process_set_aside(x, dir.p);
}

/* The node has just become an Error, since what it asks for is not there any more; its command may run. */
static void
end_forsaken(const struct task *t, int64_t grace_seconds)
{
	struct err ignored; /* mostly it does not run */
	if (check_names(t->id.ns, t->id.workflow, t->pod, &ignored) == 0)
		(void)!process_end(t->x, t->dir.p, grace_seconds, &ignored);
}

void
executor_adopt(struct executor *x, const struct task_spec *s)
{
	x->inside++;
	struct task *t = prepare(x, s);
	if (t)
		t->released = t->adopted = true; /* the store knows it: that is why it is adopted */
	if (t && t->state == TASK_QUEUED)
		adopt(t);
	else if (t)
		end_forsaken(t, s->grace_seconds);
	x->inside--;
}

bool
executor_has(struct executor *x, str ns, str workflow, str node_id)
{
	return find(x, ns, workflow, node_id) != NULL;
}

bool
executor_kill(struct executor *x, str ns, str workflow, str node_id, int64_t grace_seconds)
{
	struct task *t = find(x, ns, workflow, node_id);
	if (!t)
		return false;
	if (t->state == TASK_ENDED)
		return true;
	x->inside++;
	if (!t->kill_asked)
		artifacts_stop(t, grace_seconds);
	t->kill_asked = true;
	t->kill_grace = grace_seconds;
	if (t->state == TASK_RUNNING) {
		kill_now(t);
	} else if (t->state == TASK_QUEUED || !t->released) {
		t->released = true; /* to be told */
		task_fail(t, PHASE_FAILED, S("stopped before it started"));
	}
	/* else: released and about to claim; task_started passes it on */
	x->inside--;
	return true;
}

int
executor_end(const struct executor *x, str ns, str workflow, str pod, int64_t grace_seconds, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	if (check_names(ns, workflow, pod, e) < 0)
		return -1;
	const char *dir = task_dir(a, &(struct task_spec){ .ns = ns, .workflow = workflow, .pod = pod }).p;
	/* One that does not run has ended, or did not begin and never will: the gate (engine/shim/task.h). */
	return process_end(x, dir, grace_seconds, e) < 0 && e->code != ERR_NOT_FOUND ? -1 : 0;
}

str
executor_workflow_dir(const struct executor *x, struct arena *a, str ns, str workflow)
{
	return arena_fmt(a, "%s/%.*s/%.*s", x->tasks_path, STR_ARG(ns), STR_ARG(workflow));
}

size_t
executor_running(const struct executor *x)
{
	return x->spawned;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

/* Beside the program, one above it (tests), or where `make install` puts it. */
static int
find_helper(struct executor *x, struct err *e)
{
	static const char *const places[] = { "", "/..", "/../libexec/tidegate", "/../lib/tidegate" };
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n < 0)
		return err_errno(e, "find the step helper");
	self[n] = 0;
	*strrchr(self, '/') = 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		snprintf(path, sizeof path, "%s%s/tidegate-step", self, places[i]);
		if (access(path, X_OK) == 0) {
			x->helper_path = strdup(path);
			snprintf(path, sizeof path, "%s%s/tidegate-artifact", self, places[i]);
			x->transfer_path = strdup(path);
			return 0;
		}
	}
	return err_set(e, ERR_NOT_FOUND,
		"the step helper tidegate-step is neither beside the program in %s nor in ../libexec/tidegate", self);
}

static int
open_tasks(struct executor *x, str state_dir, struct err *e)
{
	char path[TASK_PATH_MAX], resolved[PATH_MAX];
	if ((size_t)snprintf(path, sizeof path, "%.*s/tasks", STR_ARG(state_dir)) >= sizeof path)
		return err_set(e, ERR_LIMIT, "state directory %.*s: the path is too long", STR_ARG(state_dir));
	/* For nobody else: a step of a root daemon could leave a set-uid file in its volumes. */
	if ((mkdir(path, 0700) < 0 && errno != EEXIST) || chmod(path, 0700) < 0)
		return err_errno(e, "make %s", path);
	if (!realpath(path, resolved))
		return err_errno(e, "open %s", path);
	x->tasks_path = strdup(resolved);
	x->tasks_fd = open(resolved, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*strrchr(resolved, '/') = 0;
	snprintf(path, sizeof path, "%s/artifacts", resolved);
	x->repository = strdup(path);
	snprintf(path, sizeof path, "%s/claims", resolved);
	x->claims_path = strdup(path);
	snprintf(path, sizeof path, "%s/images", resolved);
	x->images.path = strdup(path);
	return x->tasks_fd < 0 ? err_errno(e, "open %s", x->tasks_path) : 0;
}

static size_t
default_limit(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores > 4 ? (size_t)cores * 4 : 16;
}

int
executor_new(struct loop *l, const struct settings *st, struct objects *objects, str state_dir, task_news *news,
	void *arg, struct executor **out, struct err *e)
{
	struct executor *x = MEM_NEW(struct executor);
	*x = (struct executor){ .loop = l,
		.settings = st,
		.objects = objects,
		.news = news,
		.arg = arg,
		.tasks_fd = -1,
		.gate_fd = -1,
		.seccomp_fd = -1,
		.cgroups = { .root = "/sys/fs/cgroup", .self = "/proc/self/cgroup" },
		.helper.socket = -1 };
	x->limit = st->parallelism > 0 ? (size_t)st->parallelism : default_limit();
	list_init(&x->moving);
	list_init(&x->queue);
	list_init(&x->running);
	list_init(&x->held);
	list_init(&x->ended);
	if (open_tasks(x, state_dir, e) < 0 || gate_open(x, e) < 0 || removed_open(x, e) < 0 || find_helper(x, e) < 0 ||
		confine_choose(x, e) < 0) {
		executor_free(x);
		return -1;
	}
	*out = x;
	return 0;
}

void
executor_on_progress(struct executor *x, task_progress *progress)
{
	x->progress = progress;
}

void
executor_free(struct executor *x)
{
	if (!x)
		return;
	struct map_slot *slot;
	timer_stop(&x->news_timer);
	timer_stop(&x->settle_timer);
	for (size_t i = 0; (slot = map_next(&x->tasks, &i));)
		task_free(slot->value);
	map_free(&x->tasks);
	children_free(x->transfers);
	children_free(x->givers);
	helper_stop(x);
	drop_fd(&x->tasks_fd);
	drop_fd(&x->gate_fd);
	drop_fd(&x->seccomp_fd);
	cgroups_free(&x->cgroups);
	images_free(&x->images);
	free((void *)(uintptr_t)x->images.path);
	free(x->tasks_path);
	free(x->helper_path);
	free(x->transfer_path);
	free(x->repository);
	free(x->claims_path);
	x->freed = true;
	if (!x->will_serve)
		free(x);
}

const char *
executor_sandbox(const struct executor *x)
{
	static const char *const names[] = { [TASK_SANDBOX_OFF] = "none",
		[TASK_SANDBOX_USER] = "user namespaces",
		[TASK_SANDBOX_PRIVILEGED] = "namespaces (privileged)" };
	return names[x->sandbox];
}
