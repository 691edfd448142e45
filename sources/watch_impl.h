/* SPDX-License-Identifier: Apache-2.0 */
/* watch_impl: what watch.c, watch_compare.c, watch_tell.c and watch_look.c know of each other. */
#ifndef TIDEGATE_SOURCES_WATCH_IMPL_H
#define TIDEGATE_SOURCES_WATCH_IMPL_H

#include "core/map.h"
#include "sources/watch.h"

struct watch_look {
	struct arena *arena;
	VEC(struct watch_seen) seen;
	size_t entries; /* read, whether they match or not */
};

struct watch_name {
	struct watch_stamp told; /* as it was announced, or is about to be */
	struct watch_stamp last; /* held: as it looked last */
	int64_t since;           /* held: since when it has looked like that */
	uint64_t look;           /* the last look that saw it */
	bool known;              /* `told` counts, and is in the rows once it is announced */
	bool held;               /* it waits to be complete */
	bool made;               /* held: when it is complete, it is a new file, whatever was known of the name */
	str name;                /* behind the struct */
};

/* One that waits to be announced. */
struct watch_change {
	str name;      /* in watch.waiting */
	unsigned ops;  /* all that happened; 0: only the row changes */
	bool gone;
	struct watch_stamp stamp;
};

struct watch {
	struct source *source;
	struct arena *arena;
	struct watch_match *match;
	str directory, place;
	unsigned wanted, rules;
	int64_t settle_ns;
	const struct kvs *metadata; /* of the source's configuration */
	bool first;   /* there was no look yet */
	str kept;     /* in the arena */
	uint64_t looks;
	struct map names; /* -> struct watch_name */
	size_t held;
	struct arena *waiting; /* texts of the changes; anew when all are announced */
	VEC(struct watch_change) changes;
	size_t next; /* of the changes */
	struct timer timer;
	void (*idle)(void *arg);
	void (*ready)(void *arg, const struct err *e);
	void *arg;
};

/* Keys of rows that are no names: what the set is of, which is the first of all, and the text that is kept. Names have no slash in front. */
#define WATCH_PLACE_ROW ""
#define WATCH_KEPT_ROW "/kept"

/* The value of a name's row, in `a`. */
str watch_stamp_text(struct arena *a, const struct watch_stamp *s);
struct watch_name *watch_name_add(struct watch *w, str name);
void watch_name_drop(struct watch *w, struct watch_name *n);
void watch_forget_names(struct watch *w);
void watch_hold(struct watch *w, struct watch_name *n, bool on);
/* Queues a change. */
void watch_push(struct watch *w, str name, unsigned ops, const struct watch_stamp *stamp);
/* The name is new, or its file is: known from now on. */
void watch_appeared(struct watch *w, struct watch_name *n, const struct watch_stamp *now, unsigned ops);
/* What differs, as ops. */
unsigned watch_difference(const struct watch *w, const struct watch_stamp *told, const struct watch_stamp *now);
/* One more look at a name that is new, changed, or held back: announces it, or holds it back. */
void watch_consider(struct watch *w, struct watch_name *n, const struct watch_seen *seen);

#endif
