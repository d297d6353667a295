#ifndef TARGET_SERVER_STAGE_H
#define TARGET_SERVER_STAGE_H

#include "base/err.h"
#include "target/server/place.h"
#include "target/server/settings.h"
#include "target/server/slot.h"
#include "target/server/state.h"
#include "target/target.h"

/* What the steps of a deployment have in common. */

/** An app's place and its state, under its lock: held from begin to end, and never while waiting.
 */
struct stage {
	struct place place;
	struct state state;
	int lock; /* -1: not held */
};

/** A stage that ends with the block, if not before. */
#define STAGE(name) cleanup(stage_end) struct stage name = {.lock = -1}

/**
 * Lock, and read the state. ERR_CONFLICT when a newer claim than this deployment's was here:
 * whoever has that is the one who may go on. The place and state stay valid after stage_end.
 */
int stage_begin(struct stage *stage, const struct deploy *deploy, struct err *err) MUST_CHECK;
int stage_save(const struct stage *stage, struct err *err) MUST_CHECK;
void stage_end(struct stage *stage); /* fine when not begun, or twice */

/** What deploy->settings is. */
const struct server_settings *stage_settings(const struct deploy *deploy);

/** Did this deployment put it there? */
bool stage_is_ours(const struct state_run *run, const struct deploy *deploy);

/** Stop the slot's process. */
int stage_stop_slot(const struct place *place, char slot, struct err *err) MUST_CHECK;

/** Stop what was live before, if it is still there; then the other slot is free. Not saved. */
int stage_free_slot(struct stage *stage, struct err *err) MUST_CHECK;

/** -1 when what runs in the slot ended since it was started, with its last lines. */
int stage_check_alive(const struct stage *stage, const struct state_run *run,
		      struct err *err) MUST_CHECK;

/** Will this deployment's version be a container? By `run:`, or by whether there is an image. */
bool stage_wants_container(const struct deploy *deploy);

#endif
