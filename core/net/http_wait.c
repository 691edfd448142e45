/* SPDX-License-Identifier: Apache-2.0 */
/* A call that is waited for: libcurl's easy interface, without loop and multi handle. */
#include "core/net/httpc_impl.h"

struct waited {
	struct arena *arena;
	struct http_answer *out;
	struct err err;
};

static void
keep_answer(void *arg, const struct http_answer *ans, const struct err *e)
{
	struct waited *w = arg;
	if (!ans) {
		w->err = *e;
		return;
	}
	struct http_header *h = ARENA_ARRAY(w->arena, struct http_header, ans->headers_n);
	for (size_t i = 0; i < ans->headers_n; i++)
		h[i] = (struct http_header){ arena_dup(w->arena, ans->headers[i].name), arena_dup(w->arena, ans->headers[i].value) };
	*w->out = (struct http_answer){ ans->status, h, ans->headers_n, arena_dup(w->arena, ans->body) };
}

int
http_wait(const struct http_call *call, struct arena *a, struct http_answer *out, struct err *e)
{
	struct httpc h = { 0 };
	struct waited w = { a, out, { 0 } };
	int rc;
	struct call *c = transfer_http(&h, call, keep_answer, &w, &rc);
	if (rc < 0)
		transfer_finish(c, NULL);
	else
		transfer_ended(&h, c->easy, h.curl.easy_perform(c->easy));
	if (h.multi)
		h.curl.multi_cleanup(h.multi);
	*e = w.err;
	return w.err.code ? -1 : 0;
}
