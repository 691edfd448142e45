/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate: from the manifest down to its templates: the spec itself, its arguments and hooks, and the way in. The rest
 * is in validate_ref.c (finding templates), validate_template.c (inputs, outputs, steps), validate_dag.c,
 * validate_leaf.c and validate_vars.c (tags).
 */
#include "engine/run/evaluate.h"
#include "engine/spec/validate.h"


/* ---- findings ----------------------------------------------------------------------------------------------- */

/* Merging copies values but keeps what they point to, so this is how one is known again. */
static bool
same_place(const struct val *a, const struct val *b)
{
	return a->kind == b->kind && a->line == b->line && a->col == b->col && a->n == b->n && a->p == b->p;
}

/* The path of a value below `in`, appended to `path`. False if it is not there. */
static bool
find_path(const struct val *in, const struct val *what, struct buf *path)
{
	size_t before = path->n;

	if (same_place(in, what))
		return true;
	for (uint32_t i = 0; i < in->n && (in->kind == VAL_MAP || in->kind == VAL_LIST); i++) {
		const struct val *below = in->kind == VAL_MAP ? &in->members[i].value : &in->items[i];

		if (in->kind == VAL_MAP)
			buf_addf(path, "%s%.*s", path->n ? "." : "", STR_ARG(val_key(&in->members[i])));
		else
			buf_addf(path, "[%u]", i);
		if (find_path(below, what, path))
			return true;
		path->n = before;
	}
	return false;
}

/* Looking for a path costs as much as reading the manifest: whoever has so many mistakes gets the rest without. */
enum { PATHS_MAX = 100 };

static struct diag * PRINTF_LIKE(4, 0)
report(struct check *k, enum diag_level level, const struct val *at, const char *fmt, va_list ap)
{
	struct buf path CLEANUP(free_buf) = { 0 };
	str text = arena_vfmt(k->arena, fmt, ap), prefix = buf_str(&k->prefix);

	if (k->foreign)
		at = k->foreign;
	if (k->reported++ < PATHS_MAX && at && !find_path(k->root, at, &path)) {
		at = k->home;
		path.n = 0;
		(void)find_path(k->root, at, &path); /* an empty path is fine */
	}
	return diag_add(k->diags, level, at, buf_str(&path), "%.*s%.*s", STR_ARG(prefix), STR_ARG(text));
}

#define REPORT(name, level, type, give) \
	type name(struct check *k, const struct val *at, const char *fmt, ...) \
	{ \
		va_list ap; \
		va_start(ap, fmt); \
		struct diag *x = report(k, level, at, fmt, ap); \
		va_end(ap); \
		give; \
	}
REPORT(check_fail, DIAG_ERROR, struct diag *, return x)
REPORT(check_warn, DIAG_WARNING, struct diag *, return x)
REPORT(check_later, DIAG_LATER, void, (void)x)

/* Argo reads expressions when they are due; then it is too late to say so. */
void
check_expression(struct check *k, str text, const struct val *at)
{
	struct err e;
	if (text.n && !check_has_tag(text) && evaluate_check(text, &e))
		diag_hint(k->diags, check_warn(k, at, "expression: %s", e.msg), "it will fail when it is needed");
}

size_t
check_enter(struct check *k, const char *fmt, ...)
{
	size_t before = k->prefix.n;
	va_list ap;

	va_start(ap, fmt);
	buf_add(&k->prefix, arena_vfmt(k->arena, fmt, ap));
	va_end(ap);
	return before;
}

void
check_leave(struct check *k, size_t before)
{
	k->prefix.n = before;
}

bool
check_has_tag(str s)
{
	return str_find(s, S("{{"), 0) != SIZE_MAX;
}

/* ---- names -------------------------------------------------------------------------------------------------- */

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
all_of(str name, const char *also)
{
	for (size_t i = 0; i < name.n; i++)
		if (!is_alnum(name.p[i]) && !strchr(also, name.p[i]))
			return false;
	return name.n > 0;
}

enum { NAME_MAX_LENGTH = 128 };

bool
check_field_name(struct check *k, str name, const struct val *at, const char *where)
{
	if (!name.n)
		check_fail(k, at, "%s is required", where);
	else if (name.n > NAME_MAX_LENGTH)
		check_fail(k, at, "%s: '%.*s' is invalid: must be no more than %d characters", where, STR_ARG(name),
			NAME_MAX_LENGTH);
	else if (!all_of(name, "-") || name.p[0] == '-')
		check_fail(k, at, "%s: '%.*s' is invalid: name must consist of alpha-numeric characters or '-', and "
			"must start with an "
			"alpha-numeric character (e.g. My-name1-2, 123-NAME)", where, STR_ARG(name));
	else
		return true;
	return false;
}

