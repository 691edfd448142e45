/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts: a file that goes to its service in parts, each tried again by itself, which are put together in the end. An upload goes on in the next process, if
 * this one is killed or the service is away: parts that are there with the same bytes are not sent again.
 */
#ifndef TIDEGATE_ENGINE_ARTIFACT_PARTS_H
#define TIDEGATE_ENGINE_ARTIFACT_PARTS_H

#include "engine/artifact/journal.h"

struct parts_piece {
	unsigned number; /* from 1 on */
	int fd;
	uint64_t offset, bytes;
};

/* How a service does it; `service` is the driver's own. */
struct parts_service {
	uint64_t most; /* parts of one upload */
	/* Sets u->id, in `a`. */
	int (*begin)(void *service, struct journal_upload *u, struct arena *a, struct err *e);
	/* What a process before us has sent: parts that the service has no more lose their etag. NULL: what is missing shows when they are put together. */
	int (*look)(void *service, struct journal_upload *u, struct arena *a, struct err *e);
	/* One that `p` says is there with these bytes is left alone; another is sent, and is in *p then, in `a`. */
	int (*send)(void *service, const struct journal_upload *u, const struct parts_piece *piece, struct journal_part *p, struct arena *a, struct err *e);
	/* The parts become the object. */
	int (*complete)(void *service, const struct journal_upload *u, int fd, struct arena *a, struct err *e);
	/* -1: something of it may be there yet. */
	int (*give_up)(void *service, const struct journal_upload *u, struct arena *a);
};

/* The `bytes` of the file `fd` become the object. */
int parts_put(const struct artifact_site *site, const struct parts_service *s, void *service, str key, int fd, uint64_t bytes, struct err *e) MUST_CHECK;
/* As `abandon` of a driver: what the journal has as begun is given up. */
void parts_abandon(const struct artifact_site *site, const struct parts_service *s, void *service);

/* The request that puts parts together, as S3 and OSS take it; `attributes` as for s3_parts_body. In `a`. ERR_UNAVAILABLE: one is missing. */
int parts_xml(const struct journal_upload *u, const char *attributes, struct arena *a, str *out, struct err *e) MUST_CHECK;

#endif
