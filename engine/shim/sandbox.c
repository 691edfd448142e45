/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The step's own root. The namespaces are new when this runs; nothing here is visible to anyone else.
 *
 *   /                a tmpfs of its own, writable (or a writable overlay over an image's root file system)
 *   /usr, /bin ...   the host's, read-only
 *   /etc             copies of the few files that programs need; no secrets of the host
 *   /dev             null, zero, full, random, urandom, tty, shm and the usual links
 *   /proc            of the step's own process namespace, read-only: /proc/sys and the like belong to root
 *   /argo/staging    the script
 *   volumes          where the manifest says; parents are made
 *
 * What comes from the host is cloned as detached trees first, then the root is changed and the old one dropped, and
 * only then are the trees put into place: every path of the manifest is thus resolved inside the new root, and no link
 * in an image or volume can lead out of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define TREES_MAX 256
#define ETC_FILE_MAX (1 << 20)
#define STAGE "/.stage" /* where files of volumes are written; gone before the command starts */
#define ROOT_SIZE "25%" /* of memory, for what a step writes outside its volumes */

/* The volume records: what the next mounts refer to. */
struct volume {
	uint32_t kind;
	const char *source;
	size_t index; /* of a volume of files: its folder on the stage */
};

/* The mount that a path lies beneath, being looked for. */
struct cover {
	const char *path;
	struct volume volume;
	const char *sub;
	size_t n; /* of the path, that the mount has; 0: none */
	bool read_only;
};

/* Something of the host on its way into the root. */
struct tree {
	int fd;
	const char *to;
	bool file;
};
struct build {
	const struct setup *setup;
	const struct task *task;
	struct why *why;
	int root, proc;
	struct tree trees[TREES_MAX];
	size_t n;
	struct cover cover;
};

static const char *const system_folders[] = { "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt",
	"/nix" };
#define SYSTEM_FOLDERS (sizeof system_folders / sizeof *system_folders)
/* World-readable, small, and asked for by programs that work anywhere. */
static const char *const etc_files[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/passwd", "/etc/group",
	"/etc/nsswitch.conf", "/etc/ld.so.cache", "/etc/services", "/etc/protocols", "/etc/gitconfig",
	"/etc/os-release", "/etc/localtime", "/etc/ssl/openssl.cnf" };
#define ETC_FILES (sizeof etc_files / sizeof *etc_files)
#define ETC_FILES_OF_IMAGES 2 /* the first ones: an image has its own of the others */
static const char *const etc_folders[] = { "/etc/alternatives", "/etc/ssl/certs", "/etc/ca-certificates" };
static const struct {
	const char *path;
	unsigned minor;
} devices[] = { { "/dev/null", 3 }, { "/dev/zero", 5 }, { "/dev/full", 7 }, { "/dev/random", 8 },
	{ "/dev/urandom", 9 } };

/* What the server has seen of the host; monitors inherit it. */
static struct {
	struct {
		bool there;
		char link[64];
	} folders[SYSTEM_FOLDERS]; /* a link on a merged-usr host */
	struct {
		char *text;
		size_t n;
	} etc[ETC_FILES];
	struct timespec changed[3]; /* of /etc and of the two files that change in place */
} host;

/* ---- looking, in the server ---------------------------------------------------------------------------------- */

static void
look_at_etc(size_t i)
{
	int fd = open(etc_files[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	free(host.etc[i].text);
	host.etc[i].text = NULL;
	host.etc[i].n = 0;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH) && st.st_size <= ETC_FILE_MAX) {
		char *text = malloc((size_t)st.st_size + 1);
		ssize_t n = text ? read(fd, text, (size_t)st.st_size) : -1;
		host.etc[i].text = n >= 0 ? text : NULL;
		host.etc[i].n = n >= 0 ? (size_t)n : 0;
	}
	close(fd);
}

void
sandbox_look(void)
{
	static const char *const watched[] = { "/etc", "/etc/resolv.conf", "/etc/hosts" };
	struct timespec now[3] = { { 0 } };
	struct stat st;
	for (size_t i = 0; i < 3; i++)
		if (stat(watched[i], &st) == 0)
			now[i] = st.st_mtim;
	if (!memcmp(now, host.changed, sizeof now))
		return;
	memcpy(host.changed, now, sizeof now);
	for (size_t i = 0; i < ETC_FILES; i++)
		look_at_etc(i);
	for (size_t i = 0; i < SYSTEM_FOLDERS; i++) {
		host.folders[i].there = lstat(system_folders[i], &st) == 0 && S_ISDIR(st.st_mode);
		memset(host.folders[i].link, 0, sizeof host.folders[i].link);
		(void)!readlink(
			system_folders[i], host.folders[i].link, sizeof host.folders[i].link - 1); /* empty: no link */
	}
}

bool
sandbox_nested(void)
{
	char map[64];
	unsigned inside, outside, count;
	int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, map, sizeof map - 1);
	if (fd >= 0)
		close(fd);
	map[n > 0 ? n : 0] = 0;
	return sscanf(map, "%u %u %u", &inside, &outside, &count) != 3 || count != UINT32_MAX;
}

