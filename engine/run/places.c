/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places: where an artifact lies. A location is complete if it says all that its driver must know; of one that is not only the key counts, and the rest comes
 * from the archiveLocation of the template or the repository of the workflow (spec 2.19; ArtifactLocation.Relocate, v4.1.2).
 */
#include "engine/run/run_impl.h"

static const struct location {
	const char *name, *key;
	bool url;              /* the key is the path of a URL */
	const char *needs[3];  /* beside the key */
} locations[] = {
	{ "local", "key", false, { NULL } },
	{ "s3", "key", false, { "endpoint", "bucket" } },
	{ "gcs", "key", false, { "bucket" } },
	{ "oss", "key", false, { "endpoint", "bucket" } },
	{ "azure", "blob", false, { "endpoint", "container" } },
	{ "hdfs", "path", false, { "addresses" } },
	{ "plugin", "key", false, { "name", "configuration" } },
	{ "artifactory", "url", true, { "usernameSecret" } },
	{ "http", "url", true, { NULL } },
	{ "git", NULL, false, { "repo" } },
};

/* The location that an artifact has, complete or not; NULL: none. */
static const struct location *
find(const struct val *artifact, const struct val **place)
{
	for (size_t i = 0; i < ARRAY_LEN(locations); i++) {
		*place = val_get(artifact, str_c(locations[i].name));
		if (val_is(*place, VAL_MAP))
			return &locations[i];
	}
	return NULL;
}

static bool
is_empty(const struct val *v)
{
	return !v || v->kind == VAL_NULL || (v->kind == VAL_STR && !val_text(v).n) || ((v->kind == VAL_LIST || v->kind == VAL_MAP) && !v->n);
}

/* All that is needed but the key. */
static bool
is_complete_around(const struct location *l, const struct val *place)
{
	if (str_eq(str_c(l->name), S("local")))
		return false; /* where that is only the machine knows */
	for (size_t i = 0; i < ARRAY_LEN(l->needs) && l->needs[i]; i++)
		if (is_empty(val_get(place, str_c(l->needs[i]))))
			return false;
	return true;
}

static bool
is_complete(const struct location *l, const struct val *place)
{
	return is_complete_around(l, place) && (!l->key || !is_empty(val_get(place, str_c(l->key))));
}

/* Where the path of a URL begins, behind the slash. */
static size_t
path_of_url(str url)
{
	size_t scheme = str_find(url, S("://"), 0), slash = str_find_char(url, '/', scheme == SIZE_MAX ? 0 : scheme + 3);
	return slash == SIZE_MAX ? url.n : slash + 1;
}

static str
key_of(const struct location *l, const struct val *place)
{
	str text = l->key ? val_get_str(place, l->key) : STR_NONE;
	return l->url && text.p ? str_slice(text, path_of_url(text), text.n) : text;
}

static const struct val *
with_key(const struct location *l, const struct val *place, str key, struct arena *a)
{
	str url = l->url ? val_get_str(place, l->key) : STR_NONE;
	if (!l->key)
		return place;
	while (l->url && key.n && *key.p == '/')
		key = str_slice(key, 1, key.n);
	if (l->url) {
		size_t path = path_of_url(url);
		bool slash = path && url.p[path - 1] == '/';
		key = arena_fmt(a, "%.*s%s%.*s", STR_ARG(str_slice(url, 0, path)), slash ? "" : "/", STR_ARG(key));
	}
	struct val text = val_str(key);
	return val_set(a, place, str_c(l->key), &text);
}

enum artifact_place
artifact_place(const struct val *artifact, str *text)
{
	str ignored = STR_NONE;
	text = text ? text : &ignored;
	*text = STR_NONE;
	const struct val *place, *raw = val_get(artifact, S("raw"));
	if (val_is(raw, VAL_MAP)) {
		str data = val_get_str(raw, "data");
		*text = data.p ? data : S("");
		return ARTIFACT_RAW;
	}
	const struct location *l = find(artifact, &place);
	if (!l)
		return ARTIFACT_NOWHERE;
	*text = key_of(l, place);
	return is_complete(l, place) ? ARTIFACT_ELSEWHERE : text->n ? ARTIFACT_BY_KEY : ARTIFACT_NOWHERE;
}

