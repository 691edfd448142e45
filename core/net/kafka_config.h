/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_config: settings of a Kafka client as Argo's manifests have them, which are those of Sarama's Config in YAML ("Consumer: {Fetch:
 * {Min: 1}}", in any case), as the settings of librdkafka that do the same. librdkafka's own names ("fetch.min.bytes: 1") are good as well.
 */
#ifndef TIDEGATE_CORE_NET_KAFKA_CONFIG_H
#define TIDEGATE_CORE_NET_KAFKA_CONFIG_H

#include "core/net/httpd.h" /* struct http_header */

struct kafka_finding {
	bool wrong;    /* else it has no effect here */
	uint32_t line; /* of the text, from 1 */
	str text;
};
struct kafka_config {
	struct arena *arena; /* of all that follows; the caller's */
	VEC(struct http_header) settings;
	VEC(struct kafka_finding) findings;
};

/* Reads `text` into *c, whose arena is set. Values are tried on librdkafka itself, if it is installed. */
void kafka_config_read(struct kafka_config *c, str text);
void kafka_config_free(struct kafka_config *c);
/* A setting by its name as librdkafka or kafka_login.h has it; absent: not set. */
str kafka_config_get(const struct kafka_config *c, const char *name);

#endif
