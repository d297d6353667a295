#ifndef SERVICE_VITALS_H
#define SERVICE_VITALS_H

#include "service/metrics.h"
#include "service/server.h"
#include "service/settings.h"
#include "service/store_pool.h"

/* /healthz, /readyz and /metrics. */
struct vitals;

#define VITALS_ROUTES 3U

/** Borrows all of it. */
struct vitals *vitals_new(const struct settings *settings, struct store_pool *stores,
			  struct metrics *metrics, struct clock *clock);
void vitals_free(struct vitals *vitals);
DEFINE_FREEP(struct vitals, vitals_free);

/** Fill in VITALS_ROUTES routes; how many. */
size_t vitals_routes(struct vitals *vitals, struct route *routes);

#endif
