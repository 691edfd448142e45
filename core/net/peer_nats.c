/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nats: a connection of cnats. Plain messages are sent when the server has answered a ping behind them; with the verb "jetstream" when the
 * stream has acknowledged each, and the message's id is its Nats-Msg-Id, by which the stream drops what it has already.
 * number[0] is the sequence in the stream `text`, number[1] is 1 if the stream had the message.
 */
#include "core/net/nats_lib.h"

#define lib nats_lib

struct nats {
	natsConnection *nc;
	jsCtx *js;
};

/* ---- connecting ------------------------------------------------------------------------------------------------------ */

static void
nats_close(void *conn)
{
	struct nats *c = conn;
	if (c->js)
		lib.jsCtx_Destroy(c->js);
	if (c->nc)
		lib.natsConnection_Destroy(c->nc);
	free(c);
}

static void *
nats_open(const struct peer_target *t, struct err *e)
{
	struct nats *c = MEM_NEW(struct nats);
	if (nats_connect(t, NULL, NULL, &c->nc, e) == 0) {
		natsStatus s = lib.natsConnection_JetStream(&c->js, c->nc, NULL);
		if (s == NATS_OK)
			return c;
		nats_fail(s, "connecting", e);
	}
	nats_close(c);
	return NULL;
}

/* ---- sending --------------------------------------------------------------------------------------------------------- */

static natsStatus
make_message(const struct nats *c, const struct peer_message *m, natsMsg **out)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	natsStatus s = lib.natsMsg_Create(out, str_z(a, m->to), NULL, m->body.p, (int)m->body.n);
	if (lib.natsConnection_HasHeaderSupport(c->nc) != NATS_OK)
		return s;
	for (size_t i = 0; s == NATS_OK && i < m->headers_n; i++)
		s = lib.natsMsgHeader_Set(*out, str_z(a, m->headers[i].name), str_z(a, m->headers[i].value));
	return s;
}

static natsStatus
publish_to_stream(struct nats *c, struct peer_message *m, natsMsg *msg)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	jsPubOptions po;
	jsPubAck *ack = NULL;
	jsErrCode code = 0;
	lib.jsPubOptions_Init(&po);
	po.MaxWait = PEER_WAIT_MS / 3;
	po.MsgId = str_z(a, m->id);
	natsStatus s = lib.js_PublishMsg(&ack, c->js, msg, &po, &code);
	if (s == NATS_OK) {
		m->settled = true;
		m->number[0] = (int64_t)ack->Sequence;
		m->number[1] = ack->Duplicate;
		snprintf(m->text, sizeof m->text, "%s", ack->Stream ? ack->Stream : "");
		lib.jsPubAck_Destroy(ack);
	} else if (s == NATS_NO_RESPONDERS) { /* may also be JetStream that is not up again yet */
		m->settled = true;
		err_set(&m->err, ERR_UNAVAILABLE, "nats: no stream takes subject %.*s", STR_ARG(m->to));
	} else if (code) {
		m->settled = true;
		nats_fail(s, "the stream refuses", &m->err);
	}
	return s;
}

/* The fate of one message that did not need the flush; NATS_OK also for one that only it is told of. */
static natsStatus
publish(struct nats *c, struct peer_message *m)
{
	natsMsg *msg = NULL;
	int64_t max = lib.natsConnection_GetMaxPayload(c->nc);
	if ((int64_t)m->body.n > max) {
		m->settled = true;
		err_set(&m->err, ERR_LIMIT, "nats: a message of %zu bytes: the server takes %lld", m->body.n, (long long)max);
		return NATS_OK;
	}
	natsStatus s = make_message(c, m, &msg);
	if (s == NATS_OK)
		s = str_eq(m->verb, S("jetstream")) ? publish_to_stream(c, m, msg) : lib.natsConnection_PublishMsg(c->nc, msg);
	if (msg)
		lib.natsMsg_Destroy(msg);
	if (s == NATS_INVALID_SUBJECT || s == NATS_INVALID_ARG) {
		m->settled = true;
		nats_fail(s, "the message", &m->err);
	}
	return m->settled ? NATS_OK : s;
}

/*
 * The server said, before it answered the ping, that it took no message to a subject. It names one; whether that was all is not known, so
 * that the others go out again.
 */
static int
denied(struct peer_message *const *m, size_t n, const char *last, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		char quoted[300];
		snprintf(quoted, sizeof quoted, "\"%.*s\"", STR_ARG(m[i]->to));
		if (m[i]->settled || (last && n > 1 && !strcasestr(last, quoted)))
			continue;
		m[i]->settled = true;
		err_set(&m[i]->err, ERR_DENIED, "nats: %s", last ? last : "not permitted");
	}
	return err_set(e, ERR_UNAVAILABLE, "nats: a message sent along was not permitted");
}

static int
nats_send(void *conn, struct peer_message *const *m, size_t n, struct err *e)
{
	struct nats *c = conn;
	natsStatus s = NATS_OK;
	size_t sent = 0;
	const char *last = NULL;
	while (sent < n && s == NATS_OK)
		s = publish(c, m[sent++]);
	if (s == NATS_OK)
		s = lib.natsConnection_FlushTimeout(c->nc, PEER_WAIT_MS);
	if (s == NATS_OK && lib.natsConnection_GetLastError(c->nc, &last) == NATS_NOT_PERMITTED)
		return denied(m, n, last, e);
	if (s != NATS_OK)
		return nats_fail(s, "publishing", e);
	for (size_t i = 0; i < n; i++)
		m[i]->settled = true;
	return 0;
}

const struct peer_ops peer_nats = { "nats", nats_open, nats_send, nats_close };
