/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource: what a container may use, as the value of a variable (resourceFieldRef of the downward API). Where there is no limit
 * it is the machine's, a request that is not given is the limit if there is one and else 0, and the value is rounded up to
 * whole units of the divisor: Kubernetes' rules (pkg/api/v1/resource/helpers.go, ExtractContainerResourceValue).
 */
#include "core/quantity.h"
#include "engine/exec/exec.h"

#include <math.h>
#include <unistd.h>

/* CPUs count in thousandths, all else in ones. */
static int
quantity(bool cpu, str text, int64_t *out, struct err *e)
{
	return cpu ? quantity_milli(text, out, e) : quantity_bytes(text, out, e);
}

static str
written(struct arena *a, const struct val *resources, const char *group, str name)
{
	const struct val *v = val_get(val_get(resources, str_c(group)), name);
	if (!v)
		return STR_NONE;
	return v->kind == VAL_STR || v->kind == VAL_NUM ? val_text(v) : json_write(a, v);
}

static int64_t
of_the_machine(str name)
{
	if (str_eq(name, S("cpu")))
		return (int64_t)sysconf(_SC_NPROCESSORS_ONLN) * 1000;
	if (str_eq(name, S("memory")))
		return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	return 0;
}

static int
amount(struct arena *a, const struct container *c, str name, bool limit, int64_t *out, struct err *e)
{
	bool cpu = str_eq(name, S("cpu"));
	str text = limit ? STR_NONE : written(a, c->resources, "requests", name);
	if (!text.p)
		text = written(a, c->resources, "limits", name);
	*out = limit ? of_the_machine(name) : 0;
	return text.p ? quantity(cpu, text, out, e) : 0;
}

int
resource_field(struct arena *a, const struct container *c, str container, const struct val *ref, str *out, struct err *e)
{
	static const char *const names[] = { "cpu", "memory", "ephemeral-storage" };
	str rest = val_get_str(ref, "resource"), name = val_get_str(ref, "containerName");
	if (name.n && !str_eq(name, container))
		return err_set(e, ERR_UNSUPPORTED, "resourceFieldRef of another container (%.*s): only a container's own is served",
			STR_ARG(name));
	str group = str_cut(&rest, '.');
	bool limit = str_eq(group, S("limits")), known = false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		known |= str_eq(rest, str_c(names[i]));
	if (!known || (!limit && !str_eq(group, S("requests"))))
		return err_set(e, ERR_INVALID,
			"resourceFieldRef %.*s.%.*s: must be limits or requests of cpu, memory or ephemeral-storage", STR_ARG(group),
			STR_ARG(rest));
	const struct val *divisor = val_get(ref, S("divisor"));
	str unit = !divisor ? S("1") : divisor->kind == VAL_STR || divisor->kind == VAL_NUM ? val_text(divisor) : json_write(a, divisor);
	int64_t value, by;
	if (amount(a, c, rest, limit, &value, e) || quantity(str_eq(rest, S("cpu")), str_eq(unit, S("0")) ? S("1") : unit, &by, e))
		return err_wrap(e, "resourceFieldRef");
	if (by < 1)
		return err_set(e, ERR_INVALID, "resourceFieldRef: divisor %.*s is too small", STR_ARG(unit));
	*out = arena_fmt(a, "%lld", (long long)ceil((double)value / (double)by));
	return 0;
}
