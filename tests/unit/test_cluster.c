/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a kubeconfig says to ask, what is refused of one, the lines of a watch, and lines that come in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/lines.h"
#include "core/net/cluster.h"

/* ---- kubeconfigs ------------------------------------------------------------------------------------------------------- */

#define CONFIG(server, user)                                                                                                    \
	"current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}, {name: bare, context: {cluster: k}}]\n"      \
	"clusters: [{name: k, cluster: {" server "}}]\nusers: [{name: u, user: {" user "}}]\n"
#define SERVER "server: 'https://h:6443'"

static void
a_kubeconfig(void **state)
{
	struct arena *a = arena_new();
	struct cluster c;
	struct http_call call;
	struct err e;
	(void)state;
	assert_int_equal(cluster_read_kubeconfig(S(CONFIG("server: 'https://h:6443/p/', certificate-authority-data: eA==", "token: ' abcdefgh '")), S("/"), S(""), a, &c,
	                                         &e), 0);
	cluster_get(&c, S("/api/v1/pods?x=1"), a, &call);
	assert_string_equal(call.url.p, "https://h:6443/p/api/v1/pods?x=1");
	assert_int_equal(call.headers_n, 2);
	assert_string_equal(call.headers[1].value.p, "Bearer abcdefgh");
	assert_true(str_eq(call.ca_pem, S("x")) && !call.insecure && !call.connect_to.n);

	assert_int_equal(cluster_read_kubeconfig(S(CONFIG("server: 'https://[::1]/p', tls-server-name: n, insecure-skip-tls-verify: true", "username: u, password: p")),
	                                         S("/"), S(""), a, &c, &e), 0);
	cluster_get(&c, S("/x"), a, &call);
	assert_string_equal(call.url.p, "https://n:443/p/x");
	assert_true(str_eq(call.connect_to, S("[::1]:443")) && call.insecure && str_eq(call.user, S("u")) && call.headers_n == 1);

	/* nobody logs in where everybody could listen */
	assert_int_equal(cluster_read_kubeconfig(S(CONFIG("server: 'http://h'", "token: t")), S("/"), S(""), a, &c, &e), 0);
	assert_int_equal(c.token.n, 0);
	assert_int_equal(cluster_read_kubeconfig(S(CONFIG(SERVER, "token: t")), S("/"), S("bare"), a, &c, &e), 0);
	assert_int_equal(c.token.n, 0);
	arena_free(a);
}

static void
what_of_a_kubeconfig_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "it is empty" },
		{ "a: [\n", "2:1: " },
		{ "{}", "there is no context \"\"" },
		{ "current-context: c\ncontexts: [{name: c, context: {cluster: x}}]\n", "there is no cluster \"x\"" },
		{ "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: x}}]\nclusters: [{name: k, cluster: {" SERVER "}}]\n", "there is no user \"x\"" },
		{ CONFIG("server: 'ftp://h'", ""), "cluster \"k\": server must be a URL" },
		{ CONFIG(SERVER ", certificate-authority-data: '*'", ""), "cluster \"k\": certificate-authority-data is not base64" },
		{ CONFIG(SERVER ", certificate-authority: none", ""), "cluster \"k\": certificate-authority: /nowhere/none: No such file" },
		{ CONFIG(SERVER ", certificate-authority-data: eA==, insecure-skip-tls-verify: true", ""), "exclude each other" },
		{ CONFIG(SERVER ", proxy-url: 'http://p'", ""), "proxy-url is not served: name the proxy" },
		{ CONFIG(SERVER ", tls-server-name: a/b", ""), "tls-server-name is not the name of a host" },
		{ CONFIG(SERVER, "exec: {command: x}"), "user \"u\": exec is not served: give a token" },
		{ CONFIG(SERVER, "auth-provider: {name: gcp}"), "user \"u\": auth-provider is not served" },
		{ CONFIG(SERVER, "as: root"), "user \"u\": as is not served: log in as that user" },
		{ CONFIG(SERVER, "as-groups: [x]"), "user \"u\": as-groups is not served" },
		{ CONFIG(SERVER, "tokenFile: none, token: t"), "user \"u\": tokenFile: /nowhere/none" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a = arena_new();
		struct cluster c;
		struct err e = { 0 };
		if (cluster_read_kubeconfig(str_c(cases[i].text), S("/nowhere"), S(""), a, &c, &e) == 0 || !strstr(e.msg, cases[i].why))
			fail_msg("%s\nwanted: %s\ngot: %s", cases[i].text, cases[i].why, e.msg);
		arena_free(a);
	}
}

