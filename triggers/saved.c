/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/saved.h"

str
saved_attributes(const struct event *ev, struct arena *a)
{
	struct val_map m = { 0 }, ext = { 0 };
	val_map_add(&m, S("seq"), val_int(ev->seq));
	val_map_add(&m, S("time"), val_int(ev->time));
	val_map_add_str(&m, S("ns"), ev->ns);
	val_map_add_str(&m, S("id"), ev->id);
	val_map_add_str(&m, S("source"), ev->source);
	val_map_add_str(&m, S("subject"), ev->subject);
	val_map_add_str(&m, S("type"), ev->type);
	val_map_add_str(&m, S("content_type"), ev->content_type);
	for (size_t i = 0; i < ev->ext_n; i++)
		val_map_add(&ext, ev->ext[i].key, val_str(ev->ext[i].value));
	struct val more = val_map_end(&ext, a);
	if (ev->ext_n)
		val_map_add(&m, S("ext"), more);
	struct val v = val_map_end(&m, a);
	return json_write(a, &v);
}

static void
read_ext(struct event *ev, const struct val *ext)
{
	if (!val_is(ext, VAL_MAP))
		return;
	ev->ext = ARENA_ARRAY(ev->arena, struct kvs_ext, ext->n);
	for (; ev->ext_n < ext->n && ext->members[ev->ext_n].value.kind == VAL_STR; ev->ext_n++)
		ev->ext[ev->ext_n] = (struct kvs_ext){ val_key(&ext->members[ev->ext_n]), val_text(&ext->members[ev->ext_n].value) };
}

struct event *
saved_event(str attributes, str data, struct err *e)
{
	struct event *ev = event_bare();
	struct val v;
	int64_t seq = 0;
	if (json_read(ev->arena, arena_dup(ev->arena, attributes), &v, e) < 0 || !val_to_i64(val_get(&v, S("time")), &ev->time) ||
	    !val_to_i64(val_get(&v, S("seq")), &seq)) {
		event_unref(ev);
		err_set(e, ERR_IO, "a saved event's attributes are damaged");
		return NULL;
	}
	ev->seq = seq;
	ev->ns = val_get_str(&v, "ns");
	ev->id = val_get_str(&v, "id");
	ev->source = val_get_str(&v, "source");
	ev->subject = val_get_str(&v, "subject");
	ev->type = val_get_str(&v, "type");
	ev->content_type = val_get_str(&v, "content_type");
	ev->data = arena_dup(ev->arena, data.p ? data : S(""));
	read_ext(ev, val_get(&v, S("ext")));
	return ev;
}
