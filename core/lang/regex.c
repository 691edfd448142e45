/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pattern is read once, from left to right, and written again in PCRE2's words. Everything not known to be RE2's is
 * refused; so a new PCRE2 cannot bring new language in.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/lang/regex.h"

#include <ctype.h>
#include <pcre2.h>

/* Names are kept here and not given to PCRE2, whose rules for them are others. */
struct group_name {
	str name; /* a slice of the regex's own copy of the pattern */
	size_t group;
};

struct regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	uint32_t groups;
	char *pattern;
	VEC(struct group_name) names;
	/* most patterns of filters are plain text between anchors: then it needs no machine */
	struct buf literal;
	bool plain, at_start, at_end;
};

struct reader {
	struct regex *re;
	str p;
	size_t i;
	struct buf out;
	size_t groups;
	bool repeatable; /* what came last can take * + ? {} */
	bool repeated;   /* what came last was one of these */
	struct err *e;
};

static int
refuse(struct reader *r, size_t at, const char *why)
{
	return err_set(r->e, ERR_INVALID, "regular expression at %zu: %s", at + 1, why);
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static char
peek(const struct reader *r, size_t ahead)
{
	return r->i + ahead < r->p.n ? r->p.p[r->i + ahead] : 0;
}

/* \x7F or \x{10FFFF}; r->i on the x */
static int
hex_escape(struct reader *r)
{
	size_t at = r->i - 1;
	uint32_t v = 0;
	r->i++;
	if (peek(r, 0) == '{') {
		size_t digits = 0;
		for (r->i++; hex(peek(r, 0)) >= 0 && digits < 7; r->i++, digits++)
			v = v * 16 + (uint32_t)hex(peek(r, 0));
		if (!digits || peek(r, 0) != '}' || v > 0x10ffff)
			return refuse(r, at, "\\x{...} needs a code point up to 10FFFF");
		r->i++;
	} else {
		if (hex(peek(r, 0)) < 0 || hex(peek(r, 1)) < 0)
			return refuse(r, at, "\\x needs two hexadecimal digits");
		v = (uint32_t)(hex(peek(r, 0)) * 16 + hex(peek(r, 1)));
		r->i += 2;
	}
	buf_addf(&r->out, "\\x{%x}", v);
	return 0;
}

/* \pL, \p{Greek}, \P{^Lu}; r->i on the p */
static int
property(struct reader *r)
{
	size_t at = r->i - 1, end = r->i + 2;
	if (peek(r, 1) == '{') {
		size_t close = str_find_char(r->p, '}', r->i);
		if (close == SIZE_MAX)
			return refuse(r, at, "\\p{ without }");
		end = close + 1;
	} else if (r->i + 1 >= r->p.n) {
		return refuse(r, at, "\\p needs the name of a class of characters");
	}
	buf_addc(&r->out, '\\');
	buf_add(&r->out, str_slice(r->p, r->i, end));
	r->i = end;
	return 0;
}

/* \123, and \1 to \7 only with another octal digit behind: alone it would be a back-reference */
static int
octal(struct reader *r)
{
	if (peek(r, 0) != '0' && !(peek(r, 1) >= '0' && peek(r, 1) <= '7'))
		return refuse(r, r->i - 1, "back-references (\\1) are not part of RE2's language");
	uint32_t v = 0;
	for (int n = 0; n < 3 && peek(r, 0) >= '0' && peek(r, 0) <= '7'; n++)
		v = v * 8 + (uint32_t)(r->p.p[r->i++] - '0');
	buf_addf(&r->out, "\\x{%x}", v);
	return 0;
}

/* Behind a backslash. */
static int
escape(struct reader *r, bool in_class)
{
	static const struct {
		char c;
		const char *outside, *inside; /* NULL: not allowed there */
	} rows[] = {
		{ 's', "[\\t\\n\\f\\r ]", "\\t\\n\\f\\r " }, { 'S', "[^\\t\\n\\f\\r ]", "\\S" }, { 'v', "\\x0b", "\\x0b" },
		{ 'd', "\\d", "\\d" }, { 'D', "\\D", "\\D" }, { 'w', "\\w", "\\w" }, { 'W', "\\W", "\\W" },
		{ 'a', "\\a", "\\a" }, { 'f', "\\f", "\\f" }, { 't', "\\t", "\\t" }, { 'n', "\\n", "\\n" }, { 'r', "\\r", "\\r" },
		{ 'A', "\\A", NULL }, { 'z', "\\z", NULL }, { 'b', "\\b", NULL }, { 'B', "\\B", NULL },
	};
	char c = peek(r, 0);
	if (r->i >= r->p.n)
		return refuse(r, r->i - 1, "a backslash needs something behind it");
	if (c == 'x')
		return hex_escape(r);
	if (c == 'p' || c == 'P')
		return property(r);
	if (c >= '0' && c <= '7')
		return octal(r);
	for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
		const char *to = in_class ? rows[k].inside : rows[k].outside;
		if (rows[k].c == c && to) {
			buf_add(&r->out, str_c(to));
			r->i++;
			return 0;
		}
	}
	if (c == '8' || c == '9' || c == 'k' || c == 'g')
		return refuse(r, r->i - 1, "back-references are not part of RE2's language");
	if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (unsigned char)c >= 0x80)
		return refuse(r, r->i - 1, "unknown escape");
	buf_addf(&r->out, "\\%c", c);
	r->i++;
	return 0;
}

