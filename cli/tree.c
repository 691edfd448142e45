/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes of a status form a graph (children point at what came after); people want to see containment. A node's place
 * is under the Retry or TaskGroup that made it, else under its boundary. Siblings stand in order of their start.
 */
#include "cli/output.h"
#include "cli/tree.h"
#include "core/map.h"

enum { INDENT_MAX = 256 };

struct tnode {
	const struct val *v;
	str name, type, phase, shown;
	struct tnode *parent, *first, *last, *next; /* children in order */
	int64_t start;
	size_t order;
	bool hidden; /* its children stand in its place */
};

struct tree {
	struct buf *out;
	const struct tree_opts *o;
	struct arena *a;
	str workflow;
	struct table table;
	size_t lines, left_out;
	int64_t now;
};

static bool
is_any(str s, const char *const *words)
{
	for (; *words; words++)
		if (str_eq(s, str_c(*words)))
			return true;
	return false;
}

static int
by_start(const void *x, const void *y)
{
	const struct tnode *a = *(struct tnode *const *)x, *b = *(struct tnode *const *)y;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

static void
adopt(struct tnode *parent, struct tnode *n)
{
	n->parent = parent;
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
}

/* The node a Retry or a TaskGroup made is called "<name>(<index>...)" and is among its children. */
static struct tnode *
maker(const struct map *by_id, const struct map *maker_of, const struct tnode *n)
{
	struct tnode *m = map_get(maker_of, val_get_str(n->v, "id"));
	return m ? m : map_get(by_id, val_get_str(n->v, "boundaryID"));
}

static void
note_makers(const struct map *by_id, struct map *maker_of, struct tnode *n)
{
	const struct val *children = val_get(n->v, S("children"));
	if (!is_any(n->type, (const char *const[]){ "Retry", "TaskGroup", NULL }) || !val_is(children, VAL_LIST))
		return;
	for (uint32_t i = 0; i < children->n; i++) {
		struct tnode *child = map_get(by_id, val_text(&children->items[i]));
		if (child && child->name.n > n->name.n && str_starts(child->name, n->name) && child->name.p[n->name.n] == '(')
			(void)map_put(maker_of, val_text(&children->items[i]), n);
	}
}

static struct tnode *
one_child(const struct tnode *n)
{
	return n->first && !n->first->next ? n->first : NULL;
}

/* Builds the containment tree under `root` (a node of our own without a value). */
static void
build(struct tree *t, const struct val *nodes, struct tnode *root)
{
	struct map by_id = { 0 }, maker_of = { 0 };
	size_t n = nodes->n;
	struct tnode *all = ARENA_ARRAY(t->a, struct tnode, n + 1);
	struct tnode **order = ARENA_ARRAY(t->a, struct tnode *, n + 1);
	for (size_t i = 0; i < n; i++) {
		const struct val *v = &nodes->members[i].value;
		all[i] = (struct tnode){ .v = v, .name = val_get_str(v, "name"), .type = val_get_str(v, "type"), .order = i,
		                         .phase = val_get_str(v, "phase"), .shown = val_get_str(v, "displayName"),
		                         .start = time_member(v, "startedAt") };
		all[i].hidden = is_any(all[i].type, (const char *const[]){ "StepGroup", NULL });
		order[i] = &all[i];
		(void)map_put(&by_id, val_get_str(v, "id"), &all[i]);
	}
	for (size_t i = 0; i < n; i++)
		note_makers(&by_id, &maker_of, &all[i]);
	qsort(order, n, sizeof *order, by_start);
	for (size_t i = 0; i < n; i++) {
		struct tnode *parent = maker(&by_id, &maker_of, order[i]);
		adopt(parent && parent != order[i] ? parent : root, order[i]);
	}
	for (size_t i = 0; i < n; i++)
		if (str_eq(all[i].type, S("Retry")) && one_child(&all[i])) {
			all[i].hidden = true;
			one_child(&all[i])->shown = all[i].shown;
		}
	map_free(&by_id);
	map_free(&maker_of);
}

static str
node_duration(struct tree *t, const struct tnode *n)
{
	if (!n->start || is_any(n->phase, (const char *const[]){ "Skipped", "Omitted", "Pending", NULL }))
		return S("");
	int64_t end = time_member(n->v, "finishedAt");
	return duration_text(t->a, (end ? end : t->now) - n->start);
}

static str
node_template(const struct tnode *n)
{
	str name = val_get_str(n->v, "templateName");
	return name.n ? name : val_get_str(val_get(n->v, S("templateRef")), "template");
}

/* As `logs` takes it: <workflow>-<template>-<number of the node's id>; the root's is the workflow's (spec 2.1). */
static str
node_pod(struct tree *t, const struct tnode *n)
{
	enum { PREFIX_MAX = 242 };
	str id = val_get_str(n->v, "id"), template = node_template(n);
	if (!str_eq(n->type, S("Pod")))
		return S("");
	if (str_eq(id, t->workflow) || !str_starts(id, t->workflow) || !template.n)
		return id;
	str prefix = arena_fmt(t->a, "%.*s-%.*s", STR_ARG(t->workflow), STR_ARG(template));
	return arena_fmt(t->a, "%.*s%.*s", STR_ARG(str_slice(prefix, 0, PREFIX_MAX)), STR_ARG(str_slice(id, t->workflow.n, id.n)));
}

static void
node_row(struct tree *t, const struct tnode *n, const char *indent)
{
	str step = arena_fmt(t->a, "%s%s %.*s", indent, phase_sign(n->phase, n->type, !t->o->ascii), STR_ARG(n->shown));
	str message = val_get_str(n->v, "message");
	str wide[] = { step, n->phase.n ? n->phase : S("Pending"), node_template(n), node_pod(t, n), node_duration(t, n), message };
	str narrow[] = { wide[0], wide[1], wide[4], message };
	table_row(&t->table, t->o->wide ? wide : narrow);
	t->lines++;
}

static bool
visible(const struct tree *t, const struct tnode *n)
{
	if (str_eq(n->phase, S("Omitted")))
		return false;
	return !t->o->status.n || str_eq(n->phase, t->o->status);
}

static void print_children(struct tree *t, const struct tnode *n, char *indent, size_t depth);

static void
print_node(struct tree *t, const struct tnode *n, char *indent, size_t depth, bool last, bool top)
{
	size_t used = strlen(indent);
	if (t->o->max_lines && t->lines >= t->o->max_lines) {
		t->left_out++;
		return;
	}
	bool room = used + 8 < INDENT_MAX;
	if (!top && room)
		strncat(indent, t->o->ascii ? (last ? "`-" : "|-") : (last ? "└─" : "├─"), INDENT_MAX - used - 1);
	if (visible(t, n))
		node_row(t, n, indent);
	indent[used] = 0;
	if (!top && room)
		strncat(indent, last ? "  " : (t->o->ascii ? "| " : "│ "), INDENT_MAX - used - 1);
	print_children(t, n, indent, depth + 1);
	indent[used] = 0;
}

/* The last sibling gets another corner, so hidden nodes are unfolded before the drawing. */
static void
unfold(const struct tree *t, const struct tnode *n, struct tnode ***out, size_t *count)
{
	for (struct tnode *c = n->first; c; c = c->next) {
		if (c->hidden) {
			unfold(t, c, out, count);
		} else if (visible(t, c) || c->first) {
			if (*out)
				(*out)[*count] = c;
			++*count;
		}
	}
}

static void
print_children(struct tree *t, const struct tnode *n, char *indent, size_t depth)
{
	struct tnode **list = NULL;
	size_t count = 0, again = 0;
	unfold(t, n, &list, &count);
	if (count == 0)
		return;
	list = ARENA_ARRAY(t->a, struct tnode *, count);
	unfold(t, n, &list, &again);
	for (size_t i = 0; i < count; i++)
		print_node(t, list[i], indent, depth, i == count - 1, depth == 0);
}

/* The table as text; lines longer than the terminal are cut, since a wrapped line cannot be painted over. */
static size_t
render(struct tree *t)
{
	char *text = NULL;
	size_t n = 0, lines = 0;
	FILE *f = open_memstream(&text, &n);
	table_print(&t->table, f);
	if (t->left_out)
		fprintf(f, "... and %zu more\n", t->left_out);
	fclose(f);
	for (str rest = { text, n }; rest.n; lines++) {
		str line = str_cut(&rest, '\n');
		size_t max = t->o->max_columns;
		if (max && !t->o->colors && text_width(line) > max)
			line = str_slice(line, 0, max);
		buf_add(t->out, line);
		buf_addc(t->out, '\n');
	}
	free(text);
	return lines;
}

size_t
tree_print(struct buf *out, const struct val *workflow, const struct tree_opts *o, int64_t now)
{
	const struct val *nodes = val_path(workflow, "status.nodes");
	if (!val_is(nodes, VAL_MAP) || nodes->n == 0)
		return 0;
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct tree t = { .out = out, .o = o, .a = a, .now = now, .workflow = val_get_str(val_get(workflow, S("metadata")), "name"),
		.table = { .columns = o->wide ? 6 : 4, .colors = o->colors } };
	struct tnode root = { 0 };
	char indent[INDENT_MAX] = "";
	const str wide[] = { S("STEP"), S("STATUS"), S("TEMPLATE"), S("PODNAME"), S("DURATION"), S("MESSAGE") };
	const str narrow[] = { S("STEP"), S("STATUS"), S("DURATION"), S("MESSAGE") };
	table_row(&t.table, o->wide ? wide : narrow);
	build(&t, nodes, &root);
	print_children(&t, &root, indent, 0);
	return render(&t);
}

/* ---- header ------------------------------------------------------------------------------------------------- */

static bool
is_suspended(const struct val *workflow)
{
	const struct val *flag = val_path(workflow, "spec.suspend"), *nodes = val_path(workflow, "status.nodes");
	if (val_is(flag, VAL_BOOL) && flag->b)
		return true;
	for (uint32_t i = 0; val_is(nodes, VAL_MAP) && i < nodes->n; i++) {
		const struct val *n = &nodes->members[i].value;
		if (str_eq(val_get_str(n, "type"), S("Suspend")) && str_eq(val_get_str(n, "phase"), S("Running")))
			return true;
	}
	return false;
}

str
workflow_status(struct arena *a, const struct val *workflow)
{
	str phase = val_get_str(val_get(workflow, S("status")), "phase");
	if (!phase.n)
		phase = S("Pending");
	bool open = is_any(phase, (const char *const[]){ "Pending", "Running", NULL });
	return open && is_suspended(workflow) ? arena_fmt(a, "%.*s (Suspended)", STR_ARG(phase)) : phase;
}

static void
header_line(struct buf *out, const char *name, str value)
{
	if (value.n)
		buf_addf(out, "%-20s%.*s\n", name, STR_ARG(value));
}

static void
header_time(struct buf *out, struct arena *a, const char *name, int64_t at, int64_t now)
{
	if (at)
		header_line(out, name, arena_fmt(a, "%.*s (%.*s ago)", STR_ARG(time_rfc3339(a, at)), STR_ARG(age_text(a, now - at))));
}

static void
header_parameters(struct buf *out, const char *title, const struct val *list)
{
	if (!val_is(list, VAL_LIST) || list->n == 0)
		return;
	buf_addf(out, "%s\n", title);
	for (uint32_t i = 0; i < list->n; i++) {
		str name = val_get_str(&list->items[i], "name"), value = val_get_str(&list->items[i], "value");
		buf_addf(out, "  %.*s: %.*s\n", STR_ARG(name), STR_ARG(str_slice(value, 0, 400)));
	}
}

/* What the steps ran in, by the names of their images. */
static void
header_images(struct buf *out, const struct val *images)
{
	if (!val_is(images, VAL_MAP) || images->n == 0)
		return;
	buf_addf(out, "Images:\n");
	for (uint32_t i = 0; i < images->n; i++) {
		str name = val_key(&images->members[i]), digest = val_text(&images->members[i].value);
		buf_addf(out, "  %.*s: %.*s\n", STR_ARG(name), STR_ARG(str_eq(digest, S("host")) ? S("the host's commands") : digest));
	}
}

/* "2s*(1 cpu),5s*(100Mi memory)": seconds of a core, and of 100Mi. As the argo command shows it. */
static str
resources_text(struct arena *a, const struct val *used)
{
	int64_t cpu = 0, memory = 0;
	const struct val *c = val_get(used, S("cpu")), *m = val_get(used, S("memory"));
	if (!c || !m || !val_to_i64(c, &cpu) || !val_to_i64(m, &memory))
		return STR_NONE;
	return arena_fmt(a, "%llds*(1 cpu),%llds*(100Mi memory)", (long long)cpu, (long long)memory);
}

void
workflow_header(struct buf *out, const struct val *workflow, bool colors, int64_t now)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct val *meta = val_get(workflow, S("metadata")), *status = val_get(workflow, S("status"));
	int64_t start = time_member(status, "startedAt"), end = time_member(status, "finishedAt");
	str phase = workflow_status(a, workflow);
	str first = phase;
	const char *color = phase_color(str_cut(&first, ' '));
	header_line(out, "Name:", val_get_str(meta, "name"));
	header_line(out, "Namespace:", val_get_str(meta, "namespace"));
	header_line(out, "Status:", colors && *color ? arena_fmt(a, "\033[%sm%.*s\033[0m", color, STR_ARG(phase)) : phase);
	header_line(out, "Message:", val_get_str(status, "message"));
	header_time(out, a, "Created:", time_member(meta, "creationTimestamp"), now);
	header_time(out, a, "Started:", start, now);
	header_time(out, a, "Finished:", end, now);
	int64_t estimated = 0;
	if (start)
		header_line(out, "Duration:", duration_text(a, (end ? end : now) - start));
	if (!end && val_to_i64(val_get(status, S("estimatedDuration")), &estimated))
		header_line(out, "EstimatedDuration:", duration_text(a, estimated * NS_PER_SEC));
	header_line(out, "Progress:", val_get_str(status, "progress"));
	header_line(out, "ResourcesDuration:", resources_text(a, val_get(status, S("resourcesDuration"))));
	header_images(out, val_path(status, "tidegate.images"));
	header_parameters(out, "Parameters:", val_path(workflow, "spec.arguments.parameters"));
	header_parameters(out, "Output Parameters:", val_path(status, "outputs.parameters"));
}
