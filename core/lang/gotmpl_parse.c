/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text into a tree. A template is text with actions in {{ }}; the parser walks it once, and within an action takes one token
 * after the other. Source of the grammar: Go 1.26, text/template/parse.
 */
#include "core/lang/gofmt.h"
#include "core/lang/gotmpl_impl.h"

enum token { END, IDENT, VAR, FIELD_, DOT, STRING, NUMBER, CHAR, PIPE, COMMA, OPEN, CLOSE, DECLARE, ASSIGN, BAD };

struct parser {
	struct arena *a;
	str text;
	size_t i;            /* of the text */
	str action;          /* between the braces, trimmed */
	size_t at;           /* in the action */
	enum token token;    /* the one at hand */
	str word;            /* its text */
	bool spaced;         /* white space stood before it */
	uint32_t line;
	unsigned depth, loops;
	VEC(str) vars;       /* in scope */
	struct gotmpl *t;
	bool trim_next;      /* the last action ended with -}} */
	struct err *e;
};

static int fail(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int
fail(struct parser *p, const char *fmt, ...)
{
	char msg[300];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	return err_set(p->e, ERR_INVALID, "template:%u: %s", p->line, msg);
}

/* ---- tokens of an action ------------------------------------------------------------------------------------------------ */

static bool
is_word_char(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (unsigned char)c >= 0x80;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t
word_end(str s, size_t i)
{
	while (i < s.n && is_word_char(s.p[i]))
		i++;
	return i;
}

/* From an opening quote to behind the closing one; 0 if there is none. */
static size_t
quote_end(str s, size_t i)
{
	char q = s.p[i];
	for (i++; i < s.n; i++) {
		if (s.p[i] == '\\' && q != '`')
			i++;
		else if (s.p[i] == q)
			return i + 1;
		else if (s.p[i] == '\n' && q != '`')
			return 0;
	}
	return 0;
}

static size_t
number_end(str s, size_t i)
{
	if (s.p[i] == '+' || s.p[i] == '-')
		i++;
	while (i < s.n && (is_word_char(s.p[i]) || s.p[i] == '.' || ((s.p[i] == '+' || s.p[i] == '-') && (s.p[i - 1] | 0x20) == 'e')))
		i++;
	return i;
}

static enum token
classify(str s, size_t i, size_t *end)
{
	char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : 0;
	*end = i + 1;
	if (c == '.' && !(next >= '0' && next <= '9')) {
		*end = word_end(s, i + 1);
		return *end > i + 1 ? FIELD_ : DOT;
	}
	if (c == '$') {
		*end = word_end(s, i + 1);
		return VAR;
	}
	if (c == '"' || c == '`' || c == '\'') {
		*end = quote_end(s, i);
		return !*end ? BAD : c == '\'' ? CHAR : STRING;
	}
	if (c == '.' || (c >= '0' && c <= '9') || ((c == '-' || c == '+') && ((next >= '0' && next <= '9') || next == '.'))) {
		*end = number_end(s, i);
		return NUMBER;
	}
	if (is_word_char(c)) {
		*end = word_end(s, i);
		return IDENT;
	}
	if (c == ':' && next == '=') {
		*end = i + 2;
		return DECLARE;
	}
	switch (c) {
	case '|': return PIPE;
	case ',': return COMMA;
	case '(': return OPEN;
	case ')': return CLOSE;
	case '=': return ASSIGN;
	default: return BAD;
	}
}

static void
advance(struct parser *p)
{
	size_t start = p->at, end = 0;
	while (p->at < p->action.n && is_blank(p->action.p[p->at]))
		p->line += p->action.p[p->at++] == '\n';
	p->spaced = p->at > start;
	if (p->at >= p->action.n) {
		p->token = END;
		p->word = S("end of action");
		return;
	}
	p->token = classify(p->action, p->at, &end);
	p->word = str_slice(p->action, p->at, end ? end : p->action.n);
	p->at = end ? end : p->action.n;
}

/* ---- constants ---------------------------------------------------------------------------------------------------------------- */

static bool
escape(struct buf *b, str s, size_t *i)
{
	static const char named[] = "a\ab\bf\fn\nr\rt\tv\v\\\\\"\"''";
	char c = s.p[++*i];
	for (const char *q = named; *q; q += 2) {
		if (*q == c) {
			buf_addc(b, q[1]);
			return true;
		}
	}
	size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '7' ? 3 : 0;
	int64_t v;
	size_t from = *i + (c >= '0' && c <= '7' ? 0 : 1);
	if (!digits || from + digits > s.n || !go_parse_int(str_slice(s, from, from + digits), digits == 3 ? 8 : 16, &v) || v < 0)
		return false;
	if (digits <= 3)
		buf_addc(b, (char)v);
	else
		go_add_rune(b, (uint32_t)v);
	*i = from + digits - 1;
	return true;
}

static int
string_value(struct parser *p, struct val *out)
{
	str s = str_slice(p->word, 1, p->word.n - 1);
	if (p->word.p[0] == '`') {
		*out = val_str(s);
		return 0;
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\\')
			buf_addc(&b, s.p[i]);
		else if (i + 1 >= s.n || !escape(&b, s, &i))
			return fail(p, "bad escape in %.*s", STR_ARG(p->word));
	}
	*out = val_str(arena_dup(p->a, buf_str(&b)));
	return 0;
}

static int
number_value(struct parser *p, struct val *out)
{
	int64_t i;
	double d;
	str s = p->word;
	bool neg = s.p[0] == '-';
	if (p->token == CHAR) {
		if (string_value(p, out) < 0)
			return -1;
		size_t width;
		str c = val_text(out);
		if (go_rune_count(c) != 1)
			return fail(p, "malformed character constant: %.*s", STR_ARG(s));
		*out = val_int((int64_t)go_rune(c, 0, &width));
		return 0;
	}
	if (go_parse_int(s, 0, &i))
		*out = val_int(i);
	else if (go_parse_float(s, &d) && strpbrk(str_z(p->a, s), ".eEpP") && (s.p[neg] == '.' || (s.p[neg] >= '0' && s.p[neg] <= '9') || s.p[0] == '+'))
		*out = val_float(d);
	else
		return fail(p, "bad number syntax: \"%.*s\"", STR_ARG(s));
	out->flags |= GO_CONSTANT;
	return 0;
}

/* ---- pipelines -------------------------------------------------------------------------------------------------------------------- */

static struct pipe *pipeline(struct parser *p, bool range);

static bool
in_scope(const struct parser *p, str name)
{
	for (size_t i = 0; i < p->vars.n; i++)
		if (str_eq(p->vars.p[i], name))
			return true;
	return str_eq(name, S("$"));
}

static int
function_term(struct parser *p, struct term *t)
{
	static const struct {
		const char *word;
		struct val value;
	} words[] = { { "true", { .kind = VAL_BOOL, .b = true } }, { "false", { .kind = VAL_BOOL } }, { "nil", { .kind = VAL_NULL } } };
	t->kind = TERM_CONST;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq(p->word, str_c(words[i].word))) {
			t->value = words[i].value;
			t->name = p->word;
			return 0;
		}
	}
	t->kind = TERM_CALL;
	t->name = p->word;
	t->fn = go_find_function(p->word);
	if (!t->fn)
		return fail(p, "function \"%.*s\" not defined", STR_ARG(p->word));
	if (!t->fn->fn && t->fn->why)
		return err_set(p->e, ERR_UNSUPPORTED, "template:%u: function %s is refused: %s", p->line, t->fn->name, t->fn->why);
	return 0;
}

