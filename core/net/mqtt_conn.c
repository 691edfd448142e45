/* SPDX-License-Identifier: Apache-2.0 */
/* A connection of MQTT that receives. */
#include <poll.h>

#include "core/clock.h"
#include "core/net/mqtt.h"
#include "core/net/stream.h"

enum {
	READ_MAX = 64 << 10, /* bytes in one go */
	SUBSCRIBE_ID = 1
};

struct mqtt {
	struct stream *stream;
	int version;
	int64_t keep_alive_ms;
	int64_t sent_ms, heard_ms; /* when something was last sent, and came */
	struct buf in, out;
	size_t used;               /* of `in` */
	size_t skip;               /* bytes to come of a message that is too large */
};

/* ---- addresses --------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *scheme;
	int port;
	bool tls, ws;
} schemes[] = {
	{ "tcp", 1883, false, false }, { "mqtt", 1883, false, false }, { "ssl", 8883, true, false }, { "tls", 8883, true, false },
	{ "mqtts", 8883, true, false }, { "tcps", 8883, true, false }, { "ws", 80, false, true }, { "wss", 443, true, true },
};

int
mqtt_address(str url, struct arena *a, struct stream_to *to, struct peer_url *parts, struct err *e)
{
	if (peer_url_parse(url, 0, parts, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (parts->scheme.p && !str_eq(parts->scheme, str_c(schemes[i].scheme)))
			continue;
		*to = (struct stream_to){ parts->host, parts->port ? parts->port : schemes[i].port, schemes[i].tls, STR_NONE, "mqtt" };
		if (schemes[i].ws)
			to->ws_path = arena_fmt(a, "/%.*s", STR_ARG(parts->path));
		return 0;
	}
	return err_set(e, ERR_INVALID, "%.*s:// is none of tcp, mqtt, ssl, tls, mqtts, tcps, ws, wss", STR_ARG(parts->scheme));
}

/* ---- bytes in and out ------------------------------------------------------------------------------------------------------ */

static int
fill(struct mqtt *c, struct err *e)
{
	if (c->used)
		memmove(c->in.p, c->in.p + c->used, c->in.n - c->used);
	c->in.n -= c->used;
	c->used = 0;
	ssize_t n = stream_read(c->stream, &c->in, READ_MAX, e);
	if (n > 0)
		c->heard_ms = clock_monotonic_ms();
	return n < 0 ? -1 : n > 0;
}

static int
send_out(struct mqtt *c, struct err *e)
{
	if (!c->out.n && !stream_keeps(c->stream))
		return 0;
	int rc = stream_write(c->stream, buf_str(&c->out), e);
	if (c->out.n)
		c->sent_ms = clock_monotonic_ms();
	c->out.n = 0;
	return rc;
}

static str
unread(const struct mqtt *c)
{
	return str_slice(buf_str(&c->in), c->used, c->in.n);
}

/* The broker's word; with MQTT 5 in its own words, if it has some. */
static int
refused(const struct mqtt *c, const struct mqtt_packet *p, const char *what, struct err *e)
{
	struct mqtt_property property;
	str own = STR_NONE;
	for (str rest = p->properties; mqtt_property(&rest, &property);)
		if (property.id == MQTT_REASON_STRING)
			own = str_slice(property.text, 0, 200);
	bool who = p->type == MQTT_CONNACK && (p->code == 4 || p->code == 5 || p->code == 0x86 || p->code == 0x87 || p->code == 0x8A || p->code == 0x8C);
	bool ours = p->type == MQTT_CONNACK && (p->code == 2 || p->code == 0x85);
	enum err_code code = who ? ERR_UNAUTHENTICATED : ours ? ERR_INVALID : p->type == MQTT_SUBACK ? ERR_DENIED : ERR_UNAVAILABLE;
	return err_set(e, code, "mqtt: %s: %s%s%.*s", what, mqtt_reason(p->type, c->version, p->code), own.n ? ": " : "", STR_ARG(own));
}

/* ---- the beginning --------------------------------------------------------------------------------------------------------- */

/* The first packet of that type, which messages may be before; these stay. 0: not there. */
static int
find(struct mqtt *c, enum mqtt_type type, struct mqtt_packet *p, struct err *e)
{
	size_t size;
	int rc;
	for (str rest = unread(c); (rc = mqtt_read(rest, c->version, p, &size, e)) == 1; rest = str_slice(rest, size, rest.n))
		if (p->type == type || (p->type == MQTT_DISCONNECT && refused(c, p, "the broker closes the connection", e) < 0))
			return p->type == type ? 1 : -1;
	return rc;
}

static int
await(struct mqtt *c, enum mqtt_type type, struct mqtt_packet *p, struct err *e)
{
	int64_t end = clock_monotonic_ms() + PEER_WAIT_MS;
	if (send_out(c, e) < 0)
		return -1;
	for (;;) {
		int rc = find(c, type, p, e);
		if (rc)
			return rc;
		int64_t left = end - clock_monotonic_ms();
		if (left <= 0 || c->in.n > 2 * (size_t)MQTT_PACKET_MAX)
			return err_set(e, ERR_UNAVAILABLE, "mqtt: the server does not answer");
		struct pollfd fd = { stream_fd(c->stream), (short)(POLLIN | (stream_keeps(c->stream) ? POLLOUT : 0)), 0 };
		(void)poll(&fd, 1, (int)left);
		if (fill(c, e) < 0 || send_out(c, e) < 0)
			return -1;
	}
}

