/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pubSub: messages of Google Pub/Sub (spec events C13), by its gRPC interface: unary calls, whose messages are written and read field by field
 * (google/pubsub/v1/pubsub.proto). PUBSUB_EMULATOR_HOST is the emulator, which needs no token.
 */
#include "core/crypto.h"
#include "core/lang/gotime.h"
#include "core/net/grpc.h"
#include "sources/check.h"
#include "sources/message.h"
#include "sources/pub_sub.h"

enum {
	MOST = 250,         /* messages in an answer */
	ACKNOWLEDGED = 500, /* in one call: a request may have 512 KiB */
	HIDDEN_S = 600      /* the subscription says how long; at most so long */
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct pub_sub_source *s = obj;

	if (s->topic_project_id.n && !s->topic.n)
		decode_error(c, in, "topicProjectID", "you need to specify topic if you want to specify "
			"topicProjectID");
	if (!s->topic.n && !s->subscription_id.n)
		decode_error(c, in, NULL, "must specify topic or subscriptionID");
}

static const struct schema pub_sub_source_schema = { "PubSubEventSource", "Messages of Google Pub/Sub.",
	sizeof(struct pub_sub_source), (const struct field[]){
	FIELD_PTR(struct pub_sub_source, credential_secret, "credentialSecret", 0, &secret_ref_schema,
		
		.doc = "JSON key of a service account; without it the machine's own account, from its metadata server."),
	FIELD(struct pub_sub_source, delete_subscription_on_finish, "deleteSubscriptionOnFinish", 0,
		
		.doc = "Delete the subscription when the source is removed or changed, but not when the daemon stops."),
	FIELD_PTR(struct pub_sub_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct pub_sub_source, json_body, "jsonBody", 0,
		.doc = "Whether payloads are JSON and go into the data as such; else they go in as base64."),
	FIELD(struct pub_sub_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct pub_sub_source, project_id, "projectID", 0, .doc = "Project of the subscription; else that of the machine, from its metadata server."),
	FIELD(struct pub_sub_source, subscription_id, "subscriptionID", 0, 
		.doc = "Subscription; the default is the entry's name with a hash of its configuration. It is made if it is not there, and there is a topic."),
	FIELD(struct pub_sub_source, topic, "topic", 0, .doc = "Topic of the subscription; made if it is not there."),
	FIELD(struct pub_sub_source, topic_project_id, "topicProjectID", 0, .doc = "Project of the topic, if it is another."),
	FIELD_SRC(struct pub_sub_source, src),
	{ 0 } }, check };

/* ---- messages ------------------------------------------------------------------------------------------------------------- */

struct pub_sub_message {
	str id, data;
	int64_t seconds, nanos;
	struct val_map attributes;
};

static int
read_time(struct pub_sub_message *m, str text, struct err *e)
{
	struct proto_field f;
	int rc;
	while ((rc = proto_next(&text, &f, e)) > 0) {
		if (f.number == 1)
			m->seconds = (int64_t)f.integer;
		if (f.number == 2)
			m->nanos = (int64_t)f.integer;
	}
	return rc;
}

static int
read_attribute(struct pub_sub_message *m, str text, struct err *e)
{
	struct proto_field f;
	str key = S(""), value = S("");
	int rc;
	while ((rc = proto_next(&text, &f, e)) > 0) {
		if (f.number == 1)
			key = f.bytes;
		if (f.number == 2)
			value = f.bytes;
	}
	val_map_add(&m->attributes, key, val_str(value));
	return rc;
}

static int
read_message(struct pub_sub_message *m, str text, struct err *e)
{
	struct proto_field f;
	int rc;
	while ((rc = proto_next(&text, &f, e)) > 0) {
		if (f.number == 1)
			m->data = f.bytes;
		if (f.number == 3)
			m->id = f.bytes;
		if ((f.number == 2 && read_attribute(m, f.bytes, e) < 0) || (f.number == 4 && read_time(m, f.bytes, e) < 0))
			return -1;
	}
	return rc;
}

static str
attributes_json(struct val_map *attributes, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct val v = val_map_end(attributes, a);
	if (!v.n)
		return S("null");
	json_write_opts(&b, &v, JSON_SORT | JSON_HTML);
	return arena_dup(a, buf_str(&b));
}

static str
go_time(const struct pub_sub_message *in, struct arena *a)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	bool sane = in->nanos >= 0 && in->nanos < NS_PER_SEC && in->seconds > -62135596800 && in->seconds < 253402300800;
	go_time_format_at(&b, sane ? in->seconds : 0, sane ? (int32_t)in->nanos : 0, S("2006-01-02 15:04:05.999999999 -0700 MST"), 0, S("UTC"));
	return arena_dup(a, buf_str(&b));
}

static int
make_event(const struct pub_sub_source *s, struct pub_sub_message *in, struct event **out, struct err *e)
{
	struct message m;
	message_begin(&m);
	message_str(&m, "id", in->id);
	if (!in->data.n && !s->json_body) {
		message_raw(&m, "body", S("null")); /* Go's nil */
	} else if (message_body(&m, "body", in->data, s->json_body, e) < 0) {
		message_drop(&m);
		return -1;
	}
	message_raw(&m, "attributes", attributes_json(&in->attributes, m.ev->arena));
	message_str(&m, "publishTime", go_time(in, m.ev->arena));
	message_metadata(&m, &s->metadata);
	*out = message_end(&m);
	(*out)->dedup = arena_dup((*out)->arena, in->id);
	return 0;
}

