/* SPDX-License-Identifier: Apache-2.0 */
/* trace: whatever lies in a row can be read, and what was read is written so that it reads back the same. */
#include "sensors/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trace first, second;
	struct arena *a CLEANUP(free_arena) = arena_new();
	trace_read((str){ (const char *)data, size }, &first);
	str text = trace_write(&first, a);
	trace_read(text, &second);
	assert(second.decided == first.decided);
	assert(second.n >= first.n || first.left_out);
	for (size_t i = 0; i < first.n && i < second.n; i++) {
		assert(second.looks[i].check == first.looks[i].check && second.looks[i].verdict == first.looks[i].verdict);
		assert(str_eq(second.looks[i].got, str_slice(first.looks[i].got, 0, TRACE_GOT_MAX)));
	}
	return 0;
}
