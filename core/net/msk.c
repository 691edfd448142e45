/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/msk.h"

#include "core/base64.h"
#include "core/version.h"

str
msk_token(str region, const struct sigv4_keys *k, int64_t now_ns, struct arena *a, int64_t *until_ns)
{
	str host = arena_fmt(a, "kafka.%.*s.amazonaws.com", STR_ARG(region));
	struct sigv4_request r = { .method = S("GET"), .host = host, .path = S("/"), .query = S("Action=kafka-cluster%3AConnect"), .region = region,
	                           .service = S("kafka-cluster") };
	str query = sigv4_presign(&r, k, now_ns, MSK_SECONDS, a);
	*until_ns = now_ns + MSK_SECONDS * NS_PER_SEC;
	return base64_url_encode(a, arena_fmt(a, "https://%.*s/?%.*s&User-Agent=tidegate%%2F" TIDEGATE_VERSION, STR_ARG(host), STR_ARG(query)));
}
