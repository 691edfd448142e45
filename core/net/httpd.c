/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd without a thread of its own: its epoll descriptor is watched by the loop, MHD_run handles what is ready,
 * and MHD_get_timeout arms a timer for what is not. All its calls are in this file.
 *
 * A request is born when its first line is read (the URI log callback), gets its body piece by piece, and is handed to
 * its route's handler when the body is complete. If the handler has not answered when it returns, the connection is
 * suspended: it costs no polling while the store commits. http_reply resumes it; libmicrohttpd then calls answer() once
 * more, which queues the response.
 *
 * Trap (0.9.75): with an external loop, MHD_resume_connection wakes nobody. MHD_run must follow, which run_soon arranges,
 * once a turn for all that were answered in it.
 *
 * A request may outlive its connection (httpd_stop) and a connection many requests: each is freed when both sides are done
 * with it.
 */
#include <unistd.h>

#include "core/log.h"
#include "core/net/httpd_impl.h"

#define HEAD_MAX (16 << 10)           /* request line, headers and a piece of the body, per connection; 0.9.75 zeroes it per request */
#define RUNS_MAX 4 /* in a row while there is more to do; during a TLS handshake 0.9.75 always says so, and only waits */

/* ---- running libmicrohttpd ------------------------------------------------------------------------------------- */

static void on_timeout(uv_timer_t *t);

static void
run(struct httpd *h)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	bool armed = true;
	assert(!h->running);
	h->running = true;
	for (int i = 0; i < RUNS_MAX && armed && ms == 0; i++) {
		mhd.run(h->daemon);
		armed = mhd.get_timeout(h->daemon, &ms) == MHD_YES;
	}
	h->running = false;
	if (armed)
		uv_timer_start(&h->timeout, on_timeout, ms ? ms : 1, 0);
	else
		uv_timer_stop(&h->timeout);
}

static void
on_timeout(uv_timer_t *t)
{
	run(t->data);
}

static void
on_ready(uv_poll_t *p, int status UNUSED, int events UNUSED)
{
	run(p->data);
}

static void httpd_free(struct httpd *h);

void
httpd_release(struct httpd *h)
{
	if (--h->handles == 0)
		httpd_free(h);
}

static void
run_deferred(void *arg)
{
	struct httpd *h = arg;
	h->will_run = false;
	if (h->daemon)
		run(h);
	httpd_release(h);
}

void
httpd_run_soon(struct httpd *h)
{
	if (h->will_run)
		return;
	h->will_run = true;
	h->handles++;
	loop_defer(h->loop, run_deferred, h);
}

int64_t
httpd_now_ms(const struct httpd *h)
{
	return (int64_t)uv_now(h->timeout.loop);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* libmicrohttpd's complaints: while starting they become the error, later they are about clients. */
__attribute__((format(printf, 2, 0))) static void
on_message(void *cls, const char *fmt, va_list ap)
{
	struct httpd *h = cls;
	char text[300];
	vsnprintf(text, sizeof text, fmt, ap);
	str line = str_trim(str_c(text));
	text[line.p - text + (ptrdiff_t)line.n] = 0;
	if (h->start_error)
		err_set(h->start_error, ERR_INVALID, "http server: %s", line.p);
	else
		log_debug("http", "detail", line.p, NULL);
}

static size_t
keep_escapes(void *cls UNUSED, struct MHD_Connection *conn UNUSED, char *s)
{
	return strlen(s); /* paths and queries are decoded here, where slashes and errors are seen */
}

static int
start_daemon(struct httpd *h, int fd, struct err *e)
{
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, h->cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, h->key },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (h->cert ? MHD_USE_TLS : 0);
	err_set(e, ERR_INVALID, "http server: cannot start");
	h->start_error = e;
	h->daemon = mhd.start_daemon(flags, 0, NULL, NULL, httpd_on_access, h,
		MHD_OPTION_EXTERNAL_LOGGER, on_message, h,
		MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_URI_LOG_CALLBACK, httpd_on_request_line, h,
		MHD_OPTION_NOTIFY_COMPLETED, httpd_on_completed, h,
		MHD_OPTION_NOTIFY_CONNECTION, httpd_on_connection, h,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_CONNECTION_LIMIT, h->config.max_connections,
		MHD_OPTION_CONNECTION_TIMEOUT, h->config.idle_seconds,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_ARRAY, h->cert ? tls : tls + 2,
		MHD_OPTION_END);
	h->start_error = NULL;
	if (!h->daemon)
		return -1;
	h->epoll_fd = mhd.get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return 0;
}

