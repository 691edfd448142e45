/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secure: what proves that a request comes from whom it says. OpenSSL's libcrypto is loaded with the first signature to check:
 * a daemon without one does not carry it.
 */
#ifndef TIDEGATE_SOURCES_SECURE_H
#define TIDEGATE_SOURCES_SECURE_H

#include "core/base.h"

/* Loads libcrypto, so that a request need not. ERR_UNAVAILABLE if it is not installed. */
int secure_load(struct err *e) MUST_CHECK;
/* HMAC (RFC 2104) with "sha1", "sha256" or "sha512" into out[64]; its length in *n. ERR_INVALID: another hash. */
int secure_hmac(const char *hash, str key, str message, unsigned char out[64], size_t *n, struct err *e) MUST_CHECK;
/*
 * A signature as GitHub sends it, "sha256=<hex>" of `body`. Messages are go-github's (messages.go, ValidateSignature), as they
 * are what a sender gets to read: "missing signature", "payload signature check failed", ...
 */
int secure_check_github(str signature, str key, str body, struct err *e) MUST_CHECK;

#endif
