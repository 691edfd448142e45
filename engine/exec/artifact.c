/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact: what a step takes and leaves. tidegate-artifact, a process of its own, brings the inputs before the step is spawned, to a folder
 * beside its log, from where the sandbox mounts them (without one it puts them at their paths); and when the step has ended it saves
 * what the step helper kept. Both can be done again from the start: that is what a daemon does that finds them undone.
 */
#include <signal.h>
#include <unistd.h>

#include "engine/exec/exec.h"

#define ANSWER_MAX (4u << 20)
#define KILLED_MAX 3u    /* helpers of one transfer: what kills one more is not by chance */
#define ABANDON_MS 60000 /* for telling a service that nobody goes on */

static void saved(struct task *t, const struct val *answer, str problem);

/* A job under way. The task may go before it ends. */
struct transfer {
	struct task *t; /* NULL: gone */
	void (*done)(struct task *t, const struct val *answer, str problem);
	const char *what; /* the job, in the task's arena */
	str into;
	const struct val *items;
	struct moving moving;
	struct child *child;
	struct timer stop; /* when it has had its grace period */
};

/* ---- what is to be done ------------------------------------------------------------------------------------------ */

static void
write_output(struct task *t, const struct task_spec *spec, const struct artifact *art)
{
	int64_t level = -1;
	(void)val_to_i64(val_path(art->src, "archive.tar.compressionLevel"), &level);
	str key = artifact_key(art->src, spec->archive, spec->workflow, spec->pod, t->arena);
	struct val place = artifact_located(art->src, spec->archive, key, t->arena);
	t->artifacts.p[t->artifacts.n++] = (struct task_artifact){ arena_dup(t->arena, art->name), arena_dup(t->arena, art->path),
		val_copy(t->arena, &place), artifact_packing(art->src), level, false };
	if (artifact_packing(art->src) == ARTIFACT_NONE)
		record_add(&t->records, TASK_ARTIFACT_BARE, S(""));
	record_add_i64(&t->records, TASK_ARTIFACT_BYTES, t->x->settings->artifact_size << 20);
	record_add_i64(&t->records, TASK_ARTIFACT_FILES, t->x->settings->artifact_files);
	record_add(&t->records, TASK_ARTIFACT, art->path);
}

static int
check_path(const char *what, str path, struct err *e)
{
	if (!path.n || memchr(path.p, 0, path.n))
		return err_set(e, ERR_INVALID, "artifact %s: it needs a path without a NUL character", what);
	return 0;
}

static const char *
packing_name(enum artifact_packing p)
{
	static const char *const names[] = { [ARTIFACT_TAR] = "tar", [ARTIFACT_ZIP] = "zip", [ARTIFACT_NONE] = "none", [ARTIFACT_GUESS] = "guess" };
	return names[p];
}

static str
inputs_folder(const struct task *t)
{
	return arena_fmt(t->arena, "%s/%s.inputs", t->x->tasks_path, t->dir.p);
}

/* In a sandbox it is mounted, or put into a volume; without one it goes to its path, a relative one in the folder that the step works in. */
static void
place_input(struct task *t, struct val_map *m, uint32_t i, str path)
{
	if (t->x->sandbox != TASK_SANDBOX_OFF) {
		record_add(&t->records, TASK_VOLUME_INPUT, arena_fmt(t->arena, "%.*s/%u", STR_ARG(inputs_folder(t)), i));
		record_add(&t->records, TASK_MOUNT, path);
		return;
	}
	str to = path.p[0] == '/' ? path : arena_fmt(t->arena, "%s/%s/%.*s", t->x->tasks_path, t->dir.p, STR_ARG(path));
	val_map_add(m, S("to"), val_str(to));
}

