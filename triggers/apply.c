/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/apply.h"

#include "core/lang/gjson.h"
#include "core/lang/gotmpl.h"
#include "core/lang/sjson.h"

/* ---- events as JSON -------------------------------------------------------------------------------------------- */

struct val
event_context(const struct event *ev, struct arena *a)
{
	const struct val whole = event_context_and_data(ev, a);
	return *val_get(&whole, S("context"));
}

static int
yaml_to_json(struct arena *a, str text, str *out, struct err *e)
{
	struct diags d;
	struct val *docs;
	size_t n;
	diags_init(&d);
	int rc = yaml_read_all(a, S("data"), text, NULL, &docs, &n, &d);
	if (rc < 0 || !n)
		rc = err_set(e, ERR_INVALID, "the event's data is no YAML: %.*s", d.v.n ? (int)d.v.p[0].text.n : 0, d.v.n ? d.v.p[0].text.p : "");
	else
		*out = json_write(a, val_resolve_all(a, &docs[0]));
	diags_free(&d);
	return rc;
}

int
event_json(struct event *ev, struct arena *a, str *out, struct err *e)
{
	if (str_eq(ev->content_type, S("application/yaml")))
		return yaml_to_json(a, ev->data, out, e);
	if (!str_eq(ev->content_type, S("application/json")))
		return err_set(e, ERR_INVALID, "the event's content type is %.*s: only application/json and application/yaml can be looked into",
		               STR_ARG(ev->content_type));
	if (!event_is_json(ev))
		return err_set(e, ERR_INVALID, "the event's data is no JSON");
	*out = ev->data;
	return 0;
}

/* ---- one parameter --------------------------------------------------------------------------------------------- */

static struct event *
event_of(const struct inputs *in, str dependency)
{
	for (size_t i = 0; i < in->n; i++)
		if (str_eq(in->dependencies[i], dependency))
			return in->events[i];
	return NULL;
}

static int
by_template(str template, str json, int64_t now, struct arena *a, struct resolved *out, struct err *e)
{
	struct val input;
	if (json_read(a, json, &input, e) < 0 || gotmpl_render(a, template, &input, now, &out->text, e) < 0)
		return -1;
	out->kind = RESOLVED_TEXT;
	return 0;
}

static int
by_key(str key, str json, bool raw, struct arena *a, struct resolved *out, struct err *e)
{
	struct gjson g;
	if (!gjson_get(a, json, key, &g))
		return err_set(e, ERR_INVALID, g.limited ? "key %.*s takes too much work" : "key %.*s does not exist in the event", STR_ARG(key));
	bool typed = raw && g.kind != GJSON_STR;
	out->kind = typed ? RESOLVED_JSON : RESOLVED_TEXT;
	out->text = typed || g.kind == GJSON_NULL ? g.raw : gjson_string(a, &g);
	return 0;
}

enum part { PART_DATA, PART_CONTEXT, PART_WHOLE };

static int
part_json(enum part part, struct event *ev, struct arena *a, str *out, struct err *e)
{
	if (part == PART_DATA)
		return event_json(ev, a, out, e);
	struct val v = part == PART_WHOLE ? event_context_and_data(ev, a) : event_context(ev, a);
	*out = json_write(a, &v);
	return 0;
}

/* That part of all events of the dependency, as a list. */
static int
parts_json(enum part part, str dependency, const struct inputs *in, struct arena *a, str *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < in->n; i++) {
		str one;
		if (!str_eq(in->dependencies[i], dependency))
			continue;
		if (part_json(part, in->events[i], a, &one, e) < 0)
			return -1;
		buf_addc(&b, b.n ? ',' : '[');
		buf_add(&b, one);
	}
	buf_addc(&b, ']');
	*out = arena_dup(a, buf_str(&b));
	return 0;
}

static int
inputs_json(enum part part, const struct parameter_source *s, struct event *first, const struct inputs *in, struct arena *a, str *out, struct err *e)
{
	return in->many ? parts_json(part, s->dependency, in, a, out, e) : part_json(part, first, a, out, e);
}

