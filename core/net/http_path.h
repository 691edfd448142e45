/* SPDX-License-Identifier: Apache-2.0 */
/* http_path: patterns of routes, percent-decoding, forms. The part of the HTTP server that is not about connections. */
#ifndef TIDEGATE_CORE_NET_HTTP_PATH_H
#define TIDEGATE_CORE_NET_HTTP_PATH_H

#include "core/net/httpd.h"

struct http_pattern;

/* Compiles a route's pattern (httpd.h, httpd_route). ERR_INVALID says what is wrong with it. */
int http_pattern_new(const char *text, struct http_pattern **out, struct err *e) MUST_CHECK;
void http_pattern_free(struct http_pattern *p);
/* Does `path` match as a whole? Fills *vars (in `a`, `path` shared) with what the {name}s stand for; vars may be NULL. */
bool http_pattern_match(const struct http_pattern *p, str path, struct arena *a, const struct http_header **vars, size_t *n);

/* Decodes %XX, and '+' as a space if `plus`. STR_NONE if a '%' is not followed by two hexadecimal digits. */
str http_unescape(struct arena *a, str s, bool plus);

#endif
