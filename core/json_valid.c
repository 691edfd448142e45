/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text is looked at in blocks of 64 bytes, and no byte is looked at by itself but those of numbers, words and escapes.
 *
 * 1. A block becomes a mask for each kind of byte, and arithmetic says which lie in strings (core/json_bits.h).
 * 2. The masks of what is left, the tokens, are packed (pext), so that neighbours are neighbours however far apart they stood. Whether
 *    each token may follow the one before it, and that one the one before, is then a few operations for all of them.
 * 3. What depends on the container that a token is in goes by stretches without a bracket: whether one has a comma that only an object
 *    can have (a key follows) or only a list. Adding finds that out: a mark within a run of ones carries up to the bracket behind it.
 * 4. Of each bracket four bits are left: open or close, of which kind, and the marks of the stretch before it. Sixty-four at a
 *    time go over a stack that is one word.
 *
 * What is nested deeper than that word, the reader decides. So does it on processors without these instructions, or where pext is slow.
 * UTF-8 is checked where there is any, by the method of "Validating UTF-8 In Less Than One Instruction Per Byte" (Keiser, Lemire 2020).
 */
#include "core/json_valid.h"

#include "core/json_bits.h"
#include "core/val.h"

#if defined(__x86_64__)

#define WAY_AVX2 "avx2,bmi,bmi2,popcnt,lzcnt,pclmul"
#define WAY_AVX512 WAY_AVX2 ",avx512f,avx512bw,avx512vl"
#define INLINE(way) __attribute__((target(way), always_inline)) static inline

/* The kinds of bytes in a block. */
struct kinds {
	uint64_t quote, backslash, comma, colon, open, close, space;
	uint64_t brace;   /* of open and close: '{' or '}'; anything elsewhere */
	uint64_t control; /* below a space */
	uint64_t high;    /* not ASCII */
};

#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)
/* White space by its lower half; a row of zero matches no byte, since a byte is looked up in the row of its own lower half. */
#define SPACES ' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0

INLINE(WAY_AVX2) struct kinds
classify_avx2(const char *p)
{
	struct kinds k = { 0 };
	const __m256i spaces = TWICE(SPACES);
#define MASK(x) ((uint64_t)(uint32_t)_mm256_movemask_epi8(x) << i)
#define BITS(x, c) MASK(_mm256_cmpeq_epi8(x, _mm256_set1_epi8(c)))
	for (unsigned i = 0; i < 64; i += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
		__m256i folded = _mm256_or_si256(v, _mm256_set1_epi8(JSON_FOLD));
		k.quote |= BITS(v, '"');
		k.backslash |= BITS(v, '\\');
		k.comma |= BITS(v, ',');
		k.colon |= BITS(v, ':');
		k.open |= BITS(folded, '{');
		k.close |= BITS(folded, '}');
		k.brace |= MASK(_mm256_slli_epi16(v, 2)); /* bit 5 is where the mask is taken from */
		k.space |= MASK(_mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(spaces, v)));
		k.control |= BITS(_mm256_max_epu8(v, _mm256_set1_epi8(0x1f)), 0x1f);
		k.high |= MASK(v);
	}
#undef BITS
#undef MASK
	return k;
}

INLINE(WAY_AVX512) struct kinds
classify_avx512(const char *p)
{
	__m512i v = _mm512_loadu_si512((const void *)p), folded = _mm512_or_si512(v, _mm512_set1_epi8(JSON_FOLD));
	const __m512i spaces = _mm512_broadcast_i32x4(_mm_setr_epi8(SPACES));
#define BITS(x, c) _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8(c))
	return (struct kinds){
		.quote = BITS(v, '"'),
		.backslash = BITS(v, '\\'),
		.comma = BITS(v, ','),
		.colon = BITS(v, ':'),
		.open = BITS(folded, '{'),
		.close = BITS(folded, '}'),
		.brace = _mm512_test_epi8_mask(v, _mm512_set1_epi8(JSON_FOLD)),
		.space = _mm512_cmpeq_epi8_mask(v, _mm512_shuffle_epi8(spaces, v)),
		.control = _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20)),
		.high = _mm512_movepi8_mask(v),
	};
#undef BITS
}

/* Brackets, packed: a bit of each word for one. */
struct brackets {
	uint64_t open, brace;
	uint64_t object, list; /* the stretch before it has a comma as in an object, as in a list */
	unsigned n;
};

