/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd without a thread of its own: its epoll descriptor is watched by the loop, MHD_run handles what is ready,
 * and MHD_get_timeout arms a timer for what is not. All its calls are in this file.
 *
 * A request is born when its first line is read (the URI log callback), gets its body piece by piece, and is handed to
 * its route's handler when the body is complete. If the handler has not answered when it returns, the connection is
 * suspended: it costs no polling while the store commits. http_reply resumes it; libmicrohttpd then calls answer() once
 * more, which queues the response.
 *
 * Trap (0.9.75): with an external loop, MHD_resume_connection wakes nobody. MHD_run must follow, which run_soon arranges,
 * once a turn for all that were answered in it.
 *
 * libmicrohttpd brings GnuTLS along, two milliseconds and eight libraries: it is opened by name when the first server starts,
 * so that a command that serves nothing does without.
 *
 * A request may outlive its connection (httpd_stop) and a connection many requests: each is freed when both sides are done
 * with it.
 */
#include "core/net/httpd.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metrics.h"
#include "core/net/http_path.h"

#define HEAD_MAX (16 << 10)           /* request line, headers and a piece of the body, per connection; 0.9.75 zeroes it per request */
#define DRAIN_MAX ((size_t)1 << 20)   /* so much of a body beyond the limit is read, so that the client reads the answer */
#define SLOWEST_BODY (8 << 10)        /* bytes a second */
#define BODY_IN_ARENA (64 << 10)      /* a body announced as this size or less is allocated at once */
#define STREAM_MAX ((size_t)4 << 20)  /* bytes queued for a slow reader */
#define STREAM_BLOCK (16 << 10)
#define RUNS_MAX 4 /* in a row while there is more to do; during a TLS handshake 0.9.75 always says so, and only waits */
#define SWEEP_MS 1000
#define BACKLOG 1024
#define TURN_MAX 32 /* requests handled in one turn of the loop */

struct http_route {
	struct http_route *next;
	char *method; /* "*": any */
	struct http_pattern *pattern;
	size_t max_body; /* SIZE_MAX: the server's */
	http_handler *fn;
	void *arg;
	unsigned refs; /* the list and requests */
};

struct httpd {
	struct loop *loop;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timeout, sweep;
	int handles; /* that are open, and a deferred run; the last one's end frees */
	int epoll_fd;
	uint16_t port;
	char *unix_path;
	struct httpd_config config; /* its strings are not kept */
	char *cert, *key;
	struct http_route *routes;
	size_t buffered;
	struct link clients, requests, streams; /* connections; requests and streams on one */
	struct link next;        /* complete requests that the next turn handles */
	uint64_t turn;           /* of the last request that was handled */
	unsigned in_turn;        /* so many were in it */
	bool will_run, running, stopping;
	struct err *start_error; /* while starting: where libmicrohttpd's complaint goes */
};

/* A connection. */
struct client {
	struct link link;
	struct MHD_Connection *conn;
	int64_t deadline_ms; /* when its request must be here, on the loop's monotonic clock; 0: it is ours to answer */
};

struct http_req {
	struct link link; /* in httpd.requests while there is a connection */
	struct link next; /* in httpd.next while `postponed` */
	struct httpd *httpd;
	struct MHD_Connection *conn; /* NULL: gone */
	struct client *client;
	struct arena *arena;
	struct http_route *route;
	str method, raw, raw_path, path, query;
	struct buf large; /* the body if it was not announced as small */
	char *small;
	size_t body_n, small_cap, max_body, drained;
	const struct http_header *vars, *headers, *args;
	size_t vars_n, headers_n, args_n;
	bool begun, dispatched, suspended, too_large, postponed;
	bool answered;  /* the handler is done with it */
	VEC(struct http_header) reply_headers;
	struct MHD_Response *response;
	int status;
	int64_t started_ms;
	struct http_stream *stream;
};

