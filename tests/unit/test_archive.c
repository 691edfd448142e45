/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives: what is packed comes out as it was, and what a stranger packed does no harm. The hostile ones are made by
 * tests/fixtures/hostile_archives.py; whatever becomes of one, nothing outside the folder it is unpacked in changes.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/archive/archive.h"
#include "core/files.h"

static const struct archive_limits no_limits = { 0 };
static char dir[64];

static int
set_up(void **state UNUSED)
{
	snprintf(dir, sizeof dir, "/tmp/tidegate-archive-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	files_remove(dir);
	return 0;
}

static const char *
at(const char *name)
{
	static char path[4][512];
	static unsigned i;
	char *p = path[i++ % 4];
	snprintf(p, sizeof path[0], "%s/%s", dir, name);
	return p;
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(at(name), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(at(name), mode), 0);
}

static void
make_folder(const char *name, mode_t mode)
{
	assert_int_equal(mkdir(at(name), 0755), 0);
	assert_int_equal(chmod(at(name), mode), 0);
}

static int
folder(const char *name)
{
	int fd = open(name ? at(name) : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* ---- what a tree is ---------------------------------------------------------------------------------------------- */

static struct buf seen;
static size_t seen_from;
static const char *seen_skip;
static bool seen_times;

static int
see(const char *path, const struct stat *st, int type UNUSED, struct FTW *ftw UNUSED)
{
	char target[512] = "";
	if (seen_skip && strncmp(path, seen_skip, strlen(seen_skip)) == 0)
		return 0;
	if (S_ISLNK(st->st_mode))
		assert_true(readlink(path, target, sizeof target - 1) > 0);
	buf_addf(&seen, "%s %o %lld %s", path + seen_from, st->st_mode, S_ISREG(st->st_mode) ? (long long)st->st_size : -1, target);
	if (seen_times)
		buf_addf(&seen, " %lld.%ld %lu %lu", (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec, (unsigned long)st->st_ino,
			(unsigned long)st->st_nlink);
	else if (S_ISREG(st->st_mode))
		buf_addf(&seen, " %lld", (long long)st->st_mtim.tv_sec);
	buf_addc(&seen, '\n');
	return 0;
}

static int
line_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Everything below the path, but for what begins with `skip`; `times`: whether anything at all was done to it. For the caller to free. */
static char *
look(const char *path, const char *skip, bool times)
{
	char *lines[4096];
	size_t n = 0;
	seen_from = strlen(path);
	seen_skip = skip;
	seen_times = times;
	nftw(path, see, 16, FTW_PHYS);
	for (str rest = buf_str(&seen); rest.n;) {
		assert_true(n < ARRAY_LEN(lines));
		lines[n++] = mem_text(str_cut(&rest, '\n'));
	}
	buf_free(&seen);
	qsort(lines, n, sizeof *lines, line_order);
	for (size_t i = 0; i < n; i++) {
		buf_addf(&seen, "%s\n", lines[i]);
		free(lines[i]);
	}
	char *all = mem_text(buf_str(&seen));
	buf_free(&seen);
	return all;
}

static void
expect_same(const char *a, const char *b)
{
	char *x = look(at(a), NULL, false), *y = look(at(b), NULL, false);
	assert_string_equal(x, y);
	free(x);
	free(y);
}

static char *
content(const char *name)
{
	struct arena *a = arena_new();
	struct err e;
	str text;
	if (files_read(at(name), 1 << 20, a, &text, &e) < 0)
		fail_msg("%s", e.msg);
	char *z = mem_text(text);
	arena_free(a);
	return z;
}

static void
expect_content(const char *name, const char *text)
{
	char *z = content(name);
	assert_string_equal(z, text);
	free(z);
}

/* ---- there and back ---------------------------------------------------------------------------------------------- */

static void
pack(const char *name, enum archive_format format, int level, const char *to)
{
	struct err e = { 0 };
	int fd = open(at(to), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), in = folder(NULL);
	if (archive_pack(in, name, format, level, fd, &no_limits, NULL, &e) < 0)
		fail_msg("%s", e.msg);
	close(fd);
	close(in);
}

static int
unpack(const char *from, enum archive_format format, const char *to, const struct archive_limits *l, struct err *e)
{
	int fd = open(at(from), O_RDONLY | O_CLOEXEC), in = folder(NULL);
	assert_true(fd >= 0);
	int rc = archive_unpack_as(fd, format, in, to, l, NULL, e);
	close(fd);
	close(in);
	return rc;
}

static void
make_tree(void)
{
	static char large[300001], name[201], path[256];
	memset(large, 'x', sizeof large - 1);
	memset(name, 'n', sizeof name - 1);
	make_folder("tree", 0755);
	make_folder("tree/empty", 0750);
	make_folder("tree/deep", 0755);
	make_folder("tree/deep/er", 0700);
	write_file("tree/plain", "text\n", 0644);
	write_file("tree/nothing", "", 0600);
	write_file("tree/run", "#!/bin/sh\n", 0755);
	write_file("tree/deep/er/large", large, 0444);
	write_file("tree/gr\xc3\xbc\xc3\x9f", "utf-8", 0644);
	write_file("tree/latin\xe9", "not utf-8", 0644);
	write_file("tree/back\\slash", "one name", 0644);
	snprintf(path, sizeof path, "tree/deep/%s", name);
	write_file(path, "a long name", 0644);
	assert_int_equal(symlink("../plain", at("tree/deep/link")), 0);
	assert_int_equal(symlink("nowhere", at("tree/dangling")), 0);
	assert_int_equal(utimensat(AT_FDCWD, at("tree/plain"), (struct timespec[]){ { 1000000000, 0 }, { 1000000000, 0 } }, 0), 0);
}

static void
there_and_back(enum archive_format format, int level)
{
	struct err e = { 0 };
	pack("tree", format, level, "packed");
	if (unpack("packed", format, "back", &no_limits, &e) < 0)
		fail_msg("%s", e.msg);
	expect_same("tree", "back");
	files_remove(at("back"));
}

static void
a_tree_comes_out_as_it_went_in(void **state UNUSED)
{
	make_tree();
	for (int level = -1; level <= 9; level += 5)
		there_and_back(ARCHIVE_AS_TAR, level);
	there_and_back(ARCHIVE_AS_TAR, 0);
}

/* Zip knows text in UTF-8, seconds in pairs, and libarchive takes a backslash for a slash where there is no other. */
static void
a_tree_comes_out_of_a_zip(void **state UNUSED)
{
	make_tree();
	assert_int_equal(unlink(at("tree/latin\xe9")), 0);
	there_and_back(ARCHIVE_AS_ZIP, -1);
	there_and_back(ARCHIVE_AS_ZIP, 0);
}

static void
the_same_files_make_the_same_bytes(void **state UNUSED)
{
	make_tree();
	pack("tree", ARCHIVE_AS_TAR, -1, "one.tgz");
	assert_int_equal(rename(at("tree/plain"), at("tree/moved")), 0);
	assert_int_equal(rename(at("tree/moved"), at("tree/plain")), 0); /* another place in the folder, perhaps */
	pack("tree", ARCHIVE_AS_TAR, -1, "two.tgz");
	char command[256];
	snprintf(command, sizeof command, "cmp %s/one.tgz %s/two.tgz", dir, dir);
	assert_int_equal(system(command), 0);
}

/* Argo's rule: one thing at the top gets the name, several lie in a folder of that name (spec 2.19). */
static void
what_is_at_the_top_gets_the_name(void **state UNUSED)
{
	struct err e = { 0 };
	write_file("alone", "one file", 0640);
	pack("alone", ARCHIVE_AS_TAR, -1, "alone.tgz");
	assert_int_equal(unpack("alone.tgz", ARCHIVE_AS_TAR, "renamed", &no_limits, &e), 0);
	expect_content("renamed", "one file");
	char command[512];
	snprintf(command, sizeof command, "cd %s && mkdir s && echo 1 >s/a && echo 2 >s/b && tar -C s -czf s.tgz a b && tar -C s -cf plain.tar a", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(unpack("s.tgz", ARCHIVE_AS_TAR, "several", &no_limits, &e), 0);
	expect_content("several/b", "2\n");
	assert_int_equal(unpack("plain.tar", ARCHIVE_AS_TAR, "plain", &no_limits, &e), 0);
	expect_content("plain", "1\n");
	/* What is there already stays, and nothing is left beside it. */
	char *before = look(dir, NULL, false);
	assert_int_equal(unpack("s.tgz", ARCHIVE_AS_TAR, "renamed", &no_limits, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	char *after = look(dir, NULL, false);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void
only_tar_with_gzip_is_found_out(void **state UNUSED)
{
	write_file("f", "text", 0644);
	pack("f", ARCHIVE_AS_TAR, -1, "f.tgz");
	pack("f", ARCHIVE_AS_ZIP, -1, "f.zip");
	char command[256];
	snprintf(command, sizeof command, "cd %s && gzip -k f && tar -cf f.tar f", dir);
	assert_int_equal(system(command), 0);
	static const struct {
		const char *name;
		bool is;
	} files[] = { { "f.tgz", true }, { "f.zip", false }, { "f.gz", false }, { "f.tar", false }, { "f", false } };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		int fd = open(at(files[i].name), O_RDONLY | O_CLOEXEC);
		assert_int_equal(archive_is_tar_gz(fd), files[i].is);
		assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
		close(fd);
	}
}

static void
refuse_to_pack(const char *name, const struct archive_limits *l, enum err_code code, const char *why)
{
	struct err e = { 0 };
	int fd = open(at("refused.tgz"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), in = folder(NULL);
	assert_int_equal(archive_pack(in, name, ARCHIVE_AS_TAR, -1, fd, l, NULL, &e), -1);
	assert_int_equal(e.code, code);
	if (!strstr(e.msg, why))
		fail_msg("%s", e.msg);
	close(fd);
	close(in);
}

static void
what_cannot_be_packed_is_refused(void **state UNUSED)
{
	make_tree();
	refuse_to_pack("missing", &no_limits, ERR_NOT_FOUND, "missing");
	refuse_to_pack("tree", &(struct archive_limits){ .bytes = 1000 }, ERR_LIMIT, "more than 1000 bytes");
	refuse_to_pack("tree", &(struct archive_limits){ .entries = 3 }, ERR_LIMIT, "more than 3 files");
	refuse_to_pack("tree", &(struct archive_limits){ .depth = 2 }, ERR_LIMIT, "more than 2 folders");
	assert_int_equal(mkfifo(at("tree/fifo"), 0644), 0);
	refuse_to_pack("tree", &no_limits, ERR_INVALID, "tree/fifo is a device, a pipe or a socket");
}

/* ---- strangers' archives ----------------------------------------------------------------------------------------- */

static bool
harmless_kind(const struct stat *st)
{
	return (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode)) && !(st->st_mode & 07000);
}

static int
check_kind(const char *path, const struct stat *st, int type UNUSED, struct FTW *ftw UNUSED)
{
	if (!harmless_kind(st))
		fail_msg("%s has mode %o", path, st->st_mode);
	return 0;
}

static unsigned wrong; /* of the hostile archives: how many were not met as they should be */

/* An empty fate: either will do. */
static void
meet(const char *file, const char *fate)
{
	const struct archive_limits l = { .bytes = 256 << 20, .entries = 2000, .ratio = 100 };
	struct err e = { 0 };
	char path[256];
	snprintf(path, sizeof path, "c/%s", file);
	char *before = look(dir, at("dest"), true);
	int fd = open(at(path), O_RDONLY | O_CLOEXEC), in = folder("dest");
	int rc = archive_unpack_as(fd, strstr(file, ".zip") ? ARCHIVE_AS_ZIP : ARCHIVE_AS_TAR, in, "out", &l, NULL, &e);
	close(fd);
	close(in);
	char *after = look(dir, at("dest"), true);
	assert_string_equal(before, after);
	free(before);
	free(after);
	if (*fate && (rc == 0) != (strcmp(fate, "harmless") == 0))
		printf("%s: \"%s\" is expected, and it %s%s\n", file, fate, rc ? "is refused: " : "is taken", e.msg), wrong++;
	else if (rc < 0 && ((*fate && !strstr(e.msg, fate)) || !e.code || strchr(e.msg, '\x1b')))
		printf("%s: \"%s\" is expected: %s\n", file, fate, e.msg), wrong++;
	nftw(at("dest"), check_kind, 16, FTW_PHYS);
	if (rc < 0)
		assert_int_equal(rmdir(at("dest")), 0); /* nothing is left */
	files_remove(at("dest"));
	make_folder("dest", 0755);
}

static void
hostile_archives_do_no_harm(void **state UNUSED)
{
	char command[512];
	size_t n = 0;
	make_folder("dest", 0755);
	make_folder("c", 0755);
	snprintf(command, sizeof command, "python3 tests/fixtures/hostile_archives.py %s/c", dir);
	assert_int_equal(system(command), 0);
	char *index = content("c/index");
	for (str rest = str_c(index); rest.n; n++) {
		str fate = str_cut(&rest, '\n'), file = str_cut(&fate, '\t');
		char *f = mem_text(file), *why = mem_text(fate);
		meet(f, why);
		free(f);
		free(why);
	}
	free(index);
	assert_true(n >= 40);
	assert_int_equal(wrong, 0);
	expect_content("c/outside/kept", "kept\n");
}

/* What is unpacked into a folder where something waits: a link there is no way out either. */
static void
a_link_that_waits_is_no_way_out(void **state UNUSED)
{
	struct err e = { 0 };
	make_folder("in", 0755);
	make_folder("outside", 0755);
	make_folder("d", 0755);
	write_file("d/f", "x", 0644);
	assert_int_equal(symlink("../outside", at("in/d")), 0);
	pack("d", ARCHIVE_AS_TAR, -1, "d.tgz");
	int fd = open(at("d.tgz"), O_RDONLY | O_CLOEXEC), in = folder("in");
	assert_int_equal(archive_unpack(fd, ARCHIVE_AS_TAR, in, &no_limits, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "something else in the archive has that name"));
	assert_int_equal(access(at("outside/f"), F_OK), -1);
	close(fd);
	close(in);
}

/* So many bytes of zeros as a tar with gzip, or a zip, whose names say what they are. */
static void
pack_zeros(size_t bytes, enum archive_format format, const char *to)
{
	int fd = open(at("zeros"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	close(fd);
	pack("zeros", format, -1, to);
}

static void
meet_ratio(const char *file, unsigned ratio, uint64_t from, bool fits)
{
	struct err e = { 0 };
	int rc = unpack(file, strstr(file, ".zip") ? ARCHIVE_AS_ZIP : ARCHIVE_AS_TAR, "out", &(struct archive_limits){ .ratio = ratio, .ratio_from = from }, &e);
	assert_int_equal(rc, fits ? 0 : -1);
	if (rc == 0) {
		files_remove(at("out"));
		return;
	}
	assert_int_equal(e.code, ERR_LIMIT);
	assert_non_null(strstr(e.msg, "the archive's entry zeros: the archive unpacks to more than"));
	assert_int_equal(access(at("out"), F_OK), -1);
}

/* Zeros pack to a thousandth. What is small may; more of them is a bomb, whoever packed it and whatever its header says. */
static void
a_ratio_counts_from_where_it_matters(void **state UNUSED)
{
	const uint64_t mib = 1 << 20;
	static const char *const files[] = { "z.tgz", "z.zip" };
	pack_zeros(3 << 20, ARCHIVE_AS_TAR, files[0]);
	pack_zeros(3 << 20, ARCHIVE_AS_ZIP, files[1]);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		meet_ratio(files[i], 200, 3 * mib, true);  /* as much as is free */
		meet_ratio(files[i], 200, 3 * mib - 1, false);
		meet_ratio(files[i], 200, mib, false);
		meet_ratio(files[i], 200, 0, true);        /* the usual first 16 MiB */
		meet_ratio(files[i], 2000, mib, true);     /* more than gzip can */
		meet_ratio(files[i], 0, 1, true);          /* no such limit */
	}
	pack_zeros(17 << 20, ARCHIVE_AS_TAR, files[0]);
	meet_ratio(files[0], 200, 0, false);
}

/* Damage and limits have a name, too. */
static void
reasons_name_the_entry(void **state UNUSED)
{
	struct err e = { 0 };
	make_tree();
	pack("tree", ARCHIVE_AS_TAR, -1, "t.tgz");
	assert_int_equal(unpack("t.tgz", ARCHIVE_AS_TAR, "a", &(struct archive_limits){ .bytes = 300000 }, &e), -1);
	assert_non_null(strstr(e.msg, "the archive's entry tree/"));
	pack("tree", ARCHIVE_AS_TAR, 0, "t.tgz");
	assert_int_equal(truncate(at("t.tgz"), 200000), 0);
	assert_int_equal(unpack("t.tgz", ARCHIVE_AS_TAR, "a", &no_limits, &e), -1);
	assert_non_null(strstr(e.msg, "the archive's entry tree"));
	assert_non_null(strstr(e.msg, "damaged"));
}

static void
limits_are_kept(void **state UNUSED)
{
	struct err e = { 0 };
	struct archive_sum sum;
	make_tree();
	pack("tree", ARCHIVE_AS_TAR, -1, "t.tgz");
	assert_int_equal(unpack("t.tgz", ARCHIVE_AS_TAR, "a", &(struct archive_limits){ .bytes = 300000 }, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(unpack("t.tgz", ARCHIVE_AS_TAR, "a", &(struct archive_limits){ .entries = 5 }, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(unpack("t.tgz", ARCHIVE_AS_TAR, "a", &(struct archive_limits){ .depth = 2 }, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	int fd = open(at("t.tgz"), O_RDONLY | O_CLOEXEC), in = folder(NULL);
	assert_int_equal(archive_unpack_as(fd, ARCHIVE_AS_TAR, in, "a", &(struct archive_limits){ .bytes = 400000, .entries = 20, .depth = 4, .ratio = 1 }, &sum, &e), 0);
	assert_int_equal(sum.entries, 14);
	assert_int_equal(sum.bytes, 5 + 10 + 300000 + 5 + 9 + 8 + 11);
	close(fd);
	close(in);
}

static int
measure(const char *file, const struct archive_limits *l, struct archive_sum *sum, struct err *e)
{
	int fd CLEANUP(close_fd) = open(at(file), O_RDONLY | O_CLOEXEC);
	return archive_measure(fd, l, sum, e);
}

/* As much as comes out of it; several together. */
static void
what_it_comes_to_is_known_before(void **state UNUSED)
{
	struct err e = { 0 };
	struct archive_sum sum = { 0 };
	make_tree();
	pack("tree", ARCHIVE_AS_TAR, -1, "t.tgz");
	assert_int_equal(measure("t.tgz", &no_limits, &sum, &e), 0);
	assert_int_equal(sum.entries, 14);
	assert_int_equal(sum.bytes, 5 + 10 + 300000 + 5 + 9 + 8 + 11);
	assert_int_equal(measure("t.tgz", &(struct archive_limits){ .bytes = 700000, .entries = 28 }, &sum, &e), 0);
	assert_int_equal(sum.entries, 28);
	assert_int_equal(measure("t.tgz", &(struct archive_limits){ .entries = 28 }, &sum, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	sum = (struct archive_sum){ 0 };
	assert_int_equal(measure("t.tgz", &(struct archive_limits){ .bytes = 300000 }, &sum, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	pack_zeros(17 << 20, ARCHIVE_AS_TAR, "z.tgz");
	sum = (struct archive_sum){ 0 };
	assert_int_equal(measure("z.tgz", &(struct archive_limits){ .ratio = 2000 }, &sum, &e), 0);
	assert_int_equal(measure("z.tgz", &(struct archive_limits){ .ratio = 200 }, &sum, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	write_file("text", "no archive at all", 0644);
	assert_int_equal(measure("text", &no_limits, &sum, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tree_comes_out_as_it_went_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tree_comes_out_of_a_zip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_same_files_make_the_same_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_at_the_top_gets_the_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_tar_with_gzip_is_found_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_packed_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hostile_archives_do_no_harm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_link_that_waits_is_no_way_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_ratio_counts_from_where_it_matters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reasons_name_the_entry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_it_comes_to_is_known_before, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
