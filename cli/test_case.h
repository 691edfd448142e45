/* SPDX-License-Identifier: Apache-2.0 */
/* test_case: a case of a test file played: its events through its sensors, its workflows with the results it scripts; and judged. */
#ifndef TIDEGATE_CLI_TEST_CASE_H
#define TIDEGATE_CLI_TEST_CASE_H

#include "cli/test_file.h"

/*
 * Plays the i-th document, a case, of the file. True: it holds. Else `out` gets a line for each thing that is not as expected: "file:line:
 * name: what: expected this, got that".
 */
bool test_case_run(const struct test_file *f, size_t i, struct buf *out);

#endif
