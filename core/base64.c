/* SPDX-License-Identifier: Apache-2.0 */
/* base64: three bytes are four letters. */
#include "core/base64.h"

str
base64_encode(struct arena *a, str bytes)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = (bytes.n + 2) / 3 * 4;
	char *text = arena_alloc(a, n + 1, 1), *to = text;
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		const unsigned char *p = (const unsigned char *)bytes.p + i;
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)(left > 1 ? p[1] : 0) << 8 | (left > 2 ? p[2] : 0);
		*to++ = letters[v >> 18];
		*to++ = letters[v >> 12 & 63];
		*to++ = left > 1 ? letters[v >> 6 & 63] : '=';
		*to++ = left > 2 ? letters[v & 63] : '=';
	}
	return (str){ text, n };
}

str
base64_url_encode(struct arena *a, str bytes)
{
	str text = base64_encode(a, bytes);
	char *p = (char *)(uintptr_t)text.p; /* our own copy */
	while (text.n && p[text.n - 1] == '=')
		text.n--;
	for (size_t i = 0; i < text.n; i++)
		p[i] = p[i] == '+' ? '-' : p[i] == '/' ? '_' : p[i];
	return text;
}

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int
base64_decode(struct arena *a, str text, str *out, struct err *e)
{
	char *bytes = arena_alloc(a, text.n / 4 * 3 + 4, 1);
	size_t n = 0, letters = 0, padding = 0;
	uint32_t v = 0;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		int d = digit(c);
		if (c == '=' && padding < 2) {
			padding++;
			continue;
		}
		if (d < 0 || padding)
			return err_set(e, ERR_INVALID, "not base64: unexpected character at offset %zu", i);
		v = v << 6 | (uint32_t)d;
		if (++letters % 4 == 0) {
			bytes[n++] = (char)(v >> 16);
			bytes[n++] = (char)(v >> 8);
			bytes[n++] = (char)v;
		}
	}
	size_t rest = letters % 4;
	if (rest == 1 || (padding && (rest + padding) % 4 != 0))
		return err_set(e, ERR_INVALID, "not base64: the text is cut off");
	if (rest > 1)
		bytes[n++] = (char)(v >> (rest == 2 ? 4 : 10));
	if (rest == 3)
		bytes[n++] = (char)(v >> 2);
	bytes[n] = 0;
	*out = (str){ bytes, n };
	return 0;
}