/* [:alpha:] and its kin within a class: its length, 0 if it is none; SIZE_MAX if it has the form but not the name. */
static size_t
posix_class(str s)
{
	static const char *const names[] = { "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
		                             "lower", "print", "punct", "space", "upper", "word",  "xdigit" };
	size_t end = str_find(s, S(":]"), 2);
	if (!str_starts(s, S("[:")) || end == SIZE_MAX)
		return 0;
	str name = str_slice(s, s.n > 2 && s.p[2] == '^' ? 3 : 2, end);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(name, str_c(names[i])))
			return end + 2;
	return SIZE_MAX;
}

static int
class(struct reader *r)
{
	size_t at = r->i;
	buf_addc(&r->out, r->p.p[r->i++]);
	if (peek(r, 0) == '^')
		buf_addc(&r->out, r->p.p[r->i++]);
	for (bool first = true; r->i < r->p.n; first = false) {
		char c = peek(r, 0);
		if (c == ']' && !first) {
			buf_addc(&r->out, c);
			r->i++;
			return 0;
		}
		if (c == '\\') {
			bool set = strchr("dDsSwWpP", peek(r, 1)) && peek(r, 1);
			r->i++;
			if (escape(r, true) < 0)
				return -1;
			if (set && peek(r, 0) == '-') { /* no range begins with a set */
				buf_add(&r->out, S("\\-"));
				r->i++;
			}
			continue;
		}
		if (c == '[') {
			size_t n = posix_class(str_slice(r->p, r->i, r->p.n));
			if (n == SIZE_MAX)
				return refuse(r, r->i, "unknown class of characters");
			if (n)
				buf_add(&r->out, str_slice(r->p, r->i, r->i + n));
			else
				buf_add(&r->out, S("\\["));
			r->i += n ? n : 1;
			continue;
		}
		if (c == ']' || c == ':')
			buf_addc(&r->out, '\\');
		buf_addc(&r->out, c);
		r->i++;
	}
	return refuse(r, at, "[ without ]");
}

static bool
is_name(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!(c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9')))
			return false;
	}
	return s.n > 0;
}

/* What stands behind "(?". */
static int
special_group(struct reader *r)
{
	size_t at = r->i;
	str rest = str_slice(r->p, at, r->p.n);
	size_t name = str_starts(rest, S("(?P<")) ? 4 : str_starts(rest, S("(?<")) ? 3 : 0;
	if (str_starts(rest, S("(?=")) || str_starts(rest, S("(?!")) || str_starts(rest, S("(?<=")) || str_starts(rest, S("(?<!")))
		return refuse(r, at, "look-ahead and look-behind are not part of RE2's language");
	if (str_starts(rest, S("(?>")))
		return refuse(r, at, "atomic groups are not part of RE2's language");
	if (name) {
		size_t close = str_find_char(rest, '>', name);
		if (close == SIZE_MAX || !is_name(str_slice(rest, name, close)))
			return refuse(r, at, "a group's name is letters, digits and _");
		*VEC_PUSH(&r->re->names) = (struct group_name){ str_slice(rest, name, close), ++r->groups };
		buf_addc(&r->out, '(');
		r->i += close + 1;
		return 0;
	}
	size_t i = 2;
	while (i < rest.n && strchr("imsU-", rest.p[i]) && rest.p[i])
		i++;
	if (str_starts(rest, S("(?)"))) { /* no flags: nothing */
		buf_add(&r->out, S("(?:)"));
		r->i += 3;
		return 0;
	}
	if (i >= rest.n || (rest.p[i] != ':' && rest.p[i] != ')'))
		return refuse(r, at, "this form of group is not part of RE2's language: (?:...), (?P<name>...) and (?flags) are");
	buf_add(&r->out, str_slice(rest, 0, i + 1));
	r->i += i + 1;
	return 0;
}

