/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters (events spec 3.8): where a value comes from, what wins, and how it is put into templates, resources and payloads. */
#include "tests/unit/vectors.h"

#include "triggers/apply.h"

static struct arena *a;
static struct event *push, *text, *yaml;

static struct event *
event_of(const char *type, const char *data)
{
	struct event *ev = event_bare();
	ev->id = S("0123456789abcdef0123456789abcdef");
	ev->source = S("hook");
	ev->type = S("webhook");
	ev->subject = S("push");
	ev->content_type = str_c(type);
	ev->time = 1710059400 * NS_PER_SEC;
	ev->data = str_c(data);
	return ev;
}

static int
setup(void **state UNUSED)
{
	a = arena_new();
	push = event_of("application/json", "{\"s\":\"text\",\"e\":\"\",\"i\":12345678901234567,\"f\":1.50,\"x\":1e3,\"n\":1234567890,\"t\":true,\"nul\":null,"
	                "\"o\":{\"b\": 1, \"a\":[1, 2]},\"l\":[\"a\",\"b\"],\"m\":[{\"k\":\"x\",\"v\":1},{\"k\":\"y\",\"v\":2}],\"q\":\"say \\\"hi\\\"\\n\"}");
	text = event_of("text/plain", "not json");
	yaml = event_of("application/yaml", "a: 5\nb: [x, y]\n");
	return 0;
}

static int
teardown(void **state UNUSED)
{
	event_unref(push);
	event_unref(text);
	event_unref(yaml);
	arena_free(a);
	return 0;
}

static struct inputs
inputs(void)
{
	static const str names[] = { { "push", 4 }, { "text", 4 }, { "yaml", 4 } };
	struct event **events = ARENA_ARRAY(a, struct event *, 3);
	events[0] = push;
	events[1] = text;
	events[2] = yaml;
	return (struct inputs){ .dependencies = names, .events = events, .n = 3, .now_ns = 1710059400 * NS_PER_SEC };
}

/* NULL: not given. want NULL: nothing, if `why` is NULL too; else the error has `why` in it. */
struct source_case {
	const char *dependency, *data_key, *data_template, *context_key, *context_template, *value;
	bool raw;
	const char *want, *why;
};

static str
given(const char *z)
{
	return z ? str_c(z) : STR_NONE;
}

static struct parameter_source
source_of(const struct source_case *c)
{
	return (struct parameter_source){ .dependency = str_c(c->dependency), .data_key = given(c->data_key), .data_template = given(c->data_template),
		.context_key = given(c->context_key), .context_template = given(c->context_template), .value = given(c->value), .use_raw = c->raw };
}

static void
check_source(const struct source_case *c, size_t i)
{
	struct parameter_source s = source_of(c);
	struct inputs in = inputs();
	struct resolved r;
	struct err e = { 0 };
	int rc = parameter_resolve(&s, &in, a, &r, &e);
	if (c->why) {
		if (rc == 0 || !strstr(e.msg, c->why))
			fail_msg("case %zu: %s", i, rc == 0 ? "resolved" : e.msg);
		return;
	}
	if (rc < 0)
		fail_msg("case %zu: %s", i, e.msg);
	if (!c->want != (r.kind == RESOLVED_NOTHING))
		fail_msg("case %zu: kind %d", i, (int)r.kind);
	/* "json:" before what keeps its type */
	bool json = c->want && strncmp(c->want, "json:", 5) == 0;
	if (c->want && (!str_eq(r.text, str_c(c->want + (json ? 5 : 0))) || json != (r.kind == RESOLVED_JSON)))
		fail_msg("case %zu: %.*s, kind %d", i, STR_ARG(r.text), (int)r.kind);
}

