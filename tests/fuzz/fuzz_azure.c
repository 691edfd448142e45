/* SPDX-License-Identifier: Apache-2.0 */
/* Connection strings of Azure: whatever they say, there is somebody to be asked and something to sign with, or a reason without their secrets. */
#include "core/net/azure_bus.h"
#include "core/net/azure_storage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size };
	struct arena *a = arena_new();
	struct azure_account account;
	struct azure_bus bus;
	struct err e = { 0 };
	if (azure_account_read(in, "queue", a, &account, &e) == 0)
		assert(str_starts(account.endpoint, S("http")) && (account.sas.n || account.name.n));
	else
		assert(str_starts(str_c(e.msg), S("connection string: ")));
	if (azure_bus_read(in, a, &bus, &e) == 0)
		assert(str_starts(bus.endpoint, S("http")) && (bus.signature.n || (bus.key_name.n && bus.key.n)));
	else
		assert(str_starts(str_c(e.msg), S("connection string: ")));
	arena_free(a);
	return 0;
}
