/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nats: a connection of cnats. Plain messages are sent when the server has answered a ping behind them; with the verb "jetstream" when the
 * stream has acknowledged each, and the message's id is its Nats-Msg-Id, by which the stream drops what it has already.
 * number[0] is the sequence in the stream `text`, number[1] is 1 if the stream had the message.
 */
#include <nats/nats.h>

#include "core/net/peer.h"

#define NATS_FUNCTIONS(X)                                                                                                   \
	X(natsOptions_Create) X(natsOptions_Destroy) X(natsOptions_SetURL) X(natsOptions_SetServers) X(natsOptions_SetUserInfo) X(natsOptions_SetToken) \
	X(natsOptions_SetNKeyFromSeed) X(natsOptions_SetUserCredentialsFromFiles) X(natsOptions_SetName) X(natsOptions_SetTimeout) X(natsOptions_SetSecure) \
	X(natsOptions_SetCATrustedCertificates) X(natsOptions_SetCertificatesChain) X(natsOptions_SkipServerVerification) X(natsOptions_SetAllowReconnect) \
	X(natsConnection_Connect) X(natsConnection_Destroy) X(natsConnection_PublishMsg) X(natsConnection_FlushTimeout) X(natsConnection_GetLastError) \
	X(natsConnection_HasHeaderSupport) X(natsConnection_JetStream) X(natsConnection_IsClosed) X(natsConnection_GetMaxPayload) X(natsMsg_Create) \
	X(natsMsg_Destroy) X(natsMsgHeader_Set) X(js_PublishMsg) X(jsPubAck_Destroy) X(jsPubOptions_Init) X(jsCtx_Destroy) X(natsStatus_GetText) \
	X(nats_GetLastError)

static struct {
#define X(name) __typeof__(&name) name;
	NATS_FUNCTIONS(X)
#undef X
} lib;

static const struct peer_function functions[] = {
#define X(name) { #name, (void **)&lib.name },
	NATS_FUNCTIONS(X)
#undef X
};

struct nats {
	natsConnection *nc;
	jsCtx *js;
};

static int
fail(natsStatus s, const char *what, struct err *e)
{
	natsStatus of;
	const char *detail = lib.nats_GetLastError(&of);
	bool denied = s == NATS_CONNECTION_AUTH_FAILED || s == NATS_SSL_ERROR || s == NATS_NOT_PERMITTED;
	bool ours = s == NATS_INVALID_ARG || s == NATS_INVALID_SUBJECT || s == NATS_ADDRESS_MISSING;
	enum err_code code = denied ? ERR_UNAUTHENTICATED : ours ? ERR_INVALID : ERR_UNAVAILABLE;
	bool more = detail && *detail && of == s;
	return err_set(e, code, "nats: %s: %s%s%s", what, lib.natsStatus_GetText(s), more ? ": " : "", more ? detail : "");
}

/* ---- connecting ------------------------------------------------------------------------------------------------------ */

static natsStatus
set_login(natsOptions *o, const struct peer_target *t, struct arena *a, int *fd, struct err *e)
{
	char path[32];
	natsStatus s = NATS_OK;
	if (t->user.p)
		s = lib.natsOptions_SetUserInfo(o, str_z(a, t->user), str_z(a, t->password));
	if (s == NATS_OK && t->token.p)
		s = lib.natsOptions_SetToken(o, str_z(a, t->token));
	if (s == NATS_OK && t->creds.p)
		s = peer_file(t->creds, fd, path, e) < 0 ? NATS_ERR : lib.natsOptions_SetUserCredentialsFromFiles(o, path, NULL);
	if (s == NATS_OK && t->nkey.p)
		s = peer_file(t->nkey, fd, path, e) < 0 ? NATS_ERR :
		                                          lib.natsOptions_SetNKeyFromSeed(o, str_z(a, peer_option(t, "nkey.public")), path);
	return s;
}

static natsStatus
set_tls(natsOptions *o, const struct peer_target *t, struct arena *a)
{
	natsStatus s = lib.natsOptions_SetSecure(o, true);
	if (s == NATS_OK && t->ca_pem.p)
		s = lib.natsOptions_SetCATrustedCertificates(o, str_z(a, t->ca_pem));
	if (s == NATS_OK && t->cert_pem.p)
		s = lib.natsOptions_SetCertificatesChain(o, str_z(a, t->cert_pem), str_z(a, t->key_pem));
	if (s == NATS_OK && t->insecure)
		s = lib.natsOptions_SkipServerVerification(o, true);
	return s;
}

static natsStatus
set_servers(natsOptions *o, str address, struct arena *a)
{
	const char *servers[16];
	int n = 0;
	while (address.n && n < (int)ARRAY_LEN(servers))
		servers[n++] = str_z(a, str_trim(str_cut(&address, ',')));
	return lib.natsOptions_SetServers(o, servers, n);
}

/* A break is ours to mend (peer.c): the library's own way of doing so would keep messages that nobody waits for. */
static natsStatus
configure(natsOptions *o, const struct peer_target *t, int *fd, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	natsStatus s = set_servers(o, t->address, a);
	if (s == NATS_OK)
		s = lib.natsOptions_SetName(o, "tidegate");
	if (s == NATS_OK)
		s = lib.natsOptions_SetAllowReconnect(o, false);
	if (s == NATS_OK)
		s = lib.natsOptions_SetTimeout(o, PEER_WAIT_MS / 3);
	if (s == NATS_OK)
		s = set_login(o, t, a, fd, e);
	if (s == NATS_OK && t->tls)
		s = set_tls(o, t, a);
	return s;
}

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
	static bool loaded;
	int fd CLEANUP(close_fd) = -1;
	natsOptions *o = NULL;
	if (peer_load(&loaded, "libnats.so.3.4", "libnats3.4", functions, ARRAY_LEN(functions), e) < 0)
		return NULL;
	struct nats *c = MEM_NEW(struct nats);
	natsStatus s = lib.natsOptions_Create(&o);
	if (s == NATS_OK)
		s = configure(o, t, &fd, e);
	if (s == NATS_OK)
		s = lib.natsConnection_Connect(&c->nc, o);
	if (s == NATS_OK)
		s = lib.natsConnection_JetStream(&c->js, c->nc, NULL);
	lib.natsOptions_Destroy(o);
	if (s == NATS_OK)
		return c;
	struct err why = *e;
	if (!e->code && fail(s, "connecting", &why) < 0)
		err_set(e, why.code, "%s%s", why.msg, s == NATS_SSL_ERROR || why.code != ERR_UNAVAILABLE ? "" : peer_tls_hint(t));
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
		fail(s, "the stream refuses", &m->err);
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
		fail(s, "the message", &m->err);
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
		return fail(s, "publishing", e);
	for (size_t i = 0; i < n; i++)
		m[i]->settled = true;
	return 0;
}

const struct peer_ops peer_nats = { "nats", nats_open, nats_send, nats_close };
