#ifndef ACTION_LAUNCH_H
#define ACTION_LAUNCH_H

#include "action/setup.h"
#include "pipeline/pipeline.h"

/* What differs between the commands that run the pipeline. */
struct launch {
	const char *commit; /* NULL for a rollback */
	bool revive;
	const char *version; /* revive: which; NULL: the last good one before the live one */
	struct result *last; /* where to say how the last one ended; in the arena. May be NULL */
};

/** Have the data folder (made when it isn't there) to ourselves: *lock is a descriptor to close.
 * ERR_CONFLICT when another slipway works with it. */
int launch_lock(int *lock, const char *data, struct err *err) MUST_CHECK;

/** Run the pipeline for each service of the setup, one after the other, until one isn't live. Says
 * how it goes and how it ended; the exit status, or -1 with *err when nothing could begin. */
int launch_all(const struct setup *setup, const struct launch *launch, const struct call *call,
	       struct arena *arena, struct err *err) MUST_CHECK;

/** What it would do, a line each; reads only. */
int launch_explain(const struct setup *setup, const struct launch *launch, const struct call *call,
		   struct arena *arena, struct err *err) MUST_CHECK;

#endif
