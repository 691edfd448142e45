/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope: which variables are visible where (spec 3.5). Argo builds a map of all variables for every pass; here a name
 * is taken apart when it is met, so that a variable nobody refers to costs nothing, and a loop's results are put
 * together only when somebody asks for them, once.
 */
#include "engine/run/run_impl.h"

#include <time.h>

static enum tag_found
found(str *out, str value)
{
	*out = value;
	return value.p ? TAG_FOUND : TAG_MISSING;
}

static str
json_text(struct arena *a, const struct val *v, unsigned opts)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	json_write_opts(&b, v, opts);
	return arena_dup(a, buf_str(&b));
}

/* `name` without `prefix`, or .p == NULL. */
static str
behind(str name, str prefix)
{
	return str_starts(name, prefix) ? str_slice(name, prefix.n, name.n) : STR_NONE;
}

/* ---- workflow.* ------------------------------------------------------------------------------------------------ */

/* The letters of strftime that Argo offers (workflow/common/ancestry... uses lestrrat strftime), in UTC. */
static enum tag_found
creation_part(struct run *r, str part, struct arena *a, str *out)
{
	if (str_eq(part, S("RFC3339")))
		return found(out, time_rfc3339(a, r->created));
	if (str_eq(part, S("s")))
		return found(out, arena_fmt(a, "%lld", (long long)(r->created / NS_PER_SEC)));
	if (str_eq(part, S("L")))
		return found(out, S(".000"));
	static const char *const formats[] = { "%B", "%b", "%m", "%A", "%a", "%d", "%H", "%I", "%M", "%S", "%Y", "%y",
		"%p", "%Z", "%z" };
	time_t t = (time_t)(r->created / NS_PER_SEC);
	struct tm tm;
	gmtime_r(&t, &tm);
	for (size_t i = 0; part.n == 1 && i < ARRAY_LEN(formats); i++) {
		if (formats[i][1] != part.p[0])
			continue;
		if (part.p[0] == 'Z')
			return found(out, S("UTC"));
		if (part.p[0] == 'z')
			return found(out, S("+0000"));
		char text[64];
		const char *format = formats[i];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		size_t n = strftime(text, sizeof text, format, &tm);
#pragma GCC diagnostic pop
		return found(out, arena_dup(a, (str){ text, n }));
	}
	return TAG_MISSING;
}

static enum tag_found
member_text(const struct val *map, str key, struct arena *a, str *out)
{
	const struct val *v = val_get(map, key);
	if (!v)
		return TAG_MISSING;
	struct val plain = val_resolve(v);
	return found(out, v->kind == VAL_STR ? val_text(v) : json_write(a, &plain));
}

/* workflow.parameters: the Parameter objects as JSON, values as strings. */
static str
parameters_json(struct run *r, struct arena *a)
{
	const struct val *list = val_path(r->args, "parameters");
	struct val_list out = { 0 };
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		str name = val_get_str(&list->items[i], "name");
		const str *value = map_get(&r->parameters, name);
		struct val_map m = { 0 };
		val_map_add(&m, S("name"), val_str(name));
		if (value)
			val_map_add(&m, S("value"), val_str(*value));
		val_list_add(&out, val_map_end(&m, a));
	}
	struct val v = val_list_end(&out, a);
	return json_text(a, &v, JSON_HTML);
}

static enum tag_found
labels(const struct val *map, str rest, struct arena *a, str *out)
{
	struct val none = { .kind = VAL_MAP };
	if (!rest.n || str_eq(rest, S(".json"))) {
		const struct val *plain = val_resolve_all(a, map ? map : &none);
		return found(out, json_text(a, plain, JSON_SORT | JSON_HTML));
	}
	return member_text(map, str_slice(rest, 1, rest.n), a, out);
}

/* status and failures are known to hooks of the workflow, and when it has ended to all */
static bool
sees_end(const struct scope *x)
{
	const struct run *r = x->run;
	return x->late || (x->call && x->call->late) || (x->frame && x->frame->call->late) ||
	       (r->root && node_fulfilled(r->root));
}

