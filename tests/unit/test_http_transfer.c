/* SPDX-License-Identifier: Apache-2.0 */
/* http_transfer: against a peer that does what it is told, in a thread: it drops, lies, forgets and comes back. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/net/http_transfer.h"

#define BYTES 300000u
#define HALF (BYTES / 2)
#define TURNS_MAX 12
#define HALF_LEAVES 2

/* What the peer does with a connection: reads a request, sends the head, so much of a body, and closes. */
struct turn {
	const char *status, *headers;
	unsigned from;        /* where in its file the body begins */
	unsigned sends;       /* bytes of it */
	unsigned announces;   /* Content-Length; 0: none is told */
	char version;         /* which file: another has other bytes */
	int leaves;           /* 1: does not read the request's body, or without a status the beginning only. HALF_LEAVES: closes its own side, and reads no more */
};

struct heard {
	char head[2048];
	size_t body;
	uint64_t sum; /* FNV-1a of the body */
};

struct peer {
	int fd;
	unsigned port;
	pthread_t thread;
	struct turn turns[TURNS_MAX];
	size_t turns_n, done;
	struct heard heard[TURNS_MAX];
	int half_left;        /* -1: none */
};

static char
byte_of(char version, unsigned i)
{
	return (char)(i * 2654435761u >> 13 ^ (unsigned)version);
}

static void
send_all(int fd, const char *p, size_t n)
{
	for (ssize_t k; n; p += k, n -= (size_t)k)
		if ((k = send(fd, p, n, MSG_NOSIGNAL)) <= 0)
			return;
}

/* Head, and body as far as Content-Length says. */
static void
hear(int fd, const struct turn *t, struct heard *h)
{
	struct buf body CLEANUP(free_buf) = { 0 };
	size_t n = 0, length = 0;
	char c;
	while (n < sizeof h->head - 1 && recv(fd, &c, 1, 0) == 1) {
		h->head[n++] = c;
		if (n >= 4 && memcmp(h->head + n - 4, "\r\n\r\n", 4) == 0)
			break;
	}
	const char *at = strcasestr(h->head, "Content-Length: ");
	if (!at || (t->leaves && t->status))
		return;
	length = t->leaves ? 1 << 20 : strtoul(at + 16, NULL, 10);
	if (strcasestr(h->head, "100-continue"))
		send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	for (ssize_t k; body.n < length && (k = recv(fd, buf_room(&body, 65536), 65536, 0)) > 0;)
		body.n += (size_t)k;
	h->body = body.n;
	h->sum = str_fnv64a(buf_str(&body));
}

static void
answer(int fd, const struct turn *t)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	if (!t->status)
		return;
	buf_addf(&b, "HTTP/1.1 %s\r\nConnection: close\r\n%s", t->status, t->headers ? t->headers : "");
	if (t->announces)
		buf_addf(&b, "Content-Length: %u\r\n", t->announces);
	buf_add(&b, S("\r\n"));
	for (unsigned i = 0; i < t->sends; i++)
		buf_addc(&b, byte_of(t->version, t->from + i));
	send_all(fd, b.p, b.n);
}

static void *
play(void *arg)
{
	struct peer *p = arg;
	for (size_t i = 0; i < p->turns_n; i++) {
		int fd = accept(p->fd, NULL, NULL);
		if (fd < 0)
			break;
		hear(fd, &p->turns[i], &p->heard[i]);
		__atomic_store_n(&p->done, i + 1, __ATOMIC_RELEASE);
		answer(fd, &p->turns[i]);
		if (p->turns[i].leaves == HALF_LEAVES)
			p->half_left = shutdown(fd, SHUT_WR) == 0 ? fd : -1;
		else
			close(fd);
	}
	shutdown(p->fd, SHUT_RDWR); /* whoever comes now is refused */
	return NULL;
}

static void
start(struct peer *p, const struct turn *turns, size_t n)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	memset(p, 0, sizeof *p);
	memcpy(p->turns, turns, n * sizeof *turns);
	p->turns_n = n;
	p->half_left = -1;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(p->fd, 8), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&a, &len), 0);
	p->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&p->thread, NULL, play, p), 0);
}

/* How many turns were played. */
static size_t
stop(struct peer *p)
{
	shutdown(p->fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->fd);
	close_fd(&p->half_left);
	return p->done;
}

/* ---- the other side ---------------------------------------------------------------------------------------------------- */

