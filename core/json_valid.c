/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text is looked at in blocks of 64 bytes, and no byte is looked at by itself but those of numbers, words and \u escapes.
 *
 * 1. A block becomes a mask for each kind of byte, and arithmetic says which lie in strings (core/json_bits.h).
 * 2. What is left, the tokens, is packed, a byte for each that says its class: neighbours are neighbours however far apart they stood.
 * 3. Sixty-four tokens at a time become masks again. What may follow what is then a few operations for all of them, and so is what depends
 *    on the container: a value has a type before it (object behind a colon, else list) and one behind it (object before '}' or a comma
 *    that a key and a colon follow, else list), which are the same for a number, a word or a string that is not a key.
 * 4. For a container, the type before its opening bracket is the one behind its closing bracket: two bits are left of each bracket, open or
 *    close and that type. Sixty-four of them at a time go over a stack that is one word. That the kinds of brackets match follows from this:
 *    what is in a container takes over the type of what opened it, member by member, up to what closes it.
 *
 * What is nested deeper than that word, the reader decides. So does it on processors without these instructions, or where pext is slow.
 * UTF-8 is checked where there is any, by the method of "Validating UTF-8 In Less Than One Instruction Per Byte" (Keiser, Lemire 2020).
 */
#include "core/json_valid.h"

#include "core/json_bits.h"
#include "core/val.h"

#if defined(__x86_64__)

#define WAY_AVX2 "avx2,bmi,bmi2,popcnt,lzcnt,pclmul"
#define WAY_AVX512 WAY_AVX2 ",avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2"
#define INLINE(way) __attribute__((target(way), always_inline)) static inline

/* ---- bytes, by instruction set ---------------------------------------------------------------------------------- */

/* The class of a byte, and of a token, which is its first byte. A token without a bit is a number or a word. */
enum {
	OPEN = 1 << 0, CLOSE = 1 << 1, BRACE = 1 << 2, COMMA = 1 << 3, COLON = 1 << 4, STRING = 1 << 5,
	OPERATOR = OPEN | CLOSE | COMMA | COLON,
	BREAK = 1 << 7, /* no number or word goes on here: one of those above, or white space */
};

/* The kinds of bytes in a block. */
struct kinds {
	uint64_t quote, backslash;
	uint64_t operator, plain; /* plain: without BREAK; of bytes that are not ASCII both may say anything */
	uint64_t simple;          /* what may stand behind a backslash, but for 'u' */
	uint64_t control;         /* below a space */
	uint64_t high;            /* not ASCII */
};

/* Sixty-four tokens. */
struct tokens {
	uint64_t open, close, brace, comma, colon, string, plain;
};

#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)
/* A row that is zero matches no byte, since a byte is looked up in the row of its own lower half. */
#define SPACES ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0

/* A byte that is ASCII has the bits that the table of its lower half and that of its upper half have both. */
INLINE(WAY_AVX2) __m256i
both_halves(__m256i v, __m256i lower, __m256i upper)
{
	__m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0f));
	return _mm256_and_si256(_mm256_shuffle_epi8(lower, v), _mm256_shuffle_epi8(upper, high));
}

INLINE(WAY_AVX2) __m256i
classes_avx2(__m256i v)
{
	const __m256i lower = TWICE(0, 0, STRING, 0, 0, 0, 0, 0, 0, 0, COLON, OPEN | BRACE, COMMA, CLOSE | BRACE, 0, 0);
	const __m256i upper = TWICE(0, 0, STRING | COMMA, COLON, 0, OPEN | CLOSE, 0, OPEN | CLOSE | BRACE, 0, 0, 0, 0, 0, 0, 0, 0);
	__m256i class = both_halves(v, lower, upper), space = _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(TWICE(SPACES), v));
	__m256i breaks = _mm256_or_si256(_mm256_cmpgt_epi8(class, _mm256_setzero_si256()), space);
	return _mm256_or_si256(class, _mm256_and_si256(breaks, _mm256_set1_epi8((char)BREAK)));
}

