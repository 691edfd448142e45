/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repository: which artifact repository a workflow uses (spec 2.19; workflow/artifactrepositories, v4.1.2): that of its artifactRepositoryRef, else the default
 * one of the config map "artifact-repositories" of its namespace, else that of the settings, else the one on this machine.
 */
#include "engine/run/run_impl.h"

#define DEFAULT_MAP S("artifact-repositories")
#define DEFAULT_KEY "{{workflow.name}}/{{pod.name}}"
#define DEFAULT_NOTE "workflows.argoproj.io/default-artifact-repository"

/* ---- from a repository to a location ----------------------------------------------------------------------------- */

/* What a repository says of the keys of its artifacts, and what a location calls them. */
static const struct form {
	const char *name, *format, *prefix, *key;
} forms[] = {
	{ "s3", "keyFormat", "keyPrefix", "key" },
	{ "gcs", "keyFormat", NULL, "key" },
	{ "oss", "keyFormat", NULL, "key" },
	{ "azure", "blobNameFormat", NULL, "blob" },
	{ "hdfs", "pathFormat", NULL, "path" },
	{ "artifactory", "keyFormat", "repoURL", "url" },
	{ "plugin", "keyFormat", NULL, "key" },
};

static str
key_of(const struct form *f, const struct val *repo, struct arena *a)
{
	str key = val_get_str(repo, f->format), prefix = f->prefix ? val_get_str(repo, f->prefix) : STR_NONE;
	bool whole = key.n && !str_eq(str_c(f->name), S("artifactory")); /* the prefix of s3 is of before there were formats */
	if (!key.n)
		key = S(DEFAULT_KEY);
	return whole || !prefix.n ? key : arena_fmt(a, "%.*s%s%.*s", STR_ARG(prefix), str_ends(prefix, S("/")) ? "" : "/", STR_ARG(key));
}

static struct val
location_of(const struct form *f, const struct val *repo, struct arena *a)
{
	struct val_map m = { 0 };
	for (uint32_t i = 0; i < repo->n; i++) {
		str name = val_key(&repo->members[i]);
		if (!str_eq(name, str_c(f->format)) && !(f->prefix && str_eq(name, str_c(f->prefix))))
			val_map_add(&m, name, repo->members[i].value);
	}
	val_map_add(&m, str_c(f->key), val_str(key_of(f, repo, a)));
	return val_map_end(&m, a);
}

/* Its fields are those of a location, and are checked as such; what is not complete would be passed over. */
static int
check(const struct val *location, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct diags d;
	char ignored;
	diags_init(&d);
	int rc = schema_decode(&artifact_location_schema, a, location, S("artifactRepository"), &ignored, &d) < 0 || d.errors || d.later ? -1 : 0;
	for (size_t i = 0; rc < 0 && i < d.v.n; i++)
		if (d.v.p[i].level >= DIAG_LATER) {
			err_set(e, ERR_INVALID, "%.*s: %.*s", STR_ARG(d.v.p[i].path), STR_ARG(d.v.p[i].text.n ? d.v.p[i].text : S("not served yet")));
			break;
		}
	if (rc == 0 && !artifact_location_complete(location))
		rc = err_set(e, ERR_INVALID, "artifactRepository: its place is not complete: s3 and oss need endpoint and bucket, gcs bucket, azure endpoint "
			"and container, hdfs addresses, artifactory repoURL and usernameSecret");
	str path = val_get_str(val_get(location, S("hdfs")), "path");
	if (rc == 0 && path.n && !str_starts(path, S("/")))
		rc = err_set(e, ERR_INVALID, "artifactRepository: hdfs.pathFormat must begin with a slash, as in /argo/{{workflow.name}}/{{pod.name}}");
	diags_free(&d);
	return rc;
}

int
repository_location(const struct val *repo, struct arena *a, struct val *out, struct err *e)
{
	const struct val *logs = val_get(repo, S("archiveLogs"));
	struct val_map m = { 0 };
	str strange = STR_NONE;
	if (!val_is(repo, VAL_MAP))
		return err_set(e, ERR_INVALID, "artifactRepository: an object is expected");
	for (uint32_t i = 0; i < repo->n; i++) {
		const struct form *f = NULL;
		for (size_t k = 0; k < ARRAY_LEN(forms); k++)
			if (str_eq(val_key(&repo->members[i]), str_c(forms[k].name)) && val_is(&repo->members[i].value, VAL_MAP))
				f = &forms[k];
		if (f)
			val_map_add(&m, str_c(f->name), location_of(f, &repo->members[i].value, a));
		else if (!str_eq(val_key(&repo->members[i]), S("archiveLogs")))
			strange = val_key(&repo->members[i]);
	}
	bool place = m.v.n;
	if (logs)
		val_map_add(&m, S("archiveLogs"), *logs);
	*out = val_map_end(&m, a);
	*out = schema_resolve(&artifact_location_schema, a, out);
	if (strange.p)
		return err_set(e, ERR_INVALID, "artifactRepository: %.*s is no place that artifacts can be saved in", STR_ARG(strange));
	return place ? check(out, e) : 0; /* none: the one on this machine */
}

