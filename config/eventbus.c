/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventbus: the EventBus object. `jetstream` and native `nats` mean the log that is built in, with the limits they
 * name; what they say about pods means nothing here. Buses that run elsewhere are known and not served yet.
 * Source: argo-events pkg/apis/events/v1alpha1/eventbus_types.go and its validator (see the reference).
 */
#include "config/config.h"
#include "config/kube.h"

/* ---- what they have in common -------------------------------------------------------------------------------- */

static const char *const auths[] = { "", "none", "token", NULL };
#define POD_HINT .hint = "the log is part of this daemon: there is no pod"

static const struct schema container_template_schema = { "BusContainerTemplate", "A container of the bus's pod.", 0,
	(const struct field[]){
	FIELD_AS("resources", FIELD_OBJ_, 0, .schema = &kube_resources_schema, .doc = "Its resources."),
	FIELD_AS("imagePullPolicy", FIELD_STR, 0, .doc = "When to fetch its image."),
	FIELD_AS("securityContext", FIELD_OBJ_, 0, .schema = &kube_security_context_schema, .doc = "Its rights."),
	{ 0 } } };

static const struct schema persistence_schema = { "PersistenceStrategy", "The volume of the bus's pod.", 0,
	(const struct field[]){
	FIELD_AS("storageClassName", FIELD_STR, 0, .doc = "Storage class."),
	FIELD_AS("accessMode", FIELD_STR, 0, .doc = "Access mode."),
	FIELD_AS("volumeSize", FIELD_STR, 0, .doc = "Size."),
	{ 0 } } };

#define POD_ROWS \
	FIELD_AS("replicas", FIELD_INT, NOEFFECT, .max = 1000, .doc = "Pods of the bus.", \
		.hint = "there is one log, in the state directory"), \
	FIELD_AS("persistence", FIELD_OBJ_, NOEFFECT, .schema = &persistence_schema, .doc = "Volume of the pods.", \
		.hint = "the log is always on disk, in the state directory"), \
	FIELD_AS("containerTemplate", FIELD_OBJ_, NOEFFECT, .schema = &container_template_schema, \
		.doc = "Container of the bus.", POD_HINT), \
	FIELD_AS("metricsContainerTemplate", FIELD_OBJ_, NOEFFECT, .schema = &container_template_schema, \
		.doc = "Container of the exporter.", POD_HINT), \
	FIELD_AS("metadata", FIELD_OBJ_, NOEFFECT, .schema = &kube_metadata_schema, \
		.doc = "Labels and annotations of the pods.", POD_HINT), \
	FIELD_AS("nodeSelector", FIELD_KVS, NOEFFECT, .doc = "Nodes for the pods.", POD_HINT), \
	FIELD_AS("tolerations", FIELD_LIST_, NOEFFECT, .schema = &kube_toleration_schema, \
		.doc = "Taints the pods tolerate.", POD_HINT), \
	FIELD_AS("securityContext", FIELD_OBJ_, NOEFFECT, .schema = &kube_pod_security_context_schema, \
		.doc = "Rights of the pods.", POD_HINT), \
	FIELD_AS("imagePullSecrets", FIELD_LIST_, NOEFFECT, .schema = &kube_name_ref_schema, \
		.doc = "Secrets to fetch images with.", POD_HINT), \
	FIELD_AS("serviceAccountName", FIELD_STR, NOEFFECT, .doc = "Account of the pods.", POD_HINT), \
	FIELD_AS("priorityClassName", FIELD_STR, NOEFFECT, .doc = "Priority of the pods.", POD_HINT), \
	FIELD_AS("priority", FIELD_INT, NOEFFECT, .doc = "Priority of the pods.", POD_HINT), \
	FIELD_AS("affinity", FIELD_OBJ_, NOEFFECT, .schema = &kube_affinity_schema, .doc = "Where the pods run.", \
		POD_HINT), \
	FIELD_AS("maxPayload", FIELD_STR, NOEFFECT, .doc = "Largest message.", \
		.hint = "the sources limit the size of what they accept")

