/* SPDX-License-Identifier: Apache-2.0 */
/* read: what a scenario says, as numbers and texts; and how often something was. */
#include "engine/sim/sim.h"

size_t
sim_count(struct sim *x, struct map *m, str key, size_t add)
{
	size_t n = (size_t)(uintptr_t)map_get(m, key) + add;
	if (add)
		map_put(m, arena_dup(x->arena, key), (void *)(uintptr_t)n);
	return n;
}

int64_t
sim_number(const struct val *map, const char *key, int64_t dflt)
{
	int64_t v;
	const struct val *x = val_get(map, str_c(key));
	return x && val_to_i64(x, &v) ? v : dflt;
}

str
sim_text(struct sim *x, const struct val *v)
{
	struct val plain = v ? val_resolve(v) : val_null();
	return !v ? STR_NONE : plain.kind == VAL_STR ? val_text(&plain) : json_write(x->arena, &plain);
}

str
sim_field(struct sim *x, const struct val *map, const char *key)
{
	return sim_text(x, val_get(map, str_c(key)));
}
