#ifndef ACTION_TELL_H
#define ACTION_TELL_H

#include <stdint.h>

#include "action/workflow.h"
#include "pipeline/pipeline.h"

/*
 * Shows a deployment on GitHub: one with its statuses, unless the job's `environment:` has made one
 * already; and, if asked to, a commit status or a check run. Nothing of it can fail the deployment:
 * what doesn't work is a line in the log.
 */
struct tell;

/** Input `report`. Each but NOTHING has the deployment. */
enum tell_what { TELL_DEPLOYMENTS, TELL_STATUSES, TELL_CHECKS, TELL_NOTHING };

struct tell_options {
	struct http *http;
	struct clock *clock;
	struct workflow *workflow;
	const char *token, *repository; /* NULL: there is nobody to tell */
	bool several;                   /* services in this environment */
	enum tell_what what;
};

/** NULL when there is nobody to tell; all that follows takes that. */
struct tell *tell_new(const struct tell_options *options);
void tell_free(struct tell *tell);
DEFINE_FREEP(struct tell, tell_free);

/** It begins. GitHub's number of the deployment; 0: none. */
int64_t tell_begin(struct tell *tell, const struct plan *plan);

/** The deployment of that number (0: none) ended. `gone_by`: ticks by which we must have come back;
 * 0: none.
 */
void tell_end(struct tell *tell, const struct plan *plan, int64_t id, const struct result *result,
	      int64_t gone_by);

#endif
