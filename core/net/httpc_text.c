/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of calls, and read of answers: nothing here sends. */
#include "core/net/httpc.h"

#include "core/xml.h"

#define EXCERPT ((size_t)200) /* bytes of an answer that are shown in a reason */

str
http_url_public(struct arena *a, str url)
{
	str shown = str_slice(url, 0, str_find_char(url, '?', 0));
	size_t scheme = str_find(shown, S("://"), 0), host = scheme == SIZE_MAX ? 0 : scheme + 3, at = SIZE_MAX;
	for (size_t i = host; i < shown.n && shown.p[i] != '/'; i++)
		if (shown.p[i] == '@') /* a password may hold one, too */
			at = i;
	return at == SIZE_MAX ? shown : arena_fmt(a, "%.*s%.*s", STR_ARG(str_slice(shown, 0, host)), STR_ARG(str_slice(shown, at + 1, shown.n)));
}

str
http_excerpt(struct arena *a, str text)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	text = str_trim(text);
	for (size_t i = 0; i < text.n && i < EXCERPT; i++)
		buf_addc(&b, (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7F ? ' ' : text.p[i]);
	return arena_dup(a, buf_str(&b));
}

str
http_xml_refusal(struct arena *a, str body)
{
	str code = xml_find(body, "Code", a), message = xml_find(body, "Message", a);
	return code.n ? arena_fmt(a, "%.*s: %.*s", STR_ARG(code), STR_ARG(message)) : STR_NONE;
}

str
http_answer_header(const struct http_answer *ans, const char *name)
{
	for (size_t i = ans->headers_n; i-- > 0;)
		if (str_eq_nocase(ans->headers[i].name, str_c(name)))
			return ans->headers[i].value;
	return STR_NONE;
}
