/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reader is told is on disk: the loop decides ahead of the disk, and an answer made of what it decided waits for the transaction that
 * holds it. Else somebody could act upon a workflow that a crash takes back. While nothing is being written nothing waits.
 */
#include "api/rest.h"
#include "core/store.h"

struct answer {
	struct http_req *req;
	str body;
};

static void
answer_now(void *arg)
{
	struct answer *a = arg;
	http_reply(a->req, 200, rest_json_type, a->body);
}

void
rest_reply_settled(struct http_req *r, struct store *store, str body)
{
	struct answer *a = ARENA_NEW(http_req_arena(r), struct answer);
	*a = (struct answer){ r, body };
	store_after_commit(store, answer_now, a);
}

/* A message of a stream that waits. */
struct held {
	struct link link; /* in the stream's, while there is one */
	struct stream *stream; /* NULL: gone */
	struct buf text;
};

static void
held_settled(void *arg)
{
	struct held *h = arg;
	if (h->stream) {
		list_del(&h->link);
		stream_pass(h->stream, buf_str(&h->text));
	}
	buf_free(&h->text);
	free(h);
}

void
stream_send_settled(struct stream *s, const struct val *result)
{
	struct store *store = s->api->env.store;
	if (list_empty(&s->held) && !store_pending(store)) {
		stream_send(s, result);
		return;
	}
	struct held *h = MEM_NEW(struct held);
	h->stream = s;
	stream_text(s, S("result"), result, &h->text);
	list_add_tail(&s->held, &h->link);
	store_after_commit(store, held_settled, h);
}

void
stream_forget_held(struct stream *s)
{
	LIST_EACH(&s->held, struct held, link, h) {
		list_del(&h->link);
		h->stream = NULL;
	}
}
