/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One multi handle for the whole client, driven by the loop: libcurl says which sockets it waits for and until when
 * (CURLMOPT_SOCKETFUNCTION, CURLMOPT_TIMERFUNCTION), the loop says what became ready (curl_multi_socket_action).
 *
 * libcurl and the TLS library behind it cost milliseconds at start-up and megabytes for good, so they are opened by name
 * when the first call is sent. The table below is what is used of it.
 */
#include "core/net/httpc_impl.h"

#include <dlfcn.h>

#include "core/xml.h"

#define TIMEOUT_MS 60000
#define CONNECT_MS 30000
#define RESPONSE_MAX ((size_t)16 << 20)
#define HEAD_MAX ((size_t)256 << 10)
#define CONNECTIONS_MAX 256L /* at once; further calls wait for one */
#define CONNECTIONS_HOST 64L /* of them to one host: one that does not answer leaves room for the others */
#define CONNECTIONS_KEPT 32L
#define EXCERPT ((size_t)200) /* bytes of an answer that are shown in a reason */

/* A socket that libcurl watches. */
struct watched {
	uv_poll_t poll;
	struct httpc *client;
	curl_socket_t fd;
};

/* ---- errors ------------------------------------------------------------------------------------------------- */

static const struct {
	CURLcode code;
	enum err_code err;
} codes[] = {
	{ CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT },
	{ CURLE_URL_MALFORMAT, ERR_INVALID },
	{ CURLE_UNSUPPORTED_PROTOCOL, ERR_INVALID },
	{ CURLE_TOO_MANY_REDIRECTS, ERR_LIMIT },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_UNAUTHENTICATED },
	{ CURLE_SSL_CACERT_BADFILE, ERR_INVALID },
	{ CURLE_SSL_CERTPROBLEM, ERR_INVALID },
	{ CURLE_BAD_FUNCTION_ARGUMENT, ERR_INVALID },
	{ CURLE_OUT_OF_MEMORY, ERR_INTERNAL },
};

/* A server that wants a certificate of ours says so after the handshake (TLS 1.3): whether its alert or the end of the connection is seen is chance. */
static const char *
hint_of(const struct call *c, CURLcode code)
{
	bool broke = code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING;
	if (code == CURLE_SSL_CACERT_BADFILE)
		return "; install ca-certificates, or name the authority";
	return broke && c->hint && !c->head_bytes ? c->hint : "";
}

void
transfer_failed(struct call *c, CURLcode code)
{
	enum err_code err = ERR_UNAVAILABLE; /* resolving, connecting, sending, receiving: may work the next time */
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == code)
			err = codes[i].err;
	const char *text = *c->curl_error ? c->curl_error : c->client->curl.easy_strerror(code);
	err_set(&c->err, err, "%.*s: %s%s", STR_ARG(c->what), text, hint_of(c, code));
}

str
http_url_public(struct arena *a, str url)
{
	str shown = str_slice(url, 0, str_find_char(url, '?', 0));
	size_t scheme = str_find(shown, S("://"), 0), host = scheme == SIZE_MAX ? 0 : scheme + 3, at = SIZE_MAX;
	for (size_t i = host; i < shown.n && shown.p[i] != '/'; i++)
		if (shown.p[i] == '@') /* a password may hold one, too */
			at = i;
	return at == SIZE_MAX ? shown : arena_fmt(a, "%.*s%.*s", STR_ARG(str_slice(shown, 0, host)), STR_ARG(str_slice(shown, at + 1, shown.n)));
}

str
http_excerpt(struct arena *a, str text)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	text = str_trim(text);
	for (size_t i = 0; i < text.n && i < EXCERPT; i++)
		buf_addc(&b, (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7F ? ' ' : text.p[i]);
	return arena_dup(a, buf_str(&b));
}

str
http_xml_refusal(struct arena *a, str body)
{
	str code = xml_find(body, "Code", a), message = xml_find(body, "Message", a);
	return code.n ? arena_fmt(a, "%.*s: %.*s", STR_ARG(code), STR_ARG(message)) : STR_NONE;
}

