/* SPDX-License-Identifier: Apache-2.0 */
/*
 * startup: the time from starting a server until it answers 2xx for the first time, and what it weighs when it has been
 * idle for a second. Then it is stopped (SIGTERM, waited for).
 *
 *     startup PORT METHOD PATH COMMAND ARG...
 */
#include <arpa/inet.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t
now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int
answers(uint16_t port, const char *method, const char *path)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ok = 0;
	char b[1024];
	int n = snprintf(b, sizeof b, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
		method, path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && send(fd, b, (size_t)n, MSG_NOSIGNAL) == n) {
		n = (int)recv(fd, b, sizeof b - 1, 0);
		ok = n > 10 && strncmp(b, "HTTP/1.1 2", 10) == 0;
	}
	close(fd);
	return ok;
}

static long
pss_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = 0;
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "Pss: %ld kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

int
main(int argc, char **argv)
{
	extern char **environ;
	if (argc < 5)
		return 2;
	pid_t pid;
	int64_t start = now();
	if (posix_spawn(&pid, argv[4], NULL, NULL, argv + 4, environ)) {
		perror(argv[4]);
		return 1;
	}
	int ok;
	struct timespec pause = { .tv_nsec = 100000 };
	while (!(ok = answers((uint16_t)atoi(argv[1]), argv[2], argv[3])) && now() - start < INT64_C(10000000000))
		nanosleep(&pause, NULL);
	double ms = (double)(now() - start) / 1e6;
	sleep(1);
	long kib = pss_kib(pid);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	printf("ms %.3f pss_kib %ld ok %d\n", ms, kib, ok);
	return !ok;
}
