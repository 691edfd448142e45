/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that is kept as configuration: templates, cron workflows, event sources, sensors, bindings (spec 7.2, rows 18
 * to 35 and 46 to 66). What comes in here is kept in the store; what came from a file can only be changed there.
 */
#include "api/bodies.h"
#include "api/rest.h"
#include "config/kept.h"
#include "config/revisions.h"
#include "engine/engine.h"
#include "engine/selector.h"

const struct resource resources[] = {
	{ "workflow-templates", "WorkflowTemplate", "template", false, &body_template },
	{ "cluster-workflow-templates", "ClusterWorkflowTemplate", "template", true, &body_cluster_template },
	{ "cron-workflows", "CronWorkflow", "cronWorkflow", false, &body_cron_workflow },
	{ "workflow-event-bindings", "WorkflowEventBinding", "workflowEventBinding", false, NULL },
	{ "event-sources", "EventSource", "eventSource", false, NULL },
	{ "sensors", "Sensor", "sensor", false, NULL },
	{ 0 },
};

static const struct kind *
kind_of(const struct api *api, const struct resource *res)
{
	return objects_kind(api->env.objects, str_c(res->kind));
}

/* ---- the store ---------------------------------------------------------------------------------------------- */

struct reply {
	struct arena *arena;
	struct http_req *req;
	struct val answer;
};

static void
on_disk(void *arg)
{
	struct reply *p = arg;
	rest_reply(p->req, &p->answer);
	arena_free(p->arena);
}

/* What answers with `answer` once the change is on disk. */
static struct reply *
reply_with(struct http_req *r, const struct val *answer)
{
	struct arena *a = arena_new();
	struct reply *p = ARENA_NEW(a, struct reply);
	*p = (struct reply){ a, r, val_copy(a, answer) };
	return p;
}

