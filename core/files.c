/* SPDX-License-Identifier: Apache-2.0 */
#include "core/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COPY_CHUNK ((size_t)1 << 20)

int
files_read(const char *path, size_t max, struct arena *a, str *out, struct err *e)
{
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold us up */
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode) || (uintmax_t)st.st_size > max)
		return err_set(e, ERR_INVALID, "%s: a regular file of at most %zu bytes is expected", path, max);
	char *p = arena_alloc(a, (size_t)st.st_size + 1, 1);
	size_t n = 0;
	ssize_t got;
	while (n < (size_t)st.st_size && (got = read(fd, p + n, (size_t)st.st_size - n)) > 0)
		n += (size_t)got;
	*out = (str){ p, n };
	return 0;
}

int
files_write(int fd, str text)
{
	for (ssize_t n; text.n; text = str_slice(text, (size_t)n, text.n))
		if ((n = write(fd, text.p, text.n)) < 0)
			return -1;
	return 0;
}

/* By hand: the rest, or everything where the kernel cannot copy. */
static int
copy_slowly(int from, int to, uint64_t *n, uint64_t most, const struct transfer_watch *watch)
{
	char *chunk = mem_alloc(COPY_CHUNK); /* what is each thread's own would be in the stack of all of them */
	ssize_t got;
	int rc = 0;
	while (rc == 0 && *n <= most && (got = read(from, chunk, COPY_CHUNK)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		rc = got < 0 ? -1 : files_write(to, (str){ chunk, (size_t)got });
		if (rc == 0) {
			*n += (uint64_t)got;
			watch_moved(watch, (uint64_t)got);
		}
	}
	int code = errno;
	free(chunk);
	errno = code;
	return rc;
}

int
files_copy(int from, int to, uint64_t most, uint64_t *n, struct err *e)
{
	return files_copy_watched(from, to, most, NULL, n, e);
}

int
files_copy_watched(int from, int to, uint64_t most, const struct transfer_watch *watch, uint64_t *n, struct err *e)
{
	ssize_t got;
	*n = 0;
	(void)lseek(from, 0, SEEK_SET); /* what cannot is read from where it is */
	while (*n <= most && (got = copy_file_range(from, NULL, to, NULL, 64 << 20, 0)) > 0) {
		*n += (uint64_t)got;
		watch_moved(watch, (uint64_t)got);
	}
	if (copy_slowly(from, to, n, most, watch) < 0)
		return err_errno(e, "copy");
	return *n > most ? err_set(e, ERR_LIMIT, "there are more than %llu bytes", (unsigned long long)most) : 0;
}

static int
open_by_rule(int dir, const char *path, int flags, mode_t mode, uint64_t rule)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .mode = flags & O_CREAT ? mode : 0, .resolve = rule };
	int fd;
	do /* EAGAIN: somebody renamed something meanwhile, and the kernel could not be sure */
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
	while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	return fd;
}

int
open_beneath(int dir, const char *path, int flags, mode_t mode)
{
	return open_by_rule(dir, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int
look_beneath(int dir, const char *path)
{
	return open_by_rule(dir, path, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

bool
link_stays(str path, str target)
{
	size_t depth = 0;
	if (!target.n || target.p[0] == '/')
		return false;
	for (size_t i = 0; i < path.n; i++)
		depth += path.p[i] == '/';
	for (str rest = target; rest.n;) {
		str part = str_cut(&rest, '/');
		bool up = str_eq(part, S(".."));
		if (up && depth-- == 0)
			return false;
		if (part.n && !up && !str_eq(part, S(".")))
			depth++;
	}
	return true;
}
