/* SPDX-License-Identifier: Apache-2.0 */
/* httpc: against our own server on the same loop, plain, over TLS and over a unix socket. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/net/httpc.h"

struct fixture {
	struct loop *loop;
	struct httpd *httpd;
	struct httpc *client;
	char base[64];
	int answers, status;
	struct buf body, headers;
	struct err err;
	struct pieces *pieces;
};

static void
done(void *arg, const struct http_answer *ans, const struct err *e)
{
	struct fixture *f = arg;
	f->answers++;
	f->err = e ? *e : (struct err){ 0 };
	f->status = ans ? ans->status : 0;
	f->body.n = f->headers.n = 0;
	if (!ans)
		return;
	buf_add(&f->body, ans->body);
	for (size_t i = 0; i < ans->headers_n; i++)
		buf_addf(&f->headers, "%.*s=%.*s\n", STR_ARG(ans->headers[i].name), STR_ARG(ans->headers[i].value));
}

static void
call(struct fixture *f, struct http_call c)
{
	int before = f->answers;
	httpc_send(f->client, &c, done, f);
	assert_int_equal(f->answers, before);
	while (f->answers == before)
		loop_turn(f->loop, 1000);
	assert_int_equal(f->answers, before + 1);
}

static str
url(struct fixture *f, struct arena *a, const char *path)
{
	return arena_fmt(a, "%s%s", f->base, path);
}

static void
expect_body(struct fixture *f, int status, const char *body)
{
	if (f->err.code)
		fail_msg("%s", f->err.msg);
	assert_int_equal(f->status, status);
	assert_string_equal(f->body.p, body);
}

/* ---- server -------------------------------------------------------------------------------------------------- */

static void
echo(struct http_req *r, void *arg UNUSED)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	const struct http_header *h;
	buf_addf(&b, "%.*s %.*s?%.*s\n", STR_ARG(http_req_method(r)), STR_ARG(http_req_path(r)), STR_ARG(http_req_query(r)));
	static const char *const shown[] = { "X-A", "X-Empty", "Content-Type", "Authorization", "Expect" };
	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		if (http_req_header(r, shown[i]).p)
			buf_addf(&b, "%s: %.*s\n", shown[i], STR_ARG(http_req_header(r, shown[i])));
	buf_add(&b, http_req_body(r));
	assert_true(http_req_headers(r, &h) > 0);
	http_reply_header(r, "X-Back", S("yes"));
	http_reply(r, 200, "text/plain", buf_str(&b));
}

static void
redirect(struct http_req *r, void *arg UNUSED)
{
	int64_t n = 0;
	(void)str_to_i64(http_req_var(r, "n"), &n);
	http_reply_header(r, "X-Hop", http_req_var(r, "n"));
	http_reply_header(r, "Location", n > 1 ? arena_fmt(http_req_arena(r), "/hop/%d", (int)n - 1) : S("/echo"));
	http_reply(r, 302, "text/plain", S("elsewhere"));
}

static void
large(struct http_req *r, void *arg UNUSED)
{
	static char bytes[200000];
	memset(bytes, 'x', sizeof bytes);
	http_reply(r, 200, "text/plain", (str){ bytes, sizeof bytes });
}

static struct http_req *never;

static void
keep(struct http_req *r, void *arg UNUSED)
{
	never = r;
}

static void
start_server(struct fixture *f, struct httpd_config c)
{
	struct err e;
	if (httpd_start(f->loop, &c, &f->httpd, &e))
		fail_msg("%s", e.msg);
	httpd_route(f->httpd, "*", "/echo", echo, f);
	httpd_route(f->httpd, "*", "/hop/{n}", redirect, f);
	httpd_route(f->httpd, "*", "/large", large, f);
	httpd_route(f->httpd, "*", "/never", keep, f);
	snprintf(f->base, sizeof f->base, "%s://127.0.0.1:%u", c.cert_pem.n ? "https" : "http", httpd_port(f->httpd));
}

