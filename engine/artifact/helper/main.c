/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate-artifact: moves artifacts between steps and the repository, in a process of its own: it reads what strangers packed, and it may be
 * killed at any time and asked again. Its one argument is a file with the job, JSON:
 *
 *   {"repository": PATH, "do": "fetch", "into": FOLDER, "items": [{name, key | raw, packing, optional, mode, recurse, to}, ...]}
 *       each artifact becomes FOLDER/0, 1, ..., or what `to` says: a path of the host
 *   {"repository": PATH, "do": "save", "items": [{name, key, packing, level, from}, ...]}
 *       `from` is the tar that the step helper kept; it is removed when its object is there
 *
 * It answers with a list, JSON, on its standard output: for each item {} or {"problem": TEXT}. An optional artifact that is not there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/archive/archive.h"
#include "core/crypto.h"
#include "core/files.h"
#include "core/val.h"
#include "engine/artifact/local.h"

#define JOB_MAX (64u << 20)

/* What comes out of the repository; what goes in was counted when it was kept. */
static const struct archive_limits unpack_limits = { .bytes = UINT64_C(256) << 30, .entries = 2000000 };
static const struct archive_limits no_limits = { 0 };
static const struct local_limits put_limits = { .bytes = UINT64_C(256) << 30, .objects = 2000000 };

struct job {
	struct arena *arena;
	struct local_repo repo;
	const struct val *src;
	str into;
};

static bool
is_packed(const struct val *item, const char *how)
{
	return str_eq(val_get_str(item, "packing"), str_c(how));
}

static int
write_all(int fd, str text, struct err *e)
{
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);
		if (n < 0)
			return err_errno(e, "write");
		text = str_slice(text, (size_t)n, text.n);
	}
	return 0;
}

/* ---- out of the repository --------------------------------------------------------------------------------------- */

static int
fetch_raw(const struct val *item, int dir, const char *name, struct err *e)
{
	int fd CLEANUP(close_fd) = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 ? err_errno(e, "make %s", name) : write_all(fd, val_get_str(item, "raw"), e);
}

/* An object with an archive; 1: it is none, to be taken as it is. */
static int
fetch_packed(struct job *j, const struct val *item, const char *key, int dir, const char *name, struct err *e)
{
	struct err why;
	int fd;
	if (is_packed(item, "none"))
		return 1;
	if (local_read(&j->repo, key, &fd, &why) < 0)
		return 1; /* a tree, or nothing: local_get says */
	bool zip = is_packed(item, "zip"), tar = is_packed(item, "tar") || archive_is_tar_gz(fd);
	int rc = !zip && !tar ? 1 : archive_unpack_as(fd, zip ? ARCHIVE_AS_ZIP : ARCHIVE_AS_TAR, dir, name, &unpack_limits, NULL, e);
	close(fd);
	return rc;
}

