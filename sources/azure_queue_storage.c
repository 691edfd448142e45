/* SPDX-License-Identifier: Apache-2.0 */
/*
 * azureQueueStorage: messages of a queue of Azure's storage (spec events C16). The service does not wait: an empty queue is looked at every
 * `waitTimeInSeconds`. Each message is deleted by a call of its own.
 */
#include "core/base64.h"
#include "core/crypto.h"
#include "core/net/azure_storage.h"
#include "core/net/http_date.h"
#include "core/net/sigv4.h"
#include "core/xml.h"
#include "sources/azure_login.h"
#include "sources/check.h"
#include "sources/message.h"
#include "sources/pull.h"
#include "sources/webhook_context.h"

enum { MOST = 32 /* messages in an answer: what the service allows */, HIDDEN_S = 120 };
#define RESOURCE "https://storage.azure.com"

struct azure_queue_storage_source {
	struct secret_ref *connection_string;
	bool decode_message;
	bool dlq;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	str queue_name;
	str storage_account_name;
	int64_t wait_time_in_seconds;
	const struct val *src;
};

/* It becomes part of a host's name. */
static bool
is_account_name(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9')))
			return false;
	return s.n >= 3 && s.n <= 24;
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct azure_queue_storage_source *s = obj;

	if (!s->connection_string && !s->storage_account_name.n)
		decode_error(c, in, NULL, "must specify connectionString or storageAccountName");
	else if (!s->connection_string && !is_account_name(s->storage_account_name))
		decode_error(c, in, "storageAccountName", "\"%.*s\": an account's name has 3 to 24 lower-case letters and digits",
			STR_ARG(str_slice(s->storage_account_name, 0, 60)));
	source_need(s->queue_name, in, c, "queueName");
}

static const struct schema azure_queue_storage_source_schema = { "AzureQueueStorageEventSource",
	"Messages of an Azure storage queue.", sizeof(struct azure_queue_storage_source), (const struct field[]){
	FIELD_PTR(struct azure_queue_storage_source, connection_string, "connectionString", 0, &secret_ref_schema,
		
		.doc = "Connection string of the account, with its key or a shared access signature."),
	FIELD(struct azure_queue_storage_source, decode_message, "decodeMessage", 0, .doc = "Whether messages are base64: they are decoded first."),
	FIELD(struct azure_queue_storage_source, dlq, "dlq", 0, 
		.doc = "Leave a message that cannot be decoded, or is no JSON with jsonBody, in the queue; else it is deleted."),
	FIELD_PTR(struct azure_queue_storage_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct azure_queue_storage_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct azure_queue_storage_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct azure_queue_storage_source, queue_name, "queueName", 0, .doc = "Name of the queue."),
	FIELD(struct azure_queue_storage_source, storage_account_name, "storageAccountName", 0,
		.doc = "Account, where the managed identity of the machine logs in, or what the environment says of AZURE_CLIENT_ID; means nothing beside connectionString."),
	FIELD(struct azure_queue_storage_source, wait_time_in_seconds, "waitTimeInSeconds", 0, .dflt = "3", .min = 0,
		.max = 86400, .doc = "Seconds between two looks at an empty queue; 0 is 1."),
	FIELD_SRC(struct azure_queue_storage_source, src),
	{ 0 } }, check };

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

static int
call(struct pull *p, struct pull_call *c, const char *method, str below, const struct http_header *query, size_t n, struct err *e)
{
	const struct azure_queue_storage_source *s = pull_config(p);
	struct arena *a = c->arena;
	struct azure_account account;
	struct azure_request r = { .method = str_c(method), .query = query, .query_n = n };
	str connection;
	if (!s->connection_string)
		azure_account_named(s->storage_account_name, "queue", azure_login_header(p, a), a, &account);
	else if (pull_secret(p, s->connection_string, a, &connection, e) < 0 || azure_account_read(connection, "queue", a, &account, e) < 0)
		return -1;
	r.path = arena_fmt(a, "/%.*s/messages%.*s", STR_ARG(sigv4_encode(a, s->queue_name, false)), STR_ARG(below));
	azure_call(&account, &r, loop_now(source_loop(pull_source(p))), a, &c->http);
	return 0;
}

static int
judge(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	azure_login_note(p, ans);
	return pull_judge(p, c, ans, http_xml_refusal(c->arena, ans->body), e);
}

/* ---- messages ---------------------------------------------------------------------------------------------------------- */

struct queue_message {
	str id, receipt, inserted, text;
};

