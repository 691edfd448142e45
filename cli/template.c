/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate template, cluster-template: templates in force, what they said before, and back to it. */
#include "cli/diff.h"
#include "cli/output.h"
#include "cli/put.h"
#include "cli/workflows.h"
#include "core/clock.h"

struct template_opts {
	struct cli_common common;
	const char *output, *selector;
	bool all, all_namespaces, no_headers, strict;
	struct cli_int revision;
};

/* The kinds, and where they are. */
struct template_kind {
	const char *kind, *path, *word;
	bool cluster;
	const char *key; /* of a request's body */
};
static const struct template_kind namespaced = { "WorkflowTemplate", "/api/v1/workflow-templates", "template", false, "template" };
static const struct template_kind cluster_wide = { "ClusterWorkflowTemplate", "/api/v1/cluster-workflow-templates", "cluster-template", true, "template" };
/* Its other commands are in cron.c. */
static const struct template_kind cron = { "CronWorkflow", "/api/v1/cron-workflows", "cron", false, "cronWorkflow" };

static const char *const list_outputs[] = { "name", "wide", "json", "yaml", NULL };
static const char *const get_outputs[] = { "name", "json", "yaml", NULL };

/* ".../default/NAME/revisions" */
static str
path_of(struct client *c, const struct template_kind *k, str ns, str name, const char *suffix)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_addf(&b, "%s", k->path);
	if (!k->cluster) {
		buf_addc(&b, '/');
		url_escape(&b, ns);
	}
	if (name.n) {
		buf_addc(&b, '/');
		url_escape(&b, name);
	}
	buf_addf(&b, "%s", suffix);
	return arena_dup(c->arena, buf_str(&b));
}

static str
name_of(const struct val *object)
{
	return val_get_str(val_get(object, S("metadata")), "name");
}

static int
fetch(struct client *c, const struct template_kind *k, const struct template_opts *o, struct val *list, struct err *e)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, path_of(c, k, o->all_namespaces ? S("") : c->ns, S(""), ""));
	if (o->selector)
		url_query(&b, "listOptions.labelSelector", str_c(o->selector));
	return client_call(c, "GET", buf_str(&b), NULL, list, e);
}

/* ---- list, get ----------------------------------------------------------------------------------------------- */

static void
print_table(const struct template_kind *k, const struct template_opts *o, const struct val *items)
{
	bool spaces = !k->cluster && o->all_namespaces;
	struct table t = { .columns = spaces ? 2 : 1, .colors = out_colors(stdout) };
	const str heads[] = { S("NAMESPACE"), S("NAME") };
	if (!o->no_headers)
		table_row(&t, heads + !spaces);
	for (uint32_t i = 0; i < items->n; i++) {
		const struct val *meta = val_get(&items->items[i], S("metadata"));
		const str cells[] = { val_get_str(meta, "namespace"), val_get_str(meta, "name") };
		table_row(&t, cells + !spaces);
	}
	table_print(&t, stdout);
}

static int
list_templates(const struct template_kind *k, const struct template_opts *o)
{
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	struct val list;
	client_init(&c, &o->common);
	if (fetch(&c, k, o, &list, &e))
		return cli_fail(&e);
	const struct val *items = val_get(&list, S("items"));
	static const struct val none = { .kind = VAL_LIST };
	items = val_is(items, VAL_LIST) ? items : &none;
	if (o->output && (strcmp(o->output, "json") == 0 || strcmp(o->output, "yaml") == 0))
		print_value(stdout, items, o->output);
	else if (o->output && strcmp(o->output, "name") == 0)
		for (uint32_t i = 0; i < items->n; i++)
			printf("%.*s\n", STR_ARG(name_of(&items->items[i])));
	else if (items->n)
		print_table(k, o, items);
	else
		printf("No %ss found\n", k->kind);
	return EXIT_DONE;
}

/* The manifest in force, or that of --revision. */
static int
fetch_manifest(struct client *c, const struct template_kind *k, str name, int64_t revision, const struct val **out, struct err *e)
{
	struct val *v = ARENA_NEW(c->arena, struct val);
	const char *suffix = revision ? arena_fmt(c->arena, "/revisions/%lld", (long long)revision).p : "";
	if (client_call(c, "GET", path_of(c, k, c->ns, name, suffix), NULL, v, e))
		return -1;
	*out = revision ? val_get(v, S("manifest")) : v;
	return *out ? 0 : err_set(e, ERR_INTERNAL, "the daemon's answer has no manifest");
}

