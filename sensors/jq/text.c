/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/jq/text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * What gojq has beyond jq 1.6 or does otherwise, on one line, so that jq's line numbers are the program's. Among it are repairs of jq 1.6:
 * matches of nothing (its `match` repeats them, its `sub` never ends), `indices` of texts by bytes, `|= empty`. Objects are walked in the
 * order of their keys.
 */
static const char prelude[] =
	"def limit($n; f): if $n > 0 then label $__limit | foreach f as $x (0; . + 1; $x, if . >= $n then break $__limit else empty end) "
	"elif $n == 0 then empty else error(\"negative limit\") end; "
	"def skip($n; f): if $n > 0 then foreach f as $x ($n; . - 1; if . < 0 then $x else empty end) elif $n == 0 then f else "
	"error(\"negative skip\") end; "
	"def nth($n; f): if $n < 0 then error(\"nth of a negative index\") else first(skip($n; f)) end; "
	"def last(f): reduce f as $x ([]; [$x]) | .[]; "
	"def pick(f): . as $top | reduce path(f) as $p (null; setpath($p; $top | getpath($p))); "
	"def debug(f): .; "
	"def add(f): reduce f as $x (null; . + $x); "
	"def toarray: if type == \"array\" then . else [.] end; "
	"def abs: if type == \"number\" then (if . < 0 then - . else . end) else error(type + \" has no absolute value\") end; "
	"def gamma: tgamma; "
	"def have_literal_numbers: true; def have_decnum: false; "
	"def keys_unsorted: keys; "
	"def to_entries: [keys[] as $k | {key: $k, value: .[$k]}]; "
	"def with_entries(f): to_entries | map(f) | from_entries; "
	"def _modify(paths; update): reduce path(paths) as $p ([., []]; [getpath([0] + $p) | first(update)] as $new | if $new == [] then "
	"setpath([1]; .[1] + [$p]) else setpath([0] + $p; $new[0]) end) | .[1] as $gone | .[0] | delpaths($gone); "
	"def map_values(f): if type == \"array\" then [.[] | first(f)] else .[] |= f end; "
	"def indices($i): if type == \"array\" then (if ($i | type) != \"array\" then .[[$i]] elif $i == [] then null else .[$i] end) elif "
	"type != \"string\" or ($i | type) != \"string\" then .[$i] elif $i == \"\" then [] elif ($i | length) == 1 and utf8bytelength == "
	"length then _strindices($i) else explode | .[$i | explode] end; "
	"def index($i): indices($i) | .[0]; def rindex($i): indices($i) | .[-1:][0]; "
	"def _once: split(\"g\") | join(\"\"); "
	"def _may_be_nothing($re; $flags): (\"\" | _match_impl($re; $flags; true)) or ($re | "
	"_match_impl(\"\\\\\\\\[bB]|\\\\(\\\\?<?[=!]\"; null; true)); "
	"def _from($s; $re; $flags; $at; $stop): if $at > ($s | length) then empty else first((if $at == 0 then $s | _match_impl($re; "
	"$flags; false) else $s[$at - 1:] | _match_impl(\"\\\\A(?s:.+?)\\\\K(?:\" + $re + (if $flags | contains(\"x\") then \"\\n\" else "
	"\"\" end) + \")\"; $flags; false) end)[]) as $m | (if $at == 0 then 0 else $at - 1 end) as $skip | ($m.offset + $skip) as $offset "
	"| (if $m.length == 0 and $offset == $stop then empty else $m | setpath([\"offset\"]; $offset) | setpath([\"captures\"]; "
	"[.captures[] | if .offset < 0 then . else setpath([\"offset\"]; .offset + $skip) end]) end), _from($s; $re; $flags; (if $m.length "
	"== 0 then $offset + 1 else $offset + $m.length end); $offset + $m.length) end; "
	"def _empties($s; $re; $flags): reduce .[] as $m ([]; if $m.length == 0 and length > 0 and (.[-1] | .offset + .length) == "
	"$m.offset then . else . + [$m] end) | .[], (if ($flags // \"\" | contains(\"g\")) and (.[-1] | .length == 0 and .offset < ($s | "
	"length)) then $s | _match_impl(\"(?=\\\\z)(?:\" + $re + (if $flags | contains(\"x\") then \"\\n\" else \"\" end) + \")\"; $flags "
	"| _once; false)[] else empty end); "
	"def match($re; $flags): . as $s | if ($flags | type) == \"string\" and ($flags | contains(\"g\")) and type == \"string\" and ($re "
	"| type) == \"string\" and utf8bytelength != length and _may_be_nothing($re; $flags | _once) then _from($s; $re; $flags | _once; "
	"0; -1) else _match_impl($re; $flags; false) | if all(.[]; .length > 0) then .[] else _empties($s; $re; $flags) end end; "
	"def match($val): ($val | type) as $t | if $t == \"string\" then match($val; null) elif $t == \"array\" and ($val | length) > 1 "
	"then match($val[0]; $val[1]) elif $t == \"array\" and ($val | length) > 0 then match($val[0]; null) else error($t + \" is no "
	"regular expression\") end; "
	"def scan($re; $flags): match($re; \"g\" + $flags) | if (.captures | length) > 0 then [.captures[].string] else .string end; "
	"def scan($re): scan($re; null); "
	"def split($re; $flags): . as $s | [match($re; \"g\" + $flags) | [.offset, .offset + .length]] as $m | [range(($m | length) + 1) "
	"as $k | $s[(if $k == 0 then 0 else $m[$k - 1][1] end):($m[$k] // [null])[0]]]; "
	"def splits($re; $flags): split($re; $flags) | .[]; def splits($re): splits($re; null); "
	"def _named: [.captures[] | select(.name != null) | {key: .name, value: .string}] | from_entries; "
	"def sub($re; str; $flags): . as $in | [match($re; $flags)] as $m | [$m[] | [_named | str]] as $new | ([$new[] | length] | max // "
	"0) as $count | if $count == 0 then $in else range($count) as $i | [range($m | length) as $k | $in[(if $k == 0 then 0 else $m[$k - "
	"1] | .offset + .length end):$m[$k].offset], $new[$k][$i]] + [$in[($m[-1] | .offset + .length):]] | add end; "
	"def sub($re; str): sub($re; str; \"\"); def gsub($re; str; $flags): sub($re; str; $flags + \"g\"); def gsub($re; str): sub($re; "
	"str; \"g\"); "
	"def _text(f): if type == \"string\" then f else error(type + \" cannot be trimmed\") end; "
	"def ltrim: _text(sub(\"\\\\A\\\\s+\"; \"\")); def rtrim: _text(sub(\"\\\\s+\\\\z\"; \"\")); def trim: ltrim | rtrim; "
	"def trimstr($x): ltrimstr($x) | rtrimstr($x); "
	"def _base64: \"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\"; "
	"def _bits($n): . as $x | [range($n - 1; -1; -1) as $i | ($x / pow(2; $i) | floor) % 2]; "
	"def _number: reduce .[] as $b (0; . * 2 + $b); "
	"def _bits_text: .[:((length / 8 | floor) * 8)] | [range(0; length; 6) as $i | .[$i:$i + 6] | (. + [range(length; 6) | 0]) | "
	"_number | _base64[.:. + 1]] | add // \"\" | . + (\"====\"[:(4 - length % 4) % 4]) | @base64d; "
	"def _base32d: [tostring | explode[] | select(. != 61) | if . >= 65 and . <= 90 then . - 65 elif . >= 50 and . <= 55 then . - 24 "
	"else error(\"not base32\") end] | [.[] | _bits(5)[]] | _bits_text; "
	"def _hex: if . >= 97 then . - 87 elif . >= 65 then . - 55 else . - 48 end; "
	"def _urid: [tostring | scan(\"(?:%[0-9a-fA-F]{2})+|[^%]+|%\") | if test(\"\\\\A%.\") then explode | [range(0; length; 3) as $i | "
	"(.[$i + 1] | _hex) * 16 + (.[$i + 2] | _hex) | _bits(8)[]] | _bits_text else . end] | add // \"\"; "
	"def _sorted: . as $o | if type == \"object\" then reduce keys[] as $k ({}; setpath([$k]; $o[$k] | _sorted)) elif type == "
	"\"array\" then map(_sorted) else . end; "
	"def _tojson: tojson; def tojson: _sorted | _tojson; def tostring: if type == \"string\" then . else tojson end; "
	"def _format(f): format(f); "
	"def format(f): f as $f | if $f == \"text\" then tostring elif $f == \"json\" then tojson elif $f == \"base32d\" then _base32d "
	"elif $f == \"urid\" then _urid else _format($f) end; ";

