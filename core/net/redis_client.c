/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/redis_client.h"

#include <poll.h>
#include <sys/time.h>

#include "core/net/tcp.h"

#define REDIS_FUNCTIONS(X)                                                                                                             \
	X(redisConnectFd) X(redisFree) X(redisSetTimeout) X(redisAppendCommandArgv) X(redisGetReply) X(redisGetReplyFromReader) X(redisBufferRead) \
	X(redisBufferWrite) X(freeReplyObject)

static struct {
#define X(name) __typeof__(&name) name;
	REDIS_FUNCTIONS(X)
#undef X
} lib;

static const struct peer_function functions[] = {
#define X(name) { #name, (void **)&lib.name },
	REDIS_FUNCTIONS(X)
#undef X
};

enum { REDIS_PORT = 6379 };

struct redis {
	redisContext *c;
	bool tls, greeted;
	const char *hint; /* for a connection that breaks before it was of use */
};

void
redis_word(struct redis_words *w, str s)
{
	assert(w->count < REDIS_WORDS);
	w->p[w->count] = s.p ? s.p : "";
	w->n[w->count++] = s.n;
}

void
redis_word_c(struct redis_words *w, const char *z)
{
	redis_word(w, str_c(z));
}

/* ---- errors ---------------------------------------------------------------------------------------------------------- */

enum err_code
redis_code(str text)
{
	static const struct {
		str word;
		enum err_code code;
	} codes[] = {
		{ { "LOADING", 7 }, ERR_UNAVAILABLE }, { { "BUSY ", 5 }, ERR_UNAVAILABLE },     { { "MASTERDOWN", 10 }, ERR_UNAVAILABLE },
		{ { "TRYAGAIN", 8 }, ERR_UNAVAILABLE }, { { "CLUSTERDOWN", 11 }, ERR_UNAVAILABLE }, { { "READONLY", 8 }, ERR_UNAVAILABLE },
		{ { "OOM", 3 }, ERR_UNAVAILABLE },     { { "MISCONF", 7 }, ERR_UNAVAILABLE },  { { "NOREPLICAS", 10 }, ERR_UNAVAILABLE },
		{ { "NOAUTH", 6 }, ERR_UNAUTHENTICATED }, { { "WRONGPASS", 9 }, ERR_UNAUTHENTICATED }, { { "ERR invalid password", 20 }, ERR_UNAUTHENTICATED },
		{ { "NOPERM", 6 }, ERR_DENIED },
	};
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (str_starts(text, codes[i].word))
			return codes[i].code;
	return ERR_INVALID;
}

int
redis_fail(const redisReply *reply, const char *what, struct err *e)
{
	str text = redis_text(reply);
	return err_set(e, redis_code(text), "redis: %s: %.*s", what, STR_ARG(text));
}

static int
broken(const struct redis *r, const char *what, struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, "redis: %s: %s%s", what, r->c->err ? r->c->errstr : "no memory", r->greeted ? "" : r->hint);
}

/* ---- commands and replies -------------------------------------------------------------------------------------------- */

void
redis_append(struct redis *r, const struct redis_words *w)
{
	(void)lib.redisAppendCommandArgv(r->c, w->count, (const char **)(uintptr_t)w->p, w->n); /* want of memory is told by the next call */
}

int
redis_flush(struct redis *r, struct err *e)
{
	for (int done = 0; !done;)
		if (lib.redisBufferWrite(r->c, &done) != REDIS_OK)
			return broken(r, "sending", e);
	return 0;
}

int
redis_await(struct redis *r, const char *what, redisReply **out, struct err *e)
{
	void *reply = NULL;
	if (lib.redisGetReply(r->c, &reply) != REDIS_OK || !reply)
		return broken(r, what, e);
	*out = reply;
	return 0;
}

int
redis_look(struct redis *r, redisReply **out, struct err *e)
{
	for (;;) {
		void *reply = NULL;
		struct pollfd p = { .fd = r->c->fd, .events = POLLIN };
		if (lib.redisGetReplyFromReader(r->c, &reply) != REDIS_OK)
			return broken(r, "receiving", e);
		*out = reply;
		if (reply || poll(&p, 1, 0) <= 0)
			return 0;
		if (lib.redisBufferRead(r->c) != REDIS_OK)
			return broken(r, "receiving", e);
	}
}

int
redis_command(struct redis *r, const struct redis_words *w, const char *what, struct err *e)
{
	redisReply *reply = NULL;
	redis_append(r, w);
	if (redis_await(r, what, &reply, e) < 0)
		return -1;
	int rc = reply->type == REDIS_REPLY_ERROR ? redis_fail(reply, what, e) : 0;
	redis_free_reply(reply);
	return rc;
}

void
redis_free_reply(redisReply *reply)
{
	lib.freeReplyObject(reply);
}

/* ---- connecting ------------------------------------------------------------------------------------------------------ */

/* Whatever is asked first of a server that wants a password is refused: so PING asks, where nothing else is to be said. */
static int
greet(struct redis *r, const struct peer_target *t, struct err *e)
{
	struct redis_words auth = { .count = 0 }, next = { .count = 0 };
	str db = peer_option(t, "db");
	redis_word_c(&auth, "AUTH");
	if (t->user.n)
		redis_word(&auth, t->user);
	redis_word(&auth, t->password);
	if (t->password.p && redis_command(r, &auth, "logging in", e) < 0)
		return -1;
	redis_word_c(&next, db.p ? "SELECT" : "PING");
	if (db.p)
		redis_word(&next, db);
	if (redis_command(r, &next, db.p ? "choosing the database" : "greeting", e) < 0)
		return -1;
	r->greeted = true;
	return 0;
}

void
redis_close(struct redis *r)
{
	if (!r)
		return;
	if (r->c)
		lib.redisFree(r->c);
	free(r);
}

static int
connect_to(struct redis *r, const struct peer_target *t, struct err *e)
{
	const struct timeval third = { .tv_sec = PEER_WAIT_MS / 3000 }, most = { .tv_sec = PEER_WAIT_MS / 1000 };
	struct peer_url u;
	if (peer_url_parse(t->address, REDIS_PORT, &u, e) < 0)
		return -1;
	struct peer_target secure = *t;
	secure.tls = t->tls || str_eq(u.scheme, S("rediss"));
	r->hint = peer_tls_hint(&secure);
	int fd = tcp_or_tls("redis", t, secure.tls, u.host, u.port, e);
	if (fd < 0)
		return -1;
	r->c = lib.redisConnectFd(fd);
	if (!r->c)
		close_fd(&fd);
	if (!r->c || lib.redisSetTimeout(r->c, third) != REDIS_OK)
		return err_set(e, ERR_UNAVAILABLE, "redis: connecting: no memory");
	if (greet(r, t, e) < 0)
		return -1;
	return lib.redisSetTimeout(r->c, most) == REDIS_OK ? 0 : broken(r, "connecting", e);
}

struct redis *
redis_connect(const struct peer_target *t, struct err *e)
{
	static bool loaded;
	if (peer_load(&loaded, "libhiredis.so.0.14", "libhiredis0.14", functions, ARRAY_LEN(functions), e) < 0)
		return NULL;
	struct redis *r = MEM_NEW(struct redis);
	if (connect_to(r, t, e) == 0)
		return r;
	redis_close(r);
	return NULL;
}

int
redis_fd(const struct redis *r)
{
	return r->c->fd;
}
