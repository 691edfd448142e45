/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The artifact repository from outside: a file goes in, and what lies there is shown and removed. A file goes to one without a name as it comes
 * (core/net/httpd_spool.c), and from there to its place by tidegate-artifact: it is never in the daemon's memory, and an upload that breaks off leaves nothing.
 * Who may not, and what is too large, is refused before any of it is read. What is here whole is saved, whoever waits for that.
 */
#include <sys/statvfs.h>

#include "api/rest.h"
#include "core/event.h"
#include "core/net/multipart.h"
#include "engine/engine.h"
#include "engine/exec/executor.h"

#define KEY_MAX 1024u
#define RETRY_AFTER "5" /* seconds */
/* Beneath it lies what has no key of its own: no workflow is called so, whose end would take it along. */
#define UPLOADS "_uploads"

struct upload {
	str ns, name, key;
	const struct val *location; /* for an artifact of a manifest */
	struct val place;
	str boundary, field;        /* present: the body is a form */
};

/* ---- keys and places ------------------------------------------------------------------------------------------------- */

static bool
bad_key(struct http_req *r, str key, const char *why)
{
	rest_failf(r, ERR_INVALID, "key \"%.*s\": %s", STR_ARG(str_slice(key, 0, 200)), why);
	return false;
}

/* One that every place can have: whatever is refused elsewhere for it is refused before the file comes. */
static bool
check_key(struct http_req *r, str key)
{
	if (!key.n || key.n > KEY_MAX)
		return bad_key(r, key, "it must have 1 to 1024 bytes");
	for (size_t i = 0; i < key.n; i++)
		if ((unsigned char)key.p[i] < ' ' || key.p[i] == 127)
			return bad_key(r, key, "it has a control character");
	for (str rest = key, part; rest.p && rest.n;) {
		part = str_cut(&rest, '/');
		if (!part.n || str_eq(part, S(".")) || str_eq(part, S("..")) || part.n > 255)
			return bad_key(r, key, "a part between slashes is empty, made of dots or longer than 255 bytes");
	}
	return !str_ends(key, S("/")) || bad_key(r, key, "it ends with a slash");
}

/* The last part of a name that a client gave, as the end of a key. */
static str
end_of_key(struct arena *a, str name)
{
	size_t from = name.n;
	while (from && name.p[from - 1] != '/' && name.p[from - 1] != '\\')
		from--;
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = from; i < name.n && b.n < 200; i++)
		buf_addc(&b, (unsigned char)name.p[i] < ' ' || name.p[i] == 127 ? '_' : name.p[i]);
	str end = buf_str(&b);
	return !end.n || str_eq(end, S(".")) || str_eq(end, S("..")) ? S("artifact") : arena_dup(a, end);
}

static str
own_key(struct arena *a, str name)
{
	str id = event_random_id(a), end = end_of_key(a, name);
	return arena_fmt(a, UPLOADS "/%.*s/%.*s", STR_ARG(id), STR_ARG(end));
}

/* ?repository=[MAP/]KEY as an artifactRepositoryRef; NULL: that of workflows without one. */
static const struct val *
repository_ref(struct http_req *r)
{
	struct arena *a = http_req_arena(r);
	str key = http_req_arg(r, "repository"), map = STR_NONE;
	struct val_map m = { 0 };
	if (!key.n)
		return NULL;
	if (str_find_char(key, '/', 0) != SIZE_MAX)
		map = str_cut(&key, '/');
	val_map_add_str(&m, S("configMap"), map);
	val_map_add_str(&m, S("key"), key);
	struct val *ref = ARENA_NEW(a, struct val);
	*ref = val_map_end(&m, a);
	return ref;
}

/* In a manifest a location that is but a key is looked for in the workflow's repository, whatever that is. */
static const struct val *
location_of(struct arena *a, str key)
{
	struct val_map inner = { 0 }, outer = { 0 };
	val_map_add(&inner, S("key"), val_str(key));
	val_map_add(&outer, S("s3"), val_map_end(&inner, a));
	struct val *v = ARENA_NEW(a, struct val);
	*v = val_map_end(&outer, a);
	return v;
}

