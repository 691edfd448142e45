/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt: packets by the examples of MQTT 3.1.1 and 5, the frames of WebSockets by those of RFC 6455, and what is none. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/net/mqtt.h"
#include "core/net/stream.h"
#include "sources/nats_stream.h"

#define BYTES(literal) ((str){ literal, sizeof(literal) - 1 })

static struct mqtt_packet
one(str in, int version)
{
	struct mqtt_packet p;
	struct err e = { 0 };
	size_t n;
	for (size_t part = 0; part < in.n; part++) { /* no part of it is a packet, and none is an error */
		assert_int_equal(mqtt_read(str_slice(in, 0, part), version, &p, &n, &e), 0);
		assert_true(n == 0 || n == in.n);
	}
	assert_int_equal(mqtt_read(in, version, &p, &n, &e), 1);
	assert_int_equal(n, in.n);
	return p;
}

static void
packets_are_read(void **state UNUSED)
{
	struct mqtt_packet p = one(BYTES("\x20\x02\x01\x05"), MQTT_V3);
	assert_int_equal(p.type, MQTT_CONNACK);
	assert_true(p.session);
	assert_string_equal(mqtt_reason(p.type, MQTT_V3, p.code), "not authorised");

	p = one(BYTES("\x3b\x0a\0\3t/a\0\x07xyz"), MQTT_V3);
	assert_int_equal(p.type, MQTT_PUBLISH);
	assert_true(p.dup && p.retained && p.qos == 1 && p.id == 7);
	assert_true(str_eq(p.topic, S("t/a")) && str_eq(p.payload, S("xyz")));

	p = one(BYTES("\x30\x05\0\3t/a"), MQTT_V3);
	assert_true(p.qos == 0 && p.id == 0 && p.payload.n == 0);

	p = one(BYTES("\x62\2\0\x0a"), MQTT_V3);
	assert_true(p.type == MQTT_PUBREL && p.id == 10);
	p = one(BYTES("\x90\3\0\1\x80"), MQTT_V3);
	assert_true(p.type == MQTT_SUBACK && p.id == 1 && p.code == 0x80);
}

static void
packets_of_mqtt_5_are_read(void **state UNUSED)
{
	struct mqtt_property property;
	struct mqtt_packet p = one(BYTES("\x20\x0b\x00\x87\x08\x1f\0\5sorry"), MQTT_V5);
	str rest = p.properties;
	assert_true(mqtt_property(&rest, &property));
	assert_int_equal(property.id, MQTT_REASON_STRING);
	assert_true(str_eq(property.text, S("sorry")));
	assert_false(mqtt_property(&rest, &property));

	p = one(BYTES("\x32\x12\0\3t/a\0\7\x07\x26\0\1a\0\1bxyz"), MQTT_V5);
	rest = p.properties;
	assert_true(mqtt_property(&rest, &property));
	assert_true(property.id == MQTT_USER_PROPERTY && str_eq(property.name, S("a")) && str_eq(property.text, S("b")));
	assert_true(str_eq(p.payload, S("xyz")));

	p = one(BYTES("\xe0\x02\x8e\0"), MQTT_V5);
	assert_non_null(strstr(mqtt_reason(p.type, MQTT_V5, p.code), "another client"));
}

static void
what_is_no_packet_is_refused(void **state UNUSED)
{
	static const str wrong[] = {
		BYTES("\x32\xff\xff\xff\xff\xff"),          /* a length without end */
		BYTES("\x36\x07\0\3t/a\0\7"),               /* QoS 3 */
		BYTES("\x32\x07\0\3t/a\0\0"),               /* id 0 */
		BYTES("\x30\x03\0\4t"),                     /* a topic that is longer than its packet */
		BYTES("\x10\x02\0\0"),                      /* what only clients send */
		BYTES("\x20\x01\0"), BYTES("\x90\2\0\1"), BYTES("\x62\1\0"),
	};
	struct mqtt_packet p;
	size_t n;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err e = { 0 };
		assert_int_equal(mqtt_read(wrong[i], MQTT_V3, &p, &n, &e), -1);
		assert_int_equal(e.code, ERR_UNAVAILABLE);
	}
	struct err e = { 0 };
	assert_int_equal(mqtt_read(BYTES("\x32\x0a\0\3t/a\0\7\x02\x7fx"), MQTT_V5, &p, &n, &e), -1); /* a property that there is not */
}