bool
check_parameter_name(struct check *k, str name, const struct val *at, const char *where)
{
	if (!name.n)
		check_fail(k, at, "%s is required", where);
	else if (!all_of(name, "-_"))
		check_fail(k, at, "%s: '%.*s' is invalid: Parameter/Artifact name must consist of alpha-numeric "
			"characters, '_' or '-' "
			"e.g. my_param_1, MY-PARAM-1", where, STR_ARG(name));
	else
		return true;
	return false;
}

/* What is left of a name that a call's inputs and the workflow put something into; other tags stay. */
static str
without_inputs(struct check *k, str name)
{
	struct buf left CLEANUP(free_buf) = { 0 };
	for (size_t open, close; (open = str_find(name, S("{{"), 0)) != SIZE_MAX && (close = str_find(name, S("}}"), open)) != SIZE_MAX;) {
		str tag = str_trim(str_slice(name, open + 2, close));
		bool put_in = str_starts(tag, S("inputs.parameters.")) || str_starts(tag, S("workflow.")) || str_starts(tag, S("="));
		buf_add(&left, str_slice(name, 0, put_in ? open : close + 2));
		name = str_slice(name, close + 2, name.n);
	}
	buf_add(&left, name);
	return arena_dup(k->arena, buf_str(&left));
}

bool
check_output_name(struct check *k, str name, const struct val *at, const char *where)
{
	str left = without_inputs(k, name);
	if (left.n < name.n && (!left.n || all_of(left, "-_")))
		return true;
	return check_parameter_name(k, name, at, where);
}

bool
check_unique(struct check *k, struct map *seen, str name, const struct val *at, const char *where)
{
	if (!name.n || !map_put(seen, name, k))
		return true;
	check_fail(k, at, "%s '%.*s' is not unique", where, STR_ARG(name));
	return false;
}

/* ---- arguments ---------------------------------------------------------------------------------------------- */

static bool
in_enum(const struct parameter *p)
{
	for (size_t i = 0; i < p->enum_values.n; i++)
		if (str_eq(p->enum_values.p[i], p->value))
			return true;
	return false;
}

static void
check_argument_value(struct check *k, const struct parameter *p, bool may_be_empty, const char *where)
{
	const struct value_from *v = p->value_from;

	if (!v && !p->value.p && !may_be_empty)
		check_fail(k, p->src, "%s%.*s.value or %s%.*s.valueFrom is required", where, STR_ARG(p->name), where,
			STR_ARG(p->name));
	if (v && ((!v->config_map_key && !v->event.n && !v->supplied) || v->path.n || v->json_path.n ||
		v->parameter.n || v->expression.n))
		check_fail(k, v->src, "%s%.*s.valueFrom only allows: default, configMapKeyRef and supplied", where,
			STR_ARG(p->name));
	if (p->has_enum && !p->enum_values.n)
		check_fail(k, val_get(p->src, S("enum")), "%s%.*s.enum should contain at least one value", where,
			STR_ARG(p->name));
	else if (p->has_enum && p->value.p && !check_has_tag(p->value) && !in_enum(p))
		check_fail(k, val_get(p->src, S("value")), "%s%.*s.value should be present in %s%.*s.enum list", where,
			STR_ARG(p->name), where,
			STR_ARG(p->name));
}

static const char *const locations[] = { "artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "plugin", "raw",
	"s3" };

static const struct val *
location_of(const struct artifact *art)
{
	for (size_t i = 0; i < ARRAY_LEN(locations); i++) {
		const struct val *v = val_get(art->src, str_c(locations[i]));

		if (v && val_resolve(v).kind != VAL_NULL)
			return v;
	}
	return NULL;
}

