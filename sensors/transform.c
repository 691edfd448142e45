/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors/transform.h"

#include "sensors/jq/protocol.h"

int
transformer_compile(const struct transform *spec, struct checks *checks, struct transformer *out, struct err *e)
{
	*out = (struct transformer){ 0 };
	if (!spec || (!spec->jq.n && !spec->script.n))
		return 0;
	out->spec = spec;
	out->check = checks_add(checks, "transform", S(""), S(""), "", spec->src);
	if (spec->jq.n)
		return spec->jq.n <= JQ_PROGRAM_MAX ? 0 : err_set(e, ERR_LIMIT, "transform: the jq program is longer than 256 KiB");
	return script_compile(spec->script, &out->script, e) < 0 ? err_wrap(e, "transform") : 0;
}

void
transformer_free(struct transformer *t)
{
	script_free(t->script);
	*t = (struct transformer){ 0 };
}

struct event *
event_with_data(const struct event *ev, str data)
{
	struct event *out = event_bare();
	struct arena *a = out->arena;
	out->seq = ev->seq;
	out->ns = arena_dup(a, ev->ns);
	out->id = arena_dup(a, ev->id);
	out->source = arena_dup(a, ev->source);
	out->type = arena_dup(a, ev->type);
	out->subject = arena_dup(a, ev->subject);
	out->time = ev->time;
	out->dedup = arena_dup(a, ev->dedup);
	out->data = arena_dup(a, data);
	out->ext = ARENA_ARRAY(a, struct kvs_ext, ev->ext_n);
	for (; out->ext_n < ev->ext_n; out->ext_n++) {
		out->ext[out->ext_n].key = arena_dup(a, ev->ext[out->ext_n].key);
		out->ext[out->ext_n].value = arena_dup(a, ev->ext[out->ext_n].value);
	}
	return out;
}

static struct event *
failed(struct arena *tmp, const char *what, str *why)
{
	*why = arena_dup(tmp, str_c(what));
	return NULL;
}

struct event *
transform_now(const struct transformer *t, struct event *ev, struct arena *tmp, str *why)
{
	static const struct val nothing = { .kind = VAL_MAP };
	struct err e;
	str out;
	if (!ev->data.n)
		return failed(tmp, "the event has no data", why);
	const struct val *data = event_data(ev, &e);
	if (!data)
		return failed(tmp, "the event's data is no JSON", why);
	if (data->kind != VAL_MAP && data->kind != VAL_NULL)
		return failed(tmp, arena_fmt(tmp, "the event's data must be an object, not %s", val_kind_name(data)).p, why);
	if (script_transforms(t->script, data->kind == VAL_NULL ? &nothing : data, tmp, &out, &e) < 0)
		return failed(tmp, e.msg, why);
	return event_with_data(ev, out);
}
