/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/field.h"

static struct arena *arena;
static struct diags diags;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	diags_init(&diags);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	diags_free(&diags);
	arena_free(arena);
	return 0;
}

/* ---- a table with a row of every kind ------------------------------------------------------------------------ */

struct leaf {
	str name;
	int64_t port;
	str value;
	const struct val *src;
};
static const struct schema leaf_schema = { "Leaf", "A small thing.", sizeof(struct leaf), (const struct field[]){
	FIELD(struct leaf, port, "port", 0, .dflt = "80", .min = 1, .max = 65535, .doc = "Port."),
	FIELD(struct leaf, value, "value", ANYSTR, .one_of = "value", .doc = "Value."),
	FIELD_NONE("valueFrom", LATER, .one_of = "value", .doc = "Where from.", .hint = "write the value itself"),
	FIELD_SRC(struct leaf, src),
	{ 0 } } };

struct named {
	str name;
	LIST_OF(struct leaf) leaves;
};
static const struct schema named_schema = { "Named", "A thing with a name.", sizeof(struct named), (const struct field[]){
	FIELD(struct named, name, "name", REQ, .doc = "Name."),
	FIELD_LIST(struct named, leaves, "leaves", 0, &leaf_schema, .max = 2, .doc = "Leaves."),
	{ 0 } } };

struct base {
	str inlined;
};
static const struct schema base_schema = { "Base", "What all have.", sizeof(struct base), (const struct field[]){
	FIELD(struct base, inlined, "inlined", 0, .doc = "Inlined."),
	{ 0 } } };

enum color { COLOR_NONE, COLOR_RED, COLOR_GREEN };
static const char *const colors[] = { "", "red", "green", NULL };
static const char *const modes[] = { "fast", "slow", NULL };

struct thing {
	struct base base;
	str text, mode, secret;
	bool flag;
	tri maybe;
	int64_t count;
	struct opt_int limit;
	double factor;
	dur wait, timeout;
	struct intstr at;
	const struct val *any;
	struct strs args;
	struct kvs labels;
	enum color color;
	struct leaf leaf;
	struct leaf *pointer;
	LIST_OF(struct named) named;
	LIST_OF(LIST_OF(struct named)) steps;
	LIST_OF(struct leaf) by_name;
	str old;
	bool checked;
};

static void
check_thing(void *obj, const struct val *in, struct decode *c)
{
	struct thing *t = obj;
	t->checked = true;
	if (str_eq(t->text, S("bad")))
		diag_hint(c->diags, decode_error(c, in, "leaf.port", "text is bad"), "make it good");
	if (str_eq(t->text, S("odd")))
		decode_warn(c, in, "absent", "text is odd");
	if (str_eq(t->text, S("new")))
		decode_later(c, in, NULL, "text is new");
}

static const struct schema thing_schema = { "Thing", "All kinds of rows.", sizeof(struct thing), (const struct field[]){
	FIELD_OBJ(struct thing, base, "", INLINE, &base_schema),
	FIELD(struct thing, text, "text", REQ, .max = 10, .doc = "Text."),
	FIELD(struct thing, mode, "mode", 0, .choices = modes, .dflt = "fast", .doc = "Mode."),
	FIELD(struct thing, secret, "secret", SECRET, .doc = "Secret."),
	FIELD(struct thing, flag, "flag", 0, .doc = "Flag."),
	FIELD(struct thing, maybe, "maybe", 0, .doc = "Maybe."),
	FIELD(struct thing, count, "count", 0, .dflt = "3", .min = 1, .doc = "Count."),
	FIELD(struct thing, limit, "limit", 0, .max = 10, .doc = "Limit."),
	FIELD(struct thing, factor, "factor", 0, .dflt = "1.5", .doc = "Factor."),
	FIELD(struct thing, wait, "wait", 0, .dflt = "10s", .doc = "Wait."),
	FIELD(struct thing, timeout, "timeout", GO_DURATION, .doc = "Timeout."),
	FIELD(struct thing, at, "at", 0, .doc = "At."),
	FIELD(struct thing, any, "any", 0, .doc = "Any."),
	FIELD(struct thing, args, "args", 0, .doc = "Args."),
	FIELD(struct thing, labels, "labels", 0, .doc = "Labels."),
	FIELD_ENUM(struct thing, color, "color", 0, colors, .doc = "Color."),
	FIELD_OBJ(struct thing, leaf, "leaf", 0, &leaf_schema, .doc = "Leaf."),
	FIELD_PTR(struct thing, pointer, "pointer", 0, &leaf_schema, .doc = "Pointer."),
	FIELD_LIST(struct thing, named, "named", 0, &named_schema, .doc = "Named."),
	FIELD_LISTS(struct thing, steps, "steps", 0, &named_schema, .doc = "Steps."),
	FIELD_MAP(struct thing, by_name, "byName", 0, &leaf_schema, .doc = "By name."),
	FIELD(struct thing, old, "old", DEPRECATED, .doc = "Old.", .hint = "use \"text\""),
	FIELD_NONE("affinity", NOEFFECT, .doc = "Affinity.", .hint = "there is one machine"),
	FIELD_NONE("later", LATER, .schema = &leaf_schema, .doc = "Later."),
	FIELD_NONE("status", STATUS, .doc = "Status."),
	FIELD_AS("number", FIELD_INT, 0, .max = 9, .doc = "Number."),
	FIELD_AS("leaves", FIELD_LIST_, NOEFFECT, .schema = &leaf_schema, .doc = "Leaves.", .hint = "none fall here"),
	FIELD_AS("must", FIELD_STR, 0, .doc = "Must."),
	{ 0 } }, check_thing };

