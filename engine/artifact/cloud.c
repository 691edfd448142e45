/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/artifact/cloud.h"

#include "core/clock.h"

enum { PAGE_MAX = 16 << 20 /* bytes of a listing */, WORDS_MAX = 300 /* of a refusal in an error */ };

/* One request, with all its tries. */
struct asking {
	struct cloud *c;
	const struct cloud_request *r;
};

int64_t
cloud_now_ns(void)
{
	return clock_wall_ns();
}

str
cloud_place(const struct cloud *c, str key, struct arena *a)
{
	return arena_fmt(a, "%s %.*s, %.*s%s%.*s", c->name, STR_ARG(http_url_public(a, c->endpoint)), STR_ARG(c->bucket), key.n ? "/" : "", STR_ARG(key));
}

void
cloud_close(void *cloud)
{
	struct cloud *c = cloud;
	http_session_free(c->http);
	oauth_token_free(&c->token);
}

/* ---- asking -------------------------------------------------------------------------------------------------------- */

/* A download that goes on is of the same object, or refused with 412. */
static int
write_request(void *arg, uint64_t from, str etag, struct arena *a, struct http_call *call, struct err *e)
{
	const struct asking *x = arg;
	struct cloud_request r = *x->r;
	struct http_header *headers = ARENA_ARRAY(a, struct http_header, r.headers_n + 2);
	for (size_t i = 0; i < r.headers_n; i++)
		headers[i] = r.headers[i];
	if (from)
		headers[r.headers_n++] = (struct http_header){ S("Range"), arena_fmt(a, "bytes=%llu-", (unsigned long long)from) };
	if (from && etag.n)
		headers[r.headers_n++] = (struct http_header){ S("If-Match"), etag };
	r.headers = headers;
	if (x->c->write(x->c, &r, a, call, e) < 0)
		return -1;
	call->max_response = PAGE_MAX;
	return 0;
}

static struct http_transfer
transfer_of(struct asking *x)
{
	return (struct http_transfer){ .request = write_request, .arg = x, .watch = x->c->site->watch };
}

static enum err_code
code_of(int status)
{
	switch (status) {
	case 401: return ERR_UNAUTHENTICATED;
	case 403: return ERR_DENIED;
	case 404: return ERR_NOT_FOUND;
	case 408: case 412: case 416: case 429: return ERR_UNAVAILABLE; /* 412, 416: it was changed while it was read */
	default: return status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID;
	}
}

/* `rc` of the transfer. */
static int
judge(const struct asking *x, int rc, const struct http_answer *ans, struct arena *a, struct err *e)
{
	str place = cloud_place(x->c, x->r->key, a);
	if (rc < 0)
		return err_wrap(e, "%.*s", STR_ARG(place));
	if (ans->status / 100 == 2 || ans->status == x->r->fine)
		return 0;
	str words = x->c->refusal(a, ans->body);
	words = http_excerpt(a, str_slice(words.n ? words : ans->body, 0, WORDS_MAX));
	return err_set(e, code_of(ans->status), "%.*s: %s is answered with %d%s%.*s", STR_ARG(place), x->r->method, ans->status, words.n ? ", " : "",
	               STR_ARG(words));
}

int
cloud_ask(struct cloud *c, const struct cloud_request *r, struct arena *a, struct http_answer *out, struct err *e)
{
	struct asking x = { c, r };
	const struct http_transfer t = transfer_of(&x);
	int rc = http_ask(c->http, &t, a, out, e);
	return judge(&x, rc, out, a, e);
}

int
cloud_send(struct cloud *c, const struct cloud_request *r, int fd, uint64_t offset, struct arena *a, struct http_answer *out, struct err *e)
{
	struct asking x = { c, r };
	const struct http_transfer t = transfer_of(&x);
	int rc = http_upload(c->http, &t, fd, offset, r->bytes, a, out, e);
	return judge(&x, rc, out, a, e);
}

