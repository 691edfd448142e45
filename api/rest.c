/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers share. */
#include "api/rest.h"
#include "core/store.h"

enum { LIST_MAX = 10000 }; /* items in one answer; it says how to go on */

const char rest_json_type[] = "application/json";

/* Whoever changed something was made to wait for it already. */
static bool
only_reads(const struct http_req *r)
{
	str method = http_req_method(r);
	return str_eq(method, S("GET")) || str_eq(method, S("HEAD"));
}

void
rest_reply(struct http_req *r, const struct val *v)
{
	struct store *store = rest_api(r)->env.store;
	struct buf b CLEANUP(free_buf) = { 0 };
	json_write_buf(&b, v);
	if (only_reads(r) && store_pending(store))
		rest_reply_settled(r, store, arena_dup(http_req_arena(r), buf_str(&b)));
	else
		http_reply(r, 200, rest_json_type, buf_str(&b));
}

void
rest_fail(struct http_req *r, const struct err *e)
{
	struct arena *a = http_req_arena(r);
	struct val_map m = { 0 };
	val_map_add(&m, S("code"), val_int(err_grpc_code(e->code)));
	val_map_add(&m, S("message"), val_str(arena_dup(a, str_c(e->msg))));
	struct val v = val_map_end(&m, a);
	http_reply(r, err_http_status(e->code), rest_json_type, json_write(a, &v));
}

void
rest_failf(struct http_req *r, enum err_code code, const char *fmt, ...)
{
	struct err e = { .code = code };
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e.msg, sizeof e.msg, fmt, ap);
	va_end(ap);
	rest_fail(r, &e);
}

void
rest_fail_diags(struct http_req *r, struct diags *d, const struct err *e)
{
	struct err out = { .code = e && e->code ? e->code : ERR_INVALID };
	struct buf b CLEANUP(free_buf) = { 0 };
	size_t told = 0;
	for (size_t i = 0; i < d->v.n && told < 5; i++) {
		const struct diag *x = &d->v.p[i];
		if (x->level != DIAG_ERROR && !(d->errors == 0 && x->level == DIAG_LATER))
			continue;
		buf_addf(&b, "%s%.*s%s%.*s%s%.*s", told++ ? "; " : "", STR_ARG(x->path), x->path.n ? ": " : "", STR_ARG(x->text), x->hint.n ? "; " : "",
		         STR_ARG(x->hint));
	}
	if (d->errors == 0 && d->later)
		out.code = ERR_UNSUPPORTED;
	if (told)
		snprintf(out.msg, sizeof out.msg, "%s", b.p);
	else
		snprintf(out.msg, sizeof out.msg, "%s", e && e->msg[0] ? e->msg : "the object is not valid");
	rest_fail(r, &out);
}

bool
rest_body(struct http_req *r, struct val *out)
{
	struct err e;
	str body = str_trim(http_req_body(r));
	if (body.n == 0)
		body = S("{}");
	if (json_read(http_req_arena(r), body, out, &e)) {
		(void)err_wrap(&e, "the body is no JSON");
		rest_fail(r, &e);
		return false;
	}
	if (out->kind != VAL_MAP) {
		rest_failf(r, ERR_INVALID, "the body must be a JSON object");
		return false;
	}
	return true;
}

str
rest_ns(const struct api *api, const struct http_req *r, bool fallback)
{
	str ns = http_req_var(r, "ns");
	if (ns.n)
		return ns;
	return fallback ? api->env.settings->namespace_ : STR_NONE;
}

bool
rest_flag(const struct http_req *r, const char *arg)
{
	str v = http_req_arg(r, arg);
	return str_eq(v, S("true")) || str_eq(v, S("1"));
}

int64_t
rest_int(const struct http_req *r, const char *arg, int64_t dflt)
{
	int64_t v;
	return str_to_i64(http_req_arg(r, arg), &v) ? v : dflt;
}

bool
rest_read_page(struct http_req *r, struct rest_page *out)
{
	int64_t limit = 0, offset = 0;
	str most = http_req_arg(r, "listOptions.limit"), next = http_req_arg(r, "listOptions.continue");
	if ((most.n && (!str_to_i64(most, &limit) || limit < 0)) || (next.n && (!str_to_i64(next, &offset) || offset < 0))) {
		rest_failf(r, ERR_INVALID, "listOptions.limit and listOptions.continue must be numbers from 0 on");
		return false;
	}
	*out = (struct rest_page){ (size_t)offset, limit && limit < LIST_MAX ? (size_t)limit : LIST_MAX };
	return true;
}

bool
rest_is_of_path(struct http_req *r, const struct val *manifest)
{
	str own = val_get_str(val_get(manifest, S("metadata")), "namespace"), ns = http_req_var(r, "ns");
	if (!own.n || !ns.n || str_eq(own, ns))
		return true;
	rest_failf(r, ERR_INVALID, "metadata.namespace \"%.*s\" is not the namespace in the path, \"%.*s\"", STR_ARG(own), STR_ARG(ns));
	return false;
}

bool
rest_time(struct http_req *r, const char *arg, int64_t *out)
{
	struct err e;
	str text = http_req_arg(r, arg);
	if (!text.n || time_parse_rfc3339(text, out, &e) == 0)
		return true;
	(void)err_wrap(&e, "%s", arg);
	rest_fail(r, &e);
	return false;
}