/* ---- decoding ------------------------------------------------------------------------------------------------ */

static const struct val *
yaml(const char *text)
{
	struct val *docs;
	size_t n;
	if (yaml_read_all(arena, S("t.yaml"), str_c(text), NULL, &docs, &n, &diags) || n != 1)
		fail_msg("%s", text);
	return docs;
}

static struct thing *
decode(const char *text, int want)
{
	struct thing *t = ARENA_NEW(arena, struct thing);
	assert_int_equal(schema_decode(&thing_schema, arena, yaml(text), STR_NONE, t, &diags), want);
	return t;
}

static void
assert_str(str got, const char *want)
{
	if (got.n != strlen(want) || memcmp(got.p, want, got.n) != 0)
		fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(got), want);
}

static void
decodes_every_kind(void **state)
{
	(void)state;
	const struct thing *t = decode(
		"inlined: i\ntext: t\nmode: slow\nflag: true\nmaybe: no\ncount: 5\nlimit: 0\nfactor: 2\nwait: 1m\ntimeout: 90\nat: 7\nany: {x: [1]}\n"
		"args: [a, \"1\", null]\nlabels: {k: v, l: \"2\"}\ncolor: green\nleaf: {port: 8080, value: 1.50}\npointer: {}\n"
		"named:\n- name: a\n  leaves: [{value: x}]\nsteps:\n- - name: b\n  - name: c\n- - name: d\nbyName:\n  one: {value: true}\n  two:\nstatus: {what: ever}\n", 0);
	assert_str(t->base.inlined, "i");
	assert_str(t->text, "t");
	assert_str(t->mode, "slow");
	assert_true(t->flag);
	assert_int_equal(t->maybe, TRI_FALSE);
	assert_int_equal(t->count, 5);
	assert_true(t->limit.set && t->limit.v == 0);
	assert_true(t->factor == 2);
	assert_int_equal(t->wait.ns, 60 * NS_PER_SEC);
	assert_int_equal(t->timeout.ns, 90 * NS_PER_SEC);
	assert_true(t->at.is_int && t->at.v == 7);
	assert_str(t->at.text, "7");
	assert_string_equal(json_write(arena, t->any).p, "{\"x\":[1]}");
	assert_int_equal(t->args.n, 3);
	assert_str(t->args.p[1], "1");
	assert_str(t->args.p[2], "");
	assert_int_equal(t->labels.n, 2);
	assert_str(t->labels.p[1].value, "2");
	assert_int_equal(t->color, COLOR_GREEN);
	assert_int_equal(t->leaf.port, 8080);
	assert_str(t->leaf.value, "1.5");
	assert_int_equal(t->leaf.src->line, 16);
	assert_non_null(t->pointer);
	assert_int_equal(t->pointer->port, 80);
	assert_str(t->named.p[0].leaves.p[0].value, "x");
	assert_int_equal(t->steps.n, 2);
	assert_str(t->steps.p[0].p[1].name, "c");
	assert_str(t->steps.p[1].p[0].name, "d");
	assert_str(t->by_name.p[0].name, "one");
	assert_str(t->by_name.p[0].value, "true");
	assert_str(t->by_name.p[1].name, "two");
	assert_int_equal(t->by_name.p[1].port, 80);
	assert_true(t->checked);
	assert_int_equal(diags.v.n, 0);
}

