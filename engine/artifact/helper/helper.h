/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper: what the files of tidegate-artifact share. main.c reads the job and answers; place.c opens drivers; fetch.c brings artifacts, save.c
 * takes them, give.c shows them, data.c makes lists of them. The job, JSON on standard input, since it has passwords in it:
 *
 *   {"do": "fetch", "parent": PID, "into": FOLDER, "scratch": FOLDER, "bytes": N, "files": N, "ratio": N, "uid": N, "gid": N, "items": [ITEM, ...]}
 *       ITEM: {name, place | raw, packing, optional, mode, recurse, to}; each becomes FOLDER/0, 1, ..., or what `to` says: a path of the host
 *       with "laid": FOLDER, where it is remembered that a folder at such a path is an artifact (laid.c)
 *   {"do": "save", "scratch": FOLDER, ..., "items": [{name, place, packing, level, file, from}, ...]}
 *       or {name, place, log}: what a container printed is saved, without what the step helper says in its log
 *       `from` is the tar that the step helper kept; when its object is there it becomes an empty file, FROM.saved
 *       what has been sent of it when we are killed is noted in FROM.uploads or LOG.uploads, for the one who is asked next
 *   {"do": "abandon", ...}: nobody is asked again to save these items
 *   {"do": "remove", ..., "items": [{name, place}, ...]}
 *   {"do": "give", "into": FOLDER, ..., "items": [{name, place, packing: "none"}]}
 *       the object as it is becomes FOLDER/0; many objects or a folder become a tar with gzip, and "packed" is true
 *   {"do": "list", ..., "items": [{name, place}, ...]}
 *       "names": [{name, bytes}, ...] of the objects beneath, without the key and its slash; "more": there are more than are told
 *       with "prefix": TEXT in the item, of those whose names behind the key, without a slash, begin so
 *   {"do": "put", ..., "items": [{name, place}, ...]}
 *       the open file PUT_FILE becomes the object; with "boundary" and "field" it is the body of a form, of which that file is meant
 *   {"do": "data", ..., "items": [{name, place, under, expressions}, ...]}
 *       "result": the keys beneath, each beginning with `under`, as JSON, after the expressions of a data template were applied to them
 *
 * `place` is {DRIVER: {...}} as driver.h has it; a text that JSON cannot have stands there as {"base64": TEXT}. The answer, on standard output, is a list.
 * How far it is stands in the memory METER_FILE, if there is such a descriptor (core/meter.h): of items that are fetched, saved, given and put.
 * For each item the answer has {} or {"problem": TEXT}, with "missing" where it is not there, and the error's "code". An optional artifact that is not there is none.
 */
#ifndef TIDEGATE_ENGINE_ARTIFACT_HELPER_H
#define TIDEGATE_ENGINE_ARTIFACT_HELPER_H

#include "core/archive/archive.h"
#include "core/files.h"
#include "core/meter.h"
#include "engine/artifact/driver.h"

/* Images of disks and masks are mostly zeros, and pack to a thousandth: what is no more than this fills no disk. */
#define RATIO_FROM (UINT64_C(4) << 30)

struct job {
	struct arena *arena;
	const struct val *src;
	const char *into, *scratch_path;
	const char *laid; /* folder of the notes of laid.c; NULL: nothing is laid on the host */
	int scratch;
	bool owned;           /* what is brought is to be uid's and gid's */
	uint32_t uid, gid;
	uint64_t bytes, files; /* that an artifact may have, unpacked */
	struct meter *meter;   /* where it is told how far we are; NULL: nowhere */
	bool total_known;      /* of the item that is moved: what a driver says of its parts does not count */
	struct transfer_watch watch; /* tells the meter */
	unsigned ratio;        /* bytes that an archive may unpack to for each of its own, beyond RATIO_FROM; 0: any number */
};

/* A driver that is open. */
struct place {
	const struct artifact_driver *driver;
	void *state;
	str key;
	struct artifact_site site;
};

/* ---- place.c */
int place_open(struct job *j, const struct val *item, struct place *p, struct err *e) MUST_CHECK;
/* The same, and its key may be empty: to list all there is. */
int place_open_all(struct job *j, const struct val *item, struct place *p, struct err *e) MUST_CHECK;
void place_close(struct place *p);
/* The file becomes the object. */
int place_put(struct job *j, const struct place *p, str key, int fd, struct err *e) MUST_CHECK;
/* The item has so many bytes, whatever drivers say of its parts. */
void job_total(struct job *j, uint64_t bytes);
struct keys { /* a VEC */
	str *p;
	size_t n, cap;
};
/* What lies beneath its key; in the arena of its site. ERR_UNSUPPORTED: it cannot be listed; ERR_LIMIT: there are more than `max`. */
int place_keys(struct place *p, size_t max, struct keys *out, struct err *e) MUST_CHECK;

/* Of what is saved: the journal, "" for other items. In the job's arena. */
const char *place_journal(struct job *j, const struct val *item);

/* ---- fetch.c, save.c: one item, once */
int fetch_item(struct job *j, const struct val *item, size_t i, struct err *e) MUST_CHECK;
int save_item(struct job *j, const struct val *item, struct err *e) MUST_CHECK;
/* What save_item has begun and not ended is given up. */
void abandon_item(struct job *j, const struct val *item);

/* ---- begun.c: a single object's file, which a process before us may have begun */
struct begun {
	struct job *job;
	struct place *place;
	char name[32];   /* in the scratch folder */
	int fd;
	str boot;
	struct artifact_begun of;
};
/* Leaves nothing else in the scratch folder. */
void begun_keep(const struct job *j);
/* Until begun_close the driver of `p` goes on with item i. */
int begun_open(struct job *j, struct place *p, size_t i, struct begun *b, struct err *e) MUST_CHECK;
/* `done`: nobody needs it any more. */
void begun_close(struct begun *b, bool done);

/* A file without a name in the scratch folder. */
int scratch_file(struct job *j, struct err *e) MUST_CHECK;

/* ---- put.c */
#define PUT_FILE 3 /* core/child.h */
int put_item(struct job *j, const struct val *item, struct err *e) MUST_CHECK;

/* ---- give.c: what it finds is added to the answer */
int give_item(struct job *j, const struct val *item, struct val_map *answer, struct err *e) MUST_CHECK;
int list_item(struct job *j, const struct val *item, struct val_map *answer, struct err *e) MUST_CHECK;

/* ---- laid.c */
/* Nothing is at this path of the host any more; ERR_INVALID: a folder that no artifact made. */
int laid_clear(struct job *j, const char *path, struct err *e) MUST_CHECK;
/* What lies there now is an artifact. */
int laid_note(struct job *j, const char *path, struct err *e) MUST_CHECK;

/* ---- data.c */
int data_item(struct job *j, const struct val *item, struct val_map *answer, struct err *e) MUST_CHECK;

static inline bool
item_is_packed(const struct val *item, const char *how)
{
	return str_eq(val_get_str(item, "packing"), str_c(how));
}
#endif
