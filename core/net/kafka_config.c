/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/kafka_config.h"

#include <strings.h>

#include "core/diag.h"
#include "core/net/kafka_login.h"

enum meaning { TEXT, FLAG, NOT_FLAG, NUMBER, MILLISECONDS, LEVEL, TRUE_ONLY, OIDC_ONLY, LOGIN, NO_EFFECT, REFUSED };

struct row {
	const char *name;    /* Sarama's, with dots between */
	enum meaning meaning;
	const char *setting; /* librdkafka's; of LOGIN: ours (kafka_login.h); of NO_EFFECT, REFUSED and those of one value: why */
};

#define BY_ITSELF "the client decides that by itself"
#define NOT_SENT "a source sends nothing"
#define BY_TLS "use the source's tls"
#define BY_SASL "use the source's sasl"
#define BY_DISK "offsets are committed when the events are on disk, and not otherwise"

static const struct row rows[] = {
	{ "Net.MaxOpenRequests", NUMBER, "max.in.flight.requests.per.connection" },
	{ "Net.DialTimeout", MILLISECONDS, "socket.connection.setup.timeout.ms" },
	{ "Net.ReadTimeout", MILLISECONDS, "socket.timeout.ms" },
	{ "Net.WriteTimeout", NO_EFFECT, "Net.ReadTimeout is for both ways" },
	{ "Net.KeepAlive", NO_EFFECT, "connections are always kept alive" },
	{ "Net.ResolveCanonicalBootstrapServers", NO_EFFECT, BY_ITSELF },
	{ "Net.LocalAddr", REFUSED, "the system chooses the address" },
	{ "Net.Proxy", REFUSED, "librdkafka knows no proxies" },
	{ "Net.TLS", REFUSED, BY_TLS },
	{ "Net.SASL", REFUSED, BY_SASL },
	{ "Metadata.RefreshFrequency", MILLISECONDS, "topic.metadata.refresh.interval.ms" },
	{ "Metadata.Full", NOT_FLAG, "topic.metadata.refresh.sparse" },
	{ "Metadata.AllowAutoTopicCreation", FLAG, "allow.auto.create.topics" },
	{ "Metadata.Retry", NO_EFFECT, "it is asked for until there is an answer" },
	{ "Metadata.Timeout", NO_EFFECT, "Net.ReadTimeout counts" },
	{ "Metadata.SingleFlight", NO_EFFECT, BY_ITSELF },
	{ "Consumer.Group.Session.Timeout", MILLISECONDS, "session.timeout.ms" },
	{ "Consumer.Group.Heartbeat.Interval", MILLISECONDS, "heartbeat.interval.ms" },
	{ "Consumer.Group.Rebalance.Timeout", MILLISECONDS, "max.poll.interval.ms" },
	{ "Consumer.Group.Rebalance.Strategy", REFUSED, "use the source's consumerGroup.rebalanceStrategy" },
	{ "Consumer.Group.Rebalance.GroupStrategies", REFUSED, "use the source's consumerGroup.rebalanceStrategy" },
	{ "Consumer.Group.Rebalance.Retry", NO_EFFECT, "a member joins until it is in" },
	{ "Consumer.Group.Member", NO_EFFECT, "nobody looks at it" },
	{ "Consumer.Group.InstanceId", TEXT, "group.instance.id" },
	{ "Consumer.Group.ResetInvalidOffsets", NO_EFFECT, "consumerGroup.oldest decides" },
	{ "Consumer.Retry.Backoff", MILLISECONDS, "fetch.error.backoff.ms" },
	{ "Consumer.Fetch.Min", NUMBER, "fetch.min.bytes" },
	{ "Consumer.Fetch.Default", NUMBER, "max.partition.fetch.bytes" },
	{ "Consumer.Fetch.Max", NO_EFFECT, "Consumer.Fetch.Default is the limit, but for a single larger message" },
	{ "Consumer.MaxWaitTime", MILLISECONDS, "fetch.wait.max.ms" },
	{ "Consumer.MaxProcessingTime", NO_EFFECT, "partitions do not wait for each other" },
	{ "Consumer.Return", NO_EFFECT, "errors show in the state of the source" },
	{ "Consumer.Offsets.AutoCommit.Enable", TRUE_ONLY, BY_DISK },
	{ "Consumer.Offsets.AutoCommit.Interval", MILLISECONDS, "auto.commit.interval.ms" },
	{ "Consumer.Offsets.CommitInterval", MILLISECONDS, "auto.commit.interval.ms" },
	{ "Consumer.Offsets.Initial", REFUSED, "use the source's consumerGroup.oldest" },
	{ "Consumer.Offsets.Retention", NO_EFFECT, "brokers decide that" },
	{ "Consumer.Offsets.Retry", NO_EFFECT, "a commit that fails is made again" },
	{ "Consumer.IsolationLevel", LEVEL, "isolation.level" },
	{ "Consumer.Interceptors", REFUSED, "there are none" },
	{ "ClientID", TEXT, "client.id" },
	{ "RackID", TEXT, "client.rack" },
	{ "ChannelBufferSize", NO_EFFECT, "use queued.min.messages" },
	{ "ApiVersionsRequest", NO_EFFECT, BY_ITSELF },
	{ "Version", NO_EFFECT, "client and broker agree on it by themselves" },
	{ "Producer", NO_EFFECT, NOT_SENT },
	{ "Admin", NO_EFFECT, "nothing is administered" },
	{ "MetricRegistry", REFUSED, "Tidegate has metrics of its own" },
	/* librdkafka's own names */
	{ "client.id", TEXT, "client.id" },
	{ "client.rack", TEXT, "client.rack" },
	{ "receive.message.max.bytes", TEXT, "receive.message.max.bytes" },
	{ "max.in.flight.requests.per.connection", TEXT, "max.in.flight.requests.per.connection" },
	{ "topic.metadata.refresh.interval.ms", TEXT, "topic.metadata.refresh.interval.ms" },
	{ "topic.metadata.refresh.fast.interval.ms", TEXT, "topic.metadata.refresh.fast.interval.ms" },
	{ "topic.metadata.refresh.sparse", TEXT, "topic.metadata.refresh.sparse" },
	{ "topic.metadata.propagation.max.ms", TEXT, "topic.metadata.propagation.max.ms" },
	{ "metadata.max.age.ms", TEXT, "metadata.max.age.ms" },
	{ "socket.timeout.ms", TEXT, "socket.timeout.ms" },
	{ "socket.send.buffer.bytes", TEXT, "socket.send.buffer.bytes" },
	{ "socket.receive.buffer.bytes", TEXT, "socket.receive.buffer.bytes" },
	{ "socket.nagle.disable", TEXT, "socket.nagle.disable" },
	{ "socket.max.fails", TEXT, "socket.max.fails" },
	{ "socket.connection.setup.timeout.ms", TEXT, "socket.connection.setup.timeout.ms" },
	{ "broker.address.ttl", TEXT, "broker.address.ttl" },
	{ "broker.address.family", TEXT, "broker.address.family" },
	{ "connections.max.idle.ms", TEXT, "connections.max.idle.ms" },
	{ "reconnect.backoff.ms", TEXT, "reconnect.backoff.ms" },
	{ "reconnect.backoff.max.ms", TEXT, "reconnect.backoff.max.ms" },
	{ "retry.backoff.ms", TEXT, "retry.backoff.ms" },
	{ "group.instance.id", TEXT, "group.instance.id" },
	{ "session.timeout.ms", TEXT, "session.timeout.ms" },
	{ "heartbeat.interval.ms", TEXT, "heartbeat.interval.ms" },
	{ "max.poll.interval.ms", TEXT, "max.poll.interval.ms" },
	{ "coordinator.query.interval.ms", TEXT, "coordinator.query.interval.ms" },
	{ "auto.commit.interval.ms", TEXT, "auto.commit.interval.ms" },
	{ "queued.min.messages", TEXT, "queued.min.messages" },
	{ "queued.max.messages.kbytes", TEXT, "queued.max.messages.kbytes" },
	{ "fetch.wait.max.ms", TEXT, "fetch.wait.max.ms" },
	{ "fetch.message.max.bytes", TEXT, "fetch.message.max.bytes" },
	{ "max.partition.fetch.bytes", TEXT, "max.partition.fetch.bytes" },
	{ "fetch.max.bytes", TEXT, "fetch.max.bytes" },
	{ "fetch.min.bytes", TEXT, "fetch.min.bytes" },
	{ "fetch.error.backoff.ms", TEXT, "fetch.error.backoff.ms" },
	{ "isolation.level", TEXT, "isolation.level" },
	{ "check.crcs", TEXT, "check.crcs" },
	{ "allow.auto.create.topics", TEXT, "allow.auto.create.topics" },
	{ "ssl.cipher.suites", TEXT, "ssl.cipher.suites" },
	{ "ssl.curves.list", TEXT, "ssl.curves.list" },
	{ "ssl.sigalgs.list", TEXT, "ssl.sigalgs.list" },
	{ "sasl.oauthbearer.method", OIDC_ONLY, "tokens come from a token endpoint: write oidc" },
	{ "sasl.oauthbearer.token.endpoint.url", LOGIN, KAFKA_LOGIN_ENDPOINT },
	{ "sasl.oauthbearer.scope", LOGIN, KAFKA_LOGIN_SCOPE },
	{ "sasl.oauthbearer.extensions", LOGIN, KAFKA_LOGIN_EXTENSIONS },
	{ "sasl.oauthbearer.client.id", REFUSED, "use sasl.userSecret" },
	{ "sasl.oauthbearer.client.secret", REFUSED, "use sasl.passwordSecret" },
	{ "sasl.oauthbearer.config", REFUSED, "tokens come from a token endpoint" },
	{ "enable.sasl.oauthbearer.unsecure.jwt", REFUSED, "tokens come from a token endpoint" },
	{ "group.id", REFUSED, "use the source's consumerGroup.groupName" },
	{ "auto.offset.reset", REFUSED, "use the source's consumerGroup.oldest" },
	{ "partition.assignment.strategy", REFUSED, "use the source's consumerGroup.rebalanceStrategy" },
	{ "bootstrap.servers", REFUSED, "use the source's url" },
	{ "metadata.broker.list", REFUSED, "use the source's url" },
	{ "security.protocol", REFUSED, "use the source's tls and sasl" },
	{ "enable.auto.commit", REFUSED, BY_DISK },
	{ "enable.auto.offset.store", REFUSED, BY_DISK },
};

