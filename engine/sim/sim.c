/* SPDX-License-Identifier: Apache-2.0 */
/* sim: see sim.h. */
#include "engine/sim/sim.h"

enum { STIMULI_MAX = 2000000 };

size_t sim_calls;
const char *const crash_names[CRASHES] = { "none", "before", "committed", "carried out" };

static const struct val *
doc_named(const struct sim *x, const char *kind, str name)
{
	for (size_t i = 1; i < x->docs_n; i++)
		if (str_eq(val_get_str(x->docs[i], "kind"), str_c(kind)) &&
			(!name.p || str_eq(val_get_str(val_get(x->docs[i], S("metadata")), "name"), name)))
			return x->docs[i];
	return NULL;
}

static const struct val *
template_spec(void *arg, bool cluster, str ns, str name)
{
	(void)ns;
	return val_get(doc_named(arg, cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate", name), S("spec"));
}

static str
memo_id(struct sim *x, const struct val *memo)
{
	return arena_fmt(x->arena, "%.*s/%.*s", STR_ARG(val_get_str(memo, "cacheName")), STR_ARG(val_get_str(memo, "key")));
}

static bool
was_hit(const struct val *memo)
{
	const struct val *hit = val_get(memo, S("hit"));
	return val_is(hit, VAL_BOOL) && hit->b;
}

static int
config_map(void *arg, str ns, str name, str key, str *out, struct err *e)
{
	(void)ns;
	*out = val_get_str(
		val_get(doc_named(arg, "ConfigMap", name), S("data")), str_z(((struct sim *)arg)->arena, key));
	return out->p ? 0 : err_set(e, ERR_NOT_FOUND, "configmaps \"%.*s\" not found", STR_ARG(name));
}

static const struct val *
config_map_object(void *arg, str ns, str name)
{
	(void)ns;
	return doc_named(arg, "ConfigMap", name);
}

/* Results that were kept: "cache/key" -> JSON, with their time behind. In this turn they are found before the commit. */
static int
memo(void *arg, str ns, str cache, str key, struct arena *a, struct memo_entry *out, struct err *e)
{
	struct sim *x = arg;
	str id = arena_fmt(x->arena, "%.*s/%.*s", STR_ARG(cache), STR_ARG(key));
	const struct sim_memo *m = map_get(&x->kept, id);
	(void)ns, (void)a;
	for (size_t i = 0; i < x->turn.n; i++) {
		const struct effect *ef = x->turn.p[i];
		if (ef->kind == EFFECT_MEMO && !was_hit(ef->memo) && str_eq(id, memo_id(x, ef->memo))) {
			*out = (struct memo_entry){ ef->outputs, x->now };
			return 1;
		}
	}
	if (str_eq(cache, S("unusable")))
		return err_set(e, ERR_DENIED, "memoization configmap doesn't have the label, refusing to use it");
	if (!m)
		return 0;
	*out = (struct memo_entry){ m->outputs, m->created };
	return 1;
}

/* "@" stands for the workflow's name. */
static str
full(struct sim *x, str s)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < s.n; i++)
		buf_add(&b, s.p[i] == '@' ? run_name(x->run) : str_slice(s, i, i + 1));
	return arena_dup(x->arena, buf_str(&b));
}

/* ---- the simulated executor -------------------------------------------------------------------------------------- */

static struct sim_event *
add_event(struct sim *x, int64_t at)
{
	struct sim_event *ev = VEC_PUSH(&x->events);
	ev->at = at;
	ev->order = x->order++;
	return ev;
}

void
sim_lock_at(struct sim *x, int64_t seconds, struct sim_lock_event lock)
{
	struct sim_lock_event *kept = ARENA_NEW(x->arena, struct sim_lock_event);
	*kept = lock;
	add_event(x, x->began + seconds * NS_PER_SEC)->lock = kept;
}

