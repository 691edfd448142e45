/* SPDX-License-Identifier: Apache-2.0 */
/* check: what the checks of many kinds of source have in common (spec events 5.2). */
#ifndef TIDEGATE_SOURCES_CHECK_H
#define TIDEGATE_SOURCES_CHECK_H

#include "config/config.h"

/* The member `field` of `in` must be given and not empty. */
void source_need(str value, const struct val *in, struct decode *c, const char *field);
void source_need_ref(const struct secret_ref *ref, const struct val *in, struct decode *c, const char *field);
void source_need_list(size_t n, const struct val *in, struct decode *c, const char *field);
/* A Go duration; absent is fine. */
void source_check_interval(str text, const struct val *in, struct decode *c, const char *field);
/* A1, A2: member `auth`; NULL is fine. */
void source_check_basic(const struct basic_auth *auth, const struct val *in, struct decode *c);

struct watch_path {
	str directory, path, path_regexp;
	const struct val *src;
};
extern const struct schema watch_path_schema;
/* P1 to P5, for a member `watchPathConfig`, and for the same fields in `in` itself. */
void source_check_path(const struct watch_path *w, const struct val *in, struct decode *c);
void source_check_watch(str directory, str path, str path_regexp, const struct val *in, struct decode *c);
/* A kind of file change: CREATE, WRITE, REMOVE, RENAME, CHMOD, or several with "|" between. */
void source_check_type(str type, const struct val *in, struct decode *c);

#endif
