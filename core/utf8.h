/* SPDX-License-Identifier: Apache-2.0 */
/* utf8: one code point at a time (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF). */
#ifndef TIDEGATE_CORE_UTF8_H
#define TIDEGATE_CORE_UTF8_H

#include "core/base.h"

/* Length of the sequence that starts at `p`, of which `n` >= 1 bytes are there; 0 if it isn't UTF-8. */
static inline unsigned
utf8_len(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned c = p[0], len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	if (len < 2)
		return len;
	if (n < len)
		return 0;
	unsigned low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high)
		return 0;
	for (unsigned i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

static inline bool
utf8_valid(str s)
{
	for (size_t i = 0; i < s.n;) {
		unsigned len = utf8_len(s.p + i, s.n - i);
		if (!len)
			return false;
		i += len;
	}
	return true;
}

/* The code point at `p`, its length in *len; U+FFFD and 1 if it isn't UTF-8. */
static inline uint32_t
utf8_get(const char *text, size_t n, unsigned *len)
{
	const unsigned char *p = (const unsigned char *)text;
	*len = utf8_len(text, n);
	switch (*len) {
	case 1:
		return p[0];
	case 2:
		return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	case 3:
		return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	case 4:
		return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
	default:
		*len = 1;
		return 0xfffd;
	}
}

/* Writes `c` (a valid code point; at most 4 bytes) and returns what is behind it. */
static inline char *
utf8_put(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

#endif
