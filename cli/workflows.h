/* SPDX-License-Identifier: Apache-2.0 */
/* workflows: what the commands about workflows share: waiting, watching, following logs, choosing many by flags. */
#ifndef TIDEGATE_CLI_WORKFLOWS_H
#define TIDEGATE_CLI_WORKFLOWS_H

#include "cli/client.h"
#include "cli/command.h"

/* Stays until the workflow has ended; `tree`: shows it meanwhile. The exit code: 0 Succeeded, 1 Failed or Error. */
int follow_workflow(struct client *c, str name, bool tree, str *phase);
/* Prints log lines until they end. `query` begins with '?' or is empty. */
int follow_logs(struct client *c, str name, const char *pod, str query, bool no_color);

/* How to print one workflow: NULL, "name", "json", "yaml", "wide", "short". */
extern const char *const workflow_outputs[];
void print_workflow(const struct val *workflow, const char *how, str status);

/* Flags that choose workflows instead of names: delete --all, stop -l app=x. */
struct workflow_choice {
	const char *selector, *field_selector, *prefix, *status, *older, *since;
	struct cli_texts parameters, results;
	bool all, all_namespaces, completed, running, resubmitted;
	bool open_nodes; /* of finished ones no nodes are asked for */
	struct cli_int limit, chunk;
};
struct workflow_name {
	str ns, name;
};
struct workflow_names {
	struct workflow_name *p;
	size_t n;
};
/* The names given, or those the flags choose. ERR_INVALID if neither is there. */
int choose_workflows(struct client *c, const struct workflow_choice *ch, char **args, int n, struct workflow_names *out, struct err *e) MUST_CHECK;
bool choice_given(const struct workflow_choice *ch);
/* Asks for those chosen, page by page; `fields` as the REST interface takes them, NULL: all. */
int choice_each(struct client *c, const struct workflow_choice *ch, const char *fields, void (*fn)(void *arg, const struct val *workflow), void *arg,
                struct err *e) MUST_CHECK;

/* {"name": .., "namespace": ..} and further members, as verbs are sent. */
struct val verb_body(struct client *c, str name, struct val_map *more);
/* --parameter-file: a map of names and values, appended as "name=value"; those given by -p come behind and win. */
int read_parameter_file(struct client *c, const char *path, struct val_list *out, struct err *e) MUST_CHECK;
/* A list of strings. */
struct val texts_val(struct arena *a, const struct cli_texts *t);

#endif
