/* SPDX-License-Identifier: Apache-2.0 */
/* Headers, query and metadata of a request, as Go's encoding/json writes its maps. */
#include "sources/webhook_server.h"

struct pair {
	str name, value;
	size_t order;
};

static int
by_name(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int c = n ? memcmp(x->name.p, y->name.p, n) : 0;
	if (!c)
		c = (x->name.n > y->name.n) - (x->name.n < y->name.n);
	return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* {"name":["value",...],...} of pairs, sorted here; a map of Go's as encoding/json writes it. */
static void
lists_json(struct buf *b, struct pair *pairs, size_t n)
{
	qsort(pairs, n, sizeof *pairs, by_name);
	buf_addc(b, '{');
	for (size_t i = 0; i < n; i++) {
		bool first = i == 0 || !str_eq(pairs[i].name, pairs[i - 1].name);
		if (first) {
			buf_add(b, i ? S("],") : S(""));
			json_quote(b, pairs[i].name, JSON_HTML);
			buf_add(b, S(":["));
		} else {
			buf_addc(b, ',');
		}
		json_quote(b, pairs[i].value, JSON_HTML);
	}
	buf_add(b, n ? S("]}") : S("}"));
}

void
webhook_pairs_json(struct buf *b, const struct http_header *in, size_t n)
{
	struct pair *pairs = mem_alloc((n + 1) * sizeof *pairs);
	for (size_t i = 0; i < n; i++)
		pairs[i] = (struct pair){ in[i].name, in[i].value, i };
	lists_json(b, pairs, n);
	free(pairs);
}

/* Go's textproto.CanonicalMIMEHeaderKey: "x-github-event" is "X-Github-Event". A name with odd bytes stays as it is. */
static str
canonical(struct arena *a, str name)
{
	bool upper = true;
	char *out = arena_alloc(a, name.n + 1, 1);
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool letter = ((c | 32) >= 'a' && (c | 32) <= 'z');
		if (!letter && !(c >= '0' && c <= '9') && !(c && strchr("!#$%&'*+-.^_`|~", c)))
			return name;
		out[i] = letter ? (char)(upper ? c & ~32 : c | 32) : c;
		upper = c == '-';
	}
	return (str){ out, name.n };
}

void
webhook_headers_json(struct buf *b, struct http_req *r)
{
	/* What Go's server takes out of the map. */
	static const char *const left_out[] = { "Host", "Transfer-Encoding", "Trailer" };
	const struct http_header *headers;
	size_t n = http_req_headers(r, &headers), kept = 0;
	struct pair *pairs = mem_alloc((n + 1) * sizeof *pairs);
	bool masked = false;
	for (size_t i = 0; i < n; i++) {
		struct pair p = { canonical(http_req_arena(r), headers[i].name), headers[i].value, i };
		bool skip = false;
		for (size_t k = 0; k < ARRAY_LEN(left_out); k++)
			skip |= str_eq(p.name, str_c(left_out[k]));
		if (str_eq(p.name, S("Authorization")) && http_req_header(r, "Authorization").n) {
			skip |= masked; /* one value stands for all */
			masked = true;
			p.value = S("*** Masked Auth Secret ***");
		}
		if (!skip)
			pairs[kept++] = p;
	}
	lists_json(b, pairs, kept);
	free(pairs);
}

void
webhook_metadata_json(struct buf *b, const struct kvs *metadata)
{
	struct pair *pairs = mem_alloc((metadata->n + 1) * sizeof *pairs);
	for (size_t i = 0; i < metadata->n; i++)
		pairs[i] = (struct pair){ metadata->p[i].key, metadata->p[i].value, i };
	qsort(pairs, metadata->n, sizeof *pairs, by_name);
	buf_addc(b, '{');
	for (size_t i = 0; i < metadata->n; i++) {
		buf_add(b, i ? S(",") : S(""));
		json_quote(b, pairs[i].name, JSON_HTML);
		buf_addc(b, ':');
		json_quote(b, pairs[i].value, JSON_HTML);
	}
	buf_addc(b, '}');
	free(pairs);
}
