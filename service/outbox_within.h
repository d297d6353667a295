#ifndef SERVICE_OUTBOX_WITHIN_H
#define SERVICE_OUTBOX_WITHIN_H

#include <jansson.h>

#include "service/outbox.h"

/* Private to outbox*.c. */

/** One report on its way. */
struct telling {
	struct outbox *outbox;
	const struct report *report;
	struct arena *arena;
	json_t *memo;    /* what was told, by part */
	const char *key; /* the deployment's, for GitHub */
	const char *log; /* where its log is; NULL */
	bool store_failed;
};

/** What a part did: nothing was left to do, a call was made (and there may be more), or (-1) it
 * failed. */
enum { PART_QUIET = 0, PART_CALLED = 1 };

/**
 * One of the ways in which GitHub is told. `memo` is its own: {"id": n, "begun": true, "saying": t,
 * "said": t, "off": true}.
 */
struct outbox_part {
	const char *name;
	int (*advance)(struct telling *telling, json_t *memo, struct err *err);
};

extern const struct outbox_part outbox_deployment, outbox_status, outbox_check, outbox_retire;

/** Keep the memo as it is now, durably. -1 with telling->store_failed. */
int outbox_keep(struct telling *telling, struct err *err) MUST_CHECK;

/** Has the deployment ended? */
bool outbox_ended(const struct report *report);

#endif
