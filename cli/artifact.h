/* SPDX-License-Identifier: Apache-2.0 */
/* artifact: between artifact.c, the artifacts of workflows, and artifact_put.c, the repository they lie in. */
#ifndef TIDEGATE_CLI_ARTIFACT_H
#define TIDEGATE_CLI_ARTIFACT_H

#include "cli/client.h"

extern const struct command form_artifact_put, form_artifact_rm;
/* The route of an object, or without a key of all, in the repository that `ref` names; with a query parameter more, if it has a value. */
str repository_path(struct client *c, const char *key, const char *ref, const char *more, str value);
/* Prints what lies in the repository that `ref` ("[MAP/]KEY"; NULL: the usual one) names, under keys that begin with `prefix`; returns the exit code. */
int print_repository(struct client *c, const char *ref, const char *prefix, const char *output, bool no_headers);

#endif
