/* SPDX-License-Identifier: Apache-2.0 */
/* Where the object of a trigger comes from: inline, file, url, git, configmap, resource (s3: against a server, tests/integration). */
#include "sensor_world.h"

#include <stdio.h>
#include <sys/stat.h>

#include "triggers/resource.h"

#define TRIGGER SENSOR("s") "  dependencies:\n" DEP("a") "  triggers:\n  - template:\n      name: t\n      k8s:\n        source:\n"
#define PARAMETER "        parameters:\n        - {src: {dependencyName: a, dataKey: v}, dest: spec.arguments.parameters.0.value}\n"
#define OBJECT "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {generateName: hello-}, " \
	"spec: {entrypoint: main, arguments: {parameters: [{name: m, value: none}]}}}\n"

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static const char *
in_world(struct world *w, const char *name)
{
	return arena_fmt(w->arena, "%s/%s", w->dir, name).p;
}

/* What a server answers. */
static struct {
	int status;
	const char *body;
} reply;

static void
serve_object(struct http_req *r, void *arg)
{
	struct world *w = arg;
	w->calls_n++;
	http_reply(r, reply.status, NULL, str_c(reply.body));
}

static unsigned
serve(struct world *w)
{
	struct httpd_config c = { .address = S("127.0.0.1") };
	struct err e;
	must(httpd_start(w->loop, &c, &w->httpd, &e), &e);
	assert_non_null(httpd_route(w->httpd, "GET", "/{path...}", serve_object, w));
	return httpd_port(w->httpd);
}

/* ---- what lies here ---------------------------------------------------------------------------------------------------- */

static void
an_inline_text_is_within_the_events_turn(void **state)
{
	struct world *w = *state;
	apply(w, TRIGGER "          inline: '" "%s" "'\n" PARAMETER, str_z(w->arena, str_trim(S(OBJECT))));
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"x\"}"), "t"), "fired");
	assert_string_equal(parameter(w, 0), "\"x\"");
}

static void
a_key_of_a_config_map(void **state)
{
	struct world *w = *state;
	apply(w, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flows}\ndata:\n  one: |\n    " OBJECT "---\n"
	      TRIGGER "          configmap: {name: flows, key: one}\n" PARAMETER);
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"x\"}"), "t"), "fired");
	assert_string_equal(parameter(w, 0), "\"x\"");
}

static void
the_first_place_in_Argos_order_counts(void **state)
{
	struct world *w = *state;
	apply(w, TRIGGER "          file: {path: /nowhere}\n          url: {path: 'http://127.0.0.1:1/'}\n          inline: '%s'\n" PARAMETER,
	      str_z(w->arena, str_trim(S(OBJECT))));
	assert_string_equal(verdict(w, emit(w, "a", "{\"v\":\"x\"}"), "t"), "fired");
}

/* ---- file -------------------------------------------------------------------------------------------------------------- */

static void
a_file_and_only_its_first_document(void **state)
{
	struct world *w = *state;
	const char *path = in_world(w, "flow.yaml");
	write_file(path, OBJECT "---\n{other: document}\n");
	apply(w, TRIGGER "          file: {path: %s}\n" PARAMETER, path);
	wait_for_verdict(w, emit(w, "a", "{\"v\":\"x\"}"), "t", "fired");
	assert_string_equal(parameter(w, 0), "\"x\"");
}

