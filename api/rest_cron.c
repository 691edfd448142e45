/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CronWorkflows beyond what all objects have: suspend and resume (spec 7.2, rows 36 and 37), and ours, slots and
 * backfill. What came through the API is suspended in its manifest, as Argo's server does; what came from a file beside
 * it.
 */
#include "api/bodies.h"
#include "api/rest.h"
#include "engine/engine.h"

enum { SLOTS_DEFAULT = 20, SLOTS_MAX = 10000 };

static const struct resource *
cron_resource(void)
{
	const struct resource *res = resources;
	while (strcmp(res->kind, "CronWorkflow") != 0)
		res++;
	return res;
}

/* ---- suspend, resume ----------------------------------------------------------------------------------------- */

struct holding {
	struct api *api;
	struct http_req *req;
	str ns, name;
};

static void
held(void *arg)
{
	struct holding *h = arg;
	const struct object *o = rest_find_object(h->api, h->req, cron_resource());
	if (o)
		rest_reply(h->req, rest_object_view(h->api, h->req, o));
}

static void
hold_file(struct api *api, struct http_req *r, const struct object *o, bool on)
{
	struct holding *h = ARENA_NEW(http_req_arena(r), struct holding);
	struct err e;
	*h = (struct holding){ .api = api, .req = r };
	if (engine_cron_hold(api->env.engine, o->ns, o->name, on, held, h, &e) < 0)
		rest_fail(r, &e);
}

static const struct val *
with_suspend(struct arena *a, const struct val *v, bool on)
{
	const struct val flag = val_bool(on);
	return val_set(a, v, S("spec"), val_set(a, val_get(v, S("spec")), S("suspend"), &flag));
}

static void
hold(struct api *api, struct http_req *r, bool on)
{
	struct arena *a = http_req_arena(r);
	struct val body;
	struct object *o = rest_find_object(api, r, cron_resource());
	if (!o || !rest_body(r, &body) || !body_is_good(r, &body_suspend, &body))
		return;
	if (o->file.n) {
		hold_file(api, r, o, on);
		return;
	}
	const struct val *answer = with_suspend(a, rest_object_view(api, r, o), on);
	rest_put_answering(api, r, with_suspend(a, o->manifest, on), o, answer, rest_origin(r));
}

void
suspend_cron(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	hold(api, r, true);
}

void
resume_cron(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	hold(api, r, false);
}

/* ---- slots --------------------------------------------------------------------------------------------------- */

static bool
time_arg(struct http_req *r, const char *name, int64_t *out)
{
	struct err e;
	str text = http_req_arg(r, name);
	if (!text.n || time_parse_rfc3339(text, out, &e) == 0)
		return true;
	(void)err_wrap(&e, "%s", name);
	rest_fail(r, &e);
	return false;
}

void
list_slots(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	int64_t from = loop_now(api->env.loop), to = INT64_MAX, limit = rest_int(r, "limit", SLOTS_DEFAULT);
	struct val out;
	struct err e;
	if (!time_arg(r, "from", &from) || !time_arg(r, "to", &to))
		return;
	if (limit < 1 || limit > SLOTS_MAX)
		rest_failf(r, ERR_INVALID, "limit: must be 1 to %d", SLOTS_MAX);
	else if (engine_cron_slots(api->env.engine, rest_ns(api, r, true), http_req_var(r, "name"), from, to,
			 (size_t)limit, http_req_arena(r), &out, &e) < 0)
		rest_fail(r, &e);
	else
		rest_reply(r, &out);
}

/* ---- backfill ------------------------------------------------------------------------------------------------ */

static void
backfilled(void *arg)
{
	struct holding *h = arg;
	engine_get(h->api->env.engine, h->ns, h->name, rest_wants_nodes(h->req), rest_answer_workflow, h->req);
}

static void
start_slot(struct api *api, struct http_req *r, const struct cron_backfill *b)
{
	struct arena *a = http_req_arena(r);
	struct holding *h = ARENA_NEW(a, struct holding);
	struct diags found;
	struct err e;
	*h = (struct holding){ .api = api, .req = r, .ns = rest_ns(api, r, true) };
	diags_init(&found);
	if (engine_cron_backfill(
		    api->env.engine, h->ns, http_req_var(r, "name"), b, a, &h->name, backfilled, h, &found, &e) < 0)
		rest_fail(r, &e);
	diags_free(&found);
}

void
backfill_slot(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct val body;
	struct cron_backfill b = { 0 };
	struct err e;
	if (!rest_body(r, &body) || !body_is_good(r, &body_backfill, &body))
		return;
	if (time_parse_rfc3339(val_get_str(&body, "scheduledTime"), &b.slot, &e) < 0) {
		rest_failf(r, ERR_INVALID, "scheduledTime: %s", e.msg);
		return;
	}
	b.name = val_get_str(&body, "name");
	if (rest_list_pairs(r, val_get(&body, S("parameters")), &b.parameters))
		start_slot(api, r, &b);
}
