/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a message: it is on disk, or there was no room for it, or it can be no event. */
#include "core/log.h"
#include "sources/feed_impl.h"

enum { REFUSED_EVERY_S = 60 /* a line about messages that can be no events, at most so often */ };

/* The loop has nothing more to do with it. */
static void
answered(struct feed *f, struct item *i)
{
	pthread_mutex_lock(&f->lock);
	bool was_full = !feed_has_room(f);
	f->with_loop--;
	f->bytes -= i->bytes;
	feed_note_fill(f);
	i->done = true;
	if (i->is_awaited)
		pthread_cond_broadcast(&f->room);
	if (i->forgotten)
		free(i);
	else if (f->given.next == &i->link || (f->ending && f->thread_runs))
		feed_wake_locked(f);
	if (was_full && feed_has_room(f)) {
		feed_wake_locked(f);
		pthread_cond_broadcast(&f->room);
	}
	pthread_mutex_unlock(&f->lock);
	feed_free_if_over(f);
}

void
feed_give_up(struct feed *f, struct item *i)
{
	event_unref(i->ev);
	pthread_mutex_lock(&f->lock);
	f->with_loop--;
	f->bytes -= i->bytes;
	feed_note_fill(f);
	f->end_by_ms = 0;
	i->given_up = true;
	if (i->forgotten)
		free(i);
	pthread_mutex_unlock(&f->lock);
}

void
feed_ack(struct source *s, struct event *ev, void *token, bool duplicate UNUSED, const struct err *e)
{
	struct item *i = token;
	struct feed *f = i->feed;
	assert(source_data(s) == f);
	if (!e) {
		answered(f, i);
		return;
	}
	i->ev = event_ref(ev);
	if (!f->stopping) {
		list_add_tail(&f->held, &i->held);
		return;
	}
	feed_give_up(f, i);
	feed_free_if_over(f);
}

union feed_handle
feed_handle_of(const void *token)
{
	return ((const struct item *)token)->handle;
}

/* ---- what is saved among the messages ------------------------------------------------------------------------------------ */

static void
saved(void *arg)
{
	struct item *i = arg;
	answered(i->feed, i);
}

static void
save_in_its_place(void *arg)
{
	struct item *i = arg;
	struct feed *f = i->feed;
	if (f->stopping) {
		feed_give_up(f, i);
		feed_free_if_over(f);
	} else if (!list_empty(&f->held)) {
		list_add_tail(&f->held, &i->held);
	} else {
		i->save(f->source, i->handle);
		source_after_commit(f->source, saved, i);
	}
}

static struct item *
save_later(struct feed *f, void (*save)(struct source *s, union feed_handle handle), union feed_handle handle)
{
	pthread_mutex_lock(&f->lock);
	struct item *i = feed_add_item(f, 0, handle);
	i->save = save;
	pthread_mutex_unlock(&f->lock);
	loop_post(f->loop, save_in_its_place, i);
	return i;
}

void
feed_save(struct feed *f, void (*save)(struct source *s, union feed_handle handle), union feed_handle handle)
{
	(void)save_later(f, save, handle);
}

int
feed_save_now(struct feed *f, void (*save)(struct source *s, union feed_handle handle), union feed_handle handle, struct err *e)
{
	struct item *i = save_later(f, save, handle);
	pthread_mutex_lock(&f->lock);
	i->is_awaited = true;
	while (!i->done && !i->given_up && !f->ending)
		pthread_cond_wait(&f->room, &f->lock);
	bool done = i->done;
	list_del(&i->link);
	f->unsettled--;
	i->forgotten = true;
	if (i->done || i->given_up)
		free(i);
	pthread_mutex_unlock(&f->lock);
	return done ? 0 : err_set(e, ERR_UNAVAILABLE, "%s: the source stops", f->ops->name);
}

/* ---- what was held ------------------------------------------------------------------------------------------------------ */

/* In their order; what finds no room again is held again. */
void
feed_give_held(struct feed *f)
{
	struct link again;
	list_init(&again);
	while (!list_empty(&f->held)) {
		struct item *i = LIST_FIRST(&f->held, struct item, held);
		list_del(&i->held);
		list_add_tail(&again, &i->held);
	}
	while (!list_empty(&again)) {
		struct item *i = LIST_FIRST(&again, struct item, held);
		struct event *ev = i->ev;
		list_del(&i->held);
		i->ev = NULL;
		if (ev)
			source_emit(f->source, ev, i);
		else
			save_in_its_place(i); /* held again if what is before it is */
	}
}

/* ---- messages that can be no events ---------------------------------------------------------------------------- */

struct refusal {
	struct item *item;
	struct err err;
};

static void
refused(void *arg)
{
	struct refusal *r = arg;
	struct feed *f = r->item->feed;
	int64_t now = loop_now(f->loop);
	source_count_failure(f->source);
	f->refused++;
	if (!f->refused_told || now - f->refused_told >= REFUSED_EVERY_S * NS_PER_SEC) {
		str name = source_name(f->source), event = source_event_name(f->source);
		log_warn("messages that cannot be events are dropped", "eventsource", name.p, "event", event.p, "error", r->err.msg, NULL);
		f->refused_told = now;
	}
	answered(f, r->item);
	free(r);
}

void
feed_refuse(struct feed *f, union feed_handle handle, const struct err *e)
{
	struct refusal *r = MEM_NEW(struct refusal);
	*r = (struct refusal){ feed_new_item(f, 0, handle), *e };
	loop_post(f->loop, refused, r);
}
