/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of scripts as Argo's interpreter writes and reads it (gopher-lua, a Go program): numbers with all their digits, %s of anything, %q and
 * %c as Go has them, upper and lower case of any script. Nothing is held outside of Lua, where an error would leave it behind:
 * what grows is put together of pieces.
 */
#include <ctype.h>
#include <math.h>

#include "core/lang/gofmt.h"
#include "core/lang/lua_impl.h"

/* Whole numbers from the negative of it to below it fit an int64_t. */
#define WHOLE_END 9223372036854775808.0

enum { WIDEST = 99, ITEM_MAX = 512 /* of a number: 309 digits, a precision, a sign */ };

/* ---- pieces ------------------------------------------------------------------------------------------------------- */

struct lua_pieces
lua_pieces_new(lua_State *L)
{
	lua.lua_createtable(L, 0, 0);
	return (struct lua_pieces){ .L = L, .table = lua.lua_gettop(L) };
}

void
lua_pieces_add(struct lua_pieces *p, const char *s, size_t n)
{
	if (!n)
		return;
	lua.lua_pushlstring(p->L, s, n);
	lua.lua_rawseti(p->L, p->table, ++p->n);
}

void
lua_pieces_join(struct lua_pieces *p)
{
	lua.lua_rawgeti(p->L, LUA_REGISTRYINDEX, lua_vm.concat);
	lua.lua_pushvalue(p->L, p->table);
	lua.lua_call(p->L, 1, 1);
}

static void
add_spaces(struct lua_pieces *p, size_t n)
{
	static const char spaces[WIDEST + 1] = "                                                                                                   ";
	lua_pieces_add(p, spaces, n);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------- */

/* Whole numbers as such, others as Go's %v. */
static size_t
number_text(char *to, size_t cap, double d)
{
	if (d >= -WHOLE_END && d < WHOLE_END && d == floor(d))
		return (size_t)text_format(to, cap, "%lld", (long long)d);
	struct buf b = { 0 };
	go_format_float(&b, d, 'g', -1);
	size_t n = (size_t)text_format(to, cap, "%.*s", (int)b.n, b.p);
	buf_free(&b);
	return n;
}

/* Pushes the text of the value at `i`. */
static void
push_text(lua_State *L, int i)
{
	char text[40];
	if (lua.luaL_callmeta(L, i, "__tostring"))
		return;
	int type = lua.lua_type(L, i);
	if (type == LUA_TSTRING)
		lua.lua_pushvalue(L, i);
	else if (type == LUA_TNUMBER)
		lua.lua_pushlstring(L, text, number_text(text, sizeof text, lua.lua_tonumber(L, i)));
	else if (type == LUA_TBOOLEAN)
		lua.lua_pushlstring(L, lua.lua_toboolean(L, i) ? "true" : "false", lua.lua_toboolean(L, i) ? 4 : 5);
	else /* no addresses of the process */
		lua.lua_pushlstring(L, lua.lua_typename(L, type), strlen(lua.lua_typename(L, type)));
}

static int
lib_tostring(lua_State *L)
{
	lua.luaL_checkany(L, 1);
	push_text(L, 1);
	return 1;
}

static int
digit_of(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isalpha((unsigned char)c) ? (c | 0x20) - 'a' + 10 : 99;
}

/* Digits and nothing else. */
static bool
read_digits(str s, int base, double *out)
{
	*out = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (digit_of(s.p[i]) >= base)
			return false;
		*out = *out * base + digit_of(s.p[i]);
	}
	return s.n > 0;
}

/* "1", ".5", "5.", "1e3", "0x1f": no "inf", no "nan". */
static bool
read_number(str s, double *out)
{
	bool negative = str_starts(s, S("-"));
	s = str_slice(s, negative || str_starts(s, S("+")), s.n);
	bool hex = str_starts(s, S("0x")) || str_starts(s, S("0X"));
	for (size_t i = 0; !hex && i < s.n; i++)
		if (!isdigit((unsigned char)s.p[i]) && !strchr(".eE+-", s.p[i]))
			return false;
	if (s.n == 0 || s.n > 400 || s.p[0] == '+' || s.p[0] == '-' || !(hex ? read_digits(str_slice(s, 2, s.n), 16, out) : go_parse_float(s, out) || isinf(*out)))
		return false;
	*out = negative ? -*out : *out;
	return true;
}

