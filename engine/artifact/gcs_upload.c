/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large files to Google Cloud Storage: a resumable session takes them in chunks, one behind the other, and tells at any time how much it has. So the next
 * process needs no more than the session's URI, which is good for a week, and whoever gives up deletes it. The CRC-32C of the whole is told when the session
 * begins: a file with another one is another upload.
 */
#include <time.h>

#include "engine/artifact/gcs.h"
#include "engine/artifact/journal.h"

#define CHUNK ((uint64_t)16 << 20) /* a multiple of 256 KiB */
enum { GOES_ON = 308, CANCELLED = 499, STUCK_MAX = 6 };

struct sending {
	const struct gcs_upload *file;
	struct cloud *c;
	struct journal_upload u; /* its id is the session's URI */
	uint64_t at;             /* so much of it is there */
	unsigned stuck;          /* tries that did not get on */
	bool done;
	bool lost;               /* the session is gone */
	struct arena *arena;
};

static str
place_of(const struct sending *x, struct arena *a)
{
	return cloud_place(x->c, x->u.key, a);
}

/* ---- the session ---------------------------------------------------------------------------------------------------- */

static int
begin(struct sending *x, struct err *e)
{
	struct http_answer ans;
	struct arena *a = x->arena;
	const struct http_header query[] = { { S("uploadType"), S("resumable") }, { S("name"), x->u.key } };
	const struct http_header headers[] = { { S("Content-Type"), S("application/json; charset=UTF-8") }, { S("X-Upload-Content-Type"), S(GCS_BINARY) },
		{ S("X-Upload-Content-Length"), arena_fmt(a, "%llu", (unsigned long long)x->u.bytes) } };
	const struct cloud_request r = { .method = "POST", .key = x->u.key, .query = query, .query_n = ARRAY_LEN(query), .headers = headers,
		.headers_n = ARRAY_LEN(headers), .body = gcs_description(x->file, a) };
	if (cloud_ask(x->c, &r, a, &ans, e) < 0)
		return -1;
	x->u.id = http_answer_header(&ans, "Location");
	if (!x->u.id.n)
		return err_set(e, ERR_UNAVAILABLE, "%.*s: the answer to an upload has no Location", STR_ARG(place_of(x, a)));
	journal_begin(x->c->site, &x->u, a);
	return 0;
}

/* One that has taken all, or is gone, or was never there, has nothing to give up. */
static void
give_up(void *arg, const struct journal_upload *u)
{
	struct sending *x = arg;
	struct http_answer ans;
	struct err e;
	const struct cloud_request r = { .method = "DELETE", .key = u->key, .url = u->id, .fine = CANCELLED };
	if (cloud_ask(x->c, &r, x->arena, &ans, &e) == 0 || e.code == ERR_NOT_FOUND || e.code == ERR_INVALID)
		journal_end(x->c->site, u->id, x->arena);
}

/* ---- chunks ---------------------------------------------------------------------------------------------------------- */

/* 1: it may be tried again. */
static int
send_chunk(const struct sending *x, struct arena *a, struct http_answer *ans, struct err *e)
{
	uint64_t n = x->u.bytes - x->at < CHUNK ? x->u.bytes - x->at : CHUNK;
	const struct http_header headers[] = { { S("Content-Type"), S(GCS_BINARY) }, { S("Content-Range"), arena_fmt(a, "bytes %llu-%llu/%llu",
		(unsigned long long)x->at, (unsigned long long)(x->at + n - 1), (unsigned long long)x->u.bytes) } };
	const struct cloud_request r = { .method = "PUT", .key = x->u.key, .url = x->u.id, .headers = headers, .headers_n = ARRAY_LEN(headers), .bytes = n,
		.fine = GOES_ON };
	return cloud_send_once(x->c, &r, x->file->fd, x->at, a, ans, e);
}