/* "64MB", "1GB", "1Gi", "1000": bytes. Units count by 1024, as the NATS server has it. */
static bool
parse_size(str s, int64_t *out)
{
	static const char units[] = "KMGT";
	size_t digits = 0;
	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	str unit = str_slice(s, digits, s.n);
	int64_t n;
	if (!str_to_i64(str_slice(s, 0, digits), &n))
		return false;
	const char *power = unit.n ? strchr(units, *unit.p & ~0x20) : NULL;
	if (power)
		unit = str_slice(unit, 1, unit.n);
	if (power && unit.n && *unit.p == 'i')
		unit = str_slice(unit, 1, unit.n);
	if (unit.n > 1 || (unit.n && (*unit.p & ~0x20) != 'B'))
		return false;
	for (long i = power ? power - units + 1 : 0; i > 0; i--)
		if (__builtin_mul_overflow(n, 1024, &n))
			return false;
	*out = n;
	return true;
}

/* ---- nats ---------------------------------------------------------------------------------------------------- */

struct native_bus {
	str max_age, max_bytes;
	struct opt_int max_msgs;
};

static void
check_native(void *obj, const struct val *in, struct decode *c)
{
	const struct native_bus *b = obj;
	int64_t bytes;
	dur age;
	struct err e;
	if (b->max_age.n && dur_parse(b->max_age, &age, &e))
		diag_hint(c->diags, decode_error(c, in, "maxAge", "not a duration"), "write it like \"72h\"");
	if (b->max_bytes.n && !parse_size(b->max_bytes, &bytes))
		diag_hint(c->diags, decode_error(c, in, "maxBytes", "not a size"), "write it like \"1GB\"");
}

static const struct schema native_schema = { "NativeStrategy",
	"A NATS streaming server in pods: here, the built-in log.", sizeof(struct native_bus),
	(const struct field[]){
	FIELD(struct native_bus, max_age, "maxAge", 0,
		.doc = "How long events are kept; 72h by default. What a sensor has yet to see stays."),
	FIELD(struct native_bus, max_msgs, "maxMsgs", 0, .max = INT64_MAX,
		.doc = "How many events are kept; 1000000 by default."),
	FIELD(struct native_bus, max_bytes, "maxBytes", 0, .doc = "How much is kept; 1GB by default."),
	FIELD_AS("auth", FIELD_STR, NOEFFECT, .choices = auths, .doc = "How clients log in.",
		.hint = "nobody connects to the built-in log"),
	FIELD_AS("maxSubs", FIELD_INT, NOEFFECT, .max = INT64_MAX, .doc = "Most subscriptions.",
		.hint = "the built-in log has no such limit"),
	FIELD_AS("raftHeartbeatTimeout", FIELD_STR, NOEFFECT, .doc = "Raft.", POD_HINT),
	FIELD_AS("raftElectionTimeout", FIELD_STR, NOEFFECT, .doc = "Raft.", POD_HINT),
	FIELD_AS("raftLeaseTimeout", FIELD_STR, NOEFFECT, .doc = "Raft.", POD_HINT),
	FIELD_AS("raftCommitTimeout", FIELD_STR, NOEFFECT, .doc = "Raft.", POD_HINT),
	POD_ROWS,
	{ 0 } }, check_native };

static const struct schema nats_exotic_schema = { "NATSConfig", "A NATS streaming server that runs elsewhere.", 0,
	(const struct field[]){
	FIELD_AS("url", FIELD_STR, REQ, .doc = "Where it is."),
	FIELD_AS("clusterID", FIELD_STR, REQ, .doc = "Its cluster id."),
	FIELD_AS("auth", FIELD_STR, 0, .choices = auths, .doc = "How to log in."),
	FIELD_AS("accessSecret", FIELD_OBJ_, 0, .schema = &secret_ref_schema, .doc = "Credentials."),
	{ 0 } } };

