/* SPDX-License-Identifier: Apache-2.0 */
/* httpd: clients on a thread of their own talk raw bytes to a server on the loop. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/net/httpd.h"

struct fixture {
	struct loop *loop;
	struct httpd *httpd;
	struct http_req *waiting[8];
	size_t waiting_n;
	int handled;
	size_t largest;
	struct http_stream *stream;
	int streams_closed;
	bool overflowed;
	sem_t ready, go, sent;
	int handled_before, most_in_turn;
	bool refuses;
	uint64_t kept;
	int left; /* clients that went while their requests waited */
};

/* ---- clients ------------------------------------------------------------------------------------------------- */

struct client {
	struct fixture *f;
	void (*talk)(struct client *c);
	pthread_t thread;
	uint16_t port;
	const char *unix_path;
	str request;
	struct buf answer;
	int dripped;
	bool done;
};

static int
dial(const struct client *c)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(c->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (c->unix_path)
		snprintf(un.sun_path, sizeof un.sun_path, "%s", c->unix_path);
	int fd = socket(c->unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 20 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	int rc = c->unix_path ? connect(fd, (struct sockaddr *)&un, sizeof un) : connect(fd, (struct sockaddr *)&in, sizeof in);
	if (rc == 0)
		return fd;
	close(fd);
	return -1;
}

static void
send_all(int fd, str s)
{
	while (s.n > 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		s = str_slice(s, (size_t)n, s.n);
	}
}

static bool
receive(int fd, struct buf *to)
{
	ssize_t n = recv(fd, buf_room(to, 65536), 65536, 0);
	if (n > 0)
		to->n += (size_t)n;
	return n > 0;
}

/* Sends the request, reads until the server closes. Requests end with Connection: close. */
static void
talk_once(struct client *c)
{
	int fd = dial(c);
	send_all(fd, c->request);
	while (receive(fd, &c->answer))
		continue;
	close(fd);
}

static void
set_done(void *arg)
{
	((struct client *)arg)->done = true;
}

static void *
client_main(void *arg)
{
	struct client *c = arg;
	c->talk(c);
	buf_addc(&c->answer, 0);
	loop_post(c->f->loop, set_done, c);
	return NULL;
}

static void
start_client(struct client *c)
{
	assert_int_equal(pthread_create(&c->thread, NULL, client_main, c), 0);
}

static void
finish_client(struct client *c)
{
	while (!c->done)
		loop_turn(c->f->loop, 1000);
	pthread_join(c->thread, NULL);
}

/* The whole conversation of one connection; to be freed. */
static char *
talk(struct fixture *f, str request)
{
	struct client c = { .f = f, .talk = talk_once, .port = httpd_port(f->httpd), .request = request };
	start_client(&c);
	finish_client(&c);
	return c.answer.p;
}

static void
expect(struct fixture *f, const char *request, const char *status, const char *body)
{
	char *answer = talk(f, str_c(request));
	char line[64];
	snprintf(line, sizeof line, "HTTP/1.1 %s", status);
	const char *end = strstr(answer, "\r\n\r\n");
	if (!str_starts(str_c(answer), str_c(line)) || !end || strcmp(end + 4, body) != 0)
		fail_msg("to <%s>: <%s>", request, answer);
	free(answer);
}

#define CLOSE "Host: x\r\nConnection: close\r\n"

/* ---- handlers ------------------------------------------------------------------------------------------------ */

static void
echo(struct http_req *r, void *arg)
{
	struct fixture *f = arg;
	f->handled++;
	if (http_req_body(r).n > f->largest)
		f->largest = http_req_body(r).n;
	str header = http_req_header(r, "X-Thing");
	http_reply_header(r, "X-Echo", header.p ? header : S("none"));
	http_reply_header(r, "X-Bad", S("a\r\nSet-Cookie: b"));
	str text = arena_fmt(http_req_arena(r), "%.*s %.*s id=%.*s q=%.*s body=%.*s%s", STR_ARG(http_req_method(r)), STR_ARG(http_req_path(r)),
		STR_ARG(http_req_var(r, "id")), STR_ARG(http_req_arg(r, "q")), STR_ARG(str_slice(http_req_body(r), 0, 100)),
		http_req_too_large(r) ? " too large" : "");
	http_reply(r, http_req_too_large(r) ? 413 : 200, "text/plain", text);
}

static void
wait_for_it(struct http_req *r, void *arg)
{
	struct fixture *f = arg;
	f->waiting[f->waiting_n++] = r;
}

static void
stream_gone(struct http_stream *st, void *arg)
{
	struct fixture *f = arg;
	assert_ptr_equal(st, f->stream);
	f->stream = NULL;
	f->streams_closed++;
}

static void
start_stream(struct http_req *r, void *arg)
{
	struct fixture *f = arg;
	f->stream = http_stream_start(r, 200, "text/event-stream", stream_gone, f);
}

static bool
admit(struct http_req *r, void *arg)
{
	struct fixture *f = arg;
	assert_int_equal(http_req_body(r).n, 0);
	if (f->refuses)
		http_reply(r, 403, "text/plain", S("not from you"));
	return !f->refuses;
}

/* Looks at what was kept: its bytes count 0, 1, 2, ... */
static void
keep(struct http_req *r, void *arg)
{
	struct fixture *f = arg;
	struct err e;
	uint64_t n = 0;
	f->handled++;
	assert_int_equal(http_req_body(r).n, 0);
	if (http_req_too_large(r)) {
		http_reply(r, 413, "text/plain", S("too large"));
		return;
	}
	int fd = http_req_take_file(r, &n, &e);
	struct stat st;
	assert_true(fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0);
	assert_int_equal(st.st_size, n);
	for (uint64_t i = 0; i < n; i += 9973) {
		unsigned char b;
		assert_int_equal(pread(fd, &b, 1, (off_t)i), 1);
		assert_int_equal(b, i % 251);
	}
	close(fd);
	f->kept = n;
	http_reply(r, 200, "text/plain", S("kept"));
}

static int
setup(void **state)
{
	struct fixture *f = MEM_NEW(struct fixture);
	f->loop = loop_new();
	struct httpd_config c = { .address = S("127.0.0.1"), .max_body = 100000 };
	struct err e;
	if (httpd_start(f->loop, &c, &f->httpd, &e))
		fail_msg("%s", e.msg);
	httpd_route(f->httpd, "POST", "/echo", echo, f);
	httpd_route(f->httpd, "GET", "/echo/{id}", echo, f);
	httpd_route(f->httpd, "*", "/wait", wait_for_it, f);
	httpd_route(f->httpd, "GET", "/stream", start_stream, f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	httpd_stop(f->httpd);
	loop_free(f->loop);
	free(f);
	return 0;
}

/* ---- tests --------------------------------------------------------------------------------------------------- */

static void
answers_what_was_asked(void **state)
{
	struct fixture *f = *state;
	expect(f, "POST /echo?q=a+b%21&x HTTP/1.1\r\nContent-Length: 5\r\n" CLOSE "\r\nhello", "200 OK", "POST /echo id= q=a b! body=hello");
	expect(f, "GET /echo/a%2Fb HTTP/1.1\r\n" CLOSE "\r\n", "404", "404 page not found\n");
	expect(f, "GET /echo/%C3%A4+ HTTP/1.1\r\n" CLOSE "\r\n", "200", "GET /echo/\xc3\xa4+ id=\xc3\xa4+ q= body=");
	expect(f, "GET http://host:1/echo/7 HTTP/1.1\r\n" CLOSE "\r\n", "200", "GET /echo/7 id=7 q= body=");
	expect(f, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "200",
		"POST /echo id= q= body=abcde");
	char *answer = talk(f, S("POST /echo HTTP/1.1\r\nx-thing: yes\r\nContent-Length: 0\r\n" CLOSE "\r\n"));
	assert_non_null(strstr(answer, "\r\nX-Echo: yes\r\n"));
	assert_non_null(strstr(answer, "\r\nContent-Type: text/plain\r\n"));
	assert_null(strstr(answer, "Set-Cookie"));
	free(answer);
}

static void
says_no_by_the_book(void **state)
{
	struct fixture *f = *state;
	expect(f, "GET /nothing HTTP/1.1\r\n" CLOSE "\r\n", "404", "404 page not found\n");
	expect(f, "GET /echo HTTP/1.1\r\n" CLOSE "\r\n", "405", "");
	expect(f, "GET /a%zz HTTP/1.1\r\n" CLOSE "\r\n", "400", "bad path\n");
	expect(f, "GET /a%00 HTTP/1.1\r\n" CLOSE "\r\n", "400", "bad path\n");
	char *answer = talk(f, S("GET /echo HTTP/1.1\r\n" CLOSE "\r\n"));
	assert_non_null(strstr(answer, "\r\nAllow: POST\r\n"));
	free(answer);
	assert_int_equal(f->handled, 0);
}

static void
survives_garbage(void **state)
{
	struct fixture *f = *state;
	static const char *const garbage[] = {
		"\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "GET /echo/1 HTTP/9.9\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9x\r\n\r\n123456789",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
		"GET /echo/1 HTTP/1.1\r\nNo colon here\r\n\r\n", "GET /echo/1 HTTP/1.1\r\n\r\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		struct buf b = { 0 };
		buf_add(&b, str_c(garbage[i]));
		buf_add(&b, S("GET /nothing HTTP/1.1\r\n" CLOSE "\r\n")); /* whatever it made of the first: then it closes */
		free(talk(f, buf_str(&b)));
		buf_free(&b);
	}
	struct buf big = { 0 };
	buf_add(&big, S("GET /echo/1 HTTP/1.1\r\nX: "));
	for (int i = 0; i < 70000; i++)
		buf_addc(&big, 'a');
	buf_add(&big, S("\r\n" CLOSE "\r\n"));
	char *answer = talk(f, buf_str(&big));
	assert_true(str_starts(str_c(answer), S("HTTP/1.1 431")) || !*answer);
	free(answer);
	buf_free(&big);
	expect(f, "GET /echo/1 HTTP/1.1\r\n" CLOSE "\r\n", "200", "GET /echo/1 id=1 q= body=");
}

static void
limits_are_checked_while_the_body_arrives(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 65536, 65537, 100000, 100001, 900000, 3000000 };
	static const bool chunked[] = { false, true };
	for (size_t own = 0; own < 2; own++)
		for (size_t i = 0; i < ARRAY_LEN(sizes) * 2; i++) {
			size_t n = sizes[i / 2];
			f->handled = 0;
			f->largest = 0;
			struct buf b = { 0 };
			if (chunked[i % 2])
				buf_addf(&b, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "\r\n%zx\r\n", n);
			else
				buf_addf(&b, "POST /echo HTTP/1.1\r\nContent-Length: %zu\r\n" CLOSE "\r\n", n);
			memset(buf_room(&b, n), 'x', n);
			b.n += n;
			if (chunked[i % 2])
				buf_add(&b, S("\r\n0\r\n\r\n"));
			char *answer = talk(f, buf_str(&b));
			buf_free(&b);
			/* Far beyond the limit the connection may be cut, and its answer with it. */
			const char *status = n <= 100000 ? "HTTP/1.1 200" : "HTTP/1.1 413";
			assert_true(str_starts(str_c(answer), str_c(status)) || (n == 3000000 && !*answer));
			assert_int_equal(f->handled, n <= 100000 || (own && (n < 3000000 || !chunked[i % 2])));
			assert_true(f->largest <= 100000);
			assert_true(n > 100000 || f->largest == n);
			free(answer);
			if (i == ARRAY_LEN(sizes) * 2 - 1 && !own) {
				struct http_route *rt = httpd_route(f->httpd, "POST", "/echo", echo, f);
				http_route_max_body(rt, 1);
				httpd_unroute(f->httpd, rt);
				httpd_stop(f->httpd);
				struct httpd_config c = { .address = S("127.0.0.1") };
				struct err e;
				assert_int_equal(httpd_start(f->loop, &c, &f->httpd, &e), 0);
				http_route_max_body(httpd_route(f->httpd, "POST", "/echo", echo, f), 100000);
			}
		}
}

/* Sends its request and hangs up when the handler has it. */
static void
send_and_leave(struct client *c)
{
	int fd = dial(c);
	send_all(fd, c->request);
	sem_wait(&c->f->go);
	close(fd);
}

/* Its bytes count; in chunks of `chunk`, 0: with its length. */
static char *
send_counting(struct fixture *f, size_t n, size_t chunk)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	if (chunk)
		buf_add(&b, S("POST /keep HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "\r\n"));
	else
		buf_addf(&b, "POST /keep HTTP/1.1\r\nContent-Length: %zu\r\n" CLOSE "\r\n", n);
	for (size_t i = 0; i < n; i++) {
		if (chunk && i % chunk == 0)
			buf_addf(&b, "%s%zx\r\n", i ? "\r\n" : "", n - i < chunk ? n - i : chunk);
		buf_addc(&b, (char)(i % 251));
	}
	if (chunk)
		buf_add(&b, n ? S("\r\n0\r\n\r\n") : S("0\r\n\r\n"));
	return talk(f, buf_str(&b));
}

static void
serve_files(struct fixture *f, const char *folder, size_t most)
{
	struct http_route *rt = httpd_route(f->httpd, "POST", "/keep", keep, f);
	http_route_max_body(rt, most);
	http_route_spool(rt, folder, admit);
}

static void
a_body_may_go_to_a_file(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 0, 1, 65536, (1 << 20) - 1, 1 << 20, (3 << 20) + 7, 9 << 20 }, chunks[] = { 0, 1000, 300000, 5 << 20 };
	serve_files(f, "/tmp", 9 << 20);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t k = 0; k < ARRAY_LEN(chunks); k++) {
			f->kept = UINT64_MAX;
			char *answer = send_counting(f, sizes[i], chunks[k]);
			if (!strstr(answer, "kept") || f->kept != sizes[i])
				fail_msg("%zu in %zu: %llu <%s>", sizes[i], chunks[k], (unsigned long long)f->kept, answer);
			free(answer);
		}
}

