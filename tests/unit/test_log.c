/* SPDX-License-Identifier: Apache-2.0 */
/* log and metrics: what comes out is one well-formed line, whatever goes in. */
#include "core/base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metrics.h"

static int saved_stderr, catch_fd;

static void
catch(void)
{
	char path[] = "/tmp/tidegate-log-XXXXXX";
	catch_fd = mkstemp(path);
	assert_true(catch_fd >= 0);
	unlink(path);
	saved_stderr = dup(2);
	dup2(catch_fd, 2);
}

/* What was written to stderr since catch(), without what stands before msg. */
static const char *
caught(void)
{
	static char text[20000];
	dup2(saved_stderr, 2);
	close(saved_stderr);
	ssize_t n = pread(catch_fd, text, sizeof text - 1, 0);
	close(catch_fd);
	text[n > 0 ? n : 0] = 0;
	char *msg = strstr(text, "msg");
	return msg ? msg : text;
}

static void
logfmt_quotes_what_needs_it(void **state UNUSED)
{
	log_setup(LOG_INFO, LOG_LOGFMT);
	catch();
	log_info("it works", "plain", "a/b:1", "space", "a b", "empty", "", "none", NULL, "eq", "a=b", "ctl", "a\nb\x1b\"\\", "utf8",
		"\xc3\xa4", "bad", "\xff", NULL);
	assert_string_equal(caught(),
		"msg=\"it works\" plain=a/b:1 space=\"a b\" empty=\"\" none=\"\" eq=\"a=b\" ctl=\"a\\nb\\u001b\\\"\\\\\" utf8=\"\xc3\xa4\" "
		"bad=\"\\ufffd\"\n");
}

static void
json_is_json(void **state UNUSED)
{
	log_setup(LOG_INFO, LOG_JSON);
	catch();
	log_warn("careful", "n", "1", "text", "a\tb", NULL);
	assert_string_equal(caught(), "msg\":\"careful\",\"n\":\"1\",\"text\":\"a\\u0009b\"}\n");
	log_setup(LOG_INFO, LOG_LOGFMT);
}

static void
levels_below_the_minimum_are_silent(void **state UNUSED)
{
	log_setup(LOG_WARN, LOG_LOGFMT);
	catch();
	log_info("no", NULL);
	log_debug("no", NULL);
	assert_string_equal(caught(), "");
	log_setup(LOG_INFO, LOG_LOGFMT);
}

static void
secrets_are_masked_before_quoting(void **state UNUSED)
{
	log_mask(S("hunter2\n\"x"));
	log_mask(S("hunter"));
	log_mask(S("short"));
	catch();
	log_info("token is hunter2\n\"x!", "k", "hunter hunter2", "s", "short", NULL);
	assert_string_equal(caught(), "msg=\"token is ***!\" k=\"*** ***2\" s=short\n");
}

static void
long_values_and_lines_are_cut_and_stay_well_formed(void **state UNUSED)
{
	static char big[5000];
	memset(big, 'a', sizeof big - 1);
	for (int json = 0; json < 2; json++) {
		log_setup(LOG_INFO, json ? LOG_JSON : LOG_LOGFMT);
		catch();
		log_info("m", "one", big, "two", "2", "three", big, "four", big, "five", big, "six", "6", NULL);
		const char *line = caught();
		assert_true(strlen(line) < 8200);
		assert_non_null(strstr(line, "aaa...(cut)\""));
		assert_non_null(strstr(line, json ? "\"two\":\"2\"" : " two=2 "));
		assert_string_equal(line + strlen(line) - (json ? 13 : 10), json ? ",\"cut\":true}\n" : " cut=true\n");
	}
	log_setup(LOG_INFO, LOG_LOGFMT);
}

