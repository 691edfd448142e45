/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library: where templates come from. A name is looked up among the templates of the object that the naming template
 * stands in: the workflow itself, or the WorkflowTemplate that a templateRef led to. What came by templateRef is kept
 * with the workflow (status.storedTemplates), so that later edits do not change a workflow that runs.
 */
#include "engine/run/run_impl.h"

static const char *const bodies[] = { "container", "containerSet", "steps", "dag", "script", "resource", "data",
	"suspend", "http", "plugin" };

/* ---- defaults -------------------------------------------------------------------------------------------------- */

static const char *
body_of(const struct val *tmpl)
{
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		if (val_get(tmpl, str_c(bodies[i])))
			return bodies[i];
	return NULL;
}

/* templateDefaults under the template, of the bodies only its own (mergedTemplateDefaultsInto, v4.1.2); the workflow's
 * retryStrategy. */
static const struct val *
with_defaults(struct run *r, const struct val *tmpl)
{
	const struct val *defaults = val_get(r->spec, S("templateDefaults")),
			 *retry = val_get(r->spec, S("retryStrategy"));
	if (val_is(defaults, VAL_MAP)) {
		const char *body = body_of(tmpl);
		tmpl = val_merge(r->arena, defaults, tmpl);
		for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
			if (body && strcmp(bodies[i], body))
				tmpl = val_unset(r->arena, tmpl, str_c(bodies[i]));
	}
	if (val_is(retry, VAL_MAP) && !val_is(val_get(tmpl, S("retryStrategy")), VAL_MAP))
		tmpl = val_set(r->arena, tmpl, S("retryStrategy"), retry);
	return tmpl;
}

/* podMetadata under the metadata of a template that makes pods. */
static const struct val *
with_pod_metadata(struct run *r, const struct val *tmpl, const struct val *spec)
{
	const struct val *pods = val_get(spec, S("podMetadata"));
	const char *body = body_of(tmpl);
	if (!val_is(pods, VAL_MAP) || !body || str_eq(str_c(body), S("steps")) || str_eq(str_c(body), S("dag")))
		return tmpl;
	const struct val *own = val_get(tmpl, S("metadata"));
	return val_set(r->arena, tmpl, S("metadata"), val_is(own, VAL_MAP) ? val_merge(r->arena, pods, own) : pods);
}

/* ---- whose outputs.result is wanted ---------------------------------------------------------------------------- */

/* The name before "outputs.result" at `end`: steps.NAME. or steps['NAME']. or steps["NAME"]. */
static str
name_before(str text, size_t end)
{
	if (end < 2 || text.p[end - 1] != '.')
		return STR_NONE;
	size_t to = end - 1;
	char mark = to >= 2 && text.p[to - 1] == ']' ? text.p[to - 2] : '.';
	bool quoted = mark == '\'' || mark == '"';
	to -= quoted ? 2 : 0;
	size_t from = to;
	while (from > 0 && text.p[from - 1] != (quoted ? mark : '.'))
		from--;
	str name = str_slice(text, from, to), before = str_slice(text, 0, from);
	str ends = mark == '"' ? S("[\"") : quoted ? S("['") : S(".");
	if (!str_ends(before, ends))
		return STR_NONE;
	before = str_slice(before, 0, before.n - ends.n);
	return str_ends(before, S("steps")) || str_ends(before, S("tasks")) ? name : STR_NONE;
}

/* Argo captures a step's standard output only if its parent's text refers to it (hasOutputResultRef). */
static void
collect_captured(struct def *d, const struct val *v)
{
	if (v->kind == VAL_STR) {
		for (size_t i = str_find(val_text(v), S("outputs.result"), 0); i != SIZE_MAX;
			i = str_find(val_text(v), S("outputs.result"), i + 1)) {
			str name = name_before(val_text(v), i);
			if (name.n)
				map_put(&d->captured, name, d);
		}
		return;
	}
	for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
		collect_captured(d, &v->items[i]);
	for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++)
		collect_captured(d, &v->members[i].value);
}

/* ---- definitions ----------------------------------------------------------------------------------------------- */

