/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * runner: plays scenarios against the pure core of the engine, with a simulated executor and virtual time.
 *
 *     runner [--crash-at-every-stimulus] [--print] FILE.yaml...
 *
 * A file's first document is the scenario, the others are the objects: one Workflow, and what it refers to.
 *
 *     steps:                       # what a step's command comes to; the first rule that fits
 *     - node: "@[0].A"             # a node's name (@: the workflow's), its display name, or "*"
 *       exit: 1                    # and: phase: Error, message, seconds (1), delay (0: before it starts), result,
 *       times: 2                   #   parameters: {p: x}, progress: 1/2; times: so often for each node
 *     verbs:                       # what people do, seconds after the start
 *     - {at: 3, do: stop}          # suspend resume stop terminate retry set; selector, message, phase, outputs,
 *                                  #   parameters, restartSuccessful; refused: part of the reason
 *     expect:
 *       phase: Failed
 *       message: child '@[0].A' failed      # ids are written as the names of their nodes
 *       nodes:                     # every node there is; what is left out of one is not compared, but for its message
 *       - {name: "@", type: Steps, phase: Failed, display: ..., boundary: ..., template: ..., scope: ...,
 *          children: [...], outbound: [...], inputs: {}, outputs: {}, progress: 1/2}
 *       outputs: {p: x}            # of the workflow
 *       starts: {A: 2}             # how often a step was started, by display name
 *       most: 2                    # the most steps that ran side by side
 *       seconds: 7                 # from start to end
 *       refused: text              # the workflow cannot be made: part of the reason
 *
 * With --crash-at-every-stimulus the run is dropped after each stimulus and read back from the rows that its effects
 * asked to save; the end must be the same.
 */
/* clang-format on */
#include "core/map.h"
#include "engine/engine.h"
#include "engine/run.h"

#include <errno.h>

static const int64_t EPOCH = INT64_C(1767225600) * NS_PER_SEC; /* 2026-01-01T00:00:00Z */
enum { STIMULI_MAX = 2000000 };

/* ---- the world ------------------------------------------------------------------------------------------------- */

struct sim_event {
	int64_t at;
	uint64_t order;
	struct stimulus s;
	struct task_result result;
	str verb;
	bool timer, started, gone;
};
struct row {
	str json;
	bool set;
};
struct sim {
	struct arena *arena, *tmp;
	const struct val *scenario, **docs;
	size_t docs_n;
	struct run *run;
	struct run_world world;
	bool crash;
	VEC(struct sim_event) events;
	VEC(struct row) rows;
	str spec;
	unsigned spec_version;
	bool spec_saved;
	struct map starts, used, running; /* display name -> count; rule -> count; node id -> itself */
	size_t now_running, most;
	int64_t now;
	uint64_t order, stimuli;
	struct buf why;
};

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

static int
config_map(void *arg, str ns, str name, str key, str *out, struct err *e)
{
	(void)ns;
	*out = val_get_str(
		val_get(doc_named(arg, "ConfigMap", name), S("data")), str_z(((struct sim *)arg)->arena, key));
	return out->p ? 0 : err_set(e, ERR_NOT_FOUND, "configmaps \"%.*s\" not found", STR_ARG(name));
}

/* ---- counting -------------------------------------------------------------------------------------------------- */

static size_t
count(struct sim *x, struct map *m, str key, size_t add)
{
	size_t n = (size_t)(uintptr_t)map_get(m, key) + add;
	if (add)
		map_put(m, arena_dup(x->arena, key), (void *)(uintptr_t)n);
	return n;
}

static int64_t
number(const struct val *map, const char *key, int64_t dflt)
{
	int64_t v;
	const struct val *x = val_get(map, str_c(key));
	return x && val_to_i64(x, &v) ? v : dflt;
}

static str
text(struct sim *x, const struct val *v)
{
	struct val plain = v ? val_resolve(v) : val_null();
	return !v ? STR_NONE : plain.kind == VAL_STR ? val_text(&plain) : json_write(x->arena, &plain);
}

