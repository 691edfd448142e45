/* SPDX-License-Identifier: Apache-2.0 */
/* file: Changes of files in a directory. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct file_source {
	str event_type;
	struct source_filter *filter;
	struct kvs metadata;
	bool polling;
	struct watch_path *watch_path_config;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct file_source *s = obj;

	if (!s->event_type.n)
		decode_error(c, in, NULL, "type must be specified: set eventType");
	source_check_path(s->watch_path_config, in, c);
	if (s->watch_path_config && s->watch_path_config->path.n && !str_ends(s->watch_path_config->directory, S("/")))
		decode_warn(c, s->watch_path_config->src, "directory",
			"nothing matches path unless directory ends in \"/\"");
}

static const struct schema file_source_schema = { "FileEventSource", "Changes of files in a directory.",
	sizeof(struct file_source), (const struct field[]){
	FIELD(struct file_source, event_type, "eventType", 0,
		.doc = "CREATE, WRITE, REMOVE, RENAME, CHMOD, or several with `|` between."),
	FIELD_PTR(struct file_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct file_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct file_source, polling, "polling", 0,
		.doc = "Look at the directory again and again instead of being told."),
	FIELD_PTR(struct file_source, watch_path_config, "watchPathConfig", 0, &watch_path_schema,
		.doc = "Directory and files to watch."),
	FIELD_SRC(struct file_source, src),
	{ 0 } }, check };

const struct source_ops source_file = { .kind = "file", .doc = "Changes of files in a directory.",
	.schema = &file_source_schema };
