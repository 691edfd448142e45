/* SPDX-License-Identifier: Apache-2.0 */
/* jsonpath: a path, a line feed, and the document that it is applied to. */
#include "core/lang/jsonpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct err e;
	struct val root, out;
	str document = { (const char *)data, size }, path = str_cut(&document, '\n');
	if (json_read(a, document, &root, &e))
		root = val_null();
	if (!jsonpath_query(a, path, &root, &out, &e)) {
		struct buf b = { 0 };
		json_write_buf(&b, &out);
		buf_free(&b);
	}
	arena_free(a);
	return 0;
}
