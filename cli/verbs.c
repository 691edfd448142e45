/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate stop, terminate, suspend, resume, delete, node: one request for each workflow, one line for each answer. */
#include "cli/output.h"
#include "cli/workflows.h"

struct verb_opts {
	struct cli_common common;
	struct workflow_choice choice;
	const char *node_field_selector, *message, *phase;
	struct cli_texts output_parameters;
	bool dry_run, force;
};

#define WRONG_OUTPUT "--output-parameter %s: write it as name=value"

/* How a verb is sent, and what is said when it was done. */
struct verb_way {
	const char *method, *suffix, *said;
};

/* name=value ... as the JSON text that the API wants; false: `*wrong` is none. */
static bool
outputs_text(struct client *c, const struct cli_texts *given, str *out, const char **wrong)
{
	struct val_map outputs = { 0 };
	bool good = true;
	for (size_t i = 0; i < given->n && good; i++) {
		str key, value;
		good = cli_pair(given->p[i], &key, &value);
		*wrong = given->p[i];
		if (good)
			val_map_add(&outputs, key, val_str(value));
	}
	struct val map = val_map_end(&outputs, c->arena);
	*out = map.n ? json_write(c->arena, &map) : S("");
	return good;
}

static struct val
body_of(struct client *c, const struct verb_opts *o, str name)
{
	struct val_map more = { 0 };
	val_map_add_str(&more, S("nodeFieldSelector"), str_c(o->node_field_selector));
	val_map_add_str(&more, S("message"), str_c(o->message));
	str outputs;
	const char *wrong;
	if (outputs_text(c, &o->output_parameters, &outputs, &wrong)) /* run_resume has looked */
		val_map_add_str(&more, S("outputParameters"), outputs);
	return verb_body(c, name, &more);
}

/* Goes on after a failure: `delete a b c` deletes c even if b is gone. */
static int
each(const struct verb_opts *o, char **args, int n, const struct verb_way *way)
{
	struct client c CLEANUP(client_free);
	struct workflow_names names;
	struct err e = { 0 };
	int worst = EXIT_DONE;
	client_init(&c, &o->common);
	if (choose_workflows(&c, &o->choice, args, n, &names, &e))
		return cli_fail(&e);
	for (size_t i = 0; i < names.n; i++) {
		str name = names.p[i].name;
		c.ns = names.p[i].ns;
		struct val body = body_of(&c, o, name);
		if (!o->dry_run && client_call(&c, way->method, workflow_path(&c, name, way->suffix), &body, NULL, &e)) {
			int code = cli_fail(&e);
			worst = code > worst ? code : worst;
			continue;
		}
		printf("workflow %.*s %s%s\n", STR_ARG(name), way->said, o->dry_run ? " (dry run)" : "");
	}
	if (names.n == 0)
		fputs("no workflow matches\n", stderr);
	return worst;
}

#define VERB(id, m, sx, sd) \
	static int run_##id(const void *opts, char **args, int n) \
	{ \
		static const struct verb_way way = { m, sx, sd }; \
		return each(opts, args, n, &way); \
	}
VERB(stop, "PUT", "/stop?fields=metadata", "stopped")
VERB(terminate, "PUT", "/terminate?fields=metadata", "terminated")
VERB(suspend, "PUT", "/suspend?fields=metadata", "suspended")

static int
run_resume(const void *opts, char **args, int n)
{
	static const struct verb_way way = { "PUT", "/resume?fields=metadata", "resumed" };
	const struct verb_opts *o = opts;
	for (size_t i = 0; i < o->output_parameters.n; i++) {
		str key, value;
		if (!cli_pair(o->output_parameters.p[i], &key, &value))
			return cli_usage(&command_resume, WRONG_OUTPUT, o->output_parameters.p[i]);
	}
	return each(o, args, n, &way);
}

static int
run_delete(const void *opts, char **args, int n)
{
	const struct verb_opts *o = opts;
	const struct verb_way way = { "DELETE", o->force ? "?force=true" : "", "deleted" };
	return each(o, args, n, &way);
}

#define CHOICE_OPTIONS \
	OPTION(struct verb_opts, choice.selector, "selector", 'l', "LABELS", "Instead of names: those with these labels."), \
	OPTION(struct verb_opts, choice.field_selector, "field-selector", 0, "FIELDS", "Instead of names: those with these fields."), \
	OPTION(struct verb_opts, dry_run, "dry-run", 0, NULL, "Only say what would be done.")
#define NODES_OPTION OPTION(struct verb_opts, node_field_selector, "node-field-selector", 0, "FIELDS", "Only these suspended nodes, as displayName=approve.")

const struct command command_stop = {
	.name = "stop",
	.args = "[WORKFLOW...]",
	.summary = "Stop workflows; their exit handlers still run.",
	.examples = "  tidegate stop build-x7k2f\n  tidegate stop build-x7k2f --message 'wrong branch'\n"
	            "  tidegate stop deploy-9dkq2 --node-field-selector displayName=approve --message no\n",
	.options = (const struct cli_option[]){
		OPTION(struct verb_opts, message, "message", 0, "TEXT", "Why; kept in the status."),
		NODES_OPTION,
		CHOICE_OPTIONS,
		{ 0 },
	},
	.size = sizeof(struct verb_opts),
	.args_max = -1,
	.run = run_stop,
};

