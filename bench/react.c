/* SPDX-License-Identifier: Apache-2.0 */
/*
 * react: from an event to what it sets going. One connection; each POST is answered and starts `mark NAME`, or calls http://127.0.0.1:TARGET;
 * the next one follows when both were seen. The time is from before send() to the first line of mark's main(), or to the call's arrival, on
 * one clock.
 *
 *     react PORT PATH EVENTS NAME|:TARGET
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

/* The target of calls: it listens, and a connection that comes stays. */
static int target = -1, caller = -1;

static int
listens(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) || listen(fd, 8))
		die("target");
	return fd;
}

/* When a call came, 0 if it is not there yet. A call is small: it is there with its first bytes, or at most with the next. */
static int64_t
call_came(void)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	static char b[8192];
	static size_t had;
	int64_t at = now();
	if (caller < 0) {
		caller = accept(target, NULL, NULL);
		return 0;
	}
	ssize_t n = recv(caller, b + had, sizeof b - 1 - had, 0);
	if (n <= 0)
		die("the call's connection ended");
	had += (size_t)n;
	b[had] = 0;
	const char *end = strstr(b, "\r\n\r\n"), *length = strcasestr(b, "\r\nContent-Length:");
	if (!end || had < (size_t)(end + 4 - b) + (length ? strtoul(length + 17, NULL, 10) : 0))
		return 0;
	had = 0;
	if (send(caller, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
		die("answer");
	return at;
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
		struct pollfd p[2] = { { conn, POLLIN, 0 }, { target < 0 ? mark : caller < 0 ? target : caller, POLLIN, 0 } };
		if (poll(p, 2, 10000) <= 0) {
			fprintf(stderr, "event %u: %s within 10 s\n", id, answered ? "nothing follows" : "no answer");
			exit(1);
		}
		if (p[0].revents && (n = (int)recv(conn, b, sizeof b - 1, 0)) <= 0)
			die("recv");
		if (p[0].revents && !answered++ && strncmp(b, "HTTP/1.1 2", 10) != 0) {
			fprintf(stderr, "answer: %.*s\n", n, b);
			exit(1);
		}
		if (p[1].revents && target >= 0)
			at = call_came();
		else if (p[1].revents && recv(mark, &at, sizeof at, 0) != sizeof at)
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
	int mark = -1;
	if (*argv[4] == ':')
		target = listens((uint16_t)atoi(argv[4] + 1));
	else
		mark = marks(argv[4]);
	int conn = dial((uint16_t)atoi(argv[1]));
	for (int i = 0; i < events + warm && i < EVENTS_MAX; i++) {
		int64_t t = one_event(conn, mark, argv[2], (unsigned)i);
		if (i >= warm)
			took[i - warm] = t;
	}
	qsort(took, (size_t)events, sizeof *took, ascending);
	printf("p50 %.3f ms p99 %.3f ms\n", (double)took[events / 2] / 1e6, (double)took[events * 99 / 100] / 1e6);
	return 0;
}
