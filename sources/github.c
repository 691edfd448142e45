/* SPDX-License-Identifier: Apache-2.0 */
/*
 * github: webhooks of GitHub (spec events B1). A delivery is checked against its signature over the raw bytes, becomes
 * {"headers":{...},"body":{...},"metadata":{...}} with the kind of event and the delivery id put into the body, and is known
 * by that id: a redelivery is the same event.
 */
#include "sources/check.h"
#include "sources/github.h"
#include "sources/go_json.h"

/* ---- the table ------------------------------------------------------------------------------------------------ */

static bool
registers_hooks(const struct github_source *s)
{
	return (s->api_token || s->app) && s->common.webhook && s->common.webhook->url.n;
}

bool
github_registers(const struct source *s)
{
	return registers_hooks(source_config(s));
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct github_source *s = obj;
	bool has_repositories = s->repositories.n || (s->owner.n && s->repository.n);
	bool registers = registers_hooks(s);

	if (!has_repositories && !s->organizations.n)
		decode_error(c, in, NULL, "either repositories or organizations is needed");
	if (has_repositories && s->organizations.n)
		decode_error(c, in, "organizations", "repositories and organizations exclude each other");
	if (s->content_type.n && !str_eq(s->content_type, S("json")) && !str_eq(s->content_type, S("form")))
		decode_error(c, in, "contentType", "content type \"%.*s\": must be json or form", STR_ARG(s->content_type));
	if (!s->base_url.n != !s->upload_url.n)
		decode_error(c, in, s->base_url.n ? "githubBaseURL" : "githubUploadURL",
			"both githubBaseURL and githubUploadURL are needed for GitHub Enterprise");
	if (registers && !s->events.n)
		decode_error(c, in, "events", "events to register the hook for are needed");
	if (s->app && (!s->app->app_id.set || !s->app->installation_id.set || !s->app->private_key))
		decode_error(c, in, "githubApp", "appID, installationID and privateKey are needed");
	if (!s->common.secret)
		decode_warn(c, in, NULL, "without webhookSecret anybody who reaches the port can send events");
	webhook_context_required(s->common.webhook, in, c);
}

const struct schema owned_repositories_schema = { "OwnedRepositories", "Repositories of an owner.",
	sizeof(struct owned_repositories), (const struct field[]){
	FIELD(struct owned_repositories, names, "names", 0, .doc = "Names of the repositories."),
	FIELD(struct owned_repositories, owner, "owner", 0, .doc = "User or organization."),
	{ 0 } } };

static const struct schema github_app_schema = { "GithubAppCreds", "A GitHub App that registers the hook.",
	sizeof(struct github_app), (const struct field[]){
	FIELD(struct github_app, app_id, "appID", 0, .doc = "Id of the app."),
	FIELD(struct github_app, installation_id, "installationID", 0, .doc = "Id of its installation."),
	FIELD_PTR(struct github_app, private_key, "privateKey", 0, &secret_ref_schema, .doc = "Key that signs for the app."),
	FIELD_SRC(struct github_app, src),
	{ 0 } } };

