/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate submit, retry, resubmit: what ends in a workflow that runs, and the flags to stay with it. */
#include <unistd.h>

#include "cli/files.h"
#include "cli/kinds.h"
#include "cli/output.h"
#include "cli/workflows.h"
#include "config/config.h"

/* ---- staying with a workflow -------------------------------------------------------------------------------- */

struct stay {
	bool wait, watch, log;
	const char *output;
};

static int
stay_check(const struct command *c, const struct stay *s)
{
	if (s->wait + s->watch + s->log > 1)
		return cli_usage(c, "--wait, --watch and --log exclude each other");
	return EXIT_DONE;
}

/* Prints the workflow that was made, and stays as asked. */
static int
stay_with(struct client *c, const struct val *workflow, const struct stay *s)
{
	str name = val_get_str(val_get(workflow, S("metadata")), "name"), phase;
	if (s->log) {
		int code = follow_logs(c, name, NULL, S("?logOptions.follow=true&logOptions.container=main"), false);
		return code == EXIT_DONE ? follow_workflow(c, name, false, &phase) : code;
	}
	if (s->watch)
		return follow_workflow(c, name, true, &phase);
	if (!s->wait) {
		print_workflow(workflow, s->output, STR_NONE);
		return EXIT_DONE;
	}
	int code = follow_workflow(c, name, false, &phase);
	struct val final;
	struct err e = { 0 };
	if (code > EXIT_FAILED)
		return code;
	if (client_call(c, "GET", workflow_path(c, name, ""), NULL, &final, &e))
		return cli_fail(&e);
	print_workflow(&final, s->output, STR_NONE);
	return code;
}

/* ---- submit ------------------------------------------------------------------------------------------------- */

struct submit_opts {
	struct cli_common common;
	struct cli_texts parameters, artifacts, labels, annotations;
	const char *name, *generate_name, *entrypoint, *service_account, *from, *parameter_file, *output;
	struct cli_int priority;
	bool dry_run, server_dry_run, wait, watch, log;
};

static int
add_pairs(struct val_map *out, const char *key, const struct cli_texts *t, struct arena *a)
{
	struct buf joined CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < t->n; i++)
		buf_addf(&joined, "%s%s", i ? "," : "", t->p[i]);
	if (t->n)
		val_map_add(out, str_c(key), val_str(arena_dup(a, buf_str(&joined))));
	return 0;
}

int
read_parameter_file(struct client *c, const char *path, struct val_list *out, struct err *e)
{
	str kept;
	if (file_read(path, c->arena, &kept, e) < 0)
		return -1;
	struct diags d;
	struct val *docs;
	size_t docs_n;
	diags_init(&d);
	int failed = yaml_read_all(c->arena, str_c(path), kept, NULL, &docs, &docs_n, &d);
	if (failed)
		diags_print(&d, stderr, 0);
	diags_free(&d);
	if (failed || docs_n != 1 || docs[0].kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "%s: must be a map of parameter names and values", path);
	for (uint32_t i = 0; i < docs[0].n; i++) {
		const struct val *v = &docs[0].members[i].value;
		str text_of = v->kind == VAL_STR ? val_text(v) : json_write(c->arena, v);
		val_list_add(out, val_str(arena_fmt(c->arena, "%.*s=%.*s", STR_ARG(val_key(&docs[0].members[i])), STR_ARG(text_of))));
	}
	return 0;
}

