/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bare: the least a durable event gateway can do, as the limit that we measure against. One thread: epoll, read every
 * request that is there, one write and one fdatasync for all of them, then the answers; with a command, each event starts
 * it after its fdatasync (posix_spawn); with a target, each is sent there over one connection.
 *
 *     bare PORT FILE [COMMAND ARG... | :TARGET]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 8192

struct conn {
	int fd;
	size_t n;
	char in[4096];
};

static struct conn *conns[CONNECTIONS_MAX];
static struct conn *ready[CONNECTIONS_MAX];
static size_t ready_n;
static char log_buf[1 << 20];
static size_t log_n;

/* 0: not all there; else the bytes of the request, *body at its body. */
static size_t
request_length(struct conn *c, char **body)
{
	c->in[c->n] = 0;
	char *end = strstr(c->in, "\r\n\r\n");
	if (!end)
		return 0;
	char *length = strcasestr(c->in, "\r\nContent-Length:");
	size_t n = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	*body = end + 4;
	size_t all = (size_t)(end + 4 - c->in) + n;
	return c->n >= all ? all : 0;
}

static void
hang_up(struct conn *c)
{
	conns[c->fd] = NULL;
	close(c->fd);
	free(c);
}

static void
take(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->n, sizeof c->in - 1 - c->n, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	c->n += (size_t)n;
	char *body;
	size_t all = request_length(c, &body);
	if (!all)
		return;
	size_t body_n = all - (size_t)(body - c->in);
	memcpy(log_buf + log_n, body, body_n);
	log_n += body_n;
	log_buf[log_n++] = '\n';
	c->n = 0;
	ready[ready_n++] = c;
}

static void
join(int listener, int ep)
{
	for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
		if (fd >= CONNECTIONS_MAX) {
			close(fd);
			continue;
		}
		int on = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		struct conn *c = conns[fd] = calloc(1, sizeof *c);
		c->fd = fd;
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = c });
	}
}

/* A POST to 127.0.0.1:port; its answer is read before the next. */
static void
call(uint16_t port)
{
	static const char request[] = "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n{\"v\":\"tidegate\"}";
	static int fd = -1;
	char answer[1024];
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;
	if (fd < 0) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&sa, sizeof sa))
			perror("target");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	} else {
		(void)!recv(fd, answer, sizeof answer, 0);
	}
	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) {
		close(fd);
		fd = -1;
	}
}

static void
commit(int log, char **command)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: text/plain\r\n\r\nsuccess";
	if (write(log, log_buf, log_n) != (ssize_t)log_n || fdatasync(log)) {
		perror("log");
		exit(1);
	}
	extern char **environ;
	for (size_t i = 0; i < ready_n; i++) {
		pid_t pid;
		if (command && *command[0] == ':')
			call((uint16_t)atoi(command[0] + 1));
		else if (command && posix_spawn(&pid, command[0], NULL, NULL, command, environ))
			perror("spawn");
		if (send(ready[i]->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
			hang_up(ready[i]);
	}
	ready_n = log_n = 0;
}

int
main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	signal(SIGCHLD, SIG_IGN);
	int log = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), on = 1;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), ep = epoll_create1(EPOLL_CLOEXEC);
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (log < 0 || bind(listener, (struct sockaddr *)&sa, sizeof sa) || listen(listener, 1024)) {
		perror("start");
		return 1;
	}
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = NULL });
	for (;;) {
		struct epoll_event ev[1024];
		int n = epoll_wait(ep, ev, 1024, -1);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				take(ev[i].data.ptr);
			else
				join(listener, ep);
		}
		if (ready_n)
			commit(log, argc > 3 ? argv + 3 : NULL);
	}
}