static int
setup(void **state)
{
	struct fixture *f = MEM_NEW(struct fixture);
	f->loop = loop_new();
	f->client = httpc_new(f->loop);
	start_server(f, (struct httpd_config){ .address = S("127.0.0.1") });
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	httpc_free(f->client);
	httpd_stop(f->httpd);
	loop_free(f->loop);
	buf_free(&f->body);
	buf_free(&f->headers);
	free(f);
	return 0;
}

/* ---- tests --------------------------------------------------------------------------------------------------- */

static void
sends_what_it_is_told(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	call(f, (struct http_call){ .method = S("GET"), .url = url(f, a, "/echo?x=1") });
	expect_body(f, 200, "GET /echo?x=1\n");
	assert_non_null(strstr(f->headers.p, "X-Back=yes\n"));
	struct http_header h[] = { { S("X-A"), S("b c") }, { S("X-Empty"), S("") }, { S("content-type"), S("application/json") } };
	call(f, (struct http_call){ .method = S("POST"), .url = url(f, a, "/echo"), .headers = h, .headers_n = 3, .body = S("{}") });
	expect_body(f, 200, "POST /echo?\nX-A: b c\nX-Empty: \nContent-Type: application/json\n{}");
	call(f, (struct http_call){ .method = S("POST"), .url = url(f, a, "/echo") });
	expect_body(f, 200, "POST /echo?\n");
	call(f, (struct http_call){ .method = S("PUT"), .url = url(f, a, "/echo"), .body = S("a\0b") });
	assert_int_equal(f->body.n, strlen("PUT /echo?\n") + 3);
	call(f, (struct http_call){ .method = S("DELETE"), .url = url(f, a, "/echo"), .user = S("u"), .password = S("p") });
	expect_body(f, 200, "DELETE /echo?\nAuthorization: Basic dTpw\n");
	call(f, (struct http_call){ .method = S("HEAD"), .url = url(f, a, "/echo") });
	expect_body(f, 200, "");
	call(f, (struct http_call){ .method = S("GET"), .url = url(f, a, "/nothing") });
	expect_body(f, 404, "404 page not found\n");
	arena_free(a);
}

static void
many_at_once(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	struct http_call c = { .method = S("GET"), .url = url(f, a, "/echo") };
	for (int i = 0; i < 400; i++)
		httpc_send(f->client, &c, done, f);
	while (f->answers < 400)
		loop_turn(f->loop, 1000);
	expect_body(f, 200, "GET /echo?\n");
	arena_free(a);
}

static void
redirects_are_followed_as_far_as_told(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	call(f, (struct http_call){ .method = S("GET"), .url = url(f, a, "/hop/2") });
	expect_body(f, 302, "elsewhere");
	call(f, (struct http_call){ .method = S("POST"), .url = url(f, a, "/hop/2"), .body = S("x"), .max_redirects = 2 });
	expect_body(f, 200, "GET /echo?\n");
	assert_null(strstr(f->headers.p, "X-Hop")); /* of the last hop only */
	call(f, (struct http_call){ .method = S("GET"), .url = url(f, a, "/hop/3"), .max_redirects = 2 });
	assert_int_equal(f->err.code, ERR_LIMIT);
	arena_free(a);
}

static void
limits_and_timeouts_hold(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	call(f, (struct http_call){ .method = S("GET"), .url = url(f, a, "/large"), .max_response = 200000 });
	assert_int_equal(f->body.n, 200000);
	call(f, (struct http_call){ .method = S("GET"), .url = url(f, a, "/large"), .max_response = 199999 });
	assert_int_equal(f->err.code, ERR_LIMIT);
	call(f, (struct http_call){ .method = S("GET"), .url = url(f, a, "/never?token=secret"), .timeout_ms = 50 });
	assert_int_equal(f->err.code, ERR_TIMEOUT);
	assert_non_null(strstr(f->err.msg, "/never"));
	assert_null(strstr(f->err.msg, "secret"));
	http_reply(never, 200, NULL, S(""));
	arena_free(a);
}

