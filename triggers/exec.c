/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: runs a command as a step of the engine, ours and not Argo's. The firing becomes a Workflow of one container, exactly once, so the
 * sandbox, the time limit, retries, the exit code and the log are those of every step, and survive the daemon as they do. The command
 * gets the payload on its standard input.
 *
 * The payload travels in base64: the engine must not take a {{tag}} for its own that came with an event. For the same reason what
 * parameters put into the command must not hold one.
 */
#include "core/base64.h"
#include "triggers/check.h"
#include "triggers/firing.h"
#include "triggers/submit.h"

enum { PAYLOAD_MAX = 90000 /* bytes: base64 makes 120,000 of them, and the kernel takes 131,071 in one variable */ };

#define PAYLOAD "TIDEGATE_PAYLOAD_BASE64"
/* The shell stays between the two, so that the command's exit code is the step's. */
#define FEED "printf %s \"$" PAYLOAD "\" | base64 -d | (unset " PAYLOAD "; exec \"$@\")"

struct exec_trigger {
	struct strs command, args;
	struct kvs env;
	str image, working_dir;
	int64_t timeout, retries;
	LIST_OF(struct trigger_parameter) parameters;
	LIST_OF(struct trigger_parameter) payload;
	const struct val *src;
};

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct exec_trigger *t = obj;
	if (!t->command.n)
		decode_error(c, in, "command", "command must be specified: [\"program\", \"argument\"]");
}

static const struct schema exec_schema = { "ExecTrigger", "Runs a command as a step of the built-in engine. Ours, not Argo's.",
	sizeof(struct exec_trigger), (const struct field[]){
	FIELD(struct exec_trigger, args, "args", 0, .doc = "More arguments, after those of the command."),
	FIELD(struct exec_trigger, command, "command", 0, .doc = "Program and arguments. It gets the payload on its standard input."),
	FIELD(struct exec_trigger, env, "env", 0, .doc = "Variables of its environment, beside TIDEGATE_FIRING_ID."),
	FIELD(struct exec_trigger, image, "image", 0, .dflt = "host",
		.doc = "Image to run it in, as a container's; it must have sh and base64."),
	FIELD_LIST(struct exec_trigger, parameters, "parameters", 0, &trigger_parameter_schema, .doc = "Values from events to put into this trigger."),
	FIELD_LIST(struct exec_trigger, payload, "payload", 0, &trigger_payload_schema, .doc = "Values from events that make up its standard input."),
	FIELD(struct exec_trigger, retries, "retries", 0, .min = 0, .max = 1000, .doc = "How often it is run again when it fails; not at all by default."),
	FIELD(struct exec_trigger, timeout, "timeout", 0, .min = 0, .max = 31536000, .doc = "Longest time of one run in seconds; 0: no limit."),
	FIELD(struct exec_trigger, working_dir, "workingDir", 0, .doc = "Folder it starts in."),
	FIELD_SRC(struct exec_trigger, src),
	{ 0 } }, check };

/* ---- the workflow -------------------------------------------------------------------------------------------------- */

static const struct val *
with(struct arena *a, const struct val *map, const char *key, struct val v)
{
	return val_set(a, map, str_c(key), &v);
}

static struct val
as_map(const struct val *v)
{
	return v ? *v : val_null();
}

static int
refuse_tags(str text, const char *where, struct err *e)
{
	if (str_find(text, S("{{"), 0) == SIZE_MAX)
		return 0;
	return err_set(e, ERR_INVALID, "%s: {{ is not allowed here; give it in the payload", where);
}

static int
refuse_all_tags(const struct exec_trigger *t, struct err *e)
{
	const struct strs *lists[] = { &t->command, &t->args };
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		for (size_t i = 0; i < lists[l]->n; i++)
			if (refuse_tags(lists[l]->p[i], l ? "args" : "command", e) < 0)
				return -1;
	for (size_t i = 0; i < t->env.n; i++)
		if (refuse_tags(t->env.p[i].value, "env", e) < 0)
			return -1;
	return refuse_tags(t->image, "image", e) < 0 ? -1 : refuse_tags(t->working_dir, "workingDir", e);
}

