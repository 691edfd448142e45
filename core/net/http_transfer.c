/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trying again, and going on where a download broke off. A server that has the range answers 206 with Content-Range; one that does
 * not know ranges, or has something else by now (If-Range), answers 200 with all of it: then what is there already is overwritten or,
 * where the tag says that it is the same, skipped.
 */
#include "core/net/http_session.h"

#include <time.h>

#define TRIES 5u
#define TRIES_BEGUN 8u /* 23 s: a server that was there comes back */
#define WAIT_MS 200u
#define WAIT_MAX_MS 10000u
#define UNKNOWN UINT64_MAX

/* ---- trying again -------------------------------------------------------------------------------------------------- */

struct tries {
	const struct http_transfer *t;
	unsigned left;
	unsigned wait_ms;
};

static struct tries
tries_of(const struct http_transfer *t)
{
	return (struct tries){ t, t->tries ? t->tries : TRIES, WAIT_MS };
}

static void
sleep_ms(unsigned ms)
{
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* What a server says of itself, not of the request. */
static bool
is_passing(const struct http_transfer *t, const struct http_answer *ans)
{
	int status = ans->status;
	if (t->passing && t->passing(t->arg, ans))
		return true;
	return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

/* Retry-After in seconds, as far as it is not longer than we would wait at most. */
static unsigned
asked_to_wait(const struct http_answer *ans)
{
	int64_t s;
	str text = http_answer_header(ans, "Retry-After");
	if (!text.p || !str_to_i64(text, &s) || s < 0)
		return 0;
	return s * 1000 > WAIT_MAX_MS ? WAIT_MAX_MS : (unsigned)s * 1000;
}

static void
tell_again(const struct http_transfer *t, const struct http_answer *ans, const struct err *e)
{
	char why[48];
	snprintf(why, sizeof why, "it was answered with %d", ans ? ans->status : 0);
	watch_again(t->watch, ans ? why : e->msg);
}

/* Whether there is another try; waits for it. `ans` NULL: there was no answer, for `e`. */
static bool
another(struct tries *t, const struct http_answer *ans, const struct err *e)
{
	bool passing = ans ? is_passing(t->t, ans) : e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT;
	if (!passing || --t->left == 0)
		return false;
	tell_again(t->t, ans, e);
	unsigned asked = ans ? asked_to_wait(ans) : 0;
	sleep_ms(asked > t->wait_ms ? asked : t->wait_ms);
	t->wait_ms = t->wait_ms * 2 > WAIT_MAX_MS ? WAIT_MAX_MS : t->wait_ms * 2;
	return true;
}

static int
make_request(const struct http_transfer *t, uint64_t from, str etag, struct arena *a, struct http_call *call, struct err *e)
{
	*call = (struct http_call){ 0 };
	return t->request(t->arg, from, etag, a, call, e);
}

/* ---- requests and uploads ------------------------------------------------------------------------------------------ */

static int
send_again(struct http_session *s, const struct http_transfer *t, struct http_upload *up, struct arena *a, struct http_answer *out, struct err *e)
{
	struct tries tries = tries_of(t);
	struct http_call call;
	int rc;
	do {
		if (make_request(t, 0, STR_NONE, a, &call, e) < 0)
			return -1;
		rc = http_session_send(s, &call, up, NULL, a, out, e);
	} while (another(&tries, rc < 0 ? NULL : out, e));
	return rc;
}

int
http_ask(struct http_session *s, const struct http_transfer *t, struct arena *a, struct http_answer *out, struct err *e)
{
	return send_again(s, t, NULL, a, out, e);
}

int
http_upload(struct http_session *s, const struct http_transfer *t, int fd, uint64_t offset, uint64_t bytes, struct arena *a, struct http_answer *out,
	struct err *e)
{
	struct http_upload up = { .fd = fd, .offset = offset, .bytes = bytes, .watch = t->watch };
	return send_again(s, t, &up, a, out, e);
}

/* ---- downloads ------------------------------------------------------------------------------------------------------- */

struct download {
	const struct http_transfer *t;
	struct arena *arena;
	int fd;
	off_t start;      /* of the body in fd; -1: it is a pipe */
	uint64_t have;    /* bytes of the body that were written */
	uint64_t most;    /* that there ever were: who begins anew each time does not get on */
	uint64_t skip;    /* of what comes: they are there already */
	uint64_t total;   /* UNKNOWN: it was not said */
	str etag;
	struct err err;   /* why it cannot go on */
	bool moved;       /* with this request, and further than any before */
};

/* "bytes 100-199/200" */
static bool
read_range(str text, uint64_t *from, uint64_t *total)
{
	int64_t first, all;
	if (!str_starts(text, S("bytes ")))
		return false;
	text = str_slice(text, 6, text.n);
	str range = str_cut(&text, '/'), first_text = str_cut(&range, '-');
	if (!str_to_i64(first_text, &first) || first < 0)
		return false;
	*from = (uint64_t)first;
	*total = str_to_i64(text, &all) && all >= 0 ? (uint64_t)all : UNKNOWN;
	return true;
}

static bool
set_back(struct download *d)
{
	if (d->start < 0 || lseek(d->fd, d->start, SEEK_SET) != d->start || ftruncate(d->fd, d->start) < 0)
		return false;
	d->have = 0;
	d->total = UNKNOWN;
	d->etag = STR_NONE;
	return true;
}

/* All of it comes again. */
static int
begin_anew(struct download *d, str etag)
{
	bool same = etag.p && d->etag.p && str_eq(etag, d->etag);
	if (d->have == 0 || set_back(d))
		return 0;
	if (!same)
		return err_set(&d->err, ERR_UNAVAILABLE, "it was changed while it was read, or its server cannot go on in the middle");
	d->skip = d->have;
	return 0;
}

/* What comes is the rest, as it was asked for. */
static int
read_rest(struct download *d, const struct http_answer *head)
{
	int64_t n;
	bool known = str_to_i64(http_answer_header(head, "Content-Length"), &n) && n >= 0;
	uint64_t total = known ? d->have + (uint64_t)n : UNKNOWN;
	d->skip = 0;
	if (known && d->total != UNKNOWN && total != d->total) {
		(void)set_back(d);
		return err_set(&d->err, ERR_UNAVAILABLE, "it was changed while it was read");
	}
	d->total = known ? total : d->total;
	if (known)
		watch_total(d->t->watch, total);
	return 0;
}

static int
read_head(struct download *d, int status, const struct http_answer *head)
{
	if (d->t->offsets && status == 200)
		return read_rest(d, head);
	str etag = http_answer_header(head, "ETag"), length = http_answer_header(head, "Content-Length");
	uint64_t from = 0, total = UNKNOWN;
	int64_t n;
	d->skip = 0;
	if (status == 206 && !read_range(http_answer_header(head, "Content-Range"), &from, &total))
		return err_set(&d->err, ERR_UNAVAILABLE, "the server sends a part, and does not say which");
	if (status == 206 && (from != d->have || (d->total != UNKNOWN && total != UNKNOWN && total != d->total)))
		return err_set(&d->err, ERR_UNAVAILABLE, "the server sends another part than the one asked for");
	if (status == 206 && etag.p && d->etag.p && !str_eq(etag, d->etag)) {
		(void)set_back(d); /* a server that does not look at If-Range; the next try is for all of it */
		return err_set(&d->err, ERR_UNAVAILABLE, "it was changed while it was read");
	}
	if (status != 206 && begin_anew(d, etag) < 0)
		return -1;
	if (status != 206)
		total = str_to_i64(length, &n) && n >= 0 && !http_answer_header(head, "Content-Encoding").p ? (uint64_t)n : UNKNOWN;
	if (total != UNKNOWN || status != 206)
		d->total = total;
	if (d->total != UNKNOWN)
		watch_total(d->t->watch, d->total);
	if (etag.p || status != 206)
		d->etag = arena_dup(d->arena, etag);
	if (status != 206 && d->t->began)
		d->t->began(d->t->began_arg, head);
	return 0;
}

static void
on_head(void *arg, int status, const struct http_answer *head)
{
	struct download *d = arg;
	(void)read_head(d, status, head); /* what is wrong with it shows with the first bytes, or at the end */
}

static void
note_progress(struct download *d, uint64_t n)
{
	d->have += n;
	if (d->have <= d->most)
		return;
	watch_moved(d->t->watch, d->have - d->most);
	d->most = d->have;
	d->moved = true;
}

static bool
on_piece(void *arg, str bytes)
{
	struct download *d = arg;
	if (d->err.code)
		return false;
	size_t over = d->skip < bytes.n ? (size_t)d->skip : bytes.n;
	d->skip -= over;
	bytes = str_slice(bytes, over, bytes.n);
	while (bytes.n) {
		ssize_t n = write(d->fd, bytes.p, bytes.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)err_errno(&d->err, "write what comes");
			if (errno == EFBIG)
				d->err.code = ERR_LIMIT;
			return false;
		}
		note_progress(d, (uint64_t)n);
		bytes = str_slice(bytes, (size_t)n, bytes.n);
	}
	return true;
}

/* One request. 1: an answer that is no part of the body. */
static int
get_part(struct http_session *s, struct download *d, struct http_answer *out, struct err *e)
{
	struct http_call call;
	d->moved = false;
	d->err = (struct err){ 0 };
	if (make_request(d->t, d->have, d->etag, d->arena, &call, e) < 0)
		return -1;
	const struct http_sink sink = { on_piece, on_head, d };
	int rc = http_session_send(s, &call, NULL, &sink, d->arena, out, e);
	if (d->err.code) {
		*e = d->err;
		return -1;
	}
	if (rc == 0 && out->status / 100 == 2 && d->total != UNKNOWN && d->have != d->total)
		return err_set(e, ERR_UNAVAILABLE, "%llu of %llu bytes came", (unsigned long long)d->have, (unsigned long long)d->total);
	return rc < 0 ? -1 : out->status / 100 != 2;
}

/* The rest of what was begun is not to be had: it has changed (If-Match), or become shorter. Then all of it, from the start. */
static bool
lost_its_rest(struct download *d, const struct http_answer *ans)
{
	return d->have && (ans->status == 412 || ans->status == 416) && set_back(d);
}

/* What is there already. */
static int
take_over(struct download *d, struct err *e)
{
	if (!d->t->have)
		return 0;
	d->have = d->most = d->t->have;
	d->etag = d->t->etag;
	watch_had(d->t->watch, d->have);
	return d->start < 0 || lseek(d->fd, (off_t)d->have, SEEK_CUR) < 0 ? err_errno(e, "go on with what came") : 0;
}

int
http_download(struct http_session *s, const struct http_transfer *t, int fd, struct arena *a, struct http_answer *out, struct err *e)
{
	struct download d = { .t = t, .arena = a, .fd = fd, .start = lseek(fd, 0, SEEK_CUR), .total = UNKNOWN };
	struct tries tries = tries_of(t);
	int rc;
	if (take_over(&d, e) < 0)
		return -1;
	do {
		rc = get_part(s, &d, out, e);
		if (rc == 1 && lost_its_rest(&d, out))
			rc = err_set(e, ERR_UNAVAILABLE, "it was changed while it was read");
		if (rc < 0 && d.moved)
			tries = (struct tries){ t, t->tries ? t->tries : TRIES_BEGUN, WAIT_MS };
	} while (rc && another(&tries, rc < 0 ? NULL : out, e));
	return rc < 0 ? -1 : 0;
}