static int
sum_up(const struct diags *d, str name, struct err *e)
{
	for (size_t i = 0; i < d->v.n; i++) {
		const struct diag *x = &d->v.p[i];
		if (x->level == DIAG_ERROR)
			return err_set(e, ERR_INVALID, "%.*s: %.*s%s%.*s", STR_ARG(x->path), STR_ARG(x->text),
				x->hint.n ? "; " : "", STR_ARG(x->hint));
	}
	for (size_t i = 0; i < d->v.n; i++)
		if (d->v.p[i].level == DIAG_LATER)
			return err_set(e, ERR_UNSUPPORTED, "%.*s: not served yet", STR_ARG(d->v.p[i].path));
	return err_set(e, ERR_INVALID, "template '%.*s' is not valid", STR_ARG(name));
}

const struct template *
template_decode(struct run *r, struct arena *a, const struct val *v, str name, bool first, struct err *e)
{
	struct template *t = ARENA_NEW(a, struct template);
	run_fresh_diags(r);
	str path = first ? arena_fmt(a, "templates.%.*s", STR_ARG(name)) : name;
	if (schema_decode(&template_schema, a, v, path, t, &r->diags) || (first && r->diags.later)) {
		(void)sum_up(&r->diags, name, e);
		return NULL;
	}
	return t;
}

/* Members that were not touched by substitution are the same values still. */
static bool
same_value(const struct member *a, const struct member *b)
{
	return !memcmp(&a->value, &b->value, sizeof a->value);
}

/*
 * A processed template as a struct. In nearly all only the container's texts and the inputs differ from the definition,
 * which was decoded before: then only the container is decoded again.
 */
const struct template *
template_processed(struct run *r, struct arena *a, const struct def *d, const struct val *body, struct err *e)
{
	const struct val *container = NULL, *script = NULL;
	bool other = body->kind != VAL_MAP || body->n != d->src->n;
	for (uint32_t i = 0; !other && i < body->n; i++) {
		str key = val_key(&body->members[i]);
		if (same_value(&body->members[i], &d->src->members[i]))
			continue;
		if (str_eq(key, S("container")))
			container = &body->members[i].value;
		else if (str_eq(key, S("script")))
			script = &body->members[i].value;
		else if (!str_eq(key, S("inputs")) && !str_eq(key, S("metadata")))
			other = true;
	}
	if (other || d->decoded->bodies != 1 || d->decoded->type == TEMPLATE_SUSPEND)
		return template_decode(r, a, body, run_text(r, "templates.%.*s", STR_ARG(d->name)), false, e);
	struct template *t = ARENA_NEW(a, struct template);
	*t = *d->decoded;
	if (!container && !script)
		return t;
	struct container *c = ARENA_NEW(a, struct container);
	run_fresh_diags(r);
	if (schema_decode(container ? &container_schema : &script_schema, a, container ? container : script,
		    S("container"), c, &r->diags)) {
		(void)sum_up(&r->diags, d->name, e);
		return NULL;
	}
	*(container ? &t->container : &t->script) = c;
	return t;
}

static struct def *
def_new(struct run *r, struct library *l, str name, const struct val *src, struct err *e)
{
	struct def *d = ARENA_NEW(r->arena, struct def);
	d->name = name;
	d->library = l;
	d->src = with_pod_metadata(r, with_defaults(r, src), r->spec);
	d->decoded = template_decode(r, r->arena, d->src, name, true, e);
	if (!d->decoded)
		return NULL;
	collect_captured(d, d->src);
	return d;
}

static void
store_template(struct run *r, str key, const struct val *src)
{
	r->stored_templates = val_set(r->arena, r->stored_templates, key, src);
	r->spec_version++;
}