static void
a_file_that_is_not_wanted_is_refused_with_a_reason(void **state)
{
	struct fixture *f = *state;
	serve_files(f, "/tmp", 100000);
	char *answer = send_counting(f, 100001, 0);
	assert_true(str_starts(str_c(answer), S("HTTP/1.1 413")) && strstr(answer, "too large"));
	free(answer);
	answer = send_counting(f, 100001, 5000);
	assert_true(str_starts(str_c(answer), S("HTTP/1.1 413")));
	free(answer);
	assert_int_equal(f->handled, 2);
	f->refuses = true;
	answer = send_counting(f, 1000, 0);
	assert_true(str_starts(str_c(answer), S("HTTP/1.1 403")) && strstr(answer, "not from you"));
	free(answer);
	assert_int_equal(f->handled, 2);
}

/* Files without a name that are open here and lie in the folder. */
static size_t
files_in(const char *folder)
{
	char link[PATH_MAX], path[PATH_MAX];
	size_t n = 0;
	for (int fd = 0; fd < 1024; fd++) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		ssize_t got = readlink(link, path, sizeof path - 1);
		n += got > 0 && str_starts((str){ path, (size_t)got }, str_c(folder));
	}
	return n;
}

/* Sends half of what it announced and hangs up. */
static void
send_half(struct client *c)
{
	int fd = dial(c);
	struct buf b CLEANUP(free_buf) = { 0 };
	send_all(fd, c->request);
	memset(buf_room(&b, 3 << 20), 'x', 3 << 20);
	send_all(fd, (str){ b.p, 3 << 20 });
	close(fd);
}

