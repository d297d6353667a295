#ifndef TARGET_SERVER_GATEWAY_H
#define TARGET_SERVER_GATEWAY_H

#include "base/err.h"
#include "target/server/place.h"
#include "target/server/state.h"

/*
 * The gateway: one nginx for all apps of the data folder. Its configuration has both slots of every
 * app; which of them gets a request is decided by a marker file, looked at per request. So a switch
 * is one rename or unlink: nothing is reloaded and no connection is closed. Only a new app, host or
 * port changes the configuration.
 */

/** Is nginx there? The message names the package. */
int gateway_check(const struct site *site, struct err *err) MUST_CHECK;

/**
 * Take a site from the settings' url and listen (NULL: by the url) apart. ERR_USAGE with what is
 * wrong. max_body is taken as it is.
 */
int gateway_site(struct state_site *out, const char *url, const char *const *listen,
		 const char *max_body, struct arena *arena, struct err *err) MUST_CHECK;

/** ERR_CONFLICT when another app answers at this site already. */
int gateway_conflict(const struct place *place, const struct state_site *site,
		     struct err *err) MUST_CHECK;

/**
 * Can the gateway listen there? -1 when a stranger has the port, or the address isn't this
 * machine's. Before the site is in the state: what nginx can't have stands in the way of every
 * other app's change. Ports that it has already aren't looked at.
 */
int gateway_can_listen(const struct place *place, const struct state_site *site,
		       struct err *err) MUST_CHECK;

/**
 * Have nginx running with what all the apps' states say. A configuration that nginx refuses, or
 * can't take over (a port that somebody else has), leaves the one before it running: -1.
 * Without any app there is none. Cheap when nothing changed. Call without any app's lock, or with
 * one only.
 */
int gateway_apply(const struct site *site, struct err *err) MUST_CHECK;

/** Send new requests to a slot; 0: to none, they get 503. */
int gateway_switch(const struct place *place, char slot, struct err *err) MUST_CHECK;

/** Which slot gets the requests; 0: none. */
char gateway_slot(const struct place *place);

/** Stop nginx: requests under way get `grace` seconds. Fine when none runs. */
int gateway_stop(const struct site *site, int64_t grace, struct err *err) MUST_CHECK;

#endif
