/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See meter.h. What belongs together is written between two changes of `turn`, which is odd meanwhile; who reads looks at that before and afterwards, and again if
 * it is another. A helper may be killed in between, so he does not do that for ever.
 */
#include "core/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOKS 100u /* of who reads */

struct meter {
	_Atomic uint32_t turn, item, attempt;
	_Atomic uint64_t bytes, total, moved;
	_Atomic char reason[METER_REASON_MAX];
};

/* ---- its memory ------------------------------------------------------------------------------------------------------ */

static struct meter *
map(int fd)
{
	void *p = mmap(NULL, sizeof(struct meter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* A file that is cut while it is mapped ends who reads it. */
static int
make_file(void)
{
	int fd = memfd_create("meter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || (ftruncate(fd, sizeof(struct meter)) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0))
		return fd;
	int code = errno;
	close(fd);
	errno = code;
	return -1;
}

int
meter_new(struct meter **m, int *fd, struct err *e)
{
	*fd = make_file();
	*m = *fd < 0 ? NULL : map(*fd);
	if (*m)
		return 0;
	err_errno(e, "make memory that tells how far a transfer is");
	close_fd(fd);
	*fd = -1;
	return -1;
}

struct meter *
meter_open(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && st.st_size == sizeof(struct meter) ? map(fd) : NULL;
}

void
meter_free(struct meter *m)
{
	if (m)
		(void)munmap(m, sizeof *m);
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

static void
set_reason(struct meter *m, const char *why)
{
	size_t n = strnlen(why, METER_REASON_MAX - 1);
	for (size_t i = 0; i < n; i++)
		atomic_store(&m->reason[i], why[i]);
	for (size_t i = n; i < METER_REASON_MAX; i++)
		atomic_store(&m->reason[i], 0);
}

void
meter_begin(struct meter *m, uint32_t item)
{
	if (!m)
		return;
	atomic_fetch_add(&m->turn, 1);
	atomic_store(&m->item, item);
	atomic_store(&m->attempt, 1);
	atomic_store(&m->bytes, 0);
	atomic_store(&m->total, 0);
	set_reason(m, "");
	atomic_fetch_add(&m->turn, 1);
}

void
meter_again(struct meter *m, bool anew, const char *why)
{
	if (!m)
		return;
	atomic_fetch_add(&m->turn, 1);
	atomic_fetch_add(&m->attempt, 1);
	if (anew) {
		atomic_store(&m->bytes, 0);
		atomic_store(&m->total, 0);
	}
	set_reason(m, why);
	atomic_fetch_add(&m->turn, 1);
}

void
meter_total(struct meter *m, uint64_t bytes)
{
	if (m)
		atomic_store(&m->total, bytes);
}

void
meter_moved(struct meter *m, uint64_t bytes)
{
	if (!m)
		return;
	atomic_fetch_add(&m->bytes, bytes);
	atomic_fetch_add(&m->moved, bytes);
}

void
meter_had(struct meter *m, uint64_t bytes)
{
	if (m)
		atomic_fetch_add(&m->bytes, bytes);
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static void
look(const struct meter *m, struct meter_reading *out)
{
	out->item = atomic_load(&m->item);
	out->attempt = atomic_load(&m->attempt);
	out->bytes = atomic_load(&m->bytes);
	out->total = atomic_load(&m->total);
	out->moved = atomic_load(&m->moved);
	for (size_t i = 0; i < METER_REASON_MAX; i++)
		out->reason[i] = atomic_load(&m->reason[i]);
	out->reason[METER_REASON_MAX - 1] = 0;
}

bool
meter_read(const struct meter *m, struct meter_reading *out)
{
	*out = (struct meter_reading){ 0 };
	for (unsigned i = 0; m && i < LOOKS; i++) {
		uint32_t before = atomic_load(&m->turn);
		look(m, out);
		if (before % 2 == 0 && atomic_load(&m->turn) == before)
			return true;
	}
	return !m;
}
