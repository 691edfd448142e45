/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/multipart.h"

#define BOUNDARY_MAX 70u       /* RFC 2046 */
#define HEAD_MAX (64u << 10)   /* of a part */

/* A token or a quoted text from the beginning of `rest`, which is left behind it; without its quotes, what is escaped in it still is. */
static str
take_value(str *rest)
{
	size_t n = 0;
	if (!str_starts(*rest, S("\""))) {
		while (n < rest->n && !strchr("; \t\r\n", rest->p[n]))
			n++;
		str token = str_slice(*rest, 0, n);
		*rest = str_slice(*rest, n, rest->n);
		return token;
	}
	for (n = 1; n < rest->n && rest->p[n] != '"'; n++)
		n += rest->p[n] == '\\';
	str text = str_slice(*rest, 1, n);
	*rest = str_slice(*rest, n + 1, rest->n);
	return text;
}

/* "form-data; name=x; filename=y": the parameter `name`; absent: there is none. */
static str
parameter(str header, str name)
{
	str rest = header;
	(void)take_value(&rest); /* what the parameters are of */
	while (rest.n) {
		while (rest.n && strchr("; \t", *rest.p))
			rest = str_slice(rest, 1, rest.n);
		size_t equals = str_find_char(rest, '=', 0);
		if (equals == SIZE_MAX)
			break;
		str key = str_trim(str_slice(rest, 0, equals));
		rest = str_slice(rest, equals + 1, rest.n);
		str value = take_value(&rest);
		if (str_eq_nocase(key, name))
			return value;
	}
	return STR_NONE;
}

int
multipart_boundary(str content_type, str *out, struct err *e)
{
	str rest = content_type, type = take_value(&rest), boundary;
	if (!str_eq_nocase(type, S("multipart/form-data")))
		return err_set(e, ERR_INVALID, "the body must be multipart/form-data");
	boundary = parameter(content_type, S("boundary"));
	if (!boundary.n || boundary.n > BOUNDARY_MAX)
		return err_set(e, ERR_INVALID, "the Content-Type names no boundary of 1 to %u characters", BOUNDARY_MAX);
	*out = boundary;
	return 0;
}

static size_t
find(str in, str what, size_t from)
{
	const char *at = from < in.n ? memmem(in.p + from, in.n - from, what.p, what.n) : NULL;
	return at ? (size_t)(at - in.p) : SIZE_MAX;
}

/* The name of the field that a part's header lines say it is of. */
static str
field_of(str head)
{
	while (head.n) {
		size_t end = find(head, S("\r\n"), 0);
		str line = str_slice(head, 0, end), value = line, name = str_cut(&value, ':');
		head = end == SIZE_MAX ? S("") : str_slice(head, end + 2, head.n);
		if (str_eq_nocase(name, S("content-disposition")))
			return parameter(str_trim(value), S("name"));
	}
	return STR_NONE;
}

/* One part: `rest` begins behind its delimiter and is left behind the next. 1: there it was; 0: that was the last delimiter; -1. */
static int
next_part(str *rest, str delimiter, str *head, str *bytes, struct err *e)
{
	if (str_starts(*rest, S("--")))
		return 0;
	size_t line = find(str_slice(*rest, 0, HEAD_MAX), S("\r\n"), 0);
	if (line == SIZE_MAX || str_trim(str_slice(*rest, 0, line)).n)
		return err_set(e, ERR_INVALID, "the body's parts cannot be told apart");
	/* With the line break before it, as a part may have no header. */
	size_t blank = find(str_slice(*rest, 0, HEAD_MAX), S("\r\n\r\n"), line);
	if (blank == SIZE_MAX)
		return err_set(e, ERR_INVALID, "a part of the body has no end of its header");
	size_t end = find(*rest, delimiter, blank + 2); /* an empty part's delimiter shares the line break */
	if (end == SIZE_MAX)
		return err_set(e, ERR_INVALID, "the body ends in the middle of a part");
	*head = str_slice(*rest, line, blank);
	*bytes = end < blank + 4 ? S("") : str_slice(*rest, blank + 4, end);
	*rest = str_slice(*rest, end + delimiter.n, rest->n);
	return 1;
}

int
multipart_find(str body, str boundary, str name, str *out, struct err *e)
{
	char text[BOUNDARY_MAX + 5];
	int n = snprintf(text, sizeof text, "\r\n--%.*s", STR_ARG(str_slice(boundary, 0, BOUNDARY_MAX)));
	str delimiter = { text, (size_t)n }, head, rest, bytes;
	size_t first = str_starts(body, str_slice(delimiter, 2, delimiter.n)) ? delimiter.n - 2 : find(body, delimiter, 0);
	if (first == SIZE_MAX)
		return err_set(e, ERR_INVALID, "the body has no part: the boundary of its Content-Type is not in it");
	if (!str_starts(body, str_slice(delimiter, 2, delimiter.n)))
		first += delimiter.n;
	rest = str_slice(body, first, body.n);
	for (int rc; (rc = next_part(&rest, delimiter, &head, &bytes, e)) != 0;) {
		if (rc < 0)
			return -1;
		if (str_eq(field_of(head), name)) {
			*out = bytes;
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, "the body has no part \"%.*s\"", STR_ARG(name));
}
