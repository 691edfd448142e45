/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of workflows, and the archive (spec 7.2, rows 1 and 38 to 44). There is one store: a finished workflow is in the
 * ordinary list and in the archive, until it is deleted from both.
 */
#include "api/bodies.h"
#include "api/rest.h"
#include "engine/engine.h"

struct listing {
	struct http_req *req;
	struct list_query query;
};

static void
answer_list(void *arg, const struct list_answer *answer, const struct err *e)
{
	struct listing *l = arg;
	struct arena *a = http_req_arena(l->req);
	if (e) {
		rest_fail(l->req, e);
		return;
	}
	struct val_map meta = { 0 }, out = { 0 };
	if (answer->more)
		val_map_add(&meta, S("continue"), val_str(arena_fmt(a, "%zu", l->query.offset + l->query.limit)));
	if (l->query.count)
		val_map_add(&meta, S("remainingItemCount"), val_int((int64_t)answer->remaining));
	val_map_add(&out, S("metadata"), val_map_end(&meta, a));
	val_map_add(&out, S("items"), answer->workflows->n ? *answer->workflows : val_null()); /* Argo's empty list is null */
	struct val v = val_map_end(&out, a);
	rest_reply(l->req, fields_select(a, &v, http_req_arg(l->req, "fields")));
}

static bool
read_name_filter(struct http_req *r, enum name_match *out)
{
	static const char *const words[] = { "Exact", "Contains", "Prefix", "NotEquals" };
	str how = http_req_arg(r, "nameFilter");
	*out = NAME_EXACT;
	if (!how.n)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(how, str_c(words[i]))) {
			*out = (enum name_match)i;
			return true;
		}
	rest_failf(r, ERR_INVALID, "unknown nameFilter \"%.*s\": there are Exact, Contains, Prefix and NotEquals", STR_ARG(how));
	return false;
}

/* Ours: nodes=open leaves out those of finished workflows, which may be many. */
static enum list_nodes
wanted_nodes(struct http_req *r)
{
	if (!fields_want_nodes(http_req_arg(r, "fields"), S("items.status.nodes")))
		return LIST_NODES_NONE;
	return str_eq(http_req_arg(r, "nodes"), S("open")) ? LIST_NODES_OPEN : LIST_NODES_ALL;
}

/* Ours beyond Argo's: parameter=k=v and output=k=v, each once or as a comma list. */
static void
list(struct api *api, struct http_req *r, struct list_query q)
{
	struct listing *l = ARENA_NEW(http_req_arena(r), struct listing);
	struct rest_page page;
	q.label_selector = http_req_arg(r, "listOptions.labelSelector");
	q.field_selector = http_req_arg(r, "listOptions.fieldSelector");
	q.count = str_find(q.field_selector, S("ext.showRemainingItemCount=true"), 0) != SIZE_MAX;
	if (!rest_time(r, "createdAfter", &q.created_after) || !rest_time(r, "finishedBefore", &q.finished_before) ||
	    !rest_read_page(r, &page) || !rest_text_pairs(r, http_req_arg(r, "parameter"), &q.parameters) ||
	    !rest_text_pairs(r, http_req_arg(r, "output"), &q.outputs) || (!q.name.n && !read_name_filter(r, &q.name_match)))
		return;
	q.offset = page.offset;
	q.limit = page.limit;
	*l = (struct listing){ r, q };
	engine_list(api->env.engine, &q, answer_list, l);
}

void
list_workflows(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	list(api, r, (struct list_query){ .ns = rest_ns(api, r, false), .nodes = wanted_nodes(r) });
}

/* ---- the archive -------------------------------------------------------------------------------------------- */

void
list_archived(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct list_query q = { .ns = http_req_arg(r, "namespace"), .name = http_req_arg(r, "namePrefix"), .name_match = NAME_PREFIX, .only_finished = true };
	list(api, r, q);
}

