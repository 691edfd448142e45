/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: keep-alive connections on loopback, each with one POST under way at a time. Prints requests a second and the
 * percentiles of the answer time. As lean as the servers it measures, for it shares their processors.
 *
 *     load PORT PATH CONNECTIONS SECONDS [MAX-REQUESTS]
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

#define CONNECTIONS_MAX 4096
#define SAMPLES_MAX 4000000
#define BODY "{\"branch\":\"main\",\"repository\":{\"name\":\"tidegate\",\"stars\":1},\"pusher\":\"somebody\",\"id\":1%07u,\"forced\":false}"

struct conn {
	int fd;
	int64_t sent_at;
	size_t n;
	char in[4096];
};

static struct conn conns[CONNECTIONS_MAX];
static uint32_t samples[SAMPLES_MAX]; /* ns, at most 4 s */
static size_t answers, bad;
static unsigned next_id;
static char head[256];
static int head_n;

static int64_t
now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
send_request(struct conn *c)
{
	char b[512];
	memcpy(b, head, (size_t)head_n);
	int n = head_n + snprintf(b + head_n, sizeof b - (size_t)head_n, BODY, next_id++ % 10000000);
	c->n = 0;
	c->sent_at = now();
	if (send(c->fd, b, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
}

/* The whole answer is in c->in. */
static int
is_complete(struct conn *c)
{
	c->in[c->n] = 0;
	char *end = strstr(c->in, "\r\n\r\n");
	if (!end)
		return 0;
	char *length = strcasestr(c->in, "\r\nContent-Length:");
	size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	return c->n >= (size_t)(end + 4 - c->in) + body;
}

static void
receive(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->n, sizeof c->in - 1 - c->n, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("the server closed a connection");
	c->n += (size_t)n;
	if (!is_complete(c))
		return;
	int64_t took = now() - c->sent_at;
	if (answers < SAMPLES_MAX)
		samples[answers] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
	answers++;
	bad += strncmp(c->in, "HTTP/1.1 2", 10) != 0;
	send_request(c);
}

static void
dial(struct conn *c, uint16_t port, int ep)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(c->fd, (struct sockaddr *)&sa, sizeof sa))
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = c });
	send_request(c);
}

static int
ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static double
percentile_ms(double p)
{
	size_t n = answers < SAMPLES_MAX ? answers : SAMPLES_MAX;
	return n ? samples[(size_t)(p * (double)(n - 1))] / 1e6 : 0;
}

int
main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	int n = atoi(argv[3]), ep = epoll_create1(0);
	double seconds = atof(argv[4]);
	size_t max = argc > 5 ? strtoul(argv[5], NULL, 10) : SIZE_MAX;
	char body[256];
	int body_n = snprintf(body, sizeof body, BODY, 0);
	head_n = snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", argv[2], body_n);
	int64_t start = now(), end = start + (int64_t)(seconds * 1e9);
	for (int i = 0; i < n && i < CONNECTIONS_MAX; i++)
		dial(&conns[i], (uint16_t)atoi(argv[1]), ep);
	while (now() < end && answers < max) {
		struct epoll_event ev[256];
		int ready = epoll_wait(ep, ev, 256, 100);
		for (int i = 0; i < ready; i++)
			receive(ev[i].data.ptr);
	}
	double took = (double)(now() - start) / 1e9;
	qsort(samples, answers < SAMPLES_MAX ? answers : SAMPLES_MAX, sizeof *samples, ascending);
	printf("%.0f req/s p50 %.3f ms p99 %.3f ms answers %zu bad %zu\n", (double)answers / took, percentile_ms(0.5), percentile_ms(0.99), answers, bad);
	return bad != 0;
}