const struct val *
artifact_below(const struct val *artifact, str sub, struct arena *a)
{
	const struct val *place;
	const struct location *l = find(artifact, &place);
	str key = l ? key_of(l, place) : STR_NONE;
	if (!sub.n || !key.n || val_get(artifact, S("raw")))
		return artifact;
	while (sub.n && *sub.p == '/')
		sub = str_slice(sub, 1, sub.n);
	str longer = arena_fmt(a, "%.*s%s%.*s", STR_ARG(key), str_ends(key, S("/")) ? "" : "/", STR_ARG(sub));
	return val_set(a, artifact, str_c(l->name), with_key(l, place, longer, a));
}

int
artifact_with_key(const struct val *artifact, str key, struct arena *a, const struct val **out, struct err *e)
{
	struct val_map only = { 0 };
	const struct val *place;
	const struct location *l = find(artifact, &place);
	if (val_get(artifact, S("raw")) || (l && !l->key))
		return err_set(e, ERR_INVALID, "failed to set key for artifact %.*s: %s has no key", STR_ARG(val_get_str(artifact, "name")), l ? l->name : "raw");
	val_map_add(&only, S("key"), val_str(key));
	struct val made = val_map_end(&only, a);
	*out = val_set(a, artifact, str_c(l ? l->name : "s3"), l ? with_key(l, place, key, a) : &made);
	return 0;
}

/* ---- the default of a template ----------------------------------------------------------------------------------- */

/* The location of an archiveLocation that is complete; NULL: the repository on this machine. */
static const struct location *
archive_of(const struct val *archive, const struct val **place)
{
	const struct location *l = archive ? find(archive, place) : NULL;
	return l && is_complete(l, *place) ? l : NULL;
}

bool
artifact_location_complete(const struct val *archive)
{
	const struct val *place;
	return archive_of(archive, &place) != NULL;
}

bool
artifact_location_beside(const struct val *a, const struct val *b, struct arena *tmp)
{
	const struct val *x, *y;
	const struct location *of = archive_of(a, &x);
	if (!of || of != archive_of(b, &y))
		return false;
	x = of->key ? with_key(of, x, S(""), tmp) : x;
	y = of->key ? with_key(of, y, S(""), tmp) : y;
	return val_eq(x, y);
}

static struct val
place_named(const char *name, const struct val *place, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, str_c(name), *place);
	return val_map_end(&m, a);
}

struct val
artifact_located(const struct val *artifact, const struct val *archive, str key, struct arena *a)
{
	const struct val *place, *around;
	const struct location *l = find(artifact, &place), *of = archive_of(archive, &around);
	if (l && is_complete(l, place))
		return place_named(l->name, place, a);
	if (of)
		return place_named(of->name, with_key(of, around, key, a), a);
	struct val_map m = { 0 };
	val_map_add(&m, S("key"), val_str(key));
	struct val local = val_map_end(&m, a);
	return place_named("local", &local, a);
}

/* What the repository says, and over it what the artifact says. */
static const struct val *
laid_over(const struct val *around, const struct val *place, struct arena *a)
{
	for (uint32_t i = 0; i < place->n; i++)
		around = val_set(a, around, val_key(&place->members[i]), &place->members[i].value);
	return around;
}

int
artifact_listed(const struct val *artifact, const struct val *archive, struct arena *a, struct val *out, str *key, struct err *e)
{
	const struct val *place, *around;
	const struct location *l = find(artifact, &place), *of = archive_of(archive, &around);
	str own = l ? key_of(l, place) : STR_NONE;
	*key = own.p ? own : S("");
	if (l && is_complete_around(l, place))
		*out = place_named(l->name, place, a);
	else if (l && l == of)
		*out = place_named(l->name, laid_over(with_key(of, around, S(""), a), place, a), a);
	else if (l)
		*out = artifact_located(artifact, archive, *key, a); /* without a key: all of the repository */
	else
		return err_set(e, ERR_INVALID, "its location says neither where it is nor a key in the workflow's repository");
	return 0;
}

