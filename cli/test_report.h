/* SPDX-License-Identifier: Apache-2.0 */
/* test_report: what `tidegate test` prints: lines as cases end, or at the end a document for programs (JSON, JUnit's XML). */
#ifndef TIDEGATE_CLI_TEST_REPORT_H
#define TIDEGATE_CLI_TEST_REPORT_H

#include "core/base.h"

struct report_case {
	str file, name, differs; /* differs: lines; empty: it holds */
	size_t line;
};

struct test_report {
	const char *form; /* "text", "json" or "junit" */
	bool verbose;     /* text: a line for cases that hold, too */
	size_t n, hold;
	struct arena *arena;
	VEC(struct report_case) cases; /* in the order they ran, those of a file together; not for text */
};

/* `differs` has a line for each thing that is not as expected; empty: the case holds. Nothing is kept of what is handed in. */
void report_case(struct test_report *r, const char *file, size_t line, str name, str differs);
/* Prints the end, or the document, to `f`, and frees what was kept. */
void report_end(struct test_report *r, FILE *f);

#endif
