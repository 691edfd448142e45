/* SPDX-License-Identifier: Apache-2.0 */
/* Lua over events: what passes, what becomes of tables, what is not there, and that each budget ends a script whatever it does. */
#include "tests/unit/vectors.h"

#include "core/lang/script.h"

static const char *const event_text =
	"{\"a\":\"x\",\"n\":1.5,\"big\":123456789012345,\"none\":null,\"t\":true,\"l\":[1,null,[2],{\"k\":\"v\"}],\"o\":{\"p\":{\"q\":7}},\"e\":[],"
	"\"ref\":\"refs/heads/main\"}";

struct outcome {
	struct arena *a;
	int rc;
	bool passes;
	str json;
	struct err e;
};

/* One run as a filter, or with `json` as a transform. */
static void
run(struct outcome *o, const char *text, bool json)
{
	struct script *s;
	struct val event;
	*o = (struct outcome){ .a = arena_new(), .rc = -1 };
	assert_int_equal(json_read(o->a, str_c(event_text), &event, &o->e), 0);
	if (script_compile(str_c(text), &s, &o->e) < 0)
		return;
	o->rc = json ? script_transforms(s, &event, o->a, &o->json, &o->e) : script_passes(s, &event, &o->passes, &o->e);
	script_free(s);
}

static void
expect_pass(const char *text, bool want)
{
	struct outcome o;
	run(&o, text, false);
	if (o.rc < 0)
		fail_msg("%s: %s", text, o.e.msg);
	if (o.passes != want)
		fail_msg("%s: %s", text, want ? "does not pass" : "passes");
	arena_free(o.a);
}

static void
expect_error(const char *text, enum err_code code, const char *part)
{
	struct outcome o;
	run(&o, text, false);
	if (o.rc == 0)
		fail_msg("%s: no error", text);
	if (o.e.code != code || !strstr(o.e.msg, part))
		fail_msg("%s: error %d %s", text, (int)o.e.code, o.e.msg);
	arena_free(o.a);
}

static void
expect_json(const char *text, const char *want)
{
	struct outcome o;
	run(&o, text, true);
	if (o.rc < 0)
		fail_msg("%s: %s", text, o.e.msg);
	if (!str_eq(o.json, str_c(want)))
		fail_msg("%s: %.*s instead of %s", text, STR_ARG(o.json), want);
	arena_free(o.a);
}

static void
expect_no_json(const char *text, const char *part)
{
	struct outcome o;
	run(&o, text, true);
	if (o.rc == 0)
		fail_msg("%s: gives %.*s", text, STR_ARG(o.json));
	if (!strstr(o.e.msg, part))
		fail_msg("%s: error %s", text, o.e.msg);
	arena_free(o.a);
}

static void
test_only_true_passes(void **state UNUSED)
{
	static const char *const pass[] = {
		"return true", "return false, true", "return event.a == 'x'", "return event.none == nil", "return event.n == 1.5",
		"return event.t", "return event.o.p.q == 7", "return event.l[1] == 1 and event.l[2].k == 'v' and #event.l == 2",
		"return type(event.e) == 'table' and next(event.e) == nil", "return tostring(event.big) == '123456789012345'",
		"return event.ref:match('^refs/heads/(.+)$') == 'main'", "x = 1 return x == 1 and _G.x == 1 and _G.event == event",
		"local n = 0 for k in pairs(event) do n = n + 1 end return n == 8", "return pcall(error, 'x') == false",
		"return select('#', pcall(function() return 1, 2 end)) == 3", "local ok, why = pcall(error, {a=1}) return why.a == 1",
		"return select(2, xpcall(function() error('x', 0) end, function(m) return m .. '!' end)) == 'x!'",
		"local f = coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end) return f() == 1 and f() == 2",
		"local t = {3, 1, 2} table.sort(t) return table.concat(t, ',') == '1,2,3'",
		"local t = {'b', 'c', 'a'} table.sort(t, function(x, y) return x > y end) return table.concat(t) == 'cba'",
		"math.randomseed(7) local a = math.random(10) return a >= 1 and a <= 10 and a == math.floor(a)", "print('x') return true",
		"return tostring({}) == 'table' and tostring(nil) == 'nil' and tostring(1.5) == '1.5'",
		"return tostring(setmetatable({}, {__tostring = function() return 'T' end})) == 'T'",
	};
	static const char *const miss[] = { "", "return", "return 1", "return 'true'", "return true, false", "return event.nope", "return {}" };
	for (size_t i = 0; i < ARRAY_LEN(pass); i++)
		expect_pass(pass[i], true);
	for (size_t i = 0; i < ARRAY_LEN(miss); i++)
		expect_pass(miss[i], false);
}

