/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch: what the sources that look at files share. A set of names, each with how it looked when it was last announced; a new look at the
 * directory, or what the kernel says of a name, is compared with that and becomes events {name, op, metadata} (spec events 1.C1 to C3).
 *
 * The set is kept in the rows of the source (source.h), each name in the transaction of its event: so what changed while the daemon was
 * down is announced at its next look, and nothing is announced twice, wherever it dies. What is there at the very first look is known
 * without being announced, unless the kind says otherwise.
 *
 * A name is held back until it is complete: its writer has closed it, or it has looked the same for long enough.
 *
 * Memory is bounded: WATCH_NAMES_MAX names; beyond that a look is an error. Events come in portions, and none while the source is paused.
 */
#ifndef TIDEGATE_SOURCES_WATCH_H
#define TIDEGATE_SOURCES_WATCH_H

#include "core/lang/regex.h"
#include "sources/source.h"

/* Bits of an event's op, Argo's (fsevent). */
enum { WATCH_CREATE = 1, WATCH_WRITE = 2, WATCH_REMOVE = 4, WATCH_RENAME = 8, WATCH_CHMOD = 16 };
enum {
	WATCH_NAMES_MAX = 100000,
	WATCH_NAME_MAX = 4096,          /* bytes of a name; a longer one is an error of the look */
	WATCH_ENTRIES_MAX = 1000000,    /* entries of a directory, whether they match or not */
	WATCH_PORTION = 256,            /* changes announced in a turn */
};

/* "CREATE|WRITE" as bits; *unknown is the first word that is none of them, or absent. */
unsigned watch_ops(str type, str *unknown);
/* A directory as Go's filepath.Clean leaves an absolute path: no //, no /./, no /../, no slash at the end but that of the root. */
str watch_clean(struct arena *a, str path);
/* Where the names are: the clean directory, with the directories that `path` may have in it; *name is its last part, absent if `path` is. */
str watch_place(struct arena *a, str directory, str path, str *name);

/* ---- which names ---------------------------------------------------------------------------------------------------- */

/* `path` is the one name, or `path_regexp` matches somewhere in it. Counted: a look on another thread has a reference of its own. */
struct watch_match;
int watch_match_new(str path, str path_regexp, struct watch_match **out, struct err *e) MUST_CHECK;
struct watch_match *watch_match_ref(struct watch_match *m);
void watch_match_unref(struct watch_match *m); /* NULL is fine */
/* 1, 0; -1: ERR_LIMIT, too much work for the expression. One thread at a time. */
int watch_matches(const struct watch_match *m, str name, struct err *e) MUST_CHECK;

/* ---- a look --------------------------------------------------------------------------------------------------------- */

struct watch_stamp {
	uint64_t id;       /* the file, whatever its name; 0: not known */
	int64_t size;      /* 0 for directories, and so is mtime: they change with what is in them */
	int64_t mtime, ctime; /* ns, or in the unit of the source: only compared; ctime 0: there is none */
	uint32_t mode;     /* kind and permissions */
};
bool watch_stamp_eq(const struct watch_stamp *a, const struct watch_stamp *b);
/* Whether its writers have closed it; NOT_SURE: nobody can tell, so it has to look the same for a while. */
enum watch_complete { WATCH_NOT_SURE, WATCH_INCOMPLETE, WATCH_COMPLETE };

struct watch_seen {
	str name; /* relative to the directory */
	struct watch_stamp stamp;
	enum watch_complete complete;
	bool young; /* its times are those of this moment: another write may leave them as they are */
};
/* The names that match, as they are now: made on any thread, by one. */
struct watch_look;
struct watch_look *watch_look_new(void);
void watch_look_free(struct watch_look *k); /* NULL is fine */
/* One more entry was read, whatever it is. ERR_LIMIT: too many. */
int watch_look_count(struct watch_look *k, struct err *e) MUST_CHECK;
/* The name is copied. ERR_LIMIT: too many, or too long a name. */
int watch_look_add(struct watch_look *k, const struct watch_seen *seen, struct err *e) MUST_CHECK;
/* All of it; valid as long as the look. */
const struct watch_seen *watch_look_seen(const struct watch_look *k, size_t *n);

