/* SPDX-License-Identifier: Apache-2.0 */
/*
 * save: nodes and workflows as values, for the API and for the store, and back. A node's row is its status without the
 * lists that only grow (its children find it), and under "x" what Argo's status has no place for.
 */
#include "engine/run/run_impl.h"

/* ---- a node as Argo shows it ---------------------------------------------------------------------------------------
 */

static void
add_time(struct val_map *m, str key, int64_t ns, struct arena *a)
{
	if (ns)
		val_map_add(m, key, val_str(time_rfc3339(a, ns)));
}

static void
add_int(struct val_map *m, str key, int64_t v)
{
	if (v)
		val_map_add(m, key, val_int(v));
}

static void
add_ids(struct val_map *m, str key, struct node *const *nodes, size_t n, struct arena *a)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < n; i++)
		val_list_add(&list, val_str(nodes[i]->id));
	if (n)
		val_map_add(m, key, val_list_end(&list, a));
}

static void
add_flags(struct val_map *m, const struct node *n, struct arena *a)
{
	struct val_map flags = { 0 };
	if (!n->hooked && !n->retried)
		return;
	if (n->hooked)
		val_map_add(&flags, S("hooked"), val_bool(true));
	if (n->retried)
		val_map_add(&flags, S("retried"), val_bool(true));
	val_map_add(m, S("nodeFlag"), val_map_end(&flags, a));
}

/* What status and row have in common. */
static void
add_common(struct val_map *m, const struct node *n, struct arena *a)
{
	val_map_add(m, S("id"), val_str(n->id));
	val_map_add(m, S("name"), val_str(n->name));
	val_map_add(m, S("displayName"), val_str(n->display));
	val_map_add(m, S("type"), val_cstr(node_type_name(n->type)));
	val_map_add_str(m, S("templateName"), n->template_name);
	if (n->template_ref)
		val_map_add(m, S("templateRef"), *n->template_ref);
	val_map_add_str(m, S("templateScope"), n->template_scope);
	val_map_add(m, S("phase"), val_cstr(phase_name(n->phase)));
	if (n->daemoned)
		val_map_add(m, S("daemoned"), val_bool(true));
	val_map_add_str(m, S("podIP"), n->pod_ip);
	val_map_add_str(m, S("boundaryID"), n->boundary ? n->boundary->id : S(""));
	val_map_add_str(m, S("message"), n->message);
	add_time(m, S("startedAt"), n->started, a);
	add_time(m, S("finishedAt"), n->finished, a);
	add_int(m, S("estimatedDuration"), n->estimated);
	if (n->inputs)
		val_map_add(m, S("inputs"), *n->inputs);
	if (n->outputs)
		val_map_add(m, S("outputs"), *n->outputs);
	add_flags(m, n, a);
	if (n->memo)
		val_map_add(m, S("memoizationStatus"), *n->memo);
	add_ids(m, S("outboundNodes"), n->outbound.p, n->outbound.n, a);
}

struct val
node_status(const struct node *n, struct arena *a)
{
	struct val_map m = { 0 };
	add_common(&m, n, a);
	if (n->total)
		val_map_add(&m, S("progress"), val_str(arena_fmt(a, "%u/%u", n->done, n->total)));
	struct val used;
	if (usage_shown(n->usage, a, &used))
		val_map_add(&m, S("resourcesDuration"), used);
	add_ids(&m, S("children"), n->children.p, n->children.n, a);
	image_of_node(n, a, &m);
	if (n->type == NODE_POD)
		val_map_add(&m, S("hostNodeName"), val_str(S("localhost")));
	if (sync_waits(n) && n->lock->waiting.n) {
		struct val_map sync = { 0 };
		val_map_add(&sync, S("waiting"), val_str(n->lock->waiting));
		val_map_add(&m, S("synchronizationStatus"), val_map_end(&sync, a));
	}
	return val_map_end(&m, a);
}

/* ---- a node's row --------------------------------------------------------------------------------------------------
 */

