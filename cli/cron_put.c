/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidegate cron create, update: CronWorkflows of files, with what argo's flags put over them. As in argo, most of these are about
 * the workflow that is started; the name and the labels are the CronWorkflow's.
 */
#include "cli/cron.h"
#include "cli/put.h"
#include "cli/workflows.h"
#include "engine/engine.h"

struct put_opts {
	struct cli_common common;
	const char *output, *schedule, *name, *generate_name, *entrypoint, *service_account, *parameter_file;
	struct cli_texts parameters, labels;
	struct cli_int priority;
	bool strict;
};

struct put {
	struct client c;
	const struct put_opts *o;
	bool update;
	struct submit_options workflow; /* what is put over the workflow */
	struct kvs labels;
	bool printed;
};

/* ---- what the flags put over a manifest ----------------------------------------------------------------------- */

/* The last of a name counts. */
static int
add_pair(struct put *p, struct kvs *out, const char *option, const char *text, struct err *e)
{
	struct kv kv;
	size_t at = 0;
	if (!cli_pair(text, &kv.key, &kv.value))
		return err_set(e, ERR_INVALID, "--%s %s: write it as name=value", option, text);
	while (at < out->n && !str_eq(out->p[at].key, kv.key))
		at++;
	if (at == out->n) {
		struct kv *grown = ARENA_ARRAY(p->c.arena, struct kv, at + 1);
		if (at)
			memcpy(grown, out->p, at * sizeof *grown);
		*out = (struct kvs){ grown, at + 1 };
	}
	out->p[at] = kv;
	return 0;
}

/* -p wins over the file, and the last of a name over those before. */
static int
read_parameters(struct put *p, struct err *e)
{
	const struct put_opts *o = p->o;
	struct val_list list = { 0 };
	if (o->parameter_file && read_parameter_file(&p->c, o->parameter_file, &list, e))
		return -1;
	for (size_t i = 0; i < o->parameters.n; i++)
		val_list_add(&list, val_cstr(o->parameters.p[i]));
	struct val v = val_list_end(&list, p->c.arena);
	for (uint32_t i = 0; i < v.n; i++)
		if (add_pair(p, &p->workflow.parameters, "parameter", str_z(p->c.arena, val_text(&v.items[i])), e))
			return -1;
	return 0;
}

/* "a=b,c=d" */
static int
read_labels(struct put *p, struct err *e)
{
	for (size_t i = 0; i < p->o->labels.n; i++) {
		str rest = str_c(p->o->labels.p[i]);
		while (rest.n)
			if (add_pair(p, &p->labels, "labels", str_z(p->c.arena, str_cut(&rest, ',')), e))
				return -1;
	}
	return 0;
}

static int
read_options(struct put *p, struct err *e)
{
	const struct put_opts *o = p->o;
	p->workflow.entrypoint = str_c(o->entrypoint);
	p->workflow.service_account = str_c(o->service_account);
	p->workflow.priority = o->priority.set ? &o->priority.v : NULL;
	return read_parameters(p, e) || read_labels(p, e) ? -1 : 0;
}

static const struct val *
set_text(struct arena *a, const struct val *map, str key, str text)
{
	const struct val v = val_str(text);
	return val_set(a, map, key, &v);
}

static const struct val *
with_metadata(const struct put *p, const struct val *meta)
{
	struct arena *a = p->c.arena;
	const struct val *labels = val_get(meta, S("labels"));
	meta = val_unset(a, meta, S("resourceVersion")); /* a file says what shall be, whatever it was made from: as argo */
	if (p->o->generate_name)
		meta = set_text(a, val_unset(a, meta, S("name")), S("generateName"), str_c(p->o->generate_name));
	if (p->o->name)
		meta = set_text(a, val_unset(a, meta, S("generateName")), S("name"), str_c(p->o->name));
	for (size_t i = 0; i < p->labels.n; i++)
		labels = set_text(a, labels, p->labels.p[i].key, p->labels.p[i].value);
	return p->labels.n ? val_set(a, meta, S("labels"), labels) : meta;
}

static const struct val *
with_workflow(const struct put *p, const struct val *spec)
{
	struct val_map m = { 0 };
	struct arena *a = p->c.arena;
	const struct val *old = val_get(spec, S("workflowSpec"));
	if (old)
		val_map_add(&m, S("spec"), *old);
	const struct val workflow = val_map_end(&m, a);
	return val_set(a, spec, S("workflowSpec"), val_get(engine_with_options(a, &workflow, &p->workflow), S("spec")));
}

