/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/redis_target.h"

void
redis_target_option(struct arena *a, struct peer_target *t, str name, str value)
{
	struct http_header *options = ARENA_ARRAY(a, struct http_header, t->options_n + 1);
	for (size_t i = 0; i < t->options_n; i++)
		options[i] = t->options[i];
	options[t->options_n++] = (struct http_header){ name, value };
	t->options = options;
}

int
redis_target(struct source *s, const struct redis_login *login, struct arena *a, struct peer_target *t, struct err *e)
{
	t->address = login->address;
	t->user = login->username.n ? login->username : STR_NONE;
	if (login->db)
		redis_target_option(a, t, S("db"), arena_fmt(a, "%lld", (long long)login->db));
	if (feed_secret(s, login->password, a, &t->password, e) < 0)
		return -1;
	return feed_tls(s, login->tls, a, t, e);
}