static str
field(struct sim *x, const struct val *map, const char *key)
{
	return text(x, val_get(map, str_c(key)));
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

static const struct val *
rule_for(struct sim *x, str name, str display)
{
	const struct val *rules = val_get(x->scenario, S("steps"));
	for (uint32_t i = 0; val_is(rules, VAL_LIST) && i < rules->n; i++) {
		const struct val *rule = &rules->items[i];
		str node = field(x, rule, "node"), key = arena_fmt(x->arena, "%u %.*s", i, STR_ARG(name));
		if (!str_eq(node, S("*")) && !str_eq(node, display) && !str_eq(full(x, node), name))
			continue;
		if (count(x, &x->used, key, 0) >= (size_t)number(rule, "times", INT32_MAX))
			continue;
		count(x, &x->used, key, 1);
		return rule;
	}
	return NULL;
}

static struct task_result
outcome(struct sim *x, const struct val *rule, bool capture)
{
	struct task_result t = { .exit_code = (int)number(rule, "exit", 0) };
	str phase = field(x, rule, "phase"), message = field(x, rule, "message"), result = field(x, rule, "result");
	t.phase = t.exit_code ? PHASE_FAILED : PHASE_SUCCEEDED;
	if (str_eq(phase, S("Error")))
		t.phase = PHASE_ERROR;
	t.message = message.p     ? message
		    : t.exit_code ? arena_fmt(x->arena, "main: Error (exit code %d)", t.exit_code)
				  : S("");
	if (capture)
		t.result = result.p ? arena_fmt(x->arena, "%.*s\n", STR_ARG(result)) : S("");
	t.progress = field(x, rule, "progress");
	const struct val *p = val_get(rule, S("parameters"));
	t.parameters.p = ARENA_ARRAY(x->arena, struct kv, p ? p->n : 0);
	for (uint32_t i = 0; val_is(p, VAL_MAP) && i < p->n; i++)
		t.parameters.p[t.parameters.n++] =
			(struct kv){ val_key(&p->members[i]), text(x, &p->members[i].value) };
	return t;
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
	const struct val *rule = rule_for(x, name, display);
	map_put(&x->running, id, x);
	count(x, &x->starts, display, 1);
	if (++x->now_running > x->most)
		x->most = x->now_running;
	if (!ef->task || !ef->task->tmpl || !(ef->task->tmpl->container || ef->task->tmpl->script))
		buf_addf(&x->why, "  started without a container: %.*s\n", STR_ARG(name));
	struct sim_event *ev = add_event(x, x->now + number(rule, "delay", 0) * NS_PER_SEC);
	ev->s = (struct stimulus){ .kind = STIM_TASK_STARTED, .node_id = id };
	struct task_result t = outcome(x, rule, ef->task && ef->task->capture_result);
	ev = add_event(x, x->now + (number(rule, "delay", 0) + number(rule, "seconds", 1)) * NS_PER_SEC);
	ev->s = (struct stimulus){ .kind = STIM_TASK_DONE, .node_id = id };
	ev->result = t;
}

static void
kill_task(struct sim *x, str id)
{
	for (size_t i = 0; i < x->events.n; i++) {
		struct sim_event *ev = &x->events.p[i];
		if (ev->gone || !str_eq(ev->s.node_id, id) || ev->s.kind != STIM_TASK_DONE)
			continue;
		ev->at = x->now + NS_PER_SEC;
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
	ev->s = (struct stimulus){ .kind = STIM_TIMER, .node_id = arena_dup(x->arena, id) };
}

static void
save_row(struct sim *x, const struct node *n)
{
	while (x->rows.n <= node_order(n))
		(void)VEC_PUSH(&x->rows);
	struct val v = node_save(n, x->tmp);
	x->rows.p[node_order(n)] = (struct row){ json_write(x->arena, &v), true };
}

static void
apply(struct sim *x, const struct effect *ef)
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
	case EFFECT_SAVE:
		save_row(x, ef->node);
		break;
	case EFFECT_FINISHED:
		break;
	}
}

