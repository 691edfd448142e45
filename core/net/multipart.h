/* SPDX-License-Identifier: Apache-2.0 */
/* multipart: the body of a form with files (multipart/form-data, RFC 7578 and RFC 2046 5.1), as browsers and curl -F send it. Pure; any thread. */
#ifndef TIDEGATE_CORE_NET_MULTIPART_H
#define TIDEGATE_CORE_NET_MULTIPART_H

#include "core/base.h"

/* The boundary that the text of a Content-Type names, sharing it. ERR_INVALID: it is no multipart/form-data, or has none. */
int multipart_boundary(str content_type, str *out, struct err *e) MUST_CHECK;
/*
 * The bytes of the first part whose field is `name`, sharing `body`, which may be very large. ERR_INVALID: it is not made of parts, or ends in the
 * middle of one, or there is no such part.
 */
int multipart_find(str body, str boundary, str name, str *out, struct err *e) MUST_CHECK;

#endif