static enum tag_found
status_of_workflow(struct run *r, str *out)
{
	const struct node *root = r->root ? r->root : node_named(r, r->name);
	if (!root)
		return TAG_MISSING;
	bool nothing = root->phase == PHASE_SKIPPED || root->phase == PHASE_OMITTED;
	return found(out, str_c(phase_name(nothing ? PHASE_SUCCEEDED : root->phase)));
}

static enum tag_found
look_end(const struct scope *x, str name, struct arena *a, str *out)
{
	if (str_eq(name, S("status")))
		return status_of_workflow(x->run, out);
	return str_eq(name, S("failures")) ? found(out, hook_failures(x->run, a)) : TAG_MISSING;
}

static str
duration_text(const struct scope *x, struct arena *a)
{
	int64_t now = scope_moment(x), began = x->run->started;
	return arena_fmt(a, "%f", began && now > began ? (double)(now - began) / 1e9 : 0.0);
}

static enum tag_found
look_workflow(const struct scope *x, str name, struct arena *a, str *out)
{
	struct run *r = x->run;
	str rest;
	if ((rest = behind(name, S("parameters."))).p && !str_eq(rest, S("json"))) {
		const str *v = map_get(&r->parameters, rest);
		return v ? found(out, *v) : TAG_MISSING;
	}
	if ((rest = behind(name, S("outputs.parameters."))).p) {
		const str *v = map_get(&r->outputs, rest);
		return v ? found(out, *v) : TAG_MISSING;
	}
	if ((rest = behind(name, S("labels"))).p)
		return labels(r->labels, rest, a, out);
	if ((rest = behind(name, S("annotations"))).p)
		return labels(r->annotations, rest, a, out);
	if ((rest = behind(name, S("creationTimestamp."))).p)
		return creation_part(r, rest, a, out);
	if (str_eq(name, S("name")))
		return found(out, r->name);
	if (str_eq(name, S("namespace")))
		return found(out, r->ns);
	if (str_eq(name, S("uid")))
		return found(out, r->uid);
	if (str_eq(name, S("mainEntrypoint")))
		return found(out, val_get_str(r->merged, "entrypoint"));
	if (str_eq(name, S("serviceAccountName"))) {
		str account = val_get_str(r->merged, "serviceAccountName");
		return found(out, account.p ? account : S("default"));
	}
	if (str_eq(name, S("creationTimestamp")))
		return found(out, time_rfc3339(a, r->created));
	if (str_eq(name, S("parameters")) || str_eq(name, S("parameters.json")))
		return found(out, parameters_json(r, a));
	if (str_eq(name, S("priority")))
		return member_text(r->merged, S("priority"), a, out);
	if (str_eq(name, S("scheduledTime")))
		return member_text(r->annotations, S("workflows.argoproj.io/scheduled-time"), a, out);
	if (str_eq(name, S("duration")))
		return found(out, duration_text(x, a));
	return TAG_MISSING;
}

/* ---- steps.*, tasks.* ------------------------------------------------------------------------------------------ */

enum tag_found
scope_of_node(struct run *r, struct node *n, str what, struct arena *a, str *out)
{
	struct node *last = n->type == NODE_RETRY ? node_last_attempt(n) : NULL;
	if (last && str_eq(what, S("ip")) && !last->pod_ip.n)
		last = NULL; /* a daemon that starts again: its last known address */
	n = last ? last : n;
	(void)r;
	str rest;
	if ((rest = behind(what, S("outputs.parameters."))).p)
		return found(out, output_parameter(n->outputs, rest));
	if (str_eq(what, S("outputs.result")))
		return found(out, val_get_str(n->outputs, "result"));
	if (str_eq(what, S("exitCode")))
		return found(out, val_get_str(n->outputs, "exitCode"));
	if (str_eq(what, S("status")))
		return found(out, str_c(phase_name(n->phase)));
	if (str_eq(what, S("ip")))
		return found(out, n->pod_ip.n ? n->pod_ip : STR_NONE);
	if (str_eq(what, S("id")))
		return found(out, n->id);
	if (str_eq(what, S("startedAt")))
		return n->started ? found(out, time_rfc3339(a, n->started)) : TAG_MISSING;
	if (str_eq(what, S("finishedAt")))
		return n->finished ? found(out, time_rfc3339(a, n->finished)) : TAG_MISSING;
	if (str_eq(what, S("hostNodeName")))
		return n->type == NODE_POD ? found(out, S("localhost")) : TAG_MISSING;
	return TAG_MISSING;
}

