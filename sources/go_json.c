/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/go_json.h"

#include "core/json_bits.h"
#include "core/utf8.h"

/* ---- compacting ------------------------------------------------------------------------------------------------ */

enum { BLOCK = 64 };

/* A bit for each byte of the block that is `c`, the lowest for the first. */
static uint64_t
equal(const char *block, char c)
{
	uint64_t mask = 0;
#ifdef __SSE2__
	for (int i = 0; i < BLOCK; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(block + i));
		mask |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c))) << i;
	}
#else
	for (int i = 0; i < BLOCK; i++)
		mask |= (uint64_t)(block[i] == c) << i;
#endif
	return mask;
}

/* What one block leaves to the next. */
struct place {
	uint64_t escaped; /* 1: its first byte is */
	uint64_t inside;  /* all ones: it begins in a string */
};

/* The bytes that cannot stay: white space outside strings, <, > and &, and the first of a character that may be U+2028 or U+2029. */
static uint64_t
changes(struct place *at, const char *block)
{
	uint64_t quote = equal(block, '"') & ~json_escaped(equal(block, '\\'), &at->escaped);
	uint64_t inside = json_prefix_xor(quote) ^ at->inside;
	uint64_t space = equal(block, ' ') | equal(block, '\n') | equal(block, '\t') | equal(block, '\r');
	at->inside = 0 - (inside >> 63);
	return (space & ~inside) | equal(block, '<') | equal(block, '>') | equal(block, '&') | equal(block, '\xe2');
}

/* What stands for the byte at `i`; gives how many bytes that replaces, 0: it stays. */
static size_t
change(struct buf *b, str text, size_t i)
{
	unsigned char c = (unsigned char)text.p[i];
	if (c == '<' || c == '>' || c == '&') {
		buf_addf(b, "\\u%04x", c);
	} else if (c == 0xe2) {
		if (i + 2 >= text.n || (unsigned char)text.p[i + 1] != 0x80 || ((unsigned char)text.p[i + 2] & ~1) != 0xa8)
			return 0;
		buf_addf(b, "\\u202%x", (unsigned char)text.p[i + 2] & 0xf);
		return 3;
	}
	return 1;
}

void
go_json_compact(struct buf *b, str text)
{
	struct place at = { 0 };
	size_t from = 0; /* copied up to here */
	(void)buf_room(b, text.n);
	for (size_t start = 0; start < text.n; start += BLOCK) {
		char last[BLOCK] = { 0 };
		const char *block = text.p + start;
		if (text.n - start < BLOCK)
			block = memcpy(last, block, text.n - start);
		for (uint64_t rest = changes(&at, block); rest; rest &= rest - 1) {
			size_t i = start + (size_t)__builtin_ctzll(rest), n = b->n, gone;
			buf_add(b, str_slice(text, from, i));
			gone = change(b, text, i);
			if (gone)
				from = i + gone;
			else
				b->n = n; /* it goes with the bytes behind it */
		}
	}
	buf_add(b, str_slice(text, from, text.n));
}

/* ---- complaints ----------------------------------------------------------------------------------------------- */

enum { DEPTH_MAX = 10000 };

struct scan {
	str text;
	size_t at;
	const char *where; /* set: the byte at `at` is wrong there; NULL at the end of the text */
	bool failed, deep;
};

static int
look(const struct scan *s)
{
	return s->at < s->text.n ? (unsigned char)s->text.p[s->at] : -1;
}

static bool
wrong(struct scan *s, const char *where)
{
	if (!s->failed)
		s->where = where;
	s->failed = true;
	return false;
}

static void
skip_space(struct scan *s)
{
	while (look(s) == ' ' || look(s) == '\n' || look(s) == '\t' || look(s) == '\r')
		s->at++;
}

static bool
scan_string(struct scan *s)
{
	for (s->at++; look(s) != '"'; s->at++) {
		if (look(s) < ' ')
			return wrong(s, "in string literal");
		if (look(s) != '\\')
			continue;
		s->at++;
		if (look(s) == 'u') {
			for (int i = 0; i < 4; i++) {
				s->at++;
				if (look(s) < 0 || !strchr("0123456789abcdefABCDEF", look(s)) || !look(s))
					return wrong(s, "in \\u hexadecimal character escape");
			}
		} else if (look(s) <= 0 || !strchr("bfnrt\\/\"", look(s))) {
			return wrong(s, "in string escape code");
		}
	}
	s->at++;
	return true;
}

static bool
scan_digits(struct scan *s, const char *where)
{
	if (look(s) < '0' || look(s) > '9')
		return wrong(s, where);
	while (look(s) >= '0' && look(s) <= '9')
		s->at++;
	return true;
}

