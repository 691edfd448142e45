/* SPDX-License-Identifier: Apache-2.0 */
/* Artifacts of steps: what is brought, what is saved, and what places become for their drivers. */
#include "exec_world.h"

#include "core/files.h"

static void
put_secret(struct world *w)
{
	put_object(w, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"sec\"},\"stringData\":{\"user\":\"AKIA\"},"
		      "\"data\":{\"binary\":\"/wD+\"}}");
	put_object(w, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"conf\"},\"data\":{\"krb5.conf\":\"[realms]\"}}");
}

static struct val
value_of(struct arena *a, const char *json)
{
	struct val v;
	struct err e;
	assert_int_equal(json_read(a, str_c(json), &v, &e), 0);
	return v;
}

/* "" if it cannot be resolved; then *e says why. */
static const char *
resolved(struct world *w, struct arena *a, const char *place, struct err *e)
{
	struct val v = value_of(a, place), out;
	return artifact_place_resolve(w->x, S("default"), &v, a, &out, e) < 0 ? "" : str_z(a, json_write(a, &out));
}

static void
places_get_the_texts_of_secrets(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e;
	put_secret(w);
	assert_string_equal(resolved(w, a, "{\"s3\":{\"key\":\"k\",\"accessKeySecret\":{\"name\":\"sec\",\"key\":\"user\"}}}", &e),
		"{\"s3\":{\"key\":\"k\",\"accessKey\":\"AKIA\"}}");
	/* wherever they stand; what is no UTF-8 cannot be JSON as it is */
	assert_string_equal(
		resolved(w, a, "{\"s3\":{\"encryptionOptions\":{\"serverSideCustomerKeySecret\":{\"name\":\"sec\",\"key\":\"binary\"}}}}", &e),
		"{\"s3\":{\"encryptionOptions\":{\"serverSideCustomerKey\":{\"base64\":\"/wD+\"}}}}");
	assert_string_equal(resolved(w, a, "{\"hdfs\":{\"krbConfigConfigMap\":{\"name\":\"conf\",\"key\":\"krb5.conf\"}}}", &e),
		"{\"hdfs\":{\"krbConfig\":\"[realms]\"}}");
	assert_string_equal(resolved(w, a, "{\"gcs\":{\"serviceAccountKeySecret\":{\"name\":\"sec\",\"key\":\"none\",\"optional\":true}}}", &e), "{\"gcs\":{}}");
	assert_string_equal(resolved(w, a, "{\"gcs\":{\"serviceAccountKeySecret\":{\"name\":\"sec\",\"key\":\"none\"}}}", &e), "");
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_contains(e.msg, "none");
	assert_string_equal(resolved(w, a, "{\"gcs\":{\"serviceAccountKeySecret\":{\"name\":\"other\",\"key\":\"user\"}}}", &e), "");
	assert_contains(e.msg, "other");
	str local = arena_fmt(a, "{\"local\":{\"path\":\"%s/artifacts\",\"key\":\"default/wf/x\"}}", w->dir);
	assert_string_equal(resolved(w, a, "{\"local\":{\"key\":\"wf/x\"}}", &e), local.p);
	world_free(w);
}

/* A step with an output at `path`. */
static void
step_leaves(struct step_of *s, struct arena *a, struct artifact *out, const char *json)
{
	struct val *src = ARENA_NEW(a, struct val);
	*src = value_of(a, json);
	*out = (struct artifact){ .name = val_get_str(src, "name"), .path = val_get_str(src, "path"), .src = src };
	s->tmpl.outputs.artifacts.p = out;
	s->tmpl.outputs.artifacts.n = 1;
}

static const char *
place_of(struct world *w, struct arena *a, const char *name)
{
	return w->sandbox == TASK_SANDBOX_OFF ? arena_fmt(a, "%s/%s", w->dir, name).p : arena_fmt(a, "/tmp/work/%s", name).p;
}

static void
what_one_leaves_another_takes(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct step_of s;
	struct artifact out;
	const char *from = place_of(w, a, "from"), *to = place_of(w, a, "to");
	step_init(&s, "make", arena_fmt(a, "mkdir -p %s && echo one >%s/file", from, from).p);
	step_leaves(&s, a, &out, arena_fmt(a, "{\"name\":\"o\",\"path\":\"%s\"}", from).p);
	assert_succeeded(run(w, &s));
	assert_true(file_exists(arena_fmt(a, "%s/artifacts/objects/default/wf/make/o.tgz", w->dir).p));

	step_init(&s, "take", arena_fmt(a, "cat %s/file; echo two >>%s/file; cat %s/file", to, to, to).p);
	struct val inputs = value_of(a, arena_fmt(a, "[{\"name\":\"i\",\"path\":\"%s\",\"local\":{\"key\":\"wf/make/o.tgz\"}}]", to).p);
	s.spec.artifacts = &inputs;
	const struct ended *e = run(w, &s);
	assert_succeeded(e);
	assert_string_equal(e->result, "one\none\ntwo");
	world_free(w);
}

