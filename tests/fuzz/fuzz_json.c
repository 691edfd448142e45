/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: all ways to look whether it is valid agree; what is read is valid, says the same when written and read again, in every form we write; YAML reads it too. */
#include "core/json_valid.h"
#include "core/val.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same_again(struct arena *a, const struct val *v, unsigned opts)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct val again;
	struct err e;
	json_write_opts(&b, v, opts);
	assert(json_read(a, buf_str(&b), &again, &e) == 0);
	assert(val_eq(v, &again));
}

static void
looked_at_alike(str text)
{
	bool want = json_valid_plain(text);
	for (const struct json_valid_way *w = json_valid_ways; w->name; w++)
		assert(!w->usable() || w->valid(text) == want);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct val_limits limits = { .depth = 60, .nodes = 20000 };
	str text = { (const char *)data, size };
	struct val v;
	struct err e = { 0 };
	looked_at_alike(text);
	if (json_read_limited(a, text, &limits, &v, &e)) {
		assert((e.code == ERR_INVALID || e.code == ERR_LIMIT) && e.msg[0]);
		assert(e.code == ERR_LIMIT || !json_valid(text));
		return 0;
	}
	assert(json_valid(text));
	same_again(a, &v, 0);
	same_again(a, &v, JSON_INDENT | JSON_SORT | JSON_HTML);
	struct val copy = val_copy(a, &v);
	assert(val_eq(&v, &copy));
	assert(val_resolve_all(a, &v) == &v); /* JSON leaves nothing open */
	return 0;
}
