/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sts: AssumeRole of AWS's Security Token Service, the query interface of 2011-06-15: the call to make, and what its answer says. Nothing
 * is sent here. Needs libcrypto (core/crypto.h): call crypto_load before the first.
 */
#ifndef TIDEGATE_CORE_NET_STS_H
#define TIDEGATE_CORE_NET_STS_H

#include "core/net/httpc.h"
#include "core/net/sigv4.h"

enum { STS_SECONDS = 3600 /* that the keys are asked for: what every role allows */ };
#define STS_EARLY (5 * 60 * NS_PER_SEC) /* so long before they end they are no longer used */

struct sts_role {
	str arn, session; /* session: a name for AWS's own records, of letters, digits and _+=,.@- */
	str region;
	str endpoint; /* URL without path; absent: https://sts.<region>.amazonaws.com */
};

/* The signed call that asks for keys of the role with `k`. In `a`. */
void sts_assume_role(const struct sts_role *r, const struct sigv4_keys *k, int64_t now_ns, struct arena *a, struct http_call *out);
/* The same with the token of a web identity instead of keys; it is not signed. In `a`. */
void sts_assume_role_by_token(const struct sts_role *r, str token, struct arena *a, struct http_call *out);
/* The keys in a good answer, in `a`, and until when they are good. ERR_INVALID if they are not in it. */
int sts_read_keys(str xml, struct arena *a, struct sigv4_keys *out, int64_t *until_ns, struct err *e) MUST_CHECK;

#endif
