/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack: from an archive into a folder. What the archive says is a stranger's word: names are checked first, and then every one of them is
 * opened beneath the folder by the kernel, which follows no link. Folders are made with our own mode and get theirs at the end; links are
 * made when all files are there, hard ones first, so that nothing is ever written through one.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/archive/library.h"
#include "core/files.h"
#include "core/random.h"

#define SHOWN 208 /* bytes of a path in a reason, with what says that there is more of it */

/* A path that waits for the end. */
struct later {
	str path, target; /* target: of a link */
	mode_t mode;      /* of a folder */
};

struct later_list {
	struct later *p;
	size_t n, cap;
};

struct unpack {
	const struct archive_lib *lib;
	struct archive *in;
	int fd, dir;
	enum archive_format format;
	const struct archive_limits *l;
	struct archive_sum sum;
	uint64_t names;   /* bytes of the paths in the lists */
	uint64_t implied; /* folders that were made */
	uint64_t packed;  /* bytes of the archive, where it is a regular file */
	uint64_t told;    /* of them, to who watches */
	struct arena *arena, *tmp; /* of the lists; of one entry */
	struct later_list folders, hard, soft;
	char entry[SHOWN]; /* the last one that was read, as reasons call it; empty: none was */
	bool named;        /* the reason in `e` says which entry it is about */
	struct err *e;
};

