/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_file: what `tidegate test` reads beside JSON lines: YAML with a case a document. A case names manifests, says what comes in and
 * when, and what must come of it. The tables are docs/reference/test.md.
 */
#ifndef TIDEGATE_CLI_TEST_FILE_H
#define TIDEGATE_CLI_TEST_FILE_H

#include "core/field.h"

struct test_event {
	str source, event, id, type, at, content_type, subject;
	const struct val *data, *body; /* at most one of these five; none: {} */
	str text, file, body_file;
	struct kvs headers;            /* with body or body_file */
	const struct val *src;
};
struct expected_firing {
	str sensor, trigger, at;
	struct strs events;
	const struct val *parameters;  /* path -> value */
	const struct val *resource, *payload, *settings;
	bool exactly;
	const struct val *src;
};
struct expected_decision {
	str event, sensor, dependency, trigger, verdict, reason;
	const struct val *src;
};
struct expected_workflow {
	str phase, message;
	const struct val *nodes, *outputs, *resource;
	const struct val *src;
};
struct expectation {
	LIST_OF(struct expected_firing) firings;
	LIST_OF(struct expected_decision) decisions;
	LIST_OF(struct expected_workflow) workflows;
	const struct val *src;         /* tells an empty list from none */
};
struct submission {
	str workflow, template;        /* at most one */
	struct kvs parameters;
	const struct val *src;
};
struct test_case {
	str name, ns, clock, until;
	const struct val *manifests;   /* a list of paths and objects */
	LIST_OF(struct test_event) events;
	struct submission *submit;
	const struct val *steps, *verbs;
	struct expectation *expect;    /* NULL: its manifests are for all cases behind it */
	const struct val *src;
};
extern const struct schema test_case_schema;

struct test_file {
	str path;
	VEC(struct test_case) cases;
};
/* Texts are in `a`. Findings go to `d`; ERR_INVALID if there are errors among them, ERR_IO and so on if it cannot be read. */
int test_file_read(const char *path, struct arena *a, struct test_file *out, struct diags *d, struct err *e) MUST_CHECK;
void test_file_free(struct test_file *f);
/* `path` as seen from the folder of the test file. In `a`. */
str test_file_beside(const struct test_file *f, str path, struct arena *a);

#endif
