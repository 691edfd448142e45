/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tags: {{name}} in manifests. Substitution works on the parsed value, string by string, in one pass: what is put in is
 * never looked at again in that pass, subtrees without a tag are shared, and the result needs no second parsing.
 *
 * Argo substitutes in the JSON text and parses the result again (util/template, v4.1.2). The differences, all on
 * purpose: a value cannot break the JSON around it, and a tag cannot reach from one string into the next.
 */
#ifndef TIDEGATE_ENGINE_RUN_TAGS_H
#define TIDEGATE_ENGINE_RUN_TAGS_H

#include "core/val.h"

enum tag_found {
	TAG_FOUND,
	TAG_MISSING, /* no such variable here */
	TAG_ABSENT,  /* it exists, but has no value: the output of a step that was skipped (spec 3.6) */
};

/* Where variables come from, and how strict a pass is. */
struct tag_scope {
	/*
	 * Puts the text of `name` (trimmed, valid during the call) into *out; it must live as long as the result. `a` may be
	 * used for it.
	 */
	enum tag_found (*look)(void *arg, str name, struct arena *a, str *out);
	/*
	 * The text in place of {{=text}} into *out (evaluate.h); *found is TAG_MISSING where the tag stays. NULL: all of them stay.
	 */
	int (*expression)(void *arg, str text, const char *const *strict, struct arena *a, enum tag_found *found, str *out,
		struct err *e);
	void *arg;
	const char *const *strict; /* NULL-terminated prefixes of names that must be found; NULL: what is missing stays
				      as it was written */
	bool artifacts_stay; /* if all must be found: but for artifacts, which are no text and are looked up later */
	bool absent_is_null; /* a string that is nothing but an absent tag becomes null; elsewhere absent is an error */
	bool put_tags;       /* set when a text that was put in holds "{{" itself: the next pass has something to do */
};
extern const char *const tags_strict_all[]; /* every name must be found */

enum { TAGS_TEXT_MAX = 16 << 20 }; /* bytes of one string after substitution */

/*
 * `v` with its tags replaced, in map keys too; `v` itself if there was nothing to do. NULL with ERR_NOT_FOUND where a
 * name that must be found is missing ("failed to resolve {{x}}"), ERR_INVALID for an absent one, ERR_LIMIT beyond
 * TAGS_TEXT_MAX. For an expression tag, {{=...}}, also what evaluate.h says.
 */
const struct val *tags_put(struct arena *a, const struct val *v, struct tag_scope *s, struct err *e) MUST_CHECK;
/* The same for one text. */
int tags_put_text(struct arena *a, str text, struct tag_scope *s, str *out, struct err *e) MUST_CHECK;
static inline bool
tags_in(str text)
{
	return str_find(text, S("{{"), 0) != SIZE_MAX;
}
/* Calls fn with every simple tag's trimmed name in `v`, inner ones of nested tags first. Stops when fn returns false.
 */
bool tags_each(const struct val *v, bool (*fn)(void *arg, str name), void *arg);

#endif