struct ours {
	struct peer peer;
	struct http_session *session;
	struct arena *arena;
	const char *method;
	struct transfer_watch watch;
	uint64_t moved, had, total;
	unsigned again;
	char why[200];   /* the last try ended */
	unsigned tries, redirects;
	int64_t silence_ms;
	bool if_match, offsets;
	bool (*passing)(void *arg, const struct http_answer *ans);
	uint64_t have;    /* HALF: another process began */
	unsigned began;   /* how often the object came from its start */
	char tag[16];     /* that it had then */
	int fd;
	struct http_answer ans;
	struct err err;
};

static int
request(void *arg, uint64_t from, str etag, struct arena *a, struct http_call *call, struct err *e UNUSED)
{
	struct ours *o = arg;
	struct http_header *h = ARENA_ARRAY(a, struct http_header, 2);
	size_t n = 0;
	if (from && !o->offsets)
		h[n++] = (struct http_header){ S("Range"), arena_fmt(a, "bytes=%llu-", (unsigned long long)from) };
	if (from && etag.p)
		h[n++] = (struct http_header){ o->if_match ? S("If-Match") : S("If-Range"), etag };
	*call = (struct http_call){ .method = str_c(o->method), .headers = h, .headers_n = n, .max_redirects = o->redirects,
		.timeout_ms = o->silence_ms };
	call->url = arena_fmt(a, "http://127.0.0.1:%u/file", o->peer.port);
	return 0;
}

static void
count(void *arg, uint64_t bytes)
{
	struct ours *o = arg;
	o->moved += bytes;
}

static void
count_had(void *arg, uint64_t bytes)
{
	struct ours *o = arg;
	o->had += bytes;
}

static void
note_total(void *arg, uint64_t bytes)
{
	struct ours *o = arg;
	o->total = bytes;
}

static void
note_again(void *arg, const char *why)
{
	struct ours *o = arg;
	o->again++;
	snprintf(o->why, sizeof o->why, "%s", why);
}

static void
note_beginning(void *arg, const struct http_answer *head)
{
	struct ours *o = arg;
	o->began++;
	snprintf(o->tag, sizeof o->tag, "%.*s", STR_ARG(http_answer_header(head, "ETag")));
}

static struct http_transfer
transfer(struct ours *o)
{
	o->watch = (struct transfer_watch){ count, count_had, note_total, note_again, o };
	return (struct http_transfer){ .request = request, .arg = o, .watch = &o->watch, .tries = o->tries, .offsets = o->offsets,
		.passing = o->passing, .began = note_beginning, .began_arg = o, .have = o->have, .etag = o->have ? S("\"one\"") : STR_NONE };
}

static int
download(struct ours *o, const struct turn *turns, size_t n)
{
	start(&o->peer, turns, n);
	o->method = "GET";
	const struct http_transfer t = transfer(o);
	return http_download(o->session, &t, o->fd, o->arena, &o->ans, &o->err);
}

#define DOWNLOAD(o, turns) download(o, turns, ARRAY_LEN(turns))

static void
expect_file(struct ours *o, char version)
{
	static char bytes[BYTES + 1];
	assert_int_equal(pread(o->fd, bytes, sizeof bytes, 0), BYTES);
	for (unsigned i = 0; i < BYTES; i++)
		if (bytes[i] != byte_of(version, i))
			fail_msg("byte %u is wrong", i);
}

static int
setup(void **state)
{
	struct ours *o = MEM_NEW(struct ours);
	o->session = http_session_new();
	o->arena = arena_new();
	o->tries = 3;
	o->fd = memfd_create("file", MFD_CLOEXEC);
	*state = o;
	return o->fd < 0;
}

static int
teardown(void **state)
{
	struct ours *o = *state;
	http_session_free(o->session);
	arena_free(o->arena);
	close(o->fd);
	free(o);
	return 0;
}

#define TAG "ETag: \"one\"\r\n"
#define REST TAG "Content-Range: bytes 150000-299999/300000\r\n"

/* ---- downloads --------------------------------------------------------------------------------------------------------- */

static void
a_download_goes_on_where_it_broke_off(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", TAG, 0, HALF, BYTES, 0, 0 }, { "206 Partial Content", REST, HALF, BYTES - HALF, BYTES - HALF, 0, 0 } };
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 2);
	expect_file(o, 0);
	assert_int_equal(o->moved, BYTES);
	assert_int_equal(o->total, BYTES);
	assert_int_equal(o->had, 0);
	assert_int_equal(o->again, 1);
	assert_null(strstr(o->peer.heard[0].head, "Range"));
	assert_non_null(strstr(o->peer.heard[1].head, "Range: bytes=150000-\r\n"));
	assert_non_null(strstr(o->peer.heard[1].head, "If-Range: \"one\"\r\n"));
}

