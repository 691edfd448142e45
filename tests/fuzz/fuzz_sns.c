/* SPDX-License-Identifier: Apache-2.0 */
/* What comes as a message of SNS: it is refused with a reason, or what is signed of it can be said; no certificate from elsewhere. */
#include "sources/sns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size };
	struct arena *a = arena_new();
	struct sns_message m;
	struct err e = { 0 };
	if (sns_message_read(in, a, &m, &e) < 0) {
		assert(e.code == ERR_INVALID && e.msg[0]);
	} else {
		str text = sns_message_text(&m, a);
		assert(str_starts(text, S("Message\n")) && str_ends(text, S("\n")));
	}
	if (sns_certificate_url(in, S(""), &e) == 0)
		assert(str_starts(in, S("https://sns.")) && str_find(in, S(".amazonaws.com"), 0) != SIZE_MAX);
	arena_free(a);
	return 0;
}