/* Who asks. */
static void
check_hdfs_login(struct check *k, const struct val *hdfs, const char *w)
{
	bool ccache = val_get(hdfs, S("krbCCacheSecret")), keytab = val_get(hdfs, S("krbKeytabSecret"));
	bool service = val_get_str(hdfs, "krbServicePrincipalName").n && val_get(hdfs, S("krbConfigConfigMap"));

	if (!val_get_str(hdfs, "hdfsUser").n && !ccache && !keytab)
		check_fail(k, hdfs, "either %s.hdfs.hdfsUser, %s.hdfs.krbCCacheSecret or %s.hdfs.krbKeytabSecret is required", w, w, w);
	if (keytab && (!service || !val_get_str(hdfs, "krbUsername").n || !val_get_str(hdfs, "krbRealm").n))
		check_fail(k, hdfs, "%s.hdfs.krbServicePrincipalName, %s.hdfs.krbConfigConfigMap, %s.hdfs.krbUsername and %s.hdfs.krbRealm are required with "
			"%s.hdfs.krbKeytabSecret", w, w, w, w, w);
	if (ccache && !service)
		check_fail(k, hdfs, "%s.hdfs.krbServicePrincipalName and %s.hdfs.krbConfigConfigMap are required with %s.hdfs.krbCCacheSecret", w, w, w);
}

void
check_artifact_location(struct check *k, const struct artifact *art, const char *where)
{
	const struct val *git = val_get(art->src, S("git")), *hdfs = val_get(art->src, S("hdfs"));

	if (val_is(git, VAL_MAP) && !val_get_str(git, "repo").n)
		check_fail(k, git, "%s.git.repo is required", where);
	if (val_is(hdfs, VAL_MAP) && !val_get_str(hdfs, "path").n)
		check_fail(k, hdfs, "%s.hdfs.path is required", where);
	else if (val_is(hdfs, VAL_MAP) && val_get_str(hdfs, "path").p[0] != '/' &&
		!check_has_tag(val_get_str(hdfs, "path")))
		check_fail(k, val_get(hdfs, S("path")), "%s.hdfs.path must be an absolute file path", where);
	if (val_get(hdfs, S("addresses")))
		check_hdfs_login(k, hdfs, where);
}

static void
check_argument_artifact(struct check *k, const struct artifact *art, bool may_be_empty, const char *where)
{
	if (!art->from.n && !art->from_expression.n && !location_of(art) && !may_be_empty)
		check_fail(k, art->src, "%s%.*s.from, artifact location, or key is required", where,
			STR_ARG(art->name));
	if (art->from.n && art->from_expression.n)
		check_fail(k, art->src, "%s%.*s shouldn't have both `from` and `fromExpression` in Artifact", where,
			STR_ARG(art->name));
	check_artifact_location(k, art, str_z(k->arena, arena_fmt(k->arena, "%s%.*s", where, STR_ARG(art->name))));
}

void
check_arguments(struct check *k, const struct arguments *args, bool may_be_empty, const char *where)
{
	struct map parameters = { 0 }, artifacts = { 0 };

	for (size_t i = 0; i < args->parameters.n; i++) {
		const struct parameter *p = &args->parameters.p[i];
		const char *name = str_z(k->arena, arena_fmt(k->arena, "%sparameters[%zu].name", where, i));

		if (check_parameter_name(k, p->name, p->src, name))
			check_unique(k, &parameters, p->name, p->src, name);
		check_argument_value(k, p, may_be_empty, where);
	}
	for (size_t i = 0; i < args->artifacts.n; i++) {
		const struct artifact *art = &args->artifacts.p[i];
		const char *name = str_z(k->arena, arena_fmt(k->arena, "%sartifacts[%zu].name", where, i));

		if (check_parameter_name(k, art->name, art->src, name))
			check_unique(k, &artifacts, art->name, art->src, name);
		check_argument_artifact(k, art, may_be_empty, where);
	}
	map_free(&parameters);
	map_free(&artifacts);
}

/* ---- the spec ----------------------------------------------------------------------------------------------- */

static void
note_names(struct check *k, struct map *to, const struct val *map)
{
	for (uint32_t i = 0; val_is(map, VAL_MAP) && i < map->n; i++)
		map_put(to, val_key(&map->members[i]), k);
}

static void
note_globals(struct check *k, const struct workflow_spec *spec)
{
	for (size_t i = 0; i < spec->arguments.parameters.n; i++)
		if (spec->arguments.parameters.p[i].name.n)
			map_put(&k->parameters, spec->arguments.parameters.p[i].name, k);
	note_names(k, &k->labels, val_get(k->meta, S("labels")));
	note_names(k, &k->labels, val_get(spec->workflow_metadata, S("labels")));
	note_names(k, &k->labels, val_get(spec->workflow_metadata, S("labelsFrom")));
	note_names(k, &k->annotations, val_get(k->meta, S("annotations")));
	note_names(k, &k->annotations, val_get(spec->workflow_metadata, S("annotations")));
}