static bool
scan_number(struct scan *s)
{
	if (look(s) == '-')
		s->at++;
	if (look(s) == '0')
		s->at++;
	else if (!scan_digits(s, "in numeric literal"))
		return false;
	if (look(s) == '.') {
		s->at++;
		if (!scan_digits(s, "after decimal point in numeric literal"))
			return false;
	}
	if (look(s) == 'e' || look(s) == 'E') {
		s->at++;
		if (look(s) == '+' || look(s) == '-')
			s->at++;
		return scan_digits(s, "in exponent of numeric literal");
	}
	return true;
}

static bool
scan_literal(struct scan *s)
{
	static const struct {
		const char *word;
		const char *where[5];
	} literals[] = {
		{ "true", { "", "in literal true (expecting 'r')", "in literal true (expecting 'u')", "in literal true (expecting 'e')" } },
		{ "false", { "", "in literal false (expecting 'a')", "in literal false (expecting 'l')", "in literal false (expecting 's')",
		             "in literal false (expecting 'e')" } },
		{ "null", { "", "in literal null (expecting 'u')", "in literal null (expecting 'l')", "in literal null (expecting 'l')" } },
	};
	for (size_t i = 0; i < ARRAY_LEN(literals); i++) {
		if (look(s) != literals[i].word[0])
			continue;
		s->at++;
		for (size_t n = 1; literals[i].word[n]; n++, s->at++)
			if (look(s) != literals[i].word[n])
				return wrong(s, literals[i].where[n]);
		return true;
	}
	return wrong(s, "looking for beginning of value");
}

/*
 * One value, nested ones by a stack of brackets: '{' waits for a comma or the end of an object, '[' of a list.
 */
static bool
scan_value(struct scan *s, struct buf *open)
{
	for (;;) {
		skip_space(s);
		int c = look(s);
		if (c == '{' || c == '[') {
			if (open->n >= DEPTH_MAX) {
				s->deep = true;
				return wrong(s, "");
			}
			s->at++;
			skip_space(s);
			buf_addc(open, (char)c);
			if (look(s) == (c == '{' ? '}' : ']')) {
				s->at++;
				open->n--;
			} else {
				goto key;
			}
		} else if (c == '"' ? !scan_string(s) : c == '-' || (c >= '0' && c <= '9') ? !scan_number(s) : !scan_literal(s)) {
			return false;
		}
		for (;;) { /* behind a value */
			skip_space(s);
			if (open->n == 0)
				return look(s) < 0 || wrong(s, "after top-level value");
			bool object = open->p[open->n - 1] == '{';
			if (look(s) == ',')
				break;
			if (look(s) != (object ? '}' : ']'))
				return wrong(s, object ? "after object key:value pair" : "after array element");
			s->at++;
			open->n--;
		}
		s->at++;
	key:
		if (open->p[open->n - 1] != '{')
			continue;
		skip_space(s);
		if (look(s) != '"')
			return wrong(s, "looking for beginning of object key string");
		if (!scan_string(s))
			return false;
		skip_space(s);
		if (look(s) != ':')
			return wrong(s, "after object key");
		s->at++;
	}
}

/* The byte as Go quotes it: strconv.Quote of the rune of that number, in single quotes. */
static str
quote_byte(struct arena *a, unsigned char c)
{
	static const char *const named[] = { ['\a'] = "\\a", ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r",
		['\t'] = "\\t", ['\v'] = "\\v", ['\\'] = "\\\\", ['\''] = "\\'" };
	if (c < ARRAY_LEN(named) && named[c])
		return arena_fmt(a, "'%s'", named[c]);
	if (c < 0x20 || c == 0x7f)
		return arena_fmt(a, "'\\x%02x'", c);
	if (c >= 0x80 && (c <= 0xa0 || c == 0xad))
		return arena_fmt(a, "'\\u%04x'", c);
	return c < 0x80 ? arena_fmt(a, "'%c'", c) : arena_fmt(a, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
}

static bool
is_utf8(str text)
{
	for (size_t i = 0, n; i < text.n; i += n)
		if (!(n = utf8_len(text.p + i, text.n - i)))
			return false;
	return true;
}

str
go_json_error(struct arena *a, str text)
{
	struct scan s = { .text = text };
	struct buf open CLEANUP(free_buf) = { 0 };
	/* What Go takes and we do not: nesting beyond our limit, and bytes that are no UTF-8. */
	if (scan_value(&s, &open))
		return is_utf8(text) ? S("exceeded max depth") : S("invalid UTF-8");
	if (s.deep)
		return S("exceeded max depth");
	if (s.at >= text.n)
		return S("unexpected end of JSON input");
	return arena_fmt(a, "invalid character %.*s %s", STR_ARG(quote_byte(a, (unsigned char)text.p[s.at])), s.where);
}