/* ---- output -------------------------------------------------------------------------------------------------------- */

struct out {
	char *p;
	size_t n, cap;
};

static bool
put(struct out *o, const char *s, size_t n)
{
	if (o->n + n + 1 > o->cap) {
		size_t cap = 2 * o->cap + n + 1;
		char *p = realloc(o->p, cap);
		if (!p)
			return false;
		o->p = p;
		o->cap = cap;
	}
	memcpy(o->p + o->n, s, n);
	o->n += n;
	o->p[o->n] = 0;
	return true;
}

/* ---- the program's tokens --------------------------------------------------------------------------------------------- */

enum { DEPTH_MAX = 1000 };

struct scan {
	const char *s;
	size_t n, i;
	struct out *o;
	/* for each `if` that is open: whether its `else` came */
	bool has_else[DEPTH_MAX];
	size_t ifs;
	/* for each string whose interpolation we are in: the parentheses open in it */
	unsigned parens[DEPTH_MAX];
	size_t strings;
	size_t keyword; /* where the last keyword ended: a dot there begins a term */
};

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* From the quote, or from the end of an interpolation, to the end of the string or to the next "\(". */
static bool
string(struct scan *c)
{
	size_t start = c->i;
	while (c->i < c->n && c->s[c->i] != '"') {
		if (c->s[c->i] != '\\') {
			c->i++;
			continue;
		}
		bool into = c->i + 1 < c->n && c->s[c->i + 1] == '(';
		c->i += c->i + 2 <= c->n ? 2 : 1;
		if (into && c->strings < DEPTH_MAX) {
			c->parens[c->strings++] = 0;
			return put(c->o, c->s + start, c->i - start);
		}
	}
	c->i += c->i < c->n;
	return put(c->o, c->s + start, c->i - start);
}

