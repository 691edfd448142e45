/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request: its first line is read, its body comes, its route's handler is called, it is answered, its connection has sent the
 * answer. Slow work between two of these is the handler's; the connection is suspended meanwhile.
 */
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metrics.h"
#include "core/net/http_path.h"
#include "core/net/httpd_impl.h"

#define DRAIN_MAX ((size_t)1 << 20)   /* so much of a body beyond the limit is read, so that the client reads the answer */
#define SLOWEST_BODY (8 << 10)        /* bytes a second */
#define BODY_IN_ARENA (64 << 10)      /* a body announced as this size or less is allocated at once */
#define TURN_MAX 32 /* requests handled in one turn of the loop */

/* ---- its parts ------------------------------------------------------------------------------------------------- */

void
httpd_req_free(struct http_req *r)
{
	if (r->ended)
		r->ended(r->ended_arg);
	if (r->response)
		mhd.destroy_response(r->response);
	httpd_route_unref(r->route);
	buf_free(&r->large);
	httpd_spool_free(r);
	VEC_FREE(&r->reply_headers);
	arena_free(r->arena);
}

void
httpd_body_left(struct http_req *r, size_t bytes)
{
	if (r->httpd)
		r->httpd->buffered -= bytes;
	r->body_n -= bytes;
}

/* Called with the first line: "/path?query", or what a proxy would get. What it returns is *cls of httpd_on_access(). */
void *
httpd_on_request_line(void *cls, const char *uri, struct MHD_Connection *conn)
{
	struct httpd *h = cls;
	struct arena *a = arena_new();
	struct http_req *r = ARENA_NEW(a, struct http_req);
	const union MHD_ConnectionInfo *info = mhd.get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	*r = (struct http_req){ .httpd = h, .conn = conn, .client = info->socket_context, .arena = a, .raw = arena_dup(a, str_c(uri)),
		.started_ms = httpd_now_ms(h) };
	r->client->deadline_ms = r->started_ms + h->config.idle_seconds * INT64_C(1000);
	list_add_tail(&h->requests, &r->link);
	return r;
}

/* Absolute forms (RFC 9112 3.2.2) lose scheme and authority. */
static bool
split_uri(struct http_req *r)
{
	str rest = r->raw;
	if (!str_starts(rest, S("/"))) {
		size_t host = str_find(rest, S("://"), 0);
		if (host != SIZE_MAX) {
			size_t slash = str_find_char(rest, '/', host + 3);
			rest = slash == SIZE_MAX ? S("/") : str_slice(rest, slash, rest.n);
		}
	}
	size_t question = str_find_char(rest, '?', 0);
	r->raw_path = str_slice(rest, 0, question);
	r->query = question == SIZE_MAX ? S("") : str_slice(rest, question + 1, rest.n);
	bool plain = str_find_char(r->raw_path, '%', 0) == SIZE_MAX;
	r->path = plain ? r->raw_path : http_unescape(r->arena, r->raw_path, false);
	return r->path.p && str_find_char(r->path, 0, 0) == SIZE_MAX;
}

static void
dispatch(struct http_req *r)
{
	r->dispatched = true;
	r->client->deadline_ms = 0;
	bool own_limit = r->route && r->route->max_body != SIZE_MAX;
	if (r->httpd->stopping)
		return http_reply(r, 503, "text/plain", S("shutting down\n"));
	if (!r->path.p)
		return http_reply(r, 400, "text/plain", S("bad path\n"));
	if (!r->route || !r->route->fn) {
		str allow = httpd_allowed_methods(r);
		if (!allow.n)
			return http_reply(r, 404, "text/plain; charset=utf-8", S("404 page not found\n"));
		http_reply_header(r, "Allow", allow);
		return http_reply(r, 405, NULL, S(""));
	}
	if (r->too_large && !own_limit)
		return http_reply(r, 413, "text/plain", S("request body too large\n"));
	r->route->fn(r, r->route->arg);
}

/* Whether the body is wanted, and may go to its file. If not, it is answered. */
static bool
admit(struct http_req *r)
{
	r->dispatched = true; /* for who answers now */
	if (!r->route->admit(r, r->route->arg))
		return false;
	r->dispatched = false;
	httpd_spool_new(r);
	return true;
}

