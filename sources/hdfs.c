/* SPDX-License-Identifier: Apache-2.0 */
/* hdfs: Changes of files in HDFS. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct hdfs_source {
	struct strs addresses;
	str check_interval;
	str directory;
	struct source_filter *filter;
	str hdfs_user;
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

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct hdfs_source *s = obj;

	source_check_type(s->type, in, c);
	source_check_interval(s->check_interval, in, c, "checkInterval");
	source_check_watch(s->directory, s->path, s->path_regexp, in, c);
	source_need_list(s->addresses.n, in, c, "addresses");
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

static const struct schema hdfs_source_schema = { "HDFSEventSource", "Changes of files in HDFS.",
	sizeof(struct hdfs_source), (const struct field[]){
	FIELD(struct hdfs_source, addresses, "addresses", 0, .doc = "Addresses of the name nodes."),
	FIELD(struct hdfs_source, check_interval, "checkInterval", 0, .dflt = "1m", .doc = "Time between two looks."),
	FIELD(struct hdfs_source, directory, "directory", 0, .doc = "Directory to watch."),
	FIELD_PTR(struct hdfs_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct hdfs_source, hdfs_user, "hdfsUser", 0, .doc = "User without Kerberos."),
	FIELD_PTR(struct hdfs_source, krb_c_cache_secret, "krbCCacheSecret", 0, &secret_ref_schema,
		.doc = "Kerberos credential cache."),
	FIELD_PTR(struct hdfs_source, krb_config_config_map, "krbConfigConfigMap", 0, &config_map_ref_schema,
		.doc = "krb5.conf."),
	FIELD_PTR(struct hdfs_source, krb_keytab_secret, "krbKeytabSecret", 0, &secret_ref_schema,
		.doc = "Kerberos key table."),
	FIELD(struct hdfs_source, krb_realm, "krbRealm", 0, .doc = "Kerberos realm."),
	FIELD(struct hdfs_source, krb_service_principal_name, "krbServicePrincipalName", 0,
		.doc = "Principal of the service."),
	FIELD(struct hdfs_source, krb_username, "krbUsername", 0, .doc = "Kerberos user."),
	FIELD(struct hdfs_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct hdfs_source, path, "path", 0, .doc = "File to watch, relative to directory."),
	FIELD(struct hdfs_source, path_regexp, "pathRegexp", 0, .doc = "Regular expression for files to watch."),
	FIELD(struct hdfs_source, type, "type", 0,
		.doc = "CREATE, WRITE, REMOVE, RENAME, CHMOD, or several with `|` between."),
	FIELD_SRC(struct hdfs_source, src),
	{ 0 } }, check };

const struct source_ops source_hdfs = { .kind = "hdfs", .doc = "Changes of files in HDFS.",
	.schema = &hdfs_source_schema };