enum { BRACKETS_MAX = 63 }; /* a word has a place for what is behind them */

/* The brackets that are open. */
struct nesting {
	uint64_t stack;  /* a bit for each, the innermost lowest, 1: an object; above them a one */
	uint64_t beyond; /* its highest bits say that the stack was too full, or empty */
	uint64_t wrong;
};

/* What one block leaves to the next, kept in registers: nothing may point to it. The highest bits of masks say what the last token was. */
struct check {
	const char *end;
	uint64_t escaped, inside; /* as in jsonskip.c */
	uint64_t word;            /* the last byte belongs to a number or a word */
	uint64_t open, open_object, comma, colon;
	uint64_t key, string_in_list_or_key; /* a string behind '{'; one behind a comma */
	unsigned char object, list;          /* marks of the stretch so far */
	uint64_t wrong;
	size_t values; /* without keys; counted in large texts only: others cannot have too many */
	bool count;
	bool was_high; /* the last block had bytes that are not ASCII */
};

/* ---- numbers, words, escapes ----------------------------------------------------------------------------------- */

/*
 * They lie between the blocks, and are inlined into the loop over these: a call would have it load its constants anew each time, and
 * empty the upper halves of the vector registers first.
 */
INLINE(WAY_AVX2) const char *
digits(const char *p, const char *end)
{
	while (p < end && (unsigned char)(*p - '0') <= 9)
		p++;
	return p;
}

/* Behind the number that begins at p; NULL if there is none. */
INLINE(WAY_AVX2) const char *
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

INLINE(WAY_AVX2) const char *
word_end(const char *p, const char *end)
{
	if (end - p >= 4 && (__builtin_memcmp(p, "true", 4) == 0 || __builtin_memcmp(p, "null", 4) == 0))
		return p + 4;
	return end - p >= 5 && __builtin_memcmp(p, "fals", 4) == 0 && p[4] == 'e' ? p + 5 : NULL;
}

/* A number or a word is at p, and nothing that does not belong to it right behind. */
INLINE(WAY_AVX2) bool
plain_value(const char *p, const char *end)
{
	static const bool ends[256] = { [' '] = 1, ['\t'] = 1, ['\r'] = 1, ['\n'] = 1, [','] = 1, [':'] = 1, ['['] = 1, [']'] = 1, ['{'] = 1, ['}'] = 1, ['"'] = 1 };
	const char *behind = *p == '-' || (*p >= '0' && *p <= '9') ? number_end(p, end) : word_end(p, end);
	return behind && (behind == end || ends[(unsigned char)*behind]);
}

static inline bool
is_hex(unsigned char c)
{
	return (unsigned char)(c - '0') <= 9 || (unsigned char)((c | 0x20) - 'a') <= 5;
}

