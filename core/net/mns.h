/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mns: signed calls of Alibaba's Message Service, its interface of 2015-06-06. Nothing is sent here. Needs libcrypto: call crypto_load before
 * the first.
 */
#ifndef TIDEGATE_CORE_NET_MNS_H
#define TIDEGATE_CORE_NET_MNS_H

#include "core/net/httpc.h"

struct mns_request {
	str endpoint;            /* URL, without a path */
	str access_key, secret_key;
	str method;
	str resource;            /* path and query, as they are sent */
	str body;                /* XML, or absent */
};
/* The call. In `a`. */
void mns_call(const struct mns_request *r, int64_t now_ns, struct arena *a, struct http_call *out);

#endif
