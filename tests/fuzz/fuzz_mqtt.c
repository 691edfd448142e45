/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker of MQTT sends: packets, over a WebSocket or not; all of a packet's texts lie within it. */
#include "core/net/mqtt.h"
#include "core/net/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
within(str part, str whole)
{
	assert(!part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void
packets(str in, int version)
{
	struct mqtt_packet p;
	struct mqtt_property property;
	struct err e = { 0 };
	size_t n;
	int rc;
	while ((rc = mqtt_read(in, version, &p, &n, &e)) == 1) {
		assert(n >= 2 && n <= in.n);
		within(p.topic, in);
		within(p.payload, in);
		for (str rest = p.properties; mqtt_property(&rest, &property);)
			within(property.text, in);
		assert(mqtt_reason(p.type, version, p.code));
		in = str_slice(in, n, in.n);
	}
	assert(rc == 0 || e.code);
	if (rc == 0 && n && mqtt_read_start(in, &p, &e) == 1)
		within(p.topic, in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size };
	if (!size)
		return 0;
	unsigned how = data[0];
	in = str_slice(in, 1, in.n);
	struct buf plain = { 0 }, answer = { 0 };
	struct ws_in ws = { 0 };
	struct err e = { 0 };
	int rc = 0;
	if (how & 2) { /* in two parts */
		size_t half = in.n / 2;
		buf_add(&ws.raw, str_slice(in, 0, half));
		rc = ws_take(&ws, &plain, &answer, &e);
		buf_add(&ws.raw, str_slice(in, half, in.n));
		if (rc == 0)
			rc = ws_take(&ws, &plain, &answer, &e);
		assert(rc == 0 || e.code);
	} else {
		buf_add(&plain, in);
	}
	packets(buf_str(&plain), how & 1 ? MQTT_V5 : MQTT_V3);
	buf_free(&plain);
	buf_free(&answer);
	buf_free(&ws.raw);
	return 0;
}