/* ---- looking -------------------------------------------------------------------------------------------------------- */

static void
find(struct kafka_config *c, bool wrong, const struct val *at, str text)
{
	*VEC_PUSH(&c->findings) = (struct kafka_finding){ wrong, at ? at->line : 1, text };
}

static const struct row *
row_of(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq_nocase(name, str_c(rows[i].name)))
			return &rows[i];
	return NULL;
}

/* Whether it is the beginning of a name, "Consumer.Fetch". */
static bool
is_group(str name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].name) > name.n && rows[i].name[name.n] == '.' && strncasecmp(rows[i].name, name.p, name.n) == 0)
			return true;
	return false;
}

static void
find_unknown(struct kafka_config *c, const struct val *at, str name)
{
	const char *names[ARRAY_LEN(rows)];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		names[i] = rows[i].name;
	const char *near = diag_nearest(name, names, ARRAY_LEN(rows));
	str hint = near ? arena_fmt(c->arena, "; did you mean \"%s\"?", near) : S("; known are the names of Sarama's Config and of librdkafka's consumer");
	find(c, true, at, arena_fmt(c->arena, "unknown setting \"%.*s\"%.*s", STR_ARG(name), STR_ARG(hint)));
}

/* ---- values --------------------------------------------------------------------------------------------------------- */