struct http_stream {
	struct link link;
	struct httpd *httpd;
	struct MHD_Connection *conn; /* NULL: closed */
	struct buf queue;
	size_t sent; /* of the queue */
	bool suspended;
	bool ended; /* by its owner */
	bool gone;  /* the client is, or the server */
	void (*closed)(struct http_stream *st, void *arg);
	void *arg;
};

/* ---- loading libmicrohttpd ----------------------------------------------------------------------------------- */

/* The functions used: X(name without MHD_). */
#define MHD_FUNCTIONS(X)                                                                                              \
	X(add_response_header) X(create_response_from_buffer) X(create_response_from_callback) X(destroy_response)    \
	X(get_connection_info) X(get_connection_values) X(get_connection_values_n) X(get_daemon_info) X(get_timeout)  \
	X(lookup_connection_value_n) X(queue_response) X(quiesce_daemon) X(resume_connection) X(run) X(start_daemon) \
	X(stop_daemon) X(suspend_connection)

static struct {
#define X(name) __typeof__(&MHD_##name) name;
	MHD_FUNCTIONS(X)
#undef X
	bool loaded;
} mhd; /* filled once, on the loop's thread */

static pthread_t preloader;
static bool preloading;

static void *
open_library(void *arg UNUSED)
{
	return dlopen("libmicrohttpd.so.12", RTLD_LAZY | RTLD_LOCAL);
}

void
httpd_preload(void)
{
	if (!mhd.loaded && !preloading)
		preloading = pthread_create(&preloader, NULL, open_library, NULL) == 0;
}

