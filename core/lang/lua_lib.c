/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The globals that scripts see. Most functions are Lua's own; replaced are those that could run long inside one call (patterns,
 * string.rep, table.sort), that could catch the end of a budget (pcall, xpcall), that share something with the process
 * (math.random, collectgarbage), and those that write and read text (lua_text.c).
 */
#include <math.h>

#include "core/lang/lua_impl.h"
#include "core/lang/luapat.h"

/* ---- patterns ------------------------------------------------------------------------------------------------------ */

static str
check_text(lua_State *L, int arg)
{
	size_t n;
	const char *p = lua.luaL_checklstring(L, arg, &n);
	return (str){ p, n };
}

static bool
find(lua_State *L, struct luapat *m, size_t at, bool anchored, size_t *start, size_t *end)
{
	for (; at <= m->text.n; at++) {
		if (luapat_match(m, at, end)) {
			*start = at;
			return true;
		}
		if (m->spent)
			lua_raise_over(L);
		if (m->error)
			lua.luaL_error(L, "%s", m->error);
		if (anchored)
			break;
	}
	return false;
}

static void
push_capture(lua_State *L, const struct luapat *m, size_t i)
{
	if (m->captures[i].len == LUAPAT_POSITION)
		lua.lua_pushnumber(L, (double)m->captures[i].at + 1);
	else
		lua.lua_pushlstring(L, m->text.p + m->captures[i].at, m->captures[i].len);
}

/* All captures, or the whole match if there are none and `whole`. */
static int
push_captures(lua_State *L, const struct luapat *m, bool whole, size_t start, size_t end)
{
	if (!lua.lua_checkstack(L, LUAPAT_CAPTURES + 4))
		return lua.luaL_error(L, "too many captures");
	for (size_t i = 0; i < m->n; i++)
		push_capture(L, m, i);
	if (m->n || !whole)
		return (int)m->n;
	lua.lua_pushlstring(L, m->text.p + start, end - start);
	return 1;
}

/* An offset as a script gives it: from 1, negative from the end. */
static size_t
offset(double from, size_t n)
{
	if (from < 0)
		from += (double)n + 1;
	return from < 1 ? 0 : from > (double)n + 1 ? n + 1 : (size_t)from - 1;
}

static struct luapat
pattern(str text, str p, bool *anchored)
{
	*anchored = p.n && p.p[0] == '^';
	return (struct luapat){ .text = text, .pattern = str_slice(p, *anchored, p.n), .spend = lua_may_spend };
}

static bool
is_plain(str p)
{
	for (size_t i = 0; i < p.n; i++)
		if (p.p[i] && strchr("^$*+?.([%-", p.p[i]))
			return false;
	return true;
}

static int
find_plain(lua_State *L, str text, str p, size_t from)
{
	size_t at = str_find(text, p, from);
	lua_spend(L, (at == SIZE_MAX ? text.n - from : at - from) / 16);
	if (at == SIZE_MAX) {
		lua.lua_pushnil(L);
		return 1;
	}
	lua.lua_pushnumber(L, (double)at + 1);
	lua.lua_pushnumber(L, (double)(at + p.n));
	return 2;
}

static int
lib_find(lua_State *L)
{
	str text = check_text(L, 1), p = check_text(L, 2);
	size_t from = offset((double)lua.luaL_optinteger(L, 3, 1), text.n), start, end;
	bool anchored;
	if (from > text.n)
		from = text.n; /* as 5.1 does it: an empty pattern is found at the end */
	if (lua.lua_toboolean(L, 4) || is_plain(p))
		return find_plain(L, text, p, from);
	struct luapat m = pattern(text, p, &anchored);
	if (!find(L, &m, from, anchored, &start, &end)) {
		lua.lua_pushnil(L);
		return 1;
	}
	lua.lua_pushnumber(L, (double)start + 1);
	lua.lua_pushnumber(L, (double)end);
	return 2 + push_captures(L, &m, false, start, end);
}

static int
lib_match(lua_State *L)
{
	str text = check_text(L, 1), p = check_text(L, 2);
	size_t from = offset((double)lua.luaL_optinteger(L, 3, 1), text.n), start, end;
	bool anchored;
	struct luapat m = pattern(text, p, &anchored);
	if (find(L, &m, from > text.n ? text.n : from, anchored, &start, &end))
		return push_captures(L, &m, true, start, end);
	lua.lua_pushnil(L);
	return 1;
}

