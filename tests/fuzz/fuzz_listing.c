/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listings of the clouds' object stores, each read as each service's: whatever a page says, only keys with the prefix are told, sizes are none that
 * something could be led astray by, and nothing is told after it was enough.
 */
#include "engine/artifact/cloud.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	str prefix;
	size_t n, most;
};

static bool
take(void *arg, str key, uint64_t bytes)
{
	struct told *t = arg;
	assert(key.n && str_starts(key, t->prefix) && bytes <= INT64_MAX);
	assert(t->n < t->most);
	return ++t->n < t->most;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const readers[])(struct arena *a, str body, struct cloud_page *p, struct err *e) = { gcs_page_read, oss_page_read, azure_page_read };
	str body = { (const char *)data, size };
	for (size_t i = 0; i < 2 * ARRAY_LEN(readers); i++) {
		struct arena *a = arena_new();
		struct told t = { i % 2 ? S("a/") : S(""), 0, i % 2 ? SIZE_MAX : 2 };
		struct cloud_page p = { .prefix = t.prefix, .each = take, .arg = &t };
		struct err e = { 0 };
		int rc = readers[i / 2](a, body, &p, &e);
		assert(rc == 0 || (e.code && e.msg[0]));
		assert(p.enough == (t.n == t.most));
		assert(!p.next.n || arena_dup(a, p.next).n == p.next.n); /* it can be read */
		arena_free(a);
	}
	return 0;
}
