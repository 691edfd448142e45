/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqs: messages of a queue of AWS SQS, or of what speaks like it, by its JSON protocol (spec events C12). A call is signed
 * (core/net/sigv4.h) with the keys of the manifest, or of the environment, or of the role that these may take on.
 */
#include <stdlib.h>

#include "core/crypto.h"
#include "core/net/sts.h"
#include "sources/check.h"
#include "sources/message.h"
#include "sources/pull.h"
#include "sources/s3_event.h"
#include "sources/webhook_context.h"

enum { MOST = 10 /* messages in a call, both ways */, HIDDEN_S = 120, WAIT_S = 3, ANSWER_S = 20 /* longer than it waits, for an answer */ };

struct sqs_source {
	struct secret_ref *access_key;
	bool dlq;
	str endpoint;
	struct source_filter *filter;
	struct s3_events *s3_events;
	bool json_body;
	struct kvs metadata;
	str queue;
	str queue_account_id;
	str region;
	str role_arn;
	struct secret_ref *secret_key;
	struct secret_ref *session_token;
	int64_t wait_time_seconds;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct sqs_source *s = obj;

	source_need(s->region, in, c, "region");
	source_need(s->queue, in, c, "queue");
	if (!s->access_key != !s->secret_key)
		decode_error(c, in, NULL, "accessKey and secretKey go together: give both, or neither for those of the environment");
	if (s->endpoint.n && !str_starts(s->endpoint, S("http://")) && !str_starts(s->endpoint, S("https://")))
		decode_error(c, in, "endpoint", "endpoint %.*s: must begin with http:// or https://", STR_ARG(s->endpoint));
}

