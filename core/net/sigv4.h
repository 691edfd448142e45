/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigv4: AWS Signature Version 4 of a request, in its Authorization header, as published in "Signing AWS API requests".
 * Needs libcrypto (core/crypto.h): call crypto_load before the first.
 */
#ifndef TIDEGATE_CORE_NET_SIGV4_H
#define TIDEGATE_CORE_NET_SIGV4_H

#include "core/base.h"
#include "core/net/httpd.h" /* struct http_header */

struct sigv4_keys {
	str access_key, secret_key;
	str session_token; /* absent: none */
};
struct sigv4_request {
	str method;
	str host;                /* as in the Host header, with the port if it is not the scheme's own */
	str path;                /* as it is sent: percent-encoded, without dot segments; "" is "/" */
	str query;               /* as it is sent: percent-encoded, without the question mark */
	const struct http_header *headers; /* beside Host; all of them are signed */
	size_t headers_n;
	str body;
	str body_hash;           /* of s3, instead of `body`: its SHA-256 as lower-case hex; absent: that of `body` */
	str region, service;
	bool once_encoded;       /* s3: the path is signed as it is; all other services encode it once more */
};

enum { SIGV4_HEADERS = 4 }; /* added by sigv4_sign, at most */

/*
 * What is to be sent: the request's headers and the signature's (X-Amz-Date, X-Amz-Content-Sha256, X-Amz-Security-Token,
 * Authorization), in `a`; *n of them. `now_ns` is the time of the signature; AWS takes it for 15 minutes.
 */
const struct http_header *sigv4_sign(const struct sigv4_request *r, const struct sigv4_keys *k, int64_t now_ns, struct arena *a, size_t *n);
/*
 * The query of a URL that is the request, and is good for `seconds`: the request's own and the signature's, in `a`. Headers and body are not signed.
 */
str sigv4_presign(const struct sigv4_request *r, const struct sigv4_keys *k, int64_t now_ns, int seconds, struct arena *a);
/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the environment. False: there are no keys in it. */
bool sigv4_keys_around(struct sigv4_keys *out);
/* `given` without a slash at its end or, if it is empty, "https://<service>.<region>.amazonaws.com". In `a`, or part of `given`. */
str sigv4_endpoint(struct arena *a, str given, const char *service, str region);
/* The host, with its port, of such an endpoint. */
str sigv4_host(str endpoint);
/* `text` with everything but the unreserved characters of RFC 3986 (and '/' if `slash`) as %XX, as AWS wants paths and queries. */
str sigv4_encode(struct arena *a, str text, bool slash);

#endif
