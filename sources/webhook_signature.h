/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook_signature: the field `signature` of a webhook, for senders that have no kind of their own: how they sign, in the words of
 * the table of those that have (sources/secure.h). Tidegate's own.
 */
#ifndef TIDEGATE_SOURCES_WEBHOOK_SIGNATURE_H
#define TIDEGATE_SOURCES_WEBHOOK_SIGNATURE_H

#include "config/config.h"
#include "sources/secure.h"

struct webhook_signature {
	str header;
	int algorithm, encoding, secret_encoding;
	str prefix, separator;
	struct secret_ref *secret;
	str timestamp_header, id_header;
	str content;
	dur tolerance;
	const struct val *src;
};
extern const struct schema webhook_signature_schema;

/* The row that it describes, in `a`. */
const struct signature *webhook_signature_row(const struct webhook_signature *s, struct arena *a);

#endif
