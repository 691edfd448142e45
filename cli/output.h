/* SPDX-License-Identifier: Apache-2.0 */
/* output: tables, colours and durations for people. A status is always a word; the colour only repeats it. */
#ifndef TIDEGATE_CLI_OUTPUT_H
#define TIDEGATE_CLI_OUTPUT_H

#include "core/val.h"

/* Whether `f` is a terminal that wants colours: NO_COLOR and TERM=dumb say no, CLICOLOR_FORCE says yes. */
bool out_colors(FILE *f);
/* Whether things may move on `f`. */
bool out_is_terminal(FILE *f);
/* Columns of the terminal, or 0 if it is none. */
unsigned out_columns(FILE *f);
unsigned out_lines(FILE *f);

/* SGR parameters for a phase or verdict ("Succeeded", "fired", ...): "32"; "" if it has no colour. */
const char *phase_color(str phase);
/* One character before a node's name: a sign and its plain form where `utf8` is false. */
const char *phase_sign(str phase, str type, bool utf8);

/* A table whose columns are as wide as needed. Cells are borrowed until table_print. */
struct table {
	VEC(str) cells;
	size_t columns;
	bool colors;
};
/* One row; `columns` strs behind. */
void table_row(struct table *t, const str *cells);
/* Prints and frees. A cell that is a phase is coloured; the last column is not padded. */
void table_print(struct table *t, FILE *f);

/* "5s", "3m", "2h", "4d": the largest unit, as kubectl and argo print ages. Negative is 0s. */
str age_text(struct arena *a, int64_t ns);
/* "1.2s", "3m 4s", "2h 5m": two units at most; tenths below ten seconds. */
str duration_text(struct arena *a, int64_t ns);
/* Time of an RFC 3339 member of `map` in ns; 0 if there is none. */
int64_t time_member(const struct val *map, const char *key);
/* What --since and the like say: a duration before `now` ("24h"), or a time. ERR_INVALID. */
int time_before(const char *text, int64_t now, int64_t *out, struct err *e) MUST_CHECK;
/* Columns that a UTF-8 text takes: code points, which is right for what we print. */
size_t text_width(str s);
/* Prints a value as asked: "json" or "yaml". */
void print_value(FILE *f, const struct val *v, const char *how);

#endif
