/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_args: parameters, artifacts and the ten places an artifact may lie in. The locations are known by table, but
 * kept as values: what serves them decodes them.
 */
#include "config/kube.h"
#include "core/net/webhdfs.h"
#include "engine/spec/spec.h"

/* ---- parameters --------------------------------------------------------------------------------------------- */

static const struct schema empty_schema = { "Empty", "An empty object: `{}`.", 0, (const struct field[]){ { 0 } } };

static const struct schema value_from_schema = { "ValueFrom", "Where a parameter takes its value from.",
	sizeof(struct value_from), (const struct field[]){
	FIELD_PTR(struct value_from, config_map_key, "configMapKeyRef", 0, &config_map_ref_schema,
		.doc = "A key of a ConfigMap."),
	FIELD(struct value_from, dflt, "default", ANYSTR, .doc = "Value if the source has none."),
	FIELD(struct value_from, event, "event", 0, .doc = "Expression over the event; in a WorkflowEventBinding."),
	FIELD(struct value_from, expression, "expression", 0,
		.doc = "Expression that gives the value; steps and dag outputs."),
	FIELD(struct value_from, jq_filter, "jqFilter", LATER, .doc = "jq filter over the object; resource outputs."),
	FIELD(struct value_from, json_path, "jsonPath", LATER, .doc = "JSONPath into the object; resource outputs."),
	FIELD(struct value_from, parameter, "parameter", 0,
		.doc = "An output parameter of a step or task; steps and dag outputs."),
	FIELD(struct value_from, path, "path", 0, .doc = "File to read; container and script outputs."),
	FIELD(struct value_from, supplied, "supplied", 0, .schema = &empty_schema,
		.doc = "`{}`: somebody supplies it while the workflow waits."),
	FIELD_SRC(struct value_from, src),
	{ 0 } } };

/* `enum: []` is a mistake that validation must be able to tell from no enum. */
static void
check_parameter(void *obj, const struct val *in, struct decode *c UNUSED)
{
	struct parameter *p = obj;

	p->has_enum = val_is(val_get(in, S("enum")), VAL_LIST);
}

const struct schema parameter_schema = { "Parameter", "A named string.", sizeof(struct parameter),
	(const struct field[]){
	FIELD(struct parameter, dflt, "default", ANYSTR, .doc = "Value if none is given."),
	FIELD(struct parameter, description, "description", ANYSTR, .doc = "What it is for, for people."),
	FIELD(struct parameter, enum_values, "enum", ANYSTR, .doc = "The values it may have."),
	FIELD(struct parameter, global_name, "globalName", 0,
		.doc = "Output: also make it workflow.outputs.parameters.<globalName>."),
	FIELD(struct parameter, name, "name", 0, .doc = "Name; letters, digits, `-` and `_`."),
	FIELD(struct parameter, value, "value", ANYSTR, .doc = "The value; numbers and booleans become text."),
	FIELD_PTR(struct parameter, value_from, "valueFrom", 0, &value_from_schema,
		.doc = "Where to take the value from."),
	FIELD_SRC(struct parameter, src),
	{ 0 } }, check_parameter };

/* ---- artifact locations ------------------------------------------------------------------------------------- */

#define TEXT(name, text) FIELD_AS(name, FIELD_STR, 0, .doc = text)
#define MUST(name, text) FIELD_AS(name, FIELD_STR, REQ, .doc = text)
#define LIST(name, text) FIELD_AS(name, FIELD_STRS, 0, .doc = text)
#define FLAG(name, text) FIELD_AS(name, FIELD_BOOL, 0, .doc = text)
#define KEY_OF_SECRET(name, text) FIELD_AS(name, FIELD_OBJ_, 0, .schema = &secret_ref_schema, .doc = text)

static const struct schema artifactory_schema = { "ArtifactoryArtifact", "A file in Artifactory.", 0,
	(const struct field[]){
	KEY_OF_SECRET("passwordSecret", "Password."), TEXT("url", "URL of the file."), KEY_OF_SECRET("usernameSecret",
		"User name."), { 0 } } };

