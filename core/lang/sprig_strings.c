/* SPDX-License-Identifier: Apache-2.0 */
/* sprig: strings and regular expressions. */
#include <limits.h>
#include <locale.h>
#include <wctype.h>

#include "core/crypto.h"
#include "core/lang/regex.h"
#include "core/lang/sprig.h"

/* ---- characters ------------------------------------------------------------------------------------------------------- */

static uint32_t
other_case(uint32_t c, bool upper)
{
	if (c < 0x80)
		return upper ? (c >= 'a' && c <= 'z' ? c - 32 : c) : (c >= 'A' && c <= 'Z' ? c + 32 : c);
	locale_t l = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL); /* built into glibc; the process's own locale stays "C" */
	if (!l)
		return c;
	uint32_t out = upper ? towupper_l((wint_t)c, l) : towlower_l((wint_t)c, l);
	freelocale(l);
	return out;
}

uint32_t go_upper(uint32_t c) { return other_case(c, true); }
uint32_t go_lower(uint32_t c) { return other_case(c, false); }

static bool is_upper(uint32_t c) { return go_lower(c) != c; }
static bool is_lower(uint32_t c) { return go_upper(c) != c; }
static bool is_letter(uint32_t c) { return is_upper(c) || is_lower(c) || c > 0xbf; }
static bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }
/* unicode.IsSpace */
static bool
is_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	       c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Every character through `map`, which gets the one before it; SKIP leaves it out. */
#define SKIP UINT32_MAX
static bool
mapped(struct run *r, str s, uint32_t (*map)(uint32_t c, uint32_t before), struct val *out)
{
	struct buf b = { 0 };
	uint32_t before = ' ';
	for (size_t i = 0, width; i < s.n; i += width) {
		uint32_t c = go_rune(s, i, &width), to = map(c, before);
		if (to == c && !(c == 0xfffd && width == 1))
			buf_add(&b, str_slice(s, i, i + width));
		else if (to != SKIP)
			go_add_rune(&b, to);
		before = c;
	}
	return go_made(r, &b, out);
}

static uint32_t map_upper(uint32_t c, uint32_t before UNUSED) { return go_upper(c); }
static uint32_t map_lower(uint32_t c, uint32_t before UNUSED) { return go_lower(c); }
static uint32_t map_nospace(uint32_t c, uint32_t before UNUSED) { return is_space(c) ? SKIP : c; }
static uint32_t map_untitle(uint32_t c, uint32_t before) { return is_space(before) ? go_lower(c) : c; }
static uint32_t map_initials(uint32_t c, uint32_t before) { return is_space(before) && !is_space(c) ? c : SKIP; }
/* strings.Title: letters behind what is no letter, digit or underscore */
static uint32_t
map_title(uint32_t c, uint32_t before)
{
	bool separator = before < 0x80 ? !(is_digit(before) || is_letter(before) || before == '_') : !is_letter(before) && is_space(before);
	return separator ? go_upper(c) : c;
}
static uint32_t
map_swapcase(uint32_t c, uint32_t before UNUSED)
{
	return is_upper(c) ? go_lower(c) : go_upper(c);
}

#define MAPPED(fn, map) \
	FN(fn) { return mapped(r, TEXT(0), map, out); }
MAPPED(fn_upper, map_upper)
MAPPED(fn_lower, map_lower)
MAPPED(fn_nospace, map_nospace)
MAPPED(fn_untitle, map_untitle)
MAPPED(fn_initials, map_initials)
MAPPED(fn_title, map_title)
MAPPED(fn_swapcase, map_swapcase)

/* ---- trimming --------------------------------------------------------------------------------------------------------------- */

static bool
in_set(str set, uint32_t c)
{
	for (size_t i = 0, width; i < set.n; i += width)
		if (go_rune(set, i, &width) == c)
			return true;
	return false;
}

