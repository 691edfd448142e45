/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mqtt: a client of paho, MQTT 5 where the broker speaks it, else 3.1.1. A message of QoS 1 or 2 is sent when the broker has acknowledged it;
 * of QoS 0 when it is written. With MQTT 5, headers go along as user properties. The session is a new one each time: what a
 * break leaves unacknowledged is sent again by peer.c, and nothing is kept where nobody would see it.
 * Option of the target: clientId; without it the broker gives one.
 */
#include <MQTTClient.h>

#include "core/net/peer.h"

#define MQTT_FUNCTIONS(X)                                                                                                   \
	X(MQTTClient_createWithOptions) X(MQTTClient_connect) X(MQTTClient_connect5) X(MQTTClient_disconnect) X(MQTTClient_disconnect5) \
	X(MQTTClient_publishMessage) X(MQTTClient_publishMessage5) X(MQTTClient_waitForCompletion) X(MQTTClient_destroy) X(MQTTClient_strerror) \
	X(MQTTClient_global_init) X(MQTTResponse_free) X(MQTTProperties_add) X(MQTTProperties_free) X(MQTTReasonCode_toString)

static struct {
#define X(name) __typeof__(&name) name;
	MQTT_FUNCTIONS(X)
#undef X
} lib;

static const struct peer_function functions[] = {
#define X(name) { #name, (void **)&lib.name },
	MQTT_FUNCTIONS(X)
#undef X
};

struct mqtt {
	MQTTClient client;
	int version;
	bool connected;
	char tls_error[100]; /* OpenSSL's word on a connection that failed */
};

/* ---- connecting ------------------------------------------------------------------------------------------------------ */

/* rc: below zero paho's, above that the broker's reason, of MQTT 5 or of 3.1.1. */
static int
fail(int version, int rc, const char *what, struct err *e)
{
	bool v3 = version < MQTTVERSION_5;
	bool who = rc == MQTTREASONCODE_NOT_AUTHORIZED || rc == MQTTREASONCODE_BAD_USER_NAME_OR_PASSWORD || rc == MQTTREASONCODE_BANNED ||
	           rc == MQTTREASONCODE_BAD_AUTHENTICATION_METHOD || (v3 && (rc == 4 || rc == 5));
	bool ours = rc == MQTTREASONCODE_TOPIC_NAME_INVALID || rc == MQTTREASONCODE_PACKET_TOO_LARGE || rc == MQTTREASONCODE_QOS_NOT_SUPPORTED ||
	            rc == MQTTREASONCODE_RETAIN_NOT_SUPPORTED || rc == MQTTCLIENT_BAD_UTF8_STRING || rc == MQTTCLIENT_BAD_QOS ||
	            rc == MQTTREASONCODE_CLIENT_IDENTIFIER_NOT_VALID;
	const char *text = rc < 0 || v3 ? lib.MQTTClient_strerror(rc) : lib.MQTTReasonCode_toString((enum MQTTReasonCodes)rc);
	if (rc == MQTTCLIENT_FAILURE || !text)
		text = "no connection";
	if (v3 && rc > 0)
		text = rc == 4 || rc == 5 ? "not authorised" : "the broker refuses";
	return err_set(e, who ? ERR_UNAUTHENTICATED : ours ? ERR_INVALID : ERR_UNAVAILABLE, "mqtt: %s: %s", what, text);
}

/* A line of OpenSSL's error queue: "thread:error:code:library:function:reason:file:line:data". The first tells most. */
static int
on_tls_error(const char *line, size_t n, void *arg)
{
	struct mqtt *c = arg;
	str rest = { line, n };
	size_t at = str_find(rest, S("error:"), 0);
	rest = at == SIZE_MAX ? rest : str_slice(rest, at + 6, rest.n);
	for (int i = 0; i < 3 && at != SIZE_MAX; i++)
		(void)str_cut(&rest, ':');
	str reason = str_trim(str_cut(&rest, ':'));
	if (reason.n && !c->tls_error[0])
		snprintf(c->tls_error, sizeof c->tls_error, "%.*s", STR_ARG(reason));
	return 1;
}