const struct command command_terminate = {
	.name = "terminate",
	.args = "[WORKFLOW...]",
	.summary = "Stop workflows at once, without their exit handlers.",
	.examples = "  tidegate terminate build-x7k2f\n  tidegate terminate -l app=shop\n",
	.options = (const struct cli_option[]){ CHOICE_OPTIONS, { 0 } },
	.size = sizeof(struct verb_opts),
	.args_max = -1,
	.run = run_terminate,
};

const struct command command_suspend = {
	.name = "suspend",
	.args = "[WORKFLOW...]",
	.summary = "Let running steps end and start no more.",
	.examples = "  tidegate suspend build-x7k2f\n",
	.options = (const struct cli_option[]){ CHOICE_OPTIONS, { 0 } },
	.size = sizeof(struct verb_opts),
	.args_max = -1,
	.run = run_suspend,
};

const struct command command_resume = {
	.name = "resume",
	.args = "[WORKFLOW...]",
	.summary = "Go on with suspended workflows and suspend steps.",
	.examples = "  tidegate resume deploy-9dkq2\n  tidegate resume deploy-9dkq2 --node-field-selector displayName=approve\n"
	            "  tidegate resume deploy-9dkq2 --node-field-selector displayName=approve -p approve=YES\n",
	.options = (const struct cli_option[]){
		NODES_OPTION,
		OPTION(struct verb_opts, output_parameters, "output-parameter", 'p', "NAME=VALUE", "A supplied output; may be repeated."),
		CHOICE_OPTIONS,
		{ 0 },
	},
	.size = sizeof(struct verb_opts),
	.args_max = -1,
	.run = run_resume,
};

const struct command command_delete = {
	.name = "delete",
	.args = "[WORKFLOW...]",
	.summary = "Delete workflows with their logs.",
	.examples = "  tidegate delete build-x7k2f\n  tidegate delete --completed --older 168h\n  tidegate delete --all\n",
	.options = (const struct cli_option[]){
		OPTION(struct verb_opts, choice.all, "all", 0, NULL, "All of the namespace."),
		OPTION(struct verb_opts, choice.all_namespaces, "all-namespaces", 'A', NULL, "Of every namespace."),
		OPTION(struct verb_opts, choice.completed, "completed", 0, NULL, "Those that have ended."),
		OPTION(struct verb_opts, choice.resubmitted, "resubmitted", 0, NULL, "Those that were made by resubmit."),
		OPTION(struct verb_opts, choice.prefix, "prefix", 0, "TEXT", "Those whose name begins so."),
		OPTION(struct verb_opts, choice.older, "older", 0, "DURATION", "Those that ended longer ago, as 12h."),
		OPTION(struct verb_opts, choice.status, "status", 0, "PHASE,...", "Those in these phases."),
		OPTION(struct verb_opts, force, "force", 0, NULL, "Also if something still holds it."),
		CHOICE_OPTIONS,
		{ 0 },
	},
	.size = sizeof(struct verb_opts),
	.args_max = -1,
	.run = run_delete,
};

/* ---- node set ----------------------------------------------------------------------------------------------- */

static int
run_node(const void *opts, char **args, int n UNUSED)
{
	const struct verb_opts *o = opts;
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	struct val_map more = { 0 };
	client_init(&c, &o->common);
	if (strcmp(args[0], "set") != 0)
		return cli_usage(&command_node, "no such form \"node %s\"; there is only `node set`", args[0]);
	str outputs;
	const char *wrong;
	if (!outputs_text(&c, &o->output_parameters, &outputs, &wrong))
		return cli_usage(&command_node, WRONG_OUTPUT, wrong);
	val_map_add_str(&more, S("nodeFieldSelector"), str_c(o->node_field_selector));
	val_map_add_str(&more, S("message"), str_c(o->message));
	val_map_add_str(&more, S("phase"), str_c(o->phase));
	val_map_add_str(&more, S("outputParameters"), outputs);
	struct val body = verb_body(&c, str_c(args[1]), &more);
	if (client_call(&c, "PUT", workflow_path(&c, str_c(args[1]), "/set"), &body, NULL, &e))
		return cli_fail(&e);
	puts("workflow values set");
	return EXIT_DONE;
}

const struct command command_node = {
	.name = "node",
	.args = "set WORKFLOW",
	.summary = "Set a suspended node's outputs, message or phase.",
	.examples = "  tidegate node set deploy-9dkq2 --node-field-selector displayName=approve --output-parameter approve=YES\n"
	            "  tidegate node set deploy-9dkq2 --node-field-selector displayName=approve --phase Failed -m denied\n",
	.options = (const struct cli_option[]){
		OPTION(struct verb_opts, node_field_selector, "node-field-selector", 0, "FIELDS", "Which nodes; needed."),
		OPTION(struct verb_opts, output_parameters, "output-parameter", 'p', "NAME=VALUE", "A supplied output; may be repeated."),
		OPTION(struct verb_opts, phase, "phase", 0, "PHASE", "Succeeded, Failed or Error."),
		OPTION(struct verb_opts, message, "message", 'm', "TEXT", "The node's message."),
		{ 0 },
	},
	.size = sizeof(struct verb_opts),
	.args_min = 2,
	.args_max = 2,
	.run = run_node,
};
