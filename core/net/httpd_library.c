/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd, opened by name. It brings GnuTLS along, two milliseconds and eight libraries: a command that serves nothing does without. */
#include <dlfcn.h>
#include <pthread.h>

#include "core/net/httpd_impl.h"

struct mhd mhd; /* filled once, on the loop's thread */
static bool loaded;

static pthread_t preloader;
static bool preloading;

static void *
open_library(void *arg UNUSED)
{
	return dlopen("libmicrohttpd.so.12", RTLD_LAZY | RTLD_LOCAL);
}

void
httpd_preload(void)
{
	if (!loaded && !preloading)
		preloading = pthread_create(&preloader, NULL, open_library, NULL) == 0;
}

int
httpd_load(struct err *e)
{
	if (loaded)
		return 0;
	if (preloading)
		pthread_join(preloader, NULL);
	preloading = false;
	void *lib = open_library(NULL); /* counted: the second time costs nothing */
	if (!lib)
		return err_set(e, ERR_UNSUPPORTED, "libmicrohttpd cannot be loaded (%s): install libmicrohttpd12", dlerror());
#define X(name)                                                                                                  \
	*(void **)&mhd.name = dlsym(lib, "MHD_" #name);                                                          \
	if (!mhd.name)                                                                                           \
		return err_set(e, ERR_UNSUPPORTED, "libmicrohttpd is too old: it has no MHD_%s", #name);
	MHD_FUNCTIONS(X)
#undef X
	loaded = true;
	return 0;
}
