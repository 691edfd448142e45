/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources end to end: manifests in, requests over real sockets on loopback, events on a real bus. The client's side of a socket is
 * served between turns of the loop, so one thread does it all and nothing waits longer than it must.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "core/net/httpd.h"
#include "core/crypto.h"
#include "sources/eventsource.h"
#include "sources/impl.h"
#include "sources/secure.h"
#include "sources/source.h"

static const int64_t start_of_time = 1784109600 * NS_PER_SEC; /* 2026-07-15T10:00:00Z */
static const struct kind *const kinds[] = { &kind_secret, &kind_eventsource };

struct world {
	struct loop *loop;
	struct store *store;
	struct bus *bus;
	struct objects *objects;
	struct sources *sources;
	struct subscription *sub;
	struct arena *arena;
	VEC(struct event *) events; /* what came over the bus; one reference each */
	int port, other_port;
};

/* ---- the world ------------------------------------------------------------------------------------------------ */

static void
must(int rc, const struct err *e)
{
	if (rc < 0)
		fail_msg("%s", e->msg);
}

static struct bus *
bus_of(void *arg, str ns, str name)
{
	struct world *w = arg;
	(void)ns;
	return str_eq(name, S("default")) ? w->bus : NULL;
}

static void
on_event(void *arg, struct event *ev)
{
	struct world *w = arg;
	*VEC_PUSH(&w->events) = event_ref(ev);
	bus_consumed(w->sub, ev->seq);
}

/* A port that nobody listens on just now. */
static int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	close(fd);
	return ntohs(a.sin_port);
}

/* Takes the objects of a manifest; $P and $Q are the world's ports. */
static void
apply(struct world *w, const char *manifest)
{
	struct buf text = { 0 };
	for (const char *p = manifest; *p; p++) {
		if (*p == '$')
			buf_addf(&text, "%d", *++p == 'P' ? w->port : w->other_port);
		else
			buf_addc(&text, *p);
	}
	struct diags d;
	diags_init(&d);
	struct arena *a = arena_new();
	struct val *docs;
	size_t n;
	int rc = yaml_read_all(a, S("test.yaml"), buf_str(&text), NULL, &docs, &n, &d);
	for (size_t i = 0; i < n; i++) {
		struct object *o = object_decode(kinds, ARRAY_LEN(kinds), &docs[i], S("test.yaml"), S("default"), &d);
		if (o)
			objects_put(w->objects, o);
		object_unref(o);
	}
	if (rc < 0 || d.errors) {
		diags_print(&d, stderr, 0);
		fail();
	}
	diags_free(&d);
	arena_free(a);
	buf_free(&text);
	sources_apply(w->sources);
}

static int
setup(void **state)
{
	struct world *w = MEM_NEW(struct world);
	struct err e;
	static struct store_migration history[2];
	history[0] = (struct store_migration){ 1, bus_schema_sql };
	history[1] = (struct store_migration){ 2, sources_schema_sql };
	log_setup(LOG_ERROR, LOG_LOGFMT);
	w->arena = arena_new();
	w->loop = loop_new();
	loop_set_clock(w->loop, start_of_time);
	must(store_open(w->loop, S(""), history, ARRAY_LEN(history), &w->store, &e), &e);
	struct bus_limits limits = { 0 };
	must(bus_open(w->store, w->loop, S("default"), S("default"), &limits, &w->bus, &e), &e);
	must(bus_subscribe(w->bus, S("test"), false, on_event, w, &w->sub, &e), &e);
	w->objects = objects_new(kinds, ARRAY_LEN(kinds));
	w->sources = sources_new(w->loop, w->store, w->objects, S("127.0.0.1"), bus_of, w);
	w->port = free_port();
	w->other_port = free_port();
	*state = w;
	return 0;
}

static void
settle(struct world *w)
{
	for (int i = 0; i < 5 || store_reading(w->store); i++) { /* reads are another thread's, and take what time they take */
		loop_turn(w->loop, store_reading(w->store) ? 1 : 0);
		store_flush(w->store);
	}
}

static int
teardown(void **state)
{
	struct world *w = *state;
	sources_free(w->sources);
	settle(w);
	bus_close(w->bus);
	settle(w);
	for (size_t i = 0; i < w->events.n; i++)
		event_unref(w->events.p[i]);
	VEC_FREE(&w->events);
	store_close(w->store);
	objects_free(w->objects);
	loop_free(w->loop);
	arena_free(w->arena);
	free(w);
	return 0;
}

/* ---- a client ------------------------------------------------------------------------------------------------- */

