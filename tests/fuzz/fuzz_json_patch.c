/* SPDX-License-Identifier: Apache-2.0 */
/* JSON patches: a patch and a document, with a zero byte between. Whatever comes out can be written and is read back equal; what fails says why. */
#include "core/json_patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str patch = { (const char *)data, size }, text;
	struct arena *a = arena_new();
	struct val p, doc, again;
	struct err e = { 0 };
	size_t zero = str_find_char(patch, 0, 0);
	text = zero == SIZE_MAX ? S("{\"a\":[1,{\"b\":null}],\"c\":\"d\"}") : str_slice(patch, zero + 1, size);
	patch = str_slice(patch, 0, zero);
	if (json_read(a, patch, &p, &e) == 0 && json_read(a, text, &doc, &e) == 0) {
		const struct val *out = json_patch(a, &doc, &p, &e);
		assert(out || e.code);
		struct val_limits deep = { .depth = 100000 };
		if (out) {
			int rc = json_read_limited(a, json_write(a, out), &deep, &again, &e);
			assert(rc == 0 && val_eq(out, &again));
			(void)rc;
		}
	}
	arena_free(a);
	return 0;
}