/* Its times; those of a Retry node count while it waits for its locks. */
static void
add_limits(struct val_map *x, const struct node *n)
{
	add_int(x, S("deadline"), work_of(n)->deadline);
	add_int(x, S("limited"), work_of(n)->limited);
	add_int(x, S("active"), work_of(n)->active);
	add_int(x, S("pending"), work_of(n)->pending);
}

struct val
node_save(const struct node *n, struct arena *a)
{
	struct val_map m = { 0 }, x = { 0 };
	if (n->gone) {
		val_map_add(&m, S("gone"), val_bool(true));
		return val_map_end(&m, a);
	}
	add_common(&m, n, a);
	if (n->lock)
		val_map_add(&x, S("lock"), sync_save(n->lock, a));
	add_ids(&x, S("parents"), n->parents.p, n->parents.n, a);
	val_map_add_str(&x, S("owner"), n->owner ? n->owner->id : S(""));
	add_int(&x, S("role"), n->role);
	add_int(&x, S("slot"), n->slot);
	add_int(&x, S("exiting"), n->exiting);
	add_int(&x, S("bubbles"), n->bubbles);
	add_int(&x, S("done"), n->done);
	if (node_counts(n) || sync_waits(n))
		add_limits(&x, n);
	if (node_counts(n)) {
		add_int(&x, S("total"), n->total);
		add_int(&x, S("image"), n->image);
		add_int(&x, S("cpu"), n->usage.cpu);
		add_int(&x, S("memory"), n->usage.memory);
		add_int(&x, S("since"), work_of(n)->running_since);
		add_int(&x, S("capture"), work_of(n)->capture);
		add_int(&x, S("grace"), work_of(n)->grace);
		add_int(&x, S("daemon"), n->daemon);
		add_int(&x, S("ending"), n->ending);
		val_map_add_str(&x, S("pod"), n->pod);
		val_map_add_str(&x, S("template"), work_of(n)->template_name);
		if (n->labels)
			val_map_add(&x, S("labels"), *n->labels);
		if (n->body && (!phase_fulfilled(n->phase) || n->ending))
			val_map_add(&x, S("body"), *n->body);
	}
	val_map_add(&m, S("x"), val_map_end(&x, a));
	return val_map_end(&m, a);
}

static int64_t
get_int(const struct val *map, const char *key)
{
	int64_t v = 0;
	const struct val *x = val_get(map, str_c(key));
	return x && val_to_i64(x, &v) ? v : 0;
}

static int64_t
get_time(const struct val *map, const char *key)
{
	int64_t t;
	struct err ignored;
	return time_parse_rfc3339(val_get_str(map, key), &t, &ignored) ? 0 : t;
}

static bool
get_flag(const struct val *map, const char *dotted)
{
	const struct val *v = val_path(map, dotted);
	return val_is(v, VAL_BOOL) && v->b;
}

static str
get_text(const struct val *map, const char *key)
{
	str s = val_get_str(map, key);
	return s.p ? s : S("");
}

static void
load_work(struct node *n, const struct val *x)
{
	struct work *w = work_set(n);
	*w = (struct work){ .template_name = get_text(x, "template"),
		.deadline = get_int(x, "deadline"),
		.limited = get_int(x, "limited"),
		.active = get_int(x, "active"),
		.pending = get_int(x, "pending"),
		.running_since = get_int(x, "since"),
		.grace = get_int(x, "grace"),
		.capture = get_int(x, "capture") };
}

