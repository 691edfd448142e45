/* SPDX-License-Identifier: Apache-2.0 */
#include "core/transfer_watch.h"

str
bytes_text(struct arena *a, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double n = (double)bytes / 1024;
	size_t i = 0;
	if (bytes < 1024)
		return arena_fmt(a, "%u B", (unsigned)bytes);
	for (; n >= 1024 && i + 1 < ARRAY_LEN(units); i++)
		n /= 1024;
	return arena_fmt(a, "%.1f %s", n, units[i]);
}
