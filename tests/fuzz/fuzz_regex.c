/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions: any pattern is taken or refused with a reason, and a match ends. A line is the pattern, the rest the text. */
#include "core/lang/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = { (const char *)data, size };
	str pattern = str_cut(&text, '\n');
	struct regex_span spans[REGEX_GROUPS_MAX + 1];
	struct regex *re;
	struct err e = { 0 };
	if (regex_compile(pattern, &re, &e) < 0) {
		assert((e.code == ERR_INVALID || e.code == ERR_LIMIT) && e.msg[0]);
		return 0;
	}
	if (text.n < 1000 && regex_find(re, text, 0, spans, &e) > 0)
		assert(spans[0].start <= spans[0].end && spans[0].end <= text.n);
	regex_free(re);
	return 0;
}
