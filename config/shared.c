/* SPDX-License-Identifier: Apache-2.0 */
/* shared: the small tables that many kinds borrow: keys of Secrets, TLS, SASL, credentials, backoff, metadata. */
#include <math.h>

#include "config/config.h"

/* ---- references ---------------------------------------------------------------------------------------------- */

#define KEY_ROWS(what) \
	FIELD(struct secret_ref, name, "name", 0, .doc = "Name of the " what "."), \
	FIELD(struct secret_ref, key, "key", REQ, .doc = "Key in it."), \
	FIELD(struct secret_ref, optional, "optional", 0, .doc = "Whether the " what " or its key may be missing."), \
	FIELD_SRC(struct secret_ref, src), \
	{ 0 }

const struct schema secret_ref_schema = { "SecretKeySelector", "A key of a Secret.", sizeof(struct secret_ref),
	(const struct field[]){ KEY_ROWS("Secret") } };
const struct schema config_map_ref_schema = { "ConfigMapKeySelector", "A key of a ConfigMap.",
	sizeof(struct secret_ref),
	(const struct field[]){ KEY_ROWS("ConfigMap") } };

/* ---- TLS, SASL, credentials ---------------------------------------------------------------------------------- */

/* Argo Events, pkg/apis/events/v1alpha1: validateTLSConfig. */
static void
check_tls(void *obj, const struct val *in, struct decode *c)
{
	const struct tls_config *t = obj;
	struct diag *d = NULL;
	if (t->client_cert && !t->client_key)
		d = decode_error(c, in, "clientKeySecret", "a client certificate needs its key");
	else if (t->client_key && !t->client_cert)
		d = decode_error(c, in, "clientCertSecret", "a client key needs its certificate");
	if (d) {
		diag_hint(c->diags, d, "give clientCertSecret and clientKeySecret, or neither");
	} else if (!t->insecure_skip_verify && !t->enabled && !t->ca_cert && !t->client_cert) {
		d = decode_error(c, in, NULL, "TLS without anything to verify by");
		diag_hint(c->diags, d, "give caCertSecret, or \"enabled: true\" to trust the system's certificates");
	}
}

const struct schema tls_config_schema = { "TLSConfig", "How a connection is encrypted and verified.",
	sizeof(struct tls_config),
	(const struct field[]){
	FIELD_PTR(struct tls_config, ca_cert, "caCertSecret", 0, &secret_ref_schema,
		.doc = "Certificates of the authorities that are trusted, PEM."),
	FIELD_PTR(struct tls_config, client_cert, "clientCertSecret", 0, &secret_ref_schema,
		.doc = "Our certificate, PEM."),
	FIELD_PTR(struct tls_config, client_key, "clientKeySecret", 0, &secret_ref_schema, .doc = "Its key, PEM."),
	FIELD(struct tls_config, insecure_skip_verify, "insecureSkipVerify", 0,
		.doc = "Accept any certificate of the other side."),
	FIELD(struct tls_config, enabled, "enabled", 0, .doc = "Use TLS with the system's authorities."),
	{ 0 } }, check_tls };

