/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource_cluster: objects of a Kubernetes cluster, by its API: a list in pages, then a watch from the list's resourceVersion, which goes on
 * for ever:
 *
 *	list -> page -> page -> sweep (what the list has not had is gone) -> watch -> a line -> a line
 *	  ^_____________ the version is too old (410), or nobody knows what was missed ____|      |
 *	                                            watch again from the last version <-----------| it ended, or broke
 *
 * The version of the last line is kept in the transaction of what was told of it, so that a watch goes on after a kill where it was. While a list is
 * under way there is none, and the next start lists anew. What is news is decided by resource_seen.c. No more than a few jobs wait for
 * the disk, or for the bus: the stream is paused, and no page is asked for.
 */
#include "core/lines.h"
#include "core/log.h"
#include "core/net/sigv4.h"
#include "sources/resource_cluster.h"

enum {
	WATCH_S = 300,            /* that the cluster is asked to watch before it ends the stream; some more, so that not all end at one moment */
	HEAD_S = 30,              /* for the beginning of its answer */
	STOOD_S = 10,             /* a stream that stood for so long, or said something, has worked */
	JOBS_MAX = 256,           /* on their way to the disk */
	COMPLAIN_S = 60,
};

void
cluster_keep(str *owned, str text)
{
	str old = *owned;
	*owned = text.p ? str_own(text) : STR_NONE;
	str_disown(old);
}

struct loop *
cluster_loop(const struct cluster_watch *w)
{
	return source_loop(w->r->source);
}

/* ---- what is asked ---------------------------------------------------------------------------------------------------- */

str
cluster_path(const struct resource_source *c, struct arena *a)
{
	str group = c->group.n ? arena_fmt(a, "/apis/%.*s", STR_ARG(c->group)) : S("/api");
	str ns = c->namespace.n ? arena_fmt(a, "/namespaces/%.*s", STR_ARG(c->namespace)) : S("");
	return arena_fmt(a, "%.*s/%.*s%.*s/%.*s", STR_ARG(group), STR_ARG(c->version), STR_ARG(ns), STR_ARG(c->resource));
}

str
cluster_selector(const struct resource_source *c, struct arena *a)
{
	str selector = resource_label_selector(c->filter, a);
	return selector.n ? arena_fmt(a, "&labelSelector=%.*s", STR_ARG(sigv4_encode(a, selector, false))) : S("");
}

/* What the versions and the objects that were seen are of: if it changes, all begins anew. */
static str
place_of(const struct resource_source *c, struct arena *a)
{
	return arena_fmt(a, "cluster %.*s%.*s", STR_ARG(cluster_path(c, a)), STR_ARG(cluster_selector(c, a)));
}

void
cluster_row(struct cluster_watch *w, const char *key, str value)
{
	source_write_rows(w->r->source, false, &(struct source_row){ str_c(key), value }, 1);
}

/* ---- failures --------------------------------------------------------------------------------------------------------- */

void
cluster_again(struct cluster_watch *w, const struct err *e)
{
	struct loop *l = cluster_loop(w);
	timer_stop(&w->head);
	if (e)
		source_state(w->r->source, false, e);
	timer_start(l, &w->retry, loop_now(l) + backoff_next(&w->backoff, NULL), cluster_go_on, w);
}

void
cluster_complain(struct cluster_watch *w, const struct err *e)
{
	int64_t now = loop_now(cluster_loop(w));
	source_count_failure(w->r->source);
	if (w->complained && now - w->complained < COMPLAIN_S * NS_PER_SEC)
		return;
	w->complained = now;
	struct arena *a CLEANUP(free_arena) = arena_new();
	log_warn("an object is passed over", "eventsource", str_z(a, source_name(w->r->source)), "event", str_z(a, source_event_name(w->r->source)),
	         "error", e->msg, NULL);
}

/* The version is of no use any more. */
void
cluster_list_is_due(struct cluster_watch *w)
{
	cluster_keep(&w->version, STR_NONE);
	cluster_row(w, "version", STR_NONE);
}

/* ---- a watch ---------------------------------------------------------------------------------------------------------- */

