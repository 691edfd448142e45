/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: the command line as tables. A command is one `struct command` with a table of options; from it come parsing
 * (getopt_long underneath), --help with its examples first, and errors that say what was probably meant.
 *
 * Results go to standard output, everything said about them to standard error. Exit codes: 0 done, 1 a workflow failed,
 * 2 the call or a manifest is wrong, and those of err_exit_code for the rest.
 */
#ifndef TIDEGATE_CLI_COMMAND_H
#define TIDEGATE_CLI_COMMAND_H

#include "core/base.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NEGATIVE = 3 };

/* A repeatable option's values, in the order given. Points into argv. */
struct cli_texts {
	const char **p;
	size_t n;
};
/* An integer option; `set` tells 0 from absent. */
struct cli_int {
	bool set;
	int64_t v;
};

enum cli_kind { CLI_FLAG, CLI_TEXT, CLI_TEXTS, CLI_INT };

struct cli_option {
	const char *name;           /* long name; NULL ends a table */
	char letter;                /* short name, or 0 */
	enum cli_kind kind;
	size_t offset;
	const char *arg;            /* what --help calls the value */
	const char *const *choices; /* NULL-ended: nothing else is accepted */
	const char *doc;
	const char *bare;           /* what it means without a value, which it then need not have; NULL: it must. As a word of
				     * its own only a number is one. */
};

#define CLI_KIND_OF(T, m) _Generic(((T *)0)->m, bool: CLI_FLAG, const char *: CLI_TEXT, struct cli_texts: CLI_TEXTS, struct cli_int: CLI_INT)
/* OPTION(struct, member, "name", 'n', "VALUE", "what it does", .choices = ...); the kind follows from the member's type. */
#define OPTION(T, m, nm, l, ar, dc, ...) \
	{ .name = nm, .letter = l, .kind = CLI_KIND_OF(T, m), .offset = offsetof(T, m), .arg = ar, .doc = dc, __VA_ARGS__ }

/* What every command understands. The options struct of a command begins with it. */
struct cli_common {
	bool help, no_color;
	const char *ns;    /* --namespace, else ARGO_NAMESPACE; may be NULL */
	const char *state; /* --state; may be NULL */
};

struct command {
	const char *name;
	const char *args;     /* "[MANIFEST|DIR...]"; "" if there are none */
	const char *summary;  /* one line for the overview */
	const char *examples; /* lines, shown first */
	const char *doc;      /* a paragraph behind the options, or NULL */
	const struct cli_option *options;
	size_t size;          /* of the struct that `options` fill; it begins with struct cli_common */
	int args_min, args_max; /* args_max -1: any number */
	/* `opts` is that struct; `args` are the n words that are no options. Returns the exit code. */
	int (*run)(const void *opts, char **args, int n);
	/* A group instead: `template get`. Its commands are called "template get"; what they have in common is their own business. */
	const struct command *const *group; /* NULL-ended */
	const char *const *aliases;         /* NULL-ended; may be NULL */
};

#define COMMAND(id) extern const struct command command_##id;
#include "cli/commands.def"
#undef COMMAND

/* The whole program behind main(). */
int cli_main(int argc, char **argv);

/* "tidegate: <message>" on standard error; returns the exit code that belongs to the error. */
int cli_fail(const struct err *e);
/* The same for a wrong call: adds where to find help. Returns EXIT_USAGE. */
int cli_usage(const struct command *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "k=v" into its parts; false if there is no '='. */
bool cli_pair(const char *text, str *key, str *value);

/*
 * Parses argv[1..] (argv[0] is the command's name) into `opts` (c->size bytes, zeroed) and leaves the other words in
 * *args. Repeated options are kept in `a`. ERR_INVALID says what is wrong and what was probably meant.
 */
int cli_parse(const struct command *c, int argc, char **argv, struct arena *a, void *opts, char ***args, int *args_n,
              struct err *e) MUST_CHECK;
/* The page of --help. */
void cli_help(const struct command *c, FILE *f);

#endif
