/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifact_place: the place of an artifact as its driver gets it (engine/artifact/driver.h): with the folder of the local repository, and with the texts of the
 * secrets in place of what selects them. Texts of secrets are on no disk and in no log: the job goes to the helper through memory.
 */
#include "core/base64.h"
#include "core/utf8.h"
#include "engine/exec/exec.h"

struct resolving {
	const struct executor *x;
	str ns;
	struct arena *arena;
	struct err *e;
};

/* Objects of a namespace lie below its name: two may have a workflow of the same name. */
static struct val
local_place(const struct resolving *x, const struct val *place)
{
	struct val_map m = { 0 };
	val_map_add(&m, S("path"), val_cstr(x->x->repository));
	val_map_add(&m, S("key"), val_str(arena_fmt(x->arena, "%.*s/%.*s", STR_ARG(x->ns), STR_ARG(val_get_str(place, "key")))));
	return val_map_end(&m, x->arena);
}

/* JSON has no texts but UTF-8. */
static struct val
secret_text(struct arena *a, str text)
{
	struct val_map m = { 0 };
	if (utf8_valid(text))
		return val_str(text);
	val_map_add(&m, S("base64"), val_str(base64_encode(a, text)));
	return val_map_end(&m, a);
}

/* A member that selects a key of a Secret or of a ConfigMap: its name without that word. Absent: it is no such member. */
static str
selector_of(str name, const struct val *v, bool *config_map)
{
	static const char *const words[] = { "Secret", "ConfigMap" };
	for (size_t i = 0; i < ARRAY_LEN(words) && val_is(v, VAL_MAP) && val_get_str(v, "key").p; i++)
		if (str_ends(name, str_c(words[i]))) {
			*config_map = i == 1;
			return str_slice(name, 0, name.n - strlen(words[i]));
		}
	return STR_NONE;
}

static int
add_selected(const struct resolving *x, struct val_map *m, str name, bool config_map, const struct val *v)
{
	str text, object = val_get_str(v, "name"), key = val_get_str(v, "key");
	const struct objects *os = x->x->objects;
	int rc = config_map ? config_map_key(os, x->ns, object, key, &text, x->e) : secret_key(os, x->ns, object, key, &text, x->e);
	if (rc < 0)
		return x->e->code == ERR_NOT_FOUND && val_is_true(val_get(v, S("optional"))) ? 0 : -1;
	val_map_add(m, name, secret_text(x->arena, text));
	return 0;
}

static int
resolve(const struct resolving *x, const struct val *v, struct val *out)
{
	struct val_map m = { 0 };
	int rc = 0;
	*out = *v;
	if (v->kind != VAL_MAP)
		return 0;
	for (uint32_t i = 0; rc == 0 && i < v->n; i++) {
		bool config_map = false;
		struct val inner;
		str name = val_key(&v->members[i]), selected = selector_of(name, &v->members[i].value, &config_map);
		if (selected.p) {
			rc = add_selected(x, &m, selected, config_map, &v->members[i].value);
			continue;
		}
		rc = resolve(x, &v->members[i].value, &inner);
		if (rc == 0)
			val_map_add(&m, name, inner);
	}
	*out = val_map_end(&m, x->arena);
	return rc;
}

int
artifact_place_resolve(const struct executor *executor, str ns, const struct val *place, struct arena *a, struct val *out, struct err *e)
{
	const struct resolving x = { executor, ns, a, e };
	const struct val *local = val_get(place, S("local"));
	struct val_map m = { 0 };
	if (!local)
		return resolve(&x, place, out);
	val_map_add(&m, S("local"), local_place(&x, local));
	*out = val_map_end(&m, a);
	return 0;
}