static void
check_template_names(struct check *k, const struct workflow_spec *spec)
{
	struct map seen = { 0 };

	for (size_t i = 0; i < spec->templates.n; i++) {
		const struct template *t = &spec->templates.p[i];
		const char *where = str_z(k->arena, arena_fmt(k->arena, "spec.templates[%zu].name", i));

		if (check_field_name(k, t->name, t->src, where))
			check_unique(k, &seen, t->name, t->src, where);
	}
	map_free(&seen);
}

static void
check_entrypoint(struct check *k, struct owner *own)
{
	const struct workflow_spec *spec = &own->spec;
	const struct val *at = val_get(spec->src, S("entrypoint"));
	struct template_state *s;

	if (!spec->entrypoint.n) {
		if (k->mode != VALIDATE_TEMPLATE)
			check_fail(k, spec->src, "spec.entrypoint is required");
		return;
	}
	s = check_resolve_name(k, own, spec->entrypoint, at);
	if (s)
		check_call(k, s, k->mode == VALIDATE_TEMPLATE ? NULL : &spec->arguments, at);
}

static void
check_spec_hooks(struct check *k, struct owner *own)
{
	const struct workflow_spec *spec = &own->spec;

	if (spec->on_exit.n) {
		const struct val *at = val_get(spec->src, S("onExit"));
		struct template_state *s = check_resolve_name(k, own, spec->on_exit, at);

		if (s)
			check_call(k, s, k->mode == VALIDATE_TEMPLATE ? NULL : &spec->arguments, at);
	}
	for (size_t i = 0; i < spec->hooks.n; i++) {
		const struct hook *h = &spec->hooks.p[i];
		struct template_state *s = check_resolve(k, own, h->tmpl, h->template_ref, NULL, h->src);

		if (!str_eq(h->name, S("exit")) && !h->expression.n)
			check_fail(k, h->src, "hooks.%.*s Expression required", STR_ARG(h->name));
		check_expression(k, h->expression, val_get(h->src, S("expression")));
		if (str_eq(h->name, S("exit")) && h->expression.n)
			diag_hint(k->diags, check_warn(k, val_get(h->src, S("expression")),
				"hooks.exit of a workflow runs whatever its expression says, as in Argo"),
				"write `when` on the steps of its template");
		if (s) /* a hook without arguments gets the workflow's */
			check_call(k, s, k->mode == VALIDATE_TEMPLATE || !h->arguments.src ? NULL : &h->arguments,
				h->src);
	}
}

static void
check_plugins(struct check *k, const struct val *list)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		const struct val *plugin = &list->items[i], *ctr = val_path(plugin, "spec.sidecar.container");

		if (!val_get_str(val_get(plugin, S("metadata")), "name").n)
			check_fail(k, plugin, "spec.executorPlugins[%u].metadata.name is required", i);
		if (!val_is(ctr, VAL_MAP) || !val_get_str(ctr, "name").n || !val_get_str(ctr, "image").n)
			check_fail(k, plugin, "spec.executorPlugins[%u].spec.sidecar.container must have a name and "
				"an image", i);
	}
}

static void
check_computed_labels(struct check *k, const struct val *labels)
{
	for (uint32_t i = 0; val_is(labels, VAL_MAP) && i < labels->n; i++) {
		const struct val *at = val_get(&labels->members[i].value, S("expression"));
		if (val_is(at, VAL_STR))
			check_expression(k, val_text(at), at);
	}
}

static void
check_pod_patches(struct check *k, const struct workflow_spec *spec)
{
	check_pod_patch(k, val_get(spec->src, S("podSpecPatch")));
	check_pod_patch(k, val_get(spec->template_defaults, S("podSpecPatch")));
	for (size_t i = 0; i < spec->templates.n; i++)
		check_pod_patch(k, val_get(spec->templates.p[i].src, S("podSpecPatch")));
}

