/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpc_impl: what the files of the client share, http_session.c and mail.c among them: the multi handle on the loop (httpc.c), and one transfer,
 * which is told what to send by httpc_call.c or mail.c and takes what comes by httpc_answer.c. Nobody else includes it.
 */
#ifndef TIDEGATE_CORE_NET_HTTPC_IMPL_H
#define TIDEGATE_CORE_NET_HTTPC_IMPL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "core/net/httpc.h"

/* The functions used: X(name without curl_). */
#define CURL_FUNCTIONS(X)                                                                                                  \
	X(global_init) X(easy_init) X(easy_setopt) X(easy_getinfo) X(easy_cleanup) X(easy_pause) X(easy_perform) X(easy_strerror)         \
	X(slist_append) X(slist_free_all) X(multi_init) X(multi_setopt) X(multi_add_handle) X(multi_remove_handle) X(multi_socket_action) \
	X(multi_info_read) X(multi_assign) X(multi_cleanup) X(multi_perform) X(multi_poll) X(multi_fdset)

struct curl {
#define X(name) __typeof__(&curl_##name) name;
	CURL_FUNCTIONS(X)
#undef X
};

struct call {
	struct link link;
	struct httpc *client;
	struct arena *arena;
	CURL *easy;
	struct curl_slist *request_headers, *connect_to;
	void (*done)(void *arg, const struct http_answer *ans, const struct err *e);
	void *arg;
	str what; /* "GET http://host/path", for errors */
	size_t max_response, head_bytes;
	struct buf body;
	VEC(struct http_header) headers;
	bool too_large;
	bool (*piece)(void *arg, str bytes); /* see httpc.h */
	void (*opened)(void *arg, int status, const struct http_answer *head);
	bool told_head, enough, paused;
	int64_t idle_ms;
	struct timer idle;
	struct err err;
	const char *hint; /* what a server may have against us that has said nothing yet; NULL: nothing comes to mind */
	char curl_error[CURL_ERROR_SIZE];
	/* a mail */
	struct curl_slist *receivers;
	str upload;              /* what is left to send */
	void (*refused)(struct call *c, CURLcode code, long status); /* makes c->err of a failure; NULL: as for HTTP */
	char reply[256];         /* the server's last line that refuses something */
};

struct httpc {
	struct loop *loop;
	struct curl curl;
	CURLM *multi; /* NULL: libcurl is not loaded yet */
	uv_timer_t timer;
	struct link calls;  /* with libcurl */
	struct link failed; /* that did not get that far; told in the next turn */
};

/* Opens libcurl, if that was not done yet. */
int httpc_load(struct httpc *h, struct err *e) MUST_CHECK;
/* A transfer that is not started; `what` names it in errors and lives in `a`, which is the transfer's from now on. */
struct call *transfer_new(struct httpc *h, struct arena *a, str what,
                      void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg);
/* Its handle, with what is the same for all: errors, answers, no signals. */
int transfer_open(struct call *c, struct err *e) MUST_CHECK;
/* A call over HTTP, not begun yet; *rc -1: it cannot be, for c->err. */
struct call *transfer_http(struct httpc *h, const struct http_call *call, void (*done)(void *arg, const struct http_answer *ans, const struct err *e),
                           void *arg, int *rc);
/* Tells what became of it, and frees it. */
void transfer_ended(struct httpc *h, CURL *easy, CURLcode code);
/* Tells `ans`, or c->err if it is NULL, and frees it. */
void transfer_finish(struct call *c, const struct http_answer *ans);
/* rc 0: it is with libcurl from now on. -1: c->err is told in the next turn. */
void transfer_go(struct call *c, int rc);
/* Options of libcurl from our strings; nothing if they are absent (text) or empty (blob). */
void transfer_set_text(struct call *c, CURLoption option, str text);
void transfer_set_blob(struct call *c, CURLoption option, str pem);
/* The peer's certificate is checked unless `insecure`; all at most `timeout_ms` (0: a minute). */
void transfer_set_peer(struct call *c, bool insecure, int64_t timeout_ms);
/* What to add to the reason of a failure: empty, or what may be the matter. */
const char *transfer_hint(const struct call *c, CURLcode code);
/* c->err from libcurl's code and words. */
void transfer_failed(struct call *c, CURLcode code);

/* ---- httpc_answer.c */
/* The answer is told in pieces, as `call` says; before it is begun. */
void transfer_set_pieces(struct call *c, const struct http_call *call);
/* Callbacks of libcurl, whose `arg` is the call: bytes of the body; a line of the head, as mail servers' replies are. */
size_t transfer_take_body(char *p, size_t size, size_t n, void *arg);
size_t transfer_take_header(char *p, size_t size, size_t n, void *arg);

#endif
