/* SPDX-License-Identifier: Apache-2.0 */
/* save: what a step left, packed as its manifest says, to where it is to lie. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/artifact/helper/helper.h"

/* It was counted when it was kept. */
static const struct archive_limits no_limits = { 0 };

/* ---- packing ----------------------------------------------------------------------------------------------------- */

int
scratch_file(struct job *j, struct err *e)
{
	int fd = openat(j->scratch, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	return fd < 0 ? err_errno(e, "make a file to pack into") : fd;
}

static int
save_tar(struct job *j, struct place *p, const struct val *item, int from, struct err *e)
{
	int64_t level = -1;
	(void)val_to_i64(val_get(item, S("level")), &level);
	int to CLEANUP(close_fd) = scratch_file(j, e);
	return to < 0 || archive_gzip(from, to, (int)level, e) < 0 ? -1 : place_put(j, p, p->key, to, e);
}

static int
save_zip(struct job *j, struct place *p, const char *name, struct err *e)
{
	int to CLEANUP(close_fd) = scratch_file(j, e);
	if (to < 0 || archive_pack(j->scratch, name, ARCHIVE_AS_ZIP, -1, to, &no_limits, NULL, e) < 0)
		return -1;
	return place_put(j, p, p->key, to, e);
}

/* ---- as it is ---------------------------------------------------------------------------------------------------- */

static int put_folder(struct job *j, struct place *p, int dir, str key, struct err *e);

static int
put_named(struct job *j, struct place *p, int dir, const char *name, str key, struct err *e)
{
	struct stat st;
	int fd CLEANUP(close_fd) = open_beneath(dir, name, O_RDONLY, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open %.*s", STR_ARG(key));
	return S_ISDIR(st.st_mode) ? put_folder(j, p, fd, key, e) : place_put(j, p, key, fd, e);
}

/* Each file by itself, under its path behind the key. The kept tar bounds depth and number. */
static int
put_folder(struct job *j, struct place *p, int dir, str key, struct err *e)
{
	int own = fcntl(dir, F_DUPFD_CLOEXEC, 3), rc = 0;
	DIR *d = own < 0 ? NULL : fdopendir(own);
	if (!d) {
		close_fd(&own);
		return err_errno(e, "read the folder %.*s", STR_ARG(key));
	}
	for (struct dirent *one; rc == 0 && (one = readdir(d));) {
		struct arena *a CLEANUP(free_arena) = arena_new();
		if (strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0)
			rc = put_named(j, p, dir, one->d_name, arena_fmt(a, "%.*s/%s", STR_ARG(key), one->d_name), e);
	}
	closedir(d);
	return rc;
}

static uint64_t sum_beneath;

static int
add_file(const char *path UNUSED, const struct stat *st, int type, struct FTW *ftw UNUSED)
{
	if (type == FTW_F)
		sum_beneath += (uint64_t)st->st_size;
	return 0;
}

static uint64_t
bytes_beneath(const char *path)
{
	sum_beneath = 0;
	return nftw(path, add_file, 32, FTW_PHYS) == 0 ? sum_beneath : 0;
}

static int
save_bare(struct job *j, struct place *p, const char *name, struct err *e)
{
	struct stat st;
	str key = p->key;
	while (key.n > 1 && key.p[key.n - 1] == '/')
		key.n--;
	int fd CLEANUP(close_fd) = open_beneath(j->scratch, name, O_RDONLY, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open what was kept");
	if (!S_ISDIR(st.st_mode))
		return place_put(j, p, p->key, fd, e);
	job_total(j, bytes_beneath(arena_fmt(j->arena, "%s/%s", j->scratch_path, name).p));
	return p->driver->put_tree ? p->driver->put_tree(p->state, key, fd, e) : put_folder(j, p, fd, key, e);
}

/*
 * The name at the top of a kept tar is that of the artifact's path, which a zip keeps. Links are for zips only: an object is none, and as in Argo
 * a folder that has some is saved without them (a folder of any image has).
 */
static int
save_unpacked(struct job *j, struct place *p, const struct val *item, int from, struct err *e)
{
	const char *name = str_z(j->arena, val_get_str(item, "file"));
	bool zip = item_is_packed(item, "zip");
	struct archive_limits kinds = { .no_links = !zip };
	if (archive_unpack_as(from, ARCHIVE_AS_TAR, j->scratch, name, &kinds, NULL, e) < 0)
		return -1;
	int rc = zip ? save_zip(j, p, name, e) : save_bare(j, p, name, e);
	files_remove(arena_fmt(j->arena, "%s/%s", j->scratch_path, name).p);
	return rc;
}

/* ---- logs -------------------------------------------------------------------------------------------------------- */

static int
write_text(int fd, str text, struct err *e)
{
	return files_write(fd, text) < 0 ? err_errno(e, "write the log") : 0;
}

/* Of "TIME TEXT" the text; lines of the step helper's own begin with # (engine/shim/task.h). The last is whole or none. */
static int
copy_lines(FILE *from, int to, struct err *e)
{
	struct buf out CLEANUP(free_buf) = { 0 };
	char *line = NULL;
	size_t room = 0;
	int rc = 0;
	for (ssize_t n; rc == 0 && (n = getline(&line, &room, from)) > 0;) {
		str rest = { line, (size_t)n };
		if (*line == '#' || line[n - 1] != '\n')
			continue;
		(void)str_cut(&rest, ' ');
		buf_add(&out, rest);
		if (out.n > 1 << 16) {
			rc = write_text(to, buf_str(&out), e);
			out.n = 0;
		}
	}
	free(line);
	return rc < 0 ? -1 : write_text(to, buf_str(&out), e);
}

static int
save_log(struct job *j, const struct val *item, const char *path, struct err *e)
{
	struct place p;
	FILE *from = fopen(path, "re"); /* one that never began has none: it is empty */
	int to CLEANUP(close_fd) = scratch_file(j, e);
	int rc = to < 0 ? -1 : from ? copy_lines(from, to, e) : 0;
	if (from)
		fclose(from);
	if (rc < 0)
		return -1;
	rc = place_open(j, item, &p, e);
	if (rc == 0)
		rc = p.driver->put ? place_put(j, &p, p.key, to, e) : err_set(e, ERR_UNSUPPORTED, "nothing can be saved in %s", p.driver->name);
	place_close(&p);
	return rc;
}

/* ---- an item ----------------------------------------------------------------------------------------------------- */

static int
save_packed(struct job *j, struct place *p, const struct val *item, int from, struct err *e)
{
	if (val_is_true(val_get(item, S("asIs"))))
		return place_put(j, p, p->key, from, e);
	if (item_is_packed(item, "zip") || item_is_packed(item, "none"))
		return save_unpacked(j, p, item, from, e);
	return save_tar(j, p, item, from, e);
}

static int
save_kept(struct job *j, const struct val *item, int from, struct err *e)
{
	struct place p;
	int rc = place_open(j, item, &p, e);
	if (rc == 0 && !p.driver->put)
		rc = err_set(e, ERR_UNSUPPORTED, "nothing can be saved in %s", p.driver->name);
	if (rc == 0 && lseek(from, 0, SEEK_SET) < 0)
		rc = err_errno(e, "read what was kept");
	if (rc == 0)
		rc = save_packed(j, &p, item, from, e);
	place_close(&p);
	return rc;
}

/* Whoever is asked again knows by this file that the object is there: what was kept is not. */
static int
set_mark(const char *path, const char *mark, struct err *e)
{
	int fd CLEANUP(close_fd) = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 || unlink(path) < 0 ? err_errno(e, "note that it is saved") : 0;
}

static int
save_once(struct job *j, const struct val *item, const char *path, struct err *e)
{
	const char *mark = arena_fmt(j->arena, "%s.saved", path).p;
	int from CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from >= 0) {
		(void)unlink(mark); /* of an earlier attempt of the step */
		return save_kept(j, item, from, e) < 0 ? -1 : set_mark(path, mark, e);
	}
	if (errno != ENOENT)
		return err_errno(e, "open what was kept");
	return access(mark, F_OK) == 0 ? 0 : err_set(e, ERR_NOT_FOUND, "what the step left is gone");
}

int
save_item(struct job *j, const struct val *item, struct err *e)
{
	str log = val_get_str(item, "log");
	int rc = log.p ? save_log(j, item, str_z(j->arena, log), e) : save_once(j, item, str_z(j->arena, val_get_str(item, "from")), e);
	if (rc == 0)
		(void)unlink(place_journal(j, item));
	return rc;
}

void
abandon_item(struct job *j, const struct val *item)
{
	struct place p;
	struct err e;
	const char *journal = place_journal(j, item);
	if (access(journal, F_OK) < 0)
		return;
	if (place_open(j, item, &p, &e) == 0 && p.driver->abandon)
		p.driver->abandon(p.state);
	place_close(&p);
	(void)unlink(journal);
}