static void
advance(struct sim *x, const struct stimulus *s)
{
	struct effect *effects;
	run_advance(x->run, s, x->tmp, &effects);
	for (const struct effect *ef = effects; ef; ef = ef->next)
		apply(x, ef);
	if (!x->spec_saved || x->spec_version != run_spec_version(x->run)) {
		struct val v = run_save_spec(x->run, x->arena);
		x->spec = json_write(x->arena, &v);
		x->spec_version = run_spec_version(x->run);
		x->spec_saved = true;
	}
	arena_reset(x->tmp);
	x->stimuli++;
}

/* ---- a crash ----------------------------------------------------------------------------------------------------- */

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

/* Everything in memory goes; what was saved comes back. Timers are gone too: the run must ask for them again. */
static void
crash(struct sim *x)
{
	struct err e;
	struct val state = run_save_state(x->run, x->arena), spec = reread(x, x->spec);
	state = reread(x, json_write(x->arena, &state));
	const struct val **nodes = ARENA_ARRAY(x->arena, const struct val *, x->rows.n);
	for (size_t i = 0; i < x->rows.n; i++) {
		struct val *v = ARENA_NEW(x->arena, struct val);
		*v = reread(x, x->rows.p[i].json);
		nodes[i] = v;
	}
	run_free(x->run);
	if (run_load(&x->run, &spec, &state, nodes, x->rows.n, &x->world, &e)) {
		fprintf(stderr, "not loaded: %s\n", e.msg);
		exit(1);
	}
	x->spec_version = run_spec_version(x->run);
	for (size_t i = 0; i < x->events.n; i++)
		if (x->events.p[i].timer)
			x->events.p[i].gone = true;
	struct stimulus s = { .kind = STIM_START, .now = x->now };
	advance(x, &s);
}

/* ---- playing -------------------------------------------------------------------------------------------------------
 */

/* By time; of one time timers come last, since a crash asks for them anew. */
static bool
before(const struct sim_event *a, const struct sim_event *b)
{
	if (a->at != b->at)
		return a->at < b->at;
	return a->timer != b->timer ? b->timer : a->order < b->order;
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
		out.p[out.n++] = (struct kv){ val_key(&map->members[i]), text(x, &map->members[i].value) };
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
		o->node_field_selector = field(x, v, "selector");
		o->message = field(x, v, "message");
		o->phase = field(x, v, "phase");
		o->output_parameters = pairs(x, val_get(v, S("outputs")));
		o->parameters = pairs(x, val_get(v, S("parameters")));
		o->restart_successful = number(v, "restartSuccessful", 0) != 0;
		struct sim_event *ev = add_event(x, EPOCH + number(v, "at", 0) * NS_PER_SEC);
		ev->s.verb = o;
		ev->verb = field(x, v, "refused");
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if (str_eq(field(x, v, "do"), str_c(kinds[k].name)))
				ev->s.kind = kinds[k].kind;
	}
}

static void
play_event(struct sim *x, struct sim_event *first)
{
	struct sim_event ev = *first;
	first->gone = true;
	x->now = ev.at > x->now ? ev.at : x->now;
	ev.s.now = x->now;
	if (ev.s.kind == STIM_TASK_DONE) {
		ev.s.result = &ev.result;
		if (map_del(&x->running, ev.s.node_id))
			x->now_running--;
	}
	if (ev.s.verb) {
		struct err e;
		int rc = run_verb_check(x->run, ev.s.kind, ev.s.verb, &e);
		if ((rc != 0) != (ev.verb.p != NULL) || (rc && str_find(str_c(e.msg), ev.verb, 0) == SIZE_MAX))
			buf_addf(&x->why, "  a verb was %s: %s\n", rc ? "refused" : "not refused", rc ? e.msg : "");
		if (rc)
			return;
	}
	advance(x, &ev.s);
	if (x->crash)
		crash(x);
}

static void
play(struct sim *x)
{
	struct stimulus s = { .kind = STIM_START, .now = x->now };
	advance(x, &s);
	if (x->crash)
		crash(x);
	add_verbs(x);
	struct sim_event *ev;
	while ((ev = first_event(x)) && x->stimuli < STIMULI_MAX)
		play_event(x, ev);
}