static void
of_a_file_that_breaks_off_nothing_is_left(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/tidegate-httpd-XXXXXX";
	assert_non_null(mkdtemp(dir));
	serve_files(f, dir, 100 << 20);
	for (int i = 0; i < 4; i++) {
		struct client c = { .f = f, .talk = send_half, .port = httpd_port(f->httpd),
			.request = S("POST /keep HTTP/1.1\r\nContent-Length: 6000000\r\n" CLOSE "\r\n") };
		start_client(&c);
		finish_client(&c);
		free(c.answer.p);
	}
	while (files_in(dir)) /* for a second or two */
		loop_turn(f->loop, 1000);
	assert_int_equal(f->handled, 0);
	assert_int_equal(rmdir(dir), 0); /* without a name in it */
}

static void
a_file_that_cannot_be_kept_ends_its_connection(void **state)
{
	struct fixture *f = *state;
	serve_files(f, "/nonexistent/folder", 9 << 20);
	char *answer = send_counting(f, 5 << 20, 0);
	assert_int_equal(*answer, 0);
	free(answer);
	assert_int_equal(f->handled, 0);
}

static void
stopping_lets_go_of_files_that_come(void **state)
{
	struct fixture *f = *state;
	serve_files(f, "/tmp", 100 << 20);
	sem_init(&f->go, 0, 0);
	struct client c = { .f = f, .talk = send_and_leave, .port = httpd_port(f->httpd) };
	struct buf b CLEANUP(free_buf) = { 0 };
	buf_add(&b, S("POST /keep HTTP/1.1\r\nContent-Length: 60000000\r\n" CLOSE "\r\n"));
	memset(buf_room(&b, 6 << 20), 'x', 6 << 20);
	b.n += 6 << 20;
	c.request = buf_str(&b);
	start_client(&c);
	for (int i = 0; i < 20; i++)
		loop_turn(f->loop, 10);
	httpd_stop(f->httpd);
	f->httpd = NULL;
	sem_post(&f->go);
	finish_client(&c);
	free(c.answer.p);
	sem_destroy(&f->go);
}

