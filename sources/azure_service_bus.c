/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azureServiceBus: messages of a queue, or of a topic's subscription, of Azure Service Bus (spec events C15), by its REST interface ("Peek-Lock Message",
 * "Delete Message", "Unlock Message"): one message a call, locked until it is deleted. Custom properties are headers of the answer.
 */
#include <ctype.h>

#include "core/crypto.h"
#include "core/net/azure_bus.h"
#include "core/net/http_date.h"
#include "core/net/sigv4.h"
#include "sources/azure_login.h"
#include "sources/check.h"
#include "sources/message.h"
#include "sources/pull.h"
#include "sources/webhook_context.h"

enum {
	WAIT_S = 55,       /* that a call waits for a message */
	ANSWER_S = 20,     /* longer than that, for an answer */
	HIDDEN_S = 5 * 60, /* the queue says how long a message is locked; at most so long */
};
#define RESOURCE "https://servicebus.azure.net"

struct azure_service_bus_source {
	struct secret_ref *connection_string;
	bool defer_delete;
	struct source_filter *filter;
	str fully_qualified_namespace;
	bool json_body;
	struct kvs metadata;
	str queue_name;
	str subscription_name;
	struct tls_config *tls;
	str topic_name;
	const struct val *src;
};

/* With a port, perhaps. */
static bool
is_host(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != ':')
			return false;
	return s.n > 0;
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct azure_service_bus_source *s = obj;

	if (!s->connection_string && !s->fully_qualified_namespace.n)
		decode_error(c, in, NULL, "must specify connectionString or fullyQualifiedNamespace");
	else if (!s->connection_string && !is_host(s->fully_qualified_namespace))
		decode_error(c, in, "fullyQualifiedNamespace", "\"%.*s\" is not a host, such as name.servicebus.windows.net",
			STR_ARG(str_slice(s->fully_qualified_namespace, 0, 100)));
	if (!s->queue_name.n && !s->topic_name.n && !s->subscription_name.n)
		decode_error(c, in, NULL, "must specify either queueName or topicName and subscriptionName");
	if (s->queue_name.n && (s->topic_name.n || s->subscription_name.n))
		decode_error(c, in, "queueName", "must specify either queueName or topicName and subscriptionName, "
			"not both");
	else if (s->subscription_name.n && !s->topic_name.n)
		decode_error(c, in, NULL, "must specify topicName with subscriptionName");
	else if (s->topic_name.n && !s->subscription_name.n)
		decode_error(c, in, NULL, "must specify subscriptionName with topicName");
}

static const struct schema azure_service_bus_source_schema = { "AzureServiceBusEventSource",
	"Messages of an Azure Service Bus queue or topic.", sizeof(struct azure_service_bus_source),
	(const struct field[]){
	FIELD_PTR(struct azure_service_bus_source, connection_string, "connectionString", 0, &secret_ref_schema,
		.doc = "Connection string of the namespace, with a shared access key."),
	FIELD(struct azure_service_bus_source, defer_delete, "deferDelete", NOEFFECT, .hint = "a message is always deleted after its event is on disk",
		.doc = "Complete a message only after it was stored: so it is in any case."),
	FIELD_PTR(struct azure_service_bus_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct azure_service_bus_source, fully_qualified_namespace, "fullyQualifiedNamespace", 0,
		.doc = "Host of the namespace, where the managed identity of the machine logs in, or what the environment says of AZURE_CLIENT_ID; means nothing beside connectionString."),
	FIELD(struct azure_service_bus_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct azure_service_bus_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct azure_service_bus_source, queue_name, "queueName", 0, .doc = "Queue to read."),
	FIELD(struct azure_service_bus_source, subscription_name, "subscriptionName", 0,
		.doc = "Subscription of the topic."),
	FIELD_PTR(struct azure_service_bus_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct azure_service_bus_source, topic_name, "topicName", 0, .doc = "Topic to read."),
	FIELD_SRC(struct azure_service_bus_source, src),
	{ 0 } }, check };

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

static int
set_tls(struct pull *p, const struct tls_config *tls, struct pull_call *c, struct err *e)
{
	if (!tls)
		return 0;
	c->http.insecure = tls->insecure_skip_verify;
	return pull_secret(p, tls->ca_cert, c->arena, &c->http.ca_pem, e) < 0 || pull_secret(p, tls->client_cert, c->arena, &c->http.cert_pem, e) < 0 ||
	                       pull_secret(p, tls->client_key, c->arena, &c->http.key_pem, e) < 0
	               ? -1
	               : 0;
}

