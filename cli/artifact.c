/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate artifact and cp: what the steps of a workflow left and took, as a list, on the standard output, and as files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/artifact.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/workflows.h"
#include "core/map.h"

struct artifact_opts {
	struct cli_common common;
	const char *output, *node, *template_name, *artifact, *path, *ref, *key;
	bool inputs, no_headers, repository;
};

static const struct command form_ls, form_get, form_cat;
static const char *const list_outputs[] = { "name", "json", "yaml", NULL };

/* One artifact of a node. */
struct found {
	const struct val *node, *artifact;
	str id, name;
	bool input;
};

typedef int visit(struct client *c, const struct artifact_opts *o, const struct found *f, void *arg, struct err *e);

static bool
is_wanted(const struct artifact_opts *o, const struct found *f)
{
	bool node = !o->node || str_eq(f->id, str_c(o->node)) || str_eq(val_get_str(f->node, "displayName"), str_c(o->node)) ||
	            str_eq(val_get_str(f->node, "name"), str_c(o->node));
	return node && (!o->template_name || str_eq(val_get_str(f->node, "templateName"), str_c(o->template_name))) &&
	       (!o->artifact || str_eq(f->name, str_c(o->artifact)));
}

static int
visit_list(struct client *c, const struct artifact_opts *o, struct found f, visit *fn, void *arg, struct err *e)
{
	const struct val *list = val_path(f.node, f.input ? "inputs.artifacts" : "outputs.artifacts");
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++) {
		f.artifact = &list->items[i];
		f.name = val_get_str(f.artifact, "name");
		if (is_wanted(o, &f) && fn(c, o, &f, arg, e) < 0)
			return -1;
	}
	return 0;
}

/* Pods alone have artifacts of their own; those around them repeat what their steps left. */
static int
visit_all(struct client *c, const struct artifact_opts *o, const struct val *workflow, bool inputs, visit *fn, void *arg, struct err *e)
{
	const struct val *nodes = val_path(workflow, "status.nodes");
	for (uint32_t i = 0; val_is(nodes, VAL_MAP) && i < nodes->n; i++) {
		struct found f = { .node = &nodes->members[i].value, .id = val_key(&nodes->members[i]) };
		if (!o->node && !str_eq(val_get_str(f.node, "type"), S("Pod")))
			continue;
		if (visit_list(c, o, f, fn, arg, e) < 0)
			return -1;
		f.input = true;
		if (inputs && visit_list(c, o, f, fn, arg, e) < 0)
			return -1;
	}
	return 0;
}

static str
artifact_path(struct client *c, str workflow, const struct found *f)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	const str parts[] = { c->ns, workflow, f->id, f->name };
	buf_add(&b, f->input ? S("/input-artifacts") : S("/artifacts"));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		buf_addc(&b, '/');
		url_escape(&b, parts[i]);
	}
	return arena_dup(c->arena, buf_str(&b));
}

static int
get_workflow(struct client *c, const char *name, struct val *out, struct err *e)
{
	return client_call(c, "GET", workflow_path(c, str_c(name), ""), NULL, out, e);
}

/* ---- ls ---------------------------------------------------------------------------------------------------------------- */

/* The first of an artifact's locations, and its key: "s3 box/key". */
static str
where(struct arena *a, const struct val *artifact)
{
	static const char *const words[] = { "local", "s3", "gcs", "azure", "oss", "http", "artifactory", "hdfs", "git", "raw", "plugin" };
	static const char *const keys[] = { "key", "blob", "path", "url", "repo" };
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const struct val *place = val_get(artifact, str_c(words[i]));
		for (size_t k = 0; place && k < ARRAY_LEN(keys); k++)
			if (val_get_str(place, keys[k]).n)
				return arena_fmt(a, "%s %.*s", words[i], STR_ARG(val_get_str(place, keys[k])));
		if (place)
			return str_c(words[i]);
	}
	return S("");
}

struct listing {
	struct table table;
	struct val_list list;
};

static int
list_one(struct client *c, const struct artifact_opts *o, const struct found *f, void *arg, struct err *e UNUSED)
{
	struct listing *l = arg;
	struct arena *a = c->arena;
	bool deleted = val_is_true(val_get(f->artifact, S("deleted")));
	if (o->output && strcmp(o->output, "name") == 0) {
		printf("%.*s\n", STR_ARG(f->name));
	} else if (o->output) {
		struct val_map m = { 0 };
		val_map_add(&m, S("nodeId"), val_str(f->id));
		val_map_add(&m, S("direction"), val_cstr(f->input ? "input" : "output"));
		val_map_add(&m, S("artifact"), *f->artifact);
		val_list_add(&l->list, val_map_end(&m, a));
	} else {
		const str cells[] = { val_get_str(f->node, "displayName"), f->input ? S("in") : S("out"), f->name, deleted ? S("deleted") : where(a, f->artifact),
			f->id };
		table_row(&l->table, cells);
	}
	return 0;
}

