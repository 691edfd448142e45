/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds of NATS users: whatever is given, a public key as the server knows it comes of it, or a reason. */
#include "core/net/nkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char public[NKEY_PUBLIC_SIZE + 1];
	struct err e = { 0 };
	if (nkey_public((str){ (const char *)data, size }, public, &e) == 0)
		assert(public[0] == 'U' && strlen(public) == NKEY_PUBLIC_SIZE);
	else
		assert(e.code && e.msg[0]);
	return 0;
}
