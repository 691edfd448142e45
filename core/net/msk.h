/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msk: what Amazon MSK takes as a token of OAUTHBEARER: the presigned URL of a request Connect of the service kafka-cluster, in base64, in the form
 * that AWS's signers for it publish (aws-msk-iam-sasl-signer). Needs libcrypto: call crypto_load before the first.
 */
#ifndef TIDEGATE_CORE_NET_MSK_H
#define TIDEGATE_CORE_NET_MSK_H

#include "core/net/sigv4.h"

enum { MSK_SECONDS = 900 /* that a token is good */ };

/* In `a`; until when it is good in *until_ns. */
str msk_token(str region, const struct sigv4_keys *k, int64_t now_ns, struct arena *a, int64_t *until_ns);

#endif
