/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: a producer of librdkafka. A message is sent when the broker has confirmed it (delivery report), never before. With acks=all the
 * producer is idempotent: what librdkafka itself sends again after a break is in the topic once.
 *
 * Options of the target: acks (all, 1), compression, linger.ms, sasl.mechanism. Keys choose the partition as Sarama does (FNV-1a), so
 * that messages of one key stay in the partition where Argo Events put them; without a key it is any.
 * number[0] is the partition, number[1] the offset.
 */
#include <librdkafka/rdkafka.h>

#include "core/net/peer.h"

#define KAFKA_FUNCTIONS(X)                                                                                                  \
	X(conf_new) X(conf_set) X(conf_destroy) X(conf_set_dr_msg_cb) X(conf_set_error_cb) X(conf_set_log_cb) X(conf_set_opaque) X(new) X(destroy) \
	X(produceva) X(poll) X(err2str) X(metadata) X(metadata_destroy) X(purge) X(fatal_error) X(error_code) X(error_string) X(error_destroy)

static struct {
#define X(name) __typeof__(&rd_kafka_##name) name;
	KAFKA_FUNCTIONS(X)
#undef X
} rk;

static const struct peer_function functions[] = {
#define X(name) { "rd_kafka_" #name, (void **)&rk.name },
	KAFKA_FUNCTIONS(X)
#undef X
};

struct kafka {
	rd_kafka_t *rk;
	size_t under_way; /* of the batch: not reported yet */
	bool denied;      /* the last error was about who we are */
	char last[400];   /* last error of the connection: says why messages time out */
};

/* What the broker says about a message that will not be said otherwise about the same message: no use to send it again. */
static enum err_code
code_of(rd_kafka_resp_err_t err)
{
	switch ((int)err) {
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
		return ERR_INVALID;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		return ERR_DENIED;
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR__SSL:
		return ERR_UNAUTHENTICATED;
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		return ERR_NOT_FOUND;
	default:
		return ERR_UNAVAILABLE;
	}
}

static void
on_report(rd_kafka_t *c, const rd_kafka_message_t *r, void *opaque)
{
	struct kafka *k = opaque;
	struct peer_message *m = r->_private;
	(void)c;
	k->under_way--;
	m->number[0] = r->partition;
	m->number[1] = r->offset;
	bool connection = r->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || r->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || r->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
	m->settled = !connection;
	if (r->err && !connection)
		err_set(&m->err, code_of(r->err), "kafka: topic %.*s: %s", STR_ARG(m->to), rk.err2str(r->err));
}

static void
on_error(rd_kafka_t *c, int err, const char *reason, void *opaque)
{
	struct kafka *k = opaque;
	(void)c;
	if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && *k->last)
		return; /* says less than what came before it */
	k->denied = code_of(err) == ERR_UNAUTHENTICATED;
	snprintf(k->last, sizeof k->last, "%s", reason);
}

static void
on_log(const rd_kafka_t *c, int level, const char *facility, const char *text)
{
	/* what matters comes through on_error, and ends in the reason of the firing */
	(void)c, (void)level, (void)facility, (void)text;
}

static int
connection_error(const struct kafka *k, const char *otherwise, struct err *e)
{
	return err_set(e, k->denied ? ERR_UNAUTHENTICATED : ERR_UNAVAILABLE, "kafka: %s", *k->last ? k->last : otherwise);
}

/* ---- settings ------------------------------------------------------------------------------------------------------- */

static int
set(rd_kafka_conf_t *conf, struct arena *a, const char *name, str value, struct err *e)
{
	char why[300];
	if (!value.p)
		return 0;
	if (rk.conf_set(conf, name, str_z(a, value), why, sizeof why) == RD_KAFKA_CONF_OK)
		return 0;
	bool secret = strstr(name, "password") || strstr(name, "pem"); /* the reason may show the value */
	return err_set(e, ERR_INVALID, "kafka: %s: %s", name, secret ? "cannot be used" : why);
}