/* .a.b directly behind a term */
static void
fields(struct parser *p, struct term *t)
{
	VEC(str) names = { 0 };
	if (t->kind == TERM_DOT && p->token == FIELD_) {
		*VEC_PUSH(&names) = str_slice(p->word, 1, p->word.n);
		advance(p);
	}
	while (p->token == FIELD_ && !p->spaced) {
		*VEC_PUSH(&names) = str_slice(p->word, 1, p->word.n);
		advance(p);
	}
	t->fields_n = names.n;
	t->fields = ARENA_ARRAY(p->a, str, names.n);
	if (names.n)
		memcpy(t->fields, names.p, names.n * sizeof *names.p);
	VEC_FREE(&names);
}

/* 1: a term; 0: none here; -1 */
static int
term(struct parser *p, struct term *t)
{
	int rc = 0;
	*t = (struct term){ .line = p->line };
	switch (p->token) {
	case DOT: t->kind = TERM_DOT; break;
	case FIELD_:
		t->kind = TERM_DOT;
		fields(p, t);
		return 1;
	case VAR:
		t->kind = TERM_VAR;
		t->name = p->word;
		if (!in_scope(p, p->word))
			return fail(p, "undefined variable \"%.*s\"", STR_ARG(p->word));
		break;
	case STRING:
		t->kind = TERM_CONST;
		rc = string_value(p, &t->value);
		break;
	case NUMBER:
	case CHAR:
		t->kind = TERM_CONST;
		rc = number_value(p, &t->value);
		break;
	case IDENT: rc = function_term(p, t); break;
	case OPEN:
		t->kind = TERM_PIPE;
		if (++p->depth > GOTMPL_DEPTH_MAX)
			return fail(p, "more than %d nested brackets", GOTMPL_DEPTH_MAX);
		advance(p);
		t->pipe = pipeline(p, false);
		if (!t->pipe)
			return -1;
		p->depth--;
		if (p->token != CLOSE)
			return fail(p, "unclosed left paren");
		break;
	default: return 0;
	}
	if (rc < 0)
		return -1;
	advance(p);
	if (t->kind == TERM_CONST && p->token == FIELD_ && !p->spaced)
		return fail(p, "unexpected . after term");
	fields(p, t);
	return 1;
}

