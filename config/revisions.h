/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revisions: what WorkflowTemplates and ClusterWorkflowTemplates said before. Every change that comes into force, from a file or
 * through the API, is a row with its number, time, origin and manifest; applying the same again makes none. Numbers go on over
 * restarts, and after a deletion.
 */
#ifndef TIDEGATE_CONFIG_REVISIONS_H
#define TIDEGATE_CONFIG_REVISIONS_H

#include "config/config.h"
#include "core/store.h"

extern const char revisions_schema_sql[]; /* table: template_revision */

struct revisions;
/* From now on writes down what is put into `objects`, and numbers it (object->revision). The last `keep` of each name stay. Borrows all. */
struct revisions *revisions_new(struct loop *l, struct store *s, struct objects *objects, int64_t keep);
void revisions_free(struct revisions *rv); /* before the objects; NULL is fine */
/* Who makes the changes of this turn that do not come from files: "api", "rollback to 3". Until the next call; absent: "api". */
void revisions_origin(struct revisions *rv, str origin);
bool revisions_has_kind(const struct kind *k);

struct revision {
	int64_t number, at; /* ns */
	str hash, origin;
	struct val manifest;
};
/* On a thread of the store, into `a`. All of a name without their manifests, newest first. */
int revisions_list(sqlite3 *db, str kind, str ns, str name, struct arena *a, struct revision **out, size_t *n, struct err *e) MUST_CHECK;
/* One; 0: the newest. ERR_NOT_FOUND. */
int revisions_get(sqlite3 *db, str kind, str ns, str name, int64_t number, struct arena *a, struct revision *out, struct err *e) MUST_CHECK;
/* The one that was in force at a point in time (ns). ERR_NOT_FOUND if there was none, or if it is no longer kept. */
int revisions_at(sqlite3 *db, str kind, str ns, str name, int64_t at, struct arena *a, struct revision *out, struct err *e) MUST_CHECK;

#endif
