/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate_patch: what podSpecPatch says, so far as that can be known before it is merged: whether it can be read, and what of
 * it a pod has, and has here. Argo finds out when it makes the pod, so these are warnings; what is not served refuses.
 */
#include "core/field_kinds.h"
#include "engine/spec/validate.h"

struct look {
	struct check *k;
	const struct val *at; /* the patch in the manifest */
	struct buf path;      /* in the patch */
};

static void look_into(struct look *l, const struct schema *sc, const struct val *map);

static const char *
nearest_name(const struct schema *sc, str name)
{
	VEC(const char *) names = { 0 };
	EACH_FIELD(sc, f)
		if (f->name && *f->name)
			*VEC_PUSH(&names) = f->name;
	const char *near = diag_nearest(name, names.p, names.n);
	VEC_FREE(&names);
	return near;
}

/* A block of text in a manifest: the line of the patch says more than that of its beginning. */
static str
place(struct look *l, const struct val *key)
{
	return key->line > 1 ? arena_fmt(l->k->arena, "%.*s (line %u of the patch)", STR_ARG(buf_str(&l->path)), key->line) : buf_str(&l->path);
}

static void
report(struct look *l, const struct schema *sc, const struct field *f, const struct val *key)
{
	const str where = place(l, key);
	struct diag *d;
	if (!f) {
		const char *near = nearest_name(sc, val_text(key));
		d = check_warn(l->k, l->at, "%.*s: unknown field: the step will be an Error", STR_ARG(where));
		if (near)
			diag_hint(l->k->diags, d, "did you mean \"%s\"?", near);
	} else if (f->flags & LATER) {
		check_later(l->k, l->at, "%.*s: not served yet%s%s", STR_ARG(where), f->hint ? ": " : "", f->hint ? f->hint : "");
	} else if (f->flags & NOEFFECT) {
		diag_hint(l->k->diags, check_warn(l->k, l->at, "%.*s: has no effect here", STR_ARG(where)), "%s", f->hint);
	}
}

static void
look_below(struct look *l, const struct field *f, const struct val *v)
{
	const size_t before = l->path.n;
	if (v->kind == VAL_MAP)
		look_into(l, f->schema, v);
	for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++) {
		buf_addf(&l->path, "[%u]", i);
		if (v->items[i].kind == VAL_MAP)
			look_into(l, f->schema, &v->items[i]);
		l->path.n = before;
	}
}

static void
look_into(struct look *l, const struct schema *sc, const struct val *map)
{
	for (uint32_t i = 0; i < map->n && !sc->open; i++) {
		const struct member *m = &map->members[i];
		const struct field *f = field_find(sc, val_key(m));
		const size_t before = l->path.n;
		if (str_starts(val_key(m), S("$"))) /* $patch and the like: how to merge */
			continue;
		buf_addf(&l->path, "%s%.*s", before ? "." : "", STR_ARG(str_slice(val_key(m), 0, 80)));
		report(l, sc, f, &m->key);
		if (f && f->schema && !(f->flags & (LATER | NOEFFECT)))
			look_below(l, f, &m->value);
		l->path.n = before;
	}
}

void
check_pod_patch(struct check *k, const struct val *at)
{
	const str text = val_is(at, VAL_STR) ? val_text(at) : STR_NONE;
	const struct val *patch;
	struct err e;
	if (!text.n)
		return;
	if (pod_spec_read(k->arena, text, &patch, &e)) {
		if (!check_has_tag(text)) /* else the run can tell */
			check_warn(k, at, "%s: every step will be an Error", e.msg);
		return;
	}
	struct look l = { .k = k, .at = at };
	look_into(&l, &pod_spec_schema, patch);
	buf_free(&l.path);
}
