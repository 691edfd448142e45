/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: any text ends with an output or a reason, within its budgets. A line is the input as JSON, the rest the template. */
#include "core/lang/gotmpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = { (const char *)data, size };
	str json = str_cut(&text, '\n');
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct gotmpl *t;
	struct val input = val_null();
	struct err e = { 0 };
	str out = STR_NONE;
	if (json_read(a, json, &input, &e) < 0)
		input = val_str(json);
	e.code = ERR_NONE;
	if (gotmpl_parse(a, text, &t, &e) < 0 || gotmpl_run(t, &input, 0, a, &out, &e) < 0)
		assert((e.code == ERR_INVALID || e.code == ERR_LIMIT || e.code == ERR_UNSUPPORTED) && e.msg[0]);
	else
		assert(out.n <= GOTMPL_OUTPUT_MAX);
	return 0;
}