static int
lib_tonumber(lua_State *L)
{
	int base = (int)lua.luaL_optinteger(L, 2, 10);
	double d = 0;
	size_t n;
	lua.luaL_checkany(L, 1);
	if (base < 2 || base > 36)
		return lua.luaL_argerror(L, 2, "base out of range");
	if (base == 10 && lua.lua_type(L, 1) == LUA_TNUMBER) {
		lua.lua_settop(L, 1);
		return 1;
	}
	if (base == 10 && lua.lua_type(L, 1) != LUA_TSTRING) {
		lua.lua_pushnil(L);
		return 1;
	}
	const char *p = lua.luaL_checklstring(L, 1, &n);
	str s = str_trim((str){ p, n });
	bool negative = base != 10 && str_starts(s, S("-"));
	if (base == 10 ? read_number(s, &d) : read_digits(str_slice(s, negative, s.n), base, &d))
		lua.lua_pushnumber(L, negative ? -d : d);
	else
		lua.lua_pushnil(L);
	return 1;
}

/* table.concat, with numbers as above. */
static int
lib_concat(lua_State *L)
{
	char text[40];
	size_t n;
	lua.luaL_checktype(L, 1, LUA_TTABLE);
	const char *separator = lua.luaL_optlstring(L, 2, "", &n);
	lua_Integer from = lua.luaL_optinteger(L, 3, 1), to = lua.luaL_optinteger(L, 4, (lua_Integer)lua.lua_objlen(L, 1));
	struct lua_pieces p = lua_pieces_new(L);
	for (lua_Integer i = from; i <= to && i <= INT32_MAX; i++) {
		lua_spend(L, 1);
		lua.lua_rawgeti(L, 1, (int)i);
		int type = lua.lua_type(L, -1);
		if (type != LUA_TSTRING && type != LUA_TNUMBER)
			return lua.luaL_error(L, "invalid value (%s) at index %d in table for 'concat'", lua.lua_typename(L, type), (int)i);
		if (type == LUA_TNUMBER) {
			lua.lua_pushlstring(L, text, number_text(text, sizeof text, lua.lua_tonumber(L, -1)));
			lua.lua_remove(L, -2);
		}
		lua.lua_rawseti(L, p.table, ++p.n);
		if (i < to)
			lua_pieces_add(&p, separator, n);
	}
	lua_pieces_join(&p);
	return 1;
}

/* ---- string.format ---------------------------------------------------------------------------------------------------- */

/* One item: "%-8.3f". */
struct item {
	char text[24]; /* as C takes it, without the letter */
	bool left;
	size_t width;
	int precision; /* -1: none */
	char letter;
};

static size_t
item_number(const char *f, size_t n, size_t *i)
{
	size_t v = 0;
	for (int digits = 0; *i < n && isdigit((unsigned char)f[*i]); digits++)
		v = digits < 2 ? v * 10 + (size_t)(f[(*i)++] - '0') : (++*i, WIDEST + 1);
	return v;
}

/* The item behind the percent sign at f[*i - 1]. */
static struct item
read_item(lua_State *L, const char *f, size_t n, size_t *i)
{
	struct item it = { .precision = -1 };
	size_t flags = *i;
	for (; *i < n && strchr("-+ #0", f[*i]) && f[*i]; ++*i)
		it.left |= f[*i] == '-';
	size_t flags_n = *i - flags;
	it.width = item_number(f, n, i);
	if (*i < n && f[*i] == '.') {
		++*i;
		it.precision = (int)item_number(f, n, i);
	}
	if (flags_n > 5 || it.width > WIDEST || it.precision > WIDEST)
		lua.luaL_error(L, "invalid format (width or precision too long)");
	it.letter = *i < n ? f[(*i)++] : 0;
	int at = text_format(it.text, sizeof it.text, "%%%.*s", (int)flags_n, f + flags);
	if (it.width)
		at += text_format(it.text + at, sizeof it.text - (size_t)at, "%zu", it.width);
	if (it.precision >= 0)
		text_format(it.text + at, sizeof it.text - (size_t)at, ".%d", it.precision);
	return it;
}

