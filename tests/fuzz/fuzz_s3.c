/* SPDX-License-Identifier: Apache-2.0 */
/* S3: whatever is taken for a notification or a listing is read or left alone; what comes out of a notification is JSON. */
#include "core/val.h"
#include "sources/s3_event.h"
#include "core/net/s3_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = { (const char *)data, size }, out;
	struct arena *a = arena_new();
	struct s3_page page;
	struct err e;
	const struct s3_events all = { 0 };
	if (s3_events_unwrap(&all, a, in, &out) > 0)
		assert(json_valid(out));
	if (s3_list_read(a, in, &page, &e) == 0)
		assert(page.n <= S3_PAGE_MAX);
	str key = s3_key_decode(a, in);
	assert(str_eq(s3_key_decode(a, s3_key_encode(a, key)), key));
	(void)s3_error_text(a, in).n;
	arena_free(a);
	return 0;
}