static int
tls_failed(const struct mqtt *c, const struct peer_target *t, struct err *e)
{
	if (strstr(c->tls_error, "certificate verify failed"))
		return err_set(e, ERR_UNAUTHENTICATED, "mqtt: connecting: the server's certificate is not by an authority that is trusted");
	if (c->tls_error[0])
		return err_set(e, ERR_UNAVAILABLE, "mqtt: connecting: TLS: %s%s", c->tls_error, peer_tls_hint(t));
	return err_set(e, ERR_UNAVAILABLE, "mqtt: connecting: no connection%s, or the server's certificate is for another name than that of %.*s",
	               peer_tls_hint(t), STR_ARG(t->address));
}

static int
connect_once(struct mqtt *c, MQTTClient_connectOptions *o)
{
	o->keepAliveInterval = 0; /* a dead connection shows by the acknowledgement that does not come */
	o->connectTimeout = PEER_WAIT_MS / 3000;
	o->MQTTVersion = c->version;
	if (c->version < MQTTVERSION_5)
		return lib.MQTTClient_connect(c->client, o);
	MQTTResponse r = lib.MQTTClient_connect5(c->client, o, NULL, NULL);
	int rc = r.reasonCode;
	lib.MQTTResponse_free(r);
	return rc;
}

static int
create(struct mqtt *c, const struct peer_target *t, struct arena *a, struct err *e)
{
	MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
	str id = peer_option(t, "clientId");
	options.MQTTVersion = c->version;
	int rc = lib.MQTTClient_createWithOptions(&c->client, str_z(a, t->address), id.p ? str_z(a, id) : "", MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
	if (!rc)
		return 0;
	c->client = NULL;
	return err_set(e, ERR_INVALID, "mqtt: the address must be tcp://, ssl://, ws:// or wss://, with host and port");
}

static int
connect_as(struct mqtt *c, int version, const struct peer_target *t, MQTTClient_SSLOptions *ssl, struct err *e)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	MQTTClient_connectOptions v3 = MQTTClient_connectOptions_initializer, v5 = MQTTClient_connectOptions_initializer5;
	MQTTClient_connectOptions *o = version < MQTTVERSION_5 ? &v3 : &v5;
	c->version = version;
	if (create(c, t, a, e) < 0)
		return -1;
	if (t->user.p)
		o->username = str_z(a, t->user);
	if (t->password.p)
		o->password = str_z(a, t->password);
	if (t->tls)
		o->ssl = ssl;
	int rc = connect_once(c, o);
	c->connected = rc == 0;
	if (rc == 0)
		return 0;
	lib.MQTTClient_destroy(&c->client);
	c->client = NULL;
	return t->tls && rc == MQTTCLIENT_FAILURE ? tls_failed(c, t, e) : fail(version, rc, "connecting", e);
}

/* The paths of the certificates live as long as the call that connects. */
static int
connect_client(struct mqtt *c, const struct peer_target *t, struct err *e)
{
	MQTTClient_SSLOptions ssl = MQTTClient_SSLOptions_initializer;
	int ca CLEANUP(close_fd) = -1, cert CLEANUP(close_fd) = -1, key CLEANUP(close_fd) = -1;
	char ca_path[32], cert_path[32], key_path[32];
	if (peer_file(t->ca_pem, &ca, ca_path, e) < 0 || peer_file(t->cert_pem, &cert, cert_path, e) < 0 || peer_file(t->key_pem, &key, key_path, e) < 0)
		return -1;
	ssl.trustStore = ca >= 0 ? ca_path : NULL;
	ssl.disableDefaultTrustStore = ca >= 0;
	ssl.ssl_error_cb = on_tls_error;
	ssl.ssl_error_context = c;
	ssl.keyStore = cert >= 0 ? cert_path : NULL;
	ssl.privateKey = key >= 0 ? key_path : NULL;
	ssl.enableServerCertAuth = !t->insecure;
	ssl.verify = !t->insecure;
	if (connect_as(c, MQTTVERSION_5, t, &ssl, e) == 0)
		return 0;
	struct err first = *e;
	if (first.code == ERR_UNAUTHENTICATED)
		return -1;
	if (connect_as(c, MQTTVERSION_3_1_1, t, &ssl, e) == 0) { /* brokers without MQTT 5 say so, or just close */
		*e = (struct err){ 0 };
		return 0;
	}
	return -1;
}

