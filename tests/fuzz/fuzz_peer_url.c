/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of brokers: whatever is written, each part lies within the text, in order, and the port is one; or there is a reason. */
#include "core/net/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size };
	struct peer_url u;
	struct err e = { 0 };
	if (peer_url_parse(in, 5672, &u, &e) < 0) {
		assert(e.code == ERR_INVALID && e.msg[0]);
		return 0;
	}
	assert(u.host.n && u.port > 0 && u.port < 65536);
	const str parts[] = { u.scheme, u.user, u.password, u.host, u.path };
	const char *at = in.p;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!parts[i].p)
			continue;
		assert(parts[i].p >= at && parts[i].p + parts[i].n <= in.p + in.n);
		at = parts[i].p + parts[i].n;
	}
	assert(str_find_char(u.host, '/', 0) == SIZE_MAX && str_find_char(u.host, '@', 0) == SIZE_MAX);
	return 0;
}
