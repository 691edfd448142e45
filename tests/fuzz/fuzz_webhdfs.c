/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of WebHDFS: whatever arrives, there is a listing or none, a refusal with a code, and a checksum that is compared or not known. */
#include "core/crypto.h"
#include "engine/artifact/hdfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct webhdfs_refusal r;
	struct val v;
	struct err e;
	str after;
	const struct http_answer ans = { .status = 403, .body = { (const char *)data, size } };
	webhdfs_refusal(&ans, a, &r);
	assert(r.code && r.text.n >= 3);
	if (crypto_load(&e) == 0 && json_read(a, ans.body, &v, &e) == 0) {
		const struct val *list = webhdfs_listing(&v, &after);
		assert(list || !after.p);
		assert(hdfs_sum_compare(val_get(&v, S("FileChecksum")), -1, 0, 10, true, a) == HDFS_UNKNOWN);
	}
	arena_free(a);
	return 0;
}
