/* SPDX-License-Identifier: Apache-2.0 */
/* Methods: those of Go's time.Time, time.Duration, time.Month, time.Weekday and time.Location that give one value. */
#include "core/lang/expr_builtin.h"
#include "core/tz.h"

#define METHOD_ARGS struct eval *ev, const struct val *t, const struct val *args, struct val *out
#define METHOD(name) static int name(METHOD_ARGS)
#define GIVE(v)                                                                                                        \
	do {                                                                                                           \
		(void)ev, (void)t, (void)args;                                                                         \
		*out = (v);                                                                                            \
		return 0;                                                                                              \
	} while (0)

static struct civil
civil_of(const struct val *t)
{
	str ignored;
	return civil_from(t->i + time_offset(t, &ignored));
}

/* ---- times ------------------------------------------------------------------------------------------------------ */

METHOD(year)
{
	GIVE(val_int(civil_of(t).year));
}
METHOD(month)
{
	GIVE(time_special(civil_of(t).month, EXPR_MONTH));
}
METHOD(day)
{
	GIVE(val_int(civil_of(t).day));
}
METHOD(hour)
{
	GIVE(val_int(civil_of(t).hour));
}
METHOD(minute)
{
	GIVE(val_int(civil_of(t).minute));
}
METHOD(second)
{
	GIVE(val_int(civil_of(t).second));
}
METHOD(nanosecond)
{
	GIVE(val_int(t->n));
}
METHOD(weekday)
{
	GIVE(time_special(civil_of(t).weekday, EXPR_WEEKDAY));
}
METHOD(unix_seconds)
{
	GIVE(val_int(t->i));
}
METHOD(unix_milli)
{
	GIVE(val_int((int64_t)((uint64_t)t->i * 1000 + t->n / 1000000)));
}
METHOD(unix_micro)
{
	GIVE(val_int((int64_t)((uint64_t)t->i * 1000000 + t->n / 1000)));
}
METHOD(unix_nano)
{
	GIVE(val_int((int64_t)((uint64_t)t->i * NS_PER_SEC + t->n)));
}
METHOD(is_zero)
{
	GIVE(val_bool(t->i == INT64_C(-62135596800) && !t->n));
}

METHOD(year_day)
{
	struct civil c = civil_of(t);
	GIVE(val_int(civil_days(c.year, c.month, c.day) - civil_days(c.year, 1, 1) + 1));
}

METHOD(format)
{
	struct buf b = { 0 };
	if (eval_spend(ev, args[0].n * 4u))
		return -1;
	time_format(&b, t, val_text(&args[0]));
	return builtin_give_text(ev, &b, out);
}

METHOD(string)
{
	struct buf b = { 0 };
	(void)args;
	(void)time_print(&b, t);
	return builtin_give_text(ev, &b, out);
}

static int
operate(struct eval *ev, enum op op, const struct val *a, const struct val *b, struct val *out)
{
	int rc;
	return time_binary(ev, op, a, b, out, &rc) ? rc : eval_fail(ev, "invalid operation");
}

METHOD(add)
{
	return operate(ev, OP_ADD, t, &args[0], out);
}
METHOD(sub)
{
	return operate(ev, OP_SUB, t, &args[0], out);
}
METHOD(after)
{
	return operate(ev, OP_GT, t, &args[0], out);
}
METHOD(before)
{
	return operate(ev, OP_LT, t, &args[0], out);
}
METHOD(equal)
{
	return operate(ev, OP_EQ, t, &args[0], out);
}

METHOD(compare)
{
	int c = 0;
	(void)time_compare(t, &args[0], &c);
	GIVE(val_int(c));
}

static bool
small(const struct val *v)
{
	return v->i > -1000000 && v->i < 1000000;
}

METHOD(add_date)
{
	struct civil c = civil_of(t);
	str ignored;
	if (!small(&args[0]) || !small(&args[1]) || !small(&args[2]))
		return eval_fail(ev, "AddDate: more than a million years, months or days");
	int64_t month = c.month - 1 + args[1].i, year = c.year + args[0].i + month / 12 - (month % 12 < 0);
	month = (month % 12 + 12) % 12 + 1;
	int64_t local =
		(civil_days(year, (int)month, c.day + args[2].i)) * 86400 + c.hour * 3600 + c.minute * 60 + c.second;
	struct val guess = time_make(local, 0, t->line);
	int64_t sec = local - time_offset(&guess, &ignored);
	guess.i = sec;
	sec = local - time_offset(&guess, &ignored);
	GIVE(time_make(sec, t->n, t->line));
}

/* Time is counted from the year 1 for this, so hours are hours but weeks begin on Mondays. */
static struct val
rounded(const struct val *t, int64_t d, bool nearest)
{
	if (d <= 0)
		return *t;
	__int128 ns = ((__int128)t->i + INT64_C(62135596800)) * NS_PER_SEC + t->n;
	int64_t rest = (int64_t)(ns % d);
	if (rest < 0)
		rest += d;
	int64_t by = nearest && rest >= d - rest ? d - rest : -rest;
	return time_make(t->i + by / NS_PER_SEC, (int64_t)t->n + by % NS_PER_SEC, t->line);
}

METHOD(truncate_time)
{
	GIVE(rounded(t, args[0].i, false));
}
METHOD(round_time)
{
	GIVE(rounded(t, args[0].i, true));
}
METHOD(utc)
{
	GIVE(time_make(t->i, t->n, 0));
}
METHOD(in)
{
	GIVE(time_make(t->i, t->n, (uint32_t)args[0].i));
}

/* ---- durations -------------------------------------------------------------------------------------------------- */

