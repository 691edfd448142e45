/* SPDX-License-Identifier: Apache-2.0 */
/* test_record: a test file of events that are stored and of what the manifests make of them today, to be trimmed by hand. */
#ifndef TIDEGATE_CLI_TEST_RECORD_H
#define TIDEGATE_CLI_TEST_RECORD_H

#include "cli/command.h"

/* Prints it: a case with the events of these ids, in the order of their times. `paths` are manifests. */
int test_record(const struct cli_common *common, const struct cli_texts *ids, char **paths, int n, struct err *e) MUST_CHECK;

#endif
