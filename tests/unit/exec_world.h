/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_world: what the tests of the executor share: a loop with an executor on it, steps made of a shell script, and
 * each test once in every sandbox that this machine allows.
 */
#ifndef TIDEGATE_TESTS_EXEC_WORLD_H
#define TIDEGATE_TESTS_EXEC_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/log.h"
#include "engine/exec/exec.h"

#define PATIENCE_MS 60000

/* ---- the world of a test ------------------------------------------------------------------------------------- */

struct ended {
	char node[64], message[600], result[1024];
	int exit_code;
	enum phase phase;
	size_t result_n;
	struct usage usage;
	struct {
		char name[32], value[256];
	} parameters[4];
	size_t parameters_n;
	struct {
		char name[32], message[256];
		enum phase phase;
	} containers[8];
	size_t containers_n;
};
struct world {
	char dir[64];
	struct loop *loop;
	struct settings settings;
	struct objects *objects;
	struct executor *x;
	enum task_sandbox sandbox;
	char ready[64], ip[64]; /* node of the daemon that became ready last */
	char started[64][64];
	size_t started_n;
	struct ended ended[64];
	size_t ended_n;
	char progress[4096];     /* all that was said, with spaces between */
	str host_paths[1];
};

static inline void
take_news(void *arg, const struct task_id *id, const struct task_result *r)
{
	struct world *w = arg;
	str node_id = id->node_id;
	assert_true(str_eq(id->ns, S("default")));
	assert_true(str_eq(id->workflow, S("wf")));
	if (!r) {
		snprintf(w->started[w->started_n++], 64, "%.*s", STR_ARG(node_id));
		return;
	}
	if (r->phase == PHASE_RUNNING) {
		if (r->ready) {
			snprintf(w->ready, sizeof w->ready, "%.*s", STR_ARG(node_id));
			snprintf(w->ip, sizeof w->ip, "%.*s", STR_ARG(r->ip));
		}
		return;
	}
	struct ended *e = &w->ended[w->ended_n++];
	for (size_t i = 0; i < r->containers_n && i < 8; i++) {
		snprintf(e->containers[i].name, 32, "%.*s", STR_ARG(r->containers[i].name));
		snprintf(e->containers[i].message, 256, "%.*s", STR_ARG(r->containers[i].message));
		e->containers[i].phase = r->containers[i].phase;
		e->containers_n++;
	}
	snprintf(e->node, sizeof e->node, "%.*s", STR_ARG(node_id));
	snprintf(e->message, sizeof e->message, "%.*s", STR_ARG(r->message));
	snprintf(e->result, sizeof e->result, "%.*s", STR_ARG(r->result));
	e->result_n = r->result.p ? r->result.n : SIZE_MAX;
	e->exit_code = r->exit_code;
	e->phase = r->phase;
	e->usage = r->usage;
	for (size_t i = 0; i < r->parameters.n && i < 4; i++) {
		snprintf(e->parameters[i].name, 32, "%.*s", STR_ARG(r->parameters.p[i].key));
		snprintf(e->parameters[i].value, 256, "%.*s", STR_ARG(r->parameters.p[i].value));
		e->parameters_n++;
	}
}

static inline void
take_progress(void *arg, const struct task_id *id UNUSED, str text)
{
	struct world *w = arg;
	size_t n = strlen(w->progress);
	snprintf(w->progress + n, sizeof w->progress - n, "%s%.*s", n ? " " : "", STR_ARG(text));
}

static const struct kind *const kinds[] = { &kind_configmap, &kind_secret, &kind_claim };

static inline void
put_object(struct world *w, const char *json)
{
	struct arena *a = arena_new();
	struct diags d;
	struct val doc;
	struct err e;
	diags_init(&d);
	assert_int_equal(json_read(a, str_c(json), &doc, &e), 0);
	struct object *o = object_decode(kinds, ARRAY_LEN(kinds), &doc, S("test"), S("default"), &d);
	assert_non_null(o);
	assert_true(objects_put(w->objects, o));
	object_unref(o);
	diags_free(&d);
	arena_free(a);
}

