/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claim: persistentVolumeClaims are folders. Where one comes from, in this order: the setting `claims` names its folder; a PersistentVolumeClaim was applied,
 * then it is claims/NAMESPACE/NAME of the state directory; a workflow's volumeClaimTemplates made it, then its name is WORKFLOW-NAME and it is
 * claims/.workflows/NAMESPACE/WORKFLOW/NAME, which goes with the workflow or before (volumeClaimGC). The first that uses one makes its folder, open to any
 * user of a step; the folders above it are closed to all but the daemon. It is called .NAME until the helper has seen to it that all of them are on disk.
 */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "engine/exec/exec.h"

#define OF_WORKFLOWS ".workflows" /* no namespace begins with a dot */

static bool
good_name(str name)
{
	return name.n && name.n <= 253 && name.p[0] != '.' && !memchr(name.p, '/', name.n) && !memchr(name.p, 0, name.n);
}

/* Whatever the umask. */
static int
make_open(const char *path, struct err *e)
{
	char fresh[PATH_MAX + 8];
	const char *name = strrchr(path, '/') + 1;
	snprintf(fresh, sizeof fresh, "%.*s.%s", (int)(name - path), path, name);
	if (access(path, F_OK) == 0)
		return 0;
	int rc = mkdir(fresh, 0700) < 0 && errno != EEXIST ? -1 : chmod(fresh, 0777);
	if (rc < 0 && access(path, F_OK) < 0) /* it may have got its name just now, for another step */
		return err_errno(e, "make %s", path);
	return 0;
}

/* The folders of `path` below that of claims, then itself. */
static int
make_folders(const struct executor *x, char *path, struct err *e)
{
	for (char *p = path + strlen(x->claims_path); p; p = strchr(p + 1, '/')) {
		*p = 0;
		int rc = mkdir(path, 0700);
		*p = '/';
		if (rc < 0 && errno != EEXIST)
			return err_errno(e, "make %s", path);
	}
	return make_open(path, e);
}

/* Below the folder of claims. */
static int PRINTF_LIKE(3, 4)
place(const struct executor *x, char path[PATH_MAX], const char *fmt, ...)
{
	int n = snprintf(path, PATH_MAX, "%s/", x->claims_path);
	va_list ap;
	va_start(ap, fmt);
	int more = n < PATH_MAX ? vsnprintf(path + n, (size_t)(PATH_MAX - n), fmt, ap) : 0;
	va_end(ap);
	return n + more < PATH_MAX - 16 ? 0 : -1;
}

static int
use(struct task *t, const char *path)
{
	record_add(&t->records, TASK_VOLUME_HOST, str_c(path));
	return 0;
}

/* What has to be on disk above it: the folders up to that of claims, and the one with that. */
static int
use_made(struct task *t, char *path, struct err *e)
{
	int above = 1;
	if (make_folders(t->x, path, e) < 0)
		return -1;
	for (const char *p = path + strlen(t->x->claims_path); (p = strchr(p, '/')); p++)
		above++;
	record_add(&t->records, TASK_VOLUME_CLAIM, arena_fmt(t->arena, "%d %s", above, path));
	return 0;
}

/* ---- of the settings --------------------------------------------------------------------------------------------- */

static const struct claim_setting *
find_setting(const struct settings *st, str ns, str name)
{
	for (size_t i = 0; i < st->claims.n; i++) {
		const struct claim_setting *c = &st->claims.p[i];
		if (str_eq(c->name, name) && (!c->ns.n || str_eq(c->ns, ns)))
			return c;
	}
	return NULL;
}

static int
use_setting(struct task *t, const struct claim_setting *c, struct err *e)
{
	const char *path = str_z(t->arena, c->path);
	char resolved[PATH_MAX];
	struct stat st;
	if (!realpath(path, resolved) || stat(resolved, &st) < 0)
		return err_errno(e, "%s, which `claims` of the settings names", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_INVALID, "%s, which `claims` of the settings names, is not a folder", path);
	return use(t, resolved);
}