int
cloud_put(struct cloud *c, const struct cloud_request *r, int fd, uint64_t offset, struct arena *a, struct http_answer *out, struct err *e)
{
	struct cloud_request put = *r;
	struct http_header *headers = ARENA_ARRAY(a, struct http_header, r->headers_n + 2);
	for (size_t i = 0; i < r->headers_n; i++)
		headers[i] = r->headers[i];
	headers[put.headers_n++] = (struct http_header){ S("Content-Type"), CLOUD_BINARY };
	headers[put.headers_n] = (struct http_header){ S("Content-MD5"), r->md5 };
	if (!r->md5.n && cloud_md5(fd, offset, r->bytes, a, &headers[put.headers_n].value, e) < 0)
		return -1;
	put.headers_n++;
	put.method = "PUT";
	put.headers = headers;
	return cloud_send(c, &put, fd, offset, a, out, e);
}

int
cloud_send_once(struct cloud *c, const struct cloud_request *r, int fd, uint64_t offset, struct arena *a, struct http_answer *out, struct err *e)
{
	struct asking x = { c, r };
	struct http_transfer t = transfer_of(&x);
	t.tries = 1;
	int rc = judge(&x, http_upload(c->http, &t, fd, offset, r->bytes, a, out, e), out, a, e);
	return rc < 0 && (e->code == ERR_UNAVAILABLE || e->code == ERR_TIMEOUT) ? 1 : rc;
}

/* The tag is all that is needed to go on: what is compared in the end is in the head of any part, too. */
static void
keep_tag(void *arg, const struct http_answer *head)
{
	const struct artifact_begun *begun = arg;
	str etag = http_answer_header(head, "ETag");
	begun->keep(begun->arg, str_starts(etag, S("W/")) ? S("") : etag);
}

void
cloud_go_on(const struct artifact_site *site, struct http_transfer *t)
{
	if (!site->begun)
		return;
	t->began = keep_tag;
	t->began_arg = (void *)(uintptr_t)site->begun;
	t->have = site->begun->have;
	t->etag = site->begun->note;
}

int
cloud_receive(struct cloud *c, const struct cloud_request *r, int fd, struct arena *a, struct http_answer *out, struct err *e)
{
	struct asking x = { c, r };
	struct http_transfer t = transfer_of(&x);
	cloud_go_on(c->site, &t);
	int rc = http_download(c->http, &t, fd, a, out, e);
	return judge(&x, rc, out, a, e);
}

int
cloud_remove(void *cloud, str key, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_answer ans;
	int rc = cloud_ask(cloud, &(struct cloud_request){ .method = "DELETE", .key = key }, a, &ans, e);
	return rc < 0 && e->code == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- tokens -------------------------------------------------------------------------------------------------------- */

static int
write_token_call(void *arg, uint64_t from UNUSED, str etag UNUSED, struct arena *a, struct http_call *call, struct err *e)
{
	struct cloud *c = arg;
	return c->token_call(c, a, call, e);
}

int
cloud_token(struct cloud *c, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct http_answer ans;
	const struct http_transfer t = { .request = write_token_call, .arg = c };
	if (oauth_token_is_good(&c->token, cloud_now_ns()))
		return 0;
	if (http_ask(c->http, &t, a, &ans, e) < 0)
		return err_wrap(e, "a token to sign in with");
	if (ans.status == 200)
		return oauth_token_take(&c->token, ans.body, cloud_now_ns(), e);
	bool ours = ans.status == 400 || ans.status == 401 || ans.status == 403;
	str why = oauth_refusal(a, ans.body);
	return err_set(e, ours ? ERR_UNAUTHENTICATED : ERR_UNAVAILABLE, "a token to sign in with is refused with %d: %.*s", ans.status,
	               STR_ARG(http_excerpt(a, str_slice(why.n ? why : ans.body, 0, WORDS_MAX))));
}
