/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams about workflows: the watch (spec 7.2 row 16) and the logs (rows 7 and 15).
 *
 * A watch tells what changed at most ten times a second and workflow: the object is large, and who watches wants the latest
 * one, not each.
 */
#include "api/rest.h"
#include "engine/engine.h"
#include "engine/selector.h"

enum {
	TELL_EVERY_MS = 100,
	FIRST_MAX = 1000, /* workflows that a watch begins with: those that run and the last that ended */
};

/* ---- watch -------------------------------------------------------------------------------------------------- */

struct watcher {
	struct stream stream;
	struct arena *arena;
	str ns, name, fields;
	struct selector labels;
	struct watch *watch;
	struct map by_name;     /* "ns/name" -> struct told */
	struct link tolds;      /* all of them; one goes when the end of its workflow was told */
	struct timer timer;
	size_t asked;           /* answers of the engine that are still to come */
	bool closed;
};

/* A workflow that was told about, or is to be. */
struct told {
	struct link link;
	struct watcher *w;
	struct arena *arena;
	str key, ns, name;
	bool pending, ended, deleted, added, asking;
};

static void
told_free(struct told *t)
{
	(void)map_del(&t->w->by_name, t->key);
	list_del(&t->link);
	arena_free(t->arena);
	free(t);
}

static void
watcher_free(struct watcher *w)
{
	LIST_EACH(&w->tolds, struct told, link, t)
		told_free(t);
	map_free(&w->by_name);
	arena_free(w->arena);
	free(w);
}

static void
watcher_closed(struct stream *s)
{
	struct watcher *w = CONTAINER_OF(s, struct watcher, stream);
	engine_unwatch(w->watch);
	timer_stop(&w->timer);
	w->closed = true;
	if (w->asked == 0)
		watcher_free(w);
}

static str
label_of(void *arg, str key)
{
	const struct val *labels = arg, *v = val_get(labels, key);
	return val_is(v, VAL_STR) ? val_text(v) : STR_NONE;
}

static void
tell(struct watcher *w, const char *type, const struct val *workflow)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	union {
		const struct val *in;
		void *out;
	} labels = { .in = val_path(workflow, "metadata.labels") };
	bool deleted = strcmp(type, "DELETED") == 0; /* nothing but its name is left to look at */
	if (!deleted && !selector_match(&w->labels, label_of, labels.out))
		return;
	struct val_map m = { 0 }, wrap = { 0 };
	val_map_add(&m, S("type"), val_cstr(type));
	val_map_add(&m, S("object"), *workflow);
	struct val result = val_map_end(&m, a);
	/* The paths of `fields` begin with "result." */
	val_map_add(&wrap, S("result"), result);
	struct val whole = val_map_end(&wrap, a);
	const struct val *kept = val_get(fields_select(a, &whole, w->fields), S("result"));
	if (kept)
		stream_send_settled(&w->stream, kept);
}

static void
workflow_came(void *arg, const struct val *workflow, const struct err *e)
{
	struct told *t = arg;
	struct watcher *w = t->w;
	t->asking = false;
	w->asked--;
	if (!w->closed && !e) {
		tell(w, t->added ? "MODIFIED" : "ADDED", workflow);
		t->added = true;
		if (t->ended && !t->pending)
			told_free(t);
	}
	if (w->closed && w->asked == 0)
		watcher_free(w);
}

static void
tell_deleted(struct watcher *w, const struct told *t)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val_map meta = { 0 }, out = { 0 };
	val_map_add(&meta, S("name"), val_str(t->name));
	val_map_add(&meta, S("namespace"), val_str(t->ns));
	val_map_add(&out, S("metadata"), val_map_end(&meta, a));
	struct val v = val_map_end(&out, a);
	tell(w, "DELETED", &v);
}

static bool
wants_nodes(const struct watcher *w)
{
	return fields_want_nodes(w->fields, S("result.object.status.nodes"));
}

