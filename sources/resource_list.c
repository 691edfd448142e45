/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource_list: all objects of a kind in a cluster, in pages: what was not told of them is, and what was told and is not there any more is gone.
 * From its version on they are watched.
 */
#include "core/net/http_date.h"
#include "core/net/sigv4.h"
#include "sources/resource_cluster.h"

enum { PAGE = 100 /* objects that a page may have; of objects that are large fewer */ };

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
			cluster_complain(w, &e);
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
		now = loop_now(cluster_loop(w)) / NS_PER_SEC * NS_PER_SEC;
	w->since = resource_is_after_start(w->r) ? now : 0;
	char text[32];
	text_format(text, sizeof text, "%lld", (long long)now);
	cluster_row(w, "since", str_c(text));
}

static void
listed(struct resource *r)
{
	struct cluster_watch *w = r->cluster;
	cluster_keep(&w->version, w->list_version);
	cluster_keep(&w->server, w->asked);
	cluster_row(w, "version", w->version);
	cluster_row(w, "server", w->server);
	w->listing = 0;
	cluster_go_on(w);
}

/* When what came before is on disk. */
static void
next_page(void *arg)
{
	struct resource *r = arg;
	if (!r->stopping)
		cluster_go_on(r->cluster);
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
	cluster_keep(&w->list_version, version);
	cluster_keep(&w->continue_, next.n ? next : STR_NONE);
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
		cluster_go_on(w);
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
	cluster_again(w, &e);
}

void
cluster_begin_list(struct cluster_watch *w, const struct cluster *c)
{
	w->listing = loop_now(cluster_loop(w));
	w->limit = PAGE;
	cluster_keep(&w->continue_, STR_NONE);
	cluster_keep(&w->asked, c->url);
	cluster_list_is_due(w);
}

void
cluster_ask_page(struct cluster_watch *w, const struct cluster *c, struct arena *a)
{
	struct http_call call;
	const struct resource_source *config = w->r->config;
	str more = w->continue_.p ? arena_fmt(a, "&continue=%.*s", STR_ARG(sigv4_encode(a, w->continue_, false))) : S("");
	cluster_get(c, arena_fmt(a, "%.*s?limit=%lld%.*s%.*s", STR_ARG(cluster_path(config, a)), (long long)w->limit, STR_ARG(cluster_selector(config, a)),
	                         STR_ARG(more)), a, &call);
	call.max_response = CLUSTER_OBJECT_MAX;
	httpc_send(w->client, &call, page_came, w);
}
