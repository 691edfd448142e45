/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis: commands of one connection of hiredis, sent together and answered in order. The verb is "publish" (number[0]: receivers), "xadd"
 * (text: id of the entry; an option `maxlen` bounds the stream) or "rpush" or "lpush" (number[0]: length of the list). A list and a channel
 * carry the body alone; an entry of a stream also has the id of the message and its headers. Options of the target: db, maxlen.
 */
#include "core/net/redis_client.h"

struct sender {
	struct redis *r;
	str maxlen;
};

static void
sender_close(void *conn)
{
	struct sender *s = conn;
	redis_close(s->r);
	free(s);
}

static void *
sender_open(const struct peer_target *t, struct err *e)
{
	struct redis *r = redis_connect(t, e);
	if (!r)
		return NULL;
	struct sender *s = MEM_NEW(struct sender);
	*s = (struct sender){ r, peer_option(t, "maxlen") };
	return s;
}

static void
append(struct sender *s, const struct peer_message *m)
{
	struct redis_words w = { .count = 0 };
	bool stream = str_eq(m->verb, S("xadd"));
	redis_word(&w, m->verb);
	redis_word(&w, m->to);
	if (stream && s->maxlen.p) {
		redis_word_c(&w, "MAXLEN");
		redis_word_c(&w, "~");
		redis_word(&w, s->maxlen);
	}
	if (stream) {
		redis_word_c(&w, "*");
		redis_word_c(&w, "payload");
	}
	redis_word(&w, m->body);
	for (size_t i = 0; stream && i < m->headers_n; i++) {
		redis_word(&w, m->headers[i].name);
		redis_word(&w, m->headers[i].value);
	}
	redis_append(s->r, &w);
}

static void
settle(struct peer_message *m, const redisReply *reply)
{
	str text = redis_text(reply);
	m->settled = true;
	m->number[0] = reply->integer;
	if (reply->type == REDIS_REPLY_ERROR)
		err_set(&m->err, redis_code(text), "redis: %.*s %.*s: %.*s", STR_ARG(m->verb), STR_ARG(m->to), STR_ARG(text));
	else if (reply->str)
		snprintf(m->text, sizeof m->text, "%.*s", STR_ARG(text));
}

static int
sender_send(void *conn, struct peer_message *const *m, size_t n, struct err *e)
{
	struct sender *s = conn;
	for (size_t i = 0; i < n; i++)
		append(s, m[i]);
	for (size_t i = 0; i < n; i++) {
		redisReply *reply;
		if (redis_await(s->r, "sending", &reply, e) < 0)
			return -1;
		settle(m[i], reply);
		redis_free_reply(reply);
	}
	return 0;
}

const struct peer_ops peer_redis = { "redis", sender_open, sender_send, sender_close };
