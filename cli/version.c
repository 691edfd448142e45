/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate version */
#include "cli/command.h"
#include "core/version.h"

struct version_opts {
	struct cli_common common;
	bool short_;
};

static int
run(const void *opts, char **args UNUSED, int n UNUSED)
{
	const struct version_opts *o = opts;
	if (o->short_)
		puts(TIDEGATE_VERSION);
	else
		printf("tidegate %s\nmanifests: Argo Workflows %s, Argo Events %s\ncompiler: %s\n", TIDEGATE_VERSION, ARGO_WORKFLOWS_VERSION,
		       ARGO_EVENTS_VERSION, TIDEGATE_COMPILER);
	return EXIT_DONE;
}

const struct command command_version = {
	.name = "version",
	.args = "",
	.summary = "Print the version.",
	.examples = "  tidegate version\n  tidegate version --short\n",
	.options = (const struct cli_option[]){
		OPTION(struct version_opts, short_, "short", 0, NULL, "Only the number."),
		{ 0 },
	},
	.size = sizeof(struct version_opts),
	.run = run,
};