/* {2}, {2,}, {2,5}: the length, 0 if it is plain text; -1 too large */
static int
counted(struct reader *r, size_t *n)
{
	int64_t v[2] = { -1, -1 };
	size_t i = r->i + 1, part = 0, start = i;
	for (; i < r->p.n && part < 2; i++) {
		char c = r->p.p[i];
		if (c >= '0' && c <= '9')
			continue;
		if (i > start && !str_to_i64(str_slice(r->p, start, i), &v[part]))
			v[part] = INT64_MAX;
		if (c == '}')
			break;
		if (c != ',' || part == 1)
			return *n = 0, 0;
		part++;
		start = i + 1;
	}
	*n = 0;
	if (i >= r->p.n || v[0] < 0)
		return 0;
	if (v[0] > REGEX_REPEAT_MAX || v[1] > REGEX_REPEAT_MAX || (v[1] >= 0 && v[1] < v[0]))
		return refuse(r, r->i, "a repeat count is from 0 to 1000, the smaller first");
	*n = i + 1 - r->i;
	return 0;
}

static int
repeat(struct reader *r, size_t n)
{
	if (r->repeated)
		return refuse(r, r->i, r->p.p[r->i] == '+' ? "possessive and doubled repeats are not part of RE2's language"
		                                           : "a repeat of a repeat needs brackets");
	if (!r->repeatable)
		return refuse(r, r->i, "nothing to repeat");
	buf_add(&r->out, str_slice(r->p, r->i, r->i + n));
	r->i += n;
	if (peek(r, 0) == '?') {
		buf_addc(&r->out, '?');
		r->i++;
	}
	r->repeated = true;
	r->repeatable = false;
	return 0;
}

static int
quoted(struct reader *r)
{
	size_t end = str_find(r->p, S("\\E"), r->i + 2);
	str text = str_slice(r->p, r->i + 2, end == SIZE_MAX ? r->p.n : end);
	regex_quote_meta(&r->out, text);
	r->i = end == SIZE_MAX ? r->p.n : end + 2;
	r->repeatable = text.n > 0;
	return 0;
}

static int
group(struct reader *r)
{
	r->repeatable = false;
	if (peek(r, 1) == '*')
		return refuse(r, r->i, "nothing to repeat");
	if (peek(r, 1) == '?')
		return special_group(r);
	buf_addc(&r->out, r->p.p[r->i++]);
	r->groups++;
	return 0;
}

/* One piece of the pattern. */
static int
piece(struct reader *r)
{
	char c = peek(r, 0);
	size_t n = c == '*' || c == '+' || c == '?';
	if (c == '{' && counted(r, &n) < 0)
		return -1;
	if (n)
		return repeat(r, n);
	r->repeated = false;
	r->repeatable = c != '|';
	switch (c) {
	case '\\':
		if (peek(r, 1) == 'Q')
			return quoted(r);
		r->i++;
		return escape(r, false);
	case '[':
		return class(r);
	case '(':
		return group(r);
	case '{':
		buf_addc(&r->out, '\\'); /* plain text, and stays so */
		break;
	}
	buf_addc(&r->out, c);
	r->i++;
	return 0;
}

/* RE2 lets anchors be repeated, PCRE2 wants brackets for that. */
static void
wrap_anchor(struct reader *r, size_t at, size_t written)
{
	str piece_text = str_slice(r->p, at, r->i);
	bool anchor = piece_text.n == 1 ? strchr("^$", piece_text.p[0]) != NULL
	                                : piece_text.n == 2 && piece_text.p[0] == '\\' && strchr("AzbB", piece_text.p[1]);
	if (!anchor || !peek(r, 0) || !strchr("*+?{", peek(r, 0)))
		return;
	r->out.n = written;
	buf_addf(&r->out, "(?:%.*s)", STR_ARG(piece_text));
}

static int
translate(struct reader *r)
{
	while (r->i < r->p.n) {
		size_t at = r->i, written = r->out.n;
		if (piece(r) < 0)
			return -1;
		wrap_anchor(r, at, written);
	}
	if (r->groups > REGEX_GROUPS_MAX)
		return err_set(r->e, ERR_LIMIT, "regular expression: at most %d groups", REGEX_GROUPS_MAX);
	return 0;
}

