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
#include "core/net/cluster.h"
#include "core/net/http_date.h"
#include "core/net/sigv4.h"
#include "sources/backoff.h"
#include "sources/resource_impl.h"

enum {
	PAGE = 100,               /* objects that a page may have; of objects that are large fewer */
	PAGE_BYTES = 8 << 20,
	OBJECT_MAX = 4 << 20,     /* bytes of an object; clusters take 1.5 MiB */
	WATCH_S = 300,            /* that the cluster is asked to watch before it ends the stream; some more, so that not all end at one moment */
	HEAD_S = 30,              /* for the beginning of its answer */
	STOOD_S = 10,             /* a stream that stood for so long, or said something, has worked */
	JOBS_MAX = 256,           /* on their way to the disk */
	COMPLAIN_S = 60,
};

struct cluster_watch {
	struct resource *r;
	struct httpc *client; /* of this source alone */
	struct backoff_state backoff;
	struct timer retry, head;
	struct lines lines;
	str version, server;  /* owned: from where to watch, absent: a list is due; and whose version it is */
	str continue_;        /* owned: the next page */
	str asked;            /* owned: the server of the list that is under way */
	str list_version;     /* owned: of the list */
	int64_t since;        /* what was made before is not told of; 0: all is */
	int64_t listing;      /* number of the list that is under way */
	int64_t limit;
	int64_t opened_at, complained;
	bool begun;           /* `since` is known, and kept */
	bool waiting;         /* for room in the bus, with the next page */
	bool jammed;          /* the stream waits for the disk */
	bool moved;           /* the version is not written yet */
	bool heard;           /* a line that was good */
	struct err verdict;   /* why the stream is left; code 0: it is not */
};

static void go_on(void *arg);

static void
keep(str *owned, str text)
{
	str old = *owned;
	*owned = text.p ? str_own(text) : STR_NONE;
	str_disown(old);
}

static struct loop *
loop_of(const struct cluster_watch *w)
{
	return source_loop(w->r->source);
}

/* ---- what is asked ---------------------------------------------------------------------------------------------------- */

static str
path_of(const struct resource_source *c, struct arena *a)
{
	str group = c->group.n ? arena_fmt(a, "/apis/%.*s", STR_ARG(c->group)) : S("/api");
	str ns = c->namespace.n ? arena_fmt(a, "/namespaces/%.*s", STR_ARG(c->namespace)) : S("");
	return arena_fmt(a, "%.*s/%.*s%.*s/%.*s", STR_ARG(group), STR_ARG(c->version), STR_ARG(ns), STR_ARG(c->resource));
}

static str
selector_query(const struct resource_source *c, struct arena *a)
{
	str selector = resource_label_selector(c->filter, a);
	return selector.n ? arena_fmt(a, "&labelSelector=%.*s", STR_ARG(sigv4_encode(a, selector, false))) : S("");
}

/* What the versions and the objects that were seen are of: if it changes, all begins anew. */
static str
place_of(const struct resource_source *c, struct arena *a)
{
	return arena_fmt(a, "cluster %.*s%.*s", STR_ARG(path_of(c, a)), STR_ARG(selector_query(c, a)));
}

static void
row(struct cluster_watch *w, const char *key, str value)
{
	source_write_rows(w->r->source, false, &(struct source_row){ str_c(key), value }, 1);
}

/* ---- failures --------------------------------------------------------------------------------------------------------- */

static void
again(struct cluster_watch *w, const struct err *e)
{
	struct loop *l = loop_of(w);
	timer_stop(&w->head);
	if (e)
		source_state(w->r->source, false, e);
	timer_start(l, &w->retry, loop_now(l) + backoff_next(&w->backoff, NULL), go_on, w);
}

static void
complain(struct cluster_watch *w, const struct err *e)
{
	int64_t now = loop_now(loop_of(w));
	source_count_failure(w->r->source);
	if (w->complained && now - w->complained < COMPLAIN_S * NS_PER_SEC)
		return;
	w->complained = now;
	struct arena *a CLEANUP(free_arena) = arena_new();
	log_warn("an object is passed over", "eventsource", str_z(a, source_name(w->r->source)), "event", str_z(a, source_event_name(w->r->source)),
	         "error", e->msg, NULL);
}

/* The version is of no use any more. */
static void
list_is_due(struct cluster_watch *w)
{
	keep(&w->version, STR_NONE);
	row(w, "version", STR_NONE);
}

/* ---- a list ----------------------------------------------------------------------------------------------------------- */

