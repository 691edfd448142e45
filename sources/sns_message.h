/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sns_message: what Amazon SNS posts to an HTTP endpoint, what of it is signed, and where its certificate may come from ("Parsing
 * Amazon SNS message formats" and "Verifying the signatures of Amazon SNS messages"). Nothing is sent here.
 */
#ifndef TIDEGATE_SOURCES_SNS_MESSAGE_H
#define TIDEGATE_SOURCES_SNS_MESSAGE_H

#include "core/val.h"

enum sns_type { SNS_NOTIFICATION, SNS_SUBSCRIPTION, SNS_UNSUBSCRIPTION, SNS_OTHER };

struct sns_message {
	enum sns_type type;
	str type_name, id, topic, message, timestamp, version, signature, certificate_url;
	str subject;              /* absent: it has none */
	str token, subscribe_url; /* of a confirmation */
};

/* Reads the JSON of a message; what it does not have is "". In `a`. ERR_INVALID: it is none. */
int sns_message_read(str body, struct arena *a, struct sns_message *out, struct err *e) MUST_CHECK;
/* The text that is signed, in `a`. */
str sns_message_text(const struct sns_message *m, struct arena *a);
/* The hash of its signature: "sha1" or "sha256"; NULL: a version that is not known. */
const char *sns_message_hash(const struct sns_message *m);
/*
 * Whether a certificate may be had from that URL: by HTTPS from SNS itself, or from `service` if that is not AWS (absent: it is).
 * ERR_DENIED, with the reason, if not.
 */
int sns_certificate_url(str url, str service, struct err *e) MUST_CHECK;

#endif
