/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers/resource.h"

#include "core/files.h"
#include "triggers/fetch.h"

static int
parse(str text, const char *what, struct arena *a, const struct val **out, struct err *e)
{
	struct diags d;
	struct val *docs;
	size_t n = 0;
	diags_init(&d);
	int rc = yaml_read_all(a, str_c(what), text, NULL, &docs, &n, &d);
	if (rc < 0 && d.v.n)
		err_set(e, ERR_INVALID, "%s:%u:%u: %.*s", what, d.v.p[0].line, d.v.p[0].col, STR_ARG(d.v.p[0].text));
	diags_free(&d);
	if (rc < 0)
		return -1;
	if (!n || docs[0].kind != VAL_MAP)
		return err_set(e, ERR_INVALID, "%s: an object is expected", what);
	*out = &docs[0];
	return 0;
}

static int
parse_limited(str text, const char *what, struct arena *a, const struct val **out, struct err *e)
{
	if (text.n > RESOURCE_MAX)
		return err_set(e, ERR_LIMIT, "%s: larger than %d bytes", what, RESOURCE_MAX);
	return parse(text, what, a, out, e);
}

static int
decode(struct arena *a, const struct val *source, struct manifest_source *out, struct err *e)
{
	struct diags d;
	diags_init(&d);
	d.lenient = true; /* as the Sensor was read */
	int rc = schema_decode(&manifest_source_schema, a, source, S("source"), out, &d);
	for (size_t i = 0; i < d.v.n && rc < 0; i++)
		if (d.v.p[i].level == DIAG_ERROR) {
			err_set(e, ERR_INVALID, "%.*s: %.*s", STR_ARG(d.v.p[i].path), STR_ARG(d.v.p[i].text));
			break;
		}
	diags_free(&d);
	return rc;
}

/* ---- what lies here --------------------------------------------------------------------------------------------------- */

static bool
is_given(const struct val *source, const char *place)
{
	const struct val *v = val_get(source, str_c(place));
	return v && val_resolve(v).kind != VAL_NULL;
}

bool
resource_is_elsewhere(const struct val *source)
{
	if (is_given(source, "s3") || is_given(source, "inline"))
		return is_given(source, "s3");
	return is_given(source, "file") || is_given(source, "url") || is_given(source, "git");
}

int
resource_read(struct firing *f, const struct val *source, const struct val **out, struct err *e)
{
	struct arena *a = firing_arena(f);
	struct manifest_source m;
	str text;
	if (decode(a, source, &m, e) < 0)
		return -1;
	assert(!m.s3);
	if (m.inline_text.p)
		return parse_limited(m.inline_text, "source.inline", a, out, e);
	if (m.config_map)
		return config_map_key(firing_env(f)->objects, firing_ns(f), m.config_map->name, m.config_map->key, &text, e) < 0
		               ? -1
		               : parse_limited(text, "source.configmap", a, out, e);
	if (!val_is(m.resource, VAL_MAP))
		return err_set(e, ERR_INVALID, "source: one of s3, inline, file, url, git, configmap and resource is expected");
	*out = m.resource;
	return 0;
}

/* ---- what lies elsewhere ---------------------------------------------------------------------------------------------- */

void
fetch_done(struct fetch *x, str text, str name, const struct err *e)
{
	struct arena *a = firing_arena(x->firing);
	const struct val *object;
	struct err wrong = { 0 };
	if (e)
		x->done(x->firing, NULL, e);
	else if (parse(arena_dup(a, text), str_z(a, name), a, &object, &wrong) < 0)
		x->done(x->firing, NULL, &wrong);
	else
		x->done(x->firing, object, NULL);
}

struct failure {
	struct fetch *fetch;
	struct err err;
};

static void
tell_failure(void *arg)
{
	struct failure *w = arg;
	fetch_done(w->fetch, STR_NONE, STR_NONE, &w->err);
}

void
fetch_failed(struct fetch *x, const struct err *e)
{
	struct failure *w = ARENA_NEW(firing_arena(x->firing), struct failure);
	*w = (struct failure){ x, *e };
	loop_defer(firing_env(x->firing)->loop, tell_failure, w);
}

/* The pool's thread has an arena of its own. */
struct file_reading {
	struct fetch *fetch;
	struct arena *arena;
	const char *path;
	str text;
	struct err err;
	int rc;
};

static void
read_file(void *arg)
{
	struct file_reading *w = arg;
	w->rc = files_read(w->path, RESOURCE_MAX, w->arena, &w->text, &w->err);
}

static void
file_was_read(void *arg)
{
	struct file_reading *w = arg;
	struct arena *a = w->arena;
	fetch_done(w->fetch, w->text, str_c(w->path), w->rc < 0 ? &w->err : NULL);
	arena_free(a);
}

static void
fetch_file(struct fetch *x)
{
	struct arena *a = arena_new();
	struct file_reading *w = ARENA_NEW(a, struct file_reading);
	*w = (struct file_reading){ .fetch = x, .arena = a, .path = str_z(a, x->from.file->path) };
	loop_work(firing_env(x->firing)->loop, read_file, file_was_read, w);
}

void
resource_fetch(struct firing *f, const struct val *source, void (*done)(struct firing *f, const struct val *object, const struct err *e))
{
	struct fetch *x = ARENA_NEW(firing_arena(f), struct fetch);
	struct err e = { 0 };
	*x = (struct fetch){ .firing = f, .done = done };
	if (decode(firing_arena(f), source, &x->from, &e) < 0)
		fetch_failed(x, &e);
	else if (x->from.s3)
		fetch_s3(x);
	else if (x->from.file)
		fetch_file(x);
	else if (x->from.url)
		fetch_url(x);
	else
		fetch_git(x);
}