static int
load(struct err *e)
{
	if (mhd.loaded)
		return 0;
	if (preloading)
		pthread_join(preloader, NULL);
	preloading = false;
	void *lib = open_library(NULL); /* counted: the second time costs nothing */
	if (!lib)
		return err_set(e, ERR_UNSUPPORTED, "libmicrohttpd cannot be loaded (%s): install libmicrohttpd12", dlerror());
#define X(name)                                                                                                  \
	*(void **)&mhd.name = dlsym(lib, "MHD_" #name);                                                          \
	if (!mhd.name)                                                                                           \
		return err_set(e, ERR_UNSUPPORTED, "libmicrohttpd is too old: it has no MHD_%s", #name);
	MHD_FUNCTIONS(X)
#undef X
	mhd.loaded = true;
	return 0;
}

/* ---- running libmicrohttpd ----------------------------------------------------------------------------------- */

static void on_timeout(uv_timer_t *t);

static void
run(struct httpd *h)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	bool armed = true;
	assert(!h->running);
	h->running = true;
	for (int i = 0; i < RUNS_MAX && armed && ms == 0; i++) {
		mhd.run(h->daemon);
		armed = mhd.get_timeout(h->daemon, &ms) == MHD_YES;
	}
	h->running = false;
	if (armed)
		uv_timer_start(&h->timeout, on_timeout, ms ? ms : 1, 0);
	else
		uv_timer_stop(&h->timeout);
}

static void
on_timeout(uv_timer_t *t)
{
	run(t->data);
}

static void
on_ready(uv_poll_t *p, int status UNUSED, int events UNUSED)
{
	run(p->data);
}

static void httpd_free(struct httpd *h);

static void
release(struct httpd *h)
{
	if (--h->handles == 0)
		httpd_free(h);
}

static void
run_deferred(void *arg)
{
	struct httpd *h = arg;
	h->will_run = false;
	if (h->daemon)
		run(h);
	release(h);
}

static void
run_soon(struct httpd *h)
{
	if (h->will_run)
		return;
	h->will_run = true;
	h->handles++;
	loop_defer(h->loop, run_deferred, h);
}

static int64_t
now_ms(const struct httpd *h)
{
	return (int64_t)uv_now(h->timeout.loop);
}

/* ---- routes ------------------------------------------------------------------------------------------------- */

static char *
dup_z(str s)
{
	char *p = mem_alloc(s.n + 1);
	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

static void
route_unref(struct http_route *rt)
{
	if (!rt || --rt->refs > 0)
		return;
	http_pattern_free(rt->pattern);
	free(rt->method);
	free(rt);
}

struct http_route *
httpd_route(struct httpd *h, const char *method, const char *pattern, http_handler *fn, void *arg)
{
	struct http_pattern *p;
	struct err e;
	if (http_pattern_new(pattern, &p, &e))
		return NULL;
	struct http_route *rt = MEM_NEW(struct http_route), **end = &h->routes;
	*rt = (struct http_route){ .method = dup_z(str_c(method)), .pattern = p, .max_body = SIZE_MAX, .fn = fn, .arg = arg, .refs = 1 };
	while (*end)
		end = &(*end)->next;
	return *end = rt;
}

void
httpd_unroute(struct httpd *h, struct http_route *rt)
{
	for (struct http_route **at = &h->routes; *at; at = &(*at)->next)
		if (*at == rt) {
			*at = rt->next;
			rt->fn = NULL; /* requests on their way in get 404 */
			route_unref(rt);
			return;
		}
}

void
http_route_max_body(struct http_route *rt, size_t bytes)
{
	rt->max_body = bytes;
}

static bool
serves(const struct http_route *rt, str method)
{
	return !strcmp(rt->method, "*") || str_eq(str_c(rt->method), method) || (!strcmp(rt->method, "GET") && str_eq(method, S("HEAD")));
}

/* Sets the route and its variables. */
static void
find_route(struct http_req *r)
{
	for (struct http_route *rt = r->httpd->routes; rt; rt = rt->next)
		if (serves(rt, r->method) && http_pattern_match(rt->pattern, r->path, r->arena, &r->vars, &r->vars_n)) {
			r->route = rt;
			rt->refs++;
			return;
		}
}

/* The methods that other routes serve this path with, for 405; empty: none. */
static str
allowed_methods(struct http_req *r)
{
	struct buf allow CLEANUP(free_buf) = { 0 };
	for (struct http_route *rt = r->httpd->routes; rt; rt = rt->next)
		if (http_pattern_match(rt->pattern, r->path, r->arena, NULL, NULL))
			buf_addf(&allow, "%s%s", allow.n ? ", " : "", rt->method);
	return arena_dup(r->arena, buf_str(&allow));
}

/* ---- requests ------------------------------------------------------------------------------------------------ */

static void
req_free(struct http_req *r)
{
	if (r->response)
		mhd.destroy_response(r->response);
	route_unref(r->route);
	buf_free(&r->large);
	VEC_FREE(&r->reply_headers);
	arena_free(r->arena);
}

/* The body's memory goes back into the server's budget. */
static void
give_back(struct http_req *r)
{
	if (r->httpd)
		r->httpd->buffered -= r->body_n;
	r->body_n = 0;
}

/* Called with the first line: "/path?query", or what a proxy would get. What it returns is *cls of answer(). */
static void *
on_request_line(void *cls, const char *uri, struct MHD_Connection *conn)
{
	struct httpd *h = cls;
	struct arena *a = arena_new();
	struct http_req *r = ARENA_NEW(a, struct http_req);
	const union MHD_ConnectionInfo *info = mhd.get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	*r = (struct http_req){ .httpd = h, .conn = conn, .client = info->socket_context, .arena = a, .raw = arena_dup(a, str_c(uri)),
		.started_ms = now_ms(h) };
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
		str allow = allowed_methods(r);
		if (!allow.n)
			return http_reply(r, 404, "text/plain; charset=utf-8", S("404 page not found\n"));
		http_reply_header(r, "Allow", allow);
		return http_reply(r, 405, NULL, S(""));
	}
	if (r->too_large && !own_limit)
		return http_reply(r, 413, "text/plain", S("request body too large\n"));
	r->route->fn(r, r->route->arg);
}

/* The first call for a request: its head is complete. True if it can be answered before its body is read. */
static bool
begin(struct http_req *r, const char *method)
{
	r->begun = true;
	r->method = arena_dup(r->arena, str_c(method));
	if (split_uri(r))
		find_route(r);
	else
		r->path = STR_NONE;
	r->max_body = r->route && r->route->max_body != SIZE_MAX ? r->route->max_body : r->httpd->config.max_body;
	int64_t announced;
	if (!str_to_i64(http_req_header(r, "Content-Length"), &announced) || announced <= 0)
		return false;
	if ((uint64_t)announced > r->max_body) {
		r->too_large = true;
		return (uint64_t)announced - r->max_body > DRAIN_MAX;
	}
	if (announced <= BODY_IN_ARENA) {
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
	size_t so_far = r->body_n + r->drained + piece.n;
	r->client->deadline_ms = r->started_ms + h->config.idle_seconds * INT64_C(1000) + (int64_t)(so_far / SLOWEST_BODY) * 1000;
	if (r->too_large || piece.n > r->max_body - r->body_n) {
		r->too_large = true;
		r->drained += piece.n;
		return r->drained <= r->max_body + DRAIN_MAX;
	}
	if (piece.n > h->config.max_buffered - h->buffered) {
		log_warn("too many request bodies at once, one refused", "peer", str_z(r->arena, http_req_peer(r)), NULL);
		return false;
	}
	if (r->small && piece.n <= r->small_cap - r->body_n)
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
	release(h);
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

/* libmicrohttpd's access handler: for the head, for each piece of the body, when it is complete, and after a resume. */
static enum MHD_Result
answer(void *cls UNUSED, struct MHD_Connection *conn, const char *url UNUSED, const char *method, const char *version UNUSED,
	const char *data, size_t *data_n, void **req)
{
	struct http_req *r = *req;
	if (!r->begun) {
		if (!begin(r, method))
			return MHD_YES;
		dispatch(r);
	} else if (*data_n) {
		bool ok = r->dispatched || take_body(r, (str){ data, *data_n });
		*data_n = 0;
		return ok ? MHD_YES : MHD_NO;
	} else if (!r->dispatched && turn_is_full(r->httpd)) {
		postpone(r);
	} else if (!r->dispatched) {
		dispatch(r);
	}
	if (r->response)
		return queue_answer(r);
	r->suspended = true;
	mhd.suspend_connection(conn);
	return MHD_YES;
}

static void stream_closed(struct http_stream *st);

/* The response is sent or will never be. */
static void
on_completed(void *cls, struct MHD_Connection *conn UNUSED, void **req, enum MHD_RequestTerminationCode why UNUSED)
{
	struct httpd *h = cls;
	struct http_req *r = *req;
	if (!r)
		return;
	*req = NULL;
	list_del(&r->link);
	unpostpone(r);
	give_back(r);
	r->client->deadline_ms = now_ms(h) + h->config.idle_seconds * INT64_C(1000);
	if (r->stream)
		stream_closed(r->stream);
	r->conn = NULL;
	r->httpd = NULL;
	if (!r->dispatched || r->answered)
		req_free(r);
}

static void
resume(struct http_req *r)
{
	if (!r->suspended)
		return;
	r->suspended = false;
	mhd.resume_connection(r->conn);
	run_soon(r->httpd);
}

/* ---- answering ----------------------------------------------------------------------------------------------- */

void
http_reply_header(struct http_req *r, const char *name, str value)
{
	*VEC_PUSH(&r->reply_headers) = (struct http_header){ str_c(name), arena_dup(r->arena, value) };
}

static void
set_response(struct http_req *r, int status, const char *content_type, struct MHD_Response *response)
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
	resume(r);
}

void
http_reply(struct http_req *r, int status, const char *content_type, str body)
{
	assert(!r->answered);
	r->answered = true;
	if (!r->conn)
		return req_free(r);
	if (r->response) /* the server is stopping and has answered 503 */
		return;
	/* With MUST_COPY the bytes are only read. */
	set_response(r, status, content_type, mhd.create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY));
}

/* ---- streams ------------------------------------------------------------------------------------------------- */

static void
stream_free(struct http_stream *st)
{
	list_del(&st->link);
	buf_free(&st->queue);
	free(st);
}

/* The connection is gone. Its owner learns it, unless he has ended it. */
static void
stream_closed(struct http_stream *st)
{
	st->conn = NULL;
	if (!st->ended)
		st->closed(st, st->arg);
	stream_free(st);
}

static void
stream_wake(struct http_stream *st)
{
	if (!st->suspended)
		return;
	st->suspended = false;
	mhd.resume_connection(st->conn);
	run_soon(st->httpd);
}

/* libmicrohttpd wants up to `max` bytes to send. */
static ssize_t
read_stream(void *cls, uint64_t pos UNUSED, char *to, size_t max)
{
	struct http_stream *st = cls;
	size_t n = st->queue.n - st->sent;
	if (n > 0) {
		n = n < max ? n : max;
		memcpy(to, st->queue.p + st->sent, n);
		st->sent += n;
		if (st->sent == st->queue.n) {
			st->queue.n = st->sent = 0;
			if (st->queue.cap > STREAM_BLOCK)
				buf_free(&st->queue);
		}
		return (ssize_t)n;
	}
	if (st->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (st->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	st->suspended = true;
	mhd.suspend_connection(st->conn);
	return 0;
}

struct http_stream *
http_stream_start(struct http_req *r, int status, const char *content_type, void (*closed)(struct http_stream *st, void *arg), void *arg)
{
	assert(!r->answered);
	struct http_stream *st = MEM_NEW(struct http_stream);
	*st = (struct http_stream){ .httpd = r->httpd, .conn = r->conn, .closed = closed, .arg = arg };
	r->answered = true;
	if (!r->conn || r->response) { /* the server has stopped meanwhile: a stream that goes nowhere */
		st->gone = true;
		if (!r->conn)
			req_free(r);
		st->conn = NULL;
		return st;
	}
	list_add_tail(&r->httpd->streams, &st->link);
	r->stream = st;
	set_response(r, status, content_type, mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, st, NULL));
	return st;
}

int
http_stream_write(struct http_stream *st, str bytes)
{
	size_t waiting = st->queue.n - st->sent;
	if (!st->conn || st->gone || (waiting && (waiting > STREAM_MAX || bytes.n > STREAM_MAX - waiting)))
		return -1;
	if (st->sent > STREAM_MAX / 2) { /* what was sent makes room */
		memmove(st->queue.p, st->queue.p + st->sent, st->queue.n - st->sent);
		st->queue.n -= st->sent;
		st->sent = 0;
	}
	buf_add(&st->queue, bytes);
	stream_wake(st);
	return 0;
}

void
http_stream_end(struct http_stream *st)
{
	st->ended = true;
	if (!st->conn)
		return stream_free(st);
	stream_wake(st);
}

/* ---- slow and vanished clients ------------------------------------------------------------------------------- */

static int
socket_of(struct MHD_Connection *conn)
{
	return mhd.get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* A suspended stream's socket is watched by nobody. */
static void
check_stream(struct http_stream *st)
{
	struct pollfd p = { .fd = st->suspended ? socket_of(st->conn) : -1, .events = POLLRDHUP };
	if (!st->suspended || poll(&p, 1, 0) <= 0)
		return;
	st->gone = true;
	stream_wake(st);
}

static void
on_sweep(uv_timer_t *t)
{
	struct httpd *h = t->data;
	int64_t now = now_ms(h);
	LIST_EACH(&h->clients, struct client, link, c)
		if (c->deadline_ms && c->deadline_ms < now) {
			c->deadline_ms = 0;
			shutdown(socket_of(c->conn), SHUT_RDWR); /* libmicrohttpd sees the end and closes */
		}
	LIST_EACH(&h->streams, struct http_stream, link, st)
		check_stream(st);
	if (list_empty(&h->clients))
		uv_timer_stop(t);
}

static void
on_connection(void *cls, struct MHD_Connection *conn, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct httpd *h = cls;
	struct client *c = *context;
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (c)
			list_del(&c->link);
		free(c);
		*context = NULL;
		return;
	}
	c = MEM_NEW(struct client);
	c->conn = conn;
	c->deadline_ms = now_ms(h) + h->config.idle_seconds * INT64_C(1000);
	if (list_empty(&h->clients))
		uv_timer_start(&h->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	list_add_tail(&h->clients, &c->link);
	*context = c;
}

/* ---- what a request says --------------------------------------------------------------------------------------- */

struct arena *
http_req_arena(struct http_req *r)
{
	return r->arena;
}

str
http_req_method(const struct http_req *r)
{
	return r->method;
}

str
http_req_path(const struct http_req *r)
{
	return r->path;
}

str
http_req_raw_path(const struct http_req *r)
{
	return r->raw_path;
}

str
http_req_query(const struct http_req *r)
{
	return r->query;
}

str
http_req_body(const struct http_req *r)
{
	return r->large.n ? buf_str(&r->large) : (str){ r->small ? r->small : "", r->body_n };
}

bool
http_req_too_large(const struct http_req *r)
{
	return r->too_large;
}

str
http_req_header(const struct http_req *r, const char *name)
{
	const char *value = NULL;
	size_t n = 0;
	if (!r->conn || mhd.lookup_connection_value_n(r->conn, MHD_HEADER_KIND, name, strlen(name), &value, &n) != MHD_YES || !value)
		return STR_NONE;
	return (str){ value, n };
}

struct header_list {
	struct http_header *p;
	size_t n, max;
};

static enum MHD_Result
add_header(void *cls, enum MHD_ValueKind kind UNUSED, const char *name, size_t name_n, const char *value, size_t value_n)
{
	struct header_list *l = cls;
	if (l->n < l->max)
		l->p[l->n++] = (struct http_header){ { name, name_n }, { value ? value : "", value_n } };
	return MHD_YES;
}

size_t
http_req_headers(const struct http_req *r, const struct http_header **out)
{
	if (!r->headers && r->conn) {
		struct http_req *m = (struct http_req *)(uintptr_t)r; /* only fills its cache */
		int n = mhd.get_connection_values(r->conn, MHD_HEADER_KIND, NULL, NULL);
		struct header_list l = { .p = ARENA_ARRAY(r->arena, struct http_header, (size_t)n), .max = (size_t)n };
		mhd.get_connection_values_n(r->conn, MHD_HEADER_KIND, add_header, &l);
		m->headers = l.p;
		m->headers_n = l.n;
	}
	*out = r->headers;
	return r->headers_n;
}

static str
find_pair(const struct http_header *p, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(p[i].name, str_c(name)))
			return p[i].value;
	return STR_NONE;
}

str
http_req_var(const struct http_req *r, const char *name)
{
	return find_pair(r->vars, r->vars_n, name);
}

size_t
http_req_args(const struct http_req *r, const struct http_header **out)
{
	if (!r->args) {
		struct http_req *m = (struct http_req *)(uintptr_t)r;
		m->args_n = http_form_parse(r->arena, r->query, &m->args);
	}
	*out = r->args;
	return r->args_n;
}

str
http_req_arg(const struct http_req *r, const char *name)
{
	const struct http_header *args;
	size_t n = http_req_args(r, &args);
	return find_pair(args, n, name);
}

bool
http_req_is_unix(const struct http_req *r)
{
	return r->httpd && r->httpd->unix_path;
}

str
http_req_peer(const struct http_req *r)
{
	if (http_req_is_unix(r) || !r->conn)
		return S("unix");
	const union MHD_ConnectionInfo *info = mhd.get_connection_info(r->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char host[64], port[16];
	socklen_t n = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (getnameinfo(info->client_addr, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
		return S("unknown");
	const char *mapped = str_starts(str_c(host), S("::ffff:")) ? host + 7 : host;
	return arena_fmt(r->arena, strchr(mapped, ':') ? "[%s]:%s" : "%s:%s", mapped, port);
}

/* ---- listening ------------------------------------------------------------------------------------------------- */

static int
listen_error(struct err *e, const char *what)
{
	if (errno == EADDRINUSE)
		return err_set(e, ERR_EXISTS, "listen on %s: the address is in use", what);
	return err_errno(e, "listen on %s", what);
}

static int
listen_at(const struct addrinfo *ai, const char *what, struct err *e)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0;
	if (fd < 0)
		return listen_error(e, what);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (ai->ai_family == AF_INET6) /* "::" serves IPv4 as well */
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG)) {
		listen_error(e, what);
		close(fd);
		return -1;
	}
	return fd;
}

static int
listen_tcp(const struct httpd_config *c, struct err *e)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *ai;
	char port[8], what[96];
	bool any = !c->address.n;
	char *host = dup_z(any ? S("::") : str_eq(c->address, S("localhost")) ? S("127.0.0.1") : c->address);
	snprintf(port, sizeof port, "%u", c->port);
	snprintf(what, sizeof what, "%.60s:%s", any ? "" : host, port);
	int rc = getaddrinfo(host, port, &hints, &ai), fd = -1;
	free(host);
	if (rc)
		return err_set(e, ERR_INVALID, "listen on %s: write a numeric address, as in 127.0.0.1", what);
	fd = listen_at(ai, what, e);
	freeaddrinfo(ai);
	if (fd < 0 && any && e->code != ERR_EXISTS && !getaddrinfo("0.0.0.0", port, &hints, &ai)) { /* a host without IPv6 */
		fd = listen_at(ai, what, e);
		freeaddrinfo(ai);
	}
	return fd;
}

/* Does somebody answer there? A socket file outlives its server. */
static bool
is_alive(const struct sockaddr_un *sa)
{
	int fd CLEANUP(close_fd) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 || errno != ECONNREFUSED;
}

static int
listen_unix(str path, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	if (!path.n || path.n >= sizeof sa.sun_path)
		return err_set(e, ERR_INVALID, "listen on unix:%.*s: the path must have 1 to %zu bytes", STR_ARG(path), sizeof sa.sun_path - 1);
	memcpy(sa.sun_path, path.p, path.n);
	struct stat st;
	if (lstat(sa.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && !is_alive(&sa))
		(void)unlink(sa.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Nobody can connect before listen(), so the mode is in time. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) || chmod(sa.sun_path, 0600) || listen(fd, BACKLOG)) {
		listen_error(e, sa.sun_path);
		close_fd(&fd);
		return -1;
	}
	return fd;
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof sa;
	if (getsockname(fd, (struct sockaddr *)&sa, &n))
		return 0;
	return ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port : ((struct sockaddr_in *)&sa)->sin_port);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* libmicrohttpd's complaints: while starting they become the error, later they are about clients. */
__attribute__((format(printf, 2, 0))) static void
on_message(void *cls, const char *fmt, va_list ap)
{
	struct httpd *h = cls;
	char text[300];
	vsnprintf(text, sizeof text, fmt, ap);
	str line = str_trim(str_c(text));
	text[line.p - text + (ptrdiff_t)line.n] = 0;
	if (h->start_error)
		err_set(h->start_error, ERR_INVALID, "http server: %s", line.p);
	else
		log_debug("http", "detail", line.p, NULL);
}

static size_t
keep_escapes(void *cls UNUSED, struct MHD_Connection *conn UNUSED, char *s)
{
	return strlen(s); /* paths and queries are decoded here, where slashes and errors are seen */
}

static int
start_daemon(struct httpd *h, int fd, struct err *e)
{
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, h->cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, h->key },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (h->cert ? MHD_USE_TLS : 0);
	err_set(e, ERR_INVALID, "http server: cannot start");
	h->start_error = e;
	h->daemon = mhd.start_daemon(flags, 0, NULL, NULL, answer, h,
		MHD_OPTION_EXTERNAL_LOGGER, on_message, h,
		MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_URI_LOG_CALLBACK, on_request_line, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_CONNECTION_LIMIT, h->config.max_connections,
		MHD_OPTION_CONNECTION_TIMEOUT, h->config.idle_seconds,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_ARRAY, h->cert ? tls : tls + 2,
		MHD_OPTION_END);
	h->start_error = NULL;
	if (!h->daemon)
		return -1;
	h->epoll_fd = mhd.get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return 0;
}

