/* SPDX-License-Identifier: Apache-2.0 */
/* From JSON to bytes. */
#include "core/avro_impl.h"
#include "core/utf8.h"

struct sink {
	struct buf *out;
	struct avro_budget budget;
	struct err *e;
};

static int encode(struct sink *s, const struct avro_type *t, const struct val *v);

static int
unfit(struct sink *s, const struct avro_type *t, const struct val *v)
{
	return err_set(s->e, ERR_INVALID, "avro: %s is no %.*s", val_kind_name(v), STR_ARG(t->name));
}

static void
put_long(struct buf *b, int64_t n)
{
	uint64_t bits = (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0);
	for (; bits >= 0x80; bits >>= 7)
		buf_addc(b, (char)(bits | 0x80));
	buf_addc(b, (char)bits);
}

static void
put_little_endian(struct buf *b, uint64_t bits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addc(b, (char)(bits >> (8 * i)));
}

static int
encode_whole(struct sink *s, const struct avro_type *t, const struct val *v)
{
	int64_t n;
	if (!val_is_number(v) || !val_to_i64(v, &n) || (t->kind == AVRO_INT && (n < INT32_MIN || n > INT32_MAX)))
		return unfit(s, t, v);
	put_long(s->out, n);
	return 0;
}

static int
encode_number(struct sink *s, const struct avro_type *t, const struct val *v)
{
	double d;
	if (!val_is_number(v) || !val_to_double(v, &d))
		return unfit(s, t, v);
	float f = (float)d;
	uint64_t bits = 0;
	uint32_t low;
	memcpy(&bits, &d, sizeof d);
	memcpy(&low, &f, sizeof f);
	put_little_endian(s->out, t->kind == AVRO_FLOAT ? low : bits, t->kind == AVRO_FLOAT ? 4 : 8);
	return 0;
}

/* Bytes in JSON: each a character up to U+00FF. */
static int
encode_bytes(struct sink *s, const struct avro_type *t, const struct val *v)
{
	struct buf bytes CLEANUP(free_buf) = { 0 };
	if (!val_is(v, VAL_STR))
		return unfit(s, t, v);
	str text = val_text(v);
	for (size_t i = 0; i < text.n;) {
		unsigned len;
		uint32_t c = utf8_get(text.p + i, text.n - i, &len);
		if (c > 0xFF)
			return err_set(s->e, ERR_INVALID, "avro: %.*s: bytes are characters up to U+00FF", STR_ARG(t->name));
		buf_addc(&bytes, (char)c);
		i += len;
	}
	if (t->kind == AVRO_FIXED && bytes.n != t->size)
		return err_set(s->e, ERR_INVALID, "avro: %.*s has %zu bytes, not %zu", STR_ARG(t->name), t->size, bytes.n);
	if (t->kind == AVRO_BYTES)
		put_long(s->out, (int64_t)bytes.n);
	buf_add(s->out, buf_str(&bytes));
	return 0;
}

static void
put_text(struct sink *s, str text)
{
	put_long(s->out, (int64_t)text.n);
	buf_add(s->out, text);
}

static int
encode_enum(struct sink *s, const struct avro_type *t, const struct val *v)
{
	if (!val_is(v, VAL_STR))
		return unfit(s, t, v);
	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->members[i].name, val_text(v))) {
			put_long(s->out, (int64_t)i);
			return 0;
		}
	return err_set(s->e, ERR_INVALID, "avro: %.*s has no \"%.*s\"", STR_ARG(t->name), STR_ARG(str_slice(val_text(v), 0, 60)));
}

static int
encode_array(struct sink *s, const struct avro_type *t, const struct val *v)
{
	if (!val_is(v, VAL_LIST))
		return unfit(s, t, v);
	if (v->n)
		put_long(s->out, v->n);
	for (size_t i = 0; i < v->n; i++)
		if (encode(s, t->of, &v->items[i]) < 0)
			return -1;
	put_long(s->out, 0);
	return 0;
}

