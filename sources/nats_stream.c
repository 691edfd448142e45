/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/nats_stream.h"

enum { ASK_BYTES = 8 << 20 }; /* in one request of more than one message */

static int
consumer_fits(const jsConsumerConfig *have, const struct nats_session *s, struct err *e)
{
	if (have->DeliverSubject)
		return err_set(e, ERR_INVALID, "nats: consumer %.*s: there is one of that name that pushes: a pull consumer is needed", STR_ARG(s->stream->durable));
	if (have->AckPolicy != js_AckExplicit)
		return err_set(e, ERR_INVALID, "nats: consumer %.*s: there is one of that name whose ack policy is not explicit", STR_ARG(s->stream->durable));
	if (have->FilterSubject && !str_eq(str_c(have->FilterSubject), s->subject))
		return err_set(e, ERR_INVALID, "nats: consumer %.*s: there is one of that name for subject %s", STR_ARG(s->stream->durable), have->FilterSubject);
	return 0;
}

static natsStatus
add_consumer(jsCtx *js, const struct nats_session *s, const char *stream, const char *durable, struct arena *a, jsErrCode *code)
{
	jsConsumerConfig config;
	nats_lib.jsConsumerConfig_Init(&config);
	config.Durable = durable;
	config.DeliverPolicy = (jsDeliverPolicy)s->stream->deliver;
	config.AckPolicy = js_AckExplicit;
	config.AckWait = s->stream->ack_wait.ns;
	config.FilterSubject = str_z(a, s->subject);
	config.MaxAckPending = FEED_WINDOW + NATS_ASK;
	return nats_lib.js_AddConsumer(NULL, js, stream, &config, NULL, code);
}

int
nats_stream_open(natsConnection *nc, const struct nats_session *session, jsCtx **js, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	const struct nats_stream *st = session->stream;
	const char *stream = str_z(a, st->stream), *durable = str_z(a, st->durable);
	jsConsumerInfo *info = NULL;
	jsErrCode code = 0;
	int rc = 0;
	natsStatus s = nats_lib.natsConnection_JetStream(js, nc, NULL);
	if (s == NATS_OK)
		s = nats_lib.js_GetConsumerInfo(&info, *js, stream, durable, NULL, &code);
	if (s == NATS_OK)
		rc = consumer_fits(info->Config, session, e);
	else if (code == JSConsumerNotFoundErr)
		s = add_consumer(*js, session, stream, durable, a, &code);
	nats_lib.jsConsumerInfo_Destroy(info);
	if (s == NATS_NO_RESPONDERS)
		return err_set(e, ERR_UNAVAILABLE, "nats: stream %s: the server has no JetStream, or not yet", stream);
	return s == NATS_OK ? rc : nats_fail(s, arena_fmt(a, "stream %s", stream).p, e);
}

natsStatus
nats_stream_ask(natsConnection *nc, const struct nats_stream *st, const char *inbox, unsigned n)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str subject = arena_fmt(a, "$JS.API.CONSUMER.MSG.NEXT.%.*s.%.*s", STR_ARG(st->stream), STR_ARG(st->durable));
	str limit = n > 1 ? arena_fmt(a, ",\"max_bytes\":%d", ASK_BYTES) : S("");
	str body = arena_fmt(a, "{\"batch\":%u,\"expires\":%lld%.*s}", n, (long long)(NATS_ASK_S * NS_PER_SEC), STR_ARG(limit));
	return nats_lib.natsConnection_PublishRequestString(nc, subject.p, inbox, body.p);
}

/* $JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE.CONSUMER_SEQUENCE.TIME.PENDING, since 2.2.3 with DOMAIN.ACCOUNT before STREAM and more behind (ADR-15). */
bool
nats_place(str reply, struct nats_place *out)
{
	str token[16];
	size_t n = 0;
	while (reply.n && n < ARRAY_LEN(token))
		token[n++] = str_cut(&reply, '.');
	if (n < 9 || n == 10 || !str_eq(token[0], S("$JS")) || !str_eq(token[1], S("ACK")))
		return false;
	size_t at = n == 9 ? 2 : 4;
	*out = (struct nats_place){ token[at], token[at + 3], token[at + 5] };
	return true;
}
