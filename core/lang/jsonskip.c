/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container is skipped in blocks of 64 bytes. Each block becomes four bit masks (quotes, backslashes, opening and closing
 * brackets); arithmetic on the masks removes escaped quotes and everything inside strings, and two population counts
 * say whether the container can end in this block at all. Only then are bits looked at one by one (core/json_bits.h).
 *
 * One template does the arithmetic; the ways differ in how a block becomes masks.
 */
#include "core/lang/jsonskip.h"

#include "core/json_bits.h"

struct masks {
	uint64_t quote, backslash, open, close;
};

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
		else if ((p[i] | JSON_FOLD) == '{')
			m.open |= bit;
		else if ((p[i] | JSON_FOLD) == '}')
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
		__m128i f = _mm_or_si128(v, _mm_set1_epi8(JSON_FOLD));
#define BITS(x, c) ((uint64_t)(uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(c))) << i)
		m.quote |= BITS(v, '"');
		m.backslash |= BITS(v, '\\');
		m.open |= BITS(f, '{');
		m.close |= BITS(f, '}');
#undef BITS
	}
	return m;
}

#define WAY_AVX2 "avx2,popcnt,bmi,bmi2,pclmul"
#define WAY_AVX512 WAY_AVX2 ",avx512f,avx512bw"

__attribute__((target(WAY_AVX2))) static inline struct masks
classify_avx2(const char *p)
{
	struct masks m = { 0 };
	for (unsigned i = 0; i < 64; i += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
		__m256i f = _mm256_or_si256(v, _mm256_set1_epi8(JSON_FOLD));
#define BITS(x, c) ((uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_set1_epi8(c))) << i)
		m.quote |= BITS(v, '"');
		m.backslash |= BITS(v, '\\');
		m.open |= BITS(f, '{');
		m.close |= BITS(f, '}');
#undef BITS
	}
	return m;
}

__attribute__((target(WAY_AVX512))) static inline struct masks
classify_avx512(const char *p)
{
	__m512i v = _mm512_loadu_si512((const void *)p), f = _mm512_or_si512(v, _mm512_set1_epi8(JSON_FOLD));
#define BITS(x, c) _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8(c))
	return (struct masks){ BITS(v, '"'), BITS(v, '\\'), BITS(f, '{'), BITS(f, '}') };
#undef BITS
}
#endif

/* What one block leaves to the next. */
struct carry {
	uint64_t escaped; /* 1: the next byte is escaped */
	uint64_t inside;  /* all ones: we are in a string */
	uint64_t depth;
};

/* Bracket by bracket: the offset behind the one that closes the container; 0: it is not among these. */
static inline unsigned
end_of(uint64_t open, uint64_t close, uint64_t *depth)
{
	for (uint64_t both = open | close; both; both &= both - 1) {
		uint64_t bit = both & -both;
		if (open & bit)
			++*depth;
		else if (--*depth == 0)
			return (unsigned)__builtin_ctzll(bit) + 1;
	}
	return 0;
}

/* How many containers a block may close that were open before it, at most. */
static inline unsigned
outer_closes(uint64_t open, uint64_t close)
{
	(void)open;
	return (unsigned)__builtin_popcountll(close);
}

#if defined(__x86_64__)
/* The same, without pairs that have no bracket between them: else there would be hardly a block of small objects in a list that could not be its end. */
__attribute__((target(WAY_AVX2))) static inline unsigned
outer_closes_pext(uint64_t open, uint64_t close)
{
	uint64_t both = open | close, pairs = _pext_u64(open, both) & _pext_u64(close, both) >> 1;
	return (unsigned)__builtin_popcountll(close) - (unsigned)__builtin_popcountll(pairs);
}
#endif

/* The offset behind the container's closing bracket, if it is in the block with these masks; 0: it is not. */
#define ENDS_IN(name, attributes, prefix_xor, outer)                                                                                \
	attributes static inline unsigned name(struct masks m, struct carry *c)                                                     \
	{                                                                                                                           \
		uint64_t inside = prefix_xor(m.quote & ~json_escaped(m.backslash, &c->escaped)) ^ c->inside;                        \
		c->inside = 0 - (inside >> 63);                                                                                     \
		uint64_t open = m.open & ~inside, close = m.close & ~inside;                                                        \
		if (outer(open, close) >= c->depth)                                                                                 \
			return end_of(open, close, &c->depth);                                                                      \
		c->depth = c->depth + (unsigned)__builtin_popcountll(open) - (unsigned)__builtin_popcountll(close);                 \
		return 0;                                                                                                           \
	}

#define SKIP_CONTAINER(name, attributes, classify, ends_in)                        \
	attributes static size_t name(const char *p, size_t i, size_t n)           \
	{                                                                          \
		struct carry c = { 0 };                                            \
		unsigned at;                                                       \
		for (; n - i >= 64; i += 64)                                       \
			if ((at = ends_in(classify(p + i), &c)))                   \
				return i + at;                                     \
		char tail[64] = { 0 };                                             \
		memcpy(tail, p + i, n - i);                                        \
		return (at = ends_in(classify(tail), &c)) ? i + at : n;            \
	}

ENDS_IN(ends_in, , json_prefix_xor, outer_closes)
SKIP_CONTAINER(skip_plain, , classify_plain, ends_in)
#if defined(__x86_64__)
SKIP_CONTAINER(skip_sse2, , classify_sse2, ends_in)
ENDS_IN(ends_in_clmul, __attribute__((target(WAY_AVX2))), json_prefix_xor_clmul, outer_closes_pext)
SKIP_CONTAINER(skip_avx2, __attribute__((target(WAY_AVX2))), classify_avx2, ends_in_clmul)
SKIP_CONTAINER(skip_avx512, __attribute__((target(WAY_AVX512))), classify_avx512, ends_in_clmul)

static bool
has_avx512(void)
{
	return json_has_avx2() && __builtin_cpu_supports("avx512bw");
}
#endif

static bool
always(void)
{
	return true;
}

const struct jsonskip_way jsonskip_ways[] = {
#if defined(__x86_64__)
	{ "avx512", has_avx512, skip_avx512 },
	{ "avx2", json_has_avx2, skip_avx2 },
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
