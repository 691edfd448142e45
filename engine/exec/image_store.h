/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_store: images that were imported or pulled: root file systems in the state directory, by digest, and what they
 * are called. The command line writes it, with or without a daemon; the executor reads it.
 *
 *     images/index.json           names, digests, configurations; replaced as a whole
 *     images/lock                 held by whoever changes something
 *     images/sha256-<64 digits>/rootfs
 *     images/.new-*               being made; held by whoever makes it
 *
 * Whatever dies whenever: a folder is complete before it gets its name, and is not in the index before that. A step holds
 * a lock on the folder of its image as long as it runs, and does so itself, so that it also holds when no daemon is there.
 */
#ifndef TIDEGATE_ENGINE_IMAGE_STORE_H
#define TIDEGATE_ENGINE_IMAGE_STORE_H

#include "config/config.h"
#include "core/val.h"

#define IMAGE_NAME_MAX 512
#define IMAGES_MAX 10000

/* ---- image_name.c: names */

/* "localhost:5000/team/tool:1.2@sha256:..." in its parts; absent ones are STR_NONE. */
struct image_name {
	str repository, tag, digest;
};
struct image_name image_name_split(str name);
/* With registry and tag, or digest: "alpine" is "docker.io/library/alpine:latest". In `a`. */
str image_name_whole(struct arena *a, str name);
/* ERR_INVALID if it cannot be one. */
int image_name_check(str name, struct err *e) MUST_CHECK;
bool image_digest_valid(str digest); /* "sha256:" and 64 digits */
/* Whether a pattern of the image table means this name. */
bool image_name_matches(str pattern, str name);

/* ---- image_store.c: the folder */

struct stored_image {
	str name;      /* whole; absent: another image has taken it over */
	str digest;    /* of the manifest */
	str index;     /* digest of the multi-arch index that it was chosen from, if any */
	str imported;  /* RFC 3339 */
	int64_t bytes; /* of its layers */
	struct image row; /* with root, the folder's rootfs; name as above */
};
struct image_store {
	VEC(struct stored_image) images; /* in order of their import; freed by image_store_free, what it points to is the arena's */
};
/* `images` below the state directory, in `a`. */
str image_store_path(struct arena *a, str state);
/* What the index says; an empty store if there is none. ERR_INVALID: it is damaged. */
int image_store_read(str path, struct arena *a, struct image_store *out, struct err *e) MUST_CHECK;
void image_store_free(struct image_store *s);
/* Replaces the index. Under the lock. */
int image_store_write(str path, const struct image_store *s, struct err *e) MUST_CHECK;
/*
 * The one that a name means: the name itself, a digest behind it, a digest alone or, where `prefix` allows it, at least
 * six digits of one. NULL: none.
 */
const struct stored_image *image_store_find(const struct image_store *s, str name, bool prefix);
/* Lists of strings as they are in JSON, copied into `a`; what is no string is left out. */
struct strs image_texts(struct arena *a, const struct val *list);
struct val image_texts_val(struct arena *a, struct strs s);
/* The folder of a digest, in `a`. */
str image_store_folder(struct arena *a, str path, str digest);
/* Makes the folder if it is missing and waits for its lock: a descriptor to be closed, or -1. */
int image_store_lock(str path, struct err *e) MUST_CHECK;
/* Removes a folder below `path`, whoever owns what is in it. */
int image_store_remove_tree(str folder, struct err *e) MUST_CHECK;
/* Whether running steps use the image: ERR_EXISTS says so. Its folder goes otherwise. */
int image_store_drop(str path, str digest, struct err *e) MUST_CHECK;
/* Removes what is left of imports that died, and folders that the index does not know. Under the lock. Returns their number. */
size_t image_store_sweep(str path, const struct image_store *s);
/* Moves a folder that is complete to its place; fine if the image is there already. Under the lock. */
int image_store_settle(str path, str made, str digest, struct err *e) MUST_CHECK;
/* A folder to make an image in, locked; *fd keeps it from being swept. */
int image_store_new(struct arena *a, str path, str *folder, int *fd, struct err *e) MUST_CHECK;

#endif
