/* SPDX-License-Identifier: Apache-2.0 */
/* http_session: a request that is waited for, once; what http_transfer.c is made of. Nobody else includes it. */
#ifndef TIDEGATE_CORE_NET_HTTP_SESSION_H
#define TIDEGATE_CORE_NET_HTTP_SESSION_H

#include <errno.h>
#include <unistd.h>

#include "core/net/http_transfer.h"
#include "core/net/httpc_impl.h"

/* A part of a file that is the body of a request. */
struct http_upload {
	int fd;
	uint64_t offset, bytes;
	uint64_t sent, most; /* of this request; of any */
	const struct transfer_watch *watch;
	int broken;          /* errno: the file cannot be read */
};

/* Who takes an answer with status 2xx in pieces; as `piece` and `opened` of http_call. */
struct http_sink {
	bool (*piece)(void *arg, str bytes);
	void (*opened)(void *arg, int status, const struct http_answer *head);
	void *arg;
};

/*
 * As http_wait, and the connection stays. With a file on either side timeout_ms (0: a minute) is for silence, not for the whole. `up` and `sink`
 * may be NULL.
 */
int http_session_send(struct http_session *s, const struct http_call *call, struct http_upload *up, const struct http_sink *sink, struct arena *a,
	struct http_answer *out, struct err *e) MUST_CHECK;

#endif
