/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avro: Apache Avro's binary encoding (specification 1.11), one value by the schema it was written with. Values are JSON as the events'
 * upstream has it (goavro's textual form): Avro's own JSON encoding, where a union's value stands below the name of its type, {"string": "x"},
 * and types with a logical type are called with it, {"long.timestamp-millis": 1}.
 *
 * Schemas and bytes come from strangers, so this is not libavro, which follows both wherever they lead: it gets memory for the length a
 * message states, and has no limit on depth nor on items that take no bytes. Here a value has at most AVRO_VALUES_MAX values in it, lies at
 * most AVRO_DEPTH_MAX deep and is at most AVRO_BYTES_MAX long, in either form, and nothing is allocated before its bytes are there.
 */
#ifndef TIDEGATE_CORE_AVRO_H
#define TIDEGATE_CORE_AVRO_H

#include "core/val.h"

enum {
	AVRO_SCHEMA_MAX = 1 << 20, /* bytes of a schema */
	AVRO_VALUES_MAX = 1000000,
	AVRO_DEPTH_MAX = 64,
	AVRO_BYTES_MAX = 16 << 20,
};

struct avro_schema;

/* Compiles a schema, JSON. NULL with ERR_INVALID or ERR_LIMIT. It is constant from then on. */
struct avro_schema *avro_schema_read(str json, struct err *e);
/* NULL is fine. */
void avro_schema_free(struct avro_schema *s);
/* Appends the JSON of the value at the beginning of `bytes`; what is behind it is not looked at. ERR_INVALID, ERR_LIMIT; `out` has a part of it then. */
int avro_decode(const struct avro_schema *s, str bytes, struct buf *out, struct err *e) MUST_CHECK;
/*
 * Appends the bytes of a value. Beside Avro's JSON a union takes a value without a name: the first of its types that fits. Members of an
 * object that the record does not have are left out; fields that are missing have their default. ERR_INVALID, ERR_LIMIT.
 */
int avro_encode(const struct avro_schema *s, const struct val *v, struct buf *out, struct err *e) MUST_CHECK;

#endif
