/* SPDX-License-Identifier: Apache-2.0 */
/* map: str -> pointer, open addressing. Keys are borrowed: they must live as long as the entry. Zero-initialise. */
#ifndef TIDEGATE_CORE_MAP_H
#define TIDEGATE_CORE_MAP_H

#include "core/base.h"

struct map_slot {
	str key;
	void *value; /* NULL: empty or deleted */
	uint32_t hash;
};
struct map {
	struct map_slot *slots;
	size_t n, used, cap; /* entries; entries and tombstones; power of two */
};

/* What maps hash by: keyed, with a key drawn once a process. */
uint32_t map_hash(str key);
/* The value, or NULL. */
void *map_get(const struct map *m, str key);
/* Sets (value != NULL) and returns what was there before. An existing entry keeps its old key. */
void *map_put(struct map *m, str key, void *value);
/* The same two for who knows the key's map_hash. */
void *map_get_hashed(const struct map *m, str key, uint32_t hash);
void *map_put_hashed(struct map *m, str key, uint32_t hash, void *value);
/* Removes and returns what was there. A large map that is empty now gives its memory back. */
void *map_del(struct map *m, str key);
/* for (size_t i = 0; (slot = map_next(m, &i));) in no particular order; map_del of the current slot is fine. */
struct map_slot *map_next(const struct map *m, size_t *i);
void map_free(struct map *m);

#endif