static void
expect_text(struct arena *a, const char *path, const char *text)
{
	str found;
	struct err e;
	if (files_read(path, 1 << 20, a, &found, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(str_z(a, found), text);
}

/* Never as a tar: a file as it is, also at the end of a link, and a folder as files. */
static void
what_has_no_archive_is_kept_as_it_is(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct step_of s;
	struct artifact out;
	const char *dir = place_of(w, a, "dir");
	step_init(&s, "file", arena_fmt(a, "mkdir -p %s && cd %s && echo one >real && ln -s real link", dir, dir).p);
	step_leaves(&s, a, &out, arena_fmt(a, "{\"name\":\"o\",\"path\":\"%s/link\",\"archive\":{\"none\":{}}}", dir).p);
	assert_succeeded(run(w, &s));
	expect_text(a, arena_fmt(a, "%s/artifacts/objects/default/wf/file/link", w->dir).p, "one\n");

	step_init(&s, "tree", arena_fmt(a, "mkdir -p %s && echo two >%s/f", dir, dir).p);
	step_leaves(&s, a, &out, arena_fmt(a, "{\"name\":\"o\",\"path\":\"%s\",\"archive\":{\"none\":{}}}", dir).p);
	assert_succeeded(run(w, &s));
	expect_text(a, arena_fmt(a, "%s/artifacts/objects/default/wf/tree/dir/f", w->dir).p, "two\n");
	world_free(w);
}

/* In a user namespace its number inside is the daemon's outside; else it is given to the user of the step. */
static void
whoever_a_step_runs_as_may_change_what_it_is_given(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct step_of s;
	struct artifact out;
	struct val as = value_of(a, "{\"runAsUser\":1234,\"runAsGroup\":1234}");
	struct val inputs = value_of(a, "[{\"name\":\"i\",\"path\":\"/in\",\"local\":{\"key\":\"wf/make/o.tgz\"}}]");
	if (w->sandbox != TASK_SANDBOX_OFF) {
		step_init(&s, "make", "mkdir -p /tmp/o/deep && echo one >/tmp/o/deep/file && chmod -R go= /tmp/o");
		step_leaves(&s, a, &out, "{\"name\":\"o\",\"path\":\"/tmp/o\"}");
		assert_succeeded(run(w, &s));
		step_init(&s, "take", "set -e; id -u; echo two >>/in/deep/file; touch /in/new; cat /in/deep/file; stat -c %u:%g /in /in/deep /in/deep/file");
		s.spec.artifacts = &inputs;
		s.c.security_context = &as;
		const struct ended *e = run(w, &s);
		assert_succeeded(e);
		assert_string_equal(e->result, "1234\none\ntwo\n1234:1234\n1234:1234\n1234:1234");
	}
	world_free(w);
}

/* Nobody is told that a step has ended before its output is saved; and an output that cannot be is said. */
static void
a_repository_that_is_out_of_order_is_said(void **state)
{
	struct world *w = world_new(sandbox_of(state));
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct step_of s;
	struct artifact out;
	const char *path = place_of(w, a, "o");
	close(open(arena_fmt(a, "%s/artifacts", w->dir).p, O_CREAT | O_CLOEXEC | O_WRONLY, 0600)); /* a file where the folder would be */
	step_init(&s, "make", arena_fmt(a, "mkdir -p %s", path).p);
	step_leaves(&s, a, &out, arena_fmt(a, "{\"name\":\"o\",\"path\":\"%s\"}", path).p);
	assert_succeeded(run(w, &s)); /* the run judges it */
	struct val inputs = value_of(a, arena_fmt(a, "[{\"name\":\"i\",\"path\":\"%s\",\"local\":{\"key\":\"k\"}}]", path).p);
	step_init(&s, "take", "true");
	s.spec.artifacts = &inputs;
	const struct ended *e = run(w, &s);
	assert_int_equal(e->phase, PHASE_ERROR);
	assert_contains(e->message, "init: Error (exit code 64): artifacts cannot be loaded: artifact i: ");
	world_free(w);
}

int
main(int argc, char **argv)
{
	static const struct exec_test tests[] = {
		TEST(places_get_the_texts_of_secrets),
		TEST(what_one_leaves_another_takes), TEST(whoever_a_step_runs_as_may_change_what_it_is_given),
		TEST(what_has_no_archive_is_kept_as_it_is), TEST(a_repository_that_is_out_of_order_is_said),
	};
	return exec_main("exec_artifacts", tests, ARRAY_LEN(tests), argc, argv);
}
