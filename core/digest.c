/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 as FIPS 180-4 writes it down (sections 4.1.2, 4.2.2, 5.1.1, 6.2.2). */
#include "core/digest.h"

static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
	0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
	0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
	0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
	0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t
rotr(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static uint32_t
read_word(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
write_word(unsigned char *p, uint32_t w)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(w >> (24 - 8 * i));
}

/* Takes one block of 64 bytes into the state (6.2.2). */
static void
take_block(uint32_t state[8], const unsigned char *block)
{
	uint32_t w[64], v[8];
	for (int t = 0; t < 16; t++)
		w[t] = read_word(block + (size_t)4 * (size_t)t);
	for (int t = 16; t < 64; t++)
		w[t] = (rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10) + w[t - 7] +
			(rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3) + w[t - 16];
	memcpy(v, state, sizeof v);
	for (int t = 0; t < 64; t++) {
		uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]), majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
		uint32_t t1 = v[7] + (rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25)) + choose + constants[t] + w[t];
		uint32_t t2 = (rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22)) + majority;
		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

void
digest_sha256(str bytes, unsigned char out[DIGEST_SHA256_SIZE])
{
	uint32_t state[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	size_t whole = bytes.n / 64 * 64, rest = bytes.n - whole;
	for (size_t i = 0; i < whole; i += 64)
		take_block(state, (const unsigned char *)bytes.p + i);
	/* The rest, a one bit, zeros, and the length in bits: one block or two (5.1.1). */
	unsigned char last[128] = { 0 };
	size_t size = rest < 56 ? 64 : 128;
	if (rest)
		memcpy(last, bytes.p + whole, rest);
	last[rest] = 0x80;
	write_word(last + size - 8, (uint32_t)((uint64_t)bytes.n >> 29));
	write_word(last + size - 4, (uint32_t)((uint64_t)bytes.n << 3));
	for (size_t i = 0; i < size; i += 64)
		take_block(state, last + i);
	for (size_t i = 0; i < 8; i++)
		write_word(out + 4 * i, state[i]);
}

bool
digest_equal(str a, str b)
{
	unsigned char differ = 0;
	if (a.n != b.n)
		return false;
	const volatile char *p = a.p, *q = b.p;
	for (size_t i = 0; i < a.n; i++)
		differ |= (unsigned char)(p[i] ^ q[i]);
	return differ == 0;
}
