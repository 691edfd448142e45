/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/azure_storage.h"

#include <stdlib.h>

#include "core/base64.h"
#include "core/crypto.h"
#include "core/net/http_date.h"
#include "core/net/sigv4.h"

#define VERSION S("2021-12-02") /* of the services' interface */

/* ---- connection strings ------------------------------------------------------------------------------------------------ */

/* Values may have equals signs in them. */
str
azure_setting(str connection, str name)
{
	while (connection.n) {
		str value = str_trim(str_cut(&connection, ';'));
		str key = str_cut(&value, '=');
		if (str_eq_nocase(key, name))
			return value;
	}
	return STR_NONE;
}

static str
endpoint(str connection, const char *service, const struct azure_account *acc, struct arena *a)
{
	str name = arena_fmt(a, "%c%sEndpoint", service[0] - 'a' + 'A', service + 1), given = azure_setting(connection, name);
	str protocol = azure_setting(connection, S("DefaultEndpointsProtocol")), suffix = azure_setting(connection, S("EndpointSuffix"));
	if (!given.n && acc->name.n)
		given = arena_fmt(a, "%.*s://%.*s.%s.%.*s", STR_ARG(protocol.n ? protocol : S("https")), STR_ARG(acc->name), service,
		                  STR_ARG(suffix.n ? suffix : S("core.windows.net")));
	return str_ends(given, S("/")) ? str_slice(given, 0, given.n - 1) : given;
}

int
azure_account_read(str connection, const char *service, struct arena *a, struct azure_account *out, struct err *e)
{
	struct err ours;
	str key = azure_setting(connection, S("AccountKey"));
	*out = (struct azure_account){ .name = azure_setting(connection, S("AccountName")), .sas = azure_setting(connection, S("SharedAccessSignature")) };
	if (azure_setting(connection, S("UseDevelopmentStorage")).n)
		return err_set(e, ERR_UNSUPPORTED, "connection string: UseDevelopmentStorage is not read; give AccountName, AccountKey and QueueEndpoint");
	out->endpoint = endpoint(connection, service, out, a);
	if (!str_starts(out->endpoint, S("https://")) && !str_starts(out->endpoint, S("http://")))
		return err_set(e, ERR_INVALID, "connection string: neither AccountName nor an endpoint that begins with https:// is in it");
	if (str_starts(out->sas, S("?")))
		out->sas = str_slice(out->sas, 1, out->sas.n);
	if (out->sas.n)
		return 0;
	if (!out->name.n || !key.n)
		return err_set(e, ERR_INVALID, "connection string: AccountName and AccountKey, or SharedAccessSignature, must be in it");
	if (base64_decode(a, key, &out->key, &ours) < 0)
		return err_set(e, ERR_INVALID, "connection string: AccountKey is not base64");
	return 0;
}

void
azure_account_named(str name, const char *service, str token, struct arena *a, struct azure_account *out)
{
	str other = str_c(getenv("AZURE_STORAGE_SERVICE_ENDPOINT"));
	if (str_ends(other, S("/")))
		other.n--;
	*out = (struct azure_account){ .name = name, .token = token,
		                       .endpoint = other.n ? other : arena_fmt(a, "https://%.*s.%s.core.windows.net", STR_ARG(name), service) };
}

/* ---- calls -------------------------------------------------------------------------------------------------------------- */

/* The path of a URL; "" if it has none. */
static str
path_of(str url)
{
	size_t host = str_find(url, S("://"), 0) + 3, slash = str_find_char(url, '/', host);
	return slash == SIZE_MAX ? S("") : str_slice(url, slash, url.n);
}

str
azure_account_of(str endpoint)
{
	size_t scheme = str_find(endpoint, S("://"), 0);
	if (scheme == SIZE_MAX)
		return STR_NONE;
	str path = path_of(endpoint), host = str_slice(endpoint, scheme + 3, endpoint.n);
	if (path.n > 1)
		return str_slice(path, 1, str_find_char(path, '/', 1));
	return str_slice(host, 0, str_find_char(host, '.', 0));
}

bool
azure_key_is_sas(str key)
{
	size_t amp = str_find_char(key, '&', 0), mark = str_find_char(key, '?', 0), from = amp < mark ? amp : mark;
	return from != SIZE_MAX && str_find_char(key, '=', from) != SIZE_MAX;
}

static bool
is_azures(str header)
{
	return header.n > 5 && strncasecmp(header.p, "x-ms-", 5) == 0;
}