/* ---- results of loops ------------------------------------------------------------------------------------------ */

struct child {
	int64_t index;
	struct node *node;
};
static int
by_index(const void *a, const void *b)
{
	const struct child *x = a, *y = b;
	return (x->index > y->index) - (x->index < y->index);
}

/* The expanded children of `parent` that belong to the loop `name` and have something to hand on, in order of their
 * items. */
static size_t
loop_children(const struct node *parent, str name, struct arena *a, struct child **out)
{
	struct child *list = ARENA_ARRAY(a, struct child, parent->children.n);
	size_t n = 0;
	str prefix = parent->type == NODE_TASK_GROUP ? parent->name
						     : arena_fmt(a, "%.*s.%.*s", STR_ARG(parent->name), STR_ARG(name));
	for (size_t i = 0; i < parent->children.n; i++) {
		struct node *c = parent->children.p[i];
		str index = behind(c->name, prefix);
		/* Skipped with outputs: memoized, see rerun.c */
		bool good = c->phase == PHASE_SUCCEEDED || c->phase == PHASE_SKIPPED;
		if (c->hooked || c->retried || !good || !c->outputs || !str_starts(index, S("(")))
			continue;
		index = str_slice(index, 1, str_find_char(index, ':', 0));
		if (str_to_i64(index, &list[n].index))
			list[n++].node = c;
	}
	qsort(list, n, sizeof *list, by_index);
	*out = list;
	return n;
}

static enum tag_found
aggregate_results(struct child *c, size_t n, struct arena *a, str *out)
{
	struct val_list list = { 0 };
	struct err e;
	for (size_t i = 0; i < n; i++) {
		str text = val_get_str(c[i].node->outputs, "result");
		struct val v;
		if (!text.p)
			continue;
		if (json_read(a, text, &v, &e)) { /* Argo refuses the same: the result of a loop's step must be JSON */
			struct val dropped = val_list_end(&list, a);
			(void)dropped;
			return TAG_MISSING;
		}
		val_list_add(&list, v);
	}
	struct val v = val_list_end(&list, a);
	return found(out, json_text(a, &v, JSON_HTML));
}

static enum tag_found
aggregate_parameters(struct child *c, size_t n, struct arena *a, str *out)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < n; i++) {
		const struct val *params = val_get(c[i].node->outputs, S("parameters"));
		struct val_map m = { 0 };
		for (uint32_t k = 0; val_is(params, VAL_LIST) && k < params->n; k++)
			val_map_add(&m, val_get_str(&params->items[k], "name"),
				val_str(val_get_str(&params->items[k], "value")));
		if (m.v.n)
			val_list_add(&list, val_map_end(&m, a));
	}
	struct val v = val_list_end(&list, a);
	return found(out, json_text(a, &v, JSON_SORT | JSON_HTML));
}

/* Strings, unless every one of them is a JSON object or list: then those values. */
static enum tag_found
aggregate_one(struct child *c, size_t n, str name, struct arena *a, str *out)
{
	struct val_list strings = { 0 }, values = { 0 };
	bool all = true;
	size_t count = 0;
	struct err e;
	for (size_t i = 0; i < n; i++) {
		str text = output_parameter(c[i].node->outputs, name);
		if (!text.p)
			continue;
		count++;
		val_list_add(&strings, val_str(text));
		struct val v;
		all = all && text.n && !json_read(a, text, &v, &e) && (v.kind == VAL_MAP || v.kind == VAL_LIST);
		if (all)
			val_list_add(&values, v);
	}
	struct val s = val_list_end(&strings, a), v = val_list_end(&values, a);
	return count ? found(out, json_text(a, all ? &v : &s, JSON_HTML)) : TAG_MISSING;
}

