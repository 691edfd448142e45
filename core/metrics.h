/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: counters, gauges and histograms, declared in metrics.def with their help text, printed in Prometheus' text
 * format. Loop thread only.
 */
#ifndef TIDEGATE_CORE_METRICS_H
#define TIDEGATE_CORE_METRICS_H

#include "core/base.h"

#define METRIC(id, kind, name, labels, help) METRIC_##id,
#define HISTOGRAM(id, name, labels, help, ...) METRIC_##id,
#define NOT_SERVED(name, why)
enum metric_id {
#include "core/metrics.def"
	METRIC_COUNT
};
#undef METRIC
#undef HISTOGRAM
#undef NOT_SERVED

/* Adds to a counter or gauge, sets a gauge, observes into a histogram. Label values in the order of the .def, NULL-ended. */
void metric_add(enum metric_id id, double by, ...) __attribute__((sentinel));
void metric_set(enum metric_id id, double to, ...) __attribute__((sentinel));
void metric_observe(enum metric_id id, double value, ...) __attribute__((sentinel));
/* Sets a counter that is kept elsewhere: by other threads than the loop's, say. It must not fall. */
void metric_total(enum metric_id id, double total, ...) __attribute__((sentinel));
/* Forgets all series: of a gauge whose labels come and go, before it is set anew. */
void metric_clear(enum metric_id id);
/* Whether one of them has that name. */
bool metrics_has(str name);
/* The text exposition of all of them. */
void metrics_write(struct buf *out);

#endif
