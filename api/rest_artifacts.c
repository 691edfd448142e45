/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Artifacts of nodes, as bytes and as an index of a folder (spec 7.2, rows 69 to 73). They are brought by tidegate-artifact to a file without a name
 * and sent from there, so that none is ever in the daemon's memory. What a browser is shown may be hostile: it may neither run anything nor be framed.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "api/rest.h"
#include "core/xml.h"
#include "engine/artifact_of.h"
#include "engine/engine.h"
#include "engine/exec/executor.h"

struct wanted {
	struct api *api;
	struct http_req *req;
	str uid;           /* absent: by namespace and name */
	bool inputs, index; /* index: of a folder its names are shown */
	str file;          /* beneath it */
	str name;          /* the artifact's */
	str ns, key;       /* where it was found */
	const struct val *place;
	struct giving *giving; /* who brings it; NULL: nobody now */
};

/* ---- answering ----------------------------------------------------------------------------------------------------- */

static const char *
type_of(str name)
{
	static const struct {
		const char *end, *type;
	} types[] = { { ".html", "text/html; charset=utf-8" }, { ".txt", "text/plain; charset=utf-8" }, { ".log", "text/plain; charset=utf-8" },
		{ ".json", "application/json" }, { ".yaml", "application/yaml" }, { ".csv", "text/csv; charset=utf-8" }, { ".xml", "text/xml; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" }, { ".png", "image/png" }, { ".jpg", "image/jpeg" }, { ".jpeg", "image/jpeg" }, { ".gif", "image/gif" },
		{ ".svg", "image/svg+xml" }, { ".pdf", "application/pdf" }, { ".tgz", "application/gzip" }, { ".gz", "application/gzip" },
		{ ".zip", "application/zip" } };
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_ends(name, str_c(types[i].end)))
			return types[i].type;
	return "application/octet-stream";
}

static str
last_part(str path)
{
	while (str_ends(path, S("/")))
		path = str_slice(path, 0, path.n - 1);
	size_t from = path.n;
	while (from && path.p[from - 1] != '/')
		from--;
	return str_slice(path, from, path.n);
}

/* What Argo's server sends with artifacts: no script runs, and pictures of the same folder are seen. */
static void
guard(struct http_req *r)
{
	http_reply_header(r, "Content-Security-Policy", S("sandbox allow-same-origin; base-uri 'none'; default-src 'none'; img-src 'self'; style-src 'self' 'unsafe-inline'"));
	http_reply_header(r, "X-Frame-Options", S("SAMEORIGIN"));
	http_reply_header(r, "X-Content-Type-Options", S("nosniff"));
}

/* A name in a header: without what would end its quotes. */
static str
quoted(struct arena *a, str name)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < name.n; i++)
		buf_addc(&b, (unsigned char)name.p[i] < ' ' || strchr("\"\\", name.p[i]) ? '_' : name.p[i]);
	return arena_dup(a, buf_str(&b));
}

static void
send_file(struct wanted *w, int fd, bool packed)
{
	struct arena *a = http_req_arena(w->req);
	struct stat st;
	str name = last_part(w->key.n ? w->key : w->name);
	if (packed)
		name = arena_fmt(a, "%.*s.tgz", STR_ARG(name));
	if (fstat(fd, &st) < 0) {
		close(fd);
		rest_failf(w->req, ERR_IO, "what was brought cannot be read");
		return;
	}
	guard(w->req);
	http_reply_header(w->req, "Content-Disposition", arena_fmt(a, "filename=\"%.*s\"", STR_ARG(quoted(a, name))));
	http_reply_file(w->req, 200, type_of(name), fd, (uint64_t)st.st_size);
}

static void
given(void *arg, int fd, const struct val *answer, const struct err *e)
{
	struct wanted *w = arg;
	w->giving = NULL;
	if (e)
		rest_fail(w->req, e);
	else
		send_file(w, fd, val_is_true(val_get(answer, S("packed"))));
}

