/* SPDX-License-Identifier: Apache-2.0 */
/* times: what tests of the clock write their times with. */
#ifndef TIDEGATE_TESTS_TIMES_H
#define TIDEGATE_TESTS_TIMES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base.h"

/* RFC 3339 in nanoseconds since the epoch. */
static inline int64_t
at(const char *text)
{
	int64_t ns;
	struct err e;
	if (time_parse_rfc3339(str_c(text), &ns, &e) < 0)
		fail_msg("%s", e.msg);
	return ns;
}

#endif
