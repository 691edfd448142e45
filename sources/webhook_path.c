/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/webhook_path.h"

str
webhook_path_clean(struct arena *a, str path)
{
	bool dirty = path.n == 0 || path.p[0] != '/' || str_find(path, S("//"), 0) != SIZE_MAX || str_find(path, S("/."), 0) != SIZE_MAX;
	if (!dirty)
		return path;
	char *out = arena_alloc(a, path.n + 3, 1);
	size_t n = 0;
	bool slash_at_end = str_ends(path, S("/")) || path.n == 0;
	for (str rest = path; rest.n;) {
		str part = str_cut(&rest, '/');
		if (part.n == 0 || str_eq(part, S(".")))
			continue;
		if (str_eq(part, S(".."))) {
			while (n > 0 && out[--n] != '/')
				continue;
			continue;
		}
		out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	if (n == 0 || slash_at_end)
		out[n++] = '/';
	return (str){ out, n };
}

void
webhook_path_escape(struct buf *b, str path)
{
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-_.~$&+,/:;=@", c));
		if (plain)
			buf_addc(b, (char)c);
		else
			buf_addf(b, "%%%02X", c);
	}
}

/* The end of a variable that begins with the brace at `at`; braces in its pattern are counted. SIZE_MAX: none. */
static size_t
brace_end(str s, size_t at)
{
	int depth = 0;
	for (size_t i = at; i < s.n; i++) {
		depth += (s.p[i] == '{') - (s.p[i] == '}');
		if (depth == 0)
			return i;
	}
	return SIZE_MAX;
}

int
webhook_endpoint_compile(str endpoint, struct regex **out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	*out = NULL;
	if (str_find_char(endpoint, '{', 0) == SIZE_MAX && str_find_char(endpoint, '}', 0) == SIZE_MAX)
		return 0;
	buf_addc(&b, '^');
	for (size_t i = 0; i < endpoint.n;) {
		size_t open = str_find_char(endpoint, '{', i);
		size_t literal = open == SIZE_MAX ? endpoint.n : open;
		if (str_find_char(str_slice(endpoint, i, literal), '}', 0) != SIZE_MAX)
			return err_set(e, ERR_INVALID, "endpoint \"%.*s\": a } without a {", STR_ARG(endpoint));
		regex_quote_meta(&b, str_slice(endpoint, i, literal));
		if (open == SIZE_MAX)
			break;
		size_t close = brace_end(endpoint, open);
		if (close == SIZE_MAX)
			return err_set(e, ERR_INVALID, "endpoint \"%.*s\": a { without a }", STR_ARG(endpoint));
		str pattern = str_slice(endpoint, open + 1, close);
		str name = str_cut(&pattern, ':');
		bool bare = name.n == close - open - 1;
		if (name.n == 0 || (!bare && pattern.n == 0))
			return err_set(e, ERR_INVALID, "endpoint \"%.*s\": a variable is written {name} or {name:pattern}", STR_ARG(endpoint));
		buf_addc(&b, '(');
		buf_add(&b, bare ? S("[^/]+") : pattern);
		buf_addc(&b, ')');
		i = close + 1;
	}
	buf_addc(&b, '$');
	if (regex_compile(buf_str(&b), out, e) < 0)
		return err_wrap(e, "endpoint \"%.*s\"", STR_ARG(endpoint));
	return 0;
}