#define MASK(x) ((uint64_t)(uint32_t)_mm256_movemask_epi8(x) << i)
#define EQUAL(x, c) MASK(_mm256_cmpeq_epi8(x, _mm256_set1_epi8(c)))
#define BIT(x, bit) MASK(_mm256_slli_epi16(x, 7 - __builtin_ctz(bit)))

INLINE(WAY_AVX2) struct kinds
classify_avx2(const char *p)
{
	/* A bit for each upper half in which there are such bytes: '"' and '/', '\\', "bfn", "rt". */
	const __m256i lower = TWICE(0, 0, 1 | 4 | 8, 0, 8, 0, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1), upper = TWICE(0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0);
	struct kinds k = { 0 };
	for (unsigned i = 0; i < 64; i += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i)), class = classes_avx2(v);
		k.quote |= EQUAL(v, '"');
		k.backslash |= EQUAL(v, '\\');
		k.operator |= MASK(_mm256_cmpgt_epi8(_mm256_and_si256(class, _mm256_set1_epi8(OPERATOR)), _mm256_setzero_si256()));
		k.plain |= (uint64_t)(uint32_t)~_mm256_movemask_epi8(class) << i;
		k.simple |= MASK(_mm256_cmpgt_epi8(both_halves(v, lower, upper), _mm256_setzero_si256()));
		k.control |= EQUAL(_mm256_max_epu8(v, _mm256_set1_epi8(0x1f)), 0x1f);
		k.high |= MASK(v);
	}
	return k;
}

/* The classes of the bytes at p that have a bit in `token`, one behind the other; up to 64 bytes behind `to` are written. */
INLINE(WAY_AVX2) void
pack_avx2(unsigned char *to, const char *p, uint64_t token)
{
	uint64_t eight[8];
	for (unsigned i = 0; i < 2; i++)
		_mm256_storeu_si256((__m256i *)(void *)(eight + 4 * i), classes_avx2(_mm256_loadu_si256((const __m256i *)(const void *)(p + 32 * i))));
	for (unsigned i = 0; i < 8; i++, token >>= 8) {
		uint64_t ones = _pdep_u64(token, UINT64_C(0x0101010101010101));
		uint64_t packed = _pext_u64(eight[i], (ones << 8) - ones);
		memcpy(to, &packed, sizeof packed);
		to += __builtin_popcountll(token & 0xff);
	}
}

INLINE(WAY_AVX2) struct tokens
read_avx2(const unsigned char *p)
{
	struct tokens t = { 0 };
	for (unsigned i = 0; i < 64; i += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
		t.open |= BIT(v, OPEN);
		t.close |= BIT(v, CLOSE);
		t.brace |= BIT(v, BRACE);
		t.comma |= BIT(v, COMMA);
		t.colon |= BIT(v, COLON);
		t.string |= BIT(v, STRING);
		t.plain |= (uint64_t)(uint32_t)~_mm256_movemask_epi8(v) << i;
	}
	return t;
}

#undef BIT
#undef EQUAL
#undef MASK

INLINE(WAY_AVX512) __m512i
look_up(__m512i v, const unsigned char table[128])
{
	return _mm512_permutex2var_epi8(_mm512_loadu_si512((const void *)table), v, _mm512_loadu_si512((const void *)(table + 64)));
}

INLINE(WAY_AVX512) __m512i
classes_avx512(__m512i v)
{
	static const unsigned char classes[128] = { ['{'] = BREAK | OPEN | BRACE, ['}'] = BREAK | CLOSE | BRACE, ['['] = BREAK | OPEN, [']'] = BREAK | CLOSE,
		[','] = BREAK | COMMA, [':'] = BREAK | COLON, ['"'] = BREAK | STRING, [' '] = BREAK, ['\t'] = BREAK, ['\n'] = BREAK, ['\r'] = BREAK };
	return look_up(v, classes);
}

