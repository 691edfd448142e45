/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_valid: whether a text is JSON, without reading it into a tree; json_valid() itself is in core/val.h, beside the reader. Which
 * instructions do it is chosen when the program runs.
 */
#ifndef TIDEGATE_CORE_JSON_VALID_H
#define TIDEGATE_CORE_JSON_VALID_H

#include "core/base.h"

/* What the reader (core/json.c) accepts unless it is told otherwise. */
#define JSON_DEPTH_MAX 100
#define JSON_VALUES_MAX 1000000
#define JSON_BYTES_MAX ((size_t)64 << 20)

/* By the reader itself: the others must say what it says. */
bool json_valid_plain(str text);

/* The ways there are, best first, for tests; NULL-terminated. `usable` asks the processor. */
struct json_valid_way {
	const char *name;
	bool (*usable)(void);
	bool (*valid)(str text);
};
extern const struct json_valid_way json_valid_ways[];

#endif