/* Items of kinds that are built in do not say what they are: the list does (as Argo's client has it). */
static struct val
with_kind(const struct val *item, const struct val *list, struct arena *a)
{
	struct val_map m = { 0 };
	str kind = val_get_str(list, "kind");
	if (item->kind != VAL_MAP || val_get_str(item, "kind").n || val_get_str(item, "apiVersion").n || !str_ends(kind, S("List")))
		return *item;
	for (size_t i = 0; i < item->n; i++)
		if (!str_eq(val_key(&item->members[i]), S("kind")) && !str_eq(val_key(&item->members[i]), S("apiVersion")))
			val_map_add(&m, val_key(&item->members[i]), item->members[i].value);
	val_map_add(&m, S("kind"), val_str(str_slice(kind, 0, kind.n - 4)));
	val_map_add(&m, S("apiVersion"), val_str(val_get_str(list, "apiVersion")));
	return val_map_end(&m, a);
}

static void
tell_items(struct cluster_watch *w, const struct val *list, struct arena *a)
{
	const struct val *items = val_get(list, S("items"));
	for (size_t i = 0; val_is(items, VAL_LIST) && i < items->n; i++) {
		struct cluster_object o;
		struct err e;
		struct val item = with_kind(&items->items[i], list, a);
		if (cluster_read_object(&item, &o, &e) < 0)
			complain(w, &e);
		else
			resource_seen_tell(w->r, &o, w->listing, w->since);
	}
}

/* What there is at the first start is told of, or with afterStart is not, by the cluster's own clock. */
static void
begin(struct cluster_watch *w, const struct http_answer *ans)
{
	int64_t now;
	if (w->begun)
		return;
	w->begun = true;
	if (!http_date_read(http_answer_header(ans, "Date"), &now))
		now = loop_now(loop_of(w)) / NS_PER_SEC * NS_PER_SEC;
	w->since = resource_is_after_start(w->r) ? now : 0;
	char text[32];
	text_format(text, sizeof text, "%lld", (long long)now);
	row(w, "since", str_c(text));
}

static void
listed(struct resource *r)
{
	struct cluster_watch *w = r->cluster;
	keep(&w->version, w->list_version);
	keep(&w->server, w->asked);
	row(w, "version", w->version);
	row(w, "server", w->server);
	w->listing = 0;
	go_on(w);
}

/* When what came before is on disk. */
static void
next_page(void *arg)
{
	struct resource *r = arg;
	if (!r->stopping)
		go_on(r->cluster);
	resource_over(r);
}

static int
read_list(struct cluster_watch *w, const struct http_answer *ans, struct arena *a, struct err *e)
{
	struct val list;
	if (json_read(a, ans->body, &list, e) < 0)
		return err_wrap(e, "the list of the cluster");
	str version = val_get_str(val_get(&list, S("metadata")), "resourceVersion"), next = val_get_str(val_get(&list, S("metadata")), "continue");
	if (!version.n)
		return err_set(e, ERR_INVALID, "the list of the cluster has no resourceVersion: such objects cannot be watched");
	begin(w, ans);
	tell_items(w, &list, a);
	keep(&w->list_version, version);
	keep(&w->continue_, next.n ? next : STR_NONE);
	return 0;
}

static void
after_page(struct resource *r)
{
	struct cluster_watch *w = r->cluster;
	if (!w->continue_.p) {
		resource_seen_sweep(r, w->listing, w->since, listed);
		return;
	}
	r->under_way++;
	store_after_commit(r->store, next_page, r);
}

static void
page_came(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct cluster_watch *w = arg;
	struct resource *r = w->r;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e;
	if (r->stopping)
		return;
	if (failure && failure->code == ERR_LIMIT && w->limit > 1) {
		w->limit /= 2;
		go_on(w);
		return;
	}
	if (failure)
		e = *failure;
	else if (ans->status != 200)
		cluster_refused(a, ans->status, ans->body, &e);
	else if (read_list(w, ans, a, &e) == 0) {
		after_page(r);
		return;
	}
	w->listing = 0; /* what was told of it is known; the rest comes with the next */
	again(w, &e);
}

static void
begin_list(struct cluster_watch *w, const struct cluster *c)
{
	w->listing = loop_now(loop_of(w));
	w->limit = PAGE;
	keep(&w->continue_, STR_NONE);
	keep(&w->asked, c->url);
	list_is_due(w);
}

