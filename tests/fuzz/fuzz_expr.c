/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions over a small environment, in both versions of the language; what evaluates also prints. */
#include "core/lang/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const str text = S("{\"a\":1,\"b\":2.5,\"s\":\"hello\",\"t\":true,\"n\":null,\"l\":[3,1,2],\"m\":{\"x\":{\"y\":[1]}}}");
	if (size < 1)
		return 0;
	struct arena *a = arena_new();
	struct expr_options o = { .flags = data[0] & 1 };
	struct val env, v;
	struct expr *x = NULL;
	struct err e;
	if (json_read(a, text, &env, &e) == 0 && expr_compile((str){ (const char *)data + 1, size - 1 }, &o, &x, &e) == 0 &&
	    expr_eval(x, &env, a, &v, &e) == 0) {
		struct buf b = { 0 };
		expr_print(&b, &v);
		json_write_buf(&b, &v);
		buf_free(&b);
	}
	expr_free(x);
	arena_free(a);
	return 0;
}
