/* SPDX-License-Identifier: Apache-2.0 */
/* field_kinds: what the parts of field share; nobody else includes it. */
#ifndef TIDEGATE_CORE_FIELD_KINDS_H
#define TIDEGATE_CORE_FIELD_KINDS_H

#include "core/field.h"

/* Rows of a table: for (const struct field *f = sc->fields; f->kind != FIELD_END; f++) */
#define EACH_FIELD(sc, f) for (const struct field *f = (sc)->fields; f && f->kind != FIELD_END; f++)

/* Generic shapes of LIST_OF(T) and of the elements of FIELD_LISTS. */
struct any_list {
	void *p;
	size_t n;
};

struct field_type {
	const char *expected; /* for messages: "a string" */
	const char *doc;      /* for the reference page: "string" */
	size_t size;          /* of the C member; 0: of .schema, or none */
	size_t align;
	const char *json;     /* JSON Schema type; NULL: anything */
};
extern const struct field_type field_types[FIELD_NONE_ + 1];

/* What a value must look like: the row's kind, or for rows that only check, what they check it as. */
static inline enum field_kind
field_shape(const struct field *f)
{
	if (f->kind != FIELD_NONE_ && f->kind != FIELD_VAL)
		return f->kind;
	return f->as != FIELD_END ? f->as : f->schema ? FIELD_OBJ_ : f->kind;
}

static inline size_t
field_size(const struct field *f)
{
	return f->kind == FIELD_OBJ_ ? f->schema->size : field_types[f->kind].size;
}

/* The struct being decoded and those around it: for hints about fields that stand on the wrong level. */
struct decode_frame {
	const struct decode_frame *up;
	const struct schema *schema;
	const struct val *in;
};

/* ---- field_place.c ------------------------------------------------------------------------------------------- */

/* Adds to the path; field_leave with what was returned takes it away again. */
size_t field_enter_name(struct decode *c, str name);
size_t field_enter_index(struct decode *c, size_t i);
void field_leave(struct decode *c, size_t before);
/* An error at the place where the decoder is. */
struct diag *field_wrong(struct decode *c, const struct val *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* "expected <what the row wants>, not <what is there>" */
struct diag *field_wrong_type(struct decode *c, const struct field *f, const struct val *v);
#define field_hint(c, d, ...) diag_hint((c)->diags, d, __VA_ARGS__)
/* What is written, short enough for a message. */
str field_excerpt(const struct val *v);

/* ---- field_scalar.c ------------------------------------------------------------------------------------------ */

/* Decodes `v` into the row's member `to`; what is wrong is a finding, and `to` stays as it was. */
typedef void field_decoder(struct decode *c, const struct field *f, const struct val *v, void *to);
/* By kind; NULL for what is no scalar. */
extern field_decoder *const field_scalars[FIELD_NONE_ + 1];
bool field_decode_string(struct decode *c, const struct field *f, const struct val *v, str *out);

/* ---- field.c ------------------------------------------------------------------------------------------------- */

/* The row's default, decoded, into `to` (field_size bytes). False if it has none, or if it does not decode. */
bool field_default(const struct field *f, struct arena *a, void *to);
/* The row of that name, those of INLINE rows included; NULL if there is none. */
const struct field *field_find(const struct schema *sc, str name);
/* A resolved boolean or number as text, as Argo's AnyString has it; STR_NONE for the rest. */
str field_any_string(struct arena *a, const struct val *v);
/* A boolean, or an unquoted scalar that YAML 1.1 takes for one. */
bool field_to_bool(const struct val *v, bool *out);
/* A double as Go's strconv.FormatFloat(f, 'f', -1, 64). */
str field_format_float(struct arena *a, double f);

#endif