static int
configure(rd_kafka_conf_t *conf, const struct peer_target *t, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str acks = peer_option(t, "acks"), mechanism = peer_option(t, "sasl.mechanism");
	bool idempotent = !acks.p || str_eq(acks, S("all"));
	const struct {
		const char *name;
		str value;
	} settings[] = {
		{ "bootstrap.servers", t->address },
		{ "client.id", S("tidegate") },
		{ "acks", acks.p ? acks : S("all") },
		{ "enable.idempotence", idempotent ? S("true") : S("false") },
		{ "compression.codec", peer_option(t, "compression") },
		{ "linger.ms", peer_option(t, "linger.ms") },
		{ "partitioner", S("fnv1a_random") },
		{ "message.timeout.ms", arena_fmt(a, "%d", PEER_WAIT_MS) },
		{ "message.max.bytes", arena_fmt(a, "%d", PEER_MESSAGE_MAX + (1 << 20)) },
		{ "socket.keepalive.enable", S("true") },
		{ "reconnect.backoff.ms", S("50") },
		{ "reconnect.backoff.max.ms", S("1000") },
		{ "security.protocol", mechanism.p ? (t->tls ? S("sasl_ssl") : S("sasl_plaintext")) : (t->tls ? S("ssl") : S("plaintext")) },
		{ "sasl.mechanism", mechanism },
		{ "sasl.username", mechanism.p ? t->user : STR_NONE },
		{ "sasl.password", mechanism.p ? t->password : STR_NONE },
		{ "ssl.ca.pem", t->ca_pem },
		{ "ssl.certificate.pem", t->cert_pem },
		{ "ssl.key.pem", t->key_pem },
		{ "enable.ssl.certificate.verification", t->insecure ? S("false") : S("true") },
		{ "ssl.endpoint.identification.algorithm", t->insecure ? S("none") : S("https") },
	};
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (set(conf, a, settings[i].name, settings[i].value, e) < 0)
			return -1;
	return 0;
}

/* ---- the connection ------------------------------------------------------------------------------------------------- */

static void
kafka_close(void *conn)
{
	struct kafka *k = conn;
	if (k->rk) {
		rk.purge(k->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
		rk.destroy(k->rk);
	}
	free(k);
}

/* Whether any broker can be reached, and takes who we are: else every message would have to run into its timeout to tell. */
static int
reach(struct kafka *k, struct err *e)
{
	const struct rd_kafka_metadata *md;
	for (int waited = 0; waited < PEER_WAIT_MS; waited += 1000) {
		rd_kafka_resp_err_t err = rk.metadata(k->rk, 0, NULL, &md, 1000);
		if (!err) {
			rk.metadata_destroy(md);
			*k->last = 0;
			return 0;
		}
		rk.poll(k->rk, 0);
		if (k->denied || (*k->last && waited >= 2000))
			break;
	}
	return connection_error(k, "no broker answers", e);
}

static void *
kafka_open(const struct peer_target *t, struct err *e)
{
	static bool loaded;
	char why[300];
	if (peer_load(&loaded, "librdkafka.so.1", "librdkafka1", functions, ARRAY_LEN(functions), e) < 0)
		return NULL;
	struct kafka *k = MEM_NEW(struct kafka);
	rd_kafka_conf_t *conf = rk.conf_new();
	rk.conf_set_opaque(conf, k);
	rk.conf_set_dr_msg_cb(conf, on_report);
	rk.conf_set_error_cb(conf, on_error);
	rk.conf_set_log_cb(conf, on_log);
	if (configure(conf, t, e) < 0) {
		rk.conf_destroy(conf);
		free(k);
		return NULL;
	}
	k->rk = rk.new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	if (!k->rk) {
		err_set(e, ERR_INVALID, "kafka: %s", why);
		rk.conf_destroy(conf);
	} else if (reach(k, e) == 0) {
		return k;
	}
	kafka_close(k);
	return NULL;
}

static void
produce(struct kafka *k, struct peer_message *m)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	rd_kafka_vu_t *v = ARENA_ARRAY(a, rd_kafka_vu_t, m->headers_n + 5);
	size_t n = 0;
	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = str_z(a, m->to) };
	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { (void *)(uintptr_t)m->body.p, m->body.n } };
	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY };
	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = m };
	if (m->key.p)
		v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { (void *)(uintptr_t)m->key.p, m->key.n } };
	for (size_t i = 0; i < m->headers_n; i++)
		v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_HEADER,
			                  .u.header = { str_z(a, m->headers[i].name), m->headers[i].value.p, (ssize_t)m->headers[i].value.n } };
	rd_kafka_error_t *err = rk.produceva(k->rk, v, n);
	if (!err) {
		k->under_way++;
		return;
	}
	m->settled = true;
	err_set(&m->err, code_of(rk.error_code(err)), "kafka: topic %.*s: %s", STR_ARG(m->to), rk.error_string(err));
	rk.error_destroy(err);
}

static int
kafka_send(void *conn, struct peer_message *const *m, size_t n, struct err *e)
{
	struct kafka *k = conn;
	char why[300];
	bool all = true;
	for (size_t i = 0; i < n; i++)
		produce(k, m[i]);
	while (k->under_way) /* ends: message.timeout.ms bounds every message */
		rk.poll(k->rk, 1000);
	for (size_t i = 0; i < n; i++)
		all &= m[i]->settled;
	if (rk.fatal_error(k->rk, why, sizeof why))
		return err_set(e, ERR_UNAVAILABLE, "kafka: %s", why);
	return all ? 0 : connection_error(k, "the broker did not confirm in time", e);
}

const struct peer_ops peer_kafka = { "kafka", kafka_open, kafka_send, kafka_close };
