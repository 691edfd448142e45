/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate archive: finished workflows by uid or name, as argo's archive has them. They are those of `list` too. */
#include "cli/workflows.h"

struct archive_opts {
	struct cli_common common;
	const char *output, *selector, *node_field_selector;
	struct cli_texts parameters;
	bool by_uid, by_name, memoized, restart_successful;
};

static const char *const outputs[] = { "name", "json", "yaml", "wide", "short", NULL };

/* The uid of the finished workflow that has this name. */
static int
uid_of_name(struct client *c, const char *name, str *out, struct err *e)
{
	struct buf path CLEANUP(free_buf) = { 0 };
	struct val list;
	buf_add(&path, S("/api/v1/archived-workflows?fields=items.metadata.uid"));
	url_query(&path, "namespace", c->ns);
	url_query(&path, "listOptions.fieldSelector", arena_fmt(c->arena, "metadata.name=%s", name));
	if (client_call(c, "GET", buf_str(&path), NULL, &list, e))
		return -1;
	*out = val_get_str(val_get(val_at(val_get(&list, S("items")), 0), S("metadata")), "uid");
	return out->n ? 0 : err_set(e, ERR_NOT_FOUND, "no finished workflow \"%s\" in namespace \"%.*s\"", name, STR_ARG(c->ns));
}

/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" */
static bool
looks_like_uid(const char *s)
{
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? s[i] != '-' : !s[i] || !strchr("0123456789abcdef", s[i]))
			return false;
	}
	return s[36] == '\0';
}

/* "/api/v1/archived-workflows/UID<suffix>" */
static int
path_of(struct client *c, const struct archive_opts *o, const char *arg, const char *suffix, str *out, struct err *e)
{
	struct buf path CLEANUP(free_buf) = { 0 };
	str uid = str_c(arg);
	if (o->by_name || (!o->by_uid && !looks_like_uid(arg)))
		if (uid_of_name(c, arg, &uid, e))
			return -1;
	buf_add(&path, S("/api/v1/archived-workflows/"));
	url_escape(&path, uid);
	buf_addf(&path, "%s", suffix);
	*out = arena_dup(c->arena, buf_str(&path));
	return 0;
}

/* One request for each; what it answers is shown, or said to be done. */
static int
each(const struct archive_opts *o, char **args, int n, const char *method, const char *suffix, const struct val *body, const char *said)
{
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	int worst = EXIT_DONE;
	client_init(&c, &o->common);
	for (int i = 0; i < n; i++) {
		str path;
		struct val answer;
		if (path_of(&c, o, args[i], suffix, &path, &e) || client_call(&c, method, path, body, &answer, &e)) {
			int code = cli_fail(&e);
			worst = code > worst ? code : worst;
		} else if (said) {
			printf("archived workflow %s %s\n", args[i], said);
		} else {
			print_workflow(&answer, o->output, STR_NONE);
		}
	}
	return worst;
}

static int
run_get(const void *opts, char **args, int n)
{
	return each(opts, args, n, "GET", "", NULL, NULL);
}

static int
run_delete(const void *opts, char **args, int n)
{
	return each(opts, args, n, "DELETE", "", NULL, "deleted");
}

static int
again(const struct archive_opts *o, char **args, int n, const char *suffix)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct val_map m = { 0 };
	val_map_add(&m, S("parameters"), texts_val(a, &o->parameters));
	val_map_add_str(&m, S("nodeFieldSelector"), str_c(o->node_field_selector));
	val_map_add(&m, S("restartSuccessful"), val_bool(o->restart_successful));
	val_map_add(&m, S("memoized"), val_bool(o->memoized));
	struct val body = val_map_end(&m, a);
	return each(o, args, n, "PUT", suffix, &body, NULL);
}

static int
run_retry(const void *opts, char **args, int n)
{
	return again(opts, args, n, "/retry");
}

static int
run_resubmit(const void *opts, char **args, int n)
{
	return again(opts, args, n, "/resubmit");
}