static int
fetch(struct job *j, const struct val *item, int dir, const char *name, struct err *e)
{
	const char *key = str_z(j->arena, val_get_str(item, "key"));
	if (val_get(item, S("raw")))
		return fetch_raw(item, dir, name, e);
	int rc = fetch_packed(j, item, key, dir, name, e);
	return rc == 1 ? local_get(&j->repo, key, dir, name, &put_limits, NULL, e) : rc;
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

/* Where an item goes, as an open folder and a name in it. A file of the host that is there is replaced. */
static int
open_target(struct job *j, const struct val *item, size_t i, char path[PATH_MAX], const char **name, struct err *e)
{
	str to = val_get_str(item, "to");
	if (to.p)
		snprintf(path, PATH_MAX, "%.*s", STR_ARG(to));
	else
		snprintf(path, PATH_MAX, "%.*s/%zu", STR_ARG(j->into), i);
	make_parents(path);
	if (to.p)
		(void)unlink(path);
	char *slash = strrchr(path, '/');
	*name = slash + 1;
	*slash = 0;
	int dir = open(*path ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = errno;
	*slash = '/';
	errno = code;
	return dir < 0 ? err_errno(e, "open the folder of %s", path) : dir;
}

static int
fetch_item(struct job *j, const struct val *item, size_t i, struct err *e)
{
	char path[PATH_MAX];
	const char *name;
	int dir CLEANUP(close_fd) = open_target(j, item, i, path, &name, e);
	if (dir < 0)
		return -1;
	int rc = fetch(j, item, dir, name, e);
	if (rc < 0 && e->code == ERR_NOT_FOUND && val_is_true(val_get(item, S("optional"))))
		return 0;
	return rc < 0 ? -1 : set_mode(item, path, e);
}

/* ---- into the repository ----------------------------------------------------------------------------------------- */

static int
save_tar(struct job *j, const struct val *item, int from, const char *key, const char *work, struct err *e)
{
	int64_t level = -1;
	(void)val_to_i64(val_get(item, S("level")), &level);
	int to CLEANUP(close_fd) = open(work, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (to < 0)
		return err_errno(e, "pack");
	return archive_gzip(from, to, (int)level, e) < 0 ? -1 : local_put(&j->repo, key, to, &put_limits, NULL, e);
}

static int
save_zip(struct job *j, int dir, const char *name, const char *key, const char *work, struct err *e)
{
	int to CLEANUP(close_fd) = open(work, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (to < 0)
		return err_errno(e, "pack");
	return archive_pack(dir, name, ARCHIVE_AS_ZIP, -1, to, &no_limits, NULL, e) < 0 ? -1 : local_put(&j->repo, key, to, &put_limits, NULL, e);
}

static int
save_bare(struct job *j, int dir, const char *name, const char *key, struct err *e)
{
	struct stat st;
	int fd CLEANUP(close_fd) = open_beneath(dir, name, O_RDONLY, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open what was kept");
	return S_ISDIR(st.st_mode) ? local_put_tree(&j->repo, key, fd, &put_limits, NULL, e) : local_put(&j->repo, key, fd, &put_limits, NULL, e);
}

/* The name at the top of a kept tar is that of the artifact's path, which a zip keeps. */
static int
save_unpacked(struct job *j, const struct val *item, int from, const char *key, const char *work, struct err *e)
{
	const char *name = str_z(j->arena, val_get_str(item, "file"));
	int dir CLEANUP(close_fd) = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(e, "unpack what was kept");
	if (archive_unpack_as(from, ARCHIVE_AS_TAR, dir, name, &no_limits, NULL, e) < 0)
		return -1;
	return is_packed(item, "zip") ? save_zip(j, dir, name, key, work, e) : save_bare(j, dir, name, key, e);
}

static int
save_kept(struct job *j, const struct val *item, int from, const char *path, struct err *e)
{
	const char *key = str_z(j->arena, val_get_str(item, "key")), *work = arena_fmt(j->arena, "%s.d", path).p;
	files_remove(work); /* of one that was killed */
	if (mkdir(work, 0700) < 0)
		return err_errno(e, "make a folder to pack in");
	bool tar = !is_packed(item, "zip") && !is_packed(item, "none");
	int rc = tar ? save_tar(j, item, from, key, work, e) : save_unpacked(j, item, from, key, work, e);
	files_remove(work);
	if (rc == 0)
		(void)unlink(path);
	return rc;
}

/* What was kept goes when it is saved: if it is not there, but its object is, then that was done before. */
static int
save_item(struct job *j, const struct val *item, struct err *e)
{
	const char *path = str_z(j->arena, val_get_str(item, "from")), *key = str_z(j->arena, val_get_str(item, "key"));
	int from CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from >= 0)
		return save_kept(j, item, from, path, e);
	if (errno != ENOENT)
		return err_errno(e, "open what was kept");
	return local_has(&j->repo, key) ? 0 : err_set(e, ERR_NOT_FOUND, "what the step left is gone");
}

/* ---- the job ----------------------------------------------------------------------------------------------------- */

static int
open_job(struct job *j, const char *path, struct err *e)
{
	str text;
	struct val *v = ARENA_NEW(j->arena, struct val);
	if (crypto_load(e) < 0 || files_read(path, JOB_MAX, j->arena, &text, e) < 0 || json_read(j->arena, text, v, e) < 0)
		return -1;
	j->src = v;
	j->into = val_get_str(v, "into");
	if (!j->into.p)
		return local_open(&j->repo, str_z(j->arena, val_get_str(v, "repository")), e);
	files_remove(str_z(j->arena, j->into)); /* of one that was killed */
	return local_open(&j->repo, str_z(j->arena, val_get_str(v, "repository")), e);
}

static void
answer(struct job *j)
{
	const struct val *items = val_get(j->src, S("items"));
	bool fetches = str_eq(val_get_str(j->src, "do"), S("fetch"));
	struct val_list all = { 0 };
	struct err e;
	for (uint32_t i = 0; val_is(items, VAL_LIST) && i < items->n; i++) {
		struct val_map m = { 0 };
		if ((fetches ? fetch_item(j, &items->items[i], i, &e) : save_item(j, &items->items[i], &e)) < 0)
			val_map_add(&m, S("problem"), val_str(arena_dup(j->arena, str_c(e.msg))));
		val_list_add(&all, val_map_end(&m, j->arena));
	}
	struct val v = val_list_end(&all, j->arena);
	(void)write_all(STDOUT_FILENO, json_write(j->arena, &v), &e);
}

int
main(int argc, char **argv)
{
	struct job j = { .arena = arena_new(), .repo = { -1, -1, -1, -1, -1 } };
	struct err e;
	int rc = 0;
	if (argc != 2) {
		fputs("tidegate-artifact: moves artifacts for tidegate, which starts it; it is of no use by hand\n", stderr);
		return 2;
	}
	umask(022);
	if (open_job(&j, argv[1], &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		rc = 1;
	} else {
		answer(&j);
	}
	local_close(&j.repo);
	arena_free(j.arena);
	return rc;
}
