/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: manifests. Reads files and directories, recognises kinds, decodes each document by its kind's schema,
 * resolves names across the set, and keeps the objects that are in force.
 *
 * The kinds themselves belong to the parts that serve them (sources/, sensors/, engine/); the program hands their table
 * to objects_new, so that nothing here knows an EventSource from a Workflow.
 */
#ifndef TIDEGATE_CONFIG_CONFIG_H
#define TIDEGATE_CONFIG_CONFIG_H

#include "core/diag.h"
#include "core/field.h"
#include "core/map.h"
#include "core/net/cluster.h"
#include "core/val.h"

/* ---- what many kinds share (config/shared.c) ------------------------------------------------------------------ */

/* {name, key, optional}: a key of a Secret or of a ConfigMap. */
struct secret_ref {
	str name, key;
	bool optional;
	const struct val *src;
};
struct tls_config {
	struct secret_ref *ca_cert, *client_cert, *client_key;
	bool insecure_skip_verify, enabled;
};
struct sasl_config {
	str mechanism;
	struct secret_ref *user, *password;
};
struct basic_auth {
	struct secret_ref *username, *password;
};
/* Who somebody is for NATS: one of them. */
struct nats_auth {
	struct basic_auth *basic;
	struct secret_ref *credential;
	struct secret_ref *nkey;
	struct secret_ref *token;
	const struct val *src;
};
/* A registry of Avro schemas. */
struct registry_config {
	struct basic_auth *auth;
	int64_t schema_id;
	str url;
	const struct val *src;
};
/* Argo Events' Backoff. duration: Go duration string or integer nanoseconds; factor and jitter: number or string. */
struct backoff {
	const struct val *duration, *factor, *jitter;
	int64_t steps;
};
/* Attempt `attempt` (from 1 = the first retry) waits this long; jitter in [0,1) is the caller's random number. */
int64_t backoff_wait_ns(const struct backoff *b, unsigned attempt, double random);
int64_t backoff_steps(const struct backoff *b); /* <= 0 means 5 */

extern const struct schema secret_ref_schema, config_map_ref_schema, tls_config_schema, sasl_config_schema,
	basic_auth_schema, nats_auth_schema, registry_config_schema, backoff_schema;

/* Object metadata. */
struct meta {
	str name, generate_name, ns;
	struct kvs labels, annotations;
};
extern const struct schema meta_schema;

/* ---- kinds and objects ---------------------------------------------------------------------------------------- */

struct object;
struct objects;

struct kind {
	const char *name;     /* "WorkflowTemplate" */
	const char *plural;   /* "workflowtemplates" */
	const char *const *short_names; /* "wftmpl", ...; NULL-terminated */
	const char *api;      /* "argoproj.io/v1alpha1"; "v1" for ConfigMap and Secret */
	const struct schema *schema; /* of the whole object: its struct begins with `struct meta meta` */
	bool cluster;         /* has no namespace */
	bool instance;        /* running it makes it: a Workflow is submitted, not kept as configuration */
	bool lenient;         /* what its schema does not know is warned of: Argo Events and its own examples take no notice of such a field */
	size_t name_max;      /* 63, 52 for a CronWorkflow */
	/* Cross-object checks: names that must exist in `set`. Adds to `d`. May be NULL. */
	void (*resolve)(const struct object *o, const struct objects *set, struct diags *d);
};

/* One decoded document. Counted; immutable. Owns an arena with everything below. */
struct object {
	const struct kind *kind;
	str ns, name;               /* name may be empty where generateName is given */
	str file;                   /* where it was read; absent if it came through the API */
	const struct val *manifest; /* as written, scalars resolved by the schema where it says so */
	const void *spec;           /* struct of kind->schema */
	struct arena *arena;
	unsigned refs;
	uint64_t revision;          /* grows with every change of this name; 1 at first */
};
struct object *object_ref(struct object *o);
void object_unref(struct object *o);
/*
 * Decodes one document. Findings go to `d`; NULL if the kind is unknown (a warning) or there were errors. `file` may be
 * absent.
 */
struct object *object_decode(const struct kind *const *kinds, size_t n, const struct val *doc, str file, str default_ns,
	struct diags *d);
/*
 * The same, but the object is returned also if it has errors (*ok is false then): others may be resolved by what it
 * names.
 */
