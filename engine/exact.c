/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exact: the templates that a run may come to when it is submitted once more exactly as it was. References are followed from its
 * specification on; each template is the revision that the run used, or the one in force when it was made.
 */
#include "config/revisions.h"
#include "engine/shell.h"

struct search_refs {
	sqlite3 *db;
	struct arena *arena;
	const struct val *saved;
	str ns;
	int64_t created;
	struct val_map frozen;
	struct map seen;
	VEC(const struct val *) open; /* to be looked through */
	struct err *e;
};

/* The revision that the status names; 0 if it names none. */
static int64_t
used_revision(const struct search_refs *s, const char *kind, str name)
{
	const struct val *list = val_get(s->saved, S("revisions"));
	int64_t number = 0, last = 0;
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (str_eq(val_get_str(&list->items[i], "kind"), str_c(kind)) && str_eq(val_get_str(&list->items[i], "name"), name) &&
		    val_to_i64(val_get(&list->items[i], S("revision")), &number))
			last = number;
	return last;
}

/* Whether the run has stored a template of it, which is then what it executes again. */
static bool
stored(const struct search_refs *s, str scope)
{
	const struct val *map = val_get(s->saved, S("templates"));
	for (uint32_t i = 0; val_is(map, VAL_MAP) && i < map->n; i++) {
		str key = val_key(&map->members[i]);
		if (str_starts(key, scope) && key.n > scope.n && key.p[scope.n] == '/')
			return true;
	}
	return false;
}

static int
freeze(struct search_refs *s, bool cluster, str name)
{
	const char *kind = cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate";
	str scope = arena_fmt(s->arena, "%s/%.*s", cluster ? "cluster" : "namespaced", STR_ARG(name)), ns = cluster ? S("") : s->ns;
	struct revision found;
	if (map_put(&s->seen, scope, s))
		return 0;
	int64_t number = used_revision(s, kind, name);
	int rc = number ? revisions_get(s->db, str_c(kind), ns, name, number, s->arena, &found, s->e)
	                : revisions_at(s->db, str_c(kind), ns, name, s->created, s->arena, &found, s->e);
	if (rc)
		return s->e->code == ERR_NOT_FOUND && stored(s, scope) ? 0 : -1;
	const struct val *spec = val_get(&found.manifest, S("spec"));
	if (!spec)
		return 0;
	val_map_add(&s->frozen, scope, *spec);
	struct val *kept = ARENA_NEW(s->arena, struct val);
	*kept = *spec;
	*VEC_PUSH(&s->open) = kept;
	return 0;
}

static bool
is_true(const struct val *v)
{
	struct val plain = v ? val_resolve(v) : val_null();
	return plain.kind == VAL_BOOL && plain.b;
}

/* A name with a variable in it is only known when the run comes to it. */
static int
look(struct search_refs *s, const struct val *v)
{
	for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
		if (look(s, &v->items[i]))
			return -1;
	for (uint32_t i = 0; v->kind == VAL_MAP && i < v->n; i++) {
		const struct val *value = &v->members[i].value;
		str name = val_get_str(value, "name");
		if (str_eq(val_key(&v->members[i]), S("templateRef")) && name.n && str_find(name, S("{{"), 0) == SIZE_MAX &&
		    freeze(s, is_true(val_get(value, S("clusterScope"))), name))
			return -1;
		if (look(s, value))
			return -1;
	}
	return 0;
}

int
exact_templates(sqlite3 *db, const struct val *saved, str ns, int64_t created, struct arena *a, struct val *frozen, struct err *e)
{
	struct search_refs s = { .db = db, .arena = a, .saved = saved, .ns = ns, .created = created, .e = e };
	const struct val *spec = val_get(saved, S("merged")) ? val_get(saved, S("merged")) : val_path(saved, "manifest.spec");
	int rc = spec ? look(&s, spec) : 0;
	if (rc == 0 && val_get(saved, S("templates")))
		rc = look(&s, val_get(saved, S("templates")));
	for (size_t i = 0; rc == 0 && i < s.open.n; i++)
		rc = look(&s, s.open.p[i]);
	*frozen = val_map_end(&s.frozen, a);
	map_free(&s.seen);
	VEC_FREE(&s.open);
	return rc;
}
