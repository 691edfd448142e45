/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sns: messages of an AWS SNS topic (spec events B8): {"header":{...},"body":{...},"metadata":{...}}, known by their MessageId. The endpoint
 * subscribes itself and confirms. validateSignature works (Argo's refuses what is genuine): the certificate is fetched from SNS by HTTPS,
 * once, while the message waits. What is of another topic, or older than SNS goes on trying, is refused.
 */
#include "sources/s3_event.h"
#include "sources/sns.h"

#include "core/base64.h"
#include "core/rsa.h"
#include "sources/check.h"
#include "sources/go_json.h"
#include "sources/sns_message.h"


static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct sns_source *s = obj;

	source_need(s->topic_arn, in, c, "topicArn");
	source_need(s->region, in, c, "region");
	webhook_context_required(s->common.webhook, in, c);
	if (!s->access_key != !s->secret_key)
		decode_error(c, in, s->access_key ? "accessKey" : "secretKey", "both accessKey and secretKey are needed");
	if (!s->validate_signature)
		decode_warn(c, in, NULL, "without validateSignature anybody who reaches the port can send events");
}

static const struct schema sns_source_schema = { "SNSEventSource", "Messages of an AWS SNS topic.",
	sizeof(struct sns_source), (const struct field[]){
	FIELD_PTR(struct sns_source, access_key, "accessKey", 0, &secret_ref_schema, .doc = "Access key."),
	FIELD(struct sns_source, endpoint, "endpoint", 0, .doc = "URL of the service, if it is not AWS."),
	FIELD_PTR(struct sns_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD_PTR(struct sns_source, s3_events, "s3Events", 0, &s3_events_schema,
		.doc = "Messages are notifications of S3, and become events as those of minio. Ours."),
	FIELD(struct sns_source, common.metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct sns_source, region, "region", 0, .doc = "Region of the topic."),
	FIELD(struct sns_source, role_arn, "roleARN", 0, .doc = "Role to take on."),
	FIELD_PTR(struct sns_source, secret_key, "secretKey", 0, &secret_ref_schema, .doc = "Secret key."),
	FIELD(struct sns_source, topic_arn, "topicArn", 0, .doc = "ARN of the topic."),
	FIELD(struct sns_source, validate_signature, "validateSignature", 0,
		.doc = "Check the signature of each message."),
	FIELD_PTR(struct sns_source, common.webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct sns_source, src),
	{ 0 } }, check };

/* What runs, beside what all signed kinds have. */
enum { CERTIFICATES = 8, CERTIFICATE_MAX = 64 * 1024, TOKEN_MAX = 4096 };
struct sns {
	struct {
		str url, pem; /* own */
	} certificates[CERTIFICATES];
	size_t next; /* to be overwritten */
};

/* ---- a message that is genuine --------------------------------------------------------------------------------- */

static void
emit(struct source *s, struct http_req *r, const struct sns_message *m)
{
	struct buf data CLEANUP(free_buf) = { 0 };
	(void)buf_room(&data, http_req_body(r).n + 1024); /* mostly enough: the buffer need not grow */
	buf_add(&data, S("{\"header\":"));
	webhook_headers_json(&data, r);
	buf_add(&data, S(",\"body\":"));
	go_json_compact(&data, http_req_body(r));
	signed_close(&data, s);
	webhook_emit(s, signed_route(s), r, buf_str(&data), m->id);
}

/* What SNS says of the subscription is no event. A confirmation goes its own way, and is tried again like all that is registered. */
static void
take(struct source *s, struct http_req *r, const struct sns_message *m)
{
	if (m->type == SNS_NOTIFICATION) {
		emit(s, r, m);
		return;
	}
	if (m->type == SNS_SUBSCRIPTION && (!m->token.n || m->token.n > TOKEN_MAX)) {
		webhook_refuse(s, r, S("bad request, not a token of SNS"));
		return;
	}
	if (m->type == SNS_SUBSCRIPTION)
		sns_confirm(s, m->token);
	webhook_text(r, 200, S("success"));
}

/* ---- the signature -------------------------------------------------------------------------------------------- */

/* SNS goes on trying for an hour at most; the rest is for clocks that differ. */
#define TRIED_FOR (3600 * NS_PER_SEC)
#define CLOCKS_DIFFER (300 * NS_PER_SEC)

static bool
is_fresh(const struct sns_message *m, int64_t now)
{
	struct err e;
	int64_t at;
	return time_parse_rfc3339(m->timestamp, &at, &e) == 0 && at >= now - TRIED_FOR - CLOCKS_DIFFER && at <= now + CLOCKS_DIFFER;
}

static int
verify(const struct sns_message *m, str pem, int64_t now, struct arena *a, struct err *e)
{
	const char *hash = sns_message_hash(m);
	str signature;
	if (!hash)
		return err_set(e, ERR_DENIED, "SignatureVersion \"%.*s\" is not known", STR_ARG(str_slice(m->version, 0, 20)));
	if (base64_decode(a, m->signature, &signature, e) < 0)
		return err_wrap(e, "failed to base64 decode signature");
	if (rsa_verify(pem, hash, sns_message_text(m, a), signature, now, e) < 0)
		return err_wrap(e, "message signature check error");
	return 0;
}

static bool
is_genuine(struct source *s, struct http_req *r, const struct sns_message *m, str pem)
{
	struct err e = { 0 };
	if (verify(m, pem, loop_now(source_loop(s)), http_req_arena(r), &e) == 0)
		return true;
	webhook_refuse(s, r, str_c(e.msg));
	return false;
}

static const str *
find_certificate(const struct sns *own, str url)
{
	for (size_t i = 0; i < CERTIFICATES; i++)
		if (own->certificates[i].url.p && str_eq(own->certificates[i].url, url))
			return &own->certificates[i].pem;
	return NULL;
}

static void
keep_certificate(struct sns *own, str url, str pem)
{
	size_t i = own->next++ % CERTIFICATES;
	str_disown(own->certificates[i].url);
	str_disown(own->certificates[i].pem);
	own->certificates[i].url = str_own(url);
	own->certificates[i].pem = str_own(pem);
}

/* The certificate is kept once something that is genuine came with it. */
static void
fetched(struct source *s, struct http_req *r, void *arg, const struct http_answer *answer, const struct err *error)
{
	const struct sns_message *m = arg;
	struct arena *a = http_req_arena(r);
	if (!answer || answer->status != 200) {
		source_count_failure(s);
		webhook_text(r, 503, answer ? arena_fmt(a, "failed to fetch signing cert: status %d", answer->status)
		                            : arena_fmt(a, "failed to fetch signing cert: %s", error->msg));
		return;
	}
	if (!is_genuine(s, r, m, answer->body))
		return;
	if (!find_certificate(signed_data(s), m->certificate_url))
		keep_certificate(signed_data(s), m->certificate_url, answer->body);
	take(s, r, m);
}

static void
validate(struct source *s, struct http_req *r, const struct sns_message *m)
{
	const struct sns_source *c = source_config(s);
	struct err e = { 0 };
	if (sns_certificate_url(m->certificate_url, c->endpoint, &e) < 0) {
		webhook_refuse(s, r, str_c(e.msg));
		return;
	}
	if (!is_fresh(m, loop_now(source_loop(s)))) {
		webhook_refuse(s, r, S("the message is too old or too new"));
		return;
	}
	const str *pem = find_certificate(signed_data(s), m->certificate_url);
	if (pem) {
		if (is_genuine(s, r, m, *pem))
			take(s, r, m);
		return;
	}
	struct http_call call = { .method = S("GET"), .url = m->certificate_url, .timeout_ms = 10000, .max_response = CERTIFICATE_MAX };
	struct sns_message *waiting = ARENA_NEW(http_req_arena(r), struct sns_message);
	*waiting = *m;
	signed_ask(s, r, &call, fetched, waiting);
}

static void
handle(struct source *s, struct http_req *r)
{
	const struct sns_source *c = source_config(s);
	struct sns_message m;
	struct err e = { 0 };
	if (!signed_size_ok(s, r))
		return;
	if (sns_message_read(http_req_body(r), http_req_arena(r), &m, &e) < 0)
		webhook_refuse(s, r, str_c(e.msg));
	else if (!str_eq(m.topic, c->topic_arn))
		webhook_refuse(s, r, S("the message is of another topic"));
	else if (c->validate_signature)
		validate(s, r, &m);
	else
		take(s, r, &m);
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct sns_message m;
	struct buf b CLEANUP(free_buf) = { 0 };
	if (sns_message_read(body, a, &m, e) < 0)
		return -1;
	buf_add(&b, S("{\"header\":{\"Content-Type\":[\"text/plain; charset=UTF-8\"]},\"body\":"));
	go_json_compact(&b, body);
	signed_close(&b, s);
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static bool
registers(const struct source *s UNUSED)
{
	return true; /* what others have subscribed is confirmed, too */
}

static const struct signed_kind sns = { .handle = handle, .hooks = &sns_hooks, .registers = registers };

static int
start(struct source *s, struct err *e)
{
	if (signed_start(s, &sns, 0, e) < 0)
		return -1;
	signed_set_data(s, MEM_NEW(struct sns));
	return 0;
}

static void
stop(struct source *s)
{
	struct sns *own = signed_data(s);
	for (size_t i = 0; i < CERTIFICATES; i++) {
		str_disown(own->certificates[i].url);
		str_disown(own->certificates[i].pem);
	}
	signed_stop(s);
	free(own);
}

const struct source_ops source_sns = { .kind = "sns", .doc = "Messages of an AWS SNS topic.", .schema = &sns_source_schema,
	.rolling = true, .start = start, .ack = webhook_ack, .stop = stop, .wrap = wrap };
