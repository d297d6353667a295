#ifndef ACTION_RESPAWN_H
#define ACTION_RESPAWN_H

#include "action/act.h"

/*
 * A target that serves from this machine can't do so from the action's container, which ends with
 * the step. So slipway starts its own image once more beside it: on the host's network, with the
 * host's /var/lib/slipway and the engine's socket, with the same environment and the runner's
 * folders. It prints what that one prints, passes signals on, and always removes it.
 */

/** `command`: "action" or "post". The exit status, or -1 with *err. */
int respawn(struct act *act, const char *command, struct err *err) MUST_CHECK;

/** Remove what an earlier step of this job left behind when it was killed. */
void respawn_tidy(struct act *act);

/** Remove the containers in which the project's commands of that job ("SLIPWAY_JOB=…") ran. */
void respawn_tidy_tasks(struct act *act, const char *job);

#endif
