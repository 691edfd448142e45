/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/dedup.h"

#include "core/log.h"

enum { SLICES = 8 };

void
dedup_init(struct dedup *d, int64_t window_ns)
{
	d->slice_ns = window_ns / SLICES > 0 ? window_ns / SLICES : 1;
}

static void
drop_oldest(struct dedup *d)
{
	struct dedup_slice *s = &d->slices.p[0];
	d->n -= s->entries.n;
	map_free(&s->entries);
	arena_free(s->arena);
	memmove(s, s + 1, --d->slices.n * sizeof *s);
}

void
dedup_free(struct dedup *d)
{
	while (d->slices.n)
		drop_oldest(d);
	VEC_FREE(&d->slices);
}

enum { SHORT_KEY = 256 };

/* A key on the stack, if it is of a common length. */
struct key {
	str text;
	uint32_t hash;
	char *long_one;
	char short_one[SHORT_KEY];
};

static char *
put(char *to, str s)
{
	if (s.n)
		memcpy(to, s.p, s.n);
	return to + s.n;
}

/* The three parts with NUL between them: names contain none, and the last part may contain anything. */
static void
key_init(struct key *k, str source, str subject, str delivery)
{
	size_t n = source.n + subject.n + delivery.n + 2;
	k->long_one = n > SHORT_KEY ? mem_realloc(NULL, n, 1) : NULL;
	char *text = k->long_one ? k->long_one : k->short_one, *to = put(text, source);
	*to++ = 0;
	to = put(to, subject);
	*to++ = 0;
	put(to, delivery);
	k->text = (str){ text, n };
	k->hash = map_hash(k->text);
}

static void
key_free(struct key *k)
{
	free(k->long_one);
}

static const struct dedup_entry *
find(struct dedup *d, int64_t now, const struct key *k)
{
	while (d->slices.n && d->slices.p[0].index < now / d->slice_ns - SLICES)
		drop_oldest(d);
	for (size_t i = d->slices.n; i-- > 0;) {
		const struct dedup_entry *found = map_get_hashed(&d->slices.p[i].entries, k->text, k->hash);
		if (found)
			return found->time >= now - d->slice_ns * SLICES ? found : NULL;
	}
	return NULL;
}

static struct dedup_slice *
slice_of(struct dedup *d, int64_t time)
{
	int64_t index = time / d->slice_ns;
	size_t i = d->slices.n;
	while (i > 0 && d->slices.p[i - 1].index > index)
		i--;
	if (i > 0 && d->slices.p[i - 1].index == index)
		return &d->slices.p[i - 1];
	(void)VEC_PUSH(&d->slices);
	struct dedup_slice *s = &d->slices.p[i];
	memmove(s + 1, s, (d->slices.n - 1 - i) * sizeof *s);
	*s = (struct dedup_slice){ .index = index, .arena = arena_new() };
	return s;
}

static void
add(struct dedup *d, const struct key *k, const struct dedup_entry *entry)
{
	if (d->n >= DEDUP_MAX) {
		log_warn("more delivery ids than can be remembered: the oldest are forgotten before their time", NULL);
		drop_oldest(d);
	}
	struct dedup_slice *s = slice_of(d, entry->time);
	struct dedup_entry *copy = ARENA_NEW(s->arena, struct dedup_entry);
	*copy = *entry;
	copy->id = arena_dup(s->arena, entry->id);
	struct dedup_entry *first = map_put_hashed(&s->entries, arena_dup(s->arena, k->text), k->hash, copy);
	if (first)
		(void)map_put_hashed(&s->entries, k->text, k->hash, first);
	else
		d->n++;
}

const struct dedup_entry *
dedup_find(struct dedup *d, int64_t now, str source, str subject, str delivery)
{
	struct key k;
	key_init(&k, source, subject, delivery);
	const struct dedup_entry *found = find(d, now, &k);
	key_free(&k);
	return found;
}

void
dedup_add(struct dedup *d, str source, str subject, str delivery, const struct dedup_entry *entry)
{
	struct key k;
	key_init(&k, source, subject, delivery);
	add(d, &k, entry);
	key_free(&k);
}

const struct dedup_entry *
dedup_enter(struct dedup *d, int64_t now, str source, str subject, str delivery, const struct dedup_entry *entry)
{
	struct key k;
	key_init(&k, source, subject, delivery);
	const struct dedup_entry *found = find(d, now, &k);
	if (!found)
		add(d, &k, entry);
	key_free(&k);
	return found;
}
