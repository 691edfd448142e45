/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4): the processor's own instruction where there is one, else a table of eight
 * bits at a time. Both take the checksum so far, so that parts can be fed one after the other.
 */
#include <stdatomic.h>

#include "core/store.h"

#define POLYNOMIAL 0x82F63B78u /* 0x1EDC6F41, bits reversed */

static uint32_t
crc_plain(uint32_t crc, const uint8_t *p, size_t n)
{
	/* Built on the first use, by whoever comes first: all write the same words. */
	static _Atomic uint32_t table[256];
	if (!atomic_load_explicit(&table[255], memory_order_acquire)) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;
			for (int bit = 0; bit < 8; bit++)
				c = c >> 1 ^ (c & 1 ? POLYNOMIAL : 0);
			atomic_store_explicit(&table[i], c, i == 255 ? memory_order_release : memory_order_relaxed);
		}
	}
	while (n--)
		crc = crc >> 8 ^ atomic_load_explicit(&table[(crc ^ *p++) & 255], memory_order_relaxed);
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
crc_hardware(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t c = crc;
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t word;
		memcpy(&word, p, 8);
		c = __builtin_ia32_crc32di(c, word);
	}
	crc = (uint32_t)c;
	while (n--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

uint32_t
store_crc32c_plain(uint32_t crc, str bytes)
{
	return ~crc_plain(~crc, (const uint8_t *)bytes.p, bytes.n);
}

uint32_t
store_crc32c(uint32_t crc, str bytes)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_hardware(~crc, (const uint8_t *)bytes.p, bytes.n);
#endif
	return store_crc32c_plain(crc, bytes);
}
