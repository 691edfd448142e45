/* SPDX-License-Identifier: Apache-2.0 */
/* sprig: defaults, encodings, paths, types, dates, and the list of what is refused. */
#include "core/base64.h"
#include "core/lang/sprig.h"
#include "core/tz.h"

/* ---- defaults ------------------------------------------------------------------------------------------------------------ */

FN(fn_default)
{
	*out = n < 2 || !go_truth(&v[1]) ? v[0] : v[1];
	return true;
}
FN(fn_empty)
{
	*out = val_bool(!go_truth(&v[0]));
	return true;
}
FN(fn_coalesce)
{
	for (size_t i = 0; i < n; i++) {
		if (go_truth(&v[i])) {
			*out = v[i];
			return true;
		}
	}
	return true;
}
FN(fn_all)
{
	bool all = true;
	for (size_t i = 0; i < n; i++)
		all = all && go_truth(&v[i]);
	*out = val_bool(all);
	return true;
}
FN(fn_any)
{
	bool any = false;
	for (size_t i = 0; i < n; i++)
		any = any || go_truth(&v[i]);
	*out = val_bool(any);
	return true;
}
FN(fn_ternary)
{
	*out = v[2].b ? v[0] : v[1];
	return true;
}
FN(fn_fail)
{
	return go_fail(r, "error calling fail: %.*s", STR_ARG(TEXT(0)));
}
FN(fn_hello)
{
	*out = val_str(S("Hello!"));
	return true;
}

/* ---- JSON and base64 ------------------------------------------------------------------------------------------------------- */

static bool
from_json(struct run *r, str text, bool must, struct val *out)
{
	struct err e;
	struct val *x = ARENA_NEW(r->a, struct val);
	if (json_read(r->a, text, x, &e) < 0)
		return must ? go_fail(r, "error calling mustFromJson: %s", e.msg) : true;
	*out = *x;
	return true;
}
FN(fn_from_json) { return from_json(r, TEXT(0), false, out); }
FN(fn_must_from_json) { return from_json(r, TEXT(0), true, out); }

static bool
to_json(struct run *r, const struct val *v, unsigned opts, struct val *out)
{
	struct buf b = { 0 };
	struct val plain = go_plain(r, v);
	json_write_opts(&b, &plain, opts | JSON_SORT);
	return go_made(r, &b, out);
}
FN(fn_to_json) { return to_json(r, &v[0], JSON_HTML, out); }
FN(fn_to_pretty_json) { return to_json(r, &v[0], JSON_HTML | JSON_INDENT, out); }
FN(fn_to_raw_json) { return to_json(r, &v[0], 0, out); }

FN(fn_b64enc)
{
	*out = val_str(base64_encode(r->a, TEXT(0)));
	return go_charge(r, out->n);
}

/* Go's decoder skips line breaks; an error is the result's text. */
FN(fn_b64dec)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	str bytes;
	struct err e;
	for (size_t i = 0; i < TEXT(0).n; i++)
		if (TEXT(0).p[i] != '\n' && TEXT(0).p[i] != '\r')
			buf_addc(&b, TEXT(0).p[i]);
	if (base64_decode(r->a, buf_str(&b), &bytes, &e) < 0) {
		size_t i = 0;
		while (i < b.n && (b.p[i] == '+' || b.p[i] == '/' || (b.p[i] >= '0' && b.p[i] <= '9') || ((b.p[i] | 0x20) >= 'a' && (b.p[i] | 0x20) <= 'z')))
			i++;
		bytes = arena_fmt(r->a, "illegal base64 data at input byte %zu", i);
	}
	*out = val_str(bytes);
	return true;
}

static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

FN(fn_b32enc)
{
	struct buf b = { 0 };
	str s = TEXT(0);
	for (size_t i = 0; i < s.n; i += 5) {
		uint64_t bits = 0;
		size_t have = s.n - i < 5 ? s.n - i : 5;
		for (size_t k = 0; k < 5; k++)
			bits = bits << 8 | (k < have ? (unsigned char)s.p[i + k] : 0);
		size_t digits = (have * 8 + 4) / 5;
		for (size_t k = 0; k < 8; k++)
			buf_addc(&b, k < digits ? base32_digits[bits >> (35 - 5 * k) & 31] : '=');
	}
	return go_made(r, &b, out);
}

