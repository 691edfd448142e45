/* SPDX-License-Identifier: Apache-2.0 */
/* The tree at work. Source of the rules: Go 1.26, text/template/exec.go and funcs.go. */
#include "core/lang/gofmt.h"
#include "core/lang/gotmpl_impl.h"

enum { ARGS_MAX = 64 };

static const struct gofn *const *
tables(size_t *n)
{
	static const struct gofn *const all[] = { go_builtins, sprig_strings, sprig_regex, sprig_numbers, sprig_lists, sprig_dicts, sprig_dates, sprig_others, sprig_semver };
	*n = ARRAY_LEN(all);
	return all;
}

const struct gofn *
go_find_function(str name)
{
	size_t n;
	const struct gofn *const *all = tables(&n);
	for (size_t i = 0; i < n; i++)
		for (const struct gofn *f = all[i]; f->name; f++)
			if (str_eq(name, str_c(f->name)))
				return f;
	return NULL;
}

void
go_count_functions(size_t *served, size_t *refused)
{
	size_t n;
	const struct gofn *const *all = tables(&n);
	*served = *refused = 0;
	for (size_t i = 0; i < n; i++)
		for (const struct gofn *f = all[i]; f->name; f++)
			++*(f->why ? refused : served);
}

bool
go_fail(struct run *r, const char *fmt, ...)
{
	char msg[300];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	err_set(r->e, ERR_INVALID, "template:%u: %s", r->line, msg);
	return false;
}

static bool
spent(struct run *r, const char *what)
{
	err_set(r->e, ERR_LIMIT, "template:%u: %s", r->line, what);
	return false;
}

bool
go_charge(struct run *r, size_t n)
{
	if (n > GOTMPL_OUTPUT_MAX || r->made > 4 * (size_t)GOTMPL_OUTPUT_MAX - n)
		return spent(r, "makes too much text");
	r->made += n;
	return true;
}

bool
go_fits(struct run *r, const struct buf *b)
{
	return b->n <= GOTMPL_OUTPUT_MAX ? true : spent(r, "makes too much text");
}

bool
go_made(struct run *r, struct buf *b, struct val *out)
{
	bool ok = go_charge(r, b->n);
	if (ok)
		*out = val_str(arena_dup(r->a, buf_str(b)));
	buf_free(b);
	return ok;
}

static bool
step(struct run *r)
{
	return ++r->steps <= GOTMPL_STEPS_MAX ? true : spent(r, "takes too many steps");
}

/* ---- values ------------------------------------------------------------------------------------------------------------- */

struct val
go_norm(const struct val *v)
{
	if (v->kind == VAL_MAP && v->pad == GO_BOX)
		return *(const struct val *)(const void *)v->members;
	if (v->kind == VAL_STR && v->flags & VAL_PLAIN) {
		struct val open = val_resolve(v);
		return go_norm(&open);
	}
	double d;
	if (v->kind == VAL_NUM && val_to_double(v, &d))
		return val_float(d);
	return *v;
}

struct val
go_plain(struct run *r, const struct val *v)
{
	struct val n = go_norm(v);
	if (n.kind == VAL_LIST) {
		struct val_list b = { 0 };
		for (size_t i = 0; i < n.n; i++)
			val_list_add(&b, go_plain(r, &n.items[i]));
		struct val out = val_list_end(&b, r->a);
		out.pad = n.pad;
		return out;
	}
	if (n.kind == VAL_MAP) {
		struct val_map b = { 0 };
		for (size_t i = 0; i < n.n; i++)
			val_map_add(&b, val_key(&n.members[i]), go_plain(r, &n.members[i].value));
		struct val out = val_map_end(&b, r->a);
		out.pad = n.pad;
		return out;
	}
	return n;
}

bool
go_truth(const struct val *v)
{
	struct val n = go_norm(v);
	switch (n.kind) {
	case VAL_BOOL: return n.b;
	case VAL_INT: return n.i != 0;
	case VAL_FLOAT: return n.f != 0;
	case VAL_NULL: return false;
	default: return n.n > 0;
	}
}