struct nats_bus {
	struct native_bus *native;
};
static void
check_nats(void *obj, const struct val *in, struct decode *c)
{
	const struct nats_bus *b = obj;
	if (!b->native && !val_get(in, S("exotic")))
		diag_hint(c->diags, decode_error(c, in, NULL, "neither native nor exotic"),
			"write \"native: {}\" for the built-in log");
}
static const struct schema nats_schema = { "NATSBus", "NATS streaming.", sizeof(struct nats_bus),
	(const struct field[]){
	FIELD_PTR(struct nats_bus, native, "native", 0, &native_schema, .one_of = "nats",
		.doc = "A server of its own."),
	FIELD_AS("exotic", FIELD_OBJ_, LATER, .schema = &nats_exotic_schema, .one_of = "nats",
		.doc = "A server that runs elsewhere.",
		.hint = "use \"native: {}\", the built-in log"),
	{ 0 } }, check_nats };

/* ---- jetstream ----------------------------------------------------------------------------------------------- */

struct jetstream_bus {
	struct stream_config {
		struct opt_int max_msgs, max_bytes;
		dur max_age, duplicates;
	} stream;
	str stream_config;
};

static const struct schema stream_schema = { "StreamConfig", "The YAML text in streamConfig.",
	sizeof(struct stream_config), (const struct field[]){
	FIELD(struct stream_config, max_msgs, "maxMsgs", 0, .min = INT64_MIN, .max = INT64_MAX,
		.doc = "How many events are kept."),
	FIELD(struct stream_config, max_bytes, "maxBytes", 0, .min = INT64_MIN, .max = INT64_MAX,
		.doc = "How many bytes are kept."),
	FIELD(struct stream_config, max_age, "maxAge", 0, .doc = "How long events are kept."),
	FIELD(struct stream_config, duplicates, "duplicates", 0,
		.doc = "How long an id is remembered, so that the same event is taken once."),
	FIELD_AS("replicas", FIELD_INT, NOEFFECT, .doc = "Copies.", POD_HINT),
	FIELD_AS("retention", FIELD_INT, NOEFFECT, .doc = "0 limits, 1 interest, 2 work queue.",
		.hint = "what a sensor has yet to see stays; the rest goes by the limits"),
	FIELD_AS("discard", FIELD_INT, NOEFFECT, .doc = "0 old, 1 new.",
		.hint = "old events go first, but none that a sensor has yet to see"),
	{ 0 } } };

/* The text is YAML inside of YAML: its findings are shown at the field. */
static void
read_stream_config(struct jetstream_bus *b, const struct val *in, struct decode *c)
{
	struct diags inner;
	struct val *docs;
	size_t n;
	diags_init(&inner);
	bool ok = yaml_read_all(c->arena, S(""), b->stream_config, NULL, &docs, &n, &inner) == 0;
	if (ok && n)
		ok = schema_decode(&stream_schema, c->arena, &docs[0], STR_NONE, &b->stream, &inner) == 0;
	for (size_t i = 0; i < inner.v.n; i++) {
		const struct diag *x = &inner.v.p[i];
		struct diag *d = (x->level == DIAG_ERROR ? decode_error : decode_warn)(c, in, "streamConfig",
			"line %u: %.*s%s%.*s", x->line, STR_ARG(x->path),
			x->path.n ? ": " : "", STR_ARG(x->text));
		if (x->hint.n)
			diag_hint(c->diags, d, "%.*s", STR_ARG(x->hint));
	}
	diags_free(&inner);
}

static void
check_jetstream(void *obj, const struct val *in, struct decode *c)
{
	struct jetstream_bus *b = obj;
	int64_t replicas;
	if (b->stream_config.n)
		read_stream_config(b, in, c);
	const struct val *r = val_get(in, S("replicas"));
	if (val_to_i64(r, &replicas) && (replicas == 2 || replicas < 1))
		diag_hint(c->diags, decode_error(c, in, "replicas", "%lld replicas can't elect a leader",
			(long long)replicas), "write 1, or 3 and more");
}