static const struct schema sqs_source_schema = { "SQSEventSource", "Messages of an AWS SQS queue.",
	sizeof(struct sqs_source), (const struct field[]){
	FIELD_PTR(struct sqs_source, access_key, "accessKey", 0, &secret_ref_schema, .doc = "Access key; without one, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the daemon's environment."),
	FIELD(struct sqs_source, dlq, "dlq", 0, 
		.doc = "With jsonBody: leave a message that is no JSON in the queue, so that its redrive policy moves it; else it is deleted."),
	FIELD(struct sqs_source, endpoint, "endpoint", 0, .doc = "URL of the service, if it is not AWS."),
	FIELD_PTR(struct sqs_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD_PTR(struct sqs_source, s3_events, "s3Events", 0, &s3_events_schema,
		.doc = "Messages are notifications of S3, and become events as those of minio. Ours."),
	FIELD(struct sqs_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct sqs_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct sqs_source, queue, "queue", 0, .doc = "Name of the queue."),
	FIELD(struct sqs_source, queue_account_id, "queueAccountId", 0, .doc = "Account that owns the queue."),
	FIELD(struct sqs_source, region, "region", 0, .doc = "Region of the queue."),
	FIELD(struct sqs_source, role_arn, "roleARN", 0, 
		.doc = "Role to take on: the keys ask STS for keys of the role, at AWS_ENDPOINT_URL_STS if the daemon's environment has that."),
	FIELD_PTR(struct sqs_source, secret_key, "secretKey", 0, &secret_ref_schema, .doc = "Secret key."),
	FIELD_PTR(struct sqs_source, session_token, "sessionToken", 0, &secret_ref_schema, .doc = "Session token."),
	FIELD(struct sqs_source, wait_time_seconds, "waitTimeSeconds", 0, .dflt = "3", .min = 0, .max = 20,
		.doc = "Seconds that a call waits for messages; 0 is 3."),
	FIELD_SRC(struct sqs_source, src),
	{ 0 } }, check };

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

/* What runs. */
struct sqs {
	struct arena *arena; /* of what follows; made anew with it */
	str url;             /* of the queue; absent: not looked up yet */
	struct arena *role_arena;
	struct sigv4_keys role;
	int64_t role_until_ns; /* 0: there are no keys of the role */
};

static int
own_keys(struct pull *p, struct arena *a, struct sigv4_keys *out, struct err *e)
{
	const struct sqs_source *s = pull_config(p);
	if (!s->access_key)
		return sigv4_keys_around(out) ? 0 : err_set(e, ERR_INVALID, "accessKey and secretKey are not given, nor are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
	return pull_secret(p, s->access_key, a, &out->access_key, e) < 0 || pull_secret(p, s->secret_key, a, &out->secret_key, e) < 0 ||
	                       pull_secret(p, s->session_token, a, &out->session_token, e) < 0
	               ? -1
	               : 0;
}

static int
keys(struct pull *p, struct arena *a, struct sigv4_keys *out, struct err *e)
{
	const struct sqs_source *s = pull_config(p);
	const struct sqs *q = pull_own(p);
	if (!s->role_arn.n)
		return own_keys(p, a, out, e);
	*out = q->role;
	return 0;
}

/* A call of `action` with the members of `body`. */
static int
call(struct pull *p, struct pull_call *c, const char *action, struct val_map *body, struct err *e)
{
	const struct sqs_source *s = pull_config(p);
	struct arena *a = c->arena;
	const struct http_header headers[] = { { S("Content-Type"), S("application/x-amz-json-1.0") },
		                               { S("X-Amz-Target"), arena_fmt(a, "AmazonSQS.%s", action) } };
	struct val v = val_map_end(body, a);
	struct sigv4_keys k = { 0 };
	str base = sigv4_endpoint(a, s->endpoint, "sqs", s->region);
	size_t slash = str_find_char(sigv4_host(base), '/', 0);
	struct sigv4_request r = { .method = S("POST"), .host = str_slice(sigv4_host(base), 0, slash), .headers = headers, .headers_n = ARRAY_LEN(headers),
		                   .body = json_write(a, &v), .region = s->region, .service = S("sqs") };
	if (keys(p, a, &k, e) < 0)
		return -1;
	r.path = slash == SIZE_MAX ? S("/") : arena_fmt(a, "%.*s/", STR_ARG(str_slice(sigv4_host(base), slash, base.n)));
	c->http.method = r.method;
	c->http.url = arena_fmt(a, "%.*s/", STR_ARG(base));
	c->http.body = r.body;
	c->http.timeout_ms = (s->wait_time_seconds + ANSWER_S) * 1000;
	c->http.headers = sigv4_sign(&r, &k, loop_now(source_loop(pull_source(p))), a, &c->http.headers_n);
	return 0;
}

/* The members of a good answer; else the error, and what it says of the queue's URL and of the keys is believed. */
static int
read_answer(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct val *out, struct err *e)
{
	struct sqs *q = pull_own(p);
	struct arena *a = c->arena;
	if (json_read(a, ans->body, out, e) < 0) {
		*out = val_null();
		if (ans->status < 300)
			return err_wrap(e, "the answer of SQS");
	}
	if (ans->status < 300)
		return 0;
	str type = val_get_str(out, "__type"), message = val_get_str(out, "message");
	size_t hash = str_find_char(type, '#', 0);
	type = hash == SIZE_MAX ? type : str_slice(type, hash + 1, type.n);
	if (str_find(type, S("NonExistentQueue"), 0) != SIZE_MAX || str_find(type, S("QueueDoesNotExist"), 0) != SIZE_MAX)
		q->url = STR_NONE;
	if (ans->status == 403 || str_find(type, S("Token"), 0) != SIZE_MAX)
		q->role_until_ns = 0;
	message = message.p ? message : val_get_str(out, "Message");
	return pull_judge(p, c, ans, type.n ? arena_fmt(a, "%.*s: %.*s", STR_ARG(type), STR_ARG(message)) : STR_NONE, e);
}

/* ---- before anything is asked ------------------------------------------------------------------------------------------ */

static int
role_taken(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct sqs *q = pull_own(p);
	if (ans->status >= 300) {
		str why = http_xml_refusal(c->arena, ans->body);
		(void)!pull_judge(p, c, ans, why, e);
		return err_wrap(e, "STS, for the keys of the role");
	}
	arena_free(q->role_arena);
	q->role_arena = arena_new();
	q->role_until_ns = 0;
	return sts_read_keys(ans->body, q->role_arena, &q->role, &q->role_until_ns, e);
}

static int
take_role(struct pull *p, struct pull_call *c, struct err *e)
{
	const struct sqs_source *s = pull_config(p);
	const struct sts_role role = { .arn = s->role_arn, .session = S("tidegate"), .region = s->region, .endpoint = str_c(getenv("AWS_ENDPOINT_URL_STS")) };
	struct sigv4_keys own = { 0 };
	if (own_keys(p, c->arena, &own, e) < 0)
		return -1;
	sts_assume_role(&role, &own, loop_now(source_loop(pull_source(p))), c->arena, &c->http);
	c->answered = role_taken;
	return 1;
}

static int
queue_found(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct sqs *q = pull_own(p);
	struct val answer;
	if (read_answer(p, c, ans, &answer, e) < 0)
		return -1;
	str url = val_get_str(&answer, "QueueUrl");
	if (!url.n)
		return err_set(e, ERR_INVALID, "the answer of SQS has no QueueUrl");
	arena_free(q->arena);
	q->arena = arena_new();
	q->url = arena_dup(q->arena, url);
	return 0;
}

static int
prepare(struct pull *p, struct pull_call *c, struct err *e)
{
	const struct sqs_source *s = pull_config(p);
	const struct sqs *q = pull_own(p);
	struct val_map body = { 0 };
	if (s->role_arn.n && loop_now(source_loop(pull_source(p))) >= q->role_until_ns - STS_EARLY)
		return take_role(p, c, e);
	if (q->url.p)
		return 0;
	val_map_add(&body, S("QueueName"), val_str(s->queue));
	val_map_add_str(&body, S("QueueOwnerAWSAccountId"), s->queue_account_id);
	c->answered = queue_found;
	return call(p, c, "GetQueueUrl", &body, e) < 0 ? -1 : 1;
}

/* ---- messages ---------------------------------------------------------------------------------------------------------- */

/* The attributes as Go prints the type of the SDK: every member, in order of names. */
static str
attributes_json(struct arena *a, const struct val *attributes)
{
	static const char *const members[] = { "BinaryListValues", "BinaryValue", "DataType", "StringListValues", "StringValue" };
	struct val_map all = { 0 };
	struct buf b CLEANUP(free_buf) = { 0 };
	if (!attributes || attributes->kind != VAL_MAP || !attributes->n)
		return S("null");
	for (uint32_t i = 0; i < attributes->n; i++) {
		struct val_map one = { 0 };
		for (size_t k = 0; k < ARRAY_LEN(members); k++) {
			const struct val *v = val_get(&attributes->members[i].value, str_c(members[k]));
			val_map_add(&one, str_c(members[k]), val_is(v, VAL_STR) ? *v : val_null());
		}
		val_map_add(&all, val_key(&attributes->members[i]), val_map_end(&one, a));
	}
	struct val v = val_map_end(&all, a);
	json_write_opts(&b, &v, JSON_SORT | JSON_HTML);
	return arena_dup(a, buf_str(&b));
}

static int
make_event(const struct sqs_source *s, str id, const struct val *attributes, str body, struct event **out, struct err *e)
{
	struct message m;
	message_begin(&m);
	message_str(&m, "messageId", id);
	message_raw(&m, "messageAttributes", attributes_json(m.ev->arena, attributes));
	if (message_body(&m, "body", body, s->json_body, e) < 0) {
		message_drop(&m);
		return -1;
	}
	message_metadata(&m, &s->metadata);
	*out = message_end(&m);
	(*out)->dedup = arena_dup((*out)->arena, id);
	return 0;
}

static void
take(struct pull *p, const struct val *message)
{
	const struct sqs_source *s = pull_config(p);
	str receipt = val_get_str(message, "ReceiptHandle");
	struct event *ev;
	struct err e = { 0 };
	if (make_event(s, val_get_str(message, "MessageId"), val_get(message, S("MessageAttributes")), val_get_str(message, "Body"), &ev, &e) == 0)
		pull_take(p, ev, receipt);
	else
		pull_refuse(p, receipt, s->dlq ? PULL_LEAVE : PULL_DELETE, &e);
}

static int
received(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct val answer;
	if (read_answer(p, c, ans, &answer, e) < 0)
		return -1;
	const struct val *messages = val_get(&answer, S("Messages"));
	for (size_t i = 0; val_at(messages, i); i++)
		take(p, val_at(messages, i));
	return 0;
}

static int
ask(struct pull *p, struct pull_call *c, struct err *e)
{
	const struct sqs_source *s = pull_config(p);
	const struct sqs *q = pull_own(p);
	struct val_map body = { 0 };
	struct val_list names = { 0 };
	val_list_add(&names, val_str(S("All")));
	val_map_add(&body, S("QueueUrl"), val_str(q->url));
	val_map_add(&body, S("MaxNumberOfMessages"), val_int(MOST));
	val_map_add(&body, S("VisibilityTimeout"), val_int(HIDDEN_S));
	val_map_add(&body, S("WaitTimeSeconds"), val_int(s->wait_time_seconds ? s->wait_time_seconds : WAIT_S));
	val_map_add(&body, S("MessageAttributeNames"), val_list_end(&names, c->arena));
	c->answered = received;
	return call(p, c, "ReceiveMessage", &body, e);
}

/* ---- acknowledgements -------------------------------------------------------------------------------------------------- */

/* Some may fail, for a receipt that is out of date: those messages come again, and are known. */
static int
settled(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct val answer;
	return read_answer(p, c, ans, &answer, e);
}

static int
settle(struct pull *p, const char *action, const str *receipts, size_t n, bool release, struct pull_call *c, struct err *e)
{
	const struct sqs *q = pull_own(p);
	struct val_map body = { 0 };
	struct val_list entries = { 0 };
	for (size_t i = 0; i < n; i++) {
		struct val_map entry = { 0 };
		val_map_add(&entry, S("Id"), val_str(arena_fmt(c->arena, "%zu", i)));
		val_map_add(&entry, S("ReceiptHandle"), val_str(receipts[i]));
		if (release)
			val_map_add(&entry, S("VisibilityTimeout"), val_int(0));
		val_list_add(&entries, val_map_end(&entry, c->arena));
	}
	val_map_add(&body, S("QueueUrl"), val_str(q->url));
	val_map_add(&body, S("Entries"), val_list_end(&entries, c->arena));
	c->answered = settled;
	return call(p, c, action, &body, e);
}

static int
acknowledge(struct pull *p, const str *receipts, size_t n, struct pull_call *c, struct err *e)
{
	return settle(p, "DeleteMessageBatch", receipts, n, false, c, e);
}

static int
release(struct pull *p, const str *receipts, size_t n, struct pull_call *c, struct err *e)
{
	return settle(p, "ChangeMessageVisibilityBatch", receipts, n, true, c, e);
}

/* ---- life -------------------------------------------------------------------------------------------------------------- */

static void
free_own(void *own)
{
	struct sqs *q = own;
	arena_free(q->arena);
	arena_free(q->role_arena);
	free(q);
}

static const struct pull_ops sqs_ops = { .service = "SQS", .batch = MOST, .most = MOST, .hidden_ns = HIDDEN_S * NS_PER_SEC, .prepare = prepare,
	.ask = ask, .acknowledge = acknowledge, .release = release, .free = free_own };

static int
start(struct source *s, struct err *e)
{
	if (crypto_load(e) < 0)
		return -1;
	pull_start(s, &sqs_ops, MEM_NEW(struct sqs));
	return 0;
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct event *ev;
	if (make_event(source_config(s), S(""), NULL, body, &ev, e) < 0)
		return -1;
	*out = pull_data(ev, a);
	return 0;
}

const struct source_ops source_sqs = { .kind = "sqs", .doc = "Messages of an AWS SQS queue.", .schema = &sqs_source_schema, .rolling = true,
	.start = start, .ack = pull_ack, .pause = pull_pause, .stop = pull_stop, .wrap = wrap, .describe = pull_describe };
