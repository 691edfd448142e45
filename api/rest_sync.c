/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of semaphores (spec 7.2, rows 51 to 54): keys of ConfigMaps, and those with a database key. Messages are those of
 * Argo's server (server/sync, v4.1.2).
 */
#include "api/rest.h"
#include "engine/engine.h"

struct sync_request {
	str ns, key, cm;
	bool database;
	int64_t limit; /* 0: not given, or no number above zero */
};

static const struct {
	const char *name;
	bool database;
} types[] = { { "CONFIGMAP", false }, { "0", false }, { "", false }, { "DATABASE", true }, { "1", true } };

static bool
read_type(struct http_req *r, str text, struct sync_request *q)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		q->database = types[i].database;
		if (str_eq(text, str_c(types[i].name)))
			return true;
	}
	rest_failf(r, ERR_INVALID, "unsupported sync config type: %.*s", STR_ARG(text));
	return false;
}

static str
text_of(struct arena *a, const struct val *body, const char *name)
{
	const struct val *v = val_get(body, str_c(name));
	return !v || v->kind == VAL_NULL ? S("") : v->kind == VAL_STR ? val_text(v) : json_write(a, v);
}

/* What path, query and body say. Answers and returns false if it is wrong. */
static bool
read_request(struct api *api, struct http_req *r, bool has_body, struct sync_request *q)
{
	struct arena *a = http_req_arena(r);
	struct val body = { .kind = VAL_MAP };
	if (has_body && !rest_body(r, &body))
		return false;
	str key = http_req_var(r, "key"), cm = http_req_arg(r, "cmName"), type = http_req_arg(r, "type");
	*q = (struct sync_request){ .ns = rest_ns(api, r, true), .key = key.n ? key : text_of(a, &body, "key") };
	q->cm = cm.n ? cm : text_of(a, &body, "cmName");
	if (!str_to_i64(text_of(a, &body, "limit"), &q->limit) || q->limit > INT32_MAX)
		q->limit = 0;
	if (!read_type(r, type.n ? type : text_of(a, &body, "type"), q))
		return false;
	if (has_body && q->limit < 1)
		rest_failf(r, ERR_INVALID, "limit must be greater than zero");
	else if (!q->key.n)
		rest_failf(r, ERR_INVALID, "key is required");
	else if (!q->database && !q->cm.n)
		rest_failf(r, ERR_INVALID, "cmName is required when type is CONFIGMAP");
	else
		return true;
	return false;
}

static struct val
answer(struct arena *a, const struct sync_request *q)
{
	struct val_map m = { 0 };
	val_map_add_str(&m, S("cmName"), q->database ? S("") : q->cm);
	val_map_add(&m, S("key"), val_str(q->key));
	val_map_add(&m, S("limit"), val_int(q->limit));
	val_map_add(&m, S("namespace"), val_str(q->ns));
	val_map_add(&m, S("type"), val_cstr(q->database ? "DATABASE" : "CONFIGMAP"));
	return val_map_end(&m, a);
}

/* ---- keys of ConfigMaps ------------------------------------------------------------------------------------------ */

static struct object *
config_map_of(struct api *api, const struct sync_request *q)
{
	return objects_find_named(api->env.objects, "ConfigMap", q->ns, q->cm);
}

/* The value of the key; NULL, with an answer, if there is none. */
static const struct val *
find_key(struct http_req *r, const struct object *o, const struct sync_request *q, const char *hint)
{
	const struct val *v = o ? val_get(val_get(o->manifest, S("data")), q->key) : NULL;
	if (!o)
		rest_failf(r, ERR_NOT_FOUND, "configmaps \"%.*s\" not found", STR_ARG(q->cm));
	else if (!v)
		rest_failf(r, ERR_NOT_FOUND, "key %.*s not found in configmap %.*s/%.*s%s", STR_ARG(q->key), STR_ARG(q->ns),
			STR_ARG(q->cm), hint);
	return v;
}

/* The ConfigMap with its data changed; made if `o` is NULL. */
static const struct val *
with_data(struct arena *a, const struct object *o, const struct sync_request *q, const struct val *data)
{
	struct val empty = { .kind = VAL_MAP }, name = val_str(q->cm), ns = val_str(q->ns), kind = val_cstr("ConfigMap"),
		   version = val_cstr("v1");
	const struct val *v = o ? o->manifest : &empty;
	if (!o) {
		const struct val *meta = val_set(a, val_set(a, &empty, S("name"), &name), S("namespace"), &ns);
		v = val_set(a, val_set(a, v, S("apiVersion"), &version), S("kind"), &kind);
		v = val_set(a, v, S("metadata"), meta);
	}
	return val_set(a, v, S("data"), data);
}

