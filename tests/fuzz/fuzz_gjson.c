/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: any path on any text ends, within the text; on JSON, what it sets is JSON again. A line is the path, the rest the text. */
#include "core/lang/gjson.h"
#include "core/lang/jsonskip.h"
#include "core/lang/sjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
skips_alike(str text)
{
	size_t want = SIZE_MAX;
	if (!text.n || (text.p[0] != '{' && text.p[0] != '['))
		return;
	for (const struct jsonskip_way *w = jsonskip_ways; w->name; w++) {
		size_t got = w->usable() ? w->container(text.p, 0, text.n) : want;
		assert(want == SIZE_MAX || got == want);
		want = got;
	}
	assert(want <= text.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = { (const char *)data, size };
	str path = str_cut(&text, '\n');
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct gjson g;
	struct val root, value = val_str(S("new"));
	struct err e = { 0 };
	skips_alike(text);
	bool exists = gjson_get(a, text, path, &g);
	assert(exists == gjson_exists(&g) && !(exists && g.limited));
	(void)gjson_string(a, &g).n;
	if (g.at && g.raw.n) /* a place is one within the text */
		assert(g.at + g.raw.n <= text.n && memcmp(text.p + g.at, g.raw.p, g.raw.n) == 0);
	if (text.n > 4096 || json_read(a, text, &root, &e) < 0)
		return 0;
	const struct val *made = sjson_set(a, &root, path, &value, &e);
	assert(made || (e.code == ERR_INVALID || e.code == ERR_LIMIT));
	if (made)
		assert(json_valid(json_write(a, made)));
	return 0;
}
