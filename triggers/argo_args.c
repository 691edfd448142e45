/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/argo_args.h"

/* ---- the table ---------------------------------------------------------------------------------------------------------- */

#define IN(op) (1u << ARGO_##op)
#define SUBMITS (IN(SUBMIT) | IN(SUBMIT_FROM))
#define BY_NAME (IN(RESUBMIT) | IN(RESUME) | IN(RETRY) | IN(SUSPEND) | IN(TERMINATE) | IN(STOP))
#define ALL (SUBMITS | BY_NAME)

enum flag_kind {
	FLAG_TEXT,   /* str */
	FLAG_NUMBER, /* int64_t; sets has_priority */
	FLAG_BOOL,   /* bool */
	FLAG_PAIR,   /* kvs: one name=value each time */
	FLAG_PAIRS,  /* kvs: name=value,name=value */
	FLAG_SHOWS,  /* no effect; takes a value */
	FLAG_SHOWS_BOOL,
	FLAG_NOT,    /* refused */
};

static const struct flag {
	const char *name;
	char letter;
	enum flag_kind kind;
	unsigned in;
	size_t offset;
	const char *instead;
} flags[] = {
#define SET(m) offsetof(struct argo_args, m)
	{ "parameter", 'p', FLAG_PAIR, SUBMITS | IN(RESUBMIT) | IN(RETRY), SET(parameters), NULL },
	{ "name", 0, FLAG_TEXT, SUBMITS, SET(name), NULL },
	{ "generate-name", 0, FLAG_TEXT, SUBMITS, SET(generate_name), NULL },
	{ "entrypoint", 0, FLAG_TEXT, SUBMITS, SET(entrypoint), NULL },
	{ "serviceaccount", 0, FLAG_TEXT, SUBMITS, SET(service_account), NULL },
	{ "labels", 'l', FLAG_PAIRS, SUBMITS, SET(labels), NULL },
	{ "annotations", 0, FLAG_PAIRS, SUBMITS, SET(annotations), NULL },
	{ "priority", 0, FLAG_NUMBER, SUBMITS | IN(RESUBMIT), SET(priority), NULL },
	{ "dry-run", 0, FLAG_BOOL, SUBMITS, SET(dry_run), NULL },
	{ "server-dry-run", 0, FLAG_BOOL, SUBMITS, SET(dry_run), NULL },
	{ "memoized", 0, FLAG_BOOL, IN(RESUBMIT), SET(memoized), NULL },
	{ "exact", 0, FLAG_BOOL, IN(RESUBMIT), SET(exact), NULL },
	{ "restart-successful", 0, FLAG_BOOL, IN(RETRY), SET(restart_successful), NULL },
	{ "node-field-selector", 0, FLAG_TEXT, IN(RESUME) | IN(RETRY) | IN(STOP), SET(node_field_selector), NULL },
	{ "output-parameter", 0, FLAG_PAIR, IN(RESUME), SET(output_parameters), NULL },
	{ "message", 0, FLAG_TEXT, IN(STOP), SET(message), NULL },
	{ "namespace", 'n', FLAG_TEXT, ALL, SET(ns), NULL },
#undef SET
	{ "output", 'o', FLAG_SHOWS, ALL, 0, NULL },
	{ "loglevel", 0, FLAG_SHOWS, ALL, 0, NULL },
	{ "gloglevel", 0, FLAG_SHOWS, ALL, 0, NULL },
	{ "log-format", 0, FLAG_SHOWS, ALL, 0, NULL },
	{ "verbose", 'v', FLAG_SHOWS_BOOL, ALL, 0, NULL },
	{ "strict", 0, FLAG_SHOWS_BOOL, SUBMITS, 0, NULL },
	{ "status", 0, FLAG_SHOWS, SUBMITS, 0, NULL },
	{ "node-field-selector", 0, FLAG_SHOWS, SUBMITS, 0, NULL },
	{ "no-color", 0, FLAG_SHOWS_BOOL, ALL, 0, NULL },
	{ "no-utf8", 0, FLAG_SHOWS_BOOL, ALL, 0, NULL },
	{ "wait", 'w', FLAG_NOT, SUBMITS | IN(RESUBMIT) | IN(RETRY), 0, "the trigger's policy.k8s waits for labels, such as workflows.argoproj.io/phase: Succeeded" },
	{ "watch", 0, FLAG_NOT, SUBMITS | IN(RESUBMIT) | IN(RETRY), 0, "the trigger's policy.k8s waits for labels, such as workflows.argoproj.io/phase: Succeeded" },
	{ "log", 0, FLAG_NOT, SUBMITS | IN(RESUBMIT) | IN(RETRY), 0, "the trigger's policy.k8s waits for labels; logs are kept and shown by `tidegate logs`" },
	{ "parameter-file", 'f', FLAG_NOT, SUBMITS, 0, "give the parameters by -p, or by the trigger's parameters" },
	{ "scheduled-time", 0, FLAG_NOT, SUBMITS, 0, "give it as the annotation workflows.argoproj.io/scheduled-time" },
	{ "from", 0, FLAG_NOT, SUBMITS, 0, "write operation: submit-from, and the template as the source" },
	{ "selector", 'l', FLAG_NOT, BY_NAME, 0, "a trigger works on the one workflow that the source names" },
	{ "field-selector", 0, FLAG_NOT, BY_NAME, 0, "a trigger works on the one workflow that the source names" },
	{ "dry-run", 0, FLAG_NOT, IN(TERMINATE) | IN(STOP), 0, "leave the trigger out instead" },
	{ "kubeconfig", 0, FLAG_NOT, ALL, 0, "there is one engine: that of this daemon" },
	{ "context", 0, FLAG_NOT, ALL, 0, "there is one engine: that of this daemon" },
	{ "argo-server", 's', FLAG_NOT, ALL, 0, "there is one engine: that of this daemon" },
	{ "server", 0, FLAG_NOT, ALL, 0, "there is one engine: that of this daemon" },
	{ "token", 0, FLAG_NOT, ALL, 0, "there is one engine: that of this daemon" },
	{ "instanceid", 0, FLAG_NOT, ALL, 0, "there is one engine: that of this daemon" },
};

