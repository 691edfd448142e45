/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says of names. Its queue runs behind: how a name looks is asked when its events are read, so the last of several may be seen with the
 * first; and a look that caught up may have seen what is still in the queue (maybe_old). A fact that changes nothing any more is passed over then.
 */
#include "sources/watch_impl.h"

/* The name is as it was announced. */
static bool
is_told(const struct watch_name *n, const struct watch_seen *seen)
{
	return n && n->known && seen && watch_stamp_eq(&n->told, &seen->stamp);
}

/* How it looks, also if it is gone already: it was there. */
static struct watch_stamp
stamp_of(const struct watch_name *n, const struct watch_seen *seen)
{
	return seen ? seen->stamp : n->held ? n->last : (struct watch_stamp){ 0 };
}

static void
made(struct watch *w, struct watch_name *n, const struct watch_seen *seen)
{
	struct watch_stamp now = stamp_of(n, seen);
	if (w->rules & WATCH_AT_ONCE || (seen && seen->complete == WATCH_COMPLETE)) {
		watch_appeared(w, n, &now, WATCH_CREATE);
		return;
	}
	watch_hold(w, n, true);
	n->made = true;
	n->last = now;
	n->since = loop_now(source_loop(w->source));
}

static void
closed(struct watch *w, struct watch_name *n, const struct watch_seen *seen, bool maybe_old)
{
	struct watch_stamp now = stamp_of(n, seen);
	if (!n->known || n->made)
		watch_appeared(w, n, &now, WATCH_CREATE);
	else if (seen && (watch_difference(w, &n->told, &now) & WATCH_WRITE || (seen->young && !maybe_old)))
		watch_appeared(w, n, &now, watch_difference(w, &n->told, &now) | WATCH_WRITE);
	else
		watch_hold(w, n, false);
}

static void
touched(struct watch *w, struct watch_name *n, const struct watch_seen *seen)
{
	if (!n->known || n->held || !seen)
		return; /* its end will tell */
	n->told = seen->stamp;
	watch_push(w, n->name, WATCH_CHMOD, &n->told);
}

static void
gone(struct watch *w, struct watch_name *n, unsigned op)
{
	watch_push(w, n->name, op, NULL);
	watch_name_drop(w, n);
}

int
watch_tell(struct watch *w, enum watch_fact fact, str name, const struct watch_seen *seen, bool maybe_old, struct err *e)
{
	struct watch_name *n = map_get(&w->names, name);
	bool leaves = fact == WATCH_DELETED || fact == WATCH_MOVED_OUT;
	bool begins = fact == WATCH_MADE || fact == WATCH_MOVED_IN;
	if (!n && !begins && (leaves || !seen || fact == WATCH_TOUCHED || fact == WATCH_STILL))
		return 0; /* it went before, and its end was announced */
	if (maybe_old && is_told(n, seen))
		return 0;
	if (!n && w->names.n >= WATCH_NAMES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d names match", WATCH_NAMES_MAX);
	if (!n)
		n = watch_name_add(w, name);
	switch (fact) {
	case WATCH_MADE:
		made(w, n, seen);
		break;
	case WATCH_MOVED_IN: {
		struct watch_stamp now = stamp_of(n, seen);
		watch_appeared(w, n, &now, n->known ? WATCH_CREATE | WATCH_WRITE : WATCH_CREATE);
		break;
	}
	case WATCH_CLOSED:
		closed(w, n, seen, maybe_old);
		break;
	case WATCH_WRITTEN: {
		struct watch_stamp now = stamp_of(n, seen);
		watch_appeared(w, n, &now, WATCH_WRITE);
		break;
	}
	case WATCH_TOUCHED:
		touched(w, n, seen);
		break;
	case WATCH_DELETED:
	case WATCH_MOVED_OUT:
		gone(w, n, fact == WATCH_DELETED ? WATCH_REMOVE : WATCH_RENAME);
		break;
	case WATCH_STILL:
		if (n->held && seen)
			watch_consider(w, n, seen);
		break;
	}
	return 0;
}