static str
describe(struct arena *a, str method, str url)
{
	return arena_fmt(a, "%.*s %.*s", STR_ARG(method), STR_ARG(str_slice(http_url_public(a, url), 0, 200)));
}

/* ---- ending ------------------------------------------------------------------------------------------------- */

void
transfer_finish(struct call *c, const struct http_answer *ans)
{
	struct curl *curl = &c->client->curl;
	list_del(&c->link);
	timer_stop(&c->idle);
	if (c->easy) {
		curl->multi_remove_handle(c->client->multi, c->easy);
		curl->easy_cleanup(c->easy);
	}
	if (c->request_headers)
		curl->slist_free_all(c->request_headers);
	if (c->connect_to)
		curl->slist_free_all(c->connect_to);
	if (c->receivers)
		curl->slist_free_all(c->receivers);
	c->done(c->arg, ans, ans ? NULL : &c->err);
	buf_free(&c->body);
	VEC_FREE(&c->headers);
	arena_free(c->arena);
}

/* Whether it came as far as sending: else a time-out says that there is nobody, not that somebody is slow. */
static bool
was_connected(struct httpc *h, CURL *easy)
{
	curl_off_t us = 0;
	h->curl.easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &us);
	return us > 0;
}

void
transfer_ended(struct httpc *h, CURL *easy, CURLcode code)
{
	struct call *c;
	long status = 0;
	h->curl.easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&c);
	h->curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (c->enough)
		err_set(&c->err, ERR_INVALID, "%.*s: the receiver wants no more", STR_ARG(c->what));
	else if (c->too_large)
		err_set(&c->err, ERR_LIMIT, "%.*s: the answer is larger than %zu bytes", STR_ARG(c->what), c->max_response);
	else if (code != CURLE_OK && c->refused)
		c->refused(c, code, status);
	else if (code != CURLE_OK)
		transfer_failed(c, code);
	if (code == CURLE_OPERATION_TIMEDOUT && !was_connected(h, easy))
		c->err.code = ERR_UNAVAILABLE;
	bool ok = code == CURLE_OK && !c->too_large;
	struct http_answer ans = { .status = (int)status, .headers = c->headers.p, .headers_n = c->headers.n, .body = buf_str(&c->body) };
	transfer_finish(c, ok ? &ans : NULL);
}

static void
collect(struct httpc *h)
{
	int left;
	for (CURLMsg *m; (m = h->curl.multi_info_read(h->multi, &left));)
		if (m->msg == CURLMSG_DONE)
			transfer_ended(h, m->easy_handle, m->data.result);
}

/* ---- answers in pieces ----------------------------------------------------------------------------------------- */

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
static void
set_pieces(struct call *c, const struct http_call *call)
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

/* ---- libcurl on the loop ------------------------------------------------------------------------------------- */

static void
on_ready(uv_poll_t *p, int status, int events)
{
	struct watched *w = p->data;
	struct httpc *h = w->client; /* w may be gone after the call */
	int what = status < 0 ? CURL_CSELECT_ERR : 0, running;
	what |= (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
	h->curl.multi_socket_action(h->multi, w->fd, what, &running);
	collect(h);
}

static void
on_closed(uv_handle_t *p)
{
	free(p->data);
}

static int
watch(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct httpc *h = arg;
	struct watched *w = socket_arg;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			uv_close((uv_handle_t *)&w->poll, on_closed);
		h->curl.multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (!w) {
		w = MEM_NEW(struct watched);
		w->client = h;
		w->fd = fd;
		if (uv_poll_init(loop_uv(h->loop), &w->poll, fd)) {
			free(w);
			return -1;
		}
		w->poll.data = w;
		h->curl.multi_assign(h->multi, fd, w);
	}
	uv_poll_start(&w->poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0), on_ready);
	return 0;
}

static void
on_timer(uv_timer_t *t)
{
	struct httpc *h = t->data;
	int running;
	while (!list_empty(&h->failed))
		transfer_finish(LIST_FIRST(&h->failed, struct call, link), NULL);
	if (!h->multi)
		return;
	h->curl.multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(h);
}