static void
without_a_setting_there_is_no_cluster(void **state)
{
	struct arena *a = arena_new();
	struct cluster c;
	struct err e;
	(void)state;
	assert_int_equal(cluster_read(NULL, a, &c, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "write `kubernetes: {access: kubeconfig"));
	assert_int_equal(cluster_read(&(struct cluster_place){ .kubeconfig = S("/x") }, a, &c, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	arena_free(a);
}

/* ---- a watch ------------------------------------------------------------------------------------------------------------ */

static void
lines_of_a_watch(void **state)
{
	struct arena *a = arena_new();
	struct cluster_object o;
	struct err e;
	(void)state;
	assert_int_equal(cluster_read_line(S("{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"n\",\"namespace\":\"s\",\"uid\":\"u\",\"resourceVersion\":\"7\","
	                                     "\"creationTimestamp\":\"2026-01-01T00:00:01Z\"}}}"), a, &o, &e), 0);
	assert_true(o.change == CLUSTER_DELETED && str_eq(o.name, S("n")) && str_eq(o.ns, S("s")) && str_eq(o.uid, S("u")) && str_eq(o.version, S("7")));
	assert_int_equal(o.created_ns, 1767225601 * NS_PER_SEC);
	assert_int_equal(cluster_read_line(S("{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"8\",\"creationTimestamp\":null}}}"), a, &o, &e), 0);
	assert_true(o.change == CLUSTER_BOOKMARK && str_eq(o.version, S("8")));
	assert_int_equal(cluster_read_line(S("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}"), a, &o, &e), 0);
	assert_true(o.change == CLUSTER_ERROR && o.code == 410);
	static const char *const wrong[] = { "", "{", "[]", "{\"type\":\"ADDED\"}", "{\"type\":\"MOVED\",\"object\":{}}", "{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"n\"}}}", "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{}}}" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(cluster_read_line(str_c(wrong[i]), a, &o, &e), -1);
	arena_free(a);
}

static void
refusals(void **state)
{
	struct arena *a = arena_new();
	struct err e;
	(void)state;
	cluster_refused(a, 403, S("{\"kind\":\"Status\",\"message\":\"pods is forbidden\",\"code\":403}"), &e);
	assert_string_equal(e.msg, "the cluster answered 403: pods is forbidden");
	assert_int_equal(e.code, ERR_DENIED);
	cluster_refused(a, 502, S("<html>\nbad"), &e);
	assert_string_equal(e.msg, "the cluster answered 502: <html> bad");
	arena_free(a);
}

/* ---- lines -------------------------------------------------------------------------------------------------------------- */

static bool
note(void *arg, str line)
{
	struct buf *b = arg;
	buf_addf(b, "[%.*s]", STR_ARG(line.p ? line : S("too long")));
	return !str_eq(line, S("stop"));
}

static void
lines_in_pieces(void **state)
{
	static const char text[] = "one\n\nfour\ntoolong\n5\nalso too long\nend\n";
	(void)state;
	for (size_t piece = 1; piece < sizeof text; piece++) {
		struct lines l = { .max = 4 };
		struct buf b = { 0 };
		for (size_t i = 0; i < sizeof text - 1; i += piece)
			assert_true(lines_take(&l, str_slice(str_c(text), i, i + piece), note, &b));
		assert_string_equal(b.p, "[one][][four][too long][5][too long][end]");
		lines_reset(&l);
		buf_free(&b);
	}
	struct lines l = { .max = 4 };
	struct buf b = { 0 };
	assert_false(lines_take(&l, S("a\nstop\nb\n"), note, &b));
	assert_string_equal(b.p, "[a][stop]");
	assert_true(lines_take(&l, S("half"), note, &b));
	lines_reset(&l);
	assert_true(lines_take(&l, S("x\n"), note, &b));
	assert_string_equal(b.p, "[a][stop][x]");
	lines_reset(&l);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kubeconfig),
		cmocka_unit_test(what_of_a_kubeconfig_is_refused),
		cmocka_unit_test(without_a_setting_there_is_no_cluster),
		cmocka_unit_test(lines_of_a_watch),
		cmocka_unit_test(refusals),
		cmocka_unit_test(lines_in_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
