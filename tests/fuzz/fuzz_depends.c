/* SPDX-License-Identifier: Apache-2.0 */
/* depends: whatever is read can be asked, with any results, and names only tasks that exist. */
#include "engine/run/depends.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ten tasks, called by one letter or by letter and digit. */
static size_t
task(void *arg, str name, uint8_t *bare)
{
	(void)arg;
	if (!name.n || name.n > 2 || name.p[0] < 'A' || name.p[0] > 'J')
		return SIZE_MAX;
	*bare |= name.n == 2 ? DEPENDS_FAILED : 0;
	return (size_t)(name.p[0] - 'A');
}

static uint8_t
results(const void *arg, size_t t)
{
	assert(t < 10);
	return ((const uint8_t *)arg)[t];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct depends_scope scope = { task, NULL };
	struct depends d;
	struct err e;

	if (size < 10)
		return 0;
	struct arena *a = arena_new();

	if (depends_parse(a, (str){ (const char *)data + 10, size - 10 }, &scope, &d, &e) == 0) {
		(void)depends_holds(&d, results, data);
		assert(d.tasks_n >= 1 && d.tasks_n <= 10);
	}
	arena_free(a);
	return 0;
}
