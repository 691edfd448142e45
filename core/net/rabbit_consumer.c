/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/rabbit_consumer.h"

#include "core/clock.h"

struct rabbit_consumer {
	amqp_connection_state_t c;
	const struct rabbit_plan *p;
	int64_t beat_ms; /* of the last heartbeat */
};

/* ---- arguments ------------------------------------------------------------------------------------------------------- */

static amqp_table_t make_table(struct arena *a, const struct val *map);

static amqp_field_value_t
make_field(struct arena *a, const struct val *plain)
{
	struct val v = val_resolve(plain);
	amqp_field_value_t out = { .kind = AMQP_FIELD_KIND_VOID };
	if (v.kind == VAL_BOOL) {
		out.kind = AMQP_FIELD_KIND_BOOLEAN;
		out.value.boolean = v.b;
	} else if (val_to_i64(&v, &out.value.i64)) {
		out.kind = AMQP_FIELD_KIND_I64;
	} else if (val_to_double(&v, &out.value.f64)) {
		out.kind = AMQP_FIELD_KIND_F64;
	} else if (v.kind == VAL_STR) {
		out.kind = AMQP_FIELD_KIND_UTF8;
		out.value.bytes = rabbit_bytes(val_text(&v));
	} else if (v.kind == VAL_MAP) {
		out.kind = AMQP_FIELD_KIND_TABLE;
		out.value.table = make_table(a, &v);
	} else if (v.kind == VAL_LIST) {
		out.kind = AMQP_FIELD_KIND_ARRAY;
		out.value.array = (amqp_array_t){ (int)v.n, ARENA_ARRAY(a, amqp_field_value_t, v.n) };
		for (uint32_t i = 0; i < v.n; i++)
			out.value.array.entries[i] = make_field(a, &v.items[i]);
	}
	return out;
}

static amqp_table_t
make_table(struct arena *a, const struct val *map)
{
	amqp_table_t t = { .num_entries = (int)map->n, .entries = ARENA_ARRAY(a, amqp_table_entry_t, map->n) };
	for (uint32_t i = 0; i < map->n; i++)
		t.entries[i] = (amqp_table_entry_t){ rabbit_bytes(val_text(&map->members[i].key)), make_field(a, &map->members[i].value) };
	return t;
}

/* ---- declaring ------------------------------------------------------------------------------------------------------- */

static int
done(const struct rabbit_consumer *c, const char *what, str name, struct err *e)
{
	if (rabbit_check(rabbit.get_rpc_reply(c->c), what, e) == 0)
		return 0;
	struct err why = *e;
	return name.n ? err_set(e, why.code, "%s (%.*s)", why.msg, STR_ARG(name)) : -1;
}

static int
declare_exchange(const struct rabbit_consumer *c, struct err *e)
{
	const struct rabbit_plan *p = c->p;
	const amqp_table_t none = { 0 };
	if (!p->exchange.name.n)
		return 0;
	rabbit.exchange_declare(c->c, RABBIT_CHANNEL, rabbit_bytes(p->exchange.name), rabbit_bytes(p->exchange.type), false, p->exchange.durable,
	                        p->exchange.auto_delete, p->exchange.internal, none);
	return done(c, "declaring the exchange", p->exchange.name, e);
}

/* *name: in `a`. */
static int
declare_queue(const struct rabbit_consumer *c, struct arena *a, str *name, struct err *e)
{
	const struct rabbit_plan *p = c->p;
	amqp_table_t arguments = { 0 };
	if (p->queue.arguments)
		arguments = make_table(a, p->queue.arguments);
	const amqp_queue_declare_ok_t *ok = rabbit.queue_declare(c->c, RABBIT_CHANNEL, rabbit_bytes(p->queue.name), false, p->queue.durable,
	                                                         p->queue.exclusive, p->queue.auto_delete, arguments);
	if (done(c, "declaring the queue", p->queue.name, e) < 0)
		return -1;
	*name = arena_dup(a, rabbit_text(ok->queue));
	return 0;
}

static int
bind_queue(const struct rabbit_consumer *c, str queue, struct err *e)
{
	const struct rabbit_plan *p = c->p;
	const amqp_table_t none = { 0 };
	if (!p->exchange.name.n)
		return 0;
	rabbit.queue_bind(c->c, RABBIT_CHANNEL, rabbit_bytes(queue), rabbit_bytes(p->exchange.name), rabbit_bytes(p->routing_key), none);
	return done(c, "binding the queue", queue, e);
}

