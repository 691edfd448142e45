/* SPDX-License-Identifier: Apache-2.0 */
/* jwt: JSON Web Tokens (RFC 7519) in the compact form, signed with RS256 (RFC 7515, RFC 7518 section 3.3). */
#ifndef TIDEGATE_CORE_NET_JWT_H
#define TIDEGATE_CORE_NET_JWT_H

#include "core/base.h"

/* The token that says `claims`, a JSON object, by a private RSA key in PEM. In `a`. ERR_INVALID: it is no such key. */
int jwt_rs256(str key_pem, str claims, struct arena *a, str *out, struct err *e) MUST_CHECK;

#endif