static const struct val *
rule_for(struct sim *x, str name, str display)
{
	const struct val *rules = val_get(x->scenario, S("steps"));
	for (uint32_t i = 0; val_is(rules, VAL_LIST) && i < rules->n; i++) {
		const struct val *rule = &rules->items[i];
		str node = sim_field(x, rule, "node"), key = arena_fmt(x->arena, "%u %.*s", i, STR_ARG(name));
		if (!str_eq(node, S("*")) && !str_eq(node, display) && !str_eq(full(x, node), name))
			continue;
		if (sim_count(x, &x->used, key, 0) >= (size_t)sim_number(rule, "times", INT32_MAX))
			continue;
		sim_count(x, &x->used, key, 1);
		return rule;
	}
	return NULL;
}

static void
note(struct sim *x, const char *what, str name, str args)
{
	*VEC_PUSH(&x->notes) = (struct sim_note){ x->now, what, name, args };
}

/* What the command was given: its arguments, or the text of its script. */
static str
given(struct sim *x, const struct template *t)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	if (t && t->script)
		return arena_dup(x->arena, t->script->source);
	for (size_t i = 0; t && t->container && i < t->container->args.n; i++)
		buf_addf(&b, "%s%.*s", i ? " " : "", STR_ARG(t->container->args.p[i]));
	return arena_dup(x->arena, buf_str(&b));
}

/* One of `among`, by the node's name and how often it began: the same one whoever asks (FNV-1a). */
static const struct val *
fate(struct sim *x, const struct val *rule, str name)
{
	const struct val *among = val_get(rule, S("among"));
	if (!val_is(among, VAL_LIST) || !among->n)
		return rule;
	str key = arena_fmt(x->arena, "%.*s#%zu", STR_ARG(name), sim_count(x, &x->used, name, 1));
	uint32_t h = 2166136261U;
	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (unsigned char)key.p[i]) * 16777619U;
	return &among->items[h % among->n];
}

static int64_t
lasts_ns(const struct val *rule)
{
	int64_t ms = sim_number(rule, "ms", -1);
	return ms < 0 ? sim_number(rule, "seconds", 1) * NS_PER_SEC : ms * NS_PER_MS;
}

static struct task_result
outcome(struct sim *x, const struct val *rule, bool capture, str args)
{
	struct task_result t = { .exit_code = (int)sim_number(rule, "exit", 0) };
	str phase = sim_field(x, rule, "phase"), message = sim_field(x, rule, "message"),
	    result = sim_field(x, rule, "result");
	const struct val *echo = val_get(rule, S("echo"));
	t.phase = t.exit_code ? PHASE_FAILED : PHASE_SUCCEEDED;
	if (str_eq(phase, S("Error"))) {
		t.phase = PHASE_ERROR;
		t.exit_code = (int)sim_number(rule, "exit", -1); /* it was lost: nobody knows */
	}
	t.message = message.p     ? message
		    : t.exit_code > 0 ? arena_fmt(x->arena, "main: Error (exit code %d)", t.exit_code)
				  : S("");
	if (echo)
		result = args;
	if (capture)
		t.result = result.p ? arena_fmt(x->arena, "%.*s\n", STR_ARG(result)) : S("");
	t.progress = sim_field(x, rule, "progress");
	t.usage = (struct usage){ sim_number(rule, "cpu", 0), sim_number(rule, "memory", 0) };
	const struct val *p = val_get(rule, S("parameters"));
	t.parameters.p = ARENA_ARRAY(x->arena, struct kv, p ? p->n : 0);
	for (uint32_t i = 0; val_is(p, VAL_MAP) && i < p->n; i++)
		t.parameters.p[t.parameters.n++] =
			(struct kv){ val_key(&p->members[i]), echo ? args : sim_text(x, &p->members[i].value) };
	return t;
}

/* What became of its artifacts: saved, unless the rule says `missing`, or else why not. */
static void
add_artifacts(struct sim *x, struct task_result *t, const struct template *tmpl, const struct val *rule, bool logs)
{
	const struct val *fates = val_get(rule, S("artifacts"));
	size_t n = tmpl ? tmpl->outputs.artifacts.n : 0;
	t->artifacts = ARENA_ARRAY(x->arena, struct artifact_result, n + 1);
	t->artifacts_n = n + logs;
	if (logs)
		t->artifacts[n] = (struct artifact_result){ .name = S("main"), .saved = true, .log = true };
	for (size_t i = 0; i < n; i++) {
		str name = arena_dup(x->arena, tmpl->outputs.artifacts.p[i].name), why = sim_field(x, fates, str_z(x->arena, name));
		bool absent = str_eq(why, S("missing"));
		t->artifacts[i] = (struct artifact_result){ .name = name, .saved = !why.p, .problem = absent ? STR_NONE : why };
	}
}