/* ---- comparing ------------------------------------------------------------------------------------------------------
 */

/* Ids as names, the workflow's name as @. */
static str
plain(struct sim *x, str s)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	str wf = run_name(x->run);
	for (size_t i = 0; i < s.n;) {
		if (!str_starts(str_slice(s, i, s.n), wf)) {
			buf_addc(&b, s.p[i++]);
			continue;
		}
		size_t end = i + wf.n;
		if (end < s.n && s.p[end] == '-')
			for (end++; end < s.n && s.p[end] >= '0' && s.p[end] <= '9'; end++)
				;
		struct node *n = end > i + wf.n + 1 ? run_node(x->run, str_slice(s, i, end)) : NULL;
		if (n) {
			struct val v = node_status(n, x->arena);
			buf_add(&b, plain(x, val_get_str(&v, "name")));
			i = end;
		} else {
			buf_addc(&b, '@');
			i += wf.n;
		}
	}
	return arena_dup(x->arena, buf_str(&b));
}

static void
differ(struct sim *x, str where, const char *what, str want, str is)
{
	if (str_eq(want, is) || (!want.n && !is.n))
		return;
	buf_addf(&x->why, "  %.*s: %s: expected %.*s, is %.*s\n", STR_ARG(where), what, STR_ARG(want), STR_ARG(is));
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(((const str *)a)->p, ((const str *)b)->p);
}

static str
joined(struct sim *x, const struct val *list, bool ids)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t n = val_is(list, VAL_LIST) ? list->n : 0;
	str *names = ARENA_ARRAY(x->arena, str, n);
	for (size_t i = 0; i < n; i++)
		names[i] = ids ? plain(x, val_text(&list->items[i])) : arena_dup(x->arena, text(x, &list->items[i]));
	qsort(names, n, sizeof *names, by_text);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%.*s", i ? ", " : "", STR_ARG(names[i]));
	return arena_dup(x->arena, buf_str(&b));
}

static void
compare_values(struct sim *x, str name, const char *what, const struct val *want, const struct val *is)
{
	const struct val *list = val_get(is, S("parameters"));
	for (uint32_t i = 0; val_is(want, VAL_MAP) && i < want->n; i++) {
		str key = val_key(&want->members[i]), got = STR_NONE;
		for (uint32_t k = 0; val_is(list, VAL_LIST) && k < list->n; k++)
			if (str_eq(val_get_str(&list->items[k], "name"), key))
				got = val_get_str(&list->items[k], "value");
		if (!got.p)
			got = val_get_str(is, str_z(x->arena, key));
		differ(x, name, arena_fmt(x->arena, "%s.%.*s", what, STR_ARG(key)).p, text(x, &want->members[i].value),
			plain(x, got.p ? got : S("(absent)")));
	}
}

static void
compare_node(struct sim *x, const struct val *want, const struct val *is)
{
	str name = field(x, want, "name");
	differ(x, name, "type", field(x, want, "type"), val_get_str(is, "type"));
	differ(x, name, "phase", field(x, want, "phase"), val_get_str(is, "phase"));
	differ(x, name, "message", field(x, want, "message"), plain(x, val_get_str(is, "message")));
	if (val_get(want, S("display")))
		differ(x, name, "displayName", field(x, want, "display"), plain(x, val_get_str(is, "displayName")));
	if (val_get(want, S("boundary")))
		differ(x, name, "boundary", field(x, want, "boundary"), plain(x, val_get_str(is, "boundaryID")));
	if (val_get(want, S("template")))
		differ(x, name, "templateName", field(x, want, "template"), val_get_str(is, "templateName"));
	if (val_get(want, S("scope")))
		differ(x, name, "templateScope", field(x, want, "scope"), plain(x, val_get_str(is, "templateScope")));
	if (val_get(want, S("progress")))
		differ(x, name, "progress", field(x, want, "progress"), val_get_str(is, "progress"));
	if (val_get(want, S("children")))
		differ(x, name, "children", joined(x, val_get(want, S("children")), false),
			joined(x, val_get(is, S("children")), true));
	if (val_get(want, S("outbound")))
		differ(x, name, "outboundNodes", joined(x, val_get(want, S("outbound")), false),
			joined(x, val_get(is, S("outboundNodes")), true));
	compare_values(x, name, "inputs", val_get(want, S("inputs")), val_get(is, S("inputs")));
	compare_values(x, name, "outputs", val_get(want, S("outputs")), val_get(is, S("outputs")));
	if (!str_eq(val_get_str(is, "startedAt"), STR_NONE) && val_get_str(is, "finishedAt").p &&
		str_cmp(val_get_str(is, "startedAt"), val_get_str(is, "finishedAt")) > 0)
		buf_addf(&x->why, "  %.*s: ends before it starts\n", STR_ARG(name));
}

