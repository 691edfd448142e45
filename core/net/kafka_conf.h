/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_conf: librdkafka opened on first use, and what its producer (peer_kafka.c) and its consumer (kafka_consumer.c) have in common:
 * brokers, TLS and login of a peer_target as settings, and errors in our words. Any thread.
 */
#ifndef TIDEGATE_CORE_NET_KAFKA_CONF_H
#define TIDEGATE_CORE_NET_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>

#include "core/net/peer.h"

#define KAFKA_FUNCTIONS(X)                                                                                                  \
	X(conf_new) X(conf_set) X(conf_destroy) X(conf_set_dr_msg_cb) X(conf_set_error_cb) X(conf_set_log_cb) X(conf_set_opaque)    \
	X(conf_set_rebalance_cb) X(conf_set_oauthbearer_token_refresh_cb) X(oauthbearer_set_token) X(oauthbearer_set_token_failure) \
	X(new) X(destroy) X(destroy_flags) X(poll) X(err2str) X(metadata) X(metadata_destroy) X(fatal_error)                        \
	X(error_code) X(error_string) X(error_destroy) X(produceva) X(purge)                                                        \
	X(poll_set_consumer) X(consumer_poll) X(consume_batch_queue) X(message_destroy) X(message_timestamp) X(message_headers)     \
	X(message_errstr) X(header_get_all) X(subscribe) X(assign) X(incremental_assign) X(incremental_unassign)                    \
	X(rebalance_protocol) X(offsets_store) X(commit) X(committed) X(query_watermark_offsets)                                    \
	X(topic_partition_list_new) X(topic_partition_list_add) X(topic_partition_list_destroy)                                     \
	X(topic_new) X(topic_destroy) X(consume_start_queue) X(consume_stop) X(consumer_close_queue) X(consumer_closed)             \
	X(queue_new) X(queue_destroy) X(queue_get_main) X(queue_get_consumer) X(queue_get_partition) X(queue_forward)               \
	X(queue_io_event_enable) X(queue_length) X(sasl_set_credentials)

/* Its functions, without the rd_kafka_ of their names. */
struct kafka_api {
#define X(name) __typeof__(&rd_kafka_##name) name;
	KAFKA_FUNCTIONS(X)
#undef X
};

/* The library, opened with the first call. NULL with ERR_UNSUPPORTED: it is not there, or too old. */
const struct kafka_api *kafka_load(struct err *e);
/* Sets `name`, unless the value is absent. The error says nothing of values that are secret. ERR_INVALID. */
int kafka_conf_set(const struct kafka_api *k, rd_kafka_conf_t *conf, struct arena *a, const char *name, str value, struct err *e) MUST_CHECK;
/* Brokers, TLS, and the login by the target's option sasl.mechanism. */
int kafka_conf_target(const struct kafka_api *k, rd_kafka_conf_t *conf, struct arena *a, const struct peer_target *t, struct err *e) MUST_CHECK;
/* Our code for what the library or a broker says. */
enum err_code kafka_error_code(int err);
/*
 * What librdkafka says of a connection, without what is different each time ("sasl_ssl://host:1/bootstrap: Connect to ipv4#127.0.0.1:1
 * failed: Connection refused (after 3ms in state CONNECT)"): "host:1: Connection refused".
 */
void kafka_reason(const char *reason, char *out, size_t room);
/* The mechanisms of SASL that are served, and all of them for messages. Not GSSAPI: neither Argo nor we have fields for realm and key table. */
#define KAFKA_MECHANISMS "\"PLAIN\", \"SCRAM-SHA-256\", \"SCRAM-SHA-512\" or \"OAUTHBEARER\""
bool kafka_mechanism_served(str mechanism);

#endif