/* A request for a finished workflow by its uid: it is looked up, and what follows is done to its name. */
struct by_uid {
	struct api *api;
	struct http_req *req;
	void (*go_on)(struct by_uid *u, const struct val *workflow);
	enum verb verb;
	struct verb_options options;
};

static void
found(void *arg, const struct list_answer *answer, const struct err *e)
{
	struct by_uid *u = arg;
	str uid = http_req_var(u->req, "uid"), ns = http_req_arg(u->req, "namespace"), name = http_req_arg(u->req, "name");
	if (e) {
		rest_fail(u->req, e);
		return;
	}
	const struct val *w = val_at(answer->workflows, 0), *meta = val_get(w, S("metadata"));
	bool other = (ns.n && !str_eq(ns, val_get_str(meta, "namespace"))) || (name.n && !str_eq(name, val_get_str(meta, "name")));
	if (!w || other)
		rest_failf(u->req, ERR_NOT_FOUND, "archived workflow with uid \"%.*s\" not found", STR_ARG(uid));
	else
		u->go_on(u, w);
}

static void
look_up(struct api *api, struct http_req *r, enum list_nodes nodes, struct by_uid u)
{
	struct arena *a = http_req_arena(r);
	struct by_uid *kept = ARENA_NEW(a, struct by_uid);
	*kept = u;
	kept->api = api;
	kept->req = r;
	struct list_query q = { .uid = http_req_var(r, "uid"), .only_finished = true, .nodes = nodes, .limit = 1 };
	engine_list(api->env.engine, &q, found, kept);
}

static void
answer(struct by_uid *u, const struct val *workflow)
{
	rest_answer_workflow(u->req, workflow, NULL);
}

static void
apply_verb(struct by_uid *u, const struct val *workflow)
{
	const struct val *meta = val_get(workflow, S("metadata"));
	u->options.bare = !rest_wants_nodes(u->req);
	engine_verb(u->api->env.engine, u->verb, val_get_str(meta, "namespace"), val_get_str(meta, "name"), &u->options, rest_answer_workflow, u->req);
}

void
get_archived(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	look_up(api, r, rest_wants_nodes(r) ? LIST_NODES_ALL : LIST_NODES_NONE, (struct by_uid){ .go_on = answer });
}

void
delete_archived(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	look_up(api, r, LIST_NODES_NONE, (struct by_uid){ .go_on = apply_verb, .verb = VERB_DELETE });
}

static void
verb_archived(struct api *api, struct http_req *r, enum verb v, const struct schema *known)
{
	struct by_uid u = { .go_on = apply_verb, .verb = v };
	struct val body;
	if (rest_body(r, &body) && body_is_good(r, known, &body) && rest_verb_options(r, &body, &u.options))
		look_up(api, r, LIST_NODES_NONE, u);
}

void
retry_archived(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	verb_archived(api, r, VERB_RETRY, &body_retry);
}

void
resubmit_archived(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	verb_archived(api, r, VERB_RESUBMIT, &body_resubmit);
}

/* ---- its labels --------------------------------------------------------------------------------------------- */

static void
answer_texts(void *arg, const struct val *texts, const struct err *e)
{
	struct http_req *r = arg;
	struct val_map out = { 0 };
	if (e) {
		rest_fail(r, e);
		return;
	}
	val_map_add(&out, S("items"), texts->n ? *texts : val_null());
	struct val v = val_map_end(&out, http_req_arena(r));
	rest_reply(r, &v);
}

void
list_label_keys(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	engine_label_keys(api->env.engine, answer_texts, r);
}

/* The key is the selector, as in Argo. */
void
list_label_values(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	str key = http_req_arg(r, "listOptions.labelSelector");
	if (key.n)
		engine_label_values(api->env.engine, key, answer_texts, r);
	else
		rest_failf(r, ERR_INVALID, "only allow to search one label key: give it as listOptions.labelSelector");
}
