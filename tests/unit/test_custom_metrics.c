/* SPDX-License-Identifier: Apache-2.0 */
/* The series of workflows' own metrics: what adds up, what is refused, what goes away, and how they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "engine/custom_metrics.h"

static const int64_t T0 = INT64_C(1767225600) * NS_PER_SEC;

static struct custom_metric
metric(const char *name, enum custom_kind kind, double value)
{
	return (struct custom_metric){ .name = str_c(name), .help = S("Help."), .kind = kind, .value = value };
}

static void
take(struct custom_metrics *c, struct custom_metric m, int64_t now)
{
	struct err e = { 0 };
	if (custom_metrics_report(c, S("uid"), &m, now, &e))
		fail_msg("%s", e.msg);
}

static void
refuse(struct custom_metrics *c, struct custom_metric m, enum err_code code, const char *why)
{
	struct err e = { 0 };
	assert_int_equal(custom_metrics_report(c, S("uid"), &m, T0, &e), -1);
	assert_int_equal(e.code, code);
	if (!strstr(e.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
}

static void
written(struct custom_metrics *c, int64_t now, const char *want)
{
	struct buf b CLEANUP(free_buf) = { 0 };
	custom_metrics_write(c, now, &b);
	assert_string_equal(b.p ? b.p : "", want);
}

static void
test_kinds(void **state)
{
	struct custom_metrics *c = custom_metrics_new(0);
	(void)state;
	take(c, metric("n", CUSTOM_COUNTER, 2), T0);
	take(c, metric("n", CUSTOM_COUNTER, 0.5), T0);
	struct custom_metric g = metric("g", CUSTOM_GAUGE, 10);
	take(c, g, T0);
	g.operation = CUSTOM_SUB;
	g.value = 3;
	take(c, g, T0);
	static const double buckets[] = { 1, 10 };
	struct custom_metric h = metric("h", CUSTOM_HISTOGRAM, 10);
	h.buckets = buckets;
	h.buckets_n = 2;
	take(c, h, T0);
	h.value = 11;
	take(c, h, T0);
	written(c, T0,
		"# HELP argo_workflows_g Help.\n# TYPE argo_workflows_g gauge\nargo_workflows_g 7\n"
		"# HELP argo_workflows_h Help.\n# TYPE argo_workflows_h histogram\n"
		"argo_workflows_h_bucket{le=\"1\"} 0\nargo_workflows_h_bucket{le=\"10\"} 1\nargo_workflows_h_bucket{le=\"+Inf\"} 2\n"
		"argo_workflows_h_sum 21\nargo_workflows_h_count 2\n"
		"# HELP argo_workflows_n Help.\n# TYPE argo_workflows_n counter\nargo_workflows_n 2.5\n");
	custom_metrics_free(c);
}

static void
test_labels_in_any_order_and_escaped(void **state)
{
	struct custom_metrics *c = custom_metrics_new(0);
	struct kv ab[] = { { .key = S("a"), .value = S("1\n\"\\") }, { .key = S("b"), .value = S("2") } }, ba[] = { ab[1], ab[0] };
	struct custom_metric m = metric("n", CUSTOM_COUNTER, 1);
	(void)state;
	m.labels = (struct kvs){ .p = ab, .n = 2 };
	take(c, m, T0);
	m.labels.p = ba;
	take(c, m, T0);
	written(c, T0, "# HELP argo_workflows_n Help.\n# TYPE argo_workflows_n counter\n"
		       "argo_workflows_n{a=\"1\\n\\\"\\\\\",b=\"2\"} 2\n");
	custom_metrics_free(c);
}

static void
test_what_a_name_means_stays(void **state)
{
	struct custom_metrics *c = custom_metrics_new(0);
	static const double falling[] = { 2, 1 };
	struct custom_metric m = metric("n", CUSTOM_COUNTER, 1), h = metric("h", CUSTOM_HISTOGRAM, 1);
	(void)state;
	take(c, m, T0);
	refuse(c, metric("n", CUSTOM_GAUGE, 1), ERR_INVALID, "is a counter already");
	m.help = S("Another.");
	refuse(c, m, ERR_INVALID, "another help");
	refuse(c, metric("n", CUSTOM_COUNTER, -1), ERR_INVALID, "cannot fall");
	refuse(c, metric("total_count", CUSTOM_COUNTER, 1), ERR_INVALID, "the daemon itself");
	h.buckets = falling;
	h.buckets_n = 2;
	refuse(c, h, ERR_INVALID, "ascend");
	h.buckets_n = CUSTOM_BUCKETS_MAX + 1;
	refuse(c, h, ERR_LIMIT, "more than");
	custom_metrics_free(c);
}

static void
test_realtime_runs_and_goes_with_its_workflow(void **state)
{
	struct custom_metrics *c = custom_metrics_new(0);
	struct custom_metric m = metric("t", CUSTOM_GAUGE, 0);
	(void)state;
	m.realtime = true;
	m.since = T0;
	take(c, m, T0);
	written(c, T0 + 1500 * NS_PER_MS,
		"# HELP argo_workflows_t Help.\n# TYPE argo_workflows_t gauge\nargo_workflows_t 1.5\n");
	m.since = 0;
	m.value = 2;
	take(c, m, T0);
	written(c, T0 + 9 * NS_PER_SEC, "# HELP argo_workflows_t Help.\n# TYPE argo_workflows_t gauge\nargo_workflows_t 2\n");
	custom_metrics_stop(c, S("another"));
	custom_metrics_stop(c, S("uid"));
	written(c, T0, "");
	custom_metrics_free(c);
}

static void
test_ttl(void **state)
{
	struct custom_metrics *c = custom_metrics_new(10 * NS_PER_SEC);
	struct custom_metric running = metric("a", CUSTOM_GAUGE, 0);
	(void)state;
	running.realtime = true;
	running.since = T0;
	take(c, running, T0);
	take(c, metric("b", CUSTOM_COUNTER, 1), T0 + NS_PER_SEC);
	take(c, metric("c", CUSTOM_COUNTER, 1), T0 + 5 * NS_PER_SEC);
	written(c, T0 + 11 * NS_PER_SEC,
		"# HELP argo_workflows_a Help.\n# TYPE argo_workflows_a gauge\nargo_workflows_a 11\n"
		"# HELP argo_workflows_c Help.\n# TYPE argo_workflows_c counter\nargo_workflows_c 1\n");
	take(c, metric("b", CUSTOM_GAUGE, 1), T0 + 12 * NS_PER_SEC); /* its meaning went with it */
	custom_metrics_free(c);
}

static void
test_limit(void **state)
{
	struct custom_metrics *c = custom_metrics_new(0);
	char text[24];
	struct kv label = { .key = S("i") };
	struct custom_metric m = metric("n", CUSTOM_COUNTER, 1);
	(void)state;
	m.labels = (struct kvs){ .p = &label, .n = 1 };
	for (int i = 0; i < CUSTOM_SERIES_MAX; i++) {
		snprintf(text, sizeof text, "%d", i);
		label.value = str_c(text);
		take(c, m, T0);
	}
	take(c, m, T0);
	label.value = S("one more");
	refuse(c, m, ERR_LIMIT, "series already");
	refuse(c, metric("another", CUSTOM_COUNTER, 1), ERR_LIMIT, "series already");
	custom_metrics_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_labels_in_any_order_and_escaped),
		cmocka_unit_test(test_what_a_name_means_stays),
		cmocka_unit_test(test_realtime_runs_and_goes_with_its_workflow),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
