#ifndef SERVICE_ROUTER_H
#define SERVICE_ROUTER_H

#include "base/clock.h"
#include "pipeline/source.h"
#include "service/attempt.h"
#include "service/settings.h"
#include "service/store.h"

/* Turns recorded deliveries into deployments, or into the reason why not. */

struct router {
	const struct settings *settings;
	struct store *store;
	struct clock *clock;
	/** The repository's source, which stays the callee's. */
	int (*open)(void *self, const struct settings_repository *repository, struct source **out,
		    struct err *err);
	void *self;
	struct attempt *attempt; /* NULL: nothing is noted */
};

/**
 * Take the oldest delivery that waits, and settle it: routed, given up, or put off (and logged). 0;
 * STORE_EMPTY when none waits; -1 when the store fails.
 */
int router_step(struct router *router, struct err *err) MUST_CHECK;

#endif