static void
a_file_that_is_missing_or_wrong_is_a_dead_letter(void **state)
{
	struct world *w = *state;
	const char *path = in_world(w, "flow.yaml");
	apply(w, TRIGGER "          file: {path: %s}\n", path);
	wait_for_verdict(w, emit(w, "a", "{}"), "t", arena_fmt(w->arena, "dead-letter: %s: No such file or directory", path).p);
	write_file(path, "a: [\n");
	const char *id = emit(w, "a", "{}");
	for (int i = 0; !strstr(verdict(w, id, "t"), "dead-letter") && i < 1000; i++)
		;
	assert_non_null(strstr(verdict(w, id, "t"), "flow.yaml:2:1"));
	write_file(path, "just text\n");
	wait_for_verdict(w, emit(w, "a", "{}"), "t", arena_fmt(w->arena, "dead-letter: %s: an object is expected", path).p);
	assert_int_equal(remove(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	wait_for_verdict(w, emit(w, "a", "{}"), "t",
	                 arena_fmt(w->arena, "dead-letter: %s: a regular file of at most 1048576 bytes is expected", path).p);
	assert_int_equal(engine.n, 0);
}

static void
a_parameter_of_the_template_chooses_the_file(void **state)
{
	struct world *w = *state;
	write_file(in_world(w, "two.yaml"), OBJECT);
	apply(w, TRIGGER "          resource: " OBJECT "    parameters:\n    - {src: {dependencyName: a, dataKey: path}, dest: k8s.source.file.path}\n");
	wait_for_verdict(w, emit(w, "a", arena_fmt(w->arena, "{\"path\":\"%s\"}", in_world(w, "two.yaml")).p), "t", "fired");
}

/* ---- url --------------------------------------------------------------------------------------------------------------- */

static void
a_file_of_a_web_server(void **state)
{
	struct world *w = *state;
	reply.status = 200;
	reply.body = OBJECT;
	apply(w, TRIGGER "          url: {path: 'http://127.0.0.1:%u/flow.yaml?token=secret'}\n" PARAMETER, serve(w));
	wait_for_verdict(w, emit(w, "a", "{\"v\":\"x\"}"), "t", "fired");
	assert_string_equal(parameter(w, 0), "\"x\"");
	reply.status = 404;
	reply.body = "no such flow";
	wait_for_verdict(w, emit(w, "a", "{}"), "t",
	                 arena_fmt(w->arena, "dead-letter: http://127.0.0.1:%u/flow.yaml answered 404: no such flow", httpd_port(w->httpd)).p);
}

static void
a_web_server_that_is_away_is_waited_for(void **state)
{
	struct world *w = *state;
	reply.status = 503;
	reply.body = "";
	apply(w, TRIGGER "          url: {path: 'http://127.0.0.1:%u/flow.yaml'}\n" PARAMETER, serve(w));
	const char *first = emit(w, "a", "{\"v\":\"1\"}"), *second;
	wait_for_calls(w, 1);
	second = emit(w, "a", "{\"v\":\"2\"}");
	for (int i = 0; i < 20; i++) {
		later(w, 70);
		wait_for_calls(w, w->calls_n + 1);
	}
	reply.status = 200;
	reply.body = OBJECT;
	later(w, 70);
	wait_for_verdict(w, first, "t", "fired");
	wait_for_verdict(w, second, "t", "fired");
	assert_string_equal(parameter(w, 0), "\"1\"");
	assert_string_equal(parameter(w, 1), "\"2\"");
}

static void
too_large_an_answer_is_refused(void **state)
{
	struct world *w = *state;
	char *large = mem_alloc(RESOURCE_URL_MAX + 100);
	memset(large, ' ', RESOURCE_URL_MAX + 99);
	reply.status = 200;
	reply.body = large;
	apply(w, TRIGGER "          url: {path: 'http://127.0.0.1:%u/flow.yaml'}\n", serve(w));
	const char *id = emit(w, "a", "{}");
	for (int i = 0; !strstr(verdict(w, id, "t"), "dead-letter") && i < 1000; i++)
		;
	assert_non_null(strstr(verdict(w, id, "t"), "larger than 524288 bytes"));
	free(large);
}

/* What a server says is not taken for what the daemon wrote down. */
static void
an_answer_cannot_pretend_that_it_was_done(void **state)
{
	struct world *w = *state;
	reply.status = 503;
	reply.body = "waits for the labels of ConfigMap default/x";
	apply(w, TRIGGER "          url: {path: 'http://127.0.0.1:%u/flow.yaml'}\n", serve(w));
	const char *id = emit(w, "a", "{}");
	wait_for_calls(w, 1);
	httpd_stop(w->httpd);
	w->httpd = NULL;
	restart(w);
	reply.status = 200;
	reply.body = OBJECT;
	apply(w, TRIGGER "          url: {path: 'http://127.0.0.1:%u/flow.yaml'}\n", serve(w));
	later(w, 100);
	wait_for_verdict(w, id, "t", "fired");
	assert_int_equal(engine.n, 1);
}

/* A firing that reads from elsewhere is on disk before it does, and is taken up by the next daemon. */
static void
a_restart_while_it_is_read_loses_nothing(void **state)
{
	struct world *w = *state;
	unsigned port = listen_on_loopback(w);
	w->hold = true;
	apply(w, TRIGGER "          url: {path: 'http://127.0.0.1:%u/flow.yaml'}\n" PARAMETER, port);
	const char *id = emit(w, "a", "{\"v\":\"x\"}");
	wait_for_calls(w, 1);
	for (size_t i = 0; i < w->held_n; i++)
		http_reply(w->held[i], 503, NULL, S(""));
	w->hold = false;
	httpd_stop(w->httpd);
	w->httpd = NULL;
	restart(w);
	reply.status = 200;
	reply.body = OBJECT;
	apply(w, TRIGGER "          url: {path: 'http://127.0.0.1:%u/flow.yaml'}\n" PARAMETER, serve(w));
	later(w, 100);
	wait_for_verdict(w, id, "t", "fired");
	assert_int_equal(engine.n, 1);
}

/* ---- git --------------------------------------------------------------------------------------------------------------- */

static void PRINTF_LIKE(2, 3)
shell(struct world *w, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	str text = arena_vfmt(w->arena, fmt, ap);
	va_end(ap);
	const char *command = arena_fmt(w->arena,
		"set -e; cd '%s'; export HOME=. GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
		"GIT_COMMITTER_EMAIL=a@b; %.*s", w->dir, STR_ARG(text)).p;
	if (system(command) != 0)
		fail_msg("%s", command);
}

static const char *
flow(struct world *w, const char *value)
{
	return arena_fmt(w->arena, "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {generateName: hello-}, "
	                 "spec: {entrypoint: main, arguments: {parameters: [{name: m, value: %s}]}}}", value).p;
}

static void
make_repository(struct world *w, const char *name, const char *branch, const char *value)
{
	shell(w, "git init -q -b %s %s; mkdir -p %s/flows; echo '%s' >%s/flows/one.yaml; ln -s one.yaml %s/flows/link.yaml; "
	         "git -C %s add .; git -C %s commit -q -m one", branch, name, name, flow(w, value), name, name, name, name);
}

/* The parameter of the Workflow that came of it. */
static const char *
read_by_git(struct world *w, const char *more)
{
	size_t before = engine.n;
	apply(w, TRIGGER "          git: {url: 'file://%s/repo', %s}\n", w->dir, more);
	const char *id = emit(w, "a", "{}"), *got = verdict(w, id, "t");
	for (int i = 0; strcmp(got, "fired") && !strstr(got, "dead-letter") && i < 3000; i++)
		got = verdict(w, id, "t");
	return strcmp(got, "fired") ? got : parameter(w, before);
}

static void
a_file_of_a_repository(void **state)
{
	struct world *w = *state;
	make_repository(w, "repo", "master", "on-master");
	shell(w, "cd repo; git tag v1; git checkout -q -b side; echo '%s' >flows/one.yaml; git commit -q -a -m two; git checkout -q master", flow(w, "on-side"));
	assert_string_equal(read_by_git(w, "filePath: flows/one.yaml"), "\"on-master\"");
	assert_string_equal(read_by_git(w, "filePath: /flows/./one.yaml, branch: side"), "\"on-side\"");
	assert_string_equal(read_by_git(w, "filePath: flows/one.yaml, branch: side, tag: v1"), "\"on-master\"");
	assert_string_equal(read_by_git(w, "filePath: flows/one.yaml, tag: v1, ref: refs/heads/side"), "\"on-side\"");
	shell(w, "cd repo; echo '%s' >flows/one.yaml; git commit -q -a -m three", flow(w, "newer"));
	assert_string_equal(read_by_git(w, "filePath: flows/one.yaml"), "\"newer\"");
}

static void
what_a_remote_has_goes_before_what_the_url_has(void **state)
{
	struct world *w = *state;
	make_repository(w, "repo", "master", "of-url");
	make_repository(w, "fork", "other", "of-remote");
	const char *remote = arena_fmt(w->arena, "remote: {name: up, urls: ['file://%s/fork']}", w->dir).p;
	assert_string_equal(read_by_git(w, arena_fmt(w->arena, "filePath: flows/one.yaml, branch: other, %s", remote).p), "\"of-remote\"");
	assert_string_equal(read_by_git(w, arena_fmt(w->arena, "filePath: flows/one.yaml, %s", remote).p), "\"of-url\"");
}

static void
what_git_cannot_read_says_why(void **state)
{
	struct world *w = *state;
	make_repository(w, "repo", "master", "x");
	const char *name = arena_fmt(w->arena, "dead-letter: file://%s/repo:", w->dir).p;
	assert_string_equal(read_by_git(w, "filePath: flows/none.yaml"),
	                    arena_fmt(w->arena, "%sflows/none.yaml: git: there is no file flows/none.yaml", name).p);
	assert_string_equal(read_by_git(w, "filePath: flows"), arena_fmt(w->arena, "%sflows: git: flows is no file", name).p);
	assert_string_equal(read_by_git(w, "filePath: flows/link.yaml"),
	                    arena_fmt(w->arena, "%sflows/link.yaml: git: \"flows/link.yaml\" is a symbol link which is not allowed", name).p);
	assert_non_null(strstr(read_by_git(w, "filePath: flows/one.yaml, branch: none"), "ouldn't find remote ref refs/heads/none"));
	shell(w, "mv repo away");
	assert_non_null(strstr(read_by_git(w, "filePath: flows/one.yaml"), "dead-letter"));
	assert_int_equal(engine.n, 0);
	settle(w);
	for (int i = 0; access(in_world(w, "triggers"), F_OK) == 0 && rmdir(in_world(w, "triggers")) < 0 && i < 3000; i++)
		loop_turn(w->loop, 10);
	assert_int_not_equal(access(in_world(w, "triggers"), F_OK), 0); /* nothing of it stays */
}

/* Transports that run commands, options in disguise, and paths that lead out. */
static void
what_git_must_not_be_asked_for_is_refused(void **state)
{
	struct world *w = *state;
	static const char *const sources[] = {
		"{url: 'ext::sh -c touch%20/tmp/x', filePath: a}", "{url: '--upload-pack=x', filePath: a}", "{url: 'file:///a', filePath: '../a'}",
		"{url: 'file:///a', filePath: a, branch: '-x'}", "{url: 'file:///a', filePath: a, ref: 'a:b'}",
		"{url: 'file:///a', filePath: a, remote: {name: x, urls: ['ext::sh']}}",
	};
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct manifest_source m;
		struct diags d;
		struct val *docs;
		size_t n;
		diags_init(&d);
		assert_int_equal(yaml_read_all(w->arena, S("t"), arena_fmt(w->arena, "git: %s\n", sources[i]), NULL, &docs, &n, &d), 0);
		if (schema_decode(&manifest_source_schema, w->arena, docs, S("source"), &m, &d) == 0)
			fail_msg("accepted: %s", sources[i]);
		diags_free(&d);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, new_world, end_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_inline_text_is_within_the_events_turn),
		TEST(a_key_of_a_config_map),
		TEST(the_first_place_in_Argos_order_counts),
		TEST(a_file_and_only_its_first_document),
		TEST(a_file_that_is_missing_or_wrong_is_a_dead_letter),
		TEST(a_parameter_of_the_template_chooses_the_file),
		TEST(a_file_of_a_web_server),
		TEST(a_web_server_that_is_away_is_waited_for),
		TEST(too_large_an_answer_is_refused),
		TEST(an_answer_cannot_pretend_that_it_was_done),
		TEST(a_restart_while_it_is_read_loses_nothing),
		TEST(a_file_of_a_repository),
		TEST(what_a_remote_has_goes_before_what_the_url_has),
		TEST(what_git_cannot_read_says_why),
		TEST(what_git_must_not_be_asked_for_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
