/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes to JSON, written as goavro writes it: escapes for all that is not ASCII, numbers as strconv has them with 'g'. */
#include <math.h>

#include "core/avro_impl.h"
#include "core/lang/gofmt.h"
#include "core/utf8.h"

struct source {
	str rest;
	struct buf *out;
	struct avro_budget budget;
	struct err *e;
};

static int decode(struct source *s, const struct avro_type *t);

static int
ends(struct source *s)
{
	return err_set(s->e, ERR_INVALID, "avro: it ends before its value does");
}

/* ---- bytes ---------------------------------------------------------------------------------------------------------- */

static int
take(struct source *s, size_t n, str *out)
{
	if (n > s->rest.n)
		return ends(s);
	*out = str_slice(s->rest, 0, n);
	s->rest = str_slice(s->rest, n, s->rest.n);
	return 0;
}

/* Seven bits a byte, the lowest first; the sign is the last bit. */
static int
take_long(struct source *s, int64_t *out)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < 10; i++) {
		str byte;
		if (take(s, 1, &byte) < 0)
			return -1;
		uint64_t bits = (unsigned char)byte.p[0];
		if (i == 9 && bits > 1)
			break;
		n |= (bits & 0x7F) << (7 * i);
		if (bits < 0x80) {
			*out = (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
			return 0;
		}
	}
	return err_set(s->e, ERR_INVALID, "avro: a number of more than 64 bits");
}

static int
take_sized(struct source *s, str *out)
{
	int64_t n;
	if (take_long(s, &n) < 0)
		return -1;
	if (n < 0)
		return err_set(s->e, ERR_INVALID, "avro: a length below zero");
	return take(s, (uint64_t)n > s->rest.n ? SIZE_MAX : (size_t)n, out);
}

static uint64_t
little_endian(str bytes)
{
	uint64_t n = 0;
	for (size_t i = bytes.n; i-- > 0;)
		n = n << 8 | (unsigned char)bytes.p[i];
	return n;
}

/* ---- JSON ----------------------------------------------------------------------------------------------------------- */

static void
put_unit(struct buf *b, uint32_t unit)
{
	static const char special[] = "\"\\/\b\f\n\r\t", letters[] = "\"\\/bfnrt";
	const char *at = unit && unit < 0x80 ? strchr(special, (int)unit) : NULL;
	if (at)
		buf_addf(b, "\\%c", letters[at - special]);
	else if (unit >= ' ' && unit < 0x7F)
		buf_addc(b, (char)unit);
	else
		buf_addf(b, "\\u%04X", unit);
}

static int
put_quoted(struct source *s, str text, bool characters)
{
	buf_addc(s->out, '"');
	for (size_t i = 0; i < text.n;) {
		unsigned len = 1;
		uint32_t c = characters ? utf8_get(text.p + i, text.n - i, &len) : (unsigned char)text.p[i];
		if (c > 0xFFFF)
			put_unit(s->out, 0xD800 + ((c - 0x10000) >> 10));
		put_unit(s->out, c > 0xFFFF ? 0xDC00 + ((c - 0x10000) & 0x3FF) : c);
		i += len;
		if (s->out->n > AVRO_BYTES_MAX)
			return err_set(s->e, ERR_LIMIT, "avro: larger than %d bytes as JSON", AVRO_BYTES_MAX);
	}
	buf_addc(s->out, '"');
	return 0;
}

static void
put_number(struct buf *b, double f)
{
	if (isnan(f))
		buf_add(b, S("null"));
	else if (isinf(f))
		buf_add(b, f < 0 ? S("-1e999") : S("1e999"));
	else
		go_format_float(b, f, 'g', -1);
}

/* The double with the shortest text that is read back as this float. */
static double
shortest(float f)
{
	char text[32];
	for (int digits = 1; isfinite(f) && digits < 9; digits++) {
		snprintf(text, sizeof text, "%.*e", digits - 1, (double)f);
		if (strtof(text, NULL) == f)
			return strtod(text, NULL);
	}
	snprintf(text, sizeof text, "%.8e", (double)f);
	return isfinite(f) ? strtod(text, NULL) : (double)f;
}

/* ---- values --------------------------------------------------------------------------------------------------------- */

static int
decode_boolean(struct source *s)
{
	str byte;
	if (take(s, 1, &byte) < 0)
		return -1;
	if ((unsigned char)byte.p[0] > 1)
		return err_set(s->e, ERR_INVALID, "avro: a boolean that is neither 0 nor 1");
	buf_add(s->out, byte.p[0] ? S("true") : S("false"));
	return 0;
}

static int
decode_whole(struct source *s, enum avro_kind kind)
{
	int64_t n;
	if (take_long(s, &n) < 0)
		return -1;
	if (kind == AVRO_INT && (n < INT32_MIN || n > INT32_MAX))
		return err_set(s->e, ERR_INVALID, "avro: an int of more than 32 bits");
	buf_addf(s->out, "%lld", (long long)n);
	return 0;
}

