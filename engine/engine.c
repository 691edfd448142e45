/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell's middle: runs in memory, stimuli in, effects out.
 *
 * A stimulus changes the run at once. Its effects are gathered: helpers of new steps are spawned right away but wait, rows
 * of changed nodes are written once at the end of the turn, and what the world may see (a command's start, a kill, a
 * watcher's call) follows when that transaction is on disk.
 */
#include "engine/shell.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "engine/custom_metrics.h"

#define STARTED_DELAY (50 * NS_PER_MS)

struct run_timer {
	struct timer timer;
	struct live *live;
	str node_id; /* owned; empty: the workflow's own */
};

/* ---- lives --------------------------------------------------------------------------------------------------- */

static str
map_key(str ns, str name)
{
	struct buf b = { 0 };
	buf_add(&b, ns);
	buf_addc(&b, '/');
	buf_add(&b, name);
	return buf_str(&b); /* the buffer's memory is the key's */
}

struct live *
live_find(const struct engine *g, str ns, str name)
{
	str key = map_key(ns, name);
	struct live *l = map_get(&g->lives, key);
	str_disown(key);
	return l && !l->deleted ? l : NULL;
}

struct live *
live_new(struct engine *g, struct run *r, int64_t id, int64_t created, str key)
{
	struct live *l = MEM_NEW(struct live);
	l->engine = g;
	l->run = r;
	l->id = id;
	l->created = created;
	l->map_key = map_key(run_ns(r), run_name(r));
	l->phase_told = run_phase(r);
	map_put(&g->lives, l->map_key, l);
	if (key.p) {
		l->key = str_own(key);
		map_put(&g->keys, l->key, l);
	}
	return l;
}

static void
timer_free(struct run_timer *t)
{
	timer_stop(&t->timer);
	str_disown(t->node_id);
	free(t);
}

static void
live_free(struct live *l)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&l->timers, &i));)
		timer_free(slot->value);
	map_free(&l->timers);
	timer_stop(&l->later);
	timer_stop(&l->more);
	line_leave(l);
	map_del(&l->engine->lives, l->map_key);
	str_disown(l->map_key);
	if (l->key.p) {
		map_del(&l->engine->keys, l->key);
		str_disown(l->key);
	}
	run_free(l->run);
	VEC_FREE(&l->dirty);
	VEC_FREE(&l->dues);
	VEC_FREE(&l->actions);
	VEC_FREE(&l->waiters);
	free(l);
}

/* ---- after the commit ---------------------------------------------------------------------------------------- */

/* The executor does not know the step. If nothing came of it yet, it waits in line, and will not start. */
static void
killed_in_line(struct live *l, str id)
{
	static const struct task_result stopped = { .phase = PHASE_FAILED, .message = { "stopped before it started", 25 }, .exit_code = -1 };
	const struct node *n = run_node(l->run, id);
	if (!n || l->deleted || !node_has_task(n))
		return;
	struct stimulus s = { .kind = STIM_TASK_DONE, .now = loop_now(l->engine->loop), .node_id = id, .result = &stopped };
	live_advance(l, &s);
}

static void
carry_out(struct engine *g, const struct save_job *j)
{
	for (size_t i = 0; i < j->actions_n; i++) {
		const struct action *x = &j->actions[i];
		if (x->kind == ACTION_RELEASE ? agent_release(g->agent, j->ns, j->name, x->node_id)
					      : agent_kill(g->agent, j->ns, j->name, x->node_id))
			continue;
		if (x->kind == ACTION_RELEASE)
			executor_release(g->executor, j->ns, j->name, x->node_id);
		else if (!executor_kill(g->executor, j->ns, j->name, x->node_id, x->grace_seconds)) {
			kills_ended(g, j->ns, j->name, x->node_id);
			killed_in_line(j->live, x->node_id);
		}
	}
}

/* The rows of a job are on disk. */
static void
saved(void *arg)
{
	struct save_job *j = arg;
	struct live *l = j->live;
	struct engine *g = l->engine;
	l->saves_done++;
	carry_out(g, j);
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
	if (l->saves_done == l->saves_made && !l->queued && !l->later.slot && (l->deleted || l->waits || run_finished(l->run)))
		live_free(l);
	quiet_awaited(g);
	admission_serve(g); /* its steps may have stood in line */
	arena_free(j->arena);
}

