/* SPDX-License-Identifier: Apache-2.0 */
/* random: names that nobody else has. Any thread. */
#ifndef TIDEGATE_CORE_RANDOM_H
#define TIDEGATE_CORE_RANDOM_H

#include "core/base.h"

/* `n` (at most 64) lower case letters and digits from the kernel's generator, for a generateName. In `a`. */
str random_suffix(struct arena *a, size_t n);

#endif