static bool
into_repository(struct api *api, struct http_req *r, struct upload *u)
{
	struct arena *a = http_req_arena(r);
	struct err e;
	if (!check_key(r, u->key))
		return false;
	u->location = location_of(a, u->key);
	if (engine_place(api->env.engine, u->ns, repository_ref(r), NULL, u->key, a, &u->place, &e) == 0)
		return true;
	rest_fail(r, &e);
	return false;
}

bool
upload_key(struct api *api, struct http_req *r, struct upload *u)
{
	*u = (struct upload){ .ns = rest_ns(api, r, true), .key = http_req_var(r, "key") };
	u->name = end_of_key(http_req_arena(r), u->key);
	return into_repository(api, r, u);
}

bool
upload_name(struct api *api, struct http_req *r, struct upload *u)
{
	struct arena *a = http_req_arena(r);
	*u = (struct upload){ .ns = rest_ns(api, r, true), .name = end_of_key(a, http_req_arg(r, "name")) };
	u->key = own_key(a, u->name);
	return into_repository(api, r, u);
}

/* As argo-server 4.1 has it for its UI, which gives the key to SubmitOpts.artifacts. */
bool
upload_argument(struct api *api, struct http_req *r, struct upload *u)
{
	struct arena *a = http_req_arena(r);
	struct err e;
	*u = (struct upload){ .ns = rest_ns(api, r, true), .name = http_req_var(r, "artifact"), .field = S("file") };
	u->key = own_key(a, u->name);
	if (multipart_boundary(http_req_header(r, "Content-Type"), &u->boundary, &e) < 0 ||
		engine_template_place(api->env.engine, u->ns, http_req_var(r, "template"), u->name, u->key, a, &u->location, &u->place, &e) < 0) {
		rest_fail(r, &e);
		return false;
	}
	u->boundary = arena_dup(a, u->boundary);
	u->location = val_unset(a, u->location, S("name"));
	return true;
}

/* ---- a file comes ---------------------------------------------------------------------------------------------------- */

static void
too_large(struct api *api, struct http_req *r)
{
	rest_failf(r, ERR_LIMIT, "the file is larger than an artifact may be: %lld MiB, by the setting artifactSize", (long long)api->env.settings->artifact_size);
}

/* Twice: as it comes, and where it goes. */
static bool
has_room(struct api *api, struct http_req *r, uint64_t bytes)
{
	struct statvfs st;
	if (statvfs(executor_files_folder(api->env.executor, http_req_arena(r)).p, &st) < 0 || !st.f_frsize)
		return true;
	return bytes / st.f_frsize < st.f_bavail / 2;
}

static void
upload_ended(void *arg)
{
	struct api *api = arg;
	api->uploads--;
}

/* Each has a file on the disk, and waits for its turn to be moved on: they do not pile up. It counts until it is in its place. */
static bool
has_turn(struct api *api, struct http_req *r)
{
	if (api->uploads >= api->env.settings->artifact_uploads) {
		http_reply_header(r, "Retry-After", S(RETRY_AFTER));
		rest_failf(r, ERR_UNAVAILABLE, "%lld files are on their way already, which is as many as may be (artifactUploads): try again later", (long long)api->uploads);
		return false;
	}
	api->uploads++;
	http_req_on_end(r, upload_ended, api);
	return true;
}

bool
upload_admit(struct api *api, struct http_req *r, rest_upload *what)
{
	struct upload u;
	int64_t bytes = 0;
	(void)str_to_i64(http_req_header(r, "Content-Length"), &bytes);
	if (bytes > api->env.settings->artifact_size << 20) {
		too_large(api, r);
		return false;
	}
	if (bytes > 0 && !has_room(api, r, (uint64_t)bytes)) {
		rest_failf(r, ERR_UNAVAILABLE, "there is no room for %lld bytes on the disk of the state directory, where a file is kept on its way", (long long)bytes);
		return false;
	}
	return what(api, r, &u) && has_turn(api, r);
}

struct coming {
	struct http_req *req;
	struct upload upload;
	uint64_t bytes;
};

