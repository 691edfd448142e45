/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the artifacts that a step leaves: each as a tar beside its log, which the daemon has packed as the manifest says; or a file that is
 * to have no archive as it is, so that a large one is not written twice. As with output.c the step is over, and what it left may be hostile: the path is resolved within its own root, and what lies beneath is opened in the
 * descriptor of its folder, without following any link, so that nothing can be swapped for something else.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define BLOCK 512
#define DEPTH_MAX 256

struct stage {
	int fd;
	unsigned char room[64 * 1024];
	size_t n;
	int64_t left, entries; /* bytes and entries that it may still have */
	const struct task *task;
	unsigned depth;
	char path[PATH_MAX]; /* of the entry, as the tar has it */
	struct why why;
};

/* The fields of a header, as POSIX has them. */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[8], user[32], group[32], major[8], minor[8],
		prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a block");

static int
flush(struct stage *s)
{
	for (size_t done = 0; done < s->n;) {
		ssize_t n = write(s->fd, s->room + done, s->n - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why_errno(&s->why, "keep %s", s->path);
		done += (size_t)n;
	}
	s->n = 0;
	return 0;
}

static int
too_large(struct stage *s)
{
	return why_set(&s->why, "larger than %lld bytes, the most an artifact may have", (long long)s->task->artifact_bytes);
}

static int
put(struct stage *s, const void *p, size_t n)
{
	const char *at = p;
	s->left -= (int64_t)n;
	if (s->left < 0)
		return too_large(s);
	while (n) {
		size_t fits = sizeof s->room - s->n < n ? sizeof s->room - s->n : n;
		memcpy(s->room + s->n, at, fits);
		s->n += fits;
		at += fits;
		n -= fits;
		if (s->n == sizeof s->room && flush(s) < 0)
			return -1;
	}
	return 0;
}

static int
pad(struct stage *s, int64_t n)
{
	static const char zeros[BLOCK];
	return n % BLOCK ? put(s, zeros, (size_t)(BLOCK - n % BLOCK)) : 0;
}

/* Octal, or, if it has more digits than fit, binary with the first bit set, as GNU has it. */
static void
put_number(char *to, size_t n, uint64_t v)
{
	if (v >> (3 * (n - 1)) == 0) {
		snprintf(to, n, "%0*llo", (int)n - 1, (unsigned long long)v);
		return;
	}
	for (size_t i = n; i-- > 0; v >>= 8)
		to[i] = (char)(v & 0xff);
	to[0] = (char)(to[0] | 0x80);
}

static int
put_header(struct stage *s, const char *name, char type, const struct stat *st, int64_t size, const char *link)
{
	struct header h;
	unsigned sum = 0;
	memset(&h, 0, sizeof h);
	memcpy(h.name, name, strnlen(name, sizeof h.name));
	memcpy(h.link, link, strnlen(link, sizeof h.link));
	put_number(h.mode, sizeof h.mode, st ? st->st_mode & 0777 : 0);
	put_number(h.uid, sizeof h.uid, 0);
	put_number(h.gid, sizeof h.gid, 0);
	put_number(h.size, sizeof h.size, (uint64_t)size);
	put_number(h.mtime, sizeof h.mtime, st && st->st_mtim.tv_sec > 0 ? (uint64_t)st->st_mtim.tv_sec : 0);
	memcpy(h.magic, "ustar  ", 8); /* GNU's: for long names */
	h.type = type;
	memset(h.sum, ' ', sizeof h.sum);
	for (size_t i = 0; i < sizeof h; i++)
		sum += ((const unsigned char *)&h)[i];
	snprintf(h.sum, sizeof h.sum, "%06o", sum);
	return put(s, &h, sizeof h);
}

/* A name that does not fit comes before its entry. */
static int
put_long(struct stage *s, char type, const char *text)
{
	int64_t n = (int64_t)strlen(text) + 1;
	if (n <= 100)
		return 0;
	return put_header(s, "././@LongLink", type, NULL, n, "") < 0 || put(s, text, (size_t)n) < 0 ? -1 : pad(s, n);
}

static int
put_entry(struct stage *s, char type, const struct stat *st, int64_t size, const char *link)
{
	if (--s->entries < 0)
		return why_set(&s->why, "more than %lld files", (long long)s->task->artifact_files);
	return put_long(s, 'K', link) < 0 || put_long(s, 'L', s->path) < 0 ? -1 : put_header(s, s->path, type, st, size, link);
}

static int
take_bytes(struct stage *s, int fd, int64_t left)
{
	static char chunk[64 * 1024];
	while (left > 0) {
		ssize_t n = read(fd, chunk, left < (int64_t)sizeof chunk ? (size_t)left : sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? why_errno(&s->why, "read %s", s->path) : why_set(&s->why, "%s was changed while it was kept", s->path);
		if (put(s, chunk, (size_t)n) < 0)
			return -1;
		left -= n;
	}
	return 0;
}

static int
take_file(struct stage *s, int fd, const struct stat *st)
{
	if (put_entry(s, '0', st, st->st_size, "") < 0)
		return -1;
	return take_bytes(s, fd, st->st_size) < 0 ? -1 : pad(s, st->st_size);
}

/* The kernel copies what it can; what it leaves, between file systems, or of files of /proc, is read and written. */
static int
take_bare(struct stage *s, int fd, int64_t left)
{
	ssize_t n = 0;
	if (left > s->left)
		return too_large(s);
	while (left > 0 && (n = copy_file_range(fd, NULL, s->fd, NULL, (size_t)left, 0)) > 0)
		left -= n;
	return take_bytes(s, fd, left);
}

static int take_named(struct stage *s, int dir, const char *name);

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, so that the same files make the same bytes. */
static char **
list_folder(struct stage *s, int fd, size_t *n)
{
	char **names = NULL;
	size_t cap = 0;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	*n = 0;
	for (struct dirent *one; d && (one = readdir(d));) {
		if (!strcmp(one->d_name, ".") || !strcmp(one->d_name, ".."))
			continue;
		if (*n == cap) {
			char **grown = realloc(names, (cap = cap ? cap * 2 : 64) * sizeof *names);
			if (!grown)
				_exit(1); /* the daemon then reports a helper that died */
			names = grown;
		}
		if (!(names[(*n)++] = strdup(one->d_name)))
			_exit(1);
		if ((int64_t)*n > s->entries)
			break; /* the next entry says so */
	}
	if (!d)
		why_errno(&s->why, "read the folder %s", s->path);
	else
		closedir(d);
	if (*n)
		qsort(names, *n, sizeof *names, by_name);
	return names;
}

static int
take_folder(struct stage *s, int fd, const struct stat *st)
{
	size_t n, before = strlen(s->path);
	if (s->depth >= DEPTH_MAX)
		return why_set(&s->why, "more than %d folders in each other", DEPTH_MAX);
	if (put_entry(s, '5', st, 0, "") < 0)
		return -1;
	char **names = list_folder(s, fd, &n);
	s->depth++;
	for (size_t i = 0; i < n && !s->why.text[0]; i++) {
		if ((size_t)snprintf(s->path + before, sizeof s->path - before, "/%s", names[i]) >= sizeof s->path - before)
			why_set(&s->why, "a path has more than %d bytes", PATH_MAX - 1);
		else
			(void)take_named(s, fd, names[i]);
		s->path[before] = 0;
		free(names[i]);
	}
	s->depth--;
	free(names);
	return s->why.text[0] ? -1 : 0;
}

static int
take_open(struct stage *s, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return why_errno(&s->why, "read %s", s->path);
	if (S_ISREG(st.st_mode))
		return take_file(s, fd, &st);
	if (S_ISDIR(st.st_mode))
		return take_folder(s, fd, &st);
	return why_set(&s->why, "%s is a device, a pipe or a socket, which no artifact can have", s->path);
}

static int
take_link(struct stage *s, int dir, const char *name)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n = readlinkat(dir, name, target, sizeof target - 1);
	if (n < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return why_errno(&s->why, "read the link %s", s->path);
	target[n] = 0;
	return put_entry(s, '2', &st, 0, target);
}

static int
take_named(struct stage *s, int dir, const char *name)
{
	const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
	if (fd < 0 && errno == ELOOP)
		return take_link(s, dir, name);
	if (fd < 0 && errno == ENXIO)
		return why_set(&s->why, "%s is a device, a pipe or a socket, which no artifact can have", s->path);
	if (fd < 0)
		return why_errno(&s->why, "read %s", s->path);
	int rc = take_open(s, fd);
	close(fd);
	return rc;
}

/* What the artifact is called within its tar: by the end of its path. */
static void
name_of(const char *path, char to[PATH_MAX])
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	size_t from = n;
	while (from && path[from - 1] != '/')
		from--;
	snprintf(to, PATH_MAX, "%.*s", (int)(n - from), path + from);
	if (!*to || !strcmp(to, ".") || !strcmp(to, ".."))
		snprintf(to, PATH_MAX, "artifact");
}

int
collect_open(const struct setup *s, const struct task *t, unsigned i)
{
	char name[4096];
	snprintf(name, sizeof name, "%s" TASK_ARTIFACT_FILE, t->dir, i);
	(void)unlinkat(s->tasks_fd, name, 0); /* of an earlier attempt: it may be in the repository by another name */
	return openat(s->tasks_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Returns whether it was kept as it is. */
static bool
keep(struct stage *s, int fd, bool bare)
{
	static const char end[2 * BLOCK];
	struct stat st;
	if (bare && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return take_bare(s, fd, st.st_size) == 0 && flush(s) == 0;
	if (take_open(s, fd) == 0 && put(s, end, sizeof end) == 0)
		(void)flush(s);
	return false;
}

void
collect(const struct task *t, const char *path, bool bare, int to, struct exit_buf *b)
{
	static struct stage s;
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
	if (t->sandbox != TASK_SANDBOX_OFF)
		how.resolve = RESOLVE_NO_MAGICLINKS;
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		exit_put(b, TASK_EXIT_NO_ARTIFACT, NULL, 0);
		return;
	}
	s = (struct stage){ .fd = to, .left = t->artifact_bytes, .entries = t->artifact_files, .task = t };
	name_of(path, s.path);
	if (fd < 0)
		why_errno(&s.why, "%s", path);
	else if (to < 0)
		why_set(&s.why, "there is no place to keep it");
	else
		bare = keep(&s, fd, bare);
	if (fd >= 0)
		close(fd);
	if (s.why.text[0])
		exit_put(b, TASK_EXIT_BAD_ARTIFACT, s.why.text, strlen(s.why.text));
	else
		exit_put(b, TASK_EXIT_ARTIFACT, TASK_ARTIFACT_AS_IS, bare ? strlen(TASK_ARTIFACT_AS_IS) : 0);
}