static int
write_input(struct task *t, const struct task_spec *spec, uint32_t i, struct val_list *items, struct err *e)
{
	const struct val *art = &spec->artifacts->items[i], *mode = val_get(art, S("mode")), *recurse = val_get(art, S("recurseMode"));
	str text, path = val_get_str(art, "path"), name = val_get_str(art, "name");
	bool optional = val_is_true(val_get(art, S("optional")));
	enum artifact_place place = artifact_place(art, &text);
	struct val_map m = { 0 };
	if (check_path(str_z(t->arena, name), path, e) < 0)
		return -1;
	if (place == ARTIFACT_NOWHERE)
		return err_set(e, ERR_INVALID, "artifact %.*s: it has neither a location nor a key", STR_ARG(name));
	val_map_add(&m, S("name"), val_str(name));
	if (place == ARTIFACT_RAW)
		val_map_add(&m, S("raw"), val_str(text));
	else
		val_map_add(&m, S("place"), artifact_located(art, spec->archive, text, t->arena));
	val_map_add(&m, S("packing"), val_cstr(packing_name(artifact_packing(art))));
	val_map_add(&m, S("optional"), val_bool(optional));
	if (mode)
		val_map_add(&m, S("mode"), *mode);
	if (recurse)
		val_map_add(&m, S("recurse"), *recurse);
	place_input(t, &m, i, path);
	val_list_add(items, val_map_end(&m, t->arena));
	return 0;
}

/* The items with their places resolved, in `a`, which goes when the helper has them. */
static int
resolve_items(const struct task *t, const struct val *items, struct arena *a, struct val *out, struct err *e)
{
	struct val_list list = { 0 };
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < items->n; i++) {
		const struct val *item = &items->items[i], *place = val_get(item, S("place"));
		struct val whole;
		if (place && (rc = artifact_place_resolve(t->x, t->id.ns, place, a, &whole, e)) == 0)
			item = val_set(a, item, S("place"), &whole);
		if (rc < 0)
			err_wrap(e, "artifact %.*s", STR_ARG(val_get_str(item, "name")));
		else
			val_list_add(&list, *item);
	}
	*out = val_list_end(&list, a);
	return rc;
}

void
artifact_limits(const struct settings *settings, struct val_map *m)
{
	val_map_add(m, S("bytes"), val_int(settings->artifact_size << 20));
	val_map_add(m, S("files"), val_int(settings->artifact_files));
	val_map_add(m, S("ratio"), val_int(settings->artifact_ratio));
}

static int
job_text(const struct task *t, const char *what, str into, const struct val *items, struct arena *a, str *out, struct err *e)
{
	struct val_map m = { 0 };
	struct val whole;
	int rc = resolve_items(t, items, a, &whole, e);
	val_map_add(&m, S("do"), val_cstr(what));
	val_map_add_str(&m, S("into"), into);
	val_map_add(&m, S("parent"), val_int(getpid()));
	if (t->owned) {
		val_map_add(&m, S("uid"), val_int(t->uid));
		val_map_add(&m, S("gid"), val_int(t->gid));
	}
	val_map_add(&m, S("scratch"), val_str(arena_fmt(a, "%s/%s.%s", t->x->tasks_path, t->dir.p, what)));
	artifact_limits(t->x->settings, &m);
	if (t->x->sandbox == TASK_SANDBOX_OFF)
		val_map_add(&m, S("laid"), val_str(arena_fmt(a, "%s/.laid", t->x->tasks_path)));
	val_map_add(&m, S("items"), whole);
	struct val v = val_map_end(&m, a);
	*out = rc < 0 ? STR_NONE : json_write(a, &v);
	return rc;
}

/* What main containers print; `file`: behind TASK_DIR. */
static void
write_log(struct task *t, const struct task_spec *spec, str container, str file)
{
	struct val log = artifact_of_log(container, t->arena);
	str key = artifact_key(&log, spec->archive, spec->workflow, spec->pod, t->arena);
	struct val place = artifact_located(&log, spec->archive, key, t->arena);
	t->logs.p[t->logs.n++] = (struct task_artifact){ arena_dup(t->arena, container), file, val_copy(t->arena, &place), ARTIFACT_NONE, 0, false };
}

