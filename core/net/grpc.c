/* SPDX-License-Identifier: Apache-2.0 */
/* See grpc.h. The wire is that of gRPC's "gRPC over HTTP2" and protobuf's "Encoding". */
#include "core/net/grpc.h"

enum { FRAME = 5 /* bytes before a message: compressed?, length */, MESSAGE_MAX = 16 << 20 };
enum wire { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_32 = 5 };

/* ---- messages -------------------------------------------------------------------------------------------------------- */

static void
add_varint(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_addc(b, (char)(v | 0x80));
	buf_addc(b, (char)v);
}

void
proto_add(struct buf *b, unsigned field, str bytes)
{
	if (!bytes.n)
		return;
	add_varint(b, field << 3 | WIRE_BYTES);
	add_varint(b, bytes.n);
	buf_add(b, bytes);
}

void
proto_add_int(struct buf *b, unsigned field, uint64_t v)
{
	if (!v)
		return;
	add_varint(b, field << 3 | WIRE_VARINT);
	add_varint(b, v);
}

static bool
take_varint(str *rest, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 64 && rest->n; shift += 7) {
		unsigned char c = (unsigned char)rest->p[0];
		*rest = str_slice(*rest, 1, rest->n);
		*out |= (uint64_t)(c & 0x7F) << shift;
		if (!(c & 0x80))
			return true;
	}
	return false;
}

static bool
take_fixed(str *rest, size_t n, uint64_t *out)
{
	*out = 0;
	if (rest->n < n)
		return false;
	for (size_t i = 0; i < n; i++)
		*out |= (uint64_t)(unsigned char)rest->p[i] << 8 * i;
	*rest = str_slice(*rest, n, rest->n);
	return true;
}

static bool
take_value(str *rest, unsigned wire, struct proto_field *out)
{
	uint64_t n;
	switch (wire) {
	case WIRE_VARINT:
		return take_varint(rest, &out->integer);
	case WIRE_64:
		return take_fixed(rest, 8, &out->integer);
	case WIRE_32:
		return take_fixed(rest, 4, &out->integer);
	case WIRE_BYTES:
		if (!take_varint(rest, &n) || n > rest->n)
			return false;
		out->bytes = str_slice(*rest, 0, n);
		*rest = str_slice(*rest, n, rest->n);
		return true;
	default:
		return false;
	}
}

int
proto_next(str *rest, struct proto_field *out, struct err *e)
{
	uint64_t tag;
	*out = (struct proto_field){ 0 };
	if (!rest->n)
		return 0;
	if (!take_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 >= 1u << 29 || !take_value(rest, tag & 7, out))
		return err_set(e, ERR_INVALID, "the answer is not a message of protobuf");
	out->number = (unsigned)(tag >> 3);
	return 1;
}

/* ---- frames ------------------------------------------------------------------------------------------------------------- */

str
grpc_frame(struct arena *a, str message)
{
	char *p = arena_alloc(a, FRAME + message.n, 1);
	p[0] = 0;
	for (size_t i = 0; i < 4; i++)
		p[1 + i] = (char)(message.n >> 8 * (3 - i));
	if (message.n)
		memcpy(p + FRAME, message.p, message.n);
	return (str){ p, FRAME + message.n };
}

int
grpc_unframe(str frame, str *message, struct err *e)
{
	uint64_t n = 0;
	for (size_t i = 1; i < FRAME && i < frame.n; i++)
		n = n << 8 | (unsigned char)frame.p[i];
	if (frame.n < FRAME || frame.n - FRAME != n)
		return err_set(e, ERR_INVALID, "the answer is not one message of gRPC");
	if (frame.p[0])
		return err_set(e, ERR_UNSUPPORTED, "the answer is compressed, though nobody asked for it");
	*message = str_slice(frame, FRAME, frame.n);
	return 0;
}

/* ---- calls ---------------------------------------------------------------------------------------------------------------- */

struct waiting {
	struct arena *arena;
	str what;
	void (*done)(void *arg, str message, bool told, const struct err *e);
	void *arg;
};

