#ifndef SERVICE_METRICS_H
#define SERVICE_METRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"

/* What the listener counts, for Prometheus. Any thread, without a lock. */
struct metrics;

/** What became of a delivery's request. */
enum metric {
	METRIC_RECORDED,
	METRIC_IGNORED,
	METRIC_DUPLICATE,
	METRIC_MALFORMED,
	METRIC_UNSIGNED,
	METRIC_UNSUPPORTED,
	METRIC_BUSY,
	METRIC_FAILED,
	METRIC_COUNT
};

/** All at zero. */
struct metrics *metrics_new(void);
/** After the last that counts. */
void metrics_free(struct metrics *metrics);
DEFINE_FREEP(struct metrics, metrics_free);

/** One more. */
void metrics_count(struct metrics *metrics, enum metric metric);

/** How long a delivery took, from its head to its answer. */
void metrics_took(struct metrics *metrics, int64_t milliseconds);

/** Append all of it in the text format 0.0.4. `counts` is what store->counts() gave, or NULL. */
void metrics_write(const struct metrics *metrics, const json_t *counts, unsigned connections,
		   struct buf *out);

/** Append one sample of a gauge with two labels; values are escaped. `first`: with its head. */
void metrics_secret(struct buf *out, bool first, const char *hook, int secret, int64_t last);

#endif