FN(fn_b32dec)
{
	struct buf b = { 0 };
	uint64_t bits = 0;
	unsigned have = 0;
	for (size_t i = 0; i < TEXT(0).n && TEXT(0).p[i] != '='; i++) {
		const char *at = TEXT(0).p[i] ? strchr(base32_digits, TEXT(0).p[i]) : NULL;
		if (!at) {
			buf_free(&b);
			*out = val_str(arena_fmt(r->a, "illegal base32 data at input byte %zu", i));
			return true;
		}
		bits = bits << 5 | (uint64_t)(at - base32_digits);
		if ((have += 5) >= 8)
			buf_addc(&b, (char)(bits >> (have -= 8)));
	}
	return go_made(r, &b, out);
}

/* ---- types ------------------------------------------------------------------------------------------------------------------- */

FN(fn_type_of)
{
	*out = val_cstr(go_type(&v[0]));
	return true;
}
FN(fn_type_is)
{
	*out = val_bool(str_eq(TEXT(0), str_c(go_type(&v[1]))));
	return true;
}
FN(fn_kind_of)
{
	*out = val_cstr(go_kind(&v[0]));
	return true;
}
FN(fn_kind_is)
{
	*out = val_bool(str_eq(TEXT(0), str_c(go_kind(&v[1]))));
	return true;
}
FN(fn_deep_equal)
{
	*out = val_bool(go_deep_equal(&v[0], &v[1]));
	return true;
}
FN(fn_deep_copy)
{
	struct val plain = go_plain(r, &v[0]);
	*out = plain.kind == VAL_MAP && plain.pad == GO_PLAIN ? go_box(r, plain) : plain;
	return plain.kind == VAL_NULL ? go_fail(r, "error calling deepCopy: nil") : true;
}

/* ---- paths: Go's package path --------------------------------------------------------------------------------------------------- */

/* path.Clean */
static str
clean(struct run *r, str s)
{
	VEC(str) parts = { 0 };
	bool rooted = str_starts(s, S("/"));
	for (str rest = s; rest.n;) {
		str part = str_cut(&rest, '/');
		bool up = str_eq(part, S(".."));
		if (!part.n || str_eq(part, S(".")))
			continue;
		if (up && parts.n && !str_eq(parts.p[parts.n - 1], S("..")))
			parts.n--;
		else if (!up || !rooted)
			*VEC_PUSH(&parts) = part;
	}
	struct buf b CLEANUP(free_buf) = { 0 };
	if (rooted)
		buf_addc(&b, '/');
	for (size_t i = 0; i < parts.n; i++)
		buf_addf(&b, "%s%.*s", i ? "/" : "", STR_ARG(parts.p[i]));
	VEC_FREE(&parts);
	return b.n ? arena_dup(r->a, buf_str(&b)) : S(".");
}

static size_t
last_slash(str s)
{
	size_t i = s.n;
	while (i > 0 && s.p[i - 1] != '/')
		i--;
	return i; /* behind it; 0: none */
}

FN(fn_base)
{
	str s = TEXT(0);
	bool given = s.n > 0;
	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	*out = val_str(!given ? S(".") : !s.n ? S("/") : str_slice(s, last_slash(s), s.n));
	return true;
}
FN(fn_dir)
{
	*out = val_str(clean(r, str_slice(TEXT(0), 0, last_slash(TEXT(0)))));
	return true;
}
FN(fn_clean)
{
	*out = val_str(clean(r, TEXT(0)));
	return true;
}
FN(fn_ext)
{
	str s = TEXT(0);
	size_t i = s.n;
	while (i > 0 && s.p[i - 1] != '/' && s.p[i - 1] != '.')
		i--;
	*out = val_str(i > 0 && s.p[i - 1] == '.' ? str_slice(s, i - 1, s.n) : S(""));
	return true;
}
FN(fn_is_abs)
{
	*out = val_bool(str_starts(TEXT(0), S("/")));
	return true;
}

/* ---- identifiers -------------------------------------------------------------------------------------------------------------------- */

FN(fn_uuidv4)
{
	unsigned char b[16];
	for (size_t i = 0; i < sizeof b; i += 4) {
		uint32_t x = r->random ? (uint32_t)sprig_draw(r) : arc4random();
		memcpy(b + i, &x, 4);
	}
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	*out = val_str(arena_fmt(r->a, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5],
	                         b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]));
	return true;
}

#define NOT_YET "not served yet"
#define KEYS "keys and certificates are not made in templates"