/* ---- the end of a turn --------------------------------------------------------------------------------------- */

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
live_wait(struct live *l, void (*done)(void *arg), void *arg)
{
	*VEC_PUSH(&l->waiters) = (struct waiter){ done, arg };
	live_changed(l);
}

/* ---- stimuli and effects ------------------------------------------------------------------------------------- */

static void
timer_fired(void *arg)
{
	struct run_timer *t = arg;
	struct live *l = t->live;
	struct stimulus s = { .kind = STIM_TIMER, .now = loop_now(l->engine->loop), .node_id = t->node_id };
	map_del(&l->timers, t->node_id);
	live_advance(l, &s);
	timer_free(t);
}

static void
set_timer(struct live *l, str node_id, int64_t at_ns)
{
	struct run_timer *t = map_get(&l->timers, node_id);
	if (!t) {
		t = MEM_NEW(struct run_timer);
		t->live = l;
		t->node_id = str_own(node_id);
		map_put(&l->timers, t->node_id, t);
	}
	timer_start(l->engine->loop, &t->timer, at_ns, timer_fired, t);
}

/* One that had begun before a restart may have been sent. */
static void
start_request(struct live *l, const struct node *n, const struct task_spec *t)
{
	if (node_recovered(n) && node_phase(n) == PHASE_RUNNING) {
		agent_adopt(l->engine->agent, t);
		return;
	}
	agent_start(l->engine->agent, t);
	*VEC_PUSH(&l->actions) = (struct action){ ACTION_RELEASE, node_id(n), 0 };
}

/* What an image of the step means is decided once for the workflow, and saved when the node is next. */
static void
use_image(struct live *l, struct node *n, const struct task_spec *task, const struct container *c)
{
	str digest;
	bool listed;
	if (executor_image(l->engine->executor, c->image, image_pinned(task->images, c->image), &digest, &listed))
		run_use_image(l->run, n, c->image, digest, listed);
}

/* The main one first: it is the node's. */
static void
use_images(struct live *l, struct node *n, const struct task_spec *task)
{
	const struct template *t = task->tmpl;
	const struct container *c = t->script ? t->script : t->container;
	if (c)
		use_image(l, n, task, c);
	for (size_t i = 0; t->container_set && i < t->container_set->containers.n; i++)
		use_image(l, n, task, &t->container_set->containers.p[i]);
	for (size_t i = 0; i < t->init_containers.n; i++)
		use_image(l, n, task, &t->init_containers.p[i]);
	for (size_t i = 0; i < t->sidecars.n; i++)
		use_image(l, n, task, &t->sidecars.p[i]);
}

/* Spawns the step's helper while the commit is under way, or at once if its row is on disk already. */
static void
start_now(struct live *l, struct node *n, const struct task_spec *task)
{
	struct executor *x = l->engine->executor;
	use_images(l, n, task);
	if (node_recovered(n)) {
		executor_adopt(x, task); /* it came from the store: it may run already */
		return;
	}
	executor_start(x, task);
	if (n == l->called && l->on_disk)
		executor_release(x, task->ns, task->workflow, task->node_id);
	else
		*VEC_PUSH(&l->actions) = (struct action){ ACTION_RELEASE, node_id(n), 0 };
}

/* What an earlier daemon started is taken up whatever the limit; everything else goes in line if there is one. */
static void
start_task(struct live *l, const struct effect *x)
{
	struct engine *g = l->engine;
	struct node *n = x->node;
	if (agent_takes(x->task)) {
		start_request(l, n, x->task);
		return;
	}
	bool recovered = node_recovered(n);
	if (!recovered && n != l->called)
		metric_add(METRIC_PODS, 1, phase_name(PHASE_PENDING), run_ns(l->run).p, NULL);
	if (n == l->called || (!g->waiting && executor_room(g->executor)) || (recovered && executor_claimed(g->executor, x->task))) {
		start_now(l, n, x->task);
		return;
	}
	if (!recovered)
		executor_set_aside(g->executor, x->task);
	line_add(l, n, recovered ? 0 : l->saves_made + 1);
	live_changed(l);
}