static void
add_padded(struct lua_pieces *p, const struct item *it, str s)
{
	size_t count = it->width ? go_rune_count(s) : 0, pad = it->width > count ? it->width - count : 0;
	if (!it->left)
		add_spaces(p, pad);
	lua_pieces_add(p, s.p, s.n);
	if (it->left)
		add_spaces(p, pad);
}

/* As the C library writes it. `text` is the item, its letter and what C needs before it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void
add_c(struct lua_pieces *p, const struct item *it, bool whole, double d)
{
	char how[32], out[ITEM_MAX];
	text_format(how, sizeof how, "%s%s%c", it->text, whole ? "ll" : "", it->letter == 'i' ? 'd' : it->letter);
	int n = whole ? snprintf(out, sizeof out, how, (long long)d) : snprintf(out, sizeof out, how, d);
	lua_pieces_add(p, out, n > 0 && n < ITEM_MAX ? (size_t)n : 0);
}
#pragma GCC diagnostic pop

static void
add_whole(struct lua_pieces *p, const struct item *it, double d)
{
	char digits[40];
	d = isnan(d) ? 0 : d < -WHOLE_END ? -WHOLE_END : d >= WHOLE_END ? 9223372036854774784.0 : d;
	if (d > -1 || !strchr("oxX", it->letter)) {
		add_c(p, it, true, d);
		return;
	}
	unsigned long long size = 0 - (unsigned long long)(long long)d; /* Go has a sign before other bases, too */
	int n = it->letter == 'o' ? text_format(digits, sizeof digits, "-%llo", size)
	      : it->letter == 'x' ? text_format(digits, sizeof digits, "-%llx", size) : text_format(digits, sizeof digits, "-%llX", size);
	add_padded(p, it, (str){ digits, (size_t)n });
}

static void
add_float(struct lua_pieces *p, const struct item *it, double d)
{
	char text[40];
	bool shortest = (it->letter | 0x20) == 'g' && it->precision < 0 && it->text[1] != '#' && it->text[1] != '0' && it->text[1] != '+';
	if (isfinite(d) && !shortest) {
		add_c(p, it, false, d);
		return;
	}
	struct buf b = { 0 };
	go_format_float(&b, d, it->letter == 'G' ? 'G' : 'g', -1);
	int n = text_format(text, sizeof text, "%.*s", (int)b.n, b.p);
	buf_free(&b);
	add_padded(p, it, (str){ text, (size_t)n });
}

/* Go's syntax; its pieces are made one by one. */
static void
add_quoted(struct lua_pieces *p, str s)
{
	lua_spend(p->L, s.n);
	lua_pieces_add(p, "\"", 1);
	for (size_t i = 0, width, plain; i < s.n; i += width) {
		for (plain = i; plain < s.n && s.p[plain] >= ' ' && s.p[plain] < 0x7f && s.p[plain] != '"' && s.p[plain] != '\\'; plain++)
			;
		lua_pieces_add(p, s.p + i, plain - i);
		i = plain;
		width = 0;
		if (i == s.n)
			break;
		char escaped[16];
		struct buf b = { 0 };
		(void)go_rune(s, i, &width);
		go_quote(&b, str_slice(s, i, i + width));
		int n = text_format(escaped, sizeof escaped, "%.*s", (int)b.n - 2, b.p + 1);
		buf_free(&b);
		lua_pieces_add(p, escaped, (size_t)n);
	}
	lua_pieces_add(p, "\"", 1);
}

static str
cut_runes(str s, size_t most)
{
	size_t i = 0, width;
	for (; i < s.n && most; most--, i += width)
		(void)go_rune(s, i, &width);
	return str_slice(s, 0, i);
}

static str
text_at(lua_State *L, int i)
{
	size_t n;
	const char *p = lua.lua_tolstring(L, i, &n);
	return (str){ p, n };
}

static void
add_text(struct lua_pieces *p, const struct item *it, int arg)
{
	push_text(p->L, arg);
	if (lua.lua_type(p->L, -1) != LUA_TSTRING)
		lua.luaL_error(p->L, "'__tostring' must return a string");
	str s = text_at(p->L, -1);
	lua_spend(p->L, s.n / 16);
	add_padded(p, it, it->precision >= 0 ? cut_runes(s, (size_t)it->precision) : s);
	lua.lua_settop(p->L, -2);
}