static void
a_large_message_begins(void **state UNUSED)
{
	struct mqtt_packet p;
	struct err e = { 0 };
	size_t n;
	str in = BYTES("\x32\xff\xff\xff\x7f\0\3t/a\0\7xyz");
	assert_int_equal(mqtt_read(in, MQTT_V3, &p, &n, &e), 0);
	assert_true(n > MQTT_PACKET_MAX);
	for (size_t part = 5; part < 12; part++)
		assert_int_equal(mqtt_read_start(str_slice(in, 0, part), &p, &e), 0);
	assert_int_equal(mqtt_read_start(in, &p, &e), 1);
	assert_true(p.qos == 1 && p.id == 7 && str_eq(p.topic, S("t/a")));
}

static void
packets_are_written(void **state UNUSED)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	mqtt_write_connect(&b, &(struct mqtt_hello){ MQTT_V3, S("c"), S("ann"), S(""), true });
	assert_true(str_eq(buf_str(&b), BYTES("\x10\x14\0\4MQTT\4\xc2\0\x1e\0\1c\0\3ann\0\0")));
	b.n = 0;
	mqtt_write_connect(&b, &(struct mqtt_hello){ MQTT_V5, S("c"), STR_NONE, STR_NONE, false });
	assert_true(str_eq(buf_str(&b), BYTES("\x10\x1b\0\4MQTT\5\0\0\x1e\x0d\x21\x03\xe8\x27\x01\0\0\0\x11\xff\xff\xff\xff\0\1c")));
	b.n = 0;
	mqtt_write_subscribe(&b, MQTT_V3, 1, S("t/#"), 1);
	assert_true(str_eq(buf_str(&b), BYTES("\x82\x08\0\1\0\3t/#\1")));
	b.n = 0;
	mqtt_write_subscribe(&b, MQTT_V5, 1, S("t/#"), 2);
	assert_true(str_eq(buf_str(&b), BYTES("\x82\x09\0\1\0\0\3t/#\x12")));
	b.n = 0;
	mqtt_write_ack(&b, MQTT_PUBACK, 258);
	mqtt_write_empty(&b, MQTT_PINGREQ);
	assert_true(str_eq(buf_str(&b), BYTES("\x40\2\1\2\xc0\0")));
}

static void
addresses(void **state UNUSED)
{
	static const struct {
		str url, host, path;
		int port;
		bool tls;
	} good[] = {
		{ S("tcp://h"), S("h"), STR_NONE, 1883, false }, { S("h:1"), S("h"), STR_NONE, 1, false }, { S("mqtts://h"), S("h"), STR_NONE, 8883, true },
		{ S("ws://h"), S("h"), S("/"), 80, false }, { S("wss://u:p@h/mqtt"), S("h"), S("/mqtt"), 443, true },
	};
	struct arena *a = arena_new();
	struct stream_to to;
	struct peer_url parts;
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(mqtt_address(good[i].url, a, &to, &parts, &e), 0);
		assert_true(str_eq(to.host, good[i].host) && to.port == good[i].port && to.tls == good[i].tls && str_eq(to.ws_path, good[i].path));
	}
	assert_int_equal(mqtt_address(S("amqp://h"), a, &to, &parts, &e), -1);
	assert_int_equal(mqtt_address(S("tcp://"), a, &to, &parts, &e), -1);
	arena_free(a);
}

/* ---- WebSockets ---------------------------------------------------------------------------------------------------- */