static int
set_timer(CURLM *multi UNUSED, long ms, void *arg)
{
	struct httpc *h = arg;
	if (ms < 0)
		uv_timer_stop(&h->timer);
	else
		uv_timer_start(&h->timer, on_timer, (uint64_t)ms, 0);
	return 0;
}

int
httpc_load(struct httpc *h, struct err *e)
{
	if (h->multi)
		return 0;
	void *lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return err_set(e, ERR_UNSUPPORTED, "libcurl cannot be loaded (%s): install libcurl4", dlerror());
#define X(name)                                                                                          \
	*(void **)&h->curl.name = dlsym(lib, "curl_" #name);                                             \
	if (!h->curl.name)                                                                               \
		return err_set(e, ERR_UNSUPPORTED, "libcurl is too old: it has no curl_%s", #name);
	CURL_FUNCTIONS(X)
#undef X
	h->curl.global_init(CURL_GLOBAL_DEFAULT); /* stays loaded until the process ends */
	h->multi = h->curl.multi_init();
	assert(h->multi);
	h->curl.multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch);
	h->curl.multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	h->curl.multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	h->curl.multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	h->curl.multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX);
	h->curl.multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, CONNECTIONS_HOST);
	h->curl.multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	return 0;
}

/* ---- what arrives -------------------------------------------------------------------------------------------- */

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
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
static size_t
on_header(char *p, size_t size, size_t n, void *arg)
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

/* ---- sending ------------------------------------------------------------------------------------------------- */

static bool
is_token(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7F || strchr("\"(),/:;<=>?@[\\]{}", s.p[i]))
			return false;
	return s.n > 0;
}

static bool
is_one_line(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || !s.p[i])
			return false;
	return true;
}

static void
add_line(struct call *c, const char *line)
{
	struct curl_slist *l = c->client->curl.slist_append(c->request_headers, line);
	assert(l);
	c->request_headers = l;
}

str
http_answer_header(const struct http_answer *ans, const char *name)
{
	for (size_t i = ans->headers_n; i-- > 0;)
		if (str_eq_nocase(ans->headers[i].name, str_c(name)))
			return ans->headers[i].value;
	return STR_NONE;
}

static int
set_headers(struct call *c, const struct http_call *call, struct err *e)
{
	bool has_type = false;
	for (size_t i = 0; i < call->headers_n; i++) {
		const struct http_header *h = &call->headers[i];
		if (!is_token(h->name) || !is_one_line(h->value))
			return err_set(e, ERR_INVALID, "%.*s: header \"%.*s\": not a header's name, or its value has a line break", STR_ARG(c->what),
				STR_ARG(str_slice(h->name, 0, 60)));
		has_type |= str_eq_nocase(h->name, S("Content-Type"));
		/* For libcurl "Name:" removes a header, "Name;" sends an empty one. */
		str value = str_trim(h->value);
		add_line(c, arena_fmt(c->arena, value.n ? "%.*s: %.*s" : "%.*s;", STR_ARG(h->name), STR_ARG(value)).p);
	}
	/* libcurl's own rule would have larger bodies wait a second for "100 Continue" from servers that never say so */
	add_line(c, call->ask_first ? "Expect: 100-continue" : "Expect:");
	if (!has_type)
		add_line(c, "Content-Type:"); /* else libcurl calls every body a form */
	c->client->curl.easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->request_headers);
	return 0;
}

static void
set_body(struct call *c, const struct http_call *call)
{
	struct curl *curl = &c->client->curl;
	bool post = str_eq(call->method, S("POST"));
	if (call->body.n || post) {
		str body = arena_dup(c->arena, call->body.p ? call->body : S(""));
		curl->easy_setopt(c->easy, CURLOPT_POST, 1L);
		curl->easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
		curl->easy_setopt(c->easy, CURLOPT_POSTFIELDS, body.p);
	}
	if (str_eq(call->method, S("HEAD")))
		curl->easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
	else if (!post && !(str_eq(call->method, S("GET")) && !call->body.n))
		curl->easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, str_z(c->arena, call->method));
}