/* The last byte that is not white space, before what comes next. */
static char
before(const struct scan *c, size_t at)
{
	while (at > 0 && isspace((unsigned char)c->s[at - 1]))
		at--;
	return at ? c->s[at - 1] : 0;
}

static char
after(const struct scan *c, size_t at)
{
	while (at < c->n && isspace((unsigned char)c->s[at]))
		at++;
	return at < c->n ? c->s[at] : 0;
}

static bool
is_keyword(const char *w, size_t n)
{
	static const char *const words[] = { "if", "then", "elif", "else", "and", "or", "as", "def", "reduce", "foreach", "try", "catch", "label", "import",
		                             "include" };
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i]) == n && !memcmp(words[i], w, n))
			return true;
	return false;
}

static bool
word(struct scan *c)
{
	size_t start = c->i;
	while (c->i < c->n && is_word(c->s[c->i]))
		c->i++;
	const char *w = c->s + start;
	size_t n = c->i - start;
	char left = start ? c->s[start - 1] : 0;
	bool plain = left != '.' && left != '$' && left != '@' && !(after(c, c->i) == ':' && strchr("{,", before(c, start)));
	if (plain && is_keyword(w, n))
		c->keyword = c->i;
	if (plain && n == 2 && !memcmp(w, "if", 2) && c->ifs < DEPTH_MAX)
		c->has_else[c->ifs++] = false;
	else if (plain && n == 4 && !memcmp(w, "else", 4) && c->ifs)
		c->has_else[c->ifs - 1] = true;
	else if (plain && n == 3 && !memcmp(w, "end", 3) && c->ifs && !c->has_else[--c->ifs] && !put(c->o, "else . ", 7))
		return false;
	return put(c->o, w, n);
}

static bool
comment(struct scan *c)
{
	size_t start = c->i;
	while (c->i < c->n && c->s[c->i] != '\n')
		c->i++;
	return put(c->o, c->s + start, c->i - start);
}

/* A dot behind a term and before a bracket is one too many for jq 1.6. */
static bool
is_spare_dot(const struct scan *c)
{
	char left = c->i ? c->s[c->i - 1] : 0;
	return c->s[c->i] == '.' && c->i != c->keyword && c->i + 1 < c->n && c->s[c->i + 1] == '[' && left && (is_word(left) || strchr("])\"?", left));
}

static bool
token(struct scan *c)
{
	char ch = c->s[c->i];
	if (is_word(ch))
		return word(c);
	if (ch == '#')
		return comment(c);
	c->i++;
	if (ch == '"')
		return put(c->o, "\"", 1) && string(c);
	if (ch == '(' && c->strings)
		c->parens[c->strings - 1]++;
	if (ch == ')' && c->strings && c->parens[c->strings - 1]-- == 0) {
		c->strings--;
		return put(c->o, ")", 1) && string(c);
	}
	return put(c->o, &ch, 1);
}

char *
jq_text(const char *program, size_t n)
{
	struct out o = { 0 };
	struct scan *c = calloc(1, sizeof *c);
	bool ok = c && put(&o, prelude, sizeof prelude - 1);
	if (c)
		*c = (struct scan){ .s = program, .n = n, .o = &o };
	while (ok && c->i < n) {
		if (is_spare_dot(c))
			c->i++;
		ok = token(c);
	}
	free(c);
	if (ok)
		return o.p;
	free(o.p);
	return NULL;
}
