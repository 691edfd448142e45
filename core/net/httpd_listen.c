/* SPDX-License-Identifier: Apache-2.0 */
/* The socket that a server listens on. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/net/httpd_impl.h"

#define BACKLOG 1024

static int
listen_error(struct err *e, const char *what)
{
	if (errno == EADDRINUSE)
		return err_set(e, ERR_EXISTS, "listen on %s: the address is in use", what);
	return err_errno(e, "listen on %s", what);
}

static int
listen_at(const struct addrinfo *ai, const char *what, struct err *e)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0;
	if (fd < 0)
		return listen_error(e, what);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (ai->ai_family == AF_INET6) /* "::" serves IPv4 as well */
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG)) {
		listen_error(e, what);
		close(fd);
		return -1;
	}
	return fd;
}

static int
listen_tcp(const struct httpd_config *c, struct err *e)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *ai;
	char port[8], what[96];
	bool any = !c->address.n;
	char *host = mem_text(any ? S("::") : str_eq(c->address, S("localhost")) ? S("127.0.0.1") : c->address);
	snprintf(port, sizeof port, "%u", c->port);
	snprintf(what, sizeof what, "%.60s:%s", any ? "" : host, port);
	int rc = getaddrinfo(host, port, &hints, &ai), fd = -1;
	free(host);
	if (rc)
		return err_set(e, ERR_INVALID, "listen on %s: write a numeric address, as in 127.0.0.1", what);
	fd = listen_at(ai, what, e);
	freeaddrinfo(ai);
	if (fd < 0 && any && e->code != ERR_EXISTS && !getaddrinfo("0.0.0.0", port, &hints, &ai)) { /* a host without IPv6 */
		fd = listen_at(ai, what, e);
		freeaddrinfo(ai);
	}
	return fd;
}

/* Does somebody answer there? A socket file outlives its server. */
static bool
is_alive(const struct sockaddr_un *sa)
{
	int fd CLEANUP(close_fd) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 || errno != ECONNREFUSED;
}

static int
listen_unix(str path, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	if (!path.n || path.n >= sizeof sa.sun_path)
		return err_set(e, ERR_INVALID, "listen on unix:%.*s: the path must have 1 to %zu bytes", STR_ARG(path), sizeof sa.sun_path - 1);
	memcpy(sa.sun_path, path.p, path.n);
	struct stat st;
	if (lstat(sa.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && !is_alive(&sa))
		(void)unlink(sa.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Nobody can connect before listen(), so the mode is in time. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) || chmod(sa.sun_path, 0600) || listen(fd, BACKLOG)) {
		listen_error(e, sa.sun_path);
		close_fd(&fd);
		return -1;
	}
	return fd;
}

uint16_t
httpd_port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof sa;
	if (getsockname(fd, (struct sockaddr *)&sa, &n))
		return 0;
	return ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port : ((struct sockaddr_in *)&sa)->sin_port);
}

int
httpd_listen(const struct httpd_config *c, struct err *e)
{
	str path = httpd_unix_path(c);
	return path.p ? listen_unix(path, e) : listen_tcp(c, e);
}
