/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/jwt.h"

#include "core/base64.h"
#include "core/rsa.h"

int
jwt_rs256(str key_pem, str claims, struct arena *a, str *out, struct err *e)
{
	str head = base64_url_encode(a, S("{\"alg\":\"RS256\",\"typ\":\"JWT\"}")), body = base64_url_encode(a, claims), signature;
	str text = arena_fmt(a, "%.*s.%.*s", STR_ARG(head), STR_ARG(body));
	if (rsa_sign(key_pem, text, a, &signature, e) < 0)
		return -1;
	signature = base64_url_encode(a, signature);
	*out = arena_fmt(a, "%.*s.%.*s", STR_ARG(text), STR_ARG(signature));
	return 0;
}