/* The next match of gmatch; its upvalues are text, pattern and where to go on. */
static int
next_match(lua_State *L)
{
	str text = check_text(L, lua_upvalueindex(1)), p = check_text(L, lua_upvalueindex(2));
	size_t from = (size_t)lua.lua_tonumber(L, lua_upvalueindex(3)), start, end;
	struct luapat m = { .text = text, .pattern = p, .spend = lua_may_spend }; /* '^' means nothing here */
	if (from > text.n || !find(L, &m, from, false, &start, &end))
		return 0;
	lua.lua_pushnumber(L, (double)(end + (end == start)));
	lua.lua_replace(L, lua_upvalueindex(3));
	return push_captures(L, &m, true, start, end);
}

static int
lib_gmatch(lua_State *L)
{
	check_text(L, 1);
	check_text(L, 2);
	lua.lua_settop(L, 2);
	lua.lua_pushnumber(L, 0);
	lua.lua_pushcclosure(L, next_match, 3);
	return 1;
}

/* What is on top is the replacement: a string or a number; nil and false keep what was matched. */
static void
add_value(struct lua_pieces *p, const struct luapat *m, size_t start, size_t end)
{
	size_t n;
	int type = lua.lua_type(p->L, -1);
	if (type == LUA_TNIL || (type == LUA_TBOOLEAN && !lua.lua_toboolean(p->L, -1))) {
		lua_pieces_add(p, m->text.p + start, end - start);
	} else if (type == LUA_TSTRING || type == LUA_TNUMBER) {
		const char *s = lua.lua_tolstring(p->L, -1, &n);
		lua_pieces_add(p, s, n);
	} else {
		lua.luaL_error(p->L, "invalid replacement value (a %s)", lua.lua_typename(p->L, type));
	}
	lua.lua_settop(p->L, -2);
}

/* A replacement text: "%1" is a capture, "%0" the match, "%%" a percent sign. */
static void
add_template(struct lua_pieces *p, const struct luapat *m, str repl, size_t start, size_t end)
{
	for (size_t i = 0, at; i < repl.n; i = at + 2) {
		at = str_find_char(repl, '%', i);
		at = at == SIZE_MAX ? repl.n : at;
		lua_pieces_add(p, repl.p + i, at - i);
		char c = at + 1 < repl.n ? repl.p[at + 1] : 0;
		if (c >= '1' && c <= '9' && m->n && (size_t)(c - '1') >= m->n)
			lua.luaL_error(p->L, "invalid capture index");
		if (c == '0' || (c == '1' && !m->n)) {
			lua_pieces_add(p, m->text.p + start, end - start);
		} else if (c >= '1' && c <= '9') {
			if (!m->n)
				lua.luaL_error(p->L, "invalid capture index");
			push_capture(p->L, m, (size_t)(c - '1'));
			add_value(p, m, start, end);
		} else if (at < repl.n) { /* a percent sign before anything else is one, as in Argo's interpreter */
			lua_pieces_add(p, repl.p + at, at + 1 < repl.n && c != '%' ? 2 : 1);
		}
	}
}

static void
add_replacement(struct lua_pieces *p, const struct luapat *m, size_t start, size_t end)
{
	int type = lua.lua_type(p->L, 3);
	if (type == LUA_TSTRING || type == LUA_TNUMBER) {
		add_template(p, m, check_text(p->L, 3), start, end);
		return;
	}
	lua.lua_pushvalue(p->L, 3);
	int n = type == LUA_TTABLE ? 1 : push_captures(p->L, m, true, start, end);
	if (type == LUA_TFUNCTION) {
		lua.lua_call(p->L, n, 1);
	} else {
		if (m->n)
			push_capture(p->L, m, 0);
		else
			lua.lua_pushlstring(p->L, m->text.p + start, end - start);
		lua.lua_gettable(p->L, -2);
		lua.lua_remove(p->L, -2);
	}
	add_value(p, m, start, end);
}

static int
lib_gsub(lua_State *L)
{
	str text = check_text(L, 1), pat = check_text(L, 2);
	int type = lua.lua_type(L, 3);
	double most = (double)lua.luaL_optinteger(L, 4, (lua_Integer)text.n + 1), n = 0;
	bool anchored;
	most = most < 0 ? (double)text.n + 1 : most; /* all, in Argo's interpreter */
	if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TFUNCTION && type != LUA_TTABLE)
		return lua.luaL_argerror(L, 3, "string/function/table expected");
	lua.lua_settop(L, 3);
	struct luapat m = pattern(text, pat, &anchored);
	struct lua_pieces p = lua_pieces_new(L);
	size_t at = 0, done = 0, start, end;
	while (n < most && at <= text.n && find(L, &m, at, anchored, &start, &end)) {
		n++;
		lua_pieces_add(&p, text.p + done, start - done);
		add_replacement(&p, &m, start, end);
		done = end;
		at = end + (end == start);
		if (anchored)
			break;
	}
	lua_pieces_add(&p, text.p + done, text.n - done);
	lua_pieces_join(&p);
	lua.lua_pushnumber(L, n);
	return 2;
}