/* What it says of itself while it runs. */
static void
add_reports(struct sim *x, const struct val *rule, str id, int64_t from)
{
	const struct val *reports = val_get(rule, S("reports"));
	for (uint32_t i = 0; val_is(reports, VAL_MAP) && i < reports->n; i++) {
		int64_t at;
		if (!str_to_i64(val_key(&reports->members[i]), &at))
			at = 0;
		struct sim_event *ev = add_event(x, from + at * NS_PER_SEC);
		ev->s = (struct stimulus){ .kind = STIM_TASK_PROGRESS,
			.node_id = id,
			.progress = sim_text(x, &reports->members[i].value) };
	}
}

/* What becomes of the members of a container set: `containers: {a: 3}` is an exit code, `{a: ""}` was never started. */
static void
add_members(struct sim *x, struct task_result *t, const struct template *tmpl, const struct val *rule, bool running)
{
	const struct container_set *set = tmpl ? tmpl->container_set : NULL;
	const struct val *codes = val_get(rule, S("containers"));
	struct container_result *list = ARENA_ARRAY(x->arena, struct container_result, set ? set->containers.n : 0);
	for (size_t i = 0; set && i < set->containers.n; i++) {
		str name = arena_dup(x->arena, set->containers.p[i].name);
		int64_t code = sim_number(codes, str_z(x->arena, name), 0);
		const struct val *given = val_get(codes, name);
		bool started = !given || val_is_number(given) || sim_text(x, given).n;
		list[i] = (struct container_result){ .name = name, .exit_code = (int)code };
		list[i].phase = !started ? PHASE_PENDING
				: running ? PHASE_RUNNING
				: !code  ? PHASE_SUCCEEDED
				: code == 64 ? PHASE_ERROR : PHASE_FAILED;
		list[i].message = !running && code ? arena_fmt(x->arena, "%.*s: Error (exit code %d): ", STR_ARG(name), (int)code) : S("");
	}
	t->containers = list;
	t->containers_n = set ? set->containers.n : 0;
}

/* News of a pod before its end: its members run; a daemon is ready, `ready` seconds after its start. */
static void
add_changes(struct sim *x, const struct effect *ef, const struct val *rule, str id)
{
	static const int64_t forever = 1000000;
	const struct template *tmpl = ef->task ? ef->task->tmpl : NULL;
	bool daemon = tmpl && tmpl->daemon == TRI_TRUE;
	int64_t at = sim_number(rule, "delay", 0) + sim_number(rule, "ready", 1);
	if (!tmpl || (!daemon && !tmpl->container_set) || (daemon && at >= sim_number(rule, "seconds", forever)))
		return;
	struct sim_event *ev = add_event(x, x->now + (daemon ? at : sim_number(rule, "delay", 0)) * NS_PER_SEC);
	ev->s = (struct stimulus){ .kind = STIM_TASK_CHANGED, .node_id = id };
	ev->result = (struct task_result){ .phase = PHASE_RUNNING, .ready = daemon, .ip = daemon ? S("10.0.0.7") : STR_NONE };
	add_members(x, &ev->result, tmpl, rule, true);
}

