/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume: the volumes a container mounts, as records for the helper. An emptyDir is a folder in the task's directory, or
 * memory; a hostPath must lie under one of the prefixes that the settings allow, after every link was resolved. Files of
 * other objects are volume_files.c's, claims claim.c's.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files.h"
#include "core/quantity.h"
#include "engine/exec/exec.h"

static bool
in_memory(const struct volume *v)
{
	return v->empty_dir && str_eq(v->empty_dir->medium, S("Memory"));
}

static int
size_of(const struct volume *v, int64_t *size, struct err *e)
{
	*size = 0;
	if (v->empty_dir->size_limit.text.n && quantity_bytes(v->empty_dir->size_limit.text, size, e) < 0)
		return err_wrap(e, "sizeLimit");
	return 0;
}

/* In memory, the containers of a pod find it where the pod mounted it, like one that is a folder. */
static int
write_empty_dir(struct task *t, const struct volume *v, struct err *e)
{
	int64_t size = 0;
	if (v->empty_dir && size_of(v, &size, e) < 0)
		return -1;
	if (!in_memory(v) || t->members.n) {
		if (!v->name.n || v->name.p[0] == '.' || memchr(v->name.p, '/', v->name.n) ||
			memchr(v->name.p, 0, v->name.n))
			return err_set(e, ERR_INVALID, "\"%.*s\" cannot be the name of a volume", STR_ARG(v->name));
		record_add(&t->records, TASK_VOLUME, v->name);
		return 0;
	}
	record_add(&t->records, TASK_VOLUME_TMPFS, arena_fmt(t->arena, "%lld", (long long)size));
	return 0;
}

static bool
allowed(const struct settings *st, const char *path)
{
	for (size_t i = 0; i < st->host_paths.n; i++) {
		char prefix[PATH_MAX], resolved[PATH_MAX];
		snprintf(prefix, sizeof prefix, "%.*s", STR_ARG(st->host_paths.p[i]));
		if (!realpath(prefix, resolved))
			continue;
		size_t n = strlen(resolved);
		if (!strcmp(resolved, "/") || (!strncmp(path, resolved, n) && (path[n] == 0 || path[n] == '/')))
			return true;
	}
	return false;
}

/* hostPath.type: what must be there, and what is made if nothing is. */
static const struct host_path_type {
	const char *name;
	mode_t format;
	bool create;
} host_path_types[] = {
	{ "", 0, false },
	{ "Directory", S_IFDIR, false },
	{ "DirectoryOrCreate", S_IFDIR, true },
	{ "File", S_IFREG, false },
	{ "FileOrCreate", S_IFREG, true },
	{ "Socket", S_IFSOCK, false },
	{ "CharDevice", S_IFCHR, false },
	{ "BlockDevice", S_IFBLK, false },
};

static const struct host_path_type *
host_path_type(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(host_path_types); i++)
		if (str_eq(name, str_c(host_path_types[i].name)))
			return &host_path_types[i];
	return NULL;
}

/*
 * The deepest folder on the way to `path` that is there, if what it resolves to is allowed; *rest: what is missing below it. Opened by that, following no
 * link: one that a step puts there now is in vain.
 */
static int
open_existing(const struct settings *st, const char *path, const char **rest)
{
	char part[PATH_MAX], resolved[PATH_MAX];
	snprintf(part, sizeof part, "%s", path);
	for (char *slash; (slash = strrchr(part, '/'));) {
		slash[slash == part] = 0;
		*rest = path + strlen(part) + (slash != part);
		if (realpath(part, resolved)) {
			int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
			if (allowed(st, resolved))
				fd = open_beneath(root, resolved[1] ? resolved + 1 : ".", O_PATH | O_DIRECTORY, 0);
			close_fd(&root);
			return fd;
		}
		if (slash == part)
			break;
	}
	return -1;
}