static void
nonsense_is_refused_with_a_reason(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	struct http_header bad = { S("X"), S("a\r\nY: b") };
	call(f, (struct http_call){ .method = S("GET"), .url = url(f, a, "/echo"), .headers = &bad, .headers_n = 1 });
	assert_int_equal(f->err.code, ERR_INVALID);
	call(f, (struct http_call){ .method = S("GET /x"), .url = url(f, a, "/echo") });
	assert_int_equal(f->err.code, ERR_INVALID);
	call(f, (struct http_call){ .method = S("GET"), .url = S("http://[") });
	assert_int_equal(f->err.code, ERR_INVALID);
	call(f, (struct http_call){ .method = S("GET"), .url = S("file:///etc/passwd") });
	assert_int_equal(f->err.code, ERR_INVALID);
	call(f, (struct http_call){ .method = S("GET"), .url = S("http://u:pass@127.0.0.1:1/x") });
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	assert_null(strstr(f->err.msg, "pass"));
	arena_free(a);
}

static void
freeing_cancels_what_runs(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	struct http_call c = { .method = S("GET"), .url = url(f, a, "/never") };
	never = NULL;
	httpc_send(f->client, &c, done, f);
	while (!never)
		loop_turn(f->loop, 1000);
	c.method = S("?");
	httpc_send(f->client, &c, done, f);
	httpc_free(f->client);
	f->client = NULL;
	assert_int_equal(f->answers, 2);
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	http_reply(never, 200, NULL, S(""));
	arena_free(a);
}

static void
unix_sockets_work(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/tidegate-httpc-XXXXXX", address[64];
	assert_non_null(mkdtemp(dir));
	snprintf(address, sizeof address, "unix:%s/s", dir);
	httpd_stop(f->httpd);
	start_server(f, (struct httpd_config){ .address = str_c(address) });
	call(f, (struct http_call){ .method = S("GET"), .url = S("http://daemon/echo"), .unix_socket = str_c(address + 5) });
	expect_body(f, 200, "GET /echo?\n");
	httpd_stop(f->httpd);
	f->httpd = NULL;
	assert_int_equal(rmdir(dir), 0);
}

/* ---- TLS ------------------------------------------------------------------------------------------------------ */

static str
bio_text(struct arena *a, BIO *b)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);
	str s = arena_dup(a, (str){ p, (size_t)n });
	BIO_free(b);
	return s;
}

/* A certificate for 127.0.0.1 that signs itself. */
static void
make_certificate(struct arena *a, str *cert, str *key)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, k);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"127.0.0.1", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
	X509_add_ext(x, san, -1);
	X509_EXTENSION_free(san);
	assert_true(X509_sign(x, k, EVP_sha256()) > 0);
	BIO *c = BIO_new(BIO_s_mem()), *p = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(c, x);
	PEM_write_bio_PrivateKey(p, k, NULL, NULL, 0, NULL, NULL);
	*cert = bio_text(a, c);
	*key = bio_text(a, p);
	X509_free(x);
	EVP_PKEY_free(k);
}

static void
tls_is_verified_against_what_is_given(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	str cert, key, other_cert, other_key;
	make_certificate(a, &cert, &key);
	make_certificate(a, &other_cert, &other_key);
	httpd_stop(f->httpd);
	start_server(f, (struct httpd_config){ .address = S("127.0.0.1"), .cert_pem = cert, .key_pem = key });
	struct http_call c = { .method = S("POST"), .url = url(f, a, "/echo"), .body = S("private") };
	call(f, c);
	assert_int_equal(f->err.code, ERR_UNAUTHENTICATED);
	c.ca_pem = other_cert;
	call(f, c);
	assert_int_equal(f->err.code, ERR_UNAUTHENTICATED);
	c.ca_pem = cert;
	call(f, c);
	expect_body(f, 200, "POST /echo?\nprivate");
	c.ca_pem = STR_NONE;
	c.insecure = true;
	call(f, c);
	expect_body(f, 200, "POST /echo?\nprivate");
	c.url = url(f, a, "/large");
	call(f, c);
	assert_int_equal(f->body.n, 200000);
	arena_free(a);
}

