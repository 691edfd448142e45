/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact: what a step takes and leaves. tidegate-artifact, a process of its own, brings the inputs before the step is spawned, to a folder
 * beside its log, from where the sandbox mounts them (without one it puts them at their paths); and when the step has ended it saves
 * what the step helper kept. Both can be done again from the start: that is what a daemon does that finds them undone.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "engine/exec/exec.h"

#define TRANSFERS_AT_ONCE 4
#define TRANSFER_MS (INT64_C(6) * 3600 * 1000)
#define ANSWER_MAX (4u << 20)

/* A job under way. The task may go before it ends. */
struct transfer {
	struct task *t; /* NULL: gone */
	void (*done)(struct task *t, const struct val *answer, str problem);
	char job[TASK_PATH_MAX];
};

/* Objects of a namespace lie below its name: two may have a workflow of the same name. */
static str
full_key(struct arena *a, str ns, str key)
{
	return arena_fmt(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(key));
}

/* ---- what is to be done ------------------------------------------------------------------------------------------ */

static void
write_output(struct task *t, const struct task_spec *spec, const struct artifact *art)
{
	int64_t level = -1;
	(void)val_to_i64(val_path(art->src, "archive.tar.compressionLevel"), &level);
	str key = artifact_key(art->src, spec->workflow, spec->pod, t->arena);
	t->artifacts.p[t->artifacts.n++] = (struct task_artifact){ arena_dup(t->arena, art->name), arena_dup(t->arena, art->path),
		full_key(t->arena, spec->ns, key), artifact_packing(art->src), level };
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

/* In a sandbox it is mounted; without one it goes to its path, a relative one in the folder that the step works in. */
static void
place_input(struct task *t, struct val_map *m, uint32_t i, str path, bool optional)
{
	if (t->x->sandbox != TASK_SANDBOX_OFF) {
		record_add(&t->records, optional ? TASK_VOLUME_MAYBE : TASK_VOLUME_HOST,
			arena_fmt(t->arena, "%.*s/%u", STR_ARG(inputs_folder(t)), i));
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
	if (place == ARTIFACT_ELSEWHERE || place == ARTIFACT_NOWHERE)
		return err_set(e, ERR_UNSUPPORTED, "artifact %.*s: only the default repository and `raw` are served yet", STR_ARG(name));
	val_map_add(&m, S("name"), val_str(name));
	if (place == ARTIFACT_RAW)
		val_map_add(&m, S("raw"), val_str(text));
	else
		val_map_add(&m, S("key"), val_str(full_key(t->arena, spec->ns, text)));
	val_map_add(&m, S("packing"), val_cstr(packing_name(artifact_packing(art))));
	val_map_add(&m, S("optional"), val_bool(optional));
	if (mode)
		val_map_add(&m, S("mode"), *mode);
	if (recurse)
		val_map_add(&m, S("recurse"), *recurse);
	place_input(t, &m, i, path, optional);
	val_list_add(items, val_map_end(&m, t->arena));
	return 0;
}

static str
job_text(struct task *t, const char *what, str into, struct val items)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("repository"), val_cstr(t->x->repository));
	val_map_add(&m, S("do"), val_cstr(what));
	val_map_add_str(&m, S("into"), into);
	val_map_add(&m, S("items"), items);
	struct val v = val_map_end(&m, t->arena);
	return json_write(t->arena, &v);
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
	if (rc == 0 && n)
		t->fetch = job_text(t, "fetch", inputs_folder(t), list);
	return rc;
}

/* ---- doing it ---------------------------------------------------------------------------------------------------- */

static void
transfer_ended(void *arg, const struct child_end *end, const struct err *e)
{
	struct transfer *x = arg;
	struct task *t = x->t;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val answer;
	struct err why;
	str problem = STR_NONE;
	(void)unlink(x->job);
	if (e)
		problem = arena_dup(a, str_c(e->msg));
	else if (end->status != 0)
		problem = end->err.n ? str_trim(end->err) : arena_fmt(a, "its helper ended with %d", end->status);
	else if (json_read(a, end->out, &answer, &why) < 0 || answer.kind != VAL_LIST)
		problem = S("its helper gave no answer");
	if (t) {
		t->transfer = NULL;
		x->done(t, problem.p ? NULL : &answer, problem);
	}
	free(x);
}

