#ifndef TARGET_ECS_EXPRESS_SUBMIT_H
#define TARGET_ECS_EXPRESS_SUBMIT_H

#include "target/ecs_express/job.h"

/** Nothing was sent, since nothing has changed and skip-if-unchanged is set. */
#define EXPRESS_NOTHING 1

/**
 * Bring the service to where our deployment is under way (or ended), however it stands: made when
 * there is none, waited for while it's busy or being deleted, updated. One that an earlier try of
 * ours began is taken for ours. Then the memo has `revision` or `deployment`.
 * ERR_LIMIT: it was busy all the time.
 */
int express_submit(struct express *job, const json_t *wish, struct err *err) MUST_CHECK;

/** The way back: the whole of `goal` is sent, whatever else is under way. */
int express_submit_back(struct express *job, const json_t *goal, struct err *err) MUST_CHECK;

/** Wait until nothing is under way; ERR_LIMIT after busy-timeout. job->service is new then. */
int express_wait(struct express *job, struct err *err) MUST_CHECK;

/** Find the deployment of what we sent among those since: notes it. 1: found; 0: not there (yet).
 */
int express_find_sent(struct express *job, const char *image, struct err *err) MUST_CHECK;

#endif