/* WebHDFS: the request has the offset in it, and the answer with the rest is 200. */
static void
a_download_by_offsets_goes_on(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", NULL, 0, HALF, BYTES, 0, 0 }, { "200 OK", NULL, HALF, BYTES - HALF, BYTES - HALF, 0, 0 } };
	o->offsets = true;
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 2);
	expect_file(o, 0);
	assert_int_equal(o->moved, BYTES);
}

/* The rest is longer than it was: another file. All of it comes again. */
static void
a_download_by_offsets_of_another_file_begins_anew(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", NULL, 0, HALF, BYTES + 7, 0, 0 }, { "200 OK", NULL, HALF, BYTES - HALF, BYTES - HALF, 1, 0 },
		{ "200 OK", NULL, 0, BYTES, BYTES, 1, 0 } };
	o->offsets = true;
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 3);
	expect_file(o, 1);
}

static bool
is_teapot(void *arg UNUSED, const struct http_answer *ans)
{
	return ans->status == 418;
}

static void
who_asks_knows_what_passes(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "418 Short and stout", NULL, 0, 5, 5, 0, 0 }, { "200 OK", NULL, 0, BYTES, BYTES, 0, 0 } };
	o->passing = is_teapot;
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 2);
	expect_file(o, 0);
	assert_int_equal(o->again, 1);
	assert_string_equal(o->why, "it was answered with 418");
}

static void
have_half(struct ours *o)
{
	for (unsigned i = 0; i < HALF; i++)
		assert_int_equal(pwrite(o->fd, &(char){ byte_of(0, i) }, 1, i), 1);
	o->have = HALF;
}

static void
what_another_process_began_goes_on(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "206 Partial Content", REST, HALF, BYTES - HALF, BYTES - HALF, 0, 0 } };
	have_half(o);
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 1);
	expect_file(o, 0);
	assert_int_equal(o->moved, BYTES - HALF);
	assert_int_equal(o->had, HALF);
	assert_int_equal(o->total, BYTES);
	assert_int_equal(o->again, 0);
	assert_int_equal(o->began, 0);
	assert_non_null(strstr(o->peer.heard[0].head, "Range: bytes=150000-\r\n"));
	assert_non_null(strstr(o->peer.heard[0].head, "If-Range: \"one\"\r\n"));
}

static void
what_another_process_began_and_has_changed_comes_anew(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", "ETag: \"two\"\r\n", 0, BYTES, BYTES, 7, 0 } };
	have_half(o);
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 1);
	expect_file(o, 7);
	assert_int_equal(o->began, 1);
	assert_string_equal(o->tag, "\"two\"");
}

static void
what_another_process_began_and_is_refused_comes_anew(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "412 Precondition Failed", NULL, 0, 0, 0, 0, 0 }, { "200 OK", "ETag: \"two\"\r\n", 0, BYTES, BYTES, 7, 0 } };
	have_half(o);
	o->if_match = true;
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 2);
	expect_file(o, 7);
	assert_null(strstr(o->peer.heard[1].head, "Range"));
}

/* As often as it likes, if each time something comes. */
static void
a_download_in_many_pieces_ends(void **state)
{
	struct ours *o = *state;
	struct turn turns[10];
	char ranges[10][64];
	for (unsigned i = 0; i < 10; i++) {
		snprintf(ranges[i], sizeof ranges[i], "Content-Range: bytes %u-299999/300000\r\n", i * 30000);
		turns[i] = (struct turn){ i ? "206 Partial Content" : "200 OK", i ? ranges[i] : NULL, i * 30000, 30000, BYTES - i * 30000, 0, 0 };
	}
	o->tries = 2;
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 10);
	expect_file(o, 0);
}

static void
a_server_without_ranges_begins_anew(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", NULL, 0, HALF, BYTES, 0, 0 }, { "200 OK", NULL, 0, BYTES, BYTES, 0, 0 } };
	assert_int_equal(DOWNLOAD(o, turns), 0);
	(void)stop(&o->peer);
	expect_file(o, 0);
	assert_int_equal(o->moved, BYTES);
}

