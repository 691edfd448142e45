/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bitbucketserver: webhooks of Bitbucket Server and Data Center (spec events B4). The signature is checked whenever webhookSecret is
 * given, and not only when hooks are registered. Pushes (repo:refs_changed) may be taken apart, one event a change, and changes of
 * branches with an open pull request left out: the server is asked, while the request waits.
 */
#include "sources/bitbucketserver.h"

#include <strings.h>

#include "sources/check.h"
#include "sources/go_json.h"

static const struct schema bitbucketserver_repository_schema = { "BitbucketServerRepository", "A repository.",
	sizeof(struct bitbucketserver_repository), (const struct field[]){
	FIELD(struct bitbucketserver_repository, project_key, "projectKey", 0, .doc = "Its project."),
	FIELD(struct bitbucketserver_repository, repository_slug, "repositorySlug", 0, .doc = "Its name in URLs."),
	FIELD_SRC(struct bitbucketserver_repository, src),
	{ 0 } } };

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct bitbucketserver_source *s = obj;

	if (s->access_token && s->common.webhook && s->common.webhook->url.n && !s->events.n)
		decode_error(c, in, NULL, "events must be defined to create a bitbucket server webhook");
	source_need(s->base_url, in, c, "bitbucketserverBaseURL");
	source_check_interval(s->check_interval, in, c, "checkInterval");
	webhook_context_required(s->common.webhook, in, c);
	if (s->skip_on_open_pr && !s->access_token)
		decode_error(c, in, "skipBranchRefsChangedOnOpenPR", "accessToken is needed to ask for pull requests");
	if (!s->common.secret)
		decode_warn(c, in, NULL, "without webhookSecret anybody who reaches the port can send events");
}

