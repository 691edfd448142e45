/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both are base32 (RFC 4648 without padding) of a prefix, 32 bytes and a checksum of all before it, little endian. The prefix of a seed is two
 * bytes, "S" and the kind, of five bits each at the top; that of a public key one byte, the kind's letter in its top five bits. The public
 * key is Ed25519's.
 */
#include "core/net/nkey.h"

#include "core/crypto.h"

enum { SEED_TEXT = 58, SEED_SIZE = 36, PUBLIC_SIZE = 35, KEY = 32, PREFIX_SEED = 18 << 3, PREFIX_USER = 20 << 3 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* CRC-16 with the polynomial 0x1021, from 0 on (XMODEM). */
static uint16_t
checksum(const unsigned char *p, size_t n)
{
	unsigned crc = 0;
	for (size_t i = 0; i < n; i++) {
		crc ^= (unsigned)p[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xFFFF;
	}
	return (uint16_t)crc;
}

static bool
decode(str text, unsigned char out[SEED_SIZE])
{
	unsigned bits = 0, have = 0;
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++) {
		const char *at = text.p[i] ? strchr(digits, text.p[i]) : NULL;
		if (!at)
			return false;
		bits = (bits << 5 | (unsigned)(at - digits)) & 0xFFFF;
		have += 5;
		if (have >= 8 && n < SEED_SIZE) {
			have -= 8;
			out[n++] = (unsigned char)(bits >> have);
		}
	}
	return n == SEED_SIZE;
}

static void
encode(const unsigned char in[PUBLIC_SIZE], char out[NKEY_PUBLIC_SIZE + 1])
{
	unsigned bits = 0, have = 0;
	size_t n = 0;
	for (size_t i = 0; i < PUBLIC_SIZE; i++) {
		bits = (bits << 8 | in[i]) & 0xFFFF;
		for (have += 8; have >= 5; have -= 5)
			out[n++] = digits[bits >> (have - 5) & 31];
	}
	assert(n == NKEY_PUBLIC_SIZE && have == 0);
	out[n] = 0;
}

int
nkey_public(str seed, char out[NKEY_PUBLIC_SIZE + 1], struct err *e)
{
	unsigned char raw[SEED_SIZE], public[PUBLIC_SIZE] = { PREFIX_USER };
	bool ok = seed.n == SEED_TEXT && decode(seed, raw) && (raw[0] & 0xF8) == PREFIX_SEED &&
	          checksum(raw, SEED_SIZE - 2) == (raw[SEED_SIZE - 2] | raw[SEED_SIZE - 1] << 8);
	unsigned kind = ok ? (raw[0] & 7u) << 5 | raw[1] >> 3 : 0;
	if (!ok || kind != PREFIX_USER)
		return err_set(e, ERR_INVALID, "the NKey is not the seed of a user: SU and 56 more of A to Z and 2 to 7");
	if (crypto_ed25519_public(raw + 2, public + 1, e) < 0)
		return -1;
	uint16_t sum = checksum(public, PUBLIC_SIZE - 2);
	public[PUBLIC_SIZE - 2] = (unsigned char)sum;
	public[PUBLIC_SIZE - 1] = (unsigned char)(sum >> 8);
	encode(public, out);
	return 0;
}