/* ---- answers in pieces ----------------------------------------------------------------------------------------- */

struct pieces {
	struct fixture *f;
	struct http_stream *server; /* the server's end */
	struct buf got;
	int connected, heads, limit;
	bool server_closed;
};
static struct pieces *streaming;

static void
client_gone(struct http_stream *st UNUSED, void *arg UNUSED)
{
	streaming->server_closed = true;
}

static void
stream(struct http_req *r, void *arg UNUSED)
{
	http_reply_header(r, "X-Back", S("yes"));
	streaming->server = http_stream_start(r, 200, "text/plain", client_gone, NULL);
}

static bool
piece(void *arg, str bytes)
{
	struct pieces *p = ((struct fixture *)arg)->pieces;
	buf_add(&p->got, bytes);
	return !p->limit || p->got.n < (size_t)p->limit;
}

static void
opened(void *arg, int status, const struct http_answer *head)
{
	struct pieces *p = ((struct fixture *)arg)->pieces;
	if (!status) {
		p->connected++;
		return;
	}
	p->heads++;
	assert_int_equal(status, 200);
	assert_true(str_eq(http_answer_header(head, "x-back"), S("yes")));
}

static void
begin(struct fixture *f, struct pieces *p, struct arena *a, const char *path, int64_t idle_ms)
{
	*p = (struct pieces){ .f = f };
	f->pieces = streaming = p;
	struct http_call c = { .method = S("GET"), .url = url(f, a, path), .piece = piece, .opened = opened, .idle_ms = idle_ms, .timeout_ms = 1 };
	httpd_route(f->httpd, "*", "/stream", stream, f);
	httpc_send(f->client, &c, done, f);
}

static void
turn_until_n(struct fixture *f, struct pieces *p, size_t n)
{
	while (p->got.n < n)
		loop_turn(f->loop, 1000);
}

static void
an_answer_may_come_in_pieces(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	struct pieces p;
	begin(f, &p, a, "/stream", 0);
	while (!p.server)
		loop_turn(f->loop, 1000);
	assert_int_equal(http_stream_write(p.server, S("one")), 0);
	turn_until_n(f, &p, 3);
	assert_int_equal(p.connected, 1);
	assert_int_equal(p.heads, 1);
	assert_int_equal(http_stream_write(p.server, S("two")), 0);
	turn_until_n(f, &p, 6);
	assert_int_equal(f->answers, 0);
	http_stream_end(p.server);
	while (!f->answers)
		loop_turn(f->loop, 1000);
	expect_body(f, 200, ""); /* it was given away */
	assert_true(str_eq(buf_str(&p.got), S("onetwo")));
	buf_free(&p.got);
	/* One that is refused is an answer as any other. */
	begin(f, &p, a, "/nothing", 0);
	while (f->answers < 2)
		loop_turn(f->loop, 1000);
	expect_body(f, 404, "404 page not found\n");
	assert_int_equal(p.heads, 0);
	buf_free(&p.got);
	arena_free(a);
}

