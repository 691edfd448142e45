/* SPDX-License-Identifier: Apache-2.0 */
/* What arrives of a call: its head, its body at once, or in pieces as they come. */
#include "core/net/httpc_impl.h"

#define HEAD_MAX ((size_t)256 << 10)

/* ---- in pieces ---------------------------------------------------------------------------------------------------- */

static void
went_idle(void *arg)
{
	struct call *c = arg;
	err_set(&c->err, ERR_TIMEOUT, "%.*s: nothing came for %lld s", STR_ARG(c->what), (long long)(c->idle_ms + 999) / 1000);
	transfer_finish(c, NULL);
}

static void
await_piece(struct call *c)
{
	struct loop *l = c->client->loop;
	if (c->idle_ms && !c->paused)
		timer_start(l, &c->idle, loop_now(l) + c->idle_ms * NS_PER_MS, went_idle, c);
	else
		timer_stop(&c->idle);
}

static long
status_of(struct call *c)
{
	long status = 0;
	c->client->curl.easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool
is_good(long status)
{
	return status >= 200 && status < 300;
}

/* The empty line behind a head, or behind trailers. */
static void
head_is_there(struct call *c)
{
	long status = status_of(c);
	if (!c->opened || c->told_head || !is_good(status))
		return;
	struct http_answer head = { .status = (int)status, .headers = c->headers.p, .headers_n = c->headers.n };
	c->told_head = true;
	await_piece(c);
	c->opened(c->arg, (int)status, &head);
}

static int
connected(void *arg, char *remote UNUSED, char *local UNUSED, int remote_port UNUSED, int local_port UNUSED)
{
	struct call *c = arg;
	c->opened(c->arg, 0, NULL);
	return CURL_PREREQFUNC_OK;
}

/* A peer that is gone without a word is noticed in two minutes, also where silence is no sign. */
void
transfer_set_pieces(struct call *c, const struct http_call *call)
{
	struct curl *curl = &c->client->curl;
	c->piece = call->piece;
	c->opened = call->opened;
	c->idle_ms = call->idle_ms;
	curl->easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, 0L);
	curl->easy_setopt(c->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl->easy_setopt(c->easy, CURLOPT_TCP_KEEPIDLE, 45L);
	curl->easy_setopt(c->easy, CURLOPT_TCP_KEEPINTVL, 10L);
	if (c->opened) {
		curl->easy_setopt(c->easy, CURLOPT_PREREQFUNCTION, connected);
		curl->easy_setopt(c->easy, CURLOPT_PREREQDATA, c);
	}
	await_piece(c);
}

static size_t
take_piece(struct call *c, str bytes)
{
	await_piece(c);
	c->enough = !c->piece(c->arg, bytes);
	return c->enough ? 0 : bytes.n;
}

void
httpc_pause(struct httpc *h, void *arg, bool on)
{
	LIST_EACH(&h->calls, struct call, link, c)
	{
		if (c->arg != arg || !c->piece || c->paused == on)
			continue;
		c->paused = on;
		await_piece(c);
		h->curl.easy_pause(c->easy, on ? CURLPAUSE_RECV : CURLPAUSE_CONT);
	}
}

/* ---- what arrives ------------------------------------------------------------------------------------------------- */

size_t
transfer_take_body(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	n *= size;
	if (c->piece && is_good(status_of(c)))
		return take_piece(c, (str){ p, n });
	if (n > c->max_response - c->body.n) {
		c->too_large = true;
		return 0;
	}
	buf_add(&c->body, (str){ p, n });
	return n;
}

/* A line of the head; a status line begins a new head: after a redirect, or after 100 Continue. */
size_t
transfer_take_header(char *p, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	str line = { p, n * size };
	c->head_bytes += line.n;
	if (c->head_bytes > HEAD_MAX) {
		c->too_large = true;
		return 0;
	}
	if (c->refused && line.n && (line.p[0] == '4' || line.p[0] == '5'))
		text_format(c->reply, sizeof c->reply, "%.*s", STR_ARG(str_slice(str_trim(line), 0, sizeof c->reply - 1)));
	if (str_starts(line, S("HTTP/"))) {
		c->headers.n = 0;
		return line.n;
	}
	str value = str_trim(line);
	if (!value.n)
		head_is_there(c);
	str name = str_cut(&value, ':');
	if (name.n)
		*VEC_PUSH(&c->headers) = (struct http_header){ arena_dup(c->arena, name), arena_dup(c->arena, str_trim(value)) };
	return line.n;
}