static void
watch(struct httpd *h)
{
	uv_loop_t *uv = loop_uv(h->loop);
	uv_timer_init(uv, &h->timeout);
	uv_timer_init(uv, &h->sweep);
	uv_poll_init(uv, &h->poll, h->epoll_fd);
	h->handles = 3;
	h->timeout.data = h->sweep.data = h->poll.data = h;
	uv_poll_start(&h->poll, UV_READABLE, on_ready);
}

static void
httpd_free(struct httpd *h)
{
	for (struct http_route *rt = h->routes; rt;) {
		struct http_route *next = rt->next;
		rt->fn = NULL;
		route_unref(rt);
		rt = next;
	}
	free(h->unix_path);
	free(h->cert);
	free(h->key);
	free(h);
}

int
httpd_start(struct loop *l, const struct httpd_config *c, struct httpd **out, struct err *e)
{
	if (load(e))
		return -1;
	bool is_unix = str_starts(c->address, S("unix:"));
	str path = is_unix ? str_slice(c->address, 5, c->address.n) : STR_NONE;
	int fd = is_unix ? listen_unix(path, e) : listen_tcp(c, e);
	if (fd < 0)
		return -1;
	struct httpd *h = MEM_NEW(struct httpd);
	h->loop = l;
	h->config = *c;
	h->config.address = h->config.cert_pem = h->config.key_pem = STR_NONE;
	h->config.max_body = c->max_body ? c->max_body : (size_t)1 << 20;
	h->config.max_connections = c->max_connections ? c->max_connections : 4096;
	h->config.idle_seconds = c->idle_seconds ? c->idle_seconds : 60;
	h->config.max_buffered = c->max_buffered ? c->max_buffered : (size_t)256 << 20;
	h->port = is_unix ? 0 : port_of(fd);
	h->unix_path = is_unix ? dup_z(path) : NULL;
	h->cert = c->cert_pem.n ? dup_z(c->cert_pem) : NULL;
	h->key = c->key_pem.n ? dup_z(c->key_pem) : NULL;
	list_init(&h->clients);
	list_init(&h->requests);
	list_init(&h->streams);
	list_init(&h->next);
	if (start_daemon(h, fd, e)) {
		close(fd);
		httpd_free(h);
		return -1;
	}
	watch(h);
	*out = h;
	return 0;
}

uint16_t
httpd_port(const struct httpd *h)
{
	return h->port;
}

static void
on_handle_closed(uv_handle_t *handle)
{
	release(handle->data);
}

void
httpd_stop(struct httpd *h)
{
	if (!h)
		return;
	assert(!h->running);
	h->stopping = true;
	int fd = mhd.quiesce_daemon(h->daemon);
	close_fd(&fd);
	if (h->unix_path)
		(void)unlink(h->unix_path);
	LIST_EACH(&h->requests, struct http_req, link, r)
		if (r->suspended && !r->answered) {
			unpostpone(r);
			static const char text[] = "shutting down\n";
			set_response(r, 503, "text/plain",
				mhd.create_response_from_buffer(sizeof text - 1, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT));
		}
	LIST_EACH(&h->streams, struct http_stream, link, st) {
		st->gone = true;
		stream_wake(st);
	}
	run(h);
	run(h);
	uv_close((uv_handle_t *)&h->poll, on_handle_closed);
	uv_close((uv_handle_t *)&h->timeout, on_handle_closed);
	uv_close((uv_handle_t *)&h->sweep, on_handle_closed);
	struct MHD_Daemon *d = h->daemon;
	h->daemon = NULL;
	mhd.stop_daemon(d);
}