static int
compile(str pattern, struct regex *re, struct err *e)
{
	int code;
	PCRE2_SIZE at;
	pcre2_compile_context *c = pcre2_compile_context_create(NULL);
	if (!c)
		abort();
	pcre2_set_newline(c, PCRE2_NEWLINE_LF);
	pcre2_set_parens_nest_limit(c, REGEX_GROUPS_MAX);
	re->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n,
	                         PCRE2_DOLLAR_ENDONLY | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, c);
	pcre2_compile_context_free(c);
	if (re->code)
		return 0;
	char text[160] = "";
	pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
	return err_set(e, ERR_INVALID, "regular expression: %s", text);
}

/* ^?TEXT$? of ASCII, where the only escapes are those of punctuation. */
static void
read_literal(struct regex *re, str p)
{
	size_t i = re->at_start = str_starts(p, S("^"));
	for (; i < p.n; i++) {
		char c = p.p[i];
		if (c == '$' && i + 1 == p.n)
			break;
		if (c == '\\')
			c = ++i < p.n && ispunct((unsigned char)p.p[i]) ? p.p[i] : 0;
		else if (strchr(".+*?()|[]{}^$", c))
			c = 0;
		if (c <= 0)
			return;
		buf_addc(&re->literal, c);
	}
	re->at_end = i < p.n;
	re->plain = re->literal.n > 0;
}

static int
find_literal(const struct regex *re, str text, size_t from, struct regex_span *spans)
{
	str want = buf_str(&re->literal);
	if (text.n < want.n || (re->at_start && (from || (re->at_end && text.n != want.n))))
		return 0;
	size_t at = re->at_start ? 0 : re->at_end ? text.n - want.n : str_find(text, want, from);
	if (at < from || at == SIZE_MAX || memcmp(text.p + at, want.p, want.n) != 0)
		return 0;
	if (spans)
		spans[0] = (struct regex_span){ at, at + want.n };
	return 1;
}

int
regex_compile(str pattern, struct regex **out, struct err *e)
{
	if (pattern.n > REGEX_PATTERN_MAX)
		return err_set(e, ERR_LIMIT, "regular expression: longer than %d bytes", REGEX_PATTERN_MAX);
	struct regex *re = MEM_NEW(struct regex);
	re->pattern = mem_alloc(pattern.n + 1);
	if (pattern.n)
		memcpy(re->pattern, pattern.p, pattern.n);
	struct reader r = { .re = re, .p = { re->pattern, pattern.n }, .e = e };
	if (translate(&r) < 0 || compile(buf_str(&r.out), re, e) < 0) {
		buf_free(&r.out);
		regex_free(re);
		return -1;
	}
	buf_free(&r.out);
	re->data = pcre2_match_data_create_from_pattern(re->code, NULL);
	re->limits = pcre2_match_context_create(NULL);
	if (!re->data || !re->limits)
		abort();
	pcre2_set_match_limit(re->limits, REGEX_WORK_MAX);
	pcre2_set_heap_limit(re->limits, 65536); /* KiB */
	pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &re->groups);
	read_literal(re, pattern);
	*out = re;
	return 0;
}

void
regex_free(struct regex *re)
{
	if (!re)
		return;
	pcre2_match_data_free(re->data);
	pcre2_match_context_free(re->limits);
	pcre2_code_free(re->code);
	VEC_FREE(&re->names);
	buf_free(&re->literal);
	free(re->pattern);
	free(re);
}

int
regex_find(const struct regex *re, str text, size_t from, struct regex_span *spans, struct err *e)
{
	if (re->plain)
		return find_literal(re, text, from, spans);
	int n = pcre2_match(re->code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, from, 0, re->data, re->limits);
	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	if (n < 0)
		return err_set(e, ERR_LIMIT, "regular expression: takes too much work on a text of %zu bytes", text.n);
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(re->data);
	for (uint32_t i = 0; spans && i <= re->groups; i++)
		spans[i] = (struct regex_span){ at[2 * i], at[2 * i + 1] };
	return 1;
}

size_t
regex_groups(const struct regex *re)
{
	return re->groups;
}

size_t
regex_group_named(const struct regex *re, str name)
{
	for (size_t i = 0; i < re->names.n; i++)
		if (str_eq(re->names.p[i].name, name))
			return re->names.p[i].group;
	return 0;
}

void
regex_quote_meta(struct buf *b, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] && strchr("\\.+*?()|[]{}^$", s.p[i]))
			buf_addc(b, '\\');
		buf_addc(b, s.p[i]);
	}
}
