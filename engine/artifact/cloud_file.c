/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of files that are sent or have come, whichever a service has. They are mapped a piece at a time: none is in memory as a whole. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base64.h"
#include "core/crypto.h"
#include "core/store.h"
#include "engine/artifact/cloud.h"

#define PART ((uint64_t)32 << 20)
#define POLYNOMIAL_64 UINT64_C(0xC96C5795D7870F42) /* 0x42F0E1EBA9EA3693, bits reversed */

int
cloud_file_size(int fd, uint64_t *bytes, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_errno(e, "read the file that is sent");
	*bytes = (uint64_t)st.st_size;
	return 0;
}

uint64_t
cloud_part_size(uint64_t bytes, uint64_t most)
{
	uint64_t part = PART;
	while (bytes / part >= most)
		part *= 2;
	return part;
}

int64_t
cloud_file_start(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || (flags & O_ACCMODE) == O_WRONLY ? -1 : lseek(fd, 0, SEEK_CUR);
}

/* From any offset on; whole pages are mapped. */
static int
each_piece(int fd, uint64_t offset, uint64_t bytes, uint64_t piece, void (*each)(void *arg, str bytes), void *arg, struct err *e)
{
	for (uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE); bytes;) {
		size_t before = (size_t)(offset % page), n = (size_t)(bytes < piece ? bytes : piece);
		char *p = mmap(NULL, before + n, PROT_READ, MAP_PRIVATE, fd, (off_t)(offset - before));
		if (p == MAP_FAILED)
			return err_errno(e, "read the file for its checksum");
		(void)madvise(p, before + n, MADV_SEQUENTIAL);
		each(arg, (str){ p + before, n });
		(void)munmap(p, before + n);
		offset += n;
		bytes -= n;
	}
	return 0;
}

struct digest {
	unsigned char sum[CRYPTO_HASH_MAX];
	size_t n;
};

static void
add_md5(void *arg, str bytes)
{
	struct digest *d = arg;
	d->n = crypto_hash("md5", bytes, d->sum);
}

int
cloud_md5(int fd, uint64_t offset, uint64_t bytes, struct arena *a, str *out, struct err *e)
{
	struct digest d;
	add_md5(&d, S(""));
	if (each_piece(fd, offset, bytes, bytes, add_md5, &d, e) < 0)
		return -1;
	*out = base64_encode(a, (str){ (const char *)d.sum, d.n });
	return 0;
}

static void
add_crc32c(void *arg, str bytes)
{
	uint32_t *crc = arg;
	*crc = store_crc32c(*crc, bytes);
}

int
cloud_crc32c(int fd, uint64_t offset, uint64_t bytes, uint32_t *out, struct err *e)
{
	*out = 0;
	return each_piece(fd, offset, bytes, PART, add_crc32c, out, e);
}

static void
add_crc64(void *arg, str bytes)
{
	static uint64_t table[256];
	uint64_t *sum = arg, crc = ~*sum;
	for (uint64_t i = 0; !table[255] && i < 256; i++) {
		uint64_t c = i;
		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? POLYNOMIAL_64 : 0);
		table[i] = c;
	}
	for (size_t i = 0; i < bytes.n; i++)
		crc = crc >> 8 ^ table[(crc ^ (unsigned char)bytes.p[i]) & 255];
	*sum = ~crc;
}

int
cloud_crc64(int fd, uint64_t offset, uint64_t bytes, uint64_t *out, struct err *e)
{
	*out = 0;
	return each_piece(fd, offset, bytes, PART, add_crc64, out, e);
}
