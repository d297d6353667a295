#ifndef SERVICE_API_H
#define SERVICE_API_H

#include "service/auth.h"
#include "service/server.h"
#include "service/settings.h"
#include "service/store_pool.h"

/* The calls below /v1/. Every failure is an RFC 9457 problem document. */
struct api;

#define API_ROUTES 6U

/** Borrows all of it. */
struct api *api_new(const struct settings *settings, struct store_pool *stores,
		    const struct auth *auth, struct clock *clock);
void api_free(struct api *api);
DEFINE_FREEP(struct api, api_free);

/** Fill in API_ROUTES routes; how many. */
size_t api_routes(struct api *api, struct route *routes);

#endif
