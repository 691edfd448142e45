/* SPDX-License-Identifier: Apache-2.0 */
/* The words of an explanation: for somebody who knows the manifest and nothing of how it is carried out. */
#include "sensors/explain_impl.h"

static str
in_brackets(struct arena *a, str place)
{
	return place.n ? arena_fmt(a, " (%.*s)", STR_ARG(place)) : S("");
}

/* The place of a trigger's member, or of the trigger. */
static str
place_of(struct arena *a, const struct told *t, const char *member)
{
	str place = val_get_str(val_get(t->trigger_outline, str_c(member)), "place");
	return in_brackets(a, place.n ? place : val_get_str(t->trigger_outline, "place"));
}

/* ---- checks --------------------------------------------------------------------------------------------------------- */

static str
label(struct arena *a, const struct check *c)
{
	return arena_fmt(a, "%s%s%s%.*s", c->kind, strcmp(c->kind, "transform") && strcmp(c->kind, "or") ? " filter" : "", c->what.n ? " " : "",
	                 STR_ARG(c->what));
}

static str
passed(struct arena *a, const struct check *c, str got)
{
	if (c->want.n)
		return arena_fmt(a, "got %.*s, as wanted: %.*s", STR_ARG(got), STR_ARG(c->want));
	if (!strcmp(c->kind, "exprs") && c->what.n)
		return arena_fmt(a, "holds%s%.*s", got.n ? " with " : "", STR_ARG(got));
	return got.n ? arena_fmt(a, "passed: %.*s", STR_ARG(got)) : S("passed");
}

str
explain_check(struct arena *a, const struct check *c, const struct trace_look *l)
{
	if (l && l->verdict != FILTER_PASS)
		return trace_reason(a, c, l);
	str name = label(a, c), text = l ? passed(a, c, l->got) : S("not looked at: it was decided without it"), at = in_brackets(a, c->place);
	return arena_fmt(a, "%.*s: %.*s%.*s", STR_ARG(name), STR_ARG(text), STR_ARG(at));
}

str
explain_wanted(struct arena *a, const struct check *c)
{
	str at = in_brackets(a, c->place);
	if (!strcmp(c->kind, "exprs"))
		return c->what.n ? arena_fmt(a, "%.*s holds%.*s", STR_ARG(c->what), STR_ARG(at)) : arena_fmt(a, "an expression has fields%.*s", STR_ARG(at));
	if (!strcmp(c->kind, "script"))
		return arena_fmt(a, "the script returns true%.*s", STR_ARG(at));
	if (!strcmp(c->kind, "time"))
		return arena_fmt(a, "it comes from %.*s%.*s", STR_ARG(c->want), STR_ARG(at));
	if (!strcmp(c->kind, "context"))
		return arena_fmt(a, "its %.*s is %.*s%.*s", STR_ARG(c->what), STR_ARG(c->want), STR_ARG(at));
	if (!strcmp(c->kind, "or"))
		return arena_fmt(a, "there is a filter%.*s", STR_ARG(at));
	return arena_fmt(a, "%.*s is %.*s%.*s", STR_ARG(c->what), STR_ARG(c->want), STR_ARG(at));
}

/* ---- decisions ------------------------------------------------------------------------------------------------------ */

static str
clock_of(const struct val *map, const char *name)
{
	str s = val_get_str(map, name);
	return str_slice(s, 0, sizeof "2026-07-15T10:00:00" - 1); /* it is UTC */
}

static int64_t
count_of(const struct val *map, const char *name)
{
	int64_t n = 0;
	(void)val_to_i64(val_get(map, str_c(name)), &n); /* absent is none */
	return n;
}

