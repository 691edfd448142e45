/* SPDX-License-Identifier: Apache-2.0 */
#include "core/xml.h"

#include "core/utf8.h"

/* ---- errors and places ------------------------------------------------------------------------------------------------ */

static int
fail(const struct xml_reader *x, struct err *e, enum err_code code, const char *what)
{
	size_t line = 1;
	for (size_t i = 0; i < x->at && i < x->text.n; i++)
		line += x->text.p[i] == '\n';
	return err_set(e, code, "XML, line %zu: %s", line, what);
}

static str
rest(const struct xml_reader *x)
{
	return str_slice(x->text, x->at, x->text.n);
}

/* Skips to behind the next `mark`. */
static int
skip_past(struct xml_reader *x, str mark, const char *what, struct err *e)
{
	size_t to = str_find(x->text, mark, x->at);
	if (to == SIZE_MAX)
		return fail(x, e, ERR_INVALID, what);
	x->at = to + mark.n;
	return 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_space(struct xml_reader *x)
{
	while (x->at < x->text.n && is_space(x->text.p[x->at]))
		x->at++;
}

static bool
is_blank(str s)
{
	return str_trim(s).n == 0;
}

/* ---- entities --------------------------------------------------------------------------------------------------------- */

/* The code point of "#38" or "#x26"; -1: none that may stand in XML (2.2). */
static int64_t
numeric(str name)
{
	bool hex = name.n > 1 && name.p[1] == 'x';
	int64_t v = 0;
	if (name.n < (hex ? 3u : 2u) || name.n > 10)
		return -1;
	for (size_t i = hex ? 2 : 1; i < name.n; i++) {
		char c = name.p[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : hex && (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
		if (digit < 0)
			return -1;
		v = v * (hex ? 16 : 10) + digit;
	}
	bool good = v == 9 || v == 10 || v == 13 || (v >= 0x20 && v <= 0xD7FF) || (v >= 0xE000 && v <= 0xFFFD) || (v >= 0x10000 && v <= 0x10FFFF);
	return good ? v : -1;
}

static int64_t
entity(str name)
{
	static const struct {
		const char *name;
		char c;
	} known[] = { { "lt", '<' }, { "gt", '>' }, { "amp", '&' }, { "quot", '"' }, { "apos", '\'' } };
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(name, str_c(known[i].name)))
			return known[i].c;
	return name.n && name.p[0] == '#' ? numeric(name) : -1;
}

/* The characters with their references replaced. A carriage return before a line feed goes, any other becomes one (2.11). */
static int
decode(const struct xml_reader *x, str raw, struct arena *a, str *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	*out = raw;
	if (str_find_char(raw, '&', 0) == SIZE_MAX && str_find_char(raw, '\r', 0) == SIZE_MAX)
		return 0;
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];
		if (c == '\r') {
			if (i + 1 == raw.n || raw.p[i + 1] != '\n')
				buf_addc(&b, '\n');
			continue;
		}
		if (c != '&') {
			buf_addc(&b, c);
			continue;
		}
		size_t end = str_find_char(raw, ';', i);
		int64_t code = end == SIZE_MAX ? -1 : entity(str_slice(raw, i + 1, end));
		if (code < 0)
			return fail(x, e, ERR_INVALID, "& that begins none of the known references");
		b.n += (size_t)(utf8_put(buf_room(&b, 4), (uint32_t)code) - (b.p + b.n));
		i = end;
	}
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

/* ---- tags ------------------------------------------------------------------------------------------------------------- */

static str
take_name(struct xml_reader *x)
{
	size_t from = x->at;
	while (x->at < x->text.n && !is_space(x->text.p[x->at]) && !strchr("/>=<&\"'", x->text.p[x->at]))
		x->at++;
	return str_slice(x->text, from, x->at);
}

static str
local(str name)
{
	size_t colon = str_find_char(name, ':', 0);
	return colon == SIZE_MAX ? name : str_slice(name, colon + 1, name.n);
}

static int
skip_attribute(struct xml_reader *x, struct err *e)
{
	if (!take_name(x).n)
		return fail(x, e, ERR_INVALID, "an attribute without a name");
	skip_space(x);
	if (!str_starts(rest(x), S("=")))
		return fail(x, e, ERR_INVALID, "an attribute without a value");
	x->at++;
	skip_space(x);
	char quote = x->at < x->text.n ? x->text.p[x->at] : 0;
	if (quote != '"' && quote != '\'')
		return fail(x, e, ERR_INVALID, "the value of an attribute is not quoted");
	x->at++;
	return skip_past(x, (str){ &quote, 1 }, "the value of an attribute does not end", e);
}

static int
open_tag(struct xml_reader *x, str *out, struct err *e)
{
	x->at++;
	str name = take_name(x);
	*out = local(name);
	if (!out->n)
		return fail(x, e, ERR_INVALID, "< that begins no tag");
	if (x->began && !x->depth)
		return fail(x, e, ERR_INVALID, "a second root element");
	for (skip_space(x); !str_starts(rest(x), S(">")); skip_space(x)) {
		if (str_starts(rest(x), S("/>"))) {
			x->closes = true;
			x->at++;
		} else if (skip_attribute(x, e) < 0) {
			return -1;
		}
	}
	x->at++;
	x->began = true;
	if (x->depth == XML_DEPTH_MAX)
		return fail(x, e, ERR_LIMIT, "too many elements within each other");
	x->open[x->depth++] = name;
	return XML_OPEN;
}

static int
close_tag(struct xml_reader *x, str *out, struct err *e)
{
	x->at += 2;
	str name = take_name(x);
	skip_space(x);
	if (!x->depth || !str_eq(name, x->open[x->depth - 1]) || !str_starts(rest(x), S(">")))
		return fail(x, e, ERR_INVALID, "an end tag that ends no element");
	x->at++;
	x->depth--;
	*out = local(name);
	return XML_CLOSE;
}

static int
character_data(struct xml_reader *x, struct arena *a, str *out, struct err *e)
{
	size_t to = str_find_char(x->text, '<', x->at);
	str raw = str_slice(x->text, x->at, to == SIZE_MAX ? x->text.n : to);
	if (!x->depth && !is_blank(raw))
		return fail(x, e, ERR_INVALID, "text outside of the root element");
	if (decode(x, raw, a, out, e) < 0)
		return -1;
	x->at += raw.n;
	return XML_TEXT;
}

static int
cdata(struct xml_reader *x, str *out, struct err *e)
{
	size_t from = x->at += sizeof "<![CDATA[" - 1;
	if (!x->depth)
		return fail(x, e, ERR_INVALID, "text outside of the root element");
	if (skip_past(x, S("]]>"), "CDATA that does not end", e) < 0)
		return -1;
	*out = str_slice(x->text, from, x->at - 3);
	return XML_TEXT;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

/* Characters that must not be in XML, and bytes that are no UTF-8, are refused where the reading begins. */
static int
check_bytes(struct xml_reader *x, struct err *e)
{
	if (!utf8_valid(x->text))
		return fail(x, e, ERR_INVALID, "the text is not UTF-8");
	for (; x->at < x->text.n; x->at++)
		if ((unsigned char)x->text.p[x->at] < ' ' && !is_space(x->text.p[x->at]))
			return fail(x, e, ERR_INVALID, "a control character");
	x->at = 0;
	return 0;
}

/* What is not told. 1: something was skipped. */
static int
skip_markup(struct xml_reader *x, struct err *e)
{
	if (str_starts(rest(x), S("<!--")))
		return skip_past(x, S("-->"), "a comment that does not end", e) < 0 ? -1 : 1;
	if (str_starts(rest(x), S("<?")))
		return skip_past(x, S("?>"), "a processing instruction that does not end", e) < 0 ? -1 : 1;
	if (!x->depth && x->at < x->text.n && is_space(x->text.p[x->at])) {
		skip_space(x);
		return 1;
	}
	return 0;
}

int
xml_next(struct xml_reader *x, struct arena *a, str *out, struct err *e)
{
	int skipped = 0;
	*out = STR_NONE;
	if (x->closes) {
		x->closes = false;
		*out = local(x->open[--x->depth]);
		return XML_CLOSE;
	}
	if (!x->at && check_bytes(x, e) < 0)
		return -1;
	if (!x->at && str_starts(x->text, S("\xEF\xBB\xBF")))
		x->at = 3;
	while ((skipped = skip_markup(x, e)) > 0)
		;
	if (skipped < 0)
		return -1;
	if (x->at == x->text.n)
		return x->began && !x->depth ? (int)XML_END : fail(x, e, ERR_INVALID, "the text ends too early");
	if (x->text.p[x->at] != '<')
		return character_data(x, a, out, e);
	if (str_starts(rest(x), S("</")))
		return close_tag(x, out, e);
	if (str_starts(rest(x), S("<![CDATA[")))
		return cdata(x, out, e);
	if (str_starts(rest(x), S("<!")))
		return fail(x, e, ERR_UNSUPPORTED, "document types are not read");
	return open_tag(x, out, e);
}

/* ---- records ---------------------------------------------------------------------------------------------------------- */

/* Reads to the end of the element that was just opened. *out is its text, or absent if it has elements. */
static int
element_text(struct xml_reader *x, struct arena *a, str *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	unsigned depth = x->depth;
	bool flat = true;
	while (x->depth >= depth) {
		str part;
		int kind = xml_next(x, a, &part, e);
		if (kind < 0)
			return -1;
		flat &= kind != XML_OPEN;
		if (kind == XML_TEXT && flat)
			buf_add(&b, part);
	}
	*out = flat ? arena_dup(a, buf_str(&b)) : STR_NONE;
	return 0;
}

static int
read_child(struct xml_reader *x, str name, const struct xml_field *fields, size_t n, struct arena *a, struct err *e)
{
	str text;
	if (element_text(x, a, &text, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, str_c(fields[i].name)) && !fields[i].out->p)
			*fields[i].out = text;
	return 0;
}

/* Until an element of that name opens. 1: it did. */
static int
find_open(struct xml_reader *x, const char *element, struct arena *a, struct err *e)
{
	str name;
	for (int kind; (kind = xml_next(x, a, &name, e)) != XML_END;)
		if (kind < 0 || (kind == XML_OPEN && str_eq(name, str_c(element))))
			return kind < 0 ? -1 : 1;
	return 0;
}

int
xml_record(struct xml_reader *x, const char *element, const struct xml_field *fields, size_t n, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		*fields[i].out = STR_NONE;
	int found = find_open(x, element, a, e);
	if (found <= 0)
		return found;
	unsigned depth = x->depth;
	while (x->depth >= depth) {
		str name;
		int kind = xml_next(x, a, &name, e);
		if (kind < 0 || (kind == XML_OPEN && read_child(x, name, fields, n, a, e) < 0))
			return -1;
	}
	return 1;
}

str
xml_find(str text, const char *element, struct arena *a)
{
	struct xml_reader x = { .text = text };
	struct err e;
	str out;
	return find_open(&x, element, a, &e) > 0 && element_text(&x, a, &out, &e) == 0 ? out : STR_NONE;
}

void
xml_escape(struct buf *b, str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		buf_add(b, c == '<' ? S("&lt;") : c == '>' ? S("&gt;") : c == '&' ? S("&amp;") : (str){ &text.p[i], 1 });
	}
}
