/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc: calls of gRPC, unary and with a stream of answers, over HTTP/2, on the client of core/net/httpc.h, and as much of the protobuf encoding as messages of strings,
 * bytes and numbers need.
 */
#ifndef TIDEGATE_CORE_NET_GRPC_H
#define TIDEGATE_CORE_NET_GRPC_H

#include "core/net/httpc.h"

/* ---- messages -------------------------------------------------------------------------------------------------------- */

/* Appends a field of type string or bytes; nothing if it is empty, as proto3 has it. */
void proto_add(struct buf *b, unsigned field, str bytes);
/* Appends a field of type int32 (not below zero), uint64 or bool; nothing if it is 0. */
void proto_add_int(struct buf *b, unsigned field, uint64_t v);
struct proto_field {
	unsigned number;
	uint64_t integer; /* of a varint or a fixed number */
	str bytes;        /* of a string, bytes or message; absent for numbers */
};
/* Takes the next field off `rest`. 1: there was one; 0: the end; -1 (ERR_INVALID): it is no message. */
int proto_next(str *rest, struct proto_field *out, struct err *e) MUST_CHECK;

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

struct grpc_call {
	str server;      /* "host:port" */
	str method;      /* "package.Service/Method" */
	str message;
	bool secure;     /* TLS, verified by `ca_pem` or, without it, by the system's authorities */
	str ca_pem;
	str server_name; /* expected in the certificate, if it is not the host */
	str id;          /* of the call, the same when it is repeated: metadata x-tidegate-firing-id; absent: none */
	str token;       /* sent as authorization: Bearer; absent: none */
	int64_t timeout_ms; /* 0: 60 s */
};
/*
 * Calls. The strings are copied. done() runs exactly once, later: with the answer's message or an error: the server's own status
 * (UNAVAILABLE, RESOURCE_EXHAUSTED and ABORTED as ERR_UNAVAILABLE, DEADLINE_EXCEEDED as ERR_TIMEOUT, UNAUTHENTICATED,
 * PERMISSION_DENIED as ERR_DENIED, all others ERR_INVALID; *told is true then), or what httpc_send knows. httpc_free counts.
 */
void grpc_send(struct httpc *h, const struct grpc_call *call, void (*done)(void *arg, str message, bool told, const struct err *e), void *arg);
/* The same for those who send by httpc_send themselves: the call, in `a`. */
void grpc_request(const struct grpc_call *call, struct arena *a, struct http_call *out);
/*
 * What it was answered: the message (part of the answer), and the number of the status in *status, -1 if the answer has none. What is not OK (0) is an
 * error, as grpc_send gives it; `what` is in its text.
 */
int grpc_answer(struct arena *a, str what, const struct http_answer *ans, str *message, int *status, struct err *e) MUST_CHECK;
/*
 * Calls a method that answers with a stream of messages, of 16 MiB at most each. connected() when the server is reached; message() for each as it comes,
 * false: the stream ends with ERR_INVALID. done() once, when it ends: e NULL: the server ended it with OK; else as for grpc_send. `h` is this
 * stream's alone: httpc_pause(h, grpc_stream's return, ...) holds it back, and httpc_free ends it. May be called again when it has ended.
 */
struct grpc_stream;
struct grpc_stream_ops {
	void (*connected)(void *arg);
	bool (*message)(void *arg, str message);
	void (*done)(void *arg, const struct err *e);
};
struct grpc_stream *grpc_listen(struct httpc *h, const struct grpc_call *call, const struct grpc_stream_ops *ops, void *arg);
/* Takes the next whole message off the front of `in`. 1: *message lies in it, *used bytes of it are done with; 0: more is needed; -1: ERR_LIMIT, ERR_UNSUPPORTED. */
int grpc_next(str in, str *message, size_t *used, struct err *e) MUST_CHECK;
/* The frame around a message, and the message in a frame: ERR_INVALID, ERR_UNSUPPORTED (compressed). */
str grpc_frame(struct arena *a, str message);
int grpc_unframe(str frame, str *message, struct err *e) MUST_CHECK;

#endif
