/* SPDX-License-Identifier: Apache-2.0 */
/* s3_address: where an object of S3, or of what speaks like it, is asked for; and which region a service names that has a bucket elsewhere. */
#ifndef TIDEGATE_CORE_NET_S3_ADDRESS_H
#define TIDEGATE_CORE_NET_S3_ADDRESS_H

#include "core/net/httpc.h"
#include "core/net/sigv4.h"

struct s3_address {
	str endpoint, bucket, region; /* endpoint: host, and port if it is not the scheme's */
	bool by_host;                 /* "bucket.endpoint", and not "endpoint/bucket" */
};

/* How a bucket is addressed if nobody says: AWS's by host, where its certificates hold for the name; others by path. */
bool s3_goes_by_host(str endpoint, str bucket);
/* Writes host and path of the object, or of the bucket (`key` empty), as they are sent and signed; in `a`. */
void s3_address(const struct s3_address *of, str key, struct arena *a, struct sigv4_request *out);
/* The URL of that request. */
str s3_url(bool tls, const struct sigv4_request *r, struct arena *a);
/* The region that an answer names: in a header, or in <Region> of its body. In `a`; absent where it refuses for another reason. */
str s3_region_elsewhere(const struct http_answer *ans, struct arena *a);

#endif