static void
put_key(struct api *api, struct http_req *r, struct object *o, const struct sync_request *q)
{
	struct arena *a = http_req_arena(r);
	struct val limit = val_str(arena_fmt(a, "%lld", (long long)q->limit)), empty = { .kind = VAL_MAP };
	const struct val *data = o ? val_get(o->manifest, S("data")) : NULL;
	struct val done = answer(a, q);
	if (!rest_is_from_file(r, o))
		rest_put_answering(api, r, with_data(a, o, q, val_set(a, data ? data : &empty, q->key, &limit)), o, &done,
			rest_origin(r));
}

/* ---- handlers ---------------------------------------------------------------------------------------------------- */

struct database_answer {
	struct http_req *r;
	struct val v;
};

static void
written(void *arg)
{
	struct database_answer *x = arg;
	rest_reply(x->r, &x->v);
}

static void
put_database(struct api *api, struct http_req *r, const struct sync_request *q)
{
	struct arena *a = http_req_arena(r);
	struct database_answer *x = ARENA_NEW(a, struct database_answer);
	struct val empty = { .kind = VAL_MAP };
	*x = (struct database_answer){ r, q->limit ? answer(a, q) : empty };
	engine_set_sync_limit(api->env.engine, q->ns, q->key, q->limit, written, x);
}

/* Whether there is that limit in the database; answers if that is not as it must be. */
static bool
database_has(struct api *api, struct http_req *r, struct sync_request *q, bool must)
{
	bool has = engine_sync_limit(api->env.engine, q->ns, q->key) != 0;
	if (has && !must)
		rest_failf(r, ERR_EXISTS, "Database sync limit already exists in namespace \"%.*s\".", STR_ARG(q->ns));
	if (!has && must)
		rest_failf(r, ERR_NOT_FOUND, "Database sync limit not found in namespace \"%.*s\".", STR_ARG(q->ns));
	return has == must;
}

void
create_sync(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct sync_request q;
	if (!read_request(api, r, true, &q))
		return;
	if (q.database) {
		if (database_has(api, r, &q, false))
			put_database(api, r, &q);
		return;
	}
	struct object *o = config_map_of(api, &q);
	if (o && val_get(val_get(o->manifest, S("data")), q.key))
		rest_failf(r, ERR_EXISTS, "sync limit cannot be created as it already exists");
	else
		put_key(api, r, o, &q);
}

void
get_sync(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct sync_request q;
	if (!read_request(api, r, false, &q))
		return;
	if (q.database) {
		if (!database_has(api, r, &q, true))
			return;
		q.limit = engine_sync_limit(api->env.engine, q.ns, q.key);
	} else {
		const struct val *v = find_key(r, config_map_of(api, &q), &q, "");
		if (!v)
			return;
		if (!str_to_i64(text_of(http_req_arena(r), val_get(config_map_of(api, &q)->manifest, S("data")), str_z(http_req_arena(r), q.key)), &q.limit)) {
			rest_failf(r, ERR_INVALID, "invalid limit format for key %.*s in configmap %.*s/%.*s", STR_ARG(q.key),
				STR_ARG(q.ns), STR_ARG(q.cm));
			return;
		}
	}
	struct val v = answer(http_req_arena(r), &q);
	rest_reply(r, &v);
}

void
update_sync(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct sync_request q;
	if (!read_request(api, r, true, &q))
		return;
	if (q.database) {
		if (database_has(api, r, &q, true))
			put_database(api, r, &q);
		return;
	}
	struct object *o = config_map_of(api, &q);
	if (find_key(r, o, &q, " - please create it first"))
		put_key(api, r, o, &q);
}

void
delete_sync(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct sync_request q;
	struct arena *a = http_req_arena(r);
	struct val empty = { .kind = VAL_MAP };
	if (!read_request(api, r, false, &q))
		return;
	q.limit = 0;
	if (q.database) {
		if (database_has(api, r, &q, true))
			put_database(api, r, &q);
		return;
	}
	struct object *o = config_map_of(api, &q);
	if (!o)
		(void)find_key(r, o, &q, "");
	else if (!rest_is_from_file(r, o)) /* a key that is not there is gone already, as in Argo */
		rest_put_answering(api, r, with_data(a, o, &q, val_unset(a, val_get(o->manifest, S("data")), q.key)), o, &empty,
			rest_origin(r));
}
