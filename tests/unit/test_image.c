/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images, the store of imported ones, and the choice from an index. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/oci.h"
#include "engine/exec/image_store.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:aaaaaacccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

/* ---- names ------------------------------------------------------------------------------------------------------ */

static void
a_short_name_means_the_whole_one(void **state)
{
	(void)state;
	static const char *const cases[][2] = { { "alpine", "docker.io/library/alpine:latest" },
		{ "alpine:3", "docker.io/library/alpine:3" }, { "team/tool", "docker.io/team/tool:latest" },
		{ "docker.io/alpine", "docker.io/library/alpine:latest" }, { "index.docker.io/library/alpine:3", "docker.io/library/alpine:3" },
		{ "localhost/tool", "localhost/tool:latest" }, { "localhost:5000/tool:1", "localhost:5000/tool:1" },
		{ "registry.example.com:443/a/b/c", "registry.example.com:443/a/b/c:latest" },
		{ "alpine:3@" A, "docker.io/library/alpine@" A }, { "team.x/tool@" A, "team.x/tool@" A } };
	struct arena *a = arena_new();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(str_z(a, image_name_whole(a, str_c(cases[i][0]))), cases[i][1]);
	arena_free(a);
}

static void
what_cannot_be_a_name_is_refused(void **state)
{
	(void)state;
	struct err e;
	static const char *const bad[] = { "", ":3", "a b", "a*", "a@sha256:12", "a\n", "@" A, "a:b:c", "a/", "a//b", "/a", "localhost:5000/a:b/c:d:e", "a@b@c" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (image_name_check(str_c(bad[i]), &e) == 0)
			fail_msg("%s", bad[i]);
	assert_int_equal(image_name_check(S("localhost:5000/a-b_c.d/e:1.2@" A), &e), 0);
}

static void
patterns_mean_short_and_whole_names(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *name;
		bool fits;
	} cases[] = { { "alpine", "alpine", true }, { "alpine", "docker.io/library/alpine:3", true }, { "alpine:3", "alpine", false },
		{ "docker.io/library/alpine", "alpine:3", true }, { "docker.io/*", "alpine", true }, { "python:3*", "docker.io/library/python:3.12", true },
		{ "python:3*", "python:2", false }, { "*", "localhost:5000/x", true }, { "team/*", "docker.io/team/x:1", true },
		{ "team/*", "other.io/team/x:1", false }, { "alpine", "alpine@" A, true }, { "alpine:3", "alpine:3@" A, true },
		{ "localhost:5000/*", "localhost:5000/a/b:1", true }, { "alp*", "docker.io/library/alpine:1", true }, { "alpine", "alpine-x", false } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (image_name_matches(str_c(cases[i].pattern), str_c(cases[i].name)) != cases[i].fits)
			fail_msg("%s and %s", cases[i].pattern, cases[i].name);
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

struct fixture {
	char dir[64];
	struct arena *a;
	str path;
};

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static struct fixture
fixture_new(void)
{
	struct fixture f = { .dir = "/tmp/test_image.XXXXXX", .a = arena_new() };
	assert_non_null(mkdtemp(f.dir));
	f.path = image_store_path(f.a, str_c(f.dir));
	f.path = arena_dup(f.a, f.path);
	return f;
}

static void
fixture_free(struct fixture *f)
{
	nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	arena_free(f->a);
}

static bool
there(const struct fixture *f, const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "%.*s/%s", STR_ARG(f->path), name);
	return access(path, F_OK) == 0;
}

/* A folder with something in it, made and put in its place. */
static void
add_folder(struct fixture *f, const char *digest)
{
	struct err e;
	str made;
	int fd, lock = image_store_lock(f->path, &e);
	assert_true(lock >= 0);
	assert_int_equal(image_store_new(f->a, f->path, &made, &fd, &e), 0);
	assert_int_equal(mkdir(arena_fmt(f->a, "%s/rootfs", made.p).p, 0555), 0);
	assert_int_equal(image_store_settle(f->path, made, str_c(digest), &e), 0);
	close(fd);
	close(lock);
}

static void
the_index_reads_back(void **state)
{
	(void)state;
	struct fixture f = fixture_new();
	struct image_store s = { 0 }, t = { 0 };
	struct err e;
	str words[] = { S("/bin/x"), S("-v") };
	struct kv env[] = { { S("PATH"), S("/bin:/x\"") } };
	assert_int_equal(image_store_read(f.path, f.a, &s, &e), 0); /* there is none yet */
	assert_int_equal(s.images.n, 0);
	*VEC_PUSH(&s.images) = (struct stored_image){ .name = S("docker.io/library/alpine:3"), .digest = S(A), .index = S(B), .bytes = 77,
		.imported = S("2024-01-01T00:00:00Z"),
		.row = { .entrypoint = { words, 2 }, .cmd = { words, 1 }, .env = { env, 1 }, .workdir = S("/w"), .user = S("app") } };
	*VEC_PUSH(&s.images) = (struct stored_image){ .digest = S(C) };
	close(image_store_lock(f.path, &e));
	assert_int_equal(image_store_write(f.path, &s, &e), 0);
	assert_int_equal(image_store_read(f.path, f.a, &t, &e), 0);
	assert_int_equal(t.images.n, 2);
	const struct stored_image *x = &t.images.p[0];
	assert_string_equal(x->name.p, "docker.io/library/alpine:3");
	assert_string_equal(x->row.entrypoint.p[1].p, "-v");
	assert_string_equal(x->row.env.p[0].value.p, "/bin:/x\"");
	assert_int_equal(x->bytes, 77);
	assert_true(str_ends(x->row.root, S("/images/sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/rootfs")));
	assert_ptr_equal(image_store_find(&t, S("alpine:3"), false), x);
	assert_ptr_equal(image_store_find(&t, S("alpine@" B), false), x); /* the index's digest is what people copy */
	assert_ptr_equal(image_store_find(&t, S("alpine:9@" A), false), x);
	assert_ptr_equal(image_store_find(&t, S(A), false), x);
	assert_null(image_store_find(&t, S("busybox@" A), false));
	assert_null(image_store_find(&t, S("alpine"), false));
	assert_null(image_store_find(&t, S("aaaaaa"), true)); /* of two */
	assert_ptr_equal(image_store_find(&t, S("aaaaaac"), true), &t.images.p[1]);
	assert_null(image_store_find(&t, S("aaaaaac"), false));
	image_store_free(&s);
	image_store_free(&t);
	fixture_free(&f);
}

static void
a_damaged_index_is_an_error(void **state)
{
	(void)state;
	struct fixture f = fixture_new();
	static const char *const texts[] = { "{", "{\"images\":[{}]}", "{\"images\":[{\"digest\":\"../../etc\"}]}" };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct image_store s;
		struct err e;
		close(image_store_lock(f.path, &e));
		FILE *file = fopen(arena_fmt(f.a, "%s/index.json", f.path.p).p, "we");
		fputs(texts[i], file);
		fclose(file);
		assert_int_equal(image_store_read(f.path, f.a, &s, &e), -1);
	}
	fixture_free(&f);
}

