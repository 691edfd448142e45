/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate run: workflows in the foreground, without a daemon. The same engine in this process, on a state directory of its
 * own that goes away afterwards (or stays, with --state). Everything else in the files is put in force first.
 */
#include <ftw.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/live.h"
#include "cli/output.h"
#include "cli/tree.h"
#include "cli/workflows.h"
#include "core/log.h"

struct run_opts {
	struct cli_common common;
	struct cli_texts with, parameters;
	const char *output, *config, *sandbox, *entrypoint, *name;
};

static const char *const run_outputs[] = { "json", "yaml", "name", "tree", NULL };
static const char *const sandbox_modes[] = { "auto", "require", "off", NULL };

struct run {
	const struct run_opts *o;
	struct daemon d;
	struct diags found;      /* of reading; has the texts of the files */
	struct manifest_set set;
	struct kvs parameters;
	struct live live;
	bool show;               /* while it runs */
	uv_signal_t interrupt, terminate;
	int signal;
	/* the workflow under way */
	str ns, name;
	bool asked, again, finished;
	struct arena *result_arena;
	const struct val *result;
};

/* ---- one workflow ------------------------------------------------------------------------------------------- */

static void ask(struct run *r);

static void
came(void *arg, const struct val *workflow, const struct err *e)
{
	struct run *r = arg;
	r->asked = false;
	if (e) /* deleted: there is nothing left to wait for */
		r->finished = true;
	if (workflow && r->finished) {
		struct val *kept = ARENA_NEW(r->result_arena, struct val);
		*kept = val_copy(r->result_arena, workflow);
		r->result = kept;
	}
	if (workflow && r->show)
		live_show(&r->live, workflow, r->finished);
	if (r->again)
		ask(r);
}

/* Asks for the workflow as it is; while an answer is under way one more is enough, however much changes. */
static void
ask(struct run *r)
{
	r->again = r->asked;
	if (r->asked)
		return;
	r->asked = true;
	engine_get(r->d.engine, r->ns, r->name, true, came, r);
}

static void
changed(void *arg, str ns UNUSED, str name UNUSED, bool finished, bool deleted)
{
	struct run *r = arg;
	r->finished |= finished || deleted;
	if (r->show || r->finished)
		ask(r);
}

static void
nothing(void *arg UNUSED, const struct val *workflow UNUSED, const struct err *e UNUSED)
{
}

/* Once: the workflow is terminated and its end is waited for. Twice: out, as the second Ctrl-C everywhere. */
static void
on_signal(uv_signal_t *h, int signo)
{
	struct run *r = h->data;
	static const struct verb_options none;
	if (r->signal)
		_exit(128 + signo);
	r->signal = signo;
	if (r->name.n)
		engine_verb(r->d.engine, VERB_TERMINATE, r->ns, r->name, &none, nothing, r);
}

static void
print_result(const struct run *r)
{
	const char *how = r->o->output ? r->o->output : "tree";
	if (strcmp(how, "tree") != 0)
		print_workflow(r->result, how, STR_NONE);
	else if (!r->live.paint || !r->show)
		print_workflow(r->result, "short", STR_NONE);
}

/* Findings of the engine's own check, with the text of the file for the caret. */
static int
refused(struct run *r, const struct object *o, struct diags *d, const struct err *e)
{
	if (d->v.n)
		print_findings(d);
	fprintf(stderr, "tidegate: %.*s: refused: %s\n", STR_ARG(o->file), e->msg);
	(void)r;
	return EXIT_USAGE;
}

static int
submit(struct run *r, const struct object *o)
{
	struct submit_options so = { .ns = o->ns.n ? o->ns : r->d.settings.namespace_, .parameters = r->parameters,
	                             .entrypoint = str_c(r->o->entrypoint), .name = str_c(r->o->name) };
	struct diags d;
	struct err e = { 0 };
	diags_init(&d);
	d.file = o->file;
	for (size_t i = 0; i < r->found.sources.n; i++)
		diags_source(&d, r->found.sources.p[i].file, r->found.sources.p[i].text);
	int code = EXIT_DONE;
	if (engine_submit(r->d.engine, o->manifest, &so, r->result_arena, &r->name, NULL, NULL, &d, &e))
		code = refused(r, o, &d, &e);
	r->ns = so.ns;
	diags_free(&d);
	return code;
}

