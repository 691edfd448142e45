/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

static struct arena *arena;
static struct diags diags;
static char folder[64];

/* A kind of our own besides the real ones, with a check across objects. */
struct widget_spec {
	str text, config;
};
struct widget {
	struct meta meta;
	struct widget_spec spec;
};
static void
resolve_widget(const struct object *o, const struct objects *set, struct diags *d)
{
	const struct widget *w = o->spec;
	if (!w->spec.config.n || objects_find_named(set, "ConfigMap", o->ns, w->spec.config))
		return;
	struct diag *x = diag_add(d, DIAG_ERROR, val_path(o->manifest, "spec.config"), S("spec.config"), "no such ConfigMap");
	const char *near = objects_nearest(set, "ConfigMap", o->ns, w->spec.config);
	if (near)
		diag_hint(d, x, "did you mean \"%s\"?", near);
}
static const struct schema widget_spec_schema = { "WidgetSpec", "d", sizeof(struct widget_spec), (const struct field[]){
	FIELD(struct widget_spec, text, "text", ANYSTR, .doc = "d"),
	FIELD(struct widget_spec, config, "config", 0, .doc = "d"),
	{ 0 } } };
static const struct schema widget_schema = { "Widget", "d", sizeof(struct widget), (const struct field[]){
	FIELD_AS("apiVersion", FIELD_STR, REQ, .doc = "d"),
	FIELD_AS("kind", FIELD_STR, REQ, .doc = "d"),
	FIELD_OBJ(struct widget, meta, "metadata", REQ, &meta_schema, .doc = "d"),
	FIELD_OBJ(struct widget, spec, "spec", 0, &widget_spec_schema, .doc = "d"),
	FIELD_NONE("status", STATUS, .doc = "d"),
	{ 0 } } };
static const struct kind kind_widget = { .name = "Widget", .plural = "widgets", .short_names = (const char *const[]){ "w", NULL }, .api = "v1",
	.schema = &widget_schema, .name_max = 20, .resolve = resolve_widget };
static const struct kind kind_run = { .name = "Run", .plural = "runs", .api = "v1", .schema = &widget_schema, .name_max = 20, .instance = true };
static const struct kind *const kinds[] = { &kind_configmap, &kind_secret, &kind_eventbus, &kind_widget, &kind_run };
#define KINDS kinds, ARRAY_LEN(kinds)

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	diags_init(&diags);
	strncpy(folder, "/tmp/tidegate-test-XXXXXX", sizeof folder);
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static int
tear_down(void **state)
{
	(void)state;
	diags_free(&diags);
	arena_free(arena);
	return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *
put_file(const char *name, const char *text)
{
	const char *path = arena_fmt(arena, "%s/%s", folder, name).p;
	char *slash = strrchr(name, '/');
	if (slash)
		mkdir(arena_fmt(arena, "%s/%.*s", folder, (int)(slash - name), name).p, 0700);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

/* Findings without the folder: "file:line:col level path: text; hint [other]", a line each. */
static const char *
findings(void)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < diags.v.n; i++) {
		const struct diag *d = &diags.v.p[i];
		str file = str_starts(d->file, str_c(folder)) ? str_slice(d->file, strlen(folder) + 1, d->file.n) : d->file;
		buf_addf(&b, "%.*s:%u:%u %c %.*s: %.*s%s%.*s", STR_ARG(file), d->line, d->col, "nwle"[d->level], STR_ARG(d->path), STR_ARG(d->text), d->hint.n ? "; " : "",
			STR_ARG(d->hint));
		buf_addf(&b, d->other_line ? " [%u:%u]\n" : "\n", d->other_line, d->other_col);
	}
	const char *text = arena_dup(arena, buf_str(&b)).p;
	buf_free(&b);
	diags_free(&diags);
	diags_init(&diags);
	return text;
}

static struct object *
decode(const char *yaml)
{
	struct val *docs;
	size_t n;
	assert_int_equal(yaml_read_all(arena, S("t"), str_c(yaml), NULL, &docs, &n, &diags), 0);
	assert_int_equal(n, 1);
	return object_decode(KINDS, docs, S("t"), S("default"), &diags);
}

#define WIDGET(meta) "apiVersion: v1\nkind: Widget\nmetadata: {" meta "}\n"

