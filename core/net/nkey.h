/* SPDX-License-Identifier: Apache-2.0 */
/* nkey: keys of NATS users. A seed is what its owner keeps ("SUA..."); the server knows the public key that belongs to it ("UA..."). */
#ifndef TIDEGATE_CORE_NET_NKEY_H
#define TIDEGATE_CORE_NET_NKEY_H

#include "core/base.h"

enum { NKEY_PUBLIC_SIZE = 56 };

/* The public key of a user's seed, as text. ERR_INVALID: it is none. Loop thread (core/crypto.h). */
int nkey_public(str seed, char out[NKEY_PUBLIC_SIZE + 1], struct err *e) MUST_CHECK;

#endif
