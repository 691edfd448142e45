/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver: where artifacts lie. A driver speaks to one kind of place (s3, git, ...) and knows objects by key; what is the same for all, packing,
 * a folder as many objects, modes, trying again, is written once around it (engine/artifact/helper). Drivers block, and live in
 * tidegate-artifact only: a process of its own with one thread, that may be killed at any time and asked again.
 *
 * A place is the artifact's location as the manifest has it, made complete from its repository, below the driver's name there:
 * {"endpoint": "minio:9000", "bucket": "b", "key": "k", ...}. Each selector of a secret or config map is replaced by the text it selects, under
 * its name without "Secret": `accessKeySecret: {name: n, key: k}` is `"accessKey": "AKIA..."`. No place says anything of another artifact.
 */
#ifndef TIDEGATE_ENGINE_ARTIFACT_DRIVER_H
#define TIDEGATE_ENGINE_ARTIFACT_DRIVER_H

#include "core/base.h"
#include "core/transfer_watch.h"
#include "core/val.h"

/* A download that may go on in the next process, when this one is killed. */
struct artifact_begun {
	uint64_t have; /* bytes of the object that are in the file already, from where it stands on; 0: none */
	str note;      /* of a process before: what keep() was told, of the object whose bytes these are */
	/* Before the first byte of an object is written: what get() must know to go on with it, in the next process; "": it cannot. */
	void (*keep)(void *arg, str note);
	void *arg;
};

/* What the helper gives each driver it opens. */
struct artifact_site {
	struct arena *arena; /* for what lives until close */
	int scratch;         /* an open folder for files of its own; emptied afterwards */
	uint64_t bytes, objects; /* that one artifact may have; whoever moves several at once sees to it. A single file's size is bounded by the kernel */
	/*
	 * The path of a file, not there at first, for what put() needs to go on with in the next process when this one is killed; whoever takes the object
	 * away from here takes it with it. NULL: nobody comes after us.
	 */
	const char *journal;
	const struct artifact_begun *begun; /* of the file that get() is called with; NULL: none of this */
	const struct transfer_watch *watch; /* to be told how far get(), put(), fetch() and put_tree() are; NULL: nobody asks */
};

/* What came is not what it should be: nobody goes on with it. */
static inline void
artifact_is_damaged(const struct artifact_site *site)
{
	if (site->begun)
		site->begun->keep(site->begun->arg, S(""));
}

/*
 * Functions return 0, or -1 with: ERR_NOT_FOUND (there is no such object, bucket or repository: what `optional` excuses), ERR_UNAUTHENTICATED
 * or ERR_DENIED (keys), ERR_INVALID (the place is wrong: trying again does not help), ERR_LIMIT, ERR_UNAVAILABLE and ERR_TIMEOUT (it may be
 * tried again; the driver has tried its own requests again already). The text says what was asked of whom and what the answer was, with no secret in it.
 */
struct artifact_driver {
	const char *name;    /* the word of the manifest */
	const char *key;     /* the member of a place that is the key of an object (key, blob, path, url); NULL: what is fetched has none (git) */
	/* Reads the place; asks nobody yet. `*state` is the driver's own. */
	int (*open)(const struct val *place, const struct artifact_site *site, void **state, struct err *e);
	void (*close)(void *state);
	/* The object's bytes into `fd`, from where it stands; it may be a pipe. What came is checked against the length, and the hash where there is one. */
	int (*get)(void *state, str key, int fd, struct err *e);
	/* The regular file `fd`, all of it, becomes the object, in place of one that is there: whole, or not at all. Nobody else writes to the file, now
	 * or later: it may be kept as it is. NULL: it only gives. */
	int (*put)(void *state, str key, int fd, struct err *e);
	/* What put() has begun, here or in a process before, and what did not become an object is given up at the service; as far as that can be. NULL: nothing stays there. */
	void (*abandon)(void *state);
	/* Each object whose key begins with `prefix`, by pages, in any order, until each() says false. NULL: it has no folders. */
	int (*list)(void *state, str prefix, bool (*each)(void *arg, str key, uint64_t bytes), void *arg, struct err *e);
	/* The object goes; fine if there is none. NULL: it cannot. */
	int (*remove)(void *state, str key, struct err *e);
	/* Instead of get and list: all there is becomes `name` in the folder `dir`, where nothing is yet. NULL for objects. */
	int (*fetch)(void *state, int dir, const char *name, struct err *e);
	/* What a place on this machine does better; NULL: by the above. An open file with the object, which is only read. */
	int (*object)(void *state, str key, int *fd, struct err *e);
	/* Every file beneath the folder becomes the object "key/PATH"; may be kept, too. */
	int (*put_tree)(void *state, str key, int dir, struct err *e);
};

/* All of them; the local repository is one. NULL: there is no such driver. */
const struct artifact_driver *artifact_driver_named(str name);

extern const struct artifact_driver artifact_local, artifact_s3, artifact_gcs, artifact_azure, artifact_oss, artifact_http, artifact_artifactory,
	artifact_git, artifact_hdfs;

#endif