static str
text_of(struct kafka_config *c, const struct val *v)
{
	if (v->kind == VAL_MAP || v->kind == VAL_LIST || v->kind == VAL_NULL)
		return STR_NONE;
	return v->kind == VAL_STR || v->kind == VAL_NUM ? arena_dup(c->arena, val_text(v)) : json_write(c->arena, v);
}

static str
flag_of(str text, bool negated)
{
	bool yes = str_eq(text, S("true")) || str_eq(text, S("1")), no = str_eq(text, S("false")) || str_eq(text, S("0"));
	return !yes && !no ? STR_NONE : yes != negated ? S("true") : S("false");
}

/* Durations of Go: "1m30s", or nanoseconds. */
static str
milliseconds_of(struct kafka_config *c, str text)
{
	struct err e;
	dur d;
	if (!str_to_i64(text, &d.ns) && dur_parse(text, &d, &e) < 0)
		return STR_NONE;
	return arena_fmt(c->arena, "%lld", (long long)(d.ns / NS_PER_MS));
}

static str
level_of(str text)
{
	return str_eq(text, S("0")) ? S("read_uncommitted") : str_eq(text, S("1")) ? S("read_committed") : STR_NONE;
}

static str
value_of(struct kafka_config *c, const struct row *row, str text)
{
	int64_t number;
	switch (row->meaning) {
	case FLAG: return flag_of(text, false);
	case NOT_FLAG: return flag_of(text, true);
	case NUMBER: return str_to_i64(text, &number) ? text : STR_NONE;
	case MILLISECONDS: return milliseconds_of(c, text);
	case LEVEL: return level_of(text);
	default: return text;
	}
}

/* Whether there is only one value for it, which is no setting. */
static bool
is_fixed(const struct row *row)
{
	return row->meaning == TRUE_ONLY || row->meaning == OIDC_ONLY;
}

