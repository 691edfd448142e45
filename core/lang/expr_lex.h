/* SPDX-License-Identifier: Apache-2.0 */
/* expr_lex: the words of an expression, one at a time, and how reading fails. Between expr_lex.c and expr_parse.c. */
#ifndef TIDEGATE_CORE_LANG_EXPR_LEX_H
#define TIDEGATE_CORE_LANG_EXPR_LEX_H

#include "core/lang/expr_ast.h"

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_NUMBER, TOKEN_STRING, TOKEN_OPERATOR };

struct token {
	enum token_kind kind;
	uint32_t at;
	str text;         /* as written */
	struct val value; /* NUMBER, STRING */
};

struct parser {
	struct expr *x;
	const struct expr_options *o;
	str text;
	size_t pos;       /* behind `token` */
	struct token token;
	unsigned depth;   /* of recursion */
	unsigned closures; /* # has a meaning inside */
	size_t nodes;
	bool failed;
	struct err *e;
};

/* Reads the next word into p->token. */
void lex_next(struct parser *p);
/* Whether it is a word that is an operator: not, or, in, let, ... */
bool lex_is_operator_word(str s);
/* Sets p->e with the place, once, and lets everything that reads on see the end. */
void lex_fail(struct parser *p, uint32_t at, enum err_code code, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