static void
changed(struct api *api)
{
	if (api->env.changed)
		api->env.changed(api->env.arg);
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

const struct val *
rest_object_view(struct api *api, struct http_req *r, const struct object *o)
{
	return o->kind == &kind_cronworkflow ? engine_cron_view(api->env.engine, o, http_req_arena(r)) : o->manifest;
}

/* Of what is shown: a CronWorkflow that has stopped says so in a label. */
static str
label_of(void *arg, str key)
{
	const struct val *v = val_get(val_path(arg, "metadata.labels"), key);
	return val_is(v, VAL_STR) ? val_text(v) : STR_NONE;
}

static str
field_of(void *arg, str key)
{
	const struct object *o = arg;
	return str_eq(key, S("metadata.name")) ? o->name : o->ns;
}

/* What a list is to have. */
struct wanted {
	str ns, pattern;
	struct selector labels, fields;
};

static int
read_wanted(struct api *api, struct http_req *r, const struct resource *res, struct wanted *w, struct err *e)
{
	struct arena *a = http_req_arena(r);
	w->ns = res->cluster ? STR_NONE : rest_ns(api, r, false);
	w->pattern = http_req_arg(r, "namePattern");
	if (selector_parse(a, arena_dup(a, http_req_arg(r, "listOptions.labelSelector")), &w->labels, e) ||
	    selector_parse(a, arena_dup(a, http_req_arg(r, "listOptions.fieldSelector")), &w->fields, e))
		return -1;
	for (size_t i = 0; i < w->fields.n; i++)
		if (!str_eq(w->fields.p[i].key, S("metadata.name")) && !str_eq(w->fields.p[i].key, S("metadata.namespace")))
			return err_set(e, ERR_INVALID, "field selector: \"%.*s\" is not known; there are metadata.name and metadata.namespace",
				STR_ARG(w->fields.p[i].key));
	return 0;
}

/* *view is set where it is. */
static bool
is_wanted(const struct wanted *w, struct api *api, struct http_req *r, struct object *o, struct val *view)
{
	if ((w->ns.n && !str_eq(o->ns, w->ns)) || (w->pattern.n && str_find(o->name, w->pattern, 0) == SIZE_MAX) ||
	    !selector_match(&w->fields, field_of, o))
		return false;
	*view = *rest_object_view(api, r, o);
	return selector_match(&w->labels, label_of, view);
}

void
list_objects(struct api *api, struct http_req *r, const struct resource *res)
{
	struct arena *a = http_req_arena(r);
	struct wanted w;
	struct rest_page page;
	struct err e;
	if (read_wanted(api, r, res, &w, &e)) {
		rest_fail(r, &e);
		return;
	}
	if (!rest_read_page(r, &page))
		return;
	struct val_list items = { 0 };
	struct val_map meta = { 0 }, out = { 0 };
	struct val view;
	size_t at = 0, seen = 0;
	for (struct object *o; (o = objects_next(api->env.objects, kind_of(api, res), &at));) {
		if (!is_wanted(&w, api, r, o, &view) || seen++ < page.offset)
			continue;
		if (seen - page.offset > page.limit) {
			val_map_add(&meta, S("continue"), val_str(arena_fmt(a, "%zu", page.offset + page.limit)));
			break;
		}
		val_list_add(&items, view);
	}
	struct val list = val_list_end(&items, a);
	val_map_add(&out, S("metadata"), val_map_end(&meta, a));
	val_map_add(&out, S("items"), list.n ? list : val_null());
	struct val v = val_map_end(&out, a);
	rest_reply(r, fields_select(a, &v, http_req_arg(r, "fields")));
}

static struct object *
find_named(struct api *api, struct http_req *r, const struct resource *res, str ns, str name)
{
	struct object *o = objects_find(api->env.objects, kind_of(api, res), ns, name);
	if (!o)
		rest_failf(r, ERR_NOT_FOUND, "%s.argoproj.io \"%.*s\" not found", kind_of(api, res)->plural, STR_ARG(name));
	return o;
}

struct object *
rest_find_object(struct api *api, struct http_req *r, const struct resource *res)
{
	return find_named(api, r, res, rest_ns(api, r, true), http_req_var(r, "name"));
}

void
get_object(struct api *api, struct http_req *r, const struct resource *res)
{
	struct object *o = rest_find_object(api, r, res);
	if (o)
		rest_reply(r, fields_select(http_req_arena(r), rest_object_view(api, r, o), http_req_arg(r, "fields")));
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

/* The object of the body, with what the path says about it; `dry`: it is only to be checked. Answers and returns NULL if there is none. */
static const struct val *
body_object(struct api *api, struct http_req *r, const struct resource *res, bool *dry)
{
	struct arena *a = http_req_arena(r);
	struct val body;
	if (!rest_body(r, &body))
		return NULL;
	const struct val *v = val_get(&body, str_c(res->key));
	if (!val_is(v, VAL_MAP)) {
		rest_failf(r, ERR_INVALID, "the body needs a \"%s\"", res->key);
		return NULL;
	}
	if (!body_is_good(r, res->body, &body))
		return NULL;
	*dry = body_is_dry(&body);
	struct val kind = val_cstr(res->kind), version = val_cstr(kind_of(api, res)->api);
	v = val_set(a, val_set(a, v, S("apiVersion"), &version), S("kind"), &kind);
	const struct val *meta = val_get(v, S("metadata"));
	if (!res->cluster && !val_get_str(meta, "namespace").n) {
		struct val ns = val_str(rest_ns(api, r, true));
		v = val_set(a, v, S("metadata"), val_set(a, meta, S("namespace"), &ns));
	}
	return v;
}

/* Answers and returns false if it was made from another version than the one in force: that one's changes would be lost. Without a version it
 * is taken as it is. */
static bool
is_of_version(struct http_req *r, const struct val *v, const struct object *before)
{
	str own = val_get_str(val_get(v, S("metadata")), "resourceVersion"),
	    there = val_get_str(val_get(before->manifest, S("metadata")), "resourceVersion");
	if (!own.n || str_eq(own, there))
		return true;
	rest_failf(r, ERR_EXISTS, "%s.argoproj.io \"%.*s\" has been changed meanwhile: get it again, and change that", before->kind->plural,
		STR_ARG(before->name));
	return false;
}

/* Decodes and resolves names; answers and returns NULL if something is wrong. */
static struct object *
decode(struct api *api, struct http_req *r, const struct val *v)
{
	struct diags d;
	diags_init(&d);
	struct object *o = kept_decode(api->env.objects, v, rest_ns(api, r, true), &d);
	if (!o)
		rest_fail_diags(r, &d, NULL);
	diags_free(&d);
	return o;
}

bool
rest_is_from_file(struct http_req *r, const struct object *o)
{
	if (o && o->file.n)
		rest_failf(r, ERR_EXISTS, "it comes from %.*s: change it there", STR_ARG(o->file));
	return o && o->file.n;
}

/* Checked and answered with, and no more. */
static void
answer_checked(struct api *api, struct http_req *r, const struct val *v)
{
	struct object *o = decode(api, r, v);
	if (o)
		rest_reply(r, v);
	object_unref(o);
}

void
lint_object(struct api *api, struct http_req *r, const struct resource *res)
{
	bool dry;
	const struct val *v = body_object(api, r, res, &dry);
	if (v)
		answer_checked(api, r, v);
}

void
rest_put_answering(struct api *api, struct http_req *r, const struct val *v, struct object *before, const struct val *answer, str origin)
{
	if (before)
		object_ref(before); /* its identity goes into the answer, and its place in the set is taken before that is made */
	v = kept_identity(api->env.objects, http_req_arena(r), v, before, loop_now(api->env.loop));
	struct object *o = decode(api, r, v);
	if (o) {
		revisions_origin(api->env.revisions, origin);
		kept_put(api->env.store, api->env.objects, o, v, on_disk, reply_with(r, answer ? answer : v));
		changed(api);
	}
	object_unref(o);
	object_unref(before);
}

void
rest_put_object(struct api *api, struct http_req *r, const struct val *v, struct object *before, str origin)
{
	rest_put_answering(api, r, v, before, NULL, origin);
}

/* "api, 127.0.0.1" */
str
rest_origin(struct http_req *r)
{
	str peer = http_req_peer(r);
	size_t end = peer.n;
	while (end && peer.p[end - 1] != ':')
		end--;
	return arena_fmt(http_req_arena(r), "api, %.*s", STR_ARG(str_slice(peer, 0, end ? end - 1 : peer.n)));
}

void
create_object(struct api *api, struct http_req *r, const struct resource *res)
{
	bool dry;
	const struct val *v = body_object(api, r, res, &dry);
	if (!v || (!res->cluster && !rest_is_of_path(r, v)))
		return;
	const struct val *meta = val_get(v, S("metadata"));
	str name = val_get_str(meta, "name");
	if (name.n && objects_find(api->env.objects, kind_of(api, res), val_get_str(meta, "namespace"), name)) {
		rest_failf(r, ERR_EXISTS, "%s.argoproj.io \"%.*s\" already exists", kind_of(api, res)->plural, STR_ARG(name));
		return;
	}
	if (dry) {
		answer_checked(api, r, v);
		return;
	}
	rest_put_object(api, r, v, NULL, rest_origin(r));
}

static void
replace(struct api *api, struct http_req *r, const struct val *v, struct object *before, bool dry)
{
	if (!is_of_version(r, v, before))
		return;
	if (dry)
		answer_checked(api, r, v);
	else
		rest_put_object(api, r, v, before, rest_origin(r));
}

void
update_object(struct api *api, struct http_req *r, const struct resource *res)
{
	struct object *before = rest_find_object(api, r, res);
	if (!before || rest_is_from_file(r, before))
		return;
	bool dry;
	const struct val *v = body_object(api, r, res, &dry);
	if (!v || (!res->cluster && !rest_is_of_path(r, v)))
		return;
	str name = val_get_str(val_get(v, S("metadata")), "name");
	if (str_eq(name, before->name))
		replace(api, r, v, before, dry);
	else
		rest_failf(r, ERR_INVALID, "metadata.name \"%.*s\" is not the name in the path", STR_ARG(name));
}

void
update_object_named(struct api *api, struct http_req *r, const struct resource *res)
{
	bool dry;
	const struct val *v = body_object(api, r, res, &dry), *meta = v ? val_get(v, S("metadata")) : NULL;
	if (!v || (!res->cluster && !rest_is_of_path(r, v)))
		return;
	struct object *before = find_named(api, r, res, val_get_str(meta, "namespace"), val_get_str(meta, "name"));
	if (before && !rest_is_from_file(r, before))
		replace(api, r, v, before, dry);
}

void
delete_object(struct api *api, struct http_req *r, const struct resource *res)
{
	struct object *o = rest_find_object(api, r, res);
	if (!o || rest_is_from_file(r, o))
		return;
	struct val empty = { .kind = VAL_MAP };
	kept_del(api->env.store, api->env.objects, o->kind, o->ns, o->name, on_disk, reply_with(r, &empty));
	changed(api);
}
