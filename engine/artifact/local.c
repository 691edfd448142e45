/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/artifact/local.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/files.h"
#include "core/random.h"

enum {
	DEPTH_MAX = 256,  /* folders in each other, of a tree */
	DIGEST_TEXT = 64, /* of a SHA-256, hexadecimal */
};

/* What an object is made of. */
struct source {
	int fd;
	bool given; /* it is ours from now on: nobody else writes to it */
	bool sync;  /* it is to be on disk at the end; else that is for the caller to see to */
};

/* One call: what it may take, and what it took. */
struct transfer {
	struct local_repo *r;
	const struct local_limits *l;
	struct local_sum sum;
	unsigned depth;
	bool given;              /* each file of a tree is */
	struct listing *listing; /* of local_list */
	struct err *e;
};

/* ---- the repository ---------------------------------------------------------------------------------------------- */

static int
open_folder(int at, const char *name, struct err *e)
{
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return err_errno(e, "artifacts: make %s", name);
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "artifacts: open %s", name) : fd;
}

int
local_open(struct local_repo *r, const char *path, struct err *e)
{
	*r = (struct local_repo){ -1, -1, -1, -1, -1 };
	r->dir = open_folder(AT_FDCWD, path, e);
	if (r->dir >= 0 && (r->blobs = open_folder(r->dir, "blobs", e)) >= 0 && (r->objects = open_folder(r->dir, "objects", e)) >= 0 &&
		(r->fresh = open_folder(r->dir, "new", e)) >= 0) {
		r->lock = openat(r->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (r->lock >= 0)
			return 0;
		err_errno(e, "artifacts: open the lock");
	}
	local_close(r);
	return -1;
}

void
local_close(struct local_repo *r)
{
	int *all[] = { &r->dir, &r->blobs, &r->objects, &r->fresh, &r->lock };
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		close_fd(all[i]);
		*all[i] = -1;
	}
}