static const struct schema jetstream_schema = { "JetStreamBus", "NATS JetStream in pods: here, the built-in log.",
	sizeof(struct jetstream_bus),
	(const struct field[]){
	FIELD_AS("version", FIELD_STR, REQ, .doc = "Version of the server; any will do."),
	FIELD(struct jetstream_bus, stream_config, "streamConfig", 0,
		.doc = "YAML text: maxMsgs, maxAge, maxBytes, duplicates. 168h by default."),
	FIELD_AS("settings", FIELD_STR, NOEFFECT, .doc = "Configuration of the server.", POD_HINT),
	FIELD_AS("startArgs", FIELD_STRS, NOEFFECT, .doc = "Arguments of the server.", POD_HINT),
	FIELD_AS("reloaderContainerTemplate", FIELD_OBJ_, NOEFFECT, .schema = &container_template_schema,
		.doc = "Container of the reloader.", POD_HINT),
	POD_ROWS,
	{ 0 } }, check_jetstream };

/* ---- elsewhere ----------------------------------------------------------------------------------------------- */

static const struct schema jetstream_exotic_schema = { "JetStreamConfig", "A JetStream server that runs elsewhere.", 0,
	(const struct field[]){
	FIELD_AS("url", FIELD_STR, REQ, .doc = "Where it is."),
	FIELD_AS("accessSecret", FIELD_OBJ_, 0, .schema = &secret_ref_schema, .doc = "Credentials."),
	FIELD_AS("streamConfig", FIELD_STR, 0, .doc = "YAML text, as of jetstream."),
	FIELD_AS("tls", FIELD_OBJ_, 0, .schema = &tls_config_schema, .doc = "TLS settings."),
	{ 0 } } };

static const char *const rebalance[] = { "", "sticky", "roundrobin", "range", NULL };
static const struct schema consumer_group_schema = { "BusConsumerGroup", "How sensors share the topic.", 0,
	(const struct field[]){
	FIELD_AS("groupName", FIELD_STR, 0, .doc = "Name of the group."),
	FIELD_AS("oldest", FIELD_BOOL, 0, .doc = "Whether a new group starts at the oldest event."),
	FIELD_AS("rebalanceStrategy", FIELD_STR, 0, .choices = rebalance, .doc = "How partitions are dealt out."),
	{ 0 } } };
static const struct schema kafka_bus_schema = { "KafkaBus", "A Kafka cluster as the bus.", 0, (const struct field[]){
	FIELD_AS("url", FIELD_STR, REQ, .doc = "Brokers, with commas between."),
	FIELD_AS("topic", FIELD_STR, 0, .doc = "Topic of the events."),
	FIELD_AS("version", FIELD_STR, 0, .doc = "Version of the protocol."),
	FIELD_AS("tls", FIELD_OBJ_, 0, .schema = &tls_config_schema, .doc = "TLS settings."),
	FIELD_AS("sasl", FIELD_OBJ_, 0, .schema = &sasl_config_schema, .doc = "How to log in."),
	FIELD_AS("consumerGroup", FIELD_OBJ_, 0, .schema = &consumer_group_schema,
		.doc = "How sensors share the topic."),
	FIELD_AS("partitioner", FIELD_STR, 0, .doc = "How events are spread over partitions."),
	{ 0 } } };

/* ---- the object ---------------------------------------------------------------------------------------------- */

struct bus_spec {
	struct nats_bus *nats;
	struct jetstream_bus *jetstream;
};
struct bus_object {
	struct event_bus bus;
	struct bus_spec spec;
};

