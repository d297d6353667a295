#ifndef SERVICE_HOOKS_H
#define SERVICE_HOOKS_H

#include "base/clock.h"
#include "service/metrics.h"
#include "service/server.h"
#include "service/settings.h"
#include "service/writer.h"

/*
 * The webhooks' routes. The path chooses the secrets; the body is verified while it arrives, and
 * only then is anything read from it. A body over HOOKS_IN_MEMORY waits in an unlinked file in the
 * data folder.
 */
struct hooks;

#define HOOKS_BODY_MAX  ((size_t)25 * 1024 * 1024)
#define HOOKS_IN_MEMORY ((size_t)64 * 1024)

/** Reads the secrets; ERR_USAGE when a hook has none. Borrows the rest. */
int hooks_new(struct hooks **out, const struct settings *settings, struct writer *writer,
	      struct metrics *metrics, struct err *err) MUST_CHECK;

/** After the server has stopped. */
void hooks_free(struct hooks *hooks);
DEFINE_FREEP(struct hooks, hooks_free);

/** Fill in a route for each hook; how many. */
size_t hooks_routes(struct hooks *hooks, struct route *routes);

/** How many bytes may wait in files at once, over all requests (1 GiB); beyond that it is 503. */
void hooks_limit_spool(struct hooks *hooks, int64_t bytes);

#endif
