/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit: at the end of a turn, what changed of each run is written with the turn's transaction; what the world may see of it (a command's
 * start, a kill, a watcher's call) follows when that is on disk.
 */
#include "core/clock.h"
#include "core/metrics.h"
#include "engine/shell.h"

#define STARTED_DELAY (50 * NS_PER_MS)

/* ---- what is written ---------------------------------------------------------------------------------------------- */

static int
by_order(const void *a, const void *b)
{
	uint32_t x = node_order(*(struct node *const *)a), y = node_order(*(struct node *const *)b);
	return (x > y) - (x < y);
}

static void
add_nodes(struct save_job *j, struct live *l)
{
	if (!l->dirty.n)
		return;
	qsort(l->dirty.p, l->dirty.n, sizeof *l->dirty.p, by_order);
	j->nodes = ARENA_ARRAY(j->arena, struct node_row, l->dirty.n);
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	for (size_t i = 0; i < l->dirty.n; i++) {
		if (i && l->dirty.p[i] == l->dirty.p[i - 1])
			continue;
		struct val v = node_save(l->dirty.p[i], tmp);
		j->nodes[j->nodes_n++] = (struct node_row){ node_order(l->dirty.p[i]), json_write(j->arena, &v) };
		arena_reset(tmp);
	}
}

/* What is due after the end of the workflow joins what its pods gave. */
static void
add_dues(struct save_job *j, struct live *l)
{
	bool all;
	int64_t at;
	if (j->ended && (at = run_expires(l->run)))
		*VEC_PUSH(&l->dues) = (struct due){ at, DUE_WORKFLOW, S("") };
	if (j->ended && (at = run_gc_pods(l->run, &all))) {
		struct node *n;
		if (all)
			*VEC_PUSH(&l->dues) = (struct due){ at, DUE_PODS, S("") };
		for (size_t i = 0; !all && (n = run_node_next(l->run, &i));)
			if (run_gc_wants(l->run, n))
				*VEC_PUSH(&l->dues) = (struct due){ at, DUE_POD, node_pod(n) };
	}
	if (j->ended && run_gc_claims(l->run))
		*VEC_PUSH(&l->dues) = (struct due){ loop_now(l->engine->loop), DUE_CLAIMS, S("") };
	j->dues_n = l->dues.n;
	j->dues = ARENA_ARRAY(j->arena, struct due, l->dues.n);
	for (size_t i = 0; i < l->dues.n; i++)
		measure_due(&l->dues.p[i]);
	for (size_t i = 0; i < l->dues.n; i++)
		j->dues[i] = (struct due){ l->dues.p[i].at, l->dues.p[i].what, arena_dup(j->arena, l->dues.p[i].name) };
}

static void
add_followers(struct save_job *j, struct live *l)
{
	j->actions_n = l->actions.n;
	j->actions = ARENA_ARRAY(j->arena, struct action, l->actions.n);
	for (size_t i = 0; i < l->actions.n; i++) {
		j->actions[i] = l->actions.p[i];
		j->actions[i].node_id = arena_dup(j->arena, l->actions.p[i].node_id);
	}
	kills_note(l->engine, j, l->run);
	j->waiters_n = l->waiters.n;
	j->waiters = ARENA_ARRAY(j->arena, struct waiter, l->waiters.n);
	if (l->waiters.n)
		memcpy(j->waiters, l->waiters.p, l->waiters.n * sizeof *l->waiters.p);
}

/* Once when it has ended; should it go on (retry), it is not found by them until it ends again. */
static void
add_tags(struct save_job *j, struct live *l)
{
	bool finished = run_finished(l->run);
	j->untag = l->tagged && !finished;
	j->ended = finished && !l->tagged;
	if (j->ended) {
		j->tags = tags_of(l->run, TAGS_ALL, j->arena);
		metric_add(METRIC_QUEUE_ADDS, 1, "workflow_archive_queue", NULL);
	}
	l->tagged = finished;
}