static void
silence_ends_an_answer_in_pieces(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	struct pieces p;
	int64_t now = 1784109600 * NS_PER_SEC;
	loop_set_clock(f->loop, now);
	begin(f, &p, a, "/stream", 10000);
	while (!p.server)
		loop_turn(f->loop, 1000);
	for (size_t i = 1; i <= 3; i++) { /* each piece counts anew */
		loop_set_clock(f->loop, now += 9 * NS_PER_SEC);
		assert_int_equal(http_stream_write(p.server, S(".")), 0);
		turn_until_n(f, &p, i);
	}
	/* While it is held back nobody waits for it. */
	httpc_pause(f->client, f, true);
	loop_set_clock(f->loop, now += 60 * NS_PER_SEC);
	assert_int_equal(http_stream_write(p.server, S("held")), 0);
	for (int i = 0; i < 5; i++)
		loop_turn(f->loop, 0);
	assert_int_equal(f->answers, 0);
	assert_int_equal(p.got.n, 3);
	httpc_pause(f->client, f, false);
	turn_until_n(f, &p, 7);
	loop_set_clock(f->loop, now + 11 * NS_PER_SEC);
	while (!f->answers)
		loop_turn(f->loop, 1000);
	assert_int_equal(f->err.code, ERR_TIMEOUT);
	assert_non_null(strstr(f->err.msg, "nothing came for 10 s"));
	while (!p.server_closed)
		loop_turn(f->loop, 1000);
	buf_free(&p.got);
	arena_free(a);
}

static void
who_has_enough_says_so(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	struct pieces p;
	begin(f, &p, a, "/stream", 0);
	p.limit = 5;
	while (!p.server)
		loop_turn(f->loop, 1000);
	assert_int_equal(http_stream_write(p.server, S("123456789")), 0);
	while (!f->answers)
		loop_turn(f->loop, 1000);
	assert_int_equal(f->err.code, ERR_INVALID);
	buf_free(&p.got);
	/* And who is freed ends it. */
	begin(f, &p, a, "/stream", 1000);
	while (!p.server)
		loop_turn(f->loop, 1000);
	httpc_free(f->client);
	f->client = NULL;
	assert_int_equal(f->answers, 2);
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	while (!p.server_closed)
		loop_turn(f->loop, 1000);
	buf_free(&p.got);
	arena_free(a);
}

/* ---- what is not used costs nothing ---------------------------------------------------------------------------- */

static bool
is_mapped(const char *library)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4096];
	bool found = false;
	while (fgets(line, sizeof line, maps))
		found |= strstr(line, library) != NULL;
	fclose(maps);
	return found;
}

static void
libcurl_is_loaded_by_the_first_call(void **state)
{
	struct fixture *f = *state;
	struct arena *a = arena_new();
	assert_false(is_mapped("libcurl"));
	call(f, (struct http_call){ .method = S("GET"), .url = url(f, a, "/echo") });
	assert_true(is_mapped("libcurl"));
	arena_free(a);
}

static void
a_url_is_shown_without_what_may_be_secret(void **state UNUSED)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{ "https://host:1/a/b?key=secret", "https://host:1/a/b" },
		{ "https://user:pass@host/a@b", "https://host/a@b" },
		{ "https://user:p@ss@host", "https://host" },
		{ "https://host?x=a@b/c", "https://host" },
		{ "git@host:a/b@c", "host:a/b@c" },
		{ "no URL", "no URL" },
	};
	struct arena *a = arena_new();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(str_z(a, http_url_public(a, str_c(cases[i].url))), cases[i].shown);
	arena_free(a);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(libcurl_is_loaded_by_the_first_call), /* first */
		WITH_SERVER(sends_what_it_is_told),
		WITH_SERVER(many_at_once),
		WITH_SERVER(redirects_are_followed_as_far_as_told),
		WITH_SERVER(limits_and_timeouts_hold),
		WITH_SERVER(nonsense_is_refused_with_a_reason),
		WITH_SERVER(freeing_cancels_what_runs),
		WITH_SERVER(unix_sockets_work),
		WITH_SERVER(tls_is_verified_against_what_is_given),
		WITH_SERVER(an_answer_may_come_in_pieces),
		WITH_SERVER(silence_ends_an_answer_in_pieces),
		WITH_SERVER(who_has_enough_says_so),
		cmocka_unit_test(a_url_is_shown_without_what_may_be_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