static int
command(struct parser *p, struct command *c)
{
	VEC(struct term) terms = { 0 };
	struct term t;
	int rc;
	while ((rc = term(p, &t)) > 0) {
		*VEC_PUSH(&terms) = t;
		if (p->token != END && p->token != PIPE && p->token != CLOSE && !p->spaced) {
			rc = fail(p, "unexpected %.*s: operands are separated by spaces", STR_ARG(p->word));
			break;
		}
	}
	if (rc == 0 && !terms.n)
		rc = p->token == END || p->token == CLOSE || p->token == PIPE ? fail(p, "missing value for command")
		                                                              : fail(p, "unexpected <%.*s> in operand", STR_ARG(p->word));
	c->n = terms.n;
	c->terms = ARENA_ARRAY(p->a, struct term, terms.n);
	if (terms.n)
		memcpy(c->terms, terms.p, terms.n * sizeof t);
	VEC_FREE(&terms);
	return rc;
}

/* "$x :=", "$x =", "$i, $v :=": looked for ahead, because a variable may also be the first term. */
static int
declaration(struct parser *p, struct pipe *out, bool range)
{
	struct parser ahead = *p;
	str names[2];
	size_t n = 0;
	while (ahead.token == VAR && n < 2) {
		names[n++] = ahead.word;
		advance(&ahead);
		if (ahead.token == COMMA && range && n == 1)
			advance(&ahead);
		else
			break;
	}
	if (!n || (ahead.token != DECLARE && ahead.token != ASSIGN))
		return 0;
	out->assign = ahead.token == ASSIGN;
	out->vars_n = n;
	for (size_t i = 0; i < n; i++) {
		out->vars[i] = names[i];
		if (out->assign && !in_scope(p, names[i]))
			return fail(p, "undefined variable \"%.*s\"", STR_ARG(names[i]));
	}
	advance(&ahead);
	p->at = ahead.at;
	p->token = ahead.token;
	p->word = ahead.word;
	p->spaced = ahead.spaced;
	p->line = ahead.line;
	return 0;
}