static const struct val *
with_schedule(const struct put *p, const struct val *spec)
{
	struct val_list list = { 0 };
	if (!p->o->schedule)
		return spec;
	val_list_add(&list, val_cstr(p->o->schedule));
	const struct val schedules = val_list_end(&list, p->c.arena);
	return val_set(p->c.arena, spec, S("schedules"), &schedules);
}

static const struct val *
with_options(const struct put *p, const struct val *manifest)
{
	struct arena *a = p->c.arena;
	const struct val *spec = with_schedule(p, with_workflow(p, val_get(manifest, S("spec"))));
	return val_set(a, val_set(a, manifest, S("spec"), spec), S("metadata"),
		with_metadata(p, val_get(manifest, S("metadata"))));
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

/* As it is in force: with its status, and with its next slot. */
static int
print(struct put *p, str name, struct err *e)
{
	struct client *c = &p->c;
	struct val v;
	if (client_call(c, "GET", cron_path(c, "/api/v1", name, ""), NULL, &v, e))
		return -1;
	cron_print(p->o->output, c->arena, &v, !p->printed);
	p->printed = true;
	return 0;
}

static int
send_one(void *arg, const struct object *o, struct err *e)
{
	struct put *p = arg;
	struct client *c = &p->c;
	struct val_map body = { 0 };
	struct val made;
	const struct val *manifest = with_options(p, o->manifest);
	str name = val_get_str(val_get(manifest, S("metadata")), "name");
	c->ns = o->ns;
	val_map_add(&body, S("cronWorkflow"), *manifest);
	val_map_add(&body, S("namespace"), val_str(o->ns));
	const struct val v = val_map_end(&body, c->arena);
	if (client_call(c, p->update ? "PUT" : "POST", cron_path(c, "/api/v1", p->update ? name : S(""), ""), &v, &made, e))
		return err_wrap(e, "%.*s", STR_ARG(name));
	return print(p, val_get_str(val_get(&made, S("metadata")), "name"), e);
}

static int
put(const struct put_opts *o, char **args, int n, bool update)
{
	struct put p = { .o = o, .update = update };
	struct err e = { 0 };
	client_init(&p.c, &o->common);
	const struct put_files files = { "CronWorkflow", p.c.ns, o->strict, send_one, &p };
	int code = read_options(&p, &e) ? cli_fail(&e) : put_files(&files, args, n);
	client_free(&p.c);
	return code;
}

static int
run_create(const void *opts, char **args, int n)
{
	return put(opts, args, n, false);
}

static int
run_update(const void *opts, char **args, int n)
{
	return put(opts, args, n, true);
}

/* ---- the tables ------------------------------------------------------------------------------------------------ */

#define T struct put_opts
static const struct cli_option put_options[] = {
	OPTION(T, schedule, "schedule", 0, "CRON", "Its only schedule, instead of those of the file."),
	OPTION(T, parameters, "parameter", 'p', "NAME=VALUE", "Give a parameter; may be repeated."),
	OPTION(T, parameter_file, "parameter-file", 'f', "FILE", "Parameters as a YAML or JSON map."),
	OPTION(T, name, "name", 0, "NAME", "Its name."),
	OPTION(T, generate_name, "generate-name", 0, "PREFIX", "Prefix of its name."),
	OPTION(T, entrypoint, "entrypoint", 0, "TEMPLATE", "Template to start with."),
	OPTION(T, service_account, "serviceaccount", 0, "NAME", "Kept in the manifest; means nothing here."),
	OPTION(T, labels, "labels", 'l', "K=V,...", "Labels to add to the CronWorkflow."),
	OPTION(T, priority, "priority", 0, "N", "Priority of the workflows."),
	OPTION(T, strict, "strict", 0, NULL, "Warnings are errors."),
	OPTION(T, output, "output", 'o', "FORMAT", "name, wide, json or yaml.", .choices = cron_outputs),
	{ 0 },
};

#define FORM(verb, what, ex)                                                                                           \
	extern const struct command form_##verb##_cron;                                                                \
	const struct command form_##verb##_cron = { .name = "cron " #verb,                                             \
		.args = "FILE...",                                                                                     \
		.summary = what,                                                                                       \
		.examples = "  tidegate cron " ex "\n",                                                                \
		.options = put_options,                                                                                \
		.size = sizeof(T),                                                                                     \
		.args_min = 1,                                                                                         \
		.args_max = -1,                                                                                        \
		.run = run_##verb };
FORM(create, "Create CronWorkflows.", "create nightly.yaml --schedule '30 2 * * *' -p branch=main")
FORM(update, "Replace CronWorkflows.", "update nightly.yaml")
