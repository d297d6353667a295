#ifndef TARGET_SERVER_LOOK_H
#define TARGET_SERVER_LOOK_H

#include "base/err.h"
#include "target/server/state.h"
#include "target/target.h"

/* Does a version answer? Each looks once; -1 with what is wrong in *err. */

/** The health path at the slot's own port, from a process of that slot and no other. */
int look_slot(const struct deploy *deploy, const struct state_site *site, const char *dir, int port,
	      int64_t timeout, struct err *err) MUST_CHECK;

/** The health path through the gateway, from that slot. */
int look_gateway(const struct deploy *deploy, const struct state_site *site, char slot,
		 int64_t timeout, struct err *err) MUST_CHECK;

/** Append ": its last lines: a | b | c" to the error's text. */
void look_add_log(struct err *err, const struct place *place, const struct state_run *run);

#endif