static int
exit_code(const struct run *r)
{
	str phase = val_get_str(val_get(r->result, S("status")), "phase");
	if (r->signal)
		return 128 + r->signal;
	return str_eq(phase, S("Succeeded")) ? EXIT_DONE : EXIT_FAILED;
}

/* What artifactGC takes at the workflow's end is gone, or was said to stay, before this process goes and nobody is left to do it. */
static void
await_collected(struct run *r)
{
	bool any = engine_collecting(r->d.engine);
	while (engine_collecting(r->d.engine) && !r->signal)
		loop_turn(r->d.loop, -1);
	if (!any || r->show)
		return;
	ask(r); /* again: it is marked in the status */
	while (r->asked)
		loop_turn(r->d.loop, -1);
}

static int
run_one(struct run *r, const struct object *o)
{
	int code;
	r->finished = false;
	r->result = NULL;
	r->result_arena = arena_new();
	r->name = STR_NONE;
	if ((code = submit(r, o)) == EXIT_DONE) {
		struct watch *w = engine_watch(r->d.engine, r->ns, r->name, changed, r);
		ask(r);
		while (!r->result && !(r->finished && !r->asked))
			loop_turn(r->d.loop, -1);
		engine_unwatch(w);
		await_collected(r);
		code = r->result ? exit_code(r) : EXIT_FAILED;
		if (r->result)
			print_result(r);
		live_free(&r->live);
		live_init(&r->live, stdout);
	}
	arena_free(r->result_arena);
	return code;
}

/* ---- the state that goes away ------------------------------------------------------------------------------- */

static int
remove_entry(const char *path, const struct stat *st UNUSED, int kind UNUSED, struct FTW *at UNUSED)
{
	return remove(path);
}

static int
temporary_state(struct arena *a, const char **out, struct err *e)
{
	const char *base = getenv("TMPDIR");
	str template = arena_fmt(a, "%s/tidegate-run-XXXXXX", base && *base == '/' ? base : "/tmp");
	char *path = arena_alloc(a, template.n + 1, 1);
	memcpy(path, template.p, template.n + 1);
	if (!mkdtemp(path))
		return err_errno(e, "making %s", path);
	*out = path;
	return 0;
}

/* ---- the command -------------------------------------------------------------------------------------------- */

static int
read_parameters(struct run *r, struct err *e)
{
	const struct cli_texts *t = &r->o->parameters;
	r->parameters = (struct kvs){ ARENA_ARRAY(r->d.arena, struct kv, t->n + 1), t->n };
	for (size_t i = 0; i < t->n; i++)
		if (!cli_pair(t->p[i], &r->parameters.p[i].key, &r->parameters.p[i].value))
			return err_set(e, ERR_INVALID, "--parameter %s: write it as name=value", t->p[i]);
	return 0;
}

/* All files at once, so that names are found wherever they stand. Only what FILE holds is run. */
static int
read_files(struct run *r, char **args, int n)
{
	size_t total = r->o->with.n + (size_t)n;
	const char **paths = ARENA_ARRAY(r->d.arena, const char *, total);
	for (int i = 0; i < n; i++)
		paths[i] = args[i];
	for (size_t i = 0; i < r->o->with.n; i++)
		paths[(size_t)n + i] = r->o->with.p[i];
	const char *ns = r->o->common.ns;
	str default_ns = ns && *ns ? str_c(ns) : r->d.settings.namespace_;
	if (read_manifests(paths, total, default_ns, r->d.objects, &r->set, &r->found)) {
		print_findings(&r->found);
		return EXIT_USAGE;
	}
	objects_apply_files(r->d.objects, &r->set);
	return EXIT_DONE;
}

static bool
is_with(const struct run *r, str file)
{
	for (size_t i = 0; i < r->o->with.n; i++)
		if (str_starts(file, str_c(r->o->with.p[i]))) /* itself, or below it */
			return true;
	return false;
}

