/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hdfs: changes of files in HDFS (spec events 1.C3). A directory and all below it is listed again and again over WebHDFS, one call at a time:
 * sources/hdfs_walk.h. What is there at the very first look is announced, as in Argo; after a restart only what changed.
 */
#include "core/net/webhdfs.h"
#include "sources/check.h"
#include "sources/hdfs_walk.h"
#include "sources/lookup.h"
#include "sources/webhook_context.h"

#define INTERVAL (60 * NS_PER_SEC)

struct hdfs_source {
	struct strs addresses;
	str check_interval;
	str directory;
	struct source_filter *filter;
	str hdfs_user;
	bool immediate;
	struct secret_ref *krb_c_cache_secret;
	struct secret_ref *krb_config_config_map;
	struct secret_ref *krb_keytab_secret;
	str krb_realm;
	str krb_service_principal_name;
	str krb_username;
	struct kvs metadata;
	str path;
	str path_regexp;
	str type;
	const struct val *src;
};

/* ---- the table ------------------------------------------------------------------------------------------------ */

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct hdfs_source *s = obj;

	source_check_type(s->type, in, c);
	lookup_check_interval(s->check_interval, in, c, "checkInterval");
	source_check_watch(s->directory, s->path, s->path_regexp, in, c);
	source_need_list(s->addresses.n, in, c, "addresses");
	for (size_t i = 0; i < s->addresses.n; i++)
		if (webhdfs_is_rpc(s->addresses.p[i]))
			decode_warn(c, in, "addresses", WEBHDFS_NOT_RPC, STR_ARG(s->addresses.p[i]));
	if (!s->hdfs_user.n && !s->krb_c_cache_secret && !s->krb_keytab_secret)
		decode_error(c, in, NULL, "either hdfsUser, krbCCacheSecret or krbKeytabSecret is required");
	if (s->krb_keytab_secret) {
		source_need(s->krb_username, in, c, "krbUsername");
		source_need(s->krb_realm, in, c, "krbRealm");
	}
	if (s->krb_keytab_secret || s->krb_c_cache_secret) {
		source_need(s->krb_service_principal_name, in, c, "krbServicePrincipalName");
		source_need_ref(s->krb_config_config_map, in, c, "krbConfigConfigMap");
	}
}

#define NO_KERBEROS .hint = "Kerberos is not served: give hdfsUser, and the address of a gateway (HttpFS, Knox) that logs in"

static const struct schema hdfs_source_schema = { "HDFSEventSource", "Changes of files in HDFS.",
	sizeof(struct hdfs_source), (const struct field[]){
	FIELD(struct hdfs_source, addresses, "addresses", 0,
		.doc = "Addresses of WebHDFS, the name nodes' or an HttpFS's: `host:port` or a URL; the first that answers and is active is asked."),
	FIELD(struct hdfs_source, check_interval, "checkInterval", 0, .dflt = "1m", .doc = "Time between two looks."),
	FIELD(struct hdfs_source, directory, "directory", 0, .doc = "Directory to watch, with all below it."),
	FIELD_PTR(struct hdfs_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct hdfs_source, hdfs_user, "hdfsUser", 0, .doc = "User without Kerberos."),
	FIELD(struct hdfs_source, immediate, "immediate", 0,
		.doc = "Announce a file as soon as its name is there, as Argo does; else when it has looked the same for an interval."),
	FIELD_PTR(struct hdfs_source, krb_c_cache_secret, "krbCCacheSecret", LATER, &secret_ref_schema,
		.doc = "Kerberos credential cache.", NO_KERBEROS),
	FIELD_PTR(struct hdfs_source, krb_config_config_map, "krbConfigConfigMap", LATER, &config_map_ref_schema,
		.doc = "krb5.conf.", NO_KERBEROS),
	FIELD_PTR(struct hdfs_source, krb_keytab_secret, "krbKeytabSecret", LATER, &secret_ref_schema,
		.doc = "Kerberos key table.", NO_KERBEROS),
	FIELD(struct hdfs_source, krb_realm, "krbRealm", LATER, .doc = "Kerberos realm.", NO_KERBEROS),
	FIELD(struct hdfs_source, krb_service_principal_name, "krbServicePrincipalName", LATER,
		.doc = "Principal of the service.", NO_KERBEROS),
	FIELD(struct hdfs_source, krb_username, "krbUsername", LATER, .doc = "Kerberos user.", NO_KERBEROS),
	FIELD(struct hdfs_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct hdfs_source, path, "path", 0, .doc = "File to watch, relative to directory."),
	FIELD(struct hdfs_source, path_regexp, "pathRegexp", 0, .doc = "Regular expression for files to watch."),
	FIELD(struct hdfs_source, type, "type", 0,
		.doc = "CREATE, WRITE, REMOVE, RENAME, CHMOD, or several with `|` between."),
	FIELD_SRC(struct hdfs_source, src),
	{ 0 } }, check };