static const struct val *
wanted(struct sim *x, const struct val *list, str name)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (str_eq(field(x, &list->items[i], "name"), name))
			return &list->items[i];
	return NULL;
}

static void
compare_nodes(struct sim *x, const struct val *want, const struct val *nodes)
{
	size_t n = val_is(nodes, VAL_MAP) ? nodes->n : 0;
	for (size_t i = 0; i < n; i++) {
		str name = plain(x, val_get_str(&nodes->members[i].value, "name"));
		const struct val *w = wanted(x, want, name);
		if (w)
			compare_node(x, w, &nodes->members[i].value);
		else
			buf_addf(&x->why, "  %.*s: is there, %.*s %.*s: %.*s\n", STR_ARG(name),
				STR_ARG(val_get_str(&nodes->members[i].value, "type")),
				STR_ARG(val_get_str(&nodes->members[i].value, "phase")),
				STR_ARG(val_get_str(&nodes->members[i].value, "message")));
	}
	for (uint32_t i = 0; val_is(want, VAL_LIST) && i < want->n; i++) {
		str name = field(x, &want->items[i], "name");
		bool there = false;
		for (size_t k = 0; k < n; k++)
			there |= str_eq(plain(x, val_get_str(&nodes->members[k].value, "name")), name);
		if (!there)
			buf_addf(&x->why, "  %.*s: is missing\n", STR_ARG(name));
	}
}

static void
compare(struct sim *x)
{
	const struct val *expect = val_get(x->scenario, S("expect")), *starts = val_get(expect, S("starts"));
	struct val w = run_workflow(x->run, x->arena);
	const struct val *status = val_get(&w, S("status"));
	differ(x, S("workflow"), "phase", field(x, expect, "phase"), val_get_str(status, "phase"));
	differ(x, S("workflow"), "message", field(x, expect, "message"), plain(x, val_get_str(status, "message")));
	if (val_get(expect, S("nodes")))
		compare_nodes(x, val_get(expect, S("nodes")), val_get(status, S("nodes")));
	compare_values(x, S("workflow"), "outputs", val_get(expect, S("outputs")), val_get(status, S("outputs")));
	if (val_get(expect, S("progress")))
		differ(x, S("workflow"), "progress", field(x, expect, "progress"), val_get_str(status, "progress"));
	for (uint32_t i = 0; val_is(starts, VAL_MAP) && i < starts->n; i++)
		differ(x, val_key(&starts->members[i]), "starts", text(x, &starts->members[i].value),
			arena_fmt(x->arena, "%zu", count(x, &x->starts, val_key(&starts->members[i]), 0)));
	if (val_get(expect, S("most")))
		differ(x, S("workflow"), "most side by side", field(x, expect, "most"),
			arena_fmt(x->arena, "%zu", x->most));
	int64_t began = 0, ended = 0;
	struct err e;
	if (val_get(expect, S("seconds")) && !time_parse_rfc3339(val_get_str(status, "startedAt"), &began, &e) &&
		!time_parse_rfc3339(val_get_str(status, "finishedAt"), &ended, &e))
		differ(x, S("workflow"), "seconds", field(x, expect, "seconds"),
			arena_fmt(x->arena, "%lld", (long long)((ended - began) / NS_PER_SEC)));
}

