/* SPDX-License-Identifier: Apache-2.0 */
/* redis_target: whom the kinds redis and redisStream connect to. */
#ifndef TIDEGATE_SOURCES_REDIS_TARGET_H
#define TIDEGATE_SOURCES_REDIS_TARGET_H

#include "sources/feed.h"

struct redis_login {
	str address, username;
	int64_t db;
	const struct secret_ref *password;
	const struct tls_config *tls;
};
/* feed_ops.target of both. */
int redis_target(struct source *s, const struct redis_login *login, struct arena *a, struct peer_target *t, struct err *e) MUST_CHECK;
/* One more option of the target. */
void redis_target_option(struct arena *a, struct peer_target *t, str name, str value);

#endif
