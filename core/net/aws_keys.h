/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws_keys: the keys that AWS's own tools would find around them, in their order: the environment, a profile of the shared files, a web
 * identity, the container's and the machine's metadata service. For threads that may block.
 */
#ifndef TIDEGATE_CORE_NET_AWS_KEYS_H
#define TIDEGATE_CORE_NET_AWS_KEYS_H

#include "core/net/http_transfer.h"
#include "core/net/sigv4.h"

struct aws_keys {
	struct sigv4_keys keys;
	int64_t until_ns; /* INT64_MAX: they do not end */
};

/*
 * The first that there are; in `a`. 1: there are none. -1: there is a way to some, and it failed: ERR_INVALID (a file, a token), ERR_UNSUPPORTED (a profile
 * that asks for a program or a sign-on), ERR_DENIED, or those of http_ask. `region` is that of the security token service.
 */
int aws_keys_around(struct http_session *s, str region, struct arena *a, struct aws_keys *out, struct err *e) MUST_CHECK;
/* Keys of the role `arn`, that those in `with` may take on; in `a`. Errors as above. */
int aws_keys_of_role(struct http_session *s, str arn, str region, const struct sigv4_keys *with, struct arena *a, struct aws_keys *out, struct err *e)
	MUST_CHECK;

#endif