/* ---- fields ------------------------------------------------------------------------------------------------- */

/* The part of `paths` below `key`: "b,c.d" of "a.b,a.c.d" for "a". `*whole`: one of them is `key` itself. */
static str
fields_below(struct arena *a, str paths, str key, bool *whole, bool *any)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	*whole = *any = false;
	while (paths.n) {
		str rest = str_cut(&paths, ','), head = str_cut(&rest, '.');
		if (!str_eq(head, key))
			continue;
		*any = true;
		if (rest.n == 0)
			*whole = true;
		else
			buf_addf(&b, "%s%.*s", b.n ? "," : "", STR_ARG(rest));
	}
	return arena_dup(a, buf_str(&b));
}

static struct val
select_below(struct arena *a, const struct val *v, str paths, bool drop)
{
	if (v->kind == VAL_LIST) {
		struct val_list out = { 0 };
		for (uint32_t i = 0; i < v->n; i++)
			val_list_add(&out, select_below(a, &v->items[i], paths, drop));
		return val_list_end(&out, a);
	}
	if (v->kind != VAL_MAP)
		return *v;
	struct val_map out = { 0 };
	for (uint32_t i = 0; i < v->n; i++) {
		bool whole, any;
		str key = val_key(&v->members[i]), below = fields_below(a, paths, key, &whole, &any);
		const struct val *value = &v->members[i].value;
		if (drop ? whole : !any)
			continue;
		bool go_on = drop ? any : !whole;
		val_map_add(&out, key, go_on ? select_below(a, value, below, drop) : *value);
	}
	return val_map_end(&out, a);
}

static bool
is_within(str path, str folder)
{
	return str_starts(path, folder) && (path.n == folder.n || path.p[folder.n] == '.');
}

bool
fields_want_nodes(str fields, str nodes)
{
	bool without = str_starts(fields, S("-")), named = false;
	for (str rest = str_slice(fields, without, fields.n); rest.n;) {
		str path = str_cut(&rest, ',');
		named |= is_within(nodes, path) || (!without && is_within(path, nodes));
	}
	return !fields.n || named != without;
}

bool
rest_wants_nodes(const struct http_req *r)
{
	return fields_want_nodes(http_req_arg(r, "fields"), S("status.nodes"));
}

const struct val *
fields_select(struct arena *a, const struct val *v, str fields)
{
	if (!fields.n)
		return v;
	bool drop = fields.p[0] == '-';
	struct val *out = ARENA_NEW(a, struct val);
	*out = select_below(a, v, drop ? str_slice(fields, 1, fields.n) : fields, drop);
	return out;
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

static void
stream_gone(struct stream *s)
{
	list_del(&s->link);
	stream_forget_held(s);
	s->http = NULL;
	s->closed(s);
}

static void
client_gone(struct http_stream *st UNUSED, void *arg)
{
	struct stream *s = arg;
	s->http = NULL;
	if (!s->ending) /* else stream_ended is on its way */
		stream_gone(s);
}

void
stream_start(struct stream *s, struct api *api, struct http_req *r, void (*closed)(struct stream *s))
{
	*s = (struct stream){ .api = api, .closed = closed };
	list_init(&s->held);
	s->sse = str_find(http_req_header(r, "Accept"), S("text/event-stream"), 0) != SIZE_MAX;
	http_reply_header(r, "Cache-Control", S("no-cache"));
	s->http = http_stream_start(r, 200, s->sse ? "text/event-stream" : rest_json_type, client_gone, s);
	list_add_tail(&api->streams, &s->link);
}

void
stream_text(const struct stream *s, str key, const struct val *v, struct buf *out)
{
	buf_addf(out, "%s{\"%.*s\":", s->sse ? "data: " : "", STR_ARG(key));
	json_write_buf(out, v);
	buf_add(out, s->sse ? S("}\n\n") : S("}\n"));
}

void
stream_pass(struct stream *s, str text)
{
	if (!s->http || s->ending)
		return;
	if (http_stream_write(s->http, text))
		stream_end(s); /* the reader is too slow: it connects again and starts from what is then */
}

static void
stream_message(struct stream *s, str key, const struct val *v)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	stream_text(s, key, v, &b);
	stream_pass(s, buf_str(&b));
}

void
stream_send(struct stream *s, const struct val *result)
{
	stream_message(s, S("result"), result);
}

void
stream_error(struct stream *s, const struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val_map m = { 0 };
	val_map_add(&m, S("grpc_code"), val_int(err_grpc_code(e->code)));
	val_map_add(&m, S("http_code"), val_int(err_http_status(e->code)));
	val_map_add(&m, S("message"), val_cstr(e->msg));
	struct val v = val_map_end(&m, a);
	stream_message(s, S("error"), &v);
}

static void
stream_ended(void *arg)
{
	struct stream *s = arg;
	if (s->http)
		http_stream_end(s->http);
	stream_gone(s);
}

void
stream_end(struct stream *s)
{
	if (s->ending)
		return;
	s->ending = true;
	loop_defer(s->api->env.loop, stream_ended, s);
}
