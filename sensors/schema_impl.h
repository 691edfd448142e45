/* SPDX-License-Identifier: Apache-2.0 */
/* schema_impl: what the tables of a Sensor share (filter_schema.c, trigger_schema.c, sensor_schema.c). */
#ifndef TIDEGATE_SENSORS_SCHEMA_IMPL_H
#define TIDEGATE_SENSORS_SCHEMA_IMPL_H

#include "core/field.h"

extern const struct schema filters_schema, transform_schema; /* of a dependency */
extern const char *const sensor_operators[];                 /* and, or */

/* Reports a `timezone` that is none; "" is fine. */
void sensor_check_timezone(str name, const struct val *in, struct decode *c);

#endif
