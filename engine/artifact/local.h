/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local: the artifact repository that needs no set-up: a folder with objects by key, as a bucket has them. What is the same is there once:
 * an object is a second name of a file that is called by its SHA-256.
 *
 *     blobs/ab/ab12...     the bytes
 *     objects/KEY          the same file by its key
 *     new/                 what is being written
 *     lock                 shared by who gives names, exclusive for who takes blobs away
 *
 * An object is there whole or not at all, whoever dies when: it is written elsewhere, forced to the disk, and then gets its names; who
 * says so afterwards has a repository that agrees, also after a loss of power. Blobs without an object go with local_sweep. A key is a
 * path of parts of up to 255 bytes, 1024 in all; beneath an object there is no other. Blocks; as many processes as like, one
 * thread in each.
 */
#ifndef TIDEGATE_ENGINE_ARTIFACT_LOCAL_H
#define TIDEGATE_ENGINE_ARTIFACT_LOCAL_H

#include "core/base.h"
#include "core/transfer_watch.h"

#define LOCAL_KEY_MAX 1024u

struct local_repo {
	int dir, blobs, objects, fresh, lock; /* folders, and the file of the lock */
};
struct local_limits {
	uint64_t bytes, objects; /* of one call; 0: no limit */
	const struct transfer_watch *watch; /* is told what was copied; NULL: nobody */
};
struct local_sum {
	uint64_t bytes, objects;
};

/* Makes the folder `path` and what is in it, if it is not there. */
int local_open(struct local_repo *r, const char *path, struct err *e) MUST_CHECK;
void local_close(struct local_repo *r);
/* The file's bytes, all of it, become the object `key`, in place of one that is there. ERR_INVALID: no key; ERR_EXISTS: it would lie beneath an
 * object, or above some; ERR_LIMIT. `sum` may be NULL, also below. */
int local_put(struct local_repo *r, const char *key, int fd, const struct local_limits *l, struct local_sum *sum, struct err *e) MUST_CHECK;
/* Each file beneath the folder becomes the object "key/PATH"; folders leave no trace, as in a bucket. ERR_INVALID: there is a link or a device;
 * some objects may be there then. */
int local_put_tree(struct local_repo *r, const char *key, int dir, const struct local_limits *l, struct local_sum *sum, struct err *e) MUST_CHECK;
/*
 * The same of what nobody else writes to any more, whose bytes need not be copied then: on the repository's file system the file itself becomes the blob, and can be
 * written to by nobody from then on. The caller removes its names.
 */
int local_take(struct local_repo *r, const char *key, int fd, const struct local_limits *l, struct local_sum *sum, struct err *e) MUST_CHECK;
int local_take_tree(struct local_repo *r, const char *key, int dir, const struct local_limits *l, struct local_sum *sum, struct err *e) MUST_CHECK;
/* Opens the object for reading. ERR_NOT_FOUND: there is none; it may be a folder of some. Nothing can be written through it. */
int local_read(struct local_repo *r, const char *key, int *fd, struct err *e) MUST_CHECK;
/* Whether there is such an object, or some beneath it. */
bool local_has(struct local_repo *r, const char *key);
/* The object, or all objects beneath the key as a tree, as `name` in `dir`, where nothing is yet: mode 0644 and 0755. ERR_NOT_FOUND: there is neither. */
int local_get(struct local_repo *r, const char *key, int dir, const char *name, const struct local_limits *l, struct local_sum *sum, struct err *e) MUST_CHECK;
/* Each object whose key begins with `prefix`, in any order, until each() says false. */
int local_list(struct local_repo *r, const char *prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e) MUST_CHECK;
/* The object goes, or all that are beneath the key. Fine if there is none. */
int local_remove(struct local_repo *r, const char *key, struct err *e) MUST_CHECK;
/* What no object is made of any more goes, and what a dead process left half written. Returns how many blobs. */
size_t local_sweep(struct local_repo *r);

#endif
