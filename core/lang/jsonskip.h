/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonskip: getting past JSON without looking into it. Strings and containers that a path does not want are skipped 64
 * bytes at a time; which instructions do it (AVX2, SSE2 or plain C) is chosen when the program runs.
 *
 * The text need not be valid: the functions never read outside [p, p+n) and stop at the end.
 */
#ifndef TIDEGATE_CORE_LANG_JSONSKIP_H
#define TIDEGATE_CORE_LANG_JSONSKIP_H

#include "core/base.h"

/* From the byte behind an opening quote to the offset of the closing one (n if there is none). *escaped: a backslash was seen. */
size_t jsonskip_string(const char *p, size_t i, size_t n, bool *escaped);
/* From the opening bracket at i to the offset behind the matching closing one (n if there is none); kinds are not compared. */
size_t jsonskip_container(const char *p, size_t i, size_t n);

/* The ways there are, best first, for tests; NULL-terminated. `usable` asks the processor. */
struct jsonskip_way {
	const char *name;
	bool (*usable)(void);
	size_t (*container)(const char *p, size_t i, size_t n);
};
extern const struct jsonskip_way jsonskip_ways[];

#endif