/* ---- which one --------------------------------------------------------------------------------------------------- */

/* As Argo writes references. */
static str
ref_text(str ns, str map, str key, struct arena *a)
{
	return arena_fmt(a, "%.*s%s%.*s#%.*s", STR_ARG(ns), ns.n ? "/" : "", STR_ARG(map), STR_ARG(key));
}

/* {"ref": what the status shows, "location": ...}. The reference ends here, whatever comes of it. */
static int
found(struct val_map *ref, const struct val *repo, struct arena *a, const struct val **out, struct err *e)
{
	struct val_map m = { 0 };
	struct val location;
	if (repository_location(repo, a, &location, e) < 0) {
		(void)val_map_end(ref, a);
		return -1;
	}
	val_map_add(ref, S("artifactRepository"), *repo);
	val_map_add(&m, S("ref"), val_map_end(ref, a));
	val_map_add(&m, S("location"), location);
	struct val *v = ARENA_NEW(a, struct val);
	*v = val_map_end(&m, a);
	*out = v;
	return 0;
}

static int
read_text(str text, struct arena *a, const struct val **out, struct err *e)
{
	struct diags d;
	struct val *docs;
	size_t n = 0;
	diags_init(&d);
	int rc = yaml_read_all(a, S(""), text, NULL, &docs, &n, &d);
	if (rc == 0 && n != 1)
		rc = err_set(e, ERR_INVALID, "one document is expected");
	else if (rc)
		rc = err_set(e, ERR_INVALID, "%.*s", STR_ARG(d.v.n ? d.v.p[0].text : S("it cannot be read")));
	if (rc == 0) {
		struct val *copy = ARENA_NEW(a, struct val);
		*copy = val_copy(a, val_resolve_all(a, &docs[0]));
		*out = copy;
	}
	diags_free(&d);
	return rc;
}

/* 1: there it is; 0: no such config map or key; -1. */
static int
in_map(const struct run_world *w, str ns, str map, str key, struct arena *a, const struct val **out, struct err *e)
{
	const struct val *o = w->config_map_object ? w->config_map_object(w->arg, ns, map) : NULL, *repo = NULL;
	if (!key.n)
		key = val_get_str(val_path(o, "metadata.annotations"), DEFAULT_NOTE);
	str text = key.p ? val_get_str(val_get(o, S("data")), str_z(a, key)) : STR_NONE;
	struct val_map ref = { 0 };
	struct err why;
	if (!text.p)
		return 0;
	int rc = read_text(text, a, &repo, &why);
	if (rc == 0) {
		val_map_add(&ref, S("configMap"), val_str(arena_dup(a, map)));
		val_map_add(&ref, S("key"), val_str(arena_dup(a, key)));
		val_map_add(&ref, S("namespace"), val_str(arena_dup(a, ns)));
		rc = found(&ref, repo, a, out, &why);
	}
	if (rc < 0)
		return err_set(e, ERR_INVALID, "failed to unmarshall config map key \"%.*s\" for artifact repository ref \"%.*s\": %s", STR_ARG(key),
			STR_ARG(ref_text(ns, map, key, a)), why.msg);
	return 1;
}

int
repository_find(const struct run_world *w, str ns, const struct val *ref, struct arena *a, const struct val **out, struct err *e)
{
	str map = val_get_str(ref, "configMap"), key = val_get_str(ref, "key");
	int rc = in_map(w, ns, map.n ? map : DEFAULT_MAP, key, a, out, e);
	if (rc == 0 && ref)
		rc = in_map(w, w->home, map.n ? map : DEFAULT_MAP, key, a, out, e);
	if (rc == 0 && ref)
		return err_set(e, ERR_NOT_FOUND, "failed to find any artifact repository for artifact repository ref \"%.*s\"",
			STR_ARG(ref_text(S(""), map, key, a)));
	if (rc || !w->artifact_repository)
		return rc < 0 ? -1 : 0;
	struct val_map none = { 0 };
	struct val *kept = ARENA_NEW(a, struct val);
	*kept = val_copy(a, w->artifact_repository);
	val_map_add(&none, S("default"), val_bool(true));
	return found(&none, kept, a, out, e);
}

int
repository_choose(struct run *r, struct err *e)
{
	if (r->repository)
		return 0; /* it waited for its turn, or runs again */
	return repository_find(&r->world, r->ns, val_get(r->spec, S("artifactRepositoryRef")), r->arena, &r->repository, e);
}