/* The first call for a request: its head is complete. True if it can be answered before its body is read. */
static bool
begin(struct http_req *r, const char *method)
{
	r->begun = true;
	r->method = arena_dup(r->arena, str_c(method));
	if (split_uri(r))
		httpd_find_route(r);
	else
		r->path = STR_NONE;
	r->max_body = r->route && r->route->max_body != SIZE_MAX ? r->route->max_body : r->httpd->config.max_body;
	if (r->route && r->route->spool_folder && r->route->fn && !r->httpd->stopping && !admit(r))
		return true;
	int64_t announced;
	if (!str_to_i64(http_req_header(r, "Content-Length"), &announced) || announced <= 0)
		return false;
	if ((uint64_t)announced > r->max_body) {
		r->too_large = true;
		return (uint64_t)announced - r->max_body > DRAIN_MAX;
	}
	if (announced <= BODY_IN_ARENA && !r->spool) {
		r->small_cap = (size_t)announced;
		r->small = arena_alloc(r->arena, r->small_cap + 1, 1);
	}
	return false;
}

/* False: the connection is to be closed. */
static bool
take_body(struct http_req *r, str piece)
{
	struct httpd *h = r->httpd;
	uint64_t taken = r->spool ? httpd_spool_bytes(r) : r->body_n, so_far = taken + r->drained + piece.n;
	r->client->deadline_ms = r->started_ms + h->config.idle_seconds * INT64_C(1000) + (int64_t)(so_far / SLOWEST_BODY) * 1000;
	if (r->too_large || piece.n > r->max_body - taken) {
		r->too_large = true;
		r->drained += piece.n;
		return r->drained <= (r->spool ? 0 : r->max_body) + DRAIN_MAX;
	}
	if (piece.n > h->config.max_buffered - h->buffered) {
		log_warn("too many request bodies at once, one refused", "peer", str_z(r->arena, http_req_peer(r)), NULL);
		return false;
	}
	if (r->spool) {
		if (!httpd_spool_take(r, piece))
			return false;
	} else if (r->small && piece.n <= r->small_cap - r->body_n)
		memcpy(r->small + r->body_n, piece.p, piece.n);
	else
		buf_add(&r->large, piece);
	r->body_n += piece.n;
	h->buffered += piece.n;
	return true;
}

/* ---- how many a turn handles ----------------------------------------------------------------------------------- */

/*
 * What a turn decides is one transaction. With all that is there in one turn, the disk would have nothing to do while it is
 * decided, and we nothing while it is written; so the rest is handled once the store has what TURN_MAX requests made.
 */
static bool
turn_is_full(struct httpd *h)
{
	if (h->turn != loop_turns(h->loop))
		h->in_turn = 0;
	h->turn = loop_turns(h->loop);
	return h->in_turn++ >= TURN_MAX;
}

static void handle_next(void *arg);

static void
handle_soon(struct httpd *h)
{
	h->handles++;
	loop_after_turn(h->loop, handle_next, h);
}

static void
unpostpone(struct http_req *r)
{
	if (r->postponed)
		list_del(&r->next);
	r->postponed = false;
}

static void
handle_next(void *arg)
{
	struct httpd *h = arg;
	for (h->in_turn = 0; h->in_turn < TURN_MAX && !list_empty(&h->next); h->in_turn++) {
		struct http_req *r = LIST_FIRST(&h->next, struct http_req, next);
		unpostpone(r);
		dispatch(r);
	}
	if (!list_empty(&h->next))
		handle_soon(h);
	httpd_release(h);
}

static void
postpone(struct http_req *r)
{
	struct httpd *h = r->httpd;
	if (list_empty(&h->next))
		handle_soon(h);
	list_add_tail(&h->next, &r->next);
	r->postponed = true;
}

static enum MHD_Result
queue_answer(struct http_req *r)
{
	enum MHD_Result ok = mhd.queue_response(r->conn, (unsigned)r->status, r->response);
	mhd.destroy_response(r->response); /* our reference */
	r->response = NULL;
	return ok;
}

static void
suspend(struct http_req *r)
{
	if (r->suspended) /* it may hand over a further piece that it had already */
		return;
	r->suspended = true;
	mhd.suspend_connection(r->conn);
}

/* libmicrohttpd's access handler: for the head, for each piece of the body, when it is complete, and after a resume. */
enum MHD_Result
httpd_on_access(void *cls UNUSED, struct MHD_Connection *conn UNUSED, const char *url UNUSED, const char *method, const char *version UNUSED,
	const char *data, size_t *data_n, void **req)
{
	struct http_req *r = *req;
	if (!r->begun) {
		if (!begin(r, method))
			return MHD_YES;
		if (!r->dispatched)
			dispatch(r);
	} else if (*data_n) {
		bool ok = r->dispatched || take_body(r, (str){ data, *data_n });
		*data_n = 0;
		if (ok && httpd_spool_waits(r) && !r->httpd->stopping)
			suspend(r);
		return ok ? MHD_YES : MHD_NO;
	} else if (!r->dispatched && r->spool && !r->httpd->stopping && httpd_spool_flush(r)) {
		suspend(r);
		return MHD_YES;
	} else if (!r->dispatched && turn_is_full(r->httpd)) {
		postpone(r);
	} else if (!r->dispatched) {
		dispatch(r);
	}
	if (r->response)
		return queue_answer(r);
	suspend(r);
	return MHD_YES;
}