static int
take(struct pull *p, str text, struct err *e)
{
	struct pub_sub_message m = { .id = S(""), .data = S("") };
	struct proto_field f;
	struct event *ev;
	struct err why;
	str receipt = S(""), message = S("");
	int rc;
	while ((rc = proto_next(&text, &f, e)) > 0) {
		if (f.number == 1)
			receipt = f.bytes;
		if (f.number == 2)
			message = f.bytes;
	}
	rc = rc < 0 ? -1 : read_message(&m, message, e);
	if (rc == 0 && make_event(pull_config(p), &m, &ev, &why) == 0)
		pull_take(p, ev, receipt);
	else if (rc == 0)
		pull_refuse(p, receipt, PULL_LEAVE, &why);
	VEC_FREE(&m.attributes.v);
	return rc;
}

static int
pulled(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	const struct pub_sub_source *s = pull_config(p);
	struct pub_sub *q = pull_own(p);
	struct proto_field f;
	str message;
	int status, rc = pub_sub_answer(p, c, ans, &message, &status, e);
	if (rc < 0 && status == PUB_SUB_DEADLINE_EXCEEDED)
		return 0; /* it has waited, and there is none */
	if (rc < 0 && status == PUB_SUB_NOT_FOUND && s->topic.n)
		q->stage = PUB_SUB_CHECK;
	if (rc < 0)
		return status == PUB_SUB_NOT_FOUND && !s->topic.n ? err_wrap(e, "there is no such subscription, and no topic is given to make one of") : -1;
	while ((rc = proto_next(&message, &f, e)) > 0)
		if (f.number == 1 && take(p, f.bytes, e) < 0)
			return -1;
	return rc;
}

static int
ask(struct pull *p, struct pull_call *c, struct err *e UNUSED)
{
	const struct pub_sub *q = pull_own(p);
	struct buf b CLEANUP(free_buf) = { 0 };
	proto_add(&b, 1, q->subscription);
	proto_add_int(&b, 3, MOST);
	c->answered = pulled;
	pub_sub_call(p, c, "Subscriber/Pull", &b);
	return 0;
}

/* ---- acknowledgements ------------------------------------------------------------------------------------------------------ */

static int
done(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	str message;
	int status;
	return pub_sub_answer(p, c, ans, &message, &status, e);
}

static int
acknowledge(struct pull *p, const str *receipts, size_t n, struct pull_call *c, struct err *e UNUSED)
{
	const struct pub_sub *q = pull_own(p);
	struct buf b CLEANUP(free_buf) = { 0 };
	proto_add(&b, 1, q->subscription);
	for (size_t i = 0; i < n; i++)
		proto_add(&b, 2, receipts[i]);
	c->answered = done;
	pub_sub_call(p, c, "Subscriber/Acknowledge", &b);
	return 0;
}

/* A deadline of 0, which proto3 leaves out, is now. */
static int
release(struct pull *p, const str *receipts, size_t n, struct pull_call *c, struct err *e UNUSED)
{
	const struct pub_sub *q = pull_own(p);
	struct buf b CLEANUP(free_buf) = { 0 };
	proto_add(&b, 1, q->subscription);
	for (size_t i = 0; i < n; i++)
		proto_add(&b, 4, receipts[i]);
	c->answered = done;
	pub_sub_call(p, c, "Subscriber/ModifyAckDeadline", &b);
	return 0;
}

static int
finish(struct pull *p, struct pull_call *c, struct err *e UNUSED)
{
	const struct pub_sub_source *s = pull_config(p);
	const struct pub_sub *q = pull_own(p);
	struct buf b CLEANUP(free_buf) = { 0 };
	if (!s->delete_subscription_on_finish || q->stage != PUB_SUB_READY)
		return 0;
	proto_add(&b, 1, q->subscription);
	c->answered = done;
	return pub_sub_call(p, c, "Subscriber/DeleteSubscription", &b);
}

/* ---- life -------------------------------------------------------------------------------------------------------------- */

static void
free_own(void *own)
{
	struct pub_sub *q = own;
	arena_free(q->arena);
	oauth_token_free(&q->token);
	free(q);
}

static const struct pull_ops pub_sub_ops = { .service = "Pub/Sub", .batch = ACKNOWLEDGED, .most = MOST, .hidden_ns = HIDDEN_S * NS_PER_SEC,
	.prepare = pub_sub_prepare, .ask = ask, .acknowledge = acknowledge, .release = release, .finish = finish, .free = free_own };

static int
start(struct source *s, struct err *e)
{
	const struct pub_sub_source *c = source_config(s);
	struct pub_sub *q;
	if (crypto_load(e) < 0)
		return -1;
	q = MEM_NEW(struct pub_sub);
	q->arena = arena_new();
	pull_start(s, &pub_sub_ops, q);
	if (c->project_id.n)
		pub_sub_set_project(source_data(s), c->project_id);
	return 0;
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct pub_sub_message m = { .id = S(""), .data = body, .seconds = loop_now(source_loop(s)) / NS_PER_SEC };
	struct event *ev;
	if (make_event(source_config(s), &m, &ev, e) < 0)
		return -1;
	*out = pull_data(ev, a);
	return 0;
}

const struct source_ops source_pubSub = { .kind = "pubSub", .type = "pubsub", .doc = "Messages of Google Pub/Sub.", .schema = &pub_sub_source_schema,
	.start = start, .ack = pull_ack, .pause = pull_pause, .stop = pull_stop, .wrap = wrap, .describe = pull_describe };
