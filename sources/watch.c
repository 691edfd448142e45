/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of names, its comparison with a new look, and the announcing. A change is decided at once in memory, and reaches the disk with its event
 * when it is announced; what was decided and not yet announced when the process dies is found again by the next look.
 */
#include <inttypes.h>

#include "sources/message.h"
#include "sources/watch_impl.h"

/* Reads the number at the beginning of *rest. */
static int64_t
number(str *rest, bool *ok)
{
	int64_t v = 0;
	*ok &= str_to_i64(str_cut(rest, ' '), &v);
	return v;
}

static bool
stamp_read(str text, struct watch_stamp *out)
{
	bool ok = true;
	out->id = (uint64_t)number(&text, &ok);
	out->size = number(&text, &ok);
	out->mtime = number(&text, &ok);
	out->ctime = number(&text, &ok);
	out->mode = (uint32_t)number(&text, &ok);
	return ok && !text.n;
}

static str
stamp_text(struct arena *a, const struct watch_stamp *s)
{
	return arena_fmt(a, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRIu32, (int64_t)s->id, s->size, s->mtime, s->ctime, s->mode);
}

/* ---- the set -------------------------------------------------------------------------------------------------------- */

struct watch *
watch_new(struct source *s, const struct watch_options *o, void (*idle)(void *arg), void *arg)
{
	struct arena *a = arena_new();
	struct watch *w = ARENA_NEW(a, struct watch);
	str unknown;
	*w = (struct watch){ .source = s, .arena = a, .match = o->match, .directory = arena_dup(a, o->directory), .place = arena_dup(a, o->place),
	                     .wanted = watch_ops(o->type, &unknown), .rules = o->rules, .settle_ns = o->settle_ns,
	                     .metadata = o->metadata, .waiting = arena_new(), .idle = idle, .arg = arg };
	return w;
}

static void
forget_names(struct watch *w)
{
	size_t i = 0;
	for (struct map_slot *slot; (slot = map_next(&w->names, &i));)
		free(slot->value);
	map_free(&w->names);
	w->names = (struct map){ 0 };
	w->held = 0;
}

void
watch_free(struct watch *w)
{
	if (!w)
		return;
	timer_stop(&w->timer);
	forget_names(w);
	VEC_FREE(&w->changes);
	arena_free(w->waiting);
	watch_match_unref(w->match);
	arena_free(w->arena);
}

struct watch_name *
watch_name_add(struct watch *w, str name)
{
	struct watch_name *n = mem_alloc(sizeof *n + name.n + 1);
	char *text = (char *)(n + 1);
	memcpy(text, name.p, name.n);
	n->name = (str){ text, name.n };
	map_put(&w->names, n->name, n);
	return n;
}

void
watch_hold(struct watch *w, struct watch_name *n, bool on)
{
	w->held += (size_t)on - (size_t)n->held;
	n->held = on;
}

void
watch_name_drop(struct watch *w, struct watch_name *n)
{
	watch_hold(w, n, false);
	map_del(&w->names, n->name);
	free(n);
}

bool
watch_is_new(const struct watch *w)
{
	return w->first;
}

const struct watch_match *
watch_matcher(const struct watch *w)
{
	return w->match;
}

size_t
watch_count(const struct watch *w)
{
	return w->names.n;
}

size_t
watch_held(const struct watch *w)
{
	return w->held;
}

struct watch_look *
watch_held_names(const struct watch *w)
{
	struct watch_look *k = watch_look_new();
	size_t i = 0;
	for (struct map_slot *slot; w->held && (slot = map_next((struct map *)(uintptr_t)&w->names, &i));) {
		const struct watch_name *n = slot->value;
		if (n->held)
			*VEC_PUSH(&k->seen) = (struct watch_seen){ .name = arena_dup(k->arena, n->name), .stamp = n->last };
	}
	return k;
}

void
watch_describe(const struct watch *w, struct val_map *m, struct arena *a)
{
	val_map_add(m, S("names"), val_str(arena_fmt(a, "%zu", w->names.n)));
	if (w->held)
		val_map_add(m, S("incomplete"), val_str(arena_fmt(a, "%zu", w->held)));
}

/* ---- what was announced before --------------------------------------------------------------------------------------- */

static void
take_row(struct watch *w, const struct source_row *r)
{
	struct watch_stamp stamp;
	if (!stamp_read(r->value, &stamp))
		return; /* not ours: as if it had not been there, so that it is announced */
	struct watch_name *n = watch_name_add(w, r->key);
	n->told = stamp;
	n->known = true;
}

/* Keys of rows that are no names: what the set is of, which is the first of all, and the text that is kept. Names have no slash in front. */
#define PLACE_ROW ""
#define KEPT_ROW "/kept"

