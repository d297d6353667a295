#ifndef TARGET_APP_RUNNER_FOLLOW_H
#define TARGET_APP_RUNNER_FOLLOW_H

#include "target/app_runner/job.h"

/**
 * Wait for our operation (the memo's) until it has ended, and see that the service runs what was
 * wished for: 0 only when it SUCCEEDED, the service is RUNNING, and with our image. Otherwise
 * deploy->ending says how things stand. ERR_LIMIT: wait-timeout; the operation goes on.
 */
int follow(struct job *job, const json_t *wish, struct err *err) MUST_CHECK;

/** The second half alone: for when nothing was sent. */
int follow_judge(struct job *job, const json_t *wish, struct err *err) MUST_CHECK;

/** The same for job->service as it was last described, without waiting. */
int follow_check(struct job *job, const json_t *wish, struct err *err) MUST_CHECK;

#endif