/* ---- the set -------------------------------------------------------------------------------------------------------- */

/* How kinds differ. */
enum {
	WATCH_CONTENT_WRITTEN = 1, /* a new name that has content is WRITE as well as CREATE: who asks for WRITE wants to hear of all content */
	WATCH_CHANGE_CREATES = 2,  /* a changed file is CREATE as well as WRITE (sftp) */
	WATCH_RENAMED_TO = 4,      /* a rename is RENAME of the new name; else RENAME of the old one and CREATE of the new one (hdfs) */
	WATCH_ALL_OPS = 8,         /* the event's op has all that happened; else only what was asked for (hdfs) */
	WATCH_FIRST_IS_NEWS = 16,  /* what is there at the very first look is announced (hdfs) */
	WATCH_AT_ONCE = 32,        /* nothing is held back */
};
struct watch_options {
	struct watch_match *match;   /* one reference, taken */
	str directory;               /* clean; goes before the names, unless it is absent: then events have the last part of the name only */
	str place;                   /* what the set is of, with all that makes it another one: if it changes, the set begins anew */
	str type;                    /* ops asked for */
	const struct kvs *metadata;  /* of the source's configuration */
	unsigned rules;
	int64_t settle_ns;           /* how long a name of which nobody is sure has to look the same */
};
struct watch;
/* Options are copied. `idle` is called whenever all changes have been announced, from a turn of its own. */
struct watch *watch_new(struct source *s, const struct watch_options *o, void (*idle)(void *arg), void *arg);
void watch_free(struct watch *w); /* NULL is fine */
/* Reads what was announced before this start; once. Unless the source stops meanwhile, `ready` is called in a later turn. */
void watch_load(struct watch *w, void (*ready)(void *arg, const struct err *e));
/* One more text that is kept with the set, beside the names: absent if there is none. From the next turn's end on it survives restarts. */
void watch_keep(struct watch *w, str text);
str watch_kept(const struct watch *w);
/* There was no look yet, in no life of the daemon. */
bool watch_is_new(const struct watch *w);
/* Compares, takes the look, and begins to announce. Only when watch_is_idle. */
void watch_compare(struct watch *w, struct watch_look *look);
/* What is announced waits no more (source_ops.pause with false). */
void watch_resume(struct watch *w);
/* Nothing waits to be announced. */
bool watch_is_idle(const struct watch *w);
const struct watch_match *watch_matcher(const struct watch *w);
size_t watch_count(const struct watch *w);
/* Names that are held back. */
size_t watch_held(const struct watch *w);
/* Which ones, with the stamps they had: the caller's to free. */
struct watch_look *watch_held_names(const struct watch *w);
/* source_ops.describe: how many names, and how many of them are held back. */
void watch_describe(const struct watch *w, struct val_map *m, struct arena *a);

/* ---- what the kernel says -------------------------------------------------------------------------------------------- */

enum watch_fact {
	WATCH_MADE,     /* the name was created, and may have a writer */
	WATCH_MOVED_IN, /* it was moved here, or over another of this name */
	WATCH_CLOSED,   /* a writer has closed it */
	WATCH_WRITTEN,  /* a writer has written; used with WATCH_AT_ONCE only */
	WATCH_TOUCHED,  /* its attributes changed */
	WATCH_DELETED,
	WATCH_MOVED_OUT,
	WATCH_STILL,    /* nothing was said: a name that is held back was looked at again */
};
/*
 * `seen`: how the name looks by now; NULL: there is none of that name. `maybe_old`: the last look may have seen this already. Facts come
 * in their order; they are announced with watch_compare's. ERR_LIMIT: too many names; a look has to catch up once there are fewer.
 */
int watch_tell(struct watch *w, enum watch_fact fact, str name, const struct watch_seen *seen, bool maybe_old, struct err *e) MUST_CHECK;
/* Begins to announce what was told. */
void watch_announce(struct watch *w);

#endif
