/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpd: HTTP/1.1 servers on the loop, over libmicrohttpd. A handler gets the request when its body is complete and answers
 * now or later; a connection that waits costs no thread. All of libmicrohttpd's calls are in httpd.c.
 */
#ifndef TIDEGATE_CORE_NET_HTTPD_H
#define TIDEGATE_CORE_NET_HTTPD_H

#include "core/base.h"
#include "core/loop.h"

struct httpd;
struct http_req;

struct http_header {
	str name, value;
};

/* What a server accepts. Zero members mean the default. */
struct httpd_config {
	str address;         /* "127.0.0.1", "::", "" = all; or "unix:/path" (mode 0600) */
	uint16_t port;       /* 0: the kernel chooses, see httpd_port */
	str cert_pem, key_pem; /* both: TLS */
	size_t max_body;     /* 1 MiB; a larger body is answered 413 before it is read whole, unless a route says otherwise */
	unsigned max_connections; /* 4096 */
	unsigned idle_seconds;    /* 60: a connection that is idle, does not read its answer, or is slow with its request (its head
	                             takes longer, or its body comes slower than 8 KiB/s past that) is closed */
	size_t max_buffered;      /* 256 MiB: bodies held at once over all connections; above, requests are answered 503 */
};

typedef void http_handler(struct http_req *r, void *arg);

/* Begins to load libmicrohttpd on a thread, for who will start a server in a moment and has other things to do till then. */
void httpd_preload(void);
/* Starts listening. ERR_EXISTS if the address is in use, ERR_INVALID for bad TLS material, ERR_UNSUPPORTED without libmicrohttpd. Loop thread, as all of these. */
int httpd_start(struct loop *l, const struct httpd_config *c, struct httpd **out, struct err *e) MUST_CHECK;
/*
 * Stops accepting, answers 503 to what is waiting, closes. A request that waits stays valid for its handler's owner, who
 * still ends it with http_reply; the answer then goes nowhere. Streams are closed(). Not from within a handler.
 */
void httpd_stop(struct httpd *h);
uint16_t httpd_port(const struct httpd *h);

/*
 * Serves `pattern` for `method` ("*": any; GET serves HEAD too). A pattern is a path with {name} (one segment or a part of it),
 * {name:regex} (what the regex matches, without groups that capture) and {name...} (anything, slashes and nothing too), as
 * gorilla/mux has it. It is matched against the decoded path as a whole. Several routes may match a path: the first added
 * wins; a path that only matches with another method gets 405, none 404. Returns a handle for httpd_unroute, NULL if the
 * pattern is malformed.
 */
struct http_route *httpd_route(struct httpd *h, const char *method, const char *pattern, http_handler *fn, void *arg);
void httpd_unroute(struct httpd *h, struct http_route *rt);
/* Body limit of this route in bytes, checked while the body arrives; for a larger one the handler is called with
 * http_req_too_large set, unless the limit is the server's: then the server answers 413 itself. */
void http_route_max_body(struct http_route *rt, size_t bytes);
/*
 * The bodies of this route, which have a limit of their own, go to a file without a name in `folder` as they come, and never to memory as a whole. Before any
 * of one is read, admit() sees the request with its head; it answers and returns false if the body is not wanted. The handler takes the file by http_req_take_file.
 */
void http_route_spool(struct http_route *rt, const char *folder, bool (*admit)(struct http_req *r, void *arg));

/* ---- a request: lives until it is answered; everything it returns lives in its arena ------------------------- */

struct arena *http_req_arena(struct http_req *r);
str http_req_method(const struct http_req *r);
str http_req_path(const struct http_req *r);  /* decoded once */
str http_req_raw_path(const struct http_req *r); /* as it was sent */
str http_req_query(const struct http_req *r); /* raw, without '?' */
str http_req_body(const struct http_req *r);  /* of a route with http_route_spool: empty */
/* Of a route with http_route_spool: the body, open, from its start, and how much it is; the caller's from now on. Once. ERR_IO: it could not be kept. */
int http_req_take_file(struct http_req *r, uint64_t *bytes, struct err *e) MUST_CHECK;
bool http_req_too_large(const struct http_req *r); /* the body was larger than the route's limit and is cut */
/* Case-insensitive; STR_NONE if absent; the first if repeated. */
str http_req_header(const struct http_req *r, const char *name);
size_t http_req_headers(const struct http_req *r, const struct http_header **out); /* in order of arrival */
/* A {name} of the pattern; STR_NONE if there is none. */
str http_req_var(const struct http_req *r, const char *name);
/* A query parameter, decoded; STR_NONE if absent. */
str http_req_arg(const struct http_req *r, const char *name);
/* All query parameters in order. */
size_t http_req_args(const struct http_req *r, const struct http_header **out);
void *http_req_route_arg(const struct http_req *r); /* what its handler is called with */
str http_req_peer(const struct http_req *r); /* "127.0.0.1:51234", "unix" */
bool http_req_is_unix(const struct http_req *r);
/*
 * Calls gone(arg) once, later, if the client leaves while the request waits for its answer, which is to be given all the same: for who could save
 * himself work by that. Noticed within a second or two; who says that he sends nothing more has left.
 */
void http_req_on_gone(struct http_req *r, void (*gone)(void *arg), void *arg);

/* Calls ended(arg) once when the request is over, however that comes about: answered, or given up by its client or the server. For what is held for it. */
void http_req_on_end(struct http_req *r, void (*ended)(void *arg), void *arg);

/* Adds a header to the answer; before http_reply. `name` is a literal; a value with a line break is left out. */
void http_reply_header(struct http_req *r, const char *name, str value);
/* Answers and ends the request: `r` is gone. The body is copied; content_type may be NULL. Exactly one of http_reply and
 * http_stream_start ends every request. */
void http_reply(struct http_req *r, int status, const char *content_type, str body);
/* The same with the `bytes` of an open regular file, from its start, which are sent by the kernel and never in memory; takes the file. */
void http_reply_file(struct http_req *r, int status, const char *content_type, int fd, uint64_t bytes);

/*
 * A streamed answer (chunked). http_stream_start sends the head and gives a stream that outlives the request; writes are
 * queued up to 4 MiB, or one larger piece (then -1: the reader is too slow, and the stream is to be ended). `closed` tells that the client went
 * away: after it, and after http_stream_end, the stream is gone.
 */
struct http_stream *http_stream_start(struct http_req *r, int status, const char *content_type,
                                      void (*closed)(struct http_stream *st, void *arg), void *arg);
int http_stream_write(struct http_stream *st, str bytes) MUST_CHECK;
void http_stream_end(struct http_stream *st);

/* application/x-www-form-urlencoded (or a query) into decoded pairs, in order. */
size_t http_form_parse(struct arena *a, str text, const struct http_header **out);

#endif