static void
frames_are_taken_apart(void **state UNUSED)
{
	str all = BYTES("\x82\x05Hello" "\x89\x05Hello" "\x02\x03Hel\x80\x02lo" "\x82\x7e\x01\0");
	for (size_t cut = 0; cut <= all.n; cut++) {
		struct ws_in w = { 0 };
		struct buf out CLEANUP(free_buf) = { 0 }, answer CLEANUP(free_buf) = { 0 };
		struct err e = { 0 };
		buf_add(&w.raw, str_slice(all, 0, cut));
		assert_int_equal(ws_take(&w, &out, &answer, &e), 0);
		buf_add(&w.raw, str_slice(all, cut, all.n));
		assert_int_equal(ws_take(&w, &out, &answer, &e), 0);
		assert_true(str_eq(buf_str(&out), S("HelloHello")));
		assert_true(answer.n == 2 + 4 + 5 && (unsigned char)answer.p[0] == 0x8A && (unsigned char)answer.p[1] == 0x85); /* a pong, masked */
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(answer.p[6 + i] ^ answer.p[2 + i % 4], "Hello"[i]);
		assert_int_equal(w.left, 256);
		buf_free(&w.raw);
	}
}

static void
what_is_no_frame_is_refused(void **state UNUSED)
{
	static const str wrong[] = {
		BYTES("\x82\x85\1\2\3\4Hello"), BYTES("\xc2\0"), BYTES("\x83\0"), BYTES("\x8b\0"), BYTES("\x89\x7e\x01\0"), BYTES("\x88\0"),
		BYTES("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"),
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct ws_in w = { 0 };
		struct buf out CLEANUP(free_buf) = { 0 }, answer CLEANUP(free_buf) = { 0 };
		struct err e = { 0 };
		buf_add(&w.raw, wrong[i]);
		assert_int_equal(ws_take(&w, &out, &answer, &e), -1);
		buf_free(&w.raw);
	}
}

static void
long_frames_have_long_lengths(void **state UNUSED)
{
	static const size_t sizes[] = { 0, 125, 126, 65535, 65536 };
	static const size_t heads[] = { 2, 2, 4, 4, 10 };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf data CLEANUP(free_buf) = { 0 }, b CLEANUP(free_buf) = { 0 };
		memset(buf_room(&data, sizes[i] + 1), 'x', sizes[i]);
		data.n = sizes[i];
		ws_frame(&b, 2, buf_str(&data));
		assert_int_equal(b.n, heads[i] + 4 + sizes[i]);
	}
}

/* ---- NATS ------------------------------------------------------------------------------------------------------------ */

static void
places_in_streams(void **state UNUSED)
{
	struct nats_place p;
	assert_true(nats_place(S("$JS.ACK.S.d1.1.42.7.1700000000000000000.0"), &p));
	assert_true(str_eq(p.stream, S("S")) && str_eq(p.sequence, S("42")) && str_eq(p.time, S("1700000000000000000")));
	assert_true(nats_place(S("$JS.ACK._.hash.S.d1.1.42.7.1700000000000000000.0.x"), &p));
	assert_true(str_eq(p.stream, S("S")) && str_eq(p.sequence, S("42")) && str_eq(p.time, S("1700000000000000000")));
	assert_false(nats_place(S("_INBOX.a.b"), &p));
	assert_false(nats_place(S("$JS.ACK.S.d1.1.42"), &p));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_read),
		cmocka_unit_test(packets_of_mqtt_5_are_read),
		cmocka_unit_test(what_is_no_packet_is_refused),
		cmocka_unit_test(a_large_message_begins),
		cmocka_unit_test(packets_are_written),
		cmocka_unit_test(addresses),
		cmocka_unit_test(frames_are_taken_apart),
		cmocka_unit_test(what_is_no_frame_is_refused),
		cmocka_unit_test(long_frames_have_long_lengths),
		cmocka_unit_test(places_in_streams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