/* `set` absent: white space. */
static str
trim_set(str s, str set)
{
	size_t width, start = 0, end = s.n;
	while (start < end) {
		uint32_t c = go_rune(s, start, &width);
		if (!(set.p ? in_set(set, c) : is_space(c)))
			break;
		start += width;
	}
	while (end > start) {
		size_t at = end - 1;
		while (at > start && ((unsigned char)s.p[at] & 0xc0) == 0x80)
			at--;
		uint32_t c = go_rune(s, at, &width);
		if (!(set.p ? in_set(set, c) : is_space(c)))
			break;
		end = at;
	}
	return str_slice(s, start, end);
}

FN(fn_trim)
{
	*out = val_str(trim_set(TEXT(0), STR_NONE));
	return true;
}

FN(fn_trim_all)
{
	*out = val_str(trim_set(TEXT(1), TEXT(0)));
	return true;
}

FN(fn_trim_prefix)
{
	*out = val_str(str_slice(TEXT(1), str_starts(TEXT(1), TEXT(0)) ? TEXT(0).n : 0, SIZE_MAX));
	return true;
}

FN(fn_trim_suffix)
{
	*out = val_str(str_slice(TEXT(1), 0, TEXT(1).n - (str_ends(TEXT(1), TEXT(0)) ? TEXT(0).n : 0)));
	return true;
}

/* ---- pieces -------------------------------------------------------------------------------------------------------------------- */

FN(fn_substr)
{
	str s = TEXT(2);
	int64_t from = v[0].i, to = v[1].i;
	if (from < 0 && (to < 0 || to > (int64_t)s.n))
		return go_fail(r, "error calling substr: slice bounds out of range");
	if (from >= 0 && (to < 0 || to > (int64_t)s.n))
		to = (int64_t)s.n;
	if (from > to)
		return go_fail(r, "error calling substr: slice bounds out of range");
	*out = val_str(str_slice(s, from < 0 ? 0 : (size_t)from, (size_t)to));
	return true;
}

FN(fn_trunc)
{
	str s = TEXT(1);
	int64_t c = v[0].i;
	if (c < 0 && (int64_t)s.n + c > 0)
		s = str_slice(s, (size_t)((int64_t)s.n + c), s.n);
	else if (c >= 0 && (int64_t)s.n > c)
		s = str_slice(s, 0, (size_t)c);
	*out = val_str(s);
	return true;
}

/* goutils.AbbreviateFull: "..." at the end, or at both ends for an offset. */
static str
abbreviate(struct run *r, str s, size_t offset, size_t max)
{
	if (!s.n || max < 4 || s.n <= max)
		return s.n && max < 4 ? STR_NONE : s;
	if (offset > s.n)
		offset = s.n;
	if (s.n - offset < max - 3)
		offset = s.n - (max - 3);
	if (offset <= 4)
		return arena_fmt(r->a, "%.*s...", (int)(max - 3), s.p);
	if (max < 7)
		return STR_NONE;
	if (offset + max - 3 < s.n) {
		str inner = abbreviate(r, str_slice(s, offset, s.n), 0, max - 3);
		return arena_fmt(r->a, "...%.*s", STR_ARG(inner));
	}
	return arena_fmt(r->a, "...%.*s", (int)(max - 3), s.p + s.n - (max - 3));
}

FN(fn_abbrev)
{
	str s = v[0].i < 4 ? TEXT(1) : abbreviate(r, TEXT(1), 0, (size_t)v[0].i);
	*out = val_str(s);
	return true;
}

FN(fn_abbrevboth)
{
	int64_t left = v[0].i, right = v[1].i;
	str s = TEXT(2);
	if (right >= 4 && !(left > 0 && right < 7) && left >= 0)
		s = abbreviate(r, s, (size_t)left, (size_t)right);
	*out = val_str(s);
	return true;
}

FN(fn_repeat)
{
	struct buf b = { 0 };
	if (v[0].i < 0)
		return go_fail(r, "error calling repeat: negative count");
	if (TEXT(1).n && !go_charge(r, v[0].i > (int64_t)GOTMPL_OUTPUT_MAX ? SIZE_MAX / 8 : (size_t)v[0].i * TEXT(1).n))
		return false;
	for (int64_t i = 0; TEXT(1).n && i < v[0].i; i++)
		buf_add(&b, TEXT(1));
	return go_made(r, &b, out);
}