/* ---- keys of outputs --------------------------------------------------------------------------------------------- */

static str
base_name(str path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	size_t cut = path.n;
	while (cut && path.p[cut - 1] != '/')
		cut--;
	return str_slice(path, cut, path.n);
}

enum artifact_packing
artifact_packing(const struct val *artifact)
{
	const struct val *archive = val_get(artifact, S("archive"));
	if (val_get(archive, S("none")))
		return ARTIFACT_NONE;
	if (val_get(archive, S("zip")))
		return ARTIFACT_ZIP;
	return val_get(archive, S("tar")) ? ARTIFACT_TAR : ARTIFACT_GUESS;
}

str
artifact_key(const struct val *artifact, const struct val *archive, str workflow, str pod, struct arena *a)
{
	const struct val *place;
	const struct location *of = archive_of(archive, &place);
	str own, name = val_get_str(artifact, "name");
	enum artifact_place p = artifact_place(artifact, &own);
	if (p == ARTIFACT_BY_KEY || p == ARTIFACT_ELSEWHERE)
		return own;
	str prefix = of ? key_of(of, place) : arena_fmt(a, "%.*s/%.*s", STR_ARG(workflow), STR_ARG(pod));
	const char *slash = !prefix.n || str_ends(prefix, S("/")) ? "" : "/";
	switch (artifact_packing(artifact)) {
	case ARTIFACT_NONE:
		return arena_fmt(a, "%.*s%s%.*s", STR_ARG(prefix), slash, STR_ARG(base_name(val_get_str(artifact, "path"))));
	case ARTIFACT_ZIP:
		return arena_fmt(a, "%.*s%s%.*s.zip", STR_ARG(prefix), slash, STR_ARG(name));
	default:
		return arena_fmt(a, "%.*s%s%.*s.tgz", STR_ARG(prefix), slash, STR_ARG(name));
	}
}

struct val
artifact_of_log(str container, struct arena *a)
{
	static const struct val none = { .kind = VAL_MAP };
	struct val_map m = { 0 }, archive = { 0 };
	val_map_add(&archive, S("none"), none);
	val_map_add(&m, S("name"), val_str(arena_fmt(a, "%.*s-logs", STR_ARG(container))));
	val_map_add(&m, S("path"), val_str(arena_fmt(a, "%.*s.log", STR_ARG(container))));
	val_map_add(&m, S("archive"), val_map_end(&archive, a));
	return val_map_end(&m, a);
}

static struct val
map_of_one(const char *name, str text, struct arena *a)
{
	struct val_map m = { 0 };
	val_map_add(&m, str_c(name), val_str(text));
	return val_map_end(&m, a);
}

/*
 * What is written, if that has a key; else the key that it got. Argo keeps no more of a location than
 * the key, so that an artifact in a template's own archiveLocation cannot be found by others; here that is kept whole. One in the local repository has
 * the key as of s3 beside it: Argo's clients, which know no `local`, take an artifact without any location of theirs for one that is nowhere.
 */
struct val
artifact_saved(const struct val *artifact, const struct val *archive, bool own, str key, struct arena *a)
{
	const struct val *place;
	const struct location *of = archive_of(archive, &place);
	enum artifact_place p = artifact_place(artifact, NULL);
	if (p == ARTIFACT_ELSEWHERE || p == ARTIFACT_RAW || (p == ARTIFACT_BY_KEY && !own))
		return *artifact;
	struct val whole = artifact_located(artifact, archive, key, a);
	if (own && of)
		return *val_set(a, artifact, str_c(of->name), &whole.members[0].value);
	struct val only = map_of_one(of ? of->key : "key", of && of->url ? val_get_str(&whole.members[0].value, of->key) : key, a);
	if (of)
		return *val_set(a, artifact, str_c(of->name), &only);
	return *val_set(a, val_set(a, artifact, S("s3"), &only), S("local"), &whole.members[0].value);
}
