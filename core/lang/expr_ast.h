/* SPDX-License-Identifier: Apache-2.0 */
/* expr_ast: the tree between expr_parse.c and expr_eval.c, and what expr_builtin.c needs of them. */
#ifndef TIDEGATE_CORE_LANG_EXPR_AST_H
#define TIDEGATE_CORE_LANG_EXPR_AST_H

#include "core/lang/expr.h"
#include "core/lang/regex.h"

enum node_kind {
	NODE_CONST,   /* value */
	NODE_NAME,    /* name: variable, else member of the environment */
	NODE_ENV,     /* $env */
	NODE_POINTER, /* name: "" the element, "index", "acc" */
	NODE_UNARY,   /* op a */
	NODE_BINARY,  /* a op b */
	NODE_AND,
	NODE_OR,
	NODE_COALESCE,
	NODE_COND,    /* a ? b : c */
	NODE_MEMBER,  /* a[b]; optional: nil cuts the chain */
	NODE_CHAIN,   /* a; nil if something in it was cut */
	NODE_SLICE,   /* a[b:c]; b, c may be NULL */
	NODE_LIST,    /* items */
	NODE_MAP,     /* items: key, value, key, value, ... */
	NODE_LET,     /* name = a; b */
	NODE_SEQUENCE, /* items; the last one counts */
	NODE_CALL,    /* function or builtin, items */
	NODE_METHOD,  /* a.name(items): of times and durations; optional: nil cuts the chain */
};
enum op {
	OP_NONE, OP_NOT, OP_NEGATE, OP_PLUS,
	OP_EQ, OP_NE, OP_LT, OP_GT, OP_LE, OP_GE,
	OP_IN, OP_MATCHES, OP_CONTAINS, OP_STARTS, OP_ENDS,
	OP_RANGE, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD, OP_POW,
	/* only while reading */
	OP_OR, OP_AND, OP_COALESCE, OP_PIPE,
};

struct builtin;
struct node {
	enum node_kind kind;
	enum op op;
	bool optional;
	unsigned depth;
	uint32_t at; /* offset in the text */
	str name;
	struct val value;
	const struct node *a, *b, *c;
	const struct node **items;
	size_t n;
	const struct builtin *builtin;
	const struct expr_function *function;
	struct regex *regex; /* of NODE_BINARY matches with a constant pattern */
};

struct expr {
	struct arena *arena;
	str text;
	unsigned flags;
	void *arg;
	const struct node *root;
	VEC(struct regex *) regexes;
	const struct expr_name *names; /* NULL until somebody asks */
	size_t names_n;
};

/* ---- evaluation ----------------------------------------------------------------------------------------------- */

/* A variable. */
struct binding {
	str name;
	struct val value;
	const struct binding *outer;
};
/* What # stands for. */
struct closure {
	struct val element, acc;
	int64_t index;
	const struct closure *outer;
};
struct eval {
	const struct expr *x;
	struct arena *arena;
	const struct val *env;
	const struct binding *vars;
	const struct closure *closure;
	uint64_t steps;
	size_t bytes;
	const struct node *at; /* for messages */
	int64_t now; /* ns since the epoch */
	uint64_t random;
	struct err *e;
};

/* 0; -1 with ev->e set; EVAL_CUT: an optional member was nil, on to the NODE_CHAIN. */
enum { EVAL_CUT = 1 };
int eval_node(struct eval *ev, const struct node *n, struct val *out);
/* -1, with the place of ev->at. */
int eval_fail(struct eval *ev, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Accounts for bytes and steps; -1 when the evaluation has had its share. */
int eval_spend(struct eval *ev, size_t bytes);
/* A copy of the items as a list value. */
int eval_list(struct eval *ev, const struct val *items, size_t n, struct val *out);

/*
 * Go's other types over int, in val.pad: a time is its seconds, with nanoseconds in .n and the zone in .line (expr_time.c); a duration
 * is its nanoseconds; a location is a zone. None of them is a number to the operators.
 */
enum { EXPR_TIME = 0x100, EXPR_DURATION, EXPR_MONTH, EXPR_WEEKDAY, EXPR_LOCATION };

struct number {
	bool is_int;
	int64_t i;
	double f; /* always set */
};
bool value_number(const struct val *v, struct number *out);
const char *value_kind(const struct val *v); /* "nil", "int", "float", "string", "bool", "array", "map" */
struct val value_of(const struct number *n);
/* <0, 0, >0 in *out; false if the two cannot be compared. */
bool value_compare(const struct val *a, const struct val *b, int *out);
int value_add(struct eval *ev, const struct val *a, const struct val *b, struct val *out);
/* One JSON value as Go reads it: numbers are floats. Bytes are the caller's to account for. */
int expr_read_json(struct arena *a, str text, struct val *out, struct err *e) MUST_CHECK;
/* json_write_opts for values that may hold times. */
void expr_write_json(struct buf *b, const struct val *v, unsigned opts);
/* Whether what it is stands in the text: then Go's compiler knows its type. */
static inline bool
eval_written(const struct node *n)
{
	return n->kind == NODE_CONST || n->kind == NODE_LIST || n->kind == NODE_MAP ||
		(n->kind == NODE_UNARY && n->a->kind == NODE_CONST);
}
int value_fetch(struct eval *ev, const struct val *from, const struct val *index, struct val *out);


/* ---- times (expr_time.c, expr_method.c) ------------------------------------------------------------------------ */

struct val time_make(int64_t sec, int64_t nsec, uint32_t zone); /* nsec may be any number */
struct val time_from_ns(int64_t ns);                            /* since the epoch, in UTC */
static inline struct val
time_special(int64_t i, uint32_t type)
{
	struct val v = val_int(i);
	v.pad = type;
	return v;
}
/* The zone's offset at that instant, and what it is called then. */
int32_t time_offset(const struct val *v, str *abbr);
/* Time.Format(layout). */
void time_format(struct buf *b, const struct val *v, str layout);
/* The code of a zone by name; -1: unknown. */
int time_zone(str name, uint32_t *out);
str time_zone_name(uint32_t zone);
/* Whether one of the two is such a value, and then the operator's result, or -1 if it has none. */
bool time_binary(struct eval *ev, enum op op, const struct val *a, const struct val *b, struct val *out, int *rc);
/* <0, 0, >0; false if the two are not of one of these types. */
bool time_compare(const struct val *a, const struct val *b, int *out);
/* %v, or for JSON; false: no such value. */
bool time_print(struct buf *b, const struct val *v);
bool time_json(struct buf *b, const struct val *v);
const char *time_type(const struct val *v); /* "time.Time", ...; NULL: no such value */
int time_method(struct eval *ev, const struct node *n, const struct val *self, const struct val *args, size_t args_n, struct val *out);

#endif
