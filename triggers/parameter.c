/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/parameter.h"

#include "core/lang/gotmpl.h"

/* A template that cannot be read is passed over; that is an error only where nothing else gives a value. */
static void
check_go_template(const struct parameter_source *p, str text, str key, const char *field, struct decode *c)
{
	struct gotmpl *parsed;
	struct err e;

	if (!text.n || gotmpl_parse(c->arena, text, &parsed, &e) == 0)
		return;
	if (key.n || p->value.p)
		decode_warn(c, p->src, field, "%s", e.msg);
	else
		decode_error(c, p->src, field, "%s", e.msg);
}

static void
check_parameter_source(void *obj, const struct val *in UNUSED, struct decode *c)
{
	const struct parameter_source *p = obj;

	check_go_template(p, p->data_template, p->data_key, "dataTemplate", c);
	check_go_template(p, p->context_template, p->context_key, "contextTemplate", c);
}

static const struct schema parameter_source_schema = { "TriggerParameterSource",
	"Where a parameter takes its value from.",
	sizeof(struct parameter_source), (const struct field[]){
	FIELD(struct parameter_source, context_key, "contextKey", 0,
		.doc = "Path into the context of the event, such as `id`."),
	FIELD(struct parameter_source, context_template, "contextTemplate", 0,
		.doc = "Go template over the context, as `.Input`."),
	FIELD(struct parameter_source, data_key, "dataKey", 0,
		.doc = "Path into the data of the event, such as `body.ref`."),
	FIELD(struct parameter_source, data_template, "dataTemplate", 0,
		.doc = "Go template over the data, as `.Input`."),
	FIELD(struct parameter_source, dependency, "dependencyName", 0, .doc = "Dependency whose event is meant."),
	FIELD(struct parameter_source, use_raw, "useRawData", 0,
		.doc = "Keep numbers, booleans and objects as they are; else all becomes text."),
	FIELD(struct parameter_source, value, "value", 0, .doc = "Value if there is no event or nothing at the path."),
	FIELD_SRC(struct parameter_source, src),
	{ 0 } }, check_parameter_source };

static const char *const operations[] = { "", "overwrite", "append", "prepend", NULL };

/* Argo Events, pkg/sensors/validate: the order of its checks is ours, but all are reported. */
static void
check_source(const struct trigger_parameter *p, const struct val *in, struct decode *c)
{
	if (!p->source)
		decode_error(c, in, NULL, "parameter source can't be empty: write src: {dependencyName: ..., dataKey: "
			"...}");
	else if (!p->source->dependency.n)
		decode_error(c, p->source->src, NULL, "parameter dependency name can't be empty: set dependencyName");
}

static void
check_parameter(void *obj, const struct val *in, struct decode *c)
{
	const struct trigger_parameter *p = obj;

	check_source(p, in, c);
	if (!p->dest.n)
		decode_error(c, in, "dest", "parameter destination can't be empty");
}

static void
check_payload(void *obj, const struct val *in, struct decode *c)
{
	check_source(obj, in, c);
}

#define PARAMETER_ROWS \
	FIELD(struct trigger_parameter, dest, "dest", 0, \
		.doc = "Path of what is set, such as `spec.arguments.parameters.0.value`."), \
	FIELD(struct trigger_parameter, operation, "operation", 0, .choices = operations, \
		.doc = "What to do with a value that is there: overwrite it (default), append or prepend to it."), \
	FIELD_PTR(struct trigger_parameter, source, "src", 0, &parameter_source_schema, \
		.doc = "Where the value comes from."), \
	FIELD_SRC(struct trigger_parameter, src)

const struct schema trigger_parameter_schema = { "TriggerParameter", "A value from an event, and where it goes.",
	sizeof(struct trigger_parameter), (const struct field[]){ PARAMETER_ROWS, { 0 } }, check_parameter };

