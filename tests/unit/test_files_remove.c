/* SPDX-License-Identifier: Apache-2.0 */
/* Removing what strangers made: deeper than a path can be long, with links to elsewhere, with names that are in the way, shut to their owner. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/files.h"

static char dir[64];

static int
set_up(void **state UNUSED)
{
	snprintf(dir, sizeof dir, "/tmp/tidegate-remove-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	files_remove(dir);
	return access(dir, F_OK) == 0 ? -1 : 0;
}

static const char *
at(const char *name)
{
	static char path[4][128];
	static unsigned i;
	char *p = path[i++ % 4];
	snprintf(p, sizeof path[0], "%s/%s", dir, name);
	return p;
}

static int
make_folder(int in, const char *name)
{
	assert_int_equal(mkdirat(in, name, 0755), 0);
	int fd = openat(in, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void
make_file(int in, const char *name)
{
	int fd = openat(in, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
}

/* So many folders in each other, each with a file, a link to `outside` and a folder beside the next one. */
static void
make_deep(const char *name, unsigned depth)
{
	int fd = make_folder(AT_FDCWD, at(name));
	for (unsigned i = 0; i < depth; i++) {
		make_file(fd, "file");
		assert_int_equal(symlinkat(at("outside"), fd, "link"), 0);
		close(make_folder(fd, "empty"));
		int next = make_folder(fd, "a folder with a name that is not short");
		close(fd);
		fd = next;
	}
	close(fd);
}

static void
however_deep_it_is(void **state UNUSED)
{
	struct err e = { 0 };
	int outside = make_folder(AT_FDCWD, at("outside"));
	make_file(outside, "kept");
	make_deep("deep", 1000); /* some 40 kB of path */
	assert_int_equal(files_remove_all(at("deep"), &e), 0);
	assert_int_equal(access(at("deep"), F_OK), -1);
	assert_int_equal(access(at("outside/kept"), F_OK), 0);
	close(outside);
}

static void
names_in_the_way_are_no_obstacle(void **state UNUSED)
{
	struct err e = { 0 };
	int outside = make_folder(AT_FDCWD, at("outside"));
	make_deep("deep", 100);
	int top = open(at("deep"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i < 10; i++) {
		char name[40];
		snprintf(name, sizeof name, ".removed-%u", i);
		close(make_folder(top, name));
	}
	assert_int_equal(files_remove_all(at("deep"), &e), 0);
	assert_int_equal(access(at("deep"), F_OK), -1);
	close(top);
	close(outside);
}

static void
what_is_no_folder_goes_too(void **state UNUSED)
{
	struct err e = { 0 };
	int outside = make_folder(AT_FDCWD, at("outside"));
	make_file(outside, "kept");
	assert_int_equal(symlink(at("outside"), at("link")), 0);
	assert_int_equal(files_remove_all(at("link"), &e), 0);
	assert_int_equal(access(at("outside/kept"), F_OK), 0);
	assert_int_equal(files_remove_all(at("outside/kept"), &e), 0);
	assert_int_equal(access(at("outside/kept"), F_OK), -1);
	assert_int_equal(files_remove_all(at("nothing"), &e), 0);
	assert_int_equal(files_remove_all(at("nothing/below"), &e), 0);
	close(outside);
}

static void
what_is_shut_to_its_owner(void **state UNUSED)
{
	struct err e = { 0 };
	int fd = make_folder(AT_FDCWD, at("shut")), in = make_folder(fd, "in");
	make_file(in, "file");
	make_file(fd, "file");
	assert_int_equal(fchmod(in, 0), 0);
	assert_int_equal(fchmod(fd, 0500), 0);
	assert_int_equal(files_remove_all(at("shut"), &e), 0);
	assert_int_equal(access(at("shut"), F_OK), -1);
	close(fd);
	close(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(however_deep_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_in_the_way_are_no_obstacle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_folder_goes_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_shut_to_its_owner, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
