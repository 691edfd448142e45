/* SPDX-License-Identifier: Apache-2.0 */
/* tags: any text; names are found, missing or absent by their first letter. A strict pass leaves no simple tag it could
 * not find. */
#include "engine/tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum tag_found
look(void *arg, str name, struct arena *a, str *out)
{
	(void)arg;
	if (name.n && name.p[0] == 'm')
		return TAG_MISSING;
	if (name.n && name.p[0] == 'n')
		return TAG_ABSENT;
	*out = name.n && name.p[0] == 't' ? S("{{m}}") : arena_dup(a, name);
	return TAG_FOUND;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct err e;
	str text = { (const char *)data, size }, out;
	struct tag_scope lax = { .look = look, .absent_is_null = true },
			 strict = { .look = look, .strict = tags_strict_all };
	struct val v = val_str(text);
	const struct val *put = tags_put(a, &v, &lax, &e);
	assert(!put || put->kind == VAL_STR || put->kind == VAL_NULL);
	if (!tags_put_text(a, text, &strict, &out, &e) && !tags_in(text))
		assert(str_eq(out, text));
	arena_free(a);
	return 0;
}
