#ifndef TARGET_ECS_EXPRESS_STEPS_H
#define TARGET_ECS_EXPRESS_STEPS_H

#include "target/target.h"

/* The members of target ecs-express; target.h says what each does. */

/** The image is where ECS can pull it, the settings fit the service as it is; nothing of it is
 * changed yet. */
int express_publish(struct deploy *deploy, struct err *err) MUST_CHECK;
/** Create or change the service, and wait through the canary for the end of that deployment. */
int express_shift(struct deploy *deploy, struct err *err) MUST_CHECK;
/** Is our revision the active one, and does its URL answer? */
int express_probe(struct deploy *deploy, enum probe *probe, struct err *err) MUST_CHECK;
/** Back to what was live, unless ECS is there already. */
int express_rollback(struct deploy *deploy, struct err *err) MUST_CHECK;
/** Tags. */
int express_retire(struct deploy *deploy, struct err *err) MUST_CHECK;
/** Why ECS says it failed, why its tasks stopped, and their last lines. */
int express_logs(struct deploy *deploy, struct buf *out, struct err *err) MUST_CHECK;
/** What would be sent, setting by setting. */
int express_plan(const struct deploy *deploy, struct buf *out, struct err *err) MUST_CHECK;

#endif
