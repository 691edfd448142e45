/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/jwt.h"

#include "core/base64.h"
#include "core/rsa.h"

/* Base64 with the letters of URLs and no padding (RFC 7515, appendix C). */
static str
for_urls(struct arena *a, str bytes)
{
	str s = base64_encode(a, bytes);
	char *p = (char *)(uintptr_t)s.p; /* our own copy */
	while (s.n && p[s.n - 1] == '=')
		s.n--;
	for (size_t i = 0; i < s.n; i++)
		p[i] = p[i] == '+' ? '-' : p[i] == '/' ? '_' : p[i];
	return s;
}

int
jwt_rs256(str key_pem, str claims, struct arena *a, str *out, struct err *e)
{
	str head = for_urls(a, S("{\"alg\":\"RS256\",\"typ\":\"JWT\"}")), body = for_urls(a, claims), signature;
	str text = arena_fmt(a, "%.*s.%.*s", STR_ARG(head), STR_ARG(body));
	if (rsa_sign(key_pem, text, a, &signature, e) < 0)
		return -1;
	signature = for_urls(a, signature);
	*out = arena_fmt(a, "%.*s.%.*s", STR_ARG(text), STR_ARG(signature));
	return 0;
}
