/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive_tags: what a finished workflow can be found by without reading it. Its labels, parameters and outputs are rows
 * of one table, in the order of the list (newest end first) within each value: a query follows the rarest of its
 * values and stops when its page is full, however many workflows there are.
 *
 * Each value lies elsewhere in that table, so that a page for each of them and of its index would be written when a workflow ends.
 * They wait in a table of their own, one beside the other, and go where they are looked for together with those of other workflows:
 * when there are many, or when somebody is about to look (tags_settled). A restart finds them there.
 */
#include "engine/shell.h"

enum {
	TAGS_MAX = 200,      /* of one workflow */
	TAG_VALUE_MAX = 256, /* bytes of a value that are compared */
};

/* What was finished before there was this table is entered from its rows; its spec.workflowMetadata is not looked at. */
const char archive_schema_sql[] =
	"ALTER TABLE workflow ADD COLUMN started INTEGER;"
	"CREATE TABLE workflow_tag ("
	" kind INTEGER NOT NULL," /* enum tag_kind */
	" name TEXT NOT NULL, value TEXT NOT NULL,"
	" finished INTEGER NOT NULL, id INTEGER NOT NULL,"
	" PRIMARY KEY (kind, name, value, finished, id)) WITHOUT ROWID;"
	"CREATE INDEX workflow_tag_of ON workflow_tag (id, kind, name);"
	"CREATE INDEX workflow_uid ON workflow (uid);"
	"CREATE INDEX workflow_list ON workflow (ns, finished, id, name, created) WHERE finished IS NOT NULL;"
	"UPDATE workflow SET started = json_extract(CAST(state AS TEXT), '$.started');"
	"INSERT OR IGNORE INTO workflow_tag SELECT 0, t.key, substr(t.atom, 1, 256), w.finished, w.id"
	" FROM workflow w JOIN workflow_spec s USING (id), json_each(CAST(s.spec AS TEXT), '$.manifest.metadata.labels') t"
	" WHERE w.finished IS NOT NULL AND t.type = 'text';"
	"INSERT OR IGNORE INTO workflow_tag SELECT 0, 'workflows.argoproj.io/phase', phase, finished, id"
	" FROM workflow WHERE finished IS NOT NULL;"
	"INSERT OR IGNORE INTO workflow_tag SELECT 0,"
	" iif(json_extract(t, '$.clusterScope'), 'workflows.argoproj.io/cluster-workflow-template', 'workflows.argoproj.io/workflow-template'),"
	" json_extract(t, '$.name'), finished, id FROM (SELECT w.finished, w.id,"
	" json_extract(CAST(s.spec AS TEXT), '$.manifest.spec.workflowTemplateRef') t"
	" FROM workflow w JOIN workflow_spec s USING (id) WHERE w.finished IS NOT NULL) WHERE json_extract(t, '$.name') IS NOT NULL;"
	"INSERT OR IGNORE INTO workflow_tag SELECT 1, t.key, substr(t.atom, 1, 256), w.finished, w.id"
	" FROM workflow w, json_each(CAST(w.state AS TEXT), '$.parameters') t WHERE w.finished IS NOT NULL AND t.type = 'text';"
	"INSERT OR IGNORE INTO workflow_tag SELECT 2, json_extract(t.value, '$.name'), substr(json_extract(t.value, '$.value'), 1, 256),"
	" w.finished, w.id FROM workflow w, json_each(CAST(w.state AS TEXT), '$.outputs') t"
	" WHERE w.finished IS NOT NULL AND json_extract(t.value, '$.name') IS NOT NULL AND json_extract(t.value, '$.value') IS NOT NULL;";

const char tags_schema_sql[] =
	"CREATE TABLE workflow_tag_new ("
	" id INTEGER NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, finished INTEGER NOT NULL,"
	" PRIMARY KEY (id, kind, name, value)) WITHOUT ROWID;"
	"DROP INDEX workflow_uid;" /* of those that are not finished nobody asks here */
	"CREATE INDEX workflow_uid ON workflow (uid) WHERE finished IS NOT NULL;";

/* ---- what there is ------------------------------------------------------------------------------------------- */

str
tag_value(str value)
{
	return value.n <= TAG_VALUE_MAX ? value : str_slice(value, 0, TAG_VALUE_MAX);
}

static void
add(struct tag_list *out, struct arena *a, enum tag_kind kind, str name, str value)
{
	static const str completed = { "workflows.argoproj.io/completed", 31 }; /* all of them are */
	if (out->n < TAGS_MAX && name.n && name.n <= TAG_VALUE_MAX && !(kind == TAG_LABEL && str_eq(name, completed)))
		out->p[out->n++] = (struct tag){ kind, arena_dup(a, name), arena_dup(a, tag_value(value)) };
}