/* One that always drops at the same place does not get on: it ends. */
static void
a_server_that_never_gets_further_is_given_up(void **state)
{
	struct ours *o = *state;
	struct turn turns[8];
	for (size_t i = 0; i < ARRAY_LEN(turns); i++)
		turns[i] = (struct turn){ "200 OK", TAG, 0, HALF, BYTES, 0, 0 };
	o->tries = 2;
	assert_int_equal(DOWNLOAD(o, turns), -1);
	assert_int_equal(o->err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(o->err.msg, "127.0.0.1"));
	assert_int_equal(stop(&o->peer), 2);
}

static void
what_changed_meanwhile_is_taken_whole(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", TAG, 0, HALF, BYTES, 0, 0 }, { "200 OK", "ETag: \"two\"\r\n", 0, BYTES, BYTES, 1, 0 } };
	assert_int_equal(DOWNLOAD(o, turns), 0);
	(void)stop(&o->peer);
	expect_file(o, 1);
}

/* It sends the rest of another file, since it does not look at If-Range; or says so by 412, to If-Match. */
static void
halves_of_two_files_are_not_one(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", TAG, 0, HALF, BYTES, 0, 0 },
		{ "206 Partial Content", "ETag: \"two\"\r\nContent-Range: bytes 150000-299999/300000\r\n", HALF, HALF, HALF, 1, 0 },
		{ "200 OK", "ETag: \"two\"\r\n", 0, HALF, BYTES, 1, 0 }, { "412 Precondition Failed", "Content-Length: 0\r\n", 0, 0, 0, 0, 0 },
		{ "200 OK", "ETag: \"three\"\r\n", 0, BYTES, BYTES, 2, 0 } };
	o->if_match = true;
	o->tries = 6;
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 5);
	assert_null(strstr(o->peer.heard[2].head, "Range"));
	assert_null(strstr(o->peer.heard[4].head, "Range"));
	expect_file(o, 2);
}

static void
another_part_than_asked_for_is_not_taken(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", TAG, 0, HALF, BYTES, 0, 0 },
		{ "206 Partial Content", TAG "Content-Range: bytes 0-299999/300000\r\n", 0, BYTES, BYTES, 0, 0 },
		{ "206 Partial Content", TAG, HALF, HALF, HALF, 0, 0 }, { "206 Partial Content", REST, HALF, HALF, HALF, 0, 0 } };
	o->tries = 5;
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 4);
	expect_file(o, 0);
}

/* A body in chunks announces nothing, and has an end of its own. */
static void
chunks_that_break_off_are_no_end(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", "Transfer-Encoding: chunked\r\n\r\n249f0\r\n", 0, HALF, 0, 0, 0 },
		{ "200 OK", NULL, 0, BYTES, BYTES, 0, 0 } };
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 2);
	expect_file(o, 0);
}

static void *
drain(void *arg)
{
	const int *fds = arg;
	static char bytes[65536];
	for (ssize_t n; (n = read(fds[0], bytes, sizeof bytes)) > 0;)
		(void)!write(fds[1], bytes, (size_t)n);
	return NULL;
}

/* Into a pipe nothing can be taken back: what is the same is skipped, what is not is refused. */
static void
a_pipe_gets_each_byte_once(void **state)
{
	struct ours *o = *state;
	const struct turn same[] = { { "200 OK", TAG, 0, HALF, BYTES, 0, 0 }, { "200 OK", TAG, 0, BYTES, BYTES, 0, 0 } };
	const struct turn other[] = { { "200 OK", NULL, 0, HALF, BYTES, 0, 0 }, { "200 OK", NULL, 0, BYTES, BYTES, 1, 0 } };
	int ends[2], file = o->fd;
	for (int i = 0; i < 2; i++) {
		pthread_t reader;
		assert_int_equal(ftruncate(file, 0), 0);
		assert_int_equal(lseek(file, 0, SEEK_SET), 0);
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		int fds[] = { ends[0], file };
		assert_int_equal(pthread_create(&reader, NULL, drain, fds), 0);
		o->fd = ends[1];
		o->tries = 2;
		int rc = i ? DOWNLOAD(o, other) : DOWNLOAD(o, same);
		(void)stop(&o->peer);
		close(ends[1]);
		pthread_join(reader, NULL);
		close(ends[0]);
		o->fd = file;
		assert_int_equal(rc, i ? -1 : 0);
		if (i == 0)
			expect_file(o, 0);
	}
	assert_int_equal(o->err.code, ERR_UNAVAILABLE);
}

