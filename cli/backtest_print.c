/* SPDX-License-Identifier: Apache-2.0 */
/* What a backtest found, for people and for programs. */
#include "cli/backtest.h"
#include "cli/match.h"
#include "cli/output.h"

/* ---- a difference as a value --------------------------------------------------------------------------------------------------- */

static void
add_parts(struct val_map *m, struct arena *a, str key)
{
	struct val_list events = { 0 };
	val_map_add(m, S("trigger"), val_str(str_cut(&key, '\0')));
	while (key.n && *key.p) {
		struct val_map part = { 0 };
		val_map_add(&part, S("dependency"), val_str(str_cut(&key, '\0')));
		val_map_add(&part, S("event"), val_str(str_cut(&key, '\0')));
		val_list_add(&events, val_map_end(&part, a));
	}
	val_map_add(m, S("events"), val_list_end(&events, a));
}

struct listing {
	struct arena *arena;
	struct val_list list;
};

static void
add_change(void *arg, str path, const struct val *from, const struct val *to)
{
	struct listing *l = arg;
	struct val_map m = { 0 };
	val_map_add(&m, S("path"), val_str(path));
	if (from)
		val_map_add(&m, S("from"), *from);
	if (to)
		val_map_add(&m, S("to"), *to);
	val_list_add(&l->list, val_map_end(&m, l->arena));
}

static bool
image(const struct firing_change *c, enum side side, struct arena *a, struct val *out)
{
	struct err e;
	return c->image[side].p && json_read(a, c->image[side], out, &e) == 0;
}

static void
add_times(struct listing *l, const struct firing_change *c)
{
	if (c->at[SIDE_BEFORE] == c->at[SIDE_AFTER])
		return;
	struct val from = val_str(time_rfc3339_nano(l->arena, c->at[SIDE_BEFORE])), to = val_str(time_rfc3339_nano(l->arena, c->at[SIDE_AFTER]));
	add_change(l, S("at"), &from, &to);
}

/* {what, trigger, events, at, sends | changes} */
static struct val
change_val(const struct firing_change *c, struct arena *a)
{
	bool both = c->there[SIDE_BEFORE] && c->there[SIDE_AFTER];
	enum side side = c->there[SIDE_AFTER] ? SIDE_AFTER : SIDE_BEFORE;
	struct val_map m = { 0 };
	struct val before, after;
	val_map_add(&m, S("what"), val_cstr(both ? "changes" : side == SIDE_AFTER ? "comes" : "goes"));
	add_parts(&m, a, c->key);
	val_map_add(&m, S("at"), val_str(time_rfc3339_nano(a, c->at[side])));
	if (!both && image(c, side, a, &after))
		val_map_add(&m, S("sends"), after);
	if (!both)
		return val_map_end(&m, a);
	struct listing l = { .arena = a };
	add_times(&l, c);
	if (image(c, SIDE_BEFORE, a, &before) && image(c, SIDE_AFTER, a, &after))
		val_changes(a, &before, &after, add_change, &l);
	val_map_add(&m, S("changes"), val_list_end(&l.list, a));
	return val_map_end(&m, a);
}

/* ---- counts ------------------------------------------------------------------------------------------------------------------------ */

struct counts {
	size_t come, go, change;
};

static struct counts
count(const struct firing_change *const *list, size_t n)
{
	struct counts c = { 0 };
	for (size_t i = 0; i < n; i++) {
		c.come += !list[i]->there[SIDE_BEFORE];
		c.go += !list[i]->there[SIDE_AFTER];
		c.change += list[i]->there[SIDE_BEFORE] && list[i]->there[SIDE_AFTER];
	}
	return c;
}

static struct val
side_val(const struct backtest *b, enum side side, struct arena *a)
{
	const struct backtest_side *s = &b->sides[side];
	struct val_map m = { 0 };
	val_map_add(&m, S("firings"), val_int((int64_t)b->diff.fired[side]));
	val_map_add(&m, S("errors"), val_int((int64_t)s->errors));
	val_map_add_str(&m, S("firstError"), s->error);
	return val_map_end(&m, a);
}

