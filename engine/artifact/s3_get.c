/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects out of S3, and what is checked of them. The service tells the checksum that it keeps of an object as a whole, if it has one ("Checking
 * object integrity in Amazon S3"); of one that came there in one piece, and is not encrypted with a key of one's own or of the key service, the ETag is
 * the MD5 ("Object", in the API reference). Of others nothing is known that could be compared: a checksum of checksums, in parts whose size is nowhere
 * told, is not of the bytes.
 */
#include "core/base64.h"
#include "core/store.h"
#include "engine/artifact/cloud.h"
#include "engine/artifact/s3.h"

enum sum_kind { SUM_CRC, SUM_CRC32C, SUM_HASH, SUM_ETAG };

static const struct sum {
	const char *header;
	enum sum_kind kind;
	uint64_t polynomial;
	const char *hash;
} sums[] = {
	{ "x-amz-checksum-sha256", SUM_HASH, 0, "sha256" },
	{ "x-amz-checksum-crc64nvme", SUM_CRC, CLOUD_CRC64_NVME, NULL },
	{ "x-amz-checksum-crc32c", SUM_CRC32C, 0, NULL },
	{ "x-amz-checksum-crc32", SUM_CRC, CLOUD_CRC32, NULL },
	{ "x-amz-checksum-sha1", SUM_HASH, 0, "sha1" },
	{ "etag", SUM_ETAG, 0, "md5" },
};

/* What is known of the object that comes. */
struct coming {
	const struct artifact_site *site;
	struct arena *arena;
	const struct sum *sum; /* NULL: nothing */
	str value;
};

/* ---- what the service says --------------------------------------------------------------------------------------------- */

/* "MD5" as an ETag has it: of parts it has a dash. */
static bool
is_md5(str etag)
{
	bool quoted = etag.n == 34 && str_starts(etag, S("\"")) && str_ends(etag, S("\""));
	for (size_t i = 1; quoted && i < 33; i++)
		quoted = (etag.p[i] >= '0' && etag.p[i] <= '9') || (etag.p[i] >= 'a' && etag.p[i] <= 'f') || (etag.p[i] >= 'A' && etag.p[i] <= 'F');
	return quoted;
}

static bool
is_of_its_bytes(const struct sum *sum, str value, const struct http_answer *head)
{
	str encryption = http_answer_header(head, "X-Amz-Server-Side-Encryption");
	if (sum->kind == SUM_ETAG)
		return is_md5(value) && (!encryption.n || str_eq(encryption, S("AES256"))) &&
			!http_answer_header(head, "X-Amz-Server-Side-Encryption-Customer-Algorithm").p;
	return value.n && str_find_char(value, '-', 0) == SIZE_MAX && !str_eq(http_answer_header(head, "X-Amz-Checksum-Type"), S("COMPOSITE"));
}

/* For the process that goes on: it gets a range, whose answer says nothing of the whole. A line for the tag, the checksum's name and the checksum. */
static void
keep(const struct coming *c, str etag)
{
	const struct artifact_begun *begun = c->site->begun;
	if (!begun)
		return;
	bool strong = etag.n && !str_starts(etag, S("W/"));
	begun->keep(begun->arg, strong ? arena_fmt(c->arena, "%.*s\n%s\n%.*s", STR_ARG(etag), c->sum ? c->sum->header : "", STR_ARG(c->value)) : S(""));
}

static void
take_up(struct coming *c, struct s3_request *r)
{
	const struct artifact_begun *begun = c->site->begun;
	if (!begun || !begun->have)
		return;
	str rest = begun->note;
	r->have = begun->have;
	r->etag = str_cut(&rest, '\n');
	str name = str_cut(&rest, '\n');
	for (size_t i = 0; i < ARRAY_LEN(sums); i++)
		if (str_eq(name, str_c(sums[i].header)) && (sums[i].kind != SUM_ETAG || is_md5(rest)))
			c->sum = &sums[i];
	c->value = rest;
}

static void
note_sum(void *arg, const struct http_answer *head)
{
	struct coming *c = arg;
	c->sum = NULL;
	c->value = STR_NONE;
	for (size_t i = 0; !c->sum && i < ARRAY_LEN(sums); i++) {
		str value = http_answer_header(head, sums[i].header);
		if (!is_of_its_bytes(&sums[i], value, head))
			continue;
		c->sum = &sums[i];
		c->value = arena_dup(c->arena, value);
	}
	keep(c, http_answer_header(head, "ETag"));
}

/* ---- what came --------------------------------------------------------------------------------------------------------- */

static str
big_endian(uint64_t sum, size_t bytes, struct arena *a)
{
	char text[8];
	for (size_t i = 0; i < bytes; i++)
		text[i] = (char)(sum >> 8 * (bytes - 1 - i));
	return base64_encode(a, (str){ text, bytes });
}

static int
sum_of(const struct sum *sum, int fd, uint64_t offset, uint64_t bytes, struct arena *a, str *out, struct err *e)
{
	uint64_t crc = 0;
	uint32_t crc32c = 0;
	int rc;
	if (sum->hash)
		return cloud_hash(sum->hash, fd, offset, bytes, a, out, e);
	rc = sum->kind == SUM_CRC32C ? cloud_crc32c(fd, offset, bytes, &crc32c, e) : cloud_crc(sum->polynomial, fd, offset, bytes, &crc, e);
	*out = big_endian(sum->kind == SUM_CRC32C ? crc32c : crc, sum->polynomial >> 32 ? 8 : 4, a);
	return rc;
}

/* An ETag's hex as the base64 that the others have. */
static str
told(const struct coming *c, struct arena *a)
{
	char bytes[16];
	if (c->sum->kind != SUM_ETAG)
		return c->value;
	for (size_t i = 0; i < sizeof bytes; i++) {
		const char digits[] = { c->value.p[1 + 2 * i], c->value.p[2 + 2 * i], 0 };
		bytes[i] = (char)strtoul(digits, NULL, 16);
	}
	return base64_encode(a, (str){ bytes, sizeof bytes });
}

static int
compare(const struct s3 *s, str key, const struct coming *c, int fd, int64_t start, struct arena *a, struct err *e)
{
	str is, kept = told(c, a);
	uint64_t bytes = (uint64_t)(lseek(fd, 0, SEEK_CUR) - start);
	if (sum_of(c->sum, fd, (uint64_t)start, bytes, a, &is, e) < 0)
		return -1;
	if (str_eq(is, kept))
		return 0;
	artifact_is_damaged(s->site);
	return err_set(e, ERR_UNAVAILABLE, "%.*s: what came is damaged: its %s is %.*s here and %.*s there", STR_ARG(s3_name(s, key, a)),
		c->sum->kind == SUM_ETAG ? "MD5" : c->sum->header + strlen("x-amz-checksum-"), STR_ARG(is), STR_ARG(kept));
}

int
s3_get_file(struct s3 *s, str key, int fd, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_header headers[S3_ENCRYPTION_HEADERS + 1];
	struct coming c = { .site = s->site, .arena = a };
	struct http_answer ans;
	struct s3_request r = { .method = "GET", .key = key, .headers = headers, .headers_n = s->key_headers_n + 1, .began = note_sum, .began_arg = &c };
	int64_t start = cloud_file_start(fd);
	take_up(&c, &r);
	memcpy(headers, s->key_headers, sizeof s->key_headers);
	headers[s->key_headers_n] = (struct http_header){ S("X-Amz-Checksum-Mode"), S("ENABLED") };
	if (s3_receive(s, &r, fd, a, &ans, e) < 0)
		return -1;
	return c.sum && start >= 0 ? compare(s, key, &c, fd, start, a, e) : 0;
}
