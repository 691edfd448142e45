/* SPDX-License-Identifier: Apache-2.0 */
/* heap: every node is before its two children, at 2i + 1 and 2i + 2. */
#include "core/heap.h"

enum { KEPT = 256 }; /* places of an empty heap; what is larger goes back */

static void
put(struct heap *h, size_t i, struct heap_node *n)
{
	h->v.p[i] = n;
	n->at = i + 1;
}

static void
rise(struct heap *h, size_t i, struct heap_node *n)
{
	while (i > 0 && h->before(n, h->v.p[(i - 1) / 2])) {
		put(h, i, h->v.p[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(h, i, n);
}

static void
sink(struct heap *h, size_t i, struct heap_node *n)
{
	for (size_t child; (child = 2 * i + 1) < h->v.n; i = child) {
		if (child + 1 < h->v.n && h->before(h->v.p[child + 1], h->v.p[child]))
			child++;
		if (!h->before(h->v.p[child], n))
			break;
		put(h, i, h->v.p[child]);
	}
	put(h, i, n);
}

void
heap_add(struct heap *h, struct heap_node *n)
{
	*VEC_PUSH(&h->v) = n;
	rise(h, h->v.n - 1, n);
}

void
heap_del(struct heap *h, struct heap_node *n)
{
	if (!n->at)
		return;
	size_t i = n->at - 1;
	struct heap_node *last = h->v.p[--h->v.n];
	n->at = 0;
	if (h->v.n == 0 && h->v.cap > KEPT)
		VEC_FREE(&h->v);
	if (last == n)
		return;
	if (i > 0 && h->before(last, h->v.p[(i - 1) / 2]))
		rise(h, i, last);
	else
		sink(h, i, last);
}

void
heap_free(struct heap *h)
{
	VEC_FREE(&h->v);
}
