/* SPDX-License-Identifier: Apache-2.0 */
/* What an nsqd sends: each frame lies within what was read, none is taken before it is all there, and messages are within their frames. */
#include "core/net/nsq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_part(str whole, str part)
{
	assert(part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void
look_up(str text)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct nsq_addresses got;
	struct err e = { 0 };
	if (nsq_lookup_read(a, text, &got, &e) < 0) {
		assert(e.code && e.msg[0]);
		return;
	}
	for (size_t i = 0; i < got.n; i++)
		assert(got.p[i].host.n && got.p[i].port > 0 && got.p[i].port < 65536);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size };
	struct nsq_frame f;
	struct nsq_message m;
	struct err e = { 0 };
	ssize_t n;
	look_up(in);
	(void)nsq_name_is_valid(in);
	while ((n = nsq_frame(in, &f, &e)) > 0) {
		check_part(str_slice(in, 0, (size_t)n), f.data);
		struct nsq_frame again;
		assert(nsq_frame(str_slice(in, 0, (size_t)n - 1), &again, &e) == 0);
		if (f.type == NSQ_MESSAGE && nsq_message(f.data, &m, &e) == 0) {
			assert(m.id.n == NSQ_ID && m.attempts >= 0);
			check_part(f.data, m.id);
			check_part(f.data, m.body);
		}
		in = str_slice(in, (size_t)n, in.n);
	}
	assert(n == 0 || e.code == ERR_INVALID);
	return 0;
}
