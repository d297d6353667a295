#ifndef TARGET_SERVER_NGINX_H
#define TARGET_SERVER_NGINX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "image/engine.h"
#include "net/http.h"

/* One nginx whose every file is in one folder: a process of this machine, or a container that
 * has the folder and the machine's network. */

struct nginx {
	const char *dir; /* absolute */
	struct http *http;
	struct clock *clock;
	struct engine *engine; /* NULL: it can only be a process */
};

/** Is the program there, or an engine that can run it in a container? The message names the
 * package. */
int nginx_check(const struct nginx *nginx, struct err *err) MUST_CHECK;

/** Is it one, or would it be one, in a container? */
bool nginx_is_container(const struct nginx *nginx);

/** For those who start, reload or stop it: one at a time. A descriptor to close; -1 with *err. */
int nginx_lock(const char *dir, struct clock *clock, struct err *err);

/**
 * Have it run with this configuration, which answers `generation` at http://x/generation on
 * DIR/control.sock: tested first, then started or reloaded, and seen answering. On failure the
 * configuration before is in force again.
 */
int nginx_run(const struct nginx *nginx, const struct buf *conf, const char *generation,
	      struct err *err) MUST_CHECK;

/** SIGQUIT, which lets requests end; after `grace` seconds SIGTERM, then SIGKILL. */
int nginx_stop(const struct nginx *nginx, int64_t grace, struct err *err) MUST_CHECK;

#endif
