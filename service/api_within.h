#ifndef SERVICE_API_WITHIN_H
#define SERVICE_API_WITHIN_H

/* What the files of the API share. */

#include "service/api.h"

struct api {
	const struct settings *settings;
	struct store_pool *stores;
	const struct auth *auth;
	struct clock *clock;
};

#define API_WAIT_MAX 3600

/** The states that a deployment doesn't leave. */
bool api_has_ended(const json_t *deployment);

/** The deployment, a new reference. False: the reply says why not. */
bool api_deployment(struct api *api, int64_t id, json_t **out, struct reply *reply);

/** ?wait= of the call: 0 when it isn't there. False: the reply says what's wrong with it. */
bool api_wait_seconds(const struct call *call, int64_t *seconds, struct reply *reply);

/** Answer with the deployment: 200 when it ended within so many seconds, else 202. */
void api_answer_when_ended(struct api *api, const struct call *call, int64_t id, int64_t seconds,
			   struct reply *reply);

/** POST /v1/redeploy, /v1/rollback. */
void api_redeploy(void *self, const struct call *call, struct reply *reply);
void api_rollback(void *self, const struct call *call, struct reply *reply);

/** GET /v1/deployments/{id}/log. */
void api_log(struct api *api, const struct call *call, int64_t id, struct reply *reply);

#endif