static const struct schema bitbucketserver_source_schema = { "BitbucketServerEventSource",
	"Webhooks of a Bitbucket server.", sizeof(struct bitbucketserver_source), (const struct field[]){
	FIELD_PTR(struct bitbucketserver_source, access_token, "accessToken", 0, &secret_ref_schema,
		.doc = "Token for the API."),
	FIELD(struct bitbucketserver_source, base_url, "bitbucketserverBaseURL", 0,
		.doc = "URL of the REST API."),
	FIELD(struct bitbucketserver_source, check_interval, "checkInterval", 0,
		.doc = "How often the hook is looked after."),
	FIELD(struct bitbucketserver_source, delete_hook_on_finish, "deleteHookOnFinish", 0,
		.doc = "Delete the hook when the source stops."),
	FIELD(struct bitbucketserver_source, events, "events", 0, .doc = "Events to register for."),
	FIELD_PTR(struct bitbucketserver_source, filter, "filter", 0, &source_filter_schema,
		.doc = "Which events are let in."),
	FIELD(struct bitbucketserver_source, common.metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct bitbucketserver_source, one_event_per_change, "oneEventPerChange", 0,
		.doc = "One event for each change of a push."),
	FIELD(struct bitbucketserver_source, project_key, "projectKey", DEPRECATED, .hint = "write repositories",
		.doc = "Project of the repository."),
	FIELD(struct bitbucketserver_source, projects, "projects", 0, .doc = "Projects to register with."),
	FIELD_LIST(struct bitbucketserver_source, repositories, "repositories", 0, &bitbucketserver_repository_schema,
		.doc = "Repositories to register with."),
	FIELD(struct bitbucketserver_source, repository_slug, "repositorySlug", DEPRECATED,
		.hint = "write repositories", .doc = "Repository."),
	FIELD(struct bitbucketserver_source, skip_on_open_pr, "skipBranchRefsChangedOnOpenPR", 0,
		.doc = "Leave out pushes to a branch with an open pull request."),
	FIELD_PTR(struct bitbucketserver_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD_PTR(struct bitbucketserver_source, common.webhook, "webhook", 0, &webhook_context_schema,
		.doc = "The endpoint."),
	FIELD_PTR(struct bitbucketserver_source, common.secret, "webhookSecret", 0, &secret_ref_schema,
		.doc = "Secret that signs the hooks."),
	FIELD_SRC(struct bitbucketserver_source, src),
	{ 0 } }, check };

/* ---- a delivery ----------------------------------------------------------------------------------------------- */

enum { LOOKUPS_MAX = 100 /* for one push; what comes then is kept unasked */, PAGE = 500 };

/* A push that is taken apart. In the request's arena. */
struct push {
	str id;                    /* of the delivery; may be absent */
	struct val body;
	const struct val *changes; /* a list */
	bool *dropped;             /* one a change */
	size_t at;                 /* the change that is asked about */
	unsigned lookups;
	int64_t from;              /* of its pull requests */
};

static void
emit_whole(struct source *s, struct http_req *r, str id)
{
	struct buf data CLEANUP(free_buf) = { 0 };
	signed_open(&data, r);
	go_json_compact(&data, http_req_body(r));
	signed_close(&data, s);
	webhook_emit(s, signed_route(s), r, buf_str(&data), id);
}

/* The body with that one change alone. */
static str
one_change(struct source *s, struct http_req *r, const struct push *p, size_t i)
{
	struct arena *a = http_req_arena(r);
	struct val_list one = { 0 };
	struct buf data CLEANUP(free_buf) = { 0 };
	val_list_add(&one, p->changes->items[i]);
	struct val changes = val_list_end(&one, a);
	signed_open(&data, r);
	json_write_opts(&data, val_set(a, &p->body, S("changes"), &changes), JSON_HTML);
	signed_close(&data, s);
	return arena_dup(a, buf_str(&data));
}

static void
emit_changes(struct source *s, struct http_req *r, const struct push *p)
{
	struct arena *a = http_req_arena(r);
	struct webhook_event *events = ARENA_ARRAY(a, struct webhook_event, p->changes->n + 1);
	size_t n = 0;
	for (size_t i = 0; i < p->changes->n; i++)
		if (!p->dropped[i])
			events[n++] = (struct webhook_event){ one_change(s, r, p, i),
			                                      p->id.n ? arena_fmt(a, "%.*s/%zu", STR_ARG(p->id), i) : STR_NONE };
	webhook_emit_all(s, signed_route(s), r, events, n);
}

static void
finish(struct source *s, struct http_req *r, const struct push *p)
{
	const struct bitbucketserver_source *c = source_config(s);
	size_t kept = 0;
	for (size_t i = 0; i < p->changes->n; i++)
		kept += !p->dropped[i];
	if (c->skip_on_open_pr && kept == 0)
		webhook_text(r, 200, S("success"));
	else if (c->one_event_per_change)
		emit_changes(s, r, p);
	else
		emit_whole(s, r, p->id);
}

/* ---- pull requests --------------------------------------------------------------------------------------------- */

static void next_change(struct source *s, struct http_req *r, struct push *p);
static void ask(struct source *s, struct http_req *r, struct push *p);

static bool
has_open(const struct val *pulls)
{
	for (uint32_t i = 0; val_is(pulls, VAL_LIST) && i < pulls->n; i++) {
		str state = val_get_str(&pulls->items[i], "state");
		if (state.n == 4 && strncasecmp(state.p, "OPEN", 4) == 0)
			return true;
	}
	return false;
}

static void
refuse_lookup(struct source *s, struct http_req *r, const char *why)
{
	webhook_refuse(s, r, arena_fmt(http_req_arena(r), "filtering changes for open prs: checking if changed branch ref has an open pull "
	                               "request: %s", why));
}

static void
answered(struct source *s, struct http_req *r, void *arg, const struct http_answer *answer, const struct err *error)
{
	struct push *p = arg;
	struct val page;
	struct err e = { 0 };
	int64_t next = 0;
	if (!answer) {
		refuse_lookup(s, r, error->msg);
	} else if (answer->status > 299) {
		snprintf(e.msg, sizeof e.msg, "the server answers %d", answer->status);
		refuse_lookup(s, r, e.msg);
	} else if (json_read(http_req_arena(r), arena_dup(http_req_arena(r), answer->body), &page, &e) < 0) {
		refuse_lookup(s, r, e.msg);
	} else if (has_open(val_get(&page, S("values")))) {
		p->dropped[p->at++] = true;
		next_change(s, r, p);
	} else if (!val_is_true(val_get(&page, S("isLastPage"))) && val_to_i64(val_get(&page, S("nextPageStart")), &next) && next > p->from) {
		p->from = next;
		ask(s, r, p);
	} else {
		p->at++;
		next_change(s, r, p);
	}
}

static str
encoded(struct arena *a, const struct val *v, const char *path)
{
	const struct val *at = val_path(v, path);
	return sigv4_encode(a, val_is(at, VAL_STR) ? val_text(at) : S(""), false);
}

static void
ask(struct source *s, struct http_req *r, struct push *p)
{
	const struct bitbucketserver_source *c = source_config(s);
	struct arena *a = http_req_arena(r);
	struct err e = { 0 };
	str token;
	if (p->lookups++ == LOOKUPS_MAX) {
		finish(s, r, p);
		return;
	}
	struct http_call call = { .method = S("GET") };
	call.url = arena_fmt(a, "%.*s/api/1.0/projects/%.*s/repos/%.*s/commits/%.*s/pull-requests?limit=%d&start=%lld",
	                     STR_ARG(hook_base(c->base_url, "")), STR_ARG(encoded(a, &p->body, "repository.project.key")),
	                     STR_ARG(encoded(a, &p->body, "repository.slug")), STR_ARG(encoded(a, &p->changes->items[p->at], "toHash")), PAGE,
	                     (long long)p->from);
	if (source_secret(s, c->access_token, a, &token, &e) < 0 || hook_tls(s, c->tls, a, &call, &e) < 0) {
		refuse_lookup(s, r, e.msg);
		return;
	}
	const struct http_header headers[] = { { S("Authorization"), arena_fmt(a, "Bearer %.*s", STR_ARG(token)) } };
	call.headers = headers;
	call.headers_n = ARRAY_LEN(headers);
	signed_ask(s, r, &call, answered, p);
}

/* A branch that is there after the push. */
static bool
is_branch(const struct val *change)
{
	const struct val *type = val_path(change, "ref.type");
	return val_is(type, VAL_STR) && str_eq(val_text(type), S("BRANCH")) && !str_eq(val_get_str(change, "type"), S("DELETE"));
}

static void
next_change(struct source *s, struct http_req *r, struct push *p)
{
	while (p->at < p->changes->n && !is_branch(&p->changes->items[p->at]))
		p->at++;
	p->from = 0;
	if (p->at < p->changes->n)
		ask(s, r, p);
	else
		finish(s, r, p);
}

/* ---- the request ---------------------------------------------------------------------------------------------- */

static void
take_apart(struct source *s, struct http_req *r, str id)
{
	static const struct val none = { .kind = VAL_LIST };
	const struct bitbucketserver_source *c = source_config(s);
	struct arena *a = http_req_arena(r);
	struct err e;
	struct push *p = ARENA_NEW(a, struct push);
	p->id = id;
	if (json_read(a, http_req_body(r), &p->body, &e) < 0 || p->body.kind != VAL_MAP) {
		webhook_refuse(s, r, S("decoding repo:refs_changed webhook: not a JSON object"));
		return;
	}
	p->changes = val_get(&p->body, S("changes"));
	if (!val_is(p->changes, VAL_LIST))
		p->changes = &none;
	p->dropped = ARENA_ARRAY(a, bool, p->changes->n + 1);
	if (c->skip_on_open_pr)
		next_change(s, r, p);
	else
		finish(s, r, p);
}

static void
handle(struct source *s, struct http_req *r)
{
	const struct bitbucketserver_source *c = source_config(s);
	str id;
	if (!signed_size_ok(s, r) || !signed_passes(s, r, &id))
		return;
	if (!json_valid(http_req_body(r)))
		webhook_refuse(s, r, S("invalid event"));
	else if ((c->one_event_per_change || c->skip_on_open_pr) && str_eq(http_req_header(r, "X-Event-Key"), S("repo:refs_changed")))
		take_apart(s, r, id);
	else
		emit_whole(s, r, id);
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static bool
registers(const struct source *s)
{
	const struct bitbucketserver_source *c = source_config(s);
	return c->access_token && c->common.webhook->url.n && (c->repositories.n || c->projects.n || c->repository_slug.n);
}

static const struct signed_kind server = { .signature = &signatures[SIGNED_BITBUCKET_SERVER], .secret = "webhookSecret",
	.handle = handle, .hooks = &bitbucketserver_hooks, .registers = registers };

static int
start(struct source *s, struct err *e)
{
	const struct bitbucketserver_source *c = source_config(s);
	dur every = { 0 };
	if (c->check_interval.n && dur_parse(c->check_interval, &every, e) < 0)
		return err_wrap(e, "checkInterval");
	if (c->skip_on_open_pr && signed_secret_there(s, c->access_token, "accessToken", e) < 0)
		return -1;
	return signed_start(s, &server, every.ns, e);
}

const struct source_ops source_bitbucketserver = { .kind = "bitbucketserver", .doc = "Webhooks of a Bitbucket server.",
	.schema = &bitbucketserver_source_schema, .rolling = true, .start = start, .ack = webhook_ack, .stop = signed_stop,
	.wrap = signed_wrap };
