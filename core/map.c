/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map: open addressing with linear probing, at most three quarters full. Keys come from strangers (JSON members, names
 * in manifests), so the hash is keyed: SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF") with a
 * key drawn once a process; nobody outside can make keys that collide.
 */
#include "core/map.h"

#include <pthread.h>
#include <sys/random.h>
#include <time.h>

enum { KEPT = 128 }; /* slots of an empty map; what is larger goes back */

static uint64_t seed[2];

static void
draw_seed(void)
{
	if (getrandom(seed, sizeof seed, GRND_NONBLOCK) == sizeof seed)
		return;
	/* Before the kernel's pool is ready: a guessable key is still better than waiting. */
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	seed[0] = (uint64_t)t.tv_nsec * UINT64_C(0x9e3779b97f4a7c15);
	seed[1] = (uint64_t)t.tv_sec ^ (uint64_t)(uintptr_t)&t;
}

static inline uint64_t
rotl(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1], v[1] = rotl(v[1], 13), v[1] ^= v[0], v[0] = rotl(v[0], 32);
	v[2] += v[3], v[3] = rotl(v[3], 16), v[3] ^= v[2];
	v[0] += v[3], v[3] = rotl(v[3], 21), v[3] ^= v[0];
	v[2] += v[1], v[1] = rotl(v[1], 17), v[1] ^= v[2], v[2] = rotl(v[2], 32);
}

uint32_t
map_hash(str key)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, draw_seed);
	uint64_t v[4] = { seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
		seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573) };
	size_t i = 0;
	for (; i + 8 <= key.n; i += 8) {
		uint64_t word;
		memcpy(&word, key.p + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	uint64_t last = (uint64_t)key.n << 56;
	if (key.n > i)
		memcpy(&last, key.p + i, key.n - i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v), sip_round(v), sip_round(v);
	uint64_t h = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t)(h ^ h >> 32);
}

/* The slot of `key`, or the one where it would go: the first tombstone on the way, else the empty slot at its end. */
static struct map_slot *
find(const struct map *m, str key, uint32_t h)
{
	struct map_slot *free_slot = NULL;
	for (size_t i = h & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];
		if (s->value && s->hash == h && str_eq(s->key, key))
			return s;
		if (!s->value && !free_slot)
			free_slot = s;
		if (!s->value && !s->key.p)
			return free_slot;
	}
}

/* Room for one more; drops the tombstones. */
static void
grow(struct map *m)
{
	struct map_slot *old = m->slots;
	size_t old_cap = m->cap;
	if (m->n * 2 >= m->cap)
		m->cap = m->cap ? m->cap * 2 : 8;
	m->slots = mem_alloc(m->cap * sizeof *m->slots);
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].value)
			*find(m, old[i].key, old[i].hash) = old[i];
	m->used = m->n;
	free(old);
}

void *
map_get_hashed(const struct map *m, str key, uint32_t hash)
{
	return m->n ? find(m, key, hash)->value : NULL;
}

void *
map_get(const struct map *m, str key)
{
	return m->n ? find(m, key, map_hash(key))->value : NULL;
}

void *
map_put(struct map *m, str key, void *value)
{
	return map_put_hashed(m, key, map_hash(key), value);
}

void *
map_put_hashed(struct map *m, str key, uint32_t h, void *value)
{
	assert(value);
	if ((m->used + 1) * 4 > m->cap * 3)
		grow(m);
	struct map_slot *s = find(m, key, h);
	void *old = s->value;
	if (!old) {
		m->n++;
		m->used += !s->key.p;
		*s = (struct map_slot){ .key = key.p ? key : S(""), .hash = h };
	}
	s->value = value;
	return old;
}

void *
map_del(struct map *m, str key)
{
	struct map_slot *s = m->n ? find(m, key, map_hash(key)) : NULL;
	if (!s || !s->value)
		return NULL;
	void *old = s->value;
	s->value = NULL;
	s->key = S(""); /* a tombstone: not absent, so that probing goes on behind it */
	if (--m->n == 0 && m->cap > KEPT)
		map_free(m);
	return old;
}

struct map_slot *
map_next(const struct map *m, size_t *i)
{
	while (*i < m->cap) {
		struct map_slot *s = &m->slots[(*i)++];
		if (s->value)
			return s;
	}
	return NULL;
}

void
map_free(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}
