/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: a producer of librdkafka. A message is sent when the broker has confirmed it (delivery report), never before. With acks=all the
 * producer is idempotent: what librdkafka itself sends again after a break is in the topic once.
 *
 * Options of the target: acks (all, 1), compression, linger.ms, sasl.mechanism; with those of core/net/avro_registry.h bodies are JSON, and are
 * sent as Avro. Keys choose the partition as Sarama does (FNV-1a), so
 * that messages of one key stay in the partition where Argo Events put them; without a key it is any.
 * number[0] is the partition, number[1] the offset.
 */
#include "core/net/avro_registry.h"
#include "core/net/kafka_login.h"

struct kafka {
	const struct kafka_api *api;
	rd_kafka_t *rk;
	size_t under_way; /* of the batch: not reported yet */
	struct kafka_login login;
	struct avro_registry *registry; /* NULL: bodies go as they are */
	bool denied;      /* the last error was about who we are */
	char last[400];   /* last error of the connection: says why messages time out */
};

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
		err_set(&m->err, kafka_error_code(r->err), "kafka: topic %.*s: %s", STR_ARG(m->to), k->api->err2str(r->err));
}

static void
on_error(rd_kafka_t *c, int err, const char *reason, void *opaque)
{
	struct kafka *k = opaque;
	(void)c;
	if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && *k->last)
		return; /* says less than what came before it */
	k->denied = kafka_error_code(err) == ERR_UNAUTHENTICATED;
	snprintf(k->last, sizeof k->last, "%s", reason);
}

