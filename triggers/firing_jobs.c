/* SPDX-License-Identifier: Apache-2.0 */
/* What the framework writes: jobs for the writer's thread, each with everything it needs, and what follows when it is on disk. */
#include "triggers/framework.h"

/* What the writer's thread gets: everything in it is its own. */
struct row_job {
	struct firing_row row;
	struct arena *arena;
	struct firing *firing; /* goes on when it is on disk, with `then`; NULL: nobody waits */
	void (*then)(struct firing *f);
	int (*write)(sqlite3 *db, struct firing_row *r, struct err *e);
};

static int
write_row(sqlite3 *db, void *arg, struct err *e)
{
	struct row_job *j = arg;
	return j->write(db, &j->row, e);
}

static void
free_job(struct row_job *j)
{
	for (size_t i = 0; i < j->row.n; i++)
		event_unref(j->row.events[i]);
	arena_free(j->arena);
}

static void
row_written(void *arg)
{
	struct row_job *j = arg;
	struct firing *f = j->firing;
	void (*then)(struct firing *f) = j->then;
	if (f && !f->order)
		f->order = j->row.seq;
	free_job(j);
	if (f)
		then(f);
}

static void
add_events(struct row_job *j, const struct inputs *in)
{
	str *deps = ARENA_ARRAY(j->arena, str, in->n);
	struct event **events = ARENA_ARRAY(j->arena, struct event *, in->n);
	for (size_t i = 0; i < in->n; i++) {
		deps[i] = arena_dup(j->arena, in->dependencies[i]);
		events[i] = event_ref(in->events[i]);
	}
	j->row.n = in->n;
	j->row.dependencies = deps;
	j->row.events = events;
}

static struct row_job *
job_of(const struct trigger_def *d)
{
	struct arena *a = arena_new();
	struct row_job *j = ARENA_NEW(a, struct row_job);
	*j = (struct row_job){ .arena = a };
	j->row = (struct firing_row){ .ns = arena_dup(a, d->ns), .sensor = arena_dup(a, d->sensor), .trigger = arena_dup(a, d->name) };
	return j;
}

static struct row_job *
new_job(const struct firing *f, str reason)
{
	struct row_job *j = job_of(&f->t->def);
	j->row.attempt = f->attempt;
	j->row.next_ns = f->next_ns;
	j->row.created_ns = f->created_ns;
	j->row.reason = arena_dup(j->arena, reason);
	memcpy(j->row.id, f->id, sizeof f->id);
	return j;
}

static void
make_dead(struct triggers *ts, struct row_job *j)
{
	j->row.dead = true;
	j->row.dead_keep = dead_count(ts, j->row.ns, j->row.sensor, j->row.trigger);
}

static void
queue_job(struct triggers *ts, struct row_job *j, int (*write)(sqlite3 *db, struct firing_row *r, struct err *e))
{
	j->write = write;
	store_write(ts->env->store, write_row, j, row_written);
}

/* The row as it is now: a first attempt inside a turn has none yet, and gets it in the event's transaction. */
static void
put_row(struct firing *f, struct row_job *j)
{
	const struct inputs in = firing_inputs(f);
	if (!f->stored)
		add_events(j, &in);
	queue_job(f->t->ts, j, f->stored ? firing_row_update : firing_row_insert);
	if (!f->stored)
		firing_know(f);
}

static void
go_on_after(struct row_job *j, struct firing *f, struct link *list, void (*then)(struct firing *f))
{
	list_del(&f->link);
	list_add_tail(list, &f->link);
	j->firing = f;
	j->then = then;
}

static void
end_after(struct row_job *j, struct firing *f)
{
	f->t->ends++;
	go_on_after(j, f, &f->t->ended, turn_end);
}

static void
put_and_go_on(struct firing *f, str reason, void (*then)(struct firing *f))
{
	struct row_job *j = new_job(f, reason);
	if (f->set_aside)
		j->row.aside = f->t->aside.generation;
	go_on_after(j, f, &f->t->unwritten, then);
	put_row(f, j);
}

void
firing_insert(struct firing *f)
{
	put_and_go_on(f, STR_NONE, turn_enter);
}

void
firing_requeue(struct firing *f)
{
	f->set_aside = false;
	put_and_go_on(f, f->given_up ? str_c(f->given_up) : STR_NONE, turn_enter);
}

void
firing_hand_over(struct firing *f, str reason)
{
	f->set_aside = false;
	put_and_go_on(f, reason, turn_enter);
}

void
firing_retry(struct firing *f, str reason)
{
	put_and_go_on(f, reason, turn_return);
}

void
firing_bury(struct firing *f, str reason)
{
	struct row_job *j = new_job(f, reason);
	f->buried = true;
	make_dead(f->t->ts, j);
	end_after(j, f);
	put_row(f, j);
}

void
firing_keep_open(struct firing *f, bool marked, str reason)
{
	struct row_job *j = new_job(f, reason);
	j->row.attempt--;
	j->row.gathered = marked ? FIRING_MARKED : 0;
	put_row(f, j);
}

void
firing_insert_open(struct firing *f)
{
	struct row_job *j = new_job(f, STR_NONE);
	j->row.gathered = 1;
	put_row(f, j);
}

void
firing_append(struct firing *f, const struct inputs *in, int64_t place, int64_t occasions)
{
	struct row_job *j = new_job(f, STR_NONE);
	j->row.gathered = occasions;
	j->row.first_place = (size_t)place;
	add_events(j, in);
	queue_job(f->t->ts, j, firing_row_append);
}

void
firing_close(struct firing *f)
{
	put_and_go_on(f, STR_NONE, turn_enter);
}

static int
delete_row(sqlite3 *db, struct firing_row *r, struct err *e)
{
	return firing_row_delete(db, r->id, e);
}

void
firing_delete(struct firing *f)
{
	if (!f->stored) {
		firing_free(f);
		return;
	}
	struct row_job *j = new_job(f, STR_NONE);
	end_after(j, f);
	firing_end_work(f);
	firing_drop_events(f);
	queue_job(f->t->ts, j, delete_row);
}

void
firing_delete_row(struct triggers *ts, str id)
{
	struct row_job *j = job_of(&(struct trigger_def){ 0 });
	snprintf(j->row.id, sizeof j->row.id, "%.*s", STR_ARG(id));
	queue_job(ts, j, delete_row);
}

void
firing_insert_dead(struct triggers *ts, const struct trigger_def *def, const struct inputs *in, str reason)
{
	struct row_job *j = job_of(def);
	j->row.created_ns = in->now_ns;
	j->row.reason = arena_dup(j->arena, reason);
	firing_make_id(def, in, j->row.id);
	make_dead(ts, j);
	add_events(j, in);
	queue_job(ts, j, firing_row_insert);
}

/* ---- rateLimit ------------------------------------------------------------------------------------------------------ */

void
rate_save(struct trigger *t)
{
	struct row_job *j = job_of(&t->def);
	j->row.next_ns = t->rate_next_ns;
	queue_job(t->ts, j, firing_rate_write);
}
