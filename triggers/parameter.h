/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parameter: what several kinds of trigger share in their tables: parameters (a value from an event and where it goes),
 * and headers from secrets. Applying them is the sensor's work.
 */
#ifndef TIDEGATE_TRIGGERS_PARAMETER_H
#define TIDEGATE_TRIGGERS_PARAMETER_H

#include "config/config.h"
#include "core/field.h"

struct parameter_source {
	str dependency;                          /* dependencyName */
	str context_key, context_template, data_key, data_template; /* "": not given */
	str value;                               /* .p == NULL: no default */
	bool use_raw;                            /* keep the JSON type */
	const struct val *src;
};
enum parameter_operation { PARAMETER_OVERWRITE, PARAMETER_APPEND, PARAMETER_PREPEND };
struct trigger_parameter {
	struct parameter_source *source;
	str dest;
	str operation;                           /* "", overwrite, append, prepend */
	const struct val *src;
};
extern const struct schema trigger_parameter_schema; /* R19 of spec events 5.4; an empty dest is an error */
/* The same for payloads of kinds that allow an empty dest (http): the value is then the whole payload. */
extern const struct schema trigger_payload_schema;

/* A header whose value is in a Secret or a ConfigMap. */
struct secure_header {
	str name;
	struct secret_ref *secret, *config_map;
};
extern const struct schema secure_header_schema;

#endif