static void
report_metric(struct live *l, const struct custom_metric *m)
{
	struct engine *g = l->engine;
	struct err e;
	if (custom_metrics_report(g->metrics, run_uid(l->run), m, loop_now(g->loop), &e))
		run_metrics_failed(l->run, str_c(e.msg));
}

static void
apply(struct live *l, const struct effect *x)
{
	int64_t at;
	switch (x->kind) {
	case EFFECT_START:
		start_task(l, x);
		break;
	case EFFECT_KILL:
		*VEC_PUSH(&l->actions) = (struct action){ ACTION_KILL, node_id(run_node(l->run, x->node_id)), x->task ? x->task->grace_seconds : 30 };
		break;
	case EFFECT_TIMER:
		set_timer(l, x->node_id, x->at_ns);
		break;
	case EFFECT_MEMO:
		cache_keep(l, x);
		break;
	case EFFECT_LOCK:
		grants_ask(l, x);
		break;
	case EFFECT_UNLOCK:
		grants_release(l, x->node_id);
		break;
	case EFFECT_SAVE:
		*VEC_PUSH(&l->dirty) = x->node;
		if ((at = run_gc_pod(l->run, x->node)))
			*VEC_PUSH(&l->dues) = (struct due){ at, DUE_POD, node_pod(x->node) };
		break;
	case EFFECT_METRIC:
		report_metric(l, x->metric);
		break;
	case EFFECT_FINISHED:
		admission_leave(l);
		baseline_learn(l->engine, l->run);
		custom_metrics_stop(l->engine->metrics, run_uid(l->run));
		log_info("workflow finished", "namespace", run_ns(l->run).p, "workflow", run_name(l->run).p, "phase",
			phase_name(run_phase(l->run)), NULL);
		break;
	}
}

/* What was left of a stimulus, now that everybody else had a turn. */
static void
go_on(void *arg)
{
	struct live *l = arg;
	const struct stimulus s = { .kind = STIM_GO_ON, .now = loop_now(l->engine->loop) };
	if (!l->deleted && !l->engine->closing)
		live_advance(l, &s);
}

static void
advance(struct live *l, const struct stimulus *s)
{
	/* An effect may not lead to a stimulus from within, so one scratch arena is enough. */
	struct effect *effects = NULL;
	const int64_t began = clock_monotonic_ns();
	run_advance(l->run, s, l->engine->scratch, &effects);
	for (const struct effect *x = effects; x; x = x->next)
		apply(l, x);
	measure_phase(l, false);
	metric_observe(METRIC_OPERATION, measure_since(began), NULL);
	arena_reset(l->engine->scratch);
	if (run_busy(l->run) && !l->more.slot)
		timer_start(l->engine->loop, &l->more, s->now, go_on, l);
	grants_tell(l->engine);
	admission_serve(l->engine);
}

void
live_advance(struct live *l, const struct stimulus *s)
{
	advance(l, s);
	live_changed(l);
}

void
live_room(struct live *l, const struct stimulus *s)
{
	advance(l, s);
	if (l->dirty.n || l->actions.n || run_finished(l->run))
		live_changed(l);
}

/*
 * A step has started, or says how far it is. That is news for those who look on, but decides nothing: after a crash the executor finds it running
 * all the same. So it is saved with whatever comes next, or a moment later, and a short step costs one commit and not two.
 */
static void
look_on(struct live *l, const struct stimulus *s)
{
	advance(l, s);
	if (l->actions.n || l->waiters.n || run_finished(l->run))
		live_changed(l);
	else if (!l->queued && !l->later.slot)
		timer_start(l->engine->loop, &l->later, s->now + STARTED_DELAY, save_late, l);
}

/* A request is a task as well, and no pod. */
static void
count_pod(const struct live *l, str node_id, const struct task_result *result, bool running)
{
	const struct node *n = run_node(l->run, node_id);
	if (!n || !node_pod(n).n || running)
		return;
	metric_add(METRIC_PODS, 1, phase_name(result ? result->phase : PHASE_RUNNING), run_ns(l->run).p, NULL);
	if (result && result->lost)
		measure_lost(n, loop_now(l->engine->loop));
}