/* Everything of a row that needs no other row. `v` is in the run's arena. */
static int
node_load(struct run *r, const struct val *v, struct err *e)
{
	struct node *n = ARENA_NEW(r->arena, struct node);
	const struct val *x = val_get(v, S("x"));
	n->order = (uint32_t)r->nodes.n;
	n->gone = get_flag(v, "gone");
	n->id = get_text(v, "id");
	n->name = get_text(v, "name");
	n->type = node_type_of(get_text(v, "type"));
	n->phase = phase_of(get_text(v, "phase"));
	if (!n->gone && (!n->id.n || !n->name.n || n->type == NODE_TYPES || n->phase == PHASE_NONE ||
				run_node(r, n->id)))
		return err_set(e, ERR_INVALID, "row %u of workflow %.*s: not a node", n->order, STR_ARG(r->name));
	n->display = get_text(v, "displayName");
	n->message = get_text(v, "message");
	n->template_name = get_text(v, "templateName");
	n->template_scope = get_text(v, "templateScope");
	n->template_ref = val_get(v, S("templateRef"));
	n->started = get_time(v, "startedAt");
	n->finished = get_time(v, "finishedAt");
	n->estimated = get_int(v, "estimatedDuration");
	n->inputs = val_get(v, S("inputs"));
	n->outputs = val_get(v, S("outputs"));
	n->hooked = get_flag(v, "nodeFlag.hooked");
	n->retried = get_flag(v, "nodeFlag.retried");
	int64_t role = get_int(x, "role");
	n->role = role > ROLE_NONE && role < ROLES ? (enum role)role : ROLE_NONE;
	n->slot = (uint32_t)get_int(x, "slot");
	n->exiting = get_int(x, "exiting");
	n->bubbles = get_int(x, "bubbles");
	n->image = (uint16_t)get_int(x, "image");
	n->daemon = get_int(x, "daemon");
	n->ending = get_int(x, "ending");
	n->daemoned = get_flag(v, "daemoned");
	n->pod_ip = val_get_str(v, "podIP");
	n->pod = get_text(x, "pod");
	n->body = val_get(x, S("body"));
	n->memo = val_get(v, S("memoizationStatus"));
	n->recovered = n->body != NULL;
	if (!phase_fulfilled(n->phase) || n->ending)
		load_work(n, x);
	n->lock = sync_load(r, val_get(x, S("lock")));
	n->labels = val_get(x, S("labels"));
	node_register(r, n);
	return 0;
}

static void
load_links(struct run *r, struct node *n, const struct val *v)
{
	const struct val *x = val_get(v, S("x")), *parents = val_get(x, S("parents")),
			 *outbound = val_get(v, S("outboundNodes"));
	n->boundary = run_node(r, get_text(v, "boundaryID"));
	n->owner = run_node(r, get_text(x, "owner"));
	if (!n->owner && n->role != ROLE_ROOT && n->role != ROLE_ON_EXIT)
		n->role = ROLE_NONE;
	for (uint32_t i = 0; val_is(parents, VAL_LIST) && i < parents->n; i++) {
		struct node *p = parents->items[i].kind == VAL_STR ? run_node(r, val_text(&parents->items[i])) : NULL;
		if (p && p->order < n->order) /* links go forward: a damaged row cannot make a circle */
			node_link(p, n);
	}
	for (uint32_t i = 0; val_is(outbound, VAL_LIST) && i < outbound->n; i++) {
		struct node *leaf =
			outbound->items[i].kind == VAL_STR ? run_node(r, val_text(&outbound->items[i])) : NULL;
		if (leaf && leaf != n)
			*VEC_PUSH(&n->outbound) = leaf;
	}
}

/* What is known of a leaf is added to all that it is part of. */
static void
count_leaf(struct node *n)
{
	uint32_t done = n->done, total = n->total;
	struct usage usage = n->usage;
	if (node_counts(n)) {
		n->done = n->total = 0;
		progress_set(n, done, total);
	}
	if (n->type == NODE_POD) {
		n->usage = (struct usage){ 0 };
		usage_set(n, usage);
	}
}

