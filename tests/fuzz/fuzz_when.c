/* SPDX-License-Identifier: Apache-2.0 */
/* when: any text gives an answer or a reason, as a step's condition and over the values of an event. */
#include "core/lang/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* a: a number, b: a list, c: an object, any other name of one letter: nothing; longer ones are not there. */
static bool
lookup(void *arg, str name, struct val *out)
{
	static const struct val items[] = { { .kind = VAL_FLOAT, .f = 1.5 }, { .kind = VAL_STR, .p = "x", .n = 1 } };
	static const struct member members[] = { { { .kind = VAL_STR, .p = "k", .n = 1 }, { .kind = VAL_LIST, .items = items, .n = 2 } } };
	(void)arg;
	*out = val_null();
	if (str_eq(name, S("a")))
		*out = val_float(7);
	else if (str_eq(name, S("b")))
		*out = (struct val){ .kind = VAL_LIST, .items = items, .n = 2 };
	else if (str_eq(name, S("c")))
		*out = (struct val){ .kind = VAL_MAP, .members = members, .n = 1 };
	return name.n == 1;
}

static void
with_names(str text)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e = { 0 };
	struct when *w;
	struct val v;
	if (when_compile(text, a, &w, &e) < 0) {
		assert(e.msg[0] && (e.code == ERR_INVALID || e.code == ERR_LIMIT));
		return;
	}
	if (when_value(w, lookup, NULL, a, &v, &e) < 0)
		assert(e.msg[0] && (e.code == ERR_INVALID || e.code == ERR_LIMIT));
	when_free(w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	bool is;
	str text = { (const char *)data, size };
	if (when_eval(text, &is, &e))
		assert(e.msg[0] && (e.code == ERR_INVALID || e.code == ERR_LIMIT));
	with_names(text);
	return 0;
}
