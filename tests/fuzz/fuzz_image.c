/* SPDX-License-Identifier: Apache-2.0 */
/* Images: names and patterns, and the choice from an index; the first line is the name, the second the pattern, the rest JSON. */
#include "cli/oci.h"
#include "engine/exec/image_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
names(struct arena *a, str name, str pattern)
{
	struct err e;
	str whole = image_name_whole(a, name);
	assert(str_eq(image_name_whole(a, whole), whole) || image_name_check(name, &e)); /* once is enough */
	if (image_name_check(name, &e) == 0)
		assert(name.n > IMAGE_NAME_MAX - 32 || image_name_matches(S("*"), name));
	(void)image_name_matches(pattern, name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str rest = { (const char *)data, size }, name = str_cut(&rest, '\n'), pattern = str_cut(&rest, '\n');
	struct oci_choice c;
	struct val index;
	struct err e;
	struct arena *a = arena_new();
	if (name.n < 600 && pattern.n < 600)
		names(a, name, pattern);
	if (json_read(a, rest, &index, &e) == 0 && oci_choose(a, &index, name, "amd64", &c, &e) == 0)
		assert(image_digest_valid(c.digest));
	arena_free(a);
	return 0;
}
