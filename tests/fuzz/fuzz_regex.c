/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions: any pattern is taken or refused with a reason, and a match ends; in brackets, where plain text is not looked for as
 * such, it is the same match. A line is the pattern, the rest the text.
 */
#include "core/lang/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same_in_brackets(str pattern, str text, int found, const struct regex_span *first)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct regex_span spans[REGEX_GROUPS_MAX + 1];
	struct regex *re;
	struct err e = { 0 };
	if (regex_compile(arena_fmt(a, "(?:%.*s)", STR_ARG(pattern)), &re, &e) < 0)
		return; /* too long by that */
	int again = regex_find(re, text, 0, spans, &e);
	assert(again < 0 || (again == found && (!found || (spans[0].start == first->start && spans[0].end == first->end))));
	regex_free(re);
}

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
	int found = text.n < 1000 ? regex_find(re, text, 0, spans, &e) : -1;
	if (found > 0)
		assert(spans[0].start <= spans[0].end && spans[0].end <= text.n);
	if (found >= 0)
		same_in_brackets(pattern, text, found, spans);
	regex_free(re);
	return 0;
}
