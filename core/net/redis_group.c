/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/redis_group.h"

#include "core/clock.h"

struct place {
	str pending; /* what is pending for us was given up to here; absent: all of it */
	str claimed; /* where XAUTOCLAIM goes on */
};

struct redis_group {
	const struct redis_member *m;
	char count[24], block[24], abandoned[24];
	struct redis *reads, *acts; /* the one that waits for entries, and the one for what is answered at once */
	struct place places[REDIS_STREAMS_MAX];
	size_t acks;                /* appended, not answered */
	bool waits;                 /* for entries */
	bool no_claims;             /* Redis before 6.2 has no XAUTOCLAIM */
	size_t claims;              /* the next stream to look for abandoned entries in; all: none until claim_at_ms */
	int64_t asked_ms, claim_at_ms;
};

/* Owned by the place. */
static void
set_place(str *place, str id)
{
	str old = *place;
	*place = id.p ? str_own(id) : STR_NONE;
	str_disown(old);
}

static bool
has_pending(const struct redis_group *g)
{
	for (size_t i = 0; i < g->m->streams_n; i++)
		if (g->places[i].pending.p)
			return true;
	return false;
}

static bool
is_list(const redisReply *reply, size_t at_least)
{
	return reply && reply->type == REDIS_REPLY_ARRAY && reply->elements >= at_least;
}

/* ---- entries --------------------------------------------------------------------------------------------------------- */

/* {id, {field, value, ...}}, or {id, nil}. */
static void
take(struct redis_group *g, size_t stream, const redisReply *entry, bool again)
{
	if (!is_list(entry, 2) || entry->element[0]->type != REDIS_REPLY_STRING)
		return;
	const redisReply *fields = is_list(entry->element[1], 0) ? entry->element[1] : NULL;
	g->m->entry(g->m->arg, stream, redis_text(entry->element[0]), fields, again);
}

/* While what is pending for us is read, no entries means that there are no more of it. */
static void
take_all(struct redis_group *g, size_t stream, const redisReply *entries, bool pending)
{
	for (size_t i = 0; i < entries->elements; i++)
		take(g, stream, entries->element[i], false);
	if (!pending)
		return;
	const redisReply *last = entries->elements ? entries->element[entries->elements - 1] : NULL;
	set_place(&g->places[stream].pending, is_list(last, 1) ? redis_text(last->element[0]) : STR_NONE);
}

static size_t
stream_of(const struct redis_group *g, str name)
{
	size_t i = 0;
	while (i < g->m->streams_n && !str_eq(g->m->streams[i], name))
		i++;
	return i;
}

