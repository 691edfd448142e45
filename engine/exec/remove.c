/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remove: what steps left goes. A workflow's folder is renamed at once, so that a new workflow of the same name has its own,
 * and taken apart on a pool thread; what a process that died left half removed is found in the folder of removed ones.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files.h"
#include "engine/artifact/local.h"
#include "engine/exec/exec.h"
#include "engine/exec/executor.h"

#define REMOVED ".removed" /* no namespace begins with a dot */

struct removal {
	char path[TASK_PATH_MAX];
	char repository[TASK_PATH_MAX], objects[TASK_PATH_MAX]; /* of a workflow: its artifacts, set aside; "": none */
	char pod[NAME_MAX + 1]; /* only what is this pod's; "": all, and the folder */
};

/* "POD", "POD.log", "POD@CONTAINER.log", ".POD.1.log": of that pod. Pods' names end with a number, so none is another's beginning and a dot. */
static bool
is_of_pod(const char *name, const char *pod)
{
	size_t n = strlen(pod);
	name += *name == '.';
	return strncmp(name, pod, n) == 0 && (name[n] == '\0' || name[n] == '.' || name[n] == '@');
}

static void
remove_pod(const struct removal *r)
{
	char path[TASK_PATH_MAX + NAME_MAX + 2];
	DIR *d = opendir(r->path);
	if (!d)
		return;
	for (struct dirent *entry; (entry = readdir(d));)
		if (is_of_pod(entry->d_name, r->pod)) {
			snprintf(path, sizeof path, "%s/%s", r->path, entry->d_name);
			files_remove(path);
		}
	closedir(d);
}

/* The objects go, and then what nothing else is made of. */
static void
remove_objects(const struct removal *r)
{
	struct local_repo repo;
	struct err ignored; /* what stays is swept up with the next removal */
	files_remove(r->objects);
	if (local_open(&repo, r->repository, &ignored) == 0)
		local_sweep(&repo);
	local_close(&repo);
}

static void
work(void *arg)
{
	struct removal *r = arg;
	if (*r->pod)
		remove_pod(r);
	else
		files_remove(r->path); /* what stays is tried again at the next start */
}

static void
work_objects(void *arg)
{
	remove_objects(arg);
}

static void
done(void *arg)
{
	free(arg);
}

/* NULL: these names make no path below the folder of tasks. */
static struct removal *
removal_of(const struct executor *x, str ns, str workflow)
{
	struct removal *r = MEM_NEW(struct removal);
	int n = snprintf(r->path, sizeof r->path, "%s/%.*s/%.*s", x->tasks_path, STR_ARG(ns), STR_ARG(workflow));
	if (ns.n && workflow.n && n > 0 && (size_t)n < sizeof r->path && ns.p[0] != '.' && workflow.p[0] != '.' &&
		!memchr(workflow.p, '/', workflow.n) && !memchr(ns.p, '/', ns.n))
		return r;
	free(r);
	return NULL;
}

/* Out of the way at once: another workflow of the same name may begin. */
static void
set_objects_aside(const struct executor *x, str ns, str workflow, unsigned number, struct removal *r)
{
	char from[TASK_PATH_MAX];
	snprintf(from, sizeof from, "%s/objects/%.*s/%.*s", x->repository, STR_ARG(ns), STR_ARG(workflow));
	snprintf(r->repository, sizeof r->repository, "%s", x->repository);
	int n = snprintf(r->objects, sizeof r->objects, "%s/new/removed-%lld-%u", x->repository, (long long)loop_now(x->loop), number);
	if (n < 0 || (size_t)n >= sizeof r->objects || rename(from, r->objects) < 0)
		r->objects[0] = 0; /* mostly there are none */
}

/* Out of the way, if that is possible, and then taken apart. Takes `r`. */
static void
remove_aside(struct executor *x, struct removal *r)
{
	static atomic_uint counter;
	char gone[TASK_PATH_MAX];
	int n = snprintf(gone, sizeof gone, "%s/" REMOVED "/%lld-%u", x->tasks_path, (long long)loop_now(x->loop), counter++);
	if (n > 0 && (size_t)n < sizeof gone && rename(r->path, gone) == 0)
		memcpy(r->path, gone, (size_t)n + 1);
	loop_work(x->loop, work, done, r);
}

void
executor_remove(struct executor *x, str ns, str workflow)
{
	struct removal *r = removal_of(x, ns, workflow);
	if (r)
		remove_aside(x, r);
}

void
folder_remove(struct executor *x, const char *path)
{
	struct removal *r = MEM_NEW(struct removal);
	snprintf(r->path, sizeof r->path, "%s", path);
	remove_aside(x, r);
}

void
executor_remove_artifacts(struct executor *x, str ns, str workflow)
{
	static atomic_uint counter;
	struct removal *r = removal_of(x, ns, workflow);
	if (!r)
		return;
	set_objects_aside(x, ns, workflow, counter++, r);
	if (*r->objects)
		loop_work(x->loop, work_objects, done, r);
	else
		free(r);
}

void
inputs_remove(struct executor *x, str path)
{
	struct removal *r = MEM_NEW(struct removal);
	snprintf(r->path, sizeof r->path, "%.*s", STR_ARG(path));
	loop_work(x->loop, work, done, r);
}

void
executor_remove_pod(struct executor *x, str ns, str workflow, str pod)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct removal *r = removal_of(x, ns, workflow);
	if (!r)
		return;
	str name = task_dir(a, &(struct task_spec){ .ns = ns, .workflow = workflow, .pod = pod });
	name = str_slice(name, ns.n + workflow.n + 2, name.n);
	if (!name.n || name.n >= sizeof r->pod || name.p[0] == '.' || memchr(name.p, '/', name.n)) {
		free(r);
		return;
	}
	memcpy(r->pod, name.p, name.n);
	loop_work(x->loop, work, done, r);
}

/* An empty folder of that name; what was in it is taken apart elsewhere, below a name of its own. */
static int
empty_folder(struct executor *x, const char *name, struct err *e)
{
	struct removal *r = MEM_NEW(struct removal);
	char path[TASK_PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", x->tasks_path, name);
	snprintf(r->path, sizeof r->path, "%s/%s-%lld", x->tasks_path, name, (long long)loop_now(x->loop));
	bool some = rename(path, r->path) == 0;
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		free(r);
		return err_errno(e, "make %s", path);
	}
	if (some)
		loop_work(x->loop, work, done, r);
	else
		free(r);
	return 0;
}

int
removed_open(struct executor *x, struct err *e)
{
	static const char *const folders[] = { REMOVED, TASK_AHEAD, GIVEN };
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (empty_folder(x, folders[i], e) < 0)
			return -1;
	return 0;
}