static void
start_task(struct sim *x, const struct effect *ef)
{
	str id = arena_dup(x->arena, ef->node_id);
	if (map_get(&x->running, id))
		return; /* adopted: it runs already */
	struct val n = node_status(ef->node ? ef->node : run_node(x->run, id), x->arena);
	str name = arena_dup(x->arena, val_get_str(&n, "name")),
	    display = arena_dup(x->arena, val_get_str(&n, "displayName"));
	const struct val *rule = fate(x, rule_for(x, name, display), name);
	map_put(&x->running, id, x);
	sim_count(x, &x->starts, display, 1);
	str args = given(x, ef->task ? ef->task->tmpl : NULL);
	note(x, "start", name, args);
	if (++x->now_running > x->most)
		x->most = x->now_running;
	if (!ef->task || !ef->task->tmpl || !(ef->task->tmpl->container || ef->task->tmpl->script || ef->task->tmpl->http || ef->task->tmpl->data ||
						ef->task->tmpl->container_set))
		buf_addf(&x->why, "  started without something to do: %.*s\n", STR_ARG(name));
	struct sim_event *ev;
	if (!val_get(rule, S("unseen"))) {
		ev = add_event(x, x->now + sim_number(rule, "delay", 0) * NS_PER_SEC);
		ev->s = (struct stimulus){ .kind = STIM_TASK_STARTED, .node_id = id };
	}
	add_reports(x, rule, id, x->now + sim_number(rule, "delay", 0) * NS_PER_SEC);
	struct task_result t = outcome(x, rule, ef->task && ef->task->capture_result, args);
	const struct template *tmpl = ef->task ? ef->task->tmpl : NULL;
	add_members(x, &t, tmpl, rule, false);
	add_artifacts(x, &t, tmpl, rule, ef->task && val_is_true(val_get(ef->task->archive, S("archiveLogs"))));
	add_changes(x, ef, rule, id);
	bool forever = tmpl && tmpl->daemon == TRI_TRUE && !val_get(rule, S("seconds"));
	ev = add_event(x, x->now + sim_number(rule, "delay", 0) * NS_PER_SEC + (forever ? 1000000 * NS_PER_SEC : lasts_ns(rule)));
	ev->s = (struct stimulus){ .kind = STIM_TASK_DONE, .node_id = id };
	ev->result = t;
	ev->name = name;
	ev->dies = sim_number(rule, "dies", 1) * NS_PER_SEC;
}

static void
kill_task(struct sim *x, str id)
{
	for (size_t i = 0; i < x->events.n; i++) {
		struct sim_event *ev = &x->events.p[i];
		if (ev->gone || ev->killed || !str_eq(ev->s.node_id, id) || ev->s.kind != STIM_TASK_DONE)
			continue;
		ev->killed = true;
		ev->at = x->now + ev->dies;
		ev->result = (struct task_result){
			.phase = PHASE_FAILED, .message = S("main: Error (exit code 143)"), .exit_code = 143
		};
	}
}

static void
set_timer(struct sim *x, str id, int64_t at)
{
	for (size_t i = 0; i < x->events.n; i++)
		if (x->events.p[i].timer && str_eq(x->events.p[i].s.node_id, id))
			x->events.p[i].gone = true;
	struct sim_event *ev = add_event(x, at > x->now ? at : x->now);
	ev->timer = true;
	ev->rank = id.n ? node_order(run_node(x->run, id)) + 1 : 0;
	ev->s = (struct stimulus){ .kind = STIM_TIMER, .node_id = arena_dup(x->arena, id) };
}

static void
report_metric(struct sim *x, const struct custom_metric *m)
{
	struct err e;
	if (custom_metrics_report(x->metrics, run_uid(x->run), m, x->now, &e))
		run_metrics_failed(x->run, str_c(e.msg));
}

static void
carry_out(struct sim *x, const struct effect *ef)
{
	switch (ef->kind) {
	case EFFECT_START:
		start_task(x, ef);
		break;
	case EFFECT_KILL:
		kill_task(x, ef->node_id);
		break;
	case EFFECT_TIMER:
		set_timer(x, ef->node_id, ef->at_ns);
		break;
	case EFFECT_METRIC:
		report_metric(x, ef->metric);
		break;
	case EFFECT_FINISHED:
		custom_metrics_stop(x->metrics, run_uid(x->run));
		break;
	case EFFECT_SAVE:
	case EFFECT_MEMO: /* see commit */
	case EFFECT_LOCK:
	case EFFECT_UNLOCK:
		break;
	}
}

