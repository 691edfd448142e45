/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_bits: JSON as bit masks, 64 bytes at a time, for those who look at a text without reading it into a tree. A bit stands for a
 * byte, the lowest for the first. The method is that of "Parsing Gigabytes of JSON per Second" (Langdale, Lemire 2019), section 3.1.
 */
#ifndef TIDEGATE_CORE_JSON_BITS_H
#define TIDEGATE_CORE_JSON_BITS_H

#include "core/base.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* '[' and '{' differ in bit 5 only, and so do ']' and '}'; no other byte becomes one of them by setting it. */
#define JSON_FOLD 0x20

/* The bytes behind a backslash that escapes. *carry: 1 if the first byte is one of them; then the same for the next block. */
static inline uint64_t
json_escaped(uint64_t backslash, uint64_t *carry)
{
	const uint64_t odd = UINT64_C(0xaaaaaaaaaaaaaaaa);
	/* A run that begins at an odd place and is longer than one makes the subtraction borrow: what it leaves differs from `odd` in
	 * every second byte, which is where an escape begins, and behind the run, if that byte is escaped. */
	uint64_t begins = backslash & ~*carry;
	uint64_t both = (((begins << 1) | odd) - begins) ^ odd;
	uint64_t escaped = both ^ (backslash | *carry), plain = ~backslash;
	/* What the run at the end escapes does not depend on the carry, unless it is all there is: so the next block need not wait for this one. */
	if (__builtin_expect(plain != 0, 1))
		*carry = (unsigned)__builtin_clzll(plain) & 1;
	return escaped;
}

/* Bit i of the result: the number of ones at or before bit i is odd. */
static inline uint64_t
json_prefix_xor(uint64_t x)
{
	for (unsigned shift = 1; shift < 64; shift <<= 1)
		x ^= x << shift;
	return x;
}

#if defined(__x86_64__)
/* Whether the processor has AVX2 and what came with it, and a pext that is quick: before the third generation of Zen it takes a hundred times as long. */
static inline bool
json_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") &&
	       __builtin_cpu_supports("pclmul") && !__builtin_cpu_is("znver1") && !__builtin_cpu_is("znver2") && !__builtin_cpu_is("bdver4");
}

/* The same by a carry-less multiplication with all ones. */
__attribute__((target("pclmul"))) static inline uint64_t
json_prefix_xor_clmul(uint64_t x)
{
	return (uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)x), _mm_set1_epi8(-1), 0));
}
#endif

#endif
