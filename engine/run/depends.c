/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/run/depends.h"

static const struct {
	const char *name;
	uint8_t bit;
} results[] = {
	{ "Succeeded", DEPENDS_SUCCEEDED }, { "Failed", DEPENDS_FAILED }, { "Errored", DEPENDS_ERRORED },
	{ "Skipped", DEPENDS_SKIPPED }, { "Omitted", DEPENDS_OMITTED }, { "Daemoned", DEPENDS_DAEMONED },
	{ "AnySucceeded", DEPENDS_ANY_SUCCEEDED }, { "AllFailed", DEPENDS_ALL_FAILED },
};

struct parser {
	str text;
	size_t at;
	unsigned depth;
	const struct depends_scope *scope;
	VEC(struct depends_code) code;
	VEC(size_t) tasks;
	uint8_t asked;
	struct err *e;
};

static int either(struct parser *p);

static void
skip_space(struct parser *p)
{
	while (p->at < p->text.n && strchr(" \t\r\n", p->text.p[p->at]))
		p->at++;
}

static bool
is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

static str
take_name(struct parser *p)
{
	size_t from = p->at;

	while (p->at < p->text.n && is_name(p->text.p[p->at]))
		p->at++;
	return str_slice(p->text, from, p->at);
}

static bool
take(struct parser *p, const char *token)
{
	skip_space(p);
	if (!str_starts(str_slice(p->text, p->at, p->text.n), str_c(token)))
		return false;
	p->at += strlen(token);
	return true;
}

static int
expected(struct parser *p, const char *what)
{
	char found[2] = { p->at < p->text.n ? p->text.p[p->at] : 0, 0 };

	const char *quote = *found ? "'" : "";

	return err_set(p->e, ERR_INVALID, "at %zu: expected %s, found %s%s%s", p->at + 1, what, quote,
		*found ? found : "the end", quote);
}

static void
emit(struct parser *p, enum depends_op op, uint8_t set, size_t task)
{
	*VEC_PUSH(&p->code) = (struct depends_code){ (uint8_t)op, set, (uint32_t)task };
}

static void
note_task(struct parser *p, size_t task)
{
	for (size_t i = 0; i < p->tasks.n; i++)
		if (p->tasks.p[i] == task)
			return;
	*VEC_PUSH(&p->tasks) = task;
}

/* Reads ".Result" behind a name; 0 if it is no result. */
static int
take_result(struct parser *p, str task, uint8_t *out)
{
	str name;

	p->at++;
	name = take_name(p);
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		if (str_eq(name, str_c(results[i].name))) {
			*out = results[i].bit;
			p->asked |= results[i].bit;
			return 0;
		}
	return err_set(p->e, ERR_INVALID, "task result '%.*s' for task '%.*s' is invalid", STR_ARG(name),
		STR_ARG(task));
}

static int
operand(struct parser *p)
{
	str name = take_name(p);
	uint8_t set = DEPENDS_DEFAULT;
	size_t task;

	if (!name.n || name.p[0] == '-')
		return expected(p, "a task");
	task = p->scope->task(p->scope->arg, name, &set);
	if (task == SIZE_MAX)
		return err_set(p->e, ERR_INVALID, "dependency '%.*s' not defined", STR_ARG(name));
	if (p->at < p->text.n && p->text.p[p->at] == '.' && take_result(p, name, &set) < 0)
		return -1;
	note_task(p, task);
	emit(p, DEPENDS_TEST, set, task);
	return 0;
}

static int
factor(struct parser *p)
{
	int rc;

	if (++p->depth > DEPENDS_DEPTH_MAX)
		return err_set(p->e, ERR_LIMIT, "at %zu: more than %d nested brackets", p->at + 1, DEPENDS_DEPTH_MAX);
	if (take(p, "!")) {
		rc = factor(p);
		emit(p, DEPENDS_NOT, 0, 0);
	} else if (take(p, "(")) {
		rc = either(p);
		if (rc == 0 && !take(p, ")"))
			rc = expected(p, "')'");
	} else {
		rc = operand(p);
	}
	p->depth--;
	return rc;
}

static int
both(struct parser *p)
{
	if (factor(p) < 0)
		return -1;
	while (take(p, "&&")) {
		if (factor(p) < 0)
			return -1;
		emit(p, DEPENDS_AND, 0, 0);
	}
	return 0;
}

static int
either(struct parser *p)
{
	if (both(p) < 0)
		return -1;
	while (take(p, "||")) {
		if (both(p) < 0)
			return -1;
		emit(p, DEPENDS_OR, 0, 0);
	}
	return 0;
}

static void
finish(struct parser *p, struct arena *a, struct depends *out)
{
	*out = (struct depends){ .n = p->code.n, .tasks_n = p->tasks.n, .asked = p->asked };
	out->code = ARENA_ARRAY(a, struct depends_code, p->code.n);
	out->tasks = ARENA_ARRAY(a, size_t, p->tasks.n);
	memcpy(out->code, p->code.p, p->code.n * sizeof *out->code);
	memcpy(out->tasks, p->tasks.p, p->tasks.n * sizeof *out->tasks);
}

int
depends_parse(struct arena *a, str text, const struct depends_scope *scope, struct depends *out, struct err *e)
{
	struct parser p = { .text = text, .scope = scope, .e = e };
	int rc;

	if (text.n > DEPENDS_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "longer than %u bytes", DEPENDS_TEXT_MAX);
	rc = either(&p);
	skip_space(&p);
	if (rc == 0 && p.at < text.n)
		rc = expected(&p, "'&&', '||' or the end");
	if (rc == 0)
		finish(&p, a, out);
	VEC_FREE(&p.code);
	VEC_FREE(&p.tasks);
	return rc;
}

bool
depends_holds(const struct depends *d, uint8_t (*results_of)(const void *arg, size_t task), const void *arg)
{
	/* Every open bracket and every pending && or || holds one value at most. */
	bool stack[2 * DEPENDS_DEPTH_MAX + 4];
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct depends_code *c = &d->code[i];

		switch ((enum depends_op)c->op) {
		case DEPENDS_TEST:
			assert(n < ARRAY_LEN(stack));
			stack[n++] = (results_of(arg, c->task) & c->results) != 0;
			break;
		case DEPENDS_NOT:
			stack[n - 1] = !stack[n - 1];
			break;
		case DEPENDS_AND:
			n--;
			stack[n - 1] = stack[n - 1] && stack[n];
			break;
		case DEPENDS_OR:
			n--;
			stack[n - 1] = stack[n - 1] || stack[n];
			break;
		}
	}
	assert(n == 1);
	return stack[0];
}