static void
print_json(const struct backtest *b, const struct firing_change *const *list, size_t n, size_t shown, struct arena *a)
{
	struct counts c = count(list, n);
	struct val_map m = { 0 };
	struct val_list changes = { 0 };
	val_map_add(&m, S("namespace"), val_str(b->ns));
	val_map_add(&m, S("sensor"), val_str(b->name));
	val_map_add(&m, S("deployed"), val_bool(b->deployed));
	val_map_add(&m, S("since"), val_str(time_rfc3339_nano(a, b->since)));
	val_map_add(&m, S("until"), val_str(time_rfc3339_nano(a, b->until)));
	val_map_add(&m, S("events"), val_int((int64_t)b->events));
	val_map_add(&m, S("taken"), val_int((int64_t)b->taken));
	val_map_add(&m, S("before"), side_val(b, SIDE_BEFORE, a));
	val_map_add(&m, S("after"), side_val(b, SIDE_AFTER, a));
	val_map_add(&m, S("same"), val_int((int64_t)b->diff.same));
	val_map_add(&m, S("come"), val_int((int64_t)c.come));
	val_map_add(&m, S("go"), val_int((int64_t)c.go));
	val_map_add(&m, S("change"), val_int((int64_t)c.change));
	for (size_t i = 0; i < shown; i++)
		val_list_add(&changes, change_val(list[i], a));
	val_map_add(&m, S("differences"), val_list_end(&changes, a));
	struct val v = val_map_end(&m, a);
	print_value(stdout, &v, "json");
}

/* ---- for people -------------------------------------------------------------------------------------------------------------------- */

static void
print_events(const struct val *events, struct buf *b)
{
	for (uint32_t i = 0; i < events->n; i++)
		buf_addf(b, "%s%.*s %.*s", i ? ", " : "", STR_ARG(val_get_str(&events->items[i], "dependency")), STR_ARG(val_get_str(&events->items[i], "event")));
}

static void
print_member(struct arena *a, const struct val *sends, const char *name)
{
	const struct val *v = val_get(sends, str_c(name));
	if (v)
		printf("    %s: %.*s\n", name, STR_ARG(val_excerpt(a, v)));
}

static void
print_change(const struct firing_change *c, struct arena *a, bool colors)
{
	struct val v = change_val(c, a);
	const struct val *sends = val_get(&v, S("sends")), *changes = val_get(&v, S("changes"));
	str what = val_get_str(&v, "what");
	struct buf events CLEANUP(free_buf) = { 0 };
	char sign = what.p[0] == 'c' ? what.p[1] == 'o' ? '+' : '~' : '-';
	const char *color = !colors ? "" : sign == '+' ? "\033[32m" : sign == '-' ? "\033[31m" : "\033[33m";
	print_events(val_get(&v, S("events")), &events);
	printf("%s%c %.*s%s  %.*s  %.*s\n", color, sign, STR_ARG(val_get_str(&v, "trigger")), *color ? "\033[0m" : "", STR_ARG(val_get_str(&v, "at")),
	       STR_ARG(buf_str(&events)));
	for (uint32_t i = 0; changes && i < changes->n; i++) {
		const struct val *x = &changes->items[i];
		printf("    %.*s: %.*s -> %.*s\n", STR_ARG(val_get_str(x, "path")), STR_ARG(val_excerpt(a, val_get(x, S("from")))),
		       STR_ARG(val_excerpt(a, val_get(x, S("to")))));
	}
	print_member(a, sends, "resource");
	print_member(a, sends, "payload");
	if (!val_get(sends, S("resource")) && !val_get(sends, S("payload")))
		print_member(a, sends, "settings");
}

static void
print_side(const struct backtest *b, enum side side, const char *name)
{
	const struct backtest_side *s = &b->sides[side];
	printf("%s: %zu firing%s", name, b->diff.fired[side], b->diff.fired[side] == 1 ? "" : "s");
	if (s->errors)
		printf(", %zu error%s (the first: %.*s)", s->errors, s->errors == 1 ? "" : "s", STR_ARG(s->error));
	putchar('\n');
}

static void
print_text(const struct backtest *b, const struct firing_change *const *list, size_t n, size_t shown, struct arena *a)
{
	struct counts c = count(list, n);
	bool colors = out_colors(stdout);
	printf("%.*s/%.*s, %.*s to %.*s: %zu events, %zu of them for it\n", STR_ARG(b->ns), STR_ARG(b->name), STR_ARG(time_rfc3339(a, b->since)),
	       STR_ARG(time_rfc3339(a, b->until)), b->events, b->taken);
	if (b->deployed)
		print_side(b, SIDE_BEFORE, "before");
	else
		printf("before: the sensor is not deployed\n");
	print_side(b, SIDE_AFTER, "after");
	for (size_t i = 0; i < shown; i++)
		print_change(list[i], a, colors);
	if (shown < n)
		printf("... and %zu more: --limit 0 shows all\n", n - shown);
	printf("%zu the same, %zu come, %zu go, %zu change\n", b->diff.same, c.come, c.go, c.change);
}

bool
backtest_print(struct backtest *b, bool json, size_t limit)
{
	size_t n, shown;
	const struct firing_change **list = firing_diff_list(&b->diff, b->arena, &n);
	shown = limit && limit < n ? limit : n;
	(json ? print_json : print_text)(b, (const struct firing_change *const *)list, n, shown, b->arena);
	return n > 0;
}
