/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas: memory of one unit of work, given back all at once. Blocks double from 4 KiB to 1 MiB, so that a small request
 * costs one malloc and a large one a handful; what is larger than a block gets its own.
 */
#include "core/base.h"

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

struct block {
	struct block *older;
	size_t used, cap;
	_Alignas(max_align_t) char bytes[];
};

struct arena {
	struct block *newest;
	size_t next_cap, size;
};

static struct block *
new_block(size_t cap, struct block *older)
{
	/* Zeroed by arena_alloc piece by piece: a block's tail is often never used. */
	struct block *b = mem_realloc(NULL, sizeof *b + cap, 1);
	b->older = older;
	b->used = 0;
	b->cap = cap;
	return b;
}

/* The arena itself lies in its first block. */
struct arena *
arena_new(void)
{
	struct block *b = new_block(FIRST_BLOCK - sizeof *b, NULL);
	struct arena *a = (struct arena *)(void *)b->bytes;
	b->used = sizeof *a;
	*a = (struct arena){ .newest = b, .next_cap = (size_t)2 * FIRST_BLOCK };
	return a;
}

static void
free_blocks(struct block *b, const struct block *keep)
{
	while (b != keep) {
		struct block *older = b->older;
		free(b);
		b = older;
	}
}

void
arena_free(struct arena *a)
{
	if (a)
		free_blocks(a->newest, NULL);
}

void
arena_reset(struct arena *a)
{
	struct block *first = CONTAINER_OF(a, struct block, bytes);
	free_blocks(a->newest, first);
	first->used = sizeof *a;
	*a = (struct arena){ .newest = first, .next_cap = (size_t)2 * FIRST_BLOCK };
}

static void *
take(struct block *b, size_t n, size_t align)
{
	/* A power of two: a division by it would be the dearest part of all this. */
	size_t start = (((uintptr_t)b->bytes + b->used + align - 1) & ~(uintptr_t)(align - 1)) - (uintptr_t)b->bytes;
	if (start > b->cap || n > b->cap - start)
		return NULL;
	b->used = start + n;
	return b->bytes + start;
}

static void *
take_or_grow(struct arena *a, size_t n, size_t align)
{
	assert(n < SIZE_MAX / 2);
	a->size += n;
	void *p = take(a->newest, n, align);
	if (p)
		return p;
	size_t cap = a->next_cap;
	if (n + align > cap)
		cap = n + align;
	else if (a->next_cap < LARGEST_BLOCK)
		a->next_cap *= 2;
	a->newest = new_block(cap, a->newest);
	return take(a->newest, n, align);
}

void *
arena_alloc(struct arena *a, size_t n, size_t align)
{
	void *p = take_or_grow(a, n ? n : 1, align);
	memset(p, 0, n);
	return p;
}

void *
arena_array(struct arena *a, size_t n, size_t size, size_t align)
{
	size_t bytes;
	bool overflow = __builtin_mul_overflow(n, size, &bytes);
	assert(!overflow);
	(void)overflow;
	return arena_alloc(a, bytes, align);
}

size_t
arena_size(const struct arena *a)
{
	return a->size;
}

str
arena_dup(struct arena *a, str s)
{
	if (!s.p)
		return STR_NONE;
	char *p = take_or_grow(a, s.n + 1, 1);
	memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (str){ p, s.n };
}

const char *
str_z(struct arena *a, str s)
{
	return s.p ? arena_dup(a, s).p : arena_dup(a, S("")).p;
}

str
str_hex(struct arena *a, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = bytes;
	char *to = arena_alloc(a, 2 * n + 1, 1);
	for (size_t i = 0; i < n; i++) {
		to[2 * i] = digits[p[i] >> 4];
		to[2 * i + 1] = digits[p[i] & 15];
	}
	to[2 * n] = 0;
	return (str){ to, 2 * n };
}

str
arena_vfmt(struct arena *a, const char *fmt, va_list ap)
{
	char text[256];
	va_list again;
	va_copy(again, ap);
	int n = text_vformat(text, sizeof text, fmt, ap);
	assert(n >= 0);
	char *p = take_or_grow(a, (size_t)n + 1, 1);
	if ((size_t)n < sizeof text)
		memcpy(p, text, (size_t)n + 1);
	else
		text_vformat(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return (str){ p, (size_t)n };
}

str
arena_fmt(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	str s = arena_vfmt(a, fmt, ap);
	va_end(ap);
	return s;
}