static int
greet(struct mqtt *c, const struct mqtt_hello *h, bool *session, struct err *e)
{
	struct mqtt_packet p;
	struct mqtt_property property;
	mqtt_write_connect(&c->out, h);
	if (await(c, MQTT_CONNACK, &p, e) < 0)
		return -1;
	if (p.code)
		return refused(c, &p, "connecting", e);
	*session = p.session;
	for (str rest = p.properties; mqtt_property(&rest, &property);)
		if (property.id == MQTT_SERVER_KEEP_ALIVE)
			c->keep_alive_ms = property.number * 1000;
	return 0;
}

int
mqtt_subscribe(struct mqtt *c, str topic, int qos, struct err *e)
{
	struct mqtt_packet p;
	char what[200];
	snprintf(what, sizeof what, "subscribing to %.*s", STR_ARG(str_slice(topic, 0, 150)));
	mqtt_write_subscribe(&c->out, c->version, SUBSCRIBE_ID, topic, qos);
	if (await(c, MQTT_SUBACK, &p, e) < 0)
		return -1;
	if (p.code >= 0x80)
		return refused(c, &p, what, e);
	if (p.code == 0 && qos > 0)
		return err_set(e, ERR_DENIED, "mqtt: %s: the broker grants QoS 0, which loses messages", what);
	return 0;
}

struct mqtt *
mqtt_open(const struct peer_target *t, const struct mqtt_hello *h, bool *session, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct stream_to to;
	struct peer_url parts;
	if (mqtt_address(t->address, a, &to, &parts, e) < 0)
		return NULL;
	to.tls |= t->tls;
	struct stream *s = stream_open("mqtt", &to, t, e);
	if (!s)
		return NULL;
	struct mqtt *c = MEM_NEW(struct mqtt);
	*c = (struct mqtt){ .stream = s, .version = h->version, .keep_alive_ms = MQTT_KEEP_ALIVE_S * 1000, .heard_ms = clock_monotonic_ms() };
	if (greet(c, h, session, e) == 0)
		return c;
	c->out.n = 0;
	mqtt_close(c);
	return NULL;
}

void
mqtt_close(struct mqtt *c)
{
	struct err e;
	mqtt_write_empty(&c->out, MQTT_DISCONNECT);
	(void)send_out(c, &e); /* a courtesy */
	stream_close(c->stream);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

/* ---- messages ---------------------------------------------------------------------------------------------------------------- */

/* Something that is nothing to whoever receives. */
static int
handle(struct mqtt *c, const struct mqtt_packet *p, struct err *e)
{
	if (p->type == MQTT_DISCONNECT)
		return refused(c, p, "the broker closes the connection", e);
	return 0;
}

/* A message that does not fit: its beginning counts, the rest is passed over. */
static int
begin_large(struct mqtt *c, size_t size, struct mqtt_packet *out, struct err *e)
{
	str in = unread(c);
	int rc = mqtt_read_start(in, out, e);
	if (rc <= 0)
		return rc;
	size_t here = in.n < size ? in.n : size;
	c->skip = size - here;
	c->used += here;
	return 1;
}

static void
pass_over(struct mqtt *c)
{
	size_t here = unread(c).n < c->skip ? unread(c).n : c->skip;
	c->used += here;
	c->skip -= here;
}

int
mqtt_next(struct mqtt *c, struct mqtt_packet *out, bool *too_large, struct err *e)
{
	for (;;) {
		size_t size;
		pass_over(c);
		int rc = mqtt_read(unread(c), c->version, out, &size, e);
		*too_large = rc == 0 && size > MQTT_PACKET_MAX;
		if (*too_large)
			rc = begin_large(c, size, out, e);
		else if (rc == 1)
			c->used += size;
		if (rc < 0 || (rc == 1 && (out->type == MQTT_PUBLISH || out->type == MQTT_PUBREL)))
			return rc;
		if (rc == 1 && handle(c, out, e) < 0)
			return -1;
		if (rc == 0 && (rc = fill(c, e)) <= 0)
			return rc;
	}
}

void
mqtt_ack(struct mqtt *c, int qos, unsigned id)
{
	if (qos)
		mqtt_write_ack(&c->out, qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, id);
}

void
mqtt_complete(struct mqtt *c, unsigned id)
{
	mqtt_write_ack(&c->out, MQTT_PUBCOMP, id);
}

int
mqtt_flush(struct mqtt *c, bool listening, struct err *e)
{
	int64_t now = clock_monotonic_ms();
	if (!listening)
		c->heard_ms = now;
	if (c->keep_alive_ms && now - c->heard_ms > c->keep_alive_ms * 3 / 2)
		return err_set(e, ERR_UNAVAILABLE, "mqtt: the server is silent");
	if (c->keep_alive_ms && !c->out.n && now - c->sent_ms >= c->keep_alive_ms / 2)
		mqtt_write_empty(&c->out, MQTT_PINGREQ);
	return send_out(c, e);
}

int
mqtt_wait(const struct mqtt *c, short *events, int *timeout_ms)
{
	*events = (short)(POLLIN | (stream_keeps(c->stream) ? POLLOUT : 0));
	int64_t left = c->sent_ms + c->keep_alive_ms / 2 - clock_monotonic_ms();
	if (c->keep_alive_ms)
		*timeout_ms = left < 0 ? 0 : (int)left;
	return stream_fd(c->stream);
}
