/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a mail: no subject and no name, whatever is in it, begins another header or ends the head, and no line is too long. */
#include "triggers/email.c" /* for what is its own */

enum { LINE_MAX_BYTES = 998 /* RFC 5322 2.1.1 */ };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_folded(str head)
{
	size_t line = 0;
	for (size_t i = 0; i < head.n; i++) {
		unsigned char c = (unsigned char)head.p[i];
		if (c == '\r') {
			assert(i + 2 < head.n && head.p[i + 1] == '\n' && head.p[i + 2] == ' ');
			i++;
			line = 0;
			continue;
		}
		assert(c >= ' ' && c < 0x7F);
		assert(++line <= LINE_MAX_BYTES);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = { (const char *)data, size };
	struct arena *a = arena_new();
	struct buf b = { 0 };
	add_words(&b, a, text);
	check_folded(buf_str(&b));
	buf_free(&b);
	str address = address_of(text);
	bool sendable = address.n < 200; /* others are refused before anything is sent (core/net/mail.c) */
	for (size_t i = 0; i < address.n; i++)
		sendable &= (unsigned char)address.p[i] > ' ' && (unsigned char)address.p[i] < 0x7F;
	if (sendable) {
		add_who(&b, a, text);
		check_folded(buf_str(&b));
	}
	buf_free(&b);
	arena_free(a);
	return 0;
}
