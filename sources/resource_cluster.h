/* SPDX-License-Identifier: Apache-2.0 */
/* resource_cluster: what resource_cluster.c (life and watch) and resource_list.c share. Nobody else includes it. */
#ifndef TIDEGATE_SOURCES_RESOURCE_CLUSTER_H
#define TIDEGATE_SOURCES_RESOURCE_CLUSTER_H

#include "core/lines.h"
#include "core/net/cluster.h"
#include "sources/backoff.h"
#include "sources/resource_impl.h"

enum { CLUSTER_OBJECT_MAX = 8 << 20 /* bytes of an object, and of a page of a list; clusters take objects of 1.5 MiB */ };

struct cluster_watch {
	struct resource *r;
	struct httpc *client; /* of this source alone */
	struct backoff_state backoff;
	struct timer retry, head;
	struct lines lines;
	str version, server;  /* owned: from where to watch, absent: a list is due; and whose version it is */
	str continue_;        /* owned: the next page */
	str asked;            /* owned: the server of the list that is under way */
	str list_version;     /* owned: of the list */
	int64_t since;        /* what was made before is not told of; 0: all is */
	int64_t listing;      /* number of the list that is under way */
	int64_t limit;
	int64_t opened_at, complained;
	bool begun;           /* `since` is known, and kept */
	bool waiting;         /* for room in the bus, with the next page */
	bool jammed;          /* the stream waits for the disk */
	bool moved;           /* the version is not written yet */
	bool heard;           /* a line that was good */
	struct err verdict;   /* why the stream is left; code 0: it is not */
};

/* ---- resource_cluster.c */

struct loop *cluster_loop(const struct cluster_watch *w);
/* A copy of `text` in place of what was there; absent: nothing. */
void cluster_keep(str *owned, str text);
/* The path of the objects in the API, and "&labelSelector=..." if there is one; in `a`. */
str cluster_path(const struct resource_source *c, struct arena *a);
str cluster_selector(const struct resource_source *c, struct arena *a);
/* A durable row of the source, in this turn's transaction. */
void cluster_row(struct cluster_watch *w, const char *key, str value);
/* What comes next is asked for after a while; `e` (NULL: nothing is wrong) is the source's state until then. */
void cluster_again(struct cluster_watch *w, const struct err *e);
/* An object is passed over: counted, and logged once in a while. */
void cluster_complain(struct cluster_watch *w, const struct err *e);
/* The version is of no use any more. */
void cluster_list_is_due(struct cluster_watch *w);
/* Asks for what comes next: the first page, the next, or the watch. `arg` is the cluster_watch. */
void cluster_go_on(void *arg);

/* ---- resource_list.c */

void cluster_begin_list(struct cluster_watch *w, const struct cluster *c);
/* The next page; with the last one the version is known, and cluster_go_on is called. */
void cluster_ask_page(struct cluster_watch *w, const struct cluster *c, struct arena *a);

#endif
