/* SPDX-License-Identifier: Apache-2.0 */
/* spec: a Sensor manifest as C structs; sensor_schema.c, filter_schema.c and trigger_schema.c have their tables and the checks of spec events 5.4. */
#ifndef TIDEGATE_SENSORS_SPEC_H
#define TIDEGATE_SENSORS_SPEC_H

#include "config/config.h"
#include "triggers/firing.h"
#include "triggers/parameter.h"
#include "triggers/trigger.h"

/* ---- dependencies ------------------------------------------------------------------------------------------- */

struct filter_field {
	str path, name;
};
struct expr_filter {
	str expr;
	LIST_OF(struct filter_field) fields;
	const struct val *src;
};
struct data_filter {
	str path, type, comparator, template; /* type: bool, number, string; comparator "": = */
	struct strs value;
	const struct val *src;
};
struct context_filter {
	str id, source, specversion, type, datacontenttype, subject, time; /* "": not compared */
	const struct val *src;
};
struct time_filter {
	str start, stop, timezone;             /* "HH:MM:SS"; timezone "": UTC */
	const struct val *src;
};
struct filters {
	LIST_OF(struct expr_filter) exprs;
	LIST_OF(struct data_filter) data;
	struct context_filter *context;
	struct time_filter *time;
	str script;
	str expr_operator, data_operator;      /* "": and */
	const struct val *src;
};
struct transform {
	str jq, script;                        /* jq wins */
	const struct val *src;
};
struct dependency {
	str name, source, event;
	struct filters *filters;
	str filters_operator;                  /* "": and */
	struct transform *transform;
	str on_error;                          /* our own; "": keep */
	const struct val *src;
};

/* ---- triggers ----------------------------------------------------------------------------------------------- */

struct reset_by_time {
	str cron, timezone;
};
struct conditions_reset {
	struct reset_by_time *by_time;
	const struct val *src;
};
struct trigger_template {
	str name, conditions;                  /* conditions "": all dependencies */
	str join, join_key;                    /* join "": latest, or key where one is given */
	int64_t join_max;                      /* 0: JOIN_MAX_DEFAULT */
	dur within;
	LIST_OF(struct conditions_reset) resets;
	const struct trigger_ops *kind;        /* of the one kind that is given; NULL if there is none */
	const struct val *body;                /* what is under the kind's key */
	const struct val *src;
};
struct status_policy {
	const struct val *allow;               /* list of integers */
	const struct val *src;
};
struct policy {
	struct policy_labels *k8s;
	struct status_policy *status;
	const struct val *src;
};
struct rate_limit {
	str unit;                              /* "" or "Second", "Minute", "Hour" */
	int64_t requests;
};
struct batch {
	int64_t size;
	dur within;
};
struct debounce {
	dur quiet, most;                       /* most 0: none */
	str events;                            /* "" or "last", "all" */
};
struct trigger_spec {
	struct trigger_template *template;
	LIST_OF(struct trigger_parameter) parameters;
	struct policy *policy;
	struct backoff *retry;                 /* retryStrategy */
	struct rate_limit *rate_limit;
	struct batch *batch;
	struct debounce *debounce;
	bool at_least_once;
	struct trigger_spec *dlq;              /* dlqTrigger */
	const struct val *src;
};
extern const struct schema trigger_spec_schema;

/* ---- sensors ------------------------------------------------------------------------------------------------ */

struct sensor_spec {
	LIST_OF(struct dependency) dependencies;
	LIST_OF(struct trigger_spec) triggers;
	str bus_name;                          /* "": default */
	struct kvs logging_fields;
	const struct val *src;
};
struct sensor_object {
	struct meta meta;
	struct sensor_spec spec;
	const struct val *status;
};
extern const struct schema sensor_schema; /* of the whole object: what kind_sensor points to */

#endif
