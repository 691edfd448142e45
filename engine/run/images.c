/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images: what the names of images meant for this workflow. The first step that uses a name decides: it is kept with the
 * workflow's state, so that every later step gets the same image, whatever is imported meanwhile, and so that a colleague
 * who looks at a finished workflow knows what it ran.
 */
#include "engine/run/run_impl.h"

str
image_pinned(const struct image_uses *u, str name)
{
	for (size_t i = 0; u && i < u->v.n; i++)
		if (str_eq(u->v.p[i].name, name))
			return u->v.p[i].digest;
	return STR_NONE;
}

static size_t
find(const struct run *r, str name)
{
	size_t i = 0;
	while (i < r->images.v.n && !str_eq(r->images.v.p[i].name, name))
		i++;
	return i;
}

void
run_use_image(struct run *r, struct node *n, str name, str digest, bool listed)
{
	size_t i = find(r, name);
	if (i == IMAGES_MAX_KEPT)
		return;
	if (i == r->images.v.n)
		*VEC_PUSH(&r->images.v) = (struct image_use){ arena_dup(r->arena, name), arena_dup(r->arena, digest),
			n ? n->id : STR_NONE, listed };
	if (n && !n->image)
		n->image = (uint16_t)(i + 1);
}

/* ---- as values ------------------------------------------------------------------------------------------------- */

struct val
images_save(const struct run *r, struct arena *a)
{
	struct val_list list = { 0 };
	for (size_t i = 0; i < r->images.v.n; i++) {
		const struct image_use *u = &r->images.v.p[i];
		struct val_map m = { 0 };
		val_map_add(&m, S("name"), val_str(u->name));
		val_map_add(&m, S("digest"), val_str(u->digest));
		val_map_add_str(&m, S("first"), u->first);
		if (u->listed)
			val_map_add(&m, S("listed"), val_bool(true));
		val_list_add(&list, val_map_end(&m, a));
	}
	return val_list_end(&list, a);
}

void
images_load(struct run *r, const struct val *list)
{
	for (uint32_t i = 0; val_is(list, VAL_LIST) && i < list->n && i < IMAGES_MAX_KEPT; i++) {
		const struct val *v = &list->items[i], *listed = val_get(v, S("listed"));
		str name = val_get_str(v, "name"), digest = val_get_str(v, "digest");
		*VEC_PUSH(&r->images.v) = (struct image_use){ name.p ? name : S(""), digest.p ? digest : S(""),
			val_get_str(v, "first"), val_is(listed, VAL_BOOL) && listed->b };
	}
}

struct val
images_shown(const struct run *r, struct arena *a)
{
	struct val_map m = { 0 };
	for (size_t i = 0; i < r->images.v.n; i++)
		val_map_add(&m, r->images.v.p[i].name, val_str(r->images.v.p[i].digest));
	return val_map_end(&m, a);
}

/* The first node with images of which nobody said anything also says that; once is enough. */
void
image_of_node(const struct node *n, struct arena *a, struct val_map *status)
{
	if (!n->image || n->image > n->run->images.v.n)
		return;
	struct buf note CLEANUP(free_buf) = { 0 };
	val_map_add(status, S("imageDigest"), val_str(n->run->images.v.p[n->image - 1].digest));
	for (size_t i = 0; i < n->run->images.v.n; i++) {
		const struct image_use *u = &n->run->images.v.p[i];
		if (!u->listed && str_eq(u->first, n->id))
			buf_addf(&note, "%simage %.*s is not in the image table: the host's commands serve", note.n ? "; " : "",
				STR_ARG(u->name));
	}
	if (note.n)
		val_map_add(status, S("imageNote"), val_str(arena_dup(a, buf_str(&note))));
}