static void
tell_pending(void *arg)
{
	struct watcher *w = arg;
	LIST_EACH(&w->tolds, struct told, link, t) {
		if (!t->pending || t->asking)
			continue;
		t->pending = false;
		if (t->deleted) {
			tell_deleted(w, t);
			told_free(t);
			continue;
		}
		t->asking = true;
		w->asked++;
		engine_get(w->stream.api->env.engine, t->ns, t->name, wants_nodes(w), workflow_came, t);
	}
}

static struct told *
told_of(struct watcher *w, str ns, str name)
{
	struct arena *a = arena_new();
	str key = arena_fmt(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
	struct told *t = map_get(&w->by_name, key);
	if (t) {
		arena_free(a);
		return t;
	}
	t = MEM_NEW(struct told);
	*t = (struct told){ .w = w, .arena = a, .key = key, .ns = arena_dup(a, ns), .name = arena_dup(a, name) };
	(void)map_put(&w->by_name, key, t);
	list_add_tail(&w->tolds, &t->link);
	return t;
}

static void
workflow_changed(void *arg, str ns, str name, bool finished, bool deleted)
{
	struct watcher *w = arg;
	struct told *t = told_of(w, ns, name);
	struct loop *l = w->stream.api->env.loop;
	t->pending = true;
	t->deleted = deleted;
	t->ended = finished;
	/* The end is told at once: somebody waits for it. */
	int64_t at = loop_now(l) + (finished || deleted ? 0 : TELL_EVERY_MS * NS_PER_MS);
	if (!timer_is_armed(&w->timer) || w->timer.at_ns > at)
		timer_start(l, &w->timer, at, tell_pending, w);
}

static bool
time_is_set(const struct val *v)
{
	return val_is(v, VAL_STR) && v->n > 0;
}

static void
first_list(void *arg, const struct list_answer *answer, const struct err *e)
{
	struct watcher *w = arg;
	w->asked--;
	if (w->closed) {
		if (w->asked == 0)
			watcher_free(w);
		return;
	}
	if (e) {
		stream_error(&w->stream, e);
		stream_end(&w->stream);
		return;
	}
	const struct val *workflows = answer->workflows;
	for (uint32_t i = workflows->n; i-- > 0;) { /* oldest first */
		const struct val *meta = val_get(&workflows->items[i], S("metadata"));
		struct told *t = told_of(w, val_get_str(meta, "namespace"), val_get_str(meta, "name"));
		tell(w, "ADDED", &workflows->items[i]);
		t->added = true;
		if (time_is_set(val_path(&workflows->items[i], "status.finishedAt")) && !t->pending && !t->asking)
			told_free(t);
	}
}

/* metadata.name=x of a field selector: the only field that watches are made with. */
static str
name_of_selector(str selector)
{
	while (selector.n) {
		str value = str_cut(&selector, ','), key = str_cut(&value, '=');
		if (str_eq(str_trim(key), S("metadata.name")))
			return str_trim(str_starts(value, S("=")) ? str_slice(value, 1, value.n) : value);
	}
	return STR_NONE;
}

void
watch_workflows(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct arena *a = arena_new();
	struct selector labels;
	struct err e;
	str text = arena_dup(a, http_req_arg(r, "listOptions.labelSelector"));
	if (selector_parse_labels(a, text.n ? text : S(""), &labels, &e)) {
		arena_free(a);
		rest_fail(r, &e);
		return;
	}
	struct watcher *w = MEM_NEW(struct watcher);
	w->arena = a;
	w->labels = labels;
	w->ns = arena_dup(a, rest_ns(api, r, false));
	str selector = arena_dup(a, http_req_arg(r, "listOptions.fieldSelector")), version = http_req_arg(r, "listOptions.resourceVersion");
	w->name = name_of_selector(selector);
	w->fields = arena_dup(a, http_req_arg(r, "fields"));
	list_init(&w->tolds);
	bool from_now = version.n && !str_eq(version, S("0"));
	stream_start(&w->stream, api, r, watcher_closed);
	w->watch = engine_watch(api->env.engine, w->ns, w->name, workflow_changed, w);
	if (from_now)
		return;
	struct list_query q = { .ns = w->ns, .field_selector = selector, .nodes = wants_nodes(w) ? LIST_NODES_ALL : LIST_NODES_NONE, .limit = FIRST_MAX };
	w->asked++;
	engine_list(api->env.engine, &q, first_list, w);
}

/* ---- logs --------------------------------------------------------------------------------------------------- */

struct log_watch {
	struct stream stream;
	struct arena *tmp;
	struct log_stream *logs;
	bool timestamps;
};

static void
log_closed(struct stream *s)
{
	struct log_watch *lw = CONTAINER_OF(s, struct log_watch, stream);
	if (lw->logs)
		engine_logs_stop(lw->logs);
	arena_free(lw->tmp);
	free(lw);
}

static void
log_line_came(void *arg, str pod, int64_t time, str text)
{
	struct log_watch *lw = arg;
	struct val_map m = { 0 };
	if (lw->timestamps)
		text = arena_fmt(lw->tmp, "%.*s %.*s", STR_ARG(time_rfc3339_nano(lw->tmp, time)), STR_ARG(text));
	val_map_add(&m, S("content"), val_str(text));
	val_map_add(&m, S("podName"), val_str(pod));
	struct val v = val_map_end(&m, lw->tmp);
	stream_send(&lw->stream, &v);
	arena_reset(lw->tmp);
}

static void
log_end_came(void *arg, const struct err *e)
{
	struct log_watch *lw = arg;
	lw->logs = NULL;
	if (e)
		stream_error(&lw->stream, e);
	stream_end(&lw->stream);
}

struct log_request {
	struct api *api;
	struct http_req *req;
	struct log_query query;
};

/* The stream starts only once the workflow is known to exist: a 404 must be a 404. */
static void
log_workflow_known(void *arg, const struct val *workflow, const struct err *e)
{
	struct log_request *lr = arg;
	struct err why;
	if (e) {
		rest_fail(lr->req, e);
		return;
	}
	struct log_watch *lw = MEM_NEW(struct log_watch);
	lw->tmp = arena_new();
	struct arena *keep CLEANUP(free_arena) = arena_new();
	struct log_query q = lr->query;
	lw->timestamps = q.timestamps;
	q.ns = arena_dup(keep, q.ns);
	q.name = arena_dup(keep, val_get_str(val_get(workflow, S("metadata")), "name")); /* "@latest" has become a name */
	q.pod = arena_dup(keep, q.pod);
	q.container = arena_dup(keep, q.container);
	q.grep = arena_dup(keep, q.grep);
	q.selector = arena_dup(keep, q.selector);
	stream_start(&lw->stream, lr->api, lr->req, log_closed);
	lw->logs = engine_logs(lr->api->env.engine, &q, log_line_came, log_end_came, lw, &why);
	if (!lw->logs) {
		stream_error(&lw->stream, &why);
		stream_end(&lw->stream);
	}
}

void
get_log(struct api *api, struct http_req *r, const struct resource *res UNUSED)
{
	struct log_request *lr = ARENA_NEW(http_req_arena(r), struct log_request);
	str pod = http_req_var(r, "pod"), container = http_req_arg(r, "logOptions.container");
	*lr = (struct log_request){ api, r, { .ns = rest_ns(api, r, true), .pod = pod.n ? pod : http_req_arg(r, "podName"),
		.container = container.n ? container : S("main"), .grep = http_req_arg(r, "grep"), .selector = http_req_arg(r, "selector"),
		.follow = rest_flag(r, "logOptions.follow"), .timestamps = rest_flag(r, "logOptions.timestamps"),
		.previous = rest_flag(r, "logOptions.previous"), .tail = rest_int(r, "logOptions.tailLines", -1),
		.limit_bytes = rest_int(r, "logOptions.limitBytes", 0) } };
	int64_t since = rest_int(r, "logOptions.sinceSeconds", 0), at = rest_int(r, "logOptions.sinceTime.seconds", 0);
	if (since > 0)
		lr->query.since_ns = loop_now(api->env.loop) - since * NS_PER_SEC;
	if (at > 0)
		lr->query.since_ns = at * NS_PER_SEC + rest_int(r, "logOptions.sinceTime.nanos", 0);
	engine_get(api->env.engine, lr->query.ns, http_req_var(r, "name"), true, log_workflow_known, lr);
}
