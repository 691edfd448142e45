/* SPDX-License-Identifier: Apache-2.0 */
/*
 * when: the language of a step's `when`, after its variables were put in, and of the expressions of event filters. It is
 * govaluate's (v3.0.0, the library Argo uses). In a `when` bare words are strings, as Argo has it, so that
 * `{{x}} == heads` needs no quotes; in a filter they are names.
 *
 *     list     ,                        bits     & | ^      shifts   << >>
 *     choose   ? : ??                   sums     + -        products * / %      power **
 *     or ||    and &&                   prefix   ! - ~
 *     compare  == != < <= > >= =~ !~ in
 *
 * Operators of one line group from the left, those of `choose` too: a second choice behind a colon needs parentheses.
 * Values are numbers (double), strings in '' or "", true and false, and lists: what has commas between. A quoted text that is a
 * date is the number of its seconds since 1970; without a zone it is in UTC.
 */
#ifndef TIDEGATE_CORE_LANG_WHEN_H
#define TIDEGATE_CORE_LANG_WHEN_H

#include "core/val.h"

enum { WHEN_MAX = 256 << 10, WHEN_TOKENS_MAX = 4096, WHEN_DEPTH_MAX = 100, WHEN_MADE_MAX = 16 << 20 /* bytes that an evaluation makes */ };

/*
 * Evaluates `text` (empty: true). ERR_INVALID in Argo's words: "Invalid 'when' expression '...': ...", "Expected
 * boolean evaluation for '...'. Got ...". ERR_LIMIT beyond the limits above.
 */
int when_eval(str text, bool *out, struct err *e) MUST_CHECK;
/* Only whether it can be read: for what is known before its variables are. The same errors. */
int when_check(str text, struct err *e) MUST_CHECK;

/* An expression with names: bare words, and [words in brackets]. */
struct when;
/* Into `a`, `text` copied; when_free lets go of what the arena does not hold. ERR_INVALID, ERR_LIMIT. */
int when_compile(str text, struct arena *a, struct when **out, struct err *e) MUST_CHECK;
void when_free(struct when *w); /* NULL is fine */
/*
 * Its value, in `a`; `lookup` gives the value of a name (false: there is none of that name, ERR_INVALID). Numbers in it must be VAL_FLOAT,
 * below lists and objects too (when_number_values). A null equals only itself, and `??` puts something in its place. Lists and objects
 * can be compared, looked into by `in`, and be added to a text.
 */
int when_value(const struct when *w, bool (*lookup)(void *arg, str name, struct val *out), void *arg, struct arena *a, struct val *out,
               struct err *e) MUST_CHECK;
/* `v` with its numbers as VAL_FLOAT, in `a`; shares what has none. */
struct val when_number_values(struct arena *a, const struct val *v);
int when_check_names(str text, struct err *e) MUST_CHECK;
/* The first name that `==` or `!=` compares with a quoted date, which a text is never equal to: in `a`, the date as it is written. False: none. */
bool when_compares_date(str text, struct arena *a, str *name, str *date);

#endif