static int
encode_map(struct sink *s, const struct avro_type *t, const struct val *v)
{
	if (!val_is(v, VAL_MAP))
		return unfit(s, t, v);
	if (v->n)
		put_long(s->out, v->n);
	for (size_t i = 0; i < v->n; i++) {
		put_text(s, val_key(&v->members[i]));
		if (encode(s, t->of, &v->members[i].value) < 0)
			return -1;
	}
	put_long(s->out, 0);
	return 0;
}

static int
encode_record(struct sink *s, const struct avro_type *t, const struct val *v)
{
	if (!val_is(v, VAL_MAP))
		return unfit(s, t, v);
	for (size_t i = 0; i < t->n; i++) {
		const struct avro_member *m = &t->members[i];
		const struct val *value = val_get(v, m->name);
		if (!value)
			value = m->dflt;
		if (!value)
			return err_set(s->e, ERR_INVALID, "avro: %.*s: %.*s is missing, and has no default", STR_ARG(t->name), STR_ARG(m->name));
		if (encode(s, m->type, value) < 0)
			return -1;
	}
	return 0;
}

static int
encode_branch(struct sink *s, const struct avro_type *t, size_t i, const struct val *v)
{
	put_long(s->out, (int64_t)i);
	return encode(s, t->members[i].type, v);
}

/* {"string": "x"}, or "x" for the first that takes it. What a try has written is taken back. */
static int
encode_union(struct sink *s, const struct avro_type *t, const struct val *v)
{
	size_t n = s->out->n;
	unsigned depth = s->budget.depth;
	for (size_t i = 0; v->kind == VAL_MAP && v->n == 1 && i < t->n; i++)
		if (str_eq(val_key(&v->members[0]), t->members[i].name))
			return encode_branch(s, t, i, &v->members[0].value);
	for (size_t i = 0; i < t->n; i++) {
		if (encode_branch(s, t, i, v) == 0)
			return 0;
		if (s->e->code == ERR_LIMIT)
			return -1;
		s->out->n = n;
		s->budget.depth = depth;
	}
	return err_set(s->e, ERR_INVALID, "avro: %s is none of the types of its union", val_kind_name(v));
}

static int
encode_kind(struct sink *s, const struct avro_type *t, const struct val *v)
{
	switch (t->kind) {
	case AVRO_NULL: return v->kind == VAL_NULL ? 0 : unfit(s, t, v);
	case AVRO_BOOLEAN:
		buf_addc(s->out, v->kind == VAL_BOOL && v->b);
		return v->kind == VAL_BOOL ? 0 : unfit(s, t, v);
	case AVRO_INT:
	case AVRO_LONG: return encode_whole(s, t, v);
	case AVRO_FLOAT:
	case AVRO_DOUBLE: return encode_number(s, t, v);
	case AVRO_BYTES:
	case AVRO_FIXED: return encode_bytes(s, t, v);
	case AVRO_STRING:
		if (v->kind != VAL_STR)
			return unfit(s, t, v);
		put_text(s, val_text(v));
		return 0;
	case AVRO_ENUM: return encode_enum(s, t, v);
	case AVRO_ARRAY: return encode_array(s, t, v);
	case AVRO_MAP: return encode_map(s, t, v);
	case AVRO_RECORD: return encode_record(s, t, v);
	case AVRO_UNION: return encode_union(s, t, v);
	}
	return -1;
}

static int
encode(struct sink *s, const struct avro_type *t, const struct val *v)
{
	if (avro_enter(&s->budget, s->e) < 0 || encode_kind(s, t, v) < 0)
		return -1;
	avro_leave(&s->budget);
	return 0;
}

int
avro_encode(const struct avro_schema *schema, const struct val *v, struct buf *out, struct err *e)
{
	struct sink s = { out, { AVRO_VALUES_MAX, AVRO_DEPTH_MAX, out }, e };
	return encode(&s, schema->type, v);
}