static const struct schema azure_schema = { "AzureArtifact", "A blob of Azure.", 0, (const struct field[]){
	KEY_OF_SECRET("accountKeySecret", "Access key of the account."), TEXT("blob", "Name of the blob."),
		TEXT("container", "Container of the blob."),
	TEXT("endpoint", "URL of the account."), FLAG("useSDKCreds", "Sign in as the machine or its workload, as the environment says."),
	KEY_OF_SECRET("sasSecret", "Shared access signature."), { 0 } } };

static const struct schema gcs_schema = { "GCSArtifact", "An object of Google Cloud Storage.", 0,
	(const struct field[]){
	TEXT("bucket", "Bucket of the object."), TEXT("key", "Key of the object."),
		KEY_OF_SECRET("serviceAccountKeySecret", "Key of the service account."), { 0 } } };

static const struct schema git_schema = { "GitArtifact", "A clone of a git repository, by the `git` program; input only. Files of Git LFS stay pointers.",
	0, (const struct field[]){
	TEXT("branch", "With singleBranch: the branch to fetch."),
	FIELD_AS("depth", FIELD_INT, 0, .min = 0, .max = INT32_MAX, .doc = "Number of commits to fetch; 0: all."),
	FLAG("disableSubmodules", "Leave submodules out."), LIST("fetch", "Further refspecs to fetch before the revision is checked out."),
	FLAG("insecureIgnoreHostKey", "Do not check the SSH host key."), FLAG("insecureSkipTLS",
		"Do not check the TLS certificate of the repository's server."),
	KEY_OF_SECRET("passwordSecret", "Password or token, for http and https."),
	TEXT("repo", "URL of the repository: https, http, ssh or git, or `user@host:path`."), TEXT("revision",
		"Commit, tag or branch to check out; HEAD is that commit then. Without it the repository's own HEAD."),
	FLAG("singleBranch", "Fetch the branch alone."), KEY_OF_SECRET("sshPrivateKeySecret", "SSH key, without a passphrase. Host keys are looked for in "
		"known_hosts of the daemon's user and of the machine, or in the files that SSH_KNOWN_HOSTS names."),
		KEY_OF_SECRET("usernameSecret", "User name, for http and https."),
	{ 0 } } };

static const char *const protections[] = { "", "authentication", "integrity", "privacy", NULL };

static void
check_hdfs(void *obj UNUSED, const struct val *in, struct decode *c)
{
	const struct val *list = val_get(in, S("addresses"));
	str protection = val_get_str(in, "dataTransferProtection");
	bool sealed = str_eq(protection, S("integrity")) || str_eq(protection, S("privacy"));

	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		struct val one = val_resolve(&list->items[i]);
		str address = one.kind == VAL_STR ? val_text(&one) : S("");

		if (webhdfs_is_rpc(address))
			decode_warn(c, in, "addresses", WEBHDFS_NOT_RPC, STR_ARG(address));
		if (sealed && !str_starts(address, S("https://")) && !str_starts(address, S("{{")))
			decode_error(c, in, "dataTransferProtection", "%.*s over WebHDFS is TLS: write https:// before %.*s in addresses",
				STR_ARG(protection), STR_ARG(address));
	}
}

static const struct schema hdfs_schema = { "HDFSArtifact", "A file or folder of HDFS, over WebHDFS.", 0, (const struct field[]){
	LIST("addresses", "Addresses of WebHDFS, the name nodes' or an HttpFS's: `host:port` or a URL; the first that answers and is active is asked."),
	FIELD_AS("dataTransferProtection", FIELD_STR, 0, .choices = protections, .doc = "`integrity` and `privacy`: all addresses must be https, and no "
		"redirect may lead to http."),
	FLAG("force", "Replace what is there; else that is an error, unless it has the same bytes."), TEXT("hdfsUser", "User without Kerberos."),
	KEY_OF_SECRET("krbCCacheSecret", "Kerberos credential cache, with tickets."),
	FIELD_AS("krbConfigConfigMap", FIELD_OBJ_, 0, .schema = &config_map_ref_schema, .doc = "krb5.conf. It may not have the library load or include anything."),
	KEY_OF_SECRET("krbKeytabSecret", "Kerberos key table, with which a ticket is asked for."), TEXT("krbRealm", "Kerberos realm, with krbKeytabSecret."),
	FIELD_AS("krbServicePrincipalName", FIELD_STR, NOEFFECT, .doc = "Principal of the name node's own protocol.",
		.hint = "WebHDFS is HTTP/HOST, with the host of the address"),
	TEXT("krbUsername", "Kerberos user, with krbKeytabSecret."),
	TEXT("path", "Path of the file or folder; absolute."), { 0 } }, check_hdfs };