static void
metrics_are_written_as_prometheus_reads_them(void **state UNUSED)
{
	metric_add(METRIC_EVENTS_SENT, 1, "git\"hub", "push", NULL);
	metric_add(METRIC_EVENTS_SENT, 2, "git\"hub", "push", NULL);
	metric_add(METRIC_EVENTS_SENT, 0.5, "other", "push", NULL);
	metric_observe(METRIC_STORE_COMMIT, 0.0003, NULL);
	metric_observe(METRIC_STORE_COMMIT, 99, NULL);
	struct buf out = { 0 };
	metrics_write(&out);
	assert_non_null(strstr(out.p, "# TYPE argo_events_events_sent_total counter\n"));
	assert_non_null(strstr(out.p, "argo_events_events_sent_total{eventsource_name=\"git\\\"hub\",event_name=\"push\"} 3\n"));
	assert_non_null(strstr(out.p, "argo_events_events_sent_total{eventsource_name=\"other\",event_name=\"push\"} 0.5\n"));
	assert_non_null(strstr(out.p, "tidegate_store_commit_seconds_bucket{le=\"0.00025\"} 0\n"));
	assert_non_null(strstr(out.p, "tidegate_store_commit_seconds_bucket{le=\"0.0005\"} 1\n"));
	assert_non_null(strstr(out.p, "tidegate_store_commit_seconds_bucket{le=\"10\"} 1\n"));
	assert_non_null(strstr(out.p, "tidegate_store_commit_seconds_bucket{le=\"+Inf\"} 2\n"));
	assert_non_null(strstr(out.p, "tidegate_store_commit_seconds_sum 99.0003\n"));
	assert_non_null(strstr(out.p, "tidegate_store_commit_seconds_count 2\n"));
	buf_free(&out);
}

static void
metrics_may_be_set_and_forgotten(void **state UNUSED)
{
	struct buf out = { 0 };
	metric_set(METRIC_LOCKS_HELD, 2, "mutex", "configmap", "a", "ns", NULL);
	metric_set(METRIC_LOCKS_HELD, 1, "mutex", "configmap", "b", "ns", NULL);
	metric_clear(METRIC_LOCKS_HELD);
	metric_set(METRIC_LOCKS_HELD, 1, "mutex", "configmap", "c", "ns", NULL);
	metric_total(METRIC_LOG_MESSAGES, 7, "info", NULL);
	metric_total(METRIC_LOG_MESSAGES, 9, "info", NULL);
	metric_total(METRIC_VERSION, 1, "1", "2", "3", "4", "5", "6", "7", "8", NULL);
	metric_observe(METRIC_OPERATION, 0.05, NULL);
	metrics_write(&out);
	assert_null(strstr(out.p, "lock_name=\"a\""));
	assert_null(strstr(out.p, "lock_name=\"b\""));
	assert_non_null(strstr(out.p, "argo_workflows_locks_held{type=\"mutex\",storage=\"configmap\",lock_name=\"c\",namespace=\"ns\"} 1\n"));
	assert_non_null(strstr(out.p, "argo_workflows_log_messages{level=\"info\"} 9\n"));
	assert_non_null(strstr(out.p, "git_tree_state=\"7\",git_tag=\"8\"} 1\n"));
	assert_non_null(strstr(out.p, "argo_workflows_operation_duration_seconds_bucket{le=\"0.01\"} 0\n"));
	assert_non_null(strstr(out.p, "argo_workflows_operation_duration_seconds_bucket{le=\"0.1\"} 1\n"));
	buf_free(&out);
}

static void
lines_are_counted(void **state UNUSED)
{
	const uint64_t before = log_written(LOG_WARN), debug = log_written(LOG_DEBUG);
	catch();
	log_warn("one", NULL);
	log_debug("nobody sees it", NULL);
	caught();
	assert_int_equal(log_written(LOG_WARN), before + 1);
	assert_int_equal(log_written(LOG_DEBUG), debug);
}

static void
too_many_series_share_one(void **state UNUSED)
{
	char code[16];
	for (int i = 0; i < 10100; i++) {
		snprintf(code, sizeof code, "c%d", i);
		metric_add(METRIC_HTTP_REQUESTS, 1, code, NULL);
	}
	struct buf out = { 0 };
	metrics_write(&out);
	assert_non_null(strstr(out.p, "tidegate_http_requests_total{code=\"other\"} 100\n"));
	assert_null(strstr(out.p, "c10050"));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logfmt_quotes_what_needs_it),
		cmocka_unit_test(json_is_json),
		cmocka_unit_test(levels_below_the_minimum_are_silent),
		cmocka_unit_test(secrets_are_masked_before_quoting),
		cmocka_unit_test(long_values_and_lines_are_cut_and_stay_well_formed),
		cmocka_unit_test(metrics_are_written_as_prometheus_reads_them),
		cmocka_unit_test(metrics_may_be_set_and_forgotten), cmocka_unit_test(lines_are_counted),
		cmocka_unit_test(too_many_series_share_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
