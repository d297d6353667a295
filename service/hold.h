#ifndef SERVICE_HOLD_H
#define SERVICE_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "service/store.h"

/*
 * A lease says whose a deployment is. It can't stop a worker that stood still (a stopped process, a
 * machine that slept) from going on with what it was at when it wakes, such as making the checkout
 * again. So a worker holds a lock, too, for as long as it lives, and who takes a deployment over
 * kills the one that has it still.
 */
struct hold {
	const char *data; /* the data folder */
	struct store *store;
	const struct claim *claim;
	int64_t lease; /* milliseconds */
	int fd;        /* set by hold_take */
};

/** Hold the claimed deployment. STORE_LOST when the claim is another's by now; -1 (ERR_TRANSIENT)
 * when the one before us is there still five seconds after it was killed. */
int hold_take(struct hold *hold, struct err *err) MUST_CHECK;

/** Let go; `ended`: nobody will ask for it again. Fine when it isn't held. */
void hold_drop(struct hold *hold, bool ended);

#endif