/* Only the first command of a pipeline may be a constant: others get an argument. */
static int
check_commands(struct parser *p, const struct pipe *out)
{
	for (size_t i = 1; i < out->n; i++)
		if (out->commands[i].terms[0].kind == TERM_CONST)
			return fail(p, "non executable command in pipeline stage %zu", i + 1);
	return 0;
}

static struct pipe *
pipeline(struct parser *p, bool range)
{
	struct pipe *out = ARENA_NEW(p->a, struct pipe);
	VEC(struct command) commands = { 0 };
	out->line = p->line;
	int rc = declaration(p, out, range);
	while (rc == 0) {
		struct command c;
		rc = command(p, &c);
		if (rc == 0)
			*VEC_PUSH(&commands) = c;
		if (rc < 0 || p->token != PIPE)
			break;
		advance(p);
		if (p->token == END || p->token == CLOSE) /* Go lets a pipeline end so */
			break;
	}
	out->n = commands.n;
	out->commands = ARENA_ARRAY(p->a, struct command, commands.n);
	if (commands.n)
		memcpy(out->commands, commands.p, commands.n * sizeof *commands.p);
	VEC_FREE(&commands);
	if (rc == 0)
		rc = check_commands(p, out);
	for (size_t i = 0; rc == 0 && !out->assign && i < out->vars_n; i++)
		*VEC_PUSH(&p->vars) = out->vars[i];
	return rc < 0 ? NULL : out;
}

/* ---- nodes --------------------------------------------------------------------------------------------------------------------------- */

/* What an action is, by its first word. */
enum action { ACT_PIPE, ACT_IF, ACT_WITH, ACT_RANGE, ACT_ELSE, ACT_END, ACT_DEFINE, ACT_TEMPLATE, ACT_BLOCK, ACT_BREAK, ACT_CONTINUE, ACT_EOF };
static const char *const action_words[] = { [ACT_IF] = "if",         [ACT_WITH] = "with",   [ACT_RANGE] = "range",
	                                    [ACT_ELSE] = "else",     [ACT_END] = "end",     [ACT_DEFINE] = "define",
	                                    [ACT_TEMPLATE] = "template", [ACT_BLOCK] = "block", [ACT_BREAK] = "break",
	                                    [ACT_CONTINUE] = "continue" };

static enum action
take_action_word(struct parser *p)
{
	for (size_t i = 1; i < ARRAY_LEN(action_words); i++) {
		if (p->token == IDENT && str_eq(p->word, str_c(action_words[i]))) {
			advance(p);
			return (enum action)i;
		}
	}
	return ACT_PIPE;
}

static struct node *
new_node(struct parser *p, enum node_kind kind)
{
	struct node *n = ARENA_NEW(p->a, struct node);
	n->kind = kind;
	n->line = p->line;
	return n;
}

static void
count_lines(struct parser *p, str s)
{
	for (size_t i = 0; i < s.n; i++)
		p->line += s.p[i] == '\n';
}

