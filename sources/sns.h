/* SPDX-License-Identifier: Apache-2.0 */
/* sns: the configuration of an sns source, and its subscription. */
#ifndef TIDEGATE_SOURCES_SNS_H
#define TIDEGATE_SOURCES_SNS_H

#include "sources/signed.h"

struct sns_source {
	struct signed_config common;
	struct secret_ref *access_key;
	str endpoint;
	struct source_filter *filter;
	struct s3_events *s3_events;
	str region;
	str role_arn;
	struct secret_ref *secret_key;
	str topic_arn;
	bool validate_signature;
	const struct val *src;
};

/* Subscribes webhook.url to the topic, and ends that when the manifest goes; confirms what SNS asks to have confirmed. */
extern const struct hook_api sns_hooks;
/* Confirms the subscription that the token is of: now, and again if that fails. */
void sns_confirm(struct source *s, str token);

#endif
