/* SPDX-License-Identifier: Apache-2.0 */
/* avro_impl: a compiled schema. Of core/avro*.c only. */
#ifndef TIDEGATE_CORE_AVRO_IMPL_H
#define TIDEGATE_CORE_AVRO_IMPL_H

#include "core/avro.h"

enum avro_kind {
	AVRO_NULL, AVRO_BOOLEAN, AVRO_INT, AVRO_LONG, AVRO_FLOAT, AVRO_DOUBLE, AVRO_BYTES, AVRO_STRING,
	AVRO_FIXED, AVRO_ENUM, AVRO_ARRAY, AVRO_MAP, AVRO_RECORD, AVRO_UNION,
};

struct avro_member {
	str name;                     /* of a field or a symbol; of a union's type: that type's */
	const struct avro_type *type; /* NULL: a symbol */
	const struct val *dflt;       /* of a field; NULL: none */
};
struct avro_type {
	enum avro_kind kind;
	str name;                     /* the full one; of a type without: its kind, with its logical type */
	const struct avro_type *of;   /* items of an array, values of a map */
	const struct avro_member *members; /* fields, symbols, or the types of a union */
	size_t n;
	size_t size;                  /* of fixed */
};
struct avro_schema {
	struct arena *arena;
	const struct avro_type *type;
};

/* What a value may have in it, counted down while it is read or written. */
struct avro_budget {
	size_t values;
	unsigned depth;
	const struct buf *out;
};
/* One more value, one deeper. ERR_LIMIT. */
int avro_enter(struct avro_budget *b, struct err *e) MUST_CHECK;
static inline void avro_leave(struct avro_budget *b) { b->depth++; }

#endif