static const char *const operations[] = { [ARGO_SUBMIT] = "submit", [ARGO_SUBMIT_FROM] = "submit-from", [ARGO_RESUBMIT] = "resubmit",
	[ARGO_RESUME] = "resume", [ARGO_RETRY] = "retry", [ARGO_SUSPEND] = "suspend", [ARGO_TERMINATE] = "terminate", [ARGO_STOP] = "stop" };

int
argo_operation(str name)
{
	if (!name.n)
		return ARGO_SUBMIT;
	for (size_t i = 0; i < ARRAY_LEN(operations); i++)
		if (str_eq(name, str_c(operations[i])))
			return (int)i;
	return -1;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

struct reader {
	enum argo_operation op;
	const struct strs *args;
	size_t at;
	struct arena *a;
	struct argo_args *out;
};

static bool
takes_value(const struct flag *f)
{
	return f->kind != FLAG_BOOL && f->kind != FLAG_SHOWS_BOOL;
}

static const struct flag *
find(const struct reader *r, str name, char letter)
{
	const struct flag *elsewhere = NULL;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (letter ? flags[i].letter != letter : !str_eq(name, str_c(flags[i].name)))
			continue;
		if (flags[i].in & 1u << r->op)
			return &flags[i];
		elsewhere = &flags[i];
	}
	return elsewhere;
}

static void
add_pair(struct reader *r, struct kvs *to, str name, str value)
{
	struct kv *p = ARENA_ARRAY(r->a, struct kv, to->n + 1);
	if (to->n)
		memcpy(p, to->p, to->n * sizeof *p);
	p[to->n] = (struct kv){ name, value };
	*to = (struct kvs){ p, to->n + 1 };
}

/* One that comes again takes the place of the first, as in a map. */
static int
put_pair(struct reader *r, const struct flag *f, struct kvs *to, str text, struct err *e)
{
	size_t sep = str_find_char(text, '=', 0);
	if (sep == SIZE_MAX || sep == 0)
		return err_set(e, ERR_INVALID, "--%s %.*s: write it as name=value", f->name, STR_ARG(text));
	str name = str_slice(text, 0, sep), value = str_slice(text, sep + 1, text.n);
	for (size_t i = 0; i < to->n; i++)
		if (str_eq(to->p[i].key, name)) {
			to->p[i].value = value;
			return 0;
		}
	add_pair(r, to, name, value);
	return 0;
}

static int
put_pairs(struct reader *r, const struct flag *f, struct kvs *to, str text, struct err *e)
{
	while (text.n)
		if (put_pair(r, f, to, str_cut(&text, ','), e) < 0)
			return -1;
	return 0;
}

/* strconv.ParseBool of Go. */
static int
put_bool(const struct flag *f, bool *to, str text, struct err *e)
{
	static const char *const words[2][6] = { { "0", "f", "F", "FALSE", "false", "False" }, { "1", "t", "T", "TRUE", "true", "True" } };
	for (int value = 0; value < 2; value++)
		for (size_t i = 0; i < ARRAY_LEN(words[0]); i++)
			if (str_eq(text, str_c(words[value][i]))) {
				*to = value;
				return 0;
			}
	return err_set(e, ERR_INVALID, "--%s=%.*s: must be true or false", f->name, STR_ARG(text));
}