/* ---- from the host ------------------------------------------------------------------------------------------- */

static int
add_tree(struct build *b, int fd, const char *to, uint64_t attributes)
{
	if (b->n == TREES_MAX)
		return why_set(b->why, "more than %d mounts", TREES_MAX);
	struct stat st;
	if (fstat(fd, &st) < 0)
		return why_errno(b->why, "mount %s", to);
	struct mount_attr attr = { .attr_set = attributes };
	if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
		return why_errno(b->why, "mount %s: set its flags", to);
	b->trees[b->n++] = (struct tree){ fd, to, !S_ISDIR(st.st_mode) };
	return 0;
}

/* Clones the host's `from` to be mounted at `to`. Missing is fine if `optional`. */
static int
take(struct build *b, const char *from, const char *to, uint64_t attributes, bool optional)
{
	int fd = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0)
		return optional && errno == ENOENT ? 0 : why_errno(b->why, "mount %s", from);
	return add_tree(b, fd, to, attributes);
}

static int
take_system(struct build *b)
{
	for (size_t i = 0; i < SYSTEM_FOLDERS; i++)
		if (host.folders[i].there &&
			take(b, system_folders[i], system_folders[i],
				MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, true) < 0)
			return -1;
	for (size_t i = 0; i < sizeof etc_folders / sizeof *etc_folders; i++)
		if (take(b, etc_folders[i], etc_folders[i], MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
			    true) < 0)
			return -1;
	return 0;
}

/* A folder that who may write to the volume may write to as well, as the kubelet makes it; it may be there: the next open decides. */
static void
make_folder(int fd, const char *name, mode_t mode)
{
	mode_t mask = umask(0);
	(void)mkdirat(fd, name, mode);
	umask(mask);
}

/* A link in it stays within what is open at `fd`. Again, as the kernel asks for, if somebody renamed something meanwhile and it could not be sure. */
static int
open_within(int fd, const char *path)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int found;
	do
		found = (int)syscall(SYS_openat2, fd, path, &how, sizeof how);
	while (found < 0 && (errno == EAGAIN || errno == EINTR));
	return found;
}

/* The next part of a path, into `part`; 0: there is none, -1: it is too long. */
static int
next_part(const char **at, char part[NAME_MAX + 1])
{
	*at += strspn(*at, "/");
	size_t n = strcspn(*at, "/");
	if (n > NAME_MAX)
		return errno = ENAMETOOLONG, -1;
	memcpy(part, *at, n);
	part[n] = 0;
	*at += n;
	return n > 0;
}