static void
a_full_disk_is_no_reason_to_try_again(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", NULL, 0, BYTES, BYTES, 0, 0 }, { "200 OK", NULL, 0, BYTES, BYTES, 0, 0 } };
	int file = o->fd;
	o->fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_equal(DOWNLOAD(o, turns), -1);
	close(o->fd);
	o->fd = file;
	assert_int_equal(o->err.code, ERR_IO);
	assert_int_equal(stop(&o->peer), 1);
}

static void
an_overload_passes(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "503 Slow Down", "Retry-After: 0\r\nContent-Length: 0\r\n", 0, 0, 0, 0, 0 },
		{ "429 Too Many Requests", "Content-Length: 0\r\n", 0, 0, 0, 0, 0 }, { "200 OK", NULL, 0, BYTES, BYTES, 0, 0 } };
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(o->ans.status, 200);
	(void)stop(&o->peer);
	expect_file(o, 0);
}

static void
a_refusal_is_an_answer(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "404 Not Found", NULL, 0, 20, 20, 0, 0 }, { "200 OK", NULL, 0, BYTES, BYTES, 0, 0 } };
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(o->ans.status, 404);
	assert_int_equal(o->ans.body.n, 20);
	assert_int_equal(stop(&o->peer), 1);
	assert_int_equal(lseek(o->fd, 0, SEEK_END), 0);
}

static void
redirects_lead_to_the_file(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "302 Found", "Location: /elsewhere\r\nContent-Length: 0\r\n", 0, 0, 0, 0, 0 }, { "200 OK", TAG, 0, HALF, BYTES, 0, 0 },
		{ "302 Found", "Location: /elsewhere\r\nContent-Length: 0\r\n", 0, 0, 0, 0, 0 }, { "206 Partial Content", REST, HALF, HALF, HALF, 0, 0 } };
	o->redirects = 3;
	assert_int_equal(DOWNLOAD(o, turns), 0);
	assert_int_equal(stop(&o->peer), 4);
	assert_non_null(strstr(o->peer.heard[3].head, "GET /elsewhere"));
	assert_non_null(strstr(o->peer.heard[3].head, "Range: bytes=150000-"));
	expect_file(o, 0);
}

/* ---- uploads ----------------------------------------------------------------------------------------------------------- */

static uint64_t
fill(struct ours *o, size_t n, size_t offset)
{
	char *bytes = mem_alloc(n);
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_of(0, (unsigned)i);
	assert_int_equal(write(o->fd, bytes, n), n);
	uint64_t sum = str_fnv64a((str){ bytes + offset, n - offset });
	free(bytes);
	return sum;
}

static int
upload(struct ours *o, const struct turn *turns, size_t n, uint64_t offset, uint64_t bytes)
{
	start(&o->peer, turns, n);
	o->method = "PUT";
	const struct http_transfer t = transfer(o);
	return http_upload(o->session, &t, o->fd, offset, bytes, o->arena, &o->ans, &o->err);
}

static void
an_upload_is_sent_whole_each_time(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "503 Slow Down", "Content-Length: 0\r\n", 0, 0, 0, 0, 0 }, { "200 OK", "Content-Length: 0\r\nETag: \"x\"\r\n", 0, 0, 0, 0, 0 } };
	uint64_t sum = fill(o, BYTES, 1000);
	assert_int_equal(upload(o, turns, ARRAY_LEN(turns), 1000, BYTES - 1000), 0);
	assert_int_equal(o->ans.status, 200);
	assert_int_equal(stop(&o->peer), 2);
	for (size_t i = 0; i < 2; i++) {
		assert_non_null(strstr(o->peer.heard[i].head, "Content-Length: 299000\r\n"));
		assert_int_equal(o->peer.heard[i].body, BYTES - 1000);
		assert_true(o->peer.heard[i].sum == sum);
	}
	assert_int_equal(o->moved, BYTES - 1000);
}

/* It goes away with its buffers full; the second time it listens. */
static void
an_upload_that_breaks_off_is_tried_again(void **state)
{
	struct ours *o = *state;
	const size_t n = (size_t)8 << 20;
	const struct turn turns[] = { { NULL, NULL, 0, 0, 0, 0, 1 }, { "200 OK", "Content-Length: 0\r\n", 0, 0, 0, 0, 0 } };
	uint64_t sum = fill(o, n, 0);
	assert_int_equal(upload(o, turns, ARRAY_LEN(turns), 0, n), 0);
	assert_int_equal(stop(&o->peer), 2);
	assert_true(o->peer.heard[1].sum == sum);
}

