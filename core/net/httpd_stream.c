/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that have no end yet: what is written waits here until the client takes it. */
#include "core/net/httpd_impl.h"

#define STREAM_MAX ((size_t)4 << 20)  /* bytes queued for a slow reader */
#define STREAM_BLOCK (16 << 10)

static void
stream_free(struct http_stream *st)
{
	list_del(&st->link);
	buf_free(&st->queue);
	free(st);
}

/* The connection is gone. Its owner learns it, unless he has ended it. */
void
httpd_stream_closed(struct http_stream *st)
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
	httpd_run_soon(st->httpd);
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
			httpd_req_free(r);
		st->conn = NULL;
		return st;
	}
	list_add_tail(&r->httpd->streams, &st->link);
	r->stream = st;
	httpd_set_response(r, status, content_type, mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, st, NULL));
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

/* A suspended stream's socket is watched by nobody. */
static void
check_stream(struct http_stream *st)
{
	if (!st->suspended || !httpd_has_left(st->conn))
		return;
	st->gone = true;
	stream_wake(st);
}

void
httpd_check_streams(struct httpd *h)
{
	LIST_EACH(&h->streams, struct http_stream, link, st)
		check_stream(st);
}

void
httpd_end_streams(struct httpd *h)
{
	LIST_EACH(&h->streams, struct http_stream, link, st) {
		st->gone = true;
		stream_wake(st);
	}
}
