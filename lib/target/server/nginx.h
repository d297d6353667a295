#ifndef TARGET_SERVER_NGINX_H
#define TARGET_SERVER_NGINX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/http.h"

/* One nginx whose every file is in one folder. */

struct nginx {
	const char *dir; /* absolute */
	struct http *http;
	struct clock *clock;
};

/** Is the program there? The message names the package. */
int nginx_check(struct err *err) MUST_CHECK;

/** For those who start, reload or stop it: one at a time. A descriptor to close; -1 with *err. */
int nginx_lock(const char *dir, struct clock *clock, struct err *err);

/** Its master lives (not only a pid file of one from before). */
bool nginx_is_running(const char *dir);

/**
 * Have it run with this configuration, which answers `generation` at http://x/generation on
 * DIR/control.sock: tested first, then started or reloaded, and seen answering. On failure the
 * configuration before is in force again.
 */
int nginx_run(const struct nginx *nginx, const struct buf *conf, const char *generation,
	      struct err *err) MUST_CHECK;

/** SIGQUIT, which lets requests end; after `grace` seconds SIGTERM, then SIGKILL. */
int nginx_stop(const char *dir, int64_t grace, struct clock *clock, struct err *err) MUST_CHECK;

#endif