/* Of a run: its step has started, changed, ended. */
static void
tell_run(struct live *l, str node_id, const struct task_result *result)
{
	bool running = result && result->phase == PHASE_RUNNING;
	struct stimulus s = { .kind = running ? STIM_TASK_CHANGED : result ? STIM_TASK_DONE : STIM_TASK_STARTED,
		.now = loop_now(l->engine->loop),
		.node_id = node_id,
		.result = result };
	count_pod(l, node_id, result, running);
	if (result && (!running || result->ready))
		live_advance(l, &s);
	else
		look_on(l, &s);
}

/* Whose news they are. NULL: the workflow was deleted, or its node is another by now: a step may end long after its end was decided. */
static struct live *
live_of_task(const struct engine *g, const struct task_id *id)
{
	struct live *l = g->closing ? NULL : live_find(g, id->ns, id->workflow);
	const struct node *n = l && str_eq(run_uid(l->run), id->uid) ? run_node(l->run, id->node_id) : NULL;
	return n && node_order(n) == id->order ? l : NULL;
}

/* News of a step from the executor. */
static void
task_news_came(void *arg, const struct task_id *id, const struct task_result *result)
{
	struct engine *g = arg;
	struct live *l = live_of_task(g, id);
	if (result && result->phase != PHASE_RUNNING && !g->closing)
		kills_ended(g, id->ns, id->workflow, id->node_id);
	if (l)
		tell_run(l, id->node_id, result);
}

task_news *const engine_task_news = task_news_came;

/* Of a request, from the agent. */
static void
request_ended(void *arg, str ns, str workflow, str node_id, const struct task_result *result)
{
	struct engine *g = arg;
	struct live *l = g->closing ? NULL : live_find(g, ns, workflow);
	if (l)
		tell_run(l, node_id, result);
}

/* The agent may not send before it is on disk that it is about to. */
static bool
request_begins(void *arg, str ns, str workflow, str node_id, void (*go)(void *arg), void *go_arg)
{
	struct engine *g = arg;
	struct live *l = live_find(g, ns, workflow);
	if (!l || g->closing)
		return false;
	struct stimulus s = { .kind = STIM_TASK_STARTED, .now = loop_now(g->loop), .node_id = node_id };
	advance(l, &s);
	live_wait(l, go, go_arg);
	return true;
}

static struct child *
data_wanted(void *arg, const struct data_wanted *w, struct arena *a, void (*done)(void *arg, str text, const struct err *e), void *done_arg, struct err *e)
{
	struct engine *g = arg;
	return executor_make_data(g->executor, w, a, done, done_arg, e);
}

static void
task_progress_came(void *arg, const struct task_id *id, str text)
{
	struct engine *g = arg;
	struct live *l = live_of_task(g, id);
	if (!l)
		return;
	const struct stimulus s = { .kind = STIM_TASK_PROGRESS, .now = loop_now(g->loop), .node_id = id->node_id, .progress = text };
	look_on(l, &s);
}

/* ---- life cycle ---------------------------------------------------------------------------------------------- */

struct engine *
engine_new(struct loop *l, struct store *s, struct objects *objects, const struct settings *settings)
{
	quiet_prepare();
	struct engine *g = MEM_NEW(struct engine);
	g->loop = l;
	g->store = s;
	g->objects = objects;
	g->settings = settings;
	g->world = engine_world(g);
	struct err e;
	if (settings->transient_errors.n && regex_compile(settings->transient_errors, &g->transient, &e))
		g->transient = NULL; /* the settings were checked when they were read */
	g->cache = cache_new(g);
	g->cron = cron_new(g);
	g->sync_limits = sync_limits_new();
	g->scratch = arena_new();
	g->metrics = custom_metrics_new(settings->metrics_ttl.ns);
	g->grants = grants_new(g);
	struct agent_env env = { .loop = l, .objects = objects, .begin = request_begins, .make_data = data_wanted, .end = request_ended,
		.arg = g };
	g->agent = agent_new(&env);
	g->admission = admission_new(g);
	g->next_id = 1;
	g->tags_new = 1; /* an earlier daemon's, perhaps */
	list_init(&g->watches);
	list_init(&g->line);
	return g;
}

