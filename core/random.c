/* SPDX-License-Identifier: Apache-2.0 */
#include "core/random.h"

#include <sys/random.h>

str
random_suffix(struct arena *a, size_t n)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char bytes[64];
	assert(n <= sizeof bytes);
	ssize_t got = getrandom(bytes, n, 0); /* up to 256 bytes never come short */
	assert(got == (ssize_t)n);
	(void)got;
	char *p = arena_alloc(a, n + 1, 1);
	for (size_t i = 0; i < n; i++)
		p[i] = letters[bytes[i] % (sizeof letters - 1)];
	return (str){ p, n };
}
