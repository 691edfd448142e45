/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azure_bus: who is asked, and with what token, by the REST interface of Azure Service Bus, as published in "Service Bus access control with Shared
 * Access Signatures". Nothing is sent here. Needs libcrypto: call crypto_load before the first.
 */
#ifndef TIDEGATE_CORE_NET_AZURE_BUS_H
#define TIDEGATE_CORE_NET_AZURE_BUS_H

#include "core/base.h"

struct azure_bus {
	str endpoint;       /* URL of the namespace, without a slash at its end */
	str key_name, key;
	str signature;      /* a token that is given, in place of a key */
};
/* What a connection string says. In `a`. ERR_INVALID without its values, which are secrets. */
int azure_bus_read(str connection, struct arena *a, struct azure_bus *out, struct err *e) MUST_CHECK;
/* The value of the Authorization header for what is below the namespace, good for five minutes. In `a`. */
str azure_bus_token(const struct azure_bus *b, int64_t now_ns, struct arena *a);

#endif
