/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storageGrid: notifications of a StorageGRID bucket (spec events B9), sent as SNS would have them published: a form with a JSON
 * message in it, answered in XML once the event is on disk. They are not signed.
 */
#include "sources/check.h"
#include "sources/signed.h"

struct storage_grid_filter {
	str prefix;
	str suffix;
	const struct val *src;
};
static const struct schema storage_grid_filter_schema = { "StorageGridFilter", "Keys by prefix and suffix.",
	sizeof(struct storage_grid_filter), (const struct field[]){
	FIELD(struct storage_grid_filter, prefix, "prefix", 0, .doc = "What keys begin with."),
	FIELD(struct storage_grid_filter, suffix, "suffix", 0, .doc = "What keys end with."),
	FIELD_SRC(struct storage_grid_filter, src),
	{ 0 } }, .exact = true };

struct storage_grid_source {
	struct signed_config common;
	str api_url;
	struct secret_ref *auth_token;
	str bucket;
	struct strs events;
	struct storage_grid_filter *filter;
	str region;
	struct tls_config *tls;
	str topic_arn;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct storage_grid_source *s = obj;

	source_need(s->topic_arn, in, c, "topicArn");
	source_need(s->api_url, in, c, "apiURL");
	source_need_ref(s->auth_token, in, c, "authToken");
	source_need(s->bucket, in, c, "bucket");
	source_need_list(s->events.n, in, c, "events");
	webhook_context_required(s->common.webhook, in, c);
	decode_warn(c, in, NULL, "StorageGRID signs nothing: anybody who reaches the port and knows the endpoint can send events");
}

static const struct schema storage_grid_source_schema = { "StorageGridEventSource",
	"Notifications of a StorageGRID bucket.", sizeof(struct storage_grid_source), (const struct field[]){
	FIELD(struct storage_grid_source, api_url, "apiURL", 0, .doc = "URL of the management API."),
	FIELD_PTR(struct storage_grid_source, auth_token, "authToken", 0, &secret_ref_schema, .doc = "Token for it."),
	FIELD(struct storage_grid_source, bucket, "bucket", 0, .doc = "Bucket to watch."),
	FIELD(struct storage_grid_source, events, "events", 0, .doc = "Events, such as ObjectCreated:Put."),
	FIELD_PTR(struct storage_grid_source, filter, "filter", 0, &storage_grid_filter_schema,
		.doc = "Keys by prefix and suffix."),
	FIELD(struct storage_grid_source, common.metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD(struct storage_grid_source, region, "region", 0, .dflt = "us-east-1", .doc = "Region of the bucket."),
	FIELD_PTR(struct storage_grid_source, tls, "tls", 0, &tls_config_schema, .doc = "TLS settings."),
	FIELD(struct storage_grid_source, topic_arn, "topicArn", 0, .doc = "ARN of the topic."),
	FIELD_PTR(struct storage_grid_source, common.webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct storage_grid_source, src),
	{ 0 } }, check };

/* ---- a notification ------------------------------------------------------------------------------------------- */

struct notification {
	str action, message, topic, version;
	struct val parsed; /* the message */
};

static int
read_notification(str body, struct arena *a, struct notification *n, struct err *e)
{
	const struct http_header *fields;
	size_t count = http_form_parse(a, body, &fields);
	const struct {
		const char *name;
		str *to;
	} members[] = { { "Action", &n->action }, { "Message", &n->message }, { "TopicArn", &n->topic }, { "Version", &n->version } };
	*n = (struct notification){ .action = S(""), .message = S(""), .topic = S(""), .version = S("") };
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ARRAY_LEN(members); k++)
			if (str_eq(fields[i].name, str_c(members[k].name)))
				*members[k].to = fields[i].value;
	if (json_read(a, n->message, &n->parsed, e) < 0 || n->parsed.kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "failed to convert the request body into storage grid notification");
	return 0;
}

static const struct val *
first_record(const struct notification *n)
{
	return val_at(val_get(&n->parsed, S("Records")), 0);
}

