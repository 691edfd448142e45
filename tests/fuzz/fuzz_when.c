/* SPDX-License-Identifier: Apache-2.0 */
/* when: any text gives an answer or a reason. */
#include "core/lang/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	bool is;
	if (when_eval((str){ (const char *)data, size }, &is, &e))
		assert(e.msg[0] && (e.code == ERR_INVALID || e.code == ERR_LIMIT));
	return 0;
}