/* strings.ReplaceAll; an empty `old` matches before every character and at the end. */
static bool
replace_all(struct run *r, str s, str old, str new, struct buf *b)
{
	size_t i = 0, width = 0;
	while (i <= s.n && go_fits(r, b)) {
		size_t at = old.n ? str_find(s, old, i) : i;
		if (at == SIZE_MAX)
			break;
		buf_add(b, str_slice(s, i, at));
		buf_add(b, new);
		if (!old.n) {
			if (at >= s.n)
				return true;
			(void)go_rune(s, at, &width);
			buf_add(b, str_slice(s, at, at + width));
		}
		i = at + (old.n ? old.n : width);
	}
	buf_add(b, str_slice(s, i, s.n));
	return go_fits(r, b);
}

FN(fn_replace)
{
	struct buf b = { 0 };
	if (replace_all(r, TEXT(2), TEXT(0), TEXT(1), &b))
		return go_made(r, &b, out);
	buf_free(&b);
	return false;
}

static bool
indent(struct run *r, int64_t spaces, str s, bool line, struct val *out)
{
	struct buf b = { 0 }, pad = { 0 };
	if (spaces < 0 || spaces > 100000)
		return go_fail(r, "error calling indent: bad number of spaces");
	buf_addc(&pad, '\n');
	for (int64_t i = 0; i < spaces; i++)
		buf_addc(&pad, ' ');
	buf_add(&b, str_slice(buf_str(&pad), line ? 0 : 1, pad.n));
	bool ok = replace_all(r, s, S("\n"), buf_str(&pad), &b);
	buf_free(&pad);
	if (ok)
		return go_made(r, &b, out);
	buf_free(&b);
	return false;
}

FN(fn_indent) { return indent(r, v[0].i, TEXT(1), false, out); }
FN(fn_nindent) { return indent(r, v[0].i, TEXT(1), true, out); }

/* goutils.WrapCustom */
static bool
wrap(struct run *r, str s, int64_t length, str newline, bool long_words, struct val *out)
{
	struct buf b = { 0 };
	size_t w = length < 1 ? 1 : (size_t)length, at = 0;
	while (s.n > w && at < s.n - w) {
		if (s.p[at] == ' ') {
			at++;
			continue;
		}
		size_t space = at + w;
		while (space > at && s.p[space] != ' ')
			space--;
		size_t next = str_find_char(s, ' ', at + w);
		if (s.p[space] != ' ' && !long_words)
			space = next; /* a long word stays whole */
		if (space == SIZE_MAX)
			break;
		bool cut = s.p[space] != ' ';
		if (cut)
			space = at + w;
		buf_add(&b, str_slice(s, at, space));
		buf_add(&b, newline);
		at = space + !cut;
	}
	buf_add(&b, str_slice(s, at, s.n));
	return go_made(r, &b, out);
}

FN(fn_wrap) { return wrap(r, TEXT(1), v[0].i, S("\n"), false, out); }
FN(fn_wrap_with) { return wrap(r, TEXT(2), v[0].i, TEXT(1).n ? TEXT(1) : S("\n"), true, out); }

/* ---- tests and small things ------------------------------------------------------------------------------------------------------- */

FN(fn_contains)
{
	*out = val_bool(str_find(TEXT(1), TEXT(0), 0) != SIZE_MAX);
	return true;
}
FN(fn_has_prefix)
{
	*out = val_bool(str_starts(TEXT(1), TEXT(0)));
	return true;
}
FN(fn_has_suffix)
{
	*out = val_bool(str_ends(TEXT(1), TEXT(0)));
	return true;
}
FN(fn_plural)
{
	*out = v[2].i == 1 ? v[0] : v[1];
	return true;
}

static bool
quoted(struct run *r, const struct val *v, size_t n, bool single, struct val *out)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < n; i++) {
		if (go_norm(&v[i]).kind == VAL_NULL)
			continue;
		str s = sprig_text(r, &v[i]);
		if (b.n)
			buf_addc(&b, ' ');
		if (single)
			buf_addf(&b, "'%.*s'", STR_ARG(s));
		else
			go_quote(&b, s);
	}
	return go_made(r, &b, out);
}

