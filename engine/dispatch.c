/* SPDX-License-Identifier: Apache-2.0 */
/* What a binding says is in expressions over the event: which events, the metadata of the workflow, its parameters. */
#include "engine/dispatch.h"

#include "engine/spec/spec.h"

#define PREFIX "workflows.argoproj.io/"

struct scope {
	struct evaluator *expressions;
	struct variables variables;
	struct arena *a;
};

static int
text_of(const struct scope *x, str expression, const char *what, str name, str *out, struct err *e)
{
	struct val v;
	if (evaluate(x->expressions, expression, &x->variables, x->a, &v, e))
		return err_wrap(e, "failed to evaluate workflow template %s \"%.*s\" expression", what, STR_ARG(name));
	if (v.kind == VAL_NULL)
		return err_set(e, ERR_INVALID, "workflow template %s \"%.*s\" expression gave nothing", what, STR_ARG(name));
	*out = v.kind == VAL_STR ? val_text(&v) : json_write(x->a, &v);
	return 0;
}

/* A map of expressions as a map of texts, put over `base`. */
static int
put_texts(const struct scope *x, const struct val *from, const char *what, const struct val **base, struct err *e)
{
	for (uint32_t i = 0; val_is(from, VAL_MAP) && i < from->n; i++) {
		const struct member *m = &from->members[i];
		str text;
		if (text_of(x, val_text(&m->value), what, val_key(m), &text, e))
			return -1;
		struct val v = val_str(text);
		*base = val_set(x->a, *base, val_key(m), &v);
	}
	return 0;
}

static int
put_text(const struct scope *x, const struct val *from, const char *key, const struct val **meta, struct err *e)
{
	str expression = val_get_str(from, key), text;
	if (!expression.n)
		return 0;
	if (text_of(x, expression, "metadata", str_c(key), &text, e))
		return -1;
	struct val v = val_str(text);
	*meta = val_set(x->a, *meta, str_c(key), &v);
	return 0;
}

static int
metadata(const struct scope *x, const struct object *binding, const struct val *submit, const struct val **out, struct err *e)
{
	const struct val *from = val_get(submit, S("metadata")), *ref = val_get(submit, S("workflowTemplateRef")), *labels = NULL,
			 *annotations = NULL, *meta = NULL;
	const struct val *cluster = val_get(ref, S("clusterScope"));
	struct val ns = val_str(binding->ns), name = val_str(binding->name), template_name = val_str(val_get_str(ref, "name"));
	struct val generate = val_str(arena_fmt(x->a, "%.*s-", STR_ARG(val_get_str(ref, "name"))));
	labels = val_set(x->a, labels, S(PREFIX "workflow-event-binding"), &name);
	labels = val_set(x->a, labels,
		val_is(cluster, VAL_BOOL) && cluster->b ? S(PREFIX "cluster-workflow-template") : S(PREFIX "workflow-template"),
		&template_name);
	if (put_texts(x, val_get(from, S("labels")), "label", &labels, e) ||
		put_texts(x, val_get(from, S("annotations")), "annotation", &annotations, e))
		return -1;
	meta = val_set(x->a, meta, S("namespace"), &ns);
	meta = val_set(x->a, meta, S("generateName"), &generate);
	meta = val_set(x->a, meta, S("labels"), labels);
	if (annotations)
		meta = val_set(x->a, meta, S("annotations"), annotations);
	if (put_text(x, from, "generateName", &meta, e) || put_text(x, from, "name", &meta, e))
		return -1;
	*out = meta;
	return 0;
}

static int
arguments(const struct scope *x, const struct val *submit, struct kvs *out, struct err *e)
{
	const struct val *list = val_path(submit, "arguments.parameters");
	uint32_t n = val_is(list, VAL_LIST) ? list->n : 0;
	out->p = ARENA_ARRAY(x->a, struct kv, n);
	out->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct val *p = &list->items[i], *value = val_get(p, S("value"));
		str name = val_get_str(p, "name"), expression = val_get_str(val_get(p, S("valueFrom")), "event"), text = val_get_str(p, "value");
		if (!value && !expression.n)
			return err_set(e, ERR_INVALID, "parameter \"%.*s\" needs a value or valueFrom.event", STR_ARG(name));
		if (!value && text_of(x, expression, "parameter", name, &text, e))
			return -1;
		if (value && !text.p)
			text = json_write(x->a, value);
		out->p[out->n++] = (struct kv){ .key = name, .value = text };
	}
	return 0;
}

static struct val
workflow(struct arena *a, const struct val *meta, const struct val *submit)
{
	struct val_map m = { 0 }, spec = { 0 };
	val_map_add(&spec, S("workflowTemplateRef"), *val_get(submit, S("workflowTemplateRef")));
	val_map_add(&m, S("apiVersion"), val_cstr("argoproj.io/v1alpha1"));
	val_map_add(&m, S("kind"), val_cstr("Workflow"));
	val_map_add(&m, S("metadata"), *meta);
	val_map_add(&m, S("spec"), val_map_end(&spec, a));
	return val_map_end(&m, a);
}

static struct val
environment(const struct dispatch_event *ev, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("namespace"), val_str(ev->ns));
	val_map_add(&m, S("discriminator"), val_str(ev->discriminator));
	val_map_add(&m, S("metadata"), ev->metadata);
	val_map_add(&m, S("payload"), ev->payload);
	return val_map_end(&m, a);
}

int
dispatch_event(const struct object *binding, const struct dispatch_event *ev, struct evaluator *expressions, struct arena *a,
	const struct val **manifest, struct kvs *parameters, struct err *e)
{
	const struct workflow_event_binding *b = binding->spec;
	struct val *env = ARENA_NEW(a, struct val), *out = ARENA_NEW(a, struct val);
	const struct val *meta;
	bool selected;
	*env = environment(ev, a);
	struct scope x = { .expressions = expressions, .variables = evaluate_map(env), .a = a };
	*manifest = NULL;
	if (evaluate_bool(expressions, val_get_str(b->spec.event, "selector"), &x.variables, &selected, e))
		return err_wrap(e, "spec.event.selector");
	if (!selected || !val_is(b->spec.submit, VAL_MAP))
		return 0;
	if (metadata(&x, binding, b->spec.submit, &meta, e) || arguments(&x, b->spec.submit, parameters, e))
		return -1;
	*out = workflow(a, meta, b->spec.submit);
	*manifest = out;
	return 0;
}