static bool
is_the_one(const struct row *row, str value)
{
	return !is_fixed(row) || str_eq(row->meaning == OIDC_ONLY ? value : flag_of(value, false), row->meaning == OIDC_ONLY ? S("oidc") : S("true"));
}

/* What is ours. */
static int
check_login(struct kafka_config *c, const struct row *row, str value, struct err *e)
{
	const char **names;
	size_t n;
	if (!strcmp(row->setting, KAFKA_LOGIN_EXTENSIONS))
		return kafka_login_extensions(value, c->arena, &names, &n, e);
	if (!strcmp(row->setting, KAFKA_LOGIN_ENDPOINT) && !str_starts(value, S("https://")) && !str_starts(value, S("http://")))
		return err_set(e, ERR_INVALID, "must be a URL");
	return 0;
}

/* What librdkafka itself says of the value. */
static bool
is_good(struct kafka_config *c, const struct row *row, str value, struct err *e)
{
	struct err absent;
	if (row->meaning == LOGIN)
		return check_login(c, row, value, e) == 0;
	const struct kafka_api *k = kafka_load(&absent);
	if (!k)
		return true;
	rd_kafka_conf_t *conf = k->conf_new();
	char why[300];
	bool good = k->conf_set(conf, row->setting, str_z(c->arena, value), why, sizeof why) == RD_KAFKA_CONF_OK;
	k->conf_destroy(conf);
	str text = str_trim(str_c(why));
	if (!good)
		err_set(e, ERR_INVALID, "%.*s", STR_ARG(text));
	return good;
}

static void
set(struct kafka_config *c, const struct row *row, const struct val *at)
{
	struct err e = { 0 };
	str text = text_of(c, at), value = text.p ? value_of(c, row, text) : STR_NONE;
	if (!value.p)
		find(c, true, at, arena_fmt(c->arena, "%s: \"%.*s\" is no value for it", row->name, STR_ARG(text)));
	else if (!is_the_one(row, value))
		find(c, true, at, arena_fmt(c->arena, "%s: %s", row->name, row->setting));
	else if (!is_fixed(row) && !is_good(c, row, value, &e))
		find(c, true, at, arena_fmt(c->arena, "%s: %s", row->name, e.msg));
	else if (!is_fixed(row))
		*VEC_PUSH(&c->settings) = (struct http_header){ str_c(row->setting), value };
}

/* ---- the tree ------------------------------------------------------------------------------------------------------- */

static void read_map(struct kafka_config *c, const struct val *map, str prefix);

static void
read_member(struct kafka_config *c, const struct val *at, str name)
{
	const struct row *row = row_of(name);
	if (!row && at->kind == VAL_MAP && is_group(name))
		read_map(c, at, name);
	else if (!row)
		find_unknown(c, at, name);
	else if (row->meaning == NO_EFFECT)
		find(c, false, at, arena_fmt(c->arena, "%s has no effect here; %s", row->name, row->setting));
	else if (row->meaning == REFUSED)
		find(c, true, at, arena_fmt(c->arena, "%s: %s", row->name, row->setting));
	else
		set(c, row, at);
}

static void
read_map(struct kafka_config *c, const struct val *map, str prefix)
{
	for (size_t i = 0; i < map->n; i++) {
		str key = val_key(&map->members[i]);
		str name = prefix.n ? arena_fmt(c->arena, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(key)) : key;
		read_member(c, &map->members[i].value, name);
	}
}

void
kafka_config_read(struct kafka_config *c, str text)
{
	struct val *docs = NULL;
	size_t n = 0;
	struct diags d;
	diags_init(&d);
	if (yaml_read_all(c->arena, S("config"), text, NULL, &docs, &n, &d) < 0)
		find(c, true, NULL, arena_dup(c->arena, d.v.n ? d.v.p[0].text : S("this is no YAML")));
	else if (n > 1 || (n && docs[0].kind != VAL_MAP && docs[0].kind != VAL_NULL))
		find(c, true, NULL, S("a map of settings is wanted"));
	else if (n && docs[0].kind == VAL_MAP)
		read_map(c, &docs[0], STR_NONE);
	diags_free(&d);
}

void
kafka_config_free(struct kafka_config *c)
{
	VEC_FREE(&c->settings);
	VEC_FREE(&c->findings);
}

str
kafka_config_get(const struct kafka_config *c, const char *name)
{
	for (size_t i = 0; i < c->settings.n; i++)
		if (str_eq(c->settings.p[i].name, str_c(name)))
			return c->settings.p[i].value;
	return STR_NONE;
}
