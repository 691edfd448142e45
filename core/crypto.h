/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto: hashes, signatures and the comparison of secrets, by OpenSSL's libcrypto, which is opened with the first of them: a
 * command or a daemon that needs none does not carry it. Loop thread.
 */
#ifndef TIDEGATE_CORE_CRYPTO_H
#define TIDEGATE_CORE_CRYPTO_H

#include "core/base.h"

#define CRYPTO_HASH_MAX 64 /* bytes of the longest, SHA-512 */
#define CRYPTO_RSA_MAX 1024 /* bytes of the longest signature of RSA: with a key of 8192 bits */

/* Opens libcrypto, so that nothing later can fail for want of it. ERR_UNAVAILABLE if it is not installed. */
int crypto_load(struct err *e) MUST_CHECK;
/* HMAC (RFC 2104) with "sha1", "sha256" or "sha512" into `out`; its length in *n. ERR_INVALID: another hash. */
int crypto_hmac(const char *hash, str key, str message, unsigned char out[CRYPTO_HASH_MAX], size_t *n, struct err *e) MUST_CHECK;
/* "sha1", "sha256", "sha512" or, for protocols that ask for it, "md5" of `bytes`; returns its length. Ends the process if libcrypto is not installed, as crypto_equal does. */
size_t crypto_hash(const char *hash, str bytes, unsigned char out[CRYPTO_HASH_MAX]);
/* The public key of an Ed25519 private key (RFC 8032). */
int crypto_ed25519_public(const unsigned char private[32], unsigned char out[32], struct err *e) MUST_CHECK;
/* RS256 (RFC 7518, 3.3): the signature of `message` with SHA-256 and the RSA key in `pem`. ERR_INVALID: it is none, or is locked by a password. */
int crypto_rs256(str pem, str message, unsigned char out[CRYPTO_RSA_MAX], size_t *n, struct err *e) MUST_CHECK;
/* Equal? Takes as long for any two of the same length, wherever they differ (CRYPTO_memcmp). */
bool crypto_equal(str a, str b);

#endif
