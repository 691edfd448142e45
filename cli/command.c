/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line's framework: finds the command, turns its table into getopt_long's, stores the values, prints help.
 * getopt_long does the splitting (abbreviations, --name=value, clustered letters); the messages are ours, because its own
 * do not say what was probably meant.
 */
#include <errno.h>
#include <getopt.h>

#include "cli/command.h"
#include "core/diag.h"

#define COMMAND(id) &command_##id,
static const struct command *const commands[] = {
#include "cli/commands.def"
};
#undef COMMAND

static const struct cli_option common_options[] = {
	OPTION(struct cli_common, ns, "namespace", 'n', "NAME", "Namespace; else $ARGO_NAMESPACE, else \"default\"."),
	OPTION(struct cli_common, state, "state", 0, "DIR", "State directory of the daemon; else $TIDEGATE_STATE."),
	OPTION(struct cli_common, no_color, "no-color", 0, NULL, "No colours; so does $NO_COLOR."),
	OPTION(struct cli_common, help, "help", 'h', NULL, "This page."),
	{ 0 },
};

enum { OPTIONS_MAX = 64, LONG_BASE = 0x1000 };

/* All options of a command in one array: its own, then the common ones it does not define itself. */
static size_t
all_options(const struct command *c, const struct cli_option **out)
{
	size_t n = 0;
	for (const struct cli_option *o = c->options; o && o->name; o++)
		out[n++] = o;
	size_t own = n;
	for (const struct cli_option *o = common_options; o->name; o++) {
		bool taken = false;
		for (size_t i = 0; i < own; i++)
			taken |= strcmp(out[i]->name, o->name) == 0;
		if (!taken)
			out[n++] = o;
	}
	assert(n < OPTIONS_MAX);
	return n;
}

static int
unknown_option(const char *word, const struct cli_option *const *options, size_t n, struct err *e)
{
	const char *names[OPTIONS_MAX];
	for (size_t i = 0; i < n; i++)
		names[i] = options[i]->name;
	if (strncmp(word, "--", 2) != 0)
		return err_set(e, ERR_INVALID, "unknown option %s", word);
	str name = str_c(word + 2);
	name = str_cut(&name, '=');
	const char *near = diag_nearest(name, names, n);
	if (near)
		return err_set(e, ERR_INVALID, "unknown option --%.*s; did you mean --%s?", STR_ARG(name), near);
	return err_set(e, ERR_INVALID, "unknown option --%.*s", STR_ARG(name));
}

static int
check_choice(const struct cli_option *o, const char *value, struct err *e)
{
	struct buf list CLEANUP(free_buf) = { 0 };
	for (const char *const *ch = o->choices; *ch; ch++) {
		if (strcmp(*ch, value) == 0)
			return 0;
		buf_addf(&list, "%s%s", list.n ? ", " : "", *ch);
	}
	return err_set(e, ERR_INVALID, "--%s %s: must be one of %s", o->name, value, list.p);
}

/* --strict, or --strict=false as scripts for argo have it: the words that Go reads. */
static int
store_flag(const struct cli_option *o, const char *value, bool *out, struct err *e)
{
	static const char *const yes[] = { "true", "True", "TRUE", "t", "T", "1" },
				 *const no[] = { "false", "False", "FALSE", "f", "F", "0" };
	*out = true;
	if (!value)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		*out = strcmp(value, yes[i]) == 0;
		if (*out || strcmp(value, no[i]) == 0)
			return 0;
	}
	return err_set(e, ERR_INVALID, "--%s=%s: must be true or false", o->name, value);
}

static int
store_option(const struct cli_option *o, const char *value, struct arena *a, char *opts, struct err *e)
{
	void *place = opts + o->offset;
	if (o->choices && value && check_choice(o, value, e))
		return -1;
	switch (o->kind) {
	case CLI_FLAG:
		return store_flag(o, value, place, e);
	case CLI_TEXT:
		*(const char **)place = value;
		return 0;
	case CLI_TEXTS: {
		struct cli_texts *t = place;
		const char **grown = ARENA_ARRAY(a, const char *, t->n + 1);
		if (t->n)
			memcpy(grown, t->p, t->n * sizeof *grown);
		grown[t->n] = value;
		*t = (struct cli_texts){ grown, t->n + 1 };
		return 0;
	}
	case CLI_INT: {
		struct cli_int *i = place;
		i->set = true;
		if (!str_to_i64(str_c(value), &i->v))
			return err_set(e, ERR_INVALID, "--%s %s: must be a whole number", o->name, value);
		return 0;
	}
	}
	return 0;
}

