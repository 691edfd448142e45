/* SPDX-License-Identifier: Apache-2.0 */
/* What was taken and is not acknowledged yet: on its way to the disk, or kept until the bus has room. */
#include "sources/pull_impl.h"

#include "core/log.h"

#define REFUSED_EVERY (60 * NS_PER_SEC) /* a line about messages that can be no events, at most so often */

void
pull_let_go(struct pull *p, struct taken *t)
{
	list_del(&t->link);
	p->taken--;
	p->bytes -= t->ev->data.n;
	event_unref(t->ev);
}

void
pull_let_all_go(struct pull *p, struct link *list)
{
	LIST_EACH(list, struct taken, link, t)
		pull_let_go(p, t);
}

/* The last reference is ours: when it goes, so does `t`. */
static struct taken *
new_taken(struct pull *p, struct event *ev, str receipt)
{
	struct taken *t = ARENA_NEW(ev->arena, struct taken);
	*t = (struct taken){ .ev = ev, .receipt = arena_dup(ev->arena, receipt), .number = p->numbers++,
	                     .hidden_until = loop_now(p->loop) + p->ops->hidden_ns };
	p->taken++;
	p->bytes += ev->data.n;
	return t;
}

/* Before those that came later. */
static void
keep(struct pull *p, struct taken *t)
{
	struct link *at = &p->kept;
	while (at->prev != &p->kept && CONTAINER_OF(at->prev, struct taken, link)->number > t->number)
		at = at->prev;
	list_add_tail(at, &t->link);
}

static void
emit(struct pull *p, struct taken *t)
{
	p->emitted++;
	source_emit(p->source, event_ref(t->ev), t);
}

void
pull_take(struct pull *p, struct event *ev, str receipt)
{
	struct taken *t = new_taken(p, ev, receipt);
	p->found++;
	if (source_is_paused(p->source) || !list_empty(&p->kept))
		keep(p, t);
	else
		emit(p, t);
}

void
pull_refuse(struct pull *p, str receipt, enum pull_fate fate, const struct err *why)
{
	int64_t now = loop_now(p->loop);
	p->found++;
	p->refused++;
	source_count_failure(p->source);
	if (!p->refused_told || now - p->refused_told >= REFUSED_EVERY) {
		log_warn("messages that cannot be events are not taken", "eventsource", source_name(p->source).p, "event", source_event_name(p->source).p,
		         "then", fate == PULL_DELETE ? "deleted" : "left to the service", "error", why->msg, NULL);
		p->refused_told = now;
	}
	if (fate == PULL_LEAVE || (fate == PULL_RELEASE && !p->ops->release))
		return;
	struct taken *t = new_taken(p, event_new(), receipt);
	list_add_tail(fate == PULL_DELETE ? &p->done : &p->unwanted, &t->link);
}

void
pull_ack(struct source *s, struct event *ev UNUSED, void *token, bool duplicate UNUSED, const struct err *e)
{
	struct pull *p = source_data(s);
	struct taken *t = token;
	p->emitted--;
	if (!e)
		list_add_tail(&p->done, &t->link);
	else if (p->stopping)
		list_add_tail(&p->unwanted, &t->link);
	else /* the bus is full: pull_pause says when it is not */
		keep(p, t);
	pull_soon(p);
}

void
pull_emit_kept(struct pull *p)
{
	struct link all; /* what comes back waits */
	list_init(&all);
	LIST_EACH(&p->kept, struct taken, link, t) {
		list_del(&t->link);
		list_add_tail(&all, &t->link);
	}
	LIST_EACH(&all, struct taken, link, next) {
		list_del(&next->link);
		if (source_is_paused(p->source))
			keep(p, next);
		else
			emit(p, next);
	}
}

void
pull_describe(const struct source *s, struct val_map *m, struct arena *a UNUSED)
{
	const struct pull *p = source_data(s);
	val_map_add(m, S("unacknowledged"), val_int((int64_t)p->taken));
}