static int
submit_options(struct client *c, const struct submit_opts *o, struct val *out, struct err *e)
{
	struct val_map m = { 0 };
	struct val_list parameters = { 0 };
	str key, value;
	for (size_t i = 0; i < o->parameters.n; i++)
		if (!cli_pair(o->parameters.p[i], &key, &value))
			return err_set(e, ERR_INVALID, "--parameter %s: write it as name=value", o->parameters.p[i]);
	for (size_t i = 0; i < o->artifacts.n; i++)
		if (!cli_pair(o->artifacts.p[i], &key, &value) || !value.n)
			return err_set(e, ERR_INVALID, "--artifact %s: write it as name=key", o->artifacts.p[i]);
	if (o->parameter_file && read_parameter_file(c, o->parameter_file, &parameters, e))
		return -1;
	for (size_t i = 0; i < o->parameters.n; i++)
		val_list_add(&parameters, val_cstr(o->parameters.p[i]));
	val_map_add(&m, S("parameters"), val_list_end(&parameters, c->arena));
	if (o->artifacts.n)
		val_map_add(&m, S("artifacts"), texts_val(c->arena, &o->artifacts));
	val_map_add_str(&m, S("name"), str_c(o->name));
	val_map_add_str(&m, S("generateName"), str_c(o->generate_name));
	val_map_add_str(&m, S("entryPoint"), str_c(o->entrypoint));
	val_map_add_str(&m, S("serviceAccount"), str_c(o->service_account));
	add_pairs(&m, "labels", &o->labels, c->arena);
	add_pairs(&m, "annotations", &o->annotations, c->arena);
	if (o->priority.set)
		val_map_add(&m, S("priority"), val_int(o->priority.v));
	if (o->dry_run || o->server_dry_run)
		val_map_add(&m, S("dryRun"), val_bool(true));
	*out = val_map_end(&m, c->arena);
	return 0;
}

/* "workflowtemplate/build" */
static int
submit_from(struct client *c, const char *from, const struct val *options, struct val *out, struct err *e)
{
	str name = str_c(from), kind = str_cut(&name, '/');
	if (!name.n)
		return err_set(e, ERR_INVALID, "--from %s: write it as kind/name, such as workflowtemplate/build", from);
	struct val_map body = { 0 };
	val_map_add(&body, S("namespace"), val_str(c->ns));
	val_map_add(&body, S("resourceKind"), val_str(kind));
	val_map_add(&body, S("resourceName"), val_str(name));
	val_map_add(&body, S("submitOptions"), *options);
	struct val v = val_map_end(&body, c->arena);
	struct buf path CLEANUP(free_buf) = { 0 };
	buf_add(&path, S("/api/v1/workflows/"));
	url_escape(&path, c->ns);
	buf_add(&path, S("/submit"));
	return client_call(c, "POST", buf_str(&path), &v, out, e);
}

static int
submit_object(struct client *c, const struct object *object, const struct val *options, struct val *out, struct err *e)
{
	if (!object->kind->instance)
		return err_set(e, ERR_INVALID, "%.*s: a %s is no Workflow; give it to `tidegate serve`", STR_ARG(object->file), object->kind->name);
	struct val_map body = { 0 };
	str ns = val_get_str(val_get(object->manifest, S("metadata")), "namespace");
	ns = ns.n ? ns : c->ns;
	val_map_add(&body, S("namespace"), val_str(ns));
	val_map_add(&body, S("workflow"), *object->manifest);
	val_map_add(&body, S("submitOptions"), *options);
	struct val v = val_map_end(&body, c->arena);
	struct buf path CLEANUP(free_buf) = { 0 };
	buf_add(&path, S("/api/v1/workflows/"));
	url_escape(&path, ns);
	return client_call(c, "POST", buf_str(&path), &v, out, e);
}

/* All Workflows of the files; they are checked here, where line and column are known, before the first is sent. */
static int
submit_files(struct client *c, const struct submit_opts *o, const struct val *options, const struct stay *stay, char **args, int n)
{
	struct manifest_set set = { 0 };
	struct diags d;
	struct err e = { 0 };
	const char **paths = ARENA_ARRAY(c->arena, const char *, n + 1);
	for (int i = 0; i < n; i++)
		paths[i] = args[i];
	diags_init(&d);
	int code = EXIT_DONE;
	if (manifests_read(tidegate_kinds, tidegate_kinds_n, paths, (size_t)n, c->ns, NULL, &set, &d)) {
		diags_print(&d, stderr, DIAG_CARET | (out_colors(stderr) ? DIAG_COLOR : 0));
		code = EXIT_USAGE;
	} else if (set.objects.n == 0) {
		code = cli_usage(&command_submit, "no Workflow found");
	}
	for (size_t i = 0; i < set.objects.n && code == EXIT_DONE; i++) {
		struct val made;
		if (submit_object(c, set.objects.p[i], options, &made, &e))
			code = cli_fail(&e);
		else if (o->dry_run || o->server_dry_run)
			print_workflow(&made, stay->output ? stay->output : "yaml", STR_NONE);
		else
			code = stay_with(c, &made, stay);
	}
	manifest_set_free(&set);
	diags_free(&d);
	return code;
}