static int
get_templates(const struct template_kind *k, const struct template_opts *o, char **args, int n)
{
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	int worst = EXIT_DONE;
	client_init(&c, &o->common);
	for (int i = 0; i < n; i++) {
		const struct val *v;
		if (fetch_manifest(&c, k, str_c(args[i]), o->revision.v, &v, &e)) {
			worst = cli_fail(&e);
			continue;
		}
		if (o->output && strcmp(o->output, "name") == 0) {
			printf("%.*s\n", STR_ARG(name_of(v)));
			continue;
		}
		if (i && (!o->output || strcmp(o->output, "yaml") == 0))
			puts("---");
		print_value(stdout, v, o->output ? o->output : "yaml");
	}
	return worst;
}

/* ---- create, update, delete ---------------------------------------------------------------------------------- */

struct sending {
	struct client *c;
	const struct template_kind *k;
	bool update;
};

static int
send_template(void *arg, const struct object *o, struct err *e)
{
	const struct sending *s = arg;
	struct client *c = s->c;
	const struct template_kind *k = s->k;
	const bool update = s->update;
	struct val_map body = { 0 };
	/* A file says what shall be, whatever version it was made from: as argo. */
	const struct val *meta = val_unset(c->arena, val_get(o->manifest, S("metadata")), S("resourceVersion"));
	val_map_add(&body, str_c(k->key), *val_set(c->arena, o->manifest, S("metadata"), meta));
	if (update) {
		val_map_add(&body, S("name"), val_str(o->name));
		val_map_add(&body, S("namespace"), val_str(o->ns));
	}
	struct val v = val_map_end(&body, c->arena), made;
	if (client_call(c, update ? "PUT" : "POST", path_of(c, k, o->ns, update ? o->name : S(""), ""), &v, &made, e))
		return err_wrap(e, "%.*s", STR_ARG(o->name));
	printf("%s %.*s %s\n", k->kind, STR_ARG(name_of(&made)), update ? "updated" : "created");
	return 0;
}

static int
put_templates(const struct template_kind *k, const struct template_opts *o, char **args, int n, bool update)
{
	struct client c CLEANUP(client_free);
	struct sending s = { &c, k, update };
	client_init(&c, &o->common);
	const struct put_files files = { k->kind, c.ns, o->strict, send_template, &s };
	return put_files(&files, args, n);
}

static int
delete_one(struct client *c, const struct template_kind *k, str name)
{
	struct err e = { 0 };
	if (client_call(c, "DELETE", path_of(c, k, c->ns, name, ""), NULL, NULL, &e))
		return cli_fail(&e);
	printf("%s %.*s deleted\n", k->kind, STR_ARG(name));
	return EXIT_DONE;
}

static int
delete_templates(const struct template_kind *k, const struct template_opts *o, char **args, int n)
{
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	struct val list;
	int worst = EXIT_DONE;
	client_init(&c, &o->common);
	if (!n && !o->all) {
		(void)err_set(&e, ERR_INVALID, "name a %s, or say --all", k->kind);
		return cli_fail(&e);
	}
	for (int i = 0; i < n; i++) {
		int code = delete_one(&c, k, str_c(args[i]));
		worst = code > worst ? code : worst;
	}
	if (!o->all)
		return worst;
	if (fetch(&c, k, o, &list, &e))
		return cli_fail(&e);
	const struct val *items = val_get(&list, S("items"));
	for (uint32_t i = 0; val_is(items, VAL_LIST) && i < items->n; i++) {
		int code = delete_one(&c, k, name_of(&items->items[i]));
		worst = code > worst ? code : worst;
	}
	return worst;
}

/* ---- history, diff, rollback --------------------------------------------------------------------------------- */

static int
revisions(struct client *c, const struct template_kind *k, str name, struct val *out, struct err *e)
{
	struct val v;
	if (client_call(c, "GET", path_of(c, k, c->ns, name, "/revisions"), NULL, &v, e))
		return -1;
	const struct val *items = val_get(&v, S("items"));
	if (!val_is(items, VAL_LIST) || !items->n)
		return err_set(e, ERR_NOT_FOUND, "no revisions of %.*s", STR_ARG(name));
	*out = *items;
	return 0;
}

static int64_t
number_of(const struct val *revision)
{
	int64_t n = 0;
	const struct val *v = val_get(revision, S("revision"));
	return v && val_to_i64(v, &n) ? n : 0;
}

static int
history(const struct template_kind *k, const struct template_opts *o, char **args)
{
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	struct val list;
	client_init(&c, &o->common);
	if (revisions(&c, k, str_c(args[0]), &list, &e))
		return cli_fail(&e);
	if (o->output && strcmp(o->output, "name") != 0) {
		print_value(stdout, &list, o->output);
		return EXIT_DONE;
	}
	struct table t = { .columns = 5, .colors = out_colors(stdout) };
	const str heads[] = { S("REVISION"), S("AGE"), S("TIME"), S("HASH"), S("ORIGIN") };
	table_row(&t, heads);
	for (uint32_t i = 0; i < list.n; i++) {
		const struct val *r = &list.items[i];
		int64_t age = clock_wall_ns() - time_member(r, "createdAt");
		const str cells[] = { arena_fmt(c.arena, "%lld", (long long)number_of(r)), age_text(c.arena, age), val_get_str(r, "createdAt"),
			val_get_str(r, "hash"), val_get_str(r, "origin") };
		table_row(&t, cells);
	}
	table_print(&t, stdout);
	return EXIT_DONE;
}

