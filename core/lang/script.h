/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script: Lua over an event's data, as filters and transforms have it (spec events 3.3, 3.4). The language is Lua 5.1 with its
 * string, table and math libraries, and coroutines. What reaches out (io, os, package, debug, loading code) is not there and says so when asked for.
 *
 * `event` is the data as a table: nulls are left out, in objects and in lists, and so are lists that lie directly in lists; numbers are
 * doubles. Each run has globals of its own, library tables too: nothing stays from one to the next.
 *
 * Three budgets, because nothing may keep the loop: instructions (allocated and searched bytes count as well, so that
 * library functions in C are no way around), memory, and processor time. A script cannot catch their errors.
 *
 * One interpreter for all scripts of a thread; a script belongs to the thread that compiled it. liblua5.1 is opened with the first one.
 */
#ifndef TIDEGATE_CORE_LANG_SCRIPT_H
#define TIDEGATE_CORE_LANG_SCRIPT_H

#include "core/base.h"
#include "core/val.h"

struct script;

/* What one run may use. */
struct script_limits {
	int64_t instructions;
	int64_t memory; /* bytes */
	int64_t cpu_ns; /* of processor time, looked at every hundred instructions */
};
#define SCRIPT_LIMITS_DEFAULT ((struct script_limits){ 1000000, (int64_t)16 << 20, 100 * NS_PER_MS })
/* For all scripts of the program; set it before the first run. Zero members mean the default. */
void script_set_limits(const struct script_limits *l);

/* ERR_INVALID with Lua's message ("script:3: ..."), ERR_UNAVAILABLE without the library. */
int script_compile(str text, struct script **out, struct err *e) MUST_CHECK;
void script_free(struct script *s); /* NULL is fine */

/* *passes: the last value returned is exactly `true`. `event` is a map. ERR_INVALID: the script failed; ERR_LIMIT: a budget is used up. */
int script_passes(struct script *s, const struct val *event, bool *passes, struct err *e) MUST_CHECK;
/*
 * The table returned, as JSON in `a`: a list if it has the key 1 or a higher whole number, or a metatable with `__is_array`; else
 * an object with sorted keys. ERR_INVALID too if no table came, or something in it has no JSON.
 */
int script_transforms(struct script *s, const struct val *event, struct arena *a, str *out, struct err *e) MUST_CHECK;

#endif