/* "1 attempt", "2 attempts". */
static str
times(struct arena *a, int64_t n, const char *what)
{
	return arena_fmt(a, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s");
}

/* A firing that has not ended: why it has not. */
static str
held(struct arena *a, const struct told *t)
{
	const struct val *f = t->firing, *live = val_get(val_named(val_get(t->live, S("triggers")), t->trigger), S("firings"));
	int64_t attempts = count_of(f, "attempts"), before = count_of(f, "before"), gathered = count_of(f, "gathered");
	str next = clock_of(f, "next"), until = clock_of(live, "rateLimitUntil");
	if (gathered && val_get(t->trigger_outline, S("debounce")))
		return arena_fmt(a, "debounce: fires at %.*sZ if nothing more comes%.*s", STR_ARG(next), STR_ARG(place_of(a, t, "debounce")));
	if (gathered)
		return arena_fmt(a, "batch: %lld gathered, fires when full, or at %.*sZ%.*s", (long long)gathered, STR_ARG(next), STR_ARG(place_of(a, t, "batch")));
	if (attempts)
		return arena_fmt(a, "%.*s failed, the next one is %s%.*s%s", STR_ARG(times(a, attempts, "attempt")), next.n ? "at " : "about to be made",
		                 STR_ARG(next), next.n ? "Z" : "");
	if (until.n)
		return arena_fmt(a, "rateLimit: nothing may leave before %.*sZ, and %lld are before it%.*s", STR_ARG(until), (long long)before,
		                 STR_ARG(place_of(a, t, "rateLimit")));
	if (count_of(live, "full"))
		return arena_fmt(a, "%lld of its trigger wait for what they have made%.*s, and %lld are before it", (long long)count_of(live, "full"),
		                 STR_ARG(place_of(a, t, "policy")), (long long)before);
	if (before && val_is_true(val_get(live, S("away"))))
		return arena_fmt(a, "the target cannot be reached, and %lld are before it", (long long)before);
	return before ? arena_fmt(a, "%lld of its trigger are before it", (long long)before) : S("it is on disk, and being tried");
}

static str
after_attempts(struct arena *a, const struct told *t)
{
	return t->attempts > 1 ? arena_fmt(a, " after %lld attempts", (long long)t->attempts) : S("");
}

static str
waiting(struct arena *a, const struct told *t)
{
	return arena_fmt(a, "%.*s%.*s", STR_ARG(t->reason), STR_ARG(place_of(a, t, "conditions")));
}

str
explain_decision(struct arena *a, const struct told *t)
{
	str v = t->verdict, after = after_attempts(a, t);
	if (str_eq(v, S("fired"))) {
		str result = t->result ? json_write(a, t->result) : S("");
		return arena_fmt(a, "fired%.*s%s%.*s", STR_ARG(after), result.n > 2 ? " -> " : "", STR_ARG(result.n > 2 ? result : S("")));
	}
	if (str_eq(v, S("waiting")))
		return arena_fmt(a, "did not fire: it %.*s", STR_ARG(waiting(a, t)));
	if (str_eq(v, S("pending")) || (str_eq(v, S("failed")) && t->firing)) {
		str why = held(a, t), reason = str_eq(v, S("failed")) ? arena_fmt(a, "%.*s; ", STR_ARG(t->reason)) : S("");
		return arena_fmt(a, "has not fired yet: %.*s%.*s", STR_ARG(reason), STR_ARG(why));
	}
	if (str_eq(v, S("dead-letter")))
		return arena_fmt(a, "did not fire: given up%.*s: %.*s", STR_ARG(after), STR_ARG(t->reason));
	return arena_fmt(a, "did not fire: %.*s%s%.*s", STR_ARG(v), t->reason.n ? ": " : "", STR_ARG(t->reason));
}

/* ---- what would have made it fire ----------------------------------------------------------------------------------- */

/* "b (github/push) and c (...)": those of the trigger that do not wait now. */
static str
lacking(struct arena *a, const struct told *t)
{
	const struct val *names = val_get(val_named(val_get(t->live, S("triggers")), t->trigger), S("lacks"));
	struct buf b CLEANUP(free_buf) = { 0 };
	for (uint32_t i = 0; val_is(names, VAL_LIST) && i < names->n && b.n < 400; i++) {
		const struct val *d = val_named(val_get(t->outline, S("dependencies")), val_text(&names->items[i]));
		buf_addf(&b, "%s%.*s (%.*s/%.*s)", b.n ? ", " : "", STR_ARG(val_text(&names->items[i])), STR_ARG(val_get_str(d, "source")),
		         STR_ARG(val_get_str(d, "event")));
	}
	return arena_dup(a, buf_str(&b));
}

static str
when_waiting(struct arena *a, const struct told *t)
{
	const struct val *live = val_named(val_get(t->live, S("triggers")), t->trigger);
	str names = lacking(a, t), due = clock_of(live, "due"), until = S("");
	if (due.n)
		until = arena_fmt(a, "; the first of those that wait is given up at %.*sZ (within, conditionsReset)", STR_ARG(due));
	if (!names.n)
		return arena_fmt(a, "events of the other dependencies that belong to it%.*s", STR_ARG(until));
	return arena_fmt(a, "events so that the conditions hold; there is none yet of %.*s%.*s", STR_ARG(names), STR_ARG(until));
}

static str
when_error(struct arena *a, const struct told *t)
{
	str place = val_get_str(t->dependency_outline, "place");
	if (t->trigger.n)
		return arena_fmt(a, "a trigger that can take it%.*s%s%.*s%s", STR_ARG(place_of(a, t, "")), t->letter.p ? "; then `tidegate dlq retry " : "",
		                 STR_ARG(t->letter), t->letter.p ? "`" : "");
	if (t->letter.p)
		return arena_fmt(a, "`tidegate dlq retry %.*s` tries it again, once what is wrong is put right; onError: pass on dependency %.*s would let it go on%.*s",
		                 STR_ARG(t->letter), STR_ARG(t->dependency), STR_ARG(in_brackets(a, place)));
	return arena_fmt(a, "an event without that error; or onError: pass on dependency %.*s lets it go on%.*s", STR_ARG(t->dependency),
	                 STR_ARG(in_brackets(a, place)));
}

static str
when_dead(struct arena *a, const struct told *t)
{
	if (t->letter.p)
		return arena_fmt(a, "`tidegate dlq retry %.*s` tries it again, once the target takes it", STR_ARG(t->letter));
	return arena_fmt(a, "more attempts (retryStrategy), or a target that takes it%.*s", STR_ARG(place_of(a, t, "retryStrategy")));
}

/* By verdict: what it takes, in words that need nothing of the event. `member` says where. */
static const struct {
	const char *verdict, *words, *member;
} fixed[] = {
	{ "superseded", "the others before the next event of the same dependency; join: fifo keeps every event", "join" },
	{ "expired", "the others within the time that `within` gives", "within" },
	{ "reset", "the others before the time of conditionsReset", "conditionsReset" },
	{ "evicted", "the others before that many events came; joinMax allows more", "joinMax" },
	{ "unused", "a trigger whose conditions name the dependency", "" },
};

str
explain_advice(struct arena *a, const struct told *t)
{
	if (str_eq(t->verdict, S("filtered")))
		return t->wanted.n ? arena_fmt(a, "an event of which %.*s", STR_ARG(t->wanted)) : STR_NONE;
	if (str_eq(t->verdict, S("waiting")))
		return when_waiting(a, t);
	if (str_eq(t->verdict, S("error")))
		return when_error(a, t);
	if (str_eq(t->verdict, S("dead-letter")))
		return when_dead(a, t);
	if (str_eq(t->verdict, S("superseded")) && str_starts(t->reason, S("debounce")))
		return arena_fmt(a, "the last event counts; events: all gathers them%.*s", STR_ARG(place_of(a, t, "debounce")));
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (str_eq(t->verdict, str_c(fixed[i].verdict)))
			return arena_fmt(a, "%s%.*s", fixed[i].words, STR_ARG(*fixed[i].member ? place_of(a, t, fixed[i].member) : S("")));
	return STR_NONE;
}

/* ---- what a trigger waits for ----------------------------------------------------------------------------------------- */

static void
add_line(struct val_list *out, str line)
{
	val_list_add(out, val_str(line));
}

static str
list_text(struct arena *a, const struct val *names)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (uint32_t i = 0; val_is(names, VAL_LIST) && i < names->n && b.n < 400; i++)
		buf_addf(&b, "%s%.*s", b.n ? ", " : "", STR_ARG(val_text(&names->items[i])));
	return arena_dup(a, buf_str(&b));
}