static void
a_large_body_announced_is_refused_before_it_comes(void **state)
{
	struct fixture *f = *state;
	char *answer = talk(f, S("POST /echo HTTP/1.1\r\nContent-Length: 9000000000\r\nExpect: 100-continue\r\n" CLOSE "\r\n"));
	assert_true(str_starts(str_c(answer), S("HTTP/1.1 413")));
	free(answer);
}

static void
pipelined_requests_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	struct buf b = { 0 };
	for (int i = 0; i < 50; i++)
		buf_addf(&b, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%03d", i);
	buf_add(&b, S("GET /nothing HTTP/1.1\r\n" CLOSE "\r\n"));
	char *answer = talk(f, buf_str(&b));
	const char *at = answer;
	for (int i = 0; i < 50; i++) {
		char body[16];
		snprintf(body, sizeof body, "body=%03d", i);
		at = strstr(at, body);
		assert_non_null(at);
	}
	assert_int_equal(f->handled, 50);
	free(answer);
	buf_free(&b);
}

static void
a_handler_may_answer_later(void **state)
{
	struct fixture *f = *state;
	struct client c[3];
	for (size_t i = 0; i < 3; i++) {
		c[i] = (struct client){ .f = f, .talk = talk_once, .port = httpd_port(f->httpd),
			.request = S("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
			             "POST /echo HTTP/1.1\r\nContent-Length: 4\r\n" CLOSE "\r\nnext") };
		start_client(&c[i]);
	}
	while (f->waiting_n < 3)
		loop_turn(f->loop, 1000);
	assert_true(str_eq(http_req_body(f->waiting[1]), S("hi")));
	assert_true(str_eq(http_req_header(f->waiting[1], "content-length"), S("2")));
	for (size_t i = 3; i-- > 0;)
		http_reply(f->waiting[i], 201, NULL, S("later"));
	for (size_t i = 0; i < 3; i++) {
		finish_client(&c[i]);
		assert_true(str_starts(str_c(c[i].answer.p), S("HTTP/1.1 201 Created\r\n")));
		assert_non_null(strstr(c[i].answer.p, "later"));
		assert_non_null(strstr(c[i].answer.p, "body=next"));
		free(c[i].answer.p);
	}
}