static void
on_rows(void *arg, const struct source_row *rows, size_t n, const struct err *e)
{
	struct watch *w = arg;
	w->first = !n || rows[0].key.n || !str_eq(rows[0].value, w->place);
	for (size_t i = 0; i < n; i++) {
		if (str_eq(rows[i].key, S(KEPT_ROW)))
			w->kept = arena_dup(w->arena, rows[i].value);
		else if (!w->first && rows[i].key.n)
			take_row(w, &rows[i]);
	}
	w->ready(w->arg, e);
}

void
watch_load(struct watch *w, void (*ready)(void *arg, const struct err *e))
{
	w->ready = ready;
	source_read_rows(w->source, on_rows, w);
}

void
watch_keep(struct watch *w, str text)
{
	w->kept = arena_dup(w->arena, text);
	source_write_rows(w->source, false, &(struct source_row){ S(KEPT_ROW), w->kept }, 1);
}

str
watch_kept(const struct watch *w)
{
	return w->kept;
}

/* ---- announcing ------------------------------------------------------------------------------------------------------ */

void
watch_push(struct watch *w, str name, unsigned ops, const struct watch_stamp *stamp)
{
	struct watch_change *c = VEC_PUSH(&w->changes);
	*c = (struct watch_change){ .name = arena_dup(w->waiting, name), .ops = ops, .gone = !stamp };
	if (stamp)
		c->stamp = *stamp;
}

/* As events call the name. */
static void
add_path(struct buf *b, const struct watch *w, str name)
{
	size_t slash = name.n;
	while (!w->directory.p && slash && name.p[slash - 1] != '/')
		slash--;
	if (w->directory.p) {
		buf_add(b, w->directory);
		buf_add(b, str_ends(w->directory, S("/")) ? S("") : S("/"));
		slash = 0;
	}
	buf_add(b, str_slice(name, slash, name.n));
}

/* {"name":"/in/a","op":1,"metadata":null}: members in the order of Argo's struct. */
static void
emit(struct watch *w, const struct watch_change *c)
{
	struct buf path CLEANUP(free_buf) = { 0 };
	struct message m;
	add_path(&path, w, c->name);
	message_begin(&m);
	message_str(&m, "name", buf_str(&path));
	message_int(&m, "op", w->rules & WATCH_ALL_OPS ? c->ops : c->ops & w->wanted);
	if (w->metadata->n)
		message_metadata(&m, w->metadata);
	else
		message_raw(&m, "metadata", S("null"));
	source_emit(w->source, message_end(&m), NULL);
}

static void announce(void *arg);

static void
announce_later(struct watch *w)
{
	struct loop *l = source_loop(w->source);
	timer_start(l, &w->timer, loop_now(l), announce, w);
}

/* A portion: each event with its row in one transaction. */
static void
announce(void *arg)
{
	struct watch *w = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	VEC(struct source_row) rows = { 0 };
	for (int n = 0; n < WATCH_PORTION && w->next < w->changes.n && !source_is_paused(w->source); n++) {
		const struct watch_change *c = &w->changes.p[w->next++];
		if (c->ops & w->wanted)
			emit(w, c);
		*VEC_PUSH(&rows) = (struct source_row){ c->name, c->gone ? STR_NONE : stamp_text(a, &c->stamp) };
	}
	source_write_rows(w->source, false, rows.p, rows.n);
	VEC_FREE(&rows);
	if (w->next < w->changes.n) {
		if (!source_is_paused(w->source))
			announce_later(w);
		return;
	}
	w->changes.n = w->next = 0;
	arena_reset(w->waiting);
	w->idle(w->arg);
}

bool
watch_is_idle(const struct watch *w)
{
	return !w->changes.n;
}

void
watch_announce(struct watch *w)
{
	announce_later(w);
}

void
watch_resume(struct watch *w)
{
	if (w->changes.n)
		announce_later(w);
}

/* ---- comparing ------------------------------------------------------------------------------------------------------- */

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
	forget_names(w);
	*VEC_PUSH(&rows) = (struct source_row){ S(PLACE_ROW), w->place };
	if (w->kept.p)
		*VEC_PUSH(&rows) = (struct source_row){ S(KEPT_ROW), w->kept };
	for (size_t i = 0; i < k->seen.n && !(w->rules & WATCH_FIRST_IS_NEWS); i++) {
		struct watch_name *n = watch_name_add(w, k->seen.p[i].name);
		n->told = k->seen.p[i].stamp;
		n->known = true;
		*VEC_PUSH(&rows) = (struct source_row){ n->name, stamp_text(a, &n->told) };
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
	announce_later(w);
}
