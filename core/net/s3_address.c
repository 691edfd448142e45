/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/s3_address.h"

#include "core/xml.h"

#define AWS_DOMAIN ".amazonaws.com"
#define REGION_MAX 32

bool
s3_goes_by_host(str endpoint, str bucket)
{
	bool aws = str_ends(endpoint, S(AWS_DOMAIN)) || str_ends(endpoint, S(AWS_DOMAIN ".cn"));
	return aws && str_find_char(bucket, '.', 0) == SIZE_MAX; /* a certificate holds for one label before the endpoint */
}

/* s3.amazonaws.com is the endpoint of one region only. */
static str
host_of_region(const struct s3_address *of, struct arena *a)
{
	bool other = str_eq(of->endpoint, S("s3" AWS_DOMAIN)) && !str_eq(of->region, S("us-east-1"));
	return other ? arena_fmt(a, "s3.%.*s" AWS_DOMAIN, STR_ARG(of->region)) : of->endpoint;
}

void
s3_address(const struct s3_address *of, str key, struct arena *a, struct sigv4_request *out)
{
	str host = host_of_region(of, a), bucket = sigv4_encode(a, of->bucket, false), path = sigv4_encode(a, key, true);
	while (str_starts(path, S("/")))
		path = str_slice(path, 1, path.n);
	out->host = of->by_host ? arena_fmt(a, "%.*s.%.*s", STR_ARG(bucket), STR_ARG(host)) : host;
	out->path = of->by_host ? arena_fmt(a, "/%.*s", STR_ARG(path))
	            : path.n    ? arena_fmt(a, "/%.*s/%.*s", STR_ARG(bucket), STR_ARG(path))
	                        : arena_fmt(a, "/%.*s", STR_ARG(bucket));
}

str
s3_url(bool tls, const struct sigv4_request *r, struct arena *a)
{
	return arena_fmt(a, "http%s://%.*s%.*s%s%.*s", tls ? "s" : "", STR_ARG(r->host), STR_ARG(r->path), r->query.n ? "?" : "", STR_ARG(r->query));
}

str
s3_region_elsewhere(const struct http_answer *ans, struct arena *a)
{
	bool moved = ans->status == 400 || ans->status == 301 || ans->status == 307 || ans->status == 403;
	str region = moved ? http_answer_header(ans, "X-Amz-Bucket-Region") : STR_NONE;
	if (moved && !region.n)
		region = xml_find(ans->body, "Region", a);
	for (size_t i = 0; i < region.n; i++)
		if (!((region.p[i] >= 'a' && region.p[i] <= 'z') || (region.p[i] >= '0' && region.p[i] <= '9') || region.p[i] == '-'))
			return STR_NONE;
	return region.n && region.n <= REGION_MAX ? arena_dup(a, region) : STR_NONE;
}
