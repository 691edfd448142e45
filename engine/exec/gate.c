/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate: closes the way to those monitors of earlier daemons that have not claimed their step yet (engine/shim/task.h has the
 * argument). Few are ever between locking the gate and claiming, and for a moment, so the new daemon waits for them here,
 * before it serves anybody.
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "engine/exec/exec.h"

#define LOOK_MS 2
#define PATIENCE_MS 60000 /* what they do takes microseconds, but creates a file, and the disk may be busy */

/* A lock of the open file, not of the process: nothing else that we open or close can give it back. */
static int
lock_gate(int gate, struct err *e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	for (int waited = 0; fcntl(gate, F_OFD_SETLK, &lock) < 0; waited += LOOK_MS) {
		if (errno != EAGAIN && errno != EACCES)
			return err_errno(e, "lock the gate of the steps");
		if (waited >= PATIENCE_MS) {
			(void)!fcntl(gate, F_OFD_GETLK, &lock); /* without it, the text has no pid */
			return err_set(e, ERR_UNAVAILABLE, "a step of an earlier daemon neither begins nor leaves: process %d hangs", (int)lock.l_pid);
		}
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * NS_PER_MS }, NULL);
	}
	return 0;
}

static int
close_gate(const struct executor *x, struct err *e)
{
	int gate CLEANUP(close_fd) = openat(x->tasks_fd, TASK_GATE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (gate < 0)
		return errno == ENOENT ? 0 : err_errno(e, "open the gate of the steps");
	if (lock_gate(gate, e) < 0)
		return -1;
	if (pwrite(gate, "closed\n", 7, 0) != 7 || unlinkat(x->tasks_fd, TASK_GATE, 0) < 0)
		return err_errno(e, "close the gate of the steps");
	return 0;
}

int
gate_open(struct executor *x, struct err *e)
{
	if (close_gate(x, e) < 0)
		return -1;
	x->gate_fd = openat(x->tasks_fd, TASK_GATE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return x->gate_fd < 0 ? err_errno(e, "open the gate of the steps") : 0;
}