static const char *const mechanisms[] = { "PLAIN", "OAUTHBEARER", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", NULL };

const struct schema sasl_config_schema = { "SASLConfig", "How to log in to a broker.", sizeof(struct sasl_config),
	(const struct field[]){
	FIELD(struct sasl_config, mechanism, "mechanism", 0, .choices = mechanisms, .dflt = "PLAIN",
		.doc = "SASL mechanism."),
	FIELD_PTR(struct sasl_config, user, "userSecret", REQ, &secret_ref_schema, .doc = "User name."),
	FIELD_PTR(struct sasl_config, password, "passwordSecret", REQ, &secret_ref_schema, .doc = "Password."),
	{ 0 } } };

const struct schema basic_auth_schema = { "BasicAuth", "User name and password, from Secrets.",
	sizeof(struct basic_auth),
	(const struct field[]){
	FIELD_PTR(struct basic_auth, username, "username", 0, &secret_ref_schema, .doc = "User name."),
	FIELD_PTR(struct basic_auth, password, "password", 0, &secret_ref_schema, .doc = "Password."),
	{ 0 } } };

const struct schema nats_auth_schema = { "NATSAuth", "How to identify.", sizeof(struct nats_auth),
	(const struct field[]){
	FIELD_PTR(struct nats_auth, basic, "basic", 0, &basic_auth_schema, .doc = "User name and password."),
	FIELD_PTR(struct nats_auth, credential, "credential", 0, &secret_ref_schema, .doc = "Credentials file."),
	FIELD_PTR(struct nats_auth, nkey, "nkey", 0, &secret_ref_schema, .doc = "NKey: the seed of a user, `SU...`."),
	FIELD_PTR(struct nats_auth, token, "token", 0, &secret_ref_schema, .doc = "Token."),
	FIELD_SRC(struct nats_auth, src),
	{ 0 } } };

static void
check_registry(void *obj, const struct val *in, struct decode *c)
{
	const struct registry_config *r = obj;
	struct diag *d = NULL;
	if (!str_starts(r->url, S("http://")) && !str_starts(r->url, S("https://")))
		d = decode_error(c, in, "url", "must be the URL of a schema registry");
	else if (r->auth && (!r->auth->username || !r->auth->password))
		d = decode_error(c, in, "auth", "both username and password must be specified");
	if (d)
		diag_hint(c->diags, d, "write url: https://HOST, and auth: {username: {name: ..., key: ...}, password: ...} if it wants a login");
}

const struct schema registry_config_schema = { "SchemaRegistryConfig", "A registry of Avro schemas.",
	sizeof(struct registry_config), (const struct field[]){
	FIELD_PTR(struct registry_config, auth, "auth", 0, &basic_auth_schema, .doc = "User name and password."),
	FIELD(struct registry_config, schema_id, "schemaId", 0, .min = 0, .max = INT32_MAX,
		.doc = "Id of the schema to send with. Messages that come say theirs themselves."),
	FIELD(struct registry_config, url, "url", 0, .doc = "URL of the registry."),
	FIELD_SRC(struct registry_config, src),
	{ 0 } }, check_registry };

/* ---- backoff ------------------------------------------------------------------------------------------------- */

/* A number, or a string with one in it. */
static bool
amount(const struct val *v, double *out)
{
	struct val r = val_resolve(v);
	return (r.kind == VAL_STR ? str_to_double(val_text(&r), out) : val_to_double(&r, out)) && isfinite(*out);
}

/* A Go duration, or an integer of nanoseconds. */
static bool
backoff_duration(const struct val *v, double *ns)
{
	struct val r = val_resolve(v);
	struct err e;
	int64_t i;
	dur d;
	if (r.kind == VAL_STR && dur_parse(val_text(&r), &d, &e) == 0)
		*ns = (double)d.ns;
	else if (val_to_i64(&r, &i) || (r.kind == VAL_STR && str_to_i64(val_text(&r), &i)))
		*ns = (double)i;
	else
		return false;
	return true;
}

static void
check_backoff(void *obj, const struct val *in, struct decode *c)
{
	const struct backoff *b = obj;
	double f;
	if (b->duration && !backoff_duration(b->duration, &f))
		diag_hint(c->diags, decode_error(c, in, "duration", "not a duration"),
			"write it like \"10s\", or an integer of nanoseconds");
	if (b->factor && !amount(b->factor, &f))
		diag_hint(c->diags, decode_error(c, in, "factor", "not a number"), "write it like 2 or \"1.5\"");
	if (b->jitter && !amount(b->jitter, &f))
		diag_hint(c->diags, decode_error(c, in, "jitter", "not a number"), "write it like 0.1");
}

const struct schema backoff_schema = { "Backoff", "How often something is tried again, and how long to wait between.",
	sizeof(struct backoff), (const struct field[]){
	FIELD(struct backoff, duration, "duration", 0,
		.doc = "First wait: a Go duration, or an integer of nanoseconds; 1s by default."),
	FIELD(struct backoff, factor, "factor", 0, .doc = "Each wait is this many times the one before; 1 by default."),
	FIELD(struct backoff, jitter, "jitter", 0, .doc = "Up to this fraction of the wait is added at random; 1 by "
		"default."),
	FIELD(struct backoff, steps, "steps", 0, .doc = "Attempts in all; 5 by default."),
	{ 0 } }, check_backoff };

int64_t
backoff_wait_ns(const struct backoff *b, unsigned attempt, double random)
{
	double wait = (double)NS_PER_SEC, factor = 1, jitter = 1;
	if (b->duration)
		(void)backoff_duration(b->duration, &wait); /* check_backoff has refused what can't be read */
	if (b->factor)
		(void)amount(b->factor, &factor);
	if (b->jitter)
		(void)amount(b->jitter, &jitter);
	wait *= pow(factor, attempt > 1 ? (double)attempt - 1 : 0) * (1 + random * jitter);
	return wait >= 0x1p62 ? INT64_MAX : wait > 0 ? (int64_t)wait : 0;
}

int64_t
backoff_steps(const struct backoff *b)
{
	return b->steps > 0 ? b->steps : 5;
}

/* ---- metadata ------------------------------------------------------------------------------------------------ */

static const struct schema owner_schema = { "OwnerReference", "The object that this one belongs to.", 0,
	(const struct field[]){
	FIELD_AS("apiVersion", FIELD_STR, 0, .doc = "API of the owner."), FIELD_AS("kind", FIELD_STR, 0,
		.doc = "Kind of the owner."),
	FIELD_AS("name", FIELD_STR, 0, .doc = "Name of the owner."), FIELD_AS("uid", FIELD_STR, 0,
		.doc = "Id of the owner."),
	FIELD_AS("controller", FIELD_BOOL, 0, .doc = "Whether it made this one."),
	FIELD_AS("blockOwnerDeletion", FIELD_BOOL, 0, .doc = "Whether it waits for this one to go."),
	{ 0 } } };

const struct schema meta_schema = { "ObjectMeta", "Who an object is.", sizeof(struct meta), (const struct field[]){
	FIELD(struct meta, name, "name", 0, .doc = "Name, unique for its kind and namespace."),
	FIELD(struct meta, generate_name, "generateName", 0, .doc = "Beginning of a name; five characters are added."),
	FIELD(struct meta, ns, "namespace", 0, .max = 63, .doc = "Namespace; that of the daemon by default."),
	FIELD(struct meta, labels, "labels", 0, .doc = "Labels, to select by."),
	FIELD(struct meta, annotations, "annotations", 0, .doc = "Notes for people and programs."),
	FIELD_NONE("uid", STATUS, .doc = "Id, given when the object is made."),
	FIELD_NONE("resourceVersion", STATUS, .doc = "Changes with every change of the object."),
	FIELD_AS("finalizers", FIELD_STRS, NOEFFECT, .doc = "Who has something to do before the object goes.",
		.hint = "delete deletes at once; it is kept and shown"),
	FIELD_AS("ownerReferences", FIELD_LIST_, NOEFFECT, .schema = &owner_schema,
		.doc = "Objects that this one belongs to.", .hint = "it stays when they go; it is kept and shown"),
	FIELD_NONE("creationTimestamp", STATUS, .doc = "When it was made."),
	FIELD_NONE("deletionTimestamp", STATUS, .doc = "When it was deleted."),
	FIELD_NONE("deletionGracePeriodSeconds", STATUS, .doc = "How long its deletion may take."),
	FIELD_NONE("generation", STATUS, .doc = "Counts its changes."),
	FIELD_NONE("managedFields", STATUS, .doc = "Who changed what."),
	FIELD_NONE("selfLink", STATUS, .doc = "Where it is."),
	{ 0 } } };