static int
run_ls(const void *opts, char **args, int n)
{
	static const str heads[] = { { "NODE", 4 }, { "WAY", 3 }, { "ARTIFACT", 8 }, { "LOCATION", 8 }, { "NODE ID", 7 } };
	const struct artifact_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct listing l = { .table = { .columns = ARRAY_LEN(heads), .colors = out_colors(stdout) } };
	struct err e = { 0 };
	struct val w;
	client_init(&c, &o->common);
	if (o->repository)
		return print_repository(&c, o->ref, n ? args[0] : NULL, o->output, o->no_headers);
	if (!n || o->ref)
		return cli_usage(&form_ls, n ? "--ref is for --repository" : "WORKFLOW is missing; --repository lists the whole repository");
	if (!o->no_headers && !o->output)
		table_row(&l.table, heads);
	if (get_workflow(&c, args[0], &w, &e) || visit_all(&c, o, &w, true, list_one, &l, &e))
		return cli_fail(&e);
	struct val list = val_list_end(&l.list, c.arena);
	if (o->output && strcmp(o->output, "name") != 0)
		print_value(stdout, &list, o->output);
	table_print(&l.table, stdout);
	return 0;
}

/* ---- get, cat ---------------------------------------------------------------------------------------------------------- */

struct one {
	struct found f;
	unsigned n;
};

static int
take_one(struct client *c UNUSED, const struct artifact_opts *o UNUSED, const struct found *f, void *arg, struct err *e UNUSED)
{
	struct one *x = arg;
	if (x->n++ == 0)
		x->f = *f;
	return 0;
}

/* The one artifact of that name; more than one is an error that says how to choose. */
static int
find_one(struct client *c, const struct artifact_opts *o, const char *workflow, const char *name, struct found *out, struct err *e)
{
	struct artifact_opts with = *o;
	struct one x = { 0 };
	struct val w;
	with.artifact = name;
	if (get_workflow(c, workflow, &w, e))
		return -1;
	if (visit_all(c, &with, &w, o->inputs, take_one, &x, e))
		return -1;
	if (x.n == 0)
		return err_set(e, ERR_NOT_FOUND, "workflow %s has no artifact %s: `tidegate artifact ls %s` shows them%s", workflow, name, workflow,
			o->inputs ? "" : ", and --inputs takes those that nodes took");
	if (x.n > 1)
		return err_set(e, ERR_INVALID, "%u nodes have an artifact %s: say which with --node-id", x.n, name);
	*out = x.f;
	return 0;
}

/* Whether the arguments name one: a workflow and its artifact, or a key of the repository; and at most a file behind that. */
static bool
names_one(const struct artifact_opts *o, int n)
{
	return o->key ? n <= 1 && !o->node && !o->template_name && !o->inputs : n >= 2 && !o->ref;
}

static int
path_of_one(struct client *c, const struct artifact_opts *o, char **args, str *path, struct err *e)
{
	struct found f;
	if (o->key) {
		*path = repository_path(c, o->key, o->ref, "", STR_NONE);
		return 0;
	}
	if (find_one(c, o, args[0], args[1], &f, e) < 0)
		return -1;
	*path = artifact_path(c, str_c(args[0]), &f);
	return 0;
}

static int
run_cat(const void *opts, char **args, int n)
{
	const struct artifact_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	str path;
	client_init(&c, &o->common);
	if (!names_one(o, n) || (o->key && n))
		return cli_usage(&form_cat, "WORKFLOW and ARTIFACT, or --key with or without --ref");
	if (path_of_one(&c, o, args, &path, &e) < 0 || client_download(&c, path, STDOUT_FILENO, NULL, &e))
		return cli_fail(&e);
	return 0;
}

/* A file that is there whole, or not at all. */
static int
download(struct client *c, str from, const char *to, struct err *e)
{
	struct progress p;
	const char *part = arena_fmt(c->arena, "%s.part", to).p;
	int fd CLEANUP(close_fd) = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(e, "make %s", part);
	progress_begin(&p, str_c(to), 0, "written");
	int rc = client_download(c, from, fd, &p.watch, e);
	progress_end(&p);
	if (rc < 0) {
		(void)unlink(part);
		return -1;
	}
	return rename(part, to) < 0 ? err_errno(e, "make %s", to) : 0;
}