INLINE(WAY_AVX512) struct kinds
classify_avx512(const char *p)
{
	static const unsigned char simple[128] = { ['"'] = 0x80, ['\\'] = 0x80, ['/'] = 0x80, ['b'] = 0x80, ['f'] = 0x80, ['n'] = 0x80, ['r'] = 0x80, ['t'] = 0x80 };
	__m512i v = _mm512_loadu_si512((const void *)p), class = classes_avx512(v);
	return (struct kinds){
		.quote = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')),
		.backslash = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\')),
		.operator = _mm512_test_epi8_mask(class, _mm512_set1_epi8(OPERATOR)),
		.plain = ~(uint64_t)_mm512_movepi8_mask(class),
		.simple = _mm512_movepi8_mask(look_up(v, simple)),
		.control = _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20)),
		.high = _mm512_movepi8_mask(v),
	};
}

INLINE(WAY_AVX512) void
pack_avx512(unsigned char *to, const char *p, uint64_t token)
{
	__m512i class = classes_avx512(_mm512_loadu_si512((const void *)p));
	_mm512_storeu_si512((void *)to, _mm512_maskz_compress_epi8(token, class));
}

/* gcc would go on with it in the mask registers, which are few and slow. */
INLINE(WAY_AVX512) uint64_t
general(uint64_t mask)
{
	__asm__("" : "+r"(mask));
	return mask;
}

INLINE(WAY_AVX512) struct tokens
read_avx512(const unsigned char *p)
{
	__m512i v = _mm512_loadu_si512((const void *)p);
#define BIT(bit) general(_mm512_test_epi8_mask(v, _mm512_set1_epi8(bit)))
	return (struct tokens){ BIT(OPEN), BIT(CLOSE), BIT(BRACE), BIT(COMMA), BIT(COLON), BIT(STRING), ~(uint64_t)_mm512_movepi8_mask(v) };
#undef BIT
}

/* ---- what goes on from block to block --------------------------------------------------------------------------- */

/* Brackets, packed: a bit of each word for one. */
struct brackets {
	uint64_t open;
	uint64_t member; /* what it opens or closes stands in an object */
	unsigned n;
};

enum { BRACKETS_MAX = 63 };

/* The brackets that are open, but for the outermost. */
struct nesting {
	uint64_t stack;  /* `member` of each, the innermost lowest; above them a one */
	uint64_t beyond; /* its highest bits say that the stack was too full, or empty */
	uint64_t wrong;
};

/* What one block leaves to the next, kept in registers: nothing may point to it. */
struct check {
	uint64_t escaped, inside; /* as in jsonskip.c */
	uint64_t word;            /* the last byte belongs to a number or a word */
	uint64_t high;            /* of the last block */
	size_t notes;
	struct tokens last;
	uint64_t outermost; /* of the next tokens: the brackets around all; they are seen three tokens late */
	uint64_t wrong;
	size_t values; /* without keys; counted in large texts only: others cannot have too many */
	bool count;
};

/* ---- numbers, words, escapes ----------------------------------------------------------------------------------- */

static const char *
digits(const char *p, const char *end)
{
	while (p < end && (unsigned char)(*p - '0') <= 9)
		p++;
	return p;
}

/* Behind the number that begins at p; NULL if there is none. */
static const char *
number_end(const char *p, const char *end)
{
	const char *start = p += *p == '-';
	p = digits(p, end);
	if (p == start || (*start == '0' && p > start + 1))
		return NULL;
	if (p < end && *p == '.') {
		start = ++p;
		p = digits(p, end);
		if (p == start)
			return NULL;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		start = p;
		p = digits(p, end);
		if (p == start)
			return NULL;
	}
	return p;
}

