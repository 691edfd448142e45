/* SPDX-License-Identifier: Apache-2.0 */
/* Revisions of templates: what they said before, and back to it. Argo has no counterpart. */
#include "api/rest.h"
#include "config/revisions.h"

struct asking {
	struct api *api;
	struct http_req *req;
	const struct resource *res;
	str kind, ns, name;
	int64_t number; /* 0: the newest */
	struct revision *list;
	size_t n;
	struct revision one;
};

/* Answers and returns NULL where no revisions are kept. */
static struct asking *
ask(struct api *api, struct http_req *r, const struct resource *res)
{
	if (!revisions_has_kind(objects_kind(api->env.objects, str_c(res->kind)))) {
		rest_failf(r, ERR_NOT_FOUND, "no revisions are kept of a %s", res->kind);
		return NULL;
	}
	struct asking *q = ARENA_NEW(http_req_arena(r), struct asking);
	*q = (struct asking){ .api = api, .req = r, .res = res, .kind = str_c(res->kind), .name = http_req_var(r, "name") };
	q->ns = res->cluster ? S("") : rest_ns(api, r, true);
	return q;
}

static void
add_head(struct val_map *m, const struct revision *v, struct arena *a)
{
	val_map_add(m, S("revision"), val_int(v->number));
	val_map_add(m, S("createdAt"), val_str(time_rfc3339(a, v->at)));
	val_map_add(m, S("hash"), val_str(v->hash));
	val_map_add(m, S("origin"), val_str(v->origin));
}

/* ---- all ---------------------------------------------------------------------------------------------------- */

static int
read_list(sqlite3 *db, void *arg, struct err *e)
{
	struct asking *q = arg;
	return revisions_list(db, q->kind, q->ns, q->name, http_req_arena(q->req), &q->list, &q->n, e);
}

static void
list_read(void *arg, const struct err *e)
{
	struct asking *q = arg;
	struct arena *a = http_req_arena(q->req);
	struct val_list items = { 0 };
	struct val_map out = { 0 };
	if (e) {
		rest_fail(q->req, e);
		return;
	}
	if (!q->n) {
		rest_failf(q->req, ERR_NOT_FOUND, "%s.argoproj.io \"%.*s\" not found", objects_kind(q->api->env.objects, q->kind)->plural, STR_ARG(q->name));
		return;
	}
	for (size_t i = 0; i < q->n; i++) {
		struct val_map m = { 0 };
		add_head(&m, &q->list[i], a);
		val_list_add(&items, val_map_end(&m, a));
	}
	val_map_add(&out, S("items"), val_list_end(&items, a));
	struct val v = val_map_end(&out, a);
	rest_reply(q->req, &v);
}

void
list_revisions(struct api *api, struct http_req *r, const struct resource *res)
{
	struct asking *q = ask(api, r, res);
	if (q)
		store_read(api->env.store, read_list, q, list_read);
}

/* ---- one ---------------------------------------------------------------------------------------------------- */

static int
read_one(sqlite3 *db, void *arg, struct err *e)
{
	struct asking *q = arg;
	return revisions_get(db, q->kind, q->ns, q->name, q->number, http_req_arena(q->req), &q->one, e);
}

static void
one_read(void *arg, const struct err *e)
{
	struct asking *q = arg;
	struct val_map out = { 0 };
	if (e) {
		rest_fail(q->req, e);
		return;
	}
	add_head(&out, &q->one, http_req_arena(q->req));
	val_map_add(&out, S("manifest"), q->one.manifest);
	struct val v = val_map_end(&out, http_req_arena(q->req));
	rest_reply(q->req, &v);
}

void
get_revision(struct api *api, struct http_req *r, const struct resource *res)
{
	struct asking *q = ask(api, r, res);
	if (!q)
		return;
	if (!str_to_i64(http_req_var(r, "revision"), &q->number) || q->number < 1)
		rest_failf(r, ERR_INVALID, "a revision is a number from 1 on");
	else
		store_read(api->env.store, read_one, q, one_read);
}

/* ---- back --------------------------------------------------------------------------------------------------- */

static void
back_read(void *arg, const struct err *e)
{
	struct asking *q = arg;
	struct object *now = e ? NULL : rest_find_object(q->api, q->req, q->res);
	if (e)
		rest_fail(q->req, e);
	if (!now)
		return;
	str origin = arena_fmt(http_req_arena(q->req), "rollback to %lld", (long long)q->one.number);
	rest_put_object(q->api, q->req, &q->one.manifest, now, origin);
}

void
rollback_object(struct api *api, struct http_req *r, const struct resource *res)
{
	struct val body;
	struct asking *q = ask(api, r, res);
	struct object *now = q ? rest_find_object(api, r, res) : NULL;
	if (!now || !rest_body(r, &body))
		return;
	if (now->file.n) {
		rest_failf(r, ERR_EXISTS, "it comes from %.*s, which would bring the new one back: change it there "
			"(`tidegate template get %.*s --revision N` prints an old one)", STR_ARG(now->file), STR_ARG(now->name));
		return;
	}
	const struct val *to = val_get(&body, S("revision"));
	q->number = (int64_t)now->revision - 1;
	if ((to && !val_to_i64(to, &q->number)) || q->number < 1)
		rest_failf(r, ERR_INVALID, to ? "a revision is a number from 1 on" : "it has no earlier revision");
	else
		store_read(api->env.store, read_one, q, back_read);
}