void
transfer_set_blob(struct call *c, CURLoption option, str pem)
{
	struct curl_blob blob = { .data = (void *)(uintptr_t)pem.p, .len = pem.n, .flags = CURL_BLOB_COPY };
	if (pem.n)
		c->client->curl.easy_setopt(c->easy, option, &blob);
}

void
transfer_set_text(struct call *c, CURLoption option, str text)
{
	if (text.p)
		c->client->curl.easy_setopt(c->easy, option, str_z(c->arena, text));
}

void
transfer_set_peer(struct call *c, bool insecure, int64_t timeout_ms)
{
	struct curl *curl = &c->client->curl;
	long ms = timeout_ms > 0 ? (long)timeout_ms : TIMEOUT_MS;
	curl->easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER, insecure ? 0L : 1L);
	curl->easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, insecure ? 0L : 2L);
	curl->easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, ms);
	curl->easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? ms : CONNECT_MS);
}

/* libcurl 7.88 begins HTTP/2 anew on a plain connection that has it already: there each call has a connection of its own. */
static void
set_http2(struct call *c, bool tls)
{
	struct curl *curl = &c->client->curl;
	curl->easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)(tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
	curl->easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, tls ? 0L : 1L);
	curl->easy_setopt(c->easy, CURLOPT_FORBID_REUSE, tls ? 0L : 1L);
}

/* An empty user is whoever has tickets. */
static void
set_negotiate(struct call *c)
{
	struct curl *curl = &c->client->curl;
	curl->easy_setopt(c->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_NEGOTIATE);
	curl->easy_setopt(c->easy, CURLOPT_USERNAME, "");
	curl->easy_setopt(c->easy, CURLOPT_PASSWORD, "");
}

static void
set_peer(struct call *c, const struct http_call *call)
{
	struct curl *curl = &c->client->curl;
	transfer_set_text(c, CURLOPT_URL, call->url);
	transfer_set_text(c, CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
	transfer_set_text(c, CURLOPT_USERNAME, call->user);
	transfer_set_text(c, CURLOPT_PASSWORD, call->password);
	transfer_set_blob(c, CURLOPT_CAINFO_BLOB, call->ca_pem);
	transfer_set_blob(c, CURLOPT_SSLCERT_BLOB, call->cert_pem);
	transfer_set_blob(c, CURLOPT_SSLKEY_BLOB, call->key_pem);
	transfer_set_peer(c, call->insecure, call->timeout_ms);
	if (str_starts(call->url, S("https:")) && !call->cert_pem.n)
		c->hint = " (the server may want a certificate of the client)";
	if (call->negotiate)
		set_negotiate(c);
	if (call->http2)
		set_http2(c, str_starts(call->url, S("https:")));
	if (call->connect_to.n) {
		c->connect_to = curl->slist_append(NULL, arena_fmt(c->arena, "::%.*s", STR_ARG(call->connect_to)).p);
		assert(c->connect_to);
		curl->easy_setopt(c->easy, CURLOPT_CONNECT_TO, c->connect_to);
	}
	curl->easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, call->max_redirects ? 1L : 0L);
	curl->easy_setopt(c->easy, CURLOPT_MAXREDIRS, (long)call->max_redirects);
	curl->easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, call->tls_only ? "https" : "http,https");
	curl->easy_setopt(c->easy, CURLOPT_REDIR_PROTOCOLS_STR, call->tls_only ? "https" : "http,https");
}

/* Other authorities than the system's, as OpenSSL's programs and Go's take them; a call's own come before. */
static void
set_authorities(struct call *c)
{
	const char *file = getenv("SSL_CERT_FILE");
	if (file && *file)
		c->client->curl.easy_setopt(c->easy, CURLOPT_CAINFO, file);
}

