/* SPDX-License-Identifier: Apache-2.0 */
/* match: shell-like patterns. */
#ifndef TIDEGATE_CORE_LANG_MATCH_H
#define TIDEGATE_CORE_LANG_MATCH_H

#include "core/base.h"

/*
 * '*' any number of characters, '?' one character (UTF-8), '\' takes the next literally; the whole text must match.
 * Time is at most text times pattern. Source: github.com/tidwall/match.
 */
bool match_glob(str text, str pattern);

#endif