void
artifacts_write_logs(struct task *t, const struct task_spec *spec)
{
	if (!val_is_true(val_get(spec->archive, S("archiveLogs"))))
		return;
	t->logs.p = ARENA_ARRAY(t->arena, struct task_artifact, t->members.n + 1);
	for (size_t i = 0; i < t->members.n; i++)
		if (t->members.p[i].role == TASK_ROLE_MAIN)
			write_log(t, spec, t->members.p[i].name, arena_fmt(t->arena, "@%.*s.log", STR_ARG(t->members.p[i].name)));
	if (!t->members.n)
		write_log(t, spec, S("main"), S(".log"));
}

int
artifacts_write(struct task *t, const struct task_spec *spec, struct err *e)
{
	const struct outputs *o = &spec->tmpl->outputs;
	struct val_list items = { 0 };
	int rc = 0;
	t->artifacts.p = ARENA_ARRAY(t->arena, struct task_artifact, o->artifacts.n);
	t->saves = ARENA_ARRAY(t->arena, struct artifact_result, o->artifacts.n);
	for (size_t i = 0; rc == 0 && i < o->artifacts.n; i++) {
		rc = check_path(str_z(t->arena, o->artifacts.p[i].name), o->artifacts.p[i].path, e);
		if (rc == 0)
			write_output(t, spec, &o->artifacts.p[i]);
	}
	uint32_t n = val_is(spec->artifacts, VAL_LIST) ? spec->artifacts->n : 0;
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = write_input(t, spec, i, &items, e);
	struct val list = val_list_end(&items, t->arena);
	if (rc < 0 || !n)
		return rc;
	struct val *fetch = ARENA_NEW(t->arena, struct val);
	*fetch = val_copy(t->arena, &list);
	t->fetch = fetch;
	return 0;
}

/* ---- doing it ---------------------------------------------------------------------------------------------------- */

struct child *
transfer_run(struct executor *x, bool outside, str job, int fd, struct moving *m, size_t answer_max, int64_t ms, void (*done)(void *arg, const struct child_end *end, const struct err *e), void *arg)
{
	const char *const argv[] = { x->transfer_path, NULL };
	struct children **line = outside ? &x->givers : &x->transfers;
	if (!*line)
		*line = children_new(x->loop, (size_t)x->settings->artifact_transfers);
	/* Its environment is ours: roles, proxies and certificates are found by it. */
	struct child *c = child_run(*line, &(struct child_spec){ argv, (const char *const *)environ, answer_max, ms, { fd, m ? m->fd : 0 }, job }, done, arg);
	if (m) {
		m->child = c;
		drop_fd(&m->fd); /* it has a copy until it starts: many may stand in line */
	}
	return c;
}

str
transfer_answer(struct arena *a, const struct child_end *end, const struct err *e, struct val *answer)
{
	struct err why;
	if (e)
		return arena_dup(a, str_c(e->msg));
	if (end->status != 0)
		return end->err.n ? arena_dup(a, str_trim(end->err)) : arena_fmt(a, "its helper ended with %d", end->status);
	if (json_read(a, arena_dup(a, end->out), answer, &why) < 0 || answer->kind != VAL_LIST)
		return S("its helper gave no answer");
	return STR_NONE;
}

static void transfer_ended(void *arg, const struct child_end *end, const struct err *e);

static int
transfer_begin(struct transfer *x, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct task *t = x->t;
	str job;
	moving_end(t->x, &x->moving); /* that of a helper before */
	if (job_text(t, x->what, x->into, x->items, a, &job, e) < 0 || moving_begin(t->x, &x->moving, e) < 0)
		return -1;
	x->child = transfer_run(t->x, false, job, 0, &x->moving, ANSWER_MAX, t->x->settings->artifact_time.ns / NS_PER_MS, transfer_ended, x);
	return 0;
}

/* By somebody else, for want of memory, say: another one goes on. */
static bool
was_killed(struct transfer *x, const struct child_end *end, const struct err *e)
{
	return x->t && !e && end->status == 128 + SIGKILL && !x->t->kill_asked && ++x->moving.killed < KILLED_MAX;
}

static void
abandoned(void *arg UNUSED, const struct child_end *end UNUSED, const struct err *e UNUSED)
{
}