static int
dial(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* Whether `b` begins with a whole answer; its length in *n. */
static bool
is_whole(str b, size_t *n)
{
	size_t head = str_find(b, S("\r\n\r\n"), 0);
	if (head == SIZE_MAX)
		return false;
	int64_t length = 0;
	size_t at = str_find(str_slice(b, 0, head), S("Content-Length: "), 0);
	if (at != SIZE_MAX) {
		str value = str_slice(b, at + 16, head + 2);
		assert_true(str_to_i64(str_trim(str_cut(&value, '\r')), &length));
	}
	*n = head + 4 + (size_t)length;
	return b.n >= *n;
}

/* Sends the bytes and turns the loop until `answers` whole answers are there or the other side closes. In the world's arena. */
static str
talk(struct world *w, int fd, str request, unsigned answers)
{
	struct buf got = { 0 };
	size_t sent = 0, seen = 0;
	for (int i = 0; i < 3000 && answers; i++) {
		ssize_t n = sent < request.n ? send(fd, request.p + sent, request.n - sent, MSG_NOSIGNAL) : 0;
		sent += n > 0 ? (size_t)n : 0;
		loop_turn(w->loop, 2);
		n = recv(fd, buf_room(&got, 65536), 65536, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		got.n += n > 0 ? (size_t)n : 0;
		for (size_t whole; answers && is_whole(str_slice(buf_str(&got), seen, got.n), &whole); answers--)
			seen += whole;
	}
	str s = arena_dup(w->arena, buf_str(&got));
	buf_free(&got);
	return s;
}

static str
exchange(struct world *w, const char *head, str body)
{
	int fd = dial(w->port);
	assert_true(fd >= 0);
	bool chunked = strstr(head, "chunked");
	str request = chunked ? arena_fmt(w->arena, "%s\r\nHost: x\r\n\r\n%.*s", head, STR_ARG(body))
	                      : arena_fmt(w->arena, "%s\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%.*s", head, body.n, STR_ARG(body));
	str answer = talk(w, fd, request, 1);
	close(fd);
	return answer;
}

static str
body_of(str answer)
{
	size_t head = str_find(answer, S("\r\n\r\n"), 0);
	return head == SIZE_MAX ? S("") : str_slice(answer, head + 4, answer.n);
}

static void
assert_answer(str answer, int status, const char *body)
{
	char line[32];
	snprintf(line, sizeof line, "HTTP/1.1 %d", status);
	if (!str_starts(answer, str_c(line)) || (body && !str_eq(body_of(answer), str_c(body))))
		fail_msg("wanted %d %s, got %.*s", status, body ? body : "", STR_ARG(answer));
}

static const str small = { "POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n7", 52 };

#define ASSERT_ANSWER(request, body, status, want) assert_answer(exchange(w, request, S(body)), status, want)

static str
last_data(struct world *w)
{
	assert_true(w->events.n > 0);
	return w->events.p[w->events.n - 1]->data;
}

static void
assert_data(struct world *w, const char *want)
{
	if (!str_eq(last_data(w), str_c(want)))
		fail_msg("data is %.*s, not %s", STR_ARG(last_data(w)), want);
}

/* ---- webhook -------------------------------------------------------------------------------------------------- */

#define ES "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: hooks}\nspec:\n"
#define SECRET "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: \"sesame\\n\", hub: \"It's a Secret to Everybody\"}\n---\n"

static void
test_post(void **state)
{
	struct world *w = *state;
	apply(w, ES "  webhook:\n    push: {endpoint: /push, port: \"$P\", method: POST, metadata: {z: \"1\", a: \"<\"}}\n");
	str answer = exchange(w, "POST /push HTTP/1.1\r\nx-b: two\r\nX-A: one\r\nx-b: three", S(" {\"n\": 1.10, \"n\":\"<\\u0041>\" } "));
	assert_answer(answer, 200, "success");
	assert_int_equal(w->events.n, 1);
	assert_data(w, "{\"header\":{\"Content-Length\":[\"30\"],\"X-A\":[\"one\"],\"X-B\":[\"two\",\"three\"]},"
	               "\"body\":{\"n\":1.10,\"n\":\"\\u003c\\u0041\\u003e\"},\"metadata\":{\"a\":\"\\u003c\",\"z\":\"1\"}}");
	struct event *ev = w->events.p[0];
	assert_true(str_eq(ev->source, S("hooks")) && str_eq(ev->subject, S("push")) && str_eq(ev->type, S("webhook")));
	assert_int_equal(ev->time, start_of_time);
	str id = arena_fmt(w->arena, "X-Tidegate-Event-Id: %.*s\r\n", STR_ARG(ev->id));
	assert_true(str_find(answer, id, 0) != SIZE_MAX);
	assert_true(str_find(answer, S("Content-Type: text/plain; charset=utf-8\r\n"), 0) != SIZE_MAX);
}

static void
test_bodies(void **state)
{
	struct world *w = *state;
	apply(w, ES "  webhook:\n    push: {endpoint: /push, port: \"$P\", method: POST, maxPayloadSize: 20}\n"
	            "    get: {endpoint: /get, port: \"$P\", method: GET}\n    put: {endpoint: /put, port: \"$P\", method: PUT}\n"
	            "    none: {endpoint: /none, port: \"$P\"}\n");
#define MARSHAL "json: error calling MarshalJSON for type *json.RawMessage: "
	ASSERT_ANSWER("POST /push HTTP/1.1", "", 400, MARSHAL "unexpected end of JSON input");
	ASSERT_ANSWER("POST /push HTTP/1.1", "{", 400, MARSHAL "unexpected end of JSON input");
	ASSERT_ANSWER("POST /push HTTP/1.1", "{x", 400, MARSHAL "invalid character 'x' looking for beginning of object key string");
	ASSERT_ANSWER("POST /push HTTP/1.1", "1 2", 400, MARSHAL "invalid character '2' after top-level value");
	ASSERT_ANSWER("POST /push HTTP/1.1", "[1 2]", 400, MARSHAL "invalid character '2' after array element");
	ASSERT_ANSWER("POST /push HTTP/1.1", "trux", 400, MARSHAL "invalid character 'x' in literal true (expecting 'e')");
	ASSERT_ANSWER("POST /push HTTP/1.1", "01", 400, MARSHAL "invalid character '1' after top-level value");
	ASSERT_ANSWER("POST /push HTTP/1.1", "'", 400, MARSHAL "invalid character '\\'' looking for beginning of value");
	ASSERT_ANSWER("POST /push HTTP/1.1", "\"01234567890123456789\"", 400,
	              "failed to parse request body, http: request body too largefailed to parse request body, http: request body too large");
	ASSERT_ANSWER("GET /push HTTP/1.1", "", 400, "http method does not match");
	ASSERT_ANSWER("PUT /put HTTP/1.1", "{}", 400, "unsupoorted method: PUT");
	ASSERT_ANSWER("POST /none HTTP/1.1", "{}", 400, "http method does not match");
	assert_int_equal(w->events.n, 0);
	ASSERT_ANSWER("POST /push HTTP/1.1", "null", 200, "success");
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded", "b=1&a=%3C&b=2+3", 200, "success");
	assert_data(w, "{\"header\":{\"Content-Length\":[\"15\"],\"Content-Type\":[\"application/x-www-form-urlencoded\"]},"
	               "\"body\":{\"a\":[\"\\u003c\"],\"b\":[\"1\",\"2 3\"]}}");
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8", "a=1", 400,
	              MARSHAL "invalid character 'a' looking for beginning of value");
	ASSERT_ANSWER("GET /get?q=1&p=&q=%20 HTTP/1.1", "", 200, "success");
	assert_data(w, "{\"header\":{\"Content-Length\":[\"0\"]},\"body\":{\"p\":[\"\"],\"q\":[\"1\",\" \"]}}");
	ASSERT_ANSWER("GET /get HTTP/1.1", "", 200, "success");
	assert_data(w, "{\"header\":{\"Content-Length\":[\"0\"]},\"body\":{}}");
}

static void
test_paths(void **state)
{
	struct world *w = *state;
	apply(w, ES "  webhook:\n    exact: {endpoint: /a/b, port: \"$P\", method: POST}\n"
	            "    slash: {endpoint: /dir/, port: \"$P\", method: POST}\n"
	            "    var: {endpoint: \"/v/{id}/x\", port: \"$P\", method: POST}\n"
	            "    regex: {endpoint: \"/r/{n:[0-9]{2,3}}\", port: \"$P\", method: POST}\n"
	            "    second: {endpoint: /second, port: \"$Q\", method: POST}\n");
	ASSERT_ANSWER("POST /a/b HTTP/1.1", "1", 200, "success");
	ASSERT_ANSWER("POST /a/b/ HTTP/1.1", "1", 404, "404 page not found\n");
	ASSERT_ANSWER("POST /a HTTP/1.1", "1", 404, "404 page not found\n");
	ASSERT_ANSWER("GET / HTTP/1.1", "", 404, "404 page not found\n");
	ASSERT_ANSWER("POST /dir/ HTTP/1.1", "1", 200, "success");
	ASSERT_ANSWER("POST /dir HTTP/1.1", "1", 404, "404 page not found\n");
	ASSERT_ANSWER("POST /v/some-thing/x HTTP/1.1", "1", 200, "success");
	ASSERT_ANSWER("POST /v/a/b/x HTTP/1.1", "1", 404, "404 page not found\n");
	ASSERT_ANSWER("POST /r/42 HTTP/1.1", "1", 200, "success");
	ASSERT_ANSWER("POST /r/4 HTTP/1.1", "1", 404, "404 page not found\n");
	ASSERT_ANSWER("POST /r/4242 HTTP/1.1", "1", 404, "404 page not found\n");
	ASSERT_ANSWER("POST /second HTTP/1.1", "1", 404, "404 page not found\n");
	ASSERT_ANSWER("GET /health HTTP/1.1", "", 200, "OK");
	str answer = exchange(w, "POST //a/./x/..//b?q=%20&x HTTP/1.1", S("1"));
	assert_answer(answer, 301, "");
	assert_true(str_find(answer, S("Location: /a/b?q=%20&x\r\n"), 0) != SIZE_MAX);
	answer = exchange(w, "POST /a//%20b/ HTTP/1.1", S("1"));
	assert_true(str_find(answer, S("Location: /a/%20b/\r\n"), 0) != SIZE_MAX);
	assert_int_equal(w->events.n, 4);
}

static void
test_token(void **state)
{
	struct world *w = *state;
	apply(w, SECRET ES "  webhook:\n    push: {endpoint: /push, port: \"$P\", method: POST, authSecret: {name: s, key: token}}\n"
	                   "    lost: {endpoint: /lost, port: \"$P\", method: POST, authSecret: {name: s, key: none}}\n"
	                   "    open: {endpoint: /open, port: \"$P\", method: POST}\n");
	ASSERT_ANSWER("POST /push HTTP/1.1", "1", 401, "Invalid Authorization Header");
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nAuthorization: bearer sesame", "1", 401, "Invalid Authorization Header");
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nAuthorization: Bearer sesam", "1", 401, "Invalid Auth token");
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nAuthorization: Bearer sesame1", "1", 401, "Invalid Auth token");
	ASSERT_ANSWER("POST /lost HTTP/1.1\r\nAuthorization: Bearer sesame", "1", 500, "Error loading auth token");
	ASSERT_ANSWER("GET /push HTTP/1.1\r\nAuthorization: Bearer wrong", "", 401, "Invalid Auth token");
	assert_int_equal(w->events.n, 0);
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nAuthorization: Bearer sesame", "1", 200, "success");
	assert_data(w, "{\"header\":{\"Authorization\":[\"*** Masked Auth Secret ***\"],\"Content-Length\":[\"1\"]},\"body\":1}");
	ASSERT_ANSWER("POST /open HTTP/1.1\r\nAuthorization: Basic eDp5", "1", 200, "success");
	assert_data(w, "{\"header\":{\"Authorization\":[\"*** Masked Auth Secret ***\"],\"Content-Length\":[\"1\"]},\"body\":1}");
	/* A new value counts from the next request on. */
	apply(w, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: \"changed\"}\n");
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nAuthorization: Bearer sesame", "1", 401, "Invalid Auth token");
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nAuthorization: Bearer changed", "1", 200, "success");
}

static void
test_filter(void **state)
{
	struct world *w = *state;
	apply(w, ES "  webhook:\n    push: {endpoint: /push, port: \"$P\", method: POST, filter: {expression: 'body.ok and header[\"X-K\"][0] == \"v\"'}}\n");
	str answer = exchange(w, "POST /push HTTP/1.1\r\nX-K: v", S("{\"ok\":false}"));
	assert_answer(answer, 200, "success");
	assert_true(str_find(answer, S("X-Tidegate-Event-Id"), 0) == SIZE_MAX); /* there is no event */
	ASSERT_ANSWER("POST /push HTTP/1.1", "{\"ok\":true}", 200, "success"); /* fails on the missing header */
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nX-K: v", "[]", 200, "success");
	assert_int_equal(w->events.n, 0);
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nX-K: v", "{\"ok\":true}", 200, "success");
	assert_int_equal(w->events.n, 1);
}

static void
test_connections(void **state)
{
	struct world *w = *state;
	apply(w, ES "  webhook:\n    push: {endpoint: /push, port: \"$P\", method: POST, maxPayloadSize: 100}\n");
	/* Three in a row without waiting for answers. */
	int fd = dial(w->port);
	str three = S("POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n2"
	              "POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n3");
	str answers = talk(w, fd, three, 3);
	assert_int_equal(w->events.n, 3);
	assert_true(str_ends(answers, S("success")));
	close(fd);
	/* In chunks. */
	ASSERT_ANSWER("POST /push HTTP/1.1\r\nTransfer-Encoding: chunked", "3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n", 200, "success");
	assert_data(w, "{\"header\":{},\"body\":[1,2]}");
	/* Chunks without end are cut off at the limit. */
	struct buf big = { 0 };
	for (int i = 0; i < 200; i++)
		buf_add(&big, S("a\r\n1111111111\r\n"));
	buf_add(&big, S("0\r\n\r\n"));
	str answer = exchange(w, "POST /push HTTP/1.1\r\nTransfer-Encoding: chunked", buf_str(&big));
	assert_answer(answer, 400, NULL);
	buf_free(&big);
	/* A byte at a time. */
	fd = dial(w->port);
	str slow = S("POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
	for (size_t i = 0; i < slow.n; i++) {
		assert_int_equal(send(fd, slow.p + i, 1, MSG_NOSIGNAL), 1);
		loop_turn(w->loop, 0);
	}
	assert_answer(talk(w, fd, S("42"), 1), 200, "success");
	close(fd);
	/* A client that leaves before its answer: the event is kept all the same, or not taken; nothing breaks. */
	fd = dial(w->port);
	assert_int_equal(send(fd, small.p, small.n, MSG_NOSIGNAL), small.n);
	close(fd);
	settle(w);
	ASSERT_ANSWER("POST /push HTTP/1.1", "8", 200, "success");
}

static void
test_full_bus(void **state)
{
	struct world *w = *state;
	apply(w, ES "  webhook:\n    push: {endpoint: /push, port: \"$P\", method: POST}\n");
	bus_set_limits(w->bus, &(struct bus_limits){ .max_pending = 2 });
	for (int i = 0; i < 2; i++) { /* in this turn: nothing can be written in between */
		struct event *ev = event_new();
		bus_publish(w->bus, ev, NULL, NULL);
		event_unref(ev);
	}
	int fd = dial(w->port);
	assert_int_equal(send(fd, small.p, small.n, MSG_NOSIGNAL), small.n);
	struct val status = sources_status(w->sources, w->arena);
	assert_string_equal(str_z(w->arena, val_get_str(val_at(&status, 0), "state")), "paused");
	str answer = talk(w, fd, S(""), 1);
	/* Whether the request was read before the commit or after is the kernel's to say. */
	if (str_starts(answer, S("HTTP/1.1 503")))
		assert_true(str_find(answer, S("Retry-After: 1\r\n"), 0) != SIZE_MAX);
	else
		assert_answer(answer, 200, "success");
	close(fd);
	settle(w);
	status = sources_status(w->sources, w->arena);
	assert_string_equal(str_z(w->arena, val_get_str(val_at(&status, 0), "state")), "running");
	ASSERT_ANSWER("POST /push HTTP/1.1", "8", 200, "success");
}

static void
test_changes(void **state)
{
	struct world *w = *state;
	apply(w, ES "  webhook:\n    a: {endpoint: /a, port: \"$P\", method: POST}\n    b: {endpoint: /b, port: \"$P\", method: POST}\n");
	ASSERT_ANSWER("POST /b HTTP/1.1", "1", 200, "success");
	apply(w, ES "  webhook:\n    a: {endpoint: /a, port: \"$P\", method: POST}\n    b: {endpoint: /c, port: \"$P\", method: POST}\n");
	ASSERT_ANSWER("POST /b HTTP/1.1", "1", 404, NULL);
	ASSERT_ANSWER("POST /c HTTP/1.1", "1", 200, "success");
	ASSERT_ANSWER("POST /a HTTP/1.1", "1", 200, "success");
	apply(w, ES "  webhook:\n    a: {endpoint: /a, port: \"$Q\", method: POST}\n");
	settle(w);
	assert_int_equal(dial(w->port), -1); /* the port is given back */
	w->port = w->other_port;
	ASSERT_ANSWER("POST /a HTTP/1.1", "1", 200, "success");
}

static void
test_trouble_is_told_and_tried_again(void **state)
{
	struct world *w = *state;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)w->port) };
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 1), 0);
	apply(w, ES "  webhook:\n    a: {endpoint: /a, port: \"$P\", method: POST}\n");
	struct val status = sources_status(w->sources, w->arena);
	assert_string_equal(str_z(w->arena, val_get_str(val_at(&status, 0), "state")), "failed");
	assert_true(val_get_str(val_at(&status, 0), "error").n > 0);
	close(fd);
	loop_set_clock(w->loop, start_of_time + 2 * NS_PER_SEC);
	loop_turn(w->loop, 0);
	status = sources_status(w->sources, w->arena);
	assert_string_equal(str_z(w->arena, val_get_str(val_at(&status, 0), "state")), "running");
	ASSERT_ANSWER("POST /a HTTP/1.1", "1", 200, "success");
}

