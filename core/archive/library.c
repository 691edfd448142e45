/* SPDX-License-Identifier: Apache-2.0 */
#include "core/archive/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct archive_lib functions;
static struct err failure; /* of opening it */

static void
open_library(void)
{
	static const struct {
		const char *name;
		void *to;
	} symbols[] = {
#define X(function) { #function, &functions.function },
		ARCHIVE_FUNCTIONS(X)
#undef X
	};
	void *library = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL); /* stays until the process ends */
	if (!library) {
		err_set(&failure, ERR_UNAVAILABLE, "artifacts are packed by libarchive: install libarchive13 (%s)", dlerror());
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		void *symbol = dlsym(library, symbols[i].name);
		if (!symbol)
			err_set(&failure, ERR_UNAVAILABLE, "libarchive is too old: it has no %s", symbols[i].name);
		memcpy(symbols[i].to, &symbol, sizeof symbol);
	}
}

const struct archive_lib *
archive_lib(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, open_library);
	if (!failure.code)
		return &functions;
	*e = failure;
	return NULL;
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
