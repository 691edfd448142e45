/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/broker.h"

#include "triggers/call.h"

struct broker_call *
broker_call(struct firing *f, const struct peer_ops *ops)
{
	struct broker_call *b = ARENA_NEW(firing_arena(f), struct broker_call);
	b->firing = f;
	b->target.ops = ops;
	b->target.options = b->options;
	b->message.headers = b->headers;
	b->message.body = firing_payload(f);
	b->message.id = firing_id(f);
	return b;
}

void
broker_option(struct broker_call *b, str name, str value)
{
	assert(b->target.options_n < ARRAY_LEN(b->options));
	b->options[b->target.options_n++] = (struct http_header){ name, value };
}

int
broker_header(struct broker_call *b, str name, str value, struct err *e)
{
	bool lines = str_find_char(value, '\n', 0) != SIZE_MAX || str_find_char(value, '\r', 0) != SIZE_MAX;
	if (!name.n || lines || str_find_char(value, 0, 0) != SIZE_MAX)
		return err_set(e, ERR_INVALID, "header %.*s: a name is needed, and no line breaks", STR_ARG(name));
	if (b->message.headers_n == ARRAY_LEN(b->headers))
		return err_set(e, ERR_LIMIT, "more than %zu headers", ARRAY_LEN(b->headers));
	b->headers[b->message.headers_n++] = (struct http_header){ name, value };
	return 0;
}

int
broker_login(struct broker_call *b, const struct basic_auth *a, struct err *e)
{
	if (!a)
		return 0;
	if (call_secret(b->firing, a->username, &b->target.user, e) < 0)
		return -1;
	return call_secret(b->firing, a->password, &b->target.password, e);
}

int
broker_tls(struct broker_call *b, const struct tls_config *t, struct err *e)
{
	if (!t)
		return 0;
	b->target.tls = true;
	b->target.insecure = t->insecure_skip_verify;
	if (call_secret(b->firing, t->ca_cert, &b->target.ca_pem, e) < 0 || call_secret(b->firing, t->client_cert, &b->target.cert_pem, e) < 0)
		return -1;
	return call_secret(b->firing, t->client_key, &b->target.key_pem, e);
}

int
broker_secure_headers(struct broker_call *b, const struct secure_header *s, size_t n, struct err *e)
{
	const struct objects *os = firing_env(b->firing)->objects;
	for (size_t i = 0; i < n; i++) {
		str value;
		const struct secret_ref *map = s[i].config_map;
		int rc = s[i].secret ? call_secret(b->firing, s[i].secret, &value, e) :
		                       config_map_key(os, firing_ns(b->firing), map->name, map->key, &value, e);
		if (rc < 0 || broker_header(b, s[i].name, str_trim(value), e) < 0)
			return -1;
	}
	return 0;
}

static void
answered(void *arg, const struct peer_message *m)
{
	struct broker_call *b = arg;
	bool well = !m->err.code;
	if (m->settled && m->err.code == ERR_UNAVAILABLE) /* the broker answered: it is not away */
		firing_alone(b->firing);
	firing_done(b->firing, well ? NULL : &m->err, well && b->result ? b->result(firing_arena(b->firing), m) : NULL);
}

void
broker_send(struct broker_call *b, const struct err *e)
{
	const struct trigger_env *env = firing_env(b->firing);
	if (e && e->code)
		firing_done(b->firing, e, NULL);
	else
		peers_send(env->peers(env->arg), &b->target, &b->message, answered, b);
}

const struct val *
broker_int(struct arena *a, const struct val *to, str name, int64_t value)
{
	struct val v = val_int(value);
	return val_set(a, to, name, &v);
}

const struct val *
broker_text(struct arena *a, const struct val *to, str name, str value)
{
	struct val v = val_str(arena_dup(a, value));
	return val_set(a, to, name, &v);
}

const struct val *
broker_offset(struct arena *a, const struct peer_message *m)
{
	return broker_int(a, broker_int(a, NULL, S("partition"), m->number[0]), S("offset"), m->number[1]);
}