/* sh -c FEED sh <command> <args> */
static const struct val *
add_command(struct arena *a, const struct exec_trigger *t, const struct val *container)
{
	struct val_list sh = { 0 }, rest = { 0 };
	const struct strs *lists[] = { &t->command, &t->args };
	static const char *const before[] = { "sh", "-c", FEED, "sh" };
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		val_list_add(&sh, val_cstr(before[i]));
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		for (size_t i = 0; i < lists[l]->n; i++)
			val_list_add(&rest, val_str(lists[l]->p[i]));
	container = with(a, container, "command", val_list_end(&sh, a));
	return with(a, container, "args", val_list_end(&rest, a));
}

static struct val
variable(struct arena *a, str name, str value)
{
	return as_map(with(a, with(a, NULL, "name", val_str(name)), "value", val_str(value)));
}

static const struct val *
add_env(struct firing *f, const struct exec_trigger *t, const struct val *container)
{
	struct arena *a = firing_arena(f);
	struct val_list env = { 0 };
	for (size_t i = 0; i < t->env.n; i++)
		val_list_add(&env, variable(a, t->env.p[i].key, t->env.p[i].value));
	val_list_add(&env, variable(a, S("TIDEGATE_FIRING_ID"), firing_id(f)));
	val_list_add(&env, variable(a, S(PAYLOAD), base64_encode(a, firing_payload(f))));
	return with(a, container, "env", val_list_end(&env, a));
}

static const struct val *
template_of(struct arena *a, const struct exec_trigger *t, const struct val *container)
{
	const struct val *tmpl = with(a, NULL, "name", val_cstr("main"));
	tmpl = with(a, tmpl, "container", *container);
	if (t->timeout)
		tmpl = with(a, tmpl, "activeDeadlineSeconds", val_int(t->timeout));
	if (t->retries)
		tmpl = with(a, tmpl, "retryStrategy", as_map(with(a, with(a, NULL, "limit", val_int(t->retries)), "retryPolicy", val_cstr("Always"))));
	return tmpl;
}

static const struct val *
workflow_of(struct firing *f)
{
	const struct exec_trigger *t = firing_config(f);
	struct arena *a = firing_arena(f);
	struct val_list templates = { 0 };
	const struct val *container = with(a, NULL, "image", val_str(t->image));
	if (t->working_dir.n)
		container = with(a, container, "workingDir", val_str(t->working_dir));
	container = add_env(f, t, add_command(a, t, container));
	val_list_add(&templates, *template_of(a, t, container));
	const struct val *spec = with(a, with(a, NULL, "entrypoint", val_cstr("main")), "templates", val_list_end(&templates, a));
	const struct val *meta = with(a, NULL, "generateName", val_str(arena_fmt(a, "%.*s-", STR_ARG(firing_trigger(f)))));
	const struct val *w = with(a, NULL, "apiVersion", val_cstr("argoproj.io/v1alpha1"));
	w = with(a, with(a, w, "kind", val_cstr("Workflow")), "metadata", *meta);
	return with(a, w, "spec", *spec);
}

static int
submits(struct firing *f, const struct val **out, struct err *e)
{
	if (firing_payload(f).n > PAYLOAD_MAX)
		return err_set(e, ERR_LIMIT, "the payload has %zu bytes: %d are the most", firing_payload(f).n, PAYLOAD_MAX);
	if (refuse_all_tags(firing_config(f), e) < 0)
		return -1;
	*out = trigger_labelled(f, workflow_of(f));
	return 0;
}

static void
fire(struct firing *f)
{
	const struct val *workflow;
	struct err e = { 0 };
	if (submits(f, &workflow, &e) == 0)
		trigger_submit(f, workflow, NULL);
	else
		firing_done(f, &e, NULL);
}

const struct trigger_ops trigger_exec = { .kind = "exec", .doc = "Runs a command as a step of the built-in engine. Ours, not Argo's.",
	.schema = &exec_schema, .fire = fire, .inside = true, .submits = submits };
