#ifndef TARGET_ECS_EXPRESS_FOLLOW_H
#define TARGET_ECS_EXPRESS_FOLLOW_H

#include "target/ecs_express/job.h"

/**
 * Wait for our deployment (the memo's) until it has ended, and see that its revision is active with
 * the image that was wished for: 0 only when it is SUCCESSFUL and that is so. Otherwise
 * deploy->ending says how things stand. ERR_LIMIT: wait-timeout; the deployment goes on.
 */
int express_follow(struct express *job, const json_t *wish, struct err *err) MUST_CHECK;

/** The second half alone: for when nothing was sent. */
int express_judge(struct express *job, const json_t *wish, struct err *err) MUST_CHECK;

/** The same for job->service as it was last described. ERR_TRANSIENT: ask again, it isn't active
 * yet though nobody else's is on its way. */
int express_judge_now(struct express *job, const json_t *wish, struct err *err) MUST_CHECK;

#endif