/* ---- a file ---------------------------------------------------------------------------------------------------------
 */

static str
read_file(struct arena *a, const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t n;
	while ((n = fread(buf_room(&b, 65536), 1, 65536, f)))
		b.n += n;
	fclose(f);
	return arena_dup(a, buf_str(&b));
}

static const struct val *
complete(struct sim *x, const struct val *workflow)
{
	const struct val *meta = val_get(workflow, S("metadata"));
	struct val name = val_str(S("wf")), ns = val_str(S("default")), uid = val_str(S("uid-1")),
		   created = val_str(S("2026-01-01T00:00:00Z"));
	if (!val_get(meta, S("name")))
		meta = val_set(x->arena, meta, S("name"), &name);
	if (!val_get(meta, S("namespace")))
		meta = val_set(x->arena, meta, S("namespace"), &ns);
	meta = val_set(x->arena, meta, S("uid"), &uid);
	meta = val_set(x->arena, meta, S("creationTimestamp"), &created);
	return val_set(x->arena, workflow, S("metadata"), meta);
}

static bool
begin(struct sim *x)
{
	struct err e;
	str refused = field(x, val_get(x->scenario, S("expect")), "refused");
	const struct val *workflow = doc_named(x, "Workflow", STR_NONE);
	if (!workflow) {
		buf_addf(&x->why, "  there is no Workflow in the file\n");
		return false;
	}
	x->world = (struct run_world){ template_spec, config_map, x };
	if (run_new(&x->run, complete(x, workflow), &x->world, &e)) {
		if (!refused.p || str_find(str_c(e.msg), refused, 0) == SIZE_MAX)
			buf_addf(&x->why, "  refused: %s\n", e.msg);
		return false;
	}
	if (refused.p)
		buf_addf(&x->why, "  not refused\n");
	return true;
}

static bool
run_file(const char *path, bool with_crashes, bool print)
{
	struct sim x = { .arena = arena_new(), .tmp = arena_new(), .crash = with_crashes, .now = EPOCH };
	struct diags d;
	struct val *docs;
	diags_init(&d);
	if (yaml_read_all(x.arena, str_c(path), read_file(x.arena, path), NULL, &docs, &x.docs_n, &d) || x.docs_n < 2) {
		diags_print(&d, stderr, 0);
		exit(2);
	}
	x.docs = ARENA_ARRAY(x.arena, const struct val *, x.docs_n);
	for (size_t i = 0; i < x.docs_n; i++)
		x.docs[i] = &docs[i];
	x.scenario = x.docs[0];
	if (begin(&x)) {
		play(&x);
		compare(&x);
		if (print) {
			struct val w = run_workflow(x.run, x.arena);
			struct buf b CLEANUP(free_buf) = { 0 };
			json_write_opts(&b, &w, JSON_INDENT);
			printf("%.*s\n", STR_ARG(buf_str(&b)));
		}
	}
	bool ok = !x.why.n;
	if (!ok)
		printf("FAILED %s%s\n%.*s", path, with_crashes ? " (with crashes)" : "", STR_ARG(buf_str(&x.why)));
	buf_free(&x.why);
	run_free(x.run);
	map_free(&x.starts);
	map_free(&x.used);
	map_free(&x.running);
	VEC_FREE(&x.events);
	VEC_FREE(&x.rows);
	diags_free(&d);
	arena_free(x.arena);
	arena_free(x.tmp);
	return ok;
}

int
main(int argc, char **argv)
{
	bool with_crashes = false, print = false;
	size_t passed = 0, failed = 0;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--crash-at-every-stimulus"))
			with_crashes = true;
		else if (!strcmp(argv[i], "--print"))
			print = true;
		else if (run_file(argv[i], with_crashes, print))
			passed++;
		else
			failed++;
	}
	printf("scenarios%s: %zu passed, %zu failed\n", with_crashes ? " with a crash at every stimulus" : "", passed,
		failed);
	return failed || !passed;
}