static int
run_submit(const void *opts, char **args, int n)
{
	const struct submit_opts *o = opts;
	const struct stay stay = { o->wait, o->watch, o->log, o->output };
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	struct val options, made;
	client_init(&c, &o->common);
	if (stay_check(&command_submit, &stay))
		return EXIT_USAGE;
	if (!o->from == (n == 0))
		return cli_usage(&command_submit, o->from ? "--from and FILE exclude each other" : "FILE or --from is missing");
	if (submit_options(&c, o, &options, &e))
		return cli_fail(&e);
	if (!o->from)
		return submit_files(&c, o, &options, &stay, args, n);
	if (submit_from(&c, o->from, &options, &made, &e))
		return cli_fail(&e);
	return stay_with(&c, &made, &stay);
}

#define STAY_OPTIONS(T) \
	OPTION(T, wait, "wait", 'w', NULL, "Stay until it has ended; exit 1 if it did not succeed."), \
	OPTION(T, watch, "watch", 0, NULL, "Show it while it runs."), \
	OPTION(T, log, "log", 0, NULL, "Print its logs while it runs."), \
	OPTION(T, output, "output", 'o', "FORMAT", "name, json, yaml, wide or short.", .choices = workflow_outputs)

const struct command command_submit = {
	.name = "submit",
	.args = "[FILE...]",
	.summary = "Submit workflows to the daemon.",
	.examples = "  tidegate submit build.yaml                         a Workflow from a file\n"
	            "  tidegate submit build.yaml -p branch=main --watch  with a parameter, shown while it runs\n"
	            "  tidegate submit --from workflowtemplate/build      from a template that the daemon has\n"
	            "  tidegate submit --dry-run -o yaml build.yaml       what would be created\n",
	.options = (const struct cli_option[]){
		OPTION(struct submit_opts, from, "from", 0, "KIND/NAME", "Submit from a workflowtemplate, clusterworkflowtemplate or cronwf."),
		OPTION(struct submit_opts, parameters, "parameter", 'p', "NAME=VALUE", "Give a parameter; may be repeated."),
		OPTION(struct submit_opts, artifacts, "artifact", 'a', "NAME=KEY", "Give an artifact of the arguments its key; may be repeated."),
		OPTION(struct submit_opts, parameter_file, "parameter-file", 'f', "FILE", "Parameters as a YAML or JSON map."),
		OPTION(struct submit_opts, name, "name", 0, "NAME", "Name of the workflow."),
		OPTION(struct submit_opts, generate_name, "generate-name", 0, "PREFIX", "Prefix of its name."),
		OPTION(struct submit_opts, entrypoint, "entrypoint", 0, "TEMPLATE", "Template to start with."),
		OPTION(struct submit_opts, service_account, "serviceaccount", 0, "NAME", "Kept in the manifest; means nothing here."),
		OPTION(struct submit_opts, labels, "labels", 'l', "K=V,...", "Labels to add."),
		OPTION(struct submit_opts, annotations, "annotations", 0, "K=V,...", "Annotations to add."),
		OPTION(struct submit_opts, priority, "priority", 0, "N", "Priority of the workflow."),
		OPTION(struct submit_opts, dry_run, "dry-run", 0, NULL, "Check, print, create nothing."),
		OPTION(struct submit_opts, server_dry_run, "server-dry-run", 0, NULL, "The same."),
		STAY_OPTIONS(struct submit_opts),
		{ 0 },
	},
	.size = sizeof(struct submit_opts),
	.args_max = -1,
	.run = run_submit,
};

/* ---- retry and resubmit ------------------------------------------------------------------------------------- */

struct again_opts {
	struct cli_common common;
	struct cli_texts parameters;
	struct workflow_choice choice;
	const char *node_field_selector, *output;
	struct cli_int priority;
	bool restart_successful, memoized, exact, wait, watch, log;
};

