/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stripe: events of Stripe (spec events B6): {"event":{...},"metadata":{...}}, known by their id. Argo Events never checks the
 * signature; here signingSecret, a field of ours, does.
 */
#include "sources/check.h"
#include "sources/signed.h"

struct stripe_source {
	struct signed_config common;
	struct secret_ref *api_key;
	bool create_webhook;
	str endpoint;
	struct strs event_filter;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct stripe_source *s = obj;

	if (s->create_webhook && !s->api_key)
		decode_error(c, in, NULL, "api key can't be empty: apiKey is needed to create the webhook");
	if (s->create_webhook && s->common.webhook && !s->common.webhook->url.n)
		decode_warn(c, in, "webhook", "without url, where Stripe reaches the endpoint, none is created");
	webhook_context_required(s->common.webhook, in, c);
	if (!s->common.secret)
		decode_warn(c, in, NULL, "without signingSecret anybody who reaches the port can send events: give the endpoint's whsec_... secret");
}

static const struct schema stripe_source_schema = { "StripeEventSource", "Webhooks of Stripe.",
	sizeof(struct stripe_source), (const struct field[]){
	FIELD_PTR(struct stripe_source, api_key, "apiKey", 0, &secret_ref_schema, .doc = "Key for the API."),
	FIELD(struct stripe_source, create_webhook, "createWebhook", 0, .doc = "Register the endpoint with Stripe."),
	FIELD(struct stripe_source, endpoint, "endpoint", 0, .doc = "URL of the API, if it is not Stripe's own. Tidegate's own field."),
	FIELD(struct stripe_source, event_filter, "eventFilter", 0, .doc = "Types of event to let in; all if empty."),
	FIELD(struct stripe_source, common.metadata, "metadata", 0, .doc = "Copied into the data of each event."),
	FIELD_PTR(struct stripe_source, common.secret, "signingSecret", 0, &secret_ref_schema,
		.doc = "Secret of the endpoint, `whsec_...`, that signs the events; without it anything is accepted. Tidegate's own field."),
	FIELD_PTR(struct stripe_source, common.webhook, "webhook", 0, &webhook_context_schema, .doc = "The endpoint."),
	FIELD_SRC(struct stripe_source, src),
	{ 0 } }, check };

/* ---- an event ------------------------------------------------------------------------------------------------- */

static struct val
or_zero(const struct val *v, enum val_kind kind, struct val zero)
{
	return v && (v->kind == kind || (kind == VAL_NUM && val_is_number(v))) ? *v : zero;
}

/* A member that stripe-go's Event wants to be of a kind, or not to be there. */
static bool
is_sound(const struct val *event, const char *name, enum val_kind kind)
{
	const struct val *v = val_get(event, str_c(name));
	return !v || v->kind == VAL_NULL || v->kind == kind || (kind == VAL_NUM && val_is_number(v));
}

static bool
is_event(const struct val *event)
{
	return event->kind == VAL_MAP && is_sound(event, "account", VAL_STR) && is_sound(event, "created", VAL_NUM) &&
	       is_sound(event, "data", VAL_MAP) && is_sound(event, "id", VAL_STR) && is_sound(event, "livemode", VAL_BOOL) &&
	       is_sound(event, "pending_webhooks", VAL_NUM) && is_sound(event, "request", VAL_MAP) && is_sound(event, "type", VAL_STR);
}

static struct val
data_of(const struct val *data, struct arena *a)
{
	struct val_map m = { 0 };
	const struct val *object = val_get(data, S("object")), *before = val_get(data, S("previous_attributes"));
	if (!val_is(data, VAL_MAP))
		return val_null();
	val_map_add(&m, S("object"), object ? *object : val_null());
	if (before)
		val_map_add(&m, S("previous_attributes"), *before);
	return val_map_end(&m, a);
}

static struct val
request_of(const struct val *request, struct arena *a)
{
	struct val_map m = { 0 };
	struct val none = val_str(S(""));
	if (!val_is(request, VAL_MAP))
		return val_null();
	val_map_add(&m, S("id"), or_zero(val_get(request, S("id")), VAL_STR, none));
	val_map_add(&m, S("idempotency_key"), or_zero(val_get(request, S("idempotency_key")), VAL_STR, none));
	return val_map_end(&m, a);
}

/* The members of stripe-go's Event, in its order. */
static struct val
stripe_event(const struct val *in, struct arena *a)
{
	struct val_map m = { 0 };
	struct val none = val_str(S(""));
	val_map_add(&m, S("account"), or_zero(val_get(in, S("account")), VAL_STR, none));
	val_map_add(&m, S("created"), or_zero(val_get(in, S("created")), VAL_NUM, val_int(0)));
	val_map_add(&m, S("data"), data_of(val_get(in, S("data")), a));
	val_map_add(&m, S("id"), or_zero(val_get(in, S("id")), VAL_STR, none));
	val_map_add(&m, S("livemode"), or_zero(val_get(in, S("livemode")), VAL_BOOL, val_bool(false)));
	val_map_add(&m, S("pending_webhooks"), or_zero(val_get(in, S("pending_webhooks")), VAL_NUM, val_int(0)));
	val_map_add(&m, S("request"), request_of(val_get(in, S("request")), a));
	val_map_add(&m, S("type"), or_zero(val_get(in, S("type")), VAL_STR, none));
	return val_map_end(&m, a);
}