/* What may stand behind a backslash (the text may end there); of 'u' the four digits count too. */
static inline bool
escape_ok(const char *p, const char *end)
{
	static const bool known[256] = { ['"'] = 1, ['\\'] = 1, ['/'] = 1, ['b'] = 1, ['f'] = 1, ['n'] = 1, ['r'] = 1, ['t'] = 1 };
	if (p == end || *p != 'u')
		return p < end && known[(unsigned char)*p];
	return end - p > 4 && is_hex((unsigned char)p[1]) && is_hex((unsigned char)p[2]) && is_hex((unsigned char)p[3]) && is_hex((unsigned char)p[4]);
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

/*
 * Takes out the pairs that have nothing between them, all at once. What was marked before such a pair is before the next bracket that stays,
 * for which there is a place behind the last one.
 */
INLINE(WAY_AVX2) bool
take_pairs(struct nesting *s, struct brackets *b)
{
	uint64_t closes = _bzhi_u64(~b->open & b->open << 1, b->n), opens = closes >> 1, both = opens | closes, stay = ~both;
	if (!both)
		return false;
	s->wrong |= ((b->brace ^ b->brace << 1) | (b->object & ~b->brace) | (b->list & b->brace)) & closes;
	b->object |= (b->object & opens) + both;
	b->list |= (b->list & opens) + both;
	b->open = _pext_u64(b->open, stay);
	b->brace = _pext_u64(b->brace, stay);
	b->object = _pext_u64(b->object, stay);
	b->list = _pext_u64(b->list, stay);
	b->n -= (unsigned)__builtin_popcountll(both);
	return true;
}

/* Leaves no bracket, but what was marked behind the last one. */
INLINE(WAY_AVX2) void
go_over(struct nesting *s, struct brackets *b)
{
	for (unsigned i = 0; i < 4 && take_pairs(s, b); i++)
		continue;
	for (; b->n; b->n--, b->open >>= 1, b->brace >>= 1, b->object >>= 1, b->list >>= 1) {
		uint64_t wrong = (b->object & ~s->stack) | (b->list & s->stack) | ((b->object | b->list) & (s->stack == 1)) | (~b->open & (s->stack ^ b->brace));
		s->wrong |= wrong & 1;
		s->stack = b->open & 1 ? s->stack << 1 | (b->brace & 1) : s->stack >> 1;
		s->beyond |= s->stack - 1;
	}
}

INLINE(WAY_AVX2) void
add_brackets(struct nesting *s, struct brackets *f, struct brackets b)
{
	if (f->n + b.n > BRACKETS_MAX)
		go_over(s, f);
	s->beyond |= b.n > BRACKETS_MAX ? ~UINT64_C(0) : 0;
	unsigned n = f->n;
	f->open |= b.open << n;
	f->brace |= b.brace << n;
	f->object |= b.object << n;
	f->list |= b.list << n;
	f->n += b.n;
}

/* ---- a block ----------------------------------------------------------------------------------------------------- */

/* The marks, each carried up to the bracket behind it; what is left above the highest goes on to the next block. */
INLINE(WAY_AVX2) uint64_t
carried(uint64_t marks, uint64_t bracket, unsigned char *carry)
{
	unsigned long long sum;
	*carry = _addcarry_u64(*carry, ~bracket, marks & ~bracket, &sum);
	return (sum | marks) & bracket;
}

/* Of the tokens: whether each may follow those before it. */
INLINE(WAY_AVX2) void
follow(struct check *c, struct nesting *s, struct brackets *f, const struct kinds *k, uint64_t strings, uint64_t starts, uint64_t token)
{
	unsigned n = (unsigned)__builtin_popcountll(token);
	uint64_t open = _pext_u64(k->open, token), open_object = _pext_u64(k->open & k->brace, token), comma = _pext_u64(k->comma, token),
	         colon = _pext_u64(k->colon, token), string = _pext_u64(strings, token), other = starts ? _pext_u64(starts, token) : 0;
	uint64_t all = _bzhi_u64(~UINT64_C(0), n), value = string | other | open, close = all & ~(value | comma | colon), bracket = open | close;
#define BEFORE(x) ((x) << 1 | c->x >> 63)
	uint64_t after_open = BEFORE(open), after_object = BEFORE(open_object), after_comma = BEFORE(comma), after_colon = BEFORE(colon);
	uint64_t key = string & after_object, string_in_list_or_key = string & after_comma;
	uint64_t after_key = BEFORE(key), after_string = BEFORE(string_in_list_or_key);
#undef BEFORE
	uint64_t wants_value = after_open | after_comma | after_colon; /* else a value has ended before it */
	c->wrong |= (value & ~wants_value) | (comma & wants_value) | (close & (after_comma | after_colon)) | ((other | open) & after_object) |
	            (colon & ~(after_key | after_string)) | (after_key & ~colon & all);
	uint64_t object = colon & after_string, list = ((other | open) & after_comma) | (after_string & ~colon & all);
	object = carried(object, bracket, &c->object);
	list = carried(list, bracket, &c->list);
	uint64_t brackets = k->open | k->close;
	if (brackets)
		add_brackets(s, f, (struct brackets){ _pext_u64(k->open, brackets), _pext_u64(k->brace, brackets), _pext_u64(object, bracket),
		                                      _pext_u64(list, bracket), (unsigned)__builtin_popcountll(brackets) });
	if (c->count)
		c->values += (unsigned)__builtin_popcountll(value) - (size_t)__builtin_popcountll(colon);
#define LEAVE(x) (c->x = (x) << (64 - n))
	LEAVE(open), LEAVE(open_object), LEAVE(comma), LEAVE(colon), LEAVE(key), LEAVE(string_in_list_or_key);
#undef LEAVE
}

/* `at` is where the block's bytes stand in the text, `p` where 32 bytes before them can be read as well. */
INLINE(WAY_AVX2) void
block(struct check *c, struct nesting *s, struct brackets *f, struct kinds k, const char *at, const char *p)
{
	uint64_t escaped = json_escaped(k.backslash, &c->escaped);
	uint64_t quote = k.quote & ~escaped, inside = json_prefix_xor_clmul(quote) ^ c->inside;
	c->inside = 0 - (inside >> 63);
	c->wrong |= (k.control & inside) | (k.backslash & ~inside);
	for (uint64_t rest = escaped; rest; rest &= rest - 1)
		c->wrong |= !escape_ok(at + __builtin_ctzll(rest), c->end);
	k.open &= ~inside, k.close &= ~inside, k.comma &= ~inside, k.colon &= ~inside;
	uint64_t operators = k.open | k.close | k.comma | k.colon, word = ~(inside | quote | operators | k.space);
	uint64_t starts = word & ~(word << 1 | c->word);
	c->word = word >> 63;
	for (uint64_t rest = starts; rest; rest &= rest - 1)
		c->wrong |= !plain_value(at + __builtin_ctzll(rest), c->end);
	uint64_t strings = quote & inside, token = operators | strings | starts;
	if (token)
		follow(c, s, f, &k, strings, starts, token);
	if (k.high || c->was_high)
		c->wrong |= !utf8_ok(p);
	c->was_high = k.high != 0;
}

/* What stands behind the last block has nothing more: no string is open, the last bracket closed what the first had opened. */
INLINE(WAY_AVX2) bool
ended(struct check c, const char *last, struct nesting *s, struct brackets *f)
{
	go_over(s, f);
	return !c.wrong && !s->wrong && !c.inside && s->stack == 1 && (*last | JSON_FOLD) == '}' && !c.object && !c.list && !f->object && !f->list &&
	       c.values <= JSON_VALUES_MAX;
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * The first and the last block are copied, since there may be nothing before or behind them that can be read. A text that begins with
 * neither bracket is short, or wrong: the reader has it.
 */
#define VALID(name, way, classify)                                                                              \
	__attribute__((target(way))) static bool name(str text)                                                 \
	{                                                                                                       \
		const char *p = text.p, *end = p + text.n;                                                      \
		while (p < end && is_space(*p))                                                                 \
			p++;                                                                                    \
		while (p < end && is_space(end[-1]))                                                            \
			end--;                                                                                  \
		if (p == end || text.n > JSON_BYTES_MAX || (*p | JSON_FOLD) != '{')                             \
			return json_valid_plain(text);                                                          \
		struct check c = { .end = end, .colon = ~UINT64_C(0), .count = text.n > JSON_VALUES_MAX };      \
		struct nesting nesting = { .stack = 1 };                                                        \
		struct brackets found = { 0 };                                                                  \
		char copy[96];                                                                                  \
		for (const char *start = p; p < end && !c.wrong && !(nesting.beyond >> 62); p += 64) {          \
			const char *from = p;                                                                   \
			if (end - p < 64 || p == start) {                                                       \
				size_t before = p == start ? 0 : 32, n = end - p < 64 ? (size_t)(end - p) : 64; \
				memset(copy, ' ', sizeof copy);                                                 \
				memcpy(copy + 32 - before, p - before, before + n);                             \
				from = copy + 32;                                                               \
			}                                                                                       \
			block(&c, &nesting, &found, classify(from), p, from);                                   \
		}                                                                                               \
		_mm256_zeroupper(); /* not all compilers see that it is wanted here */                          \
		bool is = ended(c, end - 1, &nesting, &found);                                                  \
		return nesting.beyond >> 62 ? json_valid_plain(text) : is;                                      \
	}

VALID(valid_avx512, WAY_AVX512, classify_avx512)
VALID(valid_avx2, WAY_AVX2, classify_avx2)

/* pext is microcode before the third generation of Zen: a hundred times as slow. */
static bool
has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") &&
	       __builtin_cpu_supports("pclmul") && !__builtin_cpu_is("znver1") && !__builtin_cpu_is("znver2") && !__builtin_cpu_is("bdver4");
}

static bool
has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
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
	{ "avx2", has_avx2, valid_avx2 },
#endif
	{ "plain", always, json_valid_plain },
	{ 0 },
};

bool
json_valid(str text)
{
	const struct json_valid_way *w = json_valid_ways;
	while (!w->usable()) /* a few loads and tests: the processor was asked when the program started */
		w++;
	return w->valid(text);
}
