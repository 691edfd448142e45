/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lang/script.h"

#include <dlfcn.h>
#include <time.h>

#include "core/clock.h"
#include "core/lang/lua_impl.h"

#define HOOK_EVERY 100    /* instructions between looks at the budgets */
#define CHARGED_BYTES 16  /* allocated bytes that count as an instruction */

struct lua lua;
_Thread_local struct lua_vm lua_vm;
static struct script_limits limits;

struct script {
	int function; /* reference to the compiled chunk */
};

void
script_set_limits(const struct script_limits *l)
{
	limits = *l;
}

static struct script_limits
limits_now(void)
{
	struct script_limits l = SCRIPT_LIMITS_DEFAULT;
	l.instructions = limits.instructions ? limits.instructions : l.instructions;
	l.memory = limits.memory ? limits.memory : l.memory;
	l.cpu_ns = limits.cpu_ns ? limits.cpu_ns : l.cpu_ns;
	return l;
}

/* ---- budgets ------------------------------------------------------------------------------------------------------ */

static void end_at_next_instruction(lua_State *L, lua_Debug *ar);

int
lua_raise_over(lua_State *L)
{
	/* Should anything catch this one, the next instruction raises again. */
	lua.lua_sethook(L, end_at_next_instruction, LUA_MASKCOUNT, 1);
	return lua.luaL_error(L, "stopped");
}

static void
end_at_next_instruction(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	if (lua_vm.over)
		lua_raise_over(L);
}

bool
lua_may_spend(size_t n)
{
	if (n > INT64_MAX / 2)
		n = INT64_MAX / 2;
	lua_vm.left -= (int64_t)n;
	if (lua_vm.left < 0 && !lua_vm.over)
		lua_vm.over = LUA_OVER_INSTRUCTIONS;
	return !lua_vm.over;
}

void
lua_spend(lua_State *L, size_t n)
{
	if (!lua_may_spend(n))
		lua_raise_over(L);
}

/* The cheap clock first: only a run that has lasted long enough by it can have used so much of the processor. */
static bool
out_of_time(void)
{
	int64_t most = limits_now().cpu_ns;
	return clock_monotonic_ns() - lua_vm.wall_ns > most && clock_ns(CLOCK_THREAD_CPUTIME_ID) - lua_vm.cpu_ns > most;
}

static void
look_at_budgets(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	if (!lua_vm.room)
		return;
	if (!lua_vm.over && out_of_time())
		lua_vm.over = LUA_OVER_TIME;
	lua_spend(L, HOOK_EVERY);
}

/* Memory above the room is refused; what is allocated costs instructions, so that library calls over long texts do. */
static void *
allocate(void *ud, void *p, size_t old, size_t n)
{
	(void)ud;
	if (n > old && lua_vm.room) {
		if (lua_vm.used - old + n > lua_vm.room && !lua_vm.over)
			lua_vm.over = LUA_OVER_MEMORY;
		if (!lua_may_spend((n - old) / CHARGED_BYTES))
			return NULL;
	}
	lua_vm.used += n - old;
	if (n)
		return mem_realloc(p, n, 1);
	free(p);
	return NULL;
}

/* ---- the interpreter ------------------------------------------------------------------------------------------------ */