static void
fills_defaults(void **state)
{
	(void)state;
	const struct thing *t = decode("text: t\nmaybe: null\ncount:\n", 0);
	assert_str(t->mode, "fast");
	assert_int_equal(t->count, 3);
	assert_true(t->factor == 1.5);
	assert_int_equal(t->wait.ns, 10 * NS_PER_SEC);
	assert_int_equal(t->maybe, TRI_UNSET);
	assert_false(t->limit.set);
	assert_null(t->at.text.p);
	assert_null(t->any);
	assert_null(t->pointer);
	assert_int_equal(t->leaf.port, 80);
	assert_int_equal(t->color, COLOR_NONE);
}

static void
formats_anystr_as_go(void **state)
{
	(void)state;
	static const char *const rows[][2] = { { "1", "1" }, { "1.0", "1" }, { "1.10", "1.1" }, { "1e3", "1000" }, { "1e21", "1000000000000000000000" },
		{ "1e-7", "0.0000001" }, { "123456789012345678", "123456789012345680" }, { "0.1", "0.1" }, { "true", "true" }, { "\"x\"", "x" }, { "-5", "-5" },
		{ "yes", "yes" }, { "010", "8" }, { "\"010\"", "010" } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct thing *t = decode(arena_fmt(arena, "text: t\nleaf: {value: %s}\n", rows[i][0]).p, 0);
		assert_str(t->leaf.value, rows[i][1]);
	}
}

/* Findings as "line:col level path: text; hint", a line each. */
static const char *
findings(void)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < diags.v.n; i++) {
		const struct diag *d = &diags.v.p[i];
		buf_addf(&b, "%u:%u %c %.*s: %.*s%s%.*s\n", d->line, d->col, "nwle"[d->level], STR_ARG(d->path), STR_ARG(d->text), d->hint.n ? "; " : "",
			STR_ARG(d->hint));
	}
	const char *text = arena_dup(arena, buf_str(&b)).p;
	buf_free(&b);
	return text;
}