static int
older_first(const void *a, const void *b)
{
	const struct effect *x = *(const struct effect *const *)a, *y = *(const struct effect *const *)b;
	return (node_order(x->node) > node_order(y->node)) - (node_order(x->node) < node_order(y->node));
}

/* The steps of one commit start in the order of their nodes, as they do after a restart: so it says who ends first of those that end
 * at the same instant. */
static void
carry_out_all(struct sim *x)
{
	VEC(const struct effect *) starts = { 0 };
	for (size_t i = 0; i < x->turn.n; i++)
		if (x->turn.p[i]->kind == EFFECT_START)
			*VEC_PUSH(&starts) = x->turn.p[i];
	if (starts.n)
		qsort(starts.p, starts.n, sizeof *starts.p, older_first);
	for (size_t i = 0; i < starts.n; i++)
		carry_out(x, starts.p[i]);
	VEC_FREE(&starts);
	for (size_t i = 0; i < x->turn.n; i++)
		if (x->turn.p[i]->kind != EFFECT_START)
			carry_out(x, x->turn.p[i]);
}

static void
keep_memo(struct sim *x, const struct effect *ef)
{
	struct sim_memo *m = ARENA_NEW(x->arena, struct sim_memo);
	struct val *v = ARENA_NEW(x->arena, struct val);
	if (was_hit(ef->memo))
		return;
	*v = ef->outputs ? val_copy(x->arena, ef->outputs) : val_null();
	*m = (struct sim_memo){ ef->outputs ? v : NULL, x->now };
	map_put(&x->kept, memo_id(x, ef->memo), m);
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

static void
save_row(struct sim *x, const struct node *n)
{
	while (x->saved.rows.n <= node_order(n))
		*VEC_PUSH(&x->saved.rows) = STR_NONE;
	struct val v = node_save(n, x->tmp);
	str row = json_write(x->arena, &v);
	x->saved.rows_changed |= !str_eq(row, x->saved.rows.p[node_order(n)]);
	x->saved.rows.p[node_order(n)] = row;
}

static void
commit(struct sim *x)
{
	x->saved.rows_changed = false;
	for (size_t i = 0; i < x->turn.n; i++) {
		if (x->turn.p[i]->kind == EFFECT_SAVE)
			save_row(x, x->turn.p[i]->node);
		if (x->turn.p[i]->kind == EFFECT_MEMO)
			keep_memo(x, x->turn.p[i]);
		if (x->turn.p[i]->kind == EFFECT_START)
			(void)map_del(&x->kills, x->turn.p[i]->node_id);
		if (x->turn.p[i]->kind == EFFECT_KILL)
			map_put(&x->kills, arena_dup(x->arena, x->turn.p[i]->node_id), x);
	}
	if (!x->saved.spec.p || x->saved.spec_version != run_spec_version(x->run)) {
		struct val v = run_save_spec(x->run, x->tmp);
		x->saved.spec = json_write(x->arena, &v);
		x->saved.spec_version = run_spec_version(x->run);
	}
	struct val v = run_save_state(x->run, x->tmp);
	x->saved.state = json_write(x->arena, &v);
}

static struct val
reread(struct sim *x, str json)
{
	struct err e;
	struct val v;
	if (json_read(x->arena, json, &v, &e)) {
		fprintf(stderr, "a row is not JSON: %s\n", e.msg);
		exit(1);
	}
	return v;
}

/* Everything in memory goes; what was saved comes back. */
static void
load(struct sim *x)
{
	struct err e;
	struct val state = reread(x, x->saved.state), spec = reread(x, x->saved.spec);
	const struct val **nodes = ARENA_ARRAY(x->arena, const struct val *, x->saved.rows.n);
	for (size_t i = 0; i < x->saved.rows.n; i++) {
		struct val *v = ARENA_NEW(x->arena, struct val);
		*v = reread(x, x->saved.rows.p[i]);
		nodes[i] = v;
	}
	run_free(x->run);
	if (run_load(&x->run, &spec, &state, nodes, x->saved.rows.n, &x->world, &e)) {
		fprintf(stderr, "not loaded: %s\n", e.msg);
		exit(1);
	}
	x->saved.spec_version = run_spec_version(x->run);
}

/* ---- stimuli ------------------------------------------------------------------------------------------------------
 */

static void
run_once(struct sim *x, const struct stimulus *s)
{
	struct effect *effects;
	run_advance(x->run, s, x->tmp, &effects);
	for (const struct effect *ef = effects; ef; ef = ef->next)
		if (!sim_locks_take(x, ef))
			*VEC_PUSH(&x->turn) = ef;
	x->stimuli++;
}

/* A stimulus (or none) and the news of locks that come of it are one turn of the loop. */
static void
decide(struct sim *x, const struct stimulus *s)
{
	struct stimulus news;
	x->turn.n = 0;
	if (s)
		run_once(x, s);
	while (sim_locks_news(x, &news))
		run_once(x, &news);
}

static void
advance(struct sim *x, const struct stimulus *s, bool carried_out)
{
	decide(x, s);
	commit(x);
	if (s && s->kind == STIM_TASK_DONE && map_del(&x->running, s->node_id))
		x->now_running--;
	if (s && s->kind == STIM_GO_ON && !x->saved.rows_changed)
		carried_out = true;
	if (carried_out)
		carry_out_all(x);
	arena_reset(x->tmp);
}

/* The process begins again. Timers are gone: the run must ask for them anew. */
static void
restart(struct sim *x)
{
	load(x);
	sim_locks_refill(x);
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&x->kills, &i));) /* a row says so, until the end was seen (engine/kill.c) */
		kill_task(x, slot->key);
	for (size_t i = 0; i < x->events.n; i++)
		if (x->events.p[i].timer)
			x->events.p[i].gone = true;
	struct stimulus s = { .kind = STIM_START, .now = x->now };
	advance(x, &s, true);
}

