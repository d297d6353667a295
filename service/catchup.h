#ifndef SERVICE_CATCHUP_H
#define SERVICE_CATCHUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "github/api.h"
#include "github/deliveries.h"
#include "service/settings.h"
#include "service/store.h"

/*
 * Fetches what a webhook delivered while nobody took it: GitHub tries once, and shows what it
 * delivered for three days. A delivery counts as if it had come, by its guid; that it is GitHub's
 * own is known by TLS and our login there. With no port open, everything comes this way.
 */

/** One webhook, as `github.deliveries` names it. */
struct catchup_hook {
	const char *setting;         /* "app", "repos/acme/shop", … */
	struct deliveries_hook hook; /* hook.id is 0 until it was looked up */
	const char *name;            /* what the store knows it by, NULL until it is known */
	char *etag;
	int64_t due; /* ticks */
	int failures;
};

struct catchup {
	struct store *store;
	struct github *github; /* with a patience that doesn't wait */
	struct clock *clock;
	const struct settings *settings;
	struct arena *arena; /* of the hooks */
	struct catchup_hook *hooks;
	size_t count;
	int (*tick)(void *self); /* not 0: stop between two; NULL */
};

/** Those that the settings name; due at once. What is made lives in the arena. */
void catchup_init(struct catchup *catchup, struct arena *arena);
void catchup_free(struct catchup *catchup); /* the contents */

/** Look through one hook whose time has come. 0; STORE_EMPTY: none is due; -1: the store fails. */
int catchup_step(struct catchup *catchup, struct err *err) MUST_CHECK;

#endif