/* What we send on fills its buffers, and then there is silence. No answer can come: it is not waited for. */
static void
an_upload_to_who_has_closed_its_side_is_over(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { NULL, NULL, 0, 0, 0, 0, HALF_LEAVES } };
	const off_t n = (off_t)64 << 20;
	assert_int_equal(ftruncate(o->fd, n), 0);
	o->tries = 1;
	o->silence_ms = 30000;
	assert_int_equal(upload(o, turns, ARRAY_LEN(turns), 0, (uint64_t)n), -1);
	assert_int_equal(o->err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(o->err.msg, "closed the connection"));
	assert_int_equal(stop(&o->peer), 1);
}

/* A server that refuses a large body closes on it: the refusal must not be lost with the connection. */
static void
a_refusal_is_heard_before_the_body_is_sent(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "403 Forbidden", NULL, 0, 20, 20, 0, 1 } };
	(void)fill(o, (size_t)8 << 20, 0);
	assert_int_equal(upload(o, turns, ARRAY_LEN(turns), 0, (size_t)8 << 20), 0);
	assert_int_equal(o->ans.status, 403);
	assert_int_equal(o->ans.body.n, 20);
	assert_int_equal(stop(&o->peer), 1);
	assert_int_equal(o->moved, 0);
}

static void
a_file_that_became_shorter_is_an_error(void **state)
{
	struct ours *o = *state;
	const struct turn turns[] = { { "200 OK", "Content-Length: 0\r\n", 0, 0, 0, 0, 0 } };
	(void)fill(o, 1000, 0);
	assert_int_equal(upload(o, turns, ARRAY_LEN(turns), 0, 2000), -1);
	assert_int_equal(o->err.code, ERR_IO);
	(void)stop(&o->peer);
}

/* ---- without a file ---------------------------------------------------------------------------------------------------- */

static void
a_request_is_tried_again_as_often_as_told(void **state)
{
	struct ours *o = *state;
	struct turn turns[6];
	for (size_t i = 0; i < ARRAY_LEN(turns); i++)
		turns[i] = (struct turn){ "500 Internal Server Error", NULL, 0, 7, 7, 0, 0 };
	start(&o->peer, turns, ARRAY_LEN(turns));
	o->method = "GET";
	const struct http_transfer t = transfer(o);
	assert_int_equal(http_ask(o->session, &t, o->arena, &o->ans, &o->err), 0);
	assert_int_equal(o->ans.status, 500);
	assert_int_equal(o->ans.body.n, 7);
	assert_int_equal(stop(&o->peer), 3);
	assert_int_equal(http_ask(o->session, &t, o->arena, &o->ans, &o->err), -1); /* there is nobody any more */
	assert_int_equal(o->err.code, ERR_UNAVAILABLE);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(a_download_goes_on_where_it_broke_off),
		WITH(a_download_by_offsets_goes_on),
		WITH(a_download_by_offsets_of_another_file_begins_anew),
		WITH(who_asks_knows_what_passes),
		WITH(what_another_process_began_goes_on),
		WITH(what_another_process_began_and_has_changed_comes_anew),
		WITH(what_another_process_began_and_is_refused_comes_anew),
		WITH(a_download_in_many_pieces_ends),
		WITH(a_server_without_ranges_begins_anew),
		WITH(a_server_that_never_gets_further_is_given_up),
		WITH(what_changed_meanwhile_is_taken_whole),
		WITH(halves_of_two_files_are_not_one),
		WITH(another_part_than_asked_for_is_not_taken),
		WITH(chunks_that_break_off_are_no_end),
		WITH(a_pipe_gets_each_byte_once),
		WITH(a_full_disk_is_no_reason_to_try_again),
		WITH(an_overload_passes),
		WITH(a_refusal_is_an_answer),
		WITH(redirects_lead_to_the_file),
		WITH(an_upload_is_sent_whole_each_time),
		WITH(an_upload_that_breaks_off_is_tried_again),
		WITH(an_upload_to_who_has_closed_its_side_is_over),
		WITH(a_refusal_is_heard_before_the_body_is_sent),
		WITH(a_file_that_became_shorter_is_an_error),
		WITH(a_request_is_tried_again_as_often_as_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
