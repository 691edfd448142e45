/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis: commands of one connection of hiredis, sent together and answered in order. The verb is "publish" (number[0]: receivers), "xadd"
 * (text: id of the entry; an option `maxlen` bounds the stream) or "rpush" or "lpush" (number[0]: length of the list). A list and a channel
 * carry the body alone; an entry of a stream also has the id of the message and its headers. Options of the target: db, maxlen.
 */
#include <hiredis/hiredis.h>

#include "core/net/peer.h"

#define REDIS_FUNCTIONS(X) \
	X(redisConnectWithTimeout) X(redisFree) X(redisSetTimeout) X(redisAppendCommandArgv) X(redisGetReply) X(freeReplyObject) X(redisEnableKeepAlive)

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

enum { REDIS_PORT = 6379, WORDS_MAX = 220 };

struct redis {
	redisContext *c;
	str maxlen;
};

struct words {
	const char *p[WORDS_MAX];
	size_t n[WORDS_MAX];
	int count;
};

static void
word(struct words *w, str s)
{
	assert(w->count < WORDS_MAX);
	w->p[w->count] = s.p ? s.p : "";
	w->n[w->count++] = s.n;
}

/* Errors that a later attempt may not meet: the server loads, is full or is being replaced (redis.io/docs, the error's first word). */
static enum err_code
code_of(str text)
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

static int
broken(const struct redis *r, const char *what, struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, "redis: %s: %s", what, r->c && r->c->err ? r->c->errstr : "no memory");
}

/* One command that has to be answered well, before anything else is sent. */
static int
command(struct redis *r, const struct words *w, const char *what, struct err *e)
{
	redisReply *reply = NULL;
	void *got = NULL;
	if (lib.redisAppendCommandArgv(r->c, w->count, (const char **)(uintptr_t)w->p, w->n) || lib.redisGetReply(r->c, &got))
		return broken(r, what, e);
	reply = got;
	str text = { reply->str, reply->len };
	int rc = reply->type == REDIS_REPLY_ERROR ? err_set(e, code_of(text), "redis: %s: %.*s", what, STR_ARG(text)) : 0;
	lib.freeReplyObject(reply);
	return rc;
}

static int
greet(struct redis *r, const struct peer_target *t, struct err *e)
{
	struct words auth = { .count = 0 }, select = { .count = 0 };
	str db = peer_option(t, "db");
	word(&auth, S("AUTH"));
	if (t->user.n)
		word(&auth, t->user);
	word(&auth, t->password);
	if (t->password.p && command(r, &auth, "logging in", e) < 0)
		return -1;
	word(&select, S("SELECT"));
	word(&select, db);
	return db.p ? command(r, &select, "choosing the database", e) : 0;
}

static void
redis_close(void *conn)
{
	struct redis *r = conn;
	if (r->c)
		lib.redisFree(r->c);
	free(r);
}

static int
connect_to(struct redis *r, const struct peer_target *t, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	struct timeval third = { .tv_sec = PEER_WAIT_MS / 3000 }, most = { .tv_sec = PEER_WAIT_MS / 1000 };
	struct peer_url u;
	if (peer_url_parse(t->address, REDIS_PORT, &u, e) < 0)
		return -1;
	r->c = lib.redisConnectWithTimeout(str_z(a, u.host), u.port, third);
	if (!r->c || r->c->err)
		return broken(r, "connecting", e);
	lib.redisEnableKeepAlive(r->c);
	lib.redisSetTimeout(r->c, most);
	return greet(r, t, e);
}

static void *
redis_open(const struct peer_target *t, struct err *e)
{
	static bool loaded;
	if (peer_load(&loaded, "libhiredis.so.0.14", "libhiredis0.14", functions, ARRAY_LEN(functions), e) < 0)
		return NULL;
	struct redis *r = MEM_NEW(struct redis);
	r->maxlen = peer_option(t, "maxlen");
	if (connect_to(r, t, e) == 0)
		return r;
	redis_close(r);
	return NULL;
}

static void
append(struct redis *r, const struct peer_message *m)
{
	struct words w = { .count = 0 };
	bool stream = str_eq(m->verb, S("xadd"));
	word(&w, m->verb);
	word(&w, m->to);
	if (stream && r->maxlen.p) {
		word(&w, S("MAXLEN"));
		word(&w, S("~"));
		word(&w, r->maxlen);
	}
	if (stream) {
		word(&w, S("*"));
		word(&w, S("payload"));
	}
	word(&w, m->body);
	for (size_t i = 0; stream && i < m->headers_n; i++) {
		word(&w, m->headers[i].name);
		word(&w, m->headers[i].value);
	}
	lib.redisAppendCommandArgv(r->c, w.count, (const char **)(uintptr_t)w.p, w.n);
}

static void
settle(struct peer_message *m, const redisReply *reply)
{
	str text = { reply->str, reply->len };
	m->settled = true;
	m->number[0] = reply->integer;
	if (reply->type == REDIS_REPLY_ERROR)
		err_set(&m->err, code_of(text), "redis: %.*s %.*s: %.*s", STR_ARG(m->verb), STR_ARG(m->to), STR_ARG(text));
	else if (reply->str)
		snprintf(m->text, sizeof m->text, "%.*s", STR_ARG(text));
}

static int
redis_send(void *conn, struct peer_message *const *m, size_t n, struct err *e)
{
	struct redis *r = conn;
	for (size_t i = 0; i < n; i++)
		append(r, m[i]);
	for (size_t i = 0; i < n; i++) {
		void *reply = NULL;
		if (lib.redisGetReply(r->c, &reply) || !reply)
			return broken(r, "sending", e);
		settle(m[i], reply);
		lib.freeReplyObject(reply);
	}
	return 0;
}

const struct peer_ops peer_redis = { "redis", redis_open, redis_send, redis_close };
