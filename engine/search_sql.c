/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_sql: a search as SQL over the rows of finished workflows. Without a value to follow it walks the list's own index;
 * with one it follows the rarest (workflow_tag, whose order is the list's) and checks the rest for each. Either way rows come in
 * the order of the list and nothing is sorted, so that a page costs what it skipped and no more.
 */
#include "engine/archive.h"

enum { COUNT_MAX = 2000 }; /* values with more workflows than this are equally frequent */

struct bound {
	str text; /* absent: the number */
	int64_t number;
};
struct sql {
	struct buf text;
	VEC(struct bound) bound;
};

static void
put_text(struct sql *s, const char *sql, str v)
{
	buf_add(&s->text, str_c(sql));
	*VEC_PUSH(&s->bound) = (struct bound){ .text = v.p ? v : S("") };
}

static void
put_int(struct sql *s, const char *sql, int64_t v)
{
	buf_add(&s->text, str_c(sql));
	*VEC_PUSH(&s->bound) = (struct bound){ .number = v };
}

static sqlite3_stmt *
prepare(sqlite3 *db, const struct sql *s, struct err *e)
{
	sqlite3_stmt *q = NULL;
	if (sqlite3_prepare_v2(db, s->text.p, (int)s->text.n, &q, NULL) != SQLITE_OK) {
		(void)err_set(e, ERR_IO, "listing workflows: %s", sqlite3_errmsg(db));
		return NULL;
	}
	for (size_t i = 0; i < s->bound.n; i++)
		if (s->bound.p[i].text.p)
			sqlite3_bind_text(q, (int)i + 1, s->bound.p[i].text.p, (int)s->bound.p[i].text.n, SQLITE_TRANSIENT);
		else
			sqlite3_bind_int64(q, (int)i + 1, s->bound.p[i].number);
	return q;
}

static void
sql_free(struct sql *s)
{
	buf_free(&s->text);
	VEC_FREE(&s->bound);
}

/* ---- the value to follow ------------------------------------------------------------------------------------- */

static bool
is_completed(const struct wanted *w)
{
	return w->kind == TAG_LABEL && str_eq(w->must.key, S("workflows.argoproj.io/completed"));
}

static bool
can_be_followed(const struct wanted *w)
{
	return w->must.op == SELECT_IN && w->must.values.n == 1 && !is_completed(w);
}

/* How many workflows have it, at most COUNT_MAX; -1 on an error. */
static int64_t
count(sqlite3 *db, const struct wanted *w, struct err *e)
{
	struct sql s CLEANUP(sql_free) = { 0 };
	put_int(&s, "SELECT count(*) FROM (SELECT 1 FROM workflow_tag WHERE kind = ?", w->kind);
	put_text(&s, " AND name = ?", w->must.key);
	put_text(&s, " AND value = ?", w->must.values.p[0]);
	put_int(&s, " LIMIT ?)", COUNT_MAX);
	sqlite3_stmt *q = prepare(db, &s, e);
	if (!q)
		return -1;
	int64_t n = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	sqlite3_finalize(q);
	return n;
}

static int
rarest(sqlite3 *db, const struct search *f, const struct wanted **out, struct err *e)
{
	int64_t least = INT64_MAX;
	*out = NULL;
	for (size_t i = 0; i < f->wanted.n; i++) {
		if (!can_be_followed(&f->wanted.p[i]))
			continue;
		int64_t n = count(db, &f->wanted.p[i], e);
		if (n < 0)
			return -1;
		if (n < least) {
			least = n;
			*out = &f->wanted.p[i];
		}
	}
	return 0;
}

/* ---- conditions ---------------------------------------------------------------------------------------------- */

static void
put_wanted(struct sql *s, const struct wanted *w)
{
	bool missing = w->must.op == SELECT_MISSING || w->must.op == SELECT_NOT_IN;
	buf_addf(&s->text, " AND %sEXISTS (SELECT 1 FROM workflow_tag x INDEXED BY workflow_tag_of WHERE x.id = w.id", missing ? "NOT " : "");
	put_int(s, " AND x.kind = ?", w->kind);
	put_text(s, " AND x.name = ?", w->must.key);
	for (size_t i = 0; i < w->must.values.n; i++)
		put_text(s, i ? ", ?" : " AND x.value IN (?", w->must.values.p[i]);
	buf_add(&s->text, w->must.values.n ? S("))") : S(")"));
}

static void
put_name(struct sql *s, const struct search *f)
{
	switch (f->name_match) {
	case NAME_EXACT:
		put_text(s, " AND w.name = ?", f->name);
		break;
	case NAME_NOT_EQUALS:
		put_text(s, " AND w.name <> ?", f->name);
		break;
	case NAME_CONTAINS:
		put_text(s, " AND instr(w.name, ?) > 0", f->name);
		break;
	case NAME_PREFIX:
		put_text(s, " AND substr(w.name, 1, length(?))", f->name);
		put_text(s, " = ?", f->name);
		break;
	}
}

static void
put_conditions(struct sql *s, const struct search *f, const struct wanted *followed)
{
	if (f->ns.p)
		put_text(s, " AND w.ns = ?", f->ns);
	if (f->uid.p)
		put_text(s, " AND w.uid = ?", f->uid);
	if (f->name.p)
		put_name(s, f);
	if (f->created_after)
		put_int(s, " AND w.created > ?", f->created_after);
	if (f->finished_before)
		put_int(s, " AND w.finished < ?", f->finished_before);
	if (f->started_after)
		put_int(s, " AND w.started > ?", f->started_after);
	if (f->started_before)
		put_int(s, " AND w.started < ?", f->started_before);
	if (f->wanted.n) /* its tags are not in place: it began and ended after the question was asked */
		buf_add(&s->text, S(" AND NOT EXISTS (SELECT 1 FROM workflow_tag_new y WHERE y.id = w.id)"));
	for (size_t i = 0; i < f->wanted.n; i++)
		if (&f->wanted.p[i] != followed && !is_completed(&f->wanted.p[i]))
			put_wanted(s, &f->wanted.p[i]);
}

static void
put_query(struct sql *s, const struct search *f, const struct wanted *followed)
{
	if (followed) { /* CROSS JOIN: in this order */
		put_int(s, "SELECT w.id FROM workflow_tag d CROSS JOIN workflow w ON w.id = d.id WHERE d.kind = ?", followed->kind);
		put_text(s, " AND d.name = ?", followed->must.key);
		put_text(s, " AND d.value = ? AND w.finished IS NOT NULL", followed->must.values.p[0]);
	} else {
		buf_add(&s->text, S("SELECT w.id FROM workflow w WHERE w.finished IS NOT NULL"));
	}
	put_conditions(s, f, followed);
	buf_addf(&s->text, " ORDER BY %s.finished DESC, %s.id DESC", followed ? "d" : "w", followed ? "d" : "w");
}

int
search_each(sqlite3 *db, const struct search *f, bool (*row)(void *arg, int64_t id), void *arg, struct err *e)
{
	const struct wanted *followed;
	if (f->nothing || f->impossible)
		return 0;
	if (rarest(db, f, &followed, e))
		return -1;
	struct sql s CLEANUP(sql_free) = { 0 };
	put_query(&s, f, followed);
	sqlite3_stmt *q = prepare(db, &s, e);
	int rc = SQLITE_DONE;
	while (q && (rc = sqlite3_step(q)) == SQLITE_ROW && row(arg, sqlite3_column_int64(q, 0)))
		;
	if (q && rc != SQLITE_DONE && rc != SQLITE_ROW)
		(void)err_set(e, ERR_IO, "listing workflows: %s", sqlite3_errmsg(db));
	sqlite3_finalize(q);
	return q && (rc == SQLITE_DONE || rc == SQLITE_ROW) ? 0 : -1;
}

/* ---- labels -------------------------------------------------------------------------------------------------- */

static int
add_texts(sqlite3 *db, sqlite3_stmt *q, struct arena *a, struct val_list *out, struct err *e)
{
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		if (sqlite3_column_type(q, 0) == SQLITE_TEXT)
			val_list_add(out, val_str(arena_dup(a, store_text(q, 0))));
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : err_set(e, ERR_IO, "listing labels: %s", sqlite3_errmsg(db));
}

/* Each step of the recursion is one look into the index: it costs the number of keys, not that of workflows. */
int
search_label_keys(sqlite3 *db, struct arena *a, struct val_list *out, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
		"WITH RECURSIVE k(name) AS (SELECT min(name) FROM workflow_tag WHERE kind = 0 UNION ALL"
		" SELECT (SELECT min(name) FROM workflow_tag WHERE kind = 0 AND name > k.name) FROM k WHERE k.name IS NOT NULL)"
		" SELECT name FROM k WHERE name IS NOT NULL", e);
	return q ? add_texts(db, q, a, out, e) : -1;
}

int
search_label_values(sqlite3 *db, str key, struct arena *a, struct val_list *out, struct err *e)
{
	sqlite3_stmt *q = store_prepare(db,
		"WITH RECURSIVE v(value) AS (SELECT min(value) FROM workflow_tag WHERE kind = 0 AND name = ?1 UNION ALL"
		" SELECT (SELECT min(value) FROM workflow_tag WHERE kind = 0 AND name = ?1 AND value > v.value) FROM v WHERE v.value IS NOT NULL)"
		" SELECT value FROM v WHERE value IS NOT NULL LIMIT 10000", e);
	if (!q)
		return -1;
	sqlite3_bind_text(q, 1, key.p ? key.p : "", (int)key.n, SQLITE_TRANSIENT);
	return add_texts(db, q, a, out, e);
}