const char *
go_type(const struct val *v)
{
	struct val n = go_norm(v);
	switch (n.kind) {
	case VAL_BOOL: return "bool";
	case VAL_INT: return n.pad == GO_INT64 ? "int64" : n.pad == GO_TIME ? "time.Time" : "int";
	case VAL_FLOAT: return "float64";
	case VAL_STR: return "string";
	case VAL_LIST: return n.pad == GO_STRINGS ? "[]string" : "[]interface {}";
	case VAL_MAP: return n.pad == GO_STRING_MAP ? "map[string]string" : "map[string]interface {}";
	default: return "<nil>";
	}
}

const char *
go_kind(const struct val *v)
{
	struct val n = go_norm(v);
	switch (n.kind) {
	case VAL_LIST: return "slice";
	case VAL_MAP: return "map";
	case VAL_NULL: return "invalid";
	case VAL_INT: return n.pad == GO_TIME ? "struct" : go_type(&n);
	default: return go_type(&n);
	}
}

struct val
go_item(const struct val *list, size_t i)
{
	return go_norm(&list->items[i]);
}

/* ---- evaluation ------------------------------------------------------------------------------------------------------------ */

static bool eval_pipe(struct run *r, const struct pipe *p, const struct val *dot, struct val *out);
static bool eval_term(struct run *r, const struct term *t, const struct val *dot, struct val *out);

static bool
get_field(struct run *r, struct val *v, str name)
{
	struct val n = go_norm(v);
	const struct val missing = { .kind = VAL_NULL, .pad = GO_MISSING };
	if (n.kind == VAL_NULL && n.pad == GO_MISSING)
		return true;
	if (n.kind == VAL_NULL)
		return go_fail(r, "nil pointer evaluating interface {}.%.*s", STR_ARG(name));
	if (n.kind != VAL_MAP)
		return go_fail(r, "can't evaluate field %.*s in type %s", STR_ARG(name), go_type(&n));
	const struct val *m = val_get(&n, name);
	*v = m ? *m : missing;
	return true;
}

static const char *const letter_types = "sibfm";

static bool
argument_fits(struct run *r, const struct gofn *f, char letter, struct val *v)
{
	static const struct {
		const char *type;
		enum val_kind kind;
	} types[] = { { "string", VAL_STR }, { "int", VAL_INT }, { "bool", VAL_BOOL }, { "float64", VAL_FLOAT }, { "map[string]interface {}", VAL_MAP } };
	const char *at = strchr(letter_types, letter);
	if (!at) /* anything */
		return true;
	size_t k = (size_t)(at - letter_types);
	struct val n = go_norm(v);
	if (n.kind == VAL_NULL && letter == 'm') { /* a nil map */
		*v = (struct val){ .kind = VAL_MAP };
		return true;
	}
	if (n.kind == VAL_NULL)
		return go_fail(r, "error calling %s: invalid value; expected %s", f->name, types[k].type);
	if (letter == 'i' && n.kind == VAL_FLOAT && n.flags & GO_CONSTANT && n.f == (double)(int64_t)n.f)
		n = val_int((int64_t)n.f);
	if (letter == 'f' && n.kind == VAL_INT)
		n = val_float((double)n.i);
	if (n.kind != types[k].kind || (letter == 'i' && n.pad != GO_PLAIN) || (letter == 'm' && n.pad == GO_STRING_MAP))
		return go_fail(r, "error calling %s: wrong type for value; expected %s; got %s", f->name, types[k].type, go_type(&n));
	if (letter != 'm') /* a map may be a box, and stays one */
		*v = n;
	return true;
}

/* Letters: the i-th parameter's; '*' repeats the one before it. */
static char
letter_of(const char *args, size_t i)
{
	size_t n = strlen(args);
	bool variadic = n && args[n - 1] == '*';
	if (i < n - variadic)
		return args[i];
	return variadic ? args[n - 2] : 0;
}

