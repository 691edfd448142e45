/* SPDX-License-Identifier: Apache-2.0 */
#include "core/net/kafka_conf.h"

const struct kafka_api *
kafka_load(struct err *e)
{
	static struct kafka_api api;
	static bool loaded;
	static const struct peer_function functions[] = {
#define X(name) { "rd_kafka_" #name, (void **)&api.name },
		KAFKA_FUNCTIONS(X)
#undef X
	};
	return peer_load(&loaded, "librdkafka.so.1", "librdkafka1", functions, ARRAY_LEN(functions), e) < 0 ? NULL : &api;
}

/* ---- settings ------------------------------------------------------------------------------------------------------- */

int
kafka_conf_set(const struct kafka_api *k, rd_kafka_conf_t *conf, struct arena *a, const char *name, str value, struct err *e)
{
	char why[300];
	if (!value.p)
		return 0;
	if (k->conf_set(conf, name, str_z(a, value), why, sizeof why) == RD_KAFKA_CONF_OK)
		return 0;
	bool secret = strstr(name, "password") || strstr(name, "pem"); /* the reason may show the value */
	return err_set(e, ERR_INVALID, "kafka: %s: %s", name, secret ? "cannot be used" : why);
}

static str
protocol_of(bool sasl, bool tls)
{
	if (sasl)
		return tls ? S("sasl_ssl") : S("sasl_plaintext");
	return tls ? S("ssl") : S("plaintext");
}

int
kafka_conf_target(const struct kafka_api *k, rd_kafka_conf_t *conf, struct arena *a, const struct peer_target *t, struct err *e)
{
	str mechanism = peer_option(t, "sasl.mechanism");
	bool by_name = mechanism.p && !str_eq(mechanism, S("OAUTHBEARER")); /* that has tokens: kafka_login.h */
	const struct {
		const char *name;
		str value;
	} settings[] = {
		{ "bootstrap.servers", t->address },
		{ "client.id", S("tidegate") },
		{ "socket.keepalive.enable", S("true") },
		{ "security.protocol", protocol_of(mechanism.p, t->tls) },
		{ "sasl.mechanism", mechanism },
		{ "sasl.username", by_name ? t->user : STR_NONE },
		{ "sasl.password", by_name ? t->password : STR_NONE },
		{ "ssl.ca.pem", t->ca_pem },
		{ "ssl.certificate.pem", t->cert_pem },
		{ "ssl.key.pem", t->key_pem },
		{ "enable.ssl.certificate.verification", t->insecure ? S("false") : S("true") },
		{ "ssl.endpoint.identification.algorithm", t->insecure ? S("none") : S("https") },
	};
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (kafka_conf_set(k, conf, a, settings[i].name, settings[i].value, e) < 0)
			return -1;
	return 0;
}

bool
kafka_mechanism_served(str mechanism)
{
	return !str_eq(mechanism, S("GSSAPI"));
}

/* ---- errors --------------------------------------------------------------------------------------------------------- */

enum err_code
kafka_error_code(int err)
{
	switch (err) {
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
		return ERR_INVALID;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		return ERR_DENIED;
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR__SSL:
		return ERR_UNAUTHENTICATED;
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		return ERR_NOT_FOUND;
	default:
		return ERR_UNAVAILABLE;
	}
}

void
kafka_reason(const char *reason, char *out, size_t room)
{
	str text = str_c(reason), coordinator = S("GroupCoordinator: "), failed = S(" failed: ");
	text = str_slice(text, 0, str_find(text, S(" (after "), 0));
	if (str_starts(text, coordinator))
		text = str_slice(text, coordinator.n, text.n);
	size_t scheme = str_find(text, S("://"), 0), colon = str_find(text, S(": "), 0);
	str peer = str_slice(text, scheme < colon ? scheme + 3 : 0, colon), why = str_slice(text, colon == SIZE_MAX ? 0 : colon + 2, text.n);
	if (colon == SIZE_MAX || str_find_char(peer, ' ', 0) != SIZE_MAX) { /* not about a connection */
		snprintf(out, room, "%.*s", STR_ARG(text));
		return;
	}
	size_t at = str_starts(why, S("Connect to ")) ? str_find(why, failed, 0) : SIZE_MAX;
	if (at != SIZE_MAX)
		why = str_slice(why, at + failed.n, why.n);
	peer = str_slice(peer, 0, str_find_char(peer, '/', 0));
	snprintf(out, room, "%.*s: %.*s", STR_ARG(peer), STR_ARG(why));
}
