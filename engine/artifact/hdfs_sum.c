/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HDFS's checksum of a file (org.apache.hadoop.hdfs.FileChecksumHelper): a CRC-32C of each chunk, an MD5 of those of a block, and an MD5 of those of
 * all blocks. What is hashed last is the whole room of a buffer that begins with 32 bytes and doubles, so zeros count behind the MD5s.
 */
#include <errno.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/store.h"
#include "engine/artifact/hdfs.h"

enum { MD5 = 16, CHUNK_MIN = 256, CHUNK_MAX = 1 << 20, ROOM_MIN = 32, CHUNKS_MAX = 4 << 20 /* of a block */ };

struct sums {
	int fd;
	uint64_t at, left;  /* of the file */
	size_t chunk;       /* bytes with a CRC of their own */
	uint64_t block;     /* chunks in a block; 0: the file is one block */
	struct buf of_block, of_file;
	char *piece;        /* room for a chunk */
};

static bool
read_all(struct sums *s, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t got = pread(s->fd, s->piece + have, n - have, (off_t)(s->at + have));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		have += (size_t)got;
	}
	s->at += n;
	s->left -= n;
	return true;
}

static void
add_big_endian(struct buf *b, uint32_t n)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_addc(b, (char)(n >> shift & 0xFF));
}

static bool
add_block(struct sums *s)
{
	unsigned char md5[CRYPTO_HASH_MAX];
	s->of_block.n = 0;
	for (uint64_t i = 0; s->left && (!s->block || i < s->block); i++) {
		size_t n = s->left < s->chunk ? (size_t)s->left : s->chunk;
		if (i >= CHUNKS_MAX || !read_all(s, n))
			return false;
		add_big_endian(&s->of_block, store_crc32c(0, (str){ s->piece, n }));
	}
	crypto_hash("md5", buf_str(&s->of_block), md5);
	buf_add(&s->of_file, (str){ (const char *)md5, MD5 });
	return true;
}

/* With the zeros of Hadoop's buffer. */
static void
add_room(struct buf *b)
{
	size_t room = ROOM_MIN;
	while (room < b->n)
		room *= 2;
	while (b->n < room)
		buf_addc(b, 0);
}

/* The MD5 as it is at the end of HDFS's; absent: the file cannot be read, or has a block beyond measure. */
static str
md5_of(struct sums *s, struct arena *a)
{
	unsigned char md5[CRYPTO_HASH_MAX];
	bool whole = true;
	s->piece = mem_alloc(s->chunk);
	while (whole && s->left)
		whole = add_block(s);
	add_room(&s->of_file);
	crypto_hash("md5", buf_str(&s->of_file), md5);
	free(s->piece);
	buf_free(&s->of_block);
	buf_free(&s->of_file);
	return whole ? str_hex(a, md5, MD5) : STR_NONE;
}

/* "MD5-of-262144MD5-of-512CRC32C": chunks in a block, 0 if there is but one, and bytes in a chunk. */
static bool
read_algorithm(str name, struct sums *s)
{
	int64_t block, chunk;
	str rest = name;
	if (!str_starts(name, S("MD5-of-")) || !str_ends(name, S("CRC32C")))
		return false;
	rest = str_slice(rest, strlen("MD5-of-"), rest.n - strlen("CRC32C"));
	size_t cut = str_find(rest, S("MD5-of-"), 0);
	if (cut == SIZE_MAX || !str_to_i64(str_slice(rest, 0, cut), &block) || !str_to_i64(str_slice(rest, cut + strlen("MD5-of-"), rest.n), &chunk))
		return false;
	s->block = (uint64_t)block;
	s->chunk = (size_t)chunk;
	return block >= 0 && chunk >= CHUNK_MIN && chunk <= CHUNK_MAX;
}

enum hdfs_same
hdfs_sum_compare(const struct val *checksum, int fd, uint64_t start, uint64_t bytes, bool uniform, struct arena *a)
{
	str algorithm = webhdfs_text(checksum, "algorithm"), said = webhdfs_text(checksum, "bytes");
	struct sums s = { .fd = fd, .at = start, .left = bytes };
	if (!read_algorithm(algorithm, &s) || said.n < 2 * (4 + 8 + MD5))
		return HDFS_UNKNOWN;
	bool one = s.block == 0;
	str md5 = md5_of(&s, a);
	if (!md5.p)
		return HDFS_UNKNOWN;
	if (str_eq(str_slice(said, 2 * (4 + 8), 2 * (4 + 8 + MD5)), md5))
		return HDFS_SAME;
	return one || uniform ? HDFS_DIFFERS : HDFS_UNKNOWN;
}
