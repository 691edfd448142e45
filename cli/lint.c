/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate lint: everything that is wrong with manifests, in one pass, without a daemon. */
#include "cli/command.h"
#include "cli/kinds.h"
#include "cli/lint_jq.h"
#include "cli/output.h"

struct lint_opts {
	struct cli_common common;
	bool strict, show_source;
	const char *output;
};

static const char *const outputs[] = { "text", "json", NULL };

static void
print_text(struct diags *d, const struct lint_opts *o, size_t files)
{
	unsigned how = 0;
	if (out_is_terminal(stdout) || o->show_source)
		how |= DIAG_CARET;
	if (out_colors(stdout) && !o->common.no_color)
		how |= DIAG_COLOR;
	diags_print(d, stdout, how);
	fflush(stdout);
	size_t warnings = d->warnings + d->later;
	if (!d->errors && !warnings)
		fprintf(stderr, "%zu file%s: nothing to complain about\n", files, files == 1 ? "" : "s");
	else
		fprintf(stderr, "%zu error%s, %zu warning%s in %zu file%s\n", d->errors, d->errors == 1 ? "" : "s",
			warnings, warnings == 1 ? "" : "s",
			files, files == 1 ? "" : "s");
}

static void
print_json(struct diags *d)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct buf b CLEANUP(free_buf) = { 0 };
	struct val list = diags_json(d, a);
	json_write_opts(&b, &list, JSON_INDENT);
	puts(b.p);
}

static int
run(const void *opts, char **args, int n)
{
	const struct lint_opts *o = opts;
	struct diags d;
	struct manifest_set set;
	struct objects *none = objects_new(tidegate_kinds, tidegate_kinds_n);
	VEC(const char *) paths = { 0 };
	diags_init(&d);
	for (int i = 0; i < n; i++)
		*VEC_PUSH(&paths) = args[i];
	str ns = str_c(o->common.ns && *o->common.ns ? o->common.ns : "default");
	bool ok = manifests_read(tidegate_kinds, tidegate_kinds_n, paths.p, paths.n, ns, none, &set, &d) == 0;
	size_t errors = d.errors;
	lint_jq(&set, &d);
	ok = ok && d.errors == errors;
	if (o->strict && d.warnings + d.later)
		ok = false;
	if (o->output && strcmp(o->output, "json") == 0)
		print_json(&d);
	else
		print_text(&d, o, set.files);
	manifest_set_free(&set);
	objects_free(none);
	diags_free(&d);
	VEC_FREE(&paths);
	return ok ? EXIT_DONE : EXIT_USAGE;
}

static const struct cli_option options[] = {
	OPTION(struct lint_opts, strict, "strict", 0, NULL,
		"Warnings are errors: for what isn't served yet, too."),
	OPTION(struct lint_opts, output, "output", 'o', "FORMAT", "text (default) or json.",
		.choices = outputs),
	OPTION(struct lint_opts, show_source, "show-source", 0, NULL,
		"Show the line and a caret also where output isn't a terminal."),
	{ 0 },
};

const struct command command_lint = {
	.name = "lint",
	.args = "FILE|DIR...",
	.summary = "Check manifests and say what is wrong where.",
	.examples = "  tidegate lint workflow.yaml\n"
		    "  tidegate lint --strict manifests/        # warnings are errors\n"
		    "  helm template . | tidegate lint -        # standard input\n"
		    "  tidegate lint --output json manifests/ | jq '.[].text'\n",
	.doc = "Reads YAML and JSON, several documents a file, folders with all below them. Names are resolved across "
		"everything that is given:\n"
	       "give the EventSources together with their Sensors, and templates with the workflows that use them.\n"
	       "Scripts, expressions, templates and regular expressions are compiled; jq programs too, by tidegate-jq, which must be installed.\n"
	       "Exit code 0: no errors (there may be warnings); 2: errors.",
	.options = options,
	.size = sizeof(struct lint_opts),
	.args_min = 1,
	.args_max = -1,
	.run = run,
};

#define FORM(id, nm, what) \
	const struct command id = { .name = nm, .args = "FILE|DIR...", .summary = "Check " what ", with all else that the files hold.", \
		.examples = "  tidegate " nm " templates/\n", .options = options, .size = sizeof(struct lint_opts), .args_min = 1, .args_max = -1, .run = run }
FORM(form_template_lint, "template lint", "WorkflowTemplates");
FORM(form_cluster_template_lint, "cluster-template lint", "ClusterWorkflowTemplates");
FORM(form_cron_lint, "cron lint", "CronWorkflows");
