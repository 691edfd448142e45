/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/lookup.h"

#include "sources/backoff.h"
#include "sources/check.h"

struct lookup {
	struct source *source;
	struct watch *watch;
	int64_t interval_ns;
	struct timer timer;
	struct backoff_state backoff;
	bool loaded, looking;
	int64_t due, looked_at; /* 0: never yet */
	void (*look)(void *arg);
	void *arg;
};

void
lookup_check_interval(str text, const struct val *in, struct decode *c, const char *field)
{
	struct err e;
	dur d;

	if (text.n && dur_parse(text, &d, &e) == 0 && d.ns < LOOKUP_INTERVAL_MIN)
		decode_error(c, in, field, "%.*s: must be 100ms at least", STR_ARG(text));
	source_check_interval(text, in, c, field);
}

static int64_t
now(const struct lookup *l)
{
	return loop_now(source_loop(l->source));
}

/* All is announced, or the time has come. */
static void
next(void *arg)
{
	struct lookup *l = arg;
	if (!l->loaded || l->looking || !watch_is_idle(l->watch) || source_is_paused(l->source))
		return;
	if (l->due > now(l)) {
		timer_start(source_loop(l->source), &l->timer, l->due, next, l);
		return;
	}
	l->looking = true;
	l->look(l->arg);
}

static void
again(struct lookup *l, const struct err *e)
{
	source_state(l->source, false, e);
	l->looking = false;
	l->due = now(l) + backoff_next(&l->backoff, NULL);
}

static void load(void *arg);

static void
on_loaded(void *arg, const struct err *e)
{
	struct lookup *l = arg;
	l->loaded = !e;
	if (e) {
		again(l, e);
		timer_start(source_loop(l->source), &l->timer, l->due, load, l);
	} else {
		next(l);
	}
}

static void
load(void *arg)
{
	struct lookup *l = arg;
	watch_load(l->watch, on_loaded);
}

struct lookup *
lookup_start(struct source *s, struct watch_options *o, str interval, int64_t dflt, void (*look)(void *arg), void *arg)
{
	struct lookup *l = MEM_NEW(struct lookup);
	struct err e;
	dur d = { dflt };
	if (interval.n && (dur_parse(interval, &d, &e) < 0 || d.ns < LOOKUP_INTERVAL_MIN))
		d.ns = dflt; /* cannot be: it was checked */
	*l = (struct lookup){ .source = s, .interval_ns = d.ns, .look = look, .arg = arg };
	o->settle_ns = d.ns > LOOKUP_SETTLE_MIN ? d.ns : LOOKUP_SETTLE_MIN;
	l->watch = watch_new(s, o, next, l);
	source_connecting(s);
	load(l);
	return l;
}

void
lookup_seen(struct lookup *l, struct watch_look *seen)
{
	l->looking = false;
	backoff_reset(&l->backoff);
	l->looked_at = now(l);
	l->due = l->looked_at + l->interval_ns;
	source_state(l->source, true, NULL);
	watch_compare(l->watch, seen);
}

void
lookup_failed(struct lookup *l, const struct err *e)
{
	again(l, e);
	/* What will be in a directory that was not there is new. */
	if (e->code == ERR_NOT_FOUND && watch_is_new(l->watch))
		watch_compare(l->watch, watch_look_new());
	else
		next(l);
}

void
lookup_pause(struct lookup *l, bool on)
{
	if (on)
		return;
	if (!watch_is_idle(l->watch))
		watch_resume(l->watch);
	else
		next(l);
}

void
lookup_describe(const struct lookup *l, struct val_map *m, struct arena *a)
{
	watch_describe(l->watch, m, a);
	if (l->looked_at)
		val_map_add(m, S("lastLook"), val_str(time_rfc3339(a, l->looked_at)));
}

void
lookup_free(struct lookup *l)
{
	if (!l)
		return;
	timer_stop(&l->timer);
	watch_free(l->watch);
	free(l);
}

struct watch *
lookup_watch(struct lookup *l)
{
	return l->watch;
}