/* The response is sent or will never be. */
void
httpd_on_completed(void *cls, struct MHD_Connection *conn UNUSED, void **req, enum MHD_RequestTerminationCode why UNUSED)
{
	struct httpd *h = cls;
	struct http_req *r = *req;
	if (!r)
		return;
	*req = NULL;
	list_del(&r->link);
	unpostpone(r);
	httpd_body_left(r, r->body_n);
	r->client->deadline_ms = httpd_now_ms(h) + h->config.idle_seconds * INT64_C(1000);
	if (r->stream)
		httpd_stream_closed(r->stream);
	r->conn = NULL;
	r->httpd = NULL;
	if (!r->dispatched || r->answered)
		httpd_req_free(r);
}

void
httpd_resume(struct http_req *r)
{
	if (!r->suspended)
		return;
	r->suspended = false;
	mhd.resume_connection(r->conn);
	httpd_run_soon(r->httpd);
}

/* ---- a client that leaves -------------------------------------------------------------------------------------- */

void
http_req_on_gone(struct http_req *r, void (*gone)(void *arg), void *arg)
{
	r->gone = gone;
	r->gone_arg = arg;
}

void
http_req_on_end(struct http_req *r, void (*ended)(void *arg), void *arg)
{
	r->ended = ended;
	r->ended_arg = arg;
}

/*
 * Whether the client closed his side in the middle of a body, all of which that came is read. libmicrohttpd (0.9.75) does not see an end that came with the
 * last bytes: it would hold the file until the connection has been idle for too long.
 */
static bool
broke_off(const struct http_req *r)
{
	int waiting = 0;
	return r->spool && !r->dispatched && !r->suspended && httpd_has_left(r->conn) && ioctl(httpd_socket_of(r->conn), FIONREAD, &waiting) == 0 && !waiting;
}

void
httpd_check_requests(struct httpd *h)
{
	LIST_EACH(&h->requests, struct http_req, link, r)
		if (broke_off(r)) {
			r->client->deadline_ms = 1;
		} else if (r->gone && r->suspended && !r->answered && httpd_has_left(r->conn)) {
			void (*gone)(void *arg) = r->gone;
			r->gone = NULL;
			gone(r->gone_arg);
		}
}

/* ---- answering ------------------------------------------------------------------------------------------------- */

void
http_reply_header(struct http_req *r, const char *name, str value)
{
	*VEC_PUSH(&r->reply_headers) = (struct http_header){ str_c(name), arena_dup(r->arena, value) };
}

void
httpd_set_response(struct http_req *r, int status, const char *content_type, struct MHD_Response *response)
{
	char code[16];
	text_format(code, sizeof code, "%d", status);
	metric_add(METRIC_HTTP_REQUESTS, 1, code, NULL);
	/* A header that cannot be sent (a line break in it) is left out. */
	if (content_type)
		(void)mhd.add_response_header(response, "Content-Type", content_type);
	for (size_t i = 0; i < r->reply_headers.n; i++)
		(void)mhd.add_response_header(response, r->reply_headers.p[i].name.p, r->reply_headers.p[i].value.p);
	r->status = status;
	r->response = response;
	httpd_resume(r);
}

void
http_reply(struct http_req *r, int status, const char *content_type, str body)
{
	assert(!r->answered);
	r->answered = true;
	if (!r->conn)
		return httpd_req_free(r);
	if (r->response) /* the server is stopping and has answered 503 */
		return;
	/* With MUST_COPY the bytes are only read. */
	httpd_set_response(r, status, content_type, mhd.create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY));
}

void
http_reply_file(struct http_req *r, int status, const char *content_type, int fd, uint64_t bytes)
{
	assert(!r->answered);
	r->answered = true;
	if (!r->conn || r->response) {
		close(fd);
		if (!r->conn)
			httpd_req_free(r);
		return;
	}
	httpd_set_response(r, status, content_type, mhd.create_response_from_fd64(bytes, fd));
}

/* The server stops: 503 to all that wait. Their handlers' answers go nowhere. */
void
httpd_end_requests(struct httpd *h)
{
	LIST_EACH(&h->requests, struct http_req, link, r)
		if (r->suspended && !r->answered) {
			unpostpone(r);
			static const char text[] = "shutting down\n";
			httpd_set_response(r, 503, "text/plain",
				mhd.create_response_from_buffer(sizeof text - 1, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT));
		}
}
