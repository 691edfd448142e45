/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of MQTT as bytes: MQTT 3.1.1, chapters 2 and 3; MQTT 5, chapters 2 and 3. */
#include "core/net/mqtt.h"

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static int
broken(struct err *e, const char *what)
{
	return err_set(e, ERR_UNAVAILABLE, "mqtt: the server sends %s", what);
}

/* A number of 1 to 4 bytes with seven bits each. 1, 0 (not all there) or -1. */
static int
take_length(str *in, size_t *out)
{
	size_t n = 0;
	for (size_t i = 0; i < 4; i++) {
		if (i == in->n)
			return 0;
		unsigned char c = (unsigned char)in->p[i];
		n |= (size_t)(c & 0x7F) << 7 * i;
		if (!(c & 0x80)) {
			*out = n;
			*in = str_slice(*in, i + 1, in->n);
			return 1;
		}
	}
	return -1;
}

static bool
take_number(str *in, size_t bytes, int64_t *out)
{
	if (in->n < bytes)
		return false;
	*out = 0;
	for (size_t i = 0; i < bytes; i++)
		*out = *out << 8 | (unsigned char)in->p[i];
	*in = str_slice(*in, bytes, in->n);
	return true;
}

static bool
take_text(str *in, str *out)
{
	int64_t n;
	if (!take_number(in, 2, &n) || in->n < (size_t)n)
		return false;
	*out = str_slice(*in, 0, (size_t)n);
	*in = str_slice(*in, (size_t)n, in->n);
	return true;
}

/* How each property is written (MQTT 5, 2.2.2.2): bytes of a number, 'l' for seven bits a byte, 't' a text, 'p' a pair. */
static const char property_form[] = {
	[1] = 1, [2] = 4, [3] = 't', [8] = 't', [9] = 't', [11] = 'l', [17] = 4, [18] = 't', [MQTT_SERVER_KEEP_ALIVE] = 2, [21] = 't', [22] = 't',
	[23] = 1, [24] = 4, [25] = 1, [26] = 't', [28] = 't', [MQTT_REASON_STRING] = 't', [33] = 2, [34] = 2, [35] = 2, [36] = 1, [37] = 1,
	[MQTT_USER_PROPERTY] = 'p', [39] = 4, [40] = 1, [41] = 1, [42] = 1,
};

static bool
take_property(str *in, struct mqtt_property *p)
{
	size_t id, number = 0;
	*p = (struct mqtt_property){ 0 };
	if (take_length(in, &id) != 1 || id >= ARRAY_LEN(property_form))
		return false;
	p->id = (int)id;
	switch (property_form[id]) {
	case 0:
		return false;
	case 't':
		return take_text(in, &p->text);
	case 'p':
		return take_text(in, &p->name) && take_text(in, &p->text);
	case 'l':
		if (take_length(in, &number) != 1)
			return false;
		p->number = (int64_t)number;
		return true;
	default:
		return take_number(in, (size_t)property_form[id], &p->number);
	}
}

bool
mqtt_property(str *rest, struct mqtt_property *out)
{
	return rest->n && take_property(rest, out);
}

static bool
take_properties(str *in, str *out)
{
	size_t n;
	struct mqtt_property p;
	if (take_length(in, &n) != 1 || in->n < n)
		return false;
	*out = str_slice(*in, 0, n);
	*in = str_slice(*in, n, in->n);
	for (str rest = *out; rest.n;)
		if (!take_property(&rest, &p))
			return false;
	return true;
}

/* What MQTT 5 lets out at the end of a packet: a reason, and then properties. */
static bool
take_end(str *in, struct mqtt_packet *p)
{
	int64_t code = 0;
	if (in->n && !take_number(in, 1, &code))
		return false;
	p->code = (int)code;
	return !in->n || take_properties(in, &p->properties);
}

static bool
read_publish(str in, int version, struct mqtt_packet *p)
{
	int64_t id = 0;
	if (p->qos > 2 || !take_text(&in, &p->topic) || (p->qos && (!take_number(&in, 2, &id) || !id)))
		return false;
	p->id = (unsigned)id;
	if (version >= MQTT_V5 && !take_properties(&in, &p->properties))
		return false;
	p->payload = in;
	return true;
}