/* Nobody will take what waits: it is not to wait for its time. */
static void
on_refresh(rd_kafka_t *rk, const char *config UNUSED, void *opaque)
{
	struct kafka *k = opaque;
	struct err e;
	if (kafka_login_refresh(&k->login, rk, &e) == 0)
		return;
	k->denied = e.code == ERR_UNAUTHENTICATED;
	snprintf(k->last, sizeof k->last, "%s", e.msg);
	k->api->purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
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
configure(const struct kafka_api *api, rd_kafka_conf_t *conf, const struct peer_target *t, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	str acks = peer_option(t, "acks");
	bool idempotent = !acks.p || str_eq(acks, S("all"));
	const struct {
		const char *name;
		str value;
	} settings[] = {
		{ "acks", acks.p ? acks : S("all") },
		{ "enable.idempotence", idempotent ? S("true") : S("false") },
		{ "compression.codec", peer_option(t, "compression") },
		{ "linger.ms", peer_option(t, "linger.ms") },
		{ "partitioner", S("fnv1a_random") },
		{ "message.timeout.ms", arena_fmt(a, "%d", PEER_WAIT_MS) },
		{ "message.max.bytes", arena_fmt(a, "%d", PEER_MESSAGE_MAX + (1 << 20)) },
		{ "reconnect.backoff.ms", S("50") },
		{ "reconnect.backoff.max.ms", S("1000") },
	};
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (kafka_conf_set(api, conf, a, settings[i].name, settings[i].value, e) < 0)
			return -1;
	return kafka_conf_target(api, conf, a, t, e);
}

/* ---- the connection ------------------------------------------------------------------------------------------------- */

static void
kafka_close(void *conn)
{
	struct kafka *k = conn;
	if (k->rk) {
		k->api->purge(k->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
		k->api->destroy(k->rk);
	}
	avro_registry_free(k->registry);
	kafka_login_end(&k->login);
	free(k);
}

/* Whether any broker can be reached, and takes who we are: else every message would have to run into its timeout to tell. */
static int
reach(struct kafka *k, struct err *e)
{
	const struct rd_kafka_metadata *md;
	for (int waited = 0; waited < PEER_WAIT_MS; waited += 1000) {
		k->api->poll(k->rk, 0);
		if (k->denied)
			break;
		rd_kafka_resp_err_t err = k->api->metadata(k->rk, 0, NULL, &md, 1000);
		if (!err) {
			k->api->metadata_destroy(md);
			*k->last = 0;
			return 0;
		}
		k->api->poll(k->rk, 0);
		if (k->denied || (*k->last && waited >= 2000))
			break;
	}
	return connection_error(k, "no broker answers", e);
}

static void *
kafka_open(const struct peer_target *t, struct err *e)
{
	char why[300];
	const struct kafka_api *api = kafka_load(e);
	if (!api)
		return NULL;
	struct kafka *k = MEM_NEW(struct kafka);
	k->api = api;
	k->registry = avro_registry_new(t);
	kafka_login_begin(&k->login, api, t);
	rd_kafka_conf_t *conf = api->conf_new();
	api->conf_set_opaque(conf, k);
	api->conf_set_dr_msg_cb(conf, on_report);
	api->conf_set_error_cb(conf, on_error);
	api->conf_set_log_cb(conf, on_log);
	if (kafka_login_wanted(t))
		api->conf_set_oauthbearer_token_refresh_cb(conf, on_refresh);
	if (configure(api, conf, t, e) < 0) {
		api->conf_destroy(conf);
		kafka_close(k);
		return NULL;
	}
	k->rk = api->new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	if (!k->rk) {
		err_set(e, ERR_INVALID, "kafka: %s", why);
		api->conf_destroy(conf);
	} else if (reach(k, e) == 0) {
		return k;
	}
	kafka_close(k);
	return NULL;
}

static void
produce(struct kafka *k, struct peer_message *m, str body)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	rd_kafka_vu_t *v = ARENA_ARRAY(a, rd_kafka_vu_t, m->headers_n + 5);
	size_t n = 0;
	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = str_z(a, m->to) };
	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { (void *)(uintptr_t)body.p, body.n } };
	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY };
	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = m };
	if (m->key.p)
		v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { (void *)(uintptr_t)m->key.p, m->key.n } };
	for (size_t i = 0; i < m->headers_n; i++)
		v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_HEADER,
			                  .u.header = { str_z(a, m->headers[i].name), m->headers[i].value.p, (ssize_t)m->headers[i].value.n } };
	rd_kafka_error_t *err = k->api->produceva(k->rk, v, n);
	if (!err) {
		k->under_way++;
		return;
	}
	m->settled = true;
	err_set(&m->err, kafka_error_code(k->api->error_code(err)), "kafka: topic %.*s: %s", STR_ARG(m->to), k->api->error_string(err));
	k->api->error_destroy(err);
}

/* As Avro. -1: the registry cannot say how, which is the same for all. */
static int
produce_avro(struct kafka *k, struct peer_message *m, struct err *e)
{
	struct buf body CLEANUP(free_buf) = { 0 };
	struct err why;
	if (avro_registry_encode(k->registry, m->body, &body, &why) == 0) {
		produce(k, m, buf_str(&body));
		return 0;
	}
	m->settled = !avro_registry_failed(&why);
	err_set(m->settled ? &m->err : e, why.code, "kafka: %s", why.msg);
	return m->settled ? 0 : -1;
}

static int
produce_all(struct kafka *k, struct peer_message *const *m, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!k->registry)
			produce(k, m[i], m[i]->body);
		else if (produce_avro(k, m[i], e) < 0)
			return -1;
	return 0;
}

static int
kafka_send(void *conn, struct peer_message *const *m, size_t n, struct err *e)
{
	struct kafka *k = conn;
	char why[300];
	bool all = true;
	int rc = produce_all(k, m, n, e);
	while (k->under_way) /* ends: message.timeout.ms bounds every message */
		k->api->poll(k->rk, 1000);
	if (rc < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		all &= m[i]->settled;
	if (k->api->fatal_error(k->rk, why, sizeof why))
		return err_set(e, ERR_UNAVAILABLE, "kafka: %s", why);
	return all ? 0 : connection_error(k, "the broker did not confirm in time", e);
}

const struct peer_ops peer_kafka = { "kafka", kafka_open, kafka_send, kafka_close };