/* It dies before the commit: nobody will ever know what was decided. */
static void
lose(struct sim *x, const struct stimulus *s)
{
	sim_locks_commit(x);
	decide(x, s);
	sim_locks_lose(x);
	arena_reset(x->tmp);
	restart(x);
}

/* What was left of it. Where no row changed by that, dying there again and again would lead nowhere. */
static void
go_on(struct sim *x)
{
	const struct stimulus s = { .kind = STIM_GO_ON, .now = x->now };
	while (run_busy(x->run)) {
		x->stimuli--; /* they are not counted */
		advance(x, &s, x->crash != CRASH_COMMITTED);
		if (x->crash != CRASH_NONE && x->saved.rows_changed)
			restart(x);
	}
}

static void
stimulate(struct sim *x, const struct stimulus *s)
{
	if (x->crash == CRASH_BEFORE && x->saved.state.p)
		lose(x, s);
	advance(x, s, x->crash != CRASH_COMMITTED);
	if (x->crash == CRASH_COMMITTED || x->crash == CRASH_CARRIED_OUT)
		restart(x);
	go_on(x);
}

/* ---- playing ------------------------------------------------------------------------------------------------------
 */

/* By time; of one time timers come last and in the order of their nodes, since a crash asks for them anew, and then who only looks. */
static bool
before(const struct sim_event *a, const struct sim_event *b)
{
	if (a->at != b->at)
		return a->at < b->at;
	if ((a->look != NULL) != (b->look != NULL))
		return b->look != NULL;
	if (a->timer != b->timer)
		return b->timer;
	return a->rank != b->rank ? a->rank < b->rank : a->order < b->order;
}

static struct sim_event *
first_event(struct sim *x)
{
	struct sim_event *first = NULL;
	size_t kept = 0;
	for (size_t i = 0; i < x->events.n; i++)
		if (!x->events.p[i].gone)
			x->events.p[kept++] = x->events.p[i];
	x->events.n = kept;
	for (size_t i = 0; i < x->events.n; i++) {
		struct sim_event *ev = &x->events.p[i];
		if (!first || before(ev, first))
			first = ev;
	}
	return first;
}

static struct kvs
pairs(struct sim *x, const struct val *map)
{
	struct kvs out = { ARENA_ARRAY(x->arena, struct kv, map ? map->n : 0), 0 };
	for (uint32_t i = 0; val_is(map, VAL_MAP) && i < map->n; i++)
		out.p[out.n++] = (struct kv){ val_key(&map->members[i]), sim_text(x, &map->members[i].value) };
	return out;
}

