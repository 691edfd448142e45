/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "core/base64.h"
#include "engine/artifact/helper/helper.h"

/* ---- how far it is --------------------------------------------------------------------------------------------------- */

static void
on_moved(void *arg, uint64_t bytes)
{
	const struct job *j = arg;
	meter_moved(j->meter, bytes);
}

static void
on_had(void *arg, uint64_t bytes)
{
	const struct job *j = arg;
	meter_had(j->meter, bytes);
}

static void
on_total(void *arg, uint64_t bytes)
{
	const struct job *j = arg;
	if (!j->total_known)
		meter_total(j->meter, bytes);
}

static void
on_again(void *arg, const char *why)
{
	const struct job *j = arg;
	meter_again(j->meter, false, why);
}

static const struct transfer_watch *
watch_of(struct job *j)
{
	j->watch = (struct transfer_watch){ on_moved, on_had, on_total, on_again, j };
	return j->meter ? &j->watch : NULL;
}

void
job_total(struct job *j, uint64_t bytes)
{
	j->total_known = true;
	meter_total(j->meter, bytes);
}

int
place_put(struct job *j, const struct place *p, str key, int fd, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) == 0)
		watch_total(watch_of(j), (uint64_t)st.st_size);
	return p->driver->put(p->state, key, fd, e);
}

/* ---- where it lies --------------------------------------------------------------------------------------------------- */

/* Texts that came as base64, as they were; in maps only, as all texts of secrets are. */
static int
decode(struct job *j, const struct val *v, struct val *out, struct err *e)
{
	str bytes, text = v->kind == VAL_MAP && v->n == 1 ? val_get_str(v, "base64") : STR_NONE;
	struct val_map m = { 0 };
	int rc = 0;
	*out = *v;
	if (text.p) {
		rc = base64_decode(j->arena, text, &bytes, e);
		*out = val_str(bytes);
		return rc;
	}
	if (v->kind != VAL_MAP)
		return 0;
	for (uint32_t i = 0; rc == 0 && i < v->n; i++) {
		struct val inner;
		rc = decode(j, &v->members[i].value, &inner, e);
		if (rc == 0)
			val_map_add(&m, val_key(&v->members[i]), inner);
	}
	*out = val_map_end(&m, j->arena);
	return rc;
}

const char *
place_journal(struct job *j, const struct val *item)
{
	str from = val_get_str(item, "from"), log = val_get_str(item, "log"), file = from.n ? from : log;
	return file.n ? arena_fmt(j->arena, "%.*s.uploads", STR_ARG(file)).p : "";
}

int
place_open_all(struct job *j, const struct val *item, struct place *p, struct err *e)
{
	const struct val *place = val_get(item, S("place"));
	const char *journal = place_journal(j, item);
	*p = (struct place){ .site = { .arena = j->arena, .scratch = j->scratch, .bytes = j->bytes, .objects = j->files,
		.journal = *journal ? journal : NULL, .watch = watch_of(j) } };
	if (!val_is(place, VAL_MAP) || place->n != 1)
		return err_set(e, ERR_INVALID, "it has no place");
	str name = val_key(&place->members[0]);
	struct val *whole = ARENA_NEW(j->arena, struct val);
	if (decode(j, &place->members[0].value, whole, e) < 0)
		return -1;
	const struct artifact_driver *d = artifact_driver_named(name);
	if (!d)
		return err_set(e, ERR_UNSUPPORTED, "artifacts in %.*s are not served yet", STR_ARG(name));
	p->key = d->key ? val_get_str(whole, d->key) : STR_NONE;
	if (d->open(whole, &p->site, &p->state, e) < 0)
		return -1;
	p->driver = d;
	return 0;
}

int
place_open(struct job *j, const struct val *item, struct place *p, struct err *e)
{
	if (place_open_all(j, item, p, e) < 0)
		return -1;
	if (!p->driver->key || p->key.n)
		return 0;
	return err_set(e, ERR_INVALID, "its place has no %s", p->driver->key);
}

/* ---- what lies there ----------------------------------------------------------------------------------------------- */

struct gathering {
	struct arena *arena;
	struct keys *keys;
	size_t max;
	bool more;
};

static bool
gather(void *arg, str key, uint64_t bytes UNUSED)
{
	struct gathering *g = arg;
	g->more = g->keys->n == g->max;
	if (!g->more)
		*VEC_PUSH(g->keys) = arena_dup(g->arena, key);
	return !g->more;
}

int
place_keys(struct place *p, size_t max, struct keys *out, struct err *e)
{
	struct gathering g = { p->site.arena, out, max, false };
	str prefix = !p->key.n || str_ends(p->key, S("/")) ? p->key : arena_fmt(g.arena, "%.*s/", STR_ARG(p->key));
	if (!p->driver->list)
		return err_set(e, ERR_UNSUPPORTED, "what lies in %s cannot be listed", p->driver->name);
	if (p->driver->list(p->state, prefix, gather, &g, e) < 0)
		return -1;
	return g.more ? err_set(e, ERR_LIMIT, "beneath \"%.*s\" there are more than %zu objects", STR_ARG(p->key), max) : 0;
}

void
place_close(struct place *p)
{
	if (p->driver)
		p->driver->close(p->state);
}
