/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of signed webhooks: whatever arrives, it is refused with a reason, or it is what the secret makes. The first byte picks the
 * row, then come signature, timestamp, id and body, with a zero byte between.
 */
#include "core/crypto.h"
#include "sources/secure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	str rest = { (const char *)data + 1, size - 1 };
	struct signed_message m = { .signature = str_cut(&rest, '\0'), .timestamp = str_cut(&rest, '\0'), .id = str_cut(&rest, '\0'),
		                    .body = rest };
	struct arena *a = arena_new();
	struct err e = { 0 };
	str id;
	const struct signature *row = &signatures[data[0] % SIGNED_BY_N];
	if (crypto_load(&e) == 0 && signature_check(row, S("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &m, 1614265330 * NS_PER_SEC, a, &id, &e) < 0)
		assert(e.code && e.msg[0]);
	arena_free(a);
	return 0;
}
