/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are waited for, in a thread that may block. A multi handle of its own keeps the connections from one to the next: without the
 * loop, so what httpc.c tells libcurl of it is taken back.
 */
#include "core/net/http_session.h"

#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>

#define SILENCE_S 60L
#define ASK_FIRST ((uint64_t)1 << 20) /* of larger bodies, whether they are wanted: a refusal would be lost with the connection it ends */

struct http_session {
	struct httpc h; /* without a loop */
	bool ready;
};

struct waited {
	struct arena *arena;
	struct http_answer *out;
	const struct http_sink *sink;
	struct err err;
};

static void
keep_answer(void *arg, const struct http_answer *ans, const struct err *e)
{
	struct waited *w = arg;
	if (!ans) {
		w->err = *e;
		return;
	}
	struct http_header *h = ARENA_ARRAY(w->arena, struct http_header, ans->headers_n);
	for (size_t i = 0; i < ans->headers_n; i++)
		h[i] = (struct http_header){ arena_dup(w->arena, ans->headers[i].name), arena_dup(w->arena, ans->headers[i].value) };
	*w->out = (struct http_answer){ ans->status, h, ans->headers_n, arena_dup(w->arena, ans->body) };
}

static bool
pass_piece(void *arg, str bytes)
{
	const struct waited *w = arg;
	return w->sink->piece(w->sink->arg, bytes);
}

static void
pass_head(void *arg, int status, const struct http_answer *head)
{
	const struct waited *w = arg;
	if (status)
		w->sink->opened(w->sink->arg, status, head);
}

struct http_session *
http_session_new(void)
{
	struct http_session *s = MEM_NEW(struct http_session);
	list_init(&s->h.calls);
	list_init(&s->h.failed);
	return s;
}

void
http_session_free(struct http_session *s)
{
	if (!s)
		return;
	if (s->h.multi)
		s->h.curl.multi_cleanup(s->h.multi);
	free(s);
}

static void
leave_loop(struct http_session *s)
{
	if (s->ready || !s->h.multi)
		return;
	s->h.curl.multi_setopt(s->h.multi, CURLMOPT_SOCKETFUNCTION, NULL);
	s->h.curl.multi_setopt(s->h.multi, CURLMOPT_TIMERFUNCTION, NULL);
	s->ready = true;
}

/* ---- a file as the body -------------------------------------------------------------------------------------------- */

static size_t
on_read(char *to, size_t size, size_t n, void *arg)
{
	struct http_upload *u = arg;
	uint64_t left = u->bytes - u->sent;
	n *= size;
	if (n > left)
		n = (size_t)left;
	ssize_t got = n ? pread(u->fd, to, n, (off_t)(u->offset + u->sent)) : 0;
	if (n && got <= 0) {
		u->broken = got < 0 ? errno : EIO; /* it has become shorter */
		return CURL_READFUNC_ABORT;
	}
	u->sent += (uint64_t)got;
	if (u->sent > u->most) {
		watch_moved(u->watch, u->sent - u->most);
		u->most = u->sent;
	}
	return (size_t)got;
}

/* libcurl begins anew: after a redirect, or on a connection that was closed meanwhile. */
static int
on_seek(void *arg, curl_off_t to, int whence)
{
	struct http_upload *u = arg;
	if (whence != SEEK_SET || to < 0 || (uint64_t)to > u->bytes)
		return CURL_SEEKFUNC_FAIL;
	u->sent = (uint64_t)to;
	return CURL_SEEKFUNC_OK;
}

static void
set_upload(struct call *c, struct http_upload *u, const struct http_call *call)
{
	struct curl *curl = &c->client->curl;
	u->sent = 0;
	u->broken = 0;
	curl->easy_setopt(c->easy, CURLOPT_UPLOAD, 1L);
	curl->easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, str_z(c->arena, call->method));
	curl->easy_setopt(c->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)u->bytes);
	curl->easy_setopt(c->easy, CURLOPT_READFUNCTION, on_read);
	curl->easy_setopt(c->easy, CURLOPT_READDATA, u);
	curl->easy_setopt(c->easy, CURLOPT_SEEKFUNCTION, on_seek);
	curl->easy_setopt(c->easy, CURLOPT_SEEKDATA, u);
}

