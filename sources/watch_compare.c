/* SPDX-License-Identifier: Apache-2.0 */
/* A new look against what is known: what is new, changed, renamed or gone, and what is not complete yet. */
#include "sources/watch_impl.h"

unsigned
watch_difference(const struct watch *w, const struct watch_stamp *told, const struct watch_stamp *now)
{
	unsigned ops = 0;
	if (told->id != now->id)
		ops |= WATCH_CREATE | WATCH_WRITE;
	if (told->size != now->size || told->mtime != now->mtime)
		ops |= w->rules & WATCH_CHANGE_CREATES ? WATCH_CREATE | WATCH_WRITE : WATCH_WRITE;
	if (told->mode != now->mode)
		ops |= WATCH_CHMOD;
	return ops;
}

void
watch_appeared(struct watch *w, struct watch_name *n, const struct watch_stamp *now, unsigned ops)
{
	if (ops & WATCH_CREATE && w->rules & WATCH_CONTENT_WRITTEN && now->size)
		ops |= WATCH_WRITE;
	watch_hold(w, n, false);
	n->told = *now;
	n->known = true;
	n->made = false;
	watch_push(w, n->name, ops, now);
}

/* Whether it may be announced; else it is held back. */
static bool
is_settled(struct watch *w, struct watch_name *n, const struct watch_seen *seen)
{
	int64_t now = loop_now(source_loop(w->source));
	if (seen->complete == WATCH_COMPLETE || w->rules & WATCH_AT_ONCE)
		return true;
	if (n->held && seen->complete == WATCH_NOT_SURE && watch_stamp_eq(&n->last, &seen->stamp))
		return now - n->since >= w->settle_ns;
	watch_hold(w, n, true);
	n->last = seen->stamp;
	n->since = now;
	return false;
}

void
watch_consider(struct watch *w, struct watch_name *n, const struct watch_seen *seen)
{
	unsigned ops = n->known && !n->made ? watch_difference(w, &n->told, &seen->stamp) : WATCH_CREATE;
	if (!(ops & ~(unsigned)WATCH_CHMOD)) {
		watch_hold(w, n, false);
		n->told = seen->stamp; /* the ctime may be another */
		if (ops)
			watch_push(w, n->name, ops, &n->told);
	} else if (is_settled(w, n, seen)) {
		watch_appeared(w, n, &seen->stamp, ops);
	}
}

static int
by_id(const void *a, const void *b)
{
	const struct watch_seen *x = *(const struct watch_seen *const *)a, *y = *(const struct watch_seen *const *)b;
	return x->stamp.id < y->stamp.id ? -1 : x->stamp.id > y->stamp.id;
}

static int
by_name(const void *a, const void *b)
{
	return str_cmp((*(struct watch_name *const *)a)->name, (*(struct watch_name *const *)b)->name);
}

/* Names of this look that were not known before, by the id of their file: among them is what a name that is gone is called now. */
struct newcomers {
	const struct watch_seen **p;
	size_t n;
};

static struct newcomers
newcomers_of(const struct watch *w, struct arena *a, const struct watch_look *k)
{
	struct newcomers x = { ARENA_ARRAY(a, const struct watch_seen *, k->seen.n), 0 };
	for (size_t i = 0; i < k->seen.n; i++) {
		const struct watch_name *n = map_get(&w->names, k->seen.p[i].name);
		if (k->seen.p[i].stamp.id && !(n && n->known))
			x.p[x.n++] = &k->seen.p[i];
	}
	if (x.n)
		qsort(x.p, x.n, sizeof *x.p, by_id);
	return x;
}

/* What the file of a name that is gone is called now; NULL: it is gone. An id is used again soon, so the rest must be the same, too. */
static const struct watch_seen *
new_name(const struct newcomers *x, const struct watch_stamp *told)
{
	struct watch_seen key = { .stamp.id = told->id };
	const struct watch_seen *p = &key, **found;
	if (!told->id || !x->n || !(found = bsearch(&p, x->p, x->n, sizeof *x->p, by_id)))
		return NULL;
	return (*found)->stamp.size == told->size && (*found)->stamp.mtime == told->mtime ? *found : NULL;
}

/* A name that this look has not seen. */
static void
leave(struct watch *w, struct watch_name *n, const struct newcomers *x)
{
	const struct watch_seen *now = n->known ? new_name(x, &n->told) : NULL;
	struct watch_name *other = now ? map_get(&w->names, now->name) : NULL;
	if (other && other->known)
		now = NULL; /* another name of the same file has become that one */
	bool to = now && w->rules & WATCH_RENAMED_TO;
	if (n->known)
		watch_push(w, n->name, to ? 0 : now ? WATCH_RENAME : WATCH_REMOVE, NULL);
	if (now) {
		if (!other)
			other = watch_name_add(w, now->name);
		watch_appeared(w, other, &now->stamp, to ? WATCH_RENAME : WATCH_CREATE);
		other->look = w->looks;
	}
	watch_name_drop(w, n);
}

static void
leave_all(struct watch *w, struct watch_look *k)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	VEC(struct watch_name *) gone = { 0 };
	size_t i = 0;
	for (struct map_slot *slot; (slot = map_next(&w->names, &i));)
		if (((struct watch_name *)slot->value)->look != w->looks)
			*VEC_PUSH(&gone) = slot->value;
	if (gone.n) {
		struct newcomers x = newcomers_of(w, a, k);
		qsort(gone.p, gone.n, sizeof *gone.p, by_name);
		for (i = 0; i < gone.n; i++)
			leave(w, gone.p[i], &x);
	}
	VEC_FREE(&gone);
}

/* The very first look: what is there is known. */
static void
begin(struct watch *w, const struct watch_look *k)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	VEC(struct source_row) rows = { 0 };
	watch_forget_names(w);
	*VEC_PUSH(&rows) = (struct source_row){ S(WATCH_PLACE_ROW), w->place };
	if (w->kept.p)
		*VEC_PUSH(&rows) = (struct source_row){ S(WATCH_KEPT_ROW), w->kept };
	for (size_t i = 0; i < k->seen.n && !(w->rules & WATCH_FIRST_IS_NEWS); i++) {
		struct watch_name *n = watch_name_add(w, k->seen.p[i].name);
		n->told = k->seen.p[i].stamp;
		n->known = true;
		*VEC_PUSH(&rows) = (struct source_row){ n->name, watch_stamp_text(a, &n->told) };
	}
	source_write_rows(w->source, true, rows.p, rows.n);
	VEC_FREE(&rows);
	w->first = false;
}

static int
seen_by_name(const void *a, const void *b)
{
	return str_cmp(((const struct watch_seen *)a)->name, ((const struct watch_seen *)b)->name);
}

void
watch_compare(struct watch *w, struct watch_look *k)
{
	assert(watch_is_idle(w));
	w->looks++;
	if (w->first)
		begin(w, k);
	if (k->seen.n)
		qsort(k->seen.p, k->seen.n, sizeof *k->seen.p, seen_by_name);
	for (size_t i = 0; i < k->seen.n; i++) {
		struct watch_name *n = map_get(&w->names, k->seen.p[i].name);
		if (n)
			n->look = w->looks;
	}
	leave_all(w, k);
	for (size_t i = 0; i < k->seen.n; i++) {
		struct watch_name *n = map_get(&w->names, k->seen.p[i].name);
		if (!n)
			n = watch_name_add(w, k->seen.p[i].name);
		n->look = w->looks;
		watch_consider(w, n, &k->seen.p[i]);
	}
	watch_look_free(k);
	watch_announce(w);
}
