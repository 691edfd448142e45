/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a topic: one GET, by HTTP/1.0, so that the answer ends with the connection. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/net/nsq.h"
#include "core/net/tcp.h"

enum { HTTP_PORT = 4161, HTTPS_PORT = 443, PIECE = 16384 };

int
nsq_lookup_read(struct arena *a, str json, struct nsq_addresses *out, struct err *e)
{
	struct val answer;
	if (json_read(a, json, &answer, e) < 0)
		return err_wrap(e, "nsq: the answer of nsqlookupd");
	const struct val *producers = val_get(&answer, S("producers"));
	if (!producers)
		producers = val_path(&answer, "data.producers");
	*out = (struct nsq_addresses){ 0 };
	if (!val_is(producers, VAL_LIST))
		return 0;
	out->p = ARENA_ARRAY(a, struct nsq_address, producers->n);
	for (uint32_t i = 0; i < producers->n; i++) {
		str host = val_get_str(&producers->items[i], "broadcast_address");
		const struct val *port = val_get(&producers->items[i], S("tcp_port"));
		int64_t n;
		if (host.n && port && val_to_i64(port, &n) && n > 0 && n < 65536)
			out->p[out->n++] = (struct nsq_address){ arena_dup(a, host), (int)n };
	}
	return 0;
}

static int
read_all(int fd, int wait_ms, struct buf *b, struct err *e)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (poll(&p, 1, wait_ms) == 0)
			return err_set(e, ERR_UNAVAILABLE, "nsq: nsqlookupd says nothing");
		ssize_t n = recv(fd, buf_room(b, PIECE), PIECE, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, ERR_UNAVAILABLE, "nsq: nsqlookupd: %s", strerrordesc_np(errno));
		if (n == 0)
			return 0;
		b->n += (size_t)n;
		if (b->n > NSQ_LOOKUP_MAX)
			return err_set(e, ERR_LIMIT, "nsq: the answer of nsqlookupd is longer than %d bytes", NSQ_LOOKUP_MAX);
	}
}

/* "HTTP/1.1 200 OK\r\n...\r\n\r\n{...}" */
static int
read_answer(struct arena *a, str text, struct nsq_addresses *out, struct err *e)
{
	int64_t status = 0;
	str rest = text, version = str_cut(&rest, ' ');
	size_t end = str_find(text, S("\r\n\r\n"), 0);
	if (!str_starts(version, S("HTTP/1.")) || !str_to_i64(str_slice(rest, 0, 3), &status) || end == SIZE_MAX)
		return err_set(e, ERR_UNAVAILABLE, "nsq: what answers is no nsqlookupd: it does not speak HTTP");
	*out = (struct nsq_addresses){ 0 };
	if (status == 404) /* it does not know the topic */
		return 0;
	if (status != 200)
		return err_set(e, ERR_UNAVAILABLE, "nsq: nsqlookupd answers %d", (int)status);
	return nsq_lookup_read(a, str_slice(text, end + 4, text.n), out, e);
}

int
nsq_lookup(str url, const struct peer_target *t, str topic, int wait_ms, struct arena *a, struct nsq_addresses *out, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct peer_url u;
	bool tls = str_starts(url, S("https://"));
	if (peer_url_parse(url, tls ? HTTPS_PORT : HTTP_PORT, &u, e) < 0)
		return -1;
	int fd CLEANUP(close_fd) = tcp_connect("nsq: nsqlookupd", u.host, u.port, wait_ms, e);
	if (fd >= 0 && tls)
		fd = tls_pipe("nsq: nsqlookupd", fd, t, u.host, wait_ms, e);
	if (fd < 0)
		return -1;
	/* a topic has no characters that a URL would have to escape but "#" */
	buf_addf(&b, "GET /%.*s?topic=%.*s%s HTTP/1.0\r\nHost: %.*s:%d\r\nAccept: application/vnd.nsq; version=1.0\r\n\r\n",
	         STR_ARG(u.path.n ? u.path : S("lookup")), STR_ARG(str_slice(topic, 0, str_find_char(topic, '#', 0))),
	         str_find_char(topic, '#', 0) != SIZE_MAX ? "%23ephemeral" : "", STR_ARG(u.host), u.port);
	if (send(fd, b.p, b.n, MSG_NOSIGNAL) != (ssize_t)b.n)
		return err_set(e, ERR_UNAVAILABLE, "nsq: nsqlookupd hung up");
	b.n = 0;
	return read_all(fd, wait_ms, &b, e) < 0 ? -1 : read_answer(a, arena_dup(a, buf_str(&b)), out, e);
}
