/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer: connections to message brokers. One connection for each distinct target (address, credentials, options), shared by all who
 * send there, made with the first message, made anew after a break with growing waits, closed when nobody has sent for a while.
 *
 * The client libraries of brokers block, or have threads of their own; so each connection has a thread, which takes what waits for it
 * as one batch, sends it, and waits for the broker's word on each message. The loop never waits: it gives messages in and gets
 * their fate back. What a protocol is, is a `struct peer_ops` (peer_kafka.c, peer_nats.c, ...), run by that thread alone. Its library
 * is opened with the first connection: who sends to no broker does not carry it.
 */
#ifndef TIDEGATE_CORE_NET_PEER_H
#define TIDEGATE_CORE_NET_PEER_H

#include "core/base.h"
#include "core/loop.h"
#include "core/net/httpd.h" /* struct http_header: a name and a value */

struct peers;

enum {
	PEER_WAIT_MS = 15000,      /* longest wait for a connection, and for the word on a batch */
	PEER_IDLE_S = 60,          /* a connection that nobody used for so long is closed */
	PEER_TARGETS_MAX = 256,    /* connections at a time; a message to one more is ERR_UNAVAILABLE */
	PEER_BATCH = 64,           /* messages in one go */
	PEER_MESSAGE_MAX = 16 << 20, /* bytes of a body; a larger one is ERR_LIMIT */
};

/* Whom to send to. Two that are equal in every text share a connection. */
struct peer_target {
	const struct peer_ops *ops;
	str address;                           /* as the protocol has it: a URL, or host:port with commas between */
	str user, password, token, nkey, creds; /* nkey: a seed; creds: the text of a NATS credentials file */
	bool tls, insecure;                    /* insecure: the certificate is not verified */
	str ca_pem, cert_pem, key_pem;
	const struct http_header *options;     /* of the protocol's own */
	size_t options_n;
};

struct peer_message {
	str to, key, verb, body; /* topic, subject, exchange, ...; what key and verb are, the protocol says */
	str id;                  /* the same whenever the message is sent again: goes out with it */
	const struct http_header *headers;
	size_t headers_n;
	int qos;
	bool keep, must_route;   /* keep: MQTT's retain, AMQP's persistent; must_route: AMQP's mandatory */
	/* what became of it: set by ops->send, read in done() */
	bool settled;            /* the broker has said something about it */
	struct err err;          /* code 0: it has the message */
	int64_t number[2];       /* partition and offset, sequence, receivers */
	char text[64];           /* id of an entry, name of a stream */
};

struct peer_ops {
	const char *name; /* "nats": for errors */
	/* Connects, within PEER_WAIT_MS; `t` lives as long as the connection. NULL with ERR_UNAVAILABLE, ERR_UNAUTHENTICATED, ERR_INVALID, ERR_UNSUPPORTED. */
	void *(*open)(const struct peer_target *t, struct err *e);
	/*
	 * Sends all and waits for the broker's word on them, within PEER_WAIT_MS; settles those it knows the fate of. -1: the connection is
	 * of no use any more, and `e` says why; what is not settled then is sent again over a new one, once, and fails with that error.
	 */
	int (*send)(void *conn, struct peer_message *const *m, size_t n, struct err *e);
	void (*close)(void *conn);
};

struct peers *peers_new(struct loop *l);
/*
 * What is under way ends with ERR_UNAVAILABLE. Waits a moment for the threads; one that is stuck in its library is left behind with what it
 * holds. Not from within a done(). The loop has to turn once more before it is freed. NULL is fine.
 */
void peers_free(struct peers *ps);
/*
 * Sends; target and message are copied. done() runs exactly once, later, on the loop; `m` is valid during it. Messages to one target are
 * given to the broker in order. An error of the connection fails the messages that wait for it; trying again is the caller's.
 */
void peers_send(struct peers *ps, const struct peer_target *t, const struct peer_message *m, void (*done)(void *arg, const struct peer_message *m),
                void *arg);
/* Connections that are kept, for tests. */
size_t peers_count(const struct peers *ps);

/* ---- for the protocols ------------------------------------------------------------------------------------------ */

/* An option of the target; absent: not given. */
str peer_option(const struct peer_target *t, const char *name);
/*
 * Opens a library and finds its functions: `functions` are `n` pairs of name and where to put the pointer. ERR_UNSUPPORTED names the Debian
 * package to install. Once it succeeded for `loaded`, does nothing. Any thread.
 */
struct peer_function {
	const char *name;
	void **at;
};
int peer_load(bool *loaded, const char *library, const char *package, const struct peer_function *functions, size_t n, struct err *e) MUST_CHECK;
/* A file without a name that holds `text`, for libraries that read PEM or keys from files only: a path to give them, -1 in *fd for none. Close *fd after use. */
int peer_file(str text, int *fd, char path[32], struct err *e) MUST_CHECK;
/* What to add to the reason of a connection over TLS that broke before it was of use: empty, or that a certificate of ours may be wanted. */
const char *peer_tls_hint(const struct peer_target *t);
/* Splits "scheme://user:password@host:port/path" of an address: what is missing is absent, the port `port`. ERR_INVALID with the reason. */
struct peer_url {
	str scheme, user, password, host, path;
	int port;
};
int peer_url_parse(str url, int port, struct peer_url *out, struct err *e) MUST_CHECK;

extern const struct peer_ops peer_kafka, peer_nats, peer_mqtt, peer_redis, peer_amqp;

#endif
