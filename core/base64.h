/* SPDX-License-Identifier: Apache-2.0 */
/* base64: RFC 4648 section 4. */
#ifndef TIDEGATE_CORE_BASE64_H
#define TIDEGATE_CORE_BASE64_H

#include "core/base.h"

/* The standard alphabet with padding. */
str base64_encode(struct arena *a, str bytes);
/* The alphabet for URLs, without padding (section 5; RFC 7515, 2). */
str base64_url_encode(struct arena *a, str bytes);
/* Accepts the standard and the URL alphabet, with or without padding; white space is skipped. ERR_INVALID otherwise. */
int base64_decode(struct arena *a, str text, str *out, struct err *e) MUST_CHECK;

#endif