/* Opens `sub` inside the volume open at `fd`, never outside it; makes the folders that are missing. Takes `fd`. */
static int
enter_sub_path(int fd, const char *sub)
{
	struct stat volume = { .st_mode = 0755 };
	(void)fstat(fd, &volume);
	char part[NAME_MAX + 1];
	int found = open_within(fd, sub), more = 0;
	/* Component by component, each beneath the one before. */
	while (found < 0 && errno == ENOENT && (more = next_part(&sub, part)) > 0) {
		make_folder(fd, part, volume.st_mode & 0777);
		int next = open_within(fd, part);
		int code = errno;
		close(fd);
		errno = code;
		if (next < 0)
			return -1;
		fd = next;
		errno = ENOENT; /* of what comes below */
	}
	if (found < 0 && more == 0 && errno == ENOENT)
		return fd; /* all of it is there now */
	int code = errno;
	close(fd);
	errno = code;
	return found;
}

/* `what` cannot be mounted: for errno. */
static int
why_no_tree(struct build *b, const char *to, const char *what, const char *sub)
{
	if (sub && errno == EXDEV)
		return why_set(b->why, "volume for %s: subPath %s leads out of the volume", to, sub);
	return why_errno(b->why, "volume for %s: %s%s%s", to, what, sub ? "/" : "", sub ? sub : "");
}

static int
open_volume(struct build *b, const struct volume *v)
{
	if (v->kind == TASK_VOLUME_CLAIM)
		return claim_volume_open(v->source);
	if (v->kind == TASK_VOLUME_HOST || v->kind == TASK_VOLUME_INPUT) {
		/* The daemon resolved the path before it checked it: a link in it now was put there since. */
		const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
		return (int)syscall(SYS_openat2, AT_FDCWD, v->source, &how, sizeof how);
	}
	char path[8192];
	if ((size_t)snprintf(path, sizeof path, "%s/%s/%s", b->setup->tasks_path, b->task->dir, v->source) >=
		sizeof path)
		return errno = ENAMETOOLONG, -1;
	int fd = task_open_dir(b->setup->tasks_fd, b->task->dir);
	if (fd < 0)
		return -1;
	if (mkdirat(fd, v->source, 0777) == 0)
		(void)!fchmodat(fd, v->source, 0777, 0); /* whatever the umask: any user of the step may write */
	close(fd);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int lay_in_volume(struct build *b, const char *from, const char *to);

static int
take_volume(struct build *b, const struct volume *v, const char *to, const char *sub, bool read_only)
{
	int laid = v->kind == TASK_VOLUME_INPUT ? lay_in_volume(b, v->source, to) : 0;
	if (laid)
		return laid < 0 ? -1 : 0;
	int fd = open_volume(b, v);
	if (fd < 0 && v->kind == TASK_VOLUME_INPUT && errno == ENOENT)
		return 0;
	if (fd >= 0 && sub)
		fd = enter_sub_path(fd, sub);
	int tree = fd < 0 ? -1 : open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree < 0)
		return why_no_tree(b, to, v->source, sub);
	close(fd);
	return add_tree(b, tree, to, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0));
}