static void
decodes_documents(void **state)
{
	(void)state;
	struct object *o = decode(WIDGET("name: a.b-c, namespace: ns, labels: {k: \"1\"}") "spec: {text: 1.50}\n");
	assert_non_null(o);
	assert_ptr_equal(o->kind, &kind_widget);
	assert_true(str_eq(o->name, S("a.b-c")) && str_eq(o->ns, S("ns")) && str_eq(o->file, S("t")));
	assert_true(str_eq(((const struct widget *)o->spec)->spec.text, S("1.5")));
	/* the manifest has the types of the table */
	assert_string_equal(json_write(arena, val_get(o->manifest, S("spec"))).p, "{\"text\":\"1.5\"}");
	object_unref(object_ref(o));
	object_unref(o);
	o = decode(WIDGET("name: x"));
	assert_true(str_eq(o->ns, S("default")));
	object_unref(o);
	assert_string_equal(findings(), "");
}

static void
says_what_is_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *want;
	} rows[] = {
		{ "apiVersion: v1\nkind: Widgett\n", "t:2:7 w kind: unknown kind \"Widgett\": skipped; did you mean \"Widget\"?\n" },
		{ "apiVersion: apps/v1\nkind: Deployment\n", "t:2:7 w kind: unknown kind \"Deployment\": skipped\n" },
		{ "a: 1\n", "t:1:1 w : no Kubernetes object (neither apiVersion nor kind): skipped\n" },
		{ "- a\n", "t:1:1 e : expected an object with apiVersion, kind and metadata, not a list\n" },
		{ "apiVersion: v1\n", "t:1:1 e kind: required, but not given; add \"kind\": for example \"kind: Workflow\"\n" },
		{ "apiVersion: v2\nkind: Widget\nmetadata: {name: x}\n", "t:1:13 e apiVersion: wrong version for a Widget; write \"apiVersion: v1\"\n" },
		{ WIDGET("name: My_Widget"), "t:3:18 e metadata.name: \"My_Widget\" is not a name: lower case letters, digits, '-' and '.' only, a letter or digit at both ends; "
			"for example \"my-widget\"\n" },
		{ WIDGET("name: -a"), "t:3:18 e metadata.name: \"-a\" is not a name: lower case letters, digits, '-' and '.' only, a letter or digit at both ends; for example \"a\"\n" },
		{ WIDGET("name: a..b"), "t:3:18 e metadata.name: \"a..b\" is not a name: lower case letters, digits, '-' and '.' only, a letter or digit at both ends\n" },
		{ WIDGET("name: a12345678901234567890"), "t:3:18 e metadata.name: 21 characters long: at most 20 are allowed\n" },
		{ WIDGET("name: 5"), "t:3:18 e metadata.name: expected a string, not an integer; put it in quotes: \"5\"\n" },
		{ WIDGET("labels: {a: b}"), "t:3:11 e metadata.name: required, but not given; add \"name\" or \"generateName\"\n" },
		{ WIDGET("name: x, namespace: A"), "t:3:32 e metadata.namespace: \"A\" is not a name\n" },
		{ WIDGET("name: x") "spec: {txt: 1}\n", "t:4:8 e spec.txt: unknown field \"txt\"; did you mean \"text\"?\n" },
		{ "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: \"*\"}\n", "t:4:11 e data.a: not base64: unexpected character at offset 0; write plain text under \"stringData\"\n" },
		{ "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {\"a b\": x}\n", "t:4:8 e data.a b: \"a b\" is not a key: letters, digits, '-', '_' and '.' only\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_null(decode(rows[i].yaml));
		assert_string_equal(findings(), rows[i].want);
	}
	struct object *o = decode(WIDGET("generateName: x-"));
	assert_non_null(o);
	assert_string_equal(findings(), "t:3:26 w metadata.generateName: nothing can refer to a Widget without a name: it is kept only where it is created through the API, which makes one up; add \"name\"\n");
	object_unref(o);
	o = decode("apiVersion: v1\nkind: Run\nmetadata: {generateName: x-}\n");
	assert_string_equal(findings(), "");
	object_unref(o);
}