/* What died on the way is swept; what somebody still makes, and what the index knows, is not. */
static void
leftovers_are_swept(void **state)
{
	(void)state;
	struct fixture f = fixture_new();
	struct image_store s = { 0 };
	struct err e;
	str dead, alive;
	int fd;
	add_folder(&f, A);
	add_folder(&f, B);
	*VEC_PUSH(&s.images) = (struct stored_image){ .digest = S(A) };
	assert_int_equal(image_store_new(f.a, f.path, &dead, &fd, &e), 0);
	close(fd);
	assert_int_equal(mkdir(arena_fmt(f.a, "%s/rootfs", dead.p).p, 0755), 0);
	assert_int_equal(image_store_new(f.a, f.path, &alive, &fd, &e), 0);
	assert_int_equal(image_store_sweep(f.path, &s), 2);
	assert_true(there(&f, "sha256-" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_false(there(&f, "sha256-" "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"));
	assert_int_equal(access(dead.p, F_OK), -1);
	assert_int_equal(access(alive.p, F_OK), 0);
	close(fd);
	image_store_free(&s);
	fixture_free(&f);
}

static void
an_image_in_use_stays(void **state)
{
	(void)state;
	struct fixture f = fixture_new();
	struct err e;
	add_folder(&f, A);
	int fd = open(image_store_folder(f.a, f.path, S(A)).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0); /* as a step does */
	assert_int_equal(image_store_drop(f.path, S(A), &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	close(fd);
	assert_int_equal(image_store_drop(f.path, S(A), &e), 0);
	assert_false(there(&f, "sha256-" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_int_equal(image_store_drop(f.path, S(A), &e), 0); /* it is gone: fine */
	fixture_free(&f);
}

/* ---- an index ---------------------------------------------------------------------------------------------------- */

static int
choose(struct arena *a, const char *json, const char *ref, struct oci_choice *out, struct err *e)
{
	struct val v;
	assert_int_equal(json_read(a, str_c(json), &v, e), 0);
	return oci_choose(a, &v, str_c(ref), "amd64", out, e);
}

static void
the_index_says_which_image(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	struct oci_choice c;
	struct err e;
	static const char *const many =
		"{\"manifests\":[{\"digest\":\"" B "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}},"
		"{\"digest\":\"" A "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
		"{\"digest\":\"" C "\",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}}]}";
	assert_int_equal(choose(a, many, "", &c, &e), 0);
	assert_string_equal(c.digest.p, A);
	static const char *const other = "{\"manifests\":[{\"digest\":\"" B "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}}]}";
	assert_int_equal(choose(a, other, "", &c, &e), -1);
	assert_non_null(strstr(e.msg, "for linux/amd64: there is linux/arm64"));
	static const char *const named =
		"{\"manifests\":[{\"digest\":\"" A "\",\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}},"
		"{\"digest\":\"" B "\",\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		"\"annotations\":{\"io.containerd.image.name\":\"docker.io/library/x:2\",\"org.opencontainers.image.ref.name\":\"2\"}}]}";
	assert_int_equal(choose(a, named, "", &c, &e), -1);
	assert_non_null(strstr(e.msg, "say which with --ref (v1, docker.io/library/x:2)"));
	assert_int_equal(choose(a, named, "v1", &c, &e), 0);
	assert_string_equal(c.digest.p, A);
	assert_null(c.name.p); /* a tag is no name */
	assert_int_equal(choose(a, named, "x:2", &c, &e), 0);
	assert_string_equal(c.name.p, "docker.io/library/x:2");
	assert_true(c.is_index);
	assert_int_equal(choose(a, "{}", "", &c, &e), -1);
	assert_int_equal(choose(a, "{\"manifests\":[{\"digest\":\"sha256:../x\"}]}", "", &c, &e), -1);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_name_means_the_whole_one),
		cmocka_unit_test(what_cannot_be_a_name_is_refused),
		cmocka_unit_test(patterns_mean_short_and_whole_names),
		cmocka_unit_test(the_index_reads_back),
		cmocka_unit_test(a_damaged_index_is_an_error),
		cmocka_unit_test(leftovers_are_swept),
		cmocka_unit_test(an_image_in_use_stays),
		cmocka_unit_test(the_index_says_which_image),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
