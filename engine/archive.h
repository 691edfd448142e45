/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive: how finished workflows are found (archive_tags.c, search.c, search_sql.c) and how long they stay (expiry.c).
 * Inside engine/ only.
 */
#ifndef TIDEGATE_ENGINE_ARCHIVE_H
#define TIDEGATE_ENGINE_ARCHIVE_H

#include "engine/engine.h"
#include "engine/run/run.h"
#include "engine/selector.h"

/* ---- archive_tags.c ------------------------------------------------------------------------------------------ */

enum tag_kind { TAG_LABEL, TAG_PARAMETER, TAG_OUTPUT }; /* stored: the numbers stay */
struct tag {
	enum tag_kind kind;
	str name, value;
};
struct tag_list {
	struct tag *p;
	size_t n;
};
enum { TAGS_ALL = 1u << TAG_LABEL | 1u << TAG_PARAMETER | 1u << TAG_OUTPUT };
/* What a run can be found by: labels as shown (but "completed"), parameters, outputs; of these `kinds`, at most 200, in `a`. */
struct tag_list tags_of(const struct run *r, unsigned kinds, struct arena *a);
/* The first of that kind and name; STR_NONE if there is none. */
str tags_find(const struct tag_list *tags, enum tag_kind kind, str name);
/* Long values are compared by their first 256 bytes. */
str tag_value(str value);
int tags_write(sqlite3 *db, int64_t id, int64_t finished, const struct tag_list *tags, struct err *e) MUST_CHECK;
int tags_remove(sqlite3 *db, int64_t id, struct err *e) MUST_CHECK;
/* The tags of one more workflow are on disk, and cannot be found yet. */
void tags_written(struct engine *g);
/* done(arg) when all that are on disk can be found: at once, or after a commit. Before every search by tags. */
void tags_settled(struct engine *g, void (*done)(void *arg), void *arg);

/* ---- search.c ------------------------------------------------------------------------------------------------ */

/* A list's question, read. */
struct wanted {
	enum tag_kind kind;
	struct requirement must;
};
struct search {
	str ns, name, uid; /* absent: any */
	enum name_match name_match;
	VEC(struct wanted) wanted;
	int64_t created_after, started_after, started_before, finished_before; /* ns; 0: any */
	bool only_finished;
	bool impossible; /* nothing meets it */
	bool nothing;    /* nothing finished meets it */
};
/* Everything is copied into `a`. ERR_INVALID names what is wrong. search_free in any case. */
int search_read(const struct list_query *q, struct arena *a, struct search *out, struct err *e) MUST_CHECK;
void search_free(struct search *f);
/* Whether a run in memory, made at `created` (ns), is wanted. */
bool search_match(const struct search *f, const struct run *r, int64_t created);

/* ---- search_sql.c -------------------------------------------------------------------------------------------- */

/*
 * Ids of the finished workflows that are wanted, newest end first; row() returns false to stop. On a thread of the store.
 */
int search_each(sqlite3 *db, const struct search *f, bool (*row)(void *arg, int64_t id), void *arg, struct err *e) MUST_CHECK;
/* Keys of labels of finished workflows, or the values of one key, sorted; into `out`. */
int search_label_keys(sqlite3 *db, struct arena *a, struct val_list *out, struct err *e) MUST_CHECK;
int search_label_values(sqlite3 *db, str key, struct arena *a, struct val_list *out, struct err *e) MUST_CHECK;

/* ---- exact.c ------------------------------------------------------------------------------------------------- */

/* For run_again: the templates that a run's specification (run_save_spec) leads to, as they were for it. ERR_NOT_FOUND if one is not kept. */
int exact_templates(sqlite3 *db, const struct val *saved, str ns, int64_t created, struct arena *a, struct val *frozen, struct err *e) MUST_CHECK;

/* ---- expiry.c ------------------------------------------------------------------------------------------------ */

enum due_what {
	DUE_WORKFLOW, /* is deleted */
	DUE_POD,      /* the files of the pod `name` go */
	DUE_PODS,     /* those of all its pods */
	DUE_FILES,    /* those of a workflow "ns/name" whose rows are gone, and its artifacts on this machine; at 0 */
	DUE_FILES_ONLY, /* its artifacts stay */
	DUE_CLAIMS,   /* the folders of its volumeClaimTemplates go */
}; /* stored: the numbers stay */
struct due {
	int64_t at; /* ns */
	enum due_what what;
	str name;
};
enum { RETAIN_KINDS = 3 };
int due_write(sqlite3 *db, int64_t id, const struct due *p, size_t n, struct err *e) MUST_CHECK;
int due_cancel(sqlite3 *db, int64_t id, struct err *e) MUST_CHECK;
/* The workflow's rows are being deleted: only that its files must go remains. `keeps`: but for its artifacts. */
int due_deleted(sqlite3 *db, int64_t id, str ns, str name, bool keeps, struct err *e) MUST_CHECK;
/* The rows are gone: now the files. */
void expiry_files(struct engine *g, int64_t id, str ns, str name, bool keeps);
/* Deletes a finished workflow that is not in memory; done(arg), if given, after the commit. */
void expiry_delete(struct engine *g, int64_t id, str ns, str name, void (*done)(void *arg), void *arg);
/* The finished workflow has stayed long enough: deletes it, be it in memory or not. One that goes on again stays. */
void expiry_forget(struct engine *g, int64_t id, str ns, str name);
/* Something is due then. */
void expiry_at(struct engine *g, int64_t at);
/* A workflow has ended, its rows are on disk: retentionPolicy may say that another one goes. */
void expiry_finished(struct engine *g, enum phase p);
int expiry_start(struct engine *g, struct err *e) MUST_CHECK;
void expiry_stop(struct engine *g);

#endif