static size_t
lines_in(int fd)
{
	char text[4096];
	size_t lines = 0;
	for (ssize_t n, at = 0; (n = pread(fd, text, sizeof text, at)) > 0; at += n)
		for (ssize_t i = 0; i < n; i++)
			lines += text[i] == '\n';
	return lines;
}

/* A service that numbers its refusals: each is another text, and an outage is a few lines all the same. */
static void
test_failures_that_all_differ_are_a_few_lines(void **state)
{
	struct world *w = *state;
	char path[] = "/tmp/tidegate-lines-XXXXXX";
	int fd = mkstemp(path), saved = dup(2);
	struct err e;
	apply(w, ES "  webhook:\n    a: {endpoint: /a, port: \"$P\", method: POST}\n");
	struct source *s = LIST_FIRST(&w->sources->all, struct source, link);
	unlink(path);
	log_setup(LOG_WARN, LOG_LOGFMT);
	dup2(fd, 2);
	for (int i = 0; i < 24 * 60; i++) { /* a day */
		loop_set_clock(w->loop, start_of_time + i * 60 * NS_PER_SEC);
		err_set(&e, ERR_UNAVAILABLE, "refused, request %d", i);
		source_state(s, false, &e);
	}
	size_t outage = lines_in(fd);
	source_state(s, true, NULL);
	source_state(s, false, &e);
	size_t next = lines_in(fd);
	dup2(saved, 2);
	close(saved);
	close(fd);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	assert_in_range(outage, 8, 20);
	assert_int_equal(next, outage + 1);
	struct val status = sources_status(w->sources, w->arena);
	assert_string_equal(str_z(w->arena, val_get_str(val_at(&status, 0), "error")), "refused, request 1439");
	source_state(s, true, NULL);
}

