/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: the uploads that a driver has begun at its service for one artifact (artifact_site.journal), and the parts that are there. What cannot be written
 * is lost, and costs sending it again. Without a journal nothing is kept.
 */
#ifndef TIDEGATE_ENGINE_ARTIFACT_JOURNAL_H
#define TIDEGATE_ENGINE_ARTIFACT_JOURNAL_H

#include "engine/artifact/driver.h"

enum { JOURNAL_PARTS_MAX = 50000 };

struct journal_part {
	str sum, etag; /* a checksum of its bytes; as the service knows it. Absent: it is not there */
};
struct journal_upload {
	str key, id;          /* id: as the service knows the upload */
	str sum;              /* of the whole file, where it is told to the service before the bytes; else absent */
	uint64_t bytes, part; /* of the file; of each part but the last */
	struct journal_part *parts;
};

static inline uint64_t
journal_parts_of(const struct journal_upload *u)
{
	return u->bytes / u->part + (u->bytes % u->part != 0);
}

/* It has begun at the service. u->parts is made, with none of them there; in `a`. */
void journal_begin(const struct artifact_site *site, struct journal_upload *u, struct arena *a);
/* The part with this number, from 1 on, is there. */
void journal_part(const struct artifact_site *site, const struct journal_upload *u, unsigned number, const struct journal_part *p, struct arena *a);
/* It is put together, or given up. */
void journal_end(const struct artifact_site *site, str id, struct arena *a);

/*
 * Whether a process before us has begun to send this very file: key, bytes, part and sum are given, id and parts become those of it, in `a`. Others under
 * this key nobody goes on with; give_up() is told of each.
 */
bool journal_take_up(const struct artifact_site *site, struct journal_upload *u, void (*give_up)(void *arg, const struct journal_upload *other), void *arg,
	struct arena *a);
/* Each that has not ended. */
void journal_each(const struct artifact_site *site, void (*each)(void *arg, const struct journal_upload *u), void *arg);

/* After this error the service is as it was, and may be asked again: by whoever reads the journal. */
static inline bool
journal_may_go_on(const struct artifact_site *site, const struct err *e)
{
	return site->journal && (e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT);
}

#endif