static int
again(const struct command *cmd, const struct again_opts *o, char **args, int n, const char *verb)
{
	const struct stay stay = { o->wait, o->watch, o->log, o->output };
	struct client c CLEANUP(client_free);
	struct workflow_names names;
	struct err e = { 0 };
	int worst = EXIT_DONE;
	client_init(&c, &o->common);
	if (stay_check(cmd, &stay))
		return EXIT_USAGE;
	if (choose_workflows(&c, &o->choice, args, n, &names, &e))
		return cli_fail(&e);
	for (size_t i = 0; i < names.n; i++) {
		struct val_map more = { 0 };
		struct val made;
		c.ns = names.p[i].ns;
		val_map_add(&more, S("parameters"), texts_val(c.arena, &o->parameters));
		val_map_add_str(&more, S("nodeFieldSelector"), str_c(o->node_field_selector));
		if (o->restart_successful)
			val_map_add(&more, S("restartSuccessful"), val_bool(true));
		if (o->memoized)
			val_map_add(&more, S("memoized"), val_bool(true));
		if (o->exact)
			val_map_add(&more, S("exact"), val_bool(true));
		if (o->priority.set)
			val_map_add(&more, S("priority"), val_int(o->priority.v));
		struct val body = verb_body(&c, names.p[i].name, &more);
		int code = client_call(&c, "PUT", workflow_path(&c, names.p[i].name, verb), &body, &made, &e) ? cli_fail(&e)
		                                                                                             : stay_with(&c, &made, &stay);
		worst = code > worst ? code : worst;
	}
	return worst;
}

static int
run_retry(const void *opts, char **args, int n)
{
	return again(&command_retry, opts, args, n, "/retry");
}

static int
run_resubmit(const void *opts, char **args, int n)
{
	return again(&command_resubmit, opts, args, n, "/resubmit");
}

#define CHOICE_OPTIONS(T) \
	OPTION(T, choice.selector, "selector", 'l', "LABELS", "Instead of names: those with these labels."), \
	OPTION(T, choice.field_selector, "field-selector", 0, "FIELDS", "Instead of names: those with these fields.")

const struct command command_retry = {
	.name = "retry",
	.args = "[WORKFLOW...]",
	.summary = "Run the failed steps of a workflow again.",
	.examples = "  tidegate retry build-x7k2f\n  tidegate retry build-x7k2f --watch\n"
	            "  tidegate retry build-x7k2f --restart-successful --node-field-selector displayName=test\n",
	.options = (const struct cli_option[]){
		OPTION(struct again_opts, restart_successful, "restart-successful", 0, NULL, "Also what succeeded, where the selector matches."),
		OPTION(struct again_opts, node_field_selector, "node-field-selector", 0, "FIELDS", "Nodes to restart, as displayName=test."),
		OPTION(struct again_opts, parameters, "parameter", 'p', "NAME=VALUE", "Override a parameter; may be repeated."),
		CHOICE_OPTIONS(struct again_opts),
		STAY_OPTIONS(struct again_opts),
		{ 0 },
	},
	.size = sizeof(struct again_opts),
	.args_max = -1,
	.run = run_retry,
};

const struct command command_resubmit = {
	.name = "resubmit",
	.args = "[WORKFLOW...]",
	.summary = "Submit a workflow once more, as a new one.",
	.examples = "  tidegate resubmit build-x7k2f\n  tidegate resubmit @latest -p branch=main --log\n",
	.options = (const struct cli_option[]){
		OPTION(struct again_opts, memoized, "memoized", 0, NULL, "Keep the results of what succeeded."),
		OPTION(struct again_opts, exact, "exact", 0, NULL, "With the specification, templates and parameters that it ran with then."),
		OPTION(struct again_opts, priority, "priority", 0, "N", "Priority of the new workflow."),
		OPTION(struct again_opts, parameters, "parameter", 'p', "NAME=VALUE", "Override a parameter; may be repeated."),
		CHOICE_OPTIONS(struct again_opts),
		STAY_OPTIONS(struct again_opts),
		{ 0 },
	},
	.size = sizeof(struct again_opts),
	.args_max = -1,
	.run = run_resubmit,
};
