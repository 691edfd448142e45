/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submit: submits the same workflow many times over keep-alive connections, each with one request under way, and waits until
 * they have ended, as the server's metrics count it. Prints the seconds until the last was accepted and until the last had
 * ended.
 *
 *     submit PORT COUNT CONNECTIONS WAIT BODY-FILE
 *
 * WAIT 0: only until all are accepted; 1: until COUNT more have ended; else until so many have ended since the server's start.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define PATH "/api/v1/workflows/default"
#define FINISHED "argo_workflows_total_count{"

struct conn {
	int fd;
	size_t n, skip; /* bytes of the answer that are in; of its body, to be passed over */
	char in[1 << 16];
};

static struct conn conns[CONNECTIONS_MAX];
static char request[1 << 16];
static size_t request_n, sent, accepted, wanted;
static struct sockaddr_in server;

static double
now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t some = send(fd, p, n, MSG_NOSIGNAL);
		if (some <= 0)
			die("send");
		p += some;
		n -= (size_t)some;
	}
}

static void
submit_next(struct conn *c)
{
	if (sent == wanted)
		return;
	sent++;
	send_all(c->fd, request, request_n);
}

/* The head is in: what follows is counted, not kept. False: there is none yet. */
static int
read_head(struct conn *c)
{
	c->in[c->n] = 0;
	char *end = strstr(c->in, "\r\n\r\n");
	if (!end)
		return 0;
	if (strncmp(c->in, "HTTP/1.1 2", 10)) {
		fprintf(stderr, "%s\n", c->in);
		exit(1);
	}
	char *length = strcasestr(c->in, "\r\nContent-Length:");
	size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	c->skip = (size_t)(end + 4 - c->in) + body;
	return 1;
}

static void
receive(struct conn *c)
{
	size_t room = sizeof c->in - 1 - (c->skip ? 0 : c->n);
	ssize_t n = recv(c->fd, c->skip ? c->in : c->in + c->n, room, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("the server closed a connection");
	c->n += (size_t)n;
	if ((!c->skip && !read_head(c)) || c->n < c->skip)
		return;
	c->n = c->skip = 0;
	accepted++;
	submit_next(c);
}

static int
dial(void)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&server, sizeof server))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

/* Sum of the workflows that have ended, in whatever phase. */
static size_t
finished(void)
{
	static char text[1 << 18];
	static const char get[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	int fd = dial();
	size_t n = 0, sum = 0;
	ssize_t some;
	send_all(fd, get, sizeof get - 1);
	while (n < sizeof text - 1 && (some = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0)
		n += (size_t)some;
	close(fd);
	text[n] = 0;
	for (char *p = text; (p = strstr(p, "\n" FINISHED)); p++) {
		char *value = strstr(p + 1, "} ");
		if (strstr(p, "Succeeded") && strstr(p, "Succeeded") < value)
			sum += strtoul(value + 2, NULL, 10);
	}
	return sum;
}

static void
prepare(const char *file)
{
	static char body[1 << 15];
	FILE *f = fopen(file, "r");
	if (!f)
		die(file);
	size_t n = fread(body, 1, sizeof body - 1, f);
	fclose(f);
	request_n = (size_t)snprintf(request, sizeof request,
		"POST " PATH " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", n, body);
}

int
main(int argc, char **argv)
{
	if (argc < 6)
		return 2;
	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	wanted = strtoul(argv[2], NULL, 10);
	int n = atoi(argv[3]), ep = epoll_create1(0);
	int wait = atoi(argv[4]);
	prepare(argv[5]);
	size_t before = wait ? finished() : 0;
	double start = now();
	for (int i = 0; i < n && i < CONNECTIONS_MAX; i++) {
		conns[i].fd = dial();
		epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = &conns[i] });
		submit_next(&conns[i]);
	}
	while (accepted < wanted) {
		struct epoll_event ev[64];
		int ready = epoll_wait(ep, ev, 64, 1000);
		for (int i = 0; i < ready; i++)
			receive(ev[i].data.ptr);
	}
	double taken = now() - start;
	struct timespec pause = { .tv_nsec = 5000000 };
	size_t ends = wait > 1 ? (size_t)wait : before + wanted;
	while (wait && finished() < ends)
		nanosleep(&pause, NULL);
	printf("accepted %.4f s finished %.4f s\n", taken, now() - start);
	return 0;
}
