/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diag: findings about manifests, collected, never thrown one by one. A finding says where (file:line:column and the
 * path of the field), what is wrong, and what to write instead.
 */
#ifndef TIDEGATE_CORE_DIAG_H
#define TIDEGATE_CORE_DIAG_H

#include "core/val.h"

enum diag_level {
	DIAG_NOTE,    /* accepted; worth knowing */
	DIAG_WARNING, /* accepted; has no effect here, or is probably a mistake */
	DIAG_LATER,   /* a field that Tidegate does not serve yet: lint warns, everything that would run it refuses */
	DIAG_ERROR,
};

struct diag {
	enum diag_level level;
	str file;
	uint32_t line, col; /* 0: unknown */
	str path;           /* "spec.templates[0].container.image"; may be empty */
	str text;           /* "unknown field" */
	str hint;           /* "did you mean \"endpoint\"?"; may be absent */
	str other_file;     /* a second place ("first defined here"); absent if there is none */
	uint32_t other_line, other_col;
};

struct diag_source {
	str file, text;
};

struct diags {
	struct arena *arena; /* owns the texts */
	VEC(struct diag) v;
	size_t errors, later, warnings;
	str file; /* of the document being read: the default for what is added */
	VEC(struct diag_source) sources;
	struct diag overflow; /* where findings beyond the first 1000 go, and those that nobody wants */
	unsigned quiet; /* not 0: only errors are wanted */
	bool lenient;   /* a field that nobody knows is a warning, see field.h */
};

void diags_init(struct diags *d);
void diags_free(struct diags *d);
/* Remembers the text of a file (borrowed), for the source line and caret. */
void diags_source(struct diags *d, str file, str text);
/* Adds a finding at `at` (NULL: no position) in d->file. Returns it, so that hint and second place can be filled in. */
struct diag *diag_add(struct diags *d, enum diag_level level, const struct val *at, str path, const char *fmt, ...)
	PRINTF_LIKE(5, 6);
void diag_hint(struct diags *d, struct diag *x, const char *fmt, ...) PRINTF_LIKE(3, 4);
/*
 * The finding is about line `line` (from 1) of the text that stands at its place: it moves to that line, if the text is one of several
 * lines behind a "|" of a file that diags_source told of. Else it stays.
 */
void diag_into_text(struct diags *d, struct diag *x, uint32_t line);
/*
 * The nearest of `n` candidates if it is near enough to be a slip (distance <= 2, or a third of the length), else NULL.
 */
const char *diag_nearest(str word, const char *const *candidates, size_t n);

#define DIAG_COLOR 1u  /* ANSI colours */
#define DIAG_CARET 2u  /* the source line and a caret under the column */
/* "file:line:col: error: path: text; hint" a line, in order of file, line and column. */
void diags_print(struct diags *d, FILE *f, unsigned opts);
/* A JSON list of findings, for `lint --output json`. */
struct val diags_json(struct diags *d, struct arena *a);

#endif
