/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/gcp.h"

#include <stdlib.h>

#include "core/base64.h"
#include "core/crypto.h"
#include "core/net/sigv4.h"
#include "core/val.h"

enum { LIFE_S = 3600 /* what is asked for, and the most there is */, METADATA_MS = 5000 };

/* ---- the account's key ------------------------------------------------------------------------------------------------- */

static str
claims(struct arena *a, const struct val *key, str scope, int64_t now_ns)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("iss"), val_str(val_get_str(key, "client_email")));
	val_map_add(&m, S("scope"), val_str(scope));
	val_map_add(&m, S("aud"), val_str(val_get_str(key, "token_uri")));
	val_map_add(&m, S("iat"), val_int(now_ns / NS_PER_SEC));
	val_map_add(&m, S("exp"), val_int(now_ns / NS_PER_SEC + LIFE_S));
	struct val v = val_map_end(&m, a);
	return json_write(a, &v);
}

static str
head(struct arena *a, const struct val *key)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("alg"), val_cstr("RS256"));
	val_map_add(&m, S("typ"), val_cstr("JWT"));
	val_map_add_str(&m, S("kid"), val_get_str(key, "private_key_id"));
	struct val v = val_map_end(&m, a);
	return json_write(a, &v);
}

static int
signed_claims(struct arena *a, const struct val *key, str scope, int64_t now_ns, str *out, struct err *e)
{
	unsigned char signature[CRYPTO_RSA_MAX];
	size_t n = 0;
	str text = arena_fmt(a, "%.*s.%.*s", STR_ARG(base64_url_encode(a, head(a, key))), STR_ARG(base64_url_encode(a, claims(a, key, scope, now_ns))));
	if (crypto_rs256(val_get_str(key, "private_key"), text, signature, &n, e) < 0)
		return err_wrap(e, "private_key of the service account");
	*out = arena_fmt(a, "%.*s.%.*s", STR_ARG(text), STR_ARG(base64_url_encode(a, (str){ (const char *)signature, n })));
	return 0;
}

int
gcp_token_call(str key_json, str scope, int64_t now_ns, struct arena *a, struct http_call *out, struct err *e)
{
	static const struct http_header form[] = { { { "Content-Type", 12 }, { "application/x-www-form-urlencoded", 33 } } };
	struct val key;
	struct err ours;
	str assertion;
	if (json_read(a, key_json, &key, &ours) < 0)
		return err_set(e, ERR_INVALID, "the credentials are not JSON");
	str type = val_get_str(&key, "type"), uri = val_get_str(&key, "token_uri");
	if (!str_eq(type, S("service_account")))
		return err_set(e, ERR_UNSUPPORTED, "credentials of type \"%.*s\": must be those of a service_account", STR_ARG(str_slice(type, 0, 60)));
	if (!val_get_str(&key, "client_email").n || !val_get_str(&key, "private_key").n || !uri.n)
		return err_set(e, ERR_INVALID, "the credentials have no client_email, private_key or token_uri");
	if (signed_claims(a, &key, scope, now_ns, &assertion, e) < 0)
		return -1;
	*out = (struct http_call){ .method = S("POST"), .url = uri, .headers = form, .headers_n = ARRAY_LEN(form) };
	out->body = arena_fmt(a, "grant_type=%.*s&assertion=%.*s", STR_ARG(sigv4_encode(a, S("urn:ietf:params:oauth:grant-type:jwt-bearer"), false)),
	                      STR_ARG(assertion));
	return 0;
}

/* ---- the metadata server ------------------------------------------------------------------------------------------------ */

void
gcp_metadata_call(const char *what, struct arena *a, struct http_call *out)
{
	static const struct http_header headers[] = { { { "Metadata-Flavor", 15 }, { "Google", 6 } } };
	const char *host = getenv("GCE_METADATA_HOST");
	*out = (struct http_call){ .method = S("GET"), .headers = headers, .headers_n = ARRAY_LEN(headers), .timeout_ms = METADATA_MS };
	out->url = arena_fmt(a, "http://%s/computeMetadata/v1/%s", host && *host ? host : "metadata.google.internal", what);
}