enum { MANY = 80 };

/* Twice a request on each of many connections; the second time all of them are there before the server looks. */
static void
talk_on_many(struct client *c)
{
	int fds[MANY];
	for (size_t i = 0; i < MANY; i++) {
		fds[i] = dial(c);
		send_all(fds[i], c->request);
		while (!strstr(buf_str(&c->answer).p, "body=one")) /* what was answered before is behind `n` */
			if (!receive(fds[i], &c->answer))
				break;
		c->answer.n = 0;
		*buf_room(&c->answer, 1) = 0;
	}
	sem_post(&c->f->ready);
	sem_wait(&c->f->go); /* until the server does not look */
	for (size_t i = 0; i < MANY; i++)
		send_all(fds[i], S("POST /echo HTTP/1.1\r\nContent-Length: 3\r\n" CLOSE "\r\ntwo"));
	sem_post(&c->f->sent);
	for (size_t i = 0; i < MANY; i++) {
		while (receive(fds[i], &c->answer))
			continue;
		close(fds[i]);
	}
}

static void
note_turn(void *arg)
{
	struct fixture *f = arg;
	f->most_in_turn = f->handled - f->handled_before > f->most_in_turn ? f->handled - f->handled_before : f->most_in_turn;
	f->handled_before = f->handled;
}

static void
a_turn_handles_some_of_many(void **state)
{
	struct fixture *f = *state;
	struct client c = { .f = f, .talk = talk_on_many, .port = httpd_port(f->httpd),
		.request = S("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none") };
	buf_addc(&c.answer, 0);
	sem_t *const all[] = { &f->ready, &f->go, &f->sent };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		sem_init(all[i], 0, 0);
	loop_on_turn_end(f->loop, note_turn, f);
	start_client(&c);
	while (sem_trywait(&f->ready))
		loop_turn(f->loop, 1);
	sem_post(&f->go);
	sem_wait(&f->sent);
	finish_client(&c);
	assert_int_equal(f->handled, 2 * MANY);
	assert_in_range(f->most_in_turn, 2, MANY / 2);
	size_t answers = 0;
	for (const char *at = c.answer.p; (at = strstr(at, "body=two")); at++)
		answers++;
	assert_int_equal(answers, MANY);
	free(c.answer.p);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		sem_destroy(all[i]);
}

/* A request whose body is refused at once, answered later. */
static void
a_refused_body_may_be_answered_later(void **state)
{
	struct fixture *f = *state;
	http_route_max_body(httpd_route(f->httpd, "POST", "/later", wait_for_it, f), 10);
	struct client c = { .f = f, .talk = talk_once, .port = httpd_port(f->httpd),
		.request = S("POST /later HTTP/1.1\r\nContent-Length: 9000000000\r\nExpect: 100-continue\r\n" CLOSE "\r\n") };
	start_client(&c);
	while (!f->waiting_n)
		loop_turn(f->loop, 1000);
	assert_true(http_req_too_large(f->waiting[0]));
	http_reply(f->waiting[0], 413, NULL, S("no"));
	finish_client(&c);
	assert_true(str_starts(str_c(c.answer.p), S("HTTP/1.1 413")));
	free(c.answer.p);
}