static bool
read_body(str in, int version, struct mqtt_packet *p)
{
	int64_t a = 0, b = 0;
	bool v5 = version >= MQTT_V5;
	switch (p->type) {
	case MQTT_PUBLISH:
		return read_publish(in, version, p);
	case MQTT_CONNACK:
		if (!take_number(&in, 1, &a) || !take_number(&in, 1, &b))
			return false;
		p->session = a & 1;
		p->code = (int)b;
		return !v5 || !in.n || take_properties(&in, &p->properties);
	case MQTT_SUBACK:
		if (!take_number(&in, 2, &a) || (v5 && !take_properties(&in, &p->properties)) || !take_number(&in, 1, &b))
			return false;
		p->id = (unsigned)a;
		p->code = (int)b;
		return true;
	case MQTT_PUBREL:
		if (!take_number(&in, 2, &a))
			return false;
		p->id = (unsigned)a;
		return !v5 || take_end(&in, p);
	case MQTT_DISCONNECT:
		return v5 && take_end(&in, p);
	case MQTT_PINGRESP:
		return true;
	default:
		return false; /* nothing that a server sends to one who only receives */
	}
}

static void
read_flags(unsigned char first, struct mqtt_packet *p)
{
	*p = (struct mqtt_packet){ .type = (enum mqtt_type)(first >> 4) };
	if (p->type != MQTT_PUBLISH)
		return;
	p->dup = first & 8;
	p->qos = first >> 1 & 3;
	p->retained = first & 1;
}

int
mqtt_read(str in, int version, struct mqtt_packet *out, size_t *size, struct err *e)
{
	size_t length;
	*size = 0;
	if (in.n < 2)
		return 0;
	str rest = str_slice(in, 1, in.n);
	int rc = take_length(&rest, &length);
	if (rc <= 0)
		return rc < 0 ? broken(e, "a packet without a length") : 0;
	*size = in.n - rest.n + length;
	read_flags((unsigned char)in.p[0], out);
	if (rest.n < length)
		return 0;
	return read_body(str_slice(rest, 0, length), version, out) ? 1 : broken(e, "a packet that is not by the rules of MQTT");
}

int
mqtt_read_start(str in, struct mqtt_packet *out, struct err *e)
{
	size_t length;
	int64_t n;
	str rest = str_slice(in, 1, in.n);
	read_flags((unsigned char)in.p[0], out);
	if (out->type != MQTT_PUBLISH || take_length(&rest, &length) != 1)
		return broken(e, "a packet of more than any size");
	str topic = rest;
	if (!take_number(&topic, 2, &n) || topic.n < (size_t)n + 2)
		return 0;
	return read_publish(str_slice(rest, 0, (size_t)n + 4), MQTT_V3, out) ? 1 : broken(e, "a message that is not by the rules of MQTT");
}

/* ---- what codes mean --------------------------------------------------------------------------------------------------- */

static const struct {
	int code;
	const char *text;
} reasons_v3[] = {
	{ 1, "the broker does not speak MQTT 3.1.1" }, { 2, "the broker does not take this clientId" }, { 3, "the broker is not available" },
	{ 4, "user name or password are wrong" }, { 5, "not authorised" }, { 0x80, "the broker refuses the topic" },
}, reasons_v5[] = {
	{ 0x00, "closed" }, { 0x80, "unspecified error" }, { 0x81, "malformed packet" }, { 0x82, "protocol error" }, { 0x83, "implementation specific error" },
	{ 0x84, "the broker does not speak MQTT 5" }, { 0x85, "the broker does not take this clientId" }, { 0x86, "user name or password are wrong" },
	{ 0x87, "not authorised" }, { 0x88, "the broker is not available" }, { 0x89, "the broker is busy" }, { 0x8A, "banned" },
	{ 0x8B, "the broker shuts down" }, { 0x8C, "bad authentication method" }, { 0x8D, "keep-alive timeout" },
	{ 0x8E, "another client took over the session: a clientId is for one client" }, { 0x8F, "the broker refuses the topic" },
	{ 0x90, "the broker refuses the topic" }, { 0x93, "more messages under way than were allowed" }, { 0x95, "packet too large" },
	{ 0x96, "message rate too high" }, { 0x97, "quota exceeded" }, { 0x98, "administrative action" }, { 0x9A, "retain not supported" },
	{ 0x9B, "QoS not supported" }, { 0x9C, "use another server" }, { 0x9D, "the server moved" }, { 0x9E, "shared subscriptions not supported" },
	{ 0x9F, "connection rate exceeded" }, { 0xA0, "maximum connect time" }, { 0xA1, "subscription identifiers not supported" },
	{ 0xA2, "wildcard subscriptions not supported" },
};

