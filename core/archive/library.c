/* SPDX-License-Identifier: Apache-2.0 */
#include "core/archive/library.h"

#include <dlfcn.h>
#include <pthread.h>

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
