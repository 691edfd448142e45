/* SPDX-License-Identifier: Apache-2.0 */
#include "core/quantity.h"

#include <math.h>

static const struct {
	const char *suffix;
	double factor;
} units[] = { { "Ki", 0x1p10 }, { "Mi", 0x1p20 }, { "Gi", 0x1p30 }, { "Ti", 0x1p40 }, { "Pi", 0x1p50 }, { "Ei", 0x1p60 }, { "n", 1e-9 }, { "u", 1e-6 },
	{ "m", 1e-3 }, { "k", 1e3 }, { "M", 1e6 }, { "G", 1e9 }, { "T", 1e12 }, { "P", 1e15 }, { "E", 1e18 }, { "", 1 } };

/* Whether it is one, of at most `most`. */
static bool
read_quantity(str text, double most, double *out)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		str suffix = str_c(units[i].suffix);
		if (str_ends(text, suffix))
			return str_to_double(str_slice(text, 0, text.n - suffix.n), out) && *out >= 0 && (*out *= units[i].factor) <= most;
	}
	return false;
}

int
quantity_bytes(str text, int64_t *out, struct err *e)
{
	double v;
	if (!read_quantity(text, 0x1p62, &v))
		return err_set(e, ERR_INVALID, "\"%.*s\" is not a quantity: write it like 64Mi or 1G", STR_ARG(text));
	*out = (int64_t)ceil(v);
	return 0;
}

int
quantity_milli(str text, int64_t *out, struct err *e)
{
	double v;
	if (!read_quantity(text, 1e6, &v))
		return err_set(e, ERR_INVALID, "\"%.*s\" is not a quantity of CPUs: write it like 500m or 1.5", STR_ARG(text));
	*out = (int64_t)ceil(v * 1000 - 1e-6); /* 0.1 * 1000 is a little more than 100 */
	return 0;
}
