/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate status: what the daemon does, and in what state each source and sensor is. */
#include "cli/output.h"
#include "cli/workflows.h"

struct status_opts {
	struct cli_common common;
	const char *output;
};

static const char *const status_outputs[] = { "json", "yaml", NULL };

static str
number(struct arena *a, const struct val *v)
{
	int64_t n = 0;
	(void)val_to_i64(v, &n); /* absent is none */
	return arena_fmt(a, "%lld", (long long)n);
}

static void
print_sources(const struct val *list, struct arena *a)
{
	struct table t = { .columns = 6, .colors = out_colors(stdout) };
	if (!val_is(list, VAL_LIST) || list->n == 0)
		return;
	table_row(&t, (const str[]){ S("SOURCE"), S("TYPE"), S("STATE"), S("SINCE"), S("URL"), S("ERROR") });
	for (uint32_t i = 0; i < list->n; i++) {
		const struct val *s = &list->items[i];
		int64_t since = time_member(s, "since");
		table_row(&t, (const str[]){
			arena_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(val_get_str(s, "namespace")), STR_ARG(val_get_str(s, "eventSource")), STR_ARG(val_get_str(s, "event"))),
			val_get_str(s, "type"), val_get_str(s, "state"), since ? age_text(a, wall_clock() - since) : S(""), val_get_str(s, "url"),
			val_get_str(s, "error") });
	}
	putchar('\n');
	table_print(&t, stdout);
}

/* Firings that wait for their next attempt, over all triggers of a sensor. */
static int64_t
pending(const struct val *sensor)
{
	const struct val *triggers = val_get(sensor, S("triggers"));
	int64_t sum = 0, n;
	for (uint32_t i = 0; val_is(triggers, VAL_LIST) && i < triggers->n; i++)
		if (val_to_i64(val_get(&triggers->items[i], S("pending")), &n))
			sum += n;
	return sum;
}

static void
print_sensors(const struct val *list, struct arena *a)
{
	struct table t = { .columns = 6, .colors = out_colors(stdout) };
	if (!val_is(list, VAL_LIST) || list->n == 0)
		return;
	table_row(&t, (const str[]){ S("SENSOR"), S("STATE"), S("EVENTS"), S("FIRED"), S("PENDING"), S("ERROR") });
	for (uint32_t i = 0; i < list->n; i++) {
		const struct val *s = &list->items[i];
		table_row(&t, (const str[]){ arena_fmt(a, "%.*s/%.*s", STR_ARG(val_get_str(s, "namespace")), STR_ARG(val_get_str(s, "name"))),
			val_get_str(s, "state"), number(a, val_get(s, S("events"))), number(a, val_get(s, S("fired"))),
			arena_fmt(a, "%lld", (long long)pending(s)), val_get_str(s, "error") });
	}
	putchar('\n');
	table_print(&t, stdout);
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
	printf("tidegate %.*s  pid %.*s  state %.*s  sandbox: %.*s\n", STR_ARG(val_get_str(&v, "version")), STR_ARG(number(c.arena, val_get(&v, S("pid")))),
	       STR_ARG(val_get_str(&v, "state")), STR_ARG(val_get_str(&v, "sandbox")));
	printf("up %.*s, %.*s workflows and %.*s steps running\n", STR_ARG(age_text(c.arena, wall_clock() - time_member(&v, "startedAt"))),
	       STR_ARG(number(c.arena, val_get(&v, S("workflowsRunning")))), STR_ARG(number(c.arena, val_get(&v, S("stepsRunning")))));
	if (!str_eq(number(c.arena, val_get(&v, S("workflowsWaiting"))), S("0")))
		printf("%.*s workflows wait: as many run as the settings allow\n", STR_ARG(number(c.arena, val_get(&v, S("workflowsWaiting")))));
	print_sources(val_get(&v, S("sources")), c.arena);
	print_sensors(val_get(&v, S("sensors")), c.arena);
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
