/* SPDX-License-Identifier: Apache-2.0 */
/* krb5.conf: what is taken has no section that loads, and includes nothing. */
#include "core/net/kerberos.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size };
	struct err e = { 0 };
	if (kerberos_check_config(in, &e) < 0)
		assert(e.code && e.msg[0]);
	else
		assert(str_find(in, S("\n[plugins]"), 0) == SIZE_MAX && str_find(in, S("\ninclude"), 0) == SIZE_MAX);
	return 0;
}