static const struct schema header_schema = { "Header", "A header of the request.", 0, (const struct field[]){
	MUST("name", "Header name."), FIELD_AS("value", FIELD_STR, REQ | EMPTY_OK, .doc = "Header value."), { 0 } } };

static const struct schema http_basic_schema = { "BasicAuth", "User name and password.", 0, (const struct field[]){
	KEY_OF_SECRET("passwordSecret", "Password."), KEY_OF_SECRET("usernameSecret", "User name."), { 0 } } };

static const struct schema client_cert_schema = { "ClientCertAuth", "A client certificate.", 0, (const struct field[]){
	KEY_OF_SECRET("clientCertSecret", "Certificate."), KEY_OF_SECRET("clientKeySecret", "Its key."), { 0 } } };

static const struct schema oauth2_param_schema = { "OAuth2EndpointParam", "A parameter of the token request.", 0,
	(const struct field[]){
	MUST("key", "Name."), TEXT("value", "Value."), { 0 } } };

static const struct schema oauth2_schema = { "OAuth2Auth", "A token by the client credentials grant.", 0,
	(const struct field[]){
	KEY_OF_SECRET("clientIDSecret", "Client id."), KEY_OF_SECRET("clientSecretSecret", "Client secret."),
	FIELD_AS("endpointParams", FIELD_LIST_, 0, .schema = &oauth2_param_schema,
		.doc = "Further parameters of the token request."),
	LIST("scopes", "Scopes to ask for."), KEY_OF_SECRET("tokenURLSecret", "URL of the token endpoint."), { 0 } } };

static const struct schema http_auth_schema = { "HTTPAuth", "How to identify to the server.", 0, (const struct field[]){
	FIELD_AS("basicAuth", FIELD_OBJ_, 0, .schema = &http_basic_schema, .doc = "User name and password."),
	FIELD_AS("clientCert", FIELD_OBJ_, 0, .schema = &client_cert_schema, .doc = "A client certificate."),
	FIELD_AS("oauth2", FIELD_OBJ_, 0, .schema = &oauth2_schema, .doc = "An OAuth2 token."), { 0 } } };

static const struct schema http_artifact_schema = { "HTTPArtifact", "A file of a web server.", 0,
	(const struct field[]){
	FIELD_AS("auth", FIELD_OBJ_, 0, .schema = &http_auth_schema, .doc = "How to identify."),
	FIELD_AS("headers", FIELD_LIST_, 0, .schema = &header_schema, .doc = "Headers to send."), TEXT("url",
		"URL of the file."), { 0 } } };

static const struct schema oss_rule_schema = { "OSSLifecycleRule", "When objects of the bucket age.", 0,
	(const struct field[]){
	FIELD_AS("markDeletionAfterDays", FIELD_INT, 0, .doc = "Delete after so many days."),
	FIELD_AS("markInfrequentAccessAfterDays", FIELD_INT, 0, .doc = "Move to rare access after so many days."),
		{ 0 } } };

static const struct schema oss_schema = { "OSSArtifact", "An object of Alibaba OSS.", 0, (const struct field[]){
	KEY_OF_SECRET("accessKeySecret", "Access key."), TEXT("bucket", "Bucket of the object."),
		FLAG("createBucketIfNotPresent", "Make the bucket if it is missing."),
	TEXT("endpoint", "Host of the service."), TEXT("key", "Key of the object."),
	FIELD_AS("lifecycleRule", FIELD_OBJ_, 0, .schema = &oss_rule_schema, .doc = "Rule for a bucket that is made."),
	KEY_OF_SECRET("secretKeySecret", "Secret key."), TEXT("securityToken", "Temporary token."), FLAG("useSDKCreds",
		"Use the credentials of the environment."),
	{ 0 } } };

static const struct schema plugin_artifact_schema = { "PluginArtifact", "An object that an artifact plugin serves.", 0,
	(const struct field[]){
	TEXT("configuration", "What the plugin wants to know."), FIELD_AS("connectionTimeoutSeconds", FIELD_INT, 0,
		.doc = "Longest wait for the plugin."),
	TEXT("key", "Key of the object."), FIELD_AS("name", FIELD_STR, LATER, .doc = "Name of the plugin.",
		.hint = "no artifact plugins are run; use one of s3, gcs, azure, oss, http, artifactory, git and hdfs"), { 0 } } };

