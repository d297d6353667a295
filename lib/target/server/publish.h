#ifndef TARGET_SERVER_PUBLISH_H
#define TARGET_SERVER_PUBLISH_H

#include "target/server/stage.h"

/* Before the switch: a version that is healthy and takes no traffic. */

/** publish() and revive() of target.h. */
int publish_new(struct deploy *deploy, struct err *err) MUST_CHECK;
int publish_again(struct deploy *deploy, struct err *err) MUST_CHECK;

/** Give the slot a port of its own: the one it had, unless a stranger has it now. Not saved. */
int publish_choose_port(struct stage *stage, char slot, struct err *err) MUST_CHECK;

#endif
