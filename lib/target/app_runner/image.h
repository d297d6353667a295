#ifndef TARGET_APP_RUNNER_IMAGE_H
#define TARGET_APP_RUNNER_IMAGE_H

#include "target/app_runner/job.h"

/**
 * The image to run: *name as App Runner is told it, and the digest that it stands for (NULL when
 * nobody could say). Pushes what was built, or looks for what was named. ERR_ABSENT: there is no
 * such image; ERR_USAGE: App Runner can't run it.
 */
int image_publish(struct job *job, const char **name, const char **digest,
		  struct err *err) MUST_CHECK;

#endif
