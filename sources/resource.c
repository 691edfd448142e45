/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource: changes of objects (spec events 1.C18): of Tidegate's own, which are workflows and what else `tidegate get` knows but secrets, and of any
 * others in the Kubernetes cluster that the settings name.
 */
#include "core/net/cluster.h"
#include "sources/resource_impl.h"

str
resource_body(struct arena *a, const struct val *v)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	json_write_opts(&b, v, JSON_SORT | JSON_HTML);
	return arena_dup(a, buf_str(&b));
}

static void
ended(void *arg)
{
	struct resource *r = arg;
	struct source *s = r->source;
	resource_free_objects(r);
	resource_free_cluster(r->cluster);
	free(r);
	source_stopped(s);
}

/* One of our jobs is done. */
void
resource_over(struct resource *r)
{
	r->under_way--;
	if (r->stopping && !r->under_way)
		resource_news_free(r->news, ended, r);
	else if (r->cluster)
		resource_cluster_has_room(r);
}

bool
resource_in_scope(const struct resource *r, str ns)
{
	return !r->config->namespace.n || !ns.n || str_eq(r->config->namespace, ns);
}

bool
resource_is_after_start(const struct resource *r)
{
	return r->config->filter && r->config->filter->after_start;
}

/* What is wrong with how the cluster is to be found, which its first connection would find, too. */
static int
cluster_check(const struct resource_source *c, struct sources *ss, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct cluster cluster;
	if (cluster_read(sources_cluster(ss), a, &cluster, e) < 0)
		return err_wrap(e, "%.*s of group \"%.*s\"", STR_ARG(c->resource), STR_ARG(c->group));
	return 0;
}

static int
start(struct source *s, struct err *e)
{
	const struct resource_source *c = source_config(s);
	const struct watched *w = watched_of(c);
	struct sources *ss = source_owner(s);
	struct resource_match *match;
	if (!w && resource_is_secret(c))
		return err_set(e, ERR_UNSUPPORTED, "secrets are not told of: their values would be in the events");
	if (!w && cluster_check(c, ss, e) < 0)
		return -1;
	if (w && !w->kind && !sources_workflows(ss))
		return err_set(e, ERR_UNSUPPORTED, "there are no workflows here");
	if (resource_match_new(c->filter, &match, e) < 0)
		return err_wrap(e, "filter");
	struct resource *r = MEM_NEW(struct resource);
	*r = (struct resource){ .source = s, .store = sources_store(ss), .objects = sources_objects(ss), .config = c, .watched = w };
	r->news = resource_news_new(s, r->store, match);
	source_set_data(s, r);
	if (!w)
		resource_start_cluster(r);
	else if (w->kind)
		resource_start_objects(r);
	else
		resource_start_workflows(r);
	resource_news_go_on(r->news); /* what was not told before a restart */
	return 0;
}

static void
pause_(struct source *s, bool on)
{
	struct resource *r = source_data(s);
	if (!on)
		resource_news_go_on(r->news);
	if (!r->watched)
		resource_pause_cluster(r, on);
}

static void
stop(struct source *s)
{
	struct resource *r = source_data(s);
	const struct workflow_feed *feed = sources_workflows(source_owner(s));
	r->stopping = true;
	if (!r->watched)
		resource_stop_cluster(r);
	else if (!r->watched->kind)
		feed->watch(feed->arg, false);
	r->under_way++;
	resource_over(r);
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct val v;
	struct buf b CLEANUP(free_buf) = { 0 };
	if (json_read(a, body, &v, e) < 0)
		return -1;
	if (v.kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "the body must be the object, as JSON");
	resource_data(&b, source_config(s), OBJECT_ADD, resource_body(a, &v), STR_NONE);
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

const struct source_ops source_resource = { .kind = "resource", .doc = "Changes of objects.", .schema = &resource_source_schema,
	.start = start, .pause = pause_, .stop = stop, .wrap = wrap, .objects_changed = resource_objects_changed };