/* A description of its own for each holder: threads share those of the repository. */
static int
hold(struct local_repo *r, int how)
{
	int fd = openat(r->dir, "lock", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && flock(fd, how) < 0)
		if (errno != EINTR) {
			close(fd);
			return -1;
		}
	return fd;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static int
bad_key(const char *key, const char *why, struct err *e)
{
	return err_set(e, ERR_INVALID, "artifact key \"%.200s\": %s", key, why);
}

/* Slashes at either end are taken off: "parts/" means all that is beneath. */
static int
clean_key(const char *key, char to[LOCAL_KEY_MAX + 1], struct err *e)
{
	str rest = str_c(key);
	while (rest.n && rest.p[rest.n - 1] == '/')
		rest.n--;
	while (rest.n && *rest.p == '/')
		rest = str_slice(rest, 1, rest.n);
	if (!rest.n)
		return bad_key(key, "it is empty", e);
	if (rest.n > LOCAL_KEY_MAX)
		return bad_key(key, "it has more than 1024 bytes", e);
	memcpy(to, rest.p, rest.n);
	to[rest.n] = 0;
	while (rest.n) {
		str part = str_cut(&rest, '/');
		if (!part.n || str_eq(part, S(".")) || str_eq(part, S("..")))
			return bad_key(key, "a part of it is empty or made of dots", e);
		if (part.n > NAME_MAX)
			return bad_key(key, "a part of it has more than 255 bytes", e);
	}
	return 0;
}

static int
in_the_way(const char *key, struct err *e)
{
	return err_set(e, ERR_EXISTS, "artifact key \"%s\": nothing can lie beneath an artifact, nor an artifact where others lie beneath", key);
}

/* The folder that the object lies in, made if need be; *name: what is behind the last slash. */
static int
open_place(struct local_repo *r, const char *key, const char **name, struct err *e)
{
	int at = fcntl(r->objects, F_DUPFD_CLOEXEC, 3);
	for (const char *slash; at >= 0 && (slash = strchr(key, '/')); key = slash + 1) {
		char part[NAME_MAX + 1];
		int above CLEANUP(close_fd) = at;
		snprintf(part, sizeof part, "%.*s", (int)(slash - key), key);
		if (mkdirat(above, part, 0700) < 0 && errno != EEXIST)
			return err_errno(e, "artifacts: make the folder %s", part);
		at = open_beneath(above, part, O_RDONLY | O_DIRECTORY, 0);
	}
	*name = key;
	return at >= 0 ? at : errno == ENOTDIR ? in_the_way(key, e) : err_errno(e, "artifacts: open the folder of %s", key);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static int
too_large(struct transfer *t)
{
	return err_set(t->e, ERR_LIMIT, "the artifact has more than %llu bytes", (unsigned long long)t->l->bytes);
}

static int
copy(struct transfer *t, int from, int to, uint64_t *n)
{
	uint64_t most = t->l->bytes ? t->l->bytes - t->sum.bytes : UINT64_MAX / 2;
	int rc = files_copy_watched(from, to, most, t->l->watch, n, t->e);
	if (rc < 0 && t->e->code == ERR_LIMIT)
		return too_large(t);
	t->sum.bytes += *n;
	return rc;
}

static int
digest(int fd, uint64_t n, char text[DIGEST_TEXT + 1], struct err *e)
{
	unsigned char sum[CRYPTO_HASH_MAX];
	void *p = n ? mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0) : NULL;
	if (p == MAP_FAILED)
		return err_errno(e, "artifacts: read back");
	size_t length = crypto_hash("sha256", (str){ n ? p : "", n }, sum);
	if (n)
		munmap(p, n);
	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	return 0;
}

static int
blob_path(struct local_repo *r, const char *hash, char path[DIGEST_TEXT + 4], struct err *e)
{
	char folder[3] = { hash[0], hash[1], 0 };
	snprintf(path, DIGEST_TEXT + 4, "%s/%s", folder, hash);
	if (mkdirat(r->blobs, folder, 0700) < 0 && errno != EEXIST)
		return err_errno(e, "artifacts: make the folder %s", folder);
	return 0;
}

/* In a folder that a name was put into. */
static int
sync_folder(int at, const char *path, struct err *e)
{
	int fd CLEANUP(close_fd) = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? err_errno(e, "artifacts: force %s to the disk", path) : 0;
}

/* The written file `temp` becomes the blob, if that is not there. */
static int
name_blob(struct transfer *t, const char *temp, const char *hash, char blob[DIGEST_TEXT + 4])
{
	if (blob_path(t->r, hash, blob, t->e) < 0)
		return -1;
	return linkat(t->r->fresh, temp, t->r->blobs, blob, 0) < 0 && errno != EEXIST ? err_errno(t->e, "artifacts: name a blob") : 0;
}

/*
 * The blob becomes the object, in place of one that is there, by a rename. A rename onto another name of the same file does nothing at all,
 * so the old name goes in any case.
 */
static int
name_object(struct transfer *t, const char *temp, const char *blob, int place, const char *name)
{
	char link[64];
	snprintf(link, sizeof link, "%s+", temp);
	if (linkat(t->r->blobs, blob, t->r->fresh, link, 0) < 0)
		return err_errno(t->e, "artifacts: name an object");
	int rc = renameat(t->r->fresh, link, place, name), code = errno;
	(void)unlinkat(t->r->fresh, link, 0);
	errno = code;
	return rc == 0 ? 0 : errno == EISDIR ? in_the_way(name, t->e) : err_errno(t->e, "artifacts: name an object");
}

/* Under the lock: nobody takes the blob away between its two names, or the folder. Returns the folder. */
static int
give_names(struct transfer *t, const char *key, const char *temp, const char *hash)
{
	char blob[DIGEST_TEXT + 4];
	const char *name = key;
	int held CLEANUP(close_fd) = hold(t->r, LOCK_SH);
	if (held < 0)
		return err_errno(t->e, "artifacts: take the lock");
	int place = open_place(t->r, key, &name, t->e);
	if (place >= 0 && (name_blob(t, temp, hash, blob) < 0 || name_object(t, temp, blob, place, name) < 0)) {
		close(place);
		return -1;
	}
	return place;
}

/* Locked as long as it is being written: so local_sweep knows what nobody writes any more. */
static int
make_fresh(struct transfer *t, const char *temp)
{
	int held CLEANUP(close_fd) = hold(t->r, LOCK_SH);
	int fd = held < 0 ? -1 : openat(t->r->fresh, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err_errno(t->e, "artifacts: make a file");
		close_fd(&fd);
		return -1;
	}
	return fd;
}

/* The file itself by another name, instead of a copy. Returns -1 where that cannot be: on another file system, or if it
 * is somebody else's. */
static int
link_fresh(struct transfer *t, const char *temp, int from)
{
	struct stat st;
	char path[32];
	int held CLEANUP(close_fd) = hold(t->r, LOCK_SH);
	snprintf(path, sizeof path, "/proc/self/fd/%d", from);
	if (held < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
		linkat(AT_FDCWD, path, t->r->fresh, temp, AT_SYMLINK_FOLLOW) < 0)
		return -1;
	int fd = openat(t->r->fresh, temp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && fchmod(fd, 0444) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close_fd(&fd);
	(void)unlinkat(t->r->fresh, temp, 0);
	return -1;
}

/* Counts a file that was not copied. */
static int
count(struct transfer *t, int fd, uint64_t *n)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_errno(t->e, "artifacts: look at a file");
	*n = (uint64_t)st.st_size;
	if (t->l->bytes && *n > t->l->bytes - t->sum.bytes)
		return too_large(t);
	t->sum.bytes += *n;
	watch_moved(t->l->watch, *n);
	return 0;
}

/* Returns the written file in `new`, locked, and the hash of its bytes. */
static int
write_fresh(struct transfer *t, const char *temp, const struct source *from, char hash[DIGEST_TEXT + 1])
{
	uint64_t n;
	int linked = from->given ? link_fresh(t, temp, from->fd) : -1, fd = linked < 0 ? make_fresh(t, temp) : linked;
	int rc = fd < 0 ? -1 : linked < 0 ? copy(t, from->fd, fd, &n) : count(t, fd, &n);
	if (rc == 0 && from->sync && fsync(fd) < 0)
		rc = err_errno(t->e, "artifacts: force to the disk");
	if (rc == 0 && digest(fd, n, hash, t->e) == 0)
		return fd;
	close_fd(&fd);
	return -1;
}

/* The blob's name, its folder's, and the object's. */
static int
sync_names(struct transfer *t, int place, const char *hash)
{
	char folder[3] = { hash[0], hash[1], 0 };
	return sync_folder(t->r->blobs, folder, t->e) < 0 || sync_folder(t->r->blobs, ".", t->e) < 0 || sync_folder(place, ".", t->e) < 0 ? -1 : 0;
}

static int
put(struct transfer *t, const char *key, const struct source *from)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const char *temp = random_suffix(a, 24).p;
	char hash[DIGEST_TEXT + 1];
	if (t->l->objects && t->sum.objects >= t->l->objects)
		return err_set(t->e, ERR_LIMIT, "the artifact has more than %llu files", (unsigned long long)t->l->objects);
	int fd CLEANUP(close_fd) = write_fresh(t, temp, from, hash);
	int place CLEANUP(close_fd) = fd < 0 ? -1 : give_names(t, key, temp, hash);
	(void)unlinkat(t->r->fresh, temp, 0);
	if (place < 0)
		return -1;
	t->sum.objects++;
	return from->sync ? sync_names(t, place, hash) : 0;
}

