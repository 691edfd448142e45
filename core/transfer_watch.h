/* SPDX-License-Identifier: Apache-2.0 */
/* transfer_watch: who wants to know how far a transfer is. Called by whoever moves the bytes, often, in his thread. */
#ifndef TIDEGATE_CORE_TRANSFER_WATCH_H
#define TIDEGATE_CORE_TRANSFER_WATCH_H

#include "core/base.h"

/* Each of them may be NULL. */
struct transfer_watch {
	void (*moved)(void *arg, uint64_t bytes); /* so many more, in whatever direction */
	void (*had)(void *arg, uint64_t bytes);   /* so many more are there already, of a transfer that goes on */
	void (*total)(void *arg, uint64_t bytes); /* so many there will be; the last word counts */
	void (*again)(void *arg, const char *why); /* a try ended like this, and there is another */
	void *arg;
};

static inline void
watch_moved(const struct transfer_watch *w, uint64_t bytes)
{
	if (w && w->moved && bytes)
		w->moved(w->arg, bytes);
}

static inline void
watch_had(const struct transfer_watch *w, uint64_t bytes)
{
	if (w && w->had && bytes)
		w->had(w->arg, bytes);
}

static inline void
watch_total(const struct transfer_watch *w, uint64_t bytes)
{
	if (w && w->total)
		w->total(w->arg, bytes);
}

static inline void
watch_again(const struct transfer_watch *w, const char *why)
{
	if (w && w->again)
		w->again(w->arg, why);
}

/* So many bytes, for people: "312.0 MiB"; in `a`. */
str bytes_text(struct arena *a, uint64_t bytes);

#endif
