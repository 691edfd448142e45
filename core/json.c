/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: RFC 8259, read and written.
 *
 * The reader goes over the text once. It keeps finished values on one stack; when a list or map ends, its part of the
 * stack is copied to the arena, so a container costs one allocation whatever its size. Strings are scanned sixteen
 * bytes (SSE2) or eight at a time for what is not plain ASCII; a string without escapes is not copied.
 *
 * As Go's encoding/json: a duplicate member is kept (the last one counts), an unpaired surrogate escape becomes U+FFFD.
 * Unlike it: raw bytes that are not UTF-8 are refused.
 */
#include "core/val.h"

#include <math.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/json_valid.h"
#include "core/utf8.h"

#define INLINE_STACK 128

struct reader {
	const char *p, *end, *start;
	const char *line_start;
	uint32_t line;
	uint32_t depth, nodes; /* how many more */
	struct arena *arena;   /* NULL: only look whether it is valid */
	struct val *stack;
	size_t n, cap;
	struct err *err;
	struct val inline_stack[INLINE_STACK];
};

static int read_value(struct reader *r, struct val *out);

static uint32_t
column(const struct reader *r, const char *at)
{
	return (uint32_t)(at - r->line_start) + 1;
}

static int __attribute__((format(printf, 4, 5)))
fail(struct reader *r, const char *at, enum err_code code, const char *fmt, ...)
{
	if (!r->err)
		return -1;
	char msg[200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	return err_set(r->err, code, "%u:%u: %s", r->line, column(r, at), msg);
}

/* What stands at `at`, for messages. */
static int
fail_expected(struct reader *r, const char *at, const char *expected)
{
	if (at >= r->end)
		return fail(r, at, ERR_INVALID, "the text ends where %s should be", expected);
	unsigned char c = (unsigned char)*at;
	if (c < 0x20 || c >= 0x7f)
		return fail(r, at, ERR_INVALID, "byte 0x%02x where %s should be", c, expected);
	return fail(r, at, ERR_INVALID, "'%c' where %s should be", c, expected);
}

static inline void
skip_space(struct reader *r)
{
	while (r->p < r->end) {
		char c = *r->p;
		if (c == '\n') {
			r->line++;
			r->line_start = r->p + 1;
		} else if (c != ' ' && c != '\t' && c != '\r') {
			return;
		}
		r->p++;
	}
}

static inline void
push(struct reader *r, const struct val *v)
{
	if (r->n == r->cap) {
		struct val *bigger = mem_realloc(r->stack == r->inline_stack ? NULL : r->stack, r->cap * 2,
			sizeof *r->stack);
		if (r->stack == r->inline_stack)
			memcpy(bigger, r->stack, r->n * sizeof *r->stack);
		r->stack = bigger;
		r->cap *= 2;
	}
	r->stack[r->n++] = *v;
}

/* ---- strings ------------------------------------------------------------------------------------------------ */

/* The first byte from `p` that needs a look: quote, backslash, '{', control character or not ASCII. */
static inline const char *
scan(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), brace = _mm_set1_epi8('{'),
	              space = _mm_set1_epi8(0x20);
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* signed: bytes from 0x80 on are below a space too */
		__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
			_mm_or_si128(_mm_cmpeq_epi8(v, brace), _mm_cmplt_epi8(v, space)));
		int mask = _mm_movemask_epi8(hit);
		if (mask)
			return p + __builtin_ctz((unsigned)mask);
	}
#else
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
#define HAS_ZERO(x) (((x) - ones) & ~(x) & highs)
	for (; end - p >= 8; p += 8) {
		uint64_t v;
		memcpy(&v, p, 8);
		if ((v & highs) || HAS_ZERO(v ^ ones * '"') || HAS_ZERO(v ^ ones * '\\') || HAS_ZERO(v ^ ones * '{') ||
		    ((v - ones * 0x20) & ~v & highs))
			break;
	}
#undef HAS_ZERO
#endif
	while (p < end && *p != '"' && *p != '\\' && *p != '{' && (signed char)*p >= 0x20)
		p++;
	return p;
}

