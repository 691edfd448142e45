/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/net/gcp.h"
#include "core/net/grpc.h"
#include "core/net/sigv4.h"
#include "sources/pub_sub.h"
#include "sources/webhook_server.h"

#define SCOPE S("https://www.googleapis.com/auth/pubsub")
enum { PULL_MS = 100000 /* a call for messages is answered within 90 s */ };

static int64_t
now(struct pull *p)
{
	return loop_now(source_loop(pull_source(p)));
}

/* ---- names ------------------------------------------------------------------------------------------------------------- */

static void
add_text(struct buf *b, const char *name, str value)
{
	buf_addf(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
	json_quote(b, value, JSON_HTML);
}

static void
add_secret(struct buf *b, const struct secret_ref *ref)
{
	buf_add(b, S(",\"credentialSecret\":{"));
	if (ref->name.n) {
		buf_add(b, S("\"name\":"));
		json_quote(b, ref->name, JSON_HTML);
		buf_addc(b, ',');
	}
	buf_add(b, S("\"key\":"));
	json_quote(b, ref->key, JSON_HTML);
	buf_add(b, ref->optional ? S(",\"optional\":true}") : S("}"));
}

str
pub_sub_default_id(struct arena *a, str event, const struct pub_sub_source *s, str project)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addc(&b, '{');
	add_text(&b, "projectID", project);
	add_text(&b, "topicProjectID", s->topic_project_id.n ? s->topic_project_id : s->topic.n ? project : S(""));
	add_text(&b, "topic", s->topic);
	add_text(&b, "subscriptionID", S(""));
	if (s->credential_secret)
		add_secret(&b, s->credential_secret);
	if (s->delete_subscription_on_finish)
		buf_add(&b, S(",\"deleteSubscriptionOnFinish\":true"));
	if (s->json_body)
		buf_add(&b, S(",\"jsonBody\":true"));
	if (s->metadata.n) {
		buf_add(&b, S(",\"metadata\":"));
		webhook_metadata_json(&b, &s->metadata);
	}
	if (s->filter) {
		buf_add(&b, S(",\"filter\":{"));
		if (s->filter->expression.n) {
			buf_add(&b, S("\"expression\":"));
			json_quote(&b, s->filter->expression, JSON_HTML);
		}
		buf_addc(&b, '}');
	}
	buf_addc(&b, '}');
	return arena_fmt(a, "%.*s-%u", STR_ARG(event), str_fnv32a(arena_fmt(a, "%.*s%.*s", STR_ARG(event), STR_ARG(buf_str(&b)))));
}

void
pub_sub_set_project(struct pull *p, str project)
{
	const struct pub_sub_source *s = pull_config(p);
	struct pub_sub *q = pull_own(p);
	struct arena *a = q->arena;
	str id = s->subscription_id.n ? s->subscription_id : pub_sub_default_id(a, source_event_name(pull_source(p)), s, project);
	q->project = arena_dup(a, project);
	q->subscription = arena_fmt(a, "projects/%.*s/subscriptions/%.*s", STR_ARG(project), STR_ARG(id));
	if (s->topic.n)
		q->topic = arena_fmt(a, "projects/%.*s/topics/%.*s", STR_ARG(s->topic_project_id.n ? s->topic_project_id : project), STR_ARG(s->topic));
	q->stage = s->topic.n ? PUB_SUB_CHECK : PUB_SUB_READY;
}

/* ---- calls ------------------------------------------------------------------------------------------------------------- */

static str
emulator(void)
{
	return str_c(getenv("PUBSUB_EMULATOR_HOST"));
}