static int
load_library(struct err *e)
{
	if (lua.lua_newstate)
		return 0;
	void *lib = dlopen("liblua5.1.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return err_set(e, ERR_UNAVAILABLE, "scripts need Lua's library: install liblua5.1-0 (%s)", dlerror());
	struct lua found;
#define X(prefix, name)                                                                                              \
	*(void **)&found.prefix##name = dlsym(lib, #prefix #name);                                                   \
	if (!found.prefix##name) {                                                                                   \
		err_set(e, ERR_UNAVAILABLE, "liblua5.1 has no " #prefix #name ": install liblua5.1-0 of version 5.1"); \
		dlclose(lib);                                                                                        \
		return -1;                                                                                           \
	}
	LUA_FUNCTIONS(X)
#undef X
	lua = found;
	return 0;
}

static int
open_vm(struct err *e)
{
	if (lua_vm.L)
		return 0;
	if (load_library(e) < 0)
		return -1;
	lua_vm = (struct lua_vm){ .random = (uint64_t)clock_monotonic_ns() | 1 };
	lua_vm.L = lua.lua_newstate(allocate, NULL);
	lua.lua_pushcclosure(lua_vm.L, lua_lib_open, 0);
	if (lua.lua_pcall(lua_vm.L, 0, 0, 0)) {
		err_set(e, ERR_INTERNAL, "opening Lua: %s", lua.lua_tolstring(lua_vm.L, -1, NULL));
		lua.lua_close(lua_vm.L);
		lua_vm.L = NULL;
		return -1;
	}
	lua.lua_sethook(lua_vm.L, look_at_budgets, LUA_MASKCOUNT, HOOK_EVERY);
	return 0;
}

static void
close_vm(void)
{
	if (lua_vm.scripts || !lua_vm.L)
		return;
	lua.lua_close(lua_vm.L);
	lua_vm.L = NULL;
}

/* From here on the budgets count; `end_run` says how it went. */
static void
begin_run(void)
{
	struct script_limits l = limits_now();
	lua_vm.left = l.instructions;
	lua_vm.over = LUA_WITHIN;
	lua_vm.wall_ns = clock_monotonic_ns();
	lua_vm.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	lua_vm.room = lua_vm.used + (size_t)l.memory;
}

static int
why_over(struct err *e)
{
	struct script_limits l = limits_now();
	switch (lua_vm.over) {
	case LUA_OVER_INSTRUCTIONS:
		return err_set(e, ERR_LIMIT, "the script did not end within %lld instructions (setting scriptInstructions)", (long long)l.instructions);
	case LUA_OVER_MEMORY:
		return err_set(e, ERR_LIMIT, "the script needs more than %lld MiB of memory (setting scriptMemory)", (long long)(l.memory >> 20));
	default:
		return err_set(e, ERR_LIMIT, "the script did not end within %lld ms of processor time (setting scriptTime)",
		               (long long)(l.cpu_ns / NS_PER_MS));
	}
}

static int
end_run(int status, struct err *e)
{
	lua_State *L = lua_vm.L;
	lua_vm.room = 0;
	int rc = status ? -1 : 0;
	if (lua_vm.over) {
		rc = why_over(e);
		lua.lua_sethook(L, look_at_budgets, LUA_MASKCOUNT, HOOK_EVERY);
	} else if (status) {
		const char *text = lua.lua_type(L, -1) == LUA_TSTRING ? lua.lua_tolstring(L, -1, NULL) : NULL;
		err_set(e, ERR_INVALID, "%s%s", text ? text : "the script raised an error that is a ",
		        text ? "" : lua.lua_typename(L, lua.lua_type(L, -1)));
	}
	lua.lua_settop(L, 0);
	if (rc < 0)
		lua.lua_gc(L, LUA_GCCOLLECT, 0);
	return rc;
}

/* ---- scripts --------------------------------------------------------------------------------------------------------- */

struct source {
	str text;
	int ref;
};

static int
load_protected(lua_State *L)
{
	struct source *s = lua.lua_touserdata(L, 1);
	if (s->text.n && s->text.p[0] == LUA_SIGNATURE[0])
		return lua.luaL_error(L, "script:1: compiled code is not taken");
	if (lua.luaL_loadbuffer(L, s->text.n ? s->text.p : "", s->text.n, "=script"))
		return lua.lua_error(L);
	s->ref = lua.luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

static int
call_protected(lua_CFunction f, void *arg, struct err *e)
{
	lua_State *L = lua_vm.L;
	lua.lua_pushcclosure(L, f, 0);
	lua.lua_pushlightuserdata(L, arg);
	begin_run();
	return end_run(lua.lua_pcall(L, 1, 0, 0), e);
}

int
script_compile(str text, struct script **out, struct err *e)
{
	struct source s = { text, 0 };
	*out = NULL;
	if (open_vm(e) < 0)
		return -1;
	if (call_protected(load_protected, &s, e) < 0) {
		close_vm();
		return -1;
	}
	*out = MEM_NEW(struct script);
	(*out)->function = s.ref;
	lua_vm.scripts++;
	return 0;
}

void
script_free(struct script *s)
{
	if (!s)
		return;
	lua.luaL_unref(lua_vm.L, LUA_REGISTRYINDEX, s->function);
	lua_vm.scripts--;
	close_vm();
	free(s);
}

struct run {
	const struct script *script;
	const struct val *event;
	struct arena *a;    /* for `out`; NULL: only `passes` is asked for */
	bool passes;
	struct val out;
};

/* Globals of its own: an empty table that finds the rest through its metatable. */
static void
push_environment(lua_State *L, const struct val *event)
{
	lua.lua_createtable(L, 0, 8);
	lua_push_val(L, event);
	lua.lua_setfield(L, -2, "event");
	lua.lua_pushvalue(L, -1);
	lua.lua_setfield(L, -2, "_G");
	lua.lua_rawgeti(L, LUA_REGISTRYINDEX, lua_vm.meta);
	lua.lua_setmetatable(L, -2);
}

static int
run_protected(lua_State *L)
{
	struct run *r = lua.lua_touserdata(L, 1);
	lua.lua_rawgeti(L, LUA_REGISTRYINDEX, r->script->function);
	push_environment(L, r->event);
	lua.lua_setfenv(L, -2);
	lua.lua_call(L, 0, LUA_MULTRET);
	bool some = lua.lua_gettop(L) > 1; /* the last value counts, as in Argo */
	r->passes = some && lua.lua_type(L, -1) == LUA_TBOOLEAN && lua.lua_toboolean(L, -1);
	if (!r->a)
		return 0;
	if (!some || lua.lua_type(L, -1) != LUA_TTABLE)
		return lua.luaL_error(L, "the script must return a table, not %s", some ? lua.lua_typename(L, lua.lua_type(L, -1)) : "nothing");
	r->out = lua_table_val(L, r->a);
	return 0;
}

int
script_passes(struct script *s, const struct val *event, bool *passes, struct err *e)
{
	struct run r = { .script = s, .event = event };
	int rc = call_protected(run_protected, &r, e);
	*passes = rc == 0 && r.passes;
	return rc;
}

int
script_transforms(struct script *s, const struct val *event, struct arena *a, str *out, struct err *e)
{
	struct run r = { .script = s, .event = event, .a = a };
	if (call_protected(run_protected, &r, e) < 0)
		return -1;
	struct buf b CLEANUP(free_buf) = { 0 };
	json_write_opts(&b, &r.out, JSON_SORT);
	*out = arena_dup(a, buf_str(&b));
	return 0;
}
