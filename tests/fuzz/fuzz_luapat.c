/* SPDX-License-Identifier: Apache-2.0 */
/* luapat: any pattern over any text ends, and what it takes lies in the text. */
#include "core/lang/luapat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t left;

static bool
spend(size_t n)
{
	left = left > n ? left - n : 0;
	return left > 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = { (const char *)data, size }, pattern = str_cut(&text, '\n');
	struct luapat m = { .text = text, .pattern = pattern, .spend = spend };
	size_t end;
	left = 20000;
	for (size_t at = 0; at <= text.n && !m.error && !m.spent; at++) {
		if (!luapat_match(&m, at, &end))
			continue;
		assert(end >= at && end <= text.n);
		for (size_t i = 0; i < m.n; i++)
			assert(m.captures[i].at <= text.n && (m.captures[i].len == LUAPAT_POSITION || m.captures[i].len <= text.n - m.captures[i].at));
	}
	return 0;
}
