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

#define TIMEOUT_MS 60000
#define CONNECT_MS 30000
#define RESPONSE_MAX ((size_t)16 << 20)
#define CONNECTIONS_MAX 256L /* at once; further calls wait for one */
#define CONNECTIONS_HOST 64L /* of them to one host: one that does not answer leaves room for the others */
#define CONNECTIONS_KEPT 32L

/* A socket that libcurl watches. */
struct watched {
	uv_poll_t poll;
	struct httpc *client;
	curl_socket_t fd;
};

/* ---- errors ------------------------------------------------------------------------------------------------------- */

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
const char *
transfer_hint(const struct call *c, CURLcode code)
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
	err_set(&c->err, err, "%.*s: %s%s", STR_ARG(c->what), text, transfer_hint(c, code));
}

/* ---- ending ------------------------------------------------------------------------------------------------------- */

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

/* ---- libcurl on the loop ------------------------------------------------------------------------------------------ */

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

/* ---- a transfer --------------------------------------------------------------------------------------------------- */

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
	curl->easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, transfer_take_body);
	curl->easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl->easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, transfer_take_header);
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

/* ---- life --------------------------------------------------------------------------------------------------------- */

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
