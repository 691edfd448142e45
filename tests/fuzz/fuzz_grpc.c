/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of gRPC: whatever arrives is read to its end or refused; fields lie within the message and do not overlap. */
#include "core/net/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A stream ends within its text, and each message takes some of it. */
static void
stream(str in)
{
	str message;
	struct err e;
	size_t used;
	while (grpc_next(in, &message, &used, &e) > 0) {
		assert(used > 0 && used <= in.n && message.n < used);
		in = str_slice(in, used, in.n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	stream((str){ (const char *)data, size });
	str in = { (const char *)data, size }, message;
	struct err e;
	if (grpc_unframe(in, &message, &e) < 0)
		message = in;
	const char *end = message.p + message.n, *at = message.p;
	struct proto_field f;
	while (proto_next(&message, &f, &e) > 0) {
		assert(f.number > 0 && message.p > at && message.p <= end);
		assert(!f.bytes.p || (f.bytes.p > at && f.bytes.p + f.bytes.n == message.p));
		at = message.p;
	}
	return 0;
}