static enum tag_found
aggregate(struct run *r, struct frame *f, struct node *parent, str name, str what, struct arena *a, str *out)
{
	str key = arena_fmt(a, "%.*s.%.*s", STR_ARG(name), STR_ARG(what));
	const str *known = map_get(&f->aggregates, key);
	if (known)
		return found(out, *known);
	struct child *c;
	size_t n = loop_children(parent, name, a, &c);
	str rest = behind(what, S("outputs.parameters."));
	enum tag_found got = str_eq(what, S("outputs.result"))       ? aggregate_results(c, n, a, out)
			     : str_eq(what, S("outputs.parameters")) ? aggregate_parameters(c, n, a, out)
			     : rest.p                                ? aggregate_one(c, n, rest, a, out)
								     : TAG_MISSING;
	if (got == TAG_FOUND) {
		str *kept = ARENA_NEW(r->arena, str);
		*kept = *out = arena_dup(r->arena, *out);
		map_put(&f->aggregates, arena_dup(r->arena, key), kept);
	}
	return got;
}

/* ---- siblings -------------------------------------------------------------------------------------------------- */

/* What a step that did not run hands on: its template's default, or a variable without a value (spec 3.6). */
static enum tag_found
of_skipped(struct run *r, struct frame *f, const struct step *s, str parameter, str *out)
{
	struct err e;
	struct call c = { .library = f->def->library,
		.tmpl = s->tmpl,
		.ref = s->template_ref ? s->template_ref->src : NULL,
		.inline_template = s->inline_template,
		.step = s->name };
	const struct def *d = library_resolve(r, &c, &e);
	for (size_t i = 0; d && i < d->decoded->outputs.parameters.n; i++) {
		const struct parameter *p = &d->decoded->outputs.parameters.p[i];
		if (!str_eq(p->name, parameter))
			continue;
		if (p->value_from && p->value_from->dflt.p)
			return found(out, p->value_from->dflt);
		return TAG_ABSENT;
	}
	return TAG_MISSING;
}

static enum tag_found
of_sibling(struct run *r, struct frame *f, const struct step *s, struct node *parent, struct node *n, str what,
	struct arena *a, str *out)
{
	bool loop = step_expands(s);
	str parameter = behind(what, S("outputs.parameters."));
	if (n && (n->phase == PHASE_SKIPPED || n->phase == PHASE_OMITTED) && parameter.p && !n->outputs)
		return of_skipped(r, f, s, parameter, out);
	if (loop && !parent && n && n->type == NODE_SKIPPED)
		parent = n; /* there was nothing to go through */
	if (loop && parent && str_starts(what, S("outputs.")))
		return aggregate(r, f, parent, s->name, what, a, out);
	if (!n)
		n = parent; /* a loop among steps has no node of its own: its group speaks for it */
	return n ? scope_of_node(r, n, what, a, out) : TAG_MISSING;
}

static bool
find_step(const struct scope *x, str name, struct arena *a, struct sibling *out)
{
	struct frame *f = x->frame;
	size_t group = (size_t)(uintptr_t)map_get(&f->names, name);
	if (!group-- || group >= f->current)
		return false;
	str group_name = arena_fmt(a, "%.*s[%zu]", STR_ARG(f->node->name), group);
	const struct step_group *g = &f->tmpl->steps.p[group];
	for (size_t i = 0; i < g->n; i++) {
		if (!str_eq(g->p[i].name, name))
			continue;
		*out = (struct sibling){ &g->p[i], node_named(x->run, group_name),
			node_named(x->run, arena_fmt(a, "%.*s.%.*s", STR_ARG(group_name), STR_ARG(name))) };
		return true;
	}
	return false;
}