static int
write_data(const struct source *s, struct arena *a, str body, struct buf *out, struct val *event, struct err *e)
{
	if (json_read(a, body, event, e) < 0 || !is_event(event))
		return err_set(e, ERR_INVALID, "failed to parse the event");
	struct val data = stripe_event(event, a);
	buf_add(out, S("{\"event\":"));
	json_write_opts(out, &data, JSON_HTML);
	signed_close(out, s);
	return 0;
}

static bool
is_wanted(const struct stripe_source *c, str type)
{
	for (size_t i = 0; i < c->event_filter.n; i++)
		if (str_eq(c->event_filter.p[i], type))
			return true;
	return !c->event_filter.n;
}

static void
handle(struct source *s, struct http_req *r)
{
	const struct stripe_source *c = source_config(s);
	struct err e = { 0 };
	struct val event;
	str id;
	struct buf data CLEANUP(free_buf) = { 0 };
	if (http_req_too_large(r) || http_req_body(r).n > (size_t)c->common.webhook->max_payload) {
		source_count_failure(s);
		webhook_text(r, 503, S(""));
	} else if (!signed_passes(s, r, &id)) {
		return;
	} else if (write_data(s, http_req_arena(r), http_req_body(r), &data, &event, &e) < 0) {
		webhook_refuse(s, r, str_c(e.msg));
	} else if (!is_wanted(c, val_get_str(&event, "type"))) {
		webhook_refuse(s, r, S("invalid event"));
	} else {
		str own = val_get_str(&event, "id");
		webhook_emit(s, signed_route(s), r, buf_str(&data), own.n ? own : id);
	}
}

static int
wrap(struct source *s, struct arena *a, str body, str *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct val event;
	if (write_data(s, a, body, &b, &event, e) < 0)
		return -1;
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

/* ---- the endpoint at Stripe ------------------------------------------------------------------------------------ */

static const struct stripe_source *
config(const struct hook_site *site)
{
	return source_config(site->source);
}

static int
begin(struct hook_site *site, struct err *e UNUSED)
{
	site->base = hook_base(config(site)->endpoint, "https://api.stripe.com");
	hook_add_target(site, 0, "v1/webhook_endpoints");
	return 0;
}

static int
authorize(struct hook_site *site, struct hook_request *q, struct err *e)
{
	return hook_authorize(q, site, "Bearer", config(site)->api_key, e);
}

/* There are at most 16 endpoints in an account: one page has them all. */
static bool
list(struct hook_site *site, const struct hook_target *t, unsigned page UNUSED, struct hook_request *q)
{
	hook_call(q, "GET", STR_NONE, site, "/%.*s?limit=100", STR_ARG(t->path));
	return true;
}

static int
find(struct hook_site *site, size_t target UNUSED, str answer, struct arena *a, str *id, struct err *e)
{
	const struct val *hook;
	if (hook_read_page(site, answer, "data", "url", a, &hook, e) < 0)
		return -1;
	*id = hook ? hook_text(hook, "id", a) : STR_NONE;
	return hook ? HOOK_OURS : HOOK_NONE;
}

static int
create(struct hook_site *site, const struct hook_target *t, struct hook_request *q, struct err *e UNUSED)
{
	const struct strs *events = &config(site)->event_filter;
	struct buf form CLEANUP(free_buf) = { 0 };
	buf_addf(&form, "url=%.*s", STR_ARG(sigv4_encode(q->arena, site->url, false)));
	for (size_t i = 0; i < events->n; i++)
		buf_addf(&form, "&enabled_events[]=%.*s", STR_ARG(sigv4_encode(q->arena, events->p[i], false)));
	if (!events->n)
		buf_add(&form, S("&enabled_events[]=*"));
	hook_form(q, arena_dup(q->arena, buf_str(&form)), site, "/%.*s", STR_ARG(t->path));
	return 0;
}

static const struct hook_api hooks = { .forge = "Stripe", .rounds = 1, .begin = begin, .authorize = authorize, .list = list, .find = find,
	.create = create };

static bool
registers(const struct source *s)
{
	const struct stripe_source *c = source_config(s);
	return c->create_webhook && c->common.webhook->url.n;
}

static const struct signed_kind stripe = { .signature = &signatures[SIGNED_STRIPE], .secret = "signingSecret", .handle = handle,
	.hooks = &hooks, .registers = registers };

static int
start(struct source *s, struct err *e)
{
	return signed_start(s, &stripe, 0, e);
}

const struct source_ops source_stripe = { .kind = "stripe", .doc = "Webhooks of Stripe.", .schema = &stripe_source_schema,
	.rolling = true, .start = start, .ack = webhook_ack, .stop = signed_stop, .wrap = wrap };
