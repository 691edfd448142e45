/* SPDX-License-Identifier: Apache-2.0 */
/* Values into Lua and tables out of it, by the rules that Argo's bridge has (spec events 3.3, 3.4). */
#include <math.h>

#include "core/lang/gofmt.h"
#include "core/lang/lua_impl.h"

enum { DEPTH_MAX = 100 };
#define INDEX_MAX 67108864.0 /* above, a key is no place in a list */

/* ---- in ------------------------------------------------------------------------------------------------------------ */

static void
push_number(lua_State *L, const struct val *v)
{
	double d = 0;
	if (!val_to_double(v, &d))
		(void)go_parse_float(val_text(v), &d); /* out of a double's range: infinite, as Go's decoder would refuse */
	lua.lua_pushnumber(L, d);
}

/* What a list may hold: nulls and lists are left out. */
static bool
fits_list(const struct val *v)
{
	return v->kind != VAL_NULL && v->kind != VAL_LIST;
}

static void
push_list(lua_State *L, const struct val *v)
{
	int n = 0;
	lua.lua_createtable(L, (int)(v->n < 1024 ? v->n : 1024), 0);
	for (size_t i = 0; i < v->n; i++) {
		if (!fits_list(&v->items[i]))
			continue;
		lua_push_val(L, &v->items[i]);
		lua.lua_rawseti(L, -2, ++n);
	}
}

static void
push_map(lua_State *L, const struct val *v)
{
	lua.lua_createtable(L, 0, (int)(v->n < 1024 ? v->n : 1024));
	for (size_t i = 0; i < v->n; i++) {
		str key = val_key(&v->members[i]);
		lua.lua_pushlstring(L, key.p ? key.p : "", key.n);
		lua_push_val(L, &v->members[i].value); /* null: nil, which takes an earlier one of the same name away */
		lua.lua_rawset(L, -3);
	}
}

void
lua_push_val(lua_State *L, const struct val *v)
{
	if (!lua.lua_checkstack(L, 4))
		lua.luaL_error(L, "the event is nested too deep");
	switch (v->kind) {
	case VAL_NULL: lua.lua_pushnil(L); break;
	case VAL_BOOL: lua.lua_pushboolean(L, v->b); break;
	case VAL_STR: lua.lua_pushlstring(L, v->n ? v->p : "", v->n); break;
	case VAL_LIST: push_list(L, v); break;
	case VAL_MAP: push_map(L, v); break;
	default: push_number(L, v);
	}
}

/* ---- out ----------------------------------------------------------------------------------------------------------- */

struct out {
	lua_State *L;
	struct arena *a;
	unsigned depth;
};

static struct val out_value(struct out *o);

/* The greatest whole number among the keys of the table on top; 0: none. */
static size_t
list_length(struct out *o)
{
	double most = 0;
	for (lua.lua_pushnil(o->L); lua.lua_next(o->L, -2); lua.lua_settop(o->L, -2)) {
		if (lua.lua_type(o->L, -2) != LUA_TNUMBER)
			continue;
		double d = lua.lua_tonumber(o->L, -2);
		if (d > most && d <= INDEX_MAX && d == floor(d))
			most = d;
	}
	return (size_t)most;
}

static bool
is_marked_list(struct out *o)
{
	if (!lua.lua_getmetatable(o->L, -1))
		return false;
	lua.lua_pushlstring(o->L, "__is_array", 10);
	lua.lua_rawget(o->L, -2);
	bool marked = lua.lua_type(o->L, -1) == LUA_TBOOLEAN && lua.lua_toboolean(o->L, -1);
	lua.lua_settop(o->L, -3);
	return marked;
}

/* The room is the arena's: an error may leave through here at any time. */
static struct val
out_list(struct out *o, size_t n)
{
	lua_spend(o->L, n);
	struct val *items = ARENA_ARRAY(o->a, struct val, n);
	for (size_t i = 0; i < n; i++) {
		lua.lua_rawgeti(o->L, -1, (int)i + 1);
		items[i] = out_value(o);
		lua.lua_settop(o->L, -2);
	}
	return (struct val){ .kind = VAL_LIST, .items = items, .n = (uint32_t)n };
}

/* The key below the top as text. */
static str
out_key(struct out *o)
{
	size_t n;
	if (lua.lua_type(o->L, -2) == LUA_TSTRING) {
		const char *p = lua.lua_tolstring(o->L, -2, &n);
		return arena_dup(o->a, (str){ p, n });
	}
	if (lua.lua_type(o->L, -2) == LUA_TBOOLEAN)
		return lua.lua_toboolean(o->L, -2) ? S("true") : S("false");
	if (lua.lua_type(o->L, -2) != LUA_TNUMBER)
		lua.luaL_error(o->L, "a key that is a %s has no JSON", lua.lua_typename(o->L, lua.lua_type(o->L, -2)));
	struct buf b = { 0 };
	go_format_float(&b, lua.lua_tonumber(o->L, -2), 'g', -1);
	str key = arena_dup(o->a, buf_str(&b));
	buf_free(&b);
	return key;
}

static struct val
out_map(struct out *o)
{
	size_t n = 0, i = 0;
	for (lua.lua_pushnil(o->L); lua.lua_next(o->L, -2); lua.lua_settop(o->L, -2))
		n++;
	lua_spend(o->L, n);
	struct member *members = ARENA_ARRAY(o->a, struct member, n);
	for (lua.lua_pushnil(o->L); lua.lua_next(o->L, -2); lua.lua_settop(o->L, -2)) {
		members[i].key = val_str(out_key(o));
		members[i++].value = out_value(o);
	}
	return (struct val){ .kind = VAL_MAP, .members = members, .n = (uint32_t)n };
}

static struct val
out_table(struct out *o)
{
	if (++o->depth > DEPTH_MAX || !lua.lua_checkstack(o->L, 6))
		lua.luaL_error(o->L, "the table is nested deeper than %d, or holds itself", DEPTH_MAX);
	size_t n = list_length(o);
	struct val v = n || is_marked_list(o) ? out_list(o, n) : out_map(o);
	o->depth--;
	return v;
}

/* The value on top. */
static struct val
out_value(struct out *o)
{
	size_t n;
	const char *p;
	double d;
	switch (lua.lua_type(o->L, -1)) {
	case LUA_TNIL: return val_null();
	case LUA_TBOOLEAN: return val_bool(lua.lua_toboolean(o->L, -1));
	case LUA_TNUMBER:
		d = lua.lua_tonumber(o->L, -1);
		if (!isfinite(d))
			lua.luaL_error(o->L, "a number that is not finite has no JSON");
		return val_float(d);
	case LUA_TSTRING:
		p = lua.lua_tolstring(o->L, -1, &n);
		lua_spend(o->L, n / 16); /* the same text may be in it any number of times */
		return val_str(arena_dup(o->a, (str){ p, n }));
	case LUA_TTABLE:
		return out_table(o);
	default:
		lua.luaL_error(o->L, "a %s has no JSON", lua.lua_typename(o->L, lua.lua_type(o->L, -1)));
		return val_null();
	}
}

struct val
lua_table_val(lua_State *L, struct arena *a)
{
	struct out o = { L, a, 0 };
	return out_value(&o);
}