/* By doubling: each step is an allocation, which pays for itself. */
static int
lib_rep(lua_State *L)
{
	str s = check_text(L, 1);
	double n = lua.luaL_checknumber(L, 2);
	if (n * (double)s.n > (double)lua_vm.room)
		return lua.luaL_error(L, "not enough memory for a string of that length");
	lua.lua_settop(L, 1);
	lua.lua_pushlstring(L, "", 0);
	for (size_t left = n > 0 && s.n ? (size_t)n : 0; left; left >>= 1) {
		if (left & 1) {
			lua.lua_pushvalue(L, 1);
			lua.lua_concat(L, 2);
		}
		lua.lua_pushvalue(L, 1);
		lua.lua_pushvalue(L, 1);
		lua.lua_concat(L, 2);
		lua.lua_replace(L, 1);
	}
	return 1;
}

void
lua_lib_strings(lua_State *L)
{
	lua_lib_text_methods(L);
	lua_put(L, "gsub", lib_gsub);
	lua_put(L, "find", lib_find);
	lua_put(L, "match", lib_match);
	lua_put(L, "gmatch", lib_gmatch);
	lua_put(L, "gfind", lib_gmatch);
	lua_put(L, "rep", lib_rep);
	lua.lua_pushnil(L);
	lua.lua_setfield(L, -2, "dump");
}

/* ---- other functions -------------------------------------------------------------------------------------------------- */

/* The outcome of a protected call: what a budget ended is not to be caught. */
static int
caught(lua_State *L, int status)
{
	if (lua_vm.over)
		return lua_raise_over(L);
	lua.lua_pushboolean(L, status == 0);
	lua.lua_insert(L, 1);
	return lua.lua_gettop(L);
}

static int
lib_pcall(lua_State *L)
{
	lua.luaL_checkany(L, 1);
	return caught(L, lua.lua_pcall(L, lua.lua_gettop(L) - 1, LUA_MULTRET, 0));
}

static int
lib_xpcall(lua_State *L)
{
	lua.luaL_checkany(L, 2);
	lua.lua_settop(L, 2);
	lua.lua_insert(L, 1);
	int status = lua.lua_pcall(L, 0, LUA_MULTRET, 1);
	lua.lua_remove(L, 1);
	return caught(L, status);
}

/* Nothing reads what a script prints; it may print all the same. */
static int
lib_print(lua_State *L)
{
	(void)L;
	return 0;
}

static int
lib_collectgarbage(lua_State *L)
{
	lua.lua_pushnumber(L, (double)lua_vm.used / 1024);
	return 1;
}

/* xorshift64* */
static double
next_random(void)
{
	uint64_t x = lua_vm.random;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	lua_vm.random = x;
	return (double)((x * UINT64_C(0x2545F4914F6CDD1D)) >> 11) * 0x1p-53;
}

static int
lib_random(lua_State *L)
{
	double low = 1, high, r = next_random();
	if (lua.lua_gettop(L) == 0) {
		lua.lua_pushnumber(L, r);
		return 1;
	}
	high = lua.luaL_checknumber(L, 1);
	if (lua.lua_gettop(L) > 1) {
		low = high;
		high = lua.luaL_checknumber(L, 2);
	}
	if (low > high)
		return lua.luaL_argerror(L, lua.lua_gettop(L), "interval is empty");
	lua.lua_pushnumber(L, floor(low) + floor(r * (floor(high) - floor(low) + 1)));
	return 1;
}

static int
lib_randomseed(lua_State *L)
{
	lua_vm.random = ((uint64_t)(int64_t)lua.luaL_checknumber(L, 1) << 1) | 1;
	return 0;
}

/* Heap sort in Lua: each comparison is instructions of the script, and counts. */
static const char sort_text[] =
	"local t, less = ...\n"
	"if type(t) ~= 'table' then error(\"bad argument #1 to 'sort' (table expected, got \" .. type(t) .. ')', 2) end\n"
	"if less == nil then less = function(a, b) return a < b end end\n"
	"local function sink(from, to)\n"
	"  local x = t[from]\n"
	"  while 2 * from <= to do\n"
	"    local child = 2 * from\n"
	"    if child < to and less(t[child], t[child + 1]) then child = child + 1 end\n"
	"    if not less(x, t[child]) then break end\n"
	"    t[from] = t[child]\n"
	"    from = child\n"
	"  end\n"
	"  t[from] = x\n"
	"end\n"
	"local n = #t\n"
	"for i = math.floor(n / 2), 1, -1 do sink(i, n) end\n"
	"for i = n, 2, -1 do\n"
	"  t[1], t[i] = t[i], t[1]\n"
	"  sink(1, i - 1)\n"
	"end\n";

