/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amqp: a channel of AMQP 0-9-1 (RabbitMQ) in confirm mode, by librabbitmq. `to` is the exchange, `key` the routing key. A message is sent when
 * the broker has confirmed it, which for a persistent one in a durable queue means that it is on disk; with must_route one that no queue
 * takes is returned and has failed. The message's id is its message-id.
 */
#include <time.h>

#include "core/net/rabbit.h"

struct amqp {
	amqp_connection_state_t c;
	uint64_t published; /* messages on this channel: the last one's delivery tag */
};

static void
amqp_close(void *conn)
{
	struct amqp *c = conn;
	rabbit_close(c->c);
	free(c);
}

static void *
amqp_open(const struct peer_target *t, struct err *e)
{
	struct amqp *c = MEM_NEW(struct amqp);
	c->c = rabbit_open(t, 0, e);
	if (c->c) {
		rabbit.confirm_select(c->c, RABBIT_CHANNEL);
		if (rabbit_check(rabbit.get_rpc_reply(c->c), "asking for confirmations", e) == 0)
			return c;
		rabbit_close(c->c);
	}
	free(c);
	return NULL;
}

/* ---- sending --------------------------------------------------------------------------------------------------------- */

static int
publish(struct amqp *c, const struct peer_message *m)
{
	amqp_basic_properties_t p = { ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG };
	p.delivery_mode = m->keep ? 2 : 1;
	p.message_id = rabbit_bytes(m->id);
	p.content_type = rabbit_bytes(S("application/json"));
	c->published++;
	return rabbit.basic_publish(c->c, RABBIT_CHANNEL, rabbit_bytes(m->to), rabbit_bytes(m->key), m->must_route, 0, &p, rabbit_bytes(m->body));
}

/* A batch whose first message has delivery tag `first`. */
struct batch {
	struct peer_message *const *m;
	size_t n, open; /* open: not settled */
	uint64_t first;
};

static void
settle(struct batch *b, uint64_t tag, bool multiple, bool taken)
{
	for (size_t i = 0; i < b->n; i++) {
		uint64_t its = b->first + i;
		if (b->m[i]->settled || (multiple ? tag && its > tag : its != tag))
			continue;
		b->m[i]->settled = true;
		b->open--;
		if (!taken)
			err_set(&b->m[i]->err, ERR_UNAVAILABLE, "amqp: the broker could not keep the message");
	}
}

/* No queue takes it; its confirmation comes behind, and settles it. */
static int
returned(struct amqp *c, const struct batch *b, const amqp_basic_return_t *r, struct err *e)
{
	amqp_message_t back;
	if (rabbit_check(rabbit.read_message(c->c, RABBIT_CHANNEL, &back, 0), "a message that comes back", e) < 0)
		return -1;
	str id = rabbit_text(back.properties.message_id);
	for (size_t i = 0; i < b->n; i++)
		if (str_eq(b->m[i]->id, id))
			err_set(&b->m[i]->err, ERR_NOT_FOUND, "amqp: no queue takes it: exchange \"%.*s\", routing key \"%.*s\": %.*s", STR_ARG(b->m[i]->to),
			        STR_ARG(b->m[i]->key), (int)r->reply_text.len, (const char *)r->reply_text.bytes);
	rabbit.destroy_message(&back);
	return 0;
}

/* The broker closed the channel over one message and names its exchange; the others go out again. */
static int
closed(struct batch *b, int code, str text, struct err *e)
{
	for (size_t i = 0; i < b->n; i++) {
		char quoted[300];
		struct peer_message *m = b->m[i];
		int n = snprintf(quoted, sizeof quoted, "'%.*s'", STR_ARG(m->to));
		if (m->settled || (b->n > 1 && str_find(text, (str){ quoted, (size_t)n < sizeof quoted ? (size_t)n : sizeof quoted - 1 }, 0) == SIZE_MAX))
			continue;
		m->settled = true;
		err_set(&m->err, rabbit_code(code), "amqp: %.*s", STR_ARG(text));
	}
	return err_set(e, ERR_UNAVAILABLE, "amqp: the broker closed: %.*s", STR_ARG(text));
}

static int
handle(struct amqp *c, struct batch *b, const amqp_frame_t *f, struct err *e)
{
	int code;
	str text;
	if (f->frame_type != AMQP_FRAME_METHOD)
		return 0;
	const void *method = f->payload.method.decoded;
	const amqp_basic_ack_t *ack = method;
	const amqp_basic_nack_t *nack = method;
	switch (f->payload.method.id) {
	case AMQP_BASIC_ACK_METHOD:
		settle(b, ack->delivery_tag, ack->multiple, true);
		return 0;
	case AMQP_BASIC_NACK_METHOD:
		settle(b, nack->delivery_tag, nack->multiple, false);
		return 0;
	case AMQP_BASIC_RETURN_METHOD:
		return returned(c, b, method, e);
	default:
		return rabbit_closing(f->payload.method.id, method, &code, &text) ? closed(b, code, text, e) : 0;
	}
}

static int
wait_for_word(struct amqp *c, struct batch *b, struct err *e)
{
	time_t end = time(NULL) + PEER_WAIT_MS / 1000;
	while (b->open) {
		amqp_frame_t frame;
		struct timeval second = { .tv_sec = 1 };
		rabbit.maybe_release_buffers(c->c);
		int status = rabbit.simple_wait_frame_noblock(c->c, &frame, &second);
		if (status == AMQP_STATUS_TIMEOUT && time(NULL) < end)
			continue;
		if (status)
			return rabbit_fail(status, "waiting for confirmations", e);
		if (handle(c, b, &frame, e) < 0)
			return -1;
	}
	return 0;
}

static int
amqp_send(void *conn, struct peer_message *const *m, size_t n, struct err *e)
{
	struct amqp *c = conn;
	struct batch b = { .m = m, .n = n, .open = n, .first = c->published + 1 };
	for (size_t i = 0; i < n; i++) {
		int status = publish(c, m[i]);
		if (status)
			return rabbit_fail(status, "publishing", e);
	}
	return wait_for_word(c, &b, e);
}

const struct peer_ops peer_amqp = { "amqp", amqp_open, amqp_send, amqp_close };