/* ---- github --------------------------------------------------------------------------------------------------- */

#define GITHUB SECRET ES "  github:\n    push:\n      repositories: [{owner: o, names: [r]}]\n      webhookSecret: {name: s, key: hub}\n" \
	"      webhook: {endpoint: /gh, port: \"$P\", method: POST}\n      metadata: {m: \"1\"}\n"

static str
sign(struct world *w, const char *hash, str body)
{
	unsigned char mac[64];
	size_t n;
	struct err e;
	must(crypto_hmac(hash, S("It's a Secret to Everybody"), body, mac, &n, &e), &e);
	str hex = arena_fmt(w->arena, "%s=", hash);
	for (size_t i = 0; i < n; i++)
		hex = arena_fmt(w->arena, "%.*s%02x", STR_ARG(hex), mac[i]);
	return hex;
}

static str
deliver(struct world *w, const char *type, const char *header, str signature, const char *delivery, str body)
{
	str head = arena_fmt(w->arena, "POST /gh HTTP/1.1\r\nContent-Type: %s\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: %s\r\n%s: %.*s", type,
	                     delivery, header, STR_ARG(signature));
	return exchange(w, head.p, body);
}

static void
test_github(void **state)
{
	struct world *w = *state;
	apply(w, GITHUB);
	/* The example of GitHub's documentation on validating deliveries. */
	assert_string_equal(sign(w, "sha256", S("Hello, World!")).p, "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
	str body = S("{\"z\":{\"b\":1,\"a\":[2,\"<\"]},\"id\":12345678901234567,\"f\":1.50}");
	str answer = deliver(w, "application/json", "X-Hub-Signature-256", sign(w, "sha256", body), "d-1", body);
	assert_answer(answer, 200, "success");
	assert_int_equal(w->events.n, 1);
	str data = last_data(w);
	assert_true(str_ends(data, S(",\"body\":{\"X-GitHub-Delivery\":\"d-1\",\"X-GitHub-Event\":\"push\",\"f\":1.50,\"id\":12345678901234567,"
	                             "\"z\":{\"a\":[2,\"\\u003c\"],\"b\":1}},\"metadata\":{\"m\":\"1\"}}")));
	assert_true(str_starts(data, S("{\"headers\":{\"Content-Length\":")));
	assert_true(str_find(data, S("\"X-Github-Event\":[\"push\"]"), 0) != SIZE_MAX);
	/* The same delivery again is the same event. */
	str again = deliver(w, "application/json", "X-Hub-Signature-256", sign(w, "sha256", body), "d-1", body);
	assert_answer(again, 200, "success");
	assert_int_equal(w->events.n, 1);
	str id = arena_fmt(w->arena, "X-Tidegate-Event-Id: %.*s\r\n", STR_ARG(w->events.p[0]->id));
	assert_true(str_find(again, id, 0) != SIZE_MAX);
	assert_answer(deliver(w, "APPLICATION/JSON; charset=utf-8", "X-Hub-Signature", sign(w, "sha1", body), "d-2", body), 200, "success");
	assert_answer(deliver(w, "application/json", "X-Hub-Signature", sign(w, "sha512", body), "d-3", body), 200, "success");
	str form = S("other=1&payload=%7B%22a%22%3A1%7D");
	assert_answer(deliver(w, "application/x-www-form-urlencoded", "X-Hub-Signature-256", sign(w, "sha256", form), "d-4", form), 200, "success");
	assert_true(str_find(last_data(w), S("\"body\":{\"X-GitHub-Delivery\":\"d-4\",\"X-GitHub-Event\":\"push\",\"a\":1}"), 0) != SIZE_MAX);
	assert_int_equal(w->events.n, 4);
}

static void
test_github_refuses(void **state)
{
	struct world *w = *state;
	apply(w, GITHUB);
	str body = S("{\"a\":1}"), good = sign(w, "sha256", body);
#define REFUSED(type, header, signature, text, want) assert_answer(deliver(w, type, header, signature, "d", text), 400, want)
	REFUSED("application/json", "X-None", S("x"), body, "missing signature");
	REFUSED("application/json", "X-Hub-Signature-256", S("sha256"), body, "error parsing signature \"sha256\"");
	REFUSED("application/json", "X-Hub-Signature-256", S("md5=00"), body, "unknown hash type prefix: \"md5\"");
	REFUSED("application/json", "X-Hub-Signature-256", S("sha256=00"), body, "payload signature check failed");
	REFUSED("text/plain", "X-Hub-Signature-256", good, body, "webhook request has unsupported Content-Type \"text/plain\"");
	REFUSED("application/json", "X-Hub-Signature-256", sign(w, "sha256", S("[1]")), S("[1]"),
	        "json: cannot unmarshal array into Go value of type map[string]interface {}");
	REFUSED("application/json", "X-Hub-Signature-256", sign(w, "sha256", S("{")), S("{"), "unexpected end of JSON input");
	for (size_t i = 0; i < good.n; i++) { /* every byte of the signature counts ... */
		str bad = arena_dup(w->arena, good);
		((char *)(uintptr_t)bad.p)[i] ^= 1;
		assert_answer(deliver(w, "application/json", "X-Hub-Signature-256", bad, "d", body), 400, NULL);
	}
	for (size_t i = 0; i < body.n; i++) { /* ... and of the body */
		str bad = arena_dup(w->arena, body);
		((char *)(uintptr_t)bad.p)[i] ^= 1;
		REFUSED("application/json", "X-Hub-Signature-256", good, bad, "payload signature check failed");
	}
	assert_int_equal(w->events.n, 0);
	assert_answer(deliver(w, "application/json", "X-Hub-Signature-256", good, "d", body), 200, "success");
}

static void
test_github_without_its_secret_does_not_run(void **state)
{
	struct world *w = *state;
	apply(w, ES "  github:\n    push:\n      repositories: [{owner: o, names: [r]}]\n      webhookSecret: {name: gone, key: hub}\n"
	            "      webhook: {endpoint: /gh, port: \"$P\", method: POST}\n");
	assert_int_equal(dial(w->port), -1);
	struct val status = sources_status(w->sources, w->arena);
	assert_string_equal(str_z(w->arena, val_get_str(val_at(&status, 0), "state")), "failed");
}

/* GitHub's API as far as hooks go: one repository has ours already, the other has none. */
struct github_api {
	struct buf log; /* "METHOD path body\n" */
	unsigned requests;
	bool unfriendly;
};

static void
on_api(struct http_req *r, void *arg)
{
	struct github_api *api = arg;
	str path = http_req_path(r), method = http_req_method(r);
	buf_addf(&api->log, "%.*s %.*s %.*s\n", STR_ARG(method), STR_ARG(path), STR_ARG(http_req_body(r)));
	api->requests++;
	assert_true(str_eq(http_req_header(r, "Authorization"), S("Bearer sesame")));
	if (api->unfriendly)
		http_reply(r, 403, "application/json", S("{\"message\":\"no\"}"));
	else if (str_eq(method, S("POST")))
		http_reply(r, 201, "application/json", S("{\"id\":77}"));
	else if (str_eq(method, S("DELETE")))
		http_reply(r, 204, NULL, S(""));
	else if (str_find(path, S("/known/"), 0) != SIZE_MAX)
		http_reply(r, 200, "application/json",
		           S("[{\"id\":1,\"config\":{\"url\":\"https://else\"},\"events\":[\"push\",\"release\"]},"
		             "{\"id\":12,\"config\":{\"url\":\"https://here/gh\"},\"events\":[\"release\",\"push\"]}]"));
	else
		http_reply(r, 200, "application/json", S("[]"));
}

#define HOOKS "  github:\n    push:\n      repositories: [{owner: o, names: [known, new]}]\n      apiToken: {name: s, key: token}\n" \
	"      webhookSecret: {name: s, key: hub}\n      githubBaseURL: http://127.0.0.1:$Q/api\n      githubUploadURL: http://127.0.0.1:$Q/up\n" \
	"      events: [push, release]\n      active: true\n      contentType: json\n      deleteHookOnFinish: true\n" \
	"      webhook: {endpoint: /gh, port: \"$P\", method: POST, url: \"https://here\"}\n"

static void
test_github_registers_its_hooks(void **state)
{
	struct world *w = *state;
	struct github_api api = { .unfriendly = true };
	struct httpd *server;
	struct err e;
	struct httpd_config c = { .address = S("127.0.0.1"), .port = (uint16_t)w->other_port };
	must(httpd_start(w->loop, &c, &server, &e), &e);
	httpd_route(server, "*", "/{rest...}", on_api, &api);
	apply(w, SECRET ES HOOKS);
	for (int i = 0; i < 2000 && api.requests < 2; i++)
		loop_turn(w->loop, 5);
	assert_string_equal(api.log.p, "GET /api/repos/o/known/hooks \nGET /api/repos/o/new/hooks \n"); /* both are refused */
	api.unfriendly = false;
	for (int i = 0; i < 10; i++)
		loop_turn(w->loop, 5);
	assert_int_equal(api.requests, 2);
	buf_free(&api.log);
	loop_set_clock(w->loop, start_of_time + 61 * NS_PER_SEC); /* a minute later GitHub has changed its mind */
	for (int i = 0; i < 2000 && api.requests < 5; i++)
		loop_turn(w->loop, 5);
	assert_string_equal(api.log.p, "GET /api/repos/o/known/hooks \nGET /api/repos/o/new/hooks \nPOST /api/repos/o/new/hooks "
	                               "{\"name\":\"web\",\"config\":{\"url\":\"https://here/gh\",\"content_type\":\"json\",\"insecure_ssl\":\"0\","
	                               "\"secret\":\"It's a Secret to Everybody\"},\"events\":[\"push\",\"release\"],\"active\":true}\n");
	for (int i = 0; i < 10; i++)
		loop_turn(w->loop, 5);
	buf_free(&api.log);
	apply(w, ES "  webhook: {}\n"); /* the source is gone, and takes its hooks away */
	for (int i = 0; i < 2000 && api.requests < 7; i++)
		loop_turn(w->loop, 5);
	assert_string_equal(api.log.p, "DELETE /api/repos/o/known/hooks/12 \nDELETE /api/repos/o/new/hooks/77 \n");
	for (int i = 0; i < 10; i++)
		loop_turn(w->loop, 5);
	buf_free(&api.log);
	httpd_stop(server);
}

/* ---- calendar ------------------------------------------------------------------------------------------------- */

/* Sets the clock and lets everything happen that is due. */
static void
at_second(struct world *w, int64_t second)
{
	loop_set_clock(w->loop, start_of_time + second * NS_PER_SEC);
	for (int i = 0; i < 10; i++) {
		loop_turn(w->loop, 1);
		store_flush(w->store);
	}
}

static void
restart_sources(struct world *w)
{
	sources_free(w->sources);
	settle(w);
	w->sources = sources_new(w->loop, w->store, w->objects, S("127.0.0.1"), bus_of, w);
	sources_apply(w->sources);
}

static void
test_calendar(void **state)
{
	struct world *w = *state;
	apply(w, ES "  calendar:\n    tick: {schedule: \"*/5 * * * *\", timezone: UTC, metadata: {k: v}}\n");
	at_second(w, 1);
	assert_int_equal(w->events.n, 0);
	at_second(w, 299);
	assert_int_equal(w->events.n, 0);
	at_second(w, 300);
	assert_int_equal(w->events.n, 1);
	assert_true(str_find(last_data(w), S("\"scheduledTime\":\"2026-07-15T10:05:00Z\",\"metadata\":{\"k\":\"v\"}}"), 0) != SIZE_MAX);
	assert_true(str_eq(w->events.p[0]->type, S("calendar")));
	at_second(w, 1500); /* the process stood still: the ticks fire late, each once */
	assert_int_equal(w->events.n, 5);
}

static void
test_calendar_restart(void **state)
{
	struct world *w = *state;
	apply(w, ES "  calendar:\n    plain: {interval: 10s}\n"
	            "    caught: {interval: 60s, persistence: {catchup: {enabled: true, maxDuration: 10m}}}\n");
	at_second(w, 0);
	at_second(w, 60);
	assert_int_equal(w->events.n, 7);
	loop_set_clock(w->loop, start_of_time + 300 * NS_PER_SEC);
	restart_sources(w);
	at_second(w, 300);
	assert_int_equal(w->events.n, 11); /* caught: 120, 180, 240, 300; plain goes on from now */
	at_second(w, 310);
	assert_int_equal(w->events.n, 12);
	restart_sources(w); /* the clock stands: nothing fires twice */
	at_second(w, 310);
	assert_int_equal(w->events.n, 12);
	loop_set_clock(w->loop, start_of_time + 7200 * NS_PER_SEC);
	restart_sources(w);
	at_second(w, 7200);
	assert_int_equal(w->events.n, 22); /* no more than ten minutes back */
}

/* maxDuration is about what was missed while nothing ran. */
static void
test_calendar_catches_nothing_up(void **state)
{
	struct world *w = *state;
	apply(w, ES "  calendar:\n    none: {interval: 60s, persistence: {catchup: {enabled: true, maxDuration: 0s}}}\n"
	            "    less: {interval: 60s, persistence: {catchup: {enabled: true, maxDuration: -1h}}}\n");
	at_second(w, 0);
	at_second(w, 61); /* a turn that is late */
	assert_int_equal(w->events.n, 2);
	at_second(w, 130);
	assert_int_equal(w->events.n, 4);
	loop_set_clock(w->loop, start_of_time + 300 * NS_PER_SEC);
	restart_sources(w);
	at_second(w, 300);
	assert_int_equal(w->events.n, 4);
	at_second(w, 365);
	assert_int_equal(w->events.n, 6);
}

static void
test_calendar_every_some_centuries(void **state)
{
	struct world *w = *state;
	apply(w, ES "  calendar:\n    never: {interval: 2562047h}\n    tick: {interval: 60s}\n"
	            "    first: {schedule: '0 0 1 1 *', persistence: {catchup: {enabled: true, maxDuration: 2562047h}}}\n");
	at_second(w, 0);
	assert_int_equal(w->events.n, 0); /* what never ran has missed nothing */
	at_second(w, 60);
	assert_int_equal(w->events.n, 1);
}

/* At noon of the day before the clock changes in Berlin: 24 October 2026, 27 March 2027. */
enum { AUTUMN = 101 * 86400 + 7200, SPRING = 255 * 86400 + 7200, DAY = 86400 };

static size_t
ticks_of_a_day(struct world *w, int64_t from)
{
	at_second(w, from);
	size_t before = w->events.n;
	at_second(w, from + DAY);
	return w->events.n - before;
}

static void
test_calendar_daylight_saving(void **state)
{
	struct world *w = *state;
	static const char *const tick = "  calendar:\n    tick: {schedule: \"30 2 * * *\", timezone: Europe/Berlin}\n";
	struct arena *a CLEANUP(free_arena) = arena_new();
	apply(w, arena_fmt(a, "%s%s", ES, tick).p);
	assert_int_equal(ticks_of_a_day(w, AUTUMN), 1);
	assert_int_equal(ticks_of_a_day(w, SPRING), 1);
	assert_true(str_find(last_data(w), S("\"scheduledTime\":\"2027-03-28T01:00:00Z\""), 0) != SIZE_MAX);
	loop_set_clock(w->loop, start_of_time);
	apply(w, arena_fmt(a, "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: likeargo, annotations: {tidegate/compat: argo}}\nspec:\n%s", tick).p);
	assert_int_equal(ticks_of_a_day(w, AUTUMN), 2);
	assert_int_equal(ticks_of_a_day(w, SPRING), 0);
}

static void
test_calendar_exclusions(void **state)
{
	struct world *w = *state;
	apply(w, ES "  calendar:\n    tick: {schedule: \"0 12 * * *\", timezone: UTC, exclusionDates: [\"EXDATE:20260715T000000Z,20260716T000000Z\", \"20260717\","
		" \"EXDATE;VALUE=DATE:20260718\", \"EXDATE;TZID=Europe/Berlin:20260719T090000\", \"EXDATES:20260720\"]}\n");
	at_second(w, 0);
	at_second(w, 30 * 3600); /* the 16th, 16:00 */
	assert_int_equal(w->events.n, 0);
	at_second(w, 50 * 3600); /* the 17th, 12:00 */
	assert_int_equal(w->events.n, 1);
	at_second(w, 110 * 3600); /* the 20th, 00:00 */
	assert_int_equal(w->events.n, 1);
	at_second(w, 122 * 3600);
	assert_int_equal(w->events.n, 2);
}

/* ---- emit ----------------------------------------------------------------------------------------------------- */

static void
test_emit(void **state)
{
	struct world *w = *state;
	struct err e = { 0 };
	apply(w, GITHUB "  webhook:\n    hook: {endpoint: /h, port: \"$P\", method: POST}\n");
	must(sources_emit(w->sources, S("default"), S("hooks"), S("hook"), S("{\"a\": 1}"), NULL, NULL, &e), &e);
	assert_data(w, "{\"header\":{\"Content-Type\":[\"application/json\"]},\"body\":{\"a\":1}}");
	must(sources_emit(w->sources, S("default"), S("hooks"), S("push"), S("{\"b\":1}"), NULL, NULL, &e), &e);
	assert_true(str_find(last_data(w), S("\"body\":{\"X-GitHub-Delivery\":\"\",\"X-GitHub-Event\":\"\",\"b\":1}"), 0) != SIZE_MAX);
	assert_int_equal(sources_emit(w->sources, S("default"), S("hooks"), S("hook"), S("{"), NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(sources_emit(w->sources, S("default"), S("hooks"), S("hok"), S("1"), NULL, NULL, &e), -1);
	assert_string_equal(e.msg, "event source hooks has no event \"hok\"; did you mean \"hook\"?");
	assert_int_equal(sources_emit(w->sources, S("default"), S("hoks"), S("hook"), S("1"), NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(w->events.n, 2);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_post), T(test_bodies), T(test_paths), T(test_token), T(test_filter), T(test_connections), T(test_full_bus),
		T(test_changes), T(test_trouble_is_told_and_tried_again), T(test_github), T(test_github_refuses),
		T(test_changes), T(test_failures_that_all_differ_are_a_few_lines), T(test_github), T(test_github_refuses),
		T(test_github_without_its_secret_does_not_run), T(test_github_registers_its_hooks), T(test_calendar), T(test_calendar_restart), T(test_calendar_catches_nothing_up), T(test_calendar_every_some_centuries), T(test_calendar_daylight_saving), T(test_calendar_exclusions),
		T(test_emit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