static int
ask_state(struct sending *x, struct arena *a, struct http_answer *ans, struct err *e)
{
	const struct http_header headers[] = { { S("Content-Range"), arena_fmt(a, "bytes */%llu", (unsigned long long)x->u.bytes) } };
	const struct cloud_request r = { .method = "PUT", .key = x->u.key, .url = x->u.id, .headers = headers, .headers_n = 1, .fine = GOES_ON };
	int rc = cloud_send(x->c, &r, x->file->fd, 0, a, ans, e);
	x->lost = rc < 0 && (e->code == ERR_NOT_FOUND || e->code == ERR_INVALID);
	if (x->lost)
		e->code = ERR_UNAVAILABLE; /* all of it again */
	return rc;
}

/* "bytes=0-N": so much it has. */
static int
read_range(struct sending *x, const struct http_answer *ans, struct arena *a, struct err *e)
{
	str range = http_answer_header(ans, "Range");
	int64_t last = -1;
	if (range.n && (!str_starts(range, S("bytes=0-")) || !str_to_i64(str_slice(range, 8, range.n), &last) || last < -1 || (uint64_t)(last + 1) > x->u.bytes))
		return err_set(e, ERR_UNAVAILABLE, "%.*s: the server says that it has \"%.*s\" of %llu bytes", STR_ARG(place_of(x, a)),
		               STR_ARG(str_slice(range, 0, 60)), (unsigned long long)x->u.bytes);
	x->at = (uint64_t)(last + 1);
	return 0;
}

static int
take_answer(struct sending *x, const struct http_answer *ans, struct arena *a, struct err *e)
{
	if (ans->status == GOES_ON)
		return read_range(x, ans, a, e);
	x->done = true;
	return gcs_check_made(x->file, ans, a, e);
}

/* How much of it is there already. */
static int
look(struct sending *x, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_answer ans;
	if (ask_state(x, a, &ans, e) < 0 || take_answer(x, &ans, a, e) < 0)
		return -1;
	watch_had(x->c->site->watch, x->at);
	return 0;
}

/* After a chunk that did not arrive the server is asked how much it has. */
static int
step(struct sending *x, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_answer ans;
	uint64_t before = x->at;
	int rc = x->at < x->u.bytes ? send_chunk(x, a, &ans, e) : ask_state(x, a, &ans, e);
	if (rc == 1) {
		if (x->stuck == STUCK_MAX)
			return -1;
		nanosleep(&(struct timespec){ .tv_nsec = (long)(NS_PER_SEC / 5) }, NULL);
		rc = ask_state(x, a, &ans, e);
	}
	if (rc < 0 || take_answer(x, &ans, a, e) < 0)
		return -1;
	x->stuck = x->at > before ? 0 : x->stuck + 1;
	return x->done || x->stuck <= STUCK_MAX ? 0 : err_set(e, ERR_UNAVAILABLE, "%.*s: the server takes no more of it", STR_ARG(place_of(x, a)));
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

static int
send_rest(struct sending *x, struct err *e)
{
	int rc = 0;
	while (rc == 0 && !x->done)
		rc = step(x, e);
	return rc;
}

/* A session that a process before us began may be gone by now: then all of it is sent. */
static int
put_all(struct sending *x, struct err *e)
{
	if (journal_take_up(x->c->site, &x->u, give_up, x, x->arena)) {
		int rc = look(x, e);
		if (!x->lost)
			return rc < 0 ? -1 : send_rest(x, e);
		journal_end(x->c->site, x->u.id, x->arena);
		x->u.id = STR_NONE;
		x->lost = false;
	}
	return begin(x, e) < 0 ? -1 : send_rest(x, e);
}

int
gcs_put_chunks(const struct gcs_upload *file, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct artifact_site *site = file->c->site;
	struct sending x = { .file = file, .c = file->c, .arena = a,
		.u = { .key = file->key, .sum = file->crc, .bytes = file->bytes, .part = file->bytes } };
	int rc = put_all(&x, e);
	if (x.done || x.lost)
		journal_end(site, x.u.id, a);
	else if (rc < 0 && x.u.id.n && !journal_may_go_on(site, e))
		give_up(&x, &x.u);
	return rc;
}

void
gcs_abandon(void *gcs)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct sending x = { .c = gcs, .arena = a };
	journal_each(x.c->site, give_up, &x);
}