static int
hex4(const char *p, const char *end)
{
	int v = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int c = p[i] | 0x20;
		int digit = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/* Checks the escape at `p` (a backslash); returns its length, 0 if there is no such escape. */
static unsigned
escape_len(const char *p, const char *end)
{
	if (end - p < 2 || !p[1])
		return 0;
	if (p[1] == 'u')
		return hex4(p + 2, end) < 0 ? 0 : 6;
	return strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
}

/* Decodes checked text with escapes. */
static struct val
unescape(struct arena *a, const char *p, const char *end)
{
	char *text = arena_alloc(a, (size_t)(end - p) + 1, 1), *to = text;
	while (p < end) {
		const char *stop = memchr(p, '\\', (size_t)(end - p));
		if (!stop)
			stop = end;
		memcpy(to, p, (size_t)(stop - p));
		to += stop - p;
		p = stop;
		if (p == end)
			break;
		if (p[1] != 'u') {
			static const char from[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
			*to++ = means[strchr(from, p[1]) - from];
			p += 2;
			continue;
		}
		unsigned c = (unsigned)hex4(p + 2, end);
		p += 6;
		if (c >= 0xd800 && c < 0xe000) {
			int low = c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, end) : -1;
			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) + ((unsigned)low - 0xdc00);
				p += 6;
			} else {
				c = 0xfffd;
			}
		}
		to = utf8_put(to, c);
	}
	return val_str((str){ text, (size_t)(to - text) });
}

/* At a quote. */
static int
read_string(struct reader *r, struct val *out)
{
	const char *start = ++r->p, *p = start;
	bool escaped = false;
	uint8_t flags = 0;
	for (;;) {
		p = scan(p, r->end);
		if (p >= r->end)
			return fail(r, start - 1, ERR_INVALID, "the string that starts here is never closed");
		if (*p == '"')
			break;
		unsigned len = 1;
		if (*p == '{') {
			if (r->end - p > 1 && p[1] == '{')
				flags = VAL_TAGGED;
		} else if (*p == '\\') {
			escaped = true;
			len = escape_len(p, r->end);
			if (!len)
				return fail(r, p, ERR_INVALID, "no such escape; write \\\\ for a backslash");
		} else if ((unsigned char)*p < 0x20) {
			return fail(r, p, ERR_INVALID, "control character 0x%02x in a string; write \\u%04x", *p, *p);
		} else {
			len = utf8_len(p, (size_t)(r->end - p));
			if (!len)
				return fail(r, p, ERR_INVALID, "byte 0x%02x is not UTF-8", (unsigned char)*p);
		}
		p += len;
	}
	r->p = p + 1;
	if (!escaped || !r->arena) {
		out->kind = VAL_STR;
		out->flags = flags;
		out->p = start;
		out->n = (uint32_t)(p - start);
	} else {
		struct val v = unescape(r->arena, start, p);
		out->kind = VAL_STR;
		out->flags = v.flags;
		out->p = v.p;
		out->n = v.n;
	}
	return 0;
}

/* ---- numbers, words, containers ------------------------------------------------------------------------------ */

static const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && (unsigned char)(*p - '0') <= 9)
		p++;
	return p;
}

static int
read_number(struct reader *r, struct val *out)
{
	const char *start = r->p, *p = start + (*start == '-');
	const char *whole = skip_digits(p, r->end);
	if (whole == p)
		return fail_expected(r, p, "a digit");
	if (*p == '0' && whole > p + 1)
		return fail(r, p, ERR_INVALID, "a number must not start with 0");
	p = whole;
	if (p < r->end && *p == '.') {
		const char *frac = skip_digits(++p, r->end);
		if (frac == p)
			return fail_expected(r, p, "a digit");
		p = frac;
	}
	if (p < r->end && (*p | 0x20) == 'e') {
		p++;
		p += p < r->end && (*p == '+' || *p == '-');
		const char *exp = skip_digits(p, r->end);
		if (exp == p)
			return fail_expected(r, p, "a digit");
		p = exp;
	}
	out->kind = VAL_NUM;
	out->p = start;
	out->n = (uint32_t)(p - start);
	r->p = p;
	return 0;
}

static int
read_word(struct reader *r, str word, struct val *out)
{
	if ((size_t)(r->end - r->p) < word.n || memcmp(r->p, word.p, word.n) != 0)
		return fail(r, r->p, ERR_INVALID, "not a value; did you mean %s?", word.p);
	out->kind = *word.p == 'n' ? VAL_NULL : VAL_BOOL;
	out->b = *word.p == 't';
	r->p += word.n;
	return 0;
}

