/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/file_look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define YOUNG (20 * NS_PER_MS)  /* times of files advance in steps of up to 10 ms */
#define REST (1 * NS_PER_SEC)   /* a lease says that nobody writes; this long ago nobody did */
#define FINDS 8                 /* attempts to watch what is above, while it changes */

struct file_job *
file_job_new(enum file_job_kind kind, str directory, struct watch_match *match)
{
	struct arena *a = arena_new();
	struct file_job *j = ARENA_NEW(a, struct file_job);
	*j = (struct file_job){ .arena = a, .kind = kind, .directory = str_z(a, directory), .match = watch_match_ref(match), .fd = -1,
	                        .old_wd = -1, .wd = -1 };
	return j;
}

void
file_job_free(void *job)
{
	struct file_job *j = job;
	close_fd(&j->fd);
	watch_look_free(j->look);
	watch_match_unref(j->match);
	VEC_FREE(&j->facts);
	arena_free(j->arena);
}

/* ---- a name --------------------------------------------------------------------------------------------------------- */

/*
 * Whether somebody has it open for writing: then the kernel gives no read lease (fcntl(2), F_SETLEASE). It is for the file's owner and
 * for root, and not on every file system; it is given back at once, and who opens the file meanwhile waits so long. A lease that is broken sends
 * a signal that would end the process: one that is ignored instead.
 */
static enum watch_complete
has_no_writer(int dir, const char *name)
{
	int fd CLEANUP(close_fd) = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_SETSIG, SIGURG) < 0)
		return WATCH_NOT_SURE;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN ? WATCH_INCOMPLETE : WATCH_NOT_SURE;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK); /* closing gives it back, too */
	return WATCH_COMPLETE;
}

static int64_t
ns_of(struct timespec t)
{
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

/* false: there is none of that name. */
static bool
look_at(int dir, const char *name, bool ask, struct watch_seen *out)
{
	struct stat st;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	int64_t now = clock_wall_ns(), age = now - ns_of(st.st_ctim);
	bool contains = !S_ISDIR(st.st_mode);
	out->stamp = (struct watch_stamp){ .id = st.st_ino, .size = contains ? st.st_size : 0, .mtime = contains ? ns_of(st.st_mtim) : 0,
	                                   .ctime = contains ? ns_of(st.st_ctim) : 0, .mode = st.st_mode };
	int64_t old = now - ns_of(st.st_mtim);
	out->young = old > -YOUNG && old < YOUNG;
	/* Of the other kinds, and of another name of a file, nobody will say that they are closed. */
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		out->complete = WATCH_COMPLETE;
	else
		out->complete = ask ? has_no_writer(dir, name) : WATCH_NOT_SURE;
	if (ask && S_ISREG(st.st_mode) && out->complete == WATCH_COMPLETE && age < REST && age > -REST)
		out->complete = WATCH_INCOMPLETE;
	return true;
}

static int
open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
look_at_names(struct file_job *j)
{
	int dir CLEANUP(close_fd) = open_directory(j->directory);
	for (size_t i = 0; dir >= 0 && i < j->facts.n; i++) {
		struct file_fact *f = &j->facts.p[i];
		const struct file_fact *before = i ? f - 1 : NULL;
		if (before && before->fact != WATCH_STILL && str_eq(before->seen.name, f->seen.name)) {
			str name = f->seen.name;
			f->is_there = before->is_there;
			f->seen = before->seen;
			f->seen.name = name;
		} else {
			f->is_there = look_at(dir, f->seen.name.p, f->fact == WATCH_STILL, &f->seen);
		}
	}
}

/* ---- the directory -------------------------------------------------------------------------------------------------- */

static int
list(struct file_job *j)
{
	int fd = open_directory(j->directory);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		err_errno(&j->err, "directory %s", j->directory);
		close_fd(&fd);
		return -1;
	}
	j->look = watch_look_new();
	int rc = 0;
	errno = 0;
	for (const struct dirent *d; rc == 0 && (d = readdir(dir)); errno = 0) {
		struct watch_seen seen = { .name = str_c(d->d_name) };
		if (str_eq(seen.name, S(".")) || str_eq(seen.name, S("..")))
			continue;
		rc = watch_look_count(j->look, &j->err) < 0 ? -1 : watch_matches(j->match, seen.name, &j->err);
		if (rc > 0)
			rc = look_at(fd, d->d_name, true, &seen) ? watch_look_add(j->look, &seen, &j->err) : 0;
	}
	if (rc == 0 && errno)
		rc = err_errno(&j->err, "directory %s", j->directory);
	closedir(dir);
	int queued = 0;
	if (j->fd >= 0 && ioctl(j->fd, FIONREAD, &queued) == 0)
		j->queued = (size_t)queued;
	return rc;
}

static bool
is_missing(int error)
{
	return error == ENOENT || error == ENOTDIR;
}

/* The nearest directory above that there is, to be told when the next part of the path comes or changes. */
static int
watch_above(struct file_job *j)
{
	const uint32_t mask = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
	struct stat st;
	for (str below = str_c(j->directory);;) {
		size_t slash = below.n - 1;
		while (slash && below.p[slash] != '/')
			slash--;
		str above = slash ? str_slice(below, 0, slash) : S("/");
		j->wd = inotify_add_watch(j->fd, str_z(j->arena, above), mask);
		if (j->wd >= 0) {
			j->awaited = str_z(j->arena, str_slice(below, slash + 1, below.n));
			j->away = stat(str_z(j->arena, below), &st) < 0 || !S_ISDIR(st.st_mode); /* else it has come meanwhile */
			return err_set(&j->err, ERR_NOT_FOUND, "directory %s is not there: waiting for %s in %.*s", j->directory, j->awaited,
			               STR_ARG(above));
		}
		if (!is_missing(errno) || !slash)
			return err_errno(&j->err, "directory %s: watching %.*s", j->directory, STR_ARG(above));
		below = above;
	}
}

static void
find(struct file_job *j)
{
	if (j->old_wd >= 0)
		(void)inotify_rm_watch(j->fd, j->old_wd); /* it may have gone by itself */
	for (int i = 0; i < FINDS; i++) {
		j->err = (struct err){ 0 };
		j->wd = inotify_add_watch(j->fd, j->directory, j->mask | IN_ONLYDIR);
		if (j->wd >= 0) {
			(void)list(j); /* err says why not */
			return;
		}
		if (!is_missing(errno)) {
			const char *hint = errno == ENOSPC ? " (sysctl fs.inotify.max_user_watches)" : "";
			err_errno(&j->err, "watching directory %s%s", j->directory, hint);
			return;
		}
		(void)watch_above(j);
		if (j->wd < 0 || j->away)
			return;
		(void)inotify_rm_watch(j->fd, j->wd);
		j->wd = -1;
	}
	err_set(&j->err, ERR_UNAVAILABLE, "directory %s comes and goes", j->directory);
}

void
file_job_work(void *job)
{
	struct file_job *j = job;
	int64_t begin = clock_monotonic_ns();
	if (j->kind == FILE_NAMES)
		look_at_names(j);
	else if (j->kind == FILE_OPEN && j->fd >= 0)
		find(j);
	else
		(void)list(j); /* err says why not */
	j->took_ns = clock_monotonic_ns() - begin;
}
