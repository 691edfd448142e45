/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks: what a run wants carried out goes to the executor (steps) and the agent (requests), and their news come back to it. A step's
 * helper is spawned while the commit is under way, but waits: its command is released, as steps are killed, when that is on disk.
 */
#include "core/metrics.h"
#include "engine/shell.h"

/* ---- start -------------------------------------------------------------------------------------------------------- */

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
void
tasks_start(struct live *l, const struct effect *x)
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

/* ---- release and kill --------------------------------------------------------------------------------------------- */

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

void
tasks_carry_out(struct engine *g, const struct save_job *j)
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

/* ---- news --------------------------------------------------------------------------------------------------------- */

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
		live_look_on(l, &s);
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

static void
task_progress_came(void *arg, const struct task_id *id, str text)
{
	struct engine *g = arg;
	struct live *l = live_of_task(g, id);
	if (!l)
		return;
	const struct stimulus s = { .kind = STIM_TASK_PROGRESS, .now = loop_now(g->loop), .node_id = id->node_id, .progress = text };
	live_look_on(l, &s);
}

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
	live_advance(l, &s);
	live_wait(l, go, go_arg);
	return true;
}

/* ---- who carries them out ----------------------------------------------------------------------------------------- */

static struct child *
data_wanted(void *arg, const struct data_wanted *w, struct arena *a, void (*done)(void *arg, str text, const struct err *e), void *done_arg, struct err *e)
{
	struct engine *g = arg;
	return executor_make_data(g->executor, w, a, done, done_arg, e);
}

struct agent *
tasks_agent(struct engine *g)
{
	struct agent_env env = { .loop = g->loop, .objects = g->objects, .begin = request_begins, .make_data = data_wanted, .end = request_ended, .arg = g };
	return agent_new(&env);
}

void
engine_set_executor(struct engine *g, struct executor *x)
{
	g->executor = x;
	executor_on_room(x, line_serve);
	executor_on_progress(x, task_progress_came);
}

size_t
engine_running_steps(const struct engine *g)
{
	return (g->executor ? executor_running(g->executor) : 0) + agent_running(g->agent);
}
