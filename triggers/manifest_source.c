/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the places that an object may come from. What is missing is an error when it is read: parameters may bring it. */
#include "triggers/manifest_source.h"

#include "core/net/git.h"

/* ---- s3 --------------------------------------------------------------------------------------------------------------- */

static const struct schema s3_bucket_schema = { "S3Bucket", "A bucket and a key in it.", sizeof(struct s3_bucket), (const struct field[]){
	FIELD(struct s3_bucket, key, "key", 0, .doc = "Key of the object."),
	FIELD(struct s3_bucket, name, "name", 0, .doc = "Name of the bucket."),
	{ 0 } } };
static const struct schema s3_filter_schema = { "S3Filter", "Keys by prefix and suffix.", 0, (const struct field[]){
	FIELD_AS("prefix", FIELD_STR, 0, .doc = "What keys begin with."),
	FIELD_AS("suffix", FIELD_STR, 0, .doc = "What keys end with."),
	{ 0 } } };

static void
check_s3(void *obj, const struct val *in, struct decode *c)
{
	const struct s3_source *s = obj;
	if (!s->access_key != !s->secret_key)
		decode_error(c, in, NULL, "accessKey and secretKey go together: give both, or neither");
	if (str_find(s->endpoint, S("://"), 0) != SIZE_MAX)
		decode_error(c, in, "endpoint", "endpoint %.*s: must be a host, with a port if need be; insecure: true means http", STR_ARG(s->endpoint));
}

static const struct schema s3_source_schema = { "S3Artifact", "An object of S3, or of what speaks like it; at most 1.2 MiB.",
	sizeof(struct s3_source), (const struct field[]){
	FIELD_PTR(struct s3_source, access_key, "accessKey", 0, &secret_ref_schema,
		.doc = "Access key; without one, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the daemon's environment; without "
			"those, too, the request is not signed."),
	FIELD_OBJ(struct s3_source, bucket, "bucket", 0, &s3_bucket_schema, .doc = "Bucket and key."),
	FIELD_PTR(struct s3_source, ca, "caCertificate", 0, &secret_ref_schema, .doc = "Certificate authority of the server."),
	FIELD(struct s3_source, endpoint, "endpoint", 0, .doc = "Host and port of the service, such as `s3.amazonaws.com`."),
	FIELD_AS("events", FIELD_STRS, 0, .doc = "Not used here."),
	FIELD_AS("filter", FIELD_OBJ_, 0, .schema = &s3_filter_schema, .doc = "Not used here."),
	FIELD(struct s3_source, insecure, "insecure", 0, .doc = "Without TLS."),
	FIELD_AS("metadata", FIELD_KVS, 0, .doc = "Not used here."),
	FIELD(struct s3_source, region, "region", 0, .doc = "Region of the bucket; without one, us-east-1, or what the service says."),
	FIELD_PTR(struct s3_source, secret_key, "secretKey", 0, &secret_ref_schema, .doc = "Secret key."),
	{ 0 } }, check_s3 };

/* ---- file, url -------------------------------------------------------------------------------------------------------- */

static const struct schema file_source_schema = { "FileArtifact", "A file of the host, at most 1 MiB.", sizeof(struct file_source),
	(const struct field[]){
	FIELD(struct file_source, path, "path", 0, .doc = "Path of the file."),
	{ 0 } } };

static void
check_url(void *obj, const struct val *in, struct decode *c)
{
	const struct url_source *u = obj;
	if (u->path.n && !str_starts(u->path, S("http://")) && !str_starts(u->path, S("https://")))
		decode_error(c, in, "path", "must begin with http:// or https://; for a file of this machine write file: {path: ...}");
}

static const struct schema url_source_schema = { "URLArtifact", "A file of a web server, at most 512 KiB.", sizeof(struct url_source),
	(const struct field[]){
	FIELD(struct url_source, path, "path", 0, .doc = "URL of the file."),
	FIELD(struct url_source, verify, "verifyCert", 0, .doc = "Whether to check the certificate; yes, unless this says false (in Argo: no, unless "
		"this says true)."),
	{ 0 } }, check_url };

/* ---- git -------------------------------------------------------------------------------------------------------------- */

static const struct schema git_creds_schema = { "GitCreds", "User name and password for git.", sizeof(struct basic_auth),
	(const struct field[]){
	FIELD_PTR(struct basic_auth, password, "password", 0, &secret_ref_schema, .doc = "Password or token."),
	FIELD_PTR(struct basic_auth, username, "username", 0, &secret_ref_schema, .doc = "User name."),
	{ 0 } } };
static const struct schema git_remote_schema = { "GitRemoteConfig", "Another repository.", sizeof(struct git_remote), (const struct field[]){
	FIELD(struct git_remote, name, "name", 0, .doc = "Name of the remote."),
	FIELD(struct git_remote, urls, "urls", 0, .doc = "URLs of the remote; the first counts."),
	{ 0 } } };
