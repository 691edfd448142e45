/* SPDX-License-Identifier: Apache-2.0 */
/* pub_sub: what the files of the kind pubSub share: its configuration, what runs, and what must be had before messages are asked for. */
#ifndef TIDEGATE_SOURCES_PUB_SUB_H
#define TIDEGATE_SOURCES_PUB_SUB_H

#include "core/net/oauth.h"
#include "sources/pull.h"
#include "sources/webhook_context.h"

struct pub_sub_source {
	struct secret_ref *credential_secret;
	bool delete_subscription_on_finish;
	struct source_filter *filter;
	bool json_body;
	struct kvs metadata;
	str project_id;
	str subscription_id;
	str topic;
	str topic_project_id;
	const struct val *src;
};

enum pub_sub_stage {
	PUB_SUB_CHECK,      /* whether the subscription is there, and is the topic's */
	PUB_SUB_SUBSCRIBE,  /* it is not: it is made */
	PUB_SUB_MAKE_TOPIC, /* nor is the topic */
	PUB_SUB_READY
};
/* What runs. */
struct pub_sub {
	struct arena *arena;               /* of the names */
	str project, topic, subscription;  /* as the service has them: "projects/p/topics/t"; absent: not known yet */
	enum pub_sub_stage stage;
	bool made_topic;
	struct oauth_token token;          /* without text: none is needed, or there is none yet */
	uint64_t token_of;                 /* hash of the credentials it was got with */
};

/* Statuses of gRPC. */
enum { PUB_SUB_DEADLINE_EXCEEDED = 4, PUB_SUB_NOT_FOUND = 5, PUB_SUB_ALREADY_EXISTS = 6, PUB_SUB_UNAUTHENTICATED = 16 };

/* The project is known: so are the names. */
void pub_sub_set_project(struct pull *p, str project);
/* pull_ops.prepare: a token, the project, the subscription, the topic. */
int pub_sub_prepare(struct pull *p, struct pull_call *c, struct err *e);
/* A call of the service: `method` is "Subscriber/Pull", say. 1, for prepare's sake. */
int pub_sub_call(struct pull *p, struct pull_call *c, const char *method, const struct buf *message);
/* What it was answered: grpc_answer. A token that was refused is forgotten. */
int pub_sub_answer(struct pull *p, const struct pull_call *c, const struct http_answer *ans, str *message, int *status, struct err *e) MUST_CHECK;
/*
 * The id that Argo gives a subscription that has none: the entry's name, and the hash of that and of the configuration as Go prints it, with the
 * project filled in. In `a`.
 */
str pub_sub_default_id(struct arena *a, str event, const struct pub_sub_source *s, str project);

#endif