static int
run_get(const void *opts, char **args, int n)
{
	const struct artifact_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	str path;
	client_init(&c, &o->common);
	if (!names_one(o, n))
		return cli_usage(&form_get, "WORKFLOW and ARTIFACT, or --key with or without --ref");
	const char *slash = o->key ? strrchr(o->key, '/') : NULL, *name = slash ? slash + 1 : o->key;
	const char *to = o->key ? n ? args[0] : name : n > 2 ? args[2] : args[1];
	if (path_of_one(&c, o, args, &path, &e) < 0 || download(&c, path, to, &e))
		return cli_fail(&e);
	return 0;
}

/* ---- cp ---------------------------------------------------------------------------------------------------------------- */

struct copying {
	const char *workflow, *to;
	unsigned n;
	struct map made; /* paths */
};

/* Argo's pattern of paths: {namespace}/{workflowName}/{nodeId}/outputs/{artifactName}. No part of it may lead up. */
static str
put_names(struct client *c, const char *pattern, const char *workflow, const struct found *f)
{
	const struct {
		str name, value;
	} names[] = { { S("{namespace}"), c->ns }, { S("{workflowName}"), str_c(workflow) }, { S("{nodeId}"), f->id },
		{ S("{templateName}"), val_get_str(f->node, "templateName") }, { S("{artifactName}"), f->name } };
	struct buf b CLEANUP(free_buf) = { 0 };
	for (str rest = str_c(pattern); rest.n;) {
		size_t i = 0;
		while (i < ARRAY_LEN(names) && !str_starts(rest, names[i].name))
			i++;
		bool found = i < ARRAY_LEN(names);
		buf_add(&b, found ? names[i].value : str_slice(rest, 0, 1));
		rest = str_slice(rest, found ? names[i].name.n : 1, rest.n);
	}
	return arena_dup(c->arena, buf_str(&b));
}

static int
make_folders(char *path, struct err *e)
{
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		int rc = mkdir(path, 0777);
		if (rc < 0 && errno != EEXIST)
			return err_errno(e, "make %s", path);
		*p = '/';
	}
	return 0;
}

/* As argo names them: by the end of the key, or ARTIFACT.tgz. */
static str
file_name(const struct found *f)
{
	static const char *const words[] = { "local", "s3", "gcs", "azure", "oss", "http", "artifactory", "hdfs" };
	static const char *const keys[] = { "key", "blob", "path", "url" };
	str key = STR_NONE;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (size_t k = 0; k < ARRAY_LEN(keys) && !key.n; k++)
			key = val_get_str(val_get(f->artifact, str_c(words[i])), keys[k]);
	size_t from = key.n;
	while (from && key.p[from - 1] != '/')
		from--;
	return str_slice(key, from, key.n);
}

static int
copy_one(struct client *c, const struct artifact_opts *o, const struct found *f, void *arg, struct err *e)
{
	struct copying *x = arg;
	const char *pattern = o->path ? o->path : "{namespace}/{workflowName}/{nodeId}/outputs/{artifactName}";
	str file = file_name(f), below = put_names(c, pattern, x->workflow, f);
	if (val_is_true(val_get(f->artifact, S("deleted"))))
		return 0;
	if (!file.n || str_eq(file, S("..")))
		file = arena_fmt(c->arena, "%.*s.tgz", STR_ARG(f->name));
	if (str_find(arena_fmt(c->arena, "/%.*s/", STR_ARG(below)), S("/../"), 0) != SIZE_MAX)
		return err_set(e, ERR_INVALID, "the path %.*s leads out of %s", STR_ARG(below), x->to);
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/%.*s/%.*s", x->to, STR_ARG(below), STR_ARG(file)) >= (int)sizeof path)
		return err_set(e, ERR_INVALID, "the path of %.*s is too long", STR_ARG(f->name));
	if (map_put(&x->made, arena_dup(c->arena, str_c(path)), x))
		return err_set(e, ERR_INVALID, "%s is the place of two artifacts: say which with --node-id, or have {nodeId} and {artifactName} in --path", path);
	if (make_folders(path, e) < 0 || download(c, artifact_path(c, str_c(x->workflow), f), path, e) < 0)
		return -1;
	x->n++;
	printf("Created \"%.*s\"\n", STR_ARG(file));
	return 0;
}