static int
write_job(const char *path, str text, struct err *e)
{
	int fd CLEANUP(close_fd) = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n)
		return err_errno(e, "write %s", path);
	return 0;
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
start_transfer(struct task *t, str job, const char *behind, void (*done)(struct task *t, const struct val *answer, str problem))
{
	static const char *const env[] = { NULL };
	struct err e;
	struct transfer *x = MEM_NEW(struct transfer);
	*x = (struct transfer){ .t = t, .done = done };
	snprintf(x->job, sizeof x->job, "%s/%s%s", t->x->tasks_path, t->dir.p, behind);
	make_folder(t);
	if (!t->x->transfers)
		t->x->transfers = children_new(t->x->loop, TRANSFERS_AT_ONCE);
	if (write_job(x->job, job, &e) < 0) {
		free(x);
		done(t, NULL, str_c(e.msg));
		return;
	}
	t->transfer = x;
	const char *const argv[] = { t->x->transfer_path, x->job, NULL };
	child_run(t->x->transfers, &(struct child_spec){ argv, env, ANSWER_MAX, TRANSFER_MS }, transfer_ended, x);
}

void
artifacts_forget(struct task *t)
{
	if (t->transfer)
		t->transfer->t = NULL; /* it ends by itself: what it does is in nobody's way */
	t->transfer = NULL;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static void
fetched(struct task *t, const struct val *answer, str problem)
{
	struct err e;
	for (uint32_t i = 0; answer && i < answer->n && !problem.p; i++)
		problem = val_get_str(&answer->items[i], "problem");
	if (problem.p) {
		task_fail(t, PHASE_ERROR, arena_fmt(t->arena, "init: Error (exit code 64): artifacts cannot be loaded: %.*s", STR_ARG(problem)));
		return;
	}
	t->fetched = true;
	if (t->kill_asked)
		task_fail(t, PHASE_FAILED, S("stopped before it started"));
	else if (process_spawn(t, &e) < 0)
		task_fail(t, PHASE_ERROR, str_c(e.msg));
}

void
artifacts_fetch(struct task *t)
{
	start_transfer(t, t->fetch, ".fetch", fetched);
}

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

void
artifact_kept(struct task *t, uint32_t type, str text)
{
	if (t->kept >= t->artifacts.n)
		return;
	struct artifact_result *r = &t->saves[t->kept];
	r->name = t->artifacts.p[t->kept++].name;
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
	val_map_add(&m, S("key"), val_str(art->key));
	val_map_add(&m, S("file"), val_str(base_name(art->path)));
	val_map_add(&m, S("packing"), val_cstr(packing_name(art->packing)));
	val_map_add(&m, S("level"), val_int(art->level));
	const char *behind = arena_fmt(t->arena, TASK_ARTIFACT_FILE, (unsigned)i).p;
	val_map_add(&m, S("from"), val_str(arena_fmt(t->arena, "%s/%s%s", t->x->tasks_path, t->dir.p, behind)));
	return val_map_end(&m, t->arena);
}

static void
saved(struct task *t, const struct val *answer, str problem)
{
	uint32_t at = 0;
	for (size_t i = 0; i < t->kept; i++) {
		struct artifact_result *r = &t->saves[i];
		if (!r->saved)
			continue;
		str why = problem.p ? problem : val_get_str(val_at(answer, at++), "problem");
		r->saved = !why.p;
		r->problem = arena_dup(t->arena, why);
	}
	if (t->fetch.p)
		inputs_remove(t->x, inputs_folder(t));
	t->result.artifacts = t->saves;
	t->result.artifacts_n = t->kept;
	struct task_result r = t->result;
	task_end(t, &r);
}

void
artifacts_save(struct task *t, const struct task_result *r)
{
	struct val_list items = { 0 };
	t->result = *r;
	for (size_t i = 0; i < t->kept; i++)
		if (t->saves[i].saved)
			val_list_add(&items, save_item(t, i));
	struct val list = val_list_end(&items, t->arena);
	if (!list.n) {
		saved(t, NULL, STR_NONE);
		return;
	}
	if (t->state == TASK_QUEUED)
		task_occupies(t); /* adopted after its end: it does not stand in line */
	start_transfer(t, job_text(t, "save", STR_NONE, list), ".save", saved);
}
