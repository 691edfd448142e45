/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's HTTP client against a server of canned bytes, which come in pieces of any size. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/client.h"

struct server {
	char dir[64], path[96];
	int fd;
	const char *answer;
	size_t piece;
	char request[4096];
	pthread_t thread;
};

static void *
serve_one(void *arg)
{
	struct server *s = arg;
	int c = accept(s->fd, NULL, NULL);
	size_t n = 0;
	while (!strstr(s->request, "\r\n\r\n")) {
		ssize_t r = recv(c, s->request + n, sizeof s->request - 1 - n, 0);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	for (size_t at = 0, all = strlen(s->answer); at < all; at += s->piece) {
		size_t len = all - at < s->piece ? all - at : s->piece;
		if (send(c, s->answer + at, len, MSG_NOSIGNAL) < 0)
			break;
	}
	close(c);
	return NULL;
}

static void
start(struct server *s, const char *answer, size_t piece)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	*s = (struct server){ .answer = answer, .piece = piece };
	snprintf(s->dir, sizeof s->dir, "/tmp/tidegate-client-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof s->path, "%s/tidegate.sock", s->dir);
	memcpy(sa.sun_path, s->path, strlen(s->path) + 1);
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve_one, s), 0);
}

static void
finish(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->fd);
	unlink(s->path);
	rmdir(s->dir);
}

static struct client
client_of(struct server *s)
{
	struct client c;
	client_init(&c, &(struct cli_common){ .state = s->dir });
	return c;
}

static void
answers_of_known_length(void **state UNUSED)
{
	for (size_t piece = 1; piece < 200; piece += 66) {
		struct server s;
		struct val v;
		struct err e;
		start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX: y\r\n\r\n{\"a\":1}", piece);
		struct client c = client_of(&s);
		assert_int_equal(client_call(&c, "GET", S("/x"), NULL, &v, &e), 0);
		assert_int_equal(v.n, 1);
		assert_non_null(strstr(s.request, "GET /x HTTP/1.1\r\n"));
		client_free(&c);
		finish(&s);
	}
}

static bool
count_lines(void *arg, const struct val *v, struct arena *tmp UNUSED)
{
	int64_t n;
	assert_true(val_to_i64(val_get(v, S("n")), &n));
	*(int64_t *)arg = *(int64_t *)arg * 10 + n;
	return n != 9;
}

static void
streams_in_chunks(void **state UNUSED)
{
	for (size_t piece = 1; piece < 200; piece += 40) {
		struct server s;
		struct err e = { 0 };
		int64_t seen = 0;
		start(&s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"n\":\r\nb\r\n1}\n{\"n\":2}\n\r\n8\r\n{\"n\":3}\n\r\n0\r\n\r\n", piece);
		struct client c = client_of(&s);
		assert_int_equal(client_stream(&c, S("/s"), count_lines, &seen, &e), 0);
		assert_int_equal(seen, 123);
		client_free(&c);
		finish(&s);
	}
}

static void
errors_keep_code_and_message(void **state UNUSED)
{
	struct server s;
	struct err e = { 0 };
	start(&s, "HTTP/1.1 404 Not Found\r\nContent-Length: 35\r\n\r\n{\"code\":5,\"message\":\"no such thing\"}", 1000);
	struct client c = client_of(&s);
	assert_int_equal(client_call(&c, "GET", S("/x"), NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	client_free(&c);
	finish(&s);
	start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":", 1000);
	c = client_of(&s);
	assert_int_equal(client_call(&c, "GET", S("/x"), NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	client_free(&c);
	finish(&s);
}

static void
queries_are_escaped(void **state UNUSED)
{
	struct buf b = { 0 };
	buf_add(&b, S("/p"));
	url_query(&b, "a", S("x y&z"));
	url_query(&b, "none", S(""));
	url_query(&b, "b", S("@latest"));
	assert_string_equal(b.p, "/p?a=x%20y%26z&b=@latest");
	buf_free(&b);
}

static void
the_state_directory_has_an_order(void **state UNUSED)
{
	struct arena *a = arena_new();
	setenv("TIDEGATE_STATE", "/from/environment", 1);
	assert_string_equal(state_directory(a, "/given").p, "/given");
	assert_string_equal(state_directory(a, NULL).p, "/from/environment");
	unsetenv("TIDEGATE_STATE");
	if (geteuid() == 0)
		assert_string_equal(state_directory(a, NULL).p, "/var/lib/tidegate");
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_of_known_length),
		cmocka_unit_test(streams_in_chunks),
		cmocka_unit_test(errors_keep_code_and_message),
		cmocka_unit_test(queries_are_escaped),
		cmocka_unit_test(the_state_directory_has_an_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