/* The folders on the way may be new as well: all of them, up to the top. */
static int
sync_above(struct local_repo *r, const char *key, struct err *e)
{
	char path[LOCAL_KEY_MAX + 1];
	snprintf(path, sizeof path, "%s", key);
	for (char *slash; (slash = strrchr(path, '/'));) {
		*slash = 0;
		if (sync_folder(r->objects, path, e) < 0)
			return -1;
	}
	return sync_folder(r->objects, ".", e);
}

static int
over(struct transfer *t, struct local_sum *sum, int rc)
{
	if (sum)
		*sum = t->sum;
	return rc;
}

static int
put_file(struct local_repo *r, const char *key, const struct source *from, const struct local_limits *l,
	struct local_sum *sum, struct err *e)
{
	struct transfer t = { .r = r, .l = l, .e = e };
	char clean[LOCAL_KEY_MAX + 1];
	if (clean_key(key, clean, e) < 0)
		return -1;
	return over(&t, sum, put(&t, clean, from) < 0 ? -1 : sync_above(r, clean, e));
}

int
local_put(struct local_repo *r, const char *key, int fd, const struct local_limits *l, struct local_sum *sum,
	struct err *e)
{
	return put_file(r, key, &(struct source){ .fd = fd, .sync = true }, l, sum, e);
}

