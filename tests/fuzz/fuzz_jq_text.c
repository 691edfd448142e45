/* SPDX-License-Identifier: Apache-2.0 */
/* jq_text: any program is rewritten to a text that begins with the prelude, adds nothing but `else . `, and takes nothing away but dots. */
#include "core/base.h"
#include "sensors/jq/text.c" /* the helper's, which is no part of the library */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
count_not_dots(const char *p, size_t n)
{
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += p[i] != '.';
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *out = jq_text((const char *)data, size);
	if (!out)
		abort();
	assert(strncmp(out, prelude, sizeof prelude - 1) == 0);
	const char *p = out + sizeof prelude - 1;
	if (!memchr(data, 0, size)) { /* each `else . ` has six bytes that are no dots */
		size_t before = count_not_dots((const char *)data, size), after = count_not_dots(p, strlen(p));
		assert(after >= before && (after - before) % 6 == 0);
	}
	free(out);
	return 0;
}