static void
join_lines(struct arena *a, const struct told *t, const struct val *live, struct val_list *out)
{
	str at = place_of(a, t, "conditions"), has = list_text(a, val_get(live, S("has"))), lacks = list_text(a, val_get(live, S("lacks")));
	if (val_get(t->trigger_outline, S("joinKey")))
		add_line(out, arena_fmt(a, "joins: %lld keys are incomplete, with %lld events%.*s", (long long)count_of(live, "joins"),
		                        (long long)count_of(live, "waiting"), STR_ARG(place_of(a, t, "joinKey"))));
	else if (has.n)
		add_line(out, arena_fmt(a, "has %.*s, nothing is there yet of %.*s%.*s", STR_ARG(has), STR_ARG(lacks), STR_ARG(at)));
	else
		add_line(out, arena_fmt(a, "waits for %.*s%.*s", STR_ARG(lacks), STR_ARG(at)));
}

static void
firing_lines(struct arena *a, const struct told *t, const struct val *f, struct val_list *out)
{
	const struct val *open = val_get(f, S("gathering")), *head = val_get(f, S("head"));
	int64_t pending = count_of(f, "pending") - (open != NULL);
	bool debounce = val_get(t->trigger_outline, S("debounce"));
	if (open)
		add_line(out, arena_fmt(a, "%s: %lld gathered, fires at %.*sZ%s%.*s", debounce ? "debounce" : "batch", (long long)count_of(open, "occasions"),
		                        STR_ARG(clock_of(open, "fires")), debounce ? " if nothing more comes" : " or when full",
		                        STR_ARG(place_of(a, t, debounce ? "debounce" : "batch"))));
	if (val_get(f, S("rateLimitUntil")))
		add_line(out, arena_fmt(a, "rateLimit: nothing may leave before %.*sZ%.*s", STR_ARG(clock_of(f, "rateLimitUntil")),
		                        STR_ARG(place_of(a, t, "rateLimit"))));
	if (val_is_true(val_get(f, S("away"))))
		add_line(out, S("the target cannot be reached: one firing at a time is tried"));
	if (pending)
		add_line(out, arena_fmt(a, "%.*s under way or waiting", STR_ARG(times(a, pending, "firing"))));
	if (head && count_of(head, "attempts"))
		add_line(out, arena_fmt(a, "the first of them: %.*s failed, and the next one is at %.*sZ",
		                        STR_ARG(times(a, count_of(head, "attempts"), "attempt")), STR_ARG(clock_of(head, "next"))));
}

struct val
explain_trigger(struct arena *a, const struct val *outline, const struct val *live)
{
	const struct told t = { .trigger_outline = outline };
	struct val_list out = { 0 };
	str problem = val_get_str(outline, "problem");
	if (problem.n)
		add_line(&out, arena_fmt(a, "cannot fire: %.*s", STR_ARG(problem)));
	if (val_is_true(val_get(outline, S("joins"))))
		join_lines(a, &t, live, &out);
	firing_lines(a, &t, val_get(live, S("firings")), &out);
	return val_list_end(&out, a);
}
