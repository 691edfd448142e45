/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack: a file or a tree into an archive. What is packed may be a step's, which would like us to read something else: each name is opened
 * in its folder's descriptor, no link is followed, and what is neither file, folder nor link is refused.
 */
#include <errno.h>
#include <limits.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/archive/library.h"

struct pack {
	const struct archive_lib *lib;
	struct archive *out;
	struct archive_entry *entry;
	const struct archive_limits *l;
	struct archive_sum sum;
	struct buf path;  /* of what is packed at the moment */
	unsigned depth;
	char block[64 << 10];
	struct err *e;
};

static int pack_one(struct pack *k, int dir, const char *name);

static int
cannot_write(struct pack *k)
{
	const char *why = k->lib->archive_error_string(k->out);
	return err_set(k->e, ERR_IO, "write the archive: %s", why ? why : "it was refused");
}

static int
changed(struct pack *k)
{
	return err_set(k->e, ERR_INVALID, "%s was changed while it was packed", k->path.p);
}

static struct archive_entry *
new_entry(struct pack *k, const struct stat *st)
{
	const struct archive_lib *lib = k->lib;
	if (k->entry)
		lib->archive_entry_free(k->entry);
	k->entry = lib->archive_entry_new();
	lib->archive_entry_set_pathname(k->entry, k->path.p);
	lib->archive_entry_set_filetype(k->entry, st->st_mode & S_IFMT);
	lib->archive_entry_set_perm(k->entry, st->st_mode & 0777);
	lib->archive_entry_set_mtime(k->entry, st->st_mtim.tv_sec, 0);
	return k->entry;
}

static int
put_entry(struct pack *k)
{
	int rc = k->lib->archive_write_header(k->out, k->entry);
	return rc == ARCHIVE_OK || rc == ARCHIVE_WARN ? 0 : cannot_write(k);
}

static int
count_bytes(struct pack *k, uint64_t n)
{
	if (k->l->bytes && n > k->l->bytes - k->sum.bytes)
		return err_set(k->e, ERR_LIMIT, "the files have more than %llu bytes together", (unsigned long long)k->l->bytes);
	k->sum.bytes += n;
	return 0;
}

static int
copy_bytes(struct pack *k, int fd, int64_t left)
{
	while (left > 0) {
		ssize_t n = read(fd, k->block, left < (int64_t)sizeof k->block ? (size_t)left : sizeof k->block);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(k->e, "read %s", k->path.p);
		if (n == 0)
			return changed(k);
		if (k->lib->archive_write_data(k->out, k->block, (size_t)n) != n)
			return cannot_write(k);
		left -= n;
	}
	return 0;
}

static int
pack_file(struct pack *k, int dir, const char *name)
{
	struct stat st;
	int fd CLEANUP(close_fd) = open_beneath(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ELOOP ? changed(k) : err_errno(k->e, "read %s", k->path.p);
	if (!S_ISREG(st.st_mode))
		return changed(k);
	if (count_bytes(k, (uint64_t)st.st_size) < 0)
		return -1;
	k->lib->archive_entry_set_size(new_entry(k, &st), st.st_size);
	return put_entry(k) < 0 ? -1 : copy_bytes(k, fd, st.st_size);
}

static int
pack_link(struct pack *k, int dir, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof target - 1);
	if (n < 0)
		return errno == EINVAL ? changed(k) : err_errno(k->e, "read the link %s", k->path.p);
	target[n] = 0;
	k->lib->archive_entry_set_symlink(new_entry(k, st), target);
	return put_entry(k);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
	char **p;
	size_t n, cap;
};

static void
free_names(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->p[i]);
	VEC_FREE(names);
}

static int
list_folder(struct pack *k, int fd, struct names *names)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	if (!d) {
		close_fd(&own);
		return err_errno(k->e, "read the folder %s", k->path.p);
	}
	for (struct dirent *one; (one = readdir(d));) {
		if (strcmp(one->d_name, ".") == 0 || strcmp(one->d_name, "..") == 0)
			continue;
		*VEC_PUSH(names) = mem_text(str_c(one->d_name));
		if (k->l->entries && names->n > k->l->entries)
			break; /* pack_one says so */
	}
	closedir(d);
	if (names->n)
		qsort(names->p, names->n, sizeof *names->p, by_name);
	return 0;
}

static int
pack_inside(struct pack *k, int fd)
{
	struct names names CLEANUP(free_names) = { 0 };
	size_t before = k->path.n;
	int rc = list_folder(k, fd, &names);
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		buf_addf(&k->path, "/%s", names.p[i]);
		rc = pack_one(k, fd, names.p[i]);
		k->path.n = before;
		k->path.p[before] = 0;
	}
	return rc;
}

static int
pack_folder(struct pack *k, int dir, const char *name)
{
	struct stat st;
	const unsigned most = k->l->depth ? k->l->depth : ARCHIVE_DEPTH_MAX;
	int fd CLEANUP(close_fd) = open_beneath(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ELOOP || errno == ENOTDIR ? changed(k) : err_errno(k->e, "read the folder %s", k->path.p);
	new_entry(k, &st);
	if (put_entry(k) < 0)
		return -1;
	if (k->depth + 1 >= most) /* its files would be one deeper */
		return err_set(k->e, ERR_LIMIT, "there are more than %u folders in each other", most);
	k->depth++;
	int rc = pack_inside(k, fd);
	k->depth--;
	return rc;
}

static int
pack_one(struct pack *k, int dir, const char *name)
{
	struct stat st;
	if (k->l->entries && k->sum.entries >= k->l->entries)
		return err_set(k->e, ERR_LIMIT, "there are more than %llu files", (unsigned long long)k->l->entries);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(k->e, "%s", k->path.p);
	k->sum.entries++;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return pack_file(k, dir, name);
	case S_IFDIR:
		return pack_folder(k, dir, name);
	case S_IFLNK:
		return pack_link(k, dir, name, &st);
	default:
		return err_set(k->e, ERR_INVALID, "%s is a device, a pipe or a socket, which no artifact can have", k->path.p);
	}
}

