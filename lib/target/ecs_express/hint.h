#ifndef TARGET_ECS_EXPRESS_HINT_H
#define TARGET_ECS_EXPRESS_HINT_H

#include "target/ecs_express/job.h"

/** Add to the refusal of a change what a person can do about it. */
void express_hint(struct express *job, struct err *err);

#endif
