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

/* The three parts with NUL between them: names contain none, and the last part may contain anything. */
static void
join(struct buf *b, str source, str subject, str delivery)
{
	buf_add(b, source);
	buf_addc(b, 0);
	buf_add(b, subject);
	buf_addc(b, 0);
	buf_add(b, delivery);
}

const struct dedup_entry *
dedup_find(struct dedup *d, int64_t now, str source, str subject, str delivery)
{
	while (d->slices.n && d->slices.p[0].index < now / d->slice_ns - SLICES)
		drop_oldest(d);
	if (!d->n)
		return NULL;
	struct buf key CLEANUP(free_buf) = { 0 };
	join(&key, source, subject, delivery);
	for (size_t i = d->slices.n; i-- > 0;) {
		const struct dedup_entry *found = map_get(&d->slices.p[i].entries, buf_str(&key));
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

void
dedup_add(struct dedup *d, str source, str subject, str delivery, const struct dedup_entry *entry)
{
	if (d->n >= DEDUP_MAX) {
		log_warn("more delivery ids than can be remembered: the oldest are forgotten before their time", NULL);
		drop_oldest(d);
	}
	struct dedup_slice *s = slice_of(d, entry->time);
	struct buf key CLEANUP(free_buf) = { 0 };
	join(&key, source, subject, delivery);
	if (map_get(&s->entries, buf_str(&key)))
		return;
	struct dedup_entry *copy = ARENA_NEW(s->arena, struct dedup_entry);
	*copy = *entry;
	copy->id = arena_dup(s->arena, entry->id);
	(void)map_put(&s->entries, arena_dup(s->arena, buf_str(&key)), copy);
	d->n++;
}