/* Moves the values from `base` on to the arena. */
static const struct val *
take(struct reader *r, size_t base, uint8_t *flags)
{
	size_t n = r->n - base;
	struct val *to = ARENA_ARRAY(r->arena, struct val, n);
	for (size_t i = 0; i < n; i++) {
		to[i] = r->stack[base + i];
		*flags |= to[i].flags & VAL_TAGGED;
	}
	r->n = base;
	return to;
}

static int
read_member_key(struct reader *r)
{
	if (r->p >= r->end || *r->p != '"')
		return fail_expected(r, r->p, "a member's name in double quotes");
	struct val key = { .line = r->line, .col = (uint16_t)(column(r, r->p) < 65535 ? column(r, r->p) : 65535) };
	if (read_string(r, &key))
		return -1;
	skip_space(r);
	if (r->p >= r->end || *r->p != ':')
		return fail_expected(r, r->p, "':'");
	r->p++;
	skip_space(r);
	if (r->arena)
		push(r, &key);
	return 0;
}

/* At the opening bracket. */
static int
read_container(struct reader *r, struct val *out)
{
	bool map = *r->p == '{';
	char close = map ? '}' : ']';
	size_t base = r->n;
	uint32_t count = 0;
	if (!r->depth)
		return fail(r, r->p, ERR_LIMIT, "nested too deep");
	r->depth--;
	r->p++;
	skip_space(r);
	while (r->p >= r->end || *r->p != close) {
		struct val v;
		if (map && read_member_key(r))
			return -1;
		if (read_value(r, &v))
			return -1;
		if (r->arena)
			push(r, &v);
		count++;
		skip_space(r);
		if (r->p < r->end && *r->p == close)
			break;
		if (r->p >= r->end || *r->p != ',')
			return fail_expected(r, r->p, map ? "',' or '}'" : "',' or ']'");
		r->p++;
		skip_space(r);
		if (r->p < r->end && *r->p == close)
			return fail(r, r->p, ERR_INVALID, "a comma before '%c'; remove it", close);
	}
	r->p++;
	r->depth++;
	out->kind = map ? VAL_MAP : VAL_LIST;
	out->n = count;
	if (r->arena) /* a member is two values side by side, the key and the value */
		out->items = take(r, base, &out->flags);
	return 0;
}
_Static_assert(sizeof(struct member) == 2 * sizeof(struct val), "a member is read as two values");

static int
read_value(struct reader *r, struct val *out)
{
	uint32_t col = column(r, r->p);
	*out = (struct val){ .line = r->line, .col = (uint16_t)(col < 65535 ? col : 65535) };
	if (!r->nodes--)
		return fail(r, r->p, ERR_LIMIT, "too many values");
	if (r->p >= r->end)
		return fail_expected(r, r->p, "a value");
	switch (*r->p) {
	case '"':
		return read_string(r, out);
	case '{':
	case '[':
		return read_container(r, out);
	case 't':
		return read_word(r, S("true"), out);
	case 'f':
		return read_word(r, S("false"), out);
	case 'n':
		return read_word(r, S("null"), out);
	case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
		return read_number(r, out);
	default:
		return fail_expected(r, r->p, "a value");
	}
}

static int
read_text(struct arena *a, str text, const struct val_limits *lim, struct val *out, struct err *e)
{
	struct reader r;
	size_t bytes = lim && lim->bytes ? lim->bytes : JSON_BYTES_MAX;
	r.start = r.p = r.line_start = text.p ? text.p : "";
	r.end = r.p + text.n;
	r.line = 1;
	r.depth = lim && lim->depth ? lim->depth : JSON_DEPTH_MAX;
	r.nodes = lim && lim->nodes ? lim->nodes : JSON_VALUES_MAX;
	r.arena = a;
	r.stack = r.inline_stack;
	r.n = 0;
	r.cap = INLINE_STACK;
	r.err = e;
	if (text.n > bytes || text.n > UINT32_MAX)
		return fail(&r, r.p, ERR_LIMIT, "%zu bytes: more than %zu are not accepted", text.n, bytes);
	skip_space(&r);
	struct val v;
	int rc = read_value(&r, &v);
	if (rc == 0) {
		skip_space(&r);
		if (r.p < r.end)
			rc = fail_expected(&r, r.p, "the end of the text");
	}
	if (r.stack != r.inline_stack)
		free(r.stack);
	if (rc == 0 && out)
		*out = v;
	return rc;
}