/* Text up to the next action into *text; the action into p->action with its first token at hand. 1, 0 at the end, -1. */
static int
next_action(struct parser *p, str *text)
{
	size_t open = str_find(p->text, S("{{"), p->i);
	str t = str_slice(p->text, p->i, open);
	size_t lines_from = p->i;
	if (p->trim_next)
		while (t.n && is_blank(t.p[0]))
			t = str_slice(t, 1, t.n);
	p->trim_next = false;
	if (open == SIZE_MAX) {
		*text = t;
		p->i = p->text.n;
		return 0;
	}
	size_t start = open + 2;
	if (start + 1 < p->text.n && p->text.p[start] == '-' && is_blank(p->text.p[start + 1])) {
		while (t.n && is_blank(t.p[t.n - 1]))
			t.n--;
		start += 2;
	}
	*text = t;
	count_lines(p, str_slice(p->text, lines_from, start));
	/* the end of the action: quotes may hold braces */
	size_t i = start;
	bool comment = str_starts(str_slice(p->text, i, p->text.n), S("/*"));
	if (comment)
		i = str_find(p->text, S("*/"), i);
	for (; i < p->text.n && !str_starts(str_slice(p->text, i, p->text.n), S("}}")); i++) {
		size_t end = strchr("\"`'", p->text.p[i]) && p->text.p[i] && !comment ? quote_end(p->text, i) : i + 1;
		if (!end)
			return fail(p, "unterminated quoted string");
		i = end - 1;
	}
	if (i >= p->text.n)
		return fail(p, comment ? "unclosed comment" : "unclosed action");
	p->action = str_slice(p->text, start, i);
	p->i = i + 2;
	if (p->action.n >= 2 && p->action.p[p->action.n - 1] == '-' && is_blank(p->action.p[p->action.n - 2])) {
		p->action.n -= 2;
		p->trim_next = true;
	}
	if (comment) {
		if (!str_ends(p->action, S("*/")))
			return fail(p, "comment ends before closing delimiter");
		count_lines(p, p->action);
		p->action.n = 0;
	}
	p->at = 0;
	advance(p);
	return comment ? 2 : 1;
}

static int
end_of_action(struct parser *p)
{
	return p->token == END ? 0 : fail(p, "unexpected <%.*s> in action", STR_ARG(p->word));
}

static int list(struct parser *p, struct node **out, enum action *stop);

/* "{{else}}" and what follows, "{{else if ...}}" as a node of its own, up to "{{end}}". */
static int control(struct parser *p, enum action kind, struct node **out);

static int
otherwise(struct parser *p, enum action kind, struct node *n)
{
	enum action stop = take_action_word(p);
	if ((stop == ACT_IF && kind == ACT_IF) || (stop == ACT_WITH && kind == ACT_WITH))
		return control(p, stop, &n->otherwise); /* shares the {{end}} */
	if (end_of_action(p) < 0 || list(p, &n->otherwise, &stop) < 0)
		return -1;
	return stop == ACT_END ? 0 : fail(p, "expected end; found %s", stop == ACT_EOF ? "the end of the text" : action_words[stop]);
}

static int
control(struct parser *p, enum action kind, struct node **out)
{
	struct node *n = *out = new_node(p, kind == ACT_IF ? NODE_IF : kind == ACT_WITH ? NODE_WITH : NODE_RANGE);
	size_t scope = p->vars.n;
	enum action stop;
	if (++p->depth > GOTMPL_DEPTH_MAX)
		return err_set(p->e, ERR_LIMIT, "template:%u: more than %d nested actions", p->line, GOTMPL_DEPTH_MAX);
	if (p->token == END)
		return fail(p, "missing value for %s", action_words[kind]);
	n->pipe = pipeline(p, kind == ACT_RANGE);
	if (!n->pipe || end_of_action(p) < 0)
		return -1;
	p->loops += kind == ACT_RANGE;
	if (list(p, &n->body, &stop) < 0)
		return -1;
	p->loops -= kind == ACT_RANGE;
	if (stop == ACT_ELSE && otherwise(p, kind, n) < 0)
		return -1;
	if (stop != ACT_ELSE && stop != ACT_END)
		return fail(p, "unexpected EOF: {{%s}} has no {{end}}", action_words[kind]);
	p->vars.n = scope;
	p->depth--;
	return 0;
}

static int
quoted_name(struct parser *p, str *out)
{
	struct val v;
	if (p->token != STRING)
		return fail(p, "a quoted template name is expected");
	if (string_value(p, &v) < 0)
		return -1;
	*out = val_text(&v);
	advance(p);
	return 0;
}