/* Nobody is asked again to save: what a service has of it is paid for. */
static void
abandon(const struct transfer *x)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e;
	str job;
	if (job_text(x->t, "abandon", STR_NONE, x->items, a, &job, &e) == 0)
		(void)transfer_run(x->t->x, false, job, 0, NULL, ANSWER_MAX, ABANDON_MS, abandoned, NULL);
}

static void
transfer_ended(void *arg, const struct child_end *end, const struct err *e)
{
	struct transfer *x = arg;
	struct task *t = x->t;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val answer;
	struct err why;
	if (was_killed(x, end, e) && transfer_begin(x, &why) == 0)
		return;
	str problem = transfer_answer(a, end, e, &answer);
	timer_stop(&x->stop);
	if (t && problem.p && x->done == saved)
		abandon(x);
	if (t) {
		moving_end(t->x, &x->moving);
		t->transfer = NULL;
		x->done(t, problem.p ? NULL : &answer, problem);
	}
	free(x);
}

/* The folder of the workflow may be missing: the step helper makes it, later. */
static void
make_folder(const struct task *t)
{
	char path[TASK_PATH_MAX];
	snprintf(path, sizeof path, "%s", t->dir.p);
	for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		(void)mkdirat(t->x->tasks_fd, path, 0755);
		*p = '/';
	}
}

static void
start_transfer(struct task *t, const char *what, str into, const struct val *items, void (*done)(struct task *t, const struct val *answer, str problem))
{
	struct err e = { 0 };
	struct transfer *x = MEM_NEW(struct transfer);
	struct val *kept = ARENA_NEW(t->arena, struct val);
	*kept = *items;
	*x = (struct transfer){ .t = t, .done = done, .what = what, .into = into, .items = kept,
		.moving = { .out = done == saved, .ns = t->id.ns, .workflow = t->id.workflow, .node_id = t->id.node_id, .items = kept } };
	make_folder(t);
	if (transfer_begin(x, &e) < 0) {
		free(x);
		done(t, NULL, arena_dup(t->arena, str_c(e.msg)));
		return;
	}
	t->transfer = x;
	if (t->kill_asked)
		artifacts_stop(t, t->kill_grace);
}

/* What it does is nobody's any more. */
void
artifacts_forget(struct task *t)
{
	if (!t->transfer)
		return;
	t->transfer->t = NULL;
	moving_end(t->x, &t->transfer->moving);
	timer_stop(&t->transfer->stop);
	child_stop(t->transfer->child);
	t->transfer = NULL;
}

static void
stop_now(void *arg)
{
	struct transfer *x = arg;
	child_stop(x->child);
}