/* The statuses by number; those without a name here come as ERR_INVALID. */
static const struct {
	int64_t status;
	const char *name;
	enum err_code code;
} statuses[] = {
	{ 4, "DEADLINE_EXCEEDED", ERR_TIMEOUT },       { 5, "NOT_FOUND", ERR_INVALID },
	{ 7, "PERMISSION_DENIED", ERR_DENIED },        { 8, "RESOURCE_EXHAUSTED", ERR_UNAVAILABLE },
	{ 10, "ABORTED", ERR_UNAVAILABLE },            { 12, "UNIMPLEMENTED", ERR_INVALID },
	{ 13, "INTERNAL", ERR_INVALID },               { 14, "UNAVAILABLE", ERR_UNAVAILABLE },
	{ 16, "UNAUTHENTICATED", ERR_UNAUTHENTICATED },
};

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* grpc-message is percent-encoded; what would be a control character stays as it is. */
static str
decode(struct arena *a, str s)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < s.n; i++) {
		int high = i + 2 < s.n && s.p[i] == '%' ? hex_digit(s.p[i + 1]) : -1, low = high < 0 ? -1 : hex_digit(s.p[i + 2]);
		bool coded = low >= 0 && high >= 2;
		buf_addc(&b, coded ? (char)(high << 4 | low) : s.p[i]);
		i += coded ? 2 : 0;
	}
	return arena_dup(a, buf_str(&b));
}

static int
status_error(struct waiting *w, int64_t status, str message, struct err *e)
{
	enum err_code code = ERR_INVALID;
	const char *name = NULL;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		if (statuses[i].status != status)
			continue;
		code = statuses[i].code;
		name = statuses[i].name;
	}
	str shown = name ? str_c(name) : arena_fmt(w->arena, "status %lld", (long long)status);
	str text = str_slice(decode(w->arena, message), 0, 300);
	return err_set(e, code, "%.*s: %.*s%s%.*s", STR_ARG(w->what), STR_ARG(shown), text.n ? ": " : "", STR_ARG(text));
}

/* 0: the server's status is OK. */
static int
read_status(struct waiting *w, const struct http_answer *ans, bool *told, struct err *e)
{
	int64_t status;
	if (!str_to_i64(http_answer_header(ans, "grpc-status"), &status)) {
		enum err_code code = ans->status == 200 || (ans->status < 500 && ans->status != 429) ? ERR_INVALID : ERR_UNAVAILABLE;
		return err_set(e, code, "%.*s: the server answered %d, without a status of gRPC", STR_ARG(w->what), ans->status);
	}
	*told = status != 0;
	return status ? status_error(w, status, http_answer_header(ans, "grpc-message"), e) : 0;
}

static int
read_answer(struct waiting *w, const struct http_answer *ans, str *message, bool *told, struct err *e)
{
	if (read_status(w, ans, told, e) < 0)
		return -1;
	return grpc_unframe(ans->body, message, e) < 0 ? err_wrap(e, "%.*s", STR_ARG(w->what)) : 0;
}

int
grpc_answer(struct arena *a, str what, const struct http_answer *ans, str *message, int *status, struct err *e)
{
	struct waiting w = { .arena = a, .what = what };
	bool told = false;
	int64_t number = -1;
	if (!str_to_i64(http_answer_header(ans, "grpc-status"), &number) || number < 0 || number > 99)
		number = -1;
	*status = (int)number;
	*message = STR_NONE;
	return read_answer(&w, ans, message, &told, e);
}

static void
answered(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct waiting *w = arg;
	struct err e = { 0 };
	str message = STR_NONE;
	bool told = false;
	int rc = -1;
	if (failure)
		e = *failure;
	else
		rc = read_answer(w, ans, &message, &told, &e);
	w->done(w->arg, message, told, rc < 0 ? &e : NULL);
	arena_free(w->arena);
}

/* The request that carries the call; its texts lie in `a`, `headers` must last until it is sent. */
static struct http_call
request_of(const struct grpc_call *call, struct http_header headers[4], struct arena *a)
{
	size_t n = 0;
	headers[n++] = (struct http_header){ S("Content-Type"), S("application/grpc") };
	headers[n++] = (struct http_header){ S("TE"), S("trailers") };
	if (call->id.n)
		headers[n++] = (struct http_header){ S("X-Tidegate-Firing-Id"), call->id };
	if (call->token.p)
		headers[n++] = (struct http_header){ S("Authorization"), arena_fmt(a, "Bearer %.*s", STR_ARG(call->token)) };
	str server = str_starts(call->server, S("dns:///")) ? str_slice(call->server, 7, call->server.n) : call->server;
	size_t colon = str_find_char(server, ':', 0);
	str host = call->server_name.n ? arena_fmt(a, "%.*s%.*s", STR_ARG(call->server_name), STR_ARG(str_slice(server, colon, server.n))) : server;
	struct http_call http = { .method = S("POST"), .headers = headers, .headers_n = n, .timeout_ms = call->timeout_ms, .ca_pem = call->ca_pem,
		                  .http2 = true, .body = grpc_frame(a, call->message) };
	http.url = arena_fmt(a, "%s://%.*s/%.*s", call->secure ? "https" : "http", STR_ARG(host), STR_ARG(call->method));
	if (call->server_name.n)
		http.connect_to = server;
	return http;
}

