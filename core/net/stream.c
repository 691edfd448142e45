/* SPDX-License-Identifier: Apache-2.0 */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <poll.h>

#include "core/base64.h"
#include "core/clock.h"
#include "core/crypto.h"
#include "core/net/stream.h"

#define CURL_STREAM_FUNCTIONS(X) \
	X(curl_global_init) X(curl_easy_init) X(curl_easy_setopt) X(curl_easy_perform) X(curl_easy_getinfo) X(curl_easy_recv) X(curl_easy_send) \
	X(curl_easy_cleanup) X(curl_easy_strerror)

static struct {
#define X(name) __typeof__(&name) name;
	CURL_STREAM_FUNCTIONS(X)
#undef X
} lib;

static const struct peer_function functions[] = {
#define X(name) { #name, (void **)&lib.name },
	CURL_STREAM_FUNCTIONS(X)
#undef X
};

enum {
	CHUNK = 16 << 10,
	KEPT_MAX = 1 << 20, /* bytes that the other side does not take */
	HEAD_MAX = 16 << 10 /* of the answer that begins a WebSocket */
};

struct stream {
	const char *name;
	const char *hint; /* what a server may have against us that has said nothing yet */
	CURL *easy;
	int fd;
	bool is_ws;
	struct ws_in ws;
	struct buf out;
	char curl_error[CURL_ERROR_SIZE];
};

/* ---- connecting ------------------------------------------------------------------------------------------------------ */

static const struct {
	CURLcode code;
	enum err_code err;
} codes[] = {
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_UNAUTHENTICATED },
	{ CURLE_SSL_CERTPROBLEM, ERR_INVALID },
	{ CURLE_SSL_CACERT_BADFILE, ERR_INVALID },
	{ CURLE_URL_MALFORMAT, ERR_INVALID },
};

static int
fail(struct stream *s, CURLcode code, const char *doing, struct err *e)
{
	enum err_code err = ERR_UNAVAILABLE;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == code)
			err = codes[i].err;
	bool hint = code == CURLE_SSL_CONNECT_ERROR || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
	return err_set(e, err, "%s: %s: %s%s", s->name, doing, *s->curl_error ? s->curl_error : lib.curl_easy_strerror(code), hint ? s->hint : "");
}

static void
set_pem(struct stream *s, CURLoption option, str pem)
{
	struct curl_blob blob = { (void *)(uintptr_t)pem.p, pem.n, CURL_BLOB_COPY };
	if (pem.n)
		lib.curl_easy_setopt(s->easy, option, &blob);
}

static int
connect_stream(struct stream *s, const struct stream_to *to, const struct peer_target *t, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	bool v6 = str_find_char(to->host, ':', 0) != SIZE_MAX;
	str url = arena_fmt(a, "%s://%s%.*s%s:%d/", to->tls ? "https" : "http", v6 ? "[" : "", STR_ARG(to->host), v6 ? "]" : "", to->port);
	curl_socket_t fd;
	lib.curl_easy_setopt(s->easy, CURLOPT_URL, url.p);
	lib.curl_easy_setopt(s->easy, CURLOPT_CONNECT_ONLY, 1L);
	lib.curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
	lib.curl_easy_setopt(s->easy, CURLOPT_PROXY, "");
	lib.curl_easy_setopt(s->easy, CURLOPT_ERRORBUFFER, s->curl_error);
	lib.curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)PEER_WAIT_MS);
	lib.curl_easy_setopt(s->easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
	lib.curl_easy_setopt(s->easy, CURLOPT_SSL_VERIFYPEER, t->insecure ? 0L : 1L);
	lib.curl_easy_setopt(s->easy, CURLOPT_SSL_VERIFYHOST, t->insecure ? 0L : 2L);
	set_pem(s, CURLOPT_CAINFO_BLOB, t->ca_pem);
	set_pem(s, CURLOPT_SSLCERT_BLOB, t->cert_pem);
	set_pem(s, CURLOPT_SSLKEY_BLOB, t->key_pem);
	CURLcode code = lib.curl_easy_perform(s->easy);
	if (code == CURLE_OK)
		code = lib.curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (code != CURLE_OK)
		return fail(s, code, "connecting", e);
	s->fd = (int)fd;
	return 0;
}

/* ---- bytes ----------------------------------------------------------------------------------------------------------- */

static ssize_t
read_raw(struct stream *s, struct buf *in, size_t max, struct err *e)
{
	size_t before = in->n;
	while (in->n - before < max) {
		size_t n = 0;
		CURLcode code = lib.curl_easy_recv(s->easy, buf_room(in, CHUNK), CHUNK, &n);
		if (code == CURLE_AGAIN)
			break;
		if (code != CURLE_OK)
			return fail(s, code, "receiving", e);
		if (!n && in->n > before) /* told with the next call */
			break;
		if (!n)
			return err_set(e, ERR_UNAVAILABLE, "%s: the server closed the connection%s", s->name, s->hint);
		s->hint = "";
		in->n += n;
	}
	return (ssize_t)(in->n - before);
}