int
json_read(struct arena *a, str text, struct val *out, struct err *e)
{
	return read_text(a, text, NULL, out, e);
}

int
json_read_limited(struct arena *a, str text, const struct val_limits *lim, struct val *out, struct err *e)
{
	return read_text(a, text, lim, out, e);
}

bool
json_valid_plain(str text)
{
	return read_text(NULL, text, NULL, NULL, NULL) == 0;
}

/* ---- write -------------------------------------------------------------------------------------------------- */

/*
 * Go's encoding/json, floatEncoder: the shortest digits that read back as the same number; exponent form below 1e-6 and
 * from 1e21 on, without a leading zero in the exponent.
 */
void
json_float(struct buf *b, double f)
{
	if (!isfinite(f)) {
		buf_add(b, S("null"));
		return;
	}
	double size = fabs(f);
	char text[64];
	/* 15 digits always survive a double, so what reads back at 15 is shortest once its zeros are cut; not so below
	 * the smallest normal number. */
	int precision = size != 0 && size < 2.3e-308 ? 1 : 15;
	for (; precision < 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision - 1, f);
		if (strtod(text, NULL) == f)
			break;
	}
	snprintf(text, sizeof text, "%.*e", precision - 1, f);
	char *e = strchr(text, 'e');
	int exponent = (int)strtol(e + 1, NULL, 10);
	/* the digits alone, trailing zeros cut */
	char digits[32];
	int n = 0;
	for (const char *p = text; p < e; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (signbit(f))
		buf_addc(b, '-');
	if (size != 0 && (size < 1e-6 || size >= 1e21)) {
		buf_addc(b, digits[0]);
		if (n > 1)
			buf_addf(b, ".%.*s", n - 1, digits + 1);
		buf_addf(b, "e%c%d", exponent < 0 ? '-' : '+', abs(exponent));
		return;
	}
	if (exponent < 0) {
		buf_add(b, S("0."));
		for (int i = -1; i > exponent; i--)
			buf_addc(b, '0');
		buf_add(b, (str){ digits, (size_t)n });
		return;
	}
	for (int i = 0; i <= exponent; i++)
		buf_addc(b, i < n ? digits[i] : '0');
	if (n > exponent + 1)
		buf_addf(b, ".%.*s", n - exponent - 1, digits + exponent + 1);
}

/* The first byte that cannot stand for itself between quotes. */
static const char *
scan_plain(const char *p, const char *end, unsigned opts)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
	/* '<' and '>' differ in one bit. */
	const __m128i less = _mm_set1_epi8('<'), two = _mm_set1_epi8(2), and = _mm_set1_epi8('&'), html = _mm_set1_epi8(opts & JSON_HTML ? -1 : 0);
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
			_mm_cmplt_epi8(v, space));
		__m128i tag = _mm_or_si128(_mm_cmpeq_epi8(_mm_andnot_si128(two, v), less), _mm_cmpeq_epi8(v, and));
		hit = _mm_or_si128(hit, _mm_and_si128(tag, html));
		int mask = _mm_movemask_epi8(hit);
		if (mask)
			return p + __builtin_ctz((unsigned)mask);
	}
#endif
	for (; p < end; p++) {
		if (*p == '"' || *p == '\\' || (signed char)*p < 0x20)
			break;
		if ((opts & JSON_HTML) && (*p == '<' || *p == '>' || *p == '&'))
			break;
	}
	return p;
}