const struct schema trigger_payload_schema = { "TriggerPayload",
	"A value from an event, and where it goes in the body; without dest it is the body.",
	sizeof(struct trigger_parameter), (const struct field[]){ PARAMETER_ROWS, { 0 } }, check_payload };

/* ---- headers ------------------------------------------------------------------------------------------------ */

struct header_value {
	struct secret_ref *secret, *config_map;
};
static const struct schema header_value_schema = { "ValueFromSource", "A key of a Secret or a ConfigMap.",
	sizeof(struct header_value),
	(const struct field[]){
	FIELD_PTR(struct header_value, config_map, "configMapKeyRef", 0, &config_map_ref_schema, .one_of = "source",
		.doc = "A key of a ConfigMap."),
	FIELD_PTR(struct header_value, secret, "secretKeyRef", 0, &secret_ref_schema, .one_of = "source",
		.doc = "A key of a Secret."),
	{ 0 } } };

/* The same two members, one level up. */
static_assert(offsetof(struct secure_header, config_map) == offsetof(struct secure_header, secret) + sizeof(void *),
	"as in header_value");

const struct schema secure_header_schema = { "SecureHeader", "A header whose value is kept in a Secret or a ConfigMap.",
	sizeof(struct secure_header),
	(const struct field[]){
	FIELD(struct secure_header, name, "name", REQ, .doc = "Header name."),
	{ .name = "valueFrom", .kind = FIELD_OBJ_, .flags = REQ, .offset = offsetof(struct secure_header, secret),
		.schema = &header_value_schema,
		.doc = "Where the value is." },
	{ 0 } } };

/* ---- where a resource comes from ---------------------------------------------------------------------------- */

struct file_source {
	str path;
};
static const struct schema file_source_schema = { "FileArtifact", "A file of the host.", sizeof(struct file_source),
	(const struct field[]){
	FIELD(struct file_source, path, "path", 0, .doc = "Path of the file."),
	{ 0 } } };

static const struct schema url_source_schema = { "URLArtifact", "A file of a web server.", 0, (const struct field[]){
	FIELD_AS("path", FIELD_STR, 0, .doc = "URL of the file."),
	FIELD_AS("verifyCert", FIELD_BOOL, 0, .doc = "Whether to check the certificate."),
	{ 0 } } };

static const struct schema git_creds_schema = { "GitCreds", "User name and password for git.", 0,
	(const struct field[]){
	FIELD_AS("password", FIELD_OBJ_, 0, .schema = &secret_ref_schema, .doc = "Password or token."),
	FIELD_AS("username", FIELD_OBJ_, 0, .schema = &secret_ref_schema, .doc = "User name."),
	{ 0 } } };
static const struct schema git_remote_schema = { "GitRemoteConfig", "A remote to add.", 0, (const struct field[]){
	FIELD_AS("name", FIELD_STR, 0, .doc = "Name of the remote."),
	FIELD_AS("urls", FIELD_STRS, 0, .doc = "URLs of the remote."),
	{ 0 } } };
static const struct schema git_app_schema = { "GithubAppCreds", "A GitHub App as credentials.", 0,
	(const struct field[]){
	FIELD_AS("appID", FIELD_INTSTR, 0, .doc = "Id of the app."),
	FIELD_AS("installationID", FIELD_INTSTR, 0, .doc = "Id of its installation."),
	FIELD_AS("privateKey", FIELD_OBJ_, 0, .schema = &secret_ref_schema, .doc = "Private key of the app."),
	{ 0 } } };
