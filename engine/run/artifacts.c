/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifacts: which artifacts a call gets, and which a node hands on (spec 1.5, 1.6, 2.19). An artifact is an object of the manifest, carried
 * along as it is; here it is only decided which, and under which key its bytes lie. Moving them is the executor's affair.
 */
#include "engine/run/run_impl.h"

/* ---- by name ----------------------------------------------------------------------------------------------------- */

/* Of Retry nodes the last attempt's, as with all that a node hands on. */
static const struct val *
of_node(const struct node *n, str name)
{
	const struct node *last = n->type == NODE_RETRY ? node_last_attempt(n) : NULL;
	return val_named(val_get((last ? last : n)->outputs, S("artifacts")), name);
}

static const struct val nothing = { .kind = VAL_MAP };

/* "NAME.outputs.artifacts.X". Of a step that did not run, it is an artifact without a place; of a task it is none (spec 2.19). */
static const struct val *
of_sibling(const struct scope *x, bool task, str rest)
{
	struct sibling s;
	str name = str_cut(&rest, '.');
	if (!str_starts(rest, S("outputs.artifacts.")))
		return NULL;
	rest = str_slice(rest, sizeof "outputs.artifacts." - 1, rest.n);
	if (x->self && str_eq(name, x->self_name))
		return of_node(x->self, rest);
	if (!scope_sibling(x, task, name, x->run->tmp, &s) || !s.node)
		return NULL;
	const struct val *found = of_node(s.node, rest);
	bool skipped = s.node->phase == PHASE_SKIPPED || s.node->phase == PHASE_OMITTED;
	return found || !skipped || task ? found : &nothing;
}

/* "X" of "inputs.artifacts.X", as the template of the caller has it. One that it declares and nobody gave is an artifact without a place. */
static const struct val *
of_inputs(const struct scope *x, str name)
{
	const struct val *given = val_named(val_get(x->inputs, S("artifacts")), name);
	const struct template *t = x->frame ? x->frame->tmpl : NULL;
	for (size_t i = 0; !given && t && i < t->inputs.artifacts.n; i++)
		if (str_eq(t->inputs.artifacts.p[i].name, name))
			given = &nothing;
	return given;
}

const struct val *
artifact_look(const struct scope *x, str ref)
{
	str name = str_trim(ref);
	if (str_starts(name, S("{{")) && str_ends(name, S("}}")))
		name = str_trim(str_slice(name, 2, name.n - 2));
	if (str_starts(name, S("steps.")))
		return of_sibling(x, false, str_slice(name, sizeof "steps." - 1, name.n));
	if (str_starts(name, S("tasks.")))
		return of_sibling(x, true, str_slice(name, sizeof "tasks." - 1, name.n));
	if (str_starts(name, S("inputs.artifacts.")))
		return of_inputs(x, str_slice(name, sizeof "inputs.artifacts." - 1, name.n));
	if (!str_starts(name, S("workflow.outputs.artifacts.")))
		return NULL;
	name = str_slice(name, sizeof "workflow.outputs.artifacts." - 1, name.n);
	for (size_t i = 0; i < x->run->artifacts.n; i++)
		if (str_eq(val_get_str(x->run->artifacts.p[i], "name"), name))
			return x->run->artifacts.p[i];
	return NULL;
}

/* ---- references -------------------------------------------------------------------------------------------------- */

static int
by_expression(struct run *r, struct scope *x, const struct artifact *art, const struct val **out, struct err *e)
{
	struct val *v = ARENA_NEW(r->arena, struct val);
	if (scope_evaluate(x, art->from_expression, r->arena, v, e))
		return -1;
	if (v->kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "fromExpression of artifact %.*s: its value is no artifact", STR_ARG(art->name));
	*out = v;
	return 0;
}

/* What `from` or `fromExpression` mean, or the artifact itself if it has neither. */
static int
resolve(struct run *r, struct scope *x, const struct artifact *art, const struct val **out, struct err *e)
{
	*out = art->src;
	if (!art->from.n && !art->from_expression.n)
		return 0;
	if (art->from_expression.n && by_expression(r, x, art, out, e))
		return -1;
	if (art->from.n)
		*out = artifact_look(x, art->from);
	if (!*out)
		return err_set(e, ERR_NOT_FOUND, "unable to resolve references: failed to resolve %.*s", STR_ARG(art->from));
	*out = artifact_below(*out, art->sub_path, r->arena);
	return 0;
}