static void
check_spec(void *obj, const struct val *in, struct decode *c)
{
	const struct bus_spec *s = obj;
	if (!s->nats && !s->jetstream && !val_get(in, S("kafka")) && !val_get(in, S("jetstreamExotic")))
		diag_hint(c->diags, decode_error(c, in, NULL, "no bus"),
			"add jetstream, nats, jetstreamExotic or kafka");
}

static const struct schema spec_schema = { "EventBusSpec", "What carries the events; one of these.",
	sizeof(struct bus_spec), (const struct field[]){
	FIELD_PTR(struct bus_spec, jetstream, "jetstream", 0, &jetstream_schema, .one_of = "bus",
		.doc = "The built-in log, by JetStream's limits."),
	FIELD_PTR(struct bus_spec, nats, "nats", 0, &nats_schema, .one_of = "bus",
		.doc = "The built-in log, by NATS streaming's limits."),
	FIELD_AS("jetstreamExotic", FIELD_OBJ_, LATER, .schema = &jetstream_exotic_schema, .one_of = "bus",
		.doc = "A JetStream server elsewhere.",
		.hint = "use \"jetstream\", the built-in log"),
	FIELD_AS("kafka", FIELD_OBJ_, LATER, .schema = &kafka_bus_schema, .one_of = "bus", .doc = "A Kafka cluster.",
		.hint = "use \"jetstream\", the built-in log"),
	{ 0 } }, check_spec };

/* Negative means no limit in a stream's configuration; here zero does. */
static int64_t
limit(struct opt_int given, int64_t dflt)
{
	int64_t v = given.set ? given.v : dflt;
	return v > 0 ? v : 0;
}

/* Defaults: argo-events' controller configuration and NATS streaming's. */
static void
take_limits(void *obj, const struct val *in, struct decode *c)
{
	struct bus_object *o = obj;
	struct event_bus *b = &o->bus;
	struct err e;
	(void)in, (void)c;
	b->max_age_ns = 168 * 3600 * NS_PER_SEC;
	if (o->spec.jetstream) {
		const struct stream_config *s = &o->spec.jetstream->stream;
		b->max_age_ns = s->max_age.ns > 0 ? s->max_age.ns : b->max_age_ns;
		b->max_events = limit(s->max_msgs, 0);
		b->max_bytes = limit(s->max_bytes, 0);
		b->dedup_ns = s->duplicates.ns > 0 ? s->duplicates.ns : 0;
	} else if (o->spec.nats && o->spec.nats->native) {
		const struct native_bus *n = o->spec.nats->native;
		dur age = { 72 * 3600 * NS_PER_SEC };
		int64_t bytes = INT64_C(1) << 30;
		if (n->max_age.n && dur_parse(n->max_age, &age, &e))
			return; /* check_native has said so */
		(void)parse_size(n->max_bytes, &bytes);
		b->max_age_ns = age.ns;
		b->max_events = limit(n->max_msgs, 1000000);
		b->max_bytes = bytes;
	}
}

static const struct schema bus_schema = { "EventBus", "The log between sources and sensors.", sizeof(struct bus_object),
	(const struct field[]){
	FIELD_AS("apiVersion", FIELD_STR, REQ, .doc = "argoproj.io/v1alpha1."),
	FIELD_AS("kind", FIELD_STR, REQ, .doc = "EventBus."),
	FIELD_OBJ(struct bus_object, bus.meta, "metadata", REQ, &meta_schema,
		.doc = "Name, namespace, labels and annotations."),
	FIELD_OBJ(struct bus_object, spec, "spec", REQ, &spec_schema, .doc = "What carries the events."),
	FIELD_NONE("status", STATUS, .doc = "Written by the controller."),
	{ 0 } }, take_limits };

const struct kind kind_eventbus = { .name = "EventBus", .plural = "eventbus",
	.short_names = (const char *const[]){ "eventbuses", "eb", NULL },
	.api = "argoproj.io/v1alpha1", .schema = &bus_schema, .name_max = 63, .lenient = true };
