/* SPDX-License-Identifier: Apache-2.0 */
/*
 * minio_seen: which objects events were about, by key and ETag: a table with one place for each hash, where two that
 * meet push each other out. It grows as long as that happens among those that a listing may look back to, up to a
 * megabyte. What it has forgotten is told of once more, with the same delivery id: the bus drops that.
 */
#include "sources/minio.h"

enum { PLACES_FIRST = 256, PLACES_MAX = 65536 };
/* What the clocks of a listing and of an event may differ. */
#define SLACK (2 * NS_PER_SEC)

struct place {
	uint64_t object;
	int64_t time;
};
struct minio_seen {
	struct place *places;
	size_t n; /* a power of two */
};

struct minio_seen *
minio_seen_new(void)
{
	struct minio_seen *s = MEM_NEW(struct minio_seen);
	s->n = PLACES_FIRST;
	s->places = mem_alloc(s->n * sizeof *s->places);
	return s;
}

void
minio_seen_free(struct minio_seen *s)
{
	free(s->places);
	free(s);
}

/* FNV-1a */
static uint64_t
hash(uint64_t h, str s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3;
	return (h ^ 0xff) * 0x100000001b3;
}

static uint64_t
object_of(str key, str etag)
{
	return hash(hash(0xcbf29ce484222325, key), etag);
}

static struct place *
place_of(const struct minio_seen *s, uint64_t object)
{
	return &s->places[object % s->n];
}

static void
grow(struct minio_seen *s)
{
	struct minio_seen old = *s;
	s->n *= 2;
	s->places = mem_alloc(s->n * sizeof *s->places);
	for (size_t i = 0; i < old.n; i++)
		if (old.places[i].object)
			*place_of(s, old.places[i].object) = old.places[i];
	free(old.places);
}

void
minio_seen_add(struct minio_seen *s, str key, str etag, int64_t time)
{
	uint64_t object = object_of(key, etag);
	const struct place *p = place_of(s, object);
	while (p->object && p->object != object && p->time > time - MINIO_OVERLAP && s->n < PLACES_MAX) {
		grow(s);
		p = place_of(s, object);
	}
	if (p->object != object || p->time < time)
		*place_of(s, object) = (struct place){ object, time };
}

bool
minio_seen_has(const struct minio_seen *s, str key, str etag, int64_t modified)
{
	const struct place *p = place_of(s, object_of(key, etag));
	return p->object == object_of(key, etag) && p->time + SLACK >= modified;
}
