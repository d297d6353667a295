#ifndef TARGET_SERVER_STATE_H
#define TARGET_SERVER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "target/server/place.h"

/** A version in a slot. version NULL: none. */
struct state_run {
	const char *version;
	const char *key; /* of the deployment that put it there */
	char slot;       /* 'a' or 'b' */
};

/** What the gateway answers to. url NULL: nothing yet. */
struct state_site {
	const char *url;
	const char *host;          /* lower case; an IPv6 address in [] */
	const char *authority;     /* host, with the port unless it is 80: the Host header */
	const char *const *listen; /* "127.0.0.1:8080", NULL-ended */
	const char *max_body;
};

/**
 * What is known of one app: app.json. A deployment goes through it as follows.
 *   publish  next = the new version in the free slot; the gateway knows `next_site` too
 *   shift    previous = live, live = next, shifted
 *   retire   leaving = previous, next and previous = none; when drained, leaving = none
 *   rollback live = previous (if shifted), next and previous = none
 */
struct state {
	int64_t fence;      /* of the newest deployment that was here */
	int port_a, port_b; /* 0: none yet */
	struct state_run live, next, previous, leaving;
	bool shifted;
	struct state_site site, next_site;
	const char *const
		*good; /* versions that were good, the latest last; NULL-ended, never NULL */
};

/** Take the app's lock; it is held for moments only, so waiting long is an error (ERR_TRANSIENT).
 * wait 0 seconds: ERR_CONFLICT at once when somebody has it. Returns a descriptor to close, or -1.
 */
int state_lock(const struct place *place, int64_t wait, struct err *err);

/** Read it (all empty when there is none) into the place's arena. */
int state_load(struct state *out, const struct place *place, struct err *err) MUST_CHECK;

/** Replace it, durably. Under the lock. */
int state_save(const struct state *state, const struct place *place, struct err *err) MUST_CHECK;

/** Where a slot's port is kept. */
int *state_port(struct state *state, char slot);

/** The list of good versions: its length, and whether one is in it. */
size_t state_good_count(const struct state *state);
bool state_is_good(const struct state *state, const char *version);

/**
 * Note that the live version is good; `before` was live before it (or NULL). A new one becomes the
 * latest, and those after `before`, which was brought back then, go to the front of the list. One
 * that is in the list keeps its place, so that a second rollback goes back further.
 */
void state_add_good(struct state *state, const char *version, const char *before,
		    struct arena *arena);

/** Take a version out of the list. */
void state_drop_good(struct state *state, const char *version);

#endif