static void
add_verbs(struct sim *x)
{
	static const struct {
		const char *name;
		enum stimulus_kind kind;
	} kinds[] = { { "suspend", STIM_SUSPEND }, { "resume", STIM_RESUME }, { "stop", STIM_STOP },
		{ "terminate", STIM_TERMINATE }, { "retry", STIM_RETRY }, { "set", STIM_SET } };
	const struct val *verbs = val_get(x->scenario, S("verbs"));
	for (uint32_t i = 0; val_is(verbs, VAL_LIST) && i < verbs->n; i++) {
		const struct val *v = &verbs->items[i];
		struct verb_options *o = ARENA_NEW(x->arena, struct verb_options);
		o->node_field_selector = sim_field(x, v, "selector");
		o->message = sim_field(x, v, "message");
		o->phase = sim_field(x, v, "phase");
		o->output_parameters = pairs(x, val_get(v, S("outputs")));
		o->parameters = pairs(x, val_get(v, S("parameters")));
		o->restart_successful = sim_number(v, "restartSuccessful", 0) != 0;
		o->memoized = str_eq(sim_field(x, v, "do"), S("resubmit-memoized"));
		struct sim_event *ev = add_event(x, x->began + sim_number(v, "at", 0) * NS_PER_SEC);
		ev->s.verb = o;
		ev->refused = sim_field(x, v, "refused");
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if (str_eq(sim_field(x, v, "do"), str_c(kinds[k].name)))
				ev->s.kind = kinds[k].kind;
	}
}

static void
add_looks(struct sim *x)
{
	const struct val *looks = val_get(x->scenario, S("meanwhile"));
	for (uint32_t i = 0; x->look && val_is(looks, VAL_LIST) && i < looks->n; i++)
		add_event(x, x->began + sim_number(&looks->items[i], "at", 0) * NS_PER_SEC)->look = &looks->items[i];
}

/* Whether the verb may be applied; a scenario says which may not. */
static bool
allowed(struct sim *x, const struct sim_event *ev)
{
	struct err e;
	int rc = run_verb_check(x->run, ev->s.kind, ev->s.verb, &e);
	if ((rc != 0) != (ev->refused.p != NULL) || (rc && str_find(str_c(e.msg), ev->refused, 0) == SIZE_MAX))
		buf_addf(&x->why, "  a verb was %s: %s\n", rc ? "refused" : "not refused", rc ? e.msg : "");
	return !rc;
}

static const struct val *
complete(struct sim *x, const struct val *workflow)
{
	const struct val *meta = val_get(workflow, S("metadata"));
	struct val name = val_str(S("wf")), ns = val_str(S("default")), uid = val_str(S("uid-1")),
		   created = val_str(time_rfc3339(x->arena, x->began));
	if (!val_get(meta, S("name")))
		meta = val_set(x->arena, meta, S("name"), &name);
	if (!val_get(meta, S("namespace")))
		meta = val_set(x->arena, meta, S("namespace"), &ns);
	meta = val_set(x->arena, meta, S("uid"), &uid);
	meta = val_set(x->arena, meta, S("creationTimestamp"), &created);
	return val_set(x->arena, workflow, S("metadata"), meta);
}

/* Goes on with a new workflow, to which the old one's good results were taken along. */
static void
resubmit(struct sim *x)
{
	struct err e;
	struct run *old = x->run;
	struct val name = val_str(S("again"));
	const struct val *manifest = complete(x, doc_named(x, "Workflow", STR_NONE));
	const struct val *meta = val_set(x->arena, val_get(manifest, S("metadata")), S("name"), &name);
	if (run_memoized(&x->run, old, val_set(x->arena, manifest, S("metadata"), meta), &x->world, x->now, &e)) {
		buf_addf(&x->why, "  not resubmitted: %s\n", e.msg);
		return;
	}
	run_free(old);
	VEC_FREE(&x->saved.rows);
	x->saved = (struct saved){ 0 };
	struct stimulus s = { .kind = STIM_START, .now = x->now };
	stimulate(x, &s);
}