struct object *object_read(const struct kind *const *kinds, size_t n, const struct val *doc, str file, str default_ns,
	bool *ok,
                           struct diags *d);

/* The set in force. */
struct objects *objects_new(const struct kind *const *kinds, size_t n);
void objects_free(struct objects *os);
const struct kind *objects_kind(const struct objects *os, str name_plural_or_short);
/* object_decode with the kinds of the set. */
struct object *objects_decode(const struct objects *os, const struct val *doc, str file, str default_ns, struct diags *d);
/* Borrowed; NULL if there is none. `ns` is ignored for cluster-wide kinds. */
struct object *objects_find(const struct objects *os, const struct kind *k, str ns, str name);
struct object *objects_find_named(const struct objects *os, const char *kind, str ns, str name);
/* Whether its annotation tidegate/compat is argo: what daylight saving does to its schedules is then what Argo does. */
bool object_like_argo(const struct object *o);
/* An error for any other value of it. */
void object_check_compat(const struct object *o, struct diags *d);
/* The nearest name of that kind in that namespace, for "did you mean"; NULL if none is near. */
const char *objects_nearest(const struct objects *os, const char *kind, str ns, str name);
size_t objects_count(const struct objects *os);
/* All of a kind (NULL: of every kind), sorted by namespace and name. Ends when it returns NULL; `*i` starts at 0. */
struct object *objects_next(const struct objects *os, const struct kind *k, size_t *i);
/*
 * Takes a reference; an object of the same kind, namespace and name is replaced (revision + 1) unless it is equal. True
 * if something changed.
 */
bool objects_put(struct objects *os, struct object *o);
/* Calls put(arg, o) for every object that comes into the set new or changed, before it does: it may set o->revision. One hook. */
void objects_on_put(struct objects *os, void (*put)(void *arg, struct object *o), void *arg);
bool objects_del(struct objects *os, const struct kind *k, str ns, str name);

/* ---- reading ---------------------------------------------------------------------------------------------------- */

struct manifest_set {
	VEC(struct object *) objects; /* one reference each, in order of files and documents */
	size_t files;
};
/*
 * Reads files and directories (*.yaml, *.yml, *.json below them; hidden ones and *.test.yaml skipped; "-" is standard input), documents
 * and `List` kinds, decodes them and, if `resolve_in` is not NULL, checks names across the set and what is in
 * `resolve_in`. All findings in `d`. Returns 0 if there was no error.
 */
int manifests_read(const struct kind *const *kinds, size_t n, const char *const *paths, size_t paths_n, str default_ns,
                   const struct objects *resolve_in, struct manifest_set *out, struct diags *d) MUST_CHECK;
void manifest_set_free(struct manifest_set *m);
/* Whether a file of that name is for `tidegate test`, and so is passed over in a directory of manifests. */
bool manifest_is_test(str name);
/*
 * Replaces in `os` everything that earlier came from files by `m`; what came through the API stays. Kinds that are
 * instances (a Workflow) are left out: who reads them submits them. Returns the number of changes.
 */
size_t objects_apply_files(struct objects *os, const struct manifest_set *m);

/* ConfigMap and Secret (config/configmap.c). */
struct config_map {
	struct meta meta;
	struct kvs data;        /* Secret: decoded from base64; stringData wins */
	struct kvs binary_data; /* decoded */
	str type;
};
extern const struct kind kind_configmap, kind_secret;
extern const struct kind kind_claim; /* claim.c: PersistentVolumeClaim */
/*
 * A key of a ConfigMap or Secret, one trailing newline kept. ERR_NOT_FOUND names what is missing. Borrowed from the
 * object.
 */
int config_map_key(const struct objects *os, str ns, str name, str key, str *out, struct err *e) MUST_CHECK;
int secret_key(const struct objects *os, str ns, str name, str key, str *out, struct err *e) MUST_CHECK;

/* EventBus (config/eventbus.c): the limits of the built-in log. Zero: none, or for dedup_ns the log's own default. */
struct event_bus {
	struct meta meta;
	int64_t max_age_ns, max_events, max_bytes, dedup_ns;
};
extern const struct kind kind_eventbus;

/* ---- settings --------------------------------------------------------------------------------------------------- */

