/* SPDX-License-Identifier: Apache-2.0 */
/*
 * when: the language of a step's `when`, after its variables were put in. It is govaluate's (v3.0.0, the library Argo
 * uses), with one change that Argo makes: bare words are strings, so that `{{x}} == heads` needs no quotes.
 *
 *     or      ||                       compare  == != < <= > >= =~ !~ in
 *     and     &&                       bits     & | ^ << >>
 *     choose  ? : ??                   sums     + -    products * / %    power **    prefix ! - ~
 *
 * Values are numbers (double), strings in '' or "", true and false, and lists in parentheses behind `in`.
 */
#ifndef TIDEGATE_CORE_LANG_WHEN_H
#define TIDEGATE_CORE_LANG_WHEN_H

#include "core/base.h"

enum { WHEN_MAX = 256 << 10, WHEN_TOKENS_MAX = 4096, WHEN_DEPTH_MAX = 100 };

/*
 * Evaluates `text` (empty: true). ERR_INVALID in Argo's words: "Invalid 'when' expression '...': ...", "Expected
 * boolean evaluation for '...'. Got ...". ERR_LIMIT beyond the limits above.
 */
int when_eval(str text, bool *out, struct err *e) MUST_CHECK;
/* Only whether it can be read: for what is known before its variables are. The same errors. */
int when_check(str text, struct err *e) MUST_CHECK;

/*
 * The same language for the expressions of event filters: bare words, and [words in brackets], are names, and `lookup` gives
 * their values (false: there is none of that name, ERR_INVALID). Nothing (nil) equals only itself, and `??` puts something in
 * its place. A result that is no truth value is false.
 */
struct when_value {
	enum { WHEN_NIL, WHEN_NUMBER, WHEN_BOOL, WHEN_TEXT } kind;
	double number;
	bool truth;
	str text;
};
int when_eval_names(str text, bool (*lookup)(void *arg, str name, struct when_value *out), void *arg, bool *out, struct err *e) MUST_CHECK;
int when_check_names(str text, struct err *e) MUST_CHECK;

#endif
