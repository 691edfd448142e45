/* SPDX-License-Identifier: Apache-2.0 */
/* settings: the daemon's own configuration file, in YAML; every field has a default, and so has the file. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "config/config.h"
#include "core/lang/regex.h"

#define SETTINGS_MAX ((size_t)1 << 20)

static const char *const auths[] = { "token", "none", NULL };
static const char *const formats[] = { "logfmt", "json", NULL };
static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
static const char *const sandboxes[] = { "auto", "require", "off", NULL };
static const char *const claims_modes[] = { "auto", "require", "make", NULL };
static const char *const image_modes[] = { "host", "require", NULL };

static void
check_image(void *obj, const struct val *in, struct decode *c)
{
	const struct image *i = obj;
	if (i->root.n && *i->root.p != '/')
		decode_error(c, in, "root", "must be an absolute path");
	for (size_t k = 0; k < i->path.n; k++)
		if (!i->path.p[k].n || *i->path.p[k].p != '/')
			decode_error(c, in, "path", "\"%.*s\" must be an absolute path", STR_ARG(i->path.p[k]));
	if (i->workdir.n && *i->workdir.p != '/')
		decode_error(c, in, "workdir", "must be an absolute path");
}

static const struct schema image_schema = { "Image", "What the images that match a pattern mean here.",
	sizeof(struct image), (const struct field[]){
	FIELD(struct image, name, "name", REQ, .doc = "Pattern of the image reference: `*` stands for anything, as in "
		"`argoproj/argosay:*`."),
	FIELD(struct image, root, "root", 0, .doc = "Folder with the unpacked root file system; without one the "
		"host's commands serve."),
	FIELD(struct image, entrypoint, "entrypoint", 0, .doc = "Command where the manifest names none."),
	FIELD(struct image, cmd, "cmd", 0, .doc = "Arguments where the manifest names neither command nor arguments."),
	FIELD(struct image, env, "env", 0, .doc = "Variables that the image sets."),
	FIELD(struct image, workdir, "workdir", 0, .doc = "Working directory where the manifest names none."),
	FIELD(struct image, user, "user", 0, .doc = "User to run as where the manifest names none; a name or a "
		"number."),
	FIELD(struct image, path, "path", 0, .doc = "Folders put before PATH: where stand-ins for the image's "
		"commands lie."),
	{ 0 } }, check_image };

static void
check_claim(void *obj, const struct val *in, struct decode *c)
{
	const struct claim_setting *claim = obj;
	if (claim->path.n && *claim->path.p != '/')
		decode_error(c, in, "path", "\"%.*s\" must be an absolute path", STR_ARG(claim->path));
}

static const struct schema claim_schema = { "Claim", "What a persistentVolumeClaim of that name means here.", sizeof(struct claim_setting),
	(const struct field[]){
	FIELD(struct claim_setting, name, "name", REQ, .doc = "Name of the claim."),
	FIELD(struct claim_setting, ns, "namespace", 0, .doc = "Its namespace; any if not given."),
	FIELD(struct claim_setting, path, "path", REQ, .doc = "The folder; it must exist. `hostPaths` need not allow it."),
	{ 0 } }, check_claim };

static const struct schema namespace_limit_schema = { "NamespaceLimit", "What one namespace may.",
	sizeof(struct namespace_limit), (const struct field[]){
	FIELD(struct namespace_limit, name, "name", REQ, .max = 63, .doc = "Name of the namespace."),
	FIELD(struct namespace_limit, parallelism, "parallelism", 0, .max = 1000000,
		.doc = "Workflows that run in it at once, in place of namespaceParallelism; 0: any number."),
	{ 0 } } };

static const struct schema retention_schema = { "RetentionPolicy", "How long finished workflows stay, with their logs.",
	sizeof(struct retention), (const struct field[]){
	FIELD(struct retention, age, "age", 0, .doc = "Those that ended longer ago are deleted, such as `720h`; not given: none."),
	FIELD(struct retention, completed, "completed", 0, .max = INT32_MAX, .doc = "How many that succeeded are kept, the last; not given: all."),
	FIELD(struct retention, failed, "failed", 0, .max = INT32_MAX, .doc = "How many that failed are kept."),
	FIELD(struct retention, errored, "errored", 0, .max = INT32_MAX, .doc = "How many that ended with an error are kept."),
	{ 0 } } };

static const struct schema registry_schema = { "Registry", "How a registry is talked to.", sizeof(struct registry_setting),
	(const struct field[]){
	FIELD(struct registry_setting, name, "name", REQ, .doc = "Pattern of its host, with the port if it has one, as in "
		"`*.example.com` or `localhost:5000`."),
	FIELD(struct registry_setting, tls_verify, "tlsVerify", 0, .dflt = "true",
		.doc = "Whether it must have TLS and a certificate that is trusted."),
	FIELD(struct registry_setting, auth_file, "authFile", 0, .doc = "File with credentials, as `skopeo login` writes it."),
	{ 0 } } };

static const struct schema default_metadata_schema = { "WorkflowDefaultsMetadata", "What every workflow is labelled with.", 0,
	(const struct field[]){
	FIELD_AS("labels", FIELD_KVS, 0, .doc = "Labels."),
	FIELD_AS("annotations", FIELD_KVS, 0, .doc = "Annotations."),
	{ 0 } } };
static const struct schema workflow_defaults_schema = { "WorkflowDefaults", "A Workflow that is merged under every one.", 0,
	(const struct field[]){
	FIELD_AS("metadata", FIELD_OBJ_, 0, .schema = &default_metadata_schema, .doc = "Labels and annotations."),
	FIELD_NONE("spec", 0, .doc = "Specification, as that of a Workflow."),
	{ 0 } } };

static const char *const referencing[] = { "", "Strict", "Secure", NULL };
static const struct schema restrictions_schema = { "WorkflowRestrictions", "What a workflow must be made from.",
	sizeof(struct restrictions), (const struct field[]){
	FIELD_ENUM(struct restrictions, template_referencing, "templateReferencing", 0, referencing,
		.doc = "Strict or Secure: only workflows with a workflowTemplateRef run, and they may set little beside it. A running "
			"workflow never sees a later change of its template, so the two are the same here."),
	{ 0 } } };

static const char *const accesses[] = { "none", "kubeconfig", "inCluster", NULL };

static void
check_cluster(void *obj, const struct val *in, struct decode *c)
{
	const struct cluster_place *p = obj;
	if (p->access != CLUSTER_KUBECONFIG && p->kubeconfig.n)
		diag_hint(c->diags, decode_error(c, in, "kubeconfig", "is not looked at"), "write `access: kubeconfig`");
	else if (p->access != CLUSTER_KUBECONFIG && p->context.n)
		diag_hint(c->diags, decode_error(c, in, "context", "is not looked at"), "write `access: kubeconfig`");
}

static const struct schema kubernetes_schema = { "Kubernetes", "The cluster whose objects event sources of kind resource may watch.",
	sizeof(struct cluster_place), (const struct field[]){
	FIELD_ENUM(struct cluster_place, access, "access", 0, accesses, .dflt = "none",
		.doc = "none: no cluster is asked, whatever the environment has; kubeconfig: the one of a kubeconfig; inCluster: the one whose pod this is, with "
			"KUBERNETES_SERVICE_HOST and the pod's service account."),
	FIELD(struct cluster_place, kubeconfig, "kubeconfig", 0, .doc = "File; without it the one that KUBECONFIG of the environment names. It and the "
		"files that it names are read anew for each call. Logins by exec and auth-provider, `as` and `proxy-url` are refused."),
	FIELD(struct cluster_place, context, "context", 0, .doc = "Context of it; else its current-context."),
	FIELD(struct cluster_place, service_account, "serviceAccount", 0, .dflt = "/var/run/secrets/kubernetes.io/serviceaccount",
		.doc = "Folder with the files token and ca.crt, for inCluster."),
	{ 0 } }, check_cluster };

static void
check_settings(void *obj, const struct val *in, struct decode *c)
{
	const struct settings *s = obj;
	size_t colon = str_find_char(s->listen, ':', 0);
	for (size_t next = colon; next != SIZE_MAX; next = str_find_char(s->listen, ':', next + 1))
		colon = next;
	int64_t port = -1;
	if (colon == SIZE_MAX || !str_to_i64(str_slice(s->listen, colon + 1, s->listen.n), &port) || port < 0 ||
		port > 65535)
		diag_hint(c->diags, decode_error(c, in, "listen", "\"%.*s\" is not an address", STR_ARG(s->listen)),
			"write it like \"127.0.0.1:2746\" or \"[::]:2746\"");
	struct regex *re = NULL;
	struct err e;
	if (s->transient_errors.n && regex_compile(s->transient_errors, &re, &e))
		decode_error(c, in, "transientErrorPattern", "%s", e.msg);
	regex_free(re);
	for (size_t i = 0; i < s->host_paths.n; i++)
		if (!s->host_paths.p[i].n || *s->host_paths.p[i].p != '/')
			decode_error(c, in, "hostPaths", "\"%.*s\" must be an absolute path",
				STR_ARG(s->host_paths.p[i]));
}

const struct schema settings_schema = { "Settings", "The daemon's own configuration (`--config`).",
	sizeof(struct settings), (const struct field[]){
	FIELD(struct settings, listen, "listen", 0, .dflt = "127.0.0.1:2746",
		.doc = "Address and port of the HTTP API."),
	FIELD(struct settings, state, "state", 0, .doc = "State directory; /var/lib/tidegate for root, else below "
		"$XDG_STATE_HOME."),
	FIELD(struct settings, auth, "auth", 0, .choices = auths, .dflt = "token",
		.doc = "Whether the HTTP API needs a token; the unix socket never does."),
	FIELD(struct settings, log_format, "logFormat", 0, .choices = formats, .dflt = "logfmt",
		.doc = "How log lines look."),
	FIELD(struct settings, log_level, "logLevel", 0, .choices = levels, .dflt = "info",
		.doc = "The least important lines that are written."),
	FIELD_ENUM(struct settings, sandbox, "sandbox", 0, sandboxes, .dflt = "auto",
		.doc = "auto: namespaces by privilege, else user namespaces, else none, and say so; require: refuse "
			"to run without; off."),
	FIELD_LIST(struct settings, images, "images", 0, &image_schema, .max = 10000,
		.doc = "The image table; the first match counts."),
	FIELD_ENUM(struct settings, images_mode, "imagesMode", 0, image_modes, .dflt = "host",
		.doc = "What an image means that is not in the table and was not imported: host: the host's commands serve; "
			"require: the step fails."),
	FIELD_LIST(struct settings, registries, "registries", 0, &registry_schema, .max = 1000,
		.doc = "What `image pull` needs to know of registries; the first match counts."),
	FIELD(struct settings, host_paths, "hostPaths", 0,
		.doc = "Folders that hostPath volumes may name, with all below them; none by default."),
	FIELD_LIST(struct settings, claims, "claims", 0, &claim_schema, .max = 10000,
		.doc = "Claims that are certain folders of this machine; before those that manifests make."),
	FIELD_ENUM(struct settings, claims_mode, "claimsMode", 0, claims_modes, .dflt = "auto",
		.doc = "What a claim means that nobody made: require: the step is an Error; make: a new folder, and the log says so; auto: make with "
			"`tidegate run`, else require."),
	FIELD(struct settings, pids_limit, "pidsLimit", 0, .max = INT32_MAX,
		.doc = "Processes and threads that a step may have; 0: any number. Each step then has a control group, which costs "
			"about as much as starting a process."),
	FIELD(struct settings, pod_network, "podNetwork", 0, .dflt = "10.214.0.0/16",
		.doc = "Range that daemons take their addresses from; two for each daemon. Of this machine alone."),
	FIELD(struct settings, parallelism, "parallelism", 0, .max = 100000,
		.doc = "Steps that run at once, over all workflows; 0: four for each core, at least 16."),
	FIELD(struct settings, workflow_parallelism, "workflowParallelism", 0, .max = 1000000,
		.doc = "Workflows that run at once, those above wait by priority and age; 0: any number. Argo's controller "
			"calls it `parallelism`."),
	FIELD(struct settings, namespace_parallelism, "namespaceParallelism", 0, .max = 1000000,
		.doc = "Workflows that run at once in each namespace; 0: any number."),
	FIELD_LIST(struct settings, namespaces, "namespaces", 0, &namespace_limit_schema, .max = 10000,
		.doc = "Namespaces with limits of their own."),
	FIELD(struct settings, workflow_nodes, "workflowNodes", 0, .dflt = "1000000", .min = 100, .max = 100000000,
		.doc = "Nodes that one workflow may have, those that are done too; a workflow that would get more ends with an error."),
	FIELD(struct settings, workflow_memory, "workflowMemory", 0, .dflt = "2048", .max = 1048576,
		.doc = "Memory that one workflow may take while it runs, in MiB; one that would take more ends with an error. 0: any."),
	FIELD(struct settings, cache_max_idle, "cacheMaxIdle", 0, .dflt = "0s",
		.doc = "How long the result of a memoized template is kept that is not used; 0s: for ever."),
	FIELD(struct settings, cache_entries, "cacheEntries", 0, .dflt = "100000", .min = 1, .max = 100000000,
		.doc = "Results of memoized templates that are kept, over all caches; of more the longest unused go."),
	FIELD(struct settings, transient_errors, "transientErrorPattern", 0,
		.doc = "Regular expression of messages that the retry policy OnTransientError tries again, beside what the "
		       "network commonly says. Argo's TRANSIENT_ERROR_PATTERN."),
	FIELD(struct settings, metrics_ttl, "metricsTTL", 0, .dflt = "0s",
		.doc = "How long a metric of a workflow or template is shown after its last report; 0s: for ever."),
	FIELD(struct settings, dead_letters, "deadLetters", 0, .dflt = "10000", .min = 1, .max = 10000000,
		.doc = "Dead letters that are kept of each trigger, and of each sensor's dependencies; of about a sixteenth more the oldest go."),
	FIELD(struct settings, template_revisions, "templateRevisions", 0, .dflt = "100", .min = 1, .max = 1000000,
		.doc = "Revisions that are kept of each WorkflowTemplate and ClusterWorkflowTemplate."),
	FIELD(struct settings, script_instructions, "scriptInstructions", 0, .dflt = "1000000", .min = 1000, .max = 1000000000,
		.doc = "Instructions that a Lua script of a sensor may take for one event; 16 bytes allocated or searched count as one. "
			"The daemon does nothing else meanwhile: a million take some 10 ms."),
	FIELD(struct settings, script_memory, "scriptMemory", 0, .dflt = "16", .min = 1, .max = 4096,
		.doc = "Memory that a Lua script of a sensor may take for one event, in MiB."),
	FIELD(struct settings, script_time, "scriptTime", 0, .dflt = "100ms",
		.doc = "Processor time that a Lua script of a sensor may take for one event."),
	FIELD(struct settings, jq_helpers, "jqHelpers", 0, .dflt = "2", .min = 1, .max = 1000,
		.doc = "Helper processes that run jq programs of sensors, at most; they start with the first event."),
	FIELD(struct settings, jq_memory, "jqMemory", 0, .dflt = "256", .min = 64, .max = 65536,
		.doc = "Memory that a jq helper may take, in MiB."),
	FIELD(struct settings, jq_time, "jqTime", 0, .dflt = "1s",
		.doc = "Processor time that a jq program of a sensor may take for one event."),
	FIELD(struct settings, artifact_size, "artifactSize", 0, .dflt = "65536", .min = 1, .max = 1 << 30,
		.doc = "What one artifact may have, not packed, in MiB."),
	FIELD(struct settings, artifact_files, "artifactFiles", 0, .dflt = "1000000", .min = 1, .max = 100000000,
		.doc = "Files that one artifact may have."),
	FIELD(struct settings, artifact_ratio, "artifactRatio", 0, .dflt = "200", .min = 0, .max = 1000000,
		.doc = "Bytes that an archive may unpack to for each byte that it has, once it has unpacked to 4 GiB: `artifactSize` ends what is smaller. 0: any number."),
	FIELD(struct settings, image_size, "imageSize", 0, .dflt = "65536", .min = 1, .max = 1 << 30,
		.doc = "What one image may have, with all its layers unpacked, in MiB."),
	FIELD(struct settings, image_files, "imageFiles", 0, .dflt = "2000000", .min = 1, .max = 100000000,
		.doc = "Files, folders and links that the layers of one image may have together."),
	FIELD(struct settings, image_ratio, "imageRatio", 0, .dflt = "200", .min = 0, .max = 1000000,
		.doc = "Bytes that a layer of an image may unpack to for each byte that it has, once it has unpacked to 4 GiB. 0: any number."),
	FIELD(struct settings, artifact_time, "artifactTime", 0, .dflt = "6h",
		.doc = "Time that all artifacts of a step may take, before it begins and after it has ended."),
	FIELD(struct settings, artifact_transfers, "artifactTransfers", 0, .dflt = "4", .min = 1, .max = 1000,
		.doc = "Steps whose artifacts are moved at once; and as many for who brings or takes one from outside."),
	FIELD(struct settings, artifact_uploads, "artifactUploads", 0, .dflt = "16", .min = 1, .max = 10000,
		.doc = "Files that may come from outside at once, until each is in its place; one more is answered with 503 and `Retry-After`."),
	FIELD(struct settings, artifact_repository, "artifactRepository", 0,
		.doc = "Where artifacts go that have no place of their own, as in Argo's controller: `s3`, `gcs`, `oss`, `azure`, `hdfs` or `artifactory` with the fields of "
			"a location but its key, `keyFormat` (azure: `blobNameFormat`, hdfs: `pathFormat`) and `archiveLogs`; not given: a folder of the state directory."),
	FIELD(struct settings, workflow_defaults, "workflowDefaults", 0, .as = FIELD_OBJ_, .schema = &workflow_defaults_schema,
		.doc = "A Workflow that is merged under every one: labels, annotations and spec."),
	FIELD_OBJ(struct settings, restrictions, "workflowRestrictions", 0, &restrictions_schema,
		.doc = "What a workflow must be made from."),
	FIELD_OBJ(struct settings, retention, "retentionPolicy", 0, &retention_schema,
		.doc = "How long finished workflows stay, beside what spec.ttlStrategy says of one."),
	FIELD_OBJ(struct settings, kubernetes, "kubernetes", 0, &kubernetes_schema,
		.doc = "The Kubernetes cluster whose objects event sources of kind resource may watch; none by default."),
	FIELD(struct settings, namespace_, "namespace", 0, .max = 63, .dflt = "default",
		.doc = "Namespace of what names none."),
	{ 0 } }, check_settings };

static int
read_all(const char *path, struct arena *a, str *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "cannot be opened");
	for (;;) {
		ssize_t got = read(fd, buf_room(&b, 4096), 4096);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(e, "cannot be read");
		if (got == 0)
			break;
		b.n += (size_t)got;
		if (b.n > SETTINGS_MAX)
			return err_set(e, ERR_LIMIT, "larger than %zu KiB", SETTINGS_MAX >> 10);
	}
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

int
settings_read(const char *path, struct arena *a, struct settings *out, struct diags *d)
{
	static const struct val nothing = { .kind = VAL_MAP };
	const struct val *in = &nothing;
	size_t errors = d->errors;
	str outer_file = d->file, text;
	struct err e;
	if (path) {
		d->file = arena_dup(d->arena, str_c(path));
		struct val *docs;
		size_t n = 0;
		if (read_all(path, d->arena, &text, &e)) {
			diag_add(d, DIAG_ERROR, NULL, S(""), "%s", e.msg);
		} else {
			diags_source(d, d->file, text);
			if (yaml_read_all(a, d->file, text, NULL, &docs, &n, d) == 0 && n)
				in = &docs[0];
			if (n > 1)
				diag_add(d, DIAG_ERROR, &docs[1], S(""), "a second document: settings are one");
		}
	}
	int rc = schema_decode(&settings_schema, a, in, STR_NONE, out, d);
	d->file = outer_file;
	return rc == 0 && d->errors == errors ? 0 : -1;
}