static str
text_at(const struct val *v, const char *path)
{
	const struct val *at = val_path(v, path);
	return val_is(at, VAL_STR) ? val_text(at) : S("");
}

static bool
passes(const struct storage_grid_filter *f, const struct notification *n)
{
	str key = text_at(first_record(n), "s3.object.key");
	return !f || (first_record(n) && str_starts(key, f->prefix) && str_ends(key, f->suffix));
}

/* The request that changed the object, which a notification that is sent again names again. */
static str
delivery_of(const struct notification *n, struct arena *a)
{
	const struct val *record = first_record(n);
	const struct val *id = val_get(val_get(record, S("responseElements")), S("x-amz-request-id"));
	if (!val_is(id, VAL_STR) || !val_text(id).n)
		return STR_NONE;
	return arena_fmt(a, "%.*s %.*s %.*s", STR_ARG(val_text(id)), STR_ARG(text_at(record, "eventName")),
	                 STR_ARG(text_at(record, "s3.object.key")));
}

static void
write_data(struct buf *b, const struct source *s, const struct notification *n)
{
	buf_add(b, S("{\"notification\":{\"Action\":"));
	json_quote(b, n->action, JSON_HTML);
	buf_add(b, S(",\"Message\":"));
	json_write_opts(b, &n->parsed, JSON_HTML);
	buf_add(b, S(",\"TopicArn\":"));
	json_quote(b, n->topic, JSON_HTML);
	buf_add(b, S(",\"Version\":"));
	json_quote(b, n->version, JSON_HTML);
	buf_addc(b, '}');
	signed_close(b, s);
}

/* What SNS answers to a publisher; the ids are not looked at. */
#define PUBLISHED "\n<PublishResponse xmlns=\"http://argoevents-sns-server/\">\n    <PublishResult> \n" \
	"        <MessageId>00000000-0000-0000-0000-000000000000</MessageId> \n    </PublishResult> \n    <ResponseMetadata>\n" \
	"       <RequestId>00000000-0000-0000-0000-000000000000</RequestId>\n    </ResponseMetadata> \n</PublishResponse>\n"

static void
handle(struct source *s, struct http_req *r)
{
	const struct storage_grid_source *c = source_config(s);
	struct notification n;
	struct err e = { 0 };
	if (str_eq(http_req_method(r), S("HEAD"))) {
		http_reply(r, 200, "text/plain", S(""));
		return;
	}
	if (!signed_size_ok(s, r))
		return;
	if (read_notification(http_req_body(r), http_req_arena(r), &n, &e) < 0) {
		webhook_refuse(s, r, str_c(e.msg));
	} else if (!passes(c->filter, &n)) {
		http_reply(r, 200, "text/plain", S(PUBLISHED));
	} else {
		struct buf data CLEANUP(free_buf) = { 0 };
		write_data(&data, s, &n);
		webhook_emit(s, signed_route(s), r, buf_str(&data), delivery_of(&n, http_req_arena(r)));
	}
}

/* A message as StorageGRID has it in the form: {"Records":[...]}. */
static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	const struct storage_grid_source *c = source_config(s);
	struct notification n = { .action = S("Publish"), .message = body, .topic = c->topic_arn, .version = S("2010-03-31") };
	struct buf b CLEANUP(free_buf) = { 0 };
	if (json_read(a, body, &n.parsed, e) < 0)
		return err_wrap(e, "body");
	write_data(&b, s, &n);
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

/* ---- the endpoint and the bucket's configuration --------------------------------------------------------------- */

enum { ENDPOINT, NOTIFICATION };

static const struct storage_grid_source *
config(const struct hook_site *site)
{
	return source_config(site->source);
}

static int
begin(struct hook_site *site, struct err *e UNUSED)
{
	const struct storage_grid_source *c = config(site);
	site->base = hook_base(c->api_url, "");
	site->tls = c->tls;
	hook_add_target(site, ENDPOINT, "org/endpoints");
	hook_add_target(site, NOTIFICATION, "org/containers/%.*s/notification", STR_ARG(sigv4_encode(site->arena, c->bucket, false)));
	return 0;
}

