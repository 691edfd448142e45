/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of Sarama's Config as those of librdkafka, and what is said of connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/net/kafka_conf.h"
#include "core/net/kafka_config.h"

/* "name=value" of each setting and "!line text" (wrong) or "?line text" of each finding, a line each. */
static const char *
read_text(struct arena *a, const char *text)
{
	struct kafka_config c = { .arena = a };
	struct buf b = { 0 };
	kafka_config_read(&c, str_c(text));
	for (size_t i = 0; i < c.settings.n; i++)
		buf_addf(&b, "%.*s=%.*s\n", STR_ARG(c.settings.p[i].name), STR_ARG(c.settings.p[i].value));
	for (size_t i = 0; i < c.findings.n; i++)
		buf_addf(&b, "%c%u %.*s\n", c.findings.p[i].wrong ? '!' : '?', c.findings.p[i].line, STR_ARG(c.findings.p[i].text));
	kafka_config_free(&c);
	const char *z = str_z(a, buf_str(&b));
	buf_free(&b);
	return z;
}

static void
settings_have_the_names_of_librdkafka(void **state UNUSED)
{
	static const struct {
		const char *text, *settings;
	} cases[] = {
		{ "", "" },
		{ "{}", "" },
		{ "Net: {MaxOpenRequests: 5}", "max.in.flight.requests.per.connection=5\n" },
		{ "net: {maxopenrequests: 5, dialtimeout: 10s}", "max.in.flight.requests.per.connection=5\nsocket.connection.setup.timeout.ms=10000\n" },
		{ "Consumer: {Group: {Session: {Timeout: 20000000000}, Heartbeat: {Interval: 1.5s}}}", "session.timeout.ms=20000\nheartbeat.interval.ms=1500\n" },
		{ "Consumer: {IsolationLevel: 0}", "isolation.level=read_uncommitted\n" },
		{ "Consumer: {IsolationLevel: 7}", "!1 Consumer.IsolationLevel: \"7\" is no value for it\n" },
		{ "Metadata: {Full: false, AllowAutoTopicCreation: 'true'}", "topic.metadata.refresh.sparse=true\nallow.auto.create.topics=true\n" },
		{ "Consumer: {Offsets: {AutoCommit: {Enable: true, Interval: 250ms}}}", "auto.commit.interval.ms=250\n" },
		{ "ClientID: me\nfetch.min.bytes: 7\n", "client.id=me\nfetch.min.bytes=7\n" },
		{ "\nClientId: me\nfetch.min.byte: 7\n", "client.id=me\n!3 unknown setting \"fetch.min.byte\"; did you mean \"fetch.min.bytes\"?\n" },
		{ "Consumer: 5", "!1 unknown setting \"Consumer\"; known are the names of Sarama's Config and of librdkafka's consumer\n" },
		{ "ClientID: [a]", "!1 ClientID: \"\" is no value for it\n" },
		{ "plugin.library.paths: /tmp/x.so",
		  "!1 unknown setting \"plugin.library.paths\"; known are the names of Sarama's Config and of librdkafka's consumer\n" },
		{ "sasl.oauthbearer.method: oidc\nsasl.oauthbearer.token.endpoint.url: https://t/o\nsasl.oauthbearer.scope: a b\nsasl.oauthbearer.extensions: k=v,l=w",
		  "login.endpoint=https://t/o\nlogin.scope=a b\nlogin.extensions=k=v,l=w\n" },
		{ "sasl: {oauthbearer: {method: default, extensions: k, token: {endpoint: {url: t}}, client: {secret: x}}}",
		  "!1 sasl.oauthbearer.method: tokens come from a token endpoint: write oidc\n!1 sasl.oauthbearer.extensions: extensions are name=value, with commas between\n"
		  "!1 sasl.oauthbearer.token.endpoint.url: must be a URL\n!1 sasl.oauthbearer.client.secret: use sasl.passwordSecret\n" },
		{ "- a", "!1 a map of settings is wanted\n" },
		{ "a: b\n---\nc: d\n", "!1 a map of settings is wanted\n" },
		{ "version: 2.0.0\nproducer: {retry: {max: 5}}\n",
		  "?1 Version has no effect here; client and broker agree on it by themselves\n?2 Producer has no effect here; a source sends nothing\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a = arena_new();
		assert_string_equal(read_text(a, cases[i].text), cases[i].settings);
		arena_free(a);
	}
}

static void
a_text_that_is_no_yaml_is_said_to_be_none(void **state UNUSED)
{
	struct arena *a = arena_new();
	const char *found = read_text(a, "a: [");
	assert_int_equal(found[0], '!');
	arena_free(a);
}

static void
the_same_trouble_has_the_same_words(void **state UNUSED)
{
	static const char *const cases[][2] = {
		{ "sasl_ssl://localhost:9093/bootstrap: Connect to ipv4#127.0.0.1:9093 failed: Connection refused (after 3ms in state CONNECT)",
		  "localhost:9093: Connection refused" },
		{ "127.0.0.1:35179/1: Disconnected (after 12013ms in state UP)", "127.0.0.1:35179: Disconnected" },
		{ "GroupCoordinator: 127.0.0.1:35179: Disconnected (after 12013ms in state UP)", "127.0.0.1:35179: Disconnected" },
		{ "ssl://[::1]:9093/bootstrap: Connect to ipv6#[::1]:9093 failed: Connection refused (after 0ms in state CONNECT, 5 identical error(s) suppressed)",
		  "[::1]:9093: Connection refused" },
		{ "sasl_ssl://h:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or password (after 5ms in state AUTH_REQ)",
		  "h:1: SASL authentication error: Authentication failed: Invalid username or password" },
		{ "1/1 brokers are down", "1/1 brokers are down" },
		{ "Subscribed topic not available: orders: Broker: Unknown topic or partition", "Subscribed topic not available: orders: Broker: Unknown topic or partition" },
		{ "", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[200];
		kafka_reason(cases[i][0], out, sizeof out);
		assert_string_equal(out, cases[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_have_the_names_of_librdkafka),
		cmocka_unit_test(a_text_that_is_no_yaml_is_said_to_be_none),
		cmocka_unit_test(the_same_trouble_has_the_same_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