/* {{stream, {entry, ...}}, ...}, or nothing after REDIS_BLOCK_MS. */
static int
look_at(struct redis_group *g, const redisReply *reply, struct err *e)
{
	bool pending = has_pending(g);
	if (reply->type == REDIS_REPLY_ERROR)
		return redis_fail(reply, "reading", e);
	for (size_t i = 0; is_list(reply, 0) && i < reply->elements; i++) {
		const redisReply *one = reply->element[i];
		if (!is_list(one, 2) || !is_list(one->element[1], 0))
			continue;
		size_t stream = stream_of(g, redis_text(one->element[0]));
		if (stream < g->m->streams_n)
			take_all(g, stream, one->element[1], pending);
	}
	return 0;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

/* Of the streams with entries that are pending for us those, else what is new in all. */
static int
ask(struct redis_group *g, struct err *e)
{
	struct redis_words w = { .count = 0 };
	bool pending = has_pending(g);
	redis_word_c(&w, "XREADGROUP");
	redis_word_c(&w, "GROUP");
	redis_word(&w, g->m->group);
	redis_word(&w, g->m->consumer);
	redis_word_c(&w, "COUNT");
	redis_word_c(&w, g->count);
	redis_word_c(&w, "BLOCK");
	redis_word_c(&w, g->block);
	redis_word_c(&w, "STREAMS");
	for (size_t i = 0; i < g->m->streams_n; i++)
		if (!pending || g->places[i].pending.p)
			redis_word(&w, g->m->streams[i]);
	for (size_t i = 0; i < g->m->streams_n; i++)
		if (!pending || g->places[i].pending.p)
			redis_word(&w, pending ? g->places[i].pending : S(">"));
	redis_append(g->reads, &w);
	g->waits = true;
	g->asked_ms = clock_monotonic_ms();
	return redis_flush(g->reads, e);
}

static int
read_all(struct redis_group *g, struct err *e)
{
	for (int n = 0; n < REDIS_ANSWERS_MAX; n++) {
		redisReply *reply = NULL;
		if (!g->waits && !g->m->wants(g->m->arg))
			return 0;
		if (!g->waits && ask(g, e) < 0)
			return -1;
		if (redis_look(g->reads, &reply, e) < 0)
			return -1;
		if (!reply)
			return clock_monotonic_ms() - g->asked_ms < 2 * REDIS_BLOCK_MS ? 0 : err_set(e, ERR_UNAVAILABLE, "redis: the server says nothing");
		g->waits = false;
		int rc = look_at(g, reply, e);
		redis_free_reply(reply);
		if (rc < 0)
			return -1;
	}
	return 1;
}

/* ---- taking over ----------------------------------------------------------------------------------------------------- */

/* {where to go on, {entry, ...}, ...}. */
static void
take_claimed(struct redis_group *g, size_t stream, const redisReply *reply)
{
	if (!is_list(reply, 2) || !is_list(reply->element[1], 0))
		return;
	const redisReply *entries = reply->element[1];
	for (size_t i = 0; i < entries->elements; i++)
		take(g, stream, entries->element[i], true);
	set_place(&g->places[stream].claimed, redis_text(reply->element[0]));
	if (str_eq(g->places[stream].claimed, S("0-0")))
		g->claims++;
}

static int
claim(struct redis_group *g, struct err *e)
{
	struct redis_words w = { .count = 0 };
	redisReply *reply = NULL;
	redis_word_c(&w, "XAUTOCLAIM");
	redis_word(&w, g->m->streams[g->claims]);
	redis_word(&w, g->m->group);
	redis_word(&w, g->m->consumer);
	redis_word_c(&w, g->abandoned);
	redis_word(&w, g->places[g->claims].claimed);
	redis_word_c(&w, "COUNT");
	redis_word_c(&w, g->count);
	redis_append(g->acts, &w);
	if (redis_await(g->acts, "taking over", &reply, e) < 0)
		return -1;
	int rc = 0;
	if (reply->type == REDIS_REPLY_ERROR && str_starts(redis_text(reply), S("ERR unknown command")))
		g->no_claims = true;
	else if (reply->type == REDIS_REPLY_ERROR)
		rc = redis_fail(reply, "taking over", e);
	else
		take_claimed(g, g->claims, reply);
	redis_free_reply(reply);
	return rc;
}

/* Once a minute, through all streams. */
static int
claim_abandoned(struct redis_group *g, struct err *e)
{
	size_t n = g->m->streams_n;
	if (g->claims >= n && clock_monotonic_ms() >= g->claim_at_ms)
		g->claims = 0;
	while (!g->no_claims && g->claims < n && g->m->wants(g->m->arg)) {
		if (claim(g, e) < 0)
			return -1;
		if (g->claims >= n)
			g->claim_at_ms = clock_monotonic_ms() + REDIS_ABANDONED_MS;
	}
	return 0;
}

int
redis_group_read(struct redis_group *g, struct err *e)
{
	int rc = read_all(g, e);
	if (rc < 0 || (!has_pending(g) && claim_abandoned(g, e) < 0))
		return -1;
	return rc;
}

int
redis_group_fd(const struct redis_group *g)
{
	return redis_fd(g->reads);
}

/* ---- acknowledging --------------------------------------------------------------------------------------------------- */

void
redis_group_ack(struct redis_group *g, size_t stream, const str *ids, size_t n)
{
	struct redis_words w = { .count = 0 };
	assert(n <= REDIS_ACKS_MAX);
	redis_word_c(&w, "XACK");
	redis_word(&w, g->m->streams[stream]);
	redis_word(&w, g->m->group);
	for (size_t i = 0; i < n; i++)
		redis_word(&w, ids[i]);
	redis_append(g->acts, &w);
	g->acks++;
}

int
redis_group_settle(struct redis_group *g, struct err *e)
{
	for (; g->acks; g->acks--) {
		redisReply *reply = NULL;
		if (redis_await(g->acts, "acknowledging", &reply, e) < 0)
			return -1;
		int rc = reply->type == REDIS_REPLY_ERROR ? redis_fail(reply, "acknowledging", e) : 0;
		redis_free_reply(reply);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ---- joining --------------------------------------------------------------------------------------------------------- */

void
redis_group_leave(struct redis_group *g)
{
	if (!g)
		return;
	redis_close(g->reads);
	redis_close(g->acts);
	for (size_t i = 0; i < g->m->streams_n; i++) {
		set_place(&g->places[i].pending, STR_NONE);
		set_place(&g->places[i].claimed, STR_NONE);
	}
	free(g);
}

/* A group that is there already is fine. */
static int
join(struct redis_group *g, str stream, struct err *e)
{
	struct redis_words w = { .count = 0 };
	redisReply *reply = NULL;
	redis_word_c(&w, "XGROUP");
	redis_word_c(&w, "CREATE");
	redis_word(&w, stream);
	redis_word(&w, g->m->group);
	redis_word_c(&w, "$");
	redis_word_c(&w, "MKSTREAM");
	redis_append(g->acts, &w);
	if (redis_await(g->acts, "joining the group", &reply, e) < 0)
		return -1;
	bool fine = reply->type != REDIS_REPLY_ERROR || str_starts(redis_text(reply), S("BUSYGROUP"));
	int rc = fine ? 0 : redis_fail(reply, "joining the group", e);
	redis_free_reply(reply);
	return rc;
}

static int
join_all(struct redis_group *g, const struct peer_target *t, struct err *e)
{
	g->acts = redis_connect(t, e);
	g->reads = g->acts ? redis_connect(t, e) : NULL;
	if (!g->reads)
		return -1;
	for (size_t i = 0; i < g->m->streams_n; i++) {
		if (join(g, g->m->streams[i], e) < 0)
			return -1;
		set_place(&g->places[i].pending, S("0-0"));
		set_place(&g->places[i].claimed, S("0-0"));
	}
	return 0;
}

struct redis_group *
redis_group_join(const struct peer_target *t, const struct redis_member *m, struct err *e)
{
	struct redis_group *g = MEM_NEW(struct redis_group);
	assert(m->streams_n <= REDIS_STREAMS_MAX);
	g->m = m;
	snprintf(g->count, sizeof g->count, "%lld", (long long)m->count);
	snprintf(g->block, sizeof g->block, "%d", REDIS_BLOCK_MS);
	snprintf(g->abandoned, sizeof g->abandoned, "%d", REDIS_ABANDONED_MS);
	if (join_all(g, t, e) == 0)
		return g;
	redis_group_leave(g);
	return NULL;
}