static void
is_saved(void *arg, const struct err *e)
{
	struct coming *c = arg;
	struct val_map m = { 0 };
	if (e) {
		rest_fail(c->req, e);
		return;
	}
	val_map_add(&m, S("name"), val_str(c->upload.name));
	val_map_add(&m, S("key"), val_str(c->upload.key));
	val_map_add(&m, S("location"), *c->upload.location);
	if (!c->upload.boundary.p)
		val_map_add(&m, S("bytes"), val_int((int64_t)c->bytes));
	struct val v = val_map_end(&m, http_req_arena(c->req));
	rest_reply(c->req, &v);
}

void
upload_take(struct api *api, struct http_req *r, rest_upload *what)
{
	struct arena *a = http_req_arena(r);
	struct coming *c = ARENA_NEW(a, struct coming);
	struct err e;
	*c = (struct coming){ .req = r };
	if (http_req_too_large(r)) {
		too_large(api, r);
		return;
	}
	if (!what(api, r, &c->upload))
		return;
	int fd = http_req_take_file(r, &c->bytes, &e);
	if (fd < 0) {
		rest_fail(r, &e);
		return;
	}
	const struct object_put o = { c->upload.ns, c->upload.name, &c->upload.place, fd, c->upload.boundary, c->upload.field };
	executor_put_object(api->env.executor, &o, a, is_saved, c);
}

/* ---- what lies there --------------------------------------------------------------------------------------------------- */

static void
are_listed(void *arg, int fd UNUSED, const struct val *answer, const struct err *e)
{
	struct http_req *r = arg;
	struct arena *a = http_req_arena(r);
	const struct val *names = val_get(answer, S("names"));
	str prefix = http_req_arg(r, "prefix");
	struct val_list items = { 0 };
	struct val_map m = { 0 };
	if (e) {
		rest_fail(r, e);
		return;
	}
	for (uint32_t i = 0; val_is(names, VAL_LIST) && i < names->n; i++) {
		struct val_map one = { 0 };
		val_map_add(&one, S("key"), val_str(val_get_str(&names->items[i], "name")));
		val_map_add(&one, S("bytes"), *val_get(&names->items[i], S("bytes")));
		val_list_add(&items, val_map_end(&one, a));
	}
	val_map_add_str(&m, S("prefix"), prefix);
	val_map_add(&m, S("items"), val_list_end(&items, a));
	val_map_add(&m, S("more"), val_bool(val_is_true(val_get(answer, S("more")))));
	struct val v = val_map_end(&m, a);
	rest_reply(r, &v);
}

void
list_repository(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct arena *a = http_req_arena(r);
	struct val *place = ARENA_NEW(a, struct val);
	struct err e;
	str ns = rest_ns(api, r, true), prefix = http_req_arg(r, "prefix");
	if (engine_place(api->env.engine, ns, repository_ref(r), NULL, S(""), a, place, &e) < 0) {
		rest_fail(r, &e);
		return;
	}
	const struct object_wanted o = { ns, S("repository"), place, true, prefix.p ? prefix : S("") };
	(void)executor_give_object(api->env.executor, &o, a, are_listed, r);
}

void
get_from_repository(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct upload u;
	if (upload_key(api, r, &u))
		send_object(api, r, u.ns, u.key, &u.place);
}

struct going {
	struct http_req *req;
	struct lying object;
};

static void
is_removed(void *arg)
{
	struct going *g = arg;
	struct val empty = { .kind = VAL_MAP };
	if (g->object.problem.p)
		rest_failf(g->req, ERR_UNAVAILABLE, "%.*s", STR_ARG(g->object.problem));
	else
		rest_reply(g->req, &empty);
}

void
remove_from_repository(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct arena *a = http_req_arena(r);
	struct going *g = ARENA_NEW(a, struct going);
	struct upload u;
	if (!upload_key(api, r, &u))
		return;
	struct val *place = ARENA_NEW(a, struct val);
	*place = u.place;
	*g = (struct going){ r, { .ns = u.ns, .name = u.name, .place = place } };
	executor_remove_objects(api->env.executor, &g->object, 1, a, is_removed, g);
}
