/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate test: sensors and workflows against what is written down with what must come of it. Nothing is called, run or kept. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "cli/cases.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/test_case.h"
#include "cli/test_record.h"
#include "cli/test_report.h"
#include "config/config.h"
#include "core/log.h"
#include "core/val.h"

struct test_opts {
	struct cli_common common;
	const char *only;
	struct cli_texts record;
	const char *output;
	bool verbose;
};

static const char *const outputs[] = { "text", "json", "junit", NULL };

static bool
is_wanted(const struct test_opts *o, str name)
{
	return !o->only || str_find(name, str_c(o->only), 0) != SIZE_MAX;
}

/* ---- JSON lines ----------------------------------------------------------------------------------------------------------------- */

static void
run_line(const char *path, size_t line, str text, const struct test_opts *o, struct test_report *t)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val c;
	struct err e;
	const char *why = NULL;
	if (!str_trim(text).n)
		return;
	if (json_read(a, text, &c, &e) < 0)
		why = e.msg;
	str name = why ? S("no JSON") : val_get_str(&c, "name");
	if (!why && !is_wanted(o, name))
		return;
	if (!why)
		why = case_run(a, &c);
	report_case(t, path, line, name, why ? arena_fmt(a, "%s:%zu: %.*s: %s\n", path, line, STR_ARG(name), why) : S(""));
}

static int
run_lines(const char *path, const struct test_opts *o, struct test_report *t, struct err *e)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0, n = 0;
	if (!f)
		return err_errno(e, "reading %s", path);
	for (ssize_t got; (got = getline(&line, &cap, f)) > 0;)
		run_line(path, ++n, (str){ line, (size_t)got }, o, t);
	bool failed = ferror(f);
	free(line);
	fclose(f);
	return failed ? err_set(e, ERR_IO, "reading %s", path) : 0;
}

/* ---- test files ------------------------------------------------------------------------------------------------------------------ */

static void
run_case(const struct test_file *f, size_t i, const struct test_opts *o, struct test_report *t)
{
	struct buf out CLEANUP(free_buf) = { 0 };
	const struct test_case *c = &f->cases.p[i];
	if (!c->expect || !is_wanted(o, c->name))
		return;
	(void)test_case_run(f, i, &out); /* what it writes says whether it holds */
	report_case(t, f->path.p, c->src->line, c->name, buf_str(&out));
}

static int
run_cases(const char *path, const struct test_opts *o, struct test_report *t, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct test_file f;
	struct diags d;
	diags_init(&d);
	int rc = test_file_read(path, a, &f, &d, e);
	if (d.v.n)
		diags_print(&d, stderr, out_colors(stderr) && !o->common.no_color ? DIAG_COLOR : 0);
	for (size_t i = 0; rc == 0 && i < f.cases.n; i++)
		run_case(&f, i, o, t);
	if (rc == 0)
		test_file_free(&f);
	diags_free(&d);
	return rc;
}

/* ---- paths ----------------------------------------------------------------------------------------------------------------------- */

enum { FOLDER_DEPTH_MAX = 32 };

static int
run_file(const char *path, const struct test_opts *o, struct test_report *t, struct err *e)
{
	return str_ends(str_c(path), S(".jsonl")) ? run_lines(path, o, t, e) : run_cases(path, o, t, e);
}

static int run_path(const char *path, unsigned depth, const struct test_opts *o, struct test_report *t, struct err *e);

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Of a folder the files *.test.yaml and *.test.yml, and those of the folders in it; hidden ones are left out. */
static int
run_folder(const char *path, unsigned depth, const struct test_opts *o, struct test_report *t, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct dirent **list;
	int n = depth < FOLDER_DEPTH_MAX ? scandir(path, &list, NULL, by_name) : 0, rc = 0;
	if (n < 0)
		return err_errno(e, "reading %s", path);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name, *below = arena_fmt(a, "%s/%s", path, name).p;
		struct stat st;
		if (rc == 0 && name[0] != '.' && stat(below, &st) == 0 && (S_ISDIR(st.st_mode) || manifest_is_test(str_c(name))))
			rc = run_path(below, depth + 1, o, t, e);
		free(list[i]);
	}
	if (n > 0 || depth < FOLDER_DEPTH_MAX)
		free((void *)list);
	return rc;
}

static int
run_path(const char *path, unsigned depth, const struct test_opts *o, struct test_report *t, struct err *e)
{
	struct stat st;
	bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	return folder ? run_folder(path, depth, o, t, e) : run_file(path, o, t, e);
}

static int
run(const void *opts, char **args, int n)
{
	const struct test_opts *o = opts;
	struct test_report t = { .form = o->output ? o->output : "text", .verbose = o->verbose };
	struct err e;
	log_setup(LOG_ERROR + 1, LOG_LOGFMT); /* what went wrong is in the result of its case */
	if (o->record.n && o->output)
		return cli_usage(&command_test, "--record prints a test file: --output is for the results of tests");
	if (o->record.n)
		return test_record(&o->common, &o->record, args, n, &e) < 0 ? cli_fail(&e) : EXIT_DONE;
	for (int i = 0; i < n; i++)
		if (run_path(args[i], 0, o, &t, &e) < 0)
			return cli_fail(&e);
	report_end(&t, stdout);
	return t.hold == t.n ? EXIT_DONE : EXIT_FAILED;
}

static const struct cli_option options[] = {
	OPTION(struct test_opts, only, "only", 0, "TEXT", "Only the cases whose name has this text."),
	OPTION(struct test_opts, output, "output", 'o', "FORMAT", "text (a line as each thing differs), json, or junit (XML, for CI).", .choices = outputs),
	OPTION(struct test_opts, record, "record", 0, "ID", "Print a test file of this stored event and what FILE, manifests, makes of it; may be repeated."),
	OPTION(struct test_opts, verbose, "verbose", 'v', NULL, "Print the cases that hold, too."),
	{ 0 },
};

const struct command command_test = {
	.name = "test",
	.args = "FILE|DIR...",
	.summary = "Try sensors and workflows, without doing anything.",
	.examples = "  tidegate test sensor.test.yaml\n"
		    "  tidegate test manifests/                 # every *.test.yaml below it\n"
		    "  tidegate test --only 'main branch' -v sensor.test.yaml\n"
		    "  tidegate test -o junit manifests/ >results.xml\n"
		    "  tidegate test --record 019c0b2a8d2f7a64b1c1a5f3f0f0a4d1 sensor.yaml >sensor.test.yaml\n",
	.doc = "A YAML file has a case a document: manifests, events and when they come, and what must be fired, decided and made of it. With what steps\n"
	       "come to, the workflows are played, too. docs/testing-manifests.md shows how, docs/reference/test.md has every field.\n"
	       "Nothing is called, run or kept, and no daemon is asked.\n"
	       "FILE.jsonl has a case a line, as JSON: \"name\"; \"sensor\", the spec of a Sensor with one trigger; \"events\", each with \"dependency\",\n"
	       "\"context\" (id, source, type, subject; time and datacontenttype if they matter) and \"data\" or \"text\"; \"now\"; and\n"
	       "\"expect\": \"fires\", \"times\", \"error\" (null, or a regular expression that the reason matches), and \"parameters\", what is at paths of\n"
	       "the object or body that the last firing would have sent.\n"
	       "Prints a line for each thing that is not as expected, and how many cases hold. Exit code 0: all hold; 1: not all; 2: a file is wrong.",
	.options = options,
	.size = sizeof(struct test_opts),
	.args_min = 1,
	.args_max = -1,
	.run = run,
};
