/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of the argo command: one byte for the operation, then words with zero bytes between. What is read fits, what fails says why. */
#include "triggers/argo_args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct argo_args x;
	struct err e = { 0 };
	size_t at = 0;
	if (!size)
		return 0;
	struct arena *a = arena_new();
	struct strs list = { ARENA_ARRAY(a, str, size), 0 };
	for (str rest = { (const char *)data + 1, size - 1 }; rest.n;)
		list.p[list.n++] = str_cut(&rest, 0);
	if (argo_args_read((enum argo_operation)(data[0] % 8), &list, a, &x, &at, &e) < 0)
		assert(e.code && *e.msg && at < list.n);
	else
		assert(!x.has_priority || (x.priority >= INT32_MIN && x.priority <= INT32_MAX));
	arena_free(a);
	return 0;
}
