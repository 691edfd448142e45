/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lines.h"

enum { PART_KEPT = 64 << 10 /* bytes of memory that stay for the next line */ };

void
lines_reset(struct lines *l)
{
	buf_free(&l->part);
	l->skipping = false;
}

static void
forget_part(struct lines *l)
{
	if (l->part.cap > PART_KEPT)
		lines_reset(l);
	l->part.n = 0;
	l->skipping = false;
}

static bool
end_line(struct lines *l, str end, bool (*fn)(void *arg, str line), void *arg)
{
	str line = end;
	if (l->part.n) {
		buf_add(&l->part, end);
		line = buf_str(&l->part);
	}
	bool goes_on = fn(arg, l->skipping || line.n > l->max ? STR_NONE : line);
	forget_part(l);
	return goes_on;
}

bool
lines_take(struct lines *l, str bytes, bool (*fn)(void *arg, str line), void *arg)
{
	size_t end;
	while ((end = str_find_char(bytes, '\n', 0)) != SIZE_MAX) {
		if (!end_line(l, l->skipping ? S("") : str_slice(bytes, 0, end), fn, arg))
			return false;
		bytes = str_slice(bytes, end + 1, bytes.n);
	}
	if (l->skipping)
		return true;
	buf_add(&l->part, bytes);
	l->skipping = l->part.n > l->max;
	if (l->skipping)
		l->part.n = 0;
	return true;
}
