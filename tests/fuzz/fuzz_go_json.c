/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests: what is JSON comes out of compacting equal and without raw <, > or &; what is none gets a complaint. */
#include "core/val.h"
#include "sources/go_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = { (const char *)data, size };
	struct arena *a = arena_new();
	struct val before, after;
	struct err e;
	if (json_read(a, text, &before, &e) == 0) {
		struct buf b = { 0 };
		go_json_compact(&b, text);
		assert(json_read(a, buf_str(&b), &after, &e) == 0);
		assert(val_eq(&before, &after));
		assert(strcspn(b.p, "<>&") == b.n);
		buf_free(&b);
	} else {
		assert(go_json_error(a, text).n > 0);
	}
	arena_free(a);
	return 0;
}
