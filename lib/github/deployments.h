#ifndef GITHUB_DEPLOYMENTS_H
#define GITHUB_DEPLOYMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "github/api.h"

/*
 * Deployments and their statuses, as GitHub shows them.
 * https://docs.github.com/rest/deployments (write: "deployments: write")
 */

enum deployments_state {
	DEPLOYMENTS_QUEUED,
	DEPLOYMENTS_IN_PROGRESS,
	DEPLOYMENTS_SUCCESS,
	DEPLOYMENTS_FAILURE, /* it didn't go live */
	DEPLOYMENTS_ERROR,   /* it isn't known, or was cancelled */
	DEPLOYMENTS_INACTIVE,
	DEPLOYMENTS_STATE_COUNT
};

/** "queued", "in_progress", … */
const char *deployments_state_name(enum deployments_state state);

struct deployments_new {
	const char *repository, *commit, *environment;
	const char *key; /* stands in its payload as {"slipway": {"key": …}}: finds it again */
	const char *service;     /* stands there too; NULL */
	const char *description; /* NULL; cut to 140 characters */
	bool transient;          /* of a pull request: it goes away again */
};

/** Make one: nothing is merged and no status is waited for. */
int deployments_create(struct github *github, const struct deployments_new *new, int64_t *id,
		       struct err *err) MUST_CHECK;

/** The one that deployments_create made with this key; *id is 0 when there is none. Looks at the
 * newest hundred of the commit and environment. */
int deployments_find(struct github *github, const struct deployments_new *like, int64_t *id,
		     struct err *err) MUST_CHECK;

/** The one that GitHub made for a job with `environment:`, by the workflow run's id (digits); *id
 * is 0 when there is none. With one there, don't create another. */
int deployments_find_job(struct github *github, const struct deployments_new *like,
			 const char *run_id, int64_t *id, struct err *err) MUST_CHECK;

struct deployments_status {
	enum deployments_state state;
	const char *description;     /* NULL; cut to 140 characters, at the border of one */
	const char *log_url;         /* NULL */
	const char *environment_url; /* NULL */
	bool auto_inactive; /* older successes of that environment become inactive: right when one
			       service alone has it */
};

/** Add a status to it. */
int deployments_tell(struct github *github, const char *repository, int64_t id,
		     const struct deployments_status *status, struct err *err) MUST_CHECK;

/** Is that one's newest status this state and description? */
int deployments_was_told(struct github *github, const char *repository, int64_t id,
			 const struct deployments_status *status, bool *told,
			 struct err *err) MUST_CHECK;

#endif
