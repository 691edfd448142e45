/* SPDX-License-Identifier: Apache-2.0 */
/* XML: whatever arrives is read to its end or refused, with a reason; what opens closes, and the reader always moves on. */
#include "core/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
tokens(str in, struct arena *a)
{
	struct xml_reader x = { .text = in };
	struct err e = { 0 };
	unsigned depth = 0;
	for (int kind = -2; kind != XML_END;) {
		str out;
		size_t before = x.at;
		kind = xml_next(&x, a, &out, &e);
		if (kind < 0) {
			assert(e.code && e.msg[0]);
			return;
		}
		depth += kind == XML_OPEN;
		assert(kind != XML_CLOSE || depth > 0);
		depth -= kind == XML_CLOSE;
		assert(depth <= XML_DEPTH_MAX && x.at <= in.n && (x.at > before || kind == XML_CLOSE || kind == XML_END));
	}
	assert(!depth);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size }, id, body;
	struct arena *a = arena_new();
	tokens(in, a);
	struct xml_reader x = { .text = in };
	struct xml_field fields[] = { { "MessageId", &id }, { "MessageBody", &body } };
	struct err e = { 0 };
	int rc;
	while ((rc = xml_record(&x, "Message", fields, ARRAY_LEN(fields), a, &e)) > 0)
		assert(id.n <= size && body.n <= size);
	assert(rc == 0 || e.code);
	str code = xml_find(in, "Code", a);
	assert(code.n <= size);
	arena_free(a);
	return 0;
}