static int
make_event(const struct azure_queue_storage_source *s, const struct queue_message *q, struct event **out, struct err *e)
{
	struct message m;
	str body = q->text;
	int64_t inserted = 0;
	message_begin(&m);
	if ((s->decode_message && base64_decode(m.ev->arena, q->text, &body, e) < 0) || message_body(&m, "body", body, s->json_body, e) < 0) {
		message_drop(&m);
		return -1;
	}
	message_str(&m, "messageID", q->id);
	message_str(&m, "insertionTime", http_date_read(q->inserted, &inserted) ? time_rfc3339(m.ev->arena, inserted) : S("0001-01-01T00:00:00Z"));
	message_metadata(&m, &s->metadata);
	*out = message_end(&m);
	(*out)->dedup = arena_dup((*out)->arena, q->id);
	return 0;
}

/* A message is deleted by its id and the receipt of this look at it. */
static void
take(struct pull *p, const struct queue_message *q, struct arena *a)
{
	const struct azure_queue_storage_source *s = pull_config(p);
	str receipt = arena_fmt(a, "%.*s %.*s", STR_ARG(q->id), STR_ARG(q->receipt));
	struct event *ev;
	struct err e = { 0 };
	if (make_event(s, q, &ev, &e) == 0)
		pull_take(p, ev, receipt);
	else
		pull_refuse(p, receipt, s->dlq ? PULL_LEAVE : PULL_DELETE, &e);
}

static int
received(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct queue_message q;
	const struct xml_field fields[] = { { "MessageId", &q.id }, { "PopReceipt", &q.receipt }, { "InsertionTime", &q.inserted }, { "MessageText", &q.text } };
	struct xml_reader x = { .text = ans->body };
	int rc;
	if (judge(p, c, ans, e) < 0)
		return -1;
	while ((rc = xml_record(&x, "QueueMessage", fields, ARRAY_LEN(fields), c->arena, e)) > 0)
		take(p, &q, c->arena);
	return rc < 0 ? err_wrap(e, "the answer of Azure") : 0;
}

static int
ask(struct pull *p, struct pull_call *c, struct err *e)
{
	static const struct http_header query[] = { { { "numofmessages", 13 }, { "32", 2 } }, { { "visibilitytimeout", 17 }, { "120", 3 } } };
	c->answered = received;
	return call(p, c, "GET", S(""), query, ARRAY_LEN(query), e);
}

/* Gone already, or given anew since: it comes again, and is known. */
static int
deleted(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	str code = xml_find(ans->body, "Code", c->arena);
	return str_eq(code, S("MessageNotFound")) || str_eq(code, S("PopReceiptMismatch")) ? 0 : judge(p, c, ans, e);
}

static int
acknowledge(struct pull *p, const str *receipts, size_t n, struct pull_call *c, struct err *e)
{
	assert(n == 1);
	(void)n;
	str receipt = receipts[0], id = str_cut(&receipt, ' ');
	const struct http_header query[] = { { S("popreceipt"), receipt } };
	c->answered = deleted;
	return call(p, c, "DELETE", arena_fmt(c->arena, "/%.*s", STR_ARG(sigv4_encode(c->arena, id, false))), query, 1, e);
}

/* ---- life -------------------------------------------------------------------------------------------------------------- */

/* The service does not wait for messages. */
static int64_t
idle_ns(struct pull *p)
{
	const struct azure_queue_storage_source *s = pull_config(p);
	return (s->wait_time_in_seconds ? s->wait_time_in_seconds : 1) * NS_PER_SEC;
}

static int
prepare(struct pull *p, struct pull_call *c, struct err *e)
{
	const struct azure_queue_storage_source *s = pull_config(p);
	return s->connection_string ? 0 : azure_login_prepare(p, RESOURCE, c, e);
}

static const struct pull_ops azure_ops = { .service = "Azure", .batch = 1, .most = MOST, .hidden_ns = HIDDEN_S * NS_PER_SEC, .prepare = prepare,
	.ask = ask, .acknowledge = acknowledge, .idle_ns = idle_ns, .free = azure_login_free };

static int
start(struct source *s, struct err *e)
{
	if (crypto_load(e) < 0)
		return -1;
	pull_start(s, &azure_ops, azure_login_new());
	return 0;
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct azure_queue_storage_source *c = source_config(s);
	const struct queue_message q = { .id = S(""), .text = c->decode_message ? base64_encode(a, body) : body };
	struct event *ev;
	if (make_event(c, &q, &ev, e) < 0)
		return -1;
	*out = pull_data(ev, a);
	return 0;
}

const struct source_ops source_azureQueueStorage = { .kind = "azureQueueStorage", .doc = "Messages of an Azure storage queue.",
	.schema = &azure_queue_storage_source_schema, .rolling = true, .start = start, .ack = pull_ack, .pause = pull_pause, .stop = pull_stop,
	.wrap = wrap, .describe = pull_describe };