bool
go_call(struct run *r, const struct gofn *f, struct val *args, size_t n, struct val *out)
{
	size_t letters = strlen(f->args);
	bool variadic = letters && f->args[letters - 1] == '*';
	size_t least = letters - (variadic ? 2 : 0);
	if (n < least || (n > least && !variadic))
		return go_fail(r, "wrong number of args for %s: want %s%zu got %zu", f->name, variadic ? "at least " : "", least, n);
	for (size_t i = 0; i < n; i++)
		if (!argument_fits(r, f, letter_of(f->args, i), &args[i]))
			return false;
	*out = val_null();
	return step(r) && f->fn(r, args, n, out);
}

/* "and" and "or" look at their arguments one by one, and stop where the answer is known. */
static bool
short_circuit(struct run *r, const struct command *c, const struct val *dot, const struct val *final, bool stop_at, struct val *out)
{
	size_t n = c->n - 1 + (final ? 1 : 0);
	if (!n)
		return go_fail(r, "wrong number of args for %s: want at least 1 got 0", c->terms[0].fn->name);
	for (size_t i = 1; i <= n; i++) {
		if (i < c->n) {
			if (!eval_term(r, &c->terms[i], dot, out))
				return false;
		} else {
			*out = *final;
		}
		if (go_truth(out) == stop_at)
			return true;
	}
	return true;
}

/* A function with its arguments, and behind them what the pipeline brings. */
static bool
eval_call(struct run *r, const struct command *c, const struct val *dot, const struct val *final, struct val *out)
{
	const struct gofn *f = c->terms[0].fn;
	struct val args[ARGS_MAX];
	size_t n = 0;
	if (!f->fn)
		return short_circuit(r, c, dot, final, str_eq(c->terms[0].name, S("or")), out);
	if (c->n > ARGS_MAX)
		return go_fail(r, "%s: more than %d arguments", f->name, ARGS_MAX);
	for (size_t i = 1; i < c->n; i++)
		if (!eval_term(r, &c->terms[i], dot, &args[n++]))
			return false;
	if (final)
		args[n++] = *final;
	return go_call(r, f, args, n, out);
}

static bool
eval_command(struct run *r, const struct command *c, const struct val *dot, const struct val *final, struct val *out)
{
	const struct term *first = &c->terms[0];
	r->line = first->line;
	if (!step(r))
		return false;
	if (first->kind == TERM_CALL) {
		if (!eval_call(r, c, dot, final, out))
			return false;
		for (size_t i = 0; i < first->fields_n; i++)
			if (!get_field(r, out, first->fields[i]))
				return false;
		return true;
	}
	if (c->n > 1 || final)
		return go_fail(r, "can't give argument to non-function %.*s", STR_ARG(first->name));
	if (first->kind == TERM_CONST && first->value.kind == VAL_NULL)
		return go_fail(r, "nil is not a command");
	return eval_term(r, first, dot, out);
}

static struct variable *
find_variable(struct run *r, str name)
{
	for (size_t i = r->vars.n; i-- > 0;)
		if (str_eq(r->vars.p[i].name, name))
			return &r->vars.p[i];
	return NULL;
}

static bool
eval_term(struct run *r, const struct term *t, const struct val *dot, struct val *out)
{
	const struct command alone = { .terms = (struct term *)(uintptr_t)t, .n = 1 };
	switch (t->kind) {
	case TERM_DOT: *out = *dot; break;
	case TERM_CONST: *out = t->value; break;
	case TERM_VAR: *out = find_variable(r, t->name)->value; break;
	case TERM_PIPE:
		if (!eval_pipe(r, t->pipe, dot, out))
			return false;
		break;
	case TERM_CALL:
		if (!eval_call(r, &alone, dot, NULL, out))
			return false;
		break;
	}
	for (size_t i = 0; i < t->fields_n; i++)
		if (!get_field(r, out, t->fields[i]))
			return false;
	return true;
}