static void
watch(struct httpd *h)
{
	uv_loop_t *uv = loop_uv(h->loop);
	uv_timer_init(uv, &h->timeout);
	uv_timer_init(uv, &h->sweep);
	uv_poll_init(uv, &h->poll, h->epoll_fd);
	h->handles = 3;
	h->timeout.data = h->sweep.data = h->poll.data = h;
	uv_poll_start(&h->poll, UV_READABLE, on_ready);
}

static void
httpd_free(struct httpd *h)
{
	for (struct http_route *rt = h->routes; rt;) {
		struct http_route *next = rt->next;
		rt->fn = NULL;
		httpd_route_unref(rt);
		rt = next;
	}
	free(h->unix_path);
	free(h->cert);
	free(h->key);
	free(h);
}

str
httpd_unix_path(const struct httpd_config *c)
{
	return str_starts(c->address, S("unix:")) ? str_slice(c->address, 5, c->address.n) : STR_NONE;
}

int
httpd_start(struct loop *l, const struct httpd_config *c, struct httpd **out, struct err *e)
{
	if (httpd_load(e))
		return -1;
	str path = httpd_unix_path(c);
	int fd = httpd_listen(c, e);
	if (fd < 0)
		return -1;
	struct httpd *h = MEM_NEW(struct httpd);
	h->loop = l;
	h->config = *c;
	h->config.address = h->config.cert_pem = h->config.key_pem = STR_NONE;
	h->config.max_body = c->max_body ? c->max_body : (size_t)1 << 20;
	h->config.max_connections = c->max_connections ? c->max_connections : 4096;
	h->config.idle_seconds = c->idle_seconds ? c->idle_seconds : 60;
	h->config.max_buffered = c->max_buffered ? c->max_buffered : (size_t)256 << 20;
	h->port = path.p ? 0 : httpd_port_of(fd);
	h->unix_path = path.p ? mem_text(path) : NULL;
	h->cert = c->cert_pem.n ? mem_text(c->cert_pem) : NULL;
	h->key = c->key_pem.n ? mem_text(c->key_pem) : NULL;
	list_init(&h->clients);
	list_init(&h->requests);
	list_init(&h->streams);
	list_init(&h->next);
	if (start_daemon(h, fd, e)) {
		close(fd);
		httpd_free(h);
		return -1;
	}
	watch(h);
	*out = h;
	return 0;
}

uint16_t
httpd_port(const struct httpd *h)
{
	return h->port;
}

static void
on_handle_closed(uv_handle_t *handle)
{
	httpd_release(handle->data);
}

void
httpd_stop(struct httpd *h)
{
	if (!h)
		return;
	assert(!h->running);
	h->stopping = true;
	int fd = mhd.quiesce_daemon(h->daemon);
	close_fd(&fd);
	if (h->unix_path)
		(void)unlink(h->unix_path);
	httpd_end_requests(h);
	httpd_end_streams(h);
	run(h);
	run(h);
	uv_close((uv_handle_t *)&h->poll, on_handle_closed);
	uv_close((uv_handle_t *)&h->timeout, on_handle_closed);
	uv_close((uv_handle_t *)&h->sweep, on_handle_closed);
	struct MHD_Daemon *d = h->daemon;
	h->daemon = NULL;
	mhd.stop_daemon(d);
}
