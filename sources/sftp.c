/* SPDX-License-Identifier: Apache-2.0 */
/* sftp: Changes of files on an SFTP server. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct sftp_source {
	struct secret_ref *address;
	str event_type;
	struct source_filter *filter;
	struct kvs metadata;
	struct secret_ref *password;
	str poll_interval_duration;
	struct secret_ref *ssh_key_secret;
	struct secret_ref *username;
	struct watch_path *watch_path_config;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct sftp_source *s = obj;

	if (!s->event_type.n)
		decode_error(c, in, NULL, "type must be specified: set eventType");
	source_check_interval(s->poll_interval_duration, in, c, "pollIntervalDuration");
	source_check_path(s->watch_path_config, in, c);
}

static const struct schema sftp_source_schema = { "SFTPEventSource", "Changes of files on an SFTP server.",
	sizeof(struct sftp_source), (const struct field[]){
	FIELD_PTR(struct sftp_source, address, "address", 0, &secret_ref_schema, .doc = "Host and port of the server."),
	FIELD(struct sftp_source, event_type, "eventType", 0, .doc = "CREATE or REMOVE."),
	FIELD_PTR(struct sftp_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct sftp_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct sftp_source, password, "password", 0, &secret_ref_schema, .doc = "Password."),
	FIELD(struct sftp_source, poll_interval_duration, "pollIntervalDuration", 0, .dflt = "10s",
		.doc = "Time between two looks."),
	FIELD_PTR(struct sftp_source, ssh_key_secret, "sshKeySecret", 0, &secret_ref_schema, .doc = "SSH key."),
	FIELD_PTR(struct sftp_source, username, "username", 0, &secret_ref_schema, .doc = "User name."),
	FIELD_PTR(struct sftp_source, watch_path_config, "watchPathConfig", 0, &watch_path_schema,
		.doc = "Directory and files to watch."),
	FIELD_SRC(struct sftp_source, src),
	{ 0 } }, check };

const struct source_ops source_sftp = { .kind = "sftp", .doc = "Changes of files on an SFTP server.",
	.schema = &sftp_source_schema };
