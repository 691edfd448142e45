/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that is killed leaves the journal; the next goes on with what it says, and whoever gives up takes back what it says. Lines of JSON, each added
 * with one write:
 *   {"upload": ID, "key": KEY, "bytes": N, "part": N, "sum": SUM}   begun, of a file of so many bytes with this sum, in parts of so many
 *   {"of": ID, "number": N, "sum": SUM, "etag": ETAG}               a part that the service has
 *   {"ended": ID}                                                   put together, or given up
 * A part of a line (the machine stopped) is no line. Nothing of it is needed for the object to be right: without it all is sent once more. An ID may be
 * all that it takes to write the object (gcs): the file is its owner's only.
 */
#include <unistd.h>

#include "core/files.h"
#include "engine/artifact/journal.h"

#define JOURNAL_MAX ((size_t)64 << 20)

struct uploads {
	VEC(struct journal_upload) v;
};

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static void
add_line(const struct artifact_site *site, struct val_map *m, struct arena *a, bool to_disk)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	struct val v = val_map_end(m, a);
	int fd CLEANUP(close_fd) = open(site->journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	buf_addc(&b, '\n'); /* ends what may have been cut off before */
	json_write_buf(&b, &v);
	buf_addc(&b, '\n');
	if (fd >= 0 && write(fd, b.p, b.n) == (ssize_t)b.n && to_disk)
		(void)fsync(fd);
}

static void
make_parts(struct journal_upload *u, struct arena *a)
{
	u->parts = ARENA_ARRAY(a, struct journal_part, journal_parts_of(u));
	memset(u->parts, 0, journal_parts_of(u) * sizeof *u->parts);
}

void
journal_begin(const struct artifact_site *site, struct journal_upload *u, struct arena *a)
{
	struct val_map m = { 0 };
	make_parts(u, a);
	if (!site->journal)
		return;
	val_map_add(&m, S("upload"), val_str(u->id));
	val_map_add(&m, S("key"), val_str(u->key));
	val_map_add(&m, S("bytes"), val_int((int64_t)u->bytes));
	val_map_add(&m, S("part"), val_int((int64_t)u->part));
	if (u->sum.n)
		val_map_add(&m, S("sum"), val_str(u->sum));
	add_line(site, &m, a, true);
}

void
journal_part(const struct artifact_site *site, const struct journal_upload *u, unsigned number, const struct journal_part *p, struct arena *a)
{
	struct val_map m = { 0 };
	if (!site->journal)
		return;
	val_map_add(&m, S("of"), val_str(u->id));
	val_map_add(&m, S("number"), val_int(number));
	val_map_add(&m, S("sum"), val_str(p->sum));
	val_map_add(&m, S("etag"), val_str(p->etag));
	add_line(site, &m, a, false);
}

void
journal_end(const struct artifact_site *site, str id, struct arena *a)
{
	struct val_map m = { 0 };
	if (!site->journal)
		return;
	val_map_add(&m, S("ended"), val_str(id));
	add_line(site, &m, a, false);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

static struct journal_upload *
upload_named(struct uploads *all, str id)
{
	for (size_t i = all->v.n; i-- > 0;)
		if (str_eq(all->v.p[i].id, id))
			return &all->v.p[i];
	return NULL;
}

static void
read_upload(struct uploads *all, const struct val *line, struct arena *a)
{
	int64_t bytes, part;
	struct journal_upload u = { .id = val_get_str(line, "upload"), .key = val_get_str(line, "key"), .sum = val_get_str(line, "sum") };
	if (!val_to_i64(val_get(line, S("bytes")), &bytes) || !val_to_i64(val_get(line, S("part")), &part) || bytes < 0 || part <= 0 ||
		bytes / part >= JOURNAL_PARTS_MAX)
		return;
	u.bytes = (uint64_t)bytes;
	u.part = (uint64_t)part;
	make_parts(&u, a);
	*VEC_PUSH(&all->v) = u;
}

static void
read_line(struct uploads *all, const struct val *line, struct arena *a)
{
	str ended = val_get_str(line, "ended"), of = val_get_str(line, "of");
	struct journal_upload *u = of.n ? upload_named(all, of) : ended.n ? upload_named(all, ended) : NULL;
	int64_t number;
	if (val_get_str(line, "upload").n)
		read_upload(all, line, a);
	else if (u && ended.n)
		*u = all->v.p[--all->v.n];
	else if (u && val_to_i64(val_get(line, S("number")), &number) && number >= 1 && (uint64_t)number <= journal_parts_of(u))
		u->parts[number - 1] = (struct journal_part){ val_get_str(line, "sum"), val_get_str(line, "etag") };
}

/* VEC_FREE(&out->v) is the caller's. */
static void
read_journal(const struct artifact_site *site, struct arena *a, struct uploads *out)
{
	str text;
	struct err e;
	*out = (struct uploads){ 0 };
	if (!site->journal || files_read(site->journal, JOURNAL_MAX, a, &text, &e) < 0)
		return;
	while (text.n) {
		struct val line;
		if (json_read(a, str_cut(&text, '\n'), &line, &e) == 0)
			read_line(out, &line, a);
	}
}

static bool
is_the_same(const struct journal_upload *u, const struct journal_upload *other)
{
	return u->bytes == other->bytes && u->part == other->part && str_eq(u->sum, other->sum);
}

bool
journal_take_up(const struct artifact_site *site, struct journal_upload *u, void (*give_up)(void *arg, const struct journal_upload *other), void *arg,
	struct arena *a)
{
	struct uploads all;
	bool found = false;
	read_journal(site, a, &all);
	for (size_t i = 0; i < all.v.n; i++) {
		const struct journal_upload *other = &all.v.p[i];
		if (!str_eq(u->key, other->key))
			continue;
		if (found || !is_the_same(u, other)) {
			give_up(arg, other);
			continue;
		}
		u->id = other->id;
		u->parts = other->parts;
		found = true;
	}
	VEC_FREE(&all.v);
	return found;
}

void
journal_each(const struct artifact_site *site, void (*each)(void *arg, const struct journal_upload *u), void *arg)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct uploads all;
	read_journal(site, a, &all);
	for (size_t i = 0; i < all.v.n; i++)
		each(arg, &all.v.p[i]);
	VEC_FREE(&all.v);
}