static const struct schema git_source_schema = { "GitArtifact", "A file of a git repository.", 0,
	(const struct field[]){
	FIELD_AS("branch", FIELD_STR, 0, .dflt = "master", .doc = "Branch to check out."),
	FIELD_AS("cloneDirectory", FIELD_STR, 0, .doc = "Directory to clone into."),
	FIELD_AS("creds", FIELD_OBJ_, 0, .schema = &git_creds_schema, .doc = "User name and password."),
	FIELD_AS("filePath", FIELD_STR, 0, .doc = "File to read."),
	FIELD_AS("githubApp", FIELD_OBJ_, 0, .schema = &git_app_schema, .doc = "GitHub App to act as."),
	FIELD_AS("insecureIgnoreHostKey", FIELD_BOOL, 0, .doc = "Do not check the SSH host key."),
	FIELD_AS("ref", FIELD_STR, 0, .doc = "Reference to check out."),
	FIELD_AS("remote", FIELD_OBJ_, 0, .schema = &git_remote_schema, .doc = "Another remote to fetch from."),
	FIELD_AS("sshKeySecret", FIELD_OBJ_, 0, .schema = &secret_ref_schema, .doc = "SSH key."),
	FIELD_AS("tag", FIELD_STR, 0, .doc = "Tag to check out."),
	FIELD_AS("url", FIELD_STR, 0, .doc = "URL of the repository."),
	{ 0 } } };

static const struct schema s3_bucket_schema = { "S3Bucket", "A bucket and a key in it.", 0, (const struct field[]){
	FIELD_AS("key", FIELD_STR, 0, .doc = "Key of the object."),
	FIELD_AS("name", FIELD_STR, 0, .doc = "Name of the bucket."),
	{ 0 } } };
static const struct schema s3_filter_schema = { "S3Filter", "Keys by prefix and suffix.", 0, (const struct field[]){
	FIELD_AS("prefix", FIELD_STR, 0, .doc = "What keys begin with."),
	FIELD_AS("suffix", FIELD_STR, 0, .doc = "What keys end with."),
	{ 0 } } };
static const struct schema s3_source_schema = { "S3Artifact", "An object of S3.", 0, (const struct field[]){
	FIELD_AS("accessKey", FIELD_OBJ_, 0, .schema = &secret_ref_schema, .doc = "Access key."),
	FIELD_AS("bucket", FIELD_OBJ_, 0, .schema = &s3_bucket_schema, .doc = "Bucket and key."),
	FIELD_AS("caCertificate", FIELD_OBJ_, 0, .schema = &secret_ref_schema,
		.doc = "Certificate authority of the server."),
	FIELD_AS("endpoint", FIELD_STR, 0, .doc = "Host and port of the service."),
	FIELD_AS("events", FIELD_STRS, 0, .doc = "Not used here."),
	FIELD_AS("filter", FIELD_OBJ_, 0, .schema = &s3_filter_schema, .doc = "Not used here."),
	FIELD_AS("insecure", FIELD_BOOL, 0, .doc = "Without TLS."),
	FIELD_AS("metadata", FIELD_KVS, 0, .doc = "Not used here."),
	FIELD_AS("region", FIELD_STR, 0, .doc = "Region of the bucket."),
	FIELD_AS("secretKey", FIELD_OBJ_, 0, .schema = &secret_ref_schema, .doc = "Secret key."),
	{ 0 } } };

const struct schema manifest_source_schema = { "ArtifactLocation", "Where the object comes from.",
	sizeof(struct manifest_source), (const struct field[]){
	FIELD_PTR(struct manifest_source, config_map, "configmap", 0, &config_map_ref_schema,
		.doc = "A key of a ConfigMap."),
	FIELD_OBJ(struct manifest_source, file, "file", 0, &file_source_schema, .doc = "A file of the host."),
	FIELD(struct manifest_source, git, "git", LATER, .schema = &git_source_schema,
		.doc = "A file of a git repository."),
	FIELD(struct manifest_source, inline_text, "inline", 0, .doc = "The object as text, YAML or JSON."),
	FIELD(struct manifest_source, resource, "resource", 0, .doc = "The object itself."),
	FIELD(struct manifest_source, s3, "s3", LATER, .schema = &s3_source_schema, .doc = "An object of S3."),
	FIELD(struct manifest_source, url, "url", LATER, .schema = &url_source_schema,
		.doc = "A file of a web server."),
	FIELD_SRC(struct manifest_source, src),
	{ 0 } } };