static void
where_values_come_from(void **state UNUSED)
{
	static const struct source_case cases[] = {
		/* keys of the data: everything becomes text */
		{ "push", .data_key = "s", .want = "text" },
		{ "push", .data_key = "e", .want = "" },
		{ "push", .data_key = "i", .want = "12345678901234567" },
		{ "push", .data_key = "f", .want = "1.5" },
		{ "push", .data_key = "x", .want = "1000" },
		{ "push", .data_key = "n", .want = "1234567890" },
		{ "push", .data_key = "t", .want = "true" },
		{ "push", .data_key = "nul", .want = "null" },
		{ "push", .data_key = "o", .want = "{\"b\": 1, \"a\":[1, 2]}" },
		{ "push", .data_key = "l", .want = "[\"a\",\"b\"]" },
		{ "push", .data_key = "l.1", .want = "b" },
		{ "push", .data_key = "l.#", .want = "2" },
		{ "push", .data_key = "m.#(k==\"y\").v", .want = "2" },
		{ "push", .data_key = "m.#.k", .want = "[\"x\",\"y\"]" },
		{ "push", .data_key = "l|@reverse|0", .want = "b" },
		{ "push", .data_key = "q", .want = "say \"hi\"\n" },
		/* raw: what is no text keeps its type */
		{ "push", .data_key = "s", .raw = true, .want = "text" },
		{ "push", .data_key = "n", .raw = true, .want = "json:1234567890" },
		{ "push", .data_key = "i", .raw = true, .want = "json:12345678901234567" },
		{ "push", .data_key = "t", .raw = true, .want = "json:true" },
		{ "push", .data_key = "nul", .raw = true, .want = "json:null" },
		{ "push", .data_key = "o", .raw = true, .want = "json:{\"b\": 1, \"a\":[1, 2]}" },
		{ "push", .data_key = "m.#.v", .raw = true, .want = "json:[1,2]" },
		{ "push", .data_template = "{{ .Input.n }}", .raw = true, .want = "1.23456789e+09" },
		{ "push", .data_key = "none", .value = "5", .raw = true, .want = "5" },
		/* templates: numbers are float64; a missing part inside of a text stays */
		{ "push", .data_template = "{{ .Input.n }}", .want = "1.23456789e+09" },
		{ "push", .data_template = "{{ .Input.n | int64 }}", .want = "1234567890" },
		{ "push", .data_template = "{{ .Input.s | upper }}-{{ index .Input.l 0 }}", .want = "TEXT-a" },
		{ "push", .data_template = "x {{ .Input.none }}", .want = "x <no value>" },
		{ "push", .data_template = "{{ range .Input.m }}{{ .k }}={{ .v }};{{ end }}", .want = "x=1;y=2;" },
		{ "push", .data_template = "{{ now | date \"2006-01-02\" }}", .want = "2024-03-10" },
		/* a template before the key, which is what is left if the template has nothing; then the value */
		{ "push", .data_key = "s", .data_template = "{{ .Input.t }}", .want = "true" },
		{ "push", .data_key = "s", .data_template = "{{ .Input.none }}", .want = "text" },
		{ "push", .data_key = "s", .data_template = "{{ .Input.e }}", .want = "text" },
		{ "push", .data_key = "s", .data_template = "{{ fail \"no\" }}", .want = "text" },
		{ "push", .data_key = "s", .data_template = "{{ nope }}", .want = "text" },
		{ "push", .data_key = "none", .data_template = "{{ .Input.none }}", .value = "v", .want = "v" },
		{ "push", .data_template = "{{ .Input.none }}", .value = "v", .want = "v" },
		{ "push", .data_key = "none", .value = "", .want = "" },
		{ "push", .data_key = "s", .value = "v", .want = "text" },
		{ "push", .data_key = "none", .why = "key none does not exist in the event" },
		{ "push", .data_template = "{{ .Input.none }}", .why = "cannot resolve a parameter from dependency push" },
		/* the context */
		{ "push", .context_key = "id", .want = "0123456789abcdef0123456789abcdef" },
		{ "push", .context_key = "source", .want = "hook" },
		{ "push", .context_key = "subject", .want = "push" },
		{ "push", .context_key = "type", .want = "webhook" },
		{ "push", .context_key = "specversion", .want = "1.0" },
		{ "push", .context_key = "datacontenttype", .want = "application/json" },
		{ "push", .context_key = "time", .want = "2024-03-10T08:30:00Z" },
		{ "push", .context_template = "{{ .Input.source }}/{{ .Input.subject }}", .want = "hook/push" },
		{ "push", .context_key = "source", .context_template = "{{ .Input.none }}", .want = "hook" },
		{ "push", .context_key = "none", .value = "v", .want = "v" },
		{ "push", .context_key = "none", .why = "key none does not exist" },
		/* data before context, whatever of it comes to something */
		{ "push", .data_key = "s", .context_key = "id", .want = "text" },
		{ "push", .data_template = "{{ .Input.s }}!", .context_template = "{{ .Input.id }}", .want = "text!" },
		{ "push", .data_key = "s", .context_template = "{{ .Input.id }}", .want = "text" },
		{ "push", .data_key = "none", .context_key = "id", .why = "key none does not exist" },
		{ "push", .data_key = "none", .context_key = "id", .value = "v", .want = "v" },
		/* neither key nor template: the value, else the whole event with its data in base64 */
		{ "push", .value = "v", .want = "v" },
		{ "push", .value = "", .want = "" },
		{ "text", .want = "{\"context\":{\"id\":\"0123456789abcdef0123456789abcdef\",\"source\":\"hook\",\"specversion\":\"1.0\",\"type\":\"webhook\","
		                  "\"datacontenttype\":\"text/plain\",\"subject\":\"push\",\"time\":\"2024-03-10T08:30:00Z\"},\"data\":\"bm90IGpzb24=\"}" },
		/* a dependency that brought nothing */
		{ "absent", .value = "v", .want = "v" },
		{ "absent", .data_key = "s", .value = "v", .want = "v" },
		{ "absent", .data_key = "s" },
		{ "absent" },
		/* other content types */
		{ "text", .data_key = "s", .why = "content type is text/plain" },
		{ "text", .data_key = "s", .value = "v", .want = "v" },
		{ "text", .context_key = "datacontenttype", .want = "text/plain" },
		{ "yaml", .data_key = "a", .want = "5" },
		{ "yaml", .data_key = "b.1", .want = "y" },
		{ "yaml", .data_key = "a", .raw = true, .want = "json:5" },
		{ "yaml", .data_template = "{{ join \"+\" .Input.b }}", .want = "x+y" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_source(&cases[i], i);
}

struct put_case {
	const char *object, *dest, *operation, *key;
	bool raw;
	const char *want; /* beginning with "error": an error */
};

static void
check_put(const struct put_case *c, size_t i)
{
	struct source_case from = { "push", .data_key = c->key, .raw = c->raw };
	struct parameter_source s = source_of(&from);
	struct trigger_parameter p = { .dest = str_c(c->dest), .operation = c->operation ? str_c(c->operation) : S(""), .source = &s };
	struct inputs in = inputs();
	struct val object, want;
	struct err e = { 0 };
	assert_int_equal(json_read(a, str_c(c->object), &object, &e), 0);
	const struct val *got = parameters_apply(&p, 1, &object, &in, a, &e);
	if (strncmp(c->want, "error", 5) == 0) {
		if (got)
			fail_msg("case %zu: %.*s", i, STR_ARG(json_write(a, got)));
		return;
	}
	assert_int_equal(json_read(a, str_c(c->want), &want, &e), 0);
	if (!got || !val_eq(got, &want))
		fail_msg("case %zu: %.*s", i, STR_ARG(got ? json_write(a, got) : str_c(e.msg)));
}

static void
where_they_go(void **state UNUSED)
{
	static const struct put_case cases[] = {
		/* overwrite, under both its names */
		{ "{\"a\":1}", "a", NULL, "s", .want = "{\"a\":\"text\"}" },
		{ "{\"a\":1}", "a", "overwrite", "s", .want = "{\"a\":\"text\"}" },
		{ "{\"a\":1}", "b.c", NULL, "n", .want = "{\"a\":1,\"b\":{\"c\":\"1234567890\"}}" },
		{ "{\"a\":1}", "a", NULL, "n", .raw = true, .want = "{\"a\":1234567890}" },
		{ "{\"a\":1}", "a", NULL, "o", .raw = true, .want = "{\"a\":{\"b\":1,\"a\":[1,2]}}" },
		{ "{\"a\":1}", "a", NULL, "o", .want = "{\"a\":\"{\\\"b\\\": 1, \\\"a\\\":[1, 2]}\"}" },
		{ "{\"a\":1}", "a", NULL, "nul", .raw = true, .want = "{\"a\":null}" },
		/* append and prepend: text, whatever was there */
		{ "{\"a\":\"x-\"}", "a", "append", "s", .want = "{\"a\":\"x-text\"}" },
		{ "{\"a\":\"-x\"}", "a", "prepend", "s", .want = "{\"a\":\"text-x\"}" },
		{ "{\"a\":7}", "a", "append", "n", .raw = true, .want = "{\"a\":\"71234567890\"}" },
		{ "{\"a\":1.50}", "a", "prepend", "s", .want = "{\"a\":\"text1.5\"}" },
		{ "{\"a\":true}", "a", "append", "s", .want = "{\"a\":\"truetext\"}" },
		{ "{\"a\":null}", "a", "append", "s", .want = "{\"a\":\"text\"}" },
		{ "{\"a\":{\"b\":1}}", "a", "append", "s", .want = "{\"a\":\"{\\\"b\\\":1}text\"}" },
		{ "{\"a\":[1]}", "a", "prepend", "s", .want = "{\"a\":\"text[1]\"}" },
		{ "{}", "a", "append", "s", .want = "{\"a\":\"text\"}" },
		{ "{}", "a", "prepend", "n", .raw = true, .want = "{\"a\":1234567890}" },
		{ "{\"l\":[\"x\"]}", "l.0", "append", "s", .want = "{\"l\":[\"xtext\"]}" },
		/* lists */
		{ "{\"l\":[1,2]}", "l.0", NULL, "s", .want = "{\"l\":[\"text\",2]}" },
		{ "{\"l\":[1,2]}", "l.-1", NULL, "s", .want = "{\"l\":[1,2,\"text\"]}" },
		{ "{\"l\":[1]}", "l.3", NULL, "s", .want = "{\"l\":[1,null,null,\"text\"]}" },
		{ "{}", "l.0", NULL, "s", .want = "{\"l\":[\"text\"]}" },
		{ "{}", "l.-1", NULL, "s", .want = "{\"l\":[\"text\"]}" },
		{ "{}", "o.:0", NULL, "s", .want = "{\"o\":{\"0\":\"text\"}}" },
		{ "{}", "a\\.b", NULL, "s", .want = "{\"a.b\":\"text\"}" },
		{ "{\"p\":[{\"name\":\"x\"},{\"name\":\"m\",\"value\":\"old\"}]}", "p.#(name==\"m\").value", NULL, "s",
		  .want = "{\"p\":[{\"name\":\"x\"},{\"name\":\"m\",\"value\":\"text\"}]}" },
		{ "{\"p\":[{\"name\":\"x\"}]}", "p.#(name==\"m\").value", NULL, "s", .want = "{\"p\":[{\"name\":\"x\"}]}" },
		{ "{\"p\":[{\"v\":1},{\"v\":2}]}", "p.#.v", NULL, "s", .want = "{\"p\":[{\"v\":\"text\"},{\"v\":\"text\"}]}" },
		{ "{\"a\":\"scalar\"}", "a.b", NULL, "s", .want = "{\"a\":{\"b\":\"text\"}}" },
		/* what cannot be */
		{ "{}", "a", NULL, "none", .want = "error" },
		{ "{}", "l.99999999", NULL, "s", .want = "error" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_put(&cases[i], i);
}

static struct trigger_parameter
from(const char *dependency, const char *key, const char *dest, bool raw)
{
	struct parameter_source *s = ARENA_NEW(a, struct parameter_source);
	*s = (struct parameter_source){ .dependency = str_c(dependency), .data_key = str_c(key), .use_raw = raw };
	return (struct trigger_parameter){ .dest = str_c(dest), .operation = S(""), .source = s };
}

/* One sees what the one before it did; one that comes to nothing leaves all as it is. */
static void
parameters_apply_in_order(void **state UNUSED)
{
	struct trigger_parameter p[] = { from("push", "s", "a", false), from("push", "l.0", "a", false), from("absent", "s", "gone", false),
		from("push", "n", "l.-1", true), from("push", "s", "l.-1", false) };
	struct inputs in = inputs();
	struct val object = { .kind = VAL_MAP };
	struct err e;
	p[1].operation = S("append");
	const struct val *got = parameters_apply(p, ARRAY_LEN(p), &object, &in, a, &e);
	assert_non_null(got);
	assert_true(str_eq(json_write(a, got), S("{\"a\":\"texta\",\"l\":[1234567890,\"text\"]}")));
	p[3].source = from("push", "none", "", false).source;
	assert_null(parameters_apply(p, ARRAY_LEN(p), &object, &in, a, &e));
	assert_non_null(strstr(e.msg, "parameter 3 (dest l.-1)"));
}

static str
payload(const struct trigger_parameter *p, size_t n)
{
	struct inputs in = inputs();
	struct err e;
	str out;
	return payload_build(p, n, &in, a, &out, &e) < 0 ? str_c(arena_fmt(a, "error: %s", e.msg).p) : out;
}

static void
payloads(void **state UNUSED)
{
	struct trigger_parameter some[] = { from("push", "s", "a.b", false), from("push", "o", "o", true), from("absent", "s", "x", false) };
	assert_true(str_eq(payload(some, 3), S("{\"a\":{\"b\":\"text\"},\"o\":{\"b\":1,\"a\":[1,2]}}")));
	some[1].operation = S("append"); /* is not looked at here */
	some[1].dest = S("a.b");
	assert_true(str_eq(payload(some, 2), S("{\"a\":{\"b\":{\"b\":1,\"a\":[1,2]}}}")));
	/* the first place may make a list of it */
	struct trigger_parameter list[] = { from("push", "s", "0", false), from("push", "n", "-1", true) };
	assert_true(str_eq(payload(list, 2), S("[\"text\",1234567890]")));
	/* without a place it is the whole, whatever came before or comes after */
	struct trigger_parameter whole[] = { from("push", "s", "a", false), from("absent", "s", "", false), from("push", "o", "", false),
		from("push", "s", "b", false) };
	assert_true(str_eq(payload(whole, 4), S("{\"b\": 1, \"a\":[1, 2]}")));
	/* nothing at all */
	assert_null(payload(NULL, 0).p);
	assert_null(payload(&whole[1], 1).p);
	struct trigger_parameter wrong[] = { from("push", "none", "a", false) };
	assert_true(str_starts(payload(wrong, 1), S("error: payload 0 (dest a): cannot resolve")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(where_values_come_from), cmocka_unit_test(where_they_go),
		cmocka_unit_test(parameters_apply_in_order), cmocka_unit_test(payloads) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