/* Makes the folders of `rest`, and what stands at its end. Takes `fd`. */
static void
make_below(int fd, const char *rest, bool folder)
{
	char part[NAME_MAX + 1];
	while (fd >= 0 && *rest) {
		size_t n = strcspn(rest, "/");
		bool last = !rest[n + strspn(rest + n, "/")];
		if (n > NAME_MAX || (n == 2 && !memcmp(rest, "..", 2)) || (!last && !folder))
			break; /* that it is missing then shows with the look at it */
		snprintf(part, sizeof part, "%.*s", (int)n, rest);
		if (last && !folder) {
			close(openat(fd, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
			break;
		}
		(void)mkdirat(fd, part, 0755);
		int next = open_beneath(fd, part, O_PATH | O_DIRECTORY, 0);
		close_fd(&fd);
		fd = next;
		rest += n + strspn(rest + n, "/");
	}
	close_fd(&fd);
}

/* Makes what is missing, as the kubelet: the folders on the way to a folder too, those on the way to a file not. */
static void
make_host_path(const struct executor *x, const struct host_path_type *type, const char *path)
{
	const char *rest = "";
	int fd = open_existing(x->settings, path, &rest);
	make_below(fd, rest, type->format == S_IFDIR);
}

static int
write_host_path(struct task *t, const struct host_path *h, struct err *e)
{
	const char *path = str_z(t->arena, h->path);
	const struct host_path_type *type = host_path_type(h->type);
	char resolved[PATH_MAX];
	struct stat st;
	if (path[0] != '/')
		return err_set(e, ERR_INVALID, "hostPath \"%s\": must be an absolute path", path);
	if (!type)
		return err_set(e, ERR_INVALID, "hostPath %s: there is no type \"%.*s\"", path, STR_ARG(h->type));
	if (type->create && access(path, F_OK) < 0)
		make_host_path(t->x, type, path);
	if (!realpath(path, resolved) || stat(resolved, &st) < 0)
		return err_errno(e, "hostPath %s", path);
	if (!allowed(t->x->settings, resolved))
		return err_set(e, ERR_DENIED,
			"hostPath %s is not allowed: add it, or a folder above it, to `hostPaths` in the settings",
			path);
	if (type->format && (st.st_mode & S_IFMT) != type->format)
		return err_set(e, ERR_INVALID, "hostPath %s is not a %s", path, type->name);
	record_add(&t->records, TASK_VOLUME_HOST, str_c(resolved));
	return 0;
}

static int
write_volume(struct task *t, const struct task_spec *spec, const struct volume *v, struct err *e)
{
	if (v->host_path)
		return write_host_path(t, v->host_path, e);
	if (v->claim)
		return claim_write(t, spec, v->claim->claim_name, e);
	if (volume_is_files(v))
		return volume_files_write(t, spec, v, e);
	/* A kind without a member is one that is not served; a volume of no kind at all is an emptyDir. */
	for (size_t i = 0; !v->empty_dir && !v->ephemeral && val_is(v->src, VAL_MAP) && i < v->src->n; i++)
		if (!str_eq(val_key(&v->src->members[i]), S("name")))
			return err_set(
				e, ERR_UNSUPPORTED, "%.*s: not served yet", STR_ARG(val_key(&v->src->members[i])));
	return write_empty_dir(t, v, e);
}

/* What a container may mount: the template's own volumes, then the workflow's, then its volumeClaimTemplates (spec 1.2). */
struct mountable {
	struct volume *p; /* spec.volumes */
	size_t n;
};

static const struct volume *
find_own(const struct template *tmpl, str name)
{
	for (size_t i = 0; i < tmpl->volumes.n; i++)
		if (str_eq(tmpl->volumes.p[i].name, name))
			return &tmpl->volumes.p[i];
	return NULL;
}

static const struct volume *
find_volume(struct task *t, const struct task_spec *spec, const struct mountable *all, str name)
{
	const struct volume *v = find_own(spec->tmpl, name);
	for (size_t i = 0; !v && i < all->n; i++)
		if (str_eq(all->p[i].name, name))
			v = &all->p[i];
	return v ? v : claim_of_template(t, spec, name);
}

/* One that speaks of a step's variables may not be readable as it is: then it stands among the template's (engine/run/pod_patch.c). */
static int
decode_volumes(struct task *t, const struct task_spec *spec, struct mountable *out, struct err *e)
{
	const struct val *src = spec->volumes;
	size_t n = val_is(src, VAL_LIST) ? src->n : 0;
	*out = (struct mountable){ ARENA_ARRAY(t->arena, struct volume, n), 0 };
	for (size_t i = 0; i < n; i++) {
		struct diags d;
		if (find_own(spec->tmpl, val_get_str(&src->items[i], "name")))
			continue;
		diags_init(&d);
		int rc = schema_decode(&volume_schema, t->arena, &src->items[i], S("spec.volumes"), &out->p[out->n], &d);
		diags_free(&d);
		if (rc < 0)
			return err_set(e, ERR_INVALID, "spec.volumes[%zu]: not a volume", i);
		out->n++;
	}
	return 0;
}

static str
without_slashes(str path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

static int
write_mount(struct task *t, const struct volume *v, const struct volume_mount *m, struct err *e)
{
	if (!m->mount_path.n || m->mount_path.p[0] != '/' || memchr(m->mount_path.p, 0, m->mount_path.n) ||
		str_eq(m->mount_path, S("/")))
		return err_set(
			e, ERR_INVALID, "mountPath \"%.*s\": must be an absolute path below /", STR_ARG(m->mount_path));
	if (m->sub_path.n && !volume_path(m->sub_path))
		return err_set(
			e, ERR_INVALID, "subPath \"%.*s\": must be relative and without ..", STR_ARG(m->sub_path));
	str path = without_slashes(m->mount_path);
	record_add(&t->records, m->read_only || (v->claim && v->claim->read_only) ? TASK_MOUNT_RO : TASK_MOUNT, path);
	if (m->sub_path.n)
		record_add(&t->records, TASK_SUB_PATH, m->sub_path);
	return 0;
}

/* A folder of the host at its own path is there without being mounted. */
static bool
stands_already(const struct volume *v, const struct volume_mount *m)
{
	return v && v->host_path && !m->sub_path.n && !m->read_only &&
	       str_eq(without_slashes(v->host_path->path), without_slashes(m->mount_path));
}

static int
check_without_sandbox(
	struct task *t, const struct task_spec *spec, const struct container *c, const struct mountable *all, struct err *e)
{
	for (size_t i = 0; i < c->volume_mounts.n; i++) {
		const struct volume_mount *m = &c->volume_mounts.p[i];
		const struct volume *v = find_volume(t, spec, all, m->name);
		if (!stands_already(v, m))
			return err_set(e, ERR_UNSUPPORTED, "volume %.*s at %.*s: nothing can be mounted without a sandbox (%s)",
				STR_ARG(m->name), STR_ARG(m->mount_path),
				t->x->why_not[0] ? t->x->why_not : "`sandbox: off` is set");
		if (write_host_path(t, v->host_path, e) < 0)
			return err_wrap(e, "volume %.*s", STR_ARG(v->name));
	}
	return 0;
}

int
volumes_write(struct task *t, const struct task_spec *spec, const struct container *c, struct err *e)
{
	struct mountable all;
	if (!c->volume_mounts.n)
		return 0;
	if (decode_volumes(t, spec, &all, e) < 0)
		return -1;
	if (t->x->sandbox == TASK_SANDBOX_OFF)
		return check_without_sandbox(t, spec, c, &all, e);
	for (size_t i = 0; i < c->volume_mounts.n; i++) {
		const struct volume_mount *m = &c->volume_mounts.p[i];
		const struct volume *v = find_volume(t, spec, &all, m->name);
		bool seen = false;
		for (size_t k = 0; k < i; k++)
			seen |= str_eq(c->volume_mounts.p[k].name, m->name);
		if (!v)
			return err_set(e, ERR_NOT_FOUND, "volumeMounts: there is no volume \"%.*s\"", STR_ARG(m->name));
		if (seen)
			continue; /* written with the first mount of the same volume */
		if (write_volume(t, spec, v, e) < 0)
			return err_wrap(e, "volume %.*s", STR_ARG(v->name));
		for (size_t k = i; k < c->volume_mounts.n; k++)
			if (str_eq(c->volume_mounts.p[k].name, m->name) &&
				write_mount(t, v, &c->volume_mounts.p[k], e) < 0)
				return -1;
	}
	return 0;
}

static int
share(struct task *t, const struct volume *list, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int64_t size;
		if (!in_memory(&list[i]))
			continue;
		if (!volume_path(list[i].name) || memchr(list[i].name.p, '/', list[i].name.n) || list[i].name.p[0] == '.')
			return err_set(e, ERR_INVALID, "\"%.*s\" cannot be the name of a volume", STR_ARG(list[i].name));
		if (size_of(&list[i], &size, e) < 0)
			return -1;
		record_add(&t->records, TASK_SHARED, arena_fmt(t->arena, "%lld %.*s", (long long)size, STR_ARG(list[i].name)));
	}
	return 0;
}

int
volumes_share(struct task *t, const struct task_spec *spec, struct err *e)
{
	struct mountable all;
	if (t->x->sandbox == TASK_SANDBOX_OFF)
		return 0; /* what mounts one is refused */
	if (decode_volumes(t, spec, &all, e) < 0)
		return -1;
	return share(t, spec->tmpl->volumes.p, spec->tmpl->volumes.n, e) < 0 || share(t, all.p, all.n, e) < 0 ? -1 : 0;
}
