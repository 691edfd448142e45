/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive: where a pod's artifacts go that have no complete place of their own, and whether its logs go there too (spec 2.17, 2.19; addArchiveLocation and
 * IsArchiveLogs, v4.1.2). What is found is kept in the pod's own template, as archiveLocation: it stays, whatever happens to variables meanwhile.
 */
#include "engine/run/run_impl.h"

static const struct val *
location(const struct run *r)
{
	return val_get(r->repository, S("location"));
}

/* A repository that keeps logs keeps all of them; else the template says, else the workflow. */
static bool
logs_wanted(const struct run *r, const struct val *own)
{
	const struct val *v = val_get(own, S("archiveLogs"));
	if (val_is_true(val_get(location(r), S("archiveLogs"))))
		return true;
	return val_is_true(v ? v : val_get(r->spec, S("archiveLogs")));
}

static bool
is_without_place(const struct val *artifact)
{
	enum artifact_place p = artifact ? artifact_place(artifact, NULL) : ARTIFACT_RAW;
	return p == ARTIFACT_NOWHERE || p == ARTIFACT_BY_KEY;
}

static bool
any_without_place(const struct val *list)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n; i++)
		if (is_without_place(&list->items[i]))
			return true;
	return false;
}

/* The repository's location, with the variables of its key put in: each must be known. */
static const struct val *
of_repository(struct run *r, struct arena *a, struct scope *x, bool logs, struct err *e)
{
	struct tag_scope ts = scope_tags(x);
	struct val keep = val_bool(logs);
	static const struct val none = { .kind = VAL_MAP };
	const struct val *v = location(r);
	ts.strict = tags_strict_all;
	v = v ? tags_put(a, v, &ts, e) : &none;
	if (!v)
		return NULL;
	return val_set(a, v, S("archiveLogs"), &keep);
}

int
archive_put(struct run *r, struct arena *a, struct processed *p, struct scope *x, struct err *e)
{
	const struct val *own = val_get(p->body, S("archiveLocation")), *v;
	bool logs = logs_wanted(r, own);
	struct val keep = val_bool(logs);
	if (artifact_location_complete(own)) {
		p->body = val_set(a, p->body, S("archiveLocation"), val_set(a, own, S("archiveLogs"), &keep));
		return 0;
	}
	bool needed = any_without_place(val_get(p->inputs, S("artifacts"))) || any_without_place(val_path(p->body, "outputs.artifacts")) ||
		is_without_place(val_path(p->body, "data.source.artifactPaths"));
	if (!logs && (!needed || !location(r)))
		return 0;
	v = of_repository(r, a, x, logs, e);
	if (!v)
		return err_wrap(e, "archiveLocation");
	p->body = val_set(a, p->body, S("archiveLocation"), v);
	return 0;
}

bool
archive_is_own(const struct run *r, const struct val *archive)
{
	return artifact_location_complete(archive) && !artifact_location_beside(archive, location(r), r->tmp);
}