int
local_take(struct local_repo *r, const char *key, int fd, const struct local_limits *l, struct local_sum *sum,
	struct err *e)
{
	return put_file(r, key, &(struct source){ .fd = fd, .given = true, .sync = true }, l, sum, e);
}

/* ---- trees ------------------------------------------------------------------------------------------------------- */

static int each_inside(struct transfer *t, int dir, const char *path, int to, int (*file)(struct transfer *, int fd, const char *path, int to, const char *name));

static int
one_inside(struct transfer *t, int dir, const char *path, const char *name, int to,
	int (*file)(struct transfer *, int fd, const char *path, int to, const char *name))
{
	struct stat st;
	int fd CLEANUP(close_fd) = open_beneath(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ELOOP ? err_set(t->e, ERR_INVALID, "%s is a link, which an artifact without an archive cannot have", path) :
		                        err_errno(t->e, "%s", path);
	if (S_ISREG(st.st_mode))
		return file(t, fd, path, to, name);
	if (!S_ISDIR(st.st_mode))
		return err_set(t->e, ERR_INVALID, "%s is a device, a pipe or a socket, which no artifact can have", path);
	if (t->depth >= DEPTH_MAX)
		return err_set(t->e, ERR_LIMIT, "there are more than %d folders in each other", DEPTH_MAX);
	if (to >= 0 && mkdirat(to, name, 0755) < 0)
		return err_errno(t->e, "make the folder %s", path);
	int below CLEANUP(close_fd) = to < 0 ? -1 : open_beneath(to, name, O_RDONLY | O_DIRECTORY, 0);
	t->depth++;
	int rc = to >= 0 && below < 0 ? err_errno(t->e, "open the folder %s", path) : each_inside(t, fd, path, below, file);
	t->depth--;
	return rc;
}

/* Calls `file` for each file beneath `dir`; `to`, if there is one, gets the same folders. */
static int
each_inside(struct transfer *t, int dir, const char *path, int to, int (*file)(struct transfer *, int fd, const char *path, int to, const char *name))
{
	int own = fcntl(dir, F_DUPFD_CLOEXEC, 3), rc = 0;
	DIR *d = own < 0 ? NULL : fdopendir(own);
	if (!d) {
		close_fd(&own);
		return err_errno(t->e, "read the folder %s", path);
	}
	struct buf below CLEANUP(free_buf) = { 0 };
	rewinddir(d);
	for (struct dirent *one; rc == 0 && (one = readdir(d));) {
		if (strcmp(one->d_name, ".") == 0 || strcmp(one->d_name, "..") == 0)
			continue;
		below.n = 0;
		buf_addf(&below, "%s/%s", path, one->d_name);
		rc = one_inside(t, dir, below.p, one->d_name, to, file);
	}
	closedir(d);
	return rc;
}

static int
put_inside(struct transfer *t, int fd, const char *path, int to UNUSED, const char *name UNUSED)
{
	char key[LOCAL_KEY_MAX + 1];
	return clean_key(path, key, t->e) < 0 ? -1 : put(t, key, &(struct source){ .fd = fd, .given = t->given });
}

static int
put_tree(struct local_repo *r, const char *key, int dir, bool given, const struct local_limits *l,
	struct local_sum *sum, struct err *e)
{
	struct transfer t = { .r = r, .l = l, .e = e, .given = given };
	char clean[LOCAL_KEY_MAX + 1];
	if (clean_key(key, clean, e) < 0)
		return -1;
	int rc = each_inside(&t, dir, clean, -1, put_inside);
	if (rc == 0 && syncfs(r->dir) < 0) /* once for all of them */
		rc = err_errno(e, "artifacts: force to the disk");
	return over(&t, sum, rc);
}

int
local_put_tree(struct local_repo *r, const char *key, int dir, const struct local_limits *l, struct local_sum *sum,
	struct err *e)
{
	return put_tree(r, key, dir, false, l, sum, e);
}

int
local_take_tree(struct local_repo *r, const char *key, int dir, const struct local_limits *l, struct local_sum *sum,
	struct err *e)
{
	return put_tree(r, key, dir, true, l, sum, e);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int
open_object(struct local_repo *r, const char *key, struct stat *st, struct err *e)
{
	char clean[LOCAL_KEY_MAX + 1];
	if (clean_key(key, clean, e) < 0)
		return -1;
	int fd = open_beneath(r->objects, clean, O_RDONLY, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ERR_NOT_FOUND, "there is no artifact with the key %s", clean);
	if (fd < 0 || fstat(fd, st) < 0) {
		err_errno(e, "artifacts: open %s", clean);
		close_fd(&fd);
		return -1;
	}
	return fd;
}

int
local_read(struct local_repo *r, const char *key, int *fd, struct err *e)
{
	struct stat st;
	*fd = open_object(r, key, &st, e);
	if (*fd < 0 || S_ISREG(st.st_mode))
		return *fd < 0 ? -1 : 0;
	close(*fd);
	*fd = -1;
	return err_set(e, ERR_NOT_FOUND, "%s is no artifact: there are some beneath it", key);
}

bool
local_has(struct local_repo *r, const char *key)
{
	struct stat st;
	struct err ignored;
	int fd CLEANUP(close_fd) = open_object(r, key, &st, &ignored);
	return fd >= 0;
}

static int
get_file(struct transfer *t, int fd, const char *path, int to, const char *name)
{
	uint64_t n;
	if (t->l->objects && t->sum.objects >= t->l->objects)
		return err_set(t->e, ERR_LIMIT, "the artifact has more than %llu files", (unsigned long long)t->l->objects);
	int out CLEANUP(close_fd) = open_beneath(to, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (out < 0)
		return err_errno(t->e, "make %s", path);
	if (copy(t, fd, out, &n) < 0)
		return -1;
	t->sum.objects++;
	return fchmod(out, 0644) < 0 ? err_errno(t->e, "set the mode of %s", path) : 0;
}

static int
get_tree(struct transfer *t, int fd, const char *key, int dir, const char *name)
{
	if (mkdirat(dir, name, 0755) < 0)
		return err_errno(t->e, "make the folder %s", name);
	int to CLEANUP(close_fd) = open_beneath(dir, name, O_RDONLY | O_DIRECTORY, 0);
	return to < 0 ? err_errno(t->e, "open the folder %s", name) : each_inside(t, fd, key, to, get_file);
}

int
local_get(struct local_repo *r, const char *key, int dir, const char *name, const struct local_limits *l, struct local_sum *sum, struct err *e)
{
	struct transfer t = { .r = r, .l = l, .e = e };
	struct stat st;
	int fd CLEANUP(close_fd) = open_object(r, key, &st, e);
	if (fd < 0)
		return -1;
	return over(&t, sum, S_ISDIR(st.st_mode) ? get_tree(&t, fd, key, dir, name) : get_file(&t, fd, key, dir, name));
}

/* ---- listing ----------------------------------------------------------------------------------------------------- */

struct listing {
	bool (*each)(void *arg, str key, uint64_t bytes);
	void *arg;
	str prefix;
	bool enough;
};

static int
list_file(struct transfer *t, int fd, const char *path, int to UNUSED, const char *name UNUSED)
{
	struct listing *l = t->listing;
	struct stat st;
	str key = str_c(path);
	while (key.n && *key.p == '/')
		key = str_slice(key, 1, key.n);
	if (l->enough || !str_starts(key, l->prefix))
		return 0;
	if (fstat(fd, &st) < 0)
		return err_errno(t->e, "artifacts: look at %s", path);
	l->enough = !l->each(l->arg, key, (uint64_t)st.st_size);
	return 0;
}

/* The folder that the prefix lies in; what does not begin with all of it is passed over. */
int
local_list(struct local_repo *r, const char *prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e)
{
	struct listing l = { each, arg, str_c(prefix), false };
	struct transfer t = { .r = r, .e = e, .listing = &l };
	char clean[LOCAL_KEY_MAX + 1], folder[LOCAL_KEY_MAX + 1];
	while (l.prefix.n && *l.prefix.p == '/')
		l.prefix = str_slice(l.prefix, 1, l.prefix.n);
	if (l.prefix.n > LOCAL_KEY_MAX)
		return bad_key(prefix, "it has more than 1024 bytes", e);
	snprintf(folder, sizeof folder, "%.*s", STR_ARG(l.prefix));
	char *slash = strrchr(folder, '/');
	if (!slash)
		return each_inside(&t, r->objects, "", -1, list_file);
	*slash = 0;
	if (clean_key(folder, clean, e) < 0)
		return -1;
	int fd CLEANUP(close_fd) = open_beneath(r->objects, clean, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "artifacts: open %s", clean);
	return each_inside(&t, fd, clean, -1, list_file);
}

/* ---- removing ---------------------------------------------------------------------------------------------------- */

/* Folders above that are empty now go too, until one is not. */
static void
remove_above(struct local_repo *r, char *key)
{
	for (char *slash; (slash = strrchr(key, '/'));) {
		*slash = 0;
		if (unlinkat(r->objects, key, AT_REMOVEDIR) < 0)
			return;
	}
}

int
local_remove(struct local_repo *r, const char *key, struct err *e)
{
	char clean[LOCAL_KEY_MAX + 1], path[LOCAL_KEY_MAX + 64];
	struct stat st;
	if (clean_key(key, clean, e) < 0)
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d/%s", r->objects, clean);
	int held CLEANUP(close_fd) = hold(r, LOCK_EX); /* nobody puts something into a folder that is about to go */
	if (held < 0)
		return err_errno(e, "artifacts: take the lock");
	files_remove(path);
	if (fstatat(r->objects, clean, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(e, ERR_IO, "artifacts: %s cannot be removed", clean);
	remove_above(r, clean);
	return 0;
}

/* Of a file in `new`: whether somebody writes it. A name that ends with + is there under the lock only, which we hold. */
static bool
is_written(int at, const char *name)
{
	int fd CLEANUP(close_fd) = name[strlen(name) - 1] == '+' ? -1 : openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

static bool
is_used(int at, const char *name)
{
	struct stat st;
	return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink > 1;
}

static size_t
sweep_folder(int at, const char *name, bool (*stays)(int at, const char *name))
{
	size_t n = 0;
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		close_fd(&fd);
		return 0;
	}
	for (struct dirent *one; (one = readdir(d));)
		if (one->d_type != DT_DIR && !stays(fd, one->d_name))
			n += unlinkat(fd, one->d_name, 0) == 0;
	closedir(d);
	return n;
}

/* What was written by halves first: it may be a second name of a blob. */
size_t
local_sweep(struct local_repo *r)
{
	size_t n = 0;
	char folder[3];
	int held CLEANUP(close_fd) = hold(r, LOCK_EX);
	if (held < 0)
		return 0;
	(void)sweep_folder(r->dir, "new", is_written);
	for (unsigned i = 0; i < 256; i++) {
		snprintf(folder, sizeof folder, "%02x", i);
		n += sweep_folder(r->blobs, folder, is_used);
	}
	return n;
}
