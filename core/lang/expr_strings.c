/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of strings, JSON and base64. Source: expr-lang builtin/builtin.go, builtin/lib.go. */
#include "core/base64.h"
#include "core/lang/expr_builtin.h"
#include "core/lang/gofmt.h"

/* ---- strings -------------------------------------------------------------------------------------------------- */

static int
call_string(BUILTIN_ARGS)
{
	struct buf b = { 0 };
	(void)n, (void)args_n;
	expr_print(&b, &args[0]);
	return builtin_give_text(ev, &b, out);
}

static str
trim_set(str s, str set)
{
	while (s.n && str_find_char(set, s.p[0], 0) != SIZE_MAX)
		s = str_slice(s, 1, s.n);
	while (s.n && str_find_char(set, s.p[s.n - 1], 0) != SIZE_MAX)
		s = str_slice(s, 0, s.n - 1);
	return s;
}

static int
call_trim(BUILTIN_ARGS)
{
	str s = S(""), set = S(" \t\n\v\f\r");
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || (args_n > 1 && builtin_want_text(ev, n, &args[1], &set) < 0))
		return -1;
	*out = val_str(trim_set(s, set));
	return 0;
}

static int
call_trim_prefix(BUILTIN_ARGS)
{
	str s = S(""), cut = S(" ");
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || (args_n > 1 && builtin_want_text(ev, n, &args[1], &cut) < 0))
		return -1;
	*out = val_str(str_starts(s, cut) ? str_slice(s, cut.n, s.n) : s);
	return 0;
}

static int
call_trim_suffix(BUILTIN_ARGS)
{
	str s = S(""), cut = S(" ");
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || (args_n > 1 && builtin_want_text(ev, n, &args[1], &cut) < 0))
		return -1;
	*out = val_str(str_ends(s, cut) ? str_slice(s, 0, s.n - cut.n) : s);
	return 0;
}

static int
cased(BUILTIN_ARGS, bool upper)
{
	struct buf b = { 0 };
	str s = S("");
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0)
		return -1;
	for (size_t i = 0, width; i < s.n; i += width) {
		uint32_t c = go_rune(s, i, &width);
		go_add_rune(&b, upper ? go_upper(c) : go_lower(c));
	}
	return builtin_give_text(ev, &b, out);
}

static int
call_upper(BUILTIN_ARGS)
{
	return cased(ev, n, args, args_n, out, true);
}

static int
call_lower(BUILTIN_ARGS)
{
	return cased(ev, n, args, args_n, out, false);
}

/* Go's strings.SplitN and SplitAfterN: `max` parts at most, < 0: all; an empty separator splits into runes. */
static int
split(BUILTIN_ARGS, bool after)
{
	str s = S(""), sep = S("");
	int64_t max = -1;
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || builtin_want_text(ev, n, &args[1], &sep) < 0 ||
	    (args_n > 2 && builtin_want_int(ev, n, &args[2], &max) < 0))
		return -1;
	values parts = { 0 };
	int rc = 0;
	for (size_t from = 0; max != 0 && rc == 0;) {
		size_t width = 0, at = SIZE_MAX;
		if (sep.n)
			at = str_find(s, sep, from);
		else if (from < s.n && ((void)go_rune(s, from, &width), from + width < s.n))
			at = from + width;
		bool last = at == SIZE_MAX || (max > 0 && (int64_t)parts.n == max - 1);
		if (sep.n || from < s.n)
			*VEC_PUSH(&parts) = val_str(str_slice(s, from, last ? s.n : after ? at + sep.n : at));
		if (last)
			break;
		from = at + sep.n;
		rc = eval_spend(ev, sizeof(struct val));
	}
	if (rc == 0)
		rc = eval_list(ev, parts.p, parts.n, out);
	VEC_FREE(&parts);
	return rc;
}

static int
call_split(BUILTIN_ARGS)
{
	return split(ev, n, args, args_n, out, false);
}

static int
call_split_after(BUILTIN_ARGS)
{
	return split(ev, n, args, args_n, out, true);
}

static int
call_replace(BUILTIN_ARGS)
{
	str s = S(""), from = S(""), to = S("");
	int64_t max = -1;
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || builtin_want_text(ev, n, &args[1], &from) < 0 || builtin_want_text(ev, n, &args[2], &to) < 0 ||
	    (args_n > 3 && builtin_want_int(ev, n, &args[3], &max) < 0))
		return -1;
	struct buf b = { 0 };
	size_t i = 0;
	for (int64_t done = 0; max < 0 || done < max; done++) {
		size_t at = str_find(s, from, i), width = 1;
		if (from.n == 0 && i < s.n) /* between the runes */
			(void)go_rune(s, i, &width);
		if (at == SIZE_MAX || b.n > EXPR_BYTES_MAX)
			break;
		buf_add(&b, str_slice(s, i, at));
		buf_add(&b, to);
		i = at + from.n;
		if (from.n == 0) {
			buf_add(&b, str_slice(s, i, i + width));
			i += width;
			if (i > s.n)
				break;
		}
	}
	buf_add(&b, str_slice(s, i, s.n));
	return builtin_give_text(ev, &b, out);
}