static void
add_standard(struct buf *b, const struct azure_request *r, const char *name)
{
	for (size_t i = 0; i < r->headers_n; i++)
		if (str_eq_nocase(r->headers[i].name, str_c(name)))
			buf_add(b, r->headers[i].value);
	buf_addc(b, '\n');
}

/* The headers of Azure's own, in the order of their names; how few there are. */
static void
add_azures(struct buf *b, const struct http_header *headers, size_t n)
{
	for (str last = S(""), next = STR_NONE; ; last = next) {
		str value = STR_NONE;
		next = STR_NONE;
		for (size_t i = 0; i < n; i++)
			if (is_azures(headers[i].name) && str_cmp(headers[i].name, last) > 0 && (!next.p || str_cmp(headers[i].name, next) < 0)) {
				next = headers[i].name;
				value = headers[i].value;
			}
		if (!next.p)
			return;
		buf_addf(b, "%.*s:%.*s\n", STR_ARG(next), STR_ARG(value));
	}
}

/* The string to sign: the method, eleven headers of HTTP, those of Azure, and what is asked. */
static str
to_sign(const struct azure_account *acc, const struct azure_request *r, const struct http_header *headers, size_t n, struct arena *a)
{
	static const char *const standard[] = { "Content-MD5", "Content-Type", "Date", "If-Modified-Since", "If-Match", "If-None-Match",
		                                "If-Unmodified-Since", "Range" };
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addf(&b, "%.*s\n\n\n", STR_ARG(r->method));
	if (r->bytes)
		buf_addf(&b, "%llu", (unsigned long long)r->bytes);
	buf_addc(&b, '\n');
	for (size_t i = 0; i < ARRAY_LEN(standard); i++)
		add_standard(&b, r, standard[i]);
	add_azures(&b, headers, n);
	buf_addf(&b, "/%.*s%.*s%.*s", STR_ARG(acc->name), STR_ARG(path_of(acc->endpoint)), STR_ARG(r->path));
	for (size_t i = 0; i < r->query_n; i++)
		buf_addf(&b, "\n%.*s:%.*s", STR_ARG(r->query[i].name), STR_ARG(r->query[i].value));
	return arena_dup(a, buf_str(&b));
}

static str
signature(const struct azure_account *acc, str text, struct arena *a)
{
	unsigned char mac[CRYPTO_HASH_MAX];
	size_t n = 0;
	struct err e;
	int rc = crypto_hmac("sha256", acc->key, text, mac, &n, &e);
	assert(rc == 0); /* the hash is known, and the library is there */
	(void)rc;
	return base64_encode(a, (str){ (const char *)mac, n });
}

static str
url(const struct azure_account *acc, const struct azure_request *r, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addf(&b, "%.*s%.*s", STR_ARG(acc->endpoint), STR_ARG(r->path));
	for (size_t i = 0; i < r->query_n; i++)
		buf_addf(&b, "%c%.*s=%.*s", i ? '&' : '?', STR_ARG(r->query[i].name), STR_ARG(sigv4_encode(a, r->query[i].value, false)));
	if (acc->sas.n && !acc->key.n)
		buf_addf(&b, "%c%.*s", r->query_n ? '&' : '?', STR_ARG(acc->sas));
	return arena_dup(a, buf_str(&b));
}

void
azure_call(const struct azure_account *acc, const struct azure_request *r, int64_t now_ns, struct arena *a, struct http_call *out)
{
	struct http_header *headers = ARENA_ARRAY(a, struct http_header, r->headers_n + 3);
	size_t n = 0;
	for (; n < r->headers_n; n++)
		headers[n] = r->headers[n];
	headers[n++] = (struct http_header){ S("x-ms-date"), http_date(a, now_ns) };
	headers[n++] = (struct http_header){ S("x-ms-version"), VERSION };
	if (acc->key.n)
		headers[n] = (struct http_header){ S("Authorization"), arena_fmt(a, "SharedKey %.*s:%.*s", STR_ARG(acc->name),
			STR_ARG(signature(acc, to_sign(acc, r, headers, n, a), a))) };
	else if (acc->token.n)
		headers[n] = (struct http_header){ S("Authorization"), acc->token };
	out->method = r->method;
	out->url = url(acc, r, a);
	out->headers = headers;
	out->headers_n = acc->key.n || acc->token.n ? n + 1 : n;
}