void
grpc_request(const struct grpc_call *call, struct arena *a, struct http_call *out)
{
	*out = request_of(call, ARENA_ARRAY(a, struct http_header, 4), a);
}

void
grpc_send(struct httpc *h, const struct grpc_call *call, void (*done)(void *arg, str message, bool told, const struct err *e), void *arg)
{
	struct arena *a = arena_new();
	struct waiting *w = ARENA_NEW(a, struct waiting);
	struct http_header headers[4];
	struct http_call http = request_of(call, headers, a);
	*w = (struct waiting){ a, arena_dup(a, call->method), done, arg };
	httpc_send(h, &http, answered, w);
}

/* ---- streams ---------------------------------------------------------------------------------------------------------- */

struct grpc_stream {
	struct waiting waiting; /* for the words of errors */
	const struct grpc_stream_ops *ops;
	void *arg;
	struct buf in; /* the beginning of a message */
	struct err wrong;
};

int
grpc_next(str in, str *message, size_t *used, struct err *e)
{
	uint64_t n = 0;
	for (size_t i = 1; i < FRAME && i < in.n; i++)
		n = n << 8 | (unsigned char)in.p[i];
	if (in.n && in.p[0])
		return err_set(e, ERR_UNSUPPORTED, "a message is compressed, though nobody asked for it");
	if (in.n >= FRAME && n > MESSAGE_MAX)
		return err_set(e, ERR_LIMIT, "a message of %llu bytes: more than 16 MiB", (unsigned long long)n);
	if (in.n < FRAME || in.n - FRAME < n)
		return 0;
	*message = str_slice(in, FRAME, FRAME + (size_t)n);
	*used = FRAME + (size_t)n;
	return 1;
}

/* Whole messages that lie in a piece are not copied. */
static bool
stream_piece(void *arg, str bytes)
{
	struct grpc_stream *s = arg;
	bool kept = s->in.n > 0;
	if (kept)
		buf_add(&s->in, bytes);
	str rest = kept ? buf_str(&s->in) : bytes, message;
	size_t used;
	int rc;
	bool more = true;
	while (more && (rc = grpc_next(rest, &message, &used, &s->wrong)) > 0) {
		more = s->ops->message(s->arg, message);
		rest = str_slice(rest, used, rest.n);
	}
	if (!more || rc < 0)
		return false;
	struct buf left = { 0 };
	buf_add(&left, rest);
	buf_free(&s->in);
	s->in = left;
	return true;
}

static void
stream_opened(void *arg, int status, const struct http_answer *head UNUSED)
{
	struct grpc_stream *s = arg;
	if (!status && s->ops->connected)
		s->ops->connected(s->arg);
}

static void
stream_done(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct grpc_stream *s = arg;
	struct err e = failure ? *failure : (struct err){ 0 };
	bool told = false;
	int rc = failure ? -1 : read_status(&s->waiting, ans, &told, &e);
	if (s->wrong.code) {
		e = s->wrong;
		rc = err_wrap(&e, "%.*s", STR_ARG(s->waiting.what));
	}
	s->ops->done(s->arg, rc < 0 ? &e : NULL);
	buf_free(&s->in);
	arena_free(s->waiting.arena);
}

struct grpc_stream *
grpc_listen(struct httpc *h, const struct grpc_call *call, const struct grpc_stream_ops *ops, void *arg)
{
	struct arena *a = arena_new();
	struct grpc_stream *s = ARENA_NEW(a, struct grpc_stream);
	struct http_header headers[4];
	struct http_call http = request_of(call, headers, a);
	*s = (struct grpc_stream){ .waiting = { .arena = a, .what = arena_dup(a, call->method) }, .ops = ops, .arg = arg };
	http.piece = stream_piece;
	http.opened = stream_opened;
	httpc_send(h, &http, stream_done, s);
	return s;
}