/* Expected values are what the reference manual says, and Lua 5.1.5 where it is silent. */
static void
test_patterns(void **state UNUSED)
{
	static const char *const pass[] = {
		"return ('hello'):find('l') == 3", "local s, e = ('hello'):find('l+') return s == 3 and e == 4", "return ('a.b'):find('.', 1, true) == 2",
		"return ('abc'):find('b', -1) == nil", "return ('abc'):find('', 10) == 4", "return ('x'):find('') == 1",
		"return ('  trim '):match('^%s*(.-)%s*$') == 'trim'", "return ('key = value'):match('(%w+)%s*=%s*(%w+)') == 'key'",
		"return ('abc'):match('()b()') == 2", "return ('f(a(b)c)d'):match('%b()') == '(a(b)c)'", "return ('aa bb'):match('(%a)%1') == 'a'",
		"return ('THE (quick) fox'):find('%f[%a]%a+%f[%A]') == 1", "return ('a]b'):match('[]]') == ']'", "return ('a-b'):match('[a%-]+') == 'a-'",
		"return ('x^y'):match('[%^x]+') == 'x^'", "return ('abc123'):match('[^%d]+') == 'abc'", "return ('0x1F'):match('^0x(%x+)$') == '1F'",
		"return ('abc'):match('a.-c') == 'abc' and ('abc'):match('a.?b?c?$') == 'abc'", "return ('a$'):match('$a') == nil",
		"return ('a\\0b'):match('%z') == '\\0'",
		"local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[k] = v end return t.a == '1' and t.b == '2'",
		"local n = 0 for w in ('one two'):gmatch('%a+') do n = n + #w end return n == 6",
		"local n = 0 for _ in ('ab'):gmatch('') do n = n + 1 end return n == 3",
		"return ('hello world'):gsub('o', '0') == 'hell0 w0rld'", "return select(2, ('hello'):gsub('l', 'L', 1)) == 1",
		"return ('hello'):gsub('(l)(l)', '%2-%1') == 'hel-lo'", "return ('abc'):gsub('%w', '%0%0') == 'aabbcc'",
		"return ('$name'):gsub('%$(%w+)', {name = 'x'}) == 'x'", "return ('a b'):gsub('%a', function(c) if c == 'a' then return 'z' end end) == 'z b'",
		"return ('abc'):gsub('', '-') == '-a-b-c-'", "return ('abc'):gsub('%w*', 'x') == 'xx'", "return ('aaa'):gsub('^a', 'b') == 'baa'",
		"return ('50%'):gsub('%%', '%%%%') == '50%%'", "return ('ab'):rep(3) == 'ababab' and ('x'):rep(0) == '' and ('x'):rep(-1) == ''",
		"return ('x'):rep(1) == 'x' and #('ab'):rep(1000) == 2000 and (''):rep(1e9) == ''",
	};
	for (size_t i = 0; i < ARRAY_LEN(pass); i++)
		expect_pass(pass[i], true);
	static const struct {
		const char *text, *why;
	} wrong[] = {
		{ "return ('a'):find('[a')", "missing ']'" }, { "return ('a'):find('%')", "ends with '%'" }, { "return ('a'):match('(a')", "unfinished capture" },
		{ "return ('a'):match('a)')", "invalid pattern capture" }, { "return ('a'):match('%1')", "invalid capture index" },
		{ "return ('a'):gsub('a', '%2')", "invalid capture index" }, { "return ('a'):match('%f')", "missing '['" },
		{ "return ('a'):match('%b')", "unbalanced" }, { "return ('a'):gsub('a', true)", "string/function/table expected" },
		{ "return ('a'):gsub('a', function() return {} end)", "invalid replacement value" },
		{ "return ('a'):rep(300):find(('a?'):rep(300))", "too complex" },
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		expect_error(wrong[i].text, ERR_INVALID, wrong[i].why);
}

static void
test_tables_become_json(void **state UNUSED)
{
	expect_json("return {l = {'x', 'y'}, b = true, n = 1.5, i = 3}", "{\"b\":true,\"i\":3,\"l\":[\"x\",\"y\"],\"n\":1.5}");
	expect_json("return {}", "{}");
	expect_json("return {a = {}}", "{\"a\":{}}");
	expect_json("return {1, 2, x = 3}", "[1,2]");
	expect_json("return {[3] = 'c'}", "[null,null,\"c\"]");
	expect_json("return {a = setmetatable({}, {__is_array = true})}", "{\"a\":[]}");
	expect_json("return {[1.5] = 'x', [true] = 'y', [-1] = 'z'}", "{\"-1\":\"z\",\"1.5\":\"x\",\"true\":\"y\"}");
	expect_json("return event", "{\"a\":\"x\",\"big\":123456789012345,\"e\":{},\"l\":[1,{\"k\":\"v\"}],\"n\":1.5,\"o\":{\"p\":{\"q\":7}},"
	                            "\"ref\":\"refs/heads/main\",\"t\":true}");
	expect_json("event.c = event.a .. '!' return {event.c}", "[\"x!\"]");
	expect_json("return 1, {k = 'last'}", "{\"k\":\"last\"}");
	expect_no_json("return 3", "must return a table, not number");
	expect_no_json("local x = 1", "must return a table, not nothing");
	expect_no_json("return {f = print}", "a function has no JSON");
	expect_no_json("return {[print] = 1}", "a key that is a function");
	expect_no_json("return {1/0}", "not finite");
	expect_no_json("local t = {} t.t = t return t", "holds itself");
	expect_no_json("return {[60000000] = 1}", "instructions");
}

static void
test_what_reaches_out_is_not_there(void **state UNUSED)
{
	static const char *const names[] = { "os.time()", "io.open('/etc/passwd')", "require('os')", "package.path", "debug.getinfo(1)",
		                             "loadstring('return 1')", "load(print)", "dofile('x')", "setfenv(1, {})", "getfenv(0)" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char text[100];
		snprintf(text, sizeof text, "return %s", names[i]);
		expect_error(text, ERR_INVALID, "is not there for scripts");
	}
	expect_pass("return rawget(_G, 'os') == nil and string.dump == nil and getmetatable('') == false and getmetatable(_G) == false", true);
	expect_error("\033Lua", ERR_INVALID, "compiled code is not taken");
}

static void
test_nothing_stays(void **state UNUSED)
{
	expect_pass("leak = 1 string.leak = 1 table.concat = nil math = nil return true", true);
	expect_pass("return leak == nil and string.leak == nil and ('').leak == nil and table.concat ~= nil and math.pi > 3", true);
	expect_error("setmetatable(_G, {})", ERR_INVALID, "protected metatable");
}

static void
test_errors_say_where(void **state UNUSED)
{
	expect_error("return nope.a", ERR_INVALID, "script:1: attempt to index global 'nope'");
	expect_error("local x = 1\nerror('no good')", ERR_INVALID, "script:2: no good");
	expect_error("if x return", ERR_INVALID, "script:1:");
	expect_error("error({})", ERR_INVALID, "that is a table");
	expect_error("local function f() return f() + 1 end return f()", ERR_INVALID, "stack overflow");
}

/* Each would run for ever, or nearly so. */
static void
test_budgets(void **state UNUSED)
{
	static const char *const endless[] = {
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"local function f() pcall(f) while true do pcall(f) end end f()",
		"while true do xpcall(function() while true do end end, function() while true do end end) end",
		"local f f = function() pcall(coroutine.wrap(function() while true do end end)) return f() end return f()",
		"while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
		"local s = ('a'):rep(2000) return s:find('.-.-.-.-.-.-.-b')",
		"local s = ('a'):rep(30000) return s:match(('.*'):rep(20) .. 'b')",
		"return ('a'):rep(100000):gsub('a*', function() while true do end end)",
		"for i = 1, 1e9 do local s = ('x'):rep(1e6):upper() end",
		"local s = ('x'):rep(1e6) while true do s:reverse() end",
		"local s = ('x'):rep(1e6) while true do s:find('y', 1, true) end",
		"local t = {} for i = 1, 1e5 do t[i] = i % 7 end table.sort(t)",
		"setmetatable(event, {__index = function(t, k) while true do end end}) return event.zzz",
		"local t = setmetatable({}, {__eq = 1, __lt = function() while true do end end}) return t < setmetatable({}, getmetatable(t))",
		"string.rep = nil local s = 'x' while true do s = s .. s s = s:sub(1, 100000) end",
	};
	for (size_t i = 0; i < ARRAY_LEN(endless); i++)
		expect_error(endless[i], ERR_LIMIT, "script");
	expect_error("local t = {} for i = 1, 1e9 do t[i] = {i} end", ERR_LIMIT, "the script");
	expect_error("return ('x'):rep(1e10)", ERR_INVALID, "not enough memory");
	script_set_limits(&(struct script_limits){ .instructions = 1000000000, .memory = 1 << 20, .cpu_ns = 5 * NS_PER_SEC });
	expect_error("local t = {} for i = 1, 1e9 do t[i] = {i} end", ERR_LIMIT, "more than 1 MiB");
	expect_error("local t = {} while true do pcall(function() for i = 1, 1e9 do t[#t + 1] = {i} end end) end", ERR_LIMIT, "more than 1 MiB");
	script_set_limits(&(struct script_limits){ .instructions = 1000000000, .cpu_ns = 20 * NS_PER_MS });
	expect_error("while true do end", ERR_LIMIT, "20 ms of processor time");
	script_set_limits(&(struct script_limits){ 0 });
	expect_pass("return true", true); /* after all that */
}

/* ---- vectors ------------------------------------------------------------------------------------------------------- */

/* Where Argo's interpreter is not followed, and why. */
static const struct vectors_difference differences[] = {
	{ "123456789012345 .. ''", "a number beside a text is written by Lua itself, with 14 digits" },
	{ "1e14 .. ''", "a number beside a text is written by Lua itself, with 14 digits" },
	{ "1e15 .. ''", "a number beside a text is written by Lua itself, with 14 digits" },
	{ "2^53 .. ''", "a number beside a text is written by Lua itself, with 14 digits" },
	{ "0.1 .. '', 1/3 .. ''", "a number beside a text is written by Lua itself, with 14 digits" },
	{ "table.concat({5})", "a text, also of one number" },
	{ "tonumber('1e3')", "read as Lua reads it" },
	{ "tonumber('1.5', 16)", "read as Lua reads it" },
	{ "tonumber('1e1000')", "read as Lua reads it" },
	{ "tonumber('10', 1)", "a mistake is an error" },
	{ "string.format('%d', 'x')", "a mistake is an error" },
	{ "string.format('%s %s', 'a')", "a mistake is an error" },
	{ "string.format('%d')", "a mistake is an error" },
	{ "string.format('%y', 1)", "a mistake is an error" },
	{ "string.format('%5%')", "a mistake is an error" },
	{ "string.char(256)", "a mistake is an error" },
	{ "string.char(-1)", "a mistake is an error" },
	{ "('x'):match('%')", "a mistake is an error" },
	{ "('x'):match('%f')", "a mistake is an error" },
	{ "('x'):match('%b')", "a mistake is an error" },
	{ "('abc'):gsub('b', function() return {} end)", "a mistake is an error" },
	{ "string.format('%u', 5)", "a number" },
	{ "('hello'):sub(2.9), ('hello'):sub('2')", "a number as a text counts" },
	{ "('hello'):find('', 6)", "found at the end" },
	{ "event.ref:match('^refs/tags/(.+)$')", "nil, not nothing, where nothing matches" },
	{ "('THE (quick) fox'):find('%f[%a]%a+%f[%A]')", "%f is there" },
	{ "('hello world'):match('%f[%w]%w+$')", "%f is there" },
	{ "('a'):match('[%a-z]'), ('-'):match('[%a-z]')", "a class in a set is one" },
	{ "! local t = {} for w in ('aXbX'):gmatch('^a') do t[#t + 1] = w end return t", "means nothing in gmatch" },
	{ "! local t = {} table.foreach({a = 1}, function(k, v) t[k] = v end) return t", "Lua 5.1 has them" },
	{ "! local t = {} table.foreachi({5, 6}, function(i, v) t[i] = v * 2 end) return t", "Lua 5.1 has them" },
	{ "! local m = {__len = function() return 42 end} return {#setmetatable({1}, m)}", "Lua 5.1 asks no table for its length" },
	{ "math.huge == 1/0", "infinite, not the greatest number" },
	{ "! local a, b, c = 1, 2 a, b = b, a return {a, b}", "right sides first" },
	{ "! return {pcall(error, 'x')}", "no place of a call from C" },
	{ "! goto done ::done:: return true", "not in Lua 5.1" },
	{ "! ; return true", "not in Lua 5.1" },
	{ "! return {os == nil}", "refused by name" },
	{ "! return {type(io)}", "refused by name" },
	{ "! return {loadstring('return 1')() == 1}", "refused by name" },
};

static const char *
difference(str text)
{
	return vectors_difference(differences, ARRAY_LEN(differences), text);
}

static struct val first_line;

static str
whole_script(struct arena *a, str text)
{
	const struct val *around = val_get(&first_line, S("around"));
	if (str_starts(text, S("! ")))
		return str_slice(text, 2, text.n);
	return arena_fmt(a, "%.*s%.*s%.*s", STR_ARG(val_text(val_at(around, 0))), STR_ARG(text), STR_ARG(val_text(val_at(around, 1))));
}

/* The table as JSON, "true", "false", or "error: ...", as the vector has it. */
static str
result(struct arena *a, str text, bool wants_table)
{
	struct script *s;
	struct err e = { 0 };
	struct val given;
	str out = S("");
	bool passes = false;
	assert_int_equal(json_read(a, val_get_str(&first_line, "event"), &given, &e), 0);
	if (script_compile(whole_script(a, text), &s, &e) < 0)
		return arena_fmt(a, "error: %s", e.msg);
	int rc = wants_table ? script_transforms(s, &given, a, &out, &e) : script_passes(s, &given, &passes, &e);
	script_free(s);
	return rc < 0 ? arena_fmt(a, "error: %s", e.msg) : wants_table ? out : passes ? S("true") : S("false");
}

static bool
same_json(struct arena *a, str x, str y)
{
	struct val v, w;
	struct err e;
	return json_read(a, x, &v, &e) == 0 && json_read(a, y, &w, &e) == 0 && val_eq(&v, &w);
}

static const char *
check_vector(struct arena *a, const struct val *line)
{
	static struct arena *forever;
	if (val_get(line, S("event"))) {
		forever = forever ? forever : arena_new();
		first_line = val_copy(forever, line);
		return NULL;
	}
	str text = val_get_str(line, "x"), json = val_get_str(line, "json");
	bool wants_error = val_get(line, S("e"));
	str got = result(a, text, json.n > 0);
	bool failed = str_starts(got, S("error: "));
	if (wants_error && !failed) { /* it may lie in the table that comes of it */
		got = result(a, text, true);
		failed = str_starts(got, S("error: "));
	}
	bool same = wants_error ? failed : json.n ? same_json(a, got, json) : str_eq(got, val_is_true(val_get(line, S("passes"))) ? S("true") : S("false"));
	if (difference(text))
		return same ? "the same, though it is among the differences" : NULL;
	return same ? NULL : got.p;
}

/* Made by tests/oracle/lua with the interpreter of Argo Events. */
static void
test_vectors(void **state UNUSED)
{
	vectors_replay("tests/vectors/lua.jsonl", check_vector);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_true_passes), cmocka_unit_test(test_patterns), cmocka_unit_test(test_tables_become_json),
		cmocka_unit_test(test_what_reaches_out_is_not_there), cmocka_unit_test(test_nothing_stays), cmocka_unit_test(test_errors_say_where),
		cmocka_unit_test(test_budgets), cmocka_unit_test(test_vectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