static int
decode_number(struct source *s, enum avro_kind kind)
{
	str bytes;
	if (take(s, kind == AVRO_FLOAT ? 4 : 8, &bytes) < 0)
		return -1;
	uint64_t bits = little_endian(bytes);
	uint32_t low = (uint32_t)bits;
	double d;
	float f;
	memcpy(&d, &bits, sizeof d);
	memcpy(&f, &low, sizeof f);
	put_number(s->out, kind == AVRO_FLOAT ? shortest(f) : d);
	return 0;
}

static int
decode_text(struct source *s, const struct avro_type *t)
{
	str text;
	if (t->kind == AVRO_FIXED ? take(s, t->size, &text) < 0 : take_sized(s, &text) < 0)
		return -1;
	return put_quoted(s, text, t->kind == AVRO_STRING);
}

/* One of the members, by its number. */
static int
take_member(struct source *s, const struct avro_type *t, const struct avro_member **out)
{
	int64_t n;
	if (take_long(s, &n) < 0)
		return -1;
	if (n < 0 || (uint64_t)n >= t->n)
		return err_set(s->e, ERR_INVALID, "avro: %.*s has no number %lld", STR_ARG(t->name), (long long)n);
	*out = &t->members[n];
	return 0;
}

static int
decode_enum(struct source *s, const struct avro_type *t)
{
	const struct avro_member *m;
	return take_member(s, t, &m) < 0 ? -1 : put_quoted(s, m->name, true);
}

static int
decode_union(struct source *s, const struct avro_type *t)
{
	const struct avro_member *m;
	if (take_member(s, t, &m) < 0)
		return -1;
	if (m->type->kind == AVRO_NULL)
		return decode(s, m->type);
	buf_addf(s->out, "{\"%.*s\":", STR_ARG(m->name));
	if (decode(s, m->type) < 0)
		return -1;
	buf_addc(s->out, '}');
	return 0;
}

static int
decode_record(struct source *s, const struct avro_type *t)
{
	buf_addc(s->out, '{');
	for (size_t i = 0; i < t->n; i++) {
		buf_addf(s->out, "%s\"%.*s\":", i ? "," : "", STR_ARG(t->members[i].name));
		if (decode(s, t->members[i].type) < 0)
			return -1;
	}
	buf_addc(s->out, '}');
	return 0;
}

static int
decode_item(struct source *s, const struct avro_type *t)
{
	str key;
	if (t->kind == AVRO_MAP) {
		if (take_sized(s, &key) < 0 || put_quoted(s, key, true) < 0)
			return -1;
		buf_addc(s->out, ':');
	}
	return decode(s, t->of);
}

/* A number of items, below zero followed by how many bytes they take, which nobody needs here. */
static int
take_count(struct source *s, uint64_t *out)
{
	int64_t n, bytes;
	if (take_long(s, &n) < 0 || (n < 0 && take_long(s, &bytes) < 0))
		return -1;
	*out = n < 0 ? -(uint64_t)n : (uint64_t)n;
	return 0;
}

/* Blocks of items, ended by one without. */
static int
decode_series(struct source *s, const struct avro_type *t)
{
	uint64_t n;
	bool first = true;
	buf_addc(s->out, t->kind == AVRO_MAP ? '{' : '[');
	do {
		if (take_count(s, &n) < 0)
			return -1;
		for (uint64_t i = 0; i < n; i++, first = false) {
			if (!first)
				buf_addc(s->out, ',');
			if (decode_item(s, t) < 0)
				return -1;
		}
	} while (n);
	buf_addc(s->out, t->kind == AVRO_MAP ? '}' : ']');
	return 0;
}

static int
decode_kind(struct source *s, const struct avro_type *t)
{
	switch (t->kind) {
	case AVRO_NULL: buf_add(s->out, S("null")); return 0;
	case AVRO_BOOLEAN: return decode_boolean(s);
	case AVRO_INT:
	case AVRO_LONG: return decode_whole(s, t->kind);
	case AVRO_FLOAT:
	case AVRO_DOUBLE: return decode_number(s, t->kind);
	case AVRO_BYTES:
	case AVRO_STRING:
	case AVRO_FIXED: return decode_text(s, t);
	case AVRO_ENUM: return decode_enum(s, t);
	case AVRO_ARRAY:
	case AVRO_MAP: return decode_series(s, t);
	case AVRO_RECORD: return decode_record(s, t);
	case AVRO_UNION: return decode_union(s, t);
	}
	return -1;
}

static int
decode(struct source *s, const struct avro_type *t)
{
	if (avro_enter(&s->budget, s->e) < 0 || decode_kind(s, t) < 0)
		return -1;
	avro_leave(&s->budget);
	return 0;
}

int
avro_decode(const struct avro_schema *schema, str bytes, struct buf *out, struct err *e)
{
	struct source s = { bytes, out, { AVRO_VALUES_MAX, AVRO_DEPTH_MAX, out }, e };
	return decode(&s, schema->type);
}