static int
begin(const struct rabbit_consumer *c, str queue, struct err *e)
{
	const struct rabbit_plan *p = c->p;
	const amqp_table_t none = { 0 };
	if (!p->consume.auto_ack) {
		rabbit.basic_qos(c->c, RABBIT_CHANNEL, 0, p->consume.prefetch, false);
		if (done(c, "asking for so many messages at most", STR_NONE, e) < 0)
			return -1;
	}
	rabbit.basic_consume(c->c, RABBIT_CHANNEL, rabbit_bytes(queue), rabbit_bytes(p->consume.tag), p->consume.no_local, p->consume.auto_ack,
	                     p->consume.exclusive, none);
	return done(c, "consuming the queue", queue, e);
}

static int
set_up(const struct rabbit_consumer *c, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str queue;
	if (declare_exchange(c, e) < 0 || declare_queue(c, a, &queue, e) < 0 || bind_queue(c, queue, e) < 0)
		return -1;
	return begin(c, queue, e);
}

struct rabbit_consumer *
rabbit_consume(const struct peer_target *t, const struct rabbit_plan *p, struct err *e)
{
	amqp_connection_state_t connection = rabbit_open(t, RABBIT_HEARTBEAT_S, e);
	if (!connection)
		return NULL;
	struct rabbit_consumer *c = MEM_NEW(struct rabbit_consumer);
	*c = (struct rabbit_consumer){ .c = connection, .p = p, .beat_ms = clock_monotonic_ms() };
	if (set_up(c, e) == 0)
		return c;
	rabbit_leave(c);
	return NULL;
}

void
rabbit_leave(struct rabbit_consumer *c)
{
	rabbit_close(c->c);
	free(c);
}

int
rabbit_fd(const struct rabbit_consumer *c)
{
	return rabbit.get_sockfd(c->c);
}

/* ---- receiving ------------------------------------------------------------------------------------------------------- */

static int
deliver(const struct rabbit_consumer *c, const amqp_basic_deliver_t *how, struct err *e)
{
	amqp_message_t m;
	if (rabbit_check(rabbit.read_message(c->c, RABBIT_CHANNEL, &m, 0), "receiving", e) < 0)
		return -1;
	const struct rabbit_delivery d = { how->delivery_tag, rabbit_text(how->exchange), rabbit_text(how->routing_key), rabbit_text(m.body), &m.properties };
	c->p->deliver(c->p->arg, &d);
	rabbit.destroy_message(&m);
	return 0;
}

static int
handle(const struct rabbit_consumer *c, const amqp_frame_t *f, struct err *e)
{
	int code;
	str text;
	if (f->frame_type != AMQP_FRAME_METHOD)
		return 0;
	if (f->payload.method.id == AMQP_BASIC_DELIVER_METHOD)
		return deliver(c, f->payload.method.decoded, e);
	if (f->payload.method.id == AMQP_BASIC_CANCEL_METHOD)
		return err_set(e, ERR_UNAVAILABLE, "amqp: the broker ended the consumer: the queue was deleted, or is elsewhere now");
	if (rabbit_closing(f->payload.method.id, f->payload.method.decoded, &code, &text))
		return err_set(e, rabbit_code(code), "amqp: the broker closed: %.*s", STR_ARG(text));
	return 0;
}

/* The library lets hear of us only while it is asked for frames, and it is not while nothing is wanted. */
static int
beat(struct rabbit_consumer *c, struct err *e)
{
	const amqp_frame_t frame = { .frame_type = AMQP_FRAME_HEARTBEAT };
	if (clock_monotonic_ms() - c->beat_ms < RABBIT_BEAT_MS)
		return 0;
	c->beat_ms = clock_monotonic_ms();
	int status = rabbit.send_frame(c->c, &frame);
	return status ? rabbit_fail(status, "letting hear of us", e) : 0;
}

int
rabbit_receive(struct rabbit_consumer *c, struct err *e)
{
	int n = 0;
	while (c->p->wants(c->p->arg) && n++ < RABBIT_BATCH) {
		const struct timeval at_once = { 0 };
		amqp_frame_t frame;
		rabbit.maybe_release_buffers(c->c);
		int status = rabbit.simple_wait_frame_noblock(c->c, &frame, &at_once);
		if (status == AMQP_STATUS_TIMEOUT)
			break;
		if (status)
			return rabbit_fail(status, "receiving", e);
		if (handle(c, &frame, e) < 0)
			return -1;
	}
	return beat(c, e) < 0 ? -1 : n > RABBIT_BATCH;
}

int
rabbit_ack(struct rabbit_consumer *c, uint64_t tag, struct err *e)
{
	int status = rabbit.basic_ack(c->c, RABBIT_CHANNEL, tag, true);
	return status ? rabbit_fail(status, "acknowledging", e) : 0;
}

int
rabbit_reject(struct rabbit_consumer *c, uint64_t tag, struct err *e)
{
	int status = rabbit.basic_reject(c->c, RABBIT_CHANNEL, tag, false);
	return status ? rabbit_fail(status, "rejecting", e) : 0;
}