int
transfer_open(struct call *c, struct err *e)
{
	struct curl *curl = &c->client->curl;
	if (httpc_load(c->client, e) < 0)
		return -1;
	c->easy = curl->easy_init();
	assert(c->easy);
	curl->easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	curl->easy_setopt(c->easy, CURLOPT_USERAGENT, "tidegate");
	curl->easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	set_authorities(c);
	curl->easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->curl_error);
	curl->easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl->easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl->easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl->easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	return 0;
}

struct call *
transfer_new(struct httpc *h, struct arena *a, str what, void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg)
{
	struct call *c = ARENA_NEW(a, struct call);
	*c = (struct call){ .client = h, .arena = a, .done = done, .arg = arg, .what = what, .max_response = RESPONSE_MAX };
	return c;
}

void
transfer_go(struct call *c, int rc)
{
	struct httpc *h = c->client;
	CURLMcode code = rc < 0 ? CURLM_OK : h->curl.multi_add_handle(h->multi, c->easy);
	if (code != CURLM_OK)
		rc = err_set(&c->err, ERR_INTERNAL, "%.*s: libcurl error %d", STR_ARG(c->what), (int)code);
	list_add_tail(rc < 0 ? &h->failed : &h->calls, &c->link);
	if (rc < 0)
		uv_timer_start(&h->timer, on_timer, 0, 0);
}

static int
prepare(struct call *c, const struct http_call *call, struct err *e)
{
	if (!is_token(call->method))
		return err_set(e, ERR_INVALID, "\"%.*s\": not an HTTP method", STR_ARG(str_slice(call->method, 0, 40)));
	if (!is_one_line(call->url))
		return err_set(e, ERR_INVALID, "%.*s: the URL has a line break in it", STR_ARG(c->what));
	if (transfer_open(c, e) < 0)
		return -1;
	set_peer(c, call);
	set_body(c, call);
	if (call->piece)
		set_pieces(c, call);
	return set_headers(c, call, e);
}

struct call *
transfer_http(struct httpc *h, const struct http_call *call, void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg,
              int *rc)
{
	struct arena *a = arena_new();
	struct call *c = transfer_new(h, a, describe(a, call->method, call->url), done, arg);
	if (call->max_response)
		c->max_response = call->max_response;
	*rc = prepare(c, call, &c->err);
	return c;
}

void
httpc_send(struct httpc *h, const struct http_call *call, void (*done)(void *arg, const struct http_answer *ans, const struct err *e), void *arg)
{
	int rc;
	struct call *c = transfer_http(h, call, done, arg, &rc);
	transfer_go(c, rc);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

struct httpc *
httpc_new(struct loop *l)
{
	struct httpc *h = MEM_NEW(struct httpc);
	h->loop = l;
	list_init(&h->calls);
	list_init(&h->failed);
	uv_timer_init(loop_uv(l), &h->timer);
	h->timer.data = h;
	return h;
}

static void
cancel(struct call *c)
{
	err_set(&c->err, ERR_UNAVAILABLE, "%.*s: cancelled", STR_ARG(c->what));
	transfer_finish(c, NULL);
}

static void
nothing(void *arg UNUSED, const struct http_answer *ans UNUSED, const struct err *e UNUSED)
{
}

static void
forget(struct link *calls, void *arg)
{
	LIST_EACH(calls, struct call, link, c)
	{
		if (c->arg != arg)
			continue;
		c->done = nothing;
		cancel(c);
	}
}

void
httpc_forget(struct httpc *h, void *arg)
{
	forget(&h->failed, arg);
	forget(&h->calls, arg);
}

void
httpc_free(struct httpc *h)
{
	if (!h)
		return;
	while (!list_empty(&h->failed))
		transfer_finish(LIST_FIRST(&h->failed, struct call, link), NULL);
	while (!list_empty(&h->calls))
		cancel(LIST_FIRST(&h->calls, struct call, link));
	if (h->multi)
		h->curl.multi_cleanup(h->multi);
	uv_close((uv_handle_t *)&h->timer, on_closed);
}
