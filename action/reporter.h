#ifndef ACTION_REPORTER_H
#define ACTION_REPORTER_H

#include <signal.h>

#include "action/annotations.h"
#include "action/summary.h"
#include "action/unfinished.h"
#include "action/workflow.h"

/*
 * Shows deployments in a workflow's log: a group for each step, annotations, the summary; keeps
 * what the post step needs; and ends what is under way when the runner cancels.
 */
struct reporter;

struct reporter_options {
	struct workflow *workflow;
	struct annotations *annotations;
	struct summary *summary;
	struct clock *clock;
	const char *data;
	const char *prefix;                /* of the project's folder in the workspace; "." */
	const volatile sig_atomic_t *stop; /* counts SIGINT and SIGTERM */
	int64_t budget;                    /* ms from the first one until we must be gone */
	int64_t deadline;                  /* ticks at which time is up; 0: never */
	/** Before and after each step: after it nothing that it started may be left. May be NULL.
	 */
	void (*around)(void *self, enum step step, bool begins);
	void *self;
};

enum reporter_stop {
	REPORTER_NOT,
	REPORTER_CANCELLED,
	REPORTER_TIME_UP,
	REPORTER_HANDED_OVER /* cut off in the middle: the post step goes on */
};

/** The observer is the reporter's own. */
struct reporter *reporter_new(const struct reporter_options *options);
struct observer *reporter_observer(struct reporter *reporter);
void reporter_free(struct reporter *reporter);
DEFINE_FREEP(struct reporter, reporter_free);

/** A deployment begins: the plan, the service and its target's name. */
void reporter_begin(struct reporter *reporter, const struct plan *plan,
		    const struct project_service *service, const char *target, int64_t fence);

/** GitHub's number of the deployment, to be kept for the post step. */
void reporter_deployment(struct reporter *reporter, int64_t deployment);

/** It ended. What time-out means is put right in *result. */
void reporter_end(struct reporter *reporter, struct result *result);

/** Was it asked to stop, and has it done so in order? */
enum reporter_stop reporter_stopped(const struct reporter *reporter);

/** Ticks by which all must be over, once somebody asked us to stop; 0 before that. */
int64_t reporter_gone_by(const struct reporter *reporter);

#endif
