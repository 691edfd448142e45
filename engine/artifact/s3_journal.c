/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of uploads in parts: which this artifact has begun at the service, and the parts that are there. A process that is killed leaves it; the next
 * goes on with what it says, and whoever gives up takes back what it says. Lines of JSON, each added with one write:
 *   {"upload": ID, "key": KEY, "bytes": N, "part": N}      begun, of a file of so many bytes, in parts of so many
 *   {"of": ID, "number": N, "sum": SHA-256, "etag": ETAG}  a part that the service has
 *   {"ended": ID}                                          put together, or given up
 * A part of a line (the machine stopped) is no line. Nothing of it is needed for the object to be right: without it all is sent once more.
 */
#include <unistd.h>

#include "core/files.h"
#include "engine/artifact/s3.h"

#define JOURNAL_MAX ((size_t)64 << 20)

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static void
add_line(const struct s3 *s, struct val_map *m, struct arena *a, bool to_disk)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct val v = val_map_end(m, a);
	int fd CLEANUP(close_fd) = open(s->site->journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	buf_addc(&b, '\n'); /* ends what may have been cut off before */
	json_write_buf(&b, &v);
	buf_addc(&b, '\n');
	if (fd >= 0 && write(fd, b.p, b.n) == (ssize_t)b.n && to_disk)
		(void)fsync(fd);
}

void
s3_journal_begin(const struct s3 *s, const struct s3_upload *u, struct arena *a)
{
	struct val_map m = { 0 };
	if (!s->site->journal)
		return;
	val_map_add(&m, S("upload"), val_str(u->id));
	val_map_add(&m, S("key"), val_str(u->key));
	val_map_add(&m, S("bytes"), val_int((int64_t)u->bytes));
	val_map_add(&m, S("part"), val_int((int64_t)u->part));
	add_line(s, &m, a, true);
}

void
s3_journal_part(const struct s3 *s, const struct s3_upload *u, unsigned number, const struct s3_part *p, struct arena *a)
{
	struct val_map m = { 0 };
	if (!s->site->journal)
		return;
	val_map_add(&m, S("of"), val_str(u->id));
	val_map_add(&m, S("number"), val_int(number));
	val_map_add(&m, S("sum"), val_str(p->sum));
	val_map_add(&m, S("etag"), val_str(p->etag));
	add_line(s, &m, a, false);
}

void
s3_journal_end(const struct s3 *s, str id, struct arena *a)
{
	struct val_map m = { 0 };
	if (!s->site->journal)
		return;
	val_map_add(&m, S("ended"), val_str(id));
	add_line(s, &m, a, false);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

static struct s3_upload *
upload_named(struct s3_uploads *all, str id)
{
	for (size_t i = all->v.n; i-- > 0;)
		if (str_eq(all->v.p[i].id, id))
			return &all->v.p[i];
	return NULL;
}

static void
read_upload(struct s3_uploads *all, const struct val *line, struct arena *a)
{
	int64_t bytes, part;
	struct s3_upload u = { .id = val_get_str(line, "upload"), .key = val_get_str(line, "key") };
	if (!val_to_i64(val_get(line, S("bytes")), &bytes) || !val_to_i64(val_get(line, S("part")), &part) || bytes < 0 || part <= 0 ||
		bytes / part >= S3_PARTS_MAX)
		return;
	u.bytes = (uint64_t)bytes;
	u.part = (uint64_t)part;
	u.parts = ARENA_ARRAY(a, struct s3_part, s3_parts_of(&u));
	memset(u.parts, 0, s3_parts_of(&u) * sizeof *u.parts);
	*VEC_PUSH(&all->v) = u;
}

static void
read_line(struct s3_uploads *all, const struct val *line, struct arena *a)
{
	str ended = val_get_str(line, "ended"), of = val_get_str(line, "of");
	struct s3_upload *u = of.n ? upload_named(all, of) : ended.n ? upload_named(all, ended) : NULL;
	int64_t number;
	if (val_get_str(line, "upload").n)
		read_upload(all, line, a);
	else if (u && ended.n)
		*u = all->v.p[--all->v.n];
	else if (u && val_to_i64(val_get(line, S("number")), &number) && number >= 1 && (uint64_t)number <= s3_parts_of(u))
		u->parts[number - 1] = (struct s3_part){ val_get_str(line, "sum"), val_get_str(line, "etag") };
}

void
s3_journal_read(const struct s3 *s, struct arena *a, struct s3_uploads *out)
{
	str text;
	struct err e;
	*out = (struct s3_uploads){ 0 };
	if (!s->site->journal || files_read(s->site->journal, JOURNAL_MAX, a, &text, &e) < 0)
		return;
	while (text.n) {
		struct val line;
		if (json_read(a, str_cut(&text, '\n'), &line, &e) == 0)
			read_line(out, &line, a);
	}
}