static const struct schema raw_schema = { "RawArtifact", "Text in the manifest itself.", 0, (const struct field[]){
	FIELD_AS("data", FIELD_STR, REQ | EMPTY_OK, .doc = "The text."), { 0 } } };

static const struct schema s3_create_schema = { "CreateS3BucketOptions", "How a missing bucket is made.", 0,
	(const struct field[]){
	FLAG("objectLocking", "Allow object locks in it."), { 0 } } };

static const struct schema s3_encryption_schema = { "S3EncryptionOptions", "Server side encryption.", 0,
	(const struct field[]){
	FLAG("enableEncryption", "Encrypt."), TEXT("kmsEncryptionContext", "Context for KMS."), TEXT("kmsKeyId",
		"Key of KMS."),
	KEY_OF_SECRET("serverSideCustomerKeySecret", "A key of one's own."), { 0 } } };

static const struct schema s3_schema = { "S3Artifact", "An object of S3 or of what speaks its protocol.", 0,
	(const struct field[]){
	KEY_OF_SECRET("accessKeySecret", "Access key."), TEXT("addressingStyle", "path or virtual-hosted."),
		TEXT("bucket", "Bucket of the object."),
	KEY_OF_SECRET("caSecret", "Certificate authority of the server."),
	FIELD_AS("createBucketIfNotPresent", FIELD_OBJ_, 0, .schema = &s3_create_schema,
		.doc = "Make the bucket if it is missing."),
	FIELD_AS("encryptionOptions", FIELD_OBJ_, 0, .schema = &s3_encryption_schema,
		.doc = "Encryption on the server."), TEXT("endpoint", "Host and port of the service."),
	FLAG("insecure", "Without TLS."), TEXT("key", "Key of the object."), TEXT("region", "Region of the bucket."),
		TEXT("roleARN", "Role to take on."),
	KEY_OF_SECRET("secretKeySecret", "Secret key."), KEY_OF_SECRET("sessionTokenSecret", "Session token."),
		FLAG("useSDKCreds", "Use the credentials of the environment."),
	{ 0 } } };

/* ---- artifacts ---------------------------------------------------------------------------------------------- */

static const struct schema tar_schema = { "TarStrategy", "A tar archive, packed with gzip.", 0, (const struct field[]){
	FIELD_AS("compressionLevel", FIELD_INT, 0, .min = -2, .max = 9,
		.doc = "0 stores, 9 packs best, -1 is the default."), { 0 } } };

static const struct schema archive_schema = { "ArchiveStrategy", "How an artifact is packed.", 0,
	(const struct field[]){
	FIELD_AS("none", FIELD_OBJ_, 0, .one_of = "strategy", .schema = &empty_schema, .doc = "`{}`: as it is."),
	FIELD_AS("tar", FIELD_OBJ_, 0, .one_of = "strategy", .schema = &tar_schema,
		.doc = "tar and gzip, the default."),
	FIELD_AS("zip", FIELD_OBJ_, 0, .one_of = "strategy", .schema = &empty_schema, .doc = "`{}`: zip."), { 0 } } };

#define WHY_NO_GC_POD .hint = "a process of the daemon deletes them, with the artifact's own credentials"

static const char *const gc_strategies[] = { "", "OnWorkflowCompletion", "OnWorkflowDeletion", "Never", NULL };
#define GC_ROWS \
	FIELD_AS("podMetadata", FIELD_OBJ_, NOEFFECT, .schema = &kube_metadata_schema, \
		.doc = "Metadata of the pod that deletes.", WHY_NO_GC_POD), \
	FIELD_AS("serviceAccountName", FIELD_STR, NOEFFECT, .doc = "Account of the pod that deletes.", WHY_NO_GC_POD), \
	FIELD_AS("strategy", FIELD_STR, 0, .choices = gc_strategies, .doc = "When artifacts are deleted.")

static const struct schema artifact_gc_one_schema = { "ArtifactGC", "When an artifact is deleted.", 0,
	(const struct field[]){ GC_ROWS, { 0 } } };
