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
	const char *hash;
	unsigned char sum[CRYPTO_HASH_MAX];
	size_t n;
};

static void
add_hash(void *arg, str bytes)
{
	struct digest *d = arg;
	d->n = crypto_hash(d->hash, bytes, d->sum);
}

int
cloud_hash(const char *hash, int fd, uint64_t offset, uint64_t bytes, struct arena *a, str *out, struct err *e)
{
	struct digest d = { .hash = hash };
	add_hash(&d, S(""));
	if (each_piece(fd, offset, bytes, bytes, add_hash, &d, e) < 0)
		return -1;
	*out = base64_encode(a, (str){ (const char *)d.sum, d.n });
	return 0;
}

int
cloud_md5(int fd, uint64_t offset, uint64_t bytes, struct arena *a, str *out, struct err *e)
{
	return cloud_hash("md5", fd, offset, bytes, a, out, e);
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

/* Eight bytes at a time: table[k] has what a byte does to the sum when k more come after it. */
struct crc {
	uint64_t polynomial, sum;
	uint64_t table[8][256];
};

static void
fill_table(struct crc *c)
{
	for (uint64_t i = 0; i < 256; i++) {
		uint64_t sum = i;
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? c->polynomial : 0);
		c->table[0][i] = sum;
	}
	for (size_t k = 1; k < 8; k++)
		for (size_t i = 0; i < 256; i++)
			c->table[k][i] = c->table[k - 1][i] >> 8 ^ c->table[0][c->table[k - 1][i] & 255];
}

static void
add_crc(void *arg, str bytes)
{
	struct crc *c = arg;
	const unsigned char *p = (const unsigned char *)bytes.p;
	uint64_t sum = c->sum;
	size_t n = bytes.n;
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t next = 0;
		for (size_t k = 0; k < 8; k++)
			next ^= c->table[7 - k][(sum >> 8 * k ^ p[k]) & 255];
		sum = next;
	}
	for (; n; p++, n--)
		sum = sum >> 8 ^ c->table[0][(sum ^ *p) & 255];
	c->sum = sum;
}

int
cloud_crc(uint64_t polynomial, int fd, uint64_t offset, uint64_t bytes, uint64_t *out, struct err *e)
{
	const uint64_t ones = polynomial >> 32 ? UINT64_MAX : UINT32_MAX;
	struct crc *c = MEM_NEW(struct crc);
	c->polynomial = polynomial;
	c->sum = ones;
	fill_table(c);
	int rc = each_piece(fd, offset, bytes, PART, add_crc, c, e);
	*out = c->sum ^ ones;
	free(c);
	return rc;
}
