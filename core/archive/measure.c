/* SPDX-License-Identifier: Apache-2.0 */
/* measure: what an archive would come to, for who has another program unpack it. Believes the headers: they say what whoever unpacks it will make. */
#include <sys/stat.h>

#include "core/archive/library.h"

struct measure {
	const struct archive_lib *lib;
	struct archive *in;
	const struct archive_limits *l;
	struct archive_sum *sum;
	uint64_t packed, unpacked; /* bytes of this archive */
	struct err *e;
};

static int
damaged(struct measure *m)
{
	const char *why = m->lib->archive_error_string(m->in);
	return err_set(m->e, ERR_INVALID, "the archive is damaged, or of another kind: %s", why ? why : "it ends too early");
}

static int
count_bytes(struct measure *m, uint64_t n)
{
	const struct archive_limits *l = m->l;
	if (l->bytes && n > l->bytes - m->sum->bytes)
		return err_set(m->e, ERR_LIMIT, "the files have more than %llu bytes together", (unsigned long long)l->bytes);
	m->sum->bytes += n;
	m->unpacked += n;
	if (l->ratio && m->unpacked > (l->ratio_from ? l->ratio_from : ARCHIVE_RATIO_FROM) && m->unpacked / l->ratio > m->packed)
		return err_set(m->e, ERR_LIMIT, "the archive unpacks to more than %u times its size", l->ratio);
	return 0;
}

static int
count_entry(struct measure *m, struct archive_entry *entry)
{
	int64_t size = m->lib->archive_entry_size_is_set(entry) ? m->lib->archive_entry_size(entry) : 0;
	if (m->l->entries && m->sum->entries >= m->l->entries)
		return err_set(m->e, ERR_LIMIT, "there are more than %llu entries", (unsigned long long)m->l->entries);
	m->sum->entries++;
	return size > 0 ? count_bytes(m, (uint64_t)size) : 0;
}

static int
open_archive(struct measure *m, int fd)
{
	m->lib->archive_read_support_format_tar(m->in);
	m->lib->archive_read_support_format_empty(m->in);
	/* One that only another program could unpack is then damaged: it would be started with our rights. */
	if (m->lib->archive_read_support_filter_gzip(m->in) != ARCHIVE_OK)
		return err_set(m->e, ERR_UNAVAILABLE, "this libarchive was built without gzip");
	if (m->lib->archive_read_support_filter_zstd(m->in) != ARCHIVE_OK)
		return err_set(m->e, ERR_UNAVAILABLE, "this libarchive was built without zstd");
	return m->lib->archive_read_open_fd(m->in, fd, 64 << 10) == ARCHIVE_OK ? 0 : damaged(m);
}

static int
measure_all(struct measure *m, int fd)
{
	struct archive_entry *entry;
	struct stat st;
	int rc;
	if (!m->in)
		return err_set(m->e, ERR_IO, "no memory to read the archive");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(m->e, ERR_INVALID, "it is no file");
	m->packed = (uint64_t)st.st_size;
	if (open_archive(m, fd) < 0)
		return -1;
	while ((rc = m->lib->archive_read_next_header(m->in, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN)
		if (count_entry(m, entry) < 0)
			return -1;
	return rc == ARCHIVE_EOF ? 0 : damaged(m);
}

int
archive_measure(int fd, const struct archive_limits *l, struct archive_sum *sum, struct err *e)
{
	const struct archive_lib *lib = archive_lib(e);
	if (!lib)
		return -1;
	struct measure m = { .lib = lib, .in = lib->archive_read_new(), .l = l, .sum = sum, .e = e };
	int rc = measure_all(&m, fd);
	if (m.in)
		lib->archive_read_free(m.in);
	return rc;
}
