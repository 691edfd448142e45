/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpd_impl: what the files of the HTTP server share; nobody else includes it. All of libmicrohttpd's calls are in them.
 *
 *     httpd.c          a server: its life, and running libmicrohttpd on the loop
 *     httpd_library.c  opening libmicrohttpd
 *     httpd_listen.c   the socket it listens on
 *     httpd_client.c   connections that are idle or gone
 *     httpd_route.c    which handler a request goes to
 *     httpd_request.c  the way of a request, until it is answered
 *     httpd_stream.c   answers that have no end yet
 *     httpd_read.c     what a request says
 *     httpd_spool.c    bodies that go to a file
 */
#ifndef TIDEGATE_CORE_NET_HTTPD_IMPL_H
#define TIDEGATE_CORE_NET_HTTPD_IMPL_H

#include <microhttpd.h>

#include "core/net/httpd.h"

/* The functions used: X(name without MHD_). */
#define MHD_FUNCTIONS(X)                                                                                              \
	X(add_response_header) X(create_response_from_buffer) X(create_response_from_callback) X(create_response_from_fd64) X(destroy_response)    \
	X(get_connection_info) X(get_connection_values) X(get_connection_values_n) X(get_daemon_info) X(get_timeout)  \
	X(lookup_connection_value_n) X(queue_response) X(quiesce_daemon) X(resume_connection) X(run) X(start_daemon) \
	X(stop_daemon) X(suspend_connection)

struct mhd {
#define X(name) __typeof__(&MHD_##name) name;
	MHD_FUNCTIONS(X)
#undef X
};
extern struct mhd mhd;

struct http_route {
	struct http_route *next;
	char *method; /* "*": any */
	struct http_pattern *pattern;
	size_t max_body; /* SIZE_MAX: the server's */
	char *spool_folder; /* where its bodies go; NULL: to memory */
	bool (*admit)(struct http_req *r, void *arg);
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
	struct spool *spool; /* where the body goes instead; NULL: to memory */
	size_t body_n, small_cap, max_body, drained; /* body_n: of it in memory */
	const struct http_header *vars, *headers, *args;
	size_t vars_n, headers_n, args_n;
	bool begun, dispatched, suspended, too_large, postponed;
	bool answered;  /* the handler is done with it */
	void (*gone)(void *arg); /* to be told if the client leaves meanwhile; NULL: nobody */
	void *gone_arg;
	void (*ended)(void *arg); /* to be told when it is freed; NULL: nobody */
	void *ended_arg;
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

/* ---- httpd.c ------------------------------------------------------------------------------------------------------ */

/* One handle less; the last one's end frees the server. */
void httpd_release(struct httpd *h);
/* Lets libmicrohttpd go on, once at the end of the turn: after a resume it is not woken otherwise. */
void httpd_run_soon(struct httpd *h);
int64_t httpd_now_ms(const struct httpd *h); /* monotonic */
/* The path of "unix:/path"; absent: the address is another. */
str httpd_unix_path(const struct httpd_config *c);

/* ---- httpd_library.c ---------------------------------------------------------------------------------------------- */

int httpd_load(struct err *e) MUST_CHECK;

/* ---- httpd_listen.c ------------------------------------------------------------------------------------------------ */

/* The descriptor; -1: an error. */
int httpd_listen(const struct httpd_config *c, struct err *e) MUST_CHECK;
uint16_t httpd_port_of(int fd);

/* ---- httpd_client.c ------------------------------------------------------------------------------------------------ */

int httpd_socket_of(struct MHD_Connection *conn);
/* libmicrohttpd tells of connections that come and go. */
void httpd_on_connection(void *cls, struct MHD_Connection *conn, void **context, enum MHD_ConnectionNotificationCode what);

/* ---- httpd_route.c ------------------------------------------------------------------------------------------------- */

void httpd_route_unref(struct http_route *rt);
/* Sets the route and its variables. */
void httpd_find_route(struct http_req *r);
/* The methods that other routes serve this path with, for 405; empty: none. */
str httpd_allowed_methods(struct http_req *r);

/* ---- httpd_request.c ----------------------------------------------------------------------------------------------- */

/* libmicrohttpd tells of a first line; of a head, each piece of a body, its end, and a resume; of an answer that is sent, or never will be. */
void *httpd_on_request_line(void *cls, const char *uri, struct MHD_Connection *conn);
enum MHD_Result httpd_on_access(void *cls, struct MHD_Connection *conn, const char *url, const char *method, const char *version, const char *data,
                                size_t *data_n, void **req);
void httpd_on_completed(void *cls, struct MHD_Connection *conn, void **req, enum MHD_RequestTerminationCode why);
/* Takes the response; the request goes on. */
void httpd_set_response(struct http_req *r, int status, const char *content_type, struct MHD_Response *response);
void httpd_req_free(struct http_req *r);
/* So much of the body is in memory no more. */
void httpd_body_left(struct http_req *r, size_t bytes);
/* Lets a connection go on that waited, in this turn. */
void httpd_resume(struct http_req *r);
/* Whether the client has closed his side: while a connection is suspended nobody else looks. */
bool httpd_has_left(struct MHD_Connection *conn);
/* Who wants to know it is told that his client has gone; a body that breaks off is given up. */
void httpd_check_requests(struct httpd *h);
void httpd_end_requests(struct httpd *h);

/* ---- httpd_spool.c ------------------------------------------------------------------------------------------------- */

/* The body of this request goes to a file. */
void httpd_spool_new(struct http_req *r);
void httpd_spool_free(struct http_req *r);
uint64_t httpd_spool_bytes(const struct http_req *r);
/* A piece has come. False: it cannot be kept, nor what comes after it. */
bool httpd_spool_take(struct http_req *r, str piece);
/* Whether the connection is to wait until a piece is written; it is resumed then. */
bool httpd_spool_waits(const struct http_req *r);
/* The body has come whole: whether something of it is still to be written, and the connection to wait. */
bool httpd_spool_flush(struct http_req *r);

/* ---- httpd_stream.c ------------------------------------------------------------------------------------------------ */

/* The connection is gone. */
void httpd_stream_closed(struct http_stream *st);
/* Whose client is gone is ended: a suspended stream's socket is watched by nobody else. */
void httpd_check_streams(struct httpd *h);
void httpd_end_streams(struct httpd *h);

#endif