static const struct schema github_source_schema = { "GithubEventSource", "Webhooks of GitHub.",
	sizeof(struct github_source), (const struct field[]){
	FIELD(struct github_source, active, "active", 0, .doc = "Whether a hook that is registered delivers."),
	FIELD_PTR(struct github_source, api_token, "apiToken", 0, &secret_ref_schema, .doc = "Token that registers the hook."),
	FIELD(struct github_source, content_type, "contentType", 0, .doc = "How a registered hook sends: json or form."),
	FIELD(struct github_source, delete_hook_on_finish, "deleteHookOnFinish", 0,
		.doc = "Delete the registered hook when the source stops."),
	FIELD(struct github_source, events, "events", 0, .doc = "Events to register for, such as push; `*` is all."),
	FIELD_PTR(struct github_source, filter, "filter", 0, &source_filter_schema, .doc = "Which events are let in."),
	FIELD_PTR(struct github_source, app, "githubApp", 0, &github_app_schema, .doc = "App that registers the hook."),
	FIELD(struct github_source, base_url, "githubBaseURL", 0, .doc = "URL of the API of GitHub Enterprise."),
	FIELD(struct github_source, upload_url, "githubUploadURL", 0, .doc = "URL for uploads of GitHub Enterprise."),
	FIELD(struct github_source, id, "id", 0, .doc = "Id of the hook; means nothing."),
	FIELD(struct github_source, insecure, "insecure", 0, .doc = "A registered hook does not check our certificate."),
	FIELD(struct github_source, common.metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct github_source, organizations, "organizations", 0, .doc = "Organizations to register with."),
	FIELD(struct github_source, owner, "owner", DEPRECATED, .hint = "write repositories", .doc = "Owner of `repository`."),
	FIELD_LIST(struct github_source, repositories, "repositories", 0, &owned_repositories_schema,
		.doc = "Repositories to register with."),
	FIELD(struct github_source, repository, "repository", DEPRECATED, .hint = "write repositories", .doc = "Repository."),
	FIELD_PTR(struct github_source, common.webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_PTR(struct github_source, common.secret, "webhookSecret", 0, &secret_ref_schema,
		.doc = "Secret that signs the deliveries; without it anything is accepted."),
	FIELD_SRC(struct github_source, src),
	{ 0 } }, check };

/* ---- a delivery ----------------------------------------------------------------------------------------------- */

/* The media type without parameters, in lower case (Go's mime.ParseMediaType). */
static str
media_type(struct arena *a, str header)
{
	str type = arena_dup(a, str_trim(str_cut(&header, ';')));
	for (size_t i = 0; i < type.n; i++)
		if (type.p[i] >= 'A' && type.p[i] <= 'Z')
			((char *)(uintptr_t)type.p)[i] |= 32; /* our own copy */
	return type;
}

/* The JSON text of the delivery: the body, or its form field `payload`. */
static int
payload_of(struct http_req *r, str *out, struct err *e)
{
	str header = http_req_header(r, "Content-Type");
	str type = media_type(http_req_arena(r), header);
	*out = http_req_body(r);
	if (str_eq(type, S("application/json")))
		return 0;
	if (type.n == 0)
		return err_set(e, ERR_INVALID, "mime: no media type");
	if (!str_eq(type, S("application/x-www-form-urlencoded")))
		return err_set(e, ERR_INVALID, "webhook request has unsupported Content-Type \"%.*s\"", STR_ARG(str_slice(type, 0, 100)));
	const struct http_header *fields;
	size_t n = http_form_parse(http_req_arena(r), *out, &fields);
	*out = S("");
	for (size_t i = n; i-- > 0;)
		if (str_eq(fields[i].name, S("payload")))
			*out = fields[i].value;
	return 0;
}

/* Appends the body as sensors see it: members sorted, kind of event and delivery id among them. */
static int
add_body(struct buf *b, struct arena *a, str payload, str event, str delivery, struct err *e)
{
	struct val body;
	struct err ours;
	if (json_read(a, payload, &body, &ours) < 0)
		return err_set(e, ERR_INVALID, "%.*s", STR_ARG(str_slice(go_json_error(a, payload), 0, 400)));
	if (body.kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "json: cannot unmarshal %s into Go value of type map[string]interface {}",
			body.kind == VAL_LIST ? "array" : body.kind == VAL_STR ? "string" : body.kind == VAL_BOOL ? "bool" :
			body.kind == VAL_NULL ? "null" : "number");
	struct val values[] = { val_str(event.p ? event : S("")), val_str(delivery.p ? delivery : S("")) };
	const struct val *with = val_set(a, &body, S("X-GitHub-Event"), &values[0]);
	with = val_set(a, with, S("X-GitHub-Delivery"), &values[1]);
	json_write_opts(b, with, JSON_SORT | JSON_HTML);
	return 0;
}

static void
handle(struct source *s, struct http_req *r)
{
	struct err e = { 0 };
	str payload, id, delivery = http_req_header(r, "X-GitHub-Delivery");
	if (!signed_size_ok(s, r))
		return;
	if (payload_of(r, &payload, &e) < 0) {
		webhook_refuse(s, r, str_c(e.msg));
		return;
	}
	if (!signed_passes(s, r, &id))
		return;
	struct buf data CLEANUP(free_buf) = { 0 };
	signed_open(&data, r);
	if (add_body(&data, http_req_arena(r), payload, http_req_header(r, "X-GitHub-Event"), delivery, &e) < 0) {
		webhook_refuse(s, r, str_c(e.msg));
		return;
	}
	signed_close(&data, s);
	webhook_emit(s, signed_route(s), r, buf_str(&data), id);
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	const struct val *event = NULL;
	struct val parsed;
	if (json_read(a, body, &parsed, e) == 0)
		event = val_get(&parsed, S("X-GitHub-Event"));
	buf_add(&b, S("{\"headers\":{\"Content-Type\":[\"application/json\"]},\"body\":"));
	if (add_body(&b, a, body, val_is(event, VAL_STR) ? val_text(event) : S(""), STR_NONE, e) < 0)
		return -1;
	signed_close(&b, s);
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

static const struct signed_kind github = { .signature = &signatures[SIGNED_GITHUB], .secret = "webhookSecret", .handle = handle,
	.hooks = &github_hooks, .registers = github_registers };

static int
start(struct source *s, struct err *e)
{
	return signed_start(s, &github, 0, e);
}

const struct source_ops source_github = { .kind = "github", .doc = "Webhooks of GitHub.", .schema = &github_source_schema,
	.rolling = true, .start = start, .ack = webhook_ack, .stop = signed_stop, .wrap = wrap };
