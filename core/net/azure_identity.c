/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/azure_identity.h"

#include <stdlib.h>

#include "core/files.h"
#include "core/log.h"
#include "core/net/sigv4.h"

enum { ASK_MS = 20000, TOKEN_MAX = 64 << 10 };

/* Absent: not set, or empty. */
static str
env(const char *name)
{
	str value = str_c(getenv(name));
	return value.n ? value : STR_NONE;
}

static str
enc(struct arena *a, str text)
{
	return sigv4_encode(a, text, false);
}

static str
without_slash(str url)
{
	return str_ends(url, S("/")) ? str_slice(url, 0, url.n - 1) : url;
}

/* ---- of Entra ID, for what proves a client -------------------------------------------------------------------------------- */

static void
entra_call(const char *resource, str proof, struct arena *a, struct http_call *out)
{
	static const struct http_header form[] = { { { "Content-Type", 12 }, { "application/x-www-form-urlencoded", 33 } } };
	str authority = env("AZURE_AUTHORITY_HOST");
	*out = (struct http_call){ .method = S("POST"), .headers = form, .headers_n = ARRAY_LEN(form), .timeout_ms = ASK_MS };
	out->url = arena_fmt(a, "%.*s/%.*s/oauth2/v2.0/token", STR_ARG(authority.p ? without_slash(authority) : S("https://login.microsoftonline.com")),
	                     STR_ARG(enc(a, env("AZURE_TENANT_ID"))));
	out->body = arena_fmt(a, "grant_type=client_credentials&client_id=%.*s&scope=%.*s&%.*s", STR_ARG(enc(a, env("AZURE_CLIENT_ID"))),
	                      STR_ARG(enc(a, arena_fmt(a, "%s/.default", resource))), STR_ARG(proof));
}

static int
federated_call(const char *resource, str file, struct arena *a, struct http_call *out, struct err *e)
{
	str token;
	if (files_read(str_z(a, file), TOKEN_MAX, a, &token, e) < 0)
		return err_wrap(e, "AZURE_FEDERATED_TOKEN_FILE");
	log_mask(str_trim(token));
	entra_call(resource, arena_fmt(a, "client_assertion_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Aclient-assertion-type%%3Ajwt-bearer&client_assertion=%.*s",
	                               STR_ARG(enc(a, str_trim(token)))), a, out);
	return 0;
}

/* ---- of the machine ------------------------------------------------------------------------------------------------------- */

static void
machine_call(const char *resource, str url, const char *version, str header, str value, struct arena *a, struct http_call *out)
{
	struct http_header *headers = ARENA_NEW(a, struct http_header);
	str client = env("AZURE_CLIENT_ID");
	*headers = (struct http_header){ header, value };
	*out = (struct http_call){ .method = S("GET"), .headers = headers, .headers_n = 1, .timeout_ms = ASK_MS };
	out->url = arena_fmt(a, "%.*s?api-version=%s&resource=%.*s%s%.*s", STR_ARG(url), version, STR_ARG(enc(a, str_c(resource))), client.p ? "&client_id=" : "",
	                     STR_ARG(client.p ? enc(a, client) : S("")));
}

int
azure_identity_call(const char *resource, struct arena *a, struct http_call *out, struct err *e)
{
	bool client = env("AZURE_TENANT_ID").p && env("AZURE_CLIENT_ID").p;
	str secret = env("AZURE_CLIENT_SECRET"), file = env("AZURE_FEDERATED_TOKEN_FILE"), endpoint = env("IDENTITY_ENDPOINT"), header = env("IDENTITY_HEADER");
	str host = env("AZURE_POD_IDENTITY_AUTHORITY_HOST");
	if (client && secret.p) {
		log_mask(secret);
		entra_call(resource, arena_fmt(a, "client_secret=%.*s", STR_ARG(enc(a, secret))), a, out);
	} else if (client && file.p) {
		return federated_call(resource, file, a, out, e);
	} else if (endpoint.p && header.p) {
		log_mask(header);
		machine_call(resource, endpoint, "2019-08-01", S("X-IDENTITY-HEADER"), header, a, out);
	} else {
		str url = arena_fmt(a, "%.*s/metadata/identity/oauth2/token", STR_ARG(host.p ? without_slash(host) : S("http://169.254.169.254")));
		machine_call(resource, url, "2018-02-01", S("Metadata"), S("true"), a, out);
	}
	return 0;
}
