/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_transfer: files over HTTP, for threads and processes of their own, never the loop's: bodies go from file to socket and back without
 * ever being in memory as a whole. What broke off is taken up where it stopped. Over libcurl, as httpc.
 */
#ifndef TIDEGATE_CORE_NET_HTTP_TRANSFER_H
#define TIDEGATE_CORE_NET_HTTP_TRANSFER_H

#include "core/base.h"
#include "core/net/httpc.h"
#include "core/transfer_watch.h"

/* Connections that are kept for the next request; one thread's. */
struct http_session;
struct http_session *http_session_new(void);
/* NULL is fine. */
void http_session_free(struct http_session *s);

struct http_transfer {
	/*
	 * Writes the request for the bytes from `from` on (0 at first) into *call, which is empty; again for each try, as signatures have a time. What
	 * the call points to lives in `a`. For a download that goes on, `etag` is that of the beginning (absent: it had none). timeout_ms counts for
	 * connecting and silence, not for the whole.
	 */
	int (*request)(void *arg, uint64_t from, str etag, struct arena *a, struct http_call *call, struct err *e);
	void *arg;
	/* An answer that may be another one the next time, beside 408, 429 and 5xx; may be NULL. */
	bool (*passing)(void *arg, const struct http_answer *ans);
	bool offsets;     /* the request itself says where the rest begins, instead of Range: an answer with 200 is what lies behind `from` */
	const struct transfer_watch *watch; /* bytes count when they are further than any try came; NULL: nobody */
	/* Of a download: the object comes, from its start on, and this is what its server says of it; before a byte of it is written. May be NULL. */
	void (*began)(void *arg, const struct http_answer *head);
	void *began_arg;
	/* Of a download: so many bytes of the object with this tag are in `fd` already, from where it stands on. */
	uint64_t have;
	str etag;
	unsigned tries;   /* of requests that brought nothing; 0: 5, of a download that has begun 8. One that got further than any before gives all of them back. Between them 0.2 s and doubling, to 10 s */
};

/*
 * Downloads into `fd` (from where it stands; a pipe is fine), and checks that as much came as was announced. A try that broke off goes on with what
 * is missing (Range, If-Range), or from the start where the server does not do that and `fd` can be set back. `out` is the last answer's head, in `a`; a status
 * other than 2xx has its body too and is no error here, after tries for 408, 429 and 5xx. The errors are those of httpc_send.
 */
int http_download(struct http_session *s, const struct http_transfer *t, int fd, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;
/* Sends `bytes` of the regular file `fd` from `offset` on as the body of each try. Answers are as for http_download, with their body. */
int http_upload(struct http_session *s, const struct http_transfer *t, int fd, uint64_t offset, uint64_t bytes, struct arena *a, struct http_answer *out,
	struct err *e) MUST_CHECK;
/* A request without a file: its body is the call's, the answer is in memory. Tried again likewise. */
int http_ask(struct http_session *s, const struct http_transfer *t, struct arena *a, struct http_answer *out, struct err *e) MUST_CHECK;

#endif
