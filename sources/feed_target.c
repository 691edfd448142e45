/* SPDX-License-Identifier: Apache-2.0 */
/* Login and TLS of the peer that a feed (feed.h) connects to, from the members that its kinds have in common. */
#include "sources/feed.h"

int
feed_secret(struct source *s, const struct secret_ref *ref, struct arena *a, str *out, struct err *e)
{
	*out = STR_NONE;
	return ref ? source_secret(s, ref, a, out, e) : 0;
}

int
feed_login(struct source *s, const struct basic_auth *auth, struct arena *a, struct peer_target *t, struct err *e)
{
	if (!auth)
		return 0;
	if (feed_secret(s, auth->username, a, &t->user, e) < 0)
		return -1;
	return feed_secret(s, auth->password, a, &t->password, e);
}

int
feed_tls(struct source *s, const struct tls_config *tls, struct arena *a, struct peer_target *t, struct err *e)
{
	if (!tls)
		return 0;
	t->tls = true;
	t->insecure = tls->insecure_skip_verify;
	if (feed_secret(s, tls->ca_cert, a, &t->ca_pem, e) < 0 || feed_secret(s, tls->client_cert, a, &t->cert_pem, e) < 0)
		return -1;
	return feed_secret(s, tls->client_key, a, &t->key_pem, e);
}