FN(fn_quote) { return quoted(r, v, n, false, out); }
FN(fn_squote) { return quoted(r, v, n, true, out); }

FN(fn_cat)
{
	struct buf b = { 0 };
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		if (go_norm(&v[i]).kind == VAL_NULL)
			continue;
		if (any)
			buf_addc(&b, ' ');
		go_print(&b, &v[i]);
		any = true;
	}
	return go_made(r, &b, out);
}

/* ---- names in other cases ------------------------------------------------------------------------------------------------------------ */

static bool is_connector(uint32_t c) { return c == '-' || c == '_' || is_space(c); }

/* xstrings.ToPascalCase: connectors between words go, a word begins with a capital, a word of capitals only keeps its first. */
FN(fn_camelcase)
{
	str s = TEXT(0);
	struct buf b = { 0 };
	size_t i = 0, width;
	uint32_t last, c = 0;
	bool upper_word = false;
	for (; i < s.n; i += width) {
		c = go_rune(s, i, &width);
		if (!is_connector(c)) {
			upper_word = is_upper(c);
			c = go_upper(c);
			i += width;
			break;
		}
		go_add_rune(&b, c);
		c = 0;
	}
	if (!c)
		return go_made(r, &b, out);
	for (; i < s.n; i += width) {
		last = c;
		c = go_rune(s, i, &width);
		if (is_connector(c) && is_connector(last)) {
			go_add_rune(&b, last);
			continue;
		}
		if (is_connector(last)) {
			upper_word = is_upper(c);
			c = go_upper(c);
			continue;
		}
		if (upper_word && is_upper(c))
			c = go_lower(c);
		else if (upper_word)
			upper_word = false;
		go_add_rune(&b, last);
	}
	go_add_rune(&b, c);
	return go_made(r, &b, out);
}

enum word { W_END, W_NUMBER, W_UPPER /* begins with a capital */, W_LOWER, W_CONNECTOR, W_OTHER };

static enum word
word_of(uint32_t c)
{
	if (is_connector(c))
		return W_CONNECTOR;
	if (is_digit(c))
		return W_NUMBER;
	return is_upper(c) ? W_UPPER : is_letter(c) ? W_LOWER : W_OTHER;
}

/* The word at i: a run of one sort, or a capital with the small letters behind it; of "HTTPServer" first "HTTP". */
static enum word
next_word(str s, size_t i, size_t *end)
{
	size_t width, at = i, before = i;
	if (i >= s.n)
		return *end = i, W_END;
	enum word sort = word_of(go_rune(s, at, &width)), now = sort;
	at += width;
	size_t capitals = 1;
	for (; at < s.n; at += width) {
		now = word_of(go_rune(s, at, &width));
		if (sort == W_UPPER && now == W_LOWER) {
			if (capitals == 1)
				sort = W_UPPER, capitals = 0; /* from here on small letters only */
			else if (capitals > 1)
				return *end = before, W_UPPER;
		} else if (now != sort || (sort == W_UPPER && !capitals)) {
			break;
		} else {
			capitals += sort == W_UPPER;
		}
		before = at;
	}
	*end = at;
	return sort;
}

static void
add_word(struct buf *b, str word, char connector)
{
	for (size_t i = 0, width; i < word.n; i += width) {
		uint32_t c = go_rune(word, i, &width);
		if (is_connector(c))
			buf_addc(b, connector);
		else
			go_add_rune(b, go_lower(c));
	}
}

/*
 * xstrings.ToSnakeCase and ToKebabCase. Words are joined by the connector, but: a number sticks to the word before it
 * ("bld4_floor"), unless small letters follow, to which it then belongs ("http_2xx", "duration_2m3s").
 */