/* ---- the index of a folder ------------------------------------------------------------------------------------------- */

/* Each name once, as it stands in this folder: names come in order, so that those of one folder are together. */
static void
add_name(struct buf *b, const struct val *names, uint32_t i)
{
	str name = val_get_str(&names->items[i], "name"), last = i ? val_get_str(&names->items[i - 1], "name") : STR_NONE;
	size_t slash = str_find_char(name, '/', 0);
	str here = slash == SIZE_MAX ? name : str_slice(name, 0, slash + 1);
	if (slash != SIZE_MAX && str_starts(last, here))
		return;
	buf_add(b, S("<li><a href=\"./"));
	for (size_t k = 0; k < here.n; k++)
		if ((here.p[k] >= 'a' && here.p[k] <= 'z') || (here.p[k] >= 'A' && here.p[k] <= 'Z') || (here.p[k] >= '0' && here.p[k] <= '9') || strchr("-._~/", here.p[k]))
			buf_addc(b, here.p[k]);
		else
			buf_addf(b, "%%%02X", (unsigned)(unsigned char)here.p[k]);
	buf_add(b, S("\">"));
	xml_escape(b, here);
	buf_add(b, S("</a></li>\n"));
}

static void
send_index(struct wanted *w, const struct val *answer, const struct val *names)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, S("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Index of "));
	xml_escape(&b, http_req_path(w->req));
	buf_add(&b, S("</title></head><body>\n<ul>\n"));
	if (w->file.n)
		buf_add(&b, S("<li><a href=\"..\">..</a></li>\n"));
	for (uint32_t i = 0; i < names->n; i++)
		add_name(&b, names, i);
	buf_add(&b, S("</ul>\n"));
	if (val_is_true(val_get(answer, S("more"))))
		buf_addf(&b, "<p>Only the first %u objects are shown.</p>\n", names->n);
	buf_add(&b, S("</body></html>\n"));
	guard(w->req);
	http_reply(w->req, 200, "text/html; charset=utf-8", buf_str(&b));
}

static void
send_elsewhere(struct wanted *w, str where)
{
	http_reply_header(w->req, "Location", where);
	http_reply(w->req, 307, NULL, S(""));
}

/* A folder, as argo-server shows it: by its index.html, if there is one. */
static void
send_folder(struct wanted *w, const struct val *answer, const struct val *names)
{
	if (!str_ends(http_req_path(w->req), S("/"))) /* else its links would lead beside it */
		send_elsewhere(w, arena_fmt(http_req_arena(w->req), "%.*s/", STR_ARG(last_part(http_req_raw_path(w->req)))));
	else if (val_named(names, S("index.html")))
		send_elsewhere(w, S("index.html"));
	else
		send_index(w, answer, names);
}

static void bring(struct wanted *w, bool list);

static void
listed(void *arg, int fd UNUSED, const struct val *answer, const struct err *e)
{
	struct wanted *w = arg;
	const struct val *names = val_get(answer, S("names"));
	w->giving = NULL;
	if (e)
		rest_fail(w->req, e);
	else if (!val_is(names, VAL_LIST) || !names->n)
		bring(w, false);
	else
		send_folder(w, answer, names);
}

static void
client_left(void *arg)
{
	struct wanted *w = arg;
	if (w->giving)
		executor_stop_giving(w->giving);
}

static void
bring(struct wanted *w, bool list)
{
	const struct object_wanted o = { w->ns, w->name, w->place, list };
	http_req_on_gone(w->req, client_left, w);
	w->giving = executor_give_object(w->api->env.executor, &o, http_req_arena(w->req), list ? listed : given, w);
}