static int
put_number(struct reader *r, const struct flag *f, int64_t *to, str text, struct err *e)
{
	if (!str_to_i64(text, to) || *to < INT32_MIN || *to > INT32_MAX)
		return err_set(e, ERR_INVALID, "--%s %.*s: must be a whole number of 32 bits", f->name, STR_ARG(text));
	r->out->has_priority = true;
	return 0;
}

static int
put(struct reader *r, const struct flag *f, str value, struct err *e)
{
	void *to = (char *)r->out + f->offset;
	bool shown;
	switch (f->kind) {
	case FLAG_TEXT:
		*(str *)to = value;
		return 0;
	case FLAG_NUMBER:
		return put_number(r, f, to, value, e);
	case FLAG_BOOL:
		return put_bool(f, to, value, e);
	case FLAG_PAIR:
		return put_pair(r, f, to, value, e);
	case FLAG_PAIRS:
		return put_pairs(r, f, to, value, e);
	case FLAG_SHOWS_BOOL:
		return put_bool(f, &shown, value, e);
	default:
		return 0;
	}
}

static int
check(const struct reader *r, const struct flag *f, str arg, struct err *e)
{
	if (!f)
		return err_set(e, ERR_INVALID, "%.*s: argo %s has no such flag", STR_ARG(arg), operations[r->op]);
	if (!(f->in & 1u << r->op))
		return err_set(e, ERR_INVALID, "%.*s: argo %s has no such flag", STR_ARG(arg), operations[r->op]);
	return f->kind == FLAG_NOT ? err_set(e, ERR_UNSUPPORTED, "%.*s is not served: %s", STR_ARG(arg), f->instead) : 0;
}

/* The value of a flag that has none with it: the next argument. */
static int
next_value(struct reader *r, str arg, str *out, struct err *e)
{
	if (r->at + 1 >= r->args->n)
		return err_set(e, ERR_INVALID, "%.*s: a value is missing", STR_ARG(arg));
	*out = r->args->p[++r->at];
	return 0;
}

/* --flag, --flag=value, --flag value */
static int
read_long(struct reader *r, str arg, struct err *e)
{
	size_t sep = str_find_char(arg, '=', 0);
	const struct flag *f = find(r, str_slice(arg, 2, sep), 0);
	str value = sep == SIZE_MAX ? S("true") : str_slice(arg, sep + 1, arg.n);
	if (check(r, f, str_slice(arg, 0, sep), e) < 0 || (sep == SIZE_MAX && takes_value(f) && next_value(r, arg, &value, e) < 0))
		return -1;
	return put(r, f, value, e);
}

/* -p value, -pvalue, -p=value, -wv */
static int
read_short(struct reader *r, str arg, struct err *e)
{
	for (size_t i = 1; i < arg.n; i++) {
		const struct flag *f = find(r, STR_NONE, arg.p[i]);
		str name = i == 1 && arg.n == 2 ? arg : str_slice(arg, 0, i + 1), rest = str_slice(arg, i + 1, arg.n), value = S("true");
		bool given = rest.n && (rest.p[0] == '=' || (f && takes_value(f)));
		if (check(r, f, name, e) < 0)
			return -1;
		if (given)
			value = rest.p[0] == '=' ? str_slice(rest, 1, rest.n) : rest;
		else if (takes_value(f) && next_value(r, name, &value, e) < 0)
			return -1;
		if (put(r, f, value, e) < 0)
			return -1;
		if (given || takes_value(f))
			return 0;
	}
	return 0;
}

int
argo_args_read(enum argo_operation op, const struct strs *args, struct arena *a, struct argo_args *out, size_t *at, struct err *e)
{
	struct reader r = { .op = op, .args = args, .a = a, .out = out };
	*out = (struct argo_args){ 0 };
	for (; r.at < args->n; r.at++) {
		str arg = args->p[r.at];
		*at = r.at;
		if (!str_starts(arg, S("-")) || arg.n == 1 || str_eq(arg, S("--")))
			return err_set(e, ERR_INVALID, "%.*s: only flags are allowed: a trigger works on what its source names", STR_ARG(arg));
		if (str_starts(arg, S("--")) ? read_long(&r, arg, e) < 0 : read_short(&r, arg, e) < 0)
			return -1;
	}
	return 0;
}
