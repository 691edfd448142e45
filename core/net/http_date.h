/* SPDX-License-Identifier: Apache-2.0 */
/* http_date: points in time as HTTP has them (RFC 9110 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". */
#ifndef TIDEGATE_CORE_NET_HTTP_DATE_H
#define TIDEGATE_CORE_NET_HTTP_DATE_H

#include "core/base.h"

/* In `a`. */
str http_date(struct arena *a, int64_t ns);
/* False: it is none. */
bool http_date_read(str text, int64_t *ns);

#endif
