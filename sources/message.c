/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/message.h"

#include "core/base64.h"
#include "sources/go_json.h"
#include "sources/webhook_server.h"

void
message_begin_in(struct message *m, struct event_group *g)
{
	*m = (struct message){ .ev = event_in(g) };
	buf_addc(&m->b, '{');
}

void
message_begin(struct message *m)
{
	message_begin_in(m, NULL);
}

static void
name_member(struct message *m, const char *name)
{
	buf_add(&m->b, m->b.n > 1 ? S(",\"") : S("\""));
	buf_add(&m->b, str_c(name));
	buf_add(&m->b, S("\":"));
}

void
message_str(struct message *m, const char *name, str value)
{
	name_member(m, name);
	json_quote(&m->b, value, JSON_HTML);
}

void
message_int(struct message *m, const char *name, int64_t value)
{
	name_member(m, name);
	buf_addf(&m->b, "%lld", (long long)value);
}

void
message_raw(struct message *m, const char *name, str json)
{
	name_member(m, name);
	buf_add(&m->b, json);
}

/* What Go's Marshal of a RawMessage says of text that is no JSON. */
static int
refuse(struct message *m, str payload, struct err *e)
{
	return err_set(e, ERR_INVALID, "jsonBody: %.*s", STR_ARG(go_json_error(m->ev->arena, payload)));
}

static void
add_json(struct message *m, const char *name, str payload)
{
	name_member(m, name);
	go_json_compact(&m->b, payload);
}

int
message_body(struct message *m, const char *name, str payload, bool json_body, struct err *e)
{
	if (json_body && !json_valid(payload))
		return refuse(m, payload, e);
	if (json_body)
		add_json(m, name, payload);
	else
		message_str(m, name, base64_encode(m->ev->arena, payload));
	return 0;
}

int
message_text_body(struct message *m, const char *name, str payload, bool json_body, struct err *e)
{
	if (json_body && !json_valid(payload))
		return refuse(m, payload, e);
	if (json_body)
		add_json(m, name, payload);
	else
		message_str(m, name, payload);
	return 0;
}

void
message_map(struct message *m, const char *name, const struct kvs *map)
{
	name_member(m, name);
	webhook_metadata_json(&m->b, map);
}

static int
by_name(const void *a, const void *b)
{
	const struct message_pair *x = a, *y = b;
	int order = str_cmp(x->name, y->name);
	return order ? order : x->place < y->place ? -1 : 1;
}

void
message_lists(struct message *m, const char *name, struct message_pair *pairs, size_t n)
{
	if (n)
		qsort(pairs, n, sizeof *pairs, by_name);
	name_member(m, name);
	buf_addc(&m->b, '{');
	for (size_t i = 0; i < n; i++) {
		bool again = i && str_eq(pairs[i - 1].name, pairs[i].name);
		if (!again) {
			buf_add(&m->b, i ? S("],") : S(""));
			json_quote(&m->b, pairs[i].name, JSON_HTML);
		}
		buf_add(&m->b, again ? S(",") : S(":["));
		json_quote(&m->b, pairs[i].value, JSON_HTML);
	}
	buf_add(&m->b, n ? S("]}") : S("}"));
}

void
message_metadata(struct message *m, const struct kvs *metadata)
{
	if (metadata->n)
		message_map(m, "metadata", metadata);
}

struct event *
message_end(struct message *m)
{
	struct event *ev = m->ev;
	buf_addc(&m->b, '}');
	ev->data = arena_dup(ev->arena, buf_str(&m->b));
	if (!ev->id.p)
		ev->id = event_random_id(ev->arena);
	ev->checked = EVENT_JSON;
	free_buf(&m->b);
	m->ev = NULL;
	return ev;
}

str
message_text(struct message *m, struct arena *a)
{
	struct event *ev = message_end(m);
	str text = arena_dup(a, ev->data);
	event_unref(ev);
	return text;
}

void
message_drop(struct message *m)
{
	free_buf(&m->b);
	event_unref(m->ev);
	m->ev = NULL;
}
