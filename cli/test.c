/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate test: sensors against events that are written down with what must come of them. Nothing is called and nothing kept. */
#include <errno.h>

#include "cli/cases.h"
#include "cli/command.h"
#include "core/log.h"
#include "core/val.h"

struct test_opts {
	struct cli_common common;
	const char *only;
	bool verbose;
};

struct tally {
	size_t n, hold;
};

static void
run_line(const char *path, size_t line, str text, const struct test_opts *o, struct tally *t)
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
	if (o->only && !why && str_find(name, str_c(o->only), 0) == SIZE_MAX)
		return;
	if (!why)
		why = case_run(a, &c);
	t->n++;
	t->hold += !why;
	if (why)
		printf("%s:%zu: %.*s: %s\n", path, line, STR_ARG(name), why);
	else if (o->verbose)
		printf("%s:%zu: %.*s: holds\n", path, line, STR_ARG(name));
}

static int
run_file(const char *path, const struct test_opts *o, struct tally *t, struct err *e)
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

static int
run(const void *opts, char **args, int n)
{
	const struct test_opts *o = opts;
	struct tally t = { 0 };
	struct err e;
	log_setup(LOG_ERROR + 1, LOG_LOGFMT); /* what went wrong is in the result of its case */
	for (int i = 0; i < n; i++)
		if (run_file(args[i], o, &t, &e) < 0)
			return cli_fail(&e);
	printf("%zu of %zu hold\n", t.hold, t.n);
	return t.hold == t.n ? EXIT_DONE : EXIT_FAILED;
}

static const struct cli_option options[] = {
	OPTION(struct test_opts, only, "only", 0, "TEXT", "Only the cases whose name has this text."),
	OPTION(struct test_opts, verbose, "verbose", 'v', NULL, "Print the cases that hold, too."),
	{ 0 },
};

const struct command command_test = {
	.name = "test",
	.args = "FILE...",
	.summary = "Try sensors against events, without doing anything.",
	.examples = "  tidegate test sensors.jsonl\n"
		    "  tidegate test --only 'main branch' -v sensors.jsonl\n",
	.doc = "A file has one case a line, as JSON: \"name\"; \"sensor\", the spec of a Sensor with one trigger; \"events\", each with \"dependency\",\n"
	       "\"context\" (id, source, type, subject; time and datacontenttype if they matter) and \"data\" or \"text\"; \"now\"; and\n"
	       "\"expect\": \"fires\", \"times\", \"error\" (null, or a regular expression that the reason matches), and \"parameters\", what is at paths of\n"
	       "the object or body that the last firing would have sent. Prints a line for each case that does not hold, and how many do.\n"
	       "Exit code 0: all hold; 1: not all.",
	.options = options,
	.size = sizeof(struct test_opts),
	.args_min = 1,
	.args_max = -1,
	.run = run,
};
