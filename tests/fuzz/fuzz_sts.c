/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of STS: whatever arrives, there are three keys and a time, or a reason. */
#include "core/net/sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size };
	struct arena *a = arena_new();
	struct sigv4_keys k;
	struct err e = { 0 };
	int64_t until;
	if (sts_read_keys(in, a, &k, &until, &e) == 0)
		assert(k.access_key.n && k.secret_key.n && k.session_token.n);
	else
		assert(e.code && e.msg[0]);
	str why = http_xml_refusal(a, in);
	assert(!why.p || why.n >= 3);
	arena_free(a);
	return 0;
}