static int
read_number(const char *text, int64_t *out, struct err *e)
{
	if (str_to_i64(str_c(text), out) && *out > 0)
		return 0;
	return err_set(e, ERR_INVALID, "\"%s\" is no revision: they are numbers from 1 on", text);
}

static int
manifest_text(struct client *c, const struct template_kind *k, str name, int64_t number, str *out, struct err *e)
{
	const struct val *v;
	struct buf b CLEANUP(free_buf) = { 0 };
	if (fetch_manifest(c, k, name, number, &v, e))
		return -1;
	yaml_write_buf(&b, v);
	*out = arena_dup(c->arena, buf_str(&b));
	return 0;
}

/* Without numbers the last change; with one, what changed since it. */
static int
which(struct client *c, const struct template_kind *k, char **args, int n, int64_t *a, int64_t *b, struct err *e)
{
	struct val list;
	if (n == 3)
		return read_number(args[1], a, e) || read_number(args[2], b, e) ? -1 : 0;
	if (revisions(c, k, str_c(args[0]), &list, e))
		return -1;
	*b = number_of(&list.items[0]);
	if (n == 2)
		return read_number(args[1], a, e);
	if (list.n < 2)
		return err_set(e, ERR_NOT_FOUND, "%s has one revision: nothing to compare it with", args[0]);
	*a = number_of(&list.items[1]);
	return 0;
}

static int
diff(const struct template_kind *k, const struct template_opts *o, char **args, int n)
{
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	struct buf out CLEANUP(free_buf) = { 0 };
	int64_t a, b;
	str old_text, new_text, name = str_c(args[0]);
	client_init(&c, &o->common);
	if (which(&c, k, args, n, &a, &b, &e) || manifest_text(&c, k, name, a, &old_text, &e) || manifest_text(&c, k, name, b, &new_text, &e))
		return cli_fail(&e);
	bool differ = diff_unified(&out, arena_fmt(c.arena, "%.*s revision %lld", STR_ARG(name), (long long)a), old_text,
		arena_fmt(c.arena, "%.*s revision %lld", STR_ARG(name), (long long)b), new_text, out_colors(stdout));
	fwrite(out.p ? out.p : "", 1, out.n, stdout);
	return differ ? EXIT_NEGATIVE : EXIT_DONE;
}

static int
rollback(const struct template_kind *k, const struct template_opts *o, char **args)
{
	struct client c CLEANUP(client_free);
	struct err e = { 0 };
	struct val_map body = { 0 };
	struct val list;
	client_init(&c, &o->common);
	if (o->revision.set)
		val_map_add(&body, S("revision"), val_int(o->revision.v));
	struct val v = val_map_end(&body, c.arena);
	if (client_call(&c, "PUT", path_of(&c, k, c.ns, str_c(args[0]), "/rollback"), &v, NULL, &e) ||
	    revisions(&c, k, str_c(args[0]), &list, &e))
		return cli_fail(&e);
	printf("%s %s is at revision %lld (%.*s)\n", k->kind, args[0], (long long)number_of(&list.items[0]),
	       STR_ARG(val_get_str(&list.items[0], "origin")));
	return EXIT_DONE;
}

/* ---- the tables ---------------------------------------------------------------------------------------------- */

#define T struct template_opts
#define RUNS(sx, k) \
	static int run_list_##sx(const void *o, char **args UNUSED, int n UNUSED) { return list_templates(&k, o); } \
	static int run_get_##sx(const void *o, char **args, int n) { return get_templates(&k, o, args, n); } \
	static int run_create_##sx(const void *o, char **args, int n) { return put_templates(&k, o, args, n, false); } \
	static int run_update_##sx(const void *o, char **args, int n) { return put_templates(&k, o, args, n, true); } \
	static int run_delete_##sx(const void *o, char **args, int n) { return delete_templates(&k, o, args, n); } \
	static int run_history_##sx(const void *o, char **args, int n UNUSED) { return history(&k, o, args); } \
	static int run_diff_##sx(const void *o, char **args, int n) { return diff(&k, o, args, n); } \
	static int run_rollback_##sx(const void *o, char **args, int n UNUSED) { return rollback(&k, o, args); }
