/* SPDX-License-Identifier: Apache-2.0 */
/* What script.c, lua_lib.c and lua_value.c share: Lua's functions, opened by name, and the interpreter. */
#ifndef TIDEGATE_CORE_LANG_LUA_IMPL_H
#define TIDEGATE_CORE_LANG_LUA_IMPL_H

#include <lua5.1/lauxlib.h>
#include <lua5.1/lua.h>
#include <lua5.1/lualib.h>

#include "core/lang/script.h"

/* The functions used: X(prefix, name). */
#define LUA_FUNCTIONS(X)                                                                                                       \
	X(lua_, newstate) X(lua_, close) X(lua_, sethook) X(lua_, gettop) X(lua_, settop) X(lua_, pushvalue) X(lua_, remove)   \
	X(lua_, insert) X(lua_, replace) X(lua_, checkstack) X(lua_, type) X(lua_, typename) X(lua_, toboolean)                \
	X(lua_, tolstring) X(lua_, tonumber) X(lua_, isnumber) X(lua_, next) X(lua_, rawget) X(lua_, rawgeti) X(lua_, rawset) \
	X(lua_, rawseti) X(lua_, createtable) X(lua_, getmetatable) X(lua_, setmetatable) X(lua_, pushnil)                     \
	X(lua_, pushnumber) X(lua_, pushlstring) X(lua_, pushboolean) X(lua_, pushcclosure) X(lua_, pushlightuserdata)         \
	X(lua_, touserdata) X(lua_, concat) X(lua_, call) X(lua_, pcall) X(lua_, error) X(lua_, gc) X(lua_, setfenv) X(lua_, getfield)         \
	X(lua_, setfield) X(lua_, gettable) X(luaL_, loadbuffer) X(luaL_, ref) X(luaL_, unref) X(luaL_, error)                 \
	X(luaL_, checklstring) X(luaL_, optlstring) X(luaL_, checkinteger) X(luaL_, optinteger) X(luaL_, checknumber)          \
	X(luaL_, checktype) X(luaL_, checkany) X(luaL_, argerror) X(lua_, objlen) X(luaL_, callmeta) X(luaopen_, base) X(luaopen_, string)     \
	X(luaopen_, table) X(luaopen_, math)

/* lua.lua_settop(L, 0) is lua_settop(L, 0). */
struct lua {
#define X(prefix, name) __typeof__(&prefix##name) prefix##name;
	LUA_FUNCTIONS(X)
#undef X
};
extern struct lua lua; /* filled by the first script_compile */

enum lua_over { LUA_WITHIN, LUA_OVER_INSTRUCTIONS, LUA_OVER_MEMORY, LUA_OVER_TIME };

/* The interpreter of this thread. */
struct lua_vm {
	lua_State *L;
	size_t scripts;      /* that use it; the last one closes it */
	size_t used, room;   /* bytes: allocated, and the most that may be; room 0: no limit, outside of runs */
	int64_t left;        /* instructions */
	int64_t wall_ns, cpu_ns; /* when the run began, by two clocks */
	enum lua_over over;  /* the run is to end; nothing may catch that */
	int globals, meta;   /* references: what a script finds by name, and the metatable of its environment */
	int concat;          /* Lua's own table.concat */
	uint64_t random;
};
extern _Thread_local struct lua_vm lua_vm;

/* Takes `n` instructions; does not return if there are not so many (raises). */
void lua_spend(lua_State *L, size_t n);
/* Takes them without raising: false if there are not so many. For code that holds memory of its own. */
bool lua_may_spend(size_t n);
/* Ends the run: raises what is over. */
int lua_raise_over(lua_State *L);
/* Fills the globals: pushes nothing. Called protected. */
int lua_lib_open(lua_State *L);
/* Pushes the string functions that replace Lua's own into the table on top. */
void lua_lib_strings(lua_State *L);

/*
 * A text that grows in a table at the index `table`, on top where it begins; then at the top is the text.
 */
struct lua_pieces {
	lua_State *L;
	int table, n;
};
struct lua_pieces lua_pieces_new(lua_State *L);
void lua_pieces_add(struct lua_pieces *p, const char *s, size_t n);
void lua_pieces_join(struct lua_pieces *p);

/* Puts tostring and tonumber, those of the library of strings, and table.concat into the table on top. */
void lua_lib_texts(lua_State *L);
void lua_lib_text_methods(lua_State *L);
void lua_lib_concat(lua_State *L);

/* Pushes the event's value. Raises if it is nested too deep. */
void lua_push_val(lua_State *L, const struct val *v);
/* The table on top of the stack as a value in `a`. Raises for what has no JSON. */
struct val lua_table_val(lua_State *L, struct arena *a);

static inline void lua_put(lua_State *L, const char *name, lua_CFunction f)
{
	lua.lua_pushcclosure(L, f, 0);
	lua.lua_setfield(L, -2, name);
}

#endif
