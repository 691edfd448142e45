/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives: the first byte says of which kind. What comes out is files, folders and links that stay inside, all within the limits; or it is
 * refused with a reason, and nothing is left.
 */
#include "core/archive/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct archive_limits limits = { .bytes = 1 << 20, .entries = 64, .ratio = 100, .depth = 16 };
static int in = -1;
static char place[64];
static uint64_t bytes;

static void
remove_place(void)
{
	files_remove(place);
}

static void
make_place(void)
{
	snprintf(place, sizeof place, "/tmp/tidegate-fuzz-XXXXXX");
	if (!mkdtemp(place))
		abort();
	atexit(remove_place);
	in = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(in >= 0);
}

/* A link leads nowhere, or to somewhere inside. */
static void
check_link(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH };
	int fd = (int)syscall(SYS_openat2, in, path + strlen(place) + 1, &how, sizeof how);
	assert(fd >= 0 || errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENAMETOOLONG);
	close_fd(&fd);
}

static int
check(const char *path, const struct stat *st, int type UNUSED, struct FTW *ftw UNUSED)
{
	assert(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode));
	assert(!(st->st_mode & 07000));
	if (S_ISREG(st->st_mode) && st->st_nlink == 1)
		bytes += (uint64_t)st->st_size;
	if (S_ISLNK(st->st_mode))
		check_link(path);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	struct archive_sum sum = { 0 };
	char out[80];
	if (in < 0)
		make_place();
	if (!size)
		return 0;
	int fd = memfd_create("archive", MFD_CLOEXEC);
	assert(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1) && lseek(fd, 0, SEEK_SET) == 0);
	(void)archive_is_tar_gz(fd);
	assert(lseek(fd, 0, SEEK_CUR) == 0);
	int rc = archive_unpack_as(fd, data[0] & 1 ? ARCHIVE_AS_ZIP : ARCHIVE_AS_TAR, in, "out", &limits, &sum, &e);
	assert(sum.bytes <= limits.bytes && sum.entries <= limits.entries);
	bytes = 0;
	if (rc == 0) {
		nftw(place, check, 16, FTW_PHYS);
		assert(bytes <= sum.bytes);
		snprintf(out, sizeof out, "%s/out", place);
		files_remove(out);
	} else {
		assert(e.code && e.msg[0]);
	}
	snprintf(out, sizeof out, "%s/out", place);
	assert(access(out, F_OK) < 0);
	close(fd);
	return 0;
}