const struct schema artifact_gc_schema = { "WorkflowLevelArtifactGC", "When the artifacts of a workflow are deleted.",
	0, (const struct field[]){
	GC_ROWS,
	FIELD_AS("forceFinalizerRemoval", FIELD_BOOL, NOEFFECT, .doc = "Let the workflow go even if deleting failed.",
		.hint = "a workflow can always be deleted: what could not be removed is tried again until it can"),
	FIELD_AS("podSpecPatch", FIELD_STR, NOEFFECT, .doc = "Patch of the pod that deletes.", WHY_NO_GC_POD),
	{ 0 } } };

#define LOCATION_ROWS \
	FIELD_AS("archiveLogs", FIELD_BOOL, 0, .doc = "Keep the log of the container as an artifact."), \
	FIELD_AS("artifactory", FIELD_OBJ_, 0, .one_of = "location", .schema = &artifactory_schema, \
		.doc = "A file in Artifactory."), \
	FIELD_AS("azure", FIELD_OBJ_, 0, .one_of = "location", .schema = &azure_schema, .doc = "A blob of Azure."), \
	FIELD_AS("gcs", FIELD_OBJ_, 0, .one_of = "location", .schema = &gcs_schema, \
		.doc = "An object of Google Cloud Storage."), \
	FIELD_AS("git", FIELD_OBJ_, 0, .one_of = "location", .schema = &git_schema, \
		.doc = "A clone of a repository."), \
	FIELD_AS("hdfs", FIELD_OBJ_, 0, .one_of = "location", .schema = &hdfs_schema, .doc = "A file or folder of HDFS."), \
	FIELD_AS("http", FIELD_OBJ_, 0, .one_of = "location", .schema = &http_artifact_schema, \
		.doc = "A file of a web server."), \
	FIELD_AS("oss", FIELD_OBJ_, 0, .one_of = "location", .schema = &oss_schema, \
		.doc = "An object of Alibaba OSS."), \
	FIELD_AS("plugin", FIELD_OBJ_, 0, .one_of = "location", .schema = &plugin_artifact_schema, \
		.doc = "An object of a plugin."), \
	FIELD_AS("raw", FIELD_OBJ_, 0, .one_of = "location", .schema = &raw_schema, .doc = "Text in the manifest."), \
	FIELD_AS("s3", FIELD_OBJ_, 0, .one_of = "location", .schema = &s3_schema, .doc = "An object of S3.")

/* What a location must say beside its key, so that it is a place of its own (engine/run/places.c has the rule). */
static const struct {
	const char *name, *key, *needs[3];
} complete[] = { { "s3", "key", { "endpoint", "bucket" } }, { "gcs", "key", { "bucket" } }, { "oss", "key", { "endpoint", "bucket" } },
	{ "azure", "blob", { "endpoint", "container" } }, { "hdfs", "path", { "addresses" } } };

/* A place that is only half of one is not looked at, as in Argo: nobody means that. */
static void
check_complete(const struct val *in, struct decode *c, const char *instead)
{
	for (size_t i = 0; i < ARRAY_LEN(complete); i++) {
		const struct val *v = val_get(in, str_c(complete[i].name));
		bool only_key = val_is(v, VAL_MAP) && (v->n == 0 || (v->n == 1 && val_get(v, str_c(complete[i].key))));
		for (size_t k = 0; val_is(v, VAL_MAP) && !only_key && complete[i].needs[k]; k++)
			if (!val_get(v, str_c(complete[i].needs[k]))) {
				decode_warn(c, in, complete[i].name, "has no %s, so %s", complete[i].needs[k], instead);
				break;
			}
	}
}

static void
check_location(void *obj UNUSED, const struct val *in, struct decode *c)
{
	check_complete(in, c, "it does not count: artifacts go to the workflow's repository");
}

const struct schema artifact_location_schema = { "ArtifactLocation", "Where artifacts of a template lie.", 0,
	(const struct field[]){ LOCATION_ROWS, { 0 } }, check_location };

/* 755 is a number that Argo takes as it is: --wx-wS--t or so, and nobody means that. */
static void
check_artifact(void *obj UNUSED, const struct val *in, struct decode *c)
{
	const struct val *mode = val_get(in, S("mode"));
	int64_t bits;

	check_complete(in, c, "only its key counts: the rest comes from the workflow's repository");
	if (mode && val_to_i64(mode, &bits) && bits > 0777)
		decode_warn(c, in, "mode", "%lld is more than 511 (0777): write 0%lld if it is meant octal",
			(long long)bits, (long long)bits);
}

