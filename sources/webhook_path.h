/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_path: paths of requests and the endpoints that they are for, by the rules of gorilla/mux, which Argo routes with. */
#ifndef TIDEGATE_SOURCES_WEBHOOK_PATH_H
#define TIDEGATE_SOURCES_WEBHOOK_PATH_H

#include "core/base.h"
#include "core/lang/regex.h"

/* Go's path.Clean with mux's additions: it begins with a slash and keeps one at its end. In `a`; nothing to do: `path` itself. */
str webhook_path_clean(struct arena *a, str path);
/* As Go's URL.EscapedPath writes a path that was changed. */
void webhook_path_escape(struct buf *b, str path);
/*
 * "/a/{x}/{y:[0-9]+}" as a regular expression, freed by regex_free; *out is NULL if there are no variables. ERR_INVALID: braces that do not fit,
 * a variable without a name, a pattern that is no regular expression.
 */
int webhook_endpoint_compile(str endpoint, struct regex **out, struct err *e) MUST_CHECK;

#endif
