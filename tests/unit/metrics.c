/* Prometheus' text format. */
#include "service/metrics.h"

#include "base/json.h"
#include "tap.h"

static bool has(const struct buf *text, const char *line)
{
	return strstr(buf_text(text), line) != NULL;
}

int main(void)
{
	cleanup(metrics_freep) struct metrics *metrics = metrics_new();
	cleanup(buf_free) struct buf text = BUF_INIT(65536);
	json_auto json_t *counts = json_pack("{s:{s:i,s:i},s:{s:i}}", "deployments", "queued", 2,
					     "running", 1, "deliveries", "ignored", 7);

	metrics_count(metrics, METRIC_RECORDED);
	metrics_count(metrics, METRIC_RECORDED);
	metrics_count(metrics, METRIC_UNSIGNED);
	metrics_took(metrics, 0);
	metrics_took(metrics, 2);
	metrics_took(metrics, 3);
	metrics_took(metrics, 60000);
	metrics_write(metrics, counts, 5, &text);
	ok(has(&text, "# TYPE slipway_hook_requests_total counter\n"), "a counter has a type");
	ok(has(&text, "slipway_hook_requests_total{result=\"recorded\"} 2\n"), "and counts");
	ok(has(&text, "slipway_hook_requests_total{result=\"unsigned\"} 1\n"), "each result");
	ok(has(&text, "slipway_hook_duration_seconds_bucket{le=\"0.001\"} 1\n"),
	   "a bucket holds its bound");
	ok(has(&text, "slipway_hook_duration_seconds_bucket{le=\"0.002\"} 2\n"),
	   "and those before");
	ok(has(&text, "slipway_hook_duration_seconds_bucket{le=\"10\"} 3\n"), "not what is longer");
	ok(has(&text, "slipway_hook_duration_seconds_bucket{le=\"+Inf\"} 4\n"),
	   "the last holds all");
	ok(has(&text, "slipway_hook_duration_seconds_count 4\n"), "as does the count");
	ok(has(&text, "slipway_hook_duration_seconds_sum 60.005\n"), "the sum is in seconds");
	ok(has(&text, "slipway_connections 5\n"), "connections");
	ok(has(&text, "slipway_deployments{state=\"queued\"} 2\n"), "deployments by state");
	ok(has(&text, "slipway_deliveries{state=\"ignored\"} 7\n"), "deliveries by state");
	metrics_secret(&text, true, "/a\"b\\c", 1, 99);
	ok(has(&text, "slipway_secret_last_used_timestamp_seconds{hook=\"/"
		      "a\\\"b\\\\c\",secret=\"1\"} 99\n"),
	   "labels are escaped");
	return tap_done();
}
