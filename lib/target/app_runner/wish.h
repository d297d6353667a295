#ifndef TARGET_APP_RUNNER_WISH_H
#define TARGET_APP_RUNNER_WISH_H

#include "target/app_runner/job.h"

/** What this deployment wishes for (shape.h), with the image and the scaling that publish noted.
 * New reference. */
json_t *wish_of(const struct job *job);

#endif
