/* SPDX-License-Identifier: Apache-2.0 */
/* mns: messages of a queue of Alibaba's Message Service (spec events C17). */
#include "core/crypto.h"
#include "core/net/mns.h"
#include "core/net/sigv4.h"
#include "core/xml.h"
#include "sources/check.h"
#include "sources/message.h"
#include "sources/pull.h"
#include "sources/webhook_context.h"

enum {
	MOST = 16,                /* messages in a call, both ways */
	WAIT_S = 30,              /* that a call waits for messages: what the service allows */
	ANSWER_S = 20,            /* longer than that, for an answer */
	HIDDEN_S = 12 * 60 * 60,  /* the queue says how long; at most so long */
};

struct mns_source {
	struct secret_ref *access_key;
	str endpoint;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	str queue;
	struct secret_ref *secret_key;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct mns_source *s = obj;

	source_need(s->queue, in, c, "queue");
	source_need(s->endpoint, in, c, "endpoint");
	if (s->endpoint.n && !str_starts(s->endpoint, S("http://")) && !str_starts(s->endpoint, S("https://")))
		decode_error(c, in, "endpoint", "endpoint %.*s: must begin with http:// or https://", STR_ARG(s->endpoint));
}

static const struct schema mns_source_schema = { "MNSEventSource", "Messages of an Alibaba MNS queue.",
	sizeof(struct mns_source), (const struct field[]){
	FIELD_PTR(struct mns_source, access_key, "accessKey", 0, &secret_ref_schema, .doc = "Access key."),
	FIELD(struct mns_source, endpoint, "endpoint", 0, .doc = "URL of the service."),
	FIELD_PTR(struct mns_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct mns_source, json_body, "jsonBody", NOEFFECT, .hint = "the body of a message of mns is text, as in Argo Events",
		.doc = "The body is text in any case."),
	FIELD(struct mns_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct mns_source, queue, "queue", 0, .doc = "Name of the queue."),
	FIELD_PTR(struct mns_source, secret_key, "secretKey", 0, &secret_ref_schema, .doc = "Secret key."),
	FIELD_SRC(struct mns_source, src),
	{ 0 } }, check };

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

static int
call(struct pull *p, struct pull_call *c, const char *method, const char *query, str body, struct err *e)
{
	const struct mns_source *s = pull_config(p);
	struct mns_request r = { .endpoint = s->endpoint, .method = str_c(method), .body = body };
	if (pull_secret(p, s->access_key, c->arena, &r.access_key, e) < 0 || pull_secret(p, s->secret_key, c->arena, &r.secret_key, e) < 0)
		return -1;
	r.resource = arena_fmt(c->arena, "/queues/%.*s/messages%s", STR_ARG(sigv4_encode(c->arena, s->queue, false)), query);
	mns_call(&r, loop_now(source_loop(pull_source(p))), c->arena, &c->http);
	c->http.timeout_ms = (WAIT_S + ANSWER_S) * 1000;
	return 0;
}

static int
judge(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	return pull_judge(p, c, ans, http_xml_refusal(c->arena, ans->body), e);
}

/* ---- messages ---------------------------------------------------------------------------------------------------------- */

static int
make_event(const struct mns_source *s, str id, str body, struct event **out, struct err *e)
{
	struct message m;
	message_begin(&m);
	message_str(&m, "messageId", id);
	if (message_text_body(&m, "body", body, false, e) < 0) {
		message_drop(&m);
		return -1;
	}
	message_metadata(&m, &s->metadata);
	*out = message_end(&m);
	(*out)->dedup = arena_dup((*out)->arena, id);
	return 0;
}

static int
received(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	str id, receipt, body;
	const struct xml_field fields[] = { { "MessageId", &id }, { "ReceiptHandle", &receipt }, { "MessageBody", &body } };
	struct xml_reader x = { .text = ans->body };
	int rc;
	if (ans->status == 404 && str_eq(xml_find(ans->body, "Code", c->arena), S("MessageNotExist")))
		return 0; /* it has waited, and there is none */
	if (judge(p, c, ans, e) < 0)
		return -1;
	while ((rc = xml_record(&x, "Message", fields, ARRAY_LEN(fields), c->arena, e)) > 0) {
		struct event *ev;
		if (make_event(pull_config(p), id, body, &ev, e) < 0)
			return -1;
		pull_take(p, ev, receipt);
	}
	return rc < 0 ? err_wrap(e, "the answer of MNS") : 0;
}

static int
ask(struct pull *p, struct pull_call *c, struct err *e)
{
	c->answered = received;
	return call(p, c, "GET", arena_fmt(c->arena, "?numOfMessages=%d&waitseconds=%d", MOST, WAIT_S).p, STR_NONE, e);
}

/* Receipts that are out of date come as 404 with a list of them: those messages come again, and are known. */
static int
deleted(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	bool each = ans->status == 404 && xml_find(ans->body, "ErrorCode", c->arena).p;
	return each ? 0 : judge(p, c, ans, e);
}

static int
acknowledge(struct pull *p, const str *receipts, size_t n, struct pull_call *c, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ReceiptHandles xmlns=\"http://mns.aliyuncs.com/doc/v1/\">"));
	for (size_t i = 0; i < n; i++) {
		buf_add(&b, S("<ReceiptHandle>"));
		xml_escape(&b, receipts[i]);
		buf_add(&b, S("</ReceiptHandle>"));
	}
	buf_add(&b, S("</ReceiptHandles>"));
	c->answered = deleted;
	return call(p, c, "DELETE", "", arena_dup(c->arena, buf_str(&b)), e);
}

/* ---- life -------------------------------------------------------------------------------------------------------------- */

static const struct pull_ops mns_ops = { .service = "MNS", .batch = MOST, .most = MOST, .hidden_ns = HIDDEN_S * NS_PER_SEC, .ask = ask,
	.acknowledge = acknowledge };

static int
start(struct source *s, struct err *e)
{
	const struct mns_source *c = source_config(s);
	if (!c->access_key || !c->secret_key)
		return err_set(e, ERR_INVALID, "accessKey and secretKey must be given"); /* lint has no word for it, as in Argo */
	if (crypto_load(e) < 0)
		return -1;
	pull_start(s, &mns_ops, NULL);
	return 0;
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct event *ev;
	if (make_event(source_config(s), S(""), body, &ev, e) < 0)
		return -1;
	*out = pull_data(ev, a);
	return 0;
}

const struct source_ops source_mns = { .kind = "mns", .doc = "Messages of an Alibaba MNS queue.", .schema = &mns_source_schema, .rolling = true,
	.start = start, .ack = pull_ack, .pause = pull_pause, .stop = pull_stop, .wrap = wrap, .describe = pull_describe };