void
artifacts_stop(struct task *t, int64_t grace_seconds)
{
	struct transfer *x = t->transfer;
	if (!x)
		return;
	bool saves = x->done == saved;
	if (saves && grace_seconds > 0)
		timer_start(t->x->loop, &x->stop, loop_now(t->x->loop) + grace_seconds * NS_PER_SEC, stop_now, x);
	else
		child_stop(x->child);
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static void
fetched(struct task *t, const struct val *answer, str problem)
{
	struct err e = { 0 };
	for (uint32_t i = 0; answer && i < answer->n && !problem.p; i++) {
		str why = val_get_str(&answer->items[i], "problem");
		if (why.p)
			problem = arena_fmt(t->arena, "artifact %.*s: %.*s", STR_ARG(val_get_str(val_at(t->fetch, i), "name")), STR_ARG(why));
	}
	if (t->kill_asked) {
		task_fail(t, PHASE_FAILED, S("stopped before it started"));
		return;
	}
	if (problem.p) {
		task_fail(t, PHASE_ERROR, arena_fmt(t->arena, "init: Error (exit code 64): artifacts cannot be loaded: %.*s", STR_ARG(problem)));
		return;
	}
	t->fetched = true;
	if (process_spawn(t, &e) < 0)
		task_fail(t, PHASE_ERROR, str_c(e.msg));
}

void
artifacts_fetch(struct task *t)
{
	start_transfer(t, "fetch", inputs_folder(t), t->fetch, fetched);
}

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

void
artifact_kept(struct task *t, uint32_t type, str text)
{
	if (t->kept >= t->artifacts.n)
		return;
	struct artifact_result *r = &t->saves[t->kept];
	struct task_artifact *art = &t->artifacts.p[t->kept++];
	r->name = art->name;
	art->as_is = type == TASK_EXIT_ARTIFACT && str_eq(text, S(TASK_ARTIFACT_AS_IS));
	r->saved = type == TASK_EXIT_ARTIFACT;
	if (type == TASK_EXIT_BAD_ARTIFACT)
		r->problem = arena_dup(t->arena, text);
}

static str
base_name(str path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	size_t from = path.n;
	while (from && path.p[from - 1] != '/')
		from--;
	path = str_slice(path, from, path.n);
	return !path.n || str_eq(path, S(".")) || str_eq(path, S("..")) ? S("artifact") : path;
}

static struct val
save_item(struct task *t, size_t i)
{
	const struct task_artifact *art = &t->artifacts.p[i];
	struct val_map m = { 0 };
	val_map_add(&m, S("name"), val_str(art->name));
	val_map_add(&m, S("place"), art->place);
	val_map_add(&m, S("file"), val_str(base_name(art->path)));
	val_map_add(&m, S("packing"), val_cstr(packing_name(art->packing)));
	val_map_add(&m, S("level"), val_int(art->level));
	val_map_add(&m, S("asIs"), val_bool(art->as_is));
	const char *behind = arena_fmt(t->arena, TASK_ARTIFACT_FILE, (unsigned)i).p;
	val_map_add(&m, S("from"), val_str(arena_fmt(t->arena, "%s/%s%s", t->x->tasks_path, t->dir.p, behind)));
	return val_map_end(&m, t->arena);
}

static struct val
log_item(struct task *t, const struct task_artifact *log)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("name"), val_str(log->name));
	val_map_add(&m, S("place"), log->place);
	val_map_add(&m, S("log"), val_str(arena_fmt(t->arena, "%s/%s%.*s", t->x->tasks_path, t->dir.p, STR_ARG(log->path))));
	return val_map_end(&m, t->arena);
}

/* Those that the helper kept, and logs: what became of each. */
static void
saved(struct task *t, const struct val *answer, str problem)
{
	uint32_t at = 0;
	for (size_t i = 0; i < t->result.artifacts_n; i++) {
		struct artifact_result *r = &t->result.artifacts[i];
		if (!r->saved)
			continue;
		str why = problem.p ? problem : val_get_str(val_at(answer, at++), "problem");
		r->saved = !why.p;
		r->problem = arena_dup(t->arena, why);
	}
	if (t->fetch)
		inputs_remove(t->x, inputs_folder(t));
	struct task_result r = t->result;
	task_end(t, &r);
}

static void
list_saves(struct task *t, struct val_list *items)
{
	size_t n = 0;
	struct artifact_result *all = ARENA_ARRAY(t->arena, struct artifact_result, t->kept + t->logs.n);
	for (size_t i = 0; i < t->kept; i++) {
		all[n++] = t->saves[i];
		if (t->saves[i].saved)
			val_list_add(items, save_item(t, i));
	}
	for (size_t i = 0; i < t->logs.n; i++) {
		all[n++] = (struct artifact_result){ .name = t->logs.p[i].name, .saved = true, .log = true };
		val_list_add(items, log_item(t, &t->logs.p[i]));
	}
	t->result.artifacts = all;
	t->result.artifacts_n = n;
}

void
artifacts_save(struct task *t, const struct task_result *r)
{
	struct val_list items = { 0 };
	t->result = *r;
	list_saves(t, &items);
	struct val list = val_list_end(&items, t->arena);
	if (!list.n) {
		saved(t, NULL, STR_NONE);
		return;
	}
	if (t->state == TASK_QUEUED)
		task_occupies(t); /* adopted after its end: it does not stand in line */
	start_transfer(t, "save", STR_NONE, &list, saved);
}