enum images_mode { IMAGES_HOST, IMAGES_REQUIRE };
enum claims_mode { CLAIMS_AUTO, CLAIMS_REQUIRE, CLAIMS_MAKE };
enum sandbox_mode { SANDBOX_AUTO, SANDBOX_REQUIRE, SANDBOX_OFF };
/* One row of the image table: what an image name means here. */
struct image {
	str name;       /* the pattern: glob on the image reference, "argoproj/argosay:*" */
	str root;       /* an unpacked root file system; absent: the host's commands serve */
	struct strs entrypoint, cmd;
	struct kvs env;
	str workdir, user;
	struct strs path; /* directories put before PATH: where a stand-in command lies */
};
struct namespace_limit {
	str name;
	int64_t parallelism; /* 0: any number */
};
/* What a workflow must be made from. */
struct restrictions {
	int template_referencing; /* 0: anything; 1 Strict, 2 Secure: a workflowTemplateRef, with few fields beside it */
};
/* How long finished workflows stay; absent: until they are deleted. */
struct retention {
	dur age;
	struct opt_int completed, failed, errored; /* how many, over all namespaces */
};
/* What `tidegate image pull` needs to know of a registry. */
struct registry_setting {
	str name;        /* pattern of its host, with the port if it has one */
	bool tls_verify;
	str auth_file;   /* of skopeo's form; may be absent */
};
/* A claim that is a certain folder. */
struct claim_setting {
	str name, ns;    /* ns absent: in any namespace */
	str path;
};
/* The daemon's own configuration file (`--config`), with defaults for everything. */
struct settings {
	str listen;        /* "127.0.0.1:2746" */
	str state;         /* directory */
	str auth;          /* "token" or "none" */
	str log_format, log_level;
	int sandbox;       /* enum sandbox_mode */
	LIST_OF(struct image) images; /* first match wins */
	int images_mode;   /* enum images_mode */
	LIST_OF(struct registry_setting) registries; /* first match wins */
	str pod_network;       /* range of the addresses of pods that have one of their own */
	struct strs host_paths; /* prefixes that hostPath volumes may name */
	LIST_OF(struct claim_setting) claims; /* first match wins */
	int claims_mode;       /* enum claims_mode */
	int64_t pids_limit;    /* processes and threads of a step; 0: any number */
	int64_t parallelism;   /* steps at once, over all workflows; 0: 4 x cores, at least 16 */
	int64_t workflow_parallelism, namespace_parallelism; /* workflows at once, in all and in each namespace; 0: any number */
	LIST_OF(struct namespace_limit) namespaces; /* those that have limits of their own */
	int64_t workflow_nodes, workflow_memory; /* what one workflow may have: nodes; MiB, 0: any */
	dur cache_max_idle;    /* how long a memoized result is kept that nobody uses; 0: for ever */
	int64_t cache_entries; /* memoized results at most */
	str transient_errors;  /* regular expression of messages that OnTransientError tries again; empty: none but the built-in */
	dur metrics_ttl;       /* how long series of workflows stay after their last report; 0: for ever */
	int64_t artifact_size, artifact_files, artifact_transfers; /* of one artifact: MiB, files; steps whose artifacts are moved at once */
	int64_t artifact_uploads; /* files that come from outside at once */
	int64_t artifact_ratio; /* bytes that an archive may unpack to for each of its own; 0: any number */
	int64_t image_size, image_files; /* of one image, unpacked: MiB, entries of its layers */
	int64_t image_ratio;    /* bytes that a layer may unpack to for each of its own; 0: any number */
	dur artifact_time;     /* for all artifacts of a step, each way */
	const struct val *artifact_repository; /* where artifacts go that have no place of their own; NULL: on this machine */
	const struct val *workflow_defaults; /* a Workflow merged under every one; NULL: none */
	struct restrictions restrictions;
	struct retention retention;
	int64_t template_revisions; /* that are kept of each */
	int64_t dead_letters;  /* kept per trigger */
	int64_t script_instructions, script_memory; /* of a Lua script of a sensor, for one event; memory in MiB */
	dur script_time;            /* processor time of the same */
	int64_t jq_helpers, jq_memory; /* processes that run jq programs of sensors; of each, in MiB */
	dur jq_time;                /* processor time of a jq program for one event */
	struct cluster_place kubernetes; /* whose objects sources of kind resource may watch beside our own */
	str namespace_;    /* default namespace: "default" */
};
extern const struct schema settings_schema;
int settings_read(const char *path /* NULL: defaults */, struct arena *a, struct settings *out,
	struct diags *d) MUST_CHECK;

#endif