static int
texts(const struct archive_opts *o, const char *path, const char *key)
{
	struct client c CLEANUP(client_free);
	struct buf b CLEANUP(free_buf) = { 0 };
	struct err e = { 0 };
	struct val answer;
	client_init(&c, &o->common);
	buf_addf(&b, "/api/v1/archived-workflows-%s", path);
	if (key)
		url_query(&b, "listOptions.labelSelector", str_c(key));
	if (client_call(&c, "GET", buf_str(&b), NULL, &answer, &e))
		return cli_fail(&e);
	const struct val *items = val_get(&answer, S("items"));
	for (uint32_t i = 0; val_is(items, VAL_LIST) && i < items->n; i++)
		printf("%.*s\n", STR_ARG(val_text(&items->items[i])));
	return EXIT_DONE;
}

static int
run_keys(const void *opts, char **args UNUSED, int n UNUSED)
{
	return texts(opts, "label-keys", NULL);
}

static int
run_values(const void *opts, char **args UNUSED, int n UNUSED)
{
	const struct archive_opts *o = opts;
	if (!o->selector)
		return cli_usage(NULL, "archive list-label-values: name the key with -l KEY");
	return texts(o, "label-values", o->selector);
}

#define T struct archive_opts
#define WHICH \
	OPTION(T, by_uid, "uid", 0, NULL, "What is given is a uid, whatever it looks like."), \
	OPTION(T, by_name, "name", 0, NULL, "What is given is a name.")
#define OUTPUT OPTION(T, output, "output", 'o', "FORMAT", "name, json, yaml, wide or short.", .choices = outputs)
#define PARAMETERS OPTION(T, parameters, "parameter", 'p', "NAME=VALUE", "A parameter that differs; may be repeated.")
#define FORM(id, verb, ar, what, ex, least, most, fn, ...) \
	static const struct command form_##id = { .name = "archive " verb, .args = ar, .summary = what, .examples = "  tidegate archive " ex "\n", \
		.options = (const struct cli_option[]){ __VA_ARGS__ { 0 } }, .size = sizeof(T), .args_min = least, .args_max = most, .run = fn };
FORM(get, "get", "UID|NAME...", "Show finished workflows.", "get 01983f0e-6f2b-7cc4-9d4e-0a3f6a1c2b3d", 1, -1, run_get, WHICH, OUTPUT, )
FORM(delete, "delete", "UID|NAME...", "Delete finished workflows with their logs.", "delete build-x7k2f", 1, -1, run_delete, WHICH, )
FORM(retry, "retry", "UID|NAME...", "Go on with what failed.", "retry build-x7k2f", 1, -1, run_retry, WHICH, OUTPUT, PARAMETERS,
	OPTION(T, restart_successful, "restart-successful", 0, NULL, "Also the steps that --node-field-selector chooses."),
	OPTION(T, node_field_selector, "node-field-selector", 0, "FIELDS", "Which of the successful steps."), )
FORM(resubmit, "resubmit", "UID|NAME...", "Submit finished workflows again.", "resubmit build-x7k2f -p branch=main", 1, -1, run_resubmit, WHICH, OUTPUT,
	PARAMETERS, OPTION(T, memoized, "memoized", 0, NULL, "Keep the results of what succeeded."), )
FORM(keys, "list-label-keys", "", "Keys of the labels of finished workflows.", "list-label-keys", 0, 0, run_keys, )
FORM(values, "list-label-values", "", "Values of one label of finished workflows.", "list-label-values -l team", 0, 0, run_values,
	OPTION(T, selector, "selector", 'l', "KEY", "The label's key; needed."), )

extern const struct command form_archive_list;
const struct command command_archive = {
	.name = "archive",
	.args = "FORM",
	.summary = "Finished workflows by uid, and their labels.",
	.examples = "  tidegate archive list -l team=a\n  tidegate archive get build-x7k2f\n  tidegate archive list-label-values -l team\n",
	.group = (const struct command *const[]){ &form_archive_list, &form_get, &form_delete, &form_retry, &form_resubmit, &form_keys, &form_values, NULL },
};
