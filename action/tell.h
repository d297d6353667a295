#ifndef ACTION_TELL_H
#define ACTION_TELL_H

#include <stdint.h>

#include "action/workflow.h"
#include "pipeline/pipeline.h"

/*
 * Shows a deployment on GitHub: one with its statuses, unless the job's `environment:` has made one
 * already. Nothing of it can fail the deployment: what doesn't work is a line in the log.
 */
struct tell;

struct tell_options {
	struct http *http;
	struct clock *clock;
	struct workflow *workflow;
	const char *token, *repository; /* NULL: there is nobody to tell */
	bool several;                   /* services in this environment */
};

/** NULL when there is nobody to tell; all that follows takes that. */
struct tell *tell_new(const struct tell_options *options);
void tell_free(struct tell *tell);
DEFINE_FREEP(struct tell, tell_free);

/** It begins. GitHub's number of the deployment; 0: none. */
int64_t tell_begin(struct tell *tell, const struct plan *plan);

/** The deployment of that number ended. `gone_by`: ticks by which we must have come back; 0: none.
 */
void tell_end(struct tell *tell, int64_t id, const struct result *result, int64_t gone_by);

#endif
