/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/live.h"
#include "cli/output.h"
#include "cli/tree.h"
#include "core/clock.h"

void
live_init(struct live *l, FILE *f)
{
	*l = (struct live){ .f = f, .paint = out_is_terminal(f), .seen_arena = arena_new() };
}

void
live_free(struct live *l)
{
	map_free(&l->seen);
	arena_free(l->seen_arena);
}

static void
paint(struct live *l, const struct val *workflow, bool last)
{
	struct buf text CLEANUP(free_buf) = { 0 };
	unsigned rows = out_lines(l->f), columns = out_columns(l->f);
	/* The header takes up to ten lines, and a painting must fit the screen to be painted over. The last one may scroll. */
	struct tree_opts o = { .colors = out_colors(l->f), .max_columns = columns, .max_lines = last || rows < 24 ? 0 : rows - 14 };
	workflow_header(&text, workflow, o.colors, clock_wall_ns());
	buf_addc(&text, '\n');
	tree_print(&text, workflow, &o, clock_wall_ns());
	if (l->lines)
		fprintf(l->f, "\033[%zuA\033[J", l->lines);
	fwrite(text.p, 1, text.n, l->f);
	fflush(l->f);
	l->lines = 0;
	for (size_t i = 0; i < text.n; i++)
		l->lines += text.p[i] == '\n';
}

static void
tell(struct live *l, const struct val *node)
{
	str id = val_get_str(node, "id"), phase = val_get_str(node, "phase"), message = val_get_str(node, "message");
	const str *before = map_get(&l->seen, id);
	if (before && str_eq(*before, phase))
		return;
	str *now = ARENA_NEW(l->seen_arena, str);
	*now = arena_dup(l->seen_arena, phase);
	(void)map_put(&l->seen, before ? id : arena_dup(l->seen_arena, id), now);
	str type = val_get_str(node, "type"), name = val_get_str(node, "name");
	if (str_eq(type, S("StepGroup")) || str_eq(type, S("Retry")) || !phase.n)
		return;
	fprintf(l->f, "%.*s: %.*s%s%.*s\n", STR_ARG(name), STR_ARG(phase), message.n ? ": " : "", STR_ARG(message));
	fflush(l->f);
}

void
live_show(struct live *l, const struct val *workflow, bool last)
{
	if (l->paint) {
		paint(l, workflow, last);
		return;
	}
	const struct val *nodes = val_path(workflow, "status.nodes");
	for (uint32_t i = 0; val_is(nodes, VAL_MAP) && i < nodes->n; i++)
		tell(l, &nodes->members[i].value);
}