static int
check_args(const struct command *c, int n, struct err *e)
{
	if (n < c->args_min)
		return err_set(e, ERR_INVALID, "%s: %s is missing", c->name, c->args);
	if (c->args_max >= 0 && n > c->args_max)
		return err_set(e, ERR_INVALID, "%s: too many arguments", c->name);
	return 0;
}

static int
needs(const struct cli_option *o)
{
	return o->kind == CLI_FLAG || o->bare ? optional_argument : required_argument;
}

/* What getopt_long takes for an option's value, or the number behind one that may stand alone. */
static const char *
value_of(const struct cli_option *o, int argc, char **argv)
{
	int64_t number;
	if (optarg || !o->bare)
		return optarg;
	return optind < argc && str_to_i64(str_c(argv[optind]), &number) ? argv[optind++] : o->bare;
}

int
cli_parse(const struct command *c, int argc, char **argv, struct arena *a, void *opts, char ***args, int *args_n, struct err *e)
{
	const struct cli_option *options[OPTIONS_MAX];
	struct option longs[OPTIONS_MAX + 1] = { 0 };
	char shorts[2 * OPTIONS_MAX + 2] = ":";
	size_t n = all_options(c, options), s = 1;
	for (size_t i = 0; i < n; i++) {
		bool with_value = options[i]->kind != CLI_FLAG;
		longs[i] = (struct option){ options[i]->name, needs(options[i]), NULL, LONG_BASE + (int)i };
		if (!options[i]->letter)
			continue;
		shorts[s++] = options[i]->letter;
		if (with_value)
			shorts[s++] = ':';
	}
	opterr = 0;
	optind = 0; /* glibc: start over, also where another parse was under way */
	for (int got; (got = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
		const struct cli_option *o = NULL;
		for (size_t i = 0; i < n; i++)
			if (got == LONG_BASE + (int)i || (options[i]->letter && got == options[i]->letter))
				o = options[i];
		if (got == ':')
			return err_set(e, ERR_INVALID, "option %s needs a value", argv[optind - 1]);
		if (!o) {
			char letter[3] = { '-', (char)optopt, 0 };
			bool is_letter = optopt && optopt < LONG_BASE;
			return unknown_option(is_letter ? letter : argv[optind - 1], options, n, e);
		}
		if (store_option(o, value_of(o, argc, argv), a, opts, e))
			return -1;
	}
	*args = argv + optind;
	*args_n = argc - optind;
	struct cli_common *common = opts;
	if (!common->ns)
		common->ns = getenv("ARGO_NAMESPACE");
	return common->help ? 0 : check_args(c, *args_n, e);
}

/* ---- help --------------------------------------------------------------------------------------------------- */

static void
option_line(const struct cli_option *o, FILE *f)
{
	struct buf left CLEANUP(free_buf) = { 0 };
	if (o->letter)
		buf_addf(&left, "-%c, ", o->letter);
	else
		buf_addf(&left, "    ");
	buf_addf(&left, "--%s", o->name);
	if (o->arg)
		buf_addf(&left, " %s", o->arg);
	fprintf(f, "  %-30s %s%s\n", left.p, left.n > 30 ? "\n                                 " : "", o->doc);
}

/* The last word of a name: "get" of "template get". */
static const char *
last_word(const struct command *c)
{
	const char *space = strrchr(c->name, ' ');
	return space ? space + 1 : c->name;
}

static void
group_help(const struct command *c, FILE *f)
{
	fprintf(f, "%s\n\nExamples:\n%s\nUsage: tidegate %s FORM [OPTION...] [ARGUMENT...]\n\nForms:\n", c->summary, c->examples, c->name);
	for (size_t i = 0; c->group[i]; i++)
		fprintf(f, "  %-12s %s\n", last_word(c->group[i]), c->group[i]->summary);
	fprintf(f, "\nOptions:\n  -h, --help                     This page; `tidegate %s FORM --help` tells more.\n", c->name);
}

void
cli_help(const struct command *c, FILE *f)
{
	if (c->group) {
		group_help(c, f);
		return;
	}
	const struct cli_option *options[OPTIONS_MAX];
	size_t n = all_options(c, options);
	fprintf(f, "%s\n\nExamples:\n%s\nUsage: tidegate %s [OPTION...]%s%s\n\nOptions:\n", c->summary, c->examples, c->name,
	        *c->args ? " " : "", c->args);
	for (size_t i = 0; i < n; i++)
		option_line(options[i], f);
	if (c->doc)
		fprintf(f, "\n%s\n", c->doc);
}

static void
overview(FILE *f)
{
	fputs("Tidegate starts workflows when something happens.\n\n"
	      "Examples:\n"
	      "  tidegate run examples/hello.yaml        run a workflow here and now\n"
	      "  tidegate serve manifests/               serve event sources, sensors and workflows\n"
	      "  tidegate events                         what came in, and what became of it\n"
	      "\nUsage: tidegate COMMAND [OPTION...] [ARGUMENT...]\n\nCommands:\n", f);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(f, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n`tidegate COMMAND --help` tells more.\n", f);
}

/* ---- errors ------------------------------------------------------------------------------------------------- */

int
cli_fail(const struct err *e)
{
	fprintf(stderr, "tidegate: %s\n", e->msg);
	return err_exit_code(e->code);
}

int
cli_usage(const struct command *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("tidegate: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (c)
		fprintf(stderr, "\nsee `tidegate %s --help`\n", c->name);
	else
		fputs("\nsee `tidegate --help`\n", stderr);
	return EXIT_USAGE;
}

bool
cli_pair(const char *text, str *key, str *value)
{
	str rest = str_c(text);
	if (str_find_char(rest, '=', 0) == SIZE_MAX)
		return false;
	*key = str_cut(&rest, '=');
	*value = rest;
	return key->n > 0;
}

/* ---- dispatch ----------------------------------------------------------------------------------------------- */

static bool
is_called(const struct command *c, const char *name)
{
	for (size_t i = 0; c->aliases && c->aliases[i]; i++)
		if (strcmp(c->aliases[i], name) == 0)
			return true;
	return strcmp(c->name, name) == 0;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (is_called(commands[i], name))
			return commands[i];
	return NULL;
}

/* The command of a group that a word means; NULL after saying what there is. */
static const struct command *
find_in_group(const struct command *c, const char *word)
{
	VEC(const char *) names = { 0 };
	const struct command *found = NULL;
	for (size_t i = 0; c->group[i] && !found; i++) {
		*VEC_PUSH(&names) = last_word(c->group[i]);
		if (word && strcmp(last_word(c->group[i]), word) == 0)
			found = c->group[i];
	}
	const char *near = word && !found ? diag_nearest(str_c(word), names.p, names.n) : NULL;
	if (!found && near)
		cli_usage(c, "%s: no form \"%s\"; did you mean \"%s\"?", c->name, word, near);
	else if (!found)
		cli_usage(c, word ? "%s: no form \"%s\"" : "%s: which form?", c->name, word);
	VEC_FREE(&names);
	return found;
}


static int
no_such_command(const char *word)
{
	const char *names[ARRAY_LEN(commands)];
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		names[i] = commands[i]->name;
	const char *near = diag_nearest(str_c(word), names, ARRAY_LEN(commands));
	if (near)
		return cli_usage(NULL, "no command \"%s\"; did you mean \"%s\"?", word, near);
	return cli_usage(NULL, "no command \"%s\"", word);
}

static int run_command(const struct command *c, int argc, char **argv);

static int
run_group(const struct command *c, int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		group_help(c, stdout);
		return EXIT_DONE;
	}
	const struct command *form = find_in_group(c, argc > 1 ? argv[1] : NULL);
	return form ? run_command(form, argc - 1, argv + 1) : EXIT_USAGE;
}

static int
run_command(const struct command *c, int argc, char **argv)
{
	if (c->group)
		return run_group(c, argc, argv);
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct err e = { 0 };
	char **args;
	int n;
	assert(c->size >= sizeof(struct cli_common));
	void *opts = arena_alloc(a, c->size, _Alignof(max_align_t));
	if (cli_parse(c, argc, argv, a, opts, &args, &n, &e))
		return cli_usage(c, "%s", e.msg);
	const struct cli_common *common = opts;
	if (common->help) {
		cli_help(c, stdout);
		return EXIT_DONE;
	}
	/* One switch for all that prints, the libraries below included. */
	if (common->no_color)
		setenv("NO_COLOR", "1", 1);
	return c->run(opts, args, n);
}

/* Output that could not be written is a failure, not a success nobody saw. */
static int
close_output(int code)
{
	if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE && code == EXIT_DONE) {
		struct err e;
		(void)err_errno(&e, "writing to standard output");
		return cli_fail(&e);
	}
	return code;
}

int
cli_main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	if (!word) {
		overview(stderr);
		return EXIT_USAGE;
	}
	bool help = strcmp(word, "help") == 0;
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || (help && argc == 2)) {
		overview(stdout);
		return EXIT_DONE;
	}
	if (strcmp(word, "--version") == 0)
		word = "version";
	const struct command *c = find_command(help ? argv[2] : word);
	if (!c)
		return no_such_command(help ? argv[2] : word);
	if (help && c->group && argc > 3) {
		c = find_in_group(c, argv[3]);
		if (!c)
			return EXIT_USAGE;
	}
	if (help) {
		cli_help(c, stdout);
		return EXIT_DONE;
	}
	return close_output(run_command(c, argc - 1, argv + 1));
}
