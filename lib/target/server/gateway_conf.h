#ifndef TARGET_SERVER_GATEWAY_CONF_H
#define TARGET_SERVER_GATEWAY_CONF_H

#include "base/buf.h"
#include "base/err.h"
#include "target/server/place.h"
#include "target/server/state.h"

/* nginx's configuration as text. */

/** One app of it. */
struct gateway_conf_app {
	struct place place;
	struct state state;
};

/**
 * Write the configuration for these apps. Those without a site are left out. `generation`, 16 hex
 * digits, is made from the text, and nginx answers it at /generation on its control socket.
 */
int gateway_conf_write(struct buf *out, const struct site *site,
		       const struct gateway_conf_app *apps, size_t count, char generation[17],
		       struct arena *arena, struct err *err) MUST_CHECK;

#endif