static void
hang_up(struct client *c)
{
	int fd = dial(c);
	send_all(fd, c->request);
	close(fd);
}

static void
a_client_may_go_before_its_answer(void **state)
{
	struct fixture *f = *state;
	struct client c = { .f = f, .talk = hang_up, .port = httpd_port(f->httpd), .request = S("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n") };
	start_client(&c);
	finish_client(&c);
	while (!f->waiting_n)
		loop_turn(f->loop, 1000);
	http_reply(f->waiting[0], 200, NULL, S("nobody hears this"));
	free(c.answer.p);
	expect(f, "GET /echo/1 HTTP/1.1\r\n" CLOSE "\r\n", "200", "GET /echo/1 id=1 q= body=");
}

static void
note_left(void *arg)
{
	((struct fixture *)arg)->left++;
}

static void
who_waits_is_told_that_the_client_left(void **state)
{
	struct fixture *f = *state;
	sem_init(&f->go, 0, 0);
	struct client stays = { .f = f, .talk = talk_once, .port = httpd_port(f->httpd), .request = S("GET /wait HTTP/1.1\r\n" CLOSE "\r\n") };
	start_client(&stays);
	while (f->waiting_n < 1)
		loop_turn(f->loop, 1000);
	struct client leaves = { .f = f, .talk = send_and_leave, .port = stays.port, .request = stays.request };
	start_client(&leaves);
	while (f->waiting_n < 2)
		loop_turn(f->loop, 1000);
	for (int i = 0; i < 2; i++)
		http_req_on_gone(f->waiting[i], note_left, f);
	sem_post(&f->go);
	while (!f->left)
		loop_turn(f->loop, 1000);
	finish_client(&leaves);
	for (int i = 0; i < 2; i++)
		http_reply(f->waiting[i], 200, "text/plain", S("hello"));
	finish_client(&stays);
	assert_non_null(strstr(stays.answer.p, "hello"));
	assert_int_equal(f->left, 1);
	free(stays.answer.p);
	free(leaves.answer.p);
	sem_destroy(&f->go);
}

static void
stopping_answers_503_and_leaves_requests_valid(void **state)
{
	struct fixture *f = *state;
	struct client c = { .f = f, .talk = talk_once, .port = httpd_port(f->httpd), .request = S("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n") };
	start_client(&c);
	while (!f->waiting_n)
		loop_turn(f->loop, 1000);
	httpd_stop(f->httpd);
	f->httpd = NULL;
	finish_client(&c);
	assert_true(str_starts(str_c(c.answer.p), S("HTTP/1.1 503")));
	free(c.answer.p);
	assert_true(str_eq(http_req_path(f->waiting[0]), S("/wait")));
	assert_null(http_req_header(f->waiting[0], "Host").p);
	http_reply(f->waiting[0], 200, NULL, S("too late"));
}

/* ---- streams ------------------------------------------------------------------------------------------------- */

static void
a_stream_flows_and_ends(void **state)
{
	struct fixture *f = *state;
	struct client c = { .f = f, .talk = talk_once, .port = httpd_port(f->httpd), .request = S("GET /stream HTTP/1.1\r\n" CLOSE "\r\n") };
	start_client(&c);
	while (!f->stream)
		loop_turn(f->loop, 1000);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(http_stream_write(f->stream, S("data: x\n\n")), 0);
		loop_turn(f->loop, 5);
	}
	http_stream_end(f->stream);
	finish_client(&c);
	int found = 0;
	for (const char *at = c.answer.p; (at = strstr(at, "data: x\n\n")); at++)
		found++;
	assert_int_equal(found, 5);
	assert_non_null(strstr(c.answer.p, "\r\n0\r\n\r\n"));
	assert_int_equal(f->streams_closed, 0);
	free(c.answer.p);
}

static void
talk_and_leave(struct client *c)
{
	int fd = dial(c);
	send_all(fd, c->request);
	receive(fd, &c->answer);
	close(fd);
}

static void
a_stream_learns_that_its_client_left(void **state)
{
	struct fixture *f = *state;
	struct client c = { .f = f, .talk = talk_and_leave, .port = httpd_port(f->httpd), .request = S("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n") };
	start_client(&c);
	while (!f->stream)
		loop_turn(f->loop, 1000);
	assert_int_equal(http_stream_write(f->stream, S("hello")), 0);
	finish_client(&c);
	while (!f->streams_closed) /* without a write */
		loop_turn(f->loop, 1000);
	assert_int_equal(f->streams_closed, 1);
	free(c.answer.p);
}