static int
authorize(struct hook_site *site, struct hook_request *q, struct err *e)
{
	return hook_authorize(q, site, "Bearer", config(site)->auth_token, e);
}

static bool
list(struct hook_site *site, const struct hook_target *t, unsigned page UNUSED, struct hook_request *q)
{
	hook_call(q, "GET", STR_NONE, site, "/%.*s", STR_ARG(t->path));
	return t->what == ENDPOINT;
}

static int
find(struct hook_site *site, size_t target UNUSED, str answer, struct arena *a, str *id, struct err *e)
{
	struct val all;
	if (json_read(a, answer, &all, e) < 0)
		return -1;
	const struct val *endpoint = hook_with_url(val_get(&all, S("data")), "endpointURN", config(site)->topic_arn);
	*id = endpoint ? hook_text(endpoint, "id", a) : STR_NONE;
	return endpoint ? HOOK_OURS : HOOK_NONE;
}

static struct val
endpoint(const struct hook_site *site, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("displayName"), val_str(source_event_name(site->source)));
	val_map_add(&m, S("endpointURI"), val_str(site->url));
	val_map_add(&m, S("endpointURN"), val_str(config(site)->topic_arn));
	val_map_add(&m, S("authType"), val_str(S("anonymous")));
	val_map_add(&m, S("insecureTLS"), val_bool(true));
	return val_map_end(&m, a);
}

/* S3's notification configuration, as text in JSON. */
static struct val
notification(const struct hook_site *site, struct arena *a)
{
	const struct storage_grid_source *c = config(site);
	struct buf b CLEANUP(free_buf) = { 0 };
	struct val_map m = { 0 };
	buf_addf(&b, "\n<NotificationConfiguration>\n\t<TopicConfiguration>\n\t  <Id>%.*s</Id>\n\t  <Topic>%.*s</Topic>\n\t  ",
	         STR_ARG(source_event_name(site->source)), STR_ARG(c->topic_arn));
	for (size_t i = 0; i < c->events.n; i++)
		buf_addf(&b, "%s<Event>%.*s</Event>", i ? "\n" : "", STR_ARG(c->events.p[i]));
	buf_add(&b, S("\n\t</TopicConfiguration>\n</NotificationConfiguration>\n\n"));
	val_map_add(&m, S("notification"), val_str(arena_dup(a, buf_str(&b))));
	return val_map_end(&m, a);
}

static int
create(struct hook_site *site, const struct hook_target *t, struct hook_request *q, struct err *e UNUSED)
{
	bool is_endpoint = t->what == ENDPOINT;
	struct val body = is_endpoint ? endpoint(site, q->arena) : notification(site, q->arena);
	hook_call(q, is_endpoint ? "POST" : "PUT", json_write(q->arena, &body), site, "/%.*s", STR_ARG(t->path));
	return 0;
}

static const struct hook_api hooks = { .forge = "StorageGRID", .rounds = 1, .begin = begin, .authorize = authorize, .list = list,
	.find = find, .create = create };

/* ---- life ----------------------------------------------------------------------------------------------------- */

static bool
registers(const struct source *s)
{
	const struct storage_grid_source *c = source_config(s);
	return c->common.webhook->url.n > 0;
}

static const struct signed_kind grid = { .handle = handle, .hooks = &hooks, .registers = registers };

static int
start(struct source *s, struct err *e)
{
	if (signed_start(s, &grid, 0, e) < 0)
		return -1;
	webhook_set_success(signed_route(s), "text/plain", S(PUBLISHED));
	return 0;
}

const struct source_ops source_storageGrid = { .kind = "storageGrid", .type = "storagegrid",
	.doc = "Notifications of a StorageGRID bucket.", .schema = &storage_grid_source_schema, .rolling = true, .start = start,
	.ack = webhook_ack, .stop = signed_stop, .wrap = wrap };
