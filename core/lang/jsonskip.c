/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container is skipped in blocks of 64 bytes. Each block becomes four bit masks (quotes, backslashes, opening and closing
 * brackets); arithmetic on the masks removes escaped quotes and everything inside strings, and two population counts
 * say whether the container can end in this block at all. Only then are bits looked at one by one. The method is
 * that of "Parsing Gigabytes of JSON per Second" (Langdale, Lemire 2019), section 3.1, without carry-less multiplication.
 *
 * One template does the arithmetic; the ways differ in how a block becomes masks.
 */
#include "core/lang/jsonskip.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

struct masks {
	uint64_t quote, backslash, open, close;
};

/* '[' and '{' differ in bit 5 only, and so do ']' and '}'; no other byte becomes one of them by setting it. */
#define FOLD 0x20

static inline struct masks
classify_plain(const char *p)
{
	struct masks m = { 0 };
	for (unsigned i = 0; i < 64; i++) {
		uint64_t bit = UINT64_C(1) << i;
		if (p[i] == '"')
			m.quote |= bit;
		else if (p[i] == '\\')
			m.backslash |= bit;
		else if ((p[i] | FOLD) == '{')
			m.open |= bit;
		else if ((p[i] | FOLD) == '}')
			m.close |= bit;
	}
	return m;
}

#if defined(__x86_64__)
static inline struct masks
classify_sse2(const char *p)
{
	struct masks m = { 0 };
	for (unsigned i = 0; i < 64; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		__m128i f = _mm_or_si128(v, _mm_set1_epi8(FOLD));
#define BITS(x, c) ((uint64_t)(uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(c))) << i)
		m.quote |= BITS(v, '"');
		m.backslash |= BITS(v, '\\');
		m.open |= BITS(f, '{');
		m.close |= BITS(f, '}');
#undef BITS
	}
	return m;
}

__attribute__((target("avx2,popcnt,bmi"))) static inline struct masks
classify_avx2(const char *p)
{
	struct masks m = { 0 };
	for (unsigned i = 0; i < 64; i += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
		__m256i f = _mm256_or_si256(v, _mm256_set1_epi8(FOLD));
#define BITS(x, c) ((uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_set1_epi8(c))) << i)
		m.quote |= BITS(v, '"');
		m.backslash |= BITS(v, '\\');
		m.open |= BITS(f, '{');
		m.close |= BITS(f, '}');
#undef BITS
	}
	return m;
}
#endif

/* What one block leaves to the next. */
struct carry {
	uint64_t escaped; /* 1: the next byte is escaped */
	uint64_t inside;  /* all ones: we are in a string */
	uint64_t depth;
};

/* The bits behind an odd run of backslashes. Runs are rare, so a loop over them beats being clever. */
static inline uint64_t
escaped_bits(uint64_t backslash, uint64_t *carry)
{
	uint64_t escaped = *carry;
	*carry = 0;
	for (uint64_t rest = backslash & ~escaped; rest;) {
		unsigned at = (unsigned)__builtin_ctzll(rest);
		if (at == 63) {
			*carry = 1;
			break;
		}
		escaped |= UINT64_C(2) << at;
		rest &= ~(UINT64_C(3) << at); /* the escaped byte may be a backslash itself: it escapes nothing */
	}
	return escaped;
}

/* Bit i of the result: the number of quotes at or before bit i is odd. */
static inline uint64_t
prefix_xor(uint64_t x)
{
	for (unsigned shift = 1; shift < 64; shift <<= 1)
		x ^= x << shift;
	return x;
}

/* Whether the container ends in this block; *at is then the offset behind its closing bracket. */
static inline bool
ends_in(struct masks m, struct carry *c, unsigned *at)
{
	uint64_t quote = m.quote;
	if (m.backslash | c->escaped)
		quote &= ~escaped_bits(m.backslash, &c->escaped);
	uint64_t inside = prefix_xor(quote) ^ c->inside;
	c->inside = (uint64_t)((int64_t)inside >> 63);
	uint64_t open = m.open & ~inside, close = m.close & ~inside;
	unsigned closes = (unsigned)__builtin_popcountll(close);
	if (closes < c->depth) {
		c->depth = c->depth + (unsigned)__builtin_popcountll(open) - closes;
		return false;
	}
	for (uint64_t both = open | close; both; both &= both - 1) {
		uint64_t bit = both & -both;
		if (open & bit) {
			c->depth++;
		} else if (--c->depth == 0) {
			*at = (unsigned)__builtin_ctzll(bit) + 1;
			return true;
		}
	}
	return false;
}

#define SKIP_CONTAINER(name, attributes, classify)                                 \
	attributes static size_t name(const char *p, size_t i, size_t n)           \
	{                                                                          \
		struct carry c = { 0 };                                            \
		unsigned at;                                                       \
		for (; n - i >= 64; i += 64)                                       \
			if (ends_in(classify(p + i), &c, &at))                     \
				return i + at;                                     \
		char tail[64] = { 0 };                                             \
		memcpy(tail, p + i, n - i);                                        \
		return ends_in(classify(tail), &c, &at) ? i + at : n;              \
	}

SKIP_CONTAINER(skip_plain, , classify_plain)
#if defined(__x86_64__)
SKIP_CONTAINER(skip_sse2, , classify_sse2)
SKIP_CONTAINER(skip_avx2, __attribute__((target("avx2,popcnt,bmi"))), classify_avx2)

static bool
has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi");
}
#endif

static bool
always(void)
{
	return true;
}

const struct jsonskip_way jsonskip_ways[] = {
#if defined(__x86_64__)
	{ "avx2", has_avx2, skip_avx2 },
	{ "sse2", always, skip_sse2 },
#endif
	{ "plain", always, skip_plain },
	{ 0 },
};

size_t
jsonskip_container(const char *p, size_t i, size_t n)
{
	const struct jsonskip_way *w = jsonskip_ways;
	while (!w->usable()) /* one load and test: the processor was asked when the program started */
		w++;
	return w->container(p, i, n);
}

size_t
jsonskip_string(const char *p, size_t i, size_t n, bool *escaped)
{
	*escaped = false;
	for (;;) {
#if defined(__x86_64__)
		for (; n - i >= 16; i += 16) {
			__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
			__m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
			unsigned bits = (unsigned)_mm_movemask_epi8(hit);
			if (bits) {
				i += (unsigned)__builtin_ctz(bits);
				break;
			}
		}
#endif
		while (i < n && p[i] != '"' && p[i] != '\\')
			i++;
		if (i >= n || p[i] == '"')
			return i < n ? i : n;
		*escaped = true;
		i += 2;
		if (i >= n)
			return n;
	}
}