static void
read_late(struct client *c)
{
	int fd = dial(c);
	send_all(fd, c->request);
	receive(fd, &c->answer);
	while (!__atomic_load_n(&c->f->overflowed, __ATOMIC_ACQUIRE))
		usleep(1000);
	while (receive(fd, &c->answer))
		continue;
	close(fd);
}

static void
a_reader_that_is_too_slow_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct client c = { .f = f, .talk = read_late, .port = httpd_port(f->httpd), .request = S("GET /stream HTTP/1.1\r\n" CLOSE "\r\n") };
	start_client(&c);
	while (!f->stream)
		loop_turn(f->loop, 1000);
	static char piece[100000];
	memset(piece, 'p', sizeof piece);
	size_t written = 0;
	while (http_stream_write(f->stream, (str){ piece, sizeof piece }) == 0) {
		written += sizeof piece;
		assert_true(written < (64 << 20));
		loop_turn(f->loop, 0);
	}
	http_stream_end(f->stream);
	__atomic_store_n(&f->overflowed, true, __ATOMIC_RELEASE);
	finish_client(&c);
	size_t got = 0;
	for (size_t i = 0; i < c.answer.n; i++)
		got += c.answer.p[i] == 'p';
	assert_true(got >= written && got <= written + 8); /* the head has a letter p or two */
	free(c.answer.p);
}

static void
stopping_closes_streams(void **state)
{
	struct fixture *f = *state;
	struct client c = { .f = f, .talk = talk_once, .port = httpd_port(f->httpd), .request = S("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n") };
	start_client(&c);
	while (!f->stream)
		loop_turn(f->loop, 1000);
	httpd_stop(f->httpd);
	f->httpd = NULL;
	assert_int_equal(f->streams_closed, 1);
	finish_client(&c);
	free(c.answer.p);
}

/* ---- slow clients -------------------------------------------------------------------------------------------- */

/* Ten bytes a second for ever: never idle, never done. Ends when the server hangs up. */
static void
drip(struct client *c)
{
	int fd = dial(c);
	send_all(fd, c->request);
	struct timespec pause = { .tv_nsec = 100 * NS_PER_MS };
	for (int i = 0; i < 200 && send(fd, "a", 1, MSG_NOSIGNAL) == 1; i++) {
		char b[1000];
		if (recv(fd, b, sizeof b, MSG_DONTWAIT) == 0)
			break;
		nanosleep(&pause, NULL);
		c->dripped = i;
	}
	close(fd);
}

static void
slow_requests_are_cut_off(void **state UNUSED)
{
	struct fixture f = { .loop = loop_new() };
	struct httpd_config config = { .address = S("127.0.0.1"), .idle_seconds = 1 };
	struct err e;
	assert_int_equal(httpd_start(f.loop, &config, &f.httpd, &e), 0);
	httpd_route(f.httpd, "POST", "/echo", echo, &f);
	struct client c[2] = {
		{ .f = &f, .talk = drip, .port = httpd_port(f.httpd), .request = S("GET /echo HTTP/1.1\r\nX: ") },
		{ .f = &f, .talk = drip, .port = httpd_port(f.httpd), .request = S("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n") },
	};
	for (int i = 0; i < 2; i++)
		start_client(&c[i]);
	for (int i = 0; i < 2; i++) {
		finish_client(&c[i]);
		assert_true(c[i].dripped < 100); /* 199 would be: never cut off */
		free(c[i].answer.p);
	}
	assert_int_equal(f.handled, 0);
	httpd_stop(f.httpd);
	loop_free(f.loop);
}

/* ---- listening ------------------------------------------------------------------------------------------------ */