static const char *
word_end(const char *p, const char *end)
{
	if (end - p >= 4 && (__builtin_memcmp(p, "true", 4) == 0 || __builtin_memcmp(p, "null", 4) == 0))
		return p + 4;
	return end - p >= 5 && __builtin_memcmp(p, "fals", 4) == 0 && p[4] == 'e' ? p + 5 : NULL;
}

/* A number or a word is at p, and nothing that does not belong to it right behind. */
static bool
plain_value(const char *p, const char *end)
{
	static const bool ends[256] = { [' '] = 1, ['\t'] = 1, ['\r'] = 1, ['\n'] = 1, [','] = 1, [':'] = 1, ['['] = 1, [']'] = 1, ['{'] = 1, ['}'] = 1, ['"'] = 1 };
	const char *behind = *p == '-' || (*p >= '0' && *p <= '9') ? number_end(p, end) : word_end(p, end);
	return behind && (behind == end || ends[(unsigned char)*behind]);
}

static bool
is_hex(unsigned char c)
{
	return (unsigned char)(c - '0') <= 9 || (unsigned char)((c | 0x20) - 'a') <= 5;
}

/* At p, behind a backslash, stand a 'u' and four digits. */
static bool
unicode_ok(const char *p, const char *end)
{
	return end - p > 4 && *p == 'u' && is_hex((unsigned char)p[1]) && is_hex((unsigned char)p[2]) && is_hex((unsigned char)p[3]) && is_hex((unsigned char)p[4]);
}

/* ---- UTF-8 ------------------------------------------------------------------------------------------------------ */

/* What two bytes beside each other can have wrong; a bit counts if all three tables have it. */
enum {
	TOO_SHORT = 1 << 0, TOO_LONG = 1 << 1, OVERLONG_3 = 1 << 2, TOO_LARGE = 1 << 3, SURROGATE = 1 << 4, OVERLONG_2 = 1 << 5,
	TOO_LARGE_1000 = 1 << 6, OVERLONG_4 = 1 << 6, TWO_CONTINUATIONS = 1 << 7,
	ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS, LARGE_LOW = ANY_LOW | TOO_LARGE | TOO_LARGE_1000,
	SECOND = TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS,
};