/* ---- what a script finds by name ------------------------------------------------------------------------------------- */

static const char *const functions[] = { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "rawequal", "rawget", "rawset", "select",
	                                 "setmetatable", "type", "unpack", "_VERSION" };
static const char *const libraries[] = { "string", "table", "math", "coroutine" };
static const char *const refused[] = { "os", "io", "package", "debug", "require", "module", "dofile", "loadfile", "load", "loadstring", "getfenv",
	                               "setfenv", "gcinfo", "newproxy" };

static bool
is_in(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* A copy of the table on top in its place: what a script changes there is its own. */
static void
copy_library(lua_State *L)
{
	lua.lua_createtable(L, 0, 20);
	for (lua.lua_pushnil(L); lua.lua_next(L, -3);) {
		lua.lua_pushvalue(L, -2);
		lua.lua_insert(L, -2);
		lua.lua_rawset(L, -4);
	}
	lua.lua_remove(L, -2);
}

/* __index of the environment: Lua's functions, and a library's copy with its first use. */
static int
find_global(lua_State *L)
{
	if (lua.lua_type(L, 2) != LUA_TSTRING)
		return 0;
	lua.lua_rawgeti(L, LUA_REGISTRYINDEX, lua_vm.globals);
	lua.lua_pushvalue(L, 2);
	lua.lua_rawget(L, -2);
	const char *name = lua.lua_tolstring(L, 2, NULL);
	if (lua.lua_type(L, -1) == LUA_TNIL && is_in(refused, ARRAY_LEN(refused), name))
		return lua.luaL_error(L, "%s is not there for scripts of filters and transforms", name);
	if (lua.lua_type(L, -1) != LUA_TTABLE)
		return 1;
	copy_library(L);
	lua.lua_pushvalue(L, 2);
	lua.lua_pushvalue(L, -2);
	lua.lua_rawset(L, 1);
	return 1;
}

static void
open_library(lua_State *L, lua_CFunction open, const char *name)
{
	lua.lua_pushcclosure(L, open, 0);
	lua.lua_pushlstring(L, name, strlen(name));
	lua.lua_call(L, 1, 0);
}

/* A field of Lua's own global table goes into the table on top. */
static void
take_global(lua_State *L, const char *name)
{
	lua.lua_getfield(L, LUA_GLOBALSINDEX, name);
	lua.lua_setfield(L, -2, name);
}

static void
replace_some(lua_State *L)
{
	lua.lua_getfield(L, LUA_GLOBALSINDEX, "string");
	lua_lib_strings(L);
	lua.lua_settop(L, -2);
	lua.lua_getfield(L, LUA_GLOBALSINDEX, "math");
	lua_put(L, "random", lib_random);
	lua_put(L, "randomseed", lib_randomseed);
	lua.lua_settop(L, -2);
	lua.lua_getfield(L, LUA_GLOBALSINDEX, "table");
	lua_lib_concat(L);
	if (lua.luaL_loadbuffer(L, sort_text, sizeof sort_text - 1, "=sort"))
		lua.lua_error(L);
	lua.lua_setfield(L, -2, "sort");
	lua.lua_settop(L, -2);
}

/* The methods of strings come from the shared table, which nobody gets hold of. */
static void
hide_metatable_of_strings(lua_State *L)
{
	lua.lua_pushlstring(L, "", 0);
	lua.lua_getmetatable(L, -1);
	lua.lua_pushboolean(L, 0);
	lua.lua_setfield(L, -2, "__metatable");
	lua.lua_settop(L, -3);
}

int
lua_lib_open(lua_State *L)
{
	open_library(L, lua.luaopen_base, "");
	open_library(L, lua.luaopen_string, LUA_STRLIBNAME);
	open_library(L, lua.luaopen_table, LUA_TABLIBNAME);
	open_library(L, lua.luaopen_math, LUA_MATHLIBNAME);
	replace_some(L);
	hide_metatable_of_strings(L);
	lua.lua_createtable(L, 0, 32);
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		take_global(L, functions[i]);
	for (size_t i = 0; i < ARRAY_LEN(libraries); i++)
		take_global(L, libraries[i]);
	lua_lib_texts(L);
	lua_put(L, "pcall", lib_pcall);
	lua_put(L, "xpcall", lib_xpcall);
	lua_put(L, "print", lib_print);
	lua_put(L, "collectgarbage", lib_collectgarbage);
	lua_vm.globals = lua.luaL_ref(L, LUA_REGISTRYINDEX);
	lua.lua_createtable(L, 0, 2);
	lua_put(L, "__index", find_global);
	lua.lua_pushboolean(L, 0);
	lua.lua_setfield(L, -2, "__metatable");
	lua_vm.meta = lua.luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}