/* A path for a reason, which may end up on somebody's terminal. */
static const char *
show(str path, char to[SHOWN])
{
	snprintf(to, SHOWN, "%.*s%s", STR_ARG(str_slice(path, 0, 200)), path.n > 200 ? "..." : "");
	for (char *p = to; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return to;
}

static int
refuse(struct unpack *u, str path, const char *why)
{
	char shown[SHOWN];
	u->named = true;
	return err_set(u->e, ERR_INVALID, "the archive's entry %s is refused: %s", show(path, shown), why);
}

static int
damaged(struct unpack *u)
{
	const char *why = u->lib->archive_error_string(u->in);
	return err_set(u->e, ERR_INVALID, "the archive is damaged, or of another kind: %s", why ? why : "it ends too early");
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static bool
is_up(str part)
{
	return str_eq(part, S(".."));
}

static unsigned
depth_max(const struct unpack *u)
{
	return u->l->depth ? u->l->depth : ARCHIVE_DEPTH_MAX;
}

enum part { PATH, TARGET }; /* of an entry: where it is to lie, or what it is a hard link to */
enum flaw { ABSOLUTE, UPWARDS, LONG_NAME, LONG_PATH };
static const char *const flaws[][2] = {
	[ABSOLUTE] = { "its path is absolute", "the path it is a hard link to is absolute" },
	[UPWARDS] = { "its path leads upwards", "the path it is a hard link to leads upwards" },
	[LONG_NAME] = { "a name of it has more than 255 bytes", "a name of what it is a hard link to has more than 255 bytes" },
	[LONG_PATH] = { "its path has more than 4095 bytes", "the path it is a hard link to has more than 4095 bytes" },
};

/* The path of an entry, or of its target, without empty parts and dots, for this entry; empty: it is the folder itself. */
static int
clean(struct unpack *u, str entry, enum part what, str path, str *out)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	unsigned parts = 0;
	if (str_starts(path, S("/")))
		return refuse(u, entry, flaws[ABSOLUTE][what]);
	for (str rest = path; rest.n;) {
		str part = str_cut(&rest, '/');
		if (!part.n || str_eq(part, S(".")))
			continue;
		if (is_up(part))
			return refuse(u, entry, flaws[UPWARDS][what]);
		if (part.n > NAME_MAX)
			return refuse(u, entry, flaws[LONG_NAME][what]);
		if (++parts > depth_max(u))
			return err_set(u->e, ERR_LIMIT, "the archive has more than %u folders in each other", depth_max(u));
		buf_addf(&b, "%s%.*s", b.n ? "/" : "", STR_ARG(part));
	}
	if (b.n >= PATH_MAX)
		return refuse(u, entry, flaws[LONG_PATH][what]);
	*out = arena_dup(u->tmp, buf_str(&b));
	return 0;
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static int
too_large(struct unpack *u)
{
	return err_set(u->e, ERR_LIMIT, "the archive's files have more than %llu bytes together", (unsigned long long)u->l->bytes);
}

/* One more entry, or folder that only a path names. */
static int
count_one(struct unpack *u, uint64_t *of)
{
	if (u->l->entries && *of >= u->l->entries)
		return err_set(u->e, ERR_LIMIT, "the archive has more than %llu entries", (unsigned long long)u->l->entries);
	++*of;
	return 0;
}

/* Bytes were unpacked: a hole counts like what it stands for, since whoever reads it reads them. */
static int
count_bytes(struct unpack *u, uint64_t n)
{
	int64_t read = u->format == ARCHIVE_AS_ZIP ? -1 : u->lib->archive_filter_bytes(u->in, -1);
	uint64_t in = read >= 0 ? (uint64_t)read : u->packed;
	if (read >= 0 && in > u->told) {
		watch_moved(u->l->watch, in - u->told);
		u->told = in;
	}
	if (u->l->bytes && n > u->l->bytes - u->sum.bytes)
		return too_large(u);
	u->sum.bytes += n;
	if (u->l->ratio && u->sum.bytes > (u->l->ratio_from ? u->l->ratio_from : ARCHIVE_RATIO_FROM) && u->sum.bytes / u->l->ratio > in)
		return err_set(u->e, ERR_LIMIT, "the archive unpacks to more than %u times its size", u->l->ratio);
	return 0;
}

static int
remember(struct unpack *u, struct later_list *list, str path, str target, mode_t mode)
{
	u->names += path.n + target.n;
	if (u->names > ARCHIVE_NAMES_MAX)
		return err_set(u->e, ERR_LIMIT, "the paths of the archive's folders and links have more than %llu bytes together",
			(unsigned long long)ARCHIVE_NAMES_MAX);
	*VEC_PUSH(list) = (struct later){ arena_dup(u->arena, path), arena_dup(u->arena, target), mode };
	return 0;
}

/* ---- folders ----------------------------------------------------------------------------------------------------- */

static str
parent(str path, str *name)
{
	size_t cut = path.n;
	while (cut && path.p[cut - 1] != '/')
		cut--;
	*name = str_slice(path, cut, path.n);
	return cut ? str_slice(path, 0, cut - 1) : S("");
}

static int
clash(struct unpack *u, str path)
{
	return refuse(u, path, "something else in the archive has that name");
}

static int
make_folder(struct unpack *u, int at, const char *name, str path)
{
	int made = mkdirat(at, name, 0755);
	if (made < 0 && errno != EEXIST)
		return err_errno(u->e, "make the folder %.*s", STR_ARG(path));
	if (made == 0 && count_one(u, &u->implied) < 0)
		return -1;
	int fd = open_beneath(at, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? clash(u, path) : err_errno(u->e, "open the folder %.*s", STR_ARG(path));
	return fd;
}

/* Opens a folder of the archive; what is missing of it is made. */
static int
open_folder(struct unpack *u, str path)
{
	char name[NAME_MAX + 1];
	int fd = path.n ? open_beneath(u->dir, str_z(u->tmp, path), O_RDONLY | O_DIRECTORY, 0) : fcntl(u->dir, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : errno == ENOTDIR || errno == ELOOP ? clash(u, path) : err_errno(u->e, "open the folder %.*s", STR_ARG(path));
	fd = fcntl(u->dir, F_DUPFD_CLOEXEC, 3);
	for (str rest = path; fd >= 0 && rest.n;) {
		int above CLEANUP(close_fd) = fd;
		str part = str_cut(&rest, '/');
		snprintf(name, sizeof name, "%.*s", STR_ARG(part));
		fd = make_folder(u, above, name, path);
	}
	return fd;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int
write_block(struct unpack *u, int fd, const char *p, size_t n, int64_t at, str path)
{
	while (n) {
		ssize_t done = pwrite(fd, p, n, at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_errno(u->e, "write %.*s", STR_ARG(path));
		p += done;
		n -= (size_t)done;
		at += done;
	}
	return 0;
}

/* The bytes of the entry; *end: where the last of them lies. */
static int
copy_blocks(struct unpack *u, int fd, str path, int64_t *end)
{
	const void *p;
	size_t n;
	int64_t at;
	*end = 0;
	for (;;) {
		int rc = u->lib->archive_read_data_block(u->in, &p, &n, &at);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK)
			return damaged(u);
		if (at < *end || n > (uint64_t)(INT64_MAX - at))
			return refuse(u, path, "its parts lie over each other");
		if (count_bytes(u, (uint64_t)(at - *end) + n) < 0 || write_block(u, fd, p, n, at, path) < 0)
			return -1;
		*end = at + (int64_t)n;
	}
}

/* A hole at the end of a file has no block. */
static int
add_hole(struct unpack *u, int fd, struct archive_entry *entry, int64_t end, str path)
{
	int64_t size = u->lib->archive_entry_size_is_set(entry) ? u->lib->archive_entry_size(entry) : end;
	if (size <= end)
		return 0;
	if (count_bytes(u, (uint64_t)(size - end)) < 0)
		return -1;
	return ftruncate(fd, size) < 0 ? err_errno(u->e, "write %.*s", STR_ARG(path)) : 0;
}

static void
set_time(struct unpack *u, int fd, struct archive_entry *entry)
{
	struct timespec t[] = { { .tv_nsec = UTIME_NOW }, { u->lib->archive_entry_mtime(entry), u->lib->archive_entry_mtime_nsec(entry) } };
	if (u->lib->archive_entry_mtime_is_set(entry))
		(void)futimens(fd, t); /* a time that the file system does not know is no reason to refuse the file */
}

static int
create_file(struct unpack *u, int at, const char *name, str path)
{
	int fd = open_beneath(at, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd >= 0 || errno != EEXIST)
		return fd < 0 ? err_errno(u->e, "make %.*s", STR_ARG(path)) : fd;
	if (unlinkat(at, name, 0) < 0) /* of two files the last counts; a folder stays */
		return errno == EISDIR ? clash(u, path) : err_errno(u->e, "replace %.*s", STR_ARG(path));
	fd = open_beneath(at, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return fd < 0 ? err_errno(u->e, "make %.*s", STR_ARG(path)) : fd;
}

/* What it says it will have: nothing needs to be written to see that it is too much. */
static bool
fits(struct unpack *u, struct archive_entry *entry)
{
	int64_t size = u->lib->archive_entry_size_is_set(entry) ? u->lib->archive_entry_size(entry) : 0;
	return !u->l->bytes || size <= 0 || (uint64_t)size <= u->l->bytes - u->sum.bytes;
}

static int
unpack_file(struct unpack *u, struct archive_entry *entry, str path)
{
	str name, above = parent(path, &name);
	int64_t end;
	if (!fits(u, entry))
		return too_large(u);
	int at CLEANUP(close_fd) = open_folder(u, above);
	int fd CLEANUP(close_fd) = at < 0 ? -1 : create_file(u, at, str_z(u->tmp, name), path);
	if (fd < 0 || copy_blocks(u, fd, path, &end) < 0 || add_hole(u, fd, entry, end, path) < 0)
		return -1;
	set_time(u, fd, entry);
	return fchmod(fd, u->lib->archive_entry_perm(entry) & 0777) < 0 ? err_errno(u->e, "set the mode of %.*s", STR_ARG(path)) : 0;
}

/* ---- the other kinds --------------------------------------------------------------------------------------------- */

static int
unpack_folder(struct unpack *u, struct archive_entry *entry, str path)
{
	mode_t mode = (u->lib->archive_entry_perm(entry) & 0777) | 0700;
	int fd CLEANUP(close_fd) = open_folder(u, path);
	return fd < 0 ? -1 : remember(u, &u->folders, path, STR_NONE, mode);
}

static int
note_soft(struct unpack *u, struct archive_entry *entry, str path)
{
	const char *target = u->lib->archive_entry_symlink(entry);
	str to = str_c(target ? target : u->lib->archive_entry_symlink_utf8(entry));
	if (!to.n || to.n >= PATH_MAX)
		return refuse(u, path, "a link needs a target of up to 4095 bytes");
	if (!link_stays(path, to))
		return refuse(u, path, "it is a link to something outside");
	return remember(u, &u->soft, path, to, 0);
}

static int
note_hard(struct unpack *u, str path, str to)
{
	str target;
	return clean(u, path, TARGET, to, &target) < 0 ? -1 : remember(u, &u->hard, path, target, 0);
}

static int
unpack_kind(struct unpack *u, struct archive_entry *entry, str path)
{
	switch (u->lib->archive_entry_filetype(entry)) {
	case AE_IFREG:
		return unpack_file(u, entry, path);
	case AE_IFLNK:
		return u->l->no_links ? 0 : note_soft(u, entry, path);
	case AE_IFCHR:
	case AE_IFBLK:
		return refuse(u, path, "it is a device");
	case AE_IFIFO:
		return refuse(u, path, "it is a named pipe");
	case AE_IFSOCK:
		return refuse(u, path, "it is a socket");
	default:
		return refuse(u, path, "it is neither a file nor a folder nor a link");
	}
}

/* libarchive has a name in the charset of its archive or in that of the process: one of them is always the bytes. */
static str
name_of(const char *text, const char *utf8)
{
	return str_c(text ? text : utf8);
}

static int
take_entry(struct unpack *u, struct archive_entry *entry, str said)
{
	const struct archive_lib *lib = u->lib;
	str path;
	str hard = name_of(lib->archive_entry_hardlink(entry), lib->archive_entry_hardlink_utf8(entry));
	arena_reset(u->tmp);
	if (!said.n)
		return refuse(u, S("without a name"), "its name cannot be read");
	if (lib->archive_entry_is_encrypted(entry))
		return refuse(u, said, "it is encrypted");
	if (count_one(u, &u->sum.entries) < 0 || clean(u, said, PATH, said, &path) < 0)
		return -1;
	if (!hard.p && lib->archive_entry_filetype(entry) == AE_IFDIR)
		return path.n ? unpack_folder(u, entry, path) : 0;
	if (!path.n)
		return refuse(u, said, "it is the folder itself, and not a folder");
	return hard.p ? note_hard(u, path, hard) : unpack_kind(u, entry, path);
}

/* A limit, or damage within an entry, is said with its name. */
static int
unpack_entry(struct unpack *u, struct archive_entry *entry)
{
	str said = name_of(u->lib->archive_entry_pathname(entry), u->lib->archive_entry_pathname_utf8(entry));
	(void)show(said, u->entry);
	if (take_entry(u, entry, said) == 0)
		return 0;
	return u->named ? -1 : err_wrap(u->e, "the archive's entry %s", u->entry);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static int
make_hard(struct unpack *u, const struct later *link)
{
	str name, target, above = parent(link->path, &name), there = parent(link->target, &target);
	struct stat st;
	int at CLEANUP(close_fd) = open_folder(u, above);
	int from CLEANUP(close_fd) = at < 0 ? -1 : open_folder(u, there);
	if (from < 0)
		return -1;
	if (!target.n || fstatat(from, str_z(u->tmp, target), &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return refuse(u, link->path, "it is a hard link to what is no file of the archive");
	if (linkat(from, str_z(u->tmp, target), at, str_z(u->tmp, name), 0) < 0)
		return errno == EEXIST ? clash(u, link->path) : err_errno(u->e, "make the link %.*s", STR_ARG(link->path));
	return 0;
}

static int
make_soft(struct unpack *u, const struct later *link)
{
	str name, above = parent(link->path, &name);
	int at CLEANUP(close_fd) = open_folder(u, above);
	if (at < 0)
		return -1;
	if (symlinkat(str_z(u->tmp, link->target), at, str_z(u->tmp, name)) < 0)
		return errno == EEXIST ? clash(u, link->path) : err_errno(u->e, "make the link %.*s", STR_ARG(link->path));
	return 0;
}

static int
set_mode(struct unpack *u, const struct later *folder)
{
	int fd CLEANUP(close_fd) = open_beneath(u->dir, str_z(u->tmp, folder->path), O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 || fchmod(fd, folder->mode) < 0 ? err_errno(u->e, "set the mode of %.*s", STR_ARG(folder->path)) : 0;
}

static int
each(struct unpack *u, const struct later_list *list, int (*fn)(struct unpack *u, const struct later *one))
{
	for (size_t i = list->n; i-- > 0;) {
		arena_reset(u->tmp);
		if (fn(u, &list->p[i]) < 0)
			return -1;
	}
	return 0;
}

/*
 * A link may lead out by way of another, which its text does not show: the kernel walks them all. One that leads nowhere (ENOENT), or in a
 * circle (ELOOP), leads nobody out.
 */
static int
check_link(struct unpack *u, int dir, const struct later *link, str path)
{
	int fd CLEANUP(close_fd) = look_beneath(dir, str_z(u->tmp, path));
	return fd < 0 && errno == EXDEV ? refuse(u, link->path, "it is a link to something outside") : 0;
}

static int
check_from_top(struct unpack *u, const struct later *link)
{
	return check_link(u, u->dir, link, link->path);
}

/* Hard links in the order of the archive, since one may be of another that came before; folders backwards: it is the first that counts. */
static int
finish(struct unpack *u)
{
	for (size_t i = 0; i < u->hard.n; i++) {
		arena_reset(u->tmp);
		if (make_hard(u, &u->hard.p[i]) < 0)
			return -1;
	}
	return each(u, &u->soft, make_soft) < 0 || each(u, &u->soft, check_from_top) < 0 || each(u, &u->folders, set_mode) < 0 ? -1 : 0;
}

/* ---- the archive ------------------------------------------------------------------------------------------------- */

static int
open_archive(struct unpack *u)
{
	const struct archive_lib *lib = u->lib;
	bool zip = u->format == ARCHIVE_AS_ZIP;
	if (zip)
		lib->archive_read_support_format_zip_seekable(u->in);
	else
		lib->archive_read_support_format_tar(u->in);
	if (!zip && lib->archive_read_support_filter_gzip(u->in) != ARCHIVE_OK)
		return err_set(u->e, ERR_UNAVAILABLE, "this libarchive was built without gzip");
	return lib->archive_read_open_fd(u->in, u->fd, 64 << 10) == ARCHIVE_OK ? 0 : damaged(u);
}

static int
read_all(struct unpack *u)
{
	struct archive_entry *entry;
	int rc;
	if (open_archive(u) < 0)
		return -1;
	/* A warning is of a name in an unknown charset: its bytes are there all the same. */
	while ((rc = u->lib->archive_read_next_header(u->in, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN)
		if (unpack_entry(u, entry) < 0)
			return -1;
	if (rc == ARCHIVE_EOF)
		return finish(u);
	(void)damaged(u);
	return u->entry[0] ? err_wrap(u->e, "after the archive's entry %s", u->entry) : -1;
}

static int
begin(struct unpack *u, int fd, struct err *e)
{
	struct stat st;
	u->e = e;
	u->lib = archive_lib(e);
	if (!u->lib)
		return -1;
	u->fd = fd;
	u->in = u->lib->archive_read_new();
	u->packed = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	u->arena = arena_new();
	u->tmp = arena_new();
	return u->in ? 0 : err_set(e, ERR_IO, "no memory to read the archive");
}

static void
end(struct unpack *u, struct archive_sum *sum)
{
	if (u->in)
		u->lib->archive_read_free(u->in);
	VEC_FREE(&u->folders);
	VEC_FREE(&u->hard);
	VEC_FREE(&u->soft);
	arena_free(u->arena);
	arena_free(u->tmp);
	if (sum)
		*sum = u->sum;
}

int
archive_unpack(int fd, enum archive_format format, int dir, const struct archive_limits *l, struct archive_sum *sum, struct err *e)
{
	struct unpack u = { .dir = dir, .format = format, .l = l };
	int rc = begin(&u, fd, e) < 0 ? -1 : read_all(&u);
	end(&u, sum);
	return rc;
}

/* ---- unpacking to a name ----------------------------------------------------------------------------------------- */

/* The name of the only thing in the folder, in `tmp`; absent: there are several, or none. */
static int
only_one(struct unpack *u, str *name)
{
	int fd = fcntl(u->dir, F_DUPFD_CLOEXEC, 3);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	size_t n = 0;
	if (!d) {
		close_fd(&fd);
		return err_errno(u->e, "look at what was unpacked");
	}
	rewinddir(d);
	for (struct dirent *one; n < 2 && (one = readdir(d));)
		if (strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0 && n++ == 0)
			*name = arena_dup(u->arena, str_c(one->d_name));
	closedir(d);
	if (n != 1)
		*name = STR_NONE;
	return 0;
}

/* What is moved out of its folder must not have used that folder in its links. */
static int
check_moved(struct unpack *u, str top)
{
	int dir CLEANUP(close_fd) = u->soft.n ? open_beneath(u->dir, str_z(u->tmp, top), O_RDONLY | O_DIRECTORY, 0) : -1;
	for (size_t i = 0; i < u->soft.n; i++) {
		const struct later *link = &u->soft.p[i];
		str below = str_slice(link->path, top.n + 1, link->path.n);
		arena_reset(u->tmp);
		if (!below.n || !link_stays(below, link->target))
			return refuse(u, link->path, "it is a link to something outside");
		if (check_link(u, dir, link, below) < 0)
			return -1;
	}
	return 0;
}

static int
move(struct unpack *u, int dir, const char *folder, const char *name)
{
	str top;
	if (only_one(u, &top) < 0 || (top.n && check_moved(u, top) < 0))
		return -1;
	if (syscall(SYS_renameat2, top.n ? u->dir : dir, top.n ? top.p : folder, dir, name, RENAME_NOREPLACE) < 0)
		return err_errno(u->e, "move what was unpacked to %s", name);
	return 0;
}

int
archive_unpack_as(int fd, enum archive_format format, int dir, const char *name, const struct archive_limits *l, struct archive_sum *sum,
	struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const char *folder = arena_fmt(a, ".unpack-%.*s", STR_ARG(random_suffix(a, 16))).p;
	const char *path = arena_fmt(a, "/proc/self/fd/%d/%s", dir, folder).p;
	if (mkdirat(dir, folder, 0755) < 0)
		return err_errno(e, "make a folder to unpack in");
	int into CLEANUP(close_fd) = open_beneath(dir, folder, O_RDONLY | O_DIRECTORY, 0);
	struct unpack u = { .dir = into, .format = format, .l = l };
	int rc = into < 0 ? err_errno(e, "open the folder to unpack in") : begin(&u, fd, e);
	if (rc == 0)
		rc = read_all(&u) < 0 || move(&u, dir, folder, name) < 0 ? -1 : 0;
	end(&u, sum);
	files_remove(path); /* what failed, or is empty now */
	return rc;
}