static inline void
open_executor(struct world *w)
{
	struct err e;
	w->settings.artifact_size = 1024;
	w->settings.artifact_files = 1000;
	w->settings.artifact_transfers = 1;
	w->settings.artifact_time.ns = 60 * NS_PER_SEC;
	w->settings.sandbox = w->sandbox == TASK_SANDBOX_OFF ? SANDBOX_OFF : SANDBOX_REQUIRE;
	if (executor_new(w->loop, &w->settings, w->objects, str_c(w->dir), take_news, w, &w->x, &e) < 0)
		fail_msg("%s", e.msg);
	executor_on_progress(w->x, take_progress);
	w->x->sandbox = w->sandbox; /* root would always choose the privileged one */
}

static inline int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline struct world *
world_new(enum task_sandbox sandbox)
{
	struct world *w = MEM_NEW(struct world);
	snprintf(w->dir, sizeof w->dir, "/tmp/test_exec.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->loop = loop_new();
	w->objects = objects_new(kinds, ARRAY_LEN(kinds));
	w->sandbox = sandbox;
	w->host_paths[0] = str_c(w->dir);
	w->settings.host_paths = (struct strs){ w->host_paths, 1 };
	open_executor(w);
	return w;
}

static inline void
world_free(struct world *w)
{
	executor_free(w->x);
	objects_free(w->objects);
	loop_free(w->loop);
	nftw(w->dir, remove_one, 32, FTW_DEPTH | FTW_PHYS);
	free(w);
}

/* Turns the loop until `done`; fails after PATIENCE_MS. */
#define WAIT_FOR(w, done)                                                                                              \
	do {                                                                                                           \
		int64_t start_ = real_ms();                                                                            \
		while (!(done)) {                                                                                      \
			loop_turn((w)->loop, 50);                                                                      \
			if (real_ms() - start_ > PATIENCE_MS)                                                          \
				fail_msg("waited too long for " #done);                                                \
		}                                                                                                      \
	} while (0)

static inline int64_t
real_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A step: a shell script as the command of a container, unless the test puts something else there. */
struct step_of {
	struct task_spec spec;
	struct template tmpl;
	struct container c;
	str argv[3];
	struct parameter outputs[4];
	struct value_from from[4];
	struct volume_mount mounts[4];
	struct volume volumes[4];
	struct env_var env[4];
};

static inline void
step_init(struct step_of *s, const char *node, const char *script)
{
	*s = (struct step_of){ .argv = { S("/bin/sh"), S("-c"), str_c(script) } };
	s->c.image = S("busybox");
	s->c.command = (struct strs){ s->argv, 3 };
	s->c.has_command = true;
	s->tmpl.container = &s->c;
	s->tmpl.name = S("main");
	s->spec = (struct task_spec){ .ns = S("default"),
		.workflow = S("wf"),
		.uid = S("u-1"),
		.node_id = str_c(node),
		.pod = str_c(node),
		.template_name = S("main"),
		.tmpl = &s->tmpl,
		.capture_result = true };
}

static inline void
step_output(struct step_of *s, const char *name, const char *path, const char *dflt)
{
	size_t i = s->tmpl.outputs.parameters.n++;
	s->tmpl.outputs.parameters.p = s->outputs;
	s->from[i] = (struct value_from){ .path = str_c(path), .dflt = str_c(dflt) };
	s->outputs[i] = (struct parameter){ .name = str_c(name), .value_from = &s->from[i] };
}

static inline void
step_mount(struct step_of *s, const char *name, const char *path, bool read_only)
{
	s->c.volume_mounts.p = s->mounts;
	s->mounts[s->c.volume_mounts.n++] =
		(struct volume_mount){ .name = str_c(name), .mount_path = str_c(path), .read_only = read_only };
}

static inline struct volume *
step_volume(struct step_of *s, const char *name)
{
	s->tmpl.volumes.p = s->volumes;
	struct volume *v = &s->volumes[s->tmpl.volumes.n++];
	v->name = str_c(name);
	return v;
}

static inline void
begin(struct world *w, struct step_of *s)
{
	executor_start(w->x, &s->spec);
	loop_turn(w->loop, 0); /* its monitor is made at the end of the turn */
	executor_release(w->x, S("default"), S("wf"), s->spec.node_id);
}

static inline const struct ended *
find_ended(struct world *w, const char *node)
{
	for (size_t i = 0; i < w->ended_n; i++)
		if (!strcmp(w->ended[i].node, node))
			return &w->ended[i];
	return NULL;
}

static inline const struct ended *
finish(struct world *w, const char *node)
{
	WAIT_FOR(w, find_ended(w, node));
	return find_ended(w, node);
}

static inline const struct ended *
run(struct world *w, struct step_of *s)
{
	begin(w, s);
	return finish(w, s->spec.node_id.p);
}

static inline void
assert_succeeded(const struct ended *e)
{
	if (e->phase != PHASE_SUCCEEDED)
		fail_msg("%s: phase %d, exit code %d: %s (stdout: %s)", e->node, e->phase, e->exit_code, e->message,
			e->result);
}

static inline void
assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

/* The step's log, or "". */
static inline char *
read_log(struct world *w, const char *node, char *to, size_t n)
{
	char path[256];
	snprintf(path, sizeof path, "%s/tasks/default/wf/%s.log", w->dir, node);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, to, n - 1);
	to[got > 0 ? got : 0] = 0;
	close_fd(&fd);
	return to;
}

static inline bool
file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Every test runs once in each sandbox; cmocka's state says which. */
static inline enum task_sandbox
sandbox_of(void **state)
{
	return *(enum task_sandbox *)*state;
}

static inline bool
sandbox_works(enum task_sandbox sandbox)
{
	if (sandbox == TASK_SANDBOX_OFF)
		return true;
	if (sandbox == TASK_SANDBOX_PRIVILEGED && geteuid() != 0)
		return false;
	char why[512];
	struct world *w = world_new(TASK_SANDBOX_OFF);
	bool works = helper_probe(w->x, sandbox, why, sizeof why);
	if (!works)
		print_message("sandbox %d does not work here: %s\n", sandbox, why);
	world_free(w);
	return works;
}

/* The executor is dropped without a word, as a kill of the daemon would; the helper sees the same: the sockets close.
 */
static inline void
reopen(struct world *w)
{
	executor_free(w->x);
	w->started_n = w->ended_n = 0;
	open_executor(w);
}

/* ---- main ------------------------------------------------------------------------------------------------------- */

struct exec_test {
	const char *name;
	void (*fn)(void **state);
};
#define TEST(fn) { #fn, fn }

/* Runs the tests, each in every sandbox; an argument names one of them, for debugging. */
static inline int
exec_main(const char *group, const struct exec_test *tests, size_t tests_n, int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	static enum task_sandbox sandboxes[] = { TASK_SANDBOX_OFF, TASK_SANDBOX_USER, TASK_SANDBOX_PRIVILEGED };
	struct CMUnitTest *all = calloc(ARRAY_LEN(sandboxes) * tests_n, sizeof *all);
	size_t n = 0;
	log_setup(LOG_ERROR, LOG_LOGFMT);
	for (size_t i = 0; i < ARRAY_LEN(sandboxes); i++)
		for (size_t k = 0, works = sandbox_works(sandboxes[i]); works && k < tests_n; k++)
			all[n++] = (struct CMUnitTest){ tests[k].name, tests[k].fn, NULL, NULL, &sandboxes[i] };
	int rc = _cmocka_run_group_tests(group, all, n, NULL, NULL);
	free(all);
	return rc;
}

#endif
