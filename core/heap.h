/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap: a queue by rank, as a binary heap of members of larger structs. Adding, and removing from anywhere, costs the
 * logarithm of the length.
 */
#ifndef TIDEGATE_CORE_HEAP_H
#define TIDEGATE_CORE_HEAP_H

#include "core/base.h"

/* A place in a heap; part of the struct that waits there. Zero-initialise: in none. */
struct heap_node {
	size_t at; /* index + 1; 0: in none */
};
/* Zero-initialise, and set `before`, a total order. */
struct heap {
	VEC(struct heap_node *) v;
	bool (*before)(struct heap_node *a, struct heap_node *b);
};

void heap_add(struct heap *h, struct heap_node *n);
/* Does nothing if it is in none. */
void heap_del(struct heap *h, struct heap_node *n);
/* The first; NULL if there is none. */
static inline struct heap_node *
heap_top(const struct heap *h)
{
	return h->v.n ? h->v.p[0] : NULL;
}
void heap_free(struct heap *h);

#endif
