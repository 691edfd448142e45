/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data: what a data template makes (spec 2.18; ProcessData in workflow/data/data.go, v4.1.2): the keys of the objects at a location, changed by one expression
 * after the other. The texts of errors are Argo's. It is done here since a list may be long, and the daemon has other things to do.
 */
#include "core/lang/expr.h"
#include "engine/artifact/helper/helper.h"

enum { DATA_KEYS_MAX = 100000 }; /* more would be beyond what expressions may do */

/* An object whose key ends so stands for a folder: consoles make them. */
static bool
is_folder(str key)
{
	return str_ends(key, S("/"));
}

static int
by_text(const void *a, const void *b)
{
	return str_cmp(val_text((const struct val *)a), val_text((const struct val *)b));
}

/* The keys as the manifest has them: the local repository's begin with a namespace that it does not name. */
static struct val
list_of(struct arena *a, const struct place *p, str under, const struct keys *keys)
{
	struct val *items = ARENA_ARRAY(a, struct val, keys->n);
	size_t n = 0;
	for (size_t i = 0; i < keys->n; i++)
		if (!is_folder(keys->p[i])) {
			str rest = str_slice(keys->p[i], p->key.n, keys->p[i].n);
			items[n++] = val_str(under.n + rest.n == keys->p[i].n ? keys->p[i] : arena_fmt(a, "%.*s%.*s", STR_ARG(under), STR_ARG(rest)));
		}
	if (n)
		qsort(items, n, sizeof *items, by_text);
	return (struct val){ .kind = VAL_LIST, .items = items, .n = (uint32_t)n };
}

static int
read_source(struct job *j, const struct val *item, struct val *out, struct err *e)
{
	struct place p;
	struct keys keys = { 0 };
	str under = val_get_str(item, "under");
	int rc = place_open_all(j, item, &p, e);
	if (rc == 0)
		rc = place_keys(&p, DATA_KEYS_MAX, &keys, e);
	if (rc == 0)
		*out = list_of(j->arena, &p, under.p ? under : S(""), &keys);
	VEC_FREE(&keys);
	place_close(&p);
	return rc < 0 ? err_wrap(e, "unable to process data source: unable to source artifact paths") : 0;
}

static int
apply(struct arena *a, str text, struct val *data, struct err *e)
{
	struct expr *x = NULL;
	struct val_map m = { 0 };
	val_map_add(&m, S("data"), *data);
	struct val env = val_map_end(&m, a), out;
	int rc = expr_compile(text, &(struct expr_options){ 0 }, &x, e);
	if (rc == 0)
		rc = expr_eval(x, &env, a, &out, e);
	if (rc == 0)
		*data = val_copy(a, &out); /* it may point into the expression */
	expr_free(x);
	return rc;
}

static int
transform(struct arena *a, const struct val *expressions, struct val *data, struct err *e)
{
	for (uint32_t i = 0; val_is(expressions, VAL_LIST) && i < expressions->n; i++)
		if (apply(a, val_text(&expressions->items[i]), data, e) < 0)
			return err_wrap(e, "unable to process data transformation: error processing data step %u", i);
	return 0;
}

int
data_item(struct job *j, const struct val *item, struct val_map *answer, struct err *e)
{
	struct buf text CLEANUP(free_buf) = { 0 };
	struct val data;
	if (read_source(j, item, &data, e) < 0 || transform(j->arena, val_get(item, S("expressions")), &data, e) < 0)
		return -1;
	data = expr_plain(j->arena, &data);
	if (expr_json(&text, &data, e) < 0)
		return err_wrap(e, "its result");
	val_map_add(answer, S("result"), val_str(arena_dup(j->arena, buf_str(&text))));
	return 0;
}
