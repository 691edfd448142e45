/* SPDX-License-Identifier: Apache-2.0 */
/* The local artifact repository: objects by key, what is the same once, whole or not there, whoever writes or dies meanwhile. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "core/files.h"
#include "engine/artifact/local.h"

static const struct local_limits no_limits = { 0 };
static char dir[64];
static struct local_repo repo;

static const char *
at(const char *name)
{
	static char path[4][1600];
	static unsigned i;
	char *p = path[i++ % 4];
	snprintf(p, sizeof path[0], "%s/%s", dir, name);
	return p;
}

static int
set_up(void **state UNUSED)
{
	struct err e;
	snprintf(dir, sizeof dir, "/tmp/tidegate-local-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	return local_open(&repo, at("repo"), &e);
}

static int
tear_down(void **state UNUSED)
{
	local_close(&repo);
	files_remove(dir);
	return 0;
}

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
put(const char *key, const char *text, struct err *e)
{
	write_file("in", text);
	int fd = open(at("in"), O_RDONLY | O_CLOEXEC);
	int rc = local_put(&repo, key, fd, &no_limits, NULL, e);
	close(fd);
	return rc;
}

static void
expect_object(const char *key, const char *text)
{
	struct err e;
	char got[256] = "";
	int fd;
	if (local_read(&repo, key, &fd, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(read(fd, got, sizeof got - 1) >= 0);
	assert_string_equal(got, text);
	close(fd);
}

static void
expect_none(const char *key)
{
	struct err e;
	int fd;
	assert_int_equal(local_read(&repo, key, &fd, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

static size_t counted;

static int
count_file(const char *path UNUSED, const struct stat *st, int type UNUSED, struct FTW *ftw UNUSED)
{
	counted += S_ISREG(st->st_mode);
	return 0;
}

static size_t
files_in(const char *name)
{
	counted = 0;
	nftw(at(name), count_file, 16, FTW_PHYS);
	return counted;
}

static void
what_is_put_can_be_read(void **state UNUSED)
{
	struct err e;
	assert_int_equal(put("wf/pod/a.tgz", "first", &e), 0);
	expect_object("wf/pod/a.tgz", "first");
	expect_object("/wf/pod/a.tgz/", "first");
	assert_int_equal(put("wf/pod/a.tgz", "second", &e), 0);
	expect_object("wf/pod/a.tgz", "second");
	assert_int_equal(put("wf/pod/empty", "", &e), 0);
	expect_object("wf/pod/empty", "");
	expect_none("wf/pod");
	expect_none("wf/pod/b");
	assert_int_equal(files_in("repo/new"), 0);
}

static void
what_is_the_same_is_there_once(void **state UNUSED)
{
	struct err e;
	for (int i = 0; i < 3; i++)
		assert_int_equal(put("x/a", "same", &e), 0);
	assert_int_equal(put("y/b", "same", &e), 0);
	assert_int_equal(files_in("repo/blobs"), 1);
	struct stat a, b;
	assert_int_equal(stat(at("repo/objects/x/a"), &a), 0);
	assert_int_equal(stat(at("repo/objects/y/b"), &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_mode & 0777, 0444);
	assert_int_equal(access(at("repo/blobs/09/0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5"), F_OK), 0); /* its SHA-256 */
}

static void
keys_are_checked(void **state UNUSED)
{
	static const struct {
		const char *key, *why;
	} keys[] = { { "", "it is empty" }, { "///", "it is empty" }, { "a/../b", "made of dots" }, { "..", "made of dots" }, { "./a", "made of dots" },
		{ "a//b", "a part of it is empty" }, { "../../outside", "made of dots" } };
	char key[LOCAL_KEY_MAX + 8];
	struct err e;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		assert_int_equal(put(keys[i].key, "x", &e), -1);
		assert_int_equal(e.code, ERR_INVALID);
		if (!strstr(e.msg, keys[i].why))
			fail_msg("%s: %s", keys[i].key, e.msg);
		assert_int_equal(local_remove(&repo, keys[i].key, &e), -1);
		int fd;
		assert_int_equal(local_read(&repo, keys[i].key, &fd, &e), -1);
	}
	memset(key, 'k', sizeof key);
	key[256] = 0;
	assert_int_equal(put(key, "x", &e), -1);
	assert_non_null(strstr(e.msg, "more than 255 bytes"));
	for (size_t i = 0; i < LOCAL_KEY_MAX + 1; i++)
		key[i] = i % 100 == 99 ? '/' : 'k';
	key[LOCAL_KEY_MAX + 1] = 0;
	assert_int_equal(put(key, "x", &e), -1);
	assert_non_null(strstr(e.msg, "more than 1024 bytes"));
	key[LOCAL_KEY_MAX] = 0;
	assert_int_equal(put(key, "x", &e), 0);
	expect_object(key, "x");
}