/* The artifact under another name, with what its template says of where it is to be; without what was of the one it came from. */
static struct val
renamed(struct run *r, const struct val *artifact, str name, const struct val *of_template)
{
	static const char *const places[] = { "path", "mode", "recurseMode" };
	static const char *const drop[] = { "name", "path", "mode", "recurseMode", "from", "fromExpression", "subPath", "globalName", "artifactGC" };
	struct val_map m = { 0 };
	val_map_add(&m, S("name"), val_str(arena_dup(r->arena, name)));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const struct val *v = val_get(of_template, str_c(places[i]));
		if (v)
			val_map_add(&m, str_c(places[i]), *v);
	}
	for (uint32_t i = 0; i < artifact->n; i++) {
		bool dropped = false;
		for (size_t k = 0; k < ARRAY_LEN(drop); k++)
			dropped |= str_eq(val_key(&artifact->members[i]), str_c(drop[k]));
		if (!dropped)
			val_map_add(&m, val_key(&artifact->members[i]), artifact->members[i].value);
	}
	struct val v = val_map_end(&m, r->arena);
	return val_copy(r->arena, &v);
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

/* What the arguments of a call were written for: what its caller sees. */
struct scope
scope_of_caller(struct run *r, const struct call *c)
{
	const struct call *first = c->retried ? c->retried : c;
	if (first->hooked && first->owner && first->owner->of)
		return hook_scope(r, first->owner);
	struct node *around = first->boundary;
	return (struct scope){ .run = r, .frame = around ? around->frame : NULL, .task = SIZE_MAX, .inputs = around ? around->inputs : NULL };
}

static const struct artifact *
argument(const struct arguments *args, str name)
{
	for (size_t i = 0; args && i < args->artifacts.n; i++)
		if (str_eq(args->artifacts.p[i].name, name))
			return &args->artifacts.p[i];
	return NULL;
}

/* An argument takes the place of the whole input; what cannot be resolved is none, if it is optional. */
static int
take_argument(struct run *r, struct scope *x, const struct artifact *arg, const struct val **out, struct err *e)
{
	*out = NULL;
	if (!arg || resolve(r, x, arg, out, e) == 0)
		return 0;
	*out = NULL;
	return arg->optional ? 0 : -1;
}

static int
put_one(struct run *r, struct scope *x, struct tag_scope *tags, const struct artifact *in, const struct artifact *arg, struct val_list *list, struct err *e)
{
	const struct val *given;
	if (take_argument(r, x, arg, &given, e))
		return -1;
	bool own = artifact_place(in->src, NULL) != ARTIFACT_NOWHERE;
	bool located = given && artifact_place(given, NULL) != ARTIFACT_NOWHERE;
	if (!given && !own)
		return in->optional ? 0 : err_set(e, ERR_INVALID, "inputs.artifacts.%.*s was not supplied", STR_ARG(in->name));
	if (given && !located && !own)
		return in->optional ? 0 : err_set(e, ERR_INVALID, "inputs.artifacts.%.*s missing location information", STR_ARG(in->name));
	struct val one = renamed(r, located ? given : in->src, in->name, in->src);
	const struct val *put = tags_put(r->arena, &one, tags, e);
	if (!put)
		return -1;
	val_list_add(list, *put);
	return 0;
}

int
artifacts_put(struct run *r, const struct template *t, const struct call *c, struct scope *own, struct val *out, struct err *e)
{
	struct tag_scope ts = scope_tags(own);
	struct val_list list = { 0 };
	struct scope x = scope_of_caller(r, c);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < t->inputs.artifacts.n; i++)
		rc = put_one(r, &x, &ts, &t->inputs.artifacts.p[i], argument(c->args, t->inputs.artifacts.p[i].name), &list, e);
	*out = val_list_end(&list, r->arena);
	return rc;
}

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

static const struct artifact_result *
reported(const struct task_result *res, str name)
{
	for (size_t i = 0; i < res->artifacts_n; i++)
		if (!res->artifacts[i].log && str_eq(res->artifacts[i].name, name))
			return &res->artifacts[i];
	return NULL;
}

static struct val
saved(struct run *r, const struct node *n, const struct val *artifact)
{
	const struct val *archive = val_get(n->body, S("archiveLocation"));
	str key = artifact_key(artifact, archive, r->name, n->pod, r->arena);
	struct val v = artifact_saved(artifact, archive, archive_is_own(r, archive), key, r->arena);
	return val_copy(r->arena, &v);
}