/* {{define "x"}} ... {{end}}: variables of outside are not seen. */
static int
define(struct parser *p, str *name)
{
	struct defined *d = ARENA_NEW(p->a, struct defined);
	str *outside = p->vars.p;
	size_t n = p->vars.n, cap = p->vars.cap;
	enum action stop = ACT_EOF;
	if (++p->depth > GOTMPL_DEPTH_MAX)
		return err_set(p->e, ERR_LIMIT, "template:%u: more than %d nested actions", p->line, GOTMPL_DEPTH_MAX);
	d->name = *name;
	p->vars.p = NULL;
	p->vars.n = p->vars.cap = 0;
	int rc = list(p, &d->body, &stop);
	VEC_FREE(&p->vars);
	p->vars.p = outside;
	p->vars.n = n;
	p->vars.cap = cap;
	p->depth--;
	d->next = p->t->defined;
	p->t->defined = d;
	if (rc == 0 && stop != ACT_END)
		return fail(p, "unexpected EOF: {{define}} has no {{end}}");
	return rc;
}

static int
template(struct parser *p, struct node **out, bool block)
{
	struct node *n = *out = new_node(p, NODE_TEMPLATE);
	if (quoted_name(p, &n->text) < 0)
		return -1;
	if (p->token != END && !(n->pipe = pipeline(p, false)))
		return -1;
	if (end_of_action(p) < 0)
		return -1;
	if (block && !n->pipe)
		return fail(p, "missing value for block clause");
	return block ? define(p, &n->text) : 0;
}

/* One action that is no else and no end. *out stays NULL for a definition. */
static int
action(struct parser *p, enum action kind, struct node **out)
{
	str name;
	switch (kind) {
	case ACT_IF: case ACT_WITH: case ACT_RANGE:
		return control(p, kind, out);
	case ACT_TEMPLATE: case ACT_BLOCK:
		return template(p, out, kind == ACT_BLOCK);
	case ACT_DEFINE:
		if (quoted_name(p, &name) < 0 || end_of_action(p) < 0)
			return -1;
		return define(p, &name);
	case ACT_BREAK: case ACT_CONTINUE:
		if (!p->loops)
			return fail(p, "{{%s}} outside {{range}}", action_words[kind]);
		*out = new_node(p, kind == ACT_BREAK ? NODE_BREAK : NODE_CONTINUE);
		return end_of_action(p);
	default:
		*out = new_node(p, NODE_ACTION);
		(*out)->pipe = pipeline(p, false);
		return (*out)->pipe ? end_of_action(p) : -1;
	}
}

/* Nodes up to {{else}}, {{end}} or the end of the text, which *stop tells; an else's own words are still to be read. */
static int
list(struct parser *p, struct node **out, enum action *stop)
{
	struct node **tail = out;
	for (;;) {
		str text;
		int more = next_action(p, &text);
		if (more < 0)
			return -1;
		if (text.n) {
			*tail = new_node(p, NODE_TEXT);
			(*tail)->text = text;
			tail = &(*tail)->next;
		}
		*stop = ACT_EOF;
		if (!more)
			return 0;
		if (more == 2) /* a comment */
			continue;
		enum action kind = take_action_word(p);
		if (kind == ACT_ELSE || kind == ACT_END) {
			*stop = kind;
			return kind == ACT_END ? end_of_action(p) : 0;
		}
		if (action(p, kind, tail) < 0)
			return -1;
		if (*tail)
			tail = &(*tail)->next;
	}
}

int
gotmpl_parse(struct arena *a, str text, struct gotmpl **out, struct err *e)
{
	if (text.n > GOTMPL_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "template: longer than %u bytes", GOTMPL_TEXT_MAX);
	struct gotmpl *t = ARENA_NEW(a, struct gotmpl);
	struct parser p = { .a = a, .text = arena_dup(a, text), .line = 1, .t = t, .e = e };
	enum action stop;
	int rc = list(&p, &t->body, &stop);
	if (rc == 0 && stop != ACT_EOF)
		rc = fail(&p, "unexpected {{%s}}", action_words[stop]);
	VEC_FREE(&p.vars);
	if (rc == 0)
		*out = t;
	return rc;
}
