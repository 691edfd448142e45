/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custom: calls a gRPC server of one's own, which serves `triggers.Trigger`: FetchResource with the spec; what it gives, with the parameters
 * applied, to Execute with the payload; what that gives to ApplyPolicy. Where we differ from Argo: a policy that says no is a
 * failure (Argo logs it), and every call carries the firing's id.
 */
#include "core/net/grpc.h"
#include "triggers/call.h"
#include "triggers/check.h"

struct custom_trigger {
	struct secret_ref *cert_secret;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	bool secure;
	str server_name_override;
	str server_url;
	struct kvs spec;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct custom_trigger *t = obj;

	trigger_need(t->server_url, in, c, "serverURL");
	if (!t->spec.n)
		decode_error(c, in, "spec", "spec can't be empty");
	if (t->secure && !t->cert_secret)
		decode_error(c, in, "secure", "certSecret can't be empty when the trigger server connection is secure");
}

static const struct schema custom_trigger_schema = { "CustomTrigger", "Calls a gRPC server of one's own.",
	sizeof(struct custom_trigger), (const struct field[]){
	FIELD_PTR(struct custom_trigger, cert_secret, "certSecret", 0, &secret_ref_schema,
		.doc = "Certificates of the authorities that vouch for the server, PEM."),
	FIELD_LIST(struct custom_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into the resource that the server gives."),
	FIELD_LIST(struct custom_trigger, payload, "payload", 0, &trigger_parameter_schema,
		.doc = "Values from events that make up the body."),
	FIELD(struct custom_trigger, secure, "secure", 0, .doc = "Use TLS."),
	FIELD(struct custom_trigger, server_name_override, "serverNameOverride", 0,
		.doc = "Name to expect in the certificate."),
	FIELD(struct custom_trigger, server_url, "serverURL", 0, .doc = "Address of the server: host:port."),
	FIELD(struct custom_trigger, spec, "spec", 0, .doc = "What the server wants to know: it gets it as YAML."),
	FIELD_SRC(struct custom_trigger, src),
	{ 0 } }, check };

/* ---- the calls ------------------------------------------------------------------------------------------------------- */

struct exchange;
typedef void reply(struct exchange *x, str message);
/* One attempt; in the firing's arena. */
struct exchange {
	struct firing *f;
	reply *next;
	str ca_pem;
};

/* A failure that the server told concerns this firing; else it is the server that is away. */
static void
fail(struct exchange *x, bool alone, const struct err *e)
{
	if (alone)
		firing_alone(x->f);
	firing_done(x->f, e, NULL);
}

static void
answered(void *arg, str message, bool told, const struct err *e)
{
	struct exchange *x = arg;
	struct err over;
	if (!e && firing_is_over(x->f)) {
		err_set(&over, ERR_UNAVAILABLE, "the daemon ends");
		e = &over;
	}
	if (e)
		fail(x, told, e);
	else
		x->next(x, message);
}

static void
call(struct exchange *x, const char *method, str message, reply *next)
{
	const struct custom_trigger *t = firing_config(x->f);
	const struct trigger_env *env = firing_env(x->f);
	struct grpc_call c = { .server = t->server_url, .message = message, .secure = t->secure, .ca_pem = x->ca_pem,
		               .server_name = t->server_name_override, .id = firing_id(x->f) };
	c.method = arena_fmt(firing_arena(x->f), "triggers.Trigger/%s", method);
	x->next = next;
	grpc_send(env->httpc(env->arg), &c, answered, x);
}

/* Field `number` of a message, the last if there are several; false (and the firing failed): it is no message. */
static bool
find_field(struct exchange *x, str message, unsigned number, struct proto_field *out)
{
	struct proto_field field;
	struct err e;
	int rc;
	*out = (struct proto_field){ 0 };
	while ((rc = proto_next(&message, &field, &e)) > 0)
		if (field.number == number)
			*out = field;
	if (rc < 0)
		fail(x, true, &e);
	return rc == 0;
}

static void
judged(struct exchange *x, str message)
{
	struct proto_field success, text;
	struct err e;
	if (!find_field(x, message, 1, &success) || !find_field(x, message, 2, &text))
		return;
	str shown = http_excerpt(firing_arena(x->f), text.bytes);
	if (success.integer) {
		firing_done(x->f, NULL, NULL);
		return;
	}
	err_set(&e, ERR_UNAVAILABLE, "the server's policy says no%s%.*s", shown.n ? ": " : "", STR_ARG(shown));
	fail(x, true, &e);
}

static void
executed(struct exchange *x, str message)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct proto_field response;
	if (!find_field(x, message, 1, &response))
		return;
	proto_add(&b, 1, response.bytes);
	call(x, "ApplyPolicy", buf_str(&b), judged);
}

/* The resource with the parameters applied; only an object in JSON can have any. */
static int
patch(struct exchange *x, str *resource, struct err *e)
{
	const struct custom_trigger *t = firing_config(x->f);
	struct arena *a = firing_arena(x->f);
	struct inputs in = firing_inputs(x->f);
	struct val v;
	if (!t->parameters.n)
		return 0;
	if (json_read(a, *resource, &v, e) < 0 || v.kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "the server's resource is not an object in JSON: it cannot have parameters");
	const struct val *patched = parameters_apply(t->parameters.p, t->parameters.n, &v, &in, a, e);
	if (!patched)
		return -1;
	*resource = json_write(a, patched);
	return 0;
}

static void
fetched(struct exchange *x, str message)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct proto_field resource;
	struct err e;
	if (!find_field(x, message, 1, &resource))
		return;
	if (patch(x, &resource.bytes, &e) < 0) {
		fail(x, true, &e);
		return;
	}
	proto_add(&b, 1, resource.bytes);
	proto_add(&b, 2, firing_payload(x->f));
	call(x, "Execute", buf_str(&b), executed);
}

static void
fire(struct firing *f)
{
	const struct custom_trigger *t = firing_config(f);
	struct buf yaml CLEANUP(free_buf) = { 0 }, b CLEANUP(free_buf) = { 0 };
	struct exchange *x = ARENA_NEW(firing_arena(f), struct exchange);
	struct err e;
	*x = (struct exchange){ .f = f };
	if (call_secret(f, t->cert_secret, &x->ca_pem, &e) < 0) {
		firing_done(f, &e, NULL);
		return;
	}
	yaml_write_buf(&yaml, val_get(firing_spec(f), S("spec")));
	proto_add(&b, 1, buf_str(&yaml));
	call(x, "FetchResource", buf_str(&b), fetched);
}

const struct trigger_ops trigger_custom = { .kind = "custom", .doc = "Calls a gRPC server of one's own.",
	.schema = &custom_trigger_schema, .fire = fire, .own_parameters = true };
