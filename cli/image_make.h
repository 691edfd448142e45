/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_make: images into the store. Registries and archives are skopeo's, unpacking is umoci's; what they make lies in a
 * folder of its own until it is complete.
 */
#ifndef TIDEGATE_CLI_IMAGE_MAKE_H
#define TIDEGATE_CLI_IMAGE_MAKE_H

#include "engine/exec/image_store.h"

struct image_make {
	struct arena *arena;
	const struct settings *settings;
	str store;             /* image_store_path */
	const char *source;    /* a file, a folder, or what to pull */
	const char *name;      /* to be called so; NULL: as the image says */
	const char *ref;       /* which one of several; NULL: the only one */
	const char *tls_verify, *auth_file; /* "true", "false"; NULL: as the settings say */
};
/* The image then is in the store. `out` is in the arena. */
int image_import(const struct image_make *m, struct stored_image *out, struct err *e) MUST_CHECK;
int image_pull(const struct image_make *m, struct stored_image *out, struct err *e) MUST_CHECK;

#endif
