#ifndef TARGET_APP_RUNNER_SCALING_H
#define TARGET_APP_RUNNER_SCALING_H

#include "target/app_runner/job.h"

/** The ARN of the auto-scaling configuration to use; NULL when nothing was said of it. A revision
 * with the wanted values is used again; otherwise one is made when `make` is set, else *arn is
 * "(a new revision)". ERR_USAGE: what was named isn't there, or isn't active. */
int scaling_choose(struct job *job, bool make, const char **arn, struct err *err) MUST_CHECK;

#endif
