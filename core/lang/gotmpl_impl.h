/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of gotmpl share: the tree, a run, the function table, and how Go's values lie in a struct val. */
#ifndef TIDEGATE_CORE_LANG_GOTMPL_IMPL_H
#define TIDEGATE_CORE_LANG_GOTMPL_IMPL_H

#include "core/lang/gotime.h"
#include "core/lang/gotmpl.h"

/*
 * Go's type where the kind alone does not say it, in val.pad. Numbers of the input are VAL_NUM and count as float64.
 * A map that `set` can change is a box: its `members` point to a struct val that holds the map of the moment, so that all
 * copies of the value see the change, as they do in Go.
 */
enum { GO_PLAIN, GO_INT64, GO_TIME /* VAL_INT, ns */, GO_STRINGS /* []string */, GO_STRING_MAP /* map[string]string */, GO_BOX,
       GO_MISSING /* VAL_NULL that no map had: its members are missing too, where those of a null are an error */ };
#define GO_CONSTANT 0x10u /* val.flags: written in the template, so 2.0 may serve as an int */

/* ---- the tree (gotmpl_parse.c) ----------------------------------------------------------------------------------------- */

enum term_kind { TERM_DOT, TERM_VAR, TERM_CONST, TERM_CALL, TERM_PIPE };
struct gofn;
struct pipe;
struct term {
	enum term_kind kind;
	uint32_t line;
	str name;                /* VAR: "$x"; CALL: the function */
	struct val value;        /* CONST */
	const struct gofn *fn;   /* CALL */
	struct pipe *pipe;       /* PIPE */
	str *fields;             /* .a.b behind it */
	size_t fields_n;
};
struct command {
	struct term *terms;
	size_t n;
};
struct pipe {
	uint32_t line;
	str vars[2];             /* "$x", or "$i", "$v" of a range */
	size_t vars_n;
	bool assign;             /* "=": the variable is there already */
	struct command *commands;
	size_t n;
};
enum node_kind { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_WITH, NODE_RANGE, NODE_TEMPLATE, NODE_BREAK, NODE_CONTINUE };
struct node {
	enum node_kind kind;
	uint32_t line;
	str text;                /* TEXT; TEMPLATE: its name */
	struct pipe *pipe;       /* NULL: template without an argument */
	struct node *body, *otherwise, *next;
};
struct defined {
	str name;
	struct node *body;
	struct defined *next;
};
struct gotmpl {
	struct node *body;
	struct defined *defined;
};

/* ---- a run (gotmpl_exec.c) ------------------------------------------------------------------------------------------------ */

struct variable {
	str name;
	struct val value;
};
struct run {
	const struct gotmpl *t;
	struct arena *a;
	struct err *e;
	struct buf out;
	VEC(struct variable) vars;
	size_t steps, made; /* bytes that functions made */
	unsigned depth;
	int64_t now;
	uint64_t *random; /* state of the sequence; NULL: every draw is new */
	uint32_t line;
	enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;
};

/* Sets the run's error, "template: LINE: ...". Always false. */
bool go_fail(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Charges `n` bytes that a function makes. False when the budget is spent. */
bool go_charge(struct run *r, size_t n);
/* The buffer's bytes as a string value, charged; frees the buffer. */
bool go_made(struct run *r, struct buf *b, struct val *out);
bool go_fits(struct run *r, const struct buf *b); /* the same check for a buffer that still grows */

/* A value as Go sees it: numbers of the input as float64, boxes opened. */
struct val go_norm(const struct val *v);
/* The same for everything below it. */
struct val go_plain(struct run *r, const struct val *v);
bool go_truth(const struct val *v);
/* "string", "int64", "[]interface {}", ... and "<nil>" */
const char *go_type(const struct val *v);
const char *go_kind(const struct val *v);
struct val go_item(const struct val *list, size_t i);

/* ---- printing (gotmpl_print.c) ----------------------------------------------------------------------------------------------- */

/* %v */
void go_print(struct buf *b, const struct val *v);
str go_string(struct run *r, const struct val *v);
bool go_printf(struct run *r, str format, const struct val *args, size_t n, struct buf *b);

/* ---- functions ------------------------------------------------------------------------------------------------------------------ */

/*
 * A row: `args` has a letter for each parameter: s string, i int, b bool, f float64, m map, a anything; a '*' behind the last one
 * repeats it. fn NULL: refused, `why` says what it would need.
 */
struct gofn {
	const char *name, *args;
	bool (*fn)(struct run *r, const struct val *v, size_t n, struct val *out);
	const char *why;
};
const struct gofn *go_find_function(str name);
/* Calls it after a look at the arguments, which it may change. */
bool go_call(struct run *r, const struct gofn *f, struct val *args, size_t n, struct val *out);
/* The rows by subject; each table ends with a row without a name. */
extern const struct gofn go_builtins[], sprig_strings[], sprig_regex[], sprig_numbers[], sprig_lists[], sprig_dicts[], sprig_dates[], sprig_others[], sprig_semver[];
/* All function names, for documentation and tests: number of rows served and refused. */
void go_count_functions(size_t *served, size_t *refused);

#endif