void
engine_set_executor(struct engine *g, struct executor *x)
{
	g->executor = x;
	executor_on_room(x, line_serve);
	executor_on_progress(x, task_progress_came);
}

struct recovery {
	struct engine *engine;
	VEC(struct live *) runs;
};

struct live *
live_read(struct engine *g, struct archived *x)
{
	struct live *l = live_new(g, x->run, x->id, x->created, STR_NONE);
	l->inserted = true;
	l->tagged = run_finished(x->run);
	l->spec_version = run_spec_version(x->run);
	return l;
}

static void
take_up(struct recovery *rec, struct archived *x)
{
	struct live *l = live_read(rec->engine, x);
	grants_recover(l);
	admission_recover(l);
	*VEC_PUSH(&rec->runs) = l;
}

/* A workflow whose rows are damaged is left alone and named; the others go on. */
static int
read_open(sqlite3 *db, void *arg, struct err *e)
{
	struct recovery *rec = arg;
	struct engine *g = rec->engine;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct open_row *rows;
	int64_t largest;
	size_t n;
	if (archive_open(db, a, &rows, &n, &largest, e))
		return -1;
	g->next_id = largest + 1;
	for (size_t i = 0; i < n; i++) {
		struct archived x;
		struct err why;
		if (rows[i].queued)
			admission_recover_row(g, &rows[i]);
		else if (archive_load_row(db, rows[i].id, true, &g->world, &x, &why))
			log_error("workflow not resumed", "error", why.msg, NULL);
		else
			take_up(rec, &x);
	}
	return 0;
}

/* Nobody goes on before all locks that were held are held again, nor gets one before all have asked who wait. */
static void
resume_all(struct recovery *rec)
{
	grants_close(rec->engine);
	for (size_t i = 0; i < rec->runs.n; i++) {
		struct stimulus s = { .kind = STIM_START, .now = loop_now(rec->engine->loop) };
		live_advance(rec->runs.p[i], &s);
	}
	grants_open(rec->engine);
	admission_serve(rec->engine);
}

int
engine_recover(struct engine *g, struct err *e)
{
	struct recovery rec = { .engine = g };
	int rc = kills_recover(g, e) || expiry_start(g, e) || sync_limits_read(g, e) || store_read_now(g->store, read_open, &rec, e) ? -1 : 0;
	if (!rc) {
		resume_all(&rec);
		collect_start(g);
	}
	if (rec.runs.n) {
		char n[24];
		snprintf(n, sizeof n, "%zu", rec.runs.n);
		log_info("workflows resumed", "count", n, NULL);
	}
	VEC_FREE(&rec.runs);
	return rc ? err_wrap(e, "resuming workflows") : 0;
}

void
engine_free(struct engine *g)
{
	if (!g)
		return;
	g->closing = true;
	expiry_stop(g);
	collect_stop(g);
	cron_free(g->cron);
	baseline_free(g);
	timer_stop(&g->quiet);
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&g->lives, &i));)
		live_free(slot->value);
	map_free(&g->lives);
	map_free(&g->keys);
	watches_free(g);
	VEC_FREE(&g->changed);
	kills_free(g);
	regex_free(g->transient);
	arena_free(g->scratch);
	custom_metrics_free(g->metrics);
	grants_free(g->grants);
	agent_free(g->agent);
	admission_free(g->admission);
	cache_free(g->cache);
	sync_limits_free(g->sync_limits);
	free(g);
}

void
engine_objects_changed(struct engine *g)
{
	grants_refresh(g);
	cron_apply(g);
}

size_t
engine_active(const struct engine *g)
{
	return g->lives.n;
}

size_t
engine_waiting(const struct engine *g)
{
	return admission_waiting(g);
}

size_t
engine_running_steps(const struct engine *g)
{
	return (g->executor ? executor_running(g->executor) : 0) + agent_running(g->agent);
}
