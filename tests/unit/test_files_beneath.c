/* SPDX-License-Identifier: Apache-2.0 */
/* Opening what lies in a folder that strangers filled: no link is followed, and nothing leads out. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/files.h"

static char dir[64];
static int inside; /* dir/in; beside it lies dir/secret */

static void
make_file(int at, const char *name)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static int
set_up(void **state UNUSED)
{
	snprintf(dir, sizeof dir, "/tmp/tidegate-beneath-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(top, "in", 0755), 0);
	inside = openat(top, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_file(top, "secret");
	make_file(inside, "file");
	assert_int_equal(mkdirat(inside, "folder", 0755), 0);
	make_file(inside, "folder/file");
	assert_int_equal(symlinkat("file", inside, "to-file"), 0);
	assert_int_equal(symlinkat("folder", inside, "to-folder"), 0);
	assert_int_equal(symlinkat("../secret", inside, "out"), 0);
	assert_int_equal(symlinkat("..", inside, "up"), 0);
	assert_int_equal(symlinkat("/etc/passwd", inside, "absolute"), 0);
	assert_int_equal(symlinkat("/proc/self/root", inside, "magic"), 0);
	assert_int_equal(symlinkat("nowhere", inside, "dangling"), 0);
	close(top);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	close(inside);
	files_remove(dir);
	return 0;
}

static void
opens(int fd)
{
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
}

static void
fails(int fd, int code)
{
	int is = errno;
	assert_int_equal(fd, -1);
	assert_int_equal(is, code);
}

static void
what_lies_there_is_opened(void **state UNUSED)
{
	opens(open_beneath(inside, "file", O_RDONLY, 0));
	opens(open_beneath(inside, "folder/file", O_RDONLY, 0));
	opens(open_beneath(inside, "folder/../file", O_RDONLY, 0)); /* up, but not out */
	opens(open_beneath(inside, ".", O_RDONLY | O_DIRECTORY, 0));
	fails(open_beneath(inside, "nothing", O_RDONLY, 0), ENOENT);
	fails(open_beneath(inside, "file/below", O_RDONLY, 0), ENOTDIR);
}

static void
no_link_is_followed(void **state UNUSED)
{
	static const char *const links[] = { "to-file", "to-folder", "to-folder/file", "out", "up", "up/secret", "absolute", "magic", "magic/etc/passwd", "dangling" };
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		fails(open_beneath(inside, links[i], O_RDONLY, 0), ELOOP);
		fails(open_beneath(inside, links[i], O_WRONLY | O_CREAT, 0600), ELOOP);
	}
	assert_int_equal(faccessat(inside, "nowhere", F_OK, 0), -1);
}

static void
nothing_leads_out(void **state UNUSED)
{
	static const char *const paths[] = { "..", "../secret", "folder/../../secret", "/etc/passwd", "/" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		fails(open_beneath(inside, paths[i], O_RDONLY, 0), EXDEV);
	fails(open_beneath(inside, "../made", O_WRONLY | O_CREAT, 0600), EXDEV);
	assert_int_equal(faccessat(inside, "../made", F_OK, 0), -1);
}

static void
a_new_file_has_its_mode(void **state UNUSED)
{
	struct stat st;
	mode_t mask = umask(0);
	opens(open_beneath(inside, "folder/new", O_WRONLY | O_CREAT | O_EXCL, 0640));
	umask(mask);
	assert_int_equal(fstatat(inside, "folder/new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	fails(open_beneath(inside, "folder/new", O_WRONLY | O_CREAT | O_EXCL, 0640), EEXIST);
	opens(open_beneath(inside, "file", O_RDONLY, 0640)); /* a mode without a new file does no harm */
}

static void
a_look_follows_links_that_stay(void **state UNUSED)
{
	opens(look_beneath(inside, "to-file"));
	opens(look_beneath(inside, "to-folder/file"));
	fails(look_beneath(inside, "out"), EXDEV);
	fails(look_beneath(inside, "up"), EXDEV);
	fails(look_beneath(inside, "up/in/file"), EXDEV); /* out and in again */
	fails(look_beneath(inside, "absolute"), EXDEV);
	fails(look_beneath(inside, "magic"), EXDEV);
	fails(look_beneath(inside, "dangling"), ENOENT);
	char byte;
	int fd = look_beneath(inside, "file");
	fails((int)read(fd, &byte, 1), EBADF);
	close(fd);
}

static void
a_link_stays_by_its_text(void **state UNUSED)
{
	static const struct {
		const char *path, *target;
		bool stays;
	} cases[] = {
		{ "a", "b", true }, { "a", "./b/.", true }, { "a", ".", true }, { "a", "", false }, { "a", "/b", false }, { "a", "..", false }, { "a", "../b", false },
		{ "a/b", "..", true }, { "a/b", "../c", true }, { "a/b", "../../c", false }, { "a/b", "../c/../../d", false }, { "a/b", "c/../../d", true },
		{ "a", "b/.../..", true }, { "a", "./..", false }, { "a", "b/..//..", false }, { "a", "b/../..", false }, { "a/b/c", "../../..", false }, { "a/b/c", "../..", true }, { "a", "..b", true }, { "a", "b/.../..", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (link_stays(str_c(cases[i].path), str_c(cases[i].target)) != cases[i].stays)
			fail_msg("%s -> %s", cases[i].path, cases[i].target);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_lies_there_is_opened, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_link_is_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_leads_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_new_file_has_its_mode, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_look_follows_links_that_stay, set_up, tear_down),
		cmocka_unit_test(a_link_stays_by_its_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
