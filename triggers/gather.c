/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch and debounce: many occasions to fire, one firing. The firing is open while it gathers: it has its row, and each occasion adds its
 * events to it in the transaction of those events. It closes when it is full or its time has come, and then goes its way as any other
 * firing does. Its events are not kept in memory meanwhile.
 *
 * A debounce for the last event replaces the open firing instead; what it replaces is told as superseded.
 */
#include "triggers/framework.h"

static int64_t
earlier_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When it closes, by what it has gathered until `now`. */
static int64_t
due_at(const struct gather_rule *g, int64_t since, int64_t now)
{
	if (!g->quiet_ns)
		return since + g->within_ns;
	return g->most_ns ? earlier_of(now + g->quiet_ns, since + g->most_ns) : now + g->quiet_ns;
}

static int64_t
bytes_of(const struct inputs *in)
{
	int64_t n = 0;
	for (size_t i = 0; i < in->n; i++)
		n += (int64_t)in->events[i]->data.n;
	return n;
}

void
gather_close(struct trigger *t)
{
	struct firing *f = t->open.firing;
	t->open.firing = NULL;
	timer_stop(&t->open.timer);
	f->next_ns = 0;
	firing_close(f);
}

static void
time_came(void *arg)
{
	gather_close(arg);
}

static bool
is_full(const struct trigger *t)
{
	const struct open_firing *o = &t->open;
	return (t->def.gather.size && o->occasions >= t->def.gather.size) || o->events >= GATHER_EVENTS_MAX || o->bytes >= GATHER_BYTES_MAX;
}

static void
wait_on(struct trigger *t)
{
	if (is_full(t))
		gather_close(t);
	else
		timer_start(t->ts->env->loop, &t->open.timer, t->open.firing->next_ns, time_came, t);
}

static void
open_with(struct trigger *t, struct firing *f, const struct inputs *in, int64_t since)
{
	t->open.firing = f;
	t->open.occasions = 1;
	t->open.events = (int64_t)in->n;
	t->open.bytes = bytes_of(in);
	f->created_ns = since;
	f->next_ns = due_at(&t->def.gather, since, in->now_ns);
	firing_insert_open(f);
	firing_drop_events(f);
}

/* The later occasion counts; since when there is no quiet stays. */
static void
replace(struct trigger *t, struct firing *f, const struct inputs *in)
{
	struct firing *old = t->open.firing;
	int64_t since = old->created_ns;
	struct arena *a = arena_new();
	str reason = arena_fmt(a, "debounce: event %.*s came within the quiet time", STR_ARG(in->events[in->n - 1]->id));
	struct firing_outcome o = { .verdict = FIRING_SUPERSEDED, .id = str_c(old->id), .reason = reason };
	t->ts->report(t->ts->arg, &t->def, &o);
	arena_free(a);
	firing_delete(old);
	open_with(t, f, in, since);
}

static void
append(struct trigger *t, struct firing *f, const struct inputs *in)
{
	struct firing *open = t->open.firing;
	open->next_ns = due_at(&t->def.gather, open->created_ns, in->now_ns);
	t->open.occasions++;
	firing_append(open, in, t->open.events, t->open.occasions);
	t->open.events += (int64_t)in->n;
	t->open.bytes += bytes_of(in);
	firing_free(f);
}

void
gather(struct firing *f, const struct inputs *in, struct arena *a, struct firing_outcome *out)
{
	struct trigger *t = f->t;
	if (!t->open.firing)
		open_with(t, f, in, in->now_ns);
	else if (t->def.gather.last)
		replace(t, f, in);
	else
		append(t, f, in);
	out->id = arena_dup(a, str_c(t->open.firing->id));
	wait_on(t);
}

void
gather_resume(struct firing *f, const struct firing_row *r)
{
	struct trigger *t = f->t;
	t->open.firing = f;
	t->open.occasions = r->gathered;
	t->open.events = (int64_t)r->first_place;
	t->open.bytes = r->bytes;
	f->next_ns = r->next_ns;
	if (gather_is_on(&t->def.gather))
		wait_on(t);
	else
		gather_close(t);
}

void
gather_forget(struct trigger *t)
{
	timer_stop(&t->open.timer);
	if (t->open.firing)
		firing_free(t->open.firing);
	t->open.firing = NULL;
}

bool
gather_is_on(const struct gather_rule *g)
{
	return g->size || g->quiet_ns;
}