static void
says_what_is_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *want;
	} rows[] = {
		{ "flag: true\n", "1:1 e text: required, but not given; add \"text\": a string\n" },
		{ "text: ''\n", "1:7 e text: must not be empty\n" },
		{ "text: 5\n", "1:7 e text: expected a string, not an integer; put it in quotes: \"5\"\n" },
		{ "text: [a]\n", "1:7 e text: expected a string, not a list\n" },
		{ "text: 12345678901x\n", "1:7 e text: 12 bytes long: at most 10 are allowed\n" },
		{ "text: t\nmode: Slow\n", "2:7 e mode: unknown value \"Slow\"; did you mean \"slow\"?\n" },
		{ "text: t\nmode: x\n", "2:7 e mode: unknown value \"x\"; known are: fast, slow\n" },
		{ "text: t\ncolor: gren\n", "2:8 e color: unknown value \"gren\"; did you mean \"green\"?\n" },
		{ "text: t\nflag: \"true\"\n", "2:7 e flag: expected true or false, not the string \"true\"; remove the quotes\n" },
		{ "text: t\nflag: maybe\n", "2:7 e flag: expected true or false, not the string \"maybe\"\n" },
		{ "text: t\ncount: \"5\"\n", "2:8 e count: expected an integer, not the string \"5\"; remove the quotes\n" },
		{ "text: t\ncount: 1.5\n", "2:8 e count: expected an integer, not a number\n" },
		{ "text: t\ncount: 0\n", "2:8 e count: 0 is too small: must be at least 1\n" },
		{ "text: t\nlimit: 11\n", "2:8 e limit: 11 is out of range: must be between 0 and 10\n" },
		{ "text: t\nlimit: -1\n", "2:8 e limit: -1 is out of range: must be between 0 and 10\n" },
		{ "text: t\nleaf:\n  port: 70000\n", "3:9 e leaf.port: 70000 is out of range: must be between 1 and 65535\n" },
		{ "text: t\nfactor: x\n", "2:9 e factor: expected a number, not the string \"x\"\n" },
		{ "text: t\nwait: 10\n", "2:7 e wait: \"10\" is not a duration; say the unit: \"10s\"\n" },
		{ "text: t\nwait: 10 sec\n", "2:7 e wait: \"10 sec\" is not a duration; write it like \"30s\", \"1h30m\" or \"500ms\"\n" },
		{ "text: t\nat: 1.5\n", "2:5 e at: expected an integer or a string, not a number\n" },
		{ "text: t\nargs: x\n", "2:7 e args: expected a list of strings, not the string \"x\"; write [\"x\"]\n" },
		{ "text: t\nargs: [a, 1]\n", "2:11 e args[1]: expected a string, not an integer; put it in quotes: \"1\"\n" },
		{ "text: t\nlabels: [a]\n", "2:9 e labels: expected a map of strings, not a list; write \"name: ...\" in place of \"- \"\n" },
		{ "text: t\nlabels: {a: true}\n", "2:13 e labels.a: expected a string, not a boolean; put it in quotes: \"true\"\n" },
		{ "text: t\nlabels: {a.b/c: 1}\n", "2:17 e labels[\"a.b/c\"]: expected a string, not an integer; put it in quotes: \"1\"\n" },
		{ "text: t\nleaf: [1]\n", "2:7 e leaf: expected a map, not a list; remove the \"- \"\n" },
		{ "text: t\nnamed: {name: x}\n", "2:8 e named: expected a list, not a map; begin each item with \"- \"\n" },
		{ "text: t\nnamed: [x]\n", "2:9 e named[0]: expected a map, not a string\n" },
		{ "text: t\nsteps: [{name: x}]\n", "2:9 e steps[0]: expected a list, not a map; each item is a list itself: begin it with \"- - \"\n" },
		{ "text: t\nsteps: [[{}]]\n", "2:10 e steps[0][0].name: required, but not given; add \"name\": a string\n" },
		{ "text: t\nnamed: [{name: a, leaves: [{},{},{}]}]\n", "2:27 e named[0].leaves: 3 items: at most 2 are allowed\n" },
		{ "text: t\nbyName: {a: 1}\n", "2:13 e byName.a: expected a map, not an integer\n" },
		{ "text: t\ntxet: t\n", "2:1 e txet: unknown field \"txet\"; did you mean \"text\"?\n" },
		{ "text: t\nargs: []\nArgs: []\n", "3:1 e Args: unknown field \"Args\"; did you mean \"args\"?\n" },
		{ "text: t\ninlinde: x\n", "2:1 e inlinde: unknown field \"inlinde\"; did you mean \"inlined\"?\n" },
		{ "text: t\nleaf:\nport: 1\n", "3:1 e port: unknown field \"port\"; it belongs into \"leaf\": indent it deeper\n" },
		{ "text: t\nleaf:\n  port: 1\n  labels: {}\n", "4:3 e leaf.labels: unknown field \"labels\"; it belongs to the map that begins in line 1: indent it less\n" },
		{ "text: t\nleaf: {quux: 1}\n", "2:8 e leaf.quux: unknown field \"quux\"; known are: port, value, valueFrom\n" },
		{ "text: t\nleaf:\n  value: 1\n  valueFrom: {}\n",
			"4:3 l leaf.valueFrom: not served yet; write the value itself\n4:3 e leaf.valueFrom: \"value\" and \"valueFrom\" exclude each other; remove one of them\n" },
		{ "text: bad\nleaf:\n  port: 1\n", "3:9 e leaf.port: text is bad; make it good\n" },
		{ "text: 5\ncount: x\nquux: 1\nwait: 1\n", "3:1 e quux: unknown field \"quux\"\n1:7 e text: expected a string, not an integer; put it in quotes: \"5\"\n"
			"2:8 e count: expected an integer, not the string \"x\"\n4:7 e wait: \"1\" is not a duration; say the unit: \"1s\"\n" },
		{ "text: t\nlater: {port: x}\n", "2:1 l later: not served yet\n2:15 e later.port: expected an integer, not the string \"x\"\n" },
		{ "text: t\nnumber: 10\n", "2:9 e number: 10 is out of range: must be between 0 and 9\n" },
		{ "text: t\nmust: 10\n", "2:7 e must: expected a string, not an integer; put it in quotes: \"10\"\n" },
		{ "text: t\nleaves: [{port: 0}]\n", "2:1 w leaves: has no effect here; none fall here\n2:17 e leaves[0].port: 0 is out of range: must be between 1 and 65535\n" },
		{ "[1]", "1:1 e : expected a map, not a list\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		decode(rows[i].yaml, -1);
		assert_string_equal(findings(), rows[i].want);
		diags_free(&diags);
		diags_init(&diags);
	}
}

