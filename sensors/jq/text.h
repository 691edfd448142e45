/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gojq, Argo's jq, understands beyond jq 1.6: its grammar by rewriting (`if` without `else`, `.a.[0]`), its functions by a prelude.
 * libc only: the helper has none of our other code.
 */
#ifndef TIDEGATE_SENSORS_JQ_TEXT_H
#define TIDEGATE_SENSORS_JQ_TEXT_H

#include <stddef.h>

/* Prelude and program as jq 1.6 takes them, NUL-terminated, on one line more than the program has: none. Free it. NULL: no memory. */
char *jq_text(const char *program, size_t n);

#endif
