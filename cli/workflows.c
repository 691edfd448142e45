/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/live.h"
#include "cli/output.h"
#include "cli/tree.h"
#include "cli/workflows.h"
#include "core/clock.h"

const char *const workflow_outputs[] = { "name", "json", "yaml", "wide", "short", NULL };

/* ---- following ---------------------------------------------------------------------------------------------- */

struct follow {
	struct live live;
	bool tree, ended, gone;
	struct arena *a;
	str phase, message;
};

static bool
follow_line(void *arg, const struct val *v, struct arena *tmp UNUSED)
{
	struct follow *f = arg;
	const struct val *result = val_get(v, S("result")), *workflow = val_get(result, S("object"));
	f->gone = str_eq(val_get_str(result, "type"), S("DELETED"));
	f->phase = arena_dup(f->a, val_get_str(val_get(workflow, S("status")), "phase"));
	f->ended = str_eq(f->phase, S("Succeeded")) || str_eq(f->phase, S("Failed")) || str_eq(f->phase, S("Error"));
	if (f->tree && workflow)
		live_show(&f->live, workflow, f->ended);
	return !f->ended && !f->gone;
}

int
follow_workflow(struct client *c, str name, bool tree, str *phase)
{
	struct err e = { 0 };
	struct follow f = { .tree = tree, .a = c->arena };
	struct buf path CLEANUP(free_buf) = { 0 };
	struct val seen;
	/* A name that does not exist would be waited for for ever; "@latest" must become a name that stays. */
	if (client_call(c, "GET", workflow_path(c, name, "?fields=metadata.name"), NULL, &seen, &e))
		return cli_fail(&e);
	buf_add(&path, S("/api/v1/workflow-events/"));
	url_escape(&path, c->ns);
	buf_add(&path, S("?listOptions.resourceVersion=0&listOptions.fieldSelector=metadata.name%3D"));
	url_escape(&path, val_get_str(val_get(&seen, S("metadata")), "name"));
	if (!tree) /* the nodes of a large workflow are not for waiting */
		url_query(&path, "fields", S("result.type,result.object.metadata.name,result.object.status.phase"));
	live_init(&f.live, stdout);
	int failed = client_stream(c, buf_str(&path), follow_line, &f, &e);
	live_free(&f.live);
	if (failed)
		return cli_fail(&e);
	if (!f.ended) {
		(void)err_set(&e, f.gone ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "workflow %.*s: %s", STR_ARG(name),
		              f.gone ? "it was deleted" : "the daemon stopped before it ended");
		return cli_fail(&e);
	}
	*phase = f.phase;
	return str_eq(f.phase, S("Succeeded")) ? EXIT_DONE : EXIT_FAILED;
}

/* Pods get colours in the order they appear. */
struct log_print {
	bool colors;
	struct arena *a;
	struct map color_of;
	struct err err;
};

static const char *
pod_color(struct log_print *p, str pod)
{
	static const char *const colors[] = { "31", "32", "33", "34", "35", "36" };
	const char *color = map_get(&p->color_of, pod);
	if (!color) {
		color = colors[p->color_of.n % ARRAY_LEN(colors)];
		union {
			const char *in;
			void *out;
		} keep = { .in = color };
		(void)map_put(&p->color_of, arena_dup(p->a, pod), keep.out);
	}
	return color;
}

static bool
log_line_print(void *arg, const struct val *v, struct arena *tmp UNUSED)
{
	struct log_print *p = arg;
	const struct val *error = val_get(v, S("error")), *entry = val_get(v, S("result"));
	if (error) {
		(void)err_set(&p->err, ERR_INTERNAL, "%.*s", STR_ARG(val_get_str(error, "message")));
		return false;
	}
	str pod = val_get_str(entry, "podName"), content = val_get_str(entry, "content");
	if (p->colors)
		printf("\033[%sm%.*s\033[0m: ", pod_color(p, pod), STR_ARG(pod));
	else
		printf("%.*s: ", STR_ARG(pod));
	fwrite(content.p ? content.p : "", 1, content.n, stdout);
	putchar('\n');
	fflush(stdout);
	return !ferror(stdout);
}

int
follow_logs(struct client *c, str name, const char *pod, str query, bool no_color)
{
	struct err e = { 0 };
	struct log_print p = { .colors = !no_color && out_colors(stdout), .a = c->arena };
	struct buf path CLEANUP(free_buf) = { 0 };
	buf_add(&path, workflow_path(c, name, ""));
	if (pod) {
		buf_addc(&path, '/');
		url_escape(&path, str_c(pod));
	}
	buf_add(&path, S("/log"));
	buf_add(&path, query);
	int failed = client_stream(c, buf_str(&path), log_line_print, &p, &e);
	map_free(&p.color_of);
	if (failed || p.err.code)
		return cli_fail(failed ? &e : &p.err);
	return EXIT_DONE;
}

/* ---- printing one ------------------------------------------------------------------------------------------- */

void
print_workflow(const struct val *workflow, const char *how, str status)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	const struct val *meta = val_get(workflow, S("metadata"));
	if (how && strcmp(how, "name") == 0) {
		printf("%.*s\n", STR_ARG(val_get_str(meta, "name")));
		return;
	}
	if (how && (strcmp(how, "json") == 0 || strcmp(how, "yaml") == 0)) {
		print_value(stdout, workflow, how);
		return;
	}
	struct tree_opts o = { .colors = out_colors(stdout), .wide = !how || strcmp(how, "short") != 0, .status = status };
	workflow_header(&b, workflow, o.colors, clock_wall_ns());
	buf_addc(&b, '\n');
	if (tree_print(&b, workflow, &o, clock_wall_ns()) == 0)
		b.n--; /* no nodes yet: no empty line */
	fwrite(b.p, 1, b.n, stdout);
}

/* ---- bodies ------------------------------------------------------------------------------------------------- */

struct val
verb_body(struct client *c, str name, struct val_map *more)
{
	val_map_add(more, S("namespace"), val_str(c->ns));
	val_map_add(more, S("name"), val_str(name));
	return val_map_end(more, c->arena);
}

struct val
texts_val(struct arena *a, const struct cli_texts *t)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < t->n; i++)
		val_list_add(&list, val_cstr(t->p[i]));
	return val_list_end(&list, a);
}
