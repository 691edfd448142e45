/* SPDX-License-Identifier: Apache-2.0 */
/* What the jq helper answers, in pieces as they come: never more is asked for than one answer has, and a length that makes no sense ends it. */
#include "sensors/jq.c" /* for what is its own */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct helper h = { 0 };
	struct jq_reply r;
	size_t want, at = 0, step = size ? data[0] % 7 + 1 : 1;
	while ((want = missing(&h)) != 0 && want != SIZE_MAX && at < size) {
		size_t take = want < step ? want : step;
		take = take < size - at ? take : size - at;
		memcpy(buf_room(&h.in, want), data + at, take);
		h.in.n += take;
		at += take;
		assert(h.in.n <= sizeof r + JQ_ANSWER_MAX);
	}
	if (h.in.n >= sizeof r) {
		memcpy(&r, h.in.p, sizeof r);
		assert((want == SIZE_MAX) == (r.n > JQ_ANSWER_MAX));
		assert(want || h.in.n == sizeof r + r.n);
	}
	buf_free(&h.in);
	return 0;
}