static int
from_event(const struct parameter_source *s, struct event *ev, const struct inputs *in, struct arena *a, struct resolved *out, struct err *e)
{
	bool data = s->data_key.n || s->data_template.n;
	str key = data ? s->data_key : s->context_key, template = data ? s->data_template : s->context_template, json;
	if (inputs_json(data ? PART_DATA : PART_CONTEXT, s, ev, in, a, &json, e) < 0)
		return -1;
	if (template.n && by_template(template, json, in->now_ns, a, out, e) == 0)
		return 0;
	return key.n ? by_key(key, json, s->use_raw, a, out, e) : -1;
}

int
parameter_resolve(const struct parameter_source *s, const struct inputs *in, struct arena *a, struct resolved *out, struct err *e)
{
	struct event *ev = event_of(in, s->dependency);
	bool looks = s->data_key.n || s->data_template.n || s->context_key.n || s->context_template.n;
	*out = (struct resolved){ RESOLVED_TEXT, s->value };
	if (ev && !looks && !s->value.p)
		return inputs_json(PART_WHOLE, s, ev, in, a, &out->text, e);
	if (ev && looks && from_event(s, ev, in, a, out, e) == 0)
		return 0;
	*out = (struct resolved){ s->value.p ? RESOLVED_TEXT : RESOLVED_NOTHING, s->value };
	if (s->value.p || !ev)
		return 0;
	return err_wrap(e, "cannot resolve a parameter from dependency %.*s", STR_ARG(s->dependency));
}

/* ---- putting it somewhere --------------------------------------------------------------------------------------- */

/* The text before or behind the one that is there: the result is always a string. */
static void
join(const struct trigger_parameter *p, const struct val *object, struct arena *a, struct resolved *r)
{
	struct gjson there;
	bool append = str_eq(p->operation, S("append"));
	if (!append && !str_eq(p->operation, S("prepend")))
		return;
	if (!gjson_get(a, json_write(a, object), p->dest, &there))
		return;
	str old = gjson_string(a, &there), first = append ? old : r->text, second = append ? r->text : old;
	r->text = arena_fmt(a, "%.*s%.*s", STR_ARG(first), STR_ARG(second));
	r->kind = RESOLVED_TEXT;
}

static const struct val *
put(const struct val *object, str dest, const struct resolved *r, struct arena *a, struct err *e)
{
	struct val v = val_str(r->text);
	if (r->kind == RESOLVED_JSON && json_read(a, r->text, &v, e) < 0)
		return NULL;
	return sjson_set(a, object, dest, &v, e);
}

const struct val *
parameters_apply(const struct trigger_parameter *p, size_t n, const struct val *object, const struct inputs *in, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct resolved r;
		if (parameter_resolve(p[i].source, in, a, &r, e) < 0)
			goto failed;
		if (r.kind == RESOLVED_NOTHING)
			continue;
		join(&p[i], object, a, &r);
		object = put(object, p[i].dest, &r, a, e);
		if (object)
			continue;
	failed:
		err_wrap(e, "parameter %zu (dest %.*s)", i, STR_ARG(p[i].dest));
		return NULL;
	}
	return object;
}

int
payload_build(const struct trigger_parameter *p, size_t n, const struct inputs *in, struct arena *a, str *out, struct err *e)
{
	const struct val *body = NULL;
	*out = STR_NONE;
	for (size_t i = 0; i < n; i++) {
		struct resolved r;
		if (parameter_resolve(p[i].source, in, a, &r, e) < 0)
			return err_wrap(e, "payload %zu (dest %.*s)", i, STR_ARG(p[i].dest));
		if (r.kind == RESOLVED_NOTHING)
			continue;
		if (!p[i].dest.n) { /* this value is the payload, whatever came before */
			*out = r.text;
			return 0;
		}
		body = put(body, p[i].dest, &r, a, e);
		if (!body)
			return err_wrap(e, "payload %zu (dest %.*s)", i, STR_ARG(p[i].dest));
	}
	if (body)
		*out = json_write(a, body);
	return 0;
}