const struct gofn sprig_others[] = {
	{ "default", "aa*", fn_default }, { "empty", "a", fn_empty }, { "coalesce", "a*", fn_coalesce }, { "all", "a*", fn_all }, { "any", "a*", fn_any },
	{ "ternary", "aab", fn_ternary }, { "fail", "s", fn_fail }, { "hello", "", fn_hello },
	{ "fromJson", "s", fn_from_json }, { "mustFromJson", "s", fn_must_from_json }, { "toJson", "a", fn_to_json }, { "mustToJson", "a", fn_to_json },
	{ "toPrettyJson", "a", fn_to_pretty_json }, { "mustToPrettyJson", "a", fn_to_pretty_json }, { "toRawJson", "a", fn_to_raw_json },
	{ "mustToRawJson", "a", fn_to_raw_json },
	{ "b64enc", "s", fn_b64enc }, { "b64dec", "s", fn_b64dec }, { "b32enc", "s", fn_b32enc }, { "b32dec", "s", fn_b32dec },
	{ "typeOf", "a", fn_type_of }, { "typeIs", "sa", fn_type_is }, { "typeIsLike", "sa", fn_type_is }, { "kindOf", "a", fn_kind_of }, { "kindIs", "sa", fn_kind_is },
	{ "deepEqual", "aa", fn_deep_equal }, { "deepCopy", "a", fn_deep_copy }, { "mustDeepCopy", "a", fn_deep_copy },
	{ "base", "s", fn_base }, { "dir", "s", fn_dir }, { "clean", "s", fn_clean }, { "ext", "s", fn_ext }, { "isAbs", "s", fn_is_abs },
	{ "osBase", "s", fn_base }, { "osDir", "s", fn_dir }, { "osClean", "s", fn_clean }, { "osExt", "s", fn_ext }, { "osIsAbs", "s", fn_is_abs },
	{ "uuidv4", "", fn_uuidv4 },
	{ "env", "s", .why = "the daemon's environment is not for templates" }, { "expandenv", "s", .why = "the daemon's environment is not for templates" },
	{ "getHostByName", "s", .why = "templates do not use the network" },
	{ "bcrypt", "s", .why = NOT_YET }, { "htpasswd", "ss", .why = NOT_YET }, { "encryptAES", "ss", .why = NOT_YET }, { "decryptAES", "ss", .why = NOT_YET },
	{ "derivePassword", "issss", .why = NOT_YET }, { "semver", "s", .why = NOT_YET },
	{ "urlParse", "s", .why = NOT_YET }, { "urlJoin", "m", .why = NOT_YET },
	{ "genPrivateKey", "s", .why = KEYS }, { "buildCustomCert", "ss", .why = KEYS }, { "genCA", "si", .why = KEYS }, { "genCAWithKey", "sis", .why = KEYS },
	{ "genSelfSignedCert", "saai", .why = KEYS }, { "genSelfSignedCertWithKey", "saais", .why = KEYS }, { "genSignedCert", "saaia", .why = KEYS },
	{ "genSignedCertWithKey", "saaias", .why = KEYS },
	{ 0 },
};

/* ---- dates: the local zone is UTC --------------------------------------------------------------------------------------------------- */

static struct val
time_value(int64_t ns)
{
	struct val v = val_int(ns);
	v.pad = GO_TIME;
	return v;
}

/* A time, or seconds as a number; anything else is now. */
static int64_t
as_time(struct run *r, const struct val *v)
{
	struct val x = go_norm(v);
	if (x.kind != VAL_INT)
		return r->now;
	if (x.pad == GO_TIME)
		return x.i;
	return x.i > INT64_MAX / NS_PER_SEC || x.i < INT64_MIN / NS_PER_SEC ? r->now : x.i * NS_PER_SEC;
}

FN(fn_now)
{
	*out = time_value(r->now);
	return true;
}

/* An unknown zone is UTC. */
static bool
formatted(struct run *r, str layout, int64_t ns, str zone, struct val *out)
{
	struct buf b = { 0 };
	const struct tz *z;
	struct err e;
	if (!zone.n || tz_open(r->a, zone, &z, &e) < 0)
		z = tz_utc();
	struct tz_span span = tz_span(z, ns / NS_PER_SEC - (ns % NS_PER_SEC < 0));
	go_time_format(&b, ns, layout, span.offset, span.abbr);
	return go_made(r, &b, out);
}

FN(fn_date) { return formatted(r, TEXT(0), as_time(r, &v[1]), STR_NONE, out); }
FN(fn_date_in_zone) { return formatted(r, TEXT(0), as_time(r, &v[1]), TEXT(2), out); }
FN(fn_html_date) { return formatted(r, S("2006-01-02"), as_time(r, &v[0]), STR_NONE, out); }
FN(fn_html_date_in_zone) { return formatted(r, S("2006-01-02"), as_time(r, &v[0]), TEXT(1), out); }

FN(fn_unix_epoch)
{
	int64_t ns = as_time(r, &v[0]);
	*out = val_str(arena_fmt(r->a, "%lld", (long long)(ns / NS_PER_SEC - (ns % NS_PER_SEC < 0))));
	return true;
}