int
pub_sub_call(struct pull *p, struct pull_call *c, const char *method, const struct buf *message)
{
	const struct pub_sub *q = pull_own(p);
	str other = str_c(getenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB"));
	struct grpc_call g = { .server = S("pubsub.googleapis.com:443"), .secure = true, .message = buf_str(message), .token = q->token.text, .timeout_ms = PULL_MS };
	g.method = arena_fmt(c->arena, "google.pubsub.v1.%s", method);
	if (other.n) {
		g.secure = !str_starts(other, S("http://"));
		g.server = sigv4_host(str_ends(other, S("/")) ? str_slice(other, 0, other.n - 1) : other);
	}
	if (emulator().n) {
		g.secure = false;
		g.server = emulator();
	}
	grpc_request(&g, c->arena, &c->http);
	return 1;
}

int
pub_sub_answer(struct pull *p, const struct pull_call *c, const struct http_answer *ans, str *message, int *status, struct err *e)
{
	struct pub_sub *q = pull_own(p);
	int rc = grpc_answer(c->arena, S("Pub/Sub"), ans, message, status, e);
	if (*status == PUB_SUB_UNAUTHENTICATED)
		oauth_token_free(&q->token);
	return rc;
}

/* ---- tokens and project --------------------------------------------------------------------------------------------------- */

static int
token_came(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct pub_sub *q = pull_own(p);
	if (pull_judge(p, c, ans, oauth_refusal(c->arena, ans->body), e) < 0)
		return err_wrap(e, "a token for Pub/Sub");
	return oauth_token_take(&q->token, ans->body, now(p), e);
}

/* 1: `c` gets one. */
static int
need_token(struct pull *p, struct pull_call *c, struct err *e)
{
	const struct pub_sub_source *s = pull_config(p);
	struct pub_sub *q = pull_own(p);
	str credentials;
	if (emulator().n)
		return 0;
	if (pull_secret(p, s->credential_secret, c->arena, &credentials, e) < 0)
		return -1;
	uint64_t of = str_fnv64a(credentials);
	if (q->token_of == of && oauth_token_is_good(&q->token, now(p)))
		return 0;
	c->answered = token_came;
	q->token_of = of;
	oauth_token_free(&q->token);
	if (!s->credential_secret)
		gcp_metadata_call(GCP_METADATA_TOKEN, c->arena, &c->http);
	else if (gcp_token_call(credentials, SCOPE, now(p), c->arena, &c->http, e) < 0)
		return err_wrap(e, "credentialSecret %.*s", STR_ARG(s->credential_secret->name));
	return 1;
}

static int
project_came(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	if (pull_judge(p, c, ans, STR_NONE, e) < 0)
		return err_wrap(e, "the project, which projectID does not give");
	str project = str_trim(ans->body);
	if (!project.n || project.n > 100)
		return err_set(e, ERR_INVALID, "the metadata server gives no project: give a projectID");
	pub_sub_set_project(p, project);
	return 0;
}

/* ---- the subscription ----------------------------------------------------------------------------------------------------- */

static int
subscription_is(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct pub_sub *q = pull_own(p);
	struct proto_field f;
	str message, topic = STR_NONE;
	int status, rc;
	if (pub_sub_answer(p, c, ans, &message, &status, e) < 0) {
		if (status != PUB_SUB_NOT_FOUND)
			return -1;
		q->stage = PUB_SUB_SUBSCRIBE;
		return 0;
	}
	while ((rc = proto_next(&message, &f, e)) > 0)
		if (f.number == 2)
			topic = f.bytes;
	if (rc < 0)
		return -1;
	if (str_eq(topic, S("_deleted-topic_")))
		return err_set(e, ERR_NOT_FOUND, "the topic of %.*s has been deleted", STR_ARG(q->subscription));
	if (!str_eq(topic, q->topic))
		return err_set(e, ERR_EXISTS, "%.*s belongs to %.*s, not to %.*s", STR_ARG(q->subscription), STR_ARG(str_slice(topic, 0, 150)), STR_ARG(q->topic));
	q->stage = PUB_SUB_READY;
	return 0;
}

static int
subscribed(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct pub_sub *q = pull_own(p);
	str message;
	int status, rc = pub_sub_answer(p, c, ans, &message, &status, e);
	q->stage = rc == 0 ? PUB_SUB_READY : status == PUB_SUB_NOT_FOUND && !q->made_topic ? PUB_SUB_MAKE_TOPIC : PUB_SUB_CHECK;
	return rc == 0 || q->stage == PUB_SUB_MAKE_TOPIC || status == PUB_SUB_ALREADY_EXISTS ? 0 : -1;
}

static int
topic_made(struct pull *p, const struct pull_call *c, const struct http_answer *ans, struct err *e)
{
	struct pub_sub *q = pull_own(p);
	str message;
	int status, rc = pub_sub_answer(p, c, ans, &message, &status, e);
	q->made_topic = rc == 0 || status == PUB_SUB_ALREADY_EXISTS;
	q->stage = q->made_topic ? PUB_SUB_SUBSCRIBE : PUB_SUB_CHECK;
	return q->made_topic ? 0 : -1;
}

int
pub_sub_prepare(struct pull *p, struct pull_call *c, struct err *e)
{
	struct pub_sub *q = pull_own(p);
	struct buf b CLEANUP(free_buf) = { 0 };
	int rc = need_token(p, c, e);
	if (rc != 0)
		return rc;
	if (!q->project.n) {
		gcp_metadata_call(GCP_METADATA_PROJECT, c->arena, &c->http);
		c->answered = project_came;
		return 1;
	}
	proto_add(&b, 1, q->stage == PUB_SUB_MAKE_TOPIC ? q->topic : q->subscription);
	switch (q->stage) {
	case PUB_SUB_CHECK:
		c->answered = subscription_is;
		return pub_sub_call(p, c, "Subscriber/GetSubscription", &b);
	case PUB_SUB_SUBSCRIBE:
		proto_add(&b, 2, q->topic);
		c->answered = subscribed;
		return pub_sub_call(p, c, "Subscriber/CreateSubscription", &b);
	case PUB_SUB_MAKE_TOPIC:
		c->answered = topic_made;
		return pub_sub_call(p, c, "Publisher/CreateTopic", &b);
	case PUB_SUB_READY:
		break;
	}
	return 0;
}