static void
warns_without_refusing(void **state)
{
	(void)state;
	decode("text: odd\nold: x\naffinity: {a: b}\nlater: {port: 5}\n", 0);
	assert_string_equal(findings(), "2:1 w old: deprecated; use \"text\"\n3:1 w affinity: has no effect here; there is one machine\n4:1 l later: not served yet\n"
		"1:1 w absent: text is odd\n");
	assert_int_equal(diags.errors, 0);
	assert_int_equal(diags.later, 1);
	assert_int_equal(diags.warnings, 3);
	diags_free(&diags);
	diags_init(&diags);
	assert_int_equal(decode("text: t\nArgs: [a]\n", 0)->args.n, 1);
	assert_string_equal(findings(), "2:1 w Args: \"Args\" is taken for \"args\"; write it so\n");
	decode("text: new\naffinity:\n", 0); /* null is absent: no warning for it */
	assert_int_equal(diags.warnings, 1);
	assert_int_equal(diags.later, 1);
}

static void
lenient_about_what_nobody_knows(void **state)
{
	static const struct {
		const char *yaml, *want;
		int rc;
	} rows[] = {
		{ "text: t\nquux: 1\n", "2:1 w quux: unknown field \"quux\" does not count\n", 0 },
		{ "text: t\nleaf:\n  port: 1\n  labels: {}\n",
			"4:3 w leaf.labels: unknown field \"labels\" does not count; it belongs to the map that begins in line 1: indent it less\n", 0 },
		{ "text: t\ntxet: t\n", "2:1 e txet: unknown field \"txet\"; did you mean \"text\"?\n", -1 },
		{ "text: t\nleaf:\nport: 1\n", "3:1 e port: unknown field \"port\"; it belongs into \"leaf\": indent it deeper\n", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		diags.lenient = true;
		decode(rows[i].yaml, rows[i].rc);
		assert_string_equal(findings(), rows[i].want);
		diags_free(&diags);
		diags_init(&diags);
	}
}

static void
keeps_what_it_understood(void **state)
{
	(void)state;
	const struct thing *t = decode("text: 5\ncount: x\nnamed: [1, {name: ok}]\nflag: true\n", -1);
	assert_int_equal(t->count, 3);
	assert_true(t->flag);
	assert_int_equal(t->named.n, 2);
	assert_str(t->named.p[1].name, "ok");
	assert_true(t->checked);
}

/* ---- encoding, equality --------------------------------------------------------------------------------------- */

static void
encodes_what_decodes_equal(void **state)
{
	(void)state;
	const char *text = "inlined: i\ntext: t\nmode: slow\nsecret: s\nflag: true\nmaybe: false\ncount: 5\nlimit: 0\nwait: 1m\nat: x\nany: [1]\n"
		"args: [a]\nlabels: {k: v}\ncolor: red\nleaf: {value: v}\npointer: {}\nnamed: [{name: a}]\nsteps: [[{name: b}], []]\nbyName: {one: {port: 1}}\n";
	const struct thing *t = decode(text, 0);
	struct val v = schema_encode(&thing_schema, arena, t, false);
	assert_string_equal(json_write(arena, &v).p,
		"{\"inlined\":\"i\",\"text\":\"t\",\"mode\":\"slow\",\"secret\":\"s\",\"flag\":true,\"maybe\":false,\"count\":5,\"limit\":0,\"wait\":\"1m0s\",\"at\":\"x\","
		"\"any\":[1],\"args\":[\"a\"],\"labels\":{\"k\":\"v\"},\"color\":\"red\",\"leaf\":{\"value\":\"v\"},\"pointer\":{},\"named\":[{\"name\":\"a\"}],"
		"\"steps\":[[{\"name\":\"b\"}],[]],\"byName\":{\"one\":{\"port\":1}}}");
	struct thing back;
	assert_int_equal(schema_decode(&thing_schema, arena, &v, STR_NONE, &back, &diags), 0);
	assert_true(schema_equal(&thing_schema, t, &back));
	v = schema_encode(&thing_schema, arena, t, true);
	assert_str(val_get_str(&v, "secret"), "***");
	static const char *const changes[] = { "text: t", "text: u", "flag: false", "maybe: true", "count: 6", "limit: 1", "wait: 2m", "at: y", "any: [2]",
		"args: [b]", "labels: {k: w}", "color: green", "leaf: {value: w}", "pointer: {port: 1}", "named: [{name: b}]", "steps: [[{name: b}]]",
		"byName: {two: {port: 1}}" };
	for (size_t i = 1; i < ARRAY_LEN(changes); i++) {
		/* the last of two members counts: JSON's reader allows it */
		const struct val *other = val_merge_patch(arena, yaml(text), yaml(changes[i]));
		if (i == 10 || i == 12 || i == 13 || i == 16)
			other = val_set(arena, yaml(text), val_key(&yaml(changes[i])->members[0]), &yaml(changes[i])->members[0].value);
		assert_int_equal(schema_decode(&thing_schema, arena, other, STR_NONE, &back, &diags), 0);
		if (schema_equal(&thing_schema, t, &back))
			fail_msg("equal in spite of %s", changes[i]);
	}
}

/* ---- tables --------------------------------------------------------------------------------------------------- */

static void
count_schema(const struct schema *sc, void *arg)
{
	assert_null(schema_self_test(sc));
	++*(int *)arg;
}

static void
finds_our_own_mistakes(void **state)
{
	(void)state;
	int n = 0;
	schema_each(&thing_schema, count_schema, &n);
	assert_int_equal(n, 4);
	static const struct {
		struct field rows[3];
		const char *want;
	} bad[] = {
		{ { FIELD(struct leaf, port, "port", 0) }, "Bad.port: no doc" },
		{ { FIELD(struct leaf, port, "port", 0, .doc = "d", .dflt = "x") }, "Bad.port: a default that does not decode" },
		{ { FIELD(struct leaf, port, "port", 0, .doc = "d", .dflt = "0", .min = 1) }, "Bad.port: a default that does not decode" },
		{ { FIELD(struct leaf, port, "port", REQ, .doc = "d", .dflt = "5") }, "Bad.port: REQ with a default" },
		{ { FIELD(struct thing, old, "old", 0, .doc = "d") }, "Bad.old: outside of its struct: offsetof of another type?" },
		{ { FIELD(struct leaf, value, "a", 0, .doc = "d"), FIELD(struct leaf, name, "a", 0, .doc = "d") }, "Bad.a: twice" },
		{ { FIELD(struct leaf, value, "a", DEPRECATED, .doc = "d") }, "Bad.a: DEPRECATED without a hint what to write" },
		{ { FIELD(struct leaf, value, "a", NOEFFECT, .doc = "d") }, "Bad.a: NOEFFECT without a hint why" },
		{ { FIELD_AS("a", FIELD_LIST_, 0, .doc = "d") }, "Bad.a: no schema" },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct schema sc = { "Bad", "d", sizeof(struct leaf), bad[i].rows };
		const char *got = schema_self_test(&sc);
		assert_non_null(got);
		assert_string_equal(got, bad[i].want);
	}
}

static void
documents_itself(void **state)
{
	(void)state;
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	schema_doc(&leaf_schema, NULL, f);
	fclose(f);
	assert_string_equal(text, "## Leaf\n\nA small thing.\n\n| field | type | default | here | meaning |\n|---|---|---|---|---|\n"
		"| `port` | integer | `80` | served | Port. From 1 to 65535. |\n| `value` | string |  | served | Value. One of the group \"value\" only. |\n"
		"| `valueFrom` | any |  | refused: not served yet; write the value itself | Where from. One of the group \"value\" only. |\n\n");
	free(text);
	struct val v = schema_json_schema(&thing_schema, arena);
	assert_string_equal(json_write(arena, val_path(&v, "$defs.Leaf.properties.port")).p,
		"{\"type\":\"integer\",\"description\":\"Port.\",\"default\":80,\"minimum\":1,\"maximum\":65535}");
	assert_string_equal(json_write(arena, val_path(&v, "properties.steps.items")).p, "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/Named\"}}");
	assert_string_equal(json_write(arena, val_path(&v, "required")).p, "[\"text\"]");
	assert_non_null(val_path(&v, "properties.inlined"));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = { TEST(decodes_every_kind), TEST(fills_defaults), TEST(formats_anystr_as_go), TEST(says_what_is_wrong),
		TEST(warns_without_refusing), TEST(lenient_about_what_nobody_knows), TEST(keeps_what_it_understood), TEST(encodes_what_decodes_equal), TEST(finds_our_own_mistakes),
		TEST(documents_itself) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
