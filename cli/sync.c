/* SPDX-License-Identifier: Apache-2.0 */
/* tidegate sync: limits of semaphores, as `argo sync` has it. */
#include "cli/client.h"

struct sync_opts {
	struct cli_common common;
	const char *type, *cm_name;
	struct cli_int limit;
};

struct sync_call {
	struct client c;
	const struct sync_opts *o;
	str key, type; /* type: as the interface has it */
};

static str
path_of(struct sync_call *x, bool with_key)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, S("/api/v1/sync/"));
	url_escape(&b, x->c.ns);
	if (with_key) {
		buf_addc(&b, '/');
		url_escape(&b, x->key);
		url_query(&b, "type", x->type);
		url_query(&b, "cmName", str_c(x->o->cm_name));
	}
	return arena_dup(x->c.arena, buf_str(&b));
}

static struct val
body_of(struct sync_call *x)
{
	struct val_map m = { 0 };
	val_map_add_str(&m, S("cmName"), str_c(x->o->cm_name));
	val_map_add(&m, S("key"), val_str(x->key));
	val_map_add(&m, S("limit"), val_int(x->o->limit.v));
	val_map_add(&m, S("namespace"), val_str(x->c.ns));
	val_map_add(&m, S("type"), val_str(x->type));
	return val_map_end(&m, x->c.arena);
}

static void
print_limit(const struct sync_call *x, const struct val *v)
{
	const struct val *limit = val_get(v, S("limit"));
	int64_t n = 0;
	if (limit)
		(void)val_to_i64(limit, &n); /* the server sends a number */
	printf("Key: %.*s\nType: %s\n", STR_ARG(x->key), x->o->type);
	if (val_get_str(v, "cmName").n)
		printf("ConfigMap Name: %.*s\n", STR_ARG(val_get_str(v, "cmName")));
	printf("Namespace: %.*s\nLimit: %lld\n", STR_ARG(x->c.ns), (long long)n);
}

/* One row a form. */
struct form {
	const char *name, *method, *said;
	bool limit, key_in_path, body, prints;
};
static const struct form forms[] = {
	{ "create", "POST", "Sync limit created\n", true, false, true, true },
	{ "get", "GET", "", false, true, false, true },
	{ "update", "PUT", "Sync limit updated\n", true, true, true, true },
	{ "delete", "DELETE", "Sync limit deleted\n", false, true, false, false },
};

static const struct form *
form_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

static int
call(struct sync_call *x, const struct form *f)
{
	struct err e;
	struct val body = body_of(x), out = { 0 };
	if (client_call(&x->c, f->method, path_of(x, f->key_in_path), f->body ? &body : NULL, &out, &e))
		return cli_fail(&e);
	fputs(f->said, stdout);
	if (f->prints)
		print_limit(x, &out);
	return EXIT_DONE;
}

static int
run(const void *opts, char **args, int n UNUSED)
{
	const struct sync_opts *o = opts;
	const struct form *f = form_named(args[0]);
	bool database = o->type && strcmp(o->type, "database") == 0;
	if (!f)
		return cli_usage(&command_sync, "no such form \"sync %s\"; there are create, get, update and delete", args[0]);
	if (!o->type)
		return cli_usage(&command_sync, "--type must be either 'database' or 'configmap'");
	if (!database && !o->cm_name)
		return cli_usage(&command_sync, "--cm-name is required when type is configmap");
	if (f->limit && (!o->limit.set || o->limit.v < 1))
		return cli_usage(&command_sync, "--limit must be greater than zero");
	struct sync_call x = { .o = o, .key = str_c(args[1]), .type = database ? S("DATABASE") : S("CONFIGMAP") };
	client_init(&x.c, &o->common);
	int code = call(&x, f);
	client_free(&x.c);
	return code;
}

static const char *const sync_types[] = { "database", "configmap", NULL };

const struct command command_sync = {
	.name = "sync",
	.args = "create|get|update|delete KEY",
	.summary = "Keep the limits of semaphores.",
	.examples = "  tidegate sync create licences --type database --limit 3\n"
		    "  tidegate sync update licences --type configmap --cm-name limits --limit 5\n"
		    "  tidegate sync get licences --type database\n",
	.options = (const struct cli_option[]){
		OPTION(struct sync_opts, type, "type", 0, "TYPE", "database or configmap; needed.", .choices = sync_types),
		OPTION(struct sync_opts, cm_name, "cm-name", 0, "NAME", "The ConfigMap, with type configmap."),
		OPTION(struct sync_opts, limit, "limit", 0, "N", "How many may hold it; with create and update."),
		{ 0 },
	},
	.size = sizeof(struct sync_opts),
	.args_min = 2,
	.args_max = 2,
	.run = run,
};