const char *
mqtt_reason(enum mqtt_type type, int version, int code)
{
	if (type == MQTT_CONNACK && version == MQTT_V5 && code > 0 && code < 0x80)
		version = MQTT_V3; /* brokers without MQTT 5 answer as they always did */
	for (size_t i = 0; version == MQTT_V3 && i < ARRAY_LEN(reasons_v3); i++)
		if (reasons_v3[i].code == code)
			return reasons_v3[i].text;
	for (size_t i = 0; version != MQTT_V3 && i < ARRAY_LEN(reasons_v5); i++)
		if (reasons_v5[i].code == code)
			return reasons_v5[i].text;
	return "the broker refuses";
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

static void
add_number(struct buf *b, size_t bytes, uint64_t n)
{
	while (bytes-- > 0)
		buf_addc(b, (char)(n >> 8 * bytes & 0xFF));
}

static void
add_text(struct buf *b, str s)
{
	s = str_slice(s, 0, 0xFFFF);
	add_number(b, 2, s.n);
	buf_add(b, s);
}

static void
add_packet(struct buf *b, unsigned first, const struct buf *body)
{
	buf_addc(b, (char)first);
	size_t n = body->n;
	do {
		buf_addc(b, (char)((n & 0x7F) | (n > 0x7F ? 0x80 : 0)));
		n >>= 7;
	} while (n);
	buf_add(b, buf_str(body));
}

/* Receive Maximum, Maximum Packet Size, and how long a session stays: as long as the broker lets it. */
static void
add_connect_properties(struct buf *b, bool clean)
{
	struct buf p CLEANUP(free_buf) = { 0 };
	add_number(&p, 1, 33);
	add_number(&p, 2, MQTT_WINDOW);
	add_number(&p, 1, 39);
	add_number(&p, 4, MQTT_PACKET_MAX);
	if (!clean) {
		add_number(&p, 1, 17);
		add_number(&p, 4, 0xFFFFFFFF);
	}
	buf_addc(b, (char)p.n);
	buf_add(b, buf_str(&p));
}

void
mqtt_write_connect(struct buf *b, const struct mqtt_hello *h)
{
	struct buf body CLEANUP(free_buf) = { 0 };
	unsigned flags = (h->user.p ? 0x80u : 0) | (h->password.p ? 0x40u : 0) | (h->clean ? 2u : 0);
	add_text(&body, S("MQTT"));
	add_number(&body, 1, (uint64_t)h->version);
	add_number(&body, 1, flags);
	add_number(&body, 2, MQTT_KEEP_ALIVE_S);
	if (h->version >= MQTT_V5)
		add_connect_properties(&body, h->clean);
	add_text(&body, h->client_id);
	if (h->user.p)
		add_text(&body, h->user);
	if (h->password.p)
		add_text(&body, h->password);
	add_packet(b, MQTT_CONNECT << 4, &body);
}

/* With MQTT 5, what is retained comes with a new subscription only, not with each connection to a session that has it (3.8.3.1). */
void
mqtt_write_subscribe(struct buf *b, int version, unsigned id, str topic, int qos)
{
	struct buf body CLEANUP(free_buf) = { 0 };
	add_number(&body, 2, id);
	if (version >= MQTT_V5)
		buf_addc(&body, 0);
	add_text(&body, topic);
	add_number(&body, 1, (unsigned)qos | (version >= MQTT_V5 ? 1u << 4 : 0));
	add_packet(b, MQTT_SUBSCRIBE << 4 | 2, &body);
}

void
mqtt_write_ack(struct buf *b, enum mqtt_type type, unsigned id)
{
	buf_addc(b, (char)(type << 4));
	buf_addc(b, 2);
	add_number(b, 2, id);
}

void
mqtt_write_empty(struct buf *b, enum mqtt_type type)
{
	buf_addc(b, (char)(type << 4));
	buf_addc(b, 0);
}