static void
mqtt_close(void *conn)
{
	struct mqtt *c = conn;
	if (c->client && c->connected && c->version < MQTTVERSION_5)
		lib.MQTTClient_disconnect(c->client, 0);
	else if (c->client && c->connected)
		lib.MQTTClient_disconnect5(c->client, 0, MQTTREASONCODE_NORMAL_DISCONNECTION, NULL);
	if (c->client)
		lib.MQTTClient_destroy(&c->client);
	free(c);
}

static void *
mqtt_open(const struct peer_target *t, struct err *e)
{
	static bool loaded;
	if (peer_load(&loaded, "libpaho-mqtt3cs.so.1", "libpaho-mqtt1.3", functions, ARRAY_LEN(functions), e) < 0)
		return NULL;
	struct mqtt *c = MEM_NEW(struct mqtt);
	if (connect_client(c, t, e) == 0)
		return c;
	mqtt_close(c);
	return NULL;
}

/* ---- sending --------------------------------------------------------------------------------------------------------- */

static void
add_properties(MQTTProperties *to, const struct peer_message *m)
{
	for (size_t i = 0; i < m->headers_n; i++) {
		MQTTProperty p = { .identifier = MQTTPROPERTY_CODE_USER_PROPERTY };
		p.value.data = (MQTTLenString){ (int)m->headers[i].name.n, (char *)(uintptr_t)m->headers[i].name.p };
		p.value.value = (MQTTLenString){ (int)m->headers[i].value.n, (char *)(uintptr_t)m->headers[i].value.p };
		lib.MQTTProperties_add(to, &p);
	}
}

static int
publish(struct mqtt *c, const struct peer_message *m, MQTTClient_deliveryToken *token)
{
	struct arena *a CLEANUP(free_arena) = arena_new();
	MQTTClient_message msg = MQTTClient_message_initializer;
	msg.payload = (void *)(uintptr_t)m->body.p;
	msg.payloadlen = (int)m->body.n;
	msg.qos = m->qos;
	msg.retained = m->keep;
	if (c->version < MQTTVERSION_5)
		return lib.MQTTClient_publishMessage(c->client, str_z(a, m->to), &msg, token);
	add_properties(&msg.properties, m);
	MQTTResponse r = lib.MQTTClient_publishMessage5(c->client, str_z(a, m->to), &msg, token);
	int rc = r.reasonCode;
	lib.MQTTResponse_free(r);
	lib.MQTTProperties_free(&msg.properties);
	return rc;
}

/* Paho tells of an acknowledgement, but not of one that refuses (a topic that is not allowed): MQTT 3.1.1 has none, and brokers drop those. */
static int
mqtt_send(void *conn, struct peer_message *const *m, size_t n, struct err *e)
{
	struct mqtt *c = conn;
	MQTTClient_deliveryToken tokens[PEER_BATCH];
	int rc = 0;
	size_t sent = 0;
	for (; sent < n && rc == 0; sent++)
		rc = publish(c, m[sent], &tokens[sent]);
	if (rc)
		sent--;
	for (size_t i = 0; i < sent; i++) {
		int done = m[i]->qos ? lib.MQTTClient_waitForCompletion(c->client, tokens[i], PEER_WAIT_MS / 2) : 0;
		m[i]->settled = done == 0;
		rc = done ? done : rc;
	}
	return rc ? fail(c->version, rc, "publishing", e) : 0;
}

const struct peer_ops peer_mqtt = { "mqtt", mqtt_open, mqtt_send, mqtt_close };
