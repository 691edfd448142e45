/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities as Kubernetes writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/quantity.h"

static const struct {
	const char *text;
	int64_t bytes, milli; /* -1: is none */
} cases[] = {
	{ "0", 0, 0 }, { "1", 1, 1000 }, { "64Mi", 67108864, -1 }, { "1.5Gi", 1610612736, -1 }, { "1k", 1000, 1000000 }, { "1e3", 1000, 1000000 },
	{ "1E3", 1000, 1000000 }, { "1E", 1000000000000000000, -1 }, { "1Ei", INT64_C(1) << 60, -1 }, { "2P", 2000000000000000, -1 }, { "1Pi", INT64_C(1) << 50, -1 },
	{ "128974848000m", 128974848, -1 }, { "1500m", 2, 1500 }, { "500m", 1, 500 }, { "0.1", 1, 100 }, { ".5", 1, 500 }, { "1.0001", 2, 1001 }, { "100u", 1, 1 },
	{ "8Ei", -1, -1 }, { "64MB", -1, -1 }, { "64mi", -1, -1 }, { "lots", -1, -1 }, { "", -1, -1 }, { "m", -1, -1 }, { "-1", -1, -1 }, { "1 Gi", -1, -1 },
	{ "nan", -1, -1 }, { "inf", -1, -1 }, { "0x10", -1, -1 }, { "1000000", 1000000, 1000000000 }, { "1000001", 1000001, -1 },
};

static void
quantities(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t bytes = -1, milli = -1;
		struct err e;
		if (quantity_bytes(str_c(cases[i].text), &bytes, &e) != (cases[i].bytes < 0 ? -1 : 0) || bytes != cases[i].bytes)
			fail_msg("%s: %lld bytes", cases[i].text, (long long)bytes);
		if (quantity_milli(str_c(cases[i].text), &milli, &e) != (cases[i].milli < 0 ? -1 : 0) || milli != cases[i].milli)
			fail_msg("%s: %lld thousandths", cases[i].text, (long long)milli);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(quantities) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
