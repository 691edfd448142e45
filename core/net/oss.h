/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oss: signed calls of Alibaba's Object Storage Service, and the keys of who the machine is. The signature is its version 1, HMAC-SHA1 in the header, as published in
 * "Include signatures in the Authorization header". Nothing is sent here. Needs libcrypto: call crypto_load before the first.
 */
#ifndef TIDEGATE_CORE_NET_OSS_H
#define TIDEGATE_CORE_NET_OSS_H

#include "core/net/httpc.h"

struct oss_keys {
	str access_key, secret_key;
	str token;         /* of keys for a while; absent: none */
	int64_t until_ns;  /* so long they are used; INT64_MAX: always */
};

struct oss_request {
	str endpoint;      /* URL, without a path */
	str method, bucket, key; /* key: absent for the bucket */
	const struct http_header *query; /* values as they are; a value that is absent is none. In order of their names */
	size_t query_n;
	const struct http_header *headers; /* names of OSS's own in lower case and in order */
	size_t headers_n;
};
/* The call, without a body; the bucket stands before the host, or in the path where the host is an address. In `a`. */
void oss_call(const struct oss_request *r, const struct oss_keys *k, int64_t now_ns, struct arena *a, struct http_call *out);

/* ALIBABA_CLOUD_ACCESS_KEY_ID, _SECRET and ALIBABA_CLOUD_SECURITY_TOKEN of the environment. False: they are not set. */
bool oss_keys_around(struct oss_keys *out);
/* The call that asks the machine's metadata service for a session's name (in the header of the following; services without it refuse). In `a`. */
void oss_metadata_session_call(struct arena *a, struct http_call *out);
/* For the name of the machine's role or, with a role, for its keys. `session` may be absent. In `a`. */
void oss_metadata_call(str role, str session, struct arena *a, struct http_call *out);
/* The keys in its answer, in `a`; used until five minutes before they end. ERR_INVALID: they are not in it. */
int oss_keys_read(str json, struct arena *a, struct oss_keys *out, struct err *e) MUST_CHECK;

#endif