void
send_object(struct api *api, struct http_req *r, str ns, str key, const struct val *place)
{
	struct arena *a = http_req_arena(r);
	struct wanted *w = ARENA_NEW(a, struct wanted);
	struct val *copy = ARENA_NEW(a, struct val);
	*copy = val_copy(a, place);
	*w = (struct wanted){ .api = api, .req = r, .ns = arena_dup(a, ns), .key = arena_dup(a, key), .name = key, .place = copy };
	bring(w, false);
}

/* ---- finding ----------------------------------------------------------------------------------------------------------- */

static void
send_raw(struct wanted *w, str text)
{
	guard(w->req);
	http_reply(w->req, 200, "text/plain; charset=utf-8", text);
}

static void
have_workflow(struct wanted *w, const struct val *workflow)
{
	struct arena *a = http_req_arena(w->req);
	struct artifact_of of;
	struct err e;
	str name = http_req_var(w->req, "artifact");
	if (artifact_of_node(workflow, http_req_var(w->req, "node"), w->inputs, name, w->file, a, &of, &e) < 0) {
		rest_fail(w->req, &e);
		return;
	}
	if (of.raw.p) {
		send_raw(w, of.raw);
		return;
	}
	w->key = of.key.p ? arena_dup(a, of.key) : STR_NONE;
	w->ns = arena_dup(a, val_get_str(val_get(workflow, S("metadata")), "namespace"));
	struct val *place = ARENA_NEW(a, struct val);
	*place = val_copy(a, &of.place);
	w->place = place;
	bring(w, w->index);
}

static void
found_by_name(void *arg, const struct val *workflow, const struct err *e)
{
	struct wanted *w = arg;
	if (e)
		rest_fail(w->req, e);
	else
		have_workflow(w, workflow);
}

static void
found_by_uid(void *arg, const struct list_answer *answer, const struct err *e)
{
	struct wanted *w = arg;
	const struct val *workflow = e ? NULL : val_at(answer->workflows, 0);
	if (e)
		rest_fail(w->req, e);
	else if (!workflow)
		rest_failf(w->req, ERR_NOT_FOUND, "workflow with uid \"%.*s\" not found", STR_ARG(w->uid));
	else
		have_workflow(w, workflow);
}

static void
look_up(struct api *api, struct http_req *r, struct wanted from, str name)
{
	struct wanted *w = ARENA_NEW(http_req_arena(r), struct wanted);
	*w = from;
	w->api = api;
	w->req = r;
	w->name = http_req_var(r, "artifact");
	if (w->uid.p) {
		const struct list_query q = { .uid = w->uid, .nodes = LIST_NODES_ALL, .limit = 1 };
		engine_list(api->env.engine, &q, found_by_uid, w);
	} else {
		engine_get(api->env.engine, rest_ns(api, r, true), name, true, found_by_name, w);
	}
}

void
get_output_artifact(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	look_up(api, r, (struct wanted){ .uid = http_req_var(r, "uid") }, http_req_var(r, "name"));
}

void
get_input_artifact(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	look_up(api, r, (struct wanted){ .uid = http_req_var(r, "uid"), .inputs = true }, http_req_var(r, "name"));
}

void
get_artifact_file(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	str kind = http_req_var(r, "kind"), direction = http_req_var(r, "direction");
	bool inputs = str_eq(direction, S("inputs")), archived = str_eq(kind, S("archived-workflows"));
	if ((!inputs && !str_eq(direction, S("outputs"))) || (!archived && !str_eq(kind, S("workflows")))) {
		rest_failf(r, ERR_NOT_FOUND, "a path is /artifact-files/NAMESPACE/workflows or archived-workflows/ID/NODE/inputs or outputs/ARTIFACT");
		return;
	}
	struct wanted w = { .inputs = inputs, .file = http_req_var(r, "file"), .index = true };
	if (archived)
		w.uid = http_req_var(r, "id");
	while (str_ends(w.file, S("/")))
		w.file = str_slice(w.file, 0, w.file.n - 1);
	look_up(api, r, w, http_req_var(r, "id"));
}