/* ---- the running source --------------------------------------------------------------------------------------- */

struct hdfs {
	struct arena *arena;
	struct source *source;
	struct lookup *lookup;
	struct watch_match *match;
	struct hdfs_place place;
	struct hdfs_walk *walk; /* a look is under way */
};

static void
on_walked(void *arg, struct watch_look *seen, const struct err *e)
{
	struct hdfs *h = arg;
	h->walk = NULL;
	if (e)
		lookup_failed(h->lookup, e);
	else
		lookup_seen(h->lookup, seen);
}

static void
look(void *arg)
{
	struct hdfs *h = arg;
	struct httpc *client = sources_httpc(source_owner(h->source));
	if (client) /* else everything ends just now */
		h->walk = hdfs_walk(client, &h->place, on_walked, h);
}

static int
start(struct source *s, struct err *e)
{
	const struct hdfs_source *config = source_config(s);
	struct arena *a = arena_new();
	struct hdfs *h = ARENA_NEW(a, struct hdfs);
	*h = (struct hdfs){ .arena = a, .source = s };
	/* The set of names is relative to the directory, whatever slashes surround it. */
	str path = config->path.n ? watch_clean(a, config->path) : STR_NONE;
	path = str_slice(path, 1, path.n);
	if (watch_match_new(path, config->path_regexp, &h->match, e) < 0) {
		arena_free(a);
		return -1;
	}
	h->place = (struct hdfs_place){ .addresses = config->addresses, .directory = watch_clean(a, config->directory), .user = config->hdfs_user,
	                                .match = h->match, .path = path };
	struct watch_options o = { .match = watch_match_ref(h->match), .directory = h->place.directory, .type = config->type,
	                           .metadata = &config->metadata, .rules = WATCH_RENAMED_TO | WATCH_ALL_OPS | WATCH_FIRST_IS_NEWS };
	o.rules |= config->immediate ? WATCH_AT_ONCE : 0;
	o.place = arena_fmt(a, "hdfs\n%.*s\n%.*s\n%.*s\n%.*s", STR_ARG(config->addresses.p[0]), STR_ARG(h->place.directory), STR_ARG(path),
	                    STR_ARG(config->path_regexp));
	source_set_data(s, h);
	h->lookup = lookup_start(s, &o, config->check_interval, INTERVAL, look, h);
	return 0;
}

static void
on_pause(struct source *s, bool on)
{
	struct hdfs *h = source_data(s);
	lookup_pause(h->lookup, on);
}

static void
stop(struct source *s)
{
	struct hdfs *h = source_data(s);
	hdfs_walk_leave(h->walk);
	lookup_free(h->lookup);
	watch_match_unref(h->match);
	arena_free(h->arena);
	source_stopped(s);
}

static void
describe(const struct source *s, struct val_map *m, struct arena *a)
{
	const struct hdfs *h = source_data(s);
	lookup_describe(h->lookup, m, a);
}

const struct source_ops source_hdfs = { .kind = "hdfs", .doc = "Changes of files in HDFS.",
	.schema = &hdfs_source_schema, .start = start, .pause = on_pause, .stop = stop, .describe = describe };
