/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/firing_diff.h"

#include "triggers/firing.h"

enum { IMAGES_MAX = 256 << 20 /* bytes of images kept; beyond, a change is known by its hash alone */ };

/* ---- a firing ------------------------------------------------------------------------------------------------------------------ */

static str
key_of(struct firing *f, unsigned again)
{
	struct buf b = { 0 };
	struct event **events;
	size_t n = firing_events(f, &events);
	buf_add(&b, firing_trigger(f));
	for (size_t i = 0; i < n; i++) {
		buf_addc(&b, '\0');
		buf_add(&b, firing_dependency(f, i));
		buf_addc(&b, '\0');
		buf_add(&b, events[i]->id);
	}
	if (again)
		buf_addf(&b, "%c%c#%u", '\0', '\0', again);
	return buf_str(&b);
}

/* Without what says how the rest is made: parameters, payload, and the source if it was read. */
static const struct val *
settings_of(struct firing *f)
{
	static const char *const how[] = { "parameters", "payload", "source" };
	struct arena *a = firing_arena(f);
	const struct val *v = firing_spec(f);
	bool keeps[] = { firing_kind(f)->own_parameters, false, !firing_source(f) };
	for (size_t i = 0; i < ARRAY_LEN(how); i++)
		if (!keeps[i] && val_get(v, str_c(how[i])))
			v = val_unset(a, v, str_c(how[i]));
	return v;
}

static void
add_member(struct buf *b, const char *name, const struct val *v)
{
	if (!v)
		return;
	buf_addf(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
	json_write_buf(b, v);
}

static str
image_of(struct firing *f)
{
	struct buf b = { 0 };
	struct val payload = val_str(firing_payload(f)), json;
	struct err e;
	bool is_json = firing_payload(f).p && json_read(firing_arena(f), firing_payload(f), &json, &e) == 0;
	buf_addc(&b, '{');
	add_member(&b, "settings", settings_of(f));
	add_member(&b, "resource", firing_source(f));
	add_member(&b, "payload", is_json ? &json : firing_payload(f).p ? &payload : NULL);
	buf_addc(&b, '}');
	return buf_str(&b);
}

/* ---- the set ---------------------------------------------------------------------------------------------------------------------- */

static void
change_free(struct firing_change *c)
{
	str_disown(c->key);
	str_disown(c->image[SIDE_BEFORE]);
	str_disown(c->image[SIDE_AFTER]);
	free(c);
}

/* The other side's, if it has it; else a new one. A trigger may fire for the same events again. */
static struct firing_change *
place_for(struct firing_diff *d, enum side side, struct firing *f)
{
	for (unsigned again = 0;; again++) {
		str key = key_of(f, again);
		struct firing_change *c = map_get(&d->open, key);
		if (c && c->there[side]) {
			str_disown(key);
			continue;
		}
		if (c) {
			str_disown(key);
			return c;
		}
		c = MEM_NEW(struct firing_change);
		c->key = key;
		map_put(&d->open, c->key, c);
		return c;
	}
}

static void
keep_image(struct firing_diff *d, struct firing_change *c, enum side side, str image)
{
	c->hash[side] = str_fnv64a(image);
	if (d->bytes + image.n > IMAGES_MAX) {
		str_disown(image);
		return;
	}
	c->image[side] = image;
	d->bytes += image.n;
}

void
firing_diff_add(struct firing_diff *d, enum side side, struct firing *f)
{
	struct firing_change *c = place_for(d, side, f);
	d->fired[side]++;
	c->there[side] = true;
	c->at[side] = loop_now(firing_env(f)->loop);
	keep_image(d, c, side, image_of(f));
	if (!c->there[SIDE_BEFORE] || !c->there[SIDE_AFTER])
		return;
	(void)map_del(&d->open, c->key);
	if (c->hash[SIDE_BEFORE] != c->hash[SIDE_AFTER] || c->at[SIDE_BEFORE] != c->at[SIDE_AFTER]) {
		*VEC_PUSH(&d->changed) = c;
		return;
	}
	d->same++;
	d->bytes -= c->image[SIDE_BEFORE].n + c->image[SIDE_AFTER].n;
	change_free(c);
}

static int64_t
time_of(const struct firing_change *c)
{
	return c->there[SIDE_AFTER] ? c->at[SIDE_AFTER] : c->at[SIDE_BEFORE];
}

static int
by_time(const void *x, const void *y)
{
	const struct firing_change *a = *(const struct firing_change *const *)x, *b = *(const struct firing_change *const *)y;
	if (time_of(a) != time_of(b))
		return time_of(a) < time_of(b) ? -1 : 1;
	return str_cmp(a->key, b->key);
}

const struct firing_change **
firing_diff_list(struct firing_diff *d, struct arena *a, size_t *n)
{
	const struct firing_change **list = ARENA_ARRAY(a, const struct firing_change *, d->changed.n + d->open.n);
	struct map_slot *slot;
	*n = 0;
	for (size_t i = 0; i < d->changed.n; i++)
		list[(*n)++] = d->changed.p[i];
	for (size_t i = 0; (slot = map_next(&d->open, &i));)
		list[(*n)++] = slot->value;
	qsort(list, *n, sizeof *list, by_time);
	return list;
}

void
firing_diff_free(struct firing_diff *d)
{
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&d->open, &i));)
		change_free(slot->value);
	for (size_t i = 0; i < d->changed.n; i++)
		change_free(d->changed.p[i]);
	map_free(&d->open);
	VEC_FREE(&d->changed);
}