/* ---- of workflows ------------------------------------------------------------------------------------------------ */

static bool
has_template(const struct task_spec *spec, str name)
{
	const struct val *list = spec->claims;
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (str_eq(val_get_str(val_get(&list->items[i], S("metadata")), "name"), name))
			return true;
	return false;
}

static int
place_of_workflow(const struct executor *x, char path[PATH_MAX], str ns, str workflow, str name)
{
	return place(x, path, OF_WORKFLOWS "/%.*s/%.*s/%.*s", STR_ARG(ns), STR_ARG(workflow), STR_ARG(name));
}

static int
place_of_namespace(const struct executor *x, char path[PATH_MAX], str ns, str name)
{
	return place(x, path, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
}

/* A claim's name does not say where the workflow's ends: the longest that has such a claim. */
static bool
find_of_workflows(const struct task *t, const struct task_spec *spec, str claim, char path[PATH_MAX], bool *own)
{
	for (size_t at = claim.n; at-- > 1;) {
		str workflow = str_slice(claim, 0, at), name = str_slice(claim, at + 1, claim.n);
		if (claim.p[at] != '-' || !good_name(name) || place_of_workflow(t->x, path, spec->ns, workflow, name) < 0)
			continue;
		*own = str_eq(workflow, spec->workflow) && has_template(spec, name);
		if (*own || access(path, F_OK) == 0)
			return true;
	}
	return false;
}

const struct volume *
claim_of_template(struct task *t, const struct task_spec *spec, str name)
{
	if (!has_template(spec, name))
		return NULL;
	struct volume *v = ARENA_NEW(t->arena, struct volume);
	v->name = name;
	v->claim = ARENA_NEW(t->arena, struct claim_volume);
	v->claim->claim_name = arena_fmt(t->arena, "%.*s-%.*s", STR_ARG(spec->workflow), STR_ARG(name));
	return v;
}

/* ---- any --------------------------------------------------------------------------------------------------------- */

int
claim_write(struct task *t, const struct task_spec *spec, str claim, struct err *e)
{
	const struct claim_setting *setting = find_setting(t->x->settings, spec->ns, claim);
	char path[PATH_MAX];
	bool own = false;
	if (setting)
		return use_setting(t, setting, e);
	if (!good_name(claim) || !good_name(spec->ns) || !good_name(spec->workflow))
		return err_set(e, ERR_INVALID, "\"%.*s\" cannot be the name of a claim", STR_ARG(claim));
	if (objects_find_named(t->x->objects, "PersistentVolumeClaim", spec->ns, claim))
		return place_of_namespace(t->x, path, spec->ns, claim) < 0 ? err_set(e, ERR_LIMIT, "the path is too long")
											       : use_made(t, path, e);
	if (find_of_workflows(t, spec, claim, path, &own))
		return own ? use_made(t, path, e) : use(t, path);
	if (t->x->settings->claims_mode == CLAIMS_MAKE && place_of_namespace(t->x, path, spec->ns, claim) == 0) {
		if (access(path, F_OK) < 0)
			log_warn("nobody made this claim: it is a new folder", "namespace", str_z(t->arena, spec->ns), "claim", str_z(t->arena, claim), NULL);
		return use_made(t, path, e);
	}
	return err_set(e, ERR_NOT_FOUND,
		"persistentvolumeclaim \"%.*s\" not found in namespace %.*s: apply a PersistentVolumeClaim of that name, or name its folder in `claims` "
		"of the settings",
		STR_ARG(claim), STR_ARG(spec->ns));
}

void
executor_remove_claims(struct executor *x, str ns, str workflow)
{
	char path[PATH_MAX];
	if (good_name(ns) && good_name(workflow) && place(x, path, OF_WORKFLOWS "/%.*s/%.*s", STR_ARG(ns), STR_ARG(workflow)) == 0 && access(path, F_OK) == 0)
		folder_remove(x, path);
}
