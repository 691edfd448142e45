/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpc: HTTP client on the loop, over libcurl's multi interface. libcurl (and with it TLS) is loaded with the first call:
 * a daemon that calls nobody does not carry it.
 */
#ifndef TIDEGATE_CORE_NET_HTTPC_H
#define TIDEGATE_CORE_NET_HTTPC_H

#include "core/base.h"
#include "core/loop.h"
#include "core/net/httpd.h" /* struct http_header */

struct httpc;
struct http_answer;

struct http_call {
	str method, url;
	const struct http_header *headers;
	size_t headers_n;
	str body;
	int64_t timeout_ms;    /* 0: 60 s */
	size_t max_response;   /* 0: 16 MiB; a larger answer is ERR_LIMIT */
	unsigned max_redirects; /* 0: none are followed */
	bool tls_only;         /* no redirect leads to plain HTTP, and neither does the URL */
	bool insecure;         /* do not verify the peer's certificate */
	str ca_pem, cert_pem, key_pem;
	str user, password;    /* basic auth, if user is present */
	bool negotiate;        /* SPNEGO, as who is signed in: core/net/kerberos.h; only to the URL's own host */
	str unix_socket;       /* connect to this path instead */
	str connect_to;        /* connect to this "host:port" instead; certificate and Host stay those of the URL */
	bool ask_first;        /* with "Expect: 100-continue", and a second for its answer: a large body need not be sent to be refused */
	bool http2;            /* HTTP/2, without asking first where there is no TLS; trailers come with the headers */
	/*
	 * NULL, or for an answer that comes in pieces: called for each as it comes, if the status is 2xx (else the body is collected as ever).
	 * Then max_response does not count, and instead of a limit on the whole there is one on the time without a piece, `idle_ms` (0: none;
	 * timeout_ms has no meaning). false: enough, done() gets ERR_INVALID. It must not send, end or forget calls.
	 */
	bool (*piece)(void *arg, str bytes);
	/* With `piece`: the connection stands, and the request is being sent (status 0); then the head of the answer has come. As for `piece`. May be NULL. */
	void (*opened)(void *arg, int status, const struct http_answer *head);
	int64_t idle_ms;
};
struct http_answer {
	int status;
	const struct http_header *headers;
	size_t headers_n;
	str body; /* of the last hop; all of it is valid during done() only */
};

struct httpc *httpc_new(struct loop *l);
/* Cancels what runs: their done() is called with ERR_UNAVAILABLE. Not from within a done(). NULL is fine. */
void httpc_free(struct httpc *c);
/*
 * Sends; the call's strings are copied. done() runs exactly once, later, on the loop: with an answer (whatever its status)
 * or an error: ERR_TIMEOUT (connected, but no answer in time), ERR_LIMIT (answer too large, too many redirects), ERR_UNAUTHENTICATED (the peer's certificate),
 * ERR_INVALID (URL, header or PEM), ERR_UNSUPPORTED (there is no libcurl), else ERR_UNAVAILABLE. Its text names method and URL
 * without user, password and query. On a redirect 301 to 303 a POST becomes a GET.
 */
void httpc_send(struct httpc *c, const struct http_call *call, void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg);
/*
 * For threads of their own, never the loop's: sends, and waits for the answer, without `piece`. The answer is in `a`. -1 with the errors of
 * httpc_send. Each call is a connection of its own.
 */
int http_wait(const struct http_call *call, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;
/* The calls with that `arg` end now; their done() is not called. Not from within a done(). */
void httpc_forget(struct httpc *c, void *arg);
/* Calls with `piece` and that `arg` take in nothing until they are told to go on (idle_ms does not count then); pieces may come at once. Not from within one that is to go on. */
void httpc_pause(struct httpc *c, void *arg, bool on);
/* The URL without what may be secret: user, password and query. Part of `url`, or in `a`. */
str http_url_public(struct arena *a, str url);
/* The beginning of a text from outside as one line, in `a`: to be shown in a reason. */
str http_excerpt(struct arena *a, str text);
/* "Code: Message" of an answer in XML that refuses, as AWS, Azure and Alibaba write them; in `a`; absent if it has no such thing. */
str http_xml_refusal(struct arena *a, str body);
/* The last header of that name, whatever its case; absent: none. Valid as long as the answer. */
str http_answer_header(const struct http_answer *ans, const char *name);

#endif
