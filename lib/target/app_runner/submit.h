#ifndef TARGET_APP_RUNNER_SUBMIT_H
#define TARGET_APP_RUNNER_SUBMIT_H

#include "target/app_runner/job.h"

/** Nothing was sent, since nothing has changed and skip-if-unchanged is set. */
#define SUBMIT_NOTHING 1

/**
 * Bring the service to where our operation is under way (or ended), however it stands: made when
 * there is none, waited for while it's busy, resumed, rebuilt, updated, deployed anew. One that an
 * earlier try of ours began, or that our push began, is taken for ours. Then the memo has
 * `operation`, or `sent` and `before` when App Runner gave no id.
 * ERR_LIMIT: it was busy all the time.
 */
int submit(struct job *job, const json_t *wish, struct err *err) MUST_CHECK;

/** Ask for one change: `type` is the operation's, `body` is taken over. Not done, and worth another
 * look: SUBMIT_AGAIN. */
#define SUBMIT_AGAIN 2
int submit_change(struct job *job, const char *type, json_t *body, struct err *err) MUST_CHECK;

/** Wait until the service isn't busy; ERR_LIMIT after busy-timeout. job->service is new then. */
int submit_wait(struct job *job, struct err *err) MUST_CHECK;

#endif