static void
play_event(struct sim *x, struct sim_event *first)
{
	struct sim_event ev = *first;
	first->gone = true;
	x->now = ev.at > x->now ? ev.at : x->now;
	ev.s.now = x->now;
	if (ev.look) {
		x->look(x, ev.look);
		return;
	}
	if (ev.s.verb && ev.s.verb->memoized) {
		resubmit(x);
		return;
	}
	if (ev.s.verb && !allowed(x, &ev))
		return;
	if (ev.lock) {
		sim_locks_play(x, ev.lock);
		stimulate(x, NULL);
		return;
	}
	if (ev.s.kind == STIM_TASK_CHANGED)
		ev.s.result = &ev.result;
	if (ev.s.kind == STIM_TASK_DONE) {
		ev.s.result = &ev.result;
		note(x, "end", ev.name, STR_NONE);
	}
	stimulate(x, &ev.s);
	if (ev.s.kind == STIM_TASK_DONE)
		(void)map_del(&x->kills, ev.s.node_id);
}

static void
play(struct sim *x)
{
	struct stimulus s = { .kind = STIM_START, .now = x->now };
	stimulate(x, &s);
	add_verbs(x);
	add_looks(x);
	struct sim_event *ev;
	while ((ev = first_event(x)) && x->stimuli < STIMULI_MAX)
		play_event(x, ev);
}

static bool
valid(struct sim *x, const struct val *workflow)
{
	struct diags d;
	diags_init(&d);
	workflow_validate(workflow, VALIDATE_SUBMIT, &x->world, S("default"), &d);
	for (size_t i = 0; i < d.v.n; i++)
		if (d.v.p[i].level == DIAG_ERROR)
			buf_addf(&x->why, "%.*s: %.*s\n", STR_ARG(d.v.p[i].path), STR_ARG(d.v.p[i].text));
	diags_free(&d);
	return !x->why.n;
}

bool
sim_play(struct sim *x)
{
	struct err e;
	str refused = sim_field(x, val_get(x->scenario, S("expect")), "refused");
	const struct val *workflow = doc_named(x, "Workflow", STR_NONE);
	if (!workflow) {
		buf_addf(&x->why, "  there is no Workflow in the file\n");
		return false;
	}
	x->world = (struct run_world){ template_spec, config_map, x, .memo = memo, .config_map_object = config_map_object,
		.artifact_repository = val_get(x->scenario, S("artifactRepository")),
		.limits = { .calls = (size_t)sim_number(x->scenario, "calls", (int64_t)sim_calls), .nodes = (size_t)sim_number(x->scenario, "workflowNodes", 0) } };
	if (x->validated && !valid(x, workflow))
		return false;
	if (run_new(&x->run, complete(x, workflow), &x->world, &e)) {
		if (!refused.p || str_find(str_c(e.msg), refused, 0) == SIZE_MAX)
			buf_addf(&x->why, "  refused: %s\n", e.msg);
		return false;
	}
	if (refused.p)
		buf_addf(&x->why, "  not refused\n");
	sim_locks_init(x);
	play(x);
	return true;
}

void
sim_init(struct sim *x, const struct val *const *docs, size_t n, enum crash crash)
{
	*x = (struct sim){ .arena = arena_new(),
		.tmp = arena_new(),
		.scenario = docs[0],
		.docs = docs,
		.docs_n = n,
		.metrics = custom_metrics_new(0),
		.crash = crash,
		.began = SIM_EPOCH,
		.now = SIM_EPOCH };
}

void
sim_free(struct sim *x)
{
	buf_free(&x->why);
	run_free(x->run);
	custom_metrics_free(x->metrics);
	sim_locks_free(x);
	VEC_FREE(&x->turn);
	map_free(&x->starts);
	map_free(&x->kept);
	map_free(&x->used);
	map_free(&x->running);
	map_free(&x->kills);
	VEC_FREE(&x->events);
	VEC_FREE(&x->notes);
	VEC_FREE(&x->saved.rows);
	arena_free(x->arena);
	arena_free(x->tmp);
}