static bool
connected(struct run *r, str s, char connector, struct val *out)
{
	struct buf b = { 0 };
	size_t i = 0, end;
	enum word before = W_END, w;
	while ((w = next_word(s, i, &end)) != W_END) {
		str word = str_slice(s, i, end);
		size_t after;
		bool letters = w == W_UPPER || w == W_LOWER, letters_before = before == W_UPPER || before == W_LOWER;
		if (letters && letters_before)
			buf_addc(&b, connector);
		if (w == W_NUMBER && letters_before && next_word(s, end, &after) == W_LOWER)
			buf_addc(&b, connector);
		if (w == W_UPPER && before == W_NUMBER)
			buf_addc(&b, connector);
		add_word(&b, word, connector);
		i = end;
		if (w == W_NUMBER) /* small letters and numbers behind a number are its own, if they are many */
			for (enum word more; (more = next_word(s, i, &end)) == W_LOWER || more == W_NUMBER; i = end)
				add_word(&b, str_slice(s, i, end), connector);
		before = w;
	}
	return go_made(r, &b, out);
}

FN(fn_snakecase) { return connected(r, TEXT(0), '_', out); }
FN(fn_kebabcase) { return connected(r, TEXT(0), '-', out); }

/* ---- sums --------------------------------------------------------------------------------------------------------------------------------- */

static bool
hex_text(struct run *r, const unsigned char *p, size_t n, struct val *out)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%02x", p[i]);
	return go_made(r, &b, out);
}

static bool
sum(struct run *r, const char *hash, str bytes, struct val *out)
{
	unsigned char h[CRYPTO_HASH_MAX];
	return hex_text(r, h, crypto_hash(hash, bytes, h), out);
}

FN(fn_sha1) { return sum(r, "sha1", TEXT(0), out); }
FN(fn_sha256) { return sum(r, "sha256", TEXT(0), out); }
FN(fn_sha512) { return sum(r, "sha512", TEXT(0), out); }
FN(fn_adler32)
{
	uint32_t a = 1, b = 0;
	for (size_t i = 0; i < TEXT(0).n; i++) {
		a = (a + (unsigned char)TEXT(0).p[i]) % 65521;
		b = (b + a) % 65521;
	}
	*out = val_str(arena_fmt(r->a, "%u", b << 16 | a));
	return true;
}

const struct gofn sprig_strings[] = {
	{ "upper", "s", fn_upper }, { "lower", "s", fn_lower }, { "title", "s", fn_title }, { "untitle", "s", fn_untitle }, { "swapcase", "s", fn_swapcase },
	{ "nospace", "s", fn_nospace }, { "initials", "s", fn_initials },
	{ "trim", "s", fn_trim }, { "trimAll", "ss", fn_trim_all }, { "trimall", "ss", fn_trim_all }, { "trimPrefix", "ss", fn_trim_prefix }, { "trimSuffix", "ss", fn_trim_suffix },
	{ "substr", "iis", fn_substr }, { "trunc", "is", fn_trunc }, { "abbrev", "is", fn_abbrev }, { "abbrevboth", "iis", fn_abbrevboth },
	{ "repeat", "is", fn_repeat }, { "replace", "sss", fn_replace }, { "indent", "is", fn_indent }, { "nindent", "is", fn_nindent },
	{ "wrap", "is", fn_wrap }, { "wrapWith", "iss", fn_wrap_with },
	{ "contains", "ss", fn_contains }, { "hasPrefix", "ss", fn_has_prefix }, { "hasSuffix", "ss", fn_has_suffix }, { "plural", "ssi", fn_plural },
	{ "quote", "a*", fn_quote }, { "squote", "a*", fn_squote }, { "cat", "a*", fn_cat },
	{ "camelcase", "s", fn_camelcase }, { "snakecase", "s", fn_snakecase }, { "kebabcase", "s", fn_kebabcase },
	{ "sha1sum", "s", fn_sha1 }, { "sha256sum", "s", fn_sha256 }, { "sha512sum", "s", fn_sha512 }, { "adler32sum", "s", fn_adler32 },
	{ "shuffle", "s", .why = "its result is random" }, { "randAlphaNum", "i", .why = "its result is random" },
	{ "randAlpha", "i", .why = "its result is random" }, { "randAscii", "i", .why = "its result is random" }, { "randNumeric", "i", .why = "its result is random" },
	{ "randBytes", "i", .why = "its result is random" }, { "randInt", "ii", .why = "its result is random" },
	{ 0 },
};

/* ---- regular expressions --------------------------------------------------------------------------------------------------------------------- */