static str
entity(const struct azure_service_bus_source *s, struct arena *a)
{
	if (s->queue_name.n)
		return sigv4_encode(a, s->queue_name, true);
	return arena_fmt(a, "%.*s/subscriptions/%.*s", STR_ARG(sigv4_encode(a, s->topic_name, true)), STR_ARG(sigv4_encode(a, s->subscription_name, false)));
}

/* Who is asked, and what the Authorization header says. */
static int
log_in(struct pull *p, struct arena *a, str *endpoint, str *header, struct err *e)
{
	const struct azure_service_bus_source *s = pull_config(p);
	struct azure_bus bus;
	str connection;
	if (!s->connection_string) {
		*endpoint = arena_fmt(a, "https://%.*s", STR_ARG(s->fully_qualified_namespace));
		*header = azure_login_header(p, a);
		return 0;
	}
	if (pull_secret(p, s->connection_string, a, &connection, e) < 0 || azure_bus_read(connection, a, &bus, e) < 0)
		return -1;
	*endpoint = bus.endpoint;
	*header = azure_bus_token(&bus, loop_now(source_loop(pull_source(p))), a);
	return 0;
}

static int
call(struct pull *p, struct pull_call *c, const char *method, str below, struct err *e)
{
	const struct azure_service_bus_source *s = pull_config(p);
	struct arena *a = c->arena;
	struct http_header *headers = ARENA_NEW(a, struct http_header);
	str endpoint;
	headers->name = S("Authorization");
	if (log_in(p, a, &endpoint, &headers->value, e) < 0 || set_tls(p, s->tls, c, e) < 0)
		return -1;
	c->http.method = str_c(method);
	c->http.url = arena_fmt(a, "%.*s/%.*s/messages/%.*s", STR_ARG(endpoint), STR_ARG(entity(s, a)), STR_ARG(below));
	c->http.headers = headers;
	c->http.headers_n = 1;
	c->http.timeout_ms = (WAIT_S + ANSWER_S) * 1000;
	return 0;
}

/* ---- a message ---------------------------------------------------------------------------------------------------------- */

/* Headers that are HTTP's, or the service's; all others are properties of the message. */
static bool
is_property(str name)
{
	static const char *const others[] = { "Age", "BrokerProperties", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date",
		"Expires", "Keep-Alive", "Location", "Pragma", "Server", "Strict-Transport-Security", "Transfer-Encoding", "Vary", "Via" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (name.n == strlen(others[i]) && strncasecmp(name.p, others[i], name.n) == 0)
			return false;
	return !(name.n > 5 && strncasecmp(name.p, "x-ms-", 5) == 0);
}

/* Texts come in quotes, numbers and truth values as they are: as in JSON. What is no JSON is a text. */
static str
properties_json(const struct http_answer *ans, struct arena *a)
{
	struct val_map m = { 0 };
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < ans->headers_n; i++) {
		const struct http_header *h = &ans->headers[i];
		struct val v;
		struct err e;
		if (!is_property(h->name))
			continue;
		bool scalar = json_read(a, h->value, &v, &e) == 0 && v.kind != VAL_MAP && v.kind != VAL_LIST;
		val_map_add(&m, h->name, scalar ? v : val_str(h->value));
	}
	struct val all = val_map_end(&m, a);
	if (!all.n)
		return S("null");
	json_write_opts(&b, &all, JSON_SORT | JSON_HTML);
	return arena_dup(a, buf_str(&b));
}

/* Go's *string: null if it is not there. */
static void
add_text(struct message *m, const char *name, str value)
{
	if (value.p)
		message_str(m, name, value);
	else
		message_raw(m, name, S("null"));
}

struct bus_message {
	str properties; /* JSON */
	str body, content_type;
	struct val broker;
	int64_t sequence;
};