/* The cluster says why it ends the stream; whatever it is, what was missed is in the next list. */
static bool
take_error(struct cluster_watch *w, const struct cluster_object *o)
{
	str why = val_get_str(&o->object, "message");
	struct arena *a CLEANUP(free_arena) = arena_new();
	err_set(&w->verdict, ERR_UNAVAILABLE, "the cluster ended the watch: %d%s%.*s", o->code, why.n ? ": " : "", STR_ARG(http_excerpt(a, why.p ? why : S(""))));
	if (o->code != 429) /* too many requests: the version is good */
		cluster_list_is_due(w);
	return false;
}

static bool
take_line(void *arg, str line)
{
	struct cluster_watch *w = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct cluster_object o;
	struct err e;
	if (!line.p) {
		err_set(&e, ERR_LIMIT, "an object of more than %d bytes", CLUSTER_OBJECT_MAX);
		cluster_complain(w, &e);
		return true;
	}
	if (!str_trim(line).n)
		return true;
	if (cluster_read_line(line, a, &o, &e) < 0) {
		w->verdict = e;
		cluster_list_is_due(w);
		return false;
	}
	if (o.change == CLUSTER_ERROR)
		return take_error(w, &o);
	w->heard = true;
	backoff_reset(&w->backoff);
	if (o.change != CLUSTER_BOOKMARK)
		resource_seen_tell(w->r, &o, 0, w->since);
	cluster_keep(&w->version, o.version);
	w->moved = true;
	return true;
}

static void
wait_or_go_on(struct cluster_watch *w)
{
	httpc_pause(w->client, w, w->jammed || source_is_paused(w->r->source));
}

/* What came of a piece is written in one turn, with the version up to which it goes. */
static bool
piece(void *arg, str bytes)
{
	struct cluster_watch *w = arg;
	bool goes_on = lines_take(&w->lines, bytes, take_line, w);
	if (w->moved && w->version.p)
		cluster_row(w, "version", w->version);
	w->moved = false;
	if (w->r->under_way > JOBS_MAX && goes_on && !w->jammed) {
		w->jammed = true;
		wait_or_go_on(w);
	}
	return goes_on;
}

static void
opened(void *arg, int status, const struct http_answer *head UNUSED)
{
	struct cluster_watch *w = arg;
	if (!status)
		return;
	timer_stop(&w->head);
	w->opened_at = loop_now(cluster_loop(w));
	source_state(w->r->source, true, NULL);
}

/* The ordinary end: after WATCH_S, or when what is between us and the cluster has had enough. */
static void
ended_well(struct cluster_watch *w)
{
	struct err e;
	bool worked = w->heard || loop_now(cluster_loop(w)) - w->opened_at > STOOD_S * NS_PER_SEC;
	if (worked)
		backoff_reset(&w->backoff);
	err_set(&e, ERR_UNAVAILABLE, "the cluster ended the watch");
	cluster_again(w, worked ? NULL : &e);
}

static void
ended(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct cluster_watch *w = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e;
	lines_reset(&w->lines);
	w->jammed = false;
	if (w->r->stopping)
		return;
	if (w->verdict.code) {
		cluster_again(w, &w->verdict);
	} else if (failure) {
		cluster_again(w, failure);
	} else if (ans->status / 100 == 2) {
		ended_well(w);
	} else {
		if (ans->status == 410)
			cluster_list_is_due(w);
		cluster_refused(a, ans->status, ans->body, &e);
		cluster_again(w, &e);
	}
}

static void
no_head(void *arg)
{
	struct cluster_watch *w = arg;
	struct err e;
	httpc_forget(w->client, w);
	lines_reset(&w->lines);
	err_set(&e, ERR_TIMEOUT, "the cluster did not answer within %d s", HEAD_S);
	cluster_again(w, &e);
}

static void
ask_watch(struct cluster_watch *w, const struct cluster *c, struct arena *a)
{
	struct http_call call;
	struct loop *l = cluster_loop(w);
	const struct resource_source *config = w->r->config;
	int64_t seconds = WATCH_S + loop_now(l) / 1000 % WATCH_S; /* as good as random */
	cluster_get(c, arena_fmt(a, "%.*s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%lld&resourceVersion=%.*s%.*s", STR_ARG(cluster_path(config, a)),
	                         (long long)seconds, STR_ARG(sigv4_encode(a, w->version, false)), STR_ARG(cluster_selector(config, a))), a, &call);
	call.piece = piece;
	call.opened = opened;
	call.idle_ms = (seconds + HEAD_S) * 1000;
	w->heard = w->moved = false;
	w->verdict = (struct err){ 0 };
	timer_start(l, &w->head, loop_now(l) + HEAD_S * NS_PER_SEC, no_head, w);
	httpc_send(w->client, &call, ended, w);
	wait_or_go_on(w);
}