RUNS(ns, namespaced)
RUNS(cl, cluster_wide)
static int run_delete_cron(const void *o, char **args, int n) { return delete_templates(&cron, o, args, n); }

#define OUTPUT(ch, words) OPTION(T, output, "output", 'o', "FORMAT", words, .choices = ch)
#define ALL_NAMESPACES OPTION(T, all_namespaces, "all-namespaces", 'A', NULL, "Of every namespace.")
#define OPTIONS(id, ...) static const struct cli_option id[] = { __VA_ARGS__ { 0 } };
OPTIONS(list_ns, ALL_NAMESPACES, OPTION(T, selector, "selector", 'l', "LABELS", "Those with these labels."),
	OPTION(T, no_headers, "no-headers", 0, NULL, "No line with the names of the columns."), OUTPUT(list_outputs, "name, wide, json or yaml."), )
OPTIONS(list_cl, OPTION(T, selector, "selector", 'l', "LABELS", "Those with these labels."),
	OPTION(T, no_headers, "no-headers", 0, NULL, "No line with the names of the columns."), OUTPUT(list_outputs, "name, wide, json or yaml."), )
OPTIONS(get_options, OPTION(T, revision, "revision", 0, "N", "What it said then; else what is in force."), OUTPUT(get_outputs, "yaml (if not given), json or name."), )
OPTIONS(put_options, OPTION(T, strict, "strict", 0, NULL, "Warnings are errors."), )
OPTIONS(delete_options, OPTION(T, all, "all", 0, NULL, "All of the namespace; of every cluster-wide one."), )
OPTIONS(history_options, OUTPUT(get_outputs, "json or yaml."), )
OPTIONS(no_options, )
OPTIONS(rollback_options, OPTION(T, revision, "to", 0, "N", "That revision; the one before, if not given."), )

#define FORM(sx, word, verb, ar, what, ex, ops, least, most) \
	static FORM_IN_GROUP(sx, word, verb, ar, what, ex, ops, least, most)
#define FORM_IN_GROUP(sx, word, verb, ar, what, ex, ops, least, most) \
	const struct command form_##verb##_##sx = { .name = word " " #verb, .args = ar, .summary = what, .examples = "  tidegate " word " " ex "\n", \
		.options = ops, .size = sizeof(T), .args_min = least, .args_max = most, .run = run_##verb##_##sx };
#define FORMS(sx, word, list_ops) \
	FORM(sx, word, list, "", "List templates.", "list", list_ops, 0, 0) \
	FORM(sx, word, get, "NAME...", "Print templates.", "get release --revision 3 > release.yaml", get_options, 1, -1) \
	FORM(sx, word, create, "FILE...", "Create templates.", "create release.yaml", put_options, 1, -1) \
	FORM(sx, word, update, "FILE...", "Replace templates.", "update release.yaml", put_options, 1, -1) \
	FORM(sx, word, delete, "[NAME...]", "Delete templates; their revisions stay.", "delete release", delete_options, 0, -1) \
	FORM(sx, word, history, "NAME", "List the revisions of a template.", "history release", history_options, 1, 1) \
	FORM(sx, word, diff, "NAME [REVISION [REVISION]]", "Show what changed: last, since a revision, or between two.", "diff release 3", no_options, 1, 3) \
	FORM(sx, word, rollback, "NAME", "Make an earlier revision the newest.", "rollback release --to 3", rollback_options, 1, 1)
FORMS(ns, "template", list_ns)
FORMS(cl, "cluster-template", list_cl)
FORM_IN_GROUP(cron, "cron", delete, "[NAME...]", "Delete CronWorkflows; what they started goes on and stays.", "delete nightly", delete_options, 0, -1)

extern const struct command form_template_lint, form_cluster_template_lint;
#define GROUP(sx, lint) \
	(const struct command *const[]) { &form_list_##sx, &form_get_##sx, &form_create_##sx, &form_update_##sx, &form_delete_##sx, &lint, &form_history_##sx, \
		&form_diff_##sx, &form_rollback_##sx, NULL }

const struct command command_template = {
	.name = "template",
	.args = "FORM",
	.summary = "WorkflowTemplates, and what they said before.",
	.examples = "  tidegate template list\n  tidegate template history release\n  tidegate template diff release\n"
	            "  tidegate template rollback release --to 3\n",
	.group = GROUP(ns, form_template_lint),
};

const struct command command_cluster_template = {
	.name = "cluster-template",
	.args = "FORM",
	.summary = "ClusterWorkflowTemplates, likewise.",
	.examples = "  tidegate cluster-template create shared.yaml\n  tidegate cluster-template history shared\n",
	.group = GROUP(cl, form_cluster_template_lint),
	.aliases = (const char *const[]){ "cwftmpl", "cwft", NULL },
};
