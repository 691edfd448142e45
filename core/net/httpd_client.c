/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: who is idle or slow for too long is closed, and who has gone is noticed. */
#include <poll.h>
#include <sys/socket.h>

#include "core/net/httpd_impl.h"

#define SWEEP_MS 1000

int
httpd_socket_of(struct MHD_Connection *conn)
{
	return mhd.get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

bool
httpd_has_left(struct MHD_Connection *conn)
{
	struct pollfd p = { .fd = httpd_socket_of(conn), .events = POLLRDHUP };
	return poll(&p, 1, 0) > 0;
}

static void
on_sweep(uv_timer_t *t)
{
	struct httpd *h = t->data;
	int64_t now = httpd_now_ms(h);
	LIST_EACH(&h->clients, struct client, link, c)
		if (c->deadline_ms && c->deadline_ms < now) {
			c->deadline_ms = 0;
			shutdown(httpd_socket_of(c->conn), SHUT_RDWR); /* libmicrohttpd sees the end and closes */
		}
	httpd_check_streams(h);
	httpd_check_requests(h);
	if (list_empty(&h->clients))
		uv_timer_stop(t);
}

void
httpd_on_connection(void *cls, struct MHD_Connection *conn, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct httpd *h = cls;
	struct client *c = *context;
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (c)
			list_del(&c->link);
		free(c);
		*context = NULL;
		return;
	}
	c = MEM_NEW(struct client);
	c->conn = conn;
	c->deadline_ms = httpd_now_ms(h) + h->config.idle_seconds * INT64_C(1000);
	if (list_empty(&h->clients))
		uv_timer_start(&h->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	list_add_tail(&h->clients, &c->link);
	*context = c;
}