static bool
compile(struct run *r, str pattern, struct regex **out)
{
	struct err e;
	if (regex_compile(pattern, out, &e) < 0)
		return go_fail(r, "%s", e.msg);
	return true;
}

/* The next match at or after *at, as Go's FindAll steps: an empty match right behind the one before does not count. */
static int
next_match(const struct regex *re, str s, size_t *at, size_t *last_end, struct regex_span *spans, struct err *e)
{
	while (*at <= s.n) {
		int rc = regex_find(re, s, *at, spans, e);
		if (rc <= 0)
			return rc;
		size_t width = 1;
		bool empty = spans[0].end == spans[0].start, stale = empty && spans[0].end == *last_end;
		if (empty && spans[0].end < s.n)
			(void)go_rune(s, spans[0].end, &width);
		*at = spans[0].end + (empty ? width : 0);
		if (stale)
			continue;
		*last_end = spans[0].end;
		return 1;
	}
	return 0;
}

/* Calls fn for up to `most` matches (< 0: all). */
static bool
each_match(struct run *r, str pattern, str s, int64_t most, void (*fn)(void *arg, const struct regex *re, const struct regex_span *spans), void *arg)
{
	struct regex *re;
	struct regex_span spans[REGEX_GROUPS_MAX + 1];
	struct err e;
	size_t at = 0, last = SIZE_MAX;
	int rc = 0;
	if (!compile(r, pattern, &re))
		return false;
	for (int64_t i = 0; (most < 0 || i < most) && (rc = next_match(re, s, &at, &last, spans, &e)) > 0; i++) {
		r->steps++;
		fn(arg, re, spans);
	}
	regex_free(re);
	return rc < 0 ? go_fail(r, "%s", e.msg) : true;
}

struct pieces {
	struct run *r;
	struct val_list *list;
	struct buf *b;
	str s, template;
	size_t end, last_start;
	int64_t most;
	bool literal;
};

static void
push_match(void *arg, const struct regex *re UNUSED, const struct regex_span *spans)
{
	struct pieces *p = arg;
	val_list_add(p->list, val_str(str_slice(p->s, spans[0].start, spans[0].end)));
}

/* "$1", "${name}", "$name" (as long as it goes), "$$". */
static void
expand(struct pieces *p, const struct regex *re, const struct regex_span *spans)
{
	str t = p->template;
	for (size_t i = 0; i < t.n && go_fits(p->r, p->b); i++) {
		if (t.p[i] != '$') {
			buf_addc(p->b, t.p[i]);
			continue;
		}
		if (i + 1 < t.n && t.p[i + 1] == '$') {
			buf_addc(p->b, '$');
			i++;
			continue;
		}
		bool brace = i + 1 < t.n && t.p[i + 1] == '{';
		size_t from = i + 1 + brace, end = from;
		while (end < t.n && (is_digit((unsigned char)t.p[end]) || t.p[end] == '_' || is_letter((unsigned char)t.p[end])))
			end++;
		if (end == from || (brace && (end >= t.n || t.p[end] != '}'))) { /* malformed: plain text */
			buf_addc(p->b, '$');
			continue;
		}
		str name = str_slice(t, from, end);
		int64_t number = -1;
		size_t group = str_to_i64(name, &number) && number >= 0 ? (size_t)number : regex_group_named(re, name);
		bool known = number >= 0 ? group <= regex_groups(re) : group > 0;
		if (known && spans[group].start != SIZE_MAX)
			buf_add(p->b, str_slice(p->s, spans[group].start, spans[group].end));
		i = end - 1 + brace;
	}
}

static void
replace_match(void *arg, const struct regex *re, const struct regex_span *spans)
{
	struct pieces *p = arg;
	buf_add(p->b, str_slice(p->s, p->end, spans[0].start));
	if (p->literal)
		buf_add(p->b, p->template);
	else
		expand(p, re, spans);
	p->end = spans[0].end;
}