static void
check_spec(struct check *k, struct owner *own)
{
	struct workflow_spec *spec = &own->spec;

	check_template_names(k, spec);
	check_arguments(k, &spec->arguments, k->mode != VALIDATE_SUBMIT, "spec.arguments.");
	check_plugins(k, val_get(spec->src, S("executorPlugins")));
	check_computed_labels(k, val_path(spec->src, "workflowMetadata.labelsFrom"));
	check_pod_patches(k, spec);
	check_volumes(k, spec->volumes.p, spec->volumes.n);
	note_globals(k, spec);
	check_entrypoint(k, own);
	k->on_exit = spec->on_exit.n || spec->hooks.n;
	check_spec_hooks(k, own);
	for (size_t i = 0; i < spec->templates.n; i++) {
		struct template_state *s = map_get(&own->by_name, spec->templates.p[i].name);

		if (s)
			check_call(k, s, NULL, spec->templates.p[i].src);
	}
}

/* ---- the objects -------------------------------------------------------------------------------------------- */

/* The spec with that of its workflowTemplateRef below it; NULL if that is missing. */
static const struct val *
merged_spec(struct check *k, const struct val *spec)
{
	const struct val *ref = val_get(spec, S("workflowTemplateRef")), *below;
	const struct val *templates = val_get(spec, S("templates")), *flag = val_get(ref, S("clusterScope"));
	str name = val_get_str(ref, "name");
	struct val cluster = flag ? val_resolve(flag) : val_bool(false);

	if (!val_is(ref, VAL_MAP))
		return spec;
	if (val_is(templates, VAL_LIST) && templates->n)
		check_fail(k, templates, "Templates is invalid field in spec if workflow referred WorkflowTemplate "
			"reference");
	k->home = ref;
	if (!name.n) {
		check_fail(k, ref, "spec.workflowTemplateRef.name is required");
		return NULL;
	}
	cluster.b = cluster.kind == VAL_BOOL && cluster.b;
	below = k->world ? k->world->template_spec(k->world->arg, cluster.b, k->ns, name) : NULL;
	if (!below) {
		const struct val *at = val_get(ref, S("name"));
		struct diag *x = cluster.b ? check_fail(k, at, "couldn't find cluster workflow template \"%.*s\"",
			STR_ARG(name))
		                           : check_fail(k, at,
			"couldn't find workflow template \"%.*s\" in namespace \"%.*s\"", STR_ARG(name),
			STR_ARG(k->ns));
		check_hint_template(k, x, cluster.b, name);
		return NULL;
	}
	check_report_later(k, below, &workflow_spec_schema, ref, str_z(k->arena, name));
	return val_merge(k->arena, run_joined_spec(k->arena, k->world->defaults, below), spec);
}

static void
check_name_length(struct check *k, const char *kind, size_t max)
{
	str name = val_get_str(k->meta, "name");

	if (name.n > max)
		check_fail(k, val_get(k->meta, S("name")), "%s name \"%.*s\" must not be more than %zu characters "
			"long (currently %zu)", kind,
			STR_ARG(name), max, name.n);
}

static void
check_free(struct check *k)
{
	for (struct owner *o = k->owners; o; o = o->next)
		map_free(&o->by_name);
	map_free(&k->parameters);
	map_free(&k->labels);
	map_free(&k->annotations);
	map_free(&k->global_parameters);
	map_free(&k->global_artifacts);
	buf_free(&k->prefix);
	diags_free(&k->quiet);
	arena_free(k->arena);
}

void
workflow_validate(const struct val *manifest, enum validate_mode mode, const struct run_world *w, str ns,
	struct diags *d)
{
	struct check k = { .arena = arena_new(), .diags = d, .root = manifest, .world = w, .mode = mode };
	str kind = val_get_str(manifest, "kind"), own_ns;
	const struct val *spec = val_get(manifest, S("spec"));
	bool cron = str_eq(kind, S("CronWorkflow"));

	diags_init(&k.quiet);
	k.meta = val_get(manifest, S("metadata"));
	own_ns = val_get_str(k.meta, "namespace");
	k.ns = own_ns.n ? own_ns : ns;
	check_name_length(&k, cron ? "cron workflow" : str_eq(kind, S("Workflow")) ? "workflow" : "workflow template",
		cron ? 52 : 63);
	if (cron)
		check_cron(&k, spec);
	k.home = spec;
	if (cron) {
		k.meta = val_get(spec, S("workflowMetadata"));
		spec = val_get(spec, S("workflowSpec"));
	}
	if (val_is(spec, VAL_MAP)) {
		check_expressions(&k, spec);
		spec = merged_spec(&k, spec);
		if (spec)
			check_spec(&k, check_owner(&k, spec, false, S("")));
	}
	check_free(&k);
}
