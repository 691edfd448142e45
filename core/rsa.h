/* SPDX-License-Identifier: Apache-2.0 */
/* rsa: RSASSA-PKCS1-v1_5 (RFC 8017) by OpenSSL's libcrypto, opened with the first use. Loop thread. */
#ifndef TIDEGATE_CORE_RSA_H
#define TIDEGATE_CORE_RSA_H

#include "core/base.h"

/* The signature of SHA-256 by a private key in PEM (PKCS#1 or PKCS#8, not encrypted), in `a`. ERR_INVALID: it is no such key. */
int rsa_sign(str key_pem, str message, struct arena *a, str *out, struct err *e) MUST_CHECK;
/*
 * Whether the key of the first certificate in the PEM made the signature of "sha1" or "sha256". ERR_DENIED if not, or if the certificate
 * is not good at that time; ERR_INVALID: it is no certificate of an RSA key. Who issued it is not looked at.
 */
int rsa_verify(str certificate_pem, const char *hash, str message, str signature, int64_t now_ns, struct err *e) MUST_CHECK;

#endif