static void
keeps_the_set_sorted(void **state)
{
	(void)state;
	struct objects *os = objects_new(KINDS);
	static const char *const names[] = { "gamma", "alpha", "beta" };
	for (size_t i = 0; i < 3; i++) {
		struct object *o = decode(arena_fmt(arena, WIDGET("name: %s"), names[i]).p);
		assert_true(objects_put(os, o));
		assert_false(objects_put(os, o));
		object_unref(o);
		o = decode(arena_fmt(arena, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n", names[i]).p);
		assert_true(objects_put(os, o));
		object_unref(o);
	}
	size_t i = 0;
	struct buf b = { 0 };
	for (struct object *o; (o = objects_next(os, objects_kind(os, S("w")), &i));)
		buf_add(&b, o->name);
	assert_string_equal(b.p, "alphabetagamma");
	for (i = 0; objects_next(os, NULL, &i);)
		;
	assert_int_equal(i, 6);
	struct object *again = decode(WIDGET("name: beta"));
	assert_false(objects_put(os, again)); /* equal */
	object_unref(again);
	again = decode(WIDGET("name: beta") "spec: {text: new}\nstatus: {}\n");
	assert_true(objects_put(os, again));
	assert_int_equal(again->revision, 2);
	object_unref(again);
	again = decode(WIDGET("name: beta") "spec: {text: new}\nstatus: {other: 1}\n");
	assert_false(objects_put(os, again));
	object_unref(again);
	assert_non_null(objects_find_named(os, "Widget", S("default"), S("beta")));
	assert_null(objects_find_named(os, "Widget", S("other"), S("beta")));
	assert_string_equal(objects_nearest(os, "ConfigMap", S("default"), S("apha")), "alpha");
	assert_true(objects_del(os, &kind_widget, S("default"), S("beta")));
	assert_false(objects_del(os, &kind_widget, S("default"), S("beta")));
	assert_ptr_equal(objects_kind(os, S("widget")), &kind_widget);
	assert_ptr_equal(objects_kind(os, S("cm")), &kind_configmap);
	assert_null(objects_kind(os, S("nope")));
	buf_free(&b);
	objects_free(os);
}

static void
reads_files_and_folders(void **state)
{
	(void)state;
	put_file("a.yaml", WIDGET("name: one") "---\n" WIDGET("name: two"));
	put_file("b.json", "{\"apiVersion\":\"v1\",\"kind\":\"WidgetList\",\"items\":[{\"apiVersion\":\"v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"three\"}}]}");
	put_file("sub/c.yml", WIDGET("name: four") "spec: {config: settigns}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n");
	put_file("sub/notes.txt", "no manifest: [");
	put_file(".hidden.yaml", "bad: [");
	put_file("z.yaml", WIDGET("name: one") "---\nbad: [\n");
	struct objects *none = objects_new(KINDS);
	struct manifest_set m;
	const char *paths[] = { folder };
	assert_int_equal(manifests_read(KINDS, paths, 1, S("default"), none, &m, &diags), -1);
	assert_int_equal(m.files, 4);
	assert_int_equal(m.objects.n, 6);
	assert_string_equal(findings(), "z.yaml:6:1 e : expected a value; is a bracket or brace above not closed?\n"
		"z.yaml:3:18 e metadata.name: a second Widget \"one\"; rename or remove one of them [3:18]\n"
		"sub/c.yml:4:16 e spec.config: no such ConfigMap; did you mean \"settings\"?\n");
	manifest_set_free(&m);
	paths[0] = "/nowhere/at/all";
	assert_int_equal(manifests_read(KINDS, paths, 1, S("default"), NULL, &m, &diags), -1);
	assert_string_equal(findings(), "/nowhere/at/all:0:0 e : cannot be read: No such file or directory\n");
	mkdir(arena_fmt(arena, "%s/empty", folder).p, 0700);
	paths[0] = arena_fmt(arena, "%s/empty", folder).p;
	assert_int_equal(manifests_read(KINDS, paths, 1, S("default"), NULL, &m, &diags), 0);
	assert_string_equal(findings(), "empty:0:0 w : no manifests (*.yaml, *.yml, *.json) in it\n");
	manifest_set_free(&m);
	objects_free(none);
}

static void
applies_files(void **state)
{
	(void)state;
	struct objects *os = objects_new(KINDS);
	struct object *api = decode(WIDGET("name: api"));
	api->file = STR_NONE;
	objects_put(os, api);
	object_unref(api);
	const char *path = put_file("a.yaml", WIDGET("name: one") "---\n" WIDGET("name: two") "---\napiVersion: v1\nkind: Run\nmetadata: {name: r}\n");
	struct manifest_set m;
	assert_int_equal(manifests_read(KINDS, &path, 1, S("default"), os, &m, &diags), 0);
	assert_int_equal(objects_apply_files(os, &m), 2);
	assert_int_equal(objects_apply_files(os, &m), 0);
	manifest_set_free(&m);
	put_file("a.yaml", WIDGET("name: two") "spec: {text: x}\n---\n" WIDGET("name: three"));
	assert_int_equal(manifests_read(KINDS, &path, 1, S("default"), os, &m, &diags), 0);
	assert_int_equal(objects_apply_files(os, &m), 3); /* one gone, one changed, one new */
	manifest_set_free(&m);
	assert_null(objects_find_named(os, "Widget", S("default"), S("one")));
	assert_int_equal(objects_find_named(os, "Widget", S("default"), S("two"))->revision, 2);
	assert_non_null(objects_find_named(os, "Widget", S("default"), S("api")));
	assert_null(objects_find_named(os, "Run", S("default"), S("r")));
	objects_free(os);
}

static void
finds_keys(void **state)
{
	(void)state;
	struct objects *os = objects_new(KINDS);
	struct object *o = decode("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aGVsbG8K, b: eA==}\nstringData: {b: plain}\n");
	assert_non_null(o);
	objects_put(os, o);
	object_unref(o);
	o = decode("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: text}\nbinaryData: {b: AAE=}\n");
	objects_put(os, o);
	object_unref(o);
	str v;
	struct err e;
	assert_int_equal(secret_key(os, S("default"), S("s"), S("a"), &v, &e), 0);
	assert_string_equal(v.p, "hello\n");
	assert_int_equal(secret_key(os, S("default"), S("s"), S("b"), &v, &e), 0);
	assert_string_equal(v.p, "plain");
	assert_int_equal(config_map_key(os, S("default"), S("c"), S("b"), &v, &e), 0);
	assert_int_equal(v.n, 2);
	assert_int_equal(config_map_key(os, S("default"), S("c"), S("x"), &v, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "ConfigMap \"c\" has no key \"x\"");
	assert_int_equal(secret_key(os, S("other"), S("s"), S("a"), &v, &e), -1);
	assert_string_equal(e.msg, "Secret \"s\" not found in namespace \"other\"");
	objects_free(os);
}

#define BUS(spec) "apiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: {name: default}\nspec:\n" spec

static void
reads_bus_limits(void **state)
{
	(void)state;
	static const struct {
		const char *yaml;
		int64_t age_h, events, bytes, dedup_s;
	} rows[] = {
		{ BUS("  jetstream: {version: latest}\n"), 168, 0, 0, 0 },
		{ BUS("  jetstream: {version: \"2\", streamConfig: \"maxMsgs: 5\\nmaxAge: 2h\\nmaxBytes: -1\\nduplicates: 300s\\n\"}\n"), 2, 5, 0, 300 },
		{ BUS("  nats: {native: {}}\n"), 72, 1000000, 1 << 30, 0 },
		{ BUS("  nats: {native: {maxAge: 1h, maxMsgs: 7, maxBytes: 2MB}}\n"), 1, 7, 2 << 20, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct object *o = decode(rows[i].yaml);
		assert_string_equal(findings(), "");
		const struct event_bus *b = o->spec;
		assert_int_equal(b->max_age_ns, rows[i].age_h * 3600 * NS_PER_SEC);
		assert_int_equal(b->max_events, rows[i].events);
		assert_int_equal(b->max_bytes, rows[i].bytes);
		assert_int_equal(b->dedup_ns, rows[i].dedup_s * NS_PER_SEC);
		object_unref(o);
	}
	static const char *const bad[][2] = {
		{ BUS("  {}\n"), "t:5:3 e spec: no bus; add jetstream, nats, jetstreamExotic or kafka\n" },
		{ BUS("  nats: {}\n"), "t:5:9 e spec.nats: neither native nor exotic; write \"native: {}\" for the built-in log\n" },
		{ BUS("  jetstream: {version: x, replicas: 2}\n"), "t:5:27 w spec.jetstream.replicas: has no effect here; there is one log, in the state directory\n"
			"t:5:37 e spec.jetstream.replicas: 2 replicas can't elect a leader; write 1, or 3 and more\n" },
		{ BUS("  jetstream: {}\n"), "t:5:14 e spec.jetstream.version: required, but not given; add \"version\": a string\n" },
		{ BUS("  jetstream:\n    version: x\n    streamConfig: |\n      maxAge: long\n"),
			"t:7:19 e spec.jetstream.streamConfig: line 1: maxAge: \"long\" is not a duration; write it like \"30s\", \"1h30m\" or \"500ms\"\n" },
		{ BUS("  nats: {native: {maxBytes: 1XB}}\n"), "t:5:29 e spec.nats.native.maxBytes: not a size; write it like \"1GB\"\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(decode(bad[i][0]));
		assert_string_equal(findings(), bad[i][1]);
	}
	struct object *o = decode(BUS("  kafka: {url: \"localhost:9092\"}\n"));
	assert_string_equal(findings(), "t:5:3 l spec.kafka: not served yet; use \"jetstream\", the built-in log\n");
	object_unref(o);
}

static void
waits_as_backoff_says(void **state)
{
	(void)state;
	struct backoff b;
	struct val *docs;
	size_t n;
	assert_int_equal(yaml_read_all(arena, S("t"), S("{duration: 2s, factor: \"1.5\", jitter: 0.5, steps: 3}"), NULL, &docs, &n, &diags), 0);
	assert_int_equal(schema_decode(&backoff_schema, arena, docs, STR_NONE, &b, &diags), 0);
	assert_int_equal(backoff_wait_ns(&b, 1, 0), 2 * NS_PER_SEC);
	assert_int_equal(backoff_wait_ns(&b, 2, 0), 3 * NS_PER_SEC);
	assert_int_equal(backoff_wait_ns(&b, 1, 0.5), 2500 * NS_PER_MS);
	assert_true(backoff_wait_ns(&b, 10000, 0) == INT64_MAX);
	assert_int_equal(backoff_steps(&b), 3);
	assert_int_equal(yaml_read_all(arena, S("t"), S("{duration: 1000000000}"), NULL, &docs, &n, &diags), 0);
	assert_int_equal(schema_decode(&backoff_schema, arena, docs, STR_NONE, &b, &diags), 0);
	assert_int_equal(backoff_wait_ns(&b, 3, 0), NS_PER_SEC);
	assert_int_equal(backoff_steps(&b), 5);
	assert_int_equal(yaml_read_all(arena, S("t"), S("{duration: soon, factor: x}"), NULL, &docs, &n, &diags), 0);
	assert_int_equal(schema_decode(&backoff_schema, arena, docs, STR_NONE, &b, &diags), -1);
	assert_int_equal(diags.errors, 2);
}

static void
reads_settings(void **state)
{
	(void)state;
	struct settings s;
	assert_int_equal(settings_read(NULL, arena, &s, &diags), 0);
	assert_string_equal(s.listen.p, "127.0.0.1:2746");
	assert_string_equal(s.auth.p, "token");
	assert_string_equal(s.namespace_.p, "default");
	assert_int_equal(s.sandbox, SANDBOX_AUTO);
	const char *path = put_file("s.yaml", "listen: \":80\"\nsandbox: require\nhostPaths: [/data]\nimages:\n- name: \"argoproj/argosay:*\"\n  path: [/opt/bin]\n");
	assert_int_equal(settings_read(path, arena, &s, &diags), 0);
	assert_int_equal(s.sandbox, SANDBOX_REQUIRE);
	assert_int_equal(s.images.n, 1);
	assert_string_equal(s.images.p[0].path.p[0].p, "/opt/bin");
	path = put_file("t.yaml", "listen: here\nsandbox: maybe\nimages: [{}]\n");
	assert_int_equal(settings_read(path, arena, &s, &diags), -1);
	assert_string_equal(findings(), "t.yaml:2:10 e sandbox: unknown value \"maybe\"; known are: auto, require, off\n"
		"t.yaml:3:10 e images[0].name: required, but not given; add \"name\": a string\n"
		"t.yaml:1:9 e listen: \"here\" is not an address; write it like \"127.0.0.1:2746\" or \"[::]:2746\"\n");
	assert_int_equal(settings_read("/nowhere", arena, &s, &diags), -1);
}

static void
test_schema(const struct schema *sc, void *arg)
{
	(void)arg;
	const char *wrong = schema_self_test(sc);
	if (wrong)
		fail_msg("%s", wrong);
}

static void
tables_are_sound(void **state)
{
	(void)state;
	schema_each(&settings_schema, test_schema, NULL);
	for (size_t i = 0; i < 3; i++)
		schema_each(kinds[i]->schema, test_schema, NULL);
	static const struct schema *const shared[] = { &secret_ref_schema, &config_map_ref_schema, &tls_config_schema, &sasl_config_schema, &basic_auth_schema,
		&backoff_schema, &meta_schema };
	for (size_t i = 0; i < ARRAY_LEN(shared); i++)
		schema_each(shared[i], test_schema, NULL);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = { TEST(decodes_documents), TEST(says_what_is_wrong), TEST(keeps_the_set_sorted), TEST(reads_files_and_folders),
		TEST(applies_files), TEST(finds_keys), TEST(reads_bus_limits), TEST(waits_as_backoff_says), TEST(reads_settings), TEST(tables_are_sound) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