static int
run_cp(const void *opts, char **args, int n UNUSED)
{
	const struct artifact_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct copying x = { .workflow = args[0], .to = args[1] };
	struct err e = { 0 };
	struct val w;
	client_init(&c, &o->common);
	int rc = get_workflow(&c, args[0], &w, &e) ? -1 : visit_all(&c, o, &w, false, copy_one, &x, &e);
	map_free(&x.made);
	if (rc < 0)
		return cli_fail(&e);
	if (x.n)
		return 0;
	err_set(&e, ERR_NOT_FOUND, "workflow %s has no such artifacts: `tidegate artifact ls %s` shows all", args[0], args[0]);
	return cli_fail(&e);
}

/* ---- the tables -------------------------------------------------------------------------------------------------------- */

#define T struct artifact_opts
#define CHOOSE                                                                                                             \
	OPTION(T, node, "node-id", 0, "NODE", "Of this node: its id or its name."),                                        \
		OPTION(T, template_name, "template-name", 0, "NAME", "Of nodes with this template.")
#define REF OPTION(T, ref, "ref", 0, "[MAP/]KEY", "Of another repository, as artifactRepositoryRef names one.")
static const struct cli_option ls_options[] = { CHOOSE, OPTION(T, artifact, "artifact-name", 0, "NAME", "Those with this name."),
	OPTION(T, repository, "repository", 0, NULL, "Instead: what lies in the artifact repository, under keys that begin with PREFIX."),
	REF, OPTION(T, no_headers, "no-headers", 0, NULL, "No line with the names of the columns."),
	OPTION(T, output, "output", 'o', "FORMAT", "name, json or yaml.", .choices = list_outputs), { 0 } };
static const struct cli_option one_options[] = { CHOOSE, OPTION(T, inputs, "inputs", 0, NULL, "Look among those that nodes took, too."),
	OPTION(T, key, "key", 0, "KEY", "Instead: the object of the artifact repository with this key, as `ls --repository` lists them."), REF, { 0 } };
static const struct cli_option cp_options[] = { CHOOSE, OPTION(T, artifact, "artifact-name", 0, "NAME", "Those with this name."),
	OPTION(T, path, "path", 0, "PATTERN", "Folders to make, with {namespace}, {workflowName}, {nodeId}, {templateName} and {artifactName}."), { 0 } };

static const struct command form_ls = { .name = "artifact ls",
	.args = "WORKFLOW | --repository [PREFIX]",
	.summary = "List what the nodes of a workflow left and took, or what lies in the repository.",
	.examples = "  tidegate artifact ls train-x7k2p\n  tidegate artifact ls --repository shared/\n",
	.options = ls_options,
	.size = sizeof(T),
	.args_min = 0,
	.args_max = 1,
	.run = run_ls };
static const struct command form_get = { .name = "artifact get",
	.args = "WORKFLOW ARTIFACT [FILE] | --key KEY [FILE]",
	.summary = "Write an artifact to a file, as it lies in its place; a folder as .tgz.",
	.examples = "  tidegate artifact get train-x7k2p model model.tgz\n  tidegate artifact get --key shared/models.tgz\n",
	.options = one_options,
	.size = sizeof(T),
	.args_min = 0,
	.args_max = 3,
	.run = run_get };
static const struct command form_cat = { .name = "artifact cat",
	.args = "WORKFLOW ARTIFACT | --key KEY",
	.summary = "Print an artifact.",
	.examples = "  tidegate artifact cat train-x7k2p model | tar tz\n",
	.options = one_options,
	.size = sizeof(T),
	.args_min = 0,
	.args_max = 2,
	.run = run_cat };

const struct command command_artifact = {
	.name = "artifact",
	.args = "FORM",
	.summary = "Artifacts: files and folders that steps leave and take.",
	.examples = "  tidegate artifact ls train-x7k2p\n  tidegate artifact get train-x7k2p model model.tgz\n  tidegate artifact put data.csv\n",
	.group = (const struct command *const[]){ &form_ls, &form_get, &form_cat, &form_artifact_put, &form_artifact_rm, NULL },
};

const struct command command_cp = { .name = "cp",
	.args = "WORKFLOW DIR",
	.summary = "Copy the output artifacts of a workflow into a folder.",
	.examples = "  tidegate cp train-x7k2p out/\n  tidegate cp train-x7k2p out/ --artifact-name model --path '{artifactName}'\n",
	.options = cp_options,
	.size = sizeof(T),
	.args_min = 2,
	.args_max = 2,
	.run = run_cp };
