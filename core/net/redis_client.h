/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_client: a connection to Redis by hiredis, logged in: what the trigger's peer and the sources share. TLS goes through tls_pipe, because
 * the hiredis of Debian 12 has none. Options of the target: db. One thread.
 */
#ifndef TIDEGATE_CORE_NET_REDIS_CLIENT_H
#define TIDEGATE_CORE_NET_REDIS_CLIENT_H

#include <hiredis/hiredis.h>

#include "core/net/peer.h"

struct redis;

enum { REDIS_WORDS = 560 };
/* A command. The texts are borrowed until it is appended. */
struct redis_words {
	const char *p[REDIS_WORDS];
	size_t n[REDIS_WORDS];
	int count;
};
void redis_word(struct redis_words *w, str s);
void redis_word_c(struct redis_words *w, const char *z);

/* Within PEER_WAIT_MS. The address is host:port, redis://host:port or rediss://host:port, the last with TLS, as `t->tls` is. */
struct redis *redis_connect(const struct peer_target *t, struct err *e);
/* NULL is fine. */
void redis_close(struct redis *r);
int redis_fd(const struct redis *r);

/* Puts the command behind what is to be sent. */
void redis_append(struct redis *r, const struct redis_words *w);
/* Sends all that was appended, without waiting for replies. ERR_UNAVAILABLE. */
int redis_flush(struct redis *r, struct err *e) MUST_CHECK;
/*
 * Sends what was appended and waits for the next reply, PEER_WAIT_MS at most: redis_free_reply it. An error of the server is a reply. -1: the
 * connection is of no use any more.
 */
int redis_await(struct redis *r, const char *what, redisReply **out, struct err *e) MUST_CHECK;
/* The next reply if it is there; NULL: none is. Waits for nothing. */
int redis_look(struct redis *r, redisReply **out, struct err *e) MUST_CHECK;
/* One command that has to be answered well. */
int redis_command(struct redis *r, const struct redis_words *w, const char *what, struct err *e) MUST_CHECK;
void redis_free_reply(redisReply *reply);

static inline str
redis_text(const redisReply *reply)
{
	return (str){ reply->str, reply->len };
}
/* What an error of the server means (redis.io/docs, the error's first word): whether a later attempt may not meet it. */
enum err_code redis_code(str text);
/* "redis: WHAT: TEXT" with the code of the text. */
int redis_fail(const redisReply *reply, const char *what, struct err *e);

#endif