static void
add_map(struct tag_list *out, struct arena *a, enum tag_kind kind, const struct val *map)
{
	for (uint32_t i = 0; val_is(map, VAL_MAP) && i < map->n; i++)
		if (map->members[i].value.kind == VAL_STR)
			add(out, a, kind, val_key(&map->members[i]), val_text(&map->members[i].value));
}

static void
add_named(struct tag_list *out, struct arena *a, const struct val *list)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		add(out, a, TAG_OUTPUT, val_get_str(&list->items[i], "name"), val_get_str(&list->items[i], "value"));
}

/* Outputs are those of the workflow (globalName) and those of its entry template, with its result. */
static void
add_outputs(struct tag_list *out, struct arena *a, const struct run *r, const struct val *state, struct arena *tmp)
{
	const struct node *root = run_node(r, run_name(r));
	add_named(out, a, val_get(state, S("outputs")));
	if (!root)
		return;
	struct val row = node_save(root, tmp);
	const struct val *outputs = val_get(&row, S("outputs"));
	add_named(out, a, val_get(outputs, S("parameters")));
	str result = val_get_str(outputs, "result");
	if (result.p)
		add(out, a, TAG_OUTPUT, S("result"), result);
}

struct tag_list
tags_of(const struct run *r, unsigned kinds, struct arena *a)
{
	struct tag_list out = { ARENA_ARRAY(a, struct tag, TAGS_MAX), 0 };
	struct arena *tmp CLEANUP(free_arena) = arena_new();
	struct val state = kinds & ~(1u << TAG_LABEL) ? run_save_state(r, tmp) : val_null();
	if (kinds & 1u << TAG_LABEL)
		add_map(&out, a, TAG_LABEL, val_get(run_metadata(r, tmp), S("labels")));
	if (kinds & 1u << TAG_PARAMETER)
		add_map(&out, a, TAG_PARAMETER, val_get(&state, S("parameters")));
	if (kinds & 1u << TAG_OUTPUT)
		add_outputs(&out, a, r, &state, tmp);
	return out;
}

str
tags_find(const struct tag_list *tags, enum tag_kind kind, str name)
{
	for (size_t i = 0; i < tags->n; i++)
		if (tags->p[i].kind == kind && str_eq(tags->p[i].name, name))
			return tags->p[i].value;
	return STR_NONE;
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

int
tags_remove(sqlite3 *db, int64_t id, struct err *e)
{
	return store_exec(db, e, "DELETE FROM workflow_tag_new WHERE id = ?", "i", id) ? -1
	       : store_exec(db, e, "DELETE FROM workflow_tag WHERE id = ?", "i", id);
}

int
tags_write(sqlite3 *db, int64_t id, int64_t finished, const struct tag_list *tags, struct err *e)
{
	for (size_t i = 0; i < tags->n; i++)
		if (store_exec(db, e, "INSERT OR IGNORE INTO workflow_tag_new (kind, name, value, finished, id) VALUES (?,?,?,?,?)", "issii",
		               (int64_t)tags->p[i].kind, tags->p[i].name, tags->p[i].value, finished, id))
			return -1;
	return 0;
}

/* ---- going where they are looked for ------------------------------------------------------------------------- */

enum { SETTLE_AT = 64 }; /* workflows: their entries fill the pages that are written, and take a millisecond */

static int
settle(sqlite3 *db, void *arg UNUSED, struct err *e)
{
	return store_exec(db, e,
		"INSERT OR IGNORE INTO workflow_tag (kind, name, value, finished, id)"
		" SELECT kind, name, value, finished, id FROM workflow_tag_new ORDER BY kind, name, value, finished, id", "")
		       ? -1
		       : store_exec(db, e, "DELETE FROM workflow_tag_new", "");
}

static void
settle_now(struct engine *g)
{
	g->tags_new = 0;
	store_write(g->store, settle, NULL, NULL); /* at the end the engine may be gone before it is written */
}

void
tags_settled(struct engine *g, void (*done)(void *arg), void *arg)
{
	if (g->tags_new)
		settle_now(g);
	if (store_pending(g->store)) /* this one, or one before */
		store_after_commit(g->store, done, arg);
	else
		done(arg);
}

void
tags_written(struct engine *g)
{
	if (++g->tags_new >= SETTLE_AT)
		settle_now(g);
}