static bool
find_task(const struct scope *x, str name, struct arena *a, struct sibling *out)
{
	struct frame *f = x->frame;
	size_t i = dag_task_index(f, name);
	if (i == SIZE_MAX || (x->task != SIZE_MAX && !dag_depends_on(f, x->task, i)))
		return false;
	struct node *n = node_named(x->run, arena_fmt(a, "%.*s.%.*s", STR_ARG(f->node->name), STR_ARG(name)));
	*out = (struct sibling){ &f->tmpl->dag->tasks.p[i], n && n->type == NODE_TASK_GROUP ? n : NULL, n };
	return n != NULL;
}

bool
scope_sibling(const struct scope *x, bool task, str name, struct arena *a, struct sibling *out)
{
	if (!x->frame || (x->frame->node->type == NODE_DAG) != task)
		return false;
	return task ? find_task(x, name, a, out) : find_step(x, name, a, out);
}

static enum tag_found
look_sibling(const struct scope *x, bool task, str rest, struct arena *a, str *out)
{
	str name = str_cut(&rest, '.');
	if (x->self && str_eq(name, x->self_name)) {
		if (str_eq(rest, S("status"))) /* its own, also of one that is tried again (Argo: steps.go, dag.go) */
			return found(out, str_c(phase_name(x->self->phase)));
		enum tag_found got = scope_of_node(x->run, x->self, rest, a, out);
		if (got != TAG_MISSING)
			return got;
	}
	struct sibling s;
	return scope_sibling(x, task, name, a, &s) ? of_sibling(x->run, x->frame, s.step, s.parent, s.node, rest, a, out) : TAG_MISSING;
}

/* ---- inputs, outputs, items, the call itself ------------------------------------------------------------------- */

static enum tag_found
look_inputs(const struct scope *x, str rest, struct arena *a, str *out)
{
	const struct val *params = val_get(x->inputs, S("parameters"));
	str name = behind(rest, S("parameters."));
	if (name.p) {
		str value = output_parameter(x->inputs, name);
		if (value.p)
			return found(out, value);
	}
	if (str_eq(rest, S("parameters")) && params)
		return found(out, json_text(a, params, JSON_HTML));
	name = behind(rest, S("artifacts."));
	for (size_t i = 0; name.p && x->tmpl && i < x->tmpl->inputs.artifacts.n; i++) {
		const struct artifact *art = &x->tmpl->inputs.artifacts.p[i];
		if (art->path.n && str_eq(name, arena_fmt(a, "%.*s.path", STR_ARG(art->name))))
			return found(out, art->path);
	}
	return TAG_MISSING;
}

static enum tag_found
look_outputs(const struct scope *x, str rest, struct arena *a, str *out)
{
	const struct outputs *o = &x->tmpl->outputs;
	str name = behind(rest, S("parameters."));
	for (size_t i = 0; name.p && i < o->parameters.n; i++) {
		const struct parameter *p = &o->parameters.p[i];
		if (p->value_from && p->value_from->path.n && str_eq(name, arena_fmt(a, "%.*s.path", STR_ARG(p->name))))
			return found(out, p->value_from->path);
	}
	name = behind(rest, S("artifacts."));
	for (size_t i = 0; name.p && i < o->artifacts.n; i++)
		if (o->artifacts.p[i].path.n &&
			str_eq(name, arena_fmt(a, "%.*s.path", STR_ARG(o->artifacts.p[i].name))))
			return found(out, o->artifacts.p[i].path);
	return TAG_MISSING;
}

/* A loop's element as text: strings as they are, everything else as JSON, maps with sorted keys as Go writes them. */
str
item_text(struct arena *a, const struct val *item)
{
	struct val v = val_resolve(item);
	if (v.kind == VAL_STR)
		return val_text(&v);
	return json_text(a, val_resolve_all(a, &v), JSON_SORT | JSON_HTML);
}

static enum tag_found
look_item(const struct scope *x, str name, struct arena *a, str *out)
{
	if (str_eq(name, S("item")))
		return found(out, item_text(a, x->item));
	str key = behind(name, S("item."));
	const struct val *v = key.p ? val_get(x->item, key) : NULL;
	return v ? found(out, item_text(a, v)) : TAG_MISSING;
}