/* Counts, which are derived; those of leaves are known. */
void
run_count(struct run *r)
{
	r->active_pods = r->done = r->total = 0;
	r->usage = (struct usage){ 0 };
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		n->active_pods = n->active_children = n->waiting_children = n->failed_children = 0;
		if (!node_counts(n) || n->gone)
			n->done = n->total = 0;
		if (n->type != NODE_POD || n->gone)
			n->usage = (struct usage){ 0 };
		n->daemons = n->next_daemon = NULL;
	}
	r->ending = 0;
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct node *n = r->nodes.p[i];
		if (n->gone)
			continue;
		if (!phase_fulfilled(n->phase) || node_dying(n))
			limit_count(n, false, true);
		if (phase_fulfilled(n->phase))
			limit_count_failed(n);
		daemon_track(n);
		r->ending += n->ending;
		if (n->type == NODE_CONTAINER && n->boundary)
			n->boundary->members = true;
		count_leaf(n);
	}
}

/* ---- the run -------------------------------------------------------------------------------------------------------
 */

struct val
run_save_spec(const struct run *r, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("manifest"), *r->manifest);
	if (r->stored_spec)
		val_map_add(&m, S("merged"), *r->merged);
	if (r->stored_templates)
		val_map_add(&m, S("templates"), *r->stored_templates);
	if (r->revisions)
		val_map_add(&m, S("revisions"), *r->revisions);
	if (r->frozen)
		val_map_add(&m, S("frozen"), *r->frozen);
	return val_map_end(&m, a);
}

static struct val
texts(const struct map *map, struct arena *a)
{
	struct val_map m = { 0 };
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(map, &i));)
		val_map_add(&m, slot->key, val_str(*(const str *)slot->value));
	return val_map_end(&m, a);
}

static struct val
global_outputs(const struct run *r, struct arena *a)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < r->output_names.n; i++) {
		struct val_map m = { 0 };
		val_map_add(&m, S("name"), val_str(r->output_names.p[i]));
		val_map_add(&m, S("value"), val_str(*(const str *)map_get(&r->outputs, r->output_names.p[i])));
		val_list_add(&list, val_map_end(&m, a));
	}
	return val_list_end(&list, a);
}

struct val
run_save_state(const struct run *r, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("phase"), val_cstr(phase_name(r->phase)));
	val_map_add_str(&m, S("message"), r->message);
	add_int(&m, S("started"), r->started);
	add_int(&m, S("finished"), r->finished);
	add_int(&m, S("estimated"), r->estimated);
	val_map_add_str(&m, S("shutdown"), r->shutdown);
	if (r->suspended)
		val_map_add(&m, S("suspended"), val_bool(true));
	if (r->queued)
		val_map_add(&m, S("queued"), val_bool(true));
	if (r->computed_labels)
		val_map_add(&m, S("labels"), *r->computed_labels);
	if (r->parameters.n)
		val_map_add(&m, S("parameters"), texts(&r->parameters, a));
	if (r->output_names.n)
		val_map_add(&m, S("outputs"), global_outputs(r, a));
	if (r->artifacts.n)
		val_map_add(&m, S("artifacts"), artifacts_global(r, a));
	if (r->repository)
		val_map_add(&m, S("repository"), *r->repository);
	if (r->lock)
		val_map_add(&m, S("lock"), sync_save(r->lock, a));
	val_map_add_str(&m, S("metricsError"), r->metrics_error);
	val_map_add_str(&m, S("collectError"), r->collect_error);
	add_int(&m, S("done"), r->done);
	add_int(&m, S("total"), r->total);
	if (r->images.v.n)
		val_map_add(&m, S("images"), images_save(r, a));
	add_int(&m, S("cpu"), r->usage.cpu);
	add_int(&m, S("memory"), r->usage.memory);
	return val_map_end(&m, a);
}

