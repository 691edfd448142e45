/* SPDX-License-Identifier: Apache-2.0 */
/*
 * react: from an event to the process it starts. One connection; each POST is answered and starts `mark NAME`; the next one
 * follows when both were seen. The time is from before send() to the first line of mark's main(), on one clock.
 *
 *     react PORT PATH EVENTS NAME
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 100000

static int64_t took[EVENTS_MAX];

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

static int
marks(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	memcpy(sa.sun_path + 1, name, n);
	if (n >= sizeof sa.sun_path - 1 || bind(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)))
		die("bind");
	return fd;
}

static int
dial(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static int64_t
one_event(int conn, int mark, const char *path, unsigned id)
{
	char b[1024], body[256];
	int n = snprintf(body, sizeof body, "{\"branch\":\"main\",\"repository\":{\"name\":\"tidegate\",\"stars\":1},\"id\":1%07u}", id);
	n = snprintf(b, sizeof b, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, n, body);
	int64_t start = now(), at = 0;
	if (send(conn, b, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
	for (int answered = 0; !answered || !at;) {
		struct pollfd p[2] = { { conn, POLLIN, 0 }, { mark, POLLIN, 0 } };
		if (poll(p, 2, 10000) <= 0) {
			fprintf(stderr, "event %u: %s within 10 s\n", id, answered ? "no process" : "no answer");
			exit(1);
		}
		if (p[0].revents && (n = (int)recv(conn, b, sizeof b - 1, 0)) <= 0)
			die("recv");
		if (p[0].revents && !answered++ && strncmp(b, "HTTP/1.1 2", 10) != 0) {
			fprintf(stderr, "answer: %.*s\n", n, b);
			exit(1);
		}
		if (p[1].revents && recv(mark, &at, sizeof at, 0) != sizeof at)
			die("mark");
	}
	return at - start;
}

static int
ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	int events = atoi(argv[3]), warm = 20;
	int mark = marks(argv[4]), conn = dial((uint16_t)atoi(argv[1]));
	for (int i = 0; i < events + warm && i < EVENTS_MAX; i++) {
		int64_t t = one_event(conn, mark, argv[2], (unsigned)i);
		if (i >= warm)
			took[i - warm] = t;
	}
	qsort(took, (size_t)events, sizeof *took, ascending);
	printf("p50 %.3f ms p99 %.3f ms\n", (double)took[events / 2] / 1e6, (double)took[events * 99 / 100] / 1e6);
	return 0;
}