static void
ask_page(struct cluster_watch *w, const struct cluster *c, struct arena *a)
{
	struct http_call call;
	const struct resource_source *config = w->r->config;
	str more = w->continue_.p ? arena_fmt(a, "&continue=%.*s", STR_ARG(sigv4_encode(a, w->continue_, false))) : S("");
	cluster_get(c, arena_fmt(a, "%.*s?limit=%lld%.*s%.*s", STR_ARG(path_of(config, a)), (long long)w->limit, STR_ARG(selector_query(config, a)),
	                         STR_ARG(more)), a, &call);
	call.max_response = PAGE_BYTES;
	httpc_send(w->client, &call, page_came, w);
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
		list_is_due(w);
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
		err_set(&e, ERR_LIMIT, "an object of more than %d bytes", OBJECT_MAX);
		complain(w, &e);
		return true;
	}
	if (!str_trim(line).n)
		return true;
	if (cluster_read_line(line, a, &o, &e) < 0) {
		w->verdict = e;
		list_is_due(w);
		return false;
	}
	w->heard = true;
	backoff_reset(&w->backoff);
	if (o.change == CLUSTER_ERROR)
		return take_error(w, &o);
	if (o.change != CLUSTER_BOOKMARK)
		resource_seen_tell(w->r, &o, 0, w->since);
	keep(&w->version, o.version);
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
		row(w, "version", w->version);
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
	w->opened_at = loop_now(loop_of(w));
	source_state(w->r->source, true, NULL);
}

/* The ordinary end: after WATCH_S, or when what is between us and the cluster has had enough. */
static void
ended_well(struct cluster_watch *w)
{
	struct err e;
	bool worked = w->heard || loop_now(loop_of(w)) - w->opened_at > STOOD_S * NS_PER_SEC;
	if (worked)
		backoff_reset(&w->backoff);
	err_set(&e, ERR_UNAVAILABLE, "the cluster ended the watch");
	again(w, worked ? NULL : &e);
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
		again(w, &w->verdict);
	} else if (failure) {
		again(w, failure);
	} else if (ans->status / 100 == 2) {
		ended_well(w);
	} else {
		if (ans->status == 410)
			list_is_due(w);
		cluster_refused(a, ans->status, ans->body, &e);
		again(w, &e);
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
	again(w, &e);
}

static void
ask_watch(struct cluster_watch *w, const struct cluster *c, struct arena *a)
{
	struct http_call call;
	struct loop *l = loop_of(w);
	const struct resource_source *config = w->r->config;
	int64_t seconds = WATCH_S + loop_now(l) / 1000 % WATCH_S; /* as good as random */
	cluster_get(c, arena_fmt(a, "%.*s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%lld&resourceVersion=%.*s%.*s", STR_ARG(path_of(config, a)),
	                         (long long)seconds, STR_ARG(sigv4_encode(a, w->version, false)), STR_ARG(selector_query(config, a))), a, &call);
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
static void
go_on(void *arg)
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
		again(w, &e);
		return;
	}
	if (w->listing ? !str_eq(c.url, w->asked) : !w->version.p || !str_eq(c.url, w->server))
		begin_list(w, &c);
	if (w->listing)
		ask_page(w, &c, a);
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
	keep(&w->version, version.n ? version : STR_NONE);
	keep(&w->server, server.p ? server : S(""));
}

static void
rows_read(void *arg, const struct source_row *rows, size_t n, const struct err *e)
{
	struct cluster_watch *w = arg;
	struct arena *a CLEANUP(free_arena) = arena_new();
	str place = place_of(w->r->config, a);
	if (e) {
		source_state(w->r->source, false, e);
		return;
	}
	if (str_eq(row_named(rows, n, "place"), place))
		take_up(w, rows, n);
	else
		begin_anew(w, place);
	go_on(w);
}

void
resource_start_cluster(struct resource *r)
{
	struct cluster_watch *w = MEM_NEW(struct cluster_watch);
	*w = (struct cluster_watch){ .r = r, .client = httpc_new(source_loop(r->source)), .lines = { .max = OBJECT_MAX } };
	r->cluster = w;
	source_connecting(r->source);
	source_read_rows(r->source, rows_read, w);
}

void
resource_pause_cluster(struct resource *r, bool on)
{
	struct cluster_watch *w = r->cluster;
	wait_or_go_on(w);
	if (!on && w->waiting)
		go_on(w);
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
		keep(owned[i], STR_NONE);
	lines_reset(&w->lines);
	free(w);
}