static int
add_gzip(struct pack *k, int level)
{
	char digit[] = { (char)('0' + level), 0 };
	int rc = k->lib->archive_write_add_filter_gzip(k->out);
	rc |= k->lib->archive_write_set_filter_option(k->out, "gzip", "timestamp", NULL);
	rc |= level >= 0 && level <= 9 ? k->lib->archive_write_set_filter_option(k->out, "gzip", "compression-level", digit) : 0;
	return rc == ARCHIVE_OK ? 0 : cannot_write(k);
}

/* The same files make the same bytes: gzip has no time, and blocks are not filled up beyond the archive's end. */
static int
set_up(struct pack *k, enum archive_format format, int level)
{
	const struct archive_lib *lib = k->lib;
	int rc = 0;
	lib->archive_write_set_bytes_in_last_block(k->out, 1);
	if (format == ARCHIVE_AS_ZIP) {
		rc |= lib->archive_write_set_format_zip(k->out);
		rc |= level == 0 ? lib->archive_write_set_format_option(k->out, "zip", "compression", "store") : 0;
		return rc == ARCHIVE_OK ? 0 : cannot_write(k);
	}
	rc |= lib->archive_write_set_format_pax_restricted(k->out);
	return rc == ARCHIVE_OK ? add_gzip(k, level) : cannot_write(k);
}

static int
pack_all(struct pack *k, int dir, const char *name, enum archive_format format, int level, int fd)
{
	if (!k->out)
		return err_set(k->e, ERR_IO, "no memory to write an archive");
	if (set_up(k, format, level) < 0)
		return -1;
	if (k->lib->archive_write_open_fd(k->out, fd) != ARCHIVE_OK)
		return cannot_write(k);
	buf_add(&k->path, str_c(name));
	if (pack_one(k, dir, name) < 0)
		return -1;
	return k->lib->archive_write_close(k->out) == ARCHIVE_OK ? 0 : cannot_write(k);
}

/* libarchive's raw format: the bytes of one entry as they are, for the filter. */
static int
gzip_all(struct pack *k, int from, int to, int level)
{
	struct stat st = { .st_mode = S_IFREG };
	if (!k->out)
		return err_set(k->e, ERR_IO, "no memory to write an archive");
	k->lib->archive_write_set_bytes_in_last_block(k->out, 1);
	if (k->lib->archive_write_set_format_raw(k->out) != ARCHIVE_OK)
		return cannot_write(k);
	if (add_gzip(k, level) < 0)
		return -1;
	if (k->lib->archive_write_open_fd(k->out, to) != ARCHIVE_OK)
		return cannot_write(k);
	buf_add(&k->path, S("data"));
	new_entry(k, &st);
	if (fstat(from, &st) < 0 || lseek(from, 0, SEEK_SET) < 0)
		return err_errno(k->e, "read what is to be packed");
	if (put_entry(k) < 0 || copy_bytes(k, from, st.st_size) < 0)
		return -1;
	return k->lib->archive_write_close(k->out) == ARCHIVE_OK ? 0 : cannot_write(k);
}

static void
drop(struct pack *k)
{
	if (k->out)
		k->lib->archive_write_free(k->out);
	if (k->entry)
		k->lib->archive_entry_free(k->entry);
	buf_free(&k->path);
	free(k);
}

int
archive_gzip(int from, int to, int level, struct err *e)
{
	const struct archive_lib *lib = archive_lib(e);
	if (!lib)
		return -1;
	struct pack *k = MEM_NEW(struct pack);
	*k = (struct pack){ .lib = lib, .out = lib->archive_write_new(), .e = e };
	int rc = gzip_all(k, from, to, level);
	drop(k);
	return rc;
}

int
archive_pack(int dir, const char *name, enum archive_format format, int level, int fd, const struct archive_limits *l,
	struct archive_sum *sum, struct err *e)
{
	const struct archive_lib *lib = archive_lib(e);
	if (!lib)
		return -1;
	struct pack *k = MEM_NEW(struct pack);
	*k = (struct pack){ .lib = lib, .out = lib->archive_write_new(), .l = l, .e = e };
	int rc = pack_all(k, dir, name, format, level, fd);
	if (sum)
		*sum = k->sum;
	drop(k);
	return rc;
}

bool
archive_is_tar_gz(int fd)
{
	struct err ignored;
	struct archive_entry *entry;
	unsigned char magic[2];
	if (pread(fd, magic, 2, 0) != 2 || magic[0] != 0x1f || magic[1] != 0x8b)
		return false;
	const struct archive_lib *lib = archive_lib(&ignored);
	struct archive *in = lib ? lib->archive_read_new() : NULL;
	if (!in)
		return false;
	lib->archive_read_support_format_tar(in);
	lib->archive_read_support_filter_gzip(in);
	(void)lseek(fd, 0, SEEK_SET);
	int rc = lib->archive_read_open_fd(in, fd, 64 << 10);
	rc = rc == ARCHIVE_OK ? lib->archive_read_next_header(in, &entry) : rc;
	lib->archive_read_free(in);
	(void)lseek(fd, 0, SEEK_SET);
	return rc == ARCHIVE_OK || rc == ARCHIVE_WARN;
}