static void
load_state(struct run *r, const struct val *state)
{
	const struct val *parameters = val_get(state, S("parameters")), *outputs = val_get(state, S("outputs"));
	r->phase = phase_of(get_text(state, "phase"));
	r->message = get_text(state, "message");
	r->started = get_int(state, "started");
	r->finished = get_int(state, "finished");
	r->estimated = get_int(state, "estimated");
	r->shutdown = get_text(state, "shutdown");
	r->suspended = get_flag(state, "suspended");
	r->computed_labels = val_get(state, S("labels"));
	r->queued = get_flag(state, "queued");
	r->lock = sync_load(r, val_get(state, S("lock")));
	r->repository = val_get(state, S("repository"));
	r->metrics_error = get_text(state, "metricsError");
	r->collect_error = get_text(state, "collectError");
	r->done = (uint32_t)get_int(state, "done");
	r->total = (uint32_t)get_int(state, "total");
	images_load(r, val_get(state, S("images")));
	r->usage = (struct usage){ get_int(state, "cpu"), get_int(state, "memory") };
	for (uint32_t i = 0; val_is(parameters, VAL_MAP) && i < parameters->n; i++) {
		str *v = ARENA_NEW(r->arena, str);
		*v = get_text(parameters, str_z(r->arena, val_key(&parameters->members[i])));
		map_put(&r->parameters, val_key(&parameters->members[i]), v);
	}
	for (uint32_t i = 0; val_is(outputs, VAL_LIST) && i < outputs->n; i++) {
		str name = get_text(&outputs->items[i], "name"), *v = ARENA_NEW(r->arena, str);
		*v = get_text(&outputs->items[i], "value");
		if (!map_put(&r->outputs, name, v))
			*VEC_PUSH(&r->output_names) = name;
	}
	const struct val *artifacts = val_get(state, S("artifacts"));
	for (uint32_t i = 0; val_is(artifacts, VAL_LIST) && i < artifacts->n; i++)
		artifact_set_global(r, &artifacts->items[i]);
}

static int
load_nodes(struct run *r, const struct val *const *nodes, size_t n, struct err *e)
{
	const struct val **kept = ARENA_ARRAY(r->arena, const struct val *, n);
	for (size_t i = 0; i < n; i++) {
		struct val *copy = ARENA_NEW(r->arena, struct val);
		*copy = val_copy(r->arena, nodes[i]);
		kept[i] = copy;
		if (node_load(r, copy, e))
			return -1;
	}
	for (size_t i = 0; i < n; i++) {
		struct node *x = r->nodes.p[i];
		const struct val *more = val_get(kept[i], S("x"));
		if (x->gone)
			continue;
		load_links(r, x, kept[i]);
		x->done = (uint32_t)get_int(more, "done");
		x->total = (uint32_t)get_int(more, "total");
		x->usage = (struct usage){ get_int(more, "cpu"), get_int(more, "memory") };
		if (x->role == ROLE_ROOT)
			r->root = x;
		if (x->role == ROLE_ON_EXIT)
			r->on_exit = x;
	}
	if (n)
		run_count(r);
	return 0;
}

static const struct val *
load_part(struct run *r, const struct val *spec, const char *name)
{
	const struct val *part = val_get(spec, str_c(name));
	if (!part)
		return NULL;
	struct val *copy = ARENA_NEW(r->arena, struct val);
	*copy = val_copy(r->arena, part);
	return copy;
}

