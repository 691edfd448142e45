/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern without braces is compared; one with braces becomes a regular expression, each {name} a group. PCRE2 runs with
 * a match limit, because a pattern may come from a manifest and the path comes from a stranger.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/net/http_path.h"

#include <pcre2.h>

#define VARS_MAX 32
#define MATCH_LIMIT 100000

struct http_pattern {
	str text;             /* on the heap */
	pcre2_code *regex;    /* NULL: `text` is the path itself */
	pcre2_match_data *match;
	pcre2_match_context *limits;
	str names[VARS_MAX]; /* into text */
	size_t n;
};

/* ---- compiling ---------------------------------------------------------------------------------------------- */

/* The index of the brace that closes the one at `at`; a regex may hold balanced braces. */
static size_t
closing_brace(str s, size_t at)
{
	int depth = 0;
	for (size_t i = at; i < s.n; i++) {
		depth += s.p[i] == '{';
		depth -= s.p[i] == '}';
		if (depth == 0)
			return i;
	}
	return SIZE_MAX;
}

static void
add_literal(struct buf *regex, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (strchr("\\^$.[]|()?*+{}", s.p[i]))
			buf_addc(regex, '\\');
		buf_addc(regex, s.p[i]);
	}
}

static int
add_variable(struct http_pattern *p, struct buf *regex, str inside, struct err *e)
{
	str name = str_cut(&inside, ':');
	str group = inside.n ? inside : S("[^/]+");
	if (!inside.n && str_ends(name, S("..."))) {
		name.n -= 3;
		group = S(".*");
	}
	if (!name.n)
		return err_set(e, ERR_INVALID, "path %.*s: a variable needs a name, as in {name}", STR_ARG(p->text));
	if (p->n == VARS_MAX)
		return err_set(e, ERR_LIMIT, "path %.*s: more than %d variables", STR_ARG(p->text), VARS_MAX);
	p->names[p->n++] = name;
	buf_addc(regex, '(');
	buf_add(regex, group);
	buf_addc(regex, ')');
	return 0;
}

static int
to_regex(struct http_pattern *p, struct buf *regex, struct err *e)
{
	str t = p->text;
	for (size_t i = 0; i < t.n;) {
		size_t open = str_find_char(t, '{', i);
		add_literal(regex, str_slice(t, i, open));
		if (open == SIZE_MAX)
			break;
		size_t close = closing_brace(t, open);
		if (close == SIZE_MAX)
			return err_set(e, ERR_INVALID, "path %.*s: a { without its }", STR_ARG(t));
		if (add_variable(p, regex, str_slice(t, open + 1, close), e))
			return -1;
		i = close + 1;
	}
	return 0;
}

static int
compile(struct http_pattern *p, struct err *e)
{
	struct buf regex CLEANUP(free_buf) = { 0 };
	if (to_regex(p, &regex, e))
		return -1;
	int code;
	PCRE2_SIZE at;
	p->regex = pcre2_compile((PCRE2_SPTR)regex.p, regex.n, PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL,
		&code, &at, NULL);
	if (!p->regex) {
		PCRE2_UCHAR why[120];
		pcre2_get_error_message(code, why, sizeof why);
		return err_set(e, ERR_INVALID, "path %.*s: %s", STR_ARG(p->text), (const char *)why);
	}
	uint32_t groups = 0;
	pcre2_pattern_info(p->regex, PCRE2_INFO_CAPTURECOUNT, &groups);
	if (groups != p->n)
		return err_set(e, ERR_INVALID, "path %.*s: a regex may only hold groups that do not capture, (?:...)", STR_ARG(p->text));
	p->match = pcre2_match_data_create_from_pattern(p->regex, NULL);
	p->limits = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(p->limits, MATCH_LIMIT);
	return 0;
}

int
http_pattern_new(const char *text, struct http_pattern **out, struct err *e)
{
	if (*text != '/')
		return err_set(e, ERR_INVALID, "path \"%s\": must begin with /", text);
	struct http_pattern *p = MEM_NEW(struct http_pattern);
	struct buf copy = { 0 };
	buf_add(&copy, str_c(text));
	p->text = buf_str(&copy);
	bool literal = str_find_char(p->text, '{', 0) == SIZE_MAX && str_find_char(p->text, '}', 0) == SIZE_MAX;
	if (!literal && compile(p, e)) {
		http_pattern_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

void
http_pattern_free(struct http_pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->regex);
	pcre2_match_data_free(p->match);
	pcre2_match_context_free(p->limits);
	str_disown(p->text);
	free(p);
}

/* ---- matching ----------------------------------------------------------------------------------------------- */

bool
http_pattern_match(const struct http_pattern *p, str path, struct arena *a, const struct http_header **vars, size_t *n)
{
	if (!p->regex) {
		if (vars)
			*n = 0;
		return str_eq(p->text, path);
	}
	if (pcre2_match(p->regex, (PCRE2_SPTR)path.p, path.n, 0, 0, p->match, p->limits) < 0)
		return false;
	if (!vars)
		return true;
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->match);
	struct http_header *v = ARENA_ARRAY(a, struct http_header, p->n);
	for (size_t i = 0; i < p->n; i++)
		v[i] = (struct http_header){ p->names[i], str_slice(path, at[2 * i + 2], at[2 * i + 3]) };
	*vars = v;
	*n = p->n;
	return true;
}

/* ---- decoding ----------------------------------------------------------------------------------------------- */

static int
hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

str
http_unescape(struct arena *a, str s, bool plus)
{
	char *to = arena_alloc(a, s.n + 1, 1);
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			to[n++] = s.p[i] == '+' && plus ? ' ' : s.p[i];
			continue;
		}
		int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
		int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
		if (high < 0 || low < 0)
			return STR_NONE;
		to[n++] = (char)(high << 4 | low);
		i += 2;
	}
	return (str){ to, n };
}

size_t
http_form_parse(struct arena *a, str text, const struct http_header **out)
{
	size_t n = 0, max = 1;
	for (size_t i = 0; i < text.n; i++)
		max += text.p[i] == '&';
	struct http_header *pairs = ARENA_ARRAY(a, struct http_header, max);
	while (text.n) {
		str value = str_cut(&text, '&');
		if (!value.n)
			continue;
		str name = http_unescape(a, str_cut(&value, '='), true);
		value = http_unescape(a, value, true);
		/* As Go's ParseQuery: a pair with a bad escape is left out. */
		if (name.p && value.p)
			pairs[n++] = (struct http_header){ name, value };
	}
	*out = pairs;
	return n;
}
