/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that wait for others at a trigger (join.h), with their rows. What leaves without a firing is told why; what the clock ends is
 * ended by a timer, unless events are missing: then they decide, for each brings its own time.
 */
#include "sensors/impl.h"

#define BEHIND_AGAIN NS_PER_SEC

/* What a join tells of events that leave without a firing. */
struct leaving {
	struct sensor *s;
	const struct program_trigger *t;
	const struct event *by; /* the event that came; NULL: the clock */
};

static str
why_it_left(const struct leaving *l, enum join_end why, int64_t at)
{
	struct arena *a = l->s->ss->tmp;
	const struct program_trigger *t = l->t;
	static const char *const fields[] = { [JOIN_EXPIRED] = "within", [JOIN_RESET] = "conditionsReset", [JOIN_EVICTED] = "joinMax" };
	const struct val *src = t->spec->template->src, *at_field = fields[why] ? val_get(src, str_c(fields[why])) : NULL;
	str place = manifest_place(a, l->s->prog->object->file, at_field ? at_field : src);
	switch (why) {
	case JOIN_SUPERSEDED:
		return arena_fmt(a, "event %.*s of the same dependency came before the conditions held", STR_ARG(l->by->id));
	case JOIN_EXPIRED:
		return arena_fmt(a, "waited longer than within: %.*s (%.*s)", STR_ARG(dur_fmt(a, t->spec->template->within)), STR_ARG(place));
	case JOIN_RESET:
		return arena_fmt(a, "forgotten at %.*s by conditionsReset (%.*s)", STR_ARG(time_rfc3339(a, at)), STR_ARG(place));
	default:
		return arena_fmt(a, "gave way to newer events: joinMax is %zu and %d MiB (%.*s)", t->join_max, JOIN_BYTES_MAX >> 20, STR_ARG(place));
	}
}

static void
left(void *arg, const struct join_part *part, enum join_end why, int64_t at)
{
	static const char *const verdicts[] = { [JOIN_SUPERSEDED] = "superseded", [JOIN_EXPIRED] = "expired", [JOIN_RESET] = "reset",
		                                [JOIN_EVICTED] = "evicted" };
	const struct leaving *l = arg;
	struct decision d = decision_about(l->s, part->ev, part->dep, l->t);
	d.verdict = verdicts[why];
	d.reason = why_it_left(l, why, at);
	rows_redecide(l->s->ss->rows, l->s->id, &d);
	rows_unsave(l->s->ss->rows, l->s->id, part->place);
}

static str
waits_for(struct sensor *s, const struct program_trigger *t, str key)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < s->prog->deps_n && b.n < 400; i++)
		if (condition_uses(&t->cond, i) && !join_has(t->join, i, key))
			buf_addf(&b, "%s%.*s", b.n ? ", " : "waits for ", STR_ARG(s->prog->deps[i].spec->name));
	if (t->key)
		buf_addf(&b, " (key %.*s)", STR_ARG(str_slice(key, 0, 100)));
	return arena_dup(s->ss->tmp, buf_str(&b));
}

static void
wait_for_others(struct sensor *s, struct program_trigger *t, size_t dep, str key, struct event *ev, int64_t place)
{
	struct saved_row row = { place, t->name, s->prog->deps[dep].spec->name, t->signatures[dep], key };
	rows_save(s->ss->rows, s->id, &row, ev);
	decide(s, ev, dep, t, "waiting", waits_for(s, t, key));
}

static void
fire_together(struct sensor *s, struct program_trigger *t, const struct join_part *joined, size_t n, int64_t last)
{
	struct part *parts = ARENA_ARRAY(s->ss->tmp, struct part, n);
	struct part latest = { 0 };
	for (size_t i = 0; i < n; i++) {
		parts[i] = (struct part){ joined[i].ev, joined[i].dep };
		if (joined[i].place == last)
			latest = parts[i];
		else
			rows_unsave(s->ss->rows, s->id, joined[i].place);
	}
	decide_fire(s, t, parts, n, &latest);
	for (size_t i = 0; i < n; i++)
		event_unref(joined[i].ev);
}

void
joining_enter(struct sensor *s, struct program_trigger *t, size_t dep, struct event *ev)
{
	struct arena *a = s->ss->tmp;
	struct leaving l = { s, t, ev };
	struct join_part *joined;
	str key = S("");
	struct err e;
	if (t->key && join_key_of(t->key, ev, s->prog->deps[dep].spec->name, a, &key, &e) < 0) {
		decide_stop(s, dep, t, ev, arena_fmt(a, "joinKey: %s", e.msg));
		return;
	}
	int64_t place = ++s->place;
	join_advance(t->join, ev->time, left, &l);
	size_t n = join_take(t->join, dep, key, ev, place, a, &joined, left, &l);
	if (n)
		fire_together(s, t, joined, n, place);
	else
		wait_for_others(s, t, dep, key, ev, place);
}

/* What the clock ends. While events are missing, they decide: each brings its own time (join.h). */
static void
time_passes(void *arg)
{
	struct sensor *s = arg;
	int64_t now = loop_now(s->ss->env.loop);
	bool missing = !s->ss->told && (!s->sub || bus_is_behind(s->sub));
	for (size_t i = 0; i < s->prog->triggers_n && !missing; i++) {
		struct program_trigger *t = &s->prog->triggers[i];
		if (t->join)
			join_advance(t->join, now, left, &(struct leaving){ s, t, NULL });
	}
	arena_reset(s->ss->tmp);
	joining_arm(s, missing ? now + BEHIND_AGAIN : INT64_MIN);
}

/* The timer goes to where something that waits comes to its end, but not before `from`. */
void
joining_arm(struct sensor *s, int64_t from)
{
	int64_t due = INT64_MAX;
	for (size_t i = 0; i < s->prog->triggers_n; i++) {
		int64_t at = s->prog->triggers[i].join ? join_due(s->prog->triggers[i].join) : INT64_MAX;
		due = at < due ? at : due;
	}
	if (due == INT64_MAX)
		timer_stop(&s->timer);
	else if (due < from)
		timer_start(s->ss->env.loop, &s->timer, from, time_passes, s);
	else if (!timer_is_armed(&s->timer) || s->timer.at_ns != due)
		timer_start(s->ss->env.loop, &s->timer, due, time_passes, s);
}
