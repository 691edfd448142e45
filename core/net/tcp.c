/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"

/* 0: it is there; else an errno. */
static int
connected(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t n = sizeof error;
	if (poll(&p, 1, wait_ms) <= 0)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 ? errno : error;
}

static int
try(const struct addrinfo *at, int wait_ms, int *error)
{
	const int on = 1, idle_s = TCP_GONE_S / 2, every_s = TCP_GONE_S / 6, tries = 3, gone_ms = TCP_GONE_S * 1000;
	int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
	if (fd < 0) {
		*error = errno;
		return -1;
	}
	*error = connect(fd, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno == EINPROGRESS ? connected(fd, wait_ms) : errno;
	if (*error) {
		close(fd);
		return -1;
	}
	(void)fcntl(fd, F_SETFL, 0);
	/* what a system lacks of these makes a dead peer known later only */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &gone_ms, sizeof gone_ms);
	return fd;
}

int
tcp_connect(const char *what, str host, int port, int wait_ms, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found;
	int fd = -1, error = 0;
	int64_t end = clock_monotonic_ms() + wait_ms;
	int rc = getaddrinfo(str_z(a, host), arena_fmt(a, "%d", port).p, &want, &found);
	if (rc)
		return err_set(e, ERR_UNAVAILABLE, "%s: %.*s: %s", what, STR_ARG(host), gai_strerror(rc));
	for (const struct addrinfo *at = found; fd < 0 && at; at = at->ai_next) {
		int64_t left = end - clock_monotonic_ms();
		fd = try(at, left > 0 ? (int)left : 0, &error);
	}
	freeaddrinfo(found);
	if (fd < 0)
		return err_set(e, ERR_UNAVAILABLE, "%s: connecting to %.*s:%d: %s", what, STR_ARG(host), port, strerrordesc_np(error));
	return fd;
}

int
tcp_or_tls(const char *what, const struct peer_target *t, bool tls, str host, int port, struct err *e)
{
	int fd = tcp_connect(what, host, port, PEER_WAIT_MS / 3, e);
	return fd < 0 || !tls ? fd : tls_pipe(what, fd, t, host, PEER_WAIT_MS / 3, e);
}