struct def *
library_find(struct run *r, struct library *l, str name, struct err *e)
{
	struct def *d = map_get(&l->defs, name);
	if (d)
		return d;
	bool local = l == &r->local;
	str key = run_text(r, "%.*s/%.*s", STR_ARG(l->scope), STR_ARG(name));
	const struct val *src = local ? NULL : val_get(r->stored_templates, key);
	if (!src) {
		src = val_named(l->templates, name);
		if (!src) {
			str holder = str_slice(l->scope, str_find_char(l->scope, '/', 0) + 1, l->scope.n);
			(void)(local ? err_set(e, ERR_NOT_FOUND, "template name '%.*s' undefined", STR_ARG(name))
				     : err_set(e, ERR_NOT_FOUND, "template reference %.*s.%.*s not found",
					       STR_ARG(holder), STR_ARG(name)));
			return NULL;
		}
		if (!local) {
			src = with_pod_metadata(r, src, l->spec);
			store_template(r, key, src);
		}
	}
	name = arena_dup(r->arena, name);
	d = def_new(r, l, name, src, e);
	if (d)
		map_put(&l->defs, name, d);
	return d;
}

/* What comes along with a templateRef: of the spec-level fields of its object only podMetadata does (spec 1.9). */
static const char *const kept_of_a_template[] = { "templates", "podMetadata" };

struct library *
library_open(struct run *r, bool cluster, str name, struct err *e)
{
	str scope = run_text(r, "%s/%.*s", cluster ? "cluster" : "namespaced", STR_ARG(name));
	struct library *l = map_get(&r->libraries, scope);
	if (l)
		return l;
	const struct val *spec = template_of_run(r, cluster, name);
	bool stored = false;
	for (uint32_t i = 0; !spec && val_is(r->stored_templates, VAL_MAP) && i < r->stored_templates->n; i++)
		stored |= str_starts(val_key(&r->stored_templates->members[i]), run_text(r, "%.*s/", STR_ARG(scope)));
	if (!spec && !stored) {
		(void)(cluster ? err_set(e, ERR_NOT_FOUND, "couldn't find cluster workflow template \"%.*s\"",
					 STR_ARG(name))
			       : err_set(e, ERR_NOT_FOUND,
					 "couldn't find workflow template \"%.*s\" in namespace \"%.*s\"",
					 STR_ARG(name), STR_ARG(r->ns)));
		return NULL;
	}
	l = ARENA_NEW(r->arena, struct library);
	l->scope = scope;
	if (spec) { /* the set in force may change while the workflow runs */
		struct val_map kept = { 0 };
		struct val *copy = ARENA_NEW(r->arena, struct val);
		for (size_t i = 0; i < ARRAY_LEN(kept_of_a_template); i++)
			if (val_get(spec, str_c(kept_of_a_template[i])))
				val_map_add(&kept, str_c(kept_of_a_template[i]),
					*val_get(spec, str_c(kept_of_a_template[i])));
		*copy = val_map_end(&kept, r->tmp);
		*copy = val_copy(r->arena, copy);
		*copy = val_typed(r->arena, copy);
		l->spec = copy;
		l->templates = val_get(copy, S("templates"));
	}
	map_put(&r->libraries, scope, l);
	if (spec)
		revision_note(r, cluster, name);
	return l;
}

static struct def *
resolve_inline(struct run *r, const struct call *c, struct err *e)
{
	str key = json_write(r->arena, c->inline_template);
	key = run_text(r, "%.*s %.*s", STR_ARG(c->library->scope), STR_ARG(key));
	struct def *d = map_get(&r->inlines, key);
	if (d)
		return d;
	d = def_new(r, c->library, S(""), c->inline_template, e);
	if (d)
		map_put(&r->inlines, key, d);
	return d;
}

struct def *
library_resolve(struct run *r, const struct call *c, struct err *e)
{
	if (c->inline_template)
		return resolve_inline(r, c, e);
	if (!c->ref)
		return library_find(r, c->library, c->tmpl, e);
	const struct val *cluster = val_get(c->ref, S("clusterScope"));
	struct val is_cluster = cluster ? val_resolve(cluster) : val_bool(false);
	struct library *l =
		library_open(r, is_cluster.kind == VAL_BOOL && is_cluster.b, val_get_str(c->ref, "name"), e);
	return l ? library_find(r, l, val_get_str(c->ref, "template"), e) : NULL;
}