static double
in_units(int64_t ns, int64_t unit)
{
	int64_t whole = ns / unit; /* apart from the rest, as Go does it: more digits are right */
	return (double)whole + (double)(ns % unit) / (double)unit;
}

METHOD(hours)
{
	GIVE(val_float(in_units(t->i, 3600 * NS_PER_SEC)));
}
METHOD(minutes)
{
	GIVE(val_float(in_units(t->i, 60 * NS_PER_SEC)));
}
METHOD(seconds)
{
	GIVE(val_float(in_units(t->i, NS_PER_SEC)));
}
METHOD(milliseconds)
{
	GIVE(val_int(t->i / 1000000));
}
METHOD(microseconds)
{
	GIVE(val_int(t->i / 1000));
}
METHOD(nanoseconds)
{
	GIVE(val_int(t->i));
}
METHOD(absolute)
{
	GIVE(time_special(t->i < 0 ? t->i == INT64_MIN ? INT64_MAX : -t->i : t->i, EXPR_DURATION));
}

METHOD(truncate_duration)
{
	GIVE(time_special(args[0].i <= 0 ? t->i : t->i - t->i % args[0].i, EXPR_DURATION));
}

METHOD(round_duration)
{
	int64_t m = args[0].i, rest = m > 0 ? t->i % m : 0, down = t->i - rest;
	int64_t size = rest < 0 ? -rest : rest;
	if (m > 0 && size >= m - size) /* half goes away from zero; what does not fit is the longest */
		down = t->i < 0               ? down < INT64_MIN + m ? INT64_MIN : down - m
		       : down > INT64_MAX - m ? INT64_MAX
					      : down + m;
	GIVE(time_special(m > 0 ? down : t->i, EXPR_DURATION));
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static const struct method {
	const char *name;
	uint32_t type;
	const char *args; /* s string, i int, t time, d duration, l location */
	int (*call)(METHOD_ARGS);
} methods[] = {
	{ "Year", EXPR_TIME, "", year },
	{ "Month", EXPR_TIME, "", month },
	{ "Day", EXPR_TIME, "", day },
	{ "Hour", EXPR_TIME, "", hour },
	{ "Minute", EXPR_TIME, "", minute },
	{ "Second", EXPR_TIME, "", second },
	{ "Nanosecond", EXPR_TIME, "", nanosecond },
	{ "YearDay", EXPR_TIME, "", year_day },
	{ "Weekday", EXPR_TIME, "", weekday },
	{ "Unix", EXPR_TIME, "", unix_seconds },
	{ "UnixMilli", EXPR_TIME, "", unix_milli },
	{ "UnixMicro", EXPR_TIME, "", unix_micro },
	{ "UnixNano", EXPR_TIME, "", unix_nano },
	{ "Format", EXPR_TIME, "s", format },
	{ "String", EXPR_TIME, "", string },
	{ "IsZero", EXPR_TIME, "", is_zero },
	{ "Add", EXPR_TIME, "d", add },
	{ "Sub", EXPR_TIME, "t", sub },
	{ "AddDate", EXPR_TIME, "iii", add_date },
	{ "After", EXPR_TIME, "t", after },
	{ "Before", EXPR_TIME, "t", before },
	{ "Equal", EXPR_TIME, "t", equal },
	{ "Compare", EXPR_TIME, "t", compare },
	{ "Truncate", EXPR_TIME, "d", truncate_time },
	{ "Round", EXPR_TIME, "d", round_time },
	{ "UTC", EXPR_TIME, "", utc },
	{ "Local", EXPR_TIME, "", utc },
	{ "In", EXPR_TIME, "l", in },
	{ "Hours", EXPR_DURATION, "", hours },
	{ "Minutes", EXPR_DURATION, "", minutes },
	{ "Seconds", EXPR_DURATION, "", seconds },
	{ "Milliseconds", EXPR_DURATION, "", milliseconds },
	{ "Microseconds", EXPR_DURATION, "", microseconds },
	{ "Nanoseconds", EXPR_DURATION, "", nanoseconds },
	{ "String", EXPR_DURATION, "", string },
	{ "Abs", EXPR_DURATION, "", absolute },
	{ "Round", EXPR_DURATION, "d", round_duration },
	{ "Truncate", EXPR_DURATION, "d", truncate_duration },
	{ "String", EXPR_MONTH, "", string },
	{ "String", EXPR_WEEKDAY, "", string },
	{ "String", EXPR_LOCATION, "", string },
};

static bool
fits(char want, const struct val *v)
{
	switch (want) {
	case 's':
		return v->kind == VAL_STR;
	case 'i':
		return v->kind == VAL_INT && !v->pad;
	case 't':
		return expr_is_time(v);
	case 'd':
		return expr_is_duration(v);
	default:
		return v->kind == VAL_INT && v->pad == EXPR_LOCATION;
	}
}

int
time_method(struct eval *ev, const struct node *n, const struct val *self, const struct val *args, size_t args_n,
	struct val *out)
{
	for (size_t i = 0; time_type(self) && i < ARRAY_LEN(methods); i++) {
		const struct method *m = &methods[i];
		if (m->type != self->pad || !str_eq(n->name, str_c(m->name)))
			continue;
		if (args_n != strlen(m->args))
			return eval_fail(ev, "%s arguments to call %s",
				args_n < strlen(m->args) ? "not enough" : "too many", m->name);
		for (size_t k = 0; k < args_n; k++)
			if (!fits(m->args[k], &args[k]))
				return eval_fail(
					ev, "cannot use %s as argument to call %s", value_kind(&args[k]), m->name);
		return m->call(ev, self, args, out);
	}
	return eval_fail(ev, "type %s has no method %.*s", value_kind(self), STR_ARG(str_slice(n->name, 0, 60)));
}
