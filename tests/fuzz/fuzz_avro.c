/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A schema, a zero byte, and a message: whatever they are, memory is bounded, what is decoded is JSON, and encoding it gives what decodes to
 * the same. (Not of numbers that JSON has none of, nor of maps that have a key twice.)
 */
#include "core/avro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look_again(const struct avro_schema *s, str text)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct buf bytes CLEANUP(free_buf) = { 0 }, again CLEANUP(free_buf) = { 0 };
	struct val v;
	struct err e = { 0 };
	if (json_read(a, text, &v, &e) < 0) {
		assert(e.code == ERR_LIMIT);
		return;
	}
	if (avro_encode(s, &v, &bytes, &e) < 0)
		return;
	if (avro_decode(s, buf_str(&bytes), &again, &e) < 0)
		assert(e.code == ERR_LIMIT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size }, schema = str_cut(&in, 0);
	struct buf text CLEANUP(free_buf) = { 0 };
	struct err e = { 0 };
	struct avro_schema *s = avro_schema_read(schema, &e);
	if (!s) {
		assert(e.code && e.msg[0]);
		return 0;
	}
	int rc = avro_decode(s, in, &text, &e);
	assert(text.n <= 2 * (size_t)AVRO_BYTES_MAX);
	if (rc == 0)
		look_again(s, buf_str(&text));
	else
		assert(e.code == ERR_INVALID || e.code == ERR_LIMIT);
	avro_schema_free(s);
	return 0;
}