void
json_quote(struct buf *b, str s, unsigned opts)
{
	const char *p = s.p ? s.p : "", *end = p + s.n;
	buf_addc(b, '"');
	for (;;) {
		const char *stop = scan_plain(p, end, opts);
		buf_add(b, (str){ p, (size_t)(stop - p) });
		if (stop == end)
			break;
		unsigned char c = (unsigned char)*stop;
		p = stop + 1;
		if (c >= 0x80) {
			unsigned len = utf8_len(stop, (size_t)(end - stop));
			/* U+2028 and U+2029 are written as escapes, as Go does: they end a line in JavaScript */
			if (!len)
				buf_add(b, S("\\ufffd"));
			else if (len == 3 && memcmp(stop, "\xe2\x80", 2) == 0 &&
				((unsigned char)stop[2] & 0xfe) == 0xa8)
				buf_addf(b, "\\u202%c", (unsigned char)stop[2] == 0xa8 ? '8' : '9');
			else
				buf_add(b, (str){ stop, len });
			p = stop + (len ? len : 1);
			continue;
		}
		static const char from[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
		const char *known = c ? strchr(from, c) : NULL;
		if (known)
			buf_add(b, (str){ (char[]){ '\\', names[known - from] }, 2 });
		else
			buf_addf(b, "\\u%04x", c);
	}
	buf_addc(b, '"');
}

static int
by_key(const void *a, const void *b)
{
	const struct member *const *x = a, *const *y = b;
	int order = str_cmp(val_key(*x), val_key(*y));
	return order ? order : (*x > *y) - (*x < *y); /* of two with one name the last one counts: keep their order */
}

static void
newline(struct buf *b, unsigned opts, unsigned level)
{
	if (!(opts & JSON_INDENT))
		return;
	buf_addc(b, '\n');
	for (unsigned i = 0; i < level; i++)
		buf_add(b, S("  "));
}

static void write_value(struct buf *b, const struct val *v, unsigned opts, unsigned level);

static void
write_member(struct buf *b, const struct member *m, bool first, unsigned opts, unsigned level)
{
	if (!first)
		buf_addc(b, ',');
	newline(b, opts, level);
	json_quote(b, val_key(m), opts);
	buf_add(b, opts & JSON_INDENT ? S(": ") : S(":"));
	write_value(b, &m->value, opts, level);
}

static void
write_map(struct buf *b, const struct val *v, unsigned opts, unsigned level)
{
	buf_addc(b, '{');
	if (opts & JSON_SORT) {
		const struct member **sorted = mem_alloc((v->n + 1) * sizeof *sorted);
		for (uint32_t i = 0; i < v->n; i++)
			sorted[i] = &v->members[i];
		qsort(sorted, v->n, sizeof *sorted, by_key);
		for (uint32_t i = 0; i < v->n; i++)
			write_member(b, sorted[i], i == 0, opts, level + 1);
		free(sorted);
	} else {
		for (uint32_t i = 0; i < v->n; i++)
			write_member(b, &v->members[i], i == 0, opts, level + 1);
	}
	if (v->n)
		newline(b, opts, level);
	buf_addc(b, '}');
}

static void
write_list(struct buf *b, const struct val *v, unsigned opts, unsigned level)
{
	buf_addc(b, '[');
	for (uint32_t i = 0; i < v->n; i++) {
		if (i)
			buf_addc(b, ',');
		newline(b, opts, level + 1);
		write_value(b, &v->items[i], opts, level + 1);
	}
	if (v->n)
		newline(b, opts, level);
	buf_addc(b, ']');
}

static void
write_value(struct buf *b, const struct val *v, unsigned opts, unsigned level)
{
	struct val r = val_resolve(v);
	switch (r.kind) {
	case VAL_NULL:
		buf_add(b, S("null"));
		break;
	case VAL_BOOL:
		buf_add(b, r.b ? S("true") : S("false"));
		break;
	case VAL_INT:
		buf_addf(b, "%lld", (long long)r.i);
		break;
	case VAL_FLOAT:
		json_float(b, r.f);
		break;
	case VAL_NUM:
		buf_add(b, val_text(&r));
		break;
	case VAL_STR:
		json_quote(b, val_text(&r), opts);
		break;
	case VAL_LIST:
		write_list(b, &r, opts, level);
		break;
	case VAL_MAP:
		write_map(b, &r, opts, level);
		break;
	}
}

void
json_write_opts(struct buf *b, const struct val *v, unsigned opts)
{
	write_value(b, v, opts, 0);
}

void
json_write_buf(struct buf *b, const struct val *v)
{
	write_value(b, v, 0, 0);
}

str
json_write(struct arena *a, const struct val *v)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	write_value(&b, v, 0, 0);
	return arena_dup(a, buf_str(&b));
}
