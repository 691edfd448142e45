/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/azure_bus.h"

#include "core/base64.h"
#include "core/crypto.h"
#include "core/net/azure_storage.h"
#include "core/net/sigv4.h"

enum { LIFE_S = 300 };

int
azure_bus_read(str connection, struct arena *a, struct azure_bus *out, struct err *e)
{
	str given = azure_setting(connection, S("Endpoint"));
	*out = (struct azure_bus){ .key_name = azure_setting(connection, S("SharedAccessKeyName")), .key = azure_setting(connection, S("SharedAccessKey")),
		                   .signature = azure_setting(connection, S("SharedAccessSignature")) };
	out->endpoint = str_starts(given, S("sb://")) ? arena_fmt(a, "https://%.*s", STR_ARG(str_slice(given, 5, given.n))) : given;
	if (str_ends(out->endpoint, S("/")))
		out->endpoint.n--;
	if (!str_starts(out->endpoint, S("https://")) && !str_starts(out->endpoint, S("http://")))
		return err_set(e, ERR_INVALID, "connection string: Endpoint=sb://<namespace>.servicebus.windows.net/ must be in it");
	if (!out->signature.n && (!out->key_name.n || !out->key.n))
		return err_set(e, ERR_INVALID, "connection string: SharedAccessKeyName and SharedAccessKey, or SharedAccessSignature, must be in it");
	return 0;
}

str
azure_bus_token(const struct azure_bus *b, int64_t now_ns, struct arena *a)
{
	unsigned char mac[CRYPTO_HASH_MAX];
	size_t n = 0;
	struct err e;
	if (b->signature.n)
		return b->signature;
	str resource = sigv4_encode(a, b->endpoint, false);
	long long until = (long long)(now_ns / NS_PER_SEC) + LIFE_S;
	int rc = crypto_hmac("sha256", b->key, arena_fmt(a, "%.*s\n%lld", STR_ARG(resource), until), mac, &n, &e);
	assert(rc == 0); /* the hash is known, and the library is there */
	(void)rc;
	str signature = sigv4_encode(a, base64_encode(a, (str){ (const char *)mac, n }), false);
	return arena_fmt(a, "SharedAccessSignature sr=%.*s&sig=%.*s&se=%lld&skn=%.*s", STR_ARG(resource), STR_ARG(signature), until,
	                 STR_ARG(sigv4_encode(a, b->key_name, false)));
}