static struct val
saved_log(struct run *r, const struct node *n, str container)
{
	struct val v = artifact_of_log(container, r->arena), as_file = saved(r, n, &v);
	const struct val *shown = val_unset(r->arena, val_unset(r->arena, &as_file, S("path")), S("archive"));
	return val_copy(r->arena, shown);
}

static int
missing(const struct artifact_result *said, const struct val *artifact, struct err *e)
{
	str name = val_get_str(artifact, "name");
	if (said && said->problem.p)
		return err_set(e, ERR_IO, "wait: Error (exit code 64): outputs.artifacts.%.*s: %.*s", STR_ARG(name), STR_ARG(said->problem));
	if (val_is_true(val_get(artifact, S("optional"))))
		return 0;
	return err_set(e, ERR_NOT_FOUND, "wait: Error (exit code 64): outputs.artifacts.%.*s: open %.*s: no such file or directory", STR_ARG(name),
		STR_ARG(val_get_str(artifact, "path")));
}

int
artifacts_of_pod(struct run *r, struct node *n, const struct task_result *res, struct val *out, struct err *e)
{
	const struct val *declared = val_path(n->body, "outputs.artifacts");
	struct val_list list = { 0 };
	int rc = 0;
	for (uint32_t i = 0; val_is(declared, VAL_LIST) && i < declared->n; i++) {
		const struct val *art = &declared->items[i];
		const struct artifact_result *said = reported(res, val_get_str(art, "name"));
		struct err why;
		if (said && said->saved)
			val_list_add(&list, saved(r, n, art));
		else if (missing(said, art, &why) && rc == 0) {
			*e = why;
			rc = -1;
		}
	}
	for (size_t i = 0; i < res->artifacts_n; i++) {
		const struct artifact_result *log = &res->artifacts[i];
		if (log->log && log->saved)
			val_list_add(&list, saved_log(r, n, log->name));
		else if (log->log && log->problem.p && rc == 0)
			rc = err_set(e, ERR_IO, "wait: Error (exit code 64): the log of %.*s: %.*s", STR_ARG(log->name), STR_ARG(log->problem));
	}
	*out = val_list_end(&list, r->arena);
	return rc;
}

int
artifacts_of_template(struct run *r, struct frame *f, struct val *out, struct err *e)
{
	const struct outputs *o = &f->tmpl->outputs;
	struct val_list list = { 0 };
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < o->artifacts.n; i++) {
		const struct artifact *art = &o->artifacts.p[i];
		struct scope x = { .run = r, .frame = f, .task = SIZE_MAX, .inputs = f->node->inputs };
		const struct val *v;
		if (resolve(r, &x, art, &v, e) || artifact_place(v, NULL) == ARTIFACT_NOWHERE) {
			if (!art->optional)
				rc = err_set(e, ERR_NOT_FOUND, "failed to resolve outputs.artifacts.%.*s: %.*s", STR_ARG(art->name),
					STR_ARG(art->from.n ? art->from : art->from_expression));
			continue;
		}
		struct val one = renamed(r, v, art->name, NULL);
		struct val global = val_str(art->global_name);
		val_list_add(&list, art->global_name.n ? *val_set(r->arena, &one, S("globalName"), &global) : one);
	}
	*out = val_list_end(&list, r->arena);
	return rc;
}

/* ---- globals ----------------------------------------------------------------------------------------------------- */

/* The last one under a name counts. */
void
artifact_set_global(struct run *r, const struct val *artifact)
{
	str name = val_get_str(artifact, "name");
	for (size_t i = 0; i < r->artifacts.n; i++)
		if (str_eq(val_get_str(r->artifacts.p[i], "name"), name)) {
			r->artifacts.p[i] = artifact;
			return;
		}
	*VEC_PUSH(&r->artifacts) = artifact;
}

void
artifacts_to_globals(struct run *r, const struct val *outputs)
{
	const struct val *list = val_get(outputs, S("artifacts"));
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		str global = val_get_str(&list->items[i], "globalName");
		if (!global.n)
			continue;
		struct val *v = ARENA_NEW(r->arena, struct val);
		*v = renamed(r, &list->items[i], global, NULL);
		artifact_set_global(r, v);
		lifecycle_notice_all(r);
	}
}

struct val
artifacts_global(const struct run *r, struct arena *a)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < r->artifacts.n; i++)
		val_list_add(&list, *r->artifacts.p[i]);
	return val_list_end(&list, a);
}
