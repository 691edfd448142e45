/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_write: block style, lists at the column of their key as kubectl prints them. Strings are plain where no reader,
 * of YAML 1.1 or 1.2, would take them for something else; text of several lines is a literal block where that is exact.
 */
#include "core/val.h"

#include <math.h>
#include <strings.h>

#include "core/utf8.h"

/* libyaml reads keys up to 1024 characters without the explicit "? ". */
#define LONG_KEY 200

static void
spaces(struct buf *b, unsigned n)
{
	while (n--)
		buf_addc(b, ' ');
}

/* Whether YAML's reader takes the character as it is, and a terminal shows it. */
static bool
printable(uint32_t c)
{
	return c == '\t' || (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c < 0xfffe && c != 0x2028 && c != 0x2029 &&
		c != 0xfeff) ||
	       (c >= 0x10000 && c <= 0x10ffff);
}

static bool
all_printable(str s, bool newlines)
{
	for (size_t i = 0; i < s.n;) {
		unsigned len = utf8_len(s.p + i, s.n - i), got;
		if (!len || (!printable(utf8_get(s.p + i, s.n - i, &got)) && !(newlines && s.p[i] == '\n')))
			return false;
		i += len;
	}
	return true;
}

/* Words that YAML 1.1 readers take for booleans, and numbers, dates and times by one broad stroke. */
static bool
looks_typed(str s)
{
	static const char *const words[] = { "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=",
		"<<" };
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq_nocase(s, str_c(words[i])))
			return true;
	struct val v = val_str(s);
	v.flags |= VAL_PLAIN;
	if (val_resolve(&v).kind != VAL_STR)
		return true;
	if (!strchr("0123456789+-.", *s.p))
		return false;
	size_t i = 0;
	while (i < s.n && s.p[i] && strchr("0123456789abcdefABCDEFxXoO_.:+-TtZz ", s.p[i]))
		i++;
	return i == s.n;
}

static bool
plain_is_safe(str s)
{
	if (!s.n || s.n > 4096 || s.p[0] == ' ' || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == ':' || looks_typed(s))
		return false;
	if (str_starts(s, S("---")) || str_starts(s, S("...")))
		return false;
	if (strchr("-?:", s.p[0]) ? s.n == 1 || s.p[1] == ' ' : strchr(",[]{}#&*!|>'\"%@`", s.p[0]) != NULL)
		return false;
	if (str_find(s, S(": "), 0) != SIZE_MAX || str_find(s, S(" #"), 0) != SIZE_MAX || str_find_char(s, '\t',
		0) != SIZE_MAX)
		return false;
	return all_printable(s, false);
}

static void
double_quoted(struct buf *b, str s)
{
	static const char from[] = "\"\\\b\n\r\t", names[] = "\"\\bnrt";
	buf_addc(b, '"');
	for (size_t i = 0; i < s.n;) {
		unsigned len;
		uint32_t c = utf8_get(s.p + i, s.n - i, &len);
		const char *known = c && c < 0x80 ? strchr(from, (int)c) : NULL;
		if (known)
			buf_addf(b, "\\%c", names[known - from]);
		else if (printable(c) && (c != 0xfffd || len == 3))
			buf_add(b, (str){ s.p + i, len });
		else
			buf_addf(b, c < 0x100 ? "\\x%02X" : c < 0x10000 ? "\\u%04X" : "\\U%08X", c);
		i += len;
	}
	buf_addc(b, '"');
}

/* Exact as a literal block: no leading blank or empty line (its indentation could not be told), only printable text. */
static bool
literal_is_safe(str s)
{
	return str_find_char(s, '\n', 0) != SIZE_MAX && !strchr(" \t\n", s.p[0]) && all_printable(s, true);
}

static void
literal(struct buf *b, str s, unsigned indent)
{
	bool newline = s.p[s.n - 1] == '\n', more = newline && s.n > 1 && s.p[s.n - 2] == '\n';
	buf_add(b, more ? S("|+") : newline ? S("|") : S("|-"));
	while (s.n) {
		str line = str_cut(&s, '\n');
		buf_addc(b, '\n');
		if (line.n)
			spaces(b, indent);
		buf_add(b, line);
	}
}

/* `indent` is the least depth of further lines. */
static void
scalar(struct buf *b, const struct val *v, unsigned indent)
{
	struct val r = val_resolve(v);
	if (r.kind == VAL_FLOAT && !isfinite(r.f))
		buf_add(b, isnan(r.f) ? S(".nan") : r.f > 0 ? S(".inf") : S("-.inf"));
	else if (r.kind == VAL_LIST)
		buf_add(b, S("[]"));
	else if (r.kind == VAL_MAP)
		buf_add(b, S("{}"));
	else if (r.kind != VAL_STR)
		json_write_buf(b, &r);
	else if (plain_is_safe(val_text(&r)))
		buf_add(b, val_text(&r));
	else if (r.n && literal_is_safe(val_text(&r)))
		literal(b, val_text(&r), indent);
	else
		double_quoted(b, val_text(&r));
	buf_addc(b, '\n');
}

static bool
is_block(const struct val *v)
{
	return (v->kind == VAL_LIST || v->kind == VAL_MAP) && v->n;
}

static void block(struct buf *b, const struct val *v, unsigned indent, bool started);

static void
member(struct buf *b, const struct member *m, unsigned indent)
{
	str key = val_key(m);
	if (key.n > LONG_KEY)
		buf_add(b, S("? "));
	if (plain_is_safe(key))
		buf_add(b, key);
	else
		double_quoted(b, key);
	if (key.n > LONG_KEY) {
		buf_addc(b, '\n');
		spaces(b, indent);
	}
	buf_addc(b, ':');
	if (is_block(&m->value)) {
		buf_addc(b, '\n');
		block(b, &m->value, m->value.kind == VAL_MAP ? indent + 2 : indent, false);
	} else {
		buf_addc(b, ' ');
		scalar(b, &m->value, indent + 2);
	}
}

/* A list or map with at least one entry. `started`: the cursor is already where the first entry goes. */
static void
block(struct buf *b, const struct val *v, unsigned indent, bool started)
{
	for (uint32_t i = 0; i < v->n; i++) {
		if (i || !started)
			spaces(b, indent);
		if (v->kind == VAL_MAP) {
			member(b, &v->members[i], indent);
			continue;
		}
		buf_add(b, S("- "));
		if (is_block(&v->items[i]))
			block(b, &v->items[i], indent + 2, true);
		else
			scalar(b, &v->items[i], indent + 2);
	}
}

void
yaml_write_buf(struct buf *b, const struct val *v)
{
	if (is_block(v))
		block(b, v, 0, false);
	else
		scalar(b, v, 2);
}
