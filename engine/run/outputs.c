/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outputs: what a node hands on. A pod's come from files and its standard output, those of steps and dags from the
 * nodes below; a globalName lifts one to workflow.outputs.parameters (spec 1.6, 2.17).
 */
#include "engine/run/run_impl.h"

/* AnyString: a scalar of any kind as text. Absent for what is none. */
str
any_text(struct run *r, const struct val *v)
{
	if (!v || v->kind == VAL_NULL || v->kind == VAL_LIST || v->kind == VAL_MAP)
		return STR_NONE;
	struct val plain = val_resolve(v);
	return plain.kind == VAL_STR    ? val_text(&plain)
	       : plain.kind == VAL_NULL ? STR_NONE
					: json_write(r->arena, &plain);
}

str
output_parameter(const struct val *outputs, str name)
{
	return val_get_str(val_named(val_get(outputs, S("parameters")), name), "value");
}

/* ---- globals ----------------------------------------------------------------------------------------------------- */

static void
set_global(struct run *r, str name, str value)
{
	str *v = map_get(&r->outputs, name);
	if (!v) {
		name = arena_dup(r->arena, name);
		v = ARENA_NEW(r->arena, str);
		map_put(&r->outputs, name, v);
		*VEC_PUSH(&r->output_names) = name;
	}
	*v = value;
}

void
outputs_to_globals(struct run *r, const struct node *n)
{
	const struct val *list = val_get(n->outputs, S("parameters"));
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		str global = val_get_str(&list->items[i], "globalName"), value = val_get_str(&list->items[i], "value");
		if (!global.n || !value.p)
			continue;
		set_global(r, global, arena_dup(r->arena, value));
		lifecycle_notice_all(r);
	}
	artifacts_to_globals(r, n->outputs);
}

/* ---- pods -------------------------------------------------------------------------------------------------------- */

/* As Argo's executor reads files: exactly one line feed at the end goes. */
static str
without_newline(str s)
{
	return str_ends(s, S("\n")) ? str_slice(s, 0, s.n - 1) : s;
}

static str
reported(const struct task_result *res, str name)
{
	for (size_t i = 0; i < res->parameters.n; i++)
		if (str_eq(res->parameters.p[i].key, name))
			return without_newline(res->parameters.p[i].value);
	return STR_NONE;
}

static const struct member exit_0 = { { .kind = VAL_STR, .p = "exitCode", .n = 8 }, { .kind = VAL_STR, .p = "0", .n = 1 } };
static const struct val only_exit_0 = { .kind = VAL_MAP, .members = &exit_0, .n = 1 };

int
outputs_of_pod(struct run *r, struct node *n, const struct task_result *res, const struct val **out, struct err *e)
{
	struct val_list list = { 0 };
	struct val_map m = { 0 };
	struct arena *a = work_of(n)->packed ? r->tmp : r->arena; /* parts of a body that goes: to be copied */
	const struct val *declared = val_path(n->body, "outputs.parameters");
	int rc = 0;
	for (uint32_t i = 0; val_is(declared, VAL_LIST) && i < declared->n; i++) {
		const struct val *p = &declared->items[i], *from = val_get(p, S("valueFrom"));
		str name = val_get_str(p, "name"), value = any_text(r, val_get(p, S("value")));
		if (!value.p)
			value = reported(res, name);
		if (!value.p)
			value = any_text(r, val_get(from, S("default")));
		if (!value.p) {
			if (!rc)
				rc = err_set(e, ERR_NOT_FOUND,
					"wait: Error (exit code 64): outputs.parameters.%.*s: open %.*s: no such file "
					"or directory",
					STR_ARG(name), STR_ARG(val_get_str(from, "path")));
			continue;
		}
		struct val text = val_str(a == r->tmp ? value : arena_dup(a, value));
		val_list_add(&list, *val_set(a, p, S("value"), &text));
	}
	struct val parameters = val_list_end(&list, a), artifacts;
	struct err why;
	if (parameters.n)
		val_map_add(&m, S("parameters"), a == r->tmp ? val_copy(r->arena, &parameters) : parameters);
	if (artifacts_of_pod(r, n, res, &artifacts, &why) && !rc) {
		*e = why;
		rc = -1;
	}
	if (artifacts.n)
		val_map_add(&m, S("artifacts"), artifacts);
	if (work_of(n)->capture && res->result.p)
		val_map_add(&m, S("result"),
			val_str(arena_dup(r->arena, n->type == NODE_HTTP ? res->result : without_newline(res->result))));
	if (res->exit_code == 0 && !m.v.n) { /* as most have it */
		*out = &only_exit_0;
		return rc;
	}
	if (res->exit_code >= 0)
		val_map_add(&m, S("exitCode"), val_str(run_text(r, "%d", res->exit_code)));
	struct val *v = ARENA_NEW(r->arena, struct val);
	*v = val_map_end(&m, r->arena);
	*out = v->n ? v : NULL;
	return rc;
}

/* ---- steps and dags ---------------------------------------------------------------------------------------------- */

static enum tag_found
reference(struct run *r, struct frame *f, str ref, str *out)
{
	struct scope x = { .run = r, .frame = f, .task = SIZE_MAX };
	str name = str_trim(ref);
	if (str_starts(name, S("{{")) && str_ends(name, S("}}")))
		name = str_trim(str_slice(name, 2, name.n - 2));
	return scope_look(&x, name, r->arena, out);
}

/* The value of one output; false with *out absent: it has none, and that is allowed. */
static int
output_value(struct run *r, struct frame *f, const struct parameter *p, str *out, struct err *e)
{
	const struct value_from *from = p->value_from;
	*out = p->value;
	if (p->value.p || !from)
		return 0;
	if (from->parameter.p && reference(r, f, from->parameter, out) == TAG_FOUND) {
		*out = arena_dup(r->arena, *out);
		return 0;
	}
	struct scope x = { .run = r, .frame = f, .task = SIZE_MAX, .inputs = f->node->inputs };
	if (from->expression.n && !scope_evaluate_text(&x, from->expression, r->arena, out, e))
		return 0;
	*out = from->dflt;
	if (from->dflt.p)
		return 0;
	if (from->expression.n)
		return -1;
	return err_set(e, ERR_NOT_FOUND, "failed to resolve outputs.parameters.%.*s: %.*s", STR_ARG(p->name),
		STR_ARG(from->parameter));
}

/* Source: getTemplateOutputsFromScope, workflow/controller/operator.go. */
int
outputs_of_template(struct run *r, struct frame *f, const struct val **out, struct err *e)
{
	const struct outputs *o = &f->tmpl->outputs;
	struct val_list list = { 0 };
	int rc = 0;
	*out = NULL;
	for (size_t i = 0; i < o->parameters.n && !rc; i++) {
		const struct parameter *p = &o->parameters.p[i];
		str value;
		rc = output_value(r, f, p, &value, e);
		struct val text = val_str(value);
		if (!rc && value.p)
			val_list_add(&list, *val_set(r->arena, p->src, S("value"), &text));
	}
	struct val_map m = { 0 };
	struct val parameters = val_list_end(&list, r->arena), artifacts = { 0 };
	if (!rc)
		rc = artifacts_of_template(r, f, &artifacts, e);
	if (rc || (!parameters.n && !artifacts.n))
		return rc;
	if (parameters.n)
		val_map_add(&m, S("parameters"), parameters);
	if (artifacts.n)
		val_map_add(&m, S("artifacts"), artifacts);
	struct val *v = ARENA_NEW(r->arena, struct val);
	*v = val_map_end(&m, r->arena);
	*out = v;
	return 0;
}
