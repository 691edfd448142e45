/* SPDX-License-Identifier: Apache-2.0 */
/* mark: says when it was started. Static, so that what is measured ends with the kernel's exec. See react.c. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

int
main(int argc, char **argv)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	int64_t at = ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *name = argc > 1 ? argv[1] : "tidegate-bench";
	size_t n = strlen(name);
	if (n >= sizeof sa.sun_path - 1)
		return 2;
	memcpy(sa.sun_path + 1, name, n); /* abstract: gone with its owner */
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	return sendto(fd, &at, sizeof at, 0, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) != sizeof at;
}