static void
a_unix_socket_is_private_and_survives_a_stale_one(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/tidegate-httpd-XXXXXX", path[64], address[80];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/s", dir);
	snprintf(address, sizeof address, "unix:%s", path);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(stale, (struct sockaddr *)&un, sizeof un), 0);
	close(stale);

	struct httpd_config c = { .address = str_c(address) };
	struct httpd *h, *second;
	struct err e;
	if (httpd_start(f->loop, &c, &h, &e))
		fail_msg("%s", e.msg);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(httpd_start(f->loop, &c, &second, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	httpd_route(h, "POST", "/echo", echo, f);
	struct client client = { .f = f, .talk = talk_once, .unix_path = path,
		.request = S("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n" CLOSE "\r\nhello") };
	start_client(&client);
	finish_client(&client);
	assert_non_null(strstr(client.answer.p, "body=hello"));
	free(client.answer.p);
	httpd_stop(h);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(rmdir(dir), 0);
}

static void
addresses_that_do_not_work_say_so(void **state)
{
	struct fixture *f = *state;
	struct httpd *h;
	struct err e;
	struct httpd_config taken = { .address = S("127.0.0.1"), .port = httpd_port(f->httpd) };
	assert_int_equal(httpd_start(f->loop, &taken, &h, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	struct httpd_config name = { .address = S("not an address") };
	assert_int_equal(httpd_start(f->loop, &name, &h, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	struct httpd_config tls = { .address = S("127.0.0.1"), .cert_pem = S("nonsense"), .key_pem = S("nonsense") };
	assert_int_equal(httpd_start(f->loop, &tls, &h, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	struct httpd_config any = { 0 };
	assert_int_equal(httpd_start(f->loop, &any, &h, &e), 0);
	assert_true(httpd_port(h) != 0);
	httpd_stop(h);
}

static void
patterns_match_whole_paths(void **state)
{
	struct fixture *f = *state;
	httpd_route(f->httpd, "GET", "/r/{id:[0-9]{2,3}}", echo, f);
	httpd_route(f->httpd, "GET", "/file/{id...}", echo, f);
	httpd_route(f->httpd, "GET", "/dot/{id}.json", echo, f);
	expect(f, "GET /r/123 HTTP/1.1\r\n" CLOSE "\r\n", "200", "GET /r/123 id=123 q= body=");
	expect(f, "GET /r/1234 HTTP/1.1\r\n" CLOSE "\r\n", "404", "404 page not found\n");
	expect(f, "GET /file/a/b HTTP/1.1\r\n" CLOSE "\r\n", "200", "GET /file/a/b id=a/b q= body=");
	expect(f, "GET /dot/x.json HTTP/1.1\r\n" CLOSE "\r\n", "200", "GET /dot/x.json id=x q= body=");
	expect(f, "GET /dot/xyjson HTTP/1.1\r\n" CLOSE "\r\n", "404", "404 page not found\n");
	static const char *const bad[] = { "nothing", "/{", "/{}", "/{a:(}", "/{a:(b)}", "/{:x}" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_null(httpd_route(f->httpd, "GET", bad[i], echo, f));
}

static void
forms_are_decoded(void **state UNUSED)
{
	struct arena *a = arena_new();
	const struct http_header *p;
	size_t n = http_form_parse(a, S("a=1&b=x+y%3D&&c&d=%zz&=e&f=%"), &p);
	assert_int_equal(n, 4);
	assert_true(str_eq(p[0].name, S("a")) && str_eq(p[0].value, S("1")));
	assert_true(str_eq(p[1].name, S("b")) && str_eq(p[1].value, S("x y=")));
	assert_true(str_eq(p[2].name, S("c")) && p[2].value.p && p[2].value.n == 0);
	assert_true(str_eq(p[3].name, S("")) && str_eq(p[3].value, S("e")));
	assert_int_equal(http_form_parse(a, S(""), &p), 0);
	arena_free(a);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(answers_what_was_asked),
		WITH_SERVER(says_no_by_the_book),
		WITH_SERVER(survives_garbage),
		WITH_SERVER(limits_are_checked_while_the_body_arrives),
		WITH_SERVER(a_large_body_announced_is_refused_before_it_comes),
		WITH_SERVER(a_body_may_go_to_a_file),
		WITH_SERVER(a_file_that_is_not_wanted_is_refused_with_a_reason),
		WITH_SERVER(of_a_file_that_breaks_off_nothing_is_left),
		WITH_SERVER(a_file_that_cannot_be_kept_ends_its_connection),
		WITH_SERVER(stopping_lets_go_of_files_that_come),
		WITH_SERVER(pipelined_requests_are_answered_in_order),
		WITH_SERVER(a_handler_may_answer_later), WITH_SERVER(a_turn_handles_some_of_many),
		WITH_SERVER(a_refused_body_may_be_answered_later),
		WITH_SERVER(a_client_may_go_before_its_answer),
		WITH_SERVER(who_waits_is_told_that_the_client_left),
		WITH_SERVER(stopping_answers_503_and_leaves_requests_valid),
		WITH_SERVER(a_stream_flows_and_ends),
		WITH_SERVER(a_stream_learns_that_its_client_left),
		WITH_SERVER(a_reader_that_is_too_slow_is_noticed),
		WITH_SERVER(stopping_closes_streams),
		cmocka_unit_test(slow_requests_are_cut_off),
		WITH_SERVER(a_unix_socket_is_private_and_survives_a_stale_one),
		WITH_SERVER(addresses_that_do_not_work_say_so),
		WITH_SERVER(patterns_match_whole_paths),
		cmocka_unit_test(forms_are_decoded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