static const struct field artifact_fields[] = {
	FIELD_AS("archive", FIELD_OBJ_, 0, .schema = &archive_schema, .doc = "How it is packed."),
	FIELD_AS("artifactGC", FIELD_OBJ_, 0, .schema = &artifact_gc_one_schema, .doc = "When it is deleted."),
	FIELD(struct artifact, deleted, "deleted", STATUS, .doc = "Set when it was deleted."),
	FIELD(struct artifact, from, "from", 0,
		.doc = "Another artifact by variable: `{{steps.x.outputs.artifacts.y}}`."),
	FIELD(struct artifact, from_expression, "fromExpression", 0, .doc = "The same as an expression."),
	FIELD(struct artifact, global_name, "globalName", 0,
		.doc = "Output: also make it workflow.outputs.artifacts.<globalName>."),
	FIELD_AS("mode", FIELD_INT, 0, .min = 0, .max = INT32_MAX, .doc = "Mode bits of the file, 0 to 511; 0755 is "
		"octal."),
	FIELD(struct artifact, name, "name", 0, .doc = "Name; letters, digits, `-` and `_`."),
	FIELD(struct artifact, optional, "optional", 0, .doc = "Whether it may be missing."),
	FIELD(struct artifact, path, "path", 0, .doc = "Path in the container."),
	FIELD_AS("recurseMode", FIELD_BOOL, 0, .doc = "Whether mode is for everything below as well."),
	FIELD(struct artifact, sub_path, "subPath", 0, .doc = "Path inside the artifact."),
	LOCATION_ROWS,
	FIELD_SRC(struct artifact, src),
	{ 0 } };

const struct schema artifact_schema = { "Artifact", "A named file or directory.", sizeof(struct artifact), artifact_fields, check_artifact };

/* Only where it lies counts: nothing is brought. */
static void
check_artifact_paths(void *obj UNUSED, const struct val *in, struct decode *c)
{
	static const char *const idle[] = { "archive", "artifactGC", "from", "fromExpression", "globalName", "mode", "optional", "path", "raw", "recurseMode", "subPath" };
	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		if (val_get(in, str_c(idle[i])))
			decode_warn(c, in, idle[i], "has no effect: keys are listed, and nothing is brought");
}

const struct schema artifact_paths_schema = { "ArtifactPaths", "Where the objects lie whose keys are listed. What an incomplete location does not say, the workflow's "
	"repository does.", sizeof(struct artifact), artifact_fields, check_artifact_paths };

/* ---- lists of them ------------------------------------------------------------------------------------------ */

const struct schema arguments_schema = { "Arguments", "Values for the inputs of a template.", sizeof(struct arguments),
	(const struct field[]){
	FIELD_LIST(struct arguments, artifacts, "artifacts", 0, &artifact_schema, .doc = "Artifacts."),
	FIELD_LIST(struct arguments, parameters, "parameters", 0, &parameter_schema, .doc = "Parameters."),
	FIELD_SRC(struct arguments, src),
	{ 0 } } };

const struct schema inputs_schema = { "Inputs", "What a template takes.", sizeof(struct arguments),
	(const struct field[]){
	FIELD_LIST(struct arguments, artifacts, "artifacts", 0, &artifact_schema, .doc = "Artifacts."),
	FIELD_LIST(struct arguments, parameters, "parameters", 0, &parameter_schema, .doc = "Parameters."),
	FIELD_SRC(struct arguments, src),
	{ 0 } } };

const struct schema outputs_schema = { "Outputs", "What a template gives.", sizeof(struct outputs),
	(const struct field[]){
	FIELD_LIST(struct outputs, artifacts, "artifacts", 0, &artifact_schema, .doc = "Artifacts."),
	FIELD(struct outputs, exit_code, "exitCode", STATUS, .doc = "Exit code of the main container."),
	FIELD_LIST(struct outputs, parameters, "parameters", 0, &parameter_schema, .doc = "Parameters."),
	FIELD(struct outputs, result, "result", STATUS, .doc = "Standard output of the main container."),
	FIELD_SRC(struct outputs, src),
	{ 0 } } };