static int
make_event(const struct azure_service_bus_source *s, const struct bus_message *in, struct event **out, struct err *e)
{
	struct message m;
	int64_t enqueued;
	str at = val_get_str(&in->broker, "EnqueuedTimeUtc");
	message_begin(&m);
	message_raw(&m, "applicationProperties", in->properties);
	if (message_body(&m, "body", in->body, s->json_body, e) < 0) {
		message_drop(&m);
		return -1;
	}
	add_text(&m, "contentType", in->content_type);
	add_text(&m, "correlationID", val_get_str(&in->broker, "CorrelationId"));
	add_text(&m, "enqueuedTime", http_date_read(at, &enqueued) ? time_rfc3339(m.ev->arena, enqueued) : STR_NONE);
	message_str(&m, "messageID", val_get_str(&in->broker, "MessageId"));
	add_text(&m, "replyTo", val_get_str(&in->broker, "ReplyTo"));
	message_int(&m, "sequenceNumber", in->sequence);
	add_text(&m, "subject", val_get_str(&in->broker, "Label"));
	message_metadata(&m, &s->metadata);
	*out = message_end(&m);
	/* A message id is the sender's, who may use it twice; numbers begin anew when a queue is made anew. */
	(*out)->dedup = arena_fmt((*out)->arena, "%lld %.*s", (long long)in->sequence, STR_ARG(at));
	return 0;
}

static int
received(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct bus_message m = { .body = ans->body, .content_type = http_answer_header(ans, "Content-Type") };
	struct event *ev;
	struct err why = { 0 };
	azure_login_note(p, ans);
	if (ans->status == 204)
		return 0; /* it has waited, and there is none */
	if (pull_judge(p, c, ans, STR_NONE, e) < 0)
		return -1;
	if (json_read(c->arena, http_answer_header(ans, "BrokerProperties"), &m.broker, e) < 0)
		return err_wrap(e, "BrokerProperties in the answer of Service Bus");
	const struct val *sequence = val_get(&m.broker, S("SequenceNumber"));
	str lock = val_get_str(&m.broker, "LockToken");
	if (!lock.n || !sequence || !val_to_i64(sequence, &m.sequence))
		return err_set(e, ERR_INVALID, "the answer of Service Bus has no LockToken or SequenceNumber");
	str receipt = arena_fmt(c->arena, "%lld/%.*s", (long long)m.sequence, STR_ARG(sigv4_encode(c->arena, lock, false)));
	m.properties = properties_json(ans, c->arena);
	if (make_event(pull_config(p), &m, &ev, &why) == 0)
		pull_take(p, ev, receipt);
	else /* each look at it counts, until the queue sets it aside */
		pull_refuse(p, receipt, PULL_LEAVE, &why);
	return 0;
}

static int
ask(struct pull *p, struct pull_call *c, struct err *e)
{
	c->answered = received;
	return call(p, c, "POST", arena_fmt(c->arena, "head?timeout=%d", WAIT_S), e);
}

/* Gone, or its lock is over: it comes again, and is known. */
static int
settled(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	azure_login_note(p, ans);
	return ans->status == 404 || ans->status == 410 ? 0 : pull_judge(p, c, ans, STR_NONE, e);
}

static int
acknowledge(struct pull *p, const str *receipts, size_t n UNUSED, struct pull_call *c, struct err *e)
{
	c->answered = settled;
	return call(p, c, "DELETE", receipts[0], e);
}

static int
release(struct pull *p, const str *receipts, size_t n UNUSED, struct pull_call *c, struct err *e)
{
	c->answered = settled;
	return call(p, c, "PUT", receipts[0], e);
}

/* ---- life -------------------------------------------------------------------------------------------------------------- */

static int
prepare(struct pull *p, struct pull_call *c, struct err *e)
{
	const struct azure_service_bus_source *s = pull_config(p);
	return s->connection_string ? 0 : azure_login_prepare(p, RESOURCE, c, e);
}

static const struct pull_ops bus_ops = { .service = "Service Bus", .batch = 1, .most = 1, .hidden_ns = HIDDEN_S * NS_PER_SEC,
	.prepare = prepare, .ask = ask, .acknowledge = acknowledge, .release = release, .free = azure_login_free };

static int
start(struct source *s, struct err *e)
{
	if (crypto_load(e) < 0)
		return -1;
	pull_start(s, &bus_ops, azure_login_new());
	return 0;
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct bus_message m = { .properties = S("null"), .body = body, .broker = val_null() };
	struct event *ev;
	if (make_event(source_config(s), &m, &ev, e) < 0)
		return -1;
	*out = pull_data(ev, a);
	return 0;
}

const struct source_ops source_azureServiceBus = { .kind = "azureServiceBus", .doc = "Messages of an Azure Service Bus queue or topic.",
	.schema = &azure_service_bus_source_schema, .start = start, .ack = pull_ack, .pause = pull_pause, .stop = pull_stop, .wrap = wrap,
	.describe = pull_describe };