static int
flush(struct stream *s, struct err *e)
{
	size_t done = 0;
	CURLcode code = CURLE_OK;
	while (done < s->out.n && code == CURLE_OK) {
		size_t n = 0;
		code = lib.curl_easy_send(s->easy, s->out.p + done, s->out.n - done, &n);
		done += n;
	}
	if (done)
		memmove(s->out.p, s->out.p + done, s->out.n - done);
	s->out.n -= done;
	return code == CURLE_OK || code == CURLE_AGAIN ? 0 : fail(s, code, "sending", e);
}

ssize_t
stream_read(struct stream *s, struct buf *in, size_t max, struct err *e)
{
	size_t before = in->n;
	if (!s->is_ws)
		return read_raw(s, in, max, e);
	if (read_raw(s, &s->ws.raw, max, e) < 0)
		return -1;
	if (ws_take(&s->ws, in, &s->out, e) < 0)
		return err_wrap(e, "%s", s->name);
	return flush(s, e) < 0 ? -1 : (ssize_t)(in->n - before);
}

int
stream_write(struct stream *s, str bytes, struct err *e)
{
	if (s->out.n + bytes.n > KEPT_MAX)
		return err_set(e, ERR_UNAVAILABLE, "%s: the server takes nothing any more", s->name);
	if (bytes.n && s->is_ws)
		ws_frame(&s->out, 2, bytes);
	else
		buf_add(&s->out, bytes);
	return flush(s, e);
}

bool
stream_keeps(const struct stream *s)
{
	return s->out.n > 0;
}

int
stream_fd(const struct stream *s)
{
	return s->fd;
}

/* ---- the beginning of a WebSocket ------------------------------------------------------------------------------------ */

/* Reads until the head of the answer is there; what is behind it stays in the WebSocket's raw bytes. */
static int
read_answer(struct stream *s, str *head, struct err *e)
{
	int64_t end = clock_monotonic_ms() + PEER_WAIT_MS;
	for (;;) {
		size_t at = str_find(buf_str(&s->ws.raw), S("\r\n\r\n"), 0);
		*head = str_slice(buf_str(&s->ws.raw), 0, at);
		if (at != SIZE_MAX)
			return 0;
		struct pollfd fd = { s->fd, POLLIN, 0 };
		int64_t left = end - clock_monotonic_ms();
		if (s->ws.raw.n > HEAD_MAX || left <= 0)
			return err_set(e, ERR_UNAVAILABLE, "%s: no answer to the WebSocket's beginning", s->name);
		(void)poll(&fd, 1, (int)left);
		if (read_raw(s, &s->ws.raw, HEAD_MAX, e) < 0)
			return -1;
	}
}

static bool
accepts(str head, str key, struct arena *a)
{
	unsigned char hash[CRYPTO_HASH_MAX];
	size_t n = crypto_hash("sha1", arena_fmt(a, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", STR_ARG(key)), hash);
	str wanted = base64_encode(a, (str){ (const char *)hash, n });
	while (head.n) {
		str value = str_trim(str_cut(&head, '\n'));
		str name = str_cut(&value, ':');
		if (str_eq_nocase(name, S("Sec-WebSocket-Accept")))
			return str_eq(str_trim(value), wanted);
	}
	return false;
}

static int
begin_ws(struct stream *s, const struct stream_to *to, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str nonce = arena_dup(a, S("tidegate websock")); /* 16 bytes; what it is for, caches on the way, needs no secret */
	str key = base64_encode(a, nonce), head;
	buf_addf(&s->out, "GET %.*s HTTP/1.1\r\nHost: %.*s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %.*s\r\n"
	         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n\r\n", STR_ARG(to->ws_path), STR_ARG(to->host), to->port, STR_ARG(key),
	         to->ws_protocol);
	if (flush(s, e) < 0 || read_answer(s, &head, e) < 0)
		return -1;
	str line = str_trim(str_slice(head, 0, str_find_char(head, '\n', 0)));
	str status = line;
	(void)str_cut(&status, ' ');
	if (!str_starts(status, S("101")) || !accepts(head, key, a))
		return err_set(e, ERR_UNAVAILABLE, "%s: no WebSocket at %.*s: %.*s", s->name, STR_ARG(to->ws_path), STR_ARG(str_slice(line, 0, 100)));
	size_t used = head.n + 4;
	memmove(s->ws.raw.p, s->ws.raw.p + used, s->ws.raw.n - used);
	s->ws.raw.n -= used;
	s->is_ws = true;
	return 0;
}

struct stream *
stream_open(const char *name, const struct stream_to *to, const struct peer_target *t, struct err *e)
{
	static bool loaded;
	if (peer_load(&loaded, "libcurl.so.4", "libcurl4", functions, ARRAY_LEN(functions), e) < 0)
		return NULL;
	lib.curl_global_init(CURL_GLOBAL_DEFAULT); /* counted, any thread (libcurl 7.84); stays until the process ends */
	struct stream *s = MEM_NEW(struct stream);
	*s = (struct stream){ .name = name, .hint = peer_tls_hint(t), .easy = lib.curl_easy_init(), .fd = -1 };
	assert(s->easy);
	if (connect_stream(s, to, t, e) == 0 && (!to->ws_path.p || begin_ws(s, to, e) == 0))
		return s;
	stream_close(s);
	return NULL;
}

void
stream_close(struct stream *s)
{
	if (!s)
		return;
	lib.curl_easy_cleanup(s->easy);
	buf_free(&s->ws.raw);
	buf_free(&s->out);
	free(s);
}