static int
run_all(struct run *r)
{
	int worst = EXIT_DONE;
	size_t count = 0;
	for (size_t i = 0; i < r->set.objects.n && !r->signal; i++) {
		const struct object *o = r->set.objects.p[i];
		if (!o->kind->instance || is_with(r, o->file))
			continue;
		int code = run_one(r, o);
		worst = code > worst ? code : worst;
		count++;
	}
	return count ? worst : cli_usage(&command_run, "no Workflow found");
}

static void
watch_signals(struct run *r)
{
	uv_signal_t *handles[] = { &r->interrupt, &r->terminate };
	const int numbers[] = { SIGINT, SIGTERM };
	for (size_t i = 0; i < ARRAY_LEN(handles); i++) {
		uv_signal_init(loop_uv(r->d.loop), handles[i]);
		handles[i]->data = r;
		uv_signal_start(handles[i], on_signal, numbers[i]);
	}
}

static int
with_state(struct run *r, char **args, int n)
{
	struct err e = { 0 };
	int code;
	if (read_parameters(r, &e) || daemon_open(&r->d, &e))
		return cli_fail(&e);
	watch_signals(r);
	if ((code = read_files(r, args, n)) == EXIT_DONE)
		code = daemon_recover(&r->d, &e) ? cli_fail(&e) : run_all(r);
	uv_close((uv_handle_t *)&r->interrupt, NULL);
	uv_close((uv_handle_t *)&r->terminate, NULL);
	return code;
}

static int
run(const void *opts, char **args, int n)
{
	struct run r = { .o = opts };
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e = { 0 };
	const char *state = r.o->common.state, *temporary = NULL;
	if (!state && temporary_state(a, &temporary, &e))
		return cli_fail(&e);
	diags_init(&r.found);
	live_init(&r.live, stdout);
	bool tree = !r.o->output || strcmp(r.o->output, "tree") == 0;
	r.show = tree && r.live.paint;
	int code;
	int failed = daemon_settings(&r.d, r.o->config, state ? state : temporary, r.o->sandbox, &e);
	if (!failed && r.d.settings.claims_mode == CLAIMS_AUTO)
		r.d.settings.claims_mode = CLAIMS_MAKE;
	if (failed) {
		code = cli_fail(&e);
	} else {
		if (!r.o->config) /* who runs one workflow wants its story, not the machine's */
			log_setup(LOG_WARN, LOG_LOGFMT);
		code = with_state(&r, args, n);
	}
	daemon_close(&r.d);
	manifest_set_free(&r.set);
	diags_free(&r.found);
	live_free(&r.live);
	if (temporary)
		(void)nftw(temporary, remove_entry, 16, FTW_DEPTH | FTW_PHYS); /* what cannot be removed stays behind in /tmp */
	return code;
}

const struct command command_run = {
	.name = "run",
	.args = "FILE...",
	.summary = "Run workflows here and now.",
	.examples = "  tidegate run hello.yaml                            with a live tree on a terminal\n"
	            "  tidegate run build.yaml -p branch=main             with a parameter\n"
	            "  tidegate run build.yaml --with templates/          with what it refers to\n"
	            "  tidegate run build.yaml -o json | jq .status.phase\n",
	.doc = "Exits with 0 if all workflows succeeded, 1 if one failed, 2 if one was refused. Nothing is left behind, unless\n"
	       "--state names a directory.",
	.options = (const struct cli_option[]){
		OPTION(struct run_opts, with, "with", 0, "FILE", "Templates, config maps, ... to put in force; may be repeated."),
		OPTION(struct run_opts, parameters, "parameter", 'p', "NAME=VALUE", "Give a parameter; may be repeated."),
		OPTION(struct run_opts, output, "output", 'o', "FORMAT", "json, yaml, name or tree.", .choices = run_outputs),
		OPTION(struct run_opts, entrypoint, "entrypoint", 0, "TEMPLATE", "Template to start with."),
		OPTION(struct run_opts, name, "name", 0, "NAME", "Name of the workflow."),
		OPTION(struct run_opts, config, "config", 0, "FILE", "Settings."),
		OPTION(struct run_opts, sandbox, "sandbox", 0, "MODE", "auto, require or off.", .choices = sandbox_modes),
		{ 0 },
	},
	.size = sizeof(struct run_opts),
	.args_min = 1,
	.args_max = -1,
	.run = run,
};
