/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a cluster of HDFS. A name node says which data node has the bytes or takes them (307); with every try it is asked anew, as the data node may
 * be the one that is gone. A try that brought nothing goes to the next address: of two name nodes one is only waiting.
 */
#include "engine/artifact/hdfs.h"

#define REDIRECTS 3u
#define TRIES_EACH 3u /* more for each address beside the first */

struct asking {
	struct hdfs *h;
	const struct webhdfs_op *op;
	unsigned redirects;
	bool asked;    /* there was a try */
	uint64_t from; /* of it */
	uint64_t moved;
	struct transfer_watch watch; /* counts for us, and tells who wants to know */
};

/* ---- a name node ------------------------------------------------------------------------------------------------ */

static int
write_request(void *arg, uint64_t from, str etag UNUSED, struct arena *a, struct http_call *call, struct err *e UNUSED)
{
	struct asking *x = arg;
	struct hdfs *h = x->h;
	struct webhdfs_op op = *x->op;
	if (x->asked && x->from == from)
		h->active = (h->active + 1) % h->addresses.n;
	x->asked = true;
	x->from = from;
	if (from)
		op.query[op.query_n++] = (struct http_header){ S("offset"), arena_fmt(a, "%llu", (unsigned long long)from) };
	*call = (struct http_call){ .method = str_c(op.method), .url = webhdfs_url(h->addresses.p[h->active], &op, h->user, a),
		.max_redirects = x->redirects, .max_response = WEBHDFS_ANSWER_MAX, .tls_only = h->tls_only,
		.negotiate = h->login };
	return 0;
}

static bool
is_passing(void *arg UNUSED, const struct http_answer *ans)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct webhdfs_refusal r;
	if (ans->status / 100 != 4)
		return false;
	webhdfs_refusal(ans, a, &r);
	return r.passing;
}

static void
on_moved(void *arg, uint64_t bytes)
{
	struct asking *x = arg;
	x->moved += bytes;
	watch_moved(x->h->site->watch, bytes);
}

static void
on_total(void *arg, uint64_t bytes)
{
	const struct asking *x = arg;
	watch_total(x->h->site->watch, bytes);
}

static void
on_again(void *arg, const char *why)
{
	const struct asking *x = arg;
	watch_again(x->h->site->watch, why);
}

static const struct transfer_watch *
watch_of(struct asking *x)
{
	x->watch = (struct transfer_watch){ .moved = on_moved, .total = on_total, .again = on_again, .arg = x };
	return &x->watch;
}

static struct http_transfer
transfer_of(struct asking *x)
{
	unsigned more = (unsigned)(x->h->addresses.n - 1) * TRIES_EACH;
	return (struct http_transfer){ .request = write_request, .arg = x, .passing = is_passing, .offsets = true, .watch = watch_of(x),
		.tries = more ? 5 + more : 0 };
}

/* `rc` of the transfer. */
static int
judge(const struct hdfs *h, const struct webhdfs_op *op, int rc, const struct http_answer *ans, struct arena *a, struct err *e)
{
	str at = http_url_public(a, h->addresses.p[h->active]);
	struct webhdfs_refusal r;
	if (rc < 0)
		return err_wrap(e, "hdfs at %.*s, %s of %.*s", STR_ARG(at), op->op, STR_ARG(op->path));
	if (ans->status / 100 == 2 || ans->status == 307)
		return 0;
	webhdfs_refusal(ans, a, &r);
	return err_set(e, r.code, "hdfs at %.*s, %s of %.*s: %.*s", STR_ARG(at), op->op, STR_ARG(op->path), STR_ARG(r.text));
}

static int
ask(struct hdfs *h, const struct webhdfs_op *op, unsigned redirects, struct arena *a, struct http_answer *out, struct err *e)
{
	struct asking x = { .h = h, .op = op, .redirects = redirects };
	const struct http_transfer t = transfer_of(&x);
	int rc = http_ask(h->http, &t, a, out, e);
	return judge(h, op, rc, out, a, e);
}

int
hdfs_ask(struct hdfs *h, const struct webhdfs_op *op, struct arena *a, struct http_answer *out, struct err *e)
{
	return ask(h, op, str_eq(str_c(op->method), S("GET")) ? REDIRECTS : 0, a, out, e);
}

int
hdfs_ask_json(struct hdfs *h, const struct webhdfs_op *op, struct arena *a, struct val *out, struct err *e)
{
	struct http_answer ans;
	if (hdfs_ask(h, op, a, &ans, e) < 0)
		return -1;
	if (json_read(a, ans.body, out, e) < 0)
		return err_wrap(e, "hdfs at %.*s, the answer to %s of %.*s", STR_ARG(http_url_public(a, h->addresses.p[h->active])), op->op, STR_ARG(op->path));
	return 0;
}

int
hdfs_open(struct hdfs *h, str path, int fd, uint64_t *bytes, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct webhdfs_op op = { "GET", "OPEN", path, { { STR_NONE, STR_NONE } }, 0 };
	struct asking x = { .h = h, .op = &op, .redirects = REDIRECTS };
	const struct http_transfer t = transfer_of(&x);
	struct http_answer ans;
	int rc = http_download(h->http, &t, fd, a, &ans, e);
	*bytes = x.moved;
	return judge(h, &op, rc, &ans, a, e);
}

/* ---- a file that is made ---------------------------------------------------------------------------------------- */

/* Where the bytes are to go to, asked for anew with each try. */
static int
write_create(void *arg, uint64_t from UNUSED, str etag UNUSED, struct arena *a, struct http_call *call, struct err *e)
{
	static const struct http_header binary = { { "Content-Type", 12 }, { "application/octet-stream", 24 } };
	struct asking *x = arg;
	struct http_answer ans;
	if (ask(x->h, x->op, 0, a, &ans, e) < 0)
		return -1;
	str to = http_answer_header(&ans, "Location");
	if (ans.status != 307 || !to.n)
		return err_set(e, ERR_INVALID, "hdfs at %.*s: CREATE is answered with %d, and not with where to send the file",
		               STR_ARG(http_url_public(a, x->h->addresses.p[x->h->active])), ans.status);
	*call = (struct http_call){ .method = S("PUT"), .url = to, .headers = &binary, .headers_n = 1, .max_response = WEBHDFS_ANSWER_MAX,
		.tls_only = x->h->tls_only };
	return 0;
}

int
hdfs_create(struct hdfs *h, str path, int fd, uint64_t bytes, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct webhdfs_op op = { "PUT", "CREATE", path, { { S("overwrite"), S("true") } }, 1 };
	struct asking x = { .h = h, .op = &op };
	const struct http_transfer t = { .request = write_create, .arg = &x, .passing = is_passing, .watch = watch_of(&x) };
	struct http_answer ans;
	int rc = http_upload(h->http, &t, fd, 0, bytes, a, &ans, e);
	return judge(h, &op, rc, &ans, a, e);
}