/* Calls `fn` for each mount with its volume and sub path. */
static int
each_mount(
	struct build *b, int (*fn)(struct build *b, const struct volume *v, const char *to, const char *sub, bool ro))
{
	struct volume v = { 0 };
	size_t volumes = 0;
	struct record r, next;
	for (const char *at = b->task->records; record_next(&at, b->task->records_end, &r);) {
		if (r.type >= TASK_VOLUME && r.type <= TASK_VOLUME_FILES) {
			v = (struct volume){ r.type, r.p, volumes++ };
		} else if (r.type == TASK_MOUNT || r.type == TASK_MOUNT_RO) {
			const char *peek = at, *sub = NULL;
			if (record_next(&peek, b->task->records_end, &next) && next.type == TASK_SUB_PATH)
				sub = next.p;
			if (fn(b, &v, r.p, sub, r.type == TASK_MOUNT_RO) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- artifacts that lie in a volume: files of it, for all who mount it, as in Argo ---------------------------------- */

static int
note_cover(struct build *b, const struct volume *v, const char *to, const char *sub, bool read_only)
{
	struct cover *c = &b->cover;
	size_t n = strlen(to);
	while (n && to[n - 1] == '/')
		n--;
	if (v->kind != TASK_VOLUME_INPUT && n > c->n && !strncmp(c->path, to, n) && c->path[n] == '/')
		*c = (struct cover){ c->path, *v, sub, n, read_only };
	return 0;
}

/* Opens the folder of the volume in which the rest of the path has its last part. */
static int
open_cover(struct build *b, const struct cover *c, const char *folder)
{
	int fd = open_volume(b, &c->volume);
	if (fd >= 0 && c->sub)
		fd = enter_sub_path(fd, c->sub);
	return fd >= 0 && *folder ? enter_sub_path(fd, folder) : fd;
}

/* What is there goes: where a name cannot just change its owner, to where the artifact was, and with that. */
static int
replace(const char *from, int dir, const char *name)
{
	char was[PATH_MAX];
	if (syscall(SYS_renameat2, AT_FDCWD, from, dir, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != ENOTDIR && errno != ENOTEMPTY && errno != EEXIST)
		return -1;
	if ((size_t)snprintf(was, sizeof was, "%s.was", from) >= sizeof was)
		return errno = ENAMETOOLONG, -1;
	return syscall(SYS_renameat2, AT_FDCWD, from, dir, name, 2 /* RENAME_EXCHANGE */) < 0 ? -1 : rename(from, was);
}

/* 1: it lies there; 0: it is to be mounted, as what holds it is no folder of this file system, or is not to be written to. */
static int
lay_in_volume(struct build *b, const char *from, const char *to)
{
	struct cover *c = &b->cover;
	char path[PATH_MAX];
	*c = (struct cover){ .path = to };
	(void)each_mount(b, note_cover);
	if (!c->n || c->read_only || c->volume.kind == TASK_VOLUME_FILES || c->volume.kind == TASK_VOLUME_TMPFS)
		return 0;
	const char *rest = to + c->n + strspn(to + c->n, "/");
	size_t n = strlen(rest);
	while (n && rest[n - 1] == '/')
		n--;
	if (!n || n >= sizeof path)
		return 0;
	memcpy(path, rest, n);
	path[n] = 0;
	char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	if (slash)
		*slash = 0;
	int dir = open_cover(b, c, slash ? path : "");
	int rc = dir < 0 ? -1 : replace(from, dir, name), code = errno;
	if (dir >= 0)
		close(dir);
	errno = code;
	if (rc == 0)
		return 1;
	/* ENOENT: it was optional */
	return dir >= 0 && (errno == EXDEV || errno == ENOENT) ? 0 : why_errno(b->why, "artifact in the volume at %s", to);
}

static int
take_host_mount(struct build *b, const struct volume *v, const char *to, const char *sub, bool read_only)
{
	return v->kind != TASK_VOLUME_FILES && v->kind != TASK_VOLUME_TMPFS ? take_volume(b, v, to, sub, read_only) : 0;
}

static int
take_visible(struct build *b)
{
	struct record r;
	for (const char *at = b->task->records; record_next(&at, b->task->records_end, &r);)
		if (r.type == TASK_VISIBLE &&
			take(b, r.p, r.p, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false) < 0)
			return -1;
	return 0;
}

static bool
makes_devices(const struct build *b)
{
	return b->task->sandbox == TASK_SANDBOX_PRIVILEGED && !b->setup->nested;
}

static int
take_devices(struct build *b)
{
	if (makes_devices(b))
		return 0;
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
		if (take(b, devices[i].path, devices[i].path, MOUNT_ATTR_NOSUID, false) < 0)
			return -1;
	return 0;
}

/* ---- the new root -------------------------------------------------------------------------------------------- */

/* A mount of `type` with options in pairs, ended by NULL; attached nowhere. */
static int
new_mount(const char *type, unsigned attributes, const char *const *options)
{
	int fs = fsopen(type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return -1;
	int mnt = -1;
	bool ok = true;
	for (; ok && *options; options += 2)
		ok = fsconfig(fs, options[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, options[0], options[1], 0) == 0;
	if (ok && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mnt = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
	int code = errno;
	close(fs);
	errno = code;
	return mnt;
}

static int
attach(int mnt, int dir, const char *path)
{
	return move_mount(mnt, "", dir, path, MOVE_MOUNT_F_EMPTY_PATH);
}

/* A colon would part one layer from the next. */
static int
escape_layer(const char *path, char to[8192])
{
	size_t n = 0;
	for (; *path && n + 2 < 8192; path++) {
		if (*path == ':' || *path == '\\')
			to[n++] = '\\';
		to[n++] = *path;
	}
	to[n] = 0;
	return *path ? -1 : 0;
}

/* The writable layer over an image: `root` is then the overlay. The old /proc, covered by the layer, is where it lies.
 */
static int
overlay_image(struct build *b)
{
	if (mkdir("/proc/upper", 0755) < 0 || mkdir("/proc/work", 0755) < 0 || mkdir("/proc/image", 0755) < 0)
		return why_errno(b->why, "make the layer over the image");
	static char lower[8192];
	if (escape_layer(b->task->root, lower) < 0)
		return why_set(b->why, "root file system %s: the path is too long", b->task->root);
	const char *const options[] = { "lowerdir", lower, "upperdir", "/proc/upper", "workdir", "/proc/work",
		b->task->sandbox == TASK_SANDBOX_USER ? "userxattr" : NULL, NULL, NULL };
	int overlay = new_mount("overlay", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, options); /* a device in a layer is none; /dev has its own */
	if (overlay < 0 || attach(overlay, AT_FDCWD, "/proc/image") < 0)
		return why_errno(b->why, "root file system %s", b->task->root);
	b->root = overlay;
	return 0;
}

/* Makes the root and the new /proc. Both need the old root: in a user namespace, a proc only where one is in sight. */
static int
make_root(struct build *b)
{
	static const char *const proc_options[] = { NULL };
	const char *const root_options[] = { "size", b->task->root_size ? b->task->root_size : ROOT_SIZE, "mode", "0755", NULL };
	b->proc = new_mount(
		"proc", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, proc_options);
	if (b->proc < 0)
		return why_errno(b->why, "mount a new /proc");
	b->root = new_mount("tmpfs", MOUNT_ATTR_NOSUID, root_options);
	if (b->root < 0 || attach(b->root, AT_FDCWD, "/proc") < 0)
		return why_errno(b->why, "mount a new root");
	return b->task->root ? overlay_image(b) : 0;
}

/* The old root goes out of sight and, when its last descriptor is closed, out of existence. */
static int
change_root(struct build *b)
{
	if (fchdir(b->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return why_errno(b->why, "change the root");
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return why_errno(b->why, "leave the old root");
	return 0;
}

/* ---- inside the new root ------------------------------------------------------------------------------------- */

/* Makes the folders on the way to `path`. */
static void
make_parents(const char *path)
{
	char part[4096];
	if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part)
		return;
	for (char *p = strchr(part + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		(void)mkdir(part, 0755); /* what is missing at the end shows where it is used */
		*p = '/';
	}
}

static int
write_file(const char *path, const char *text, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -1;
	int rc = write(fd, text, n) == (ssize_t)n && fchmod(fd, mode) == 0 ? 0 : -1;
	close(fd);
	return rc;
}

/* In a root that is ours alone, with no umask. */
static int
write_new(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	int rc = fd >= 0 && write(fd, text, n) == (ssize_t)n ? 0 : -1;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
put_tree(struct build *b, const struct tree *t)
{
	if (attach(t->fd, AT_FDCWD, t->to) < 0) {
		/* The place is mostly missing: only then are its parents worth looking at. */
		make_parents(t->to);
		if (t->file)
			(void)write_file(t->to, "", 0, 0644);
		else
			(void)mkdir(t->to, 0755);
		if (attach(t->fd, AT_FDCWD, t->to) < 0)
			return why_errno(b->why, "mount %s", t->to);
	}
	close(t->fd);
	return 0;
}

/* What the task adds to /etc/hosts: its own name where it has an address of its own, and the manifest's aliases. */
static void
add_hosts(const struct build *b)
{
	int fd = open("/etc/hosts", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return; /* names that are missing show where they are used */
	if (b->setup->address)
		dprintf(fd, "\n%s\t%s\n", b->setup->address, b->task->hostname ? b->task->hostname : "pod");
	if (b->task->hosts)
		dprintf(fd, "\n%s", b->task->hosts);
	close(fd);
}

static int
fill_dev(struct build *b)
{
	static const char *const options[] = { "mode", "0755", "size", "64m", NULL };
	if (b->task->root || b->task->read_only) {
		int dev = new_mount("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, options);
		(void)mkdir("/dev", 0755);
		if (dev < 0 || attach(dev, AT_FDCWD, "/dev") < 0)
			return why_errno(b->why, "mount a new /dev");
		close(dev);
	} else if (mkdir("/dev", 0755) < 0) {
		return why_errno(b->why, "make /dev");
	}
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
		if (!makes_devices(b))
			(void)write_file(devices[i].path, "", 0, 0666);
		else if (mknod(devices[i].path, S_IFCHR | 0666, makedev(1, devices[i].minor)) < 0)
			return why_errno(b->why, "make %s", devices[i].path);
	}
	if (symlink("/proc/self/fd", "/dev/fd") < 0 || symlink("/proc/self/fd/0", "/dev/stdin") < 0 ||
		symlink("/proc/self/fd/1", "/dev/stdout") < 0 || symlink("/proc/self/fd/2", "/dev/stderr") < 0 ||
		mkdir("/dev/shm", 01777) < 0)
		return why_errno(b->why, "fill /dev");
	return 0;
}

/* The folders that programs expect; an image brings its own. */
static int
fill_root(struct build *b)
{
	static const struct {
		const char *path;
		mode_t mode;
	} folders[] = { { "/proc", 0555 }, { "/tmp", 01777 }, { "/run", 0755 }, { "/mnt", 0755 }, { "/var", 0755 },
		{ "/var/tmp", 01777 }, { "/var/run", 0755 }, { "/var/run/argo", 0777 }, { "/root", 0700 }, { "/etc", 0755 },
		{ "/etc/ssl", 0755 }, { "/argo", 0755 }, { "/argo/staging", 0755 } };
	umask(0); /* until the root is filled */
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (mkdir(folders[i].path, folders[i].mode) < 0 && errno != EEXIST)
			return why_errno(b->why, "make %s", folders[i].path);
	for (size_t i = 0; i < (b->task->root ? ETC_FILES_OF_IMAGES : ETC_FILES); i++)
		if (host.etc[i].text)
			(void)write_new(etc_files[i], host.etc[i].text, host.etc[i].n); /* programs do without */
	if (b->setup->address || b->task->hosts)
		add_hosts(b);
	return fill_dev(b);
}

static void
link_system(void)
{
	for (size_t i = 0; i < SYSTEM_FOLDERS; i++)
		if (host.folders[i].link[0])
			(void)symlink(
				host.folders[i].link, system_folders[i]); /* a program that needs it will say so */
}

/* An emptyDir in memory, of `size` bytes at most; "0": no limit. */
static int
make_memory(struct build *b, const char *path, const char *size)
{
	const char *const options[] = { "mode", "0777", strcmp(size, "0") ? "size" : NULL, size, NULL };
	int mnt = new_mount("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, options);
	if (mkdir(path, 0755) < 0 || mnt < 0 || attach(mnt, AT_FDCWD, path) < 0)
		return why_errno(b->why, "make a volume in memory");
	close(mnt);
	return 0;
}

/* Writes the files of ConfigMap and Secret volumes and makes memory-backed emptyDirs: all on a file system of their
 * own. */
static int
fill_stage(struct build *b)
{
	struct record r;
	size_t volumes = 0;
	char volume[64] = "", path[4096] = "";
	mode_t mode = 0644;
	for (const char *at = b->task->records; record_next(&at, b->task->records_end, &r);) {
		if (r.type >= TASK_VOLUME && r.type <= TASK_VOLUME_FILES) {
			snprintf(volume, sizeof volume, STAGE "/%zu", volumes++);
			if (r.type == TASK_VOLUME_FILES && mkdir(volume, 0755) < 0)
				return why_errno(b->why, "make a volume of files");
			if (r.type == TASK_VOLUME_TMPFS && make_memory(b, volume, r.p) < 0)
				return -1;
		} else if (r.type == TASK_FILE) {
			char *end;
			mode = (mode_t)strtoul(r.p, &end, 8) & 0777;
			snprintf(path, sizeof path, "%s/%s", volume, *end == ' ' ? end + 1 : end);
		} else if (r.type == TASK_FILE_DATA) {
			make_parents(path);
			if (write_file(path, r.p, r.n, mode) < 0)
				return why_errno(b->why, "write %s of a volume", path + strlen(volume) + 1);
		}
	}
	return 0;
}

/* A volume of files is always read-only: as in Kubernetes. In memory, folders that a mount asks for are made. */
static int
put_stage_mount(struct build *b, const struct volume *v, const char *to, const char *sub, bool read_only)
{
	if (v->kind != TASK_VOLUME_FILES && v->kind != TASK_VOLUME_TMPFS)
		return 0;
	char from[4096];
	bool files = v->kind == TASK_VOLUME_FILES;
	snprintf(from, sizeof from, STAGE "/%zu%s%s", v->index, files && sub ? "/" : "", files && sub ? sub : "");
	int fd = open(from, O_PATH | O_CLOEXEC);
	if (fd >= 0 && sub && !files)
		fd = enter_sub_path(fd, sub);
	int tree = fd < 0 ? -1 : open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree < 0)
		return why_no_tree(b, to, files ? "its files" : "its memory", sub);
	close(fd);
	size_t n = b->n;
	if (add_tree(b, tree, to, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (files || read_only ? MOUNT_ATTR_RDONLY : 0)) < 0)
		return -1;
	return put_tree(b, &b->trees[n]);
}

static bool
has_record(const struct task *t, uint32_t type)
{
	struct record r;
	for (const char *at = t->records; record_next(&at, t->records_end, &r);)
		if (r.type == type)
			return true;
	return false;
}

static int
put_files(struct build *b)
{
	static const char *const options[] = { "mode", "0755", NULL };
	if (!has_record(b->task, TASK_VOLUME_FILES) && !has_record(b->task, TASK_VOLUME_TMPFS))
		return 0;
	int stage = new_mount("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, options);
	if (stage < 0 || mkdir(STAGE, 0700) < 0 || attach(stage, AT_FDCWD, STAGE) < 0)
		return why_errno(b->why, "make a place for volumes of files");
	close(stage);
	if (fill_stage(b) < 0 || each_mount(b, put_stage_mount) < 0)
		return -1;
	if (umount2(STAGE, MNT_DETACH) < 0 || rmdir(STAGE) < 0)
		return why_errno(b->why, "remove the place of volumes of files");
	return 0;
}

/* A user namespace starts without users: ours becomes root in it, or the user that was asked for. */
int
sandbox_map_user(const struct setup *s, const struct task *t, struct why *w)
{
	char line[64];
	const struct {
		const char *path;
		unsigned inside, outside;
	} maps[] = {
		{ "/proc/self/uid_map", t->has_user ? t->uid : 0, s->uid },
		{ "/proc/self/gid_map", t->has_user ? t->gid : 0, s->gid },
	};
	int fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "deny", 4) != 4)
		return why_errno(w, "user namespace: setgroups");
	close(fd);
	for (size_t i = 0; i < 2; i++) {
		fd = open(maps[i].path, O_WRONLY | O_CLOEXEC);
		int n = snprintf(line, sizeof line, "%u %u 1\n", maps[i].inside, maps[i].outside);
		if (fd < 0 || write(fd, line, (size_t)n) != n)
			return why_errno(w, "user namespace: %s", maps[i].path);
		close(fd);
	}
	return 0;
}

/* The file that a step may leave a message in, and the folder of its progress, can be written to in any case. */
static int
put_writable(struct build *b)
{
	static const char *const options[] = { "mode", "0777", "size", "1m", NULL };
	const struct task *t = b->task;
	make_parents(t->message_path);
	(void)write_file(t->message_path, "", 0, 0666); /* without it there is no message */
	if (!t->read_only)
		return 0;
	int mnt = new_mount("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, options);
	if (mnt < 0 || attach(mnt, AT_FDCWD, "/var/run/argo") < 0)
		return why_errno(b->why, "mount /var/run/argo");
	close(mnt);
	return 0;
}

static int
make_read_only(const struct build *b)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	if (b->task->read_only && mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof attr) < 0)
		return why_errno(b->why, "make the root read-only");
	return 0;
}

int
sandbox_build(const struct setup *s, const struct task *t, struct why *w)
{
	static struct build build;
	struct build *b = &build;
	b->setup = s;
	b->task = t;
	b->why = w;
	if (t->sandbox == TASK_SANDBOX_USER && sandbox_map_user(s, t, w) < 0)
		return -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return why_errno(w, "make the mounts private");
	if (t->hostname)
		(void)sethostname(t->hostname, strnlen(t->hostname, 64)); /* a name is no reason to fail */
	if (!t->root && take_system(b) < 0)
		return -1;
	if (take_devices(b) < 0 || take_visible(b) < 0 || each_mount(b, take_host_mount) < 0)
		return -1;
	if (make_root(b) < 0 || change_root(b) < 0 || fill_root(b) < 0)
		return -1;
	if (!t->root)
		link_system();
	if (attach(b->proc, AT_FDCWD, "/proc") < 0)
		return why_errno(w, "mount /proc");
	for (size_t i = 0, n = b->n; i < n; i++)
		if (put_tree(b, &b->trees[i]) < 0)
			return -1;
	if (put_files(b) < 0)
		return -1;
	if (t->script && write_file("/argo/staging/script", t->script, t->script_n, 0755) < 0)
		return why_errno(w, "write the script");
	if (t->message_path && put_writable(b) < 0)
		return -1;
	umask(022);
	if (t->cwd) {
		make_parents(t->cwd);
		(void)mkdir(
			t->cwd, 0755); /* as container runtimes do; where it cannot be, the command's start says so */
	}
	return make_read_only(b);
}

/* ---- rights -------------------------------------------------------------------------------------------------- */

int
sandbox_drop(const struct task *t, const struct setup *s, const char **what)
{
	*what = "drop the bounding set";
	unsigned long cap = 0;
	while (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
		cap++;
	if (errno != EINVAL) /* which says: past the last */
		return -1;
	/* A root user without this would get its capabilities back with the exec. */
	*what = "set the secure bits";
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
					     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED) < 0)
		return -1;
	*what = "set the user";
	if (t->sandbox == TASK_SANDBOX_PRIVILEGED) {
		/* Even root in the sandbox leaves the daemon's groups behind, where groups can be changed. */
		gid_t gid = t->has_user ? t->gid : 0;
		uid_t uid = t->has_user ? t->uid : 0;
		if ((syscall(SYS_setgroups, 0, NULL) < 0 && !s->nested) || syscall(SYS_setresgid, gid, gid, gid) < 0 ||
			syscall(SYS_setresuid, uid, uid, uid) < 0)
			return -1;
	}
	*what = "give up capabilities";
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };
	if (syscall(SYS_capset, &head, none) < 0)
		return -1;
	*what = "give up new privileges";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	*what = "install the system call filter";
	if (s->seccomp) {
		/* The kernel only reads it; the structure has no const. */
		const struct sock_fprog program = { (unsigned short)(s->seccomp_bytes / sizeof(struct sock_filter)),
			(struct sock_filter *)(uintptr_t)s->seccomp };
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
			return -1;
	}
	return 0;
}