/* Of the attempt before; NULL: there was none. `no_code`: in place of an exit code where that attempt has none. */
static enum tag_found
look_last_retry(const struct node *last, str what, str no_code, struct arena *a, str *out)
{
	if (str_eq(what, S("exitCode"))) {
		str code = last ? val_get_str(last->outputs, "exitCode") : S("0");
		return found(out, code.p ? code : no_code);
	}
	if (str_eq(what, S("status")))
		return found(out, last ? str_c(phase_name(last->phase)) : S(""));
	if (str_eq(what, S("duration")))
		return found(
			out, last ? arena_fmt(a, "%lld", (long long)((last->finished - last->started) / NS_PER_SEC))
				  : S("0"));
	if (str_eq(what, S("message")))
		return found(out, last ? last->message : S(""));
	return TAG_MISSING;
}

/* By its name: after a restart the last attempt is the one that is called again. */
static const struct node *
attempt_before(const struct scope *x, struct arena *a)
{
	const struct call *c = x->call;
	if (!c->attempt)
		return NULL;
	return node_named(x->run, arena_fmt(a, "%.*s(%u)", STR_ARG(c->retried->name), c->attempt - 1));
}

static enum tag_found
look_call(const struct scope *x, str name, struct arena *a, str *out)
{
	const struct call *c = x->call, *first = c->retried ? c->retried : c;
	if (str_eq(name, S("node.name")))
		return found(out, first->name);
	if (str_eq(name, S("pod.name")))
		return found(out, x->pod);
	if (str_eq(name, first->is_task ? S("tasks.name") : S("steps.name")))
		return found(out, first->step.p ? first->step : S(""));
	if (!c->retried)
		return TAG_MISSING;
	if (str_eq(name, S("retries")))
		return found(out, arena_fmt(a, "%u", c->attempt));
	str rest = behind(name, S("lastRetry."));
	return rest.p ? look_last_retry(attempt_before(x, a), rest, S("0"), a, out) : TAG_MISSING;
}

/* What decides on another attempt sees of those that were made. */
static enum tag_found
look_retry(const struct node *retry, str name, struct arena *a, str *out)
{
	const struct node *last = node_last_attempt(retry);
	str rest = behind(name, S("lastRetry."));
	if (str_eq(name, S("retries")) && last)
		return found(out, arena_fmt(a, "%u", last->slot));
	return rest.p ? look_last_retry(last, rest, S("-1"), a, out) : TAG_MISSING;
}

/* What a workflow says of itself and may say otherwise a moment later. */
static bool
changes(str of_workflow)
{
	return str_starts(of_workflow, S("outputs.")) || str_eq(of_workflow, S("duration")) ||
	       str_eq(of_workflow, S("status")) || str_eq(of_workflow, S("failures"));
}

/* ---- all together ---------------------------------------------------------------------------------------------- */

enum tag_found
scope_look(void *arg, str name, struct arena *a, str *out)
{
	const struct scope *x = arg;
	str rest;
	enum tag_found got;
	if (x->item && (got = look_item(x, name, a, out)) != TAG_MISSING)
		return got;
	if (x->retry && (got = look_retry(x->retry, name, a, out)) != TAG_MISSING)
		return got;
	if (x->call && (got = look_call(x, name, a, out)) != TAG_MISSING)
		return got;
	if (x->inputs && (rest = behind(name, S("inputs."))).p)
		return look_inputs(x, rest, a, out);
	if (x->tmpl && (rest = behind(name, S("outputs."))).p)
		return look_outputs(x, rest, a, out);
	if ((rest = behind(name, S("steps."))).p)
		return look_sibling(x, false, rest, a, out);
	if ((rest = behind(name, S("tasks."))).p)
		return look_sibling(x, true, rest, a, out);
	if ((rest = behind(name, S("workflow."))).p) {
		if (x->lasting && changes(rest))
			return TAG_MISSING;
		if (sees_end(x) && (got = look_end(x, rest, a, out)) != TAG_MISSING)
			return got;
		return look_workflow(x, rest, a, out);
	}
	return TAG_MISSING;
}