static void
set_variable(struct run *r, const struct pipe *p, size_t i, const struct val *v)
{
	if (p->assign)
		find_variable(r, p->vars[i])->value = *v;
	else
		*VEC_PUSH(&r->vars) = (struct variable){ p->vars[i], *v };
}

/* The value alone: a range declares its variables itself. */
static bool
eval_commands(struct run *r, const struct pipe *p, const struct val *dot, struct val *out)
{
	if (++r->depth > GOTMPL_DEPTH_MAX * 2)
		return spent(r, "nests too deep");
	bool ok = true;
	for (size_t i = 0; ok && i < p->n; i++) {
		struct val final = i ? *out : val_null();
		ok = eval_command(r, &p->commands[i], dot, i ? &final : NULL, out);
	}
	r->depth--;
	return ok;
}

static bool
eval_pipe(struct run *r, const struct pipe *p, const struct val *dot, struct val *out)
{
	if (!eval_commands(r, p, dot, out))
		return false;
	for (size_t i = 0; i < p->vars_n; i++)
		set_variable(r, p, i, out);
	return true;
}

/* ---- nodes --------------------------------------------------------------------------------------------------------------------- */

static bool walk(struct run *r, const struct node *n, const struct val *dot);

static bool
put(struct run *r, str s)
{
	if (r->out.n + s.n > GOTMPL_OUTPUT_MAX)
		return spent(r, "its output is too large");
	buf_add(&r->out, s);
	return true;
}

static bool
walk_action(struct run *r, const struct node *n, const struct val *dot)
{
	struct val v;
	if (!eval_pipe(r, n->pipe, dot, &v))
		return false;
	if (n->pipe->vars_n)
		return true;
	if (go_norm(&v).kind == VAL_NULL)
		return put(r, S("<no value>"));
	struct buf b = { 0 };
	go_print(&b, &v);
	bool ok = put(r, buf_str(&b));
	buf_free(&b);
	return ok;
}

static bool
walk_scoped(struct run *r, const struct node *n, const struct val *dot)
{
	size_t scope = r->vars.n;
	bool ok = walk(r, n, dot);
	r->vars.n = scope;
	return ok;
}

static bool
walk_if(struct run *r, const struct node *n, const struct val *dot)
{
	size_t scope = r->vars.n;
	struct val v;
	bool ok = eval_pipe(r, n->pipe, dot, &v);
	if (ok && go_truth(&v))
		ok = walk(r, n->body, n->kind == NODE_WITH ? &v : dot);
	else if (ok)
		ok = walk(r, n->otherwise, dot);
	r->vars.n = scope;
	return ok;
}

/* One round. False: an error, or {{break}} (then r->flow says so). */
static bool
round_of(struct run *r, const struct node *n, const struct val *key, const struct val *item)
{
	size_t scope = r->vars.n;
	const struct pipe *p = n->pipe;
	struct val element = *item; /* the variables' vector may move */
	if (p->vars_n == 1)
		set_variable(r, p, 0, &element);
	if (p->vars_n == 2) {
		set_variable(r, p, 0, key);
		set_variable(r, p, 1, &element);
	}
	bool ok = step(r) && walk(r, n->body, &element);
	r->vars.n = scope;
	if (r->flow == FLOW_CONTINUE)
		r->flow = FLOW_ON;
	return ok && r->flow == FLOW_ON;
}

static int
by_key(const void *x, const void *y)
{
	const struct member *a = x, *b = y;
	return str_cmp(val_key(a), val_key(b));
}

/* The members in order of their keys, each once. */
static const struct member *
sorted(struct run *r, const struct val *map)
{
	struct member *m = ARENA_ARRAY(r->a, struct member, map->n + 1);
	memcpy(m, map->members, map->n * sizeof *m);
	qsort(m, map->n, sizeof *m, by_key);
	return m;
}

