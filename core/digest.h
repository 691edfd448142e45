/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest: SHA-256 (FIPS 180-4) for names made from contents, and comparing secrets. Our own, because every daemon needs
 * these few bytes and OpenSSL's libcrypto would be a fifth of its start; signatures are checked with libcrypto, which is
 * loaded by the first source that has a secret.
 */
#ifndef TIDEGATE_CORE_DIGEST_H
#define TIDEGATE_CORE_DIGEST_H

#include "core/base.h"

#define DIGEST_SHA256_SIZE 32

void digest_sha256(str bytes, unsigned char out[DIGEST_SHA256_SIZE]);
/* Equal? Takes as long for any two of the same length, wherever they differ. */
bool digest_equal(str a, str b);

#endif