static int
call_repeat(BUILTIN_ARGS)
{
	str s = S("");
	int64_t times;
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || builtin_want_int(ev, n, &args[1], &times) < 0)
		return -1;
	if (times < 0)
		return eval_fail(ev, "repeat %lld times: must not be negative", (long long)times);
	if (times > EXPR_BYTES_MAX || s.n * (uint64_t)times > EXPR_BYTES_MAX)
		return eval_spend(ev, SIZE_MAX);
	struct buf b = { 0 };
	for (int64_t i = 0; i < times && s.n; i++)
		buf_add(&b, s);
	return builtin_give_text(ev, &b, out);
}

static int
call_join(BUILTIN_ARGS)
{
	str sep = S("");
	struct buf b = { 0 };
	if (builtin_want_list(ev, n, &args[0]) < 0 || (args_n > 1 && builtin_want_text(ev, n, &args[1], &sep) < 0))
		return -1;
	for (uint32_t i = 0; i < args[0].n; i++) {
		str s;
		if (builtin_want_text(ev, n, &args[0].items[i], &s) < 0 || b.n > EXPR_BYTES_MAX) {
			buf_free(&b);
			return -1;
		}
		buf_add(&b, i ? sep : S(""));
		buf_add(&b, s);
	}
	return builtin_give_text(ev, &b, out);
}

static int
call_index_of(BUILTIN_ARGS)
{
	str s = S(""), what = S("");
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || builtin_want_text(ev, n, &args[1], &what) < 0)
		return -1;
	size_t at = str_find(s, what, 0);
	*out = val_int(at == SIZE_MAX ? -1 : (int64_t)at);
	return 0;
}

static int
call_last_index_of(BUILTIN_ARGS)
{
	str s = S(""), what = S("");
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || builtin_want_text(ev, n, &args[1], &what) < 0)
		return -1;
	*out = val_int(-1);
	for (size_t i = s.n + 1; i-- > 0;) {
		if (str_starts(str_slice(s, i, s.n), what)) {
			*out = val_int((int64_t)i);
			break;
		}
	}
	return 0;
}

static int
call_has_prefix(BUILTIN_ARGS)
{
	str s = S(""), what = S("");
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || builtin_want_text(ev, n, &args[1], &what) < 0)
		return -1;
	*out = val_bool(str_starts(s, what));
	return 0;
}

static int
call_has_suffix(BUILTIN_ARGS)
{
	str s = S(""), what = S("");
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || builtin_want_text(ev, n, &args[1], &what) < 0)
		return -1;
	*out = val_bool(str_ends(s, what));
	return 0;
}

/* ---- notations ------------------------------------------------------------------------------------------------ */

static int
call_to_json(BUILTIN_ARGS)
{
	struct buf b = { 0 };
	(void)n, (void)args_n;
	expr_write_json(&b, &args[0], JSON_INDENT | JSON_SORT | JSON_HTML);
	return builtin_give_text(ev, &b, out);
}

static int
call_from_json(BUILTIN_ARGS)
{
	str s = S("");
	struct err e;
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || eval_spend(ev, s.n * 4) < 0)
		return -1;
	if (expr_read_json(ev->arena, s, out, &e) < 0)
		return eval_fail(ev, "fromJSON: %s", e.msg);
	return 0;
}

static int
call_to_base64(BUILTIN_ARGS)
{
	str s = S("");
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || eval_spend(ev, s.n * 2) < 0)
		return -1;
	*out = val_str(base64_encode(ev->arena, s));
	return 0;
}

static int
call_from_base64(BUILTIN_ARGS)
{
	str s, decoded;
	struct err e;
	(void)args_n;
	if (builtin_want_text(ev, n, &args[0], &s) < 0 || eval_spend(ev, s.n) < 0)
		return -1;
	size_t letters = 0;
	for (size_t i = 0; i < s.n; i++)
		letters += s.p[i] != '\n' && s.p[i] != '\r';
	if (letters % 4)
		return eval_fail(ev, "fromBase64: illegal base64 data at input byte %zu", letters - letters % 4);
	if (base64_decode(ev->arena, s, &decoded, &e) < 0)
		return eval_fail(ev, "fromBase64: %s", e.msg);
	*out = val_str(decoded);
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

const struct builtin expr_strings[] = {
	{ "string", 1, 1, .call = call_string },
	{ "trim", 1, 2, .call = call_trim },
	{ "trimPrefix", 1, 2, .call = call_trim_prefix },
	{ "trimSuffix", 1, 2, .call = call_trim_suffix },
	{ "upper", 1, 1, .call = call_upper },
	{ "lower", 1, 1, .call = call_lower },
	{ "split", 2, 3, .call = call_split },
	{ "splitAfter", 2, 3, .call = call_split_after },
	{ "replace", 3, 4, .call = call_replace },
	{ "repeat", 2, 2, .call = call_repeat },
	{ "join", 1, 2, .call = call_join },
	{ "indexOf", 2, 2, .call = call_index_of },
	{ "lastIndexOf", 2, 2, .call = call_last_index_of },
	{ "hasPrefix", 2, 2, .call = call_has_prefix },
	{ "hasSuffix", 2, 2, .call = call_has_suffix },
	{ "toJSON", 1, 1, .call = call_to_json },
	{ "fromJSON", 1, 1, .call = call_from_json },
	{ "toBase64", 1, 1, .call = call_to_base64 },
	{ "fromBase64", 1, 1, .call = call_from_base64 },
	{ 0 },
};