static void
add_character(struct lua_pieces *p, const struct item *it, double d)
{
	char text[8];
	struct buf b = { 0 };
	go_add_rune(&b, d >= 0 && d < 0x110000 ? (uint32_t)d : 0xfffd);
	int n = (int)b.n;
	memcpy(text, b.p, b.n);
	buf_free(&b);
	add_padded(p, it, (str){ text, (size_t)n });
}

static void
add_item(struct lua_pieces *p, const struct item *it, int arg)
{
	if (!it->letter || !strchr("diuoxXeEfgGcqs", it->letter))
		lua.luaL_error(p->L, "invalid option '%%%c' to 'format'", it->letter ? it->letter : ' ');
	else if (arg > p->table - 1)
		lua.luaL_argerror(p->L, arg, "no value");
	else if (it->letter == 's')
		add_text(p, it, arg);
	else if (it->letter == 'q')
		add_quoted(p, (lua.luaL_checklstring(p->L, arg, NULL), text_at(p->L, arg)));
	else if (it->letter == 'c')
		add_character(p, it, lua.luaL_checknumber(p->L, arg));
	else if (strchr("diuoxX", it->letter))
		add_whole(p, it, lua.luaL_checknumber(p->L, arg));
	else
		add_float(p, it, lua.luaL_checknumber(p->L, arg));
}

static int
lib_format(lua_State *L)
{
	size_t n, i = 0;
	const char *f = lua.luaL_checklstring(L, 1, &n);
	int arg = 1;
	lua_spend(L, n);
	if (!lua.lua_checkstack(L, 8))
		return lua.luaL_error(L, "too many arguments");
	struct lua_pieces p = lua_pieces_new(L);
	while (i < n) {
		const char *sign = memchr(f + i, '%', n - i);
		size_t plain = sign ? (size_t)(sign - f) : n;
		lua_pieces_add(&p, f + i, plain - i);
		i = plain + 1;
		if (i < n && f[i] == '%') {
			lua_pieces_add(&p, "%", 1);
			i++;
		} else if (plain < n) {
			struct item it = read_item(L, f, n, &i);
			add_item(&p, &it, ++arg);
		}
	}
	lua_pieces_join(&p);
	return 1;
}

/* ---- upper and lower case ------------------------------------------------------------------------------------------- */

static int
change_case(lua_State *L, uint32_t (*to)(uint32_t))
{
	char chunk[256];
	size_t used = 0, n;
	const char *text = lua.luaL_checklstring(L, 1, &n);
	str s = { text, n };
	lua_spend(L, n / 4);
	struct lua_pieces p = lua_pieces_new(L);
	for (size_t i = 0, width; i < s.n; i += width) {
		struct buf b = { 0 };
		uint32_t rune = (unsigned char)s.p[i];
		width = 1;
		if (rune < 0x80) {
			chunk[used++] = (char)to(rune);
		} else {
			go_add_rune(&b, to(go_rune(s, i, &width)));
			memcpy(chunk + used, b.p, b.n);
			used += b.n;
			buf_free(&b);
		}
		if (used > sizeof chunk - 8) {
			lua_pieces_add(&p, chunk, used);
			used = 0;
		}
	}
	lua_pieces_add(&p, chunk, used);
	lua_pieces_join(&p);
	return 1;
}

static int
lib_upper(lua_State *L)
{
	return change_case(L, go_upper);
}

static int
lib_lower(lua_State *L)
{
	return change_case(L, go_lower);
}

void
lua_lib_texts(lua_State *L)
{
	lua_put(L, "tostring", lib_tostring);
	lua_put(L, "tonumber", lib_tonumber);
}

void
lua_lib_text_methods(lua_State *L)
{
	lua_put(L, "format", lib_format);
	lua_put(L, "upper", lib_upper);
	lua_put(L, "lower", lib_lower);
}

void
lua_lib_concat(lua_State *L)
{
	lua.lua_getfield(L, -1, "concat");
	lua_vm.concat = lua.luaL_ref(L, LUA_REGISTRYINDEX);
	lua_put(L, "concat", lib_concat);
}
