#include "service/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>

static const char *const results[METRIC_COUNT] = {
	[METRIC_RECORDED] = "recorded",   [METRIC_IGNORED] = "ignored",
	[METRIC_DUPLICATE] = "duplicate", [METRIC_MALFORMED] = "malformed",
	[METRIC_UNSIGNED] = "unsigned",   [METRIC_UNSUPPORTED] = "unsupported",
	[METRIC_BUSY] = "busy",           [METRIC_FAILED] = "failed",
};

static const int64_t bounds[] = {1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000};
#define BOUNDS (sizeof bounds / sizeof *bounds)

struct metrics {
	_Atomic uint64_t results[METRIC_COUNT];
	_Atomic uint64_t buckets[BOUNDS + 1]; /* each only its own; the last is above all bounds */
	_Atomic uint64_t milliseconds;
};

struct metrics *metrics_new(void)
{
	return xalloc(sizeof(struct metrics));
}

void metrics_free(struct metrics *metrics)
{
	free(metrics);
}

void metrics_count(struct metrics *metrics, enum metric metric)
{
	atomic_fetch_add_explicit(&metrics->results[metric], 1, memory_order_relaxed);
}

void metrics_took(struct metrics *metrics, int64_t milliseconds)
{
	size_t i = 0;

	while (i < BOUNDS && milliseconds > bounds[i])
		i++;
	atomic_fetch_add_explicit(&metrics->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&metrics->milliseconds, (uint64_t)milliseconds,
				  memory_order_relaxed);
}

static void add_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_label(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_addc(out, '\\');
		if (*text == '\n')
			buf_adds(out, "\\n");
		else
			buf_addc(out, *text);
	}
}

static void add_histogram(const struct metrics *metrics, struct buf *out)
{
	static const char name[] = "slipway_hook_duration_seconds";
	uint64_t count = 0;

	add_head(out, name, "histogram", "From a delivery's head to its answer.");
	for (size_t i = 0; i < BOUNDS; i++) {
		count += atomic_load(&metrics->buckets[i]);
		buf_addf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, (double)bounds[i] / 1000,
			 count);
	}
	count += atomic_load(&metrics->buckets[BOUNDS]);
	buf_addf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
	buf_addf(out, "%s_sum %g\n", name, (double)atomic_load(&metrics->milliseconds) / 1000);
	buf_addf(out, "%s_count %" PRIu64 "\n", name, count);
}

static void add_states(const json_t *states, const char *name, const char *help, struct buf *out)
{
	const char *state;
	json_t *value;

	if (!json_is_object(states))
		return;
	add_head(out, name, "gauge", help);
	json_object_foreach((json_t *)(uintptr_t)states, state, value)
	{
		buf_addf(out, "%s{state=\"", name);
		add_label(out, state);
		buf_addf(out, "\"} %" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
	}
}

void metrics_write(const struct metrics *metrics, const json_t *counts, unsigned connections,
		   struct buf *out)
{
	add_head(out, "slipway_hook_requests_total", "counter",
		 "Requests to the hooks, by what became of them.");
	for (size_t i = 0; i < METRIC_COUNT; i++)
		buf_addf(out, "slipway_hook_requests_total{result=\"%s\"} %" PRIu64 "\n",
			 results[i], atomic_load(&metrics->results[i]));
	add_histogram(metrics, out);
	add_head(out, "slipway_connections", "gauge", "Open connections.");
	buf_addf(out, "slipway_connections %u\n", connections);
	add_states(json_object_get(counts, "deliveries"), "slipway_deliveries",
		   "Deliveries in the store, by state.", out);
	add_states(json_object_get(counts, "deployments"), "slipway_deployments",
		   "Deployments in the store, by state.", out);
}

void metrics_secret(struct buf *out, bool first, const char *hook, int secret, int64_t last)
{
	static const char name[] = "slipway_secret_last_used_timestamp_seconds";

	if (first)
		add_head(out, name, "gauge",
			 "When each webhook secret signed last; -1: never. The first is 0.");
	buf_addf(out, "%s{hook=\"", name);
	add_label(out, hook);
	buf_addf(out, "\",secret=\"%d\"} %" PRId64 "\n", secret, last);
}
