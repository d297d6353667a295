#ifndef TARGET_APP_RUNNER_STEPS_H
#define TARGET_APP_RUNNER_STEPS_H

#include "target/target.h"

/* The members of target app-runner; target.h says what each does. */

/** The image is in ECR, the settings fit the service as it is; nothing of it is changed yet. */
int app_runner_publish(struct deploy *deploy, struct err *err) MUST_CHECK;
/** Create or change the service, and wait for the end of that. */
int app_runner_shift(struct deploy *deploy, struct err *err) MUST_CHECK;
/** Does the service run our image, and does its URL answer? */
int app_runner_probe(struct deploy *deploy, enum probe *probe, struct err *err) MUST_CHECK;
/** Back to what was live, unless App Runner is there already. */
int app_runner_rollback(struct deploy *deploy, struct err *err) MUST_CHECK;
/** Tags, and pause-after. */
int app_runner_retire(struct deploy *deploy, struct err *err) MUST_CHECK;
/** The operation's events and the app's own last lines. */
int app_runner_logs(struct deploy *deploy, struct buf *out, struct err *err) MUST_CHECK;
/** What would be sent, setting by setting. */
int app_runner_plan(const struct deploy *deploy, struct buf *out, struct err *err) MUST_CHECK;

#endif