/* A file may take as long as it likes, if something moves. */
static void
limit_silence(struct call *c, const struct http_call *call)
{
	struct curl *curl = &c->client->curl;
	long s = call->timeout_ms > 0 ? (long)((call->timeout_ms + 999) / 1000) : SILENCE_S;
	curl->easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, 0L);
	curl->easy_setopt(c->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl->easy_setopt(c->easy, CURLOPT_LOW_SPEED_TIME, s);
}

/* ---- one request --------------------------------------------------------------------------------------------------- */

static bool
has_closed(int fd)
{
	struct pollfd p = { fd, POLLRDHUP, 0 };
	char byte;
	return poll(&p, 1, 0) == 1 && (p.revents & POLLRDHUP) && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/*
 * The peer has closed its side, and what it sent before is read: there will be no answer. libcurl sends on, and where that is not read either it would wait
 * until there was silence for too long. The sockets are those it waits for, which are one call's.
 */
static bool
is_left(struct http_session *s)
{
	fd_set reads, writes, errors;
	int most = -1;
	FD_ZERO(&reads);
	FD_ZERO(&writes);
	FD_ZERO(&errors);
	bool left = false, known = s->h.curl.multi_fdset(s->h.multi, &reads, &writes, &errors, &most) == CURLM_OK;
	for (int fd = 0; known && !left && fd <= most; fd++)
		left = FD_ISSET(fd, &writes) && has_closed(fd);
	return left;
}

/* The call is freed by its end, which tells `w`. */
static void
perform(struct http_session *s, struct call *c, bool uploads)
{
	struct curl *curl = &s->h.curl;
	CURLMsg *m = NULL;
	int running = 1, left;
	CURLMcode rc = curl->multi_add_handle(s->h.multi, c->easy);
	while (rc == CURLM_OK && running) {
		rc = curl->multi_perform(s->h.multi, &running);
		if (rc == CURLM_OK && running && uploads && is_left(s)) {
			err_set(&c->err, ERR_UNAVAILABLE, "%.*s: the server closed the connection before all was sent%s", STR_ARG(c->what),
				transfer_hint(c, CURLE_SEND_ERROR));
			transfer_finish(c, NULL);
			return;
		}
		if (rc == CURLM_OK && running)
			rc = curl->multi_poll(s->h.multi, NULL, 0, 1000, NULL);
	}
	while (rc == CURLM_OK && (m = curl->multi_info_read(s->h.multi, &left)) && m->msg != CURLMSG_DONE)
		;
	if (rc == CURLM_OK && m) {
		transfer_ended(&s->h, m->easy_handle, m->data.result);
		return;
	}
	err_set(&c->err, ERR_INTERNAL, "%.*s: libcurl error %d", STR_ARG(c->what), (int)rc);
	transfer_finish(c, NULL);
}

int
http_session_send(struct http_session *s, const struct http_call *call, struct http_upload *up, const struct http_sink *sink, struct arena *a,
	struct http_answer *out, struct err *e)
{
	struct waited w = { a, out, sink, { 0 } };
	struct http_call whole = *call;
	int rc;
	whole.piece = sink ? pass_piece : NULL;
	whole.opened = sink ? pass_head : NULL;
	whole.ask_first = up && up->bytes > ASK_FIRST;
	struct call *c = transfer_http(&s->h, &whole, keep_answer, &w, &rc);
	leave_loop(s);
	if (rc == 0 && up)
		set_upload(c, up, call);
	if (rc == 0 && (up || sink))
		limit_silence(c, call);
	if (rc < 0)
		transfer_finish(c, NULL);
	else
		perform(s, c, up);
	if (up && up->broken) {
		errno = up->broken;
		return err_errno(e, "read the file that is sent");
	}
	*e = w.err;
	return w.err.code ? -1 : 0;
}

int
http_wait(const struct http_call *call, struct arena *a, struct http_answer *out, struct err *e)
{
	struct http_session *s = http_session_new();
	int rc = http_session_send(s, call, NULL, NULL, a, out, e);
	http_session_free(s);
	return rc;
}
