/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything is sent by pull_go_on(): whoever changed something (an answer, a commit, a timer, room in the bus) has it called once at the end of
 * the turn, and it sends what may be sent now. So the acknowledgements of a transaction go out in full batches.
 *
 * A message stands in one of the lists or in a call; `taken` counts those that are anywhere.
 */
#include "sources/pull_impl.h"

static void
turn_ends(void *arg)
{
	struct pull *p = arg;
	p->deferred = false;
	pull_go_on(p);
}

void
pull_soon(struct pull *p)
{
	if (!p->deferred)
		loop_defer(p->loop, turn_ends, p);
	p->deferred = true;
}

/* ---- the end ---------------------------------------------------------------------------------------------------------- */

static bool
is_over(const struct pull *p)
{
	return p->stopping && !p->emitted && list_empty(&p->exchanges) && list_empty(&p->done) && list_empty(&p->unwanted);
}

static void
finish(struct pull *p)
{
	struct source *s = p->source;
	assert(!p->taken);
	timer_stop(&p->end);
	if (p->ops->free)
		p->ops->free(p->own);
	free(p);
	source_stopped(s);
}

/* The service does not answer: what it has is given again, and known. */
static void
give_up(void *arg)
{
	struct pull *p = arg;
	p->finished = true;
	pull_forget_calls(p, true);
	pull_let_all_go(p, &p->done);
	pull_let_all_go(p, &p->unwanted);
	pull_go_on(p);
}

void
pull_stop(struct source *s)
{
	struct pull *p = source_data(s);
	p->stopping = true;
	p->troubled = false;
	timer_stop(&p->trouble);
	timer_stop(&p->idle);
	pull_forget_calls(p, false);
	LIST_EACH(&p->kept, struct taken, link, t) {
		list_del(&t->link);
		list_add_tail(&p->unwanted, &t->link);
	}
	timer_start(p->loop, &p->end, loop_now(p->loop) + PULL_STOP_NS, give_up, p);
	pull_go_on(p);
}

/* ---- the loop --------------------------------------------------------------------------------------------------------- */

static bool
wants_to_ask(const struct pull *p)
{
	return !p->stopping && !p->idling && !source_is_paused(p->source) && list_empty(&p->kept) && p->calls[ASK] < p->askers &&
	       p->taken + (p->calls[ASK] + 1) * p->ops->most <= PULL_WINDOW && p->bytes < PULL_WINDOW_BYTES &&
	       !(p->unacknowledged && p->calls[ACKNOWLEDGE] + !list_empty(&p->done));
}

static void
settle_all(struct pull *p, enum task task, struct link *list)
{
	size_t most = pull_at_a_time(p->ops->batch, PULL_ACKNOWLEDGING_MAX);
	while (!list_empty(list) && p->calls[ACKNOWLEDGE] + p->calls[RELEASE] < most)
		if (!pull_settle(p, task, list))
			return;
}

static void
send_all(struct pull *p)
{
	if (p->troubled || p->calls[PREPARE])
		return;
	if (list_empty(&p->done) && list_empty(&p->unwanted) && !wants_to_ask(p))
		return;
	if (pull_call_maybe(p, PREPARE, p->ops->prepare) != 0)
		return;
	settle_all(p, ACKNOWLEDGE, &p->done);
	settle_all(p, RELEASE, &p->unwanted);
	while (!p->troubled && wants_to_ask(p))
		pull_ask(p);
}

/* Nothing can be sent any more: the daemon stops. */
static void
drop_all(struct pull *p)
{
	pull_let_all_go(p, &p->done);
	pull_let_all_go(p, &p->unwanted);
	p->finished = true;
}

void
pull_go_on(struct pull *p)
{
	if (!p->ops->release)
		pull_let_all_go(p, &p->unwanted);
	if (sources_httpc(source_owner(p->source)))
		send_all(p);
	else
		drop_all(p);
	if (!is_over(p) || p->deferred)
		return;
	if (!p->finished && p->ops->finish) {
		p->finished = true;
		if (pull_call_maybe(p, FINISH, p->ops->finish) > 0)
			return;
	}
	finish(p);
}

/* ---- life ------------------------------------------------------------------------------------------------------------- */

void
pull_start(struct source *s, const struct pull_ops *ops, void *own)
{
	struct pull *p = MEM_NEW(struct pull);
	*p = (struct pull){ .source = s, .loop = source_loop(s), .ops = ops, .own = own, .askers = 1 };
	list_init(&p->exchanges);
	list_init(&p->kept);
	list_init(&p->done);
	list_init(&p->unwanted);
	source_set_data(s, p);
	source_connecting(s);
	pull_soon(p);
}

void
pull_pause(struct source *s, bool on)
{
	struct pull *p = source_data(s);
	if (!on && !p->stopping)
		pull_emit_kept(p);
	pull_soon(p);
}
