#ifndef ACTION_LAUNCH_H
#define ACTION_LAUNCH_H

#include "action/setup.h"
#include "pipeline/pipeline.h"

/* What stands in the place of a terminal, in a workflow. */
struct launch_stage {
	struct observer *observer;
	const char *const *launcher, *const *env; /* see struct world */
	int (*id_token)(void *self, const char *audience, char **token, struct err *err);
	/** Around each deployment; end() may put the result right. */
	void (*begin)(void *self, const struct plan *plan, const struct project_service *service,
		      int64_t fence);
	void (*end)(void *self, const struct plan *plan, struct result *result);
	void *self;
};

/* What differs between the commands that run the pipeline. */
struct launch {
	const char *commit; /* NULL for a rollback */
	bool revive;
	const char *version; /* revive: which; NULL: the last good one before the live one */
	const struct launch_stage *stage; /* NULL: a terminal, or a plain log */
	struct result *last; /* where to say how the last one ended; in the arena. May be NULL */
};

/** Have the data folder (made when it isn't there) to ourselves: *lock is a descriptor to close.
 * ERR_CONFLICT when another slipway works with it. */
int launch_lock(int *lock, const char *data, struct err *err) MUST_CHECK;

/** Run the pipeline for each service of the setup, one after the other, until one isn't live. Says
 * how it goes and how it ended; the exit status, or -1 with *err when nothing could begin. */
int launch_all(const struct setup *setup, const struct launch *launch, const struct call *call,
	       struct arena *arena, struct err *err) MUST_CHECK;

/** End in order what an earlier process was cut off in: the plan's deployment goes on at `step`,
 * its secrets are looked up again. */
int launch_resume(const struct setup *setup, struct plan *plan, enum step step,
		  const struct progress *saved, const struct launch *launch,
		  const struct call *call, struct arena *arena, struct err *err) MUST_CHECK;

/** What it would do, a line each; reads only. */
int launch_explain(const struct setup *setup, const struct launch *launch, const struct call *call,
		   struct arena *arena, struct err *err) MUST_CHECK;

#endif