static struct save_job *
make_job(struct live *l)
{
	struct arena *a = arena_new();
	struct save_job *j = ARENA_NEW(a, struct save_job);
	j->arena = a;
	j->live = l;
	j->id = l->id;
	j->created = l->created;
	j->ns = arena_dup(a, run_ns(l->run));
	j->name = arena_dup(a, run_name(l->run));
	j->insert = !l->inserted;
	j->remove = l->deleted;
	j->phase = str_c(phase_name(run_phase(l->run)));
	j->started = run_started(l->run);
	j->finished = l->finished;
	j->queued = run_queued(l->run);
	j->priority = run_priority(l->run);
	add_followers(j, l);
	if (j->remove) {
		collect_note(j, l->run);
		return j;
	}
	if (j->insert || l->spec_version != run_spec_version(l->run)) {
		struct val spec = run_save_spec(l->run, a);
		j->spec = json_write(a, &spec);
		j->uid = arena_dup(a, run_uid(l->run));
		j->key = arena_dup(a, l->key);
	}
	struct val state = run_save_state(l->run, a);
	j->state = json_write(a, &state);
	add_nodes(j, l);
	add_tags(j, l);
	add_dues(j, l);
	collect_note(j, l->run);
	cron_child_note(j, l->run);
	return j;
}

/* ---- after the commit ---------------------------------------------------------------------------------------- */

/* The rows of a job are on disk. */
static void
saved(void *arg)
{
	struct save_job *j = arg;
	struct live *l = j->live;
	struct engine *g = l->engine;
	l->saves_done++;
	tasks_carry_out(g, j);
	for (size_t i = 0; i < j->dues_n; i++)
		expiry_at(g, j->dues[i].at);
	if (j->remove)
		expiry_files(g, j->id, j->ns, j->name, j->keeps);
	else if (j->ended)
		expiry_finished(g, run_phase(l->run));
	if (j->collect_n || j->remove)
		collect_soon(g);
	if (j->tags.n)
		tags_written(g);
	for (size_t i = 0; i < j->waiters_n; i++)
		j->waiters[i].done(j->waiters[i].arg);
	live_tell(g, j->ns, j->name, j->finished != 0, j->remove);
	if (l->saves_done == l->saves_made && !l->queued && !timer_is_armed(&l->later) && (l->deleted || l->waits || run_finished(l->run)))
		live_forget(l);
	quiet_awaited(g);
	admission_serve(g); /* its steps may have stood in line */
	arena_free(j->arena);
}

/* ---- the end of a turn --------------------------------------------------------------------------------------- */

static void
save_late(void *arg)
{
	live_changed(arg);
}

static void
save(struct live *l)
{
	measure_phase(l, true);
	if (!run_finished(l->run))
		l->finished = 0;
	else if (!l->finished)
		l->finished = loop_now(l->engine->loop);
	const int64_t again = show_saving(l);
	struct save_job *j = make_job(l);
	timer_stop(&l->later);
	if (again)
		timer_start(l->engine->loop, &l->later, again, save_late, l);
	l->inserted = true;
	l->spec_version = run_spec_version(l->run);
	l->dirty.n = l->actions.n = l->waiters.n = l->dues.n = 0;
	l->saves_made++;
	store_write(l->engine->store, archive_write, j, saved);
	cron_child_saving(l->engine, j);
}

static void
save_changed(void *arg)
{
	struct engine *g = arg;
	/* A run created and deleted within one turn was never on disk; its save comes first all the same. */
	for (size_t i = 0; i < g->changed.n; i++) {
		struct live *l = g->changed.p[i];
		const int64_t began = clock_monotonic_ns();
		l->queued = false;
		metric_observe(METRIC_QUEUE_LATENCY, (double)(began - l->queued_at) / (double)NS_PER_SEC, "workflow_queue", NULL);
		save(l);
		metric_observe(METRIC_QUEUE_DURATION, measure_since(began), "workflow_queue", NULL);
	}
	g->changed.n = 0;
}

void
live_changed(struct live *l)
{
	struct engine *g = l->engine;
	if (l->queued)
		return;
	if (g->changed.n == 0)
		loop_defer(g->loop, save_changed, g);
	l->queued = true;
	l->queued_at = clock_monotonic_ns();
	metric_add(METRIC_QUEUE_ADDS, 1, "workflow_queue", NULL);
	*VEC_PUSH(&g->changed) = l;
}

void
live_changed_soon(struct live *l)
{
	struct loop *loop = l->engine->loop;
	if (!l->queued && !timer_is_armed(&l->later))
		timer_start(loop, &l->later, loop_now(loop) + STARTED_DELAY, save_late, l);
}

void
live_wait(struct live *l, void (*done)(void *arg), void *arg)
{
	*VEC_PUSH(&l->waiters) = (struct waiter){ done, arg };
	live_changed(l);
}
