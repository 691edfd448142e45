/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex: RE2's language (github.com/google/re2/wiki/Syntax, as Go's regexp has it) on PCRE2. What RE2 does not have is refused
 * with its name: back-references, look-around, atomic and possessive forms, recursion, conditions, comments, verbs.
 * Differences in meaning are translated away (\s, \v, $, octal). PCRE2 backtracks where RE2 does not, so a match has a
 * limit on its work and is an error beyond it, never a wrong answer.
 */
#ifndef TIDEGATE_CORE_LANG_REGEX_H
#define TIDEGATE_CORE_LANG_REGEX_H

#include "core/base.h"

#define REGEX_PATTERN_MAX 16384
#define REGEX_REPEAT_MAX 1000 /* of x{n,m}, as in RE2 */
#define REGEX_WORK_MAX 2000000 /* PCRE2's match limit */
#define REGEX_GROUPS_MAX 100

struct regex;

/* ERR_INVALID with "at N: reason"; ERR_LIMIT. */
int regex_compile(str pattern, struct regex **out, struct err *e) MUST_CHECK;
void regex_free(struct regex *re);

/* Byte offsets of a group's match; start == SIZE_MAX: it took no part. */
struct regex_span {
	size_t start, end;
};
/* 1: matches somewhere in `text` at or after `from`; 0: no; -1: ERR_LIMIT, too much work. spans[0] is the whole match, group i is
 * spans[i]; room for REGEX_GROUPS_MAX + 1, or NULL. */
int regex_find(const struct regex *re, str text, size_t from, struct regex_span *spans, struct err *e) MUST_CHECK;
static inline int regex_matches(const struct regex *re, str text, struct err *e) { return regex_find(re, text, 0, NULL, e); }
size_t regex_groups(const struct regex *re); /* without the whole */
/* The number of a named group, 0 if there is none. */
size_t regex_group_named(const struct regex *re, str name);
/* Special characters escaped, as Go's regexp.QuoteMeta. */
void regex_quote_meta(struct buf *b, str s);

#endif