int
run_load(struct run **out, const struct val *spec, const struct val *state, const struct val *const *nodes, size_t n,
	const struct run_world *w, struct err *e)
{
	const struct val *manifest = val_get(spec, S("manifest")), *merged = val_get(spec, S("merged"));
	if (!val_is(manifest, VAL_MAP) || !val_is(state, VAL_MAP))
		return err_set(e, ERR_INVALID, "a stored workflow without its manifest or state");
	struct run *r = run_alloc(manifest, w);
	struct val *kept = ARENA_NEW(r->arena, struct val), *copy = ARENA_NEW(r->arena, struct val);
	r->stored_spec = merged != NULL;
	r->merged = val_get(r->manifest, S("spec"));
	if (merged) {
		*kept = val_copy(r->arena, merged);
		r->merged = kept;
	}
	r->stored_templates = load_part(r, spec, "templates");
	r->revisions = load_part(r, spec, "revisions");
	r->frozen = load_part(r, spec, "frozen");
	*copy = val_copy(r->arena, state);
	load_state(r, copy);
	if (!r->merged) {
		run_free(r);
		return err_set(e, ERR_INVALID, "a stored workflow without its spec");
	}
	if (load_nodes(r, nodes, n, e)) {
		run_free(r);
		return -1;
	}
	r->workflow_noticed = true; /* its hooks go on */
	struct run_world none = { 0 };
	r->world = none; /* it may be another thread: what the world said is in the state */
	int rc = r->phase == PHASE_NONE || r->queued ? 0 : run_globals(r, e);
	if (w)
		r->world = *w;
	if (rc && !r->finished) {
		run_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

/* ---- the Workflow
 * ---------------------------------------------------------------------------------------------------- */

const struct val *
run_metadata(const struct run *r, struct arena *a)
{
	const struct val *meta = val_get(r->manifest, S("metadata")),
			 *labels = r->labels ? r->labels : val_get(meta, S("labels"));
	const struct val *annotations = r->annotations ? r->annotations : val_get(meta, S("annotations"));
	const struct val *ref = val_get(val_get(r->manifest, S("spec")), S("workflowTemplateRef"));
	struct val phase = val_cstr(phase_name(r->phase)), completed = val_cstr(r->finished ? "true" : "false"),
		   v2 = val_str(S("v2"));
	if (r->phase != PHASE_NONE) {
		labels = val_set(a, labels, S("workflows.argoproj.io/completed"), &completed);
		labels = val_set(a, labels, S("workflows.argoproj.io/phase"), &phase);
		annotations = val_set(a, annotations, S("workflows.argoproj.io/pod-name-format"), &v2);
	}
	if (ref && val_get(ref, S("name")))
		labels = val_set(a, labels,
			get_flag(ref, "clusterScope") ? S("workflows.argoproj.io/cluster-workflow-template")
						      : S("workflows.argoproj.io/workflow-template"),
			val_get(ref, S("name")));
	if (labels)
		meta = val_set(a, meta, S("labels"), labels);
	return annotations ? val_set(a, meta, S("annotations"), annotations) : meta;
}

static const struct val *
shown_spec(const struct run *r, struct arena *a)
{
	const struct val *spec = val_get(r->manifest, S("spec"));
	struct val suspended = val_bool(true), shutdown = val_str(r->shutdown);
	spec = r->suspended ? val_set(a, spec, S("suspend"), &suspended) : val_unset(a, spec, S("suspend"));
	return r->shutdown.n ? val_set(a, spec, S("shutdown"), &shutdown) : val_unset(a, spec, S("shutdown"));
}

static void
add_condition(struct val_list *list, const char *type, bool holds, str message, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("type"), val_cstr(type));
	val_map_add(&m, S("status"), val_cstr(holds ? "True" : "False"));
	val_map_add_str(&m, S("message"), message);
	val_list_add(list, val_map_end(&m, a));
}

/* One that is pending does not. */
static bool
any_pod_runs(const struct run *r)
{
	bool any = false;
	for (size_t i = 0; r->active_pods && i < r->nodes.n && !any; i++)
		any = !r->nodes.p[i]->gone && r->nodes.p[i]->type == NODE_POD && r->nodes.p[i]->phase == PHASE_RUNNING;
	return any;
}

static struct val
conditions(const struct run *r, struct arena *a)
{
	struct val_list list = { 0 };
	add_condition(&list, "PodRunning", any_pod_runs(r), S(""), a);
	if (r->finished)
		add_condition(&list, "Completed", true, S(""), a);
	if (r->metrics_error.n)
		add_condition(&list, "MetricsError", true, r->metrics_error, a);
	if (r->collect_error.n)
		add_condition(&list, "ArtifactGCError", true, r->collect_error, a);
	return val_list_end(&list, a);
}

/* status.persistentVolumeClaims: volumes, as long as their folders are there. */
static struct val
claims(const struct run *r, struct arena *a)
{
	const struct val *list = val_get(r->spec, S("volumeClaimTemplates"));
	struct val_list out = { 0 };
	for (uint32_t i = 0; val_is(list, VAL_LIST) && r->started && !run_gc_claims(r) && i < list->n; i++) {
		str name = val_get_str(val_get(&list->items[i], S("metadata")), "name");
		struct val_map volume = { 0 }, claim = { 0 };
		val_map_add_str(&volume, S("name"), name);
		val_map_add(&claim, S("claimName"), val_str(arena_fmt(a, "%.*s-%.*s", STR_ARG(r->name), STR_ARG(name))));
		val_map_add(&volume, S("persistentVolumeClaim"), val_map_end(&claim, a));
		val_list_add(&out, val_map_end(&volume, a));
	}
	return val_list_end(&out, a);
}

static struct val
status_nodes(const struct run *r, struct arena *a)
{
	struct val_map nodes = { 0 };
	struct node *n;
	for (size_t i = 0; (n = run_node_next(r, &i));)
		val_map_add(&nodes, n->id, node_status(n, a));
	return val_map_end(&nodes, a);
}

static struct val
status(const struct run *r, bool nodes, struct arena *a)
{
	struct val_map m = { 0 }, outputs = { 0 };
	val_map_add_str(&m, S("phase"), str_c(phase_name(r->phase)));
	add_time(&m, S("startedAt"), r->started, a);
	add_time(&m, S("finishedAt"), r->finished, a);
	add_int(&m, S("estimatedDuration"), r->estimated);
	val_map_add_str(&m, S("message"), r->message);
	if (r->phase != PHASE_NONE)
		val_map_add(&m, S("progress"), val_str(arena_fmt(a, "%u/%u", r->done, r->total)));
	struct val used;
	if (usage_shown(r->usage, a, &used))
		val_map_add(&m, S("resourcesDuration"), used);
	struct val_map own = { 0 };
	if (r->images.v.n)
		val_map_add(&own, S("images"), images_shown(r, a));
	if (r->revisions)
		val_map_add(&own, S("templateRevisions"), *r->revisions);
	if (own.v.n)
		val_map_add(&m, S("tidegate"), val_map_end(&own, a)); /* nothing of Argo's has this name */
	struct val all = nodes ? status_nodes(r, a) : val_null();
	if (all.n)
		val_map_add(&m, S("nodes"), all);
	if (r->output_names.n)
		val_map_add(&outputs, S("parameters"), global_outputs(r, a));
	if (r->artifacts.n)
		val_map_add(&outputs, S("artifacts"), artifacts_global(r, a));
	if (r->output_names.n || r->artifacts.n)
		val_map_add(&m, S("outputs"), val_map_end(&outputs, a));
	if (r->repository)
		val_map_add(&m, S("artifactRepositoryRef"), *val_get(r->repository, S("ref")));
	struct val claimed = claims(r, a);
	if (claimed.n)
		val_map_add(&m, S("persistentVolumeClaims"), claimed);
	struct val locks = sync_status(r, a);
	if (locks.n)
		val_map_add(&m, S("synchronization"), locks);
	if (r->phase != PHASE_NONE)
		val_map_add(&m, S("conditions"), conditions(r, a));
	if (r->stored_templates)
		val_map_add(&m, S("storedTemplates"), *r->stored_templates);
	if (r->stored_spec)
		val_map_add(&m, S("storedWorkflowTemplateSpec"), *r->merged);
	return val_map_end(&m, a);
}

static struct val
workflow(const struct run *r, bool nodes, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("apiVersion"), val_str(S("argoproj.io/v1alpha1")));
	val_map_add(&m, S("kind"), val_str(S("Workflow")));
	val_map_add(&m, S("metadata"), *run_metadata(r, a));
	val_map_add(&m, S("spec"), *shown_spec(r, a));
	val_map_add(&m, S("status"), status(r, nodes, a));
	return val_map_end(&m, a);
}

struct val
run_workflow(const struct run *r, struct arena *a)
{
	return workflow(r, true, a);
}

struct val
run_workflow_bare(const struct run *r, struct arena *a)
{
	return workflow(r, false, a);
}
