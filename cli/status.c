/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate status: what the daemon does, and in what state each source and sensor is. */
#include "cli/listeners.h"
#include "cli/output.h"
#include "cli/workflows.h"
#include "core/clock.h"

struct status_opts {
	struct cli_common common;
	const char *output;
};

static const char *const status_outputs[] = { "json", "yaml", NULL };

static void
section(const struct val *list, void (*print)(const struct val *list, struct arena *a), struct arena *a)
{
	if (!val_is(list, VAL_LIST) || list->n == 0)
		return;
	putchar('\n');
	print(list, a);
}

static int
run(const void *opts, char **args UNUSED, int n UNUSED)
{
	const struct status_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	struct val v;
	client_init(&c, &o->common);
	if (client_call(&c, "GET", S("/tidegate/v1/status"), NULL, &v, &e))
		return cli_fail(&e);
	if (o->output) {
		print_value(stdout, &v, o->output);
		return EXIT_DONE;
	}
	printf("tidegate %.*s  pid %.*s  state %.*s  sandbox: %.*s\n", STR_ARG(val_get_str(&v, "version")), STR_ARG(number_text(c.arena, val_get(&v, S("pid")))),
	       STR_ARG(val_get_str(&v, "state")), STR_ARG(val_get_str(&v, "sandbox")));
	printf("up %.*s, %.*s workflows and %.*s steps running\n", STR_ARG(age_text(c.arena, clock_wall_ns() - time_member(&v, "startedAt"))),
	       STR_ARG(number_text(c.arena, val_get(&v, S("workflowsRunning")))), STR_ARG(number_text(c.arena, val_get(&v, S("stepsRunning")))));
	if (!str_eq(number_text(c.arena, val_get(&v, S("workflowsWaiting"))), S("0")))
		printf("%.*s workflows wait: as many run as the settings allow\n", STR_ARG(number_text(c.arena, val_get(&v, S("workflowsWaiting")))));
	section(val_get(&v, S("sources")), print_sources, c.arena);
	section(val_get(&v, S("sensors")), print_sensors, c.arena);
	return EXIT_DONE;
}

const struct command command_status = {
	.name = "status",
	.args = "",
	.summary = "What the daemon does, and how its sources and sensors are.",
	.examples = "  tidegate status\n  tidegate status -o json | jq '.sources[] | select(.state != \"running\")'\n",
	.options = (const struct cli_option[]){
		OPTION(struct status_opts, output, "output", 'o', "FORMAT", "json or yaml.", .choices = status_outputs),
		{ 0 },
	},
	.size = sizeof(struct status_opts),
	.run = run,
};
