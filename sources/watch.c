/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of names, its rows, and the announcing. A change is decided at once in memory, and reaches the disk with its event
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

str
watch_stamp_text(struct arena *a, const struct watch_stamp *s)
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

void
watch_forget_names(struct watch *w)
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
	watch_forget_names(w);
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

static void
on_rows(void *arg, const struct source_row *rows, size_t n, const struct err *e)
{
	struct watch *w = arg;
	w->first = !n || rows[0].key.n || !str_eq(rows[0].value, w->place);
	for (size_t i = 0; i < n; i++) {
		if (str_eq(rows[i].key, S(WATCH_KEPT_ROW)))
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
	source_write_rows(w->source, false, &(struct source_row){ S(WATCH_KEPT_ROW), w->kept }, 1);
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
		*VEC_PUSH(&rows) = (struct source_row){ c->name, c->gone ? STR_NONE : watch_stamp_text(a, &c->stamp) };
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