static void
nothing_lies_beneath_an_object(void **state UNUSED)
{
	struct err e;
	assert_int_equal(put("a/b", "x", &e), 0);
	assert_int_equal(put("a/b/c", "x", &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	assert_int_equal(put("a", "x", &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	expect_object("a/b", "x");
	assert_int_equal(files_in("repo/new"), 0);
}

static void
make_tree(void)
{
	assert_int_equal(mkdir(at("tree"), 0755), 0);
	assert_int_equal(mkdir(at("tree/sub"), 0700), 0);
	assert_int_equal(mkdir(at("tree/none"), 0700), 0);
	write_file("tree/one", "1");
	write_file("tree/sub/two", "2");
	write_file("tree/sub/again", "1");
}

static int
put_tree(const char *key, const struct local_limits *l, struct local_sum *sum, struct err *e)
{
	int fd = open(at("tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = local_put_tree(&repo, key, fd, l, sum, e);
	close(fd);
	return rc;
}

static int
get(const char *key, const char *name, const struct local_limits *l, struct local_sum *sum, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = local_get(&repo, key, fd, name, l, sum, e);
	close(fd);
	return rc;
}

static void
a_tree_is_an_object_for_each_file(void **state UNUSED)
{
	struct err e;
	struct local_sum sum;
	struct stat st;
	make_tree();
	assert_int_equal(put_tree("parts/", &no_limits, &sum, &e), 0);
	assert_int_equal(sum.objects, 3);
	assert_int_equal(sum.bytes, 3);
	expect_object("parts/sub/two", "2");
	assert_int_equal(files_in("repo/blobs"), 2);
	assert_int_equal(put("parts/three", "3", &e), 0); /* another's: what lies beneath a key is one tree */
	assert_int_equal(get("parts", "out", &no_limits, &sum, &e), 0);
	assert_int_equal(sum.objects, 4);
	assert_int_equal(files_in("out"), 4);
	assert_int_equal(stat(at("out/sub/again"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(st.st_nlink, 1); /* a copy: who writes into it does not write into the repository */
	assert_int_equal(access(at("out/none"), F_OK), -1);
	assert_int_equal(get("parts/sub/two", "file", &no_limits, NULL, &e), 0);
	assert_int_equal(files_in("file"), 1);
	assert_int_equal(get("parts", "out", &no_limits, NULL, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	assert_int_equal(get("other", "new", &no_limits, NULL, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

static ino_t
inode_of(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static ino_t
inode_of_object(const char *key)
{
	struct err e;
	int fd;
	assert_int_equal(local_read(&repo, key, &fd, &e), 0);
	ino_t inode = inode_of(fd);
	close(fd);
	return inode;
}

static void
what_is_given_is_not_copied(void **state UNUSED)
{
	struct err e;
	struct local_sum sum;
	const struct local_limits few = { .bytes = 5 };
	int fd = open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600); /* without a name */
	assert_int_equal(write(fd, "nobody's", 8), 8);
	assert_int_equal(local_take(&repo, "a", fd, &few, NULL, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	expect_none("a");
	close(fd);
	fd = open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "nobody's", 8), 8);
	assert_int_equal(local_take(&repo, "a", fd, &no_limits, &sum, &e), 0);
	assert_int_equal(sum.bytes, 8);
	expect_object("a", "nobody's");
	assert_int_equal(inode_of_object("a"), inode_of(fd));
	close(fd);
	assert_int_equal(put("same", "nobody's", &e), 0);
	assert_int_equal(files_in("repo/blobs"), 1);
	make_tree(); /* two of its files are the same, so that one is enough */
	fd = open(at("tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(local_take_tree(&repo, "t", fd, &no_limits, &sum, &e), 0);
	close(fd);
	assert_int_equal(sum.objects, 3);
	fd = open(at("tree/sub/two"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(inode_of_object("t/sub/two"), inode_of(fd));
	close(fd);
	files_remove(at("tree"));
	expect_object("t/sub/two", "2");
	expect_object("t/one", "1");
	assert_int_equal(files_in("repo/new"), 0);
	/* On another file system, it is copied. */
	fd = (int)syscall(SYS_memfd_create, "given", 0);
	assert_int_equal(write(fd, "memory", 6), 6);
	assert_int_equal(local_take(&repo, "m", fd, &no_limits, NULL, &e), 0);
	close(fd);
	expect_object("m", "memory");
}

static void
a_tree_with_a_link_is_refused(void **state UNUSED)
{
	struct err e;
	make_tree();
	assert_int_equal(symlink("/etc/passwd", at("tree/sub/link")), 0);
	assert_int_equal(put_tree("t", &no_limits, NULL, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_non_null(strstr(e.msg, "t/sub/link is a link"));
	assert_int_equal(unlink(at("tree/sub/link")), 0);
	assert_int_equal(mkfifo(at("tree/sub/fifo"), 0600), 0);
	assert_int_equal(put_tree("t", &no_limits, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "a device, a pipe or a socket"));
	/* Nor one that somebody put among the objects. */
	assert_int_equal(put("u/v", "x", &e), 0);
	assert_int_equal(symlink("/etc", at("repo/objects/u/etc")), 0);
	int fd;
	assert_int_equal(local_read(&repo, "u/etc/passwd", &fd, &e), -1);
	assert_int_equal(put("u/etc/evil", "x", &e), -1);
}

static void
limits_are_kept(void **state UNUSED)
{
	struct err e;
	make_tree();
	assert_int_equal(put_tree("t", &(struct local_limits){ .objects = 2 }, NULL, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(put_tree("t", &(struct local_limits){ .bytes = 2 }, NULL, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(put_tree("t", &(struct local_limits){ .bytes = 3, .objects = 3 }, NULL, &e), 0);
	assert_int_equal(get("t", "a", &(struct local_limits){ .bytes = 2 }, NULL, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(get("t", "b", &(struct local_limits){ .objects = 2 }, NULL, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(files_in("repo/new"), 0);
}

static void
what_nothing_refers_to_goes(void **state UNUSED)
{
	struct err e;
	assert_int_equal(put("wf-1/pod/a", "same", &e), 0);
	assert_int_equal(put("wf-1/pod/b", "own", &e), 0);
	assert_int_equal(put("wf-2/pod/a", "same", &e), 0);
	assert_int_equal(local_sweep(&repo), 0);
	assert_int_equal(local_remove(&repo, "wf-1", &e), 0);
	assert_int_equal(local_remove(&repo, "wf-1", &e), 0);
	expect_none("wf-1/pod/a");
	expect_object("wf-2/pod/a", "same");
	assert_int_equal(local_sweep(&repo), 1);
	assert_int_equal(files_in("repo/blobs"), 1);
	assert_int_equal(local_remove(&repo, "wf-2/pod/a", &e), 0);
	assert_int_equal(access(at("repo/objects/wf-2"), F_OK), -1); /* folders that are empty are none */
	assert_int_equal(local_sweep(&repo), 1);
	assert_int_equal(put("wf-2/pod/a", "old", &e), 0);
	assert_int_equal(put("wf-2/pod/a", "new", &e), 0);
	assert_int_equal(local_sweep(&repo), 1);
	expect_object("wf-2/pod/a", "new");
}

/* ---- several processes ------------------------------------------------------------------------------------------- */

enum { LARGE = 300000 };

/* Objects of many bytes, all of them the same letter, which is the last of the key. */
static void
put_for_ever(const char *prefix)
{
	static char text[LARGE + 1];
	char key[64], name[64];
	struct local_repo own;
	struct err e;
	if (local_open(&own, at("repo"), &e) < 0)
		_exit(1);
	for (unsigned i = 0;; i++) {
		memset(text, 'a' + (int)(i % 26), LARGE);
		snprintf(name, sizeof name, "in-%d", (int)getpid());
		snprintf(key, sizeof key, "%s/%u/%c", prefix, i, 'a' + (int)(i % 26));
		write_file(name, text);
		int fd = open(at(name), O_RDONLY | O_CLOEXEC);
		if (fd < 0 || local_put(&own, key, fd, &no_limits, NULL, &e) < 0)
			_exit(2);
		close(fd);
	}
}

static int
check_whole(const char *path, const struct stat *st, int type UNUSED, struct FTW *ftw UNUSED)
{
	static char text[LARGE];
	if (!S_ISREG(st->st_mode))
		return 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(st->st_size, LARGE);
	assert_int_equal(read(fd, text, LARGE), LARGE);
	close(fd);
	for (size_t i = 0; i < LARGE; i++)
		if (text[i] != path[strlen(path) - 1])
			fail_msg("%s holds %c", path, text[i]);
	counted++;
	return 0;
}

static void
until_there_are(size_t n, pid_t pid)
{
	int status;
	while (files_in("repo/objects") < n) {
		if (waitpid(pid, &status, WNOHANG) != 0)
			fail_msg("it has ended: %x", status);
		usleep(1000);
	}
}

static void
who_dies_leaves_nothing_by_halves(void **state UNUSED)
{
	char prefix[16];
	for (unsigned round = 0; round < 8; round++) {
		snprintf(prefix, sizeof prefix, "k%u", round);
		size_t before = files_in("repo/objects");
		pid_t pid = fork();
		if (pid == 0)
			put_for_ever(prefix);
		until_there_are(before + 1 + round % 3, pid); /* and wherever it is then */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	counted = 0;
	nftw(at("repo/objects"), check_whole, 16, FTW_PHYS);
	assert_true(counted >= 8);
	local_sweep(&repo);
	assert_int_equal(files_in("repo/new"), 0);
}

/* The same few keys over and over, put and removed; an error of any kind ends it with 2. */
static _Noreturn void
put_and_remove(unsigned who)
{
	char key[32], name[32], text[32];
	struct local_repo own;
	struct err e;
	if (local_open(&own, at("repo"), &e) < 0)
		_exit(1);
	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof name, "in-%u", who);
		snprintf(key, sizeof key, "w/%u/%u", i % 3, who);
		snprintf(text, sizeof text, "%u", i % 5);
		write_file(name, text);
		int fd = open(at(name), O_RDONLY | O_CLOEXEC);
		if (local_put(&own, key, fd, &no_limits, NULL, &e) < 0 || (i % 4 == 3 && local_remove(&own, key, &e) < 0))
			_exit(2);
		close(fd);
		if (i % 7 == who)
			local_sweep(&own);
	}
	_exit(0);
}

static void
many_may_write_at_once(void **state UNUSED)
{
	struct err e;
	int status;
	pid_t pids[4];
	for (unsigned i = 0; i < ARRAY_LEN(pids); i++)
		if ((pids[i] = fork()) == 0)
			put_and_remove(i);
	for (unsigned i = 0; i < ARRAY_LEN(pids); i++) {
		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	/* The last two of each: 58 was put, 59 put and removed, 57 put. */
	for (unsigned i = 0; i < ARRAY_LEN(pids); i++) {
		char key[32];
		snprintf(key, sizeof key, "w/1/%u", i);
		expect_object(key, "3");
		snprintf(key, sizeof key, "w/2/%u", i);
		expect_none(key);
	}
	assert_int_equal(local_remove(&repo, "w", &e), 0);
	local_sweep(&repo);
	assert_int_equal(files_in("repo/blobs"), 0);
	assert_int_equal(files_in("repo/new"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_put_can_be_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_the_same_is_there_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_are_checked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_lies_beneath_an_object, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tree_is_an_object_for_each_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_given_is_not_copied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tree_with_a_link_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_nothing_refers_to_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_dies_leaves_nothing_by_halves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_may_write_at_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