/* Not zero where the 32 bytes v, which follow `before`, are no UTF-8; a sequence that v does not end is looked at with what follows. */
INLINE(WAY_AVX2) __m256i
utf8_wrong(__m256i v, __m256i before)
{
	const __m256i first_high = TWICE(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, (char)TWO_CONTINUATIONS,
		(char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS, (char)TWO_CONTINUATIONS, TOO_SHORT | OVERLONG_2, TOO_SHORT,
		TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
	const __m256i first_low = TWICE((char)(ANY_LOW | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(ANY_LOW | OVERLONG_2), (char)ANY_LOW, (char)ANY_LOW,
		(char)(ANY_LOW | TOO_LARGE), (char)LARGE_LOW, (char)LARGE_LOW, (char)LARGE_LOW, (char)LARGE_LOW, (char)LARGE_LOW, (char)LARGE_LOW,
		(char)LARGE_LOW, (char)LARGE_LOW, (char)(LARGE_LOW | SURROGATE), (char)LARGE_LOW, (char)LARGE_LOW);
	const __m256i second_high = TWICE(TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
		(char)(SECOND | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4), (char)(SECOND | OVERLONG_3 | TOO_LARGE), (char)(SECOND | SURROGATE | TOO_LARGE),
		(char)(SECOND | SURROGATE | TOO_LARGE), TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
	const __m256i low = _mm256_set1_epi8(0x0f);
	__m256i across = _mm256_permute2x128_si256(before, v, 0x21);
	__m256i one = _mm256_alignr_epi8(v, across, 15), two = _mm256_alignr_epi8(v, across, 14), three = _mm256_alignr_epi8(v, across, 13);
	__m256i pair = _mm256_and_si256(_mm256_and_si256(_mm256_shuffle_epi8(first_high, _mm256_and_si256(_mm256_srli_epi16(one, 4), low)),
	                                                 _mm256_shuffle_epi8(first_low, _mm256_and_si256(one, low))),
	                                _mm256_shuffle_epi8(second_high, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
	/* The third byte of a sequence of three or four, and the fourth of one of four, are continuations behind one. */
	__m256i third = _mm256_subs_epu8(two, _mm256_set1_epi8(0xe0 - 0x80)), fourth = _mm256_subs_epu8(three, _mm256_set1_epi8(0xf0 - 0x80));
	__m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
	return _mm256_xor_si256(must, pair);
}

/* `p` has 64 bytes, and 32 before them. */
INLINE(WAY_AVX2) bool
utf8_ok(const char *p)
{
	__m256i before = _mm256_loadu_si256((const __m256i *)(const void *)(p - 32)), a = _mm256_loadu_si256((const __m256i *)(const void *)p),
	        b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
	__m256i wrong = _mm256_or_si256(utf8_wrong(a, before), utf8_wrong(b, a));
	return _mm256_testz_si256(wrong, wrong);
}

/* ---- brackets ---------------------------------------------------------------------------------------------------- */

/* Takes out the pairs that have nothing between them, all at once. */
INLINE(WAY_AVX2) bool
take_pairs(struct nesting *s, struct brackets *b)
{
	uint64_t closes = _bzhi_u64(~b->open & b->open << 1, b->n), stay = ~(closes | closes >> 1);
	if (!closes)
		return false;
	s->wrong |= (b->member ^ b->member << 1) & closes;
	b->open = _pext_u64(b->open, stay);
	b->member = _pext_u64(b->member, stay);
	b->n -= 2 * (unsigned)__builtin_popcountll(closes);
	return true;
}

/* Leaves no bracket. */
INLINE(WAY_AVX2) void
go_over(struct nesting *s, struct brackets *b)
{
	for (unsigned i = 0; i < 4 && take_pairs(s, b); i++)
		continue;
	for (; b->n; b->n--, b->open >>= 1, b->member >>= 1) {
		s->wrong |= ~b->open & (s->stack ^ b->member) & 1;
		s->stack = b->open & 1 ? s->stack << 1 | (b->member & 1) : s->stack >> 1;
		s->beyond |= s->stack - 1;
	}
}

INLINE(WAY_AVX2) void
add_brackets(struct nesting *s, struct brackets *f, uint64_t open, uint64_t member, unsigned n)
{
	if (f->n + n > BRACKETS_MAX)
		go_over(s, f);
	s->beyond |= n > BRACKETS_MAX ? ~UINT64_C(0) : 0;
	f->open |= open << f->n;
	f->member |= member << f->n;
	f->n += n;
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

/* Whether each of the next 64 may follow those before it. What stands behind the last of a text has no bit. */
INLINE(WAY_AVX2) void
follow(struct check *c, struct nesting *s, struct brackets *f, struct tokens t)
{
	const struct tokens last = c->last;
#define BEFORE(n, x) (t.x << (n) | last.x >> (64 - (n)))
	uint64_t value = t.open | t.string | t.plain, close_object = t.close & t.brace, open1 = BEFORE(1, open), object1 = open1 & BEFORE(1, brace);
	uint64_t string1 = BEFORE(1, string), comma2 = BEFORE(2, comma), colon2 = BEFORE(2, colon), object2 = BEFORE(2, open) & BEFORE(2, brace);
	uint64_t needs_value = BEFORE(1, comma) | BEFORE(1, colon), wants_value = needs_value | open1; /* else a value has ended before it */
	c->wrong |= (value & ~wants_value) | ((t.comma | t.colon) & wants_value) | (t.close & needs_value);
	c->wrong |= (object1 & ~(t.string | close_object)) | (close_object & open1 & ~object1);
	c->wrong |= (t.colon & ~(string1 & (object2 | comma2))) | (object2 & string1 & ~t.colon);
	/* Of the token three before this one: the type of the container before it and behind it. */
	uint64_t in_object = BEFORE(4, colon), on_in_object = (BEFORE(2, close) & BEFORE(2, brace)) | (comma2 & t.colon);
	uint64_t scalar = BEFORE(3, plain) | (BEFORE(3, string) & ~colon2), open = BEFORE(3, open), bracket = (open | BEFORE(3, close)) & ~c->outermost;
#undef BEFORE
	c->wrong |= scalar & (in_object ^ on_in_object);
	uint64_t member = (open & in_object) | (~open & on_in_object);
	add_brackets(s, f, _pext_u64(open, bracket), _pext_u64(member, bracket), (unsigned)__builtin_popcountll(bracket));
	if (c->count)
		c->values += (unsigned)__builtin_popcountll(value) - (size_t)__builtin_popcountll(t.colon);
	c->last = t;
	c->outermost = 0;
}

/* ---- a block ----------------------------------------------------------------------------------------------------- */

/* What of a block has to be looked at byte by byte, when those around it are done. */
struct note {
	const char *at;
	uint64_t starts, escapes; /* of numbers and words; behind a backslash */
	bool utf8;                /* it has bytes that are not ASCII, or the one before it has */
};

/* The tokens of the block at `at`. *note is written in any case and counts if c->notes does. */
INLINE(WAY_AVX2) uint64_t
block(struct check *c, struct kinds k, const char *at, struct note *note)
{
	uint64_t escaped = json_escaped(k.backslash, &c->escaped), escapes = escaped & ~k.simple;
	uint64_t quote = k.quote & ~escaped, inside = json_prefix_xor_clmul(quote) ^ c->inside;
	uint64_t plain = k.plain & ~inside; /* backslashes outside of strings too */
	uint64_t starts = plain & ~(plain << 1 | c->word), high = k.high | c->high;
	c->wrong |= (k.control & inside) | (k.high & (~inside | escaped));
	*note = (struct note){ at, starts, escapes, high != 0 };
	c->notes += (starts | escapes | high) != 0;
	c->inside = 0 - (inside >> 63);
	c->word = plain >> 63;
	c->high = k.high;
	return (k.operator & ~inside) | (quote & inside) | starts;
}

/* Its bytes, with blanks for those behind the end, and 32 before them with blanks for those before the start. */
__attribute__((target(WAY_AVX2))) static bool
utf8_block_ok(const char *start, const char *at, const char *end)
{
	if (at > start && end - at >= 64)
		return utf8_ok(at);
	char copy[96];
	size_t before = at > start ? 32 : 0, n = end - at < 64 ? (size_t)(end - at) : 64;
	memset(copy, ' ', sizeof copy);
	memcpy(copy + 32 - before, at - before, before + n);
	return utf8_ok(copy + 32);
}

static bool
notes_ok(const struct note *note, size_t n, const char *start, const char *end)
{
	bool ok = true;
	for (; n; n--, note++) {
		for (uint64_t rest = note->starts; rest; rest &= rest - 1)
			ok &= plain_value(note->at + __builtin_ctzll(rest), end);
		for (uint64_t rest = note->escapes; rest; rest &= rest - 1)
			ok &= unicode_ok(note->at + __builtin_ctzll(rest), end);
		if (note->utf8)
			ok &= utf8_block_ok(start, note->at, end);
	}
	return ok;
}

/* No string is open, and every bracket is closed. */
INLINE(WAY_AVX2) bool
ended(struct check c, struct nesting *s, struct brackets *f)
{
	go_over(s, f);
	return !c.wrong && !s->wrong && !c.inside && s->stack == 1 && c.values <= JSON_VALUES_MAX;
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

#define LAST_TOKEN (UINT64_C(1) << 63) /* the text goes on as if behind a comma */
enum { PART = 32 };                     /* blocks whose tokens are gathered before they are looked at */

/*
 * The last block is copied, since there may be nothing behind it that can be read. A text that is not in brackets is short, or
 * wrong: the reader has it. So has it one that is nested too deep.
 */
#define VALID(name, way, classify, pack, read)                                                                          \
	__attribute__((target(way))) static bool name(str text)                                                         \
	{                                                                                                               \
		const char *p = text.p, *end = p + text.n;                                                              \
		while (p < end && is_space(*p))                                                                         \
			p++;                                                                                            \
		while (p < end && is_space(end[-1]))                                                                    \
			end--;                                                                                          \
		if (p == end || text.n > JSON_BYTES_MAX || (*p | JSON_FOLD) != '{' || (end[-1] | JSON_FOLD) != '}')     \
			return json_valid_plain(text);                                                                  \
		const char *start = p;                                                                                  \
		struct check c = { .last.comma = LAST_TOKEN, .outermost = 1 << 3, .count = text.n > JSON_VALUES_MAX };  \
		struct nesting nesting = { .stack = 1 };                                                                \
		struct brackets found = { 0 };                                                                          \
		struct note notes[PART + 1];                                                                            \
		unsigned char tokens[(PART + 2) * 64];                                                                  \
		char copy[64];                                                                                          \
		size_t n = 0;                                                                                           \
		while (p < end && !c.wrong && !(nesting.beyond >> 62)) {                                                \
			c.notes = 0;                                                                                    \
			for (const char *part = end - p < PART * 64 ? end : p + PART * 64; p < part; p += 64) {         \
				const char *from = p;                                                                   \
				if (end - p < 64) {                                                                     \
					memset(copy, ' ', sizeof copy);                                                 \
					from = memcpy(copy, p, (size_t)(end - p));                                      \
				}                                                                                       \
				uint64_t token = block(&c, classify(from), p, notes + c.notes);                         \
				pack(tokens + n, from, token);                                                          \
				n += (unsigned)__builtin_popcountll(token);                                             \
			}                                                                                               \
			c.wrong |= c.notes && !notes_ok(notes, c.notes, start, end);                                    \
			size_t i = 0;                                                                                   \
			for (; n - i >= 64; i += 64)                                                                    \
				follow(&c, &nesting, &found, read(tokens + i));                                         \
			memmove(tokens, tokens + i, 64);                                                                \
			n -= i;                                                                                         \
		}                                                                                                       \
		memset(tokens + n, BREAK, 64 + 3);                                                                      \
		for (size_t i = 0; i < n + 3; i += 64) {                                                                \
			c.outermost |= n + 2 - i < 64 ? UINT64_C(1) << (n + 2 - i) : 0;                                 \
			follow(&c, &nesting, &found, read(tokens + i));                                                 \
		}                                                                                                       \
		_mm256_zeroupper(); /* not all compilers see that it is wanted here */                                  \
		bool is = ended(c, &nesting, &found);                                                                   \
		return nesting.beyond >> 62 ? json_valid_plain(text) : is;                                              \
	}

VALID(valid_avx512, WAY_AVX512, classify_avx512, pack_avx512, read_avx512)
VALID(valid_avx2, WAY_AVX2, classify_avx2, pack_avx2, read_avx2)

static bool
has_avx512(void)
{
	return json_has_avx2() && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
	       __builtin_cpu_supports("avx512vbmi2");
}

#endif

static bool
always(void)
{
	return true;
}

const struct json_valid_way json_valid_ways[] = {
#if defined(__x86_64__)
	{ "avx512", has_avx512, valid_avx512 },
	{ "avx2", json_has_avx2, valid_avx2 },
#endif
	{ "plain", always, json_valid_plain },
	{ 0 },
};

bool
json_valid(str text)
{
	const struct json_valid_way *w = json_valid_ways;
	if (!text.n)
		return false; /* it may be absent, and nothing is behind its start then */
	while (!w->usable()) /* a few loads and tests: the processor was asked when the program started */
		w++;
	return w->valid(text);
}
