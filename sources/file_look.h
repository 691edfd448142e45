/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_look: looks at a directory and at names in it, on a thread that may block (sources/aside.h). A job owns all it touches.
 */
#ifndef TIDEGATE_SOURCES_FILE_LOOK_H
#define TIDEGATE_SOURCES_FILE_LOOK_H

#include "sources/watch.h"

enum file_job_kind {
	FILE_OPEN,  /* have the kernel watch the directory, then list it; if it is not there, have it watch what is nearest above */
	FILE_LIST,  /* list it */
	FILE_NAMES, /* look at the names of `facts` */
};
/* What was said of a name, and how it looks by now. */
struct file_fact {
	enum watch_fact fact;
	bool maybe_old;
	bool is_there;
	struct watch_seen seen; /* the name is given */
};
struct file_job {
	struct arena *arena;  /* it lies in it, as do its texts */
	void *owner;
	enum file_job_kind kind;
	const char *directory;
	struct watch_match *match; /* one reference */
	int fd;               /* inotify, for the job alone; -1: polling */
	uint32_t mask;        /* what to watch for */
	int old_wd;           /* the watch that is of no use any more; -1: none */
	VEC(struct file_fact) facts;
	/* what came of it */
	struct watch_look *look; /* what was listed */
	int wd;               /* of the directory, or of what is above it */
	bool away;            /* the directory is not there: `err` says what is waited for */
	const char *awaited;  /* away: the part of its path that is missing */
	size_t queued;        /* bytes of the kernel's queue when it was listed: what they say may have been seen */
	int64_t took_ns;
	struct err err;       /* code 0: all went well */
};

struct file_job *file_job_new(enum file_job_kind kind, str directory, struct watch_match *match);
void file_job_work(void *job);
void file_job_free(void *job);

#endif