static bool
modified(struct run *r, const struct val *v, bool must, struct val *out)
{
	dur d;
	struct err e;
	int64_t ns = as_time(r, &v[1]);
	*out = time_value(ns);
	if (dur_parse(TEXT(0), &d, &e) < 0)
		return must ? go_fail(r, "error calling mustDateModify: %s", e.msg) : true;
	if (!__builtin_add_overflow(ns, d.ns, &ns))
		*out = time_value(ns);
	return true;
}
FN(fn_date_modify) { return modified(r, v, false, out); }
FN(fn_must_date_modify) { return modified(r, v, true, out); }

FN(fn_ago)
{
	int64_t ns = r->now - as_time(r, &v[0]);
	dur d = { (ns + (ns < 0 ? -NS_PER_SEC / 2 : NS_PER_SEC / 2)) / NS_PER_SEC * NS_PER_SEC };
	*out = val_str(dur_fmt(r->a, d));
	return true;
}

/* Only text and int64 are seconds; another number is none (as in sprig). */
FN(fn_duration)
{
	struct val x = go_norm(&v[0]);
	int64_t sec = 0;
	if (x.kind == VAL_STR)
		(void)go_parse_int(val_text(&x), 10, &sec);
	else if (x.kind == VAL_INT && x.pad == GO_INT64)
		sec = x.i;
	*out = val_str(dur_fmt(r->a, (dur){ (int64_t)((uint64_t)sec * (uint64_t)NS_PER_SEC) }));
	return true;
}

FN(fn_duration_round)
{
	static const struct {
		int64_t sec;
		const char *unit;
	} rows[] = { { 365 * 86400, "y" }, { 30 * 86400, "mo" }, { 86400, "d" }, { 3600, "h" }, { 60, "m" }, { 1, "s" } };
	struct val x = go_norm(&v[0]);
	dur d = { 0 };
	struct err e;
	if (x.kind == VAL_STR)
		(void)!dur_parse(val_text(&x), &d, &e); /* what is no duration is 0 */
	else if (x.kind == VAL_INT && x.pad == GO_INT64)
		d.ns = x.i;
	else if (x.kind == VAL_INT && x.pad == GO_TIME)
		d.ns = r->now - x.i;
	uint64_t u = d.ns < 0 ? 0 - (uint64_t)d.ns : (uint64_t)d.ns;
	*out = val_str(S("0s"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t unit = (uint64_t)rows[i].sec * (uint64_t)NS_PER_SEC;
		if (u > unit) {
			*out = val_str(arena_fmt(r->a, "%llu%s", (unsigned long long)(u / unit), rows[i].unit));
			break;
		}
	}
	return true;
}

/* Within the years that nanoseconds can count: 1678 to 2261. */
static bool
to_date(str layout, str text, int64_t *ns)
{
	struct go_time t;
	if (!go_time_parse(layout, text, &t) || t.year < 1678 || t.year > 2261)
		return false;
	struct civil c = { .year = t.year, .month = t.month, .day = t.day, .hour = t.hour, .minute = t.minute, .second = t.second };
	*ns = (civil_seconds(&c) - (t.zone == GO_ZONE_OFFSET ? t.offset : 0)) * NS_PER_SEC + t.nsec;
	return true;
}

/* Where sprig's toDate gives the year 1 for what is no date, this fails. */
FN(fn_to_date)
{
	int64_t ns = 0;
	if (!to_date(TEXT(0), TEXT(1), &ns))
		return go_fail(r, "error calling toDate: parsing time \"%.*s\" as \"%.*s\": cannot parse it", STR_ARG(TEXT(1)), STR_ARG(TEXT(0)));
	*out = time_value(ns);
	return true;
}

const struct gofn sprig_dates[] = {
	{ "toDate", "ss", fn_to_date }, { "mustToDate", "ss", fn_to_date },
	{ "now", "", fn_now }, { "date", "sa", fn_date }, { "dateInZone", "sas", fn_date_in_zone }, { "date_in_zone", "sas", fn_date_in_zone },
	{ "htmlDate", "a", fn_html_date }, { "htmlDateInZone", "as", fn_html_date_in_zone }, { "unixEpoch", "a", fn_unix_epoch },
	{ "dateModify", "sa", fn_date_modify }, { "date_modify", "sa", fn_date_modify }, { "mustDateModify", "sa", fn_must_date_modify },
	{ "must_date_modify", "sa", fn_must_date_modify }, { "ago", "a", fn_ago }, { "duration", "a", fn_duration }, { "durationRound", "a", fn_duration_round },
	{ 0 },
};
