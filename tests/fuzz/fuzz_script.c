/* SPDX-License-Identifier: Apache-2.0 */
/* script: JSON becomes Lua values and comes back as JSON, which then stays the same; the first line is a script of its own. */
#include "core/lang/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
there_and_back(const struct val *event)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct script *s;
	struct val v;
	struct err e;
	str first, second;
	if (script_compile(S("return event"), &s, &e) < 0)
		abort();
	if (script_transforms(s, event, a, &first, &e) == 0) {
		if (json_read(a, first, &v, &e) < 0)
			abort();
		if (v.kind == VAL_MAP && script_transforms(s, &v, a, &second, &e) == 0)
			assert(str_eq(first, second));
	} else {
		assert(e.msg[0]);
	}
	script_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str text = { (const char *)data, size }, line = str_cut(&text, '\n');
	struct val event;
	struct script *s;
	struct err e = { 0 };
	bool passes;
	if (json_read(a, text, &event, &e) < 0 || event.kind != VAL_MAP)
		return 0;
	script_set_limits(&(struct script_limits){ .instructions = 100000, .memory = 4 << 20 });
	there_and_back(&event);
	if (script_compile(line, &s, &e) < 0)
		return 0;
	if (script_passes(s, &event, &passes, &e) < 0)
		assert(e.msg[0] && (e.code == ERR_INVALID || e.code == ERR_LIMIT));
	script_free(s);
	return 0;
}
