/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hdfs_walk: lists a directory of HDFS and all below it over WebHDFS (hadoop.apache.org: WebHDFS REST API), one call at a time. Bounded in
 * names (sources/watch.h), directories and bytes of an answer.
 */
#ifndef TIDEGATE_SOURCES_HDFS_WALK_H
#define TIDEGATE_SOURCES_HDFS_WALK_H

#include "core/net/httpc.h"
#include "sources/watch.h"

enum { HDFS_DIRECTORIES_MAX = 20000 };

/* Constant while a walk goes on, but for what it learns. */
struct hdfs_place {
	struct strs addresses; /* "host:port" or URLs */
	str directory;         /* clean */
	str user;              /* "": none */
	const struct watch_match *match;
	str path;              /* absent, or the only name that matches: then other branches need no look */
	size_t active;         /* of the addresses, the one that answered last */
	bool whole;            /* the server cannot list in parts (LISTSTATUS_BATCH) */
};
struct hdfs_walk;
/*
 * `done` is called once, later: with what was seen, which becomes the caller's, or with an error: ERR_NOT_FOUND (the directory is not there),
 * ERR_DENIED, ERR_UNAUTHENTICATED, ERR_LIMIT, ERR_UNAVAILABLE, ...
 */
struct hdfs_walk *hdfs_walk(struct httpc *c, struct hdfs_place *p, void (*done)(void *arg, struct watch_look *seen, const struct err *e),
                            void *arg);
/* Ends it; done is not called. NULL is fine. */
void hdfs_walk_leave(struct hdfs_walk *w);

#endif