static const struct schema git_app_schema = { "GithubAppCreds", "A GitHub App as credentials.", 0,
	(const struct field[]){
	FIELD_AS("appID", FIELD_INTSTR, 0, .doc = "Id of the app."),
	FIELD_AS("installationID", FIELD_INTSTR, 0, .doc = "Id of its installation."),
	FIELD_AS("privateKey", FIELD_OBJ_, 0, .schema = &secret_ref_schema, .doc = "Private key of the app."),
	{ 0 } } };

static void
check_ref(str ref, const char *field, const struct val *in, struct decode *c)
{
	if (!git_ref_is_good(ref))
		decode_error(c, in, field, "\"%.*s\" is no name of a ref", STR_ARG(str_slice(ref, 0, 80)));
}

static void
check_git_url(str url, const char *field, const struct val *in, struct decode *c)
{
	if (url.n && !git_url_is_good(url, true))
		decode_error(c, in, field, "must begin with https://, http://, ssh://, git:// or file://, or be user@host:path or a path");
}

/* git.go of pkg/sensors/artifacts of Argo Events refuses these in a filePath. */
static void
check_path(str path, const struct val *in, struct decode *c)
{
	static const char *const wrong[] = { "..", "~", "\\" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (str_find(path, str_c(wrong[i]), 0) != SIZE_MAX)
			decode_error(c, in, "filePath", "\"%s\" is not allowed in the filePath", wrong[i]);
}

static void
check_git(void *obj, const struct val *in, struct decode *c)
{
	const struct git_source *g = obj;
	check_git_url(g->url, "url", in, c);
	if (g->remote && g->remote->urls.n)
		check_git_url(g->remote->urls.p[0], "remote", in, c);
	check_ref(g->branch, "branch", in, c);
	check_ref(g->tag, "tag", in, c);
	check_ref(g->ref, "ref", in, c);
	check_path(g->file_path, in, c);
	if (g->creds && (!g->creds->username || !g->creds->password))
		decode_error(c, in, "creds", "username and password must both be given");
	if (g->creds && g->ssh_key)
		decode_warn(c, in, "sshKeySecret", "has no effect beside creds");
}

static const struct schema git_source_schema = { "GitArtifact", "A file of a git repository, at most 1 MiB. Only the one commit is fetched, "
	"into a folder that goes when the file was read.", sizeof(struct git_source), (const struct field[]){
	FIELD(struct git_source, branch, "branch", 0, .dflt = "master", .doc = "Branch to read from."),
	FIELD_AS("cloneDirectory", FIELD_STR, NOEFFECT, .doc = "Directory to clone into.", .hint = "each reading fetches one commit into a folder of its own"),
	FIELD_PTR(struct git_source, creds, "creds", 0, &git_creds_schema, .doc = "User name and password, for http and https."),
	FIELD(struct git_source, file_path, "filePath", 0, .doc = "File to read; a symbolic link is refused."),
	FIELD(struct git_source, github_app, "githubApp", LATER, .schema = &git_app_schema, .as = FIELD_OBJ_, .doc = "GitHub App to act as.",
		.hint = "give a token as the password of creds"),
	FIELD(struct git_source, ignore_host_key, "insecureIgnoreHostKey", 0, .doc = "Do not check the SSH host key."),
	FIELD(struct git_source, ref, "ref", 0, .doc = "Reference to read from, such as refs/heads/main, or a commit; it goes before tag and branch."),
	FIELD_PTR(struct git_source, remote, "remote", 0, &git_remote_schema, .doc = "Another repository: what it has goes before what url has."),
	FIELD_PTR(struct git_source, ssh_key, "sshKeySecret", 0, &secret_ref_schema, .doc = "SSH key, without a passphrase. Host keys are looked for in "
		"known_hosts of the daemon's user and of the machine, or in the files that SSH_KNOWN_HOSTS names."),
	FIELD(struct git_source, tag, "tag", 0, .doc = "Tag to read from; it goes before branch."),
	FIELD(struct git_source, url, "url", 0, .doc = "URL of the repository."),
	{ 0 } }, check_git };

/* ---- all of them ------------------------------------------------------------------------------------------------------ */

const struct schema manifest_source_schema = { "ArtifactLocation", "Where the object comes from: the first that is given, in the order s3, inline, "
	"file, url, git, configmap, resource. What is text is YAML or JSON; the first document counts.",
	sizeof(struct manifest_source), (const struct field[]){
	FIELD_PTR(struct manifest_source, config_map, "configmap", 0, &config_map_ref_schema, .doc = "A key of a ConfigMap."),
	FIELD_PTR(struct manifest_source, file, "file", 0, &file_source_schema, .doc = "A file of the host."),
	FIELD_PTR(struct manifest_source, git, "git", 0, &git_source_schema, .doc = "A file of a git repository."),
	FIELD(struct manifest_source, inline_text, "inline", 0, .doc = "The object as text, YAML or JSON."),
	FIELD(struct manifest_source, resource, "resource", 0, .doc = "The object itself."),
	FIELD_PTR(struct manifest_source, s3, "s3", 0, &s3_source_schema, .doc = "An object of S3."),
	FIELD_PTR(struct manifest_source, url, "url", 0, &url_source_schema, .doc = "A file of a web server."),
	FIELD_SRC(struct manifest_source, src),
	{ 0 } } };
