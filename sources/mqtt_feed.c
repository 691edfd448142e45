/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/mqtt_feed.h"

#include "core/crypto.h"
#include "core/net/mqtt.h"
#include "core/net/stream.h"
#include "sources/message.h"

enum { BATCH = 256 }; /* messages until something else has its turn: acknowledgements, and a sign of life */

struct mqtt_session {
	struct mqtt *mqtt;
	struct mqtt_form form;
};

void
mqtt_feed_check_url(str url, const struct val *in, struct decode *c, const char *field)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct stream_to to;
	struct peer_url parts;
	struct err e;
	if (url.n && mqtt_address(url, a, &to, &parts, &e) < 0)
		decode_error(c, in, field, "%s", e.msg);
}

int
mqtt_feed_target(struct source *s, str url, const struct basic_auth *auth, const struct tls_config *tls, struct arena *a, struct peer_target *t,
                 struct err *e)
{
	struct stream_to to;
	struct peer_url parts;
	if (mqtt_address(url, a, &to, &parts, e) < 0 || (to.ws_path.p && crypto_load(e) < 0))
		return -1;
	t->address = url;
	t->user = parts.user;
	t->password = parts.password;
	return feed_login(s, auth, a, t, e) < 0 ? -1 : feed_tls(s, tls, a, t, e);
}

void *
mqtt_feed_open(const struct peer_target *t, const struct mqtt_hello *h, str topic, int qos, struct mqtt_form form, struct err *e)
{
	struct mqtt *m = mqtt_open(t, h, topic, qos, e);
	if (!m)
		return NULL;
	struct mqtt_session *c = MEM_NEW(struct mqtt_session);
	*c = (struct mqtt_session){ m, form };
	return c;
}

/* ---- messages ------------------------------------------------------------------------------------------------------ */

static void
add_user_properties(struct message *m, str properties)
{
	struct mqtt_property p;
	VEC(struct message_pair) pairs = { 0 };
	while (mqtt_property(&properties, &p))
		if (p.id == MQTT_USER_PROPERTY)
			*VEC_PUSH(&pairs) = (struct message_pair){ p.name, p.text, pairs.n };
	message_lists(m, "userProperties", pairs.p, pairs.n);
	VEC_FREE(&pairs);
}

static struct event *
make_event(const struct mqtt_packet *p, const struct mqtt_form *form, struct err *e)
{
	struct message m;
	message_begin(&m);
	message_str(&m, "topic", p->topic);
	if (form->message_id)
		message_int(&m, "messageId", p->id);
	if (message_body(&m, "body", p->payload, form->json_body, e) < 0) {
		message_drop(&m);
		return NULL;
	}
	if (form->user_properties)
		add_user_properties(&m, p->properties);
	message_metadata(&m, form->metadata);
	return message_end(&m);
}

static void
take(struct mqtt_session *c, struct feed *f, const struct mqtt_packet *p, bool too_large)
{
	struct err e;
	union feed_handle h = { .number = { p->id, p->qos } };
	struct event *ev = NULL;
	if (too_large)
		err_set(&e, ERR_LIMIT, "a message of %.*s has more than %d bytes", STR_ARG(str_slice(p->topic, 0, 100)), MQTT_PACKET_MAX);
	else
		ev = make_event(p, &c->form, &e);
	if (ev)
		feed_give(f, ev, h);
	else
		feed_refuse(f, h, &e);
}

static bool
is_error(const struct mqtt_session *c, const struct mqtt_packet *p)
{
	return c->form.error_topic && str_starts(p->topic, str_c(c->form.error_topic));
}

int
mqtt_feed_receive(void *conn, struct feed *f, struct err *e)
{
	struct mqtt_session *c = conn;
	struct mqtt_packet p;
	bool wants, too_large;
	int rc = 0, n = 0;
	while ((wants = feed_wants(f)) && n < BATCH && (rc = mqtt_next(c->mqtt, &p, &too_large, e)) == 1) {
		if (is_error(c, &p))
			return err_set(e, ERR_DENIED, "the broker says: %.*s", STR_ARG(str_slice(p.payload, 0, 300)));
		take(c, f, &p, too_large);
		n++;
	}
	if (n == BATCH)
		feed_wake(f); /* the rest may be in memory already, where no descriptor tells of it */
	return rc < 0 ? -1 : mqtt_flush(c->mqtt, wants, e);
}

int
mqtt_feed_wait(void *conn, short *events, int *timeout_ms)
{
	const struct mqtt_session *c = conn;
	return mqtt_wait(c->mqtt, events, timeout_ms);
}

int
mqtt_feed_settle(void *conn, const union feed_handle *handles, size_t n, struct err *e)
{
	struct mqtt_session *c = conn;
	for (size_t i = 0; i < n; i++)
		mqtt_ack(c->mqtt, (int)handles[i].number[1], (unsigned)handles[i].number[0]);
	return mqtt_flush(c->mqtt, false, e);
}

void
mqtt_feed_close(void *conn)
{
	struct mqtt_session *c = conn;
	mqtt_close(c->mqtt);
	free(c);
}

int
mqtt_feed_wrap(str topic, str body, struct mqtt_form form, struct arena *a, str *out, struct err *e)
{
	struct event *ev = make_event(&(struct mqtt_packet){ .topic = topic, .payload = body }, &form, e);
	if (!ev)
		return -1;
	*out = arena_dup(a, ev->data);
	event_unref(ev);
	return 0;
}
