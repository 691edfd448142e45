/* SPDX-License-Identifier: Apache-2.0 */
/* gerrit: Webhooks of Gerrit. Not served yet: the table is what lint knows. */
#include "sources/check.h"
#include "sources/source.h"
#include "sources/webhook_context.h"

struct gerrit_source {
	struct basic_auth *auth;
	bool delete_hook_on_finish;
	struct strs events;
	struct source_filter *filter;
	str gerrit_base_url;
	str hook_name;
	int64_t max_tries;
	struct kvs metadata;
	struct strs projects;
	bool ssl_verify;
	struct webhook_context *webhook;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct gerrit_source *s = obj;

	source_need_list(s->projects.n, in, c, "projects");
	source_need_list(s->events.n, in, c, "events");
	source_need(s->gerrit_base_url, in, c, "gerritBaseURL");
	if (!s->auth)
		decode_error(c, in, NULL, "auth can't be empty");
	source_check_basic(s->auth, in, c);
	webhook_context_required(s->webhook, in, c);
}

static const struct schema gerrit_source_schema = { "GerritEventSource", "Webhooks of Gerrit.",
	sizeof(struct gerrit_source), (const struct field[]){
	FIELD_PTR(struct gerrit_source, auth, "auth", 0, &basic_auth_schema,
		.doc = "User name and password for the API."),
	FIELD(struct gerrit_source, delete_hook_on_finish, "deleteHookOnFinish", 0,
		.doc = "Delete the hook when the source stops."),
	FIELD(struct gerrit_source, events, "events", 0, .doc = "Events to register for."),
	FIELD_PTR(struct gerrit_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD(struct gerrit_source, gerrit_base_url, "gerritBaseURL", 0, .doc = "URL of the server."),
	FIELD(struct gerrit_source, hook_name, "hookName", 0, .doc = "Name of the hook."),
	FIELD(struct gerrit_source, max_tries, "maxTries", 0, .min = 0, .max = INT32_MAX,
		.doc = "How often Gerrit tries to deliver."),
	FIELD(struct gerrit_source, metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct gerrit_source, projects, "projects", 0, .doc = "Projects to register with."),
	FIELD(struct gerrit_source, ssl_verify, "sslVerify", 0, .doc = "Whether Gerrit checks our certificate."),
	FIELD_PTR(struct gerrit_source, webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct gerrit_source, src),
	{ 0 } }, check };

const struct source_ops source_gerrit = { .kind = "gerrit", .doc = "Webhooks of Gerrit.",
	.schema = &gerrit_source_schema, .rolling = true };