/* ---- life ------------------------------------------------------------------------------------------------------------- */

/* The next thing to ask for, with the settings' files as they are now. A version of another server says nothing of this one. */
void
cluster_go_on(void *arg)
{
	struct cluster_watch *w = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct cluster c;
	struct err e;
	w->waiting = source_is_paused(w->r->source);
	if (w->waiting)
		return;
	if (cluster_read(sources_cluster(source_owner(w->r->source)), a, &c, &e) < 0) {
		w->listing = 0;
		cluster_again(w, &e);
		return;
	}
	if (w->listing ? !str_eq(c.url, w->asked) : !w->version.p || !str_eq(c.url, w->server))
		cluster_begin_list(w, &c);
	if (w->listing)
		cluster_ask_page(w, &c, a);
	else
		ask_watch(w, &c, a);
}

static str
row_named(const struct source_row *rows, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i].key, str_c(key)))
			return rows[i].value;
	return STR_NONE;
}

static void
begin_anew(struct cluster_watch *w, str place)
{
	resource_seen_forget(w->r);
	source_write_rows(w->r->source, true, &(struct source_row){ S("place"), place }, 1);
}

static void
take_up(struct cluster_watch *w, const struct source_row *rows, size_t n)
{
	str version = row_named(rows, n, "version"), server = row_named(rows, n, "server"), since = row_named(rows, n, "since");
	int64_t at;
	w->begun = since.p && str_to_i64(since, &at);
	w->since = w->begun && resource_is_after_start(w->r) ? at : 0;
	cluster_keep(&w->version, version.n ? version : STR_NONE);
	cluster_keep(&w->server, server.p ? server : S(""));
}

static void read_rows(void *arg);

static void
rows_read(void *arg, const struct source_row *rows, size_t n, const struct err *e)
{
	struct cluster_watch *w = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	str place = place_of(w->r->config, a);
	if (e) {
		source_state(w->r->source, false, e);
		timer_start(cluster_loop(w), &w->retry, loop_now(cluster_loop(w)) + backoff_next(&w->backoff, NULL), read_rows, w);
		return;
	}
	if (str_eq(row_named(rows, n, "place"), place))
		take_up(w, rows, n);
	else
		begin_anew(w, place);
	cluster_go_on(w);
}

static void
read_rows(void *arg)
{
	struct cluster_watch *w = arg;
	source_read_rows(w->r->source, rows_read, w);
}

void
resource_start_cluster(struct resource *r)
{
	struct cluster_watch *w = MEM_NEW(struct cluster_watch);
	*w = (struct cluster_watch){ .r = r, .client = httpc_new(source_loop(r->source)), .lines = { .max = CLUSTER_OBJECT_MAX } };
	r->cluster = w;
	source_connecting(r->source);
	read_rows(w);
}

void
resource_pause_cluster(struct resource *r, bool on)
{
	struct cluster_watch *w = r->cluster;
	wait_or_go_on(w);
	if (!on && w->waiting)
		cluster_go_on(w);
}

void
resource_cluster_has_room(struct resource *r)
{
	struct cluster_watch *w = r->cluster;
	if (!w->jammed || r->stopping || r->under_way > JOBS_MAX / 2)
		return;
	w->jammed = false;
	wait_or_go_on(w);
}

void
resource_stop_cluster(struct resource *r)
{
	struct cluster_watch *w = r->cluster;
	timer_stop(&w->retry);
	timer_stop(&w->head);
	httpc_free(w->client);
	w->client = NULL;
}

void
resource_free_cluster(struct cluster_watch *w)
{
	if (!w)
		return;
	str *const owned[] = { &w->version, &w->server, &w->continue_, &w->asked, &w->list_version };
	for (size_t i = 0; i < ARRAY_LEN(owned); i++)
		cluster_keep(owned[i], STR_NONE);
	lines_reset(&w->lines);
	free(w);
}
