/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custom_metrics: the metrics that workflows and templates report under names of their own (spec 9), as series in
 * Prometheus' text format. What is the daemon's own is in core/metrics.h.
 *
 * A series is identified by its name and labels. The first report of a name settles its help and its kind; a later one that
 * differs is refused. Names are printed with Argo's prefix, argo_workflows_. Loop thread only; nothing here is saved, as
 * Prometheus expects of a process that starts anew.
 */
#ifndef TIDEGATE_ENGINE_CUSTOM_METRICS_H
#define TIDEGATE_ENGINE_CUSTOM_METRICS_H

#include "core/field.h"

enum {
	CUSTOM_SERIES_MAX = 20000, /* over all names */
	CUSTOM_BUCKETS_MAX = 256,  /* of one histogram */
};

enum custom_kind { CUSTOM_COUNTER, CUSTOM_GAUGE, CUSTOM_HISTOGRAM };
enum custom_operation { CUSTOM_SET, CUSTOM_ADD, CUSTOM_SUB }; /* of a gauge */

/* One report. Everything is borrowed for the call. */
struct custom_metric {
	str name, help;
	struct kvs labels;      /* in any order */
	enum custom_kind kind;
	enum custom_operation operation;
	double value;           /* counter: what to add, at least 0; gauge: see operation; histogram: what to observe */
	const double *buckets;  /* of a histogram, ascending upper bounds; +Inf comes with it */
	size_t buckets_n;
	bool realtime;          /* a gauge that goes when its workflow has ended */
	int64_t since;          /* not 0: it shows the seconds since then (ns) until it is reported again */
};

struct custom_metrics;

/* Series that nobody reported for `ttl_ns` are dropped when the next is reported or all are written; 0: they stay. */
struct custom_metrics *custom_metrics_new(int64_t ttl_ns);
void custom_metrics_free(struct custom_metrics *c); /* NULL is fine */
/*
 * Takes in a report of the workflow `uid` at `now` (ns). ERR_INVALID: the name has another help, kind or other buckets;
 * a counter would fall; the daemon has a metric of its own of that name. ERR_LIMIT: CUSTOM_SERIES_MAX, CUSTOM_BUCKETS_MAX.
 */
int custom_metrics_report(struct custom_metrics *c, str uid, const struct custom_metric *m, int64_t now, struct err *e) MUST_CHECK;
/* The workflow `uid` has ended: drops its realtime gauges. */
void custom_metrics_stop(struct custom_metrics *c, str uid);
/* The text exposition of all, ordered by name. */
void custom_metrics_write(struct custom_metrics *c, int64_t now, struct buf *out);

#endif
