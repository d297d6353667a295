#ifndef TARGET_APP_RUNNER_HINT_H
#define TARGET_APP_RUNNER_HINT_H

#include "target/app_runner/job.h"

/** A refusal was met: add to *err what it probably means and what to do. */
void hint_add(struct job *job, const char *type, struct err *err);

/** The lines of slipway.yml, below `environments:`, that make an ecs-express service of these
 * settings. `account`: whose roles are named. */
void hint_express(const struct app_runner_settings *settings, const struct app *app,
		  const char *region, const char *account, struct buf *out);

#endif