static bool
replace_matches(struct run *r, const struct val *v, bool literal, struct val *out)
{
	struct buf b = { 0 };
	struct pieces p = { .r = r, .b = &b, .s = TEXT(1), .template = TEXT(2), .literal = literal };
	if (!each_match(r, TEXT(0), TEXT(1), -1, replace_match, &p)) {
		buf_free(&b);
		return false;
	}
	buf_add(&b, str_slice(TEXT(1), p.end, TEXT(1).n));
	return go_made(r, &b, out);
}

FN(fn_regex_replace) { return replace_matches(r, v, false, out); }
FN(fn_regex_replace_literal) { return replace_matches(r, v, true, out); }

static bool
matches(struct run *r, const struct val *v, bool must, struct val *out)
{
	struct regex *re;
	struct err e;
	*out = val_bool(false);
	if (regex_compile(TEXT(0), &re, &e) < 0) /* regexMatch takes a bad pattern for one that does not match */
		return must ? go_fail(r, "%s", e.msg) : true;
	int rc = regex_matches(re, TEXT(1), &e);
	regex_free(re);
	*out = val_bool(rc > 0);
	return rc < 0 ? go_fail(r, "%s", e.msg) : true;
}

FN(fn_regex_match) { return matches(r, v, false, out); }
FN(fn_must_regex_match) { return matches(r, v, true, out); }

FN(fn_regex_find_all)
{
	struct val_list list = { 0 };
	struct pieces p = { .r = r, .list = &list, .s = TEXT(1) };
	bool ok = each_match(r, TEXT(0), TEXT(1), v[2].i, push_match, &p);
	*out = go_list(r, &list, GO_STRINGS);
	return ok;
}

FN(fn_regex_find)
{
	struct val_list list = { 0 };
	struct pieces p = { .r = r, .list = &list, .s = TEXT(1) };
	bool ok = each_match(r, TEXT(0), TEXT(1), 1, push_match, &p);
	struct val all = go_list(r, &list, GO_STRINGS);
	*out = all.n ? all.items[0] : val_str(S(""));
	return ok;
}

/* Regexp.Split, with its two corners: an empty match at the start separates nothing, one at the end ends the last piece. */
static void
push_between(void *arg, const struct regex *re UNUSED, const struct regex_span *spans)
{
	struct pieces *p = arg;
	if (p->most > 0 && (int64_t)p->list->v.n == p->most - 1)
		return;
	p->last_start = spans[0].start;
	if (spans[0].end)
		val_list_add(p->list, val_str(str_slice(p->s, p->end, spans[0].start)));
	p->end = spans[0].end;
}

FN(fn_regex_split)
{
	struct val_list list = { 0 };
	struct pieces p = { .r = r, .list = &list, .s = TEXT(1), .most = v[2].i };
	bool ok = true, none = v[2].i == 0, blank = TEXT(0).n > 0 && TEXT(1).n == 0;
	if (!none && !blank)
		ok = each_match(r, TEXT(0), TEXT(1), v[2].i, push_between, &p);
	if (!none && (blank || p.last_start != TEXT(1).n))
		val_list_add(&list, val_str(str_slice(TEXT(1), p.end, TEXT(1).n)));
	*out = go_list(r, &list, GO_STRINGS);
	return ok;
}

FN(fn_regex_quote)
{
	struct buf b = { 0 };
	regex_quote_meta(&b, TEXT(0));
	return go_made(r, &b, out);
}

const struct gofn sprig_regex[] = {
	{ "regexMatch", "ss", fn_regex_match }, { "mustRegexMatch", "ss", fn_must_regex_match },
	{ "regexFind", "ss", fn_regex_find }, { "mustRegexFind", "ss", fn_regex_find },
	{ "regexFindAll", "ssi", fn_regex_find_all }, { "mustRegexFindAll", "ssi", fn_regex_find_all },
	{ "regexReplaceAll", "sss", fn_regex_replace }, { "mustRegexReplaceAll", "sss", fn_regex_replace },
	{ "regexReplaceAllLiteral", "sss", fn_regex_replace_literal }, { "mustRegexReplaceAllLiteral", "sss", fn_regex_replace_literal },
	{ "regexSplit", "ssi", fn_regex_split }, { "mustRegexSplit", "ssi", fn_regex_split },
	{ "regexQuoteMeta", "s", fn_regex_quote },
	{ 0 },
};