static bool
walk_range(struct run *r, const struct node *n, const struct val *dot)
{
	size_t scope = r->vars.n, i = 0, count;
	struct val v;
	if (!eval_commands(r, n->pipe, dot, &v))
		return false;
	v = go_norm(&v);
	if (v.kind != VAL_NULL && v.kind != VAL_LIST && v.kind != VAL_MAP && !(v.kind == VAL_INT && v.pad != GO_TIME))
		return go_fail(r, "range can't iterate over a %s", go_type(&v));
	count = v.kind == VAL_INT ? (v.i > 0 ? (size_t)v.i : 0) : v.kind == VAL_NULL ? 0 : v.n;
	const struct member *members = v.kind == VAL_MAP && count ? sorted(r, &v) : NULL;
	bool going = true;
	for (; going && i < count; i++) {
		struct val index = val_int((int64_t)i);
		struct val key = members ? members[i].key : index;
		struct val item = members ? members[i].value : v.kind == VAL_LIST ? v.items[i] : index;
		going = round_of(r, n, &key, &item);
	}
	bool ok = going || r->flow == FLOW_BREAK;
	if (r->flow == FLOW_BREAK)
		r->flow = FLOW_ON;
	if (ok && !count)
		ok = walk(r, n->otherwise, dot);
	r->vars.n = scope;
	return ok;
}

static bool
walk_template(struct run *r, const struct node *n, const struct val *dot)
{
	struct val v = val_null();
	const struct defined *d = r->t->defined;
	while (d && !str_eq(d->name, n->text))
		d = d->next;
	if (!d)
		return go_fail(r, "template \"%.*s\" not defined", STR_ARG(n->text));
	if (n->pipe && !eval_pipe(r, n->pipe, dot, &v))
		return false;
	if (++r->depth > GOTMPL_DEPTH_MAX)
		return spent(r, "templates call each other too deep");
	struct variable *outside = r->vars.p;
	size_t vars = r->vars.n, cap = r->vars.cap;
	r->vars.p = NULL;
	r->vars.n = r->vars.cap = 0;
	*VEC_PUSH(&r->vars) = (struct variable){ S("$"), v };
	bool ok = walk(r, d->body, &v);
	VEC_FREE(&r->vars);
	r->vars.p = outside;
	r->vars.n = vars;
	r->vars.cap = cap;
	r->depth--;
	return ok;
}

static bool
walk(struct run *r, const struct node *n, const struct val *dot)
{
	for (; n && r->flow == FLOW_ON; n = n->next) {
		bool ok = true;
		r->line = n->line;
		if (!step(r))
			return false;
		switch (n->kind) {
		case NODE_TEXT: ok = put(r, n->text); break;
		case NODE_ACTION: ok = walk_action(r, n, dot); break;
		case NODE_IF: case NODE_WITH: ok = walk_if(r, n, dot); break;
		case NODE_RANGE: ok = walk_range(r, n, dot); break;
		case NODE_TEMPLATE: ok = walk_template(r, n, dot); break;
		case NODE_BREAK: r->flow = FLOW_BREAK; break;
		case NODE_CONTINUE: r->flow = FLOW_CONTINUE; break;
		}
		if (!ok)
			return false;
	}
	return true;
}

int
gotmpl_run(const struct gotmpl *t, const struct val *input, int64_t now_ns, struct arena *a, str *out, struct err *e)
{
	struct run r = { .t = t, .a = a, .e = e, .now = now_ns };
	struct val dot = *val_set(a, NULL, S("Input"), input);
	*VEC_PUSH(&r.vars) = (struct variable){ S("$"), dot };
	bool ok = walk_scoped(&r, t->body, &dot);
	if (ok)
		*out = arena_dup(a, buf_str(&r.out));
	VEC_FREE(&r.vars);
	buf_free(&r.out);
	return ok ? 0 : -1;
}

int
gotmpl_render(struct arena *a, str text, const struct val *input, int64_t now_ns, str *out, struct err *e)
{
	struct gotmpl *t;
	if (gotmpl_parse(a, text, &t, e) < 0 || gotmpl_run(t, input, now_ns, a, out, e) < 0)
		return -1;
	if (!out->n || str_eq(*out, S("<no value>")))
		return err_set(e, ERR_INVALID, "the template gives nothing");
	return 0;
}
