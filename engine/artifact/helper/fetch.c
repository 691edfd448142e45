/* SPDX-License-Identifier: Apache-2.0 */
/* fetch: artifacts out of where they lie, unpacked, with their modes. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/artifact/helper/helper.h"

#define OBJECT "object" /* in the scratch folder: a text, until it is known what it is */

struct target {
	char path[PATH_MAX];
	const char *name;
	int dir;
};

/* ---- one object -------------------------------------------------------------------------------------------------- */

static int
make_file(const struct target *t)
{
	return openat(t->dir, t->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
}

static int
get_file(struct place *p, const struct target *t, struct err *e)
{
	int fd CLEANUP(close_fd) = make_file(t);
	if (fd < 0)
		return err_errno(e, "make %s", t->path);
	if (p->driver->get(p->state, p->key, fd, e) == 0)
		return 0;
	(void)unlinkat(t->dir, t->name, 0);
	return -1;
}

/* What was got to the scratch folder, as it is: renamed, or copied to another file system. */
static int
move_object(struct job *j, const char *name, int fd, const struct target *t, struct err *e)
{
	uint64_t n;
	if (renameat(j->scratch, name, t->dir, t->name) == 0)
		return 0;
	if (errno != EXDEV)
		return err_errno(e, "make %s", t->path);
	int to CLEANUP(close_fd) = make_file(t);
	return to < 0 ? err_errno(e, "make %s", t->path) : files_copy(fd, to, UINT64_MAX / 2, &n, e);
}

static bool
is_packed(const struct val *item, int fd)
{
	return item_is_packed(item, "zip") || item_is_packed(item, "tar") || (!item_is_packed(item, "none") && archive_is_tar_gz(fd));
}

static int
unpack(struct job *j, const struct val *item, int fd, const struct target *t, const struct transfer_watch *watch, struct err *e)
{
	bool zip = item_is_packed(item, "zip");
	const struct archive_limits limits = { .bytes = j->bytes, .entries = j->files, .ratio = j->ratio, .ratio_from = RATIO_FROM, .watch = watch };
	return archive_unpack_as(fd, zip ? ARCHIVE_AS_ZIP : ARCHIVE_AS_TAR, t->dir, t->name, &limits, NULL, e);
}

static int
make_object(struct job *j, int *fd, struct err *e)
{
	*fd = openat(j->scratch, OBJECT, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	return *fd < 0 ? err_errno(e, "make a file") : 0;
}

/* What is read of an archive as it is unpacked. */
struct reading {
	const struct transfer_watch *watch;
	uint64_t told;
};

static void
on_read(void *arg, uint64_t bytes)
{
	struct reading *r = arg;
	r->told += bytes;
	watch_moved(r->watch, bytes);
}

/* Straight from its place: reading it is moving it. What lies behind its last file counts, too. */
static int
unpack_opened(struct job *j, const struct place *p, const struct val *item, int fd, const struct target *t, struct err *e)
{
	struct reading r = { .watch = p->site.watch };
	const struct transfer_watch watch = { .moved = on_read, .arg = &r };
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_errno(e, "look at the object");
	watch_total(r.watch, (uint64_t)st.st_size);
	if (unpack(j, item, fd, t, &watch, e) < 0)
		return -1;
	if ((uint64_t)st.st_size > r.told)
		watch_moved(r.watch, (uint64_t)st.st_size - r.told);
	return 0;
}

/* The driver's own file with the object. */
static int
fetch_opened(struct job *j, struct place *p, const struct val *item, const struct target *t, struct err *e)
{
	int fd CLEANUP(close_fd) = -1;
	if (item_is_packed(item, "none"))
		return get_file(p, t, e);
	if (p->driver->object(p->state, p->key, &fd, e) < 0)
		return -1;
	return is_packed(item, fd) ? unpack_opened(j, p, item, fd, t, e) : get_file(p, t, e);
}

static int
use_object(const struct begun *b, const struct val *item, const struct target *t, struct err *e)
{
	if (lseek(b->fd, 0, SEEK_SET) < 0)
		return err_errno(e, "read what came");
	return is_packed(item, b->fd) ? unpack(b->job, item, b->fd, t, NULL, e) : move_object(b->job, b->name, b->fd, t, e);
}

/* On another file system it would have to be copied: that is not worth it. */
static bool
is_elsewhere(const struct job *j, const struct target *t)
{
	struct stat here, there;
	return fstat(j->scratch, &here) < 0 || fstat(t->dir, &there) < 0 || here.st_dev != there.st_dev;
}

static int
fetch_object(struct job *j, struct place *p, const struct val *item, size_t i, const struct target *t, struct err *e)
{
	struct begun b;
	if (p->driver->object)
		return fetch_opened(j, p, item, t, e);
	if (item_is_packed(item, "none") && is_elsewhere(j, t))
		return get_file(p, t, e);
	if (begun_open(j, p, i, &b, e) < 0)
		return -1;
	int rc = p->driver->get(p->state, p->key, b.fd, e);
	bool got = rc == 0;
	if (got)
		rc = use_object(&b, item, t, e);
	begun_close(&b, got);
	return rc;
}

/* ---- many objects: a folder -------------------------------------------------------------------------------------- */

struct found_keys {
	struct arena *arena;
	VEC(str) v; /* behind the prefix */
	size_t prefix;
	uint64_t bytes;
	const struct job *job;
	struct err *e;
	int rc;
};

static bool
note_key(void *arg, str key, uint64_t bytes)
{
	struct found_keys *k = arg;
	if (key.n <= k->prefix)
		return true; /* the folder itself: some tools make an object for it */
	k->bytes = bytes > UINT64_MAX - k->bytes ? UINT64_MAX : k->bytes + bytes;
	if (k->v.n >= k->job->files)
		k->rc = err_set(k->e, ERR_LIMIT, "it has more than %llu files", (unsigned long long)k->job->files);
	else if (k->bytes > k->job->bytes)
		k->rc = err_set(k->e, ERR_LIMIT, "it has more than %llu bytes", (unsigned long long)k->job->bytes);
	else
		*VEC_PUSH(&k->v) = arena_dup(k->arena, str_slice(key, k->prefix, key.n));
	return k->rc == 0;
}

/* Folders on the way to a name; each part opened beneath by the kernel's rule, so that no key leads elsewhere. */
static int
make_folders(int dir, char *path, struct err *e)
{
	for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		char *last = strrchr(path, '/');
		str part = str_c(last ? last + 1 : path);
		if (!part.n || str_eq(part, S(".")) || str_eq(part, S("..")))
			return err_set(e, ERR_INVALID, "a part of the key %s is empty or made of dots", path);
		if (mkdirat(dir, path, 0755) < 0 && errno != EEXIST)
			return err_errno(e, "make the folder %s", path);
		*p = '/';
	}
	return 0;
}

/* What a listing says of sizes is the word of whoever made it: what came is counted. */
static int
count_came(const struct job *j, int fd, uint64_t *bytes, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_errno(e, "look at what came");
	*bytes += (uint64_t)st.st_size;
	return *bytes > j->bytes ? err_set(e, ERR_LIMIT, "it has more than %llu bytes", (unsigned long long)j->bytes) : 0;
}

/* `bytes`: of those that came before. */
static int
get_one(const struct job *j, struct place *p, int dir, str prefix, str rest, uint64_t *bytes, struct err *e)
{
	char path[PATH_MAX];
	struct arena *a CLEANUP(free_arena) = arena_new();
	if (rest.n >= sizeof path || memchr(rest.p, 0, rest.n))
		return err_set(e, ERR_INVALID, "the key %.*s is no path", STR_ARG(rest));
	snprintf(path, sizeof path, "%.*s", STR_ARG(rest));
	if (make_folders(dir, path, e) < 0)
		return -1;
	if (str_ends(rest, S("/")))
		return 0;
	int fd CLEANUP(close_fd) = open_beneath(dir, path, O_RDWR | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return err_errno(e, "make %s", path);
	if (p->driver->get(p->state, arena_fmt(a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(rest)), fd, e) < 0)
		return -1;
	return count_came(j, fd, bytes, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

/* ERR_NOT_FOUND if there is nothing beneath the key either. */
static int
fetch_tree(struct job *j, struct place *p, const struct target *t, struct err *e)
{
	str prefix = str_ends(p->key, S("/")) ? p->key : arena_fmt(j->arena, "%.*s/", STR_ARG(p->key));
	struct found_keys k = { .arena = arena_new(), .prefix = prefix.n, .job = j, .e = e };
	int rc = p->driver->list(p->state, prefix, note_key, &k, e);
	if (rc == 0)
		rc = k.rc;
	if (rc == 0 && !k.v.n)
		rc = err_set(e, ERR_NOT_FOUND, "there is nothing under the key %.*s", STR_ARG(p->key));
	if (rc == 0 && mkdirat(t->dir, t->name, 0755) < 0)
		rc = err_errno(e, "make %s", t->path);
	int dir CLEANUP(close_fd) = rc < 0 ? -1 : open_beneath(t->dir, t->name, O_RDONLY | O_DIRECTORY, 0);
	if (rc == 0 && dir < 0)
		rc = err_errno(e, "open %s", t->path);
	if (rc == 0)
		job_total(j, k.bytes);
	k.bytes = 0;
	for (size_t i = 0; rc == 0 && i < k.v.n; i++)
		rc = get_one(j, p, dir, prefix, k.v.p[i], &k.bytes, e);
	VEC_FREE(&k.v);
	arena_free(k.arena);
	return rc;
}

/* ---- an item ----------------------------------------------------------------------------------------------------- */

/* A text is unpacked like any other object, as in Argo: a tar or a zip may be one. */
static int
fetch_raw(struct job *j, const struct val *item, const struct target *t, struct err *e)
{
	str text = val_get_str(item, "raw");
	int fd CLEANUP(close_fd) = -1;
	if (make_object(j, &fd, e) < 0)
		return -1;
	for (ssize_t n; text.n; text = str_slice(text, (size_t)n, text.n))
		if ((n = write(fd, text.p, text.n)) < 0)
			return err_errno(e, "write %s", t->path);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(e, "read %s", t->path);
	int rc = is_packed(item, fd) ? unpack(j, item, fd, t, NULL, e) : move_object(j, OBJECT, fd, t, e);
	(void)unlinkat(j->scratch, OBJECT, 0);
	return rc;
}

static int
fetch_from(struct job *j, struct place *p, const struct val *item, size_t i, const struct target *t, struct err *e)
{
	const struct artifact_driver *d = p->driver;
	struct err why;
	if (d->fetch)
		return d->fetch(p->state, t->dir, t->name, e);
	if (!str_ends(p->key, S("/")) && fetch_object(j, p, item, i, t, e) == 0)
		return 0;
	if (!d->list || (!str_ends(p->key, S("/")) && e->code != ERR_NOT_FOUND))
		return -1;
	why = *e; /* says it in the driver's words */
	int rc = fetch_tree(j, p, t, e);
	if (rc < 0 && e->code == ERR_NOT_FOUND && !str_ends(p->key, S("/")))
		*e = why;
	return rc;
}

static int
fetch(struct job *j, const struct val *item, size_t i, const struct target *t, struct err *e)
{
	struct place p;
	if (val_get(item, S("raw")))
		return fetch_raw(j, item, t, e);
	int rc = place_open(j, item, &p, e);
	if (rc == 0)
		rc = fetch_from(j, &p, item, i, t, e);
	place_close(&p);
	return rc;
}

static mode_t all_mode;

static int
set_one(const char *path, const struct stat *st UNUSED, int type, struct FTW *ftw UNUSED)
{
	return type != FTW_SL && chmod(path, all_mode) < 0 ? -1 : 0;
}

static int
set_mode(const struct val *item, const char *path, struct err *e)
{
	int64_t mode;
	if (!val_to_i64(val_get(item, S("mode")), &mode))
		return 0;
	all_mode = (mode_t)mode & 0777;
	int rc = val_is_true(val_get(item, S("recurse"))) ? nftw(path, set_one, 32, FTW_PHYS | FTW_DEPTH) : chmod(path, all_mode);
	return rc < 0 ? err_errno(e, "set the mode of %s", path) : 0;
}

static const struct job *owner;

static int
give_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED)
{
	return lchown(path, owner->uid, owner->gid);
}

/* To the user that the step runs as: it may want to write to what it gets. */
static int
give(const struct job *j, const char *path, struct err *e)
{
	owner = j;
	return j->owned && nftw(path, give_one, 32, FTW_PHYS | FTW_DEPTH) < 0 ? err_errno(e, "give %s to the user of the step", path) : 0;
}

/* Folders of the host on the way to a path; what cannot be made shows when it is used. */
static void
make_parents(char *path)
{
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		(void)mkdir(path, 0755);
		*p = '/';
	}
}

/* Where an item goes. What is there is replaced: a file of the host, or what a step or an attempt before was given. */
static int
open_target(struct job *j, const struct val *item, size_t i, struct target *t, struct err *e)
{
	str to = val_get_str(item, "to");
	int n = to.p ? snprintf(t->path, PATH_MAX, "%.*s", STR_ARG(to)) : snprintf(t->path, PATH_MAX, "%s/%zu", j->into, i);
	if (n >= PATH_MAX)
		return err_set(e, ERR_INVALID, "its path is too long");
	make_parents(t->path);
	if (!to.p)
		files_remove(t->path);
	else if (laid_clear(j, t->path, e) < 0)
		return -1;
	char *slash = strrchr(t->path, '/');
	t->name = slash + 1;
	*slash = 0;
	t->dir = open(*t->path ? t->path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = errno;
	*slash = '/';
	errno = code;
	return t->dir < 0 ? err_errno(e, "open the folder of %s", t->path) : 0;
}

int
fetch_item(struct job *j, const struct val *item, size_t i, struct err *e)
{
	struct target t;
	if (open_target(j, item, i, &t, e) < 0)
		return -1;
	int rc = fetch(j, item, i, &t, e);
	close(t.dir);
	if (rc < 0 && e->code == ERR_NOT_FOUND && val_is_true(val_get(item, S("optional"))))
		return 0;
	if (rc == 0 && val_get(item, S("to")))
		rc = laid_note(j, t.path, e);
	return rc < 0 || set_mode(item, t.path, e) < 0 ? -1 : give(j, t.path, e);
}
