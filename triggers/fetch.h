/* SPDX-License-Identifier: Apache-2.0 */
/* fetch: what the readers of resources share (resource.c, fetch_url.c, fetch_s3.c, fetch_git.c); nobody else includes it. */
#ifndef TIDEGATE_TRIGGERS_FETCH_H
#define TIDEGATE_TRIGGERS_FETCH_H

#include "triggers/resource.h"

/* One reading. In the firing's arena. */
struct fetch {
	struct firing *firing;
	struct manifest_source from;
	void (*done)(struct firing *f, const struct val *object, const struct err *e);
	void *own; /* of the reader */
};

/* Each ends with exactly one fetch_done, later. */
void fetch_s3(struct fetch *x);
void fetch_url(struct fetch *x);
void fetch_git(struct fetch *x);
/* The text that was read, valid during the call, and what to call it; or why it could not be. */
void fetch_done(struct fetch *x, str text, str name, const struct err *e);
/* The same in the next turn, with an error. */
void fetch_failed(struct fetch *x, const struct err *e);

#endif
